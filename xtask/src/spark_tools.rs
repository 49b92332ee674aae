//! Spark and Delta's jars for the large engine on this machine, installed once per version of their pins.
//!
//! `<target>/tools/spark` is a link to the folder of the current pins. In it are `home`, a link to Spark, and `jars`. The
//! `sluice` command and the tests look there by themselves.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::judge_tools::{COMPLETE, Tool, base_python, folder, hash_of, install_python, lock, remove};
use crate::workspace::{Workspace, output_of, run};

const PYTHON_PINS: &str = "tests/judges/spark-requirements.txt";
const JAR_PINS: &str = "tests/judges/spark-jars.txt";
/// Copies an artifact out of a Maven repository. The version is pinned as the artifacts are.
const MAVEN_GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
/// The Java that Spark 3.5 runs on and that is tested.
const JAVA_ADVICE: &str = "no java on the PATH: install a JRE 17, such as openjdk-17-jre-headless";

/// `cargo xtask spark-tools`.
///
/// # Errors
/// When something is missing, or cannot be installed.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    match ready(workspace)? {
        Tool::Ready(folder) => println!("Spark is in {}", folder.display()),
        Tool::Missing(reason) => anyhow::bail!("Spark cannot be installed: {reason}"),
    }
    Ok(())
}

/// The folder with Spark and the jars, installed now if need be.
///
/// # Errors
/// When the tools to install it exist but it cannot be installed: the network or a pin is broken.
pub(crate) fn ready(workspace: &Workspace) -> Result<Tool> {
    if output_of(workspace.command("java").arg("-version")).is_err() {
        return Ok(Tool::Missing(JAVA_ADVICE.to_owned()));
    }
    let pins = [PYTHON_PINS, JAR_PINS].map(|pins| workspace.root().join(pins));
    let _lock = lock(workspace)?;
    let installed = folder(workspace).join(format!("spark-{}", hash_of(&[&pins[0], &pins[1]])?));
    if !installed.join(COMPLETE).is_file() {
        if let Some(missing) = fill(workspace, &installed, &pins)? {
            return Ok(Tool::Missing(missing));
        }
        File::create(installed.join(COMPLETE))?;
    }
    let current = folder(workspace).join("spark");
    link(&installed, &current)?;
    Ok(Tool::Ready(current))
}

/// Installs into an empty folder; the reason when this machine cannot.
fn fill(workspace: &Workspace, installed: &Path, pins: &[PathBuf; 2]) -> Result<Option<String>> {
    let [python_pins, jar_pins] = pins;
    let Some(base) = base_python(workspace) else { return Ok(Some("no Python 3.11 or newer on the PATH".to_owned())) };
    if output_of(workspace.command("mvn").arg("-v")).is_err() {
        return Ok(Some("no mvn on the PATH: install Maven, which fetches the Delta jars".to_owned()));
    }
    println!("installing Spark and its Delta jars into {} (some 400 MB)", installed.display());
    remove(installed)?;
    let environment = installed.join("venv");
    // PySpark is published as source only; there is nothing to compile in it.
    if let Some(missing) = install_python(workspace, &base, &environment, python_pins, &[])? {
        return Ok(Some(missing));
    }
    let mut question = workspace.command(environment.join("bin/python"));
    question.args(["-c", "import os, pyspark; print(os.path.dirname(pyspark.__file__), end='')"]);
    let home = String::from_utf8(output_of(&mut question)?).context("the path of pyspark is no UTF-8")?;
    link(Path::new(&home), &installed.join("home"))?;
    let jars = installed.join("jars");
    fs::create_dir_all(&jars)?;
    let artifacts = fs::read_to_string(jar_pins).with_context(|| format!("cannot read {}", jar_pins.display()))?;
    for artifact in artifacts.lines().filter(|line| !line.trim().is_empty()) {
        let mut maven = workspace.command("mvn");
        maven.args(["-q", "-B", MAVEN_GOAL]);
        maven.arg(format!("-Dartifact={artifact}")).arg(format!("-DoutputDirectory={}", jars.display()));
        run(&mut maven).context("the pinned Delta jars cannot be fetched: is a Maven repository within reach?")?;
    }
    Ok(None)
}

/// Makes or turns a link.
fn link(target: &Path, link: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|current| current == target) {
        return Ok(());
    }
    match fs::remove_file(link) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", link.display()));
        }
        _ => {}
    }
    symlink(target, link).with_context(|| format!("cannot link {}", link.display()))
}
