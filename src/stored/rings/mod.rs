//! Rings, kept from day to day beside what they are made of.
//!
//! A night's commit is followed by one that walks through the days of its exchanges' own time: uses, activity and neighbourhoods of a day
//! are read from the store, [`crate::ring`] does the rest. The newest day may go on in the next log, so the state before it is kept too and
//! that day is read again with all that has come by then; exchanges of days before it are late, and those of a day that has hardly any are
//! strays: counted, and used for nothing.
//! Weakness: a day counts as over when a later one begins. Guarantee: the same exchanges give the same rings in one commit or in many, as far
//! as their families are the same.

mod days;
mod kept;
mod neighbourhoods;
mod subjects;
mod walk;

pub(crate) use kept::{forget, kept};

use super::standing::Standings;
use super::view::View;
use crate::embed::Model;
use crate::error::Result;
use crate::ring::RingConfig;
use crate::store::Writer;
use kept::{KIND, Kept, write};

/// Reads the days of the nights that were added since, in a commit of its own.
/// # Errors
/// `Store` when the store is damaged; `Io`. The store is then as it was.
pub(crate) fn keep(writer: &mut Writer, model: &Model, config: &RingConfig) -> Result<()> {
    let store = &writer.store;
    let Some(newest) = store.nights().last().map(|night| night.night) else { return Ok(()) };
    let before = kept(store)?.unwrap_or_default();
    if before.night >= newest {
        return Ok(());
    }
    // Groups that were chosen otherwise are proposed and tested anew, from the first day on.
    let before = if before.config == *config { before } else { Kept::default() };
    let view = View::open(store)?;
    let Some(standings) = Standings::open_kept(store)? else { return Ok(()) };
    let since = before.night;
    let mut kept = Kept { night: newest, config: *config, ..before };
    walk::read((store, &view), model, &standings, since, &mut kept)?;
    drop((view, standings));
    let replaced: Vec<String> = store.of_kind(KIND).map(|file| file.name.clone()).collect();
    let mut night = writer.newest()?;
    write(&kept, &mut night.create_shared(KIND)?)?;
    writer.commit(night, &replaced, |_| Ok(()))
}
