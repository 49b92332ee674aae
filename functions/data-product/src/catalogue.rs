//! The routes of `catalogue`.

use utoipa_axum::router::OpenApiRouter;

use crate::App;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
