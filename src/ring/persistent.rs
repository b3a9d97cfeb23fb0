//! The second route: one text that many accounts send day after day, which by co-use alone is the same as an app.
//!
//! The idea: such a text is frozen on the second day on which it is wide, and its accounts are tested on later days only, by two numbers that know
//! nothing of each other ([`super::streams`]). A ring is confirmed where both e-values are 20 or more and e-BH chooses their product among all texts frozen on
//! that day. Evidence counts 3 and 7 days after; the mean of the two is one e-value. Weakness: whoever gives accounts subjects of their own, or
//! lets some send far more than others, is not found here. Guarantee: rings of this route are listed apart from those of the first.

use super::day::{Day, Requests, Traffic};
use super::streams::{Population, Streams};
use crate::stats::{e_bh, ln_e_of_p, ln_mean};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Days after freezing at which a text is tested.
pub const HORIZONS: [i32; 2] = [3, 7];
/// ln of the e-value that each of the two streams must reach: 20.
const LN_LEAST: f64 = 2.995_732_273_553_991;
/// Days within which a text must be wide twice.
const WIDE_TWICE: i32 = 7;

/// A text under test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Persistent {
    /// The family.
    pub family: u64,
    /// The day that froze it.
    pub day: i32,
    /// What was found at each horizon that is reached; none where it was not sent by enough accounts any more.
    pub at_horizons: Vec<Option<Streams>>,
    /// The day on which it was confirmed.
    pub confirmed: Option<i32>,
    /// Accounts that sent it on two days or more since, sorted; of the last horizon.
    pub accounts: Vec<u32>,
}

impl Persistent {
    /// ln of the e-value of each stream: the mean over horizons, those ahead as zero.
    #[must_use]
    pub fn ln_e(&self) -> [f64; 2] {
        let of = |p: &dyn Fn(&Streams) -> f64| {
            let mut at = [f64::NEG_INFINITY; HORIZONS.len()];
            for (found, at) in self.at_horizons.iter().zip(&mut at) {
                *at = found.as_ref().map_or(f64::NEG_INFINITY, |streams| ln_e_of_p(p(streams)));
            }
            at
        };
        let (a, b) = (of(&|s| s.ln_p_interchangeable), of(&|s| s.ln_p_even));
        [ln_mean(&a), ln_mean(&b)]
    }

    /// ln of the e-value that decides: the mean over horizons of the product of both.
    #[must_use]
    pub fn ln_decisive(&self) -> f64 {
        let mut at = [f64::NEG_INFINITY; HORIZONS.len()];
        for (found, at) in self.at_horizons.iter().zip(&mut at) {
            *at = found.as_ref().map_or(f64::NEG_INFINITY, |streams| {
                ln_e_of_p(streams.ln_p_interchangeable) + ln_e_of_p(streams.ln_p_even)
            });
        }
        ln_mean(&at)
    }
}

/// Texts that are wide, those under test, and the requests to draw from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Texts {
    /// (family, first day on which it was wide), sorted.
    wide: Vec<(u64, i32)>,
    /// Texts under test and confirmed ones.
    pub under_test: Vec<Persistent>,
    /// Requests of the last days.
    requests: Vec<(i32, Requests)>,
}

impl Texts {
    /// Families whose traffic a day must bring, each with the day after which it counts.
    #[must_use]
    pub fn due(&self, day: i32) -> Vec<(u64, i32)> {
        let is_due = |text: &&Persistent| {
            text.at_horizons.len() < HORIZONS.len() && text.day + HORIZONS[text.at_horizons.len()] <= day
        };
        self.under_test.iter().filter(is_due).map(|text| (text.family, text.day)).collect()
    }

    /// Drops the requests to draw from, where neighbourhoods become others.
    pub(super) fn drop_requests(&mut self) {
        self.requests.clear();
    }

    /// Leaves out accounts, and requests of past days.
    pub(super) fn forget(&mut self, is_gone: &dyn Fn(u32) -> bool, is_past: &dyn Fn(i32) -> bool) {
        self.under_test.iter_mut().for_each(|text| text.accounts.retain(|account| !is_gone(*account)));
        self.requests.retain(|(day, requests)| !is_past(*day) && !is_gone(requests.account));
    }

    /// Reads a day.
    pub(super) fn read(&mut self, day: &Day, q: f64) {
        let oldest = day.day - HORIZONS[HORIZONS.len() - 1];
        self.requests.retain(|(of, _)| *of > oldest);
        // Requests count from the day after a text is frozen.
        if !self.under_test.is_empty() {
            self.requests.extend(day.requests.iter().map(|&requests| (day.day, requests)));
        }
        self.test(day);
        self.choose(day.day, q);
        let gone = |text: &Persistent| text.confirmed.is_none() && text.at_horizons.len() == HORIZONS.len();
        self.under_test.retain(|text| !gone(text));
        self.freeze(day);
    }

    fn test(&mut self, day: &Day) {
        let mut from: Vec<i32> = day.traffic.iter().map(|(since, _)| *since).collect();
        from.sort_unstable();
        from.dedup();
        for since in from {
            let later: Vec<Requests> =
                self.requests.iter().filter(|(of, _)| *of > since).map(|(_, requests)| *requests).collect();
            let population = Population::new(&later);
            let due: Vec<&Traffic> =
                day.traffic.iter().filter(|(of, _)| *of == since).map(|(_, traffic)| traffic).collect();
            let found: Vec<Option<Streams>> =
                due.par_iter().map(|traffic| population.test(traffic, day.day as u64)).collect();
            for (traffic, found) in due.into_iter().zip(found) {
                let Some(text) = self.under_test.iter_mut().find(|text| text.family == traffic.family) else {
                    continue;
                };
                text.at_horizons.push(found);
                text.accounts = traffic.accounts.iter().filter(|(_, s)| s.len() >= 2).map(|(a, _)| *a).collect();
            }
        }
        // A text that was not sent any more has no traffic and reaches its horizon all the same.
        for text in &mut self.under_test {
            while text.at_horizons.len() < HORIZONS.len() && text.day + HORIZONS[text.at_horizons.len()] <= day.day {
                text.at_horizons.push(None);
            }
        }
    }

    fn choose(&mut self, day: i32, q: f64) {
        let mut days: Vec<i32> = self.under_test.iter().map(|text| text.day).collect();
        days.sort_unstable();
        days.dedup();
        for of in days {
            let cohort: Vec<usize> = (0..self.under_test.len()).filter(|&i| self.under_test[i].day == of).collect();
            let ln_e: Vec<f64> = cohort.iter().map(|&i| self.under_test[i].ln_decisive()).collect();
            for (&i, chosen) in cohort.iter().zip(e_bh(&ln_e, q)) {
                let text = &mut self.under_test[i];
                if chosen && text.ln_e().iter().all(|ln_e| *ln_e >= LN_LEAST) {
                    text.confirmed.get_or_insert(day);
                }
            }
        }
    }

    fn freeze(&mut self, day: &Day) {
        self.wide.retain(|(_, first)| *first > day.day - WIDE_TWICE);
        for &family in &day.wide {
            if self.under_test.iter().any(|text| text.family == family) {
                continue;
            }
            match self.wide.binary_search_by_key(&family, |(family, _)| *family) {
                Ok(i) => {
                    self.wide.remove(i);
                    self.under_test.push(Persistent {
                        family,
                        day: day.day,
                        at_horizons: Vec::new(),
                        confirmed: None,
                        accounts: Vec::new(),
                    });
                }
                Err(i) => self.wide.insert(i, (family, day.day)),
            }
        }
    }
}
