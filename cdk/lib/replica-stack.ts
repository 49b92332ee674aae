import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import * as s3 from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";

import type { Settings } from "./config.ts";
import { trailName } from "./storage/audit-trail.ts";
import { tellEventBridge } from "./storage/event-bridge.ts";
import { KEPT_BUCKET } from "./storage/kept-bucket.ts";
import { LakeKey } from "./storage/lake-key.ts";
import { lakeLifecycle } from "./storage/lake-lifecycle.ts";
import { LogBucket } from "./storage/log-bucket.ts";
import { skipChecks } from "./suppressions.ts";

/** Properties of {@link SluiceReplicaStack}. */
export interface SluiceReplicaStackProps extends StackProps {
  /** Settings of the environment; they name a replica. */
  readonly settings: Settings;
}

/** Alias of the replica's key: a fixed name, so that the lake's stack does not have to look it up in the other region. */
export function replicaKeyAlias(settings: Settings): string {
  return `alias/sluice-${settings.environment}-replica`;
}

/** The second region: a bucket with a copy of every object of the lake. It is deployed first, because S3 checks that it exists when the lake is created. */
export class SluiceReplicaStack extends Stack {
  constructor(scope: Construct, id: string, props: SluiceReplicaStackProps) {
    super(scope, id, { ...props, terminationProtection: true });
    const { settings } = props;
    if (settings.replica === undefined) {
      throw new Error(`environment ${settings.environment} names no replica`);
    }
    const { key } = new LakeKey(this, "Key", {
      alias: replicaKeyAlias(settings),
      description: `Sluice ${settings.environment}: replica of the lake`,
      // The environment that uses the replica as its lake has another name, which is not known yet.
      trail: trailName("*"),
    });
    const access = new LogBucket(this, "AccessLogs", { name: `${settings.replica.bucket}-access` });
    const bucket = new s3.Bucket(this, "Replica", {
      ...KEPT_BUCKET,
      bucketName: settings.replica.bucket,
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: key,
      bucketKeyEnabled: true,
      serverAccessLogsBucket: access.bucket,
      serverAccessLogsPrefix: "access/replica/",
      lifecycleRules: lakeLifecycle(settings.lake),
    });
    // Once it is promoted it is a lake: deliveries then start runs.
    tellEventBridge(bucket);
    new CfnOutput(this, "KeyArn", { description: "lake.existing.keyArn of the environment that uses the replica as its lake", value: key.keyArn });
    skipChecks(bucket, { id: "CKV_AWS_144", comment: "It is the copy." });
  }
}
