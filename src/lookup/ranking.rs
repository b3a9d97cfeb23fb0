//! Families in the order of lists: ranked once for a state of the store, then read from wherever a list goes on.
//!
//! The idea: most accounts first, then most requests, then by name; of each family only its place is kept in that order, eight bytes. Descriptive,
//! not a score. Weakness: which models, nights and similarities stand behind a family is read for as many families as it takes to fill a
//! list, so for all of them where few pass. Guarantee: pages join without gap or double, and are those of a list that is read at once.

use super::summary::{About, Describe};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, FamilyId, Level, Time};
use crate::report::Family;
use crate::store::Store;
use crate::store::facts::Head;
use crate::stored::registry::{self, Registered};
use crate::stored::standing::{OfOne, Stand, Standing, Standings, family_key, level_of};
use crate::stored::view::View;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// Families whose facts are read at once, at first and at most, where a list asks what stands behind them.
const AT_ONCE: [usize; 2] = [256, 8_192];

/// Families whose description is kept, and longest template of one.
const MOST_KEPT: usize = 1_000;
const LONGEST_KEPT: usize = 8 << 10;

/// Which families a list shows. Without anything, none: say how many.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// At most this many.
    pub most: usize,
    /// Only of this level; without it all but system prompts.
    pub level: Option<Level>,
    /// Only those seen at or after this time.
    pub since: Option<Time>,
    /// Only those seen before this time.
    pub until: Option<Time>,
    /// Only those with a request of one of these nights, both included.
    pub nights: Option<(u32, u32)>,
    /// Only those with a request to this served model.
    pub model: Option<String>,
    /// Only those that this account used.
    pub account: Option<AccountId>,
    /// Only those that the known text of this name explains: their stratum.
    pub known: Option<String>,
    /// Only those whose texts are at least so similar to each other, in [−1, 1]; those of one text are 1, fragments and system prompts have no such number.
    pub least_similarity: Option<f32>,
    /// Only those whose exchanges are all of the newest night.
    pub new_tonight: bool,
    /// Only those with at least this many accounts.
    pub least_accounts: u64,
    /// Trivial texts too.
    pub trivial: bool,
    /// Only those that rank behind this one: where an earlier list ended.
    pub after: Option<After>,
}

/// A place in the order of families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// Accounts of the family that stands there.
    pub accounts: u64,
    /// Its requests.
    pub requests: u64,
    /// Its name.
    pub id: FamilyId,
}

impl After {
    /// The place of a family.
    #[must_use]
    pub fn of(family: &Family) -> Self {
        Self { accounts: family.accounts, requests: family.requests, id: family.id }
    }

    fn rank(&self) -> Rank {
        (std::cmp::Reverse(self.accounts), std::cmp::Reverse(self.requests), (self.id.level, self.id.lead))
    }
}

/// What families are ordered by, the smaller first.
type Rank = (std::cmp::Reverse<u64>, std::cmp::Reverse<u64>, (Level, [u8; 8]));

fn rank(head: &Head) -> Rank {
    (std::cmp::Reverse(head.accounts), std::cmp::Reverse(head.requests), (level_of(head.family).0, head.id))
}

/// The list of a report that a family stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Main,
    Trivial,
    Systems,
    /// Fragment families that a known text explains.
    Known,
}

fn list_of(head: &Head, view: &View) -> Option<List> {
    match level_of(head.family) {
        (Level::Exact, _) if head.trivial != 0 => Some(List::Trivial),
        (Level::System, _) => Some(List::Systems),
        (Level::Fragment, number) => {
            let fragment = view.fragments.get(number as usize)?;
            Some(if fragment.is_known() { List::Known } else { List::Main })
        }
        _ => Some(List::Main),
    }
}

/// All families of a store in the order of their rank.
pub(super) struct Ranking {
    pub(super) standings: Standings,
    pub(super) about: About,
    order: Vec<Stand>,
    described: Mutex<HashMap<u64, Family>>,
}

impl Ranking {
    pub(super) fn new(store: &Store, view: &View) -> Result<Self> {
        let standings = Standings::open(store, view)?;
        let ranked = |at: Stand| {
            let head = standings.at(at);
            list_of(head, view).map(|_| (rank(head), at))
        };
        let mut all: Vec<(Rank, Stand)> = standings.places().into_iter().filter_map(ranked).collect();
        all.par_sort_unstable();
        let order = all.into_iter().map(|(_, at)| at).collect();
        Ok(Self { standings, about: About::of(store)?, order, described: Mutex::default() })
    }

    /// How many families stand on each list, by level.
    pub(super) fn numbers(&self, view: &View) -> BTreeMap<(List, Level), u64> {
        let mut out = BTreeMap::new();
        for head in self.order.iter().map(|&at| self.standings.at(at)) {
            if let Some(list) = list_of(head, view) {
                *out.entry((list, level_of(head.family).0)).or_insert(0) += 1;
            }
        }
        out
    }

    /// The first of a list, described.
    pub(super) fn leading(&self, (store, view): (&Store, &View), list: List, most: usize) -> Result<Vec<Family>> {
        let heads = self.order.iter().map(|&at| self.standings.at(at));
        let own = heads.filter(|head| list_of(head, view) == Some(list)).take(most);
        self.described((store, view), own.filter_map(|head| self.standings.of(head.family)))
    }

    /// Families that a list shows, best ranked first, described.
    pub(super) fn list(&self, (store, view): (&Store, &View), wanted: &ListQuery) -> Result<Vec<Family>> {
        self.described((store, view), self.standing((store, view), wanted)?.into_iter())
    }

    /// Families described, in the order given. What was described is kept, up to a bound: the first pages are asked for most, and first.
    pub(super) fn described(
        &self,
        (store, view): (&Store, &View),
        standings: impl Iterator<Item = Standing>,
    ) -> Result<Vec<Family>> {
        let (mut out, mut missing) = (Vec::new(), Vec::new());
        let mut kept = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        for standing in standings {
            let there = kept.get(&standing.head.family).cloned();
            missing.extend(there.is_none().then_some(standing));
            out.push(there);
        }
        drop(kept);
        let made = Describe { store, view, about: &self.about, with_values: false }.all(&missing)?;
        kept = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        for (standing, family) in missing.iter().zip(&made) {
            if kept.len() < MOST_KEPT && family.template.len() <= LONGEST_KEPT {
                let _ = kept.insert(standing.head.family, family.clone());
            }
        }
        drop(kept);
        let mut made = made.into_iter();
        Ok(out.into_iter().filter_map(|there| there.or_else(|| made.next())).collect())
    }

    /// How the families stand that a list shows, best ranked first.
    pub(super) fn standing(&self, (store, view): (&Store, &View), wanted: &ListQuery) -> Result<Vec<Standing>> {
        let newest = store.nights().last().map_or(0, |night| night.night);
        let chosen = self.chosen((store, view), wanted)?;
        let shown = |head: &&Head| {
            let level = level_of(head.family).0;
            wanted.level.map_or(level != Level::System, |wanted| wanted == level)
                && head.accounts >= wanted.least_accounts
                && wanted.since.is_none_or(|since| head.last >= since.micros())
                && (!wanted.new_tonight || head.first_night == newest)
                && wanted.until.is_none_or(|until| head.first < until.micros())
                && wanted.nights.is_none_or(|(from, to)| head.first_night <= to && from <= head.last_night)
                && chosen.iter().all(|families| families.contains(&head.family))
                && (wanted.trivial || head.trivial == 0)
        };
        let model =
            match &wanted.model {
                Some(name) => Some(self.about.models.iter().position(|of| of == name).ok_or_else(|| {
                    Error::new(ErrorKind::Input, format!("expected a model of the store, got {name:?}"))
                })?),
                None => None,
            };
        let is_after = |head: &Head| wanted.after.is_none_or(|after| rank(head) > after.rank());
        // Few are chosen by an account or a known text; otherwise the list goes on in the order of all.
        let mut few: Vec<&Head> = Vec::new();
        let mut rest = &self.order[..];
        match chosen.iter().min_by_key(|families| families.len()) {
            Some(families) => {
                let heads = families.iter().filter_map(|&family| self.standings.head(family));
                few.extend(heads.filter(|head| head.requests > 1 && list_of(head, view).is_some() && is_after(head)));
                few.sort_unstable_by_key(|head| rank(head));
                rest = &[];
            }
            None => {
                let head = |&at: &Stand| self.standings.at(at);
                rest = &rest[rest.partition_point(|at| !is_after(head(at)))..];
                rest = &rest[..rest.partition_point(|at| head(at).accounts >= wanted.least_accounts)];
            }
        }
        let mut heads = few.into_iter().chain(rest.iter().map(|&at| self.standings.at(at))).filter(shown);
        if model.is_none() && wanted.nights.is_none() && wanted.least_similarity.is_none() {
            return Ok(heads.take(wanted.most).filter_map(|head| self.standings.of(head.family)).collect());
        }
        let passes = |Standing { head, behind }: &Standing| {
            let similar = match level_of(head.family).0 {
                Level::NearDuplicate => Some(behind.smallest),
                Level::Exact => Some(1.0),
                _ => None,
            };
            let in_nights = |(from, to)| behind.nights.iter().any(|(night, ..)| (from..=to).contains(night));
            model.is_none_or(|model| behind.models.contains_key(&(model as u32)))
                && wanted.nights.is_none_or(in_nights)
                && wanted.least_similarity.is_none_or(|least| similar.is_some_and(|similar| similar >= least))
        };
        let (mut out, mut at_once): (Vec<Standing>, usize) = (Vec::new(), AT_ONCE[0]);
        while out.len() < wanted.most {
            let some: Vec<&Head> = heads.by_ref().take(at_once).collect();
            if some.is_empty() {
                break;
            }
            let read = |head: &&Head| self.standings.of(head.family).filter(passes);
            out.par_extend(some.par_iter().filter_map(read));
            at_once = (2 * at_once).min(AT_ONCE[1]);
        }
        out.truncate(wanted.most);
        Ok(out)
    }

    /// Sets of families, each of which a list must hold: those of an account, and those that a known text explains.
    fn chosen(&self, (store, view): (&Store, &View), wanted: &ListQuery) -> Result<Vec<BTreeSet<u64>>> {
        let mut out = Vec::new();
        if let Some(account) = wanted.account {
            let query = "SELECT account FROM accounts WHERE id = ?1";
            let number: Vec<u32> = store.catalog().all(query, [account.to_string()], |row| row.get(0))?;
            let unknown = || Error::new(ErrorKind::Input, format!("expected an account of the store, got {account}"));
            let number = number.first().copied().ok_or_else(unknown)?;
            out.push(OfOne::new(store, view, &self.standings, number)?.requests.into_keys().collect());
        }
        if let Some(name) = &wanted.known {
            let query = "SELECT fragment FROM fragments WHERE known = ?1";
            let fragments: Vec<u32> = store.catalog().all(query, [name], |row| row.get(0))?;
            let entries = registry::entries(store)?;
            let families = Registered::of(&entries, store, view)?.families;
            let registered = families.into_iter().filter(|(_, place)| entries[*place].name == *name);
            let fragments = fragments.into_iter().map(|number| family_key(Level::Fragment, number));
            out.push(fragments.chain(registered.map(|(family, _)| family)).collect());
        }
        Ok(out)
    }
}

/// Families that a list shows, most accounts first.
/// # Errors
/// `Store` when it is damaged.
pub fn export_families(store: &Store, wanted: &ListQuery) -> Result<Vec<Family>> {
    let view = &View::open(store)?;
    Ranking::new(store, view)?.list((store, view), wanted)
}
