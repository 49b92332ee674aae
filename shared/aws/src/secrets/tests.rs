use super::*;
use crate::endpoint::{Endpoint, is_judged};

const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:masking-a1b2c3";
const BAD: &str = "400 Bad Request";

/// The environment of a function on AWS whose Secrets Manager is at `url`, and these variables.
fn on_aws<'a>(url: &'a str, more: &[(Variable, &'a str)]) -> Env {
    let deployed = [
        (env::SECRET_ARN, ARN),
        (env::ACCESS_KEY_ID, "id"),
        (env::SECRET_ACCESS_KEY, "key"),
        (env::SESSION_TOKEN, "token"),
        (env::ENDPOINT_URL_SECRETS_MANAGER, url),
    ];
    Env::of(deployed.into_iter().chain(more.iter().copied()))
}

async fn found(env: &Env) -> Result<String, StepError> {
    secret(env).await
}

#[tokio::test]
async fn the_secret_is_fetched_with_one_signed_request() {
    let endpoint = Endpoint::answering("200 OK", r#"{"ARN": "a", "Name": "n", "SecretString": "hush\n"}"#).await;
    assert_eq!(found(&on_aws(&endpoint.url, &[])).await.as_deref(), Ok("hush"));
    let [request] = <[String; 1]>::try_from(endpoint.requests()).expect("one request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a body");
    for part in [
        "POST / HTTP/1.1",
        "content-type: application/x-amz-json-1.1",
        "x-amz-target: secretsmanager.GetSecretValue",
        "x-amz-security-token: token",
        "authorization: AWS4-HMAC-SHA256 Credential=id/",
        "/eu-central-1/secretsmanager/aws4_request",
        "x-amz-target, Signature=",
    ] {
        assert!(head.contains(part), "{part} is not in {head}");
    }
    is_judged("GetSecretValue", &serde_json::from_str(body).expect("JSON"));
}

#[tokio::test]
async fn a_secret_in_the_environment_is_taken_as_it_is() {
    let env = Env::of([(env::SECRET, "hush")]);
    assert_eq!(found(&env).await.as_deref(), Ok("hush"));
}

#[tokio::test]
async fn variables_that_do_not_say_where_the_secret_is_are_named() {
    let check = async |variables: &[(Variable, &str)], expected: &str| {
        let error = found(&Env::of(variables.iter().copied())).await.expect_err(expected);
        assert_eq!(error.name, ErrorName::InvalidInput, "{error}");
        assert!(error.message.contains(expected), "{error}");
    };
    check(&[], "environment variable SLUICE_SECRET_ARN is not set").await;
    check(&[(env::SECRET_ARN, "masking")], "SLUICE_SECRET_ARN: 'masking' is not arn:<partition>:secretsmanager").await;
    check(&[(env::SECRET_ARN, ARN), (env::SECRET, "hush")], "both set").await;
    for wrong in ["127.0.0.1:5000", "localhost:5000", "http://"] {
        let variables = [(env::SECRET_ARN, ARN), (env::ENDPOINT_URL, wrong)];
        check(&variables, "environment variable AWS_ENDPOINT_URL: ").await;
    }
}

#[tokio::test]
async fn what_is_not_the_secret_has_its_name_and_the_fix() {
    let check = async |status: &'static str, body: &'static str, name: ErrorName, expected: &str| {
        let endpoint = Endpoint::answering(status, body).await;
        let error = found(&on_aws(&endpoint.url, &[])).await.expect_err(status);
        assert_eq!(error.name, name, "{status} {body}: {error}");
        assert!(error.message.contains(ARN) && error.message.contains(expected), "{error}");
        // Only what may end by itself is asked for again.
        assert_eq!(endpoint.requests().len(), if name.is_retryable() { 3 } else { 1 }, "{status} {body}");
    };
    let denied = r#"{"__type": "AccessDeniedException", "Message": "not authorized to perform"}"#;
    check(BAD, denied, ErrorName::AccessDenied, "not authorized to perform; allow the function's role").await;
    let key = r#"{"__type": "DecryptionFailure", "message": "why"}"#;
    check(BAD, key, ErrorName::AccessDenied, "`kms:Decrypt` on its key").await;
    let expired = r#"{"__type": "ExpiredTokenException", "message": "why"}"#;
    check(BAD, expired, ErrorName::AccessDenied, "ExpiredTokenException").await;
    let missing = r#"{"__type": "com.amazonaws.secretsmanager#ResourceNotFoundException"}"#;
    check(BAD, missing, ErrorName::NotFound, "ResourceNotFoundException (status 400): no message; create or").await;
    let deleted = r#"{"__type": "InvalidRequestException", "message": "marked for deletion"}"#;
    check(BAD, deleted, ErrorName::NotFound, "marked for deletion; create or restore").await;
    check(BAD, r#"{"__type": "ThrottlingException"}"#, ErrorName::Throttled, "ThrottlingException").await;
    check("500 Oops", r#"{"__type": "InternalServiceError"}"#, ErrorName::Unavailable, "InternalServiceError").await;
    check("503 Busy", "<html>", ErrorName::Unavailable, "status 503").await;
    check("200 OK", r#"{"ARN": "a", "SecretBinary": "aHVzaA=="}"#, ErrorName::InvalidInput, "is not text").await;
    let error = found(&on_aws("http://127.0.0.1:9", &[])).await.expect_err("nobody there");
    assert_eq!(error.name, ErrorName::Unavailable, "{error}");
}

#[tokio::test]
async fn what_is_fetched_is_a_secret_or_named_with_its_place() {
    let endpoint = Endpoint::answering("200 OK", r#"{"SecretString": "hush"}"#).await;
    let error = secret::<u64>(&on_aws(&endpoint.url, &[])).await.expect_err("not a number");
    assert_eq!(error.name, ErrorName::InvalidInput);
    assert!(error.message.starts_with(&format!("secret {ARN}: ")) && !error.message.contains("hush"), "{error}");
}

#[test]
fn secrets_are_asked_for_in_their_own_region() {
    let check = |arn: &str, variables: &[(Variable, &str)], expected: &str| {
        let found = endpoint(&Env::of(variables.iter().copied()), &arn.parse().expect("ARN")).expect("endpoint");
        assert_eq!(found.as_str(), expected);
    };
    check(ARN, &[(env::REGION, "us-east-1")], "https://secretsmanager.eu-central-1.amazonaws.com/");
    let china = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:masking";
    check(china, &[], "https://secretsmanager.cn-north-1.amazonaws.com.cn/");
    let all = [(env::ENDPOINT_URL, "http://127.0.0.1:5000")];
    check(ARN, &all, "http://127.0.0.1:5000/");
    let own = [all[0], (env::ENDPOINT_URL_SECRETS_MANAGER, "https://vpce.example")];
    check(ARN, &own, "https://vpce.example/");
}

#[tokio::test]
async fn the_key_of_openlineage_is_optional_and_has_variables_of_its_own() {
    let key = async |env: &Env| openlineage_key::<String>(env).await;
    assert_eq!(key(&Env::of([(env::SECRET, "mask")])).await, Ok(None));
    assert_eq!(key(&Env::of([(env::OPENLINEAGE_KEY, "hush")])).await, Ok(Some("hush".to_owned())));
    let both = Env::of([(env::OPENLINEAGE_KEY, "hush"), (env::OPENLINEAGE_KEY_ARN, ARN)]);
    let error = key(&both).await.expect_err("both");
    assert!(error.message.contains("SLUICE_OPENLINEAGE_KEY and SLUICE_OPENLINEAGE_KEY_ARN are both set"), "{error}");
    let endpoint = Endpoint::answering("200 OK", r#"{"SecretString": "hush"}"#).await;
    let fetched = on_aws(&endpoint.url, &[(env::OPENLINEAGE_KEY_ARN, ARN)]);
    assert_eq!(key(&fetched).await, Ok(Some("hush".to_owned())));
}
