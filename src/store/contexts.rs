//! Sets of served contexts: which token contexts stood in responses that were served, exact, sorted, and without any text.
//!
//! ```text
//! magic · blocks of 256 contexts · index (first context, offset of each block) · facts (JSON) · trailer, with the BLAKE3 of all before
//! ```
//! A context is the number that `detect::windows::Packing` makes of its tokens. A block begins with a whole context, which stands in the
//! index; the others are differences, seven bits a byte. Evidence is sorted by context as well, so a look-up walks through both lists, and
//! each block that is asked for is read once. (A filter in front was considered: it saves reading a block, which costs less than asking the
//! filter where questions come in order.)
//!
//! Weakness: a context of more than 128 bits is 128 bits of BLAKE3, which an opponent without 2⁶⁴ trials cannot make collide, and from which
//! tokens cannot be read; a short one can be turned back into its tokens, though not into a text. Guarantee: any bytes open or fail with an
//! error; a file that opens is, to the byte, the one that was written.

use super::files::{self, Mapped};
use super::spill::{Distinct, Gather, Record};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Digest;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::Path;

const MAGIC: &[u8; 8] = b"SHCTXS01";
/// Contexts of a block.
const BLOCK: usize = 256;
/// Bytes of a block's entry in the index.
const ENTRY: usize = 24;
/// Bytes of the trailer: three numbers and a digest.
const TRAILER: usize = 56;
/// Longest description.
const MOST_FACTS: usize = 1 << 20;
/// Questions that one thread answers at a time.
const CHUNK: usize = 1 << 14;

/// What a set says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Tokens of a context.
    pub width: usize,
    /// Ids are below it.
    pub vocab: u32,
    /// Name and dialect of the scheme whose contexts these are.
    pub scheme: String,
    /// BLAKE3 of the scheme's name, dialect and parameters, without the key.
    pub scheme_digest: String,
    /// BLAKE3 of the tokenizer's file; none where only token ids were read.
    pub tokenizer: Option<String>,
    /// What was chosen, in words.
    pub selection: String,
    /// BLAKE3 of the choice: which accounts, families, times and files.
    pub selection_digest: String,
    /// Responses that were read.
    pub responses: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Distinct contexts; the writer counts them.
    pub contexts: u64,
}

/// A context while a set is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Key([u64; 2]);

impl Key {
    fn new(context: u128) -> Self {
        Self([(context >> 64) as u64, context as u64])
    }

    fn context(self) -> u128 {
        u128::from(self.0[0]) << 64 | u128::from(self.0[1])
    }
}

impl Record for Key {
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// Contexts while they gather, in any order and as often as they come.
pub struct Builder(Gather<Key>);

impl Builder {
    /// At most `bytes` of contexts in memory (16 each); more go to sorted files without a name in `dir`.
    #[must_use]
    pub fn new(bytes: usize, dir: &Path) -> Self {
        Self(Gather::new(bytes, dir))
    }

    /// Adds contexts.
    /// # Errors
    /// `Io` when a run cannot be spilled.
    pub fn add(&mut self, contexts: impl IntoIterator<Item = u128>) -> Result<()> {
        self.0.add(&contexts.into_iter().map(Key::new).collect::<Vec<_>>())
    }

    /// Writes the set.
    /// # Errors
    /// `Io` when something cannot be spilled or written.
    pub fn finish(self, facts: Facts, out: &mut dyn Write) -> Result<Facts> {
        let distinct: Distinct<Key> = self.0.finish()?;
        write(distinct.records().iter().map(|key| key.context()), facts, out)
    }

    /// The set in a file without a name in `dir`.
    /// # Errors
    /// `Io` when it cannot be made.
    pub fn held(self, facts: Facts, dir: &Path) -> Result<Contexts<Mapped>> {
        let failed = |cause: &io::Error| Error::io("make a file in", dir, cause);
        let file = tempfile::tempfile_in(dir).map_err(|cause| failed(&cause))?;
        self.finish(facts, &mut io::BufWriter::with_capacity(1 << 20, &file))?;
        Contexts::open(Mapped::of(&file).map_err(|cause| failed(&cause))?)
    }
}

/// Writes `contexts`, which ascend, and says what was written.
/// # Errors
/// `Io` when `out` fails.
pub fn write(contexts: impl Iterator<Item = u128>, mut facts: Facts, out: &mut dyn Write) -> Result<Facts> {
    let failed = |cause: io::Error| Error::new(ErrorKind::Io, format!("cannot write a set of contexts: {cause}"));
    let mut hash = blake3::Hasher::new();
    let mut end = 0u64;
    let mut put = |bytes: &[u8]| {
        hash.update(bytes);
        end += bytes.len() as u64;
        out.write_all(bytes).map(|()| end).map_err(failed)
    };
    put(MAGIC)?;
    let mut index = Vec::new();
    let (mut n, mut last, mut block) = (0u64, 0u128, Vec::new());
    for context in contexts {
        if n.is_multiple_of(BLOCK as u64) {
            let at = put(&block)?;
            block.clear();
            index.extend_from_slice(&context.to_le_bytes());
            index.extend_from_slice(&at.to_le_bytes());
        } else {
            push_number(context.wrapping_sub(last), &mut block);
        }
        (last, n) = (context, n + 1);
    }
    let index_at = put(&block)?;
    let facts_at = put(&index)?;
    facts.contexts = n;
    put(serde_json::to_string(&facts).unwrap_or_default().as_bytes())?;
    put(&[n, index_at, facts_at].map(u64::to_le_bytes).concat())?;
    let digest = hash.finalize();
    out.write_all(digest.as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
    Ok(facts)
}

fn push_number(mut number: u128, out: &mut Vec<u8>) {
    while number >= 128 {
        out.push(number as u8 | 128);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The next number of `bytes`; none where they end or it is longer than a number can be.
fn take_number(bytes: &mut &[u8]) -> Option<u128> {
    let mut number = 0u128;
    for shift in (0..128).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u128::from(byte & 127) << shift;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

/// A set over its bytes.
pub struct Contexts<B> {
    bytes: B,
    facts: Facts,
    digest: Digest,
    index: std::ops::Range<usize>,
}

impl Contexts<Mapped> {
    /// Opens the file at `path`.
    /// # Errors
    /// `Io` when it cannot be opened; `Input` when it is no whole set.
    pub fn open_file(path: &Path) -> Result<Self> {
        Self::open(Mapped::open(path)?).map_err(|error| error.at(path.display()))
    }
}

impl<B: AsRef<[u8]> + Sync> Contexts<B> {
    /// Checks every byte, and reads what the set says of itself.
    /// # Errors
    /// `Input` when the bytes are no whole set.
    pub fn open(bytes: B) -> Result<Self> {
        let raw = bytes.as_ref();
        let bad = |what: &str| Error::new(ErrorKind::Input, format!("expected a set of contexts, {what}"));
        files::check_magic(raw, MAGIC, "a set of contexts")?;
        let trailer_at = raw.len().checked_sub(TRAILER).ok_or_else(|| bad("got one that is cut off"))?;
        let (body, trailer) = (&raw[..raw.len() - 32], &raw[trailer_at..]);
        let mut hash = blake3::Hasher::new();
        hash.update(body);
        if hash.finalize().as_bytes() != &trailer[24..] {
            return Err(bad("got one whose digest is not that of its bytes"));
        }
        let number = |at: usize| u64::from_le_bytes(trailer[at..at + 8].try_into().unwrap_or_default());
        let (n, index_at, facts_at) = (number(0), number(8) as usize, number(16) as usize);
        let whole = 8 <= index_at
            && index_at <= facts_at
            && facts_at <= trailer_at
            && trailer_at - facts_at <= MOST_FACTS
            && ((facts_at - index_at) / ENTRY) as u64 == n.div_ceil(BLOCK as u64)
            && (facts_at - index_at).is_multiple_of(ENTRY);
        let facts: Option<Facts> = whole.then(|| serde_json::from_slice(&raw[facts_at..trailer_at]).ok()).flatten();
        let facts = facts.filter(|facts| facts.contexts == n).ok_or_else(|| bad("got one whose parts do not agree"))?;
        let digest = Digest(trailer[24..].try_into().unwrap_or_default());
        Ok(Self { index: index_at..facts_at, facts, digest, bytes })
    }

    /// What it says of itself.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// BLAKE3 of the file without its last 32 bytes, which are this digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    fn blocks(&self) -> usize {
        self.index.len() / ENTRY
    }

    /// The first context of a block, and where its differences begin.
    fn entry(&self, block: usize) -> (u128, usize) {
        let at = self.index.start + block * ENTRY;
        let entry = &self.bytes.as_ref()[at..at + ENTRY];
        let offset = u64::from_le_bytes(entry[16..].try_into().unwrap_or_default());
        (u128::from_le_bytes(entry[..16].try_into().unwrap_or_default()), offset as usize)
    }

    /// The contexts of a block.
    fn block(&self, block: usize) -> impl Iterator<Item = u128> + '_ {
        let (first, at) = self.entry(block);
        let left = (self.facts.contexts - (block * BLOCK) as u64).min(BLOCK as u64) as usize;
        let mut bytes = self.bytes.as_ref().get(at..self.index.start).unwrap_or_default();
        let mut last = first;
        (0..left).map_while(move |i| {
            if i > 0 {
                last = last.wrapping_add(take_number(&mut bytes)?);
            }
            Some(last)
        })
    }

    /// All contexts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u128> + '_ {
        (0..self.blocks()).flat_map(|block| self.block(block))
    }

    /// Which of `contexts`, which ascend (equal ones may follow each other), are in the set.
    #[must_use]
    pub fn hold(&self, contexts: &[u128]) -> Vec<bool> {
        contexts.par_chunks(CHUNK).flat_map_iter(|chunk| self.hold_some(chunk)).collect()
    }

    fn hold_some(&self, contexts: &[u128]) -> Vec<bool> {
        let mut out = Vec::with_capacity(contexts.len());
        let (mut low, mut read) = (0, None);
        // What is left of the block that is read, and the context before it.
        let (mut block, mut head) = (None, None);
        for &context in contexts {
            // The last block whose first context is not above it.
            let (mut step, mut high) = (1, low);
            while high < self.blocks() && self.entry(high).0 <= context {
                low = high;
                high += step;
                step *= 2;
            }
            let mut high = high.min(self.blocks());
            while low + 1 < high {
                let middle = low + (high - low) / 2;
                if self.entry(middle).0 <= context { low = middle } else { high = middle }
            }
            if read != Some(low) && low < self.blocks() {
                let mut contexts = self.block(low);
                head = contexts.next();
                block = Some(contexts);
                read = Some(low);
            }
            // Both ascend, so nothing of a block is read twice.
            while head.is_some_and(|head| head < context) {
                head = block.as_mut().and_then(Iterator::next);
            }
            out.push(head == Some(context));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn facts() -> Facts {
        Facts {
            width: 2,
            vocab: 1000,
            scheme: "green-list (native)".into(),
            scheme_digest: String::new(),
            tokenizer: None,
            selection: "all".into(),
            selection_digest: String::new(),
            responses: 1,
            tokens: 2,
            contexts: 0,
        }
    }

    fn set(contexts: &BTreeSet<u128>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(contexts.iter().copied(), facts(), &mut bytes).expect("written");
        bytes
    }

    proptest! {
        #[test]
        fn a_set_holds_what_was_put_in_and_nothing_else(
            small in prop::collection::vec(0u128..5000, 0..900),
            large in prop::collection::vec(any::<u128>(), 0..40),
            asked in prop::collection::vec(0u128..5000, 0..200),
        ) {
            let expected: BTreeSet<u128> = small.iter().chain(&large).copied().collect();
            let set = Contexts::open(set(&expected)).expect("whole");
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), expected.iter().copied().collect::<Vec<_>>());
            let mut asked: Vec<u128> = asked.iter().chain(&large).copied().collect();
            asked.sort_unstable();
            let found: Vec<bool> = asked.iter().map(|context| expected.contains(context)).collect();
            prop_assert_eq!(set.hold(&asked), found);
        }

        #[test]
        fn a_set_gathered_in_any_order_with_little_memory_is_the_same(
            contexts in prop::collection::vec(0u128..3000, 0..2000), most in 64usize..4000
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let mut builder = Builder::new(most, dir.path());
            contexts.chunks(37).for_each(|some| builder.add(some.iter().copied()).expect("added"));
            let mut bytes = Vec::new();
            builder.finish(facts(), &mut bytes).expect("written");
            prop_assert_eq!(bytes, set(&contexts.iter().copied().collect()));
        }
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_refused() {
        let bytes = set(&(0..600).map(|i| i * i * 977).collect());
        assert!(Contexts::open(&bytes[..]).is_ok());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            assert!(Contexts::open(changed).is_err(), "byte {at}");
            assert!(Contexts::open(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_set_that_lies_with_a_right_digest_does_not_panic() {
        let bytes = set(&(0..600).map(|i| i * i * 977).collect());
        for at in 8..bytes.len() - 32 {
            let mut changed = bytes[..bytes.len() - 32].to_vec();
            changed[at] ^= 0xff;
            let digest = blake3::hash(&changed);
            changed.extend_from_slice(digest.as_bytes());
            if let Ok(set) = Contexts::open(changed) {
                assert!(set.iter().count() <= 600);
                assert_eq!(set.hold(&[0, 977, u128::MAX]).len(), 3);
            }
        }
    }
}
