import * as budgets from "aws-cdk-lib/aws-budgets";
import type * as sns from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { namesOf } from "../names.ts";

/** Properties of {@link Budget}. */
export interface BudgetProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Notified when the month's forecast exceeds the budget. */
  readonly critical: sns.ITopic;
  /** Notified when 80 % are spent. */
  readonly warning: sns.ITopic;
}

/**
 * What the environment may cost in a month: notifies at 80 %, and when the forecast exceeds it. Counts what carries the tag
 * `sluice:environment`, and the clusters, which start-emr tags with `sluice:lake`. Both tags must be activated once as cost-allocation
 * tags of the account; until then the budget counts nothing.
 */
export class Budget extends Construct {
  constructor(scope: Construct, id: string, props: BudgetProps) {
    super(scope, id);
    const { environment, operations } = props.settings;
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
        budgetLimit: { amount: operations.monthlyBudgetUsd, unit: "USD" },
        metrics: ["UnblendedCost"],
        filterExpression: { or: [tagged("sluice:environment", environment), tagged("sluice:lake", namesOf(props.settings).lake)] },
      },
      notificationsWithSubscribers: [notify("ACTUAL", 80, props.warning), notify("FORECASTED", 100, props.critical)],
    });
  }
}
