import * as ec2 from "aws-cdk-lib/aws-ec2";
import type { Construct } from "constructs";

/** Port on which EMR's service reaches instances in a private subnet, and the port on which the primary instance reaches the service. */
const EMR_TO_CLUSTER_PORT = 8443;
const CLUSTER_TO_EMR_PORT = 9443;

/** Security groups of clusters. */
export interface ClusterGroups {
  /** Security group of the primary instance. */
  readonly primary: ec2.SecurityGroup;
  /** Security group of core and task instances. */
  readonly core: ec2.SecurityGroup;
  /** Security group of EMR's service, for access to instances in a private subnet. */
  readonly service: ec2.SecurityGroup;
  /** Security group of the endpoints that instances call. */
  readonly endpoints: ec2.SecurityGroup;
}

/**
 * Security groups with the rules that EMR requires (emr/latest/ManagementGuide/emr-man-sec-groups), so that EMR does not have to add any: a
 * cluster reaches itself, S3 and the endpoints. Only EMR reaches a cluster; no port is open for logging in.
 */
export function clusterGroups(scope: Construct, vpc: ec2.IVpc): ClusterGroups {
  const group = (name: string, description: string): ec2.SecurityGroup =>
    new ec2.SecurityGroup(scope, name, { vpc, description, allowAllOutbound: false });
  const primary = group("Primary", "Primary instances of clusters");
  const core = group("Core", "Core and task instances of clusters");
  const service = group("Service", "The service of EMR");
  const endpoints = group("Endpoints", "Endpoints of KMS and STS");
  for (const from of [primary, core]) {
    for (const to of [primary, core]) {
      for (const port of [ec2.Port.allTcp(), ec2.Port.allUdp(), ec2.Port.allIcmp()]) {
        from.addEgressRule(to, port, "instances of a cluster among themselves");
        to.addIngressRule(from, port, "instances of a cluster among themselves");
      }
    }
    from.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.HTTPS, "S3 by its gateway endpoint; there is no other way out");
    endpoints.addIngressRule(from, ec2.Port.HTTPS, "instances to KMS and STS");
    service.addEgressRule(from, ec2.Port.tcp(EMR_TO_CLUSTER_PORT), "the service to instances");
    from.addIngressRule(service, ec2.Port.tcp(EMR_TO_CLUSTER_PORT), "the service to instances");
  }
  primary.addEgressRule(service, ec2.Port.tcp(CLUSTER_TO_EMR_PORT), "answers to the service");
  service.addIngressRule(primary, ec2.Port.tcp(CLUSTER_TO_EMR_PORT), "answers of the primary instance");
  return { primary, core, service, endpoints };
}
