//! The schema of a file as a tree of what becomes text, or the first column that has no text form.

use std::ops::Range;

use deltalake::arrow::datatypes::DataType;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::file::metadata::FileMetaData;
use parquet::schema::types::Type;

use super::values::ValueType;

/// Groups in groups that are read: far more than data have.
const MAX_DEPTH: usize = 64;

/// A top-level column.
#[derive(Debug)]
pub(super) struct ColumnType {
    pub(super) name: String,
    /// Number of its first leaf in the file; it has as many as its field.
    pub(super) first_leaf: usize,
    pub(super) field: Field,
}

/// A field of the schema. Its leaves are counted from the first leaf of its top-level column.
#[derive(Debug)]
pub(super) struct Field {
    /// Definition level from which the field is not null.
    pub(super) present: i16,
    pub(super) leaves: Range<usize>,
    pub(super) content: Content,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Content {
    /// A value of its only leaf.
    Value(ValueType),
    /// Fields with their names.
    Fields(Vec<(String, Field)>),
    /// Any number of elements.
    List {
        /// Definition level from which the list has an element; below it, the list is empty.
        filled: i16,
        /// Repetition level of each element but the first.
        repeated: i16,
        element: Box<Field>,
    },
}

impl Field {
    /// Bytes that an entry of each leaf adds to the text of its record, in addition to its value: `around` for the
    /// value itself, and the names and signs of JSON around it.
    pub(super) fn entry_bytes(&self, around: usize) -> Vec<usize> {
        match &self.content {
            Content::Value(_) => vec![around],
            // The name in quotes, a colon, and a bracket or comma.
            Content::Fields(fields) => {
                fields.iter().flat_map(|(name, field)| field.entry_bytes(around + name.len() + 4)).collect()
            }
            Content::List { element, .. } => element.entry_bytes(around + 2),
        }
    }
}

/// A type that has no text form.
#[derive(Debug)]
pub(super) struct NoText {
    /// The column, with the path inside it.
    pub(super) column: String,
    pub(super) data_type: String,
    /// What to do about it.
    pub(super) fix: &'static str,
}

/// The columns of a file.
///
/// # Errors
/// The first type that has no text form.
pub(super) fn columns(metadata: &FileMetaData) -> Result<Vec<ColumnType>, NoText> {
    let mut first_leaf = 0;
    let mut columns = Vec::new();
    for of in metadata.schema_descr().root_schema().get_fields() {
        let mut tree = Tree { path: Vec::new(), leaves: 0 };
        let field = tree.field(of, Levels::default())?;
        columns.push(ColumnType { name: of.name().to_owned(), first_leaf, field });
        first_leaf += tree.leaves;
    }
    refuse_durations(metadata)?;
    Ok(columns)
}

/// Durations are whole numbers to Parquet; only the schema that Arrow's writers add says what they are.
fn refuse_durations(metadata: &FileMetaData) -> Result<(), NoText> {
    // A schema of Arrow that cannot be read has nothing to say; the values are described by Parquet's own.
    let Ok(schema) = parquet_to_arrow_schema(metadata.schema_descr(), metadata.key_value_metadata()) else {
        return Ok(());
    };
    match schema.fields().iter().find(|field| has_durations(field.data_type())) {
        Some(field) => Err(NoText {
            column: field.name().clone(),
            data_type: "a duration".to_owned(),
            fix: "write it as a number, with the unit in its name",
        }),
        None => Ok(()),
    }
}

fn has_durations(data_type: &DataType) -> bool {
    match data_type {
        DataType::Duration(_) => true,
        DataType::List(of)
        | DataType::LargeList(of)
        | DataType::FixedSizeList(of, _)
        | DataType::ListView(of)
        | DataType::LargeListView(of)
        | DataType::Map(of, _) => has_durations(of.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_durations(field.data_type())),
        DataType::Dictionary(_, of) => has_durations(of),
        _ => false,
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Levels {
    definition: i16,
    repetition: i16,
}

impl Levels {
    fn optional(self) -> Self {
        Self { definition: self.definition.saturating_add(1), ..self }
    }

    fn repeated(self) -> Self {
        Self { definition: self.definition.saturating_add(1), repetition: self.repetition.saturating_add(1) }
    }
}

/// A column while its tree is built.
struct Tree {
    path: Vec<String>,
    leaves: usize,
}

impl Tree {
    /// A field with its repetition.
    fn field(&mut self, of: &Type, levels: Levels) -> Result<Field, NoText> {
        match of.get_basic_info().repetition() {
            Repetition::REQUIRED => self.value(of, levels),
            Repetition::OPTIONAL => self.value(of, levels.optional()),
            // Without an annotation: a list that is never null, of elements that are never null.
            Repetition::REPEATED => self.list(levels, |tree| tree.value(of, levels.repeated())),
        }
    }

    /// A field that is not null from these levels on, whatever its repetition.
    fn value(&mut self, of: &Type, levels: Levels) -> Result<Field, NoText> {
        self.path.push(of.name().to_owned());
        if self.path.len() > MAX_DEPTH {
            return Err(self.no_text("nested more than 64 levels deep", "flatten it"));
        }
        let field = match annotation(of) {
            _ if of.is_primitive() => {
                let value = ValueType::of(of).map_err(|(data_type, fix)| self.no_text(&data_type, fix))?;
                let leaf = self.leaves;
                self.leaves += 1;
                Field { present: levels.definition, leaves: leaf..leaf + 1, content: Content::Value(value) }
            }
            Some(Annotation::List) => self.annotated_list(of, levels)?,
            Some(Annotation::Map) => self.annotated_map(of, levels)?,
            Some(Annotation::Variant) => return Err(self.no_text("a variant", "write it as text, such as JSON")),
            None => self.group(of.get_fields().iter().map(|field| (field.name(), &**field)), levels)?,
        };
        self.path.pop();
        Ok(field)
    }

    fn list(
        &mut self,
        levels: Levels,
        element: impl FnOnce(&mut Self) -> Result<Field, NoText>,
    ) -> Result<Field, NoText> {
        let first = self.leaves;
        let element = Box::new(element(self)?);
        let Levels { definition: filled, repetition: repeated } = levels.repeated();
        let content = Content::List { filled, repeated, element };
        Ok(Field { present: levels.definition, leaves: first..self.leaves, content })
    }

    fn group<'t>(
        &mut self,
        fields: impl Iterator<Item = (&'t str, &'t Type)>,
        levels: Levels,
    ) -> Result<Field, NoText> {
        let first = self.leaves;
        let mut content = Vec::new();
        for (name, field) in fields {
            content.push((name.to_owned(), self.field(field, levels)?));
        }
        if content.is_empty() {
            return Err(self.no_text("a group without fields", "leave it out"));
        }
        Ok(Field { present: levels.definition, leaves: first..self.leaves, content: Content::Fields(content) })
    }

    /// A group that is annotated as a list, as the specification reads it: normally a repeated group that holds the
    /// element; in files of older writers the repeated field is the element.
    fn annotated_list(&mut self, of: &Type, levels: Levels) -> Result<Field, NoText> {
        let Some(repeated) = only_repeated(of) else {
            return Err(self.no_text("a list without a repeated field", "write it with another program"));
        };
        let inner = levels.repeated();
        match only_field(repeated) {
            Some(element) if !is_element(repeated, element, of.name()) => {
                self.list(levels, |tree| tree.field(element, inner))
            }
            _ => self.list(levels, |tree| tree.value(repeated, inner)),
        }
    }

    /// A group that is annotated as a map: a list of `key` and `value`, or of keys if there are no values.
    fn annotated_map(&mut self, of: &Type, levels: Levels) -> Result<Field, NoText> {
        let inner = levels.repeated();
        let entry = only_repeated(of).filter(|entry| entry.is_group());
        match entry.map(Type::get_fields) {
            Some([key]) => self.list(levels, |tree| tree.field(key, inner)),
            Some([key, value]) => {
                self.list(levels, |tree| tree.group([("key", &**key), ("value", &**value)].into_iter(), inner))
            }
            _ => Err(self.no_text("a map without key and value", "write it with another program")),
        }
    }

    fn no_text(&self, data_type: &str, fix: &'static str) -> NoText {
        NoText { column: self.path.join("."), data_type: data_type.to_owned(), fix }
    }
}

fn only_field(of: &Type) -> Option<&Type> {
    match of {
        Type::GroupType { fields, .. } => match fields.as_slice() {
            [only] => Some(only),
            _ => None,
        },
        Type::PrimitiveType { .. } => None,
    }
}

fn only_repeated(of: &Type) -> Option<&Type> {
    only_field(of).filter(|field| field.get_basic_info().repetition() == Repetition::REPEATED)
}

/// Whether a repeated group with one field is itself the element.
fn is_element(repeated: &Type, field: &Type, list: &str) -> bool {
    let name = repeated.name();
    name == "array"
        || name.strip_suffix("_tuple") == Some(list)
        || annotation(repeated).is_some()
        || field.get_basic_info().repetition() == Repetition::REPEATED
}

#[derive(Debug, Clone, Copy)]
enum Annotation {
    List,
    Map,
    Variant,
}

/// What a group stands for.
fn annotation(of: &Type) -> Option<Annotation> {
    let info = of.get_basic_info();
    match (info.logical_type_ref(), info.converted_type()) {
        (Some(LogicalType::List), _) | (None, ConvertedType::LIST) => Some(Annotation::List),
        (Some(LogicalType::Map), _) | (None, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE) => {
            Some(Annotation::Map)
        }
        (Some(LogicalType::Variant(_)), _) => Some(Annotation::Variant),
        _ => None,
    }
}
