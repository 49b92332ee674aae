import * as glue from "aws-cdk-lib/aws-glue";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import type { PublishedColumn } from "../deploy/registered-documents.ts";

/** Properties of {@link GlueTables}. */
export interface GlueTablesProps {
  /** Settings of the environment. */
  readonly settings: Settings;
  /** Published tables of the pipelines, by their paths below the lake, such as silver/sales/orders. */
  readonly tables: readonly string[];
  /**
   * Columns of the tables, by their path below the lake.
   * @default - not known: each table gets the one column that Spark writes, too, and Athena takes the columns from the table's log
   */
  readonly columns?: ReadonlyMap<string, readonly PublishedColumn[]>;
}

/** The columns of a table whose columns are only in its log, as Spark writes them and Athena expects them. */
const ONLY_IN_THE_LOG: glue.CfnTable.ColumnProperty[] = [{ name: "col", type: "array<string>" }];

/**
 * The published tables in Glue's catalogue, for Athena (engine 3), which reads Delta tables by their own logs.
 *
 * Written as Athena's guide prescribes for tables that are made by Glue's API (athena/latest/ug/delta-lake-tables-syncing-metadata): the
 * property `spark.sql.sources.provider`, and not `table_type`; the location as a parameter of the SerDe, too; and an empty list of partition
 * keys, without which Athena refuses a table. Columns are those of the contracts, because Lake Formation's filters and tools that show a
 * catalogue read them here.
 *
 * A table here grants nobody a right. Whoever queries it reads the lake with a role of their own, without the masks and filters of data
 * products: those are for consumers, this is for the team. Bronze, quarantine and delete events are left out, because they hold rows that
 * contracts would refuse.
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
    for (const path of props.tables) {
      const location = `s3://${bucket}/${prefix}${path}/`;
      const made = new glue.CfnTable(this, path.replaceAll("/", "-"), {
        catalogId: settings.account,
        databaseName: database.ref,
        tableInput: {
          name: path.replaceAll("/", "_"),
          tableType: "EXTERNAL_TABLE",
          description: path,
          parameters: { "spark.sql.sources.provider": "delta", EXTERNAL: "TRUE" },
          partitionKeys: [],
          storageDescriptor: {
            location,
            columns: columnsOf(path, props.columns),
            serdeInfo: { parameters: { path: location, "serialization.format": "1" } },
          },
        },
      });
      made.addResourceDependency(database);
    }
  }
}

function columnsOf(path: string, columns: GlueTablesProps["columns"]): glue.CfnTable.ColumnProperty[] {
  if (columns === undefined) {
    return ONLY_IN_THE_LOG;
  }
  const known = columns.get(path);
  if (known === undefined) {
    throw new Error(`${path}: sluice deploy names no columns of this table: the command is not the one of this repository`);
  }
  // Glue names types as Hive does: the SQL names in lower case, without spaces between the fields of a struct.
  return known.map(({ name, type }) => ({ name, type: type.toLowerCase().replaceAll(" ", "") }));
}
