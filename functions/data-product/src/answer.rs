//! Rows on their way out: in which format, and whether as they are or by address.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use sluice_core::uri::layout;
use sluice_http::{Caller, Problem, ProblemCode};
use sluice_lake::serve::{Answer, RowFormat};
use utoipa::ToSchema;

use crate::links::FileOf;
use crate::written::FileKind;
use crate::{App, ProductsApi};

/// Header with the version of the table that an answer is of.
pub(crate) const TABLE_VERSION: HeaderName = HeaderName::from_static("sluice-table-version");
/// Header with the cursor of the next page.
pub(crate) const NEXT_CURSOR: HeaderName = HeaderName::from_static("sluice-next-cursor");

/// A format of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// One JSON object with the rows in it.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// CSV with a header line.
    Csv,
    /// Parquet.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
}

impl Format {
    const ALL: [Self; 5] = [Self::Json, Self::Ndjson, Self::Csv, Self::Parquet, Self::Arrow];

    /// Media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// Ending of a file's name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Arrow => "arrows",
        }
    }

    /// The format asked for: by `format=`, else the best that `Accept` names, else JSON.
    ///
    /// # Errors
    /// `not-acceptable` when `Accept` names no supported format.
    pub(crate) fn chosen(parameter: Option<Self>, headers: &HeaderMap) -> Result<Self, Problem> {
        if let Some(format) = parameter {
            return Ok(format);
        }
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut ranges: Vec<Range<'_>> = accepted.flat_map(|text| text.split(',')).filter_map(Range::parse).collect();
        if ranges.is_empty() {
            return Ok(Self::Json);
        }
        // The greatest weight wins; among equals the more exact range, then the one that was named first.
        ranges.sort_by(|a, b| b.weight.cmp(&a.weight).then(b.exactness().cmp(&a.exactness())));
        let refused = |format: Self| ranges.iter().any(|range| range.weight == 0 && range.is_exactly(format));
        let wanted = ranges.iter().filter(|range| range.weight > 0);
        let found = wanted.flat_map(|range| Self::ALL.into_iter().filter(move |format| range.takes(*format)));
        found.into_iter().find(|format| !refused(*format)).ok_or_else(|| {
            let types: Vec<&str> = Self::ALL.into_iter().map(Self::media_type).collect();
            Problem::new(ProblemCode::NotAcceptable, format!("rows are available as {}", types.join(", ")))
                .in_field("accept")
        })
    }
}

/// A range of media types in `Accept`, with its weight in thousandths.
#[derive(Debug, Clone, Copy)]
struct Range<'a> {
    media: &'a str,
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().filter(|media| media.contains('/'))?;
        let weight =
            parts.find_map(|parameter| parameter.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        let weight = (0..=1000).rev().find(|thousandths| f32::from(*thousandths) <= weight.clamp(0.0, 1.0) * 1000.0)?;
        Some(Self { media, weight })
    }

    fn is_exactly(&self, format: Format) -> bool {
        self.media.eq_ignore_ascii_case(format.media_type())
    }

    fn takes(&self, format: Format) -> bool {
        match self.media.split_once('/') {
            Some(("*", "*")) => true,
            Some((kind, "*")) => {
                format.media_type().split_once('/').is_some_and(|(ours, _)| ours.eq_ignore_ascii_case(kind))
            }
            _ => self.is_exactly(format),
        }
    }

    fn exactness(&self) -> u8 {
        match self.media.split_once('/') {
            Some(("*", "*")) => 0,
            Some((_, "*")) => 1,
            _ => 2,
        }
    }
}

impl From<Format> for RowFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Ndjson => Self::Ndjson,
            Format::Csv => Self::Csv,
            Format::Parquet => Self::Parquet,
            Format::Arrow => Self::Arrow,
        }
    }
}

impl ProductsApi {
    /// Rows that are written in a format as a response: as they are, or, when they are more than one response can hold, in a file of
    /// the lake by its address. `wrap` makes the JSON document around the rows. The question keeps its place meanwhile.
    ///
    /// # Errors
    /// `unavailable` when the file cannot be written; `too-many-requests` when too much was written for the caller lately.
    pub(crate) async fn respond(
        api: &App,
        caller: &Caller,
        format: Format,
        answer: Answer,
        wrap: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) -> Result<Response, Problem> {
        let Answer { body, place: _place, .. } = answer;
        let body = if format == Format::Json { wrap(body) } else { body };
        if body.len() <= api.settings.max_answer_bytes {
            return Ok(inline(format, body));
        }
        api.count_written(FileKind::Answer, caller, body.len())?;
        let path = layout::answer(uuid::Uuid::now_v7(), format.extension());
        let unwritten = |error: &dyn std::error::Error| {
            tracing::error!(error_message = sluice_core::error::with_sources(error), "an answer cannot be kept");
            Problem::new(ProblemCode::Unavailable, "the answer is large and cannot be kept at the moment: call again")
        };
        let documents = api.lake.documents();
        let key = documents.key(&path).map_err(|error| unwritten(&error))?;
        documents.objects().put(&key, body.into()).await.map_err(|error| unwritten(&error))?;
        let of = FileOf::noted(&caller.trail);
        elsewhere(&api.links.address(&path, &caller.principal, &of, api.now()).await?.url)
    }
}

/// An answer as it is.
fn inline(format: Format, body: Vec<u8>) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept, authorization"));
    response
}

/// An answer by address. The address is a secret for a while: it is only in the header.
///
/// # Errors
/// `internal` for an address that no header can hold.
fn elsewhere(address: &str) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(address)
        .map_err(|_| Problem::new(ProblemCode::Internal, "the address of the answer does not fit into a header"))?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// The response with this header, if the value fits into a header.
pub(crate) fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_chosen_as_asked() {
        let check = |accept: Option<&str>, parameter: Option<Format>, expected: Option<Format>| {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().expect("header"));
            }
            assert_eq!(Format::chosen(parameter, &headers).ok(), expected, "{accept:?}");
        };
        check(None, None, Some(Format::Json));
        check(Some("*/*"), None, Some(Format::Json));
        check(Some("text/csv"), None, Some(Format::Csv));
        check(Some("text/csv"), Some(Format::Arrow), Some(Format::Arrow));
        check(Some("text/*"), None, Some(Format::Csv));
        check(Some("application/x-ndjson;q=0.5, text/csv;q=0.4"), None, Some(Format::Ndjson));
        check(Some("text/html, application/vnd.apache.parquet;q=0.9, */*;q=0.1"), None, Some(Format::Parquet));
        check(Some("application/json;q=0, */*"), None, Some(Format::Ndjson));
        check(Some("text/html"), None, None);
        check(Some("nonsense"), None, Some(Format::Json));
        check(Some("APPLICATION/VND.APACHE.ARROW.STREAM"), None, Some(Format::Arrow));
    }
}
