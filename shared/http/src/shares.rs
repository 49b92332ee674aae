//! How many requests are answered at once, of one caller and of all.
//!
//! A request takes a share when its caller is recognised, and gives it back when its answer is sent. So what requests take
//! outside of the workers that answer questions (opened tables, lists of files, answers that wait for slow readers) is
//! bounded, and one caller cannot take all of it. A request whose body has not come yet holds no share, and counts as
//! one that waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::response::Response;
use futures::FutureExt;
use sluice_core::access::Principal;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::kept::kept_until_sent;
use crate::problem::{Problem, ProblemCode};

/// Requests of one caller that are answered at once.
const OF_CALLER: usize = 8;
/// Requests of all callers that are answered at once. Each may hold an answer of some MB.
const OF_ALL: usize = 64;
/// Requests of one caller that wait, for a share or for their bodies. Each takes a connection.
const MAX_WAITING: usize = 32;
/// Files that are sent to one caller at once, by their addresses. They wait for nothing, and each takes a connection.
const FILES_OF_CALLER: usize = 32;
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
    /// Requests that wait, for their bodies as well, or are answered.
    asked: Arc<Semaphore>,
    /// Requests that are answered.
    answered: Arc<Semaphore>,
    /// Files that are sent.
    files: Arc<Semaphore>,
}

/// A request that counts as asked and is not answered; it counts no longer when this is dropped.
#[derive(Debug)]
struct Waiting {
    shares: Shares,
    /// Others of this caller count their requests together with this one.
    of_caller: Arc<OfCaller>,
    _asked: OwnedSemaphorePermit,
}

/// A share; given back when it is dropped.
#[derive(Debug)]
struct Share {
    waiting: Waiting,
    _granted: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// A file that is sent to its caller; counts no longer when it is dropped.
#[derive(Debug)]
pub struct FileShare {
    _file: OwnedSemaphorePermit,
    /// Others of this caller count their files together with this one.
    _of_caller: Arc<OfCaller>,
}

/// Marks a response that counts until it is sent. There are so few of them that each keeps its connection for as long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted;

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
        let files = Arc::new(Semaphore::new(FILES_OF_CALLER));
        let known = Arc::new(OfCaller { asked: Arc::new(asked), answered: Arc::new(answered), files });
        callers.insert(caller.clone(), Arc::downgrade(&known));
        known
    }

    /// Counts a request of this caller as asked.
    ///
    /// # Errors
    /// `too-many-requests` when too many requests of this caller wait.
    fn ask(&self, caller: &Principal) -> Result<Waiting, Problem> {
        let of_caller = self.of_caller(caller);
        let asked = of_caller.asked.clone().try_acquire_owned();
        let asked = asked.map_err(|_| refused("too many of your calls wait to be answered"))?;
        Ok(Waiting { shares: self.clone(), of_caller, _asked: asked })
    }

    /// Counts a file that is sent to this caller.
    ///
    /// # Errors
    /// `too-many-requests` when too many are sent to this caller already.
    pub(crate) fn file(&self, caller: &Principal) -> Result<FileShare, Problem> {
        let of_caller = self.of_caller(caller);
        let file = of_caller.files.clone().try_acquire_owned();
        let file = file.map_err(|_| refused("too many files are sent to you at once"))?;
        Ok(FileShare { _file: file, _of_caller: of_caller })
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

impl Waiting {
    /// Waits for a share.
    ///
    /// # Errors
    /// `too-many-requests` when it waited for too long.
    async fn granted(self) -> Result<Share, Problem> {
        let granted = tokio::time::timeout(self.shares.0.wait, self.shares.granted(&self.of_caller)).await;
        match granted {
            Ok(Ok(granted)) => Ok(Share { waiting: self, _granted: granted }),
            _ => Err(refused("other calls took too long to be answered")),
        }
    }
}

impl FileShare {
    /// The response, which counts until it is sent.
    pub fn until_sent(self, response: Response) -> Response {
        admitted(response, self)
    }
}

/// The response, which keeps its share until it is sent.
fn admitted<T: Send + Sync + 'static>(mut response: Response, share: T) -> Response {
    response.extensions_mut().insert(Admitted);
    kept_until_sent(response, share)
}

fn refused(what: &str) -> Problem {
    Problem::new(ProblemCode::TooManyRequests, format!("{what}: call again later"))
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
            let share = shares.ask(caller)?.granted().await?;
            *self.share() = Some(share);
        }
        Ok(())
    }

    /// Waits for what the caller sends. While it has not come, the request has no share and counts as one that waits.
    ///
    /// # Errors
    /// Those of `received`; `too-many-requests`.
    pub(crate) async fn outside<T>(&self, received: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let mut received = std::pin::pin!(received);
        // What has come already costs nobody a share.
        if let Some(there) = received.as_mut().now_or_never() {
            return there;
        }
        let waiting = self.share().take().map(|share| share.waiting);
        let received = received.await?;
        if let Some(waiting) = waiting {
            let share = waiting.granted().await?;
            *self.share() = Some(share);
        }
        Ok(received)
    }

    /// The response, which keeps the share until it is sent.
    pub(crate) fn until_sent(&self, response: Response) -> Response {
        let held = self.share().take();
        match held {
            Some(share) => admitted(response, share),
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

    async fn take(shares: &Shares, number: usize) -> Result<Share, Problem> {
        shares.ask(&caller(number))?.granted().await
    }

    async fn taken(shares: &Shares, number: usize, many: usize) -> Vec<Share> {
        let mut taken = Vec::new();
        for _ in 0..many {
            taken.push(take(shares, number).await.expect("a share"));
        }
        taken
    }

    #[tokio::test]
    async fn one_caller_leaves_shares_to_others() {
        let shares = Shares::waiting(SOON);
        let mut held = taken(&shares, 0, OF_CALLER).await;
        let refused = take(&shares, 0).await.expect_err("one too many");
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
        assert!(take(&shares, OF_ALL).await.is_err(), "all shares are taken");
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
                tokio::spawn(async move { take(&shares, 0).await.map(drop) })
            })
            .collect();
        tokio::time::sleep(SOON).await;
        let refused = tokio::time::timeout(SOON, take(&shares, 0)).await.expect("at once");
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
        let there = async {
            assert_eq!(free(), OF_ALL - 1, "the body has come");
            Ok(())
        };
        admission.outside(there).await.expect("the body");
        assert_eq!(free(), OF_ALL - 1);
        let body = async {
            tokio::task::yield_now().await;
            assert_eq!(free(), OF_ALL, "the body comes");
            Ok(())
        };
        admission.outside(body).await.expect("a share again");
        assert_eq!(free(), OF_ALL - 1);
        let response = admission.until_sent("answer".into_response());
        assert!(response.extensions().get::<Admitted>().is_some());
        drop(admission);
        assert_eq!(free(), OF_ALL - 1, "the answer waits to be sent");
        drop(response);
        assert_eq!(free(), OF_ALL);
    }

    #[tokio::test]
    async fn so_many_files_are_sent_to_one_caller_at_once() {
        let shares = Shares::new();
        let file = |number: usize| shares.file(&caller(number));
        let answer = |share: FileShare| share.until_sent("rows".into_response());
        let mut sent: Vec<Response> = (0..FILES_OF_CALLER).map(|_| answer(file(0).expect("a share"))).collect();
        assert!(sent.iter().all(|response| response.extensions().get::<Admitted>().is_some()));
        assert_eq!(file(0).expect_err("one too many").code, ProblemCode::TooManyRequests);
        assert!(file(1).is_ok(), "others have files of their own");
        drop(sent.pop());
        assert!(file(0).is_ok());
    }

    #[tokio::test]
    async fn requests_whose_bodies_do_not_come_count_as_those_that_wait() {
        let shares = Shares::waiting(SOON);
        let mut pending = Vec::new();
        for _ in 0..OF_CALLER + MAX_WAITING {
            let admission = Admission::default();
            admission.enter(&shares, &caller(0)).await.expect("a share");
            let body = std::future::pending::<Result<(), Problem>>();
            let mut request = Box::pin(async move { admission.outside(body).await });
            assert!(request.as_mut().now_or_never().is_none(), "the body does not come");
            pending.push(request);
        }
        assert_eq!(shares.0.all.available_permits(), OF_ALL, "they hold no shares");
        let refused = Admission::default().enter(&shares, &caller(0)).await.expect_err("one too many");
        assert_eq!(refused.code, ProblemCode::TooManyRequests);
        let _others = taken(&shares, 1, OF_CALLER).await;
        drop(pending.pop());
        Admission::default().enter(&shares, &caller(0)).await.expect("a share");
    }
}
