//! Rings, kept from day to day beside what they are made of.
//!
//! A night's commit is followed by one that walks through the days of its exchanges' own time: uses, activity and neighbourhoods of a day
//! are read from the store, [`crate::ring`] does the rest. The newest day may go on in the next log, so the state before it is kept too and
//! that day is read again with all that has come by then; exchanges of days before it are late, and those of a day that has hardly any are
//! strays: counted, and used for nothing.
//! Weakness: a day counts as over when a later one begins. Guarantee: the same exchanges give the same rings in one commit or in many, as far
//! as their families are the same.

mod attributes;
mod behind;
mod days;
mod events;
mod focus;
mod inputs;
mod kept;
mod known;
mod neighbourhoods;
mod nights;
mod pivot;
mod subjects;
mod walk;

pub(crate) use attributes::{ATTRIBUTES, InCommon, LINKS};
pub(crate) use behind::Behind;
pub(crate) use events::{Event, Kind, events, say};
pub(crate) use inputs::Inputs;
pub(crate) use kept::{Found, forget, found};
pub(crate) use nights::{Night, nights};
pub(crate) use pivot::{Pivot, known_on as pivot_known_on, ln_p as pivot_ln_p};

use super::standing::Standings;
use super::view::View;
use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::fragment::KnownTexts;
use crate::ids::Digest;
use crate::ring::propose::LEAST_ACCOUNTS;
use crate::ring::walk::KEPT;
use crate::ring::{Day, Ring, RingConfig, Route};
use crate::store::postings::Posting;
use crate::store::{Store, Writer};
use crate::text::winnow::Printer;
use attributes::Askers;
use kept::{KINDS, Kept, kept, write};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Days before the one that confirmed a ring, of which is read what its accounts put around its texts.
const FILLED_DAYS: i32 = 7;

/// Reads the days of the nights that were added since, in a commit of its own; without a configuration as before. `known` are texts that are no evidence.
/// # Errors
/// `Store` when the store is damaged; `Io`. The store is then as it was.
pub(crate) fn keep(writer: &mut Writer, model: &Model, config: Option<RingConfig>, known: &KnownTexts) -> Result<()> {
    let store = &writer.store;
    let Some(newest) = store.nights().last().map(|night| night.night) else { return Ok(()) };
    let before = kept(store)?.unwrap_or_default();
    let config = config.unwrap_or(before.config);
    // Groups that were chosen otherwise are proposed and tested anew, from the first day on.
    let before = if before.config == config { before } else { Kept { known: before.known, ..Kept::default() } };
    if before.night >= newest {
        return Ok(());
    }
    let view = View::open(store)?;
    let Some(standings) = Standings::open_kept(store)? else { return Ok(()) };
    let since = before.night;
    let mut kept = Kept { night: newest, config, ..before };
    walk::read((store, &view), (model, known), &standings, since, &mut kept, &mut walk::walk_on)?;
    known::of_rings(&mut kept, (&view, known));
    compose(store, &view, &mut kept)?;
    follow(store, &view, &mut kept)?;
    drop((view, standings));
    commit(writer, &kept)
}

/// Asks once of each ring what its first group's accounts have in common, on the day that confirmed it.
fn compose(store: &Store, view: &View, kept: &mut Kept) -> Result<()> {
    let newest = kept.current.real.through();
    let mut before = std::mem::take(&mut kept.compositions);
    // The newest day may have gone on.
    before.retain(|(_, day), _| Some(*day) != newest);
    let mut askers: BTreeMap<i32, Askers> = BTreeMap::new();
    let mut exchanges: BTreeMap<i32, Vec<Posting>> = BTreeMap::new();
    let past = kept.current.past.iter().map(|past| &past.ring);
    for ring in kept.current.rings.iter().chain(past) {
        let of = (ring.name, ring.confirmed);
        let found = match before.remove(&of) {
            Some(found) => found,
            None => {
                let askers = match askers.entry(ring.confirmed) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(empty) => {
                        empty.insert(attributes::of_day(store, view, ring.confirmed, kept.config.day_starts)?)
                    }
                };
                let day_starts = kept.config.day_starts;
                let uses = attributes::uses(store, view, ring, day_starts);
                let found = attributes::in_common(askers, uses, ring);
                let exchanges = match exchanges.entry(ring.confirmed) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(empty) => {
                        empty.insert(attributes::exchanges(store, view, ring.confirmed, day_starts))
                    }
                };
                let shared = attributes::shared_families(store, ring, day_starts)?;
                let seed = attributes::seed_of(ring);
                let focus = focus::focus(view, exchanges, &ring.frozen, &shared, &askers.plans, seed);
                let inputs = match ring.route {
                    Route::CoUse => {
                        let first = ring.families.iter().map(|family| family.0).min().unwrap_or(ring.confirmed);
                        let days = first.max(ring.confirmed - FILLED_DAYS)..=ring.confirmed;
                        let sent: Vec<Posting> =
                            days.flat_map(|day| attributes::exchanges(store, view, day, day_starts)).collect();
                        inputs::of(view, &sent, ring, seed)
                    }
                    Route::Persistent(_) => None,
                };
                attributes::InCommon { focus: Some(focus), inputs, ..found }
            }
        };
        kept.compositions.insert(of, found);
    }
    Ok(())
}

/// Asks once of each ring how its first group took up each model that was new within four weeks of it, when the first days of the model are over.
fn follow(store: &Store, view: &View, kept: &mut Kept) -> Result<()> {
    let state = &kept.current.real;
    let (Some(oldest), Some(newest)) = (state.days.first().map(|day| day.day), state.through()) else { return Ok(()) };
    let day_starts = kept.config.day_starts;
    let names: BTreeSet<[u8; 32]> = kept.current.rings.iter().map(|ring| ring.name).collect();
    let past: BTreeSet<[u8; 32]> = kept.current.past.iter().map(|past| past.ring.name).collect();
    kept.pivots.retain(|(name, _), _| names.contains(name) || past.contains(name));
    for (model, day) in pivot::launches(&kept.models, oldest, newest) {
        let is_near = |ring: &Ring| ring.proposed - KEPT < day && day <= ring.confirmed + KEPT;
        let new = |ring: &&Ring| is_near(ring) && !kept.pivots.contains_key(&(ring.name, model));
        let past = kept.current.past.iter().map(|past| &past.ring);
        let rings: Vec<&Ring> = kept.current.rings.iter().chain(past).filter(new).collect();
        if rings.is_empty() {
            continue;
        }
        let plans = attributes::of_day(store, view, day, day_starts)?.plans;
        let postings: Vec<Posting> =
            (day..day + pivot::DAYS).flat_map(|day| attributes::exchanges(store, view, day, day_starts)).collect();
        let counts = pivot::counts(&postings, model, &plans);
        let found: Vec<([u8; 32], Pivot)> = rings
            .into_iter()
            .map(|ring| (ring.name, pivot::pivot((model, day), &counts, &ring.frozen, attributes::seed_of(ring))))
            .collect();
        kept.pivots.extend(found.into_iter().map(|(name, pivot)| ((name, model), pivot)));
    }
    Ok(())
}

/// All days of a store as the statistics read them, and how groups are chosen among them.
/// # Errors
/// `Store` when the store is damaged.
pub(crate) fn days(store: &Store, model: &Model) -> Result<(Vec<Day>, RingConfig)> {
    let Kept { config, known, .. } = kept(store)?.unwrap_or_default();
    let (view, mut out) = (View::open(store)?, Vec::new());
    if let Some(standings) = Standings::open_kept(store)? {
        let mut kept = Kept { config, known, ..Kept::default() };
        let texts = KnownTexts::new(&Printer::new(&[0; 32]));
        walk::read((store, &view), (model, &texts), &standings, 0, &mut kept, &mut |_, day, _| out.push(day))?;
    }
    Ok((out, config))
}

/// Freezes a set of accounts that an analyst drew; returns the newest day and the digest of what was frozen.
/// # Errors
/// `Input` when there are too few accounts, or no day yet; `Store` when the store is damaged; `Io`.
pub(crate) fn draw(writer: &mut Writer, accounts: Vec<u32>) -> Result<(i32, Digest)> {
    let kept = kept(&writer.store)?;
    let (Some(mut kept), true) = (kept, accounts.len() >= LEAST_ACCOUNTS) else {
        let message = format!(
            "expected {LEAST_ACCOUNTS} accounts of the store or more and a day of traffic, got {}",
            accounts.len()
        );
        return Err(Error::new(ErrorKind::Input, message));
    };
    let newest = kept.current.real.through().unwrap_or_default();
    // The newest day may go on, and is then read again from the state before it.
    kept.closed.real.draw(newest, &accounts);
    let frozen = kept.current.real.draw(newest, &accounts);
    commit(writer, &kept)?;
    Ok((newest, frozen))
}

/// Puts the files of what is kept in the place of those of before.
fn commit(writer: &mut Writer, kept: &Kept) -> Result<()> {
    let store = &writer.store;
    let files = KINDS.iter().flat_map(|kind| store.of_kind(kind));
    let replaced: Vec<String> = files.map(|file| file.name.clone()).collect();
    let mut night = writer.newest()?;
    write(kept, &mut night)?;
    writer.commit(night, &replaced, |_| Ok(()))
}
