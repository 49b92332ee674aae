//! Lint of the state machines by two third-party validators.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::judge_tools::{self, Tool};
use crate::workspace::{Workspace, run};

/// What a placeholder stands for while linting: the validators want a resource to be a URI.
const SAMPLE_ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function";

/// Lints every `statemachines/*.asl.json`; returns what could not be run on this machine, and why.
///
/// # Errors
/// When a validator refuses a definition; it has said why on the terminal.
pub(crate) fn lint(workspace: &Workspace) -> Result<Vec<String>> {
    let mut skipped = Vec::new();
    let definitions = definitions(workspace)?;
    match judge_tools::python(workspace)? {
        Tool::Ready(python) => {
            let statelint = python.with_file_name("statelint");
            for definition in &definitions {
                let copy = within_the_specification(definition)?;
                run(workspace.command(&statelint).arg(copy)).context("statelint refuses the state machine")?;
                println!("statelint accepts {}", definition.display());
            }
        }
        Tool::Missing(reason) => skipped.push(format!("statelint: {reason}")),
    }
    match judge_tools::node_programs(workspace)? {
        Tool::Ready(programs) => {
            for definition in &definitions {
                run(workspace.command(programs.join("asl-validator")).arg("--json-path").arg(definition))
                    .context("asl-validator refuses the state machine")?;
            }
        }
        Tool::Missing(reason) => skipped.push(format!("asl-validator: {reason}")),
    }
    Ok(skipped)
}

/// Copies of the definitions with every `${Placeholder}` filled in, as the deployment does.
fn definitions(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let source = workspace.root().join("statemachines");
    let copies = judge_tools::folder(workspace).join("statemachines");
    fs::create_dir_all(&copies)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(&source).with_context(|| format!("cannot list {}", source.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".asl.json") {
            found.push(fill_in(&path, &copies)?);
        }
    }
    ensure!(!found.is_empty(), "no *.asl.json in {}", source.display());
    found.sort();
    Ok(found)
}

fn fill_in(definition: &Path, copies: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(definition).with_context(|| format!("cannot read {}", definition.display()))?;
    let copy = copies.join(definition.file_name().unwrap_or_default());
    fs::write(&copy, fill_placeholders(&text))?;
    Ok(copy)
}

/// A copy without what AWS has added to the language: statelint knows the specification, whose Map has no `Label`.
fn within_the_specification(definition: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(definition).with_context(|| format!("cannot read {}", definition.display()))?;
    let mut value: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", definition.display()))?;
    remove_labels(&mut value);
    let copy = definition.with_extension("statelint.json");
    fs::write(&copy, value.to_string())?;
    Ok(copy)
}

fn remove_labels(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("Type").and_then(Value::as_str) == Some("Map") {
                fields.remove("Label");
            }
            fields.values_mut().for_each(remove_labels);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_labels),
        _ => {}
    }
}

fn fill_placeholders(text: &str) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            filled.push_str("${");
            rest = after;
            continue;
        };
        filled.push_str(&format!("{SAMPLE_ARN}:{name}"));
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{fill_placeholders, remove_labels};

    fn check(text: &str, expected: &str) {
        assert_eq!(fill_placeholders(text), expected);
    }

    #[test]
    fn placeholders_become_arns_and_the_rest_stays() {
        check(
            r#"{"A": "${Publish}", "B": 1}"#,
            r#"{"A": "arn:aws:lambda:eu-west-1:123456789012:function:Publish", "B": 1}"#,
        );
        check("no placeholder, $.path and {}", "no placeholder, $.path and {}");
        check("open ${end", "open ${end");
    }

    #[test]
    fn labels_of_maps_are_removed_and_nothing_else_is() {
        let mut definition = json!({ "States": {
            "M": { "Type": "Map", "Label": "M", "ItemProcessor": { "States": {
                "N": { "Type": "Map", "Label": "N" },
            } } },
            "P": { "Type": "Pass", "Result": { "Label": "kept" } },
        } });
        remove_labels(&mut definition);
        let expected = json!({ "States": {
            "M": { "Type": "Map", "ItemProcessor": { "States": { "N": { "Type": "Map" } } } },
            "P": { "Type": "Pass", "Result": { "Label": "kept" } },
        } });
        assert_eq!(definition, expected);
    }
}
