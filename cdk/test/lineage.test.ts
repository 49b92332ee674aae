import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import { LINEAGE_DETAIL_TYPE } from "../lib/notifications/lineage-stream.ts";
import { repository } from "../lib/repository.ts";
import { resourcesOf, settingsOf, theOne } from "./support/app.ts";
import { stateless, statelessStack } from "./support/stateless.ts";

const KEY = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:lineage-a1b2c3";
const SERVER = "https://lineage.example.com/api/v1/lineage";

function notifyOf(template: Template, environment: string): Record<string, unknown> {
  return theOne(template, "AWS::Lambda::Function", ({ FunctionName }) => FunctionName === `sluice-${environment}-notify`);
}

function variables(template: Template, environment: string): Record<string, unknown> {
  return (notifyOf(template, environment).Environment as { Variables: Record<string, unknown> }).Variables;
}

test("the rule of the stream takes the events of this lake alone, by the kind that notify gives them", () => {
  const { template } = stateless("prod");
  const code = readFileSync(repository.path("functions/notify/src/aws.rs"), "utf8");
  assert.ok(code.includes(`"${LINEAGE_DETAIL_TYPE}"`));
  const rule = theOne(template, "AWS::Events::Rule", ({ Name }) => Name === "sluice-prod-lineage");
  assert.deepEqual(rule.EventPattern, {
    account: ["123456789012"], source: ["sluice"], "detail-type": [LINEAGE_DETAIL_TYPE], detail: { job: { namespace: ["s3://example-sluice-prod-lake"] } },
  });
  const [target] = rule.Targets as { Arn: string; InputPath: string; KinesisParameters: unknown; DeadLetterConfig: unknown }[];
  assert.equal(target?.Arn, "arn:aws:kinesis:eu-central-1:123456789012:stream/example-lineage");
  assert.deepEqual([target.InputPath, target.KinesisParameters], ["$.detail", { PartitionKeyPath: "$.detail.run.runId" }]);
  assert.ok(target.DeadLetterConfig !== undefined);
  assert.equal(variables(template, "prod").SLUICE_OPENLINEAGE, "events");
});

test("without the setting notify makes no events, and no rule watches for them", () => {
  const { template } = stateless("dev");
  assert.deepEqual(Object.keys(variables(template, "dev")).filter((name) => name.includes("OPENLINEAGE")), []);
  assert.deepEqual(Object.values(resourcesOf(template, "AWS::Events::Rule")).filter(({ Properties }) => String(Properties.Name).endsWith("-lineage")), []);
});

test("notify may read the key of a server, and no other function", () => {
  const settings = { ...settingsOf("dev"), openLineage: { target: SERVER, keySecretArn: KEY } };
  const template = Template.fromStack(statelessStack(settings));
  const { SLUICE_OPENLINEAGE, SLUICE_OPENLINEAGE_KEY_ARN } = variables(template, "dev");
  assert.deepEqual([SLUICE_OPENLINEAGE, SLUICE_OPENLINEAGE_KEY_ARN], [SERVER, KEY]);
  const role = (notifyOf(template, "dev").Role as { "Fn::GetAtt": [string] })["Fn::GetAtt"][0];
  const readers = Object.entries(resourcesOf(template, "AWS::IAM::Role")).filter(([, { Properties }]) => JSON.stringify(Properties).includes(KEY));
  assert.deepEqual(readers.map(([id]) => id), [role]);
});
