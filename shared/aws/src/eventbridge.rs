//! Events to machines through an EventBridge bus.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use sluice_core::error::StepError;

use crate::code::classify;
use crate::env::EventBus;
use crate::fault::step_error;

/// The source of every event of Sluice, for rules to match.
pub const SOURCE: &str = "sluice";

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its kind, such as `Sluice Run Published`.
    pub detail_type: &'static str,
    /// Its content: a JSON object as text, at most 256 KiB with the rest of the event.
    pub detail: String,
    /// What it is about, such as addresses of tables.
    pub resources: Vec<String>,
}

/// An event bus.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    name: EventBus,
}

impl Bus {
    /// The bus, reached as `config` says. Nothing is called yet.
    pub fn new(config: &SdkConfig, name: EventBus) -> Self {
        Self { client: Client::new(config), name }
    }

    /// Puts the event on the bus.
    ///
    /// # Errors
    /// `Throttled`, `Unavailable`, `NotFound` for a bus that does not exist, `AccessDenied`, `InvalidInput` for a name that
    /// EventBridge refuses, `Internal` for the rest.
    pub async fn put(&self, event: &Event) -> Result<(), StepError> {
        let doing = format!("put an event on bus {}", self.name.as_str());
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(self.name.as_str())
            .source(SOURCE)
            .detail_type(event.detail_type)
            .detail(&event.detail)
            .set_resources(Some(event.resources.clone()))
            .build();
        let answer =
            self.client.put_events().entries(entry).send().await.map_err(|error| step_error(&doing, &error))?;
        // The call succeeds even when the bus refuses the entry.
        match answer.entries().iter().find_map(|entry| Some((entry.error_code()?, entry.error_message()))) {
            None => Ok(()),
            Some((code, message)) => Err(StepError::message(
                classify(code, 200),
                format!("cannot {doing}: {code}: {}", message.unwrap_or("no message")),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::error::ErrorName;

    use super::*;
    use crate::endpoint::{Endpoint, is_judged, silent};

    async fn put(config: &SdkConfig) -> Result<(), StepError> {
        let event = Event {
            detail_type: "Sluice Run Published",
            detail: "{\"run_id\":\"r\"}".to_owned(),
            resources: vec!["s3://lake/report.json".to_owned()],
        };
        Bus::new(config, "default".parse().expect("bus")).put(&event).await
    }

    #[tokio::test]
    async fn events_carry_source_type_and_detail() {
        let endpoint =
            Endpoint::answering("200 OK", "{\"FailedEntryCount\":0,\"Entries\":[{\"EventId\":\"e\"}]}").await;
        put(&endpoint.config).await.expect("put");
        let [request] = <[String; 1]>::try_from(endpoint.requests()).expect("one request");
        for part in [
            "\"Source\":\"sluice\"",
            "\"DetailType\":\"Sluice Run Published\"",
            "\"Detail\":\"{\\\"run_id\\\":\\\"r\\\"}\"",
            "\"Resources\":[\"s3://lake/report.json\"]",
            "\"EventBusName\":\"default\"",
        ] {
            assert!(request.contains(part), "{part} is not in {request}");
        }
        let (_, body) = request.split_once("\r\n\r\n").expect("a body");
        is_judged("PutEvents", &serde_json::from_str(body).expect("JSON"));
    }

    #[tokio::test]
    async fn faults_become_stable_error_names() {
        let entry = |code: &str| -> &'static str {
            let text = format!(
                "{{\"FailedEntryCount\":1,\"Entries\":[{{\"ErrorCode\":\"{code}\",\"ErrorMessage\":\"why\"}}]}}"
            );
            Box::leak(text.into_boxed_str())
        };
        let cases = [
            ("400 Bad Request", "{\"__type\":\"ResourceNotFoundException\"}", ErrorName::NotFound),
            ("400 Bad Request", "{\"__type\":\"ThrottlingException\"}", ErrorName::Throttled),
            ("500 Oops", "{\"__type\":\"InternalException\"}", ErrorName::Unavailable),
            ("400 Bad Request", "{\"__type\":\"AccessDeniedException\"}", ErrorName::AccessDenied),
            ("200 OK", entry("ThrottlingException"), ErrorName::Throttled),
            ("200 OK", entry("InternalFailure"), ErrorName::Unavailable),
            ("200 OK", entry("NotAuthorizedForSourceException"), ErrorName::AccessDenied),
        ];
        for (status, body, name) in cases {
            let endpoint = Endpoint::answering(status, body).await;
            let error = put(&endpoint.config).await.expect_err(status);
            assert_eq!(error.name, name, "{status} {body}: {error}");
            assert!(error.message.contains("bus default"), "{error}");
        }
        assert_eq!(put(&silent()).await.expect_err("nobody there").name, ErrorName::Unavailable);
    }
}
