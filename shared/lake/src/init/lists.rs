//! Elements of XML that occur several times in some record of a sample: they become arrays, so that records with one of
//! them and records with several have one type.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sluice_core::contract::{ColumnType, ObjectField};
use sluice_core::init::SampleTable;

use super::nested::{names, texts};
use crate::source::{NestedText, NoValue};

/// Longest name of a value of an object, in bytes, as contracts have it.
const MAX_FIELD_BYTES: usize = 64;

/// Makes a list of each cell of the columns whose elements repeat in some record, and gives these columns with the
/// types of their lists. Says which of them stay JSON text, and what of the elements is not stored.
pub(super) fn arrays(tables: &mut [SampleTable], notes: &mut Vec<String>) -> BTreeMap<String, ColumnType> {
    let mut arrays = BTreeMap::new();
    for name in names(tables) {
        let is_list = |text: &str| matches!(NestedText::open(text), NestedText::List(_));
        if !texts(tables, &name).any(is_list) {
            continue;
        }
        let mut items = Items::default();
        for text in texts(tables, &name) {
            items.add_cell(text);
        }
        match items.item_type() {
            None => notes.push(format!(
                "`{name}` stays JSON text: it repeats in some records, and has texts in some places and attributes or \
                 elements in others, or nothing that a contract can name; `{name}[0]` in a path reads the first of them"
            )),
            Some(item_type) => {
                if !items.left_out.is_empty() {
                    let left_out = items.left_out.join(", ");
                    notes.push(format!("`{name}` is an array of objects without {left_out}, which bronze keeps"));
                }
                for table in tables.iter_mut() {
                    wrap(table, &name);
                }
                let _ = arrays.insert(name, ColumnType::Array(Box::new(item_type)));
            }
        }
    }
    if !arrays.is_empty() {
        let named: Vec<&str> = arrays.keys().map(String::as_str).collect();
        notes.push(format!("arrays, because some records have several of the element: {}", named.join(", ")));
    }
    arrays
}

/// What the elements of a list are.
#[derive(Default)]
struct Items {
    has_texts: bool,
    has_objects: bool,
    /// The values of objects that a contract can name and that are texts everywhere.
    fields: Vec<String>,
    /// The others.
    left_out: Vec<String>,
}

impl Items {
    fn add_cell(&mut self, text: &str) {
        match NestedText::open(text) {
            NestedText::List(elements) => elements.into_iter().for_each(|element| self.add(element)),
            NestedText::Object(entries) => self.add_object(&entries),
            NestedText::Neither(NoValue::Null) => {}
            NestedText::Neither(_) => self.has_texts = true,
        }
    }

    fn add(&mut self, element: &RawValue) {
        match NestedText::inside(element) {
            NestedText::Object(entries) => self.add_object(&entries),
            NestedText::Neither(NoValue::Null) => {}
            // A list in a list is not of XML: a text that looks like one.
            NestedText::List(_) | NestedText::Neither(_) => self.has_texts = true,
        }
    }

    fn add_object(&mut self, entries: &[(Cow<'_, str>, &RawValue)]) {
        self.has_objects = true;
        for (key, value) in entries {
            let is_known = |known: &String| known.eq_ignore_ascii_case(key);
            let is_plain = !value.get().starts_with(['{', '[']);
            if self.left_out.iter().any(|known| known == key) {
                continue;
            }
            if is_plain && is_field_name(key) {
                if !self.fields.iter().any(is_known) {
                    self.fields.push(key.clone().into_owned());
                }
            } else {
                self.fields.retain(|known| known != key);
                self.left_out.push(key.clone().into_owned());
            }
        }
    }

    /// The type of each element; `None` where they have none in common.
    fn item_type(&self) -> Option<ColumnType> {
        if self.has_texts {
            return (!self.has_objects).then_some(ColumnType::Text);
        }
        let field = |name: &String| ObjectField { name: name.clone(), column_type: ColumnType::Text };
        let fields: Vec<ObjectField> = self.fields.iter().map(field).collect();
        (!fields.is_empty()).then_some(ColumnType::Object(fields))
    }
}

/// Whether a contract can name a value of an object so.
fn is_field_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.len() <= MAX_FIELD_BYTES
        && name.starts_with(is_first)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Makes a list of one of each cell that is no list.
fn wrap(table: &mut SampleTable, name: &str) {
    let cells = table.columns.iter_mut().filter(|column| column.name == name).flat_map(|column| &mut column.values);
    for cell in cells {
        let Some(text) = cell.as_deref() else { continue };
        let list = match NestedText::open(text) {
            NestedText::List(_) | NestedText::Neither(NoValue::Null) => continue,
            NestedText::Object(_) => format!("[{text}]"),
            NestedText::Neither(_) => serde_json::Value::from(vec![text]).to_string(),
        };
        *cell = Some(list);
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::init::SampleColumn;

    use super::*;

    fn check(cells: &[Option<&str>], expected: Option<&str>, wrapped: &[Option<&str>], says: &[&str]) {
        let column = |name: &str| SampleColumn {
            name: name.to_owned(),
            values: cells.iter().map(|cell| cell.map(str::to_owned)).collect(),
        };
        let table = SampleTable { columns: vec![column("tag")], ..SampleTable::default() };
        let (mut tables, mut notes) = (vec![table], Vec::new());
        let arrays = arrays(&mut tables, &mut notes);
        assert_eq!(arrays.get("tag").map(ToString::to_string).as_deref(), expected, "{cells:?}");
        let found: Vec<Option<&str>> = tables[0].columns[0].values.iter().map(Option::as_deref).collect();
        assert_eq!(found, wrapped);
        let notes = notes.join("\n");
        assert!(says.iter().all(|says| notes.contains(says)) && notes.is_empty() == says.is_empty(), "{notes}");
    }

    #[test]
    fn elements_that_repeat_in_one_record_are_arrays_in_all() {
        check(&[Some("a"), None, Some("b")], None, &[Some("a"), None, Some("b")], &[]);
        check(
            &[Some("a"), None, Some(r#"["b","c"]"#), Some("say \"x\"")],
            Some("ARRAY<STRING>"),
            &[Some(r#"["a"]"#), None, Some(r#"["b","c"]"#), Some(r#"["say \"x\""]"#)],
            &["arrays, because some records have several of the element: tag"],
        );
        let (one, two) = (r#"{"sku":"x","@n":"1"}"#, r#"[{"sku":"y"},{"sku":"z","of":"1"}]"#);
        check(
            &[Some(one), Some(two)],
            Some("ARRAY<STRUCT<sku: STRING, of: STRING>>"),
            &[Some(r#"[{"sku":"x","@n":"1"}]"#), Some(two)],
            &["`tag` is an array of objects without @n, which bronze keeps"],
        );
    }

    #[test]
    fn values_inside_that_are_nested_somewhere_are_left_out() {
        let (one, two) = (r#"{"sku":"x","of":"1"}"#, r#"[{"sku":"y","of":{"k":"1"}},{"sku":"z","of":"2"}]"#);
        let wrapped = format!("[{one}]");
        let (cells, expected) = ([Some(one), Some(two)], [Some(wrapped.as_str()), Some(two)]);
        check(&cells, Some("ARRAY<STRUCT<sku: STRING>>"), &expected, &["without of, which bronze"]);
    }

    #[test]
    fn elements_without_a_type_in_common_stay_text() {
        for cells in [[Some("a"), Some(r#"["b",{"c":"1"}]"#)], [None, Some(r#"[{"@a":"1"},{"@a":"2"}]"#)]] {
            check(&cells, None, &cells, &["`tag` stays JSON text", "`tag[0]` in a path"]);
        }
    }
}
