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

test("executions that end without reaching their own end are passed to terminate", () => {
  const rule = theOne(template, "AWS::Events::Rule", ({ Name }) => Name === "sluice-prod-ended-runs");
  assert.deepEqual(rule.EventPattern, {
    source: ["aws.states"],
    "detail-type": ["Step Functions Execution Status Change"],
    detail: { stateMachineArn: [MACHINE], status: ["FAILED", "TIMED_OUT", "ABORTED"] },
  });
  const [target] = rule.Targets as { Arn: { Ref: string }; DeadLetterConfig?: unknown; InputPath?: unknown; Input?: unknown }[];
  assert.match(target?.Arn.Ref ?? "", /terminateLive/);
  assert.ok(target?.DeadLetterConfig);
  // The event as it is: terminate takes the execution's name and input from it.
  assert.deepEqual([target.Input, target.InputPath], [undefined, undefined]);
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
