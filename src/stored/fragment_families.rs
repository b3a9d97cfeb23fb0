//! Fragment families as reports show them: who sent them, what stands around them, their text with slots.

use super::rows::by_system;
use super::view::Row;
use super::view::View;
use crate::family::template::{self, Part, Template};
use crate::ids::Field;
use crate::store::members::Member;
use crate::text::fold_aligned;
use std::collections::HashMap;

/// Texts whose fragment is aligned for the template.
const MOST_READ: usize = 16;
/// Parts whose text is shown.
const MOST_PARTS: usize = 4;

/// A fragment family: its parts and the texts that hold any of them.
pub(crate) struct FragmentFamily {
    pub(crate) head: u32,
    /// Its parts, the head first.
    parts: Vec<u32>,
    /// One of each text, the parts of one text joined.
    pub(crate) members: Vec<Member>,
}

/// The fragment families of a store, by number of their head.
pub(crate) fn fragment_families(view: &View) -> impl Iterator<Item = FragmentFamily> {
    let heads = view.fragments.iter().filter(|(number, fragment)| fragment.head == *number);
    heads.map(|(head, _)| fragment_family(view, head))
}

/// The parts of a family, the head first.
fn parts(view: &View, head: u32) -> Vec<u32> {
    let mut parts = view.parts(head);
    parts.sort_by_key(|&part| (part != head, part));
    parts
}

/// The family that this head leads.
pub(crate) fn fragment_family(view: &View, head: u32) -> FragmentFamily {
    fragment_family_of(view, head, usize::MAX)
}

/// The same with at most so many texts of each part, evenly chosen.
pub(crate) fn fragment_family_of(view: &View, head: u32, most: usize) -> FragmentFamily {
    let parts = parts(view, head);
    let mut all: Vec<Member> = parts.iter().flat_map(|&part| view.some_members(part, most)).collect();
    all.sort_by_key(|member| (member.text, member.fragment != head, member.fragment));
    let members = all.chunk_by(|a, b| a.text == b.text).map(|of_text| joined(head, of_text)).collect();
    FragmentFamily { head, parts, members }
}

/// What one text holds of a family: its parts, those that lie over each other once.
pub(super) fn joined(head: u32, of_text: &[Member]) -> Member {
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
        let field = view.fragments[self.head as usize].field();
        let mut rows: Vec<Row> = Vec::new();
        for member in &self.members {
            match field {
                Field::System => rows.extend(by_system.get(&member.text).into_iter().flatten()),
                Field::Prompt => rows.extend(view.rows_of(&[member.text])),
                Field::Turn => {
                    for (night, postings) in view.postings(field).iter().enumerate() {
                        let own = postings.of(member.text).iter();
                        rows.extend(own.map(|&posting| Row { posting, night: night as u16 }));
                    }
                }
            }
        }
        // A request of which several earlier turns hold the fragment is one request.
        rows.sort_by_key(|row| (row.posting.time, row.night, row.posting.row, row.posting.prompt));
        rows.dedup_by_key(|row| (row.night, row.posting.row));
        rows
    }
}

/// The text of a fragment family, as it came, with slots where members differ.
pub(crate) fn template_of(view: &View, head: u32) -> Template {
    template_by(view, head, None)
}

/// The same with how often the values of slots came.
pub(crate) fn template_with_values(view: &View, head: u32) -> Template {
    let by_system = by_system(view, [head]);
    let requests = |text: u32| match view.fragments[head as usize].field() {
        Field::System => by_system.get(&text).map_or(0, Vec::len) as u64,
        Field::Prompt => view.postings_of(text).count() as u64,
        Field::Turn => view.postings(Field::Turn).iter().map(|postings| postings.of(text).len() as u64).sum(),
    };
    template_by(view, head, Some(&requests))
}

fn template_by(view: &View, head: u32, requests: Option<&dyn Fn(u32) -> u64>) -> Template {
    let field = view.fragments[head as usize].field();
    let mut out = Template::default();
    // A part that stands over one that is shown says the same again.
    let mut shown: Vec<u32> = Vec::new();
    for part in parts(view, head) {
        let members = view.some_members(part, MOST_READ);
        let is_over = |member: &&Member| {
            let places = shown.iter().filter_map(|&other| view.member(other, member.text));
            places.into_iter().any(|other| member.first < other.end && other.first < member.end)
        };
        if shown.len() == MOST_PARTS {
            break;
        }
        if 2 * members.iter().filter(is_over).count() > members.len() {
            continue;
        }
        shown.push(part);
        let window = |member: &Member| {
            let raw = view.field_text(field, member.text).0;
            let aligned = fold_aligned(raw);
            raw.get(aligned.raw_range(member.first as usize..member.end as usize)).unwrap_or_default().trim()
        };
        let windows: Vec<&str> = members.iter().map(window).collect();
        // A window that lacks nothing leads: a cut one would make slots of what it lacks.
        let full = members.iter().map(|member| member.held).max().unwrap_or(0);
        let lead = members.iter().position(|member| member.held == full).unwrap_or(0);
        let leader = windows.get(lead).copied().unwrap_or_default();
        let induced = match requests {
            None => template::induce(leader, &windows),
            Some(requests) => {
                let counted =
                    windows.iter().zip(members.iter()).map(|(&window, member)| (window, requests(member.text)));
                template::induce_of(leader, &counted.collect::<Vec<_>>())
            }
        };
        append(&mut out, induced);
    }
    out
}

/// Puts a part behind the others, with a slot between them.
fn append(out: &mut Template, mut part: Template) {
    if !out.parts.is_empty() {
        let gap = out.slots.len() as u32 + 1;
        out.parts.push(Part::Slot(gap));
        out.slots.push(template::Slot { slot: gap, ..template::Slot::default() });
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
