import assert from "node:assert/strict";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import { EmrEnvironment } from "../../lib/emr/emr-environment.ts";
import { newStack, resourcesOf, settingsOf, statefulStandIns, theOne } from "../support/app.ts";

const settings = settingsOf("prod");
const stack = newStack(settings);
const { lake, key } = statefulStandIns(stack, settings);
new EmrEnvironment(stack, "Emr", { settings, lake, key });
const template = Template.fromStack(stack);

/** A statement of a policy. */
interface Statement {
  readonly Sid: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, unknown>>;
}

function statementsOf(role: string): ReadonlyMap<string, Statement> {
  const { Policies } = theOne(template, "AWS::IAM::Role", ({ RoleName }) => RoleName === `sluice-prod-emr-${role}`);
  const [policy] = Policies as { PolicyDocument: { Statement: Statement[] } }[];
  return new Map((policy?.PolicyDocument.Statement ?? []).map((statement) => [statement.Sid, statement]));
}

const actionsOf = ({ Action }: Statement): readonly string[] => (typeof Action === "string" ? [Action] : Action);

test("the service creates, changes and ends only what carries the tag of this lake", () => {
  const bound = new Map([...statementsOf("service").values()].map(({ Sid, Condition }) =>
    [Sid, Condition?.StringEquals?.["aws:RequestTag/sluice:lake"] ?? Condition?.StringEquals?.["aws:ResourceTag/sluice:lake"]]));
  for (const sid of [
    "LaunchWhatCarriesTheTag", "MakeTemplatesWithTheTag", "MakeInterfacesWithTheTag", "LaunchByOurTemplates", "TagWhatIsOurs", "EndWhatIsOurs",
  ]) {
    assert.equal(bound.get(sid), "s3://example-sluice-prod-lake/", sid);
  }
});

test("the service launches only in our subnets and groups, and creates no groups", () => {
  const statements = statementsOf("service");
  const network = statements.get("LaunchInOurNetwork")?.Resource;
  assert.equal(Array.isArray(network) ? network.length : 0, 5);
  assert.doesNotMatch(JSON.stringify(network), /\*/);
  const actions = [...statements.values()].flatMap(actionsOf);
  assert.equal(actions.some((action) => /CreateSecurityGroup|Egress|iam:(?!PassRole)/.test(action)), false);
});

test("no role has an action with a wildcard, and only read actions have no resource", () => {
  for (const role of ["service", "instance", "step"]) {
    for (const statement of statementsOf(role).values()) {
      assert.equal(actionsOf(statement).some((action) => action.includes("*")), false, statement.Sid);
      if (statement.Resource === "*") {
        assert.ok(actionsOf(statement).every((action) => action.startsWith("ec2:Describe")), statement.Sid);
      }
    }
  }
});

test("instances read their certificates and EMR's packages, and of the lake nothing else", () => {
  const statements = statementsOf("instance");
  assert.equal(statements.get("ReadCertificates")?.Resource, "arn:aws:s3:::example-sluice-prod-lake/emr/certificates.zip");
  assert.equal(statements.get("WriteLogs")?.Resource, "arn:aws:s3:::example-sluice-prod-lake/emr-logs/*");
  assert.deepEqual([...statements.keys()].sort(), ["BecomeTheScript", "EncryptDisks", "ReadCertificates", "ReadPackages", "UseLakeKeyThroughS3", "WriteLogs"]);
});

test("programs on instances use the lake's key only through S3; disks have a key of their own", () => {
  const [diskKey] = Object.keys(resourcesOf(template, "AWS::KMS::Key"));
  const ofDisks = { "Fn::GetAtt": [diskKey, "Arn"] };
  const lakeKey = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
  for (const role of ["service", "instance", "step"]) {
    for (const { Sid, Action, Resource, Condition } of statementsOf(role).values()) {
      if (![Action].flat().some((action) => action.startsWith("kms:"))) {
        continue;
      }
      if (Resource === lakeKey) {
        assert.deepEqual(Condition, { StringEquals: { "kms:ViaService": "s3.eu-central-1.amazonaws.com" } }, `${role}: ${Sid}`);
      } else {
        assert.deepEqual(Resource, ofDisks, `${role}: ${Sid}`);
      }
    }
  }
  const { SecurityConfiguration } = theOne(template, "AWS::EMR::SecurityConfiguration");
  const { AtRestEncryptionConfiguration: at } = (SecurityConfiguration as { EncryptionConfiguration: { AtRestEncryptionConfiguration: Record<string, { AwsKmsKey: unknown }> } }).EncryptionConfiguration;
  assert.deepEqual([at.S3EncryptionConfiguration?.AwsKmsKey, at.LocalDiskEncryptionConfiguration?.AwsKmsKey], [lakeKey, ofDisks]);
});

test("the service creates no endpoints in our network and keeps no pages about applications", () => {
  const actions = [...statementsOf("service").values()].flatMap(actionsOf);
  assert.deepEqual(actions.filter((action) => /VpcEndpoint$|AppUI/.test(action)), []);
});

test("only instances assume the script's role, and they assume no other", () => {
  const step = theOne(template, "AWS::IAM::Role", ({ RoleName }) => RoleName === "sluice-prod-emr-step");
  assert.equal(statementsOf("instance").get("BecomeTheScript")?.Resource, "arn:aws:iam::123456789012:role/sluice-prod-emr-step");
  const trust = (step.AssumeRolePolicyDocument as { Statement: { Principal: unknown; Action: unknown }[] }).Statement;
  assert.deepEqual(trust.map(({ Action }) => Action), [["sts:AssumeRole", "sts:TagSession"]]);
  assert.ok(JSON.stringify(trust[0]?.Principal).includes("EmrRolesInstance"));
});

/** Places below the lake, sorted. */
const inLake = (...paths: string[]): string[] => paths.map((path) => `arn:aws:s3:::example-sluice-prod-lake/${path}`).sort();

/** What a statement of the script's policy is about. */
const ofScript = (sid: string): string[] => [statementsOf("step").get(sid)?.Resource].flat().map(String).sort();

test("a script reads what process has left for it and tables that it combines, but neither deliveries nor bronze nor quarantine", () => {
  assert.deepEqual(ofScript("ReadLake"), inLake("parts/*", "deletes/*", "silver/*", "gold/*", "runs/*"));
});

test("a script writes only below folders of its run, and nothing into bronze or quarantine", () => {
  assert.deepEqual(ofScript("StageFiles"), inLake("silver/*/spark-*", "gold/*/spark-*", "runs/*/metrics-*", "runs/*/scratch-*"));
});
