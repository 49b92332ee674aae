//! An EMR of this machine.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

use super::Emr;
use crate::timeouts;

impl Emr {
    /// The EMR at this endpoint, called with credentials that mean nothing: no profile, no environment and no metadata
    /// service is asked, so that a run on this machine cannot reach an account by mistake.
    pub fn local(endpoint: &str) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "local");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(endpoint)
            .timeout_config(timeouts())
            .build();
        Self::new(&config)
    }
}
