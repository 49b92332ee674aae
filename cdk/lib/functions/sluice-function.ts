import { Duration, Size, Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as lambda from "aws-cdk-lib/aws-lambda";
import { SqsDestination } from "aws-cdk-lib/aws-lambda-destinations";
import * as logs from "aws-cdk-lib/aws-logs";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import { LIVE } from "../names.ts";
import { kept } from "../storage/kept-bucket.ts";
import { acknowledgeWildcards, skipChecks } from "../suppressions.ts";
import { removable } from "./removable.ts";
import { builtCode } from "./artifacts.ts";
import type { FunctionName, FunctionSpec } from "./catalogue.ts";
import { type FilledStatement, policyDocument } from "./policy-document.ts";
import { readOwnEnvironment, sendTraces, writeOwnLog } from "./service-statements.ts";

/** Properties of {@link SluiceFunction}. */
export interface SluiceFunctionProps {
  /** Which function. */
  readonly name: FunctionName;
  /** Its size and what it reads. */
  readonly spec: FunctionSpec;
  /** Its name in the account, such as `sluice-dev-validate`. */
  readonly functionName: string;
  /** Folder with the built functions. */
  readonly artifacts: string;
  /** Statements of `iam/<name>.json`, filled. */
  readonly rights: readonly FilledStatement[];
  /** Its further rights, apart from those for its own log, traces and environment. */
  readonly serviceRights: readonly iam.PolicyStatement[];
  /** Its variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** Encrypts variables and log. */
  readonly key: kms.IKey;
  /** Days for which its log is kept. */
  readonly logDays: logs.RetentionDays;
  /**
   * Reserved concurrency, taken from the account's.
   * @default - the account's
   */
  readonly reservedConcurrency?: number;
  /**
   * Queue for events that an asynchronous function could not handle.
   * @default - none; wrong for an asynchronous one
   */
  readonly failures?: sqs.IQueue;
}

/**
 * One function: arm64, its own role with exactly its policy document, its own log, traced, its variables encrypted. Nothing calls its newest
 * code by chance: the state machine names a version, API Gateway and events the alias `live`.
 */
export class SluiceFunction extends Construct {
  /** Its name in the account. */
  readonly functionName: string;
  /** The function itself; callers only use {@link version} and {@link alias}. */
  readonly function: lambda.Function;
  /** The version that this deployment publishes. Older ones stay, because runs that have begun go on with theirs, and aliases may go back. */
  readonly version: lambda.IVersion;
  /** The alias of the version in use. */
  readonly alias: lambda.Alias;
  /** Its log. */
  readonly logGroup: logs.LogGroup;
  /** Its role. */
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, props: SluiceFunctionProps) {
    super(scope, id);
    const { name, spec } = props;
    this.functionName = props.functionName;
    if (spec.entry === "asynchronous" && props.failures === undefined) {
      throw new Error(`${name}: is called asynchronously and has no queue for events that it could not handle`);
    }
    this.logGroup = new logs.LogGroup(this, "Log", {
      logGroupName: `/aws/lambda/${props.functionName}`, encryptionKey: props.key, retention: props.logDays, removalPolicy: removable,
    });
    const { account, region } = Stack.of(this);
    // The name is written out: a role and a function that refer to each other would be a circular dependency.
    const functionArn = `arn:aws:lambda:${region}:${account}:function:${props.functionName}`;
    const statements = [
      ...props.serviceRights,
      writeOwnLog(`arn:aws:logs:${region}:${account}:log-group:/aws/lambda/${props.functionName}`),
      sendTraces(),
      readOwnEnvironment(props.key.keyArn, functionArn),
    ];
    this.role = new iam.Role(this, "Role", {
      description: `Rights of ${props.functionName}: iam/${name}.json and lib/functions/service-statements.ts`,
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
      inlinePolicies: { [name]: policyDocument(props.rights, statements) },
    });
    const allowed = props.rights.filter(({ Effect }) => Effect === "Allow");
    acknowledgeWildcards(this.role, wildcardsOf(name, [...allowed, ...statements.map(asFilled)]));

    this.function = new lambda.Function(this, "Function", {
      functionName: props.functionName,
      description: spec.description,
      code: builtCode(props.artifacts, name),
      handler: "bootstrap",
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: lambda.Architecture.ARM_64,
      memorySize: spec.memoryMb,
      timeout: Duration.seconds(spec.timeoutSeconds),
      ...(spec.diskMb === undefined ? {} : { ephemeralStorageSize: Size.mebibytes(spec.diskMb) }),
      // The document already has what CDK would add by itself, more narrowly; nothing is granted that a reviewer does not see.
      role: this.role.withoutPolicyUpdates(),
      environment: { ...props.environment },
      environmentEncryption: props.key,
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      applicationLogLevelV2: lambda.ApplicationLogLevel.INFO,
      // INFO has platform.report: memory used, milliseconds billed and of initialization, without which nobody can size a function.
      systemLogLevelV2: lambda.SystemLogLevel.INFO,
      currentVersionOptions: { removalPolicy: kept },
      tracing: lambda.Tracing.ACTIVE,
      ...(props.reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: props.reservedConcurrency }),
    });
    this.version = this.function.currentVersion;
    this.alias = new lambda.Alias(this, "Live", {
      aliasName: LIVE,
      version: this.version,
      // Two retries within an hour: a person examines what fails for longer, in the queue.
      ...(props.failures === undefined ? {} : {
        onFailure: new SqsDestination(props.failures), retryAttempts: 2, maxEventAge: Duration.hours(1),
      }),
    });
    this.explain(props);
  }

  /** Evidence for the checks that do not apply. */
  private explain(props: SluiceFunctionProps): void {
    const asynchronous = props.spec.entry === "asynchronous";
    skipChecks(this.function,
      { id: "CKV_AWS_116", comment: asynchronous
        ? "The alias, which callers use, has a failure destination: it keeps the event and the error; a dead-letter queue would keep only the event"
        : "Called synchronously: the caller gets the error, and no event can be lost" },
      { id: "CKV_AWS_117", comment: "Reaches S3, KMS, Step Functions, EMR, SNS and EventBridge over TLS and with IAM; a network of its own would add addresses to guard without protecting any data store" },
      ...(props.reservedConcurrency === undefined ? [{ id: "CKV_AWS_115", comment:
        "Takes from the account's concurrency: a reserved share would be taken from the other functions; API throttling limits callers, the state machine limits runs" }] : []),
      { id: "CKV_AWS_272", comment: "Code comes from this repository's pipeline as an asset named by its content's hash; signing needs a profile that an empty account does not have" },
    );
    skipChecks(this.logGroup, { id: "CKV_AWS_338", comment: "functions.logDays of the settings decides: logs contain no rows, and the audits of runs are documents in the lake" });
  }
}

function asFilled(statement: iam.PolicyStatement): { Sid: string; Resource: string[] } {
  return { Sid: statement.sid ?? "", Resource: statement.resources };
}

/** Evidence for each wildcard in the resources of these statements. */
function wildcardsOf(name: string, statements: readonly { readonly Sid: string; readonly Resource: readonly string[] }[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { Sid, Resource } of statements) {
    for (const resource of Resource.filter((one) => one.includes("*"))) {
      found.set(resource, `${Sid}: ${whyWildcard(name, resource)}`);
    }
  }
  return found;
}

function whyWildcard(name: string, resource: string): string {
  if (resource.startsWith("arn:aws:s3:::")) {
    return `names of runs, tables and files below this folder are only known at run time; iam/${name}.json is what the test bed enforces, folder by folder`;
  }
  if (resource.includes(":elasticmapreduce:")) {
    return "EMR assigns the ids of clusters; the condition on the tag sluice:lake allows only clusters of this lake";
  }
  if (resource.includes(":execution:")) {
    return "names of executions are only known at run time; the state machine is named in full";
  }
  if (resource.includes(":log-group:")) {
    return "Lambda names the streams; the log group is the function's own";
  }
  if (resource === "*") {
    return "the service supports no resource for this action (X-Ray; EMR's ListClusters; RunJobFlow, which the condition on the tag sluice:lake limits)";
  }
  throw new Error(`${name}: the wildcard ${resource} has no evidence: write it here, or name the resource`);
}
