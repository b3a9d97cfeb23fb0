//! What each ring had on each night: the e-value that it was listed with, and what the streams of the second route gave.
//!
//! The idea: a walk states its rings anew with every day and forgets how it came there, so their numbers are noted as each day is read. Of
//! the days before a ring was confirmed, its first group tells them: its evidence counts at declared horizons only, and stands between them.
//! Weakness: of a ring that an older program found, only the first group's horizons are known for the nights before this file was there.
//! Guarantee: a night's number is the one that was reported on it; no account is named here.

use super::kept::{Kept, read};
use crate::error::Result;
use crate::ring::streams::Streams;
use crate::ring::{Ring, Route};
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Kind of the file, and how it begins.
pub(super) const KIND: &str = "rings-nights";
pub(super) const MAGIC: &[u8; 8] = b"SHRNIGT1";

/// What a ring had on a night.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Night {
    /// The day.
    pub(crate) day: i32,
    /// ln of the e-value that decides.
    pub(crate) ln_e: f64,
    /// What the streams of the second route gave; none on the first.
    pub(crate) streams: Option<Streams>,
}

/// Nights by the name of the ring, oldest first.
pub(crate) type Nights = BTreeMap<[u8; 32], Vec<Night>>;

/// The nights of a store; none of one that an older program kept.
/// # Errors
/// `Store` when the file is damaged.
pub(crate) fn nights(store: &Store) -> Result<Nights> {
    Ok(read(store, KIND, MAGIC)?.unwrap_or_default())
}

/// Notes what rings have with a day that was just read, in the place of what was noted of it before.
pub(super) fn record(kept: &mut Kept, day: i32) {
    let walks = &kept.current;
    let names: BTreeSet<[u8; 32]> =
        walks.rings.iter().map(|ring| ring.name).chain(walks.past.iter().map(|past| past.ring.name)).collect();
    kept.nights.retain(|name, _| names.contains(name));
    kept.nights.values_mut().for_each(|nights| nights.retain(|night| night.day < day));
    for ring in &walks.rings {
        let nights = kept.nights.entry(ring.name).or_default();
        if nights.is_empty() {
            *nights = before(kept.current.real.groups.iter(), &kept.current.real.texts.under_test, ring);
            nights.retain(|night| night.day < day);
        }
        let streams = match ring.route {
            Route::CoUse => None,
            Route::Persistent(streams) => Some(streams),
        };
        nights.push(Night { day, ln_e: ring.ln_e, streams });
    }
}

/// What a ring's first group or text had at its horizons.
fn before<'a>(
    mut groups: impl Iterator<Item = &'a crate::ring::Group>,
    texts: &[crate::ring::persistent::Persistent],
    ring: &Ring,
) -> Vec<Night> {
    match ring.route {
        Route::CoUse => {
            let first = groups.find(|group| group.name() == ring.name).map(crate::ring::Group::history);
            let night = |(day, ln_e)| Night { day, ln_e, streams: None };
            first.unwrap_or_default().into_iter().map(night).collect()
        }
        Route::Persistent(_) => {
            let first = texts.iter().find(|text| text.name() == ring.name).map(|text| text.history());
            let night = |(day, ln_e, streams)| Night { day, ln_e, streams };
            first.unwrap_or_default().into_iter().map(night).collect()
        }
    }
}
