import { DefaultStackSynthesizer, Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as logs from "aws-cdk-lib/aws-logs";
import type * as s3 from "aws-cdk-lib/aws-s3";
import * as s3deploy from "aws-cdk-lib/aws-s3-deployment";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { logRetention } from "../functions/log-retention.ts";
import { removable } from "../functions/removable.ts";
import { acknowledge, acknowledgeWildcards, skipChecks } from "../suppressions.ts";
import type { DeployedPipeline } from "./pipeline-folder.ts";
import type { RegisteredDocuments } from "./registered-documents.ts";

/** Properties of {@link LakeDocuments}. */
export interface LakeDocumentsProps {
  readonly settings: Settings;
  readonly pipelines: readonly DeployedPipeline[];
  /** The lake. */
  readonly lake: s3.IBucket;
  /** Encrypts the lake and the log. */
  readonly key: kms.IKey;
  /** Begins names. */
  readonly prefix: string;
  /** What `sluice deploy` wrote for them. */
  readonly documents: RegisteredDocuments;
}

/**
 * Puts pipelines, contracts and data products into the lake. `sluice deploy` writes them when the app is synthesized, so that a deployment
 * by hand and one by this app leave the same documents; a pipeline that `sluice check` refuses fails the synthesis.
 *
 * The app owns these documents: whatever is below `pipelines/<name>/` and `products/` but no longer in the repository is removed from
 * the lake, so that a product that was removed is no longer served. The bucket keeps versions.
 */
export class LakeDocuments extends Construct {
  constructor(scope: Construct, id: string, props: LakeDocumentsProps) {
    super(scope, id);
    const { settings, lake, documents } = props;
    const folders = ["products", ...props.pipelines.map(({ name }) => `pipelines/${name}`)];
    const logGroup = new logs.LogGroup(this, "Log", {
      logGroupName: `/aws/lambda/${props.prefix}-documents`, encryptionKey: props.key, retention: logRetention(settings), removalPolicy: removable,
    });
    skipChecks(logGroup, { id: "CKV_AWS_338", comment: "functions.logDays of the settings decides" });
    const role = this.makeRole(props, folders, logGroup);
    const deployments = props.pipelines.map(({ name }) => this.upload(`pipelines/${name}`, documents.folder(`pipelines/${name}`), props, role, logGroup));
    // Products name tables of pipelines: they come last, as `sluice deploy` writes them.
    const products = this.upload("products", documents.folder("products"), props, role, logGroup);
    products.node.addDependency(...deployments);
    this.explain(lake);
  }

  private upload(folder: string, from: string, props: LakeDocumentsProps, role: iam.IRole, logGroup: logs.ILogGroup): s3deploy.BucketDeployment {
    return new s3deploy.BucketDeployment(this, folder.replaceAll("/", "-"), {
      sources: [s3deploy.Source.asset(from)],
      destinationBucket: props.lake,
      destinationKeyPrefix: `${props.settings.lake.prefix}${folder}/`,
      prune: true,
      // Removing a pipeline from the settings, or deleting the stack, leaves its documents, because its tables stay, too.
      retainOnDelete: true,
      memoryLimit: 256,
      role,
      logGroup,
      outputObjectKeys: false,
    });
  }

  /** The rights of CDK's helper function. CDK's own grant would cover the whole lake, including the logs of tables. */
  private makeRole(props: LakeDocumentsProps, folders: readonly string[], logGroup: logs.LogGroup): iam.IRole {
    const { settings } = props;
    const { account, region } = Stack.of(this);
    const lakeArn = `arn:aws:s3:::${settings.lake.bucket}`;
    const written = folders.map((folder) => `${lakeArn}/${settings.lake.prefix}${folder}/*`);
    // Where `cdk bootstrap` puts assets, by the qualifier of the bootstrap, which organizations may choose.
    const qualifier = Stack.of(this).synthesizer.bootstrapQualifier ?? DefaultStackSynthesizer.DEFAULT_QUALIFIER;
    const assets = `arn:aws:s3:::cdk-${qualifier}-assets-${account}-${region}`;
    const logGroupName = `/aws/lambda/${props.prefix}-documents`;
    const role = new iam.Role(this, "Role", {
      description: "Writes documents of pipelines and products into the lake, and nothing else",
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
      inlinePolicies: {
        documents: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({
              sid: "ReadAssets", actions: ["s3:GetObject"], resources: [`${assets}/*`],
              conditions: { StringEquals: { "s3:ResourceAccount": account } },
            }),
            new iam.PolicyStatement({
              sid: "ListAssets", actions: ["s3:ListBucket"], resources: [assets], conditions: { StringEquals: { "s3:ResourceAccount": account } },
            }),
            new iam.PolicyStatement({
              sid: "ListDocuments", actions: ["s3:ListBucket"], resources: [lakeArn],
              conditions: { StringLike: { "s3:prefix": folders.map((folder) => `${settings.lake.prefix}${folder}/*`) } },
            }),
            new iam.PolicyStatement({ sid: "WriteDocuments", actions: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], resources: written }),
            new iam.PolicyStatement({
              sid: "UseLakeKeyThroughS3", actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [props.key.keyArn],
              conditions: { StringEquals: { "kms:ViaService": `s3.${region}.amazonaws.com` } },
            }),
            new iam.PolicyStatement({
              sid: "WriteOwnLog", actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
              resources: [`arn:aws:logs:${region}:${account}:log-group:${logGroupName}:*`],
            }),
          ],
        }),
      },
    });
    role.node.addDependency(logGroup);
    acknowledgeWildcards(role, new Map([
      [`${assets}/*`, "Assets are named by their hash; the bucket is that of cdk bootstrap and has nothing but assets"],
      ...written.map((arn) => [arn, "Pipelines decide the names of documents; none of these folders holds tables"] as const),
      [`arn:aws:logs:${region}:${account}:log-group:${logGroupName}:*`, "Lambda names the streams; the log group is the function's own"],
    ]));
    return role.withoutPolicyUpdates();
  }

  /** Evidence for the helper function, which is code of CDK and one per stack. */
  private explain(lake: s3.IBucket): void {
    const helper = Stack.of(this).node.children.find(({ node }) => node.id.startsWith("Custom::CDKBucketDeployment"));
    if (helper === undefined) {
      throw new Error(`${lake.node.path}: BucketDeployment created no helper function: check what this version of CDK does`);
    }
    acknowledge(helper, { id: "AwsSolutions-L1", reason: "Code and runtime are CDK's: it comes with a newer one when aws-cdk-lib is updated" });
    const once = "Runs during deployments only, called by CloudFormation, which waits for it and reports its failure";
    skipChecks(helper,
      { id: "CKV_AWS_115", comment: once },
      { id: "CKV_AWS_116", comment: once },
      { id: "CKV_AWS_117", comment: "Reaches only S3, over TLS and with IAM" },
      { id: "CKV_AWS_272", comment: "Code comes with aws-cdk-lib as an asset named by its content's hash" },
      { id: "CKV_AWS_173", comment: "Its variables are the name of a certificate bundle: nothing to hide" },
    );
  }
}

