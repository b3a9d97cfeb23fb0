//! What the accounts of a group have in common beside their texts: means of payment, networks, clients.
//!
//! The idea: operators buy accounts in bulk. For each attribute the pairs of accounts with the same value are counted, each weighing the logarithm of how rare
//! the value is, so that a client that everybody has says little; the p-value is the rank of that sum among sets of other accounts, each drawn from those
//! of the same plan that ask about as much. Over the attributes that count the smallest p counts, times their number (Holm 1979). Not all count: customers of one app share its client,
//! and often a country, which is what an app is; and they share a network since they share a country, so networks are compared within one. It knows nothing of texts, and is
//! asked once, of the accounts of the first confirmed group, which were frozen before. Weakness: what the log does not say is not seen, and an operator who buys
//! apart looks like anybody; people of one company share a card honestly. Guarantee: the same seed gives the same p.

use super::streams::{MOST_DRAWS, ln_rank_of};
use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is known of an account on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// The account.
    pub account: u32,
    /// Its requests.
    pub requests: u32,
    /// Its plan, which says with whom it is compared.
    pub plan: Option<u64>,
    /// The value of each attribute, by a digest.
    pub values: Vec<Option<u64>>,
}

/// How an attribute is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whether it counts; of another it is told how it is shared.
    pub counts: bool,
    /// The place of an attribute within whose values it is compared.
    pub within: Option<usize>,
}

/// How a group shares an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its place among the values of an [`Asker`].
    pub place: u8,
    /// ln p.
    pub ln_p: f64,
    /// Accounts of the group that have its commonest value there.
    pub sharing: u32,
    /// Whether it counts.
    pub counts: bool,
}

/// What a group has in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Composition {
    /// Accounts of the group that were active.
    pub accounts: u32,
    /// ln p of the attribute that is shared most among those that count, times their number; none where none is known.
    pub ln_p: Option<f64>,
    /// Attributes that most accounts have.
    pub attributes: Vec<Attribute>,
}

/// Fewest accounts of which this can be told.
const LEAST: usize = 3;
/// Draws where the test is changed: enough to reach an e-value of 20.
pub(super) const DRAWS_OF_CHANGES: u32 = 1_999;
/// Others, nearest in requests, that may stand in the place of an account.
const NEAREST: usize = 200;
/// How often an account that is drawn already is drawn again.
const AGAIN: usize = 8;

/// A plan and, where an attribute is compared within the values of another, that value.
type Stratum = (Option<u64>, Option<u64>);
/// Kinds of strata: whether by plan, and within the values of which attribute.
type Kind = (bool, Option<usize>);

/// All askers of a day, with which groups are compared: ordered once for all of them.
#[derive(Debug, Default)]
pub struct Reference {
    /// By requests, then by account.
    askers: Vec<Asker>,
    asked: Vec<Asked>,
    /// Of each attribute how many have which value.
    having: Vec<HashMap<u64, u32>>,
    /// Of each kind of strata the places of all askers by stratum, requests and account.
    by_stratum: BTreeMap<Kind, Vec<(Stratum, u32)>>,
}

fn value_at(place: usize, asker: &Asker) -> Option<u64> {
    asker.values.get(place).copied().flatten()
}

impl Reference {
    /// Orders the askers of a day; `asked` says how each value of an [`Asker`] is.
    #[must_use]
    pub fn new(mut askers: Vec<Asker>, asked: &[Asked]) -> Self {
        askers.sort_by_key(|asker| (asker.requests, asker.account));
        let having = (0..asked.len()).map(|place| {
            let mut having: HashMap<u64, u32> = HashMap::new();
            askers.iter().filter_map(|asker| value_at(place, asker)).for_each(|of| *having.entry(of).or_default() += 1);
            having
        });
        let having = having.collect();
        let kinds: BTreeSet<Option<usize>> = asked.iter().map(|asked| asked.within).chain([None]).collect();
        let kinds = kinds.into_iter().flat_map(|within| [(true, within), (false, within)]);
        let ordered = |(by_plan, within): Kind| {
            let stratum = |asker: &Asker| stratum(asker, by_plan, within);
            let mut all: Vec<(Stratum, u32)> = askers.iter().map(stratum).zip(0..).collect();
            all.sort_by_key(|(stratum, _)| *stratum);
            ((by_plan, within), all)
        };
        let by_stratum = kinds.map(ordered).collect();
        Self { asked: asked.to_vec(), having, by_stratum, askers }
    }

    /// Tests a group, whose accounts are sorted, among all askers of the day. None where too little is known.
    #[must_use]
    pub fn composition(&self, group: &[u32], seed: u64) -> Option<Composition> {
        self.among(group, true, seed, MOST_DRAWS)
    }

    /// The same where accounts of any plan stand in for each other: what is left of the finding without the strata.
    #[must_use]
    pub fn composition_of_any_plan(&self, group: &[u32], seed: u64) -> Option<Composition> {
        self.among(group, false, seed, DRAWS_OF_CHANGES)
    }

    fn among(&self, group: &[u32], by_plan: bool, seed: u64, most_draws: u32) -> Option<Composition> {
        let is_own: Vec<bool> = self.askers.iter().map(|asker| group.binary_search(&asker.account).is_ok()).collect();
        let mut own: Vec<&Asker> = self.askers.iter().zip(&is_own).filter(|(_, own)| **own).map(|of| of.0).collect();
        own.sort_by_key(|asker| asker.account);
        let n_others = self.askers.len() - own.len();
        if own.len() < LEAST || n_others < 2 * own.len() {
            return None;
        }
        let others = |kind: Kind| -> Vec<(Stratum, u32)> {
            let all = self.by_stratum.get(&kind).into_iter().flatten();
            all.filter(|(_, at)| !is_own[*at as usize]).copied().collect()
        };
        let of_any = others((false, None));
        // In which draw each was drawn last.
        let (mut drawn_in, mut draw) = (vec![0u32; self.askers.len()], 0u32);
        let mut of_attribute = |(place, Asked { counts, within }): (usize, &Asked)| {
            let value = |asker: &Asker| value_at(place, asker);
            let having = &self.having[place];
            let number_with = |value: u64| f64::from(having.get(&value).copied().unwrap_or(1));
            let known = own.iter().filter(|asker| value(asker).is_some()).count();
            let known_of_others = self.askers.iter().filter(|asker| value(asker).is_some()).count() - known;
            if known < LEAST || 2 * known < own.len() || 2 * known_of_others < n_others {
                return None;
            }
            let others = others((by_plan, *within));
            let own_stratum =
                |asker: &&Asker| self.near(&others, stratum(asker, by_plan, *within), asker.requests, own.len());
            let of_stratum: Vec<Option<&[(Stratum, u32)]>> = own.iter().map(own_stratum).collect();
            // Where most of a country are of the group, nobody is left to compare its networks with.
            let alone = of_stratum.iter().filter(|found| found.is_none()).count();
            if within.is_some() && 4 * alone > own.len() {
                return None;
            }
            let any = |asker: &Asker| self.near(&of_any, (None, None), asker.requests, own.len()).unwrap_or(&of_any);
            let nearest: Vec<&[(Stratum, u32)]> =
                of_stratum.into_iter().zip(&own).map(|(found, asker)| found.unwrap_or_else(|| any(asker))).collect();
            let all = (known + known_of_others) as f64;
            let shared = |values: &mut Vec<u64>| -> (f64, u32) {
                values.sort_unstable();
                values.chunk_by(|a, b| a == b).fold((0.0, 0), |(sum, most), same| {
                    // One alone is no pair, however rare its value.
                    if same.len() < 2 {
                        return (sum, most.max(1));
                    }
                    let n = same.len() as f64;
                    let rarity = libm::log(all / number_with(same[0]));
                    (sum + 0.5 * n * (n - 1.0) * rarity, most.max(same.len() as u32))
                })
            };
            let (seen, most) = shared(&mut own.iter().filter_map(|asker| value(asker)).collect());
            let mut rng = ChaCha8Rng::seed_from_u64(seed ^ place as u64);
            let mut values = Vec::with_capacity(own.len());
            let ln_p = ln_rank_of(most_draws, || {
                values.clear();
                draw += 1;
                for near in &nearest {
                    let mut other = near[rng.random_range(0..near.len())].1;
                    for _ in 0..AGAIN {
                        if std::mem::replace(&mut drawn_in[other as usize], draw) != draw {
                            break;
                        }
                        other = near[rng.random_range(0..near.len())].1;
                    }
                    values.extend(value(&self.askers[other as usize]));
                }
                shared(&mut values).0 >= seen
            });
            Some(Attribute { place: place as u8, ln_p, sharing: most, counts: *counts })
        };
        let attributes: Vec<Attribute> = self.asked.iter().enumerate().filter_map(&mut of_attribute).collect();
        if attributes.is_empty() {
            return None;
        }
        Some(Composition { accounts: own.len() as u32, ln_p: of_all(attributes.iter()), attributes })
    }

    /// The others of a stratum that ask as much: those with the very number of requests, and where they are few the nearest below and
    /// above, as many of each (a lopsided window would hold accounts of other habits). None where it has few; `others` are sorted by stratum and requests.
    fn near<'b>(
        &self,
        others: &'b [(Stratum, u32)],
        stratum: Stratum,
        requests: u32,
        group: usize,
    ) -> Option<&'b [(Stratum, u32)]> {
        let wanted = NEAREST.max(4 * group);
        let from = &others[others.partition_point(|(of, _)| *of < stratum)..];
        let from = &from[..from.partition_point(|(of, _)| *of == stratum)];
        if from.len() < 2 * group {
            return None;
        }
        let asks = |at: u32| self.askers[at as usize].requests;
        let low = from.partition_point(|(_, other)| asks(*other) < requests);
        let high = from.partition_point(|(_, other)| asks(*other) <= requests);
        let more = wanted.saturating_sub(high - low).div_ceil(2);
        Some(&from[low.saturating_sub(more)..(high + more).min(from.len())])
    }
}

fn stratum(asker: &Asker, by_plan: bool, within: Option<usize>) -> Stratum {
    (asker.plan.filter(|_| by_plan), within.and_then(|within| value_at(within, asker)))
}

/// ln p of the attribute that is shared most among those that count, times their number.
fn of_all<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> Option<f64> {
    let ln_p: Vec<f64> = attributes.filter(|of| of.counts).map(|of| of.ln_p).collect();
    let least = ln_p.iter().copied().reduce(f64::min)?;
    Some((least + libm::log(ln_p.len() as f64)).min(0.0))
}

impl Composition {
    /// ln p without one of the attributes, given by its place; none where no other that counts is known.
    #[must_use]
    pub fn ln_p_without(&self, place: u8) -> Option<f64> {
        of_all(self.attributes.iter().filter(|of| of.place != place))
    }
}
