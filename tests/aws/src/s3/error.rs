//! Errors as S3 answers them.

use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::http::{self, Answer};

/// An error as S3 writes it.
pub(super) fn error_answer(status: StatusCode, code: &str) -> Answer {
    let message = match code {
        "SlowDown" => "Please reduce your request rate.",
        "NoSuchKey" => "The specified key does not exist.",
        "NoSuchBucket" => "The specified bucket does not exist",
        "PreconditionFailed" => "At least one of the pre-conditions you specified did not hold",
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "InvalidToken" => "The provided token is malformed or otherwise invalid.",
        _ => "Access Denied",
    };
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    // Without an element for the request's id: moto writes another into every such element that passes through it.
    let body = format!("{head}<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let mut answer = http::of_type(status, "application/xml", body.into());
    answer.headers_mut().insert("x-amz-request-id", HeaderValue::from_static("0"));
    answer
}
