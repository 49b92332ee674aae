import assert from "node:assert/strict";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import { AthenaWorkgroup } from "../../lib/catalogue/athena-workgroup.ts";
import { GlueTables } from "../../lib/catalogue/glue-tables.ts";
import { readPipelineFolder } from "../../lib/deploy/pipeline-folder.ts";
import type { PublishedColumn } from "../../lib/deploy/registered-documents.ts";
import { lakeLifecycle } from "../../lib/storage/lake-lifecycle.ts";
import { newStack, resourcesOf, settingsOf, statefulStandIns, theOne } from "../support/app.ts";
import { findings } from "../support/nag.ts";

const settings = settingsOf("dev");
const { tables } = readPipelineFolder({ folder: "pipelines/retail", onDelivery: true });

interface TableInput {
  readonly Name: string;
  readonly Parameters: Record<string, string>;
  readonly PartitionKeys?: unknown[];
  readonly StorageDescriptor: { readonly Location: string; readonly Columns?: unknown; readonly SerdeInfo: { readonly Parameters: Record<string, string> } };
}

function tablesOf(columns?: ReadonlyMap<string, readonly PublishedColumn[]>): TableInput[] {
  const stack = newStack(settings);
  new GlueTables(stack, "Catalogue", { settings, tables, ...(columns && { columns }) });
  assert.deepEqual(findings(stack), []);
  const template = Template.fromStack(stack);
  template.hasResourceProperties("AWS::Glue::Database", { DatabaseInput: { Name: "sluice_dev" } });
  return Object.values(resourcesOf(template, "AWS::Glue::Table")).map(({ Properties }) => Properties.TableInput as TableInput);
}

const columns = new Map([
  ["silver/sales/transactions", [{ name: "invoice_no", type: "STRING" }, { name: "_ingested_at", type: "TIMESTAMP" }]],
  ["gold/sales/daily_revenue", [{ name: "net_revenue", type: "DECIMAL(18,2)" }]],
  ["gold/sales/customer_rfm", [{ name: "orders", type: "ARRAY<STRUCT<sku: STRING, price: DECIMAL(9,2)>>" }]],
]);

test("the published tables of every pipeline are in the catalogue, and nothing else", () => {
  assert.deepEqual(tablesOf().map(({ Name }) => Name).sort(), ["gold_sales_customer_rfm", "gold_sales_daily_revenue", "silver_sales_transactions"]);
});

test("a table is written as Athena's guide prescribes for tables that Glue's API makes", () => {
  for (const { Parameters, PartitionKeys, StorageDescriptor: { Location, SerdeInfo } } of tablesOf(columns)) {
    // With table_type Athena would expect a table that its own CREATE TABLE made.
    assert.deepEqual(Parameters, { "spark.sql.sources.provider": "delta", EXTERNAL: "TRUE" });
    assert.deepEqual(PartitionKeys, []);
    assert.match(Location, /^s3:\/\/example-sluice-dev-lake\/(silver|gold)\/sales\/\w+\/$/);
    assert.equal(SerdeInfo.Parameters.path, Location);
  }
});

test("columns are those of the contracts, with Glue's names of types", () => {
  const found = new Map(tablesOf(columns).map(({ Name, StorageDescriptor }) => [Name, StorageDescriptor.Columns]));
  assert.deepEqual(found.get("silver_sales_transactions"), [{ Name: "invoice_no", Type: "string" }, { Name: "_ingested_at", Type: "timestamp" }]);
  assert.deepEqual(found.get("gold_sales_daily_revenue"), [{ Name: "net_revenue", Type: "decimal(18,2)" }]);
  assert.deepEqual(found.get("gold_sales_customer_rfm"), [{ Name: "orders", Type: "array<struct<sku:string,price:decimal(9,2)>>" }]);
  assert.throws(() => tablesOf(new Map()), /silver\/sales\/transactions: sluice deploy names no columns of this table/);
});

test("without the command sluice a table has the column that stands for those in its log", () => {
  for (const { StorageDescriptor } of tablesOf()) {
    assert.deepEqual(StorageDescriptor.Columns, [{ Name: "col", Type: "array<string>" }]);
  }
});

test("answers of Athena go to a folder of the lake that expires, encrypted with its key, whatever the caller asks for", () => {
  const stack = newStack(settings);
  const { key } = statefulStandIns(stack, settings);
  new AthenaWorkgroup(stack, "Athena", { settings, prefix: "sluice-dev", key });
  assert.deepEqual(findings(stack), []);
  const { WorkGroupConfiguration, Name } = theOne(Template.fromStack(stack), "AWS::Athena::WorkGroup");
  const { EnforceWorkGroupConfiguration, ResultConfiguration: result } = WorkGroupConfiguration as {
    EnforceWorkGroupConfiguration: boolean;
    ResultConfiguration: { OutputLocation: string; EncryptionConfiguration: unknown };
  };
  assert.equal(Name, "sluice-dev");
  assert.equal(EnforceWorkGroupConfiguration, true);
  assert.deepEqual(result.EncryptionConfiguration, { EncryptionOption: "SSE_KMS", KmsKey: key.keyArn });
  const folder = result.OutputLocation.replace("s3://example-sluice-dev-lake/", "");
  assert.equal(lakeLifecycle(settings.lake).find(({ prefix }) => prefix === folder)?.expiration?.toDays(), 7);
});
