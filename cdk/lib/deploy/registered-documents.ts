import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";

import { z } from "zod";

import { repository } from "../repository.ts";
import type { DeployedPipeline } from "./pipeline-folder.ts";

/** A column of a published table, with the type's SQL name, such as DECIMAL(18,2). */
export interface PublishedColumn {
  readonly name: string;
  readonly type: string;
}

/** The documents of all pipelines and products, as they will be in the lake. */
export interface RegisteredDocuments {
  /** Columns of every published table, by its path below the lake, such as silver/sales/orders. */
  readonly tables: ReadonlyMap<string, readonly PublishedColumn[]>;
  /** Folder on this machine with the documents for `path` of the lake; empty if the lake has none. */
  folder(path: string): string;
}

/** `sluice` refuses a pipeline, or cannot be run. */
export class RegistrationError extends Error {
  override readonly name = "RegistrationError";
}

/** The part of what `sluice deploy --json` prints that the catalogue needs. */
const deployment = z.looseObject({
  tables: z.array(z.looseObject({ table: z.string(), columns: z.array(z.looseObject({ name: z.string(), type: z.string() })) })),
});

/** The field of a product's document that says when it was deployed. */
const product = z.looseObject({ deployed_at: z.string() });

/**
 * Runs `sluice deploy` for all pipelines into a lake in a temporary folder. It checks them first, as `sluice check` does, and refuses a
 * product that two pipelines register.
 *
 * @param sluice the command
 * @param pipelines the pipelines
 * @throws RegistrationError with what sluice says
 */
export function registeredDocuments(sluice: string, pipelines: readonly DeployedPipeline[]): RegisteredDocuments {
  const lake = mkdtempSync(join(tmpdir(), "sluice-documents-"));
  process.once("exit", () => {
    rmSync(lake, { recursive: true, force: true });
  });
  const tables = new Map(pipelines.flatMap((pipeline) => register(sluice, pipeline, lake)).map(({ table, columns }) => [table, columns] as const));
  const products = join(lake, "products");
  for (const file of existsSync(products) ? readdirSync(products, { recursive: true, encoding: "utf8" }) : []) {
    if (file.endsWith(".json")) {
      dateByCommit(join(products, file), pipelines);
    }
  }
  return {
    tables,
    folder(path) {
      const folder = join(lake, path);
      mkdirSync(folder, { recursive: true });
      return folder;
    },
  };
}

/** Runs `sluice deploy` for one pipeline, and returns its published tables. */
function register(sluice: string, pipeline: DeployedPipeline, lake: string): z.infer<typeof deployment>["tables"] {
  let said: string;
  try {
    // Must not write to a lake that the caller's environment names.
    const { SLUICE_LAKE: _, ...environment } = process.env;
    said = execFileSync(sluice, ["deploy", pipeline.folder, "--lake", pathToFileURL(lake).href, "--json"],
      { env: environment, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new RegistrationError(`pipelines: ${pipeline.settings.folder}: sluice refuses it:\n${outputOf(error)}`, { cause: error });
  }
  const read = deployment.safeParse(parseJson(said));
  if (!read.success) {
    throw new RegistrationError(`pipelines: ${pipeline.settings.folder}: ${sluice} does not name the columns of tables: use the command built from this repository`,
      { cause: read.error });
  }
  return read.data.tables;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Replaces the time of the synthesis by that of the newest commit of the pipelines, so that the same commit gives the same template: a
 * deployment that changes nothing uploads nothing.
 */
function dateByCommit(file: string, pipelines: readonly DeployedPipeline[]): void {
  const parsed = product.parse(JSON.parse(readFileSync(file, "utf8")));
  writeFileSync(file, `${JSON.stringify({ ...parsed, deployed_at: sourceTime(pipelines).toISOString() }, undefined, 2)}\n`);
}

/** `SOURCE_DATE_EPOCH` if it is set, as builds do; otherwise the time of the commit; otherwise 1970, for a folder outside git. */
function sourceTime(pipelines: readonly DeployedPipeline[]): Date {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && given !== "") {
    if (!/^\d{1,12}$/.test(given)) {
      throw new RegistrationError(`SOURCE_DATE_EPOCH: ${given} is not a number of seconds: write one, or unset the variable`);
    }
    return new Date(Number(given) * 1000);
  }
  const root = repository.path();
  const folders = pipelines.map(({ folder }) => relative(root, folder));
  try {
    const seconds = execFileSync("git", ["log", "-1", "--format=%ct", "--", ...folders], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return new Date(Number(seconds.trim()) * 1000);
  } catch {
    return new Date(0);
  }
}

function outputOf(error: unknown): string {
  const { stderr, stdout, message } = error as { stderr?: Buffer; stdout?: Buffer; message?: string };
  const said = `${stdout?.toString() ?? ""}${stderr?.toString() ?? ""}`.trim();
  return said === "" ? message ?? String(error) : said;
}
