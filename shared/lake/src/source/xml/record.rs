//! An element that is a record, as JSON text.
//!
//! Elements become JSON when they end, so that memory holds their text and not a tree: a small element takes some ten
//! times its size in a tree, and fewer bytes than in the file as JSON.

use std::collections::HashMap;

use super::super::options::ElementLists;
use super::syntax::Attributes;

/// What an open field counts towards the size of a record, in addition to its text: its name twice, its place in a list
/// and in a map are some 150 bytes. A record of 64 MiB may then have 400 000 different names open.
const FIELD_BYTES: usize = 160;

/// The white space of XML.
pub(super) const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// A record whose element is open.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The elements that are open, the record first.
    open: Vec<Element>,
    /// Bytes that it holds.
    size_bytes: usize,
    /// The line on which it begins.
    pub(super) line: u64,
}

#[derive(Debug, Default)]
struct Element {
    name: String,
    /// Whether an attribute says that it is null.
    is_nil: bool,
    fields: Vec<Field>,
    /// Where each field is, by its key.
    places: HashMap<String, usize>,
    has_children: bool,
    text: String,
}

#[derive(Debug)]
struct Field {
    key: String,
    /// Its values as JSON, with commas between them.
    json: String,
    count: usize,
    /// Whether it is a list, also of one.
    is_list: bool,
}

impl Record {
    /// The record that begins with this element.
    pub(super) fn new(line: u64) -> Self {
        Self { line, ..Self::default() }
    }

    /// Bytes that it holds in memory.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Opens an element: the record itself, or one inside of it.
    pub(super) fn begin(&mut self, name: &str, attributes: Attributes) {
        let mut element = Element { name: name.to_owned(), is_nil: attributes.is_nil, ..Element::default() };
        self.size_bytes += FIELD_BYTES;
        for (name, value) in attributes.values {
            self.size_bytes += value.len();
            let mut json = String::with_capacity(value.len() + 2);
            push_text(&mut json, &value);
            self.size_bytes += element.add(format!("@{name}"), &json, false);
        }
        self.open.push(element);
    }

    /// Adds text to the innermost open element.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
            self.size_bytes += text.len();
        }
    }

    /// Closes the innermost open element. Gives the record where it was that. `lists`: the elements that are lists
    /// however often they occur.
    pub(super) fn end(&mut self, lists: &ElementLists) -> Option<String> {
        let mut element = self.open.pop()?;
        let freed = FIELD_BYTES * (element.fields.len() + 1);
        let name = std::mem::take(&mut element.name);
        let open = self.open.iter().skip(1).map(|element| element.name.as_str());
        let is_list = lists.has(&open.chain([name.as_str()]));
        let Some(parent) = self.open.last_mut() else { return Some(element.into_record()) };
        let json = element.into_value();
        parent.has_children = true;
        let added = parent.add(name, &json, is_list);
        self.size_bytes = self.size_bytes.saturating_sub(freed) + added;
        None
    }
}

impl Element {
    /// Adds a value. Gives the bytes that count for its field, where it is new, and else for its comma.
    fn add(&mut self, key: String, json: &str, is_list: bool) -> usize {
        match self.places.get(&key).and_then(|place| self.fields.get_mut(*place)) {
            Some(field) => {
                field.json.push(',');
                field.json.push_str(json);
                field.count += 1;
                // The comma, and the quotes of a text.
                3
            }
            None => {
                let _ = self.places.insert(key.clone(), self.fields.len());
                let size_bytes = FIELD_BYTES + 2 * key.len();
                self.fields.push(Field { key, json: json.to_owned(), count: 1, is_list });
                size_bytes
            }
        }
    }

    /// What it is inside of a record.
    fn into_value(self) -> String {
        let is_null = self.is_nil && !self.has_children && self.text.is_empty();
        let mut text = String::new();
        if is_null {
            text.push_str("null");
        } else {
            push_text(&mut text, self.own_text());
        }
        if self.fields.is_empty() {
            return text;
        }
        let has_text = !self.has_children || !self.own_text().is_empty();
        self.into_object(has_text.then_some(text))
    }

    /// What it is as a record: always an object. Blank text is the space between tags.
    fn into_record(self) -> String {
        let is_blank = self.text.trim_matches(BLANKS).is_empty();
        let mut text = String::new();
        push_text(&mut text, self.own_text());
        self.into_object((!is_blank).then_some(text))
    }

    /// Its text; where it has children, without the space at its ends.
    fn own_text(&self) -> &str {
        if self.has_children { self.text.trim_matches(BLANKS) } else { &self.text }
    }

    fn into_object(self, text: Option<String>) -> String {
        let mut json = String::from("{");
        for field in self.fields {
            push_key(&mut json, &field.key);
            let is_list = field.is_list || field.count > 1;
            if is_list {
                json.push('[');
            }
            json.push_str(&field.json);
            if is_list {
                json.push(']');
            }
        }
        if let Some(text) = text {
            push_key(&mut json, "#text");
            json.push_str(&text);
        }
        json.push('}');
        json
    }
}

fn push_key(json: &mut String, key: &str) {
    if json.len() > 1 {
        json.push(',');
    }
    push_text(json, key);
    json.push(':');
}

/// Adds a string of JSON.
fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            // XML has no other control characters below U+0020.
            other => json.push(other),
        }
    }
    json.push('"');
}
