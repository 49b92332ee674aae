import { CfnOutput } from "aws-cdk-lib";
import * as acm from "aws-cdk-lib/aws-certificatemanager";
import * as apigateway from "aws-cdk-lib/aws-apigateway";
import { Construct } from "constructs";

/** Properties of {@link OwnDomain}. */
export interface OwnDomainProps {
  /** Name, such as data.example.com. */
  readonly name: string;
  /** ARN of a certificate for it in this region. */
  readonly certificateArn: string;
  /** What is reached by it. */
  readonly api: apigateway.RestApi;
}

/**
 * A name of your own. DNS is yours, too: point the name at the output (a CNAME, or an alias in Route 53), since a zone would have to be
 * looked up when the app is synthesized.
 */
export class OwnDomain extends Construct {
  constructor(scope: Construct, id: string, props: OwnDomainProps) {
    super(scope, id);
    const domain = new apigateway.DomainName(this, "Domain", {
      domainName: props.name,
      certificate: acm.Certificate.fromCertificateArn(this, "Certificate", props.certificateArn),
      endpointType: apigateway.EndpointType.REGIONAL,
      securityPolicy: apigateway.SecurityPolicy.TLS_1_2,
      mapping: props.api,
    });
    new CfnOutput(this, "PointTo", { description: `${props.name} must point here`, value: domain.domainNameAliasDomainName });
  }
}
