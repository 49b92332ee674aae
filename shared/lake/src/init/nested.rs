//! Objects inside the records of samples become columns, each by its path.

use std::collections::{BTreeMap, HashMap, HashSet};

use sluice_core::columns::is_lineage;
use sluice_core::contract::ColumnType;
use sluice_core::init::{SampleColumn, SampleTable};
use sluice_core::origin::Origin;
use sluice_core::path::{ColumnPath, PathStep};
use sluice_core::spec::SourceFormat;

use super::lists::arrays;
use crate::source::{NestedText, NoValue, value_text};

/// Most names in a path: `$.customer.address.city` has three.
const MAX_DEPTH: usize = 3;
/// Most columns that opening an object may lead to.
const MAX_COLUMNS: usize = 200;
/// Keys from which on an object may be one whose keys are data, such as ids.
const MANY_KEYS: usize = 20;

/// Most names that a note lists.
const MAX_NAMED: usize = 10;

/// Samples whose objects are columns.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    /// The samples.
    pub tables: Vec<SampleTable>,
    /// Of XML, the columns whose elements repeat in some record, with their types.
    pub arrays: BTreeMap<String, ColumnType>,
    /// What stays JSON text, and what is open.
    pub notes: Vec<String>,
}

/// Opens the objects in the columns of samples: their keys become columns that are called by the path of their values,
/// as a spec writes it. Objects below three names, texts with JSON inside of objects, lists, columns that also have
/// other values, and objects that would make more than 200 columns stay JSON text. Says what stays so, and why. Values
/// of CSV and sheets are texts and stay texts. Elements of XML that repeat in a record are arrays.
pub fn spread(mut tables: Vec<SampleTable>, format: SourceFormat) -> Spread {
    let mut notes = Vec::new();
    for column in tables.iter_mut().flat_map(|table| &mut table.columns) {
        if has_other_meaning(&column.name) {
            column.name = format!("${}", PathStep::Key(column.name.clone()));
        }
    }
    if format.is_flat() {
        return Spread { tables, notes, ..Spread::default() };
    }
    let opened = open_all(&mut tables, &mut notes);
    let is_xml = format == SourceFormat::Xml;
    let arrays = if is_xml { arrays(&mut tables, &mut notes) } else { BTreeMap::new() };
    let all: Vec<String> = names(&tables).into_iter().filter(|name| !arrays.contains_key(name)).collect();
    let nested: Vec<&str> = all.iter().map(String::as_str).filter(|name| is_nested(&tables, name)).collect();
    if !nested.is_empty() {
        notes.push(format!("lists, and objects that are not opened, are JSON text: {}", nested.join(", ")));
    }
    let mixed: Vec<&str> = all.iter().map(String::as_str).filter(|name| is_mixed(&tables, name)).collect();
    if !mixed.is_empty() {
        let values = if is_xml { "attributes or elements inside" } else { "an object or a list" };
        notes.push(format!(
            "text in some records and {values} in others, which are JSON text then: {}",
            mixed.join(", ")
        ));
    }
    if is_xml {
        notes.extend(single_elements(&opened, &all));
    }
    Spread { tables, arrays, notes }
}

/// Opens the objects of all columns, and gives the names of the columns that were opened.
fn open_all(tables: &mut [SampleTable], notes: &mut Vec<String>) -> Vec<String> {
    let mut opened = Vec::new();
    let mut level = names(tables);
    let mut total = level.len();
    for _ in 1..MAX_DEPTH {
        let mut next = Vec::new();
        for name in level {
            let Some(keys) = Keys::of(tables, &name) else { continue };
            let Some(paths) = keys.paths(&name) else { continue };
            if keys.are_data() {
                let count = paths.len();
                notes.push(format!("`{name}` stays JSON text: its {count} keys seem to be data, few in each record"));
            } else if total - 1 + paths.len() > MAX_COLUMNS {
                let count = paths.len();
                notes.push(format!("`{name}` stays JSON text: with its {count} keys the table has over 200 columns"));
            } else {
                total = total - 1 + paths.len();
                // A run opens the text of a column, and no text inside of it.
                let mut closed = HashSet::new();
                for table in tables.iter_mut() {
                    closed.extend(open(table, &name, &keys.names, &paths));
                }
                next.extend(paths.into_iter().filter(|path| !closed.contains(path)));
                opened.push(name);
            }
        }
        level = next;
    }
    opened
}

/// What becomes of elements that occur once in each record of the samples: nothing in XML says whether they may repeat.
fn single_elements(opened: &[String], columns: &[String]) -> Option<String> {
    let is_element = |name: &&String| !last_name(name).starts_with(['@', '#']);
    let mut single: Vec<&str> = opened.iter().chain(columns.iter().filter(is_element)).map(String::as_str).collect();
    let more = if single.len() > MAX_NAMED { " and more" } else { "" };
    single.truncate(MAX_NAMED);
    (!single.is_empty()).then(|| {
        format!(
            "elements that no record of the sample has twice are read as one value, and a record with two of them may \
             go to quarantine: {}{more}; where one may repeat, map its own path, with `logicalType: array` in the \
             contract",
            single.join(", ")
        )
    })
}

/// The name behind the last step of a path, or the column's.
fn last_name(name: &str) -> &str {
    name.strip_prefix('$').and_then(|path| path.rsplit('.').next()).unwrap_or(name)
}

/// Whether a spec means something else by the name of this column: a path, or a value about the origin of the row. Readers
/// refuse columns with the names of lineage.
fn has_other_meaning(name: &str) -> bool {
    ColumnPath::is_meant(name) || (!is_lineage(name) && !matches!(Origin::meant(name), Ok(None)))
}

/// The columns of all samples, in the order in which they first come.
pub(super) fn names(tables: &[SampleTable]) -> Vec<String> {
    let mut seen = HashSet::new();
    let names = tables.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str());
    names.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}

/// The texts of a column that are not null.
pub(super) fn texts<'t>(tables: &'t [SampleTable], name: &'t str) -> impl Iterator<Item = &'t str> {
    let columns = tables.iter().flat_map(|table| &table.columns).filter(move |column| column.name == name);
    columns.flat_map(|column| column.values.iter().flatten()).map(String::as_str)
}

/// Whether a column has an object or a list somewhere, and something else elsewhere.
fn is_mixed(tables: &[SampleTable], name: &str) -> bool {
    let is_nested = |text: &str| matches!(NestedText::open(text), NestedText::Object(_) | NestedText::List(_));
    let is_plain = |text: &str| matches!(NestedText::open(text), NestedText::Neither(NoValue::Misfit(_)));
    texts(tables, name).any(is_nested) && texts(tables, name).any(is_plain)
}

/// Whether a column has an object or a list and nothing else.
fn is_nested(tables: &[SampleTable], name: &str) -> bool {
    let mut count = 0_usize;
    for text in texts(tables, name) {
        match NestedText::open(text) {
            NestedText::Object(_) | NestedText::List(_) => count += 1,
            NestedText::Neither(NoValue::Null) => {}
            NestedText::Neither(_) => return false,
        }
    }
    count > 0
}

/// The keys of the objects of a column.
struct Keys {
    /// In the order in which they first come.
    names: Vec<String>,
    objects: usize,
    /// Keys of all objects.
    filled: usize,
}

impl Keys {
    /// `None` where the column has anything else than objects with keys that differ.
    fn of(tables: &[SampleTable], name: &str) -> Option<Self> {
        let (mut keys, mut known) = (Self { names: Vec::new(), objects: 0, filled: 0 }, HashSet::new());
        for text in texts(tables, name) {
            let entries = match NestedText::open(text) {
                NestedText::Object(entries) => entries,
                NestedText::Neither(NoValue::Null) => continue,
                NestedText::List(_) | NestedText::Neither(_) => return None,
            };
            keys.objects += 1;
            keys.filled += entries.len();
            let mut own = HashSet::with_capacity(entries.len());
            for (key, _) in entries {
                let key = key.into_owned();
                if known.insert(key.clone()) {
                    keys.names.push(key.clone());
                }
                if !own.insert(key) {
                    return None;
                }
            }
        }
        (!keys.names.is_empty()).then_some(keys)
    }

    /// Whether an object has few of them.
    fn are_data(&self) -> bool {
        self.names.len() > MANY_KEYS && self.filled * 10 < self.names.len() * self.objects
    }

    /// The path of each value; `None` where a key is too long for one.
    fn paths(&self, column: &str) -> Option<Vec<String>> {
        let begin = if ColumnPath::is_meant(column) {
            column.to_owned()
        } else {
            format!("${}", PathStep::Key(column.to_owned()))
        };
        let path = |key: &String| {
            let path = format!("{begin}{}", PathStep::Key(key.clone()));
            path.parse::<ColumnPath>().is_ok().then_some(path)
        };
        self.names.iter().map(path).collect()
    }
}

/// Puts a column for each key in the place of a column of objects. Gives the paths whose values are texts somewhere.
fn open(table: &mut SampleTable, name: &str, keys: &[String], paths: &[String]) -> HashSet<String> {
    let mut texts = HashSet::new();
    let Some(place) = table.columns.iter().position(|column| column.name == name) else { return texts };
    let values = table.columns.remove(place).values;
    let places: HashMap<&str, usize> = keys.iter().enumerate().map(|(place, key)| (key.as_str(), place)).collect();
    let empty = |path: &String| SampleColumn { name: path.clone(), values: vec![None; values.len()] };
    let mut columns: Vec<SampleColumn> = paths.iter().map(empty).collect();
    for (row, text) in values.iter().enumerate() {
        let Some(NestedText::Object(entries)) = text.as_deref().map(NestedText::open) else { continue };
        for (key, value) in &entries {
            let column = places.get(&**key).and_then(|place| columns.get_mut(*place));
            if let Some(column) = column.as_ref().filter(|_| is_text(value.get())) {
                let _ = texts.insert(column.name.clone());
            }
            if let (Some(cell), Ok(text)) = (column.and_then(|column| column.values.get_mut(row)), value_text(value)) {
                *cell = text.map(|text| text.into_owned());
            }
        }
    }
    drop(table.columns.splice(place..place, columns));
    texts
}

/// Whether a value of JSON is a text that is not blank: that is null to a run.
fn is_text(json: &str) -> bool {
    json.strip_prefix('"').is_some_and(|text| !text.trim_end_matches('"').trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, &[Option<&str>])]) -> SampleTable {
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        let columns = columns.iter().map(|(name, values)| SampleColumn {
            name: (*name).to_owned(),
            values: values.iter().map(|value| value.map(str::to_owned)).collect(),
        });
        let columns = columns.collect();
        SampleTable { file: "a".to_owned(), columns, records: (1..).take(rows).collect(), ..SampleTable::default() }
    }

    fn check(tables: Vec<SampleTable>, format: SourceFormat, expected: &[(&str, &[Option<&str>])], says: &str) {
        let Spread { tables, notes, .. } = spread(tables, format);
        let found: Vec<(&str, Vec<Option<&str>>)> = tables[0]
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.values.iter().map(Option::as_deref).collect()))
            .collect();
        let expected: Vec<(&str, Vec<Option<&str>>)> =
            expected.iter().map(|(name, values)| (*name, values.to_vec())).collect();
        assert_eq!(found, expected, "{notes:?}");
        assert!(notes.join("\n").contains(says) && notes.is_empty() == says.is_empty(), "{says}: {notes:?}");
    }

    #[test]
    fn objects_become_columns_by_path() {
        let json = |columns: &[(&str, &[Option<&str>])], expected: &[(&str, &[Option<&str>])], says: &str| {
            check(vec![table(columns)], SourceFormat::Json, expected, says);
        };
        json(
            &[("id", &[Some("1"), Some("2")]), ("a", &[Some(r#"{"city":"Ulm","zip":7}"#), None])],
            &[("id", &[Some("1"), Some("2")]), ("$.a.city", &[Some("Ulm"), None]), ("$.a.zip", &[Some("7"), None])],
            "",
        );
        json(&[("a", &[Some(r#"{"b":{"c":{"d":1}}}"#)])], &[("$.a.b.c", &[Some(r#"{"d":1}"#)])], "$.a.b.c");
        json(&[("my a", &[Some(r#"{"b c":1}"#)])], &[("$['my a']['b c']", &[Some("1")])], "");
        let text = r#"{"id":1,"j":"{\"k\":1}"}"#;
        let cells: &[Option<&str>] = &[Some(text), None, Some(text)];
        let (ids, inner) = ([Some("1"), None, Some("1")], [Some(r#"{"k":1}"#), None, Some(r#"{"k":1}"#)]);
        json(&[("after", cells)], &[("$.after.id", &ids), ("$.after.j", &inner)], "$.after.j");
        json(&[("tags", &[Some("[1]")])], &[("tags", &[Some("[1]")])], "tags");
        let mixed: &[(&str, &[Option<&str>])] = &[("a", &[Some(r#"{"b":1}"#), Some("x")])];
        json(mixed, mixed, "text in some records and an object or a list in others, which are JSON text then: a");
        json(&[("a", &[Some("{}")])], &[("a", &[Some("{}")])], "a");
        json(&[("a", &[Some(r#"{"b":1,"b":2}"#)])], &[("a", &[Some(r#"{"b":1,"b":2}"#)])], "a");
        json(&[("$.odd", &[Some("1")])], &[("$['$.odd']", &[Some("1")])], "");
    }

    #[test]
    fn elements_of_xml_that_repeat_are_arrays_and_the_others_are_noted() {
        let xml = |columns: &[(&str, &[Option<&str>])]| spread(vec![table(columns)], SourceFormat::Xml);
        let lines = [Some(r#"{"line":{"sku":"x"}}"#), Some(r#"{"line":[{"sku":"y"},{"sku":"z"}]}"#)];
        let ids = [Some("1"), Some("2")];
        let found = xml(&[("@id", &ids), ("lines", &lines), ("tag", &[Some("a"), Some(r#"["b"]"#)])]);
        let types: Vec<String> = found.arrays.iter().map(|(name, of)| format!("{name} {of}")).collect();
        assert_eq!(types, ["$.lines.line ARRAY<STRUCT<sku: STRING>>", "tag ARRAY<STRING>"]);
        assert!(found.notes.iter().any(|note| note.contains("have several of the element: $.lines.line, tag")));
        let who = [Some(r#"{"@id":"1","name":"x"}"#), Some(r#"{"name":"y"}"#)];
        let found = xml(&[("@id", &ids), ("who", &who), ("note", &[Some("a"), Some(r#"{"b":"1"}"#)])]);
        assert!(found.arrays.is_empty());
        let notes = found.notes.join("\n");
        for says in [
            "text in some records and attributes or elements inside in others, which are JSON text then: note",
            "a record with two of them may go to quarantine: who, $.who.name, note; where one may repeat",
        ] {
            assert!(notes.contains(says), "{says}: {notes}");
        }
        assert!(xml(&[("@id", &[Some("1")])]).notes.is_empty());
    }

    #[test]
    fn fields_of_csv_stay_as_they_are() {
        let cells = [Some(r#"{"b":1}"#)];
        check(vec![table(&[("a", &cells)])], SourceFormat::Csv, &[("a", &cells)], "");
    }

    #[test]
    fn names_that_a_spec_takes_for_something_else_are_written_as_paths() {
        let cells = [Some("1")];
        for format in [SourceFormat::Csv, SourceFormat::Ndjson] {
            let check = |name: &str, written: &str| {
                check(vec![table(&[(name, &cells)])], format, &[(written, &cells)], "");
            };
            check("_source_file.name", "$['_source_file.name']");
            check("_source_file.other", "$['_source_file.other']");
            check("$.odd", "$['$.odd']");
            check("_source_file", "_source_file");
            check("source_file.name", "source_file.name");
        }
    }

    #[test]
    fn all_files_have_the_same_paths() {
        let (first, second) = (table(&[("a", &[Some(r#"{"b":1}"#)])]), table(&[("a", &[Some(r#"{"c":2}"#)])]));
        let expected: [(&str, &[Option<&str>]); 2] = [("$.a.b", &[Some("1")]), ("$.a.c", &[None])];
        check(vec![first, second], SourceFormat::Ndjson, &expected, "");
    }

    #[test]
    fn objects_with_too_many_keys_stay_text() {
        let many: Vec<String> = (0..201).map(|key| format!("\"k{key}\":1")).collect();
        let text = format!("{{{}}}", many.join(","));
        let cells = [Some(text.as_str())];
        check(vec![table(&[("a", &cells)])], SourceFormat::Json, &[("a", &cells)], "over 200 columns");
        let texts: Vec<String> = (0..30).map(|key| format!("{{\"id{key}\":1}}")).collect();
        let cells: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
        check(vec![table(&[("a", &cells)])], SourceFormat::Json, &[("a", &cells)], "seem to be data");
    }
}
