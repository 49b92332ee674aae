use super::*;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

/// The committed description is the one of the code; `SLUICE_UPDATE=1` writes it again.
#[test]
fn the_committed_description_is_that_of_the_code() {
    let world_free = described().into_openapi();
    let text = format!("{}\n", serde_json::to_string_pretty(&world_free).unwrap());
    if std::env::var_os("SLUICE_UPDATE").is_some() {
        std::fs::write(COMMITTED, &text).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(committed == text, "openapi.json is stale: SLUICE_UPDATE=1 cargo test -p sluice-submit");
}

#[test]
fn every_route_is_audited() {
    let document = serde_json::to_value(described().into_openapi()).unwrap();
    let mut audited = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let given = path.replace(['{', '}'], "");
            assert!(sluice_http::audit::operation(OPERATIONS, &method, &given).is_some(), "{method} {path}");
            audited += 1;
        }
    }
    assert_eq!(audited, OPERATIONS.len());
}

#[tokio::test]
async fn the_description_is_served() {
    let (status, document) = World::new().call("GET", "/openapi.json").await;
    assert_eq!((status, &document["openapi"]), (StatusCode::OK, &serde_json::json!("3.1.0")));
    let paths: Vec<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(paths, ["/process", "/runs", "/runs/{id}", "/runs/{id}/redrive"]);
    assert!(document["paths"]["/runs/{id}"].get("delete").is_some());
}
