//! Clusters of Amazon EMR.

mod convert;
mod local;

use std::error::Error;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_emr::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sluice_cluster::ports::{Cluster, ClusterFault, ClusterId, ClusterQuery, ClusterSummary, Clusters, Step, StepId};
use sluice_cluster::request::{ClusterRequest, StepRequest};
use sluice_cluster::settings::{ClusterSettings, RoleArn, SettingsText};
use sluice_core::error::{ErrorName, StepError, with_sources};

use crate::env::{self, Env, EnvError, Variable};
use crate::fault::name_of;

/// Tries of one call that may be made twice: 3 of at most 10 s, within the 25 s of an operation.
const TRIES: u32 = 3;
/// Most pages of one list: 50 clusters or steps each. Two months of an account with 80 clusters an hour are not searched,
/// because the lists are bounded by state or by the minutes since a launch.
const MAX_PAGES: usize = 40;

/// The clusters of one account and region.
#[derive(Debug, Clone)]
pub struct Emr {
    /// For calls that may be made twice.
    repeating: Client,
    /// For calls that may not: EMR would make a second cluster or step.
    once: Client,
}

impl Emr {
    /// EMR, reached as `config` says. Nothing is called yet.
    pub fn new(config: &SdkConfig) -> Self {
        let client = |retry: RetryConfig| {
            Client::from_conf(aws_sdk_emr::config::Builder::from(config).retry_config(retry).build())
        };
        Self {
            repeating: client(RetryConfig::standard().with_max_attempts(TRIES)),
            once: client(RetryConfig::disabled()),
        }
    }
}

/// What clusters are like, from the environment.
///
/// # Errors
/// `InvalidInput` naming the variable that is missing or makes no sense.
pub fn settings(env: &Env) -> Result<ClusterSettings, StepError> {
    let text = SettingsText {
        release: env.get(env::EMR_RELEASE),
        log_uri: env.get(env::EMR_LOG_URI),
        subnets: env.get(env::EMR_SUBNETS),
        service_role: env.get(env::EMR_SERVICE_ROLE),
        instance_profile: env.get(env::EMR_INSTANCE_PROFILE),
        security_configuration: env.get(env::EMR_SECURITY_CONFIGURATION),
        primary_types: env.get(env::EMR_PRIMARY_TYPES),
        worker_types: env.get(env::EMR_WORKER_TYPES),
        core_units: env.get(env::EMR_CORE_UNITS),
        min_units: env.get(env::EMR_MIN_UNITS),
        max_units: env.get(env::EMR_MAX_UNITS),
        idle_timeout_seconds: env.get(env::EMR_IDLE_TIMEOUT_SECONDS),
        step_concurrency: env.get(env::EMR_STEP_CONCURRENCY),
        tags: env.get(env::EMR_TAGS),
        security_groups: env.get(env::EMR_SECURITY_GROUPS),
    };
    ClusterSettings::parse(&text).map_err(|error| {
        let name = variable_of(error.setting).map_or(error.setting, |variable| variable.name);
        StepError::from(EnvError::Invalid { name, reason: error.reason })
    })
}

/// The variable of a setting: `SLUICE_EMR_` and its name in capitals.
fn variable_of(setting: &str) -> Option<Variable> {
    let name = format!("SLUICE_EMR_{}", setting.to_uppercase());
    env::CATALOGUE.into_iter().find(|variable| variable.name == name)
}

/// The role that steps run as; `None` for that of the instances.
///
/// # Errors
/// `InvalidInput` when it is missing or no ARN of a role.
pub fn step_role(env: &Env) -> Result<Option<RoleArn>, StepError> {
    Ok(env.parse_or_none(env::EMR_STEP_ROLE_ARN)?)
}

impl Clusters for Emr {
    async fn launch(&self, request: &ClusterRequest) -> Result<ClusterId, ClusterFault> {
        let doing = || format!("launch cluster '{}'", request.name);
        let input = convert::cluster(request).map_err(|message| unexpected(doing(), message))?;
        let sent = input.send_with(&self.once).await.map_err(|error| fault(doing(), &error))?;
        let id = sent.job_flow_id.ok_or_else(|| unexpected(doing(), "EMR answers no id"))?;
        Ok(ClusterId::new(id))
    }

    async fn list(&self, query: &ClusterQuery) -> Result<Vec<ClusterSummary>, ClusterFault> {
        let doing = || format!("list clusters '{}…'", query.name_prefix);
        let mut pages = self
            .repeating
            .list_clusters()
            .set_created_after(query.created_after.map(convert::date_time))
            .set_cluster_states(convert::listed_states(query.include_ended))
            .into_paginator()
            .send();
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(page) = pages.next().await else { return Ok(found) };
            for summary in page.map_err(|error| fault(doing(), &error))?.clusters.unwrap_or_default() {
                if summary.name().is_some_and(|name| name.starts_with(&query.name_prefix)) {
                    let summary = convert::summary(summary.id, summary.name, summary.status);
                    found.push(summary.map_err(|message| unexpected(doing(), message))?);
                }
            }
        }
        Err(unexpected(doing(), format!("the list has more than {MAX_PAGES} pages")))
    }

    async fn describe(&self, cluster: &ClusterId) -> Result<Option<Cluster>, ClusterFault> {
        let doing = || format!("describe cluster {cluster}");
        let answer = match self.repeating.describe_cluster().cluster_id(cluster.as_str()).send().await {
            Ok(answer) => answer,
            Err(error) if is_unknown(&error) => return Ok(None),
            Err(error) => return Err(fault(doing(), &error)),
        };
        let cluster = answer.cluster.ok_or_else(|| unexpected(doing(), "EMR answers no cluster"))?;
        convert::described(cluster).map(Some).map_err(|message| unexpected(doing(), message))
    }

    async fn terminate(&self, cluster: &ClusterId) -> Result<(), ClusterFault> {
        let sent = self.repeating.terminate_job_flows().job_flow_ids(cluster.as_str()).send().await;
        sent.map(drop).map_err(|error| fault(format!("terminate cluster {cluster}"), &error))
    }

    async fn add_step(&self, cluster: &ClusterId, request: &StepRequest) -> Result<StepId, ClusterFault> {
        let doing = || format!("add step '{}' to cluster {cluster}", request.name);
        let sent = self
            .once
            .add_job_flow_steps()
            .job_flow_id(cluster.as_str())
            .steps(convert::step(request))
            .set_execution_role_arn(request.role.clone())
            .send()
            .await
            .map_err(|error| fault(doing(), &error))?;
        let id = sent.step_ids.unwrap_or_default().into_iter().next();
        id.map(StepId::new).ok_or_else(|| unexpected(doing(), "EMR answers no id"))
    }

    async fn steps(&self, cluster: &ClusterId) -> Result<Vec<Step>, ClusterFault> {
        let doing = || format!("list the steps of cluster {cluster}");
        let mut pages = self.repeating.list_steps().cluster_id(cluster.as_str()).into_paginator().send();
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(page) = pages.next().await else { return Ok(found) };
            for step in page.map_err(|error| fault(doing(), &error))?.steps.unwrap_or_default() {
                found.push(convert::listed_step(step).map_err(|message| unexpected(doing(), message))?);
            }
        }
        Err(unexpected(doing(), format!("the list has more than {MAX_PAGES} pages")))
    }

    async fn cancel_step(&self, cluster: &ClusterId, step: &StepId) -> Result<(), ClusterFault> {
        // A step that ended since is answered as such in the list of results, not as an error.
        let sent = self.repeating.cancel_steps().cluster_id(cluster.as_str()).step_ids(step.as_str()).send().await;
        sent.map(drop).map_err(|error| fault(format!("cancel step {step} of cluster {cluster}"), &error))
    }
}

fn unexpected(doing: String, message: impl Into<String>) -> ClusterFault {
    ClusterFault::Unexpected { doing, message: message.into() }
}

/// Whether EMR says that there is no such cluster: an invalid request that names the id.
fn is_unknown<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let SdkError::ServiceError(failure) = error else { return false };
    failure.err().code() == Some("InvalidRequestException")
        && failure.err().message().is_some_and(|message| message.contains("is not valid"))
}

/// The SDK's error by what the caller does next.
fn fault<E>(doing: String, error: &SdkError<E, HttpResponse>) -> ClusterFault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let name = name_of(error);
    let SdkError::ServiceError(failure) = error else {
        return fault_of(name, doing, with_sources(error));
    };
    let code = failure.err().code().unwrap_or_default();
    let message = match failure.err().message() {
        Some(words) => format!("{code}: {words}"),
        None => format!("{code} (status {})", failure.raw().status().as_u16()),
    };
    match code {
        // No capacity, a quota or a wrong setting: EMR's own words say which.
        "InvalidRequestException" => ClusterFault::Refused { doing, message },
        _ => fault_of(name, doing, message),
    }
}

fn fault_of(name: ErrorName, doing: String, message: String) -> ClusterFault {
    match name {
        ErrorName::Throttled => ClusterFault::Throttled { doing, message },
        ErrorName::Unavailable => ClusterFault::Unavailable { doing, message },
        ErrorName::AccessDenied => ClusterFault::Denied { doing, message },
        ErrorName::InvalidInput | ErrorName::NotFound => ClusterFault::Refused { doing, message },
        _ => ClusterFault::Unexpected { doing, message },
    }
}

#[cfg(test)]
mod tests;
