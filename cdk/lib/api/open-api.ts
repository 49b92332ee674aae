import { z } from "zod";

import type { FunctionName } from "../functions/catalogue.ts";
import { readJson, repository } from "../repository.ts";

/** Routes of the documents that are not deployed: on S3, links to files are presigned by S3 itself. */
export const NOT_HERE: readonly string[] = ["/files/{id}"];
/** What the paths of routes for holders of bearer tokens begin with. All others are for callers of IAM. */
export const BEARER_ROUTES = "/sharing/";

/**
 * The routes of the console, which are in no document. API Gateway asks nobody who calls them: browsers cannot sign for IAM, and data-product
 * answers with the page of the sign-in until somebody has a session. Pages of the console write nothing.
 */
export const CONSOLE_ROUTES: readonly (readonly [verb: string, path: string])[] = [
  ["GET", "/console"],
  ["GET", "/console/{proxy+}"],
  ["GET", "/console/sign-in"],
  ["POST", "/console/sign-in"],
  ["POST", "/console/sign-out"],
];

/** HTTP methods that the documents use. */
const VERBS = ["get", "post", "delete"] as const;

const parameter = z.looseObject({ name: z.string(), in: z.enum(["path", "query", "header"]), required: z.boolean().optional() });
const operation = z.looseObject({
  parameters: z.array(parameter).default([]),
  requestBody: z.looseObject({
    content: z.strictObject({ "application/json": z.looseObject({ schema: z.strictObject({ $ref: z.string() }) }) }),
  }).optional(),
});
const document = z.looseObject({
  paths: z.record(z.string(), z.partialRecord(z.enum(VERBS), operation)),
  components: z.looseObject({ schemas: z.record(z.string(), z.json()) }),
});

/** A JSON value. */
export type Json = z.infer<ReturnType<typeof z.json>>;

/** A route from the OpenAPI document of a function. */
export interface Route {
  /** The function that handles it. */
  readonly function: FunctionName;
  /** Path with parameters in braces: `/runs/{id}`. */
  readonly path: string;
  /** HTTP method in capitals. */
  readonly verb: string;
  /** Required parameters, in API Gateway's terms: `method.request.querystring.port`. */
  readonly required: readonly string[];
  /** Schema of the body, without references, and its name; undefined for routes without a body. */
  readonly body: { readonly name: string; readonly schema: Json } | undefined;
}

const PLACES = { path: "path", query: "querystring", header: "header" } as const;

/**
 * Routes of a function, from the document that its code generates and its tests compare.
 *
 * @param name the function
 */
export function routesOf(name: FunctionName): Route[] {
  const { paths, components } = document.parse(readJson(repository.openApi(name)));
  return Object.entries(paths).flatMap(([path, verbs]) => Object.entries(verbs).map(([verb, { parameters, requestBody }]) => ({
    function: name,
    path,
    verb: verb.toUpperCase(),
    required: parameters.filter((one) => one.required === true).map((one) => `method.request.${PLACES[one.in]}.${one.name}`),
    body: requestBody && bodyOf(requestBody.content["application/json"].schema.$ref, components.schemas),
  })));
}

function bodyOf(reference: string, schemas: Readonly<Record<string, Json>>): { name: string; schema: Json } {
  return { name: nameOf(reference), schema: draft4({ $ref: reference }, schemas) };
}

function nameOf(reference: string): string {
  return reference.replace("#/components/schemas/", "");
}

/** The parts of a schema that are for people; API Gateway's validator does not support them. */
const FOR_PEOPLE = new Set(["description", "example", "examples", "format", "title", "default"]);

/**
 * The schema as JSON Schema draft 4, which API Gateway checks: references replaced by their targets, parts for people left out. The
 * documents use nothing else that draft 4 lacks (a test checks that).
 */
function draft4(schema: Json, schemas: Readonly<Record<string, Json>>): Json {
  if (Array.isArray(schema)) {
    return schema.map((one) => draft4(one, schemas));
  }
  if (typeof schema !== "object" || schema === null) {
    return schema;
  }
  if (typeof schema.$ref === "string") {
    const target = schemas[nameOf(schema.$ref)];
    if (target === undefined) {
      throw new Error(`${schema.$ref}: the OpenAPI document does not define this schema`);
    }
    return draft4(target, schemas);
  }
  const entries = Object.entries(schema).filter(([key, value]) => !(FOR_PEOPLE.has(key) && typeof value !== "object"));
  return Object.fromEntries(entries.filter(([key]) => key !== "example" && key !== "examples").map(([key, value]) => [key, draft4(value, schemas)]));
}
