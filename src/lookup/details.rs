//! What a report says of a fragment family beside what it says of any family.

use crate::error::Result;
use crate::ids::{Level, Time};
use crate::report::Fragment as Details;
use crate::store::Store;
use crate::store::facts::Head;
use crate::stored::fragment;
use crate::stored::standing::{Standing, level_of};
use crate::stored::view::View;

/// Near-duplicate families that are named.
const MOST_NAMED: usize = 8;
/// A fragment this many days old, of this share of all accounts and at least so many, is offered for the list of known texts.
const OLD_DAYS: i64 = 7;
const COMMON_SHARE: f64 = 0.01;
const COMMON_ACCOUNTS: u64 = 50;

/// What a report says of a fragment family beside what it says of any family.
pub(crate) fn details((store, view): (&Store, &View), standing: &Standing, all_accounts: u64) -> Result<Details> {
    let (head, behind) = (&standing.head, standing.behind.fragment.clone().unwrap_or_default());
    let number = level_of(head.family).1;
    let fragment = fragment::one(store, number)?;
    let near = behind.near(view);
    let named = near.iter().take(MOST_NAMED).map(|&leader| view.family_id(Level::NearDuplicate, leader));
    let common = head.accounts >= COMMON_ACCOUNTS.max((COMMON_SHARE * all_accounts as f64).ceil() as u64);
    Ok(Details {
        field: fragment.field,
        digest: fragment.digest(),
        texts: head.prompts,
        place: behind.place(),
        share: behind.share(),
        parts: view.parts(number).len() as u64,
        near_families: near.len() as u64,
        largest_near_families: named.collect(),
        registry_candidate: fragment.known.is_none() && common && days(head) >= OLD_DAYS,
        known: fragment.known,
    })
}

/// Days from its first request to its last.
fn days(head: &Head) -> i64 {
    let day = |micros| Time::new(micros).map_or(0, Time::day);
    day(head.last) - day(head.first)
}
