//! `sluice restore`: sets the tables of a damaged lake back to a consistent point.

use std::time::Instant;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use sluice_core::restore::SetBack;
use sluice_core::uri::layout;
use sluice_lake::restore::{self, Restoration};

use crate::arguments::RestoreArguments;
use crate::console::{Console, Tone};
use crate::fault::Exit;
use crate::grid::Grid;

/// Shows what would be done, or does it.
pub(crate) async fn run(arguments: RestoreArguments, console: &Console) -> Result<Exit> {
    let RestoreArguments { lake, at, was, yes } = arguments;
    let (lake, began, now) = (lake.place.open_lake().await?, Instant::now(), Timestamp::now());
    let was = was.map(|place| place.to_uri()).transpose()?;
    let planned = restore::plan(&lake, at, now).await?;
    let done = if yes && planned.set_back().next().is_some() { restore::apply(&lake, planned).await? } else { planned };
    let adopted = match &was {
        Some(was) if yes => Some(restore::adopt(&lake, was, now).await?),
        _ => None,
    };
    if console.is_json() {
        console.json_page(&json!({
            "done": yes, "restoration": done, "point": done.point(), "adopted": adopted, "seconds": began.elapsed().as_secs_f64(),
        }))?;
        return Ok(Exit::Done);
    }
    show(&done, console)?;
    if let Some(adopted) = &adopted {
        let ids: usize = adopted.added.values().sum();
        console.line(&format!(
            "{} delivered files are now recorded in {} tables under their addresses in this lake ({ids} ids added)",
            adopted.objects,
            adopted.added.len()
        ))?;
    }
    if !yes {
        let is_needed = was.is_some() || done.set_back().next().is_some();
        console.note(if is_needed {
            "nothing was changed: add --yes to restore"
        } else {
            "nothing needs to be restored"
        });
    } else if done.set_back().next().is_some() {
        console
            .line(&format!("done in {:.1} s; the next run adds what the tables lack", began.elapsed().as_secs_f64()))?;
        console.note(&format!("the removed log entries are in {}{}/", lake.root(), layout::all_moved(&done.id)));
    }
    Ok(Exit::Done)
}

fn show(restoration: &Restoration, console: &Console) -> Result<()> {
    let mut grid = Grid::new(["table", ">version now", ">set back to", "committed"]);
    for SetBack { table, from, to, to_committed_at } in &restoration.tables {
        let to = match to {
            Some(to) if to == from => "stays".to_owned(),
            Some(to) => to.to_string(),
            None => "none".to_owned(),
        };
        let committed = to_committed_at.map(|at| format!("{at:.0}")).unwrap_or_default();
        grid.row([table.to_string(), from.to_string(), to, committed]);
    }
    console.line(&grid.text())?;
    match (restoration.set_back().count(), restoration.point()) {
        (0, _) => console.line(&format!("{} every table is complete", console.paint(Tone::Good, "ok:"))),
        (count, Some(point)) => {
            console.line(&format!("{count} tables are set back; all of them keep the complete runs up to {point:.0}"))
        }
        (count, None) => console
            .line(&format!("{count} tables are set back, some of them to nothing: the next run creates those again")),
    }?;
    Ok(())
}
