//! Text for comparison: the fold, its alignment with the raw text, and the cheap measures on folded text.
//!
//! Two texts that a reader would call the same must become the same bytes, and two that he would not must stay apart. The
//! fold ([`fold`]) takes away what cannot be seen (case, width, invisible characters, kinds of white space, letters of other
//! scripts posing as Latin ones) and nothing else: no accents, no digits, no punctuation, no spelling of one script in another.
//! Control characters and the characters that Unicode calls default-ignorable are left out; white space becomes one blank.
//! What was taken away is counted ([`Removed`]), because ordinary people do not write `pаsswоrd` in two scripts.
//!
//! Weakness: it folds what it knows. A word written wholly in look-alikes, small capitals, leetspeak and rewording pass;
//! the zero-width non-joiner, which a few Persian words need, is taken away with the rest.
//!
//! Guarantees: the fold of a fold is itself; [`fold_aligned`] gives the same text as [`fold`]; time and memory grow with the text
//! (the worst single character, U+FDFA, becomes 18), never with its square, whatever the text holds.

mod align;
mod fold;
mod grams;
pub mod limits;
mod lookalike;
mod normal;
mod views;
pub mod winnow;
mod words;

pub use align::Aligned;
pub use fold::{fold, fold_aligned, fold_into};
pub use grams::{Grams, Overlap, Sketch, gram_units, ratio};
pub use views::{View, decoded_views};
pub use words::{is_trivial, n_words, run_share, shares_run};

/// How many characters the fold took away or replaced, by reason: a feature of evasion, not a part of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Characters without a picture (zero-width blanks, fillers, control characters); joiners and variation selectors count
    /// only where neither emoji nor script calls for them.
    pub invisible: u32,
    /// Marks that turn the direction of writing. Hebrew and Arabic text holds some of right.
    pub bidi: u32,
    /// Tag characters, which write ASCII invisibly (and, behind a black flag, the flag of a region).
    pub tags: u32,
    /// Letters of other scripts taken for Latin ones.
    pub lookalikes: u32,
    /// Characters with a plainer equivalent (full width, ligatures, letters of mathematics, the ellipsis). White space counts
    /// nowhere.
    pub compatibility: u32,
}

impl Removed {
    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u32 {
        [self.bidi, self.tags, self.lookalikes, self.compatibility]
            .into_iter()
            .fold(self.invisible, u32::saturating_add)
    }

    /// Whether nothing was removed or replaced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A folded text and what folding took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// The folded text.
    pub text: String,
    /// What is no longer in it.
    pub removed: Removed,
}

/// The largest place in a text, at most `at`, that lies between two characters.
#[must_use]
pub fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
