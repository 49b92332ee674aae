import { Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import type { IConstruct } from "constructs";

/** A finding or an acknowledgement: the rule, and where. */
interface Place {
  readonly rule: string;
  readonly path: string;
}

/** Findings of cdk-nag below a construct, `rule at path`; empty when all is well. */
export function findings(scope: IConstruct): string[] {
  return found(new AwsSolutionsChecks(), scope).map(({ rule, path }) => `${rule} at ${path}`);
}

/**
 * Acknowledgements that nothing needs (any more): a rule that finds nothing at the construct or below it would hide what comes later.
 *
 * @param scope a whole stack
 */
export function needless(scope: IConstruct): string[] {
  const everything = found(Object.assign(new AwsSolutionsChecks(), { isAcknowledged: () => false }), scope);
  const isNeeded = ({ rule, path }: Place): boolean =>
    everything.some((finding) => finding.rule === rule && (finding.path === path || finding.path.startsWith(`${path}/`)));
  return acknowledged(scope).filter((one) => !isNeeded(one)).map(({ rule, path }) => `${rule} at ${path}`);
}

/** Acknowledgements whose evidence is too short to be one. */
export function withoutEvidence(scope: IConstruct): string[] {
  return acknowledged(scope).filter(({ reason }) => reason.length < 30).map(({ rule, path, reason }) => `${rule} at ${path}: ${reason}`);
}

function found(pack: AwsSolutionsChecks, scope: IConstruct): Place[] {
  return pack.validateScope(scope).violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath }) => ({ rule: ruleName, path: constructPath ?? "" })));
}

function acknowledged(scope: IConstruct): (Place & { readonly reason: string })[] {
  return scope.node.findAll().flatMap((construct) => construct.node.metadata
    .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
    .flatMap(({ data }) => Object.entries(data as Record<string, string>).map(([id, reason]) =>
      ({ rule: id.replace(/^annotation::/i, ""), path: construct.node.path, reason }))))
    // Those of CDK's own checks of templates are not cdk-nag's.
    .filter(({ rule }) => rule.startsWith("AwsSolutions-"));
}
