//! Answers about a table, as lines of JSON in one of the protocol's two forms.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sluice_core::columns::StoredColumn;
use sluice_core::contract::ColumnType;
use sluice_http::{Problem, ProblemCode};

use super::capability::{CAPABILITIES, Capabilities, ResponseFormat};
use super::shared::{Definition, SharedFile};
use crate::links::FileAddress;

/// Media type of the answers.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// Header with the version of the table that an answer is of. Clients fail without it.
pub(super) const TABLE_VERSION: HeaderName = HeaderName::from_static("delta-table-version");

/// What a line about a change says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Rows came in.
    Add,
    /// Rows went out.
    Remove,
    /// Rows of both kinds, each with its own.
    Recorded,
}

/// When a change was.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangedAt {
    /// In which version.
    pub(super) version: u64,
    /// When that was committed.
    pub(super) committed_at: Timestamp,
}

/// An answer under way.
#[derive(Debug)]
pub(super) struct Answer {
    capabilities: Capabilities,
    version: u64,
    text: String,
    most: usize,
    first_expiry: Option<Timestamp>,
}

impl Answer {
    /// An answer about this version of a table, of at most so many bytes. `changes`: of what it changed, not what it holds.
    ///
    /// # Errors
    /// `query-too-large`, as each line that does not fit any more.
    pub(super) fn new(capabilities: Capabilities, version: u64, changes: bool, most: usize) -> Result<Self, Problem> {
        let mut answer = Self { capabilities, version, text: String::new(), most, first_expiry: None };
        // Kernels read changes only of tables for writers of version 4 or newer.
        let writer = if changes { 4 } else { 2 };
        answer.line(&match capabilities.format {
            ResponseFormat::Parquet => json!({ "protocol": { "minReaderVersion": 1 } }),
            ResponseFormat::Delta => {
                json!({ "protocol": { "deltaProtocol": { "minReaderVersion": 1, "minWriterVersion": writer } } })
            }
        })?;
        Ok(answer)
    }

    /// Adds a line, or says that it does not fit: what is not sent is not made either.
    fn line(&mut self, line: &Value) -> Result<(), Problem> {
        self.text.push_str(&line.to_string());
        self.text.push('\n');
        if self.text.len() <= self.most {
            return Ok(());
        }
        let detail =
            "the answer names more files than one answer may: narrow it by `jsonPredicateHints` or fewer versions";
        Err(Problem::new(ProblemCode::QueryTooLarge, detail))
    }

    /// What the table is. `totals` are bytes and files of all of it; `from` is the version from which changes are given.
    pub(super) fn metadata(
        &mut self,
        definition: &Definition,
        totals: Option<(u64, u64)>,
        from: Option<u64>,
    ) -> Result<(), Problem> {
        let mut configuration = Map::new();
        if from.is_some() {
            configuration.insert("delta.enableChangeDataFeed".to_owned(), "true".into());
        }
        let mut own = Map::new();
        own.insert("id".to_owned(), definition.id.clone().into());
        own.insert("name".to_owned(), definition.name.clone().into());
        own.insert("schemaString".to_owned(), schema_string(&definition.columns).into());
        own.insert("partitionColumns".to_owned(), json!(definition.partition_by));
        own.insert("configuration".to_owned(), configuration.into());
        let mut around = Map::new();
        around.extend(from.map(|version| ("version".to_owned(), version.into())));
        if let Some((bytes, files)) = totals {
            around.insert("size".to_owned(), bytes.into());
            around.insert("numFiles".to_owned(), files.into());
        }
        let metadata = match self.capabilities.format {
            ResponseFormat::Parquet => {
                own.insert("format".to_owned(), json!({ "provider": "parquet" }));
                own.extend(around);
                own
            }
            ResponseFormat::Delta => {
                own.insert("format".to_owned(), json!({ "provider": "parquet", "options": {} }));
                around.insert("deltaMetadata".to_owned(), own.into());
                around
            }
        };
        self.line(&json!({ "metaData": metadata }))
    }

    /// A file of the table.
    pub(super) fn file(&mut self, file: &SharedFile, address: &FileAddress) -> Result<(), Problem> {
        let line = match self.capabilities.format {
            ResponseFormat::Parquet => json!({ "file": self.parquet_file(file, address, None) }),
            ResponseFormat::Delta => json!({ "file": self.delta_file(file, address, Change::Add, None) }),
        };
        self.line(&line)
    }

    /// A file of rows that changed.
    pub(super) fn change(
        &mut self,
        file: &SharedFile,
        address: &FileAddress,
        change: Change,
        at: ChangedAt,
    ) -> Result<(), Problem> {
        let line = match self.capabilities.format {
            ResponseFormat::Parquet => {
                let name = match change {
                    Change::Add => "add",
                    Change::Remove => "remove",
                    Change::Recorded => "cdf",
                };
                json!({ name: self.parquet_file(file, address, Some(at)) })
            }
            ResponseFormat::Delta => json!({ "file": self.delta_file(file, address, change, Some(at)) }),
        };
        self.line(&line)
    }

    fn parquet_file(&mut self, file: &SharedFile, address: &FileAddress, at: Option<ChangedAt>) -> Value {
        let mut fields = self.about(file, address, at);
        fields.insert("url".to_owned(), address.url.clone().into());
        fields.insert("partitionValues".to_owned(), json!(file.partition_values));
        fields.insert("size".to_owned(), file.size_bytes.into());
        fields.extend(file.stats.clone().map(|stats| ("stats".to_owned(), stats.into())));
        fields.into()
    }

    fn delta_file(&mut self, file: &SharedFile, address: &FileAddress, change: Change, at: Option<ChangedAt>) -> Value {
        let mut action = Map::new();
        action.insert("path".to_owned(), address.url.clone().into());
        action.insert("partitionValues".to_owned(), json!(file.partition_values));
        action.insert("size".to_owned(), file.size_bytes.into());
        action.insert("dataChange".to_owned(), (change != Change::Recorded).into());
        let name = match change {
            Change::Add => {
                action.insert("modificationTime".to_owned(), file.modified_at_ms.into());
                action.extend(file.stats.clone().map(|stats| ("stats".to_owned(), stats.into())));
                "add"
            }
            Change::Remove => {
                let removed_at = at.map_or(file.modified_at_ms, |at| at.committed_at.as_millisecond());
                action.insert("deletionTimestamp".to_owned(), removed_at.into());
                action.insert("extendedFileMetadata".to_owned(), true.into());
                "remove"
            }
            Change::Recorded => "cdc",
        };
        let mut fields = self.about(file, address, at);
        fields.insert("deltaSingleAction".to_owned(), json!({ name: action }));
        fields.into()
    }

    fn about(&mut self, file: &SharedFile, address: &FileAddress, at: Option<ChangedAt>) -> Map<String, Value> {
        self.first_expiry = Some(self.first_expiry.map_or(address.expires_at, |first| first.min(address.expires_at)));
        let mut fields = Map::new();
        fields.insert("id".to_owned(), file.id.clone().into());
        fields.insert("expirationTimestamp".to_owned(), address.expires_at.as_millisecond().into());
        if let Some(at) = at {
            fields.insert("version".to_owned(), at.version.into());
            fields.insert("timestamp".to_owned(), at.committed_at.as_millisecond().into());
        }
        fields
    }

    /// The answer.
    ///
    /// # Errors
    /// `query-too-large`.
    pub(super) fn finish(mut self) -> Result<Response, Problem> {
        if self.capabilities.end_line {
            let expiry = self.first_expiry.map(Timestamp::as_millisecond);
            self.line(&json!({ "endStreamAction": { "minUrlExpirationTimestamp": expiry } }))?;
        }
        let mut response = self.text.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
        response.headers_mut().insert(CAPABILITIES, HeaderValue::from_static(self.capabilities.echoed()));
        Ok(of_version(response, self.version))
    }
}

/// An answer with the version that it is of. It belongs in no cache: the next caller reads in another form.
pub(super) fn of_version(mut response: Response, version: u64) -> Response {
    response.headers_mut().insert(TABLE_VERSION, HeaderValue::from(version));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// The schema as Delta writes it. Every column is nullable, as in the table.
fn schema_string(columns: &[StoredColumn]) -> String {
    let field = |column: &StoredColumn| delta_field(&column.name, &column.column_type);
    json!({ "type": "struct", "fields": columns.iter().map(field).collect::<Vec<_>>() }).to_string()
}

fn delta_field(name: &str, column_type: &ColumnType) -> Value {
    json!({ "name": name, "type": delta_type(column_type), "nullable": true, "metadata": {} })
}

fn delta_type(column_type: &ColumnType) -> Value {
    let name = match column_type {
        ColumnType::Text => "string".to_owned(),
        ColumnType::Int32 => "integer".to_owned(),
        ColumnType::Int64 => "long".to_owned(),
        ColumnType::Double => "double".to_owned(),
        ColumnType::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        ColumnType::Boolean => "boolean".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Timestamp => "timestamp".to_owned(),
        ColumnType::Array(items) => {
            return json!({ "type": "array", "elementType": delta_type(items), "containsNull": true });
        }
        ColumnType::Object(fields) => {
            let fields: Vec<Value> = fields.iter().map(|field| delta_field(&field.name, &field.column_type)).collect();
            return json!({ "type": "struct", "fields": fields });
        }
    };
    Value::String(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sluice_core::contract::ObjectField;

    use super::*;

    fn lines(format: ResponseFormat, end_line: bool, changes: bool) -> Vec<Value> {
        let answer = answer(format, end_line, changes, usize::MAX).expect("it fits");
        answer.text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    fn answer(format: ResponseFormat, end_line: bool, changes: bool, most: usize) -> Result<Answer, Problem> {
        let columns =
            vec![StoredColumn { name: "a".to_owned(), column_type: ColumnType::Decimal { precision: 9, scale: 2 } }];
        let definition =
            Definition { id: "t".to_owned(), name: "p".to_owned(), columns, partition_by: vec!["d".to_owned()] };
        let file = SharedFile {
            path: "silver/s/t/x".parse().expect("path"),
            id: "f".to_owned(),
            size_bytes: 5,
            rows: Some(1),
            partition_values: BTreeMap::from([("d".to_owned(), None)]),
            stats: Some("{\"numRecords\":1}".to_owned()),
            modified_at_ms: 3,
        };
        let at = |ms: i64| Timestamp::from_millisecond(ms).expect("time");
        let address = FileAddress { url: "http://x/y".to_owned(), expires_at: at(9) };
        let mut answer = Answer::new(Capabilities { format, end_line }, 4, changes, most)?;
        answer.metadata(&definition, Some((5, 1)), changes.then_some(2))?;
        if changes {
            for change in [Change::Add, Change::Remove, Change::Recorded] {
                answer.change(&file, &address, change, ChangedAt { version: 2, committed_at: at(8) })?;
            }
        } else {
            answer.file(&file, &address)?;
        }
        Ok(answer)
    }

    #[test]
    fn an_answer_ends_at_the_line_that_does_not_fit() {
        let whole = answer(ResponseFormat::Parquet, false, false, usize::MAX).expect("it fits").text.len();
        let check = |most: usize, fits: bool| {
            let code = answer(ResponseFormat::Parquet, false, false, most).map_err(|problem| problem.code);
            assert_eq!(code.as_ref().err(), (!fits).then_some(&ProblemCode::QueryTooLarge), "{most}");
        };
        check(whole, true);
        check(whole - 1, false);
        check(1, false);
    }

    #[test]
    fn lines_have_the_form_that_was_asked_for() {
        let check = |format: ResponseFormat, changes: bool, pointer: &[(usize, &str, Value)]| {
            let lines = lines(format, false, changes);
            for (line, pointer, expected) in pointer {
                assert_eq!(lines[*line].pointer(pointer), Some(expected), "{format:?} {line} {pointer}: {lines:?}");
            }
        };
        check(
            ResponseFormat::Parquet,
            false,
            &[
                (0, "/protocol/minReaderVersion", 1.into()),
                (1, "/metaData/numFiles", 1.into()),
                (1, "/metaData/partitionColumns/0", "d".into()),
                (2, "/file/url", "http://x/y".into()),
                (2, "/file/partitionValues/d", Value::Null),
                (2, "/file/expirationTimestamp", 9.into()),
            ],
        );
        check(
            ResponseFormat::Delta,
            false,
            &[
                (0, "/protocol/deltaProtocol/minReaderVersion", 1.into()),
                (1, "/metaData/deltaMetadata/id", "t".into()),
                (2, "/file/deltaSingleAction/add/path", "http://x/y".into()),
                (2, "/file/deltaSingleAction/add/modificationTime", 3.into()),
            ],
        );
        check(
            ResponseFormat::Parquet,
            true,
            &[
                (1, "/metaData/version", 2.into()),
                (2, "/add/version", 2.into()),
                (3, "/remove/timestamp", 8.into()),
                (4, "/cdf/url", "http://x/y".into()),
            ],
        );
        check(
            ResponseFormat::Delta,
            true,
            &[
                (1, "/metaData/deltaMetadata/configuration/delta.enableChangeDataFeed", "true".into()),
                (2, "/file/deltaSingleAction/add/dataChange", true.into()),
                (3, "/file/deltaSingleAction/remove/deletionTimestamp", 8.into()),
                (4, "/file/deltaSingleAction/cdc/dataChange", false.into()),
            ],
        );
    }

    #[test]
    fn types_are_written_as_delta_writes_them() {
        let field = ObjectField { name: "sku".to_owned(), column_type: ColumnType::Text };
        let object = ColumnType::Object(vec![field]);
        let text = schema_string(&[
            StoredColumn { name: "a".to_owned(), column_type: ColumnType::Int32 },
            StoredColumn { name: "b".to_owned(), column_type: ColumnType::Decimal { precision: 18, scale: 2 } },
            StoredColumn { name: "c".to_owned(), column_type: ColumnType::Array(Box::new(object)) },
        ]);
        let schema: Value = serde_json::from_str(&text).expect("json");
        assert_eq!(schema.pointer("/fields/0/type"), Some(&"integer".into()));
        assert_eq!(schema.pointer("/fields/1/type"), Some(&"decimal(18,2)".into()));
        assert_eq!(schema.pointer("/fields/2/type/type"), Some(&"array".into()));
        assert_eq!(schema.pointer("/fields/2/type/elementType/fields/0/name"), Some(&"sku".into()));
        assert_eq!(schema.pointer("/fields/2/type/elementType/fields/0/type"), Some(&"string".into()));
    }
}
