//! Families and fragments of a store: look-ups by number, by prompt and by family in mapped tables.
//!
//! Each commit of a night writes what it made or changed; nothing is read when they are opened. The catalog and the nights' tables of
//! assignments say the same. So where the tables are not of the newest night (a store of an older program, or behind a forget, which
//! takes them away) a reader makes them in memory from there, and the next writer lays them down, before it does anything else.
//! Guarantee: of damaged tables a look-up gives some value, and ends.

use super::fields::written;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{FamilyId, Field};
use crate::store::catalog::INDEXES;
use crate::store::families::{Assigned, Family, Fragment, Kind, Link, Numbered};
use crate::store::rewrite::Rewrite;
use crate::store::sorted::{self, Record, Sorted, equal, first_from};
use crate::store::tiers::merge_older;
use crate::store::{Mapped, Named, NewNight, Store, Writer, tables};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use std::collections::BTreeSet;
use std::ops::Index;

/// No family.
pub(crate) const SINGLE: u32 = u32::MAX;

/// Files of these tables.
const KINDS: [&str; 4] = ["families-by-number", "fragments-by-number", "assigned-by-prompt", "links"];

/// Merges that a walk follows at most: more only in a damaged store, which may lead in a circle.
const MOST_MERGES: usize = 1 << 16;

/// A sorted table of some nights, or what stands for those of a store that has none.
pub(crate) enum Found<R> {
    Mapped(Sorted<Mapped, R>),
    Read(Vec<R>),
}

impl<R: Record> Found<R> {
    pub(crate) fn all(&self) -> &[R] {
        match self {
            Self::Mapped(table) => table.all(),
            Self::Read(records) => records,
        }
    }
}

/// The sorted tables of a kind, oldest first, each with the newest night that it tells of.
pub(crate) fn found<R: Record>(store: &Store, kind: &str) -> Result<Vec<(u32, Found<R>)>> {
    let open = |file: &Named| Ok((file.night, Found::Mapped(store.read(file, Sorted::open)?)));
    store.of_kind(kind).map(open).collect()
}

/// Records by number, of which the newest counts.
pub(crate) struct ByNumber<R> {
    /// Newest first.
    files: Vec<Found<R>>,
    /// Numbers that were given.
    n: u32,
    missing: R,
}

impl<R: Numbered> ByNumber<R> {
    fn new(files: Vec<(u32, Found<R>)>, n: u32) -> Self {
        Self { files: newest_first(files), n, missing: R::missing() }
    }

    /// How many numbers were given.
    pub(crate) fn len(&self) -> usize {
        self.n as usize
    }

    pub(crate) fn get(&self, number: usize) -> Option<&R> {
        let number = u32::try_from(number).ok().filter(|&number| number < self.n)?;
        let newest = |file: &'_ Found<R>| -> Option<usize> {
            let all = file.all();
            // A night numbers what it makes in a row, so the last one tells where another stands.
            let behind = all.last()?.number().checked_sub(number)? as usize;
            let place = first_from(all.len(), all.len().saturating_sub(behind + 1), |i| all[i].number() < number);
            (all.get(place)?.number() == number).then_some(place)
        };
        self.files.iter().find_map(|file| Some(&file.all()[newest(file)?]))
    }

    /// All of them, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &R)> {
        (0..self.n).map(|number| (number, &self[number as usize]))
    }
}

impl<R: Numbered> Index<usize> for ByNumber<R> {
    type Output = R;

    /// The record of a number; a damaged store may have none, and then it leads nowhere.
    fn index(&self, number: usize) -> &R {
        self.get(number).unwrap_or(&self.missing)
    }
}

fn newest_first<R>(files: Vec<(u32, Found<R>)>) -> Vec<Found<R>> {
    files.into_iter().rev().map(|(_, file)| file).collect()
}

/// What is known of families and fragments.
pub(crate) struct Known {
    pub(crate) families: ByNumber<Family>,
    pub(crate) fragments: ByNumber<Fragment>,
    /// Newest first.
    assigned: Vec<Found<Assigned>>,
    links: Vec<Found<Link>>,
    n_prompts: u32,
}

impl Known {
    /// # Errors
    /// `Store` when a table is damaged.
    pub(crate) fn open(store: &Store) -> Result<Self> {
        let count = |query| -> Result<u32> { Ok(store.catalog().all(query, [], |row| row.get(0))?.pop().unwrap_or(0)) };
        let n_families = count("SELECT COALESCE(MAX(family) + 1, 0) FROM families")?;
        let n_fragments = count("SELECT COALESCE(MAX(fragment) + 1, 0) FROM fragments")?;
        let n_prompts = n_prompts(store);
        if is_laid(store) {
            let [families, fragments, assigned, links] = KINDS;
            return Ok(Self {
                families: ByNumber::new(found(store, families)?, n_families),
                fragments: ByNumber::new(found(store, fragments)?, n_fragments),
                assigned: newest_first(found(store, assigned)?),
                links: newest_first(found(store, links)?),
                n_prompts,
            });
        }
        let last = store.nights().last().map_or(0, |night| night.night);
        let Records { families, fragments, assigned, links } = Records::of_catalog(store)?;
        Ok(Self {
            families: ByNumber::new(vec![(last, Found::Read(families))], n_families),
            fragments: ByNumber::new(vec![(last, Found::Read(fragments))], n_fragments),
            assigned: vec![Found::Read(assigned)],
            links: vec![Found::Read(links)],
            n_prompts,
        })
    }

    /// The family that a prompt was put into, as it was then.
    fn assigned(&self, prompt: u32) -> Option<&Assigned> {
        let may_have = |all: &&[Assigned]| all.last().is_some_and(|last| last.prompt >= prompt);
        let mut files = self.assigned.iter().map(Found::all).filter(may_have);
        files.find_map(|all| equal(all, |assigned| assigned.prompt.cmp(&prompt)).first())
    }

    /// Whether a prompt is in a family.
    pub(crate) fn is_assigned(&self, prompt: u32) -> bool {
        self.assigned(prompt).is_some()
    }

    /// Number of the family of a prompt; [`SINGLE`] where it has none.
    pub(crate) fn family(&self, prompt: u32) -> u32 {
        self.assigned(prompt).map_or(SINGLE, |assigned| self.family_now(assigned))
    }

    /// The family that a prompt is in now; [`SINGLE`] where a damaged table names none.
    pub(crate) fn family_now(&self, assigned: &Assigned) -> u32 {
        if (assigned.family as usize) < self.families.len() { self.root(assigned.family) } else { SINGLE }
    }

    /// Similarity of a prompt to the leader of the family that it was put into.
    pub(crate) fn similarity(&self, prompt: u32) -> f32 {
        self.assigned(prompt).map_or(1.0, Assigned::similarity)
    }

    /// The family of each of `n` prompts from `first` on.
    pub(crate) fn families_from(&self, first: u32, n: usize) -> Vec<u32> {
        let mut out = vec![SINGLE; n];
        for all in self.assigned.iter().map(Found::all) {
            for assigned in &all[all.partition_point(|assigned| assigned.prompt < first)..] {
                if let Some(family) = out.get_mut((assigned.prompt - first) as usize) {
                    *family = self.family_now(assigned);
                }
            }
        }
        out
    }

    /// The family that this one is part of now. A merge goes to an older leader, so the walk ends.
    pub(crate) fn root(&self, mut family: u32) -> u32 {
        for _ in 0..MOST_MERGES {
            match self.families.get(family as usize).and_then(Family::merged_into) {
                Some(next) => family = next,
                None => break,
            }
        }
        family
    }

    /// The near-duplicate family of a prompt: that of its leader, or its own where it is single.
    pub(crate) fn near_leader(&self, prompt: u32) -> u32 {
        match self.family(prompt) {
            SINGLE => prompt,
            family => self.families[family as usize].leader,
        }
    }

    fn links(&self, kind: Kind, of: u32) -> impl Iterator<Item = u32> {
        self.links.iter().flat_map(move |file| equal(file.all(), |link| link.compare(kind, of))).map(|link| link.to)
    }

    /// Families that were merged into this one, and into those, by number.
    pub(crate) fn merged_into(&self, family: u32) -> Vec<u32> {
        let (mut out, mut open) = (BTreeSet::new(), vec![family]);
        while let Some(of) = open.pop() {
            open.extend(self.links(Kind::Merged, of).filter(|&merged| merged != family && out.insert(merged)));
        }
        out.into_iter().collect()
    }

    /// Prompts of a family, in order of number.
    pub(crate) fn members(&self, family: u32) -> Vec<u32> {
        let all = std::iter::once(family).chain(self.merged_into(family));
        let mut members: Vec<u32> = all.flat_map(|family| self.links(Kind::Member, family)).collect();
        // A damaged table may name prompts that do not exist.
        members.retain(|&prompt| prompt < self.n_prompts);
        members.sort_unstable();
        members
    }

    /// Parts of the fragment family that this fragment heads, by number.
    pub(crate) fn parts(&self, head: u32) -> Vec<u32> {
        let mut parts: Vec<u32> = self.links(Kind::Part, head).collect();
        parts.sort_unstable();
        parts
    }
}

/// What a commit writes, or all that a store has.
#[derive(Default)]
pub(crate) struct Records {
    pub(crate) families: Vec<Family>,
    pub(crate) fragments: Vec<Fragment>,
    pub(crate) assigned: Vec<Assigned>,
    pub(crate) links: Vec<Link>,
}

impl Records {
    /// All that the catalog and the nights' tables of assignments say.
    /// # Errors
    /// `Store` when one of them is damaged.
    fn of_catalog(store: &Store) -> Result<Self> {
        let last = store.nights().last().map_or(0, |night| night.night);
        let mut out = Self { families: families(store, last)?, fragments: fragments(store, last)?, ..Self::default() };
        let n_prompts = n_prompts(store);
        for file in store.of_kind("assigned") {
            let assigned = assigned_in(store, file)?;
            let exists = |of: &Assigned| of.prompt < n_prompts && (of.family as usize) < out.families.len();
            if let Some(Assigned { prompt, family, .. }) = assigned.iter().find(|of| !exists(of)) {
                return Err(damaged(format!("{}: prompt {prompt} or family {family} does not exist", file.name)));
            }
            out.assigned.extend(assigned);
        }
        out.assigned.sort_unstable();
        out.links.extend(out.assigned.iter().map(|assigned| Link::new(Kind::Member, assigned.family, assigned.prompt)));
        for family in &out.families {
            out.links.extend(family.merged_into().map(|into| Link::new(Kind::Merged, into, family.number())));
        }
        let part = |fragment: &Fragment| Link::new(Kind::Part, fragment.head, fragment.number());
        out.links.extend(out.fragments.iter().map(part));
        out.links.sort_unstable();
        Ok(out)
    }

    /// Writes the tables of a night; `suffix` tells them from others of the same night.
    fn write(&mut self, night: &mut NewNight, suffix: &str) -> Result<()> {
        fn table<R: Record>(night: &mut NewNight, kind: &'static str, suffix: &str, records: &mut [R]) -> Result<()> {
            let mut out = night.create(kind, &format!("{kind}{suffix}.bin"))?;
            sorted::write(records, &mut out).map_err(|cause| written(&cause))
        }
        let [families, fragments, assigned, links] = KINDS;
        table(night, families, suffix, &mut self.families)?;
        table(night, fragments, suffix, &mut self.fragments)?;
        table(night, assigned, suffix, &mut self.assigned)?;
        table(night, links, suffix, &mut self.links)
    }

    /// Writes what a night made and changed, and merges tables of older ones; returns the names of those.
    /// # Errors
    /// `Io` when they cannot be written.
    pub(crate) fn write_night(mut self, store: &Store, night: &mut NewNight) -> Result<Vec<String>> {
        self.write(night, "")?;
        let [families, fragments, assigned, links] = KINDS;
        let mut merged = merge_older(store, night, families, Sorted::<_, Family>::open, sorted::merge)?;
        merged.extend(merge_older(store, night, fragments, Sorted::<_, Fragment>::open, sorted::merge)?);
        merged.extend(merge_older(store, night, assigned, Sorted::<_, Assigned>::open, sorted::merge)?);
        merged.extend(merge_older(store, night, links, Sorted::<_, Link>::open, sorted::merge)?);
        Ok(merged)
    }
}

/// What a night put into families, as its readable table says.
/// # Errors
/// `Store` when the table is damaged.
pub(crate) fn assigned_of_night(store: &Store, night: u32) -> Result<Vec<Assigned>> {
    let of_night = store.of_kind("assigned").filter(|file| file.night == night);
    Ok(of_night.map(|file| assigned_in(store, file)).collect::<Result<Vec<_>>>()?.concat())
}

fn assigned_in(store: &Store, file: &Named) -> Result<Vec<Assigned>> {
    let mut out = Vec::new();
    for batch in tables::read(&store.path(file), &["prompt", "family", "similarity"], None)? {
        let batch = batch?;
        let number = |i: usize| batch.column(i).as_primitive::<UInt32Type>().values().as_ref();
        let similarity = batch.column(2).as_primitive::<Float32Type>().values();
        out.extend((0..batch.num_rows()).map(|row| Assigned::new(number(0)[row], number(1)[row], similarity[row])));
    }
    Ok(out)
}

/// Whether the store has these tables up to its newest night.
fn is_laid(store: &Store) -> bool {
    let newest = store.nights().last().map(|night| night.night);
    let newest_of = |kind: &&str| store.of_kind(kind).map(|file| file.night).max();
    newest.is_some() && KINDS.iter().all(|kind| newest_of(kind) == newest)
}

/// Writes these tables for a store that has none up to its newest night, in a commit of its own.
/// # Errors
/// `Store` when the store is damaged; `Io`. The store is then as it was.
pub(crate) fn lay(writer: &mut Writer) -> Result<()> {
    if writer.store.nights().is_empty() || is_laid(&writer.store) {
        return Ok(());
    }
    let mut records = Records::of_catalog(&writer.store)?;
    let older = writer.store.files().iter().filter(|file| KINDS.contains(&file.kind.as_str()));
    let older: Vec<String> = older.map(|file| file.name.clone()).collect();
    // A file of the night may be there already, without a name: that of a forget before.
    let suffix = format!("-{}", writer.store.files().len());
    let mut night = writer.newest()?;
    records.write(&mut night, &suffix)?;
    writer.commit(night, &older, |db| db.execute_batch(INDEXES))
}

/// Takes these tables out of the store, with what replaces other files.
pub(crate) fn drop_all(store: &Store, rewrite: &mut Rewrite) {
    let laid = store.files().iter().filter(|file| KINDS.contains(&file.kind.as_str()));
    laid.for_each(|file| rewrite.drop_file(file));
}

/// Numbers that prompts have been given.
fn n_prompts(store: &Store) -> u32 {
    store.nights().last().map_or(0, |night| night.first_prompt + night.prompts)
}

/// The families of the catalog, by number.
fn families(store: &Store, newest: u32) -> Result<Vec<Family>> {
    let n_prompts = n_prompts(store);
    let query = "SELECT family, leader, night, merged_into, id FROM families ORDER BY family";
    let rows: Vec<Option<Family>> = store.catalog().all(query, [], |row| {
        let (number, into, id): (u32, Option<u32>, String) = (row.get(0)?, row.get(3)?, row.get(4)?);
        let leads = (row.get(1)?, row.get(2)?);
        Ok(id.parse().ok().map(|id: FamilyId| Family::new(number, newest, id, leads, into)))
    })?;
    let n = rows.len() as u32;
    let whole = |(i, family): (u32, Option<Family>)| {
        let exists =
            |f: &Family| f.number() == i && f.leader < n_prompts && f.merged_into().is_none_or(|into| into < n);
        family.filter(exists).ok_or_else(|| {
            damaged(format!(
                "catalog.sqlite, table families: family {i} is not whole, or its leader or a family does not exist"
            ))
        })
    };
    (0..).zip(rows).map(whole).collect()
}

/// The fragments of the catalog, by number.
fn fragments(store: &Store, newest: u32) -> Result<Vec<Fragment>> {
    let query = "SELECT fragment, id, field, head, within, known IS NOT NULL, night FROM fragments ORDER BY fragment";
    let rows: Vec<Option<Fragment>> = store.catalog().all(query, [], |row| {
        let (number, id, field): (u32, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (heads, within, is_known) = ((row.get(3)?, row.get(6)?), row.get(4)?, row.get(5)?);
        let named = id.parse().ok().zip(Field::of_number(field));
        Ok(named.map(|named| Fragment::new(number, newest, named, heads).with(within, is_known)))
    })?;
    let n = rows.len() as u32;
    let whole = |(i, fragment): (u32, Option<Fragment>)| {
        let exists = |f: &Fragment| f.number() == i && f.head < n && f.within().is_none_or(|within| within < n);
        fragment
            .filter(exists)
            .ok_or_else(|| damaged(format!("catalog.sqlite, table fragments: fragment {i} is not whole")))
    };
    (0..).zip(rows).map(whole).collect()
}

fn damaged(what: String) -> Error {
    Error::new(ErrorKind::Store, what).hint("run: stillhunt store verify")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Level;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn family(number: u32, written: u32, leader: u32, into: Option<u32>) -> Family {
        let id = FamilyId { level: Level::NearDuplicate, lead: [number as u8; 8] };
        Family::new(number, written, id, (leader, 1), into)
    }

    fn read<R: Record>(records: &[R]) -> Found<R> {
        let mut records = records.to_vec();
        records.sort_unstable();
        Found::Read(records)
    }

    fn known(families: Vec<Vec<Family>>, n: u32, assigned: &[Vec<Assigned>], links: &[Vec<Link>]) -> Known {
        Known {
            families: ByNumber::new((1..).zip(families.iter().map(|of| read(of))).collect(), n),
            fragments: ByNumber::new(Vec::new(), 0),
            assigned: assigned.iter().rev().map(|of| read(of)).collect(),
            links: links.iter().map(|of| read(of)).collect(),
            n_prompts: 60,
        }
    }

    proptest! {
        /// Files of several commits, some of them merged: the newest record of a number is found, however they lie.
        #[test]
        fn the_newest_of_a_number_is_found(written in proptest::collection::vec((0u32..30, 0u32..6, 0u32..99), 0..80), first_merged in 0usize..6) {
            let mut newest: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
            let mut files: Vec<BTreeMap<u32, Family>> = vec![BTreeMap::new(); 6];
            for &(number, commit, leader) in &written {
                files[commit as usize].insert(number, family(number, commit, leader, None));
            }
            for (commit, of) in (0u32..).zip(&files) {
                newest.extend(of.iter().map(|(&number, record)| (number, (commit, record.leader))));
            }
            let mut files: Vec<Vec<Family>> = files.into_iter().map(|of| of.into_values().collect()).collect();
            let merged = files.drain(first_merged..).flatten().collect();
            files.push(merged);
            let known = known(files, 30, &[], &[]);
            for number in 0..40 {
                let found = known.families.get(number as usize).map(|record| record.leader);
                prop_assert_eq!(found, newest.get(&number).map(|(_, leader)| *leader));
            }
        }

        /// Look-ups of families and members against a walk over everything.
        #[test]
        fn families_and_members_are_those_of_a_walk(
            into in proptest::collection::vec(proptest::option::of(any::<proptest::sample::Index>()), 1..12),
            list in proptest::collection::btree_map(0u32..60, (0usize..12, 0usize..3), 0..60),
        ) {
            // A merge goes to a family of a smaller number here, so that none leads in a circle.
            let into: Vec<Option<u32>> = (0u32..).zip(&into).map(|(i, to)| to.filter(|_| i > 0).map(|to| to.index(i as usize) as u32)).collect();
            let n = into.len() as u32;
            let families = (0u32..).zip(&into).map(|(number, to)| family(number, 1, number, *to)).collect();
            let root = |mut of: u32| { while let Some(to) = into[of as usize] { of = to; } of };
            let (mut assigned, mut links) = (vec![Vec::new(); 3], vec![Vec::new(); 3]);
            for (&prompt, &(family, file)) in &list {
                assigned[file].push(Assigned::new(prompt, family as u32 % n, 0.5));
                links[file].push(Link::new(Kind::Member, family as u32 % n, prompt));
            }
            links[1].extend((0u32..).zip(&into).filter_map(|(from, to)| Some(Link::new(Kind::Merged, (*to)?, from))));
            let known = known(vec![families], n, &assigned, &links);
            let of = |prompt: u32| list.get(&prompt).map_or(SINGLE, |(family, _)| root(*family as u32 % n));
            let all: Vec<u32> = (0..70).map(of).collect();
            prop_assert_eq!(&(0..70).map(|prompt| known.family(prompt)).collect::<Vec<_>>(), &all);
            prop_assert_eq!(known.families_from(7, 50), &all[7..57]);
            for number in (0..n).filter(|&number| into[number as usize].is_none()) {
                let members: Vec<u32> = (0..70).filter(|&prompt| of(prompt) == number).collect();
                prop_assert_eq!(known.members(number), members);
                let merged: Vec<u32> = (0..n).filter(|&other| other != number && root(other) == number).collect();
                prop_assert_eq!(known.merged_into(number), merged);
            }
        }
    }

    #[test]
    fn what_a_damaged_store_says_ends_somewhere() {
        let circle = vec![family(0, 1, 0, Some(1)), family(1, 1, 1, Some(0)), family(7, 1, 9, Some(u32::MAX - 1))];
        let links = vec![
            Link::new(Kind::Merged, 0, 1),
            Link::new(Kind::Merged, 1, 0),
            Link::new(Kind::Member, 1, 4),
            Link::new(Kind::Member, 1, 60),
        ];
        let known = known(vec![circle], 9, &[vec![Assigned::new(4, 1, 0.5), Assigned::new(5, 70, 0.5)]], &[links]);
        assert!(known.family(4) < 2 && known.members(0) == [4]);
        assert_eq!((known.family(5), known.near_leader(5)), (SINGLE, 5));
        assert_eq!(known.families[3].leader, u32::MAX, "no record");
        known.root(7);
    }
}
