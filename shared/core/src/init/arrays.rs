//! Columns that samples show to be lists.

use std::collections::BTreeMap;

use super::{Proposal, ProposedColumn};
use crate::contract::ColumnType;
use crate::spec::ColumnSource;

impl Proposal {
    /// Makes these columns arrays, by the names that they have in the files: `propose` sees a text of JSON in them.
    pub fn set_arrays(&mut self, arrays: &BTreeMap<String, ColumnType>) {
        for column in &mut self.columns {
            let Some(column_type) = arrays.get(column.source.name()) else { continue };
            if self.key.contains(&column.name) {
                self.key.clear();
            }
            *column = ProposedColumn {
                source: ColumnSource::Name(column.source.name().to_owned()),
                column_type: column_type.clone(),
                required: false,
                classification: None,
                range: None,
                values: Vec::new(),
                refused: None,
                notes: Vec::new(),
                ..column.clone()
            };
        }
        for column in &mut self.columns {
            column.required &= self.key.contains(&column.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SampleColumn, SampleTable, propose};
    use super::*;

    #[test]
    fn a_list_has_its_type_and_is_no_key() {
        let column = |name: &str, values: &[&str]| SampleColumn {
            name: name.to_owned(),
            values: values.iter().map(|value| Some((*value).to_owned())).collect(),
        };
        let columns = vec![column("id", &[r#"["a"]"#, r#"["b","c"]"#]), column("n", &["1", "2"])];
        let table = SampleTable { file: "a".to_owned(), columns, records: vec![1, 2], ..SampleTable::default() };
        let mut proposal = propose(&[table]).unwrap();
        let list = ColumnType::Array(Box::new(ColumnType::Text));
        proposal.set_arrays(&BTreeMap::from([("id".to_owned(), list.clone())]));
        let found: Vec<(&ColumnType, bool)> =
            proposal.columns.iter().map(|column| (&column.column_type, column.required)).collect();
        assert_eq!(found, [(&list, false), (&ColumnType::Int64, false)]);
        assert!(proposal.key.is_empty());
    }
}
