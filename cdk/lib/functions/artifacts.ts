import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

import * as lambda from "aws-cdk-lib/aws-lambda";

import { repository } from "../repository.ts";

/** A function that was not built. */
export class ArtifactError extends Error {
  override readonly name = "ArtifactError";
}

/**
 * The built code of a function: `<folder>/<name>/bootstrap`, as cargo-lambda leaves it, or `<folder>/<name>.zip`. The asset's hash depends
 * only on its content, so the same code is the same version of the function, wherever and whenever the app was synthesized.
 *
 * @param folder `functions.artifacts` of the settings
 * @param name the function
 * @throws ArtifactError when it does not exist
 */
export function builtCode(folder: string, name: string): lambda.Code {
  const directory = repository.path(folder, name);
  if (existsSync(join(directory, "bootstrap")) && statSync(join(directory, "bootstrap")).isFile()) {
    return lambda.Code.fromAsset(directory);
  }
  const archive = repository.path(folder, `${name}.zip`);
  if (existsSync(archive)) {
    return lambda.Code.fromAsset(archive);
  }
  throw new ArtifactError(
    `functions.artifacts: ${folder} has neither ${name}/bootstrap nor ${name}.zip: build the functions with ` +
    "`cargo lambda build --release --arm64`, or name the folder with their zips");
}
