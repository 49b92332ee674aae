//! Messages to people through an SNS topic: e-mail, chat webhooks, queues.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use sluice_core::error::{ErrorName, StepError};

use crate::env::TopicArn;
use crate::fault::step_error;

/// Longest subject that SNS takes, in characters.
const MAX_SUBJECT_CHARS: usize = 100;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Subject line: 1 to 100 printable ASCII characters.
    pub subject: String,
    /// Text, at most 256 KiB.
    pub body: String,
    /// Attributes that subscriptions filter by; values are not empty.
    pub attributes: BTreeMap<&'static str, String>,
}

/// A standard topic.
#[derive(Debug, Clone)]
pub struct Topic {
    client: Client,
    arn: TopicArn,
}

impl Topic {
    /// The topic, reached as `config` says. Nothing is called yet.
    pub fn new(config: &SdkConfig, arn: TopicArn) -> Self {
        Self { client: Client::new(config), arn }
    }

    /// Publishes the message.
    ///
    /// # Errors
    /// `Throttled`, `Unavailable`, `NotFound` for a topic that does not exist, `AccessDenied`, `Internal` for the rest.
    pub async fn publish(&self, message: &Message) -> Result<(), StepError> {
        let printable = message.subject.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        if !printable || !(1..=MAX_SUBJECT_CHARS).contains(&message.subject.len()) {
            let refused =
                format!("subject '{}' is not 1 to {MAX_SUBJECT_CHARS} printable ASCII characters", message.subject);
            return Err(StepError::message(ErrorName::Internal, refused));
        }
        let mut request =
            self.client.publish().topic_arn(self.arn.as_str()).subject(&message.subject).message(&message.body);
        for (name, value) in &message.attributes {
            let attribute = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let attribute = attribute.map_err(|error| StepError::new(ErrorName::Internal, &error))?;
            request = request.message_attributes(*name, attribute);
        }
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| step_error(&format!("publish to topic {}", self.arn.as_str()), &error))
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::endpoint::{Endpoint, is_judged, silent};

    fn message(subject: &str) -> Message {
        let attributes = BTreeMap::from([("outcome", "rejected".to_owned()), ("pipeline", "retail".to_owned())]);
        Message { subject: subject.to_owned(), body: "Run: r1 & r2".to_owned(), attributes }
    }

    async fn publish(config: &SdkConfig, subject: &str) -> Result<(), StepError> {
        let arn = "arn:aws:sns:eu-central-1:123456789012:runs".parse().expect("arn");
        Topic::new(config, arn).publish(&message(subject)).await
    }

    /// The parameters in the body of a request, as the model of the service has them: on the wire a map is a list of numbered entries,
    /// each with its name before its value.
    fn parameters(body: &str) -> Value {
        let (mut parameters, mut attributes, mut names) = (Map::new(), json!({}), BTreeMap::new());
        for field in body.split('&') {
            let (key, value) = field.split_once('=').expect("a field");
            let value = percent_decode_str(value).decode_utf8().expect("UTF-8").into_owned();
            match key.split('.').collect::<Vec<&str>>().as_slice() {
                ["Action" | "Version"] => {}
                [name] => {
                    parameters.insert((*name).to_owned(), json!(value));
                }
                ["MessageAttributes", "entry", number, "Name"] => {
                    names.insert((*number).to_owned(), value);
                }
                ["MessageAttributes", "entry", number, "Value", part] => {
                    let name: &String = names.get(*number).expect("a name");
                    attributes[name.as_str()][*part] = json!(value);
                }
                other => panic!("{other:?}"),
            }
        }
        parameters.insert("MessageAttributes".to_owned(), attributes);
        Value::Object(parameters)
    }

    #[tokio::test]
    async fn messages_carry_subject_body_and_attributes() {
        let answer = "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>";
        let endpoint = Endpoint::answering("200 OK", answer).await;
        publish(&endpoint.config, "Sluice: retail rejected").await.expect("published");
        let [request] = <[String; 1]>::try_from(endpoint.requests()).expect("one request");
        let (_, body) = request.split_once("\r\n\r\n").expect("a body");
        assert!(body.starts_with("Action=Publish&"), "{body}");
        let parameters = parameters(body);
        let text = |value: &str| json!({"DataType": "String", "StringValue": value});
        let expected = json!({
            "TopicArn": "arn:aws:sns:eu-central-1:123456789012:runs",
            "Subject": "Sluice: retail rejected",
            "Message": "Run: r1 & r2",
            "MessageAttributes": {"outcome": text("rejected"), "pipeline": text("retail")},
        });
        assert_eq!(parameters, expected, "{request}");
        is_judged("Publish", &parameters);
    }

    #[tokio::test]
    async fn faults_become_stable_error_names() {
        let cases = [
            (
                "404 Not Found",
                "<ErrorResponse><Error><Code>NotFound</Code></Error></ErrorResponse>",
                ErrorName::NotFound,
            ),
            (
                "400 Bad Request",
                "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>",
                ErrorName::Throttled,
            ),
            (
                "500 Oops",
                "<ErrorResponse><Error><Code>InternalError</Code></Error></ErrorResponse>",
                ErrorName::Unavailable,
            ),
            ("503 Busy", "", ErrorName::Unavailable),
            (
                "403 No",
                "<ErrorResponse><Error><Code>AuthorizationError</Code></Error></ErrorResponse>",
                ErrorName::AccessDenied,
            ),
        ];
        for (status, body, name) in cases {
            let endpoint = Endpoint::answering(status, body).await;
            let error = publish(&endpoint.config, "Sluice").await.expect_err(status);
            assert_eq!(error.name, name, "{status}: {error}");
            assert!(error.message.contains("topic arn:aws:sns:eu-central-1:123456789012:runs"), "{error}");
        }
        let error = publish(&silent(), "Sluice").await.expect_err("nobody there");
        assert_eq!(error.name, ErrorName::Unavailable, "{error}");
    }

    #[tokio::test]
    async fn subjects_that_sns_refuses_are_not_sent() {
        for subject in ["", "two\nlines", "Sluice: für alle", &"x".repeat(101)] {
            let error = publish(&silent(), subject).await.expect_err("refused");
            assert_eq!(error.name, ErrorName::Internal, "{error}");
            assert!(error.message.contains("printable ASCII"), "{error}");
        }
    }
}
