//! Takes values one after the other.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::frequent::{Frequents, shortened};
use super::pattern::pattern;
use super::values::{Summary, Values, hash_of};
use super::{ColumnProfile, Lengths, Profile, ProfileError, VERSION};
use crate::contract::ColumnType;
use crate::init::{ProposedColumn, Standing, ValueOrder};

/// Memory for values of which all are kept, over all columns: 64 MiB. Beyond that a column takes 4 KiB for its sketch,
/// and at most 20 KiB for its frequent values and 13 KiB for its patterns: 37 MB for 1,000 columns.
const EXACT_BYTES: usize = 64 << 20;
/// The most of it for one column: about 50,000 values of 16 characters.
const COLUMN_BYTES: usize = 4 << 20;
/// Longest text that may be a number, a day or an instant, in bytes: a double has up to 330 digits.
const TYPED_BYTES: usize = 400;
/// Patterns that are listed.
const LISTED_PATTERNS: usize = 10;

/// How the values of a column are read.
#[derive(Debug, Clone)]
pub struct Reading {
    column_type: ColumnType,
    order: ValueOrder,
    null_words: Vec<String>,
}

impl Reading {
    /// That of a table's column.
    pub fn stored(column_type: ColumnType) -> Self {
        let order = ValueOrder::of(&column_type, None);
        Self { column_type, order, null_words: Vec::new() }
    }

    /// That of a source column as `sluice init` would read it. `null_words`: those of the source.
    pub fn proposed(column: &ProposedColumn, null_words: &[String]) -> Self {
        let read = column.source.read();
        let own = read.and_then(|read| read.null_words.as_deref()).unwrap_or(null_words);
        let order = ValueOrder::of(&column.column_type, read);
        Self { column_type: column.column_type.clone(), order, null_words: own.to_vec() }
    }
}

/// Takes the values of a file or table and makes its profile. Memory is bounded, whatever the number of rows.
#[derive(Debug)]
pub struct Profiler {
    readings: HashMap<String, Reading>,
    wanted: Option<Vec<String>>,
    columns: Vec<Gathered>,
    /// By name; `None` for columns that are not wanted.
    places: HashMap<String, Option<usize>>,
    /// All names, in the order in which they came.
    known: Vec<String>,
    rows: u64,
    corrupt: u64,
}

/// What was met in a column.
#[derive(Debug)]
struct Gathered {
    name: String,
    reading: Reading,
    values: Values,
    patterns: Frequents,
    count: u64,
    null_words: u64,
    blanks: u64,
    not_of_type: u64,
    least: Option<Extreme>,
    greatest: Option<Extreme>,
    shortest: u64,
    longest: u64,
    characters: u64,
}

/// The smallest or the largest value so far.
#[derive(Debug)]
struct Extreme {
    standing: Standing,
    written: String,
}

impl Profiler {
    /// One for all columns, or for those that are `wanted`. Columns without a reading are texts.
    pub fn new(readings: HashMap<String, Reading>, wanted: Option<Vec<String>>) -> Self {
        let (columns, places, known) = (Vec::new(), HashMap::new(), Vec::new());
        Self { readings, wanted, columns, places, known, rows: 0, corrupt: 0 }
    }

    /// The place of a column for [`Self::add`]; `None` where it is not wanted. A column may come after rows that lack
    /// it.
    pub fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        self.known.push(name.to_owned());
        let is_wanted = self.wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| wanted == name));
        let place = is_wanted.then_some(self.columns.len());
        if is_wanted {
            let reading = self.readings.remove(name).unwrap_or_else(|| Reading::stored(ColumnType::Text));
            self.columns.push(Gathered::new(name, reading));
        }
        let _ = self.places.insert(name.to_owned(), place);
        place
    }

    /// Takes a value of a column. Nulls need not be given: a row that has no value in a column is null there.
    pub fn add(&mut self, place: usize, text: &str) {
        let most_bytes = (EXACT_BYTES / self.columns.len().max(1)).min(COLUMN_BYTES);
        if let Some(column) = self.columns.get_mut(place) {
            column.add(text, most_bytes);
        }
    }

    /// Counts rows whose values were given, and records that cannot be split into columns. Gives the number of both so
    /// far.
    pub fn count(&mut self, rows: u64, corrupt: u64) -> u64 {
        self.rows += rows;
        self.corrupt += corrupt;
        self.rows + self.corrupt
    }

    /// Checks that all wanted columns came. `of`: the file or table.
    ///
    /// # Errors
    /// [`ProfileError::NoColumn`].
    pub fn check(&self, of: &str) -> Result<(), ProfileError> {
        match self.wanted.iter().flatten().find(|name| !self.places.contains_key(*name)) {
            None => Ok(()),
            Some(column) => {
                let known = self.known.clone();
                Err(ProfileError::NoColumn { of: of.to_owned(), column: column.clone(), known })
            }
        }
    }

    /// The profile. `of`: the file or table; `table_version`: that of a table.
    ///
    /// # Errors
    /// Those of [`Self::check`].
    pub fn finish(self, of: &str, table_version: Option<u64>) -> Result<Profile, ProfileError> {
        self.check(of)?;
        let Self { rows, corrupt, .. } = self;
        let columns = self.columns.into_iter().map(|column| column.profile(rows)).collect();
        Ok(Profile { profile_version: VERSION, of: of.to_owned(), table_version, rows, corrupt, columns })
    }
}

impl Gathered {
    fn new(name: &str, reading: Reading) -> Self {
        Self {
            name: name.to_owned(),
            reading,
            values: Values::new(),
            patterns: Frequents::default(),
            count: 0,
            null_words: 0,
            blanks: 0,
            not_of_type: 0,
            least: None,
            greatest: None,
            shortest: u64::MAX,
            longest: 0,
            characters: 0,
        }
    }

    fn add(&mut self, text: &str, most_bytes: usize) {
        if self.reading.null_words.iter().any(|word| word == text) {
            self.null_words += 1;
            return;
        }
        self.count += 1;
        if text.trim().is_empty() {
            self.blanks += 1;
        }
        let length = text.chars().count() as u64;
        self.shortest = self.shortest.min(length);
        self.longest = self.longest.max(length);
        self.characters += length;
        self.values.add(hash_of(text), text, most_bytes);
        let pattern = pattern(text);
        self.patterns.add(hash_of(&pattern), &pattern);
        self.compare(text);
    }

    /// Keeps a value that is smaller or larger than all before.
    fn compare(&mut self, text: &str) {
        if let (true, Some(least), Some(greatest)) =
            (self.reading.order.is_of_characters(), &self.least, &self.greatest)
            && (least.written.as_str()..=greatest.written.as_str()).contains(&text)
        {
            return;
        }
        // A text is compared by its beginning, and a number by all of its digits.
        let is_whole = !self.reading.order.is_of_characters() && text.len() <= TYPED_BYTES;
        let begin = if is_whole { text.to_owned() } else { shortened(text) };
        let Some(standing) = self.reading.order.standing(&begin) else {
            self.not_of_type += u64::from(!text.trim().is_empty());
            return;
        };
        let is_beyond = |extreme: &Option<Extreme>, beyond: Ordering| {
            extreme.as_ref().is_none_or(|extreme| standing.compare(&extreme.standing) == beyond)
        };
        let (is_least, is_greatest) =
            (is_beyond(&self.least, Ordering::Less), is_beyond(&self.greatest, Ordering::Greater));
        if is_least {
            self.least = Some(Extreme { written: standing.written(&begin), standing: standing.clone() });
        }
        if is_greatest {
            self.greatest = Some(Extreme { written: standing.written(&begin), standing });
        }
    }

    fn profile(self, rows: u64) -> ColumnProfile {
        let Summary { distinct, is_exact, top, top_is_exact } = self.values.summary();
        let (patterns, patterns_are_exact) = self.patterns.top(LISTED_PATTERNS);
        let lengths = (self.count > 0).then(|| Lengths {
            least: self.shortest,
            greatest: self.longest,
            mean: (self.characters as f64 / self.count as f64 * 10.0).round() / 10.0,
        });
        ColumnProfile {
            name: self.name,
            column_type: self.reading.column_type,
            nulls: rows.saturating_sub(self.count),
            null_words: self.null_words,
            blanks: self.blanks,
            not_of_type: self.not_of_type,
            // An estimate may be above what can be.
            distinct: distinct.min(self.count),
            distinct_is_exact: is_exact,
            least: self.least.map(|extreme| extreme.written),
            greatest: self.greatest.map(|extreme| extreme.written),
            lengths,
            top,
            top_is_exact,
            patterns,
            patterns_are_exact,
        }
    }
}
