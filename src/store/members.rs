//! Which texts hold which fragments: each night's finds in two orders, by fragment and by text.

use super::sorted::Record;

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
