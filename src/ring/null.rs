//! The null hypothesis of a day: accounts choose families independently, given how active each is, how popular each family is, and what
//! each account asked about before; unexplained innocent affinity may raise an account's odds by at most a factor φ.
//!
//! The idea: account i chooses family k with odds w_ik y_k. The weight w_ik is known before (activity today times interest, [`super::interests`]);
//! y_k is fitted so that as many accounts are expected as there were. Accounts that used the family before take no part. With weights that
//! do not depend on the family this is the bipartite configuration model (Saracco et al. 2015). Weakness: y is fitted to the very day that
//! is tested, group included, which errs on the side of the group's innocence. A family that at least as many of today's accounts used before
//! as are new to it is an app's or a benchmark's, whose customers find one template after the other, and takes no part. Guarantee: the fit's largest relative residual is told;
//! families whose fit did not converge carry no evidence.

use super::day::{Choice, Day, EVERYWHERE};
use super::interests::Weights;
use rayon::prelude::*;

/// One family of the day, with who chose it and how likely that was.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The family.
    pub family: u64,
    /// Its neighbourhood.
    pub neighbourhood: u16,
    /// Accounts that chose it for the first time, as places among the day's accounts, sorted.
    pub new: Vec<u32>,
    /// Accounts that used it before, sorted.
    pub before: Vec<u32>,
    /// Its popularity y, in each stratum.
    pub popularity: Vec<f64>,
}

/// The families of a day with their null.
#[derive(Clone, Debug)]
pub struct Null {
    /// Weights of accounts.
    pub weights: Weights,
    /// The stratum of each account, by its place: one for all, but where popularity is asked within strata.
    pub strata: Vec<u8>,
    /// Families that are new to two accounts at least, and to more than used them before, in order of number.
    pub families: Vec<Fitted>,
    /// The largest relative difference of accounts expected and seen.
    pub residual: f64,
    /// Families that were left out since their fit did not converge.
    pub left_out: u32,
}

/// Relative difference at which a fit has converged.
const CONVERGED: f64 = 1e-9;
/// Halvings of an interval of 2¹⁰⁰ down to a part in 10¹².
const MOST_STEPS: usize = 200;

impl Null {
    /// Fits the null of a day.
    #[must_use]
    pub fn fit(day: &Day, weights: Weights) -> Self {
        let strata = vec![0; weights.accounts.len()];
        Self::within(day, weights, strata)
    }

    /// Fits the null of a day in which a family has a popularity of its own in each stratum of accounts, given for each account by its place.
    #[must_use]
    pub fn within(day: &Day, weights: Weights, strata: Vec<u8>) -> Self {
        let place = |choice: &Choice| weights.place(choice.account).map(|place| place as u32);
        let of_family = |choices: &[Choice], family: u64| -> Vec<u32> {
            let from = choices.partition_point(|choice| choice.family < family);
            choices[from..].iter().take_while(|choice| choice.family == family).filter_map(place).collect()
        };
        let groups: Vec<&[Choice]> =
            day.new.chunk_by(|a, b| a.family == b.family).filter(|same| same.len() >= 2).collect();
        let mut families: Vec<Fitted> = groups
            .par_iter()
            .filter_map(|same| {
                let family = same[0].family;
                let neighbourhood = day.neighbourhood(family);
                let new: Vec<u32> = same.iter().filter_map(place).collect();
                let mut before = of_family(&day.before, family);
                before.retain(|place| new.binary_search(place).is_err());
                (new.len() > before.len()).then_some(Fitted {
                    family,
                    neighbourhood,
                    new,
                    before,
                    popularity: Vec::new(),
                })
            })
            .collect();
        let mut by_neighbourhood: Vec<u16> = families.iter().map(|family| family.neighbourhood).collect();
        by_neighbourhood.sort_unstable();
        by_neighbourhood.dedup();
        let extra = extras(&weights, &by_neighbourhood);
        let mut residuals = vec![0.0f64; families.len()];
        for stratum in 0..=strata.iter().copied().max().unwrap_or(0) {
            let is_own = |place: &usize| strata[*place] == stratum;
            let own = || (0..weights.accounts.len()).filter(is_own);
            let common = Bins::new(own().map(|place| weights.base(place)));
            let bins: Vec<Bins> = by_neighbourhood
                .par_iter()
                .zip(&extra)
                .map(|(&neighbourhood, extra)| match neighbourhood {
                    EVERYWHERE => Bins::new(own().map(|place| weights.activity(place))),
                    _ => common.with(extra.iter().filter(|(place, _)| is_own(&(*place as usize))).map(
                        |&(place, extra)| {
                            let base = weights.base(place as usize);
                            (base, base + extra)
                        },
                    )),
                })
                .collect();
            families.par_iter_mut().zip(&mut residuals).for_each(|(family, residual)| {
                let bins = &bins[by_neighbourhood.binary_search(&family.neighbourhood).unwrap_or(0)];
                let of_stratum = |places: &[u32]| -> Vec<usize> {
                    places.iter().map(|&place| place as usize).filter(is_own).collect()
                };
                let (new, before) = (of_stratum(&family.new), of_stratum(&family.before));
                let out: Vec<f64> = before.iter().map(|&place| weights.of(place, family.neighbourhood)).collect();
                // Of a stratum of which nobody chose it nobody is thought to.
                let (y, off) = if new.is_empty() { (0.0, 0.0) } else { popularity(bins, &out, new.len() as f64) };
                family.popularity.push(y);
                *residual = residual.max(off);
            });
        }
        let n = families.len();
        let mut good = residuals.iter().map(|residual| *residual <= CONVERGED);
        families.retain(|_| good.next().unwrap_or(false));
        let left_out = (n - families.len()) as u32;
        let residual = residuals.into_iter().filter(|residual| *residual <= CONVERGED).fold(0.0, f64::max);
        Self { weights, strata, families, residual, left_out }
    }

    /// Odds with which the account at `place` chooses a family, without affinity.
    #[must_use]
    pub fn odds(&self, place: usize, family: &Fitted) -> f64 {
        self.weights.of(place, family.neighbourhood) * family.popularity[usize::from(self.strata[place])]
    }
}

/// Accounts with a past in each of these neighbourhoods: place and weight on top of the base.
fn extras(weights: &Weights, neighbourhoods: &[u16]) -> Vec<Vec<(u32, f64)>> {
    let mut out = vec![Vec::new(); neighbourhoods.len()];
    for place in 0..weights.accounts.len() {
        for &(neighbourhood, extra) in weights.row(place) {
            if let Ok(i) = neighbourhoods.binary_search(&neighbourhood) {
                out[i].push((place as u32, extra));
            }
        }
    }
    out
}

/// Weights of accounts by size, 32 classes for each doubling: so a sum over accounts is one over a few hundred classes. The mean of a class stands
/// for its accounts, which is off by less than 1 in 10⁴.
#[derive(Clone, Debug)]
struct Bins {
    /// Accounts, and the sum of their weights.
    bins: Vec<(f64, f64)>,
}

const CLASSES: usize = 32 * 80;

impl Bins {
    fn new(weights: impl Iterator<Item = f64>) -> Self {
        let mut out = Self { bins: vec![(0.0, 0.0); CLASSES] };
        weights.for_each(|weight| out.add(weight, 1.0));
        out
    }

    fn add(&mut self, weight: f64, times: f64) {
        let class = ((libm::log2(weight.max(1e-12)) + 40.0) * 32.0).clamp(0.0, CLASSES as f64 - 1.0);
        let bin = &mut self.bins[class as usize];
        bin.0 += times;
        bin.1 += times * weight;
    }

    /// The same with other weights in place of some.
    fn with(&self, changes: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut out = self.clone();
        for (from, to) in changes {
            out.add(from, -1.0);
            out.add(to, 1.0);
        }
        out
    }
}

/// The y at which `seen` accounts are expected, of those in the bins without those of these weights; and how far off it is, relative.
fn popularity(bins: &Bins, without: &[f64], seen: f64) -> (f64, f64) {
    let mut all: Vec<(f64, f64)> =
        bins.bins.iter().filter(|(n, _)| *n > 0.5).map(|&(n, sum)| (n, (sum / n).max(1e-12))).collect();
    let of = Bins::new(without.iter().copied());
    all.extend(of.bins.iter().filter(|(n, _)| *n > 0.5).map(|&(n, sum)| (-n, (sum / n).max(1e-12))));
    let room: f64 = all.iter().map(|(n, _)| n).sum();
    // Where everybody chose it nothing is surprising.
    if seen >= room - 0.5 {
        return (f64::INFINITY, f64::INFINITY);
    }
    let expected = |y: f64| {
        all.iter().fold((0.0, 0.0), |(sum, slope), &(n, w)| {
            let p = w * y / (1.0 + w * y);
            (sum + n * p, slope + n * p * (1.0 - p))
        })
    };
    let total: f64 = all.iter().map(|(n, w)| n * w).sum();
    let (mut low, mut high) = (0.0f64, f64::INFINITY);
    let mut y = seen / total.max(1e-300);
    let mut off = f64::INFINITY;
    for _ in 0..MOST_STEPS {
        let (sum, slope) = expected(y);
        off = (sum - seen) / seen;
        if off.abs() <= CONVERGED / 10.0 {
            break;
        }
        if off < 0.0 {
            low = y
        } else {
            high = y
        }
        // Newton's step in ln y, kept inside the interval.
        let step = y * libm::exp((-off * seen / slope.max(1e-300)).clamp(-20.0, 20.0));
        y = if step > low && step < high {
            step
        } else if high.is_finite() {
            0.5 * (low + high)
        } else {
            2.0 * low
        };
    }
    (y, off.abs())
}
