import { CfnResource, Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/**
 * Says why a rule of cdk-nag does not apply to a construct. Findings are named one by one, as `AwsSolutions-IAM5[Resource::*]`; nothing is
 * suppressed without evidence.
 *
 * @param construct what the rule checks
 * @param rules ids of rules, each with the evidence
 */
export function acknowledge(construct: IConstruct, ...rules: readonly { readonly id: string; readonly reason: string }[]): void {
  rules.forEach((rule) => {
    Validations.of(construct).acknowledge(rule);
  });
}

/**
 * Says why each wildcard of a role's policies is as narrow as it can be.
 *
 * @param construct the role, or a construct with it
 * @param evidence the reasons, by the resource as it is written in the policy
 */
export function acknowledgeWildcards(construct: IConstruct, evidence: ReadonlyMap<string, string>): void {
  evidence.forEach((reason, resource) => {
    acknowledge(construct, { id: `AwsSolutions-IAM5[Resource::${resource}]`, reason });
  });
}

/**
 * Writes into a resource's metadata, where checkov expects it, why a check of checkov does not apply.
 *
 * @param construct the resource, or a construct whose default child it is
 * @param checks ids of checks, each with the evidence
 */
export function skipChecks(construct: IConstruct, ...checks: readonly { readonly id: string; readonly comment: string }[]): void {
  const resource = construct.node.defaultChild ?? construct;
  if (!CfnResource.isCfnResource(resource)) {
    throw new TypeError(`${construct.node.path} has no CloudFormation resource`);
  }
  const known = (resource.getMetadata("checkov") as { skip: unknown[] } | undefined)?.skip ?? [];
  resource.addMetadata("checkov", { skip: [...known, ...checks] });
}
