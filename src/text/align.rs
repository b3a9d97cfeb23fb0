//! A folded text that knows where it came from, so that findings in folded text can be shown in the raw one.
//!
//! One entry a folded character; a range of folded bytes is answered by binary search. What the fold left out belongs to
//! the range around it. Weakness: twelve bytes a character, so this is for the texts that somebody looks at.

use super::Removed;
use super::fold::Piece;
use std::ops::Range;

/// A folded text with its alignment.
#[derive(Clone, Debug, Default)]
pub struct Aligned {
    /// The folded text, equal to that of [`fold`](super::fold()).
    pub text: String,
    /// What is no longer in it.
    pub removed: Removed,
    pub(super) pieces: Vec<Piece>,
    pub(super) raw_len: usize,
}

impl Aligned {
    /// The raw bytes that the folded bytes of `folded` came from. A range that cuts a character takes the whole of it; an
    /// empty one gives an empty one; what lies beyond the text is cut off.
    ///
    /// # Example
    /// ```
    /// let raw = "Say  ＨＩ\u{200b} now";
    /// let aligned = stillhunt::text::fold_aligned(raw);
    /// let at = aligned.text.find("hi").unwrap();
    /// assert_eq!(&raw[aligned.raw_range(at..at + 2)], "ＨＩ");
    /// ```
    #[must_use]
    pub fn raw_range(&self, folded: Range<usize>) -> Range<usize> {
        let first = self.pieces.partition_point(|piece| (piece.folded as usize) <= folded.start);
        let Some(start) = self.pieces.get(first.saturating_sub(1)).filter(|_| folded.start < self.text.len()) else {
            return self.raw_len..self.raw_len;
        };
        let after = self.pieces.partition_point(|piece| (piece.folded as usize) < folded.end);
        let start = start.start as usize;
        match after {
            0 => start..start,
            _ if folded.is_empty() => start..start,
            _ => start..(self.pieces[after - 1].end as usize).max(start),
        }
    }
}
