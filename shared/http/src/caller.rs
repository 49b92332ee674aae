//! Who calls, as far as the request says. The function that knows the tokens decides whether one is valid.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use sluice_core::access::Principal;
use sluice_core::name::RecipientName;

/// An IAM caller whom API Gateway has authenticated; put into the request's extensions by the Lambda adapter only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayCaller {
    /// ARN of the caller, as API Gateway names it.
    pub arn: String,
}

/// What a request carries to be recognised by.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing, or an `Authorization` that is not a bearer token.
    None,
    /// A bearer token.
    Bearer(String),
    /// An IAM caller, authenticated by API Gateway.
    Gateway(GatewayCaller),
    /// A session that began with a token, which still has to be good. No request carries it by itself: the function
    /// that made the session has checked it.
    Session {
        /// Whose token.
        recipient: RecipientName,
        /// Its id.
        token_id: String,
    },
    /// A session that began with a word of this process to a person on this machine. As with [`Self::Session`], the
    /// function that made it has checked it.
    Local(Principal),
}

impl std::fmt::Debug for Credentials {
    /// Says of what kind they are, and never a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bearer(_) => f.write_str("Bearer(…)"),
            Self::Gateway(caller) => f.debug_tuple("Gateway").field(&caller.arn).finish(),
            Self::Session { recipient, token_id } => f.debug_tuple("Session").field(recipient).field(token_id).finish(),
            Self::Local(principal) => f.debug_tuple("Local").field(principal).finish(),
        }
    }
}

impl Credentials {
    /// The credentials of a request. An authenticated IAM caller has precedence over a token.
    pub fn of(parts: &Parts) -> Self {
        if let Some(caller) = parts.extensions.get::<GatewayCaller>() {
            return Self::Gateway(caller.clone());
        }
        let text = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match text.and_then(|text| text.split_once(' ')) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                Self::Bearer(token.trim().to_owned())
            }
            _ => Self::None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Credentials {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}
