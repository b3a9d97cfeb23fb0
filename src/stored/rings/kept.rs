//! What a store keeps of rings, as three files: all that the next day needs, what was found, and what rings had on each night. Read, written, and written again without
//! what is forgotten.

use super::attributes::InCommon;
use super::days;
use super::neighbourhoods::Centres;
use super::nights::{self, Nights};
use super::pivot::Pivot;
use crate::error::{Error, ErrorKind, Result};
use crate::ring::placebo::{Judged, Past, Walks};
use crate::ring::streams::Streams;
use crate::ring::walk::DayRecord;
use crate::ring::{Ring, RingConfig};
use crate::store::files::check_magic;
use crate::store::rewrite::Rewrite;
use crate::store::{NewNight, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

const MAGIC: &[u8; 8] = b"SHRINGS7";
/// How files of older forms begin: all days are read again.
const OLDER: [&[u8; 8]; 11] = [
    b"SHRINGS1",
    b"SHRINGS2",
    b"SHRINGS3",
    b"SHRINGS4",
    b"SHRINGS5",
    b"SHRINGS6",
    b"SHRFOUN1",
    b"SHRFOUN2",
    b"SHRFOUN3",
    b"SHRFOUN4",
    b"SHRFOUN5",
];
/// Kind of the file.
const KIND: &str = "rings";

/// How the file of what was found begins, and its kind.
const FOUND_MAGIC: &[u8; 8] = b"SHRFOUN6";
const FOUND: &str = "rings-found";
/// Kinds of all files.
pub(super) const KINDS: [&str; 3] = [KIND, FOUND, nights::KIND];

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
    /// What the first group of a ring has in common, by the ring's name and the day that confirmed it.
    pub(super) compositions: BTreeMap<([u8; 32], i32), InCommon>,
    /// The day on which each model was first asked, by its number.
    pub(super) models: BTreeMap<u32, i32>,
    /// How the first group of a ring took a model up, by the ring's name and the model.
    pub(super) pivots: BTreeMap<([u8; 32], u32), Pivot>,
    /// Families that a known text explains: no evidence.
    pub(super) known: BTreeSet<u64>,
    /// What rings had on each night: a file of its own, since a store of an older program has none.
    #[serde(skip)]
    pub(super) nights: Nights,
}

/// What look-ups read: small where few rings were found, whatever the days hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Each with what its first group has in common.
    pub(crate) rings: Vec<(Ring, InCommon)>,
    /// Rings that are none any more.
    pub(crate) past: Vec<(Past, InCommon)>,
    pub(crate) days: Vec<DayRecord>,
    /// What the walks did whose choices are dealt anew.
    pub(crate) placebo: Judged,
    /// What the walk did in which accounts are late.
    pub(crate) late_walk: Judged,
    /// Accounts of a planted campaign, and how many of them are listed at a level of 1%.
    pub(crate) planted: (u64, u64),
    pub(crate) late: u64,
    pub(crate) config: RingConfig,
    /// Texts sent day after day that were tested and are no ring.
    pub(crate) persistent: Vec<(u64, Streams)>,
    /// Families of rings that are known texts by now.
    pub(crate) known: BTreeSet<u64>,
}

impl Found {
    pub(super) fn of(kept: &Kept) -> Self {
        let state = &kept.current.real;
        let planted = &kept.current.planted;
        let planted = (planted.accounts.len() as u64, planted.found(0.01) as u64);
        let tested = state.texts.under_test.iter().filter(|text| text.confirmed.is_none());
        let tested = tested.filter_map(|text| Some((text.family, *text.at_horizons.iter().flatten().last()?)));
        let Walks { rings, past, .. } = &kept.current;
        let listed = rings.iter().chain(past.iter().map(|past| &past.ring));
        let of_rings = listed.flat_map(|ring| ring.families.iter().map(|family| family.1));
        let in_common = |ring: &Ring| {
            let found = kept.compositions.get(&(ring.name, ring.confirmed)).cloned().unwrap_or_default();
            let own = kept.pivots.range((ring.name, 0)..=(ring.name, u32::MAX));
            InCommon { pivots: own.map(|(_, pivot)| *pivot).collect(), ..found }
        };
        Self {
            rings: rings.iter().map(|ring| (ring.clone(), in_common(ring))).collect(),
            past: past.iter().map(|past| (past.clone(), in_common(&past.ring))).collect(),
            days: state.days.clone(),
            placebo: kept.current.of_dealt(),
            late_walk: kept.current.of_late(),
            planted,
            late: kept.late,
            config: kept.config,
            persistent: tested.collect(),
            known: of_rings.filter(|family| kept.known.contains(family)).collect(),
        }
    }
}

/// What a store keeps of rings; nothing before the first night, or where an older program kept it.
/// # Errors
/// `Store` when it is damaged.
pub(crate) fn kept(store: &Store) -> Result<Option<Kept>> {
    let Some(kept) = read::<Kept>(store, KIND, MAGIC)? else { return Ok(None) };
    Ok(Some(Kept { nights: nights::nights(store)?, ..kept }))
}

/// The rings that were found; nothing before the first night, or where an older program kept them.
/// # Errors
/// `Store` when the file is damaged.
pub(crate) fn found(store: &Store) -> Result<Option<Found>> {
    read(store, FOUND, FOUND_MAGIC)
}

pub(super) fn read<T: DeserializeOwned>(store: &Store, kind: &str, magic: &[u8; 8]) -> Result<Option<T>> {
    let Some(file) = store.of_kind(kind).last() else { return Ok(None) };
    let damaged =
        |cause| Error::new(ErrorKind::Store, format!("{}: {cause}", file.name)).hint("run: stillhunt store verify");
    let open = |bytes: crate::store::Mapped| {
        if OLDER.iter().any(|older| bytes.as_ref().starts_with(*older)) {
            return Ok(None);
        }
        check_magic(bytes.as_ref(), magic, "rings")?;
        postcard::from_bytes(&bytes.as_ref()[magic.len()..]).map(Some).map_err(damaged)
    };
    store.read(file, open)
}

/// Writes all files into a commit.
/// # Errors
/// `Io` when they cannot be written.
pub(super) fn write(kept: &Kept, night: &mut NewNight) -> Result<()> {
    write_to(kept, MAGIC, &mut night.create_shared(KIND)?)?;
    write_to(&Found::of(kept), FOUND_MAGIC, &mut night.create_shared(FOUND)?)?;
    write_to(&kept.nights, nights::MAGIC, &mut night.create_shared(nights::KIND)?)
}

fn write_to<T: Serialize>(what: &T, magic: &[u8; 8], out: &mut dyn Write) -> Result<()> {
    let bytes = postcard::to_allocvec(what).map_err(|cause| Error::new(ErrorKind::Store, format!("rings: {cause}")))?;
    let written = out.write_all(magic).and_then(|()| out.write_all(&bytes)).and_then(|()| out.flush());
    written.map_err(|cause| super::super::fields::written(&cause))
}

/// Writes what is kept again without accounts, and without what exchanges before a moment said. What was concluded from them stays.
/// # Errors
/// `Store` when it is damaged; `Io`.
pub(crate) fn forget(store: &Store, gone: &BTreeSet<u32>, before: Option<i64>, rewrite: &mut Rewrite) -> Result<()> {
    let files = || store.files().iter().filter(|file| KINDS.contains(&file.kind.as_str()));
    let Some(mut kept) = kept(store)? else {
        // What an older program kept cannot be read, and is made again from all days.
        files().for_each(|file| rewrite.drop_file(file));
        return Ok(());
    };
    let through = before.map(|moment| days::day_of(moment - 1, kept.config.day_starts));
    // Centres are means of vectors, or single ones, of what is forgotten: they are trained again on the next day, and what was counted under
    // them goes.
    kept.centres = Centres::default();
    for walks in [&mut kept.closed, &mut kept.current] {
        walks.forget(&|account| gone.contains(&account), through);
        walks.drop_neighbourhoods();
    }
    for file in files() {
        match file.kind.as_str() {
            KIND => write_to(&kept, MAGIC, &mut rewrite.replace(file)?)?,
            // Numbers of days, which name nobody.
            nights::KIND => {}
            _ => write_to(&Found::of(&kept), FOUND_MAGIC, &mut rewrite.replace(file)?)?,
        }
    }
    Ok(())
}
