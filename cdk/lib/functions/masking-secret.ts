import type * as kms from "aws-cdk-lib/aws-kms";
import * as secretsmanager from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";

import { kept } from "../storage/kept-bucket.ts";
import { acknowledge, skipChecks } from "../suppressions.ts";

/** Properties of {@link MaskingSecret}. */
export interface MaskingSecretProps {
  /** Environment, for the description. */
  readonly environment: string;
  /** Encrypts it. */
  readonly key: kms.IKey;
  /**
   * Where a copy is kept, for the environment that takes over there: masked values must stay the same.
   * @default - nowhere
   */
  readonly copy?: { readonly region: string; readonly keyAlias: string };
}

/**
 * The secret that masks, cursors and addresses are keyed with.
 *
 * CloudFormation generates it, and data-product, which has its ARN (`SLUICE_SECRET_ARN`), fetches it when an environment of the function
 * starts: it is in no template, parameter, log or variable. Only whoever may read the secret (`secretsmanager:GetSecretValue` on it, and
 * `kms:Decrypt` on the lake's key through Secrets Manager) sees it; CloudTrail records each time.
 *
 * It is kept when the stack is deleted: consumers have stored masked values and join by them, and a new secret would change all of them.
 */
export class MaskingSecret extends Construct {
  /** Its ARN. */
  readonly arn: string;

  constructor(scope: Construct, id: string, props: MaskingSecretProps) {
    super(scope, id);
    // L1: the L2 construct would give the whole account access to the key through Secrets Manager.
    const secret = new secretsmanager.CfnSecret(this, "Secret", {
      description: `Keys masks, cursors and addresses of Sluice in ${props.environment}; never change it without need`,
      kmsKeyId: props.key.keyArn,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      ...(props.copy && { replicaRegions: [{ region: props.copy.region, kmsKeyId: props.copy.keyAlias }] }),
    });
    secret.applyRemovalPolicy(kept);
    this.arn = secret.ref;
    const reason = "Rotating changes every masked value that consumers have stored and joined by; it is changed only after a leak, by hand";
    acknowledge(secret, { id: "AwsSolutions-SMG4", reason });
    skipChecks(secret, { id: "CKV2_AWS_57", comment: reason });
  }
}
