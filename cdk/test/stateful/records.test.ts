import assert from "node:assert/strict";
import { test } from "node:test";

import { Match, Template } from "aws-cdk-lib/assertions";

import { SluiceReplicaStack } from "../../lib/replica-stack.ts";
import { SluiceStatefulStack } from "../../lib/stateful-stack.ts";
import { newApp, resourcesOf, settingsOf, theOne } from "../support/app.ts";

const settings = settingsOf("prod");
const stack = new SluiceStatefulStack(newApp(), "stateful", { settings, env: { account: settings.account, region: settings.region } });
const template = Template.fromStack(stack);
const bucket = (name: string): Record<string, unknown> => theOne(template, "AWS::S3::Bucket", ({ BucketName }) => BucketName === name);

/** A statement of a policy. */
interface Statement {
  readonly Sid?: string;
  readonly Principal?: { readonly Service?: string | string[] };
  readonly Condition?: Record<string, Record<string, unknown>>;
}

const keyStatements = (theOne(template, "AWS::KMS::Key").KeyPolicy as { Statement: Statement[] }).Statement;

test("records of who wrote cannot be deleted for a year, and are kept for seven", () => {
  const audit = bucket("example-sluice-prod-lake-audit");
  assert.deepEqual(audit.ObjectLockConfiguration, {
    ObjectLockEnabled: "Enabled", Rule: { DefaultRetention: { Mode: "GOVERNANCE", Days: 366 } },
  });
  const { Rules } = audit.LifecycleConfiguration as { Rules: { ExpirationInDays: number }[] };
  assert.deepEqual(Rules.map(({ ExpirationInDays }) => ExpirationInDays), [2557]);
});

test("access logs go to a bucket of their own, which has no lock, because S3 delivers no access logs to a locked bucket", () => {
  const access = bucket("example-sluice-prod-lake-access");
  assert.equal(access.ObjectLockConfiguration, undefined);
  assert.equal(access.LoggingConfiguration, undefined);
  for (const name of ["example-sluice-prod-lake", "example-sluice-prod-lake-audit"]) {
    const { LogFilePrefix } = bucket(name).LoggingConfiguration as { LogFilePrefix: string };
    assert.match(LogFilePrefix, /^access\/(lake|audit)\/$/, name);
  }
});

test("only CloudTrail's own trail may write records", () => {
  const trail = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/sluice-prod";
  const policies = Object.values(resourcesOf(template, "AWS::S3::BucketPolicy"))
    .flatMap(({ Properties }) => (Properties.PolicyDocument as { Statement: Statement[] }).Statement)
    .filter(({ Principal }) => Principal?.Service === "cloudtrail.amazonaws.com");
  assert.equal(policies.length, 2);
  for (const { Condition } of policies) {
    assert.equal(Condition?.StringEquals?.["aws:SourceArn"], trail);
  }
  template.hasResource("AWS::CloudTrail::Trail", { DependsOn: Match.arrayWith([Match.stringLikeRegexp("^Audit")]) });
});

test("each service that may use the key is limited to this account", () => {
  const services = keyStatements.filter(({ Principal }) => Principal?.Service !== undefined);
  assert.deepEqual(services.flatMap(({ Principal }) => Principal?.Service ?? []).sort(), [
    "budgets.amazonaws.com", "cloudtrail.amazonaws.com", "cloudtrail.amazonaws.com", "cloudwatch.amazonaws.com", "logs.eu-central-1.amazonaws.com",
  ]);
  for (const { Sid, Condition } of services) {
    assert.match(JSON.stringify(Condition), /123456789012/, Sid);
  }
});

test("the replica expires what the lake expires: S3 does not copy the effects of lifecycle rules", () => {
  const replica = Template.fromStack(new SluiceReplicaStack(newApp(), "replica", { settings, env: { account: settings.account, region: "eu-west-1" } }));
  const copy = theOne(replica, "AWS::S3::Bucket", ({ BucketName }) => BucketName === "example-sluice-prod-replica");
  assert.deepEqual(copy.LifecycleConfiguration, bucket("example-sluice-prod-lake").LifecycleConfiguration);
  assert.deepEqual(copy.NotificationConfiguration, { EventBridgeConfiguration: { EventBridgeEnabled: true } });
});
