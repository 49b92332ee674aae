//! Who is recognised as a caller.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use sluice_core::access::Principal;
use sluice_core::name::RecipientName;
use sluice_core::recipient::{KeptToken, Token, TokenRefusal};
use sluice_core::uri::{LakePath, layout};
use sluice_documents::DocumentStore;
use tokio::sync::Mutex;

use crate::audit::Trail;
use crate::caller::Credentials;
use crate::problem::{Problem, ProblemCode};
use crate::reading::{Current, Reading};
use crate::shares::{Admission, FileShare, Shares};

/// How long tokens are kept. So a revoked one is refused everywhere after this time.
const KEPT: Duration = Duration::from_secs(5);
/// Most tokens that are kept; beyond it, all are read again.
const MAX_TOKENS: usize = 1024;

/// What is kept of tokens, by their place in the lake; `None` for those that are not there.
type Tokens = HashMap<LakePath, Reading<Option<Arc<KeptToken>>>>;

/// Somebody who was recognised. Handlers of routes that need a caller take it as an argument, and begin when the caller has
/// a share of what is answered at once.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who: sessions of a role are the role.
    pub principal: Principal,
    /// Id of the token they came with.
    pub token_id: Option<String>,
    /// The name that they came with: of an IAM caller the whole ARN, which names the session of a role.
    pub presented: String,
    /// What is written down of their request.
    pub trail: Trail,
}

impl Caller {
    /// Whose requests belong together: all sessions and tokens of one principal are one caller.
    pub fn name(&self) -> String {
        self.principal.to_string()
    }

    /// The caller of a request with these credentials, who has a share of what is answered at once from now on.
    ///
    /// # Errors
    /// `unauthenticated`; `too-many-requests`; `unavailable` when tokens cannot be looked up; `internal` for a route
    /// that is not audited.
    pub async fn with(parts: &Parts, credentials: &Credentials) -> Result<Self, Problem> {
        let callers = Callers::of(parts)?;
        let caller = callers.recognise(parts, credentials).await?;
        let admission = parts.extensions.get::<Admission>().cloned();
        if let Some(admission) = admission {
            admission.enter(&callers.shares, &caller.principal).await?;
        }
        Ok(caller)
    }
}

/// Who is recognised. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Callers {
    tokens: Option<Arc<KnownTokens>>,
    local: Option<Principal>,
    shares: Shares,
}

#[derive(Debug)]
struct KnownTokens {
    documents: DocumentStore,
    kept: Mutex<Tokens>,
}

/// A caller without their trail, or why nobody is recognised and the id of a token that was good once.
type Recognised = Result<(Principal, Option<String>, String), (&'static str, Option<String>)>;

impl Callers {
    /// IAM callers whom API Gateway has authenticated, and nobody else.
    pub fn of_gateway() -> Self {
        Self { tokens: None, local: None, shares: Shares::new() }
    }

    /// IAM callers whom API Gateway has authenticated, and holders of the tokens that this lake keeps.
    pub fn of_lake(documents: DocumentStore) -> Self {
        let tokens = Arc::new(KnownTokens { documents, kept: Mutex::default() });
        Self { tokens: Some(tokens), local: None, shares: Shares::new() }
    }

    /// The same, and calls without credentials are made as `local`, if it is given. For `sluice serve --as`; never on AWS.
    #[must_use]
    pub fn or_as(self, local: Option<Principal>) -> Self {
        Self { local, ..self }
    }

    /// Who is recognised by the API of a request.
    ///
    /// # Errors
    /// `internal` for a route that no [`crate::audit::Audited`] stands around.
    fn of(parts: &Parts) -> Result<Self, Problem> {
        let callers = parts.extensions.get::<Self>().cloned();
        callers.ok_or_else(|| Problem::new(ProblemCode::Internal, "the route is not audited, which is a defect"))
    }

    /// Counts a file that is sent to this caller, who has asked for it by its address.
    ///
    /// # Errors
    /// `too-many-requests` when too many files are sent to this caller already.
    pub fn file(&self, caller: &Principal) -> Result<FileShare, Problem> {
        self.shares.file(caller)
    }

    /// Recognises the caller of a request, and notes on its trail who it is or why it is nobody.
    ///
    /// # Errors
    /// `unauthenticated`, with the same words whatever is wrong; `unavailable` when tokens cannot be looked up.
    async fn recognise(&self, parts: &Parts, credentials: &Credentials) -> Result<Caller, Problem> {
        let trail = Trail::of(parts)?;
        match self.known(credentials, Timestamp::now()).await? {
            Ok((principal, token_id, presented)) => {
                trail.note(|event| (event.caller, event.token_id) = (principal.to_string(), token_id.clone()));
                Ok(Caller { principal, token_id, presented, trail })
            }
            Err((reason, token_id)) => {
                tracing::warn!(reason, "a caller was not recognised");
                trail.note(|event| event.token_id = token_id);
                trail.deny(reason);
                let detail = if self.tokens.is_some() {
                    "send a valid bearer token (from a profile file of `sluice share create`) or call with IAM credentials"
                } else {
                    "sign the request for AWS IAM (SigV4, service `execute-api`)"
                };
                Err(Problem::new(ProblemCode::Unauthenticated, detail))
            }
        }
    }

    async fn known(&self, credentials: &Credentials, now: Timestamp) -> Result<Recognised, Problem> {
        let text = match (credentials, &self.local) {
            (Credentials::None, Some(principal)) => return Ok(Ok((principal.clone(), None, principal.to_string()))),
            (Credentials::None, None) => return Ok(Err(("no credentials", None))),
            (Credentials::Gateway(caller), _) => {
                let arn = caller.arn.parse().map(Principal::Iam);
                return Ok(match arn {
                    Ok(principal) => Ok((principal, None, caller.arn.clone())),
                    Err(_) => Err(("an ARN that is not a role or a user", None)),
                });
            }
            (Credentials::Local(principal), _) => return Ok(Ok((principal.clone(), None, principal.to_string()))),
            (Credentials::Session { recipient, token_id }, _) => {
                return self.known_session(recipient, token_id, now).await;
            }
            (Credentials::Bearer(text), _) => text,
        };
        let Some(tokens) = &self.tokens else { return Ok(Err(("tokens are not taken here", None))) };
        let Ok(token) = text.parse::<Token>() else { return Ok(Err(("not a valid token", None))) };
        let kept = tokens.read(layout::token(&token)).await?;
        let Some(kept) = kept else { return Ok(Err(("no such token", None))) };
        Ok(recognised(token.recipient(), token.id(), kept.check(&token, now)))
    }

    /// The caller of a session that began with this token.
    async fn known_session(
        &self,
        recipient: &RecipientName,
        token_id: &str,
        now: Timestamp,
    ) -> Result<Recognised, Problem> {
        let Some(tokens) = &self.tokens else { return Ok(Err(("tokens are not taken here", None))) };
        let Some(path) = layout::token_of(recipient, token_id) else { return Ok(Err(("not a valid token", None))) };
        let kept = tokens.read(path).await?;
        let Some(kept) = kept.filter(|kept| kept.recipient == *recipient) else {
            return Ok(Err(("no such token", None)));
        };
        Ok(recognised(recipient, token_id, kept.check_term(now)))
    }
}

/// The holder of a token that was checked like this.
fn recognised(recipient: &RecipientName, token_id: &str, checked: Result<(), TokenRefusal>) -> Recognised {
    match checked {
        Ok(()) => {
            let principal = Principal::Recipient(recipient.clone());
            let presented = principal.to_string();
            Ok((principal, Some(token_id.to_owned()), presented))
        }
        Err(TokenRefusal::Unknown) => Err(("the token is unknown", None)),
        Err(TokenRefusal::Expired) => Err(("the token has expired", Some(token_id.to_owned()))),
        Err(TokenRefusal::Revoked) => Err(("the token was revoked", Some(token_id.to_owned()))),
    }
}

impl KnownTokens {
    /// What is kept of the token at this place.
    async fn read(self: &Arc<Self>, path: LakePath) -> Result<Option<Arc<KeptToken>>, Problem> {
        let current = self.kept.lock().await.get_mut(&path).and_then(|reading| reading.current(KEPT));
        if let Some(Current { value, is_due }) = current {
            if is_due {
                tokio::spawn(self.clone().renew(path));
            }
            return Ok(value);
        }
        // Read without the lock: callers with unknown tokens must not make the others wait.
        let found = self.look_up(&path).await?;
        let mut kept = self.kept.lock().await;
        if kept.len() >= MAX_TOKENS {
            kept.clear();
        }
        kept.insert(path, Reading::new(Instant::now(), found.clone()));
        Ok(found)
    }

    async fn look_up(&self, path: &LakePath) -> Result<Option<Arc<KeptToken>>, Problem> {
        let read = self.documents.read::<KeptToken>(path).await.map_err(|error| {
            let name = error.name();
            let error_message = sluice_core::error::with_sources(&error);
            tracing::error!(error_name = %name, error_message, "cannot read a token");
            Problem::of_lake(name, "the tokens cannot be read")
        })?;
        Ok(read.map(Arc::new))
    }

    /// Reads a token again that is kept. Where that fails, it is read when its time is up.
    async fn renew(self: Arc<Self>, path: LakePath) {
        let began = Instant::now();
        let Ok(found) = self.look_up(&path).await else { return };
        if let Some(reading) = self.kept.lock().await.get_mut(&path) {
            reading.renew(began, found);
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Callers {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::with(parts, &Credentials::of(parts)).await
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::recipient::SECRET_BYTES;

    use super::*;
    use crate::caller::GatewayCaller;

    fn arn(text: &str) -> Credentials {
        Credentials::Gateway(GatewayCaller { arn: text.to_owned() })
    }

    async fn known(callers: &Callers, credentials: &Credentials) -> String {
        match callers.known(credentials, "2026-01-15T00:00:00Z".parse().expect("time")).await.expect("tokens") {
            Ok((principal, _, presented)) if principal.to_string() == presented => presented,
            Ok((principal, _, presented)) => format!("{principal} as {presented}"),
            Err((reason, token_id)) => format!("{reason}, {token_id:?}"),
        }
    }

    #[tokio::test]
    async fn sessions_of_a_role_are_the_role_and_keep_their_name() {
        let callers = Callers::of_gateway();
        let check = async |credentials: Credentials, expected: &str| {
            assert_eq!(known(&callers, &credentials).await, expected, "{credentials:?}");
        };
        let session = "arn:aws:sts::123456789012:assumed-role/loader/one";
        check(arn(session), &format!("arn:aws:iam::123456789012:role/loader as {session}")).await;
        check(arn("arn:aws:iam::123456789012:user/ann"), "arn:aws:iam::123456789012:user/ann").await;
        check(arn("arn:aws:iam::123456789012:root"), "an ARN that is not a role or a user, None").await;
        check(Credentials::None, "no credentials, None").await;
        check(Credentials::Bearer("a.b.c".to_owned()), "tokens are not taken here, None").await;
        let local = Callers::of_gateway().or_as("recipient:me".parse().ok());
        assert_eq!(known(&local, &Credentials::None).await, "recipient:me");
    }

    #[tokio::test]
    async fn tokens_are_recognised_until_they_expire_or_are_revoked() {
        let folder = tempfile::tempdir().expect("folder");
        let root = format!("file://{}/", folder.path().display()).parse().expect("folder");
        let documents = DocumentStore::open(&root, &std::collections::BTreeMap::new()).expect("store");
        let callers = Callers::of_lake(documents.clone());
        let at = |text: &str| text.parse::<Timestamp>().expect(text);
        let check = async |digit: u8, kept: Option<(&str, Option<&str>)>, expected: &str| {
            let token = Token::new("acme".parse().expect("name"), &[digit; SECRET_BYTES]);
            if let Some((expires_at, revoked_at)) = kept {
                let kept = KeptToken::new(&token, at("2026-01-01T00:00:00Z"), at(expires_at));
                let kept = KeptToken { revoked_at: revoked_at.map(at), ..kept };
                documents.write(&layout::token(&token), &kept).await.expect("kept");
            }
            let found = known(&callers, &Credentials::Bearer(token.reveal())).await;
            assert_eq!(found.replace(token.id(), "ID"), expected);
        };
        check(1, Some(("2026-02-01T00:00:00Z", None)), "recipient:acme").await;
        check(2, Some(("2026-01-02T00:00:00Z", None)), "the token has expired, Some(\"ID\")").await;
        let revoked = Some(("2026-02-01T00:00:00Z", Some("2026-01-03T00:00:00Z")));
        check(3, revoked, "the token was revoked, Some(\"ID\")").await;
        check(4, None, "no such token, None").await;
        assert_eq!(known(&callers, &Credentials::Bearer("nonsense".to_owned())).await, "not a valid token, None");
        let session = async |digit: u8, expected: &str| {
            let token = Token::new("acme".parse().expect("name"), &[digit; SECRET_BYTES]);
            let (recipient, token_id) = (token.recipient().clone(), token.id().to_owned());
            let found = known(&callers, &Credentials::Session { recipient, token_id }).await;
            assert_eq!(found.replace(token.id(), "ID"), expected, "{digit}");
        };
        session(1, "recipient:acme").await;
        session(2, "the token has expired, Some(\"ID\")").await;
        session(3, "the token was revoked, Some(\"ID\")").await;
        session(4, "no such token, None").await;
        let outside = Credentials::Session { recipient: "acme".parse().expect("name"), token_id: "../x".to_owned() };
        assert_eq!(known(&callers, &outside).await, "not a valid token, None");
    }
}
