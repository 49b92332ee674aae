//! Source objects in Spark SQL: text becomes records, records become rows of text, as the other engine's readers have it.

use std::collections::BTreeSet;

use super::SparkError;
use super::tables::Stage;
use super::text::{name, names, text};
use crate::columns::stored;
use crate::contract::ColumnType;
use crate::run::{PlannedObject, PlannedWork, ReadFrom};
use crate::source::{Codec, SourceObject};
use crate::spec::{CsvSpec, SourceFormat};

/// Objects that are read in the same way: the same columns in the same order.
pub(super) struct ObjectGroup<'a> {
    /// Number of the group, from 1.
    pub(super) number: usize,
    /// Their columns.
    pub(super) columns: &'a [String],
    /// The objects.
    pub(super) objects: Vec<&'a SourceObject>,
}

/// The objects that are read from landing, by their columns.
///
/// # Errors
/// [`SparkError::NotExecuted`] naming an object that Spark would read otherwise, or not at all.
pub(super) fn groups(plan: PlannedWork<'_>) -> Result<Vec<ObjectGroup<'_>>, SparkError> {
    let mut groups: Vec<ObjectGroup<'_>> = Vec::new();
    for planned in plan.objects.iter().filter(|planned| planned.read_from == ReadFrom::Landing) {
        let columns = shape_of(planned, plan.pipeline.source_format)?;
        match groups.iter_mut().find(|group| group.columns == columns) {
            Some(group) => group.objects.push(&planned.object),
            None => groups.push(ObjectGroup { number: groups.len() + 1, columns, objects: vec![&planned.object] }),
        }
    }
    Ok(groups)
}

/// Refuses source formats that Spark cannot share among workers.
///
/// # Errors
/// [`SparkError::NotExecuted`] naming the format.
pub fn check_format(format: SourceFormat) -> Result<(), SparkError> {
    let refused =
        |what: &str, hint: &str| Err(SparkError::NotExecuted { what: what.to_owned(), hint: hint.to_owned() });
    match format {
        SourceFormat::Csv | SourceFormat::Parquet => Ok(()),
        SourceFormat::Json => refused(
            "source.format json",
            "a JSON document cannot be divided among workers; deliver csv or parquet, or set engine: lambda",
        ),
        SourceFormat::Ndjson => refused(
            "source.format ndjson",
            "Spark rewrites numbers of JSON (1.50 becomes 1.5); deliver csv or parquet, or set engine: lambda",
        ),
    }
}

fn shape_of(planned: &PlannedObject, format: SourceFormat) -> Result<&[String], SparkError> {
    let uri = &planned.object.uri;
    let refused = |hint: &str| {
        Err(SparkError::NotExecuted { what: format!("object '{uri}'"), hint: format!("{hint}, or set engine: lambda") })
    };
    let Some(shape) = &planned.shape else { return refused("its columns are not in the plan; plan the run again") };
    let file_name = uri.file_name();
    // Spark passes such files by without a word.
    if file_name.starts_with(['_', '.']) || file_name.ends_with("._COPYING_") {
        return refused("Spark does not read files whose names begin with _ or .; rename it");
    }
    let packed_name = file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let by_name = match packed_name.as_deref() {
        Some("gz") => Codec::Gzip,
        Some("zst") => Codec::Zstd,
        Some("bz2" | "deflate" | "lz4" | "snappy") => return refused("Spark unpacks it by its name; rename it"),
        _ => Codec::Plain,
    };
    if by_name != shape.codec && format != SourceFormat::Parquet {
        return refused(
            "Spark decides by the name how a file is packed: end the name in .gz for gzip, .zst for zstd, else neither",
        );
    }
    if format == SourceFormat::Parquet && shape.rows.is_none() {
        return refused("its footer was not read when the run was planned; rename it plainly");
    }
    Ok(&shape.columns)
}

/// The statement that fails when Spark passed an object by: every object of text has at least its header's line, and
/// Parquet files have the rows of their footers, which are those staged in `bronze`.
pub(super) fn all_read(groups: &[ObjectGroup<'_>], plan: PlannedWork<'_>, bronze: &str) -> String {
    let landed = || plan.objects.iter().filter(|planned| planned.read_from == ReadFrom::Landing);
    let read = match plan.pipeline.source_format {
        SourceFormat::Parquet => {
            let rows = landed().filter_map(|planned| planned.shape.as_ref()?.rows).fold(0, u64::saturating_add);
            format!("count(*) = {rows}, 'Spark did not read every row of the planned objects') FROM {bronze}")
        }
        _ => {
            let lines: Vec<String> =
                groups.iter().map(|group| format!("  SELECT source_file FROM lines_{}", group.number)).collect();
            format!(
                "count(DISTINCT source_file) = {}, 'Spark did not read every planned object') FROM (\n{}\n)",
                landed().count(),
                lines.join("\n  UNION ALL\n")
            )
        }
    };
    format!("-- Every planned object must have been read.\nSELECT assert_true({read};")
}

/// The object's address as Spark shows it in `_metadata.file_path`: Java's quoting of the plain path.
pub(super) fn spark_path(object: &SourceObject) -> String {
    let (_, path) = object.uri.hadoop_parts();
    let quoted: String = path
        .chars()
        .map(|c| {
            let plain = c.is_ascii_alphanumeric() || "_-!.~'()*,;:$&+=@/".contains(c);
            let other = !c.is_ascii() && !c.is_control() && !c.is_whitespace();
            if plain || other { c.to_string() } else { c.to_string().bytes().map(|b| format!("%{b:02X}")).collect() }
        })
        .collect();
    let url = object.uri.as_url();
    match url.host_str() {
        Some(bucket) if !bucket.is_empty() => format!("{}://{bucket}{quoted}", url.scheme()),
        _ => format!("{}:{quoted}", url.scheme()),
    }
}

/// A glob that matches exactly these objects.
pub(super) fn glob(objects: &[&SourceObject]) -> String {
    let escape = |path: &str| -> String {
        path.chars().flat_map(|c| "{},*?[]\\^".contains(c).then_some('\\').into_iter().chain([c])).collect()
    };
    let (roots, paths): (Vec<String>, Vec<String>) =
        objects.iter().map(|object| object.uri.hadoop_parts()).map(|(root, path)| (root, escape(&path))).unzip();
    // They were listed below one prefix.
    let root = roots.first().map_or("", String::as_str);
    let folder = common_folder(&paths);
    match paths.as_slice() {
        [only] => format!("{root}{only}"),
        _ => {
            let below: Vec<&str> = paths.iter().filter_map(|path| path.get(folder.len()..)).collect();
            format!("{root}{folder}{{{}}}", below.join(","))
        }
    }
}

/// The folder that all paths are in, with its final slash.
fn common_folder(paths: &[String]) -> String {
    let mut folder = paths.first().and_then(|first| first.rsplit_once('/')).map_or("", |(folder, _)| folder).to_owned();
    while !paths.iter().all(|path| path.strip_prefix(&folder).is_some_and(|rest| rest.starts_with('/'))) {
        match folder.rsplit_once('/') {
            Some((shorter, _)) => folder = shorter.to_owned(),
            None => return String::new(),
        }
    }
    folder.push('/');
    folder
}

/// Statements that make the view `records_<n>` of a group: its columns as text, `_source_file`, `_source_etag`,
/// `_source_modified_at`, `_source_row`, `_corrupt_record`, `_corrupt_reason`.
///
/// What is read several times is kept below `scratch`.
pub(super) fn records(group: &ObjectGroup<'_>, format: SourceFormat, csv: CsvSpec, scratch: &str) -> String {
    match format {
        SourceFormat::Parquet => parquet_records(group),
        _ => csv_records(group, csv, scratch),
    }
}

fn parquet_records(group: &ObjectGroup<'_>) -> String {
    let number = group.number;
    let columns: Vec<String> =
        group.columns.iter().map(|column| format!("{} AS {}", canonical_text(column), name(column))).collect();
    format!(
        "CREATE TABLE landing_{number} USING parquet OPTIONS (path {path});\n\n\
         CREATE OR REPLACE TEMPORARY VIEW records_{number} AS\n\
         SELECT {columns},\n  o.source_file AS _source_file, o.source_etag AS _source_etag, \
         o.modified_at AS _source_modified_at, l._metadata.row_index + 1 AS _source_row,\n  \
         CAST(NULL AS STRING) AS _corrupt_record, CAST(NULL AS STRING) AS _corrupt_reason\n\
         FROM landing_{number} AS l JOIN objects AS o ON o.path = l._metadata.file_path;\n",
        path = text(&glob(&group.objects)),
        columns = columns.join(",\n  "),
    )
}

/// A typed value as text: instants in ISO 8601 with six digits of the second, everything else as Spark prints it.
fn canonical_text(column: &str) -> String {
    let value = format!("l.{}", name(column));
    let shown = format!("CAST({value} AS STRING)");
    let instant =
        format!("concat(replace(substring({shown}, 1, 19), ' ', 'T'), '.', rpad(substring({shown}, 21), 6, '0'))");
    let double = super::text::double_text(&format!("CAST({shown} AS DOUBLE)"));
    let refuse = text(&format!("column `{column}` of a Parquet source has a type that has no text on Spark: "));
    format!(
        "CASE WHEN typeof({value}) = 'timestamp' THEN concat({instant}, 'Z') \
         WHEN typeof({value}) = 'timestamp_ntz' THEN {instant} \
         WHEN typeof({value}) IN ('double', 'float') THEN {double} \
         WHEN typeof({value}) RLIKE '^(string|tinyint|smallint|int|bigint|boolean|date|void|decimal.*)$' THEN {shown} \
         ELSE raise_error(concat({refuse}, typeof({value}))) END"
    )
}

/// Text between the delimiters of one field that begins with a quote, closed; or of one that does not.
fn field_pattern(delimiter: &str, quote: &str) -> String {
    format!(
        "(?:{quote}(?:[^{quote}]++|{quote}{quote})*+{quote}(?!{quote})[^{delimiter}]*+|(?!{quote})[^{delimiter}]*+)"
    )
}

fn csv_records(group: &ObjectGroup<'_>, csv: CsvSpec, scratch: &str) -> String {
    let number = group.number;
    let (delimiter, quote) = (char::from(csv.delimiter), char::from(csv.quote));
    let hex = |c: char| format!("\\x{{{:x}}}", u32::from(c));
    let (d, q) = (hex(delimiter), hex(quote));
    let field = field_pattern(&d, &q);
    let closed = text(&format!("(?s)\\A{field}(?:{d}{field})*+\\z"));
    let closes = text(&format!("(?s)\\A(?:[^{q}]++|{q}{q})*+{q}(?!{q})[^{d}]*+(?:{d}{field})*+\\z"));
    let (path, quote_text) = (text(&glob(&group.objects)), text(&quote.to_string()));
    let columns = [
        ("source_file", ColumnType::Text),
        ("source_etag", ColumnType::Text),
        ("block", ColumnType::Int64),
        ("place", ColumnType::Int64),
        ("value", ColumnType::Text),
        ("has_text", ColumnType::Boolean),
        ("opens", ColumnType::Boolean),
        ("closes", ColumnType::Boolean),
    ];
    let columns = columns.map(|(name, column_type)| stored(name, column_type)).to_vec();
    let lines = Stage::aside(&format!("lines_{number}"), scratch, columns);
    let read = format!(
        "(\n  SELECT o.source_file, o.source_etag, l.block, l.place, l.value, l.value NOT IN ('', '\\r') AS has_text,\n    \
         instr(l.value, {quote_text}) > 0 AND NOT l.value RLIKE {closed} AS opens,\n    \
         instr(l.value, {quote_text}) > 0 AND l.value RLIKE {closes} AS closes\n  \
         FROM (\n    SELECT _metadata.file_path AS path, _metadata.file_block_start AS block,\n      \
         monotonically_increasing_id() AS place, value\n    FROM landing_{number}\n  ) AS l JOIN objects AS o ON o.path = l.path\n)"
    );
    let mut script = format!(
        "CREATE TABLE landing_{number} USING text OPTIONS (path {path}, lineSep '\\n');\n\n\
         -- Lines with their places. `opens`: begun outside of quotes, the line ends inside; `closes`: the other way round.\n{}{}",
        lines.create(),
        lines.insert(&read)
    );
    script.push_str(&numbered_lines(number));
    script.push_str(&joined_lines(number));
    // In an object with one column a blank line is a record with null.
    script.push_str(&ranked_records(number, group.columns.len() == 1));
    script.push_str(&split_records(group, &d, &q, &field, quote));
    script
}

/// Lines with their numbers in the object. They are counted block by block, so that no worker has to sort a whole object.
fn numbered_lines(number: usize) -> String {
    format!(
        "CREATE OR REPLACE TEMPORARY VIEW blocks_{number} AS\n\
         SELECT source_file, block,\n  \
         (sum(line_count) OVER blocks) - line_count AS lines_before, (sum(text_count) OVER blocks) - text_count AS texts_before,\n  \
         bool_or(opens) OVER (PARTITION BY source_file) AS has_open_lines\n\
         FROM (\n  SELECT source_file, block, count(*) AS line_count, count_if(has_text) AS text_count, bool_or(opens) AS opens\n  \
         FROM lines_{number} GROUP BY source_file, block\n)\n\
         WINDOW blocks AS (PARTITION BY source_file ORDER BY block);\n\n\
         CREATE OR REPLACE TEMPORARY VIEW numbered_{number} AS\n\
         SELECT l.*, b.has_open_lines, b.lines_before + (row_number() OVER places) AS line,\n  \
         b.texts_before + (count_if(l.has_text) OVER places) AS text_number\n\
         FROM lines_{number} AS l JOIN blocks_{number} AS b ON b.source_file = l.source_file AND b.block = l.block\n\
         WINDOW places AS (PARTITION BY l.source_file, l.block ORDER BY l.place);\n\n"
    )
}

/// Lines of a record that goes on behind a line end inside quotes, put together. Whether a line begins inside quotes
/// follows from all lines before it, so such an object is put in order by one worker.
fn joined_lines(number: usize) -> String {
    format!(
        "-- A line leaves the quotes as it found them, always open, always closed, or the other way round.\n\
         CREATE OR REPLACE TEMPORARY VIEW quoted_{number} AS\n\
         SELECT *, sum(CASE WHEN opens = closes THEN 0 ELSE 1 END) OVER (PARTITION BY source_file ORDER BY line) AS settled\n\
         FROM numbered_{number} WHERE has_open_lines;\n\n\
         CREATE OR REPLACE TEMPORARY VIEW states_{number} AS\n\
         SELECT *, (first_value(CASE WHEN opens = closes THEN FALSE ELSE opens END) OVER since)\n    \
         <> ((sum(CASE WHEN opens AND closes THEN 1 ELSE 0 END) OVER since) % 2 = 1) AS open_after\n\
         FROM quoted_{number}\n\
         WINDOW since AS (PARTITION BY source_file, settled ORDER BY line);\n\n\
         CREATE OR REPLACE TEMPORARY VIEW joined_{number} AS\n\
         SELECT source_file, source_etag, min(line) AS line,\n  \
         CASE WHEN bool_or(never_closed) THEN raise_error(concat('object ', source_file, ' line ', \
         CAST(min(line) AS STRING), ': a quote is never closed'))\n  \
         ELSE array_join(transform(array_sort(collect_list(struct(line, value))), part -> part.value), '\\n') END AS value\n\
         FROM (\n  SELECT *, sum(CASE WHEN starts THEN 1 ELSE 0 END) OVER (PARTITION BY source_file ORDER BY line) AS record\n  \
         FROM (\n    SELECT *, NOT coalesce(lag(open_after) OVER (PARTITION BY source_file ORDER BY line), FALSE) AS starts,\n      \
         open_after AND lead(line) OVER (PARTITION BY source_file ORDER BY line) IS NULL AS never_closed\n    FROM states_{number}\n  )\n)\n\
         GROUP BY source_file, source_etag, record;\n\n"
    )
}

/// Records with their numbers; the header, which is the first line with text, is left out.
fn ranked_records(number: usize, blank_is_record: bool) -> String {
    let whole = format!(
        "SELECT source_file, source_etag, line, value, text_number FROM numbered_{number} WHERE NOT has_open_lines\n\
         UNION ALL\n\
         SELECT source_file, source_etag, line, value,\n  \
         count_if(value NOT IN ('', '\\r')) OVER (PARTITION BY source_file ORDER BY line) AS text_number\n\
         FROM joined_{number}"
    );
    let (rank, from) = if blank_is_record {
        let rank = "dense_rank() OVER (PARTITION BY source_file ORDER BY line) - 1";
        (rank, "whole WHERE text_number > 0")
    } else {
        ("text_number - 1", "whole WHERE value NOT IN ('', '\\r')")
    };
    format!(
        "CREATE OR REPLACE TEMPORARY VIEW ranked_{number} AS\n\
         WITH whole AS (\n{whole}\n)\n\
         SELECT * FROM (\n  SELECT source_file, source_etag, line, {rank} AS _source_row,\n    \
         CASE WHEN value LIKE '%\\r' THEN left(value, char_length(value) - 1) ELSE value END AS value\n  \
         FROM {from}\n) WHERE _source_row > 0;\n\n"
    )
}

/// Records as columns, and what is wrong with those that cannot be split.
fn split_records(group: &ObjectGroup<'_>, d: &str, q: &str, field: &str, quote: char) -> String {
    let number = group.number;
    let expected = group.columns.len();
    let each = text(&format!("(?s)({field}){d}"));
    let quoted = text(&format!("(?s)\\A{q}(.*){q}\\z"));
    let tail = text(&format!("(?s)\\A{q}(?:[^{q}]++|{q}{q})*+{q}.+\\z"));
    let opening = text(&format!("\\A{q}"));
    let delimiter = text(&decode_hex(d).to_string());
    let (one, two) = (text(&quote.to_string()), text(&format!("{quote}{quote}")));
    let columns: Vec<String> = group
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("CASE WHEN reason IS NULL THEN fields[{index}] END AS {}", name(column)))
        .collect();
    format!(
        "CREATE OR REPLACE TEMPORARY VIEW records_{number} AS\n\
         SELECT {columns},\n  \
         source_file AS _source_file, source_etag AS _source_etag, modified_at AS _source_modified_at, _source_row,\n  \
         CASE WHEN reason IS NOT NULL THEN decode(CAST(value AS BINARY), 'UTF-8') END AS _corrupt_record,\n  \
         CASE WHEN reason IS NOT NULL THEN concat('line ', CAST(line AS STRING), ' (record ', CAST(_source_row AS STRING), ') ', reason) END AS _corrupt_reason\n\
         FROM (\n  SELECT *,\n    \
         transform(parts, f -> CASE WHEN f = '' THEN NULL WHEN f RLIKE {opening}\n      \
         THEN replace(regexp_extract(f, {quoted}, 1), {two}, {one}) ELSE f END) AS fields,\n    \
         CASE WHEN CAST(value AS BINARY) <> encode(decode(CAST(value AS BINARY), 'UTF-8'), 'UTF-8')\n      \
         THEN 'is not UTF-8; deliver the file as UTF-8'\n    \
         WHEN instr(value, '\\u0000') > 0 THEN 'holds a NUL byte'\n    \
         WHEN exists(parts, f -> f RLIKE {tail} AND NOT coalesce(f RLIKE {closed_field}, FALSE))\n      \
         THEN 'has text after a closing quote; a quote inside a quoted field is written twice'\n    \
         WHEN size(parts) <> {expected}\n      \
         THEN concat('has ', CAST(size(parts) AS STRING), CASE WHEN size(parts) = 1 THEN ' field' ELSE ' fields' END, ' where the header has {expected}')\n    \
         END AS reason\n  \
         FROM (\n    SELECT r.*, o.modified_at, regexp_extract_all(concat(r.value, {delimiter}), {each}, 1) AS parts\n\
         \x20   FROM ranked_{number} AS r JOIN objects AS o \
         ON o.source_file = r.source_file AND o.source_etag = r.source_etag\n  )\n);\n",
        columns = columns.join(",\n  "),
        closed_field = text(&format!("(?s)\\A{q}(?:[^{q}]++|{q}{q})*+{q}\\z")),
    )
}

fn decode_hex(pattern: &str) -> char {
    let digits = pattern.trim_start_matches("\\x{").trim_end_matches('}');
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).unwrap_or(',')
}

/// Every column of these groups, each once, in the order in which they first come.
pub(super) fn all_columns<'a>(groups: &'a [ObjectGroup<'a>]) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    groups.iter().flat_map(|group| group.columns).map(String::as_str).filter(|column| seen.insert(*column)).collect()
}

/// The view `objects`: every planned object with its path, address, version and time, how it is shown in quarantine,
/// and which tables lack it.
pub(super) fn objects(plan: PlannedWork<'_>, groups: &[ObjectGroup<'_>]) -> String {
    let flags: Vec<String> = (1..=plan.pipeline.silver.len())
        .flat_map(|n| [format!("lacks_silver_{n}"), format!("lacks_quarantine_{n}")])
        .collect();
    let rows: Vec<String> = plan
        .objects
        .iter()
        .map(|planned| {
            let object = &planned.object;
            let id = object.id();
            let group = groups.iter().find(|group| group.objects.contains(&object)).map_or(0, |group| group.number);
            let lacks =
                plan.pipeline.silver.iter().flat_map(|silver| [&silver.table, &silver.quarantine]).map(|table| {
                    let lacks = plan.table(table).is_some_and(|planned| planned.sources.contains(&id));
                    if lacks { "TRUE" } else { "FALSE" }
                });
            let lacks: Vec<&str> = lacks.collect();
            let path = if group == 0 { String::new() } else { spark_path(object) };
            let (path, uri, etag) = (text(&path), text(object.uri.as_str()), text(&object.etag));
            let modified_at = match object.modified_at {
                Some(time) => format!("timestamp_micros({}L)", time.as_microsecond()),
                None => "CAST(NULL AS TIMESTAMP)".to_owned(),
            };
            format!("  ({path}, {uri}, {etag}, {modified_at}, {group}, {})", lacks.join(", "))
        })
        .collect();
    format!(
        "CREATE OR REPLACE TEMPORARY VIEW objects AS SELECT * FROM VALUES\n{}\n\
         AS objects (path, source_file, source_etag, modified_at, layout, {});\n",
        rows.join(",\n"),
        names(flags.iter().map(String::as_str))
    )
}
