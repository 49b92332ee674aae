import type * as kms from "aws-cdk-lib/aws-kms";
import * as s3 from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { skipChecks } from "../suppressions.ts";
import { tellEventBridge } from "./event-bridge.ts";
import { KEPT_BUCKET } from "./kept-bucket.ts";
import { lakeLifecycle } from "./lake-lifecycle.ts";

/** Properties of {@link LakeBucket}. */
export interface LakeBucketProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Encrypts the objects. */
  readonly key: kms.IKey;
  /** Receives access logs and the inventory. */
  readonly logs: s3.IBucket;
  /**
   * Where objects are copied to.
   * @default - nowhere
   */
  readonly replication?: s3.CfnBucket.ReplicationConfigurationProperty;
}

/** The lake: versioned, encrypted, with events to EventBridge, and kept when its stack is deleted. */
export class LakeBucket extends Construct {
  readonly bucket: s3.Bucket;

  constructor(scope: Construct, id: string, props: LakeBucketProps) {
    super(scope, id);
    const { lake } = props.settings;
    this.bucket = new s3.Bucket(this, "Bucket", {
      ...KEPT_BUCKET,
      bucketName: lake.bucket,
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: props.key,
      // One data key for many objects: a run writes hundreds of files, and each call to KMS costs.
      bucketKeyEnabled: true,
      serverAccessLogsBucket: props.logs,
      serverAccessLogsPrefix: "access/lake/",
      inventories: [{
        inventoryId: "weekly",
        destination: { bucket: props.logs, prefix: "inventory" },
        format: s3.InventoryFormat.PARQUET,
        frequency: s3.InventoryFrequency.WEEKLY,
        includeObjectVersions: s3.InventoryObjectVersion.ALL,
        optionalFields: ["Size", "LastModifiedDate", "StorageClass", "ReplicationStatus", "EncryptionStatus"],
      }],
      lifecycleRules: lakeLifecycle(lake),
    });
    tellEventBridge(this.bucket);
    if (props.replication === undefined) {
      skipChecks(this.bucket, { id: "CKV_AWS_144", comment: "This environment has no replica; `replica` in its settings creates one." });
    } else {
      this.replicate(props.replication);
    }
  }

  private replicate(replication: s3.CfnBucket.ReplicationConfigurationProperty): void {
    const resource = this.bucket.node.defaultChild;
    if (resource instanceof s3.CfnBucket) {
      // CDK's own rules only accept buckets of this app, and the replica is referred to by name, without references between regions.
      resource.replicationConfiguration = replication;
    }
  }
}
