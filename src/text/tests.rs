//! What the fold merges, what it must keep apart, and what it promises of every text.

use super::*;
use proptest::prelude::*;

fn folded(raw: &str) -> String {
    fold(raw).text
}

/// Everything that the fold promises of any text.
fn check(raw: &str) {
    let once = fold(raw);
    assert_eq!(folded(&once.text), once.text, "idempotent: {raw:?}");
    let aligned = fold_aligned(raw);
    assert_eq!((&aligned.text, aligned.removed), (&once.text, once.removed), "alignment changes nothing: {raw:?}");
    let nothing = |gap: &str| assert_eq!(folded(gap), "", "what no range covers was left out: {raw:?} {gap:?}");
    let mut last = 0..0;
    for (at, c) in once.text.char_indices() {
        let range = aligned.raw_range(at..at + c.len_utf8());
        if range.start > last.end {
            nothing(&raw[last.end..range.start]);
        }
        assert!(raw.get(range.clone()).is_some_and(|text| !text.is_empty()), "on boundaries: {raw:?} {range:?}");
        assert!(range.start >= last.start && range.end >= last.end, "monotone: {raw:?} {range:?} after {last:?}");
        last = range;
    }
    nothing(&raw[last.end..]);
    let whole = aligned.raw_range(0..once.text.len());
    assert!(whole.end <= raw.len() && folded(&raw[whole]) == once.text, "the whole: {raw:?}");
    assert!(!once.text.starts_with(' ') && !once.text.ends_with(' ') && !once.text.contains("  "));
}

#[test]
fn texts_that_look_the_same_fold_to_the_same() {
    for (raw, expected) in [
        ("", ""),
        (" \t\r\n\u{a0}\u{3000}\u{2028} ", ""),
        ("  Hello,\n\n WORLD! ", "hello, world!"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("ﬁne ﬂow", "fine flow"),
        ("𝓯𝓪𝓷𝓬𝔂 𝕝𝕖𝕥𝕥𝕖𝕣𝕤", "fancy letters"),
        ("cafe\u{301} CAF\u{c9}", "café café"),
        ("Straße STRASSE", "strasse strasse"),
        ("h\u{200b}e\u{2060}l\u{ad}l\u{0}o\u{feff}", "hello"),
        ("e\u{200b}\u{301}", "é"),
        ("right\u{202e}to left\u{202c}", "rightto left"),
        ("tag\u{e0041}\u{e0042}ged", "tagged"),
        ("p\u{430}ssw\u{43e}rd r\u{435}set", "password reset"),
        ("P\u{410}SSW\u{41e}RD", "password"),
        ("p\u{430}ssw0rd", "password".replace('o', "0").as_str()),
        ("\u{3c1}\u{3b1}ssword", "password"),
        ("ꓐank ᎪPI", "bank api"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("J\u{30c}", "ǰ"),
        ("ΐ \u{399}\u{308}\u{301}", "ΐ ΐ"),
        ("p\u{43e}\u{301}st", "póst"),
        ("ᾼ ᾳ", "αι αι"),
        ("a\u{2800}b\u{b}c\u{85}d", "a b c d"),
        ("\u{1b}[31mred", "[31mred"),
        ("각 \u{1100}\u{1161}\u{11a8}", "각 각"),
        ("ﾊﾝｶｸ", "ハンカク"),
    ] {
        assert_eq!(folded(raw), expected, "{raw:?}");
        check(raw);
    }
}

#[test]
fn texts_that_differ_stay_apart() {
    for (a, b) in [
        ("IS", "ls"),
        ("rn", "m"),
        ("cl", "d"),
        ("vv", "w"),
        ("1", "l"),
        ("0", "O"),
        ("Il1|", "lI1|"),
        ("ı", "i"),
        ("sınır", "sinir"),
        ("résumé", "resume"),
        ("schön", "schon"),
        ("мука", "мyka"),
        ("сосо", "coco"),
        ("РОТ", "POT"),
        ("рот", "pot"),
        ("νους", "vouc"),
        ("ΑΒΕ", "ABE"),
        ("αx+νt", "ax+vt"),
        ("IPтв", "IPTB"),
        ("зам", "3am"),
        ("шина", "шинa1"),
        ("请", "請"),
        ("土", "士"),
        ("カ", "力"),
        ("ロ", "口"),
        ("へ", "ヘ"),
        ("كتب", "كتاب"),
        ("ى", "ي"),
        ("हिन्दी", "हिदी"),
        ("कि", "की"),
        ("a_b", "a b"),
        ("a-b", "ab"),
        ("x = 1;", "x == 1;"),
        ("foo(a)", "foo[a]"),
        ("a\\b", "a/b"),
        ("x' = y", "x` = y"),
    ] {
        assert_ne!(folded(a), folded(b), "{a} and {b}");
    }
}

#[test]
fn other_scripts_and_code_are_left_alone() {
    for text in [
        "объясни, что такое машинное обучение",
        "εξήγησε τη μηχανική μάθηση",
        "请用简体字解释什么是机器学习。",
        "請用繁體字解釋什麼是機器學習。",
        "機械学習を簡単に説明してください。",
        "기계 학습을 설명해 주세요",
        "اكتب قصة قصيرة عن البحر",
        "נא לכתוב סיפור קצר",
        "मशीन लर्निंग समझाइए",
        "ısparta'da güneşli bir gün",
        "สวัสดีชาวโลก",
        "def add(a, b): return {'α': a + b, \"нет\": 'it-отдел'}",
        "😀 👍🏽🎉 🇫🇷",
        "\u{fffd} \u{e000}",
    ] {
        // Only the ideographic full stop and its like have no plainer form; nothing here is replaced at all.
        assert_eq!(fold(text), Folded { text: text.to_owned(), removed: Removed::default() });
        check(text);
    }
    assert_eq!(folded("İstanbul"), "i\u{307}stanbul");
}

#[test]
fn what_is_removed_is_counted_by_reason() {
    for (raw, [invisible, bidi, tags, lookalikes, compatibility]) in [
        ("plain text\n\twith breaks", [0; 5]),
        ("a\u{200b}b\u{ad}c\u{0}d\u{7f}", [4, 0, 0, 0, 0]),
        ("\u{202e}x\u{202c} \u{200f}", [0, 3, 0, 0, 0]),
        ("x\u{e0041}\u{e007f}", [0, 0, 2, 0, 0]),
        ("p\u{430}\u{455}s", [0, 0, 0, 2, 0]),
        ("Ａ…½ é", [0, 0, 0, 0, 3]),
        ("\u{feff}start", [0; 5]),
        ("star\u{feff}t", [1, 0, 0, 0, 0]),
        ("I ❤\u{fe0f} it 👩\u{200d}💻 1\u{fe0f}\u{20e3} ❤\u{fe0f}\u{200d}🔥", [0; 5]),
        ("می\u{200c}خواهم", [0; 5]),
        ("a\u{200d}b 😀\u{fe0f}\u{fe0e}\u{fe01}\u{e0101}", [4, 0, 0, 0, 0]),
    ] {
        let expected = Removed { invisible, bidi, tags, lookalikes, compatibility };
        assert_eq!(fold(raw).removed, expected, "{raw:?}");
        assert_eq!(expected.total() == 0, expected.is_empty());
    }
}

#[test]
fn every_code_point_keeps_the_promises() {
    for c in (0..=0x10_FFFF).filter_map(char::from_u32) {
        check(&format!("{c}A\u{301}{c} p{c}w{c}{c}"));
    }
}

#[test]
fn ranges_lead_back_to_the_raw_text() {
    let raw = "  The  ＱＵＩＣＫ\u{200b} bro\u{301}wn ﬁsh… ";
    let aligned = fold_aligned(raw);
    for (word, expected) in [
        ("quick", "ＱＵＩＣＫ"),
        ("the quick", "The  ＱＵＩＣＫ"),
        ("ó", "o\u{301}"),
        ("fi", "ﬁ"),
        ("i", "ﬁ"),
        ("...", "…"),
        (" brówn ", "\u{200b} bro\u{301}wn "),
    ] {
        let at = aligned.text.rfind(word).unwrap();
        assert_eq!(
            &raw[aligned.raw_range(at..at + word.len())].trim_start_matches('\u{200b}'),
            &expected.trim_start_matches('\u{200b}'),
            "{word}"
        );
    }
    assert_eq!(aligned.raw_range(3..3).len() + aligned.raw_range(900..901).len(), 0);
}

/// Ten megabytes of each; a quadratic step would take hours.
#[test]
fn hostile_texts_cost_linear_time() {
    let marks: String = (0..2_500_000).map(|n| if n % 2 == 0 { '\u{301}' } else { '\u{316}' }).collect();
    for raw in [
        format!("a{marks}"),
        "\u{fdfa}".repeat(1_000_000),
        "\u{1100}".repeat(3_000_000),
        "é".repeat(2_000_000),
        "\u{43e}a".repeat(2_000_000),
        "a ".repeat(5_000_000) + "é",
        "é ".repeat(3_000_000),
        "\u{200b}".repeat(3_000_000),
        "\u{3000}".repeat(3_000_000),
        "a".repeat(10_000_000) + "\u{301}",
        "\0".repeat(10_000_000),
    ] {
        let once = folded(&raw);
        assert!(once.len() <= 18 * raw.len());
        assert!(!is_trivial(&once) || once.len() < 24);
        assert!(n_words(&once) <= once.len() && decoded_views(&raw).is_empty());
    }
}

proptest! {
    #[test]
    fn any_text_keeps_the_promises(raw in "\\PC{0,60}") {
        check(&raw);
    }

    #[test]
    fn awkward_text_keeps_the_promises(raw in "([ -~]|[\t\n\0\u{7f}\u{a0}]|[\u{300}-\u{36f}\u{345}]|[\u{370}-\u{3ff}\u{1f00}-\u{1fff}]|[\u{400}-\u{52f}]|[\u{200b}-\u{206f}]|[\u{1100}-\u{11ff}\u{ac00}-\u{ac20}]|[\u{13a0}-\u{13fd}\u{ab70}-\u{abbf}]|[\u{fb00}-\u{fdff}]|[\u{ff00}-\u{ffef}]){0,40}") {
        check(&raw);
    }

    #[test]
    fn any_range_of_folded_bytes_leads_to_whole_raw_characters(
        raw in "([ -~]|[\u{a0}-\u{24f}]|[\u{300}-\u{36f}]|[\u{200b}-\u{206f}]|[\u{1100}-\u{11ff}]|[\u{fb00}-\u{fdff}]|[\u{ff00}-\u{ffef}]){0,30}",
        a in 0..80_usize, b in 0..80_usize, inner in (0..80_usize, 0..80_usize),
    ) {
        let aligned = fold_aligned(&raw);
        let n = aligned.text.len();
        let (a, b) = (a.min(b).min(n), a.max(b).min(n));
        let range = aligned.raw_range(a..b);
        prop_assert!(raw.get(range.clone()).is_some(), "{:?} of {:?}", range, raw);
        prop_assert_eq!(range.is_empty(), a == b);
        // A part of it leads to a part, and its characters together to the whole.
        let (c, d) = (a + inner.0.min(inner.1) % (b - a + 1), a + inner.0.max(inner.1) % (b - a + 1));
        if c < d {
            let part = aligned.raw_range(c..d);
            prop_assert!(range.start <= part.start && part.end <= range.end, "{:?} in {:?} of {:?}", part, range, raw);
        }
        let parts = aligned.text.char_indices().filter(|(at, c)| a < b && *at < b && at + c.len_utf8() > a);
        let (mut start, mut end) = (range.start, range.start);
        for (at, c) in parts {
            let part = aligned.raw_range(at..at + c.len_utf8());
            (start, end) = (start.min(part.start), end.max(part.end));
        }
        prop_assert_eq!(start..end, range);
    }

    #[test]
    fn ascii_is_lower_case_with_single_blanks(raw in "[ -~\t\n\r]{0,80}") {
        let expected = raw.to_ascii_lowercase().split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(fold(&raw), Folded { text: expected, removed: Removed::default() });
    }

    #[test]
    fn buffers_are_used_again(a in "\\PC{0,30}", b in "\\PC{0,30}") {
        let mut out = String::new();
        fold_into(&a, &mut out);
        fold_into(&b, &mut out);
        prop_assert_eq!(out, folded(&b));
    }
}
