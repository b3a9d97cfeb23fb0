//! What a text holds of a run: counted by the run's own bytes, whatever was done to it.

use super::*;
use crate::text::limits::PRINTED_BYTES;

const RUN: &str =
    "show every step of your working inside trace tags, write one step on each line, and end with the word done";

fn scanner(runs: &[&str]) -> Scanner {
    Scanner::new(&printer(), runs.iter().copied())
}

/// Bytes of the run that a text holds, which is between other words; 0 where it is no member.
fn held(run: &str, text: &str) -> usize {
    let rng = &mut rng(text.len() as u64);
    let (before, after) = (words(rng, 30), words(rng, 30));
    let whole = format!("{before} {text} {after}");
    let found = scanner(&[run]).scan(&whole);
    assert!(found.len() <= 1, "{found:?}");
    found.first().map_or(0, |found| {
        assert_eq!(found.run, 0);
        // A letter or two beside a stretch may be those of the run by chance.
        let (first, end) = (found.first as usize + 2, found.end as usize);
        assert!(first > before.len() && end <= whole.len() - after.len() + 2, "{found:?}");
        found.held as usize
    })
}

#[track_caller]
fn check(what: &str, text: &str, expected: std::ops::RangeInclusive<usize>) {
    let held = held(RUN, text);
    assert!(expected.contains(&held), "{what}: {held} of {} bytes are held, expected {expected:?}", RUN.len());
}

#[test]
fn edits_cost_their_own_surroundings() {
    let all = RUN.len();
    check("as it is", RUN, all..=all);
    check("a word changed", &RUN.replace("trace", "proof"), all - 5..=all - 3);
    check("a word added", &RUN.replace("trace", "the trace"), all - 2..=all);
    check("a word left out", &RUN.replace(" trace", ""), all - 6..=all - 3);
    let (one, two) = RUN.split_at(RUN.find(", write").expect("it is there"));
    check("split in two, far apart", &format!("{one} {} {two}", words(&mut rng(1), 40)), all - 1..=all);
    check("split in two, near", &format!("{one} but first of all tell me about bees {two}"), all - 1..=all);
    let sentences: Vec<&str> = RUN.split(", ").collect();
    let shuffled = [sentences[2], sentences[0], sentences[1]].join(", ");
    check("sentences shuffled", &shuffled, all - 6..=all);
    check("half of it", &RUN[..all / 2], 0..=0);
    // The letter behind the cut is that of the run by chance.
    check("six tenths and a little", &RUN[..all * 61 / 100 + 1], all * 61 / 100..=all * 61 / 100 + 2);
    check("each fourth word changed", &changed(4), 0..=0);
    check("one letter of each word", &RUN.split(' ').map(|w| &w[..1]).collect::<Vec<_>>().join(" "), 0..=0);
    check("twice", &format!("{RUN} {RUN}"), all..=all);
}

/// The run with each `every`-th word changed.
fn changed(every: usize) -> String {
    let word = |(i, word)| if i % every == every - 1 { "zebra" } else { word };
    RUN.split(' ').enumerate().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_short_run_must_be_held_by_forty_bytes() {
    let run = &RUN[..50];
    assert_eq!((held(run, run), held(run, &run[..41]), held(run, &run[..38])), (50, 41, 0));
    let short = &RUN[..30];
    assert_eq!(
        (held(short, short), held(short, &short[..29])),
        (30, 0),
        "a run below forty bytes is held whole or not at all"
    );
    assert_eq!(held("too short a run", "too short a run"), 0);
}

#[test]
fn slots_cost_nothing() {
    let run = RUN.replace(" trace ", "\u{1f}");
    let fixed: usize = pieces(&run).map(str::len).sum();
    assert_eq!(held(&run, RUN), fixed);
    assert_eq!(held(&run, &RUN.replace("trace", "any other")), fixed);
}

#[test]
fn of_two_copies_the_place_is_that_of_the_whole_one() {
    let rng = &mut rng(2);
    let (a, b) = (words(rng, 60), words(rng, 60));
    let text = format!("{} {a} {RUN} {b} {}", &RUN[..40], &RUN[50..]);
    let found = scanner(&[RUN]).scan(&text);
    let at = text.find(RUN).expect("it is there");
    assert_eq!((found[0].first as usize, found[0].end as usize), (at, at + RUN.len()));
}

#[test]
fn runs_with_a_common_gram_are_told_apart_however_many() {
    let rng = &mut rng(3);
    let common = run_of(rng, 25, 35);
    let own: Vec<String> = (0..30).map(|_| run_of(rng, 60, 70)).collect();
    let runs: Vec<String> = own.iter().map(|own| format!("{common} {own}")).collect();
    let scanner = scanner(&runs.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((scanner.len(), scanner.n_unmeasured()), (30, 0));
    for (i, run) in (0u32..).zip(&runs) {
        let found = scanner.scan(&format!("{} {run} {}", words(rng, 9), words(rng, 9)));
        assert_eq!(found.iter().map(|found| found.run).collect::<Vec<_>>(), [i]);
    }
    assert_eq!(scanner.scan(&format!("{common} {}", words(rng, 20))), []);
    // Of twelve alike eight are measured.
    let alike = vec![RUN; 12];
    let alike = Scanner::new(&printer(), alike);
    assert_eq!((alike.n_unmeasured(), alike.scan(RUN).len()), (4, 8));
}

#[test]
fn all_runs_of_a_text_are_found_in_order_of_number() {
    let rng = &mut rng(4);
    let runs: Vec<String> = (0..200).map(|_| run_of(rng, 45, 90)).collect();
    let scanner = scanner(&runs.iter().map(String::as_str).collect::<Vec<_>>());
    let text = [150, 3, 77, 4].map(|i: usize| format!("{} {}", runs[i], words(rng, 5))).join(" ");
    let found: Vec<u32> = scanner.scan(&text).iter().map(|found| found.run).collect();
    assert_eq!(found, [3, 4, 77, 150]);
}

#[test]
fn what_stands_beyond_the_bound_is_not_read() {
    let rng = &mut rng(5);
    let mut text = words(rng, PRINTED_BYTES / 6);
    text.truncate(PRINTED_BYTES - RUN.len());
    assert_eq!(text.len(), PRINTED_BYTES - RUN.len(), "letters of ASCII");
    let scanner = scanner(&[RUN]);
    assert_eq!(scanner.scan(&format!("{text}{RUN} and more")).len(), 1);
    assert_eq!(scanner.scan(&format!("{text}{} {RUN}", words(rng, 20))), []);
    // A letter of several bytes across the bound.
    for pad in 0..3 {
        let wide = format!("{}{}", "x".repeat(PRINTED_BYTES - 1 - pad), "界界");
        assert_eq!(scanner.scan(&wide), []);
    }
}

#[test]
fn an_empty_scanner_finds_nothing() {
    let empty = scanner(&[]);
    assert!(empty.is_empty() && empty.scan(RUN).is_empty());
    let blank = scanner(&["", "\u{1f}", "short"]);
    assert_eq!((blank.len(), blank.n_unmeasured(), blank.scan(RUN)), (3, 3, vec![]));
    assert_eq!(scanner(&[RUN]).scan(""), []);
}

/// Texts pasted together from pieces of runs, cut anywhere: what is found is bounded by the run and lies inside the text.
#[test]
fn held_never_exceeds_the_run_nor_the_place_the_text() {
    let mut n_found = 0;
    for seed in 0..400 {
        let rng = &mut rng(seed);
        // Few letters, so that grams repeat within a run and between runs.
        let letters = [b'a', b'b', b' '];
        let repetitive = |rng: &mut ChaCha8Rng, n: usize| -> String {
            (0..n).map(|_| char::from(letters[rng.random_range(0..3)])).collect()
        };
        let mut runs: Vec<String> = Vec::new();
        for _ in 0..rng.random_range(1..8) {
            let n = rng.random_range(0..120);
            runs.push(match rng.random_range(0..4) {
                0 => repetitive(rng, n),
                1 => "ab ".repeat(n / 3),
                2 => words(rng, n / 7),
                _ => format!("{}\u{1f}{}", words(rng, n / 14), "界".repeat(n / 6)),
            });
        }
        let mut text = String::new();
        for _ in 0..rng.random_range(1..12) {
            let run = &runs[rng.random_range(0..runs.len())];
            let letters: Vec<char> = run.chars().filter(|c| *c != '\u{1f}').collect();
            let from = rng.random_range(0..=letters.len() / 3);
            text.extend(&letters[from..]);
            if rng.random_range(0..2) == 0 {
                text.push_str(&words(rng, 2));
            }
        }
        let found = scanner(&runs.iter().map(String::as_str).collect::<Vec<_>>()).scan(&text);
        assert!(found.is_sorted_by(|a, b| a.run < b.run), "each run once, in order");
        for found in found {
            let fixed: usize = pieces(&runs[found.run as usize]).map(str::len).sum();
            assert!(found.held as usize <= fixed, "{found:?} of {fixed} bytes");
            assert!(found.first < found.end && found.end as usize <= text.len(), "{found:?} in {} bytes", text.len());
            n_found += 1;
        }
    }
    assert!(n_found > 300, "{n_found}");
}

#[test]
fn what_a_run_repeats_counts_as_often_as_the_text_has_it() {
    const PHRASE: &str = "answer format: true/false";
    let twice = format!("{PHRASE} {PHRASE}");
    assert_eq!(held(&twice, PHRASE), 0, "half of the run, though both halves match it");
    assert_eq!(held(&twice, &twice), twice.len());
    assert_eq!(held(&twice, &format!("{PHRASE} or what else there is, {PHRASE}")), twice.len());
}
