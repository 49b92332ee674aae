//! `${Name}` placeholders inside the strings of a definition, as a deployment substitutes them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Why the placeholders of a definition and the given substitutions do not match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// The definition names a placeholder that the substitutions lack.
    #[error("placeholder `${{{name}}}` has no substitution")]
    Unresolved {
        /// Name between the braces.
        name: String,
    },
    /// A substitution that no placeholder uses, most often a misspelt name.
    #[error("substitution `{name}` is used by no placeholder of the definition")]
    Unused {
        /// Key of the substitution.
        name: String,
    },
    /// `${` without a closing brace, or a name that is not made of letters, digits and `_`.
    #[error("`{text}` is not a placeholder: write `${{Name}}` with letters, digits and `_`")]
    Malformed {
        /// The string that holds it.
        text: String,
    },
    /// A placeholder in an object key; deployments substitute values only.
    #[error("key `{key}` holds a placeholder: placeholders are allowed in string values only")]
    InKey {
        /// The key.
        key: String,
    },
}

/// Replaces every placeholder in the strings of `definition`.
pub(super) fn substitute(
    definition: &mut Value,
    substitutions: &BTreeMap<String, String>,
) -> Result<(), PlaceholderError> {
    let mut used = BTreeSet::new();
    walk(definition, substitutions, &mut used)?;
    match substitutions.keys().find(|name| !used.contains(*name)) {
        Some(name) => Err(PlaceholderError::Unused { name: name.clone() }),
        None => Ok(()),
    }
}

fn walk(
    value: &mut Value,
    substitutions: &BTreeMap<String, String>,
    used: &mut BTreeSet<String>,
) -> Result<(), PlaceholderError> {
    match value {
        Value::String(text) => {
            if text.contains("${") {
                *text = resolve(text, substitutions, used)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(item, substitutions, used)),
        Value::Object(map) => map.iter_mut().try_for_each(|(key, item)| {
            if key.contains("${") {
                return Err(PlaceholderError::InKey { key: key.clone() });
            }
            walk(item, substitutions, used)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn resolve(
    text: &str,
    substitutions: &BTreeMap<String, String>,
    used: &mut BTreeSet<String>,
) -> Result<String, PlaceholderError> {
    let malformed = || PlaceholderError::Malformed { text: text.to_owned() };
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').ok_or_else(malformed)?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(malformed());
        }
        let replacement =
            substitutions.get(name).ok_or_else(|| PlaceholderError::Unresolved { name: name.to_owned() })?;
        used.insert(name.to_owned());
        resolved.push_str(before);
        resolved.push_str(replacement);
        rest = tail;
    }
    resolved.push_str(rest);
    Ok(resolved)
}
