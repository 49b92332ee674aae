import { Annotations, Stack } from "aws-cdk-lib";
import type * as iam from "aws-cdk-lib/aws-iam";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import type { DeployedPipeline } from "../deploy/pipeline-folder.ts";
import { functionNameOf, namesOf } from "../names.ts";
import { replicaKeyAlias } from "../replica-stack.ts";
import type { StatefulResources } from "../stateful-resources.ts";
import { alertChannels, alertSecrets, alertTopics } from "./alert-channels.ts";
import { FUNCTION_NAMES, functionCatalogue, type FunctionName, type FunctionSpec, type VariableName } from "./catalogue.ts";
import { logRetention } from "./log-retention.ts";
import { MaskingSecret } from "./masking-secret.ts";
import { filledStatements, type FilledStatement, type PolicyPlaceholders } from "./policy-document.ts";
import {
  alertByEmail, keepFailures, readAlertSecrets, readMaskingSecret, readOpenLineageKey, tellMachines, tellPeople, useLakeKey, useOpenLineageKeysKey,
  useSecretKey, useTopicKey,
} from "./service-statements.ts";
import { SluiceFunction } from "./sluice-function.ts";

/** Concurrent executions of an account that Lambda lets nobody reserve. */
const UNRESERVED = 100;

/** What functions need to know about the large engine. */
export interface ClusterSettings {
  /** Variables of start-emr. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runtime role of Spark scripts. */
  readonly stepRoleArn: string;
  /** Values for the placeholders of `iam/`. */
  readonly substitutions: Required<Pick<PolicyPlaceholders, "EmrServiceRoleArn" | "EmrInstanceRoleArn" | "EmrStepRoleArn">>;
}

/** Properties of {@link SluiceFunctions}. */
export interface SluiceFunctionsProps {
  readonly settings: Settings;
  readonly stateful: StatefulResources;
  /** Pipelines, whose runs share the executions of process. */
  readonly pipelines: readonly DeployedPipeline[];
  /** Address of the API for callers, without a final slash. */
  readonly endpoint: string;
  /** Queue for events that terminate and notify could not handle. */
  readonly failures: sqs.IQueue;
  /**
   * The large engine.
   * @default - none: a plan that needs it fails with InvalidInput, which names the variable that is not set
   */
  readonly clusters?: ClusterSettings;
}

/** All functions of the workspace. */
export class SluiceFunctions extends Construct {
  /** The functions by name. */
  readonly all: Readonly<Record<FunctionName, SluiceFunction>>;

  constructor(scope: Construct, id: string, props: SluiceFunctionsProps) {
    super(scope, id);
    const { settings, stateful } = props;
    const catalogue = functionCatalogue(settings);
    const secret = new MaskingSecret(this, "MaskingSecret", {
      environment: settings.environment, key: stateful.key,
      ...(settings.replica && { copy: { region: settings.replica.region, keyAlias: replicaKeyAlias(settings) } }),
    });
    const values = variables(props, secret, Stack.of(this));
    const make = (name: FunctionName): SluiceFunction => new SluiceFunction(this, name, {
      name,
      spec: catalogue[name],
      functionName: functionNameOf(settings, name),
      artifacts: settings.functions.artifacts,
      rights: rightsOf(name, props),
      serviceRights: serviceRightsOf(name, catalogue[name], props, secret),
      environment: environmentOf(catalogue[name], values),
      key: stateful.key,
      logDays: logRetention(settings),
      ...concurrencyOf(name, settings),
      ...(catalogue[name].entry === "asynchronous" ? { failures: props.failures } : {}),
    });
    this.all = Object.fromEntries(FUNCTION_NAMES.map((name) => [name, make(name)])) as Record<FunctionName, SluiceFunction>;
    this.warnOfQuota(settings);
    this.warnOfParts(props);
  }

  /** Lambda refuses to reserve what would leave fewer than 100 executions, and the quota of a new account may be 10. */
  private warnOfQuota({ functions: { processConcurrency } }: Settings): void {
    if (processConcurrency !== undefined) {
      Annotations.of(this).addWarningV2("sluice:reserved-concurrency",
        `functions.processConcurrency: ${processConcurrency} needs a quota of ${processConcurrency + UNRESERVED} concurrent executions: compare it with ` +
        "`aws lambda get-account-settings` before the first deployment (docs/first-deployment.md), or leave the setting out");
    }
  }

  /**
   * Parts for which no execution is free try again for 31 minutes, and meanwhile the next parts of the run take what becomes free. What still
   * found none is read by one call of process, one part after the other; and runs of other pipelines wait like that for each of their calls.
   */
  private warnOfParts({ settings, pipelines }: SluiceFunctionsProps): void {
    const most = settings.functions.processConcurrency;
    for (const { name, partsAtOnce } of pipelines) {
      if (most !== undefined && partsAtOnce > most) {
        Annotations.of(this).addWarningV2("sluice:parts-at-once",
          `functions.processConcurrency: ${most} is below parts.at_once of ${name}, ${partsAtOnce}: parts of its large runs wait for each other, and ` +
          `so do other runs: write parts: { at_once: … } with less than ${most} in its pipeline.yaml, or reserve more`);
      }
    }
  }
}

/**
 * Only `process` has reserved concurrency: a burst of deliveries could start many of them, at 3 GB each. Correctness does not depend on
 * it: publish commits with conditional writes, and the slower of two writers plans again.
 */
function concurrencyOf(name: FunctionName, settings: Settings): { reservedConcurrency?: number } {
  const most = settings.functions.processConcurrency;
  return name === "process" && most !== undefined ? { reservedConcurrency: most } : {};
}

/** The document in `iam/`, without the statements about clusters when this deployment has none. */
function rightsOf(name: FunctionName, props: SluiceFunctionsProps): FilledStatement[] {
  const { settings, clusters } = props;
  const names = namesOf(settings);
  const placeholders: PolicyPlaceholders = {
    Account: settings.account,
    LakeBucket: settings.lake.bucket,
    LakePrefix: settings.lake.prefix,
    StateMachineArn: names.stateMachineArn,
    ExecutionArns: names.executionArns,
    ...clusters?.substitutions,
  };
  // terminate keeps its rights: a deployment that had the large engine yesterday may still have a running cluster.
  const noClusters = clusters === undefined && name !== "terminate";
  return filledStatements(name, placeholders, (_, text) => noClusters && (text.includes("elasticmapreduce:") || text.includes("${Emr")));
}

function serviceRightsOf(name: FunctionName, spec: FunctionSpec, props: SluiceFunctionsProps, secret: MaskingSecret): iam.PolicyStatement[] {
  const { settings, stateful } = props;
  const rights = [useLakeKey(stateful.key.keyArn, settings.region, spec.key)];
  if (name === "notify") {
    rights.push(tellPeople(stateful.runs.topicArn), useTopicKey(stateful.key.keyArn, settings.region), tellMachines(namesOf(settings).eventBusArn));
    const { keySecretArn, keySecretKeyArn } = settings.openLineage ?? {};
    if (keySecretArn !== undefined) {
      rights.push(readOpenLineageKey(keySecretArn));
    }
    if (keySecretKeyArn !== undefined) {
      rights.push(useOpenLineageKeysKey(keySecretKeyArn, settings.region));
    }
    rights.push(...alertRights(props));
  }
  if (spec.variables.includes("SLUICE_SECRET_ARN")) {
    rights.push(readMaskingSecret(secret.arn), useSecretKey(stateful.key.keyArn, settings.region));
  }
  if (spec.entry === "asynchronous") {
    rights.push(keepFailures(props.failures.queueArn));
  }
  return rights;
}

/** What the channels for alerts need, and nothing where they need nothing. */
function alertRights({ settings, stateful }: SluiceFunctionsProps): iam.PolicyStatement[] {
  const secrets = alertSecrets(settings);
  const topics = alertTopics(settings, stateful);
  return [
    ...(secrets.length > 0 ? [readAlertSecrets(secrets), useSecretKey(stateful.key.keyArn, settings.region)] : []),
    ...(topics.length > 0 ? [alertByEmail(topics)] : []),
  ];
}

/** The values of a variable of the catalogue; the one for clusters stands for several. */
function variables(props: SluiceFunctionsProps, secret: MaskingSecret, stack: Stack): Readonly<Record<VariableName, Readonly<Record<string, string>>>> {
  const { settings, stateful, clusters } = props;
  const names = namesOf(settings);
  const one = <Name extends VariableName>(name: Name, value: string) => ({ [name]: { [name]: value } }) as Record<Name, Record<string, string>>;
  return {
    ...one("SLUICE_LAKE", names.lake),
    ...one("SLUICE_KMS_KEY", stateful.key.keyArn),
    ...one("SLUICE_TOPIC_ARN", stateful.runs.topicArn),
    ...one("SLUICE_EVENT_BUS", names.eventBus),
    // Without the setting, notify makes no events.
    SLUICE_OPENLINEAGE: settings.openLineage === undefined ? {} : { SLUICE_OPENLINEAGE: settings.openLineage.target },
    SLUICE_OPENLINEAGE_KEY_ARN: settings.openLineage?.keySecretArn === undefined ? {} : { SLUICE_OPENLINEAGE_KEY_ARN: settings.openLineage.keySecretArn },
    ...one("SLUICE_ALERT_CHANNELS", alertChannels(settings, stateful, stack)),
    ...one("SLUICE_SECRET_ARN", secret.arn),
    ...one("SLUICE_ENDPOINT", props.endpoint),
    ...one("SLUICE_STATE_MACHINE_ARN", names.startArn),
    // The stage of API Gateway is not part of the functions' routes. Any value turns this on.
    ...one("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true"),
    "SLUICE_EMR_*": clusters?.environment ?? {},
    SLUICE_EMR_STEP_ROLE_ARN: clusters === undefined ? {} : { SLUICE_EMR_STEP_ROLE_ARN: clusters.stepRoleArn },
  };
}

function environmentOf(spec: FunctionSpec, values: Readonly<Record<VariableName, Readonly<Record<string, string>>>>): Record<string, string> {
  return Object.assign({}, ...spec.variables.map((name) => values[name])) as Record<string, string>;
}
