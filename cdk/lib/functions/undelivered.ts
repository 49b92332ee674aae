import { Duration } from "aws-cdk-lib";
import * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import { acknowledge, skipChecks } from "../suppressions.ts";
import { removable } from "./removable.ts";

/** Evidence for queues that are not encrypted with the lake's key. */
export const SQS_KEY = "Encrypted with SQS's own key, which the check does not see: senders are services, and messages are names of pipelines and runs";

/** Properties of {@link Undelivered}. */
export interface UndeliveredProps {
  /** Name of the queue. */
  readonly queueName: string;
  /**
   * Whether it receives the failures of a FIFO queue.
   * @default false
   */
  readonly fifo?: boolean;
}

/**
 * Keeps what could not be delivered for 14 days, so that a person can examine it: an alarm watches its depth.
 *
 * Encrypted with SQS's own key. With the lake's key, the services that deliver here (EventBridge, Lambda) would need rights on it, and the
 * messages are only names of pipelines and runs. It has no dead-letter queue of its own: only people read it.
 */
export class Undelivered extends Construct {
  readonly queue: sqs.Queue;
  /** Its name, as alarms name it. */
  readonly name: string;

  constructor(scope: Construct, id: string, props: UndeliveredProps) {
    super(scope, id);
    this.name = props.fifo === true ? `${props.queueName}.fifo` : props.queueName;
    this.queue = new sqs.Queue(this, "Queue", {
      queueName: this.name,
      ...(props.fifo === true ? { fifo: true } : {}),
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy: removable,
    });
    // The rule only recognises a dead-letter queue when its source is a queue, too, as for a FIFO queue.
    if (props.fifo !== true) {
      acknowledge(this.queue, { id: "AwsSolutions-SQS3", reason: "It is the dead-letter queue of rules, schedules and a function; only people read it" });
    }
    skipChecks(this.queue, { id: "CKV_AWS_27", comment: SQS_KEY });
  }
}
