//! Bringing a store of an older format to today's, without a night.
//!
//! A store of format 2 is read as it is, and its next night is of today's format; but its tables of fragments are read whole by whoever opens
//! it, and its families are read from the catalog and counted until a night has been added. Three commits end that: sorted tables in the
//! place of the tables of fragments, tables of families (which a store of format 3 may lack, too), then the standings. Memory: 64 MiB of
//! members and as much of holders, which are sorted through files without a name, 24 bytes for each member of a near-duplicate family, and
//! what counting the standings takes. Guarantee: a run that is stopped leaves the store as
//! it was before the commit it was at, and the next one does the rest.

use crate::error::{Error, ErrorKind, Result};
use crate::store::custody::By;
use crate::store::members::{Holder, Member, each_of_table};
use crate::store::spill::Gather;
use crate::store::{FORMAT, Named, Store, Writer, sorted};
use crate::stored::fields::written;
use crate::stored::{Progress, standing};
use serde::Serialize;
use std::path::Path;

/// Bytes of members, and of holders, that are sorted in memory.
const HELD: usize = 64 << 20;

/// What an upgrade did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Upgraded {
    /// Version of this form.
    pub schema: u32,
    /// The store's format before and after.
    pub formats: [u32; 2],
    /// Named files before and after.
    pub files: [u64; 2],
}

/// Brings the store at `dir` to today's format.
/// # Errors
/// `Store` when another writer holds it, it has no night, or it is damaged; `Io`.
pub fn upgrade<'a>(dir: &Path, by: impl Into<By<'a>>, progress: &dyn Progress) -> Result<Upgraded> {
    Store::open(dir)?;
    let by = by.into();
    let (mut writer, _) = Writer::open(dir, by.name, &[])?;
    writer.witness(by.act);
    let format = |store: &Store| -> Result<u32> {
        Ok(store.catalog().meta("format")?.and_then(|format| format.parse().ok()).unwrap_or_default())
    };
    let (before, files) = (format(&writer.store)?, writer.store.files().len() as u64);
    if writer.store.nights().is_empty() {
        return Err(Error::new(ErrorKind::Store, "expected a night, found none").hint("audit a log into it"));
    }
    let tables: Vec<Named> = writer.store.of_kind("fragments").cloned().collect();
    if before < FORMAT || !tables.is_empty() {
        progress.stage("convert", None);
        let mut night = writer.newest()?;
        if let Some(newest) = tables.iter().map(|table| table.night).max() {
            let (mut members, mut holders) =
                (Gather::<Member>::new(HELD, &night.path("")), Gather::<Holder>::new(HELD, &night.path("")));
            for table in &tables {
                each_of_table(&writer.store.path(table), &mut |member| {
                    members.add(&[member])?;
                    holders.add(&[Holder::of(&member)])
                })?;
            }
            let (members, holders) = (members.finish()?, holders.finish()?);
            let mut out = night.create_merged("members", newest)?;
            sorted::write_in_order(members.records(), &mut out).map_err(|e| written(&e))?;
            let mut out = night.create_merged("holders", newest)?;
            sorted::write_in_order(holders.records(), &mut out).map_err(|e| written(&e))?;
        }
        let replaced: Vec<String> = tables.into_iter().map(|table| table.name).collect();
        writer.commit(night, &replaced, |_| Ok(()))?;
    }
    progress.stage("standings", None);
    standing::keep(&mut writer)?;
    Ok(Upgraded {
        schema: 1,
        formats: [before, format(&writer.store)?],
        files: [files, writer.store.files().len() as u64],
    })
}
