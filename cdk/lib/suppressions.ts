import { CfnResource, Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/**
 * Says why a rule of cdk-nag does not fit a construct. Findings are named one by one, as `AwsSolutions-IAM5[Resource::*]`; nothing is
 * suppressed that has no evidence.
 *
 * @param construct what the rule looks at
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
 * @param evidence by the resource as the policy has it
 */
export function acknowledgeWildcards(construct: IConstruct, evidence: ReadonlyMap<string, string>): void {
  evidence.forEach((reason, resource) => {
    acknowledge(construct, { id: `AwsSolutions-IAM5[Resource::${resource}]`, reason });
  });
}

/**
 * Writes beside a resource why a check of checkov does not fit it, where checkov looks for it.
 *
 * @param construct the resource, or a construct whose default child it is
 * @param checks ids of checks, each with the evidence
 */
export function skipChecks(construct: IConstruct, ...checks: readonly { readonly id: string; readonly comment: string }[]): void {
  const resource = construct.node.defaultChild ?? construct;
  if (!CfnResource.isCfnResource(resource)) {
    throw new TypeError(`${construct.node.path} is no resource`);
  }
  const known = (resource.getMetadata("checkov") as { skip: unknown[] } | undefined)?.skip ?? [];
  resource.addMetadata("checkov", { skip: [...known, ...checks] });
}
