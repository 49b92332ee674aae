import assert from "node:assert/strict";
import { test } from "node:test";

import { CfnWaitConditionHandle } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";

import { readPipelineFolder } from "../../lib/deploy/pipeline-folder.ts";
import { Producers } from "../../lib/deploy/producers.ts";
import { newStack, resourcesOf, settingsOf, statefulStandIns, theOne } from "../support/app.ts";
import { findings, needless } from "../support/nag.ts";

const settings = settingsOf("dev");

function producersOf(producers: string[], prefix = "sluice-dev", more: { readonly name?: string } = {}): Template {
  const stack = newStack(settings);
  const { key } = statefulStandIns(stack, settings);
  new Producers(stack, "Producers", {
    settings, prefix, key, pipelines: [{ ...readPipelineFolder({ folder: "pipelines/retail", onDelivery: true, producers }), ...more }],
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

interface Role {
  readonly RoleName: string;
  readonly AssumeRolePolicyDocument: { readonly Statement: Statement[] };
  readonly Policies: { readonly PolicyDocument: { readonly Statement: Statement[] } }[];
}

const template = producersOf(["210987654321", "arn:aws:iam::210987654321:role/export", "transfer.amazonaws.com"]);
const roleCalled = (name: string): Role => theOne(template, "AWS::IAM::Role", ({ RoleName }) => RoleName === name) as unknown as Role;
const role = roleCalled("sluice-dev-deliver-retail");
const sftp = roleCalled("sluice-dev-sftp-retail");
const statementsOf = ({ Policies }: Role): Statement[] => Policies[0]?.PolicyDocument.Statement ?? [];

test("a producer may put files into the landing folder of its pipeline, and nothing else", () => {
  const [files, key, ...others] = statementsOf(role);
  assert.deepEqual(others, []);
  assert.deepEqual([files?.Action, files?.Resource], [["s3:AbortMultipartUpload", "s3:PutObject"], "arn:aws:s3:::example-sluice-dev-lake/landing/retail/*"]);
  assert.deepEqual(key?.Condition, { StringEquals: { "kms:ViaService": "s3.eu-central-1.amazonaws.com" } });
});

test("a user of SFTP may list that folder, too, and nothing else", () => {
  const [files, list, key, ...others] = statementsOf(sftp);
  assert.deepEqual(others, []);
  assert.deepEqual([files, key], statementsOf(role));
  assert.deepEqual([list?.Action, list?.Resource], ["s3:ListBucket", "arn:aws:s3:::example-sluice-dev-lake"]);
  assert.deepEqual(list?.Condition, { StringLike: { "s3:prefix": "landing/retail/*" } });
});

test("whoever the settings name assumes the role, and Transfer Family for this account one of its own", () => {
  const trusted = ({ AssumeRolePolicyDocument }: Role): unknown[] => AssumeRolePolicyDocument.Statement.map(({ Principal, Condition }) => [Principal, Condition]);
  assert.deepEqual(trusted(role), [[{ AWS: ["arn:aws:iam::210987654321:role/export", "arn:aws:iam::210987654321:root"] }, undefined]]);
  assert.deepEqual(trusted(sftp), [[{ Service: "transfer.amazonaws.com" }, { StringEquals: { "aws:SourceAccount": "123456789012" } }]]);
});

test("only those who are named have a role", () => {
  const namesOf = (producers: string[]): unknown[] => Object.values(resourcesOf(producersOf(producers), "AWS::IAM::Role")).map(({ Properties }) => Properties.RoleName);
  assert.deepEqual(namesOf(["transfer.amazonaws.com"]), ["sluice-dev-sftp-retail"]);
  assert.deepEqual(namesOf(["210987654321"]), ["sluice-dev-deliver-retail"]);
});

test("a pipeline without producers has no role for them", () => {
  const stack = newStack(settings);
  // No stack may be empty.
  new CfnWaitConditionHandle(stack, "Nothing");
  const { key } = statefulStandIns(stack, settings);
  new Producers(stack, "Producers", { settings, prefix: "sluice-dev", key, pipelines: [readPipelineFolder({ folder: "pipelines/retail", onDelivery: true })] });
  assert.deepEqual(resourcesOf(Template.fromStack(stack), "AWS::IAM::Role"), {});
});

test("names of roles are as long as IAM allows, and differ", () => {
  const prefix = "sluice-environment-name";
  const namesOf = (pipeline: string): string[] => {
    const roles = resourcesOf(producersOf(["210987654321", "transfer.amazonaws.com"], prefix, { name: pipeline }), "AWS::IAM::Role");
    return Object.values(roles).map(({ Properties }) => (Properties as unknown as Role).RoleName);
  };
  const names = ["a", "b"].flatMap((end) => namesOf("p".repeat(47) + end));
  assert.equal(new Set(names).size, 4);
  for (const name of names) {
    assert.ok(name.length <= 64 && /^sluice-environment-name-(deliver|sftp)-pppp/.test(name), name);
  }
});
