//! The datasets of a run with their facets.

use super::columns::{computed, delivered, schema};
use super::dataset_facets::{
    DatasetFacets, DatasetOwnership, InputFacets, InputStatistics, OutputFacets, OutputStatistics, Owner, Storage,
    Version,
};
use super::facet::Facet;
use super::facts::{LineagePlan, RunFacts};
use super::model::{Dataset, InputDataset, OutputDataset};
use super::names;
use crate::columns::StoredColumn;
use crate::lineage::{self, Lineage};
use crate::name::TableRef;
use crate::pipeline::{Pipeline, Source};
use crate::run::{CommittedTable, ReadFrom, TableChange};
use crate::uri::{FolderUri, LakePath};

/// The tables and folders of a run whose pipeline is known.
pub(super) struct Datasets<'a> {
    lake: &'a FolderUri,
    facts: RunFacts<'a>,
    plan: &'a LineagePlan,
    pub(super) pipeline: &'a Pipeline,
    lineage: Lineage,
}

impl<'a> Datasets<'a> {
    pub(super) fn of(lake: &'a FolderUri, facts: RunFacts<'a>) -> Option<Self> {
        let plan = facts.plan?;
        let pipeline = plan.pipeline.as_ref()?;
        Some(Self { lake, facts, plan, pipeline, lineage: lineage::of(std::slice::from_ref(pipeline)) })
    }

    /// What the run staged for a table.
    pub(super) fn change(&self, table: &TableRef) -> Option<&'a TableChange> {
        self.facts.changeset?.tables.iter().find(|change| &change.table == table)
    }

    /// What the run committed to a table, in any of its attempts.
    pub(super) fn committed(&self, table: &TableRef) -> Option<&'a CommittedTable> {
        self.facts.report.committed.iter().find(|committed| &committed.table == table)
    }

    /// The folder that files of a source arrive in, with how much of it the run read.
    pub(super) fn landing(&self, source: &Source) -> InputDataset {
        let is_of_source = self.plan.objects.iter().filter(|planned| planned.source == source.name);
        let read: Vec<u64> = is_of_source
            .filter(|planned| planned.read_from == ReadFrom::Landing)
            .map(|planned| planned.object.size_bytes)
            .collect();
        let statistics = InputStatistics {
            row_count: self.change(&source.bronze).map(|change| change.rows.source),
            size: read.iter().sum(),
            file_count: read.len(),
        };
        let input_facets = InputFacets { input_statistics: Some(Facet::of(statistics)), ..InputFacets::default() };
        InputDataset { dataset: self.landing_folder(source), input_facets }
    }

    fn landing_folder(&self, source: &Source) -> Dataset {
        let named = source.name.as_ref().and_then(|name| name.as_str().parse::<LakePath>().ok());
        let folder = match (&self.plan.request.landing, named) {
            (Some(folder), Some(name)) => folder.folder(&name),
            (Some(folder), None) => folder.clone(),
            (None, _) => self.lake.folder(&source.prefix),
        };
        names::dataset(folder.as_url())
    }

    /// A table that is read.
    pub(super) fn input(&self, table: &TableRef) -> InputDataset {
        InputDataset { dataset: self.table(table), input_facets: InputFacets::default() }
    }

    /// A table that the run changed, with what its columns come from.
    pub(super) fn output(&self, table: &TableRef) -> OutputDataset {
        let mut dataset = self.table(table);
        let of_bronze = self.pipeline.sources().find(|source| &source.bronze == table);
        dataset.facets.column_lineage = match of_bronze {
            Some(source) => Some(delivered(&self.landing_folder(source), self.columns(table))),
            None => computed(self.lake, &self.lineage, table),
        };
        let output_statistics = self.output_statistics(table).map(Facet::of);
        OutputDataset { dataset, output_facets: OutputFacets { output_statistics } }
    }

    fn output_statistics(&self, table: &TableRef) -> Option<OutputStatistics> {
        if let Some(change) = self.change(table) {
            return Some(OutputStatistics {
                row_count: change.adds.iter().map(|file| file.rows).sum(),
                size: Some(change.adds.iter().map(|file| file.size_bytes).sum()),
                file_count: change.adds.len() as u64,
            });
        }
        // Of earlier attempts, the plan has the counts alone.
        let earlier = self.plan.earlier.tables.iter().find(|earlier| &earlier.committed.table == table)?;
        let (row_count, file_count) = (earlier.rows.staged, earlier.committed.files_added);
        Some(OutputStatistics { row_count, size: None, file_count })
    }

    /// A table, with what is true of it whether it is read or written.
    pub(super) fn table(&self, table: &TableRef) -> Dataset {
        let columns = self.columns(table);
        let version = self.version(table).map(|version| Version { dataset_version: version.to_string() });
        let owner = Owner { name: format!("domain:{}", table.domain()), owner_type: "OWNER" };
        let facets = DatasetFacets {
            schema: (!columns.is_empty()).then(|| schema(columns, self.pipeline.contract(table))),
            version: version.map(Facet::of),
            storage: Some(Facet::of(Storage { storage_layer: "delta", file_format: "parquet" })),
            ownership: Some(Facet::of(DatasetOwnership { owners: vec![owner] })),
            column_lineage: None,
        };
        Dataset { facets, ..names::table_dataset(self.lake, table) }
    }

    /// The columns after the run, or else those that the plan found.
    fn columns(&self, table: &TableRef) -> &'a [StoredColumn] {
        if let Some(change) = self.change(table) {
            return &change.columns;
        }
        let planned = self.plan.tables.iter().find(|planned| &planned.table == table);
        planned.map(|planned| planned.columns.as_slice()).unwrap_or_default()
    }

    /// The version that the run committed, or else the one that it read.
    fn version(&self, table: &TableRef) -> Option<u64> {
        let planned = || self.plan.tables.iter().find(|planned| &planned.table == table)?.read_version;
        self.committed(table).map(|committed| committed.version).or_else(planned)
    }
}
