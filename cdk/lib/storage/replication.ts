import { Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import type * as s3 from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";

import { acknowledgeWildcards } from "../suppressions.ts";

/** Minutes within which S3 copies 99.99 % of objects by its service level, and after which it reports a delay. */
export const COPIED_WITHIN_MINUTES = 15;
/** Name of the rule, a dimension of S3's metrics. */
export const REPLICATION_RULE = "whole-lake";

/** Name of the role of an environment's replication: fixed, because the runbook takes its rights away when the lake's region is lost. */
export function replicationRoleName(environment: string): string {
  return `sluice-${environment}-replication`;
}

/** Properties of {@link Replication}. */
export interface ReplicationProps {
  /** Name of the lake's bucket. */
  readonly source: string;
  /** Name of the bucket that objects are copied to. */
  readonly target: string;
  /** Region of that bucket. */
  readonly targetRegion: string;
  /** Alias of the key there, such as alias/sluice-prod-replica. */
  readonly targetKeyAlias: string;
  /** Name of the role with which S3 copies. */
  readonly roleName: string;
  /** Key of the lake. */
  readonly key: kms.IKey;
}

/**
 * Copies every object of the lake to another region, within 15 minutes (replication time control), including deletions.
 *
 * S3 copies objects one by one and in no particular order, so a replica may already have a table's commit but not its files: `sluice
 * restore` finds the newest point at which all tables are consistent.
 */
export class Replication extends Construct {
  readonly configuration: s3.CfnBucket.ReplicationConfigurationProperty;

  constructor(scope: Construct, id: string, props: ReplicationProps) {
    super(scope, id);
    const { account, partition, region } = Stack.of(this);
    const source = `arn:${partition}:s3:::${props.source}`;
    const target = `arn:${partition}:s3:::${props.target}`;
    // The alias of a key is known before the key exists, its id is not; so the policy names the key by its alias.
    const targetKeys = `arn:${partition}:kms:${props.targetRegion}:${account}:key/*`;
    const role = new iam.Role(this, "Role", {
      roleName: props.roleName,
      assumedBy: new iam.ServicePrincipal("s3.amazonaws.com", { conditions: { StringEquals: { "aws:SourceAccount": account } } }),
      description: "S3 copies the lake to its replica",
      inlinePolicies: {
        Copy: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({ sid: "ReadSettings", actions: ["s3:GetReplicationConfiguration", "s3:ListBucket"], resources: [source] }),
            new iam.PolicyStatement({
              sid: "ReadVersions",
              actions: ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
              resources: [`${source}/*`],
            }),
            new iam.PolicyStatement({
              sid: "WriteCopies",
              actions: ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
              resources: [`${target}/*`],
            }),
            new iam.PolicyStatement({
              sid: "ReadEncrypted",
              actions: ["kms:Decrypt"],
              resources: [props.key.keyArn],
              conditions: { StringEquals: { "kms:ViaService": `s3.${region}.amazonaws.com` } },
            }),
            new iam.PolicyStatement({
              sid: "EncryptCopies",
              actions: ["kms:Encrypt", "kms:GenerateDataKey"],
              resources: [targetKeys],
              conditions: {
                StringEquals: { "kms:ViaService": `s3.${props.targetRegion}.amazonaws.com` },
                "ForAnyValue:StringEquals": { "kms:ResourceAliases": props.targetKeyAlias },
              },
            }),
          ],
        }),
      },
    });
    acknowledgeWildcards(role, new Map([
      [`${source}/*`, "every object of the lake is copied"],
      [`${target}/*`, "to the replica, under its own name"],
      [targetKeys, "ids of keys are not known before the keys exist: limited by the alias (kms:ResourceAliases) and to S3 (kms:ViaService)"],
    ]));
    const time = { minutes: COPIED_WITHIN_MINUTES };
    this.configuration = {
      role: role.roleArn,
      rules: [{
        id: REPLICATION_RULE,
        status: "Enabled",
        priority: 1,
        filter: { prefix: "" },
        deleteMarkerReplication: { status: "Enabled" },
        sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: "Enabled" } },
        destination: {
          bucket: target,
          encryptionConfiguration: {
            replicaKmsKeyId: `arn:${partition}:kms:${props.targetRegion}:${account}:${props.targetKeyAlias}`,
          },
          replicationTime: { status: "Enabled", time },
          metrics: { status: "Enabled", eventThreshold: time },
        },
      }],
    };
  }
}
