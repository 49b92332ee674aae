use serde_json::json;

use super::*;

fn policy(statements: &Value) -> anyhow::Result<Policy> {
    Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements}).to_string(), "lake")
}

#[test]
fn patterns_match_as_in_iam() {
    let check = |pattern: &str, text: &str, expected: bool| {
        assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
    };
    check("", "", true);
    check("*", "", true);
    check("a*", "a/b/c", true);
    check("a*c", "a/b/c", true);
    check("a*c", "a/b", false);
    check("?", "", false);
    check("a?c", "abc", true);
    check("*/_delta_log/*", "gold/retail/sales/_delta_log/0.json", true);
    check("*/_delta_log/*", "gold/retail/sales/part.parquet", false);
    check("a.c", "abc", false);
}

#[test]
fn an_action_is_allowed_by_one_statement_unless_another_denies_it() {
    let policy = policy(&json!([
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:put*"], "Resource": "arn:aws:s3:::${LakeBucket}/${LakePrefix}runs/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::${LakeBucket}",
         "Condition": {"StringLike": {"s3:prefix": ["${LakePrefix}runs/*", ""]}}},
        {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "*",
         "Condition": {"StringEquals": {"s3:ResourceAccount": "${Account}"}}},
        {"Effect": "Allow", "Action": "s3:AbortMultipartUpload", "Resource": "*",
         "Condition": {"StringEquals": {"aws:ResourceAccount": "999999999999"}}},
        {"Sid": "Locked", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::${LakeBucket}/runs/locked/*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": "${TopicArn}",
         "Condition": {"Null": {"kms:ViaService": "true"}}}
    ]))
    .expect("policy");
    let check = |action: &str, resource: &str, prefix: Option<&str>, expected: bool| {
        let resource = format!("arn:aws:s3:::{resource}");
        assert_eq!(
            policy.allows(Wish { action, resource: &resource, prefix }),
            expected,
            "{action} {resource} {prefix:?}"
        );
    };
    check("s3:GetObject", "lake/runs/a", None, true);
    check("s3:PutObject", "lake/runs/a", None, true);
    check("s3:GetObject", "lake/gold/a", None, false);
    check("s3:GetObject", "other/runs/a", None, false);
    check("s3:GetObject", "lake/runs/locked/a", None, false);
    check("s3:ListBucket", "lake", Some("runs/a"), true);
    check("s3:ListBucket", "lake", Some(""), true);
    check("s3:ListBucket", "lake", Some("gold/"), false);
    check("s3:ListBucket", "lake", None, false);
    check("s3:DeleteObject", "lake/any", None, true);
    check("s3:AbortMultipartUpload", "lake/any", None, false);
}

#[test]
fn an_unsupported_element_is_refused_by_name() {
    let check = |statement: Value, expected: &str| {
        let error = policy(&json!([statement])).expect_err(expected);
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    };
    let statement = |more: Value| {
        let mut whole = json!({"Sid": "Mine", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
        if let (Some(whole), Value::Object(more)) = (whole.as_object_mut(), more) {
            whole.extend(more);
        }
        whole
    };
    check(statement(json!({"Condition": {"NumericEquals": {"s3:max-keys": "3"}}})), "NumericEquals");
    check(
        statement(json!({"Condition": {"StringEquals": {"s3:delimiter": "/"}}})),
        "statement Mine: the bed does not support the condition key s3:delimiter",
    );
    check(statement(json!({"Resource": "arn:aws:s3:::${Lake}/*"})), "${Lake}");
    check(statement(json!({"NotResource": "*"})), "NotResource");
    check(statement(json!({"Effect": "Maybe"})), "Maybe");
}
