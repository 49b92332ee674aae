//! What the columns of silver tables are read from: columns that an object can have, or the origin of a row.

use std::collections::BTreeMap;

use super::{Resolver, options, several};
use crate::columns::{NameFault, folded_name, is_own_of_bronze};
use crate::contract::Column;
use crate::name::{ColumnName, SourceName, TableName};
use crate::path::{ColumnPath, PathStep};
use crate::pipeline::{ElementShape, ElementUse, SilverTable};
use crate::spec::{ColumnSource, SilverSpec, SourceFormat, SpecError};

/// A column of a source, by what readers see of its name that ignore case.
type Spelt<'a> = (Option<&'a SourceName>, String);
/// The names on the way to an element of a source of XML.
type Way<'a> = (Option<&'a SourceName>, Vec<String>);

impl Resolver<'_> {
    /// Silver tables read columns that an object can have. Where the spec says what the columns are called, they are
    /// among these.
    pub(super) fn check_source_columns(&self, silver: &[SilverTable]) -> Result<(), SpecError> {
        for table in silver {
            for (column, source) in &table.columns {
                if let Some(problem) = name_problem(source) {
                    let source = source.escape_debug();
                    let problem = format!("columns: `{column}` is mapped to '{source}', which {problem}");
                    return Err(self.problem(table.table.table(), problem));
                }
            }
        }
        for table in silver {
            let spec = self.source_named(table.source.as_ref())?;
            for (column, source) in table.of_source() {
                if let Some(words) = options::unknown_column(spec, source) {
                    let words = several::in_words(table.source.as_ref(), words);
                    let problem = format!("columns: `{column}` is mapped to `{source}`, which {words}");
                    return Err(self.problem(table.table.table(), problem));
                }
            }
        }
        Ok(())
    }

    /// All columns that read one source column write its name alike: rows of a bronze table have it under one name.
    pub(super) fn check_spellings(&self, silver: &[SilverTable]) -> Result<(), SpecError> {
        let mut met: BTreeMap<Spelt<'_>, (&TableName, &ColumnName, &String)> = BTreeMap::new();
        for table in silver {
            let name = table.table.table();
            for (column, source) in table.of_source() {
                let spelt = (table.source.as_ref(), folded_name(source));
                let (first_table, first, spelling) = *met.entry(spelt).or_insert((name, column, source));
                if spelling != source {
                    let of_table =
                        if first_table == name { String::new() } else { format!(" of table `{first_table}`") };
                    let problem = format!(
                        "columns: `{column}` is mapped to `{source}` and `{first}`{of_table} to `{spelling}`: names \
                         that differ in case are one column of bronze; write one of them"
                    );
                    return Err(self.problem(name, problem));
                }
            }
        }
        Ok(())
    }

    /// Of XML, an element that one column reads as a list is one in each record: then no column reads it as one value,
    /// and none as a list of lists.
    pub(super) fn check_lists(&self, silver: &[SilverTable]) -> Result<(), SpecError> {
        let mut met: BTreeMap<Way<'_>, (ElementShape, &ColumnName)> = BTreeMap::new();
        for table in silver {
            let (source, name) = (table.source.as_ref(), table.table.table());
            if self.source_named(source)?.format != SourceFormat::Xml {
                continue;
            }
            for ElementUse { column, way, shape } in table.element_uses() {
                let names = way.join(".");
                if shape == ElementShape::ListOfLists {
                    let problem = format!(
                        "columns: `{column}` reads `{names}` as a list of lists, and elements of XML that repeat are \
                         one list; make its items the elements, or take the number at the end of its path out"
                    );
                    return Err(self.problem(name, problem));
                }
                let (first_shape, first) = *met.entry((source, way)).or_insert((shape, column));
                if first_shape != shape {
                    let problem = format!(
                        "columns: one of `{first}` and `{column}` reads `{names}` by a number or as an array and the \
                         other one by a name or as one value; an element of XML is a list in each record or in none, \
                         so write a number behind it, such as `[0]`, in both paths or in neither; a path into an \
                         array has one"
                    );
                    return Err(self.problem(name, problem));
                }
            }
        }
        Ok(())
    }

    /// What each mapped column is read from: of a path, the column that it begins with; of a value about the origin of a
    /// row, the lineage column that it is made of.
    pub(super) fn source_columns(
        &self,
        spec: &SilverSpec,
        mapped: &[&Column],
    ) -> Result<Vec<(ColumnName, String)>, SpecError> {
        let format = self.source_named(spec.source.as_ref())?.format;
        let mut columns = Vec::new();
        for column in mapped {
            let Some(source) = spec.columns.get(&column.name) else { continue };
            let name = source_column(format, source)
                .map_err(|problem| self.problem(&spec.table, format!("columns: `{}`: {problem}", column.name)))?;
            columns.push((column.name.clone(), name));
        }
        Ok(columns)
    }
}

/// The source column or lineage column, or what is wrong with the text.
fn source_column(format: SourceFormat, source: &ColumnSource) -> Result<String, String> {
    if let Some(origin) = source.origin().map_err(|error| error.to_string())? {
        return Ok(origin.column().to_owned());
    }
    let text = source.name();
    if !ColumnPath::is_meant(text) {
        return Ok(text.to_owned());
    }
    let by_name = format!("if a column of the source has this name, write `${}`", PathStep::Key(text.to_owned()));
    let path: Result<ColumnPath, _> = text.parse();
    if let Ok(path) = &path
        && is_own_of_bronze(&folded_name(path.column()))
    {
        let column = path.column();
        return Err(format!(
            "'{text}' leads to `{column}`, which the bronze table keeps for lineage; a mapping reads it without `$`"
        ));
    }
    if format.is_flat() {
        // Whoever writes `$.name` of a CSV file may mean a value inside or a column of this name.
        return match path {
            Ok(path) if path.steps().is_empty() && text.starts_with("$[") => Ok(path.column().to_owned()),
            Ok(_) | Err(_) => Err(format!(
                "'{text}' is a path to a value inside a column, and columns of {} have no values inside; map a \
                 whole column by its name alone; {by_name}",
                format.as_str()
            )),
        };
    }
    let path = path.map_err(|error| format!("{error}; {by_name}"))?;
    Ok(path.column().to_owned())
}

/// Why no source has a column of this name, with the fix; `None` where one may have.
fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() || name.trim() != name {
        let problem = "is empty or has white space around it; names of source columns are read without it, so write \
                       the name alone";
        return Some(problem.to_owned());
    }
    NameFault::of(name).map(|fault| format!("{fault}, so no source column has this name; correct it"))
}
