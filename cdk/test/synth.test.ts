import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, test } from "node:test";

import { repository } from "../lib/repository.ts";
import { placeholderArtifacts } from "./support/app.ts";
import { sluiceHere } from "./support/stateless.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-synth-"));
after(() => {
  rmSync(root, { recursive: true, force: true });
});

const sluice = sluiceHere();
const artifacts = placeholderArtifacts();

/** Synthesizes as `cdk synth` does: the app as a process of its own, with the context of cdk.json; without network, account or home. */
function synthesize(environment: string, folder: string, more: Readonly<Record<string, string>> = {}): void {
  const { context } = JSON.parse(readFileSync(repository.path("cdk/cdk.json"), "utf8")) as { context: Record<string, unknown> };
  const documents = sluice === undefined ? { documents: "skip" } : {};
  execFileSync(process.execPath, ["--import", "tsx", "bin/sluice.ts"], {
    cwd: repository.path("cdk"),
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env.PATH,
      SLUICE_BIN: sluice,
      // No credentials, no region, and a proxy that does not answer: every network access fails.
      HOME: root, AWS_EC2_METADATA_DISABLED: "true", HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9",
      CDK_OUTDIR: folder,
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, environment, artifacts, ...documents, ...more }),
    },
  });
}

function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => statSync(join(folder, file)).isFile());
  return new Map(files.sort().map((file) => [relative(folder, join(folder, file)), readFileSync(join(folder, file), "latin1")]));
}

for (const environment of ["dev", "prod", "prod-west"]) {
  test(`${environment} is synthesized offline, without findings, and twice the same byte by byte`, () => {
    const [once, again] = [join(root, `${environment}-1`), join(root, `${environment}-2`)];
    synthesize(environment, once);
    synthesize(environment, again);
    const [first, second] = [contents(once), contents(again)];
    assert.deepEqual([...first.keys()], [...second.keys()]);
    assert.deepEqual([...first].filter(([file, content]) => second.get(file) !== content).map(([file]) => file), []);
    const stacks = [...first.keys()].filter((file) => file.endsWith(".template.json"));
    const expected = ["stateful", "stateless", ...(environment === "prod" ? ["replica"] : [])].map((name) => `sluice-${environment}-${name}.template.json`);
    assert.deepEqual(stacks, expected.sort());
    const { missing } = JSON.parse(first.get("manifest.json") ?? "{}") as { missing?: unknown };
    assert.equal(missing, undefined, "something was looked up");
  });
}

/** What the app says when it cannot be synthesized. */
function refusal(environment: string, more: Readonly<Record<string, string>> = {}): string {
  try {
    synthesize(environment, join(root, "refused"), more);
  } catch (error) {
    return String((error as { stderr?: Buffer }).stderr);
  }
  return "it was synthesized";
}

test("an environment without a file, and functions that were not built, are named", () => {
  assert.match(refusal("nowhere"), /nowhere\.yaml: cannot be read/);
  assert.match(refusal("dev", { artifacts: "nowhere/lambda" }), /functions\.artifacts: nowhere\/lambda has neither validate\/bootstrap nor validate\.zip/);
});

test("everything that can be tagged has the environment's tag", () => {
  const folder = join(root, "tags");
  synthesize("prod", folder);
  for (const [file, content] of contents(folder)) {
    if (file.endsWith(".template.json")) {
      const { Resources } = JSON.parse(content) as { Resources: Record<string, { Type: string; Properties?: { Tags?: unknown } }> };
      const untagged = Object.entries(Resources)
        .filter(([, { Type }]) => /^AWS::(S3::Bucket|KMS::Key|SNS::Topic|SQS::Queue|Lambda::Function|Logs::LogGroup|IAM::Role|StepFunctions::StateMachine|SecretsManager::Secret|ApiGateway::RestApi|EC2::(VPC|Subnet))$/.test(Type))
        .filter(([, { Properties }]) => !JSON.stringify(Properties?.Tags ?? []).includes("sluice:environment"))
        .map(([id]) => id);
      assert.deepEqual(untagged, [], file);
    }
  }
});
