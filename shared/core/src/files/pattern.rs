//! One pattern on the name of a file.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::{HiddenNames, is_hidden};
use crate::text::serde_as_text;

/// Longest pattern, in bytes: as long as the longest key of S3.
const MAX_BYTES: usize = 1024;
/// Most patterns that one with alternatives may stand for.
const MAX_ALTERNATIVES: usize = 100;

/// Why a text is no pattern.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("pattern '{text}': {problem}")]
pub struct FilePatternError {
    /// The refused text.
    pub text: String,
    /// What is wrong with it, and the fix.
    pub problem: &'static str,
}

/// A pattern on the whole name of a file below its landing folder: see [`super::FileSelection`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePattern {
    text: String,
    /// What it stands for: patterns without alternatives.
    alternatives: Vec<Vec<Part>>,
}

/// A part of a pattern between slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`: any number of parts of the name, none included.
    AnyParts,
    /// One part of the name.
    One(Vec<Sign>),
}

/// A sign of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sign {
    /// This character.
    Literal(char),
    /// `?`: one character.
    AnyOne,
    /// `*`: any number of characters.
    Any,
    /// `[…]` and `[!…]`: one character that is (not) in one of these ranges, both ends included.
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl FilePattern {
    /// Whether the pattern matches this name.
    pub(super) fn matches(&self, name: &str, hidden: HiddenNames) -> bool {
        let parts: Vec<&str> = name.split('/').collect();
        self.alternatives.iter().any(|pattern| matches_parts(pattern, &parts, hidden))
    }

    /// Whether a part of it begins with `.` or `_`.
    pub(super) fn names_hidden(&self) -> bool {
        let begins = |part: &Part| matches!(part, Part::One(signs) if begins_hidden(signs));
        self.alternatives.iter().any(|pattern| pattern.iter().any(begins))
    }
}

fn begins_hidden(signs: &[Sign]) -> bool {
    matches!(signs.first(), Some(Sign::Literal('.' | '_')))
}

/// Whether parts of a pattern match parts of a name. A table of which beginnings match, so that the time is bounded by
/// the product of both lengths, whatever the pattern.
fn matches_parts(pattern: &[Part], name: &[&str], hidden: HiddenNames) -> bool {
    let passes = |part: &str| hidden == HiddenNames::AsOthers || !is_hidden(part);
    // `matched[n]`: the parts of the pattern so far match the first n parts of the name.
    let mut matched: Vec<bool> = std::iter::once(true).chain(name.iter().map(|_| false)).collect();
    for part in pattern {
        let before = matched.clone();
        let mut reached = false;
        for (place, now) in matched.iter_mut().enumerate() {
            let last = place.checked_sub(1).and_then(|place| name.get(place));
            let from = place.checked_sub(1).and_then(|place| before.get(place)).copied().unwrap_or(false);
            *now = match part {
                Part::AnyParts => {
                    reached = before.get(place).copied().unwrap_or(false)
                        || (reached && last.is_some_and(|part| passes(part)));
                    reached
                }
                Part::One(signs) => {
                    let visible = |part: &str| passes(part) || begins_hidden(signs);
                    from && last.is_some_and(|part| visible(part) && matches_signs(signs, part))
                }
            };
        }
    }
    matched.last().copied().unwrap_or(false)
}

/// Whether signs match one part of a name: where they do not, the last `*` takes one character more.
fn matches_signs(signs: &[Sign], part: &str) -> bool {
    let characters: Vec<char> = part.chars().collect();
    let (mut sign, mut place) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (signs.get(sign), characters.get(place)) {
            (Some(Sign::Any), _) => {
                retry = Some((sign, place));
                sign += 1;
                continue;
            }
            (Some(single), Some(&character)) if matches_one(single, character) => {
                (sign, place) = (sign + 1, place + 1);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        match retry {
            Some((star, taken)) if taken < characters.len() => {
                retry = Some((star, taken + 1));
                (sign, place) = (star + 1, taken + 1);
            }
            _ => return false,
        }
    }
}

fn matches_one(sign: &Sign, character: char) -> bool {
    match sign {
        Sign::Literal(literal) => *literal == character,
        Sign::AnyOne => true,
        Sign::Any => false,
        Sign::Class { negated, ranges } => {
            *negated != ranges.iter().any(|(first, last)| (*first..=*last).contains(&character))
        }
    }
}

impl FromStr for FilePattern {
    type Err = FilePatternError;

    fn from_str(text: &str) -> Result<Self, FilePatternError> {
        let refused = |problem| FilePatternError { text: text.chars().take(80).collect(), problem };
        if text.len() > MAX_BYTES {
            return Err(refused("is longer than 1024 bytes"));
        }
        let mut alternatives = Vec::new();
        for plain in expanded(text).map_err(refused)? {
            alternatives.push(parts(&plain).map_err(refused)?);
        }
        Ok(Self { text: text.to_owned(), alternatives })
    }
}

impl fmt::Display for FilePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(FilePattern);

impl schemars::JsonSchema for FilePattern {
    fn schema_name() -> Cow<'static, str> {
        "FilePattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": 1024,
            "description": "pattern on the name of a file below the landing folder, such as `**/*.csv`",
        })
    }
}

/// The patterns without alternatives that a pattern stands for.
fn expanded(text: &str) -> Result<Vec<String>, &'static str> {
    let mut waiting = vec![text.to_owned()];
    let mut done = Vec::new();
    while let Some(next) = waiting.pop() {
        match first_alternatives(&next)? {
            None => done.push(next),
            Some(Alternatives { before, between, after }) => {
                waiting.extend(between.iter().rev().map(|each| format!("{before}{each}{after}")));
            }
        }
        if waiting.len() + done.len() > MAX_ALTERNATIVES {
            return Err("stands for more than 100 patterns; write several patterns");
        }
    }
    Ok(done)
}

/// The first `{…}` of a pattern, with what comes before and after it.
struct Alternatives<'a> {
    before: &'a str,
    between: Vec<&'a str>,
    after: &'a str,
}

fn first_alternatives(text: &str) -> Result<Option<Alternatives<'_>>, &'static str> {
    let mut found: Option<(usize, Vec<usize>)> = None;
    let mut depth = 0_usize;
    let (mut escaped, mut in_class) = (false, false);
    for (place, character) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match character {
            '\\' => escaped = true,
            '[' if !in_class => in_class = true,
            ']' if in_class => in_class = false,
            _ if in_class => {}
            '{' => {
                depth += 1;
                if depth == 1 {
                    found = Some((place, Vec::new()));
                }
            }
            ',' if depth == 1 => {
                if let Some((_, commas)) = &mut found {
                    commas.push(place);
                }
            }
            '}' if depth == 1 => {
                let Some((open, commas)) = found else { break };
                let mut starts = vec![open + 1];
                starts.extend(commas.iter().map(|comma| comma + 1));
                let mut ends = commas;
                ends.push(place);
                let between = starts.iter().zip(&ends).filter_map(|(start, end)| text.get(*start..*end)).collect();
                let (before, after) = (text.get(..open).unwrap_or_default(), text.get(place + 1..).unwrap_or_default());
                return Ok(Some(Alternatives { before, between, after }));
            }
            '}' if depth > 1 => depth -= 1,
            '}' => return Err("has a } without a {; write \\} for the sign itself"),
            _ => {}
        }
    }
    if depth > 0 { Err("has a { that is not closed; write \\{ for the sign itself") } else { Ok(None) }
}

/// The parts of a pattern without alternatives.
fn parts(text: &str) -> Result<Vec<Part>, &'static str> {
    if text.is_empty() || text.starts_with('/') || text.ends_with('/') || text.contains("//") {
        return Err("has an empty part: write it relative to the landing folder, without a slash at its ends");
    }
    let mut all = Vec::new();
    for part in text.split('/') {
        all.push(match part {
            "." | ".." => return Err("has a part '.' or '..', which no name has"),
            "**" => Part::AnyParts,
            part => Part::One(signs(part)?),
        });
    }
    Ok(all)
}

fn signs(part: &str) -> Result<Vec<Sign>, &'static str> {
    let mut all = Vec::new();
    let mut rest = part.chars();
    while let Some(character) = rest.next() {
        all.push(match character {
            '\\' => Sign::Literal(rest.next().ok_or("ends in a \\; write \\\\ for the sign itself")?),
            '?' => Sign::AnyOne,
            '*' if all.last() == Some(&Sign::Any) => {
                return Err("has ** within a part; ** stands alone between slashes");
            }
            '*' => Sign::Any,
            '[' => class(&mut rest)?,
            literal => Sign::Literal(literal),
        });
    }
    Ok(all)
}

/// The rest of a class after its `[`. A `]` that comes first, and a `-` at an end, are meant literally.
fn class(rest: &mut std::str::Chars<'_>) -> Result<Sign, &'static str> {
    const OPEN: &str = "has a [ that is not closed in its part; write \\[ for the sign itself";
    let mut negated = false;
    if rest.as_str().starts_with(['!', '^']) {
        negated = true;
        rest.next();
    }
    let mut members: Vec<(char, bool)> = Vec::new();
    loop {
        match rest.next().ok_or(OPEN)? {
            ']' if !members.is_empty() => break,
            '\\' => members.push((rest.next().ok_or(OPEN)?, true)),
            member => members.push((member, false)),
        }
    }
    let mut ranges = Vec::new();
    let mut members = members.as_slice();
    loop {
        members = match members {
            [] => return Ok(Sign::Class { negated, ranges }),
            [(first, _), ('-', false), (last, _), after @ ..] => {
                if first > last {
                    return Err("has a range that ends before it begins");
                }
                ranges.push((*first, *last));
                after
            }
            [(single, _), after @ ..] => {
                ranges.push((*single, *single));
                after
            }
        };
    }
}
