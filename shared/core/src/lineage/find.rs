//! Columns and tables by the names that people write.

use super::{ColumnRef, Lineage};
use crate::name::{Layer, TableRef};

/// Why a name leads to no column and no table.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum LineageError {
    /// No table has this name.
    #[error(
        "no table of these pipelines is called '{name}'{}; write <table>, <table>.<column>, or the whole name, such as \
         gold/sales/orders.amount", meant(nearest.as_deref())
    )]
    UnknownTable {
        /// What was written.
        name: String,
        /// The name of a table that is spelled in a similar way.
        nearest: Option<String>,
    },
    /// The table has no such column.
    #[error("table {table} has no column '{column}'{}; it has {columns}", meant(nearest.as_deref()))]
    UnknownColumn {
        /// The table.
        table: TableRef,
        /// What was written.
        column: String,
        /// The name of a column of the table that is spelled in a similar way.
        nearest: Option<String>,
        /// The columns of the table.
        columns: String,
    },
    /// Several tables of one layer have this name.
    #[error("'{name}' is {first} and {second}; write the whole name of one")]
    Ambiguous {
        /// What was written.
        name: String,
        /// One of them.
        first: ColumnRef,
        /// Another.
        second: ColumnRef,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!(", did you mean '{nearest}'?")).unwrap_or_default()
}

impl Lineage {
    /// The column, or the table as a whole, of this name: `gold/sales/orders.amount`, with points in place of slashes, or
    /// without layer or domain where that is clear. Of tables with the same name in several layers, that of the last layer
    /// is meant which has the column: gold before silver before bronze.
    ///
    /// # Errors
    /// [`LineageError`], with the nearest name.
    pub fn find(&self, name: &str) -> Result<ColumnRef, LineageError> {
        let mut found: Vec<ColumnRef> = Vec::new();
        let mut begun: Option<(&TableRef, &str)> = None;
        for table in self.tables() {
            for form in forms(table) {
                if form == name {
                    found.push(ColumnRef::rows(table.clone()));
                }
                let Some(column) = name.strip_prefix(&form).and_then(|rest| rest.strip_prefix('.')) else { continue };
                let column_ref = ColumnRef::new(table.clone(), column);
                if self.columns.contains(&column_ref) {
                    found.push(column_ref);
                } else {
                    begun = Some((table, column));
                }
            }
        }
        let last: Option<Layer> = found.iter().map(|found| found.table().layer()).max();
        let mut meant = found.into_iter().filter(|found| Some(found.table().layer()) == last);
        match (meant.next(), meant.next(), begun) {
            (Some(first), Some(second), _) if first != second => {
                Err(LineageError::Ambiguous { name: name.to_owned(), first, second })
            }
            (Some(first), ..) => Ok(first),
            (None, _, Some((table, column))) => Err(self.unknown_column(table, column)),
            (None, _, None) => Err(self.unknown_table(name)),
        }
    }

    fn unknown_column(&self, table: &TableRef, column: &str) -> LineageError {
        let names: Vec<&str> = self.columns_of(table).filter_map(ColumnRef::column).collect();
        LineageError::UnknownColumn {
            table: table.clone(),
            column: column.to_owned(),
            nearest: nearest(column, names.iter().copied()),
            columns: names.join(", "),
        }
    }

    fn unknown_table(&self, name: &str) -> LineageError {
        let forms: Vec<String> = self.tables().into_iter().flat_map(forms).collect();
        // The name of a table, or what is before the point of its column.
        let table = name.rsplit_once('.').map_or(name, |(table, _)| table);
        let found = nearest(name, forms.iter().map(String::as_str));
        let nearest = found.or_else(|| nearest(table, forms.iter().map(String::as_str)));
        LineageError::UnknownTable { name: name.to_owned(), nearest }
    }
}

/// The names of a table.
fn forms(table: &TableRef) -> [String; 5] {
    let (layer, domain, name) = (table.layer().as_str(), table.domain(), table.table());
    [
        table.to_string(),
        format!("{layer}.{domain}.{name}"),
        format!("{layer}.{name}"),
        format!("{domain}.{name}"),
        name.to_string(),
    ]
}

/// The name that needs the fewest changes to become this one, if that are few.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let most = (name.chars().count() / 3).max(1);
    let near = known.map(|known| (distance(name, known), known)).filter(|(changes, _)| *changes <= most);
    near.min().map(|(_, known)| known.to_owned())
}

/// How many letters have to be added, taken out or replaced, whatever their case.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (place, letter) in from.to_lowercase().chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut left = place + 1;
        next.push(left);
        for (other, pair) in to.iter().zip(row.windows(2)) {
            let [diagonal, above] = pair else { continue };
            left = (left + 1).min(above + 1).min(diagonal + usize::from(letter != *other));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_names_is_the_number_of_changed_letters() {
        let check = |from: &str, to: &str, expected: usize| assert_eq!(distance(from, to), expected, "{from} {to}");
        check("amount", "amount", 0);
        check("amount", "Amount", 0);
        check("amont", "amount", 1);
        check("amuont", "amount", 2);
        check("", "abc", 3);
        check("abc", "", 3);
        assert_eq!(nearest("amont", ["city", "amount"].into_iter()).as_deref(), Some("amount"));
        assert_eq!(nearest("zzz", ["city", "amount"].into_iter()), None);
    }
}
