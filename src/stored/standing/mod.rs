//! How each family stands: its accounts, requests and growth, kept from night to night.
//!
//! A commit is followed by a second one that brings the standings forward: a family that only got requests of tonight has them added, its
//! accounts told new or known by its uses; one whose members changed among older prompts is counted again; the others are not touched.
//! All of it can be counted from the postings, and is where the standings are not of the newest night: after a forget, in a
//! store of an older format, behind a writer that was killed between the two commits. Weakness: a family that takes in older prompts
//! every night is counted again every night. Guarantee: counted in steps or at once, the same (`tests`).

mod activity;
mod step;

pub(crate) use step::{drop_all, forget, keep};

use super::fragment_families::{fragment_families, fragment_family};
use super::known::SINGLE;
use super::rows::{Facts, by_system};
use super::view::Row;
use super::view::View;
use crate::error::Result;
use crate::ids::{FamilyId, Field, Level, Time};
use crate::report::Place;
use crate::store::facts::{self, Head};
use crate::store::members::Member;
use crate::store::postings::{NONE, Posting};
use crate::store::sorted::{Sorted, equal};
use crate::store::uses::{Activity, OfAccount, Use, Uses};
use crate::store::{Mapped, Night, Store};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// Under which name the catalog says of which night the standings are, in its table `meta`.
const OF_NIGHT: &str = "kept-standings";
/// Files of what is kept.
const KINDS: [&str; 4] = ["facts", "uses", "uses-by-account", "activity"];

/// A family's level and number in one.
pub(crate) fn family_key(level: Level, number: u32) -> u64 {
    (level as u64) << 32 | u64::from(number)
}

/// The level of a family, and its number there.
pub(crate) fn level_of(family: u64) -> (Level, u32) {
    let levels = [Level::Exact, Level::System, Level::NearDuplicate, Level::Fragment];
    let level = levels.into_iter().find(|&level| level as u64 == family >> 32);
    (level.unwrap_or(Level::Exact), family as u32)
}

/// What is kept of a family beside what lists rank it by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Behind {
    /// Time, night and row of its first request.
    pub(crate) first: (i64, u32, u32),
    /// Night, requests, accounts, accounts that are new to the family.
    pub(crate) nights: Vec<(u32, u64, u64, u64)>,
    /// Requests of each day.
    pub(crate) days: BTreeMap<i64, u64>,
    /// Requests of each model.
    pub(crate) models: BTreeMap<u32, u64>,
    /// Smallest similarity of a member to the leader, at the level of near-duplicates.
    pub(crate) smallest: f32,
    pub(crate) fragment: Option<BehindFragment>,
}

/// What is kept of a fragment family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BehindFragment {
    /// Texts that begin with it, hold it in their middle, end with it.
    place: [u64; 3],
    /// Texts by the share of them that it is, in ten-thousandths.
    shares: BTreeMap<u32, u32>,
    /// Texts by their near-duplicate family.
    near: BTreeMap<u32, u64>,
}

/// Bytes of a text before or behind a fragment that still count as its start or end.
const EDGE: u32 = 8;

impl BehindFragment {
    fn add(&mut self, view: &View, field: Field, member: &Member) {
        let place = if member.first <= EDGE {
            0
        } else if member.end + EDGE >= member.length {
            2
        } else {
            1
        };
        self.place[place] += 1;
        let share = (f64::from(member.held) / f64::from(member.length.max(1))).min(1.0);
        *self.shares.entry((share * 1e4).round() as u32).or_default() += 1;
        let family = view.family(member.text);
        if field == Field::Prompt && family != SINGLE {
            *self.near.entry(family).or_default() += 1;
        }
    }

    pub(crate) fn place(&self) -> Place {
        let [start, middle, end] = self.place;
        Place { start, middle, end }
    }

    /// The median share of a text that it is.
    pub(crate) fn share(&self) -> f64 {
        let half = self.shares.values().map(|&n| u64::from(n)).sum::<u64>() / 2;
        let mut before = 0;
        let middle = self.shares.iter().find(|(_, n)| {
            before += u64::from(**n);
            before > half
        });
        middle.map_or(0.0, |(&share, _)| f64::from(share) / 1e4)
    }

    /// Its near-duplicate families, most texts first.
    pub(crate) fn near(&self, view: &View) -> Vec<u32> {
        let mut texts: BTreeMap<u32, u64> = BTreeMap::new();
        self.near.iter().for_each(|(&family, n)| *texts.entry(view.root(family)).or_default() += n);
        let mut leaders: Vec<(u64, u32)> =
            texts.into_iter().map(|(family, n)| (n, view.families[family as usize].leader)).collect();
        leaders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        leaders.into_iter().map(|(_, leader)| leader).collect()
    }
}

/// One family as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) head: Head,
    pub(crate) behind: Behind,
}

impl Standing {
    fn new(level: Level, number: u32, id: FamilyId) -> Self {
        let head = Head { family: family_key(level, number), id: id.lead, ..Head::default() };
        let behind = Behind { first: (i64::MAX, 0, 0), smallest: 1.0, ..Behind::default() };
        Self { head, behind }
    }

    pub(crate) fn id(&self) -> FamilyId {
        FamilyId { level: level_of(self.head.family).0, lead: self.head.id }
    }

    /// Adds the requests of a night that is newer than those before; `is_known` says which accounts are in the family already.
    fn add(&mut self, night: &Night, rows: &[Posting], is_known: &dyn Fn(u32) -> bool) {
        let Self { head, behind } = self;
        if head.requests == 0 {
            (head.first, head.last, head.first_night) = (i64::MAX, i64::MIN, night.night);
        }
        for row in rows {
            head.first = head.first.min(row.time);
            head.last = head.last.max(row.time);
            behind.first = behind.first.min((row.time, night.night, row.row));
            *behind.days.entry(day(row.time)).or_default() += 1;
            if row.model != NONE {
                *behind.models.entry(row.model).or_default() += 1;
            }
        }
        let mut accounts: Vec<u32> = rows.iter().map(|row| row.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let new = accounts.iter().filter(|&&account| !is_known(account)).count() as u64;
        behind.nights.push((night.night, rows.len() as u64, accounts.len() as u64, new));
        head.requests += rows.len() as u64;
        head.accounts += new;
        head.new_accounts = accounts.iter().filter(|&&account| account >= night.first_account).count() as u64;
        head.last_night = night.night;
    }

    /// Counts a family from all of its requests.
    fn count(nights: &[Night], level: Level, number: u32, id: FamilyId, rows: &[Row]) -> Self {
        let mut out = Self::new(level, number, id);
        let mut by_night: BTreeMap<u16, Vec<Posting>> = BTreeMap::new();
        rows.iter().for_each(|row| by_night.entry(row.night).or_default().push(row.posting));
        let mut known: HashSet<u32> = HashSet::new();
        for (night, rows) in by_night {
            out.add(&nights[usize::from(night)], &rows, &|account| known.contains(&account));
            known.extend(rows.iter().map(|row| row.account));
        }
        out
    }
}

fn day(micros: i64) -> i64 {
    Time::new(micros).map_or(0, Time::day)
}

/// The uses that a commit adds for a family with these requests.
pub(crate) fn uses<'a>(family: u64, night: u32, rows: impl Iterator<Item = &'a Posting>, out: &mut Vec<Use>) {
    let mut rows: Vec<(u32, i64, i64)> = rows.map(|row| (row.account, day(row.time), row.time)).collect();
    rows.sort_unstable();
    out.extend(rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(|same| {
        let (account, day, first) = same[0];
        let last = same[same.len() - 1].2;
        Use { family, account, day: day as i32, requests: same.len() as u32, night, first, last }
    }));
}

/// Where a head stands: in which file, and where there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stand {
    file: u32,
    at: u32,
}

/// The standings of all families as of the newest night.
pub(crate) enum Standings {
    /// As commits have written them, newest first.
    Kept(Vec<facts::Facts<Mapped>>),
    /// Counted just now, by family.
    Counted(Vec<Standing>),
}

impl Standings {
    /// Opens those of the newest night, or counts them.
    /// # Errors
    /// `Store` when the store is damaged.
    pub(crate) fn open(store: &Store, view: &View) -> Result<Self> {
        match Self::open_kept(store)? {
            Some(kept) => Ok(kept),
            None => Ok(Self::Counted(count_all(store, view)?)),
        }
    }

    /// Those of the newest night, where they are kept.
    /// # Errors
    /// `Store` when the store is damaged.
    pub(crate) fn open_kept(store: &Store) -> Result<Option<Self>> {
        let is_newest = kept(store)?.is_some_and(|night| store.nights().last().is_some_and(|last| last.night == night));
        is_newest.then(|| Self::files(store).map(Self::Kept)).transpose()
    }

    fn files(store: &Store) -> Result<Vec<facts::Facts<Mapped>>> {
        let mut files: Vec<_> =
            store.of_kind("facts").map(|file| store.read(file, facts::Facts::open)).collect::<Result<_>>()?;
        files.reverse();
        Ok(files)
    }

    /// Where the newest head of every family stands, by family.
    pub(crate) fn places(&self) -> Vec<Stand> {
        let files: Vec<&[Head]> = match self {
            Self::Kept(files) => files.iter().map(facts::Facts::heads).collect(),
            Self::Counted(all) => {
                return (0..all.len() as u32).map(|at| Stand { file: 0, at }).filter(|&at| self.is_one(at)).collect();
            }
        };
        let heads = files
            .iter()
            .zip(0..)
            .flat_map(|(heads, file)| heads.iter().zip(0..).map(move |(head, at)| (head.family, Stand { file, at })));
        let mut all: Vec<(u64, Stand)> = heads.collect();
        // Files are newest first, so the newest of a family stays in front.
        all.par_sort_unstable();
        all.dedup_by_key(|(family, _)| *family);
        all.into_iter().map(|(_, at)| at).filter(|&at| self.is_one(at)).collect()
    }

    /// The head that stands there.
    pub(crate) fn at(&self, at: Stand) -> &Head {
        match self {
            Self::Kept(files) => &files[at.file as usize].heads()[at.at as usize],
            Self::Counted(all) => &all[at.at as usize].head,
        }
    }

    /// Whether it is still a family.
    fn is_one(&self, at: Stand) -> bool {
        self.at(at).requests > 1
    }

    /// The number of the family with this name, at the level of prompts and system prompts, where standings are kept.
    pub(crate) fn number_of(store: &Store, id: FamilyId) -> Result<Option<u32>> {
        // A near-duplicate family of one prompt is kept as the exact one, whose name differs in the level only.
        let level = if id.level == Level::System { id.level } else { Level::Exact };
        let of = |head: &&Head| head.id == id.lead && level_of(head.family).0 == level && head.requests > 1;
        let found = |file: &facts::Facts<Mapped>| file.heads().iter().find(of).map(|head| level_of(head.family).1);
        Ok(Self::files(store)?.iter().find_map(found))
    }

    /// The newest head of one family.
    pub(crate) fn head(&self, family: u64) -> Option<&Head> {
        match self {
            Self::Kept(files) => files.iter().find_map(|file| file.of(family)),
            Self::Counted(all) => all.binary_search_by_key(&family, |s| s.head.family).ok().map(|i| &all[i].head),
        }
    }

    /// How a family stands, where it is one.
    pub(crate) fn of(&self, family: u64) -> Option<Standing> {
        match self {
            Self::Kept(files) => {
                let (file, head) = files.iter().find_map(|file| Some((file, *file.of(family)?)))?;
                Some(Standing { head, behind: postcard::from_bytes(file.behind(&head)).unwrap_or_default() })
            }
            Self::Counted(all) => all.binary_search_by_key(&family, |s| s.head.family).ok().map(|i| all[i].clone()),
        }
    }
}

/// The night of which the store keeps standings.
fn kept(store: &Store) -> Result<Option<u32>> {
    Ok(store.catalog().meta(OF_NIGHT)?.and_then(|night| night.parse().ok()))
}

/// The uses of all families, mapped once for as many families as are asked for.
pub(crate) struct AllUses(Vec<Uses<Mapped>>);

impl AllUses {
    /// # Errors
    /// `Store` when the store is damaged.
    pub(crate) fn open(store: &Store) -> Result<Self> {
        store.of_kind("uses").map(|file| store.read(file, Uses::open)).collect::<Result<_>>().map(Self)
    }

    /// The accounts of a family: requests, first and last moment.
    pub(crate) fn accounts_of(&self, head: &Head) -> BTreeMap<u32, (u64, i64, i64)> {
        let mut out = BTreeMap::new();
        let own = self.0.iter().flat_map(|uses| equal(uses.all(), |used| used.family.cmp(&head.family)));
        own.filter(|used| used.night >= head.uses_from)
            .for_each(|used| add(&mut out, used.account, (u64::from(used.requests), used.first, used.last)));
        out
    }
}

/// Adds requests with their first and last moment.
pub(crate) fn add(to: &mut BTreeMap<u32, (u64, i64, i64)>, account: u32, (requests, first, last): (u64, i64, i64)) {
    let entry = to.entry(account).or_insert((0, first, last));
    *entry = (entry.0 + requests, entry.1.min(first), entry.2.max(last));
}

/// What one account did.
pub(crate) struct OfOne {
    /// Requests by family, of all levels.
    pub(crate) requests: BTreeMap<u64, u64>,
    pub(crate) activity: Vec<Activity>,
    /// The first request on each day of each text that was sent more than once, by whomever, microseconds.
    pub(crate) starts: Vec<i64>,
}

impl OfOne {
    /// Reads that of an account where `standings` are kept, or counts it.
    /// # Errors
    /// `Store` when the store is damaged.
    pub(crate) fn new(store: &Store, view: &View, standings: &Standings, account: u32) -> Result<Self> {
        let mut out = Self { requests: BTreeMap::new(), activity: Vec::new(), starts: Vec::new() };
        if matches!(standings, Standings::Counted(_)) {
            count_with(store, view, &mut |family, rows| {
                let own: Vec<&Row> = rows.iter().filter(|row| row.posting.account == account).collect();
                if !own.is_empty() {
                    out.requests.insert(family, own.len() as u64);
                }
                if level_of(family).0 == Level::Exact {
                    // Rows are in order of time, so the first of a day comes first.
                    let mut days = HashSet::new();
                    let firsts = own.iter().filter(|row| days.insert(day(row.posting.time)));
                    out.starts.extend(firsts.map(|row| row.posting.time));
                }
            })?;
            out.activity = activity::of_all(store, view)?;
            out.activity.retain(|activity| activity.account == account);
            return Ok(out);
        }
        let mut firsts: BTreeMap<(u64, i32), i64> = BTreeMap::new();
        for file in store.of_kind("uses-by-account") {
            let uses: Sorted<Mapped, OfAccount> = store.read(file, Sorted::open)?;
            for used in equal(uses.all(), |used| used.account.cmp(&account)) {
                // Of a family that was counted again, what was written before counts no longer.
                if standings.head(used.family).is_some_and(|head| used.night >= head.uses_from) {
                    *out.requests.entry(used.family).or_default() += u64::from(used.requests);
                    if level_of(used.family).0 == Level::Exact {
                        let first = firsts.entry((used.family, used.day)).or_insert(used.first);
                        *first = used.first.min(*first);
                    }
                }
            }
        }
        out.starts = firsts.into_values().collect();
        for file in store.of_kind("activity") {
            let activity: Sorted<Mapped, Activity> = store.read(file, Sorted::open)?;
            out.activity.extend(equal(activity.all(), |activity| activity.account.cmp(&account)));
        }
        Ok(out)
    }
}

/// Calls `take` with every family that has a request: level, number, name and requests in order of time.
pub(crate) fn each_family(view: &View, facts: &Facts, take: &mut dyn FnMut(Level, u32, FamilyId, Vec<Row>)) {
    for (number, rows) in facts.groups(|posting| Some(facts.family(posting.prompt)).filter(|&family| family != SINGLE))
    {
        // A near-duplicate family of one distinct prompt is an exact family, and is listed as that.
        if rows.iter().any(|row| row.posting.prompt != rows[0].posting.prompt) {
            take(Level::NearDuplicate, number, view.families[number as usize].id(), rows);
        }
    }
    for (prompt, rows) in facts.groups(|posting| Some(posting.prompt)) {
        if rows.len() > 1 {
            take(Level::Exact, prompt, view.family_id(Level::Exact, prompt), rows);
        }
    }
    for (system, rows) in facts.groups(|posting| (posting.system != NONE).then_some(posting.system)) {
        take(Level::System, system, view.system_id(system), rows);
    }
    let by_system = by_system(view, 0..view.fragments.len() as u32);
    for family in fragment_families(view) {
        let rows = family.rows(view, &by_system);
        if !rows.is_empty() {
            take(Level::Fragment, family.head, view.fragments[family.head as usize].id(), rows);
        }
    }
}

/// Counts all families, in order.
fn count_all(store: &Store, view: &View) -> Result<Vec<Standing>> {
    count_with(store, view, &mut |_, _| {})
}

fn count_with(store: &Store, view: &View, take: &mut dyn FnMut(u64, &[Row])) -> Result<Vec<Standing>> {
    let facts = Facts::read(store, view)?;
    let mut out = Vec::new();
    each_family(view, &facts, &mut |level, number, id, rows| {
        let mut standing = Standing::count(store.nights(), level, number, id, &rows);
        finish(view, &rows, &mut standing);
        take(standing.head.family, &rows);
        out.push(standing);
    });
    out.sort_by_key(|standing| standing.head.family);
    Ok(out)
}

/// One family from all of its requests.
pub(crate) fn count_one(
    store: &Store,
    view: &View,
    (level, number, id): (Level, u32, FamilyId),
    rows: &[Row],
) -> Standing {
    let mut standing = Standing::count(store.nights(), level, number, id, rows);
    finish(view, rows, &mut standing);
    standing
}

/// What is not counted request by request.
fn finish(view: &View, rows: &[Row], standing: &mut Standing) {
    let (level, number) = level_of(standing.head.family);
    let mut prompts: Vec<u32> = rows.iter().map(|row| row.posting.prompt).collect();
    prompts.sort_unstable();
    prompts.dedup();
    standing.head.prompts = prompts.len() as u64;
    match level {
        Level::NearDuplicate => {
            standing.behind.smallest = prompts.iter().map(|&prompt| view.similarity(prompt)).fold(1.0, f32::min);
        }
        Level::Exact => standing.head.trivial = u32::from(is_trivial(view, number)),
        Level::Fragment => {
            let field = view.fragments[number as usize].field();
            let family = fragment_family(view, number);
            let mut fragment = BehindFragment::default();
            family.members.iter().for_each(|member| fragment.add(view, field, member));
            standing.head.prompts = family.members.len() as u64;
            standing.behind.fragment = Some(fragment);
        }
        Level::System => {}
    }
}

fn is_trivial(view: &View, prompt: u32) -> bool {
    let mut folded = String::new();
    view.folded(prompt, &mut folded);
    crate::text::is_trivial(&folded)
}
