//! The channels on AWS.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sluice_aws::eventbridge::{Bus, Event};
use sluice_aws::sns::{Message, Topic};
use sluice_core::error::{ErrorName, StepError};

use crate::announce::{Announce, Announcement, outcome_text};

impl Announce for Topic {
    fn announce<'a>(&'a self, announcement: &'a Announcement) -> BoxFuture<'a, Result<(), StepError>> {
        async { self.publish(&message(announcement)).await }.boxed()
    }
}

impl Announce for Bus {
    fn announce<'a>(&'a self, announcement: &'a Announcement) -> BoxFuture<'a, Result<(), StepError>> {
        async { self.put(&event(announcement)?).await }.boxed()
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
