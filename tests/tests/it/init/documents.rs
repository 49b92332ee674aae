//! JSON and NDJSON of services, change feeds and APIs.

use serde_json::{Value, json};
use sluice_core::run::Outcome;

use super::{SILVER, check, habit, init, lab, types};
use crate::small::{assert_says, land, rows};

#[test]
fn services_and_change_feeds_run_without_an_edit() {
    let habits = [
        habit(
            "MongoDB",
            "a.json",
            "{\"_id\":{\"$oid\":\"65\"},\"n\":1}\n{\"_id\":{\"$oid\":\"66\"},\"n\":2}\n",
            &["id_oid int64", "n int64"],
            &["65|1", "66|2"],
        ),
        habit(
            "Stripe",
            "a.ndjson",
            "{\"id\":\"ch_1\",\"amount\":500,\"created\":1704449472,\"paid\":true}\n",
            &["id text", "amount int64", "created timestamp", "paid boolean"],
            &["ch_1|500|2024-01-05T10:11:12Z|true"],
        ),
        habit(
            "Salesforce",
            "a.csv",
            "\"Id\",\"CreatedDate\"\n\"001x\",\"2024-01-05T10:11:12.000+0000\"\n\
             \"001y\",\"2024-01-06T10:11:12.000+0000\"\n",
            &["id text", "created_date timestamp"],
            &["001x|2024-01-05T10:11:12Z", "001y|2024-01-06T10:11:12Z"],
        ),
        habit(
            "GitHub events",
            "a.ndjson",
            "{\"id\":\"34\",\"type\":\"PushEvent\",\"actor\":{\"id\":1},\"public\":true,\
             \"created_at\":\"2024-01-05T10:11:12Z\"}\n",
            &["id int64", "type text", "actor_id int64", "public boolean", "created_at timestamp"],
            &["34|PushEvent|1|true|2024-01-05T10:11:12Z"],
        ),
        habit(
            "Kafka Connect",
            "a.json",
            "{\"topic\":\"t\",\"offset\":7,\"timestamp\":1704449472123,\"value\":\"x\"}\n\
             {\"topic\":\"t\",\"offset\":8,\"timestamp\":1704449472124,\"value\":null}\n",
            &["topic text", "offset_ int64", "timestamp timestamp", "value text"],
            &["t|7|2024-01-05T10:11:12.123Z|x", "t|8|2024-01-05T10:11:12.124Z|NULL"],
        ),
        habit(
            "DMS",
            "a.csv",
            "Op,id,updated\nI,1,2024-01-05 10:11:12.000000\nU,1,2024-01-05 10:11:13.000000\n",
            &["op text", "id int64", "updated timestamp"],
            &["I|1|2024-01-05T10:11:12Z", "U|1|2024-01-05T10:11:13Z"],
        ),
        habit(
            "Debezium",
            "a.ndjson",
            "{\"op\":\"c\",\"ts_ms\":1704449472123,\"after\":{\"id\":1}}\n",
            &["op text", "ts_ms timestamp", "after_id int64"],
            &["c|2024-01-05T10:11:12.123Z|1"],
        ),
        habit(
            "JSON array",
            "a.json",
            "[{\"id\": 1, \"n\": 1.25},\n {\"id\": 2}]\n",
            &["id int64", "n double"],
            &["1|1.25", "2|NULL"],
        ),
        habit(
            "packed",
            "a.csv.zst",
            zstd::encode_all(&b"id;n\n1;2\n2;3\n"[..], 1).unwrap(),
            &["id int64", "n int64"],
            &["1|2", "2|3"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn nested_documents_run_without_an_edit() {
    let habits = [
        habit(
            "envelope",
            "a.json",
            r#"{"next": null, "Records": [{"id": 1, "customer": {"city": "Ulm", "geo": {"lat": 48.4, "lon": 9.5}},
                "tags": ["a", "b"]}, {"id": 2}]}"#,
            &["id int64", "customer_city text", "customer_geo_lat double", "customer_geo_lon double", "tags text"],
            &["1|Ulm|48.4|9.5|[\"a\",\"b\"]", "2|NULL|NULL|NULL|NULL"],
        ),
        habit(
            "Elasticsearch",
            "a.json",
            r#"{"hits":{"total":{"value":2},"hits":[{"_id":"x","_source":{"n":1}},{"_id":"y","_source":{"n":2}}]}}"#,
            &["id text", "source_n int64"],
            &["x|1", "y|2"],
        ),
        habit(
            "objects in some records only",
            "a.ndjson",
            "{\"id\":1,\"a\":{\"b\":1}}\n{\"id\":2,\"a\":\"x\"}\n",
            &["id int64", "a text"],
            &["1|{\"b\":1}", "2|x"],
        ),
        habit(
            "names like paths",
            "a.ndjson",
            "{\"$.id\":1,\"my a\":{\"b c\":\"x\"}}\n{\"$.id\":2,\"my a\":null}\n",
            &["id int64", "my_a_b_c text"],
            &["1|x", "2|NULL"],
        ),
        habit(
            "numbers as texts",
            "a.ndjson",
            "{\"id\":\"1\",\"n\":\"1.5\"}\n{\"id\":\"2\",\"n\":\"2.125\"}\n",
            &["id int64", "n double"],
            &["1|1.5", "2|2.125"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn several_lists_in_a_document_are_left_to_a_person() {
    let lab = lab();
    land(&lab, "a.json", r#"{"data":[{"a":1}],"included":[{"b":1}],"n":1}"#);
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), ["data text", "included text", "n int64"]);
    assert_says(&found["source"]["evidence"].to_string(), &["$.data[*], $.included[*]"], "the choice");
}

#[test]
fn several_objects_on_a_line_are_json() {
    let lab = lab();
    land(&lab, "a.json", "{\"id\":1}{\"id\":2}\n{\"id\":3}\n");
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_says(&found["source"]["evidence"].to_string(), &["format json", "several of them on a line"], "the format");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2", "3"]);
}

#[test]
fn tombstones_are_announced_and_stop_nothing() {
    let check = |text: &str, silver: u64, quarantined: u64| {
        let lab = lab();
        land(&lab, "a.ndjson", text);
        let found: Value = init(&lab, &[]).expect_code(0).page();
        assert_says(&found["proposal"]["notes"].to_string(), &["tombstones"], text);
        let run = lab.run().expect(Outcome::Published);
        assert_eq!((lab.rows(SILVER), lab.rows("quarantine/main/t")), (silver, quarantined), "{text}: {run}");
    };
    check("{\"id\":1}\nnull\n{\"id\":2}\n", 2, 1);
    check("null\nnull\n{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n", 3, 2);
}

#[test]
fn empty_pages_of_an_api_lack_no_column() {
    let lab = lab();
    land(&lab, "1.json", r#"{"items":[{"id":1,"n":"x"},{"id":2,"n":"y"}]}"#);
    land(&lab, "2.json", r#"{"items":[]}"#);
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), ["id int64", "n text"]);
    assert_eq!(found["proposal"]["key"], json!(["id"]), "{found:#}");
    assert!(!found.to_string().contains("optional"), "{found:#}");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "n"]), ["1|x", "2|y"]);
}
