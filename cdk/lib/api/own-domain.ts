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
  /** The API that it leads to. */
  readonly api: apigateway.RestApi;
}

/**
 * A domain name of your own. You also manage its DNS: point the name at the output (a CNAME, or an alias in Route 53). The app does not do
 * it, because it would have to look up the zone during synthesis.
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
