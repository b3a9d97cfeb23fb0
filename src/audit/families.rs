//! A night's families: join with itself and with earlier nights, cluster, commit.

use super::ingest::{Filed, Finished};
use super::printed::Printed;
use crate::embed::Model;
use crate::error::Result;
use crate::family::cluster::{self, Known, Outcome};
use crate::family::judge::{LEAST_SIMILARITY, MAX_CANDIDATES, Material, Rule};
use crate::ids::{FamilyId, Level};
use crate::index::{self, Ask, Built, Hit, Part, Probes, Segment, Segments, best_first};
use crate::store::families::Assigned;
use crate::store::tables::{self, Cell, TableWriter};
use crate::store::texts::Texts;
use crate::store::tiers::first_merged;
use crate::store::{Mapped, NewNight, Store};
use crate::stored::fields::written;
use crate::stored::known::SINGLE;
use crate::stored::view::{Again, View, folded_of, segments};
use crate::stored::{AuditConfig, Progress};
use crate::text::is_trivial;
use std::io::Write as _;

/// Lists that a new prompt asks in tonight's own segment, where the neighbour asks back. The lower the floor, the further off
/// its neighbours may be filed (`benches/record/quality-join.md`).
#[must_use]
pub fn join_probes(floor: f32) -> Probes {
    let most = match floor {
        ..0.60 => 128,
        0.60..0.70 => 64,
        _ => 16,
    };
    Probes { least: 4, most, bound: 0.12 }
}

/// Lists that it asks of all older segments together, which do not ask back (`benches/record/speed-nights.md`).
fn older_probes(floor: f32) -> Probes {
    Probes { least: 4, most: if floor < 0.60 { 256 } else { 40 }, bound: 0.10 }
}

/// Vectors that one segment may have before nights leave it as it is: 4.5 GiB.
const MOST_ENTRIES: u64 = 1 << 24;

/// Candidates that one window of a long prompt may bring.
pub(super) const MAX_WINDOW_CANDIDATES: usize = 16;

/// Everything the judge reads on a night: older texts from the store, tonight's from the file just written.
struct Tonight<'a> {
    view: &'a View,
    first: u32,
    texts: Texts<Mapped>,
    whole: &'a Filed,
    /// Vector of each new prompt; `u32::MAX` where it has none.
    row_of: Vec<u32>,
    again: Again<'a>,
}

impl Material for Tonight<'_> {
    fn folded(&self, prompt: u32, out: &mut String) {
        match prompt.checked_sub(self.first) {
            Some(i) => folded_of(self.texts.get(i as usize), out),
            None => self.view.folded(prompt, out),
        }
    }

    fn similarity(&self, a: u32, b: u32) -> Option<f32> {
        let row = |prompt: u32| {
            let row = *self.row_of.get(prompt.checked_sub(self.first)? as usize)?;
            (row != u32::MAX).then_some(row as usize)
        };
        let vectors = &self.whole.vectors;
        let folded = |prompt| move |out: &mut String| self.view.folded(prompt, out);
        let to_old = |row, prompt| self.again.similarity((vectors, row), prompt, folded(prompt));
        match (row(a), row(b)) {
            (Some(a), Some(b)) => Some(vectors.similarity(a, b)),
            (Some(row), None) if b < self.first => to_old(row, b),
            (None, Some(row)) if a < self.first => to_old(row, a),
            (None, None) if a.max(b) < self.first => {
                self.again.similarity((&self.again.vector(a, folded(a))?, 0), b, folded(b))
            }
            _ => None,
        }
    }

    fn members(&self, family: u32) -> Vec<u32> {
        self.view.members(family)
    }
}

/// Keeps the nearest candidates, each once. Which ones stay does not depend on the order in which they came.
pub(super) fn nearest_only(near: &mut Vec<Hit>) {
    near.sort_unstable_by(best_first);
    near.dedup_by_key(|hit| hit.id);
    near.truncate(2 * MAX_CANDIDATES);
}

/// Earlier texts that share fingerprints with each new one, and how many. By chance, or for a phrase, two texts share a few; a copy
/// shares most of them, so a long prompt is found by its parts whatever stands around them.
pub(super) struct Sharers(Vec<Vec<(u32, u32)>>);

impl Sharers {
    /// Of `n` new texts.
    pub(super) fn of(n: usize) -> Self {
        Self(vec![Vec::new(); n])
    }

    /// Counts `shared` fingerprints of a new text with another.
    pub(super) fn add(&mut self, new: u32, other: u32, shared: u32) {
        // A damaged run of fingerprints may name any text.
        let Some(sharers) = self.0.get_mut(new as usize) else { return };
        sharers.push((other, shared));
        if sharers.len() >= 4 * MAX_CANDIDATES {
            keep_most(sharers, 2 * MAX_CANDIDATES);
        }
    }

    /// Those that share most, at most as many as the index may bring.
    pub(super) fn most(self) -> impl Iterator<Item = Vec<u32>> {
        self.0.into_iter().map(|mut sharers| {
            keep_most(&mut sharers, MAX_CANDIDATES);
            sharers.into_iter().map(|(other, _)| other).collect()
        })
    }
}

/// Sums up what stands for one text, and keeps the `n` that share most, ties by number.
fn keep_most(sharers: &mut Vec<(u32, u32)>, n: usize) {
    sharers.sort_unstable();
    let mut sums: Vec<(u32, u32)> = Vec::new();
    for &(other, shared) in sharers.iter() {
        match sums.last_mut() {
            Some(last) if last.0 == other => last.1 += shared,
            _ => sums.push((other, shared)),
        }
    }
    sums.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    sums.truncate(n);
    *sharers = sums;
}

/// What a night adds to the catalog's families.
pub(crate) struct Families {
    pub(crate) outcome: Outcome,
    /// (number, name, leader) of the new ones.
    pub(crate) new: Vec<(u32, FamilyId, u32)>,
    /// What was put into families, with its similarity to the leader.
    pub(crate) assigned: Vec<Assigned>,
    /// Index files that went into tonight's.
    pub(crate) merged_files: Vec<String>,
}

impl Families {
    /// The leader of the family of each prompt from `first` on, of old and new ones; its own number where it is single.
    pub(crate) fn leaders_from(&self, view: &View, first: u32, n_prompts: u32) -> Vec<u32> {
        let known = view.families.len();
        let merged: std::collections::HashMap<u32, u32> = self.outcome.merged.iter().copied().collect();
        let leader = |family: u32| match (family as usize).checked_sub(known) {
            Some(i) => self.new[i].2,
            None => view.families[family as usize].leader,
        };
        let root = |mut family: u32| {
            // A merge goes to an older family, so the walk ends.
            while let Some(&into) = merged.get(&family) {
                family = into;
            }
            leader(family)
        };
        let mut out = view.families_from(first, (n_prompts - first) as usize);
        for &(prompt, family) in &self.outcome.assigned {
            if let Some(place) = prompt.checked_sub(first) {
                out[place as usize] = family;
            }
        }
        (first..).zip(&mut out).for_each(|(prompt, of)| *of = if *of == SINGLE { prompt } else { root(*of) });
        out
    }
}

/// Finds the families of a finished night and writes its index and assignments.
#[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename the arguments")]
pub(crate) fn families(
    (store, view): (&Store, &View),
    model: &Model,
    finished: &Finished,
    printed: &Printed,
    rule: &Rule,
    config: &AuditConfig,
    night: &mut NewNight,
    progress: &dyn Progress,
) -> Result<Families> {
    let (first, seed) = (finished.first_prompt, config.seed);
    // What stands for a family is compared with at any age, what is single only for a while.
    let oldest = match config.compared_nights {
        0 => 0,
        nights => (night.night + 1).saturating_sub(nights),
    };
    let first_single = store.nights().iter().find(|of| of.night >= oldest).map_or(first, |of| of.first_prompt);
    let is_compared = |prompt: u32| prompt >= first_single || view.is_assigned(prompt);
    let mut row_of = vec![u32::MAX; finished.prompts as usize];
    for (row, &prompt) in finished.whole.ids.iter().enumerate() {
        row_of[(prompt - first) as usize] = row as u32;
    }
    let texts = Texts::open(Mapped::open(&night.path("texts.bin"))?)?;
    let older = segments(store, "whole")?;
    let again = Again::new(model, &older);
    let material = Tonight { view, first, texts, whole: &finished.whole, row_of, again };
    let whole = Joined::new(&finished.whole, rule.floor, seed);
    let windows = Joined::new(&finished.windows, rule.window_floor, seed);
    let mut candidates: Vec<Vec<Hit>> = vec![Vec::new(); finished.prompts as usize];
    let mut add = |a: u32, b: u32, similarity| {
        let near = &mut candidates[(a.max(b) - first) as usize];
        near.push(Hit { id: a.min(b), similarity });
        if near.len() >= 4 * MAX_CANDIDATES {
            nearest_only(near);
        }
    };
    let asked = Asked { kind: "whole", floor: rule.floor, cap: MAX_CANDIDATES, is_compared: &is_compared };
    whole.join(store, &asked, progress, &mut add)?;
    let trivial = |prompt: u32| {
        let row = material.row_of.get(prompt.wrapping_sub(first) as usize).copied();
        row.is_some_and(|row| row == u32::MAX || !finished.whole.joined[row as usize])
    };
    let asked =
        Asked { kind: "windows", floor: rule.window_floor, cap: MAX_WINDOW_CANDIDATES, is_compared: &is_compared };
    windows.join(store, &asked, progress, &mut |a, b, _| {
        if !trivial(a)
            && !trivial(b)
            && let Some(similarity) = material.similarity(a, b)
        {
            add(a, b, similarity);
        }
    })?;
    // The second finder: what shares fingerprints is judged too, however far its vector lies.
    progress.stage("fingerprints", None);
    candidates.iter_mut().for_each(nearest_only);
    let mut sharers = Sharers::of(finished.prompts as usize);
    printed
        .pairs(&mut |pairs| pairs.iter().for_each(|&(new, other, n)| sharers.add(new.wrapping_sub(first), other, n)));
    let mut folded = String::new();
    let mut fit = |prompt: u32| {
        if prompt >= first {
            return !trivial(prompt);
        }
        view.folded(prompt, &mut folded);
        !is_trivial(&folded)
    };
    for (prompt, others) in (first..).zip(sharers.most()) {
        if others.is_empty() || !fit(prompt) {
            continue;
        }
        let near = &mut candidates[(prompt - first) as usize];
        for other in others {
            if is_compared(other)
                && near.iter().all(|hit| hit.id != other)
                && let Some(similarity) = material.similarity(prompt, other).filter(|&s| s >= LEAST_SIMILARITY)
                && fit(other)
            {
                near.push(Hit { id: other, similarity });
            }
        }
    }
    progress.stage("families", None);
    let n_known = view.families.len() as u32;
    let known = Known {
        first,
        n_families: n_known,
        family_of: &|prompt| Some(view.family(prompt)).filter(|&family| family != SINGLE),
        leader_of: &|family| view.families[family as usize].leader,
    };
    let outcome = cluster::cluster(&candidates, &known, &material, rule);
    drop(candidates);

    let name = |leader: u32| -> Result<FamilyId> {
        let mut folded = String::new();
        material.folded(leader, &mut folded);
        let of = |text: &str| {
            FamilyId::derive(&view.naming_key, Level::NearDuplicate, &crate::ids::Digest::of(text.as_bytes()))
        };
        // A text that was forgotten and comes back may find the family that it led still there, under its name.
        let plain = of(&folded);
        let is_taken = "SELECT 1 FROM families WHERE id = ?1";
        let taken: Vec<u32> = store.catalog().all(is_taken, [plain.to_string()], |row| row.get(0))?;
        Ok(if taken.is_empty() { plain } else { of(&format!("{folded}\0{leader}")) })
    };
    let named = (n_known..).zip(&outcome.leaders).map(|(number, &leader)| Ok((number, name(leader)?, leader)));
    let new: Vec<(u32, FamilyId, u32)> = named.collect::<Result<_>>()?;
    let mut assigned = Vec::with_capacity(outcome.assigned.len());
    let mut table = TableWriter::new(tables::ASSIGNED, night.create("assigned", "assigned.parquet")?)?;
    for &(prompt, family) in &outcome.assigned {
        let leader = match family.checked_sub(n_known) {
            Some(i) => new[i as usize].2,
            None => view.families[family as usize].leader,
        };
        let similarity = material.similarity(prompt, leader).unwrap_or(0.0);
        assigned.push(Assigned::new(prompt, family, similarity));
        table.push(&[Cell::U32(Some(prompt)), Cell::U32(Some(family)), Cell::F32(similarity)])?;
    }
    table
        .finish()?
        .flush()
        .map_err(|cause| crate::error::Error::io("write", night.path("assigned.parquet"), &cause))?;

    let active = |prompt: u32| !trivial(prompt) && outcome.inactive.binary_search(&prompt).is_err();
    let active = (&active as &dyn Fn(u32) -> bool, &is_compared as &dyn Fn(u32) -> bool);
    let mut merged_files = whole.write(store, "whole", active, seed, night)?;
    merged_files.extend(windows.write(store, "windows", active, seed, night)?);
    Ok(Families { outcome, new, assigned, merged_files })
}

/// What a join looks for.
struct Asked<'a> {
    /// Segments of this kind.
    kind: &'a str,
    floor: f32,
    /// Most hits of a vector in a segment.
    cap: usize,
    /// Which older prompts are looked at.
    is_compared: &'a (dyn Fn(u32) -> bool + Sync),
}

/// Vectors of a night under their leaders.
struct Joined<'a> {
    filed: &'a Filed,
    built: Built,
}

impl<'a> Joined<'a> {
    fn new(filed: &'a Filed, floor: f32, seed: u64) -> Self {
        Self { filed, built: Built::to_join(&filed.vectors, &join_probes(floor), seed) }
    }

    /// Calls `pair(new prompt, other prompt, similarity)` for pairs at or above the floor: each new vector's best `cap` in the
    /// night itself, and in each older segment.
    fn join(
        &self,
        store: &Store,
        asked: &Asked,
        progress: &dyn Progress,
        pair: &mut dyn FnMut(u32, u32, f32),
    ) -> Result<()> {
        let Asked { kind, floor, cap, is_compared } = *asked;
        let Filed { vectors, ids, joined } = self.filed;
        let mut rows = self.built.by_list();
        rows.retain(|&row| joined[row as usize]);
        let active = self.built.thin(vectors, joined);
        let own = Segment::of(&self.built, vectors, ids, &active);
        let ask = Ask { probes: join_probes(floor), active_only: true, floor, cap };
        let n = ids.iter().copied().max().map_or(0, |last| last + 1);
        // A damaged segment may name prompts that do not exist.
        let keep = |row: u32, id: u32| ids[row as usize] != id && id < n;
        let near = |rows: &[u32]| own.near_itself(vectors, &self.built, rows, &ask, &keep);
        self.ask(&near, &rows, progress, pair);
        drop(own);
        let older = Segments::new(segments(store, kind)?, vectors.dim());
        let keep = |row: u32, id: u32| keep(row, id) && is_compared(id);
        let ask = Ask { probes: older_probes(floor), ..ask };
        let near = |rows: &[u32]| older.near(vectors, rows, &ask, &keep);
        self.ask(&near, &rows, progress, pair);
        Ok(())
    }

    /// Asks segments, a part of the rows at a time, so that the hits of all of them are never held at once.
    fn ask(
        &self,
        near: &dyn Fn(&[u32]) -> Vec<Vec<Hit>>,
        rows: &[u32],
        progress: &dyn Progress,
        pair: &mut dyn FnMut(u32, u32, f32),
    ) {
        let ids = &self.filed.ids;
        for part in rows.chunks(1 << 16) {
            for (&row, hits) in part.iter().zip(near(part)) {
                hits.iter().for_each(|hit| pair(ids[row as usize], hit.id, hit.similarity));
            }
            progress.advance(part.len() as u64, 0);
        }
    }

    /// Writes tonight's segment, with older ones that are merged with it; returns the names of those. `active` says which of tonight's
    /// prompts later nights are joined with, and which older ones still.
    fn write(
        &self,
        store: &Store,
        kind: &'static str,
        (active, still_active): (&dyn Fn(u32) -> bool, &dyn Fn(u32) -> bool),
        seed: u64,
        night: &mut NewNight,
    ) -> Result<Vec<String>> {
        let Filed { vectors, ids, .. } = self.filed;
        let flags: Vec<bool> = ids.iter().map(|&prompt| active(prompt)).collect();
        let older = segments(store, kind)?;
        let sizes: Vec<u64> = older.iter().map(Segment::len).chain([ids.len()]).map(|n| n as u64).collect();
        let first = first_merged(&sizes, MOST_ENTRIES).unwrap_or(older.len());
        let mut out = night.create_shared(kind)?;
        let result = if first == older.len() {
            self.built.write(vectors, ids, &flags, &mut out)
        } else {
            let parts = older[first..]
                .iter()
                .map(|segment| segment.part().only_active(still_active))
                .chain([Part::of(vectors, ids, &flags)]);
            index::merge(&parts.collect::<Vec<_>>(), seed, &mut out)
        };
        result.map_err(|cause| written(&cause))?;
        Ok(store.of_kind(kind).skip(first).map(|file| file.name.clone()).collect())
    }
}
