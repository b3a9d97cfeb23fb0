//! Which texts hold which fragments: each night's finds in two orders, by fragment and by text.

use super::sorted::Record;
use super::{spill, tables};
use crate::error::Result;
use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt32Type;
use std::path::Path;

/// A text that holds a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Member {
    /// Number of the fragment.
    pub fragment: u32,
    /// Number of the text, of the fragment's field.
    pub text: u32,
    /// Where most of it begins in the folded text.
    pub first: u32,
    /// Behind its last byte there.
    pub end: u32,
    /// Bytes of the fragment that the text holds.
    pub held: u32,
    /// Bytes of the text.
    pub length: u32,
}

impl Record for Member {
    const MAGIC: &'static [u8; 8] = b"SHMEMBR1";
    const WHAT: &'static str = "members of fragments";
}

impl spill::Record for Member {
    /// Every one stays.
    fn same(&self, _: &Self) -> bool {
        false
    }
}

/// A text and a fragment that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Holder {
    /// Number of the text, of the fragment's field.
    pub text: u32,
    /// Number of the fragment.
    pub fragment: u32,
}

impl Holder {
    /// The same by text.
    #[must_use]
    pub fn of(member: &Member) -> Self {
        Self { text: member.text, fragment: member.fragment }
    }
}

impl Record for Holder {
    const MAGIC: &'static [u8; 8] = b"SHHOLDR1";
    const WHAT: &'static str = "holders of fragments";
}

impl spill::Record for Holder {
    /// Every one stays.
    fn same(&self, _: &Self) -> bool {
        false
    }
}

/// Calls `take` with every member of a table of format 2, in the order of the table.
/// # Errors
/// `Io` or `Store` when the table cannot be read; what `take` fails with.
pub fn each_of_table(path: &Path, take: &mut dyn FnMut(Member) -> Result<()>) -> Result<()> {
    let columns = ["fragment", "text", "first", "end", "held", "length"];
    for batch in tables::read(path, &columns, None)? {
        let batch = batch?;
        let column = |i: usize| batch.column(i).as_primitive::<UInt32Type>().values().as_ref();
        for row in 0..batch.num_rows() {
            let [fragment, text, first, end, held, length] = std::array::from_fn(|i| column(i)[row]);
            take(Member { fragment, text, first, end, held, length })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::spill::Gather;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_are_kept_in_order_whatever_is_held(list in prop::collection::vec((0u32..4, 0u32..4), 0..200), most in 2usize..60) {
            let of = |&(fragment, text): &(u32, u32)| Member { fragment, text, first: 0, end: 1, held: 1, length: 1 };
            let mut members: Vec<Member> = list.iter().map(of).collect();
            let dir = tempfile::tempdir().expect("a directory");
            let mut gather = Gather::new(most * size_of::<Member>(), dir.path());
            members.iter().for_each(|member| gather.add(&[*member]).expect("added"));
            members.sort_unstable();
            let sorted = gather.finish().expect("finished");
            prop_assert_eq!(sorted.records(), &members[..]);
        }
    }
}
