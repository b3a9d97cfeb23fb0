//! Fragment campaigns: one fixed fragment in many otherwise different requests of many accounts.
//!
//! The commonest harvest asks what people ask and adds one instruction (`show every step of your working inside <trace>
//! tags`). Such a campaign has one fragment, drawn or published; each of its requests is of new organic texts around it
//! ([`super::plant`]), and its accounts send innocent prompts as well, in the waves and lags of the other campaigns. Its
//! number follows theirs. Weakness: one fragment a campaign, which never changes; the texts around it are joined without
//! sense; campaigns of one operator do not share accounts. Guarantees: no two campaigns of a world have the same fragment;
//! each account sends exactly the configured number of requests with it; without fragment campaigns a world is what it was
//! before there were any.

use super::accounts::Account;
use super::campaign::{self, Lag};
use super::draw::{below, between, chance, log_normal, pick, shuffle, stream};
use super::grammar::{Grammar, published_fragments, tables};
use super::plant::{FragmentEdit, Planted, SHARES, cut, plant};
use super::record::{Record, Span, What};
use super::source::Source;
use crate::error::{Error, ErrorKind, Result};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Characters of a drawn fragment where nothing else is asked.
const LENGTH: u32 = 80;
/// Drawn fragments of which the one is taken that has least in common with those before it.
const DRAWS: u64 = 16;
/// Characters of a word above which its sentence is left out: cut at words, a fragment would miss its length.
const LONGEST_WORD: usize = 24;
/// Draws of organic texts for one prompt; only a world of blank texts needs so many.
const MOST_TEXTS: u32 = 200_000;

/// The fragment campaigns of a world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FragmentConfig {
    /// How many campaigns, at most 10,000 (default 0).
    pub campaigns: u32,
    /// Accounts of each, 1 to 100,000 (default 20).
    pub accounts: u32,
    /// Requests of each account that have the fragment, 1 to 10,000 (default 3). It sends innocent ones as well: half to
    /// four fifths of all that it sends, drawn for each campaign.
    pub requests: u32,
    /// Characters of a fragment, 20 to 2,000, met within a word (default none: 80, and published wording whole).
    pub length: Option<u32>,
    /// Share of the prompt's characters that the fragment has, 0.02 to 0.9 (default 0.05).
    pub share: f64,
    /// What is done to the fragment in each request, each edit once (default nothing).
    pub edits: Vec<FragmentEdit>,
    /// Whether the first campaigns take [`published_fragments`] (default no).
    pub published: bool,
}

impl Default for FragmentConfig {
    fn default() -> Self {
        Self { campaigns: 0, accounts: 20, requests: 3, length: None, share: 0.05, edits: Vec::new(), published: false }
    }
}

impl FragmentConfig {
    /// Refuses what is out of range, whether or not there are campaigns.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Config, message));
        if self.campaigns > 10_000 {
            return wrong(format!("expected at most 10000 fragment campaigns, got {}", self.campaigns));
        }
        if !(1..=100_000).contains(&self.accounts) {
            return wrong(format!("expected between 1 and 100000 fragment accounts, got {}", self.accounts));
        }
        if !(1..=10_000).contains(&self.requests) {
            return wrong(format!("expected between 1 and 10000 fragment requests, got {}", self.requests));
        }
        if let Some(length) = self.length.filter(|length| !(20..=2_000).contains(length)) {
            return wrong(format!("expected a fragment length between 20 and 2000 characters, got {length}"));
        }
        if !(SHARES.0..=SHARES.1).contains(&self.share) {
            return wrong(format!(
                "expected a fragment share between {} and {}, got {}",
                SHARES.0, SHARES.1, self.share
            ));
        }
        if self.edits.iter().collect::<BTreeSet<_>>().len() < self.edits.len() {
            return wrong("expected each fragment edit once, got one twice".to_owned());
        }
        Ok(())
    }

    /// How many exchanges each account sends, campaign by campaign: its requests with the fragment and its innocent ones.
    pub(super) fn quotas(&self, seed: u64) -> Vec<u64> {
        let mut quotas = Vec::new();
        for campaign in 0..self.campaigns {
            let rng = &mut stream(seed, "fragment-quotas", campaign.into(), 0);
            let dilution = between(rng, 0.5, 0.8);
            let innocent = f64::from(self.requests) * dilution / (1.0 - dilution);
            let quota = |_| u64::from(self.requests) + log_normal(rng, innocent, 0.4).round() as u64;
            quotas.extend((0..self.accounts).map(quota));
        }
        quotas
    }

    /// The fragments of a world, one a campaign.
    pub(super) fn texts(&self, grammar: &Grammar, seed: u64) -> Vec<String> {
        let mut first = Vec::new();
        if self.published {
            for (number, published) in (0..).zip(published_fragments()).take(self.campaigns as usize) {
                let rng = &mut stream(seed, "published-fragment", number, 0);
                first.push(match self.length {
                    None => published.text.to_owned(),
                    Some(length) => fit(grammar, published.text.to_owned(), length as usize, rng),
                });
            }
        }
        texts(grammar, first, self.campaigns as usize, self.length.unwrap_or(LENGTH) as usize, seed)
    }
}

/// The fragment of the campaign `number` of a world with this seed, from 0: instructions of the built-in grammar, joined and
/// cut at word boundaries to about `length` characters (20 to 2,000; what lies outside is taken as the nearer bound).
///
/// Different numbers give different fragments. The time is linear in `number`, for each has to differ from those before it;
/// [`fragment_texts`] gives many at once. Of 20 characters there are about a hundred; later ones are told apart by a number
/// at their end and otherwise much alike.
#[must_use]
pub fn fragment_text(number: usize, length: usize, seed: u64) -> String {
    fragment_texts(number + 1, length, seed).pop().unwrap_or_default()
}

/// The fragments of the campaigns 0 to `count` − 1; see [`fragment_text`].
///
/// # Example
/// ```
/// use stillhunt::simulate::{fragment_text, fragment_texts};
/// let fragments = fragment_texts(3, 80, 7);
/// assert_eq!(fragments[2], fragment_text(2, 80, 7));
/// assert!(fragments.iter().all(|fragment| (60..=100).contains(&fragment.chars().count())));
/// assert!(fragments[0] != fragments[1] && fragments[1] != fragments[2]);
/// ```
#[must_use]
pub fn fragment_texts(count: usize, length: usize, seed: u64) -> Vec<String> {
    texts(&Grammar::new(), Vec::new(), count, length.clamp(20, 2_000), seed)
}

/// `first` and drawn fragments behind it, `count` in all, no two alike.
fn texts(grammar: &Grammar, first: Vec<String>, count: usize, length: usize, seed: u64) -> Vec<String> {
    let mut out: Vec<String> = first;
    let mut taken: BTreeSet<String> = out.iter().cloned().collect();
    let mut runs: BTreeSet<u128> = out.iter().flat_map(|text| word_runs(text)).collect();
    for number in out.len()..count {
        let draws = (0..DRAWS).map(|attempt| {
            let rng = &mut stream(seed, "fragment-text", number as u64, attempt);
            let opening = grammar.fill(pick(rng, &tables().fragments.frames), rng);
            fit(grammar, opening, length, rng)
        });
        let common = |text: &String| {
            let own = word_runs(text);
            1_000 * own.iter().filter(|run| runs.contains(run)).count() / own.len().max(1)
        };
        let mut text = draws.min_by_key(|text| (taken.contains(text), common(text))).unwrap_or_default();
        // Short fragments are few; what tells them apart is then a number.
        while taken.contains(&text) {
            text += &format!(" {number}");
        }
        runs.extend(word_runs(&text));
        taken.insert(text.clone());
        out.push(text);
    }
    out
}

/// Every three words in a row, hashed.
fn word_runs(text: &str) -> Vec<u128> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(3).map(|run| crate::ids::Digest::of(run.join(" ").as_bytes()).short()).collect()
}

/// `text` made about `length` characters long: sentences of the grammar behind it, cut at a word boundary.
fn fit(grammar: &Grammar, mut text: String, length: usize, rng: &mut ChaCha8Rng) -> String {
    let mut pool: Vec<&str> = Vec::new();
    let mut have = text.chars().count();
    while have < length {
        if pool.is_empty() {
            let campaigns = &tables().campaigns;
            pool.extend([&tables().fragments.frames, &campaigns.rules, &campaigns.forms].into_iter().flatten());
            pool.retain(|frame| !frame.is_empty());
            shuffle(rng, &mut pool);
        }
        let Some(frame) = pool.pop() else { break };
        let sentence = grammar.fill(frame, rng);
        if sentence.split_whitespace().any(|word| word.chars().count() > LONGEST_WORD) {
            continue;
        }
        have += 1 + sentence.chars().count();
        text += " ";
        text += &sentence;
    }
    let end = cut(&text, length, length);
    text.truncate(end);
    text
}

/// One campaign.
pub(super) struct FragmentCampaign {
    pub(super) fragment: String,
    accounts: std::ops::Range<usize>,
    requests: u64,
    lag: Lag,
}

impl FragmentCampaign {
    pub(super) fn new(
        seed: u64,
        number: u64,
        fragment: String,
        accounts: std::ops::Range<usize>,
        config: &FragmentConfig,
    ) -> Self {
        let lag = Lag::draw(&mut stream(seed, "fragment-campaign", number, 0));
        Self { fragment, accounts, requests: config.requests.into(), lag }
    }

    /// Plans the exchanges that have the fragment and takes them from the accounts' quotas.
    pub(super) fn waves(&self, campaign: u32, span: Span, left: &mut [u64], records: &mut Vec<Record>, seed: u64) {
        let todo = vec![self.requests; self.accounts.len()];
        let rng = &mut stream(seed, "fragment-waves", campaign.into(), 0);
        let what = |_| What::Fragment { campaign };
        campaign::spread(self.lag, self.accounts.start, todo, what, span, left, records, rng);
    }

    /// One request of `account`: new organic texts of its interests, and the fragment among them.
    pub(super) fn prompt(
        &self,
        config: &FragmentConfig,
        account: &Account,
        source: &Source<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Planted {
        let texts = &mut stream(below(rng, u32::MAX as usize) as u64, &account.name, 0, 0);
        let mut left = MOST_TEXTS;
        let mut organic = || -> Option<Cow<'_, str>> {
            left = left.checked_sub(1)?;
            let own = chance(texts, 0.8) && !account.interests.is_empty();
            let interest = if own { pick(texts, &account.interests) } else { source.interest(texts) };
            // Any rank: these are texts that nobody else sends, as far as there are so many.
            Some(source.text(interest, below(texts, source.size(interest).max(1) as usize) as u32))
        };
        plant(&self.fragment, &mut organic, config.share, &config.edits, rng)
    }
}

#[cfg(test)]
mod tests;
