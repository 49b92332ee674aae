import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Duration } from "aws-cdk-lib";
import type { Metric } from "aws-cdk-lib/aws-cloudwatch";

import * as metrics from "../../lib/operations/metrics.ts";
import { repository } from "../../lib/repository.ts";
import { settingsOf } from "../support/app.ts";

interface Target { readonly namespace: string; readonly metricName: string; readonly dimensions: Record<string, string>; readonly statistic: string }
interface Panel { readonly title: string; readonly targets: readonly Target[] }

const dashboard = JSON.parse(readFileSync(repository.path("dashboards/grafana-cloudwatch.json"), "utf8")) as {
  readonly panels: readonly Panel[]; readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
};
const targets = dashboard.panels.flatMap(({ targets: of }) => of);

/** A metric as a series of CloudWatch: namespace, name and the names of its dimensions. */
const series = (namespace: string, name: string, dimensions: object): string => `${namespace} ${name} ${Object.keys(dimensions).sort().join(",")}`;

/** The series that alarms and the dashboard of the app are about. */
function known(): Set<string> {
  const settings = settingsOf("prod");
  const all = [
    ...metrics.RUN_METRICS.map((name) => metrics.run(name, settings, "retail", Duration.hours(1))),
    ...["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"].map((name) => metrics.execution(name, "arn")),
    ...["Errors", "Throttles"].map((name) => metrics.lambda(name, "one")), metrics.duration("one"),
    ...["Count", "4XXError", "5XXError"].map((name) => metrics.api(name, "api")), metrics.queueDepth("queue"),
  ] satisfies Metric[];
  return new Set(all.map(({ namespace, metricName, dimensions }) => series(namespace, metricName, dimensions ?? {})));
}

test("each query of the Grafana dashboard is about a series that the app or notify has", () => {
  const found = targets.map(({ namespace, metricName, dimensions }) => series(namespace, metricName, dimensions));
  assert.ok(found.length >= 15);
  assert.deepEqual(found.filter((one) => !known().has(one)), []);
});

test("the Grafana dashboard shows every metric of runs", () => {
  const shown = targets.filter(({ namespace }) => namespace === metrics.NAMESPACE).map(({ metricName }) => metricName);
  assert.deepEqual([...new Set(shown)].sort(), [...metrics.RUN_METRICS].sort());
});

test("each variable of a query is asked for", () => {
  const named = new Set(dashboard.templating.list.map(({ name }) => name));
  const used = JSON.stringify([dashboard.panels, dashboard.templating]).matchAll(/\$\{?([a-z]\w*)/g);
  assert.deepEqual([...used].map(([, name]) => name ?? "").filter((name) => !named.has(name)), []);
});
