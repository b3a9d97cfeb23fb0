//! Template induction: the fixed text of a family and the slots that vary.
//!
//! Every member is aligned with the leader, token by token; what seven in ten members keep is fixed, the rest is a slot, and a
//! second pass reads each member's fillings. Linear in the members. Weakness: only the first [`MAX_TOKENS`] tokens of a prompt
//! are aligned, and of a very large family an even sample of members (the result says how many). Texts are as they came.

use crate::text::{fold, fold_aligned};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Tokens of a prompt that are aligned.
pub const MAX_TOKENS: usize = 400;
/// Members that are aligned, evenly chosen.
pub const MAX_MEMBERS: usize = 256;
/// Share of the members that keep a token, for it to be fixed.
const FIXED_SHARE: f64 = 0.7;
/// Examples kept of a slot.
const MAX_EXAMPLES: usize = 5;
/// Characters of an example.
const EXAMPLE_CHARS: usize = 120;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Text that the family shares.
    Text(String),
    /// A slot, by its number from 1.
    Slot(u32),
}

/// What fills a slot.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Slot {
    /// Its number in the template, from 1.
    pub slot: u32,
    /// Distinct fillings among the aligned members, letter case aside.
    pub distinct_values: u64,
    /// Aligned members that leave it empty.
    pub absent: u64,
    /// Some fillings, in the order they first came.
    pub examples: Vec<String>,
}

/// Fixed text and slots of a family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Fixed text and slots, in order.
    pub parts: Vec<Part>,
    /// The slots, in order.
    pub slots: Vec<Slot>,
    /// Members that were aligned.
    pub members: u64,
}

impl Template {
    /// The template in one line of text, slots as `⟨1⟩`, `⟨2⟩` ….
    #[must_use]
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Slot(slot) => format!("⟨{slot}⟩"),
            })
            .collect()
    }
}

/// A word, a sign or a run of white space of a text as it came, with what it is compared by: its folded form, so that neither
/// letter case nor look-alikes nor invisible characters make a slot.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    key: u64,
}

/// Bytes of a text that are looked at for tokens.
const MAX_BYTES: usize = 64 << 10;

/// The first tokens of a text.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let end = crate::text::boundary(text, MAX_BYTES);
    let text = &text[..end];
    let aligned = fold_aligned(text);
    let folded = aligned.text.as_str();
    // A character of a script that is written without spaces is a token of its own.
    let alone = |c: char| matches!(u32::from(c), 0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3400..=0x9fff | 0x20000..=0x3ffff);
    let class = |c: char| match c {
        c if c.is_whitespace() => 0,
        c if alone(c) => 3,
        c if c.is_alphanumeric() => 1,
        _ => 2,
    };
    let mut ends = Vec::new();
    let mut open = None;
    for (at, c) in folded.char_indices() {
        let here = class(c);
        if open.is_some_and(|class| class != here || class >= 2) {
            ends.push(at);
        }
        open = Some(here);
        if ends.len() == MAX_TOKENS {
            break;
        }
    }
    if ends.len() < MAX_TOKENS && !folded.is_empty() {
        ends.push(folded.len());
    }
    let mut out = Vec::with_capacity(ends.len());
    let (mut from, mut raw_from) = (0, 0);
    for end in ends {
        // What the fold removed between two tokens goes with the one before it.
        let raw_end = aligned.raw_range(from..end).end.max(raw_from);
        out.push(Token { text: &text[raw_from..raw_end], key: key(&folded[from..end]) });
        (from, raw_from) = (end, raw_end);
    }
    out
}

/// What a folded text is compared by.
fn key(folded: &str) -> u64 {
    // SipHash with a fixed key: the same on every run.
    let mut hasher = DefaultHasher::new();
    folded.hash(&mut hasher);
    hasher.finish()
}

fn keys(tokens: &[Token<'_>]) -> Vec<u64> {
    tokens.iter().map(|token| token.key).collect()
}

/// (index in `a`, index in `b`) of the tokens that an alignment pairs.
fn aligned(a: &[u64], b: &[u64]) -> impl Iterator<Item = (usize, usize)> + use<> {
    // Most members of a fragment have all of it.
    let ops = if a == b {
        vec![DiffOp::Equal { old_index: 0, new_index: 0, len: a.len() }]
    } else {
        capture_diff_slices(Algorithm::Myers, a, b)
    };
    ops.into_iter().flat_map(|op| {
        let (from, to, len) = match op {
            DiffOp::Equal { old_index, new_index, len } => (old_index, new_index, len),
            _ => (0, 0, 0),
        };
        (0..len).map(move |i| (from + i, to + i))
    })
}

/// Byte ranges of `text` that it shares with `with`, two words or more each: what a reader should look at. Of the first
/// [`MAX_TOKENS`] tokens of each.
#[must_use]
pub fn shared_ranges(with: &str, text: &str) -> Vec<std::ops::Range<usize>> {
    let (a, b) = (tokens(with), tokens(text));
    let mut starts = Vec::with_capacity(b.len() + 1);
    starts.push(0);
    b.iter().for_each(|token| starts.push(starts[starts.len() - 1] + token.text.len()));
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for (_, j) in aligned(&keys(&a), &keys(&b)) {
        match ranges.last_mut() {
            Some(last) if last.end == starts[j] => last.end = starts[j + 1],
            _ => ranges.push(starts[j]..starts[j + 1]),
        }
    }
    // A word in common says nothing; two words do, and so do a few characters of a script without blanks.
    let trimmed = ranges.into_iter().map(|range| {
        let piece = &text[range.clone()];
        let start = range.start + piece.len() - piece.trim_start().len();
        start..start + piece.trim().len()
    });
    trimmed
        .filter(|range| {
            text[range.clone()].chars().count() >= 8 && text[range.clone()].contains(' ')
                || !text[range.clone()].is_ascii() && text[range.clone()].chars().count() >= 4
        })
        .collect()
}

/// The template of a family: `leader` is its leader's text, `members` the texts of all its distinct prompts.
///
/// # Example
/// ```
/// use stillhunt::family::template::induce;
/// let texts = ["Summarise the play Hamlet in five lines.", "Summarise the play Medea in five lines."];
/// assert_eq!(induce(texts[0], &texts).text(), "Summarise the play ⟨1⟩ in five lines.");
/// ```
#[must_use]
pub fn induce(leader: &str, members: &[&str]) -> Template {
    let step = members.len().div_ceil(MAX_MEMBERS).max(1);
    // Members of the same text, which are many where the shared text is all of it, are aligned once.
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut chosen: Vec<(Vec<Token<'_>>, u32)> = Vec::new();
    let mut n_chosen = 0;
    for text in members.iter().step_by(step) {
        let place = *places.entry(text).or_insert_with(|| {
            chosen.push((tokens(text), 0));
            chosen.len() - 1
        });
        chosen[place].1 += 1;
        n_chosen += 1;
    }
    let lead = tokens(leader);
    let lead_keys = keys(&lead);
    let mut kept = vec![0u32; lead.len()];
    let with_lead: Vec<Vec<(usize, usize)>> =
        chosen.iter().map(|(member, _)| aligned(&lead_keys, &keys(member)).collect()).collect();
    for (pairs, (_, times)) in with_lead.iter().zip(&chosen) {
        pairs.iter().for_each(|&(i, _)| kept[i] += times);
    }
    let enough = (FIXED_SHARE * n_chosen as f64).ceil() as u32;
    let mut fixed: Vec<bool> = kept.iter().map(|&k| k >= enough).collect();
    drop_islands(&mut fixed, &lead);
    // The skeleton: fixed tokens in order, each with the number of the gap before it.
    let skeleton: Vec<usize> = (0..lead.len()).filter(|&i| fixed[i]).collect();
    let skeleton_keys: Vec<u64> = skeleton.iter().map(|&i| lead_keys[i]).collect();
    let mut place = vec![0; lead.len()];
    skeleton.iter().enumerate().for_each(|(s, &i)| place[i] = s);
    let mut gaps: Vec<Gap> = (0..=skeleton.len()).map(|_| Gap::default()).collect();
    for ((member, times), mut pairs) in chosen.iter().zip(with_lead) {
        // A member that keeps all of the skeleton is aligned with it already.
        pairs.retain(|&(i, _)| fixed[i]);
        pairs.iter_mut().for_each(|(i, _)| *i = place[*i]);
        if pairs.len() < skeleton.len() {
            pairs = aligned(&skeleton_keys, &keys(member)).collect();
        }
        let (mut gap, mut from) = (0, 0);
        for (s, m) in pairs {
            // Members that leave out fixed tokens fill the gap before the next one they keep.
            (gap..s).for_each(|skipped| gaps[skipped].take(&[], *times));
            gaps[s].take(&member[from..m], *times);
            (gap, from) = (s + 1, m + 1);
        }
        (gap..skeleton.len()).for_each(|skipped| gaps[skipped].take(&[], *times));
        gaps[skeleton.len()].take(&member[from..], *times);
    }
    build(&lead, &skeleton, gaps, n_chosen)
}

/// Fixed white space and signs between two slots say nothing: they become part of one slot.
fn drop_islands(fixed: &mut [bool], lead: &[Token<'_>]) {
    let mut at = 0;
    while at < fixed.len() {
        if !fixed[at] {
            at += 1;
            continue;
        }
        let end = (at..fixed.len()).find(|&i| !fixed[i]).unwrap_or(fixed.len());
        let words = lead[at..end].iter().any(|token| token.text.chars().any(char::is_alphanumeric));
        if !words && at > 0 && end < fixed.len() {
            fixed[at..end].fill(false);
        }
        at = end;
    }
}

#[derive(Default)]
struct Gap {
    values: HashSet<u64>,
    examples: Vec<String>,
    filled: u64,
    empty: u64,
}

impl Gap {
    /// So many members have this in the gap.
    fn take(&mut self, tokens: &[Token<'_>], times: u32) {
        if tokens.iter().all(|token| token.text.trim().is_empty()) {
            self.empty += u64::from(times);
            return;
        }
        let text: String = tokens.iter().map(|token| token.text).collect();
        let text = text.trim();
        self.filled += u64::from(times);
        if self.values.insert(key(&fold(text).text)) && self.examples.len() < MAX_EXAMPLES {
            let mut example: String = text.chars().take(EXAMPLE_CHARS).collect();
            if example.len() < text.len() {
                example.push('…');
            }
            self.examples.push(example);
        }
    }
}

fn build(lead: &[Token<'_>], skeleton: &[usize], gaps: Vec<Gap>, members: u64) -> Template {
    let mut template = Template { members, ..Template::default() };
    let mut text = String::new();
    // A gap that one member in five or fewer fills is an insertion of theirs, not a slot.
    let rare = members / 5;
    for (g, gap) in gaps.into_iter().enumerate() {
        if gap.filled > rare {
            let slot = template.slots.len() as u32 + 1;
            // White space beside a slot belongs to the fixed text where the leader has it.
            let before = if g > 0 { skeleton[g - 1] + 1 } else { 0 };
            let after = skeleton.get(g).copied().unwrap_or(lead.len());
            let inside = &lead[before..after];
            let blank = |token: Option<&Token<'_>>| token.is_some_and(|t| t.text.chars().all(char::is_whitespace));
            if blank(inside.first()) && !text.is_empty() {
                text.push_str(inside[0].text);
            }
            if !text.is_empty() {
                template.parts.push(Part::Text(std::mem::take(&mut text)));
            }
            template.parts.push(Part::Slot(slot));
            if inside.len() > 1 && blank(inside.last()) {
                text.push_str(inside[inside.len() - 1].text);
            }
            template.slots.push(Slot {
                slot,
                distinct_values: gap.values.len() as u64,
                absent: gap.empty,
                examples: gap.examples,
            });
        }
        if let Some(&token) = skeleton.get(g) {
            text.push_str(lead[token].text);
        }
    }
    if !text.is_empty() {
        template.parts.push(Part::Text(text));
    }
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], expected: &str) -> Template {
        let template = induce(texts[0], texts);
        assert_eq!(template.text(), expected);
        template
    }

    #[test]
    fn slots_are_what_varies() {
        let template = check(
            &[
                "Write a poem about autumn leaves, in French.",
                "Write a poem about the old harbour, in French.",
                "write a poem about rain, in German.",
            ],
            "Write a poem about ⟨1⟩, in ⟨2⟩.",
        );
        assert_eq!(template.slots[0].distinct_values, 3);
        assert_eq!(template.slots[1].examples, ["French", "German"]);
        check(&["one and the same", "one and the same"], "one and the same");
        check(&["写一首关于春天的诗", "写一首关于秋天的诗"], "写一首关于⟨1⟩天的诗");
    }

    #[test]
    fn what_is_added_at_an_end_is_a_slot_and_a_rare_insertion_is_not() {
        check(&["List the rivers of Spain", "List the rivers of Spain and Portugal"], "List the rivers of Spain⟨1⟩");
        let mut texts = vec!["Name three birds that swim well"; 30];
        texts.push("Name three very rare birds that swim well");
        check(&texts, "Name three birds that swim well");
    }

    #[test]
    fn shared_text_is_marked_in_the_other_text() {
        let text = "Please list the rivers of Portugal now";
        let shared: Vec<&str> =
            shared_ranges("List the rivers of Spain now", text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(shared, ["list the rivers of"], "a single word in common is not marked");
        assert!(shared_ranges("", "a").is_empty());
    }

    #[test]
    fn hostile_texts_are_bounded() {
        let long = "a b ".repeat(100_000);
        let other = "b a ".repeat(100_000);
        let template = induce(&long, &[&long, &other]);
        assert!(template.text().chars().count() <= 4 * MAX_TOKENS);
        assert_eq!(induce("", &[""]).parts, []);
        assert_eq!(induce("", &[]).members, 0);
    }
}
