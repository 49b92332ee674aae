//! The standard's own examples and negative tests, and the contracts of the retail pipeline.

use std::path::PathBuf;

use super::*;

/// The files of a folder of the specification, or none with a note where the specification is not at hand.
fn files(folder: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs/odcs").join(folder);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: the ODCS specification is not at {}", folder.display());
        return Vec::new();
    };
    let mut files: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() >= 28, "{}: {} files", folder.display(), files.len());
    files
}

#[test]
fn every_official_example_parses() {
    for (name, text) in files("examples") {
        let contract = Contract::parse(&text, &name).unwrap_or_else(|error| panic!("{error}"));
        assert!(!contract.id().is_empty() && !contract.version().is_empty(), "{name}");
        // Many examples hold what is not executed: compiling them must say so and must not panic.
        for table in contract.table_names() {
            if let Err(error) = contract.table(Some(table)) {
                assert!(!error.problems().is_empty(), "{name}: {error}");
            }
        }
    }
}

#[test]
fn every_official_negative_test_is_refused_with_file_and_path() {
    for (name, text) in files("negative-tests") {
        let error = match Contract::parse(&text, &name) {
            Ok(_) => panic!("accepted: {name}"),
            Err(error) => error,
        };
        assert!(!error.problems().is_empty(), "{name}: {error}");
        for line in error.to_string().lines() {
            assert!(line.starts_with(&format!("{name}: /")), "{line}");
        }
    }
}

#[test]
fn messages_name_path_and_fault() {
    let check = |file: &str, path: &str, words: &str| {
        let Some((name, text)) = files("negative-tests").into_iter().find(|(name, _)| name == file) else {
            return;
        };
        let error = Contract::parse(&text, &name).unwrap_err();
        let found = error.problems().iter().any(|problem| problem.place == path && problem.message.contains(words));
        assert!(found, "{error}");
    };
    check("invalid-api-version.odcs.yaml", "/apiVersion", "v3.2.0");
    check("invalid-kind.odcs.yaml", "/kind", "DataContract");
    check("schema-property-missing-name.odcs.yaml", "/schema/0/properties/0", "\"name\" is a required property");
    check("quality-multiple-operators.odcs.yaml", "/schema/0/properties/0/quality/0", "exactly one operator");
    check("enum-empty.odcs.yaml", "/schema/0/properties/0/enum", "the list has less than 1 item");
}

#[test]
fn official_examples_compile_to_what_they_say() {
    let table = |file: &str| {
        let (name, text) = files("examples").into_iter().find(|(name, _)| name == file)?;
        Some(Contract::parse(&text, &name).unwrap().table(None))
    };
    if let Some(partitioned) = table("schema__table-columns-with-partition.odcs.yaml") {
        let partitioned = partitioned.unwrap();
        let names: Vec<&str> = partitioned.partition_by.iter().map(|name| name.as_str()).collect();
        assert_eq!(names, ["rcvr_cntry_code", "year"]);
        let names: Vec<&str> = partitioned.primary_key.iter().map(|name| name.as_str()).collect();
        assert_eq!(names, ["rcvr_cntry_code", "rcvr_id"]);
    }
    if let Some(enums) = table("schema__enum.odcs.yaml") {
        let ids: Vec<String> = enums.unwrap().row_rules.into_iter().map(|rule| rule.id).collect();
        for id in ["order_id.required", "status.enum", "status.max_length", "priority.readable", "priority.enum"] {
            assert!(ids.contains(&id.to_owned()), "{id} in {ids:?}");
        }
    }
    if let Some(error) = table("data-types__all-data-types.odcs.yaml") {
        let error = error.unwrap_err().to_string();
        for words in ["column `txn_time`: logicalType time", "column `latest_txns`: logicalType array", "`amount`"] {
            assert!(error.contains(words), "{words} in\n{error}");
        }
        assert!(
            error.contains("column `age`: logicalTypeOptions.format allows numbers that INT cannot hold"),
            "{error}"
        );
        assert!(!error.contains("`is_open`") && !error.contains("`account_id`"), "{error}");
    }
    if let Some(error) = table("quality__column-custom.odcs.yaml") {
        assert!(error.unwrap_err().to_string().contains("column `UniqueID`: 'UniqueID' is no column name"));
    }
}

#[test]
fn the_retail_contracts_compile() {
    let check = |file: &str, columns: usize, key: &[&str], row_rules: &[&str]| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/retail/contracts");
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let table = Contract::parse(&text, file).unwrap().table(None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(table.columns.len(), columns, "{file}");
        assert!(table.columns.iter().all(|column| column.description.is_some() && column.classification.is_some()));
        assert_eq!(table.primary_key.iter().map(|name| name.as_str()).collect::<Vec<_>>(), key, "{file}");
        let found: Vec<&str> = table.row_rules.iter().map(|rule| rule.id.as_str()).collect();
        assert!(row_rules.iter().all(|id| found.contains(id)), "{file}: {found:?}");
        let dataset: Vec<&str> = table.dataset_rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(dataset, ["primary_key", "row_count"], "{file}");
    };
    check(
        "transactions.odcs.yaml",
        9,
        &["invoice_no", "stock_code", "quantity", "unit_price"],
        &[
            "invoice_no.pattern",
            "description.required",
            "description.min_length",
            "quantity.readable",
            "quantity_not_zero",
            "invoice_ts.readable",
            "unit_price.minimum",
            "customer_id_present",
        ],
    );
    check("daily_revenue.odcs.yaml", 7, &["invoice_date", "country"], &["net_revenue_adds_up", "returns.maximum"]);
    check("customer_rfm.odcs.yaml", 5, &["customer_id"], &["orders.minimum", "recency_days.required"]);
}
