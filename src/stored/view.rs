//! A store as the flows read it: tables, texts and index of one commit, opened by mapping.

use super::fields::texts_kind;
use super::known::{Found, Known, SINGLE, found};
use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::judge::Material;
use crate::family::length::{Lengths, length_class};
use crate::ids::{Digest, FamilyId, Field, Level};
use crate::index::{Segment, Vectors};
use crate::store::keys::{self, KeyTable};
use crate::store::members::{Holder, Member};
use crate::store::postings::{Posting, Postings};
use crate::store::sorted::{equal, first_from};
use crate::store::texts::Texts;
use crate::store::{Mapped, Named, Store, tables};
use crate::text;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Mutex;

/// What the ranking looks at, for every exchange of the store.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) posting: Posting,
    /// Index of its night.
    pub(crate) night: u16,
}

/// Sorted tables of one kind, oldest first.
pub(crate) struct Tables(Vec<KeyTable<Mapped>>);

impl Tables {
    fn open(store: &Store, kind: &str) -> Result<Self> {
        store.of_kind(kind).map(|file| store.read(file, KeyTable::open)).collect::<Result<_>>().map(Self)
    }

    pub(crate) fn get(&self, key: u128) -> Option<keys::Record> {
        self.0.iter().find_map(|table| table.get(key))
    }

    /// The tables, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = KeyTable<&[u8]>> {
        self.0.iter().map(KeyTable::borrowed)
    }
}

/// From which family on a version of the judge's rule was used; in the catalog's table `meta`, under `rules`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleFrom {
    pub(crate) version: u32,
    pub(crate) first_family: u32,
}

/// Texts of all nights, with what is [`Known`] of families and fragments.
pub(crate) struct View {
    known: Known,
    /// Of each [`Field`]: number of a night's first text, and its texts.
    texts: [Vec<(u32, Texts<Mapped>)>; 3],
    /// Postings of each night.
    pub(crate) postings: Vec<Postings<Mapped>>,
    /// Where the new prompts of each night stand.
    spans: Vec<Span>,
    /// Who sent which earlier turn, each night.
    turn_postings: Vec<Postings<Mapped>>,
    /// Texts that hold fragments, as each night found them.
    members: Vec<(u32, Found<Member>)>,
    /// The same by text, with the night that wrote it.
    holders: Vec<(u32, Found<Holder>)>,
    /// Numbers that texts have been given, by [`Field`].
    n_texts: [u32; 3],
    pub(crate) naming_key: [u8; 32],
    /// Which version of the judge's rule made families from which number on, oldest first.
    rules: Vec<RuleFrom>,
}

impl Deref for View {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.known
    }
}

impl View {
    pub(crate) fn open(store: &Store) -> Result<Self> {
        let naming: Digest = store
            .catalog()
            .meta("naming_key")?
            .and_then(|hex| hex.parse().ok())
            .ok_or_else(|| Error::new(ErrorKind::Store, "catalog: expected a naming key, found none"))?;
        let mut texts = [Vec::new(), Vec::new(), Vec::new()];
        for (field, texts) in Field::ALL.into_iter().zip(&mut texts) {
            for (night, file) in store.nights().iter().zip(store.of_nights(texts_kind(field))?) {
                let first = [night.first_prompt, night.first_system, night.first_turn][field as usize];
                let expected = [night.prompts, night.systems, night.turns][field as usize];
                let of_night = store.read(file, Texts::open)?;
                if of_night.len() != expected as usize {
                    let got = of_night.len();
                    return Err(damaged(format!("{}: expected {expected} texts, got {got}", file.name)));
                }
                texts.push((first, of_night));
            }
        }
        for kind in ["rows", "prompts-table", "systems-table"] {
            store.of_nights(kind)?;
        }
        let open = |kind| {
            store.of_nights(kind)?.into_iter().map(|file| store.read(file, Postings::open)).collect::<Result<_>>()
        };
        let (postings, turn_postings): (Vec<Postings<Mapped>>, _) = (open("postings")?, open("turn-postings")?);
        let span = |(night, postings): (&crate::store::Night, &Postings<Mapped>)| {
            let older = postings.all().partition_point(|posting| posting.prompt < night.first_prompt);
            Span { first: night.first_prompt, end: night.first_prompt + night.prompts, older }
        };
        let spans = store.nights().iter().zip(&postings).map(span).collect();
        let rules = match store.catalog().meta("rules")? {
            Some(json) => serde_json::from_str(&json)
                .map_err(|cause| damaged(format!("catalog.sqlite, table meta, rules: {cause}")))?,
            None => Vec::new(),
        };
        let (mut members, mut holders) = (found(store, "members")?, found(store, "holders")?);
        if store.of_kind("fragments").next().is_some() {
            let older = old_members(store)?;
            let mut of_texts: Vec<Holder> = older.iter().map(Holder::of).collect();
            of_texts.sort_unstable();
            holders.push((0, Found::Read(of_texts)));
            members.push((0, Found::Read(older)));
        }
        let n_texts = store
            .nights()
            .last()
            .map_or([0; 3], |n| [n.first_prompt + n.prompts, n.first_system + n.systems, n.first_turn + n.turns]);
        Ok(Self {
            known: Known::open(store)?,
            texts,
            postings,
            spans,
            turn_postings,
            members,
            holders,
            n_texts,
            naming_key: naming.0,
            rules,
        })
    }

    /// Numbers that prompts have been given.
    pub(crate) fn n_prompts(&self) -> usize {
        self.n_texts[Field::Prompt as usize] as usize
    }

    /// Version of the judge's rule that made a near-duplicate family; stores that recorded none are of the first.
    pub(crate) fn rule_of(&self, family: u32) -> u32 {
        self.rules.iter().rfind(|rule| rule.first_family <= family).map_or(1, |rule| rule.version)
    }

    /// What the catalog says of rules once the families from `first_family` on are of this version, as JSON.
    pub(crate) fn rules_with(&self, version: u32, first_family: u32) -> String {
        let mut rules = self.rules.clone();
        if rules.last().is_none_or(|rule| rule.version != version) {
            rules.push(RuleFrom { version, first_family });
        }
        serde_json::json!(rules).to_string()
    }

    /// Text of a prompt as it first came, and folded where that was stored.
    pub(crate) fn text(&self, prompt: u32) -> (&str, Option<&str>) {
        self.field_text(Field::Prompt, prompt)
    }

    /// Text of a field as it first came, and folded where that was stored.
    pub(crate) fn field_text(&self, field: Field, number: u32) -> (&str, Option<&str>) {
        self.texts_of(field, number).map_or(("", None), |(texts, i)| texts.get(i))
    }

    /// What stands around a place of a stored folded text, as [`Texts::folded_around`].
    pub(crate) fn folded_around(&self, field: Field, number: u32, at: usize, reach: usize) -> Option<(&str, usize)> {
        let (texts, i) = self.texts_of(field, number)?;
        texts.folded_around(i, at, reach)
    }

    /// The file that holds a text, and its place there.
    fn texts_of(&self, field: Field, number: u32) -> Option<(&Texts<Mapped>, usize)> {
        let nights = &self.texts[field as usize];
        // A night that adds no text begins where the next one does, so the last that begins there has it.
        let night = nights.partition_point(|(first, _)| *first <= number).checked_sub(1)?;
        let (first, texts) = &nights[night];
        Some((texts, (number - first) as usize))
    }

    /// Postings of each night by the texts of a field; of system prompts they are those of the prompts.
    pub(crate) fn postings(&self, field: Field) -> &[Postings<Mapped>] {
        if field == Field::Turn { &self.turn_postings } else { &self.postings }
    }

    /// Texts that hold a fragment, by number, as each file has them, oldest first.
    pub(crate) fn members_by_file(&self, fragment: u32) -> Vec<&[Member]> {
        let Some(field) = self.fragments.get(fragment as usize).map(|fragment| fragment.field()) else {
            return Vec::new();
        };
        let of_fragment = |(_, found)| equal(Found::all(found), |member: &Member| member.fragment.cmp(&fragment));
        // A damaged file may name texts that do not exist; the greatest stand last.
        let exist = |member: &Member| member.text < self.n_texts[field as usize];
        let files = self.members.iter().map(|(night, found)| of_fragment((night, found)));
        files.map(|members| &members[..members.partition_point(exist)]).collect()
    }

    /// Texts that hold a fragment, by number, each as often as nights found it in another way.
    pub(crate) fn fragment_members(&self, fragment: u32) -> Vec<Member> {
        let mut out = self.members_by_file(fragment).concat();
        // Each file has them in order, and one after another mostly too.
        out.sort();
        out.dedup();
        out
    }

    /// At most `most` of them, spread evenly.
    pub(crate) fn some_members(&self, fragment: u32, most: usize) -> Vec<Member> {
        let files = self.members_by_file(fragment);
        let step = files.iter().map(|members| members.len()).sum::<usize>().div_ceil(most).max(1);
        files.into_iter().flatten().step_by(step).copied().collect()
    }

    /// What a text holds of a fragment.
    pub(crate) fn member(&self, fragment: u32, text: u32) -> Option<&Member> {
        let of_text = |member: &Member| (member.fragment, member.text).cmp(&(fragment, text));
        self.members.iter().find_map(|(_, found)| equal(found.all(), of_text).first())
    }

    /// Texts that hold fragments, as one night found them.
    pub(crate) fn members_of_night(&self, night: u32) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |(of, _)| *of == night).flat_map(|(_, found)| found.all())
    }

    /// Fragments that a text of this field holds, in no order.
    pub(crate) fn fragments_of(&self, field: Field, text: u32) -> impl Iterator<Item = u32> {
        let held =
            self.holders.iter().flat_map(move |(_, holders)| equal(holders.all(), |holder| holder.text.cmp(&text)));
        let is_of_field =
            move |&number: &u32| self.fragments.get(number as usize).is_some_and(|of| of.field() == field);
        held.map(|holder| holder.fragment).filter(is_of_field)
    }

    /// Heads of the fragments that a text of this field holds, as nights before this one found it.
    pub(crate) fn held_before(&self, field: Field, text: u32, night: u32) -> Vec<u32> {
        let older = self.holders.iter().filter(|(of, _)| *of < night);
        let held = older.flat_map(|(_, holders)| equal(holders.all(), |holder: &Holder| holder.text.cmp(&text)));
        let fragments = held.filter_map(|holder| self.fragments.get(holder.fragment as usize));
        let mut heads: Vec<u32> = fragments.filter(|of| of.field() == field).map(|fragment| fragment.head).collect();
        heads.sort_unstable();
        heads.dedup();
        heads
    }

    /// Name of the family of a system prompt.
    pub(crate) fn system_id(&self, system: u32) -> FamilyId {
        let mut folded = String::new();
        folded_of(self.field_text(Field::System, system), &mut folded);
        FamilyId::derive(&self.naming_key, Level::System, &Digest::of(folded.as_bytes()))
    }

    /// Every exchange with one of these prompts.
    pub(crate) fn rows_of(&self, prompts: &[u32]) -> Vec<Row> {
        let of = |&prompt: &u32| self.postings_of(prompt).map(|(night, &posting)| Row { posting, night: night as u16 });
        prompts.iter().flat_map(of).collect()
    }

    /// Every exchange with this system prompt.
    pub(crate) fn rows_of_system(&self, system: u32) -> Vec<Row> {
        let of_night = |(night, postings): (usize, &Postings<Mapped>)| {
            let own = postings.all().iter().filter(|posting| posting.system == system).copied();
            own.map(|posting| Row { posting, night: night as u16 }).collect::<Vec<Row>>()
        };
        self.postings.iter().enumerate().flat_map(of_night).collect()
    }

    /// The new prompts of a night, given by its place.
    pub(crate) fn texts_of_night(&self, night: usize) -> Option<&Texts<Mapped>> {
        self.texts[Field::Prompt as usize].get(night).map(|(_, texts)| texts)
    }

    pub(crate) fn folded(&self, prompt: u32, out: &mut String) {
        folded_of(self.text(prompt), out);
    }

    pub(crate) fn digest(&self, prompt: u32) -> Digest {
        let mut folded = String::new();
        self.folded(prompt, &mut folded);
        Digest::of(folded.as_bytes())
    }

    /// Name of the family that this prompt leads.
    pub(crate) fn family_id(&self, level: Level, leader: u32) -> FamilyId {
        let family = if level == Level::NearDuplicate { self.family(leader) } else { SINGLE };
        if family != SINGLE {
            return self.families[family as usize].id();
        }
        FamilyId::derive(&self.naming_key, level, &self.digest(leader))
    }

    /// Every exchange with this prompt, with the index of its night.
    pub(crate) fn postings_of(&self, prompt: u32) -> impl Iterator<Item = (usize, &Posting)> {
        // A night's new prompts follow the older ones that came again, so they stand where their number says.
        (0..self.postings.len()).flat_map(move |night| {
            let (all, Span { first, end, older }) = (self.postings[night].all(), &self.spans[night]);
            let from = if prompt >= *end {
                all.len()
            } else if prompt < *first {
                all[..*older].partition_point(|posting| posting.prompt < prompt)
            } else {
                let guess = (all.len() - older) as u64 * u64::from(prompt - first) / u64::from(end - first).max(1);
                first_from(all.len(), older + guess as usize, |i| all[i].prompt < prompt)
            };
            all[from..].iter().take_while(move |posting| posting.prompt == prompt).map(move |posting| (night, posting))
        })
    }
}

/// The prompts that a night added, and how many postings of older ones stand before theirs.
struct Span {
    first: u32,
    end: u32,
    older: usize,
}

/// Members that nights of format 2 wrote as tables, in order.
pub(crate) fn old_members(store: &Store) -> Result<Vec<Member>> {
    let columns = ["fragment", "text", "first", "end", "held", "length"];
    let mut out = Vec::new();
    for file in store.of_kind("fragments") {
        for batch in tables::read(&store.path(file), &columns, None)? {
            let batch = batch?;
            let column = |i: usize| batch.column(i).as_primitive::<UInt32Type>().values().as_ref();
            for row in 0..batch.num_rows() {
                let [fragment, text, first, end, held, length] = std::array::from_fn(|i| column(i)[row]);
                out.push(Member { fragment, text, first, end, held, length });
            }
        }
    }
    out.sort_unstable();
    Ok(out)
}

fn damaged(what: String) -> Error {
    Error::new(ErrorKind::Store, what).hint("run: stillhunt store verify")
}

/// Adds texts to the counts of their length classes; a text whose folded form was not stored counts as it came.
pub(crate) fn count_lengths(texts: &Texts<Mapped>, counts: &mut Lengths) {
    for i in 0..texts.len() {
        let (raw, folded) = texts.get(i);
        counts[length_class(folded.unwrap_or(raw).len())] += 1;
    }
}

/// Folds a stored text where its folded form was not stored.
pub(crate) fn folded_of((raw, folded): (&str, Option<&str>), out: &mut String) {
    out.clear();
    match folded {
        Some(folded) => out.push_str(folded),
        None => {
            text::fold_into(raw, out);
        }
    }
}

/// What is asked before a row is taken: ids, prompts, turns and system prompts of earlier nights.
pub(crate) struct KnownKeys {
    pub(crate) ids: Tables,
    pub(crate) prompts: Tables,
    pub(crate) turns: Tables,
    pub(crate) systems: Tables,
}

impl KnownKeys {
    pub(crate) fn open(store: &Store) -> Result<Self> {
        let open = |kind| Tables::open(store, kind);
        Ok(Self { ids: open("ids")?, prompts: open("prompts")?, turns: open("turns")?, systems: open("systems")? })
    }
}

/// Index segments of one kind.
pub(crate) fn segments(store: &Store, kind: &str) -> Result<Vec<Segment<Mapped>>> {
    let dimension = store.catalog().meta("dimension")?.and_then(|n| n.parse().ok()).unwrap_or(0);
    let open = |file: &Named| -> Result<Segment<Mapped>> {
        let segment = store.read(file, Segment::open)?;
        if segment.dim() != dimension {
            return Err(damaged(format!("{}: expected {dimension} dimensions, got {}", file.name, segment.dim())));
        }
        Ok(segment)
    };
    store.of_kind(kind).map(open).collect()
}

/// Vectors of old prompts that are asked for singly: read from the index, or embedded again where it does not tell; kept.
pub(crate) struct Again<'a> {
    model: &'a Model,
    segments: &'a [Segment<Mapped>],
    made: Mutex<HashMap<u32, Option<Vectors>>>,
}

impl<'a> Again<'a> {
    pub(crate) fn new(model: &'a Model, segments: &'a [Segment<Mapped>]) -> Self {
        Self { model, segments, made: Mutex::new(HashMap::new()) }
    }

    /// Similarity of a row to the vector of `prompt`, as [`Self::vector`].
    pub(crate) fn similarity(
        &self,
        (vectors, row): (&Vectors, usize),
        prompt: u32,
        folded: impl FnOnce(&mut String),
    ) -> Option<f32> {
        let indexed = self.segments.iter().find_map(|segment| segment.similarity(vectors, row, prompt));
        indexed.or_else(|| Some(vectors.similarity_of(row, &self.vector(prompt, folded)?, 0)))
    }

    /// The vector of `prompt`, whose folded text `folded` writes.
    pub(crate) fn vector(&self, prompt: u32, folded: impl FnOnce(&mut String)) -> Option<Vectors> {
        if let Some(vector) = self.segments.iter().find_map(|segment| segment.vector(prompt)) {
            return Some(vector);
        }
        let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        made.entry(prompt)
            .or_insert_with(|| {
                let mut text = String::new();
                folded(&mut text);
                self.model.vector(&text).map(|vector| one(&vector))
            })
            .clone()
    }
}

/// One vector, quantised.
pub(crate) fn one(vector: &[f32]) -> Vectors {
    let mut vectors = Vectors::new(vector.len());
    vectors.push(vector);
    vectors
}

/// The judge's material where nothing is new: all texts from the view, vectors made again.
pub(crate) struct Stored<'a> {
    pub(crate) view: &'a View,
    pub(crate) again: Again<'a>,
}

impl Material for Stored<'_> {
    fn folded(&self, prompt: u32, out: &mut String) {
        self.view.folded(prompt, out);
    }

    fn similarity(&self, a: u32, b: u32) -> Option<f32> {
        let vector = |prompt| self.again.vector(prompt, |out| self.view.folded(prompt, out));
        Some(vector(a)?.similarity_of(0, &vector(b)?, 0))
    }

    fn members(&self, family: u32) -> Vec<u32> {
        self.view.members(family)
    }
}
