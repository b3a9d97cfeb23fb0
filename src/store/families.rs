//! Families and fragments by number, which prompts are in which family, and what belongs together: records of sorted tables.
//!
//! The catalog's tables `families` and `fragments` and the nights' `assigned.parquet` say the same, for people and other tools. These are
//! for look-ups: whoever opens a store maps them and reads nothing. A commit writes what it made or changed; of records with one
//! number that of the newest commit counts, and it stands before the older ones.

use super::sorted::Record;
use crate::ids::{FamilyId, Field, Level};

/// Stands for no family, no fragment, no text.
const NONE: u32 = u32::MAX;

/// A record that is found by its number.
pub trait Numbered: Record {
    /// Its number.
    fn number(&self) -> u32;
    /// What stands for a number that no record has: only in a damaged store.
    fn missing() -> Self;
}

/// A near-duplicate family of several prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Family {
    /// Its number.
    number: u32,
    /// Falls from commit to commit.
    age: u32,
    /// The prompt that leads it.
    pub leader: u32,
    /// The night that made it.
    pub night: u32,
    merged_into: u32,
    name: [u8; 8],
}

impl Family {
    /// As the commit of the night `written` knows it.
    #[must_use]
    pub fn new(number: u32, written: u32, id: FamilyId, (leader, night): (u32, u32), merged_into: Option<u32>) -> Self {
        Self { number, age: !written, leader, night, merged_into: merged_into.unwrap_or(NONE), name: id.lead }
    }

    /// Its name: that of the text which led it first, also where another leads it now.
    #[must_use]
    pub fn id(&self) -> FamilyId {
        FamilyId { level: Level::NearDuplicate, lead: self.name }
    }

    /// The family that it was merged into.
    #[must_use]
    pub fn merged_into(&self) -> Option<u32> {
        some(self.merged_into)
    }

    /// The same, merged into another on the night `written`.
    #[must_use]
    pub fn merged(self, written: u32, into: u32) -> Self {
        Self { age: !written, merged_into: into, ..self }
    }
}

impl Record for Family {
    const MAGIC: &'static [u8; 8] = b"SHFAMLY1";
    const WHAT: &'static str = "families by number";
}

impl Numbered for Family {
    fn number(&self) -> u32 {
        self.number
    }

    fn missing() -> Self {
        Self { number: NONE, age: 0, leader: NONE, night: 0, merged_into: NONE, name: [0; 8] }
    }
}

/// A fragment without its text, which the catalog has. Only heads are families; the others are parts of their head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Fragment {
    number: u32,
    /// Falls from commit to commit.
    age: u32,
    /// The fragment that heads its family.
    pub head: u32,
    /// The night that found it.
    pub night: u32,
    within: u32,
    /// The field in the lower half, marks in the upper.
    what: u32,
    name: [u8; 8],
}

/// A known text explains the fragment.
const KNOWN: u32 = 1 << 16;

impl Fragment {
    /// As the commit of the night `written` knows it.
    #[must_use]
    pub fn new(number: u32, written: u32, (id, field): (FamilyId, Field), (head, night): (u32, u32)) -> Self {
        Self { number, age: !written, head, night, within: NONE, what: field.number(), name: id.lead }
    }

    /// The same within another head, explained by a known text or not.
    #[must_use]
    pub fn with(self, within: Option<u32>, is_known: bool) -> Self {
        let what = self.what & !KNOWN | if is_known { KNOWN } else { 0 };
        Self { within: within.unwrap_or(NONE), what, ..self }
    }

    /// The same as of the commit of the night `written`.
    #[must_use]
    pub fn written(self, written: u32) -> Self {
        Self { age: !written, ..self }
    }

    /// The name of the family that it heads.
    #[must_use]
    pub fn id(&self) -> FamilyId {
        FamilyId { level: Level::Fragment, lead: self.name }
    }

    /// The field whose texts hold it.
    #[must_use]
    pub fn field(&self) -> Field {
        Field::of_number(self.what & (KNOWN - 1)).unwrap_or(Field::Prompt)
    }

    /// The more common head that its text lies within.
    #[must_use]
    pub fn within(&self) -> Option<u32> {
        some(self.within)
    }

    /// Whether a known text explains it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.what & KNOWN != 0
    }
}

impl Record for Fragment {
    const MAGIC: &'static [u8; 8] = b"SHFRAGM1";
    const WHAT: &'static str = "fragments by number";
}

impl Numbered for Fragment {
    fn number(&self) -> u32 {
        self.number
    }

    fn missing() -> Self {
        Self { number: NONE, age: 0, head: NONE, night: 0, within: NONE, what: 0, name: [0; 8] }
    }
}

/// A prompt that a night put into a near-duplicate family: once, though that family may be merged into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Assigned {
    /// The prompt.
    pub prompt: u32,
    /// The family that it was put into.
    pub family: u32,
    similarity: u32,
}

impl Assigned {
    /// A prompt that is put into a family whose leader it is this similar to.
    #[must_use]
    pub fn new(prompt: u32, family: u32, similarity: f32) -> Self {
        Self { prompt, family, similarity: similarity.to_bits() }
    }

    /// Similarity to the leader.
    #[must_use]
    pub fn similarity(&self) -> f32 {
        f32::from_bits(self.similarity)
    }
}

impl Record for Assigned {
    const MAGIC: &'static [u8; 8] = b"SHASGND1";
    const WHAT: &'static str = "families of prompts";
}

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From a family to a prompt that was put into it.
    Member,
    /// From a family to one that was merged into it.
    Merged,
    /// From the head of a fragment family to a part of it, the head itself among them.
    Part,
}

/// What belongs to a family or to a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Link {
    kind: u32,
    of: u32,
    /// The number of what belongs there.
    pub to: u32,
}

impl Link {
    /// From the family or head `of` to `to`.
    #[must_use]
    pub fn new(kind: Kind, of: u32, to: u32) -> Self {
        Self { kind: kind as u32, of, to }
    }

    /// How it stands to the links of this kind from `of`.
    #[must_use]
    pub fn compare(&self, kind: Kind, of: u32) -> std::cmp::Ordering {
        (self.kind, self.of).cmp(&(kind as u32, of))
    }
}

impl Record for Link {
    const MAGIC: &'static [u8; 8] = b"SHLINKS1";
    const WHAT: &'static str = "what belongs to families";
}

fn some(number: u32) -> Option<u32> {
    (number != NONE).then_some(number)
}
