import * as budgets from "aws-cdk-lib/aws-budgets";
import type * as sns from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { namesOf } from "../names.ts";

/** Properties of {@link Budget}. */
export interface BudgetProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** US dollars a month. */
  readonly monthlyUsd: number;
  /** Notified when the month's forecast exceeds the budget. */
  readonly critical: sns.ITopic;
  /** Notified when 80 % are spent. */
  readonly warning: sns.ITopic;
}

/**
 * What the environment may cost in a month: notifies at 80 %, and when the forecast exceeds it. Counts what carries the tag
 * `sluice:environment`, and the clusters, which start-emr tags with `sluice:lake`. Both tags must be activated once as cost-allocation tags,
 * which only the management account of an organization, or an account outside of any, can do; until then the budget counts nothing. With
 * `operations.budgetCounts: account` it counts the whole account instead.
 */
export class Budget extends Construct {
  constructor(scope: Construct, id: string, props: BudgetProps) {
    super(scope, id);
    const { account, environment, operations } = props.settings;
    const notify = (notificationType: string, threshold: number, topic: sns.ITopic): budgets.CfnBudget.NotificationWithSubscribersProperty => ({
      notification: { notificationType, threshold, thresholdType: "PERCENTAGE", comparisonOperator: "GREATER_THAN" },
      subscribers: [{ subscriptionType: "SNS", address: topic.topicArn }],
    });
    const tagged = (key: string, value: string): budgets.CfnBudget.ExpressionProperty => ({ tags: { key, values: [value], matchOptions: ["EQUALS"] } });
    new budgets.CfnBudget(this, "Budget", {
      budget: {
        budgetName: `sluice-${environment}`,
        budgetType: "COST",
        timeUnit: "MONTHLY",
        budgetLimit: { amount: props.monthlyUsd, unit: "USD" },
        metrics: ["UnblendedCost"],
        filterExpression: operations.budgetCounts === "account"
          ? { dimensions: { key: "LINKED_ACCOUNT", values: [account], matchOptions: ["EQUALS"] } }
          : { or: [tagged("sluice:environment", environment), tagged("sluice:lake", namesOf(props.settings).lake)] },
      },
      notificationsWithSubscribers: [notify("ACTUAL", 80, props.warning), notify("FORECASTED", 100, props.critical)],
    });
  }
}
