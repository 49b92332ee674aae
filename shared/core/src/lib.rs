//! The domain of Sluice: names, specs, contracts, plans, verdicts, and every decision that needs no I/O.
pub mod access;
pub mod columns;
pub mod contract;
pub mod decimal;
pub mod engine;
pub mod error;
pub mod name;
pub mod pipeline;
pub mod product;
pub mod recipient;
pub mod run;
pub mod source;
pub mod spark;
pub mod spec;
pub mod sql;
pub mod uri;
