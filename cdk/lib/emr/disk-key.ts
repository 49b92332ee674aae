import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as kms from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";

/** Properties of {@link DiskKey}. */
export interface DiskKeyProps {
  /** Name of the environment. */
  readonly environment: string;
}

/**
 * The key of clusters' disks. Instances use it directly, so any program on one can; with the lake's key, that program could decrypt whatever
 * of the lake it got hold of. Deleted with the stack: disks live for as long as a cluster, an hour or a few.
 */
export class DiskKey extends Construct {
  readonly key: kms.Key;

  constructor(scope: Construct, id: string, props: DiskKeyProps) {
    super(scope, id);
    this.key = new kms.Key(this, "Key", {
      alias: `alias/sluice-${props.environment}-disks`,
      description: `Sluice ${props.environment}: disks of clusters`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(7),
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }
}
