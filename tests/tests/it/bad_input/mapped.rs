//! Options of sources and mappings that cannot be used, as in [`super::spec`].

use std::fs;

use super::good_file;
use super::spec::{SPEC, check, edit, problems};
use crate::small::{assert_says, contract, land, orders};

#[test]
fn options_of_csv_that_cannot_be_used_are_refused() {
    check(&[
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { encoding: klingon } }",
            &["pipeline.yaml", "line 3", "'klingon' is not the label of an encoding", "windows-1252"],
        ),
        edit(SPEC, "format: csv }", "format: csv, csv: { header: none } }", &["pipeline.yaml", "line 3", "absent"]),
        edit(SPEC, "format: csv }", "format: csv, csv: { ragged: trim } }", &["pipeline.yaml", "line 3", "pad"]),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { comment: ',' } }",
            &["source.csv: comment and delimiter are the same character"],
        ),
        edit(SPEC, "format: csv }", "format: csv, csv: { skip_lines: 1001 } }", &["at most 1000 lines are skipped"]),
        edit(SPEC, "format: csv }", "format: csv, csv: { quote: '||' } }", &["pipeline.yaml", "line 3", "or none"]),
        edit(SPEC, "format: csv }", "format: csv, csv: { escape: ',' } }", &["escape is ','", "delimiter has, too"]),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { delimiter: '|', record_end: \"|\\n\" } }",
            &["begins with the delimiter", "trailing_delimiter: true"],
        ),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { header_lines: { count: 2 } } }",
            &["header_lines says neither join", "nor take"],
        ),
        edit(SPEC, "format: csv }", "format: csv, csv: { last_lines_begin: Total } }", &["write skip_last_lines, too"]),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { names: [id, name, amount, day, ID] } }",
            &["names has `ID` more than once"],
        ),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { header: absent, header_names: strict } }",
            &["no header is present; leave header_names out"],
        ),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { names: [id, name, amount] } }",
            &["table `orders`", "`day` is mapped to `day`, which source.csv.names does not have"],
        ),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { header: absent } }",
            &["table `orders`", "which no object has", "column_1, column_2", "write source.csv.names"],
        ),
        edit(
            SPEC,
            "format: csv }",
            "format: json, csv: { header: absent } }",
            &["source.format is not csv", "write `format: csv`"],
        ),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { header: absent, ragged: pad } }",
            &["source.csv: ragged is pad", "write names"],
        ),
        edit(SPEC, "format: csv }", "format: csv, csv: { comment: '##' } }", &["line 3", "write one character"]),
        edit(SPEC, "format: csv }", "format: csv, csv: { skip_lines: -1 } }", &["line 3", "write a whole number"]),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { trailing_delimiter: yes } }",
            &["line 3", "write true or false"],
        ),
        edit(
            SPEC,
            "format: csv }",
            "format: csv, csv: { comment: '1' } }",
            &["source.csv: comment is '1'", "choose a sign"],
        ),
    ]);
}

#[test]
fn readings_that_do_not_fit_their_column_are_refused() {
    let amount = "amount: amount";
    let day = "day: day }";
    check(&[
        edit(SPEC, "format: csv }", "format: csv, null_words: [''] }", &["source.null_words", "is empty"]),
        edit(SPEC, "format: csv }", "format: csv, null_words: [NA, NULL] }", &["line 3", "write it in quotes: 'NULL'"]),
        edit(SPEC, amount, "amount: { from: amount, null_words: [~] }", &["null to YAML", "write it in quotes"]),
        edit(SPEC, amount, "amount: { from: amount, decimal: ',,' }", &["write one character in quotes"]),
        edit(SPEC, "format: csv }", "format: csv, null_words: [NA, NA] }", &["source.null_words", "'NA' twice"]),
        edit(SPEC, amount, "amount: { from: amount, thousands: '.' }", &["`amount`", "two different signs"]),
        edit(SPEC, amount, "amount: { from: amount, decimal: x }", &["`amount`", "'x'", "cannot be this sign"]),
        edit(SPEC, amount, "amount: { from: amount, formats: ['%Y'] }", &["`amount`", "formats is an option of dates"]),
        edit(SPEC, day, "day: { from: day, decimal: ',' } }", &["table `orders`", "`day`", "decimal is an option of"]),
        edit(SPEC, day, "day: { from: day, formats: ['%y-%m-%d'] } }", &["`day`", "%y at position 1"]),
        edit(SPEC, day, "day: { from: day, formats: [dd.MM.yyyy] } }", &["`day`", "no year (%Y)"]),
        edit(SPEC, day, "day: { from: day, formats: ['%d.%m.%Y '] } }", &["`day`", "white space", "take it out"]),
        edit(SPEC, day, "day: { from: ' day' } }", &["`day` is mapped to ' day'", "white space around it"]),
        edit(SPEC, day, "day: '' }", &["`day` is mapped to ''", "is empty"]),
        edit(SPEC, day, "day: { from: day, null_words: [' '] } }", &["`day`", "null_words", "white space"]),
        edit(SPEC, day, "day: { from: day, true_words: [J] } }", &["`day`", "true_words is an option of booleans"]),
    ]);
}

#[test]
fn values_of_the_file_and_helpers_that_cannot_be_are_refused() {
    let (day, amount) = ("day: day }", "amount: amount");
    let before_mode = "day: day }\n    mode: append";
    check(&[
        edit(SPEC, day, "day: { from: day, type: date } }", &["`day`: type is for helper columns", "take it out"]),
        edit(SPEC, day, "day: _source_file.path }", &["'_source_file.path' is not a part", "_source_file.name"]),
        edit(SPEC, day, "day: '_source_file.folder[1]' }", &["'_source_file.folder[1]'", "_source_file.folder[-1]"]),
        edit(SPEC, day, "day: _ingestion_date }", &["`_ingestion_date` is kept", "_source_modified_at"]),
        edit(SPEC, day, "day: $._source_row }", &["`day`", "leads to `_source_row`", "without `$`"]),
        edit(SPEC, day, "day: _source_row }", &["`_source_row` is a BIGINT", "DATE", "make it a number or a text"]),
        edit(SPEC, amount, "amount: _ingested_at", &["`_ingested_at` is a TIMESTAMP", "DECIMAL(10,2)"]),
        edit(
            SPEC,
            day,
            "day: { from: _ingested_at, formats: ['%Y-%m-%d'] } }",
            &["formats is an option for texts, and `_ingested_at` is a TIMESTAMP"],
        ),
        edit(
            SPEC,
            before_mode,
            "day: day, colour: colour }\n    sql: SELECT id, name, amount, day FROM bronze\n    mode: append",
            &["`colour` is not in contract", "no sql of the table names it"],
        ),
        edit(
            SPEC,
            before_mode,
            "day: day, colour: { from: colour, type: datum } }\n    \
             sql: SELECT id, colour AS name, amount, day FROM bronze\n    mode: append",
            &["`colour`: type: physicalType datum is not executed"],
        ),
        edit(
            SPEC,
            before_mode,
            "day: day, colour: { from: colour, type: date } }\n    \
             sql: SELECT id, colour AS name, amount, day FROM bronze\n    mode: append",
            &["table `orders`", "column `name` is STRING in the contract but sql gives DATE", "CAST it"],
        ),
        edit(SPEC, "format: csv }", "format: csv, column_case: upper }", &["pipeline.yaml", "line 3", "upper"]),
    ]);
}

#[test]
fn one_source_column_in_two_spellings_is_refused() {
    let says = &["table `orders`", "`day` is mapped to `Name` and `name` to `NAME`", "one column of bronze"];
    let table = "mode: append\n  - table: others\n    contract: contracts/others.yaml\n    columns: { id: ID }\n    \
                 mode: append\n";
    check(&[
        edit(SPEC, "name: name, amount: amount, day: day", "name: NAME, amount: amount, day: Name", says),
        edit(SPEC, "name: name, amount: amount, day: day", "name: NAME, amount: amount, day: \"$['Name']\"", says),
    ]);
    for case in ["exact", "ignore"] {
        let lab = orders();
        land(&lab, "good.csv", good_file(0));
        let others = contract("others", &["name: id, logicalType: string"], &[]);
        fs::write(lab.pipeline().join("contracts/others.yaml"), others).unwrap();
        lab.edit_pipeline(SPEC, "format: csv", &format!("format: csv, column_case: {case}"));
        lab.edit_pipeline(SPEC, "mode: append\n", table);
        for message in problems(&lab, case) {
            let says = ["table `others`", "`id` is mapped to `ID` and `id` of table `orders` to `id`"];
            assert_says(&message, &says, case);
        }
    }
}
