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
//! No factor counts for more than a hundred, so at least three texts speak in every confirmation. And the least of E for the group and for it without the account that
//! shares most is taken, so at least three accounts do: two who act together would have everybody confirmed whom a group adds to them. Weakness: odds are fitted, not known; placebo runs measure what that does. Guarantee: what is not computed exactly (families that no
//! account of the group chose) is replaced by a lower bound, so E errs on the side of innocence. A family that one account of the group chose counts as one that none did: who chooses much
//! is no evidence that others are with it.

use super::null::{Fitted, Null};

/// Affinities at which evidence is kept; the first is the one by which groups are chosen.
pub const AFFINITIES: [f64; 6] = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0];
/// How much likelier than innocence allows a group is thought to be.
pub(super) const LIFTS: [f64; 3] = [3.0, 10.0, 100.0];
/// Families of a day among which a campaign is expected to share.
pub(super) const EXPECTED_SHARED: f64 = 10.0;

/// The most that one family of a day may say: a text that spreads in a day, however far, confirms no group alone.
pub(super) const MOST: f64 = 100.0;

/// ln E for each of [`AFFINITIES`].
pub type LnE = [f64; AFFINITIES.len()];

/// A family that accounts of a group share.
struct Shared {
    /// Place of the family among those of the day.
    family: u32,
    /// Accounts of the group that chose it for the first time.
    chosen: u32,
}

/// For each account of a day, by its place: the families that it chose for the first time, by their place, of those that count.
fn chosen_by(null: &Null, counts: &dyn Fn(&Fitted) -> bool) -> Vec<Vec<u32>> {
    let mut out = vec![Vec::new(); null.weights.accounts.len()];
    for (k, family) in (0u32..).zip(&null.families).filter(|(_, family)| counts(family)) {
        family.new.iter().for_each(|&place| out[place as usize].push(k));
    }
    out
}

/// Families that two accounts of a group or more chose, in order; the group is given by places.
fn shared(chosen_by: &[Vec<u32>], group: &[u32]) -> Vec<Shared> {
    let mut all: Vec<u32> = group.iter().flat_map(|&place| chosen_by[place as usize].iter().copied()).collect();
    all.sort_unstable();
    let shared = all.chunk_by(|a, b| a == b).filter(|same| same.len() >= 2);
    shared.map(|same| Shared { family: same[0], chosen: same.len() as u32 }).collect()
}

/// A neighbourhood, and in it a stratum.
type Cell = (u16, usize);

/// A day made ready for many groups.
pub struct Prepared<'a> {
    null: &'a Null,
    /// Families that count.
    n_families: usize,
    /// For each account, by its place: those that it chose for the first time.
    chosen_by: Vec<Vec<u32>>,
    /// Popularities of the families of each neighbourhood in each stratum, largest first, and the sum of each and all behind it.
    by_neighbourhood: Vec<(Cell, Vec<f64>, Vec<f64>)>,
    epsilon: f64,
}

/// Odds that are looked at one by one for a group; beyond, sums stand for them.
const MOST_EXACT: usize = 100_000;

impl<'a> Prepared<'a> {
    /// Makes a day ready.
    #[must_use]
    pub fn new(null: &'a Null) -> Self {
        Self::with(null, &|_| true)
    }

    /// Makes the families of a day ready that count.
    #[must_use]
    pub fn with(null: &'a Null, counts: &dyn Fn(&Fitted) -> bool) -> Self {
        let counted: Vec<&Fitted> = null.families.iter().filter(|family| counts(family)).collect();
        let n_families = counted.len();
        let in_each = |f: &Fitted| -> Vec<(Cell, f64)> {
            let chosen = f.popularity.iter().enumerate().filter(|(_, y)| **y > 0.0);
            chosen.map(|(stratum, &y)| ((f.neighbourhood, stratum), y)).collect()
        };
        let mut all: Vec<(Cell, f64)> = counted.into_iter().flat_map(in_each).collect();
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
        let epsilon = (EXPECTED_SHARED / n_families.max(1) as f64).min(0.5);
        Self { null, n_families, chosen_by: chosen_by(null, counts), by_neighbourhood, epsilon }
    }

    /// The evidence of the day against a group, given by the places of its accounts that are active. Where it is none at the first affinity, the
    /// others get the least that it can be.
    #[must_use]
    pub fn ln_e(&self, group: &[u32]) -> LnE {
        self.ln_e_and_without_top(group, AFFINITIES.len()).0
    }

    /// The same at the first affinity alone.
    pub(super) fn ln_e_first(&self, group: &[u32]) -> f64 {
        self.ln_e_and_without_top(group, 1).0[0]
    }

    /// The same at so many affinities; and at the first without the family that says most.
    pub(super) fn ln_e_and_without_top(&self, group: &[u32], affinities: usize) -> (LnE, f64) {
        let (all, top) = self.ln_e_of(group, affinities);
        // Evidence that rests on one account and whoever is with it is of two: it must stand without the one that shares most.
        match self.busiest(group) {
            Some(busiest) if all[0] > 0.0 => {
                let others: Vec<u32> = group.iter().copied().filter(|&place| place != busiest).collect();
                let (without, top_without) = self.ln_e_of(&others, affinities);
                let least = std::array::from_fn(|i| all[i].min(without[i]));
                (least, (all[0] - top).min(without[0] - top_without))
            }
            _ => (all, all[0] - top),
        }
    }

    /// The account of a group that shares most families with others of it.
    fn busiest(&self, group: &[u32]) -> Option<u32> {
        let shared = shared(&self.chosen_by, group);
        let is_shared = |family: &&u32| shared.binary_search_by_key(*family, |shared| shared.family).is_ok();
        let n = |place: &u32| self.chosen_by[*place as usize].iter().filter(is_shared).count();
        group.iter().copied().max_by_key(|place| (n(place), std::cmp::Reverse(*place)))
    }

    /// ln E at so many affinities, the least that it can be at the others, and what the family that says most adds to the first.
    fn ln_e_of(&self, group: &[u32], affinities: usize) -> (LnE, f64) {
        let k = self.n_families as f64;
        if group.is_empty() || k == 0.0 {
            return ([0.0; AFFINITIES.len()], 0.0);
        }
        let shared = shared(&self.chosen_by, group);
        let sums = Sums::of_strata(self.null, group);
        let odds = (group.len() * shared.len() <= MOST_EXACT).then(|| self.odds(group, &shared));
        let mut out = [k * libm::log1p(-self.epsilon); AFFINITIES.len()];
        let mut most = 0.0;
        for (place, phi) in AFFINITIES.into_iter().take(affinities).enumerate() {
            let (ln_e, top) = self.ln_e_at(phi, group.len(), &shared, &sums, odds.as_deref());
            out[place] = ln_e;
            if place == 0 {
                most = top;
            }
            if ln_e <= 0.0 {
                break;
            }
        }
        (out, most)
    }

    /// Odds of the accounts of a group, family after family; 0 where the account used it before and so takes no part.
    fn odds(&self, group: &[u32], shared: &[Shared]) -> Vec<f64> {
        let families = || shared.iter().map(|shared| &self.null.families[shared.family as usize]);
        let mut neighbourhoods: Vec<u16> = families().map(|family| family.neighbourhood).collect();
        neighbourhoods.sort_unstable();
        neighbourhoods.dedup();
        let weights: Vec<Vec<f64>> =
            neighbourhoods.iter().map(|&neighbourhood| self.null.weights.of_group(group, neighbourhood)).collect();
        let mut out = Vec::with_capacity(group.len() * shared.len());
        for family in families() {
            let from = out.len();
            let own = neighbourhoods.binary_search(&family.neighbourhood).map_or(&[][..], |i| &weights[i]);
            let popularity = |place: u32| family.popularity[usize::from(self.null.strata[place as usize])];
            out.extend(own.iter().zip(group).map(|(weight, &place)| weight * popularity(place)));
            let is_small = family.before.len() < group.len();
            let (few, many) = if is_small { (&family.before[..], group) } else { (group, &family.before[..]) };
            for (i, place) in few.iter().enumerate() {
                if let Ok(j) = many.binary_search(place) {
                    out[from + if is_small { j } else { i }] = 0.0;
                }
            }
        }
        out
    }

    /// The same at one affinity; and what the family that says most adds to it.
    fn ln_e_at(&self, phi: f64, n: usize, shared: &[Shared], sums: &[Sums], odds: Option<&[f64]>) -> (f64, f64) {
        // Of families that nobody of the group chose, or one account, which counts as nobody: ∏ (1 + φ o) / (1 + c φ o) is at least exp(−x), x = (c − 1) φ Σ o, and ln(1 − ε u) at least
        // u ln(1 − ε), where u, the mean of 1 − exp(−x), is at most that of min(1, x).
        let unseen = |x: f64| LIFTS.iter().map(|c| ((c - 1.0) * phi * x).min(1.0)).sum::<f64>() / LIFTS.len() as f64;
        let mut missed = 0.0;
        // Over strata sums of these are above what each family is.
        for ((neighbourhood, stratum), popular, behind) in &self.by_neighbourhood {
            let weight = sums[*stratum].of(*neighbourhood);
            for c in LIFTS {
                let factor = (c - 1.0) * phi * weight;
                let whole = popular.partition_point(|popularity| popularity * factor >= 1.0);
                missed += (whole as f64 + factor * behind[whole]) / LIFTS.len() as f64;
            }
        }
        let (mut ln, mut product, mut top) = (0.0, 1.0f64, 0.0f64);
        for (i, shared) in shared.iter().enumerate() {
            let family = &self.null.families[shared.family as usize];
            let in_each = || sums.iter().zip(&family.popularity).map(|(own, y)| own.of(family.neighbourhood) * y);
            missed -= in_each().map(unseen).sum::<f64>();
            let sum: f64 = in_each().sum();
            let ratios = match odds {
                Some(odds) => ratios(&odds[i * n..][..n], shared.chosen, phi),
                None => LIFTS.map(|c| libm::exp(f64::from(shared.chosen) * libm::log(c) - (c - 1.0) * phi * sum)),
            };
            let mean = ratios.iter().sum::<f64>() / LIFTS.len() as f64;
            let factor = (1.0 - self.epsilon + self.epsilon * mean).min(MOST);
            top = top.max(factor);
            product *= factor;
            if !(1e-200..1e200).contains(&product) {
                ln += libm::log(product);
                product = 1.0;
            }
        }
        // Without it nobody chose that family, which is worth 1 − ε at least.
        let of_top = if top > 0.0 { libm::log(top) - libm::log1p(-self.epsilon) } else { 0.0 };
        (ln + libm::log(product) + missed.max(0.0) * libm::log1p(-self.epsilon), of_top)
    }
}

/// c^chosen ∏ (1 + φ o) / (1 + c φ o) for each lift c. Without logarithms: a hundred thousand groups of a night ask for millions of these.
pub(super) fn ratios(odds: &[f64], mut chosen: u32, phi: f64) -> [f64; LIFTS.len()] {
    // Beyond its range a number is kept as a power of `RANGE` and what is left.
    const RANGE: f64 = 1e100;
    let (mut ratios, mut powers) = ([1.0f64; LIFTS.len()], [0i32; LIFTS.len()]);
    for some in odds.chunks(16) {
        let (mut above, mut below) = (1.0, [1.0f64; LIFTS.len()]);
        for o in some {
            above *= 1.0 + phi * o;
            below.iter_mut().zip(LIFTS).for_each(|(below, c)| *below *= 1.0 + c * phi * o);
        }
        let of_these = chosen.min(some.len() as u32);
        chosen -= of_these;
        for (i, c) in LIFTS.into_iter().enumerate() {
            ratios[i] *= above / below[i] * (0..of_these).fold(1.0, |power, _| power * c);
            if ratios[i] > RANGE {
                (ratios[i], powers[i]) = (ratios[i] / RANGE, powers[i] + 1);
            } else if ratios[i] < 1.0 / RANGE {
                (ratios[i], powers[i]) = (ratios[i] * RANGE, powers[i] - 1);
            }
        }
    }
    std::array::from_fn(|i| match powers[i].signum() {
        0 => ratios[i],
        1 => f64::INFINITY,
        _ => 0.0,
    })
}

/// Sums of a group's weights by neighbourhood.
struct Sums {
    base: f64,
    activity: f64,
    /// What comes on top of the base, by neighbourhood.
    extra: Vec<f64>,
}

impl Sums {
    /// Those of a group's accounts in each stratum.
    fn of_strata(null: &Null, group: &[u32]) -> Vec<Self> {
        let n = null.families.first().map_or(0, |family| family.popularity.len());
        if n == 1 {
            return vec![Self::new(null, group)];
        }
        let own = |stratum: usize| {
            group.iter().copied().filter(move |&place| usize::from(null.strata[place as usize]) == stratum)
        };
        (0..n).map(|stratum| Self::new(null, &own(stratum).collect::<Vec<u32>>())).collect()
    }

    fn new(null: &Null, group: &[u32]) -> Self {
        let weights = &null.weights;
        let mut extra: Vec<f64> = Vec::new();
        for &(neighbourhood, weight) in group.iter().flat_map(|&place| weights.row(place as usize)) {
            let i = usize::from(neighbourhood);
            extra.resize(extra.len().max(i + 1), 0.0);
            extra[i] += weight;
        }
        let sum = |of: &dyn Fn(usize) -> f64| group.iter().map(|&place| of(place as usize)).sum();
        Self { base: sum(&|place| weights.base(place)), activity: sum(&|place| weights.activity(place)), extra }
    }

    fn of(&self, neighbourhood: u16) -> f64 {
        if neighbourhood == super::day::EVERYWHERE {
            return self.activity;
        }
        self.base + self.extra.get(usize::from(neighbourhood)).copied().unwrap_or(0.0)
    }
}
