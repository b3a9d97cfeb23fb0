//! A seed → a run: the longest text around a fingerprint that most of its holders share.
//!
//! The holders of a sample stand side by side, aligned at the gram. Word by word, to the right and then to the left, the word
//! that seven in ten of them have next is taken. A holder with another word is taken to have changed, added or left out one,
//! and stays in step; where fewer than seven in ten agree, the next pair of words that they agree on, within twelve words,
//! ends a slot. Source of the idea: consensus of aligned reads, as in sequence assembly. Weakness: the alignment is greedy, so
//! a holder that changes several words in a row drops out.

use super::LEAST_RUN;
use super::count::{SAMPLE, Seed};
use crate::text::is_trivial;
use crate::text::winnow::GRAM;
use std::borrow::Cow;
use std::ops::Range;

/// Stands for a slot in the text of a run (the unit separator of ASCII); folded text never holds it.
pub const SLOT: char = '\u{1f}';

/// Share of a sample, in percent, that must have a word for it to be of the run.
const KEEP_PERCENT: usize = 70;
/// Bytes of a run at most, to each side of its seed.
const MOST_BYTES: usize = 16 << 10;
/// Words that a slot may have.
const SLOT_WORDS: usize = 12;
/// Words in a row at which a holder may differ.
const MOST_MISSES: u8 = 2;
/// Bytes of a word at most; longer runs of letters are cut.
const WORD_BYTES: usize = 64;
/// Holders that are looked at first: most seeds are idioms, and end here.
const FIRST_LOOK: usize = 8;
/// Bytes of a holder, to each side of the gram, that are read first. A run of a quarter of that, or longer, is grown again in the whole
/// texts: a slot may have taken its walk to the end of what was read.
const FIRST_REACH: usize = 4 << 10;
/// Bytes that a piece at either end of a run needs; what is shorter tells nothing.
const LEAST_PIECE: usize = 16;

/// Folded texts by number.
pub trait Texts: Sync {
    /// The folded text; empty where there is none.
    fn folded(&self, text: u32) -> Cow<'_, str>;

    /// A part of the folded text with at least `reach` bytes to each side of byte `at`, but for what a cut at a character takes, or the
    /// whole; and where it begins.
    fn around(&self, text: u32, at: usize, reach: usize) -> (Cow<'_, str>, usize) {
        let _ = (at, reach);
        (self.folded(text), 0)
    }
}

/// The fixed pieces of a run, in order.
pub fn pieces(run: &str) -> impl Iterator<Item = &str> {
    run.split(SLOT).filter(|piece| !piece.is_empty())
}

/// The run around a seed: folded text with [`SLOT`] where holders differ. `None` where it is shorter than [`LEAST_RUN`] or trivial.
#[must_use]
pub fn extract(seed: &Seed, texts: &dyn Texts) -> Option<String> {
    let step = seed.sample.len().div_ceil(FIRST_LOOK).max(1);
    let few: Vec<(u32, u32)> = seed.sample.iter().copied().step_by(step).collect();
    let first = consensus(&few, texts);
    if few.len() == seed.sample.len() || first.len() < LEAST_RUN {
        return first_rate(first);
    }
    first_rate(consensus(&seed.sample, texts))
}

fn first_rate(run: String) -> Option<String> {
    let fixed: usize = pieces(&run).map(str::len).sum();
    (fixed >= LEAST_RUN && !is_trivial(&run.replace(SLOT, " "))).then_some(run)
}

/// A word of one holder.
#[derive(Clone, Copy)]
struct Word {
    holder: usize,
    start: usize,
    end: usize,
}

/// Where a holder is.
#[derive(Clone, Copy)]
struct Cursor {
    at: usize,
    misses: u8,
}

/// The holders of a sample side by side.
struct Side<'a> {
    texts: &'a [Cow<'a, str>],
    forward: bool,
    needed: usize,
}

fn consensus(sample: &[(u32, u32)], texts: &dyn Texts) -> String {
    let near = consensus_within(sample, texts, FIRST_REACH);
    if near.len() < FIRST_REACH / 4 { near } else { consensus_within(sample, texts, usize::MAX) }
}

/// The run around the gram, of what stands within `reach` bytes of it.
fn consensus_within(sample: &[(u32, u32)], texts: &dyn Texts, reach: usize) -> String {
    let mut held: Vec<Cow<'_, str>> = Vec::with_capacity(sample.len().min(SAMPLE));
    let mut starts: Vec<usize> = Vec::with_capacity(held.capacity());
    let mut gram: Vec<u8> = Vec::new();
    for &(text, at) in sample {
        let (folded, from) = texts.around(text, at as usize, reach);
        let Some(at) = (at as usize).checked_sub(from) else { continue };
        let Some(here) = folded.as_bytes().get(at..at + GRAM) else { continue };
        if gram.is_empty() {
            gram = here.to_vec();
        }
        // Another gram of the same hash is none of this seed's.
        if here == gram {
            held.push(folded);
            starts.push(at);
        }
    }
    if held.len() < 2 {
        return String::new();
    }
    // The first word that begins inside the gram, counted from its start: the same in all holders.
    let begins = |offset: usize| {
        let begins =
            |(text, &at): (&Cow<'_, str>, &usize)| text.is_char_boundary(at + offset) && starts_word(text, at + offset);
        // What stands before the gram differs; inside it all are alike.
        held.iter().zip(&starts).take(if offset == 0 { held.len() } else { 1 }).all(begins)
    };
    let Some(offset) = (0..GRAM).find(|&offset| begins(offset)) else { return String::new() };
    let begin: Vec<Cursor> = starts.iter().map(|&at| Cursor { at: at + offset, misses: 0 }).collect();
    let needed = (KEEP_PERCENT * held.len()).div_ceil(100).max(2);
    let mut left = Side { texts: &held, forward: false, needed }.walk(begin.clone());
    let right = Side { texts: &held, forward: true, needed }.walk(begin);
    left.reverse();
    left.extend(right);
    assemble(&left, &held)
}

/// Whether a word, or a sign, begins at byte `at`.
fn starts_word(text: &str, at: usize) -> bool {
    let here = text[at..].chars().next().map(class);
    let before = text[..at].chars().next_back().map(class);
    let inside = before == Some(Class::Letter) && here == Some(Class::Letter);
    !inside && !matches!(here, None | Some(Class::Blank))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Blank,
    Letter,
    /// A sign, or a character that is a word of its own.
    Alone,
}

fn class(c: char) -> Class {
    match c {
        ' ' => Class::Blank,
        _ if c.is_ascii() => {
            if c.is_ascii_alphanumeric() || c == '_' {
                Class::Letter
            } else {
                Class::Alone
            }
        }
        // Scripts that are written without blanks: South-East Asian, Chinese, Japanese.
        '\u{0e00}'..='\u{0eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{20000}'..='\u{3ffff}' => Class::Alone,
        _ if c.is_alphanumeric() => Class::Letter,
        _ => Class::Alone,
    }
}

/// The word next to `at`, in either direction; blanks are skipped.
fn next_word(text: &str, at: usize, forward: bool) -> Option<Range<usize>> {
    let mut range = at..at;
    let mut kind = Class::Blank;
    let mut take = |c: char| -> bool {
        let (here, len) = (class(c), c.len_utf8());
        if kind == Class::Blank && here == Class::Blank {
            range = if forward { range.end + len..range.end + len } else { range.start - len..range.start - len };
            return true;
        }
        if kind != Class::Blank && (here != Class::Letter || kind != Class::Letter || range.len() + len > WORD_BYTES) {
            return false;
        }
        kind = here;
        if forward {
            range.end += len
        } else {
            range.start -= len
        }
        true
    };
    if forward {
        text[at..].chars().all(&mut take);
    } else {
        text[..at].chars().rev().all(&mut take);
    }
    (!range.is_empty()).then_some(range)
}

impl Side<'_> {
    fn next(&self, holder: usize, at: usize) -> Option<Word> {
        next_word(&self.texts[holder], at, self.forward).map(|range| Word {
            holder,
            start: range.start,
            end: range.end,
        })
    }

    fn str(&self, word: Word) -> &str {
        &self.texts[word.holder][word.start..word.end]
    }

    /// Where the walk goes on behind a word.
    fn behind(&self, word: Word) -> usize {
        if self.forward { word.end } else { word.start }
    }

    /// Words in the order of the walk; `None` for a slot.
    fn walk(&self, mut cursors: Vec<Cursor>) -> Vec<Option<Word>> {
        let (mut out, mut bytes) = (Vec::new(), 0);
        while bytes < MOST_BYTES {
            let words: Vec<Option<Word>> = cursors
                .iter()
                .enumerate()
                .map(|(holder, cursor)| if cursor.misses > MOST_MISSES { None } else { self.next(holder, cursor.at) })
                .collect();
            let Some(most) = self.majority(&words) else { break };
            let word = self.str(most);
            let agreed = words.iter().flatten().filter(|&&other| self.str(other) == word).count();
            if agreed >= self.needed {
                bytes += word.len() + 1;
                out.push(Some(most));
                for (holder, cursor) in cursors.iter_mut().enumerate() {
                    if let Some(own) = words[holder] {
                        self.follow(cursor, own, word);
                    }
                }
            } else if self.over_slot(&mut cursors) {
                bytes += LEAST_PIECE;
                out.push(None);
            } else {
                break;
            }
        }
        out
    }

    /// The word that more than half of the holders have, if one does (Boyer and Moore's vote).
    fn majority(&self, words: &[Option<Word>]) -> Option<Word> {
        let (mut leader, mut votes) = (None, 0);
        for &word in words.iter().flatten() {
            match leader {
                Some(other) if self.str(other) == self.str(word) => votes += 1,
                _ if votes == 0 => (leader, votes) = (Some(word), 1),
                _ => votes -= 1,
            }
        }
        leader
    }

    /// Moves a holder past `word`, or past what it has in its place.
    fn follow(&self, cursor: &mut Cursor, own: Word, word: &str) {
        if self.str(own) == word {
            *cursor = Cursor { at: self.behind(own), misses: 0 };
            return;
        }
        // It added a word before this one.
        if let Some(second) = self.next(own.holder, self.behind(own))
            && self.str(second) == word
        {
            *cursor = Cursor { at: self.behind(second), misses: 0 };
            return;
        }
        // It left one out, if what was taken for a changed word is this one.
        let skipped = next_word(&self.texts[own.holder], cursor.at, !self.forward);
        if cursor.misses > 0 && skipped.is_some_and(|range| &self.texts[own.holder][range] == word) {
            cursor.misses = 0;
            return;
        }
        *cursor = Cursor { at: self.behind(own), misses: cursor.misses + 1 };
    }

    /// Finds the nearest pair of words that enough holders have within the next few, and moves those to it.
    fn over_slot(&self, cursors: &mut [Cursor]) -> bool {
        // (hash of two words in the order of the walk, holder, words skipped), and the words ahead of each holder.
        let mut pairs: Vec<(u64, u32, u32)> = Vec::with_capacity(cursors.len() * SLOT_WORDS);
        let mut ahead: Vec<Vec<Word>> = Vec::with_capacity(cursors.len());
        for (holder, cursor) in cursors.iter().enumerate() {
            let mut words: Vec<Word> = Vec::new();
            if cursor.misses <= MOST_MISSES {
                let mut at = cursor.at;
                while words.len() < SLOT_WORDS + 2
                    && let Some(word) = self.next(holder, at)
                {
                    at = self.behind(word);
                    words.push(word);
                }
            }
            for (skipped, two) in (0..).zip(words.windows(2)) {
                pairs.push((hash(self.str(two[0]), self.str(two[1])), holder as u32, skipped));
            }
            ahead.push(words);
        }
        // Of a pair that a holder has twice the nearer one counts.
        pairs.sort_unstable();
        pairs.dedup_by_key(|pair| (pair.0, pair.1));
        let nearest = pairs
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|same| same.len() >= self.needed)
            .map(|same| (same.iter().map(|pair| pair.2).sum::<u32>() * 1_000 / same.len() as u32, same[0]))
            .min();
        let Some((_, (_, holder, skipped))) = nearest else { return false };
        let of = &ahead[holder as usize][skipped as usize..];
        let (first, second) = (self.str(of[0]).to_owned(), self.str(of[1]).to_owned());
        for (words, cursor) in ahead.iter().zip(cursors.iter_mut()) {
            let found = words.windows(2).position(|two| self.str(two[0]) == first && self.str(two[1]) == second);
            match found {
                Some(0) => {}
                Some(skipped) => *cursor = Cursor { at: self.behind(words[skipped - 1]), misses: 0 },
                None => cursor.misses = MOST_MISSES + 1,
            }
        }
        true
    }
}

/// A hash of two words (FNV-1a); what it finds is compared again.
fn hash(first: &str, second: &str) -> u64 {
    let bytes = first.bytes().chain([0]).chain(second.bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The text of a run; pieces at its ends that are too short are left out.
fn assemble(words: &[Option<Word>], texts: &[Cow<'_, str>]) -> String {
    let mut parts: Vec<String> = vec![String::new()];
    for &word in words {
        let Some(word) = word else {
            parts.push(String::new());
            continue;
        };
        let (text, n) = (&texts[word.holder], parts.len());
        let part = &mut parts[n - 1];
        if !part.is_empty() && text[..word.start].ends_with(' ') {
            part.push(' ');
        }
        part.push_str(&text[word.start..word.end]);
    }
    let telling = |part: &String| part.len() >= LEAST_PIECE;
    let (Some(first), Some(last)) = (parts.iter().position(telling), parts.iter().rposition(telling)) else {
        return String::new();
    };
    let mut out = String::new();
    for part in &parts[first..=last] {
        if !part.is_empty() {
            if !out.is_empty() {
                out.push(SLOT);
            }
            out.push_str(part);
        }
    }
    out
}
