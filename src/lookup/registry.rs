//! The registry of a store, and what might be added to it.

use super::ranking::{ListQuery, Ranking};
use crate::error::Result;
use crate::ids::{Digest, FamilyId, Level};
use crate::ring::streams::Streams;
use crate::store::Store;
use crate::stored::registry::{Entry, entries};
use crate::stored::rings::found;
use crate::stored::rows::system_texts;
use crate::stored::standing::level_of;
use crate::stored::view::View;
use crate::text::fold;
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
    /// By what it is registered: the digest of the fragment, or of the text that leads the family.
    pub digest: Digest,
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
    let view = &View::open(store)?;
    suggest_of((store, view), &Ranking::new(store, view)?)
}

/// The same, of families that are ranked already.
pub(super) fn suggest_of((store, view): (&Store, &View), ranking: &Ranking) -> Result<Vec<Candidate>> {
    let persistent = found(store)?.map(|found| found.persistent).unwrap_or_default();
    let why: BTreeMap<u64, String> =
        persistent.iter().filter_map(|(family, streams)| Some((*family, organic(streams)?))).collect();
    let mut out = Vec::new();
    for level in [None, Some(Level::System)] {
        let wanted = ListQuery { most: LOOKED_AT, level, least_accounts: WIDE, trivial: true, ..ListQuery::default() };
        let mut standings = ranking.standing((store, view), &wanted)?;
        // Only what may be a candidate is described, which takes reading its texts.
        standings.retain(|standing| {
            why.contains_key(&standing.head.family) || level_of(standing.head.family).0 == Level::Fragment
        });
        let families = ranking.described((store, view), standings.iter().cloned())?;
        for (standing, family) in standings.iter().zip(families) {
            let is_old = family.fragment.as_ref().is_some_and(|fragment| fragment.registry_candidate);
            let old = is_old.then(|| "old, and common among all accounts".to_owned());
            let Some(why) = why.get(&standing.head.family).cloned().or(old) else { continue };
            let digest = match &family.fragment {
                Some(fragment) => fragment.digest,
                None => text_of((store, view), standing.head.family)?,
            };
            let (family_id, accounts, template) = (family.id, family.accounts, family.template);
            out.push(Candidate { family_id, accounts, digest, template, why });
        }
    }
    out.sort_by(|a, b| b.accounts.cmp(&a.accounts).then(a.family_id.cmp(&b.family_id)));
    out.truncate(MOST);
    Ok(out)
}

/// Digest of the text that a family is registered by: its own, or its leader's.
fn text_of((store, view): (&Store, &View), family: u64) -> Result<Digest> {
    Ok(match level_of(family) {
        (Level::NearDuplicate, number) => view.digest(view.families[number as usize].leader),
        (Level::System, number) => {
            let texts = system_texts(store, &[number])?;
            Digest::of(fold(texts.get(&number).map_or("", String::as_str)).text.as_bytes())
        }
        (_, prompt) => view.digest(prompt),
    })
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

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;
    use crate::ids::Time;
    use crate::stored::registry::{Kind, Registered, What};
    use std::path::Path;

    /// A copy of the store that lies beside the tests.
    fn store(dir: &Path) -> Store {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store-3");
        let mut open = vec![from.clone()];
        while let Some(path) = open.pop() {
            let to = dir.join(path.strip_prefix(&from).expect("below it"));
            if path.is_dir() {
                std::fs::create_dir_all(&to).expect("a directory");
                open.extend(
                    std::fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()),
                );
            } else {
                let _ = std::fs::copy(&path, &to).expect("copied");
            }
        }
        Store::open(dir).expect("a store")
    }

    #[test]
    fn what_is_registered_by_the_digest_of_a_candidate_explains_its_family() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, now) = (store(dir.path()), Time::new(0).expect("a time"));
        let view = View::open(&store).expect("a view");
        let ranking = Ranking::new(&store, &view).expect("ranked");
        let mut levels = std::collections::BTreeSet::new();
        for level in [Level::Exact, Level::NearDuplicate, Level::System] {
            let wanted = ListQuery { most: 20, level: Some(level), trivial: true, ..ListQuery::default() };
            for standing in ranking.standing((&store, &view), &wanted).expect("families") {
                let family = standing.head.family;
                let what = What::Digest(text_of((&store, &view), family).expect("a digest"));
                let entry = Entry::new(("it".into(), what), Kind::App, ("a test".into(), None), (now, "ann".into()));
                let registered = Registered::of(&[entry], &store, &view).expect("looked up");
                assert!(registered.families.contains_key(&family), "{level:?} {family}");
                levels.insert(level.word());
            }
        }
        assert_eq!(levels.len(), 3, "families of each level: {levels:?}");
    }
}
