import assert from "node:assert/strict";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import type { Settings } from "../../lib/config.ts";
import { Alarms } from "../../lib/operations/alarms.ts";
import { newStack, resourcesOf, settingsOf, statefulStandIns } from "../support/app.ts";

/** Alarms of an environment, by their names without its prefix. */
function alarmsOf(settings: Settings): ReadonlyMap<string, Record<string, unknown>> {
  const stack = newStack(settings);
  const { critical, warning } = statefulStandIns(stack, settings);
  const prefix = `sluice-${settings.environment}`;
  new Alarms(stack, "Alarms", {
    settings, critical, warning,
    functions: [`${prefix}-publish`, `${prefix}-terminate`],
    stateMachineArn: `arn:aws:states:${settings.region}:${settings.account}:stateMachine:${prefix}-pipeline`,
    queues: [`${prefix}-undelivered`],
    api: prefix,
    pipelines: [{ name: "retail", freshnessHours: 168 }, { name: "quiet" }],
  });
  return new Map(Object.values(resourcesOf(Template.fromStack(stack), "AWS::CloudWatch::Alarm"))
    .map(({ Properties }) => [String(Properties.AlarmName).replace(`${prefix}-`, ""), Properties]));
}

const prod = alarmsOf(settingsOf("prod"));
const dev = alarmsOf(settingsOf("dev"));

function topicOf(alarm: string): unknown {
  const actions = prod.get(alarm)?.AlarmActions;
  return Array.isArray(actions) ? String(actions[0]).split(":").at(-1) : undefined;
}

/** Seconds of a period, whether an alarm has one metric or a list of them. */
function periodOf(alarm: Record<string, unknown>): number {
  const metrics = alarm.Metrics as { MetricStat: { Period: number } }[] | undefined;
  return metrics?.[0]?.MetricStat.Period ?? Number(alarm.Period);
}

test("no alarm covers a longer time than CloudWatch allows", () => {
  for (const [name, alarm] of prod) {
    const period = periodOf(alarm);
    const seconds = period * Number(alarm.EvaluationPeriods);
    assert.ok(seconds <= (period < 3600 ? 86_400 : 604_800), `${name} covers ${String(seconds)} s`);
  }
});

test("a replica that is late or incomplete raises an alarm", () => {
  assert.deepEqual([topicOf("ReplicaLate"), topicOf("ReplicaIncomplete")], ["warning", "critical"]);
  assert.equal(prod.get("ReplicaLate")?.Threshold, 900);
  assert.match(JSON.stringify(prod.get("ReplicaIncomplete")), /example-sluice-prod-replica.*example-sluice-prod-lake|example-sluice-prod-lake.*example-sluice-prod-replica/);
  assert.equal([...dev.keys()].some((name) => name.startsWith("Replica")), false);
});

test("a failing sweep of clusters raises a critical alarm", () => {
  assert.equal(topicOf("ClustersNotEnded"), "critical");
  assert.equal(prod.get("ClustersNotEnded")?.EvaluationPeriods, 3);
});

test("a pipeline without freshnessHours has no alarm for stale products", () => {
  assert.ok(prod.has("Stale-retail"));
  assert.equal(prod.has("Stale-quiet"), false);
});

test("what could not be sent is an alarm where the settings have something to send to", () => {
  const { alerts, ...quiet } = settingsOf("prod");
  assert.ok(alerts.length > 0 && prod.has("AlertsNotSent-quiet"));
  assert.ok(![...alarmsOf({ ...quiet, alerts: [], openLineage: undefined }).keys()].some((name) => name.includes("NotSent")));
  const sends = alarmsOf({ ...quiet, alerts: [], openLineage: { target: "https://lineage.example.com/api/v1/lineage" } });
  assert.ok(sends.has("LineageNotSent-retail") && !sends.has("AlertsNotSent-retail"));
});
