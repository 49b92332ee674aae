import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";

import { LakeDocuments } from "../../lib/deploy/lake-documents.ts";
import { readPipelineFolder } from "../../lib/deploy/pipeline-folder.ts";
import { registeredDocuments } from "../../lib/deploy/registered-documents.ts";
import { newApp, resourcesOf, settingsOf, statefulStandIns, theOne } from "../support/app.ts";
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

/** A command in place of sluice that prints this text. */
function printing(text: string): string {
  const command = join(tmpdir(), `sluice-printing-${process.pid}-${text.length}`);
  writeFileSync(command, `#!/bin/sh\nprintf '%s' '${text}'\n`, { mode: 0o755 });
  return command;
}

test("the columns of published tables are what sluice deploy says", () => {
  const said = '{"deployed": [], "tables": [{"table": "silver/sales/transactions", "columns": [{"name": "country", "type": "STRING"}]}]}';
  assert.deepEqual([...registeredDocuments(printing(said), [retail]).tables], [["silver/sales/transactions", [{ name: "country", type: "STRING" }]]]);
  // An older command.
  assert.throws(() => registeredDocuments(printing('{"deployed": []}'), [retail]), /does not name the columns of tables: use the command built from this repository/);
  assert.throws(() => registeredDocuments(printing("done"), [retail]), /does not name the columns of tables/);
});

test("the real command names the columns of every published table", { skip }, () => {
  const { tables } = registeredDocuments(String(sluice), [retail]);
  assert.deepEqual([...tables.keys()], ["silver/sales/transactions", "gold/sales/daily_revenue", "gold/sales/customer_rfm"]);
  assert.ok(tables.get("gold/sales/daily_revenue")?.some(({ name, type }) => name === "net_revenue" && type === "DECIMAL(18,2)"));
});

test("the uploader reads the assets of the bootstrap that the app uses", () => {
  const settings = settingsOf("dev");
  const assets = (qualifier?: string): string => {
    const app = newApp();
    if (qualifier !== undefined) {
      app.node.setContext("@aws-cdk/core:bootstrapQualifier", qualifier);
    }
    const stack = new Stack(app, "test", { env: { account: settings.account, region: settings.region } });
    const { lake, key } = statefulStandIns(stack, settings);
    const folder = mkdtempSync(join(tmpdir(), "sluice-documents-test-"));
    writeFileSync(join(folder, "a.json"), "{}");
    new LakeDocuments(stack, "Documents", { settings, pipelines: [retail], lake, key, prefix: "sluice-dev", documents: { tables: new Map(), folder: () => folder } });
    const role = theOne(Template.fromStack(stack), "AWS::IAM::Role", ({ Description }) => String(Description).startsWith("Writes documents"));
    rmSync(folder, { recursive: true });
    const [policy] = role.Policies as { PolicyDocument: { Statement: { Sid: string; Resource: string }[] } }[];
    return policy?.PolicyDocument.Statement.find(({ Sid }) => Sid === "ListAssets")?.Resource ?? "";
  };
  assert.equal(assets(), "arn:aws:s3:::cdk-hnb659fds-assets-123456789012-eu-central-1");
  assert.equal(assets("acme"), "arn:aws:s3:::cdk-acme-assets-123456789012-eu-central-1");
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
