//! The channels on AWS, and where their secrets are.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sluice_aws::env::{self, AwsNameError, Env, EnvError, SecretArn, TopicArn};
use sluice_aws::eventbridge::{Bus, Event};
use sluice_aws::secrets::{self, secret_text};
use sluice_aws::sns::{Message, Topic};
use sluice_core::alert::SecretRef;
use sluice_core::cost::Requests;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::openlineage::Target;
use sluice_documents::DocumentStore;
use tokio::sync::OnceCell;
use url::Url;

use crate::alerts::render::Letter;
use crate::alerts::{Mail, Secrets, from_variable};
use crate::announce::{Announce, Announcement, outcome_text};
use crate::openlineage::{ApiKey, Destination, HttpEndpoint, LineageEvents, Receiver};

/// Kind of the events of OpenLineage on the bus. Rules for those of runs match others: `Sluice Run …`.
const LINEAGE_DETAIL_TYPE: &str = "OpenLineage RunEvent";

impl Announce for Topic {
    fn announce<'a>(&'a self, announcement: &'a Announcement) -> BoxFuture<'a, Result<(), StepError>> {
        async { self.publish(&message(announcement)).await }.boxed()
    }

    fn requests(&self) -> Requests {
        Requests { sns: 1, ..Requests::default() }
    }
}

impl Announce for Bus {
    fn announce<'a>(&'a self, announcement: &'a Announcement) -> BoxFuture<'a, Result<(), StepError>> {
        async { self.put(&event(announcement)?).await }.boxed()
    }

    fn requests(&self) -> Requests {
        Requests { events: 1, ..Requests::default() }
    }
}

impl Receiver for Bus {
    fn receive<'a>(&'a self, event: &'a str) -> BoxFuture<'a, Result<(), StepError>> {
        async move {
            let event = Event { detail_type: LINEAGE_DETAIL_TYPE, detail: event.to_owned(), resources: Vec::new() };
            self.put(&event).await
        }
        .boxed()
    }
}

/// A server of catalogues whose key is asked for when the first event is sent, and again where that failed: a secret
/// that cannot be read must not keep the function from announcing runs.
struct KeyedEndpoint {
    env: Env,
    url: Url,
    endpoint: OnceCell<HttpEndpoint>,
}

impl Receiver for KeyedEndpoint {
    fn receive<'a>(&'a self, event: &'a str) -> BoxFuture<'a, Result<(), StepError>> {
        let made = async move {
            let key: Option<ApiKey> = secrets::openlineage_key(&self.env).await?;
            HttpEndpoint::new(self.url.clone(), key)
        };
        async move { self.endpoint.get_or_try_init(|| made).await?.receive(event).await }.boxed()
    }
}

/// The channel of OpenLineage events, as the environment says. `bus` is the one for events to machines.
///
/// # Errors
/// `InvalidInput` for events that go to a bus that is turned off, and for a folder that cannot be one.
pub fn lineage_events(
    env: &Env,
    documents: DocumentStore,
    target: Target,
    bus: Option<Bus>,
) -> Result<LineageEvents, StepError> {
    let destination = match (target, bus) {
        (Target::Events, Some(bus)) => Destination::Receiver(Box::new(bus)),
        (Target::Events, None) => {
            let reason = format!("`events` needs an event bus: set {} to its name", env::EVENT_BUS.name);
            return Err(EnvError::Invalid { name: env::OPENLINEAGE.name, reason }.into());
        }
        (Target::Http(url), _) => {
            Destination::Receiver(Box::new(KeyedEndpoint { env: env.clone(), url, endpoint: OnceCell::new() }))
        }
        (target @ (Target::Lake | Target::Folder(_)), _) => Destination::without_bus(target, None)?,
    };
    Ok(LineageEvents::new(documents, destination))
}

/// Secrets of channels: in the function's environment, or in AWS Secrets Manager. They are asked for when a message is sent, so
/// that a new value counts at once.
#[derive(Debug, Clone)]
pub struct AwsSecrets(pub Env);

impl Secrets for AwsSecrets {
    fn text<'a>(&'a self, reference: &'a SecretRef) -> BoxFuture<'a, Result<String, StepError>> {
        async move {
            match reference {
                SecretRef::Variable(name) => from_variable(name),
                SecretRef::SecretsManager(arn) => {
                    let refused = |error: AwsNameError| StepError::new(ErrorName::InvalidInput, &error);
                    secret_text(&self.0, &arn.parse::<SecretArn>().map_err(refused)?).await
                }
            }
        }
        .boxed()
    }
}

/// E-mails through SNS, with what makes a topic of its ARN.
pub struct TopicMail<F>(pub F);

impl<F: Fn(TopicArn) -> Topic + Send + Sync> Mail for TopicMail<F> {
    fn send<'a>(&'a self, topic: &'a str, letter: &'a Letter) -> BoxFuture<'a, Result<(), StepError>> {
        async move {
            let refused = |error: AwsNameError| StepError::new(ErrorName::InvalidInput, &error);
            let topic = (self.0)(topic.parse::<TopicArn>().map_err(refused)?);
            let attributes =
                BTreeMap::from([("pipeline", letter.pipeline.clone()), ("severity", letter.severity.to_owned())]);
            let (subject, body) = (letter.subject.clone(), letter.body.clone());
            topic.publish(&Message { subject, body, attributes }).await
        }
        .boxed()
    }
}

/// The message of an announcement. Subscriptions filter by its attributes `pipeline` and `outcome`.
pub fn message(announcement: &Announcement) -> Message {
    Message {
        subject: announcement.subject(),
        body: announcement.body(),
        attributes: BTreeMap::from([
            ("pipeline", announcement.pipeline().to_owned()),
            ("outcome", outcome_text(announcement.report.outcome).to_owned()),
        ]),
    }
}

/// The event of an announcement. Its resources are the report's address.
///
/// # Errors
/// `Internal` when the detail has no JSON form.
pub fn event(announcement: &Announcement) -> Result<Event, StepError> {
    let detail = serde_json::to_string(&announcement.detail());
    Ok(Event {
        detail_type: announcement.detail_type(),
        detail: detail.map_err(|error| StepError::new(ErrorName::Internal, &error))?,
        resources: announcement.report_uri.iter().map(ToString::to_string).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use sluice_core::run::{Outcome, Report};

    use super::*;

    #[test]
    fn all_channels_send_the_same_facts() {
        let report = Report {
            pipeline: Some("retail".parse().unwrap()),
            run_id: "r1".parse().unwrap(),
            attempt: 2,
            outcome: Outcome::Rejected,
            ended_at: Timestamp::UNIX_EPOCH,
            sources: Vec::new(),
            held: vec![sluice_core::source::HeldObject {
                uri: "s3://lake/landing/a.csv".parse().unwrap(),
                reason: "not text".to_owned(),
            }]
            .into(),
            waiting: BTreeMap::from([("gold/sales/g".parse().unwrap(), "table `gold/x/y` is gone".to_owned())]),
            rows: BTreeMap::new(),
            committed: Vec::new(),
            broken_rules: vec!["silver/sales/t: keys_unique".to_owned()],
            warnings: vec![sluice_core::run::ReportedWarning {
                rule: "silver/sales/t: a.maximum".to_owned(),
                observed: "3".to_owned(),
                expected: "= 0".to_owned(),
            }],
            error: None,
        };
        let uri = "s3://lake/runs/retail/r1/report.json";
        let announcement = Announcement { report, report_uri: Some(uri.parse().unwrap()), page_uri: None };
        let message = message(&announcement);
        assert_eq!(message.subject, "Sluice: retail rejected, 1 source object held");
        assert!(message.body.contains("Held: s3://lake/landing/a.csv: not text"), "{}", message.body);
        assert!(message.body.contains("Not computed: gold/sales/g: table `gold/x/y` is gone"), "{}", message.body);
        assert_eq!(message.attributes["outcome"], "rejected");
        assert_eq!(message.attributes["pipeline"], "retail");
        assert!(message.body.contains("keys_unique") && message.body.contains(uri), "{}", message.body);
        let event = event(&announcement).unwrap();
        assert_eq!((event.detail_type, event.resources), ("Sluice Run Rejected", vec![uri.to_owned()]));
        let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap();
        let expected = serde_json::json!({
            "pipeline": "retail", "run_id": "r1", "attempt": 2, "outcome": "rejected",
            "ended_at": "1970-01-01T00:00:00Z", "sources": 0,
            "held": [{"uri": "s3://lake/landing/a.csv", "reason": "not text"}], "held_count": 1, "waiting": ["gold/sales/g"], "committed": [],
            "broken_rules": ["silver/sales/t: keys_unique"], "broken_rule_count": 1,
            "warnings": [{"rule": "silver/sales/t: a.maximum", "observed": "3", "expected": "= 0"}], "warning_count": 1,
            "error": null, "report_uri": uri, "page_uri": null,
        });
        assert_eq!(detail, expected);
    }
}
