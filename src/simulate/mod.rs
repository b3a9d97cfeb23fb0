//! A seeded log with its truth: organic accounts with interests, apps that share templates, innocent copying, campaigns.
//!
//! Nobody may publish a provider's log, so this draws one whose numbers lie where open traces put them: heavy-tailed
//! rates, sessions, day and night, bursts of programs, stock phrases, one template behind many accounts, a prompt that goes
//! round for an hour. Into it come campaigns of a few accounts each, which hide their prompts among innocent ones and edit
//! them, and, where they are asked for, campaigns that put one fragment into many different requests. The truth file says of each exchange which account class sent it and which campaign, seed and edit are behind it.
//! What else is to be planted, and how it evades, a plan says ([`Plan`]): the worlds of the benchmark of rings.
//! Prompts come from grammars written for this project (`data/grammar`) or from any texts that the user gives.
//!
//! Weakness: a grammar repeats itself more than people do, responses are about nothing, and whoever tunes a threshold on a
//! simulated log has tuned it on the simulator. Guarantees: the same config and texts give the same bytes; ids are
//! opaque (no class, campaign or order shows in them); the truth has exactly one row for each exchange, in the log's order;
//! the log is in time order. What is not drawn: accounts that come and go, images, tool calls.

mod accounts;
mod campaign;
mod draw;
mod edits;
mod fragment;
mod grammar;
mod plan;
mod planned;
mod plant;
mod queue;
mod record;
mod source;
mod texts;
mod write;

#[cfg(test)]
mod tests;

pub use edits::Edit;
pub use fragment::{FragmentConfig, fragment_text, fragment_texts};
pub use grammar::{PublishedFragment, published_fragments};
pub use planned::{
    Background, BenignKind, BenignPlan, CampaignKind, CampaignPlan, Client, Encoding, Hours, MOST_PLAN_BYTES, Network,
    Plan, RewrittenBy,
};
pub use plant::{FragmentEdit, Place, Planted, with_fragment};
pub use queue::QueueConfig;
pub use texts::{TextForm, texts_from_lines, texts_from_parquet};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, Time};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::io::Write;

/// What to draw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SimulateConfig {
    /// Names the world; another seed gives another one.
    pub seed: u64,
    /// How many exchanges, exactly (default 20,000).
    pub exchanges: u64,
    /// How many accounts, those of campaigns included (default one for ten exchanges).
    pub accounts: u32,
    /// How many days, which is how many nights' logs (default 3).
    pub days: u32,
    /// When the first day starts (default 2025-03-03T00:00:00Z, a Monday).
    pub start: Time,
    /// How many campaigns (default one for 3,500 exchanges, at least 3).
    pub campaigns: u32,
    /// Fewest and most accounts of a campaign; the median is 5 (default 3 and 40).
    pub campaign_accounts: (u32, u32),
    /// Accounts of the first campaign, which is the large one; 0 for none (default 60).
    pub large_campaign: u32,
    /// Share of all exchanges that campaigns' accounts send, innocent ones included (default 0.06).
    pub campaign_share: f64,
    /// How many apps have a template (default 40).
    pub apps: u32,
    /// Share of all exchanges that copy a trending prompt or a class exercise (default 0.012).
    pub copies: f64,
    /// Share of the other organic prompts that are drawn by popularity, so that they come again (default 0.4, which makes
    /// about 30% of all prompts repeat an earlier one).
    pub repeats: f64,
    /// Campaigns that put one fragment into many otherwise different requests (default none).
    pub fragments: FragmentConfig,
    /// Campaigns that hand new tasks to many accounts every day (default none).
    pub queues: QueueConfig,
    /// What else is planted (default nothing). Its `world` says nothing here: the numbers above hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

impl SimulateConfig {
    /// The defaults for a log of this size.
    ///
    /// # Example
    /// ```
    /// use stillhunt::simulate::{SimulateConfig, Texts, simulate};
    /// let config = SimulateConfig::sized(7, 2_000);
    /// let (mut log, mut truth) = (Vec::new(), Vec::new());
    /// let summary = simulate(&config, &Texts::Grammar, &mut log, &mut truth).unwrap();
    /// assert_eq!(summary.exchanges, 2_000);
    /// assert_eq!(log.iter().filter(|&&byte| byte == b'\n').count(), 2_000);
    /// ```
    #[must_use]
    pub fn sized(seed: u64, exchanges: u64) -> Self {
        let accounts = u32::try_from(exchanges / 10).unwrap_or(u32::MAX).max(1);
        let large_campaign = (accounts / 20).min(60);
        Self {
            seed,
            exchanges,
            accounts,
            days: 3,
            start: Time::new(1_740_960_000_000_000).expect("a moment in 2025 is in range"),
            campaigns: if accounts < 100 { 0 } else { u32::try_from(exchanges / 3_500).unwrap_or(100).clamp(3, 100) },
            campaign_accounts: (3, 40),
            large_campaign,
            campaign_share: 0.06,
            apps: 40,
            copies: 0.012,
            repeats: 0.4,
            fragments: FragmentConfig::default(),
            queues: QueueConfig::default(),
            plan: None,
        }
    }

    /// A world as a plan asks for it: its background, and what it plants.
    #[must_use]
    pub fn planned(seed: u64, plan: Plan) -> Self {
        let Background { exchanges, accounts, days, apps, copies, repeats } = plan.world;
        let none = Self { campaigns: 0, large_campaign: 0, ..Self::sized(seed, exchanges) };
        Self { accounts, days, apps, copies, repeats, plan: Some(plan), ..none }
    }
}

/// The words of the world.
pub enum Texts {
    /// The project's own grammars.
    Grammar,
    /// Texts that the user gives: prompts, slot fillings and campaign seeds are drawn from them.
    Given(Vec<GivenText>),
}

/// One text that the user gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenText {
    /// The text.
    pub text: String,
    /// The interest it belongs to (an intent, a forum, a task); empty for none.
    pub group: String,
    /// What kind of text it is (chat, code, template …); empty for none.
    pub kind: String,
}

/// What was drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Exchanges written.
    pub exchanges: u64,
    /// Accounts that sent at least once.
    pub accounts: u64,
    /// Exchanges by the class of their account.
    pub by_class: BTreeMap<String, u64>,
    /// Exchanges of each campaign (without the innocent ones of its accounts), by its name in the truth.
    pub by_campaign: BTreeMap<String, u64>,
    /// Exchanges of each innocent group of a plan, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_group: BTreeMap<String, u64>,
    /// Exchanges by edit, as the truth names it; unedited organic ones are not in here.
    pub by_edit: BTreeMap<String, u64>,
    /// Distinct prompts, byte for byte.
    pub distinct_prompts: u64,
    /// Bytes of log written.
    pub log_bytes: u64,
    #[serde(skip)]
    seen: Seen,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    prompts: HashSet<u128>,
    accounts: HashSet<u32>,
}

impl Summary {
    fn count(
        &mut self,
        record: &record::Record,
        account: &accounts::Account,
        asked: &planned::Asked<'_>,
        bytes: usize,
    ) {
        self.exchanges += 1;
        *self.by_class.entry(account.class.word().to_owned()).or_default() += 1;
        for (counts, name) in [
            (&mut self.by_campaign, &asked.campaign),
            (&mut self.by_group, &asked.group),
            (&mut self.by_edit, &asked.edit),
        ] {
            if !name.is_empty() {
                *counts.entry(name.clone()).or_default() += 1;
            }
        }
        self.seen.prompts.insert(Digest::of(asked.prompt.as_bytes()).short());
        self.seen.accounts.insert(record.account);
        self.distinct_prompts = self.seen.prompts.len() as u64;
        self.accounts = self.seen.accounts.len() as u64;
        self.log_bytes += bytes as u64;
    }
}

/// A planned world: everything is drawn but the texts, which are made as the nights are written.
pub struct World<'a> {
    config: SimulateConfig,
    source: source::Source<'a>,
    accounts: Vec<accounts::Account>,
    apps: Vec<write::App>,
    campaigns: Vec<campaign::Campaign>,
    fragments: Vec<fragment::FragmentCampaign>,
    planned: Option<planned::Planned>,
    events: Vec<plan::Event>,
    records: Vec<record::Record>,
    /// Where each night begins among the records; one more than there are nights.
    nights: Vec<usize>,
}

impl<'a> World<'a> {
    /// Draws a world.
    /// # Errors
    /// `Config` when the numbers contradict each other (more accounts than exchanges, say), `Input` when no text is given.
    pub fn new(config: &SimulateConfig, texts: &'a Texts) -> Result<Self> {
        check(config, texts)?;
        let source = source::Source::new(config.seed, texts);
        let sizes = accounts::campaign_sizes(config);
        let (campaign_accounts, quotas) = room(config, &sizes)?;
        let mut accounts = accounts::accounts(config, &source, &sizes, &quotas);
        let mut next = (config.accounts - campaign_accounts) as usize;
        let mut members = |number: u64, size: u32| {
            let members = next..next + size as usize;
            accounts::equip(&mut accounts[members.clone()], config.seed, number);
            next = members.end;
            members
        };
        let mut campaigns = Vec::new();
        for (number, size) in (0..).zip(sizes) {
            campaigns.push(campaign::Campaign::new(config.seed, number, members(number, size), &source));
        }
        let mut fragments = Vec::new();
        for (number, fragment) in (0..).zip(config.fragments.texts(&source.grammar, config.seed)) {
            let members = members(u64::from(config.campaigns) + number, config.fragments.accounts);
            let campaign = fragment::FragmentCampaign::new(config.seed, number, fragment, members, &config.fragments);
            fragments.push(campaign);
        }
        let queues: Vec<queue::QueueCampaign> = (0..config.queues.campaigns)
            .map(|number| {
                let before = config.campaigns + config.fragments.campaigns;
                queue::QueueCampaign::new(members(u64::from(before + number), config.queues.accounts))
            })
            .collect();
        let apps = (0..config.apps).map(|number| write::App::new(config.seed, number, &source)).collect();
        let planned = config.plan.as_ref();
        let planned = planned.map(|plan| planned::Planned::new(config, plan, &source, &mut accounts)).transpose()?;
        let of_config = (&campaigns[..], &fragments[..], &queues[..]);
        let (records, events) = plan::plan(config, &source, &accounts, of_config, planned.as_ref());
        let start = config.start.micros();
        let nights = (0..=i64::from(config.days))
            .map(|day| records.partition_point(|record| record.time < start + day * record::DAY))
            .collect();
        let config = config.clone();
        Ok(Self { config, source, accounts, apps, campaigns, fragments, planned, events, records, nights })
    }

    /// How many nights' logs it has.
    #[must_use]
    pub fn nights(&self) -> u32 {
        self.config.days
    }

    /// How many exchanges one night has; 0 for a night that is not there.
    #[must_use]
    pub fn night_len(&self, night: u32) -> usize {
        let at = |night: usize| self.nights.get(night).copied();
        at(night as usize).zip(at(night as usize + 1)).map_or(0, |(start, end)| end - start)
    }

    /// The fragment campaigns: each one's name in the truth, and its fragment as it is before any edit.
    pub fn fragments(&self) -> impl Iterator<Item = (String, &str)> {
        (self.campaigns.len()..)
            .zip(&self.fragments)
            .map(|(number, campaign)| (format!("campaign-{number}"), campaign.fragment.as_str()))
    }

    /// Writes [`Self::fragments`] as CSV with the columns campaign and fragment.
    /// # Errors
    /// `Io` when it cannot be written.
    pub fn write_fragments(&self, out: &mut dyn Write) -> Result<()> {
        let failed =
            |cause: &dyn std::fmt::Display| Error::new(ErrorKind::Io, format!("cannot write the fragments: {cause}"));
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(["campaign", "fragment"]).map_err(|cause| failed(&cause))?;
        for (name, fragment) in self.fragments() {
            rows.write_record([name.as_str(), fragment]).map_err(|cause| failed(&cause))?;
        }
        rows.flush().map_err(|cause| failed(&cause))
    }

    /// Writes the header of the truth; once, before the first night.
    /// # Errors
    /// `Io` when it cannot be written.
    pub fn write_truth_header(&self, truth: &mut dyn Write) -> Result<()> {
        if self.planned.is_some() { write::planned_header(truth) } else { write::header(truth) }
    }

    /// Writes the truth by account as CSV with the columns account, class, campaigns, groups and framed_by (names with `;` between them), one row an
    /// account that the world has. Only a world with a plan has anything to say here.
    /// # Errors
    /// `Io` when it cannot be written.
    pub fn write_accounts(&self, out: &mut dyn Write) -> Result<()> {
        let failed = |cause: std::io::Error| Error::new(ErrorKind::Io, format!("cannot write the accounts: {cause}"));
        out.write_all(b"account,class,campaigns,groups,framed_by\n").map_err(failed)?;
        let memberships = self.planned.as_ref().map(|planned| planned.memberships(self.accounts.len()));
        for (account, [campaigns, groups, framed]) in self.accounts.iter().zip(memberships.into_iter().flatten()) {
            let row = format!("{},{},{campaigns},{groups},{framed}\n", account.name, account.class.word());
            out.write_all(row.as_bytes()).map_err(failed)?;
        }
        Ok(())
    }

    /// What a plan says is registered: the kind in the registry, the group's name, and a text, or the account of a gateway.
    #[must_use]
    pub fn registry(&self) -> Vec<[String; 3]> {
        let planned = self.planned.as_ref();
        planned.map(|planned| planned.registry(&self.config, &self.source, &self.accounts)).unwrap_or_default()
    }

    /// Writes one night's log and its rows of the truth, and adds them to `summary`.
    /// # Errors
    /// `Io` when something cannot be written.
    pub fn write_night(
        &self,
        night: u32,
        log: &mut dyn Write,
        truth: &mut dyn Write,
        summary: &mut Summary,
    ) -> Result<()> {
        let start = self.nights.get(night as usize).copied().unwrap_or(self.records.len());
        (start..start + self.night_len(night)).try_for_each(|position| self.write(position, log, truth, summary))
    }
}

/// Draws a world and writes it as one log with its truth.
/// # Errors
/// As [`World::new`] and [`World::write_night`].
pub fn simulate(config: &SimulateConfig, texts: &Texts, log: &mut dyn Write, truth: &mut dyn Write) -> Result<Summary> {
    let world = World::new(config, texts)?;
    let mut summary = Summary::default();
    world.write_truth_header(truth)?;
    for night in 0..world.nights() {
        world.write_night(night, log, truth, &mut summary)?;
    }
    Ok(summary)
}

/// How many accounts all campaigns have, whose sizes these are, and how much each account of a fragment or work-queue campaign
/// sends, where the world has room for them.
fn room(config: &SimulateConfig, sizes: &[u32]) -> Result<(u32, Vec<u64>)> {
    let fragments = &config.fragments;
    let queues = &config.queues;
    let planted = u64::from(fragments.campaigns) * u64::from(fragments.accounts)
        + u64::from(queues.campaigns) * u64::from(queues.accounts);
    let campaign_accounts = sizes.iter().map(|&size| u64::from(size)).sum::<u64>() + planted;
    if campaign_accounts > u64::from(config.accounts / 2) {
        let message = format!(
            "expected campaigns to have at most half of the {} accounts, got {campaign_accounts}",
            config.accounts
        );
        return Err(Error::new(ErrorKind::Config, message).hint("ask for more accounts, or fewer or smaller campaigns"));
    }
    let mut quotas = fragments.quotas(config.seed);
    quotas.extend(queues.quotas(config.seed, config.days));
    let wanted: u64 = quotas.iter().sum();
    let campaign_exchanges =
        if sizes.is_empty() { 0 } else { (config.exchanges as f64 * config.campaign_share) as u64 };
    // Every other account sends at least once.
    let others = campaign_exchanges + u64::from(config.accounts) - campaign_accounts;
    let most = config.exchanges.saturating_sub(others);
    if wanted > most {
        let message = format!("expected fragment and queue campaigns to send at most {most} exchanges, got {wanted}");
        let hint = "ask for more exchanges, or for fewer such campaigns, accounts or requests";
        return Err(Error::new(ErrorKind::Config, message).hint(hint));
    }
    Ok((campaign_accounts as u32, quotas))
}

fn check(config: &SimulateConfig, texts: &Texts) -> Result<()> {
    let wrong = |message: String| Err(Error::new(ErrorKind::Config, message));
    let (accounts, exchanges) = (config.accounts, config.exchanges);
    if accounts == 0 || u64::from(accounts) > exchanges {
        return wrong(format!("expected between 1 and {exchanges} accounts for {exchanges} exchanges, got {accounts}"));
    }
    if exchanges > u64::from(u32::MAX) {
        return wrong(format!("expected at most {} exchanges, got {exchanges}", u32::MAX));
    }
    if !(1..=3_660).contains(&config.days) {
        return wrong(format!("expected between 1 and 3660 days, got {}", config.days));
    }
    let (low, high) = config.campaign_accounts;
    if low < 1 || low > high {
        return wrong(format!(
            "expected a campaign's fewest accounts to be between 1 and its most, got {low} and {high}"
        ));
    }
    for (name, share, most) in [
        ("campaign_share", config.campaign_share, 0.5),
        ("copies", config.copies, 0.5),
        ("repeats", config.repeats, 1.0),
    ] {
        if !(0.0..=most).contains(&share) {
            return wrong(format!("expected {name} between 0 and {most}, got {share}"));
        }
    }
    config.fragments.check()?;
    config.queues.check()?;
    match texts {
        Texts::Given(list) if list.iter().all(|text| text.text.trim().is_empty()) => {
            Err(Error::new(ErrorKind::Input, "expected at least one text to draw from, got none"))
        }
        _ => Ok(()),
    }
}
