//! Parquet files that are staged already, as a view: exactly these files, and nothing else of their folder.

use std::collections::BTreeMap;

use sluice_core::columns::StoredColumn;
use sluice_core::contract::ColumnType;
use sluice_core::name::ColumnName;
use sluice_core::uri::{FolderUri, LakePath};

use super::RowsFile;
use super::text::{name, text, type_name};

/// Rows that reading has staged.
pub(super) struct StagedRows<'a> {
    /// Name of the view.
    pub(super) view: &'a str,
    /// The lake's root.
    pub(super) lake: &'a FolderUri,
    /// The folder that the paths of the files begin in.
    pub(super) folder: &'a LakePath,
    /// The files.
    pub(super) files: &'a [RowsFile],
    /// The columns that they have, with those of their partitions.
    pub(super) columns: &'a [StoredColumn],
    /// The columns whose values are in the names of folders.
    pub(super) partition_by: &'a [ColumnName],
}

impl StagedRows<'_> {
    /// Statements that make the view, and fail where it has not all of the rows: Spark passes a file by that is gone.
    pub(super) fn statements(&self) -> String {
        let (view, of_files) = (name(self.view), name(&format!("files_{}", self.view)));
        if self.files.is_empty() {
            let nulls: Vec<String> = self.columns.iter().map(null_of).collect();
            return format!("CREATE OR REPLACE TEMPORARY VIEW {view} AS\nSELECT {} WHERE FALSE;\n\n", nulls.join(", "));
        }
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{} {}", name(&column.name), type_name(&column.column_type)))
            .collect();
        let shown: Vec<String> = self.columns.iter().map(|column| self.value(column)).collect();
        let folder = self.lake.object(self.folder).hadoop_path();
        let rows = self.files.iter().map(|file| file.rows).fold(0, u64::saturating_add);
        format!(
            "CREATE OR REPLACE TEMPORARY VIEW {of_files} (\n  {columns}\n) USING parquet\n\
             OPTIONS (path {path}, basePath {base});\n\n\
             CREATE OR REPLACE TEMPORARY VIEW {view} AS\nSELECT {shown} FROM {of_files};\n\n\
             SELECT assert_true(count(*) = {rows}, {message}) FROM {view};\n\n",
            columns = columns.join(",\n  "),
            path = text(&self.glob()),
            base = text(&folder),
            shown = shown.join(", "),
            message = text(&format!("the staged files in {folder} do not have the {rows} rows that were written")),
        )
    }

    /// A column as it was written. Names of folders have texts in percent-encoded UTF-8, of which Spark makes a character of
    /// every byte.
    fn value(&self, column: &StoredColumn) -> String {
        let shown = name(&column.name);
        let in_folder = self.partition_by.iter().any(|partition| partition.as_str() == column.name);
        match &column.column_type {
            ColumnType::Text if in_folder => {
                format!("decode(encode({shown}, 'ISO-8859-1'), 'UTF-8') AS {shown}")
            }
            _ => shown,
        }
    }

    /// A pattern that matches exactly the files. Those of one folder are one alternative, which costs one listing; each
    /// alternative of another folder costs one more.
    fn glob(&self) -> String {
        let (root, folder) = self.lake.object(self.folder).hadoop_parts();
        let mut by_folder: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for file in self.files {
            let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            by_folder.entry(folder).or_default().push(escaped(name));
        }
        let alternatives: Vec<String> = by_folder
            .into_iter()
            .map(|(folder, names)| match folder {
                "" => one_of(&names),
                _ => format!("{}/{}", escaped(folder), one_of(&names)),
            })
            .collect();
        format!("{root}{}/{}", escaped(&folder), one_of(&alternatives))
    }
}

/// A pattern that matches each of these and nothing else.
fn one_of(patterns: &[String]) -> String {
    match patterns {
        [only] => only.clone(),
        _ => format!("{{{}}}", patterns.join(",")),
    }
}

/// A column that the rows there do not have.
pub(super) fn null_of(column: &StoredColumn) -> String {
    format!("CAST(NULL AS {}) AS {}", type_name(&column.column_type), name(&column.name))
}

/// A path as the pattern that matches it alone.
fn escaped(path: &str) -> String {
    path.chars().flat_map(|c| "{},*?[]\\^".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use sluice_core::columns::stored;

    use super::*;

    fn statements(lake: &str, paths: &[&str]) -> String {
        let files: Vec<RowsFile> = paths.iter().map(|path| RowsFile { path: (*path).to_owned(), rows: 3 }).collect();
        let columns =
            [stored("id", ColumnType::Int64), stored("a b", ColumnType::Text), stored("day", ColumnType::Text)];
        let (lake, folder) = (lake.parse().expect("lake"), "silver/sales/t".parse().expect("folder"));
        let partition_by = ["day".parse().expect("column")];
        StagedRows {
            view: "stage",
            lake: &lake,
            folder: &folder,
            files: &files,
            columns: &columns,
            partition_by: &partition_by,
        }
        .statements()
    }

    #[test]
    fn a_view_has_exactly_the_files_and_proves_their_rows() {
        let check = |lake: &str, paths: &[&str], expected: &[&str]| {
            let statements = statements(lake, paths);
            for part in expected {
                assert!(statements.contains(part), "{part}: {statements}");
            }
        };
        check("s3://b/prod", &["1.parquet"], &["path 's3://b/prod/silver/sales/t/1.parquet'", "count(*) = 3"]);
        check(
            "s3://b/prod",
            &["day=1/a.parquet", "day=%7Bx%7D/b.parquet"],
            &[
                "path 's3://b/prod/silver/sales/t/{day=%7Bx%7D/b.parquet,day=1/a.parquet}'",
                "basePath 's3://b/prod/silver/sales/t'",
                "count(*) = 6",
                "`a b` STRING",
                "SELECT `id`, `a b`, decode(encode(`day`, 'ISO-8859-1'), 'UTF-8') AS `day` FROM `files_stage`",
            ],
        );
        check(
            "s3://b",
            &["day=1/a.parquet", "day=1/b.parquet", "c.parquet"],
            &["path 's3://b/silver/sales/t/{c.parquet,day=1/{a.parquet,b.parquet}}'", "count(*) = 9"],
        );
        check("file:///l/%5Bc%5D", &["1.parquet"], &[r"path 'file:///l/\\[c\\]/silver/sales/t/1.parquet'"]);
        check(
            "s3://b",
            &[],
            &[
                "SELECT CAST(NULL AS BIGINT) AS `id`, CAST(NULL AS STRING) AS `a b`, CAST(NULL AS STRING) AS `day` WHERE FALSE",
            ],
        );
    }
}
