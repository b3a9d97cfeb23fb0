//! What a store keeps of rings, as one file: read, written, and written again without what is forgotten.

use super::days;
use super::neighbourhoods::Centres;
use crate::error::{Error, ErrorKind, Result};
use crate::ring::RingConfig;
use crate::ring::placebo::Walks;
use crate::store::Store;
use crate::store::files::check_magic;
use crate::store::rewrite::Rewrite;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Write;

const MAGIC: &[u8; 8] = b"SHRINGS2";
/// How files of older forms begin: all days are read again.
const OLDER: &[u8; 8] = b"SHRINGS1";
/// Kind of the file.
pub(super) const KIND: &str = "rings";

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The night through which exchanges were read.
    pub(super) night: u32,
    /// The state before the newest day.
    pub(super) closed: Walks,
    /// The state with it.
    pub(crate) current: Walks,
    pub(super) centres: Centres,
    /// Exchanges that came after their day was over, or on a day that has hardly any.
    pub(crate) late: u64,
    /// How groups were chosen.
    pub(crate) config: RingConfig,
}

/// What a store keeps of rings; nothing before the first night, or where an older program kept it.
/// # Errors
/// `Store` when it is damaged.
pub(crate) fn kept(store: &Store) -> Result<Option<Kept>> {
    let Some(file) = store.of_kind(KIND).last() else { return Ok(None) };
    let damaged =
        |cause| Error::new(ErrorKind::Store, format!("{}: {cause}", file.name)).hint("run: stillhunt store verify");
    let open = |bytes: crate::store::Mapped| {
        if bytes.as_ref().starts_with(OLDER) {
            return Ok(None);
        }
        check_magic(bytes.as_ref(), MAGIC, "rings")?;
        postcard::from_bytes(&bytes.as_ref()[MAGIC.len()..]).map(Some).map_err(damaged)
    };
    store.read(file, open)
}

pub(super) fn write(kept: &Kept, out: &mut dyn Write) -> Result<()> {
    let bytes = postcard::to_allocvec(kept).map_err(|cause| Error::new(ErrorKind::Store, format!("rings: {cause}")))?;
    let written = out.write_all(MAGIC).and_then(|()| out.write_all(&bytes)).and_then(|()| out.flush());
    written.map_err(|cause| super::super::fields::written(&cause))
}

/// Writes what is kept again without accounts, and without what exchanges before a moment said. What was concluded from them stays.
/// # Errors
/// `Store` when it is damaged; `Io`.
pub(crate) fn forget(store: &Store, gone: &BTreeSet<u32>, before: Option<i64>, rewrite: &mut Rewrite) -> Result<()> {
    let (Some(mut kept), Some(file)) = (kept(store)?, store.of_kind(KIND).last()) else { return Ok(()) };
    let through = before.map(|moment| days::day_of(moment - 1, kept.config.day_starts));
    // Centres are means of vectors, or single ones, of what is forgotten: they are trained again on the next day, and what was counted under
    // them goes.
    kept.centres = Centres::default();
    for walks in [&mut kept.closed, &mut kept.current] {
        walks.forget(&|account| gone.contains(&account), through);
        walks.drop_neighbourhoods();
    }
    write(&kept, &mut rewrite.replace(file)?)
}
