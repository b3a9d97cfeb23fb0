//! A fragment as the catalog has it.

use crate::ids::{Digest, FamilyId, Field};
use crate::text::winnow::Printer;

/// A fragment as the catalog has it. Only heads are families; the others are parts of their head.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    pub(crate) id: FamilyId,
    pub(crate) field: Field,
    /// Folded text, slots as [`crate::family::fragment::SLOT`].
    pub(crate) text: String,
    pub(crate) head: u32,
    /// The night that found it.
    pub(crate) night: u32,
    /// The more common head that its text lies within.
    pub(crate) within: Option<u32>,
    /// The known text that explains it.
    pub(crate) known: Option<String>,
}

impl Fragment {
    /// Whether only its number is left.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.text.is_empty()
    }

    /// The digest by which a known text may be given.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

/// The printer of a store: its secret is derived from the account key, as family names are.
pub(crate) fn printer(naming_key: &[u8; 32]) -> Printer {
    Printer::new(naming_key)
}
