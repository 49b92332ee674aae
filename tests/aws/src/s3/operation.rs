//! The operation of a request to S3, and the permissions it needs.

use hyper::Method;
use hyper::http::request::Parts;

use super::xml;
use crate::http;
use crate::policy::Wish;

/// What an operation does with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads an object or its headers.
    Read,
    /// Writes a whole object.
    Put,
    /// Writes a part of an upload.
    UploadPart,
    /// Creates an object from the parts.
    Complete,
    /// Creates an object, or a part, from another object.
    Copy,
    /// Removes one object.
    Delete,
    /// Removes the objects that the body names.
    DeleteMany,
    /// Lists objects.
    List,
    /// Everything else.
    Other,
}

/// A request to S3.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// What it does.
    pub(crate) kind: Kind,
    /// IAM's action without `s3:`.
    pub(crate) action: &'static str,
    /// The bucket of its address.
    pub(crate) bucket: String,
    /// The key of its address, or the prefix of a list.
    pub(crate) key: String,
    /// What a copy reads, as bucket and key.
    source: Option<String>,
    is_of_bucket: bool,
}

impl Operation {
    /// Reads the address, the method and the headers.
    pub(crate) fn of(request: &Parts) -> Self {
        let path = request.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let key = http::decoded(key);
        let query = request.uri.query().unwrap_or_default();
        let source = request.headers.get("x-amz-copy-source").and_then(|value| value.to_str().ok());
        let source = source.map(|text| http::decoded(text.split('?').next().unwrap_or(text).trim_start_matches('/')));
        let is_of_bucket = key.is_empty();
        let (kind, action) = if is_of_bucket {
            of_bucket(&request.method, query)
        } else {
            of_object(&request.method, query, source.is_some())
        };
        let key = if kind == Kind::List { http::parameter(query, "prefix").unwrap_or_default() } else { key };
        Self { kind, action, bucket: http::decoded(bucket), key, source, is_of_bucket }
    }

    /// Whether its body is an object or a part of one.
    pub(crate) fn is_upload(&self) -> bool {
        matches!(self.kind, Kind::Put | Kind::UploadPart)
    }

    /// Whether it needs exclusive access to the key.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self.kind, Kind::Put | Kind::Complete | Kind::Copy | Kind::Delete)
    }

    /// Whether the caller has all the permissions it needs. `body` names the keys of [`Kind::DeleteMany`].
    pub(crate) fn is_allowed(&self, body: &[u8], allows: impl Fn(Wish<'_>) -> bool) -> bool {
        let on_object = |action: &str, bucket_and_key: &str| {
            allows(Wish { action, resource: &format!("arn:aws:s3:::{bucket_and_key}"), prefix: None })
        };
        let of = |key: &str| format!("{}/{key}", self.bucket);
        let action = format!("s3:{}", self.action);
        if self.kind == Kind::DeleteMany {
            let keys = xml::texts(&String::from_utf8_lossy(body), "Key");
            return !keys.is_empty() && keys.iter().all(|key| on_object(&action, &of(key)));
        }
        if self.is_of_bucket {
            let prefix = (self.kind == Kind::List).then_some(self.key.as_str());
            return allows(Wish { action: &action, resource: &format!("arn:aws:s3:::{}", self.bucket), prefix });
        }
        let reads_source = self.source.as_deref().is_none_or(|source| on_object("s3:GetObject", source));
        reads_source && on_object(&action, &of(&self.key))
    }
}

fn of_bucket(method: &Method, query: &str) -> (Kind, &'static str) {
    let has = |name| http::parameter(query, name).is_some();
    match *method {
        Method::GET if has("location") => (Kind::Other, "GetBucketLocation"),
        Method::GET if has("uploads") => (Kind::Other, "ListBucketMultipartUploads"),
        Method::GET if has("versioning") => (Kind::Other, "GetBucketVersioning"),
        Method::GET if has("versions") => (Kind::Other, "ListBucketVersions"),
        Method::GET => (Kind::List, "ListBucket"),
        Method::HEAD => (Kind::Other, "ListBucket"),
        Method::POST if has("delete") => (Kind::DeleteMany, "DeleteObject"),
        Method::PUT => (Kind::Other, "CreateBucket"),
        Method::DELETE => (Kind::Other, "DeleteBucket"),
        _ => (Kind::Other, "Unknown"),
    }
}

fn of_object(method: &Method, query: &str, is_copy: bool) -> (Kind, &'static str) {
    let has = |name| http::parameter(query, name).is_some();
    match *method {
        _ if has("tagging") || has("acl") || has("attributes") => (Kind::Other, "Unknown"),
        Method::GET if has("uploadId") => (Kind::Other, "ListMultipartUploadParts"),
        Method::GET | Method::HEAD => (Kind::Read, "GetObject"),
        Method::PUT if is_copy => (Kind::Copy, "PutObject"),
        Method::PUT if has("uploadId") => (Kind::UploadPart, "PutObject"),
        Method::PUT => (Kind::Put, "PutObject"),
        Method::POST if has("uploads") => (Kind::Other, "PutObject"),
        Method::POST if has("uploadId") => (Kind::Complete, "PutObject"),
        Method::DELETE if has("uploadId") => (Kind::Other, "AbortMultipartUpload"),
        Method::DELETE => (Kind::Delete, "DeleteObject"),
        _ => (Kind::Other, "Unknown"),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn operation(method: &str, address: &str, source: Option<&str>) -> Operation {
        let mut request = Request::builder().method(method).uri(address);
        if let Some(source) = source {
            request = request.header("x-amz-copy-source", source);
        }
        Operation::of(&request.body(()).expect("request").into_parts().0)
    }

    #[test]
    fn every_request_is_mapped_to_its_iam_action() {
        let check = |method: &str, address: &str, kind: Kind, action: &str, key: &str| {
            let found = operation(method, address, None);
            assert_eq!((found.kind, found.action, found.key.as_str()), (kind, action, key), "{method} {address}");
            assert_eq!(found.bucket, "d7");
        };
        check("GET", "/d7/a%20b/c", Kind::Read, "GetObject", "a b/c");
        check("HEAD", "/d7/a", Kind::Read, "GetObject", "a");
        check("PUT", "/d7/a", Kind::Put, "PutObject", "a");
        check("PUT", "/d7/a?partNumber=1&uploadId=u", Kind::UploadPart, "PutObject", "a");
        check("POST", "/d7/a?uploads", Kind::Other, "PutObject", "a");
        check("POST", "/d7/a?uploadId=u", Kind::Complete, "PutObject", "a");
        check("DELETE", "/d7/a?uploadId=u", Kind::Other, "AbortMultipartUpload", "a");
        check("GET", "/d7/a?uploadId=u", Kind::Other, "ListMultipartUploadParts", "a");
        check("DELETE", "/d7/a", Kind::Delete, "DeleteObject", "a");
        check("GET", "/d7?list-type=2&prefix=x%2F", Kind::List, "ListBucket", "x/");
        check("GET", "/d7/?location", Kind::Other, "GetBucketLocation", "");
        check("HEAD", "/d7", Kind::Other, "ListBucket", "");
        check("POST", "/d7?delete", Kind::DeleteMany, "DeleteObject", "");
    }

    #[test]
    fn permissions_are_checked_for_each_object() {
        let check = |operation: &Operation, body: &str, expected: &[&str]| {
            let asked = std::cell::RefCell::new(Vec::new());
            let all = |wish: Wish<'_>| {
                asked.borrow_mut().push(format!("{} {} {:?}", wish.action, wish.resource, wish.prefix));
                true
            };
            assert!(operation.is_allowed(body.as_bytes(), all));
            assert_eq!(*asked.borrow(), expected);
        };
        let copy = operation("PUT", "/d7/to", Some("/d7/from%20here"));
        check(&copy, "", &["s3:GetObject arn:aws:s3:::d7/from here None", "s3:PutObject arn:aws:s3:::d7/to None"]);
        let many = operation("POST", "/d7?delete", None);
        let body = "<Delete><Object><Key>a</Key></Object><Object><Key>b&amp;c</Key></Object></Delete>";
        check(&many, body, &["s3:DeleteObject arn:aws:s3:::d7/a None", "s3:DeleteObject arn:aws:s3:::d7/b&c None"]);
        let list = operation("GET", "/d7?list-type=2&prefix=runs/", None);
        check(&list, "", &["s3:ListBucket arn:aws:s3:::d7 Some(\"runs/\")"]);
        check(&operation("HEAD", "/d7", None), "", &["s3:ListBucket arn:aws:s3:::d7 None"]);
        assert!(!many.is_allowed(b"", |_| true));
    }
}
