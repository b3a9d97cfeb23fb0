//! One day of traffic as the statistics see it: which account chose which family, how active it was where.
//!
//! The idea: everything that the statistics read is numbers: accounts, families, neighbourhoods of text. Weakness: a request counts for one
//! family only, the one with most accounts, so what lies behind a common text is not seen here. Guarantee: checked when it is made, so
//! nothing below fails on it.

use crate::ids::Digest;
use serde::{Deserialize, Serialize};

/// A neighbourhood of no family: its requests come from everywhere.
pub const EVERYWHERE: u16 = u16::MAX;

/// An account chose a family on this day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Choice {
    /// The family.
    pub family: u64,
    /// The account.
    pub account: u32,
}

/// Requests of an account in a neighbourhood of text on this day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Requests {
    /// The account.
    pub account: u32,
    /// The neighbourhood.
    pub neighbourhood: u16,
    /// Requests.
    pub requests: u32,
}

/// A request of a text under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sent {
    /// The family of the text.
    pub family: u64,
    /// The account.
    pub account: u32,
    /// The prompt that holds the text.
    pub prompt: u32,
}

/// Tells what prompts hold beside the text of a family: the neighbourhood of each, [`EVERYWHERE`] where that is nothing.
pub type Subjects<'a> = dyn Fn(u64, &[u32]) -> Vec<u16> + Sync + 'a;

/// Which half of a day's texts a family is of. A neighbourhood is never cut in two, so that one text in two wordings is not two findings; it is
/// another half on another day.
#[must_use]
pub fn half(day: i32, family: u64, neighbourhood: u16) -> u8 {
    let text = if neighbourhood == EVERYWHERE { family } else { u64::from(neighbourhood) };
    let sign = u16::from(neighbourhood == EVERYWHERE);
    Digest::of(&[&text.to_le_bytes()[..], &day.to_le_bytes(), &sign.to_le_bytes()].concat()).0[0] & 1
}

/// One day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Its number: days since 1970-01-01, cut where the configuration says.
    pub day: i32,
    /// Choices of a family that the account had never used before, sorted.
    pub new: Vec<Choice>,
    /// Accounts that are active today and used a family of `new` before, sorted; they can tell nothing new about it.
    pub before: Vec<Choice>,
    /// Choices of a family that the account had used before, sorted.
    pub again: Vec<Choice>,
    /// The neighbourhood of each family of `new`, sorted by family; [`EVERYWHERE`] where its texts are of many.
    pub neighbourhoods: Vec<(u64, u16)>,
    /// All requests of the day, sorted by account, then neighbourhood.
    pub requests: Vec<Requests>,
    /// Families of one text (a fragment, a system prompt) that many accounts sent today, sorted.
    pub wide: Vec<u64>,
    /// Requests of the texts that are under test, sorted.
    pub sent: Vec<Sent>,
    /// The large neighbourhood that each neighbourhood lies in, by its number; empty where that is not known, and all are one.
    pub large: Vec<u16>,
    /// What kind of account each is, by what the provider knows of it: coarse, then fine; sorted by account. Of others nothing is known.
    pub kinds: Vec<(u32, [u64; 2])>,
}

impl Day {
    /// Accounts with a request, in order.
    #[must_use]
    pub fn accounts(&self) -> Vec<u32> {
        let mut accounts: Vec<u32> = self.requests.iter().map(|requests| requests.account).collect();
        accounts.dedup();
        accounts
    }

    /// The neighbourhood of a family of `new`.
    #[must_use]
    pub fn neighbourhood(&self, family: u64) -> u16 {
        let found = self.neighbourhoods.binary_search_by_key(&family, |(family, _)| *family);
        found.map_or(EVERYWHERE, |i| self.neighbourhoods[i].1)
    }

    /// Which half of the day's texts a family of `new` is of.
    #[must_use]
    pub fn half(&self, family: u64) -> u8 {
        half(self.day, family, self.neighbourhood(family))
    }

    /// Leaves out accounts.
    pub(super) fn forget(&mut self, is_gone: &dyn Fn(u32) -> bool) {
        for choices in [&mut self.new, &mut self.before, &mut self.again] {
            choices.retain(|choice| !is_gone(choice.account));
        }
        self.requests.retain(|requests| !is_gone(requests.account));
        self.sent.retain(|sent| !is_gone(sent.account));
        self.kinds.retain(|(account, _)| !is_gone(*account));
    }

    /// The same choices and requests with other neighbourhoods in place of these, and nothing of texts under test.
    #[must_use]
    pub(super) fn moved(&self, to: &dyn Fn(u16) -> u16) -> Self {
        Self {
            day: self.day,
            new: self.new.clone(),
            before: self.before.clone(),
            neighbourhoods: self.neighbourhoods.iter().map(|&(family, of)| (family, to(of))).collect(),
            requests: self.requests.iter().map(|r| Requests { neighbourhood: to(r.neighbourhood), ..*r }).collect(),
            ..Self::default()
        }
        .in_order()
    }

    /// Sorts what must be in order and drops what is said twice.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        for choices in [&mut self.new, &mut self.before, &mut self.again] {
            choices.sort_unstable();
            choices.dedup();
        }
        self.wide.sort_unstable();
        self.wide.dedup();
        self.sent.sort_unstable();
        self.kinds.sort_unstable();
        self.kinds.dedup_by_key(|(account, _)| *account);
        self.neighbourhoods.sort_unstable();
        self.neighbourhoods.dedup_by_key(|(family, _)| *family);
        self.requests.sort_unstable();
        let same = |a: &Requests, b: &Requests| (a.account, a.neighbourhood) == (b.account, b.neighbourhood);
        self.requests = self
            .requests
            .chunk_by(same)
            .map(|same| Requests { requests: same.iter().map(|r| r.requests).sum(), ..same[0] })
            .collect();
        self
    }
}
