//! `sluice alerts`.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use sluice_core::alert::{Alert, AlertChannels};
use sluice_core::error::StepError;
use sluice_core::name::{ChannelName, PipelineName, RunId};

use crate::alerting;
use crate::arguments::AlertsCommand;
use crate::console::Console;
use crate::fault::{Exit, Fault};

/// Lists the channels, or tries one.
pub(crate) async fn run(command: AlertsCommand, console: &Console) -> Result<Exit> {
    let channels = match alerting::channels() {
        Ok(Some(channels)) => channels,
        Ok(None) => {
            let message = "SLUICE_ALERT_CHANNELS is not set, so that no alert is sent";
            let next = "set it to a list of channels in JSON: docs/alerts.md has examples";
            return Err(Fault::new(Exit::WrongUse, message).next(next).into());
        }
        Err(StepError { name, message }) => return Err(Fault::new(Exit::WrongUse, message).named(name).into()),
    };
    match command {
        AlertsCommand::List => list(&channels, console),
        AlertsCommand::Test { channel } => test(channels, &channel, console).await,
    }
}

fn list(channels: &AlertChannels, console: &Console) -> Result<Exit> {
    if console.is_json() {
        let channels = channels.iter().map(
            |channel| json!({ "name": channel.name, "kind": channel.target.kind(), "default": channel.is_default }),
        );
        console.json_page(&channels.collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    for channel in channels.iter() {
        let note = if channel.is_default { "  (default)" } else { "" };
        console.line(&format!("{:<10} {}{note}", channel.target.kind(), channel.name))?;
    }
    Ok(Exit::Done)
}

async fn test(channels: AlertChannels, name: &ChannelName, console: &Console) -> Result<Exit> {
    let Some(channel) = channels.get(name).cloned() else {
        let message = format!("SLUICE_ALERT_CHANNELS has no channel `{name}`");
        let next = format!("name one of its channels: {}", channels.names());
        return Err(Fault::new(Exit::WrongUse, message).next(next).into());
    };
    let now = Timestamp::now();
    let pipeline: PipelineName = "test".parse()?;
    let run_id: RunId = format!("test-{}", now.as_millisecond()).parse()?;
    let alert = Alert::test(pipeline, run_id, now);
    let answer = match alerting::alerts(channels).test(&channel, &alert, now).await {
        Ok(answer) => answer,
        Err(StepError { name, message }) => return Err(Fault::new(Exit::Failed, message).named(name).into()),
    };
    if console.is_json() {
        let (kind, status, body) = (channel.target.kind(), answer.status, answer.body);
        console.json_page(&json!({ "channel": name, "kind": kind, "status": status, "answer": body }))?;
    } else {
        console.line(&format!("channel `{name}` answered {}: {}", answer.status, answer.body))?;
    }
    Ok(Exit::Done)
}
