//! The registry of a store, and what might be added to it.

use super::summary::{ListQuery, export_families};
use crate::error::Result;
use crate::ids::{FamilyId, Level};
use crate::ring::streams::Streams;
use crate::store::Store;
use crate::stored::registry::{Entry, entries};
use crate::stored::rings::found;
use crate::stored::standing::{Standings, level_of};
use serde::Serialize;
use std::collections::BTreeMap;

/// Candidates at most, families of each list that are looked at, and accounts of one at least.
const MOST: usize = 200;
const LOOKED_AT: usize = 2_000;
const WIDE: u64 = 20;

/// All entries, oldest first.
/// # Errors
/// `Store` when the catalog is damaged.
pub fn registry(store: &Store) -> Result<Vec<Entry>> {
    entries(store)
}

/// A family that may belong into the registry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The family.
    pub family_id: FamilyId,
    /// Its accounts.
    pub accounts: u64,
    /// Its text.
    pub template: String,
    /// Why, in words.
    pub why: String,
}

/// Families that may belong into the registry, most accounts first: texts sent day after day that were tested and whose accounts behave like
/// people, and fragments that are old and common.
/// # Errors
/// `Store` when the store is damaged.
pub fn suggest(store: &Store) -> Result<Vec<Candidate>> {
    let mut why: BTreeMap<FamilyId, String> = BTreeMap::new();
    if let Some(standings) = Standings::open_kept(store)? {
        for (family, streams) in found(store)?.map(|found| found.persistent).unwrap_or_default() {
            let (Some(head), Some(words)) = (standings.head(family), organic(&streams)) else { continue };
            why.insert(FamilyId { level: level_of(family).0, lead: head.id }, words);
        }
    }
    let mut out = Vec::new();
    for level in [None, Some(Level::System)] {
        let wanted = ListQuery { most: LOOKED_AT, level, least_accounts: WIDE, trivial: true, ..ListQuery::default() };
        for family in export_families(store, &wanted)? {
            let is_old = family.fragment.as_ref().is_some_and(|fragment| fragment.registry_candidate);
            let old = is_old.then(|| "old, and common among all accounts".to_owned());
            if let Some(why) = why.remove(&family.id).or(old) {
                let (family_id, accounts, template) = (family.id, family.accounts, family.template);
                out.push(Candidate { family_id, accounts, template, why });
            }
        }
    }
    out.sort_by(|a, b| b.accounts.cmp(&a.accounts).then(a.family_id.cmp(&b.family_id)));
    out.truncate(MOST);
    Ok(out)
}

/// What says that a text's accounts are people; nothing where they might be one sender's.
fn organic(streams: &Streams) -> Option<String> {
    let (uneven, own) = (libm::exp(streams.ln_p_even), libm::exp(streams.ln_p_interchangeable));
    if uneven > 0.05 {
        return Some(format!("its accounts differ in how much they ask as people do (p of evenness {uneven:.2})"));
    }
    (own > 0.05)
        .then(|| format!("its accounts keep to subjects of their own as people do (p of interchangeability {own:.2})"))
}
