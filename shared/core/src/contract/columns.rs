//! From the properties of a schema object to columns, keys and the rules that their declarations make.

use std::collections::BTreeSet;

use super::column_type;
use super::document::Property;
use super::error::{Problems, Refusal, refuse};
use super::literal::Literal;
use super::model::{Column, ColumnType, RowCheck};
use super::nested;
use super::options;
use super::rules::Rules;
use crate::name::ColumnName;
use crate::uri::layout::MAX_FOLDER_BYTES;

/// What the folders of all partition columns take in an address, of the 1024 bytes that S3 allows for a key: 120 for the
/// table, 120 for the file's name, and 180 for the lake's own prefix are left.
const FOLDERS_BYTES: usize = 600;
/// What a folder always has. A name of a column is 64 bytes at most.
const LEAST_FOLDER_BYTES: usize = 80;

/// Most bytes that a value takes in the name of a partition's folder, `<column>=<value>`, by the number of partition
/// columns.
fn value_bytes(column: &ColumnName, partition_columns: usize) -> u64 {
    let folder = (FOLDERS_BYTES / partition_columns.max(1)).clamp(LEAST_FOLDER_BYTES, MAX_FOLDER_BYTES);
    folder.saturating_sub(column.as_str().len() + 1) as u64
}

/// Compiles every property that has no problem; the others are noted.
pub(super) fn compile(properties: &[Property], rules: &mut Rules, problems: &mut Problems) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    let partition_columns = properties.iter().filter(|property| property.partitioned).count();
    for property in properties {
        let place = format!("column `{}`", property.name);
        if columns.iter().any(|column| column.name.as_str() == property.name) {
            problems.note(&place, "is declared twice");
            continue;
        }
        refuse_parts(property, &place, problems);
        if let Some(column) = problems.take(&place, column(property, partition_columns, rules)) {
            columns.push(column);
        }
    }
    if properties.is_empty() {
        problems.note("schema", "has no properties: a table needs at least one column");
    }
    columns
}

/// Notes the parts of a property that are not executed.
fn refuse_parts(property: &Property, place: &str, problems: &mut Problems) {
    if let Some(physical) = property.physical_name.as_deref().filter(|physical| *physical != property.name) {
        let message = format!("physicalName `{physical}` is not executed: a column is stored under its name");
        problems.note(place, message);
    }
    if let Some(semantic) = property.semantic_type.as_deref().filter(|semantic| *semantic != "column") {
        problems.note(place, format!("semanticType {semantic} is not executed: only stored columns are"));
    }
    if !property.relationships.is_empty() {
        problems.note(place, "relationships are not executed yet");
    }
}

fn column(property: &Property, partition_columns: usize, rules: &mut Rules) -> Result<Column, Refusal> {
    let name: ColumnName = match property.name.parse() {
        Ok(name) => name,
        Err(error) => refuse!("{error}"),
    };
    let declared = column_type::resolve(property)?;
    if declared.column_type.is_nested() {
        return nested::column(property, name, declared.column_type, rules);
    }
    let options = options::read(property, &declared)?;
    let column_type = declared.column_type;
    let allowed = allowed_values(property, &column_type, options.format.default_timezone.as_deref())?;
    let required = property.required || property.primary_key;
    if column_type != ColumnType::Text {
        rules.add_declared(&name, "readable", RowCheck::Readable);
    }
    if required {
        rules.add_declared(&name, "required", RowCheck::Required);
    }
    match (property.partitioned, &column_type) {
        // Delta has no empty partition value: readers would take it for null.
        (true, ColumnType::Text) => {
            rules.add_declared(&name, "partition_value", RowCheck::MinLength { characters: 1 });
            let max_bytes = value_bytes(&name, partition_columns);
            rules.add_declared(&name, "partition_folder", RowCheck::FolderName { max_bytes });
        }
        (true, ColumnType::Timestamp | ColumnType::Double | ColumnType::Decimal { .. }) => {
            refuse!("partitioned is not executed for {column_type}; partition by a text, date, integer or boolean")
        }
        _ => {}
    }
    for (kind, check) in options.checks {
        rules.add_declared(&name, kind, check);
    }
    if let Some(values) = allowed {
        rules.add_declared(&name, "enum", RowCheck::OneOf { values });
    }
    if property.unique {
        rules.add_key(&format!("{name}.unique"), vec![name.clone()]);
    }
    Ok(Column {
        name,
        column_type,
        format: options.format,
        required,
        description: property.description.clone(),
        classification: property.classification.clone(),
    })
}

/// The values of `enum` in canonical form.
fn allowed_values(
    property: &Property,
    column_type: &ColumnType,
    zone: Option<&str>,
) -> Result<Option<Vec<String>>, Refusal> {
    if property.allowed.is_empty() {
        return Ok(None);
    }
    let mut values: Vec<String> = Vec::new();
    for allowed in &property.allowed {
        let value = match Literal::read(&allowed.value, column_type, zone) {
            Ok(literal) => literal.canonical(column_type),
            Err(Refusal(message)) => refuse!("enum: {message}"),
        };
        if values.contains(&value) {
            refuse!("enum: the value {value} is listed twice");
        }
        values.push(value);
    }
    Ok(Some(values))
}

/// A role that orders columns: key or partition.
pub(super) struct Role {
    /// The flag's name in the standard.
    pub flag: &'static str,
    /// The position's name in the standard.
    pub position: &'static str,
    /// Reads both from a property.
    pub read: fn(&Property) -> (bool, Option<i64>),
}

/// The primary key.
pub(super) const PRIMARY_KEY: Role = Role {
    flag: "primaryKey",
    position: "primaryKeyPosition",
    read: |property| (property.primary_key, property.primary_key_position),
};

/// The partition columns.
pub(super) const PARTITION: Role = Role {
    flag: "partitioned",
    position: "partitionKeyPosition",
    read: |property| (property.partitioned, property.partition_key_position),
};

/// The columns of a role: by position, which must be given on all of them or on none (document order).
pub(super) fn ordered(properties: &[Property], role: &Role, problems: &mut Problems) -> Vec<ColumnName> {
    let mut found: Vec<(Option<i64>, ColumnName)> = Vec::new();
    let mut positions = BTreeSet::new();
    for property in properties {
        let (flagged, position) = (role.read)(property);
        // -1 is the standard's way to write "no position".
        let position = position.filter(|position| *position != -1);
        let place = format!("column `{}`", property.name);
        if let Some(position) = position {
            if !flagged {
                problems.note(&place, format!("has {} {position} but {} is not true", role.position, role.flag));
            } else if position < 1 || !positions.insert(position) {
                problems.note(&place, format!("{} {position} must be 1 or more and used once", role.position));
            }
        }
        if let (true, Ok(name)) = (flagged, property.name.parse()) {
            found.push((position, name));
        }
    }
    let placed = found.iter().filter(|(position, _)| position.is_some()).count();
    if placed > 0 && placed < found.len() {
        problems.note("schema", format!("{} is given on some {} columns but not on all", role.position, role.flag));
    }
    found.sort_by_key(|(position, _)| *position);
    found.into_iter().map(|(_, name)| name).collect()
}
