//! What an operator decides about clusters, parsed before anything is called.

mod parse;

use std::collections::BTreeMap;

use sluice_core::uri::FolderUri;

pub use parse::{InstanceType, RoleArn, SecurityGroups, SettingError};

/// Release that is taken when none is named: Spark 3.5.6 and Delta Lake 3.3.2.
pub const DEFAULT_RELEASE: &str = "emr-7.13.0";
/// Idle time when none is named. A cluster idles for at most a minute between `ready` and its step.
const DEFAULT_IDLE_TIMEOUT_SECONDS: u64 = 600;
/// Types for the primary instance when none are named: 4 vCPUs, 16 GiB.
const DEFAULT_PRIMARY_TYPES: &str = "m6g.xlarge,m7g.xlarge";
/// Types for core and task instances when none are named: 8 vCPUs, 64 or 32 GiB. Several, because Spot capacity of one
/// type runs out.
const DEFAULT_WORKER_TYPES: &str = "r6g.2xlarge,r7g.2xlarge,m6g.2xlarge,m7g.2xlarge";
/// Capacity when none is named, in vCPUs: two instances of 8 to begin with, sixteen at most.
const DEFAULT_CORE_UNITS: u32 = 8;
const DEFAULT_MIN_UNITS: u32 = 16;
const DEFAULT_MAX_UNITS: u32 = 128;

/// The settings as text, as an environment has them. `None` takes the default, where there is one.
#[derive(Debug, Clone, Copy, Default)]
pub struct SettingsText<'a> {
    /// Release of EMR, such as `emr-7.13.0`, which is the default.
    pub release: Option<&'a str>,
    /// Folder for logs, `s3://bucket/prefix/`.
    pub log_uri: Option<&'a str>,
    /// Private subnets, separated by commas.
    pub subnets: Option<&'a str>,
    /// Name or ARN of the role of EMR itself.
    pub service_role: Option<&'a str>,
    /// Name or ARN of the profile of the instances.
    pub instance_profile: Option<&'a str>,
    /// Name of the security configuration.
    pub security_configuration: Option<&'a str>,
    /// Types for the primary instance, separated by commas.
    pub primary_types: Option<&'a str>,
    /// Types for core and task instances, separated by commas.
    pub worker_types: Option<&'a str>,
    /// vCPUs of the core fleet, which is On-Demand: they run the application masters and hold what is shuffled.
    pub core_units: Option<&'a str>,
    /// Least vCPUs of core and task together.
    pub min_units: Option<&'a str>,
    /// Most vCPUs of core and task together.
    pub max_units: Option<&'a str>,
    /// Idle seconds after which EMR ends a cluster by itself.
    pub idle_timeout_seconds: Option<&'a str>,
    /// Steps at once.
    pub step_concurrency: Option<&'a str>,
    /// Tags for the bill, `key=value` separated by commas.
    pub tags: Option<&'a str>,
    /// Security groups `primary,core,service-access`, when EMR's own are not used.
    pub security_groups: Option<&'a str>,
}

/// What clusters are like. Every part was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    release: String,
    log_uri: FolderUri,
    subnets: Vec<String>,
    service_role: String,
    instance_profile: String,
    security_configuration: String,
    primary_types: Vec<InstanceType>,
    worker_types: Vec<InstanceType>,
    capacity: Capacity,
    idle_timeout_seconds: u64,
    step_concurrency: u32,
    tags: BTreeMap<String, String>,
    security_groups: Option<SecurityGroups>,
}

/// How many vCPUs a cluster has for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    core_units: u32,
    min_units: u32,
    max_units: u32,
}

impl ClusterSettings {
    /// Parses the settings.
    ///
    /// # Errors
    /// [`SettingError`] naming the first setting that is missing or makes no sense.
    pub fn parse(text: &SettingsText<'_>) -> Result<Self, SettingError> {
        let release = text.release.unwrap_or(DEFAULT_RELEASE);
        Ok(Self {
            release: parse::release("release", release)?,
            log_uri: parse::log_uri("log_uri", parse::required("log_uri", text.log_uri)?)?,
            subnets: parse::subnets("subnets", parse::required("subnets", text.subnets)?)?,
            service_role: parse::iam_name("service_role", parse::required("service_role", text.service_role)?)?,
            instance_profile: parse::iam_name(
                "instance_profile",
                parse::required("instance_profile", text.instance_profile)?,
            )?,
            security_configuration: parse::security_configuration(
                "security_configuration",
                parse::required("security_configuration", text.security_configuration)?,
            )?,
            primary_types: parse::types("primary_types", text.primary_types.unwrap_or(DEFAULT_PRIMARY_TYPES))?,
            worker_types: parse::types("worker_types", text.worker_types.unwrap_or(DEFAULT_WORKER_TYPES))?,
            capacity: Capacity::parse(text)?,
            idle_timeout_seconds: parse::number(
                "idle_timeout_seconds",
                text.idle_timeout_seconds,
                DEFAULT_IDLE_TIMEOUT_SECONDS,
                60..=604_800,
            )?,
            step_concurrency: parse::number("step_concurrency", text.step_concurrency, 1, 1..=256)?,
            tags: text.tags.map_or(Ok(BTreeMap::new()), |tags| parse::tags("tags", tags))?,
            security_groups: text.security_groups.map(|text| parse::groups("security_groups", text)).transpose()?,
        })
    }

    /// Release of EMR.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Folder for logs.
    pub fn log_uri(&self) -> &FolderUri {
        &self.log_uri
    }

    /// Subnets, at least one.
    pub fn subnets(&self) -> &[String] {
        &self.subnets
    }

    /// Role of EMR itself.
    pub fn service_role(&self) -> &str {
        &self.service_role
    }

    /// Profile of the instances.
    pub fn instance_profile(&self) -> &str {
        &self.instance_profile
    }

    /// Name of the security configuration.
    pub fn security_configuration(&self) -> &str {
        &self.security_configuration
    }

    /// Types for the primary instance.
    pub fn primary_types(&self) -> &[InstanceType] {
        &self.primary_types
    }

    /// Types for core and task instances.
    pub fn worker_types(&self) -> &[InstanceType] {
        &self.worker_types
    }

    /// How many vCPUs there are for work.
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Idle seconds after which EMR ends a cluster by itself, 60 to 604800.
    pub fn idle_timeout_seconds(&self) -> u64 {
        self.idle_timeout_seconds
    }

    /// Steps at once, 1 to 256.
    pub fn step_concurrency(&self) -> u32 {
        self.step_concurrency
    }

    /// Tags for the bill.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    /// Security groups; `None` for EMR's own.
    pub fn security_groups(&self) -> Option<&SecurityGroups> {
        self.security_groups.as_ref()
    }
}

impl Capacity {
    fn parse(text: &SettingsText<'_>) -> Result<Self, SettingError> {
        // 4000 vCPUs are more than the plans this engine is chosen for need; a typo must not rent a data centre.
        let units = |setting, value, default| parse::number(setting, value, default, 2..=4000);
        let core_units = units("core_units", text.core_units, DEFAULT_CORE_UNITS)?;
        let min_units = units("min_units", text.min_units, DEFAULT_MIN_UNITS)?;
        let max_units = units("max_units", text.max_units, DEFAULT_MAX_UNITS)?;
        if min_units <= core_units {
            let reason = format!(
                "{min_units} is not more than core_units, {core_units}: the rest is the task fleet, which cannot be empty"
            );
            return Err(SettingError { setting: "min_units", reason });
        }
        if max_units < min_units {
            let reason = format!("{max_units} is less than min_units, {min_units}");
            return Err(SettingError { setting: "max_units", reason });
        }
        Ok(Self { core_units, min_units, max_units })
    }

    /// vCPUs of the core fleet, which is On-Demand.
    pub fn core_units(self) -> u32 {
        self.core_units
    }

    /// vCPUs of the task fleet, from the Spot market, to begin with; at least 1.
    pub fn task_units(self) -> u32 {
        self.min_units.saturating_sub(self.core_units)
    }

    /// Least vCPUs of core and task together.
    pub fn min_units(self) -> u32 {
        self.min_units
    }

    /// Most vCPUs of core and task together.
    pub fn max_units(self) -> u32 {
        self.max_units
    }
}

#[cfg(test)]
mod tests;
