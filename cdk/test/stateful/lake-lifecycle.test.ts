import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { lakeLifecycle } from "../../lib/storage/lake-lifecycle.ts";
import { repository } from "../../lib/repository.ts";
import { settingsOf } from "../support/app.ts";

const { lake } = settingsOf("dev");
const rules = lakeLifecycle({ ...lake, prefix: "team/lake/", runDays: 100, bronzeYears: 7 });
const rule = (id: string) => {
  const found = rules.find((one) => one.id === id);
  assert.ok(found, id);
  return found;
};
const days = (id: string): [number | undefined, number | undefined] =>
  [rule(id).expiration?.toDays(), rule(id).noncurrentVersionExpiration?.toDays()];

test("documents, answers and copies expire, below the lake's prefix", () => {
  assert.deepEqual([rule("runs-expire").prefix, days("runs-expire")], ["team/lake/runs/", [100, 30]]);
  assert.deepEqual([rule("requests-expire").prefix, days("requests-expire")], ["team/lake/requests/", [100, 30]]);
  assert.deepEqual([rule("answers-expire").prefix, days("answers-expire")], ["team/lake/answers/", [1, 1]]);
  assert.deepEqual([rule("copies-expire").prefix, days("copies-expire")], ["team/lake/copies/", [1, 1]]);
  assert.deepEqual([rule("athena-answers-expire").prefix, days("athena-answers-expire")], ["team/lake/athena/", [7, 1]]);
  assert.deepEqual([rule("cluster-logs-expire").prefix, days("cluster-logs-expire")], ["team/lake/emr-logs/", [90, 1]]);
  assert.deepEqual([rule("parts-expire").prefix, days("parts-expire")], ["team/lake/parts/", [15, 1]]);
});

test("folders that expire are those that the code writes to", () => {
  const layout = readFileSync(repository.path("shared/core/src/uri/layout.rs"), "utf8");
  for (const folder of ["runs", "requests", "answers", "copies", "parts"]) {
    assert.ok(layout.includes(`"${folder}/{`), folder);
  }
  assert.match(layout, /LANDING: &str = "landing"/);
});

test("process counts on what parts have left for as long as it is kept, less what Spark takes", () => {
  const source = readFileSync(repository.path("shared/lake/src/steps/process.rs"), "utf8");
  assert.ok(source.includes(`from_hours(${rule("parts-expire").expiration?.toDays()} * 24 - 10)`));
});

test("deliveries are kept for the years of the settings", () => {
  assert.equal(rule("deliveries-expire").prefix, "team/lake/landing/");
  assert.equal(rule("deliveries-expire").expiration?.toDays(), 7 * 366);
});

test("no rule touches current objects of tables, whose logs lie below their folders", () => {
  for (const { id, prefix, expiration, expirationDate, transitions } of rules) {
    assert.equal(transitions, undefined, id);
    if (expiration !== undefined || expirationDate !== undefined) {
      assert.match(prefix ?? "", /^team\/lake\/(runs|requests|answers|athena|copies|landing|emr-logs|parts)\/$/, id);
    }
  }
});

test("overwritten and deleted objects move to cheaper classes and expire after the minimum storage time of the last class", () => {
  const { noncurrentVersionTransitions, noncurrentVersionExpiration, prefix, expiredObjectDeleteMarker } = rule("noncurrent-versions");
  assert.equal(prefix, undefined);
  assert.equal(expiredObjectDeleteMarker, true);
  assert.deepEqual(noncurrentVersionTransitions?.map(({ transitionAfter }) => transitionAfter.toDays()), [30, 90]);
  // Glacier bills 90 days at least.
  assert.ok((noncurrentVersionExpiration?.toDays() ?? 0) >= 180);
});

test("every rule has a name of its own", () => {
  assert.equal(new Set(rules.map(({ id }) => id)).size, rules.length);
});
