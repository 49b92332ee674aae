/** What is compared here of a pipeline: which tables it publishes, and which of other pipelines it reads. */
export interface ReadsAndWrites {
  /** Its name. */
  readonly name: string;
  /** Tables that it publishes, by their paths below the lake. */
  readonly tables: readonly string[];
  /** Tables of other pipelines that it reads. */
  readonly inputs: readonly string[];
}

/** One pipeline reads what another one writes. */
interface Link {
  readonly reader: string;
  readonly table: string;
  readonly writer: string;
}

/** Pipelines that would start each other for ever. */
export class CircleError extends Error {
  override readonly name = "CircleError";
}

/**
 * Checks that no publication comes round to the pipeline that it began with.
 *
 * Inputs are read by gold tables alone: a run that an input starts publishes gold, and no silver. So only gold inputs are followed, and two
 * pipelines may read each other's silver tables. Which gold table reads which input is written in SQL, which this app does not read: every
 * gold table of a reader counts as made from each of its inputs, and what `sluice` could tell apart is refused here.
 *
 * @param pipelines every pipeline of the environment
 * @throws CircleError naming the tables, the pipelines and the fix
 */
export function refuseCircles(pipelines: readonly ReadsAndWrites[]): void {
  const circle = findCircle(pipelines);
  if (circle !== undefined) {
    const steps = circle.map(({ reader, table, writer }) => `${reader} reads ${table} of ${writer}`).join(", ");
    throw new CircleError(`pipelines: inputs form a circle: ${steps}. Each publication would start the next, for ever: take one of these tables out of ` +
      "the inputs of its reader, or move the gold tables that read it into a pipeline of their own");
  }
}

/** Inputs of a pipeline that no pipeline of the environment publishes. */
export function inputsOfOthers({ inputs }: ReadsAndWrites, pipelines: readonly ReadsAndWrites[]): string[] {
  return inputs.filter((table) => !pipelines.some(({ tables }) => tables.includes(table)));
}

/** The first circle, each link from a reader to the writer that is the reader of the next one. */
function findCircle(pipelines: readonly ReadsAndWrites[]): readonly Link[] | undefined {
  const links = pipelines.flatMap(({ name: reader, inputs }) => inputs.filter((table) => table.startsWith("gold/")).flatMap((table) =>
    pipelines.filter(({ tables }) => tables.includes(table)).map(({ name: writer }) => ({ reader, table, writer }))));
  const done = new Set<string>();
  const follow = (name: string, path: readonly Link[]): readonly Link[] | undefined => {
    const beginning = path.findIndex(({ reader }) => reader === name);
    if (beginning >= 0) {
      return path.slice(beginning);
    }
    if (!done.has(name)) {
      for (const link of links.filter(({ reader }) => reader === name)) {
        const circle = follow(link.writer, [...path, link]);
        if (circle !== undefined) {
          return circle;
        }
      }
      done.add(name);
    }
    return undefined;
  };
  for (const { name } of pipelines) {
    const circle = follow(name, []);
    if (circle !== undefined) {
      return circle;
    }
  }
  return undefined;
}
