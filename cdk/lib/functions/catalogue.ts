import type { Settings } from "../config.ts";

/** Environment variables that this app sets on functions. `shared/aws/src/env.rs` says what each is for. */
export type VariableName =
  | "SLUICE_LAKE"
  | "SLUICE_KMS_KEY"
  | "SLUICE_TOPIC_ARN"
  | "SLUICE_EVENT_BUS"
  | "SLUICE_OPENLINEAGE"
  | "SLUICE_OPENLINEAGE_KEY_ARN"
  | "SLUICE_ALERT_CHANNELS"
  | "SLUICE_SECRET_ARN"
  | "SLUICE_ENDPOINT"
  | "SLUICE_STATE_MACHINE_ARN"
  | "SLUICE_EMR_*"
  | "SLUICE_EMR_STEP_ROLE_ARN"
  | "AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH";

/** Who calls a function, which decides what happens to its errors. */
export type Entry =
  /** The state machine waits for the answer and retries by the error's name. */
  | "state-machine"
  /** API Gateway waits for the response. */
  | "api"
  /** EventBridge delivers an event and does not wait for a result: failed events go to a queue. The state machine may call it, too. */
  | "asynchronous";

/** A function of the workspace. */
export interface FunctionSpec {
  /** What it does, for the console. */
  readonly description: string;
  /** MB; also decides the share of a CPU: one whole at 1,769 MB. */
  readonly memoryMb: number;
  /** Seconds. The state machine waits 30 s longer, so that the function's own error is reported. */
  readonly timeoutSeconds: number;
  /** Why this memory and this timeout. */
  readonly why: string;
  /** MB of local disk; 512 by default. */
  readonly diskMb?: number;
  /** Who calls it. */
  readonly entry: Entry;
  /** Variables that the binary reads in addition to those that Lambda sets. `SLUICE_EMR_*` stands for all that describe clusters. */
  readonly variables: readonly VariableName[];
  /** How it uses the lake's key, through S3. */
  readonly key: "read" | "read-and-write";
}

/** Names of all functions: the folders of `functions/`. */
export const FUNCTION_NAMES = [
  "validate", "process", "start-emr", "run-etl", "quality-check", "publish", "terminate", "notify", "submit", "data-product", "authorize",
] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

const LAKE: readonly VariableName[] = ["SLUICE_LAKE", "SLUICE_KMS_KEY"];

/**
 * Every function with its size and the reason for it. Memory and timeout are those of `package.metadata.lambda.deploy` in the function's
 * Cargo.toml (a test compares them), except that `process` has the memory that the settings give it.
 */
export function functionCatalogue(settings: Settings): Readonly<Record<FunctionName, FunctionSpec>> {
  const processMemoryMb = settings.functions.processMemoryMb;
  return {
    validate: {
      description: "Plans a run: what is new, in which parts it is read, and which engine combines it",
      memoryMb: 1024, timeoutSeconds: 300,
      why: "reads logs of tables and headers of files and mostly waits for S3; a table with thousands of commits since its checkpoint takes minutes",
      entry: "state-machine", variables: LAKE, key: "read-and-write",
    },
    process: {
      description: "Reads the files that the plan lists, or one part of them, and combines what was read, unless Spark does",
      memoryMb: processMemoryMb, timeoutSeconds: 900,
      why: "the plan cuts a run into parts that each fit by its estimate of memory and time, and leaves to Spark what one call cannot combine; 900 s is Lambda's maximum",
      // Rows to merge wait in hash buckets on disk: uncompressed Parquet, up to the size that the estimate allows.
      diskMb: 10240,
      entry: "state-machine", variables: LAKE, key: "read-and-write",
    },
    "start-emr": {
      description: "Ensures the one cluster of an attempt",
      memoryMb: 256, timeoutSeconds: 60,
      why: "a few calls of EMR, each at most 25 s including retries; 256 MB because less CPU makes TLS slow",
      entry: "state-machine", variables: [...LAKE, "SLUICE_EMR_*"], key: "read-and-write",
    },
    "run-etl": {
      description: "Ensures the one step of an attempt",
      memoryMb: 512, timeoutSeconds: 60,
      why: "as start-emr, and the document of what was read: 2 kB for each of its files, 100 MB for 50,000",
      entry: "state-machine", variables: [...LAKE, "SLUICE_EMR_STEP_ROLE_ARN"], key: "read-and-write",
    },
    "quality-check": {
      description: "Audits what was staged",
      memoryMb: 3008, timeoutSeconds: 900,
      why: "reads staged files and checks keys of up to 4 million rows at once; after Spark it lists and reads footers of thousands of files",
      entry: "state-machine", variables: LAKE, key: "read-and-write",
    },
    publish: {
      description: "Commits what passed the audit: the only writer of Delta logs",
      memoryMb: 1024, timeoutSeconds: 900,
      why: "writes small commits; 15 rebases of each table and checkpoints of long logs take minutes at worst",
      entry: "state-machine", variables: LAKE, key: "read-and-write",
    },
    terminate: {
      description: "Ensures that no cluster outlives its run",
      memoryMb: 256, timeoutSeconds: 60,
      why: "as start-emr",
      entry: "asynchronous", variables: LAKE, key: "read-and-write",
    },
    notify: {
      description: "Notifies people and machines how a run ended",
      memoryMb: 256, timeoutSeconds: 90,
      why: "two calls, to SNS and EventBridge, each at most 25 s including retries, at the same time 25 s for each channel of alerts, and at most 20 s for all OpenLineage events",
      entry: "asynchronous", key: "read-and-write",
      variables: [...LAKE, "SLUICE_TOPIC_ARN", "SLUICE_EVENT_BUS", "SLUICE_OPENLINEAGE", "SLUICE_OPENLINEAGE_KEY_ARN", "SLUICE_ALERT_CHANNELS"],
    },
    submit: {
      description: "The API of runs",
      memoryMb: 256, timeoutSeconds: 29,
      why: "waits for Step Functions; API Gateway waits 29 s",
      entry: "api", variables: [...LAKE, "SLUICE_STATE_MACHINE_ARN", "AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH"], key: "read-and-write",
    },
    "data-product": {
      description: "The API of data products: rows, SQL, Delta Sharing",
      memoryMb: 3008, timeoutSeconds: 29,
      why: "a statement reads up to 2 GiB of files in 25 s, which needs CPU; API Gateway waits 29 s",
      entry: "api", variables: [...LAKE, "SLUICE_SECRET_ARN", "SLUICE_ENDPOINT", "AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH"], key: "read-and-write",
    },
    authorize: {
      description: "Refuses callers of Delta Sharing without a valid token",
      memoryMb: 256, timeoutSeconds: 10,
      why: "reads one small document of the lake; API Gateway waits 10 s for an authorizer",
      entry: "api", variables: LAKE, key: "read",
    },
  };
}
