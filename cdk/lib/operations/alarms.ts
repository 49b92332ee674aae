import { Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import * as actions from "aws-cdk-lib/aws-cloudwatch-actions";
import type * as sns from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import { COPIED_WITHIN_MINUTES } from "../storage/replication.ts";
import * as metrics from "./metrics.ts";

/** Hours after which a running cluster raises an alarm: one hour to start, eight for the step, one to end. */
const CLUSTER_HOURS = 10;

/** Part of the runbook about the replica. */
const REPLICA_RUNBOOK = "replica-late";

/** Properties of {@link Alarms}. */
export interface AlarmsProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Notified immediately. */
  readonly critical: sns.ITopic;
  /** Notified of what can wait. */
  readonly warning: sns.ITopic;
  /** Names of the functions. */
  readonly functions: readonly string[];
  /** ARN of the state machine. */
  readonly stateMachineArn: string;
  /** Queues of what could not be delivered. */
  readonly queues: readonly string[];
  /** Name of the API. */
  readonly api: string;
  /** The pipelines, with the hours after which their product counts as stale. */
  readonly pipelines: readonly { readonly name: string; readonly freshnessHours?: number | undefined }[];
}

/** An alarm before it is created. */
interface Wanted {
  readonly id: string;
  readonly what: string;
  /** Part of the runbook. */
  readonly runbook: string;
  readonly metric: cloudwatch.IMetric;
  /** Raised from this value on. @default 1 */
  readonly from?: number;
  readonly topic: sns.ITopic;
  /** Whether missing data raises the alarm. @default false */
  readonly isBadWithoutData?: boolean;
  /** Number of periods in a row. @default 1 */
  readonly periods?: number;
  readonly comparison?: cloudwatch.ComparisonOperator;
}

/** Periods of five minutes for which the replica may be behind before an alarm is raised. */
const LATE_PERIODS = 3;

/**
 * Alarms, each with the part of the runbook that says what to do. What is broken goes to `critical`, what can wait to `warning`.
 *
 * Some 30 for a pipeline with the large engine, at $0.10 a month each.
 */
export class Alarms extends Construct {
  readonly alarms: cloudwatch.Alarm[] = [];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.runs(props);
    this.services(props);
    this.freshness(props);
    this.replica(props);
  }

  private runs(props: AlarmsProps): void {
    const { critical, warning, stateMachineArn } = props;
    const execution = (name: string): cloudwatch.IMetric => metrics.execution(name, stateMachineArn);
    this.make(props, { id: "RunsFailed", what: "A run failed", runbook: "run-failed", metric: execution("ExecutionsFailed"), topic: critical });
    this.make(props, { id: "RunsTimedOut", what: "A run timed out", runbook: "run-timed-out", metric: execution("ExecutionsTimedOut"), topic: critical });
    this.make(props, { id: "RunsThrottled", what: "Step Functions throttles runs", runbook: "throttled", metric: execution("ExecutionThrottled"), topic: warning });
    for (const { name } of props.pipelines) {
      this.make(props, {
        id: `Rejected-${name}`, what: `The quality gate rejected a run of ${name}`, runbook: "run-rejected",
        metric: metrics.run("RunsRejected", props.settings, name, Duration.minutes(5)), topic: warning,
      });
    }
    this.notSent(props);
    if (props.settings.emr !== undefined) {
      this.make(props, {
        id: "ClusterTooOld", what: `Clusters have been running without a break for ${String(CLUSTER_HOURS)} hours`, runbook: "cluster-too-old",
        metric: metrics.clusterCalls(props.functions.find((name) => name.endsWith("run-etl")) ?? "run-etl"),
        periods: CLUSTER_HOURS, topic: critical,
      });
    }
  }

  /** A channel that fails does not fail its run, so that this is how people learn of it. */
  private notSent(props: AlarmsProps): void {
    const { settings, critical, warning } = props;
    for (const { name } of props.pipelines) {
      if (settings.alerts.length > 0) {
        this.make(props, {
          id: `AlertsNotSent-${name}`, what: `An alert of ${name} could not be sent to a channel`, runbook: "alert-not-sent",
          metric: metrics.notSent("alerts", settings, name), topic: critical,
        });
      }
      if (settings.openLineage !== undefined) {
        this.make(props, {
          id: `LineageNotSent-${name}`, what: `OpenLineage events of ${name} could not be sent`, runbook: "alert-not-sent",
          metric: metrics.notSent("lineage", settings, name), topic: warning,
        });
      }
    }
  }

  private services(props: AlarmsProps): void {
    const { critical, warning } = props;
    for (const name of props.functions) {
      const short = name.replace(`sluice-${props.settings.environment}-`, "");
      this.make(props, {
        id: `Errors-${short}`, what: `Function ${short} keeps failing`, runbook: "function-errors",
        metric: metrics.lambda("Errors", name), from: 5, topic: warning,
      });
      if (short === "terminate") {
        // Raised when the sweep, which runs every 15 minutes, fails three times in a row: a cluster may then run without being ended.
        this.make(props, {
          id: "ClustersNotEnded", what: "The function that ends clusters has failed for 45 minutes", runbook: "cluster-too-old",
          metric: metrics.lambda("Errors", name, Duration.minutes(15)), periods: 3, topic: critical,
        });
      }
      this.make(props, {
        id: `Throttles-${short}`, what: `Function ${short} is throttled`, runbook: "throttled",
        metric: metrics.lambda("Throttles", name), topic: warning,
      });
    }
    for (const queue of props.queues) {
      this.make(props, {
        id: `Depth-${queue}`, what: `Events could not be delivered: queue ${queue}`, runbook: "undelivered",
        metric: metrics.queueDepth(queue), topic: critical,
      });
    }
    this.make(props, {
      id: "ApiFaults", what: "The API returns server errors (5xx)", runbook: "api-faults", metric: metrics.api("5XXError", props.api), from: 5, topic: critical,
    });
  }

  private freshness(props: AlarmsProps): void {
    for (const { name, freshnessHours } of props.pipelines) {
      if (freshnessHours !== undefined) {
        this.make(props, {
          // CloudWatch cannot tell a pipeline that stopped from one that has not begun: before the first publication the alarm is raised, too.
          id: `Stale-${name}`, what: `Nothing was published by ${name} for ${String(freshnessHours)} hours, or nothing has been published yet`,
          runbook: "stale",
          metric: metrics.run("RunsPublished", props.settings, name, Duration.hours(1)),
          comparison: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD, isBadWithoutData: true, periods: freshnessHours, topic: props.critical,
        });
      }
    }
  }

  /** Whether the second region is up to date; otherwise it is worthless on the day it is needed. */
  private replica(props: AlarmsProps): void {
    const { settings, critical, warning } = props;
    if (settings.replica !== undefined) {
      this.make(props, {
        id: "ReplicaLate", what: `S3 takes longer than ${COPIED_WITHIN_MINUTES} minutes to copy objects to the replica`, runbook: REPLICA_RUNBOOK,
        metric: metrics.replication("ReplicationLatency", settings, settings.replica),
        from: COPIED_WITHIN_MINUTES * 60, periods: LATE_PERIODS, topic: warning,
      });
      this.make(props, {
        id: "ReplicaIncomplete", what: "S3 could not copy objects to the replica", runbook: REPLICA_RUNBOOK,
        metric: metrics.replication("OperationsFailedReplication", settings, settings.replica), topic: critical,
      });
    }
  }

  private make(props: AlarmsProps, wanted: Wanted): void {
    const periods = wanted.periods ?? 1;
    const alarm = new cloudwatch.Alarm(this, wanted.id, {
      alarmName: `sluice-${props.settings.environment}-${wanted.id}`,
      alarmDescription: `${wanted.what}. What to do: ${props.settings.operations.runbook}#${wanted.runbook}`,
      metric: wanted.metric,
      threshold: wanted.from ?? 1,
      comparisonOperator: wanted.comparison ?? cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: periods,
      datapointsToAlarm: periods,
      treatMissingData: wanted.isBadWithoutData === true ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new actions.SnsAction(wanted.topic));
    alarm.addOkAction(new actions.SnsAction(wanted.topic));
    this.alarms.push(alarm);
  }
}
