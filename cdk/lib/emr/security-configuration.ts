import * as emr from "aws-cdk-lib/aws-emr";
import type * as kms from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";

/** Properties of {@link EmrSecurity}. */
export interface EmrSecurityProps {
  /** Encrypts objects and disks. */
  readonly key: kms.IKey;
  /** Address of a zip with PEM files, `s3://bucket/key`, by which instances of a cluster encrypt what they send each other. */
  readonly certificates: string;
}

/**
 * How clusters are secured: S3 objects and disks encrypted with the lake's key, traffic between instances by TLS, metadata of instances
 * by IMDSv2 alone, scripts under a role of their own.
 *
 * The certificates are the operator's. EMR takes PEM files from S3 or a Java class, and an app could make the first only with a private key
 * in its template. A self-signed one does, for `*.<region>.compute.internal` (`*.ec2.internal` in us-east-1): instances of a cluster talk
 * to each other with it and to nobody else. Renewing it is putting a new zip in its place, which the next cluster takes.
 */
export class EmrSecurity extends Construct {
  /** Its name. CloudFormation makes it up: a change makes a new one, which could not have the name of the old one. */
  readonly name: string;

  constructor(scope: Construct, id: string, props: EmrSecurityProps) {
    super(scope, id);
    const configuration = new emr.CfnSecurityConfiguration(this, "Configuration", {
      securityConfiguration: {
        EncryptionConfiguration: {
          EnableAtRestEncryption: true,
          EnableInTransitEncryption: true,
          AtRestEncryptionConfiguration: {
            S3EncryptionConfiguration: { EncryptionMode: "SSE-KMS", AwsKmsKey: props.key.keyArn },
            LocalDiskEncryptionConfiguration: {
              EncryptionKeyProviderType: "AwsKms", AwsKmsKey: props.key.keyArn, EnableEbsEncryption: true,
            },
          },
          InTransitEncryptionConfiguration: {
            TLSCertificateConfiguration: { CertificateProviderType: "PEM", S3Object: props.certificates },
          },
        },
        InstanceMetadataServiceConfiguration: { MinimumInstanceMetadataServiceVersion: 2, HttpPutResponseHopLimit: 1 },
        AuthorizationConfiguration: { IAMConfiguration: { EnableApplicationScopedIAMRole: true } },
      },
    });
    this.name = configuration.ref;
  }
}
