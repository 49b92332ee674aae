use super::*;

fn selection(text: &str) -> FileSelection {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn patterns_match_whole_names() {
    let check = |pattern: &str, matched: &[&str], other: &[&str]| {
        let parsed: FilePattern = pattern.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(parsed.to_string(), pattern);
        for name in matched {
            assert!(parsed.matches(name, HiddenNames::Literally), "{pattern} matches {name}");
        }
        for name in other {
            assert!(!parsed.matches(name, HiddenNames::Literally), "{pattern} does not match {name}");
        }
    };
    check("a.csv", &["a.csv"], &["b.csv", "a.csv.gz", "x/a.csv", "A.csv", ""]);
    check("*.csv", &["a.csv", "b.csv.csv"], &["a.csv.gz", "x/a.csv", ".csv", "_a.csv"]);
    check("*", &["a", "a b", "日本.csv"], &["a/b", ".a", "_a"]);
    check("a*b*c", &["abc", "aXbYc", "abbc", "abcbc"], &["ab", "acb", "abcd"]);
    check("?.csv", &["a.csv", "ü.csv", "🦀.csv"], &["ab.csv", ".csv", "_.csv"]);
    check("**", &["a", "a/b/c.csv"], &["_a", "a/_b/c", "a/.c"]);
    check("**/*.csv", &["a.csv", "x/a.csv", "x/y/a.csv"], &["a.json", "x/_y/a.csv", "x/.a.csv"]);
    check("in/**", &["in/a", "in/x/a", "in"], &["out/a", "ina"]);
    check("in/**/*.csv", &["in/a.csv", "in/x/y/a.csv"], &["a.csv", "x/in/a.csv"]);
    check("**/in/*/a", &["in/x/a", "y/in/x/a", "in/in/x/a"], &["in/a", "in/x/y/a"]);
    check("[a-c]?[!0-9].csv", &["ax-.csv", "c0a.csv"], &["dx-.csv", "a00.csv"]);
    check("[]x]", &["]", "x"], &["y"]);
    check("[a-]", &["a", "-"], &["b"]);
    check("[\\]]", &["]"], &["\\"]);
    check("{a,b{1,2},}x", &["ax", "b1x", "b2x", "x"], &["bx", "b3x"]);
    check("{in,out}/*.{csv,csv.gz}", &["in/a.csv", "out/b.csv.gz"], &["in/a.gz", "other/a.csv"]);
    check("\\*\\{a,b\\}", &["*{a,b}"], &["xa", "*a"]);
    check("[{,}]", &["{", ",", "}"], &["x"]);
    check("what?#[%].csv", &["what?#%.csv", "what!#%.csv"], &["what#%.csv"]);
    // Only what a part begins with hides it, and folders of partitions are not hidden.
    check("**/*", &["a_b/c.d", "_day=1/a"], &["_day/a"]);
    check("_x/*", &["_x/a"], &["x/a", "_x/_a"]);
    check("**/.a*", &[".ab", "x/.a"], &["_x/.a", ".b"]);
}

#[test]
fn a_pattern_of_many_stars_takes_no_time() {
    let pattern: FilePattern = format!("{}b", "a*".repeat(200)).parse().unwrap();
    assert!(!pattern.matches(&"a".repeat(1000), HiddenNames::Literally));
    let folders: FilePattern = format!("{}b", "**/".repeat(200)).parse().unwrap();
    assert!(!folders.matches(&"a/".repeat(500), HiddenNames::Literally));
}

#[test]
fn texts_that_are_no_pattern_are_refused_with_the_fix() {
    let check = |text: &str, says: &str| {
        let error = text.parse::<FilePattern>().expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    };
    for text in ["", "/a", "a/", "a//b", "{a,}"] {
        check(text, "empty part");
    }
    check("../a", "'.' or '..'");
    check("a**", "** stands alone");
    check("a\\", "ends in a \\");
    check("[a/b]", "not closed");
    check("[z-a]", "ends before it begins");
    check("{a", "{ that is not closed");
    check("a}", "} without a {");
    check(&"{0,1,2,3,4,5,6,7,8,9}".repeat(3), "more than 100 patterns");
    check(&"a".repeat(1025), "longer than 1024 bytes");
}

#[test]
fn a_selection_says_why_it_leaves_a_file_out() {
    let check = |selection: &FileSelection, name: &str, expected: Option<PassedByReason>| {
        assert_eq!(selection.judge(name).err(), expected, "{name}");
    };
    let excluded = |pattern: &str| Some(PassedByReason::Excluded { pattern: pattern.to_owned() });
    let all = FileSelection::default();
    for taken in ["a.csv", "export", "2026/01/part-0000", "x.txt", "_day=1/a.csv", "partial.csv", "md"] {
        check(&all, taken, None);
    }
    for hidden in ["_SUCCESS", ".a.csv.crc", "_temporary/0/a.csv", "x/.git/config"] {
        check(&all, hidden, Some(PassedByReason::Hidden));
    }
    check(&all, "readme.md", excluded("**/*.[mM][dD]"));
    check(&all, "x/README.MD", excluded("**/*.[mM][dD]"));
    check(&all, "x/a.csv.part", excluded("**/*.part"));
    check(&all, "x_$folder$", excluded("**/*_$folder$"));

    let some = selection(r#"{ "include": ["in/**", "_late/*.csv"], "exclude": ["**/*.bak"] }"#);
    check(&some, "in/readme.md", None);
    check(&some, "_late/a.csv", None);
    check(&some, "in/_a", Some(PassedByReason::Hidden));
    check(&some, "out/a", Some(PassedByReason::NotIncluded));
    check(&some, "in/x/a.bak", excluded("**/*.bak"));
    assert!(some.takes_hidden() && !all.takes_hidden());
}

#[test]
fn a_selection_is_its_patterns_in_documents() {
    let all = selection("{}");
    assert!(all.is_default());
    assert_eq!(serde_json::from_value::<FileSelection>(serde_json::to_value(&all).unwrap()).unwrap(), all);
    let refused = |text: &str| serde_json::from_str::<FileSelection>(text).expect_err(text).to_string();
    assert!(refused(r#"{ "include": [] }"#).contains("no file would be taken"));
    assert!(refused(r#"{ "includes": ["*"] }"#).contains("includes"));
    for minutes in ["44641", "-1", "4294967296"] {
        let says = refused(&format!(r#"{{ "complete_after_minutes": {minutes} }}"#));
        assert!(says.contains(&format!("is {minutes}, and files wait at most 44640 minutes")), "{says}");
    }
    let waits = selection(r#"{ "complete_after_minutes": 44640, "min_bytes": 1 }"#);
    assert_eq!(serde_json::from_value::<FileSelection>(serde_json::to_value(&waits).unwrap()).unwrap(), waits);
    assert!(!waits.is_default());
    // As earlier versions store it.
    assert!(!serde_json::to_string(&all).unwrap().contains("min_bytes"));
    assert!(refused(r#"{ "include": ["a**"] }"#).contains("pattern 'a**'"));
    assert_eq!(DEFAULT_EXCLUDE.len(), all.exclude.len(), "every default is a pattern");
}

#[test]
fn young_and_small_files_wait() {
    let check = |files: &str, size_bytes: u64, modified_at: Option<&str>, expected: Option<PassedByReason>| {
        let object = SourceObject {
            uri: "s3://b/in/a.csv".parse().unwrap(),
            etag: "e".to_owned(),
            size_bytes,
            modified_at: modified_at.map(|time| time.parse().unwrap()),
        };
        let now = "2026-01-05T09:00:00Z".parse().unwrap();
        let judged = selection(files).judge_completeness(&object, now);
        assert_eq!(judged.err(), expected, "{files}: {size_bytes} bytes, {modified_at:?}");
    };
    let young =
        |time: &str| Some(PassedByReason::TooYoung { modified_at: time.parse().unwrap(), complete_after_minutes: 5 });
    let five = r#"{ "complete_after_minutes": 5 }"#;
    check(five, 9, Some("2026-01-05T08:55:00Z"), None);
    check(five, 9, Some("2026-01-05T08:55:00.000001Z"), young("2026-01-05T08:55:00.000001Z"));
    // Another clock is ahead.
    check(five, 9, Some("2026-01-06T00:00:00Z"), young("2026-01-06T00:00:00Z"));
    check(five, 9, None, None);
    for none in ["{}", r#"{ "complete_after_minutes": 0 }"#] {
        check(none, 0, Some("2026-01-06T00:00:00Z"), None);
    }
    check(r#"{ "min_bytes": 9 }"#, 9, Some("2026-01-06T00:00:00Z"), None);
    check(r#"{ "min_bytes": 9 }"#, 8, None, Some(PassedByReason::TooSmall { size_bytes: 8, min_bytes: 9 }));
}

#[test]
fn the_first_hidden_part_of_a_name_is_found() {
    let check = |name: &str, expected: Option<&str>| assert_eq!(hidden_part(name), expected, "{name}");
    check("a/b.csv", None);
    check("_a", Some("_a"));
    check("x/_a/b/.c", Some("x/_a/"));
    check("x/_day=1/.c", Some("x/_day=1/.c"));
}
