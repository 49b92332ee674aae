import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Match, Template } from "aws-cdk-lib/assertions";

import { EmrEnvironment } from "../../lib/emr/emr-environment.ts";
import { repository } from "../../lib/repository.ts";
import { newStack, resourcesOf, settingsOf, statefulStandIns, theOne } from "../support/app.ts";
import { findings, needless, withoutEvidence } from "../support/nag.ts";

const settings = settingsOf("prod");
const stack = newStack(settings);
const { lake, key } = statefulStandIns(stack, settings);
const made = new EmrEnvironment(stack, "Emr", { settings, lake, key });
const template = Template.fromStack(stack);

test("cdk-nag finds nothing, and every acknowledgement is needed and has its evidence", () => {
  assert.deepEqual(findings(stack), []);
  assert.deepEqual(needless(stack), []);
  assert.deepEqual(withoutEvidence(stack), []);
});

test("clusters are in private subnets without internet access", () => {
  template.resourceCountIs("AWS::EC2::NatGateway", 0);
  template.resourceCountIs("AWS::EC2::InternetGateway", 0);
  template.allResourcesProperties("AWS::EC2::Subnet", { MapPublicIpOnLaunch: false });
  template.hasResourceProperties("AWS::EC2::VPCEndpoint", { VpcEndpointType: "Gateway" });
  template.resourcePropertiesCountIs("AWS::EC2::VPCEndpoint", { VpcEndpointType: "Interface" }, 2);
  template.resourceCountIs("AWS::EC2::FlowLog", 1);
});

test("everything is encrypted, at rest and between instances, and instance metadata requires IMDSv2", () => {
  const { SecurityConfiguration } = theOne(template, "AWS::EMR::SecurityConfiguration");
  const configuration = SecurityConfiguration as {
    EncryptionConfiguration: { EnableAtRestEncryption: boolean; EnableInTransitEncryption: boolean };
    InstanceMetadataServiceConfiguration: { MinimumInstanceMetadataServiceVersion: number };
    AuthorizationConfiguration: { IAMConfiguration: { EnableApplicationScopedIAMRole: boolean } };
  };
  assert.equal(configuration.EncryptionConfiguration.EnableAtRestEncryption, true);
  assert.equal(configuration.EncryptionConfiguration.EnableInTransitEncryption, true);
  assert.equal(configuration.InstanceMetadataServiceConfiguration.MinimumInstanceMetadataServiceVersion, 2);
  assert.equal(configuration.AuthorizationConfiguration.IAMConfiguration.EnableApplicationScopedIAMRole, true);
});

test("no role has a managed policy, and the script's role is denied every Delta log", () => {
  assert.equal(Object.values(resourcesOf(template, "AWS::IAM::Role")).some(({ Properties }) => "ManagedPolicyArns" in Properties), false);
  template.hasResourceProperties("AWS::IAM::Role", {
    RoleName: "sluice-prod-emr-step",
    Policies: [{ PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({
      Effect: "Deny", Action: ["s3:DeleteObject", "s3:PutObject"], Resource: "arn:aws:s3:::example-sluice-prod-lake/*/_delta_log/*",
    })]) } }],
  });
  const allowed = JSON.stringify(Object.values(resourcesOf(template, "AWS::IAM::Role")).map(({ Properties }) => Properties.Policies));
  assert.equal(/"Effect":"Allow"[^}]*_delta_log/.test(allowed), false);
});

test("start-emr gets the variables that it needs, with the names of the catalogue", () => {
  const known = new Set([...readFileSync(repository.path("shared/aws/src/env.rs"), "utf8").matchAll(/"(SLUICE_EMR_\w+)"/g)].map(([, name]) => name));
  assert.deepEqual(Object.keys(made.environment).filter((name) => !known.has(name)), []);
  for (const needed of ["LOG_URI", "SUBNETS", "SERVICE_ROLE", "INSTANCE_PROFILE", "SECURITY_CONFIGURATION"]) {
    assert.ok(made.environment[`SLUICE_EMR_${needed}`], needed);
  }
  assert.equal(made.environment.SLUICE_EMR_LOG_URI, "s3://example-sluice-prod-lake/emr-logs/");
});

test("without the large engine nothing is created", () => {
  assert.throws(() => new EmrEnvironment(newStack(settingsOf("dev")), "Emr", { settings: settingsOf("dev"), lake, key }), /dev has no large engine/);
});
