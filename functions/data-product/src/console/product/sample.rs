//! Some rows of a table, by the same governed read as those of the API.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_http::audit::column_text;
use sluice_http::{Caller, Problem, ProblemCode};
use sluice_lake::serve::{Governed, Question, RowFormat, RowsQuestion, Version};
use sluice_pages::port::Sample;

use crate::problem::problem_of;
use crate::{Access, App};

/// Rows that are shown.
const ROWS: u32 = 10;

/// Reads some rows in the caller's name, and notes it on their trail.
pub(super) async fn read(app: &App, caller: &Caller, access: &Access) -> Result<Sample, Problem> {
    let open = app.snapshots.open(&access.port.table, Version::Newest).await;
    let open = open.map_err(|error| problem_of(&error, "version"))?;
    let version = open.version();
    let columns = Governed::new(open, access.table.clone(), app.mask_key(&access.product)).columns();
    caller.trail.note(|event| {
        event.version = Some(version);
        event.columns = columns.iter().filter_map(|column| column_text(&column.name, column.treatment)).collect();
    });
    let asked = RowsQuestion { limit: ROWS, ..RowsQuestion::default() };
    let asked = Question::Page { table: app.form(access, version), asked, format: RowFormat::Json };
    let answer = app.ask(caller, asked).await.map_err(|error| problem_of(&error, "version"))?;
    caller.trail.note(|event| {
        event.rows = Some(answer.rows);
        event.files = Some((answer.files_read, answer.files_total));
    });
    let names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
    // The engine writes an array of objects.
    let rows: Vec<BTreeMap<String, Value>> = serde_json::from_slice(&answer.body)
        .map_err(|_| Problem::new(ProblemCode::Internal, "the rows cannot be shown, which is a defect"))?;
    let row = |row: &BTreeMap<String, Value>| -> Vec<Option<String>> {
        names.iter().map(|name| row.get(name).and_then(text)).collect()
    };
    let rows = rows.iter().map(row).collect();
    Ok(Sample { columns: names, rows })
}

/// A value as text; `None` for null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
