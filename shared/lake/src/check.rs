//! Checks of a pipeline that need the engine: everything that can be planned without data is, before a run.

use std::collections::BTreeMap;

use object_store::ObjectStoreExt;
use polars::prelude::{DataFrame, IntoLazy, LazyFrame};
use sluice_core::columns::{contract_columns, is_provenance, silver_columns};
use sluice_core::contract::TableContract;
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::evolution::{Existing, changes_of_meaning, refusals_of_deletes, refusals_of_gold, refusals_of_silver};
use sluice_core::pipeline::{InputTable, Pipeline};
use sluice_core::run::RunRequest;
use sluice_core::spec::{PipelineSpec, SpecError};
use sluice_core::sql::Predicate;
use sluice_core::uri::layout::{self, SPEC_FILE};
use sluice_core::uri::{FolderUri, LakePath};
use sluice_documents::DocumentStore;

use crate::delta::schema::polars_schema;
use crate::delta::{OpenTable, open_table};
use crate::engine::{EngineError, metrics, plan_projection, sql};
use crate::error::LakeError;
use crate::inspect;
use crate::lake::{Lake, StoreOptions};

/// Reads and resolves the pipeline of a request: from the folder it names, else as deployed in the lake.
///
/// # Errors
/// [`LakeError::NotFound`] without a spec; [`LakeError::Spec`] with every problem found; [`LakeError::Invalid`] when the
/// spec is of another pipeline.
pub async fn load_pipeline(lake: &Lake, request: &RunRequest) -> Result<Pipeline, LakeError> {
    let folder = match &request.spec {
        Some(folder) => folder.clone(),
        None => lake
            .root()
            .object(&layout::pipeline(&request.pipeline))
            .as_str()
            .parse()
            .map_err(|error| LakeError::Invalid { message: format!("pipeline folder: {error}") })?,
    };
    let pipeline = load_folder(&folder, lake.options()).await?;
    if pipeline.name != request.pipeline {
        return Err(LakeError::Invalid {
            message: format!("{folder}{SPEC_FILE} is of pipeline `{}`, not of `{}`", pipeline.name, request.pipeline),
        });
    }
    Ok(pipeline)
}

/// Reads and resolves the pipeline in a folder.
///
/// # Errors
/// As [`load_pipeline`].
pub async fn load_folder(folder: &FolderUri, options: &StoreOptions) -> Result<Pipeline, LakeError> {
    let store = DocumentStore::open(folder, options)?;
    let invalid = |error: sluice_core::uri::UriError| LakeError::Invalid { message: error.to_string() };
    let spec_path: LakePath = SPEC_FILE.parse().map_err(invalid)?;
    let text = read_text(&store, &spec_path)
        .await?
        .ok_or_else(|| LakeError::NotFound { what: format!("there is no {SPEC_FILE} in {folder}") })?;
    let problem = |problem: SpecError| LakeError::Spec { problems: vec![problem] };
    let spec = PipelineSpec::parse(&text, SPEC_FILE).map_err(problem)?;
    let mut contracts = BTreeMap::new();
    for path in spec.contract_paths() {
        if let Some(text) = read_text(&store, path).await? {
            contracts.insert(path.clone(), text);
        }
    }
    sluice_spark::resolve(&spec, &contracts).map_err(|problems| LakeError::Spec { problems })
}

async fn read_text(store: &DocumentStore, path: &LakePath) -> Result<Option<String>, LakeError> {
    let failed = |source| LakeError::Store { doing: "read", location: path.to_string(), source };
    let bytes = match store.objects().get(&store.key(path)?).await {
        Ok(object) => object.bytes().await.map_err(failed)?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let text = String::from_utf8(bytes.to_vec());
    text.map(Some).map_err(|_| LakeError::Invalid { message: format!("{path} is not UTF-8 text") })
}

/// Plans every query of a pipeline on empty tables: unknown columns, wrong types and failing rules show here.
///
/// # Errors
/// [`LakeError::Engine`] for the first table that cannot be executed.
pub fn check_pipeline(pipeline: &Pipeline) -> Result<(), LakeError> {
    for silver in &pipeline.silver {
        let failed = LakeError::engine(&silver.table);
        plan_projection(silver).map_err(&failed)?;
        metrics::check(&silver.contract).map_err(&failed)?;
    }
    for gold in &pipeline.gold {
        let failed = LakeError::engine(&gold.table);
        let inputs =
            gold.named_inputs().map(|(name, input)| Ok::<_, LakeError>((name, empty_input(pipeline, &input)?)));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let mut planned = sql::run(gold.sql.engine_query(), inputs)
            .and_then(|rows| sql::conform(rows, &gold.contract))
            .map_err(&failed)?;
        planned.collect_schema().map_err(|error| failed(EngineError::from(error)))?;
        metrics::check(&gold.contract).map_err(&failed)?;
    }
    Ok(())
}

/// A pipeline compared with the tables that a lake has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Why the next run is refused, each with table and fix. Empty where it goes on.
    pub refusals: Vec<String>,
    /// What the next run goes on with although the spec says something else than at the run before.
    pub changes: Vec<String>,
}

/// Compares a pipeline with the tables that a lake has. Reads logs and the newest plan that can be read, and no rows.
///
/// # Errors
/// Faults of the store; a log that cannot be read is a refusal.
pub async fn compare(lake: &Lake, pipeline: &Pipeline) -> Result<Comparison, LakeError> {
    let mut comparison = Comparison::default();
    for table in pipeline.tables() {
        match open_table(lake, &table, None).await {
            Ok(None) => {}
            Ok(Some(open)) => {
                let refusals = refusals(pipeline, &open)?;
                comparison.refusals.extend(refusals.iter().map(|refusal| format!("table `{table}`: {refusal}")));
            }
            Err(error @ (LakeError::Log { .. } | LakeError::Violation { .. } | LakeError::Unreadable { .. }))
                if !error.name().is_retryable() && error.name() != ErrorName::AccessDenied =>
            {
                comparison.refusals.push(with_sources(&error));
            }
            Err(error) => return Err(error),
        }
    }
    for input in &pipeline.inputs {
        let open = open_table(lake, &input.table, None).await?;
        let fault = input_fault(input, open.as_ref()).map(|fault| format!("gold that reads it waits: {fault}"));
        comparison.changes.extend(fault);
    }
    if let Some(plan) = inspect::newest_ingestion(lake, &pipeline.name).await?.plan {
        let changes = changes_of_meaning(&plan.pipeline, pipeline);
        comparison.changes.extend(changes.iter().map(|(table, change)| format!("table `{table}`: {change}")));
    }
    Ok(comparison)
}

/// Why no gold can be computed from an input as it is in the lake.
pub(crate) fn input_fault(input: &InputTable, open: Option<&OpenTable>) -> Option<String> {
    match open {
        Some(open) => input.fault(open.columns()),
        None => Some(format!("table `{}` does not exist yet; run the pipeline that writes it", input.table)),
    }
}

/// Why a run of the pipeline refuses to write to this table of it.
pub(crate) fn refusals(pipeline: &Pipeline, table: &OpenTable) -> Result<Vec<String>, LakeError> {
    let partition_by = table.partition_by()?;
    let existing = Existing { columns: table.columns(), partition_by: &partition_by };
    let reference = table.reference();
    Ok(match (pipeline.silver_table(reference), pipeline.gold_table(reference)) {
        (Some(silver), _) => refusals_of_silver(silver, existing),
        (None, Some(gold)) => refusals_of_gold(gold, existing),
        (None, None) => match pipeline.deleting_table(reference) {
            Some(silver) => refusals_of_deletes(silver, existing),
            None => Vec::new(),
        },
    })
}

/// Whether a predicate fits the columns of a contract.
///
/// # Errors
/// [`EngineError`] for unknown columns, types that do not go together, and what is neither true nor false.
pub fn check_predicate(predicate: &Predicate, contract: &TableContract) -> Result<(), EngineError> {
    sql::check_predicate(predicate, contract)
}

fn empty_input(pipeline: &Pipeline, table: &sluice_core::name::TableRef) -> Result<LazyFrame, LakeError> {
    let columns = match (pipeline.silver_table(table), pipeline.gold_table(table)) {
        (Some(silver), _) => silver_columns(silver).into_iter().filter(|c| !is_provenance(&c.name)).collect(),
        (None, Some(gold)) => contract_columns(&gold.contract).collect::<Vec<_>>(),
        (None, None) => {
            let input = pipeline.input(table).ok_or_else(|| LakeError::NotFound {
                what: format!("table `{table}` is neither of this pipeline nor one of its inputs"),
            })?;
            contract_columns(&input.contract).collect()
        }
    };
    Ok(DataFrame::empty_with_schema(&polars_schema(&columns)).lazy())
}
