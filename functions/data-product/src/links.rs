//! Addresses of files: whoever has one reads one file, for a while, without other credentials.
//!
//! An address is a secret until it expires, so it is in answers and never in a log. On S3 it is a presigned one of
//! the store. A lake on this machine is read through [`routes`], whose addresses have their proof in the query string,
//! which no log has. Its parameters have the names of those of S3, because clients recognise addresses by them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use object_store::{GetOptions, GetRange, ObjectStoreExt};
use serde::Deserialize;
use sluice_core::access::Principal;
use sluice_core::name::{PortName, ProductRef};
use sluice_core::uri::LakePath;
use sluice_http::audit::{AuditEvent, Trail};
use sluice_http::{Callers, Problem, ProblemCode, Query};
use sluice_lake::Lake;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{App, Settings};

/// How long addresses are good when a deployment says nothing else.
pub const LINK_EXPIRY: Duration = Duration::from_secs(15 * 60);
/// Form of the instants in our addresses, as in those of S3.
const INSTANT_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// A table that a file has rows of, as the events of its readers name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileOf {
    /// Of which product.
    pub(crate) product: ProductRef,
    /// Of which port.
    pub(crate) port: PortName,
    /// Which version of its table.
    pub(crate) version: u64,
}

impl FileOf {
    /// The tables of an answer: those that its request was about, as far as they are noted.
    pub(crate) fn noted(trail: &Trail) -> Vec<Self> {
        let table = |event: AuditEvent| {
            let AuditEvent { product, port, version, .. } = event;
            Some(Self { product: product?, port: port?, version: version? })
        };
        trail.noted().into_iter().filter_map(table).collect()
    }

    /// The table in its own text.
    fn parse(text: &str) -> Option<Self> {
        let (product, rest) = text.split_once(' ')?;
        let (port, version) = rest.split_once(' ')?;
        Some(Self { product: product.parse().ok()?, port: port.parse().ok()?, version: version.parse().ok()? })
    }
}

impl std::fmt::Display for FileOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.product, self.port, self.version)
    }
}

/// What an address of ours was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Opened {
    path: LakePath,
    /// Whom it was given to.
    caller: Principal,
    of: Vec<FileOf>,
}

/// The address of a file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FileAddress {
    /// The address: a secret.
    pub(crate) url: String,
    /// Until when it is good.
    pub(crate) expires_at: Timestamp,
}

/// Who makes addresses.
#[derive(Clone)]
pub(crate) enum Links {
    /// The client of S3, which signs them.
    Store {
        /// The lake with its client.
        lake: Box<Lake>,
        /// How long they are good.
        expiry: Duration,
    },
    /// This API.
    Own {
        /// Where they are reached.
        endpoint: String,
        /// What the proof is made with.
        key: [u8; 32],
        /// How long they are good.
        expiry: Duration,
    },
}

impl std::fmt::Debug for Links {
    /// Says of what kind they are, and never the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Store { .. } => "Links::Store",
            Self::Own { .. } => "Links::Own",
        })
    }
}

impl Links {
    /// Addresses of the files in this lake.
    pub(crate) fn new(lake: &Lake, key: [u8; 32], settings: &Settings) -> Self {
        let expiry = settings.link_expiry;
        if lake.root().is_local() {
            Self::Own { endpoint: settings.endpoint.clone(), key, expiry }
        } else {
            Self::Store { lake: Box::new(lake.clone()), expiry }
        }
    }

    /// An address of the file at `path`, which need not be there, for this caller. `of`: what the file has rows of.
    ///
    /// # Errors
    /// `unavailable` when the store's credentials are not available.
    pub(crate) async fn address(
        &self,
        path: &LakePath,
        caller: &Principal,
        of: &[FileOf],
        now: Timestamp,
    ) -> Result<FileAddress, Problem> {
        let expiry = match self {
            Self::Store { expiry, .. } | Self::Own { expiry, .. } => *expiry,
        };
        let expires_at = SignedDuration::try_from(expiry).ok().and_then(|expiry| now.checked_add(expiry).ok());
        let expires_at = expires_at.ok_or_else(unsigned)?;
        let url = match self {
            Self::Store { lake, expiry } => {
                let signed = lake.signed_url(path, *expiry).await.map_err(|error| {
                    tracing::error!(error = sluice_core::error::with_sources(&error), "cannot sign an address");
                    Problem::new(ProblemCode::Unavailable, "the lake signs no addresses at the moment: call again")
                })?;
                signed.ok_or_else(unsigned)?
            }
            Self::Own { endpoint, key, expiry } => {
                // Paths and names have no line ends.
                let mut opened = format!("{path}\n{caller}");
                for table in of {
                    opened.push_str(&format!("\n{table}"));
                }
                let id = URL_SAFE_NO_PAD.encode(&opened);
                let (date, seconds) = (now.strftime(INSTANT_FORMAT).to_string(), expiry.as_secs().to_string());
                let proof = proof(key, &opened, &date, &seconds).to_hex();
                format!("{endpoint}/files/{id}?X-Amz-Date={date}&X-Amz-Expires={seconds}&X-Amz-Signature={proof}")
            }
        };
        Ok(FileAddress { url, expires_at })
    }

    /// What an address of ours was made for, while it is good.
    fn opened(&self, id: &str, given: &Signed, now: Timestamp) -> Option<Opened> {
        let Self::Own { key, .. } = self else { return None };
        let opened = String::from_utf8(URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
        let mut lines = opened.split('\n');
        let (path, caller) = (lines.next()?, lines.next()?);
        let (date, seconds) = (given.date.as_deref()?, given.expires.as_deref()?);
        // Compared as hashes, which takes the same time wherever they differ.
        let given = blake3::Hash::from_hex(given.signature.as_deref()?).ok()?;
        if given != proof(key, &opened, date, seconds) {
            return None;
        }
        let made_at =
            jiff::civil::DateTime::strptime(INSTANT_FORMAT, date).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        let expires_at = made_at.timestamp().checked_add(SignedDuration::from_secs(seconds.parse().ok()?)).ok()?;
        if now >= expires_at {
            return None;
        }
        let of = lines.map(FileOf::parse).collect::<Option<Vec<_>>>()?;
        Some(Opened { path: path.parse().ok()?, caller: caller.parse().ok()?, of })
    }
}

fn unsigned() -> Problem {
    Problem::new(ProblemCode::Internal, "this lake signs no addresses")
}

fn proof(key: &[u8; 32], opened: &str, date: &str, seconds: &str) -> blake3::Hash {
    blake3::keyed_hash(key, format!("{opened}\n{date}\n{seconds}").as_bytes())
}

/// What an address of ours is proven with.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Signed {
    /// When the address was made.
    #[serde(rename = "X-Amz-Date")]
    date: Option<String>,
    /// For how many seconds it is good.
    #[serde(rename = "X-Amz-Expires")]
    expires: Option<String>,
    /// The proof.
    #[serde(rename = "X-Amz-Signature")]
    signature: Option<String>,
}

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(file))
}

/// A file of a lake on this machine
///
/// By an address that another answer gave: it is good for one file and some minutes, and needs no token. Takes one range.
#[utoipa::path(
    get, path = "/files/{id}", tag = "files",
    params(("id" = String, Path, description = "from the address"), Signed,
        ("range" = Option<String>, Header, description = "one range of bytes")),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream", body = String),
        (status = 206, description = "The range", content_type = "application/octet-stream", body = String),
        (status = 416, description = "The range is outside the file"),
        crate::refusal::Refusals,
    ),
    security(())
)]
async fn file(
    State(api): State<App>,
    trail: Trail,
    callers: Callers,
    Path(id): Path<String>,
    Query(signed): Query<Signed>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Opened { path, caller, of } = api.links.opened(&id, &signed, api.now()).ok_or_else(|| {
        trail.deny("the address is not valid or has expired");
        Problem::new(ProblemCode::Forbidden, "the address is not valid or has expired: ask for a new one")
    })?;
    trail.note(|event| event.caller = caller.to_string());
    for (index, table) in of.into_iter().enumerate() {
        // An answer over several ports is an access to each, as its statement was.
        if index > 0 {
            trail.another();
        }
        trail.note(|event| {
            (event.product, event.port) = (Some(table.product), Some(table.port));
            event.version = Some(table.version);
        });
    }
    let share = callers.file(&caller)?;
    let failed = |error: object_store::Error| {
        let absent = matches!(error, object_store::Error::NotFound { .. });
        if absent {
            return Problem::new(ProblemCode::NotFound, "the file no longer exists: ask for a new address");
        }
        tracing::error!(error = sluice_core::error::with_sources(&error), "cannot read a file of the lake");
        Problem::new(ProblemCode::Unavailable, "the file cannot be read at the moment: call again")
    };
    let documents = api.lake.documents();
    let key = documents.key(&path).map_err(|_| Problem::new(ProblemCode::NotFound, "there is no such file"))?;
    let size = documents.objects().head(&key).await.map_err(failed)?.size;
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, range) = match asked.and_then(|text| asked_range(text, size)) {
        None => (StatusCode::OK, 0..size),
        Some(Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(None) => return Ok(outside(size)),
    };
    let (first, length) = (range.start, range.end.saturating_sub(range.start));
    // The store takes no empty range, which the whole of an empty file is.
    let options = GetOptions { range: (length > 0).then(|| GetRange::Bounded(range.clone())), ..GetOptions::default() };
    let object = documents.objects().get_opts(&key, options).await.map_err(failed)?;
    let mut response = (status, Body::from_stream(object.into_stream())).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = (first + length).saturating_sub(1);
        if let Ok(value) = HeaderValue::from_str(&format!("bytes {first}-{last}/{size}")) {
            headers.insert(header::CONTENT_RANGE, value);
        }
    }
    Ok(share.until_sent(response))
}

fn outside(size: u64) -> Response {
    let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// The one range that is asked for: `None` when none is or it is of another form, in which case the whole file is
/// answered; `Some(None)` when it is outside the file.
fn asked_range(text: &str, size: u64) -> Option<Option<std::ops::Range<u64>>> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let range = if first.is_empty() {
        let length: u64 = last.parse().ok()?;
        size.saturating_sub(length)..size
    } else {
        let first: u64 = first.parse().ok()?;
        let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
        if last < first {
            return None;
        }
        first..last.saturating_add(1).min(size)
    };
    Some((range.start < range.end).then_some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links::Own { endpoint: "http://127.0.0.1:1".to_owned(), key: [7; 32], expiry: LINK_EXPIRY }
    }

    #[tokio::test]
    async fn addresses_open_one_file_for_a_while() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().expect("time");
        let path: LakePath = "silver/sales/t/a=b c/ü%41.parquet".parse().expect("path");
        let caller: Principal = "recipient:acme".parse().expect("caller");
        let table = |port: &str, version: u64| FileOf {
            product: "sales/retail".parse().expect("product"),
            port: port.parse().expect("port"),
            version,
        };
        let of = [table("orders", 3), table("items", 0)];
        let address = links().address(&path, &caller, &of, now).await.expect("address");
        assert_eq!(address.expires_at.to_string(), "2026-11-26T12:15:00Z");
        let url = url::Url::parse(&address.url).expect("url");
        let id = url.path().strip_prefix("/files/").expect("files").to_owned();
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "survives encoding: {id}");
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let signed = |date: Option<String>, expires: Option<String>, signature: Option<String>| Signed {
            date,
            expires,
            signature,
        };
        let (date, expires, signature) = (value("X-Amz-Date"), value("X-Amz-Expires"), value("X-Amz-Signature"));
        let check = |links: &Links, id: &str, given: &Signed, at: &str, good: bool| {
            let opened = links.opened(id, given, at.parse().expect(at));
            let expected = || Opened { path: path.clone(), caller: caller.clone(), of: of.to_vec() };
            assert_eq!(opened, good.then(expected), "{id} {given:?} {at}");
        };
        let given = signed(date.clone(), expires.clone(), signature.clone());
        check(&links(), &id, &given, "2026-11-26T12:14:59Z", true);
        check(&links(), &id, &given, "2026-11-26T12:15:00Z", false);
        let other = URL_SAFE_NO_PAD.encode("silver/sales/t/other.parquet\nrecipient:acme");
        check(&links(), &other, &given, "2026-11-26T12:00:00Z", false);
        let another = URL_SAFE_NO_PAD.encode(format!("{path}\nrecipient:bob"));
        check(&links(), &another, &given, "2026-11-26T12:00:00Z", false);
        check(&links(), &URL_SAFE_NO_PAD.encode("../x\nrecipient:acme"), &given, "2026-11-26T12:00:00Z", false);
        check(&links(), "%", &given, "2026-11-26T12:00:00Z", false);
        let longer = signed(date.clone(), Some("9000".to_owned()), signature.clone());
        check(&links(), &id, &longer, "2026-11-26T12:00:00Z", false);
        let later = signed(Some("20261126T130000Z".to_owned()), expires.clone(), signature);
        check(&links(), &id, &later, "2026-11-26T12:00:00Z", false);
        check(&links(), &id, &signed(date, expires, None), "2026-11-26T12:00:00Z", false);
        let foreign = Links::Own { endpoint: String::new(), key: [8; 32], expiry: LINK_EXPIRY };
        check(&foreign, &id, &given, "2026-11-26T12:00:00Z", false);
    }

    #[test]
    fn ranges_are_read_as_in_http() {
        let check = |text: &str, expected: Option<Option<std::ops::Range<u64>>>| {
            assert_eq!(asked_range(text, 10), expected, "{text}");
        };
        check("bytes=0-3", Some(Some(0..4)));
        check("bytes=4-", Some(Some(4..10)));
        check("bytes=-4", Some(Some(6..10)));
        check("bytes=-40", Some(Some(0..10)));
        check("bytes=8-40", Some(Some(8..10)));
        check("bytes=10-", Some(None));
        check("bytes=-0", Some(None));
        check("bytes=5-4", None);
        check("bytes=0-1,3-4", None);
        check("lines=0-1", None);
    }
}
