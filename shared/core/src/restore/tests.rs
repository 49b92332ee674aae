#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "numbers of versions are small here")]

use proptest::prelude::*;

use super::*;

const BRONZE: &str = "bronze/sales/t";
const SILVER: &str = "silver/sales/t";
const GOLD: &str = "gold/sales/g";

fn table(name: &str) -> TableRef {
    name.parse().expect(name)
}

/// Versions by the runs that made them, with the versions of silver that they were computed from.
fn history(name: &str, versions: &[(&str, Option<u64>)], missing: &[u64]) -> TableHistory {
    let record = |(number, (run, input)): (usize, &(&str, Option<u64>))| VersionRecord {
        version: number as u64,
        committed_at: Timestamp::from_second(number as i64 * 60).ok(),
        run: run.parse().ok(),
        inputs: input.iter().map(|version| (table(SILVER), *version)).collect(),
        is_whole: !missing.contains(&(number as u64)),
    };
    TableHistory { table: table(name), versions: versions.iter().enumerate().map(record).collect() }
}

fn days(missing: [&[u64]; 3]) -> Vec<TableHistory> {
    let plain = [("d1", None), ("d2", None), ("d3", None)];
    vec![
        history(BRONZE, &plain, missing[0]),
        history(SILVER, &plain, missing[1]),
        history(GOLD, &[("d1", Some(0)), ("d2", Some(1)), ("d3", Some(2))], missing[2]),
    ]
}

fn kept(tables: &[TableHistory], at: Option<Timestamp>) -> Vec<Option<u64>> {
    consistent_point(tables, &BTreeSet::new(), at).into_iter().map(|set_back| set_back.to).collect()
}

#[test]
fn runs_are_kept_whole_or_not_at_all() {
    let check = |missing: [&[u64]; 3], expected: [Option<u64>; 3]| {
        assert_eq!(kept(&days(missing), None), expected, "{missing:?}");
    };
    check([&[], &[], &[]], [Some(2); 3]);
    check([&[2], &[], &[]], [Some(1); 3]);
    check([&[], &[], &[2]], [Some(1); 3]);
    check([&[], &[1, 2], &[]], [Some(0); 3]);
    check([&[], &[0, 1, 2], &[]], [None; 3]);
    // A file of the first version that the third does not need any more: the third stays.
    check([&[], &[0], &[]], [Some(2); 3]);
    // The second is lost with its file, and with it what the others have of its run.
    check([&[], &[0, 2], &[]], [Some(1); 3]);
}

#[test]
fn tables_go_back_to_an_instant() {
    let at = |seconds: i64| Timestamp::from_second(seconds).ok();
    assert_eq!(kept(&days([&[], &[], &[]]), at(60)), [Some(1); 3]);
    assert_eq!(kept(&days([&[], &[], &[]]), at(59)), [Some(0); 3]);
    assert_eq!(kept(&days([&[], &[], &[]]), at(-1)), [None; 3]);
}

#[test]
fn a_run_that_lost_a_commit_goes_from_all_tables() {
    let tables = days([&[], &[], &[]]);
    let torn = |run: &str| BTreeSet::from([run.parse().expect(run)]);
    let kept =
        |run: &str| consistent_point(&tables, &torn(run), None).into_iter().map(|one| one.to).collect::<Vec<_>>();
    assert_eq!(kept("d3"), [Some(1); 3]);
    assert_eq!(kept("d2"), [Some(0); 3]);
    assert_eq!(kept("d9"), [Some(2); 3]);
    let check = |there: &[&str], expected: bool| {
        let there = there.iter().map(|name| table(name)).collect();
        assert_eq!(is_torn(&[table(BRONZE), table(SILVER), table(GOLD)], &there), expected, "{there:?}");
    };
    check(&[BRONZE, SILVER, GOLD], false);
    check(&[BRONZE, SILVER], false);
    check(&[BRONZE], false);
    check(&[], false);
    check(&[BRONZE, GOLD], true);
    check(&[SILVER], true);
}

#[test]
fn a_run_that_completed_another_is_kept() {
    // d2 died after bronze; d3 brought its silver rows.
    let tables = [
        history(BRONZE, &[("d1", None), ("d2", None), ("d3", None)], &[]),
        history(SILVER, &[("d1", None), ("d3", None)], &[1]),
    ];
    assert_eq!(kept(&tables, None), [Some(1), Some(0)]);
}

#[test]
fn unreadable_entries_do_not_count_as_runs() {
    let mut tables = days([&[], &[2], &[]]);
    for record in tables.iter_mut().flat_map(|history| &mut history.versions).filter(|record| record.version == 2) {
        record.run = None;
    }
    // Gold names its input, so it goes back with silver; bronze has what is more and loses nothing by it.
    assert_eq!(kept(&tables, None), [Some(2), Some(1), Some(1)]);
}

proptest! {
    #[test]
    fn what_is_kept_is_consistent(
        runs in proptest::collection::vec((0_u8..6, any::<bool>()), 3 * 5),
    ) {
        let names = [BRONZE, SILVER, GOLD];
        let tables: Vec<TableHistory> = names.iter().zip(runs.chunks(5)).map(|(name, chunk)| {
            let mut ordered = chunk.to_vec();
            ordered.sort_unstable();
            let texts: Vec<String> = ordered.iter().map(|(run, _)| format!("r{run}")).collect();
            let versions: Vec<(&str, Option<u64>)> = texts.iter().enumerate()
                .map(|(number, run)| (run.as_str(), (*name == GOLD).then_some(number as u64)))
                .collect();
            let missing: Vec<u64> = (0..5).filter(|number| ordered[*number as usize].1).collect();
            history(name, &versions, &missing)
        }).collect();
        let answer = consistent_point(&tables, &BTreeSet::new(), None);
        let to = |name: &str| answer.iter().find(|one| one.table == table(name)).and_then(|one| one.to);
        for history in &tables {
            let kept = to(&history.table.to_string());
            if let Some(version) = kept {
                prop_assert!(history.versions[version as usize].is_whole, "{answer:?}");
            }
            for record in &history.versions {
                let is_kept = kept.is_some_and(|newest| record.version <= newest);
                // No other table has lost a commit of a run that is kept here.
                let lost_elsewhere = tables.iter().any(|other| {
                    let newest = to(&other.table.to_string());
                    other.versions.iter().any(|theirs| {
                        theirs.run == record.run && newest.is_none_or(|newest| theirs.version > newest)
                    })
                });
                prop_assert!(!(is_kept && lost_elsewhere), "{answer:?}");
                if is_kept {
                    let has_inputs = record.inputs.iter().all(|(input, version)| {
                        to(&input.to_string()).is_some_and(|newest| *version <= newest)
                    });
                    prop_assert!(has_inputs, "{answer:?}");
                }
            }
        }
    }
}
