import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import type { Stack } from "aws-cdk-lib";
import { Annotations, Match, Template } from "aws-cdk-lib/assertions";

import type { DeployedPipeline } from "../../lib/deploy/pipeline-folder.ts";
import { Undelivered } from "../../lib/functions/undelivered.ts";
import { repository } from "../../lib/repository.ts";
import { DETAIL_TYPE, Downstream, SOURCE } from "../../lib/workflow/downstream.ts";
import { newStack, resourcesOf, settingsOf, theOne } from "../support/app.ts";
import { findings } from "../support/nag.ts";

const ACCOUNT = "123456789012";
const MACHINE = `arn:aws:states:eu-central-1:${ACCOUNT}:stateMachine:sluice-dev-pipeline`;
const RULES = `arn:aws:events:eu-central-1:${ACCOUNT}:rule/sluice-dev-inputs-of-*`;

function pipeline(name: string, tables: readonly string[], inputs: readonly string[]): DeployedPipeline {
  return { name, folder: `/pipelines/${name}`, landingFolders: [`landing/${name}/`], partsAtOnce: 32, tables, inputs, settings: { folder: name, onDelivery: true } };
}

function downstreamOf(pipelines: readonly DeployedPipeline[], more: { readonly lake?: string; readonly prefix?: string } = {}): Stack {
  const stack = newStack(settingsOf("dev"));
  const undelivered = new Undelivered(stack, "Dead", { queueName: "sluice-dev-undelivered" }).queue;
  new Downstream(stack, "Downstream", {
    prefix: "sluice-dev", lake: "s3://lake/dev/", pipelines, stateMachineArn: MACHINE, startArn: `${MACHINE}:live`, account: ACCOUNT, undelivered, ...more,
  });
  return stack;
}

/** The values of a field that a rule wants, or patterns of the fields below it. */
type Wanted = (string | { prefix: string })[];
interface Pattern {
  [field: string]: Pattern | Wanted;
}

/** Whether a rule passes on an event: EventBridge compares with every element of a list. */
function passesOn(pattern: Pattern | Wanted, value: unknown): boolean {
  if (Array.isArray(value)) {
    return value.some((one) => passesOn(pattern, one));
  }
  if (Array.isArray(pattern)) {
    return typeof value === "string" && pattern.some((one) => (typeof one === "string" ? value === one : value.startsWith(one.prefix)));
  }
  return typeof value === "object" && value !== null
    && Object.entries(pattern).every(([field, wanted]) => passesOn(wanted, (value as Record<string, unknown>)[field]));
}

interface RuleResource {
  readonly Name: string;
  readonly EventPattern: Pattern;
  readonly Targets: readonly Record<string, unknown>[];
}

function rulesOf(stack: Stack): RuleResource[] {
  return Object.values(resourcesOf(Template.fromStack(stack), "AWS::Events::Rule")).map(({ Properties }) => Properties as unknown as RuleResource);
}

const weather = pipeline("weather", ["silver/weather/hourly", "gold/weather/days"], []);
const flights = pipeline("flights_daily", ["silver/air/flights", "gold/air/delays"], ["silver/weather/hourly", "gold/weather/days"]);
const two = downstreamOf([weather, flights]);
const [rule] = rulesOf(two);
const text = (path: string): string => readFileSync(repository.path(path), "utf8");

test("a pipeline with inputs has a rule, and one without has none", () => {
  assert.deepEqual(rulesOf(two).map(({ Name }) => Name), ["sluice-dev-inputs-of-flights-daily"]);
  const none = Template.fromStack(downstreamOf([weather]));
  none.resourceCountIs("AWS::Events::Rule", 0);
  none.resourceCountIs("AWS::IAM::Role", 0);
});

test("a run that committed an input starts the reader, however the run ended, and nothing else does", () => {
  const event = (detail: Record<string, unknown>, more: Record<string, unknown> = {}): Record<string, unknown> => ({
    account: ACCOUNT, source: "sluice", "detail-type": "Sluice Run Published", ...more,
    detail: { pipeline: "weather", report_uri: "s3://lake/dev/runs/weather/r1/report.json", committed: [], ...detail },
  });
  const committed = (...tables: string[]): Record<string, unknown> => ({ committed: tables.map((table) => ({ table, version: 3, rows: 1 })) });
  const check = (one: Record<string, unknown>, expected: boolean): void => {
    assert.equal(passesOn(rule?.EventPattern ?? {}, one), expected, JSON.stringify(one));
  };
  const input = committed("bronze/weather/readings", "silver/weather/hourly");
  check(event(input), true);
  check(event(committed("gold/weather/days")), true);
  // An attempt before the last one committed it.
  for (const end of ["Rejected", "Failed", "Skipped"]) {
    check(event(input, { "detail-type": `Sluice Run ${end}` }), true);
  }
  check(event({}), false);
  check(event(committed("bronze/weather/readings", "silver/weather/hourly_raw", "silver/air/flights")), false);
  check(event(input, { account: "210987654321" }), false);
  check(event(input, { source: "shop" }), false);
  check(event(input, { "detail-type": "Object Created" }), false);
  // Another environment on the same bus.
  check(event({ ...input, report_uri: "s3://lake/prod/runs/weather/r1/report.json" }), false);
});

test("source, kinds and fields are those of the events of notify", () => {
  assert.ok(text("shared/aws/src/eventbridge.rs").includes(`pub const SOURCE: &str = "${SOURCE}";`));
  const announce = text("functions/notify/src/announce.rs");
  const kinds = [...announce.matchAll(/Outcome::\w+ => "(Sluice [^"]+)"/g)].map(([, kind]) => String(kind));
  assert.equal(kinds.length, 4);
  assert.deepEqual(kinds.filter((kind) => !kind.startsWith(DETAIL_TYPE)), []);
  const detail = /pub struct EventDetail<'a> \{[^}]*\}/.exec(announce)?.[0] ?? "";
  assert.match(detail, /pub committed: &'a \[CommittedTable\]/);
  assert.match(detail, /pub report_uri: /);
  assert.match(text("shared/core/src/run.rs"), /pub struct CommittedTable \{[^}]*pub table: TableRef/);
  assert.match(text("shared/core/src/document.rs"), /Report::path\([^\n]*"runs\//);
});

test("the target starts the reader by the alias, with a request that has nothing of the event, and keeps what it could not start", () => {
  const [target, ...others] = rule?.Targets ?? [];
  assert.deepEqual(others, []);
  assert.equal(target?.Arn, `${MACHINE}:live`);
  assert.equal(target.Input, '{"pipeline":"flights_daily"}');
  assert.deepEqual([target.InputPath, target.InputTransformer], [undefined, undefined]);
  assert.ok(target.RoleArn);
  assert.ok((target.DeadLetterConfig as { Arn?: unknown }).Arn);
  assert.deepEqual(target.RetryPolicy, { MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185 });
});

interface Statement {
  readonly Sid?: string;
  readonly Action: unknown;
  readonly Resource?: unknown;
  readonly Condition?: unknown;
}

test("the role may start this machine and nothing else, and is limited to these rules", () => {
  const role = theOne(Template.fromStack(two), "AWS::IAM::Role") as {
    AssumeRolePolicyDocument: { Statement: Statement[] };
    Policies: { PolicyDocument: { Statement: Statement[] } }[];
  };
  const [trust, ...others] = role.AssumeRolePolicyDocument.Statement;
  assert.deepEqual(others, []);
  assert.deepEqual(trust?.Condition, { StringEquals: { "aws:SourceAccount": ACCOUNT }, ArnLike: { "aws:SourceArn": RULES } });
  const statements = role.Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
  assert.deepEqual(statements.map(({ Action, Resource }) => [Action, Resource]), [["states:StartExecution", [MACHINE, `${MACHINE}:live`]]]);
  assert.equal(role.Policies.length, 1);
});

test("the queue of undelivered starts has one statement for all rules, because its policy has 20 at most", () => {
  const readers = ["a", "b", "c"].map((name) => pipeline(name, [], ["silver/weather/hourly"]));
  const template = Template.fromStack(downstreamOf([weather, ...readers]));
  assert.equal(Object.keys(resourcesOf(template, "AWS::Events::Rule")).length, 3);
  const { PolicyDocument } = theOne(template, "AWS::SQS::QueuePolicy") as { PolicyDocument: { Statement: Statement[] } };
  const [statement, ...others] = PolicyDocument.Statement.filter(({ Sid }) => Sid === "KeepRunsOfInputs");
  assert.deepEqual(others, []);
  assert.equal(statement?.Action, "sqs:SendMessage");
  assert.deepEqual(statement.Condition, { ArnLike: { "aws:SourceArn": RULES } });
});

test("more inputs than one pattern has room for are divided between rules", () => {
  const inputs = Array.from({ length: 40 }, (_, number) => `silver/${"d".repeat(48)}/${"t".repeat(62)}${String(number).padStart(2, "0")}`);
  const rules = rulesOf(downstreamOf([pipeline("wide", [], inputs)]));
  const tables = rules.map(({ EventPattern }) => ((EventPattern.detail as Pattern).committed as Pattern).table as string[]);
  assert.deepEqual(tables.flat().sort(), inputs);
  assert.deepEqual(rules.map(({ Name }) => Name).sort(), ["sluice-dev-inputs-of-wide", "sluice-dev-inputs-of-wide.2", "sluice-dev-inputs-of-wide.3"]);
  for (const { EventPattern, Targets } of rules) {
    assert.ok(JSON.stringify(EventPattern).length <= 2048);
    assert.deepEqual(Targets.map(({ Input }) => Input), ['{"pipeline":"wide"}']);
  }
});

test("a pattern that has no room for one input is refused with the fix", () => {
  assert.throws(() => downstreamOf([flights], { lake: `s3://lake/${"folder/".repeat(300)}` }),
    /inputs of flights_daily: the pattern of the rule for silver\/weather\/hourly is longer than 2000 characters, .* shorten lake\.prefix/);
});

test("names of rules are as long as EventBridge allows, and differ", () => {
  const prefix = "sluice-environment-name";
  const long = ["a", "b"].map((end) => pipeline("p".repeat(47) + end, [], ["silver/weather/hourly"]));
  const names = rulesOf(downstreamOf([weather, ...long], { prefix })).map(({ Name }) => Name);
  assert.equal(new Set(names).size, 2);
  for (const name of names) {
    assert.ok(name.length <= 64 && name.startsWith(`${prefix}-inputs-of-pppp`), name);
  }
});

test("pipelines that would start each other for ever are refused, with the tables of the circle", () => {
  const check = (pipelines: readonly DeployedPipeline[], expected: RegExp): void => {
    assert.throws(() => downstreamOf(pipelines), expected);
  };
  check([pipeline("a", ["gold/x/a"], ["gold/x/b"]), pipeline("b", ["gold/x/b"], ["gold/x/a"])],
    /inputs form a circle: a reads gold\/x\/b of b, b reads gold\/x\/a of a\. .*take one of these tables out of the inputs/);
  // The way into the circle is no part of it.
  check([pipeline("entry", [], ["gold/x/a"]), pipeline("a", ["gold/x/a"], ["gold/x/b"]), pipeline("b", ["gold/x/b"], ["silver/x/c", "gold/x/c"]),
    pipeline("c", ["gold/x/c", "silver/x/c"], ["gold/x/a"])],
    /circle: a reads gold\/x\/b of b, b reads gold\/x\/c of c, c reads gold\/x\/a of a\. /);
  check([pipeline("own", ["gold/x/own"], ["gold/x/own"])], /circle: own reads gold\/x\/own of own\. /);
});

test("pipelines that end are accepted: a diamond, and two that read each other's silver, which no input changes", () => {
  const diamond = [
    pipeline("top", ["gold/x/top"], []), pipeline("left", ["gold/x/left"], ["gold/x/top"]), pipeline("right", ["gold/x/right"], ["gold/x/top"]),
    pipeline("bottom", ["gold/x/bottom"], ["gold/x/left", "gold/x/right"]),
  ];
  assert.equal(rulesOf(downstreamOf(diamond)).length, 3);
  const silver = [pipeline("a", ["silver/x/a", "gold/x/a"], ["silver/x/b"]), pipeline("b", ["silver/x/b", "gold/x/b"], ["silver/x/a", "gold/x/a"])];
  assert.equal(rulesOf(downstreamOf(silver)).length, 2);
});

test("an input that no pipeline of the environment publishes is a warning, because another deployment may publish it", () => {
  const stack = downstreamOf([flights, pipeline("other", ["silver/weather/hourly"], [])]);
  const warnings = Annotations.fromStack(stack).findWarning("*", Match.stringLikeRegexp("inputs of flights_daily"));
  assert.equal(warnings.length, 1);
  assert.match(JSON.stringify(warnings[0]?.entry.data), /no pipeline of this environment publishes gold\/weather\/days\. .*correct the name/);
  assert.deepEqual(Annotations.fromStack(two).findWarning("*", Match.stringLikeRegexp("inputs of")), []);
});

test("cdk-nag finds nothing", () => {
  assert.deepEqual(findings(two), []);
});
