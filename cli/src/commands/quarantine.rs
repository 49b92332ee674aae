//! `sluice quarantine`.

use anyhow::Result;
use sluice_lake::inspect;

use super::named::named_wrongly;
use super::run;
use crate::arguments::QuarantineCommand;
use crate::console::Console;
use crate::fault::Exit;
use crate::grid::{Grid, count};

/// Shows quarantined rows, or re-validates them.
pub(crate) async fn run(command: QuarantineCommand, console: &Console) -> Result<Exit> {
    match command {
        QuarantineCommand::List { lake } => {
            let tables = inspect::quarantines(&lake.place.open_lake().await?).await?;
            if console.is_json() {
                console.json_page(&tables)?;
                return Ok(Exit::Done);
            }
            if tables.is_empty() {
                console.line("no rows have been quarantined")?;
                return Ok(Exit::Done);
            }
            let mut grid = Grid::new(["quarantine", "rule", ">rows"]);
            for table in &tables {
                grid.row([table.table.to_string(), "all rows".to_owned(), count(table.rows)]);
                for (rule, rows) in &table.rules {
                    grid.row([String::new(), rule.clone(), count(*rows)]);
                }
            }
            console.line(&grid.text())?;
        }
        QuarantineCommand::Show { table, lake, rule, rows } => {
            let lake = lake.place.open_lake().await?;
            let shown = inspect::quarantine_rows(&lake, &table, rule.as_deref(), rows).await;
            let shown = shown.map_err(|error| {
                named_wrongly(error, "`sluice quarantine list` shows the quarantine tables of a lake")
            })?;
            if console.is_json() {
                for row in &shown {
                    console.json_line(row)?;
                }
                return Ok(Exit::Done);
            }
            if shown.is_empty() {
                console.line("no rows match")?;
                return Ok(Exit::Done);
            }
            let mut grid = Grid::new(["source", ">row", "broken rules", "raw"]);
            for row in shown {
                let file = row.source_file.rsplit('/').next().unwrap_or_default().to_owned();
                let number = row.source_row.map_or(String::new(), |number| number.to_string());
                grid.row([file, number, row.rules.join(", "), row.raw]);
            }
            console.line(&grid.text())?;
        }
        QuarantineCommand::Replay { folder, lake, run_id, openlineage } => {
            return run::replay(&folder, (&lake, &openlineage), run_id, console).await;
        }
    }
    Ok(Exit::Done)
}
