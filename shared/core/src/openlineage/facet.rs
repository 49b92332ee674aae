//! What every facet has: who made it, and which version of the standard says what it means.

use serde::Serialize;

/// Who makes the events: this program, with its version.
pub const PRODUCER: &str = concat!("urn:sluice:", env!("CARGO_PKG_VERSION"));
/// Where the schemas of the standard are.
const SPEC: &str = "https://openlineage.io/spec";

/// The content of a facet.
pub(super) trait FacetBody {
    /// Name of its schema, such as `ParentRunFacet`.
    const NAME: &'static str;
    /// Version of its schema, such as `1-2-0`.
    const VERSION: &'static str;
}

/// A facet: its content, with its producer and the address of its schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Facet<T> {
    #[serde(rename = "_producer")]
    producer: &'static str,
    #[serde(rename = "_schemaURL")]
    schema_url: String,
    #[serde(flatten)]
    body: T,
}

impl<T: FacetBody> Facet<T> {
    pub(super) fn of(body: T) -> Self {
        let (name, version) = (T::NAME, T::VERSION);
        Self { producer: PRODUCER, schema_url: format!("{SPEC}/facets/{version}/{name}.json#/$defs/{name}"), body }
    }
}
