import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { z } from "zod";

import { readPipelineFolder } from "../../lib/deploy/pipeline-folder.ts";
import { findSluice } from "../../lib/deploy/sluice-command.ts";
import { repository } from "../../lib/repository.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-pipelines-"));
after(() => {
  rmSync(root, { recursive: true, force: true });
});

/** What the schema of specs says about `parts.at_once`. */
function defaultAtOnce(): number {
  const schema = z.object({ $defs: z.object({ PartsSpec: z.object({ properties: z.object({ at_once: z.object({ default: z.number() }) }) }) }) });
  const text = readFileSync(repository.path("pipelines/pipeline.schema.json"), "utf8");
  return schema.parse(JSON.parse(text)).$defs.PartsSpec.properties.at_once.default;
}

function folderWith(yaml: string | undefined): string {
  const folder = mkdtempSync(join(root, "pipeline-"));
  mkdirSync(join(folder, "contracts"));
  writeFileSync(join(folder, "contracts/sales.odcs.yaml"), "kind: DataContract\n");
  if (yaml !== undefined) {
    writeFileSync(join(folder, "pipeline.yaml"), yaml);
  }
  return folder;
}

const good = "pipeline: sales\ndomain: shop\nsource: { prefix: landing/sales }\nsilver: [{ table: a, contract: contracts/sales.odcs.yaml }]\n";

test("a pipeline is read from its folder", () => {
  const { name, landingFolders, partsAtOnce } = readPipelineFolder({ folder: folderWith(good), onDelivery: true });
  assert.deepEqual([name, landingFolders, partsAtOnce], ["sales", ["landing/sales/"], defaultAtOnce()]);
});

const several = good.replace("source: { prefix: landing/sales }", "sources: { orders: { prefix: landing/sales/orders }, products: { prefix: landing/sales/products/ } }");

test("a pipeline of several sources has a landing folder for each", () => {
  const { landingFolders } = readPipelineFolder({ folder: folderWith(several), onDelivery: true });
  assert.deepEqual(landingFolders, ["landing/sales/orders/", "landing/sales/products/"]);
});

test("a pipeline says which tables it publishes, and which of others it reads, each once", () => {
  const inputs = "inputs:\n" + ["silver/weather/hourly", "gold/weather/days", "silver/weather/hourly"]
    .map((table) => `  - { table: ${table}, contract: contracts/sales.odcs.yaml }\n`).join("");
  const read = readPipelineFolder({ folder: folderWith(`${good}gold: [{ table: b, contract: contracts/sales.odcs.yaml }]\n${inputs}`), onDelivery: true });
  assert.deepEqual(read.tables, ["silver/shop/a", "gold/shop/b"]);
  assert.deepEqual(read.inputs, ["silver/weather/hourly", "gold/weather/days"]);
  assert.deepEqual(readPipelineFolder({ folder: folderWith(good), onDelivery: true }).inputs, []);
});

test("a pipeline says how many parts of its runs are read at once", () => {
  const check = (parts: string, expected: number): void => {
    assert.equal(readPipelineFolder({ folder: folderWith(`${good}parts: ${parts}\n`), onDelivery: true }).partsAtOnce, expected);
  };
  check("{ size_mb: 500, at_once: 8 }", 8);
  check("{ size_mb: 500 }", 32);
});

test("an invalid folder is refused with the file and the fix", () => {
  const check = (yaml: string | undefined, expected: RegExp, onDelivery = true): void => {
    assert.throws(() => readPipelineFolder({ folder: folderWith(yaml), onDelivery }), expected);
  };
  check(undefined, /has no pipeline\.yaml: name a folder that has one/);
  check("pipeline: [", /is not valid YAML/);
  check("pipeline: Sales\nsource: { prefix: x }\n", /write lower-case letters/);
  check(good.replace("sales.odcs", "gone.odcs"), /names the contract contracts\/gone\.odcs\.yaml, which does not exist/);
  check(`${good}inputs: [{ table: silver/weather/hourly, contract: contracts/hourly.odcs.yaml }]\n`, /names the contract contracts\/hourly\.odcs\.yaml/);
  for (const table of ["weather.hourly", "bronze/weather/hourly", "silver/weather", "silver/weather/hourly/x", "silver/Weather/hourly"]) {
    check(`${good}inputs: [{ table: ${table}, contract: contracts/sales.odcs.yaml }]\n`, /write silver\/<domain>\/<table> or gold\/<domain>\/<table>/);
  }
  check(good.replace("landing/sales", "inbox"), /source\.prefix is inbox, .* move it there, or set onDelivery: false/);
  check(several.replace("landing/sales/products", "inbox"), /sources\.products\.prefix is inbox\/, .* move it there, or set onDelivery: false/);
  check(good.replace("source: { prefix: landing/sales }\n", ""), /has no source: write source, or sources for several/);
});

test("a pipeline that deliveries do not start may read elsewhere", () => {
  assert.deepEqual(readPipelineFolder({ folder: folderWith(good.replace("landing/sales", "inbox/")), onDelivery: false }).landingFolders, ["inbox/"]);
});

test("the command sluice is found, or the error says what to do", () => {
  const bin = join(root, "sluice");
  writeFileSync(bin, "#!/bin/sh\n", { mode: 0o755 });
  assert.equal(findSluice({ SLUICE_BIN: bin, PATH: "" }), bin);
  assert.equal(findSluice({ PATH: `/nowhere:${root}` }), bin);
  assert.throws(() => findSluice({ SLUICE_BIN: "/nowhere/sluice", PATH: root }), /SLUICE_BIN: \/nowhere\/sluice is not an executable/);
  assert.throws(() => findSluice({ PATH: "/nowhere" }), /set SLUICE_BIN to it; or deploy without documents \(-c documents=skip\)/);
});
