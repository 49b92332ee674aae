import type * as kms from "aws-cdk-lib/aws-kms";
import type * as s3 from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { CLUSTER_LOG_FOLDER } from "../storage/lake-lifecycle.ts";
import { DiskKey } from "./disk-key.ts";
import { EmrNetwork } from "./network.ts";
import { EmrRoles } from "./roles.ts";
import { EmrSecurity } from "./security-configuration.ts";

/** Properties of {@link EmrEnvironment}. */
export interface EmrEnvironmentProps {
  /** Settings of the environment; they have the large engine. */
  readonly settings: Settings;
  /** The lake. */
  readonly lake: s3.IBucket;
  /** Its key. */
  readonly key: kms.IKey;
}

/** Everything that clusters need before they are launched. It creates no cluster: start-emr launches one per run, and terminate ends it. */
export class EmrEnvironment extends Construct {
  /** Variables of start-emr, as shared/aws/src/env.rs names them. */
  readonly environment: Record<string, string>;
  /** Runtime role of scripts. */
  readonly stepRoleArn: string;
  /** Values for the placeholders of iam/*.json. */
  readonly substitutions: { readonly EmrServiceRoleArn: string; readonly EmrInstanceRoleArn: string; readonly EmrStepRoleArn: string };

  constructor(scope: Construct, id: string, props: EmrEnvironmentProps) {
    super(scope, id);
    const { settings, lake, key } = props;
    if (settings.emr === undefined) {
      throw new Error(`environment ${settings.environment} has no large engine`);
    }
    const { key: diskKey } = new DiskKey(this, "Disks", { environment: settings.environment });
    const network = new EmrNetwork(this, "Network", { cidr: settings.emr.cidr, key });
    const { primary, core, service } = network.groups;
    const groupIds = [primary, core, service].map((group) => group.securityGroupId);
    const { certificates } = settings.emr;
    const roles = new EmrRoles(this, "Roles", {
      settings, key, diskKey, subnetIds: network.subnetIds, groupIds, logFolder: CLUSTER_LOG_FOLDER, certificates,
    });
    const security = new EmrSecurity(this, "Security", { key, diskKey, certificates });
    this.environment = {
      SLUICE_EMR_RELEASE: settings.emr.release,
      SLUICE_EMR_LOG_URI: `s3://${lake.bucketName}/${settings.lake.prefix}${CLUSTER_LOG_FOLDER}`,
      SLUICE_EMR_SUBNETS: network.subnetIds.join(","),
      SLUICE_EMR_SERVICE_ROLE: roles.service.roleName,
      SLUICE_EMR_INSTANCE_PROFILE: roles.instanceProfile.ref,
      SLUICE_EMR_SECURITY_CONFIGURATION: security.name,
      SLUICE_EMR_SECURITY_GROUPS: groupIds.join(","),
      SLUICE_EMR_MAX_UNITS: String(settings.emr.maxUnits),
      ...(Object.keys(settings.tags).length === 0 ? {} : { SLUICE_EMR_TAGS: tagsOf(settings) }),
    };
    this.stepRoleArn = roles.step.roleArn;
    this.substitutions = {
      EmrServiceRoleArn: roles.service.roleArn, EmrInstanceRoleArn: roles.instance.roleArn, EmrStepRoleArn: roles.step.roleArn,
    };
  }
}

/** Tags for the bill, as start-emr reads them. The check of the settings has already validated them. */
function tagsOf({ tags }: Settings): string {
  return Object.entries(tags).map(([tag, value]) => `${tag}=${value}`).join(",");
}
