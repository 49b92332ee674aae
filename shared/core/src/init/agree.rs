//! How several files are written, of each of which it is known.

use super::encoding::Certainty;
use super::{InitError, Written};
use crate::shown::shown;
use crate::spec::{ArchiveSpec, CsvSpec, EscapeCodes, RaggedRecords, SourceFormat, TextEncoding};

/// How several files are written together.
///
/// # Errors
/// [`InitError`] where they have two formats or dialects; the first file is an empty list's.
pub fn agree(files: &[(String, Written)]) -> Result<Written, InitError> {
    let Some(((first, written), others)) = files.split_first() else {
        return Err(InitError::Empty { file: "the list of files".to_owned() });
    };
    let mut agreed = written.clone();
    // The file whose bytes decide the encoding.
    let mut decider = first;
    for (file, other) in others {
        agree_on_records((first, &mut agreed), (file, other))?;
        let is_document = agreed.records.is_some() && other.format == SourceFormat::Ndjson;
        if other.format != agreed.format && !is_document {
            return Err(InitError::MixedFormats {
                first: first.clone(),
                first_format: agreed.format,
                second: file.clone(),
                second_format: other.format,
            });
        }
        if other.xlsx != agreed.xlsx {
            let difference = "rows before the table, the header, or names of columns in the sheet".to_owned();
            return Err(InitError::MixedDialects { first: first.clone(), second: file.clone(), difference });
        }
        agree_on_members((first, &mut agreed), (file, other))?;
        let (Some(mine), Some(theirs)) = (&mut agreed.csv, &other.csv) else { continue };
        let mut theirs = theirs.clone();
        let is_copy = |csv: &CsvSpec| csv.escapes == EscapeCodes::Copy;
        match (is_copy(mine), is_copy(&theirs)) {
            // A file without nulls and escapes does not show them.
            (true, false) if !other.has_quotes => (theirs.escapes, theirs.quote) = (mine.escapes, mine.quote),
            (false, true) if !agreed.has_quotes => {
                (mine.escapes, mine.quote) = (theirs.escapes, theirs.quote);
                agreed.evidence.push(format!("escapes copy: {file} has them"));
            }
            _ => {}
        }
        agreed.has_quotes |= other.has_quotes;
        let differs = |first: &String, difference: String| {
            Err(InitError::MixedDialects { first: first.clone(), second: file.clone(), difference })
        };
        let are_found = agreed.certainty == Certainty::Found && other.certainty == Certainty::Found;
        if are_found && mine.encoding != theirs.encoding {
            return differs(decider, format!("encoding {} and {}", label(mine.encoding), label(theirs.encoding)));
        }
        if other.certainty == Certainty::Found && agreed.certainty != Certainty::Found {
            (mine.encoding, agreed.certainty, decider) = (theirs.encoding, Certainty::Found, file);
        } else if mine.encoding != theirs.encoding && agreed.certainty != Certainty::Found {
            // Byte order marks and ASCII are read by the default.
            mine.encoding = TextEncoding::default();
        }
        if theirs.ragged == RaggedRecords::Pad {
            mine.ragged = theirs.ragged;
        }
        // A file without such quotes does not show them.
        mine.escape = mine.escape.or(theirs.escape);
        let same = CsvSpec { encoding: mine.encoding, ragged: mine.ragged, escape: mine.escape, ..theirs };
        if same != *mine {
            return differs(first, difference(mine, &same));
        }
    }
    Ok(agreed)
}

/// Where the records are: where one file shows it, the others are read so, too. A list without elements shows nothing,
/// and one line may be a document.
fn agree_on_records(
    (first, agreed): (&String, &mut Written),
    (file, other): (&String, &Written),
) -> Result<(), InitError> {
    match (&agreed.records, &other.records) {
        (Some(mine), Some(theirs)) if mine != theirs => Err(InitError::MixedDialects {
            first: first.clone(),
            second: file.clone(),
            difference: format!("records in `{mine}` and `{theirs}`"),
        }),
        (None, Some(_)) if matches!(agreed.format, SourceFormat::Json | SourceFormat::Ndjson) => {
            agreed.format = other.format;
            agreed.records.clone_from(&other.records);
            agreed.evidence.clone_from(&other.evidence);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether files are archives, and which of their members are read: where one shows it, those of the others are chosen
/// so, too.
fn agree_on_members(
    (first, agreed): (&String, &mut Written),
    (file, other): (&String, &Written),
) -> Result<(), InitError> {
    let is_chosen = |archive: &ArchiveSpec| !archive.members.is_default();
    match (&agreed.archive, &other.archive) {
        (_, None) => {}
        (None, Some(_)) => {
            agreed.archive.clone_from(&other.archive);
            agreed.evidence.push(format!("archive: {file} is one"));
        }
        (Some(mine), Some(theirs)) if is_chosen(mine) && is_chosen(theirs) && mine != theirs => {
            let patterns = |archive: &ArchiveSpec| {
                let include: Vec<String> = archive.members.include().iter().map(ToString::to_string).collect();
                include.join(", ")
            };
            let difference = format!("members {} and {} of archives", patterns(mine), patterns(theirs));
            return Err(InitError::MixedDialects { first: first.clone(), second: file.clone(), difference });
        }
        (Some(mine), Some(theirs)) => {
            if !is_chosen(mine) && is_chosen(theirs) {
                agreed.archive.clone_from(&other.archive);
                agreed.evidence.push(format!("archive: {file} has members that are left out"));
            }
        }
    }
    Ok(())
}

fn label(encoding: TextEncoding) -> String {
    encoding.into()
}

/// What differs between two dialects.
fn difference(mine: &CsvSpec, theirs: &CsvSpec) -> String {
    if mine.delimiter != theirs.delimiter {
        return format!("delimiter `{}` and `{}`", shown(mine.delimiter.as_str()), shown(theirs.delimiter.as_str()));
    }
    if mine.quote != theirs.quote {
        return format!("quote `{}` and `{}`", String::from(mine.quote), String::from(theirs.quote));
    }
    if mine.record_end != theirs.record_end {
        return "lines that end with carriage returns alone, and lines that do not".to_owned();
    }
    if mine.escapes != theirs.escapes {
        return "escapes as COPY writes them in one of them, quotes in the other".to_owned();
    }
    if mine.skip_last_lines != theirs.skip_last_lines {
        return "a last line that counts the others in one of them".to_owned();
    }
    if mine.header != theirs.header {
        return "one has a header, the other has none".to_owned();
    }
    if mine.skip_lines != theirs.skip_lines {
        return format!("{} and {} lines before the table", mine.skip_lines, theirs.skip_lines);
    }
    if mine.names != theirs.names {
        return "other columns, of names that have to be given by position".to_owned();
    }
    "comments or delimiters at the end of records".to_owned()
}
