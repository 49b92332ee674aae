//! Answers in this process, for functions: Lambda gives each of their environments one request at a time.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::question::{Answer, Answering, Answers, Question, answer};
use super::{QueryLimits, ServeError, Snapshots};
use crate::error::LakeError;

/// Places for questions: so many are worked on at once. One that was given up keeps its place until the engine is done with it,
/// because the engine cannot be stopped within a process; so given-up questions cannot pile up.
#[derive(Debug, Clone)]
pub struct Queries {
    tables: Snapshots,
    places: Arc<Semaphore>,
    limits: QueryLimits,
}

impl Queries {
    /// So many places.
    pub fn new(tables: Snapshots, places: usize, limits: QueryLimits) -> Self {
        Self { tables, places: Arc::new(Semaphore::new(places.max(1))), limits }
    }

    async fn answered(&self, question: Question) -> Result<Answer, ServeError> {
        let until = tokio::time::Instant::now() + self.limits.time;
        let place = tokio::time::timeout_at(until, self.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| ServeError::TooBusy)?.map_err(|_| ServeError::TooBusy)?;
        let (tables, limits) = (self.tables.clone(), self.limits);
        let working = tokio::spawn(async move {
            let answered = answer(&tables, question, limits).await;
            drop(place);
            answered
        });
        match tokio::time::timeout_at(until, working).await {
            Err(_) => Err(ServeError::TooSlow { seconds: self.limits.time.as_secs() }),
            Ok(Err(_)) => Err(LakeError::Internal { message: "a task of the engine died".to_owned() }.into()),
            Ok(Ok(answered)) => answered,
        }
    }
}

impl Answers for Queries {
    /// The caller makes no difference: an environment of a function has one at a time.
    fn answer<'a>(&'a self, _: &'a str, question: Question) -> Answering<'a> {
        Box::pin(self.answered(question))
    }
}
