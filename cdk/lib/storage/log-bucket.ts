import { Duration } from "aws-cdk-lib";
import * as s3 from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";

import { skipChecks } from "../suppressions.ts";
import { KEPT_BUCKET } from "./kept-bucket.ts";

/** Properties of {@link LogBucket}. */
export interface LogBucketProps {
  /** Name of the bucket. */
  readonly name: string;
  /**
   * Days after which records expire.
   * @default 400
   */
  readonly keptDays?: number;
  /**
   * Days for which nobody may overwrite or delete a record, unless a role is given `s3:BypassGovernanceRetention`. Not for access
   * logs: S3 delivers none to a bucket with a default lock.
   * @default - no lock
   */
  readonly lockedDays?: number;
  /**
   * Receives the access logs of this bucket.
   * @default - none: it is the bucket of access logs, and logging its own access would never end
   */
  readonly accessLogs?: s3.IBucket;
}

/**
 * A bucket for records about other buckets: access logs, inventories, CloudTrail's events.
 *
 * It is encrypted by S3 itself, because S3 writes access logs only with its own key.
 */
export class LogBucket extends Construct {
  readonly bucket: s3.Bucket;

  constructor(scope: Construct, id: string, props: LogBucketProps) {
    super(scope, id);
    this.bucket = new s3.Bucket(this, "Bucket", {
      ...KEPT_BUCKET,
      bucketName: props.name,
      encryption: s3.BucketEncryption.S3_MANAGED,
      ...(props.accessLogs === undefined ? {} : { serverAccessLogsBucket: props.accessLogs, serverAccessLogsPrefix: `access/${id.toLowerCase()}/` }),
      ...(props.lockedDays === undefined ? {} : {
        objectLockEnabled: true,
        objectLockDefaultRetention: s3.ObjectLockRetention.governance(Duration.days(props.lockedDays)),
      }),
      lifecycleRules: [{
        id: "records-expire",
        expiration: Duration.days(props.keptDays ?? 400),
        noncurrentVersionExpiration: Duration.days(30),
        abortIncompleteMultipartUploadAfter: Duration.days(7),
      }],
    });
    if (props.accessLogs === undefined) {
      skipChecks(this.bucket, { id: "CKV_AWS_18", comment: "It holds the access logs themselves; logging its own access would never end." });
    }
    skipChecks(this.bucket, { id: "CKV_AWS_145", comment: "S3 writes access logs with its own key only, and CloudTrail encrypts its records itself." });
  }
}
