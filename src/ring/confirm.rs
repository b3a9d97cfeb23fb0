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
struct Shared {
    /// Place of the family among those of the day.
    family: u32,
    /// Accounts of the group that chose it for the first time.
    chosen: u32,
}

/// For each account of a day, by its place: the families that it chose for the first time, by their place.
fn chosen_by(null: &Null) -> Vec<Vec<u32>> {
    let mut out = vec![Vec::new(); null.weights.accounts.len()];
    for (k, family) in (0u32..).zip(&null.families) {
        family.new.iter().for_each(|&place| out[place as usize].push(k));
    }
    out
}

/// Families that accounts of a group chose, in order; the group is given by places.
fn shared(chosen_by: &[Vec<u32>], group: &[u32]) -> Vec<Shared> {
    let mut all: Vec<u32> = group.iter().flat_map(|&place| chosen_by[place as usize].iter().copied()).collect();
    all.sort_unstable();
    all.chunk_by(|a, b| a == b).map(|same| Shared { family: same[0], chosen: same.len() as u32 }).collect()
}

/// A day made ready for many groups.
pub struct Prepared<'a> {
    null: &'a Null,
    /// For each account, by its place: the families that it chose for the first time.
    chosen_by: Vec<Vec<u32>>,
    /// Popularities of the families of each neighbourhood, largest first, and the sum of each and all behind it.
    by_neighbourhood: Vec<(u16, Vec<f64>, Vec<f64>)>,
    epsilon: f64,
}

/// Odds that are looked at one by one for a group; beyond, sums stand for them.
const MOST_EXACT: usize = 100_000;

impl<'a> Prepared<'a> {
    /// Makes a day ready.
    #[must_use]
    pub fn new(null: &'a Null) -> Self {
        let mut all: Vec<(u16, f64)> = null.families.iter().map(|f| (f.neighbourhood, f.popularity)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let by_neighbourhood = all
            .chunk_by(|a, b| a.0 == b.0)
            .map(|own| {
                let popular: Vec<f64> = own.iter().map(|(_, popularity)| *popularity).collect();
                let mut sums = vec![0.0; popular.len() + 1];
                (0..popular.len()).rev().for_each(|i| sums[i] = sums[i + 1] + popular[i]);
                (own[0].0, popular, sums)
            })
            .collect();
        let epsilon = (EXPECTED_SHARED / null.families.len().max(1) as f64).min(0.5);
        Self { null, chosen_by: chosen_by(null), by_neighbourhood, epsilon }
    }

    /// The evidence of the day against a group, given by the places of its accounts that are active. Where it is none at the first affinity, the
    /// others get the least that it can be.
    #[must_use]
    pub fn ln_e(&self, group: &[u32]) -> LnE {
        let k = self.null.families.len() as f64;
        if group.is_empty() || k == 0.0 {
            return [0.0; AFFINITIES.len()];
        }
        let shared = shared(&self.chosen_by, group);
        let sums = Sums::new(self.null, group);
        let exact = group.len() * shared.len() <= MOST_EXACT;
        let odds: Vec<Vec<f64>> = shared
            .iter()
            .map(|shared| {
                let family = &self.null.families[shared.family as usize];
                let takes_part = |place: &&u32| exact && family.before.binary_search(place).is_err();
                group.iter().filter(takes_part).map(|&place| self.null.odds(place as usize, family)).collect()
            })
            .collect();
        let mut out = [k * libm::log1p(-self.epsilon); AFFINITIES.len()];
        for (ln_e, phi) in out.iter_mut().zip(AFFINITIES) {
            *ln_e = self.ln_e_at(phi, &shared, &sums, exact.then_some(&odds));
            if *ln_e <= 0.0 {
                break;
            }
        }
        out
    }

    /// The same at one affinity.
    fn ln_e_at(&self, phi: f64, shared: &[Shared], sums: &Sums, odds: Option<&Vec<Vec<f64>>>) -> f64 {
        // Of families that nobody of the group chose: ∏ (1 + φ o) / (1 + c φ o) is at least exp(−x), x = (c − 1) φ Σ o, and ln(1 − ε u) at least
        // u ln(1 − ε), where u, the mean of 1 − exp(−x), is at most that of min(1, x).
        let unseen = |x: f64| LIFTS.iter().map(|c| ((c - 1.0) * phi * x).min(1.0)).sum::<f64>() / LIFTS.len() as f64;
        let mut missed = 0.0;
        for (neighbourhood, popular, behind) in &self.by_neighbourhood {
            let weight = sums.of(*neighbourhood);
            for c in LIFTS {
                let factor = (c - 1.0) * phi * weight;
                let whole = popular.partition_point(|popularity| popularity * factor >= 1.0);
                missed += (whole as f64 + factor * behind[whole]) / LIFTS.len() as f64;
            }
        }
        let mut out = 0.0;
        for (i, shared) in shared.iter().enumerate() {
            let family = &self.null.families[shared.family as usize];
            let sum = sums.of(family.neighbourhood) * family.popularity;
            missed -= unseen(sum);
            let chosen = f64::from(shared.chosen);
            let ratio = |c: f64| match odds {
                Some(odds) => ln_ratio(&odds[i], chosen, c, phi),
                None => chosen * libm::log(c) - (c - 1.0) * phi * sum,
            };
            out += ln_mixture(self.epsilon, crate::stats::ln_mean(&LIFTS.map(ratio))).min(LN_MOST);
        }
        out + missed.max(0.0) * libm::log1p(-self.epsilon)
    }
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
