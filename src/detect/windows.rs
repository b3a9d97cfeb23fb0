//! Documents → distinct windows: every window of the corpus counts once, however often it stands there.
//!
//! A window becomes a record of 24 bytes: its context, packed into 128 bits, its token, and where it stood first. Contexts of up to
//! 128 bits (seven tokens of a vocabulary of 128,000) are packed as they are; longer ones by 128 bits of BLAKE3, and then the tokens
//! themselves are kept, too. Guarantee: each token of the corpus is scored, or masked for exactly one reason; the sums agree.

use crate::error::Result;
use crate::store::spill::{Distinct, Gather, Record};
use crate::watermark::{Once, PAD, Shape};
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::Path;

/// Bits of a place that number a token of the corpus; the rest hold the token's id.
const PLACE_BITS: u32 = 40;
/// Most tokens of a corpus.
pub const MOST_TOKENS: u64 = 1 << PLACE_BITS;
/// Largest vocabulary.
pub const MOST_VOCAB: u32 = 1 << (64 - PLACE_BITS);

/// One text, ready to be scored.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// Its tokens, without the prompt's.
    pub tokens: Vec<u32>,
    /// The prompt's, where it is known.
    pub prompt: Option<Vec<u32>>,
}

/// A window and where it stood first. In order: by context, then by token, then by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Seen {
    key: [u64; 2],
    token_place: u64,
}

impl Seen {
    /// `token` is below [`MOST_VOCAB`]; `place` numbers a token of the corpus, below [`MOST_TOKENS`].
    #[must_use]
    pub fn new(key: u128, token: u32, place: u64) -> Self {
        Self { key: [(key >> 64) as u64, key as u64], token_place: u64::from(token) << PLACE_BITS | place }
    }

    /// The packed context, or the seed of a unit.
    #[must_use]
    pub fn key(&self) -> u128 {
        u128::from(self.key[0]) << 64 | u128::from(self.key[1])
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> u32 {
        (self.token_place >> PLACE_BITS) as u32
    }

    /// The number of its token in the corpus.
    #[must_use]
    pub fn place(&self) -> u64 {
        self.token_place & (MOST_TOKENS - 1)
    }
}

impl Record for Seen {
    fn same(&self, other: &Self) -> bool {
        self.key == other.key && self.token() == other.token()
    }
}

/// Tokens that were left out, by reason. A reason's word is a format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Masked {
    /// Before the first place that the scheme scores, in texts too short for any window as well.
    pub no_context: u64,
    /// The window holds an id that is not below the vocabulary.
    pub out_of_vocabulary: u64,
    /// The window stands in the text's own prompt.
    pub copied_from_prompt: u64,
    /// The context stands in the text's own prompt, so that what follows may be an echo: see [`Echo::Context`].
    pub context_in_prompt: u64,
    /// The context stood in the text before, where planting leaves it unmarked.
    pub context_used: u64,
    /// So many different contexts stood in the text before that planting has ended.
    pub context_budget: u64,
    /// The window (or, where contexts count once, the context) stood in the corpus before.
    pub repeated: u64,
    /// Another window has the same seed and token, so its value is no new evidence.
    pub same_seed: u64,
}

impl Masked {
    /// Each reason with its count, in one order; reasons that never occurred are left out.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        let all = [
            ("no-context", self.no_context),
            ("out-of-vocabulary", self.out_of_vocabulary),
            ("copied-from-prompt", self.copied_from_prompt),
            ("context-in-prompt", self.context_in_prompt),
            ("context-used", self.context_used),
            ("context-budget", self.context_budget),
            ("repeated", self.repeated),
            ("same-seed", self.same_seed),
        ];
        all.into_iter().filter(|(_, n)| *n > 0).collect()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.no_context += other.no_context;
        self.out_of_vocabulary += other.out_of_vocabulary;
        self.copied_from_prompt += other.copied_from_prompt;
        self.context_in_prompt += other.context_in_prompt;
        self.context_used += other.context_used;
        self.context_budget += other.context_budget;
        self.repeated += other.repeated;
        self.same_seed += other.same_seed;
    }
}

/// Which windows of a text its own prompt makes worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// Those that stand in the prompt whole: the token may be copied. Where the question is who wrote the text.
    Window,
    /// Those whose context stands in the prompt with a token after it: the model has just read what may follow. Where the question is what it
    /// was trained on.
    Context,
}

/// How the contexts of one shape and vocabulary are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Packing {
    /// The shape.
    pub shape: Shape,
    /// Ids at or above it are not scored.
    pub vocab: u32,
}

impl Packing {
    /// Bits of a token: the vocabulary itself stands for a place before the text.
    fn bits(&self) -> u32 {
        32 - self.vocab.leading_zeros()
    }

    /// Whether a context fits 128 bits as it is.
    #[must_use]
    pub fn whole(&self) -> bool {
        self.bits() as usize * self.shape.context <= 128
    }

    /// The context as a number: injective where [`Packing::whole`], else 128 bits of BLAKE3.
    #[must_use]
    pub fn pack(&self, context: &[u32]) -> u128 {
        if !self.whole() {
            let mut hash = blake3::Hasher::new();
            for token in context {
                hash.update(&token.to_le_bytes());
            }
            let mut first = [0; 16];
            first.copy_from_slice(&hash.finalize().as_bytes()[..16]);
            return u128::from_be_bytes(first);
        }
        let bits = self.bits();
        context.iter().fold(0, |key, &token| key << bits | u128::from(token.min(self.vocab)))
    }

    /// Appends the tokens of a packed context.
    fn unpack(&self, key: u128, out: &mut Vec<u32>) {
        let bits = self.bits();
        for at in (0..self.shape.context as u32).rev() {
            let token = (key >> (at * bits)) as u32 & ((1 << bits) - 1);
            out.push(if token == self.vocab { PAD } else { token });
        }
    }

    /// The packed context before each token of a text that the scheme scores: n tokens → at most n contexts, in the order of the text.
    /// Contexts with an id that is not below the vocabulary are left out.
    pub fn contexts<'a>(&'a self, tokens: &'a [u32]) -> impl Iterator<Item = u128> + 'a {
        self.followed(tokens).map(|(context, _)| context)
    }

    /// The same with the token after each.
    pub fn followed<'a>(&'a self, tokens: &'a [u32]) -> impl Iterator<Item = (u128, u32)> + 'a {
        let Shape { context: width, first, pad, .. } = self.shape;
        let first = if pad { first } else { first.max(width) };
        (first..tokens.len()).filter_map(move |at| {
            let mut context = [PAD; 64];
            let context = &mut context[..width];
            let begin = at.saturating_sub(width);
            context[width - (at - begin)..].copy_from_slice(&tokens[begin..at]);
            let known = context.iter().all(|id| *id < self.vocab || *id == PAD);
            known.then(|| (self.pack(context), tokens[at]))
        })
    }

    /// The windows of one text, and what was left out of it.
    fn windows(&self, text: &Text, first_place: u64, echo: Echo, out: &mut Vec<Seen>) -> Masked {
        out.clear();
        let Shape { context: width, first, pad, history, budget, .. } = self.shape;
        let tokens = &text.tokens;
        let first = if pad { first } else { first.max(width) };
        let mut masked = Masked { no_context: first.min(tokens.len()) as u64, ..Masked::default() };
        // A scheme without contexts has one list for all: only its own tokens can be copied.
        let whole = echo == Echo::Window || width == 0;
        let of_prompt = text.prompt.iter().flat_map(|prompt| prompt.windows(width + 1));
        let copied: HashSet<&[u32]> = of_prompt.map(|window| &window[..width + usize::from(whole)]).collect();
        let mut padded: Vec<u32> = Vec::new();
        for at in first..tokens.len() {
            let context = match at.checked_sub(width) {
                Some(begin) => &tokens[begin..at],
                None => {
                    padded.clear();
                    padded.extend((at..width).map(|_| PAD));
                    padded.extend_from_slice(&tokens[..at]);
                    &padded
                }
            };
            let known = |token: &u32| *token < self.vocab || *token == PAD;
            if tokens[at] >= self.vocab || !context.iter().all(known) {
                masked.out_of_vocabulary += 1;
                continue;
            }
            out.push(Seen::new(self.pack(context), tokens[at], first_place + at as u64));
        }
        if let Some(most) = history {
            masked.context_used = drop_used(out, most as u64);
        }
        if let Some(most) = budget {
            masked.context_budget = out.len().saturating_sub(most) as u64;
            out.truncate(most);
        }
        if !copied.is_empty() {
            let before = out.len();
            out.retain(|seen| {
                let at = (seen.place() - first_place) as usize;
                at < width || !copied.contains(&tokens[at - width..at + usize::from(whole)])
            });
            let dropped = if whole { &mut masked.copied_from_prompt } else { &mut masked.context_in_prompt };
            *dropped = (before - out.len()) as u64;
        }
        masked
    }
}

/// Drops windows whose context stood at most `most` places before, and says how many. Windows come in the order of the text.
fn drop_used(windows: &mut Vec<Seen>, most: u64) -> u64 {
    // Sorted by 64 bits that the context decides, which is half the work of sorting contexts; where two contexts have the same
    // bits, by the context as well.
    let bits = |seen: &Seen| seen.key[0].wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) ^ seen.key[1];
    let mut order: Vec<u128> = windows.iter().zip(0u128..).map(|(seen, i)| u128::from(bits(seen)) << 64 | i).collect();
    order.sort_unstable();
    let mut used = vec![false; windows.len()];
    for alike in order.chunk_by_mut(|a, b| a >> 64 == b >> 64).filter(|alike| alike.len() > 1) {
        let at = |entry: &u128| *entry as u64 as usize;
        if !alike.iter().all(|entry| windows[at(entry)].key == windows[at(&alike[0])].key) {
            alike.sort_unstable_by_key(|entry| (windows[at(entry)].key, at(entry)));
        }
        for pair in alike.windows(2) {
            let [before, after] = [at(&pair[0]), at(&pair[1])].map(|i| windows[i]);
            used[at(&pair[1])] = before.key == after.key && after.place() - before.place() <= most;
        }
    }
    let before = windows.len();
    let mut each = used.into_iter();
    windows.retain(|_| !each.next().unwrap_or(false));
    (before - windows.len()) as u64
}

/// Keeps, of the windows of one context, the one that stood first.
fn first_of_each_context(windows: &mut Vec<Seen>) {
    windows.dedup_by(|later, kept| {
        let same = later.key == kept.key;
        if same && later.place() < kept.place() {
            *kept = *later;
        }
        same
    });
}

/// The windows of a corpus while it is read.
pub struct Gathered {
    packing: Packing,
    echo: Echo,
    gather: Gather<Seen>,
    masked: Masked,
    read: u64,
    /// Windows of the texts that were added last: memory that is used again.
    scratch: Vec<Vec<Seen>>,
}

impl Gathered {
    /// At most `bytes` of records in memory, more in files in `dir`.
    #[must_use]
    pub fn new(packing: Packing, echo: Echo, bytes: usize, dir: &Path) -> Self {
        let gather = Gather::new(bytes, dir);
        Self { packing, echo, gather, masked: Masked::default(), read: 0, scratch: Vec::new() }
    }

    /// Adds texts; `places` has the number of the first token of each.
    ///
    /// # Errors
    /// `Io` when a run cannot be spilled.
    pub fn add(&mut self, texts: &[Text], places: &[u64]) -> Result<()> {
        let (packing, echo) = (self.packing, self.echo);
        if self.scratch.len() < texts.len() {
            self.scratch.resize(texts.len(), Vec::new());
        }
        let each = texts.par_iter().zip(places).zip(&mut self.scratch[..texts.len()]);
        let masked: Vec<Masked> =
            each.map(|((text, &place), windows)| packing.windows(text, place, echo, windows)).collect();
        for (windows, masked) in self.scratch.iter().zip(masked) {
            self.gather.add(windows)?;
            self.masked.add(&masked);
            self.read += windows.len() as u64;
        }
        Ok(())
    }

    /// Adds windows that were made elsewhere, with what was left out.
    ///
    /// # Errors
    /// `Io` when a run cannot be spilled.
    pub fn add_windows(&mut self, windows: &[Seen], masked: &Masked) -> Result<()> {
        self.masked.add(masked);
        self.read += windows.len() as u64;
        self.gather.add(windows)
    }

    /// The distinct windows.
    ///
    /// # Errors
    /// `Io` when a run cannot be spilled.
    pub fn finish(self, bytes: usize, dir: &Path) -> Result<Corpus> {
        let Self { packing, gather, mut masked, read, .. } = self;
        let mut distinct = gather.finish()?;
        if packing.shape.once == Once::Context {
            distinct = match distinct {
                Distinct::Held(mut windows) => {
                    first_of_each_context(&mut windows);
                    Distinct::Held(windows)
                }
                Distinct::Spilled(_) => {
                    let mut firsts = Gather::new(bytes, dir);
                    for context in distinct.records().chunk_by(|a, b| a.key == b.key) {
                        firsts.add(context.iter().min_by_key(|seen| seen.place()).map_or(&[], std::slice::from_ref))?;
                    }
                    firsts.finish()?
                }
            };
        }
        masked.repeated += read - distinct.records().len() as u64;
        Ok(Corpus { packing, distinct, masked })
    }
}

/// The distinct windows of a corpus, as one shape reads it.
pub struct Corpus {
    packing: Packing,
    distinct: Distinct<Seen>,
    masked: Masked,
}

impl Corpus {
    /// Windows of the same reading that were chosen among its own, or made of them: in order, distinct, in memory.
    #[must_use]
    pub fn with(&self, seen: Vec<Seen>) -> Self {
        Self { packing: self.packing, distinct: Distinct::Held(seen), masked: self.masked }
    }

    /// How it was read.
    #[must_use]
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// The windows, in order.
    #[must_use]
    pub fn seen(&self) -> &[Seen] {
        self.distinct.records()
    }

    /// What was left out.
    #[must_use]
    pub fn masked(&self) -> Masked {
        self.masked
    }

    /// Whether windows went to the disk.
    #[must_use]
    pub fn spilled(&self) -> bool {
        self.distinct.spilled()
    }

    /// The tokens of some windows, n × (context + 1); `tokens` are those of the corpus, for contexts that are not packed whole.
    pub fn unpack(&self, seen: &[Seen], tokens: &[u32], out: &mut Vec<u32>) {
        for window in seen {
            if self.packing.whole() {
                self.packing.unpack(window.key(), out);
            } else {
                // A text's first windows reach into the text before where contexts are padded.
                let at = window.place() as usize;
                out.extend_from_slice(&tokens[at - self.packing.shape.context..at]);
            }
            out.push(window.token());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_whose_bits_agree_are_told_apart() {
        // Two contexts that the sort takes for one, in turn: each is used again two places later.
        let mixed = |word: u64| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        let [a, b] =
            [(1u64, 7u64), (2, 7 ^ mixed(1) ^ mixed(2))].map(|(high, low)| u128::from(high) << 64 | u128::from(low));
        let mut windows: Vec<Seen> =
            [a, b, a, b, a].into_iter().zip(0..).map(|(key, place)| Seen::new(key, 5, place)).collect();
        let mut near = windows.clone();
        assert_eq!((drop_used(&mut windows, 2), windows.len()), (3, 2));
        assert_eq!((drop_used(&mut near, 1), near.len()), (0, 5));
    }
}
