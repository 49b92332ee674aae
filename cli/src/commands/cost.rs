//! `sluice cost`.

mod bill;
mod csv;
mod gather;
mod show;

use anyhow::Result;
use sluice_core::error::ErrorName;

use self::bill::Bill;
use self::gather::PriceList;
use crate::arguments::CostArguments;
use crate::console::Console;
use crate::fault::{Exit, Fault};

/// Shows what runs cost.
pub(crate) async fn run(arguments: CostArguments, console: &Console) -> Result<Exit> {
    let CostArguments { lake, pipeline, month, run, csv, prices, audit } = arguments;
    if csv && console.is_json() {
        return Err(Fault::new(Exit::WrongUse, "--csv and --json cannot be printed at once").next("give one").into());
    }
    let prices = PriceList::read(prices.as_deref())?;
    let lake = lake.place.open_lake().await?;
    let mut found = gather::runs(&lake, pipeline.name.as_ref(), run.as_ref(), &prices).await?;
    if let (Some(run), true) = (&run, found.is_empty()) {
        let message = format!("no run `{run}` with a report is in {}", lake.root());
        let next = "`sluice runs list` shows the runs of a lake; a run has a report when it has ended";
        return Err(Fault::new(Exit::WrongUse, message).named(ErrorName::NotFound).next(next).into());
    }
    found.keep(month);
    if csv {
        console.line(csv::text(&found, lake.root()).trim_end())?;
        return Ok(Exit::Done);
    }
    let products = gather::products(&lake, pipeline.name.as_ref()).await?;
    let reads = audit.map(|file| gather::reads(&file, month)).transpose()?;
    let bill = Bill::new(&found, &products, reads.as_ref(), &prices);
    if console.is_json() {
        console.json_page(&bill.json(&found))?;
    } else if run.is_some() {
        console.line(&show::receipts(&found, console))?;
    } else {
        console.line(&show::bill(&bill, &found, console))?;
    }
    Ok(Exit::Done)
}
