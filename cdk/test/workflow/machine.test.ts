import assert from "node:assert/strict";
import { test } from "node:test";

import { readJson, repository } from "../../lib/repository.ts";
import { resourcesOf, theOne } from "../support/app.ts";
import { stateless } from "../support/stateless.ts";

const { template } = stateless("prod");
const MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:sluice-prod-pipeline";
/** ARNs of its executions, and of those of parts, without what follows. */
const EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:sluice-prod-pipeline";

/** Fields of an event's detail with the values, or beginnings of values, that a rule wants. */
type Pattern = Readonly<Record<string, readonly (string | { readonly prefix: string })[]>>;

/** Whether a rule with this pattern passes on an event with this detail. */
function passesOn(pattern: Pattern, detail: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(pattern).every(([field, wanted]) =>
    wanted.some((one) => (typeof one === "string" ? detail[field] === one : String(detail[field]).startsWith(one.prefix))));
}

test("the state machine is logged in full and traced, and has a timeout", () => {
  const machine = theOne(template, "AWS::StepFunctions::StateMachine");
  assert.equal(machine.StateMachineName, "sluice-prod-pipeline");
  assert.equal(machine.StateMachineType, "STANDARD");
  assert.deepEqual(machine.TracingConfiguration, { Enabled: true });
  const { Level, IncludeExecutionData } = machine.LoggingConfiguration as { Level: string; IncludeExecutionData: boolean };
  assert.deepEqual([Level, IncludeExecutionData], ["ALL", true]);
  assert.equal((JSON.parse(String(machine.DefinitionString)) as { TimeoutSeconds: number }).TimeoutSeconds, 86400);
});

test("executions that failed, timed out or were stopped are passed to terminate and notify", () => {
  const rule = theOne(template, "AWS::Events::Rule", ({ Name }) => Name === "sluice-prod-ended-runs");
  assert.deepEqual(rule.EventPattern, {
    source: ["aws.states"],
    "detail-type": ["Step Functions Execution Status Change"],
    detail: { stateMachineArn: [MACHINE], executionArn: [{ prefix: `${EXECUTION}:` }], status: ["FAILED", "TIMED_OUT", "ABORTED"] },
  });
  const targets = rule.Targets as { Arn: { Ref: string }; DeadLetterConfig?: unknown; InputPath?: unknown; Input?: unknown }[];
  assert.deepEqual(targets.map(({ Arn }) => /terminateLive|notifyLive/.exec(Arn.Ref)?.[0]), ["terminateLive", "notifyLive"]);
  for (const target of targets) {
    assert.ok(target.DeadLetterConfig);
    // The event as it is: the functions take the execution's name and input from it.
    assert.deepEqual([target.Input, target.InputPath], [undefined, undefined]);
  }
});

test("the end of an execution of a part is passed to nobody", () => {
  const rule = theOne(template, "AWS::Events::Rule", ({ Name }) => Name === "sluice-prod-ended-runs");
  const { detail } = rule.EventPattern as { detail: Pattern };
  const { detail: stopped } = readJson(repository.path("events/notify-stopped.json")) as { detail: Record<string, unknown> };
  const run = { ...stopped, stateMachineArn: MACHINE, executionArn: `${EXECUTION}:20260105T060000Z-4f9c2a` };
  assert.ok(passesOn(detail, run));
  const part = { stateMachineArn: `${MACHINE}/Read`, executionArn: `${EXECUTION}/Read:1b4e28ba-2fa1-3d2b-883f-0016d3cca427` };
  assert.ok(!passesOn(detail, { ...run, ...part }));
  // Each of the two is enough.
  assert.ok(!passesOn(detail, { ...run, stateMachineArn: part.stateMachineArn }));
  assert.ok(!passesOn(detail, { ...run, executionArn: part.executionArn }));
});

test("the machine may start, follow, stop and redrive its own executions of parts, and no others", () => {
  const machine = theOne(template, "AWS::StepFunctions::StateMachine");
  const role = resourcesOf(template, "AWS::IAM::Role")[(machine.RoleArn as { "Fn::GetAtt": [string] })["Fn::GetAtt"][0]];
  const policies = role?.Properties.Policies as
    { PolicyDocument: { Statement: { Sid: string; Action: string | string[]; Resource: string | string[] }[] } }[];
  const ofExecutions = policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
    .map(({ Sid, Action, Resource }) => ({ Sid, actions: [Action].flat().sort(), resources: [Resource].flat().sort() }))
    .filter(({ actions }) => actions.some((action) => action.startsWith("states:")));
  assert.deepEqual(ofExecutions, [
    { Sid: "StartParts", actions: ["states:StartExecution"], resources: [MACHINE] },
    { Sid: "FollowAndStopParts", actions: ["states:DescribeExecution", "states:StopExecution"], resources: [`${EXECUTION}/*`, `${EXECUTION}:*`] },
    { Sid: "RedriveParts", actions: ["states:RedriveExecution"], resources: [`${EXECUTION}/*`] },
  ]);
});

test("each deployment publishes a version of the machine, which stays, and the alias points to it", () => {
  const [version] = Object.entries(resourcesOf(template, "AWS::StepFunctions::StateMachineVersion"));
  const [machine] = Object.keys(resourcesOf(template, "AWS::StepFunctions::StateMachine"));
  assert.deepEqual(version?.[1].Properties, {
    StateMachineArn: { Ref: machine }, StateMachineRevisionId: { "Fn::GetAtt": [machine, "StateMachineRevisionId"] },
  });
  template.hasResource("AWS::StepFunctions::StateMachineVersion", { DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain" });
  assert.deepEqual(theOne(template, "AWS::StepFunctions::StateMachineAlias"), {
    Name: "live",
    Description: "The version by which runs are started",
    RoutingConfiguration: [{ StateMachineVersionArn: { "Fn::GetAtt": [version[0], "Arn"] }, Weight: 100 }],
  });
});

test("every start of a run names the alias", () => {
  const starts = [
    theOne(template, "AWS::Pipes::Pipe").Target,
    ...Object.values(resourcesOf(template, "AWS::Scheduler::Schedule"))
      .map(({ Properties }) => (Properties.Target as { Input: string }).Input)
      .filter((input) => input.includes("StateMachineArn"))
      .map((input) => (JSON.parse(input) as { StateMachineArn: string }).StateMachineArn),
    (theOne(template, "AWS::Lambda::Function", ({ FunctionName }) => FunctionName === "sluice-prod-submit").Environment as
      { Variables: Record<string, unknown> }).Variables.SLUICE_STATE_MACHINE_ARN,
  ];
  assert.deepEqual(starts, [`${MACHINE}:live`, `${MACHINE}:live`, `${MACHINE}:live`]);
});

test("the pipe and the schedules are created after the alias that they name", () => {
  const [alias] = Object.keys(resourcesOf(template, "AWS::StepFunctions::StateMachineAlias"));
  for (const type of ["AWS::Pipes::Pipe", "AWS::Scheduler::Schedule"]) {
    const starting = Object.entries(template.findResources(type)).filter(([id]) => !id.startsWith("ClusterSweep"));
    assert.equal(starting.length, 1, type);
    assert.ok((starting[0]?.[1] as { DependsOn?: string[] }).DependsOn?.includes(String(alias)), type);
  }
});

test("the sweep sends the event of terminate's example", () => {
  const schedule = theOne(template, "AWS::Scheduler::Schedule", ({ Name }) => Name === "sluice-prod-sweep");
  const target = schedule.Target as { Input: string; DeadLetterConfig?: unknown };
  assert.deepEqual(JSON.parse(target.Input), readJson(repository.path("events/terminate-sweep.json")));
  assert.ok(target.DeadLetterConfig);
});

test("rules and schedules have retries and a queue for what they cannot deliver", () => {
  for (const [id, { Properties }] of Object.entries(resourcesOf(template, "AWS::Events::Rule"))) {
    for (const target of Properties.Targets as { DeadLetterConfig?: unknown; RetryPolicy?: unknown }[]) {
      assert.ok(target.DeadLetterConfig && target.RetryPolicy, id);
    }
  }
  for (const [id, { Properties }] of Object.entries(resourcesOf(template, "AWS::Scheduler::Schedule"))) {
    const target = Properties.Target as { DeadLetterConfig?: unknown; RetryPolicy?: unknown };
    assert.ok(target.DeadLetterConfig && target.RetryPolicy, id);
  }
});
