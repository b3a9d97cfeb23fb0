//! Windows → units → values → a tally for each payload, in one order whatever the number of threads.
//!
//! The statistic of a window is one number: 1 for green, the score, or the (weighted) number of ones among its layers. It is added up
//! along the corpus in [`PARTS`] parts of its tokens, so that the same tally gives the whole and the curve. Weakness: sums of scores are
//! in double precision, with an error of some 10⁻¹⁶ a term; chunks have a fixed size, so the sum is the same on every machine.

use super::p_value::Law;
use super::windows::{Corpus, Seen};
use crate::error::Result;
use crate::store::spill::{Gather, Record};
use crate::watermark::{Null, Scheme, Traits, Unit, Value, Windows};
use rayon::prelude::*;
use std::path::Path;

/// Parts of the corpus along which a tally is kept.
pub const PARTS: usize = 64;
/// Windows that one thread scores at a time: tokens, units and values of so many stay in its own cache.
const CHUNK: usize = 1 << 13;

/// Sums of a statistic along the corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// Scored windows of each part.
    pub n: [u64; PARTS],
    /// Their statistic.
    pub sum: [f64; PARTS],
    /// The statistic of all, added up in the order of windows: where they stood does not move its last bits.
    total: f64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { n: [0; PARTS], sum: [0.0; PARTS], total: 0.0 }
    }
}

impl Tally {
    /// Scored windows.
    #[must_use]
    pub fn scored(&self) -> u64 {
        self.n.iter().sum()
    }

    /// The statistic.
    #[must_use]
    pub fn statistic(&self) -> f64 {
        self.total
    }

    /// (scored, statistic) after each part.
    pub fn curve(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        let mut so_far = (0, 0.0);
        self.n.iter().zip(&self.sum).map(move |(n, sum)| {
            so_far = (so_far.0 + n, so_far.1 + sum);
            so_far
        })
    }

    fn add(&mut self, other: &Self) {
        self.n.iter_mut().zip(other.n).for_each(|(n, more)| *n += more);
        self.sum.iter_mut().zip(other.sum).for_each(|(sum, more)| *sum += more);
        self.total += other.total;
    }
}

/// The statistic of one value.
#[must_use]
pub fn statistic(value: Value, null: &Null) -> f64 {
    match (value, null) {
        (Value::Green(green), _) => f64::from(u8::from(green)),
        (Value::Score(score), _) => score,
        (Value::Layers(bits), Null::Layers { weights: Some(weights), .. }) => {
            weights.iter().enumerate().map(|(layer, weight)| weight * (bits >> layer & 1) as f64).sum()
        }
        (Value::Layers(bits), _) => f64::from(bits.count_ones()),
    }
}

/// A scored window, of one payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Traced {
    /// The number of its token in the corpus.
    pub place: u64,
    /// Its value: 0 or 1, the bits of a score, or the layers.
    pub bits: u64,
}

impl Traced {
    /// The statistic of its value.
    #[must_use]
    pub fn statistic(&self, null: &Null) -> f64 {
        match null {
            Null::Coin { .. } | Null::List { .. } | Null::OneList { .. } => self.bits as f64,
            Null::Exponential { .. } | Null::Pair { .. } => f64::from_bits(self.bits),
            Null::Layers { .. } => statistic(Value::Layers(self.bits), null),
        }
    }
}

impl Record for Traced {
    fn same(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

/// How many statistics there are, and their sum, added up as [`score`] adds up those of the same windows: to the last bit the same.
pub fn added(statistics: impl IntoIterator<Item = f64>) -> (u64, f64) {
    let (mut n, mut total, mut chunk) = (0u64, 0.0, 0.0);
    for statistic in statistics {
        n += 1;
        chunk += statistic;
        if n.is_multiple_of(CHUNK as u64) {
            total += chunk;
            chunk = 0.0;
        }
    }
    (n, total + chunk)
}

/// Receives scored windows, in the order of their units.
pub type TraceSink<'a> = dyn FnMut(&[Traced]) -> Result<()> + 'a;

/// What scoring one scheme on a corpus gave.
pub struct Scored {
    /// One for each payload.
    pub tallies: Vec<Tally>,
    /// Windows left out because another had their seed and token.
    pub same_seed: u64,
}

/// How a corpus is scored.
#[derive(Clone, Copy)]
pub struct Scoring<'a> {
    /// The corpus' tokens, where contexts are not packed whole.
    pub tokens: &'a [u32],
    /// One more than the last place.
    pub places: u64,
    /// Bytes of records in memory.
    pub bytes: usize,
    /// Where more of them go.
    pub dir: &'a Path,
}

/// Scores the windows `seen` of `corpus`. `trace` is a payload and what receives every scored window of it, in the order of its unit.
///
/// # Errors
/// `Io` when units must be spilled and cannot, and those of `trace`.
pub fn score(
    scheme: &dyn Scheme,
    corpus: &Corpus,
    seen: &[Seen],
    scoring: Scoring<'_>,
    trace: Option<(usize, &mut TraceSink<'_>)>,
) -> Result<Scored> {
    let traits = scheme.traits();
    let (tracing, mut trace) = trace.map_or((None, None), |(payload, trace)| (Some(payload), Some(trace)));
    let mut tallies = vec![Tally::default(); traits.payloads];
    let mut take = |chunks: Vec<(Vec<Tally>, Vec<Traced>)>| -> Result<()> {
        for (part, traced) in chunks {
            tallies.iter_mut().zip(&part).for_each(|(all, part)| all.add(part));
            if let Some(trace) = &mut trace {
                trace(&traced)?;
            }
        }
        Ok(())
    };
    let together = CHUNK * 16 * rayon::current_num_threads();
    let chunk_values = |units: &[Unit], places: &mut dyn Iterator<Item = u64>| {
        let mut values = Vec::with_capacity(units.len() * traits.payloads);
        scheme.values(units, &mut values);
        tally(&traits, &values, places, scoring.places, tracing)
    };
    let reduce = |chunk: &[Seen]| {
        let (mut flat, mut units) = (Vec::new(), Vec::with_capacity(chunk.len()));
        corpus.unpack(chunk, scoring.tokens, &mut flat);
        scheme.reduce(Windows::new(&flat, traits.shape.context), &mut units);
        units
    };
    if !traits.collapses {
        for group in seen.chunks(together) {
            let scored =
                group.par_chunks(CHUNK).map(|chunk| chunk_values(&reduce(chunk), &mut chunk.iter().map(Seen::place)));
            take(scored.collect())?;
        }
        return Ok(Scored { tallies, same_seed: 0 });
    }
    let mut units = Gather::new(scoring.bytes, scoring.dir);
    for group in seen.chunks(together) {
        let reduced: Vec<Vec<Seen>> = group
            .par_chunks(CHUNK)
            .map(|chunk| {
                let record = |(unit, seen): (Unit, &Seen)| Seen::new(unit.seed, unit.token, seen.place());
                reduce(chunk).into_iter().zip(chunk).map(record).collect()
            })
            .collect();
        reduced.iter().try_for_each(|records| units.add(records))?;
    }
    let units = units.finish()?;
    for group in units.records().chunks(together) {
        let scored = group.par_chunks(CHUNK).map(|chunk| {
            let units: Vec<Unit> = chunk.iter().map(|unit| Unit { seed: unit.key(), token: unit.token() }).collect();
            chunk_values(&units, &mut chunk.iter().map(Seen::place))
        });
        take(scored.collect())?;
    }
    Ok(Scored { tallies, same_seed: (seen.len() - units.records().len()) as u64 })
}

/// The law of `scheme`'s statistic over the windows `seen`, whichever its key.
#[must_use]
pub fn law(scheme: &dyn Scheme, corpus: &Corpus, seen: &[Seen], scoring: Scoring<'_>) -> Law {
    let traits = scheme.traits();
    let Some(table) = scheme.shifted() else { return Law::new(traits.null) };
    let mut counts = vec![0u32; table.len()];
    for group in seen.chunks(CHUNK * 16 * rayon::current_num_threads()) {
        let units = group.par_chunks(CHUNK).map(|chunk| {
            let (mut flat, mut units) = (Vec::new(), Vec::with_capacity(chunk.len()));
            corpus.unpack(chunk, scoring.tokens, &mut flat);
            scheme.reduce(Windows::new(&flat, traits.shape.context), &mut units);
            units
        });
        let units: Vec<Vec<Unit>> = units.collect();
        units.iter().flatten().for_each(|unit| counts[unit.seed as usize % table.len()] += 1);
    }
    Law::shifted(traits.null, &table, &counts)
}

/// Adds up the values of one chunk.
fn tally(
    traits: &Traits,
    values: &[Value],
    places: &mut dyn Iterator<Item = u64>,
    n_places: u64,
    tracing: Option<usize>,
) -> (Vec<Tally>, Vec<Traced>) {
    let mut tallies = vec![Tally::default(); traits.payloads];
    let mut traced = Vec::new();
    let scale = PARTS as f64 / n_places.max(1) as f64;
    for (values, place) in values.chunks_exact(traits.payloads).zip(places) {
        let part = ((place as f64 * scale) as usize).min(PARTS - 1);
        for (tally, &value) in tallies.iter_mut().zip(values) {
            tally.n[part] += 1;
            let statistic = statistic(value, &traits.null);
            tally.sum[part] += statistic;
            tally.total += statistic;
        }
        if let Some(payload) = tracing {
            let bits = match values[payload] {
                Value::Green(green) => u64::from(green),
                Value::Score(score) => score.to_bits(),
                Value::Layers(bits) => bits,
            };
            traced.push(Traced { place, bits });
        }
    }
    (tallies, traced)
}
