import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";
import { z } from "zod";

import type { PipelineSettings } from "../config.ts";
import { repository } from "../repository.ts";

/** Parts of a run that are read at the same time, unless pipeline.yaml says otherwise: the default of shared/core/src/spec.rs. */
const PARTS_AT_ONCE = 32;

const written = z.looseObject({ table: z.string(), contract: z.string().optional() });
/** A table of another pipeline. Its form is checked here, because it becomes a text that an EventBridge rule compares. */
const input = z.looseObject({
  table: z.string().regex(/^(silver|gold)\/[a-z][a-z0-9_]{0,47}\/[a-z][a-z0-9_]{0,63}$/, "write silver/<domain>/<table> or gold/<domain>/<table>"),
  contract: z.string().optional(),
});

/**
 * The part of pipeline.yaml that a deployment depends on. `sluice check` checks everything else in it.
 */
const spec = z.looseObject({
  pipeline: z.string().regex(/^[a-z][a-z0-9_]{0,47}$/, "write lower-case letters, digits and underscores, beginning with a letter"),
  domain: z.string(),
  source: z.looseObject({ prefix: z.string() }).optional(),
  sources: z.record(z.string(), z.looseObject({ prefix: z.string() })).default({}),
  parts: z.looseObject({ at_once: z.number().default(PARTS_AT_ONCE) }).default({ at_once: PARTS_AT_ONCE }),
  inputs: z.array(input).default([]),
  silver: z.array(written).default([]),
  gold: z.array(written).default([]),
});

/** A pipeline that is deployed. */
export interface DeployedPipeline {
  /** Its name. */
  readonly name: string;
  /** Its folder, absolute. */
  readonly folder: string;
  /** Where its files are delivered, below the lake, each ending with a slash: `landing/retail/`. At least one; one of each source. */
  readonly landingFolders: readonly string[];
  /** How many parts of a run are read at the same time, each by a call of process. */
  readonly partsAtOnce: number;
  /** Tables that it publishes, by their paths below the lake: `silver/sales/orders`. Bronze and quarantine are left out. */
  readonly tables: readonly string[];
  /** Tables of other pipelines that its gold tables read, by their paths, each once. */
  readonly inputs: readonly string[];
  /** Its part of the settings. */
  readonly settings: PipelineSettings;
}

/** A folder that is not a valid pipeline. */
export class PipelineFolderError extends Error {
  override readonly name = "PipelineFolderError";
}

/**
 * Reads and checks the folder of a pipeline.
 *
 * @param settings the pipeline, as the settings of the environment name it
 * @throws PipelineFolderError naming the folder, the file and the fix
 */
export function readPipelineFolder(settings: PipelineSettings): DeployedPipeline {
  const folder = repository.path(settings.folder);
  const fail = (reason: string): never => {
    throw new PipelineFolderError(`pipelines: ${settings.folder}: ${reason}`);
  };
  const file = join(folder, "pipeline.yaml");
  if (!existsSync(file)) {
    fail("has no pipeline.yaml: name a folder that has one, relative to the repository");
  }
  const read = readSpec(file, fail);
  for (const { contract } of [...read.inputs, ...read.silver, ...read.gold]) {
    if (contract !== undefined && !isFile(join(folder, contract))) {
      fail(`pipeline.yaml names the contract ${contract}, which does not exist: add the file, or correct the name`);
    }
  }
  const prefixes = prefixesOf(read);
  if (prefixes.length === 0) {
    fail("pipeline.yaml has no source: write source, or sources for several");
  }
  const landingFolders = prefixes.map(([key, prefix]) => {
    const landingFolder = `${prefix.replace(/\/$/, "")}/`;
    // S3's events do not name a pipeline: validate takes the name from the folder.
    if (settings.onDelivery && !landingFolder.startsWith(`landing/${read.pipeline}/`)) {
      fail(`${key} is ${prefix}, and deliveries start runs only below landing/${read.pipeline}: move it there, or set onDelivery: false`);
    }
    return landingFolder;
  });
  return {
    name: read.pipeline,
    folder,
    landingFolders,
    partsAtOnce: read.parts.at_once,
    tables: (["silver", "gold"] as const).flatMap((layer) => read[layer].map(({ table }) => `${layer}/${read.domain}/${table}`)),
    inputs: [...new Set(read.inputs.map(({ table }) => table))],
    settings,
  };
}

/** The prefix of each source, with the key that it has in pipeline.yaml. */
function prefixesOf({ source, sources }: z.infer<typeof spec>): readonly (readonly [string, string])[] {
  const named = Object.entries(sources).map(([name, { prefix }]) => [`sources.${name}.prefix`, prefix] as const);
  return source === undefined ? named : [["source.prefix", source.prefix] as const, ...named];
}

function readSpec(file: string, fail: (reason: string) => never): z.infer<typeof spec> {
  let document: unknown;
  try {
    document = parse(readFileSync(file, "utf8"), { uniqueKeys: true });
  } catch (error) {
    return fail(`pipeline.yaml is not valid YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  const checked = spec.safeParse(document);
  return checked.success ? checked.data : fail(`pipeline.yaml: ${z.prettifyError(checked.error)}`);
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
