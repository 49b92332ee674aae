import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import { Alarms } from "../../lib/operations/alarms.ts";
import { Budget } from "../../lib/operations/budget.ts";
import { Dashboard } from "../../lib/operations/dashboard.ts";
import { NAMESPACE, NOT_SENT, RUN_METRICS } from "../../lib/operations/metrics.ts";
import { repository } from "../../lib/repository.ts";
import { newStack, resourcesOf, settingsOf, statefulStandIns, theOne } from "../support/app.ts";
import { findings } from "../support/nag.ts";
import { stateless, statelessStack } from "../support/stateless.ts";

const settings = settingsOf("prod");
const stack = newStack(settings);
const { critical, warning } = statefulStandIns(stack, settings);
const watched = {
  settings,
  functions: ["sluice-prod-validate", "sluice-prod-run-etl"],
  stateMachineArn: "arn:aws:states:eu-central-1:123456789012:stateMachine:sluice-prod-pipeline",
  queues: ["sluice-prod-undelivered"],
  api: "sluice-prod",
};
const { alarms } = new Alarms(stack, "Alarms", { ...watched, critical, warning, pipelines: [{ name: "retail", freshnessHours: 36 }] });
new Dashboard(stack, "Dashboard", { ...watched, pipelines: ["retail"], alarms });
new Budget(stack, "Budget", { settings, monthlyUsd: 500, critical, warning });
const template = Template.fromStack(stack);
const made = Object.values(resourcesOf(template, "AWS::CloudWatch::Alarm")).map(({ Properties }) => Properties);
const named = (name: string): Record<string, unknown> => made.find(({ AlarmName }) => AlarmName === `sluice-prod-${name}`) ?? {};

test("cdk-nag finds nothing", () => {
  assert.deepEqual(findings(stack), []);
});

test("every alarm notifies a topic, and the runbook has the part that it links to", () => {
  const runbook = readFileSync(repository.path("docs/runbook.md"), "utf8");
  const parts = new Set([...runbook.matchAll(/^## (.+)$/gm)].map(([, title]) => String(title).toLowerCase().replaceAll(/[^a-z0-9 -]/g, "").replaceAll(" ", "-")));
  assert.ok(made.length > 10);
  for (const { AlarmName, AlarmActions, AlarmDescription } of made) {
    assert.equal((AlarmActions as unknown[]).length, 1, String(AlarmName));
    const part = /https:\S+#([a-z0-9-]+)$/.exec(String(AlarmDescription))?.[1] ?? "";
    assert.ok(parts.has(part), `${String(AlarmName)}: docs/runbook.md has no part ${part}`);
  }
  assert.ok(existsSync(repository.path("docs/runbook.md")));
});

test("broken things raise critical alarms, everything else warnings", () => {
  const topic = (name: string): unknown => (named(name).AlarmActions as string[])[0]?.split(":").at(-1);
  for (const name of ["RunsFailed", "RunsTimedOut", "Stale-retail", "Depth-sluice-prod-undelivered", "ApiFaults", "ClusterTooOld", "AlertsNotSent-retail"]) {
    assert.equal(topic(name), "critical", name);
  }
  for (const name of ["Rejected-retail", "Errors-validate", "Throttles-validate", "RunsThrottled"]) {
    assert.equal(topic(name), "warning", name);
  }
});

test("metrics of functions are those of all versions: runs go on with the one that they began with", () => {
  for (const one of [named("Errors-validate"), named("Throttles-run-etl"), named("ClusterTooOld")]) {
    const dimensions = (one.Dimensions ?? (one.Metrics as { MetricStat: { Metric: { Dimensions: unknown } } }[])[0]?.MetricStat.Metric.Dimensions) as { Name: string }[];
    assert.deepEqual(dimensions.map(({ Name }) => Name), ["FunctionName"], String(one.AlarmName));
  }
});

test("alarms about runs count executions of runs, not those of parts, which have the ARN of the machine with a label", () => {
  for (const one of [named("RunsFailed"), named("RunsTimedOut"), named("RunsThrottled")]) {
    const dimensions = one.Dimensions ?? (one.Metrics as { MetricStat: { Metric: { Dimensions: unknown } } }[])[0]?.MetricStat.Metric.Dimensions;
    assert.deepEqual(dimensions, [{ Name: "StateMachineArn", Value: watched.stateMachineArn }], String(one.AlarmName));
  }
});

test("a product without new data is stale, and missing data counts as stale", () => {
  const stale = named("Stale-retail");
  assert.equal(stale.TreatMissingData, "breaching");
  assert.equal(stale.EvaluationPeriods, 36);
  // It is raised after the first deployment, too, and must say so.
  assert.match(String(stale.AlarmDescription), /or nothing has been published yet/);
  assert.match(JSON.stringify(stale.Metrics), /"MetricName":"RunsPublished".*"Period":3600/);
});

test("metrics are those that notify writes", () => {
  const code = readFileSync(repository.path("functions/notify/src/metrics.rs"), "utf8");
  const written = /METRICS: \[&str; \d+\] =\s*\[([^\]]+)\]/.exec(code)?.[1] ?? "";
  assert.deepEqual([...written.matchAll(/"(\w+)"/g)].map(([, name]) => name), [...RUN_METRICS]);
  assert.ok(code.includes(`NAMESPACE: &str = "${NAMESPACE}"`));
  assert.ok(code.includes(`ALERTS_NOT_SENT: &str = "${NOT_SENT.alerts}"`) && code.includes(`LINEAGE_NOT_SENT: &str = "${NOT_SENT.lineage}"`));
});

test("the budget notifies at 80 % and by its forecast", () => {
  const { NotificationsWithSubscribers } = theOne(template, "AWS::Budgets::Budget");
  assert.deepEqual((NotificationsWithSubscribers as { Notification: Record<string, unknown> }[]).map(({ Notification }) =>
    [Notification.NotificationType, Notification.Threshold]), [["ACTUAL", 80], ["FORECASTED", 100]]);
});

test("the budget counts the environment's tags, or the account where nobody can activate tags", () => {
  const budgetOf = (budgetCounts: "environment" | "account"): string => {
    const one = newStack(settings);
    new Budget(one, "Budget", { settings: { ...settings, operations: { ...settings.operations, budgetCounts } }, monthlyUsd: 500, ...statefulStandIns(one, settings) });
    return JSON.stringify((theOne(Template.fromStack(one), "AWS::Budgets::Budget").Budget as { FilterExpression: unknown }).FilterExpression);
  };
  assert.match(budgetOf("environment"), /"Or":.*"sluice:environment".*"sluice:lake"/);
  assert.equal(budgetOf("account"), JSON.stringify({ Dimensions: { Key: "LINKED_ACCOUNT", MatchOptions: ["EQUALS"], Values: ["123456789012"] } }));
});

test("there is no budget where the settings say none", () => {
  stateless("prod").template.resourceCountIs("AWS::Budgets::Budget", 1);
  const without = statelessStack({ ...settings, operations: { ...settings.operations, monthlyBudgetUsd: "none" } });
  Template.fromStack(without).resourceCountIs("AWS::Budgets::Budget", 0);
});

test("the dashboard shows alarms first, and each pipeline", () => {
  const { DashboardBody } = theOne(template, "AWS::CloudWatch::Dashboard");
  assert.match(JSON.stringify(DashboardBody), /Alarms.*Runs of retail/);
});
