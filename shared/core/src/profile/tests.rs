use std::collections::HashMap;

use super::*;

/// The profile of a file with these columns, each with its type and texts; an empty text is null.
fn profile(columns: &[(&str, ColumnType, &[&str])]) -> Profile {
    let readings =
        columns.iter().map(|(name, column_type, _)| ((*name).to_owned(), Reading::stored(column_type.clone())));
    let mut profiler = Profiler::new(readings.collect(), None);
    for (name, _, texts) in columns {
        let place = profiler.column(name).expect("all columns are wanted");
        texts.iter().filter(|text| !text.is_empty()).for_each(|text| profiler.add(place, text));
    }
    let rows = columns.iter().map(|(_, _, texts)| texts.len()).max().unwrap_or_default();
    let _ = profiler.count(rows as u64, 0);
    profiler.finish("a.csv", None).expect("a profile")
}

#[test]
fn a_column_is_described_by_its_values() {
    let profile = profile(&[("amount", ColumnType::Int64, &["10", "9", "", "10", "x"])]);
    let column = &profile.columns[0];
    assert_eq!((profile.rows, column.nulls, column.not_of_type), (5, 1, 1));
    assert_eq!((column.distinct, column.distinct_is_exact, column.is_unique(profile.rows)), (3, true, false));
    assert_eq!((column.least.as_deref(), column.greatest.as_deref()), (Some("9"), Some("10")));
    assert_eq!(column.lengths, Some(Lengths { least: 1, greatest: 2, mean: 1.5 }));
    assert_eq!(column.top[0], Frequent { value: "10".to_owned(), count: 2 });
    assert_eq!(column.patterns[0], Frequent { value: "99".to_owned(), count: 2 });
}

#[test]
fn numbers_of_many_digits_are_numbers() {
    let large = format!("1{}", "0".repeat(300));
    let profile = profile(&[("n", ColumnType::Double, &["5", &large])]);
    let column = &profile.columns[0];
    assert_eq!((column.not_of_type, column.greatest.as_deref()), (0, Some(large.as_str())));
}

#[test]
fn many_values_are_estimated_and_said_to_be() {
    let texts: Vec<String> = (0..120_000).map(|number| format!("value-{number:06}")).collect();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.extend(["often"; 9_000]);
    let profile = profile(&[("id", ColumnType::Text, &texts)]);
    let column = &profile.columns[0];
    assert!(!column.distinct_is_exact && !column.top_is_exact, "{column:?}");
    assert!((114_000..=126_000).contains(&column.distinct), "{}", column.distinct);
    assert_eq!(column.top[0].value, "often");
    assert_eq!((column.least.as_deref(), column.greatest.as_deref()), (Some("often"), Some("value-119999")));
}

#[test]
fn columns_may_come_late_or_not_be_wanted() {
    let mut profiler = Profiler::new(HashMap::new(), Some(vec!["b".to_owned()]));
    assert_eq!((profiler.column("a"), profiler.column("a")), (None, None));
    assert_eq!(profiler.count(3, 1), 4);
    let place = profiler.column("b").expect("it is wanted");
    profiler.add(place, "x");
    let _ = profiler.count(1, 0);
    let profile = profiler.finish("a.json", None).expect("a profile");
    assert_eq!((profile.rows, profile.corrupt, profile.columns.len()), (4, 1, 1));
    assert_eq!((profile.columns[0].name.as_str(), profile.columns[0].nulls), ("b", 3));
    let mut profiler = Profiler::new(HashMap::new(), Some(vec!["c".to_owned()]));
    let _ = profiler.column("a");
    let error = profiler.finish("a.json", None).expect_err("no such column").to_string();
    assert_eq!(error, "a.json has no column `c`; it has a");
}

#[test]
fn a_profile_is_read_as_it_was_written() {
    let profile = profile(&[("n", ColumnType::Decimal { precision: 18, scale: 2 }, &["1.50", "2.25"])]);
    let text = serde_json::to_string(&profile).expect("JSON");
    assert_eq!(Profile::parse(&text, "p.json").expect("a profile"), profile);
    let check = |text: &str, says: &str| {
        let error = Profile::parse(text, "p.json").expect_err("a refusal").to_string();
        assert!(error.contains(says), "{text}: {error}");
    };
    check("{}", "p.json is not a profile");
    check("[1]", "p.json is not a profile");
    check("{\"profile_version\": 9}", "version 9");
}

#[test]
fn changes_that_matter_are_named() {
    let text = ColumnType::Text;
    let check = |before: (&ColumnType, &[&str]), now: (&ColumnType, &[&str]), expected: &[(ChangeKind, &str)]| {
        let (before, now) = (profile(&[("a", before.0.clone(), before.1)]), profile(&[("a", now.0.clone(), now.1)]));
        let found = compare(&before, &now);
        let kinds: Vec<(ChangeKind, &str)> = found.iter().map(|change| (change.kind, change.text.as_str())).collect();
        assert_eq!(kinds, expected, "{before:?}\n{now:?}");
    };
    let (whole, real, day) = (ColumnType::Int64, ColumnType::Double, ColumnType::Date);
    check((&text, &["x", "y", "x"]), (&text, &["y", "x", "y"]), &[]);
    check(
        (&text, &["x", "y", "x"]),
        (&text, &["x", "z", "x"]),
        &[(ChangeKind::NewValues, "new values: `z`"), (ChangeKind::LostValues, "values that no longer occur: `y`")],
    );
    // Ids are new every day.
    check((&text, &["x1", "x2"]), (&text, &["x3", "x4"]), &[]);
    check(
        (&text, &["x", "y"]),
        (&text, &["x", "x"]),
        &[(ChangeKind::NotUnique, "no longer unique: 2 values, 1 of them different")],
    );
    check((&whole, &["1", "2"]), (&text, &["1", "b"]), &[(ChangeKind::Type, "type STRING, BIGINT before")]);
    check((&whole, &["1", "2"]), (&whole, &["1", ""]), &[(ChangeKind::Nulls, "50.0 % null, 0.0 % before")]);
    check((&real, &["1", "11"]), (&real, &["2", "16"]), &[]);
    // Ids grow, and measurements should not.
    check((&whole, &["1", "2"]), (&whole, &["77", "78"]), &[]);
    check((&real, &["1", "11"]), (&real, &["2", "17"]), &[(ChangeKind::Range, "2 to 17, 1 to 11 before")]);
    check((&day, &["2024-01-05"]), (&day, &["2024-01-06"]), &[]);
    check(
        (&day, &["2024-01-05"]),
        (&day, &["1924-01-05"]),
        &[(ChangeKind::Range, "1924-01-05 to 1924-01-05, 2024-01-05 to 2024-01-05 before")],
    );
    check(
        (&text, &["A-1", "A-2"]),
        (&text, &["11", "12"]),
        &[(ChangeKind::Pattern, "most values are like `99`, like `A-9` before")],
    );
    check((&text, &["x", "y"]), (&text, &["p", "q", "r", "s"]), &[(ChangeKind::Rows, "4 rows, 2 before")]);
}

#[test]
fn where_rows_come_from_is_no_change() {
    let of = |address: &str| profile(&[("_source_file", ColumnType::Text, &[address, address])]);
    let found = compare(&of("a.csv"), &of("b.csv"));
    assert!(found.is_empty(), "{found:?}");
    let lost = compare(&of("a.csv"), &profile(&[("a", ColumnType::Text, &["x", "y"])]));
    let lost: Vec<ChangeKind> = lost.iter().map(|change| change.kind).collect();
    assert_eq!(lost, [ChangeKind::NewColumn]);
}

#[test]
fn new_and_lost_columns_are_named() {
    let before = profile(&[("a", ColumnType::Text, &["x"]), ("b", ColumnType::Text, &["x"])]);
    let now = profile(&[("a", ColumnType::Text, &["x"]), ("c", ColumnType::Int64, &["1"])]);
    let found = compare(&before, &now);
    let found: Vec<(Option<&str>, ChangeKind)> =
        found.iter().map(|change| (change.column.as_deref(), change.kind)).collect();
    assert_eq!(found, [(Some("c"), ChangeKind::NewColumn), (Some("b"), ChangeKind::LostColumn)]);
}
