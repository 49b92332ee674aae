//! Tests of the contract module as its callers use it.

mod compile;
mod laws;
mod official;
mod quality;

use super::{Contract, ContractError, TableContract};

/// A contract of one table `t` with these properties (YAML, indented by four) and table rules (same).
fn contract(properties: &str, quality: &str) -> String {
    let indent = |text: &str| text.lines().map(|line| format!("      {line}\n")).collect::<String>();
    let quality = if quality.is_empty() { String::new() } else { format!("    quality:\n{}", indent(quality)) };
    format!(
        "apiVersion: v3.2.0\nkind: DataContract\nid: c\nversion: 1.0.0\n\
         schema:\n  - name: t\n    properties:\n{}{quality}",
        indent(properties)
    )
}

fn compile(properties: &str, quality: &str) -> Result<TableContract, ContractError> {
    Contract::parse(&contract(properties, quality), "t.odcs.yaml")?.table(None)
}

/// The message of a refusal.
fn refusal(properties: &str, quality: &str) -> String {
    match compile(properties, quality) {
        Ok(table) => panic!("accepted: {table:?}"),
        Err(error) => error.to_string(),
    }
}
