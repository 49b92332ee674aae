//! Documents of JSON that are one object around a list of records.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::path::{PathStep, RecordPath};

/// Most names of the path of a list.
const MAX_DEPTH: usize = 3;
/// What lists of records are called. Others are taken for one only where they are directly in the document.
const LISTS: [&str; 14] = [
    "records",
    "data",
    "items",
    "value",
    "values",
    "results",
    "hits",
    "rows",
    "entries",
    "elements",
    "list",
    "objects",
    "features",
    "documents",
];

/// What the first document of a text is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// One object, with no list that could be one of records; or several documents.
    Records,
    /// One object around one list of records.
    Envelope {
        path: RecordPath,
        /// Keys of the document that are not on the way to the list.
        others: Vec<String>,
    },
    /// One object with several lists of objects, any of which may have the records.
    Open { paths: Vec<String> },
}

/// Examines the first document of a text, which may end within it.
pub(super) fn examine(text: &str) -> Document {
    let mut found = Found::default();
    let mut parser = serde_json::Deserializer::from_str(text);
    let is_only = match (Inside { found: &mut found, is_element: false }).deserialize(&mut parser) {
        Ok(()) => parser.end().is_ok(),
        // What was met before the text was cut counts.
        Err(error) => error.is_eof(),
    };
    if !is_only {
        return Document::Records;
    }
    let is_candidate = |path: &&Vec<String>| {
        let is_named = path.last().is_some_and(|name| LISTS.contains(&name.to_ascii_lowercase().as_str()));
        path.len() == 1 || is_named
    };
    let candidates: Vec<&Vec<String>> = found.lists.iter().filter(is_candidate).collect();
    match candidates.as_slice() {
        [] => Document::Records,
        [only] => match path_of(only).parse::<RecordPath>() {
            Ok(path) => {
                let others = found.keys.iter().filter(|key| only.first() != Some(*key)).cloned().collect();
                Document::Envelope { path, others }
            }
            // A name that is too long for a path.
            Err(_) => Document::Records,
        },
        several => Document::Open { paths: several.iter().map(|path| path_of(path)).collect() },
    }
}

fn path_of(names: &[String]) -> String {
    let steps: String = names.iter().map(|name| PathStep::Key(name.clone()).to_string()).collect();
    format!("${steps}{}", PathStep::Elements)
}

/// What was met in a document.
#[derive(Default)]
struct Found {
    /// The names on the way to the value that is read.
    way: Vec<String>,
    /// Lists whose first element is an object.
    lists: Vec<Vec<String>>,
    /// Keys of the document itself.
    keys: Vec<String>,
}

/// Reads a value and notes its lists of objects.
struct Inside<'f> {
    found: &'f mut Found,
    /// The value is the first element of a list.
    is_element: bool,
}

impl<'de> DeserializeSeed<'de> for Inside<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inside<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let found = self.found;
        if self.is_element {
            // Also where the text ends within it.
            found.lists.push(found.way.clone());
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while let Some(key) = entries.next_key::<String>()? {
            if found.way.is_empty() {
                found.keys.push(key.clone());
            }
            if found.way.len() == MAX_DEPTH {
                let _ignored = entries.next_value::<IgnoredAny>()?;
                continue;
            }
            found.way.push(key);
            entries.next_value_seed(Inside { found: &mut *found, is_element: false })?;
            let _key = found.way.pop();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let is_open = match self.is_element {
            true => true,
            false => elements.next_element_seed(Inside { found: self.found, is_element: true })?.is_some(),
        };
        if is_open {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_list_of_objects_has_the_records() {
        let check = |text: &str, expected: &str, others: &[&str]| {
            let found = examine(text);
            let others = others.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(found, Document::Envelope { path: expected.parse().expect("a path"), others }, "{text}");
        };
        check(r#"{"Records":[{"a":1}]}"#, "$.Records[*]", &[]);
        check(r#"{"next":null,"data":[{"a":1},{"a":2}]}"#, "$.data[*]", &["next"]);
        check(r#"{"took":1,"hits":{"total":{"value":2},"hits":[{"a":{"items":[{}]}}]}}"#, "$.hits.hits[*]", &["took"]);
        check(r#"{"response":{"page":{"items":[{"a":1}]}},"n":1.5}"#, "$.response.page.items[*]", &["n"]);
        check(r#"{"my orders":[{"a":1}],"ok":true}"#, "$['my orders'][*]", &["ok"]);
        check(r#"{"tags":["a"],"items":[{"a":[{"b":1}]}]}"#, "$.items[*]", &["tags"]);
        // Cut.
        check(r#"{"value":[{"a":1,"b":"x"#, "$.value[*]", &[]);
    }

    #[test]
    fn other_documents_are_records() {
        let check = |text: &str| assert_eq!(examine(text), Document::Records, "{text}");
        check(r#"{"a":1}"#);
        check(r#"{"items":[]}"#);
        check(r#"{"items":[1,2]}"#);
        check("{\"items\":[{\"a\":1}]}\n{\"items\":[{\"a\":2}]}");
        check(r#"{"schema":{"fields":[{"name":"a"}]},"payload":{"a":1}}"#);
        check(r#"{"items":[{"a":1}]} x"#);
        check(r#"{"a":{"b":{"c":{"items":[{"a":1}]}}}}"#);
    }

    #[test]
    fn several_lists_leave_it_open() {
        let paths = ["$.data[*]", "$.included[*]"].map(str::to_owned).to_vec();
        assert_eq!(examine(r#"{"data":[{"a":1}],"included":[{"b":1}]}"#), Document::Open { paths });
    }
}
