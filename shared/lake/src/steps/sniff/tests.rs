use std::collections::BTreeMap;

use sluice_core::spec::PipelineSpec;

use super::*;
use crate::objects::tests::{object, s3_that_answers};

/// A pipeline that reads `id`, which is required, and the optional columns `city` and `country`.
fn pipeline(format: &str) -> Pipeline {
    let spec = format!(
        "pipeline: p\ndomain: d\nsource: {{ prefix: landing/p, format: {format} }}\nbronze: {{ table: t }}\nsilver:\n  \
         - {{ table: t, contract: t.yaml, columns: {{ id: id, city: city, country: country }}, mode: append }}\n"
    );
    let contract = "apiVersion: v3.2.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema:\n  \
                    - name: t\n    properties: [{name: id, logicalType: string, required: true}, \
                    {name: city, logicalType: string}, {name: country, logicalType: string}]\n";
    let spec = PipelineSpec::parse(&spec, "pipeline.yaml").expect("spec");
    let contracts = BTreeMap::from([("t.yaml".parse().expect("path"), contract.to_owned())]);
    Pipeline::resolve_untyped(&spec, &contracts).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn names(names: &str) -> Vec<String> {
    names.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What becomes of an object with these columns, where these are known: what is said of it and which it has.
fn looked_at(format: &str, columns: &str, known: &str) -> Option<(String, String)> {
    let (pipeline, shape) = (pipeline(format), SourceShape { columns: names(columns) });
    let look = Look::Shape(shape, ObjectMeasure::unseen(1), Positions::Numbers);
    match look.or_refused(&pipeline, &object(), &names(known).into_iter().collect()).expect("a refusal") {
        Look::Refused { reason, columns } => Some((reason, columns.into_iter().collect::<Vec<_>>().join(" "))),
        _ => None,
    }
}

#[test]
fn an_object_may_lack_optional_columns_that_somebody_has() {
    let check = |columns: &str, known: &str, says: Option<&str>| {
        for format in ["csv", "parquet"] {
            let refused = looked_at(format, columns, known);
            let is_right = match (&refused, says) {
                (Some((reason, _)), Some(says)) => reason.contains(says),
                (refused, says) => refused.is_none() && says.is_none(),
            };
            assert!(is_right, "{format}: {columns} where {known} are known: {refused:?}");
        }
    };
    check("id city country", "", None);
    check("id city", "id city country", None);
    check("id", "id city country", None);
    check("id city", "id city", Some("lacks column country; it has id, city"));
    check("id", "country", Some("lacks column city; it has id"));
    check("id", "", Some("lacks column city, country; it has id"));
    check("city", "id city country", Some("lacks column id, country; it has city"));
    check("id city Country", "country", Some("`Country` where the pipeline reads `country`"));
    assert_eq!(looked_at("ndjson", "", ""), None, "records say which keys they have");
}

#[test]
fn the_mapped_columns_of_a_refused_object_are_known_under_the_names_that_silver_reads() {
    let (_, columns) = looked_at("csv", "city Country extra", "").expect("it is refused");
    assert_eq!(columns, "city country");
    let shape = |columns: &str| {
        let planned = PlannedObject {
            object: object(),
            source: None,
            read_from: ReadFrom::Landing,
            again: false,
            shape: None,
            positions: Positions::Numbers,
        };
        let shape = SourceShape { columns: names(columns) };
        (planned, Look::Shape(shape, ObjectMeasure::unseen(1), Positions::Numbers))
    };
    let met = with_headers(&pipeline("csv"), BTreeSet::new(), &[shape("id extra"), shape("Country")]);
    assert_eq!(met.into_iter().collect::<Vec<_>>(), ["country", "id"]);
}

async fn check(body: &'static str, name: ErrorName, says: &str) {
    let options = s3_that_answers("400 Bad Request", body);
    let lake = Lake::open(&"s3://bucket/lake".parse().expect("root"), &options).expect("lake");
    let object = object();
    let (store, key) = remote(&object.uri, &options).expect("store");
    let error = Footer::read(&store, key).await.expect_err("no footer");
    let fault = footer_fault(&lake, &object, error).await;
    let text = with_sources(&fault);
    assert_eq!(fault.name(), name, "{text}");
    assert!(text.contains(says), "{text}");
}

#[tokio::test]
async fn the_fault_of_a_footer_has_the_code_that_an_answer_to_head_lacks() {
    let disabled = "<Error><Code>KMS.DisabledException</Code><Message>key k is disabled.</Message></Error>";
    check(disabled, ErrorName::AccessDenied, "KMS.DisabledException (400 Bad Request): key k is disabled; ").await;
    check("<Error><Code>InvalidRequest</Code></Error>", ErrorName::AccessDenied, "InvalidRequest (400").await;
    let region = "<Error><Code>AuthorizationHeaderMalformed</Code></Error>";
    check(region, ErrorName::Internal, "AuthorizationHeaderMalformed").await;
}
