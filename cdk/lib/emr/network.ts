import { Fn, RemovalPolicy, Stack } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as logs from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";

import { skipChecks } from "../suppressions.ts";
import { ClosedDefaultGroup } from "./default-security-group.ts";
import { clusterGroups, type ClusterGroups } from "./security-groups.ts";

/** Availability zones: EMR chooses the one with the best Spot capacity. */
const ZONES = 2;
/** Bits of an address that are a subnet's own: 4,096 addresses each. */
const SUBNET_BITS = 12;

/** Properties of {@link EmrNetwork}. */
export interface EmrNetworkProps {
  /** Address range, such as 10.60.0.0/16. */
  readonly cidr: string;
  /** Encrypts the flow log. */
  readonly key: kms.IKey;
}

/**
 * A network for clusters without internet access: private subnets, no NAT, no internet gateway. S3 is reached through a gateway endpoint,
 * which is free; KMS and STS through interface endpoints, because disks are encrypted and scripts run under a role of their own. Those two
 * cost some $29 a month in two zones ($0.01 an hour each), whether a cluster runs or not: that is the idle cost of the large engine.
 *
 * Made of CloudFormation's own resources: CDK's `Vpc` asks the account for its zones at synthesis, even when they are given.
 */
export class EmrNetwork extends Construct {
  /** Ids of the subnets. */
  readonly subnetIds: readonly string[];
  /** Security groups of clusters. */
  readonly groups: ClusterGroups;

  constructor(scope: Construct, id: string, props: EmrNetworkProps) {
    super(scope, id);
    const made = new ec2.CfnVPC(this, "Vpc", { cidrBlock: props.cidr, enableDnsHostnames: true, enableDnsSupport: true });
    const table = new ec2.CfnRouteTable(this, "Routes", { vpcId: made.ref });
    const zones = Array.from({ length: ZONES }, (_, index) => Fn.select(index, Fn.getAzs()));
    this.subnetIds = zones.map((availabilityZone, index) => {
      const subnet = new ec2.CfnSubnet(this, `Subnet${index + 1}`, {
        vpcId: made.ref,
        availabilityZone,
        cidrBlock: Fn.select(index, Fn.cidr(props.cidr, ZONES, String(SUBNET_BITS))),
        mapPublicIpOnLaunch: false,
      });
      new ec2.CfnSubnetRouteTableAssociation(this, `Routes${index + 1}`, { subnetId: subnet.ref, routeTableId: table.ref });
      return subnet.ref;
    });
    const vpc = ec2.Vpc.fromVpcAttributes(this, "Network", {
      vpcId: made.ref, vpcCidrBlock: props.cidr, availabilityZones: zones,
      isolatedSubnetIds: [...this.subnetIds], isolatedSubnetRouteTableIds: zones.map(() => table.ref),
    });
    this.groups = clusterGroups(this, vpc);
    this.s3Endpoint(made, table);
    for (const [name, service, action] of [
      ["Kms", ec2.InterfaceVpcEndpointAwsService.KMS, "kms:*"],
      ["Sts", ec2.InterfaceVpcEndpointAwsService.STS, "sts:*"],
    ] as const) {
      const endpoint = new ec2.InterfaceVpcEndpoint(this, name, {
        vpc, service, securityGroups: [this.groups.endpoints], open: false, subnets: { subnets: vpc.isolatedSubnets },
      });
      endpoint.addToPolicy(new iam.PolicyStatement({
        sid: "RolesOfThisAccount",
        principals: [new iam.AnyPrincipal()],
        actions: [action],
        resources: ["*"],
        conditions: { StringEquals: { "aws:PrincipalAccount": Stack.of(this).account } },
      }));
    }
    this.flowLog(made, props.key);
    new ClosedDefaultGroup(this, "DefaultGroup", { vpc: made, key: props.key });
  }

  /**
   * Through the endpoint, roles of this account reach what their own policies allow, and everybody reaches what EMR needs to start:
   * packages, and the place of its own logs (emr/latest/ManagementGuide/private-subnet-iampolicy). Credentials of another account reach
   * nothing else.
   */
  private s3Endpoint(vpc: ec2.CfnVPC, table: ec2.CfnRouteTable): void {
    const { account, region, partition } = Stack.of(this);
    const objects = (...buckets: string[]): string[] => buckets.map((bucket) => `arn:${partition}:s3:::${bucket}/*`);
    const everybody = [new iam.AnyPrincipal()];
    new ec2.CfnVPCEndpoint(this, "S3", {
      vpcId: vpc.ref,
      routeTableIds: [table.ref],
      serviceName: `com.amazonaws.${region}.s3`,
      vpcEndpointType: "Gateway",
      policyDocument: new iam.PolicyDocument({
        statements: [
          new iam.PolicyStatement({
            sid: "RolesOfThisAccount", principals: everybody, actions: ["s3:*"], resources: ["*"],
            conditions: { StringEquals: { "aws:PrincipalAccount": account } },
          }),
          new iam.PolicyStatement({
            sid: "Packages", principals: everybody, actions: ["s3:GetObject"],
            resources: objects(`al2023-repos-${region}-de612dc2`, `repo.${region}.emr.amazonaws.com`, "*elasticmapreduce*"),
          }),
          new iam.PolicyStatement({
            sid: "LogsOfTheService", principals: everybody, actions: ["s3:PutObject"],
            resources: objects(region === "us-east-1" ? "aws157-logs-prod" : `aws157-logs-prod-${region}`),
          }),
          new iam.PolicyStatement({
            sid: "HistoryOfApplications", principals: everybody, actions: ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"],
            resources: objects(`prod.${region}.appinfo.src`),
          }),
        ],
      }),
    });
  }

  private flowLog(vpc: ec2.CfnVPC, key: kms.IKey): void {
    const { account, region, partition } = Stack.of(this);
    const log = new logs.LogGroup(this, "FlowLog", {
      encryptionKey: key, retention: logs.RetentionDays.THREE_MONTHS, removalPolicy: RemovalPolicy.DESTROY,
    });
    skipChecks(log, { id: "CKV_AWS_338", comment: "Flows of clusters that live for an hour; three months are enough to investigate an incident." });
    const role = new iam.Role(this, "FlowLogRole", {
      description: "Flows of the network of clusters are written to their log group",
      assumedBy: new iam.ServicePrincipal("vpc-flow-logs.amazonaws.com", {
        conditions: {
          StringEquals: { "aws:SourceAccount": account },
          ArnLike: { "aws:SourceArn": `arn:${partition}:ec2:${region}:${account}:vpc-flow-log/*` },
        },
      }),
      inlinePolicies: {
        log: new iam.PolicyDocument({
          statements: [new iam.PolicyStatement({
            sid: "WriteFlows",
            actions: ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            resources: [log.logGroupArn],
          })],
        }),
      },
    });
    new ec2.CfnFlowLog(this, "Flows", {
      resourceId: vpc.ref, resourceType: "VPC", trafficType: "ALL", logDestination: log.logGroupArn, deliverLogsPermissionArn: role.roleArn,
    });
  }
}
