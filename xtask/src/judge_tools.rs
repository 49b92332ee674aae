//! Third-party judges, installed once per version of their pins below `<target>/tools`.
//!
//! Python packages into a virtual environment, npm packages into a folder. The pins are files of `tests/judges`; a folder's
//! name carries a hash of its pins, so a changed pin is a new folder and never a half-updated one.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::{Workspace, output_of, run};

/// The oldest Python the pinned packages have wheels for.
const OLDEST_PYTHON: (u32, u32) = (3, 11);
/// Written last into an installed folder: without it the folder is a torso and is made again.
pub(crate) const COMPLETE: &str = ".complete";

/// An installed tool, or the reason why this machine cannot have it.
pub(crate) enum Tool {
    /// Installed; the path of its program.
    Ready(PathBuf),
    /// This machine lacks what it is installed with.
    Missing(String),
}

/// The folder all tools live in.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("tools")
}

/// The Python with the packages that judge tables and definitions.
///
/// # Errors
/// Those of [`python_with`].
pub(crate) fn python(workspace: &Workspace) -> Result<Tool> {
    python_with(workspace, "tests/judges/requirements.txt")
}

/// The Python with the clients and testers of the HTTP APIs.
///
/// # Errors
/// Those of [`python_with`].
pub(crate) fn apis_python(workspace: &Workspace) -> Result<Tool> {
    python_with(workspace, "tests/judges/apis-requirements.txt")
}

/// The Python of a virtual environment with the packages of this file.
///
/// # Errors
/// When Python exists but the packages cannot be installed: the network or a pin is broken.
pub(crate) fn python_with(workspace: &Workspace, pins: &str) -> Result<Tool> {
    let pins = workspace.root().join(pins);
    let environment = folder(workspace).join(format!("venv-{}", hash_of(&[&pins])?));
    let python = environment.join("bin/python");
    let _lock = lock(workspace)?;
    if environment.join(COMPLETE).is_file() && output_of(workspace.command(&python).arg("-V")).is_ok() {
        return Ok(Tool::Ready(python));
    }
    let Some(base) = base_python(workspace) else {
        let (major, minor) = OLDEST_PYTHON;
        return Ok(Tool::Missing(format!("no Python {major}.{minor} or newer on the PATH")));
    };
    println!("installing {} into {}", workspace.shown(&pins), environment.display());
    // A judge that is built from source depends on the compilers of this machine.
    if let Some(missing) = install_python(workspace, &base, &environment, &pins, &["--only-binary", ":all:"])? {
        return Ok(Tool::Missing(missing));
    }
    File::create(environment.join(COMPLETE))?;
    Ok(Tool::Ready(python))
}

/// Makes a virtual environment with the packages of a file; the reason when this machine cannot.
///
/// # Errors
/// When the packages cannot be installed.
pub(crate) fn install_python(
    workspace: &Workspace,
    base: &str,
    environment: &Path,
    pins: &Path,
    options: &[&str],
) -> Result<Option<String>> {
    let python = environment.join("bin/python");
    remove(environment)?;
    let create =
        |extra: &[&str]| output_of(workspace.command(base).args(["-m", "venv"]).args(extra).arg(environment)).map(drop);
    // Distributions that split `venv` leave out ensurepip: then the pip outside installs into the environment.
    let mut pip = if create(&[]).is_ok() {
        let mut pip = workspace.command(&python);
        pip.args(["-m", "pip"]);
        pip
    } else {
        remove(environment)?;
        let outside = create(&["--without-pip"])
            .and_then(|()| output_of(workspace.command(base).args(["-m", "pip", "--version"])).map(drop));
        if let Err(error) = outside {
            return Ok(Some(format!("{base} can make no virtual environment (install python3-venv): {error:#}")));
        }
        let mut pip = workspace.command(base);
        pip.args(["-m", "pip", "--python"]).arg(&python);
        pip
    };
    pip.args(["--quiet", "--disable-pip-version-check", "--no-input", "install"]).args(options).arg("-r").arg(pins);
    run(&mut pip).context("the pinned Python packages cannot be installed: is a package registry within reach?")?;
    Ok(None)
}

/// The folder with the programs of `tests/judges/package.json`.
///
/// # Errors
/// When npm exists but the packages cannot be installed.
pub(crate) fn node_programs(workspace: &Workspace) -> Result<Tool> {
    let judges = workspace.root().join("tests/judges");
    let pins = [judges.join("package.json"), judges.join("package-lock.json")];
    let installed = folder(workspace).join(format!("npm-{}", hash_of(&[&pins[0], &pins[1]])?));
    let programs = installed.join("node_modules/.bin");
    let _lock = lock(workspace)?;
    for program in ["node", "npm"] {
        if output_of(workspace.command(program).arg("--version")).is_err() {
            return Ok(Tool::Missing(format!("no {program} on the PATH")));
        }
    }
    if installed.join(COMPLETE).is_file() {
        return Ok(Tool::Ready(programs));
    }
    println!("installing the npm judges into {}", installed.display());
    remove(&installed)?;
    fs::create_dir_all(&installed)?;
    for pin in &pins {
        fs::copy(pin, installed.join(pin.file_name().unwrap_or_default()))?;
    }
    let mut npm = workspace.command("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&installed);
    run(&mut npm).context("the pinned npm judges cannot be installed: is a package registry within reach?")?;
    File::create(installed.join(COMPLETE))?;
    Ok(Tool::Ready(programs))
}

/// Two xtasks at once take turns; the lock goes with the returned file.
pub(crate) fn lock(workspace: &Workspace) -> Result<File> {
    fs::create_dir_all(folder(workspace))?;
    let file = File::create(folder(workspace).join(".lock"))?;
    file.lock()?;
    Ok(file)
}

/// A Python that is new enough.
pub(crate) fn base_python(workspace: &Workspace) -> Option<String> {
    let (major, minor) = OLDEST_PYTHON;
    let question = format!("import sys; sys.exit(sys.version_info < ({major}, {minor}))");
    let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"];
    let fits = |name: &&&str| output_of(workspace.command(name).args(["-c", &question])).is_ok();
    names.iter().find(fits).map(|name| (*name).to_owned())
}

/// Distinguishes one state of the pins from another.
pub(crate) fn hash_of(files: &[&Path]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file).with_context(|| format!("cannot read {}", file.display()))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Removes a folder, if it exists.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Puts a tool's place into the environment of a test run, for the Rust tests that ask a judge.
pub(crate) fn export(command: &mut Command, workspace: &Workspace, python: Option<&Path>) {
    command.env("SLUICE_TOOLS", folder(workspace)).env("SLUICE_BIN", workspace.sluice());
    match python {
        Some(python) => command.env("SLUICE_PYTHON", python),
        None => command.env_remove("SLUICE_PYTHON"),
    };
    let spark = folder(workspace).join("spark");
    for (variable, place) in [("SLUICE_SPARK_HOME", "home"), ("SLUICE_DELTA_JARS", "jars")] {
        if std::env::var_os(variable).is_none() && spark.join(place).is_dir() {
            command.env(variable, spark.join(place));
        }
    }
}
