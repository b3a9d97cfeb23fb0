//! Near-duplicates of a list of texts that are in memory: the families of an audit, without a log, a store or accounts.
//!
//! # The idea
//! The steps are those of a night, by the same functions: fold, tell distinct texts apart by digest, embed, join (vectors, windows of long
//! texts, shared fingerprints), judge, gather under leaders. What the audit counts and writes besides is left out.
//!
//! Weakness: everything is held in memory, some 1.5 KB a distinct text beside the texts; and the rule is the audit's, which has
//! few false pairs rather than all true ones. Guarantee: groups are disjoint, each in ascending order, ordered by their first text, and the same on
//! any number of threads; texts that fold to the same are always in one group.

use super::families::{Sharers, join_probes, nearest_only};
use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::cluster::{self, Known};
use crate::family::fragment;
use crate::family::judge::{LEAST_SIMILARITY, MAX_CANDIDATES, Material, Rule};
use crate::family::length::{LENGTHS, length_class};
use crate::ids::Digest;
use crate::index::{Ask, Built, Hit, Segment, Vectors};
use crate::store::prints::PrintRecord;
use crate::stored::{AuditConfig, Progress, rule, shipped_calibration};
use crate::text::winnow::Printer;
use crate::text::{fold, is_trivial};
use rayon::prelude::*;
use std::collections::HashMap;

/// Texts that are embedded together.
const BATCH: usize = 8192;

/// What the judge reads: the folded texts, and the row of each one's vector.
struct Texts {
    folded: Vec<String>,
    vectors: Vectors,
    row_of: Vec<u32>,
}

impl Texts {
    fn row(&self, text: u32) -> Option<usize> {
        self.row_of.get(text as usize).filter(|&&row| row != u32::MAX).map(|&row| row as usize)
    }
}

impl Material for Texts {
    fn folded(&self, text: u32, out: &mut String) {
        out.clear();
        out.push_str(&self.folded[text as usize]);
    }

    fn similarity(&self, a: u32, b: u32) -> Option<f32> {
        Some(self.vectors.similarity(self.row(a)?, self.row(b)?))
    }

    fn members(&self, _: u32) -> Vec<u32> {
        Vec::new()
    }
}

/// Vectors of texts or of their windows, and the text that each is of.
struct Rows {
    vectors: Vectors,
    ids: Vec<u32>,
}

impl Rows {
    /// Calls `pair` for pairs of texts at or above the floor, each row's best `cap`; rows of texts that are not `joined` are left out.
    fn join(
        &self,
        joined: &[bool],
        (floor, cap, seed): (f32, usize, u64),
        progress: &dyn Progress,
        pair: &mut dyn FnMut(u32, u32, f32),
    ) {
        let Self { vectors, ids } = self;
        let built = Built::to_join(vectors, &join_probes(floor), seed);
        let takes_part: Vec<bool> = ids.iter().map(|&id| joined[id as usize]).collect();
        let mut rows = built.by_list();
        rows.retain(|&row| takes_part[row as usize]);
        let active = built.thin(vectors, &takes_part);
        let segment = Segment::of(&built, vectors, ids, &active);
        let ask = Ask { probes: join_probes(floor), active_only: true, floor, cap };
        let keep = |row: u32, id: u32| ids[row as usize] != id;
        for part in rows.chunks(1 << 14) {
            for (&row, hits) in part.iter().zip(segment.near_itself(vectors, &built, part, &ask, &keep)) {
                hits.iter().for_each(|hit| pair(ids[row as usize], hit.id, hit.similarity));
            }
            progress.advance(part.len() as u64, 0);
        }
    }
}

/// Groups of near-duplicates among `texts`: indices of each group of two or more.
///
/// * Shape: n texts → disjoint groups of indices below n; a text that resembles no other is in none.
/// * `config`: its `threshold`, `expected_neighbours`, `seed` and `fragments.second_finder` are read; the other settings say how an audit reads logs.
///
/// # Errors
/// `Input` with 2³² texts or more.
pub fn near_duplicates(
    texts: &[&str],
    model: &Model,
    config: &AuditConfig,
    progress: &dyn Progress,
) -> Result<Vec<Vec<u32>>> {
    let n = u32::try_from(texts.len())
        .map_err(|_| Error::new(ErrorKind::Input, format!("expected fewer than 2^32 texts, got {}", texts.len())))?;
    progress.stage("fold", None);
    let mut copies: HashMap<Digest, u32> = HashMap::with_capacity(texts.len());
    // The distinct text that each text is a copy of, and the first text of each distinct one.
    let (mut copy_of, mut first_of) = (Vec::with_capacity(texts.len()), Vec::new());
    let mut distinct: Vec<String> = Vec::new();
    for part in texts.chunks(BATCH) {
        let folded: Vec<(String, Digest)> = part
            .par_iter()
            .map(|text| {
                let folded = fold(text).text;
                let digest = Digest::of(folded.as_bytes());
                (folded, digest)
            })
            .collect();
        for (folded, digest) in folded {
            let number = *copies.entry(digest).or_insert(distinct.len() as u32);
            if number as usize == distinct.len() {
                first_of.push(copy_of.len() as u32);
                distinct.push(folded);
            }
            copy_of.push(number);
        }
        progress.advance(part.len() as u64, 0);
    }
    drop(copies);
    let families = families(distinct, model, config, progress)?;
    let mut group_of: HashMap<u32, usize> = HashMap::new();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for text in 0..n {
        // A family goes by the first of its texts; what is in none, by its own.
        let name = first_of[families[copy_of[text as usize] as usize] as usize];
        let group = *group_of.entry(name).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(text);
    }
    groups.retain(|group| group.len() > 1);
    Ok(groups)
}

/// The leader of the family of each distinct text; its own number where it is in none.
fn families(folded: Vec<String>, model: &Model, config: &AuditConfig, progress: &dyn Progress) -> Result<Vec<u32>> {
    let n = folded.len() as u32;
    progress.stage("embed", None);
    let mut whole = Rows { vectors: Vectors::new(model.dim()), ids: Vec::new() };
    let mut windows = Rows { vectors: Vectors::new(model.dim()), ids: Vec::new() };
    let mut row_of = vec![u32::MAX; folded.len()];
    let mut first = 0;
    for part in folded.chunks(BATCH) {
        let texts: Vec<&str> = part.iter().map(String::as_str).collect();
        let embedded = model.embed_batch(&texts);
        for (text, (vector, _)) in embedded
            .whole
            .rows()
            .into_iter()
            .zip(&embedded.readable)
            .enumerate()
            .filter(|(_, (_, readable))| **readable)
        {
            row_of[first + text] = whole.ids.len() as u32;
            whole.ids.push((first + text) as u32);
            whole.vectors.push(&vector.to_vec());
        }
        for (window, &text) in embedded.windows.rows().into_iter().zip(&embedded.window_text) {
            windows.vectors.push(&window.to_vec());
            windows.ids.push(first as u32 + text);
        }
        first += part.len();
        progress.advance(part.len() as u64, 0);
    }
    let joined: Vec<bool> =
        (0..n as usize).into_par_iter().map(|i| row_of[i] != u32::MAX && !is_trivial(&folded[i])).collect();
    let mut lengths = [0; LENGTHS.len()];
    folded.iter().for_each(|text| lengths[length_class(text.len())] += 1);
    let rule = rule(&shipped_calibration()?, config, &lengths);

    progress.stage("join", None);
    let mut candidates: Vec<Vec<Hit>> = vec![Vec::new(); folded.len()];
    let mut add = |a: u32, b: u32, similarity| {
        let near = &mut candidates[a.max(b) as usize];
        near.push(Hit { id: a.min(b), similarity });
        if near.len() >= 4 * MAX_CANDIDATES {
            nearest_only(near);
        }
    };
    whole.join(&joined, (rule.floor, MAX_CANDIDATES, config.seed), progress, &mut add);
    let material = Texts { folded, vectors: whole.vectors, row_of };
    let asked = (rule.window_floor, super::families::MAX_WINDOW_CANDIDATES, config.seed);
    windows.join(&joined, asked, progress, &mut |a, b, _| {
        if let Some(similarity) = material.similarity(a, b) {
            add(a, b, similarity);
        }
    });
    drop(windows);
    candidates.par_iter_mut().for_each(nearest_only);
    if config.fragments.second_finder {
        progress.stage("fingerprints", None);
        add_sharers(&mut candidates, &material, &joined);
    }
    progress.stage("families", None);
    Ok(gathered(&candidates, &material, &rule))
}

/// Adds, for each text, those that share fingerprints with it, however far their vectors lie.
fn add_sharers(candidates: &mut [Vec<Hit>], material: &Texts, joined: &[bool]) {
    // Nobody is told the fingerprints, so their secret need not be one.
    let printer = Printer::new(&[0; 32]);
    let prints = |(text, folded): (usize, &String)| {
        let mut out = Vec::new();
        printer.prints(folded, &mut out);
        out.into_iter().map(move |print| PrintRecord { hash: print.hash, text: text as u32, at: print.at })
    };
    let mut records: Vec<PrintRecord> =
        material.folded.par_iter().enumerate().filter(|(text, _)| joined[*text]).flat_map_iter(prints).collect();
    records.par_sort_unstable();
    let mut sharers = Sharers::of(candidates.len());
    let printed = fragment::Printed { tonight: &[&records], older: &[], first: 0, first_new: 0 };
    fragment::pairs(printed, &mut |pairs| pairs.iter().for_each(|&(new, other, n)| sharers.add(new, other, n)));
    drop(records);
    for ((text, near), others) in (0..).zip(candidates).zip(sharers.most()) {
        for other in others {
            if near.iter().all(|hit| hit.id != other)
                && let Some(similarity) = material.similarity(text, other).filter(|&s| s >= LEAST_SIMILARITY)
            {
                near.push(Hit { id: other, similarity });
            }
        }
    }
}

/// The leader of each text's family after judging.
fn gathered(candidates: &[Vec<Hit>], material: &Texts, rule: &Rule) -> Vec<u32> {
    let known = Known { first: 0, n_families: 0, family_of: &|_| None, leader_of: &|family| family };
    let outcome = cluster::cluster(candidates, &known, material, rule);
    let merged: HashMap<u32, u32> = outcome.merged.iter().copied().collect();
    let root = |mut family: u32| {
        // A merge goes to an older family, so the walk ends.
        while let Some(&into) = merged.get(&family) {
            family = into;
        }
        outcome.leaders[family as usize]
    };
    let mut leader: Vec<u32> = (0..candidates.len() as u32).collect();
    outcome.assigned.iter().for_each(|&(text, family)| leader[text as usize] = root(family));
    leader
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::Silent;

    fn model() -> Model {
        Model::from_parts(
            include_bytes!("../../models/config.json"),
            include_bytes!("../../models/tokenizer.json"),
            include_bytes!("../../models/model.safetensors"),
            Some(include_bytes!("../../models/romanise.json")),
        )
        .expect("the shipped model")
    }

    fn groups(texts: &[&str]) -> Vec<Vec<u32>> {
        near_duplicates(texts, &model(), &AuditConfig::default(), &Silent).expect("groups")
    }

    const TEMPLATE: &str = "Solve the following problem and show every step of your reasoning inside <trace> tags before the final answer: ";

    #[test]
    fn copies_and_near_copies_are_grouped_and_strangers_are_not() {
        let near = |task: &str| format!("{TEMPLATE}{task}");
        let texts = [
            near("how many primes lie below one hundred?"),
            "What is the capital of Mongolia, and how cold is it there in winter?".into(),
            near("how many squares lie below one hundred?"),
            "ok".into(),
            near("how many cubes lie below one hundred?"),
            "OK".into(),
            "Write a limerick on a lighthouse keeper who is afraid of the sea.".into(),
        ];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(groups(&texts), [vec![0, 2, 4], vec![3, 5]]);
    }

    #[test]
    fn no_text_and_odd_texts_are_no_error() {
        assert!(groups(&[]).is_empty());
        assert!(groups(&["one text only"]).is_empty());
        assert_eq!(groups(&["", "a\u{200b}b c", "", "\u{feff}"]), [vec![0, 2, 3]]);
        let long = "x".repeat(1 << 20);
        assert_eq!(groups(&[&long, &long]), [vec![0, 1]]);
    }

    #[test]
    fn threads_change_nothing() {
        let texts: Vec<String> = (0..600)
            .map(|i| format!("{TEMPLATE}what is {} times {}, and why is that so for task {}?", i % 7, i / 3, i % 50))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (model, config) = (model(), AuditConfig::default());
        let with = |n: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("groups");
            pool.install(|| near_duplicates(&texts, &model, &config, &Silent).expect("groups"))
        };
        let one = with(1);
        assert!(!one.is_empty());
        assert_eq!(one, with(3));
    }
}
