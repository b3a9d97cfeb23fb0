//! Reads the days that are new, in order, and does with each what the caller wants: walks on, or keeps it.

use super::super::registry::{self, Registered};
use super::super::standing::{Standings, level_of};
use super::super::view::View;
use super::attributes;
use super::days::{self, Reader};
use super::kept::Kept;
use super::known;
use super::neighbourhoods::Neighbourhoods;
use super::nights;
use super::subjects;
use crate::embed::Model;
use crate::error::Result;
use crate::family::fragment::KnownTexts;
use crate::ids::Level;
use crate::ring::{Day, Subjects};
use crate::store::postings::{NONE, Posting};
use crate::store::uses::Uses;
use crate::store::{Mapped, Night, Store};
use std::collections::BTreeMap;

/// A day that has fewer than one in so many of the exchanges that are read at once is none.
const STRAY: usize = 1000;

/// What is done with a day.
pub(super) type Each<'a> = dyn FnMut(&mut Kept, Day, &Subjects<'_>) + 'a;

/// A day is over: the state with it becomes the state before the next.
pub(super) fn walk_on(kept: &mut Kept, day: Day, subjects: &Subjects<'_>) {
    kept.closed = std::mem::take(&mut kept.current);
    kept.current = kept.closed.clone().with(&day, &kept.config, subjects);
    nights::record(kept, day.day);
}

/// Reads the days of all nights after `night`, in order.
pub(super) fn read(
    (store, view): (&Store, &View),
    (model, texts): (&Model, &KnownTexts),
    standings: &Standings,
    night: u32,
    kept: &mut Kept,
    each: &mut Each<'_>,
) -> Result<()> {
    let day_starts = kept.config.day_starts;
    let day_of = |posting: &Posting| days::day_of(posting.time, day_starts);
    let newest = kept.current.real.through();
    let mut by_day: BTreeMap<i32, Vec<Posting>> = BTreeMap::new();
    for (at, _) in store.nights().iter().enumerate().filter(|(_, of)| of.night > night) {
        for posting in view.postings[at].all() {
            let day = day_of(posting);
            if newest.is_some_and(|newest| day < newest) {
                kept.late += 1;
            } else {
                by_day.entry(day).or_default().push(*posting);
            }
        }
    }
    kept.late += drop_strays(&mut by_day, newest);
    let uses: Vec<Uses<Mapped>> =
        store.of_kind("uses").map(|file| store.read(file, Uses::open)).collect::<Result<_>>()?;
    let reader = Reader {
        view,
        standings,
        uses: uses.iter().map(Uses::all).collect(),
        actors: None,
        registered: Registered::of(&registry::entries(store)?, store, view)?,
        day_starts,
    };
    // Behind a gateway stand many people: it is no account that acts.
    by_day.values_mut().for_each(|rows| rows.retain(|row| !reader.registered.gateways.contains(&row.account)));
    if let Some(again) = newest.and_then(|newest| by_day.get_mut(&newest)) {
        // The newest day goes on: it is read again, with what came before.
        let start = reader.start(newest.unwrap_or_default());
        let may_hold = |of: &Night| of.night <= night && of.last_seen >= start;
        for (at, _) in store.nights().iter().enumerate().filter(|(_, of)| may_hold(of)) {
            let own = view.postings[at].all().iter().filter(|posting| Some(day_of(posting)) == newest);
            again.extend(own.filter(|posting| !reader.registered.gateways.contains(&posting.account)));
        }
        kept.current = kept.closed.clone();
    }
    // What was registered or named as known since is no evidence of the first day either.
    if let Some(first) = &kept.current.real.first {
        known::take_out(&mut first.clone(), (view, texts), &mut kept.known);
        let (known, registered) = (&kept.known, &reader.registered);
        kept.current.leave_out_of_first(&|choice| {
            let is_known = match level_of(choice.family) {
                (Level::Fragment, number) => view.fragments[number as usize].is_known(),
                _ => known.contains(&choice.family) || registered.families.contains_key(&choice.family),
            };
            is_known || registered.gateways.contains(&choice.account)
        });
    }
    each_day(&reader, store, (model, texts), by_day, kept, each)
}

/// Leaves out days that have hardly any of these exchanges, and says how many those were: a clock that ran wild for one exchange must not end all days
/// before it.
pub(super) fn drop_strays(by_day: &mut BTreeMap<i32, Vec<Posting>>, newest: Option<i32>) -> u64 {
    let total: usize = by_day.values().map(Vec::len).sum();
    let mut late = 0;
    by_day.retain(|day, rows| {
        let counts = newest == Some(*day) || rows.len() * STRAY >= total;
        late += if counts { 0 } else { rows.len() as u64 };
        counts
    });
    late
}

/// Reads these days, in order.
pub(super) fn each_day(
    reader: &Reader<'_>,
    store: &Store,
    (model, texts): (&Model, &KnownTexts),
    by_day: BTreeMap<i32, Vec<Posting>>,
    kept: &mut Kept,
    each: &mut Each<'_>,
) -> Result<()> {
    let view = reader.view;
    let mut neighbourhoods = Neighbourhoods::open(store)?;
    for (day, postings) in by_day {
        for posting in postings.iter().filter(|posting| posting.model != NONE) {
            kept.models.entry(posting.model).or_insert(day);
        }
        let mut prompts: Vec<u32> = postings.iter().map(|posting| posting.prompt).collect();
        prompts.sort_unstable();
        prompts.dedup();
        if neighbourhoods.find(&prompts, &mut kept.centres) {
            kept.current.drop_neighbourhoods();
        }
        let under_test = kept.current.real.texts.open();
        let mut read = reader.day(day, (&prompts, &postings), &under_test, &neighbourhoods);
        // Kinds are those of accounts, and other actors have none.
        if reader.actors.is_none() {
            read.kinds = attributes::kinds(store, view, day, reader.day_starts)?;
        }
        known::take_out(&mut read, (view, texts), &mut kept.known);
        let subjects = |family, prompts: &[u32]| subjects::of((view, model), &neighbourhoods, family, prompts);
        each(kept, read, &subjects);
    }
    Ok(())
}
