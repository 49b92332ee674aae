//! Delta Sharing: tables as lists of files, for clients that read Parquet themselves.
//!
//! A share is a domain, a schema a data product, a table an output port. Whoever reads a table as it is gets the addresses
//! of its own files; whoever does not, those of a copy made for that form of access. Names are in any case.

mod capability;
mod changes;
mod copy;
mod lines;
mod list;
mod page;
mod shared;
mod table;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_shares))
        .routes(routes!(list::get_share))
        .routes(routes!(list::list_schemas))
        .routes(routes!(list::list_tables))
        .routes(routes!(list::list_all_tables))
        .routes(routes!(table::version))
        .routes(routes!(table::metadata))
        .routes(routes!(table::query))
        .routes(routes!(changes::changes))
}
