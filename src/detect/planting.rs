//! Is the mark planted where it should be? Sequential tests over nights of a sample of served responses, cell by cell.
//!
//! # The idea
//! A *cell* is a value of something that responses are told apart by: a node, a model, a key, or all of them together. A response *looks unmarked*
//! when its own test under the key that it should bear has p above [`LOOKS_UNMARKED`]. Some always do: greedy ones, and texts whose tokens
//! are certain. So the question is not whether a cell has such responses, but whether it has more than it should, which two tests ask:
//!
//! * **Among peers** (within a night): were the cell's responses drawn blindly from those of all cells with the same key and model? An e-value with
//!   mean one given the night's totals ([`crate::stats::ln_e_more_hits`]), once of the responses that look unmarked and once of those below the median in strength; the mean
//!   of both. It finds a node among others on the first night on which it fails.
//! * **Against its past**: was tonight's part of the cell's responses drawn blindly from all nights' until now? A smoothed hypergeometric p-value; such p-values are independent
//!   from night to night (Vovk, Nouretdinov and Gammerman 2003), and give an e-value each. It finds what all cells share.
//!
//! Each goes into a [`Sequence`], so looking every night is free. A cell is in alarm when either has gone up to [`Watch::threshold`].
//!
//! # Null, and what an alarm costs
//! Null: the responses of a cell look unmarked as often as those of its peers of the same key and model, and as often as before. With [`MOST_CELLS`] cells for each thing that
//! responses are told apart by, and two tests each, at most a share α of services in which nothing ever fails *ever* has an alarm, however long they run.
//! Beside these stands a rule that needs no past: [`State::Missing`] where a night's sample of a cell has no evidence although a mark of strength
//! [`EXPECTED_STRENGTH`] would have given it with a chance of 0.9999.
//!
//! Weakness: a service whose traffic changes (more greedy requests from one day on, on one node) gives an alarm as well, for it is less marked. What every
//! cell has from the first night on is no change: only the rule sees it. Guarantee: state and result follow from the counts and the seed alone.

use crate::stats::{self, Draw, Sequence};
use std::collections::{BTreeMap, BTreeSet};

/// A response looks unmarked where its own p is above this.
pub const LOOKS_UNMARKED: f64 = 0.01;
/// Cells for each thing that responses are told apart by; later ones are counted together.
pub const MOST_CELLS: usize = 64;
/// The strength of a mark that is planned for where nothing is known of it.
pub const EXPECTED_STRENGTH: f64 = 0.1;
/// p at which a mark counts as found.
pub const FOUND: f64 = 1e-6;
/// Responses of the past from which a night is compared with it.
const LEAST_PAST: u64 = 100;
/// The value of cells beyond [`MOST_CELLS`].
pub const OTHERS: &str = "(others)";

/// A response that was scored under the key that it should bear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Number of its key and model: only responses that agree in both are compared within a night.
    pub stratum: u32,
    /// Its own ln p.
    pub ln_p: f64,
    /// Its statistic a window.
    pub strength: f64,
}

impl Scored {
    fn looks_unmarked(&self) -> bool {
        self.ln_p > libm::log(LOOKS_UNMARKED)
    }
}

/// A night's sample of one cell.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Its responses.
    pub responses: Vec<Scored>,
    /// Their tokens.
    pub tokens: u64,
    /// Their distinct windows.
    pub scored: u64,
    /// ln p of all of them together under the keys that they should bear, adjusted for these.
    pub ln_p: f64,
    /// Chance that a mark of [`EXPECTED_STRENGTH`] gives [`FOUND`] on so many windows.
    pub power: f64,
    /// Tokens to [`FOUND`] at tonight's rate; none where tonight's text says nothing.
    pub tokens_to: Option<u64>,
}

/// How a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Planted,
    /// Marked, less than its peers or its past.
    Weak,
    /// No evidence of the mark.
    Missing,
    /// Too few responses to say anything.
    TooLittle,
}

/// What is kept of a cell from night to night.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    peers: Sequence,
    past: Sequence,
    responses: u64,
    unmarked: u64,
    /// Tokens to [`FOUND`], the mean of the nights without alarm, and their number.
    tokens_to: f64,
    nights: u32,
    /// The night from which on it is in alarm.
    since: Option<u32>,
}

/// All that is kept from night to night: counts, and no key.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Watched {
    /// Nights that were looked at; tests that spend their error over nights count them.
    pub nights: u32,
    /// By what responses are told apart by, then by its value.
    pub cells: BTreeMap<String, BTreeMap<String, Kept>>,
}

/// What a night says of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// How it stands.
    pub state: State,
    /// Responses that look unmarked.
    pub unmarked: u64,
    /// The same before tonight, as a share; none without a past.
    pub unmarked_before: Option<f64>,
    /// Tokens to [`FOUND`] before tonight.
    pub expected_tokens: Option<u64>,
    /// The greater of the two sequences' evidence.
    pub evidence: f64,
    /// In alarm since this night.
    pub since: Option<u32>,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watch {
    /// Chance of an alarm, ever, where nothing fails; in (0, 1).
    pub alpha: f64,
    /// Things that responses are told apart by.
    pub kinds: usize,
    /// Of the smoothing of p-values.
    pub seed: u64,
}

impl Watch {
    /// Evidence that makes an alarm.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        (2 * MOST_CELLS * self.kinds.max(1)) as f64 / self.alpha
    }

    /// Puts a night's values into cells: those that have one already or for which there is room, the others together. Values come in an order that
    /// does not depend on what was scored.
    #[must_use]
    pub fn cells<'a>(watched: &Watched, kind: &str, values: &BTreeSet<&'a str>) -> BTreeMap<&'a str, String> {
        let known = watched.cells.get(kind);
        let mut room = (MOST_CELLS - 1).saturating_sub(known.map_or(0, BTreeMap::len));
        let mut cell = |value: &str| {
            let old = known.is_some_and(|known| known.contains_key(value));
            let new = !old && room > 0;
            room -= usize::from(new);
            if old || new { value.to_owned() } else { OTHERS.to_owned() }
        };
        values.iter().map(|value| (*value, cell(value))).collect()
    }

    /// One night's cells of one kind. Adds what they say to what is kept, and tells how each stands.
    pub fn night(
        &self,
        watched: &mut Watched,
        kind: &str,
        night: u32,
        samples: &BTreeMap<String, Sample>,
    ) -> BTreeMap<String, Standing> {
        let peers = peers(samples);
        let kept = watched.cells.entry(kind.to_owned()).or_default();
        let mut out = BTreeMap::new();
        for (value, sample) in samples {
            let cell = kept.entry(value.clone()).or_default();
            let unmarked = sample.responses.iter().filter(|response| response.looks_unmarked()).count() as u64;
            let n = sample.responses.len() as u64;
            let most = 100.0 * self.threshold();
            cell.peers.add(peers[value], most);
            let before = (cell.responses > 0).then(|| cell.unmarked as f64 / cell.responses as f64);
            if cell.responses >= LEAST_PAST && n > 0 {
                let all = (cell.responses + n, cell.unmarked + unmarked);
                let upper = |k: u64| stats::ln_hypergeometric_upper(k, all.0, all.1, n);
                let u = uniform(self.seed, night, kind, value);
                // P(X > k) + u P(X = k) = (1 − u) P(X > k) + u P(X ≥ k).
                let ln_p = stats::ln_randomised(upper(unmarked + 1) + libm::log1p(-u), upper(unmarked), u);
                cell.past.add(stats::ln_e_of_p(ln_p), most);
            }
            let evidence = cell.peers.evidence().max(cell.past.evidence());
            let alarm = evidence >= self.threshold();
            let found = sample.ln_p <= libm::log(FOUND);
            let state = match (alarm, found) {
                (_, false) if sample.power >= 0.9999 => State::Missing,
                (true, true) => State::Weak,
                (true, false) => State::Missing,
                (false, true) => State::Planted,
                (false, false) => State::TooLittle,
            };
            let expected_tokens = (cell.nights > 0).then_some(cell.tokens_to as u64);
            let fails = matches!(state, State::Weak | State::Missing);
            cell.since = fails.then(|| cell.since.unwrap_or(night));
            if !fails {
                cell.responses += n;
                cell.unmarked += unmarked;
                if let Some(tokens) = sample.tokens_to {
                    cell.nights += 1;
                    cell.tokens_to += (tokens as f64 - cell.tokens_to) / f64::from(cell.nights);
                }
            }
            out.insert(
                value.clone(),
                Standing { state, unmarked, unmarked_before: before, expected_tokens, evidence, since: cell.since },
            );
        }
        out
    }
}

/// ln e of each cell among its peers: the mean of an e-value of those that look unmarked and one of those below the median strength.
fn peers(samples: &BTreeMap<String, Sample>) -> BTreeMap<String, f64> {
    let mut strata: BTreeMap<u32, Vec<&Scored>> = BTreeMap::new();
    for response in samples.values().flat_map(|sample| &sample.responses) {
        strata.entry(response.stratum).or_default().push(response);
    }
    let medians: BTreeMap<u32, f64> = strata
        .iter()
        .map(|(stratum, of)| {
            let mut strengths: Vec<f64> = of.iter().map(|response| response.strength).collect();
            strengths.sort_unstable_by(f64::total_cmp);
            (*stratum, strengths[strengths.len() / 2])
        })
        .collect();
    let weaker = |response: &Scored| response.strength < medians[&response.stratum];
    let e = |sample: &Sample, hit: &dyn Fn(&Scored) -> bool| {
        let draw = |(stratum, all): (&u32, &Vec<&Scored>)| {
            let own = || sample.responses.iter().filter(|response| response.stratum == *stratum);
            Draw {
                hits: own().filter(|response| hit(response)).count() as u64,
                drawn: own().count() as u64,
                all_hits: all.iter().filter(|response| hit(response)).count() as u64,
                all: all.len() as u64,
            }
        };
        stats::ln_e_more_hits(&strata.iter().map(draw).collect::<Vec<Draw>>())
    };
    samples
        .iter()
        .map(|(value, sample)| {
            let both = [e(sample, &Scored::looks_unmarked), e(sample, &weaker)];
            (value.clone(), stats::ln_mean(&both))
        })
        .collect()
}

/// A number in (0, 1) that seed, night and cell decide.
fn uniform(seed: u64, night: u32, kind: &str, value: &str) -> f64 {
    let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 planting smoothing");
    hash.update(&seed.to_le_bytes()).update(&night.to_le_bytes());
    for part in [kind, value] {
        hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let word = u64::from_le_bytes(*hash.finalize().as_bytes().first_chunk().unwrap_or(&[0; 8]));
    ((word >> 12) as f64 + 0.5) / 2f64.powi(52)
}

#[cfg(test)]
mod tests;
