//! Whether accounts put something of their own around the texts that they share, as customers of an app do.
//!
//! The idea: a new template is shared by the customers of the app that brings it out, and by the accounts of a queue that hands it out. Customers fill it with what they are after, and
//! that is theirs: two fillings of one customer, also in different templates, agree in subject more often than those of two customers. What a queue fills in is
//! whoever's turn it is. The intraclass correlation of subjects ([`super::streams::correlation`]) is ranked among draws in which the fillings of each template are dealt anew
//! to those who filled it (Besag and Clifford 1991). Weakness: an operator who gives each account subjects of its own looks like an app; so this is an explanation and no acquittal,
//! and holds only where accounts have nothing else in common. Guarantee: the same seed gives the same p.

use super::streams::{correlation, ln_rank_of};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A filling of a shared text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The family of the text.
    pub family: u64,
    /// Who sent it.
    pub account: u32,
    /// What it is about.
    pub subject: u16,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// Distinct prompts of accounts that were looked at.
    pub requests: u32,
    /// Of these, fillings with a subject, each text of an account once.
    pub filled: u32,
    /// Accounts with two or more.
    pub accounts: u32,
    /// The intraclass correlation of their subjects.
    pub correlation: f64,
    /// ln p that fillings dealt at random are as much the accounts' own.
    pub ln_p: f64,
}

/// Fewest accounts with two fillings of which this can be told.
const LEAST: usize = 3;
/// Draws at most.
const DRAWS: u32 = 9_999;
/// Largest p, and smallest correlation, at which subjects are the accounts' own: a tenth of what two requests of one person agree in if each has one subject.
const LN_P: f64 = -6.907_755_278_982_137;
const LEAST_CORRELATION: f64 = 0.1;

/// Tests the fillings of a group, of which so many prompts were looked at; none where too few accounts have two.
#[must_use]
pub fn inputs(mut filled: Vec<Input>, requests: u32, seed: u64) -> Option<Inputs> {
    filled.sort_unstable();
    let mut places: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    filled.iter().enumerate().for_each(|(place, input)| places.entry(input.account).or_default().push(place));
    places.retain(|_, own| own.len() >= 2);
    if places.len() < LEAST {
        return None;
    }
    let mut subjects: Vec<u16> = filled.iter().map(|input| input.subject).collect();
    let mut of_each: Vec<Vec<u16>> = vec![Vec::new(); places.len()];
    let mut dealt = |subjects: &[u16]| {
        for (own, places) in of_each.iter_mut().zip(places.values()) {
            own.clear();
            own.extend(places.iter().map(|&place| subjects[place]));
        }
        correlation(&of_each)
    };
    let seen = dealt(&subjects);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let ends: Vec<usize> = filled.chunk_by(|a, b| a.family == b.family).map(<[Input]>::len).collect();
    let ln_p = ln_rank_of(DRAWS, || {
        let mut rest = &mut subjects[..];
        for &n in &ends {
            let (of_family, others) = rest.split_at_mut(n);
            of_family.shuffle(&mut rng);
            rest = others;
        }
        // Sums of the same terms in another order differ in their last digits.
        dealt(&subjects) >= seen - 1e-9
    });
    Some(Inputs { requests, filled: filled.len() as u32, accounts: places.len() as u32, correlation: seen, ln_p })
}

impl Inputs {
    /// Whether most of what was sent is filled with what is the accounts' own.
    #[must_use]
    pub fn are_own(&self) -> bool {
        2 * self.filled >= self.requests && self.correlation >= LEAST_CORRELATION && self.ln_p <= LN_P
    }
}
