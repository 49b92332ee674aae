import assert from "node:assert/strict";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";
import * as sqs from "aws-cdk-lib/aws-sqs";

import { readPipelineFolder } from "../../lib/deploy/pipeline-folder.ts";
import { Schedules } from "../../lib/workflow/schedules.ts";
import { newStack, resourcesOf, settingsOf, theOne } from "../support/app.ts";

const MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:sluice-dev-pipeline";

function schedulesOf(schedule: { expression: string; timeZone: string; flexibleMinutes: number } | undefined,
  prefix = "sluice-dev", more: { readonly name?: string } = {}): Template {
  const settings = settingsOf("dev");
  const stack = newStack(settings);
  new Schedules(stack, "Schedules", {
    prefix, stateMachineArn: MACHINE, startArn: `${MACHINE}:live`, account: settings.account, undelivered: new sqs.Queue(stack, "Dead"),
    pipelines: [{ ...readPipelineFolder({ folder: "pipelines/retail", onDelivery: true, schedule }), ...more }],
  });
  return Template.fromStack(stack);
}

const daily = { expression: "cron(0 6 * * ? *)", timeZone: "Europe/Berlin", flexibleMinutes: 15 };

test("a schedule has its time zone, window, retries and a queue", () => {
  const schedule = theOne(schedulesOf(daily), "AWS::Scheduler::Schedule");
  assert.equal(schedule.ScheduleExpression, "cron(0 6 * * ? *)");
  assert.equal(schedule.ScheduleExpressionTimezone, "Europe/Berlin");
  assert.deepEqual(schedule.FlexibleTimeWindow, { Mode: "FLEXIBLE", MaximumWindowInMinutes: 15 });
  const target = schedule.Target as { DeadLetterConfig?: unknown; RetryPolicy: unknown };
  assert.ok(target.DeadLetterConfig);
  assert.deepEqual(target.RetryPolicy, { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 3600 });
});

test("runs are started by the alias and get no name of ours, which Step Functions would refuse when it is used again", () => {
  const { Arn, Input } = theOne(schedulesOf(daily), "AWS::Scheduler::Schedule").Target as { Arn: string; Input: string };
  assert.equal(Arn, "arn:aws:scheduler:::aws-sdk:sfn:startExecution");
  assert.deepEqual(JSON.parse(Input), { StateMachineArn: `${MACHINE}:live`, Input: '{"pipeline":"retail"}' });
});

test("names of schedules are as long as EventBridge allows, and differ", () => {
  const prefix = "sluice-environment-name";
  const nameOf = (pipeline: string): unknown => theOne(schedulesOf(daily, prefix, { name: pipeline }), "AWS::Scheduler::Schedule").Name;
  const names = ["a", "b"].map((end) => nameOf("p".repeat(47) + end));
  assert.equal(new Set(names).size, 2);
  for (const name of names) {
    assert.ok(typeof name === "string" && name.length <= 64 && name.startsWith(`${prefix}-pppp`), String(name));
  }
  assert.equal(nameOf("retail_orders"), `${prefix}-retail-orders`);
});

test("without a window a run starts on the minute", () => {
  const schedule = theOne(schedulesOf({ ...daily, flexibleMinutes: 0 }), "AWS::Scheduler::Schedule");
  assert.deepEqual(schedule.FlexibleTimeWindow, { Mode: "OFF" });
});

test("the role may start this machine, send to the queue, and is limited to this group", () => {
  const role = theOne(schedulesOf(daily), "AWS::IAM::Role") as {
    AssumeRolePolicyDocument: { Statement: { Condition: { StringEquals: Record<string, unknown> } }[] };
    Policies: { PolicyDocument: { Statement: { Action: unknown; Resource: unknown }[] } }[];
  };
  assert.deepEqual(Object.keys(role.AssumeRolePolicyDocument.Statement[0]?.Condition.StringEquals ?? {}), ["aws:SourceAccount", "aws:SourceArn"]);
  const statements = role.Policies[0]?.PolicyDocument.Statement ?? [];
  assert.deepEqual(statements.map(({ Action }) => Action), ["states:StartExecution", "sqs:SendMessage"]);
  assert.deepEqual(statements[0]?.Resource, [MACHINE, `${MACHINE}:live`]);
});

test("a pipeline without a schedule has none", () => {
  assert.deepEqual(resourcesOf(schedulesOf(undefined), "AWS::Scheduler::Schedule"), {});
});
