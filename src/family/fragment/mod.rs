//! Fragment families: what otherwise unlike texts share.
//!
//! ```text
//! fingerprints → seeds → runs → members → families
//! text::winnow    count    grow    scan      gather
//! ```
//!
//! [`count()`] merges the sorted fingerprints of a night with those of the trailing nights and keeps each one that enough accounts
//! sent, with its exact number of accounts and a sample of its holders, one for each account. [`grow()`] takes the seeds one
//! after another and grows each, word by word, to the longest run that seven in ten of the sample share, over small slots
//! ([`extract`]); what the runs before it explain is not kept. [`Scanner`] reads every text once more and says which
//! runs it holds, counted by its own bytes: a member holds at least 40 bytes and 60% of a run. [`gather()`] brings the runs of the
//! same accounts together as one family with parts, and says which run lies within a more common one.
//!
//! Weakness: it sees what is written alike. A fragment that is rewritten for each account, or of which no stretch of 16 bytes is
//! left in most copies, has no run. Guarantee: the same texts, accounts and secret give the same families on any number of
//! threads; time and memory grow with the text, whatever it holds.

mod count;
mod gather;
mod grow;
mod known;
mod run;
mod scan;
mod wake;

pub use count::{AccountsOf, Printed, Seed, TextPair, count, is_spread, pairs};
pub use gather::{Holders, Holding, gather, nearest_wider};
pub use grow::{KeptRuns, grow};
pub use known::KnownTexts;
pub use run::{SLOT, Texts, extract, pieces};
pub use scan::{Found, Scanner, Scratch};
pub use wake::wake;

/// Bytes that a run must have to be a family: what shorter ones share is idiom ("what is the difference between").
pub const LEAST_RUN: usize = 40;

/// Share of the accounts of a run that one near-duplicate family may hold; a run with more is part of that family only.
pub const MOST_IN_ONE_FAMILY: f64 = 0.8;

#[cfg(test)]
mod tests;
