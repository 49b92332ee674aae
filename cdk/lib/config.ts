import { readFileSync } from "node:fs";

import { parse } from "yaml";
import { z } from "zod";

/**
 * Settings of one environment, as `environments/<name>.yaml` has them. Everything that may differ between two deployments is here;
 * what is the same everywhere is in the construct that needs it. A setting that is wrong, missing or unknown fails the synthesis
 * with a message that names it and says what to write instead.
 */

/** A text of this form. The message says what to write when the value is wrong, missing or not a text. */
const text = (form: RegExp, message: string) => z.string({ error: message }).regex(form, message);
/** Settings that belong together. The message says what to write when they are missing or not a section. */
const section = <Shape extends z.core.$ZodLooseShape>(message: string, shape: Shape) =>
  z.strictObject(shape, { error: (issue) => (issue.code === "invalid_type" ? message : undefined) });
const list = <Item extends z.ZodType>(message: string, item: Item) => z.array(item, { error: message });

const account = text(/^\d{12}$/, "write the 12 digits of the AWS account, in quotes");
// ARNs in iam/ are those of the commercial partition.
const region = text(/^(?!cn-|us-gov-|us-iso)[a-z]{2}(-[a-z]+)+-\d$/, "write an AWS region, such as eu-central-1; regions of China and GovCloud are not supported");
// 53, because the buckets for its records are called <name>-access and <name>-audit, and a name has 63 characters at most.
const bucket = text(/^[a-z0-9][a-z0-9-]{1,51}[a-z0-9]$/, "write 3 to 53 lower-case letters, digits and hyphens");
const email = z.email("write an e-mail address");
const yes = z.boolean({ error: "write true or false" });
const wholeNumber = (least: number, most: number, unit: string) =>
  z.number({ error: `write a number of ${unit} from ${least} to ${most}` })
    .int(`write a whole number of ${unit}`)
    .min(least, `write at least ${least} ${unit}`)
    .max(most, `write at most ${most} ${unit}`);

/** An objective. Below 95 % the faster alarm could not ring: 14.4 times the budget would be more than everything. */
const objective = z.number({ error: "write a number of percent from 95 to 99.99" })
  .min(95, "write at least 95 percent").max(99.99, "write at most 99.99 percent");

/** Whoever may assume the role that delivers files: an account, a role or user of IAM, or AWS Transfer Family (SFTP). */
const producer = text(/^(\d{12}|arn:aws:iam::\d{12}:(role|user)\/[\w+=,.@/-]+|transfer\.amazonaws\.com)$/,
  "write the 12 digits of an account in quotes, the ARN of a role or user, or transfer.amazonaws.com");

const schedule = section("write expression: and, where it is not UTC, timeZone:", {
  /** When runs start, in EventBridge Scheduler's terms: cron(…) or rate(…). */
  expression: text(/^(cron\(\S+( \S+){5}\)|rate\([1-9]\d* (minute|hour|day)s?\))$/,
    "write cron(minutes hours day-of-month month day-of-week year) or rate(1 hour)"),
  /** IANA time zone of the expression. */
  timeZone: z.string({ error: "write an IANA time zone, such as Europe/Berlin" })
    .refine(isTimeZone, "write an IANA time zone, such as Europe/Berlin").default("UTC"),
  /** Minutes within which a run may start, so that not all start at once; 0 starts them to the minute. */
  flexibleMinutes: wholeNumber(0, 1440, "minutes").default(0),
});

const pipeline = section("write folder: and what else there is to say of the pipeline", {
  /** Folder with pipeline.yaml, relative to the repository. */
  folder: text(/^[A-Za-z0-9][\w./-]*$/, "write the folder of a pipeline, such as pipelines/retail"),
  /** Runs at set times; without it, none. */
  schedule: schedule.optional(),
  /** Whether delivered files start runs: one run for all files of five minutes. */
  onDelivery: yes.default(true),
  /** Who may deliver its files, apart from this account's own roles; a role that they assume is created. Without it, nobody. */
  producers: list("write a list of accounts, ARNs of roles, or transfer.amazonaws.com", producer)
    .min(1, "name at least one producer, or leave it out").optional(),
  /** Hours after which the data product counts as stale and an alarm is raised; without it, no alarm. An alarm covers a week at most. */
  freshnessHours: wholeNumber(1, 168, "hours").optional(),
});

/** Where a secret is kept. Never the secret itself, which would be in a template and in the settings of the function. */
const secretReference = text(/^secretsmanager:arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+$/,
  "write secretsmanager: and the ARN of the secret, such as secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:slack-a1b2c3");

const alertChannel = section("write name:, kind: and what the kind needs (docs/alerts.md)", {
  /** What the specs of pipelines call it. */
  name: text(/^[a-z][a-z0-9_-]{0,63}$/, "write 1 to 64 lower-case letters, digits, - and _, beginning with a letter"),
  kind: z.enum(["slack", "teams", "pagerduty", "opsgenie", "webhook", "email"],
    { error: "write slack, teams, pagerduty, opsgenie, webhook or email" }),
  /** Gets the errors and warnings of pipelines whose specs say nothing of alerts. */
  default: yes.default(false),
  /** Of slack and teams: where the address is kept. Of webhook: an https address, or where it is kept. Of pagerduty and opsgenie: only for another region. */
  address: z.union([secretReference, z.url({ protocol: /^https$/ })],
    { error: "write an https address, or secretsmanager: and the ARN of the secret that holds it" }).optional(),
  /** Of pagerduty, opsgenie and webhook: where the key is kept. */
  key: secretReference.optional(),
  /** Of email: the topic of this environment whose subscribers get it. */
  topic: z.enum(["critical", "warning"], { error: "write critical or warning" }).optional(),
});

const settings = section("write the environment's settings, as environments/dev.yaml does", {
  /** Name of the environment; prefix of the names of everything in it. */
  environment: text(/^[a-z][a-z0-9-]{0,14}[a-z0-9]$/,
    "write 2 to 16 lower-case letters, digits and hyphens, beginning with a letter"),
  account,
  region,
  lake: section("write bucket: with the name of the lake's bucket", {
    /** Name of the bucket; it is fixed because the functions' policies name it. */
    bucket,
    /** Prefix of the lake in it, ending with a slash; empty for the whole bucket. */
    prefix: text(/^([A-Za-z0-9][\w-]*\/)*$/, "write folders with a slash after each, such as lake/, or nothing").default(""),
    /** Years for which bronze keeps the raw deliveries; 7 by default. */
    bronzeYears: wholeNumber(1, 30, "years").optional(),
    /** Days after which documents of runs expire; 400 by default. */
    runDays: wholeNumber(30, 3650, "days").optional(),
    /** The bucket exists already, such as a replica that is promoted: it is used as it is. Without it, it is created. */
    existing: section("write keyArn: of the key that the bucket is encrypted with", {
      keyArn: text(/^arn:aws:kms:[a-z0-9-]+:\d{12}:key\/[0-9a-f-]{36}$/, "write the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>"),
    }).optional(),
  }),
  /** A second region that gets a copy of every object of the lake within minutes; without it, none. */
  replica: section("write region: and bucket: of the replica", { region, bucket }).optional(),
  functions: section("write settings of functions, or leave it out", {
    /** Folder with the built functions: `<name>/bootstrap` (as cargo-lambda leaves them) or `<name>.zip`; relative to the repository. */
    artifacts: text(/^\S/, "write the folder of the built functions, such as target/lambda").default("target/lambda"),
    /** Memory of process, which decides how large a run it can handle. */
    processMemoryMb: wholeNumber(512, 10240, "MB").default(3008),
    /** Maximum concurrent executions of process; without it, the account's limit. */
    processConcurrency: wholeNumber(1, 1000, "executions").optional(),
    /** Days for which logs are kept. */
    logDays: z.union([z.literal(7), z.literal(14), z.literal(30), z.literal(60), z.literal(90), z.literal(180), z.literal(365), z.literal(400), z.literal(731)],
      { error: "write one of 7, 14, 30, 60, 90, 180, 365, 400, 731 days" }).default(90),
    /** How traffic moves to a new version of the functions that serve API callers. */
    rollout: z.enum(["all-at-once", "canary-10-percent-5-minutes", "linear-10-percent-each-minute"],
      { error: "write all-at-once, canary-10-percent-5-minutes or linear-10-percent-each-minute" }).default("canary-10-percent-5-minutes"),
  }).default({ artifacts: "target/lambda", processMemoryMb: 3008, logDays: 90, rollout: "canary-10-percent-5-minutes" }),
  pipelines: list("write a list of pipelines, each with - folder:", pipeline).min(1, "name at least one pipeline"),
  /** The large engine; without it, a run that needs it fails after it was read, and says which setting is missing. */
  emr: section("write certificates: with the address of a zip with PEM files", {
    /** Address range of the private network of clusters. */
    cidr: text(/^10\.(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\.0\.0\/16$/, "write a private range 10.<n>.0.0/16, n from 0 to 255").default("10.60.0.0/16"),
    /** Release of EMR. Scripts are tested with the 7.x series; before 7.10, EMRFS may write markers (`_$folder$`) that the roles refuse. */
    release: text(/^emr-7\.[1-9]\d\.\d+$/, "write a release emr-7.<n>.<n>, emr-7.10.0 or newer").default("emr-7.13.0"),
    /** Maximum vCPUs of a cluster, not counting those of its primary instance. */
    maxUnits: wholeNumber(16, 4000, "vCPUs").default(128),
    /** Zip with PEM files (privateKey.pem, certificateChain.pem), with which instances encrypt the traffic between them. */
    certificates: text(/^s3:\/\/[a-z0-9][a-z0-9-]+\/\S+\.zip$/, "write the address of a zip with PEM files, s3://bucket/certificates.zip"),
  }).optional(),
  api: section("write settings of the API, or leave it out", {
    /** Sustained requests per second of all callers together. */
    requestsPerSecond: wholeNumber(1, 10000, "requests a second").default(50),
    /** Burst beyond that rate. */
    burst: wholeNumber(1, 5000, "requests").default(100),
    /** Requests per day of all callers of one usage plan. */
    requestsPerDay: wholeNumber(1, 100_000_000, "requests a day").default(200_000),
    /** A web application firewall in front of the API, for some $9 a month. */
    firewall: yes.default(false),
    /** Pages for people below /console, whose sign-in anybody who knows the address may call. */
    console: yes.default(false),
    /** Other accounts whose roles may read data products, if the policies of the products and of their own account allow it. */
    accounts: list("write a list of accounts, each 12 digits in quotes", account).default([]),
    /** Sets the role with which API Gateway writes logs, one per account and region: false where the account already has one. */
    accountLogging: yes.default(true),
    /** A domain name of your own instead of API Gateway's. */
    domain: section("write name: and certificateArn: of the domain", {
      name: text(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/, "write a domain name, such as data.example.com"),
      certificateArn: text(/^arn:aws[\w-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[0-9a-f-]+$/, "write the ARN of a certificate in ACM"),
    }).optional(),
  }).default({ requestsPerSecond: 50, burst: 100, requestsPerDay: 200_000, firewall: false, console: false, accounts: [], accountLogging: true }),
  /** Channels for alerts of runs; without any, runs alert nobody, and only the topic of runs is notified. */
  alerts: list("write a list of channels, each with - name:", alertChannel).default([]),
  /** Glue tables and an Athena workgroup; false where Lake Formation does not let this deployment create databases. */
  catalogue: yes.default(true),
  /** A trail of CloudTrail that records who writes to the lake; false where the organization has one, or forbids trails. */
  auditTrail: yes.default(true),
  /** Where notify sends OpenLineage events of runs; without it, it makes none. */
  openLineage: section("write target: and, where its server needs a key, keySecretArn:", {
    /** A server's address, `events` for the account's event bus, or `lake` to keep them with the runs alone. */
    target: text(/^(events|lake|https:\/\/[^\s/@]+\/\S+)$/, "write https://host/api/v1/lineage, events (the event bus) or lake (kept with the run alone)"),
    /** A secret with the server's key, which is sent as bearer token. */
    keySecretArn: text(/^arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+$/, "write the ARN of a secret in Secrets Manager").optional(),
    /** The key that this secret is encrypted with, where it is not the one that AWS manages. */
    keySecretKeyArn: text(/^arn:aws:kms:[a-z0-9-]+:\d{12}:key\/[0-9a-f-]{36}$/, "write the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>").optional(),
    /** A stream of Kinesis that a rule of the event bus puts the events on, for target: events. */
    streamArn: text(/^arn:aws:kinesis:[a-z0-9-]+:\d{12}:stream\/[\w.-]{1,128}$/, "write the ARN of a stream, arn:aws:kinesis:<region>:<account>:stream/<name>").optional(),
  }).optional(),
  operations: section("write criticalEmails:, monthlyBudgetUsd: and runbook:", {
    /** Who is notified immediately when something is broken. */
    criticalEmails: list("write a list of e-mail addresses", email).min(1, "name at least one address that is notified of failures"),
    /** Who is notified of problems that can wait until morning. */
    warningEmails: list("write a list of e-mail addresses", email).default([]),
    /** Monthly budget; notifications are sent at 80 % and when the forecast exceeds it. `none` where the account may have no budget. */
    monthlyBudgetUsd: z.union([z.literal("none"), wholeNumber(1, 10_000_000, "US dollars")],
      { error: "write a whole number of US dollars from 1 to 10000000, or none" }),
    /** What it counts: what carries the environment's tags (the default), or the whole account, where nobody can activate tags. */
    budgetCounts: z.enum(["environment", "account"], { error: "write environment or account" }).optional(),
    /** Alarms on promises that are broken faster than they allow it, which cost some dollars a month; see docs/metrics.md. Without it, none. */
    slo: section("write {} for the defaults, or availability:, runs: and freshnessWarning:", {
      /** Percent of the API's calls that are answered without a 5xx, over 30 days. */
      availability: objective.default(99.9),
      /** Percent of the runs of a pipeline with freshnessHours that end published or skipped, over 30 days. */
      runs: objective.default(99),
      /** Percent of freshnessHours after which a warning comes. */
      freshnessWarning: wholeNumber(10, 99, "percent").default(75),
    }).optional(),
    /** Address of docs/runbook.md, as people open it. Alarms add the part of it that says what to do, such as #run-failed. */
    runbook: z.url({ protocol: /^https$/, error: "write the https address of the runbook" }),
  }),
  /** Tags of everything, for the bill. */
  tags: z.record(
    text(/^(?!aws:|sluice:|for-use-with-amazon-emr)[\w .:/+@-]{1,128}$/i,
      "write a tag key that does not begin with aws:, sluice: or for-use-with-amazon-emr, of letters, digits, spaces and . : / + @ _ -"),
    // start-emr passes them to clusters as a list with commas.
    text(/^[\p{L}\p{N} .:/=+@_-]{0,256}$/u, "write a text, numbers in quotes: up to 256 letters, digits, spaces and . : / = + @ _ -"),
    { error: "write keys and texts, such as { team: data }" },
  ).default({}),
});

/** Settings of one environment, checked. */
export type Settings = z.infer<typeof settings>;
export type PipelineSettings = z.infer<typeof pipeline>;
export type AlertChannelSettings = z.infer<typeof alertChannel>;

/** A setting that is wrong. The message names the file, the setting and the fix, one line each. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/**
 * Reads and checks the settings of an environment.
 *
 * @param path the YAML file
 * @throws SettingsError when the file cannot be read, or some setting is wrong
 */
export function readSettings(path: string): Settings {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new SettingsError(`${path}: cannot be read: write the environment's settings there, as environments/dev.yaml does`, { cause: error });
  }
  return parseSettings(text, path);
}

/**
 * Checks settings written in YAML.
 *
 * @param text YAML
 * @param name what messages call the file
 * @throws SettingsError when some setting is wrong
 */
export function parseSettings(text: string, name: string): Settings {
  let document: unknown;
  try {
    document = parse(text, { uniqueKeys: true });
  } catch (error) {
    throw new SettingsError(`${name}: is not valid YAML: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  const checked = settings.safeParse(document, { reportInput: true });
  const problems = checked.success ? crossChecks(checked.data) : checked.error.issues.map(problemOf);
  if (!checked.success || problems.length > 0) {
    throw new SettingsError(problems.map((problem) => `${name}: ${problem}`).join("\n"));
  }
  return checked.data;
}

function problemOf(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const names = issue.keys.map((key) => [...path, key].join(".")).join(", ");
    return `${names}: no such setting: remove it, or correct its name`;
  }
  const name = path.join(".") || "settings";
  if (issue.code === "invalid_key") {
    return `${name}: ${issue.issues.map(({ message }) => message).join("; ")}`;
  }
  const isMissing = issue.code === "invalid_type" && (issue.input === undefined || issue.input === null);
  return `${name}: ${isMissing ? "is missing: " : ""}${issue.message}`;
}

/** Rules that involve several settings. */
function crossChecks(checked: Settings): string[] {
  const problems: string[] = [];
  if (checked.replica?.region === checked.region) {
    problems.push("replica.region: is the region of the lake itself: write another one");
  }
  if (checked.replica?.bucket === checked.lake.bucket) {
    problems.push("replica.bucket: is the lake's own name: names of buckets are unique, write another one");
  }
  const folders = checked.pipelines.map((one) => one.folder);
  folders.filter((folder, place) => folders.indexOf(folder) !== place).forEach((folder) => {
    problems.push(`pipelines: ${folder} is named twice: remove one`);
  });
  if (checked.api.burst < checked.api.requestsPerSecond) {
    problems.push("api.burst: is below api.requestsPerSecond: write at least as many");
  }
  const certificate = checked.api.domain?.certificateArn.split(":")[3];
  if (certificate !== undefined && certificate !== checked.region) {
    problems.push(`api.domain.certificateArn: is in ${certificate}: a regional API needs a certificate in ${checked.region}`);
  }
  if (checked.api.accounts.includes(checked.account)) {
    problems.push(`api.accounts: ${checked.account} is the account itself, whose roles need no entry: remove it`);
  }
  if (checked.operations.monthlyBudgetUsd === "none" && checked.operations.budgetCounts !== undefined) {
    problems.push("operations.budgetCounts: this environment has no budget: remove it, or write operations.monthlyBudgetUsd");
  }
  return [...problems, ...openLineageChecks(checked), ...alertChecks(checked), ...existingChecks(checked)];
}

/** A key is for a server, and a stream is behind the event bus. */
function openLineageChecks({ openLineage, region }: Settings): string[] {
  if (openLineage === undefined) {
    return [];
  }
  const problems: string[] = [];
  const { target, keySecretArn, keySecretKeyArn, streamArn } = openLineage;
  if (keySecretArn !== undefined && !target.startsWith("https:")) {
    problems.push(`openLineage.keySecretArn: target ${target} needs no key: remove it`);
  }
  if (keySecretKeyArn !== undefined && keySecretArn === undefined) {
    problems.push("openLineage.keySecretKeyArn: is the key of a secret that is not named: write keySecretArn, or remove it");
  }
  if (streamArn !== undefined && target !== "events") {
    problems.push("openLineage.streamArn: the event bus puts events on the stream: write target: events, or remove it");
  }
  if (streamArn !== undefined && streamArn.split(":")[3] !== region) {
    problems.push(`openLineage.streamArn: is in another region: name a stream in ${region}`);
  }
  return problems;
}

/** What each kind of channel needs. The same rules are in `shared/core/src/alert/channel.rs`, which the function reads them with. */
function alertChecks({ alerts }: Settings): string[] {
  const problems: string[] = [];
  const names = alerts.map(({ name }) => name);
  names.filter((name, place) => names.indexOf(name) !== place).forEach((name) => {
    problems.push(`alerts: ${name} is named twice: give one of them another name`);
  });
  alerts.forEach((channel, place) => {
    const needed = { slack: ["address"], teams: ["address"], pagerduty: ["key"], opsgenie: ["key"], webhook: ["address", "key"], email: ["topic"] }[channel.kind];
    const possible = channel.kind === "pagerduty" || channel.kind === "opsgenie" ? ["address", "key"] : needed;
    for (const field of ["address", "key", "topic"] as const) {
      if (needed.includes(field) && channel[field] === undefined) {
        problems.push(`alerts.${place}.${field}: is missing: a channel of kind ${channel.kind} needs it`);
      }
      if (!possible.includes(field) && channel[field] !== undefined) {
        problems.push(`alerts.${place}.${field}: a channel of kind ${channel.kind} has none: remove it`);
      }
    }
    const isSecret = channel.address?.startsWith("secretsmanager:") ?? false;
    if ((channel.kind === "slack" || channel.kind === "teams") && channel.address !== undefined && !isSecret) {
      problems.push(`alerts.${place}.address: whoever knows it can write to the channel: keep it as a secret, and write secretsmanager: and its ARN`);
    }
    if ((channel.kind === "pagerduty" || channel.kind === "opsgenie") && isSecret) {
      problems.push(`alerts.${place}.address: is no secret: write the https address of another region, or remove it`);
    }
  });
  // Lambda allows 4 kB for all variables of a function.
  if (JSON.stringify(alerts).length > 2500) {
    problems.push("alerts: these channels take more than 2500 characters, and all variables of a function together may have 4 kB: name fewer");
  }
  return problems;
}

/** An existing bucket keeps its own rules, so settings that would change them are refused. */
function existingChecks({ lake, replica, account, region }: Settings): string[] {
  if (lake.existing === undefined) {
    return [];
  }
  const problems = (["bronzeYears", "runDays"] as const).filter((name) => lake[name] !== undefined)
    .map((name) => `lake.${name}: the lifecycle rules of an existing bucket are not changed: remove it`);
  if (replica !== undefined) {
    problems.push("replica: the replication of an existing bucket is not changed: remove it");
  }
  const [, , , keyRegion, keyAccount] = lake.existing.keyArn.split(":");
  if (keyRegion !== region || keyAccount !== account) {
    problems.push(`lake.existing.keyArn: is in ${keyAccount ?? ""}, ${keyRegion ?? ""}: name a key of account ${account} in ${region}`);
  }
  return problems;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
