//! The evidence of one day that a group of accounts acts together: an e-value for each affinity φ that innocence may have.
//!
//! For a group G and the K families of a day
//!
//! ```text
//! E(φ) = Π_k [ (1 − ε) + ε · mean over c in {3, 10, 100} of Π_{i in G} c^{b_ik} (1 + φ o_ik) / (1 + c φ o_ik) ],   ε = min(½, 10 / K)
//! ```
//!
//! where o_ik are the odds of the null and b_ik says whether account i chose family k for the first time. Each inner product is the
//! likelihood ratio of odds c φ o against φ o, up to the factor that both share; its mean is at most one for every affinity up to φ, since
//! the ratio grows with b. So E(φ) is an e-value against the interval null, whatever the accounts' true affinities in [0, φ] are.
//! Source: the monotone likelihood ratio (Lehmann and Romano 2005, 3.4); mixture over c and ε as in universal portfolios.
//! No factor counts for more than a hundred, so at least three texts speak in every confirmation. Weakness: odds are fitted, not known; placebo runs measure what that does. Guarantee: what is not computed exactly (families that no
//! account of the group chose) is replaced by a lower bound, so E errs on the side of innocence.

use super::null::Null;

/// Affinities at which evidence is kept; the first is the one by which groups are chosen.
pub const AFFINITIES: [f64; 6] = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0];
/// How much likelier than innocence allows a group is thought to be.
const LIFTS: [f64; 3] = [3.0, 10.0, 100.0];
/// Families of a day among which a campaign is expected to share.
const EXPECTED_SHARED: f64 = 10.0;

/// ln of the most that one family of a day may say, a hundred: a text that spreads in a day, however far, confirms no group alone.
const LN_MOST: f64 = 2.0 * std::f64::consts::LN_10;

/// ln E for each of [`AFFINITIES`].
pub type LnE = [f64; AFFINITIES.len()];

/// A family that accounts of a group chose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shared {
    /// Place of the family among those of the day.
    pub family: u32,
    /// Accounts of the group that chose it for the first time.
    pub chosen: u32,
}

/// For each account of a day, by its place: the families that it chose for the first time, by their place.
#[must_use]
pub fn chosen_by(null: &Null) -> Vec<Vec<u32>> {
    let mut out = vec![Vec::new(); null.weights.accounts.len()];
    for (k, family) in (0u32..).zip(&null.families) {
        family.new.iter().for_each(|&place| out[place as usize].push(k));
    }
    out
}

/// Families that accounts of a group chose, in order; the group is given by places.
#[must_use]
pub fn shared(chosen_by: &[Vec<u32>], group: &[u32]) -> Vec<Shared> {
    let mut all: Vec<u32> = group.iter().flat_map(|&place| chosen_by[place as usize].iter().copied()).collect();
    all.sort_unstable();
    all.chunk_by(|a, b| a == b).map(|same| Shared { family: same[0], chosen: same.len() as u32 }).collect()
}

/// The evidence of the day against a group, given by the places of its accounts that are active.
#[must_use]
pub fn ln_e(null: &Null, chosen_by: &[Vec<u32>], group: &[u32]) -> LnE {
    let k = null.families.len() as f64;
    if group.is_empty() || k == 0.0 {
        return [0.0; AFFINITIES.len()];
    }
    let epsilon = (EXPECTED_SHARED / k).min(0.5);
    let shared = shared(chosen_by, group);
    let sums = Sums::new(null, group);
    let mut hit = shared.iter().peekable();
    let mut out = [0.0; AFFINITIES.len()];
    for (at, family) in (0u32..).zip(&null.families) {
        let chosen = hit.next_if(|shared| shared.family == at).map_or(0, |shared| shared.chosen);
        if chosen == 0 {
            // ∏ (1 + φ o) / (1 + c φ o) is at least exp(−(c − 1) φ Σ o).
            let sum = sums.of(family.neighbourhood) * family.popularity;
            for (ln_e, phi) in out.iter_mut().zip(AFFINITIES) {
                let least = LIFTS.iter().map(|c| libm::exp(-(c - 1.0) * phi * sum)).sum::<f64>() / LIFTS.len() as f64;
                *ln_e += libm::log1p(epsilon * (least - 1.0));
            }
            continue;
        }
        let odds: Vec<f64> = group
            .iter()
            .filter(|place| family.before.binary_search(place).is_err())
            .map(|&place| null.odds(place as usize, family))
            .collect();
        for (ln_e, phi) in out.iter_mut().zip(AFFINITIES) {
            let ratio = |c: f64| ln_ratio(&odds, f64::from(chosen), c, phi);
            let mean = crate::stats::ln_mean(&LIFTS.map(ratio));
            *ln_e += ln_mixture(epsilon, mean).min(LN_MOST);
        }
    }
    out
}

/// ln of (1 − ε) + ε e^x.
fn ln_mixture(epsilon: f64, x: f64) -> f64 {
    if x > 30.0 {
        let low = libm::log(epsilon) + x;
        return low + libm::log1p((1.0 - epsilon) * libm::exp(-low));
    }
    libm::log1p(epsilon * libm::expm1(x))
}

/// ln of c^chosen ∏ (1 + φ o) / (1 + c φ o).
fn ln_ratio(odds: &[f64], chosen: f64, c: f64, phi: f64) -> f64 {
    let (mut ln, mut product) = (chosen * libm::log(c), 1.0f64);
    for o in odds {
        product *= (1.0 + phi * o) / (1.0 + c * phi * o);
        // Each factor is above 1 / c; the product stays a normal number.
        if product < 1e-200 {
            ln += libm::log(product);
            product = 1.0;
        }
    }
    ln + libm::log(product)
}

/// Sums of a group's weights by neighbourhood.
struct Sums {
    base: f64,
    activity: f64,
    extra: Vec<(u16, f64)>,
}

impl Sums {
    fn new(null: &Null, group: &[u32]) -> Self {
        let weights = &null.weights;
        let mut extra: Vec<(u16, f64)> =
            group.iter().flat_map(|&place| weights.row(place as usize).iter().copied()).collect();
        extra.sort_by_key(|(neighbourhood, _)| *neighbourhood);
        let extra = extra.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, same.iter().map(|s| s.1).sum())).collect();
        let sum = |of: &dyn Fn(usize) -> f64| group.iter().map(|&place| of(place as usize)).sum();
        Self { base: sum(&|place| weights.base(place)), activity: sum(&|place| weights.activity(place)), extra }
    }

    fn of(&self, neighbourhood: u16) -> f64 {
        if neighbourhood == super::day::EVERYWHERE {
            return self.activity;
        }
        let found = self.extra.binary_search_by_key(&neighbourhood, |(n, _)| *n);
        self.base + found.map_or(0.0, |i| self.extra[i].1)
    }
}
