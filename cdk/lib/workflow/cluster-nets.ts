import { Duration } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import * as iam from "aws-cdk-lib/aws-iam";
import * as scheduler from "aws-cdk-lib/aws-scheduler";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import type { SluiceFunction } from "../functions/sluice-function.ts";

/** Properties of {@link ClusterNets}. */
export interface ClusterNetsProps {
  /** Begins names. */
  readonly prefix: string;
  /** The function terminate. */
  readonly terminate: SluiceFunction;
  /** The state machine whose ends are watched. */
  readonly stateMachineArn: string;
  /** Account, for the trust of the role. */
  readonly account: string;
  /** Takes events that could not be handed over. */
  readonly undelivered: sqs.IQueue;
}

/**
 * The third and the fourth net under clusters ("No cluster stays" in ARCHITECTURE.md): a rule for executions that ended without their own
 * end, and a sweep. Made without the large engine, too: settings may lose it while a cluster of yesterday is up.
 */
export class ClusterNets extends Construct {
  constructor(scope: Construct, id: string, props: ClusterNetsProps) {
    super(scope, id);
    new events.Rule(this, "Ended", {
      ruleName: `${props.prefix}-ended-runs`,
      description: "Executions that failed, timed out or were stopped: their clusters are ended",
      eventPattern: {
        source: ["aws.states"],
        detailType: ["Step Functions Execution Status Change"],
        detail: { stateMachineArn: [props.stateMachineArn], status: ["FAILED", "TIMED_OUT", "ABORTED"] },
      },
      targets: [new LambdaFunction(props.terminate.alias, {
        deadLetterQueue: props.undelivered,
        // An hour of tries; then the sweep has had its turns, and the alarm on the queue rings.
        maxEventAge: Duration.hours(1),
        retryAttempts: 30,
      })],
    });
    this.sweep(props);
  }

  private sweep(props: ClusterNetsProps): void {
    const group = new scheduler.ScheduleGroup(this, "Group", { scheduleGroupName: `${props.prefix}-clusters` });
    const role = new iam.Role(this, "SweepRole", {
      description: "Has clusters looked at",
      assumedBy: new iam.ServicePrincipal("scheduler.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": props.account, "aws:SourceArn": group.scheduleGroupArn } },
      }),
      inlinePolicies: {
        sweep: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({ sid: "Sweep", actions: ["lambda:InvokeFunction"], resources: [props.terminate.alias.functionArn] }),
            new iam.PolicyStatement({ sid: "KeepWhatCouldNotStart", actions: ["sqs:SendMessage"], resources: [props.undelivered.queueArn] }),
          ],
        }),
      },
    });
    new scheduler.CfnSchedule(this, "Sweep", {
      name: `${props.prefix}-sweep`,
      description: "Ends clusters of this lake whose run is over",
      groupName: group.scheduleGroupName,
      // Four times an hour at 256 MB for a second is less than a cent a month; a forgotten cluster costs dollars an hour.
      scheduleExpression: "rate(15 minutes)",
      flexibleTimeWindow: { mode: "OFF" },
      target: {
        arn: props.terminate.alias.functionArn,
        roleArn: role.roleArn,
        input: JSON.stringify({ sweep: true }),
        deadLetterConfig: { arn: props.undelivered.queueArn },
        // The next sweep is 15 minutes away: three tries within ten minutes, then it is its turn.
        retryPolicy: { maximumRetryAttempts: 3, maximumEventAgeInSeconds: Duration.minutes(10).toSeconds() },
      },
    });
  }
}
