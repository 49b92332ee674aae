//! Amazon EMR on one machine.
//!
//! [`LocalEmr`] is a server at `127.0.0.1` that speaks EMR's JSON protocol to the unchanged AWS SDK: `RunJobFlow`,
//! `ListClusters`, `DescribeCluster`, `AddJobFlowSteps`, `ListSteps`, `DescribeStep`, `CancelSteps`, `TerminateJobFlows`,
//! `AddTags`, `RemoveTags`. Clusters and steps go through EMR's states in EMR's order, in milliseconds
//! ([`Delays`]) instead of minutes. Steps are run by a [`StepExecutor`]: [`SparkSteps`] really runs `spark-sql`, and
//! [`ScriptedSteps`] and [`CommandSteps`] do what a test defines. There is no authentication; every signature is accepted.
//!
//! The same as in EMR: states and their reasons, newest first in lists, pages with markers, step concurrency, what a failed
//! step does to its cluster, clusters that end when idle (`AutoTerminationPolicy`) or when all steps are done, steps that
//! are cancelled with their cluster, the names and shapes of errors. Missing: machines, networks, roles, quotas,
//! every other operation. A request with a field that EMR does not know is refused.
//!
//! No program of a step outlives this process, however it ends: see [`Leash`].
//!
//! # Control API
//!
//! JSON over HTTP on the same port, for tests in other languages; [`LocalEmr`] offers the same as methods.
//!
//! | request | what |
//! |---|---|
//! | `POST /_control/faults` | plans a [`Fault`]: `{"kind": …, "times": 1, "after": 0, …}` |
//! | `GET /_control/faults`, `DELETE` | the faults that are still to come; forgets them |
//! | `GET /_control/calls`, `DELETE` | every call of the API: `operation`, `at`, `request`, `answer` (`ok`, `lost` or the error's name) |
//! | `GET /_control/clusters` | all clusters as `DescribeCluster` shows them, with `Steps`, and `IsActive`: whether it would cost money |
//! | `POST /_control/age` | `{"cluster_id": …, "seconds": n}` makes a cluster older |
//! | `GET /_control/delays`, `POST` | the [`Delays`]; fields that a `POST` omits get their defaults |
//!
//! Kinds of faults, with their other fields ([`FaultKind`]): `throttle`, `internal_error` and `lost_answer` (`operation`);
//! `refuse_cluster` (`message`); `no_capacity`, `cluster_invalid` (`message`) and `bootstrap_fails` for the next cluster;
//! `step_fails` (`message`), `step_cancelled`, `step_never_ends`, `cluster_lost` and `after_step` (`command`) for the next
//! step. A response is `{}` or what was requested; a wrong request gets 400 or 404 with `{"error": …}`.

mod cluster;
mod control;
mod error;
mod executor;
mod fault;
mod request;
mod server;
mod service;
mod step;
mod times;
mod tools;
mod world;

pub use executor::{
    CommandSteps, Leash, ProcessEnd, ScriptedSteps, SparkLimits, SparkSteps, StepCall, StepEnd, StepExecutor,
    StepFault, StepFuture, StopSignal,
};
pub use fault::{Fault, FaultKind};
pub use server::{LocalEmr, Options};
pub use times::Delays;
pub use tools::{DELTA_JARS, PYSPARK, SparkTools, ToolError};
pub use world::Call;
