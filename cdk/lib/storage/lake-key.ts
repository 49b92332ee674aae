import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";

/** Properties of {@link LakeKey}. */
export interface LakeKeyProps {
  /** Name of the environment, for the key's alias. */
  readonly environment: string;
}

/**
 * The key that everything of an environment is encrypted with: the lake, topics, logs and settings of functions.
 *
 * One key, because whoever may read the lake's documents may read the rest, and each key costs a dollar a month. Roles of this account
 * use it through their own policies; this policy is for services that have no role. {@link AuditTrail} adds CloudTrail.
 */
export class LakeKey extends Construct {
  readonly key: kms.Key;

  constructor(scope: Construct, id: string, props: LakeKeyProps) {
    super(scope, id);
    const { account, region, partition } = Stack.of(this);
    this.key = new kms.Key(this, "Key", {
      alias: `alias/sluice-${props.environment}`,
      description: `Sluice ${props.environment}: lake, topics, logs and settings of functions`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      removalPolicy: RemovalPolicy.RETAIN,
    });
    // CloudWatch Logs may encrypt groups of this account only.
    this.key.addToResourcePolicy(new iam.PolicyStatement({
      sid: "LogGroups",
      principals: [new iam.ServicePrincipal(`logs.${region}.amazonaws.com`)],
      actions: ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
      resources: ["*"],
      conditions: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": `arn:${partition}:logs:${region}:${account}:log-group:*` } },
    }));
    // Alarms and the budget send to encrypted topics. EventBridge does not: SNS supports no condition for it, and our rules do not need it.
    this.key.addToResourcePolicy(new iam.PolicyStatement({
      sid: "SendersToTopics",
      principals: ["cloudwatch", "budgets"].map((service) => new iam.ServicePrincipal(`${service}.amazonaws.com`)),
      actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
      resources: ["*"],
      conditions: { StringEquals: { "aws:SourceAccount": account } },
    }));
  }
}
