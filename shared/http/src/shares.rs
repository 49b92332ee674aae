//! How many requests are answered at once, of one caller and of all.
//!
//! A request takes a share when its caller is recognised, and gives it back when its answer is sent. So what requests take
//! outside of the workers that answer questions (opened tables, lists of files, answers that wait for slow readers) is
//! bounded, and one caller cannot take all of it. A body that has not come yet holds no share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::response::Response;
use sluice_core::access::Principal;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::kept::kept_until_sent;
use crate::problem::{Problem, ProblemCode};

/// Requests of one caller that are answered at once.
const OF_CALLER: usize = 8;
/// Requests of all callers that are answered at once. Each may hold an answer of some MB.
const OF_ALL: usize = 64;
/// Requests of one caller that wait. Each takes a connection.
const MAX_WAITING: usize = 32;
/// Longest wait: as long as a question may take.
const MAX_WAIT: Duration = Duration::from_secs(25);

/// The shares of an API. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shares(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    all: Arc<Semaphore>,
    callers: Mutex<HashMap<Principal, Weak<OfCaller>>>,
    wait: Duration,
}

/// What one caller may have.
#[derive(Debug)]
struct OfCaller {
    /// Requests that wait or are answered.
    asked: Arc<Semaphore>,
    /// Requests that are answered.
    answered: Arc<Semaphore>,
}

/// A share; given back when it is dropped.
#[derive(Debug)]
struct Share {
    shares: Shares,
    caller: Principal,
    _permits: [OwnedSemaphorePermit; 3],
    /// Others of this caller count their requests together with this one.
    _of_caller: Arc<OfCaller>,
}

impl Shares {
    pub(crate) fn new() -> Self {
        Self::waiting(MAX_WAIT)
    }

    /// Shares for which requests wait at most so long.
    fn waiting(wait: Duration) -> Self {
        Self(Arc::new(Shared { all: Arc::new(Semaphore::new(OF_ALL)), callers: Mutex::default(), wait }))
    }

    fn of_caller(&self, caller: &Principal) -> Arc<OfCaller> {
        // Every change is complete before the lock is released.
        let mut callers = self.0.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = callers.get(caller).and_then(Weak::upgrade) {
            return known;
        }
        callers.retain(|_, known| known.strong_count() > 0);
        let (asked, answered) = (Semaphore::new(OF_CALLER + MAX_WAITING), Semaphore::new(OF_CALLER));
        let known = Arc::new(OfCaller { asked: Arc::new(asked), answered: Arc::new(answered) });
        callers.insert(caller.clone(), Arc::downgrade(&known));
        known
    }

    /// Waits for a share.
    ///
    /// # Errors
    /// `too-many-requests` when too many requests of this caller wait, or when this one waited for too long.
    async fn take(&self, caller: &Principal) -> Result<Share, Problem> {
        let refused = |what: &str| Problem::new(ProblemCode::TooManyRequests, format!("{what}: call again later"));
        let of_caller = self.of_caller(caller);
        let asked = of_caller.asked.clone().try_acquire_owned();
        let asked = asked.map_err(|_| refused("too many of your calls wait to be answered"))?;
        let granted = tokio::time::timeout(self.0.wait, self.granted(&of_caller)).await;
        let Ok(Ok((answered, of_all))) = granted else {
            return Err(refused("other calls took too long to be answered"));
        };
        let permits = [asked, answered, of_all];
        Ok(Share { shares: self.clone(), caller: caller.clone(), _permits: permits, _of_caller: of_caller })
    }

    /// Waits until this caller, and then until all, have fewer requests than may be answered at once.
    async fn granted(
        &self,
        of_caller: &OfCaller,
    ) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), AcquireError> {
        let answered = of_caller.answered.clone().acquire_owned().await?;
        Ok((answered, self.0.all.clone().acquire_owned().await?))
    }
}

/// Whether a request has a share. Cheap to clone: all clones are about one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admission(Arc<Mutex<Option<Share>>>);

impl Admission {
    fn share(&self) -> MutexGuard<'_, Option<Share>> {
        // Every change is complete before the lock is released.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the request has a share, if it has none yet.
    ///
    /// # Errors
    /// `too-many-requests`.
    pub(crate) async fn enter(&self, shares: &Shares, caller: &Principal) -> Result<(), Problem> {
        let is_in = self.share().is_some();
        if !is_in {
            let share = shares.take(caller).await?;
            *self.share() = Some(share);
        }
        Ok(())
    }

    /// Waits for what the caller sends. The request has no share meanwhile.
    ///
    /// # Errors
    /// Those of `received`; `too-many-requests`.
    pub(crate) async fn outside<T>(&self, received: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let held = self.share().take();
        let owner = held.as_ref().map(|share| (share.shares.clone(), share.caller.clone()));
        drop(held);
        let received = received.await?;
        if let Some((shares, caller)) = owner {
            self.enter(&shares, &caller).await?;
        }
        Ok(received)
    }

    /// The response, which keeps the share until it is sent.
    pub(crate) fn until_sent(&self, response: Response) -> Response {
        let held = self.share().take();
        match held {
            Some(share) => kept_until_sent(response, share),
            None => response,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    fn caller(number: usize) -> Principal {
        format!("recipient:caller{number}").parse().expect("a principal")
    }

    async fn taken(shares: &Shares, number: usize, many: usize) -> Vec<Share> {
        let mut taken = Vec::new();
        for _ in 0..many {
            taken.push(shares.take(&caller(number)).await.expect("a share"));
        }
        taken
    }

    #[tokio::test]
    async fn one_caller_leaves_shares_to_others() {
        let shares = Shares::waiting(SOON);
        let mut held = taken(&shares, 0, OF_CALLER).await;
        let refused = shares.take(&caller(0)).await.expect_err("one too many");
        assert_eq!(refused.code, ProblemCode::TooManyRequests);
        let _others = taken(&shares, 1, OF_CALLER).await;
        drop(held.pop());
        let _next = taken(&shares, 0, 1).await;
    }

    #[tokio::test]
    async fn all_callers_share_what_is_answered_at_once() {
        let shares = Shares::waiting(SOON);
        let mut held = Vec::new();
        for number in 0..OF_ALL / OF_CALLER {
            held.extend(taken(&shares, number, OF_CALLER).await);
        }
        assert!(shares.take(&caller(OF_ALL)).await.is_err(), "all shares are taken");
        drop(held);
        let _next = taken(&shares, OF_ALL, 1).await;
        assert_eq!(shares.0.callers.lock().expect("callers").len(), 1, "callers without requests are forgotten");
    }

    #[tokio::test]
    async fn few_requests_of_one_caller_wait() {
        let shares = Shares::waiting(MAX_WAIT);
        let _held = taken(&shares, 0, OF_CALLER).await;
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let shares = shares.clone();
                tokio::spawn(async move { shares.take(&caller(0)).await.map(drop) })
            })
            .collect();
        tokio::time::sleep(SOON).await;
        let refused = tokio::time::timeout(SOON, shares.take(&caller(0))).await.expect("at once");
        assert!(refused.is_err());
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn a_share_is_held_while_the_answer_is_sent_and_not_while_the_body_comes() {
        let shares = Shares::waiting(SOON);
        let admission = Admission::default();
        admission.enter(&shares, &caller(0)).await.expect("a share");
        let free = || shares.0.all.available_permits();
        assert_eq!(free(), OF_ALL - 1);
        let body = async {
            assert_eq!(free(), OF_ALL, "the body comes");
            Ok(())
        };
        admission.outside(body).await.expect("a share again");
        assert_eq!(free(), OF_ALL - 1);
        let response = admission.until_sent("answer".into_response());
        drop(admission);
        assert_eq!(free(), OF_ALL - 1, "the answer waits to be sent");
        drop(response);
        assert_eq!(free(), OF_ALL);
    }
}
