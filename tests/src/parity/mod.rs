//! Parity of the engines: generated pipelines and the retail one through two engines, whose lakes must be the same.
//!
//! A [`case::Case`] is drawn from a seed: a pipeline, its contracts, and files that arrive run after run. [`suite::Suite`]
//! takes cases through both engines, step by step as deployed, and compares after every run what the documents say and what
//! is in the tables. [`coverage`] counts what the cases had in them, so that a generator that stops generating is noticed.

pub mod case;
pub mod compare;
mod computed;
pub mod coverage;
pub mod delivery;
pub mod engines;
mod field;
mod gold;
pub mod run;
pub mod spark;
pub mod suite;
mod table;
mod value;
