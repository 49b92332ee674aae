import * as s3 from "aws-cdk-lib/aws-s3";

/**
 * Has a bucket tell EventBridge of its objects, as CloudFormation does it. The property `eventBridgeEnabled` of CDK's bucket adds a
 * function that calls S3, with a managed policy and rights on every bucket.
 */
export function tellEventBridge(bucket: s3.Bucket): void {
  const resource = bucket.node.defaultChild;
  if (!(resource instanceof s3.CfnBucket)) {
    throw new TypeError(`${bucket.node.path} is no bucket of CloudFormation`);
  }
  resource.notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } };
}
