import * as budgets from "aws-cdk-lib/aws-budgets";
import type * as sns from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { namesOf } from "../names.ts";

/** Properties of {@link Budget}. */
export interface BudgetProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Told when the month's forecast is beyond the budget. */
  readonly critical: sns.ITopic;
  /** Told when 80 % are spent. */
  readonly warning: sns.ITopic;
}

/**
 * What the environment may cost in a month: told at 80 %, and when the forecast is beyond it. Counts what carries the tag
 * `sluice:environment`, and the clusters, which start-emr tags with `sluice:lake`. Both tags have to be activated once as cost-allocation
 * tags of the account; until then the budget counts nothing.
 */
export class Budget extends Construct {
  constructor(scope: Construct, id: string, props: BudgetProps) {
    super(scope, id);
    const { environment, operations } = props.settings;
    const told = (notificationType: string, threshold: number, topic: sns.ITopic): budgets.CfnBudget.NotificationWithSubscribersProperty => ({
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
      notificationsWithSubscribers: [told("ACTUAL", 80, props.warning), told("FORECASTED", 100, props.critical)],
    });
  }
}
