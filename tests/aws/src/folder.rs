//! Folders that processes of the bed write into.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// Removes a folder. What was under way may still write once into it, so it is tried again.
pub(crate) async fn removed(folder: &Path) -> anyhow::Result<()> {
    let mut tries = 0;
    loop {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound && tries < 20 => tries += 1,
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{}", folder.display()));
            }
            _ => return Ok(()),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
