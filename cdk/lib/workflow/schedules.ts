import { Duration, TimeZone } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as scheduler from "aws-cdk-lib/aws-scheduler";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import type { DeployedPipeline } from "../deploy/pipeline-folder.ts";
import { removable } from "../functions/removable.ts";
import { nameWith } from "../names.ts";
import { mayStart } from "./pipeline-machine.ts";

/** Properties of {@link Schedules}. */
export interface SchedulesProps {
  /** Prefix of names. */
  readonly prefix: string;
  /** Pipelines; those without a schedule are skipped. */
  readonly pipelines: readonly DeployedPipeline[];
  /** The state machine. */
  readonly stateMachineArn: string;
  /** Its alias, by which runs are started. */
  readonly startArn: string;
  /** Account, for the trust of the role. */
  readonly account: string;
  /** Queue for starts that failed. */
  readonly undelivered: sqs.IQueue;
}

/**
 * How long a start is retried. Scheduler waits longer each time, up to minutes, so that 10 tries take about an hour; whichever limit is
 * reached first ends it. After that, the next delivery or tomorrow's schedule reads the same objects, because a run reads everything new.
 */
const RETRY = { maximumRetryAttempts: 10, maximumEventAgeInSeconds: Duration.hours(1).toSeconds() };

/**
 * Starts runs at set times.
 *
 * Scheduler may call twice for one time. The second run finds nothing new and ends as skipped, or meets the first one and plans again: it
 * costs a fraction of a cent. So executions get no name of ours: a name that is used again is refused once its first execution has ended,
 * and the refusal would lie in the queue of undelivered starts and raise its alarm, although nothing is missing.
 */
export class Schedules extends Construct {
  constructor(scope: Construct, id: string, props: SchedulesProps) {
    super(scope, id);
    const timed = props.pipelines.flatMap(({ name, settings }) => (settings.schedule === undefined ? [] : [{ name, schedule: settings.schedule }]));
    if (timed.length === 0) {
      return;
    }
    const group = new scheduler.ScheduleGroup(this, "Group", { scheduleGroupName: `${props.prefix}-runs`, removalPolicy: removable });
    const role = new iam.Role(this, "Role", {
      description: "Starts runs at set times",
      // Both conditions: without them a schedule of another group or account could be used to act with this role.
      assumedBy: new iam.ServicePrincipal("scheduler.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": props.account, "aws:SourceArn": group.scheduleGroupArn } },
      }),
      inlinePolicies: {
        start: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({ sid: "StartRuns", actions: ["states:StartExecution"], resources: mayStart(props) }),
            new iam.PolicyStatement({ sid: "KeepWhatCouldNotStart", actions: ["sqs:SendMessage"], resources: [props.undelivered.queueArn] }),
          ],
        }),
      },
    });
    for (const { name, schedule } of timed) {
      new scheduler.CfnSchedule(this, name, {
        name: nameWith(`${props.prefix}-${name}`),
        description: `Starts a run of ${name}`,
        groupName: group.scheduleGroupName,
        scheduleExpression: schedule.expression,
        scheduleExpressionTimezone: TimeZone.of(schedule.timeZone).timezoneName,
        flexibleTimeWindow: schedule.flexibleMinutes === 0
          ? { mode: "OFF" }
          : { mode: "FLEXIBLE", maximumWindowInMinutes: schedule.flexibleMinutes },
        target: {
          arn: "arn:aws:scheduler:::aws-sdk:sfn:startExecution",
          roleArn: role.roleArn,
          input: JSON.stringify({
            StateMachineArn: props.startArn,
            Input: JSON.stringify({ pipeline: name }),
          }),
          deadLetterConfig: { arn: props.undelivered.queueArn },
          retryPolicy: RETRY,
        },
      });
    }
  }
}
