//! Who sent which prompt when: one fixed record for each exchange, sorted by prompt, for look-ups through a memory map.
//!
//! The rows table has the same and more; this is its index. All that a ranking or a look-up counts is here, so neither
//! decodes a table. Weakness: 32 bytes an exchange.

use super::files;
use crate::error::{Error, ErrorKind, Result};

const MAGIC: &[u8; 8] = b"SHPOSTS1";

/// No system prompt, or no model.
pub const NONE: u32 = u32::MAX;

/// One exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Posting {
    /// Number of its prompt.
    pub prompt: u32,
    /// Its row in the night's table.
    pub row: u32,
    /// When, microseconds.
    pub time: i64,
    /// Number of its account.
    pub account: u32,
    /// Number of its system prompt, or [`NONE`].
    pub system: u32,
    /// Number of its model, or [`NONE`].
    pub model: u32,
    /// Zero.
    pub zero: u32,
}

/// The bytes of a table of postings, sorted here.
#[must_use]
pub fn to_bytes(mut postings: Vec<Posting>) -> Vec<u8> {
    postings.sort_unstable();
    let mut out = Vec::with_capacity(32 * (postings.len() + 1));
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(postings.len() as u64).to_le_bytes());
    out.resize(32, 0);
    out.extend_from_slice(bytemuck::cast_slice(&postings));
    out
}

/// Postings over their bytes, aligned to 8.
pub struct Postings<B>(B);

impl<B: AsRef<[u8]>> Postings<B> {
    /// Checks the header.
    /// # Errors
    /// `Store` when the bytes are not a whole table.
    pub fn open(bytes: B) -> Result<Self> {
        let raw = bytes.as_ref();
        files::check_magic(raw, MAGIC, "postings")?;
        let count = raw.get(8..16).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
        let whole = raw.len() >= 32
            && count.and_then(|n| n.checked_mul(32)) == Some(raw.len() as u64 - 32)
            && bytemuck::try_cast_slice::<u8, Posting>(&raw[32..]).is_ok();
        if !whole {
            let got = raw.len();
            return Err(Error::new(ErrorKind::Store, format!("expected whole postings, got {got} other bytes")));
        }
        Ok(Self(bytes))
    }

    /// All of them, by prompt, then row.
    #[must_use]
    pub fn all(&self) -> &[Posting] {
        bytemuck::cast_slice(&self.0.as_ref()[32..])
    }

    /// Those of one prompt.
    #[must_use]
    pub fn of(&self, prompt: u32) -> &[Posting] {
        let all = self.all();
        let first = all.partition_point(|posting| posting.prompt < prompt);
        let count = all[first..].partition_point(|posting| posting.prompt == prompt);
        &all[first..first + count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postings_of_a_prompt_are_found_and_others_are_not() {
        let posting = |prompt, row| Posting { prompt, row, time: 5, account: 1, system: NONE, model: 0, zero: 0 };
        let bytes = to_bytes(vec![posting(7, 2), posting(3, 0), posting(7, 1)]);
        let mut aligned = vec![0u64; bytes.len() / 8];
        bytemuck::cast_slice_mut::<u64, u8>(&mut aligned).copy_from_slice(&bytes);
        let table = Postings::open(bytemuck::cast_slice::<u64, u8>(&aligned)).expect("a whole table");
        assert_eq!(table.of(7).iter().map(|p| p.row).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((table.of(3).len(), table.of(4).len(), table.of(8).len()), (1, 0, 0));
        assert!(Postings::open(&bytes[..40]).is_err());
    }
}
