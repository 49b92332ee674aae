//! Source files: the real ones if they exist, and edits of generated ones.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files;

/// The files of the UCI "Online Retail" data set next to the repository, by date; `None` if they do not exist.
pub fn retail_files() -> Option<Vec<PathBuf>> {
    let folder = files::repository().parent()?.join("shared/data/retail");
    let found: Vec<PathBuf> =
        files::entries(&folder).into_iter().filter(|path| path.extension().is_some_and(|end| end == "csv")).collect();
    (!found.is_empty()).then_some(found)
}

/// A CSV file without quoted line breaks, as lines: the header and the records, without their ends.
pub fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
    text.lines().map(str::to_owned).collect()
}

/// Writes lines to a file, each with its end.
pub fn write_lines(file: &Path, lines: &[String]) {
    let mut text = lines.join("\n");
    text.push('\n');
    fs::write(file, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
}

/// Records of CSV files without quoted line breaks: their lines without the headers.
pub fn record_count<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> u64 {
    files.into_iter().map(|file| lines(file).len() as u64 - 1).sum()
}

/// The fields of a CSV record, when it has eight and none is quoted; such a record is easy to edit.
pub fn plain_fields(record: &str) -> Option<Vec<&str>> {
    let fields: Vec<&str> = record.split(',').collect();
    (fields.len() == 8 && !record.contains('"')).then_some(fields)
}
