//! Grams against plain sets of strings.

use super::super::words::is_ideograph;
use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

/// The grams of a text as strings.
fn plain(text: &str, units: usize) -> HashSet<String> {
    let chars: Vec<char> = judged(text).chars().collect();
    let weight = |c: &char| if is_ideograph(*c) { 3 } else { 1 };
    let gram = |start: usize| {
        (start + LEAST_CHARS..=chars.len())
            .find(|&end| chars[start..end].iter().map(weight).sum::<usize>() >= units)
            .map(|end| chars[start..end].iter().collect::<String>())
    };
    let out: HashSet<String> = (0..chars.len()).filter_map(gram).collect();
    if out.is_empty() { [judged(text).to_owned()].into() } else { out }
}

fn check(grams: &mut Grams, a: &str, b: &str) {
    let units = gram_units(judged(a).len().max(judged(b).len()));
    let (of_a, of_b) = (plain(a, units), plain(b, units));
    let shared = of_a.intersection(&of_b).count();
    let exact = shared as f32 / of_a.len().min(of_b.len()) as f32;
    let is_exact = judged(a).len().min(judged(b).len()) < 2 * SAMPLED;
    let near = |found: f32| if is_exact { found == exact } else { (found - exact).abs() < 0.05 };
    grams.set(a);
    let (sketch_a, sketch_b) = (grams.sketch(a, units), grams.sketch(b, units));
    for found in [grams.overlap(b), grams.overlap_with(b, &sketch_b), grams.overlap(b)] {
        assert!(near(found.containment), "{found:?} for {exact}: {:.60} | {:.60}", a, b);
    }
    assert!(!sketch_a.refuses(&sketch_b, exact) && !sketch_b.refuses(&sketch_a, exact - 0.1), "{exact}");
    assert!(sketch_a.refuses(&sketch_b, 1.01));
}

/// Words of a small language, seeded; two seeds share words and hardly a run of them.
fn prose(seed: u64, n: usize) -> String {
    let mut state = mix(seed);
    let mut next = |n: usize| {
        state = mix(state);
        (state >> 33) as usize % n
    };
    let syllables = [
        "ka", "lo", "mer", "tin", "sa", "vor", "el", "dun", "qui", "pa", "stre", "no", "bi", "gar", "u", "fen", "ho",
        "ix", "jal", "wo", "zet", "cri", "ab", "ny", "om", "sul", "the", "ri", "ger", "po", "ve",
    ];
    let mut out = String::new();
    while out.len() < n {
        (0..=next(3)).for_each(|_| out.push_str(syllables[next(syllables.len())]));
        out.push(' ');
    }
    out.truncate(n);
    out
}

#[test]
fn short_long_and_mixed_texts_equal_the_plain_sets() {
    let mut grams = Grams::default();
    let long: String = (0..2_000_u32).map(|n| format!("{n} ")).collect();
    let emoji = long.replace('7', "🧭");
    let texts = [
        "",
        "a",
        "abc",
        "abcd",
        "abcdefabcdefabcdef",
        "写一首诗",
        "写一首关于秋天的诗吧 please",
        "🧭🧭🧭🧭🧭",
        "\u{f9ed}🧭",
        "напиши мне стихи",
        &long,
        &emoji,
        &prose(1, 30_000),
    ];
    for a in texts {
        texts.iter().for_each(|b| check(&mut grams, a, b));
    }
}

#[test]
fn a_gram_of_one_script_is_that_gram_in_a_text_of_two() {
    let mut grams = Grams::new();
    grams.set("write a short poem");
    assert_eq!(grams.overlap("é, write a short poem").containment, 1.0);
}

#[test]
fn ideographs_count_for_three_letters_and_a_gram_has_four() {
    assert_eq!(plain("写一首关于秋天的诗", 11).len(), 6);
    assert_eq!(plain("写一首关于秋天的诗", 14).len(), 5);
    assert!(plain("写a一b首c", 5).contains("写a一b"));
}

#[test]
fn long_texts_are_sampled_and_the_share_hardly_moves() {
    let mut grams = Grams::new();
    let base = prose(3, 200_000);
    for kept in [20_000, 100_000, 180_000] {
        let other = base[..kept].to_owned() + &prose(4, 200_000 - kept);
        let units = gram_units(base.len());
        let (of_a, of_b) = (plain(&base, units), plain(&other, units));
        let exact = of_a.intersection(&of_b).count() as f32 / of_a.len().min(of_b.len()) as f32;
        grams.set(&base);
        let found = grams.overlap(&other).containment;
        assert!((found - exact).abs() < 0.04, "{found} for {exact}");
    }
}

#[test]
fn chance_shares_as_little_at_every_length() {
    let mut grams = Grams::new();
    for n in [300, 1_000, 4_000, 16_000, 64_000, 200_000] {
        grams.set(&prose(5, n));
        let by_chance = grams.overlap(&prose(6, n)).containment;
        assert!(by_chance < 0.30, "{by_chance} at {n}");
    }
}

#[test]
fn sketches_of_unlike_texts_leave_little_to_judge() {
    let mut grams = Grams::new();
    let (a, b) = ("where can i buy a bicycle pump in the old town", "translate this letter to my landlord into polish");
    assert!(grams.sketch(a, 5).refuses(&grams.sketch(b, 5), 0.3));
    for n in [2_000, 20_000, 100_000] {
        let units = gram_units(n);
        let (a, b) = (grams.sketch(&prose(1, n), units), grams.sketch(&prose(2, n), units));
        assert!(a.refuses(&b, 0.6), "{n}");
    }
}

#[test]
fn sketches_of_long_texts_do_not_refuse_what_reaches_the_bound() {
    let mut grams = Grams::new();
    for seed in 0..300 {
        let n = 3_000 + 40 * seed as usize;
        let base = prose(100 + seed, n);
        let other = base[..n / 2].to_owned() + &prose(900 + seed, n / 4);
        let units = gram_units(n);
        grams.set(&base);
        let share = grams.overlap(&other).containment;
        let (a, b) = (grams.sketch(&base, units), grams.sketch(&other, units));
        assert!(!a.refuses(&b, share) && !b.refuses(&a, share), "{seed}");
    }
}

#[test]
fn bytes_beyond_the_limit_do_not_count() {
    let mut grams = Grams::new();
    let base = "é".to_owned() + &prose(7, JUDGED_BYTES - 2);
    grams.set(&(base.clone() + "bcdefgh"));
    assert_eq!(grams.overlap(&base).containment, 1.0);
    assert_eq!(grams.sketch(&(base + "x"), 14).bytes(), JUDGED_BYTES);
}

#[test]
fn repeats_fill_no_table() {
    let mut grams = Grams::new();
    let one = "a".repeat(JUDGED_BYTES);
    grams.set(&one);
    assert_eq!(grams.overlap(&one).containment, grams.overlap(&one).containment);
    assert!(!grams.sketch(&one, 14).refuses(&grams.sketch(&one, 14), 1.0));
}

#[test]
fn stamps_that_run_out_start_again() {
    let mut grams = Grams::new();
    grams.set("abcdefgh");
    assert_eq!(grams.overlap("bcdefgh").containment, 1.0);
    grams.filed[0].meeting = u32::MAX - 1;
    grams.filed[0].table.stamp = u32::MAX - 1;
    for text in ["abcdefgh", "uvwxyzab"] {
        grams.set(text);
        grams.filed[0].meeting = u32::MAX - 1;
        for _ in 0..3 {
            assert_eq!(grams.overlap("bcdefgh").containment, f32::from(u8::from(text == "abcdefgh")));
        }
    }
}

proptest! {
    #[test]
    fn equal_the_plain_sets(a in "[a-c é诗🧭]{0,60}", b in "[a-c é诗🧭]{0,60}") {
        check(&mut Grams::new(), &a, &b);
    }

    #[test]
    fn equal_the_plain_sets_of_longer_texts(a in "[a-b诗]{0,1500}", b in "[a-b诗]{0,1500}") {
        check(&mut Grams::new(), &a, &b);
    }
}
