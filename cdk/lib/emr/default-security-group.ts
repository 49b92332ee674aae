import { Stack } from "aws-cdk-lib";
import type * as ec2 from "aws-cdk-lib/aws-ec2";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as logs from "aws-cdk-lib/aws-logs";
import { AwsCustomResource, type AwsSdkCall, PhysicalResourceId } from "aws-cdk-lib/custom-resources";
import { Construct } from "constructs";

import { removable } from "../functions/removable.ts";
import { skipChecks } from "../suppressions.ts";

/** Properties of {@link ClosedDefaultGroup}. */
export interface ClosedDefaultGroupProps {
  /** The network. */
  readonly vpc: ec2.CfnVPC;
  /** Encrypts the log. */
  readonly key: kms.IKey;
}

/**
 * Takes the rules out of the default security group of a network. AWS creates that group with every network and lets everything in it talk
 * to everything; CloudFormation cannot change it. Nothing of ours is in it: this is for what somebody launches one day without naming a group.
 */
export class ClosedDefaultGroup extends Construct {
  constructor(scope: Construct, id: string, props: ClosedDefaultGroupProps) {
    super(scope, id);
    const { account, region } = Stack.of(this);
    const group = props.vpc.attrDefaultSecurityGroup;
    const logGroup = new logs.LogGroup(this, "Log", { encryptionKey: props.key, retention: logs.RetentionDays.THREE_MONTHS, removalPolicy: removable });
    skipChecks(logGroup, { id: "CKV_AWS_338", comment: "Written during deployments only: whether a rule was taken out" });
    const role = new iam.Role(this, "Role", {
      description: "Takes the rules out of the default security group of the network of clusters",
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
      inlinePolicies: {
        close: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({
              sid: "TakeRulesOut", actions: ["ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"],
              resources: [`arn:aws:ec2:${region}:${account}:security-group/${group}`],
            }),
            new iam.PolicyStatement({ sid: "WriteOwnLog", actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [logGroup.logGroupArn] }),
          ],
        }),
      },
    });
    const close = (id: string, action: "revokeSecurityGroupIngress" | "revokeSecurityGroupEgress", rule: Record<string, unknown>): void => {
      const call: AwsSdkCall = {
        service: "EC2",
        action,
        parameters: { GroupId: group, IpPermissions: [{ IpProtocol: "-1", ...rule }] },
        physicalResourceId: PhysicalResourceId.of(id),
        // Somebody, or an earlier deployment, has taken it out already.
        ignoreErrorCodesMatching: "InvalidPermission.NotFound",
      };
      new AwsCustomResource(this, id, {
        onCreate: call,
        onUpdate: call,
        installLatestAwsSdk: false,
        logGroup,
        role,
      });
    };
    close("Inbound", "revokeSecurityGroupIngress", { UserIdGroupPairs: [{ GroupId: group, UserId: account }] });
    close("Outbound", "revokeSecurityGroupEgress", { IpRanges: [{ CidrIp: "0.0.0.0/0" }] });
    this.explain();
  }

  /** Evidence for the function that makes the calls, which is code of CDK and one per stack. */
  private explain(): void {
    const helper = Stack.of(this).node.children.find(({ node }) => node.id.startsWith("AWS679"));
    if (helper === undefined) {
      throw new Error(`${this.node.path}: AwsCustomResource created no helper function: check what this version of CDK does`);
    }
    const once = "Runs during deployments only, called by CloudFormation, which waits for it and reports its failure";
    skipChecks(helper,
      { id: "CKV_AWS_115", comment: once },
      { id: "CKV_AWS_116", comment: once },
      { id: "CKV_AWS_117", comment: "Reaches only EC2, over TLS and with IAM" },
      { id: "CKV_AWS_272", comment: "Code comes with aws-cdk-lib as an asset named by its content's hash" },
    );
  }
}
