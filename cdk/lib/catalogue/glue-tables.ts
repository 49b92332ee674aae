import { readFileSync } from "node:fs";
import { join } from "node:path";

import * as glue from "aws-cdk-lib/aws-glue";
import { Construct } from "constructs";
import { parse } from "yaml";
import { z } from "zod";

import type { Settings } from "../config.ts";

/** Tables of a pipeline, as pipeline.yaml names them. */
const spec = z.looseObject({
  domain: z.string(),
  silver: z.array(z.looseObject({ table: z.string() })).default([]),
  gold: z.array(z.looseObject({ table: z.string() })).default([]),
});

/** Properties of {@link GlueTables}. */
export interface GlueTablesProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Folders of the pipelines, absolute. */
  readonly folders: readonly string[];
}

/**
 * The published tables in Glue's catalogue, for Athena (engine 3), which reads Delta tables by their own logs: a table here is a name and
 * a location ("Athena requires only the location property", athena/latest/ug/delta-lake-tables). Columns are in the log, so a new column of a
 * contract needs no deployment. The provider property is for Spark, which needs it to find the same tables.
 *
 * A table here grants nobody a right. Whoever queries it reads the lake with a role of their own, without the masks and filters of data
 * products: those are for consumers, this is for the team. Bronze and quarantine are left out, because they hold rows that contracts
 * would refuse.
 */
export class GlueTables extends Construct {
  constructor(scope: Construct, id: string, props: GlueTablesProps) {
    super(scope, id);
    const { settings } = props;
    const { bucket, prefix } = settings.lake;
    const database = new glue.CfnDatabase(this, "Database", {
      catalogId: settings.account,
      databaseInput: {
        name: `sluice_${settings.environment.replaceAll("-", "_")}`,
        description: `Published tables of Sluice ${settings.environment}`,
        locationUri: `s3://${bucket}/${prefix}`,
      },
    });
    for (const folder of props.folders) {
      const read = spec.parse(parse(readFileSync(join(folder, "pipeline.yaml"), "utf8")));
      for (const [layer, tables] of [["silver", read.silver], ["gold", read.gold]] as const) {
        for (const { table } of tables) {
          const location = `s3://${bucket}/${prefix}${layer}/${read.domain}/${table}/`;
          const made = new glue.CfnTable(this, `${layer}-${read.domain}-${table}`, {
            catalogId: settings.account,
            databaseName: database.ref,
            tableInput: {
              name: `${layer}_${read.domain}_${table}`,
              tableType: "EXTERNAL_TABLE",
              description: `${layer}/${read.domain}/${table}`,
              parameters: { "table_type": "delta", "spark.sql.sources.provider": "delta", EXTERNAL: "TRUE" },
              storageDescriptor: { location, serdeInfo: { parameters: { path: location, "serialization.format": "1" } } },
            },
          });
          made.addResourceDependency(database);
        }
      }
    }
  }
}
