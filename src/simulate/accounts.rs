//! Who sends: accounts with their class, rate, interests, daily rhythm, place and means of payment.
//!
//! Most accounts are people who send little, some use the service every day, few are programs that send most of the
//! traffic; within a class rates fall as a power of the rank. A campaign's accounts look like people by their rate and
//! rhythm; what gives them away is what they ask, and here and there a shared payment token. Names are opaque, so that no
//! reader can tell classes apart by them. Weakness: rates do not change from week to week, and nobody leaves.

use super::SimulateConfig;
use super::draw::{
    below, between, chance, cumulate, geometric, log_normal, opaque, pick, shuffle, split, stream, weighted,
};
use super::source::Source;
use rand_chacha::ChaCha8Rng;

/// What kind of account sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Casual,
    Daily,
    Api,
    Campaign,
}

impl Class {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Casual => "casual",
            Self::Daily => "daily",
            Self::Api => "api",
            Self::Campaign => "campaign",
        }
    }
}

/// Share of the accounts, share of the organic exchanges, exponent of the rate by rank: casual, daily, API. Measured on
/// open traces: chat rooms 0.6 to 0.9, API clients such that the first tenth sends about 70% and the largest below 30%.
const CLASSES: [(Class, f64, f64, f64); 3] =
    [(Class::Casual, 0.72, 0.27, 0.6), (Class::Daily, 0.23, 0.35, 0.8), (Class::Api, 0.05, 0.38, 1.2)];

/// One sender.
pub(super) struct Account {
    pub(super) name: String,
    pub(super) class: Class,
    /// How many exchanges it sends in all.
    pub(super) quota: u64,
    pub(super) interests: Vec<u32>,
    /// The app it comes through, and whether the app is its own (then it uses it for everything).
    pub(super) app: Option<u32>,
    /// How uneven its arrivals are (coefficient of variation).
    pub(super) cv: f64,
    /// Hours from UTC.
    pub(super) zone: i64,
    /// The local hour around which it is awake, and how strictly.
    pub(super) peak: f64,
    pub(super) strict: f64,
    pub(super) region: &'static str,
    pub(super) asn: u32,
    pub(super) client: &'static str,
    pub(super) payment: String,
    pub(super) tier: &'static str,
    pub(super) model: &'static str,
    /// The day on which it was registered, in days since the epoch; only in worlds with a plan.
    pub(super) registered: Option<i64>,
    /// The organisation that it says it belongs to.
    pub(super) organisation: Option<String>,
}

/// Regions: name, hours from UTC, weight, first network number of its providers.
pub(super) const REGIONS: &[(&str, i64, f64, u32)] = &[
    ("us-west", -8, 14.0, 64_512),
    ("us-east", -5, 20.0, 64_532),
    ("br", -3, 6.0, 64_552),
    ("uk", 0, 8.0, 64_572),
    ("eu-west", 1, 14.0, 64_592),
    ("eu-east", 2, 7.0, 64_612),
    ("ng", 1, 3.0, 64_632),
    ("ae", 4, 3.0, 64_652),
    ("in", 5, 12.0, 64_672),
    ("sg", 8, 5.0, 64_692),
    ("hk", 8, 3.0, 64_712),
    ("jp", 9, 5.0, 64_732),
    ("au", 10, 3.0, 64_752),
];

const MODELS: &[&str] = &["orion-large", "orion-large", "orion-small", "orion-small", "orion-small", "orion-code"];
const PEOPLE_CLIENTS: &[&str] = &["web", "web", "web", "ios", "ios", "android", "android", "desktop"];
pub(super) const API_CLIENTS: &[&str] =
    &["python-sdk/1.42", "python-sdk/1.40", "node-sdk/2.8", "go-sdk/0.9", "java-sdk/1.3", "curl"];

/// The campaigns' sizes: log-normal with median 5 between the configured bounds, and first the large one.
pub(super) fn campaign_sizes(config: &SimulateConfig) -> Vec<u32> {
    let mut rng = stream(config.seed, "campaign-sizes", 0, 0);
    let (low, high) = config.campaign_accounts;
    (0..config.campaigns)
        .map(|number| {
            let size = log_normal(&mut rng, 5.0, 0.8) as u32;
            if number == 0 && config.large_campaign > 0 { config.large_campaign } else { size.clamp(low, high) }
        })
        .collect()
}

/// Every account: organic ones first, then each campaign's in turn, then those of fragment and of work-queue campaigns. `sizes` are the
/// campaigns' sizes, `planted` what each account of the latter two sends.
pub(super) fn accounts(config: &SimulateConfig, source: &Source<'_>, sizes: &[u32], planted: &[u64]) -> Vec<Account> {
    let campaign_total: u32 = sizes.iter().sum();
    let organic = config.accounts - campaign_total - planted.len() as u32;
    let campaign_exchanges =
        if sizes.is_empty() { 0 } else { (config.exchanges as f64 * config.campaign_share) as u64 };
    let class_sizes = split(u64::from(organic), &CLASSES.map(|class| class.1));
    let mut quotas = Vec::new();
    let shares: Vec<f64> =
        CLASSES.iter().zip(&class_sizes).map(|(class, &n)| if n == 0 { 0.0 } else { class.2 }).collect();
    // Every account sends at least once, so the classes share out what lies above that.
    let others = campaign_exchanges + planted.iter().sum::<u64>();
    let above = (config.exchanges - others).saturating_sub(u64::from(organic));
    for ((class, &n), exchanges) in CLASSES.iter().zip(&class_sizes).zip(split(above, &shares)) {
        let weights: Vec<f64> = (1..=n).map(|rank| libm::pow(rank as f64, -class.3)).collect();
        quotas.extend(split(exchanges + n, &weights).into_iter().map(|quota| (class.0, quota)));
    }
    let mut rng = stream(config.seed, "campaign-quotas", 0, 0);
    let weights: Vec<f64> = (0..campaign_total).map(|_| log_normal(&mut rng, 1.0, 0.5)).collect();
    quotas.extend(split(campaign_exchanges, &weights).into_iter().map(|quota| (Class::Campaign, quota)));
    quotas.extend(planted.iter().map(|&quota| (Class::Campaign, quota)));
    (0..).zip(quotas).map(|(number, (class, quota))| account(config, source, number, class, quota)).collect()
}

/// One account by its number, before a campaign gives it anything.
pub(super) fn account(config: &SimulateConfig, source: &Source<'_>, number: u64, class: Class, quota: u64) -> Account {
    let rng = &mut stream(config.seed, "account", number, 0);
    let regions = cumulate(REGIONS.iter().map(|region| region.2));
    let (region, zone, _, network) = REGIONS[weighted(rng, &regions)];
    let api = class == Class::Api;
    let mut interests: Vec<u32> = Vec::new();
    for _ in 0..1 + below(rng, 3) {
        let interest = source.interest(rng);
        if !interests.contains(&interest) {
            interests.push(interest);
        }
    }
    // A third of the programs use one template; a few people come through somebody's app.
    let through_app = config.apps > 0 && chance(rng, if api { 0.45 } else { 0.12 });
    let app = through_app.then(|| super::draw::zipf(rng, config.apps, 0.6));
    Account {
        name: format!("acct_{}", opaque(config.seed, "account", number, 10)),
        class,
        quota,
        interests,
        app,
        cv: if api { between(rng, 5.0, 13.0) } else { 1.2 },
        zone,
        peak: between(rng, 12.0, 19.0),
        // Peak over trough is e^(2 · strict): 5 to 10 for a person, below 2 for a program.
        strict: if api { between(rng, 0.0, 0.3) } else { between(rng, 0.8, 1.15) },
        region,
        asn: network + (geometric(rng, 3.0) - 1).min(19),
        client: pick(rng, if api { API_CLIENTS } else { PEOPLE_CLIENTS }),
        payment: format!(
            "pay_{}",
            opaque(config.seed, "payment", if chance(rng, 0.06) { number / 4 } else { number }, 8)
        ),
        tier: pick(rng, if api { &["team", "enterprise", "pay-as-you-go"] } else { &["free", "free", "plus", "team"] }),
        model: pick(rng, MODELS),
        registered: None,
        organisation: None,
    }
}

/// Gives the accounts of a campaign what its operator gave them: one client, often one means of payment.
pub(super) fn equip(accounts: &mut [Account], seed: u64, campaign: u64) {
    let mut rng = stream(seed, "campaign-means", campaign, 0);
    let client = pick(&mut rng, API_CLIENTS);
    let (same_client, same_payment) = (chance(&mut rng, 0.7), chance(&mut rng, 0.5));
    let tokens = 1 + below(&mut rng, 3);
    let model = pick(&mut rng, &["orion-large", "orion-code"]);
    for account in accounts {
        if same_client {
            account.client = client;
        }
        if same_payment {
            let token = campaign * 8 + below(&mut rng, tokens) as u64;
            account.payment = format!("pay_{}", opaque(seed, "campaign-payment", token, 8));
        }
        account.app = None;
        account.model = model;
    }
}

/// An order of the people (not programs, not campaigns) among `accounts`.
pub(super) fn people(accounts: &[Account], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let person = |class| matches!(class, Class::Casual | Class::Daily);
    let mut people: Vec<usize> = (0..accounts.len()).filter(|&number| person(accounts[number].class)).collect();
    shuffle(rng, &mut people);
    people
}
