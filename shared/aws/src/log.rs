//! JSON logs: one object per line with timestamp and level at top level, as Lambda's own filters need them.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::env::{self, Env};

/// Starts logging to standard output. A second call changes nothing.
///
/// Lambda's level `FATAL` is our `ERROR`. An unknown level is reported, and `INFO` is used.
pub(crate) fn init(env: &Env) {
    let (level, refused) = level(env.get(env::LOG_LEVEL));
    // The runtime logs every error that it sends once more, without the call's fields: `serve` has logged it already.
    let targets = Targets::new().with_default(level).with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    // The runtime's own subscriber prints no timestamp, and Lambda then takes every line for INFO.
    let json =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    let started = tracing_subscriber::registry().with(json).with(targets).try_init();
    if let (Ok(()), Some(text)) = (started, refused) {
        tracing::warn!(variable = env::LOG_LEVEL.name, value = text, "unknown log level, taking INFO");
    }
}

/// The level of this text, and the text when it is not a level.
fn level(text: Option<&str>) -> (LevelFilter, Option<&str>) {
    let Some(text) = text else { return (LevelFilter::INFO, None) };
    match text.to_ascii_uppercase().as_str() {
        "TRACE" => (LevelFilter::TRACE, None),
        "DEBUG" => (LevelFilter::DEBUG, None),
        "INFO" => (LevelFilter::INFO, None),
        "WARN" => (LevelFilter::WARN, None),
        "ERROR" | "FATAL" => (LevelFilter::ERROR, None),
        _ => (LevelFilter::INFO, Some(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_are_those_of_lambda() {
        assert_eq!(level(None), (LevelFilter::INFO, None));
        assert_eq!(level(Some("FATAL")), (LevelFilter::ERROR, None));
        assert_eq!(level(Some("debug")), (LevelFilter::DEBUG, None));
        assert_eq!(level(Some("LOUD")), (LevelFilter::INFO, Some("LOUD")));
    }
}
