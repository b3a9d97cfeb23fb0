//! Fragment families as reports show them: who sent them, what stands around them, their text with slots.

use super::facts::Row;
use super::fragments::Member;
use super::view::{SINGLE, View};
use crate::family::template::{self, Part, Template};
use crate::ids::{Field, Level};
use crate::report::{Fragment as Details, Place};
use crate::text::fold_aligned;
use std::collections::{BTreeMap, HashMap};

/// Texts whose fragment is aligned for the template.
const MOST_READ: usize = 64;
/// Parts whose text is shown.
const MOST_PARTS: usize = 4;
/// Near-duplicate families that are named.
const MOST_NAMED: usize = 8;
/// Bytes of a text before or behind a fragment that still count as its start or end.
const EDGE: u32 = 8;
/// A fragment this many days old, of this share of all accounts and at least so many, is offered for the list of known texts.
const OLD_DAYS: i64 = 7;
const COMMON_SHARE: f64 = 0.01;
const COMMON_ACCOUNTS: u64 = 50;

/// A fragment family: its parts and the texts that hold any of them.
pub(crate) struct FragmentFamily {
    pub(crate) head: u32,
    /// Its parts, the head first.
    parts: Vec<u32>,
    /// One of each text, the parts of one text joined.
    pub(crate) members: Vec<Member>,
}

/// The fragment families of a store, by number of their head.
pub(crate) fn fragment_families(view: &View) -> Vec<FragmentFamily> {
    let mut parts: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (number, fragment) in (0u32..).zip(&view.fragments) {
        parts.entry(fragment.head).or_default().push(number);
    }
    parts.into_iter().map(|(head, parts)| one(view, head, parts)).collect()
}

/// The family that this head leads.
pub(crate) fn fragment_family(view: &View, head: u32) -> FragmentFamily {
    let parts = (0u32..).zip(&view.fragments).filter(|(_, f)| f.head == head).map(|(number, _)| number);
    one(view, head, parts.collect())
}

fn one(view: &View, head: u32, mut parts: Vec<u32>) -> FragmentFamily {
    parts.sort_by_key(|&part| (part != head, part));
    let mut all: Vec<Member> = parts.iter().flat_map(|&part| view.fragment_members(part)).copied().collect();
    all.sort_by_key(|member| (member.text, member.fragment != head, member.fragment));
    let members = all.chunk_by(|a, b| a.text == b.text).map(|of_text| joined(head, of_text)).collect();
    FragmentFamily { head, parts, members }
}

/// What one text holds of a family: its parts, those that lie over each other once.
fn joined(head: u32, of_text: &[Member]) -> Member {
    let mut taken: Vec<&Member> = Vec::new();
    for member in of_text {
        if taken.iter().all(|other| member.end <= other.first || other.end <= member.first) {
            taken.push(member);
        }
    }
    let held: u32 = taken.iter().map(|member| member.held).sum();
    Member { fragment: head, held: held.min(of_text[0].length), ..of_text[0] }
}

impl FragmentFamily {
    /// Its parts, the head first.
    pub(crate) fn parts(&self) -> impl Iterator<Item = u32> + '_ {
        self.parts.iter().copied()
    }

    /// Its requests, in order of time.
    pub(crate) fn rows(&self, view: &View, by_system: &HashMap<u32, Vec<Row>>) -> Vec<Row> {
        let field = view.fragments[self.head as usize].field;
        let mut rows: Vec<Row> = Vec::new();
        for member in &self.members {
            match field {
                Field::System => rows.extend(by_system.get(&member.text).into_iter().flatten()),
                _ => {
                    for (night, postings) in view.postings(field).iter().enumerate() {
                        rows.extend(
                            postings.of(member.text).iter().map(|&posting| Row { posting, night: night as u16 }),
                        );
                    }
                }
            }
        }
        // A request of which several earlier turns hold the fragment is one request.
        rows.sort_by_key(|row| (row.posting.time, row.night, row.posting.row, row.posting.prompt));
        rows.dedup_by_key(|row| (row.night, row.posting.row));
        rows
    }

    /// The text of the family, as it came, with slots where members differ.
    pub(crate) fn template(&self, view: &View) -> Template {
        let field = view.fragments[self.head as usize].field;
        let mut out = Template::default();
        // Where the parts that are shown stand in each text: a part that stands over them says the same again.
        let mut shown: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
        let mut n_shown = 0;
        for &part in &self.parts {
            let members = view.fragment_members(part);
            let over = |member: &&Member| {
                let places = shown.get(&member.text).map_or(&[][..], Vec::as_slice);
                places.iter().any(|&(first, end)| member.first < end && first < member.end)
            };
            if n_shown == MOST_PARTS {
                break;
            }
            if 2 * members.iter().filter(over).count() > members.len() {
                continue;
            }
            n_shown += 1;
            members.iter().for_each(|m| shown.entry(m.text).or_default().push((m.first, m.end)));
            let step = members.len().div_ceil(MOST_READ).max(1);
            let windows: Vec<&str> = members
                .iter()
                .step_by(step)
                .map(|member| {
                    let raw = view.field_text(field, member.text).0;
                    let aligned = fold_aligned(raw);
                    raw.get(aligned.raw_range(member.first as usize..member.end as usize)).unwrap_or_default().trim()
                })
                .collect();
            // A window that lacks nothing leads: a cut one would make slots of what it lacks.
            let full = members.iter().step_by(step).map(|member| member.held).max().unwrap_or(0);
            let lead = members.iter().step_by(step).position(|member| member.held == full).unwrap_or(0);
            let induced = template::induce(windows.get(lead).copied().unwrap_or_default(), &windows);
            append(&mut out, induced);
        }
        out
    }

    /// What a report says of it beside what it says of any family.
    pub(crate) fn details(&self, view: &View, days: i64, accounts: u64, all_accounts: u64) -> Details {
        let fragment = &view.fragments[self.head as usize];
        let mut place = Place::default();
        let mut shares: Vec<f64> = Vec::with_capacity(self.members.len());
        let mut near: BTreeMap<u32, u64> = BTreeMap::new();
        for member in &self.members {
            if member.first <= EDGE {
                place.start += 1;
            } else if member.end + EDGE >= member.length {
                place.end += 1;
            } else {
                place.middle += 1;
            }
            shares.push((f64::from(member.held) / f64::from(member.length.max(1))).min(1.0));
            if fragment.field == Field::Prompt
                && let Some(&family) = view.family_of.get(member.text as usize).filter(|&&family| family != SINGLE)
            {
                *near.entry(view.families[family as usize].leader).or_default() += 1;
            }
        }
        shares.sort_by(f64::total_cmp);
        let mut leading: Vec<(u64, u32)> = near.iter().map(|(&leader, &n)| (n, leader)).collect();
        leading.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let named = leading.iter().take(MOST_NAMED).map(|&(_, leader)| view.family_id(Level::NearDuplicate, leader));
        let common = accounts >= COMMON_ACCOUNTS.max((COMMON_SHARE * all_accounts as f64).ceil() as u64);
        Details {
            field: fragment.field,
            digest: fragment.digest(),
            texts: self.members.len() as u64,
            place,
            share: shares.get(shares.len() / 2).map_or(0.0, |share| (share * 1e4).round() / 1e4),
            parts: self.parts.len() as u64,
            near_families: near.len() as u64,
            largest_near_families: named.collect(),
            known: fragment.known.clone(),
            registry_candidate: fragment.known.is_none() && common && days >= OLD_DAYS,
        }
    }
}

/// Puts a part behind the others, with a slot between them.
fn append(out: &mut Template, mut part: Template) {
    if !out.parts.is_empty() {
        let gap = out.slots.len() as u32 + 1;
        out.parts.push(Part::Slot(gap));
        out.slots.push(template::Slot { slot: gap, distinct_values: 0, absent: 0, examples: Vec::new() });
    }
    let before = out.slots.len() as u32;
    for piece in &mut part.parts {
        if let Part::Slot(slot) = piece {
            *slot += before;
        }
    }
    part.slots.iter_mut().for_each(|slot| slot.slot += before);
    out.parts.append(&mut part.parts);
    out.slots.append(&mut part.slots);
    out.members = out.members.max(part.members);
}
