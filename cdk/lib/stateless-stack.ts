import { Stack, type StackProps } from "aws-cdk-lib";
import * as codedeploy from "aws-cdk-lib/aws-codedeploy";
import type { Construct } from "constructs";

import { SluiceApi } from "./api/sluice-api.ts";
import { AthenaWorkgroup } from "./catalogue/athena-workgroup.ts";
import { GlueTables } from "./catalogue/glue-tables.ts";
import type { Settings } from "./config.ts";
import { LakeDocuments } from "./deploy/lake-documents.ts";
import { type DeployedPipeline, readPipelineFolder } from "./deploy/pipeline-folder.ts";
import { Producers } from "./deploy/producers.ts";
import { type RegisteredDocuments, registeredDocuments } from "./deploy/registered-documents.ts";
import { EmrEnvironment } from "./emr/emr-environment.ts";
import { FUNCTION_NAMES } from "./functions/catalogue.ts";
import { GradualRollout, rolloutRole } from "./functions/gradual-rollout.ts";
import { logRetention } from "./functions/log-retention.ts";
import { SluiceFunctions } from "./functions/sluice-functions.ts";
import { Undelivered } from "./functions/undelivered.ts";
import { functionNameOf, namesOf } from "./names.ts";
import { LineageStream } from "./notifications/lineage-stream.ts";
import { Alarms } from "./operations/alarms.ts";
import { Budget } from "./operations/budget.ts";
import { BurnAlarms } from "./operations/burn.ts";
import { Dashboard } from "./operations/dashboard.ts";
import type { StatefulResources } from "./stateful-resources.ts";
import { ClusterSweep } from "./workflow/cluster-sweep.ts";
import { Deliveries } from "./workflow/deliveries.ts";
import { Downstream } from "./workflow/downstream.ts";
import { EndedRuns } from "./workflow/ended-runs.ts";
import { PipelineMachine } from "./workflow/pipeline-machine.ts";
import { Schedules } from "./workflow/schedules.ts";

/** Properties of {@link SluiceStatelessStack}. */
export interface SluiceStatelessStackProps extends StackProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** What outlives this stack. */
  readonly stateful: StatefulResources;
  /**
   * The command `sluice`, which checks pipelines and products and writes their documents.
   * @default - none: no documents are deployed, you have to run `sluice deploy`, and the catalogue does not know the columns of tables
   */
  readonly sluice?: string;
}

/** Everything that can be created again: functions, state machine, schedules, API, alarms. */
export class SluiceStatelessStack extends Stack {
  constructor(scope: Construct, id: string, props: SluiceStatelessStackProps) {
    super(scope, id, props);
    const { settings, stateful } = props;
    const { account } = settings;
    const names = namesOf(settings);
    const pipelines = settings.pipelines.map(readPipelineFolder);

    const undelivered = new Undelivered(this, "Undelivered", { queueName: `${names.prefix}-undelivered` });
    const api = new SluiceApi(this, "Api", { settings, prefix: names.prefix, key: stateful.key });
    const clusters = settings.emr === undefined ? undefined : new EmrEnvironment(this, "Emr", { settings, lake: stateful.lake, key: stateful.key });
    const functions = new SluiceFunctions(this, "Functions", {
      settings, stateful, pipelines, endpoint: api.endpoint, failures: undelivered.queue, ...(clusters === undefined ? {} : { clusters }),
    });
    api.addRoutes(functions.all);

    const application = new codedeploy.LambdaApplication(this, "Rollouts", { applicationName: names.prefix });
    const answering = ["submit", "data-product"] as const;
    const role = rolloutRole(this, "RolloutRole", answering.map((name) => functionNameOf(settings, name)));
    for (const name of answering) {
      new GradualRollout(this, `Rollout-${name}`, {
        target: functions.all[name], functionName: functionNameOf(settings, name), rollout: settings.functions.rollout, application, role,
      });
    }

    const machine = new PipelineMachine(this, "Pipeline", {
      name: names.stateMachine, functions: functions.all, key: stateful.key, logDays: logRetention(settings),
    });
    const { prefix, stateMachineArn, startArn } = names;
    const starts = { prefix, pipelines, stateMachineArn, startArn, account, undelivered: undelivered.queue };
    const schedules = new Schedules(this, "Schedules", starts);
    const deliveries = new Deliveries(this, "Deliveries", { ...starts, bucket: settings.lake.bucket, lakePrefix: settings.lake.prefix });
    const downstream = new Downstream(this, "Downstream", { ...starts, lake: names.lake });
    // They name the machine by a text, so CloudFormation does not see that they need it.
    [schedules, deliveries, downstream].forEach((needing) => {
      needing.node.addDependency(machine);
    });
    new EndedRuns(this, "EndedRuns", {
      prefix, stateMachineArn, executionPrefix: names.executionPrefix, undelivered: undelivered.queue, terminate: functions.all.terminate,
      notify: functions.all.notify,
    });
    if (settings.openLineage?.streamArn !== undefined) {
      const { streamArn } = settings.openLineage;
      new LineageStream(this, "LineageStream", { prefix, lake: names.lake, account, region: settings.region, streamArn, undelivered: undelivered.queue });
    }
    new ClusterSweep(this, "ClusterSweep", { prefix, account, undelivered: undelivered.queue, terminate: functions.all.terminate });
    new Producers(this, "Producers", { settings, prefix, pipelines, key: stateful.key });
    const documents = props.sluice === undefined ? undefined : registeredDocuments(props.sluice, pipelines);
    if (documents !== undefined) {
      new LakeDocuments(this, "Documents", { settings, pipelines, lake: stateful.lake, key: stateful.key, prefix, documents });
    }
    if (settings.catalogue) {
      this.describeTables(props, pipelines, documents);
    }
    this.watch(props, pipelines, [undelivered.name, ...(deliveries.undelivered === undefined ? [] : [deliveries.undelivered])]);
  }

  private describeTables({ settings, stateful }: SluiceStatelessStackProps, pipelines: readonly DeployedPipeline[], documents: RegisteredDocuments | undefined): void {
    new GlueTables(this, "Tables", { settings, tables: pipelines.flatMap(({ tables }) => tables), ...(documents && { columns: documents.tables }) });
    new AthenaWorkgroup(this, "Athena", { settings, prefix: namesOf(settings).prefix, key: stateful.key });
  }

  /** Alarms, the dashboard and the budget; they name what they watch, so they come last. */
  private watch({ settings, stateful }: SluiceStatelessStackProps, pipelines: readonly DeployedPipeline[], queues: readonly string[]): void {
    const { prefix, stateMachineArn } = namesOf(settings);
    const { critical, warning } = stateful;
    const watched = { settings, functions: FUNCTION_NAMES.map((name) => functionNameOf(settings, name)), stateMachineArn, queues, api: prefix };
    const promised = pipelines.map((one) => ({ name: one.name, freshnessHours: one.settings.freshnessHours }));
    const { alarms } = new Alarms(this, "Alarms", { ...watched, critical, warning, pipelines: promised });
    const burns = new BurnAlarms(this, "BurnAlarms", { settings, critical, warning, api: prefix, pipelines: promised });
    new Dashboard(this, "Dashboard", { ...watched, alarms: [...alarms, ...burns.alarms], pipelines: pipelines.map(({ name }) => name) });
    const { monthlyBudgetUsd } = settings.operations;
    if (monthlyBudgetUsd !== "none") {
      new Budget(this, "Budget", { settings, monthlyUsd: monthlyBudgetUsd, critical, warning });
    }
  }
}
