//! What a night adds to the totals of a report, counted once and kept in the catalog.

use super::view::{View, count_lengths};
use crate::error::{Error, ErrorKind, Result};
use crate::family::length::Lengths;
use crate::report::Removed;
use crate::store::{Store, tables};
use arrow_array::Array as _;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use serde::{Deserialize, Serialize};

/// What one night adds. Prompts are those that came in it first and that are not forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Distinct accounts with an exchange of the night.
    pub(crate) accounts: u64,
    /// Distinct prompts.
    pub(crate) prompts: u64,
    /// Those of trivial text.
    pub(crate) trivial: u64,
    /// Those without a vector.
    pub(crate) without_vector: u64,
    /// Those of several windows.
    pub(crate) long_prompts: u64,
    pub(crate) windows: u64,
    /// Distinct prompts of each length class, forgotten ones as empty.
    pub(crate) lengths: Lengths,
    /// What folding took out of the prompts of its exchanges.
    pub(crate) removed: Removed,
}

/// Under which name the catalog has them, in its table `meta`.
pub(super) fn name(night: u32) -> String {
    format!("totals-{night:06}")
}

/// The totals of every night, oldest first: as recorded, or counted where they are not.
pub(crate) fn of_nights(store: &Store, view: &View) -> Result<Vec<Totals>> {
    let recorded = |(i, night): (usize, &crate::store::Night)| -> Result<Totals> {
        match store.catalog().meta(&name(night.night))? {
            Some(json) => serde_json::from_str(&json).map_err(|cause| {
                Error::new(ErrorKind::Store, format!("catalog.sqlite, table meta, {}: {cause}", name(night.night)))
            }),
            None => of_night(store, view, i),
        }
    };
    store.nights().iter().enumerate().map(recorded).collect()
}

/// Counts a night, given by its place.
pub(super) fn of_night(store: &Store, view: &View, night: usize) -> Result<Totals> {
    let mut out = Totals { removed: removed(store, night)?, ..Totals::default() };
    let mut accounts: Vec<u32> = view.postings[night].all().iter().map(|posting| posting.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    out.accounts = accounts.len() as u64;
    if let Some(texts) = view.texts_of_night(night) {
        count_lengths(texts, &mut out.lengths);
    }
    let columns = ["digest", "trivial", "vector", "windows"];
    if let Some(file) = store.of_kind("prompts-table").nth(night) {
        for batch in tables::read(&store.path(file), &columns, None)? {
            let batch = batch?;
            let (digests, trivial) = (batch.column(0).as_binary::<i32>(), batch.column(1).as_boolean());
            let (vector, windows) = (batch.column(2).as_boolean(), batch.column(3).as_primitive::<UInt32Type>());
            for row in (0..batch.num_rows()).filter(|&row| !digests.is_null(row) && !digests.value(row).is_empty()) {
                out.prompts += 1;
                out.trivial += u64::from(trivial.value(row));
                out.without_vector += u64::from(!vector.value(row));
                out.windows += u64::from(windows.value(row));
                out.long_prompts += u64::from(windows.value(row) > 0);
            }
        }
    }
    Ok(out)
}

/// Whether each of a night's new prompts is trivial text.
pub(super) fn trivial_prompts(store: &Store, night: usize) -> Result<Vec<bool>> {
    let mut out = Vec::new();
    if let Some(file) = store.of_kind("prompts-table").nth(night) {
        for batch in tables::read(&store.path(file), &["trivial"], None)? {
            out.extend(batch?.column(0).as_boolean().iter().map(|trivial| trivial == Some(true)));
        }
    }
    Ok(out)
}

/// What folding took away from the prompts of a night's exchanges.
fn removed(store: &Store, night: usize) -> Result<Removed> {
    let mut removed = Removed::default();
    let columns = [
        "removed_invisible",
        "removed_bidi",
        "removed_tags",
        "removed_lookalikes",
        "removed_compatibility",
        "base64_texts",
    ];
    if let Some(file) = store.of_kind("rows").nth(night) {
        for batch in tables::read(&store.path(file), &columns, None)? {
            let batch = batch?;
            let column = |i: usize| batch.column(i).as_primitive::<UInt32Type>().values().as_ref();
            let sum = |i: usize| column(i).iter().map(|&x| u64::from(x)).sum::<u64>();
            removed.invisible += sum(0);
            removed.bidi += sum(1);
            removed.tags += sum(2);
            removed.lookalikes += sum(3);
            removed.compatibility += sum(4);
            let any = |row: usize| (0..5).any(|i| column(i)[row] > 0);
            removed.prompts_with_any += (0..batch.num_rows()).filter(|&row| any(row)).count() as u64;
            removed.base64_prompts += column(5).iter().filter(|&&x| x > 0).count() as u64;
        }
    }
    Ok(removed)
}

/// The sum of what nights add.
pub(crate) fn sum(nights: &[Totals]) -> Totals {
    let mut out = Totals::default();
    for night in nights {
        let Removed { invisible, bidi, tags, lookalikes, compatibility, prompts_with_any, base64_prompts } =
            night.removed;
        out.accounts += night.accounts;
        out.prompts += night.prompts;
        out.trivial += night.trivial;
        out.without_vector += night.without_vector;
        out.long_prompts += night.long_prompts;
        out.windows += night.windows;
        out.lengths.iter_mut().zip(&night.lengths).for_each(|(sum, n)| *sum += n);
        out.removed.invisible += invisible;
        out.removed.bidi += bidi;
        out.removed.tags += tags;
        out.removed.lookalikes += lookalikes;
        out.removed.compatibility += compatibility;
        out.removed.prompts_with_any += prompts_with_any;
        out.removed.base64_prompts += base64_prompts;
    }
    out
}
