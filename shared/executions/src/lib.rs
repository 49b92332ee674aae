//! Executions of the pipelines: what may be asked of them, wherever they run.
//!
//! - [`ports`]: what is needed of whatever runs executions, Step Functions or this process;
//! - [`erased`]: the port without its type, for callers that are not generic;
//! - [`history`]: the states that an execution has passed, from its events;
//! - [`submission`]: a request becomes one run, however often it is sent;
//! - [`control`]: redriving and stopping, safe to repeat;
//! - [`contract`]: what every implementation of the port must hold, as a test that each of them runs.

pub mod contract;
pub mod control;
pub mod erased;
pub mod history;
pub mod ports;
pub mod submission;
