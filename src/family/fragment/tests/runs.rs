//! Runs grown from a gram that all holders have: what is fixed comes out, what varies is a slot.

use super::*;
use crate::family::fragment::run::SLOT;

const FRAGMENT: &str =
    "show every step of your working inside trace tags, write one step on each line, and end with the word done";

/// The run around `gram`, from holders that have it.
fn run_around(texts: Vec<String>, gram: &str) -> Option<String> {
    assert_eq!(gram.len(), GRAM, "{gram:?}");
    let sample: Vec<(u32, u32)> =
        (0u32..).zip(&texts).filter_map(|(text, folded)| folded.find(gram).map(|at| (text, at as u32))).collect();
    assert!(sample.len() > 1, "{gram:?} is in {} texts", sample.len());
    let seed = Seed { hash: 1, accounts: sample.len() as u32, texts: sample.len() as u32, sample };
    extract(&seed, &World::of(texts))
}

/// Holders of a fragment each, among words that nothing has in common.
fn holders(seed: u64, fragments: impl IntoIterator<Item = String>) -> Vec<String> {
    let rng = &mut rng(seed);
    let around = |fragment: String| format!("{} {fragment} {}", words(rng, 14), words(rng, 14));
    fragments.into_iter().map(around).collect()
}

/// The run that holders of these fragments give, whichever of its grams is the seed.
#[track_caller]
fn check(what: &str, fragments: &[String], grams: &[&str], expected: Option<&str>) {
    for (seed, gram) in (0..).zip(grams) {
        let found = run_around(holders(seed, fragments.iter().cloned()), gram);
        assert_eq!(found.as_deref(), expected, "{what}, from {gram:?}");
    }
}

/// Grams of [`FRAGMENT`] at its start, in its middle and at its end.
const GRAMS: [&str; 3] = ["show every step of your ", "trace tags, write one st", ", and end with the word "];

#[test]
fn a_fixed_run_comes_out_whole_from_any_of_its_grams() {
    for n in [2, 5, 8, 9, 30, 48] {
        check("fixed", &vec![FRAGMENT.to_owned(); n], &GRAMS, Some(FRAGMENT));
    }
}

#[test]
fn what_varies_is_a_slot() {
    let rng = &mut rng(3);
    let named = |name: &str| FRAGMENT.replace("trace tags", name);
    let one: Vec<String> = (0..12).map(|_| named(&format!("{} tags", words(rng, 1)))).collect();
    let expected = FRAGMENT.replace(" trace ", &SLOT.to_string());
    check("one word", &one, &[GRAMS[0], GRAMS[2]], Some(&expected));
    let several: Vec<String> = (0..12).map(|i| named(&format!("{} tags", words(rng, 2 + i % 4)))).collect();
    check("two to five words", &several, &[GRAMS[0], GRAMS[2]], Some(&expected));
    let many: Vec<String> = (0..12).map(|_| named(&words(rng, 30))).collect();
    let (before, after) = FRAGMENT.split_once(" trace tags").expect("it has them");
    check("more words than a slot has, before", &many, &[GRAMS[0]], (before.len() >= LEAST_RUN).then_some(before));
    check("more words than a slot has, behind", &many, &[GRAMS[2]], Some(after));
    let numbers: Vec<String> =
        (0..12).map(|i| format!("{FRAGMENT} and number it {} please, in full and in red", 100 + i)).collect();
    let expected = format!("{FRAGMENT} and number it{SLOT}please, in full and in red");
    check("a number", &numbers, &GRAMS, Some(&expected));
}

/// `n` fragments of which each `every`-th is edited at a word of its own.
fn edited(n: usize, every: usize, edit: impl Fn(&mut Vec<&str>, usize)) -> Vec<String> {
    let one = |i: usize| {
        let mut all: Vec<&str> = FRAGMENT.split(' ').collect();
        if i.is_multiple_of(every) {
            edit(&mut all, i / every);
        }
        all.join(" ")
    };
    (0..n).map(one).collect()
}

#[test]
fn a_word_changed_added_or_left_out_in_one_holder_of_eight_changes_nothing() {
    // Words 8 to 15 lie outside the two grams that seed.
    for n in [8, 16, 40] {
        let grams = [GRAMS[0], GRAMS[2]];
        let changed = edited(n, 8, |words, i| words[9 + i % 5] = "zebra");
        check("changed", &changed, &grams, Some(FRAGMENT));
        let added = edited(n, 8, |words, i| words.insert(9 + i % 5, "zebra"));
        check("added", &added, &grams, Some(FRAGMENT));
        let left_out = edited(n, 8, |words, i| {
            words.remove(9 + i % 5);
        });
        check("left out", &left_out, &grams, Some(FRAGMENT));
    }
}

#[test]
fn three_in_ten_may_lack_the_rest_and_no_more() {
    let end = FRAGMENT.len() - ", and end with the word done".len();
    let cut = |n: usize| -> Vec<String> {
        (0..10).map(|i| if i < n { FRAGMENT[..end].to_owned() } else { FRAGMENT.to_owned() }).collect()
    };
    check("three lack it", &cut(3), &[GRAMS[0]], Some(FRAGMENT));
    check("four lack it", &cut(4), &[GRAMS[0]], Some(&FRAGMENT[..end]));
}

#[test]
fn a_run_at_the_edge_of_its_text_or_all_of_it_is_whole() {
    let rng = &mut rng(5);
    let at_start: Vec<String> = (0..6).map(|_| format!("{FRAGMENT} {}", words(rng, 20))).collect();
    let at_end: Vec<String> = (0..6).map(|_| format!("{} {FRAGMENT}", words(rng, 20))).collect();
    let mixed: Vec<String> = at_start.iter().chain(&at_end).cloned().collect();
    for gram in GRAMS {
        for texts in [&at_start, &at_end, &mixed, &vec![FRAGMENT.to_owned(); 6]] {
            assert_eq!(run_around(texts.clone(), gram).as_deref(), Some(FRAGMENT), "{:?}", texts[0]);
        }
    }
    // The gram begins within a word at the very start of the texts.
    assert_eq!(run_around(at_start, "how every step of your w").as_deref(), Some(FRAGMENT));
}

#[test]
fn chinese_runs_are_grown_character_by_character() {
    let run = "请把解题过程写在标签里面每行只写一步并且最后给出答案的证明";
    let rng = &mut rng(6);
    let han = |rng: &mut ChaCha8Rng, n: usize| -> String {
        (0..n).filter_map(|_| char::from_u32(0x4E00 + rng.random_range(0..8_000))).collect()
    };
    let texts: Vec<String> = (0..9).map(|_| format!("{}{run}{}", han(rng, 30), han(rng, 30))).collect();
    let (first, last) = (&run[..GRAM], &run[run.len() - GRAM..]);
    for gram in [first, last] {
        assert_eq!(run_around(texts.clone(), gram).as_deref(), Some(run));
    }
    // And one character in one of them changed.
    let mut texts = texts;
    texts[4] = texts[4].replace('面', "外");
    assert_eq!(run_around(texts, first).as_deref(), Some(run));
}

#[test]
fn idiom_and_trivial_runs_are_none() {
    let idiom = "what is the difference between";
    assert!(idiom.len() < LEAST_RUN);
    check("idiom", &vec![idiom.to_owned(); 9], &[&idiom[..GRAM]], None);
    let long_words = "internationalization standardization responsibilities";
    assert!(long_words.len() >= LEAST_RUN && crate::text::is_trivial(long_words));
    check("three long words", &vec![long_words.to_owned(); 9], &[&long_words[..GRAM]], None);
}

#[test]
fn samples_that_do_not_hold_their_gram_are_passed_over() {
    let texts = holders(1, vec![FRAGMENT.to_owned(); 4]);
    let at = |text: usize| texts[text].find(GRAMS[1]).expect("it is there") as u32;
    let sample = vec![(0, at(0)), (1, u32::MAX), (2, at(2) + 3), (9, 0), (3, at(3)), (1, at(1))];
    let seed = Seed { hash: 1, accounts: 4, texts: 4, sample };
    assert_eq!(extract(&seed, &World::of(texts)).as_deref(), Some(FRAGMENT));
    let lonely = Seed { hash: 1, accounts: 4, texts: 4, sample: vec![(0, 0), (7, 0)] };
    assert_eq!(extract(&lonely, &World::of(holders(2, [FRAGMENT.to_owned()]))), None);
}

/// Texts that make an aligner run away: one word, two words in turn, no blank, many signs.
#[test]
fn texts_without_words_or_end_are_grown_within_bounds() {
    for text in
        ["ab ".repeat(40_000), "abcdefghij".repeat(8_000), "a,b;c.d:e!f".repeat(6_000), "é\u{301}x ".repeat(9_000)]
    {
        let gram_at =
            (0..).find(|&at| text.is_char_boundary(at + 60) && text.is_char_boundary(at + 60 + GRAM)).expect("one");
        let sample = (0..6).map(|holder| (holder, gram_at as u32 + 60)).collect();
        let seed = Seed { hash: 1, accounts: 6, texts: 6, sample };
        let run = extract(&seed, &World::of(vec![text.clone(); 6]));
        assert!(run.as_ref().is_none_or(|run| run.len() <= 3 * (16 << 10)), "{:?}", run.map(|run| run.len()));
    }
}

/// Holders of a run with short pieces and few values in its slots, so that many of its fingerprints are of many accounts.
fn contracts(seed: u64) -> World {
    let rng = &mut rng(seed);
    let names = ["lumen & pike", "polder farms", "juniper clinics", "the bakery"];
    let months = ["june", "october", "february", "august"];
    let one = |i: usize| {
        let (name, month) = (names[i % 4], months[i / 4 % 4]);
        let (before, after) = (words(rng, 12), words(rng, 12));
        format!("{before} the contract with {name} ends in {month} and renews by itself. {after}")
    };
    World::of((0..64).map(one).collect::<Vec<_>>())
}

/// A run that is known is found again on every night: it is kept once, whatever its pieces are and whoever shares them.
#[test]
fn what_is_known_is_not_grown_again() {
    let named =
        |i: usize| format!("the contract with company {i} ends early, and renews by itself. it is number {i} of ours");
    let others: Vec<String> = (0..6).map(named).collect();
    let mut grown = 0;
    for seed in 0..30 {
        let world = contracts(seed);
        let seeds = world.seeds(0, 5);
        let again = |known: &[&str]| grow(KeptRuns::new(&printer(), known.to_vec()), &seeds, &world).0;
        let first = again(&[]);
        grown += usize::from(first.iter().any(|found| found.contains(SLOT)));
        let known: Vec<&str> = first.iter().map(String::as_str).collect();
        assert_eq!(again(&known), Vec::<String>::new(), "world {seed}, with {known:?}");
        // Others that share its pieces came first.
        let after: Vec<&str> = others.iter().map(String::as_str).chain(known.iter().copied()).collect();
        let more = again(&after);
        assert!(more.iter().all(|found| !after.contains(&found.as_str())), "world {seed}: {more:?} again");
    }
    assert!(grown >= 20, "{grown} of 30 worlds have a run with a slot");
}
