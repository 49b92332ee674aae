//! The steps of a run. Each may be called again, at the same time or after a crash, and leaves the same result: its
//! document is written by the first who gets there, and every commit carries what it brings.

mod assemble;
mod audit;
mod blame;
mod brought;
mod changes;
mod changing;
mod choose;
mod copied;
mod find;
mod footers;
mod gold;
mod named;
mod plan;
mod process;
mod publish;
mod ranges;
mod read;
mod refused;
mod snapshots;
mod sniff;
mod spoilt;
mod stages;
mod standing;
mod stored;

pub use assemble::assemble;
pub use audit::quality_check;
pub use plan::{replan, validate};
pub use process::{Processed, process};
pub use publish::publish;
pub use read::read_part;
