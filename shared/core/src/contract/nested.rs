//! Lists and objects: `logicalType` array with `items`, and object with `properties`.
//!
//! A value inside is named by its place behind the column's name: `[]` is each element of a list, `.name` a value of an
//! object, so that `[].price` are the prices of a list of objects. Values inside have a type, a format and `required`.
//! Everything else that a property can say is for columns, and is refused here by name.

use super::column_type;
use super::document::Property;
use super::error::{Problems, Refusal, refuse};
use super::model::{Column, ColumnType, Metric, ObjectField, PartFormat, RowCheck, TextFormat};
use super::options;
use super::rules::{RuleText, Rules};
use crate::name::ColumnName;

/// Lists and objects inside each other, the column's own included. Each level is one more scan of the text; what is
/// nested deeper is rather a table of its own.
const MAX_DEPTH: usize = 5;
/// Longest name of a value inside an object, in bytes: that of a column.
const MAX_FIELD_BYTES: usize = 64;

/// The type of a list or an object.
pub(super) fn column_type(property: &Property) -> Result<ColumnType, Refusal> {
    typed(property, "", 1)
}

fn typed(property: &Property, place: &str, depth: usize) -> Result<ColumnType, Refusal> {
    let Some(logical @ ("array" | "object")) = property.logical_type.as_deref() else {
        return leaf(property, place);
    };
    if depth > MAX_DEPTH {
        refuse!("{}more than {MAX_DEPTH} lists and objects are inside each other; store some of it as text", at(place));
    }
    if let Some(physical) = &property.physical_type {
        refuse!(
            "{}logicalType {logical} has its type from what is inside, and has physicalType {physical}, too; take \
             physicalType out",
            at(place)
        );
    }
    let is_list = logical == "array";
    match (is_list, &property.items, property.properties.as_slice()) {
        (true, Some(items), []) => {
            let items = typed(items, &format!("{place}[]"), depth + 1)?;
            Ok(ColumnType::Array(Box::new(items)))
        }
        (true, None, _) => refuse!("{}logicalType array has no items; say with items what its elements are", at(place)),
        (true, Some(_), _) => {
            refuse!("{}logicalType array has properties; write them under items, with logicalType object", at(place))
        }
        (false, Some(_), _) => refuse!("{}logicalType object has items, which are of array; take them out", at(place)),
        (false, None, []) => {
            refuse!("{}logicalType object has no properties; name the values that are stored", at(place))
        }
        (false, None, properties) => fields(properties, place, depth),
    }
}

fn fields(properties: &[Property], place: &str, depth: usize) -> Result<ColumnType, Refusal> {
    let mut fields: Vec<ObjectField> = Vec::with_capacity(properties.len());
    for property in properties {
        let name = &property.name;
        if !is_field_name(name) {
            refuse!(
                "{}`{name}` cannot be the name of a value of an object; write 1 to {MAX_FIELD_BYTES} letters, digits \
                 and _, beginning with a letter or _",
                at(place)
            );
        }
        if fields.iter().any(|known| known.name.eq_ignore_ascii_case(name)) {
            refuse!("{}`{name}` is declared twice (engines take no notice of case); take one out", at(place));
        }
        let column_type = typed(property, &format!("{place}.{name}"), depth + 1)?;
        fields.push(ObjectField { name: name.clone(), column_type });
    }
    Ok(ColumnType::Object(fields))
}

fn is_field_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.len() <= MAX_FIELD_BYTES
        && name.starts_with(is_first)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn leaf(property: &Property, place: &str) -> Result<ColumnType, Refusal> {
    match column_type::resolve(property) {
        Ok(declared) if declared.max_length.is_some() || declared.range.is_some() => {
            refuse!(
                "{}limits of values inside lists and objects are not executed; write a type without, such as string",
                at(place)
            )
        }
        Ok(declared) => Ok(declared.column_type),
        Err(Refusal(message)) => refuse!("{}{message}", at(place)),
    }
}

/// The column of a list or an object, with the rules of its values.
pub(super) fn column(
    property: &Property,
    name: ColumnName,
    column_type: ColumnType,
    rules: &mut Rules,
) -> Result<Column, Refusal> {
    refuse_roles(property, "", &column_type)?;
    if property.partitioned {
        refuse!("partitioned is not executed for {column_type}; partition by a text, date, integer or boolean");
    }
    rules.add_declared(&name, "readable", RowCheck::Readable);
    if property.required {
        rules.add_declared(&name, "required", RowCheck::Required);
    }
    let mut inside = Vec::new();
    collect(property, "", &mut inside);
    let mut format = TextFormat::default();
    for (place, part) in inside {
        let read = part_format(part, &place)?;
        let mut add = |kind: &str, check| {
            rules.add_row(&format!("{name}{place}.{kind}"), Some(&name), check, &RuleText::default());
        };
        add("readable", RowCheck::PartReadable { place: place.clone() });
        if read.required {
            add("required", RowCheck::PartRequired { place: place.clone() });
        }
        format.parts.insert(place, read);
    }
    Ok(Column {
        name,
        column_type,
        format,
        required: property.required,
        description: property.description.clone(),
        classification: property.classification.clone(),
    })
}

/// Every value inside, with its place, in the order of the document.
fn collect<'p>(property: &'p Property, place: &str, inside: &mut Vec<(String, &'p Property)>) {
    let items = property.items.iter().map(|items| (format!("{place}[]"), &**items));
    let fields = property.properties.iter().map(|field| (format!("{place}.{}", field.name), field));
    for (place, part) in items.chain(fields) {
        inside.push((place.clone(), part));
        collect(part, &place, inside);
    }
}

/// How a value inside is read.
fn part_format(part: &Property, place: &str) -> Result<PartFormat, Refusal> {
    let declared = match column_type::resolve(part) {
        Ok(declared) => declared,
        Err(Refusal(message)) => refuse!("{}{message}", at(place)),
    };
    refuse_roles(part, place, &declared.column_type)?;
    let column_only = [
        ("partitioned", part.partitioned),
        ("quality", !part.quality.is_empty()),
        ("relationships", !part.relationships.is_empty()),
        ("physicalName", part.physical_name.as_ref().is_some_and(|physical| *physical != part.name)),
    ];
    if let Some((key, _)) = column_only.into_iter().find(|(_, is_given)| *is_given) {
        refuse!("{}{key} is not executed inside lists and objects; take it out", at(place));
    }
    if part.classification.is_some() {
        refuse!(
            "{}classification is not executed inside lists and objects, which are masked as a whole; write it at the \
             column",
            at(place)
        );
    }
    let options = match options::read(part, &declared) {
        Ok(options) => options,
        Err(Refusal(message)) => refuse!("{}{message}", at(place)),
    };
    if let Some((kind, _)) = options.checks.first() {
        refuse!(
            "{}the limit {kind} is not executed inside lists and objects; read the value into a column of its own, by \
             a path under silver[].columns",
            at(place)
        );
    }
    Ok(PartFormat {
        strftime: options.format.strftime,
        default_timezone: options.format.default_timezone,
        required: part.required,
    })
}

/// Refuses what needs values that can be put in order, or have one text.
fn refuse_roles(property: &Property, place: &str, column_type: &ColumnType) -> Result<(), Refusal> {
    let roles = [
        ("primaryKey", property.primary_key),
        ("unique", property.unique),
        ("enum", !property.allowed.is_empty()),
        ("logicalTypeOptions", column_type.is_nested() && !property.logical_type_options.is_empty()),
    ];
    match roles.into_iter().find(|(_, is_given)| *is_given) {
        Some((key, _)) => refuse!(
            "{}{key} is not executed for lists and objects and what is inside them; take it out, or read the value \
             into a column of its own, by a path under silver[].columns",
            at(place)
        ),
        None => Ok(()),
    }
}

/// The beginning of a message about what is at a place; nothing about the column itself.
fn at(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!("inside, at `{place}`: ") }
}

/// Notes keys of rules that have a list or an object.
pub(super) fn check_keys(columns: &[Column], rules: &Rules, problems: &mut Problems) {
    for rule in &rules.dataset {
        let Metric::DuplicateValues { columns: keys } = &rule.metric else { continue };
        let nested = columns.iter().find(|column| column.column_type.is_nested() && keys.contains(&column.name));
        if let Some(column) = nested {
            let message =
                format!("rule `{}` compares lists and objects, which cannot be keys; take the column out", rule.id);
            problems.note(&format!("column `{}`", column.name), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Contract;

    /// The contract of a table with one column `c`.
    fn contract(column: &str) -> String {
        format!(
            "{{apiVersion: v3.2.0, kind: DataContract, id: t, version: 1.0.0, status: active, schema: [{{name: t, \
             properties: [{{name: id, logicalType: string}}, {{name: c, {column}}}]}}]}}"
        )
    }

    const LINES: &str = "logicalType: array, items: {logicalType: object, required: true, properties: [\
        {name: sku, logicalType: string, required: true}, \
        {name: price, logicalType: number, physicalType: 'DECIMAL(9,2)'}, \
        {name: days, logicalType: array, items: {logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}}]}";

    #[test]
    fn a_list_of_objects_has_a_type_a_format_and_rules_by_place() {
        let table = Contract::parse(&contract(LINES), "t").and_then(|read| read.table(None)).expect("contract");
        let column = table.column("c").expect("column");
        let name = "ARRAY<STRUCT<sku: STRING, price: DECIMAL(9,2), days: ARRAY<DATE>>>";
        assert_eq!(column.column_type.to_string(), name);
        let format = column.format.parts.get("[].days[]").expect("format");
        assert_eq!(format.strftime.as_deref(), Some("%d.%m.%Y"));
        let rules: Vec<&str> = table.row_rules.iter().map(|rule| rule.id.as_str()).collect();
        let expected = [
            "c.readable",
            "c[].readable",
            "c[].required",
            "c[].sku.readable",
            "c[].sku.required",
            "c[].price.readable",
            "c[].days.readable",
            "c[].days[].readable",
        ];
        assert_eq!(rules, expected);
    }

    #[test]
    fn what_cannot_work_inside_or_around_is_refused_by_name() {
        let check = |column: &str, expected: &str| {
            let error = Contract::parse(&contract(column), "t").and_then(|read| read.table(None)).expect_err(column);
            let shown = format!("{:?}", error.problems());
            assert!(shown.contains(expected), "{column}: {shown}");
        };
        let mut deep = "{logicalType: string}".to_owned();
        for _ in 0..5 {
            deep = format!("{{logicalType: array, items: {deep}}}");
        }
        check(&format!("logicalType: array, items: {deep}"), "more than 5 lists and objects");
        check("logicalType: array", "has no items");
        check("logicalType: object", "has no properties");
        check("logicalType: array, primaryKey: true, items: {logicalType: string}", "primaryKey is not executed");
        check("logicalType: array, unique: true, items: {logicalType: string}", "unique is not executed");
        check("logicalType: array, partitioned: true, items: {logicalType: string}", "partitioned is not executed");
        check("logicalType: array, items: {logicalType: string, unique: true}", "at `[]`: unique is not executed");
        check("logicalType: array, items: {logicalType: time}", "at `[]`: logicalType time");
        check("logicalType: array, items: {logicalType: string, physicalType: VARCHAR(5)}", "at `[]`: limits of");
        check(
            "logicalType: array, items: {logicalType: integer, logicalTypeOptions: {minimum: 1}}",
            "at `[]`: the limit minimum is not executed",
        );
        check(
            "logicalType: object, properties: [{name: a, logicalType: string, classification: restricted}]",
            "at `.a`: classification is not executed",
        );
        check("logicalType: object, properties: [{name: a b, logicalType: string}]", "cannot be the name of a value");
        check(
            "logicalType: object, properties: [{name: a, logicalType: string}, {name: A, logicalType: string}]",
            "declared twice",
        );
        check(
            "logicalType: array, items: {logicalType: string}, quality: [{metric: duplicateValues, mustBe: 0}]",
            "metric duplicateValues is not executed",
        );
    }
}
