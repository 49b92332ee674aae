//! The most frequent of very many texts, with bounded memory.

use std::collections::HashMap;

use super::Frequent;

/// Texts that are counted at a time. A text that makes up more than one in 33 of all is always among them (the 32 that
/// [`Frequents::of`] keeps are the most frequent, and then one more text takes one off each of 64). With 64 characters
/// each they take at most about 64 * (64 * 4 + 48) bytes = 20 KiB, for ASCII 8 KiB.
const COUNTED: usize = 64;
/// Characters of a text that are kept.
const KEPT_CHARACTERS: usize = 64;

/// A text and how often it was met.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) text: String,
    pub(super) count: u64,
}

impl Counted {
    pub(super) fn new(text: &str) -> Self {
        Self { text: shortened(text), count: 1 }
    }
}

/// The beginning of a text, as it is kept.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(KEPT_CHARACTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// Counts the texts that occur often (Misra and Gries: what does not fit takes one off each that does).
#[derive(Debug, Clone, Default)]
pub(super) struct Frequents {
    counted: HashMap<u64, Counted>,
    /// Most occurrences of any text that are not counted.
    missed: u64,
}

impl Frequents {
    /// Those of texts that were all counted so far.
    pub(super) fn of(all: HashMap<u64, Counted>) -> Self {
        if all.len() <= COUNTED {
            return Self { counted: all, missed: 0 };
        }
        let mut sorted: Vec<(u64, Counted)> = all.into_iter().collect();
        sorted.sort_unstable_by_key(|(_, counted)| std::cmp::Reverse(counted.count));
        // Half of the places are left for what comes.
        let dropped = sorted.split_off(COUNTED / 2);
        let missed = dropped.first().map_or(0, |(_, most)| most.count);
        Self { counted: sorted.into_iter().collect(), missed }
    }

    /// Counts a text.
    pub(super) fn add(&mut self, hash: u64, text: &str) {
        if let Some(counted) = self.counted.get_mut(&hash) {
            counted.count += 1;
        } else if self.counted.len() < COUNTED {
            let _ = self.counted.insert(hash, Counted::new(text));
        } else {
            self.missed += 1;
            self.counted.retain(|_, counted| {
                counted.count -= 1;
                counted.count > 0
            });
        }
    }

    /// The most frequent, at most `most`, and whether their counts are exact.
    pub(super) fn top(self, most: usize) -> (Vec<Frequent>, bool) {
        (top(self.counted.into_values(), most), self.missed == 0)
    }
}

/// The most frequent of texts; those of equal frequency by text.
pub(super) fn top(counted: impl Iterator<Item = Counted>, most: usize) -> Vec<Frequent> {
    let mut top: Vec<Frequent> = counted.map(|Counted { text, count }| Frequent { value: text, count }).collect();
    top.sort_unstable_by(|mine, theirs| theirs.count.cmp(&mine.count).then_with(|| mine.value.cmp(&theirs.value)));
    top.truncate(most);
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequent_text_is_found_among_very_many_others() {
        let mut frequents = Frequents::default();
        for number in 0..10_000_u64 {
            frequents.add(number + 10, &number.to_string());
            if number % 20 == 0 {
                frequents.add(1, "often");
            }
        }
        let (top, is_exact) = frequents.top(1);
        assert_eq!((top[0].value.as_str(), is_exact), ("often", false));
        assert!((330..=500).contains(&top[0].count), "{top:?}");
    }

    #[test]
    fn a_few_texts_are_counted_exactly() {
        let mut frequents = Frequents::default();
        for (hash, text) in [(1, "a"), (2, "b"), (1, "a"), (3, "c")] {
            frequents.add(hash, text);
        }
        let (top, is_exact) = frequents.top(2);
        let top: Vec<(&str, u64)> = top.iter().map(|frequent| (frequent.value.as_str(), frequent.count)).collect();
        assert_eq!((top, is_exact), (vec![("a", 2), ("b", 1)], true));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened(&"ö".repeat(70)), format!("{}…", "ö".repeat(64)));
        assert_eq!(shortened("ö"), "ö");
    }
}
