import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The command `sluice` was not found. */
export class SluiceCommandError extends Error {
  override readonly name = "SluiceCommandError";
}

/**
 * Finds the command `sluice`: `SLUICE_BIN`, or the first on the `PATH`.
 *
 * @param environment variables of the process
 * @throws SluiceCommandError with what to do
 */
export function findSluice(environment: Readonly<Record<string, string | undefined>>): string {
  const { SLUICE_BIN: given, PATH: path } = environment;
  if (given !== undefined && given !== "") {
    if (!isExecutable(given)) {
      throw new SluiceCommandError(`SLUICE_BIN: ${given} is not an executable file: write the path of the built command sluice`);
    }
    return given;
  }
  const found = (path ?? "").split(delimiter).map((folder) => join(folder, "sluice")).find(isExecutable);
  if (found === undefined) {
    throw new SluiceCommandError(
      "the command sluice, which checks pipelines and writes their documents, was not found: build it with `cargo build --release -p sluice-cli` and " +
      "set SLUICE_BIN to it; or deploy without documents (-c documents=skip) and run `sluice deploy` for each pipeline afterwards");
  }
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
