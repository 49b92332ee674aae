import { CfnOutput } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
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

/**
 * A role for each pipeline that others deliver to: whoever the settings name assumes it and may then put files into the pipeline's landing
 * folder, and nothing else. It may neither read nor delete nor list, so that a producer does not see what another one delivered.
 *
 * A role instead of a bucket policy, because it serves another account, a program of this one and an SFTP server of AWS Transfer Family
 * alike, needs no right on the key in the other account, and works with a bucket that another stack manages.
 */
export class Producers extends Construct {
  constructor(scope: Construct, id: string, props: ProducersProps) {
    super(scope, id);
    for (const { name, landingFolder, settings: { producers } } of props.pipelines) {
      if (producers !== undefined) {
        const role = this.makeRole(name, landingFolder, producers, props);
        new CfnOutput(this, `${name}-role`, { description: `Role that producers of ${name} assume`, value: role.roleArn });
      }
    }
  }

  private makeRole(name: string, landingFolder: string, producers: readonly string[], { settings, prefix, key }: ProducersProps): iam.Role {
    const { account, region, lake } = settings;
    const landing = `arn:aws:s3:::${lake.bucket}/${lake.prefix}${landingFolder}*`;
    const role = new iam.Role(this, name, {
      roleName: `${prefix}-deliver-${name.replaceAll("_", "-")}`,
      description: `Puts files into ${landingFolder} of the lake`,
      assumedBy: new iam.CompositePrincipal(...producers.map((producer) => principalOf(producer, account))),
      inlinePolicies: {
        deliver: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({ sid: "PutFiles", actions: ["s3:PutObject", "s3:AbortMultipartUpload"], resources: [landing] }),
            // S3 needs Decrypt to join the parts of a large file.
            new iam.PolicyStatement({
              sid: "UseLakeKeyThroughS3", actions: ["kms:GenerateDataKey", "kms:Decrypt"], resources: [key.keyArn],
              conditions: { StringEquals: { "kms:ViaService": `s3.${region}.amazonaws.com` } },
            }),
          ],
        }),
      },
    });
    acknowledgeWildcards(role, new Map([[landing, "Producers choose the names of their files; the folder is that of one pipeline"]]));
    return role;
  }
}

function principalOf(producer: string, account: string): iam.IPrincipal {
  if (producer.startsWith("arn:")) {
    return new iam.ArnPrincipal(producer);
  }
  return producer.endsWith(".amazonaws.com")
    ? new iam.ServicePrincipal(producer, { conditions: { StringEquals: { "aws:SourceAccount": account } } })
    : new iam.ArnPrincipal(`arn:aws:iam::${producer}:root`);
}
