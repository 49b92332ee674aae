//! Results on standard output; progress and errors on standard error.

use std::env;
use std::io::{self, IsTerminal, Write};

use anyhow::Error;
use serde::Serialize;
use serde_json::json;
use sluice_core::error::{ErrorName, texts};
use sluice_lake::LakeError;

use crate::fault::{Exit, Fault};

/// How text is shown. Colours only on a terminal that has them, and only when `NO_COLOR` is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Console {
    json: bool,
    /// Whether standard output is a terminal that a person reads.
    screen: bool,
    colour_out: bool,
    colour_err: bool,
}

/// Meaning of a coloured text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Tone {
    Good,
    Bad,
    Warning,
    Strong,
    Faint,
}

impl Console {
    /// A console on this process's streams.
    pub fn new(json: bool) -> Self {
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_dumb && !json;
        Self {
            json,
            screen: !json && io::stdout().is_terminal(),
            colour_out: wanted && io::stdout().is_terminal(),
            colour_err: wanted && io::stderr().is_terminal(),
        }
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether standard output is a terminal, whose reader sees a screenful and no more.
    pub fn is_screen(&self) -> bool {
        self.screen
    }

    /// Whether standard error is a terminal that a person watches.
    pub fn is_live(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// Text in its tone, for standard output.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        painted(self.colour_out, tone, text)
    }

    /// Text in its tone, for standard error.
    pub fn paint_err(&self, tone: Tone, text: &str) -> String {
        painted(self.colour_err, tone, text)
    }

    /// Prints a line of result.
    ///
    /// # Errors
    /// When standard output cannot be written, such as a closed pipe.
    pub fn line(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Prints a value as one line of JSON.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn json_line(&self, value: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string(value)?)
    }

    /// Prints a value as indented JSON.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn json_page(&self, value: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string_pretty(value)?)
    }

    /// Prints a line of progress or advice on standard error.
    pub fn note(&self, text: &str) {
        // When standard error is closed, nobody can read the message.
        drop(writeln!(io::stderr().lock(), "{text}"));
    }

    /// Reports why a command failed, and returns its exit.
    pub fn failure(&self, error: &Error) -> Exit {
        if is_closed_pipe(error) {
            // The reader has seen enough, as in `sluice table list | head -1`.
            return Exit::Done;
        }
        let report = FailureReport::of(error);
        if self.json {
            let value = json!({ "error": {
                "name": report.name, "message": report.message, "causes": report.causes, "next": report.next,
                "exit_code": report.exit.code(),
            } });
            drop(self.line(&value.to_string()));
            return report.exit;
        }
        self.note(&report.text(|tone, text| self.paint_err(tone, text)));
        report.exit
    }
}

fn painted(colour: bool, tone: Tone, text: &str) -> String {
    if !colour {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "1;31",
        Tone::Warning => "33",
        Tone::Strong => "1",
        Tone::Faint => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

fn is_closed_pipe(error: &Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The parts of an error as they are shown.
#[derive(Debug, PartialEq, Eq)]
struct FailureReport {
    exit: Exit,
    name: Option<ErrorName>,
    message: String,
    causes: Vec<String>,
    next: Option<String>,
}

impl FailureReport {
    fn of(error: &Error) -> Self {
        let fault = error.downcast_ref::<Fault>();
        let lake = error.downcast_ref::<LakeError>();
        let mut said = texts(&**error);
        let causes = said.split_off(1);
        let message = said.concat();
        Self {
            exit: fault.map_or(Exit::Failed, Fault::exit),
            name: fault.and_then(Fault::name).or(lake.map(LakeError::name)),
            message,
            causes,
            next: fault.and_then(Fault::next_step).map(str::to_owned),
        }
    }

    fn text(&self, paint: impl Fn(Tone, &str) -> String) -> String {
        let name = self.name.map_or(String::new(), |name| format!("{name}: "));
        let mut text = format!("{} {name}{}", paint(Tone::Bad, "error:"), self.message);
        for cause in &self.causes {
            text.push_str(&format!("\n  because {cause}"));
        }
        if let Some(next) = &self.next {
            text.push_str(&format!("\n{} {next}", paint(Tone::Strong, "next:")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn an_error_shows_its_causes_and_the_next_step() {
        let check = |error: Error, exit: Exit, text: &str| {
            let report = FailureReport::of(&error);
            assert_eq!((report.exit, report.text(|_, text| text.to_owned()).as_str()), (exit, text));
        };
        check(anyhow!("disk full"), Exit::Failed, "error: disk full");
        check(
            anyhow!("disk full").context("cannot write x"),
            Exit::Failed,
            "error: cannot write x\n  because disk full",
        );
        check(anyhow!("x: y").context("a: x: y"), Exit::Failed, "error: a: x: y");
        check(anyhow!("y").context("b").context("a: y"), Exit::Failed, "error: a: y\n  because b");
        let fault = Fault::new(Exit::WrongUse, "no such lake").named(ErrorName::NotFound).next("make it");
        check(fault.into(), Exit::WrongUse, "error: NotFound: no such lake\nnext: make it");
    }

    #[test]
    fn text_is_coloured_only_on_a_terminal() {
        assert_eq!(painted(false, Tone::Bad, "x"), "x");
        assert_eq!(painted(true, Tone::Good, "x"), "\u{1b}[32mx\u{1b}[0m");
    }

    #[test]
    fn every_exit_has_its_documented_code() {
        let codes = [Exit::Done, Exit::Failed, Exit::WrongUse, Exit::Rejected, Exit::Interrupted].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 130]);
    }
}
