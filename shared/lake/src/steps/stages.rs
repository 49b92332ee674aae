//! Landing objects on their way to the stages of bronze and silver: all those of a run, or those of one part of it.

use std::collections::BTreeSet;

use polars::prelude::{Column, DataFrame, DataType};
use sluice_core::name::TableRef;
use sluice_core::pipeline::{MappedNames, Pipeline, SilverTable};
use sluice_core::run::{FoundRange, Plan, PlannedObject};
use sluice_core::source::SourceObject;
use sluice_core::spec::{ColumnCase, SourceFormat};
use tokio::runtime::Handle;

use super::blame::is_refusal;
use super::ranges::{LandingRange, ReadRanges};
use super::refused::{Refusals, RunKeys};
use crate::engine::{BronzeStage, Missing, SilverStage, scratch_copy, source_columns};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{ObjectBytes, VersionCheck};
use crate::overlap::{both, overlapped};
use crate::source::{Extent, SourceBatch, SourceError, SourceInput, SourceOptions, check_workbook_size, read_source};

/// The stages that rows from objects go to.
pub(super) struct Stages<'a> {
    pub(super) bronze: BronzeStage,
    pub(super) silver: Vec<SilverStage<'a>>,
}

/// What was read of landing objects.
pub(super) struct Landed<'s, 'a> {
    pub(super) stages: Stages<'s>,
    pub(super) keys: RunKeys<'a>,
    /// Where the records were found, where a range of an object was read.
    pub(super) found: Option<FoundRange>,
}

/// What was read of one of them.
struct LandedObject {
    /// The keys of its records, where the format is one of JSON and it has a good record.
    keys: Option<Vec<String>>,
    found: Option<FoundRange>,
}

/// The landing objects of a plan.
pub(super) struct Landing<'a> {
    pub(super) lake: &'a Lake,
    pub(super) plan: &'a Plan,
    names: MappedNames<'a>,
    columns: Vec<&'a String>,
    /// Optional columns that only objects have which the run holds.
    of_held: Vec<&'a String>,
}

impl<'a> Landing<'a> {
    pub(super) fn new(lake: &'a Lake, plan: &'a Plan) -> Self {
        let names = MappedNames::of(&plan.pipeline);
        let shapes = plan.landing().filter_map(|planned| planned.shape.as_ref());
        let mut met = BTreeSet::new();
        let columns: Vec<&String> =
            shapes.flat_map(|shape| &shape.columns).filter(|column| met.insert(*column)).collect();
        // Without a header or footer, nothing lacks a column of it.
        let of_held = if columns.is_empty() {
            Vec::new()
        } else {
            let of_held = mapped_columns(&names, &plan.held_columns);
            let optional = optional_columns(&plan.pipeline);
            optional.filter(|source| of_held.contains(*source) && met.insert(*source)).collect()
        };
        Self { lake, plan, names, columns, of_held }
    }

    /// The columns that headers and footers have, each once, in the order of the objects. An object without a record
    /// brings them all the same, and whoever reads a part has the same names for them as whoever reads another. So do
    /// the optional columns that only held objects have: bronze has them from then on, and rows that lack them have
    /// null whichever run reads them again.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'a String> {
        self.columns.iter().chain(&self.of_held).copied()
    }

    /// The mapped columns that no header or footer of the run has.
    pub(super) fn missing_columns(&self) -> BTreeSet<String> {
        if self.columns.is_empty() {
            return BTreeSet::new();
        }
        let has: BTreeSet<&str> = self.columns.iter().map(|column| self.names.mapped(column)).collect();
        self.plan.pipeline.mapped_sources().filter(|source| !has.contains(source.as_str())).cloned().collect()
    }

    /// The mapped columns that records may lack. Of JSON, a key that this record lacks may come with the next one. A
    /// header or footer may lack an optional column that bronze has or gets: `bronze` is the stage that it comes to.
    fn may_lack(&self, bronze: &BronzeStage) -> BTreeSet<&'a String> {
        let pipeline = &self.plan.pipeline;
        match pipeline.source.format {
            SourceFormat::Ndjson | SourceFormat::Json | SourceFormat::Avro | SourceFormat::Xml => {
                pipeline.mapped_sources().collect()
            }
            SourceFormat::Csv | SourceFormat::Parquet | SourceFormat::Xlsx | SourceFormat::FixedWidth => {
                let known = mapped_columns(&self.names, &bronze.source_columns());
                optional_columns(pipeline).filter(|source| known.contains(*source)).collect()
            }
        }
    }

    /// The keys that are known before an object is read.
    pub(super) fn keys(&self, bronze: &BronzeStage) -> RunKeys<'a> {
        let known = bronze.source_columns();
        let known = known.iter().chain(&self.plan.held_columns);
        RunKeys::new(&self.plan.pipeline, known.map(|name| self.names.mapped(name).to_owned()).collect())
    }

    /// Reads objects to their end. One that is refused does not keep the others from being examined: it takes the
    /// stages with it, and those after it get stages of their own, so that its rows count for no other object. That
    /// costs what a run without a fault costs. Of the only object of a `range`, those records are read that begin in
    /// it.
    ///
    /// # Errors
    /// Faults for which no object is to blame, and those of a range whose begin is a guess: read from where its first
    /// record does begin, it may have none.
    pub(super) fn read<'s>(
        &self,
        objects: impl Iterator<Item = &'a PlannedObject>,
        range: Option<LandingRange<'_>>,
        begin: impl Fn() -> Result<Stages<'s>, LakeError>,
        refusals: &mut Refusals<'_>,
    ) -> Result<Landed<'s, 'a>, LakeError> {
        let stages = begin()?;
        let mut landed = Landed { keys: self.keys(&stages.bronze), stages, found: None };
        let may_lack = self.may_lack(&landed.stages.bronze);
        let is_guess = range.is_some_and(|range| range.is_guess());
        for planned in objects {
            let mut columns = range.and_then(|range| range.before).map(ReadRanges::keys).unwrap_or_default();
            columns.extend(planned.shape.iter().flat_map(|shape| shape.columns.iter().cloned()));
            match self.read_object(planned, range, &may_lack, &mut landed.stages, &mut columns) {
                Ok(LandedObject { keys, found }) => {
                    landed.found = found;
                    if let Some(keys) = keys {
                        landed.keys.take(&planned.object, keys);
                    }
                }
                Err(error) if is_refusal(&error) && !is_guess => {
                    refusals.hold([&planned.object], &columns, &error)?;
                    landed.stages = begin()?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(landed)
    }

    /// Reads an object, or a range of it, into the stages, and notes the columns that its rows have. They are null in
    /// columns that they lack and `may_lack`.
    fn read_object(
        &self,
        planned: &PlannedObject,
        range: Option<LandingRange<'_>>,
        may_lack: &BTreeSet<&String>,
        stages: &mut Stages<'_>,
        columns: &mut BTreeSet<String>,
    ) -> Result<LandedObject, LakeError> {
        let object = &planned.object;
        if let Some(found) = range.and_then(|range| range.without_records(object)) {
            return Ok(LandedObject { keys: None, found: Some(found) });
        }
        let pipeline = &self.plan.pipeline;
        let Stages { bronze, silver } = stages;
        let missing = missing_from(self.plan, object);
        let extent = match range {
            Some(range) => range.extent(pipeline, planned)?,
            None => Extent::whole(planned.positions),
        };
        let (input, check, _scratch) = self.open(object, range.map(|_| extent.stream_begin()))?;
        let (format, options, name) = (pipeline.source.format, SourceOptions::of(pipeline), object.uri.as_str());
        // The next batch is read while this one is staged.
        let outcome: Result<_, LakeError> = overlapped(
            |put| read_source(format, &options, input, name, extent, &mut |batch| Ok(put(batch)?)),
            |batch: SourceBatch| {
                refuse_other_case(&self.names, object, &batch)?;
                let met = source_columns(&batch.frame);
                bronze.announce(&met);
                columns.extend(met);
                self.lake.progress().add(batch.frame.height());
                let rows = bronze.rows(object, batch)?;
                let mapped = match pipeline.source.column_case {
                    _ if format.has_documents() => as_bronze_or_mapped(&rows, &self.names, bronze)?,
                    ColumnCase::Exact => rows.clone(),
                    ColumnCase::Ignore => as_mapped(&rows, &self.names)?,
                };
                // Each of them waits at times for its largest column, and leaves cores to the other.
                both(
                    || bronze.push(&rows),
                    || push_all(silver, &missing, &with_absent(&mapped, pipeline, |source| may_lack.contains(source))?),
                )
            },
        );
        // What was read may be torn because the object was replaced meanwhile: then that is the fault.
        check.finish()?;
        let summary = outcome?;
        let found = summary.found.filter(|_| range.is_some());
        if range.is_some() && found.is_none() {
            let message = format!("the reader of '{name}' does not say where the records of a byte range are");
            return Err(LakeError::Internal { message });
        }
        let keys = (format.has_documents() && summary.rows > summary.corrupt_rows).then_some(summary.columns);
        Ok(LandedObject { keys, found })
    }

    /// Opens an object; from this byte on, where a range of it is read.
    fn open(
        &self,
        object: &SourceObject,
        begin: Option<u64>,
    ) -> Result<(SourceInput, VersionCheck, Option<tempfile::TempDir>), LakeError> {
        if self.plan.pipeline.source.format == SourceFormat::Xlsx {
            check_workbook_size(object.uri.as_str(), object.size_bytes)?;
        }
        let options = self.lake.options();
        let bytes = match begin {
            Some(begin) => Handle::current().block_on(ObjectBytes::open_at(object, begin, options))?,
            None => Handle::current().block_on(ObjectBytes::open(object, options))?,
        };
        let (mut reader, check) = bytes.into_parts();
        if !self.plan.pipeline.source.format.is_read_from_file() {
            return Ok((SourceInput::Stream(reader), check, None));
        }
        let (path, scratch) = scratch_copy(&mut reader)?;
        Ok((SourceInput::File(path), check, Some(scratch)))
    }
}

/// Which tables lack the rows of an object, in the order of the silver tables.
pub(super) fn missing_from(plan: &Plan, object: &SourceObject) -> Vec<Missing> {
    let id = object.id();
    let of = |table: &TableRef| plan.table(table).is_some_and(|planned| planned.sources.contains(&id));
    let missing = |table: &SilverTable| Missing {
        silver: of(&table.table),
        quarantine: of(&table.quarantine),
        deletes: table.deletes().is_some_and(|(deletes, _)| of(&deletes)),
    };
    plan.pipeline.silver.iter().map(missing).collect()
}

/// Refuses an object with a column that differs in case alone from one that a silver table reads, where case counts: also
/// where other records have the column as it is read.
fn refuse_other_case(names: &MappedNames<'_>, object: &SourceObject, batch: &SourceBatch) -> Result<(), LakeError> {
    let columns = batch.frame.get_column_names().into_iter().map(|name| name.as_str());
    match names.refused(columns.chain(batch.other_names.iter().map(String::as_str))) {
        None => Ok(()),
        Some((column, mapped)) => Err(LakeError::Source(SourceError::OtherCase {
            object: object.uri.to_string(),
            column: column.to_owned(),
            mapped: mapped.to_owned(),
        })),
    }
}

/// Rows with the source columns under the names that the silver tables read: bronze may have got the column first under
/// a name of another case, and so may an object where case does not count.
pub(super) fn as_mapped(rows: &DataFrame, names: &MappedNames<'_>) -> Result<DataFrame, LakeError> {
    let names: Vec<&str> = rows.get_column_names().into_iter().map(|name| names.mapped(name)).collect();
    let mut renamed = rows.clone();
    renamed.set_column_names(&names).map_err(LakeError::polars("names of source columns"))?;
    Ok(renamed)
}

/// [`as_mapped`], and the other source columns under the names that bronze has for them: records of one object may write
/// a key in several cases, and the name that its reader has met first depends on where the reading began.
fn as_bronze_or_mapped(
    rows: &DataFrame,
    names: &MappedNames<'_>,
    bronze: &BronzeStage,
) -> Result<DataFrame, LakeError> {
    let renamed = |name: &str| {
        let mapped = names.mapped(name);
        if names.has(mapped) { mapped.to_owned() } else { bronze.stored_name(name).to_owned() }
    };
    let columns: Vec<String> = rows.get_column_names().into_iter().map(|name| renamed(name.as_str())).collect();
    let mut renamed = rows.clone();
    renamed.set_column_names(&columns).map_err(LakeError::polars("names of source columns"))?;
    Ok(renamed)
}

/// Those of these columns that silver tables read, under the names that they read.
pub(super) fn mapped_columns<'c>(
    names: &MappedNames<'_>,
    columns: impl IntoIterator<Item = &'c String>,
) -> BTreeSet<String> {
    let mapped = columns.into_iter().map(|name| names.mapped(name));
    mapped.filter(|name| names.has(name)).map(str::to_owned).collect()
}

/// The mapped columns that objects with a header or footer may lack.
fn optional_columns(pipeline: &Pipeline) -> impl Iterator<Item = &String> {
    pipeline.mapped_sources().filter(move |source| pipeline.is_optional_source(source))
}

pub(super) fn push_all(
    silver: &mut [SilverStage<'_>],
    missing: &[Missing],
    frame: &DataFrame,
) -> Result<(), LakeError> {
    for (stage, missing) in silver.iter_mut().zip(missing) {
        if missing.silver || missing.quarantine {
            stage.push(frame, *missing)?;
        }
    }
    Ok(())
}

/// The rows with a null for every mapped column that they lack and may lack.
pub(super) fn with_absent(
    frame: &DataFrame,
    pipeline: &Pipeline,
    may_lack: impl Fn(&String) -> bool,
) -> Result<DataFrame, LakeError> {
    let mut complete = frame.clone();
    for source in pipeline.mapped_sources() {
        if may_lack(source) && complete.column(source).is_err() {
            let absent = Column::full_null(source.as_str().into(), frame.height(), &DataType::String);
            complete.with_column(absent).map_err(LakeError::polars(format!("column {source} that rows lack")))?;
        }
    }
    Ok(complete)
}
