//! A lake that is the copy of another: its ledgers know the objects under the addresses that they have here, too
//! (`restore::adopt`), but the rows of its tables have the addresses that the objects had in the other lake.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::source::{SourceId, SourceObject};
use sluice_core::uri::ObjectUri;

use crate::lake::Lake;

/// Finds the address that an object of another lake has in this one.
pub(super) struct Copied<'a> {
    root: &'a str,
    /// The objects of the landing folder by their path in the lake, which a copy keeps.
    by_path: BTreeMap<&'a str, &'a ObjectUri>,
}

impl<'a> Copied<'a> {
    /// `listed` are the objects of the landing folder. Of objects in a folder outside the lake, nothing is known.
    pub(super) fn new(lake: &'a Lake, listed: &'a [SourceObject]) -> Self {
        Self::below(lake.root().as_url().as_str(), listed)
    }

    fn below(root: &'a str, listed: &'a [SourceObject]) -> Self {
        let paths = listed.iter().filter_map(|object| Some((object.uri.as_str().strip_prefix(root)?, &object.uri)));
        Self { root, by_path: paths.collect() }
    }

    /// The object under the address that it has in this lake, where the landing folder has an object at it.
    pub(super) fn here(&self, object: &SourceObject) -> SourceObject {
        match self.address_here(&object.uri) {
            Some(uri) => SourceObject { uri: uri.clone(), ..object.clone() },
            None => object.clone(),
        }
    }

    fn address_here(&self, uri: &ObjectUri) -> Option<&'a ObjectUri> {
        let address = uri.as_str();
        if address.starts_with(self.root) {
            return None;
        }
        let mut paths = address.match_indices('/').filter_map(|(place, _)| address.get(place + 1..));
        paths.find_map(|path| self.by_path.get(path).copied())
    }
}

/// Under which addresses bronze has the rows of objects.
pub(super) struct BronzeRows {
    /// By the id that an object has in this lake.
    addresses: BTreeMap<SourceId, ObjectUri>,
    /// Addresses of this lake for which bronze has rows under another one.
    moved: BTreeSet<ObjectUri>,
}

impl BronzeRows {
    /// `stored` are the objects that bronze has rows of.
    pub(super) fn new(copied: &Copied<'_>, stored: &[SourceObject]) -> Self {
        let (mut addresses, mut moved) = (BTreeMap::new(), BTreeSet::new());
        for object in stored {
            let here = copied.here(object);
            if here.uri == object.uri {
                addresses.insert(here.id(), here.uri);
            } else {
                addresses.entry(here.id()).or_insert_with(|| object.uri.clone());
                moved.insert(here.uri);
            }
        }
        Self { addresses, moved }
    }

    /// The object under the address that its rows have, where it has rows. `None` where nobody can say: bronze has rows
    /// from another lake for its address, but of another version; some stores give the copy of an object another etag.
    pub(super) fn of(&self, object: &SourceObject) -> Option<SourceObject> {
        match self.addresses.get(&object.id()) {
            Some(uri) => Some(SourceObject { uri: uri.clone(), ..object.clone() }),
            None if self.moved.contains(&object.uri) => None,
            None => Some(object.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "s3://copy/lake/";

    fn object(uri: &str, etag: &str) -> SourceObject {
        SourceObject { uri: uri.parse().expect(uri), etag: etag.to_owned(), size_bytes: 1, modified_at: None }
    }

    #[test]
    fn objects_of_the_other_lake_are_found_by_their_path() {
        let listed = [object("s3://copy/lake/landing/shops/day/0.csv", "e")];
        let copied = Copied::below(ROOT, &listed);
        let check = |uri: &str, expected: &str| assert_eq!(copied.here(&object(uri, "x")), object(expected, "x"));
        check("s3://first/landing/shops/day/0.csv", "s3://copy/lake/landing/shops/day/0.csv");
        check("s3://first/deep/er/landing/shops/day/0.csv", "s3://copy/lake/landing/shops/day/0.csv");
        for stays in [
            "s3://copy/lake/landing/shops/day/0.csv",
            "s3://copy/lake/old/landing/shops/day/0.csv",
            "s3://first/landing/shops/day/1.csv",
            "s3://first/day/0.csv",
        ] {
            check(stays, stays);
        }
    }

    #[test]
    fn rows_are_read_under_the_address_that_bronze_has() {
        let (own, moved) = ("s3://copy/lake/landing/shops/own.csv", "s3://copy/lake/landing/shops/moved.csv");
        let there = "s3://first/landing/shops/moved.csv";
        let listed = [object(own, "o"), object(moved, "m"), object("s3://copy/lake/landing/shops/empty.csv", "e")];
        let copied = Copied::below(ROOT, &listed);
        let rows = BronzeRows::new(&copied, &[object(own, "o"), object(there, "m")]);
        let found: Vec<Option<SourceObject>> = listed.iter().map(|object| rows.of(object)).collect();
        assert_eq!(found, [Some(listed[0].clone()), Some(object(there, "m")), Some(listed[2].clone())]);
        assert_eq!(rows.of(&object(moved, "another etag")), None);
    }
}
