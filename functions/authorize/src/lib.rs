//! Lambda function: the authorizer of API Gateway before the routes of Delta Sharing, whose clients have bearer tokens and cannot sign
//! for IAM. Links neither Polars nor Delta.
//!
//! It keeps strangers off data-product, so that they cost a small function and no large one. It decides nothing else: data-product
//! checks each token again, and what its holder may read. So API Gateway may keep an answer for some minutes without a revoked token
//! being good for longer.

use std::fmt;

use aws_lambda_events::event::apigw::ApiGatewayCustomAuthorizerRequest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::error::StepError;
use sluice_core::name::RecipientName;
use sluice_core::recipient::{KeptToken, Token};
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
/// # Errors
/// `Throttled` and `Unavailable` when tokens cannot be looked up; `Internal` for missing rights.
pub async fn handle(documents: &DocumentStore, now: Timestamp, input: Input) -> Result<Output, StepError> {
    let resource = stage_of(&input.method_arn);
    let (principal_id, effect) = match holder(documents, now, &input.authorization_token).await? {
        Ok(recipient) => (format!("recipient:{recipient}"), Effect::Allow),
        Err(reason) => {
            tracing::warn!(reason, "a caller was not recognised");
            ("stranger".to_owned(), Effect::Deny)
        }
    };
    let statement = Statement { effect, action: "execute-api:Invoke", resource };
    Ok(Output { principal_id, policy_document: Policy { version: "2012-10-17", statement: [statement] } })
}

/// Whose token this header holds, or why it is not valid.
async fn holder(
    documents: &DocumentStore,
    now: Timestamp,
    header: &str,
) -> Result<Result<RecipientName, String>, StepError> {
    let Some((_, text)) = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return Ok(Err("no bearer token".to_owned()));
    };
    let Ok(token) = text.trim().parse::<Token>() else { return Ok(Err("not a valid token".to_owned())) };
    let Some(kept) = documents.read::<KeptToken>(&layout::token(&token)).await? else {
        return Ok(Err("no such token".to_owned()));
    };
    Ok(kept.check(&token, now).map(|()| token.recipient().clone()).map_err(|refusal| refusal.to_string()))
}

/// Every method of the called stage: API Gateway keeps the answer for the token, whatever is called next.
fn stage_of(method_arn: &str) -> String {
    let stage: Vec<&str> = method_arn.splitn(3, '/').take(2).collect();
    format!("{}/*", stage.join("/"))
}

#[cfg(test)]
mod tests;
