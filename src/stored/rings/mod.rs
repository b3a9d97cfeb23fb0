//! Rings, kept from day to day beside what they are made of.
//!
//! A night's commit is followed by one that walks through the days of its exchanges' own time: uses, activity and neighbourhoods of a day
//! are read from the store, [`crate::ring`] does the rest. The newest day may go on in the next log, so the state before it is kept too and
//! that day is read again with all that has come by then; exchanges of days before it are late: counted, and used for nothing.
//! Weakness: a day counts as over when a later one begins. Guarantee: the same exchanges give the same rings in one commit or in many, as far
//! as their families are the same.

mod days;
mod neighbourhoods;
mod traffic;

use super::standing::Standings;
use super::view::View;
use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::ring::RingConfig;
use crate::ring::placebo::Walks;
use crate::store::files::check_magic;
use crate::store::rewrite::Rewrite;
use crate::store::{Store, Writer};
use neighbourhoods::Centres;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Write;

const MAGIC: &[u8; 8] = b"SHRINGS1";
/// Kind of the file.
pub(crate) const KIND: &str = "rings";

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The night through which exchanges were read.
    night: u32,
    /// The state before the newest day.
    closed: Walks,
    /// The state with it.
    pub(crate) current: Walks,
    centres: Centres,
    /// Exchanges that came after their day was over.
    pub(crate) late: u64,
    /// How groups were chosen.
    pub(crate) config: RingConfig,
}

/// What a store keeps of rings; nothing before the first night.
/// # Errors
/// `Store` when it is damaged.
pub(crate) fn kept(store: &Store) -> Result<Option<Kept>> {
    let Some(file) = store.of_kind(KIND).last() else { return Ok(None) };
    let damaged =
        |cause| Error::new(ErrorKind::Store, format!("{}: {cause}", file.name)).hint("run: stillhunt store verify");
    let open = |bytes: crate::store::Mapped| {
        check_magic(bytes.as_ref(), MAGIC, "rings")?;
        postcard::from_bytes(&bytes.as_ref()[MAGIC.len()..]).map_err(damaged)
    };
    store.read(file, open).map(Some)
}

/// Reads the days of the nights that were added since, in a commit of its own.
/// # Errors
/// `Store` when the store is damaged; `Io`. The store is then as it was.
pub(crate) fn keep(writer: &mut Writer, model: &Model, config: &RingConfig) -> Result<()> {
    let store = &writer.store;
    let Some(newest) = store.nights().last().map(|night| night.night) else { return Ok(()) };
    let before = kept(store)?.filter(|kept| kept.config == *config).unwrap_or_default();
    if before.night >= newest {
        return Ok(());
    }
    let view = View::open(store)?;
    let Some(standings) = Standings::open_kept(store)? else { return Ok(()) };
    let since = before.night;
    let mut kept = Kept { night: newest, config: *config, ..before };
    days::read((store, &view), model, &standings, since, &mut kept)?;
    drop((view, standings));
    let replaced: Vec<String> = store.of_kind(KIND).map(|file| file.name.clone()).collect();
    let mut night = writer.newest()?;
    write(&kept, &mut night.create(KIND, &format!("rings-{newest}.bin"))?)?;
    writer.commit(night, &replaced, |_| Ok(()))
}

fn write(kept: &Kept, out: &mut dyn Write) -> Result<()> {
    let bytes = postcard::to_allocvec(kept).map_err(|cause| Error::new(ErrorKind::Store, format!("rings: {cause}")))?;
    let written = out.write_all(MAGIC).and_then(|()| out.write_all(&bytes)).and_then(|()| out.flush());
    written.map_err(|cause| super::fields::written(&cause))
}

/// Writes what is kept again without accounts, and without what exchanges before a moment said. What was concluded from them stays.
/// # Errors
/// `Store` when it is damaged; `Io`.
pub(crate) fn forget(store: &Store, gone: &BTreeSet<u32>, before: Option<i64>, rewrite: &mut Rewrite) -> Result<()> {
    let (Some(mut kept), Some(file)) = (kept(store)?, store.of_kind(KIND).last()) else { return Ok(()) };
    let through = before.map(|moment| days::day_of(moment - 1, kept.config.day_starts));
    for walks in [&mut kept.closed, &mut kept.current] {
        walks.forget(&|account| gone.contains(&account), through);
    }
    write(&kept, &mut rewrite.replace(file)?)
}
