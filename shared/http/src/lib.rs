//! What the HTTP functions share.
//!
//! - [`pipelines`]: the deployed pipelines, and who may do what with their runs;
//! - [`problem`]: every refusal and failure as `application/problem+json` with a stable code;
//! - [`caller`]: who calls, as far as the request says;
//! - [`callers`]: who is recognised, and how many requests of each are answered at once (`shares`);
//! - [`audit`]: one event per access;
//! - [`body`]: bodies and query strings into types, with messages that name the field;
//! - [`meter`]: counts of requests, and [`exposition`]: metrics as Prometheus reads them;
//! - [`guard`]: what every answer passes: unknown routes, panics, request ids, one log line per request;
//! - [`local`]: requests that come from this machine's own pages and programs alone;
//! - [`serve`]: a router on a local address; `lambda` (feature): a router behind API Gateway.

pub mod audit;
pub mod body;
pub mod caller;
pub mod callers;
#[cfg(test)]
mod documented;
pub mod exposition;
pub mod guard;
mod kept;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod local;
pub mod meter;
pub mod pipelines;
pub mod problem;
pub mod reading;
pub mod serve;
mod shares;

pub use body::{Json, Query};
pub use caller::Credentials;
pub use callers::{Caller, Callers};
pub use problem::{Problem, ProblemCode};
pub use shares::FileShare;
