//! The routes of `rows`.

use utoipa_axum::router::OpenApiRouter;

use crate::App;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
