//! The Lambda function `notify`.

use std::process::ExitCode;

use jiff::Timestamp;
use sluice_aws::eventbridge::Bus;
use sluice_aws::sns::Topic;
use sluice_documents::DocumentStore;
use sluice_notify::Ports;
use sluice_notify::announce::Announce;
use sluice_notify::metrics::MetricsLog;

fn main() -> ExitCode {
    sluice_aws::serve(
        async |env| {
            let (root, topic, bus) = (env.lake()?, env.topic()?, env.event_bus()?);
            let options = sluice_aws::store::store_options(env, &root).await?;
            let mut announcers: Vec<Box<dyn Announce>> = vec![Box::new(MetricsLog::new(root.clone()))];
            // Looking for region and credentials may ask the network, so not for channels that are turned off.
            if topic.is_some() || bus.is_some() {
                let config = sluice_aws::sdk_config().await;
                announcers.extend(topic.map(|arn| Box::new(Topic::new(&config, arn)) as Box<dyn Announce>));
                announcers.extend(bus.map(|name| Box::new(Bus::new(&config, name)) as Box<dyn Announce>));
            }
            Ok(Ports { documents: DocumentStore::open(&root, &options)?, announcers })
        },
        async |ports, input| sluice_notify::handle(ports, Timestamp::now(), input).await,
    )
}
