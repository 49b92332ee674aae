import type * as kms from "aws-cdk-lib/aws-kms";
import type * as s3 from "aws-cdk-lib/aws-s3";
import type * as sns from "aws-cdk-lib/aws-sns";

/** What must outlive every deployment; the stateful stack creates it, the stateless stack uses it. */
export interface StatefulResources {
  /** The lake. */
  readonly lake: s3.IBucket;
  /** Encrypts the lake, topics, queues, logs and settings of functions. */
  readonly key: kms.IKey;
  /** Notified of every run: published, rejected, skipped, failed (SLUICE_TOPIC_ARN). */
  readonly runs: sns.ITopic;
  /** Notified when something is broken. */
  readonly critical: sns.ITopic;
  /** Notified of what can wait until morning. */
  readonly warning: sns.ITopic;
}
