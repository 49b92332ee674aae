//! Lambda function: the authorizer of API Gateway before the routes of Delta Sharing, whose clients have bearer tokens and cannot sign
//! for IAM. Links neither Polars nor Delta.
//!
//! It keeps strangers off data-product, so that they cost a small function and no large one. It decides nothing else: data-product
//! checks each token again, and what its holder may read. So API Gateway may keep an answer for some minutes without a revoked token
//! being good for longer.
//!
//! A call that it refuses reaches nobody else, so it writes the audit event; an allowed one is written down by
//! data-product. While API Gateway keeps a refusal it asks nobody about that token, and only its access log has the calls.

use std::fmt;

use aws_lambda_events::event::apigw::ApiGatewayCustomAuthorizerRequest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::audit::{AuditEvent, AuditPath, Outcome, PRODUCT_OPERATIONS, operation};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::RecipientName;
use sluice_core::recipient::{KeptToken, Token, TokenRefusal};
use sluice_core::uri::layout;
use sluice_documents::DocumentStore;

/// A request that API Gateway asks about (REST API, authorizer of type `TOKEN`).
#[derive(Clone, Deserialize)]
#[serde(try_from = "ApiGatewayCustomAuthorizerRequest")]
pub struct Input {
    /// The header `Authorization`.
    pub authorization_token: String,
    /// What is called: `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<verb>/<path>`.
    pub method_arn: String,
}

impl TryFrom<ApiGatewayCustomAuthorizerRequest> for Input {
    type Error = &'static str;

    fn try_from(event: ApiGatewayCustomAuthorizerRequest) -> Result<Self, &'static str> {
        let ApiGatewayCustomAuthorizerRequest { authorization_token, method_arn, .. } = event;
        Ok(Self {
            authorization_token: authorization_token.ok_or("`authorizationToken` is missing")?,
            method_arn: method_arn.ok_or("`methodArn` is missing")?,
        })
    }
}

impl fmt::Debug for Input {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("method_arn", &self.method_arn).finish_non_exhaustive()
    }
}

/// The answer to API Gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Who calls; `stranger` for a token that is not valid.
    pub principal_id: String,
    /// What they may call.
    pub policy_document: Policy,
}

/// A policy with one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: [Statement; 1],
}

/// What is allowed, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    effect: Effect,
    action: &'static str,
    resource: String,
}

/// Whether it is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Effect {
    /// It is.
    Allow,
    /// It is not.
    Deny,
}

/// Recognises the holder of a token. A token that is unknown, expired or revoked is an answer and no error: it must not raise the
/// alarm for errors of the function.
///
/// Every call that is not let through is given to `record`, once. API Gateway passes no id of a request to an authorizer
/// of this type: the line of the log has the id of the function's call, which the access log has as well.
///
/// # Errors
/// `Throttled` and `Unavailable` when tokens cannot be looked up; `AccessDenied` when the function may not read them.
pub async fn handle(
    documents: &DocumentStore,
    now: Timestamp,
    input: Input,
    record: impl Fn(&AuditEvent),
) -> Result<Output, StepError> {
    let resource = stage_of(&input.method_arn);
    let (principal_id, effect) = match holder(documents, now, &input.authorization_token).await {
        Ok(Ok(recipient)) => (format!("recipient:{recipient}"), Effect::Allow),
        Ok(Err(Refused { reason, token_id })) => {
            tracing::warn!(reason, "a caller was not recognised");
            let event = event_of(now, &input.method_arn);
            record(&AuditEvent { token_id, decision: Outcome::Denied, reason: Some(reason), ..event });
            ("stranger".to_owned(), Effect::Deny)
        }
        Err(error) => {
            let reason = Some(problem_code(error.name).to_owned());
            record(&AuditEvent { decision: Outcome::Failed, reason, ..event_of(now, &input.method_arn) });
            return Err(error);
        }
    };
    let statement = Statement { effect, action: "execute-api:Invoke", resource };
    Ok(Output { principal_id, policy_document: Policy { version: "2012-10-17", statement: [statement] } })
}

/// Writes an event as data-product does: one line of the log at level INFO with target `audit` and the event as JSON.
pub fn write_to_log(event: &AuditEvent) {
    match serde_json::to_string(event) {
        Ok(text) => tracing::info!(target: "audit", audit = text, "access"),
        Err(error) => tracing::error!(target: "audit", %error, "an access could not be written down"),
    }
}

/// Why a token is not valid.
struct Refused {
    reason: String,
    /// Id of a token that was good once.
    token_id: Option<String>,
}

impl Refused {
    fn stranger(reason: &str) -> Self {
        Self { reason: reason.to_owned(), token_id: None }
    }
}

/// Whose token this header holds, or why it is not valid.
async fn holder(
    documents: &DocumentStore,
    now: Timestamp,
    header: &str,
) -> Result<Result<RecipientName, Refused>, StepError> {
    let Some((_, text)) = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return Ok(Err(Refused::stranger("no bearer token")));
    };
    let Ok(token) = text.trim().parse::<Token>() else { return Ok(Err(Refused::stranger("not a valid token"))) };
    let Some(kept) = documents.read::<KeptToken>(&layout::token(&token)).await? else {
        return Ok(Err(Refused::stranger("no such token")));
    };
    Ok(match kept.check(&token, now) {
        Ok(()) => Ok(token.recipient().clone()),
        // Anybody can write an id into a token of their own.
        Err(refusal @ TokenRefusal::Unknown) => Err(Refused::stranger(&refusal.to_string())),
        Err(refusal @ (TokenRefusal::Expired | TokenRefusal::Revoked)) => {
            Err(Refused { reason: refusal.to_string(), token_id: Some(token.id().to_owned()) })
        }
    })
}

/// What is known of a call before anybody is recognised: `…/<stage>/<verb>/<path>` says what is asked for.
fn event_of(now: Timestamp, method_arn: &str) -> AuditEvent {
    let mut parts = method_arn.splitn(4, '/').skip(2);
    let (verb, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let found = operation(PRODUCT_OPERATIONS, verb, &format!("/{path}"));
    // A call of a route that is not in the list is written down as well.
    let (access_path, name) = found.unwrap_or((AuditPath::Sharing, "unknown"));
    AuditEvent::new(now, access_path, name)
}

/// What data-product would answer for this fault.
fn problem_code(name: ErrorName) -> &'static str {
    match name {
        ErrorName::Throttled => "too-many-requests",
        ErrorName::Unavailable => "unavailable",
        _ => "internal",
    }
}

/// Every method of the called stage: API Gateway keeps the answer for the token, whatever is called next.
fn stage_of(method_arn: &str) -> String {
    let stage: Vec<&str> = method_arn.splitn(3, '/').take(2).collect();
    format!("{}/*", stage.join("/"))
}

#[cfg(test)]
mod tests;
