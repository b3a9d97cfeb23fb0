//! With whom an account shares, and when it asks: what an investigator looks at before an account is taken for one of a ring.
//!
//! The idea: families that few accounts use say more than those that everybody uses, so only they are compared, those of fewest accounts first.
//! Weakness: what is counted is no evidence; customers of one app share its texts. Guarantee: the work is bounded, whatever an account sent.

use crate::error::Result;
use crate::ids::AccountId;
use crate::store::Store;
use crate::store::facts::Head;
use crate::stored::standing::AllUses;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Families that are asked for who else uses them.
const COMPARED: usize = 200;
/// The most accounts that one of them may have: as many as a fragment may that is looked for.
const FEW: u64 = 600;
/// Accounts that are named.
const NAMED: usize = 20;
/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// An account that uses the same families as another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sharer {
    /// Its pseudonym.
    pub account: AccountId,
    /// Families that both use.
    pub families: u64,
}

/// Who uses most of these families, beside the account `own` that they are of: numbers of accounts, each with how many families.
pub(super) fn sharers<'h>(store: &Store, own: u32, heads: impl Iterator<Item = &'h Head>) -> Result<Vec<(u32, u64)>> {
    let mut few: Vec<&Head> = heads.filter(|head| (2..=FEW).contains(&head.accounts)).collect();
    few.sort_by_key(|head| (head.accounts, head.family));
    let (uses, mut shared): (_, BTreeMap<u32, u64>) = (AllUses::open(store)?, BTreeMap::new());
    for head in few.into_iter().take(COMPARED) {
        for account in uses.accounts_of(head).into_keys().filter(|&account| account != own) {
            *shared.entry(account).or_default() += 1;
        }
    }
    let mut shared: Vec<(u32, u64)> = shared.into_iter().collect();
    shared.sort_by_key(|&(account, families)| (Reverse(families), account));
    shared.truncate(NAMED);
    Ok(shared)
}

/// How many moments, in microseconds, lie in each hour of the day, UTC: 24 counts, or nothing where there are no moments.
pub(super) fn hours(moments: &[i64]) -> Vec<u64> {
    let mut out = vec![0; if moments.is_empty() { 0 } else { 24 }];
    for moment in moments {
        out[moment.div_euclid(HOUR).rem_euclid(24) as usize] += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_and_after_1970_lie_in_their_hour() {
        assert_eq!(hours(&[]), Vec::<u64>::new());
        let counted = hours(&[0, HOUR - 1, HOUR, 25 * HOUR, -1]);
        assert_eq!((counted.len(), counted[0], counted[1], counted[23]), (24, 2, 2, 1));
        assert_eq!(counted.iter().sum::<u64>(), 5);
    }
}
