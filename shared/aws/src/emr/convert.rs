//! Our data as the SDK's, and back.

use std::collections::BTreeMap;

use aws_sdk_emr::operation::run_job_flow::builders::RunJobFlowInputBuilder;
use aws_sdk_emr::types::{
    self, ActionOnFailure, Application, AutoTerminationPolicy, ComputeLimits, ComputeLimitsUnitType,
    HadoopJarStepConfig, InstanceFleetConfig, InstanceFleetProvisioningSpecifications, InstanceFleetType,
    InstanceTypeConfig, JobFlowInstancesConfig, ManagedScalingPolicy, OnDemandProvisioningSpecification,
    SpotProvisioningSpecification, StepConfig, Tag,
};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use sluice_cluster::ports::{Cluster, ClusterId, ClusterState, ClusterSummary, Step, StepFailure, StepId, StepState};
use sluice_cluster::request::{ClusterRequest, Configuration, Fleet, FleetRole, FleetType, StepRequest};

/// A number that EMR takes as a signed one.
fn int(number: u32) -> Result<i32, String> {
    i32::try_from(number).map_err(|_| format!("{number} is more than EMR counts"))
}

pub(super) fn cluster(request: &ClusterRequest) -> Result<RunJobFlowInputBuilder, String> {
    let scaling = request.scaling;
    let limits = ComputeLimits::builder()
        .unit_type(ComputeLimitsUnitType::InstanceFleetUnits)
        .minimum_capacity_units(int(scaling.min_units)?)
        .maximum_capacity_units(int(scaling.max_units)?)
        .maximum_core_capacity_units(int(scaling.max_core_units)?)
        .maximum_on_demand_capacity_units(int(scaling.max_on_demand_units)?)
        .build();
    let idle_timeout = i64::try_from(request.idle_timeout_seconds).map_err(|error| error.to_string())?;
    Ok(RunJobFlowInputBuilder::default()
        .name(&request.name)
        .release_label(&request.release)
        .log_uri(&request.log_uri)
        .set_applications(Some(
            request.applications.iter().map(|name| Application::builder().name(*name).build()).collect(),
        ))
        .set_configurations(Some(request.configurations.iter().map(configuration).collect()))
        .service_role(&request.service_role)
        .job_flow_role(&request.instance_profile)
        .security_configuration(&request.security_configuration)
        .instances(instances(request)?)
        .managed_scaling_policy(ManagedScalingPolicy::builder().compute_limits(limits).build())
        .auto_termination_policy(AutoTerminationPolicy::builder().idle_timeout(idle_timeout).build())
        .step_concurrency_level(int(request.step_concurrency)?)
        .visible_to_all_users(request.visible_to_all_users)
        .set_tags(Some(request.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect())))
}

fn configuration(configuration: &Configuration) -> types::Configuration {
    let properties = configuration.properties.clone().into_iter().collect();
    types::Configuration::builder()
        .classification(configuration.classification)
        .set_properties(Some(properties))
        .build()
}

fn instances(request: &ClusterRequest) -> Result<JobFlowInstancesConfig, String> {
    let groups = request.security_groups.as_ref();
    Ok(JobFlowInstancesConfig::builder()
        .set_instance_fleets(Some(request.fleets.iter().map(fleet).collect::<Result<_, _>>()?))
        .set_ec2_subnet_ids(Some(request.subnets.clone()))
        .keep_job_flow_alive_when_no_steps(request.keep_alive)
        .termination_protected(request.termination_protected)
        .set_emr_managed_master_security_group(groups.map(|groups| groups.primary.clone()))
        .set_emr_managed_slave_security_group(groups.map(|groups| groups.core.clone()))
        .set_service_access_security_group(groups.map(|groups| groups.service_access.clone()))
        .build())
}

fn fleet(fleet: &Fleet) -> Result<InstanceFleetConfig, String> {
    let (kind, name) = match fleet.role {
        FleetRole::Primary => (InstanceFleetType::Master, "primary"),
        FleetRole::Core => (InstanceFleetType::Core, "core"),
        FleetRole::Task => (InstanceFleetType::Task, "task"),
    };
    let on_demand =
        OnDemandProvisioningSpecification::builder().allocation_strategy(fleet.on_demand_strategy.into()).build();
    let mut launch = InstanceFleetProvisioningSpecifications::builder().on_demand_specification(on_demand);
    if let Some(spot) = fleet.spot {
        let specification = SpotProvisioningSpecification::builder()
            .timeout_duration_minutes(int(spot.timeout_minutes)?)
            .timeout_action(spot.timeout_action.into())
            .allocation_strategy(spot.allocation_strategy.into())
            .build();
        launch = launch.spot_specification(specification);
    }
    Ok(InstanceFleetConfig::builder()
        .name(name)
        .instance_fleet_type(kind)
        .target_on_demand_capacity(int(fleet.on_demand_units)?)
        .target_spot_capacity(int(fleet.spot_units)?)
        .set_instance_type_configs(Some(fleet.types.iter().map(fleet_type).collect::<Result<_, _>>()?))
        .launch_specifications(launch.build())
        .build())
}

fn fleet_type(fleet_type: &FleetType) -> Result<InstanceTypeConfig, String> {
    Ok(InstanceTypeConfig::builder()
        .instance_type(&fleet_type.instance_type)
        .weighted_capacity(int(fleet_type.weight_units)?)
        .set_bid_price_as_percentage_of_on_demand_price(fleet_type.spot_price_percent.map(f64::from))
        .build())
}

pub(super) fn step(request: &StepRequest) -> StepConfig {
    let command = HadoopJarStepConfig::builder().jar(request.jar).set_args(Some(request.arguments.clone())).build();
    StepConfig::builder()
        .name(&request.name)
        .action_on_failure(ActionOnFailure::from(request.action_on_failure))
        .hadoop_jar_step(command)
        .build()
}

pub(super) fn date_time(instant: Timestamp) -> DateTime {
    DateTime::from_millis(instant.as_millisecond())
}

/// The states that a list is limited to; `None` for all.
pub(super) fn listed_states(include_ended: bool) -> Option<Vec<types::ClusterState>> {
    let living = || ClusterState::ALL.into_iter().filter(|state| !state.is_over());
    (!include_ended).then(|| living().map(|state| state.as_str().into()).collect())
}

pub(super) fn summary(
    id: Option<String>,
    name: Option<String>,
    status: Option<types::ClusterStatus>,
) -> Result<ClusterSummary, String> {
    let id = id.ok_or("EMR answers a cluster without id")?;
    let missing = |what: &str| format!("EMR answers cluster {id} without {what}");
    let status = status.ok_or_else(|| missing("status"))?;
    let state = status.state.ok_or_else(|| missing("state"))?;
    let created_at = status.timeline.and_then(|timeline| timeline.creation_date_time);
    let created_at = created_at.ok_or_else(|| missing("time of creation"))?;
    let created_at = created_at.to_millis().map_err(|error| error.to_string())?;
    Ok(ClusterSummary {
        name: name.ok_or_else(|| missing("name"))?,
        state: named(ClusterState::ALL, ClusterState::as_str, state.as_str())?,
        created_at: Timestamp::from_millisecond(created_at).map_err(|error| error.to_string())?,
        id: ClusterId::new(id),
    })
}

pub(super) fn described(cluster: types::Cluster) -> Result<Cluster, String> {
    let reason = cluster.status.as_ref().and_then(|status| status.state_change_reason.as_ref()).and_then(|reason| {
        let (code, message) = (reason.code.as_ref().map(|code| code.as_str()), reason.message.as_deref());
        let words: Vec<&str> = [code, message].into_iter().flatten().filter(|part| !part.is_empty()).collect();
        (!words.is_empty()).then(|| words.join(": "))
    });
    let tags: BTreeMap<String, String> = cluster
        .tags
        .unwrap_or_default()
        .into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect();
    Ok(Cluster { summary: summary(cluster.id, cluster.name, cluster.status)?, tags, reason })
}

pub(super) fn listed_step(step: types::StepSummary) -> Result<Step, String> {
    let id = step.id.ok_or("EMR answers a step without id")?;
    let missing = |what: &str| format!("EMR answers step {id} without {what}");
    let status = step.status.ok_or_else(|| missing("status"))?;
    let state = status.state.ok_or_else(|| missing("state"))?;
    let details = status.failure_details;
    let (reason, message, log_file) =
        details.map(|details| (details.reason, details.message, details.log_file)).unwrap_or_default();
    let failure = StepFailure {
        // A cancelled step has no failure, only a reason for its state.
        reason: reason.or_else(|| status.state_change_reason.and_then(|reason| reason.message)),
        message,
        log_file,
    };
    Ok(Step {
        name: step.name.ok_or_else(|| missing("name"))?,
        state: named(StepState::ALL, StepState::as_str, state.as_str())?,
        failure,
        id: StepId::new(id),
    })
}

/// The state of this name.
fn named<T: Copy, const N: usize>(all: [T; N], name_of: fn(T) -> &'static str, name: &str) -> Result<T, String> {
    all.into_iter()
        .find(|state| name_of(*state) == name)
        .ok_or_else(|| format!("EMR answers the unknown state '{name}'"))
}
