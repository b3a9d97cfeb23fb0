//! A store as the flows read it: tables, texts and index of one commit, opened by mapping.

use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::judge::Material;
use crate::ids::{Digest, FamilyId, Level};
use crate::index::{Segment, Vectors};
use crate::store::keys::{KeyTable, Record};
use crate::store::postings::{Posting, Postings};
use crate::store::texts::Texts;
use crate::store::{Mapped, Store, tables};
use crate::text;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

/// No family.
pub(crate) const SINGLE: u32 = u32::MAX;

/// Sorted tables of one kind, oldest first.
pub(crate) struct Tables(Vec<KeyTable<Mapped>>);

impl Tables {
    fn open(store: &Store, kind: &str) -> Result<Self> {
        store.of_kind(kind).map(|file| KeyTable::open(store.map(file)?)).collect::<Result<_>>().map(Self)
    }

    pub(crate) fn get(&self, key: u128) -> Option<Record> {
        self.0.iter().find_map(|table| table.get(key))
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        self.0.iter().flat_map(KeyTable::records)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// A family of several prompts, as the catalog has it.
#[derive(Clone, Debug)]
pub(crate) struct KnownFamily {
    pub(crate) leader: u32,
    pub(crate) night: u32,
    pub(crate) merged_into: Option<u32>,
}

/// Texts of all nights and families of all prompts.
pub(crate) struct View {
    texts: Vec<(u32, Texts<Mapped>)>,
    /// Postings of each night.
    pub(crate) postings: Vec<Postings<Mapped>>,
    pub(crate) families: Vec<KnownFamily>,
    /// Family of each prompt, merges followed; [`SINGLE`] where it has none.
    pub(crate) family_of: Vec<u32>,
    pub(crate) naming_key: [u8; 32],
    /// (family, prompt) of all that have one, sorted; made when first asked for.
    by_family: OnceLock<Vec<(u32, u32)>>,
}

impl View {
    pub(crate) fn open(store: &Store) -> Result<Self> {
        let naming: Digest = store
            .catalog()
            .meta("naming_key")?
            .and_then(|hex| hex.parse().ok())
            .ok_or_else(|| Error::new(ErrorKind::Store, "catalog: expected a naming key, found none"))?;
        let mut texts = Vec::new();
        for (night, file) in store.nights().iter().zip(store.of_kind("texts")) {
            texts.push((night.first_prompt, Texts::open(store.map(file)?)?));
        }
        let families: Vec<KnownFamily> =
            store.catalog().all("SELECT leader, night, merged_into FROM families ORDER BY family", [], |row| {
                Ok(KnownFamily { leader: row.get(0)?, night: row.get(1)?, merged_into: row.get(2)? })
            })?;
        let n_prompts = store.nights().last().map_or(0, |night| night.first_prompt + night.prompts);
        let mut family_of = vec![SINGLE; n_prompts as usize];
        for file in store.of_kind("assigned") {
            for batch in tables::read(&store.path(file), &["prompt", "family"], None)? {
                let batch = batch?;
                let (prompts, numbers) =
                    (batch.column(0).as_primitive::<UInt32Type>(), batch.column(1).as_primitive::<UInt32Type>());
                for (&prompt, &family) in prompts.values().iter().zip(numbers.values()) {
                    let known = family_of.get_mut(prompt as usize).filter(|_| (family as usize) < families.len());
                    *known.ok_or_else(|| {
                        let what = format!("{}: prompt {prompt} or family {family} does not exist", file.name);
                        Error::new(ErrorKind::Store, what)
                    })? = family;
                }
            }
        }
        let postings = store.of_kind("postings").map(|file| Postings::open(store.map(file)?)).collect::<Result<_>>()?;
        let mut view = Self { texts, postings, families, family_of, naming_key: naming.0, by_family: OnceLock::new() };
        if view.families.iter().any(|family| family.merged_into.is_some()) {
            let roots: Vec<u32> = (0..view.families.len() as u32).map(|family| view.root(family)).collect();
            for family in view.family_of.iter_mut().filter(|family| **family != SINGLE) {
                *family = roots[*family as usize];
            }
        }
        Ok(view)
    }

    /// The family that this one is part of now. A merge goes to an older leader, so the walk ends.
    pub(crate) fn root(&self, mut family: u32) -> u32 {
        for _ in 0..self.families.len() {
            match self.families.get(family as usize).and_then(|f| f.merged_into) {
                Some(next) => family = next,
                None => break,
            }
        }
        family
    }

    /// Text of a prompt as it first came, and folded where that was stored.
    pub(crate) fn text(&self, prompt: u32) -> (&str, Option<&str>) {
        let night = self.texts.partition_point(|(first, _)| *first <= prompt);
        match night.checked_sub(1).map(|n| &self.texts[n]) {
            Some((first, texts)) => texts.get((prompt - first) as usize),
            None => ("", None),
        }
    }

    pub(crate) fn folded(&self, prompt: u32, out: &mut String) {
        folded_of(self.text(prompt), out);
    }

    pub(crate) fn digest(&self, prompt: u32) -> Digest {
        let mut folded = String::new();
        self.folded(prompt, &mut folded);
        Digest::of(folded.as_bytes())
    }

    pub(crate) fn family_id(&self, level: Level, leader: u32) -> FamilyId {
        FamilyId::derive(&self.naming_key, level, &self.digest(leader))
    }

    /// The near-duplicate family of a prompt: that of its leader, or its own where it is single.
    pub(crate) fn near_leader(&self, prompt: u32) -> u32 {
        match self.family_of.get(prompt as usize) {
            Some(&family) if family != SINGLE => self.families[family as usize].leader,
            _ => prompt,
        }
    }

    /// Every exchange with this prompt, with the index of its night.
    pub(crate) fn postings_of(&self, prompt: u32) -> impl Iterator<Item = (usize, &Posting)> {
        self.postings
            .iter()
            .enumerate()
            .flat_map(move |(night, postings)| postings.of(prompt).iter().map(move |p| (night, p)))
    }

    /// Prompts of a family, in order of number.
    pub(crate) fn members(&self, family: u32) -> Vec<u32> {
        let by_family = self.by_family.get_or_init(|| {
            let families = self.family_of.iter().zip(0..).filter(|(family, _)| **family != SINGLE);
            let mut pairs: Vec<(u32, u32)> = families.map(|(&family, prompt)| (family, prompt)).collect();
            pairs.sort_unstable();
            pairs
        });
        let first = by_family.partition_point(|pair| pair.0 < family);
        by_family[first..].iter().take_while(|pair| pair.0 == family).map(|pair| pair.1).collect()
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
    let n_prompts = store.nights().last().map_or(0, |night| night.first_prompt + night.prompts);
    let open = |file| -> Result<Segment<Mapped>> {
        let segment = Segment::open(store.map(file)?)?;
        if segment.ids().iter().any(|&id| id >= n_prompts) {
            let what = format!("{}: an entry of a prompt that does not exist", file.name);
            return Err(Error::new(ErrorKind::Store, what).hint("run: stillhunt store verify"));
        }
        Ok(segment)
    };
    store.of_kind(kind).map(open).collect()
}

/// Vectors of old prompts that are asked for singly: embedded again, kept.
pub(crate) struct Again<'a> {
    model: &'a Model,
    made: Mutex<HashMap<u32, Option<Vectors>>>,
}

impl<'a> Again<'a> {
    pub(crate) fn new(model: &'a Model) -> Self {
        Self { model, made: Mutex::new(HashMap::new()) }
    }

    /// The vector of `prompt`, whose folded text `folded` writes.
    pub(crate) fn vector(&self, prompt: u32, folded: impl FnOnce(&mut String)) -> Option<Vectors> {
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
