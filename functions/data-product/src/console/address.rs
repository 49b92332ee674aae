//! Names in the addresses of pages.

use std::str::FromStr;

use sluice_core::name::ProductRef;
use sluice_http::body::named;
use sluice_http::{Problem, ProblemCode};

/// What does not exist, or may not be known of, without difference.
pub(super) fn missing() -> Problem {
    Problem::new(ProblemCode::NotFound, "this page does not exist, or it is about something that you may not see")
}

/// A name in an address.
pub(super) fn name<T: FromStr>(text: &str) -> Result<T, Problem> {
    named("page", text).map_err(|_| missing())
}

/// A product in an address.
pub(super) fn product_ref(domain: &str, product: &str) -> Result<ProductRef, Problem> {
    Ok(ProductRef::new(name(domain)?, name(product)?))
}
