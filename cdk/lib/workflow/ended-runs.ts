import { Duration } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import type { SluiceFunction } from "../functions/sluice-function.ts";

/** Properties of {@link EndedRuns}. */
export interface EndedRunsProps {
  /** Prefix of names. */
  readonly prefix: string;
  /** The state machine whose ends are watched. */
  readonly stateMachineArn: string;
  /** What the ARN of each run's execution begins with. */
  readonly executionPrefix: string;
  /** Announces a run that ended without announcing itself. */
  readonly notify: SluiceFunction;
  /** Ends its cluster: the third net under clusters ("No cluster stays" in ARCHITECTURE.md). */
  readonly terminate: SluiceFunction;
  /** Queue for events that could not be delivered. */
  readonly undelivered: sqs.IQueue;
}

/**
 * What follows when an execution failed, timed out or was stopped. It then executes no state of its own any more, so Step Functions' event of
 * the new status calls the functions; an execution that is redriven and fails again sends another.
 *
 * The event names the state machine without version or alias, however the execution was started; it has those in fields of their own.
 *
 * Executions of parts have events of their own, and all that are under way are stopped with their run: they are no runs, and nobody wants a
 * message for each. Their ARNs have the label of the state behind the name of the machine, in `stateMachineArn` and in `executionArn`. The
 * pattern asks for both, because no account has shown such an event yet.
 */
export class EndedRuns extends Construct {
  constructor(scope: Construct, id: string, props: EndedRunsProps) {
    super(scope, id);
    const call = ({ alias }: SluiceFunction): LambdaFunction => new LambdaFunction(alias, {
      deadLetterQueue: props.undelivered,
      // Tries for an hour; by then the sweep of clusters has run several times, and the alarm on the queue is raised.
      maxEventAge: Duration.hours(1),
      retryAttempts: 30,
    });
    new events.Rule(this, "Ended", {
      ruleName: `${props.prefix}-ended-runs`,
      description: "Announces executions that failed, timed out or were stopped, and ends their clusters",
      eventPattern: {
        source: ["aws.states"],
        detailType: ["Step Functions Execution Status Change"],
        detail: {
          stateMachineArn: [props.stateMachineArn],
          executionArn: [{ prefix: props.executionPrefix }],
          status: ["FAILED", "TIMED_OUT", "ABORTED"],
        },
      },
      targets: [call(props.terminate), call(props.notify)],
    });
  }
}
