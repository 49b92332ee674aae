import assert from "node:assert/strict";
import { test } from "node:test";

import { readJson, repository } from "../../lib/repository.ts";
import { resourcesOf, theOne } from "../support/app.ts";
import { stateless } from "../support/stateless.ts";

const { template } = stateless("prod");
const MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:sluice-prod-pipeline";

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
    detail: { stateMachineArn: [MACHINE], status: ["FAILED", "TIMED_OUT", "ABORTED"] },
  });
  const targets = rule.Targets as { Arn: { Ref: string }; DeadLetterConfig?: unknown; InputPath?: unknown; Input?: unknown }[];
  assert.deepEqual(targets.map(({ Arn }) => /terminateLive|notifyLive/.exec(Arn.Ref)?.[0]), ["terminateLive", "notifyLive"]);
  for (const target of targets) {
    assert.ok(target.DeadLetterConfig);
    // The event as it is: the functions take the execution's name and input from it.
    assert.deepEqual([target.Input, target.InputPath], [undefined, undefined]);
  }
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
