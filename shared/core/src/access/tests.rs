//! Decisions: caller × port × class × access path × time.

use jiff::Timestamp;

use super::*;
use crate::columns::stored;
use crate::contract::{Column, ColumnType, TableContract, TextFormat};

const POLICY: &str = "grants:
  - { name: former, principals: ['recipient:a'], doors: [rows], clearance: restricted, expires: 2026-01-01T00:00:00Z }
  - { name: first, principals: ['recipient:a'], doors: [rows, query], masking: { confidential: hash, restricted: 'null' } }
  - { name: second, principals: ['recipient:a'], doors: [sharing], clearance: confidential, rows: \"p = 'x'\" }
  - { name: narrow, principals: ['recipient:b'], doors: [rows], ports: [one], columns: [p, i], clearance: public }
  - { name: anybody, principals: ['*'], doors: [rows], ports: [open] }
";

fn contract() -> TableContract {
    let column = |name: &str, classification: Option<&str>| Column {
        name: name.parse().expect(name),
        column_type: ColumnType::Text,
        format: TextFormat::default(),
        required: false,
        description: None,
        classification: classification.map(str::to_owned),
    };
    TableContract {
        contract_id: "c".to_owned(),
        contract_version: "1".to_owned(),
        name: "t".to_owned(),
        columns: vec![
            column("p", Some("public")),
            column("i", None),
            column("c", Some("Confidential")),
            column("r", Some("restricted")),
            column("u", Some("top secret")),
        ],
        primary_key: Vec::new(),
        partition_by: Vec::new(),
        row_rules: Vec::new(),
        dataset_rules: Vec::new(),
    }
}

#[test]
fn the_first_grant_that_fits_decides() {
    let policy: Policy = serde_saphyr::from_str(POLICY).expect("policy");
    let contract = contract();
    let check = |caller: &str, path: AccessPath, port: &str, now: &str, expected: &str| {
        let now: Timestamp = now.parse().expect(now);
        let decision =
            decide(&policy, &caller.parse().expect(caller), path, &port.parse().expect(port), &contract, now);
        let answer = match decision {
            Decision::Denied { reason } => format!("no: {reason}"),
            Decision::Granted(access) => {
                let forms: Vec<String> = access.columns.iter().map(|c| format!("{:?}", c.treatment)).collect();
                format!("{}: {} own {:?}", access.grant, forms.join(" "), access.own_columns)
            }
        };
        assert_eq!(answer, expected, "{caller} {path} {port} {now}");
    };
    let (then, now) = ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z");
    check("recipient:a", AccessPath::Rows, "one", then, "former: Clear Clear Clear Clear Clear own Clear");
    check("recipient:a", AccessPath::Rows, "one", now, "first: Clear Clear Hash Null Null own Clear");
    check("recipient:a", AccessPath::Query, "one", now, "first: Clear Clear Hash Null Null own Clear");
    check("recipient:a", AccessPath::Sharing, "one", now, "second: Clear Clear Clear Hide Hide own Clear");
    check("recipient:a", AccessPath::Catalogue, "one", now, "first: Clear Clear Hash Null Null own Clear");
    check("recipient:b", AccessPath::Rows, "one", now, "narrow: Clear Hide Hide Hide Hide own Hide");
    check("recipient:b", AccessPath::Catalogue, "one", now, "narrow: Clear Hide Hide Hide Hide own Hide");
    check("recipient:b", AccessPath::Query, "one", now, "no: no grant names the access path");
    check("recipient:b", AccessPath::Rows, "two", now, "no: no grant names the caller and the port");
    check("recipient:c", AccessPath::Rows, "one", now, "no: no grant names the caller and the port");
    check("recipient:c", AccessPath::Rows, "open", now, "anybody: Clear Clear Hide Hide Hide own Clear");
    let only_former: Policy =
        serde_saphyr::from_str(&POLICY.lines().take(2).collect::<Vec<_>>().join("\n")).expect("policy");
    let decided = decide(
        &only_former,
        &"recipient:a".parse().expect("a"),
        AccessPath::Rows,
        &"one".parse().expect("one"),
        &contract,
        now.parse().expect(now),
    );
    assert_eq!(decided, Decision::Denied { reason: "the grant has expired" });
}

#[test]
fn columns_of_older_versions_are_hidden() {
    let policy: Policy = serde_saphyr::from_str(POLICY).expect("policy");
    let now = "2025-01-01T00:00:00Z".parse().expect("time");
    let decided = decide(
        &policy,
        &"recipient:a".parse().expect("a"),
        AccessPath::Rows,
        &"one".parse().expect("one"),
        &contract(),
        now,
    );
    let Decision::Granted(access) = decided else { panic!("{decided:?}") };
    let columns = |names: &[&str]| names.iter().map(|name| stored(name, ColumnType::Text)).collect::<Vec<_>>();
    assert!(access.is_whole(&columns(&["p", "i", "c", "r", "u", "_run_id"])));
    assert!(!access.is_whole(&columns(&["p", "dropped"])), "nobody knows any more what the column was");
    assert_eq!(access.treatment("dropped"), Treatment::Hide);
}

#[test]
fn lineage_is_given_by_name_alone_and_never_under_a_row_filter() {
    let policy: Policy = serde_saphyr::from_str(POLICY).expect("policy");
    let now = "2026-01-01T00:00:00Z".parse().expect("time");
    let check = |caller: &str, path: AccessPath, expected: Treatment| {
        let port = "one".parse().expect("one");
        let decided = decide(&policy, &caller.parse().expect(caller), path, &port, &contract(), now);
        let Decision::Granted(access) = decided else { panic!("{decided:?}") };
        let columns = [stored("p", ColumnType::Text), stored("_source_file", ColumnType::Text)];
        let names = |access: &TableAccess| {
            access.visible(&columns).map(|(column, _)| column.name.clone()).collect::<Vec<String>>()
        };
        assert_eq!(names(&access), ["p"], "not given to those who do not ask");
        let asked = access.asking(["_source_file", "r", "nothing"]);
        assert_eq!(asked.treatment("_source_file"), expected, "{caller} {path}");
        assert_eq!(asked.treatment("_run_id"), Treatment::Hide);
        assert_eq!(names(&asked).len(), if expected == Treatment::Hide { 1 } else { 2 });
    };
    check("recipient:a", AccessPath::Rows, Treatment::Clear);
    // `second` holds rows back, `narrow` lists columns.
    check("recipient:a", AccessPath::Sharing, Treatment::Hide);
    check("recipient:b", AccessPath::Rows, Treatment::Hide);
}

#[test]
fn columns_of_history_are_given_to_those_who_do_not_ask() {
    let policy: Policy = serde_saphyr::from_str(POLICY).expect("policy");
    let (port, now) = ("one".parse().expect("one"), "2026-01-01T00:00:00Z".parse().expect("time"));
    let decided = decide(&policy, &"recipient:a".parse().expect("a"), AccessPath::Rows, &port, &contract(), now);
    let Decision::Granted(access) = decided else { panic!("{decided:?}") };
    assert_eq!(access.treatment("_valid_from"), Treatment::Clear);
}
