//! The second route: one text that many accounts send day after day, which by co-use alone is the same as an app.
//!
//! The idea: such a text is frozen on the second day on which it is wide, and its accounts are tested on later days only, by two numbers that know
//! nothing of each other ([`super::streams`]). A ring is confirmed where both e-values are 20 or more and e-BH chooses their product among all texts frozen on
//! that day. Evidence counts 3 and 7 days after; the mean of the two is one e-value. Weakness: whoever gives accounts subjects of their own, or
//! lets some send far more than others, is not found here. Guarantee: rings of this route are listed apart from those of the first.

use super::day::{Day, Requests, Sent, Subjects};
use super::streams::{Population, Sender, Streams};
use crate::ids::Digest;
use crate::stats::{e_bh, ln_e_of_p, ln_mean};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days after freezing at which a text is tested.
pub const HORIZONS: [i32; 2] = [3, 7];
/// ln of the e-value that each of the two streams must reach: 20.
const LN_LEAST: f64 = 2.995_732_273_553_991;
/// Days within which a text must be wide twice.
const WIDE_TWICE: i32 = 7;

/// Accounts of a text of which prompts are kept, chosen by the digest of their number.
const MOST_LOOKED_AT: usize = 1000;
/// Prompts that are kept of an account: its first ones, which speak for people where they are of one hour.
const MOST_PROMPTS: usize = 32;
/// Accounts of a text of which requests are counted.
const MOST_COUNTED: usize = 200_000;

/// A text under test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Persistent {
    /// The family.
    pub family: u64,
    /// The day that froze it.
    pub day: i32,
    /// Who sent it on later days, sorted by account, until the last horizon.
    senders: Vec<Sender>,
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

    /// What names its ring: digest of its day and family.
    #[must_use]
    pub fn name(&self) -> [u8; 32] {
        Digest::of(&[self.day.to_le_bytes().as_slice(), &self.family.to_le_bytes()].concat()).0
    }

    /// The days on which its evidence counted, each with ln of the e-value that decides as it was then, and what was found on it.
    #[must_use]
    pub fn history(&self) -> Vec<(i32, f64, Option<Streams>)> {
        let as_of = |n: usize| {
            let then = Self { at_horizons: self.at_horizons[..=n].to_vec(), ..self.clone() };
            (self.day + HORIZONS[n], then.ln_decisive(), self.at_horizons[n])
        };
        (0..self.at_horizons.len().min(HORIZONS.len())).map(as_of).collect()
    }

    fn is_open(&self) -> bool {
        self.at_horizons.len() < HORIZONS.len()
    }

    fn is_due(&self, day: i32) -> bool {
        self.is_open() && self.day + HORIZONS[self.at_horizons.len()] <= day
    }

    /// Adds requests of a day, which are of this text and sorted by account.
    fn add(&mut self, sent: &[Sent]) {
        let mut all: BTreeMap<u32, Sender> =
            std::mem::take(&mut self.senders).into_iter().map(|sender| (sender.account, sender)).collect();
        for Sent { account, prompt, .. } in sent {
            if all.len() >= MOST_COUNTED && !all.contains_key(account) {
                continue;
            }
            let sender = all.entry(*account).or_insert_with(|| Sender { account: *account, ..Sender::default() });
            sender.requests += 1;
            if sender.prompts.len() < MOST_PROMPTS {
                sender.prompts.push(*prompt);
            }
        }
        self.senders = all.into_values().collect();
        if self.senders.len() > MOST_LOOKED_AT {
            // Whoever falls out here stays out, since there will only be more.
            let key = |sender: &Sender| {
                Digest::of(&[self.family.to_le_bytes().as_slice(), &sender.account.to_le_bytes()].concat())
            };
            let mut keys: Vec<(Digest, usize)> = self.senders.iter().map(key).zip(0..).collect();
            keys.select_nth_unstable(MOST_LOOKED_AT);
            keys[MOST_LOOKED_AT..].iter().for_each(|&(_, i)| self.senders[i].prompts = Vec::new());
        }
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
    /// Families of which a day must bring the requests, sorted.
    #[must_use]
    pub fn open(&self) -> Vec<u64> {
        let mut open: Vec<u64> = self.under_test.iter().filter(|text| text.is_open()).map(|text| text.family).collect();
        open.sort_unstable();
        open
    }

    /// Drops the requests to draw from, where neighbourhoods become others.
    pub(super) fn drop_requests(&mut self) {
        self.requests.clear();
    }

    /// Leaves out accounts, and requests of past days.
    pub(super) fn forget(&mut self, is_gone: &dyn Fn(u32) -> bool, is_past: &dyn Fn(i32) -> bool) {
        for text in &mut self.under_test {
            text.accounts.retain(|account| !is_gone(*account));
            text.senders.retain(|sender| !is_gone(sender.account));
        }
        self.requests.retain(|(day, requests)| !is_past(*day) && !is_gone(requests.account));
    }

    /// Reads a day.
    pub(super) fn read(&mut self, day: &Day, q: f64, subjects: &Subjects<'_>) {
        let oldest = day.day - HORIZONS[HORIZONS.len() - 1];
        self.requests.retain(|(of, _)| *of > oldest);
        // Requests count from the day after a text is frozen.
        if !self.under_test.is_empty() {
            self.requests.extend(day.requests.iter().map(|&requests| (day.day, requests)));
        }
        for text in self.under_test.iter_mut().filter(|text| text.is_open()) {
            let from = day.sent.partition_point(|sent| sent.family < text.family);
            let n = day.sent[from..].partition_point(|sent| sent.family == text.family);
            text.add(&day.sent[from..from + n]);
        }
        self.test(day.day, subjects);
        self.choose(day.day, q);
        let gone = |text: &Persistent| text.confirmed.is_none() && text.at_horizons.len() == HORIZONS.len();
        self.under_test.retain(|text| !gone(text));
        self.freeze(day);
    }

    fn test(&mut self, day: i32, subjects: &Subjects<'_>) {
        let due = || self.under_test.iter().filter(|text| text.is_due(day));
        let mut frozen: Vec<i32> = due().map(|text| text.day).collect();
        frozen.sort_unstable();
        frozen.dedup();
        let population = |since: i32| {
            let later: Vec<Requests> =
                self.requests.iter().filter(|(of, _)| *of > since).map(|(_, requests)| *requests).collect();
            (since, Population::new(&later))
        };
        let populations: BTreeMap<i32, Population> = frozen.into_iter().map(population).collect();
        self.under_test.par_iter_mut().for_each(|text| {
            let mut found = None;
            if text.is_due(day)
                && let Some(population) = populations.get(&text.day)
            {
                found = population.test(text.family, &text.senders, subjects, day as u64);
                let twice = text.senders.iter().filter(|sender| sender.requests >= 2);
                text.accounts = twice.map(|sender| sender.account).collect();
            }
            // Where days are missing, one may reach two horizons.
            while text.is_due(day) {
                text.at_horizons.push(found.take());
            }
            if !text.is_open() {
                text.senders = Vec::new();
            }
        });
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
                        senders: Vec::new(),
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
