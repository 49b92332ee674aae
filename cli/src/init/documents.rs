//! `pipeline.yaml` and the contract, with comments that say what a person may want to change.

use sluice_core::contract::{ColumnType, ObjectField};
use sluice_core::init::{Proposal, ProposedColumn, Written};
use sluice_core::name::{DomainName, PipelineName};
use sluice_core::spec::{
    ColumnCase, ColumnSource, CsvHeader, CsvSpec, EscapeCodes, HeaderNames, RaggedRecords, ReadSpec, XlsxSpec,
};

use super::yaml::{comment, list, scalar};

/// What the pipeline and its tables are called.
pub(crate) struct Names {
    pub(crate) pipeline: PipelineName,
    pub(crate) domain: DomainName,
}

/// Adds a line.
macro_rules! add {
    ($text:expr, $($argument:tt)*) => {{
        $text.push_str(&format!($($argument)*));
        $text.push('\n');
    }};
}

/// The text of `pipeline.yaml`.
pub(crate) fn spec_text(names: &Names, written: &Written, proposal: &Proposal) -> String {
    let Names { pipeline, domain } = names;
    let mut text = String::new();
    let what = if proposal.records == 1 { "record" } else { "records" };
    add!(text, "# Written by `sluice init` from a sample of {} {what}. What it found:", proposal.records);
    for evidence in written.evidence.iter().chain(&proposal.notes) {
        add!(text, "# - {}", comment(evidence));
    }
    add!(text, "pipeline: {}", scalar(pipeline.as_str()));
    add!(text, "domain: {}", scalar(domain.as_str()));
    add!(text, "source:");
    add!(text, "  prefix: landing/{pipeline}");
    add!(text, "  format: {}", written.format.as_str());
    if let Some(records) = &written.records {
        add!(text, "  records: {}", scalar(&records.to_string()));
    }
    match &written.archive {
        None => {}
        Some(archive) if archive.members.is_default() => {
            add!(text, "  # To read some of its members only: archive: {{ members: {{ include: ['**/*.csv'] }} }}");
            add!(text, "  archive: {{}}");
        }
        Some(archive) => {
            let include: Vec<String> = archive.members.include().iter().map(ToString::to_string).collect();
            add!(text, "  archive: {{ members: {{ include: {} }} }}", list(&include));
        }
    }
    if let Some(csv) = &written.csv {
        csv_text(&mut text, csv);
    }
    if let Some(xlsx) = &written.xlsx {
        xlsx_text(&mut text, xlsx);
    }
    if proposal.column_case == ColumnCase::Ignore {
        add!(text, "  column_case: ignore");
    }
    if !proposal.null_words.is_empty() {
        add!(text, "  null_words: {}", list(&proposal.null_words));
    }
    add!(text, "bronze:");
    add!(text, "  table: {}", scalar(pipeline.as_str()));
    add!(text, "silver:");
    add!(text, "  - table: {}", scalar(pipeline.as_str()));
    add!(text, "    contract: contracts/{pipeline}.odcs.yaml");
    add!(text, "    columns:");
    for column in &proposal.columns {
        for note in &column.notes {
            add!(text, "      # {}: {}", column.name, comment(note));
        }
        add!(text, "      {}: {}", scalar(column.name.as_str()), source_text(&column.source));
    }
    mode_text(&mut text, proposal);
    add!(text, "    gate:");
    let percent = gate_percent(proposal);
    if percent != USUAL_PERCENT {
        let (expected, records) = (proposal.tombstones + proposal.drawn, proposal.records + proposal.corrupt);
        add!(text, "      # {expected} of {records} records are `null` alone or lines of a printed table: quarantine.");
    }
    add!(text, "      quarantined_percent_below: {percent}");
    text
}

/// The share of quarantined rows below which a run is published, where nothing speaks for another.
const USUAL_PERCENT: usize = 10;

/// The limit of the gate. Tombstones and lines that draw a table are expected: with many of them the limit is twice the
/// share of the sample that goes to quarantine.
fn gate_percent(proposal: &Proposal) -> usize {
    let records = (proposal.records + proposal.corrupt).max(1);
    let quarantined = (proposal.refused_records * 100).div_ceil(records);
    if proposal.tombstones + proposal.drawn == 0 || quarantined * 2 < USUAL_PERCENT {
        return USUAL_PERCENT;
    }
    ((quarantined * 2).div_ceil(10) * 10).clamp(USUAL_PERCENT, 100)
}

/// The options of CSV that are not the defaults.
fn csv_text(text: &mut String, csv: &CsvSpec) {
    let default = CsvSpec::default();
    if *csv == default {
        return;
    }
    add!(text, "  csv:");
    if csv.delimiter != default.delimiter {
        add!(text, "    delimiter: {}", scalar(csv.delimiter.as_str()));
    }
    if csv.quote != default.quote {
        add!(text, "    quote: {}", scalar(&String::from(csv.quote)));
    }
    if let Some(escape) = csv.escape {
        add!(text, "    escape: {}", scalar(&char::from(escape).to_string()));
    }
    if csv.escapes == EscapeCodes::Copy {
        add!(text, "    escapes: copy");
    }
    if csv.record_end != default.record_end {
        add!(text, "    record_end: {}", scalar(csv.record_end.as_str()));
    }
    if csv.skip_lines > 0 {
        add!(text, "    skip_lines: {}", csv.skip_lines);
    }
    if csv.skip_last_lines > 0 {
        add!(text, "    skip_last_lines: {}", csv.skip_last_lines);
    }
    if let Some(begin) = &csv.last_lines_begin {
        add!(text, "    last_lines_begin: {}", scalar(begin));
    }
    if let Some(sign) = csv.comment {
        add!(text, "    comment: {}", scalar(&char::from(sign).to_string()));
    }
    if csv.header == CsvHeader::Absent {
        add!(text, "    header: absent");
        if csv.names.is_none() {
            add!(text, "    # To give the columns names, list them by position, and map them below:");
            add!(text, "    # names: [first, second]");
        }
    }
    if let Some(names) = &csv.names {
        add!(text, "    names: {}", list(names));
    }
    if csv.header_names == HeaderNames::Strict {
        add!(text, "    header_names: strict");
    }
    if csv.trailing_delimiter {
        add!(text, "    trailing_delimiter: true");
    }
    if csv.ragged == RaggedRecords::Pad {
        add!(text, "    ragged: pad");
    }
    if csv.encoding != default.encoding {
        add!(text, "    encoding: {}", String::from(csv.encoding));
    }
}

/// The options of a sheet that are not the defaults.
fn xlsx_text(text: &mut String, xlsx: &XlsxSpec) {
    add!(text, "  xlsx:");
    if xlsx.skip_lines > 0 {
        add!(text, "    skip_lines: {}", xlsx.skip_lines);
    }
    if xlsx.header == CsvHeader::Absent {
        add!(text, "    header: absent");
    }
    if let Some(names) = &xlsx.names {
        add!(text, "    names: {}", list(names));
    }
}

/// A source column, and how its texts are read.
fn source_text(source: &ColumnSource) -> String {
    let read = match source {
        ColumnSource::Name(name) => return scalar(name),
        ColumnSource::Read(read) => read.as_ref(),
    };
    // What the samples never propose is not written.
    let ReadSpec { from, column_type, null_words, decimal, thousands, true_words, false_words, formats, .. } = read;
    let mut parts = vec![format!("from: {}", scalar(from))];
    parts.extend(column_type.as_ref().map(|column_type| format!("type: {}", scalar(column_type))));
    let signs = [("decimal", decimal), ("thousands", thousands)];
    for (key, sign) in signs {
        parts.extend(sign.map(|sign| format!("{key}: {}", scalar(&sign.to_string()))));
    }
    let lists =
        [("true_words", true_words), ("false_words", false_words), ("formats", formats), ("null_words", null_words)];
    for (key, words) in lists {
        parts.extend(words.as_ref().map(|words| format!("{key}: {}", list(words))));
    }
    format!("{{ {} }}", parts.join(", "))
}

fn mode_text(text: &mut String, proposal: &Proposal) {
    add!(text, "    mode: append");
    match (proposal.key.as_slice(), &proposal.latest_by) {
        ([], _) => {
            add!(text, "    # No column or pair named like a key is unique in the sample.");
        }
        (key, Some(latest_by)) => {
            add!(text, "    # For one row per key, the newest, write these three lines instead of `mode: append`:");
            add!(text, "    # mode: merge");
            add!(text, "    # keys: {}", list(key));
            add!(text, "    # latest_by: {latest_by}");
        }
        (key, None) => {
            add!(
                text,
                "    # For one row per key, that of the newest file, write these two lines instead of `mode: append`:"
            );
            add!(text, "    # mode: merge");
            add!(text, "    # keys: {}", list(key));
        }
    }
    add!(text, "    # Where each file is the whole table: `mode: replace`.");
}

/// The text of the contract of the silver table.
pub(crate) fn contract_text(names: &Names, proposal: &Proposal) -> String {
    let pipeline = &names.pipeline;
    let mut text = String::new();
    add!(text, "apiVersion: v3.2.0");
    add!(text, "kind: DataContract");
    add!(text, "id: {}", scalar(&format!("{}-{pipeline}", names.domain)));
    add!(text, "name: {}", scalar(pipeline.as_str()));
    add!(text, "version: 1.0.0");
    add!(text, "status: draft");
    add!(text, "domain: {}", scalar(names.domain.as_str()));
    add!(text, "schema:");
    add!(text, "  - name: {}", scalar(pipeline.as_str()));
    add!(text, "    physicalType: table");
    add!(text, "    properties:");
    for column in &proposal.columns {
        column_text(&mut text, column);
    }
    add!(text, "    quality:");
    add!(text, "      - id: row_count");
    add!(text, "        metric: rowCount");
    add!(text, "        mustBeGreaterThan: 0");
    text
}

fn column_text(text: &mut String, column: &ProposedColumn) {
    let (logical, physical) = types(&column.column_type);
    add!(text, "      - name: {}", scalar(column.name.as_str()));
    add!(text, "        businessName: {}", scalar(column.source.name()));
    add!(text, "        logicalType: {logical}");
    if let Some(physical) = physical {
        add!(text, "        physicalType: {}", scalar(&physical));
    }
    if let ColumnType::Array(items) = &column.column_type {
        add!(text, "        items: {}", items_text(items));
    }
    if column.required {
        add!(text, "        required: true");
    }
    if let Some(classification) = column.classification {
        add!(text, "        # Seems to have {}.", classification.meaning());
        add!(text, "        classification: {}", classification.word());
    }
    add!(text, "        # In the sample: {} different values, {} null.", column.distinct, column.nulls);
    if let Some((least, greatest)) = &column.range {
        let (least, greatest) = (comment(least), comment(greatest));
        add!(text, "        # From {least} to {greatest}; for rules: logicalTypeOptions.minimum, .maximum.");
    }
    if !column.values.is_empty() {
        add!(text, "        # Values: {}; for a rule: enum.", comment(&list(&column.values)));
    }
    if let Some(refused) = &column.refused {
        add!(
            text,
            "        # {} of {} values are of another type and go to quarantine, such as the one in record {}.",
            refused.count,
            refused.of,
            refused.record
        );
    }
}

/// What the elements of an array are, in braces.
fn items_text(items: &ColumnType) -> String {
    match items {
        ColumnType::Object(fields) => {
            let field = |field: &ObjectField| {
                let (logical, _) = types(&field.column_type);
                format!("{{ name: {}, logicalType: {logical} }}", scalar(&field.name))
            };
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{ logicalType: object, properties: [{}] }}", fields.join(", "))
        }
        plain => format!("{{ logicalType: {} }}", types(plain).0),
    }
}

/// The logical type, and the physical one where the logical one alone means another.
fn types(column_type: &ColumnType) -> (&'static str, Option<String>) {
    match column_type {
        ColumnType::Text => ("string", None),
        ColumnType::Int32 | ColumnType::Int64 => ("integer", Some(column_type.to_string())),
        ColumnType::Double | ColumnType::Decimal { .. } => ("number", Some(column_type.to_string())),
        ColumnType::Boolean => ("boolean", None),
        ColumnType::Date => ("date", None),
        ColumnType::Timestamp => ("timestamp", None),
        // Their elements are texts, or objects of texts.
        ColumnType::Array(_) => ("array", None),
        ColumnType::Object(_) => ("object", None),
    }
}
