import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Root of the repository, independent of the working folder. */
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Paths of files of the repository that the app deploys unchanged, so that what is tested is what runs. */
export const repository = {
  /** A path relative to the repository, or an absolute one as it is. */
  path: (...parts: string[]): string => resolve(ROOT, ...parts),
  /** Policy document of a function. */
  policy: (functionName: string): string => resolve(ROOT, "iam", `${functionName}.json`),
  /** Definition of the state machine. */
  stateMachine: (): string => resolve(ROOT, "statemachines/pipeline.asl.json"),
  /** OpenAPI document of a function that serves API callers. */
  openApi: (functionName: string): string => resolve(ROOT, "functions", functionName, "openapi.json"),
};

/**
 * Reads a JSON file of the repository. The type is `unknown`, so that the caller has to check the content.
 *
 * @param path absolute path
 */
export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}
