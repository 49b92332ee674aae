//! From a policy document to grants that mean something on the ports of its product.

use std::collections::BTreeSet;

use super::OutputPort;
use super::parse::{ProductError, Source};
use crate::access::{Classification, Grant, Masking, Policy};
use crate::contract::{Column, ColumnType};
use crate::name::PortName;
use crate::spec::MAX_DOCUMENT_BYTES;
use crate::sql::Predicate;

/// Reads a policy over these ports.
///
/// # Errors
/// Every problem found.
pub(super) fn read_policy(source: Source<'_>, ports: &[OutputPort]) -> Result<Policy, Vec<ProductError>> {
    let unreadable = |message: String| vec![ProductError::Unreadable { origin: source.origin.to_owned(), message }];
    if source.text.len() > MAX_DOCUMENT_BYTES {
        return Err(unreadable(format!("is larger than {MAX_DOCUMENT_BYTES} bytes")));
    }
    let policy: Policy = serde_saphyr::from_str(source.text).map_err(|error| unreadable(error.to_string()))?;
    let mut problems: Vec<String> = Vec::new();
    let mut names = BTreeSet::new();
    for grant in &policy.grants {
        if !names.insert(&grant.name) {
            problems.push(format!("there are two grants `{}`: audit events name the rule", grant.name));
        }
        problems.extend(check_grant(grant, ports).into_iter().map(|what| format!("grant `{}`: {what}", grant.name)));
    }
    if problems.is_empty() {
        return Ok(policy);
    }
    let problem = |what| ProductError::NotPossible { origin: source.origin.to_owned(), what };
    Err(problems.into_iter().map(problem).collect())
}

fn check_grant(grant: &Grant, ports: &[OutputPort]) -> Vec<String> {
    let mut problems = Vec::new();
    if grant.principals.is_empty() || grant.access_paths.is_empty() {
        problems.push("`principals` and `doors` must not be empty: such a grant gives nothing".to_owned());
    }
    if let Some(idle) = grant.masking.keys().find(|class| **class <= grant.clearance) {
        problems.push(format!("masking of `{idle}` has no effect, because clearance is `{}`", grant.clearance));
    }
    if grant.masking.contains_key(&Classification::Public) && grant.clearance >= Classification::Public {
        problems.push("public columns are always read as they are".to_owned());
    }
    problems.extend(partial_without_text(grant, ports));
    let named = grant.ports.iter().flatten();
    problems.extend(named.filter(|name| !ports.iter().any(|port| port.name == **name)).map(|name| {
        let there: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
        format!("there is no output port `{name}`; there are {}", there.join(", "))
    }));
    let covered = ports.iter().filter(|port| grant.ports.as_ref().is_none_or(|names| names.contains(&port.name)));
    let covered: Vec<&OutputPort> = covered.collect();
    for column in grant.columns.iter().flatten() {
        if !covered.iter().any(|port| port.contract.column(column.as_str()).is_some()) {
            problems.push(format!("no port of the grant has a column `{column}`"));
        }
    }
    if let Some(rows) = &grant.rows {
        problems.extend(check_rows(rows, &covered));
    }
    problems
}

/// `partial` shows the end of texts. A class of which a grant reads columns and no text among them is masked otherwise.
fn partial_without_text(grant: &Grant, ports: &[OutputPort]) -> Vec<String> {
    let mut problems = Vec::new();
    for class in grant.masking.iter().filter(|(_, masking)| **masking == Masking::Partial).map(|(class, _)| *class) {
        let columns = masked_columns(grant, ports, class);
        if !columns.is_empty() && !columns.iter().any(|(_, column)| column.column_type == ColumnType::Text) {
            let names: Vec<String> = columns
                .iter()
                .map(|(port, column)| format!("`{port}.{}` ({})", column.name, column.column_type))
                .collect();
            problems.push(format!(
                "masking of `{class}` is `partial`, which shows the end of texts, and the grant has none: {}; write `hash`, `null` or `hide`",
                names.join(", ")
            ));
        }
    }
    problems
}

/// The columns of a class that a grant reads, each with its port.
pub(super) fn masked_columns<'a>(
    grant: &'a Grant,
    ports: &'a [OutputPort],
    class: Classification,
) -> Vec<(&'a PortName, &'a Column)> {
    let covered = ports.iter().filter(|port| grant.ports.as_ref().is_none_or(|names| names.contains(&port.name)));
    let columns = covered.flat_map(|port| port.contract.columns.iter().map(move |column| (&port.name, column)));
    let is_masked = |(_, column): &(&PortName, &Column)| {
        Classification::of_contract(column.classification.as_deref()) == class
            && grant.columns.as_ref().is_none_or(|columns| columns.contains(&column.name))
    };
    columns.filter(is_masked).collect()
}

/// The row filter must mean something on every port that the grant covers.
fn check_rows(rows: &str, covered: &[&OutputPort]) -> Vec<String> {
    let predicate: Predicate = match rows.parse() {
        Ok(predicate) => predicate,
        Err(error) => return vec![format!("rows: {error}")],
    };
    let columns = predicate.columns();
    let mut problems = Vec::new();
    for port in covered {
        for column in &columns {
            let place = format!("port `{}`", port.name);
            match port.contract.column(column) {
                None => problems.push(format!("rows: {place} has no column `{column}`")),
                Some(declared) if declared.column_type.is_nested() => problems.push(format!(
                    "rows: column `{column}` of {place} is {}, which a row filter cannot compare; name another column",
                    declared.column_type
                )),
                Some(_) => {}
            }
        }
    }
    problems
}
