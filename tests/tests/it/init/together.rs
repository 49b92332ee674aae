//! Several files for one pipeline.

use std::fs;

use serde_json::{Value, json};
use sluice_core::run::Outcome;
use sluice_tests::sluice::Run;

use super::{SILVER, init, lab, types};
use crate::small::{assert_says, land, rows};

#[test]
fn several_files_with_one_column_less_are_one_pipeline() {
    let lab = lab();
    land(&lab, "a.csv", "id,name\n1,a\n");
    land(&lab, "b.csv", "id,name,extra\n2,b,5\n");
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), ["id int64", "name text", "extra int64"]);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name", "extra"]), ["1|a|NULL", "2|b|5"]);
}

#[test]
fn files_that_differ_in_the_case_of_a_name_are_one_pipeline() {
    let lab = lab();
    land(&lab, "a.csv", "id,Name\n1,a\n");
    land(&lab, "b.csv", "ID,name\n2,b\n");
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), ["id int64", "name text"]);
    assert_eq!(found["proposal"]["column_case"], "ignore");
    let spec = fs::read_to_string(lab.pipeline().join("pipeline.yaml")).unwrap();
    assert_says(&spec, &["column_case: ignore", "`id` and `ID`"], "the option and its reason");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|a", "2|b"]);
}

#[test]
fn a_file_counts_once_however_often_it_is_given() {
    let lab = lab();
    let file = land(&lab, "a.csv", "id,n\n1,2\n3,4\n");
    std::os::unix::fs::symlink(&file, lab.folder().join("link.csv")).unwrap();
    let mut command = lab.command(["init", "landing/a.csv", "landing/../landing/a.csv", "link.csv", "--name", "t"]);
    command.arg("--to").arg(lab.pipeline()).arg("--json");
    let found: Value = Run::of(command).expect_code(0).page();
    assert_eq!(found["files"], json!(["landing/a.csv"]), "{found:#}");
    assert_eq!((found["proposal"]["records"].as_u64(), &found["proposal"]["key"]), (Some(2), &json!(["id"])));
    assert_says(&found["proposal"]["notes"].to_string(), &["count once: 2"], "the others");
}
