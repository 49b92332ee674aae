import { existsSync, readFileSync } from "node:fs";

import * as iam from "aws-cdk-lib/aws-iam";
import { z } from "zod";

import { repository } from "../repository.ts";

/**
 * Values for the placeholders of `iam/*.json`; `iam/README.md` explains each. A document must not contain a placeholder that has no value
 * here.
 */
export interface PolicyPlaceholders {
  readonly Account?: string;
  readonly LakeBucket?: string;
  readonly LakePrefix?: string;
  readonly StateMachineArn?: string;
  readonly ExecutionArns?: string;
  readonly EmrServiceRoleArn?: string;
  readonly EmrInstanceRoleArn?: string;
  readonly EmrStepRoleArn?: string;
}

const statement = z.strictObject({
  Sid: z.string(),
  Effect: z.enum(["Allow", "Deny"]),
  Action: z.array(z.string()),
  Resource: z.array(z.string()),
  Condition: z.record(z.string(), z.record(z.string(), z.string())).optional(),
});
const document = z.strictObject({ Version: z.literal("2012-10-17"), Statement: z.array(statement).min(1) });

/** A statement of a policy document of the repository, with its placeholders filled. */
export type FilledStatement = z.infer<typeof statement>;

/** A policy document that is missing, malformed or cannot be filled. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
}

/**
 * Reads `iam/<name>.json`, which the test bed enforces as it is, and fills its placeholders.
 *
 * @param name the function
 * @param values values of the placeholders
 * @param isLeftOut statements that this deployment does not grant; none by default
 * @throws PolicyError when the document is missing, or names a placeholder that has no value
 */
export function filledStatements(
  name: string,
  values: PolicyPlaceholders,
  isLeftOut: (sid: string, text: string) => boolean = () => false,
): FilledStatement[] {
  const path = repository.policy(name);
  if (!existsSync(path)) {
    throw new PolicyError(`iam/${name}.json: is missing: write the policy document of the function ${name}`);
  }
  const parsed = document.safeParse(JSON.parse(readFileSync(path, "utf8")));
  if (!parsed.success) {
    throw new PolicyError(`iam/${name}.json: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data.Statement.filter((one) => !isLeftOut(one.Sid, JSON.stringify(one))).map((one) =>
    statement.parse(JSON.parse(fill(name, JSON.stringify(one), new Map(Object.entries(values))))));
}

function fill(name: string, text: string, values: ReadonlyMap<string, string | undefined>): string {
  return text.replace(/\$\{([^}]*)\}/g, (whole, placeholder: string) => {
    const value = values.get(placeholder);
    if (value === undefined) {
      throw new PolicyError(`iam/${name}.json: ${whole} has no value here: it is unknown, or this deployment does not have what it names`);
    }
    // Values are inserted into JSON text; CDK tokens and ARNs contain no character that JSON escapes.
    return JSON.stringify(value).slice(1, -1);
  });
}

/**
 * A policy document of exactly these statements.
 *
 * @param filled statements of `iam/<name>.json`
 * @param others statements that AWS requires but the test bed does not enforce
 */
export function policyDocument(filled: readonly FilledStatement[], others: readonly iam.PolicyStatement[]): iam.PolicyDocument {
  return new iam.PolicyDocument({
    // Every statement keeps its Sid: a reviewer and an error message of AWS name it.
    minimize: false,
    statements: [...filled.map((one) => iam.PolicyStatement.fromJson(one)), ...others],
  });
}
