import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

import { FUNCTION_NAMES } from "../../lib/functions/catalogue.ts";
import { filledStatements } from "../../lib/functions/policy-document.ts";
import { readJson, repository } from "../../lib/repository.ts";

const VALUES = {
  Account: "123456789012",
  LakeBucket: "lake",
  LakePrefix: "prod/",
  StateMachineArn: "arn:aws:states:eu-central-1:123456789012:stateMachine:m",
  ExecutionArns: "arn:aws:states:eu-central-1:123456789012:execution:m:*",
  EmrServiceRoleArn: "arn:aws:iam::123456789012:role/service",
  EmrInstanceRoleArn: "arn:aws:iam::123456789012:role/instance",
  EmrStepRoleArn: "arn:aws:iam::123456789012:role/step",
};

test("every document of iam/ is filled and otherwise unchanged", () => {
  for (const name of FUNCTION_NAMES) {
    const filled = filledStatements(name, VALUES);
    const written = JSON.stringify(readJson(repository.policy(name)));
    const expected = Object.entries(VALUES).reduce((text, [placeholder, value]) => text.replaceAll(`\${${placeholder}}`, value), written);
    assert.deepEqual({ Version: "2012-10-17", Statement: filled }, JSON.parse(expected), name);
  }
});

test("there is a document for each function and for nothing else", () => {
  const documents = readdirSync(repository.path("iam")).filter((file) => file.endsWith(".json")).map((file) => file.replace(".json", ""));
  assert.deepEqual(documents.sort(), [...FUNCTION_NAMES].sort());
});

test("a placeholder without a value is an error that names both", () => {
  const { StateMachineArn: _, ...others } = VALUES;
  assert.throws(() => filledStatements("submit", others), /iam\/submit\.json: \$\{StateMachineArn\} has no value/);
  assert.throws(() => filledStatements("nothing", VALUES), /iam\/nothing\.json: is missing/);
});

test("statements that a deployment does not grant are left out before they are filled", () => {
  const others = { Account: VALUES.Account, LakeBucket: VALUES.LakeBucket, LakePrefix: VALUES.LakePrefix };
  const filled = filledStatements("start-emr", others, (sid, text) => text.includes("elasticmapreduce") || sid.startsWith("Hand"));
  assert.deepEqual(filled.map(({ Sid }) => Sid), ["TellMissingFromForbidden", "ReadDocuments", "TakeTurnsAndNoteClusters"]);
});

test("only publish may write a log of a table", () => {
  const isLog = (resource: string): boolean => resource.includes("_delta_log");
  const mayWriteLogs = FUNCTION_NAMES.filter((name) => filledStatements(name, VALUES).some(({ Effect, Action, Resource }) =>
    Effect === "Allow" && Action.some((action) => /^s3:(Put|Delete)/.test(action)) && Resource.some((resource) =>
      isLog(resource) || /\/(bronze|silver|gold|quarantine|deletes)\/\*$/.test(resource))));
  // process stages files in the folders of tables, and a Deny keeps it away from the logs.
  assert.deepEqual(mayWriteLogs, ["process", "publish"]);
  const denied = filledStatements("process", VALUES).find(({ Effect }) => Effect === "Deny");
  assert.deepEqual(denied?.Resource, ["arn:aws:s3:::lake/prod/*/_delta_log/*"]);
  assert.ok(denied.Action.includes("s3:PutObject"));
});

test("start-emr may attach both policies that it sends with the launch of a cluster", () => {
  const attached = ["elasticmapreduce:PutAutoTerminationPolicy", "elasticmapreduce:PutManagedScalingPolicy"];
  const statements = filledStatements("start-emr", VALUES).filter(({ Action }) => Action.some((action) => attached.includes(action)));
  assert.deepEqual(statements.map(({ Effect, Action, Condition }) => ({ Effect, Action, Condition })), [
    { Effect: "Allow", Action: attached, Condition: { StringEquals: { "elasticmapreduce:ResourceTag/sluice:lake": "s3://lake/prod/" } } },
  ]);
});

test("run-etl submits steps under the role of scripts alone: a call without a role is refused, too", () => {
  const submitting = filledStatements("run-etl", VALUES).filter(({ Action }) => Action.includes("elasticmapreduce:AddJobFlowSteps"));
  // StringEqualsIfExists would let a call pass that names no role.
  assert.deepEqual(submitting.map(({ Effect, Condition }) => ({ Effect, Condition })), [
    {
      Effect: "Allow",
      Condition: {
        StringEquals: {
          "elasticmapreduce:ResourceTag/sluice:lake": "s3://lake/prod/",
          "elasticmapreduce:ExecutionRoleArn": VALUES.EmrStepRoleArn,
        },
      },
    },
  ]);
});
