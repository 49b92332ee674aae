//! Pages for people, as HTML in one file that asks no other host for anything and needs no JavaScript.
//!
//! A page is a function of documents: the same documents give the same bytes, so that a page can be compared with the one
//! that is stored. No value of a cell gets on a page; names of tables, columns, rules and objects do.
//!
//! `html` is the only module that makes markup of texts, and escapes them. `units` writes numbers for people, `facts` is
//! what a page is made of, and `report` is the page of a run.

mod facts;
mod frame;
mod html;
mod report;
mod units;

pub use self::facts::{GoldFacts, PipelineFacts, PlanFacts, RequestFacts, RunFacts, SilverFacts, SourceFacts};
pub use self::frame::Content;
pub use self::html::Html;
pub use self::report::{MAX_PAGE_BYTES, run_report};
