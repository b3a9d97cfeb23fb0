//! Runs to families, and families to known texts.

use super::*;
use crate::ids::Digest;

fn holding(texts: impl IntoIterator<Item = u32>, accounts: impl IntoIterator<Item = u32>) -> Holding {
    Holding { head: None, texts: texts.into_iter().collect(), accounts: accounts.into_iter().collect() }
}

/// All runs, numbered from 0.
pub(super) struct All<'a>(pub(super) &'a [Holding]);

impl Holders for All<'_> {
    fn of_text(&self, text: u32) -> Vec<u32> {
        (0..).zip(self.0).filter(|(_, run)| run.texts.contains(&text)).map(|(number, _)| number).collect()
    }

    fn n_texts(&self, run: u32) -> usize {
        self.0[run as usize].texts.len()
    }

    fn n_shared(&self, run: u32, texts: &[u32]) -> usize {
        texts.iter().filter(|text| self.0[run as usize].texts.contains(text)).count()
    }

    fn accounts(&self, run: u32, most: usize) -> Option<Vec<u32>> {
        Some(self.0[run as usize].accounts.clone()).filter(|accounts| accounts.len() <= most)
    }
}

/// Heads, if the first `n_known` are heads of an earlier night.
fn heads(runs: &[Holding], n_known: usize) -> Vec<u32> {
    gather(&runs[n_known..], n_known as u32, &All(runs))
}

#[track_caller]
fn check(what: &str, runs: &[Holding], expected: &[u32]) {
    assert_eq!(heads(runs, 0), expected, "{what}");
    // A head of an earlier night leads as one of tonight does.
    if !runs.is_empty() {
        assert_eq!(heads(runs, 1), expected[1..], "{what}: later");
    }
}

#[test]
fn what_the_same_accounts_put_into_the_same_texts_is_one_family() {
    check("one", &[holding(0..5, 0..5)], &[0]);
    check("two of the same", &[holding(0..100, 0..50), holding(0..100, 0..50)], &[0, 0]);
    check("four fifths", &[holding(0..100, 0..50), holding(0..100, 0..40)], &[0, 0]);
    check("four fifths the other way", &[holding(0..100, 0..40), holding(0..100, 0..50)], &[0, 0]);
    check("fewer", &[holding(0..100, 0..50), holding(0..100, 0..39)], &[0, 1]);
    check("fewer the other way", &[holding(0..100, 0..39), holding(0..100, 0..50)], &[0, 1]);
    check("half of the texts", &[holding(0..100, 0..50), holding(50..150, 0..50)], &[0, 0]);
    check("fewer texts", &[holding(0..100, 0..50), holding(51..151, 0..50)], &[0, 1]);
    check("other texts", &[holding(0..100, 0..50), holding(100..200, 0..50)], &[0, 1]);
    check("half of the smaller", &[holding(0..1000, 0..50), holding(0..10, 0..50)], &[0, 0]);
    check("nobody", &[holding([], []), holding([], [])], &[0, 1]);
    check("nothing", &[], &[]);
}

#[test]
fn no_chain_of_runs_drifts_away() {
    // A and B have 91 of 109 accounts in common, B and C too, A and C 82 of 118.
    let drifting: Vec<Holding> = (0..12).map(|i| holding(0..200, 9 * i..100 + 9 * i)).collect();
    check("A, B, C", &drifting[..3], &[0, 0, 2]);
    assert_eq!(heads(&drifting, 0), [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10]);
}

#[test]
fn what_is_decided_stays_and_leads_nobody() {
    let part = |head: u32| Holding { head: Some(head), ..holding(500..600, 500..540) };
    // The third is like the second, which is a part.
    check("a part leads nobody", &[holding(0..100, 0..50), part(0), holding(500..600, 500..540)], &[0, 0, 2]);
    check("its head is a part after all", &[holding(0..100, 0..50), holding(0..100, 0..50), part(1)], &[0, 0, 0]);
}

#[test]
fn a_run_lies_within_the_nearest_more_common_one() {
    let within = |accounts, held: &[(u32, u64)]| nearest_wider(accounts, held.iter().copied());
    assert_eq!(within(20, &[(0, 100), (1, 60)]), Some(1), "the nearest");
    assert_eq!(within(60, &[(0, 60), (1, 40)]), None, "a rarer one is none, and a like one");
    assert_eq!(within(20, &[(7, 60), (3, 60)]), Some(3), "of two alike the older");
    assert_eq!(within(20, &[]), None);
}

/// Random holdings: heads lead themselves, parts are like their heads, and like runs are never two heads.
#[test]
fn any_runs_gather_as_the_rules_say() {
    let mut parts = 0;
    for seed in 0..300 {
        let rng = &mut rng(seed);
        let mut runs: Vec<Holding> = Vec::new();
        for _ in 0..rng.random_range(1..30) {
            let from = rng.random_range(0..6) * 100;
            let pick = |rng: &mut ChaCha8Rng, n: u32, share: f64| -> Vec<u32> {
                (from..from + n).filter(|_| rng.random::<f64>() < share).collect()
            };
            let (texts, accounts) = (pick(rng, 80, 0.9), pick(rng, 60, 0.95));
            runs.push(holding(texts, accounts));
        }
        let common = |a: &[u32], b: &[u32]| a.iter().filter(|x| b.contains(x)).count() as f64;
        let alike = |a: &Holding, b: &Holding| {
            let both = common(&a.accounts, &b.accounts);
            let texts = common(&a.texts, &b.texts);
            both >= 0.8 * ((a.accounts.len() + b.accounts.len()) as f64 - both)
                && texts >= 0.5 * a.texts.len().min(b.texts.len()) as f64
        };
        let found = heads(&runs, 0);
        // Some of them of an earlier night, if each of those is a head: the same comes out.
        let n_known = found.iter().zip(0..).take_while(|(head, i)| *head == i).count();
        assert_eq!(heads(&runs, n_known), found[n_known..], "world {seed}");
        for (i, &place) in (0u32..).zip(&found) {
            assert!(place <= i && found[place as usize] == place, "world {seed}: {i} is led by {place}");
            if place == i {
                let earlier = (0..i).filter(|&other| found[other as usize] == other);
                for other in earlier {
                    assert!(
                        !alike(&runs[i as usize], &runs[other as usize]),
                        "world {seed}: {other} and {i} are alike"
                    );
                }
            } else {
                assert!(alike(&runs[i as usize], &runs[place as usize]), "world {seed}: {i}, {place}");
                parts += 1;
            }
        }
    }
    assert!(parts > 500, "{parts}");
}

const LICENCE: &str = "permission is hereby granted, free of charge, to any person obtaining a copy of this software and \
                       associated documentation files, to deal in the software without restriction";

#[test]
fn a_known_text_explains_four_fifths_of_it() {
    let mut known = KnownTexts::new(&printer());
    assert!(known.is_empty() && known.explains(LICENCE, &Digest::of(LICENCE.as_bytes())).is_none());
    known.add_text("licences.txt", LICENCE);
    let rng = &mut rng(1);
    let asked = |run: &str| known.explains(run, &Digest::of(run.as_bytes())).map(str::to_owned);
    let name = Some("licences.txt".to_owned());
    assert!(!known.is_empty());
    assert_eq!(asked(LICENCE), name);
    assert_eq!(asked(&LICENCE[13..90]), name, "a stretch of it");
    assert_eq!(asked(&LICENCE.replace("free of charge", "\u{1f}")), name, "with a slot");
    assert_eq!(asked(&words(rng, 20)), None);
    let with = |share: usize, rng: &mut ChaCha8Rng| {
        let mut rest = words(rng, 40);
        rest.truncate(100 - share);
        format!("{}{rest}", &LICENCE[..share])
    };
    assert_eq!(asked(&with(70, rng)), None, "70 bytes in 100 are not enough");
    assert_eq!(asked(&with(90, rng)), name, "90 bytes in 100 are");
    assert_eq!(asked("short"), None, "what has no gram is not explained");
}

#[test]
fn a_digest_explains_its_run_only_and_the_first_source_is_named() {
    let mut known = KnownTexts::new(&printer());
    let digest = Digest::of(LICENCE.as_bytes());
    known.add_digest("by digest", digest);
    assert!(!known.is_empty());
    assert_eq!(known.explains(LICENCE, &digest), Some("by digest"));
    assert_eq!(known.explains(LICENCE, &Digest::of(b"other")), None, "a digest does not know the text");
    known.add_digest("again", digest);
    known.add_text("by text", LICENCE);
    known.add_text("longer", &format!("{LICENCE} and so on and so forth, as the case may be"));
    assert_eq!(known.explains(LICENCE, &digest), Some("by digest"));
    assert_eq!(known.explains(&LICENCE[10..], &Digest::of(b"other")), Some("by text"));
    // Two sources that hold half each explain nothing together.
    let mut halves = KnownTexts::new(&printer());
    halves.add_text("one", &LICENCE[..80]);
    halves.add_text("two", &LICENCE[80..]);
    assert_eq!(halves.explains(LICENCE, &digest), None);
}
