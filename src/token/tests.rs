//! The short way gives the ids of the crate, on the golden texts and on any other.

use super::*;
use proptest::prelude::*;
use std::sync::OnceLock;

const FILE: &[u8] = include_bytes!("../../models/tokenizer.json");
const GOLDEN: &str = include_str!("../../models/golden.json");

fn shipped() -> &'static Tokenizer {
    static SHIPPED: OnceLock<Tokenizer> = OnceLock::new();
    SHIPPED.get_or_init(|| Tokenizer::from_bytes(FILE).unwrap())
}

fn check(tokenizer: &Tokenizer, text: &str) {
    let expected = tokenizer.plain_ids(text);
    let mut reader = tokenizer.reader();
    for known in ["first", "again"] {
        let mut ids = vec![1, 2, 3];
        reader.ids_into(text, &mut ids);
        assert_eq!(ids, expected, "{known}: {text:?}");
    }
}

/// The shipped file with one thing changed.
fn changed(change: impl Fn(&mut serde_json::Value)) -> Tokenizer {
    let mut file: serde_json::Value = serde_json::from_slice(FILE).unwrap();
    change(&mut file);
    Tokenizer::from_bytes(file.to_string().as_bytes()).unwrap()
}

#[test]
fn golden_texts_have_the_golden_ids() {
    let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let items = golden["items"].as_array().unwrap();
    assert!(items.len() >= 148 && shipped().short_way.is_some() && shipped().n_ids() == 27_464);
    for item in items {
        let expected: Vec<u32> = serde_json::from_value(item["ids"].clone()).unwrap();
        // The program that wrote the file lists no more than 512 ids of a text (its vectors are of the whole).
        let mut ids = shipped().ids(item["folded"].as_str().unwrap());
        ids.truncate(512);
        assert!(ids == expected, "{}", item["text"]);
        check(shipped(), item["folded"].as_str().unwrap());
        check(shipped(), item["text"].as_str().unwrap());
    }
}

#[test]
fn every_character_is_read_as_by_the_crate() {
    for c in (0..=0x10_FFFF).step_by(3).filter_map(char::from_u32) {
        let text = format!("a{c}B {c}.{c}\u{301}中{c}é");
        assert_eq!(shipped().ids(&text), shipped().plain_ids(&text), "U+{:04X}", c as u32);
    }
}

#[test]
fn awkward_texts_are_read_as_by_the_crate() {
    for text in [
        "",
        " ",
        "\u{b}",
        "a\u{b}b",
        "a\0b\u{7f}c",
        "\u{fffd}",
        "=\u{338}",
        "中\u{3099}文\u{20dd}",
        "e\u{301}\u{323}",
        "[UNK] a [PAD]",
        "x[UNK]y",
        "[unk]",
        "##ing",
        "don’t",
        "ＡＢＣ",
        "각 \u{1100}\u{1161}",
        "ǅ ß İ ΑΣ",
        "a中b中 c",
        "\u{2028}a\u{a0}b\u{3000}c",
        "_a_",
        "\u{200b}a\u{200b}",
    ] {
        check(shipped(), text);
    }
    for n in [199, 200, 201, 5_000] {
        check(shipped(), &"x".repeat(n));
        check(shipped(), &"é".repeat(n));
        check(shipped(), &("a".repeat(n - 1) + "\0" + "é"));
    }
}

#[test]
fn files_of_the_kind_with_other_settings_are_read_as_by_the_crate() {
    let settings: [fn(&mut serde_json::Value); 5] = [
        |file| file["normalizer"]["lowercase"] = false.into(),
        |file| file["normalizer"]["strip_accents"] = false.into(),
        |file| file["normalizer"]["handle_chinese_chars"] = false.into(),
        |file| file["model"]["max_input_chars_per_word"] = 5.into(),
        |file| file["model"]["continuing_subword_prefix"] = "@".into(),
    ];
    for change in settings {
        let tokenizer = changed(change);
        assert!(tokenizer.short_way.is_some());
        for text in ["Hello WORLD, naïve Ünicode", "中文 and English混合text", "supercalifragilistic ab", "ÀB\u{301}c"]
        {
            check(&tokenizer, text);
        }
    }
}

#[test]
fn other_files_go_the_general_way() {
    let tokenizer = changed(|file| file["normalizer"] = serde_json::json!({"type": "Lowercase"}));
    assert!(tokenizer.short_way.is_none());
    check(&tokenizer, "Hello WORLD, [UNK] naïve");
    let tokenizer = changed(|file| file["added_tokens"][0]["normalized"] = true.into());
    assert!(tokenizer.short_way.is_none());
    check(&tokenizer, "Hello [PAD] world");
    // Limits of the file do not cut the text.
    let tokenizer = changed(|file| {
        file["truncation"] =
            serde_json::json!({"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
    });
    assert_eq!(tokenizer.plain_ids("one two three four"), shipped().plain_ids("one two three four"));
}

#[test]
fn files_that_are_none_are_errors() {
    for bytes in [&b""[..], b"{}", b"[1]", b"{\"model\":{}}", &FILE[..1000]] {
        let error = Tokenizer::from_bytes(bytes).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Model);
        assert!(error.to_string().contains("expected a tokenizer file"), "{error}");
    }
}

#[test]
fn hostile_words_cost_linear_time() {
    let long = "x".repeat(199) + " " + &"é".repeat(199) + " " + &"q1".repeat(99) + " ";
    let mut ids = Vec::new();
    shipped().reader().ids_into(&long.repeat(1_000), &mut ids);
    assert_eq!(ids.len() % 1_000, 0);
    assert!(shipped().ids(&"y".repeat(10_000_000)).is_empty());
}

proptest! {
    #[test]
    fn any_text_is_read_as_by_the_crate(text in "([a-zA-Z0-9]{1,12}|\\PC|[ -~]|[\0\t\n\u{b}\u{a0}]|[中文漢\u{300}-\u{330}\u{3099}]|[\u{1100}-\u{11ff}]|[а-яёα-ω]){0,40}") {
        check(shipped(), &text);
    }
}
