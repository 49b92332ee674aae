import assert from "node:assert/strict";
import { test } from "node:test";

import { findings, needless, withoutEvidence } from "./support/nag.ts";
import { stateless } from "./support/stateless.ts";

for (const environment of ["dev", "prod", "prod-west"] as const) {
  test(`cdk-nag finds nothing in the stateless stack of ${environment}`, () => {
    assert.deepEqual(findings(stateless(environment).stack), []);
  });

  test(`every acknowledgement in the stateless stack of ${environment} is needed and has its evidence`, () => {
    assert.deepEqual(needless(stateless(environment).stack), []);
    assert.deepEqual(withoutEvidence(stateless(environment).stack), []);
  });
}
