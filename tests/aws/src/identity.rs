//! Who may sign requests: the operator, and each instance of a function with credentials of its own.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use s3s::S3Result;
use s3s::auth::{S3Auth, SecretKey};
use serde::Serialize;
use uuid::Uuid;

use crate::http;

/// Credentials.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Credentials {
    /// The public part.
    pub(crate) access_key_id: String,
    /// The secret.
    pub(crate) secret_access_key: String,
    /// The session token; roles only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_token: Option<String>,
}

impl Credentials {
    fn new(kind: &str, session_token: Option<String>) -> Self {
        let unique = Uuid::new_v4().simple().to_string().to_uppercase();
        let access_key_id = format!("{kind}{}", unique.get(..16).unwrap_or(&unique));
        Self { access_key_id, secret_access_key: Uuid::new_v4().simple().to_string().repeat(2), session_token }
    }
}

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The operator, who deploys and inspects: may do everything.
    Operator,
    /// An instance of a function, under the function's role.
    Instance {
        /// The lake it belongs to.
        deployment: String,
        /// Its function.
        function: &'static str,
        /// The id of the instance.
        instance: String,
    },
}

/// Why the caller of a request is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// The request is not signed.
    Anonymous,
    /// The access key is unknown.
    UnknownKey,
    /// The token does not belong to the key.
    WrongToken,
}

/// All valid credentials.
#[derive(Debug, Clone)]
pub(crate) struct Identities {
    known: Arc<RwLock<HashMap<String, (Credentials, Caller)>>>,
    operator: Credentials,
}

impl Identities {
    /// Only the operator's credentials.
    pub(crate) fn new() -> Self {
        let operator = Credentials::new("AKIA", None);
        let known = HashMap::from([(operator.access_key_id.clone(), (operator.clone(), Caller::Operator))]);
        Self { known: Arc::new(RwLock::new(known)), operator }
    }

    /// The operator's credentials.
    pub(crate) fn operator(&self) -> &Credentials {
        &self.operator
    }

    /// New credentials for an instance.
    pub(crate) fn admit(&self, deployment: &str, function: &'static str, instance: &str) -> Credentials {
        let credentials = Credentials::new("ASIA", Some(Uuid::new_v4().simple().to_string()));
        let caller = Caller::Instance { deployment: deployment.to_owned(), function, instance: instance.to_owned() };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(credentials.access_key_id.clone(), (credentials.clone(), caller));
        credentials
    }

    /// Invalidates the credentials of a deployment's instances.
    pub(crate) fn forget(&self, deployment: &str) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(
            |_, (_, caller)| !matches!(caller, Caller::Instance { deployment: theirs, .. } if theirs == deployment),
        );
    }

    /// The owner of the key that signed. The store checks the signature itself.
    pub(crate) fn caller(&self, request: &Parts) -> Result<Caller, Stranger> {
        let query = request.uri.query().unwrap_or_default();
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let of_header = header(AUTHORIZATION.as_str())
            .and_then(|text| text.split_once("Credential=").map(|(_, credential)| credential.to_owned()));
        let credential = of_header.or_else(|| http::parameter(query, "X-Amz-Credential")).ok_or(Stranger::Anonymous)?;
        let key = credential.split('/').next().unwrap_or_default();
        let token = header("x-amz-security-token").or_else(|| http::parameter(query, "X-Amz-Security-Token"));
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (credentials, caller) = known.get(key).ok_or(Stranger::UnknownKey)?;
        if credentials.session_token == token { Ok(caller.clone()) } else { Err(Stranger::WrongToken) }
    }
}

#[async_trait::async_trait]
impl S3Auth for Identities {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (credentials, _) = known.get(access_key).ok_or_else(|| s3s::s3_error!(InvalidAccessKeyId))?;
        Ok(SecretKey::from(credentials.secret_access_key.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn a_caller_is_recognised_by_its_key_and_token() {
        let identities = Identities::new();
        let role = identities.admit("d7", "publish", "i-1");
        let check = |key: &str, token: Option<&str>, expected: Result<Caller, Stranger>| {
            let text = format!("AWS4-HMAC-SHA256 Credential={key}/20260101/eu-central-1/s3/aws4_request, Signature=0");
            let mut request = Request::builder().header(AUTHORIZATION, text);
            if let Some(token) = token {
                request = request.header("x-amz-security-token", token);
            }
            let (parts, ()) = request.body(()).expect("request").into_parts();
            assert_eq!(identities.caller(&parts), expected);
        };
        let publish = Caller::Instance { deployment: "d7".to_owned(), function: "publish", instance: "i-1".to_owned() };
        check(&identities.operator().access_key_id, None, Ok(Caller::Operator));
        check(&role.access_key_id, role.session_token.as_deref(), Ok(publish));
        check(&role.access_key_id, None, Err(Stranger::WrongToken));
        check("AKIANOBODY", None, Err(Stranger::UnknownKey));
        identities.forget("d7");
        check(&role.access_key_id, role.session_token.as_deref(), Err(Stranger::UnknownKey));
        let (parts, ()) = Request::new(()).into_parts();
        assert_eq!(identities.caller(&parts), Err(Stranger::Anonymous));
    }
}
