//! Arguments of `sluice alerts`.

use clap::Subcommand;
use sluice_core::name::ChannelName;

/// What to do with channels for alerts.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// List the channels of SLUICE_ALERT_CHANNELS
    List,
    /// Send a test message to a channel, and print what it answered
    ///
    /// PagerDuty and Opsgenie get a test incident that is resolved at once.
    #[command(after_help = "Examples:
  export SLUICE_ALERT_CHANNELS='[{\"name\": \"chat\", \"kind\": \"slack\", \"address\": \"env:SLACK_WEBHOOK\"}]'
  sluice alerts test chat")]
    Test {
        /// The channel
        channel: ChannelName,
    },
}
