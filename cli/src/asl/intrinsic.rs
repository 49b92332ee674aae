//! The intrinsic functions that our definitions use: `States.Format` and `States.JsonToString`.

use serde_json::Value;

use super::path::ReferencePath;

/// A parsed call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Intrinsic {
    /// The pieces between the `{}` of the template, and one argument for each gap.
    Format { pieces: Vec<String>, arguments: Vec<Argument> },
    /// The value as compact JSON text.
    JsonToString(Argument),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    Literal(Value),
    Path(ReferencePath),
    Call(Box<Intrinsic>),
}

impl Intrinsic {
    /// Parses a call such as `States.Format('run {}', $.run.run_id)`. The error text names the unsupported part.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text };
        let call = parser.call()?;
        parser.skip_spaces();
        if parser.rest.is_empty() { Ok(call) } else { Err(format!("unexpected `{}` after the call", parser.rest)) }
    }

    /// The value of the call; the error is the path that finds no node.
    pub(super) fn evaluate(&self, data: &Value, context: &Value) -> Result<Value, ReferencePath> {
        match self {
            Self::Format { pieces, arguments } => {
                let mut text = String::new();
                let mut arguments = arguments.iter();
                for piece in pieces {
                    text.push_str(piece);
                    if let Some(argument) = arguments.next() {
                        text.push_str(&interpolated(&argument.evaluate(data, context)?));
                    }
                }
                Ok(Value::String(text))
            }
            Self::JsonToString(argument) => Ok(Value::String(argument.evaluate(data, context)?.to_string())),
        }
    }
}

impl Argument {
    fn evaluate(&self, data: &Value, context: &Value) -> Result<Value, ReferencePath> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Path(path) => path.find(data, context).cloned().ok_or_else(|| path.clone()),
            Self::Call(call) => call.evaluate(data, context),
        }
    }
}

/// Renders a value as the service does inside `States.Format`: strings without quotes, objects as `{key=value}`.
fn interpolated(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(interpolated).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let fields: Vec<String> = map.iter().map(|(key, item)| format!("{key}={}", interpolated(item))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

struct Parser<'t> {
    rest: &'t str,
}

impl Parser<'_> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: char) -> bool {
        self.skip_spaces();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn call(&mut self) -> Result<Intrinsic, String> {
        self.skip_spaces();
        let (name, rest) = self.rest.split_once('(').ok_or_else(|| format!("`{}` is not a call", self.rest))?;
        self.rest = rest;
        let mut arguments = Vec::new();
        if !self.take(')') {
            loop {
                arguments.push(self.argument()?);
                if self.take(')') {
                    break;
                }
                if !self.take(',') {
                    return Err(format!("expected `,` or `)` in the arguments of `{name}`"));
                }
            }
        }
        build(name.trim(), arguments)
    }

    fn argument(&mut self) -> Result<Argument, String> {
        self.skip_spaces();
        if self.rest.starts_with('\'') {
            return self.quoted().map(|text| Argument::Literal(Value::String(text)));
        }
        if self.rest.starts_with("States.") {
            return self.call().map(|call| Argument::Call(Box::new(call)));
        }
        let word = self.word();
        if word.starts_with('$') {
            return word.parse().map(Argument::Path).map_err(|error: super::PathError| error.to_string());
        }
        match serde_json::from_str(word) {
            Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => Ok(Argument::Literal(value)),
            _ => Err(format!("`{word}` is not a valid argument: write a path, a number, true, false, null or 'text'")),
        }
    }

    /// Everything up to the `,` or `)` that ends the argument; quoted names of a path may hold either.
    fn word(&mut self) -> &str {
        let (mut in_quotes, mut is_escaped) = (false, false);
        let end = self.rest.find(|c: char| {
            let was_escaped = std::mem::replace(&mut is_escaped, false);
            match c {
                '\\' => is_escaped = !was_escaped,
                '\'' if !was_escaped => in_quotes = !in_quotes,
                _ => {}
            }
            !in_quotes && (c == ',' || c == ')')
        });
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word.trim()
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((position, c)) = chars.next() {
            match c {
                '\'' => {
                    self.rest = self.rest.get(position + 1..).unwrap_or_default();
                    return Ok(text);
                }
                // Escapes stay, so that `States.Format` can distinguish an escaped brace from a gap.
                '\\' => match chars.next() {
                    Some((_, '\'')) => text.push('\''),
                    Some((_, escaped @ ('{' | '}' | '\\'))) => text.extend(['\\', escaped]),
                    _ => return Err("a backslash in quoted text escapes only ' { } and \\".to_owned()),
                },
                c => text.push(c),
            }
        }
        Err("quoted text has no closing quote".to_owned())
    }
}

fn build(name: &str, arguments: Vec<Argument>) -> Result<Intrinsic, String> {
    match name {
        "States.Format" => {
            let mut arguments = arguments.into_iter();
            let Some(Argument::Literal(Value::String(template))) = arguments.next() else {
                return Err("`States.Format` needs quoted text as its first argument here".to_owned());
            };
            let pieces = split_template(&template)?;
            let arguments: Vec<Argument> = arguments.map(unescape).collect();
            if pieces.len() == arguments.len() + 1 {
                Ok(Intrinsic::Format { pieces, arguments })
            } else {
                Err(format!("`States.Format` has {} gaps for {} values", pieces.len() - 1, arguments.len()))
            }
        }
        "States.JsonToString" => match <[Argument; 1]>::try_from(arguments) {
            Ok([argument]) => Ok(Intrinsic::JsonToString(unescape(argument))),
            Err(given) => Err(format!("`States.JsonToString` takes 1 argument, not {}", given.len())),
        },
        other => Err(format!("intrinsic `{other}` is not supported: use `States.Format` or `States.JsonToString`")),
    }
}

fn unescape(argument: Argument) -> Argument {
    match argument {
        Argument::Literal(Value::String(text)) => {
            let mut plain = String::with_capacity(text.len());
            let mut chars = text.chars();
            while let Some(c) = chars.next() {
                if c == '\\' {
                    plain.extend(chars.next());
                } else {
                    plain.push(c);
                }
            }
            Argument::Literal(Value::String(plain))
        }
        other => other,
    }
}

/// Splits at `{}`; always one piece more than gaps.
fn split_template(template: &str) -> Result<Vec<String>, String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut chars = template.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => piece.extend(chars.next()),
            '{' if chars.as_str().starts_with('}') => {
                chars.next();
                pieces.push(std::mem::take(&mut piece));
            }
            '{' | '}' => {
                return Err(format!("a lone `{c}` in the text of `States.Format`: escape it as \\{c}"));
            }
            c => piece.push(c),
        }
    }
    pieces.push(piece);
    Ok(pieces)
}
