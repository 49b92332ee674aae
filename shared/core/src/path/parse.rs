//! The grammar of paths.

use std::iter::{Enumerate, Peekable};
use std::str::Chars;

use super::{MAX_BYTES, MAX_STEPS, PathError, PathStep};

/// Whether a name may have this character without brackets and quotes.
pub(super) fn is_plain(character: char) -> bool {
    !character.is_whitespace() && !character.is_control() && !".[]'\"*\\(),?".contains(character)
}

/// The steps of a path.
///
/// # Errors
/// [`PathError`] with the first character that cannot stand where it does.
pub(super) fn steps(text: &str) -> Result<Vec<PathStep>, PathError> {
    let mut reader = Reader { text, characters: text.chars().enumerate().peekable() };
    if text.len() > MAX_BYTES {
        return Err(reader.error(1, "a path has at most 1024 bytes"));
    }
    if reader.take() != Some('$') {
        return Err(reader.error(1, "a path begins with `$`, which stands for the whole value: write `$.name`"));
    }
    let mut steps = Vec::new();
    while let Some(position) = reader.position() {
        if steps.len() == MAX_STEPS {
            return Err(reader.error(position, "a path has at most 32 steps"));
        }
        let step = match reader.take() {
            Some('.') => reader.plain_key()?,
            Some('[') => reader.bracket()?,
            _ => return Err(reader.error(position, "a step begins with `.` or `[`")),
        };
        steps.push(step);
    }
    if steps.is_empty() {
        return Err(PathError::at_end(text, "`$` alone is the whole value; write a step such as `.name` behind it"));
    }
    Ok(steps)
}

/// Whether a name of an element has this character. Colons are those of prefixes, which a path does not have.
fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || "_-.".contains(character) || !character.is_ascii() && !character.is_whitespace()
}

/// The names of a path of elements, which begins with `/`.
///
/// # Errors
/// [`PathError`] with the first character that cannot stand where it does.
pub(super) fn element_steps(text: &str) -> Result<Vec<PathStep>, PathError> {
    let mut reader = Reader { text, characters: text.chars().enumerate().peekable() };
    if text.len() > MAX_BYTES {
        return Err(reader.error(1, "a path has at most 1024 bytes"));
    }
    let mut steps = Vec::new();
    while let Some(position) = reader.position() {
        if steps.len() == MAX_STEPS {
            return Err(reader.error(position, "a path has at most 32 steps"));
        }
        if reader.take() != Some('/') {
            let problem = "a path of elements has names with `/` before each, without prefixes and conditions: write \
                           `/orders/order`";
            return Err(reader.error(position, problem));
        }
        if reader.take_if(|character| character == '*').is_some() {
            steps.push(PathStep::Elements);
            continue;
        }
        let name = reader.take_while(is_of_name);
        if name.is_empty() {
            return Err(reader.error_here("the name of an element, or `*` for any, must follow the `/`"));
        }
        steps.push(PathStep::Key(name));
    }
    Ok(steps)
}

struct Reader<'t> {
    text: &'t str,
    characters: Peekable<Enumerate<Chars<'t>>>,
}

impl Reader<'_> {
    fn error(&self, position: usize, problem: &'static str) -> PathError {
        PathError { text: self.text.to_owned(), position, problem }
    }

    /// An error at the next character, or at the end.
    fn error_here(&mut self, problem: &'static str) -> PathError {
        match self.position() {
            Some(position) => self.error(position, problem),
            None => PathError::at_end(self.text, problem),
        }
    }

    /// The place of the next character, from 1; `None` at the end.
    fn position(&mut self) -> Option<usize> {
        self.characters.peek().map(|(index, _)| index + 1)
    }

    fn take(&mut self) -> Option<char> {
        self.characters.next().map(|(_, character)| character)
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        self.characters.next_if(|(_, character)| wanted(*character)).map(|(_, character)| character)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        std::iter::from_fn(|| self.take_if(&wanted)).collect()
    }

    /// The name after a point.
    fn plain_key(&mut self) -> Result<PathStep, PathError> {
        let key = self.take_while(is_plain);
        if !key.is_empty() {
            return Ok(PathStep::Key(key));
        }
        let problem = "a name must follow the `.`; write one with other signs as `['name']`, and `[*]` for a list";
        Err(self.error_here(problem))
    }

    /// What follows `[`.
    fn bracket(&mut self) -> Result<PathStep, PathError> {
        let step = if self.take_if(|character| character == '*').is_some() {
            PathStep::Elements
        } else if let Some(quote) = self.take_if(|character| matches!(character, '\'' | '"')) {
            PathStep::Key(self.quoted_key(quote)?)
        } else {
            self.index()?
        };
        match self.take_if(|character| character == ']') {
            Some(_) => Ok(step),
            None => Err(self.error_here("`]` must follow here")),
        }
    }

    fn index(&mut self) -> Result<PathStep, PathError> {
        let Some(position) = self.position() else {
            return Err(self.error_here("`*`, a number or a name in quotes must follow the `[`"));
        };
        let digits = self.take_while(|character| character.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.error(position, "in brackets stands `*`, a number from 0 on, or a name in quotes"));
        }
        digits.parse().map(PathStep::Index).map_err(|_| self.error(position, "the number is too large"))
    }

    fn quoted_key(&mut self, quote: char) -> Result<String, PathError> {
        let mut key = String::new();
        loop {
            match self.take() {
                None => return Err(self.error_here("the quote of the name is never closed")),
                Some('\\') => match self.take_if(|character| matches!(character, '\'' | '"' | '\\')) {
                    Some(character) => key.push(character),
                    None => return Err(self.error_here("`\\` in a name stands before a quote or another `\\`")),
                },
                Some(character) if character == quote => return Ok(key),
                Some(character) => key.push(character),
            }
        }
    }
}
