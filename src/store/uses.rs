//! Uses of families: which account asked in which family on which day, how often; by family and by account. And what accounts did.

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

/// The same by account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct OfAccount {
    /// Number of the account.
    pub account: u32,
    /// The commit that wrote this.
    pub night: u32,
    /// The family.
    pub family: u64,
    /// Days since 1970-01-01.
    pub day: i32,
    /// Requests.
    pub requests: u32,
    /// Earliest of the requests.
    pub first: i64,
    /// Latest.
    pub last: i64,
}

impl OfAccount {
    /// A use by its account.
    #[must_use]
    pub fn of(used: &Use) -> Self {
        let Use { family, account, day, requests, night, first, last } = *used;
        Self { account, night, family, day, requests, first, last }
    }
}

impl Record for OfAccount {
    const MAGIC: &'static [u8; 8] = b"SHACUSE1";
    const WHAT: &'static str = "uses of families by account";
}

/// What an account did in a night, by the model that it asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Activity {
    /// Number of the account.
    pub account: u32,
    /// The night of the requests.
    pub night: u32,
    /// Number of the model; that of none where it is not told.
    pub model: u32,
    /// Requests.
    pub requests: u32,
    /// Distinct prompts that the account had not sent before.
    pub prompts: u32,
    /// Requests of trivial text.
    pub trivial: u32,
    /// Earliest of the requests, microseconds.
    pub first: i64,
    /// Latest.
    pub last: i64,
}

impl Record for Activity {
    const MAGIC: &'static [u8; 8] = b"SHACTIV1";
    const WHAT: &'static str = "activity of accounts";
}
