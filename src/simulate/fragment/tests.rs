//! Worlds with fragment campaigns: joined to their truth, diluted, and with the numbers that were asked for.

use super::super::tests::{facts, rows, text, world};
use super::super::{GivenText, SimulateConfig, Texts, World, published_fragments};
use super::*;
use std::collections::{BTreeMap, HashMap, HashSet};

fn config(fragments: FragmentConfig) -> SimulateConfig {
    SimulateConfig { fragments, ..SimulateConfig::sized(21, 8_000) }
}

fn three() -> FragmentConfig {
    FragmentConfig { campaigns: 3, ..FragmentConfig::default() }
}

fn given() -> Texts {
    let text = |number: usize| GivenText {
        text: format!(
            "Question {number}: what does the word w{} mean in group {}? It matters to me.",
            number * 7,
            number % 9
        ),
        group: format!("g{}", number % 9),
        kind: "chat".to_owned(),
    };
    Texts::Given((0..2_000).map(text).collect())
}

/// The prompts with a fragment of each campaign: account and prompt.
fn carried(log: &str, truth: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut out: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (row, fact) in rows(log).iter().zip(facts(truth)) {
        assert!(fact[6] != "fragment" || fact[2] == "campaign");
        if fact[6].starts_with("fragment") {
            assert_eq!(fact[5], format!("{}-seed-0", fact[3]));
            out.entry(fact[3].to_owned()).or_default().push((fact[1].to_owned(), text(row, "prompt").to_owned()));
        }
    }
    out
}

#[test]
fn every_campaign_is_as_asked_with_grammars_and_with_given_texts() {
    let config = config(three());
    for texts in [Texts::Grammar, given()] {
        let (log, truth, summary) = world(&config, &texts);
        assert_eq!((rows(&log).len(), summary.exchanges, summary.accounts), (8_000, 8_000, 800));
        let drawn = World::new(&config, &texts).expect("a world");
        let fragments: HashMap<String, &str> = drawn.fragments().collect();
        let carried = carried(&log, &truth);
        // Three ordinary campaigns come before.
        assert_eq!(carried.keys().collect::<Vec<_>>(), ["campaign-3", "campaign-4", "campaign-5"]);
        let mut all = Vec::new();
        for (campaign, prompts) in &carried {
            let mut of_account: BTreeMap<&str, u32> = BTreeMap::new();
            for (account, prompt) in prompts {
                *of_account.entry(account).or_default() += 1;
                let fragment = fragments[campaign];
                assert!(prompt.contains(fragment), "{campaign}: {prompt}");
                let share = fragment.chars().count() as f64 / prompt.chars().count() as f64;
                assert!((share / 0.05 - 1.0).abs() < 0.3, "{share}");
                all.push(prompt);
            }
            assert_eq!((of_account.len(), of_account.values().all(|&n| n == 3)), (20, true), "{campaign}");
            assert_eq!(summary.by_campaign[campaign], 60);
        }
        assert_eq!(summary.by_edit["fragment"], 180);
        // No two requests are alike but for the fragment.
        let half = |prompt: &&String| prompt.chars().take(prompt.chars().count() / 2).collect::<String>();
        let openings: HashSet<String> = all.iter().map(half).collect();
        assert!(openings.len() >= 175, "{} of {}", openings.len(), all.len());
    }
}

#[test]
fn accounts_of_fragment_campaigns_are_diluted_and_spread() {
    let (log, truth, _) = world(&config(three()), &Texts::Grammar);
    let facts = facts(&truth);
    let members: HashSet<&str> = facts.iter().filter(|fact| fact[6] == "fragment").map(|fact| fact[1]).collect();
    let sent: Vec<_> = facts.iter().filter(|fact| members.contains(fact[1])).collect();
    assert!(sent.iter().all(|fact| fact[2] == "campaign" && (fact[3].is_empty() || fact[6] == "fragment")));
    let innocent = sent.iter().filter(|fact| fact[3].is_empty()).count() as f64 / sent.len() as f64;
    assert!((0.45..0.85).contains(&innocent), "{innocent}");
    let days: HashSet<String> = rows(&log)
        .iter()
        .zip(&facts)
        .filter(|(_, fact)| fact[6] == "fragment")
        .map(|(row, _)| text(row, "time")[..10].to_owned())
        .collect();
    assert_eq!(days.len(), 3);
}

#[test]
fn a_world_without_them_keeps_its_other_campaigns() {
    let (without, with) = (config(FragmentConfig::default()), config(three()));
    let (_, truth, _) = world(&without, &Texts::Grammar);
    assert!(!truth.contains(",fragment"));
    let counts = |truth: &str| {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for fact in facts(truth).iter().filter(|fact| !fact[3].is_empty() && !fact[6].starts_with("fragment")) {
            *counts.entry(fact[3].to_owned()).or_default() += 1;
        }
        counts
    };
    assert_eq!(counts(&truth), counts(&world(&with, &Texts::Grammar).1));
    assert!(World::new(&without, &Texts::Grammar).expect("a world").fragments().next().is_none());
}

#[test]
fn a_seed_is_a_world_with_fragments_too() {
    let edits = vec![FragmentEdit::Word8, FragmentEdit::Split];
    let one = config(FragmentConfig { edits, ..three() });
    let first = world(&one, &Texts::Grammar);
    assert_eq!(first, world(&one, &Texts::Grammar));
    assert_ne!(first.0, world(&SimulateConfig { seed: 22, ..one }, &Texts::Grammar).0);
    assert_eq!(first.2.by_edit["fragment+word8+split"], 180);
}

#[test]
fn every_edit_is_named_in_the_truth() {
    for edit in FragmentEdit::ALL {
        let config = config(FragmentConfig { edits: vec![edit], length: Some(300), ..three() });
        let (log, truth, summary) = world(&config, &Texts::Grammar);
        let n = summary.by_edit[&format!("fragment+{}", edit.word())];
        assert!(n >= 170, "{}: {n}", edit.word());
        let drawn = World::new(&config, &Texts::Grammar).expect("a world");
        let fragments: HashMap<String, &str> = drawn.fragments().collect();
        for (row, fact) in rows(&log).iter().zip(facts(&truth)).filter(|(_, fact)| fact[6].starts_with("fragment+")) {
            assert!(!text(row, "prompt").contains(fragments[fact[3]]), "{}", fact[6]);
        }
    }
}

#[test]
fn fragments_have_their_length_and_differ() {
    for length in [20, 80, 333, 2_000] {
        let many = fragment_texts(120, length, 5);
        assert_eq!(many.iter().collect::<HashSet<_>>().len(), 120);
        for text in &many {
            assert!(text.chars().count().abs_diff(length) <= 12, "{length}: {text}");
            assert!(!text.contains(['«', '{']) && text.trim() == text, "{text}");
        }
        assert_eq!(many[7], fragment_text(7, length, 5));
        assert_ne!(many, fragment_texts(120, length, 6));
    }
    // They do not only differ, they say different things: few runs of three words come in two of them.
    let many = fragment_texts(20, 80, 5);
    let mut seen: HashMap<u128, usize> = HashMap::new();
    let runs: Vec<Vec<u128>> = many.iter().map(|text| word_runs(text)).collect();
    runs.iter().flatten().for_each(|&run| *seen.entry(run).or_default() += 1);
    let shared = runs.iter().flatten().filter(|run| seen[run] > 1).count();
    let all = runs.iter().flatten().count();
    assert!(shared * 5 < all, "{shared} of {all}");
}

#[test]
fn published_wording_comes_first_and_whole() {
    let published = FragmentConfig { campaigns: 6, accounts: 5, published: true, ..FragmentConfig::default() };
    let texts = published.texts(&Grammar::new(), 1);
    let known: Vec<&str> = published_fragments().iter().map(|fragment| fragment.text).collect();
    assert_eq!(texts[..4], known);
    assert_eq!(texts.iter().collect::<HashSet<_>>().len(), 6);
    assert!(texts[4..].iter().all(|text| text.chars().count().abs_diff(80) <= 12), "{texts:?}");
    for length in [40, 400] {
        let cut = FragmentConfig { length: Some(length), ..published.clone() }.texts(&Grammar::new(), 1);
        for (text, known) in cut.iter().zip(known.clone()) {
            assert!(text.chars().count().abs_diff(length as usize) <= 12, "{text}");
            assert!(text.starts_with(known) || known.starts_with(text.as_str()), "{text}");
        }
    }
    let fewer = FragmentConfig { campaigns: 2, ..published.clone() }.texts(&Grammar::new(), 1);
    assert_eq!(fewer, texts[..2]);
    let (log, truth, _) = world(&config(published), &Texts::Grammar);
    let carried = carried(&log, &truth);
    for (number, known) in known.iter().enumerate() {
        let prompts = &carried[&format!("campaign-{}", number + 3)];
        assert!(prompts.len() == 15 && prompts.iter().all(|(_, prompt)| prompt.contains(known)));
    }
}

#[test]
fn what_is_out_of_range_is_named() {
    let bad = [
        (FragmentConfig { campaigns: 10_001, ..three() }, "10000 fragment campaigns, got 10001"),
        (FragmentConfig { accounts: 0, ..three() }, "fragment accounts, got 0"),
        (FragmentConfig { requests: 0, ..three() }, "fragment requests, got 0"),
        (FragmentConfig { requests: 10_001, ..three() }, "fragment requests, got 10001"),
        (FragmentConfig { length: Some(19), ..three() }, "20 and 2000 characters, got 19"),
        (FragmentConfig { length: Some(2_001), ..three() }, "20 and 2000 characters, got 2001"),
        (FragmentConfig { share: 0.95, ..three() }, "0.02 and 0.9, got 0.95"),
        (FragmentConfig { share: f64::NAN, ..three() }, "got NaN"),
        (FragmentConfig { edits: vec![FragmentEdit::Case; 2], ..three() }, "each fragment edit once"),
        (FragmentConfig { campaigns: 10_000, accounts: 100_000, ..three() }, "half of the 800 accounts"),
        (FragmentConfig { requests: 500, ..three() }, "expected fragment and queue campaigns to send at most"),
    ];
    for (fragments, wanted) in bad {
        let Err(error) = World::new(&config(fragments), &Texts::Grammar) else { panic!("{wanted}: expected an error") };
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[test]
fn the_fragments_are_written_as_csv() {
    let config = config(FragmentConfig { published: true, campaigns: 5, ..FragmentConfig::default() });
    let world = World::new(&config, &Texts::Grammar).expect("a world");
    let mut out = Vec::new();
    world.write_fragments(&mut out).expect("a table");
    let mut table = csv::Reader::from_reader(out.as_slice());
    assert_eq!(table.headers().expect("a header"), vec!["campaign", "fragment"]);
    let read: Vec<(String, String)> = table.deserialize().map(|row| row.expect("a row")).collect();
    assert_eq!(read, world.fragments().map(|(name, text)| (name, text.to_owned())).collect::<Vec<_>>());
    assert_eq!(read.len(), 5);
}
