use super::*;
use crate::endpoint::{Endpoint, silent};

const ONE: &str = "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
    <NextContinuationToken>t/1=</NextContinuationToken>\
    <Contents><Key>in/a%2F%2Fb+c%2Bd%07.csv</Key><Size>7</Size><ETag>&quot;e1&quot;</ETag>\
    <LastModified>2026-01-05T10:00:00.000Z</LastModified></Contents>\
    <Contents><Key>in/..%2Fx</Key><Size>0</Size><ETag>&quot;e2&quot;</ETag></Contents></ListBucketResult>";
const TWO: &str = "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>\
    <Contents><Key>in/folder/</Key><Size>0</Size></Contents></ListBucketResult>";
const PLAIN: &str = "<ListBucketResult><IsTruncated>false</IsTruncated>\
    <Contents><Key>in/a+b%20c</Key><Size>1</Size></Contents></ListBucketResult>";

/// S3 at the endpoint of these settings, asked once for each call.
fn s3(config: &aws_config::SdkConfig) -> S3Client {
    let options = [
        ("aws_region", "eu-central-1"),
        ("aws_access_key_id", "id"),
        ("aws_secret_access_key", "secret"),
        ("aws_session_token", "token"),
        ("aws_endpoint_url", config.endpoint_url().expect("endpoint")),
    ];
    let options = BTreeMap::from(options.map(|(name, value)| (name.to_owned(), value.to_owned())));
    S3Client { client: sdk_client(&options, RetryConfig::disabled()).expect("client") }
}

#[tokio::test]
async fn every_page_is_listed_and_keys_are_exactly_those_of_s3() {
    let endpoint = Endpoint::in_turn([("200 OK", ONE), ("200 OK", TWO)]).await;
    let objects = s3(&endpoint.config).list("bucket", "in/").await.expect("listed");
    let object = |key: &str, size_bytes, etag: Option<&str>, modified_at: Option<&str>| S3Object {
        key: key.to_owned(),
        size_bytes,
        etag: etag.map(str::to_owned),
        modified_at: modified_at.map(|time| time.parse().expect("time")),
        version: None,
    };
    let expected = [
        object("in/a//b c+d\u{7}.csv", 7, Some("e1"), Some("2026-01-05T10:00:00Z")),
        object("in/../x", 0, Some("e2"), None),
        object("in/folder/", 0, None, None),
    ];
    assert_eq!(objects, expected);
    let [first, second] = <[String; 2]>::try_from(endpoint.requests()).expect("two requests");
    for part in ["GET /bucket", "list-type=2", "prefix=in%2F", "encoding-type=url"] {
        assert!(first.contains(part) && second.contains(part), "{part} is not in {first}{second}");
    }
    assert!(!first.contains("continuation-token"), "{first}");
    assert!(second.contains("continuation-token=t%2F1%3D"), "{second}");
}

#[tokio::test]
async fn a_store_that_does_not_encode_keys_is_taken_at_its_word() {
    let endpoint = Endpoint::answering("200 OK", PLAIN).await;
    let objects = s3(&endpoint.config).list("bucket", "").await.expect("listed");
    assert_eq!(objects.into_iter().map(|object| object.key).collect::<Vec<_>>(), ["in/a+b%20c"]);
}

#[tokio::test]
async fn a_listing_without_end_is_given_up() {
    let endpoint = Endpoint::answering("200 OK", ONE).await;
    let error = s3(&endpoint.config).listed("bucket", "in/", 3).await.expect_err("no end");
    assert_eq!((error.name(), endpoint.requests().len()), (ErrorName::InvalidInput, 3));
    assert!(error.to_string().contains("'s3://bucket/in/' has more than 3000 objects"), "{error}");
}

#[tokio::test]
async fn a_head_has_etag_version_and_time() {
    let head = "200 OK\r\nETag: \"e1\"\r\nx-amz-version-id: v1\r\nLast-Modified: Mon, 05 Jan 2026 10:00:00 GMT";
    let endpoint = Endpoint::answering(head, "").await;
    let seen = s3(&endpoint.config).head("bucket", "in/a b.csv").await.expect("head");
    let expected = S3Object {
        key: "in/a b.csv".to_owned(),
        size_bytes: 0,
        etag: Some("e1".to_owned()),
        modified_at: Some("2026-01-05T10:00:00Z".parse().expect("time")),
        version: Some("v1".to_owned()),
    };
    assert_eq!(seen, Some(expected));
    let [request] = <[String; 1]>::try_from(endpoint.requests()).expect("one request");
    assert!(request.starts_with("HEAD /bucket/in/a%20b.csv"), "{request}");
    let endpoint = Endpoint::answering("404 Not Found", "").await;
    assert_eq!(s3(&endpoint.config).head("bucket", "in/gone.csv").await.expect("head"), None);
}

#[tokio::test]
async fn addresses_are_signed_without_a_call_and_need_no_headers() {
    let signed = s3(&silent()).signed_url("bucket", "silver/a b.parquet", Duration::from_secs(900)).await;
    let url = signed.expect("signed");
    assert!(url.starts_with("http://127.0.0.1:9/bucket/silver/a%20b.parquet?"), "{url}");
    for part in [
        "X-Amz-Expires=900",
        "X-Amz-Security-Token=token",
        "X-Amz-Signature=",
        "X-Amz-SignedHeaders=host&",
        "%2Feu-central-1%2Fs3%2Faws4_request",
    ] {
        assert!(format!("{url}&").contains(part), "{part} is not in {url}");
    }
}

#[tokio::test]
async fn faults_become_stable_error_names_with_the_exact_prefix() {
    let cases = [
        ("503 Slow Down", "<Error><Code>SlowDown</Code></Error>", ErrorName::Throttled),
        ("500 Internal Server Error", "<Error><Code>InternalError</Code></Error>", ErrorName::Unavailable),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", ErrorName::AccessDenied),
        ("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>", ErrorName::NotFound),
        ("400 Bad Request", "<Error><Code>InvalidArgument</Code></Error>", ErrorName::Internal),
    ];
    for (status, body, name) in cases {
        let endpoint = Endpoint::answering(status, body).await;
        let error = s3(&endpoint.config).list("bucket", "in//day/").await.expect_err(status);
        assert_eq!(error.name(), name, "{status}: {error:?}");
        assert_eq!(error.to_string(), "cannot list 's3://bucket/in//day/'");
    }
    let endpoint = Endpoint::answering("403 Forbidden", "").await;
    let error = s3(&endpoint.config).head("bucket", "a").await.expect_err("no right");
    assert_eq!(error.name(), ErrorName::AccessDenied, "{error:?}");
    let error = s3(&silent()).list("bucket", "").await.expect_err("nobody there");
    assert_eq!(error.name(), ErrorName::Unavailable, "{error:?}");
}

#[test]
fn a_lake_on_this_machine_has_no_client() {
    assert!(client(&BTreeMap::new()).is_none());
}
