//! What is wrong with the options of a source, checked against its format and each other.

use crate::path::RecordPath;
use crate::reading::check_null_words;
use crate::spec::{ArchiveSpec, CsvSpec, FixedWidthSpec, SourceFormat, SourceSpec, XlsxSpec};

/// What is wrong with the options of a source, with the fix.
pub(super) fn problem(source: &SourceSpec) -> Option<String> {
    let format = source.format;
    let options = [
        ("csv", SourceFormat::Csv, source.csv.is_some()),
        ("xlsx", SourceFormat::Xlsx, source.xlsx.is_some()),
        ("fixed_width", SourceFormat::FixedWidth, source.fixed_width.is_some()),
    ];
    if let Some((option, ..)) = options.into_iter().find(|(_, of, is_given)| *is_given && *of != format) {
        return Some(format!(
            "source.{option} is given but source.format is not {option}; take it out, or write `format: {option}`"
        ));
    }
    if format == SourceFormat::FixedWidth && source.fixed_width.is_none() {
        return Some(
            "source.format is fixed_width, and nothing says where the columns are; write source.fixed_width with \
             `columns: [{ name: id, width: 10 }]`"
                .to_owned(),
        );
    }
    let of_options = [
        ("csv", source.csv.as_ref().and_then(CsvSpec::problem)),
        ("xlsx", source.xlsx.as_ref().and_then(XlsxSpec::problem)),
        ("fixed_width", source.fixed_width.as_ref().and_then(FixedWidthSpec::problem)),
    ];
    for (option, problem) in of_options {
        if let Some(problem) = problem {
            return Some(format!("source.{option}: {problem}"));
        }
    }
    if source.records.is_some() && !format.has_documents() {
        return Some(
            "source.records is given, and only documents of json, ndjson, avro and xml have lists of records; take it \
             out, or correct source.format"
                .to_owned(),
        );
    }
    if let Some(problem) = ArchiveSpec::problem(source) {
        return Some(problem);
    }
    if let Some(problem) = records_problem(source) {
        return Some(problem.to_owned());
    }
    check_null_words(&source.null_words).err().map(|error| format!("source.{error}"))
}

/// Why the path of records does not fit the format.
fn records_problem(source: &SourceSpec) -> Option<&'static str> {
    let is_xml = source.format == SourceFormat::Xml;
    match source.records.as_ref().map(RecordPath::is_of_elements) {
        None if is_xml => Some(
            "source.format is xml, and nothing says which elements are records; write source.records with the path of \
             their names from the root on, such as `/orders/order`",
        ),
        Some(false) if is_xml => Some(
            "source.records is the path of a list of JSON, and source.format is xml; write the path of the names of \
             elements, such as `/orders/order`",
        ),
        Some(true) if !is_xml => Some(
            "source.records is a path of elements of XML, and source.format is not xml; write the path of a list, such \
             as `$.Records[*]`, or `format: xml`",
        ),
        _ => None,
    }
}

/// Why no object of the source can have a column of this name, after "which"; `None` where one can.
pub(super) fn unknown_column(source: &SourceSpec, name: &str) -> Option<&'static str> {
    let case = source.column_case;
    if let Some(csv) = &source.csv {
        return (!csv.may_have(name, case)).then(|| csv.names_in_words());
    }
    if let Some(xlsx) = &source.xlsx {
        return (!xlsx.may_have(name, case)).then(|| xlsx.names_in_words());
    }
    let fixed_width = source.fixed_width.as_ref()?;
    (!fixed_width.may_have(name, case))
        .then_some("source.fixed_width.columns does not have; add it there, or map one of its names")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(yaml: &str) -> SourceSpec {
        serde_saphyr::from_str(&format!("prefix: landing/p\n{yaml}\n"))
            .unwrap_or_else(|error| panic!("{yaml}: {error}"))
    }

    #[test]
    fn options_of_another_format_are_refused_with_the_fix() {
        let check = |yaml: &str, says: &str| {
            let problem = problem(&source(yaml));
            assert!(problem.as_deref().is_some_and(|problem| problem.contains(says)), "{yaml}: {problem:?}");
        };
        let fixed_width = "fixed_width: { columns: [{ name: id, width: 3 }] }";
        check("format: avro\ncsv: { delimiter: ';' }", "source.csv is given but source.format is not csv");
        check("format: csv\nxlsx: { sheet: 2 }", "write `format: xlsx`");
        check(&format!("format: avro\n{fixed_width}"), "write `format: fixed_width`");
        check("format: fixed_width", "nothing says where the columns are");
        check("format: xlsx\nxlsx: { sheet: 0 }", "source.xlsx: sheet is 0");
        check("format: fixed_width\nfixed_width: { columns: [{ name: id, width: 0 }] }", "has the width 0");
        check("format: xlsx\nrecords: '$.a[*]'", "only documents of json, ndjson, avro and xml");
        check("format: xml", "nothing says which elements are records");
        check("format: xml\nrecords: '$.a[*]'", "the path of a list of JSON");
        check("format: json\nrecords: /a/b", "a path of elements of XML");
        check("format: csv\nrecords: /a/b", "only documents of");
        check("format: avro\nnull_words: [' NA']", "source.null_words");
        check("format: xlsx\narchive: {}", "members of format xlsx are not read");
        check("format: csv\narchive: { members: { min_bytes: 1 } }", "write these options under source.files");
        check("format: avro\narchive: { members: { complete_after_minutes: 5 } }", "members of an archive do not wait");
        check("format: parquet\narchive: { members: { include: ['*.parquet'] } }", "take source.archive out");
        for good in [
            "format: avro",
            "format: avro\nrecords: '$.a[*]'",
            "format: xlsx",
            "format: xlsx\nxlsx: { sheet: 2 }",
            "format: xml\nrecords: /a/*",
        ] {
            assert_eq!(problem(&source(good)), None, "{good}");
        }
        for good in ["csv", "ndjson", "json", "avro"] {
            let members = format!("format: {good}\narchive: {{ members: {{ include: ['data/**'] }} }}");
            assert_eq!(problem(&source(&members)), None, "{good}");
        }
        assert_eq!(problem(&source(&format!("format: fixed_width\n{fixed_width}\narchive: {{}}"))), None);
    }

    #[test]
    fn columns_that_no_object_can_have_are_known_in_either_case() {
        let check = |yaml: &str, name: &str, can_have: bool| {
            assert_eq!(unknown_column(&source(yaml), name).is_none(), can_have, "{yaml}: {name}");
        };
        for case in ["exact", "ignore"] {
            let ignores = case == "ignore";
            let with = |yaml: &str| format!("column_case: {case}\n{yaml}");
            let fixed_width = with("format: fixed_width\nfixed_width: { columns: [{ name: id, width: 3 }] }");
            check(&fixed_width, "id", true);
            check(&fixed_width, "ID", ignores);
            check(&fixed_width, "name", false);
            check(&with("format: xlsx\nxlsx: { names: [id] }"), "ID", ignores);
            check(&with("format: csv\ncsv: { names: [id] }"), "ID", ignores);
            check(&with("format: avro"), "anything", true);
        }
    }
}
