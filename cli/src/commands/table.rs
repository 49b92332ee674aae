//! `sluice table`.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::ser::{Serialize, SerializeMap, Serializer};
use sluice_lake::inspect::{self, Cell, HeadRows};

use super::named::named_wrongly;
use crate::arguments::TableCommand;
use crate::console::{Console, Tone};
use crate::fault::Exit;
use crate::grid::{Grid, count, size};

const NEXT: &str = "`sluice table list` shows the tables of a lake";

/// Shows tables.
pub(crate) async fn run(command: TableCommand, console: &Console) -> Result<Exit> {
    match command {
        TableCommand::List { lake } => {
            let tables = inspect::tables(&lake.place.open_lake().await?).await?;
            if console.is_json() {
                console.json_page(&tables)?;
                return Ok(Exit::Done);
            }
            let mut grid = Grid::new(["=table", ">version", ">rows", ">files", ">size"]);
            for table in &tables {
                grid.row([
                    table.table.to_string(),
                    table.version.to_string(),
                    known_count(table.rows),
                    count(table.files),
                    size(table.size_bytes),
                ]);
            }
            console.line(&if tables.is_empty() { "no tables yet".to_owned() } else { grid.text() })?;
        }
        TableCommand::Show { table, lake, version } => {
            let lake = lake.place.open_lake().await?;
            let details = inspect::table_details(&lake, &table, version).await.map_err(|e| named_wrongly(e, NEXT))?;
            if console.is_json() {
                console.json_page(&details)?;
                return Ok(Exit::Done);
            }
            console.line(&console.paint(Tone::Strong, &table.to_string()))?;
            let summary = &details.summary;
            let partitions =
                if details.partition_by.is_empty() { "none".to_owned() } else { details.partition_by.join(", ") };
            for (name, value) in [
                ("location", details.location.clone()),
                ("version", summary.version.to_string()),
                ("rows", known_count(summary.rows)),
                ("files", format!("{}, {}", count(summary.files), size(summary.size_bytes))),
                ("partitions", partitions),
            ] {
                console.line(&format!("{name:12}{value}"))?;
            }
            let mut grid = Grid::new(["column", "type"]);
            for column in &details.columns {
                grid.row([column.name.clone(), column.column_type.to_string()]);
            }
            console.line(&format!("\n{}", grid.text()))?;
        }
        TableCommand::Head { table, lake, rows, version } => {
            let lake = lake.place.open_lake().await?;
            let head = inspect::head(&lake, &table, version, rows).await.map_err(|e| named_wrongly(e, NEXT))?;
            show_head(&head, console)?;
        }
        TableCommand::History { table, lake, limit } => {
            let lake = lake.place.open_lake().await?;
            let versions = inspect::history(&lake, &table, limit).await.map_err(|e| named_wrongly(e, NEXT))?;
            if console.is_json() {
                console.json_page(&versions)?;
                return Ok(Exit::Done);
            }
            let mut grid = Grid::new([">version", "=committed", "operation", "=run", ">rows"]);
            for version in &versions {
                grid.row([
                    version.version.to_string(),
                    version.committed_at.map_or(String::new(), |at| format!("{at:.0}")),
                    version.operation.clone().unwrap_or_default(),
                    version.run_id.clone().unwrap_or_default(),
                    known_count(version.rows),
                ]);
            }
            console.line(&grid.text())?;
        }
    }
    Ok(Exit::Done)
}

fn known_count(number: Option<u64>) -> String {
    number.map_or_else(|| "?".to_owned(), count)
}

fn show_head(head: &HeadRows, console: &Console) -> Result<()> {
    if console.is_json() {
        for row in &head.rows {
            console.json_line(&NamedRow { columns: &head.columns, row })?;
        }
        return Ok(());
    }
    let right: BTreeMap<usize, bool> = (0..head.columns.len())
        .map(|index| (index, head.rows.iter().filter_map(|row| row.get(index)).all(is_number)))
        .collect();
    let names: Vec<String> = head
        .columns
        .iter()
        .enumerate()
        .map(|(index, name)| if right.get(&index) == Some(&true) { format!(">{name}") } else { name.clone() })
        .collect();
    let mut grid = Grid::new(names.iter().map(String::as_str));
    for row in &head.rows {
        grid.row(row.iter().map(Cell::to_string));
    }
    console.line(&if head.rows.is_empty() { "no rows".to_owned() } else { grid.text() })?;
    Ok(())
}

fn is_number(cell: &Cell) -> bool {
    matches!(cell, Cell::Integer(_) | Cell::Number(_) | Cell::Null)
        || matches!(cell, Cell::Text(text) if !text.is_empty()
            && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-')) && text.contains('.'))
}

/// A row as a JSON object whose keys are in the order of the table's columns.
struct NamedRow<'a> {
    columns: &'a [String],
    row: &'a [Cell],
}

impl Serialize for NamedRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (name, cell) in self.columns.iter().zip(self.row) {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_rows_keep_the_order_of_the_columns() {
        let columns = ["z".to_owned(), "a".to_owned()];
        let row = [Cell::Integer(1), Cell::Null];
        assert_eq!(serde_json::to_string(&NamedRow { columns: &columns, row: &row }).unwrap(), r#"{"z":1,"a":null}"#);
    }

    #[test]
    fn decimals_are_aligned_as_numbers_and_dates_are_not() {
        let check = |text: &str, number: bool| assert_eq!(is_number(&Cell::Text(text.to_owned())), number, "{text}");
        check("-12.50", true);
        check("2026-01-05", false);
        check("17850", false);
        check("", false);
    }
}
