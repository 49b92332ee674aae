//! Every environment variable that Sluice's functions read, in one place.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use sluice_core::alert::AlertChannels;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::openlineage::Target;
use sluice_core::uri::FolderUri;

mod arn;

pub use arn::{AwsNameError, EventBus, SecretArn, StateMachineArn, TopicArn};

/// An environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Name.
    pub name: &'static str,
    /// What it holds, with an example.
    pub purpose: &'static str,
}

/// Root of the lake. Every function needs it.
pub const LAKE: Variable =
    Variable { name: "SLUICE_LAKE", purpose: "root of the lake, such as s3://bucket/prefix or file:///srv/lake" };
/// Where messages to people go. Notify needs it.
pub const TOPIC_ARN: Variable = Variable {
    name: "SLUICE_TOPIC_ARN",
    purpose: "ARN of the standard SNS topic for messages to people, or `none` to send nothing",
};
/// Where events to machines go. Notify needs it.
pub const EVENT_BUS: Variable = Variable {
    name: "SLUICE_EVENT_BUS",
    purpose: "name or ARN of the EventBridge bus for events to machines, or `none` to send nothing",
};
/// Where events of OpenLineage go. Notify reads it.
pub const OPENLINEAGE: Variable = Variable {
    name: "SLUICE_OPENLINEAGE",
    purpose: "where OpenLineage events of runs go: https://host/api/v1/lineage, `events` (the bus of SLUICE_EVENT_BUS), file:///folder, `lake` (kept with the run alone), or `none`; without it no events are made",
};
/// Where the key of the server of OpenLineage events is. Notify reads it.
pub const OPENLINEAGE_KEY_ARN: Variable = Variable {
    name: "SLUICE_OPENLINEAGE_KEY_ARN",
    purpose: "ARN of the secret in AWS Secrets Manager with the key of the server of OpenLineage events, which is sent as bearer token; without it and SLUICE_OPENLINEAGE_KEY none is sent",
};
/// The key itself, where there is no Secrets Manager: `sluice run`.
pub const OPENLINEAGE_KEY: Variable = Variable {
    name: "SLUICE_OPENLINEAGE_KEY",
    purpose: "key of the server of OpenLineage events, which is sent as bearer token; on AWS, SLUICE_OPENLINEAGE_KEY_ARN takes its place",
};
/// Channels for alerts. Notify reads it; so does the command where it runs notify.
pub const ALERT_CHANNELS: Variable = Variable {
    name: "SLUICE_ALERT_CHANNELS",
    purpose: "channels for alerts as a list in JSON, such as [{\"name\": \"on-call\", \"kind\": \"pagerduty\", \"key\": \"env:PAGERDUTY_KEY\"}], or `none`; without it, no alert is sent",
};
/// Where the secret is that masks, cursors and addresses are keyed with. Data-product needs it on AWS.
pub const SECRET_ARN: Variable = Variable {
    name: "SLUICE_SECRET_ARN",
    purpose: "ARN of the secret in AWS Secrets Manager that masks, cursors and addresses are keyed with, such as arn:aws:secretsmanager:eu-central-1:123456789012:secret:masking-a1b2c3; where there is no Secrets Manager, set SLUICE_SECRET to the secret itself",
};
/// The secret itself, where there is no Secrets Manager: `sluice serve`, and functions on this machine.
pub const SECRET: Variable = Variable {
    name: "SLUICE_SECRET",
    purpose: "secret of at least 32 bytes that masks, cursors and addresses are keyed with; the same for all environments of the function, and never changed without need; on AWS, SLUICE_SECRET_ARN takes its place",
};
/// Where callers reach the API. Data-product needs it.
pub const ENDPOINT: Variable = Variable {
    name: "SLUICE_ENDPOINT",
    purpose: "address that callers reach the API at, without a final slash, such as https://data.example.com",
};
/// Key for new objects of the lake.
pub const KMS_KEY: Variable = Variable {
    name: "SLUICE_KMS_KEY",
    purpose: "id or ARN of the KMS key that new objects of the lake are encrypted with; without it the bucket's default encryption counts",
};
/// Whose executions callers start. Submit needs it.
pub const STATE_MACHINE_ARN: Variable = Variable {
    name: "SLUICE_STATE_MACHINE_ARN",
    purpose: "ARN of the state machine whose executions the API starts, alone or with an alias, such as arn:aws:states:eu-central-1:123456789012:stateMachine:sluice:live",
};
/// Release of EMR. Start-emr reads this and what follows, up to the security groups.
pub const EMR_RELEASE: Variable = Variable {
    name: "SLUICE_EMR_RELEASE",
    purpose: "release of EMR for clusters, emr-7.<n>.<n>; emr-7.13.0 by default",
};
/// Where clusters write their logs.
pub const EMR_LOG_URI: Variable = Variable {
    name: "SLUICE_EMR_LOG_URI",
    purpose: "folder that clusters write their logs to, such as s3://bucket/emr-logs/",
};
/// Where clusters are.
pub const EMR_SUBNETS: Variable = Variable {
    name: "SLUICE_EMR_SUBNETS",
    purpose: "private subnets for clusters, separated by commas, such as subnet-0a1b2c3d,subnet-4e5f6a7b; EMR takes the one with the best capacity",
};
/// As whom EMR itself acts.
pub const EMR_SERVICE_ROLE: Variable = Variable {
    name: "SLUICE_EMR_SERVICE_ROLE",
    purpose: "name or ARN of the role that EMR itself has, such as sluice-emr-service",
};
/// As whom instances act.
pub const EMR_INSTANCE_PROFILE: Variable = Variable {
    name: "SLUICE_EMR_INSTANCE_PROFILE",
    purpose: "name or ARN of the profile that instances of clusters have, such as sluice-emr-instance",
};
/// How clusters are secured.
pub const EMR_SECURITY_CONFIGURATION: Variable = Variable {
    name: "SLUICE_EMR_SECURITY_CONFIGURATION",
    purpose: "name of the security configuration of clusters: encryption on disk and on the way, IMDSv2, runtime roles",
};
/// Primary instances.
pub const EMR_PRIMARY_TYPES: Variable = Variable {
    name: "SLUICE_EMR_PRIMARY_TYPES",
    purpose: "instance types for the primary instance, separated by commas; m6g.xlarge,m7g.xlarge by default",
};
/// Core and task instances.
pub const EMR_WORKER_TYPES: Variable = Variable {
    name: "SLUICE_EMR_WORKER_TYPES",
    purpose: "instance types for core and task instances, separated by commas; r6g.2xlarge,r7g.2xlarge,m6g.2xlarge,m7g.2xlarge by default",
};
/// Capacity of the core fleet.
pub const EMR_CORE_UNITS: Variable =
    Variable { name: "SLUICE_EMR_CORE_UNITS", purpose: "vCPUs of the core fleet, 2 to 4000; 8 by default" };
/// Least capacity.
pub const EMR_MIN_UNITS: Variable = Variable {
    name: "SLUICE_EMR_MIN_UNITS",
    purpose: "least vCPUs of core and task fleet together, more than the core fleet has; 16 by default",
};
/// Most capacity.
pub const EMR_MAX_UNITS: Variable = Variable {
    name: "SLUICE_EMR_MAX_UNITS",
    purpose: "most vCPUs of core and task fleet together, up to 4000; 128 by default",
};
/// The last net for clusters.
pub const EMR_IDLE_TIMEOUT_SECONDS: Variable = Variable {
    name: "SLUICE_EMR_IDLE_TIMEOUT_SECONDS",
    purpose: "idle seconds after which EMR ends a cluster by itself, 60 to 604800; 600 by default",
};
/// Steps at once.
pub const EMR_STEP_CONCURRENCY: Variable = Variable {
    name: "SLUICE_EMR_STEP_CONCURRENCY",
    purpose: "steps that a cluster executes at once, 1 to 256; 1 by default",
};
/// Tags for the bill.
pub const EMR_TAGS: Variable =
    Variable { name: "SLUICE_EMR_TAGS", purpose: "tags of clusters for the bill, such as team=data,cost-centre=4711" };
/// Security groups.
pub const EMR_SECURITY_GROUPS: Variable = Variable {
    name: "SLUICE_EMR_SECURITY_GROUPS",
    purpose: "security groups primary,core,service-access of clusters, when EMR's own are not used",
};
/// As whom the script runs. Run-etl needs it.
pub const EMR_STEP_ROLE_ARN: Variable = Variable {
    name: "SLUICE_EMR_STEP_ROLE_ARN",
    purpose: "ARN of the runtime role that Spark scripts run as, such as arn:aws:iam::123456789012:role/sluice-etl, or `none` to run them as the instances",
};
/// Least level that is logged.
pub const LOG_LEVEL: Variable = Variable {
    name: "AWS_LAMBDA_LOG_LEVEL",
    purpose: "least level that is logged: TRACE, DEBUG, INFO (the default), WARN, ERROR or FATAL; set by Lambda's logging configuration",
};
/// The function's own name, for receipts.
pub const FUNCTION_NAME: Variable =
    Variable { name: "AWS_LAMBDA_FUNCTION_NAME", purpose: "name of the function; set by Lambda" };
/// The function's own memory, for receipts.
pub const FUNCTION_MEMORY: Variable =
    Variable { name: "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", purpose: "memory of the function in MB; set by Lambda" };
/// Where invocations come from.
pub const RUNTIME_API: Variable = Variable {
    name: "AWS_LAMBDA_RUNTIME_API",
    purpose: "host and port of the Lambda runtime; set by Lambda and `cargo lambda watch`",
};
/// Region.
pub const REGION: Variable =
    Variable { name: "AWS_REGION", purpose: "region of the lake and the services; set by Lambda" };
/// Credentials, first part.
pub const ACCESS_KEY_ID: Variable =
    Variable { name: "AWS_ACCESS_KEY_ID", purpose: "credentials; set by Lambda from the function's role" };
/// Credentials, second part.
pub const SECRET_ACCESS_KEY: Variable =
    Variable { name: "AWS_SECRET_ACCESS_KEY", purpose: "credentials; set by Lambda from the function's role" };
/// Credentials, third part.
pub const SESSION_TOKEN: Variable =
    Variable { name: "AWS_SESSION_TOKEN", purpose: "credentials; set by Lambda from the function's role" };
/// Another endpoint for all services.
pub const ENDPOINT_URL: Variable =
    Variable { name: "AWS_ENDPOINT_URL", purpose: "endpoint of all services, for emulators and private endpoints" };
/// Another endpoint for S3 alone; the variables of services that have a client of the SDK are read by the SDK itself.
pub const ENDPOINT_URL_S3: Variable =
    Variable { name: "AWS_ENDPOINT_URL_S3", purpose: "endpoint of S3, before AWS_ENDPOINT_URL" };
/// Another endpoint for Secrets Manager alone.
pub const ENDPOINT_URL_SECRETS_MANAGER: Variable = Variable {
    name: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    purpose: "endpoint of Secrets Manager, before AWS_ENDPOINT_URL",
};

/// The catalogue.
///
/// The AWS SDK reads more by itself (`AWS_PROFILE`, `AWS_ENDPOINT_URL_SNS`, …): see its own documentation.
pub const CATALOGUE: [Variable; 39] = [
    LAKE,
    TOPIC_ARN,
    EVENT_BUS,
    OPENLINEAGE,
    OPENLINEAGE_KEY_ARN,
    OPENLINEAGE_KEY,
    ALERT_CHANNELS,
    SECRET_ARN,
    SECRET,
    ENDPOINT,
    KMS_KEY,
    STATE_MACHINE_ARN,
    EMR_RELEASE,
    EMR_LOG_URI,
    EMR_SUBNETS,
    EMR_SERVICE_ROLE,
    EMR_INSTANCE_PROFILE,
    EMR_SECURITY_CONFIGURATION,
    EMR_PRIMARY_TYPES,
    EMR_WORKER_TYPES,
    EMR_CORE_UNITS,
    EMR_MIN_UNITS,
    EMR_MAX_UNITS,
    EMR_IDLE_TIMEOUT_SECONDS,
    EMR_STEP_CONCURRENCY,
    EMR_TAGS,
    EMR_SECURITY_GROUPS,
    EMR_STEP_ROLE_ARN,
    LOG_LEVEL,
    FUNCTION_NAME,
    FUNCTION_MEMORY,
    RUNTIME_API,
    REGION,
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    ENDPOINT_URL,
    ENDPOINT_URL_S3,
    ENDPOINT_URL_SECRETS_MANAGER,
];

/// The value that turns an optional announcement off. Leaving the variable out is an error: nobody should learn from
/// silence that a deployment forgot it.
const NONE: &str = "none";

/// Why the environment does not make a configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvError {
    /// A variable is missing or empty.
    #[error("environment variable {name} is not set: set it to the {purpose}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What to set it to.
        purpose: &'static str,
    },
    /// A variable has a value that makes no sense.
    #[error("environment variable {name}: {reason}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// Why.
        reason: String,
    },
}

impl From<EnvError> for StepError {
    fn from(error: EnvError) -> Self {
        Self::new(ErrorName::InvalidInput, &error)
    }
}

/// The environment, read once when the function starts.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

// Some values are secrets.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Env {
    /// The environment of this process: the variables of the catalogue that are set to text.
    pub fn of_process() -> Self {
        let set = |variable: Variable| Some((variable.name.to_owned(), std::env::var(variable.name).ok()?));
        Self(CATALOGUE.into_iter().filter_map(set).collect())
    }

    /// An environment made up by the caller.
    pub fn of<'a>(variables: impl IntoIterator<Item = (Variable, &'a str)>) -> Self {
        Self(variables.into_iter().map(|(variable, value)| (variable.name.to_owned(), value.to_owned())).collect())
    }

    /// The value of a variable; an empty one counts as not set.
    pub fn get(&self, variable: Variable) -> Option<&str> {
        self.0.get(variable.name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Root of the lake.
    ///
    /// # Errors
    /// [`EnvError`] when it is missing or no address.
    pub fn lake(&self) -> Result<FolderUri, EnvError> {
        self.parse(LAKE)
    }

    /// Topic for messages to people; `None` where they are turned off.
    ///
    /// # Errors
    /// [`EnvError`] when it is missing or no ARN of a standard topic.
    pub fn topic(&self) -> Result<Option<TopicArn>, EnvError> {
        self.parse_or_none(TOPIC_ARN)
    }

    /// Bus for events to machines; `None` where they are turned off.
    ///
    /// # Errors
    /// [`EnvError`] when it is missing or no name of a bus.
    pub fn event_bus(&self) -> Result<Option<EventBus>, EnvError> {
        self.parse_or_none(EVENT_BUS)
    }

    /// Where events of OpenLineage go; `None` where none are made.
    ///
    /// # Errors
    /// [`EnvError`] when it is no target.
    pub fn openlineage(&self) -> Result<Option<Target>, EnvError> {
        if self.get(OPENLINEAGE).is_none() { Ok(None) } else { self.parse_or_none(OPENLINEAGE) }
    }

    /// Channels for alerts; `None` where they are turned off or not set. Deployments of earlier versions do not set them.
    ///
    /// # Errors
    /// [`EnvError`] when it is not a list of channels.
    pub fn alert_channels(&self) -> Result<Option<AlertChannels>, EnvError> {
        match self.get(ALERT_CHANNELS) {
            None => Ok(None),
            Some(_) => self.parse_or_none(ALERT_CHANNELS),
        }
    }

    /// The state machine whose executions the API starts.
    ///
    /// # Errors
    /// [`EnvError`] when it is missing or no ARN of a state machine.
    pub fn state_machine(&self) -> Result<StateMachineArn, EnvError> {
        self.parse(STATE_MACHINE_ARN)
    }

    pub(crate) fn parse_or_none<T: FromStr<Err: fmt::Display>>(
        &self,
        variable: Variable,
    ) -> Result<Option<T>, EnvError> {
        if self.get(variable) == Some(NONE) { Ok(None) } else { self.parse(variable).map(Some) }
    }

    /// The value of a variable as its type.
    ///
    /// # Errors
    /// [`EnvError`] when it is missing or not of the type.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self, variable: Variable) -> Result<T, EnvError> {
        let Variable { name, purpose } = variable;
        let value = self.get(variable).ok_or(EnvError::Missing { name, purpose })?;
        value.parse().map_err(|reason: T::Err| EnvError::Invalid { name, reason: reason.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_wrong_variables_are_named() {
        let check = |value: Option<&'static str>, expected: &str| {
            let error = Env::of(value.map(|value| (TOPIC_ARN, value))).topic().expect_err(expected);
            let step = StepError::from(error);
            assert_eq!(step.name, ErrorName::InvalidInput);
            assert!(step.message.contains("SLUICE_TOPIC_ARN") && step.message.contains(expected), "{step}");
        };
        check(None, "is not set");
        check(Some(""), "is not set");
        check(Some("runs"), "arn:<partition>:sns");
        check(Some("arn:aws:sqs:eu-central-1:123456789012:runs"), "arn:<partition>:sns");
        check(Some("arn:aws:sns:eu-central-1::runs"), "arn:<partition>:sns");
        check(Some("arn:aws:sns:eu-central-1:123456789012:runs.fifo"), "not a FIFO one");
        assert!(Env::of([(LAKE, "bucket/prefix")]).lake().is_err());
        assert!(Env::of([(EVENT_BUS, "my bus")]).event_bus().is_err());
    }

    #[test]
    fn values_are_parsed_and_none_is_explicit() {
        let env = Env::of([
            (LAKE, "s3://bucket/prefix"),
            (TOPIC_ARN, "arn:aws-cn:sns:cn-north-1:123456789012:runs"),
            (EVENT_BUS, "none"),
        ]);
        assert_eq!(env.lake().map(|lake| lake.to_string()).as_deref(), Ok("s3://bucket/prefix/"));
        assert_eq!(
            env.topic().expect("topic").as_ref().map(TopicArn::as_str),
            Some("arn:aws-cn:sns:cn-north-1:123456789012:runs")
        );
        assert_eq!(env.event_bus(), Ok(None));
    }

    #[test]
    fn openlineage_is_off_unless_it_is_set() {
        let target = |value: Option<&'static str>| Env::of(value.map(|value| (OPENLINEAGE, value))).openlineage();
        assert_eq!((target(None), target(Some("")), target(Some("none"))), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(target(Some("lake")), Ok(Some(Target::Lake)));
        let error = target(Some("kinesis:lineage")).expect_err("no stream");
        assert!(error.to_string().contains("SLUICE_OPENLINEAGE: 'kinesis:lineage': "), "{error}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let shown = format!("{:?}", Env::of([(SECRET_ACCESS_KEY, "hush")]));
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hush"), "{shown}");
    }
}
