//! Texts of the repository use plain, everyday technical English: phrases that a newcomer stumbles over are refused, each with what to
//! write instead. Only phrases that can be recognised without false alarms are listed.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use sluice_tests::files::repository;

/// Phrases that no text may have, and what to write instead.
const BANNED: [(&str, &str); 9] = [
    (r"(?:is|are|was|were|be) (?-i:none)", "`does not exist`, `is empty` or `is not a valid …`"),
    (r"none of ours", "`not one of ours`, or what it is instead"),
    (r"(?:un)?told|tells", "`reports`, `returns`, `says` or `notifies`; `distinguishes` for `tells apart`"),
    (r"doors?", "`API`, `endpoint` or `access path`"),
    (r"beside", "`next to`, `compared with` or `in addition to`"),
    (r"anew", "`again` or `from scratch`"),
    (r"(?:is|are) there", "`exists` or `is present`"),
    (r"look(?:s|ed|ing)? at", "`reads`, `checks` or `examines`"),
    (r"through (?:the|its|their) contracts?", "`re-validates against the contract`"),
];

/// Parts of lines that may have such a phrase, each with the reason.
const EXEMPT: [(&str, &str); 2] = [
    (r#"["`]doors?["`]"#, "field and value of documents that users store: policies, audit events"),
    (r"\bdoors: ?\[", "the same field, in YAML"),
];

/// Endings of the files that people read.
const READ: [&str; 8] = ["json", "md", "py", "rs", "toml", "ts", "yaml", "yml"];

/// Folders and files that are not ours or not written by people; paths from the root of the repository.
const SKIPPED: [&str; 9] = [
    ".git",
    "target",
    "cdk/cdk.out",
    "cdk/node_modules",
    "cdk/package-lock.json",
    "shared/core/schemas",
    // Made by older versions.
    "tests/old_lakes",
    "tests/judges/package-lock.json",
    // It has to name what it refuses.
    "tests/tests/it/words.rs",
];

/// The files below a folder that people read, sorted.
fn texts(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
    for path in sluice_tests::files::entries(folder) {
        let below = path.strip_prefix(root).expect("below the root");
        if SKIPPED.iter().any(|skipped| below == Path::new(skipped)) {
            continue;
        }
        let is_read = path.extension().is_some_and(|ending| READ.iter().any(|read| ending == *read));
        if path.is_dir() && !path.is_symlink() {
            texts(root, &path, found);
        } else if is_read {
            found.push(path);
        }
    }
}

/// The phrases as expressions: whole words, in any case, where `_` ends a word as well.
fn banned() -> Vec<(Regex, &'static str)> {
    let expression = |phrase: &str| Regex::new(&format!(r"(?i)(?:\b|_)(?:{phrase})(?:\b|_)")).expect(phrase);
    BANNED.iter().map(|(phrase, instead)| (expression(phrase), *instead)).collect()
}

/// What is wrong with a line: each banned phrase in it, with what to write instead.
fn problems(line: &str, banned: &[(Regex, &str)], exempt: &[Regex]) -> Vec<String> {
    let line = exempt.iter().fold(line.to_owned(), |line, exempt| exempt.replace_all(&line, "").into_owned());
    let phrases = banned.iter().filter_map(|(phrase, instead)| Some((phrase.find(&line)?, instead)));
    phrases.map(|(found, instead)| format!("'{}': write {instead}", found.as_str().trim_matches('_'))).collect()
}

fn exempt() -> Vec<Regex> {
    EXEMPT.iter().map(|(part, reason)| Regex::new(part).expect(reason)).collect()
}

#[test]
fn no_text_has_a_phrase_that_newcomers_stumble_over() {
    let (root, banned, exempt) = (repository(), banned(), exempt());
    let mut files = Vec::new();
    texts(&root, &root, &mut files);
    assert!(files.len() > 500, "only {} files were found below {}", files.len(), root.display());
    let mut found = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
        let place = file.strip_prefix(&root).expect("below the root").display();
        for (number, line) in text.lines().enumerate() {
            found.extend(
                problems(line, &banned, &exempt).iter().map(|problem| format!("{place}:{}: {problem}", number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{} phrases to replace:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_banned_phrase_is_found_as_a_whole_word_and_stored_words_are_exempt() {
    let (banned, exempt) = (banned(), exempt());
    let check = |line: &str, expected: usize| {
        let found = problems(line, &banned, &exempt);
        assert_eq!(found.len(), expected, "{line}: {found:?}");
    };
    check("The file that IS THERE is read anew.", 2);
    check("`table history` tells more", 1);
    check("fn every_fault_is_told() {}", 1);
    check("a token is none of ours", 2);
    check("struct Doors;", 1);
    check("    doors: [rows, query]", 0);
    check(r#""required": ["principals", "doors"]"#, 0);
    check("value.is_none() || value is None || indoors || besides || retold", 0);
}
