//! From names to numbers of the store's tables and back: families, system prompts, the log's own ids.

use super::view::View;
use crate::error::Result;
use crate::ids::{Digest, FamilyId, Level};
use crate::store::{Store, tables};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use std::collections::BTreeMap;

/// The leading prompt, or the system prompt, of a family by its name. A merged family's name leads to the one it joined.
pub(crate) fn key_of(store: &Store, view: &View, id: FamilyId) -> Result<Option<u32>> {
    if id.level == Level::NearDuplicate {
        let leader: Vec<u32> =
            store.catalog().all("SELECT leader FROM families WHERE id = ?1", [id.to_string()], |row| row.get(0))?;
        if let Some(&leader) = leader.first() {
            return Ok(Some(leader));
        }
    }
    let (kind, column) =
        if id.level == Level::System { ("systems-table", "digest") } else { ("prompts-table", "digest") };
    let mut number = 0;
    for file in store.of_kind(kind) {
        for batch in tables::read(&store.path(file), &[column], None)? {
            let batch = batch?;
            for digest in batch.column(0).as_binary::<i32>() {
                let digest = Digest(digest.and_then(|d| d.try_into().ok()).unwrap_or([0; 32]));
                if FamilyId::derive(&view.naming_key, id.level, &digest) == id {
                    return Ok(Some(number));
                }
                number += 1;
            }
        }
    }
    Ok(None)
}

/// Digest of each system prompt, by number.
pub(crate) fn system_digests(store: &Store) -> Result<Vec<Digest>> {
    let mut digests = Vec::new();
    for file in store.of_kind("systems-table") {
        for batch in tables::read(&store.path(file), &["digest"], None)? {
            let batch = batch?;
            let column = batch.column(0).as_binary::<i32>();
            digests.extend(column.iter().map(|d| Digest(d.and_then(|d| d.try_into().ok()).unwrap_or([0; 32]))));
        }
    }
    Ok(digests)
}

/// Texts of system prompts, by number.
pub(crate) fn system_texts(store: &Store, wanted: &[u32]) -> Result<BTreeMap<u32, String>> {
    let mut texts = BTreeMap::new();
    for (night, file) in store.nights().iter().zip(store.of_kind("systems-table")) {
        let mut rows: Vec<u32> = wanted
            .iter()
            .filter_map(|&system| system.checked_sub(night.first_system).filter(|&row| row < night.systems))
            .collect();
        rows.sort_unstable();
        rows.dedup();
        if rows.is_empty() {
            continue;
        }
        for batch in tables::read(&store.path(file), &["system", "text"], Some(&rows))? {
            let batch = batch?;
            let numbers = batch.column(0).as_primitive::<UInt32Type>();
            let column = batch.column(1).as_string::<i32>();
            texts.extend(
                numbers.values().iter().copied().zip(column.iter().map(|text| text.unwrap_or_default().to_owned())),
            );
        }
    }
    Ok(texts)
}

/// The log's own ids of exchanges, each given by (index of its night, row).
pub(crate) fn exchange_ids(store: &Store, wanted: &[(u16, u32)]) -> Result<Vec<String>> {
    let mut ids = vec![String::new(); wanted.len()];
    for (night, file) in store.of_kind("rows").enumerate() {
        let mut here: Vec<(u32, usize)> =
            wanted.iter().enumerate().filter(|(_, w)| usize::from(w.0) == night).map(|(i, w)| (w.1, i)).collect();
        here.sort_unstable();
        let mut rows: Vec<u32> = here.iter().map(|(row, _)| *row).collect();
        rows.dedup();
        if rows.is_empty() {
            continue;
        }
        let mut found = Vec::with_capacity(rows.len());
        for batch in tables::read(&store.path(file), &["exchange_id"], Some(&rows))? {
            found.extend(batch?.column(0).as_string::<i32>().iter().map(|id| id.unwrap_or_default().to_owned()));
        }
        for (row, i) in here {
            if let Ok(at) = rows.binary_search(&row) {
                ids[i] = found.get(at).cloned().unwrap_or_default();
            }
        }
    }
    Ok(ids)
}
