//! The records in a list, or in lists, of a document, as a record path names them.
//!
//! The document streams: what is not a record is passed over and not kept. A document in which the path leads nowhere
//! is at fault; one whose list is empty or null has no records. Within a list, an element may lack the rest of the path,
//! as long as another one has it: null and empty lists on the way do not say whether the rest is right.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sluice_core::path::{PathStep, RecordPath};

use super::columns::shown;

/// Most keys that a message lists.
const MAX_KEYS: usize = 20;

/// Why a record path does not lead to records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordPathFault {
    /// Nothing is at a step of the path.
    #[error("`{path}` is missing: `{within}` has {content}")]
    Missing {
        /// The path up to this step.
        path: String,
        /// The path before it.
        within: String,
        /// What that value has instead, in words.
        content: String,
    },
    /// The value before a step cannot have it.
    #[error("`{path}` is {found}, and the path needs {wanted} there")]
    OtherKind {
        /// The path of the value.
        path: String,
        /// What it is, in words.
        found: &'static str,
        /// What the next step needs, in words.
        wanted: &'static str,
    },
    /// An object has a key of the path twice.
    #[error("`{path}` occurs more than once")]
    Twice {
        /// The path.
        path: String,
    },
}

/// Gets the records of a document.
pub(super) trait RecordTaker {
    /// Takes a record.
    ///
    /// # Errors
    /// [`Stopped`] where no more are wanted.
    fn take(&mut self, raw: &str) -> Result<(), Stopped>;

    /// Called before (`true`) and after (`false`) a value that is passed over: the parser keeps nothing of it but its
    /// open brackets. Also called with `false` before each value on the way: nothing of those before it is kept.
    fn passing(&mut self, _is_passing: bool) {}
}

/// Says that no more records are wanted.
#[derive(Debug)]
pub(super) struct Stopped;

/// Takes records without keeping them.
pub(super) struct Unkept;

impl RecordTaker for Unkept {
    fn take(&mut self, _raw: &str) -> Result<(), Stopped> {
        Ok(())
    }
}

/// Why a document was not read to its end.
#[derive(Debug)]
pub(super) enum WalkError<E> {
    /// The path does not fit it.
    Path(RecordPathFault),
    /// The parser's error, or its word that the taker stopped it.
    Parser(E),
}

/// Hands the records of a document to `taker`.
///
/// # Errors
/// [`WalkError`]; records before the fault were handed over.
pub(super) fn walk<'de, D: Deserializer<'de>, T: RecordTaker>(
    path: &RecordPath,
    document: D,
    taker: &mut T,
) -> Result<(), WalkError<D::Error>> {
    let mut walk = Walk { path, taker, is_found: false, missing: None, fault: None };
    match (Level { walk: &mut walk, depth: 0 }).deserialize(document) {
        Err(error) => Err(walk.fault.map_or(WalkError::Parser(error), WalkError::Path)),
        Ok(()) => match walk.missing {
            Some(missing) if !walk.is_found => Err(WalkError::Path(missing)),
            _ => Ok(()),
        },
    }
}

struct Walk<'w, T> {
    path: &'w RecordPath,
    taker: &'w mut T,
    /// Whether the last list of the path was met, or null in its place.
    is_found: bool,
    /// The first step that led nowhere.
    missing: Option<RecordPathFault>,
    /// What stopped the walk.
    fault: Option<RecordPathFault>,
}

impl<T: RecordTaker> Walk<'_, T> {
    /// Notes that nothing is at the step after these, and what the value has instead.
    fn miss(&mut self, depth: usize, content: String) {
        if self.missing.is_none() {
            let (path, within) = (self.path.begin(depth + 1), self.path.begin(depth));
            self.missing = Some(RecordPathFault::Missing { path, within, content });
        }
    }

    fn stop<E: Error>(&mut self, fault: RecordPathFault) -> E {
        self.fault = Some(fault);
        E::custom("stopped by the record path")
    }

    fn other_kind<E: Error>(&mut self, depth: usize, found: &'static str) -> E {
        let wanted = match self.path.steps().get(depth) {
            Some(PathStep::Key(_)) => "an object",
            Some(PathStep::Index(_) | PathStep::Elements) | None => "a list",
        };
        let path = self.path.begin(depth);
        self.stop(RecordPathFault::OtherKind { path, found, wanted })
    }

    /// Goes over a value of no interest.
    fn pass<V>(&mut self, next: impl FnOnce() -> V) -> V {
        self.taker.passing(true);
        let passed = next();
        self.taker.passing(false);
        passed
    }
}

/// A value that the first `depth` steps lead to.
struct Level<'l, 'w, T> {
    walk: &'l mut Walk<'w, T>,
    depth: usize,
}

impl<'w, T: RecordTaker> Level<'_, 'w, T> {
    /// The value one step further.
    fn next(&mut self) -> Level<'_, 'w, T> {
        Level { walk: &mut *self.walk, depth: self.depth + 1 }
    }

    /// Notes that the last list of the path was met, where this is it.
    fn meet(&mut self) {
        self.walk.is_found |= self.depth + 1 == self.walk.path.steps().len();
    }

    fn elements<'de, A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        self.meet();
        while let Some(()) = elements.next_element_seed(self.next())? {}
        Ok(())
    }

    fn element<'de, A: SeqAccess<'de>>(mut self, mut elements: A, index: usize) -> Result<(), A::Error> {
        let mut count = 0;
        loop {
            let is_met = if count == index {
                elements.next_element_seed(self.next())?.is_some()
            } else {
                self.walk.pass(|| elements.next_element::<IgnoredAny>())?.is_some()
            };
            if !is_met {
                break;
            }
            count += 1;
        }
        if count <= index {
            self.walk.miss(self.depth, format!("{count} element{}", if count == 1 { "" } else { "s" }));
        }
        Ok(())
    }
}

impl<'de, T: RecordTaker> DeserializeSeed<'de> for Level<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth < self.walk.path.steps().len() {
            self.walk.taker.passing(false);
            return deserializer.deserialize_any(self);
        }
        let raw = <Box<RawValue> as serde::Deserialize<'de>>::deserialize(deserializer)?;
        self.walk.taker.take(raw.get()).map_err(|Stopped| D::Error::custom("stopped by the reader"))
    }
}

impl<'de, T: RecordTaker> Visitor<'de> for Level<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value on the way to records")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let (path, depth) = (self.walk.path, self.depth);
        let Some(PathStep::Key(wanted)) = path.steps().get(depth) else {
            return Err(self.walk.other_kind(depth, "an object"));
        };
        let (mut is_met, mut others) = (false, Vec::new());
        while let Some(key) = entries.next_key::<String>()? {
            if key != *wanted {
                if others.len() <= MAX_KEYS {
                    others.push(shown(&key));
                }
                let _ignored: IgnoredAny = self.walk.pass(|| entries.next_value())?;
            } else if is_met {
                return Err(self.walk.stop(RecordPathFault::Twice { path: path.begin(depth + 1) }));
            } else {
                is_met = true;
                entries.next_value_seed(self.next())?;
            }
        }
        if !is_met {
            self.walk.miss(depth, keys_in_words(others));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<(), A::Error> {
        match self.walk.path.steps().get(self.depth) {
            Some(PathStep::Elements) => self.elements(elements),
            Some(PathStep::Index(index)) => {
                let index = *index;
                self.element(elements, index)
            }
            Some(PathStep::Key(_)) | None => Err(self.walk.other_kind(self.depth, "a list")),
        }
    }

    /// Null is how many writers write a list without elements.
    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        if self.depth == 0 {
            return Err(self.walk.other_kind(0, "null"));
        }
        self.meet();
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(self.walk.other_kind(self.depth, "true or false"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(self.walk.other_kind(self.depth, "a number"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(self.walk.other_kind(self.depth, "a number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(self.walk.other_kind(self.depth, "a number"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(self.walk.other_kind(self.depth, "a text"))
    }
}

fn keys_in_words(mut keys: Vec<String>) -> String {
    if keys.is_empty() {
        return "no key".to_owned();
    }
    let more = if keys.len() > MAX_KEYS { " and others" } else { "" };
    keys.truncate(MAX_KEYS);
    format!("{}{more}", keys.join(", "))
}

#[cfg(test)]
mod tests;
