import { Stack, type StackProps } from "aws-cdk-lib";
import * as kms from "aws-cdk-lib/aws-kms";
import * as s3 from "aws-cdk-lib/aws-s3";
import type * as sns from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";

import type { Settings } from "./config.ts";
import { Topics } from "./notifications/topics.ts";
import { replicaKeyAlias } from "./replica-stack.ts";
import type { StatefulResources } from "./stateful-resources.ts";
import { AuditTrail, trailName } from "./storage/audit-trail.ts";
import { LakeBucket } from "./storage/lake-bucket.ts";
import { LakeKey } from "./storage/lake-key.ts";
import { LogBucket } from "./storage/log-bucket.ts";
import { Replication, replicationRoleName } from "./storage/replication.ts";

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
  private access: s3.IBucket | undefined;

  constructor(scope: Construct, id: string, props: SluiceStatefulStackProps) {
    super(scope, id, { ...props, terminationProtection: true });
    const { settings } = props;
    const { existing } = settings.lake;
    const { lake, key } = existing === undefined ? this.makeLake(settings) : this.useLake(settings.lake.bucket, existing);
    this.lake = lake;
    this.key = key;
    if (settings.auditTrail) {
      this.recordWrites(settings);
    }
    const topics = new Topics(this, "Topics", { settings, key });
    this.runs = topics.runs;
    this.critical = topics.critical;
    this.warning = topics.warning;
  }

  private makeLake(settings: Settings): { lake: s3.IBucket; key: kms.IKey } {
    const { environment } = settings;
    const { key } = new LakeKey(this, "Key", {
      alias: `alias/sluice-${environment}`,
      description: `Sluice ${environment}: lake, topics, logs and settings of functions`,
      ...(settings.auditTrail ? { trail: trailName(environment) } : {}),
    });
    const replication = settings.replica && new Replication(this, "Replication", {
      source: settings.lake.bucket,
      target: settings.replica.bucket,
      targetRegion: settings.replica.region,
      targetKeyAlias: replicaKeyAlias(settings),
      roleName: replicationRoleName(environment),
      key,
    });
    const { bucket } = new LakeBucket(this, "Lake", {
      settings,
      key,
      logs: this.accessLogs(settings),
      ...(replication && { replication: replication.configuration }),
    });
    return { lake: bucket, key };
  }

  /** Another stack, or nobody, manages bucket and key: their policies, rules and logs stay as they are. */
  private useLake(bucketName: string, { keyArn }: NonNullable<Settings["lake"]["existing"]>): { lake: s3.IBucket; key: kms.IKey } {
    return { lake: s3.Bucket.fromBucketName(this, "Lake", bucketName), key: kms.Key.fromKeyArn(this, "Key", keyArn) };
  }

  private recordWrites(settings: Settings): void {
    const audit = new LogBucket(this, "Audit", {
      name: `${settings.lake.bucket}-audit`, keptDays: AUDIT_DAYS, lockedDays: AUDIT_LOCKED_DAYS, accessLogs: this.accessLogs(settings),
    });
    new AuditTrail(this, "Trail", { environment: settings.environment, lake: this.lake, records: audit.bucket, key: this.key });
  }

  /** The bucket of access logs. That of an existing lake belongs to whoever manages the lake, so this one gets a name of its own. */
  private accessLogs({ lake }: Settings): s3.IBucket {
    this.access ??= new LogBucket(this, "AccessLogs", { name: `${lake.bucket}-${lake.existing === undefined ? "access" : "records"}` }).bucket;
    return this.access;
  }
}
