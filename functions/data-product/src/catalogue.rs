//! What there is, and what is said of it.

mod about;
mod list;
mod past;

pub(crate) use self::about::found;
pub(crate) use self::past::{audit, newest_verdicts};

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::products))
        .routes(routes!(about::manifest))
        .routes(routes!(about::schema))
        .routes(routes!(about::contract))
        .routes(routes!(past::quality))
        .routes(routes!(past::lineage))
}
