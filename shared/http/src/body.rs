//! Bodies and query strings into types. What does not fit is a problem that names the field.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::{Problem, ProblemCode};
use crate::shares::Admission;

/// Largest body that is accepted, in bytes. Requests are short documents; a statement of 64 KiB is a long one.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// Longest time in which a body must have come. Within API Gateway's 29 s for the whole request.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body, and a JSON answer. A caller whose body has not come yet has no share of what is answered at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts)?;
        let bytes = match parts.extensions.get::<Admission>() {
            Some(admission) => admission.outside(collect(body)).await?,
            None => collect(body).await?,
        };
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let field = error.path().to_string();
            Problem::new(ProblemCode::InvalidRequest, format!("body is wrong at `{field}`: {}", error.inner()))
                .in_field(field)
        })?;
        json.end().map_err(|error| {
            Problem::new(ProblemCode::InvalidRequest, format!("body has text after its end: {error}"))
        })?;
        Ok(Self(value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn check_media_type(parts: &Parts) -> Result<(), Problem> {
    let text = parts.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let essence = text.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match essence.as_deref() {
        Some("application/json") => Ok(()),
        other => {
            let detail = format!("content-type is '{}': send application/json", other.unwrap_or_default());
            Err(Problem::new(ProblemCode::UnsupportedMediaType, detail).in_field("content-type"))
        }
    }
}

/// A whole body, within size and time.
///
/// # Errors
/// `body-too-large`, `request-timeout`; `invalid-request` when the connection breaks.
pub async fn collect(body: Body) -> Result<Vec<u8>, Problem> {
    let limited = Limited::new(body, MAX_BODY_BYTES).collect();
    let collected = tokio::time::timeout(BODY_TIMEOUT, limited).await.map_err(|_| {
        Problem::new(
            ProblemCode::RequestTimeout,
            format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs()),
        )
    })?;
    match collected {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(Problem::new(ProblemCode::BodyTooLarge, format!("the body has more than {MAX_BODY_BYTES} bytes")))
        }
        Err(error) => Err(Problem::new(ProblemCode::InvalidRequest, format!("the body cannot be read: {error}"))),
    }
}

/// A query string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| {
                let text = rejection.body_text();
                let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                let problem = Problem::new(ProblemCode::InvalidRequest, format!("query string is wrong at {text}"));
                match text.split_once(": ") {
                    Some((field, _)) if !field.contains(' ') => problem.in_field(field),
                    _ => problem,
                }
            })
    }
}

/// A segment of the path as one of our names.
///
/// # Errors
/// `not-found`: what has no valid name does not exist.
pub fn named<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(ProblemCode::NotFound, format!("there is no {what} of this name")))
}
