import { Duration } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import { SOURCE } from "../workflow/downstream.ts";

/** Properties of {@link LineageStream}. */
export interface LineageStreamProps {
  /** Prefix of names. */
  readonly prefix: string;
  /** Address of the lake, ending with a slash. */
  readonly lake: string;
  /** Account and region, for the pattern of the rule and the trust of the role. */
  readonly account: string;
  readonly region: string;
  /** The stream of Kinesis. */
  readonly streamArn: string;
  /** Queue for events that could not be put on the stream. */
  readonly undelivered: sqs.IQueue;
}

/** Kind of OpenLineage events on the bus, as functions/notify/src/aws.rs has it. */
export const LINEAGE_DETAIL_TYPE = "OpenLineage RunEvent";

/**
 * Puts the OpenLineage events of this lake on a stream of Kinesis: notify → event bus → rule → stream. A record is the event itself, and its
 * partition key the id of the run, so that the events of a run stay in order within a shard.
 *
 * A rule, and no client of Kinesis in notify: that would be one more SDK in its binary, for what the bus does by itself, with a day of
 * retries and a queue. A stream that is encrypted with a key of its own has to let the role of the rule use it (`kms:GenerateDataKey`).
 */
export class LineageStream extends Construct {
  constructor(scope: Construct, id: string, props: LineageStreamProps) {
    super(scope, id);
    const { account, region, lake, streamArn, undelivered } = props;
    const ruleName = `${props.prefix}-lineage`;
    const ofThisRule = { ArnEquals: { "aws:SourceArn": `arn:aws:events:${region}:${account}:rule/${ruleName}` } };
    const role = new iam.Role(this, "Role", {
      description: "Puts OpenLineage events on a stream",
      assumedBy: new iam.ServicePrincipal("events.amazonaws.com", { conditions: { StringEquals: { "aws:SourceAccount": account }, ...ofThisRule } }),
      inlinePolicies: {
        put: new iam.PolicyDocument({
          statements: [new iam.PolicyStatement({ sid: "PutEvents", actions: ["kinesis:PutRecord", "kinesis:PutRecords"], resources: [streamArn] })],
        }),
      },
    });
    undelivered.addToResourcePolicy(new iam.PolicyStatement({
      sid: "KeepLineageEvents",
      principals: [new iam.ServicePrincipal("events.amazonaws.com")],
      actions: ["sqs:SendMessage"],
      resources: [undelivered.queueArn],
      conditions: ofThisRule,
    }));
    const target: events.IRuleTarget = {
      bind: () => ({
        arn: streamArn,
        role,
        input: events.RuleTargetInput.fromEventPath("$.detail"),
        kinesisParameters: { partitionKeyPath: "$.detail.run.runId" },
        deadLetterConfig: { arn: undelivered.queueArn },
        retryPolicy: { maximumRetryAttempts: 185, maximumEventAgeInSeconds: Duration.days(1).toSeconds() },
      }),
    };
    new events.Rule(this, "Rule", {
      ruleName,
      description: "OpenLineage events of this lake",
      // Other environments may use the same bus: the namespace of jobs is the address of their lake.
      eventPattern: { account: [account], source: [SOURCE], detailType: [LINEAGE_DETAIL_TYPE], detail: { job: { namespace: [lake.replace(/\/$/, "")] } } },
      targets: [target],
    });
  }
}
