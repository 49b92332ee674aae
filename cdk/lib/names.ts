import { createHash } from "node:crypto";

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

/** Longest name of a rule of EventBridge, of a schedule, and of a role. */
const LONGEST_NAME = 64;

/**
 * A name that has that of a pipeline in it, with hyphens for underscores. Where it is longer than a rule, a schedule or a role may be
 * called, what fits of it with a hash of all of it: an environment may have 16 characters, and a pipeline 48.
 */
export function nameWith(name: string): string {
  const whole = name.replaceAll("_", "-");
  if (whole.length <= LONGEST_NAME) {
    return whole;
  }
  const hash = createHash("sha256").update(whole).digest("hex").slice(0, 8);
  return `${whole.slice(0, LONGEST_NAME - hash.length - 1)}-${hash}`;
}
