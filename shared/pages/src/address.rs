//! Addresses of pages of the console, below `/console/`.

use std::fmt::Display;

use sluice_core::name::{PipelineName, PortName, ProductRef};

/// Longest address that a link may have: texts of pages are cut after 600 characters, and half an address leads to no
/// page.
pub(crate) const MAX_ADDRESS: usize = 500;

/// The page of a product.
pub(crate) fn product(product: &ProductRef) -> String {
    format!("products/{product}")
}

/// The page of a table of a product.
pub(crate) fn port(product: &ProductRef, port: &PortName) -> String {
    format!("products/{product}/{port}")
}

/// Who may read a product.
pub(crate) fn access(product: &ProductRef) -> String {
    format!("access/{product}")
}

/// The runs of a pipeline.
pub(crate) fn runs(pipeline: &PipelineName) -> String {
    format!("runs/{pipeline}")
}

/// A run.
pub(crate) fn run(pipeline: &PipelineName, run: &impl Display) -> String {
    format!("runs/{pipeline}/{}", encoded(&run.to_string()))
}

/// The quarantined rows of a pipeline.
pub(crate) fn quarantine(pipeline: &PipelineName) -> String {
    format!("quarantine/{pipeline}")
}

/// The rows of a pipeline that one run has quarantined.
pub(crate) fn quarantine_of_run(pipeline: &PipelineName, run: &str) -> String {
    format!("quarantine/{pipeline}/{}", encoded(run))
}

/// The source objects of a pipeline.
pub(crate) fn sources(pipeline: &PipelineName) -> String {
    format!("sources/{pipeline}")
}

/// Where a table or a column comes from and goes to.
pub(crate) fn lineage(of: &impl Display) -> String {
    format!("lineage?of={}", encoded(&of.to_string()))
}

/// A text as a part of an address: names of source columns may have any character.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_a_part_of_an_address() {
        let check = |text: &str, expected: &str| assert_eq!(lineage(&text), format!("lineage?of={expected}"));
        check("gold/sales/orders.amount", "gold/sales/orders.amount");
        check("bronze/s/t.a b&c#\"<ü", "bronze/s/t.a%20b%26c%23%22%3C%C3%BC");
        check("a\n%", "a%0A%25");
    }
}
