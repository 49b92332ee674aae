import { Duration } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as scheduler from "aws-cdk-lib/aws-scheduler";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import { removable } from "../functions/removable.ts";
import type { SluiceFunction } from "../functions/sluice-function.ts";

/** Properties of {@link ClusterSweep}. */
export interface ClusterSweepProps {
  /** Prefix of names. */
  readonly prefix: string;
  /** The function terminate. */
  readonly terminate: SluiceFunction;
  /** Account, for the trust of the role. */
  readonly account: string;
  /** Queue for calls that could not be made. */
  readonly undelivered: sqs.IQueue;
}

/**
 * The fourth net under clusters ("No cluster stays" in ARCHITECTURE.md): terminate is called every 15 minutes and ends what must not run any
 * longer. Created without the large engine, too: it may be removed from the settings while a cluster still runs.
 */
export class ClusterSweep extends Construct {
  constructor(scope: Construct, id: string, props: ClusterSweepProps) {
    super(scope, id);
    const group = new scheduler.ScheduleGroup(this, "Group", { scheduleGroupName: `${props.prefix}-clusters`, removalPolicy: removable });
    const role = new iam.Role(this, "SweepRole", {
      description: "Checks for clusters that must end",
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
        // The next sweep is 15 minutes away: three tries within ten minutes, then the next sweep takes over.
        retryPolicy: { maximumRetryAttempts: 3, maximumEventAgeInSeconds: Duration.minutes(10).toSeconds() },
      },
    });
  }
}
