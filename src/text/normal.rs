//! NFKC and full case folding of a piece of text, with the place in the raw text that every character came from.
//!
//! The released crate normalises strings but forgets where the characters came from; this is the algorithm of UAX #15 (take
//! apart, order the marks, put together) over its tables, with a span on every character, and tests hold it against the crate's own.
//! Marks are ordered by a stable sort, so a million of them on one letter cost n log n. Weakness: where marks change places,
//! each of them stands for the whole run of marks, because a span cannot run backwards.

use caseless::Caseless;
use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical, decompose_compatible};

/// A character and the raw bytes it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) c: char,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Replaces `items` by their NFKC form; `scratch` is only there to be used again.
pub(super) fn nfkc(items: &mut Vec<Item>, scratch: &mut Vec<(u8, Item)>) {
    scratch.clear();
    for &item in items.iter() {
        if item.c.is_ascii() {
            scratch.push((0, item));
        } else {
            decompose_compatible(item.c, |c| scratch.push((canonical_combining_class(c), Item { c, ..item })));
        }
    }
    order_marks(scratch);
    items.clear();
    put_together(scratch, items);
}

/// Sorts each run of marks by its combining class.
fn order_marks(items: &mut [(u8, Item)]) {
    let mut at = 0;
    while at < items.len() {
        let length = items[at..].iter().take_while(|(class, _)| *class > 0).count();
        let run = &mut items[at..at + length];
        if !run.is_sorted_by_key(|(class, _)| *class) {
            let start = run[0].1.start;
            let end = run.iter().map(|(_, item)| item.end).max().unwrap_or(start);
            run.sort_by_key(|(class, _)| *class);
            for (_, item) in run {
                (item.start, item.end) = (start, end);
            }
        }
        at += length + 1;
    }
}

/// Composes each starter with the marks (or the starter) behind it that nothing blocks.
fn put_together(items: &[(u8, Item)], out: &mut Vec<Item>) {
    let mut starter = None;
    let mut last_class = 0;
    for &(class, item) in items {
        if let Some(at) = starter {
            let base: &mut Item = &mut out[at];
            let blocked = last_class > 0 && last_class >= class;
            let both_ascii = base.c.is_ascii() && item.c.is_ascii();
            if !blocked
                && !both_ascii
                && let Some(c) = compose(base.c, item.c)
            {
                base.c = c;
                base.end = base.end.max(item.end);
                continue;
            }
        }
        if class == 0 {
            starter = Some(out.len());
        }
        last_class = class;
        out.push(item);
    }
}

/// Whether NFKC replaces `c` by something that is not canonically the same.
pub(super) fn is_compatibility(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    // Comparing lengths and a mixing sum avoids two allocations a character.
    let sum = |state: &mut (u32, u32), c: char| *state = (state.0 + 1, state.1.wrapping_mul(31).wrapping_add(c as u32));
    let (mut compatible, mut canonical) = ((0, 0), (0, 0));
    decompose_compatible(c, |c| sum(&mut compatible, c));
    decompose_canonical(c, |c| sum(&mut canonical, c));
    compatible != canonical
}

/// Folds case (full, without the Turkish rule) from `items` into `out`, and says whether the result may have to be normalised
/// again: when something else changed than an ASCII letter that no mark follows.
pub(super) fn fold_case(items: &[Item], out: &mut Vec<Item>) -> bool {
    out.clear();
    let mut again = false;
    for (at, &item) in items.iter().enumerate() {
        if item.c.is_ascii() {
            let c = item.c.to_ascii_lowercase();
            again |= c != item.c && items.get(at + 1).is_some_and(|next| !next.c.is_ascii());
            out.push(Item { c, ..item });
            continue;
        }
        let before = out.len();
        out.extend(std::iter::once(item.c).default_case_fold().map(|c| Item { c, ..item }));
        again |= out.len() != before + 1 || out[before].c != item.c;
    }
    again
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    fn ours(text: &str) -> String {
        let mut items: Vec<Item> = text.chars().map(|c| Item { c, start: 0, end: 0 }).collect();
        nfkc(&mut items, &mut Vec::new());
        items.iter().map(|item| item.c).collect()
    }

    #[test]
    fn every_character_is_normalised_as_the_crate_does() {
        for c in (0..=0x10_FFFF).filter_map(char::from_u32) {
            let text = format!("a{c}\u{301}{c}");
            assert_eq!(ours(&text), text.nfkc().collect::<String>(), "U+{:04X}", c as u32);
        }
    }

    #[test]
    fn only_compatible_characters_count_as_such() {
        for (c, expected) in
            [('ﬁ', true), ('Ａ', true), ('²', true), ('é', false), ('각', false), ('中', false), ('Å', false)]
        {
            assert_eq!(is_compatibility(c), expected, "{c}");
        }
    }

    proptest! {
        #[test]
        fn strings_are_normalised_as_the_crate_does(text in "(\\PC|[\u{300}-\u{36f}]|[\u{1100}-\u{11ff}]|[\u{900}-\u{d7f}]){0,40}") {
            prop_assert_eq!(ours(&text), text.nfkc().collect::<String>());
        }
    }
}
