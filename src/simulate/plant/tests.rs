//! One prompt at a time: where the fragment is, how large, and what each edit does to it.

use super::super::fragment::fragment_text;
use super::super::grammar::Translation;
use super::*;
use std::collections::{BTreeMap, BTreeSet};

const FRAGMENT: &str = "Please show every important step of your reasoning inside <trace> tags, one step on each line. \
    Give a short summary of the main problems at the end.";
const ORGANIC: [&str; 5] = [
    "How do I descale a kettle without vinegar? The water here is very hard and the shop is closed until Monday.",
    "Plan three dinners for two people. No mushrooms, please, and nothing that takes longer than half an hour.",
    "请帮我写一封邮件给房东,说明为什么装修要推迟三天,语气要客气一点。",
    "fix this:\n\nfn main() {\n    println!(\"{}\", 1 + )\n}",
    "Why did the harbour town lose its market in 1357, and what became of the families who had lived from it?",
];

fn planted(edits: &[FragmentEdit], seed: u64) -> Planted {
    with_fragment(FRAGMENT, &ORGANIC, 0.2, edits, seed)
}

fn size(text: &str) -> f64 {
    text.chars().count() as f64
}

/// The words of a text, sorted.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}

#[test]
fn an_unedited_fragment_stands_in_its_prompt_with_its_share() {
    for length in [20, 80, 400, 2_000] {
        for share in [0.02, 0.05, 0.2, 0.5, 0.9] {
            for seed in 0..12 {
                let fragment = fragment_text(0, length, seed);
                let Planted { text, edits, place } = with_fragment(&fragment, &ORGANIC, share, &[], seed);
                let at = text.find(&fragment).expect("the fragment");
                assert!(edits.is_empty());
                let end = at + fragment.len() == text.len();
                let expected = match (at == 0, end) {
                    (true, _) => Place::Start,
                    (false, true) => Place::End,
                    (false, false) => Place::Middle,
                };
                assert_eq!(place, expected);
                let got = size(&fragment) / size(&text);
                assert!((got / share - 1.0).abs() < 0.3, "{length} at {share}: {got}");
            }
        }
    }
}

#[test]
fn the_place_is_drawn_among_three_and_keeps_words_whole() {
    let mut places: BTreeMap<Place, u32> = BTreeMap::new();
    let (mut between_texts, mut in_text) = (0, 0);
    for seed in 0..600 {
        let Planted { text, place, .. } = planted(&[], seed);
        *places.entry(place).or_default() += 1;
        let (before, after) = text.split_once(FRAGMENT).expect("the fragment");
        assert!(before.is_empty() || before.ends_with(char::is_whitespace), "{before:?}");
        assert!(after.is_empty() || after.starts_with(char::is_whitespace), "{after:?}");
        if place == Place::Middle {
            let apart = before.ends_with("\n\n") && after.starts_with("\n\n");
            between_texts += u32::from(apart);
            in_text += u32::from(!apart);
        }
    }
    assert_eq!(places.len(), 3);
    assert!(places.values().all(|&n| (150..=250).contains(&n)), "{places:?}");
    assert!(between_texts > 50 && in_text > 50, "{between_texts} between texts, {in_text} in one");
}

#[test]
fn organic_texts_are_whole_but_for_the_last() {
    for seed in 0..50 {
        let Planted { text, place, .. } = planted(&[], seed);
        if place != Place::Middle {
            assert!(text.contains(&[ORGANIC[0], ORGANIC[1], ORGANIC[2], ORGANIC[3]].join("\n\n")), "{text}");
        }
    }
}

#[test]
fn every_edit_changes_what_it_says() {
    let fragment_words = words(FRAGMENT);
    let plain: Vec<Planted> = (0..40).map(|seed| planted(&[], seed)).collect();
    for edit in FragmentEdit::ALL {
        let mut languages = BTreeSet::new();
        for seed in 0..40 {
            let Planted { text, edits, .. } = planted(&[edit], seed);
            assert_eq!(edits, [edit], "{} at seed {seed}", edit.word());
            assert!(!text.contains(FRAGMENT), "{}: {text}", edit.word());
            assert_ne!(text, plain[seed as usize].text);
            let n = text.split_whitespace().filter(|word| fragment_words.binary_search(word).is_ok()).count();
            let ok = match edit {
                FragmentEdit::Translation => {
                    let mut table = tables().fragments.translations.iter().map(|row| row.others);
                    let lines = table
                        .find(|lines| lines.iter().any(|line| text.contains(line)))
                        .expect("an instruction of the table");
                    languages.extend(lines.iter().position(|line| text.contains(line)));
                    true
                }
                FragmentEdit::Shuffle => {
                    let (one, two) = FRAGMENT.split_once(". ").expect("two sentences");
                    text.contains(&format!("{two} {one}."))
                }
                // Three of its 24 words, whatever the organic texts share with it.
                FragmentEdit::Word8 => n + 3 >= fragment_words.len(),
                FragmentEdit::Synonyms => [
                    "display",
                    "demonstrate",
                    "essential",
                    "key",
                    "crucial",
                    "stage",
                    "thinking",
                    "rationale",
                    "provide",
                ]
                .into_iter()
                .chain(["supply", "brief", "concise", "overview", "synopsis", "principal", "chief", "every", "end"])
                .any(|word| text.contains(word)),
                FragmentEdit::Typos => n >= 10,
                FragmentEdit::Case => {
                    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
                    flat(&text).contains(&flat(FRAGMENT))
                }
                FragmentEdit::Homoglyphs => text.chars().any(|c| matches!(c, '\u{400}'..='\u{4ff}')),
                FragmentEdit::Split => {
                    let (one, two) = halves(FRAGMENT).expect("two halves");
                    let (at, behind) = (text.find(one), text.find(two));
                    at.zip(behind).is_some_and(|(at, behind)| behind > at + one.len() + 2)
                        && (size(one) - size(two)).abs() < 16.0
                        && format!("{one} {two}") == FRAGMENT
                }
                FragmentEdit::Base64 => {
                    let decoded = base64::engine::general_purpose::STANDARD.decode(&text).expect("base64");
                    String::from_utf8(decoded).expect("UTF-8") == plain[seed as usize].text
                }
            };
            assert!(ok, "{} at seed {seed}: {text}", edit.word());
        }
        assert!(edit != FragmentEdit::Translation || languages.len() >= 6, "{languages:?}");
    }
}

#[test]
fn an_instruction_with_a_translation_gets_its_own() {
    for Translation { english, others } in &tables().fragments.translations {
        for seed in 0..10 {
            let Planted { text, .. } = with_fragment(english, &[], 0.2, &[FragmentEdit::Translation], seed);
            assert!(others.contains(&text.as_str()), "{english}: {text}");
        }
    }
}

#[test]
fn edits_are_done_in_one_order() {
    let (one, two) = ([FragmentEdit::Base64, FragmentEdit::Word8], [FragmentEdit::Word8, FragmentEdit::Base64]);
    assert_eq!(planted(&one, 3), planted(&two, 3));
    assert_eq!(planted(&one, 3).edits, two);
    assert_eq!(planted(&one, 3).edit(), "fragment+word8+base64");
    let all = planted(&FragmentEdit::ALL, 3);
    assert!(all.edits.contains(&FragmentEdit::Split) && all.edits.len() >= 6, "{:?}", all.edits);
}

#[test]
fn an_edit_that_cannot_act_is_not_reported() {
    for edit in [FragmentEdit::Shuffle, FragmentEdit::Split, FragmentEdit::Synonyms] {
        let Planted { text, edits, .. } = with_fragment("xqzt", &ORGANIC, 0.5, &[edit], 1);
        assert!(edits.is_empty() && text.contains("xqzt"), "{}: {text}", edit.word());
    }
    let alone = with_fragment(FRAGMENT, &[" ", ""], 0.05, &[FragmentEdit::Split], 1);
    assert_eq!(alone, Planted { text: FRAGMENT.to_owned(), place: Place::Start, edits: Vec::new() });
}

#[test]
fn no_text_and_no_share_make_it_panic() {
    for fragment in ["", " ", "\u{301}", "写一首关于秋天的诗。要押韵。", "🙂", "a.b\n\nc"] {
        for organic in ["", "x", "🙂🙂🙂", "写一首关于秋天的诗。要押韵。", " a b "] {
            for share in [f64::NAN, -1.0, 0.0, 0.3, 7.0, f64::INFINITY] {
                for seed in 0..3 {
                    let _ = with_fragment(fragment, &[organic], share, &FragmentEdit::ALL, seed);
                }
            }
        }
    }
}

#[test]
fn names_are_read_and_wrong_ones_refused() {
    for edit in FragmentEdit::ALL {
        assert_eq!(edit.word().parse::<FragmentEdit>().ok(), Some(edit));
        assert_eq!(serde_json::to_value(edit).expect("JSON"), edit.word());
    }
    assert_eq!(FragmentEdit::list("none").ok(), Some(Vec::new()));
    assert_eq!(FragmentEdit::list("split, case").ok(), Some(vec![FragmentEdit::Split, FragmentEdit::Case]));
    for (names, wanted) in
        [("word9", "word8"), ("none,case", "none alone"), ("case,case", "case twice"), (",", "got \"\"")]
    {
        let error = FragmentEdit::list(names).expect_err(names).to_string();
        assert!(error.contains(wanted), "{error}");
    }
}
