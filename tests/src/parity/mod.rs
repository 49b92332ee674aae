//! Parity of the engines: generated pipelines and the retail one through two engines, whose lakes must be the same.
//!
//! A [`case::Case`] is drawn from a seed: a pipeline, its contracts, and files that arrive run after run. [`suite::Suite`]
//! runs cases through both engines, step by step as deployed, and compares the documents and the tables after every run.
//! [`coverage`] counts the features of the cases, so that a feature that is no longer generated is noticed.

pub mod case;
pub mod compare;
mod computed;
pub mod coverage;
pub mod delivery;
pub mod engines;
mod field;
mod gold;
mod json;
pub mod places;
pub mod run;
pub mod spark;
pub mod suite;
mod table;
mod value;
