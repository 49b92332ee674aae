use serde_json::Value;
use sluice_core::uri::LakePath;

#[test]
fn a_pipeline_of_named_sources_takes_objects_of_each_folder_and_no_prefix() {
    let sources: [LakePath; 2] = ["landing/shop/orders", "landing/shop/products"].map(|path| path.parse().unwrap());
    let is_taken = |body: &str| {
        let body: crate::request::ProcessBody = serde_json::from_str(body).unwrap();
        body.into_request(&"s3://lake/".parse().unwrap(), &sources, true).is_ok()
    };
    assert!(is_taken(r#"{"pipeline": "shop", "objects": ["shop/orders/a.csv", "shop/products/b.json"]}"#));
    assert!(!is_taken(r#"{"pipeline": "shop", "objects": ["shop/other/a.csv"]}"#));
    assert!(!is_taken(r#"{"pipeline": "shop", "prefix": "shop/orders"}"#));
}

/// The sample events are requests of API Gateway (payload format 2.0) for routes that there are.
#[test]
fn sample_events_are_requests_of_this_api() {
    let document = serde_json::to_value(crate::described().into_openapi()).unwrap();
    let check = |text: &str, path: &str| {
        let event: Value = serde_json::from_str(text).unwrap();
        let method = event["requestContext"]["http"]["method"].as_str().unwrap().to_lowercase();
        assert!(document["paths"][path].get(&method).is_some(), "{method} {path}");
        assert!(event["requestContext"]["authorizer"]["iam"]["userArn"].is_string());
        if let Some(body) = event["body"].as_str() {
            let body: crate::request::ProcessBody = serde_json::from_str(body).unwrap();
            body.into_request(&"s3://lake/".parse().unwrap(), &["landing/retail".parse().unwrap()], false).unwrap();
        }
    };
    check(include_str!("../../../../events/submit-process.json"), "/process");
    check(include_str!("../../../../events/submit-run.json"), "/runs/{id}");
}
