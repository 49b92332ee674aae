import { Annotations, Duration, Stack } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

import type { DeployedPipeline } from "../deploy/pipeline-folder.ts";
import { nameWith } from "../names.ts";
import { mayStart } from "./pipeline-machine.ts";
import { inputsOfOthers, refuseCircles } from "./reading-order.ts";

/** Properties of {@link Downstream}. */
export interface DownstreamProps {
  /** Prefix of names. */
  readonly prefix: string;
  /** Address of the lake, ending with a slash. */
  readonly lake: string;
  /** Pipelines; those without inputs are started by nothing of this construct. */
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

/** Source of the events of notify, as shared/aws/src/eventbridge.rs has it. */
export const SOURCE = "sluice";
/**
 * What the kinds of these events begin with, as functions/notify/src/announce.rs has them. All count, not only `Sluice Run Published`: a run
 * that was rejected or failed, or whose next attempt found nothing new, may have committed tables in an attempt before, and its event names
 * them. An event of a run that committed nothing names no table, and matches no rule.
 */
export const DETAIL_TYPE = "Sluice Run ";

/**
 * Longest pattern of a rule, in characters. EventBridge allows 2,048 unless the quota is raised; the rest is left for blanks with which a
 * pattern may be written on its way. An input takes 123 characters at most (`silver/` 7, domain 48, `/`, table 64, quotes and comma 3), and
 * the rest of the pattern 218 with a bucket of 53: one rule has room for 14 of the longest inputs (14 × 123 - 1 + 218 = 1,939), and for 66 like
 * `gold/sales/daily_revenue`.
 */
const LONGEST_PATTERN = 2000;

/**
 * How long a start is tried again, as for deliveries: EventBridge waits longer after each try, 185 tries take about a day, and that is its
 * maximum. After that the event is in the queue, whose alarm is raised; the next publication of an input, or any other run of the pipeline,
 * reads the same versions.
 */
const RETRY = { maximumRetryAttempts: 185, maximumEventAgeInSeconds: Duration.days(1).toSeconds() };

/** A pattern that EventBridge would refuse. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}

/**
 * Starts the pipelines that read a table when it has a new version.
 *
 *     notify: "Sluice Run Published", committed: [{table, version, …}] → rule of each reader → execution of {"pipeline": "<name>"}
 *
 * **Whose events count.** AWS alone can put events whose source begins with `aws.`, as those of deliveries and of ended runs. This source is
 * ours: whoever has `events:PutEvents` on the account's default bus can write such an event. So nothing of the event is passed on. The
 * request is fixed here; a forged event can only start a run that finds nothing new. Events of other accounts, and those about another lake,
 * such as that of a second environment on the same bus, match no rule.
 *
 * **Repeated events are harmless.** notify, when it is called again, and EventBridge send at least once; and a pipeline whose inputs are
 * published by several runs is started by each of them. A run compares the versions of its inputs with those that its gold tables were
 * computed from: where they are the same it ends as skipped, for a fraction of a cent. Of two runs at the same time the slower one plans again.
 *
 * **What starts nothing**: a table that `sluice run`, `sluice restore` or another writer changes without notify, and runs of another account
 * or region. The next run of the reader takes what they wrote, so a schedule catches up.
 */
export class Downstream extends Construct {
  constructor(scope: Construct, id: string, props: DownstreamProps) {
    super(scope, id);
    refuseCircles(props.pipelines);
    const readers = props.pipelines.filter(({ inputs }) => inputs.length > 0);
    if (readers.length === 0) {
      return;
    }
    const names = `${props.prefix}-inputs-of-`;
    const { region } = Stack.of(this);
    // What the names of the rules begin with, because a role's trust has 2,048 characters: some 17 rules by their full names.
    const ofTheseRules = { ArnLike: { "aws:SourceArn": `arn:aws:events:${region}:${props.account}:rule/${names}*` } };
    const role = this.makeRole(props, { StringEquals: { "aws:SourceAccount": props.account }, ...ofTheseRules });
    // One statement for all rules: a queue's policy has 20 at most, and CDK's own targets add one for each rule. The ARN has the account in it;
    // EventBridge's guide names no other condition for these queues (eventbridge/latest/userguide/eb-rule-dlq).
    props.undelivered.addToResourcePolicy(new iam.PolicyStatement({
      sid: "KeepRunsOfInputs",
      principals: [new iam.ServicePrincipal("events.amazonaws.com")],
      actions: ["sqs:SendMessage"],
      resources: [props.undelivered.queueArn],
      conditions: ofTheseRules,
    }));
    for (const reader of readers) {
      this.warnOfOthers(reader, props.pipelines);
      this.watch(reader, names, role, props);
    }
  }

  private makeRole(props: DownstreamProps, conditions: Record<string, Record<string, string>>): iam.Role {
    return new iam.Role(this, "Role", {
      description: "Starts runs of pipelines whose inputs have a new version",
      assumedBy: new iam.ServicePrincipal("events.amazonaws.com", { conditions }),
      inlinePolicies: {
        start: new iam.PolicyDocument({
          statements: [new iam.PolicyStatement({ sid: "StartRuns", actions: ["states:StartExecution"], resources: mayStart(props) })],
        }),
      },
    });
  }

  private warnOfOthers(reader: DeployedPipeline, pipelines: readonly DeployedPipeline[]): void {
    for (const table of inputsOfOthers(reader, pipelines)) {
      Annotations.of(this).addWarningV2("sluice:input-of-others",
        `inputs of ${reader.name}: no pipeline of this environment publishes ${table}. If another deployment in this account and region publishes it into ` +
        "the same lake, all is well; if not, correct the name, or add its pipeline to pipelines: until then no publication of it starts a run");
    }
  }

  private watch({ name, inputs }: DeployedPipeline, names: string, role: iam.IRole, props: DownstreamProps): void {
    const target: events.IRuleTarget = {
      bind: () => ({
        arn: props.startArn,
        role,
        input: events.RuleTargetInput.fromObject({ pipeline: name }),
        deadLetterConfig: { arn: props.undelivered.queueArn },
        retryPolicy: RETRY,
      }),
    };
    dividedPatterns(name, inputs, props).forEach((eventPattern, place) => {
      const number = place === 0 ? "" : `.${place + 1}`;
      new events.Rule(this, `${name}${number}`, {
        ruleName: nameWith(`${names}${name}${number}`),
        description: `Tables that ${name} reads have a new version`,
        eventPattern,
        targets: [target],
      });
    });
  }
}

/**
 * The patterns for these tables: as few as hold them all. A publication of tables of two of them starts two runs, the second of which finds
 * nothing new.
 *
 * @throws PatternError when not even one table fits, which needs a prefix of the lake of more than a thousand characters
 */
function dividedPatterns(name: string, inputs: readonly string[], props: DownstreamProps): events.EventPattern[] {
  const groups: string[][] = [];
  for (const table of inputs) {
    const last = groups.at(-1);
    if (last !== undefined && patternLength([...last, table], props) <= LONGEST_PATTERN) {
      last.push(table);
    } else {
      groups.push([table]);
    }
  }
  for (const [table] of groups) {
    if (table !== undefined && patternLength([table], props) > LONGEST_PATTERN) {
      throw new PatternError(`inputs of ${name}: the pattern of the rule for ${table} is longer than ${LONGEST_PATTERN} characters, because it has the ` +
        `address of the lake, ${props.lake}: shorten lake.prefix`);
    }
  }
  return groups.map((tables) => patternOf(tables, props));
}

function patternOf(tables: readonly string[], props: DownstreamProps): events.EventPattern {
  return { account: [props.account], source: [SOURCE], detailType: events.Match.prefix(DETAIL_TYPE), detail: detailOf(tables, props) };
}

/** Characters of a pattern as CloudFormation writes it. */
function patternLength(tables: readonly string[], props: DownstreamProps): number {
  return JSON.stringify({ account: [props.account], source: [SOURCE], "detail-type": [{ prefix: DETAIL_TYPE }], detail: detailOf(tables, props) }).length;
}

/** EventBridge compares with every element of a list of the event: one committed table that is among these is enough. */
function detailOf(tables: readonly string[], { lake }: DownstreamProps): Record<string, unknown> {
  return { committed: { table: tables }, report_uri: [{ prefix: `${lake}runs/` }] };
}
