import { Stack, type StackProps } from "aws-cdk-lib";
import type * as kms from "aws-cdk-lib/aws-kms";
import type * as s3 from "aws-cdk-lib/aws-s3";
import type * as sns from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";

import type { Settings } from "./config.ts";
import { Topics } from "./notifications/topics.ts";
import { replicaKeyAlias } from "./replica-stack.ts";
import type { StatefulResources } from "./stateful-resources.ts";
import { AuditTrail } from "./storage/audit-trail.ts";
import { LakeBucket } from "./storage/lake-bucket.ts";
import { LakeKey } from "./storage/lake-key.ts";
import { LogBucket } from "./storage/log-bucket.ts";
import { Replication } from "./storage/replication.ts";

/** Days for which records of who wrote to the lake are kept: seven years. */
const AUDIT_DAYS = 2557;
/** Days for which nobody may delete them. */
const AUDIT_LOCKED_DAYS = 366;

/** Properties of {@link SluiceStatefulStack}. */
export interface SluiceStatefulStackProps extends StackProps {
  /** Settings of the environment. */
  readonly settings: Settings;
}

/** What must outlive every deployment. It cannot be deleted by mistake: the stack is protected, and its buckets and key stay when it is deleted. */
export class SluiceStatefulStack extends Stack implements StatefulResources {
  readonly lake: s3.IBucket;
  readonly key: kms.IKey;
  readonly runs: sns.ITopic;
  readonly critical: sns.ITopic;
  readonly warning: sns.ITopic;

  constructor(scope: Construct, id: string, props: SluiceStatefulStackProps) {
    super(scope, id, { ...props, terminationProtection: true });
    const { settings } = props;
    const { key } = new LakeKey(this, "Key", { environment: settings.environment });
    const access = new LogBucket(this, "AccessLogs", { name: `${settings.lake.bucket}-access` });
    const audit = new LogBucket(this, "Audit", { name: `${settings.lake.bucket}-audit`, keptDays: AUDIT_DAYS, lockedDays: AUDIT_LOCKED_DAYS, accessLogs: access.bucket });
    const replication = settings.replica && new Replication(this, "Replication", {
      source: settings.lake.bucket,
      target: settings.replica.bucket,
      targetRegion: settings.replica.region,
      targetKeyAlias: replicaKeyAlias(settings),
      key,
    });
    const { bucket } = new LakeBucket(this, "Lake", {
      settings,
      key,
      logs: access.bucket,
      ...(replication && { replication: replication.configuration }),
    });
    new AuditTrail(this, "Trail", { environment: settings.environment, lake: bucket, records: audit.bucket, key });
    const topics = new Topics(this, "Topics", { settings, key });
    this.lake = bucket;
    this.key = key;
    this.runs = topics.runs;
    this.critical = topics.critical;
    this.warning = topics.warning;
  }
}
