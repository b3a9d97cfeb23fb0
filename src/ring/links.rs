//! What accounts of a group have in common for a fact: one means of payment, one address, one end user.
//!
//! The idea: that two accounts name the same card is no chance event that a model would have to weigh, it is a fact; what it is worth depends on how many others name it. So the value that
//! says most is told with the number of accounts of the group that have it and the number of all that do. Weakness: a value that many have says nothing, an attacker may set some of these fields,
//! and colleagues share a card. Guarantee: counts, and no p-value; no rung rests on them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A value that an account named on a day, by a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// Of what kind the value is.
    pub kind: u8,
    /// The value.
    pub value: u64,
    /// The account.
    pub account: u32,
}

/// A value that accounts of a group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Of what kind.
    pub kind: u8,
    /// Accounts of the group that named it, two or more.
    pub accounts: u32,
    /// Accounts of the group that named a value of this kind.
    pub of: u32,
    /// All accounts that named this value.
    pub having: u32,
    /// All accounts that named a value of this kind.
    pub known: u32,
}

/// The value of each kind that the accounts of a group, which are sorted, share most: pairs of them times the logarithm of how rare it is. `named` are all of the day.
#[must_use]
pub fn links(named: &[Named], group: &[u32]) -> Vec<Link> {
    let mut all = named.to_vec();
    all.sort_unstable();
    all.dedup();
    let of_kind = |all: &[Named]| -> Option<Link> {
        let accounts = |of: &[Named]| of.iter().map(|named| named.account).collect::<BTreeSet<u32>>();
        let is_own = |account: &u32| group.binary_search(account).is_ok();
        let known = accounts(all);
        let of = known.iter().filter(|account| is_own(account)).count() as u32;
        let link = |same: &[Named]| {
            let own = same.iter().filter(|named| is_own(&named.account)).count() as u32;
            Link { kind: same[0].kind, accounts: own, of, having: same.len() as u32, known: known.len() as u32 }
        };
        let links = all.chunk_by(|a, b| a.value == b.value).map(link).filter(|link| link.accounts >= 2);
        let worth = |link: &Link| {
            let (n, rarity) = (f64::from(link.accounts), f64::from(link.known) / f64::from(link.having));
            n * (n - 1.0) * libm::log(rarity)
        };
        links.max_by(|a, b| worth(a).total_cmp(&worth(b)).then(a.accounts.cmp(&b.accounts)))
    };
    all.chunk_by(|a, b| a.kind == b.kind).filter_map(of_kind).collect()
}
