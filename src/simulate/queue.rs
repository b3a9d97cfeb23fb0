//! Work-queue campaigns: new tasks every day, each of which many accounts of a pool send.
//!
//! The harvest that leaves no template: a dispatcher has a list of ordinary tasks for each day and hands every one of them to a share of its
//! accounts, now and then with a small edit, at any time of the day. The accounts send innocent prompts as well. By text each task is a family of
//! its own that nobody used before. Such a campaign's number follows those of the fragment campaigns. Weakness: every account is as busy as the
//! others, and tasks never come back. Guarantee: without work-queue campaigns a world is what it was before there were any.

use super::draw::{below, between, chance, log_normal, pick, stream};
use super::edits::{self, Edit};
use super::record::{DAY, Record, Span, What};
use super::source::Source;
use crate::error::{Error, ErrorKind, Result};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Characters of a task, at least, as far as a few draws find one.
const LEAST: usize = 90;
/// Share of the copies that are edited.
const EDITED: f64 = 0.3;
/// What is done to them.
const EDITS: [Edit; 4] = [Edit::Typo, Edit::CaseSpace, Edit::Boiler, Edit::Synonym];

/// The work-queue campaigns of a world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueConfig {
    /// How many campaigns, at most 10,000 (default 0).
    pub campaigns: u32,
    /// Accounts of each, 1 to 100,000 (default 40).
    pub accounts: u32,
    /// New tasks a day, 1 to 10,000 (default 12).
    pub tasks: u32,
    /// Chance that an account sends a task, in (0, 1] (default 0.3).
    pub share: f64,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { campaigns: 0, accounts: 40, tasks: 12, share: 0.3 }
    }
}

impl QueueConfig {
    /// Refuses what is out of range, whether or not there are campaigns.
    pub(super) fn check(&self) -> Result<()> {
        let ranges = [
            ("queue campaigns", self.campaigns, 0, 10_000),
            ("queue accounts", self.accounts, 1, 100_000),
            ("queue tasks", self.tasks, 1, 10_000),
        ];
        for (name, got, least, most) in ranges {
            if !(least..=most).contains(&got) {
                let message = format!("expected between {least} and {most} {name}, got {got}");
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        if self.share > 0.0 && self.share <= 1.0 {
            return Ok(());
        }
        let message = format!("expected a queue share above 0 and at most 1, got {}", self.share);
        Err(Error::new(ErrorKind::Config, message))
    }

    /// What each account of a campaign sends: items, by day.
    fn items(&self, seed: u64, campaign: u32, days: u32) -> Vec<Vec<u32>> {
        let rng = &mut stream(seed, "queue", campaign.into(), 0);
        let all = 0..days * self.tasks;
        (0..self.accounts).map(|_| all.clone().filter(|_| chance(rng, self.share)).collect()).collect()
    }

    /// How many exchanges each account sends, campaign by campaign: its tasks and its innocent ones.
    pub(super) fn quotas(&self, seed: u64, days: u32) -> Vec<u64> {
        let mut quotas = Vec::new();
        for campaign in 0..self.campaigns {
            let rng = &mut stream(seed, "queue-quotas", campaign.into(), 0);
            let dilution = between(rng, 0.3, 0.7);
            for items in self.items(seed, campaign, days) {
                let innocent = (items.len() as f64 * dilution / (1.0 - dilution)).max(1.0);
                quotas.push(items.len() as u64 + log_normal(rng, innocent, 0.4).round().max(1.0) as u64);
            }
        }
        quotas
    }
}

/// One campaign.
pub(super) struct QueueCampaign {
    accounts: std::ops::Range<usize>,
}

impl QueueCampaign {
    pub(super) fn new(accounts: std::ops::Range<usize>) -> Self {
        Self { accounts }
    }

    /// Plans its tasks and takes them from the accounts' quotas.
    pub(super) fn plan(
        &self,
        campaign: u32,
        config: &QueueConfig,
        (seed, days, span): (u64, u32, Span),
        left: &mut [u64],
        records: &mut Vec<Record>,
    ) {
        let rng = &mut stream(seed, "queue-times", campaign.into(), 0);
        for (account, items) in self.accounts.clone().zip(config.items(seed, campaign, days)) {
            left[account] -= items.len() as u64;
            for item in items {
                let time = span.start + i64::from(item / config.tasks) * DAY + below(rng, DAY as usize) as i64;
                let what = What::Queue { campaign, item };
                records.push(Record { time, account: account as u32, conversation: 0, what });
            }
        }
    }
}

/// The text of one copy of a task, and the edit that changed it.
pub(super) fn copy(
    seed: u64,
    (campaign, item): (u32, u32),
    source: &Source<'_>,
    rng: &mut ChaCha8Rng,
) -> (String, &'static str) {
    let of_item = &mut stream(seed, "queue-item", campaign.into(), item.into());
    let text = source.whole(of_item, LEAST).into_owned();
    if chance(rng, EDITED) {
        let kind = pick(rng, &EDITS);
        if let Some(changed) = edits::apply(kind, &text, 0.2, "", rng) {
            return (changed, kind.word());
        }
    }
    (text, "none")
}
