import assert from "node:assert/strict";
import { test } from "node:test";

import { Template } from "aws-cdk-lib/assertions";

import { GATEWAY_PROBLEMS } from "../../lib/api/problems.ts";
import { CONSOLE_ROUTES, routesOf } from "../../lib/api/open-api.ts";
import { readFileSync } from "node:fs";
import { repository } from "../../lib/repository.ts";
import { resourcesOf, settingsOf, theOne } from "../support/app.ts";
import { findings } from "../support/nag.ts";
import { stateless, statelessStack } from "../support/stateless.ts";

const prod = stateless("prod").template;
const dev = stateless("dev").template;

interface Method {
  readonly id: string;
  readonly path: string;
  readonly properties: Record<string, unknown>;
}

function methods(template: Template): Method[] {
  const resources = resourcesOf(template, "AWS::ApiGateway::Resource");
  const pathOf = (id: string): string => {
    const resource = resources[id];
    return resource === undefined ? "" : `${pathOf((resource.Properties.ParentId as { Ref?: string }).Ref ?? "")}/${String(resource.Properties.PathPart)}`;
  };
  return Object.entries(resourcesOf(template, "AWS::ApiGateway::Method")).map(([id, { Properties }]) =>
    ({ id, path: pathOf((Properties.ResourceId as { Ref: string }).Ref), properties: Properties }));
}

test("Delta Sharing accepts bearer tokens, everything else IAM", () => {
  for (const { path, properties } of methods(prod)) {
    assert.equal(properties.AuthorizationType, path.startsWith("/sharing/") ? "CUSTOM" : "AWS_IAM", path);
  }
});

test("browsers reach the console, and nothing else, without IAM, when the settings want it", () => {
  assert.deepEqual(methods(prod).filter(({ path }) => path.startsWith("/console")), []);
  const settings = settingsOf("prod");
  const stack = statelessStack({ ...settings, api: { ...settings.api, console: true } });
  const withConsole = Template.fromStack(stack);
  const open = methods(withConsole).filter(({ properties }) => properties.AuthorizationType === "NONE");
  const routes = open.map(({ path, properties }) => `${String(properties.HttpMethod)} ${path}`).sort();
  assert.deepEqual(routes, CONSOLE_ROUTES.map(([verb, path]) => `${verb} ${path}`).sort());
  const { Policy } = theOne(withConsole, "AWS::ApiGateway::RestApi") as { Policy?: { Statement: { Sid: string; Resource: string[] }[] } };
  const statement = Policy?.Statement.find(({ Sid }) => Sid === "BrowsersReachTheConsole");
  assert.deepEqual(statement?.Resource.filter((route) => !/^execute-api:\/live\/(GET|POST)\/console/.test(route)), []);
  assert.deepEqual(findings(stack), []);
});

test("callers of IAM send an API key, for the day's quota; descriptions and Delta Sharing need none", () => {
  const counted = methods(prod).filter(({ properties }) => properties.ApiKeyRequired === true).map(({ path }) => path);
  assert.ok(counted.includes("/process") && counted.includes("/query") && counted.includes("/data-products/{domain}/{product}/rows"));
  assert.deepEqual(counted.filter((path) => path.startsWith("/sharing") || path.endsWith("openapi.json")), []);
  const plan = theOne(prod, "AWS::ApiGateway::UsagePlan");
  assert.deepEqual(plan.Quota, { Limit: 200000, Period: "DAY" });
  assert.deepEqual(plan.Throttle, { RateLimit: 50, BurstLimit: 100 });
});

test("callers of the accounts in the settings reach data products, and nothing else", () => {
  const { Policy } = theOne(prod, "AWS::ApiGateway::RestApi") as { Policy?: { Statement: { Effect: string; Principal: unknown; Resource: string[] }[] } };
  const [statement, ...others] = Policy?.Statement ?? [];
  assert.deepEqual(others, []);
  assert.equal(statement?.Effect, "Allow");
  assert.deepEqual(statement.Principal, { AWS: "arn:aws:iam::210987654321:root" });
  assert.ok(statement.Resource.includes("execute-api:/live/GET/data-products/*/*/rows") && statement.Resource.includes("execute-api:/live/POST/query"));
  // Starting and stopping runs, and Delta Sharing, whose callers are nobody for IAM.
  assert.deepEqual(statement.Resource.filter((route) => /\/(process|runs|sharing)/.test(route)), []);
  assert.equal(theOne(dev, "AWS::ApiGateway::RestApi").Policy, undefined);
});

test("the account's role for logs is set only when the settings say so", () => {
  const settings = settingsOf("dev");
  dev.resourceCountIs("AWS::ApiGateway::Account", 1);
  dev.allResources("AWS::ApiGateway::Account", { DeletionPolicy: "RetainExceptOnCreate" });
  const without = Template.fromStack(statelessStack({ ...settings, api: { ...settings.api, accountLogging: false }, catalogue: false }));
  without.resourceCountIs("AWS::ApiGateway::Account", 0);
  // Switched off together here, because a stack takes a second to make.
  for (const type of ["AWS::Glue::Database", "AWS::Glue::Table", "AWS::Athena::WorkGroup"]) {
    without.resourceCountIs(type, 0);
  }
});

test("every method is validated, and those with a body by the model of their document", () => {
  const validators = resourcesOf(prod, "AWS::ApiGateway::RequestValidator");
  const withBody = new Set([...routesOf("submit"), ...routesOf("data-product")].filter(({ body }) => body !== undefined).map(({ path, verb }) => `${verb} ${path}`));
  assert.deepEqual([...withBody].sort(), ["POST /process", "POST /query", "POST /sharing/shares/{share}/schemas/{schema}/tables/{table}/query"]);
  for (const { path, properties } of methods(prod)) {
    const validator = validators[(properties.RequestValidatorId as { Ref: string }).Ref];
    assert.equal(validator?.Properties.ValidateRequestParameters, true, path);
    const hasBody = withBody.has(`${String(properties.HttpMethod)} ${path}`);
    assert.equal(validator.Properties.ValidateRequestBody, hasBody, path);
    assert.equal(properties.RequestModels !== undefined, hasBody, path);
  }
});

test("models are JSON Schema draft 4, without references and descriptions", () => {
  for (const { Properties } of Object.values(resourcesOf(prod, "AWS::ApiGateway::Model"))) {
    const schema = JSON.stringify(Properties.Schema);
    // What draft 4 lacks or writes differently.
    assert.doesNotMatch(schema, /"(\$ref|const|if|contains|propertyNames|examples?|description|exclusiveM\w+|\$defs|prefixItems|unevaluated\w+)":/);
  }
});

test("a required parameter is required by API Gateway, too", () => {
  const schema = methods(prod).find(({ path }) => path.endsWith("/{product}/schema"));
  assert.deepEqual(schema?.properties.RequestParameters, {
    "method.request.path.domain": true, "method.request.path.product": true, "method.request.querystring.port": true,
  });
});

test("the access log has no header, query string or body", () => {
  const format = (theOne(prod, "AWS::ApiGateway::Stage").AccessLogSetting as { Format: string }).Format;
  const fields = JSON.parse(format) as Record<string, string>;
  for (const value of Object.values(fields)) {
    assert.match(value, /^\$context\.[A-Za-z.]+$/);
    assert.doesNotMatch(value, /requestOverride|input|\.path$|accessKey|identity\.apiKey$/);
  }
});

test("the stage is throttled, traced, measured, and logs no requests", () => {
  const stage = theOne(prod, "AWS::ApiGateway::Stage");
  assert.equal(stage.TracingEnabled, true);
  const [every] = stage.MethodSettings as Record<string, unknown>[];
  assert.deepEqual([every?.ThrottlingRateLimit, every?.ThrottlingBurstLimit, every?.DataTraceEnabled, every?.MetricsEnabled, every?.LoggingLevel], [50, 100, false, true, "ERROR"]);
});

test("API Gateway waits 29 s for a function", () => {
  for (const { path, properties } of methods(prod)) {
    assert.equal((properties.Integration as { TimeoutInMillis: number }).TimeoutInMillis, 29000, path);
  }
});

test("authorize checks tokens, and text that cannot be a token is refused without a call", () => {
  const authorizer = theOne(prod, "AWS::ApiGateway::Authorizer");
  assert.equal(authorizer.Type, "TOKEN");
  assert.match(JSON.stringify(authorizer.AuthorizerUri), /authorizeLive/);
  const form = new RegExp(String(authorizer.IdentityValidationExpression));
  assert.match(`Bearer acme-2.0123456789ab.${"0".repeat(64)}`, form);
  assert.doesNotMatch("Bearer eyJhbGciOi.eyJzdWIi.c2ln", form);
  assert.doesNotMatch("AWS4-HMAC-SHA256 Credential=x", form);
});

test("errors that API Gateway itself returns have the form of problems, with codes of the functions", () => {
  const codes = new Set([...readFileSync(repository.path("functions/data-product/openapi.json"), "utf8").matchAll(/"([a-z]+(?:-[a-z]+)*)"/g)].map(([, code]) => code));
  for (const { code, detail, title } of GATEWAY_PROBLEMS) {
    assert.ok(codes.has(code), code);
    assert.doesNotMatch(detail + title, /["\\$]/);
  }
  for (const { Properties } of Object.values(resourcesOf(prod, "AWS::ApiGateway::GatewayResponse"))) {
    const body = JSON.parse((Properties.ResponseTemplates as Record<string, string>)["application/json"] ?? "") as Record<string, unknown>;
    assert.deepEqual(Object.keys(body), ["type", "code", "title", "status", "detail", "errorCode", "message", "requestId"]);
    assert.equal(String(body.status), Properties.StatusCode);
  }
});

test("submit's document is requested with an event that API Gateway's templates do not change", () => {
  const method = methods(prod).find(({ path }) => path === "/process/openapi.json");
  const { RequestTemplates } = method?.properties.Integration as { RequestTemplates: Record<string, string> };
  const event = JSON.parse(RequestTemplates["application/json"] ?? "") as { path: string; httpMethod: string };
  assert.deepEqual([event.path, event.httpMethod], ["/openapi.json", "GET"]);
});

test("firewall and domain exist only when the settings say so", () => {
  prod.resourceCountIs("AWS::WAFv2::WebACLAssociation", 1);
  dev.resourceCountIs("AWS::WAFv2::WebACL", 0);
  assert.equal(theOne(prod, "AWS::ApiGateway::DomainName").SecurityPolicy, "TLS_1_2");
  dev.resourceCountIs("AWS::ApiGateway::DomainName", 0);
  assert.equal(theOne(prod, "AWS::ApiGateway::RestApi").DisableExecuteApiEndpoint, true);
  assert.equal(theOne(dev, "AWS::ApiGateway::RestApi").DisableExecuteApiEndpoint, false);
});

test("the firewall's log has no credentials", () => {
  const { RedactedFields } = theOne(prod, "AWS::WAFv2::LoggingConfiguration");
  assert.deepEqual(RedactedFields, [{ SingleHeader: { Name: "authorization" } }, { SingleHeader: { Name: "x-api-key" } }, { QueryString: {} }]);
});
