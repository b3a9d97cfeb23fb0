//! Compacting a store: key tables and index segments into one each, and a catalog without free pages.
//!
//! What nights do tier by tier, done at once. The other files of a night are read by number and are as small together
//! as apart, so they stay. Guarantee: answers are the same before and after, as long as a segment is read whole
//! (`lookup`); a larger one asks the lists of its leaders, which are other ones.

use crate::error::Result;
use crate::index::{self, Segment};
use crate::store::custody::By;
use crate::store::keys::{self, KeyTable};
use crate::store::rewrite::Purpose;
use crate::store::{Named, Store, Writer};
use crate::stored::Progress;
use crate::stored::fields::written;
use crate::stored::view::segments;
use serde::Serialize;
use std::path::Path;

/// What compacting did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Compacted {
    /// Version of this form.
    pub schema: u32,
    /// Bytes of the store's directory before and after.
    pub bytes: [u64; 2],
    /// Named files before and after.
    pub files: [u64; 2],
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Merges key tables and index segments of the store at `dir`, rewrites its catalog, removes what no commit names.
/// # Errors
/// `Store` when another writer holds it, or it is damaged; `Io`. The store is then as it was.
pub fn compact<'a>(dir: &Path, by: impl Into<By<'a>>, progress: &dyn Progress) -> Result<Compacted> {
    let mut out = Compacted { schema: 1, ..Compacted::default() };
    Store::open(dir)?;
    let before = crate::store::files::bytes_below(dir);
    let by = by.into();
    let (mut writer, _) = Writer::open(dir, by.name, &[])?;
    let files = writer.store.files().len() as u64;
    let mut rewrite = writer.rewrite()?;
    progress.stage("merge", None);
    for kind in ["ids", "prompts", "systems", "turns", "whole", "windows"] {
        let files: Vec<Named> = writer.store.of_kind(kind).cloned().collect();
        let Some((newest, older)) = files.split_last().filter(|(_, older)| !older.is_empty()) else { continue };
        let mut out = rewrite.replace(newest)?;
        let merged = match kind {
            "whole" | "windows" => {
                let segments = segments(&writer.store, kind)?;
                let parts: Vec<_> = segments.iter().map(Segment::part).collect();
                index::merge(&parts, crate::stored::seed(&writer.store)?, &mut out)
            }
            _ => {
                let open = |file| KeyTable::open(writer.store.map(file)?);
                let tables: Vec<_> = files.iter().map(open).collect::<Result<_>>()?;
                keys::merge(&tables, &mut out)
            }
        };
        merged.map_err(|cause| written(&cause))?;
        older.iter().for_each(|file| rewrite.drop_file(file));
    }
    progress.stage("commit", None);
    writer.witness(by.act);
    writer.commit_rewrite(rewrite, Purpose::Compact, |_| Ok(()))?;
    progress.stage("remove", None);
    if !writer.finish()?.1 {
        out.notes.push("a reader still holds the commit before, and with it the catalog's log".into());
    }
    out.bytes = [before, crate::store::files::bytes_below(dir)];
    out.files = [files, writer.store.files().len() as u64];
    Ok(out)
}
