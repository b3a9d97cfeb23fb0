//! Brings the standings of families to the newest night: what a night adds to the families that it met.

use super::super::fields::written;
use super::super::fragment_families::{fragment_family, joined};
use super::super::known::{self, SINGLE};
use super::super::rows::by_system;
use super::super::totals;
use super::super::view::View;
use super::{Behind, KINDS, OF_NIGHT, Standing, Standings, count_with, family_key, finish, is_trivial, kept, level_of};
use super::{activity, uses};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Field, Level};
use crate::store::facts::{self, Head};
use crate::store::members::Member;
use crate::store::postings::{NONE, Posting};
use crate::store::sorted::{self, Sorted, equal};
use crate::store::tiers::merge_older;
use crate::store::uses::{Activity, OfAccount, Use, Uses};
use crate::store::{Mapped, Night, Store, Writer};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Brings the standings to the newest night, in a commit of its own.
/// # Errors
/// `Store` when the store is damaged; `Io`. The store is then as it was.
pub(crate) fn keep(writer: &mut Writer) -> Result<()> {
    known::lay(writer)?;
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
    let (standings, mut activity, mut dropped) = if in_steps {
        let step = Step::new(store, &view)?;
        let activity = activity::of_night(store, &view, step.at, &|prompt, account| step.is_known(prompt, account))?;
        (step.take(store, &mut all_uses)?, activity, Vec::new())
    } else {
        let all = count_with(store, &view, &mut |family, rows| {
            uses(family, number, rows.iter().map(|row| &row.posting), &mut all_uses);
        })?;
        let older = store.files().iter().filter(|file| KINDS.contains(&file.kind.as_str()));
        (all, activity::of_all(store, &view)?, older.map(|file| file.name.clone()).collect())
    };
    let mut totals = Vec::new();
    for (i, night) in store.nights().iter().enumerate() {
        if store.catalog().meta(&totals::name(night.night))?.is_none() {
            let counted = totals::of_night(store, &view, i)?;
            totals.push((totals::name(night.night), serde_json::json!(counted).to_string()));
        }
    }
    let mut rows: Vec<(Head, Vec<u8>)> = standings
        .into_par_iter()
        .map(|standing| Ok((standing.head, postcard::to_allocvec(&standing.behind)?)))
        .collect::<postcard::Result<_>>()
        .map_err(|cause| Error::new(ErrorKind::Store, format!("facts of families: {cause}")))?;
    drop(view);
    // A file of the night may be there already: a forget took its name out of the catalog and a count gives it anew.
    let suffix = if dropped.is_empty() { String::new() } else { format!("-{}", store.files().len()) };
    let mut night = writer.newest()?;
    let mut table = |kind: &'static str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>| {
        let mut out = night.create(kind, &format!("{kind}{suffix}.bin"))?;
        write(&mut out).map_err(|cause| written(&cause))
    };
    let mut by_account: Vec<OfAccount> = all_uses.iter().map(OfAccount::of).collect();
    table("facts", &mut |out| facts::write(&mut rows, out))?;
    table("uses", &mut |out| sorted::write(&mut all_uses, out))?;
    table("uses-by-account", &mut |out| sorted::write(&mut by_account, out))?;
    table("activity", &mut |out| sorted::write(&mut activity, out))?;
    if in_steps {
        dropped.extend(merge_older(&writer.store, &mut night, "facts", facts::Facts::open, facts::merge)?);
        dropped.extend(merge_older(&writer.store, &mut night, "uses", Uses::open, sorted::merge)?);
        let by_account = Sorted::<_, OfAccount>::open;
        dropped.extend(merge_older(&writer.store, &mut night, "uses-by-account", by_account, sorted::merge)?);
        let activity = Sorted::<_, Activity>::open;
        dropped.extend(merge_older(&writer.store, &mut night, "activity", activity, sorted::merge)?);
    }
    writer.commit(night, &dropped, |db| {
        let set = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
        db.execute(set, (OF_NIGHT, number.to_string()))?;
        totals.iter().try_for_each(|(name, json)| db.execute(set, (name, json)).map(|_| ()))
    })
}

/// Takes all that is kept out of the store, with what replaces other files.
pub(crate) fn drop_all(store: &Store, rewrite: &mut crate::store::rewrite::Rewrite) {
    let kept = store.files().iter().filter(|file| KINDS.contains(&file.kind.as_str()));
    kept.for_each(|file| rewrite.drop_file(file));
}

/// Makes the catalog say that nothing is kept.
pub(crate) fn forget(db: &rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
    db.execute("DELETE FROM meta WHERE name = ?1 OR name GLOB 'totals-*'", [OF_NIGHT]).map(|_| ())
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
        let assigned = known::assigned_of_night(store, night.night)?;
        let now = assigned.iter().map(|of| (of.prompt, view.family_now(of), of.similarity()));
        let mut of_tonight: Vec<(u32, u32, f32)> = now.filter(|(_, family, _)| *family != SINGLE).collect();
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

    /// Whether an account sent a prompt before tonight.
    fn is_known(&self, prompt: u32, account: u32) -> bool {
        let family = family_key(Level::Exact, prompt);
        match self.before.head(family).filter(|head| head.requests > 0) {
            Some(head) => self.has_used((family, head.uses_from), account),
            // What came once is no family.
            None => self.view.postings_of(prompt).any(|(at, posting)| at < self.at && posting.account == account),
        }
    }

    /// Whether an account is in a family before tonight; its uses count from the commit `from` on.
    fn has_used(&self, (family, from): (u64, u32), account: u32) -> bool {
        let place = |used: &Use| (used.family, used.account).cmp(&(family, account));
        self.uses.iter().any(|uses| equal(uses.all(), place).iter().any(|used| used.night >= from))
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
        stand.extend(self.counted_again(&again, out));
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
        let mut place = 0;
        for same in self.tonight.chunk_by(|a, b| a.prompt == b.prompt) {
            let prompt = same[0].prompt;
            // A new prompt that is sent once is no family.
            let is_exact = self.is_old(prompt) || same.len() > 1;
            let family = self.view.family(prompt);
            for (posting, place) in same.iter().zip(place..) {
                if is_exact {
                    self.met.push((family_key(Level::Exact, prompt), place));
                }
                if family != SINGLE {
                    self.met.push((family_key(Level::NearDuplicate, family), place));
                }
                if posting.system != NONE {
                    self.met.push((family_key(Level::System, posting.system), place));
                }
            }
            place += same.len() as u32;
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
            if member.text < first[fragment.field() as usize] {
                self.again.insert(family);
            } else {
                self.met.extend(places(fragment.field(), member.text).into_iter().map(|place| (family, place)));
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
        let may_stand = level != Level::Exact || self.is_old(number);
        let before = if may_stand { self.before.of(family) } else { None };
        let before = before.filter(|standing| standing.head.requests > 0);
        let is_new = before.is_none();
        let mut standing = match before {
            Some(standing) => standing,
            None if self.is_of_tonight(level, number) => self.begun(level, number),
            None => return Added::MustBeCounted,
        };
        let from = standing.head.uses_from;
        standing.add(&self.night, &rows, &|account| !is_new && self.has_used((family, from), account));
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
            Level::Fragment => self.view.fragments[number as usize].id(),
            Level::NearDuplicate => self.view.families[number as usize].id(),
            Level::Exact => self.view.family_id(level, number),
            Level::System => self.view.system_id(number),
        };
        Standing::new(level, number, id)
    }

    /// Texts that hold the fragment since tonight.
    fn add_texts(&self, head: u32, standing: &mut Standing) {
        let fragment = standing.behind.fragment.get_or_insert_default();
        let field = self.view.fragments[head as usize].field();
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
    fn counted_again(&self, again: &BTreeSet<u64>, out: &mut Vec<Use>) -> Vec<Standing> {
        let numbered = again.iter().map(|&family| level_of(family));
        let heads = numbered.filter(|(level, _)| *level == Level::Fragment).map(|(_, head)| head);
        let by_system = by_system(self.view, heads);
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
            finish(self.view, &rows, &mut standing);
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
        counted
            .into_iter()
            .flatten()
            .map(|(standing, own)| {
                out.extend(own);
                standing
            })
            .collect()
    }
}
