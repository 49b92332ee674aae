//! What every version of a table needs, and whether it exists.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use sluice_core::name::TableRef;
use sluice_core::restore::{TableHistory, VersionRecord};
use sluice_core::run::RunRef;
use sluice_core::uri::layout;

use super::listed;
use crate::delta::log::{Action, Log, LogEntry, Transaction};
use crate::delta::{self, Footer};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::AT_ONCE;

/// A table's log entries and the files that exist.
pub(super) struct Files {
    table: TableRef,
    entries: Vec<Entry>,
    /// Path and size.
    there: BTreeSet<(String, u64)>,
    /// Files that were opened.
    sound: BTreeSet<String>,
}

struct Entry {
    version: u64,
    /// What is in it; `None` when it cannot be read.
    content: Option<Content>,
}

#[derive(Default)]
struct Content {
    committed_at: Option<Timestamp>,
    attempt: Option<RunRef>,
    inputs: BTreeMap<TableRef, u64>,
    added: Vec<(String, u64)>,
    removed: Vec<String>,
}

impl Content {
    /// What an entry says; `None` for one that was cut or overwritten.
    fn of(entry: &LogEntry) -> Option<Self> {
        let mut content = Self::default();
        for action in entry.actions() {
            match action.ok()? {
                Action::CommitInfo(info) => {
                    content.committed_at = info.committed_at();
                    content.attempt = info.attempt();
                }
                Action::Add(file) => content.added.push((file.path, file.size?)),
                Action::Remove(file) => content.removed.push(file.path),
                Action::Transaction(mark) => content.inputs.extend(input_of(&mark)),
                Action::ChangedRows(_) | Action::Metadata | Action::Other => {}
            }
        }
        // An entry of ours and of others has at least the information of its commit.
        content.committed_at.is_some().then_some(content)
    }
}

/// The input whose version a mark records.
fn input_of(mark: &Transaction) -> Option<(TableRef, u64)> {
    Some((delta::input_of(&mark.app_id)?, u64::try_from(mark.version).ok()?))
}

impl Files {
    /// Reads the log of a table and lists its folder.
    pub(super) async fn of(lake: &Lake, table: TableRef) -> Result<Self, LakeError> {
        let log = Log::of(lake, &table);
        let entry = async |version: u64| {
            // `None` for one that was moved meanwhile, by another who restores.
            let found = log.find_entry(version).await?;
            Ok::<_, LakeError>(found.map(|entry| Entry { version, content: Content::of(&entry) }))
        };
        let read: Vec<Option<Entry>> =
            futures::stream::iter(log.versions().await?).map(entry).buffered(AT_ONCE).try_collect().await?;
        let entries = read.into_iter().flatten().collect();
        let there = listed(lake, &table).await?;
        Ok(Self { table, entries, there, sound: BTreeSet::new() })
    }

    /// The table.
    pub(super) fn table(&self) -> &TableRef {
        &self.table
    }

    /// The attempts that committed to it; and whether the commit is the newest of the table.
    pub(super) fn attempts(&self) -> impl Iterator<Item = (&RunRef, bool)> {
        let newest = self.entries.last().map(|entry| entry.version);
        let of = move |entry: &'_ Entry| newest == Some(entry.version);
        self.entries.iter().filter_map(move |entry| Some((entry.content.as_ref()?.attempt.as_ref()?, of(entry))))
    }

    /// Its versions, and whether each is whole.
    ///
    /// # Errors
    /// [`LakeError::Invalid`] for a log that does not begin at version 0.
    pub(super) fn history(&self) -> Result<TableHistory, LakeError> {
        if let Some(first) = self.entries.first().map(|entry| entry.version).filter(|first| *first > 0) {
            let message = format!(
                "the log of table `{}` begins at version {first}, but only its older entries say which files a version needs: \
                 put them back, or move the table's folder away, and the next run makes the table from scratch",
                self.table
            );
            return Err(LakeError::Invalid { message });
        }
        let (mut next, mut is_readable) = (0, true);
        // Files that a version needs and that do not exist.
        let mut missing: BTreeSet<&str> = BTreeSet::new();
        let mut versions = Vec::new();
        for entry in &self.entries {
            is_readable &= entry.version == next && entry.content.is_some();
            next = entry.version + 1;
            let content = entry.content.as_ref();
            for path in content.iter().flat_map(|content| &content.removed) {
                missing.remove(path.as_str());
            }
            for file in content.iter().flat_map(|content| &content.added) {
                if !self.there.contains(file) {
                    missing.insert(&file.0);
                }
            }
            versions.push(VersionRecord {
                version: entry.version,
                committed_at: content.and_then(|content| content.committed_at),
                run: content.and_then(|content| Some(content.attempt.as_ref()?.run_id.clone())),
                inputs: content.map(|content| content.inputs.clone()).unwrap_or_default(),
                is_whole: is_readable && missing.is_empty(),
            });
        }
        Ok(TableHistory { table: self.table.clone(), versions })
    }

    /// Opens the files that this version needs, and forgets those that are no Parquet files. Says whether there was one.
    pub(super) async fn find_broken(&mut self, lake: &Lake, version: u64) -> Result<bool, LakeError> {
        let mut needed: BTreeMap<&str, u64> = BTreeMap::new();
        for content in
            self.entries.iter().take_while(|entry| entry.version <= version).filter_map(|entry| entry.content.as_ref())
        {
            for path in &content.removed {
                needed.remove(path.as_str());
            }
            needed.extend(content.added.iter().map(|(path, size)| (path.as_str(), *size)));
        }
        let unopened: Vec<(String, u64)> = needed
            .into_iter()
            .filter(|(path, _)| !self.sound.contains(*path))
            .map(|(path, size)| (path.to_owned(), size))
            .collect();
        let table = self.table.clone();
        let open = async |(path, size): (String, u64)| {
            let place = layout::table_file(&table, &path)
                .map_err(|error| LakeError::Invalid { message: format!("table `{table}`: {error}") })?;
            match Footer::read(lake.documents().objects(), lake.documents().key(&place)?).await {
                Ok(_) => Ok((path, size, true)),
                Err(LakeError::Unreadable { .. }) => Ok((path, size, false)),
                Err(error) => Err(error),
            }
        };
        let opened: Vec<(String, u64, bool)> =
            futures::stream::iter(unopened).map(open).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut found = false;
        for (path, size, is_sound) in opened {
            if is_sound {
                self.sound.insert(path);
            } else {
                self.there.remove(&(path, size));
                found = true;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Content> {
        let text = text.to_owned().into();
        Content::of(&LogEntry { version: 0, text, written_at: Timestamp::UNIX_EPOCH })
    }

    #[test]
    fn entries_are_read_or_known_to_be_torn() {
        let entry = concat!(
            r#"{"commitInfo":{"timestamp":1000,"operation":"WRITE","sluice.pipeline":"retail","sluice.run_id":"d1","sluice.attempt":1}}"#,
            "\n",
            r#"{"txn":{"appId":"sluice.input/silver/sales/t","version":4}}"#,
            "\n",
            r#"{"add":{"path":"a%20b.parquet","size":5,"dataChange":true}}"#,
            "\n",
            r#"{"remove":{"path":"c.parquet","dataChange":true}}"#,
        );
        let content = read(entry).expect("entry");
        assert_eq!(content.attempt.map(|attempt| attempt.run_id.to_string()).as_deref(), Some("d1"));
        assert_eq!(content.added, [("a b.parquet".to_owned(), 5)]);
        assert_eq!(content.removed, ["c.parquet"]);
        assert_eq!(content.inputs, BTreeMap::from([("silver/sales/t".parse().expect("table"), 4)]));
        for torn in ["", &entry[..entry.len() - 5], "\0\0\0", "{}", r#"{"add":{"path":"x"}}"#] {
            assert!(read(torn).is_none(), "{torn}");
        }
    }
}
