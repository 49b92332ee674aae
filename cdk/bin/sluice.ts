import { App, Tags, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";

import { readSettings } from "../lib/config.ts";
import { findSluice } from "../lib/deploy/sluice-command.ts";
import { SluiceReplicaStack } from "../lib/replica-stack.ts";
import { repository } from "../lib/repository.ts";
import { SluiceStatefulStack } from "../lib/stateful-stack.ts";
import { SluiceStatelessStack } from "../lib/stateless-stack.ts";

const app = new App();

/** A value given with `-c <name>=…`. */
function given(name: string, otherwise: string): string {
  const value: unknown = app.node.tryGetContext(name);
  return typeof value === "string" && value !== "" ? value : otherwise;
}

const environment = given("environment", "dev");
const read = readSettings(repository.path("cdk/environments", `${environment}.yaml`));
const settings = { ...read, functions: { ...read.functions, artifacts: given("artifacts", read.functions.artifacts) } };
if (settings.environment !== environment) {
  throw new Error(`cdk/environments/${environment}.yaml: environment: is ${settings.environment}: write the name of the file, ${environment}`);
}
const sluice = given("documents", "deploy") === "skip" ? undefined : findSluice(process.env);

const prefix = `sluice-${environment}`;
const env = { account: settings.account, region: settings.region };
const replica = settings.replica === undefined
  ? undefined
  : new SluiceReplicaStack(app, `${prefix}-replica`, {
    settings,
    env: { account: settings.account, region: settings.replica.region },
    description: `Sluice ${environment}: copy of the lake in a second region`,
  });
const stateful = new SluiceStatefulStack(app, `${prefix}-stateful`, {
  settings, env, description: `Sluice ${environment}: lake, key, topics, records`,
});
if (replica !== undefined) {
  // S3 checks that the replica exists when replication of the lake is configured.
  stateful.addStackDependency(replica);
}
new SluiceStatelessStack(app, `${prefix}-stateless`, {
  settings, stateful, env, description: `Sluice ${environment}: functions, state machine, schedules, API, alarms`,
  ...(sluice === undefined ? {} : { sluice }),
});

// For the bill (activate them as cost allocation tags), and to show where a resource belongs.
for (const [key, value] of Object.entries({ ...settings.tags, "sluice:environment": environment })) {
  Tags.of(app).add(key, value);
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
