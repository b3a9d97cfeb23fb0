//! What a plan file may say of innocent groups: whoever acts alike for a reason that is no campaign's.
//!
//! Customers of an app, a class, a prompt that goes round: each kind is a way in which accounts come to share text without harm, and the benchmark
//! counts how often such a group is taken for a ring. Weakness: what a group does is the same from day to day. Guarantee: as of the other tables, what is
//! unknown or out of its range is an error that names the group.

use super::knobs::{days_are_in, name_is_plain, within};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// What an innocent group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BenignKind {
    /// Customers of an app, which puts its words around theirs.
    App,
    /// A prompt that goes round.
    Viral,
    /// People who try a public set of tasks on the model, in its order.
    Benchmark,
    /// A class that is given exercises.
    Class,
    /// Programs that ask the same on a schedule.
    Ci,
    /// Keys behind each of which many people stand.
    Gateway,
    /// An office that spreads its work over several keys.
    Agency,
    /// Programs that send a request again and again when the service is slow.
    Retry,
    /// People who ask in their own words about the same piece of news, which they quote.
    News,
}

impl BenignKind {
    /// The kind under which its texts are registered.
    #[must_use]
    pub fn registry(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Benchmark => "benchmark",
            Self::Class => "course",
            Self::Gateway => "gateway",
            Self::Ci | Self::Retry | Self::Agency => "sdk",
            Self::Viral | Self::News => "published",
        }
    }

    /// Whether it has accounts of its own; the others' accounts are organic ones, which do this besides.
    #[must_use]
    pub fn has_own_accounts(self) -> bool {
        matches!(self, Self::Ci | Self::Gateway | Self::Agency)
    }
}

/// An innocent group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BenignPlan {
    /// Its name in the truth: small letters, digits and hyphens, 1 to 40.
    pub name: String,
    /// What it is.
    pub kind: BenignKind,
    /// Accounts, 1 to 1,000,000 (default 30); of kinds without accounts of their own at most the organic people.
    pub accounts: u32,
    /// What an account sends on a day, 0.01 to 10,000 (default 2). Of `viral`, `class`, `news`: the chance that it takes part, up to 1 (default 0.9);
    /// of `ci` default 24.
    pub rate: Option<f64>,
    /// Texts: templates of an app, prompts that go round, exercises on each day, checks of a program, briefs of an agency on each day,
    /// stories a day; 1 to 10,000 (default 1; of `benchmark` 50 items, of `agency` 10).
    pub texts: Option<u32>,
    /// How unlike the accounts are in how much they ask: the standard deviation of the logarithm, 0 to 3 (default 1, as people are). Of `app`, `gateway`,
    /// `agency` and `retry`.
    pub uneven: f64,
    /// Share of what the customers of an app put into it that is about their own interests, 0 to 1 (default 0.7); the rest is what the app is for.
    pub own_subjects: f64,
    /// New templates of an app on each day after the first, 0 to 1,000 (default 0).
    pub releases: u32,
    /// Name of the public set of a `benchmark` (default its own name).
    pub set: Option<String>,
    /// The first and the last day (default all; of `viral` one day in the middle).
    pub days: Option<(u32, u32)>,
    /// Hours within which a class or a prompt that goes round happens, 0.1 to 24 (default 2).
    pub window: f64,
    /// People behind each key of a gateway, 1 to 1,000,000 (default 200).
    pub users: u32,
    /// Whether somebody has registered its texts (default no): they are written to `registry-KIND.jsonl`.
    pub registered: bool,
}

impl Default for BenignPlan {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: BenignKind::App,
            accounts: 30,
            rate: None,
            texts: None,
            uneven: 1.0,
            own_subjects: 0.7,
            releases: 0,
            set: None,
            days: None,
            window: 2.0,
            users: 200,
            registered: false,
        }
    }
}

impl BenignPlan {
    /// What an account sends on a day, or the chance that it takes part.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate.unwrap_or(match self.kind {
            BenignKind::Viral | BenignKind::Class | BenignKind::News => 0.9,
            BenignKind::Ci => 24.0,
            BenignKind::Gateway => 100.0,
            BenignKind::Agency => 6.0,
            BenignKind::Benchmark => 25.0,
            _ => 2.0,
        })
    }

    /// How many texts it has.
    #[must_use]
    pub fn texts(&self) -> u32 {
        self.texts.unwrap_or(match self.kind {
            BenignKind::Benchmark => 50,
            BenignKind::Agency => 10,
            _ => 1,
        })
    }

    /// Its first and last day in a world of so many days, counted from 0.
    pub(in crate::simulate) fn span(&self, days: u32) -> (u32, u32) {
        let middle = days.div_ceil(2);
        let all = if self.kind == BenignKind::Viral { (middle, middle) } else { (1, days) };
        let (first, last) = self.days.unwrap_or(all);
        (first.max(1) - 1, last.min(days).max(1) - 1)
    }

    pub(super) fn check(&self, days: u32) -> Result<()> {
        let name = self.name.as_str();
        let at = |what: &str, got: f64, least: f64, most: f64| within(("benign", name), what, got, least, most);
        name_is_plain("benign", name)?;
        let is_chance = matches!(self.kind, BenignKind::Viral | BenignKind::Class | BenignKind::News);
        at("accounts", self.accounts.into(), 1.0, 1e6)?;
        at("rate", self.rate(), 0.01, if is_chance { 1.0 } else { 1e4 })?;
        at("texts", self.texts().into(), 1.0, 1e4)?;
        at("uneven", self.uneven, 0.0, 3.0)?;
        at("own_subjects", self.own_subjects, 0.0, 1.0)?;
        at("releases", self.releases.into(), 0.0, 1e3)?;
        at("window", self.window, 0.1, 24.0)?;
        at("users", self.users.into(), 1.0, 1e6)?;
        let texts = f64::from(days) * f64::from(self.texts().max(self.releases));
        at("texts of all days", texts, 0.0, if self.kind == BenignKind::App { 1e6 } else { 4e9 })?;
        days_are_in(("benign", name), self.days, days)
    }
}
