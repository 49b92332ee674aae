import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parse, stringify } from "yaml";

import { parseSettings, readSettings, SettingsError } from "../lib/config.ts";
import { repository } from "../lib/repository.ts";

const prod = readFileSync(repository.path("cdk/environments/prod.yaml"), "utf8");

/** The production settings with one of them changed or removed. */
function changed(path: string, value: unknown): string {
  const document = parse(prod) as Record<string, unknown>;
  const names = path.split(".");
  const last = names.pop() ?? "";
  const place = names.reduce<Record<string, unknown>>((inner, name) => inner[name] as Record<string, unknown>, document);
  if (value === undefined) {
    Reflect.deleteProperty(place, last);
  } else {
    place[last] = value;
  }
  return stringify(document);
}

test("the environments of the repository are valid, and defaults are filled in", () => {
  const dev = readSettings(repository.path("cdk/environments/dev.yaml"));
  assert.equal(dev.functions.processMemoryMb, 3008);
  assert.equal(dev.replica, undefined);
  assert.equal(dev.catalogue && dev.auditTrail && dev.api.accountLogging, true);
  assert.equal(readSettings(repository.path("cdk/environments/prod.yaml")).emr?.release, "emr-7.13.0");
  assert.equal(readSettings(repository.path("cdk/environments/prod-west.yaml")).lake.existing?.keyArn.split(":")[3], "eu-west-1");
});

test("objectives have defaults, and nothing is promised without the section", () => {
  assert.equal(parseSettings(prod, "prod.yaml").operations.slo, undefined);
  assert.deepEqual(parseSettings(changed("operations.slo", {}), "prod.yaml").operations.slo, { availability: 99.9, runs: 99, freshnessWarning: 75 });
});

/** A wrong setting: its name, a value, and what the message must say about the fix. */
const WRONG: readonly (readonly [path: string, value: unknown, says: string])[] = [
  ["environment", "Prod", "environment: write 2 to 16 lower-case letters"],
  ["account", "12345", "account: write the 12 digits of the AWS account"],
  ["account", 123456789012, "account: write the 12 digits of the AWS account, in quotes"],
  ["account", undefined, "account: is missing: write the 12 digits"],
  ["region", "Frankfurt", "region: write an AWS region, such as eu-central-1"],
  ["region", "cn-north-1", "region: write an AWS region, such as eu-central-1; regions of China and GovCloud are not supported"],
  ["lake", undefined, "lake: is missing: write bucket: with the name of the lake's bucket"],
  ["lake", null, "lake: is missing: write bucket:"],
  ["lake", "my-lake", "lake: write bucket: with the name"],
  ["lake.bucket", "My_Lake", "lake.bucket: write 3 to 53 lower-case letters"],
  ["lake.prefix", "lake", "lake.prefix: write folders with a slash after each"],
  ["lake.bronzeYears", 0, "lake.bronzeYears: write at least 1 years"],
  ["lake.runDays", 7, "lake.runDays: write at least 30 days"],
  ["lake.existing", {}, "lake.existing.keyArn: is missing: write the ARN of a key"],
  ["lake.existing", true, "lake.existing: write keyArn: of the key that the bucket is encrypted with"],
  ["lake.existing", { keyArn: "alias/mine" }, "lake.existing.keyArn: write the ARN of a key"],
  ["replica.region", "eu-central-1", "replica.region: is the region of the lake itself: write another one"],
  ["replica.bucket", "example-sluice-prod-lake", "replica.bucket: is the lake's own name"],
  ["replica.bucket", "a".repeat(60), "replica.bucket: write 3 to 53 lower-case letters"],
  ["functions.artifacts", "", "functions.artifacts: write the folder of the built functions"],
  ["functions.processMemoryMb", 100, "functions.processMemoryMb: write at least 512 MB"],
  ["functions.processConcurrency", 1.5, "functions.processConcurrency: write a whole number of executions"],
  ["functions.logDays", 45, "functions.logDays: write one of 7, 14, 30"],
  ["functions.rollout", "big-bang", "functions.rollout: write all-at-once, canary"],
  ["pipelines", undefined, "pipelines: is missing: write a list of pipelines, each with - folder:"],
  ["pipelines", "pipelines/retail", "pipelines: write a list of pipelines"],
  ["pipelines", ["pipelines/retail"], "pipelines.0: write folder:"],
  ["pipelines", [], "pipelines: name at least one pipeline"],
  ["pipelines", [{ folder: "pipelines/retail" }, { folder: "pipelines/retail" }], "pipelines: pipelines/retail is named twice: remove one"],
  ["pipelines", [{ folder: "../elsewhere" }], "pipelines.0.folder: write the folder of a pipeline"],
  ["pipelines", [{ folder: "pipelines/retail", schedule: { expression: "every day" } }], "pipelines.0.schedule.expression: write cron("],
  ["pipelines", [{ folder: "pipelines/retail", schedule: { expression: "rate(1 hour)", timeZone: "Berlin" } }], "pipelines.0.schedule.timeZone: write an IANA time zone"],
  ["pipelines", [{ folder: "pipelines/retail", onDelivery: "yes" }], "pipelines.0.onDelivery: write true or false"],
  ["pipelines", [{ folder: "pipelines/retail", freshnessHours: 200 }], "pipelines.0.freshnessHours: write at most 168 hours"],
  ["pipelines", [{ folder: "pipelines/retail", producers: [] }], "pipelines.0.producers: name at least one producer, or leave it out"],
  ["pipelines", [{ folder: "pipelines/retail", producers: "210987654321" }], "pipelines.0.producers: write a list of accounts"],
  ["pipelines", [{ folder: "pipelines/retail", producers: ["shop"] }], "pipelines.0.producers.0: write the 12 digits of an account in quotes"],
  ["pipelines", [{ folder: "pipelines/retail", producers: ["s3.amazonaws.com"] }], "pipelines.0.producers.0: write the 12 digits"],
  ["openLineage", "events", "openLineage: write target:"],
  ["openLineage", {}, "openLineage.target: is missing: write https://host/api/v1/lineage"],
  ["openLineage", { target: "http://host/api/v1/lineage" }, "openLineage.target: write https://host/api/v1/lineage"],
  ["openLineage", { target: "https://ann:secret@host/api/v1/lineage" }, "openLineage.target: write https://host/api/v1/lineage"],
  ["openLineage", { target: "kinesis:stream" }, "openLineage.target: write https://host/api/v1/lineage"],
  ["openLineage", { target: "https://host/api/v1/lineage", keySecretArn: "hush" }, "openLineage.keySecretArn: write the ARN of a secret"],
  ["openLineage", { target: "lake", keySecretArn: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:k-a1b2c3" }, "openLineage.keySecretArn: target lake needs no key"],
  ["openLineage", { target: "lake", keySecretKeyArn: "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9" }, "openLineage.keySecretKeyArn: is the key of a secret that is not named"],
  ["openLineage", { target: "lake", streamArn: "arn:aws:kinesis:eu-central-1:123456789012:stream/lineage" }, "openLineage.streamArn: the event bus puts events on the stream"],
  ["openLineage", { target: "events", streamArn: "arn:aws:kinesis:eu-west-1:123456789012:stream/lineage" }, "openLineage.streamArn: is in another region"],
  ["emr.cidr", "10.300.0.0/16", "emr.cidr: write a private range 10.<n>.0.0/16, n from 0 to 255"],
  ["emr.cidr", "192.168.0.0/24", "emr.cidr: write a private range 10.<n>.0.0/16"],
  ["emr.release", "emr-6.15.0", "emr.release: write a release emr-7"],
  ["emr.release", "emr-7.9.0", "emr.release: write a release emr-7.<n>.<n>, emr-7.10.0 or newer"],
  ["emr.certificates", undefined, "emr.certificates: is missing: write the address of a zip with PEM files"],
  ["api.requestsPerSecond", 200, "api.burst: is below api.requestsPerSecond"],
  ["api.accounts", "210987654321", "api.accounts: write a list of accounts, each 12 digits in quotes"],
  ["api.accounts", ["acme"], "api.accounts.0: write the 12 digits of the AWS account"],
  ["api.accounts", ["123456789012"], "api.accounts: 123456789012 is the account itself, whose roles need no entry: remove it"],
  ["api.accountLogging", "no", "api.accountLogging: write true or false"],
  ["alerts", "slack", "alerts: write a list of channels, each with - name:"],
  ["alerts", [{ name: "Chat", kind: "slack" }], "alerts.0.name: write 1 to 64 lower-case letters"],
  ["alerts", [{ name: "chat", kind: "irc" }], "alerts.0.kind: write slack, teams, pagerduty"],
  ["alerts", [{ name: "chat", kind: "slack" }], "alerts.0.address: is missing: a channel of kind slack needs it"],
  ["alerts", [{ name: "chat", kind: "slack", address: "https://hooks.slack.com/services/x" }], "alerts.0.address: whoever knows it can write to the channel"],
  ["alerts", [{ name: "page", kind: "pagerduty", key: "R0123456789" }], "alerts.0.key: write secretsmanager: and the ARN"],
  ["alerts", [{ name: "mail", kind: "email", topic: "ops" }], "alerts.0.topic: write critical or warning"],
  ["alerts", [{ name: "mail", kind: "email", topic: "warning" }, { name: "mail", kind: "email", topic: "critical" }], "alerts: mail is named twice"],
  ["catalogue", "glue", "catalogue: write true or false"],
  ["auditTrail", 1, "auditTrail: write true or false"],
  ["api.domain.name", "data", "api.domain.name: write a domain name"],
  ["api.domain.certificateArn", "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d", "api.domain.certificateArn: is in us-east-1"],
  ["operations.criticalEmails", ["on-call"], "operations.criticalEmails.0: write an e-mail address"],
  ["operations.criticalEmails", undefined, "operations.criticalEmails: is missing: write a list of e-mail addresses"],
  ["operations", undefined, "operations: is missing: write criticalEmails:, monthlyBudgetUsd: and runbook:"],
  ["operations.monthlyBudgetUsd", "plenty", "operations.monthlyBudgetUsd: write a whole number of US dollars from 1 to 10000000, or none"],
  ["operations.slo", 99.9, "operations.slo: write {} for the defaults, or availability:"],
  ["operations.slo", { availability: 90 }, "operations.slo.availability: write at least 95 percent"],
  ["operations.slo", { runs: 100 }, "operations.slo.runs: write at most 99.99 percent"],
  ["operations.slo", { freshnessWarning: "soon" }, "operations.slo.freshnessWarning: write a number of percent from 10 to 99"],
  ["operations.monthlyBudgetUsd", 0, "operations.monthlyBudgetUsd: write at least 1 US dollars"],
  ["operations.budgetCounts", "everything", "operations.budgetCounts: write environment or account"],
  ["operations.runbook", "http://example.com", "operations.runbook: write the https address of the runbook"],
  ["operations.pager", "x", "operations.pager: no such setting: remove it, or correct its name"],
  ["tags", { team: "data,mine" }, "tags.team: write a text, numbers in quotes"],
  ["tags", { "cost-centre": 4711 }, "tags.cost-centre: write a text, numbers in quotes"],
  ["tags", { "sluice:lake": "x" }, "tags.sluice:lake: write a tag key that does not begin with aws:, sluice:"],
  ["tags", { "aws:team": "data" }, "tags.aws:team: write a tag key that does not begin with aws:"],
];

for (const [path, value, says] of WRONG) {
  test(`wrong: ${path} ${JSON.stringify(value)}`, () => {
    assert.throws(() => parseSettings(changed(path, value), "prod.yaml"), (error) => {
      assert.ok(error instanceof SettingsError);
      assert.ok(error.message.includes(`prod.yaml: ${says}`), error.message);
      assert.equal(error.message.split("\n").length, 1, error.message);
      return true;
    });
  });
}

test("an existing bucket keeps its own rules: settings that would change them are refused", () => {
  const document = parse(prod) as { lake: Record<string, unknown> };
  const keyArn = "arn:aws:kms:eu-west-1:999999999999:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
  document.lake = { ...document.lake, existing: { keyArn }, bronzeYears: 3, runDays: 90 };
  assert.throws(() => parseSettings(stringify(document), "x.yaml"), (error) => {
    assert.ok(error instanceof SettingsError);
    assert.deepEqual(error.message.split("\n").map((line) => line.split(": ").slice(0, 2).join(": ")),
      ["x.yaml: lake.bronzeYears", "x.yaml: lake.runDays", "x.yaml: replica", "x.yaml: lake.existing.keyArn"]);
    assert.match(error.message, /is in 999999999999, eu-west-1: name a key of account 123456789012 in eu-central-1/);
    return true;
  });
});

test("a budget that there is not counts nothing", () => {
  const document = parse(prod) as { operations: Record<string, unknown> };
  document.operations = { ...document.operations, monthlyBudgetUsd: "none", budgetCounts: "account" };
  assert.throws(() => parseSettings(stringify(document), "x.yaml"), /operations\.budgetCounts: this environment has no budget: remove it/);
});

test("all problems are reported together, and invalid YAML with its line", () => {
  assert.throws(() => parseSettings("environment: X\nlake: {bucket: a}\n", "x.yaml"), (error) => error instanceof Error && error.message.split("\n").length >= 5);
  assert.throws(() => parseSettings("a: [", "x.yaml"), /x\.yaml: is not valid YAML: .*line 1/);
  assert.throws(() => readSettings("nowhere.yaml"), /nowhere\.yaml: cannot be read: write the environment's settings there/);
});
