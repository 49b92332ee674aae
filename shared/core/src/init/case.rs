//! Columns that are spelled in two ways.

use std::collections::HashMap;

use super::{SampleColumn, SampleTable};
use crate::columns::folded_name;
use crate::shown::shown;

/// Most columns that the note names.
const NAMED: usize = 10;

/// Gives columns whose names differ in case alone one spelling, the first, in all samples: to readers of Delta they are
/// one column. Says which have several, so that a pipeline has to ignore case (`column_case: ignore`); `None`: no
/// column has. Call it before objects become columns by path: inside a column case always counts.
pub fn unify_case(tables: &mut [SampleTable]) -> Option<String> {
    let mut spellings: HashMap<String, String> = HashMap::new();
    let mut other = Vec::new();
    for table in tables {
        let (mut kept, mut places) = (Vec::<SampleColumn>::new(), HashMap::<String, usize>::new());
        for mut column in std::mem::take(&mut table.columns) {
            let folded = folded_name(&column.name);
            let first = spellings.entry(folded.clone()).or_insert_with(|| column.name.clone());
            if *first != column.name {
                let pair = format!("`{}` and `{}`", shown(first), shown(&column.name));
                if !other.contains(&pair) {
                    other.push(pair);
                }
                column.name.clone_from(first);
            }
            match places.get(&folded).and_then(|place| kept.get_mut(*place)) {
                Some(same) => fill(&mut same.values, column.values),
                None => {
                    let _ = places.insert(folded, kept.len());
                    kept.push(column);
                }
            }
        }
        table.columns = kept;
    }
    if other.is_empty() {
        return None;
    }
    let more = if other.len() > NAMED { " and more" } else { "" };
    other.truncate(NAMED);
    Some(format!("column_case ignore: names differ in case alone: {}{more}", other.join(", ")))
}

/// Takes the values of another spelling where the first has none.
fn fill(values: &mut [Option<String>], others: Vec<Option<String>>) {
    for (value, other) in values.iter_mut().zip(others) {
        if value.is_none() {
            *value = other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, &[&str])]) -> SampleTable {
        let value = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        let column = |(name, texts): &(&str, &[&str])| SampleColumn {
            name: (*name).to_owned(),
            values: texts.iter().map(value).collect(),
        };
        SampleTable { columns: columns.iter().map(column).collect(), ..SampleTable::default() }
    }

    #[test]
    fn the_first_spelling_counts_in_all_samples() {
        let mut tables = [
            table(&[("id", &["1", "2"]), ("Extra", &["a", ""])]),
            table(&[("ID", &["3"]), ("extra", &["b"])]),
            table(&[("extra", &["", "d"]), ("EXTRA", &["c", ""])]),
        ];
        let note = unify_case(&mut tables);
        assert_eq!(tables[0], table(&[("id", &["1", "2"]), ("Extra", &["a", ""])]));
        assert_eq!(tables[1], table(&[("id", &["3"]), ("Extra", &["b"])]));
        assert_eq!(tables[2], table(&[("Extra", &["c", "d"])]));
        let note = note.expect("spellings differ");
        assert!(note.contains("`id` and `ID`, `Extra` and `extra`, `Extra` and `EXTRA`"), "{note}");
    }

    #[test]
    fn one_spelling_needs_no_option() {
        let mut tables = [table(&[("id", &["1"])]), table(&[("id", &["2"]), ("n", &["x"])])];
        let before = tables.clone();
        assert_eq!(unify_case(&mut tables), None);
        assert_eq!(tables, before);
    }
}
