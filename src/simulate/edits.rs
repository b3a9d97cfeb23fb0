//! The eleven ways in which a copy of a prompt is made to look different.
//!
//! Each is a plain function of the text, a strength and a seeded stream; a strength of 1 is what the embedding model was
//! tested with (one word in five misspelt, three letters in ten replaced by look-alikes, …), a lower one edits less of the
//! text. An edit that cannot change the text (reordering one sentence, say) returns nothing, so that the truth never names
//! an edit that did not happen. Weakness: synonyms come from a small table, so on rare vocabulary that edit does not apply.
//! Every edit is linear in the text.

use super::draw::{below, between, chance, pick, shuffle};
use super::grammar::tables;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How a prompt was changed from its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// Rare words and numbers replaced, as if a template's slots were filled anew.
    Slot,
    /// Boilerplate in front and behind.
    Boiler,
    /// Words replaced by synonyms.
    Synonym,
    /// Letters swapped, dropped, doubled or replaced.
    Typo,
    /// Case flipped and white space changed.
    CaseSpace,
    /// Latin letters replaced by Cyrillic look-alikes; invisible characters put in.
    Homoglyph,
    /// Full-width letters and accents put on.
    FullwidthAccents,
    /// Cut to 70% of its words.
    Trunc70,
    /// Half its length of unrelated text behind.
    #[serde(rename = "pad1.5x")]
    Pad15,
    /// Twice its length of unrelated text around.
    #[serde(rename = "pad3x")]
    Pad3,
    /// Sentences in another order.
    Reorder,
}

impl Edit {
    /// Every kind of edit.
    pub const ALL: [Self; 11] = [
        Self::Slot,
        Self::Boiler,
        Self::Synonym,
        Self::Typo,
        Self::CaseSpace,
        Self::Homoglyph,
        Self::FullwidthAccents,
        Self::Trunc70,
        Self::Pad15,
        Self::Pad3,
        Self::Reorder,
    ];

    /// The word used in the truth file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::Boiler => "boiler",
            Self::Synonym => "synonym",
            Self::Typo => "typo",
            Self::CaseSpace => "case-space",
            Self::Homoglyph => "homoglyph",
            Self::FullwidthAccents => "fullwidth-accents",
            Self::Trunc70 => "trunc70",
            Self::Pad15 => "pad1.5x",
            Self::Pad3 => "pad3x",
            Self::Reorder => "reorder",
        }
    }

    /// `text` with this edit at `strength` in (0, 1], drawn from `seed`; `None` where it does not change the text. `filler` is
    /// unrelated text for the two paddings.
    #[must_use]
    pub fn apply(self, text: &str, strength: f64, filler: &str, seed: u64) -> Option<String> {
        apply(self, text, strength, filler, &mut super::draw::stream(seed, "one edit", self as u64, 0))
    }
}

/// `text` changed by `kind` at `strength` in (0, 1], or `None` where that edit does not change it. `filler` is unrelated
/// text for the two paddings.
#[must_use]
pub(super) fn apply(kind: Edit, text: &str, strength: f64, filler: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    // An edit by chance may leave a short text alone; it gets another go before it counts as one that does not apply.
    (0..3).find_map(|_| {
        let changed = once(kind, text, strength, filler, rng);
        (changed != text && !changed.trim().is_empty()).then_some(changed)
    })
}

fn once(kind: Edit, text: &str, strength: f64, filler: &str, rng: &mut ChaCha8Rng) -> String {
    match kind {
        Edit::Slot => slot(text, strength, rng),
        Edit::Boiler => boiler(text, strength, rng),
        Edit::Synonym => synonym(text, strength, rng),
        Edit::Typo => typo(text, strength, rng),
        Edit::CaseSpace => case_space(text, strength, rng),
        Edit::Homoglyph => homoglyph(text, strength, rng),
        Edit::FullwidthAccents => fullwidth_accents(text, strength, rng),
        Edit::Trunc70 => truncate(text),
        Edit::Pad15 => format!("{text}\n\n{}", stretch(filler, (text.chars().count() / 2).max(20))),
        Edit::Pad3 => pad3(text, filler, rng),
        Edit::Reorder => reorder(text, rng),
    }
}

/// Whether most of the text is written without spaces (Chinese, Japanese), so that edits go by character.
pub(super) fn wide(text: &str) -> bool {
    let han = |c: &char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}');
    10 * text.chars().filter(han).count() > 3 * text.chars().count()
}

/// Runs of letters and digits, and what stands between them, in order; joined they are the text again.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut before: Option<bool> = None;
    for (at, c) in text.char_indices() {
        let inside = c.is_alphanumeric();
        if before.is_some_and(|b| b != inside) {
            out.push(&text[start..at]);
            start = at;
        }
        before = Some(inside);
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
}

/// A word that carries meaning, as far as its length can tell.
fn content(word: &str) -> bool {
    word.chars().count() > 4 && word.chars().all(char::is_alphabetic)
}

fn slot(text: &str, strength: f64, rng: &mut ChaCha8Rng) -> String {
    if wide(text) {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..(chars.len() as f64 * strength / 12.0).max(1.0) as usize {
            let at = below(rng, chars.len());
            chars[at] = pick(rng, &tables().edits.slot_han);
        }
        return chars.into_iter().collect();
    }
    let words = pieces(text);
    let candidates: Vec<&str> = words.iter().copied().filter(|w| content(w)).collect();
    let mut swaps: Vec<(&str, &str)> = Vec::new();
    if !candidates.is_empty() {
        let wanted = ((candidates.len() as f64 * strength / 8.0) as usize).clamp(1, 8);
        for _ in 0..wanted {
            swaps.push((pick(rng, &candidates), pick(rng, &tables().edits.slot_words)));
        }
    }
    let mut out = String::with_capacity(text.len() + 32);
    for word in words {
        if word.bytes().all(|b| b.is_ascii_digit()) {
            out.extend(word.bytes().map(|_| char::from(b'1' + below(rng, 9) as u8)));
        } else if let Some((_, new)) = swaps.iter().find(|(old, _)| *old == word) {
            out.push_str(new);
        } else {
            out.push_str(word);
        }
    }
    out
}

fn boiler(text: &str, strength: f64, rng: &mut ChaCha8Rng) -> String {
    let gap = if chance(rng, 0.5) { " " } else { "\n\n" };
    let (opener, closer) = (pick(rng, &tables().edits.openers), pick(rng, &tables().edits.closers));
    // A weak edit puts boilerplate on one side only.
    match (chance(rng, strength), chance(rng, 0.5)) {
        (true, _) => format!("{opener}{gap}{text}{gap}{closer}"),
        (false, true) => format!("{opener}{gap}{text}"),
        (false, false) => format!("{text}{gap}{closer}"),
    }
}

fn synonym(text: &str, strength: f64, rng: &mut ChaCha8Rng) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    for word in pieces(text) {
        let lower = word.to_lowercase();
        let row = tables().edits.synonyms.iter().find(|row| row.contains(&lower.as_str()));
        match row {
            Some(row) if chance(rng, 0.3 + 0.6 * strength) => {
                let new = pick(rng, row);
                let capital = word.chars().next().is_some_and(char::is_uppercase);
                let mut letters = new.chars();
                match letters.next() {
                    Some(first) if capital => out.extend(first.to_uppercase().chain(letters)),
                    _ => out.push_str(new),
                }
            }
            _ => out.push_str(word),
        }
    }
    out
}

fn typo(text: &str, strength: f64, rng: &mut ChaCha8Rng) -> String {
    if wide(text) {
        return text.chars().filter(|_| !chance(rng, 0.07 * strength)).collect();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for word in pieces(text) {
        let mut letters: Vec<char> = word.chars().collect();
        if letters.len() > 3 && letters.iter().all(|c| c.is_alphabetic()) && chance(rng, 0.2 * strength) {
            let at = 1 + below(rng, letters.len() - 2);
            match below(rng, 4) {
                0 => letters.swap(at, at + 1),
                1 => drop(letters.remove(at)),
                2 => letters.insert(at, letters[at]),
                _ => letters[at] = char::from(b'a' + below(rng, 26) as u8),
            }
        }
        out.extend(letters);
    }
    out
}

fn case_space(text: &str, strength: f64, rng: &mut ChaCha8Rng) -> String {
    let upper = strength > 0.6 && chance(rng, 0.5);
    let mut out = String::with_capacity(text.len() + 32);
    for c in text.chars() {
        if c == ' ' && chance(rng, strength) {
            out.push_str(pick(rng, &[" ", "  ", "\n", "\t", " \u{a0}"]));
        } else if c.is_uppercase() && !upper && chance(rng, 0.3 * strength) {
            out.extend(c.to_lowercase());
        } else if upper || chance(rng, 0.3 * strength) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn homoglyph(text: &str, strength: f64, rng: &mut ChaCha8Rng) -> String {
    let mut out = String::with_capacity(2 * text.len());
    for c in text.chars() {
        match tables().edits.lookalikes.iter().find(|(latin, _)| *latin == c) {
            Some((_, cyrillic)) if chance(rng, 0.3 * strength) => out.push(*cyrillic),
            _ => out.push(c),
        }
        if chance(rng, 0.02 * strength) {
            out.push('\u{200b}');
        }
    }
    out
}

fn fullwidth_accents(text: &str, strength: f64, rng: &mut ChaCha8Rng) -> String {
    use unicode_normalization::UnicodeNormalization;
    let mut out = String::with_capacity(2 * text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() && chance(rng, 0.1 * strength) {
            out.extend(char::from_u32(c as u32 + 0xFEE0));
        } else if "aeiou".contains(c) && chance(rng, 0.1 * strength) {
            out.extend([c, '\u{301}'].into_iter().nfc());
        } else {
            out.push(c);
        }
    }
    out
}

fn truncate(text: &str) -> String {
    let keep = |n: usize| (7 * n).div_ceil(10).max(2);
    if wide(text) {
        return text.chars().take(keep(text.chars().count())).collect();
    }
    let words: Vec<&str> = text.split(' ').collect();
    words[..keep(words.len()).min(words.len())].join(" ")
}

/// Exactly `wanted` characters of `filler`, repeated as often as that takes.
fn stretch(filler: &str, wanted: usize) -> String {
    filler.chars().chain(" ".chars()).cycle().take(wanted).collect()
}

fn pad3(text: &str, filler: &str, rng: &mut ChaCha8Rng) -> String {
    let length = text.chars().count();
    let (one, two) = (stretch(filler, length), stretch(filler, 2 * length));
    match below(rng, 3) {
        0 => format!("{text}\n\n{two}"),
        1 => format!("{two}\n\n{text}"),
        _ => format!("{one}\n\n{text}\n\n{}", two.chars().skip(length).collect::<String>()),
    }
}

/// Sentences, or where there is one only, clauses.
fn parts(text: &str) -> Vec<&str> {
    let cut = |marks: &[char], spaced: bool| {
        let mut out = Vec::new();
        let mut start = 0;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let end = at + c.len_utf8();
            let ends = c == '\n' || marks.contains(&c);
            let free = !spaced || !c.is_ascii() || chars.peek().is_none_or(|(_, next)| next.is_whitespace());
            if ends && free {
                out.push(text[start..end].trim());
                start = end;
            }
        }
        out.push(text[start..].trim());
        out.retain(|part| !part.is_empty());
        out
    };
    let sentences = cut(&['.', '!', '?', '。', '！', '？', '؟', '।'], true);
    if sentences.len() > 1 { sentences } else { cut(&[',', ';', ':', '，', '；', '：', '،'], false) }
}

fn reorder(text: &str, rng: &mut ChaCha8Rng) -> String {
    let old = parts(text);
    let mut new = old.clone();
    for _ in 0..9 {
        shuffle(rng, &mut new);
        if new != old {
            return new.join(" ");
        }
    }
    text.to_owned()
}

/// The strength of one campaign's edits.
pub(super) fn strength(rng: &mut ChaCha8Rng) -> f64 {
    between(rng, 0.3, 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::draw::stream;
    use super::*;

    const TEXT: &str = "Please explain step by step how the old bridge in Prague was built in 1357. \
        Which materials did the builders use? Give a short summary of the main problems at the end.";
    const FILLER: &str = "The harbour was quiet that morning and nobody had opened the market yet.";

    fn edited(kind: Edit, text: &str, seed: u64) -> Option<String> {
        apply(kind, text, 1.0, FILLER, &mut stream(seed, "edit", 0, 0))
    }

    #[test]
    fn every_edit_changes_the_text_as_named() {
        let sorted = |text: &str| {
            let mut words: Vec<&str> = text.split_whitespace().collect();
            words.sort_unstable();
            words.join(" ")
        };
        let length = TEXT.chars().count();
        for seed in 0..50 {
            for kind in Edit::ALL {
                let Some(out) = edited(kind, TEXT, seed) else { panic!("{} does nothing", kind.word()) };
                assert_ne!(out, TEXT, "{}", kind.word());
                let n = out.chars().count();
                let ok = match kind {
                    Edit::Slot => out.split(' ').count() == TEXT.split(' ').count() && !out.contains("1357"),
                    Edit::Boiler => out.contains(TEXT),
                    Edit::Synonym => n.abs_diff(length) < 60 && out.contains("1357"),
                    Edit::Typo => n.abs_diff(length) < 20,
                    Edit::CaseSpace => sorted(&out.to_lowercase()) == sorted(&TEXT.to_lowercase()),
                    Edit::Homoglyph => out.chars().any(|c| matches!(c, '\u{400}'..='\u{4ff}')),
                    Edit::FullwidthAccents => out.chars().any(|c| ('\u{ff10}'..='\u{ff5a}').contains(&c) || c == 'á'),
                    Edit::Trunc70 => TEXT.starts_with(&out) && (0.6..0.8).contains(&(n as f64 / length as f64)),
                    Edit::Pad15 => out.starts_with(TEXT) && (1.4..1.6).contains(&(n as f64 / length as f64)),
                    Edit::Pad3 => out.contains(TEXT) && (2.9..3.1).contains(&(n as f64 / length as f64)),
                    Edit::Reorder => sorted(&out) == sorted(TEXT),
                };
                assert!(ok, "{} at seed {seed}: {out}", kind.word());
            }
        }
    }

    #[test]
    fn an_edit_that_cannot_act_says_so() {
        assert_eq!(edited(Edit::Reorder, "hello", 1), None);
        assert_eq!(edited(Edit::Synonym, "xqzt", 1), None);
        assert_eq!(edited(Edit::Trunc70, "two words", 1), None);
    }

    #[test]
    fn no_text_makes_an_edit_panic() {
        for text in
            ["", " ", "\u{301}", "写一首关于秋天的诗。要押韵。", "اكتب رسالة، قصيرة", "a.b.c\n\n\n", "🙂🙂🙂", "1"]
        {
            for kind in Edit::ALL {
                for seed in 0..5 {
                    let _ = edited(kind, text, seed);
                    let _ = apply(kind, text, 0.3, "", &mut stream(seed, "edit", 0, 0));
                }
            }
        }
        let han = edited(Edit::Slot, "写一首关于秋天的诗。要押韵。", 3);
        assert!(han.is_some_and(|text| text.chars().count() == 14));
    }
}
