import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Annotations, Match } from "aws-cdk-lib/assertions";

import { builtCode } from "../../lib/functions/artifacts.ts";
import { FUNCTION_NAMES, functionCatalogue, type FunctionName } from "../../lib/functions/catalogue.ts";
import { readJson, repository } from "../../lib/repository.ts";
import { placeholderArtifacts, resourcesOf, settingsOf, theOne } from "../support/app.ts";
import { stateless, statelessStack } from "../support/stateless.ts";

const { template } = stateless("prod");

interface FunctionProperties {
  readonly FunctionName: string;
  readonly Role: { readonly "Fn::GetAtt": readonly [string, string] };
}

const functionOf = (name: FunctionName): Record<string, unknown> =>
  theOne(template, "AWS::Lambda::Function", ({ FunctionName }) => FunctionName === `sluice-prod-${name}`);

interface Statement {
  readonly Sid: string;
}

function statementsOf(name: FunctionName): readonly Statement[] {
  const [role] = (functionOf(name) as unknown as FunctionProperties).Role["Fn::GetAtt"];
  const Properties = resourcesOf(template, "AWS::IAM::Role")[role]?.Properties;
  assert.ok(Properties, name);
  const policies = Properties.Policies as readonly { readonly PolicyDocument: { readonly Statement: readonly Statement[] } }[];
  assert.equal(policies.length, 1, name);
  assert.equal(Properties.ManagedPolicyArns, undefined, name);
  return policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
}

test("every function is built for arm64, traced, logs JSON into its own encrypted log and has its variables encrypted", () => {
  for (const name of FUNCTION_NAMES) {
    const properties = functionOf(name);
    assert.deepEqual(properties.Architectures, ["arm64"], name);
    assert.equal(properties.Runtime, "provided.al2023", name);
    assert.deepEqual(properties.TracingConfig, { Mode: "Active" }, name);
    assert.ok(properties.KmsKeyArn, name);
    const logging = properties.LoggingConfig as { LogFormat: string; LogGroup: { Ref: string } };
    assert.equal(logging.LogFormat, "JSON", name);
    // platform.report, with the memory that was used, is an event of level INFO.
    assert.equal((properties.LoggingConfig as { SystemLogLevel: string }).SystemLogLevel, "INFO", name);
    const log = resourcesOf(template, "AWS::Logs::LogGroup")[logging.LogGroup.Ref];
    assert.equal(log?.Properties.LogGroupName, `/aws/lambda/sluice-prod-${name}`);
    assert.equal(log.Properties.RetentionInDays, 400, name);
    assert.ok(log.Properties.KmsKeyId, name);
  }
});

test("memory and timeouts are those of the catalogue, and each has its reason", () => {
  const catalogue = functionCatalogue(settingsOf("prod"));
  for (const name of FUNCTION_NAMES) {
    const { memoryMb, timeoutSeconds, why, diskMb } = catalogue[name];
    const properties = functionOf(name);
    assert.equal(properties.MemorySize, memoryMb, name);
    assert.equal(properties.Timeout, timeoutSeconds, name);
    assert.deepEqual(properties.EphemeralStorage, diskMb === undefined ? undefined : { Size: diskMb }, name);
    assert.ok(why.length > 10, name);
  }
});

/**
 * The rights of each function beyond its document in iam/. Removing or adding one of these rights fails this test by name.
 */
const SERVICE_RIGHTS: Readonly<Record<FunctionName, readonly string[]>> = {
  validate: ["UseLakeKeyThroughS3"],
  process: ["UseLakeKeyThroughS3"],
  "start-emr": ["UseLakeKeyThroughS3"],
  "run-etl": ["UseLakeKeyThroughS3"],
  "quality-check": ["UseLakeKeyThroughS3"],
  publish: ["UseLakeKeyThroughS3"],
  terminate: ["UseLakeKeyThroughS3", "KeepFailures"],
  notify: [
    "UseLakeKeyThroughS3", "TellPeople", "UseTopicKeyThroughSns", "TellMachines", "ReadAlertSecrets", "UseSecretKeyThroughSecretsManager",
    "AlertByEmail", "KeepFailures",
  ],
  submit: ["UseLakeKeyThroughS3"],
  "data-product": ["UseLakeKeyThroughS3", "ReadMaskingSecret", "UseSecretKeyThroughSecretsManager"],
  authorize: ["UseLakeKeyThroughS3"],
};
const EVERY_FUNCTION = ["WriteOwnLog", "SendTraces", "ReadOwnEnvironment"];

for (const name of FUNCTION_NAMES) {
  test(`${name} has the rights of its document and of the table of service rights, and no others`, () => {
    const { Statement } = readJson(repository.policy(name)) as { Statement: readonly Statement[] };
    const expected = [...Statement.map(({ Sid }) => Sid), ...SERVICE_RIGHTS[name], ...EVERY_FUNCTION];
    assert.deepEqual(statementsOf(name).map(({ Sid }) => Sid), expected);
  });
}

test("no policy is attached to a role of a function besides its own document", () => {
  const roles = new Set(FUNCTION_NAMES.map((name) => (functionOf(name) as unknown as FunctionProperties).Role["Fn::GetAtt"][0]));
  for (const type of ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"]) {
    const attached = Object.values(resourcesOf(template, type)).flatMap(({ Properties }) => (Properties.Roles ?? []) as { Ref: string }[]);
    assert.deepEqual(attached.filter(({ Ref }) => roles.has(Ref)), [], type);
  }
});

test("authorize may only decrypt", () => {
  const right = statementsOf("authorize").find(({ Sid }) => Sid === "UseLakeKeyThroughS3");
  assert.deepEqual((right as unknown as { Action: unknown }).Action, "kms:Decrypt");
});

test("versions of functions stay when newer ones are deployed, unless their own deployment fails", () => {
  template.resourceCountIs("AWS::Lambda::Version", FUNCTION_NAMES.length);
  template.allResources("AWS::Lambda::Version", { DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain" });
});

test("API Gateway and events use the alias live; nothing calls $LATEST", () => {
  template.resourceCountIs("AWS::Lambda::Alias", FUNCTION_NAMES.length);
  template.allResourcesProperties("AWS::Lambda::Alias", { Name: "live" });
  assert.ok(!JSON.stringify(template.toJSON()).includes("$LATEST"));
  const ids = new Set(Object.keys(resourcesOf(template, "AWS::Lambda::Alias")));
  for (const [id, { Properties }] of Object.entries(resourcesOf(template, "AWS::Lambda::Permission"))) {
    assert.ok(ids.has((Properties.FunctionName as { Ref: string }).Ref), id);
  }
});

test("functions that serve API callers are rolled out gradually, and back when they fail", () => {
  template.resourceCountIs("AWS::CodeDeploy::DeploymentGroup", 2);
  template.allResourcesProperties("AWS::CodeDeploy::DeploymentGroup", {
    DeploymentConfigName: "CodeDeployDefault.LambdaCanary10Percent5Minutes",
    AlarmConfiguration: { Enabled: true },
    AutoRollbackConfiguration: { Enabled: true, Events: ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM"] },
  });
});

test("only process has reserved concurrency, and only when the settings say so", () => {
  const reserved = (from: typeof template): unknown[] => Object.values(resourcesOf(from, "AWS::Lambda::Function"))
    .filter(({ Properties }) => Properties.ReservedConcurrentExecutions !== undefined)
    .map(({ Properties }) => [Properties.FunctionName, Properties.ReservedConcurrentExecutions]);
  assert.deepEqual(reserved(template), [["sluice-prod-process", 40]]);
  assert.deepEqual(reserved(stateless("dev").template), []);
});

test("events that terminate and notify cannot handle are kept", () => {
  template.resourceCountIs("AWS::Lambda::EventInvokeConfig", 2);
  for (const { Properties: { DestinationConfig, MaximumEventAgeInSeconds } } of Object.values(resourcesOf(template, "AWS::Lambda::EventInvokeConfig"))) {
    assert.ok((DestinationConfig as { OnFailure?: unknown }).OnFailure);
    assert.equal(MaximumEventAgeInSeconds, 3600);
  }
});

test("a reserved concurrency warns of the quota that it needs", () => {
  const warnings = (environment: "dev" | "prod"): string[] =>
    Annotations.fromStack(stateless(environment).stack).findWarning("*", Match.stringLikeRegexp("processConcurrency")).map(({ entry }) => JSON.stringify(entry.data));
  assert.match(warnings("prod").join(), /functions\.processConcurrency: 40 needs a quota of 140 concurrent executions/);
  assert.deepEqual(warnings("dev"), []);
});

test("a reserved concurrency below what a run reads at once is a warning that names the pipeline", () => {
  const settings = settingsOf("prod");
  const warnings = (processConcurrency: number): string[] => {
    const stack = statelessStack({ ...settings, functions: { ...settings.functions, processConcurrency } });
    return Annotations.fromStack(stack).findWarning("*", Match.stringLikeRegexp("at_once")).map(({ entry }) => JSON.stringify(entry.data));
  };
  assert.match(warnings(31).join(), /functions\.processConcurrency: 31 is below parts\.at_once of retail, 32: .* less than 31 in its pipeline\.yaml/);
  assert.deepEqual(warnings(32), []);
});

test("the masking secret is generated, encrypted and kept, and data-product gets its ARN and the right to read it, nobody else", () => {
  template.hasResource("AWS::SecretsManager::Secret", {
    DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain",
    Properties: { GenerateSecretString: { PasswordLength: 64, ExcludePunctuation: true } },
  });
  assert.ok(theOne(template, "AWS::SecretsManager::Secret").KmsKeyId);
  // The environment that takes over in the replica's region goes on with the same masks.
  assert.deepEqual(theOne(template, "AWS::SecretsManager::Secret").ReplicaRegions, [{ Region: "eu-west-1", KmsKeyId: "alias/sluice-prod-replica" }]);
  const [secret] = Object.keys(resourcesOf(template, "AWS::SecretsManager::Secret"));
  const variables = (functionOf("data-product").Environment as { Variables: Record<string, unknown> }).Variables;
  assert.deepEqual(variables.SLUICE_SECRET_ARN, { Ref: secret });
  // Not even as a dynamic reference, which CloudFormation would put into a variable in plain text.
  assert.doesNotMatch(JSON.stringify(template.toJSON()), /resolve:secretsmanager/);
  const readers = FUNCTION_NAMES.filter((name) => JSON.stringify(statementsOf(name)).includes("secretsmanager:GetSecretValue"));
  assert.deepEqual(readers, ["notify", "data-product"]);
});

test("notify gets the channels for alerts without a secret, and the right to read just their secrets", () => {
  const variables = (functionOf("notify").Environment as { Variables: Record<string, unknown> }).Variables;
  const channels = JSON.parse(variables.SLUICE_ALERT_CHANNELS as string) as readonly Record<string, unknown>[];
  const secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sluice";
  assert.deepEqual(channels, [
    { name: "data-on-call", kind: "pagerduty", default: true, key: `secretsmanager:${secret}/pagerduty-a1b2c3` },
    { name: "data-chat", kind: "slack", default: false, address: `secretsmanager:${secret}/slack-d4e5f6` },
    { name: "data-mail", kind: "email", default: false, topic: "arn:aws:sns:eu-central-1:123456789012:warning" },
  ]);
  const right = statementsOf("notify").find(({ Sid }) => Sid === "ReadAlertSecrets") as unknown as { Resource: unknown };
  assert.deepEqual(right.Resource, [`${secret}/pagerduty-a1b2c3`, `${secret}/slack-d4e5f6`]);
});

test("without channels notify has no right that only channels need", () => {
  const { template: quiet } = stateless("dev");
  const variables = theOne(quiet, "AWS::Lambda::Function", ({ FunctionName }) => FunctionName === "sluice-dev-notify").Environment as { Variables: Record<string, unknown> };
  assert.equal(variables.Variables.SLUICE_ALERT_CHANNELS, "none");
  assert.doesNotMatch(JSON.stringify(quiet.toJSON()), /ReadAlertSecrets|AlertByEmail/);
});

test("a function that was not built is an error that names the command", () => {
  const folder = placeholderArtifacts();
  assert.throws(() => builtCode(folder, "unbuilt"), /functions\.artifacts: .* has neither unbuilt\/bootstrap nor unbuilt\.zip: .*cargo lambda build --release --arm64/);
  writeFileSync(join(folder, "zipped.zip"), "zip");
  assert.ok(builtCode(folder, "zipped"));
  mkdirSync(join(folder, "empty"));
  assert.throws(() => builtCode(folder, "empty"), /neither/);
});
