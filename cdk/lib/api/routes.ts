import { Duration } from "aws-cdk-lib";
import * as apigateway from "aws-cdk-lib/aws-apigateway";
import { Construct } from "constructs";

import type { FunctionName } from "../functions/catalogue.ts";
import type { SluiceFunction } from "../functions/sluice-function.ts";
import { acknowledge, skipChecks } from "../suppressions.ts";
import { BEARER_ROUTES, CONSOLE_ROUTES, NOT_HERE, type Route, routesOf } from "./open-api.ts";

/** How long API Gateway waits for a function. */
const WAIT = Duration.seconds(29);

/**
 * Seconds for which API Gateway caches the authorizer's decision on a token. data-product checks every token itself, so a revoked one
 * stops working within seconds anyway; this only limits how soon a new token is accepted after it was refused. A refusal that is
 * repeated from the cache calls no function: authorize writes no second audit event for it, and only the access log has the call.
 */
const TOKEN_SECONDS = 60;

/** Properties of {@link Routes}. */
export interface RoutesProps {
  readonly api: apigateway.RestApi;
  readonly functions: Readonly<Record<FunctionName, SluiceFunction>>;
  /** Whether the console is among them. */
  readonly console: boolean;
}

/** Who may call a route. */
type Access = "iam" | "token" | "document" | "page";

/**
 * The routes of submit and data-product, from their OpenAPI documents: those below /sharing for bearer tokens, all others for IAM; and those of the
 * console, if the settings want it, for browsers.
 *
 * Both functions have their document at /openapi.json; here that is the one of data-product, which consumers read, and
 * /process/openapi.json is the one of submit.
 */
export class Routes extends Construct {
  private readonly props: RoutesProps;
  private readonly authorizer: apigateway.TokenAuthorizer;
  private readonly validators: { readonly body: apigateway.IRequestValidator; readonly parameters: apigateway.IRequestValidator };

  constructor(scope: Construct, id: string, props: RoutesProps) {
    super(scope, id);
    this.props = props;
    const { api, functions } = props;
    this.authorizer = new apigateway.TokenAuthorizer(this, "Token", {
      authorizerName: "bearer",
      handler: functions.authorize.alias,
      identitySource: apigateway.IdentitySource.header("Authorization"),
      // Text that does not have the form of our tokens, <recipient>.<id>.<secret>, is refused without a call.
      validationRegex: "^[Bb]earer +[a-z][a-z0-9_-]*\\.[0-9a-f]+\\.[0-9a-f]+$",
      resultsCacheTtl: Duration.seconds(TOKEN_SECONDS),
    });
    this.validators = {
      body: new apigateway.RequestValidator(this, "BodyValidator", { restApi: api, validateRequestBody: true, validateRequestParameters: true }),
      parameters: new apigateway.RequestValidator(this, "ParameterValidator", { restApi: api, validateRequestBody: false, validateRequestParameters: true }),
    };
    for (const route of [...routesOf("submit"), ...routesOf("data-product")].filter(({ path }) => !NOT_HERE.includes(path))) {
      this.add(route, route.path.startsWith(BEARER_ROUTES) ? "token" : "iam");
    }
    this.add({ function: "data-product", path: "/openapi.json", verb: "GET", required: [], body: undefined }, "document");
    this.addDocumentOfSubmit();
    for (const [verb, path] of props.console ? CONSOLE_ROUTES : []) {
      this.add({ function: "data-product", path, verb, required: [], body: undefined }, "page");
    }
  }

  private add(route: Route, access: Access): void {
    const { api, functions } = this.props;
    const integration = new apigateway.LambdaIntegration(functions[route.function].alias, {
      timeout: WAIT, allowTestInvoke: false, scopePermissionToMethod: true,
    });
    const method = api.root.resourceForPath(route.path).addMethod(route.verb, integration, {
      ...this.accessOptions(access),
      requestParameters: Object.fromEntries(route.required.map((name) => [name, true])),
      requestValidator: route.body === undefined ? this.validators.parameters : this.validators.body,
      // The function checks bodies, too: a schema cannot express every rule, and the body may have another content type than JSON.
      ...(route.body === undefined ? {} : { requestModels: { "application/json": this.model(route.body.name, route.body.schema) } }),
    });
    explain(method, access);
  }

  private accessOptions(access: Access): Pick<apigateway.MethodOptions, "authorizationType" | "authorizer" | "apiKeyRequired"> {
    switch (access) {
      case "iam":
        return { authorizationType: apigateway.AuthorizationType.IAM, apiKeyRequired: true };
      case "document":
        return { authorizationType: apigateway.AuthorizationType.IAM };
      case "token":
        return { authorizationType: apigateway.AuthorizationType.CUSTOM, authorizer: this.authorizer };
      case "page":
        return { authorizationType: apigateway.AuthorizationType.NONE };
    }
  }

  private model(name: string, schema: unknown): apigateway.IModel {
    return new apigateway.Model(this, `Model${name}`, {
      restApi: this.props.api, modelName: name, contentType: "application/json",
      description: "From the function's openapi.json", schema: schema as apigateway.JsonSchema,
    });
  }

  /** Calls submit with the path of its document: API Gateway cannot pass another path to a function than the caller's. */
  private addDocumentOfSubmit(): void {
    const { api, functions } = this.props;
    const event = {
      resource: "/openapi.json", path: "/openapi.json", httpMethod: "GET", headers: {}, multiValueHeaders: {}, queryStringParameters: {},
      multiValueQueryStringParameters: {}, pathParameters: {}, stageVariables: {},
      requestContext: {
        accountId: "$context.accountId", apiId: "$context.apiId", requestId: "$context.requestId", stage: "$context.stage",
        resourceId: "$context.resourceId", resourcePath: "/openapi.json", httpMethod: "GET", path: "/openapi.json", protocol: "HTTP/1.1", identity: {},
      },
      body: null, isBase64Encoded: false,
    };
    const method = api.root.resourceForPath("/process/openapi.json").addMethod("GET", new apigateway.LambdaIntegration(functions.submit.alias, {
      proxy: false,
      timeout: WAIT,
      allowTestInvoke: false,
      passthroughBehavior: apigateway.PassthroughBehavior.NEVER,
      contentHandling: apigateway.ContentHandling.CONVERT_TO_TEXT,
      requestTemplates: { "application/json": JSON.stringify(event) },
      integrationResponses: [{
        statusCode: "200",
        contentHandling: apigateway.ContentHandling.CONVERT_TO_TEXT,
        responseTemplates: { "application/json": "$input.path('$.body')" },
      }],
    }), {
      ...this.accessOptions("document"), requestValidator: this.validators.parameters, methodResponses: [{ statusCode: "200" }],
    });
    explain(method, "document");
  }
}

function explain(method: apigateway.Method, access: Access): void {
  if (access === "page") {
    const evidence = "Browsers sign in to the console with a token; data-product checks the session of every page, and the token of the session";
    acknowledge(method, { id: "AwsSolutions-APIG4", reason: evidence }, { id: "AwsSolutions-COG4", reason: evidence });
    skipChecks(method, { id: "CKV_AWS_59", comment: evidence });
    return;
  }
  acknowledge(method, { id: "AwsSolutions-COG4", reason: access === "token"
    ? "The Delta Sharing protocol supports bearer tokens only; a Lambda authorizer checks them, and the function checks them again"
    : "Callers are authenticated by IAM" });
}
