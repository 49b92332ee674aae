import assert from "node:assert/strict";
import { test } from "node:test";

import { Match, Template } from "aws-cdk-lib/assertions";

import { SluiceReplicaStack } from "../../lib/replica-stack.ts";
import { SluiceStatefulStack } from "../../lib/stateful-stack.ts";
import { type Environment, newApp, resourcesOf, settingsOf, theOne } from "../support/app.ts";
import { findings, needless, withoutEvidence } from "../support/nag.ts";

/** Kept when the stack is deleted, but not when its creation is rolled back. */
const KEPT = { DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain" };

function made(environment: Environment): { stack: SluiceStatefulStack; template: Template } {
  const settings = settingsOf(environment);
  const stack = new SluiceStatefulStack(newApp(), "stateful", { settings, env: { account: settings.account, region: settings.region } });
  return { stack, template: Template.fromStack(stack) };
}

const { stack, template } = made("prod");
const dev = made("dev");
const west = made("prod-west");
const lake = theOne(template, "AWS::S3::Bucket", ({ BucketName }) => BucketName === "example-sluice-prod-lake");

test("cdk-nag finds nothing, and every acknowledgement is needed and has its evidence", () => {
  for (const one of [stack, dev.stack, west.stack]) {
    assert.deepEqual(findings(one), []);
    assert.deepEqual(needless(one), []);
    assert.deepEqual(withoutEvidence(one), []);
  }
});

test("what must outlive a deployment is kept without its stack, which is protected", () => {
  assert.equal(stack.terminationProtection, true);
  for (const type of ["AWS::S3::Bucket", "AWS::KMS::Key"]) {
    template.allResources(type, KEPT);
  }
});

test("a first deployment that fails leaves nothing behind whose name the second could not use", () => {
  for (const each of [template, dev.template, west.template]) {
    const staying = Object.entries((each.toJSON() as { Resources: Record<string, { DeletionPolicy?: string }> }).Resources)
      .filter(([, { DeletionPolicy }]) => DeletionPolicy === "Retain").map(([id]) => id);
    assert.deepEqual(staying, []);
  }
});

test("an existing bucket is used as it is: only topics and the records of who writes are created", () => {
  const buckets = Object.values(resourcesOf(west.template, "AWS::S3::Bucket")).map(({ Properties }) => Properties.BucketName).sort();
  // Not <bucket>-access, which the stack of the replica has.
  assert.deepEqual(buckets, ["example-sluice-prod-replica-audit", "example-sluice-prod-replica-records"]);
  west.template.resourceCountIs("AWS::KMS::Key", 0);
  west.template.resourceCountIs("AWS::KMS::Alias", 0);
  west.template.allResourcesProperties("AWS::SNS::Topic", { KmsMasterKeyId: settingsOf("prod-west").lake.existing?.keyArn });
  west.template.hasResourceProperties("AWS::CloudTrail::Trail", { TrailName: "sluice-prod-west", KMSKeyId: settingsOf("prod-west").lake.existing?.keyArn });
});

test("the replica's key may be used by what an environment needs that takes the replica as its lake", () => {
  const replica = Template.fromStack(new SluiceReplicaStack(newApp(), "replica", { settings: settingsOf("prod"), env: { account: "123456789012", region: "eu-west-1" } }));
  const statements = (of: Template): { Sid?: string }[] => (theOne(of, "AWS::KMS::Key").KeyPolicy as { Statement: { Sid?: string }[] }).Statement;
  assert.deepEqual(statements(replica).map(({ Sid }) => Sid), statements(template).map(({ Sid }) => Sid));
  const trail = JSON.stringify(statements(replica).filter(({ Sid }) => Sid?.startsWith("CloudTrail")));
  // The name of that environment is not known yet.
  assert.match(trail, /trail\/sluice-\*/);
  assert.ok("trail/sluice-prod-west".startsWith("trail/sluice-"));
});

test("without an audit trail there is neither a trail nor a bucket for it, nor a right on the key", () => {
  const settings = { ...settingsOf("dev"), auditTrail: false };
  const without = Template.fromStack(new SluiceStatefulStack(newApp(), "stateful", { settings, env: { account: settings.account, region: settings.region } }));
  without.resourceCountIs("AWS::CloudTrail::Trail", 0);
  assert.deepEqual(Object.values(resourcesOf(without, "AWS::S3::Bucket")).map(({ Properties }) => Properties.BucketName).sort(),
    ["example-sluice-dev-lake", "example-sluice-dev-lake-access"]);
  assert.doesNotMatch(JSON.stringify(without.toJSON()), /cloudtrail\.amazonaws\.com/);
});

test("every bucket is private, versioned, encrypted and reached only over TLS", () => {
  template.allResourcesProperties("AWS::S3::Bucket", {
    PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true },
    VersioningConfiguration: { Status: "Enabled" },
    OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
  });
  const buckets = Object.keys(resourcesOf(template, "AWS::S3::Bucket"));
  for (const bucket of buckets) {
    template.hasResourceProperties("AWS::S3::BucketPolicy", {
      Bucket: { Ref: bucket },
      PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } })]) },
    });
  }
});

test("the lake is encrypted with a key that rotates, and sends events to EventBridge", () => {
  assert.deepEqual(lake.BucketEncryption, {
    ServerSideEncryptionConfiguration: [{
      BucketKeyEnabled: true,
      ServerSideEncryptionByDefault: {
        SSEAlgorithm: "aws:kms", KMSMasterKeyID: { "Fn::GetAtt": [Object.keys(resourcesOf(template, "AWS::KMS::Key"))[0], "Arn"] },
      },
    }],
  });
  template.hasResourceProperties("AWS::KMS::Key", { EnableKeyRotation: true });
  assert.deepEqual(lake.NotificationConfiguration, { EventBridgeConfiguration: { EventBridgeEnabled: true } });
  template.resourceCountIs("AWS::Lambda::Function", 0);
});

test("no rule moves or expires a current object that may be of a table", () => {
  const { Rules } = lake.LifecycleConfiguration as { Rules: Record<string, unknown>[] };
  const touchesCurrent = Rules.filter((rule) => "Transitions" in rule || "ExpirationInDays" in rule);
  assert.deepEqual(touchesCurrent.filter((rule) => "Transitions" in rule), []);
  assert.deepEqual(touchesCurrent.map(({ Prefix }) => Prefix).sort(), ["answers/", "athena/", "copies/", "emr-logs/", "landing/", "parts/", "requests/", "runs/"]);
  const [noncurrent] = Rules.filter((rule) => "NoncurrentVersionTransitions" in rule);
  assert.deepEqual(noncurrent?.NoncurrentVersionTransitions, [
    { StorageClass: "STANDARD_IA", TransitionInDays: 30 }, { StorageClass: "GLACIER", TransitionInDays: 90 },
  ]);
  assert.ok(Rules.some((rule) => (rule.AbortIncompleteMultipartUpload as { DaysAfterInitiation: number } | undefined)?.DaysAfterInitiation === 7));
});

test("the replica gets every object within 15 minutes, deletions too", () => {
  const { Rules } = lake.ReplicationConfiguration as { Rules: { DeleteMarkerReplication: unknown; Destination: Record<string, unknown> }[] };
  assert.equal(Rules.length, 1);
  assert.deepEqual(Rules[0]?.DeleteMarkerReplication, { Status: "Enabled" });
  const destination = Rules[0].Destination;
  assert.equal(destination.Bucket, "arn:aws:s3:::example-sluice-prod-replica");
  assert.deepEqual(destination.EncryptionConfiguration, { ReplicaKmsKeyID: "arn:aws:kms:eu-west-1:123456789012:alias/sluice-prod-replica" });
  // Would need a right that the role does not have, and objects of a bucket belong to its owner anyway.
  assert.equal(destination.AccessControlTranslation, undefined);
  assert.deepEqual(destination.ReplicationTime, { Status: "Enabled", Time: { Minutes: 15 } });
  assert.equal(theOne(dev.template, "AWS::S3::Bucket", ({ BucketName }) => BucketName === "example-sluice-dev-lake").ReplicationConfiguration, undefined);
});

test("topics are encrypted, refuse plain HTTP, and critical has subscribers", () => {
  assert.equal(Object.keys(resourcesOf(template, "AWS::SNS::Topic")).length, 3);
  template.allResourcesProperties("AWS::SNS::Topic", { KmsMasterKeyId: Match.anyValue() });
  template.resourceCountIs("AWS::SNS::TopicPolicy", 3);
  template.allResourcesProperties("AWS::SNS::TopicPolicy", {
    PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } })]) },
  });
  template.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint: "data-on-call@example.com" });
});

test("writes to the lake are recorded, reads are not", () => {
  template.hasResourceProperties("AWS::CloudTrail::Trail", {
    EnableLogFileValidation: true,
    AdvancedEventSelectors: [{ FieldSelectors: Match.arrayWith([{ Field: "readOnly", Equals: ["false"] }]) }],
  });
});

test("the replica stack is as safe as the lake", () => {
  const settings = settingsOf("prod");
  const replica = new SluiceReplicaStack(newApp(), "replica", { settings, env: { account: settings.account, region: "eu-west-1" } });
  assert.equal(replica.terminationProtection, true);
  assert.deepEqual(findings(replica), []);
  assert.deepEqual(needless(replica), []);
  const replicated = Template.fromStack(replica);
  replicated.allResources("AWS::S3::Bucket", KEPT);
  replicated.allResources("AWS::KMS::Key", KEPT);
  replicated.hasResourceProperties("AWS::KMS::Alias", { AliasName: "alias/sluice-prod-replica" });
  assert.throws(() => new SluiceReplicaStack(newApp(), "none", { settings: settingsOf("dev") }), /dev names no replica/);
});
