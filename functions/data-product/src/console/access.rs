//! Who may read what of a product.

use sluice_core::access::RunRight;
use sluice_core::name::ProductRef;
use sluice_core::product::RegisteredProduct;
use sluice_http::pipelines::Rights;
use sluice_http::{Caller, Problem};
use sluice_pages::Content;
use sluice_pages::access::{AccessFacts, page as access_page};

use crate::App;
use crate::catalogue::found;

/// The page of the rights on a product: the caller's own; for who may control the runs of its pipeline, all of them, and
/// what somebody else would see who is asked for.
///
/// # Errors
/// Not found for a product that the caller may not find; faults of the lake.
pub(super) async fn page(
    app: &App,
    caller: &Caller,
    product: ProductRef,
    asked: Option<String>,
) -> Result<Content, Problem> {
    // Both are read in any case, so that the time of an answer does not say whether a product exists.
    let rights = app.console.pipelines.rights_or_none(caller).await?;
    let registered = app.registry.product(&product).await?;
    let controlled = registered.filter(|registered| controls(app, caller, &rights, registered));
    let sees_all = controlled.is_some();
    let registered = match controlled {
        Some(registered) => {
            caller.trail.note(|event| event.product = Some(product));
            registered
        }
        None => found(app, caller, &product).await?.0,
    };
    let asked = asked.filter(|text| sees_all && !text.trim().is_empty());
    Ok(access_page(&AccessFacts {
        product: RegisteredProduct::clone(&registered),
        reader: caller.principal.clone(),
        sees_all,
        asked: asked.map(|text| text.trim().to_owned()),
        now: app.now(),
    }))
}

/// Whether the caller may control the runs of the pipeline that makes the product. Owners in a product's document are
/// people and not callers, so that they cannot be recognised.
fn controls(app: &App, caller: &Caller, rights: &Rights<'_>, registered: &RegisteredProduct) -> bool {
    let mut readable = rights.readable();
    let spec = readable.find(|(name, _)| **name == registered.pipeline).map(|(_, spec)| spec);
    spec.is_some_and(|spec| spec.runs.grant(&caller.principal, RunRight::Control, app.now()).is_some())
}
