import { Duration } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import { SqsQueue } from "aws-cdk-lib/aws-events-targets";
import * as iam from "aws-cdk-lib/aws-iam";
import * as pipes from "aws-cdk-lib/aws-pipes";
import * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import type { DeployedPipeline } from "../deploy/pipeline-folder.ts";
import { removable } from "../functions/removable.ts";
import { SQS_KEY, Undelivered } from "../functions/undelivered.ts";
import { nameWith } from "../names.ts";
import { skipChecks } from "../suppressions.ts";
import { mayStart } from "./pipeline-machine.ts";

/** Properties of {@link Deliveries}. */
export interface DeliveriesProps {
  /** Prefix of names. */
  readonly prefix: string;
  /** Name of the lake's bucket. */
  readonly bucket: string;
  /** Prefix of the lake in it. */
  readonly lakePrefix: string;
  /** Pipelines; those with `onDelivery: false` are skipped. */
  readonly pipelines: readonly DeployedPipeline[];
  /** The state machine. */
  readonly stateMachineArn: string;
  /** Its alias, by which runs are started. */
  readonly startArn: string;
  /** Account, for the trust of the role. */
  readonly account: string;
  /** Queue for events that could not be queued for the pipe. */
  readonly undelivered: sqs.IQueue;
}

/** SQS remembers messages for deduplication for five minutes; this is not configurable. */
const DEDUPLICATION = Duration.minutes(5);
/** Longer than that, so that every file whose event was dropped as a duplicate is in the lake before the run lists it. */
const DELAY = DEDUPLICATION.plus(Duration.seconds(10));

/** Folders that a rule names, in characters: EventBridge takes patterns of up to 2048, and each folder has a frame and the lake's prefix. */
const MAX_FOLDERS_LENGTH = 1500;
/** The frame of a folder in the pattern: `{"prefix":""},`. */
const FRAME_LENGTH = 14;

/**
 * Starts a run when files are delivered: one run for all files of five minutes, not one per file.
 *
 *     S3 "Object Created" → rule per pipeline → FIFO queue → pipe → execution of [{"pipeline": "<name>"}]
 *
 * The rule turns each event into the same message, `{"pipeline": "<name>"}`, and the queue drops a message that it has seen in the last
 * five minutes. It delivers the others after 310 s. So a run starts after every file whose message was dropped has arrived, and because a
 * run reads everything new (S3 lists what was written before), it reads these files. A file that arrives later sends a message of its own.
 *
 * Without that, a thousand files would be a thousand executions that plan the same objects and conflict with each other. Duplicates that
 * remain (events and queues deliver at least once) are harmless: validate plans only what no ledger has, the slower of two runs plans
 * again, and a run with nothing to do ends as skipped.
 */
export class Deliveries extends Construct {
  /** Name of the queue with what the pipe could not start; undefined when no pipeline starts on delivery. */
  readonly undelivered: string | undefined;

  constructor(scope: Construct, id: string, props: DeliveriesProps) {
    super(scope, id);
    const watched = props.pipelines.filter(({ settings }) => settings.onDelivery);
    if (watched.length === 0) {
      return;
    }
    const dead = new Undelivered(this, "Undelivered", { queueName: `${props.prefix}-deliveries-undelivered`, fifo: true });
    this.undelivered = dead.name;
    const queue = new sqs.Queue(this, "Queue", {
      queueName: `${props.prefix}-deliveries.fifo`,
      fifo: true,
      contentBasedDeduplication: true,
      deliveryDelay: DELAY,
      // One message is one StartExecution: seconds.
      visibilityTimeout: Duration.minutes(1),
      retentionPeriod: Duration.days(4),
      // 30 tries, one per minute: Step Functions may be unavailable for half an hour.
      deadLetterQueue: { queue: dead.queue, maxReceiveCount: 30 },
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy: removable,
    });
    skipChecks(queue, { id: "CKV_AWS_27", comment: SQS_KEY });
    for (const pipeline of watched) {
      this.watch(pipeline, queue, props);
    }
    this.pipe(queue, props);
  }

  private watch({ name, landingFolders }: DeployedPipeline, queue: sqs.IQueue, props: DeliveriesProps): void {
    const key = watchedFolders(name, landingFolders, props.lakePrefix).map((folder) => ({ prefix: `${props.lakePrefix}${folder}` }));
    new events.Rule(this, name, {
      ruleName: nameWith(`${props.prefix}-delivered-${name}`),
      description: `Files delivered for ${name}`,
      eventPattern: {
        source: ["aws.s3"],
        detailType: ["Object Created"],
        detail: {
          bucket: { name: [props.bucket] },
          // Folders that a console creates are empty objects; an empty file has no rows either, and the next run sees it anyway.
          object: { key, size: [{ numeric: [">", 0] }] },
        },
      },
      targets: [new SqsQueue(queue, {
        messageGroupId: name,
        message: events.RuleTargetInput.fromObject({ pipeline: name }),
        deadLetterQueue: props.undelivered,
        // EventBridge waits longer after each try; 185 tries take about a day.
        maxEventAge: Duration.days(1),
        retryAttempts: 185,
      })],
    });
  }

  private pipe(queue: sqs.IQueue, props: DeliveriesProps): void {
    const name = `${props.prefix}-deliveries`;
    const role = new iam.Role(this, "PipeRole", {
      description: "Starts runs for delivered files",
      assumedBy: new iam.ServicePrincipal("pipes.amazonaws.com", { conditions: { StringEquals: { "aws:SourceAccount": props.account } } }),
      inlinePolicies: {
        pipe: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({ sid: "TakeMessages", actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], resources: [queue.queueArn] }),
            new iam.PolicyStatement({ sid: "StartRuns", actions: ["states:StartExecution"], resources: mayStart(props) }),
          ],
        }),
      },
    });
    new pipes.CfnPipe(this, "Pipe", {
      name,
      description: "One run for all files of five minutes",
      roleArn: role.roleArn,
      source: queue.queueArn,
      sourceParameters: { sqsQueueParameters: { batchSize: 1 } },
      target: props.startArn,
      // Pipes applies the template to each message and sends an array of the results, even of one: the input of the execution is
      // [{"pipeline": "<name>"}]. The template is an object because the bare body would be a text in that array.
      targetParameters: { inputTemplate: '{"pipeline": <$.body.pipeline>}', stepFunctionStateMachineParameters: { invocationType: "FIRE_AND_FORGET" } },
    });
  }
}

/**
 * The folders whose files start runs of a pipeline: those of its sources. Where they are too many for one rule, the folder that has them
 * all: a file next to them starts a run with nothing to do, which ends as skipped.
 */
function watchedFolders(name: string, landingFolders: readonly string[], lakePrefix: string): readonly string[] {
  const length = landingFolders.reduce((sum, folder) => sum + lakePrefix.length + folder.length + FRAME_LENGTH, 0);
  return length <= MAX_FOLDERS_LENGTH ? landingFolders : [`landing/${name}/`];
}
