import type { Settings } from "./config.ts";

/**
 * Names and ARNs that are written out because two resources name each other, or because a policy document of `iam/` is filled with
 * them. Everything else gets its name from CloudFormation.
 */
export interface Names {
  /** Begins every name. */
  readonly prefix: string;
  /** Address of the lake, with a slash at its end. */
  readonly lake: string;
  readonly stateMachine: string;
  readonly stateMachineArn: string;
  /** All executions of the state machine. */
  readonly executionArns: string;
  /** The bus that machines are told by: the account's own. */
  readonly eventBus: string;
  readonly eventBusArn: string;
}

/** Names of an environment. */
export function namesOf(settings: Settings): Names {
  const { account, region, environment } = settings;
  const prefix = `sluice-${environment}`;
  const stateMachine = `${prefix}-pipeline`;
  return {
    prefix,
    lake: `s3://${settings.lake.bucket}/${settings.lake.prefix}`,
    stateMachine,
    stateMachineArn: `arn:aws:states:${region}:${account}:stateMachine:${stateMachine}`,
    executionArns: `arn:aws:states:${region}:${account}:execution:${stateMachine}:*`,
    eventBus: "default",
    eventBusArn: `arn:aws:events:${region}:${account}:event-bus/default`,
  };
}

/** Name of a function in the account. */
export function functionNameOf(settings: Settings, name: string): string {
  return `sluice-${settings.environment}-${name}`;
}
