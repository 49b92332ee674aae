import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { namesOf } from "../names.ts";
import { acknowledgeWildcards } from "../suppressions.ts";
import { servicePolicy, serviceWildcards, type ServicePolicyProps } from "./service-policy.ts";

/** Properties of {@link EmrRoles}. */
export interface EmrRolesProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Subnets of clusters. */
  readonly subnetIds: readonly string[];
  /** Security groups of clusters. */
  readonly groupIds: readonly string[];
  /** Key of the lake. */
  readonly key: kms.IKey;
  /** Key of clusters' disks. */
  readonly diskKey: kms.IKey;
  /** Folder for logs below the lake, such as emr-logs/. */
  readonly logFolder: string;
  /** Address of the zip with certificates, `s3://bucket/key`. */
  readonly certificates: string;
}

/**
 * The roles of the large engine: EMR's service, which launches instances; the instances, which read EMR's own packages and write logs; and
 * the script, which combines what process has read with the tables, and stages files. No role here may write a Delta log, and the script's
 * role is explicitly denied it.
 *
 * No managed policies: AWS's managed policy for instances allows reading and writing every bucket of the account.
 */
export class EmrRoles extends Construct {
  readonly service: iam.Role;
  readonly instance: iam.Role;
  readonly step: iam.Role;
  readonly instanceProfile: iam.CfnInstanceProfile;

  constructor(scope: Construct, id: string, props: EmrRolesProps) {
    super(scope, id);
    const { account, region, environment } = props.settings;
    const name = (kind: string): string => `sluice-${environment}-emr-${kind}`;
    // ARNs are written out: the instance's policy names the step's role, whose trust policy names the instance's role.
    const stepRoleArn = `arn:aws:iam::${account}:role/${name("step")}`;

    this.instance = new iam.Role(this, "Instance", {
      roleName: name("instance"),
      description: "Instances of clusters",
      assumedBy: new iam.ServicePrincipal("ec2.amazonaws.com"),
      inlinePolicies: { instance: instancePolicy(props, stepRoleArn) },
    });
    acknowledgeWildcards(this.instance, instanceWildcards(props));
    this.instanceProfile = new iam.CfnInstanceProfile(this, "Profile", {
      instanceProfileName: name("instance"), roles: [this.instance.roleName],
    });

    const instances = new iam.ArnPrincipal(this.instance.roleArn);
    this.step = new iam.Role(this, "Step", {
      roleName: name("step"), description: "Spark scripts", assumedBy: instances, inlinePolicies: { step: stepPolicy(props) },
    });
    // EMR names the session after the step.
    this.step.assumeRolePolicy?.addStatements(new iam.PolicyStatement({ principals: [instances], actions: ["sts:TagSession"] }));
    acknowledgeWildcards(this.step, stepWildcards(props));

    const service: ServicePolicyProps = {
      account, region, lake: namesOf(props.settings).lake, subnetIds: props.subnetIds, groupIds: props.groupIds,
      instanceRoleArn: this.instance.roleArn, keyArn: props.diskKey.keyArn,
    };
    this.service = new iam.Role(this, "Service", {
      roleName: name("service"),
      description: "EMR launches and ends instances",
      assumedBy: new iam.ServicePrincipal("elasticmapreduce.amazonaws.com", {
        conditions: {
          StringEquals: { "aws:SourceAccount": account },
          ArnLike: { "aws:SourceArn": `arn:aws:elasticmapreduce:${region}:${account}:*` },
        },
      }),
      inlinePolicies: { service: servicePolicy(service) },
    });
    acknowledgeWildcards(this.service, serviceWildcards(service));
  }
}

/** An object or folder below the lake. */
function below({ settings }: EmrRolesProps, path: string): string {
  return `arn:aws:s3:::${settings.lake.bucket}/${settings.lake.prefix}${path}`;
}

/** EMR's packages: buckets of AWS, named by release and region. */
function packagesOf({ settings }: EmrRolesProps): readonly [string, string] {
  return ["arn:aws:s3:::*elasticmapreduce*/*", `arn:aws:s3:::repo.${settings.region}.emr.amazonaws.com/*`];
}

function instancePolicy(props: EmrRolesProps, stepRoleArn: string): iam.PolicyDocument {
  return new iam.PolicyDocument({
    statements: [
      new iam.PolicyStatement({ sid: "ReadPackages", actions: ["s3:GetObject"], resources: [...packagesOf(props)] }),
      new iam.PolicyStatement({
        sid: "ReadCertificates", actions: ["s3:GetObject"], resources: [`arn:aws:s3:::${props.certificates.replace("s3://", "")}`],
      }),
      new iam.PolicyStatement({ sid: "WriteLogs", actions: ["s3:PutObject"], resources: [below(props, `${props.logFolder}*`)] }),
      // Instances encrypt their own disks, and logs and certificates are objects of the lake (emr/latest/ReleaseGuide/emr-encryption-create-keys).
      new iam.PolicyStatement({
        sid: "EncryptDisks",
        actions: ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"],
        resources: [props.diskKey.keyArn],
      }),
      new iam.PolicyStatement({
        sid: "UseLakeKeyThroughS3", actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [props.key.keyArn],
        conditions: { StringEquals: { "kms:ViaService": `s3.${props.settings.region}.amazonaws.com` } },
      }),
      new iam.PolicyStatement({ sid: "BecomeTheScript", actions: ["sts:AssumeRole", "sts:TagSession"], resources: [stepRoleArn] }),
    ],
  });
}

function instanceWildcards(props: EmrRolesProps): ReadonlyMap<string, string> {
  const [packages, repository] = packagesOf(props);
  return new Map([
    [packages, "EMR's packages: buckets of AWS without any of our data, named by release and region; read only"],
    [repository, "EMR's packages: a bucket of AWS without any of our data; read only"],
    [below(props, `${props.logFolder}*`), "logs of clusters, each in a folder that EMR names after the cluster"],
  ]);
}

/** Layers with tables that a script combines. Those of bronze, quarantine and delete events are what process has staged. */
const COMBINED = ["silver", "gold"];

/** What a script reads: rows and delete events that process has left for it, tables, and itself. Deliveries were read by process. */
function readBySteps(props: EmrRolesProps): string[] {
  return ["parts", "deletes", ...COMBINED, "runs"].map((folder) => below(props, `${folder}/*`));
}

/** Where a script writes: folders with the id of its run. */
function writtenBySteps(props: EmrRolesProps): string[] {
  return [...COMBINED.map((layer) => `${layer}/*/spark-*`), "runs/*/metrics-*", "runs/*/scratch-*"].map((path) => below(props, path));
}

function stepPolicy(props: EmrRolesProps): iam.PolicyDocument {
  const { account, region, lake } = props.settings;
  const conditions = { StringEquals: { "s3:ResourceAccount": account } };
  return new iam.PolicyDocument({
    statements: [
      new iam.PolicyStatement({ sid: "ListLake", actions: ["s3:ListBucket"], resources: [`arn:aws:s3:::${lake.bucket}`], conditions }),
      new iam.PolicyStatement({ sid: "ReadLake", actions: ["s3:GetObject"], resources: readBySteps(props), conditions }),
      new iam.PolicyStatement({
        sid: "StageFiles", actions: ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], resources: writtenBySteps(props), conditions,
      }),
      new iam.PolicyStatement({
        sid: "NeverCommit", effect: iam.Effect.DENY, actions: ["s3:PutObject", "s3:DeleteObject"], resources: [below(props, "*/_delta_log/*")],
      }),
      new iam.PolicyStatement({
        sid: "UseLakeKeyThroughS3", actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [props.key.keyArn],
        conditions: { StringEquals: { "kms:ViaService": `s3.${region}.amazonaws.com` } },
      }),
    ],
  });
}

function stepWildcards(props: EmrRolesProps): ReadonlyMap<string, string> {
  return new Map([
    ...readBySteps(props).map((one) => [one, "a script reads the tables of its pipeline and the rows that were read for its run; names of both are only known at run time"] as const),
    ...writtenBySteps(props).map((one) => [one, "a script stages files in folders that hold its run's id"] as const),
  ]);
}
