//! `cargo xtask demo`: builds the `sluice` binary and lets it live through a week of deliveries.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::demo_story::Story;
use crate::workspace::Workspace;

/// Shows that a folder is one this command made, so that it may be emptied.
const MARKER: &str = ".sluice-demo";

#[derive(Args)]
pub(crate) struct Options {
    /// Folder for the sample files and the lake; emptied first if an earlier demo made it [default: demo in the target folder].
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Rows per sample day.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(200..))]
    rows: u64,
}

/// Builds the `sluice` command, then runs the story.
///
/// # Errors
/// When the build fails or a step of the story does not end as it must.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = options.dir.clone().unwrap_or_else(|| workspace.target().join("demo"));
    let folder = std::path::absolute(&folder)?;
    println!(
        "Building the `sluice` command. The first build compiles its dependencies, which takes a while; the tests share them."
    );
    workspace.build_sluice()?;
    make_fresh(&folder)?;
    Story::new(workspace, &folder, options.rows).tell()
}

fn make_fresh(folder: &Path) -> Result<()> {
    let empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    if !empty {
        if !folder.join(MARKER).is_file() {
            bail!("{} is not empty and no earlier demo made it: name another folder with --dir", folder.display());
        }
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(folder.join(MARKER), "Made by `cargo xtask demo`, which empties this folder when it runs again.\n")?;
    Ok(())
}
