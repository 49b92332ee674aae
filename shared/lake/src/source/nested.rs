//! Values inside the text of a column that holds JSON.
//!
//! | text of the column, or value on the way | leads to |
//! |---|---|
//! | object, for a key | the key's value; missing where it lacks the key |
//! | list, for a number | the element; missing where the list is shorter |
//! | `null`, or an empty text | null |
//! | everything else: another kind of value, text that is not JSON, an object with the key twice | a misfit |
//!
//! Only the text of a column is taken for JSON: inside it, a text is a text, whatever is written in it. The value has
//! the text that it would have as a column: see [`super::objects`].

use std::borrow::Cow;

use serde_json::value::RawValue;
use sluice_core::path::PathStep;

use super::objects::{Entries, text_of};

/// A JSON text, opened one level deep.
pub(crate) enum NestedText<'t> {
    Object(Vec<(Cow<'t, str>, &'t RawValue)>),
    List(Vec<&'t RawValue>),
    /// No step leads on from here.
    Neither(NoValue<'t>),
}

/// Why a path leads to no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoValue<'t> {
    /// A value on the way is null.
    Null,
    /// An object lacks a key of the path, or a list is too short.
    Missing,
    /// A step does not fit the value that it meets. Has that value's text where it is neither an object nor a list.
    Misfit(Option<Cow<'t, str>>),
}

impl<'t> NestedText<'t> {
    /// Opens the text of a column.
    pub(crate) fn open(text: &'t str) -> Self {
        let text = text.trim_ascii();
        match text {
            "" | "null" => Self::Neither(NoValue::Null),
            _ => Self::parse(text).unwrap_or(Self::Neither(NoValue::Misfit(Some(Cow::Borrowed(text))))),
        }
    }

    /// Opens a value inside.
    pub(crate) fn inside(value: &'t RawValue) -> Self {
        if let Some(opened) = Self::parse(value.get()) {
            return opened;
        }
        Self::Neither(match text_of(value) {
            Ok(Some(text)) if !text.trim_ascii().is_empty() => NoValue::Misfit(Some(text)),
            Ok(_) => NoValue::Null,
            Err(_) => NoValue::Misfit(None),
        })
    }

    /// An object or a list.
    fn parse(text: &'t str) -> Option<Self> {
        match text.as_bytes().first() {
            Some(b'{') => Entries::parse(text).ok().map(|entries| Self::Object(entries.0)),
            Some(b'[') => serde_json::from_str(text).ok().map(Self::List),
            _ => None,
        }
    }

    /// The value that these steps lead to; `None` where there is no step.
    pub(crate) fn walk(&self, steps: &[PathStep]) -> Option<Self> {
        let (first, rest) = steps.split_first()?;
        Some(rest.iter().fold(self.next(first), |value, step| value.next(step)))
    }

    /// The text of the value one step further; `None` where that is null.
    ///
    /// # Errors
    /// [`NoValue`]; see the table on top.
    pub(crate) fn value_at(&self, step: &PathStep) -> Result<Option<Cow<'t, str>>, NoValue<'t>> {
        value_text(self.reach(step)?)
    }

    fn next(&self, step: &PathStep) -> Self {
        self.reach(step).map_or_else(Self::Neither, Self::inside)
    }

    fn reach(&self, step: &PathStep) -> Result<&'t RawValue, NoValue<'t>> {
        match (self, step) {
            (Self::Object(entries), PathStep::Key(key)) => only(entries, key),
            (Self::List(elements), PathStep::Index(index)) => elements.get(*index).copied().ok_or(NoValue::Missing),
            (Self::Neither(why), _) => Err(why.clone()),
            (Self::Object(_) | Self::List(_), _) => Err(NoValue::Misfit(None)),
        }
    }
}

/// The text of a value of an opened object or list; `None` for `null`.
///
/// # Errors
/// [`NoValue::Misfit`] for a string that is no text: half of a surrogate pair.
pub(crate) fn value_text<'t>(value: &'t RawValue) -> Result<Option<Cow<'t, str>>, NoValue<'t>> {
    text_of(value).map_err(|_| NoValue::Misfit(None))
}

/// The value of a key.
fn only<'t>(entries: &[(Cow<'t, str>, &'t RawValue)], key: &str) -> Result<&'t RawValue, NoValue<'t>> {
    let mut values = entries.iter().filter(|(name, _)| name == key).map(|(_, value)| *value);
    let value = values.next().ok_or(NoValue::Missing)?;
    if values.next().is_some() { Err(NoValue::Misfit(None)) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use sluice_core::path::ColumnPath;

    use super::*;

    fn at<'t>(text: &'t str, path: &str) -> Result<Option<String>, NoValue<'t>> {
        let path: ColumnPath = path.parse().expect(path);
        let (last, steps) = path.steps().split_last().expect("a step");
        let source = NestedText::open(text);
        let parent = source.walk(steps);
        parent.as_ref().unwrap_or(&source).value_at(last).map(|value| value.map(Cow::into_owned))
    }

    #[test]
    fn values_have_the_text_that_they_have_as_columns() {
        let check = |text: &str, path: &str, expected: Option<&str>| {
            assert_eq!(at(text, path), Ok(expected.map(str::to_owned)), "{text} {path}");
        };
        let address = r#"{"city":"Köln \"am Rhein\"","zip":00,"geo":{"lat":50.940,"big":12345678901234567890123}}"#;
        assert!(matches!(at(address, "$.a.city"), Err(NoValue::Misfit(_))), "00 is no number");
        let address = address.replace(":00", ":0.10e1");
        check(&address, "$.a.city", Some("Köln \"am Rhein\""));
        check(&address, "$.a.zip", Some("0.10e1"));
        check(&address, "$.a.geo.lat", Some("50.940"));
        check(&address, "$.a.geo.big", Some("12345678901234567890123"));
        check(&address, "$.a.geo", Some(r#"{"lat":50.940,"big":12345678901234567890123}"#));
        check(r#"{"a":[ 1, {"b" : "}]\""} ]}"#, "$.c.a", Some(r#"[1,{"b":"}]\""}]"#));
        check(r#"{"a":[1,{"b":"}]\""}]}"#, "$.c.a[1].b", Some("}]\""));
        check(r#"[true,false,null,"x"]"#, "$.c[0]", Some("true"));
        check(r#"[true,false,null,"x"]"#, "$.c[3]", Some("x"));
        check(r#"{"é":""}"#, r#"$.c['é']"#, Some(""));
        check(r#"{"\u0061":1}"#, "$.c.a", Some("1"));
    }

    #[test]
    fn null_is_not_the_same_as_missing() {
        let check = |text: &str, path: &str, expected: Result<Option<String>, NoValue<'_>>| {
            assert_eq!(at(text, path), expected, "{text} {path}");
        };
        check(r#"{"a":null}"#, "$.c.a", Ok(None));
        for (text, path) in [
            (r#"{"a":null}"#, "$.c.a.b[0].c"),
            ("null", "$.c.a"),
            (" null ", "$.c.a"),
            ("", "$.c.a"),
            (" ", "$.c.a.b"),
            (r#"{"a":""}"#, "$.c.a.b"),
            (r#"{"a":" "}"#, "$.c.a.b"),
        ] {
            check(text, path, Err(NoValue::Null));
        }
        for (text, path) in
            [(r#"{"a":1}"#, "$.c.b"), ("{}", "$.c.b.c"), ("[1]", "$.c[1]"), ("[]", "$.c[0].a"), ("[null]", "$.c[1]")]
        {
            check(text, path, Err(NoValue::Missing));
        }
    }

    #[test]
    fn what_does_not_fit_the_path_has_no_value() {
        let check = |text: &str, path: &str, stopped_by: Option<&str>| {
            let expected = Err(NoValue::Misfit(stopped_by.map(|text| Cow::Owned(text.to_owned()))));
            assert_eq!(at(text, path), expected, "{text} {path}");
        };
        check("Köln", "$.c.a", Some("Köln"));
        check(" 17 ", "$.c.a.b.c", Some("17"));
        check("{\"a\":1", "$.c.a", Some("{\"a\":1"));
        check("{\"a\":1} x", "$.c.a", Some("{\"a\":1} x"));
        check("[1]", "$.c.a", None);
        check("{\"0\":1}", "$.c[0]", None);
        check(r#"{"a":"x"}"#, "$.c.a.b", Some("x"));
        check(r#"{"a":"null"}"#, "$.c.a.b", Some("null"));
        check(r#"{"a":"{\"b\":1}"}"#, "$.c.a.b", Some(r#"{"b":1}"#));
        check(r#"{"a":-999}"#, "$.c.a.b.d", Some("-999"));
        check(r#"{"a":{"b":1}}"#, "$.c.a[0]", None);
        check(r#"{"a":1,"a":2}"#, "$.c.a", None);
        check(r#"{"a":{"b":1,"b":2}}"#, "$.c.a.b", None);
        check(r#"{"a":"\ud800"}"#, "$.c.a", None);
        check(r#"{"a":"\ud800"}"#, "$.c.a.b", None);
    }

    #[test]
    fn a_key_that_occurs_twice_does_not_touch_others() {
        assert_eq!(at(r#"{"a":1,"a":2,"b":3}"#, "$.c.b"), Ok(Some("3".to_owned())));
    }
}
