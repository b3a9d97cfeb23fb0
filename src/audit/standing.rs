//! How each family stands: its accounts, requests and growth, kept from night to night.
//!
//! A commit is followed by a second one that brings the standings forward: a family that only got requests of tonight has them added, its
//! accounts told new or known by its uses; one whose members changed among older prompts is counted again; the others are not touched.
//! All of it can be counted from the postings, and is where the standings are not of the newest night: after a forget, in a
//! store of an older format, behind a writer that was killed between the two commits. Weakness: a family that takes in older prompts
//! every night is counted again every night. Guarantee: counted in steps or at once, the same (`tests`).

use super::facts::{Facts, Row, by_system};
use super::fields::written;
use super::fragment_families::{fragment_families, fragment_family, joined};
use super::totals;
use super::view::{SINGLE, View};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, FamilyId, Field, Level, Time};
use crate::report::Place;
use crate::store::facts::{self, Head};
use crate::store::members::Member;
use crate::store::postings::{NONE, Posting};
use crate::store::sorted::{self, equal};
use crate::store::uses::{Use, Uses};
use crate::store::{Mapped, Named, Night, Store, Writer, tables};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Under which name the catalog says of which night the standings are, in its table `meta`.
const OF_NIGHT: &str = "standings";

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
fn uses<'a>(family: u64, night: u32, rows: impl Iterator<Item = &'a Posting>, out: &mut Vec<Use>) {
    let mut rows: Vec<(u32, i64, i64)> = rows.map(|row| (row.account, day(row.time), row.time)).collect();
    rows.sort_unstable();
    out.extend(rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(|same| {
        let (account, day, first) = same[0];
        let last = same[same.len() - 1].2;
        Use { family, account, day: day as i32, requests: same.len() as u32, night, first, last }
    }));
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
        match kept(store)? {
            Some(night) if store.nights().last().is_some_and(|last| last.night == night) => Self::files(store).map(Self::Kept),
            _ => Ok(Self::Counted(count_all(store, view)?)),
        }
    }

    fn files(store: &Store) -> Result<Vec<facts::Facts<Mapped>>> {
        let mut files: Vec<_> =
            store.of_kind("facts").map(|file| store.read(file, facts::Facts::open)).collect::<Result<_>>()?;
        files.reverse();
        Ok(files)
    }

    /// The newest head of every family, by family.
    pub(crate) fn heads(&self) -> Vec<Head> {
        let mut heads: Vec<Head> = match self {
            Self::Kept(files) => files.iter().flat_map(|file| file.heads()).copied().collect(),
            Self::Counted(all) => all.iter().map(|standing| standing.head).collect(),
        };
        // The sort is stable, so the newest of a family stays in front.
        heads.sort_by_key(|head| head.family);
        heads.dedup_by_key(|head| head.family);
        heads.retain(|head| head.requests > 1);
        heads
    }

    /// The number of the family with this name, at the level of prompts and system prompts, where standings are kept.
    pub(crate) fn number_of(store: &Store, id: FamilyId) -> Result<Option<u32>> {
        // A near-duplicate family of one prompt is kept as the exact one, whose name differs in the level only.
        let level = if id.level == Level::System { id.level } else { Level::Exact };
        let of = |head: &&Head| head.id == id.lead && level_of(head.family).0 == level && head.requests > 1;
        let found = |file: &facts::Facts<Mapped>| file.heads().iter().find(of).map(|head| level_of(head.family).1);
        Ok(Self::files(store)?.iter().find_map(found))
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

/// Calls `take` with every family that has a request: level, number, name and requests in order of time.
pub(crate) fn each_family(
    store: &Store,
    view: &View,
    facts: &Facts,
    take: &mut dyn FnMut(Level, u32, FamilyId, Vec<Row>),
) -> Result<()> {
    for (number, rows) in facts.groups(|posting| Some(view.family(posting.prompt)).filter(|&family| family != SINGLE)) {
        // A near-duplicate family of one distinct prompt is an exact family, and is listed as that.
        if rows.iter().any(|row| row.posting.prompt != rows[0].posting.prompt) {
            take(Level::NearDuplicate, number, view.families[number as usize].id, rows);
        }
    }
    for (prompt, rows) in facts.groups(|posting| Some(posting.prompt)) {
        if rows.len() > 1 {
            take(Level::Exact, prompt, view.family_id(Level::Exact, prompt), rows);
        }
    }
    let digests = super::facts::system_digests(store)?;
    for (system, rows) in facts.groups(|posting| (posting.system != NONE).then_some(posting.system)) {
        let digest = digests.get(system as usize).copied().unwrap_or(Digest([0; 32]));
        take(Level::System, system, FamilyId::derive(&view.naming_key, Level::System, &digest), rows);
    }
    let by_system = by_system(view);
    for family in fragment_families(view) {
        let rows = family.rows(view, &by_system);
        if !rows.is_empty() {
            take(Level::Fragment, family.head, view.fragments[family.head as usize].id, rows);
        }
    }
    Ok(())
}

/// Counts all families, in order.
fn count_all(store: &Store, view: &View) -> Result<Vec<Standing>> {
    count_with(store, view, &mut |_, _| {})
}

fn count_with(store: &Store, view: &View, take: &mut dyn FnMut(u64, &[Row])) -> Result<Vec<Standing>> {
    let facts = Facts::read(store, view)?;
    let similarity = similarities(store)?;
    let mut out = Vec::new();
    each_family(store, view, &facts, &mut |level, number, id, rows| {
        let mut standing = Standing::count(store.nights(), level, number, id, &rows);
        finish(view, &similarity, &rows, &mut standing);
        take(standing.head.family, &rows);
        out.push(standing);
    })?;
    out.sort_by_key(|standing| standing.head.family);
    Ok(out)
}

/// One family from all of its requests.
pub(crate) fn count_one(
    store: &Store,
    view: &View,
    (level, number, id): (Level, u32, FamilyId),
    rows: &[Row],
) -> Result<Standing> {
    let mut standing = Standing::count(store.nights(), level, number, id, rows);
    finish(view, &similarities(store)?, rows, &mut standing);
    Ok(standing)
}

/// What is not counted request by request.
fn finish(view: &View, similarity: &HashMap<u32, f32>, rows: &[Row], standing: &mut Standing) {
    let (level, number) = level_of(standing.head.family);
    let mut prompts: Vec<u32> = rows.iter().map(|row| row.posting.prompt).collect();
    prompts.sort_unstable();
    prompts.dedup();
    standing.head.prompts = prompts.len() as u64;
    match level {
        Level::NearDuplicate => {
            let of = |prompt| similarity.get(prompt).copied().unwrap_or(1.0);
            standing.behind.smallest = prompts.iter().map(of).fold(1.0, f32::min);
        }
        Level::Exact => standing.head.trivial = u32::from(is_trivial(view, number)),
        Level::Fragment => {
            let field = view.fragments[number as usize].field;
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

/// Similarity of prompts to the leader of their family, when they joined it.
fn similarities(store: &Store) -> Result<HashMap<u32, f32>> {
    let mut out = HashMap::new();
    for file in store.of_kind("assigned") {
        out.extend(assigned(store, file)?.into_iter().map(|(prompt, _, similarity)| (prompt, similarity)));
    }
    Ok(out)
}

/// (prompt, family, similarity) of those that a night assigned.
fn assigned(store: &Store, file: &Named) -> Result<Vec<(u32, u32, f32)>> {
    let mut out = Vec::new();
    for batch in tables::read(&store.path(file), &["prompt", "family", "similarity"], None)? {
        let batch = batch?;
        let number = |i: usize| batch.column(i).as_primitive::<UInt32Type>().values().as_ref();
        let similarity = batch.column(2).as_primitive::<Float32Type>().values();
        out.extend((0..batch.num_rows()).map(|row| (number(0)[row], number(1)[row], similarity[row])));
    }
    Ok(out)
}

/// Brings the standings to the newest night, in a commit of its own.
/// # Errors
/// `Store` when the store is damaged; `Io`. The store is then as it was.
pub(crate) fn keep(writer: &mut Writer) -> Result<()> {
    let store = &writer.store;
    let Some(last) = store.nights().last() else { return Ok(()) };
    let number = last.night;
    let before = kept(store)?;
    if before == Some(number) {
        return Ok(());
    }
    let view = View::open(store)?;
    let mut all_uses = Vec::new();
    let in_steps = store.nights().len() == 1 || before.is_some_and(|kept| kept + 1 == number);
    let (standings, dropped) = if in_steps {
        (Step::new(store, &view)?.take(store, &mut all_uses)?, Vec::new())
    } else {
        let all = count_with(store, &view, &mut |family, rows| {
            uses(family, number, rows.iter().map(|row| &row.posting), &mut all_uses);
        })?;
        let older = store.files().iter().filter(|file| matches!(file.kind.as_str(), "facts" | "uses"));
        (all, older.map(|file| file.name.clone()).collect())
    };
    let mut totals = Vec::new();
    for (i, night) in store.nights().iter().enumerate() {
        if store.catalog().meta(&totals::name(night.night))?.is_none() {
            let counted = totals::of_night(store, &view, i)?;
            totals.push((totals::name(night.night), serde_json::json!(counted).to_string()));
        }
    }
    let mut night = writer.newest()?;
    let mut rows: Vec<(Head, Vec<u8>)> = standings
        .into_par_iter()
        .map(|standing| Ok((standing.head, postcard::to_allocvec(&standing.behind)?)))
        .collect::<postcard::Result<_>>()
        .map_err(|cause| Error::new(ErrorKind::Store, format!("facts of families: {cause}")))?;
    // A file of the night may be there already: a forget took its name out of the catalog and a count gives it anew.
    let round = dropped.len();
    facts::write(&mut rows, &mut night.create("facts", &format!("facts{}.bin", suffix(store, round)))?)
        .map_err(|cause| written(&cause))?;
    sorted::write(&mut all_uses, &mut night.create("uses", &format!("uses{}.bin", suffix(store, round)))?)
        .map_err(|cause| written(&cause))?;
    drop(view);
    writer.commit(night, &dropped, |db| {
        let set = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
        db.execute(set, (OF_NIGHT, number.to_string()))?;
        totals.iter().try_for_each(|(name, json)| db.execute(set, (name, json)).map(|_| ()))
    })
}

/// Takes all that is kept out of the store, with what replaces other files.
pub(super) fn drop_all(store: &Store, rewrite: &mut crate::store::rewrite::Rewrite) {
    let kept = store.files().iter().filter(|file| matches!(file.kind.as_str(), "facts" | "uses"));
    kept.for_each(|file| rewrite.drop_file(file));
}

/// Makes the catalog say that nothing is kept.
pub(super) fn forget(db: &rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
    db.execute("DELETE FROM meta WHERE name = ?1 OR name GLOB 'totals-*'", [OF_NIGHT]).map(|_| ())
}

/// What tells the name of a file from that of one which it replaces.
fn suffix(store: &Store, n_dropped: usize) -> String {
    if n_dropped == 0 { String::new() } else { format!("-{}", store.files().len()) }
}

/// One night's step.
struct Step<'a> {
    nights: &'a [Night],
    view: &'a View,
    /// Place of the newest night.
    at: usize,
    night: Night,
    tonight: &'a [Posting],
    before: Standings,
    /// Uses before tonight, with the night of each file.
    uses: Vec<Uses<Mapped>>,
    /// What tonight assigned: prompt, family as it is now, similarity.
    assigned: Vec<(u32, u32, f32)>,
    /// Requests of families: family, place in the night's postings, or in those of turns.
    met: Vec<(u64, u32)>,
    /// Families that are counted again.
    again: BTreeSet<u64>,
    /// Texts that hold a fragment since tonight, by family.
    new_texts: Vec<Member>,
    /// Older prompts that joined a near-duplicate family tonight, by the fragment families that they are in: (fragment family, family).
    joined_near: Vec<(u64, u32)>,
}

/// What became of a family that got requests.
enum Added {
    /// How it stands, and its uses of tonight.
    Stands(Box<Standing>, Vec<Use>),
    /// It has one request, or one prompt.
    IsNone,
    /// It has older requests that were not kept.
    MustBeCounted,
}

/// Marks a place among the postings of earlier turns.
const OF_TURNS: u32 = 1 << 31;

impl<'a> Step<'a> {
    fn new(store: &'a Store, view: &'a View) -> Result<Self> {
        let at = store.nights().len() - 1;
        let night = store.nights()[at];
        let of_night = store.of_kind("assigned").filter(|file| file.night == night.night);
        let mut of_tonight = Vec::new();
        for file in of_night {
            of_tonight.extend(assigned(store, file)?);
        }
        of_tonight.retain(|(_, family, _)| (*family as usize) < view.families.len());
        of_tonight.iter_mut().for_each(|(_, family, _)| *family = view.root(*family));
        of_tonight.sort_by_key(|(prompt, family, _)| (*family, *prompt));
        Ok(Self {
            nights: store.nights(),
            view,
            at,
            night,
            tonight: view.postings[at].all(),
            before: Standings::Kept(Standings::files(store)?),
            uses: store.of_kind("uses").map(|file| store.read(file, Uses::open)).collect::<Result<_>>()?,
            assigned: of_tonight,
            met: Vec::new(),
            again: BTreeSet::new(),
            new_texts: Vec::new(),
            joined_near: Vec::new(),
        })
    }

    fn is_old(&self, prompt: u32) -> bool {
        prompt < self.night.first_prompt
    }

    /// The families that tonight touched, as they stand now; their uses of tonight go to `out`.
    fn take(mut self, store: &Store, out: &mut Vec<Use>) -> Result<Vec<Standing>> {
        let mut stand = self.near_changes(store)?;
        self.requests();
        self.fragments()?;
        let mut met = std::mem::take(&mut self.met);
        met.par_sort_unstable();
        met.dedup();
        // Families that only change are not counted again, and are met without a request.
        met.retain(|(family, _)| !self.again.contains(family));
        let groups: Vec<&[(u64, u32)]> = met.chunk_by(|a, b| a.0 == b.0).collect();
        let added: Vec<Added> = groups.par_iter().map(|group| self.added(group)).collect();
        for (added, group) in added.into_iter().zip(&groups) {
            match added {
                Added::Stands(standing, uses) => {
                    stand.push(*standing);
                    out.extend(uses);
                }
                Added::IsNone => {}
                Added::MustBeCounted => {
                    self.again.insert(group[0].0);
                }
            }
        }
        let again = std::mem::take(&mut self.again);
        stand.extend(self.counted_again(store, &again, out)?);
        stand.extend(self.only_joined(&met, &again));
        Ok(stand)
    }

    /// Near-duplicate families whose older members changed; returns those that are none any longer.
    fn near_changes(&mut self, store: &Store) -> Result<Vec<Standing>> {
        for &(prompt, family, _) in &self.assigned {
            if self.is_old(prompt) {
                self.again.insert(family_key(Level::NearDuplicate, family));
                let heads = self.view.held_before(Field::Prompt, prompt, self.night.night).into_iter();
                self.joined_near.extend(heads.map(|head| (family_key(Level::Fragment, head), family)));
            }
        }
        self.joined_near.sort_unstable();
        let query = "SELECT family FROM families WHERE merged_night = ?1";
        let merged: Vec<u32> = store.catalog().all(query, [self.night.night], |row| row.get(0))?;
        let mut gone = Vec::new();
        for family in merged {
            self.again.insert(family_key(Level::NearDuplicate, self.view.root(family)));
            let key = family_key(Level::NearDuplicate, family);
            if self.before.of(key).is_some() {
                let head = Head { family: key, last_night: self.night.night, ..Head::default() };
                gone.push(Standing { head, behind: Behind::default() });
            }
        }
        Ok(gone)
    }

    /// Requests by prompt, family and system prompt.
    fn requests(&mut self) {
        for (posting, place) in self.tonight.iter().zip(0u32..) {
            self.met.push((family_key(Level::Exact, posting.prompt), place));
            let family = self.view.family(posting.prompt);
            if family != SINGLE {
                self.met.push((family_key(Level::NearDuplicate, family), place));
            }
            if posting.system != NONE {
                self.met.push((family_key(Level::System, posting.system), place));
            }
        }
    }

    /// Requests by fragment family.
    fn fragments(&mut self) -> Result<()> {
        let (view, night) = (self.view, self.night);
        let first = [night.first_prompt, night.first_system, night.first_turn];
        let postings = [view.postings[self.at].all(), &[], view.postings(Field::Turn)[self.at].all()];
        let mut by_system: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (posting, place) in self.tonight.iter().zip(0u32..).filter(|(posting, _)| posting.system != NONE) {
            by_system.entry(posting.system).or_default().push(place);
        }
        let places = |field: Field, text: u32| -> Vec<u32> {
            if field == Field::System {
                return by_system.get(&text).cloned().unwrap_or_default();
            }
            let all = postings[field as usize];
            let from = all.partition_point(|posting| posting.prompt < text);
            let mark = if field == Field::Turn { OF_TURNS } else { 0 };
            let own = all[from..].iter().zip(from as u32..).take_while(|(posting, _)| posting.prompt == text);
            own.map(|(_, place)| place | mark).collect()
        };
        for member in view.members_of_night(night.night) {
            let Some(fragment) = view.fragments.get(member.fragment as usize) else { continue };
            let family = family_key(Level::Fragment, fragment.head);
            if member.text < first[fragment.field as usize] {
                self.again.insert(family);
            } else {
                self.met.extend(places(fragment.field, member.text).into_iter().map(|place| (family, place)));
                self.new_texts.push(Member { fragment: fragment.head, ..*member });
            }
        }
        self.new_texts.sort_by_key(|member| (member.fragment, member.text));
        // Texts that held a fragment before and came again.
        let mut older: Vec<(Field, u32)> =
            self.tonight.iter().filter(|p| self.is_old(p.prompt)).map(|p| (Field::Prompt, p.prompt)).collect();
        older.dedup();
        older.extend(by_system.keys().filter(|&&s| s < night.first_system).map(|&system| (Field::System, system)));
        for (field, text) in older {
            for head in view.held_before(field, text, night.night) {
                let family = family_key(Level::Fragment, head);
                self.met.extend(places(field, text).into_iter().map(|place| (family, place)));
            }
        }
        Ok(())
    }

    /// A family with tonight's requests added.
    fn added(&self, group: &[(u64, u32)]) -> Added {
        let family = group[0].0;
        let (level, number) = level_of(family);
        let turns = self.view.postings(Field::Turn)[self.at].all();
        let mut rows: Vec<Posting> = group
            .iter()
            .map(|&(_, place)| match place & OF_TURNS {
                0 => self.tonight[place as usize],
                _ => turns[(place & !OF_TURNS) as usize],
            })
            .collect();
        if level == Level::Fragment {
            rows.sort_by_key(|row| (row.row, row.prompt));
            rows.dedup_by_key(|row| row.row);
        }
        let before = self.before.of(family).filter(|standing| standing.head.requests > 0);
        let is_new = before.is_none();
        let mut standing = match before {
            Some(standing) => standing,
            None if self.is_of_tonight(level, number) => self.begun(level, number),
            None => return Added::MustBeCounted,
        };
        let from = standing.head.uses_from;
        let own: Vec<&[Use]> = match is_new {
            true => Vec::new(),
            false => self.uses.iter().map(|uses| equal(uses.all(), |used| used.family.cmp(&family))).collect(),
        };
        standing.add(&self.night, &rows, &|account| {
            let of_account = |used: &&[Use]| {
                equal(used, |used| used.account.cmp(&account)).iter().any(|used| used.night >= from)
            };
            own.iter().any(of_account)
        });
        let mut out = Vec::new();
        match level {
            Level::Exact => {
                // A prompt sent once is no family, and is not kept as one.
                if standing.head.requests < 2 {
                    return Added::IsNone;
                }
                (standing.head.prompts, standing.head.trivial) = (1, u32::from(is_trivial(self.view, number)));
            }
            Level::NearDuplicate => {
                standing.head.prompts = self.view.members(number).len() as u64;
                if standing.head.prompts < 2 {
                    return Added::IsNone;
                }
                let own = equal(&self.assigned, |(_, family, _)| family.cmp(&number)).iter();
                let smallest = own.map(|(.., similarity)| *similarity).fold(1.0, f32::min);
                standing.behind.smallest = standing.behind.smallest.min(smallest);
            }
            Level::System => {
                let mut prompts: Vec<u32> = rows.iter().map(|row| row.prompt).collect();
                prompts.sort_unstable();
                prompts.dedup();
                let sent_before = |prompt: u32| {
                    let older = self.view.postings_of(prompt).filter(|(night, _)| *night < self.at);
                    older.into_iter().any(|(_, posting)| posting.system == number)
                };
                let new = prompts.iter().filter(|&&p| !self.is_old(p) || is_new || !sent_before(p)).count();
                standing.head.prompts += new as u64;
            }
            Level::Fragment => self.add_texts(number, &mut standing),
        }
        uses(family, self.night.night, rows.iter(), &mut out);
        Added::Stands(Box::new(standing), out)
    }

    /// Whether all requests of a family that is not kept are of tonight.
    fn is_of_tonight(&self, level: Level, number: u32) -> bool {
        match level {
            Level::Exact => !self.is_old(number),
            Level::NearDuplicate => self.view.families[number as usize].night == self.night.night,
            Level::System => number >= self.night.first_system,
            Level::Fragment => self.view.fragments[number as usize].night == self.night.night,
        }
    }

    fn begun(&self, level: Level, number: u32) -> Standing {
        let id = match level {
            Level::Fragment => self.view.fragments[number as usize].id,
            Level::NearDuplicate => self.view.families[number as usize].id,
            Level::Exact => self.view.family_id(level, number),
            Level::System => FamilyId::derive(&self.view.naming_key, level, &self.view.system_digest(number)),
        };
        Standing::new(level, number, id)
    }

    /// Texts that hold the fragment since tonight.
    fn add_texts(&self, head: u32, standing: &mut Standing) {
        let fragment = standing.behind.fragment.get_or_insert_default();
        let field = self.view.fragments[head as usize].field;
        let own = equal(&self.new_texts, |member| member.fragment.cmp(&head));
        for of_text in own.chunk_by(|a, b| a.text == b.text) {
            fragment.add(self.view, field, &joined(head, of_text));
            standing.head.prompts += 1;
        }
        for (_, family) in equal(&self.joined_near, |joined| joined.0.cmp(&standing.head.family)) {
            *fragment.near.entry(*family).or_default() += 1;
        }
    }

    /// Fragment families without a request of tonight of which an older prompt joined a near-duplicate family.
    fn only_joined(&self, met: &[(u64, u32)], again: &BTreeSet<u64>) -> Vec<Standing> {
        let mut families: Vec<u64> = self.joined_near.iter().map(|joined| joined.0).collect();
        families.dedup();
        families.retain(|family| !again.contains(family) && equal(met, |m| m.0.cmp(family)).is_empty());
        let mut out = Vec::new();
        for family in families {
            let Some(mut standing) = self.before.of(family) else { continue };
            self.add_texts(level_of(family).1, &mut standing);
            out.push(standing);
        }
        out
    }

    /// Families counted from all of their requests.
    fn counted_again(&self, store: &Store, again: &BTreeSet<u64>, out: &mut Vec<Use>) -> Result<Vec<Standing>> {
        let any = |level| again.iter().any(|&family| level_of(family).0 == level);
        let similarity = if any(Level::NearDuplicate) { similarities(store)? } else { HashMap::new() };
        let by_system = if any(Level::Fragment) { by_system(self.view) } else { HashMap::new() };
        let keys: Vec<u64> = again.iter().copied().collect();
        let count = |&family: &u64| -> Option<(Standing, Vec<Use>)> {
            let (level, number) = level_of(family);
            let mut rows = match level {
                Level::Exact => self.view.rows_of(&[number]),
                Level::NearDuplicate => self.view.rows_of(&self.view.members(number)),
                Level::System => self.view.rows_of_system(number),
                Level::Fragment => fragment_family(self.view, number).rows(self.view, &by_system),
            };
            rows.sort_by_key(|row| (row.posting.time, row.night, row.posting.row));
            let mut standing = Standing::count(self.nights, level, number, self.begun(level, number).id(), &rows);
            finish(self.view, &similarity, &rows, &mut standing);
            if standing.head.requests < 2 || level == Level::NearDuplicate && standing.head.prompts < 2 {
                let head = Head { family, last_night: self.night.night, ..Head::default() };
                let keep = self.before.of(family).is_some();
                return keep.then(|| (Standing { head, behind: Behind::default() }, Vec::new()));
            }
            standing.head.uses_from = self.night.night;
            let mut own = Vec::new();
            uses(family, self.night.night, rows.iter().map(|row| &row.posting), &mut own);
            Some((standing, own))
        };
        let counted: Vec<Option<(Standing, Vec<Use>)>> = keys.par_iter().map(count).collect();
        Ok(counted
            .into_iter()
            .flatten()
            .map(|(standing, own)| {
                out.extend(own);
                standing
            })
            .collect())
    }
}
