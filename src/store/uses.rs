//! Uses of families: which account asked in which family on which day, how often.

use super::sorted::{Record, Sorted};

/// One account's requests in one family on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Use {
    /// The family, as [`super::facts::Head::family`].
    pub family: u64,
    /// Number of the account.
    pub account: u32,
    /// Days since 1970-01-01, UTC, by the exchanges' own time.
    pub day: i32,
    /// Requests.
    pub requests: u32,
    /// The commit that wrote this.
    pub night: u32,
    /// Earliest of the requests, microseconds.
    pub first: i64,
    /// Latest.
    pub last: i64,
}

impl Record for Use {
    const MAGIC: &'static [u8; 8] = b"SHUSES01";
    const WHAT: &'static str = "uses of families";
}

/// Uses by family, then account, then day, over their bytes.
pub type Uses<B> = Sorted<B, Use>;
