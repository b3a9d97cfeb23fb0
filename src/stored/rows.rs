//! What counting and describing read of a store: every exchange as a number or two, and single cells of its tables.

use super::known::SINGLE;
use super::view::{Row, View};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Field;
use crate::store::postings::Posting;
use crate::store::{Store, tables};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Facts of the store that counting needs.
pub(crate) struct Facts {
    pub(crate) rows: Vec<Row>,
    /// Whether a prompt's text is trivial.
    pub(crate) trivial: Vec<bool>,
    /// Whether it has a vector.
    pub(crate) vector: Vec<bool>,
    /// Whether any exchange has it; the others are forgotten.
    pub(crate) sent: Vec<bool>,
    /// Number of the family of a prompt; [`SINGLE`] where it has none.
    family: Vec<u32>,
    pub(crate) models: Vec<String>,
}

impl Facts {
    pub(crate) fn read(store: &Store, view: &View) -> Result<Self> {
        let n_prompts = view.n_prompts();
        let mut facts = Self {
            rows: Vec::new(),
            trivial: Vec::with_capacity(n_prompts),
            vector: Vec::with_capacity(n_prompts),
            sent: vec![false; n_prompts],
            family: view.families_from(0, n_prompts),
            models: store.catalog().all("SELECT name FROM models ORDER BY model", [], |row| row.get(0))?,
        };
        for (night, postings) in view.postings.iter().enumerate() {
            facts.rows.extend(postings.all().iter().map(|&posting| Row { posting, night: night as u16 }));
        }
        for file in store.of_kind("prompts-table") {
            for batch in tables::read(&store.path(file), &["trivial", "vector"], None)? {
                let batch = batch?;
                facts.trivial.extend(batch.column(0).as_boolean().iter().map(|x| x == Some(true)));
                facts.vector.extend(batch.column(1).as_boolean().iter().map(|x| x == Some(true)));
            }
        }
        let whole =
            facts.trivial.len() == n_prompts && facts.rows.iter().all(|row| (row.posting.prompt as usize) < n_prompts);
        if whole {
            facts.rows.iter().for_each(|row| facts.sent[row.posting.prompt as usize] = true);
            Ok(facts)
        } else {
            Err(Error::new(ErrorKind::Store, "its tables of prompts and exchanges do not agree")
                .hint("run: stillhunt store verify"))
        }
    }

    /// The near-duplicate family of a prompt, named by its leader; `None` for a text that resembles nothing.
    pub(crate) fn near(&self, view: &View, prompt: u32) -> Option<u32> {
        let fit = self.vector[prompt as usize] && !self.trivial[prompt as usize];
        // A damaged table may name a leader that does not exist.
        let leader =
            || Some(self.family(prompt)).filter(|&family| family != SINGLE).map(|f| view.families[f as usize].leader);
        fit.then(|| leader().filter(|&leader| (leader as usize) < self.family.len()).unwrap_or(prompt))
    }

    /// Number of the family of a prompt; [`SINGLE`] where it has none.
    pub(crate) fn family(&self, prompt: u32) -> u32 {
        self.family[prompt as usize]
    }

    /// Exchanges grouped by `key`, groups of two or more, each in order of time.
    pub(crate) fn groups(&self, key: impl Fn(&Posting) -> Option<u32>) -> Vec<(u32, Vec<Row>)> {
        let mut keyed: Vec<(u32, u32)> =
            self.rows.iter().enumerate().filter_map(|(i, row)| Some((key(&row.posting)?, i as u32))).collect();
        keyed.sort_unstable();
        keyed
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|group| group.len() > 1)
            .map(|group| {
                let mut rows: Vec<Row> = group.iter().map(|&(_, i)| self.rows[i as usize]).collect();
                rows.sort_by_key(|row| (row.posting.time, row.night, row.posting.row));
                (group[0].0, rows)
            })
            .collect()
    }
}

/// Exchanges by their system prompt: of those that hold one of these fragment families.
pub(crate) fn by_system(view: &View, heads: impl IntoIterator<Item = u32>) -> HashMap<u32, Vec<Row>> {
    let of_systems = heads.into_iter().filter(|&head| view.fragments[head as usize].field() == Field::System);
    let members = of_systems.flat_map(|head| view.parts(head)).flat_map(|part| view.members_by_file(part));
    let wanted: HashSet<u32> = members.flatten().map(|member| member.text).collect();
    let mut out: HashMap<u32, Vec<Row>> = HashMap::new();
    if !wanted.is_empty() {
        for (night, postings) in view.postings.iter().enumerate() {
            for &posting in postings.all().iter().filter(|posting| wanted.contains(&posting.system)) {
                out.entry(posting.system).or_default().push(Row { posting, night: night as u16 });
            }
        }
    }
    out
}

/// Texts of the wanted system prompts.
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
        for batch in store.rows(file, &["system", "text"], &rows)? {
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
        for batch in store.rows(file, &["exchange_id"], &rows)? {
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
