use proptest::prelude::*;

use super::*;

fn spec(yaml: &str) -> XlsxSpec {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

#[test]
fn options_are_written_as_they_are_read() {
    assert_eq!(serde_json::to_string(&XlsxSpec::default()).unwrap(), "{}");
    let all = spec("{ sheet: Orders, range: 'b3:AA90', header: absent, skip_lines: 2 }");
    let written = serde_json::to_string(&all).unwrap();
    assert_eq!(written, r#"{"sheet":"Orders","range":"B3:AA90","header":"absent","skip_lines":2}"#);
    assert_eq!(serde_json::from_str::<XlsxSpec>(&written).unwrap(), all);
    assert_eq!(spec("{ sheet: 2 }").sheet, Some(SheetChoice::Number(2)));
    assert_eq!(spec("{ sheet: '2' }").sheet, Some(SheetChoice::Name("2".to_owned())));
}

#[test]
fn options_that_cannot_be_used_are_refused_with_the_fix() {
    let check = |yaml: &str, says: &str| {
        let problem = spec(yaml).problem();
        assert!(problem.as_deref().is_some_and(|problem| problem.contains(says)), "{yaml}: {problem:?}");
    };
    check("{ sheet: 0 }", "write 1 for the first");
    check("{ sheet: ' ' }", "sheet is blank");
    check("{ skip_lines: 1001 }", "at most 1000 lines");
    check("{ range: 'A3:H5', skip_lines: 3 }", "no row behind them");
    check("{ range: 'A:XFD' }", "has 16384 columns, and an object has at most 10000");
    check("{ range: 'A:B', names: [a] }", "names has 1 names, and the range A:B has 2 columns");
    check("{ names: [a, A] }", "names has `A` more than once");
    for good in ["{}", "{ range: 'A3:H5', skip_lines: 2 }", "{ range: 'B:C', names: [a, b] }", "{ names: [a] }"] {
        assert_eq!(spec(good).problem(), None, "{good}");
    }
}

#[test]
fn texts_that_are_no_ranges_are_refused() {
    let check = |text: &str, says: &str| {
        let error = text.parse::<CellRange>().expect_err(text).to_string();
        assert!(error.contains(says) && error.contains("write it as `A3:H`"), "{error}");
    };
    check("A3", "has no `:`");
    check("3:9", "letters of a column");
    check("A3:", "letters of a column");
    check("A$3:B4", "letters of a column");
    check("ABCD1:B2", "letters of a column");
    check("A0:B", "numbered from 1");
    check("A:B1048577", "numbered from 1");
    check("A:XFE", "XFD");
    check("C:B", "ends before it begins");
    check("A9:B3", "ends before it begins");
}

#[test]
fn mapped_columns_are_among_those_that_a_sheet_can_have() {
    let check = |yaml: &str, name: &str, expected: bool| {
        assert_eq!(spec(yaml).may_have(name, ColumnCase::Exact), expected, "{yaml}");
    };
    check("{}", "anything", true);
    check("{ header: absent }", "column_16", true);
    check("{ header: absent }", "name", false);
    check("{ header: absent, range: 'A:C' }", "column_3", true);
    check("{ header: absent, range: 'A:C' }", "column_4", false);
    check("{ names: [a, b] }", "b", true);
    check("{ names: [a, b] }", "c", false);
    check("{ names: [a, b] }", "B", false);
    assert!(spec("{ names: [a, b] }").may_have("B", ColumnCase::Ignore));
    assert!(spec("{ header: absent }").may_have("COLUMN_2", ColumnCase::Ignore));
}

proptest! {
    #[test]
    fn ranges_are_read_back(
        first in 0_u32..16_384, columns in 0_u32..100, row in 0_u32..1000, rows in proptest::option::of(0_u32..1000)
    ) {
        let range = CellRange {
            first_column: first,
            last_column: (first + columns).min(MAX_SHEET_COLUMNS - 1),
            first_row: row,
            last_row: rows.map(|rows| row + rows),
        };
        prop_assert_eq!(range.to_string().parse::<CellRange>(), Ok(range));
    }
}
