//! What a server measures: requests and questions.

use std::fmt::Debug;
use std::sync::Arc;

use sluice_http::meter::Meter;

/// How many questions a server works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Questions {
    /// Those that have a process, or whose answer is sent.
    pub running: u64,
    /// Those that wait for a process.
    pub waiting: u64,
}

/// Whoever knows how many questions a server works on.
pub trait QuestionLoad: Debug + Send + Sync {
    /// How many it works on now.
    fn questions(&self) -> Questions;
}

/// What a server measures. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Measuring {
    /// Counts of requests; it has to stand around the router.
    pub meter: Meter,
    /// Questions.
    pub load: Arc<dyn QuestionLoad>,
}
