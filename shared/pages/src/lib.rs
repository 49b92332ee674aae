//! Pages for people, as HTML in one file that asks no other host for anything and needs no JavaScript.
//!
//! A page is a function of documents: the same documents give the same bytes, so that a page can be compared with the one
//! that is stored. No value of a cell gets on a page, but for rows that its reader has asked for; names of tables,
//! columns, rules and objects do.
//!
//! `html` is the only module that makes markup of texts, and escapes them. `units` writes numbers for people, `facts` is
//! what a page is made of, and `report` is the page of a run. `frame` is what the pages of the console have around
//! them, and `overview`, `run_lines`, `run_page` and `search` are such pages.
//!
//! `product`, `port`, `lineage`, `quarantine`, `sources` and `access` are pages of the console: each takes facts and
//! makes a [`Content`]. Pages are made of `grid` (tables and links), `graph` and `chart` (pictures) and `address`.

pub mod access;
mod address;
mod chart;
mod cost_line;
mod facts;
mod frame;
mod graph;
mod grid;
mod html;
pub mod lineage;
mod overview;
pub mod port;
pub mod product;
pub mod quarantine;
mod report;
mod run_lines;
mod run_page;
mod search;
pub mod sources;
mod units;

pub use self::chart::{MAX_BARS, RunPoint};
pub use self::cost_line::CostLine;
pub use self::facts::{GoldFacts, PipelineFacts, PlanFacts, RequestFacts, RunFacts, SilverFacts, SourceFacts};
pub use self::frame::{CONSOLE_ICON, CONSOLE_STYLE, Content, Frame, Reader, console_page, problem_page, sign_in_page};
pub use self::html::Html;
pub use self::overview::{
    GRID_DAYS, GRID_RUNS, OverviewFacts, PipelineState, ProductState, Promise, day_of, overview_page,
};
pub use self::report::{MAX_PAGE_BYTES, run_report};
pub use self::run_lines::{LineState, RunLine, RunsFacts, runs_page};
pub use self::run_page::{RunSurroundings, run_page};
pub use self::search::{Hit, MAX_HITS, search_page};
