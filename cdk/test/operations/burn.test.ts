import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import type { Settings } from "../../lib/config.ts";
import { BurnAlarms, budgetOf, BURNS } from "../../lib/operations/burn.ts";
import { repository } from "../../lib/repository.ts";
import { newStack, resourcesOf, settingsOf, statefulStandIns } from "../support/app.ts";
import { findings } from "../support/nag.ts";
import { statelessStack } from "../support/stateless.ts";

const prod = settingsOf("prod");
const slo = { availability: 99.9, runs: 99, freshnessWarning: 75 };

function alarmsOf(settings: Settings, stack = newStack(settings)): BurnAlarms {
  return new BurnAlarms(stack, "Burn", {
    settings, ...statefulStandIns(stack, settings), api: "sluice-prod",
    pipelines: [{ name: "retail", freshnessHours: 36 }, { name: "quiet" }, { name: "hourly", freshnessHours: 1 }],
  });
}

const promised: Settings = { ...prod, operations: { ...prod.operations, slo } };
const stack = newStack(promised);
alarmsOf(promised, stack);
const template = Template.fromStack(stack);
const properties = (type: string): Record<string, unknown>[] => Object.values(resourcesOf(template, type)).map(({ Properties }) => Properties);
const parts = properties("AWS::CloudWatch::Alarm");
const composites = properties("AWS::CloudWatch::CompositeAlarm");
const named = (name: string): Record<string, unknown> => parts.find(({ AlarmName }) => AlarmName === `sluice-prod-${name}`) ?? {};

interface Query { readonly Id: string; readonly Expression?: string; readonly MetricStat?: { readonly Period: number; readonly Metric: { readonly MetricName: string } } }

/** What the expression of an alarm gives for these sums, read as the metric math of CloudWatch; its form is asserted. */
function burn(alarm: Record<string, unknown>, sums: Readonly<Record<string, number>>): number {
  const queries = alarm.Metrics as Query[];
  const expression = queries.find((query) => query.Expression !== undefined)?.Expression ?? "";
  const [, tested, least, bad, all, budget] = /^IF\(\((.+)\) < (\d+), 0, \((.+)\) \/ \((.+)\) \/ ([\d.]+)\)$/.exec(expression) ?? [];
  const sum = (text = ""): number => {
    const parts = text.split(" + ").map((part) => /^FILL\((\w+), 0\)$/.exec(part)?.[1] ?? assert.fail(expression));
    for (const part of parts) {
      assert.ok(queries.some(({ Id, MetricStat }) => Id === part && MetricStat !== undefined), `${expression}: nothing is called ${part}`);
    }
    return parts.reduce((total, part) => total + (sums[part] ?? 0), 0);
  };
  return sum(tested) < Number(least) ? 0 : sum(bad) / sum(all) / Number(budget);
}

test("cdk-nag finds nothing", () => {
  assert.deepEqual(findings(stack), []);
});

test("rates use 2 % of a budget of 30 days in an hour, and 5 % in six", () => {
  const used = BURNS.map(({ rate, long }) => Math.round((rate * long.toHours() * 100) / (30 * 24)));
  assert.deepEqual(used, [2, 5]);
  for (const { long, short } of BURNS) {
    assert.equal(long.toMinutes() / short.toMinutes(), 12, "the short window is a twelfth of the long one");
  }
});

test("budgets are exact", () => {
  assert.deepEqual([99.9, 99.99, 99, 95].map(budgetOf), [0.001, 0.0001, 0.01, 0.05]);
});

test("the rate is the share of bad events over the budget", () => {
  const long = named("BurnFast-Api-long");
  const check = (faults: number, calls: number, expected: number): void => {
    assert.ok(Math.abs(burn(long, { faults, calls }) - expected) < 1e-9, `${String(faults)} of ${String(calls)}: ${String(burn(long, { faults, calls }))}`);
  };
  check(10, 10_000, 1);
  check(144, 10_000, 14.4);
  check(143, 10_000, 14.3);
  check(0, 10_000, 0);
  // Few faults of few calls are no outage.
  check(4, 4, 0);
  check(5, 5, 1000);
  // Without calls nothing burns.
  check(0, 0, 0);
  assert.ok(Math.abs(burn(named("BurnFast-Api-short"), { faults: 1, calls: 50 }) - 20) < 1e-9);
});

test("runs that failed or were rejected are bad, of all that ended", () => {
  const long = named("BurnSlow-retail-long");
  assert.ok(Math.abs(burn(long, { failed: 2, rejected: 1, published: 40, skipped: 7 }) - 6) < 1e-9);
  assert.equal(burn(long, { failed: 1, rejected: 0, published: 0, skipped: 0 }), 0, "a single failure has an alarm of its own");
  assert.equal(burn(long, { published: 5 }), 0);
});

test("each window is the period of its alarm, and missing data raises none", () => {
  const windows: readonly [string, number, number][] = [
    ["BurnFast-Api-long", 3600, 14.4], ["BurnFast-Api-short", 300, 14.4], ["BurnSlow-Api-long", 21_600, 6], ["BurnSlow-Api-short", 1800, 6],
  ];
  for (const [name, seconds, rate] of windows) {
    const alarm = named(name);
    const periods = (alarm.Metrics as Query[]).flatMap(({ MetricStat }) => MetricStat?.Period ?? []);
    assert.deepEqual(periods, [seconds, seconds], name);
    assert.deepEqual([alarm.Threshold, alarm.EvaluationPeriods, alarm.TreatMissingData], [rate, 1, "notBreaching"], name);
    assert.equal(alarm.ComparisonOperator, "GreaterThanOrEqualToThreshold", name);
    assert.equal(alarm.AlarmActions, undefined, `${name} notifies nobody by itself`);
  }
});

test("both windows raise one alarm together: the fast burn at once, the slow one as a warning", () => {
  const topics = new Map(composites.map(({ AlarmName, AlarmActions }) => [AlarmName, String((AlarmActions as unknown[])[0]).split(":").at(-1)]));
  assert.deepEqual([...topics].sort(), [
    ["sluice-prod-BurnFast-Api", "critical"], ["sluice-prod-BurnFast-hourly", "critical"], ["sluice-prod-BurnFast-retail", "critical"],
    ["sluice-prod-BurnSlow-Api", "warning"], ["sluice-prod-BurnSlow-hourly", "warning"], ["sluice-prod-BurnSlow-retail", "warning"],
  ]);
  for (const { AlarmRule, AlarmDescription } of composites) {
    assert.equal(JSON.stringify(AlarmRule).split("ALARM(").length, 3, JSON.stringify(AlarmRule));
    assert.match(JSON.stringify(AlarmRule), / AND /);
    assert.match(String(AlarmDescription), /#burn$/);
    assert.match(readFileSync(repository.path("docs/runbook.md"), "utf8"), /^## Burn$/m);
  }
});

test("a product is late before it is stale", () => {
  const late = named("Late-retail");
  assert.deepEqual([late.EvaluationPeriods, late.TreatMissingData], [27, "breaching"]);
  assert.equal(String((late.AlarmActions as unknown[])[0]).split(":").at(-1), "warning");
  assert.deepEqual(named("Late-hourly"), {}, "an hour has no time for a warning");
});

test("a pipeline that promises nothing has no alarm, and nothing has one without the setting", () => {
  assert.equal(parts.some(({ AlarmName }) => String(AlarmName).includes("quiet")), false);
  assert.deepEqual(alarmsOf(prod).alarms, []);
});

test("the app has them where the settings say so, and its dashboard shows them", () => {
  const whole = Template.fromStack(statelessStack(promised));
  const names = Object.values(resourcesOf(whole, "AWS::CloudWatch::CompositeAlarm")).map(({ Properties }) => String(Properties.AlarmName));
  const promising = prod.pipelines.filter(({ freshnessHours }) => freshnessHours !== undefined).length;
  assert.equal(names.length, BURNS.length * (1 + promising), names.join(", "));
  assert.match(JSON.stringify(resourcesOf(whole, "AWS::CloudWatch::Dashboard")), /BurnFastApi/);
});
