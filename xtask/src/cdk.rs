//! The CDK app: linted, typed, tested, synthesized, and its templates judged by cfn-lint and checkov. Nothing leaves this machine but to
//! install packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::judge_tools::{self, Tool};
use crate::workspace::{Workspace, output_of, run};

/// Environments of the repository: together they have everything that the app can make.
const ENVIRONMENTS: [&str; 3] = ["dev", "prod", "prod-west"];
/// Oldest Node that the app runs on.
const OLDEST_NODE: u32 = 20;

/// Checks the app; returns what could not be checked here.
///
/// # Errors
/// When something is wrong with the app or its templates.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    if let Some(missing) = missing_node(workspace) {
        return Ok(vec![format!("the CDK app: {missing}")]);
    }
    let app = workspace.root().join("cdk");
    install(workspace, &app)?;
    let npm = |script: &str| {
        let mut command = workspace.command("npm");
        command.args(["run", "--silent", script]).current_dir(&app).env("SLUICE_BIN", workspace.sluice());
        command
    };
    for script in ["lint", "types", "test"] {
        run(&mut npm(script))?;
    }
    let templates = synthesize(workspace, &app)?;
    judge(workspace, &templates)
}

fn missing_node(workspace: &Workspace) -> Option<String> {
    let version = output_of(workspace.command("node").arg("--version")).ok();
    let version = version.map(|text| String::from_utf8_lossy(&text).trim().to_owned()).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST_NODE => None,
        _ => Some(format!("no Node {OLDEST_NODE} or newer on the PATH")),
    }
}

/// Installs the locked packages, once per lock file.
fn install(workspace: &Workspace, app: &Path) -> Result<()> {
    let (lock, done) = (app.join("package-lock.json"), app.join("node_modules/.package-lock.json"));
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    if modified(&done).is_some_and(|done| modified(&lock).is_some_and(|lock| done >= lock)) {
        return Ok(());
    }
    let mut npm = workspace.command("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]).current_dir(app);
    run(&mut npm).context("the locked npm packages cannot be installed: is a package registry within reach?")
}

/// The templates of all environments, synthesized over placeholders for the built functions.
fn synthesize(workspace: &Workspace, app: &Path) -> Result<Vec<PathBuf>> {
    let folder = workspace.target().join("cdk");
    judge_tools::remove(&folder)?;
    let artifacts = folder.join("functions");
    for function in fs::read_dir(workspace.root().join("functions"))? {
        let placeholder = artifacts.join(function?.file_name());
        fs::create_dir_all(&placeholder)?;
        fs::write(placeholder.join("bootstrap"), format!("#!/bin/sh\n# {}\n", placeholder.display()))?;
    }
    let mut templates = Vec::new();
    for environment in ENVIRONMENTS {
        let assembly = folder.join(environment);
        let mut cdk = workspace.command("npx");
        cdk.args(["--no-install", "cdk", "synth", "--quiet", "--output"]).arg(&assembly);
        cdk.args(["--context", &format!("environment={environment}")]);
        cdk.arg("--context").arg(format!("artifacts={}", artifacts.display()));
        run(cdk.current_dir(app).env("SLUICE_BIN", workspace.sluice()).env("CI", "true"))?;
        for entry in fs::read_dir(&assembly)? {
            let path = entry?.path();
            if path.to_str().is_some_and(|name| name.ends_with(".template.json")) {
                templates.push(path);
            }
        }
    }
    ensure!(!templates.is_empty(), "nothing was synthesized");
    templates.sort();
    Ok(templates)
}

/// cfn-lint and checkov on every template.
fn judge(workspace: &Workspace, templates: &[PathBuf]) -> Result<Vec<String>> {
    let python = match judge_tools::python_with(workspace, "cdk/requirements.txt")? {
        Tool::Ready(python) => python,
        Tool::Missing(reason) => return Ok(vec![format!("cfn-lint and checkov: {reason}")]),
    };
    let program = |name: &str| python.with_file_name(name);
    // Where its settings are.
    let mut lint = workspace.command(program("cfn-lint"));
    run(lint.current_dir(workspace.root().join("cdk")).arg("--").args(templates)).context("cfn-lint")?;
    let mut checkov = workspace.command(program("checkov"));
    checkov.args(["--framework", "cloudformation", "--compact", "--quiet", "--skip-download"]);
    for template in templates {
        checkov.arg("--file").arg(template);
    }
    run(&mut checkov).context("checkov")?;
    println!("cfn-lint and checkov: nothing in {} templates", templates.len());
    Ok(Vec::new())
}
