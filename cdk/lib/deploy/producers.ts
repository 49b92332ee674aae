import { CfnOutput } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { nameWith } from "../names.ts";
import { acknowledgeWildcards } from "../suppressions.ts";
import type { DeployedPipeline } from "./pipeline-folder.ts";

/** Properties of {@link Producers}. */
export interface ProducersProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Prefix of names. */
  readonly prefix: string;
  /** Pipelines; those without producers are skipped. */
  readonly pipelines: readonly DeployedPipeline[];
  /** Encrypts the lake. */
  readonly key: kms.IKey;
}

/** A role of one pipeline. */
interface RoleProps {
  /** Id of the construct. */
  readonly id: string;
  /** Its name, without the prefix. */
  readonly name: string;
  /** Where it puts files: the folder of each source. */
  readonly landingFolders: readonly string[];
  /** Who assumes it. */
  readonly assumedBy: iam.IPrincipal;
  /** What it may do besides. */
  readonly more: readonly iam.PolicyStatement[];
}

/** AWS Transfer Family, which serves SFTP. */
const TRANSFER_FAMILY = "transfer.amazonaws.com";

/**
 * A role for each pipeline that others deliver to: whoever the settings name assumes it and may then put files into the pipeline's landing
 * folder, and nothing else. It may neither read nor delete nor list, so that a producer does not see what another one delivered.
 *
 * SFTP servers of AWS Transfer Family have a role of their own, which may also list the folder: clients of SFTP ask for it before they put a
 * file. Its users see the names of files, but cannot read them.
 *
 * Roles instead of a bucket policy, because they serve other accounts, programs of this one and SFTP servers alike, need no right on the key
 * in the other account, and work with a bucket that another stack manages.
 */
export class Producers extends Construct {
  constructor(scope: Construct, id: string, props: ProducersProps) {
    super(scope, id);
    for (const { name, landingFolders, settings: { producers } } of props.pipelines) {
      const others = producers?.filter((producer) => producer !== TRANSFER_FAMILY) ?? [];
      if (others.length > 0) {
        const assumedBy = new iam.CompositePrincipal(...others.map(principalOf));
        const role = this.makeRole({ id: name, name: `deliver-${name}`, landingFolders, assumedBy, more: [] }, props);
        new CfnOutput(this, `${name}-role`, { description: `Role that producers of ${name} assume`, value: role.roleArn });
      }
      if (producers?.includes(TRANSFER_FAMILY) === true) {
        const assumedBy = new iam.ServicePrincipal(TRANSFER_FAMILY, { conditions: { StringEquals: { "aws:SourceAccount": props.settings.account } } });
        const role = this.makeRole({ id: `${name}-sftp`, name: `sftp-${name}`, landingFolders, assumedBy, more: [listing(landingFolders, props)] }, props);
        new CfnOutput(this, `${name}-sftp-role`, { description: `Role for SFTP users who deliver to ${name}`, value: role.roleArn });
      }
    }
  }

  private makeRole({ id, name, landingFolders, assumedBy, more }: RoleProps, { settings, prefix, key }: ProducersProps): iam.Role {
    const { region, lake } = settings;
    const landing = landingFolders.map((folder) => `arn:aws:s3:::${lake.bucket}/${lake.prefix}${folder}*`);
    const role = new iam.Role(this, id, {
      roleName: nameWith(`${prefix}-${name}`),
      description: describe(landingFolders),
      assumedBy,
      inlinePolicies: {
        deliver: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({ sid: "PutFiles", actions: ["s3:PutObject", "s3:AbortMultipartUpload"], resources: landing }),
            ...more,
            // S3 needs Decrypt to join the parts of a large file.
            new iam.PolicyStatement({
              sid: "UseLakeKeyThroughS3", actions: ["kms:GenerateDataKey", "kms:Decrypt"], resources: [key.keyArn],
              conditions: { StringEquals: { "kms:ViaService": `s3.${region}.amazonaws.com` } },
            }),
          ],
        }),
      },
    });
    const why = "Producers choose the names of their files; the folder is that of one pipeline";
    acknowledgeWildcards(role, new Map(landing.map((resource) => [resource, why])));
    return role;
  }
}

/** IAM takes descriptions of up to 1000 characters, and twenty folders may have more; the policy of the role names them. */
function describe(landingFolders: readonly string[]): string {
  const all = `Puts files into ${landingFolders.join(", ")} of the lake`;
  return all.length <= 1000 ? all : `Puts files into the ${landingFolders.length.toString()} landing folders of a pipeline of the lake`;
}

/** An account, or the ARN of a role or user. */
function principalOf(producer: string): iam.IPrincipal {
  return new iam.ArnPrincipal(producer.startsWith("arn:") ? producer : `arn:aws:iam::${producer}:root`);
}

/** Listing the landing folders. The slash at the end of each keeps out the folder of another pipeline whose name begins the same way. */
function listing(landingFolders: readonly string[], { settings: { lake } }: ProducersProps): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: "ListFolder", actions: ["s3:ListBucket"], resources: [`arn:aws:s3:::${lake.bucket}`],
    conditions: { StringLike: { "s3:prefix": theOnlyOrAll(landingFolders.map((folder) => `${lake.prefix}${folder}*`)) } },
  });
}

/** Policies write one value without a list. */
function theOnlyOrAll(values: readonly string[]): string | readonly string[] {
  const [first, ...others] = values;
  return first !== undefined && others.length === 0 ? first : values;
}
