//! What the grammar of XML says of names, characters and references, which the parser does not check.

use std::borrow::Cow;

use quick_xml::events::{BytesPI, BytesStart};

use super::fault::XmlFault;
use crate::source::columns::shown;

/// Most attributes of an element: far more than any format has, and few enough that their places are small.
const MAX_ATTRIBUTES: usize = 1000;
/// Most bytes of a name, as a path has. The parser keeps the name of each open element, which no other limit bounds
/// outside of records.
const MAX_NAME_BYTES: usize = 1024;

/// The attributes of an element, without those that declare namespaces.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    /// Local names and values.
    pub(super) values: Vec<(String, String)>,
    /// Whether `xsi:nil` says that the element is null.
    pub(super) is_nil: bool,
}

impl Attributes {
    /// Those of a tag.
    ///
    /// # Errors
    /// [`XmlFault`] where the grammar does not allow them, and where they are too many.
    pub(super) fn of(start: &BytesStart<'_>) -> Result<Self, XmlFault> {
        let mut attributes = Self::default();
        for (index, attribute) in start.attributes().enumerate() {
            if index == MAX_ATTRIBUTES {
                return Err(XmlFault::TooManyAttributes { limit: MAX_ATTRIBUTES });
            }
            let attribute = attribute.map_err(|error| XmlFault::grammar(format!("an attribute: {error}")))?;
            let (prefix, name) = split_name(attribute.key.into_inner())?;
            let value = attribute_value(&attribute.value)?;
            if prefix == Some("xmlns") || (prefix.is_none() && name == "xmlns") {
                continue;
            }
            if prefix.is_some() && name == "nil" {
                match value.as_str() {
                    "true" | "1" => attributes.is_nil = true,
                    "false" | "0" => {}
                    _ => attributes.values.push((name.to_owned(), value)),
                }
                continue;
            }
            attributes.values.push((name.to_owned(), value));
        }
        Ok(attributes)
    }
}

/// The prefix and the local part of a name.
///
/// # Errors
/// [`XmlFault::NotWellFormed`] for what is not a name, and [`XmlFault::NameTooLong`].
pub(super) fn split_name(name: &str) -> Result<(Option<&str>, &str), XmlFault> {
    if name.len() > MAX_NAME_BYTES {
        return Err(XmlFault::NameTooLong { limit: MAX_NAME_BYTES });
    }
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, name),
    };
    if is_name(local) && prefix.is_none_or(is_name) {
        return Ok((prefix, local));
    }
    Err(XmlFault::grammar(format!("`{}` is not a name", shown(name))))
}

/// Whether this is a name without a colon.
fn is_name(name: &str) -> bool {
    name.chars().next().is_some_and(is_name_start) && name.chars().all(is_name_character)
}

fn is_name_start(character: char) -> bool {
    matches!(character,
        'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_character(character: char) -> bool {
    is_name_start(character)
        || matches!(character, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Refuses characters that XML 1.0 does not have.
pub(super) fn check_characters(text: &str) -> Result<(), XmlFault> {
    match text.chars().find(|character| !is_character(*character)) {
        None => Ok(()),
        Some(character) => Err(XmlFault::Character { code: u32::from(character) }),
    }
}

/// Refuses what is not an instruction. A good one is passed over.
pub(super) fn check_instruction(instruction: &BytesPI<'_>) -> Result<(), XmlFault> {
    let target = instruction.target();
    if target.eq_ignore_ascii_case("xml") {
        return Err(XmlFault::grammar("`xml` is not a name of an instruction"));
    }
    let _ = split_name(target)?;
    check_characters(instruction)
}

fn is_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r') || !matches!(character, '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// The character that a reference stands for; `name` is what is between `&` and `;`.
///
/// # Errors
/// [`XmlFault::Entity`] for entities that a DTD would have to define, and [`XmlFault::Character`].
pub(super) fn referenced(name: &str) -> Result<char, XmlFault> {
    match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => {}
    }
    let entity = || XmlFault::Entity { name: shown(name) };
    let number = name.strip_prefix('#').ok_or_else(entity)?;
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(XmlFault::grammar(format!("`&{};` is not a reference to a character", shown(name))));
    }
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    match char::from_u32(code) {
        Some(character) if is_character(character) => Ok(character),
        _ => Err(XmlFault::Character { code }),
    }
}

/// The value of an attribute: white space that is written as such is a space, and references are replaced.
fn attribute_value(raw: &str) -> Result<String, XmlFault> {
    check_characters(raw)?;
    if raw.contains('<') {
        return Err(XmlFault::grammar("the value of an attribute has `<`, which is written `&lt;`"));
    }
    let raw: Cow<'_, str> =
        if raw.contains("\r\n") { Cow::Owned(raw.replace("\r\n", " ")) } else { Cow::Borrowed(raw) };
    let mut value = String::with_capacity(raw.len());
    let mut rest: &str = &raw;
    while let Some((before, after)) = rest.split_once('&') {
        push_spaced(&mut value, before);
        let Some((name, behind)) = after.split_once(';') else {
            return Err(XmlFault::grammar("the value of an attribute has `&` without `;`; it is written `&amp;`"));
        };
        value.push(referenced(name)?);
        rest = behind;
    }
    push_spaced(&mut value, rest);
    Ok(value)
}

fn push_spaced(value: &mut String, text: &str) {
    value.extend(text.chars().map(|character| if matches!(character, '\t' | '\n' | '\r') { ' ' } else { character }));
}
