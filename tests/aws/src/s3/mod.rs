//! The S3 server of a lake's functions: authorisation, faults, and the objects themselves.

mod broken;
mod error;
mod operation;
mod store;
mod xml;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

pub(crate) use self::store::Store;

use self::error::error_answer;
use self::operation::{Kind, Operation};
use crate::deployment::Deployment;
use crate::faults::{OPERATOR, StoreFault, StoreRequest};
use crate::http::{self, Answer, Cut};
use crate::identity::{Caller, Stranger};
use crate::names::ACCOUNT;
use crate::policy::Wish;
use crate::records::{StoreRecord, now_ms};
use crate::world::World;

/// Handles a request to S3.
pub(crate) async fn answer(world: Arc<World>, request: Request<Incoming>) -> Result<Answer, Cut> {
    let (parts, body) = request.into_parts();
    let operation = Operation::of(&parts);
    let Some(deployment) = world.deployment(&operation.bucket) else {
        http::collected(body).await?;
        return Ok(error_answer(StatusCode::NOT_FOUND, "NoSuchBucket"));
    };
    let caller = world.identities.caller(&parts);
    let place = deployment.requests.add(|place| record(place, &operation, &parts, caller.as_ref().ok()));
    deployment.s3_latency().await;
    let visit = Visit { deployment: &deployment, operation, parts, caller, place };
    let answer = visit.answer(body).await?;
    let length = if visit.operation.kind == Kind::Read { answer.body().size_hint().exact().unwrap_or(0) } else { 0 };
    deployment.requests.change(place, |record| {
        record.status = Some(answer.status().as_u16());
        record.bytes = record.bytes.max(length);
    });
    Ok(answer)
}

fn record(place: usize, operation: &Operation, parts: &Parts, caller: Option<&Caller>) -> StoreRecord {
    let (role, instance) = match caller {
        Some(Caller::Operator) => (Some(OPERATOR.to_owned()), None),
        Some(Caller::Instance { function, instance, .. }) => (Some((*function).to_owned()), Some(instance.clone())),
        None => (None, None),
    };
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    StoreRecord {
        n: place + 1,
        role,
        instance,
        action: operation.action,
        method: parts.method.to_string(),
        key: operation.key.clone(),
        status: None,
        bytes: 0,
        sse: header("x-amz-server-side-encryption"),
        sse_key: header("x-amz-server-side-encryption-aws-kms-key-id"),
        bucket_key: header("x-amz-server-side-encryption-bucket-key-enabled").map(|text| text == "true"),
        fault: None,
        at_ms: now_ms(),
    }
}

/// One request on its way to the store.
struct Visit<'a> {
    deployment: &'a Arc<Deployment>,
    operation: Operation,
    parts: Parts,
    caller: Result<Caller, Stranger>,
    place: usize,
}

impl Visit<'_> {
    async fn answer(&self, body: Incoming) -> Result<Answer, Cut> {
        let operation = &self.operation;
        // The body of an upload is not read here: a fault may stop in the middle of it.
        let (mut upload, mut content) = (None, Bytes::new());
        if operation.is_upload() {
            upload = Some(body);
        } else {
            content = http::collected(body).await?;
        }
        let refused = self.refusal(&content);
        let fault = if refused.is_none() { self.fault() } else { None };
        if let Some(body) = upload {
            if fault == Some(StoreFault::KillDuring) {
                broken::half_received(body).await;
                return self.kill();
            }
            content = http::collected(body).await?;
            let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
            self.deployment.requests.change(self.place, |record| record.bytes = bytes);
        }
        if let Some(refused) = refused {
            return Ok(refused);
        }
        match fault {
            Some(StoreFault::SlowDown) => return Ok(error_answer(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")),
            Some(StoreFault::Reset) => return Err(Cut),
            Some(StoreFault::KillBefore) => return self.kill(),
            Some(StoreFault::Hang) => return std::future::pending().await,
            _ => {}
        }
        let stale = match fault {
            Some(StoreFault::StaleList { milliseconds }) => Some(Duration::from_millis(milliseconds)),
            _ => None,
        };
        let (deployment, operation, parts) = (Arc::clone(self.deployment), operation.clone(), self.parts.clone());
        // A task of its own: a completely received object is stored completely, even if the sender dies meanwhile.
        let acted = tokio::spawn(async move { deployment.store.act(&operation, &parts, content, stale).await });
        let answer = acted.await.map_err(|_| Cut)??;
        self.after(fault, self.without_hints(answer)).await
    }

    /// Faults that apply after the store is done.
    async fn after(&self, fault: Option<StoreFault>, answer: Answer) -> Result<Answer, Cut> {
        let is_read = self.operation.kind == Kind::Read && self.parts.method == Method::GET;
        match fault {
            Some(StoreFault::LoseAnswer) => Err(Cut),
            Some(StoreFault::KillAfter) => self.kill(),
            Some(StoreFault::HangAfter) => std::future::pending().await,
            Some(StoreFault::SlowBody { milliseconds }) if is_read => {
                broken::dribbled(answer, Duration::from_millis(milliseconds)).await
            }
            Some(StoreFault::SlowBody { milliseconds }) => {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                Ok(answer)
            }
            Some(StoreFault::Truncate) => broken::truncated(answer).await,
            _ => Ok(answer),
        }
    }

    /// The response to a caller without the right to do this.
    fn refusal(&self, body: &[u8]) -> Option<Answer> {
        let denied = |code| Some(error_answer(StatusCode::FORBIDDEN, code));
        match &self.caller {
            Err(Stranger::Anonymous) => return denied("AccessDenied"),
            Err(Stranger::UnknownKey) => return denied("InvalidAccessKeyId"),
            Err(Stranger::WrongToken) => return denied("InvalidToken"),
            Ok(_) if !self.operation.is_allowed(body, |wish| self.allows(wish)) => return denied("AccessDenied"),
            Ok(_) => {}
        }
        let owner = self.parts.headers.get("x-amz-expected-bucket-owner");
        if owner.is_some_and(|owner| owner.as_bytes() != ACCOUNT.as_bytes()) {
            return denied("AccessDenied");
        }
        None
    }

    fn allows(&self, wish: Wish<'_>) -> bool {
        match &self.caller {
            Ok(Caller::Operator) => true,
            // Credentials of one lake give no access to another.
            Ok(Caller::Instance { deployment, function, .. }) => {
                *deployment == self.deployment.name
                    && self.deployment.policies.get(function).is_some_and(|policy| policy.allows(wish))
            }
            Err(_) => false,
        }
    }

    /// A caller without the right to list does not learn whether an object exists: S3 then returns 403 instead of 404.
    ///
    /// It is not documented whether a permission to list only some prefixes is enough. A read has no prefix, so here it is not
    /// enough: a policy that passes here passes in both cases.
    fn without_hints(&self, answer: Answer) -> Answer {
        if answer.status() != StatusCode::NOT_FOUND || self.operation.kind != Kind::Read {
            return answer;
        }
        let resource = format!("arn:aws:s3:::{}", self.operation.bucket);
        let wish = Wish { action: "s3:ListBucket", resource: &resource, prefix: None };
        if self.allows(wish) { answer } else { error_answer(StatusCode::FORBIDDEN, "AccessDenied") }
    }

    fn fault(&self) -> Option<StoreFault> {
        let role = match &self.caller {
            Ok(Caller::Instance { function, .. }) => function,
            _ => OPERATOR,
        };
        let fault = self.deployment.faults.of_store(StoreRequest {
            role,
            action: self.operation.action,
            key: &self.operation.key,
            is_read: self.operation.kind == Kind::Read && self.parts.method == Method::GET,
            is_upload: self.operation.is_upload(),
        })?;
        self.deployment.requests.change(self.place, |record| record.fault = Some(fault.name()));
        Some(fault)
    }

    /// Kills the caller, which also ends its connection. The operator cannot be killed, so the connection is cut.
    fn kill(&self) -> Result<Answer, Cut> {
        if let Ok(Caller::Instance { instance, .. }) = &self.caller {
            self.deployment.processes.kill(instance);
        }
        Err(Cut)
    }
}
