import { CfnOutput, Stack } from "aws-cdk-lib";
import * as apigateway from "aws-cdk-lib/aws-apigateway";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as logs from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";

import type { Settings } from "../config.ts";
import type { FunctionName } from "../functions/catalogue.ts";
import { logRetention } from "../functions/log-retention.ts";
import { removable } from "../functions/removable.ts";
import type { SluiceFunction } from "../functions/sluice-function.ts";
import { acknowledge, skipChecks } from "../suppressions.ts";
import { AccountLogging } from "./account-logging.ts";
import { foreignCallers } from "./foreign-callers.ts";
import { Firewall } from "./firewall.ts";
import { OwnDomain } from "./own-domain.ts";
import { answerProblems } from "./problems.ts";
import { Routes } from "./routes.ts";

/** The one stage; environments are stacks and accounts, not stages. */
const STAGE = "live";

/** What the access log records of a request: no header, no query string, no body, so no token and no query. */
const ACCESS_LOG = {
  requestId: "$context.requestId",
  time: "$context.requestTime",
  caller: "$context.identity.userArn",
  recipient: "$context.authorizer.principalId",
  // The id that authorize's audit event of a refused call has. Missing where API Gateway repeated an earlier decision.
  authorizerRequestId: "$context.authorizer.requestId",
  apiKeyId: "$context.identity.apiKeyId",
  sourceIp: "$context.identity.sourceIp",
  method: "$context.httpMethod",
  route: "$context.resourcePath",
  status: "$context.status",
  latencyMs: "$context.responseLatency",
  functionMs: "$context.integration.latency",
  bytes: "$context.responseLength",
  problem: "$context.error.responseType",
  functionError: "$context.integration.error",
  traceId: "$context.xrayTraceId",
};

/** Properties of {@link SluiceApi}. */
export interface SluiceApiProps {
  readonly settings: Settings;
  /** Prefix of names. */
  readonly prefix: string;
  /** Encrypts logs. */
  readonly key: kms.IKey;
}

/**
 * The API: runs and data products for callers of IAM, Delta Sharing for holders of bearer tokens. A regional REST API, because HTTP APIs support
 * neither usage plans nor request validation nor a firewall.
 *
 * Created in two steps: first the API, whose address is a setting of data-product, then its routes, which name the functions.
 */
export class SluiceApi extends Construct {
  readonly api: apigateway.RestApi;
  /** Its address for callers, without a final slash. */
  readonly endpoint: string;
  /** Its access log. */
  readonly accessLog: logs.LogGroup;
  private readonly hasConsole: boolean;

  constructor(scope: Construct, id: string, props: SluiceApiProps) {
    super(scope, id);
    const { settings } = props;
    this.hasConsole = settings.api.console;
    const logDays = logRetention(settings);
    const logging = settings.api.accountLogging ? new AccountLogging(this, "AccountLogging") : undefined;
    this.accessLog = new logs.LogGroup(this, "AccessLog", {
      logGroupName: `/aws/apigateway/${props.prefix}`, encryptionKey: props.key, retention: logDays, removalPolicy: removable,
    });
    skipChecks(this.accessLog, { id: "CKV_AWS_338", comment: "functions.logDays of the settings decides; who read what is in the audit events of data-product" });
    this.api = new apigateway.RestApi(this, "Api", {
      restApiName: props.prefix,
      description: "Runs, data products and Delta Sharing",
      endpointConfiguration: { types: [apigateway.EndpointType.REGIONAL] },
      // With a domain of its own the API has only that name: certificates, firewall and links then apply to one place.
      disableExecuteApiEndpoint: settings.api.domain !== undefined,
      // Parquet and Arrow are returned as bytes whatever the caller accepts: clients of Delta Sharing, curl and pandas send Accept: */*.
      binaryMediaTypes: ["*/*"],
      cloudWatchRole: false,
      ...(settings.api.accounts.length === 0 ? {} : { policy: foreignCallers(settings.api.accounts, STAGE, settings.api.console) }),
      deployOptions: {
        stageName: STAGE,
        tracingEnabled: true,
        metricsEnabled: true,
        // Logs errors only, never requests or responses: those contain tokens and rows.
        loggingLevel: apigateway.MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        throttlingRateLimit: settings.api.requestsPerSecond,
        throttlingBurstLimit: settings.api.burst,
        accessLogDestination: new apigateway.LogGroupLogDestination(this.accessLog),
        accessLogFormat: apigateway.AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
    });
    if (logging !== undefined) {
      this.api.deploymentStage.node.addDependency(logging.setting);
    }
    answerProblems(this.api);
    this.endpoint = settings.api.domain === undefined
      ? `https://${this.api.restApiId}.execute-api.${Stack.of(this).region}.amazonaws.com/${STAGE}`
      : `https://${settings.api.domain.name}`;
    this.explain(settings);
    this.plan(props);
    if (settings.api.firewall) {
      new Firewall(this, "Firewall", { prefix: props.prefix, stage: this.api.deploymentStage, region: settings.region, key: props.key, logDays });
    }
    if (settings.api.domain !== undefined) {
      new OwnDomain(this, "Domain", { ...settings.api.domain, api: this.api });
    }
    new CfnOutput(this, "Endpoint", { description: "Address of the API", value: this.endpoint });
  }

  /**
   * Adds the routes.
   *
   * @param functions the functions that handle them
   */
  addRoutes(functions: Readonly<Record<FunctionName, SluiceFunction>>): void {
    new Routes(this, "Routes", { api: this.api, functions, console: this.hasConsole });
  }

  /**
   * The daily quota. API Gateway counts by API key, so callers of IAM send one (`x-api-key`). The key is not a credential; it only says whose
   * quota is used. Create a plan and a key for a caller that should not use up the quota of the others. Clients of Delta Sharing cannot send
   * a key; the stage's throttling limits them, and the authorizer keeps strangers out.
   */
  private plan({ settings, prefix }: SluiceApiProps): void {
    const plan = this.api.addUsagePlan("Plan", {
      name: prefix,
      description: "Callers of IAM",
      throttle: { rateLimit: settings.api.requestsPerSecond, burstLimit: settings.api.burst },
      quota: { limit: settings.api.requestsPerDay, period: apigateway.Period.DAY },
      apiStages: [{ stage: this.api.deploymentStage }],
    });
    const key = this.api.addApiKey("Key", { apiKeyName: prefix, description: "Counts requests of callers of IAM" });
    plan.addApiKey(key);
    new CfnOutput(this, "ApiKeyId", {
      description: "Its value: aws apigateway get-api-key --include-value --api-key <this>", value: key.keyId,
    });
  }

  private explain(settings: Settings): void {
    if (!settings.api.firewall) {
      acknowledge(this.api.deploymentStage, { id: "AwsSolutions-APIG3", reason:
        "api.firewall of the settings is false: every caller is authenticated and throttled; set it to true for some $9 a month" });
      skipChecks(this.api.deploymentStage, { id: "CKV2_AWS_29", comment: "api.firewall of the settings is false: every caller is authenticated and throttled" });
    }
    skipChecks(this.api.deploymentStage,
      { id: "CKV_AWS_120", comment: "Responses depend on the caller: a cache could return one caller's data to another" },
      { id: "CKV2_AWS_51", comment: "Callers are authenticated by SigV4 or bearer token; clients of Delta Sharing have no certificates" });
  }
}
