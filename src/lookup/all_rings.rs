//! All rings of a store, read once for many questions: by name, by account, by family.
//!
//! The idea: rings are described together, since what describes one is read for all. Weakness: whoever asks for one waits for all. Guarantee: a
//! list, a page and an account's rings of one commit agree.

use super::rings::{past_rings, rings};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, FamilyId};
use crate::report::ring::{Ring, RingOf, RingsMeta};
use crate::store::Store;

/// All rings of a store as of one commit.
#[derive(Debug)]
pub struct AllRings {
    /// Those that are listed, as [`rings`] has them.
    pub listed: Vec<Ring>,
    /// Those of earlier days, as [`past_rings`] has them.
    pub past: Vec<Ring>,
    /// What stands behind the list.
    pub meta: RingsMeta,
}

impl AllRings {
    /// Reads them.
    /// # Errors
    /// `Store` when the store is damaged.
    pub fn of(store: &Store) -> Result<Self> {
        let (listed, meta) = rings(store)?;
        Ok(Self { listed, past: past_rings(store)?, meta })
    }

    fn each(&self) -> impl Iterator<Item = &Ring> {
        self.listed.iter().chain(&self.past)
    }

    /// Rings by name.
    /// # Errors
    /// `Input` when the store has none of such a name.
    pub fn chosen(&self, ids: &[String]) -> Result<Vec<Ring>> {
        let of_name = |id: &String| {
            let unknown = || {
                Error::new(ErrorKind::Input, format!("expected a ring of the store, got {id:?}"))
                    .hint("stillhunt ring list shows them")
            };
            self.each().find(|ring| ring.id == *id).cloned().ok_or_else(unknown)
        };
        ids.iter().map(of_name).collect()
    }

    /// Rings that an account may belong to, on the list of level 5%.
    pub(super) fn of_account(&self, account: AccountId) -> Vec<RingOf> {
        let of_ring = |ring: &Ring| {
            let member = ring.members.iter().find(|member| member.account == account)?;
            Some(of(ring, Some(member.membership)))
        };
        self.each().filter_map(of_ring).collect()
    }

    /// Rings that shared a family.
    pub(super) fn of_family(&self, family: FamilyId) -> Vec<RingOf> {
        let shares = |ring: &&Ring| ring.families.iter().any(|shared| shared.family_id == family);
        self.each().filter(shares).map(|ring| of(ring, None)).collect()
    }
}

/// Rings by name, those of earlier days too, with what stands behind the list.
/// # Errors
/// `Input` when the store has none of such a name; `Store` when it is damaged.
pub fn chosen_rings(store: &Store, ids: &[String]) -> Result<(Vec<Ring>, RingsMeta)> {
    let all = AllRings::of(store)?;
    Ok((all.chosen(ids)?, all.meta))
}

fn of(ring: &Ring, membership: Option<f64>) -> RingOf {
    let Ring { rung, gamma_star, confirmed_night, .. } = *ring;
    let last = ring.past.as_ref().map(|past| past.last);
    RingOf { ring_id: ring.id.clone(), rung, gamma_star, confirmed_night, last, membership }
}
