import { Duration, Stack } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import * as codedeploy from "aws-cdk-lib/aws-codedeploy";
import * as iam from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { LIVE } from "../names.ts";
import { acknowledge } from "../suppressions.ts";
import type { SluiceFunction } from "./sluice-function.ts";

/** Properties of {@link GradualRollout}. */
export interface GradualRolloutProps {
  /** The function whose alias moves. */
  readonly target: SluiceFunction;
  /** Its name, for alarms. */
  readonly functionName: string;
  /** How traffic moves. */
  readonly rollout: Settings["functions"]["rollout"];
  /** The deployments of all functions. */
  readonly application: codedeploy.ILambdaApplication;
  /** The role of CodeDeploy. */
  readonly role: iam.IRole;
}

const CONFIGURATIONS: Readonly<Record<Settings["functions"]["rollout"], codedeploy.ILambdaDeploymentConfig>> = {
  "all-at-once": codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE,
  "canary-10-percent-5-minutes": codedeploy.LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
  "linear-10-percent-each-minute": codedeploy.LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_1MINUTE,
};

/**
 * Moves callers to a new version gradually, and back when it fails. For functions that serve API callers: a run of the state machine keeps
 * the versions that it began with, and new runs all begin with the new ones.
 */
export class GradualRollout extends Construct {
  /** Raised when the function fails: a crash or a timeout. Problems returned to callers are not failures. */
  readonly failures: cloudwatch.Alarm;

  constructor(scope: Construct, id: string, props: GradualRolloutProps) {
    super(scope, id);
    this.failures = new cloudwatch.Alarm(this, "Failures", {
      alarmName: `${props.functionName}-rollout`,
      alarmDescription: `${props.functionName}: a new version fails; CodeDeploy moves traffic back to the previous one`,
      metric: props.target.alias.metricErrors({ period: Duration.minutes(1), statistic: "Sum" }),
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    new codedeploy.LambdaDeploymentGroup(this, "Group", {
      application: props.application,
      alias: props.target.alias,
      deploymentConfig: CONFIGURATIONS[props.rollout],
      alarms: [this.failures],
      role: props.role,
      autoRollback: { failedDeployment: true, stoppedDeployment: true, deploymentInAlarm: true },
    });
  }
}

/**
 * The role with which CodeDeploy moves aliases: only those of these functions, unlike the managed policy that CDK would attach.
 *
 * @param scope where it is created
 * @param id its id
 * @param functionNames the functions whose aliases move
 */
export function rolloutRole(scope: Construct, id: string, functionNames: readonly string[]): iam.IRole {
  const { account, region } = Stack.of(scope);
  // The ARN is written out: an alias depends on its deployment group, which depends on this role.
  const arns = functionNames.map((name) => `arn:aws:lambda:${region}:${account}:function:${name}`);
  const role = new iam.Role(scope, id, {
    description: "Moves aliases of functions that serve API callers to new versions",
    assumedBy: new iam.ServicePrincipal("codedeploy.amazonaws.com"),
    inlinePolicies: {
      rollout: new iam.PolicyDocument({
        statements: [
          new iam.PolicyStatement({
            sid: "MoveAliases",
            actions: ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"],
            resources: arns.flatMap((arn) => [arn, `${arn}:${LIVE}`]),
          }),
          // CloudWatch does not check resources for this action.
          new iam.PolicyStatement({ sid: "LookAtAlarms", actions: ["cloudwatch:DescribeAlarms"], resources: ["*"] }),
        ],
      }),
    },
  });
  acknowledge(role, { id: "AwsSolutions-IAM5[Resource::*]", reason: "cloudwatch:DescribeAlarms does not support resources; it reads states of alarms and changes none" });
  // CDK would attach AWSCodeDeployRoleForLambdaLimited, which may update every alias of the account.
  return role.withoutPolicyUpdates();
}
