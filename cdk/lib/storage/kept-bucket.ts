import { RemovalPolicy } from "aws-cdk-lib";
import * as s3 from "aws-cdk-lib/aws-s3";

/**
 * What happens to whatever must outlive its stack: kept when the stack is deleted or changed, but removed when its very creation is rolled
 * back. Otherwise a first deployment that fails would leave buckets and groups behind whose names the second could not use.
 */
export const kept = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;

/** Properties of every bucket: private, reached only over TLS, versioned, and kept when its stack is deleted. */
export const KEPT_BUCKET = {
  blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
  objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
  enforceSSL: true,
  minimumTLSVersion: 1.2,
  versioned: true,
  removalPolicy: kept,
} as const satisfies s3.BucketProps;
