import type { Settings } from "./config.ts";

/**
 * Names and ARNs that are written out because two resources name each other, or because a policy document of `iam/` is filled with
 * them. Everything else gets its name from CloudFormation.
 */
export interface Names {
  /** Prefix of every name. */
  readonly prefix: string;
  /** Address of the lake, ending with a slash. */
  readonly lake: string;
  readonly stateMachine: string;
  readonly stateMachineArn: string;
  /** Its alias, by which runs are started. */
  readonly startArn: string;
  /** What the ARN of each run's execution begins with. Those of parts have the label of their state behind the name of the machine. */
  readonly executionPrefix: string;
  /** The executions of all runs, without those of parts. */
  readonly executionArns: string;
  /** The event bus of notify: the account's default bus. */
  readonly eventBus: string;
  readonly eventBusArn: string;
}

/** Name of the alias of whatever is in use: of functions, and of the state machine. */
export const LIVE = "live";

/** Names of an environment. */
export function namesOf(settings: Settings): Names {
  const { account, region, environment } = settings;
  const prefix = `sluice-${environment}`;
  const stateMachine = `${prefix}-pipeline`;
  const stateMachineArn = `arn:aws:states:${region}:${account}:stateMachine:${stateMachine}`;
  const executionPrefix = `arn:aws:states:${region}:${account}:execution:${stateMachine}:`;
  return {
    prefix,
    lake: `s3://${settings.lake.bucket}/${settings.lake.prefix}`,
    stateMachine,
    stateMachineArn,
    startArn: `${stateMachineArn}:${LIVE}`,
    executionPrefix,
    executionArns: `${executionPrefix}*`,
    eventBus: "default",
    eventBusArn: `arn:aws:events:${region}:${account}:event-bus/default`,
  };
}

/** Name of a function in the account. */
export function functionNameOf(settings: Settings, name: string): string {
  return `sluice-${settings.environment}-${name}`;
}
