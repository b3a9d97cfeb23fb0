//! Compacting a store: key tables and index segments into one each, and a catalog without free pages.
//!
//! What nights do when a ninth table comes, done at once. The other files of a night are read by number and are as small together
//! as apart, so they stay. Guarantee: answers are the same before and after, as long as a segment is read whole
//! (`lookup`); a larger one asks the lists of its leaders, which are other ones.

use super::Progress;
use super::fields::written;
use super::view::segments;
use crate::error::Result;
use crate::index::{Built, Segment, Vectors};
use crate::store::keys::{self, KeyTable, Record};
use crate::store::rewrite::Purpose;
use crate::store::{Named, Store, Writer};
use serde::Serialize;
use std::io::Write as _;
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
pub fn compact(dir: &Path, holder: &str, progress: &dyn Progress) -> Result<Compacted> {
    let mut out = Compacted { schema: 1, ..Compacted::default() };
    Store::open(dir)?;
    let before = crate::store::files::bytes_below(dir);
    let (mut writer, _) = Writer::open(dir, holder, &[])?;
    let files = writer.store.files().len() as u64;
    let mut rewrite = writer.rewrite()?;
    progress.stage("merge", None);
    let merged = (|| {
        for kind in ["ids", "prompts", "systems", "turns", "whole", "windows"] {
            let files: Vec<Named> = writer.store.of_kind(kind).cloned().collect();
            let Some((newest, older)) = files.split_last().filter(|(_, older)| !older.is_empty()) else { continue };
            let bytes = match kind {
                "whole" | "windows" => merged_segments(&writer.store, kind)?,
                _ => merged_keys(&writer.store, &files)?,
            };
            let mut file = rewrite.replace(newest)?;
            file.write_all(&bytes).and_then(|()| file.flush()).map_err(|cause| written(&cause))?;
            older.iter().for_each(|file| rewrite.drop_file(file));
        }
        Ok(())
    })();
    if let Err(error) = merged {
        rewrite.abandon();
        return Err(error);
    }
    progress.stage("commit", None);
    writer.commit_rewrite(rewrite, Purpose::Compact, |_| Ok(()))?;
    progress.stage("remove", None);
    if !writer.finish()?.1 {
        out.notes.push("a reader still holds the commit before, and with it the catalog's log".into());
    }
    out.bytes = [before, crate::store::files::bytes_below(dir)];
    out.files = [files, writer.store.files().len() as u64];
    Ok(out)
}

fn merged_keys(store: &Store, files: &[Named]) -> Result<Vec<u8>> {
    let mut records: Vec<Record> = Vec::new();
    for file in files {
        records.extend(KeyTable::open(store.map(file)?)?.records());
    }
    Ok(keys::to_bytes(records))
}

fn merged_segments(store: &Store, kind: &str) -> Result<Vec<u8>> {
    let (vectors, ids, flags) = all_vectors(&segments(store, kind)?);
    Ok(Built::new(&vectors, super::seed(store)?).to_bytes(&vectors, &ids, &flags))
}

/// Entries of segments, one behind the other: vectors, ids, activity. Without a segment there is nothing to tell the dimensions.
pub(super) fn all_vectors<'a, B: AsRef<[u8]> + 'a>(
    segments: impl IntoIterator<Item = &'a Segment<B>>,
) -> (Vectors, Vec<u32>, Vec<bool>) {
    let mut segments = segments.into_iter().map(Segment::to_vectors);
    let mut out = segments.next().unwrap_or_else(|| (Vectors::new(1), Vec::new(), Vec::new()));
    for (vectors, ids, flags) in segments {
        out.0.append(&vectors);
        out.1.extend(ids);
        out.2.extend(flags);
    }
    out
}
