import assert from "node:assert/strict";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";
import * as sqs from "aws-cdk-lib/aws-sqs";

import { readPipelineFolder } from "../../lib/deploy/pipeline-folder.ts";
import { Deliveries } from "../../lib/workflow/deliveries.ts";
import { newStack, resourcesOf, settingsOf, theOne } from "../support/app.ts";

const MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:sluice-dev-pipeline";

/** That of the longest name of an environment. */
const LONG_PREFIX = "sluice-environment-name";

interface More {
  readonly name?: string;
  readonly landingFolders?: readonly string[];
}

function deliveriesOf(onDelivery: boolean, lakePrefix = "", more: More = {}, prefix = "sluice-dev"): Template {
  const settings = settingsOf("dev");
  const stack = newStack(settings);
  const undelivered = new sqs.Queue(stack, "Dead");
  new Deliveries(stack, "Deliveries", {
    prefix, bucket: "lake", lakePrefix, stateMachineArn: MACHINE, startArn: `${MACHINE}:live`, account: settings.account, undelivered,
    pipelines: [{ ...readPipelineFolder({ folder: "pipelines/retail", onDelivery }), ...more }],
  });
  return Template.fromStack(stack);
}

interface Fifo extends Record<string, unknown> {
  readonly DelaySeconds: number;
}

const template = deliveriesOf(true, "prod/");
const queueOf = (one: Template): Fifo => theOne(one, "AWS::SQS::Queue", ({ QueueName }) => QueueName === "sluice-dev-deliveries.fifo") as Fifo;

test("files in the pipeline's landing folder count, and nothing else", () => {
  const { EventPattern } = theOne(template, "AWS::Events::Rule");
  assert.deepEqual(EventPattern, {
    source: ["aws.s3"],
    "detail-type": ["Object Created"],
    detail: { bucket: { name: ["lake"] }, object: { key: [{ prefix: "prod/landing/retail/" }], size: [{ numeric: [">", 0] }] } },
  });
});

test("files of many sources are found by a pattern that EventBridge takes", () => {
  const keysOf = (landingFolders: readonly string[]): unknown => {
    const { EventPattern } = theOne(deliveriesOf(true, "prod/", { landingFolders }), "AWS::Events::Rule");
    assert.ok(JSON.stringify(EventPattern).length <= 2048);
    return (EventPattern as { detail: { object: { key: unknown } } }).detail.object.key;
  };
  assert.deepEqual(keysOf(["landing/retail/a/", "landing/retail/b/"]), [{ prefix: "prod/landing/retail/a/" }, { prefix: "prod/landing/retail/b/" }]);
  const long = Array.from({ length: 20 }, (_, at) => `landing/retail/${"x".repeat(100)}${at.toString()}/`);
  assert.deepEqual(keysOf(long), [{ prefix: "prod/landing/retail/" }]);
});

test("names of rules are as long as EventBridge allows, and differ", () => {
  const names = ["a", "b"].map((end) => theOne(deliveriesOf(true, "", { name: `${"p_".repeat(23)}p${end}` }, LONG_PREFIX), "AWS::Events::Rule").Name);
  assert.equal(new Set(names).size, 2);
  for (const name of names) {
    assert.ok(typeof name === "string" && name.length <= 64 && name.startsWith(`${LONG_PREFIX}-delivered-p-p-p`), String(name));
  }
  assert.equal(theOne(template, "AWS::Events::Rule").Name, "sluice-dev-delivered-retail");
});

test("every delivery of a pipeline is the same message, so that the queue drops repetitions", () => {
  const { Targets } = theOne(template, "AWS::Events::Rule");
  const [target] = Targets as { Input: string; SqsParameters: unknown; DeadLetterConfig?: unknown; RetryPolicy: unknown }[];
  assert.equal(target?.Input, '{"pipeline":"retail"}');
  assert.deepEqual(target.SqsParameters, { MessageGroupId: "retail" });
  assert.ok(target.DeadLetterConfig);
  assert.deepEqual(target.RetryPolicy, { MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185 });
  assert.equal(queueOf(template).ContentBasedDeduplication, true);
});

test("the message is delivered after the five minutes in which duplicates are dropped", () => {
  assert.ok(queueOf(template).DelaySeconds > 5 * 60);
});

test("starts that fail are kept in a queue", () => {
  assert.equal((queueOf(template).RedrivePolicy as { maxReceiveCount: number }).maxReceiveCount, 30);
  const dead = theOne(template, "AWS::SQS::Queue", ({ QueueName }) => QueueName === "sluice-dev-deliveries-undelivered.fifo");
  assert.equal(dead.MessageRetentionPeriod, 14 * 24 * 3600);
});

test("the pipe starts one execution per message, by the alias, with an object for each message", () => {
  const pipe = theOne(template, "AWS::Pipes::Pipe");
  assert.equal(pipe.Target, `${MACHINE}:live`);
  assert.deepEqual(pipe.SourceParameters, { SqsQueueParameters: { BatchSize: 1 } });
  const { InputTemplate, ...others } = pipe.TargetParameters as { InputTemplate: string };
  assert.deepEqual(others, { StepFunctionStateMachineParameters: { InvocationType: "FIRE_AND_FORGET" } });
  // What Pipes does: it reads bodies that are JSON, replaces each path by its value as JSON, and sends an array of what comes of the messages.
  const body = { pipeline: "retail" };
  const filled = InputTemplate.replaceAll(/<\$\.body\.(\w+)>/g, (_, key: keyof typeof body) => JSON.stringify(body[key]));
  assert.deepEqual(JSON.parse(`[${filled}]`), [body]);
});

test("queues are encrypted and accept only TLS", () => {
  assert.equal(queueOf(template).SqsManagedSseEnabled, true);
  const policies = Object.entries(resourcesOf(template, "AWS::SQS::QueuePolicy")).filter(([id]) => id.startsWith("Deliveries")).map(([, { Properties }]) => JSON.stringify(Properties));
  assert.equal(policies.length, 2);
  assert.ok(policies.every((policy) => policy.includes('"aws:SecureTransport":"false"')));
});

test("a pipeline that is not started by deliveries has no rule", () => {
  deliveriesOf(false).resourceCountIs("AWS::Events::Rule", 0);
  deliveriesOf(false).resourceCountIs("AWS::Pipes::Pipe", 0);
});
