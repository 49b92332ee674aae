//! Keeps one feature set: what the demo builds for one package must be what the tests build for all of them, or Cargo
//! compiles Polars twice.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use crate::workspace::{Workspace, output_of};

/// Packages that are also built alone: by the demo, by people who work on the engine.
const BUILT_ALONE: [&str; 2] = ["sluice-cli", "sluice-lake"];

/// Compares the features of third-party crates for each package built alone with those for the whole workspace.
///
/// # Errors
/// Names the crates that would be compiled twice, and the file that mends it.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let all = features(workspace, &["--workspace", "--edges", "normal,build,dev"])?;
    for package in BUILT_ALONE {
        let alone = features(workspace, &["--package", package, "--edges", "normal,build"])?;
        let other: Vec<&str> = alone.difference(&all).map(String::as_str).collect();
        ensure!(
            other.is_empty(),
            "`--package {package}` and `--workspace` choose different features for crates that both compile:\n  {}\n\
             name these crates, with the features of the workspace, in shared/feature-set/Cargo.toml",
            other.join("\n  ")
        );
    }
    println!("one feature set: {} build the same dependencies alone and together", BUILT_ALONE.join(" and "));
    Ok(())
}

/// `name version|features` of every crate that is not ours.
fn features(workspace: &Workspace, selection: &[&str]) -> Result<BTreeSet<String>> {
    let mut tree = workspace.cargo();
    tree.args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}"]).args(selection);
    let lines = String::from_utf8(output_of(&mut tree)?).context("cargo tree")?;
    // A path stands behind the version of our own packages, whose features may differ: nothing heavy depends on them.
    Ok(lines.lines().filter(|line| !line.contains(" (/")).map(bare).collect())
}

/// A line without the marks that say what kind of crate it is and that it stands further up with its dependencies.
fn bare(line: &str) -> String {
    line.replace(" (proc-macro)", "").replace(" (*)", "")
}
