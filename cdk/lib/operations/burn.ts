import { Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import * as actions from "aws-cdk-lib/aws-cloudwatch-actions";
import type * as sns from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import * as metrics from "./metrics.ts";

/** How fast an error budget of 30 days may be used: at rate 1 it lasts exactly so long. The rates are those of Google's SRE workbook, chapter 5. */
export interface Burn {
  readonly id: string;
  readonly rate: number;
  /** Long enough that a short disturbance is no alarm. */
  readonly long: Duration;
  /** Short, so that the alarm ends soon after its cause. */
  readonly short: Duration;
  readonly isCritical: boolean;
}

/** 2 % of the budget in an hour, and 5 % in six. */
export const BURNS: readonly Burn[] = [
  { id: "Fast", rate: 14.4, long: Duration.hours(1), short: Duration.minutes(5), isCritical: true },
  { id: "Slow", rate: 6, long: Duration.hours(6), short: Duration.minutes(30), isCritical: false },
];

/** Fewer bad events than this in the long window burn nothing: one in a night with two calls is half of them, and no outage. */
const LEAST_BAD = { calls: 5, runs: 2 };

/** The budget of an objective, as a share. Rounded, because 100 - 99.9 is not 0.1 to a computer. */
export function budgetOf(percent: number): number {
  return Number(((100 - percent) / 100).toFixed(6));
}

/** Properties of {@link BurnAlarms}. */
export interface BurnAlarmsProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Notified immediately. */
  readonly critical: sns.ITopic;
  /** Notified of what can wait. */
  readonly warning: sns.ITopic;
  /** Name of the API. */
  readonly api: string;
  /** The pipelines, with the hours after which their product counts as stale. Those without them promise nothing. */
  readonly pipelines: readonly { readonly name: string; readonly freshnessHours?: number | undefined }[];
}

/** Something that is promised, with its counts in a window. */
interface Objective {
  readonly id: string;
  readonly what: string;
  readonly runbook: string;
  readonly percent: number;
  readonly leastBad: number;
  /** Bad events, by the names of their parts. */
  readonly bad: (window: Duration) => Record<string, cloudwatch.IMetric>;
  /** The other events. */
  readonly good: (window: Duration) => Record<string, cloudwatch.IMetric>;
  /** What all events are the sum of. */
  readonly all: readonly string[];
}

/**
 * Alarms that are raised when promises are broken faster than they allow it: of the API (calls answered, but with 5xx), and of each pipeline with
 * `freshnessHours` (runs that end well; and a warning before its product is stale). None without the setting `operations.slo`.
 *
 * A rate is the share of bad events in a window, over the share that the objective allows; CloudWatch computes it of the period of an alarm. Two windows are two periods, so each burn is a
 * composite of two alarms. Without calls or runs nothing burns.
 */
export class BurnAlarms extends Construct {
  readonly alarms: cloudwatch.IAlarm[] = [];

  constructor(scope: Construct, id: string, props: BurnAlarmsProps) {
    super(scope, id);
    const { slo } = props.settings.operations;
    if (slo === undefined) {
      return;
    }
    const { settings, api } = props;
    this.objective(props, {
      id: "Api", what: "The API breaks its promise of availability", runbook: "burn", percent: slo.availability, leastBad: LEAST_BAD.calls,
      bad: (window) => ({ faults: metrics.api("5XXError", api, window) }),
      good: (window) => ({ calls: metrics.api("Count", api, window) }),
      // API Gateway counts faults among the calls.
      all: ["calls"],
    });
    for (const { name, freshnessHours } of props.pipelines) {
      if (freshnessHours !== undefined) {
        const of = (metric: (typeof metrics.RUN_METRICS)[number], window: Duration): cloudwatch.IMetric => metrics.run(metric, settings, name, window);
        this.objective(props, {
          id: name, what: `Runs of ${name} fail more often than promised`, runbook: "burn", percent: slo.runs, leastBad: LEAST_BAD.runs,
          bad: (window) => ({ failed: of("RunsFailed", window), rejected: of("RunsRejected", window) }),
          good: (window) => ({ published: of("RunsPublished", window), skipped: of("RunsSkipped", window) }),
          all: ["failed", "rejected", "published", "skipped"],
        });
        this.late(props, name, freshnessHours, slo.freshnessWarning);
      }
    }
  }

  private objective(props: BurnAlarmsProps, objective: Objective): void {
    const { settings, critical, warning } = props;
    for (const { id, rate, long, short, isCritical } of BURNS) {
      const name = `Burn${id}-${objective.id}`;
      const part = (suffix: string, window: Duration, leastBad: number): cloudwatch.Alarm => {
        const period = { evaluationPeriods: 1, datapointsToAlarm: 1, threshold: rate, treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING };
        return new cloudwatch.Alarm(this, `${name}-${suffix}`, {
          ...period, alarmName: `sluice-${settings.environment}-${name}-${suffix}`,
          alarmDescription: `Part of sluice-${settings.environment}-${name}, which notifies: ${window.toHumanString()} at ${String(rate)} times the budget.`,
          metric: burnRate(objective, window, leastBad),
          comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        });
      };
      const both = [part("long", long, objective.leastBad), part("short", short, 1)];
      const alarm = new cloudwatch.CompositeAlarm(this, name, {
        compositeAlarmName: `sluice-${settings.environment}-${name}`,
        alarmDescription: `${objective.what}: at this rate the budget of 30 days lasts ${lasts(rate)}. What to do: ${settings.operations.runbook}#${objective.runbook}`,
        alarmRule: cloudwatch.AlarmRule.allOf(...both.map((one) => cloudwatch.AlarmRule.fromAlarm(one, cloudwatch.AlarmState.ALARM))),
      });
      this.notify(alarm, isCritical ? critical : warning);
    }
  }

  /** A promise of freshness is used up evenly, so its burn is its age: a warning comes while time is left to deliver. */
  private late(props: BurnAlarmsProps, name: string, freshnessHours: number, percent: number): void {
    const { settings } = props;
    const periods = Math.ceil((freshnessHours * percent) / 100);
    if (periods >= freshnessHours) {
      return;
    }
    const alarm = new cloudwatch.Alarm(this, `Late-${name}`, {
      alarmName: `sluice-${settings.environment}-Late-${name}`,
      alarmDescription: `Nothing was published by ${name} for ${String(periods)} of the ${String(freshnessHours)} hours after which its product is stale. `
        + `What to do: ${settings.operations.runbook}#stale`,
      metric: metrics.run("RunsPublished", settings, name, Duration.hours(1)),
      threshold: 1, comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: periods, datapointsToAlarm: periods, treatMissingData: cloudwatch.TreatMissingData.BREACHING,
    });
    this.notify(alarm, props.warning);
  }

  private notify(alarm: cloudwatch.AlarmBase, topic: sns.ITopic): void {
    alarm.addAlarmAction(new actions.SnsAction(topic));
    alarm.addOkAction(new actions.SnsAction(topic));
    this.alarms.push(alarm);
  }
}

/** How many times faster than the budget allows bad events come: 0 where they are fewer than counts. */
function burnRate({ percent, bad, good, all }: Objective, window: Duration, leastBad: number): cloudwatch.MathExpression {
  const wrong = bad(window);
  // A metric without data is no 0 to CloudWatch, and one that is missing would make the sum missing.
  const sum = (names: readonly string[]): string => names.map((name) => `FILL(${name}, 0)`).join(" + ");
  const errors = sum(Object.keys(wrong));
  return new cloudwatch.MathExpression({
    expression: `IF((${errors}) < ${String(leastBad)}, 0, (${errors}) / (${sum(all)}) / ${String(budgetOf(percent))})`,
    usingMetrics: { ...wrong, ...good(window) }, period: window, label: "times the budget",
  });
}

/** How long the budget lasts at a rate. */
function lasts(rate: number): string {
  return `${String(Math.round((30 * 24) / rate))} hours`;
}
