//! Text to token ids, by a named tokenizer file whose digest travels along.
//!
//! The released `tokenizers` crate is the authority: every file that it reads works, and for every text the ids are the ones
//! it gives. For files of the BERT kind (the shipped model's) a shorter way with a cache of words stands before it, about
//! twenty times as fast; tests hold the two against each other. Pieces equal to the file's unknown token are dropped.
//!
//! Weakness: a file of another kind goes the general way, at the crate's own speed and memory. A text that the crate refuses has
//! no ids. Guarantees: ids depend on file and text alone, never on what was read before or on how many threads read.

mod cache;
mod word_piece;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Digest;
use cache::Cache;
use std::sync::{Mutex, PoisonError};
use word_piece::{Part, WordPiece};

/// A tokenizer file, ready to read text.
pub struct Tokenizer {
    plain: tokenizers::Tokenizer,
    short_way: Option<WordPiece>,
    unknown: Option<u32>,
    /// Pieces of each ASCII punctuation mark, for the short way.
    marks: Vec<Vec<u32>>,
    n_ids: usize,
    digest: Digest,
    /// Caches that no reader holds at the moment; locked when a reader comes and goes, never while one reads.
    caches: Mutex<Vec<Cache>>,
}

impl Tokenizer {
    /// Reads a tokenizer file (`tokenizer.json`).
    ///
    /// # Errors
    /// `Model` when the crate cannot read it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let refused = |cause: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::Model,
                format!("expected a tokenizer file (tokenizer.json), got one that cannot be read: {cause}"),
            )
        };
        let mut plain = tokenizers::Tokenizer::from_bytes(bytes).map_err(|cause| refused(&cause))?;
        // Texts are read whole: a limit in the file is for other users of it.
        plain.with_truncation(None).map_err(|cause| refused(&cause))?;
        plain.with_padding(None);
        let file: serde_json::Value = serde_json::from_slice(bytes).map_err(|cause| refused(&cause))?;
        let unknown = file["model"]["unk_token"].as_str().and_then(|token| plain.token_to_id(token));
        let unknown = unknown.or_else(|| file["model"]["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()));
        let n_ids = plain.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        let short_way = WordPiece::read(bytes);
        let mut tokenizer = Self {
            plain,
            short_way,
            unknown,
            marks: Vec::new(),
            n_ids,
            digest: Digest::of(bytes),
            caches: Mutex::default(),
        };
        tokenizer.marks =
            (0..128_u8).map(|byte| tokenizer.plain_ids(char::from(byte).encode_utf8(&mut [0; 4]))).collect();
        Ok(tokenizer)
    }

    /// Digest of the file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// One more than the highest id: how many rows a table for this tokenizer has.
    #[must_use]
    pub fn n_ids(&self) -> usize {
        self.n_ids
    }

    /// The ids of `text` by the crate alone: the authority, and the way of files of other kinds. Not fast.
    #[must_use]
    pub fn plain_ids(&self, text: &str) -> Vec<u32> {
        self.every_id(text).into_iter().filter(|id| Some(*id) != self.unknown).collect()
    }

    /// Every id that the crate gives `text`, the unknown token's too: what a model was served. Special tokens are not added.
    #[must_use]
    pub fn every_id(&self, text: &str) -> Vec<u32> {
        self.plain.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
    }

    /// Where each id of [`every_id`](Self::every_id) stands in `text`: its first character, and the one after its last.
    #[must_use]
    pub fn offsets(&self, text: &str) -> Vec<[u64; 2]> {
        let encoding = self.plain.encode_char_offsets(text, false);
        let each = |encoding: &tokenizers::Encoding| {
            encoding.get_offsets().iter().map(|(begin, end)| [*begin as u64, *end as u64]).collect()
        };
        encoding.as_ref().map(each).unwrap_or_default()
    }

    /// The ids of `text`. For many texts make one [`reader`](Self::reader).
    #[must_use]
    pub fn ids(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.reader().ids_into(text, &mut ids);
        ids
    }

    /// A reader of its own for each thread; it takes a cache that an earlier one has warmed, and gives it back when dropped.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        let cache = self.short_way.as_ref().map(|_| {
            let known = self.caches.lock().unwrap_or_else(PoisonError::into_inner).pop();
            known.unwrap_or_else(Cache::new)
        });
        Reader { tokenizer: self, cache }
    }
}

/// Reads many texts on one thread.
pub struct Reader<'a> {
    tokenizer: &'a Tokenizer,
    cache: Option<Cache>,
}

impl Reader<'_> {
    /// Puts the ids of `text` into `ids`, in place of what is there.
    pub fn ids_into(&mut self, text: &str, ids: &mut Vec<u32>) {
        ids.clear();
        let Tokenizer { plain, short_way, unknown, marks, .. } = self.tokenizer;
        let (Some(short_way), Some(cache)) = (short_way, &mut self.cache) else {
            ids.extend(self.tokenizer.plain_ids(text));
            return;
        };
        if short_way.has_added(text) {
            ids.extend(self.tokenizer.plain_ids(text));
            return;
        }
        short_way.parts(text, |part| match part {
            Part::Mark(mark) => ids.extend_from_slice(&marks[usize::from(mark.as_bytes()[0])]),
            Part::Ascii(word) => cache.pieces(word.as_bytes(), ids, |ids| short_way.ascii(word, ids)),
            Part::Other(word) => cache.pieces(word.as_bytes(), ids, |ids| short_way.other(plain, word, ids)),
        });
        // A vocabulary may use its unknown token as a piece.
        if let Some(unknown) = unknown {
            ids.retain(|id| id != unknown);
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.take() {
            self.tokenizer.caches.lock().unwrap_or_else(PoisonError::into_inner).push(cache);
        }
    }
}

#[cfg(test)]
mod tests;
