import { Stack } from "aws-cdk-lib";
import * as cloudtrail from "aws-cdk-lib/aws-cloudtrail";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as logs from "aws-cdk-lib/aws-logs";
import type * as s3 from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";

import { skipChecks } from "../suppressions.ts";
import { kept } from "./kept-bucket.ts";

/** Name of an environment's trail, as the policy of its key names it. */
export function trailName(environment: string): string {
  return `sluice-${environment}`;
}

/** Properties of {@link AuditTrail}. */
export interface AuditTrailProps {
  /** Name of the environment. */
  readonly environment: string;
  /** The lake. */
  readonly lake: s3.IBucket;
  /** Where records go. */
  readonly records: s3.IBucket;
  /** Encrypts them; its policy names the trail. */
  readonly key: kms.IKey;
}

/**
 * CloudTrail's records of who wrote and deleted objects of the lake.
 *
 * Only writes: the audit events of data-product say who reads data products, and records of reads would cost more than runs. A
 * run on Lambda writes some 40 objects; at $0.10 per 100,000 events, and $0.50 per GB in the log, a thousand runs cost 7 cents.
 */
export class AuditTrail extends Construct {
  constructor(scope: Construct, id: string, props: AuditTrailProps) {
    super(scope, id);
    const { account, region, partition } = Stack.of(this);
    const name = trailName(props.environment);
    const arn = `arn:${partition}:cloudtrail:${region}:${account}:trail/${name}`;
    const conditions = { StringEquals: { "aws:SourceArn": arn } };
    const cloudTrail = new iam.ServicePrincipal("cloudtrail.amazonaws.com");
    const access = [
      new iam.PolicyStatement({
        sid: "CloudTrailChecks", principals: [cloudTrail], actions: ["s3:GetBucketAcl"], resources: [props.records.bucketArn], conditions,
      }),
      new iam.PolicyStatement({
        sid: "CloudTrailWrites",
        principals: [cloudTrail],
        actions: ["s3:PutObject"],
        resources: [props.records.arnForObjects(`AWSLogs/${account}/*`)],
        conditions: { StringEquals: { "aws:SourceArn": arn, "s3:x-amz-acl": "bucket-owner-full-control" } },
      }),
    ];
    const added = access.map((statement) => props.records.addToResourcePolicy(statement).policyDependable);
    const group = new logs.LogGroup(this, "Log", {
      logGroupName: `/sluice/${props.environment}/trail`,
      encryptionKey: props.key,
      retention: logs.RetentionDays.ONE_YEAR,
      removalPolicy: kept,
    });
    const role = new iam.Role(this, "Role", {
      assumedBy: new iam.ServicePrincipal("cloudtrail.amazonaws.com", { conditions }),
      description: "CloudTrail writes to its log group",
      // In the role itself: CloudTrail tests the role when the trail is created.
      inlinePolicies: {
        log: new iam.PolicyDocument({
          statements: [new iam.PolicyStatement({
            sid: "WriteStreams", actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [group.logGroupArn],
          })],
        }),
      },
    });
    const trail = new cloudtrail.CfnTrail(this, "Trail", {
      trailName: name,
      isLogging: true,
      isMultiRegionTrail: false,
      includeGlobalServiceEvents: false,
      enableLogFileValidation: true,
      s3BucketName: props.records.bucketName,
      kmsKeyId: props.key.keyArn,
      cloudWatchLogsLogGroupArn: group.logGroupArn,
      cloudWatchLogsRoleArn: role.roleArn,
      advancedEventSelectors: [{
        name: "writes to the lake",
        fieldSelectors: [
          { field: "eventCategory", equalTo: ["Data"] },
          { field: "resources.type", equalTo: ["AWS::S3::Object"] },
          { field: "readOnly", equalTo: ["false"] },
          { field: "resources.ARN", startsWith: [props.lake.arnForObjects("")] },
        ],
      }],
    });
    added.forEach((dependable) => {
      if (dependable !== undefined) {
        trail.node.addDependency(dependable);
      }
    });
    skipChecks(trail,
      { id: "CKV_AWS_67", comment: "It records the lake's objects, which are in one region; the account's own trail records the rest." },
      { id: "CKV_AWS_252", comment: "No process handles single deliveries of records; alarms watch the functions." });
  }
}
