import assert from "node:assert/strict";
import { test } from "node:test";

import { CfnWaitConditionHandle } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";

import { readPipelineFolder } from "../../lib/deploy/pipeline-folder.ts";
import { Producers } from "../../lib/deploy/producers.ts";
import { newStack, resourcesOf, settingsOf, statefulStandIns, theOne } from "../support/app.ts";
import { findings, needless } from "../support/nag.ts";

const settings = settingsOf("dev");

function producersOf(producers: string[]): Template {
  const stack = newStack(settings);
  const { key } = statefulStandIns(stack, settings);
  new Producers(stack, "Producers", {
    settings, prefix: "sluice-dev", key, pipelines: [readPipelineFolder({ folder: "pipelines/retail", onDelivery: true, producers })],
  });
  assert.deepEqual(findings(stack), []);
  assert.deepEqual(needless(stack), []);
  return Template.fromStack(stack);
}

interface Statement {
  readonly Principal?: unknown;
  readonly Action: unknown;
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const role = theOne(producersOf(["210987654321", "arn:aws:iam::210987654321:role/export", "transfer.amazonaws.com"]), "AWS::IAM::Role") as {
  RoleName: string;
  AssumeRolePolicyDocument: { Statement: Statement[] };
  Policies: { PolicyDocument: { Statement: Statement[] } }[];
};

test("a producer may put files into the landing folder of its pipeline, and nothing else", () => {
  assert.equal(role.RoleName, "sluice-dev-deliver-retail");
  const [files, key, ...others] = role.Policies[0]?.PolicyDocument.Statement ?? [];
  assert.deepEqual(others, []);
  assert.deepEqual([files?.Action, files?.Resource], [["s3:AbortMultipartUpload", "s3:PutObject"], "arn:aws:s3:::example-sluice-dev-lake/landing/retail/*"]);
  assert.deepEqual(key?.Condition, { StringEquals: { "kms:ViaService": "s3.eu-central-1.amazonaws.com" } });
});

test("whoever the settings name assumes the role: accounts, roles, and Transfer Family for this account", () => {
  assert.deepEqual(role.AssumeRolePolicyDocument.Statement.map(({ Principal, Condition }) => [Principal, Condition]), [
    [{ AWS: ["arn:aws:iam::210987654321:role/export", "arn:aws:iam::210987654321:root"] }, undefined],
    [{ Service: "transfer.amazonaws.com" }, { StringEquals: { "aws:SourceAccount": "123456789012" } }],
  ]);
});

test("a pipeline without producers has no role for them", () => {
  const stack = newStack(settings);
  // No stack may be empty.
  new CfnWaitConditionHandle(stack, "Nothing");
  const { key } = statefulStandIns(stack, settings);
  new Producers(stack, "Producers", { settings, prefix: "sluice-dev", key, pipelines: [readPipelineFolder({ folder: "pipelines/retail", onDelivery: true })] });
  assert.deepEqual(resourcesOf(Template.fromStack(stack), "AWS::IAM::Role"), {});
});
