//! What a plan file may say: the world, its campaigns, and a range for every number; innocent groups are in `benign`.
//!
//! A plan is TOML: one table `[world]`, a table `[[campaign]]` for each campaign and one `[[benign]]` for each group of innocent accounts that act alike.
//! Each has a `name`, which the truth uses, and a `kind`; every other key is a knob with a default, so that a plan says only what it is about. Weakness:
//! knobs that contradict each other (a fragment's share for a campaign without a fragment) are accepted and do nothing. Guarantee: an unknown key, an
//! unknown kind, a missing name and a number out of its range are errors that name the table.

use super::super::draw;
use super::super::edits::Edit;
use super::benign::{BenignKind, BenignPlan};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most bytes of a plan file that are read by whoever reads one.
pub const MOST_PLAN_BYTES: u64 = 1 << 20;

/// A world with what is planted into it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// The organic background.
    pub world: Background,
    /// The campaigns.
    #[serde(rename = "campaign")]
    pub campaigns: Vec<CampaignPlan>,
    /// The innocent groups.
    #[serde(rename = "benign")]
    pub groups: Vec<BenignPlan>,
}

/// The organic background: what everybody else does. What is planted comes on top of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Background {
    /// Exchanges of organic accounts, 1 to 4 billion (default 20,000).
    pub exchanges: u64,
    /// Organic accounts, at most as many (default 2,000).
    pub accounts: u32,
    /// Days, 1 to 3,660 (default 5).
    pub days: u32,
    /// Apps of the background, at most 10,000 (default 40).
    pub apps: u32,
    /// Share of the organic exchanges that copy a prompt that goes round or a class exercise, 0 to 0.5 (default 0.012).
    pub copies: f64,
    /// Share of the organic prompts that are drawn by popularity, 0 to 1 (default 0.4).
    pub repeats: f64,
}

impl Default for Background {
    fn default() -> Self {
        Self { exchanges: 20_000, accounts: 2_000, days: 5, apps: 40, copies: 0.012, repeats: 0.4 }
    }
}

/// What a campaign is, after those that providers have told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CampaignKind {
    /// C1: the expert's template, with slots. The fixed text comes first.
    Template,
    /// C2: one fixed instruction about reasoning, somewhere in organic prompts.
    Fragment,
    /// C3: the model grades answers by a fixed rubric.
    Rubric,
    /// C4: the model is to translate what it had in mind.
    Translation,
    /// C5: the instruction to think in the language of the request, in organic prompts.
    Language,
    /// C6: a work queue of whole tasks, new ones every day; with `set` those of a public data set, in its order.
    Queue,
    /// C7: every request tries another technique until `scale_day`; from then on all use the few that worked.
    Search,
    /// C8: a work queue whose accounts are mostly somebody's own.
    Hydra,
    /// C9: a work queue of two pools; the first is banned, the second takes over.
    Failover,
    /// C10: a work queue that moves to a new model when it is launched.
    Pivot,
    /// C11: requests of the operator's own users, sent on; what they share is the string of its harness.
    Rerouting,
    /// C12: nothing is sent; the operator buys transcripts of innocent accounts.
    Bought,
}

impl CampaignKind {
    /// Whether each request has a text of the campaign's around or before what it asks.
    #[must_use]
    pub fn has_fixed_text(self) -> bool {
        matches!(
            self,
            Self::Template | Self::Fragment | Self::Rubric | Self::Translation | Self::Language | Self::Search
        )
    }
}

/// When requests of a campaign are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hours {
    /// At any time of day.
    #[default]
    Always,
    /// Within nine hours, the same every day.
    Office,
}

/// Through which networks an account of a campaign comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// A rented address of another network with every request.
    #[default]
    Residential,
    /// One network for the whole campaign.
    Datacenter,
    /// The account's own, as everybody's.
    Own,
}

/// What the log says of the programs of a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// One program.
    #[default]
    Same,
    /// Each account its own.
    Own,
    /// Nothing.
    Stripped,
}

/// How a request is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Base 64.
    #[default]
    Base64,
    /// Two hexadecimal digits a byte.
    Hex,
    /// Each Latin letter thirteen on.
    Rot13,
}

/// Whose rewriting a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RewrittenBy {
    /// Every request is rewritten by itself.
    #[default]
    Request,
    /// Each account has wording of its own.
    Account,
}

/// A campaign: what it is, how strong, and how it evades. A rate is in requests of an account on a day; days are counted from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CampaignPlan {
    /// Its name in the truth: small letters, digits and hyphens, 1 to 40.
    pub name: String,
    /// What it is.
    pub kind: CampaignKind,
    /// Accounts, 1 to 1,000,000 (default 50). Of `bought`: innocent accounts whose transcripts are sold.
    pub accounts: u32,
    /// Requests of the campaign that an account sends on a day, 0.01 to 10,000 (default 5).
    pub rate: f64,
    /// How unlike the accounts' rates are: the standard deviation of their logarithm, 0 to 3 (default 0, all alike).
    pub uneven: f64,
    /// New tasks a day, each of them for several accounts; 0 for a task of its own with each request (default 20 of queues, 0 of
    /// campaigns with a fixed text). At most 1,000,000.
    pub tasks: Option<u32>,
    /// Name of a public data set of which the tasks are, in its order; a benign `benchmark` with the same set has the same (default none).
    pub set: Option<String>,
    /// The first and the last day (default all).
    pub days: Option<(u32, u32)>,
    /// Days over which the rate rises to its full height, evenly: a slow start (default 0). At most 3,660.
    pub ramp: u32,
    /// Factor by which the active accounts grow from day to day, up to all of them on the last, 1 to 100 (default 1, all at once).
    pub growth: f64,
    /// Copies of a task are sent within so many minutes; 0 for any time (default 0). At most 1,440.
    pub together: f64,
    /// When it sends (default always).
    pub hours: Hours,

    /// Share of an account's requests that are somebody's own, 0 to 0.99 (default 0.5; of `hydra` 0.9; of `rerouting` 0).
    pub mix: Option<f64>,
    /// Popular prompts that each account sends on a day to look like others, 0 to 1,000 (default 0).
    pub camouflage: f64,
    /// Test questions with known answers that each account sends on a day, 0 to 100 (default 0).
    pub canaries: f64,
    /// The fixed text in place of the kind's own, at most 10,000 bytes.
    pub text: Option<String>,
    /// Characters of a drawn fixed text, 20 to 2,000 (default none: published wording for the first campaign of a kind, else 120).
    pub length: Option<u32>,
    /// Share of a request's characters that the fixed text has, 0.02 to 0.9 (default 0.5 of a template, 0.4 of a rubric, else 0.2).
    pub share: Option<f64>,
    /// Share of the requests in which the fixed text is in another language, 0 to 1 (default 0; a stand-in where there is no translation).
    pub translated: f64,
    /// The day from which a technique search uses what worked (default the middle of its days).
    pub scale_day: Option<u32>,

    /// Parts of the queue: each has accounts and tasks of its own, 1 to 1,000 (default 1).
    pub shards: u32,
    /// Roles, 1 to 6: each puts its own words before a task (default 1, none).
    pub roles: u32,
    /// Interests from which the tasks come; 0 for all (default 0). At most 1,000.
    pub subjects: u32,
    /// Share of the requests with a text of their own that are about what the account is interested in, as people's are, 0 to 1 (default 0: a
    /// dispatcher deals them).
    pub own_subjects: f64,
    /// Whether the requests that are sent on have the harness's system prompt (default yes).
    pub harness: bool,
    /// Share of the requests that are rewritten until nothing is left of the task, 0 to 1 (default 0).
    pub loss: f64,
    /// Rounds of rewriting by rule (words, order, names), 0 to 3 (default 0).
    pub rounds: u32,
    /// Whose rewriting that is (default each request's).
    pub rewritten_by: RewrittenBy,
    /// Small edits, by their words in the truth (default typo, case-space, boiler, synonym).
    pub edits: Vec<Edit>,
    /// Share of the requests that have one, 0 to 1 (default 0.3).
    pub edited: f64,
    /// How strong an edit is, 0.01 to 1 (default 0.2).
    pub strength: f64,
    /// Times its own length of innocent text around a request, 0 to 20 (default 0).
    pub padding: f64,
    /// Share of the requests that are encoded, 0 to 1 (default 0).
    pub encoded: f64,
    /// How (default base64).
    pub encoding: Encoding,
    /// Messages into which a request is cut, 1 to 10 (default 1).
    pub chunks: u32,
    /// The benign app whose template it imitates, by name (default none).
    pub imitates: Option<String>,

    /// Pools of accounts that follow each other, 1 to 100 (default 1; of `failover` 2).
    pub pools: Option<u32>,
    /// Days after which a pool is banned, 1 to 3,660 (default 3).
    pub ban_after: u32,
    /// Days without requests between two pools, 0 to 365 (default 0).
    pub lag: u32,
    /// Share of the last day's tasks that a new pool does again, 0 to 1 (default 0.5).
    pub carry: f64,
    /// The day of the launch of a new model to which it moves within a day (default none; of `pivot` the middle of its days).
    pub pivot_day: Option<u32>,
    /// Means of payment that its accounts share; 0 for one each (default 3). At most 1,000,000.
    pub payments: u32,
    /// Its networks (default residential).
    pub network: Network,
    /// Its programs (default the same).
    pub client: Client,
    /// Days within which its accounts were registered; 0 for any time, as everybody's (default 14). At most 730.
    pub registered_within: u32,
    /// Innocent accounts that somebody makes send its tasks, at most 100,000 (default 0).
    pub framed: u32,
    /// How many tasks each of them is made to send, on one day, 1 to 1,000 (default 5).
    pub framed_tasks: u32,
}

impl Default for CampaignPlan {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: CampaignKind::Queue,
            accounts: 50,
            rate: 5.0,
            uneven: 0.0,
            tasks: None,
            set: None,
            days: None,
            ramp: 0,
            growth: 1.0,
            together: 0.0,
            hours: Hours::Always,
            mix: None,
            camouflage: 0.0,
            canaries: 0.0,
            text: None,
            length: None,
            share: None,
            translated: 0.0,
            scale_day: None,
            shards: 1,
            roles: 1,
            subjects: 0,
            own_subjects: 0.0,
            harness: true,
            loss: 0.0,
            rounds: 0,
            rewritten_by: RewrittenBy::Request,
            edits: vec![Edit::Typo, Edit::CaseSpace, Edit::Boiler, Edit::Synonym],
            edited: 0.3,
            strength: 0.2,
            padding: 0.0,
            encoded: 0.0,
            encoding: Encoding::Base64,
            chunks: 1,
            imitates: None,
            pools: None,
            ban_after: 3,
            lag: 0,
            carry: 0.5,
            pivot_day: None,
            payments: 3,
            network: Network::Residential,
            client: Client::Same,
            registered_within: 14,
            framed: 0,
            framed_tasks: 5,
        }
    }
}

impl CampaignPlan {
    /// New tasks a day; 0 where each request has its own.
    #[must_use]
    pub fn tasks(&self) -> u32 {
        let shared =
            !self.kind.has_fixed_text() && !matches!(self.kind, CampaignKind::Rerouting | CampaignKind::Bought);
        self.tasks.unwrap_or(if shared { 20 } else { 0 })
    }

    /// Share of an account's requests that are somebody's own.
    #[must_use]
    pub fn mix(&self) -> f64 {
        self.mix.unwrap_or(match self.kind {
            CampaignKind::Hydra => 0.9,
            CampaignKind::Rerouting => 0.0,
            _ => 0.5,
        })
    }

    /// Share of a request's characters that its fixed text has.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.share.unwrap_or(match self.kind {
            CampaignKind::Template => 0.5,
            CampaignKind::Rubric => 0.4,
            _ => 0.2,
        })
    }

    /// Pools of accounts.
    #[must_use]
    pub fn pools(&self) -> u32 {
        self.pools.unwrap_or(if self.kind == CampaignKind::Failover { 2 } else { 1 })
    }

    /// Its first and last day in a world of so many days, counted from 0.
    pub(in crate::simulate) fn span(&self, days: u32) -> (u32, u32) {
        let (first, last) = self.days.unwrap_or((1, days));
        (first.max(1) - 1, last.min(days).max(1) - 1)
    }

    fn middle(&self, days: u32) -> u32 {
        let (first, last) = self.span(days);
        first + (last - first).div_ceil(2)
    }

    /// The day of its move to a new model, counted from 0.
    pub(in crate::simulate) fn pivot(&self, days: u32) -> Option<u32> {
        let middle = (self.kind == CampaignKind::Pivot).then(|| self.middle(days));
        self.pivot_day.map(|day| day - 1).or(middle)
    }

    /// The day from which a search has found what works, counted from 0.
    pub(in crate::simulate) fn scales(&self, days: u32) -> u32 {
        self.scale_day.map_or_else(|| self.middle(days), |day| day - 1)
    }

    fn check(&self, days: u32) -> Result<()> {
        let name = self.name.as_str();
        let at = |what: &str, got: f64, least: f64, most: f64| within(("campaign", name), what, got, least, most);
        name_is_plain("campaign", name)?;
        at("accounts", self.accounts.into(), 1.0, 1e6)?;
        at("rate", self.rate, 0.01, 1e4)?;
        at("uneven", self.uneven, 0.0, 3.0)?;
        at("tasks", self.tasks().into(), 0.0, 1e6)?;
        at("ramp", self.ramp.into(), 0.0, 3_660.0)?;
        at("growth", self.growth, 1.0, 100.0)?;
        at("together", self.together, 0.0, 1_440.0)?;
        at("mix", self.mix(), 0.0, 0.99)?;
        at("camouflage", self.camouflage, 0.0, 1e3)?;
        at("canaries", self.canaries, 0.0, 100.0)?;
        at("length", self.length.unwrap_or(120).into(), 20.0, 2e3)?;
        at("share", self.share(), 0.02, 0.9)?;
        at("translated", self.translated, 0.0, 1.0)?;
        at("shards", self.shards.into(), 1.0, 1e3)?;
        at("roles", self.roles.into(), 1.0, 6.0)?;
        at("subjects", self.subjects.into(), 0.0, 1e3)?;
        at("own_subjects", self.own_subjects, 0.0, 1.0)?;
        at("loss", self.loss, 0.0, 1.0)?;
        at("rounds", self.rounds.into(), 0.0, 3.0)?;
        at("edited", self.edited, 0.0, 1.0)?;
        at("strength", self.strength, 0.01, 1.0)?;
        at("padding", self.padding, 0.0, 20.0)?;
        at("encoded", self.encoded, 0.0, 1.0)?;
        at("chunks", self.chunks.into(), 1.0, 10.0)?;
        at("pools", self.pools().into(), 1.0, 100.0)?;
        at("ban_after", self.ban_after.into(), 1.0, 3_660.0)?;
        at("lag", self.lag.into(), 0.0, 365.0)?;
        at("carry", self.carry, 0.0, 1.0)?;
        at("payments", self.payments.into(), 0.0, 1e6)?;
        at("registered_within", self.registered_within.into(), 0.0, 730.0)?;
        at("framed", self.framed.into(), 0.0, 1e5)?;
        at("framed_tasks", self.framed_tasks.into(), 1.0, 1e3)?;
        at("bytes of its text", self.text.as_ref().map_or(1, String::len) as f64, 1.0, 1e4)?;
        at("edits", self.edits.len() as f64, if self.edited > 0.0 { 1.0 } else { 0.0 }, 11.0)?;
        let texts = f64::from(days) * f64::from(self.shards) * f64::from(self.tasks());
        at("tasks of all days and shards", texts, 0.0, 4e9)?;
        for day in [self.scale_day, self.pivot_day].into_iter().flatten() {
            at("a day", day.into(), 1.0, days.into())?;
        }
        days_are_in(("campaign", name), self.days, days)
    }
}

impl Plan {
    /// Reads a plan file.
    /// # Errors
    /// `Config` when it is no TOML, and for an unknown key or kind, a missing name, and a number out of its range.
    /// # Example
    /// ```
    /// use stillhunt::simulate::Plan;
    /// let plan = Plan::from_toml("[[campaign]]\nname = 'night-shift'\nkind = 'hydra'\naccounts = 20").unwrap();
    /// assert_eq!((plan.campaigns[0].mix(), plan.world.days), (0.9, 5));
    /// assert!(Plan::from_toml("[[campaign]]\nname = 'x'\nkind = 'ghost'").is_err());
    /// ```
    pub fn from_toml(text: &str) -> Result<Self> {
        let wrong = |cause: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Config, format!("cannot read the plan: {}", cause.to_string().trim_end()))
        };
        let table: toml::Table = toml::from_str(text).map_err(|cause| wrong(&cause))?;
        for part in ["campaign", "benign"] {
            let tables = table.get(part).and_then(toml::Value::as_array).into_iter().flatten();
            for (number, own) in (1..).zip(tables) {
                for key in ["name", "kind"] {
                    if own.get(key).is_none() {
                        return Err(wrong(&format!("expected a {key} in the {part} number {number}, got none")));
                    }
                }
            }
        }
        let plan: Self = toml::from_str(text).map_err(|cause| wrong(&cause))?;
        plan.check()?;
        Ok(plan)
    }

    /// Refuses what is out of range or contradicts itself.
    pub(in crate::simulate) fn check(&self) -> Result<()> {
        let days = self.world.days;
        within(("world", ""), "apps", self.world.apps.into(), 0.0, 1e4)?;
        within(("world", ""), "days", days.into(), 1.0, 3_660.0)?;
        let mut names = BTreeSet::new();
        for name in self.campaigns.iter().map(|own| &own.name).chain(self.groups.iter().map(|own| &own.name)) {
            if !names.insert(name) {
                let message = format!("expected each name once in the plan, got {name:?} twice");
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        self.groups.iter().try_for_each(|own| own.check(days))?;
        for own in &self.campaigns {
            own.check(days)?;
            if let Some(app) = &own.imitates
                && !self.groups.iter().any(|group| group.kind == BenignKind::App && group.name == *app)
            {
                let message =
                    format!("expected campaign {} to imitate a benign app of the plan, got {app:?}", own.name);
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        Ok(())
    }
}

pub(super) fn within((table, name): (&str, &str), what: &str, got: f64, least: f64, most: f64) -> Result<()> {
    if got >= least && got <= most {
        return Ok(());
    }
    let of = if name.is_empty() { table.to_owned() } else { format!("{table} {name}") };
    let message = format!("expected {what} of {of} between {least} and {most}, got {got}");
    Err(Error::new(ErrorKind::Config, message))
}

pub(super) fn name_is_plain(table: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=40).contains(&name.len()) && name.chars().all(plain) {
        return Ok(());
    }
    let shown: String = name.chars().take(60).collect();
    let message = format!("expected a name of 1 to 40 small letters, digits and hyphens in {table}, got {shown:?}");
    Err(Error::new(ErrorKind::Config, message))
}

pub(super) fn days_are_in((table, name): (&str, &str), own: Option<(u32, u32)>, days: u32) -> Result<()> {
    match own {
        Some((first, last)) if !(1..=days).contains(&first) || last < first => {
            let message = format!("expected days of {table} {name} from 1 to {days} in order, got {first} to {last}");
            Err(Error::new(ErrorKind::Config, message))
        }
        _ => Ok(()),
    }
}

/// How often something of this mean happens: whole, and the rest by chance.
pub(super) fn often(mean: f64, rng: &mut rand_chacha::ChaCha8Rng) -> u32 {
    mean.trunc() as u32 + u32::from(draw::chance(rng, mean.fract()))
}
