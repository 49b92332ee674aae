use proptest::prelude::*;

use super::*;

fn key(name: &str) -> PathStep {
    PathStep::Key(name.to_owned())
}

#[test]
fn paths_of_records_lead_to_lists() {
    let check = |text: &str, steps: &[PathStep]| {
        let path: RecordPath = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(path.steps(), steps, "{text}");
    };
    check("$[*]", &[PathStep::Elements]);
    check("$.Records[*]", &[key("Records"), PathStep::Elements]);
    check("$.data.items[*]", &[key("data"), key("items"), PathStep::Elements]);
    check("$.data[0].items[*]", &[key("data"), PathStep::Index(0), key("items"), PathStep::Elements]);
    check("$.orders[*].items[*]", &[key("orders"), PathStep::Elements, key("items"), PathStep::Elements]);
    check(r#"$['a b']["c"][*]"#, &[key("a b"), key("c"), PathStep::Elements]);
    check("$[*][*]", &[PathStep::Elements, PathStep::Elements]);
    assert_eq!("$.a['b c'][2][*]".parse::<RecordPath>().expect("a path").begin(3), "$.a['b c'][2]");
}

#[test]
fn paths_of_elements_have_names_with_slashes() {
    let check = |text: &str, steps: &[PathStep]| {
        let path: RecordPath = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(path.steps(), steps, "{text}");
        assert!(path.is_of_elements(), "{text}");
        assert_eq!(path.to_string(), text);
    };
    check("/orders/order", &[key("orders"), key("order")]);
    check("/rows", &[key("rows")]);
    check("/*/Größe-1.x_y", &[PathStep::Elements, key("Größe-1.x_y")]);
    let path: RecordPath = "/a/*/c".parse().expect("a path");
    assert_eq!((path.begin(0), path.begin(2)), ("/".to_owned(), "/a/*".to_owned()));
    let refused = |text: &str, position: usize, problem: &str| {
        let error = text.parse::<RecordPath>().expect_err(text);
        assert_eq!(error.position, position, "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    };
    refused("/", 2, "must follow the `/`");
    refused("/orders/", 9, "must follow the `/`");
    refused("//order", 2, "must follow the `/`");
    refused("/orders/o:order", 10, "without prefixes");
    refused("/orders/order[1]", 14, "without prefixes");
    refused("/a/*b", 5, "without prefixes");
    refused(&format!("/{}", "a".repeat(1024)), 1, "at most 1024 bytes");
    refused(&"/a".repeat(33), 65, "at most 32 steps");
    assert!(!"$.a[*]".parse::<RecordPath>().expect("a path").is_of_elements());
}

#[test]
fn paths_of_columns_begin_with_a_column() {
    let check = |text: &str, column: &str, steps: &[PathStep]| {
        let path: ColumnPath = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((path.column(), path.steps()), (column, steps), "{text}");
    };
    check("$.address", "address", &[]);
    check("$.address.city", "address", &[key("city")]);
    check("$.tags[10]", "tags", &[PathStep::Index(10)]);
    check("$['$.odd']", "$.odd", &[]);
    check("$._id.$oid", "_id", &[key("$oid")]);
    check("$.größe.@type", "größe", &[key("@type")]);
    check(r"$['it\'s']['\\']", "it's", &[key(r"\")]);
    check("$.a['']", "a", &[key("")]);
}

#[test]
fn only_texts_that_begin_a_path_are_paths() {
    let check = |text: &str, is_path: bool| assert_eq!(ColumnPath::is_meant(text), is_path, "{text}");
    check("$.a", true);
    check("$['a']", true);
    check("$", false);
    check("$price", false);
    check("a.$.b", false);
    check("US$", false);
}

#[test]
fn other_texts_are_refused_with_the_place_and_the_fix() {
    let says = |error: PathError, position: usize, says: &str| {
        assert_eq!(error.position, position, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    let records = |text: &str, position: usize, problem: &str| {
        says(text.parse::<RecordPath>().expect_err(text), position, problem);
    };
    records("", 1, "begins with `$`");
    records("Records[*]", 1, "begins with `$`");
    records("$", 2, "the whole value");
    records("$.Records", 10, "must end with [*]");
    records("$.hits[*]._source", 18, "must end with [*]");
    records("$..items[*]", 3, "a name must follow");
    records("$.*", 3, "`[*]` for a list");
    records("$.a b[*]", 4, "a step begins with");
    records("$.a[]", 5, "in brackets stands");
    records("$.a[-1]", 5, "from 0 on");
    records("$.a[*", 6, "`]` must follow");
    records("$.a[0:2]", 6, "`]` must follow");
    records("$['a", 5, "never closed");
    records(r"$['a\n'][*]", 6, "before a quote");
    records("$[", 3, "must follow the `[`");
    records("$[99999999999999999999999]", 3, "too large");
    records(&format!("$.{}[*]", "a".repeat(1024)), 1, "at most 1024 bytes");
    records(&"$[*]".replace("[*]", &"[*]".repeat(33)), 98, "at most 32 steps");
    let columns = |text: &str, position: usize, problem: &str| {
        says(text.parse::<ColumnPath>().expect_err(text), position, problem);
    };
    columns("$[0]", 2, "must name a column");
    columns("$[*].a", 2, "must name a column");
    columns("$.tags[*]", 10, "such as [0]");
}

fn step() -> impl Strategy<Value = PathStep> {
    prop_oneof![
        "[a-zé_$@ .'\"\\\\*\\[\\]-]{0,6}".prop_map(PathStep::Key),
        any::<u32>().prop_map(|index| PathStep::Index(usize::try_from(index).expect("64 bits"))),
        Just(PathStep::Elements),
    ]
}

proptest! {
    #[test]
    fn a_printed_path_is_read_as_the_same(
        mut steps in proptest::collection::vec(step(), 0..8),
        column in "[a-z .']{0,5}",
    ) {
        let inside: Vec<PathStep> = steps.iter().filter(|step| **step != PathStep::Elements).cloned().collect();
        let path = ColumnPath { column, steps: inside };
        prop_assert_eq!(path.to_string().parse::<ColumnPath>(), Ok(path.clone()), "{}", path);
        steps.push(PathStep::Elements);
        let path = RecordPath { steps, is_of_elements: false };
        prop_assert_eq!(path.to_string().parse::<RecordPath>(), Ok(path.clone()), "{}", path);
        let json = serde_json::to_string(&path).expect("json");
        prop_assert_eq!(serde_json::from_str::<RecordPath>(&json).expect("a path"), path);
    }

    #[test]
    fn a_text_that_can_be_read_means_the_same_when_it_is_printed(
        text in "\\$((\\.[a0]{1,2})|(\\[[0-9]{1,3}\\])|(\\['[a.\\\\]{0,2}'\\])|(\\[\\*\\])){0,5}",
    ) {
        if let Ok(path) = text.parse::<RecordPath>() {
            prop_assert_eq!(path.to_string().parse::<RecordPath>(), Ok(path));
        }
        if let Ok(path) = text.parse::<ColumnPath>() {
            prop_assert_eq!(path.to_string().parse::<ColumnPath>(), Ok(path));
        }
    }
}
