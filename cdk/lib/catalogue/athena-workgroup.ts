import * as athena from "aws-cdk-lib/aws-athena";
import type * as kms from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { ATHENA_FOLDER } from "../storage/lake-lifecycle.ts";

/** Properties of {@link AthenaWorkgroup}. */
export interface AthenaWorkgroupProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Prefix of names. */
  readonly prefix: string;
  /** Encrypts answers. */
  readonly key: kms.IKey;
}

/** Bytes that one query may read: 1 TiB, $5. */
const MOST_BYTES = 1024 ** 4;

/**
 * Where the team queries the tables of the catalogue: answers go to a folder of the lake, encrypted with its key, and expire. A caller
 * cannot send them anywhere else, and no query reads more than a terabyte.
 */
export class AthenaWorkgroup extends Construct {
  constructor(scope: Construct, id: string, props: AthenaWorkgroupProps) {
    super(scope, id);
    const { account, environment, lake } = props.settings;
    new athena.CfnWorkGroup(this, "Workgroup", {
      name: props.prefix,
      description: `Queries of the tables of Sluice ${environment}`,
      // Deleted with its history of queries; the answers are in the lake.
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        engineVersion: { selectedEngineVersion: "Athena engine version 3" },
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: MOST_BYTES,
        resultConfiguration: {
          outputLocation: `s3://${lake.bucket}/${lake.prefix}${ATHENA_FOLDER}`,
          expectedBucketOwner: account,
          encryptionConfiguration: { encryptionOption: "SSE_KMS", kmsKey: props.key.keyArn },
        },
      },
    });
  }
}
