//! The sources of a spec as a whole: one without a name, or several with names, and what makes them contradict each
//! other.

use std::collections::BTreeMap;

use crate::name::{SourceName, TableName};
use crate::spec::{PipelineSpec, SourceSpec, SpecError};

/// Most sources of a pipeline: a run lists the folder of each, one after the other.
const MAX_SOURCES: usize = 20;

/// A source of a spec.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamedSource<'a> {
    /// Its name; `None` for the only one, written as `source`.
    pub(super) name: Option<&'a SourceName>,
    pub(super) spec: &'a SourceSpec,
    /// Its raw table.
    pub(super) bronze: &'a TableName,
}

impl NamedSource<'_> {
    /// What is wrong with the options of the source, under the keys that it has in the spec.
    pub(super) fn in_words(&self, problem: String) -> String {
        if self.name.is_none() { problem } else { in_words(self.name, &problem) }
    }
}

/// Words about `source.<option>`, for the source of this name.
pub(super) fn in_words(name: Option<&SourceName>, words: &str) -> String {
    match name {
        Some(name) => words.replace("source.", &format!("sources.{name}.")),
        None => words.to_owned(),
    }
}

/// That a spec has no source.
pub(super) fn no_source(spec: &PipelineSpec) -> SpecError {
    problem(
        spec,
        "the pipeline has no source; write `source: { prefix: landing/<pipeline>, format: csv }`, or `sources` for several"
            .to_owned(),
    )
}

fn problem(spec: &PipelineSpec, problem: String) -> SpecError {
    SpecError::Sources { pipeline: spec.pipeline.clone(), problem }
}

/// The sources of a spec with their raw tables; at least one.
///
/// # Errors
/// Everything that is wrong with them as a whole: nothing else of the spec can be checked then.
pub(super) fn sources(spec: &PipelineSpec) -> Result<Vec<NamedSource<'_>>, Vec<SpecError>> {
    let (sources, mut problems) = match (&spec.source, spec.sources.is_empty()) {
        (Some(source), true) => only(spec, source),
        (None, false) => named(spec),
        (Some(_), false) => {
            let words = "the pipeline has `source` and `sources`; move what `source` says to an entry of `sources`, or take \
                         `sources` out";
            (Vec::new(), vec![words.to_owned()])
        }
        (None, true) => return Err(vec![no_source(spec)]),
    };
    problems.extend(problems_of_silver(spec));
    if problems.is_empty() {
        return Ok(sources);
    }
    Err(problems.into_iter().map(|words| problem(spec, words)).collect())
}

/// The only source of a spec.
fn only<'a>(spec: &'a PipelineSpec, source: &'a SourceSpec) -> (Vec<NamedSource<'a>>, Vec<String>) {
    let mut problems = Vec::new();
    if let Some(table) = &source.bronze {
        problems.push(format!(
            "source.bronze names the raw table `{table}`, which is for `sources`; write `bronze: {{ table: {table} }}` next \
             to `source`"
        ));
    }
    match &spec.bronze {
        Some(bronze) => (vec![NamedSource { name: None, spec: source, bronze: &bronze.table }], problems),
        None => {
            if source.bronze.is_none() {
                problems.push("`source` has no raw table; write `bronze: { table: <name> }` next to it".to_owned());
            }
            (Vec::new(), problems)
        }
    }
}

/// The sources of a spec with names.
fn named(spec: &PipelineSpec) -> (Vec<NamedSource<'_>>, Vec<String>) {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    if let Some(bronze) = &spec.bronze {
        problems.push(format!(
            "the pipeline has `sources` and `bronze`, and each source has a raw table of its own; take `bronze` out, and \
             write `bronze: {}` in the source that it is of",
            bronze.table
        ));
    }
    let count = spec.sources.len();
    if count > MAX_SOURCES {
        problems.push(format!(
            "the pipeline has {count} sources, and at most {MAX_SOURCES} are read by one; divide it into several pipelines, \
             whose tables gold reads as `inputs`"
        ));
    }
    let mut tables: BTreeMap<&TableName, &SourceName> = BTreeMap::new();
    for (name, source) in &spec.sources {
        let Some(bronze) = &source.bronze else {
            problems.push(format!("source `{name}` has no raw table; write `bronze: {name}_raw` in it"));
            continue;
        };
        if let Some(first) = tables.insert(bronze, name) {
            problems.push(format!(
                "sources `{first}` and `{name}` have one raw table, `{bronze}`; give each a table of its own"
            ));
        }
        sources.push(NamedSource { name: Some(name), spec: source, bronze });
    }
    problems.extend(overlaps(spec));
    (sources, problems)
}

/// Sources of which one has the folder of another, or one in it: nobody could say whose file one in there is. Patterns of
/// `files` do not divide a folder, because a file that none of them matches would be passed by in silence.
fn overlaps(spec: &PipelineSpec) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, (first, one)) in spec.sources.iter().enumerate() {
        for (second, other) in spec.sources.iter().skip(at + 1) {
            let (one, other) = (one.prefix.as_str(), other.prefix.as_str());
            let how = if one == other {
                "which are one folder".to_owned()
            } else if is_in(one, other) {
                format!("and '{one}' is in '{other}'")
            } else if is_in(other, one) {
                format!("and '{other}' is in '{one}'")
            } else {
                continue;
            };
            problems.push(format!(
                "sources `{first}` and `{second}` have the prefixes '{one}' and '{other}', {how}: a file would be of both; \
                 give each source a folder of its own"
            ));
        }
    }
    problems
}

fn is_in(folder: &str, of: &str) -> bool {
    folder.strip_prefix(of).is_some_and(|below| below.starts_with('/'))
}

/// What is wrong with the sources that silver tables name.
fn problems_of_silver(spec: &PipelineSpec) -> Vec<String> {
    let mut problems = Vec::new();
    let names: Vec<&str> = spec.sources.keys().map(SourceName::as_str).collect();
    let names = names.join(", ");
    for silver in &spec.silver {
        let table = &silver.table;
        match &silver.source {
            Some(name) if spec.sources.is_empty() => problems.push(format!(
                "table `{table}` names the source `{name}`, and the pipeline has one source without a name; take \
                 `source: {name}` out of the table"
            )),
            Some(name) if !spec.sources.contains_key(name) => problems.push(format!(
                "table `{table}` reads the source `{name}`, which `sources` does not have; write one of {names}"
            )),
            None if !spec.sources.is_empty() => problems.push(format!(
                "table `{table}` does not say which source it reads; write `source:` in it, with one of {names}"
            )),
            Some(_) | None => {}
        }
    }
    // Without any silver table, that is what is wrong. A table whose source is wrong may be the one that reads it.
    if spec.silver.is_empty() || !problems.is_empty() {
        return problems;
    }
    for name in spec.sources.keys() {
        if !spec.silver.iter().any(|silver| silver.source.as_ref() == Some(name)) {
            problems.push(format!(
                "no silver table reads the source `{name}`; write a table with `source: {name}`, or take the source out"
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Pipeline;
    use crate::uri::LakePath;

    const ONE: &str = "source: { prefix: landing/p, format: csv }\nbronze: { table: raw }\n";
    const SEVERAL: &str = "sources:\n  a: { prefix: landing/p/a, format: csv, bronze: a_raw }\n  \
                           b: { prefix: landing/p/b, format: json, bronze: b_raw }\n";

    /// A spec with these sources and silver tables, each with the source that it names.
    fn resolve(sources: &str, silver: &[(&str, &str)]) -> Result<Pipeline, String> {
        let tables: String = silver
            .iter()
            .map(|(table, source)| {
                let source = if source.is_empty() { String::new() } else { format!("source: {source}, ") };
                format!("  - {{ table: {table}, {source}contract: {table}.yaml, columns: {{ x: X }}, mode: append }}\n")
            })
            .collect();
        let spec = format!("pipeline: p\ndomain: d\n{sources}silver:\n{tables}");
        let contract = |(table, _): &(&str, &str)| {
            let text = format!(
                "apiVersion: v3.2.0\nkind: DataContract\nid: {table}\nversion: 1.0.0\nstatus: active\nschema:\n  \
                 - name: {table}\n    properties: [{{name: x, logicalType: string}}]\n"
            );
            let path: LakePath = format!("{table}.yaml").parse().unwrap();
            (path, text)
        };
        let spec = PipelineSpec::parse(&spec, "pipeline.yaml").map_err(|error| error.to_string())?;
        Pipeline::resolve_untyped(&spec, &silver.iter().map(contract).collect())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    const BOTH: &[(&str, &str)] = &[("t", "a"), ("u", "b")];

    #[test]
    fn sources_that_fit_together_are_resolved() {
        let one = resolve(ONE, &[("t", "")]).unwrap();
        assert_eq!((one.source.name.as_ref(), one.other_sources.len()), (None, 0));
        let several = resolve(SEVERAL, &[("t", "a"), ("u", "b"), ("v", "a")]).unwrap();
        let named: Vec<String> = several.sources().map(|source| source.bronze.to_string()).collect();
        assert_eq!(named, ["bronze/d/a_raw", "bronze/d/b_raw"]);
        let of: Vec<&str> =
            several.silver.iter().filter_map(|table| table.source.as_ref()).map(SourceName::as_str).collect();
        assert_eq!(of, ["a", "b", "a"]);
        let single =
            resolve("sources: { a: { prefix: landing/p, format: csv, bronze: raw } }\n", &[("t", "a")]).unwrap();
        assert_eq!(single.source.name.as_ref().map(SourceName::as_str), Some("a"));
        // A name that begins like another is not in its folder.
        resolve(&SEVERAL.replace("landing/p/b", "landing/p/ab"), BOTH).unwrap();
    }

    #[test]
    fn sources_that_contradict_each_other_are_refused_by_name_with_the_fix() {
        let check = |sources: &str, silver: &[(&str, &str)], says: &[&str]| {
            let refused = resolve(sources, silver).expect_err(sources);
            for words in says {
                assert!(refused.contains(words), "{sources}: {refused}");
            }
        };
        check("", &[("t", "")], &["has no source", "`sources` for several"]);
        check(&format!("{ONE}{SEVERAL}"), BOTH, &["`source` and `sources`", "move what `source` says"]);
        check(&format!("{SEVERAL}bronze: {{ table: raw }}\n"), BOTH, &["`sources` and `bronze`", "`bronze: raw`"]);
        check("source: { prefix: landing/p, format: csv }\n", &[("t", "")], &["no raw table", "bronze: { table:"]);
        let inner = "source: { prefix: landing/p, format: csv, bronze: raw }\n";
        check(inner, &[("t", "")], &["source.bronze names the raw table `raw`", "bronze: { table: raw }"]);
        check(ONE, &[("t", "a")], &["table `t` names the source `a`", "take `source: a` out"]);
        check(SEVERAL, &[("t", "a"), ("u", "")], &["table `u` does not say which source it reads", "one of a, b"]);
        check(
            SEVERAL,
            &[("t", "a"), ("u", "c")],
            &["reads the source `c`, which `sources` does not have", "one of a, b"],
        );
        for wrong in ["c", ""] {
            let refused = resolve(SEVERAL, &[("t", "a"), ("u", wrong)]).expect_err(wrong);
            assert!(refused.lines().count() == 1 && !refused.contains("no silver table"), "{wrong}: {refused}");
        }
        check(SEVERAL, &[("t", "a")], &["no silver table reads the source `b`", "take the source out"]);
        let one_table = SEVERAL.replace("b_raw", "a_raw");
        check(&one_table, BOTH, &["sources `a` and `b` have one raw table, `a_raw`"]);
        let no_table = SEVERAL.replace(", bronze: b_raw", "");
        check(&no_table, BOTH, &["source `b` has no raw table", "write `bronze: b_raw`"]);
        let same = SEVERAL.replace("landing/p/b", "landing/p/a");
        check(&same, BOTH, &["which are one folder", "give each source a folder of its own"]);
        let inside = SEVERAL.replace("landing/p/b", "landing/p/a/b");
        check(&inside, BOTH, &["'landing/p/a/b' is in 'landing/p/a'", "a file would be of both"]);
        let around = SEVERAL.replace("landing/p/b", "landing");
        check(&around, BOTH, &["'landing/p/a' is in 'landing'"]);
        let patterns = inside.replace("format: csv,", "format: csv, files: { include: ['*.csv'] },");
        check(&patterns, BOTH, &["give each source a folder of its own"]);
        let entry = |at: usize| format!("  s{at}: {{ prefix: landing/p/s{at}, format: csv, bronze: s{at} }}\n");
        let names: Vec<(String, String)> = (0..=MAX_SOURCES).map(|at| (format!("t{at}"), format!("s{at}"))).collect();
        let tables: Vec<(&str, &str)> = names.iter().map(|(table, source)| (table.as_str(), source.as_str())).collect();
        let many: String = (0..=MAX_SOURCES).map(entry).collect();
        check(&format!("sources:\n{many}"), &tables, &["has 21 sources, and at most 20", "several pipelines"]);
        let options = SEVERAL.replace("format: json", "format: json, csv: { delimiter: ';' }");
        check(&options, BOTH, &["sources.b.csv is given but sources.b.format is not csv"]);
        let names = SEVERAL.replace("format: csv", "format: csv, csv: { names: [Y] }");
        check(&names, BOTH, &["table `t`", "`X`, which sources.a.csv.names does not have"]);
    }
}
