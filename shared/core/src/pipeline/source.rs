//! Sources of a pipeline: where files arrive, what they are, and the raw table that keeps their rows.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Pipeline;
use crate::files::FileSelection;
use crate::name::{Layer, SourceName, TableRef};
use crate::path::RecordPath;
use crate::spec::{ArchiveSpec, ColumnCase, CsvSpec, FixedWidthSpec, SourceFormat, XlsxSpec};
use crate::uri::LakePath;

/// A source ready to be read. The keys of its JSON are those of earlier versions, whose pipelines had one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name, where the spec writes `sources`; `None` where it writes `source`.
    #[serde(rename = "source", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<SourceName>,
    /// Folder below the lake's root where files arrive.
    #[serde(rename = "source_prefix")]
    pub prefix: LakePath,
    /// Format of the files.
    #[serde(rename = "source_format")]
    pub format: SourceFormat,
    /// Whether case counts in the names of source columns that silver tables read.
    #[serde(default, skip_serializing_if = "ColumnCase::is_default")]
    pub column_case: ColumnCase,
    /// How CSV files are written.
    pub csv: CsvSpec,
    /// Which cells of XLSX workbooks are the table; `None` for the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xlsx: Option<XlsxSpec>,
    /// The columns of files of fixed width, which have no others; `None` for other formats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_width: Option<FixedWidthSpec>,
    /// Where the records of a JSON document or an NDJSON line are; `None` where it is the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordPath>,
    /// Which members of objects that are archives are read; `None` where archives are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveSpec>,
    /// Which files of the folder are taken.
    #[serde(default, skip_serializing_if = "FileSelection::is_default")]
    pub files: FileSelection,
    /// The raw table.
    pub bronze: TableRef,
}

impl Pipeline {
    /// Its sources, in the order of their names; at least one.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.source).chain(&self.other_sources)
    }

    /// Whether the spec names its sources, so that a request for a folder means a folder for each of them.
    pub fn has_named_sources(&self) -> bool {
        self.source.name.is_some()
    }

    /// The pipeline of one source: the silver tables that read it, and neither gold nor inputs, which belong to all
    /// sources. Where the pipeline has one source, it is the pipeline itself; so it is for a name that it does not have.
    /// Whoever reads objects of a source asks this pipeline for its format, its bronze table and its source columns.
    pub fn of_source(&self, name: Option<&SourceName>) -> Cow<'_, Self> {
        if self.other_sources.is_empty() {
            return Cow::Borrowed(self);
        }
        let Some(source) = self.sources().find(|source| source.name.as_ref() == name) else {
            return Cow::Borrowed(self);
        };
        let silver = self.silver.iter().filter(|silver| silver.source.as_ref() == name);
        Cow::Owned(Self {
            name: self.name.clone(),
            domain: self.domain.clone(),
            source: source.clone(),
            other_sources: Vec::new(),
            alerts: self.alerts.clone(),
            inputs: Vec::new(),
            silver: silver.cloned().collect(),
            gold: Vec::new(),
            held_objects_below: self.held_objects_below,
            engine: self.engine,
            lambda_limits: self.lambda_limits,
            parts: self.parts,
        })
    }

    /// The pipeline of the source with this raw table, as [`Self::of_source`]: in plans of earlier runs, the source may
    /// have another name.
    pub fn of_bronze(&self, bronze: &TableRef) -> Cow<'_, Self> {
        let source = self.sources().find(|source| &source.bronze == bronze);
        self.of_source(source.and_then(|source| source.name.as_ref()))
    }

    /// The source whose rows come to this table: a bronze table, a silver table, or one next to it. `None` for tables that
    /// no source brings rows to by itself, such as gold.
    pub fn source_of(&self, table: &TableRef) -> Option<&Source> {
        match table.layer() {
            Layer::Bronze => self.sources().find(|source| &source.bronze == table),
            Layer::Silver | Layer::Quarantine | Layer::Deletes => {
                let is_next_to = |of: &TableRef| of.domain() == table.domain() && of.table() == table.table();
                let silver = self.silver.iter().find(|silver| is_next_to(&silver.table))?;
                self.sources().find(|source| source.name == silver.source)
            }
            Layer::Gold => None,
        }
    }

    /// The place of a source among those of the pipeline. Objects of a run are in the order of their sources.
    pub fn place_of(&self, name: Option<&SourceName>) -> usize {
        self.sources().position(|source| source.name.as_ref() == name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::evolution::changes_of_meaning;
    use crate::spec::PipelineSpec;

    const SEVERAL: &str = "pipeline: p
domain: d
sources:
  orders: { prefix: landing/p/orders, format: csv, bronze: orders_raw }
  products: { prefix: landing/p/products, format: json, bronze: products_raw }
silver:
  - { table: a, source: orders, contract: a.yaml, columns: { x: X }, mode: append }
  - { table: b, source: products, contract: b.yaml, columns: { x: x }, mode: replace }
";

    fn pipeline(spec: &str) -> Pipeline {
        let contract = |name: &str| {
            format!(
                "apiVersion: v3.2.0\nkind: DataContract\nid: {name}\nversion: 1.0.0\nstatus: active\nschema:\n  \
                 - name: {name}\n    properties: [{{name: x, logicalType: string}}]\n"
            )
        };
        let contracts: BTreeMap<LakePath, String> =
            ["a", "b"].into_iter().map(|name| (format!("{name}.yaml").parse().unwrap(), contract(name))).collect();
        let spec = PipelineSpec::parse(spec, "pipeline.yaml").unwrap();
        Pipeline::resolve_untyped(&spec, &contracts).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn the_pipeline_of_a_source_has_its_silver_tables_and_source_columns_alone() {
        let all = pipeline(SEVERAL);
        let check = |name: &str, bronze: &str, silver: &str, column: &str| {
            let of_source = all.of_source(Some(&name.parse().unwrap()));
            assert_eq!(of_source.source.bronze.to_string(), bronze);
            let tables: Vec<String> = of_source.silver.iter().map(|table| table.table.to_string()).collect();
            assert_eq!(tables, [silver]);
            assert_eq!(of_source.mapped_sources().collect::<Vec<_>>(), [column]);
            assert_eq!(of_source.sources().count(), 1);
        };
        check("orders", "bronze/d/orders_raw", "silver/d/a", "X");
        check("products", "bronze/d/products_raw", "silver/d/b", "x");
    }

    #[test]
    fn a_source_is_known_by_its_raw_table_whatever_its_name() {
        let renamed = SEVERAL.replace("orders:", "sales:").replace("orders,", "sales,");
        let (before, now) = (pipeline(SEVERAL), pipeline(&renamed));
        let bronze: TableRef = "bronze/d/orders_raw".parse().unwrap();
        assert_eq!(now.of_bronze(&bronze).source.name.as_ref().map(SourceName::as_str), Some("sales"));
        assert_eq!(now.of_bronze(&bronze).silver.len(), 1);
        assert!(changes_of_meaning(&before, &now).is_empty());
        let one = "source: { prefix: landing/p/orders, format: csv }\nbronze: { table: orders_raw }\n";
        let silver = "silver:\n  - { table: a, contract: a.yaml, columns: { x: X }, mode: append }\n";
        let one = pipeline(&format!("pipeline: p\ndomain: d\n{one}{silver}"));
        assert!(changes_of_meaning(&one, &before).is_empty(), "the only source got a name");
        let other = pipeline(&SEVERAL.replace("bronze: orders_raw", "bronze: other_raw"));
        let changes = changes_of_meaning(&one, &other);
        let says = "came from `bronze/d/orders_raw` at the last run, and come from `bronze/d/other_raw` now";
        assert!(changes.len() == 1 && changes[0].1.contains(says), "{changes:?}");
    }

    #[test]
    fn a_table_next_to_a_silver_table_belongs_to_the_source_of_it() {
        let all = pipeline(SEVERAL);
        let check = |table: &str, expected: Option<&str>| {
            let found = all.source_of(&table.parse().unwrap()).and_then(|source| source.name.as_ref());
            assert_eq!(found.map(SourceName::as_str), expected, "{table}");
        };
        check("bronze/d/products_raw", Some("products"));
        check("silver/d/a", Some("orders"));
        check("quarantine/d/b", Some("products"));
        check("silver/d/unknown", None);
        check("gold/d/a", None);
    }

    #[test]
    fn a_pipeline_with_one_source_is_written_as_versions_wrote_it_that_knew_no_other() {
        let one = pipeline(
            "pipeline: p\ndomain: d\nsource: { prefix: landing/p, format: csv }\nbronze: { table: raw }\nsilver:\n  \
             - { table: a, contract: a.yaml, columns: { x: X }, mode: append }\n",
        );
        let written = serde_json::to_value(&one).unwrap();
        let keys: BTreeSet<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        let of_earlier: BTreeSet<&str> =
            "name domain source_prefix source_format csv bronze silver gold engine lambda_limits parts"
                .split(' ')
                .collect();
        assert_eq!(keys, of_earlier);
        assert!(written["silver"][0].get("source").is_none());
        assert_eq!(serde_json::from_value::<Pipeline>(written).unwrap(), one);
        let several = pipeline(SEVERAL);
        let written = serde_json::to_string(&several).unwrap();
        assert_eq!(serde_json::from_str::<Pipeline>(&written).unwrap(), several);
    }
}
