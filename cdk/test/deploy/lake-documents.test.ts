import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { readPipelineFolder } from "../../lib/deploy/pipeline-folder.ts";
import { registeredDocuments } from "../../lib/deploy/registered-documents.ts";
import { resourcesOf } from "../support/app.ts";
import { sluiceHere, stateless } from "../support/stateless.ts";

const sluice = sluiceHere();
const skip = sluice === undefined ? "the command sluice was not found: set SLUICE_BIN" : false;
const retail = readPipelineFolder({ folder: "pipelines/retail", onDelivery: true });

test("documents are what `sluice deploy` writes, dated by the commit", { skip }, () => {
  const documents = registeredDocuments(String(sluice), [retail]);
  assert.deepEqual(readdirSync(documents.folder("pipelines/retail")).sort(), ["contracts", "pipeline.yaml"]);
  const read = (): { product: string; deployed_at: string } =>
    JSON.parse(readFileSync(join(documents.folder("products"), "sales/retail.json"), "utf8")) as { product: string; deployed_at: string };
  assert.equal(read().product, "sales/retail");
  const again = registeredDocuments(String(sluice), [retail]);
  assert.equal(readFileSync(join(again.folder("products"), "sales/retail.json"), "utf8"), readFileSync(join(documents.folder("products"), "sales/retail.json"), "utf8"));
});

test("a pipeline that sluice refuses fails with what sluice says", () => {
  const refusing = join(tmpdir(), `sluice-refusing-${process.pid}`);
  writeFileSync(refusing, "#!/bin/sh\necho 'silver.transactions: no such column' >&2\nexit 1\n", { mode: 0o755 });
  assert.throws(() => registeredDocuments(refusing, [retail]), /pipelines: pipelines\/retail: sluice refuses it:\nsilver\.transactions: no such column/);
});

test("the uploader may write documents and nothing else of the lake", { skip }, () => {
  const { template } = stateless("prod");
  const roles = Object.values(resourcesOf(template, "AWS::IAM::Role")).filter(({ Properties }) => String(Properties.Description).startsWith("Writes documents"));
  const [policy] = roles[0]?.Properties.Policies as { PolicyDocument: { Statement: { Sid: string; Action: unknown; Resource: unknown }[] } }[];
  const write = policy?.PolicyDocument.Statement.find(({ Sid }) => Sid === "WriteDocuments");
  assert.deepEqual(write?.Resource, ["arn:aws:s3:::example-sluice-prod-lake/pipelines/retail/*", "arn:aws:s3:::example-sluice-prod-lake/products/*"]);
  template.allResourcesProperties("Custom::CDKBucketDeployment", { Prune: true, RetainOnDelete: true });
});
