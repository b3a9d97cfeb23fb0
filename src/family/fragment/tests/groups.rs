//! Runs to families, and families to known texts.

use super::*;
use crate::ids::Digest;

fn holding(texts: impl IntoIterator<Item = u32>, accounts: impl IntoIterator<Item = u32>) -> Holding {
    Holding { texts: texts.into_iter().collect(), accounts: accounts.into_iter().collect(), ..Holding::default() }
}

/// (head, within) of each run.
#[track_caller]
fn check(what: &str, runs: &[Holding], expected: &[(u32, Option<u32>)]) {
    let found: Vec<(u32, Option<u32>)> = gather(runs).iter().map(|place| (place.head, place.within)).collect();
    assert_eq!(found, expected, "{what}");
    assert_eq!(gather(runs), gather(runs), "{what}: twice the same");
}

#[test]
fn what_the_same_accounts_put_into_the_same_texts_is_one_family() {
    check("one", &[holding(0..5, 0..5)], &[(0, None)]);
    check("two of the same", &[holding(0..100, 0..50), holding(0..100, 0..50)], &[(0, None), (0, None)]);
    check("four fifths", &[holding(0..100, 0..50), holding(0..100, 0..40)], &[(0, None), (0, None)]);
    check("fewer", &[holding(0..100, 0..50), holding(0..100, 0..39)], &[(0, None), (1, None)]);
    check("half of the texts", &[holding(0..100, 0..50), holding(50..150, 0..50)], &[(0, None), (0, None)]);
    check("fewer texts", &[holding(0..100, 0..50), holding(51..151, 0..50)], &[(0, None), (1, None)]);
    check("other texts", &[holding(0..100, 0..50), holding(100..200, 0..50)], &[(0, None), (1, None)]);
    check("half of the smaller", &[holding(0..1000, 0..50), holding(0..10, 0..50)], &[(0, None), (0, None)]);
    check("nobody", &[holding([], []), holding([], [])], &[(0, None), (1, None)]);
    check("nothing", &[], &[]);
}

#[test]
fn no_chain_of_runs_drifts_away() {
    // A and B have 91 of 109 accounts in common, B and C too, A and C 82 of 118.
    let drifting: Vec<Holding> = (0..12).map(|i| holding(0..200, 9 * i..100 + 9 * i)).collect();
    check("A, B, C", &drifting[..3], &[(0, None), (0, None), (2, None)]);
    let heads: Vec<u32> = gather(&drifting).iter().map(|place| place.head).collect();
    assert_eq!(heads, [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10]);
}

#[test]
fn what_has_a_head_already_keeps_it() {
    let part = |head: u32| Holding { head: Some(head), ..holding(500..600, 500..540) };
    let runs = [Holding { head: Some(0), ..holding(0..100, 0..50) }, part(0), holding(500..600, 500..540)];
    // The third is like the second, which is a part and leads nobody.
    check("a part leads nobody", &runs, &[(0, None), (0, None), (2, None)]);
    let runs = [Holding { head: Some(0), ..holding(0..9, 0..9) }, Holding { head: Some(1), ..holding(0..9, 0..9) }];
    check("two old heads stay two", &runs, &[(0, None), (1, None)]);
}

#[test]
fn a_run_lies_within_the_nearest_more_common_one() {
    let holds = |holds: &[u32], accounts: std::ops::Range<u32>| Holding {
        holds: holds.to_vec(),
        ..holding(1000 * accounts.end..1000 * accounts.end + 100, accounts)
    };
    let runs = [holds(&[], 0..100), holds(&[0], 0..60), holds(&[0, 1], 0..20)];
    check("the nearest", &runs, &[(0, None), (1, Some(0)), (2, Some(1))]);
    let runs = [holds(&[1], 0..100), holds(&[], 0..60)];
    check("a rarer one is none", &runs, &[(0, None), (1, None)]);
    let runs = [holds(&[], 0..100), Holding { head: Some(0), ..holds(&[0], 0..90) }];
    check("never within its own family", &runs, &[(0, None), (0, None)]);
    // It holds a part of a family: it lies within the family.
    let runs = [holds(&[], 0..100), Holding { head: Some(0), ..holds(&[], 0..90) }, holds(&[1], 0..20)];
    check("within a part", &runs, &[(0, None), (0, None), (2, Some(0))]);
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
        let found = gather(&runs);
        for (i, place) in (0u32..).zip(&found) {
            let head = &found[place.head as usize];
            assert!(place.head <= i && head.head == place.head, "world {seed}: {i} is led by {place:?}");
            if place.head == i {
                let earlier = (0..i).filter(|&other| found[other as usize].head == other);
                for other in earlier {
                    assert!(
                        !alike(&runs[i as usize], &runs[other as usize]),
                        "world {seed}: {other} and {i} are alike"
                    );
                }
            } else {
                assert!(alike(&runs[i as usize], &runs[place.head as usize]), "world {seed}: {i}, {place:?}");
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
