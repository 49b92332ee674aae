import * as apigateway from "aws-cdk-lib/aws-apigateway";

/** Errors that API Gateway itself returns, in the form of the functions' problems (`docs/errors.md`). */
interface GatewayProblem {
  readonly type: apigateway.ResponseType;
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** What happened and what to do; without quotation marks, because templates of gateway responses cannot escape them. */
  readonly detail: string;
  /** Seconds after which to repeat the request. */
  readonly retryAfter?: number;
}

const { ResponseType: T } = apigateway;

export const GATEWAY_PROBLEMS: readonly GatewayProblem[] = [
  { type: T.BAD_REQUEST_BODY, status: 400, code: "invalid-request", title: "The request is wrong", detail: "the body does not match its schema in /openapi.json" },
  { type: T.BAD_REQUEST_PARAMETERS, status: 400, code: "invalid-request", title: "The request is wrong", detail: "a required parameter is missing: see /openapi.json" },
  { type: T.UNAUTHORIZED, status: 401, code: "unauthenticated", title: "The caller is not authenticated", detail: "send the header Authorization with the bearer token of your profile file" },
  { type: T.MISSING_AUTHENTICATION_TOKEN, status: 401, code: "unauthenticated", title: "The caller is not authenticated", detail: "sign the request for AWS IAM (SigV4, service execute-api); a signed request gets this response when the route does not exist" },
  { type: T.INVALID_SIGNATURE, status: 401, code: "unauthenticated", title: "The caller is not authenticated", detail: "the signature is wrong: sign the request exactly as it is sent" },
  { type: T.EXPIRED_TOKEN, status: 401, code: "unauthenticated", title: "The caller is not authenticated", detail: "the credentials have expired: get new ones" },
  { type: T.ACCESS_DENIED, status: 403, code: "forbidden", title: "The caller is not allowed to do this", detail: "the caller has no right execute-api:Invoke on this route, or the bearer token is unknown, expired or revoked" },
  { type: T.INVALID_API_KEY, status: 403, code: "forbidden", title: "The caller is not allowed to do this", detail: "send the header x-api-key with a key of a usage plan" },
  { type: T.WAF_FILTERED, status: 403, code: "forbidden", title: "The caller is not allowed to do this", detail: "the firewall refused the request" },
  { type: T.REQUEST_TOO_LARGE, status: 413, code: "body-too-large", title: "The body is too large", detail: "send at most 10 MB" },
  { type: T.UNSUPPORTED_MEDIA_TYPE, status: 415, code: "unsupported-media-type", title: "The body has the wrong type", detail: "send application/json" },
  { type: T.THROTTLED, status: 429, code: "too-many-requests", title: "Too many requests", detail: "repeat the request after Retry-After", retryAfter: 1 },
  { type: T.QUOTA_EXCEEDED, status: 429, code: "too-many-requests", title: "Too many requests", detail: "the daily quota of this usage plan is used up: repeat the request tomorrow", retryAfter: 3600 },
  { type: T.INTEGRATION_TIMEOUT, status: 503, code: "unavailable", title: "No response in time", detail: "repeat the request with the same Idempotency-Key", retryAfter: 5 },
  { type: T.INTEGRATION_FAILURE, status: 503, code: "unavailable", title: "No response", detail: "repeat the request with the same Idempotency-Key", retryAfter: 5 },
  { type: T.AUTHORIZER_FAILURE, status: 503, code: "unavailable", title: "Tokens cannot be checked", detail: "repeat the request after Retry-After", retryAfter: 5 },
  { type: T.AUTHORIZER_CONFIGURATION_ERROR, status: 500, code: "internal", title: "A defect", detail: "report the requestId to the operator" },
  { type: T.DEFAULT_5XX, status: 500, code: "internal", title: "A defect", detail: "report the requestId to the operator" },
];

/**
 * Makes API Gateway return problems in the same form as the functions, so that clients handle one form.
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
      // API Gateway chooses a template by the Accept header; one under application/json serves all callers.
      templates: { "application/json": JSON.stringify(body) },
      responseHeaders: {
        "Content-Type": "'application/problem+json'",
        ...(retryAfter === undefined ? {} : { "Retry-After": `'${String(retryAfter)}'` }),
      },
    });
  }
}
