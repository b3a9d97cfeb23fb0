//! What a plan file plants into a world: campaigns that evade in named ways, and innocent groups that act alike.
//!
//! The benchmark of rings needs more than campaigns that hide a little: each shape that providers have told of, each way to evade with a strength, and
//! each innocent reason to act alike, with the truth for every exchange and every account. A plan ([`Plan`], [`knobs`]) says what there is; [`schedule`]
//! decides who sends what when, [`texts`] makes the words when they are written. Campaigns have accounts of their own, which send innocent requests as
//! well; most innocent groups are made of organic accounts, which do this besides what they do anyway. All of it comes on top of the background, whose
//! accounts ask the same with and without a plan.
//!
//! Weakness: rewriting is by rule, and what a language model would rewrite is a text of its own (`loss`), the most that it could achieve; a full
//! translation is a stand-in. An operator neither learns nor looks at what was found. Responses say nothing, so bought transcripts exist in the truth
//! only. Guarantees: a world without a plan is what it was before there were any; the same plan, texts and seed give the same bytes; memory is 32 bytes
//! for each exchange, some 300 for each account and 20 for each distinct prompt, whatever the texts are.

mod benign;
mod knobs;
mod schedule;
#[cfg(test)]
mod tests;
mod texts;

pub use benign::{BenignKind, BenignPlan};
pub use knobs::{
    Background, CampaignKind, CampaignPlan, Client, Encoding, Hours, MOST_PLAN_BYTES, Network, Plan, RewrittenBy,
};
pub(super) use schedule::Scene;
pub(super) use texts::Asked;

use super::SimulateConfig;
use super::accounts::{self, Account, Class, REGIONS};
use super::draw::{below, chance, geometric, opaque, pick, stream};
use super::fragment::fragment_texts;
use super::grammar::{published_fragments, tables};
use super::record::DAY;
use super::source::Source;
use super::write::App;
use crate::error::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Apps of innocent groups are numbered from here on, so that they are none of the background's.
const FIRST_APP: u32 = 1 << 20;
/// Days before the world's first within which organic accounts were registered.
const OLDEST: i64 = 730;
/// The model that is launched.
const NEWEST: &str = "orion-next";

/// Everything that is planted.
pub(super) struct Planned {
    campaigns: Vec<Campaign>,
    groups: Vec<Group>,
    /// When a new model is launched.
    launch: Option<i64>,
    /// Which of the campaigns bought transcripts of an account.
    sold: BTreeMap<u32, u32>,
}

/// One campaign.
struct Campaign {
    plan: CampaignPlan,
    /// Its own accounts.
    accounts: std::ops::Range<u32>,
    framed: Vec<u32>,
    /// Its fixed text; of a search those that work.
    fixed: Vec<String>,
    /// Interests from which its tasks come; empty for all.
    subjects: Vec<u32>,
    /// The group whose app it imitates.
    imitates: Option<usize>,
    /// What its harness puts into every request.
    harness: Option<String>,
    /// When it is sent to a new model.
    pivot: Option<i64>,
    /// From when on a search uses what works.
    scales: i64,
}

/// One innocent group.
struct Group {
    plan: BenignPlan,
    accounts: Vec<u32>,
    apps: Vec<App>,
}

impl Planned {
    /// Draws what the plan asks for; adds accounts behind the organic ones and gives every account the day on which it was registered.
    pub(super) fn new(
        config: &SimulateConfig,
        plan: &Plan,
        source: &Source<'_>,
        accounts: &mut Vec<Account>,
    ) -> Result<Self> {
        let (seed, days) = (config.seed, config.days);
        let plan = &Plan { world: Background { days, ..plan.world.clone() }, ..plan.clone() };
        plan.check()?;
        let first_day = config.start.micros().div_euclid(DAY);
        for (number, account) in (0..).zip(accounts.iter_mut()) {
            let old = below(&mut stream(seed, "registered", number, 0), OLDEST as usize) as i64;
            account.registered = Some(first_day - 1 - old);
        }
        let organic = accounts.len() as u32;
        let people = |label: &str, number: u64, n: u32, name: &str| -> Result<Vec<u32>> {
            let mut people = accounts::people(&accounts[..organic as usize], &mut stream(seed, label, number, 0));
            if people.len() < n as usize {
                let got = people.len();
                let message = format!("expected at least {n} organic people for {name}, got {got}");
                return Err(Error::new(ErrorKind::Config, message).hint("give the world more accounts"));
            }
            people.truncate(n as usize);
            let mut people: Vec<u32> = people.into_iter().map(|person| person as u32).collect();
            people.sort_unstable();
            Ok(people)
        };
        let mut of_groups = Vec::new();
        for (number, group) in (0..).zip(&plan.groups) {
            let own = group.kind.has_own_accounts();
            of_groups.push(if own { Vec::new() } else { people("group", number, group.accounts, &group.name)? });
        }
        let mut others = Vec::new();
        for (number, campaign) in (0..).zip(&plan.campaigns) {
            let bought = if campaign.kind == CampaignKind::Bought { campaign.accounts } else { 0 };
            let framed = people("framed", number, campaign.framed, &campaign.name)?;
            others.push((framed, people("bought", number, bought, &campaign.name)?));
        }
        let mut planned = Self { campaigns: Vec::new(), groups: Vec::new(), launch: None, sold: BTreeMap::new() };
        for (number, (group, mut own)) in (0..).zip(plan.groups.iter().zip(of_groups)) {
            if group.kind.has_own_accounts() {
                own = (0..group.accounts)
                    .map(|_| add(config, source, accounts, Class::Api, first_day, OLDEST as u32))
                    .collect();
                let organisation = format!("org_{}", opaque(seed, "organisation", number, 8));
                for &account in &own {
                    let account = &mut accounts[account as usize];
                    account.app = None;
                    if group.kind == BenignKind::Agency {
                        account.organisation = Some(organisation.clone());
                        account.payment = format!("pay_{}", opaque(seed, "organisation-payment", number, 8));
                    }
                }
            }
            let (first, last) = group.span(days);
            let templates = group.texts() + group.releases * (last - first);
            let apps = if group.kind == BenignKind::App { 0..templates } else { 0..0 };
            let first_app = FIRST_APP + (number as u32) * (1 << 14);
            let apps = App::of_one(apps.map(|app| App::new(seed, first_app + app, source)).collect());
            planned.groups.push(Group { plan: group.clone(), accounts: own, apps });
        }
        let mut of_kind: BTreeMap<CampaignKind, usize> = BTreeMap::new();
        for (number, (campaign, (framed, bought))) in (0..).zip(plan.campaigns.iter().zip(others)) {
            let start = accounts.len() as u32;
            if campaign.kind != CampaignKind::Bought {
                let within = if campaign.registered_within == 0 { OLDEST as u32 } else { campaign.registered_within };
                for _ in 0..campaign.accounts {
                    add(config, source, accounts, Class::Campaign, first_day, within);
                }
            }
            equip(&mut accounts[start as usize..], campaign, seed, number);
            planned.sold.extend(bought.into_iter().map(|account| (account, number as u32)));
            let ordinal = of_kind.entry(campaign.kind).or_default();
            let fixed = fixed_texts(campaign, *ordinal, source, seed, number);
            *ordinal += 1;
            let rng = &mut stream(seed, "planned-campaign", number, 0);
            let subjects: BTreeSet<u32> = (0..campaign.subjects).map(|_| source.interest(rng)).collect();
            let harness = (campaign.kind == CampaignKind::Rerouting && campaign.harness)
                .then(|| source.grammar.fill(pick(rng, &tables().apps.systems), rng));
            let at = |day: u32| config.start.micros() + i64::from(day) * DAY;
            let pivot = campaign.pivot(days).map(at);
            // A launch is the same for everybody: the first that a campaign waits for.
            planned.launch = planned.launch.into_iter().chain(pivot).min();
            let pivot = pivot.map(|launch| launch + below(rng, DAY as usize) as i64);
            let named = |app: &String| plan.groups.iter().position(|group| group.name == *app);
            planned.campaigns.push(Campaign {
                plan: campaign.clone(),
                accounts: start..accounts.len() as u32,
                framed,
                fixed,
                subjects: subjects.into_iter().collect(),
                imitates: campaign.imitates.as_ref().and_then(named),
                harness,
                pivot,
                scales: at(campaign.scales(days)),
            });
        }
        Ok(planned)
    }

    /// The campaign that an account of its own belongs to.
    fn campaign_of(&self, account: u32) -> Option<&Campaign> {
        let at = self.campaigns.partition_point(|campaign| campaign.accounts.end <= account);
        self.campaigns.get(at).filter(|campaign| campaign.accounts.contains(&account))
    }

    /// Whether an account comes through a rented address of another network with every request.
    pub(super) fn is_proxied(&self, account: u32) -> bool {
        self.campaign_of(account).is_some_and(|campaign| campaign.plan.network == Network::Residential)
    }

    /// The model that an account asks at a moment, where it is not its usual one.
    pub(super) fn model(&self, seed: u64, account: u32, time: i64) -> Option<&'static str> {
        let launch = self.launch.filter(|launch| time >= *launch)?;
        let moves = match self.campaign_of(account).map(|campaign| campaign.pivot) {
            Some(Some(pivot)) => pivot,
            // Everybody else moves by and by, one in fifteen a day.
            _ => launch + i64::from(geometric(&mut stream(seed, "launch", account.into(), 0), 15.0)) * DAY,
        };
        (time >= moves).then_some(NEWEST)
    }

    /// The name of the campaign that has bought this exchange of an account.
    pub(super) fn buyer(&self, seed: u64, account: u32, position: usize) -> Option<&str> {
        let campaign = &self.campaigns[*self.sold.get(&account)? as usize].plan;
        let sold = chance(&mut stream(seed, "bought", position as u64, 0), 1.0 - campaign.mix());
        sold.then_some(campaign.name.as_str())
    }

    /// Who belongs to what, account by account: campaigns, innocent groups, and campaigns that framed it; names with `;` between them.
    pub(super) fn memberships(&self, accounts: usize) -> Vec<[String; 3]> {
        let mut out = vec![[String::new(), String::new(), String::new()]; accounts];
        let mut put = |account: u32, column: usize, name: &str| {
            let cell = &mut out[account as usize][column];
            if !cell.is_empty() {
                cell.push(';');
            }
            cell.push_str(name);
        };
        for (number, campaign) in (0..).zip(&self.campaigns) {
            let name = &campaign.plan.name;
            let sold = self.sold.iter().filter(|(_, buyer)| **buyer == number).map(|(account, _)| *account);
            campaign.accounts.clone().chain(sold).for_each(|account| put(account, 0, name));
            campaign.framed.iter().for_each(|&account| put(account, 2, name));
        }
        for group in &self.groups {
            group.accounts.iter().for_each(|&account| put(account, 1, &group.plan.name));
        }
        out
    }

    /// What is registered: the kind, the name, and a text or, of gateways, an account.
    pub(super) fn registry(
        &self,
        config: &SimulateConfig,
        source: &Source<'_>,
        accounts: &[Account],
    ) -> Vec<[String; 3]> {
        let mut out = Vec::new();
        for group in self.groups.iter().filter(|group| group.plan.registered) {
            let (kind, name) = (group.plan.kind.registry(), &group.plan.name);
            let mut put = |what: String| out.push([kind.to_owned(), name.clone(), what]);
            match group.plan.kind {
                BenignKind::Gateway => {
                    group.accounts.iter().for_each(|&key| put(accounts[key as usize].name.clone()));
                }
                BenignKind::App => {
                    put(group.apps[0].system().to_owned());
                    group.apps.iter().for_each(|app| put(app.fixed()));
                }
                _ => self.texts_of(group, config, source).into_iter().for_each(put),
            }
        }
        out
    }
}

/// Adds an account of its own to a world; gives its position.
fn add(
    config: &SimulateConfig,
    source: &Source<'_>,
    accounts: &mut Vec<Account>,
    class: Class,
    first_day: i64,
    within: u32,
) -> u32 {
    let number = accounts.len() as u64;
    let mut account = accounts::account(config, source, number, class, 0);
    let old = below(&mut stream(config.seed, "registered", number, 0), within as usize) as i64;
    account.registered = Some(first_day - 1 - old);
    accounts.push(account);
    number as u32
}

/// Gives the accounts of a campaign what its operator gave them.
fn equip(accounts: &mut [Account], plan: &CampaignPlan, seed: u64, campaign: u64) {
    let rng = &mut stream(seed, "planned-means", campaign, 0);
    let client = pick(rng, accounts::API_CLIENTS);
    let (region, _, _, network) = pick(rng, REGIONS);
    let model = pick(rng, &["orion-large", "orion-code"]);
    for account in accounts {
        account.app = None;
        account.model = model;
        account.client = match plan.client {
            Client::Same => client,
            Client::Own => account.client,
            Client::Stripped => "",
        };
        if plan.payments > 0 {
            let token = (campaign << 20) + below(rng, plan.payments as usize) as u64;
            account.payment = format!("pay_{}", opaque(seed, "planned-payment", token, 8));
        }
        if plan.network == Network::Datacenter {
            (account.region, account.asn) = (region, network + 19);
        }
    }
}

/// The fixed texts of a campaign, the `ordinal`th of its kind: published wording for the first, drawn ones for the others.
fn fixed_texts(plan: &CampaignPlan, ordinal: usize, source: &Source<'_>, seed: u64, number: u64) -> Vec<String> {
    if let Some(text) = &plan.text {
        return vec![text.clone()];
    }
    let published = match plan.kind {
        CampaignKind::Template => Some(0),
        CampaignKind::Language => Some(1),
        CampaignKind::Fragment => Some(2),
        CampaignKind::Translation => Some(3),
        _ => None,
    };
    let rng = &mut stream(seed, "planned-fixed", number, 0);
    match (plan.kind, published) {
        (kind, _) if !kind.has_fixed_text() => Vec::new(),
        (CampaignKind::Rubric, _) if plan.length.is_none() => {
            let frames: Vec<&str> =
                tables().fragments.frames.iter().copied().filter(|frame| frame.contains("rubric")).collect();
            let parts: Vec<String> = frames.iter().map(|frame| source.grammar.fill(frame, rng)).collect();
            vec![parts.join(" ")]
        }
        (CampaignKind::Search, _) => {
            let texts = fragment_texts(3, plan.length.unwrap_or(120) as usize, seed ^ (number << 32));
            texts.into_iter().collect()
        }
        (_, Some(published)) if ordinal == 0 && plan.length.is_none() => {
            vec![published_fragments()[published].text.to_owned()]
        }
        _ => {
            let text = fragment_texts(1, plan.length.unwrap_or(120) as usize, seed ^ (number << 32)).pop();
            vec![text.unwrap_or_default()]
        }
    }
}
