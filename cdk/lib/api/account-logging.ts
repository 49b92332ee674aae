import * as apigateway from "aws-cdk-lib/aws-apigateway";
import * as iam from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";

import { kept } from "../storage/kept-bucket.ts";
import { acknowledge, skipChecks } from "../suppressions.ts";

/**
 * Lets API Gateway write logs. It is a setting of the account in this region, which a new account does not have, and this replaces the role
 * that it names; it stays when the stack is deleted, because other APIs may need it. `api.accountLogging` of the settings turns it off.
 */
export class AccountLogging extends Construct {
  /** APIs that log depend on it. */
  readonly setting: apigateway.CfnAccount;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const role = new iam.Role(this, "Role", {
      description: "API Gateway writes logs of all APIs of the account",
      // No condition on the account: API Gateway tests the role when the setting is made, and documents no condition for it.
      assumedBy: new iam.ServicePrincipal("apigateway.amazonaws.com"),
      inlinePolicies: {
        logs: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({
              sid: "WriteLogsOfApis",
              // The managed policy AmazonAPIGatewayPushToCloudWatchLogs without reading events.
              actions: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents"],
              resources: ["*"],
            }),
          ],
        }),
      },
    });
    role.applyRemovalPolicy(kept);
    const evidence = "One role for all APIs of the account, which name their log groups themselves: API Gateway tests it with rights on * before it accepts it";
    acknowledge(role, { id: "AwsSolutions-IAM5[Resource::*]", reason: evidence });
    skipChecks(role, { id: "CKV_AWS_111", comment: evidence });
    this.setting = new apigateway.CfnAccount(this, "Setting", { cloudWatchRoleArn: role.roleArn });
    this.setting.applyRemovalPolicy(kept);
  }
}
