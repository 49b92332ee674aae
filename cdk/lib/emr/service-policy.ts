import * as iam from "aws-cdk-lib/aws-iam";

/** The resources that EMR's service uses. */
export interface ServicePolicyProps {
  readonly account: string;
  readonly region: string;
  /** Address of the lake, as clusters carry it in the tag `sluice:lake`. */
  readonly lake: string;
  /** Ids of the subnets of clusters. */
  readonly subnetIds: readonly string[];
  /** Ids of the security groups of clusters. */
  readonly groupIds: readonly string[];
  /** ARN of the role of instances. */
  readonly instanceRoleArn: string;
  /** ARN of the key of clusters' disks. */
  readonly keyArn: string;
}

/** The reason for each wildcard of the policy, by resource. */
export function serviceWildcards({ account, region }: ServicePolicyProps): ReadonlyMap<string, string> {
  const tagged = "EC2 assigns the ids; the statement requires the tag sluice:lake of this lake";
  const kinds = ["instance", "volume", "launch-template"].map((kind) => [arnOf(account, region, kind), tagged] as const);
  return new Map([
    ["*", "EC2's Describe actions do not support resources (Service Authorization Reference, Amazon EC2)"],
    ...kinds,
    [arnOf(account, region, "network-interface"), "EC2 assigns the ids; created only with the tag sluice:lake, and in our subnets"],
    [arnOf(account, region, "fleet"), "EC2 assigns the ids; a fleet is a request, and what it launches must carry the tag"],
    [imagesOf(region), "EMR's own images, a different one for each release"],
  ]);
}

/**
 * The rights of EMR's service: those of version 3 of AmazonEMRServicePolicy_v2, limited to the tag of this lake and to our network, without
 * what our clusters do not use (security groups of its own, placement groups, key pairs, reservations, automatic scaling by rules).
 *
 * Version 4 (March 2025) added two things that are left out on purpose. `ec2:CreateVpcEndpoint` and `ModifyVpcEndpoint` would let EMR put
 * endpoints into our network that no template knows, that cost money by the hour, and that keep the network from being deleted. The actions
 * on `PersistentAppUI` would let it keep a web page with the history of each application, whose plans name tables and columns, outside of the
 * lake; logs of clusters have the same. Without them CloudTrail shows a refused call for each cluster (not tried in an account).
 */
export function servicePolicy(props: ServicePolicyProps): iam.PolicyDocument {
  const { account, region, lake } = props;
  const every = (kind: string): string => arnOf(account, region, kind);
  const [instances, volumes, templates, interfaces] = [every("instance"), every("volume"), every("launch-template"), every("network-interface")];
  const groups = props.groupIds.map((id) => `arn:aws:ec2:${region}:${account}:security-group/${id}`);
  const network = [...props.subnetIds.map((id) => `arn:aws:ec2:${region}:${account}:subnet/${id}`), ...groups];
  const made = { StringEquals: { "aws:RequestTag/sluice:lake": lake } };
  const ours = { StringEquals: { "aws:ResourceTag/sluice:lake": lake } };
  const allow = (sid: string, actions: string[], resources: string[], conditions?: Record<string, Record<string, unknown>>): iam.PolicyStatement =>
    new iam.PolicyStatement({ sid, actions, resources, ...(conditions === undefined ? {} : { conditions }) });
  return new iam.PolicyDocument({
    statements: [
      allow("Look", LOOKS, ["*"]),
      allow("LaunchWhatCarriesTheTag", ["ec2:RunInstances", "ec2:CreateFleet"], [instances, volumes], made),
      allow("MakeTemplatesWithTheTag", ["ec2:CreateLaunchTemplate"], [templates], made),
      allow("MakeInterfacesWithTheTag", ["ec2:CreateNetworkInterface"], [interfaces], made),
      allow("LaunchByOurTemplates", ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplateVersion"], [templates], ours),
      allow("LaunchFrom", ["ec2:RunInstances", "ec2:CreateFleet"], [interfaces, every("fleet"), imagesOf(region)]),
      allow("LaunchInOurNetwork", ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateNetworkInterface"], network),
      allow("TagWhatIsMade", ["ec2:CreateTags"], [instances, volumes, templates, interfaces], {
        StringEquals: { "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate", "CreateNetworkInterface"] },
      }),
      allow("TagWhatIsOurs", ["ec2:CreateTags", "ec2:DeleteTags"], [instances, volumes, templates, interfaces], ours),
      allow("EndWhatIsOurs",
        ["ec2:TerminateInstances", "ec2:ModifyInstanceAttribute", "ec2:DeleteLaunchTemplate", "ec2:DeleteNetworkInterface"],
        [instances, templates, interfaces], ours),
      // EMR adds missing inbound rules to the groups of a cluster; ours already have them, and EMR adds no outbound rules.
      allow("CompleteOurGroups", ["ec2:AuthorizeSecurityGroupIngress"], groups),
      allow("HandInstancesTheirRole", ["iam:PassRole"], [props.instanceRoleArn], { StringLike: { "iam:PassedToService": "ec2.amazonaws.com*" } }),
      allow("LookAtTheKey", ["kms:DescribeKey"], [props.keyArn]),
      // As EC2 requires of a role that launches encrypted disks (ebs/latest/userguide/ebs-encryption-requirements).
      allow("EncryptDisks", ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
        [props.keyArn], { StringEquals: { "kms:ViaService": `ec2.${region}.amazonaws.com` } }),
      allow("LendTheKeyToDisks", ["kms:CreateGrant"], [props.keyArn], { Bool: { "kms:GrantIsForAWSResource": "true" } }),
    ],
  });
}

const LOOKS = [
  "AccountAttributes", "CapacityReservations", "DhcpOptions", "Images", "InstanceTypeOfferings", "Instances", "LaunchTemplates", "NetworkAcls",
  "NetworkInterfaces", "PlacementGroups", "RouteTables", "SecurityGroups", "SpotPriceHistory", "Subnets", "VolumeStatus", "Volumes",
  "VpcAttribute", "VpcEndpoints", "Vpcs",
].map((what) => `ec2:Describe${what}`);

function arnOf(account: string, region: string, kind: string): string {
  return `arn:aws:ec2:${region}:${account}:${kind}/*`;
}

function imagesOf(region: string): string {
  return `arn:aws:ec2:${region}::image/ami-*`;
}
