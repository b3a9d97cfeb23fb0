//! On whose harvest was it trained? Each ring's exclusive contexts tested, with decoy rings beside it.
//!
//! # The test
//! A context is *exclusive* to a ring when it was served to members of the ring and to nobody else: not to another ring, and not to any
//! honest account. *Null hypothesis, for each ring*: given its exclusive contexts, what the suspect says next does not depend on the key. Marks of
//! one ring's text do not reach contexts that the ring never had, because each context has a row of its own, so a suspect trained on
//! another harvest satisfies this ring's null (measured: p above 10⁻² in contexts of rings that were not trained on). Holm over rings and keys.
//!
//! *Decoy rings*: the rate over contexts that no suspicion falls on, of as many windows or, where there are not so many, of fewer: of random honest
//! accounts, where there are enough, else of random windows in contexts that this ring never had. The rank among n decoys is at least 1/(n + 1): it
//! calibrates, the p-value proves. A suspect that is marked alike in all contexts has a middling rank, and no ring is named.
//!
//! Weakness: contexts of one token are served to everybody, so nothing is exclusive; use cohort keys there. A second buyer of the same
//! harvest is marked as well: the test says whose harvest, not who trained. Guarantee: exact counts, in memory that the caller states.

use super::control::{self, Control, ControlKind, dealt};
use super::copies::Copies;
use super::evidence::Read;
use super::{Config, DecoyKeys, LEAST_DECOYS, Tested, copied_runs, only_copies, passed, without_copies};
use crate::detect::decoys::{self, LOG10_E};
use crate::detect::p_value::{Kind, Law};
use crate::detect::tally::{Scoring, Traced, score};
use crate::detect::windows::Seen;
use crate::detect::{Test, Verdict};
use crate::error::Result;
use crate::stats;
use crate::store::spill::{Distinct, Gather, Record};
use crate::watermark::Traits;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
use std::ops::Range;
use std::path::Path;

/// Fewest honest accounts from which decoy rings are drawn.
const LEAST_ACCOUNTS: usize = 40;
/// Largest rank among decoy rings of `Marked`.
const MOST_RANK: f64 = 0.01;

/// A context and an account that it was served to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Owned {
    key: [u64; 2],
    owner: u64,
}

impl Record for Owned {
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// Who was served which contexts, while responses are read.
pub struct Owners(Gather<Owned>);

/// The same, in order.
pub struct Served(Distinct<Owned>);

impl Owners {
    /// At most `bytes` of pairs in memory (24 each); more go to files without a name in `dir`.
    #[must_use]
    pub fn new(bytes: usize, dir: &Path) -> Self {
        Self(Gather::new(bytes, dir))
    }

    /// Adds contexts that were served to `owner`.
    /// # Errors
    /// `Io` when a run cannot be spilled.
    pub fn add(&mut self, owner: u32, contexts: impl IntoIterator<Item = u128>) -> Result<()> {
        let owned = |key: u128| Owned { key: [(key >> 64) as u64, key as u64], owner: owner.into() };
        self.0.add(&contexts.into_iter().map(owned).collect::<Vec<_>>())
    }

    /// All of them.
    /// # Errors
    /// `Io` when something cannot be spilled.
    pub fn finish(self) -> Result<Served> {
        Ok(Served(self.0.finish()?))
    }
}

/// A ring, or any set of accounts that is asked about.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Its name.
    pub name: String,
    /// Numbers of its accounts.
    pub members: Vec<u32>,
}

/// Decoy rings of one result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DecoyRings {
    /// How many.
    pub n: usize,
    /// Windows of each, or a few more: as many as the ring has, or half of what there is. Smaller decoys scatter more, which is to the ring's favour.
    pub windows: u64,
    /// (1 + decoys with a rate at least the ring's) / (n + 1); none without decoys.
    pub rank_p: Option<f64>,
    /// What they were drawn from.
    pub of: &'static str,
}

/// What the test says of one ring under one key. Its JSON names are a format.
#[derive(Clone, Debug, Serialize)]
pub struct RingFinding {
    /// The ring.
    pub ring: String,
    /// The key's name.
    pub key: String,
    /// The scheme.
    pub scheme: &'static str,
    /// Accounts of the ring.
    pub accounts: usize,
    /// Contexts that were served to it and to nobody else.
    pub exclusive_contexts: u64,
    /// Distinct windows that were scored.
    pub scored: u64,
    /// Green windows, sum of scores, or (weighted) ones.
    pub statistic: f64,
    /// Its mean under the null.
    pub expected: f64,
    /// It a window.
    pub rate: f64,
    /// Its interval; none where nothing was scored.
    pub interval: Option<[f64; 2]>,
    /// log10 p of this test alone.
    pub log10_p: f64,
    /// Whether p is exact.
    pub p_kind: Kind,
    /// How p was made.
    pub method: &'static str,
    /// log10 of the p adjusted for all rings and keys.
    pub adjusted_log10_p: f64,
    /// Tests that the adjustment covers.
    pub m_tests: usize,
    /// Decoy rings.
    pub decoys: DecoyRings,
    /// What looks copied from the ring's harvest, and the p without it; none where nothing does, or where p alone is above the level.
    pub copies: Option<Copies>,
    /// Chance that a mark of the stated strength would have been found.
    pub power: f64,
    /// The verdict: `Marked` names the ring.
    pub verdict: Verdict,
    /// The rule that gave it, with its numbers.
    pub rule: String,
}

/// What stands behind the rings' results of one key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyControls {
    /// The key's name.
    pub key: String,
    /// Decoy keys, on the exclusive contexts of all rings.
    pub decoys: DecoyKeys,
    /// Controls under the true key, there as well.
    pub controls: Vec<Control>,
}

/// The suspect's windows, sorted out by whom their contexts were served to. A range is of windows in order, those of one context where it says so.
struct Sorted {
    /// Exclusive contexts of each ring, said or not.
    exclusive: Vec<u64>,
    /// The suspect's windows in them, a range for each context.
    windows: Vec<Vec<Range<usize>>>,
    /// Of each account that is in no ring: windows in contexts that nobody else had, and their statistic.
    honest: Vec<(u64, f64)>,
    /// The suspect's contexts that no single party owns or nobody does: their windows, and the rings that had them.
    rest: Vec<(Vec<u32>, Range<usize>)>,
}

/// Sorts `suspect`, of whose windows `values` are the statistics, in one walk beside what was served.
fn sort(suspect: &[Seen], values: &[f64], served: &Served, rings: &[Ring]) -> Sorted {
    let n_owners = rings.iter().flat_map(|ring| &ring.members).max().map_or(0, |most| *most as usize + 1);
    let mut rings_of: Vec<Vec<u32>> = vec![Vec::new(); n_owners];
    for (number, ring) in (0..).zip(rings) {
        ring.members.iter().for_each(|member| rings_of[*member as usize].push(number));
    }
    let of = |owner: u64| rings_of.get(owner as usize).map_or(&[][..], Vec::as_slice);
    let mut out = Sorted {
        exclusive: vec![0; rings.len()],
        windows: vec![Vec::new(); rings.len()],
        honest: Vec::new(),
        rest: Vec::new(),
    };
    let mut at = 0;
    let mut rest = |windows: Range<usize>, had: Vec<u32>| {
        if !windows.is_empty() {
            out.rest.push((had, windows));
        }
    };
    let mut all = Vec::new();
    for group in served.0.records().chunk_by(|a, b| a.key == b.key) {
        let key = u128::from(group[0].key[0]) << 64 | u128::from(group[0].key[1]);
        let mut first = at;
        while suspect.get(first).is_some_and(|seen| seen.key() < key) {
            first += 1;
        }
        rest(at..first, Vec::new());
        at = first;
        while suspect.get(at).is_some_and(|seen| seen.key() == key) {
            at += 1;
        }
        let said = first..at;
        all.clear();
        all.extend_from_slice(of(group[0].owner));
        group[1..].iter().for_each(|owned| all.retain(|ring| of(owned.owner).contains(ring)));
        for &ring in &all {
            out.exclusive[ring as usize] += 1;
            if !said.is_empty() {
                out.windows[ring as usize].push(said.clone());
            }
        }
        if said.is_empty() {
            continue;
        }
        if let ([only], []) = (group, of(group[0].owner)) {
            let only = only.owner as usize;
            if out.honest.len() <= only {
                out.honest.resize(only + 1, (0, 0.0));
            }
            let account = &mut out.honest[only];
            *account = sum(*account, values, said.clone());
        }
        let mut had: Vec<u32> = group.iter().flat_map(|owned| of(owned.owner)).copied().collect();
        had.sort_unstable();
        had.dedup();
        rest(said, had);
    }
    rest(at..suspect.len(), Vec::new());
    out
}

/// Adds windows and their statistics; those that were not scored are left out.
fn sum(before: (u64, f64), values: &[f64], windows: Range<usize>) -> (u64, f64) {
    let scored = values.get(windows).into_iter().flatten().filter(|value| !value.is_nan());
    scored.fold(before, |(n, sum), value| (n + 1, sum + value))
}

/// The rings' results of one key, unadjusted.
struct OneKey {
    findings: Vec<RingFinding>,
    ln_ps: Vec<Vec<f64>>,
    best: Vec<usize>,
    laws: Vec<Law>,
    controls: KeyControls,
    published: Option<&'static str>,
}

/// One key with all that it is asked about.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The key.
    pub test: &'a Test,
    /// What the suspect said, as this key's scheme reads it.
    pub suspect: &'a Read,
    /// Who was served which contexts.
    pub served: &'a Served,
    /// Texts of models that never saw ours, with names.
    pub clean: &'a [(String, &'a Read)],
}

/// Asks of each ring and each key whether the suspect was trained on the ring's harvest, with `n_decoys` decoy rings for each ring.
///
/// * Null and correction: see the module. Returned in the order of keys, then of rings.
/// # Errors
/// `Io` when something must be spilled and cannot.
pub fn attribute(
    cases: &[Case<'_>],
    rings: &[Ring],
    n_decoys: usize,
    config: &Config,
) -> Result<(Vec<RingFinding>, Vec<KeyControls>)> {
    let all: Vec<OneKey> = cases.iter().map(|case| one_key(*case, rings, n_decoys, config)).collect::<Result<_>>()?;
    let every: Vec<f64> = all.iter().flat_map(|key| key.ln_ps.iter().flatten().copied()).collect();
    let adjusted = stats::holm(&every);
    let mut first = 0;
    let (mut findings, mut controls) = (Vec::new(), Vec::new());
    for key in all {
        let each = key.findings.into_iter().zip(key.ln_ps).zip(key.best).zip(key.laws);
        for (((mut finding, ln_ps), best), law) in each {
            let ln_adjusted = adjusted[first + best];
            first += ln_ps.len();
            finding.adjusted_log10_p = ln_adjusted * LOG10_E;
            finding.m_tests = every.len();
            let ln_alpha = libm::log(config.alpha / every.len() as f64);
            finding.power = law.power(finding.scored, config.strength, ln_alpha);
            (finding.verdict, finding.rule) = rule(&finding, &key.controls, ln_adjusted, key.published, config);
            findings.push(finding);
        }
        controls.push(key.controls);
    }
    Ok((findings, controls))
}

fn one_key(case: Case<'_>, rings: &[Ring], n_decoys: usize, config: &Config) -> Result<OneKey> {
    let Case { test, suspect, served, clean } = case;
    let marker = test.marker.as_ref();
    let seen = suspect.corpus.seen();
    let scoring = suspect.scoring(config.bytes, &config.dir);
    let values = if n_decoys > 0 { values(test, suspect, scoring)? } else { Vec::new() };
    let Sorted { exclusive, windows, honest, rest } = sort(seen, &values, served, rings);
    let of =
        |ranges: &[Range<usize>]| -> Vec<Seen> { ranges.iter().flat_map(|of| &seen[of.clone()]).copied().collect() };
    let mut tested = Vec::with_capacity(rings.len());
    for windows in &windows {
        tested.push(Tested::new(test, &suspect.corpus, &of(windows), scoring, None)?);
    }
    // What stands behind all: the suspect's windows in any ring's exclusive contexts.
    let mut union: Vec<Range<usize>> = windows.iter().flatten().cloned().collect();
    union.sort_unstable_by_key(|of| of.start);
    union.dedup();
    let union = of(&union);
    let contexts: Vec<u128> = union.iter().map(Seen::key).collect();
    let in_union = |seen: &[Seen]| seen.iter().map(|seen| contexts.binary_search(&seen.key()).is_ok()).collect();
    let corpus = suspect.corpus.with(union);
    let whole = Tested::new(test, &corpus, corpus.seen(), scoring, None)?;
    // A control has to be able to show what the surest ring shows.
    let surest = (0..tested.len()).min_by(|&a, &b| {
        let ln_p = |ring: &Tested| ring.ln_ps[ring.best];
        ln_p(&tested[a]).total_cmp(&ln_p(&tested[b]))
    });
    let rate = surest.map_or(whole.best(), |ring| tested[ring].best());
    let rate = rate.statistic() / (rate.scored() as f64).max(1.0);
    let mut controls = Vec::new();
    let mut beside = |kind, name: &str, read: &Read, windows: Vec<Seen>| -> Result<()> {
        let corpus = read.corpus.with(windows);
        let tested = Tested::new(test, &corpus, corpus.seen(), read.scoring(config.bytes, &config.dir), None)?;
        controls.push(Control::new(kind, name, &tested.law, tested.best(), tested.ln_ps[tested.best], rate));
        Ok(())
    };
    if corpus.packing().shape.context > 0 {
        let dealt = dealt(marker, &corpus, scoring.tokens, config.decoys.seed);
        beside(ControlKind::Dealt, "the suspect's tokens in other contexts", suspect, dealt)?;
    }
    for (name, read) in clean {
        beside(ControlKind::Clean, name, read, passed(read.corpus.seen(), &in_union))?;
    }
    let decoys = decoys::run(marker, &corpus, scoring, config.decoys)?.beside(marker, &corpus, scoring)?;
    let accounts: Vec<(u64, f64)> = honest.into_iter().filter(|(n, _)| *n > 0).collect();
    let marked: Vec<bool> =
        tested.iter().map(|ring| ring.ln_ps[ring.best] <= libm::log(config.alpha / rings.len() as f64)).collect();
    let mut findings = Vec::new();
    for (number, (ring, of)) in rings.iter().zip(&tested).enumerate() {
        let (n, statistic) = (of.best().scored(), of.best().statistic());
        let (rate, interval) = of.law.interval(n, statistic, config.level);
        let own = windows[number].iter().fold((0, 0.0), |before, of| sum(before, &values, of.clone()));
        let (own_n, own_sum) = own;
        let own = own_sum / (own_n as f64).max(1.0);
        let enough = accounts.len() >= LEAST_ACCOUNTS && accounts.iter().map(|(n, _)| n).sum::<u64>() >= 2 * n;
        let seed = |decoy: usize| {
            let mut bytes = decoys::material(config.decoys.seed, decoy);
            bytes.iter_mut().zip((number as u64).to_le_bytes()).for_each(|(byte, with)| *byte ^= with);
            ChaCha8Rng::from_seed(bytes)
        };
        let (pool, drawn_from) = if n_decoys == 0 || n == 0 {
            (Vec::new(), "nothing")
        } else if enough {
            (accounts.clone(), "honest accounts")
        } else {
            let never_had = |had: &[u32]| !had.iter().any(|&ring| ring as usize == number || marked[ring as usize]);
            let others = rest.iter().filter(|(had, _)| never_had(had)).flat_map(|(_, windows)| windows.clone());
            let scored = others.filter_map(|at| values.get(at)).filter(|value| !value.is_nan());
            let pool = scored.map(|value| (1, *value));
            (pool.collect(), "contexts that the ring never had")
        };
        let (size, rates) = decoy_rings(&pool, n, n_decoys, &seed);
        let at_least = rates.iter().filter(|rate| **rate >= own).count();
        let copies = if of.ln_ps[of.best] <= libm::log(config.alpha) && suspect.answers {
            let [mut had, mut own] = [vec![false; seen.len()], vec![false; seen.len()]];
            let all = rest.iter().filter(|(rings, _)| rings.contains(&(number as u32))).map(|(_, windows)| windows);
            all.for_each(|windows| had[windows.clone()].fill(true));
            windows[number].iter().for_each(|windows| own[windows.clone()].fill(true));
            without_copies(test, suspect, copied_runs(suspect, &had), &own, config)?
        } else {
            None
        };
        let rank_p = (!rates.is_empty()).then(|| (1 + at_least) as f64 / (rates.len() + 1) as f64);
        findings.push(RingFinding {
            ring: ring.name.clone(),
            key: test.key_id.clone(),
            scheme: test.scheme,
            accounts: ring.members.len(),
            exclusive_contexts: exclusive[number],
            scored: n,
            statistic,
            expected: of.law.expected(n),
            rate,
            interval,
            log10_p: of.ln_ps[of.best] * LOG10_E,
            p_kind: of.law.kind(),
            method: of.law.method(),
            adjusted_log10_p: 0.0,
            m_tests: 0,
            decoys: DecoyRings { n: rates.len(), windows: size, rank_p, of: drawn_from },
            copies,
            power: 0.0,
            verdict: Verdict::Inconclusive,
            rule: String::new(),
        });
    }
    Ok(OneKey {
        findings,
        best: tested.iter().map(|ring| ring.best).collect(),
        ln_ps: tested.iter().map(|ring| ring.ln_ps.clone()).collect(),
        laws: tested.into_iter().map(|ring| ring.law).collect(),
        controls: KeyControls { key: test.key_id.clone(), decoys: decoys.into(), controls },
        published: test.published,
    })
}

/// The statistic of each of the suspect's windows (first payload), in their order; NaN for those that were not scored.
pub(super) fn values(test: &Test, suspect: &Read, scoring: Scoring<'_>) -> Result<Vec<f64>> {
    let marker = test.marker.as_ref();
    let Traits { null, collapses, .. } = marker.traits();
    let seen = suspect.corpus.seen();
    let (mut values, mut placed) = (Vec::new(), Vec::new());
    let mut take = |rows: &[Traced]| {
        for row in rows {
            let value = row.statistic(&null);
            // Where no two windows share a unit, units come in the order of windows.
            if collapses {
                placed.push((row.place, value));
            } else {
                values.push(value);
            }
        }
        Ok(())
    };
    score(marker, &suspect.corpus, seen, scoring, Some((0, &mut take)))?;
    if collapses {
        placed.par_sort_unstable_by_key(|(place, _)| *place);
        let of_place = |seen: &Seen| placed.binary_search_by_key(&seen.place(), |(place, _)| *place);
        let of = |seen: &Seen| of_place(seen).map_or(f64::NAN, |at| placed[at].1);
        values = seen.par_iter().map(of).collect();
    }
    Ok(values)
}

/// Windows of decoy rings, and their rates: `pool` holds windows and their statistic, by account or one by one. It is shuffled and cut into
/// rings of at least `windows` windows, as often as is needed; of half the pool where it is smaller.
fn decoy_rings(
    pool: &[(u64, f64)],
    windows: u64,
    n: usize,
    seed: &(dyn Fn(usize) -> ChaCha8Rng + Sync),
) -> (u64, Vec<f64>) {
    // Two rings of one shuffle at least, so that none is the rest of the other.
    let windows = windows.min(pool.iter().map(|(n, _)| n).sum::<u64>() / 2);
    if windows == 0 {
        return (0, Vec::new());
    }
    let of_shuffle = |shuffle: usize| {
        let mut pool = pool.to_vec();
        pool.shuffle(&mut seed(shuffle));
        let mut ring = (0, 0.0);
        let add = |(n, sum): (u64, f64)| {
            ring = (ring.0 + n, ring.1 + sum);
            let full = ring.0 >= windows;
            full.then(|| std::mem::replace(&mut ring, (0, 0.0)))
        };
        pool.into_iter().filter_map(add).map(|(n, sum)| sum / n as f64).collect::<Vec<f64>>()
    };
    let mut out = of_shuffle(0);
    let more = n.saturating_sub(out.len()).div_ceil(out.len().max(1));
    let rest: Vec<f64> = (1..=more + 1).into_par_iter().flat_map_iter(of_shuffle).collect();
    out.extend(rest);
    out.truncate(n);
    (windows, out)
}

fn rule(
    finding: &RingFinding,
    behind: &KeyControls,
    ln_adjusted: f64,
    published: Option<&str>,
    config: &Config,
) -> (Verdict, String) {
    let inconclusive = |why: String| (Verdict::Inconclusive, why);
    let (m, alpha) = (finding.m_tests, format!("{:e}", config.alpha));
    let adjusted = format!("adjusted log10 p {:.2}", ln_adjusted * LOG10_E);
    let marked = ln_adjusted <= libm::log(config.alpha);
    if finding.scored == 0 {
        return inconclusive("no window was scored in contexts that only this ring was served".into());
    }
    match behind.decoys.ks_p {
        None => {
            return inconclusive("no decoy keys were run, so nothing shows that the test holds on this text".into());
        }
        Some(_) if behind.decoys.n < LEAST_DECOYS => {
            return inconclusive(format!("fewer than {LEAST_DECOYS} decoy keys say nothing of the test on this text"));
        }
        Some(p) if p < config.least_uniformity => {
            return inconclusive(format!(
                "decoy keys' p-values are not uniform (p {p:.2e}): the test does not hold on this text"
            ));
        }
        Some(_) => {}
    }
    if let Some(why) = control::against(&behind.controls, config.least_control, marked) {
        return inconclusive(why);
    }
    if marked {
        let Some(rank) = finding.decoys.rank_p else {
            return inconclusive(
                "no decoy rings were run, so nothing shows what rings without guilt look like here".into(),
            );
        };
        if rank > MOST_RANK {
            let of = finding.decoys.of;
            return inconclusive(format!(
                "{adjusted}, but decoy rings of {of} look alike (rank p {rank:.4}, above {MOST_RANK})"
            ));
        }
        if let Some(published) = published {
            return inconclusive(format!(
                "{adjusted}, but the key is public ({published}): it shows that somebody used it"
            ));
        }
        if let Some(why) = only_copies(finding.copies.as_ref(), libm::log10(config.alpha / m as f64)) {
            return inconclusive(format!("{adjusted}, but {why}"));
        }
        return (
            Verdict::Marked,
            format!(
                "Marked: {adjusted} over {m} tests is at most {alpha}, rank p {rank:.5} among {} decoy rings, no control is marked{}",
                finding.decoys.n,
                finding.copies.as_ref().map(Copies::beside).unwrap_or_default()
            ),
        );
    }
    let planned =
        format!("planned power {:.4} at strength {} and {} windows", finding.power, config.strength, finding.scored);
    if finding.power >= config.power {
        let rule =
            format!("NotDetected: {adjusted} over {m} tests is above {alpha}, {planned} is at least {}", config.power);
        return (Verdict::NotDetected, rule);
    }
    inconclusive(format!("{adjusted} over {m} tests is above {alpha}, and {planned} is below {}", config.power))
}
