import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import { FUNCTION_NAMES, functionCatalogue, type FunctionName } from "../lib/functions/catalogue.ts";
import { readJson, repository } from "../lib/repository.ts";
import { DEFINITION_FUNCTIONS } from "../lib/workflow/pipeline-machine.ts";
import { resourcesOf, settingsOf, theOne } from "./support/app.ts";
import { stateless } from "./support/stateless.ts";

const asl = readFileSync(repository.stateMachine(), "utf8");
const { template } = stateless("prod");
const text = (...path: string[]): string => readFileSync(repository.path(...path), "utf8");

/** Name of the function that an alias or a version belongs to, by its logical id. */
function functionsBy(type: "AWS::Lambda::Alias" | "AWS::Lambda::Version", of: Template): Map<string, string> {
  const functions = resourcesOf(of, "AWS::Lambda::Function");
  return new Map(Object.entries(resourcesOf(of, type)).map(([id, { Properties }]) =>
    [id, String(functions[(Properties.FunctionName as { Ref: string }).Ref]?.Properties.FunctionName).replace("sluice-prod-", "")]));
}

test("the workspace's functions are the catalogue's, and all are deployed", () => {
  const folders = readdirSync(repository.path("functions")).filter((name) => existsSync(repository.path("functions", name, "Cargo.toml")));
  assert.deepEqual(folders.sort(), [...FUNCTION_NAMES].sort());
  assert.deepEqual([...functionsBy("AWS::Lambda::Alias", template).values()].sort(), [...FUNCTION_NAMES].sort());
});

test("placeholders of the definition = substitutions = functions = what the machine may invoke", () => {
  const placeholders = [...new Set([...asl.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => String(name)))].sort();
  assert.deepEqual(Object.keys(DEFINITION_FUNCTIONS).sort(), placeholders);

  const machine = theOne(template, "AWS::StepFunctions::StateMachine");
  const byVersion = functionsBy("AWS::Lambda::Version", template);
  const substitutions = machine.DefinitionSubstitutions as Record<string, { Ref: string }>;
  // Versions, not aliases: a deployment must not change the code of a run that has begun.
  assert.deepEqual(Object.fromEntries(Object.entries(substitutions).map(([placeholder, { Ref }]) => [placeholder, byVersion.get(Ref)])), DEFINITION_FUNCTIONS);

  const role = resourcesOf(template, "AWS::IAM::Role")[(machine.RoleArn as { "Fn::GetAtt": [string] })["Fn::GetAtt"][0]];
  const [policy] = role?.Properties.Policies as { PolicyDocument: { Statement: { Sid: string; Resource: string[] }[] } }[];
  const invoked = policy?.PolicyDocument.Statement.find(({ Sid }) => Sid === "InvokeTheFunctions")?.Resource;
  assert.deepEqual(invoked?.sort(), Object.values(DEFINITION_FUNCTIONS).map((name) => `arn:aws:lambda:eu-central-1:123456789012:function:sluice-prod-${name}:*`).sort());
});

test("the definition is the file, unchanged", () => {
  assert.equal(theOne(template, "AWS::StepFunctions::StateMachine").DefinitionString, asl);
});

test("every error that the definition matches is one of the code or of the service", () => {
  const known = new Set([...text("shared/core/src/error.rs").matchAll(/Self::\w+ => "(\w+)"/g)].map(([, name]) => name));
  assert.ok(known.size >= 10);
  const matched = new Set([...asl.matchAll(/"ErrorEquals":\s*\[([^\]]*)\]/g)].flatMap(([, names]) => [...String(names).matchAll(/"([^"]+)"/g)].map(([, name]) => String(name))));
  const ofTheService = /^(States|Lambda|Runtime|Sandbox)\.[A-Za-z]+$/;
  assert.deepEqual([...matched].filter((name) => !known.has(name) && !ofTheService.test(name)), []);
});

/** A state of the definition. */
interface State {
  readonly Parameters?: { readonly FunctionName?: string };
  readonly TimeoutSeconds?: number;
  /** The states that a Map executes for each of its items. */
  readonly ItemProcessor?: { readonly States: Readonly<Record<string, State>> };
}

/** Every state, those within a Map included. */
function statesIn(states: Readonly<Record<string, State>>): (readonly [string, State])[] {
  return Object.entries(states).flatMap(([name, state]) => [[name, state] as const, ...statesIn(state.ItemProcessor?.States ?? {})]);
}

test("the state machine waits 30 s longer than each function may take, and API Gateway as long as its functions", () => {
  const { States } = JSON.parse(asl) as { States: Record<string, State> };
  const catalogue = functionCatalogue(settingsOf("prod"));
  for (const [state, { Parameters, TimeoutSeconds }] of statesIn(States).filter(([, { Parameters }]) => Parameters?.FunctionName !== undefined)) {
    const placeholder = String(Parameters?.FunctionName).slice(2, -1) as keyof typeof DEFINITION_FUNCTIONS;
    assert.equal(TimeoutSeconds, catalogue[DEFINITION_FUNCTIONS[placeholder]].timeoutSeconds + 30, state);
  }
  assert.equal(catalogue.submit.timeoutSeconds, 29);
  assert.equal(catalogue["data-product"].timeoutSeconds, 29);
});

test("memory and timeouts equal those of the crates for cargo lambda", () => {
  const catalogue = functionCatalogue(settingsOf("dev"));
  for (const name of FUNCTION_NAMES) {
    const deploy = /\[package\.metadata\.lambda\.deploy\]\nmemory = (\d+)\ntimeout = (\d+)/.exec(text("functions", name, "Cargo.toml"));
    assert.deepEqual([Number(deploy?.[1]), Number(deploy?.[2])], [catalogue[name].memoryMb, catalogue[name].timeoutSeconds], name);
  }
});

/** Variables by their constant in env.rs. */
const VARIABLES = new Map([...text("shared/aws/src/env.rs").matchAll(/pub const (\w+): Variable\s*=\s*Variable\s*\{\s*name: "(\w+)"/g)]
  .map(([, constant, name]) => [String(constant), String(name)]));

/** Which variables a piece of code of shared/aws reads. */
function constantsIn(code: string): string[] {
  return [...new Set([...code.matchAll(/env::([A-Z][A-Z0-9_]+)/g)].map(([, constant]) => String(constant)))];
}

function functionBody(path: string, signature: RegExp): string {
  const code = text(path);
  const start = code.search(signature);
  assert.ok(start >= 0, `${path} has no ${String(signature)}`);
  return code.slice(start, code.indexOf("\n}\n", start));
}

/** What a call in main.rs reads, by the code that it leads to. */
const CALLS: readonly (readonly [RegExp, () => readonly string[]])[] = [
  [/env\.lake\(\)/, () => ["LAKE"]],
  [/env\.topic\(\)/, () => ["TOPIC_ARN"]],
  [/env\.event_bus\(\)/, () => ["EVENT_BUS"]],
  [/env\.openlineage\(\)/, () => ["OPENLINEAGE"]],
  [/lineage_events\(env, /, () => constantsIn(functionBody("shared/aws/src/secrets.rs", /pub async fn openlineage_key</))],
  [/env\.alert_channels\(\)/, () => ["ALERT_CHANNELS"]],
  // Region, credentials and endpoints alone: the channels say which secrets.
  [/AwsSecrets\(env\.clone\(\)\)/, () => []],
  [/env\.state_machine\(\)/, () => ["STATE_MACHINE_ARN"]],
  [/store::store_options\(env, /, () => constantsIn(text("shared/aws/src/store.rs").split("#[cfg(test)]")[0] ?? "")],
  [/emr::settings\(env\)/, () => constantsIn(functionBody("shared/aws/src/emr.rs", /pub fn settings\(/))],
  [/secrets::secret\(env\)/, () => constantsIn(functionBody("shared/aws/src/secrets.rs", /pub async fn secret</))],
  [/emr::step_role\(env\)/, () => constantsIn(functionBody("shared/aws/src/emr.rs", /pub fn step_role\(/))],
];

/** Set by Lambda, for emulators or on machines of people: never by a deployment. */
const NOT_DEPLOYED = new Set([
  "LOG_LEVEL", "RUNTIME_API", "REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "ENDPOINT_URL", "ENDPOINT_URL_S3",
  "ENDPOINT_URL_SECRETS_MANAGER", "SECRET", "OPENLINEAGE_KEY",
]);

/** Variables that a binary reads, from its main.rs. A call with the environment that this test does not know fails it. */
function readBy(name: FunctionName): string[] {
  let code = text("functions", name, "src/main.rs");
  const constants = new Set<string>();
  for (const [call, reads] of CALLS) {
    if (call.test(code)) {
      reads().forEach((constant) => constants.add(constant));
      code = code.replaceAll(new RegExp(call, "g"), "");
    }
  }
  for (const [whole, constant] of code.matchAll(/env\.(?:parse|get)\(env::(\w+)\)/g)) {
    constants.add(String(constant));
    code = code.replace(whole, "");
  }
  assert.doesNotMatch(code, /\benv\.\w|\benv::[A-Z]|\(env[,)]|std::env/, `functions/${name}/src/main.rs reads the environment in a way that this test does not know`);
  const names = [...constants].filter((constant) => !NOT_DEPLOYED.has(constant)).map((constant) => {
    const variable = VARIABLES.get(constant);
    assert.ok(variable, `env.rs has no ${constant}`);
    return variable;
  });
  // Read by lambda_http, which the function's crate links.
  return code.includes("sluice_http::lambda::serve") ? [...names, "AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH"] : names;
}

function variablesOf(from: Template, environment: string, name: FunctionName): string[] {
  const properties = theOne(from, "AWS::Lambda::Function", ({ FunctionName }) => FunctionName === `sluice-${environment}-${name}`);
  return Object.keys((properties.Environment as { Variables: Record<string, unknown> }).Variables).sort();
}

/** Variables with a default in the code, which also applies to deployments that do not set them. */
const WITH_DEFAULT = new Set([
  "SLUICE_OPENLINEAGE_KEY_ARN",
  "SLUICE_EMR_RELEASE", "SLUICE_EMR_PRIMARY_TYPES", "SLUICE_EMR_WORKER_TYPES", "SLUICE_EMR_CORE_UNITS", "SLUICE_EMR_MIN_UNITS",
  "SLUICE_EMR_MAX_UNITS", "SLUICE_EMR_IDLE_TIMEOUT_SECONDS", "SLUICE_EMR_STEP_CONCURRENCY", "SLUICE_EMR_TAGS", "SLUICE_EMR_SECURITY_GROUPS",
]);

for (const name of FUNCTION_NAMES) {
  test(`${name} has every variable that it reads and no other`, () => {
    const reads = readBy(name);
    const set = variablesOf(template, "prod", name);
    assert.deepEqual(set.filter((variable) => !reads.includes(variable)), [], "set and not read");
    assert.deepEqual(reads.filter((variable) => !set.includes(variable) && !WITH_DEFAULT.has(variable)), [], "read and not set");
  });
}

test("without the large engine its functions lack its variables, so that a plan that asks for it fails by their names", () => {
  const dev = stateless("dev").template;
  for (const name of ["start-emr", "run-etl"] as const) {
    assert.deepEqual(variablesOf(dev, "dev", name).filter((variable) => variable.startsWith("SLUICE_EMR_")), [], name);
  }
});

test("every route of the OpenAPI documents is deployed, and no other", () => {
  const paths = (name: string): string[] => Object.entries((readJson(repository.openApi(name)) as { paths: Record<string, object> }).paths)
    .flatMap(([path, verbs]) => Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path}`));
  // On AWS, S3 itself serves links to files.
  const documented = [...paths("submit"), ...paths("data-product")].filter((route) => route !== "GET /files/{id}");
  const resources = resourcesOf(template, "AWS::ApiGateway::Resource");
  const pathOf = (id: string): string => {
    const resource = resources[id];
    const parent = (resource?.Properties.ParentId as { Ref?: string } | undefined)?.Ref;
    return resource === undefined ? "" : `${parent === undefined ? "" : pathOf(parent)}/${String(resource.Properties.PathPart)}`;
  };
  const deployed = Object.values(resourcesOf(template, "AWS::ApiGateway::Method")).map(({ Properties }) =>
    `${String(Properties.HttpMethod)} ${pathOf((Properties.ResourceId as { Ref: string }).Ref)}`);
  assert.deepEqual(deployed.sort(), [...documented, "GET /openapi.json", "GET /process/openapi.json"].sort());
});
