//! Neighbourhoods of text: which of a few hundred centres a prompt's vector is nearest to.
//!
//! The centres are trained once, on prompts of the first day that has enough of them, and then stay: what an account asked about a month ago is
//! only comparable under the same centres. Weakness: traffic that changes its subjects altogether falls into few of them. Guarantee: the
//! same prompts give the same centres.

use super::super::view::segments;
use crate::error::Result;
use crate::index::{Segment, Vectors, nearest_leaders, train_leaders};
use crate::ring::EVERYWHERE;
use crate::store::{Mapped, Store};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Centres.
const MOST_CENTRES: usize = 256;
/// Prompts for each centre.
const PER_CENTRE: usize = 20;
/// Large neighbourhoods, of which each holds some of the others; fewer where there are few.
const MOST_LARGE: usize = 16;
/// Prompts that are looked up at a time.
const CHUNK: usize = 4096;

/// The centres of a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Centres {
    /// Distinct prompts that they were trained on.
    trained_on: u32,
    dimension: u32,
    /// One after the other.
    rows: Vec<i8>,
}

impl Centres {
    fn vectors(&self) -> Vectors {
        let mut out = Vectors::new(self.dimension as usize);
        let stride = out.stride();
        if stride > 0 {
            self.rows.chunks_exact(stride).for_each(|row| out.push_row(row));
        }
        out
    }
}

/// Looks neighbourhoods up.
pub(super) struct Neighbourhoods {
    segments: Vec<Segment<Mapped>>,
    seed: u64,
    known: HashMap<u32, u16>,
    vectors: Vectors,
    /// The large neighbourhood of each.
    pub(super) large: Vec<u16>,
}

impl Neighbourhoods {
    pub(super) fn open(store: &Store) -> Result<Self> {
        let segments = segments(store, "whole")?;
        let dim = segments.first().map_or(0, Segment::dim);
        Ok(Self {
            segments,
            seed: super::super::seed(store)?,
            known: HashMap::new(),
            vectors: Vectors::new(dim),
            large: Vec::new(),
        })
    }

    /// Finds those of a day's prompts, which are sorted. Returns whether the centres were trained anew.
    pub(super) fn find(&mut self, prompts: &[u32], centres: &mut Centres) -> bool {
        let full = MOST_CENTRES * PER_CENTRE;
        let enough = prompts.len().min(full);
        let is_new = (centres.trained_on as usize) < full
            && enough >= (2 * centres.trained_on as usize).max(PER_CENTRE).min(full);
        if is_new {
            // Evenly chosen by number.
            let chosen: Vec<u32> = (0..enough).map(|i| prompts[i * prompts.len() / enough]).collect();
            let (vectors, _) = self.vectors_of(&chosen);
            let n = (vectors.len() / PER_CENTRE).min(MOST_CENTRES);
            if n > 0 {
                let trained = train_leaders(&vectors, n, self.seed);
                let rows = (0..trained.len()).flat_map(|i| trained.row(i).to_vec()).collect();
                // As many as rows, also where some prompts have no vector.
                let trained_on = (trained.len() * PER_CENTRE) as u32;
                *centres = Centres { trained_on, dimension: trained.dim() as u32, rows };
                self.known.clear();
            }
        }
        if is_new || self.large.is_empty() {
            self.vectors = centres.vectors();
            self.large = self.large_ones();
        }
        let new: Vec<u32> = prompts.iter().copied().filter(|prompt| !self.known.contains_key(prompt)).collect();
        let found: Vec<Vec<(u32, u16)>> = new.par_chunks(CHUNK).map(|chunk| self.nearest(chunk)).collect();
        self.known.extend(found.into_iter().flatten());
        is_new
    }

    /// The large neighbourhood of each centre: the nearest of a few that are trained on the centres themselves.
    fn large_ones(&self) -> Vec<u16> {
        let n = (self.vectors.len() / 4).min(MOST_LARGE);
        if n == 0 {
            return Vec::new();
        }
        let near = nearest_leaders(&self.vectors, &train_leaders(&self.vectors, n, self.seed), 1);
        near.iter().map(|near| near.first().map_or(EVERYWHERE, |near| near.id as u16)).collect()
    }

    /// Those of prompts of any day, which are sorted; [`EVERYWHERE`] for one that has no vector.
    pub(super) fn of_each(&self, prompts: &[u32]) -> Vec<u16> {
        let found: Vec<(u32, u16)> = prompts.par_chunks(CHUNK).flat_map_iter(|chunk| self.nearest(chunk)).collect();
        let of =
            |prompt: &u32| found.binary_search_by_key(prompt, |(prompt, _)| *prompt).map_or(EVERYWHERE, |i| found[i].1);
        prompts.iter().map(of).collect()
    }

    fn vectors_of(&self, prompts: &[u32]) -> (Vectors, Vec<u32>) {
        let mut vectors = Vectors::new(self.segments.first().map_or(0, Segment::dim));
        let mut found = Vec::new();
        for &prompt in prompts {
            if let Some(vector) = self.segments.iter().rev().find_map(|segment| segment.vector(prompt)) {
                vectors.append(&vector);
                found.push(prompt);
            }
        }
        (vectors, found)
    }

    fn nearest(&self, prompts: &[u32]) -> Vec<(u32, u16)> {
        let (vectors, found) = self.vectors_of(prompts);
        if vectors.is_empty() || self.vectors.is_empty() {
            return Vec::new();
        }
        let near = nearest_leaders(&vectors, &self.vectors, 1);
        found.into_iter().zip(near).filter_map(|(prompt, near)| Some((prompt, near.first()?.id as u16))).collect()
    }

    /// That of a vector.
    pub(super) fn nearest_to(&self, vector: &Vectors) -> u16 {
        if self.vectors.is_empty() {
            return EVERYWHERE;
        }
        let near = nearest_leaders(vector, &self.vectors, 1);
        near.first().and_then(|near| near.first()).map_or(EVERYWHERE, |near| near.id as u16)
    }

    /// That of a prompt; [`EVERYWHERE`] where it has no vector.
    pub(super) fn of(&self, prompt: u32) -> u16 {
        self.known.get(&prompt).copied().unwrap_or(EVERYWHERE)
    }
}
