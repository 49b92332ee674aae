//! The Lambda function `notify`.

use std::process::ExitCode;

use jiff::Timestamp;
use sluice_aws::eventbridge::Bus;
use sluice_aws::sns::Topic;
use sluice_core::alert::AlertChannels;
use sluice_documents::DocumentStore;
use sluice_notify::Ports;
use sluice_notify::alerts::{Alerts, Mail};
use sluice_notify::announce::Announce;
use sluice_notify::aws::{AwsSecrets, TopicMail, lineage_events};
use sluice_notify::metrics::MetricsLog;

fn main() -> ExitCode {
    sluice_aws::serve(
        async |env| {
            let (root, topic, bus) = (env.lake()?, env.topic()?, env.event_bus()?);
            let target = env.openlineage()?;
            let options = sluice_aws::store::store_options(env, &root).await?;
            let metrics = MetricsLog::new(root.clone());
            let mut announcers: Vec<Box<dyn Announce>> = vec![Box::new(metrics.clone())];
            let documents = DocumentStore::open(&root, &options)?;
            let mut lineage_bus: Option<Bus> = None;
            let channels = env.alert_channels()?;
            let has_mail =
                channels.iter().flat_map(AlertChannels::iter).any(|channel| channel.target.kind() == "email");
            let mut mail: Option<Box<dyn Mail>> = None;
            // Looking for region and credentials may ask the network, so not for channels that are turned off.
            if topic.is_some() || bus.is_some() || has_mail {
                let config = sluice_aws::sdk_config().await;
                announcers.extend(topic.map(|arn| Box::new(Topic::new(&config, arn)) as Box<dyn Announce>));
                let bus = bus.map(|name| Bus::new(&config, name));
                lineage_bus.clone_from(&bus);
                announcers.extend(bus.map(|bus| Box::new(bus) as Box<dyn Announce>));
                mail = Some(Box::new(TopicMail(move |arn| Topic::new(&config, arn))));
            }
            if let Some(target) = target {
                let events = lineage_events(env, documents.clone(), target, lineage_bus)?;
                announcers.push(Box::new(events.with_metrics(metrics.clone())));
            }
            let secrets = AwsSecrets(env.clone());
            let alerts = channels.map(|channels| Alerts::new(channels, Box::new(secrets), mail).with_metrics(metrics));
            Ok(Ports { documents, announcers, alerts })
        },
        async |ports, input| sluice_notify::handle(ports, Timestamp::now(), input).await,
    )
}
