//! Tables of text that fit the terminal.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

/// Smallest useful width of a column, in characters; with less, rows are shown one below the other.
const NARROWEST_COLUMN: usize = 9;
/// Longest text of a cell; the rest is cut, with an ellipsis.
const LONGEST_CELL: usize = 160;

/// A table of text.
pub(crate) struct Grid {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    kinds: Vec<Kind>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    /// Ids and the like, which people copy: never wrapped.
    Whole,
}

impl Grid {
    /// A table with these columns. A name that starts with `>` marks numbers, which are aligned to the right; one that
    /// starts with `=` marks ids, which are never wrapped.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        let columns: Vec<&str> = columns.into_iter().collect();
        Self {
            kinds: columns
                .iter()
                .map(|name| match name.as_bytes().first() {
                    Some(b'>') => Kind::Number,
                    Some(b'=') => Kind::Whole,
                    _ => Kind::Text,
                })
                .collect(),
            header: columns.iter().map(|name| name.trim_start_matches(['>', '=']).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| shortened(&cell)).collect());
    }

    /// The text, no wider than the terminal; as wide as needed when the output is not a terminal.
    pub(crate) fn text(&self) -> String {
        self.text_within(Table::new().width().map(usize::from))
    }

    fn text_within(&self, width: Option<usize>) -> String {
        if width.is_some_and(|width| self.narrowest() > width) {
            return self.records();
        }
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(width) = width {
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        } else {
            table.force_no_tty();
        }
        table.set_header(&self.header);
        for row in &self.rows {
            table.add_row(row);
        }
        for (index, kind) in self.kinds.iter().enumerate() {
            let Some(column) = table.column_mut(index) else { continue };
            match kind {
                Kind::Text => {}
                Kind::Number => column.set_cell_alignment(CellAlignment::Right),
                Kind::Whole => drop(column.set_constraint(ColumnConstraint::ContentWidth)),
            }
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// Smallest width in which a table of these columns is readable, with the blanks around them.
    fn narrowest(&self) -> usize {
        let narrowest = |(index, kind): (usize, &Kind)| {
            let width = |cell: &String| cell.chars().count();
            let values = self.rows.iter().filter_map(|row| row.get(index)).map(width).max().unwrap_or_default();
            let header = self.header.get(index).map(width).unwrap_or_default();
            match kind {
                Kind::Whole => values.max(header),
                Kind::Text => values.max(header).min(NARROWEST_COLUMN),
                // A number is never wrapped; the words above it may be.
                Kind::Number => values.max(header.min(4)),
            }
        };
        self.kinds.iter().enumerate().map(|column| narrowest(column) + 2).sum()
    }

    /// One line per value, for tables that are too wide.
    fn records(&self) -> String {
        let widest = self.header.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        let record = |(number, row): (usize, &Vec<String>)| {
            let values = self
                .header
                .iter()
                .zip(row)
                .map(|(name, value)| format!("  {name:widest$}  {value}").trim_end().to_owned());
            std::iter::once(format!("row {}", number + 1)).chain(values).collect::<Vec<_>>().join("\n")
        };
        self.rows.iter().enumerate().map(record).collect::<Vec<_>>().join("\n")
    }
}

fn shortened(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if flat.chars().count() <= LONGEST_CELL {
        return flat;
    }
    flat.chars().take(LONGEST_CELL - 1).chain(['…']).collect()
}

/// A count with thousands separators: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size: `12.3 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    for (unit, worth) in UNITS {
        if bytes >= worth {
            let tenths = bytes / (worth / 10);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

/// A duration: `0.12 s`, `3 min 5 s`.
pub(crate) fn seconds(duration: std::time::Duration) -> String {
    let whole = duration.as_secs();
    if whole < 60 { format!("{:.2} s", duration.as_secs_f64()) } else { format!("{} min {} s", whole / 60, whole % 60) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn grid() -> Grid {
        let mut grid = Grid::new(["table", ">rows"]);
        grid.row(["silver/sales/transactions".to_owned(), "12".to_owned()]);
        grid.row(["gold/sales/x".to_owned(), "3".to_owned()]);
        grid
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let expected =
            " table                      rows\n silver/sales/transactions    12\n gold/sales/x                  3";
        assert_eq!(grid().text_within(None), expected);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [24, 30, 40, 80] {
            let text = grid().text_within(Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        }
    }

    #[test]
    fn ids_are_never_broken() {
        let mut grid = Grid::new(["=run", "why"]);
        grid.row(["20261120T134146Z-29f57a".to_owned(), "a long story about rows".to_owned()]);
        for width in [20, 30, 40, 60] {
            let text = grid.text_within(Some(width));
            assert!(text.contains("20261120T134146Z-29f57a"), "{width}:\n{text}");
        }
    }

    #[test]
    fn too_many_columns_become_records() {
        let text = grid().text_within(Some(14));
        assert_eq!(
            text,
            "row 1\n  table  silver/sales/transactions\n  rows   12\nrow 2\n  table  gold/sales/x\n  rows   3"
        );
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(shortened("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(shortened(&"x".repeat(200)).chars().count(), LONGEST_CELL);
    }

    #[test]
    fn numbers_are_readable() {
        let check = |number: u64, counted: &str, sized: &str| {
            assert_eq!((count(number).as_str(), size(number).as_str()), (counted, sized));
        };
        check(0, "0", "0 B");
        check(999, "999", "999 B");
        check(1_000, "1,000", "1.0 kB");
        check(1_234_567, "1,234,567", "1.2 MB");
        check(953_587_726, "953,587,726", "953.5 MB");
        check(u64::MAX, "18,446,744,073,709,551,615", "18446744.0 TB");
        assert_eq!(seconds(Duration::from_millis(123)), "0.12 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 5 s");
    }
}
