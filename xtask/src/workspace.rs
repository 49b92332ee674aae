//! Where the workspace is, and how commands are run in it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Paths of this checkout and of its build output.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo, so that `CARGO_TARGET_DIR` and configuration files are honoured.
    ///
    /// # Errors
    /// When `cargo metadata` fails, which it does on a broken `Cargo.toml`.
    pub(crate) fn discover() -> Result<Self> {
        // What cargo says now, not what it said when this was compiled: clones may share a target folder.
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let manifest = Path::new(&package).join("Cargo.toml");
        let mut command = cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(manifest);
        let metadata: serde_json::Value = serde_json::from_slice(&output_of(&mut command)?)?;
        let path = |key: &str| -> Result<PathBuf> {
            let text = metadata.get(key).and_then(serde_json::Value::as_str);
            Ok(PathBuf::from(text.with_context(|| format!("cargo metadata has no {key}"))?))
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// The checkout. Every command runs here.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target directory; everything xtask writes is below it unless an option says otherwise.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The `sluice` binary of the one build profile that tests, demo and benchmark share.
    pub(crate) fn sluice(&self) -> PathBuf {
        self.target.join("debug").join(format!("sluice{}", env::consts::EXE_SUFFIX))
    }

    /// A cargo command in this checkout.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }

    /// Any other command in this checkout, without input.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        clear_cargo_variables(&mut command);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Builds every binary of the workspace, with the dependencies exactly as the tests have them.
    ///
    /// # Errors
    /// When the build fails.
    pub(crate) fn build_binaries(&self) -> Result<()> {
        self.build(&["--workspace", "--bins"])
    }

    /// Builds every binary and every test, in one go: cargo then always has something for each core.
    ///
    /// # Errors
    /// When the build fails.
    pub(crate) fn build_tests(&self) -> Result<()> {
        self.build(&["--workspace", "--bins", "--tests"])
    }

    /// Builds the `sluice` command and nothing else. Its dependencies are those of the tests (`features`), which build on.
    ///
    /// # Errors
    /// When the build fails.
    pub(crate) fn build_sluice(&self) -> Result<()> {
        self.build(&["--package", "sluice-cli", "--bin", "sluice"])
    }

    fn build(&self, what: &[&str]) -> Result<()> {
        run(self.cargo().arg("build").args(what))?;
        ensure!(
            self.sluice().is_file(),
            "the build left no {}: does crate `sluice-cli` have a bin `sluice`?",
            self.sluice().display()
        );
        Ok(())
    }

    /// A path as a user at the root of the checkout would type it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        quoted(&path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy())
    }
}

/// A word as a shell needs it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clear_cargo_variables(&mut command);
    command.stdin(Stdio::null());
    command
}

/// `cargo run` describes the package it runs to its child in variables, and build scripts of some dependencies declare
/// that they depend on these: passed on, they would make cargo compile half of the dependencies a second time.
fn clear_cargo_variables(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let describes_xtask = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if describes_xtask.iter().any(|prefix| text.starts_with(prefix)) || text == "CARGO_PRIMARY_PACKAGE" {
            command.env_remove(&name);
        }
    }
}

/// Runs a command to its end with its output shown.
///
/// # Errors
/// When it cannot be started or does not exit with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// Runs a command to its end and takes its standard output.
///
/// # Errors
/// When it cannot be started or does not exit with 0; the message carries what it wrote to standard error.
pub(crate) fn output_of(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}\n{}", line(command), output.status, said.trim_end());
    }
    Ok(output.stdout)
}

/// A command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name =
        if program.file_stem() == Some(OsStr::new("cargo")) { "cargo".into() } else { program.to_string_lossy() };
    let words = command.get_args().map(OsStr::to_string_lossy);
    std::iter::once(name).chain(words).map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
}
