import assert from "node:assert/strict";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import { EmrNetwork } from "../../lib/emr/network.ts";
import { newStack, resourcesOf, settingsOf, statefulStandIns, theOne } from "../support/app.ts";
import { findings } from "../support/nag.ts";

const settings = settingsOf("prod");
const stack = newStack(settings);
const { key } = statefulStandIns(stack, settings);
new EmrNetwork(stack, "Network", { cidr: "10.60.0.0/16", key });
const template = Template.fromStack(stack);

/** A rule of a security group. */
interface Rule {
  readonly CidrIp?: string;
  readonly FromPort: number;
  readonly ToPort: number;
  readonly IpProtocol: string;
  readonly SourceSecurityGroupId?: unknown;
}

const rules = (type: string): Rule[] => Object.values(resourcesOf(template, type)).map(({ Properties }) => Properties as unknown as Rule);

test("cdk-nag finds nothing, and nothing is looked up", () => {
  assert.deepEqual(findings(stack), []);
  assert.equal(stack.node.root.node.findAll().some((construct) => construct.node.metadata.some(({ type }) => type === "aws:cdk:error")), false);
});

test("no route leads out of the network", () => {
  for (const type of ["AWS::EC2::Route", "AWS::EC2::NatGateway", "AWS::EC2::InternetGateway", "AWS::EC2::EgressOnlyInternetGateway"]) {
    template.resourceCountIs(type, 0);
  }
  template.resourceCountIs("AWS::EC2::Subnet", 2);
});

test("only other instances and EMR reach instances: no port is open for logging in", () => {
  const inbound = rules("AWS::EC2::SecurityGroupIngress");
  assert.equal(inbound.every((rule) => rule.CidrIp === undefined && rule.SourceSecurityGroupId !== undefined), true);
  const inline = Object.values(resourcesOf(template, "AWS::EC2::SecurityGroup")).flatMap(({ Properties }) => Properties.SecurityGroupIngress ?? []);
  assert.deepEqual(inline, []);
  const services = inbound.filter(({ IpProtocol, FromPort, ToPort }) => IpProtocol === "tcp" && FromPort === ToPort);
  assert.deepEqual([...new Set(services.map(({ FromPort }) => FromPort))].sort((a, b) => a - b), [443, 8443, 9443]);
});

test("S3's endpoint allows roles of this account, and everybody to EMR's own buckets", () => {
  const { PolicyDocument } = theOne(template, "AWS::EC2::VPCEndpoint", ({ VpcEndpointType }) => VpcEndpointType === "Gateway");
  const { Statement } = PolicyDocument as { Statement: { Sid: string; Resource: string | string[]; Condition?: unknown }[] };
  const anybody = Statement.filter(({ Condition }) => Condition === undefined);
  assert.deepEqual(anybody.flatMap(({ Resource }) => Resource).sort(), [
    "arn:aws:s3:::*elasticmapreduce*/*",
    "arn:aws:s3:::al2023-repos-eu-central-1-de612dc2/*",
    "arn:aws:s3:::aws157-logs-prod-eu-central-1/*",
    "arn:aws:s3:::prod.eu-central-1.appinfo.src/*",
    "arn:aws:s3:::repo.eu-central-1.emr.amazonaws.com/*",
  ]);
  const [ours] = Statement.filter(({ Condition }) => Condition !== undefined);
  assert.deepEqual(ours?.Condition, { StringEquals: { "aws:PrincipalAccount": "123456789012" } });
});

test("the default security group lets nothing in or out", () => {
  const calls = Object.values(resourcesOf(template, "Custom::AWS")).map(({ Properties }) => JSON.stringify(Properties.Create));
  assert.equal(calls.length, 2);
  for (const [action, rule] of [["revokeSecurityGroupIngress", "UserIdGroupPairs"], ["revokeSecurityGroupEgress", "0.0.0.0/0"]] as const) {
    const call = calls.find((one) => one.includes(action));
    assert.ok(call !== undefined, action);
    assert.ok(call.includes("DefaultSecurityGroup") && call.includes(rule), action);
    assert.ok(call.includes("InvalidPermission.NotFound"), action);
  }
});

test("endpoints of KMS and STS serve this account only", () => {
  const interfaces = Object.values(resourcesOf(template, "AWS::EC2::VPCEndpoint")).filter(({ Properties }) => Properties.VpcEndpointType === "Interface");
  assert.equal(interfaces.length, 2);
  for (const { Properties } of interfaces) {
    assert.match(JSON.stringify(Properties.PolicyDocument), /"aws:PrincipalAccount":"123456789012"/);
    assert.equal(Properties.PrivateDnsEnabled, true);
  }
});
