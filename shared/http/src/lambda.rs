//! A router behind API Gateway.

use std::process::ExitCode;

use axum::Router;
use axum::extract::Request;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use sluice_aws::env::Env;
use sluice_core::error::StepError;

use crate::caller::GatewayCaller;

/// Serves the router that `start` makes as a Lambda function, until the environment ends.
///
/// When `start` fails the process ends: Lambda answers the callers with 502 and the log has the named reason.
#[expect(clippy::needless_pass_by_value, reason = "callers hand over closures written in place")]
pub fn serve(start: impl AsyncFn(&Env) -> Result<Router, StepError>) -> ExitCode {
    sluice_aws::serve_with(async |env| {
        let router = match start(env).await {
            Ok(router) => router,
            Err(error) => {
                tracing::error!(error_name = %error.name, error_message = error.message, "cannot start");
                return ExitCode::FAILURE;
            }
        };
        let service = tower::service_fn(move |request: lambda_http::Request| {
            let router = router.clone();
            async move { Ok::<_, std::convert::Infallible>(answer(router, request).await) }
        });
        match lambda_http::run(service).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(error, "the Lambda runtime failed");
                ExitCode::FAILURE
            }
        }
    })
}

async fn answer(router: Router, request: lambda_http::Request) -> axum::response::Response {
    let caller = request.request_context_ref().and_then(caller_of);
    let (mut parts, body) = request.into_parts();
    // Nobody but API Gateway says who an IAM caller is.
    parts.extensions.remove::<GatewayCaller>();
    if let Some(caller) = caller {
        parts.extensions.insert(caller);
    }
    let request = Request::from_parts(parts, axum::body::Body::new(body));
    match tower::ServiceExt::oneshot(router, request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The IAM caller whom API Gateway has authenticated, of either kind of API.
fn caller_of(context: &RequestContext) -> Option<GatewayCaller> {
    let arn = match context {
        RequestContext::ApiGatewayV2(http) => http.authorizer.as_ref()?.iam.as_ref()?.user_arn.clone(),
        RequestContext::ApiGatewayV1(rest) => rest.identity.user_arn.clone(),
        _ => None,
    };
    arn.filter(|arn| !arn.is_empty()).map(|arn| GatewayCaller { arn })
}
