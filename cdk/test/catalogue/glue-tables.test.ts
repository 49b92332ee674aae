import assert from "node:assert/strict";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import { GlueTables } from "../../lib/catalogue/glue-tables.ts";
import { repository } from "../../lib/repository.ts";
import { newStack, resourcesOf, settingsOf } from "../support/app.ts";
import { findings } from "../support/nag.ts";

test("Athena finds the published tables of every pipeline, and nothing else", () => {
  const settings = settingsOf("dev");
  const stack = newStack(settings);
  new GlueTables(stack, "Catalogue", { settings, folders: [repository.path("pipelines/retail")] });
  assert.deepEqual(findings(stack), []);
  const template = Template.fromStack(stack);
  template.hasResourceProperties("AWS::Glue::Database", { DatabaseInput: { Name: "sluice_dev" } });
  const tables = Object.values(resourcesOf(template, "AWS::Glue::Table")).map(({ Properties }) => Properties.TableInput as Record<string, unknown>);
  assert.deepEqual(tables.map(({ Name }) => Name).sort(), ["gold_sales_customer_rfm", "gold_sales_daily_revenue", "silver_sales_transactions"]);
  for (const table of tables) {
    assert.equal((table.Parameters as Record<string, string>).table_type, "delta");
    const { Location } = table.StorageDescriptor as { Location: string };
    assert.match(Location, /^s3:\/\/example-sluice-dev-lake\/(silver|gold)\/sales\/\w+\/$/);
  }
});
