//! How the accounts behind one text behave: like people, or like one sender's hands.
//!
//! Two numbers of the same requests. *Interchangeability*: people have subjects of their own, so two requests of one person agree in
//! subject more often than two of different people; a dispatcher makes accounts alike (intraclass correlation, Fisher 1925, here of
//! neighbourhoods of text). *Evenness*: people differ in how much they ask; a dispatcher spreads its load, so that counts vary no more than
//! chance. Each is held against accounts drawn at random from the same days, with as many requests each: the p-value is the rank among such draws
//! (Besag and Clifford 1991), an exact test of the hypothesis that the text's accounts are a random choice of the store's. Customers of one app are no random choice: they
//! are all people, where a store has programs too, whose loads differ far more. So evenness is held as well against people who are more alike than people are, and the larger p
//! counts. The first number looks at subjects given the counts and the second at counts alone, so they are independent under the null. Weakness: an app whose customers
//! ask about anything at all, each as often as a quota allows, looks the same; either number alone proves nothing. Guarantee: the same seed gives the same p.

use super::day::{EVERYWHERE, Requests, Subjects};
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// ln of the p-value of each stream.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Streams {
    /// Accounts that were looked at.
    pub accounts: u32,
    /// The intraclass correlation of subjects; people's is above 0. 0 where that was not asked, since loads are as uneven as people's.
    pub correlation: f64,
    /// ln p that accounts drawn at random are as interchangeable; 0 where that was not asked.
    pub ln_p_interchangeable: f64,
    /// The squared coefficient of variation of counts beyond that of chance; people's is about 1 or more.
    pub excess: f64,
    /// ln p that counts are as even, of accounts drawn at random or of people who are more alike than people are, whichever is larger.
    pub ln_p_even: f64,
}

/// An account that sends a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The account.
    pub account: u32,
    /// Its requests with the text.
    pub requests: u32,
    /// Prompts of some of them; none where others are looked at.
    pub prompts: Vec<u32>,
}

/// Fewest accounts, with two requests each, of which this can be told.
pub const LEAST_ACCOUNTS: usize = 20;
/// Accounts of a text that are looked at.
const MOST_ACCOUNTS: usize = 300;
/// Draws, where few are as extreme as what was seen.
pub(super) const MOST_DRAWS: u32 = 99_999;
/// Draws as extreme as what was seen, after which it is clear that nothing is special.
const ENOUGH: u32 = 20;

/// ln of the p-value of evenness above which interchangeability is not asked for: 5%.
const LN_WORTH: f64 = -2.995_732_273_553_991;

/// What all accounts of some days asked, to draw from.
#[derive(Clone, Debug)]
pub struct Population {
    /// Subjects of the requests of each account, accounts with most requests first.
    accounts: Vec<(u32, Vec<u16>)>,
}

impl Population {
    /// All accounts with these requests.
    #[must_use]
    pub fn new(requests: &[Requests]) -> Self {
        let mut all: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
        for r in requests.iter().filter(|r| r.neighbourhood != EVERYWHERE) {
            all.entry(r.account).or_default().extend(std::iter::repeat_n(r.neighbourhood, r.requests as usize));
        }
        let mut accounts: Vec<(u32, Vec<u16>)> = all.into_iter().collect();
        accounts.sort_by_key(|(account, subjects)| (std::cmp::Reverse(subjects.len()), *account));
        Self { accounts }
    }

    /// Tests the accounts of a text, sorted; none where they are too few.
    #[must_use]
    pub fn test(&self, family: u64, senders: &[Sender], subjects: &Subjects<'_>, seed: u64) -> Option<Streams> {
        let is_sender = |account: u32| senders.binary_search_by_key(&account, |sender| sender.account).is_ok();
        let others: Vec<&Vec<u16>> =
            self.accounts.iter().filter(|(account, _)| !is_sender(*account)).map(|(_, subjects)| subjects).collect();
        let mut own: Vec<&Sender> = senders.iter().filter(|sender| sender.prompts.len() >= 2).collect();
        if own.len() < LEAST_ACCOUNTS || others.len() < own.len() {
            return None;
        }
        // Of many accounts some hundreds, drawn at random, say as much.
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ family);
        own.shuffle(&mut rng);
        own.truncate(MOST_ACCOUNTS);
        let mut counts: Vec<f64> = senders.iter().map(|sender| f64::from(sender.requests)).collect();
        counts.shuffle(&mut rng);
        counts.truncate(MOST_ACCOUNTS);
        let excess = excess(&counts);
        let loads: Vec<f64> = others.iter().map(|subjects| subjects.len() as f64).collect();
        let ln_p_even = ln_rank(|| excess_of(counts.iter().map(|_| loads[rng.random_range(0..loads.len())])) <= excess);
        let ln_p_even = ln_p_even.max(ln_p_of_people(&counts, seed ^ family));
        let accounts = own.len() as u32;
        let without = Streams { accounts, correlation: 0.0, ln_p_interchangeable: 0.0, excess, ln_p_even };
        // Accounts of which some ask much more than others are people, whatever they ask about.
        if ln_p_even > LN_WORTH {
            return Some(without);
        }
        // Of a busier account than twenty others are, as many requests count as the twentieth has.
        let most = others[LEAST_ACCOUNTS - 1].len();
        let own = known_subjects(family, own, most, subjects, &mut rng);
        if own.len() < LEAST_ACCOUNTS {
            return Some(without);
        }
        // Accounts with at least so many requests stand in front.
        let able: Vec<usize> = own.iter().map(|s| others.partition_point(|other| other.len() >= s.len())).collect();
        let correlation = correlation(&own);
        // In whatever order an account's requests stand, those that a shuffle puts in front are a random choice of them.
        let mut others: Vec<Vec<u16>> = others.into_iter().take_while(|other| other.len() >= 2).cloned().collect();
        let mut agreement = Agreement::default();
        let ln_p_interchangeable = ln_rank(|| {
            for (own, &able) in own.iter().zip(&able) {
                let drawn = &mut others[rng.random_range(0..able)];
                agreement.add(to_front(drawn, own.len(), &mut rng));
            }
            // Sums in another order differ in their last digits, and a draw like what was seen is as extreme.
            agreement.take() <= correlation + 1e-12
        });
        Some(Streams { accounts: own.len() as u32, correlation, ln_p_interchangeable, ..without })
    }
}

/// ln p that counts of people are as even as these, by their rank among draws of people who are more alike than people are; 0 of fewer than two.
#[must_use]
pub fn ln_p_of_people(counts: &[f64], seed: u64) -> f64 {
    if counts.len() < 2 {
        return 0.0;
    }
    let (seen, people) = (excess(counts), Even::new(counts.iter().sum::<f64>() / counts.len() as f64));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    ln_rank(|| excess_of(counts.iter().map(|_| people.draw(&mut rng))) <= seen)
}

/// Counts of people whose rates are as alike as those of innocents may be: Poisson around rates whose logarithm is normal, one request or more.
///
/// The edge of an interval null: people's rates have a deviation of their logarithm of 1 and more, two accounts in three within a factor of 2.7 of the median; here it is
/// 0.5, a factor of 1.6. What is no more even than this is no evidence of a dispatcher.
struct Even {
    /// Chance of at most so many requests, from one on.
    cumulative: Vec<f64>,
}

/// Standard deviation of the logarithm of rates in [`Even`].
const DEVIATION: f64 = 0.5;
/// Nodes of the normal distribution on either side of its mean, a tenth of a deviation apart.
const NODES: i32 = 40;
/// Largest mean that is computed; of larger ones the unevenness of rates is all there is.
const MOST_MEAN: f64 = 1000.0;

impl Even {
    /// Counts with this mean, which is more than 1.
    fn new(mean: f64) -> Self {
        let mean = mean.min(MOST_MEAN);
        let nodes: Vec<(f64, f64)> = (-NODES..=NODES)
            .map(|node| {
                let z = f64::from(node) / 10.0;
                (libm::exp(DEVIATION * z - DEVIATION * DEVIATION / 2.0), libm::exp(-z * z / 2.0))
            })
            .collect();
        let weight: f64 = nodes.iter().map(|(_, weight)| weight).sum();
        // The rate of which those with a request have this mean.
        let none = |rate: f64| nodes.iter().map(|(of, w)| w * libm::exp(-rate * of)).sum::<f64>() / weight;
        let (mut low, mut high) = (0.0, mean);
        for _ in 0..60 {
            let rate = 0.5 * (low + high);
            if rate < mean * (1.0 - none(rate)) { low = rate } else { high = rate }
        }
        let rate = high.max(1e-9);
        let last = rate * nodes.last().map_or(1.0, |(of, _)| *of);
        let last = (last + 10.0 * libm::sqrt(last) + 20.0) as u32;
        let mut sum = 0.0;
        let chance = |n: u32| {
            let (n, ln_factorial) = (f64::from(n), libm::lgamma(f64::from(n) + 1.0));
            let of =
                |(of, weight): &(f64, f64)| weight * libm::exp(n * libm::log(rate * of) - rate * of - ln_factorial);
            nodes.iter().map(of).sum::<f64>()
        };
        let cumulative: Vec<f64> = (1..=last)
            .map(|n| {
                sum += chance(n);
                sum
            })
            .collect();
        Self { cumulative: cumulative.iter().map(|own| own / sum).collect() }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        let u: f64 = rng.random();
        1.0 + self.cumulative.partition_point(|own| *own < u).min(self.cumulative.len() - 1) as f64
    }
}

/// Subjects of the requests of each sender, at most so many; of senders with two or more that are known.
fn known_subjects(
    family: u64,
    senders: Vec<&Sender>,
    most: usize,
    subjects: &Subjects<'_>,
    rng: &mut ChaCha8Rng,
) -> Vec<Vec<u16>> {
    let mut prompts: Vec<u32> = senders.iter().flat_map(|sender| sender.prompts.iter().copied()).collect();
    prompts.sort_unstable();
    prompts.dedup();
    let found = subjects(family, &prompts);
    let subject = |prompt: &u32| prompts.binary_search(prompt).ok().and_then(|i| found.get(i).copied());
    let of = |sender: &Sender| {
        let known = sender.prompts.iter().filter_map(subject).filter(|&subject| subject != EVERYWHERE);
        let mut known: Vec<u16> = known.collect();
        let n = to_front(&mut known, most, rng).len();
        known.truncate(n);
        known
    };
    senders.into_iter().map(of).filter(|subjects| subjects.len() >= 2).collect()
}

/// `n` of a list, or all of a shorter one, drawn without replacement and put in front.
fn to_front<'a>(list: &'a mut [u16], n: usize, rng: &mut ChaCha8Rng) -> &'a [u16] {
    let n = n.min(list.len());
    if n < list.len() {
        for i in 0..n {
            list.swap(i, rng.random_range(i..list.len()));
        }
    }
    &list[..n]
}

/// ln p of what was seen by its rank among draws: `is_as_extreme` draws once. Stops early where it is clearly nothing special, which keeps it exact
/// (Besag and Clifford 1991, section 2).
fn ln_rank(is_as_extreme: impl FnMut() -> bool) -> f64 {
    ln_rank_of(MOST_DRAWS, is_as_extreme)
}

/// The same of so many draws at most.
pub(super) fn ln_rank_of(most: u32, mut is_as_extreme: impl FnMut() -> bool) -> f64 {
    let mut extreme = 0;
    for drawn in 1..=most {
        extreme += u32::from(is_as_extreme());
        if extreme == ENOUGH {
            return libm::log(f64::from(ENOUGH) / f64::from(drawn));
        }
    }
    libm::log(f64::from(extreme + 1) / f64::from(most + 1))
}

/// Intraclass correlation of subjects: the chance that two requests of one account agree, less the chance for two of different accounts,
/// over one less that chance. Accounts count alike.
#[must_use]
pub fn correlation(accounts: &[Vec<u16>]) -> f64 {
    let mut agreement = Agreement::default();
    accounts.iter().for_each(|subjects| agreement.add(subjects));
    agreement.take()
}

/// What [`correlation`] needs of accounts, which come one after another: millions are drawn for one p-value.
#[derive(Default)]
struct Agreement {
    /// Accounts so far.
    n: f64,
    /// Sum of the shares of pairs of one account that agree.
    within: f64,
    /// Sum of the squared shares of subjects in each account.
    own_pairs: f64,
    /// By subject: requests of the account at hand, and the sum of the shares of all.
    of_one: Vec<u32>,
    shares: Vec<f64>,
    seen: Vec<u16>,
}

impl Agreement {
    /// Adds an account with two requests or more.
    fn add(&mut self, subjects: &[u16]) {
        let k = subjects.len() as f64;
        let mut agree = 0u64;
        for &subject in subjects {
            let at = usize::from(subject);
            if at >= self.of_one.len() {
                self.of_one.resize(at + 1, 0);
                self.shares.resize(at + 1, 0.0);
            }
            agree += u64::from(self.of_one[at]);
            self.of_one[at] += 1;
        }
        for &subject in subjects {
            let at = usize::from(subject);
            let share = f64::from(std::mem::take(&mut self.of_one[at])) / k;
            if share > 0.0 {
                if self.shares[at] == 0.0 {
                    self.seen.push(subject);
                }
                self.shares[at] += share;
                self.own_pairs += share * share;
            }
        }
        self.within += 2.0 * agree as f64 / (k * (k - 1.0));
        self.n += 1.0;
    }

    /// The correlation of those that were added; leaves none.
    fn take(&mut self) -> f64 {
        let shares = self.seen.drain(..).map(|subject| std::mem::take(&mut self.shares[usize::from(subject)]));
        let all_pairs: f64 = shares.map(|share| share * share).sum();
        let (n, within) = (std::mem::take(&mut self.n), std::mem::take(&mut self.within));
        // Pairs of different accounts: all pairs of shares less those of one account with itself.
        let between = (all_pairs - std::mem::take(&mut self.own_pairs)) / (n * (n - 1.0));
        if between >= 1.0 { 0.0 } else { (within / n - between) / (1.0 - between) }
    }
}

/// Squared coefficient of variation of counts, less what chance alone gives (1 / mean).
#[must_use]
pub fn excess(counts: &[f64]) -> f64 {
    excess_of(counts.iter().copied())
}

/// The same of counts that come one after another; whole numbers, whose sums are exact.
fn excess_of(counts: impl Iterator<Item = f64>) -> f64 {
    let (n, sum, squares) =
        counts.fold((0.0, 0.0, 0.0), |(n, sum, squares), count| (n + 1.0, sum + count, squares + count * count));
    let mean = sum / n;
    let variance = (squares - sum * mean) / (n - 1.0);
    (variance - mean) / (mean * mean)
}
