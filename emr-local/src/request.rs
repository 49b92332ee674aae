//! Requests as the API defines them. A field that EMR knows and this server ignores is accepted if it only describes
//! machines; every other unknown field is refused, so that nothing is silently ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::cluster::ClusterPlan;
use crate::error::ApiError;
use crate::step::StepConfig;

/// Fields of `RunJobFlow` that EMR knows.
const CLUSTER_FIELDS: [&str; 34] = [
    "Name",
    "LogUri",
    "LogEncryptionKmsKeyId",
    "AdditionalInfo",
    "AmiVersion",
    "ReleaseLabel",
    "Instances",
    "Steps",
    "BootstrapActions",
    "SupportedProducts",
    "NewSupportedProducts",
    "Applications",
    "Configurations",
    "VisibleToAllUsers",
    "JobFlowRole",
    "ServiceRole",
    "Tags",
    "SecurityConfiguration",
    "AutoScalingRole",
    "ScaleDownBehavior",
    "CustomAmiId",
    "EbsRootVolumeSize",
    "RepoUpgradeOnBoot",
    "KerberosAttributes",
    "StepConcurrencyLevel",
    "ManagedScalingPolicy",
    "PlacementGroupConfigs",
    "AutoTerminationPolicy",
    "OSReleaseLabel",
    "EbsRootVolumeIops",
    "EbsRootVolumeThroughput",
    "ExtendedSupport",
    "MonitoringConfiguration",
    "StepExecutionRoleArn",
];
/// Fields of its `Instances` that EMR knows.
const INSTANCES_FIELDS: [&str; 18] = [
    "MasterInstanceType",
    "SlaveInstanceType",
    "InstanceCount",
    "InstanceGroups",
    "InstanceFleets",
    "Ec2KeyName",
    "Placement",
    "KeepJobFlowAliveWhenNoSteps",
    "TerminationProtected",
    "UnhealthyNodeReplacement",
    "HadoopVersion",
    "Ec2SubnetId",
    "Ec2SubnetIds",
    "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup",
    "AdditionalMasterSecurityGroups",
    "AdditionalSlaveSecurityGroups",
];
/// Idle timeouts that EMR accepts.
const IDLE_TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 60..=604_800;
/// Maximum number of waiting or running steps of a cluster.
pub(crate) const MAX_ACTIVE_STEPS: usize = 256;
/// Maximum number of tags of a cluster.
const MAX_TAGS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ListClusters {
    pub(crate) created_after: Option<f64>,
    pub(crate) created_before: Option<f64>,
    #[serde(default)]
    pub(crate) cluster_states: Vec<String>,
    pub(crate) marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OneCluster {
    pub(crate) cluster_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct AddJobFlowSteps {
    pub(crate) job_flow_id: String,
    pub(crate) steps: Vec<StepConfig>,
    #[serde(rename = "ExecutionRoleArn")]
    _execution_role: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ListSteps {
    pub(crate) cluster_id: String,
    #[serde(default)]
    pub(crate) step_states: Vec<String>,
    #[serde(default)]
    pub(crate) step_ids: Vec<String>,
    pub(crate) marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OneStep {
    pub(crate) cluster_id: String,
    pub(crate) step_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CancelSteps {
    pub(crate) cluster_id: String,
    pub(crate) step_ids: Vec<String>,
    /// Interrupt or kill: this server always kills programs.
    #[serde(rename = "StepCancellationOption")]
    _option: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TerminateJobFlows {
    pub(crate) job_flow_ids: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct AddTags {
    pub(crate) resource_id: String,
    tags: Vec<Tag>,
}

impl AddTags {
    pub(crate) fn into_tags(self) -> Result<BTreeMap<String, String>, ApiError> {
        tags(self.tags)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RemoveTags {
    pub(crate) resource_id: String,
    pub(crate) tag_keys: Vec<String>,
}

/// A cluster to create, and its first steps.
#[derive(Debug)]
pub(crate) struct RunJobFlow {
    pub(crate) cluster: ClusterPlan,
    pub(crate) steps: Vec<StepConfig>,
}

impl RunJobFlow {
    pub(crate) fn read(request: Value) -> Result<Self, ApiError> {
        let Value::Object(request) = request else {
            return Err(ApiError::serialization("the body is not a JSON object"));
        };
        only_known(&request, &CLUSTER_FIELDS, "")?;
        let empty = Map::new();
        let instances = request.get("Instances").and_then(Value::as_object).unwrap_or(&empty);
        only_known(instances, &INSTANCES_FIELDS, "Instances.")?;
        for name in ["Name", "ReleaseLabel"] {
            if request.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(ApiError::validation(format!("Missing required header or field: {name}")));
            }
        }
        if !["InstanceGroups", "InstanceFleets", "InstanceCount"].iter().any(|name| instances.contains_key(*name)) {
            return Err(ApiError::validation("The cluster must have a master instance group or fleet"));
        }
        let release = text(&request, "ReleaseLabel");
        if !release.starts_with("emr-") {
            return Err(ApiError::validation(format!("The supplied release label is invalid: {release}.")));
        }
        for role in ["ServiceRole", "JobFlowRole"] {
            if text(&request, role).is_empty() {
                return Err(ApiError::validation(format!("{role} is required for creating cluster.")));
            }
        }
        let idle_timeout_seconds =
            request.get("AutoTerminationPolicy").and_then(|policy| policy.get("IdleTimeout")).and_then(Value::as_u64);
        if idle_timeout_seconds.is_some_and(|seconds| !IDLE_TIMEOUT_SECONDS.contains(&seconds)) {
            return Err(ApiError::validation("AutoTerminationPolicy: IdleTimeout must be from 60 to 604800 seconds"));
        }
        let concurrency = request.get("StepConcurrencyLevel").map_or(Some(1), Value::as_u64);
        let Some(concurrency) = concurrency.and_then(|level| usize::try_from(level).ok()).filter(is_concurrency) else {
            return Err(ApiError::validation("StepConcurrencyLevel must be from 1 to 256"));
        };
        let flag = |name: &str| instances.get(name).and_then(Value::as_bool).unwrap_or(false);
        let (keep_alive, protected) = (flag("KeepJobFlowAliveWhenNoSteps"), flag("TerminationProtected"));
        let steps = request.get("Steps").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let given = request.get("Tags").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let tags = tags(decode(given)?)?;
        let name = text(&request, "Name").to_owned();
        let cluster = ClusterPlan { name, request, tags, keep_alive, protected, concurrency, idle_timeout_seconds };
        let run = Self { cluster, steps: decode(steps)? };
        check_actions(&run.steps, concurrency)?;
        Ok(run)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape of a filter")]
fn is_concurrency(level: &usize) -> bool {
    (1..=256).contains(level)
}

/// With several steps at once, no step may end the cluster of the others.
pub(crate) fn check_actions(steps: &[StepConfig], concurrency: usize) -> Result<(), ApiError> {
    if concurrency > 1 && steps.iter().any(|step| step.action_on_failure.ends_the_cluster()) {
        return Err(ApiError::validation(
            "Steps with ActionOnFailure TERMINATE_CLUSTER are not allowed when StepConcurrencyLevel is greater than 1",
        ));
    }
    Ok(())
}

/// Reads the request of an operation.
pub(crate) fn decode<T: DeserializeOwned>(request: Value) -> Result<T, ApiError> {
    serde_json::from_value(request).map_err(|error| ApiError::validation(error.to_string()))
}

fn text<'r>(request: &'r Map<String, Value>, name: &str) -> &'r str {
    request.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn tags(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, ApiError> {
    if tags.len() > MAX_TAGS {
        return Err(ApiError::invalid_request("A cluster may have at most 50 tags"));
    }
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

fn only_known(given: &Map<String, Value>, known: &[&str], prefix: &str) -> Result<(), ApiError> {
    match given.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(ApiError::validation(format!("Unknown field: {prefix}{name}"))),
        None => Ok(()),
    }
}
