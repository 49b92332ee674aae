use proptest::prelude::*;

use super::*;

const ADDRESS: &str =
    "s3://lake/landing/dt=2026-01-04/dt=2026-01-05/shop%2520name=K%25C3%25B6ln%253A%252F1/day%20one.csv";

#[test]
fn parts_of_an_address_are_found_from_the_file_on() {
    let check = |address: &str, part: &str, expected: Option<&str>| {
        let part: AddressPart = part.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(part.of(address).as_deref(), expected, "{address}: {part}");
    };
    check(ADDRESS, "name", Some("day one.csv"));
    check(ADDRESS, "folder[-1]", Some("shop%20name=K%C3%B6ln%3A%2F1"));
    check(ADDRESS, "folder[-3]", Some("dt=2026-01-04"));
    check(ADDRESS, "folder[-4]", Some("landing"));
    check(ADDRESS, "folder[-5]", None);
    check(ADDRESS, "folder.dt", Some("2026-01-05"));
    check(ADDRESS, "folder['shop name']", Some("Köln:/1"));
    check(ADDRESS, "folder.hour", None);
    check("s3://lake/a.csv", "folder[-1]", None);
    check("file:///a.csv", "name", Some("a.csv"));
    check("file:///data/x=1/a.csv", "folder.x", Some("1"));
    check("file:///data/x=a=b/a.csv", "folder.x", Some("a=b"));
    check("file:///data/x=__HIVE_DEFAULT_PARTITION__/a.csv", "folder.x", None);
    check("file:///data/x=1/x=/a.csv", "folder.x", None);
    check("file:///data/y=1/x=2.csv", "folder.x", None);
    check("file:///data/x=%25FF/%FF.csv", "folder.x", Some("%FF"));
    check("file:///data/%FF.csv", "name", Some("%FF.csv"));
    check("no address", "name", None);
}

#[test]
fn names_of_lineage_are_meant_and_no_others() {
    let check = |text: &str, expected: Option<(&str, Option<&str>)>| {
        let origin = Origin::meant(text).unwrap_or_else(|error| panic!("{error}"));
        let part = origin.as_ref().and_then(Origin::part).map(ToString::to_string);
        let found = origin.as_ref().map(|origin| (origin.column(), part.as_deref()));
        assert_eq!(found, expected, "{text}");
    };
    check("_source_row", Some(("_source_row", None)));
    check("_source_modified_at", Some(("_source_modified_at", None)));
    check("_source_file", Some(("_source_file", None)));
    check("_source_file.name", Some(("_source_file", Some("name"))));
    check("_source_file.folder.dt", Some(("_source_file", Some("folder.dt"))));
    check("_source_file.folder[\"a b\"]", Some(("_source_file", Some("folder['a b']"))));
    check("_source_files", None);
    check("$._source_file", None);
    check("OrderID", None);
}

#[test]
fn texts_that_only_begin_like_a_value_are_refused_with_the_fix() {
    let check = |text: &str, says: &str| {
        let error = Origin::meant(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    };
    let parts = [
        "",
        "path",
        "folder",
        "folder[0]",
        "folder[1]",
        "folder[-0]",
        "folder[-+1]",
        "folder[-]",
        "folder[-1].x",
        "folder.a.b",
        "folder['']",
        "folder[*]",
        "name.x",
    ];
    for part in parts {
        check(&format!("_source_file.{part}"), "write _source_file.name, _source_file.folder[-1]");
    }
    check("_source_file.path", "a column of this name is written $['_source_file.path']");
    check("_corrupt_record", "`_corrupt_record` is kept");
    check("_ingestion_date", "_source_modified_at, _source_row, _run_id");
    check("_Source_Row", "`_Source_Row` is kept");
}

proptest! {
    #[test]
    fn a_written_part_is_read_back(key in "[a-zü .'\\\\\\[=]{1,8}", number in 1_usize..40) {
        for part in [AddressPart::Key(key), AddressPart::Folder(number), AddressPart::Name] {
            prop_assert_eq!(part.to_string().parse::<AddressPart>(), Ok(part));
        }
    }
}
