//! The fenced blocks of a page, and what each of them is.

use sluice_core::name::TableRef;

/// A fenced block of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// What its first line says.
    pub(super) info: String,
    /// The lines between the fences.
    pub(super) text: String,
}

/// What a block is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'p> {
    File(&'p str),
    Table(TableRef),
    Console,
    Fragment(Fragment),
}

/// What a part of a spec belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fragment {
    Spec,
    Source,
    Silver,
}

/// Keys that a spec needs, each with a value for fragments that lack it.
const SPEC: [(&str, &str); 5] = [
    ("pipeline", "p"),
    ("domain", "d"),
    ("source", "{ prefix: landing/p, format: csv }"),
    ("bronze", "{ table: t }"),
    ("silver", "[]"),
];
/// The same of a source.
const SOURCE: [(&str, &str); 2] = [("prefix", "landing/p"), ("format", "csv")];
/// The same of a silver table.
const SILVER: [(&str, &str); 4] =
    [("table", "t"), ("contract", "contracts/t.yaml"), ("columns", "{}"), ("mode", "append")];

/// The blocks of a page, from top to bottom.
pub(super) fn of(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (line, text) in (1..).zip(page.lines()) {
        match (text.trim_start().strip_prefix("```"), is_open) {
            (Some(info), false) => {
                blocks.push(Block { line, info: info.trim().to_owned(), text: String::new() });
                is_open = true;
            }
            (Some(_), true) => is_open = false,
            (None, true) => {
                let block = blocks.last_mut().expect("a block is open");
                block.text.push_str(text);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!is_open, "the last block is never closed: {:?}", blocks.last());
    blocks
}

/// What a block is; `None` if its first line does not say it, so that nothing would check it.
pub(super) fn kind_of(info: &str) -> Option<Kind<'_>> {
    let mut words = info.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("console"), None, None) => Some(Kind::Console),
        (Some("yaml"), Some("spec"), None) => Some(Kind::Fragment(Fragment::Spec)),
        (Some("yaml"), Some("source"), None) => Some(Kind::Fragment(Fragment::Source)),
        (Some("yaml"), Some("silver"), None) => Some(Kind::Fragment(Fragment::Silver)),
        (Some(_), Some(path), None) if path.contains('/') => Some(match path.parse::<TableRef>() {
            Ok(table) => Kind::Table(table),
            Err(_) => Kind::File(path),
        }),
        _ => None,
    }
}

/// The whole spec around a fragment.
pub(super) fn whole(kind: Fragment, text: &str) -> String {
    let inner = match kind {
        Fragment::Spec => text.to_owned(),
        Fragment::Source => format!("source:\n{}", indented(&completed(text, &SOURCE), "  ")),
        Fragment::Silver => {
            // Pages show these with the indentation that they have in a spec.
            let keys = text.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)));
            format!("silver:\n  -\n{}", indented(&completed(&keys.collect::<String>(), &SILVER), "    "))
        }
    };
    completed(&inner, &SPEC)
}

/// A mapping of YAML with the keys that it needs.
fn completed(fragment: &str, needed: &[(&str, &str)]) -> String {
    let is_missing = |key: &str| !fragment.lines().any(|line| line.starts_with(&format!("{key}:")));
    let missing = needed.iter().filter(|(key, _)| is_missing(key));
    let added: String = missing.map(|(key, value)| format!("{key}: {value}\n")).collect();
    format!("{added}{fragment}")
}

fn indented(text: &str, by: &str) -> String {
    text.lines().map(|line| format!("{by}{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use sluice_core::spec::PipelineSpec;

    use super::*;

    #[test]
    fn a_block_that_nothing_would_check_is_found() {
        let check = |info: &str, expected: Option<Kind<'_>>| assert_eq!(kind_of(info), expected, "{info}");
        for info in ["", "yaml", "yaml unknown", "csv", "text", "json", "console silver", "yaml silver spec"] {
            check(info, None);
        }
        check("yaml silver", Some(Kind::Fragment(Fragment::Silver)));
        check("yaml a/b.yaml", Some(Kind::File("a/b.yaml")));
        check("text silver/sales/orders", Some(Kind::Table("silver/sales/orders".parse().unwrap())));
        let page = "```yaml\na: 1\n```\ntext\n  ```console\n$ x\n  ```\n";
        let block = |line: usize, info: &str, text: &str| Block { line, info: info.to_owned(), text: text.to_owned() };
        assert_eq!(of(page), [block(1, "yaml", "a: 1\n"), block(5, "console", "$ x\n")]);
    }

    #[test]
    fn a_fragment_with_an_unknown_key_is_refused() {
        let check = |kind: Fragment, text: &str, is_read: bool| {
            let whole = whole(kind, text);
            let read = PipelineSpec::parse(&whole, "a page");
            assert_eq!(read.is_ok(), is_read, "{read:?}\n{whole}");
        };
        check(Fragment::Spec, "engine: lambda\n", true);
        check(Fragment::Spec, "engines: lambda\n", false);
        check(Fragment::Source, "csv: { quote: none }\n", true);
        check(Fragment::Source, "csv: { quotes: none }\n", false);
        check(Fragment::Silver, "    mode: merge\n    keys: [id]\n", true);
        check(Fragment::Silver, "    mode: merge\n    key: [id]\n", false);
    }
}
