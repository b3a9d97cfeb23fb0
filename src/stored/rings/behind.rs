//! Who acts behind a gateway: the walk of the accounts' rings, over the end users that one account names.
//!
//! The idea: a gateway is one account with many people behind it, so it acts in no ring of accounts; its end users may. They are numbered, every exchange of the account counts for the one that it
//! names, and the days are read and walked as those of accounts are: the same null, the same freezing, the same placebos. Attributes are the billed account's and say nothing of its
//! end users, so no stream but those of text and load is asked. All is read from the first day on each time, and nothing is kept. Weakness: the account itself says who its end users are, and may invent them; a
//! fragment needs five accounts, so what end users share must be near-duplicates or equal. Guarantee: the same store gives the same rings.

use super::super::registry::{self, Registered};
use super::super::standing::{Standings, uses};
use super::super::view::View;
use super::attributes::families;
use super::days::{Reader, day_of};
use super::kept::{Found, Kept, kept};
use super::walk::{drop_strays, each_day, walk_on};
use crate::embed::Model;
use crate::error::Result;
use crate::family::fragment::KnownTexts;
use crate::ids::AccountId;
use crate::store::postings::Posting;
use crate::store::uses::Use;
use crate::store::{Named, Store, tables};
use arrow_array::cast::AsArray;
use std::collections::{BTreeMap, HashMap};

/// What is known of the end users of an account.
#[derive(Default)]
pub(crate) struct Behind {
    /// Rings among them, by their numbers.
    pub(crate) found: Found,
    /// Their pseudonyms, by number.
    pub(crate) names: BTreeMap<u32, AccountId>,
    /// What they used: sorted.
    pub(crate) uses: Vec<Use>,
    /// Exchanges of the account.
    pub(crate) exchanges: u64,
    /// Of these, such as name no end user: not counted for anybody.
    pub(crate) unnamed: u64,
}

impl Behind {
    /// Reads the end users of an account, and walks through their days. `texts` are known, and no evidence.
    /// # Errors
    /// `Store` when the store is damaged.
    pub(crate) fn of(store: &Store, (model, texts): (&Model, &KnownTexts), account: u32) -> Result<Self> {
        let Kept { config, known, .. } = kept(store)?.unwrap_or_default();
        let view = View::open(store)?;
        let Some(standings) = Standings::open_kept(store)? else { return Ok(Self::default()) };
        let (mut out, nights) = Self::exchanges(store, &view, account)?;
        let postings: Vec<Posting> = nights.iter().flatten().copied().collect();
        let mut held: Vec<(u64, &Posting)> =
            postings.iter().flat_map(|of| families(&view, of).into_iter().map(move |family| (family, of))).collect();
        held.sort_unstable();
        for same in held.chunk_by(|a, b| a.0 == b.0) {
            // The newest of all nights, so that they count however young their family is.
            uses(same[0].0, u32::MAX, same.iter().map(|(_, posting)| *posting), &mut out.uses);
        }
        let users = |same: &[Use]| same.chunk_by(|a, b| a.account == b.account).count() as u64;
        let actors: HashMap<u64, u64> =
            out.uses.chunk_by(|a, b| a.family == b.family).map(|same| (same[0].family, users(same))).collect();
        let reader = Reader {
            view: &view,
            standings: &standings,
            uses: vec![&out.uses],
            actors: Some(actors),
            registered: Registered::of(&registry::entries(store)?, store, &view)?,
            day_starts: config.day_starts,
        };
        let mut kept = Kept { config, known, ..Kept::default() };
        let mut by_day: BTreeMap<i32, Vec<Posting>> = BTreeMap::new();
        for night in nights {
            let mut of_night: BTreeMap<i32, Vec<Posting>> = BTreeMap::new();
            for posting in night {
                of_night.entry(day_of(posting.time, config.day_starts)).or_default().push(posting);
            }
            kept.late += drop_strays(&mut of_night, None);
            of_night.into_iter().for_each(|(day, rows)| by_day.entry(day).or_default().extend(rows));
        }
        each_day(&reader, store, (model, texts), by_day, &mut kept, &mut walk_on)?;
        out.found = Found::of(&kept);
        Ok(out)
    }

    /// The account's exchanges of each night, each with the number of its end user in the place of the account's.
    fn exchanges(store: &Store, view: &View, account: u32) -> Result<(Self, Vec<Vec<Posting>>)> {
        let (mut out, mut nights) = (Self::default(), Vec::new());
        let files: Vec<&Named> = store.of_kind("rows").collect();
        for (file, night) in files.into_iter().zip(&view.postings) {
            let mut own: Vec<Posting> = night.all().iter().filter(|of| of.account == account).copied().collect();
            own.sort_unstable_by_key(|posting| posting.row);
            let mut rows: Vec<u32> = own.iter().map(|posting| posting.row).collect();
            rows.dedup();
            if rows.is_empty() {
                continue;
            }
            out.exchanges += own.len() as u64;
            let mut users: Vec<Option<AccountId>> = Vec::with_capacity(rows.len());
            for batch in tables::read(&store.path(file), &["end_user"], Some(&rows))? {
                let batch = batch?;
                users.extend(batch.column(0).as_string::<i32>().iter().map(|user| user.and_then(|id| id.parse().ok())));
            }
            let mut named = Vec::with_capacity(own.len());
            for posting in own {
                let user = rows.binary_search(&posting.row).ok().and_then(|at| users.get(at).copied().flatten());
                match user {
                    Some(user) => named.push((user, posting)),
                    None => out.unnamed += 1,
                }
            }
            nights.push(named);
        }
        let mut users: Vec<AccountId> = nights.iter().flatten().map(|(user, _)| *user).collect();
        users.sort_unstable();
        users.dedup();
        let number = |user: &AccountId| users.binary_search(user).unwrap_or_default() as u32;
        let numbered = |night: Vec<(AccountId, Posting)>| -> Vec<Posting> {
            night.iter().map(|(user, posting)| Posting { account: number(user), ..*posting }).collect()
        };
        let nights = nights.into_iter().map(numbered).collect();
        out.names = (0..).zip(users).collect();
        Ok((out, nights))
    }
}
