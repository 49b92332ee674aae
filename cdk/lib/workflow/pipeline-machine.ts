import { readFileSync } from "node:fs";

import { Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as logs from "aws-cdk-lib/aws-logs";
import * as sfn from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";

import type { FunctionName } from "../functions/catalogue.ts";
import { removable } from "../functions/removable.ts";
import type { SluiceFunction } from "../functions/sluice-function.ts";
import { LIVE } from "../names.ts";
import { repository } from "../repository.ts";
import { kept } from "../storage/kept-bucket.ts";
import { acknowledge, acknowledgeWildcards, skipChecks } from "../suppressions.ts";

/** The functions that the definition invokes, by their placeholders. */
export const DEFINITION_FUNCTIONS = {
  ValidateFunctionArn: "validate",
  ProcessFunctionArn: "process",
  StartEmrFunctionArn: "start-emr",
  RunEtlFunctionArn: "run-etl",
  TerminateFunctionArn: "terminate",
  QualityCheckFunctionArn: "quality-check",
  PublishFunctionArn: "publish",
  NotifyFunctionArn: "notify",
} as const satisfies Readonly<Record<string, FunctionName>>;

/**
 * The resources of the right to start runs. Step Functions judges a start by an alias by the ARN of the machine itself
 * (step-functions/latest/dg/auth-version-alias); the alias is named, too, so that a policy that is read literally is right as well.
 */
export function mayStart({ stateMachineArn, startArn }: { readonly stateMachineArn: string; readonly startArn: string }): string[] {
  return [stateMachineArn, startArn];
}

/**
 * What a Distributed Map needs on its own machine (step-functions/latest/dg/iam-policies-eg-dist-map). The guide names the executions as
 * `<name>:*` for following and stopping them, and as `<name>/<label>:*` for redriving them; children have the second form, so both are
 * allowed. The ARNs are written out: a role that referred to the machine that has it would be a circular dependency.
 */
function partRights(region: string, account: string, machineName: string): iam.PolicyStatement[] {
  const machine = `arn:aws:states:${region}:${account}:stateMachine:${machineName}`;
  const executions = `arn:aws:states:${region}:${account}:execution:${machineName}`;
  return [
    new iam.PolicyStatement({ sid: "StartParts", actions: ["states:StartExecution"], resources: [machine] }),
    new iam.PolicyStatement({
      sid: "FollowAndStopParts",
      actions: ["states:DescribeExecution", "states:StopExecution"],
      resources: [`${executions}:*`, `${executions}/*`],
    }),
    new iam.PolicyStatement({ sid: "RedriveParts", actions: ["states:RedriveExecution"], resources: [`${executions}/*`] }),
  ];
}

/** Properties of {@link PipelineMachine}. */
export interface PipelineMachineProps {
  /** Its name; the policy of submit and the rules name its ARN. */
  readonly name: string;
  /** The functions. */
  readonly functions: Readonly<Record<FunctionName, SluiceFunction>>;
  /** Encrypts its log. */
  readonly key: kms.IKey;
  /** Days for which its log is kept. */
  readonly logDays: logs.RetentionDays;
}

/**
 * The state machine: `statemachines/pipeline.asl.json` unchanged, which is what the tests and `sluice run` execute.
 *
 * Its definition names versions of functions, so that a run ends with the code that it began with, whatever is deployed meanwhile. Each
 * deployment publishes a version of the machine, and the alias `live`, by which every run is started, points to the newest. Older versions of
 * both stay: {@link LIVE} can be pointed back to one within a second.
 *
 * Logged in full, with inputs and outputs: state data are names and addresses of documents, never rows. Not encrypted with the key: an
 * encrypted machine omits the input from its events, and terminate needs the input to know the run whose cluster it ends.
 *
 * Each part of a run in parts has an execution of its own, a child of a Map Run. It has the machine's role and log, and its ARN has the label
 * of the state behind the machine's name: `…:execution:<name>/<label>:<id>`.
 */
export class PipelineMachine extends Construct {
  readonly machine: sfn.StateMachine;
  /** Its log. */
  readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: PipelineMachineProps) {
    super(scope, id);
    this.logGroup = new logs.LogGroup(this, "Log", {
      // With this prefix the group needs no line of its own in the account's policy for logs, which is limited to ten lines.
      logGroupName: `/aws/vendedlogs/states/${props.name}`, encryptionKey: props.key, retention: props.logDays, removalPolicy: removable,
    });
    skipChecks(this.logGroup, { id: "CKV_AWS_338", comment: "functions.logDays of the settings decides; what runs did is kept as documents in the lake" });
    const functions = Object.entries(DEFINITION_FUNCTIONS).map(([placeholder, name]) => [placeholder, props.functions[name]] as const);
    this.machine = new sfn.StateMachine(this, "Machine", {
      stateMachineName: props.name,
      stateMachineType: sfn.StateMachineType.STANDARD,
      definitionBody: sfn.DefinitionBody.fromString(readFileSync(repository.stateMachine(), "utf8")),
      definitionSubstitutions: Object.fromEntries(functions.map(([placeholder, { version }]) => [placeholder, version.functionArn])),
      role: this.makeRole(props.name, functions.map(([, { functionName }]) => functionName)).withoutPolicyUpdates(),
      logs: { destination: this.logGroup, level: sfn.LogLevel.ALL, includeExecutionData: true },
      tracingEnabled: true,
    });
    // The rights for the log are in the role, which is created first.
    const version = new sfn.CfnStateMachineVersion(this, "Version", {
      stateMachineArn: this.machine.stateMachineArn,
      // Changes with definition, role or logging, which then makes a new version.
      stateMachineRevisionId: this.machine.stateMachineRevisionId,
    });
    version.applyRemovalPolicy(kept);
    new sfn.CfnStateMachineAlias(this, "Live", {
      name: LIVE,
      description: "The version by which runs are started",
      routingConfiguration: [{ stateMachineVersionArn: version.attrArn, weight: 100 }],
    });
  }

  /**
   * May invoke every version of the functions of the definition, because runs of older versions go on; start, follow, stop and redrive the
   * executions of parts; write its log and send traces.
   */
  private makeRole(machineName: string, functionNames: readonly string[]): iam.Role {
    const { account, region } = Stack.of(this);
    const versions = functionNames.map((name) => `arn:aws:lambda:${region}:${account}:function:${name}:*`);
    const parts = partRights(region, account, machineName);
    const role = new iam.Role(this, "Role", {
      description: "Executes statemachines/pipeline.asl.json",
      assumedBy: new iam.ServicePrincipal("states.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": account }, ArnLike: { "aws:SourceArn": `arn:aws:states:${region}:${account}:stateMachine:*` } },
      }),
      inlinePolicies: {
        machine: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({ sid: "InvokeTheFunctions", actions: ["lambda:InvokeFunction"], resources: versions }),
            ...parts,
            new iam.PolicyStatement({
              sid: "DeliverTheLog",
              actions: [
                "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries",
                "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
              ],
              resources: ["*"],
            }),
            new iam.PolicyStatement({
              sid: "SendTraces",
              actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"],
              resources: ["*"],
            }),
          ],
        }),
      },
    });
    acknowledgeWildcards(role, new Map(versions.map((arn) =>
      [arn, "A run that began before a deployment goes on with its own versions, whose numbers Lambda assigns; the function is named in full"])));
    const executions = new Set(parts.flatMap(({ resources }) => resources).filter((arn) => arn.includes("*")));
    acknowledgeWildcards(role, new Map([...executions].map((arn) =>
      [arn, "Step Functions assigns the ids of the executions of parts; the state machine is named in full"])));
    acknowledge(role, {
      id: "AwsSolutions-IAM5[Resource::*]",
      reason: "Actions for log deliveries and X-Ray support no resources: AWS's own policies for Step Functions also use *",
    });
    const evidence = "Step Functions requires these actions for log deliveries on *; they give no access to the content of logs";
    skipChecks(role, { id: "CKV_AWS_111", comment: evidence }, { id: "CKV_AWS_107", comment: evidence });
    return role;
  }
}
