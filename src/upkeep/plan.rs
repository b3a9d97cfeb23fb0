//! All that a forget takes with its exchanges: what only they held, and what is told otherwise without them.

use super::doomed::Doomed;
use super::forget_families::{Families, Fragments};
use crate::error::Result;
use crate::ids::Field;
use crate::store::postings::{NONE, Posting};
use crate::store::{Store, tables};
use crate::stored::rows::Facts;
use crate::stored::view::View;
use arrow_array::Array as _;
use arrow_array::cast::AsArray;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// All that goes.
pub(super) struct Plan {
    /// Forgotten rows of each night, in order.
    pub(super) rows: Vec<Vec<u32>>,
    /// By [`Field`]: whether nobody else sent a text.
    pub(super) gone: [Vec<bool>; 3],
    /// Prompts and system prompts that stay, in the form that the first exchange which is left has.
    pub(super) raw: [BTreeMap<u32, String>; 2],
    /// Keys of earlier turns that no exchange has any longer.
    pub(super) turn_keys: HashSet<u128>,
    /// Postings of earlier turns that each night takes over from forgotten exchanges.
    pub(super) moved: Vec<Vec<Posting>>,
    /// Accounts without an exchange.
    pub(super) accounts: Vec<u32>,
    /// The pseudonym, where an account is forgotten, and the nights where others name it as their end user.
    pub(super) pseudonym: Option<String>,
    pub(super) named_in: Vec<bool>,
    pub(super) families: Families,
    pub(super) fragments: Fragments,
    /// Served models that only forgotten exchanges asked.
    models: Vec<u32>,
    /// Number, exchanges, first and last moment of the nights that lost some.
    nights: Vec<(u32, u64, i64, i64)>,
}

impl Plan {
    pub(super) fn new(store: &Store, view: &View, facts: &Facts, doomed: Doomed) -> Result<Self> {
        let n = n_texts(store);
        let mut gone = [vec![false; n[0]], vec![false; n[1]], vec![false; n[2]]];
        // Exchanges that are left of each prompt, system prompt, account, model.
        let last = store.nights().last();
        let n_accounts = last.map_or(0, |night| night.first_account + night.accounts) as usize;
        let mut left = [vec![0u32; n[0]], vec![0u32; n[1]], vec![0u32; n_accounts], vec![0u32; facts.models.len()]];
        let mut touched = left.clone();
        let mut rows = vec![Vec::new(); store.nights().len()];
        for row in &facts.rows {
            let posting = &row.posting;
            let counts = if doomed.takes(posting) {
                rows[usize::from(row.night)].push(posting.row);
                &mut touched
            } else {
                &mut left
            };
            let numbers = [posting.prompt, posting.system, posting.account, posting.model];
            for (counts, number) in counts.iter_mut().zip(numbers) {
                if let Some(count) = counts.get_mut(number as usize) {
                    *count += 1;
                }
            }
        }
        rows.iter_mut().for_each(|rows| rows.sort_unstable());
        let without = |which: usize| (0u32..).zip(touched[which].iter().zip(&left[which]));
        let emptied = |which: usize| without(which).filter(|(_, (lost, left))| **lost > 0 && **left == 0);
        for field in [Field::Prompt, Field::System] {
            emptied(field as usize).for_each(|(number, _)| gone[field as usize][number as usize] = true);
        }
        let mut accounts: Vec<u32> = emptied(2).map(|(account, _)| account).collect();
        let mut pseudonym = None;
        if let Doomed::Account(account) = doomed {
            let query = "SELECT id FROM accounts WHERE account = ?1";
            pseudonym = store.catalog().all(query, [account], |row| row.get(0))?.pop();
            if accounts.is_empty() {
                accounts.push(account);
            }
        }
        let models = emptied(3).map(|(model, _)| model).collect();
        let shared = [0, 1].map(|field| {
            without(field).filter(|(_, (lost, left))| **lost > 0 && **left > 0).map(|(number, _)| number).collect()
        });
        let named_in = named_in(store, pseudonym.as_deref())?;
        let turns = Turns::new(store, view, doomed, &rows)?;
        turns.gone.iter().for_each(|&turn| gone[Field::Turn as usize][turn as usize] = true);
        let families = Families::new(view, &left[0], &gone[0]);
        let fragments = Fragments::new(store, view, doomed, &gone, &turns.takers)?;
        let nights = nights(store, view, doomed, &rows);
        let raw = raw(store, view, doomed, &shared)?;
        Ok(Self {
            gone,
            raw,
            turn_keys: turns.keys,
            moved: turns.moved,
            accounts,
            pseudonym,
            named_in,
            families,
            fragments,
            models,
            nights,
            rows,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.rows.iter().all(Vec::is_empty)
    }

    /// What the catalog says afterwards.
    pub(super) fn record(&self, db: &rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
        for (night, exchanges, first, last) in &self.nights {
            let row = (*exchanges as i64, first, last, night);
            db.execute("UPDATE nights SET exchanges = ?1, first_seen = ?2, last_seen = ?3 WHERE night = ?4", row)?;
        }
        for account in &self.accounts {
            let row = (format!("forgotten-{account}"), account);
            db.execute("UPDATE accounts SET id = ?1 WHERE account = ?2", row)?;
        }
        for model in &self.models {
            db.execute("UPDATE models SET name = ?1 WHERE model = ?2", (format!("forgotten-{model}"), model))?;
        }
        self.families.record(db)?;
        self.fragments.record(db)
    }
}

/// Numbers of texts that a store has given, by [`Field`].
pub(super) fn n_texts(store: &Store) -> [usize; 3] {
    store.nights().last().map_or([0; 3], |n| {
        [n.first_prompt + n.prompts, n.first_system + n.systems, n.first_turn + n.turns].map(|n| n as usize)
    })
}

/// Nights in which an exchange names the pseudonym as its end user.
fn named_in(store: &Store, pseudonym: Option<&str>) -> Result<Vec<bool>> {
    let mut out = vec![false; store.nights().len()];
    let Some(pseudonym) = pseudonym else { return Ok(out) };
    for (found, file) in out.iter_mut().zip(store.of_kind("rows")) {
        for batch in tables::read(&store.path(file), &["end_user"], None)? {
            *found |= batch?.column(0).as_string::<i32>().iter().any(|end_user| end_user == Some(pseudonym));
        }
    }
    Ok(out)
}

fn nights(store: &Store, view: &View, doomed: Doomed, rows: &[Vec<u32>]) -> Vec<(u32, u64, i64, i64)> {
    let of = |(i, night): (usize, &crate::store::Night)| {
        let left = view.postings[i].all().iter().filter(|posting| !doomed.takes(posting));
        let (mut n, mut first, mut last) = (0, i64::MAX, i64::MIN);
        left.for_each(|posting| (n, first, last) = (n + 1, first.min(posting.time), last.max(posting.time)));
        (night.night, n, first, last)
    };
    store.nights().iter().enumerate().filter(|(i, _)| !rows[*i].is_empty()).map(of).collect()
}

/// The form that the first exchange which is left has, of the shared prompts and system prompts whose stored form is another.
fn raw(store: &Store, view: &View, doomed: Doomed, shared: &[Vec<u32>; 2]) -> Result<[BTreeMap<u32, String>; 2]> {
    let mut firsts: [Vec<Vec<(u32, u32)>>; 2] = [0, 1].map(|_| vec![Vec::new(); store.nights().len()]);
    let wanted: HashSet<u32> = shared[1].iter().copied().collect();
    let mut seen: HashSet<u32> = HashSet::new();
    let mut prompts: HashSet<u32> = HashSet::new();
    for (night, postings) in view.postings.iter().enumerate() {
        for &prompt in shared[0].iter().filter(|prompt| !prompts.contains(prompt)) {
            if let Some(posting) = postings.of(prompt).iter().find(|posting| !doomed.takes(posting)) {
                firsts[0][night].push((posting.row, prompt));
            }
        }
        prompts.extend(firsts[0][night].iter().map(|(_, prompt)| prompt));
        if wanted.is_empty() {
            continue;
        }
        let mut systems: BTreeMap<u32, u32> = BTreeMap::new();
        for posting in postings.all().iter().filter(|p| !doomed.takes(p) && wanted.contains(&p.system)) {
            let row = systems.entry(posting.system).or_insert(posting.row);
            *row = posting.row.min(*row);
        }
        let new = systems.into_iter().filter(|(system, _)| seen.insert(*system));
        firsts[1][night].extend(new.map(|(system, row)| (row, system)));
    }
    let mut out = [BTreeMap::new(), BTreeMap::new()];
    for (field, column) in [(Field::Prompt, "prompt_text"), (Field::System, "system_text")] {
        for (firsts, file) in firsts[field as usize].iter_mut().zip(store.of_kind("rows")) {
            firsts.sort_unstable();
            let chosen: Vec<u32> = firsts.iter().map(|(row, _)| *row).collect();
            if chosen.is_empty() {
                continue;
            }
            let mut at = 0;
            for batch in tables::read(&store.path(file), &[column], Some(&chosen))? {
                for text in batch?.column(0).as_string::<i32>() {
                    let number = firsts[at].1;
                    at += 1;
                    if let Some(text) = text.filter(|text| *text != view.field_text(field, number).0) {
                        out[field as usize].insert(number, text.to_owned());
                    }
                }
            }
        }
    }
    Ok(out)
}

/// What becomes of the earlier turns of forgotten exchanges.
struct Turns {
    keys: HashSet<u128>,
    /// Numbers of those that go.
    gone: Vec<u32>,
    moved: Vec<Vec<Posting>>,
    /// Account that a turn which stays is counted for from now on.
    takers: HashMap<u32, u32>,
}

impl Turns {
    pub(super) fn new(store: &Store, view: &View, doomed: Doomed, rows: &[Vec<u32>]) -> Result<Self> {
        let moved = vec![Vec::new(); rows.len()];
        let mut out = Self { keys: HashSet::new(), gone: Vec::new(), moved, takers: HashMap::new() };
        for (rows, file) in rows.iter().zip(store.of_kind("rows")).filter(|(rows, _)| !rows.is_empty()) {
            each_turn(&store.path(file), Some(rows), &mut |_, key| {
                out.keys.insert(key);
            })?;
        }
        if out.keys.is_empty() {
            return Ok(out);
        }
        // The first exchange that is left and has the turn.
        let mut holders: HashMap<u128, (usize, u32)> = HashMap::new();
        for (night, (rows, file)) in rows.iter().zip(store.of_kind("rows")).enumerate() {
            each_turn(&store.path(file), None, &mut |row, key| {
                if out.keys.contains(&key) && rows.binary_search(&row).is_err() {
                    holders.entry(key).or_insert((night, row));
                }
            })?;
        }
        let mut wanted: Vec<BTreeMap<u32, Vec<u32>>> = vec![BTreeMap::new(); rows.len()];
        for (night, file) in store.nights().iter().zip(store.of_kind("turns-table")) {
            let mut number = night.first_turn;
            for batch in tables::read(&store.path(file), &["digest", "role"], None)? {
                let batch = batch?;
                let (keys, roles) = (batch.column(0).as_binary::<i32>(), batch.column(1).as_string::<i32>());
                for (key, role) in keys.iter().zip(roles) {
                    let key = key.and_then(|key| key.try_into().ok()).map(u128::from_be_bytes);
                    if let Some(key) = key.filter(|key| role == Some("user") && out.keys.contains(key)) {
                        match holders.get(&key) {
                            None => out.gone.push(number),
                            Some(&(night, row)) => wanted[night].entry(row).or_default().push(number),
                        }
                    }
                    number += u32::from(role == Some("user"));
                }
            }
        }
        out.keys.retain(|key| !holders.contains_key(key));
        let orphaned: HashSet<u32> = view
            .postings(Field::Turn)
            .iter()
            .flat_map(|postings| postings.all())
            .filter(|posting| doomed.takes(posting))
            .map(|posting| posting.prompt)
            .collect();
        for (night, wanted) in wanted.into_iter().enumerate().filter(|(_, wanted)| !wanted.is_empty()) {
            for posting in view.postings[night].all() {
                for &turn in wanted.get(&posting.row).into_iter().flatten().filter(|turn| orphaned.contains(turn)) {
                    out.takers.insert(turn, posting.account);
                    out.moved[night].push(Posting { prompt: turn, system: NONE, model: NONE, ..*posting });
                }
            }
        }
        Ok(out)
    }
}

/// Calls `take(row, key)` with every earlier turn of the table's rows.
fn each_turn(path: &Path, rows: Option<&[u32]>, take: &mut dyn FnMut(u32, u128)) -> Result<()> {
    let mut at = 0u32;
    for batch in tables::read(path, &["turns"], rows)? {
        let batch = batch?;
        let column = batch.column(0).as_binary::<i32>();
        for i in 0..column.len() {
            let row = rows.map_or(at, |rows| rows[at as usize]);
            for key in column.value(i).chunks_exact(16) {
                take(row, u128::from_be_bytes(key.try_into().unwrap_or_default()));
            }
            at += 1;
        }
    }
    Ok(())
}
