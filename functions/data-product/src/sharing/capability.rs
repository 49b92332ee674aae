//! What a client of Delta Sharing says it can read.

use axum::http::{HeaderMap, HeaderName};

/// Header of requests and answers.
pub(super) const CAPABILITIES: HeaderName = HeaderName::from_static("delta-sharing-capabilities");

/// In which form tables are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ResponseFormat {
    /// The protocol's own lines.
    #[default]
    Parquet,
    /// Actions of a Delta log.
    Delta,
}

/// What a client can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Capabilities {
    /// The form to answer in.
    pub(super) format: ResponseFormat,
    /// Whether the answer is to end with a line that says so. Clients that did not ask break on it.
    pub(super) end_line: bool,
}

impl Capabilities {
    /// Those of a request. Unknown ones are passed over, as the protocol wants; where the client takes both forms it gets
    /// the older one, which every table of ours fits.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let texts = headers.get_all(CAPABILITIES).iter().filter_map(|value| value.to_str().ok());
        for (name, values) in texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('=')) {
            let has = |wanted: &str| values.split(',').any(|value| value.trim().eq_ignore_ascii_case(wanted));
            if name.trim().eq_ignore_ascii_case("responseformat") && has("delta") && !has("parquet") {
                found.format = ResponseFormat::Delta;
            } else if name.trim().eq_ignore_ascii_case("includeendstreamaction") {
                found.end_line = has("true");
            }
        }
        found
    }

    /// What the answer says of itself.
    pub(super) fn echoed(self) -> &'static str {
        match (self.format, self.end_line) {
            (ResponseFormat::Parquet, false) => "responseformat=parquet",
            (ResponseFormat::Parquet, true) => "responseformat=parquet;includeendstreamaction=true",
            (ResponseFormat::Delta, false) => "responseformat=delta",
            (ResponseFormat::Delta, true) => "responseformat=delta;includeendstreamaction=true",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_as_clients_write_them() {
        let check = |text: Option<&str>, expected: &str| {
            let mut headers = HeaderMap::new();
            if let Some(text) = text {
                headers.insert(CAPABILITIES, text.parse().expect(text));
            }
            assert_eq!(Capabilities::of(&headers).echoed(), expected, "{text:?}");
        };
        check(None, "responseformat=parquet");
        check(Some("responseformat=delta,parquet;readerfeatures=deletionvectors"), "responseformat=parquet");
        check(Some("responseformat=delta;readerfeatures=columnmapping"), "responseformat=delta");
        check(
            Some("ResponseFormat=Delta; IncludeEndStreamAction=TRUE"),
            "responseformat=delta;includeendstreamaction=true",
        );
        check(Some("includeendstreamaction=false"), "responseformat=parquet");
        check(Some("responseformat=avro;x"), "responseformat=parquet");
    }
}
