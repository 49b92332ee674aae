import { Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";

import type { Settings } from "../config.ts";
import { namesOf } from "../names.ts";
import { REPLICATION_RULE } from "../storage/replication.ts";

/** The metrics that alarms and the dashboard use, in one place. */

/** Namespace of the metrics that notify writes (functions/notify/src/metrics.rs). */
export const NAMESPACE = "Sluice";
/** Those metrics. A test compares them with the function's. */
export const RUN_METRICS = ["RunsPublished", "RunsSkipped", "RunsRejected", "RunsFailed", "TablesCommitted", "QuarantinedRows"] as const;
/** Metrics of what notify could not send, which have a value only then. The same test compares them. */
export const NOT_SENT = { alerts: "AlertsNotSent", lineage: "LineageNotSent" } as const;

const FIVE_MINUTES = Duration.minutes(5);

function sum(namespace: string, metricName: string, dimensionsMap: Record<string, string>, period: Duration, label?: string): cloudwatch.Metric {
  return new cloudwatch.Metric({ namespace, metricName, dimensionsMap, period, statistic: cloudwatch.Stats.SUM, ...(label === undefined ? {} : { label }) });
}

/** How runs of a pipeline ended. */
export function run(name: (typeof RUN_METRICS)[number], settings: Settings, pipeline: string, period: Duration): cloudwatch.Metric {
  return sum(NAMESPACE, name, { Lake: namesOf(settings).lake, Pipeline: pipeline }, period, `${pipeline} ${name}`);
}

/** Ends of a pipeline's runs that notify could not send in full. */
export function notSent(what: keyof typeof NOT_SENT, settings: Settings, pipeline: string): cloudwatch.Metric {
  return sum(NAMESPACE, NOT_SENT[what], { Lake: namesOf(settings).lake, Pipeline: pipeline }, FIVE_MINUTES, `${pipeline} ${NOT_SENT[what]}`);
}

/**
 * Executions of the state machine, by whatever version or alias they were started. Those of parts of a run are not among them: Step Functions
 * counts them under the machine's ARN with the label of their state (step-functions/latest/dg/concepts-examine-map-run).
 */
export function execution(name: string, stateMachineArn: string): cloudwatch.Metric {
  return sum("AWS/States", name, { StateMachineArn: stateMachineArn }, FIVE_MINUTES, name);
}

/** Errors and throttles that callers of a function met, of all its versions: runs go on with the one that they began with. */
export function lambda(name: string, functionName: string, period: Duration = FIVE_MINUTES): cloudwatch.Metric {
  return sum("AWS/Lambda", name, { FunctionName: functionName }, period, functionName);
}

/** The 95th percentile of a function's duration, in milliseconds. */
export function duration(functionName: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "AWS/Lambda", metricName: "Duration", dimensionsMap: { FunctionName: functionName },
    period: FIVE_MINUTES, statistic: cloudwatch.Stats.percentile(95), label: functionName,
  });
}

/** Calls of run-etl an hour: it is called at least every two minutes while a cluster works. */
export function clusterCalls(functionName: string): cloudwatch.Metric {
  return sum("AWS/Lambda", "Invocations", { FunctionName: functionName }, Duration.hours(1), "polls clusters");
}

/** How far the replica is behind: seconds for ReplicationLatency, objects for OperationsFailedReplication. */
export function replication(
  name: "ReplicationLatency" | "OperationsFailedReplication", settings: Settings, replica: NonNullable<Settings["replica"]>,
): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "AWS/S3", metricName: name, period: FIVE_MINUTES,
    statistic: name === "ReplicationLatency" ? cloudwatch.Stats.MAXIMUM : cloudwatch.Stats.SUM,
    dimensionsMap: { SourceBucket: settings.lake.bucket, DestinationBucket: replica.bucket, RuleId: REPLICATION_RULE },
  });
}

/** Events waiting in a queue. */
export function queueDepth(queueName: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "AWS/SQS", metricName: "ApproximateNumberOfMessagesVisible", dimensionsMap: { QueueName: queueName },
    period: FIVE_MINUTES, statistic: cloudwatch.Stats.MAXIMUM, label: queueName,
  });
}

/** Responses of the API. */
export function api(name: string, apiName: string, period: Duration = FIVE_MINUTES): cloudwatch.Metric {
  return sum("AWS/ApiGateway", name, { ApiName: apiName, Stage: "live" }, period, name);
}
