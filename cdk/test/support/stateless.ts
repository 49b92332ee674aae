import { execFileSync } from "node:child_process";

import { CfnWaitConditionHandle, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";

import type { Settings } from "../../lib/config.ts";
import { findSluice } from "../../lib/deploy/sluice-command.ts";
import { SluiceStatelessStack } from "../../lib/stateless-stack.ts";
import { type Environment, newApp, settingsOf, statefulStandIns } from "./app.ts";

/** The command `sluice`, if this machine has it: then documents are deployed, too. */
export function sluiceHere(): string | undefined {
  try {
    const found = findSluice(process.env);
    execFileSync(found, ["--version"], { stdio: "ignore" });
    return found;
  } catch {
    return undefined;
  }
}

/** The stateless stack of an environment, with stand-ins for what outlives it. */
export function statelessStack(settings: Settings): SluiceStatelessStack {
  const app = newApp();
  const env = { account: settings.account, region: settings.region };
  const other = new Stack(app, "stateful", { env });
  // No stack may be empty.
  new CfnWaitConditionHandle(other, "Nothing");
  const stateful = statefulStandIns(other, settings);
  const sluice = sluiceHere();
  return new SluiceStatelessStack(app, "stateless", { settings, stateful, env, ...(sluice === undefined ? {} : { sluice }) });
}

const made = new Map<string, { stack: SluiceStatelessStack; template: Template }>();

/** The stack of an environment and its template, created once per process. */
export function stateless(environment: Environment): { stack: SluiceStatelessStack; template: Template } {
  const known = made.get(environment);
  if (known !== undefined) {
    return known;
  }
  const stack = statelessStack(settingsOf(environment));
  const one = { stack, template: Template.fromStack(stack) };
  made.set(environment, one);
  return one;
}
