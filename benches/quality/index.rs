//! What the index finds of what brute force finds, on 100,000 prompts of the test half.
//!
//! *Neighbours*: prompts that the rule accepts, by brute force over all vectors down to the similarity below which nothing can
//! be accepted; the share of them that `similar --all` returns. *Top ten*: by similarity, ties within 0.002 forgiven.
//! *Closure*: pairs of prompts in one connected component of the accepted pairs, by brute force and by the join, at one floor;
//! it measures the finder, not the families, which are never components.

use crate::data::{Corpus, Prompt};
use crate::edits::{N_LOG, rule};
use crate::logs::Audited;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Instant;
use stillhunt::audit::join_probes;
use stillhunt::embed::Model;
use stillhunt::family::calibrate::Calibration;
use stillhunt::family::judge::{Judge, MAX_CANDIDATES, Rule};
use stillhunt::index::{Ask, Built, Hit, Probes, Segment, exact};
use stillhunt::lookup::{Opened, SimilarQuery};
use stillhunt::stored::AuditConfig;

const QUERIES: usize = 2000;
const TIE: f32 = 0.002;

/// The tables of recall.
pub(crate) fn report(model: &Model, all: &[Prompt], calibration: &Calibration) -> String {
    let prompts = half(all, false);
    let store = Audited::new(model, prompts.iter().map(|p| (p.id.as_str(), p.text.as_str())));
    let corpus = Corpus::of_all(model, prompts.into_iter().cloned().collect());
    let rule = rule(calibration, all, N_LOG as u64);
    let step = corpus.prompts.len() / QUERIES;
    let queries: Vec<usize> = (0..QUERIES).map(|i| i * step).collect();
    let asked = corpus.vectors.chosen(&queries);
    let near = exact::search(&corpus.vectors, &asked, rule.least_similarity());
    let opened =
        Opened::open(stillhunt::store::Store::open(&store.store()).expect("a store"), model, &AuditConfig::default())
            .expect("the store");
    let (mut shares, mut floored, mut tens) = (Vec::new(), Vec::new(), Vec::new());
    let mut judge = Judge::new(&corpus);
    let mut took = [0.0; 2];
    for (&q, hits) in queries.iter().zip(&near) {
        let ask = |k: usize| {
            let start = Instant::now();
            let query = SimilarQuery { text: corpus.prompts[q].text.clone(), k, ..SimilarQuery::default() };
            let hits = opened.similar(&query).expect("a search").hits;
            (hits, start.elapsed().as_secs_f64())
        };
        let (found, seconds) = ask(0);
        took[0] += seconds;
        let found: HashSet<String> = found.into_iter().map(|hit| hit.exchange_id).collect();
        let accepted: Vec<&Hit> = hits
            .iter()
            .filter(|hit| hit.id as usize != q)
            .filter(|hit| judge.accepted(q as u32, hit.id, hit.similarity, &rule).is_some())
            .collect();
        let share = |hits: &[&Hit]| {
            let n = hits.iter().filter(|hit| found.contains(&corpus.prompts[hit.id as usize].id)).count();
            (!hits.is_empty()).then(|| n as f64 / hits.len() as f64)
        };
        shares.extend(share(&accepted));
        floored.extend(share(&accepted.into_iter().filter(|hit| hit.similarity >= rule.floor).collect::<Vec<_>>()));
        let (top, seconds) = ask(10);
        took[1] += seconds;
        // Brute force kept everything above its floor; where that is under ten, the tenth is not known and the query is skipped.
        if let Some(tenth) = hits.get(9) {
            let good = top.iter().filter(|hit| hit.similarity >= tenth.similarity - TIE).count();
            tens.push(good.min(10) as f64 / 10.0);
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let mut out = String::from("## Index\n\n| measure | value | over | target |\n|---|---|---|---|\n");
    let _ = writeln!(
        out,
        "| share of accepted neighbours that `similar --all` returns | {:.4} | {} prompts that have any, of {QUERIES} | 0.98 |",
        mean(&shares),
        shares.len()
    );
    let _ = writeln!(
        out,
        "| the same, neighbours above the floor {:.2} of the rule | {:.4} | {} | – |",
        rule.floor,
        mean(&floored),
        floored.len()
    );
    let _ = writeln!(
        out,
        "| top ten by similarity, ties within {TIE} | {:.4} | {} prompts | 0.95 |",
        mean(&tens),
        tens.len()
    );
    let _ = writeln!(
        out,
        "| milliseconds for `similar --all`, top ten | {:.2}, {:.2} | {QUERIES} searches on one thread | – |",
        1e3 * took[0] / QUERIES as f64,
        1e3 * took[1] / QUERIES as f64
    );
    out
}

fn half(all: &[Prompt], dev: bool) -> Vec<&Prompt> {
    let mut prompts: Vec<&Prompt> = all.iter().filter(|p| p.dev() == dev && p.kind != "probe").collect();
    prompts.sort_by(|a, b| a.id.cmp(&b.id));
    prompts.truncate(N_LOG);
    prompts
}

/// The table of the nightly join of `n` prompts, with the floor of a store of that size: those of the test half first.
pub(crate) fn join_of(model: &Model, all: &[Prompt], calibration: &Calibration, n: usize) -> String {
    let mut prompts: Vec<&Prompt> = all.iter().filter(|p| p.kind != "probe").collect();
    prompts.sort_by_key(|p| (p.dev(), &p.id));
    prompts.truncate(n);
    let corpus = Corpus::of_all(model, prompts.into_iter().cloned().collect());
    let mut out = String::new();
    closure(&corpus, &rule(calibration, all, n as u64), true, &mut out);
    out
}

/// The tables of the nightly join: how many lists on the development half, what was chosen on the other.
pub(crate) fn join(model: &Model, all: &[Prompt], calibration: &Calibration) -> String {
    let rule = rule(calibration, all, N_LOG as u64);
    let mut out = String::from("## The nightly join\n");
    for (name, dev) in [("Development", true), ("Test", false)] {
        let corpus = Corpus::of_all(model, half(all, dev).into_iter().cloned().collect());
        let _ = write!(out, "\n{name} half: ");
        closure(&corpus, &rule, dev, &mut out);
    }
    out
}

/// Connected components.
struct Union(Vec<u32>);

impl Union {
    fn root(&mut self, mut a: u32) -> u32 {
        while self.0[a as usize] != a {
            self.0[a as usize] = self.0[self.0[a as usize] as usize];
            a = self.0[a as usize];
        }
        a
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}

/// Components of the accepted ones of these candidate pairs, each pair given once or twice.
fn components(corpus: &Corpus, near: &[(u32, Vec<Hit>)], rule: &Rule) -> Union {
    let accepted: Vec<Vec<(u32, u32)>> = near
        .par_iter()
        .map_init(
            || Judge::new(corpus),
            |judge, (row, hits)| {
                let accepts = |hit: &&Hit| judge.accepted(*row, hit.id, hit.similarity, rule).is_some();
                hits.iter().filter(|hit| hit.id != *row).filter(accepts).map(|hit| (*row, hit.id)).collect()
            },
        )
        .collect();
    let mut union = Union((0..corpus.prompts.len() as u32).collect());
    accepted.into_iter().flatten().for_each(|(a, b)| union.join(a, b));
    union
}

fn closure(corpus: &Corpus, rule: &Rule, vary: bool, out: &mut String) {
    let floor = rule.floor;
    let n = corpus.prompts.len();
    let joined: Vec<bool> = corpus.prompts.iter().map(|p| !stillhunt::text::is_trivial(&p.folded)).collect();
    let rows: Vec<u32> = (0..n as u32).filter(|&row| joined[row as usize]).collect();
    let start = Instant::now();
    let mut brute = Union((0..n as u32).collect());
    let mut brute_pairs = 0;
    // Of one prompt in sixteen, the nearest that the join may keep.
    let some: Vec<u32> = rows.iter().copied().step_by(16).collect();
    let asked = corpus.vectors.chosen(&some.iter().map(|&row| row as usize).collect::<Vec<_>>());
    let nearest: Vec<(u32, Vec<Hit>)> = some
        .iter()
        .copied()
        .zip(exact::search(&corpus.vectors, &asked, floor))
        .map(|(row, mut hits)| {
            hits.retain(|hit| hit.id != row && joined[hit.id as usize]);
            hits.truncate(MAX_CANDIDATES);
            (row, hits)
        })
        .collect();
    for block in rows.chunks(4096) {
        let asked = corpus.vectors.chosen(&block.iter().map(|&row| row as usize).collect::<Vec<_>>());
        let near: Vec<(u32, Vec<Hit>)> = block
            .iter()
            .copied()
            .zip(exact::search(&corpus.vectors, &asked, floor))
            .map(|(row, hits)| (row, hits.into_iter().filter(|hit| hit.id < row && joined[hit.id as usize]).collect()))
            .collect();
        brute_pairs += near.iter().map(|(_, hits)| hits.len()).sum::<usize>();
        let mut part = components(corpus, &near, rule);
        (0..n as u32).for_each(|a| {
            let root = part.root(a);
            brute.join(a, root);
        });
    }
    let brute_took = start.elapsed();
    let mut sizes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    (0..n as u32).for_each(|a| sizes.entry(brute.root(a)).or_default().push(a));
    let largest = sizes.values().map(Vec::len).max().unwrap_or(0);
    let _ = writeln!(
        out,
        "{n} prompts, floor {floor:.2}, threshold {:.3}. Brute force: {brute_pairs} candidates, {:.1} s with the judge; its largest \
         component has {largest} prompts.\n\n\
         | lists: most, bound | CPU-s of the join (target 1) | of it leaders and filing | closure (target 0.998) | in components of at most 1,000 | \
         nearest {MAX_CANDIDATES} neighbours (target 0.98) |\n|---|---|---|---|---|---|",
        rule.highest(),
        brute_took.as_secs_f64(),
    );
    let chosen = join_probes(floor);
    let mut tried = vec![chosen];
    if vary {
        let (n, bound) = (chosen.most, chosen.bound);
        let others = [(n / 4, bound), (n / 2, bound), (2 * n, bound), (4 * n, bound), (n, bound + 0.03), (n, -1.0)];
        tried.extend(others.map(|(most, bound)| Probes { most, bound, ..chosen }));
    }
    for probes in tried {
        let start = crate::cpu();
        let built = Built::to_join(&corpus.vectors, &probes, 1);
        let ids: Vec<u32> = (0..n as u32).collect();
        let active = built.thin(&corpus.vectors, &joined);
        let segment = Segment::open(built.to_bytes(&corpus.vectors, &ids, &active)).expect("the segment");
        let mut rows = built.by_list();
        rows.retain(|&row| joined[row as usize]);
        let filed = crate::cpu() - start;
        let ask = Ask { probes, active_only: true, floor, cap: MAX_CANDIDATES };
        let found = segment.near_itself(&corpus.vectors, &built, &rows, &ask, &|row, id| row != id);
        let took = crate::cpu() - start;
        let near: Vec<(u32, Vec<Hit>)> = rows.iter().copied().zip(found).collect();
        let mut found = components(corpus, &near, rule);
        let pairs = |n: u64| n * (n - 1) / 2;
        let (mut all, mut kept, mut without, mut without_kept) = (0, 0, 0, 0);
        for members in sizes.values().filter(|members| members.len() > 1) {
            let mut parts: HashMap<u32, u64> = HashMap::new();
            members.iter().for_each(|&m| *parts.entry(found.root(m)).or_default() += 1);
            let here = (pairs(members.len() as u64), parts.values().map(|&n| pairs(n)).sum::<u64>());
            (all, kept) = (all + here.0, kept + here.1);
            if members.len() <= 1000 {
                (without, without_kept) = (without + here.0, without_kept + here.1);
            }
        }
        let by_row: HashMap<u32, HashSet<u32>> =
            near.iter().map(|(row, hits)| (*row, hits.iter().map(|hit| hit.id).collect())).collect();
        let (mut neighbours, mut met) = (0u64, 0u64);
        for (a, hits) in &nearest {
            let has = |a: u32, b: u32| by_row.get(&a).is_some_and(|hits| hits.contains(&b));
            neighbours += hits.len() as u64;
            met += hits.iter().filter(|hit| has(*a, hit.id) || has(hit.id, *a)).count() as u64;
        }
        let _ = writeln!(
            out,
            "| {}, {:.2} | {took:.2} | {filed:.2} | {:.4} | {:.4} | {:.4} |",
            probes.most,
            probes.bound,
            kept as f64 / all.max(1) as f64,
            without_kept as f64 / without.max(1) as f64,
            met as f64 / neighbours.max(1) as f64
        );
    }
}
