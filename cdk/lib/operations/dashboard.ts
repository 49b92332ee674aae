import { Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import * as metrics from "./metrics.ts";

/** Properties of {@link Dashboard}. */
export interface DashboardProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Names of the functions. */
  readonly functions: readonly string[];
  /** ARN of the state machine. */
  readonly stateMachineArn: string;
  /** Queues of what could not be delivered. */
  readonly queues: readonly string[];
  /** Name of the API. */
  readonly api: string;
  /** Names of the pipelines. */
  readonly pipelines: readonly string[];
  /** Alarms, shown first. */
  readonly alarms: readonly cloudwatch.IAlarm[];
}

/** One page for whoever is on call: which alarms are raised, how runs end, how long functions take, what API callers get. The first three dashboards of an account are free. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    const { settings } = props;
    const graph = (title: string, left: cloudwatch.IMetric[], width = 12): cloudwatch.GraphWidget =>
      new cloudwatch.GraphWidget({ title, left, width, height: 6, leftYAxis: { min: 0 } });
    const hour = Duration.hours(1);
    new cloudwatch.Dashboard(this, "Dashboard", {
      dashboardName: `sluice-${settings.environment}`,
      defaultInterval: Duration.days(1),
      widgets: [
        [
          new cloudwatch.TextWidget({
            markdown: `# Sluice ${settings.environment}\nLake \`s3://${settings.lake.bucket}/${settings.lake.prefix}\` · [what to do](${settings.operations.runbook})`,
            width: 24, height: 2,
          }),
        ],
        [new cloudwatch.AlarmStatusWidget({ title: "Alarms", alarms: [...props.alarms], width: 24, height: 5 })],
        props.pipelines.map((name) => graph(`Runs of ${name}`,
          (["RunsPublished", "RunsSkipped", "RunsRejected", "RunsFailed"] as const).map((metric) => metrics.run(metric, settings, name, hour)))),
        [
          graph("Quarantined rows", props.pipelines.map((name) => metrics.run("QuarantinedRows", settings, name, hour))),
          graph("Executions", ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"]
            .map((name) => metrics.execution(name, props.stateMachineArn))),
        ],
        [
          graph("Duration of functions, p95 (ms)", props.functions.map(metrics.duration)),
          graph("Errors of functions", props.functions.map((name) => metrics.lambda("Errors", name))),
        ],
        [
          graph("API", ["Count", "4XXError", "5XXError"].map((name) => metrics.api(name, props.api))),
          graph("Undelivered events", props.queues.map(metrics.queueDepth)),
        ],
        ...(settings.replica === undefined ? [] : [[
          graph("Replica behind (s)", [metrics.replication("ReplicationLatency", settings, settings.replica)]),
          graph("Objects not copied to the replica", [metrics.replication("OperationsFailedReplication", settings, settings.replica)]),
        ]]),
      ],
    });
  }
}
