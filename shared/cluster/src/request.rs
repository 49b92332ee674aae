//! The whole of what EMR is asked for, as data: no call, no clock, no environment.

use std::collections::BTreeMap;

use serde::Serialize;
use sluice_core::run::RunRef;
use sluice_core::uri::{FolderUri, layout};
use sluice_spark::SESSION_SETTINGS;

use crate::settings::{ClusterSettings, InstanceType, RoleArn, SecurityGroups};

/// What the names of all clusters of Sluice begin with.
pub const NAME_PREFIX: &str = "sluice/";

/// How long Spot capacity is waited for before On-Demand instances are taken. The least that EMR allows is 5.
const SPOT_TIMEOUT_MINUTES: u32 = 10;
/// Most that a Spot instance may cost, in percent of its On-Demand price.
const SPOT_PRICE_PERCENT: u32 = 100;
/// The cheapest of the available types. It is named, although it is the default, because EMR takes 30 types of a
/// fleet with a strategy and 5 without.
const ON_DEMAND_STRATEGY: &str = "lowest-price";
/// Longest value of a tag, in characters.
const MAX_TAG_CHARS: usize = 256;

/// Name of the cluster of an attempt: `sluice/<pipeline>/<run id>/<attempt>`, at most 146 characters; EMR takes 256.
pub fn cluster_name(run: &RunRef) -> String {
    format!("{NAME_PREFIX}{}/{}/{}", run.pipeline, run.run_id, run.attempt)
}

/// Name of the step of an attempt.
pub fn step_name(run: &RunRef) -> String {
    format!("sluice-etl/{}/{}", run.run_id, run.attempt)
}

/// The attempt that a cluster of this name is for; `None` for names that Sluice does not give.
pub fn attempt_of_name(name: &str) -> Option<RunRef> {
    let mut parts = name.strip_prefix(NAME_PREFIX)?.split('/');
    let (Some(pipeline), Some(run_id), Some(attempt), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    Some(RunRef { pipeline: pipeline.parse().ok()?, run_id: run_id.parse().ok()?, attempt: attempt.parse().ok()? })
}

/// The tags that say whose a cluster is. The lake is one of them, because two lakes may have runs of the same name.
pub fn identity_tags(lake: &FolderUri, run: &RunRef) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("sluice:lake".to_owned(), tag_value(&lake.to_string())),
        ("sluice:pipeline".to_owned(), run.pipeline.to_string()),
        ("sluice:run".to_owned(), run.run_id.to_string()),
        ("sluice:attempt".to_owned(), run.attempt.to_string()),
    ])
}

/// A text as the value of a tag: other characters than AWS takes become `_`, and the end counts when it is too long.
fn tag_value(text: &str) -> String {
    let allowed = |c: char| if c.is_alphanumeric() || " +-=._:/@".contains(c) { c } else { '_' };
    let surplus = text.chars().count().saturating_sub(MAX_TAG_CHARS);
    text.chars().skip(surplus).map(allowed).collect()
}

/// Seconds that double from `first` with every poll, up to `max`.
pub(crate) fn doubling_seconds(first: u64, max: u64, poll: u32) -> u64 {
    1_u64.checked_shl(poll).and_then(|factor| first.checked_mul(factor)).unwrap_or(max).min(max)
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterRequest {
    /// Name.
    pub name: String,
    /// Release of EMR.
    pub release: String,
    /// Folder for logs.
    pub log_uri: String,
    /// Applications.
    pub applications: Vec<&'static str>,
    /// Settings of the applications.
    pub configurations: Vec<Configuration>,
    /// Role of EMR itself.
    pub service_role: String,
    /// Profile of the instances.
    pub instance_profile: String,
    /// Security configuration: encryption on disk (EBS) and on the way, IMDSv2, runtime roles.
    pub security_configuration: String,
    /// Subnets; EMR takes the one with the best capacity.
    pub subnets: Vec<String>,
    /// Security groups, when EMR's own are not used.
    pub security_groups: Option<SecurityGroups>,
    /// Instances: primary, core and task.
    pub fleets: Vec<Fleet>,
    /// How far core and task grow and shrink.
    pub scaling: Scaling,
    /// After how many idle seconds EMR ends the cluster by itself.
    pub idle_timeout_seconds: u64,
    /// Steps at once.
    pub step_concurrency: u32,
    /// Whether the cluster lives on when it has no step: it gets its step after it is ready.
    pub keep_alive: bool,
    /// Whether the cluster refuses to be terminated.
    pub termination_protected: bool,
    /// Whether others in the account see it, as far as their rights go.
    pub visible_to_all_users: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// Settings of one application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Configuration {
    /// Which, as EMR names it.
    pub classification: &'static str,
    /// The settings.
    pub properties: BTreeMap<String, String>,
}

/// What the instances of a fleet do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetRole {
    /// Runs the cluster.
    Primary,
    /// Run the application masters, compute, and hold what is shuffled.
    Core,
    /// Only compute; may go at any time.
    Task,
}

/// A group of instances. Capacity is counted in vCPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fleet {
    /// What they do.
    pub role: FleetRole,
    /// Capacity that is paid in full, in units.
    pub on_demand_units: u32,
    /// Capacity from the Spot market, in units.
    pub spot_units: u32,
    /// Types to choose from.
    pub types: Vec<FleetType>,
    /// Which type is taken On-Demand.
    pub on_demand_strategy: &'static str,
    /// How Spot capacity is had; `None` for fleets without any.
    pub spot: Option<Spot>,
}

/// One type of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FleetType {
    /// Type, such as `m6g.xlarge`.
    pub instance_type: String,
    /// Capacity of one instance, in units.
    pub weight_units: u32,
    /// Most that it may cost on the Spot market, in percent of its On-Demand price; `None` in fleets without Spot.
    pub spot_price_percent: Option<u32>,
}

/// How Spot capacity is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// How long it is waited for.
    pub timeout_minutes: u32,
    /// What happens then.
    pub timeout_action: &'static str,
    /// Which pools it is taken from.
    pub allocation_strategy: &'static str,
}

/// The bounds of managed scaling, in units of the fleets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Scaling {
    /// Least capacity of core and task.
    pub min_units: u32,
    /// Most capacity of core and task.
    pub max_units: u32,
    /// Most capacity of core.
    pub max_core_units: u32,
    /// Most capacity that growth takes On-Demand.
    pub max_on_demand_units: u32,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRequest {
    /// Name.
    pub name: String,
    /// Program that EMR has on every cluster to run commands.
    pub jar: &'static str,
    /// The command.
    pub arguments: Vec<String>,
    /// What becomes of the cluster when the step fails.
    pub action_on_failure: &'static str,
    /// Role that the step runs as, when it is not the one of the instances.
    pub role: Option<String>,
}

/// The cluster of an attempt in the lake at `lake`.
///
/// It has no key pair, so nobody logs in. Its volumes are encrypted by the security configuration. It ends by terminate;
/// the idle timeout is what is left when even the sweep fails.
pub fn cluster_request(settings: &ClusterSettings, lake: &FolderUri, run: &RunRef) -> ClusterRequest {
    let mut tags = settings.tags().clone();
    tags.extend(identity_tags(lake, run));
    // EMR's managed policies allow its service role nothing without this tag.
    tags.insert("for-use-with-amazon-emr-managed-policies".to_owned(), "true".to_owned());
    let capacity = settings.capacity();
    ClusterRequest {
        name: cluster_name(run),
        release: settings.release().to_owned(),
        log_uri: settings.log_uri().to_string(),
        applications: vec!["Spark"],
        configurations: configurations(),
        service_role: settings.service_role().to_owned(),
        instance_profile: settings.instance_profile().to_owned(),
        security_configuration: settings.security_configuration().to_owned(),
        subnets: settings.subnets().to_vec(),
        security_groups: settings.security_groups().cloned(),
        fleets: vec![
            primary(settings.primary_types()),
            core(capacity.core_units(), settings.worker_types()),
            task(capacity.task_units(), settings.worker_types()),
        ],
        scaling: Scaling {
            min_units: capacity.min_units(),
            max_units: capacity.max_units(),
            max_core_units: capacity.core_units(),
            // The core fleet, and what the first minutes could not get from the Spot market; growth after that is Spot.
            max_on_demand_units: capacity.min_units(),
        },
        idle_timeout_seconds: settings.idle_timeout_seconds(),
        step_concurrency: settings.step_concurrency(),
        keep_alive: true,
        termination_protected: false,
        visible_to_all_users: true,
        tags,
    }
}

/// The step that executes the script of an attempt.
pub fn step_request(lake: &FolderUri, run: &RunRef, role: Option<&RoleArn>) -> StepRequest {
    let mut arguments = vec!["spark-sql".to_owned()];
    for (key, value) in SESSION_SETTINGS {
        arguments.extend(["--conf".to_owned(), format!("{key}={value}")]);
    }
    arguments.extend(["-f".to_owned(), lake.object(&layout::script(run)).hadoop_path()]);
    StepRequest {
        name: step_name(run),
        jar: "command-runner.jar",
        arguments,
        // The cluster stays so that its logs can be read, and terminate ends it.
        action_on_failure: "CONTINUE",
        role: role.map(|role| role.as_str().to_owned()),
    }
}

fn configurations() -> Vec<Configuration> {
    let properties = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut spark: BTreeMap<String, String> = properties(SESSION_SETTINGS);
    spark.extend([
        // Executors come and go with the instances that managed scaling adds and removes.
        ("spark.dynamicAllocation.enabled".to_owned(), "true".to_owned()),
        // A Spot instance that is taken away hands over what it shuffled.
        ("spark.decommission.enabled".to_owned(), "true".to_owned()),
        ("spark.storage.decommission.shuffleBlocks.enabled".to_owned(), "true".to_owned()),
    ]);
    vec![
        // Puts the Delta jars of the release on Spark's class path.
        Configuration { classification: "delta-defaults", properties: properties(&[("delta.enabled", "true")]) },
        Configuration { classification: "spark-defaults", properties: spark },
        // An application dies with its master. EMR labels the nodes of the core fleet, which are On-Demand, and since
        // release 6.0 starts masters there only when it is configured to.
        Configuration {
            classification: "yarn-site",
            properties: properties(&[
                ("yarn.node-labels.enabled", "true"),
                ("yarn.node-labels.am.default-node-label-expression", "CORE"),
            ]),
        },
    ]
}

/// One instance; without it the cluster is lost, so it is not from the Spot market.
fn primary(types: &[InstanceType]) -> Fleet {
    on_demand(FleetRole::Primary, 1, types, |_| 1)
}

/// The least that a cluster computes with. What it holds, the application masters and the shuffle, must not go away.
fn core(units: u32, types: &[InstanceType]) -> Fleet {
    on_demand(FleetRole::Core, units, types, InstanceType::vcpus)
}

fn on_demand(role: FleetRole, units: u32, types: &[InstanceType], weight_units: fn(&InstanceType) -> u32) -> Fleet {
    let fleet_type = |each: &InstanceType| FleetType {
        instance_type: each.as_str().to_owned(),
        weight_units: weight_units(each),
        spot_price_percent: None,
    };
    Fleet {
        role,
        on_demand_units: units,
        spot_units: 0,
        types: types.iter().map(fleet_type).collect(),
        on_demand_strategy: ON_DEMAND_STRATEGY,
        spot: None,
    }
}

/// Everything else is from the Spot market: what is lost is computed again.
fn task(units: u32, types: &[InstanceType]) -> Fleet {
    let fleet_type = |each: &InstanceType| FleetType {
        instance_type: each.as_str().to_owned(),
        weight_units: each.vcpus(),
        spot_price_percent: Some(SPOT_PRICE_PERCENT),
    };
    Fleet {
        role: FleetRole::Task,
        on_demand_units: 0,
        spot_units: units,
        types: types.iter().map(fleet_type).collect(),
        on_demand_strategy: ON_DEMAND_STRATEGY,
        spot: Some(Spot {
            timeout_minutes: SPOT_TIMEOUT_MINUTES,
            timeout_action: "SWITCH_TO_ON_DEMAND",
            allocation_strategy: "price-capacity-optimized",
        }),
    }
}

#[cfg(test)]
mod tests;
