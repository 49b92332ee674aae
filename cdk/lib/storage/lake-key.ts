import { Duration, Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";

import { kept } from "./kept-bucket.ts";

/** Properties of {@link LakeKey}. */
export interface LakeKeyProps {
  /** Alias, such as alias/sluice-prod. */
  readonly alias: string;
  /** What it encrypts, for the console. */
  readonly description: string;
  /**
   * Name of the trail that may encrypt records with it; may end with *.
   * @default - no trail may
   */
  readonly trail?: string;
}

/**
 * A key that everything of an environment is encrypted with: the lake, topics, logs and settings of functions. The replica has one of its own.
 *
 * One key, because whoever may read the lake's documents may read the rest, and each key costs a dollar a month. Roles of this account
 * use it through their own policies; this policy is for services that have no role. The replica's key has the same statements, so that
 * an environment can use it from the moment when the replica becomes the lake.
 */
export class LakeKey extends Construct {
  readonly key: kms.Key;

  constructor(scope: Construct, id: string, props: LakeKeyProps) {
    super(scope, id);
    this.key = new kms.Key(this, "Key", {
      alias: props.alias,
      description: props.description,
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      removalPolicy: kept,
    });
    const { account, region, partition } = Stack.of(this);
    const trail = props.trail === undefined ? [] : trailStatements(`arn:${partition}:cloudtrail:${region}:${account}:trail/${props.trail}`);
    for (const statement of [...this.senders(), ...trail]) {
      this.key.addToResourcePolicy(statement);
    }
  }

  private senders(): iam.PolicyStatement[] {
    const { account, region, partition } = Stack.of(this);
    return [
      // CloudWatch Logs may encrypt groups of this account only.
      new iam.PolicyStatement({
        sid: "LogGroups",
        principals: [new iam.ServicePrincipal(`logs.${region}.amazonaws.com`)],
        actions: ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        resources: ["*"],
        conditions: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": `arn:${partition}:logs:${region}:${account}:log-group:*` } },
      }),
      // Alarms and the budget send to encrypted topics. EventBridge does not: SNS supports no condition for it, and our rules do not need it.
      new iam.PolicyStatement({
        sid: "SendersToTopics",
        principals: ["cloudwatch", "budgets"].map((service) => new iam.ServicePrincipal(`${service}.amazonaws.com`)),
        actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
        resources: ["*"],
        conditions: { StringEquals: { "aws:SourceAccount": account } },
      }),
    ];
  }
}

/** CloudTrail may encrypt records of these trails only. */
function trailStatements(trailArn: string): iam.PolicyStatement[] {
  const cloudTrail = new iam.ServicePrincipal("cloudtrail.amazonaws.com");
  const ofTheTrail = { "aws:SourceArn": trailArn };
  return [
    new iam.PolicyStatement({
      sid: "CloudTrailEncrypts",
      principals: [cloudTrail],
      actions: ["kms:GenerateDataKey*"],
      resources: ["*"],
      conditions: { ArnLike: ofTheTrail, StringLike: { "kms:EncryptionContext:aws:cloudtrail:arn": trailArn } },
    }),
    new iam.PolicyStatement({
      sid: "CloudTrailLooksAtTheKey", principals: [cloudTrail], actions: ["kms:DescribeKey"], resources: ["*"], conditions: { ArnLike: ofTheTrail },
    }),
  ];
}
