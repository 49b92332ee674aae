import * as s3 from "aws-cdk-lib/aws-s3";

/**
 * Makes a bucket send its object events to EventBridge, with CloudFormation's own property. The property `eventBridgeEnabled` of CDK's
 * bucket would add a function that calls S3, with a managed policy and rights on every bucket.
 */
export function tellEventBridge(bucket: s3.Bucket): void {
  const resource = bucket.node.defaultChild;
  if (!(resource instanceof s3.CfnBucket)) {
    throw new TypeError(`${bucket.node.path} has no CloudFormation bucket`);
  }
  resource.notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } };
}
