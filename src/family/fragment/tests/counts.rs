//! Counting against a table of all fingerprints.

use super::*;
use std::collections::BTreeMap;

/// What is known of records without any cleverness: hash → texts.
fn texts_of(runs: &[Vec<PrintRecord>]) -> BTreeMap<u64, BTreeSet<u32>> {
    let mut out: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    runs.iter().flatten().for_each(|record| {
        out.entry(record.hash).or_default().insert(record.text);
    });
    out
}

/// Counts, and holds everything that is promised against the table.
#[track_caller]
fn check(
    what: &str,
    (tonight, older): (&[Vec<PrintRecord>], &[Vec<PrintRecord>]),
    pairs: &[(u32, u32)],
    (first_new, least): (u32, u32),
) -> (Vec<Seed>, BTreeSet<(u32, u32)>, usize) {
    fn slices(runs: &[Vec<PrintRecord>]) -> Vec<&[PrintRecord]> {
        runs.iter().map(Vec::as_slice).collect()
    }
    let (new, old) = (slices(tonight), slices(older));
    let n_texts = pairs.iter().map(|pair| pair.0 as usize + 1).max().unwrap_or(0);
    let n_accounts = pairs.iter().map(|pair| pair.1 as usize + 1).max().unwrap_or(0);
    let accounts_of = AccountsOf::new(|| pairs.iter().copied(), 0..n_texts as u32, n_accounts);
    let (asked, table) = (texts_of(tonight), texts_of(&[tonight, older].concat()));
    let accounts = |texts: &mut dyn Iterator<Item = u32>| -> BTreeSet<u32> {
        let texts: BTreeSet<u32> = texts.collect();
        pairs.iter().filter(|pair| texts.contains(&pair.0)).map(|pair| pair.1).collect()
    };
    let mut paired: BTreeSet<(u32, u32)> = BTreeSet::new();
    let printed = Printed { tonight: &new, older: &old, first: 0, first_new };
    super::super::pairs(printed, &mut |more| paired.extend(more.iter().map(|&(new, other, _)| (new, other))));
    let count =
        |printed, known: &(dyn Fn(u64) -> bool + Sync)| count(printed, &accounts_of, least, &|text| text, known);
    let seeds = count(printed, &|_| false);
    let unknown: Vec<Seed> = seeds.iter().filter(|seed| seed.hash % 3 != 0).cloned().collect();
    assert_eq!(count(printed, &|hash| hash % 3 == 0), unknown, "{what}: what is known is no seed");
    let first = first_new / 2;
    let trailing: Vec<Vec<PrintRecord>> =
        older.iter().map(|run| run.iter().filter(|record| record.text >= first).copied().collect()).collect();
    let without = Printed { older: &slices(&trailing), ..printed };
    let left = Printed { first, ..printed };
    assert_eq!(count(left, &|_| false), count(without, &|_| false), "{what}: texts before the first count for nothing");
    let order: Vec<(std::cmp::Reverse<u32>, u64)> =
        seeds.iter().map(|seed| (std::cmp::Reverse(seed.accounts), seed.hash)).collect();
    assert!(order.is_sorted_by(|a, b| a < b), "{what}: most accounts first, ties by hash, each once");
    for seed in &seeds {
        let texts = &table[&seed.hash];
        let all = accounts(&mut texts.iter().copied());
        assert_eq!((seed.accounts as usize, seed.texts as usize), (all.len(), texts.len()), "{what}: {:x}", seed.hash);
        assert!(seed.accounts >= least && asked.contains_key(&seed.hash), "{what}");
        assert!((2..=48).contains(&seed.sample.len()), "{what}: {}", seed.sample.len());
        let mut before: BTreeSet<u32> = BTreeSet::new();
        for &(text, at) in &seed.sample {
            let record = PrintRecord { hash: seed.hash, text, at };
            assert!(tonight.iter().chain(older).any(|run| run.contains(&record)), "{what}: nobody has {record:?}");
            let own = accounts(&mut [text].into_iter());
            assert!(!own.is_subset(&before), "{what}: one account speaks twice");
            before.extend(own);
        }
    }
    let found: BTreeSet<u64> = seeds.iter().map(|seed| seed.hash).collect();
    let mut n_waiting = 0;
    for hash in asked.keys() {
        let texts = &table[hash];
        let all = accounts(&mut texts.iter().copied());
        // What one text has nearly to itself, however many send it, needs no fragment.
        let is_wide = |texts: &BTreeSet<u32>, all: usize| {
            let share = |text: u32| accounts(&mut [text].into_iter()).len() as f64 / all as f64;
            all >= least as usize && texts.iter().all(|&text| share(text) <= MOST_IN_ONE_FAMILY)
        };
        // What earlier nights could have grown waits for a quarter more accounts.
        let before: BTreeSet<u32> = texts.iter().copied().filter(|&text| text < first_new).collect();
        let n_before = accounts(&mut before.iter().copied()).len();
        let waits = is_wide(&before, n_before) && 4 * all.len() < 5 * n_before;
        n_waiting += usize::from(waits);
        assert_eq!(
            found.contains(hash),
            is_wide(texts, all.len()) && !waits,
            "{what}: {hash:x} of {} accounts",
            all.len()
        );
    }
    for &(a, b) in &paired {
        assert!(a >= first_new && b < a, "{what}: ({a}, {b}) is no new text with an earlier one");
        assert!(table.values().any(|texts| texts.contains(&a) && texts.contains(&b)), "{what}: ({a}, {b})");
    }
    for texts in asked.keys().map(|hash| &table[hash]).filter(|texts| texts.len() <= 9) {
        for &a in texts.iter().filter(|&&a| a >= first_new) {
            for &b in texts.iter().filter(|&&b| b < a) {
                assert!(paired.contains(&(a, b)), "{what}: ({a}, {b}) is not paired");
            }
        }
    }
    (seeds, paired, n_waiting)
}

fn record(hash: u64, text: u32) -> PrintRecord {
    PrintRecord { hash, text, at: text % 7 }
}

#[test]
fn accounts_are_counted_exactly_over_any_split_into_nights_and_runs() {
    let (mut n_seeds, mut n_waiting) = (0, 0);
    for seed in 0..200 {
        let rng = &mut rng(seed);
        // Hashes of all parts of the range, both its ends among them.
        let mut hashes: Vec<u64> = (0..rng.random_range(3..40)).map(|_| rng.random::<u64>()).collect();
        hashes.extend([0, 1, u64::MAX, u64::MAX - 1, 1 << 56, (1 << 56) - 1]);
        let n_texts = rng.random_range(2..60u32);
        let first_new = rng.random_range(0..n_texts);
        let n_accounts = rng.random_range(1..25u32);
        let pairs: Vec<(u32, u32)> = (0..n_texts)
            .flat_map(|text| {
                let n = if rng.random_range(0..4) == 0 { rng.random_range(1..6) } else { 1 };
                (0..n).map(|_| (text, rng.random_range(0..n_accounts))).collect::<Vec<_>>()
            })
            .collect();
        let (n_tonight, n_older) = (rng.random_range(1..4), rng.random_range(1..5));
        let (mut tonight, mut older) = (vec![Vec::new(); n_tonight], vec![Vec::new(); n_older]);
        for text in 0..n_texts {
            let mine: BTreeSet<u64> = (0..rng.random_range(0..8))
                .map(|_| hashes[(rng.random::<f64>().powi(2) * hashes.len() as f64) as usize])
                .collect();
            let run = if text < first_new {
                &mut older[rng.random_range(0..n_older)]
            } else {
                &mut tonight[rng.random_range(0..n_tonight)]
            };
            run.extend(mine.iter().map(|&hash| record(hash, text)));
        }
        tonight.iter_mut().chain(&mut older).for_each(|run| run.sort_unstable());
        for least in [2, 3, 6] {
            let (seeds, _, waiting) = check(&format!("world {seed}"), (&tonight, &older), &pairs, (first_new, least));
            (n_seeds, n_waiting) = (n_seeds + seeds.len(), n_waiting + waiting);
        }
    }
    assert!(n_seeds > 1_000 && n_waiting > 100, "{n_seeds}, {n_waiting}");
}

#[test]
fn one_text_of_many_accounts_is_no_seed_and_one_busy_account_is_one_voice() {
    // The hash 7 is in one text that 30 accounts sent; 8 is in 300 texts of one account, and 9 in those and one more.
    let mut pairs: Vec<(u32, u32)> = (0..30).map(|account| (0, account)).collect();
    pairs.extend((1..=300).map(|text| (text, 30)));
    pairs.push((301, 31));
    let mut run: Vec<PrintRecord> = vec![record(7, 0), record(9, 301)];
    run.extend((1..=300).flat_map(|text| [record(8, text), record(9, text)]));
    run.sort_unstable();
    let (seeds, paired, _) = check("busy", (&[run], &[]), &pairs, (0, 2));
    assert_eq!(seeds.len(), 1);
    let Seed { hash, accounts, texts, sample } = &seeds[0];
    assert_eq!((*hash, *accounts, *texts), (9, 2, 301));
    assert_eq!(sample.iter().map(|at| at.0).collect::<Vec<_>>(), [1, 301], "of 300 texts of one account one is asked");
    assert_eq!(paired, BTreeSet::new(), "what more than 256 texts have makes no candidates");
}

#[test]
fn the_sample_is_spread_over_all_accounts() {
    let pairs: Vec<(u32, u32)> = (0..1_000).map(|text| (text, text / 2)).collect();
    let run: Vec<PrintRecord> = (0..1_000).map(|text| record(5, text)).collect();
    let (seeds, ..) = check("spread", (&[run[400..].to_vec()], &[run[..400].to_vec()]), &pairs, (400, 5));
    let sample: Vec<u32> = seeds[0].sample.iter().map(|at| at.0).collect();
    assert_eq!((seeds[0].accounts, sample.len()), (500, 48));
    assert!(sample[0] < 25 && sample[47] > 950, "{sample:?}");
    assert!(sample.windows(2).all(|two| (18..=24).contains(&(two[1] - two[0]))), "{sample:?}");
}

#[test]
fn nothing_of_tonight_asks_for_nothing() {
    let older: Vec<PrintRecord> = (0..20).map(|text| record(5, text)).collect();
    let pairs: Vec<(u32, u32)> = (0..20).map(|text| (text, text)).collect();
    for tonight in [&[][..], &[Vec::new()]] {
        let (seeds, paired, _) = check("empty", (tonight, std::slice::from_ref(&older)), &pairs, (20, 2));
        assert!(seeds.is_empty() && paired.is_empty());
    }
}

#[test]
fn accounts_of_texts_that_do_not_exist_are_none() {
    let accounts = AccountsOf::new(|| [(1, 4), (1, 4), (1, 2), (0, 9), (7, 1), (2, 10)].into_iter(), 0..3, 10);
    assert_eq!(
        [0, 1, 2, 3, u32::MAX].map(|text| accounts.of(text).to_vec()),
        [vec![9], vec![2, 4], vec![], vec![], vec![]]
    );
    assert_eq!(accounts.of_all([1, 0, 1, 5].into_iter()), [2, 4, 9]);
    let newer = AccountsOf::new(|| [(1, 4), (1, 2), (0, 9), (2, 1), (7, 1)].into_iter(), 1..3, 10);
    assert_eq!([0, 1, 2, 3].map(|text| newer.of(text).to_vec()), [vec![], vec![2, 4], vec![1], vec![]]);
}
