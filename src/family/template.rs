//! Template induction: the fixed text of a family and the slots that vary.
//!
//! Every member is aligned with the leader, token by token; what seven in ten members keep is fixed, the rest is a slot, and a
//! second pass reads each member's fillings. Linear in the members. Weakness: only the first [`MAX_TOKENS`] tokens of a prompt
//! are aligned, and of a very large family an even sample of members (the result says how many). Texts are as they came.

use crate::text::{fold, fold_aligned};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Tokens of a prompt that are aligned.
pub const MAX_TOKENS: usize = 400;
/// Members that are aligned, evenly chosen.
pub const MAX_MEMBERS: usize = 256;
/// Share of the members that keep a token, for it to be fixed.
const FIXED_SHARE: f64 = 0.7;
/// Examples kept of a slot.
const MAX_EXAMPLES: usize = 5;
/// Values of a slot that are told with how often they came.
const MAX_VALUES: usize = 20;
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
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Slot {
    /// Its number in the template, from 1.
    pub slot: u32,
    /// Distinct fillings among the aligned members, letter case aside.
    pub distinct_values: u64,
    /// Aligned members that leave it empty.
    pub absent: u64,
    /// Some fillings, in the order they first came.
    pub examples: Vec<String>,
    /// How often fillings came, the most frequent first; only where one family is shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
    /// Distinct fillings that are not among `values`; only where one family is shown.
    #[serde(skip_serializing_if = "is_none")]
    pub values_left_out: u64,
}

fn is_none(number: &u64) -> bool {
    *number == 0
}

/// How often one filling of a slot came.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Value {
    /// The filling as it first came, cut like an example.
    pub value: String,
    /// Aligned members with it, letter case aside.
    pub members: u64,
    /// Their requests.
    pub requests: u64,
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
    let members: Vec<(&str, u64)> = members.iter().map(|&text| (text, 1)).collect();
    let mut template = induce_of(leader, &members);
    template.slots.iter_mut().for_each(|slot| (slot.values, slot.values_left_out) = (Vec::new(), 0));
    template
}

/// The same with how often the values of slots came; each member comes with its requests.
#[must_use]
pub fn induce_of(leader: &str, members: &[(&str, u64)]) -> Template {
    let step = members.len().div_ceil(MAX_MEMBERS).max(1);
    // Members of the same text, which are many where the shared text is all of it, are aligned once.
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut chosen: Vec<(Vec<Token<'_>>, Times)> = Vec::new();
    let mut n_chosen = 0;
    for (text, requests) in members.iter().step_by(step) {
        let place = *places.entry(text).or_insert_with(|| {
            chosen.push((tokens(text), Times::default()));
            chosen.len() - 1
        });
        chosen[place].1.members += 1;
        chosen[place].1.requests += requests;
        n_chosen += 1;
    }
    let lead = tokens(leader);
    let lead_keys = keys(&lead);
    let mut kept = vec![0u32; lead.len()];
    let with_lead: Vec<Vec<(usize, usize)>> =
        chosen.iter().map(|(member, _)| aligned(&lead_keys, &keys(member)).collect()).collect();
    for (pairs, (_, times)) in with_lead.iter().zip(&chosen) {
        pairs.iter().for_each(|&(i, _)| kept[i] += times.members as u32);
    }
    let enough = (FIXED_SHARE * n_chosen as f64).ceil() as u32;
    let mut fixed: Vec<bool> = kept.iter().map(|&k| k >= enough).collect();
    drop_islands(&mut fixed, &lead);
    // The skeleton: fixed tokens in order, each with the number of the gap before it.
    let skeleton: Vec<usize> = (0..lead.len()).filter(|&i| fixed[i]).collect();
    let skeleton_keys: Vec<u64> = skeleton.iter().map(|&i| lead_keys[i]).collect();
    let mut place = vec![0; lead.len()];
    skeleton.iter().enumerate().for_each(|(s, &i)| place[i] = s);
    let mut gaps: Vec<Gap<'_>> = (0..=skeleton.len()).map(|_| Gap::default()).collect();
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

/// Members of one text, and their requests.
#[derive(Clone, Copy, Default)]
struct Times {
    members: u64,
    requests: u64,
}

/// What members have between two fixed tokens.
#[derive(Default)]
struct Gap<'a> {
    /// By what they are compared by: the filling as it first came, its place among the others, how often it came.
    values: HashMap<u64, (&'a [Token<'a>], usize, Times)>,
    filled: u64,
    empty: u64,
}

impl<'a> Gap<'a> {
    /// So many members have this in the gap.
    fn take(&mut self, tokens: &'a [Token<'a>], times: Times) {
        if tokens.iter().all(|token| token.text.trim().is_empty()) {
            self.empty += times.members;
            return;
        }
        let text: String = tokens.iter().map(|token| token.text).collect();
        self.filled += times.members;
        let place = self.values.len();
        let value = self.values.entry(key(&fold(text.trim()).text)).or_insert((tokens, place, Times::default()));
        value.2.members += times.members;
        value.2.requests += times.requests;
    }

    /// What it tells as a slot.
    fn slot(self, slot: u32) -> Slot {
        let distinct = self.values.len();
        let mut values: Vec<(&[Token<'_>], usize, Times)> = self.values.into_values().collect();
        values.sort_unstable_by_key(|value| value.1);
        let examples = values.iter().take(MAX_EXAMPLES).map(|value| example(value.0)).collect();
        // The sort is stable, so what came as often stays in the order in which it first came.
        values.sort_by_key(|value| std::cmp::Reverse((value.2.requests, value.2.members)));
        let told = values.iter().take(MAX_VALUES).map(|(tokens, _, times)| Value {
            value: example(tokens),
            members: times.members,
            requests: times.requests,
        });
        Slot {
            slot,
            distinct_values: distinct as u64,
            absent: self.empty,
            examples,
            values: told.collect(),
            values_left_out: distinct.saturating_sub(MAX_VALUES) as u64,
        }
    }
}

/// A filling, cut behind some characters.
fn example(tokens: &[Token<'_>]) -> String {
    let text: String = tokens.iter().map(|token| token.text).collect();
    let text = text.trim();
    let mut example: String = text.chars().take(EXAMPLE_CHARS).collect();
    if example.len() < text.len() {
        example.push('…');
    }
    example
}

fn build(lead: &[Token<'_>], skeleton: &[usize], gaps: Vec<Gap<'_>>, members: u64) -> Template {
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
            template.slots.push(gap.slot(slot));
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
        assert!(template.slots.iter().all(|slot| slot.values.is_empty()), "only where one family is shown");
        check(&["one and the same", "one and the same"], "one and the same");
        check(&["写一首关于春天的诗", "写一首关于秋天的诗"], "写一首关于⟨1⟩天的诗");
    }

    #[test]
    fn values_are_told_with_how_often_they_came() {
        let text = |value: &str| format!("Write a poem about {value}, in French.");
        // Thirty values that came once each, one that came twice in other letters, one that came in a single text of many requests.
        let mut texts: Vec<(String, u64)> = (0..30).map(|i| (text(&format!("word{i}")), 1)).collect();
        texts.extend([(text("Rain"), 2), (text("rain"), 3), (text("the sea"), 9), (text(""), 4)]);
        let members: Vec<(&str, u64)> = texts.iter().map(|(text, requests)| (text.as_str(), *requests)).collect();
        let slot = induce_of(members[0].0, &members).slots.remove(0);
        let told: Vec<(&str, u64, u64)> =
            slot.values.iter().take(3).map(|of| (of.value.as_str(), of.members, of.requests)).collect();
        assert_eq!(told, [("the sea", 1, 9), ("Rain", 2, 5), ("word0", 1, 1)]);
        assert_eq!((slot.distinct_values, slot.absent), (32, 1));
        assert_eq!((slot.values.len(), slot.values_left_out), (MAX_VALUES, 32 - MAX_VALUES as u64));
        assert_eq!(slot.examples, ["word0", "word1", "word2", "word3", "word4"], "in the order in which they came");
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
