import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import * as kms from "aws-cdk-lib/aws-kms";
import * as s3 from "aws-cdk-lib/aws-s3";
import * as sns from "aws-cdk-lib/aws-sns";

import { readSettings, type Settings } from "../../lib/config.ts";
import { FUNCTION_NAMES } from "../../lib/functions/catalogue.ts";
import { repository } from "../../lib/repository.ts";
import type { StatefulResources } from "../../lib/stateful-resources.ts";

/** Removes a folder when the tests of this process are done. */
function temporary(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  process.once("exit", () => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** A folder with something in place of each built function. All differ, as real ones do. */
export function placeholderArtifacts(): string {
  const folder = temporary("sluice-artifacts-");
  for (const name of FUNCTION_NAMES) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "bootstrap"), `#!/bin/sh\n# ${name}\n`, { mode: 0o755 });
  }
  return folder;
}

const ARTIFACTS = placeholderArtifacts();

/** The environments of the repository. */
export type Environment = "dev" | "prod" | "prod-west";

/** Settings of an environment of the repository, with placeholders for the functions. */
export function settingsOf(environment: Environment): Settings {
  const settings = readSettings(repository.path("cdk/environments", `${environment}.yaml`));
  return { ...settings, functions: { ...settings.functions, artifacts: ARTIFACTS } };
}

/** An app with the feature flags of cdk.json. */
export function newApp(): App {
  const { context } = JSON.parse(readFileSync(repository.path("cdk/cdk.json"), "utf8")) as { context: Record<string, unknown> };
  return new App({ context, outdir: temporary("sluice-assembly-") });
}

/** A stack in the account and region of the settings. */
export function newStack(settings: Settings): Stack {
  return new Stack(newApp(), "test", { env: { account: settings.account, region: settings.region } });
}

/** Stand-ins for the resources of the stateful stack, so that constructs are tested without it. */
export function statefulStandIns(stack: Stack, settings: Settings): StatefulResources {
  const { account, region } = settings;
  const topic = (name: string): sns.ITopic => sns.Topic.fromTopicArn(stack, name, `arn:aws:sns:${region}:${account}:${name}`);
  return {
    lake: s3.Bucket.fromBucketName(stack, "lake", settings.lake.bucket),
    key: kms.Key.fromKeyArn(stack, "key", `arn:aws:kms:${region}:${account}:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9`),
    runs: topic("runs"),
    critical: topic("critical"),
    warning: topic("warning"),
  };
}

/** A resource of a template. */
export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
}

/** Resources of one type, by logical id. */
export function resourcesOf(template: Template, type: string): Record<string, Resource> {
  return template.findResources(type) as Record<string, Resource>;
}

/** The only resource of a type, or the only one whose properties have this value. */
export function theOne(template: Template, type: string, matches: (properties: Record<string, unknown>) => boolean = () => true): Record<string, unknown> {
  const found = Object.values(resourcesOf(template, type)).filter((resource) => matches(propertiesOf(resource)));
  const [one] = found;
  if (one === undefined || found.length > 1) {
    throw new Error(`${type}: ${found.length} resources match, not one`);
  }
  return propertiesOf(one);
}

/** Properties of a resource, which may have none. */
function propertiesOf(resource: Partial<Resource>): Record<string, unknown> {
  return resource.Properties ?? {};
}
