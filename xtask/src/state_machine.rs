//! Lint of the state machines by two third-party validators.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

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
                run(workspace.command(&statelint).arg(definition)).context("statelint refuses the state machine")?;
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
    use super::fill_placeholders;

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
}
