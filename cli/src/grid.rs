//! Tables of text that fit the terminal.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

/// Smallest useful width of a column, in characters; with less, rows are shown one below the other.
const NARROWEST_COLUMN: usize = 9;
/// Characters of a word above numbers that stay together in any case.
const BROKEN_HEADER: usize = 4;
/// Blanks around the text of a column.
const MARGIN: usize = 2;
/// Longest text of a cell; the rest is cut, with an ellipsis.
const LONGEST_CELL: usize = 160;

/// A table of text.
pub(crate) struct Grid {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    kinds: Vec<Kind>,
    /// Places of columns that may be left out where the terminal is too narrow, the first one first.
    optional: Vec<usize>,
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
            optional: Vec::new(),
        }
    }

    /// With columns that are left out, the first one first, where the terminal is too narrow for all. A line below the
    /// table names them.
    pub(crate) fn without_if_narrow(mut self, names: &[&str]) -> Self {
        let place = |name: &&str| self.header.iter().position(|header| header == name);
        self.optional = names.iter().filter_map(place).collect();
        self
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| shortened(&cell)).collect());
    }

    /// The text, no wider than the terminal; as wide as needed when the output is not a terminal.
    pub(crate) fn text(&self) -> String {
        // A terminal that does not say how wide it is says 0, as those of some build servers do.
        self.text_within(Table::new().width().map(usize::from).filter(|width| *width > 0))
    }

    fn text_within(&self, width: Option<usize>) -> String {
        let Some(shown) = self.shown_within(width) else { return self.records() };
        let text = self.table_of(&shown, width);
        let left_out: Vec<&str> = (0..self.header.len())
            .filter(|place| !shown.contains(place))
            .filter_map(|place| self.name(place))
            .collect();
        if left_out.is_empty() { text } else { format!("{text}\n left out, to fit the width: {}", left_out.join(", ")) }
    }

    fn name(&self, place: usize) -> Option<&str> {
        self.header.get(place).map(String::as_str)
    }

    /// Places of the columns that a table of this width has; `None` where no table of them is readable.
    fn shown_within(&self, width: Option<usize>) -> Option<Vec<usize>> {
        let mut shown: Vec<usize> = (0..self.header.len()).collect();
        let Some(width) = width else { return Some(shown) };
        // Columns are left out before words of the header are broken.
        let mut leave_out = self.optional.iter();
        while self.needed(&shown, usize::MAX) > width {
            let Some(place) = leave_out.next() else { break };
            shown.retain(|other| other != place);
        }
        (self.needed(&shown, BROKEN_HEADER) <= width).then_some(shown)
    }

    /// The columns at these places as a table.
    fn table_of(&self, shown: &[usize], width: Option<usize>) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(width) = width {
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        } else {
            table.force_no_tty();
        }
        table.set_header(shown.iter().filter_map(|place| self.name(*place)));
        for row in &self.rows {
            table.add_row(shown.iter().filter_map(|place| row.get(*place)));
        }
        let is_broken = width.is_some_and(|width| self.needed(shown, usize::MAX) > width);
        let longest_word = if is_broken { BROKEN_HEADER } else { usize::MAX };
        for (index, place) in shown.iter().enumerate() {
            let (Some(column), Some(kind)) = (table.column_mut(index), self.kinds.get(*place)) else { continue };
            match kind {
                Kind::Text => {}
                Kind::Number => {
                    column.set_cell_alignment(CellAlignment::Right);
                    if width.is_some_and(|width| self.natural(shown) > width) {
                        // Digits are never wrapped: only the words above them are.
                        let needed = u16::try_from(self.least(*place, longest_word) + MARGIN).unwrap_or(u16::MAX);
                        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(needed)));
                    }
                }
                Kind::Whole => drop(column.set_constraint(ColumnConstraint::ContentWidth)),
            }
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// Smallest width in which a table of these columns is readable, with the blanks around them, where words above
    /// numbers that are longer than `longest_word` may be broken.
    fn needed(&self, shown: &[usize], longest_word: usize) -> usize {
        shown.iter().map(|place| self.least(*place, longest_word) + MARGIN).sum()
    }

    /// Width in which nothing of these columns is wrapped, with the blanks around them.
    fn natural(&self, shown: &[usize]) -> usize {
        let header = |place: usize| self.name(place).map(|name| name.chars().count()).unwrap_or_default();
        shown.iter().map(|place| self.widest_value(*place).max(header(*place)) + MARGIN).sum()
    }

    fn widest_value(&self, place: usize) -> usize {
        let widths = self.rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.chars().count());
        widths.max().unwrap_or_default()
    }

    /// Smallest width of a column, without the blanks around it.
    fn least(&self, place: usize, longest_word: usize) -> usize {
        let values = self.widest_value(place);
        let header = self.name(place).unwrap_or_default();
        match self.kinds.get(place) {
            Some(Kind::Number) => {
                let word = header.split(' ').map(|word| word.chars().count()).max().unwrap_or_default();
                values.max(word.min(longest_word))
            }
            Some(Kind::Whole) => values.max(header.chars().count()),
            Some(Kind::Text) | None => values.max(header.chars().count()).min(NARROWEST_COLUMN),
        }
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
    fn digits_are_never_wrapped() {
        let mut grid = Grid::new(["=table", ">read", ">quarantined", ">rows now"]);
        let table = "quarantine/sales/transactions".to_owned();
        grid.row([table, "603,000".to_owned(), "7,050".to_owned(), "1,587,510".to_owned()]);
        for width in 50..90 {
            let text = grid.text_within(Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            for number in ["603,000", "7,050", "1,587,510"] {
                assert!(text.contains(number), "{width}:\n{text}");
            }
        }
    }

    #[test]
    fn columns_are_left_out_in_their_order_and_named_before_words_are_broken() {
        let mut grid = Grid::new(["=table", ">read", ">added", ">version"]).without_if_narrow(&["version", "read"]);
        grid.row(["gold/a/b", "100", "90", "3"].map(str::to_owned));
        let check = |width: usize, columns: &[&str], left_out: Option<&str>| {
            let text = grid.text_within(Some(width));
            let header: Vec<&str> = text.lines().next().unwrap_or_default().split_whitespace().collect();
            assert_eq!(header, columns, "{width}:\n{text}");
            let line = left_out.map(|names| format!(" left out, to fit the width: {names}"));
            assert_eq!(text.lines().find(|line| line.contains("left out")), line.as_deref(), "{width}:\n{text}");
        };
        check(32, &["table", "read", "added", "version"], None);
        check(31, &["table", "read", "added"], Some("version"));
        check(23, &["table", "read", "added"], Some("version"));
        check(22, &["table", "added"], Some("read, version"));
        // Where even that is too wide, every value is shown, in a line of its own.
        assert!(grid.text_within(Some(12)).contains("  version  3"));
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
