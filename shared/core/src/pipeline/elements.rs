//! Which elements of XML silver tables read as lists. Nothing in XML says that an element may repeat: what a column and
//! its contract expect does, so that an element that occurs once in a record is a list of one.

use super::{Pipeline, SilverTable};
use crate::contract::ColumnType;
use crate::name::ColumnName;
use crate::path::{ColumnPath, PathStep};
use crate::reading::Reading;

/// What a mapped column expects of an element inside of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementUse<'t> {
    /// The mapped column.
    pub column: &'t ColumnName,
    /// The names on the way to the element.
    pub way: Vec<String>,
    /// What it is read as.
    pub shape: ElementShape,
}

/// What an element of XML is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ElementShape {
    /// One value, or the object around one.
    One,
    /// A list, which it is in each record: a path has a number behind it, or its type is an array.
    List,
    /// A list whose elements are lists, which XML does not have.
    ListOfLists,
}

impl SilverTable {
    /// What the mapped columns expect of the elements that they read; nothing of an element whose whole text is read,
    /// because a list has one too.
    pub fn element_uses(&self) -> Vec<ElementUse<'_>> {
        let mut uses = Uses { column: None, found: Vec::new() };
        for (column, source) in self.of_source() {
            uses.column = Some(column);
            let mut way = vec![source.clone()];
            let mut is_in_list = false;
            let path = self.readings.get(column).and_then(Reading::path);
            for step in path.map(ColumnPath::steps).unwrap_or_default() {
                let by_number = !matches!(step, PathStep::Key(_));
                // A name behind a number reads an element of the list, and not the list.
                if by_number || !is_in_list {
                    uses.add(&way, if by_number { ElementShape::List } else { ElementShape::One });
                }
                if let PathStep::Key(name) = step {
                    way.push(name.clone());
                }
                is_in_list = by_number;
            }
            if let Some(column) = self.column(column.as_str()) {
                uses.add_type(&column.column_type, &mut way, is_in_list);
            }
        }
        uses.found
    }
}

impl Pipeline {
    /// Of XML, the elements that are lists however often they occur, each by the names on the way to it inside of a
    /// record.
    pub fn element_lists(&self) -> Vec<Vec<String>> {
        let uses = self.silver.iter().flat_map(SilverTable::element_uses);
        let mut lists: Vec<Vec<String>> =
            uses.filter(|element| element.shape != ElementShape::One).map(|element| element.way).collect();
        lists.sort_unstable();
        lists.dedup();
        lists
    }
}

struct Uses<'t> {
    column: Option<&'t ColumnName>,
    found: Vec<ElementUse<'t>>,
}

impl Uses<'_> {
    fn add(&mut self, way: &[String], shape: ElementShape) {
        if let Some(column) = self.column {
            self.found.push(ElementUse { column, way: way.to_vec(), shape });
        }
    }

    /// Adds what a type expects of the element at the end of the way. `is_in_list`: the value is an element of a list,
    /// to which the same way leads.
    fn add_type(&mut self, column_type: &ColumnType, way: &mut Vec<String>, is_in_list: bool) {
        match column_type {
            ColumnType::Array(items) => {
                self.add(way, if is_in_list { ElementShape::ListOfLists } else { ElementShape::List });
                self.add_type(items, way, true);
            }
            ColumnType::Object(fields) => {
                if !is_in_list {
                    self.add(way, ElementShape::One);
                }
                for field in fields {
                    way.push(field.name.clone());
                    self.add_type(&field.column_type, way, false);
                    let _ = way.pop();
                }
            }
            ColumnType::Text => {}
            ColumnType::Int32
            | ColumnType::Int64
            | ColumnType::Double
            | ColumnType::Decimal { .. }
            | ColumnType::Boolean
            | ColumnType::Date
            | ColumnType::Timestamp => {
                if !is_in_list {
                    self.add(way, ElementShape::One);
                }
            }
        }
    }
}
