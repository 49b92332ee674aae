import type * as apigateway from "aws-cdk-lib/aws-apigateway";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as logs from "aws-cdk-lib/aws-logs";
import * as wafv2 from "aws-cdk-lib/aws-wafv2";
import { Construct } from "constructs";

import { removable } from "../functions/removable.ts";
import { skipChecks } from "../suppressions.ts";

/** Properties of {@link Firewall}. */
export interface FirewallProps {
  /** Prefix of names. */
  readonly prefix: string;
  /** What it protects. */
  readonly stage: apigateway.Stage;
  /** Region and account of the stage. */
  readonly region: string;
  /** Encrypts its log. */
  readonly key: kms.IKey;
  /** Days for which its log is kept. */
  readonly logDays: logs.RetentionDays;
}

/** Requests of one address in five minutes: a sustained 10 per second, more than a client of Delta Sharing or a dashboard sends. */
const REQUESTS_PER_ADDRESS = 3000;

/**
 * A web application firewall in front of the API: blocks known bad inputs and addresses, and limits each address. Costs $5 a month, $1 per
 * rule and $0.60 per million requests. Callers are authenticated anyway; the firewall keeps noise off the functions.
 */
export class Firewall extends Construct {
  constructor(scope: Construct, id: string, props: FirewallProps) {
    super(scope, id);
    const metrics = (metricName: string) => ({ cloudWatchMetricsEnabled: true, sampledRequestsEnabled: true, metricName });
    const managed = (priority: number, name: string, counted: readonly string[] = []): wafv2.CfnWebACL.RuleProperty => ({
      name,
      priority,
      overrideAction: { none: {} },
      statement: {
        managedRuleGroupStatement: {
          vendorName: "AWS", name, ruleActionOverrides: counted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
        },
      },
      visibilityConfig: metrics(name),
    });
    const acl = new wafv2.CfnWebACL(this, "Acl", {
      name: `${props.prefix}-api`,
      scope: "REGIONAL",
      defaultAction: { allow: {} },
      visibilityConfig: metrics(`${props.prefix}-api`),
      rules: [
        managed(0, "AWSManagedRulesAmazonIpReputationList"),
        managed(1, "AWSManagedRulesKnownBadInputsRuleSet"),
        // A request may name 1000 objects, which is more than the 8 KB of that rule; API Gateway and the functions limit bodies.
        managed(2, "AWSManagedRulesCommonRuleSet", ["SizeRestrictions_BODY"]),
        {
          name: "PerAddress",
          priority: 3,
          action: { block: {} },
          statement: { rateBasedStatement: { aggregateKeyType: "IP", limit: REQUESTS_PER_ADDRESS } },
          visibilityConfig: metrics("PerAddress"),
        },
      ],
    });
    new wafv2.CfnWebACLAssociation(this, "Association", { resourceArn: props.stage.stageArn, webAclArn: acl.attrArn });
    this.log(acl, props);
  }

  /** Logs refused requests only, without the header that contains tokens. */
  private log(acl: wafv2.CfnWebACL, props: FirewallProps): void {
    const group = new logs.LogGroup(this, "Log", {
      // WAF only accepts log groups whose names start with this prefix.
      logGroupName: `aws-waf-logs-${props.prefix}`, encryptionKey: props.key, retention: props.logDays, removalPolicy: removable,
    });
    skipChecks(group, { id: "CKV_AWS_338", comment: "functions.logDays of the settings decides; refused requests are not needed for longer" });
    new wafv2.CfnLoggingConfiguration(this, "Logging", {
      resourceArn: acl.attrArn,
      // Without the :* that the ARN of a log group ends with, which WAF refuses.
      logDestinationConfigs: [`arn:aws:logs:${props.region}:${group.env.account}:log-group:aws-waf-logs-${props.prefix}`],
      redactedFields: [{ singleHeader: { Name: "authorization" } }, { singleHeader: { Name: "x-api-key" } }, { queryString: {} }],
      loggingFilter: {
        DefaultBehavior: "DROP",
        Filters: [{ Behavior: "KEEP", Requirement: "MEETS_ANY", Conditions: [{ ActionCondition: { Action: "BLOCK" } }] }],
      },
    }).addResourceDependency(group.node.defaultChild as logs.CfnLogGroup);
  }
}
