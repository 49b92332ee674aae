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
    /// `Throttled`, `Unavailable`, `NotFound` for a topic that is not there, `Internal` for the rest, such as missing rights.
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
