import type * as kms from "aws-cdk-lib/aws-kms";
import * as sns from "aws-cdk-lib/aws-sns";
import * as subscriptions from "aws-cdk-lib/aws-sns-subscriptions";
import * as iam from "aws-cdk-lib/aws-iam";
import { Stack } from "aws-cdk-lib";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";

/** Properties of {@link Topics}. */
export interface TopicsProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Encrypts the messages. */
  readonly key: kms.IKey;
}

/** The topics of an environment, by urgency. */
export class Topics extends Construct {
  /** Every run: published, rejected, skipped, failed. People subscribe with a filter on `pipeline` and `outcome`. */
  readonly runs: sns.Topic;
  /** Something is broken and needs attention now. */
  readonly critical: sns.Topic;
  /** Can wait until morning. */
  readonly warning: sns.Topic;

  constructor(scope: Construct, id: string, props: TopicsProps) {
    super(scope, id);
    const { environment, operations } = props.settings;
    const { account } = Stack.of(this);
    const topic = (name: string, displayName: string, emails: readonly string[], senders: readonly string[]): sns.Topic => {
      const made = new sns.Topic(this, name, {
        topicName: `sluice-${environment}-${name.toLowerCase()}`,
        displayName,
        masterKey: props.key,
        enforceSSL: true,
      });
      for (const service of senders) {
        made.addToResourcePolicy(new iam.PolicyStatement({
          sid: `From${service}`,
          principals: [new iam.ServicePrincipal(`${service}.amazonaws.com`)],
          actions: ["sns:Publish"],
          resources: [made.topicArn],
          conditions: { StringEquals: { "aws:SourceAccount": account } },
        }));
      }
      for (const address of emails) {
        made.addSubscription(new subscriptions.EmailSubscription(address));
      }
      return made;
    };
    this.runs = topic("Runs", "Sluice runs", [], []);
    this.critical = topic("Critical", "Sluice: look now", operations.criticalEmails, ["cloudwatch", "budgets"]);
    this.warning = topic("Warning", "Sluice: can wait until morning", operations.warningEmails, ["cloudwatch", "budgets"]);
  }
}
