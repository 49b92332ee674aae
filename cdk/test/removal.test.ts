import assert from "node:assert/strict";
import { test } from "node:test";

import { stateless } from "./support/stateless.ts";

interface Removable {
  readonly Type: string;
  readonly DeletionPolicy?: string;
  readonly Properties?: Record<string, unknown>;
}

/**
 * What stays when a complete stack is deleted. API Gateway's setting is the account's, and other APIs may need its role; consumers have stored
 * masked values. Versions are kept for runs under way, and go with their function or state machine.
 */
const STAYS = ["AWS::ApiGateway::Account", "AWS::IAM::Role", "AWS::Lambda::Version", "AWS::SecretsManager::Secret", "AWS::StepFunctions::StateMachineVersion"];

for (const environment of ["dev", "prod", "prod-west"] as const) {
  const resources = Object.entries((stateless(environment).template.toJSON() as { Resources: Record<string, Removable> }).Resources);
  const withPolicy = (policy: string): [string, Removable][] => resources.filter(([, { DeletionPolicy }]) => DeletionPolicy === policy);

  test(`a first deployment of ${environment} that fails leaves nothing of the stateless stack behind`, () => {
    assert.deepEqual(withPolicy("Retain").map(([id]) => id), []);
  });

  test(`what the stateless stack of ${environment} leaves when it is deleted has no name that the next deployment needs`, () => {
    const staying = withPolicy("RetainExceptOnCreate");
    assert.deepEqual([...new Set(staying.map(([, { Type }]) => Type))].sort(), STAYS);
    // Other roles are deleted: some have fixed names.
    assert.deepEqual(staying.filter(([, { Type }]) => Type === "AWS::IAM::Role").map(([id]) => id.replace(/[0-9A-F]{8}$/, "")), ["ApiAccountLoggingRole"]);
    // A version has the name of its function, which is deleted.
    const named = staying.filter(([, { Type, Properties }]) =>
      Type !== "AWS::Lambda::Version" && Object.keys(Properties ?? {}).some((property) => /^(\w+)?Name$/.test(property)));
    assert.deepEqual(named.map(([id]) => id), []);
  });
}
