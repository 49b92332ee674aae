//! The proposal: names, types and readings of all columns, and what of the sample it would refuse.

use std::collections::{BTreeSet, HashSet};

use super::column::{Column, Proof, Read, read};
use super::{
    InitError, MAX_COLUMNS, Proposal, ProposedColumn, RefusedValues, SampleTable, contract_name, hints, keys, words,
};
use crate::contract::ColumnType;
use crate::name::ColumnName;
use crate::spec::{ColumnCase, ColumnSource, CsvSpec, ReadSpec};

/// Most different values that are listed.
const LISTED_VALUES: usize = 10;
/// Records from which on values are listed.
const LISTED_FROM: usize = 20;
/// Characters of a refused value that are shown.
const SHOWN: usize = 40;

/// Proposes a pipeline for these samples of one source.
///
/// # Errors
/// [`InitError`] where no record can be read, too many cannot, or files have no column in common.
pub fn propose(tables: &[SampleTable]) -> Result<Proposal, InitError> {
    check(tables)?;
    let (columns, left_out) = without_frame(combined(tables));
    if let (Some(first), true) = (tables.first(), columns.len() > MAX_COLUMNS) {
        let (file, columns) = (first.file.clone(), columns.len());
        return Err(InitError::TooManyColumns { file, columns, most: MAX_COLUMNS });
    }
    let (records, corrupt) = (tables.iter().map(|table| table.records.len()).sum::<usize>(), sum_corrupt(tables));
    let tombstones = tables.iter().map(|table| table.tombstones).sum::<usize>();
    let drawn = tables.iter().map(|table| table.drawn).sum::<usize>();
    let reads = reads(&columns, records, tables.iter().map(broken).sum());
    let refused_records = refused_rows(&reads).len() + corrupt;
    let null_words = null_words(&columns, &reads);
    let sources: Vec<ColumnSource> =
        columns.iter().zip(&reads).map(|(column, read)| source(column, read, &null_words)).collect();
    let nulls: Vec<usize> = columns
        .iter()
        .zip(&reads)
        .zip(&sources)
        .map(|((column, read), source)| {
            values_of(column, read, words_of(source, &null_words)).filter(Option::is_none).count()
        })
        .collect();
    let key = keys::find(&columns, &reads, &nulls);
    let mut proposed = Vec::with_capacity(columns.len());
    for (index, ((column, read), source)) in columns.iter().zip(&reads).zip(sources).enumerate() {
        let is_key = key.contains(&index);
        proposed.push(proposed_column(tables, column, read, source, &null_words, is_key));
    }
    let key = key.iter().filter_map(|index| Some(proposed.get(*index)?.name.clone())).collect();
    let latest_by = latest_by(&proposed);
    let mut notes = notes(tables, &columns, &reads);
    notes.extend(
        left_out.map(|names| format!("left out, because they have neither a name nor a value: {}", names.join(", "))),
    );
    let column_case = ColumnCase::default();
    Ok(Proposal {
        null_words,
        column_case,
        columns: proposed,
        key,
        latest_by,
        records,
        corrupt,
        tombstones,
        drawn,
        refused_records,
        notes,
    })
}

fn sum_corrupt(tables: &[SampleTable]) -> usize {
    tables.iter().map(|table| table.corrupt).sum()
}

/// Records that cannot be split, and that nobody expects.
fn broken(table: &SampleTable) -> usize {
    table.corrupt.saturating_sub(table.tombstones + table.drawn)
}

fn check(tables: &[SampleTable]) -> Result<(), InitError> {
    for table in tables {
        let records = table.records.len() + table.corrupt;
        if broken(table) * 10 >= records.max(1) || (table.records.is_empty() && table.tombstones > 0) {
            let reason = table.corrupt_reason.clone().unwrap_or_else(|| "they are `null` alone".to_owned());
            return Err(InitError::NotATable { file: table.file.clone(), corrupt: table.corrupt, records, reason });
        }
    }
    let Some(first) = tables.first() else {
        return Err(InitError::Empty { file: "the list of files".to_owned() });
    };
    if tables.iter().all(|table| table.records.is_empty()) {
        return Err(InitError::OnlyHeader { file: first.file.clone() });
    }
    // An empty list of JSON has no columns, and says nothing.
    let mut with_columns = tables.iter().filter(|table| !table.columns.is_empty());
    let Some(first) = with_columns.next() else {
        return Err(InitError::NoColumns { file: first.file.clone() });
    };
    let has = |table: &SampleTable, name: &str| table.columns.iter().any(|column| column.name == name);
    match with_columns.find(|table| !first.columns.iter().any(|column| has(table, &column.name))) {
        Some(other) => Err(InitError::NothingInCommon { first: first.file.clone(), second: other.file.clone() }),
        None => Ok(()),
    }
}

/// The columns of all files, with a cell for each of their records.
fn combined(tables: &[SampleTable]) -> Vec<Column<'_>> {
    let mut taken = BTreeSet::new();
    let mut columns: Vec<Column<'_>> = Vec::new();
    for name in tables.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str()) {
        if columns.iter().any(|column| column.source == name) {
            continue;
        }
        let contract = contract_name(name, columns.len() + 1, &taken);
        let has_digit_strings = tables.iter().any(|table| table.digit_strings.contains(last_key(name)));
        let mut column = Column {
            source: name,
            name: contract.clone(),
            cells: Vec::new(),
            missing_in: Vec::new(),
            has_digit_strings,
        };
        let _ = taken.insert(contract);
        for table in tables {
            match table.columns.iter().find(|column| column.name == name) {
                Some(found) => column.cells.extend(found.values.iter().map(Option::as_deref)),
                None => {
                    // A page of JSON without records has no columns and lacks none.
                    if !table.columns.is_empty() {
                        column.missing_in.push(table.file.as_str());
                    }
                    column.cells.resize(column.cells.len() + table.records.len(), None);
                }
            }
        }
        columns.push(column);
    }
    columns
}

/// The key of a column of JSON: the last one of its path, or its name.
fn last_key(name: &str) -> &str {
    let Some(path) = name.strip_prefix('$') else { return name };
    match path.strip_suffix("']").and_then(|path| path.rsplit_once("['")) {
        Some((_, key)) => key,
        None => path.rsplit('.').next().unwrap_or(path),
    }
}

/// The columns without those that have neither a name of their own nor a value, such as the one before the frame of a
/// printed table; and what these are called by position, if any.
fn without_frame(columns: Vec<Column<'_>>) -> (Vec<Column<'_>>, Option<Vec<String>>) {
    let is_frame = |(position, column): &(usize, Column<'_>)| {
        column.source == CsvSpec::generated_name(*position) && column.cells.iter().all(Option::is_none)
    };
    let (frame, kept): (Vec<_>, Vec<_>) = (1..).zip(columns).partition(is_frame);
    if kept.is_empty() {
        return (unnumbered(frame), None);
    }
    let names: Vec<String> = frame.iter().map(|(_, column)| column.source.to_owned()).collect();
    (unnumbered(kept), (!names.is_empty()).then_some(names))
}

fn unnumbered(columns: Vec<(usize, Column<'_>)>) -> Vec<Column<'_>> {
    columns.into_iter().map(|(_, column)| column).collect()
}

/// How the columns are read: so that fewer than one record in twenty is refused.
fn reads(columns: &[Column<'_>], records: usize, corrupt: usize) -> Vec<Read> {
    let mut reads: Vec<Read> = columns.iter().map(|column| read(column, Proof::default(), false)).collect();
    let proof = proof(&reads);
    if proof != Proof::default() {
        for (column, found) in columns.iter().zip(&mut reads) {
            if may_change(found, proof) {
                *found = read(column, proof, false);
            }
        }
    }
    while (refused_rows(&reads).len() + corrupt) * 20 > records + corrupt {
        let worst = (0..reads.len()).max_by_key(|index| reads.get(*index).map_or(0, |read| read.refused.len()));
        let Some(index) = worst else { break };
        let (Some(column), Some(read_as)) = (columns.get(index), reads.get_mut(index)) else { break };
        if read_as.refused.is_empty() {
            break;
        }
        *read_as = read(column, proof, true);
    }
    reads
}

/// Whether what other columns prove may change how one is read: that of most columns is clear, and reading them again
/// takes time.
fn may_change(read: &Read, proof: Proof) -> bool {
    let is_number = matches!(read.column_type, ColumnType::Int64 | ColumnType::Double | ColumnType::Decimal { .. });
    let is_open = proof.decimal == Some(',') || read.decimal == Some(',');
    read.column_type == ColumnType::Text || (is_number && is_open && read.proof.decimal.is_none())
}

/// What some columns prove, where none proves the contrary.
fn proof(reads: &[Read]) -> Proof {
    let mut decimals: Vec<char> = reads.iter().filter_map(|read| read.proof.decimal).collect();
    let mut orders: Vec<super::times::Order> = reads.iter().filter_map(|read| read.proof.order).collect();
    decimals.dedup();
    orders.dedup();
    let only = |count: usize| count == 1;
    Proof {
        decimal: decimals.first().copied().filter(|_| only(decimals.len())),
        order: orders.first().copied().filter(|_| only(orders.len())),
    }
}

fn refused_rows(reads: &[Read]) -> BTreeSet<usize> {
    reads.iter().flat_map(|read| read.refused.iter().copied()).collect()
}

/// Words that mean null in the whole source: those of programs that stand among values of a type, and those that mean
/// nothing else anywhere.
fn null_words(columns: &[Column<'_>], reads: &[Read]) -> Vec<String> {
    let mut met = BTreeSet::new();
    for (column, read) in columns.iter().zip(reads) {
        met.extend(read.nulls.iter().map(String::as_str).filter(|word| words::is_null_of_files(word)));
        met.extend(column.cells.iter().copied().flatten().filter(|text| words::is_clear_null(text)));
    }
    words::NULLS_OF_FILES.iter().filter(|word| met.contains(**word)).map(|word| (*word).to_owned()).collect()
}

/// The source column, and how its texts are read where the contract does not say it.
fn source(column: &Column<'_>, read: &Read, null_words: &[String]) -> ColumnSource {
    let own: Vec<String> = read.nulls.iter().filter(|word| !words::is_null_of_files(word)).cloned().collect();
    let own_nulls = if !own.is_empty() {
        Some(null_words.iter().cloned().chain(own).collect())
    } else if is_code_list(column, read) && null_words.iter().any(|word| word == "NA") {
        Some(null_words.iter().filter(|word| *word != "NA").cloned().collect())
    } else {
        None
    };
    let (true_words, false_words) = read.truths.clone().unzip();
    let spec = ReadSpec {
        from: column.source.to_owned(),
        column_type: None,
        null_words: own_nulls,
        decimal: read.decimal,
        thousands: read.thousands,
        true_words,
        false_words,
        formats: (!read.formats.is_empty()).then(|| read.formats.clone()),
        ..ReadSpec::default()
    };
    let plain = ReadSpec { from: column.source.to_owned(), ..ReadSpec::default() };
    if spec == plain { ColumnSource::Name(spec.from) } else { ColumnSource::Read(Box::new(spec)) }
}

/// Whether a column of texts has codes of a few capitals, of which `NA` is one: Namibia, or North America.
fn is_code_list(column: &Column<'_>, read: &Read) -> bool {
    let mut texts = column.cells.iter().copied().flatten();
    let is_code = |text: &str| (2..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase());
    read.column_type == ColumnType::Text
        && column.cells.contains(&Some("NA"))
        && column.cells.iter().any(|cell| cell.is_some_and(|text| text != "NA"))
        && texts.all(is_code)
}

/// The null words of a column: its own, or those of the source.
fn words_of<'w>(source: &'w ColumnSource, null_words: &'w [String]) -> &'w [String] {
    source.read().and_then(|read| read.null_words.as_deref()).unwrap_or(null_words)
}

/// The values of a column as the pipeline reads them: its texts, without those that are null.
fn values_of<'c>(column: &'c Column<'c>, read: &Read, words: &[String]) -> impl Iterator<Item = Option<&'c str>> {
    let is_text = read.column_type == ColumnType::Text;
    column.cells.iter().map(move |cell| {
        let text = if is_text { *cell } else { (*cell).map(str::trim_ascii).filter(|text| !text.is_empty()) };
        text.filter(|text| !words.iter().any(|word| word == text))
    })
}

fn proposed_column(
    tables: &[SampleTable],
    column: &Column<'_>,
    read: &Read,
    source: ColumnSource,
    null_words: &[String],
    is_key: bool,
) -> ProposedColumn {
    let values: Vec<&str> = values_of(column, read, words_of(&source, null_words)).flatten().collect();
    let distinct: HashSet<&str> = values.iter().copied().collect();
    let classification = match read.column_type {
        ColumnType::Text | ColumnType::Date | ColumnType::Int64 => hints::classify(column.name.as_str(), &values),
        _ => None,
    };
    let is_listed = classification.is_none()
        && read.column_type == ColumnType::Text
        && column.cells.len() >= LISTED_FROM
        && (1..=LISTED_VALUES).contains(&distinct.len())
        && distinct.iter().all(|value| value.len() <= SHOWN);
    let refused = read.refused.first().and_then(|row| {
        let (file, record) = place(tables, *row)?;
        let example = column.cells.get(*row).copied().flatten()?.chars().take(SHOWN).collect();
        Some(RefusedValues { count: read.refused.len(), of: values.len(), example, file, record })
    });
    let mut notes = read.notes.clone();
    if words_of(&source, null_words).len() < null_words.len() {
        notes.push("`NA` is taken for a code here; to make it null, take `null_words` out".to_owned());
    }
    if values.is_empty() {
        notes.push("no value in the sample".to_owned());
    }
    if !column.missing_in.is_empty() {
        notes.push(format!("optional: {} lacks it", column.missing_in.join(", ")));
    }
    ProposedColumn {
        name: column.name.clone(),
        source,
        column_type: read.column_type.clone(),
        required: is_key,
        classification,
        nulls: column.cells.len() - values.len(),
        distinct: distinct.len(),
        range: read.range.clone().filter(|_| classification.is_none()),
        values: if is_listed { sorted(distinct) } else { Vec::new() },
        refused,
        notes,
    }
}

fn sorted(values: HashSet<&str>) -> Vec<String> {
    let mut sorted: Vec<String> = values.into_iter().map(str::to_owned).collect();
    sorted.sort_unstable();
    sorted
}

/// One thing, or several of them, whose word then ends with `s`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// The file and the number of the record of a row.
fn place(tables: &[SampleTable], row: usize) -> Option<(String, u64)> {
    let mut row = row;
    for table in tables {
        match table.records.get(row) {
            Some(record) => return Some((table.file.clone(), *record)),
            None => row -= table.records.len(),
        }
    }
    None
}

/// The column that says which row of a key is newer: an instant or a day without nulls, one that is named so first.
fn latest_by(columns: &[ProposedColumn]) -> Option<ColumnName> {
    let is_time = |column: &&ProposedColumn| {
        matches!(column.column_type, ColumnType::Timestamp | ColumnType::Date) && column.nulls == 0
    };
    let is_change = |column: &&ProposedColumn| {
        ["updated", "modified", "changed", "last", "version"].iter().any(|word| column.name.as_str().contains(word))
    };
    let mut times = columns.iter().filter(is_time);
    let first = times.clone().next();
    times.find(is_change).or(first).map(|column| column.name.clone())
}

fn notes(tables: &[SampleTable], columns: &[Column<'_>], reads: &[Read]) -> Vec<String> {
    let mut notes = Vec::new();
    for table in tables.iter().filter(|table| table.corrupt > 0) {
        let reason = table.corrupt_reason.as_deref().unwrap_or("no reason");
        let (tombstones, drawn, corrupt, file) = (table.tombstones, table.drawn, broken(table), &table.file);
        if corrupt > 0 {
            let (records, go) = (counted(corrupt, "record"), if corrupt == 1 { "goes" } else { "go" });
            notes.push(format!("{records} of {file} cannot be split into columns and {go} to quarantine: {reason}"));
        }
        if drawn > 0 {
            let does = if drawn == 1 { "draws or counts its table and goes" } else { "draw or count its table and go" };
            notes.push(format!("{} of {file} {does} to quarantine", counted(drawn, "line")));
        }
        if tombstones > 0 {
            let records = counted(tombstones, "record");
            let (are, go) = if tombstones == 1 { ("is", "it says") } else { ("are", "they say") };
            notes.push(format!(
                "{records} of {file} {are} `null` alone (tombstones); {go} nothing about a key: quarantine"
            ));
        }
    }
    let local: Vec<&str> =
        columns.iter().zip(reads).filter(|(_, read)| read.is_local).map(|(column, _)| column.name.as_str()).collect();
    if !local.is_empty() {
        notes.push(format!(
            "times without an offset count as UTC: {}; write defaultTimezone into the contract where they are local",
            local.join(", ")
        ));
    }
    notes
}
