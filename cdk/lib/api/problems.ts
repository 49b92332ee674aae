import * as apigateway from "aws-cdk-lib/aws-apigateway";

/** What API Gateway answers by itself, in the form that the functions have for problems (`docs/errors.md`). */
interface GatewayProblem {
  readonly type: apigateway.ResponseType;
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** What happened and what to do; no quotation marks, since templates of gateway responses cannot escape. */
  readonly detail: string;
  /** Seconds after which to send the same again. */
  readonly retryAfter?: number;
}

const { ResponseType: T } = apigateway;

export const GATEWAY_PROBLEMS: readonly GatewayProblem[] = [
  { type: T.BAD_REQUEST_BODY, status: 400, code: "invalid-request", title: "The request is wrong", detail: "the body is not as /openapi.json describes it" },
  { type: T.BAD_REQUEST_PARAMETERS, status: 400, code: "invalid-request", title: "The request is wrong", detail: "a parameter that the route needs is missing: see /openapi.json" },
  { type: T.UNAUTHORIZED, status: 401, code: "unauthenticated", title: "Nobody knows who calls", detail: "send the header Authorization with the bearer token of your profile file" },
  { type: T.MISSING_AUTHENTICATION_TOKEN, status: 401, code: "unauthenticated", title: "Nobody knows who calls", detail: "sign the request for AWS IAM (SigV4, service execute-api); a signed request gets this answer when there is no such route" },
  { type: T.INVALID_SIGNATURE, status: 401, code: "unauthenticated", title: "Nobody knows who calls", detail: "the signature is wrong: sign the request as it is sent" },
  { type: T.EXPIRED_TOKEN, status: 401, code: "unauthenticated", title: "Nobody knows who calls", detail: "the credentials have expired: get new ones" },
  { type: T.ACCESS_DENIED, status: 403, code: "forbidden", title: "The caller may not", detail: "the caller has no right execute-api:Invoke on this route, or the bearer token is unknown, expired or revoked" },
  { type: T.INVALID_API_KEY, status: 403, code: "forbidden", title: "The caller may not", detail: "send the header x-api-key with a key of a usage plan" },
  { type: T.WAF_FILTERED, status: 403, code: "forbidden", title: "The caller may not", detail: "the firewall refused the request" },
  { type: T.REQUEST_TOO_LARGE, status: 413, code: "body-too-large", title: "The body is too large", detail: "send at most 10 MB" },
  { type: T.UNSUPPORTED_MEDIA_TYPE, status: 415, code: "unsupported-media-type", title: "The body has the wrong type", detail: "send application/json" },
  { type: T.THROTTLED, status: 429, code: "too-many-requests", title: "Too many requests", detail: "send the same again after Retry-After", retryAfter: 1 },
  { type: T.QUOTA_EXCEEDED, status: 429, code: "too-many-requests", title: "Too many requests", detail: "the day's requests of this usage plan are used up", retryAfter: 3600 },
  { type: T.INTEGRATION_TIMEOUT, status: 503, code: "unavailable", title: "No answer in time", detail: "send the same again, under the same Idempotency-Key", retryAfter: 5 },
  { type: T.INTEGRATION_FAILURE, status: 503, code: "unavailable", title: "No answer", detail: "send the same again, under the same Idempotency-Key", retryAfter: 5 },
  { type: T.AUTHORIZER_FAILURE, status: 503, code: "unavailable", title: "Tokens cannot be looked up", detail: "send the same again after Retry-After", retryAfter: 5 },
  { type: T.AUTHORIZER_CONFIGURATION_ERROR, status: 500, code: "internal", title: "A defect", detail: "tell the operator the requestId" },
  { type: T.DEFAULT_5XX, status: 500, code: "internal", title: "A defect", detail: "tell the operator the requestId" },
];

/**
 * Makes API Gateway answer problems as the functions do, so that clients have one form to read.
 *
 * @param api the API
 */
export function answerProblems(api: apigateway.RestApi): void {
  for (const { type, status, code, title, detail, retryAfter } of GATEWAY_PROBLEMS) {
    const body = {
      type: `urn:sluice:problem:${code}`, code, title, status, detail, errorCode: code, message: detail, requestId: "$context.requestId",
    };
    api.addGatewayResponse(`Problem${type.responseType}`, {
      type,
      statusCode: String(status),
      // The content type is chosen by what the caller accepts; a template under application/json serves all.
      templates: { "application/json": JSON.stringify(body) },
      responseHeaders: {
        "Content-Type": "'application/problem+json'",
        ...(retryAfter === undefined ? {} : { "Retry-After": `'${String(retryAfter)}'` }),
      },
    });
  }
}
