//! From a planned record to its line in the log and its line in the truth.
//!
//! Texts are made here, one record at a time, each from its own stream; the truth is written in the same breath, so it
//! names the edits that did change the text. Guarantee: a record's lines depend on the world and its position only.

use super::accounts::{Account, REGIONS};
use super::draw::{below, chance, opaque, pick, stream};
use super::edits::{self, Edit};
use super::grammar::{AppTask, tables};
use super::planned::Asked;
use super::record::{Record, What};
use super::{Summary, World};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Time;
use serde::Serialize;
use std::borrow::Cow;
use std::io::Write;

/// An app: what it puts around its users' words.
pub(super) struct App {
    name: String,
    system: String,
    task: String,
    input: &'static str,
}

impl App {
    pub(super) fn new(world_seed: u64, number: u32, source: &super::source::Source<'_>) -> Self {
        let rng = &mut stream(world_seed, "app", number.into(), 0);
        let tables = &tables().apps;
        let name = format!("{}-{}", pick(rng, &tables.markers), opaque(world_seed, "app", number.into(), 4));
        let system = source.grammar.fill(pick(rng, &tables.systems), rng);
        // Neighbours in the order of popularity do different things.
        let AppTask { frame, input } = &tables.tasks[(7 * number as usize) % tables.tasks.len()];
        let task = source.grammar.fill(frame, rng);
        Self { name, system, task, input }
    }

    /// Templates of one app: the first one's name and system prompt for all.
    pub(super) fn of_one(mut apps: Vec<Self>) -> Vec<Self> {
        if let Some((first, others)) = apps.split_first_mut() {
            for app in others {
                (app.name, app.system) = (first.name.clone(), first.system.clone());
            }
        }
        apps
    }

    /// Its words around those of a user.
    pub(super) fn around(&self, input: &str) -> String {
        self.task.replacen("«input»", input, 1)
    }

    /// What stands in its slot.
    pub(super) fn input(&self) -> &'static str {
        self.input
    }

    /// Its system prompt.
    pub(super) fn system(&self) -> &str {
        &self.system
    }

    /// The longest stretch of its words.
    pub(super) fn fixed(&self) -> String {
        let longest = self.task.split("«input»").max_by_key(|part| part.len());
        longest.unwrap_or_default().trim().to_owned()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    account: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_user: Option<String>,
    time: Time,
    model: &'a str,
    prompt: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    response: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<String>,
    attributes: Attributes<'a>,
}

#[derive(Serialize)]
struct Attributes<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    asn: u32,
    #[serde(skip_serializing_if = "is_nothing")]
    client: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<&'a str>,
    payment: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered: Option<String>,
    tier: &'a str,
}

fn is_nothing(text: &&str) -> bool {
    text.is_empty()
}

/// Writes the header of the truth.
pub(super) fn header(truth: &mut dyn Write) -> Result<()> {
    put(truth, b"exchange_id,account,class,campaign,app,seed_id,edit\n")
}

/// Writes the header of the truth of a world with a plan.
pub(super) fn planned_header(truth: &mut dyn Write) -> Result<()> {
    put(truth, b"exchange_id,account,class,campaign,app,seed_id,edit,group\n")
}

fn put(out: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    out.write_all(bytes).map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write what was simulated: {cause}")))
}

impl World<'_> {
    /// Writes the record at `position` to both files and counts it.
    pub(super) fn write(
        &self,
        position: usize,
        log: &mut dyn Write,
        truth: &mut dyn Write,
        summary: &mut Summary,
    ) -> Result<()> {
        let (seed, record) = (self.config.seed, &self.records[position]);
        let account = &self.accounts[record.account as usize];
        let rng = &mut match &self.planned {
            // Rows move with what is planted; what an account asks at a moment does not.
            Some(_) => stream(seed, "exchange of", record.account.into(), record.time as u64),
            None => stream(seed, "exchange", position as u64, 0),
        };
        let mut asked = self.prompt(record, account, rng);
        let planned = self.planned.as_ref();
        if let Some(buyer) = planned.and_then(|planned| planned.buyer(seed, record.account, position)) {
            (asked.campaign, asked.edit) = (buyer.to_owned(), "bought".to_owned());
        }
        let app = asked.app;
        let (mut region, mut asn) = (account.region, account.asn);
        if self.is_proxied(record, account) {
            // A campaign's traffic comes through rented addresses that change.
            let (name, _, _, network) = pick(rng, REGIONS);
            (region, asn) = (name, network + 15 + below(rng, 5) as u32);
        }
        let id = format!("x{}", opaque(seed, "exchange", position as u64, 16));
        let response = self.source.grammar.fill(pick(rng, &tables().small_talk.responses), rng);
        let many_users = account.class == super::accounts::Class::Api && account.app.is_some();
        let user = match asked.user {
            Some(user) => Some(user),
            None => many_users.then(|| super::draw::zipf(rng, 2_000, 0.7)),
        };
        let line = Line {
            id: &id,
            account: &account.name,
            end_user: user.map(|user| format!("u{}", opaque(seed, &account.name, user.into(), 8))),
            time: Time::new(record.time)
                .ok_or_else(|| Error::new(ErrorKind::Config, "expected days up to the year 9999, got later ones"))?,
            model: planned
                .and_then(|planned| planned.model(seed, record.account, record.time))
                .unwrap_or(account.model),
            prompt: &asked.prompt,
            system: asked.system.or(app.map(|app| app.system.as_str())),
            response: &response,
            conversation: (record.conversation > 0)
                .then(|| format!("c{}", opaque(seed, "conversation", record.conversation.into(), 12))),
            attributes: Attributes {
                app: app.map(|app| app.name.as_str()),
                asn,
                client: account.client,
                organisation: account.organisation.as_deref(),
                payment: &account.payment,
                region,
                registered: account.registered.map(|day| date(day * super::record::DAY)),
                tier: account.tier,
            },
        };
        let mut bytes = serde_json::to_vec(&line)
            .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write an exchange as JSON: {cause}")))?;
        bytes.push(b'\n');
        put(log, &bytes)?;
        let Asked { campaign, seed, edit, group, .. } = &asked;
        let app_name = app.map_or("", |app| app.name.as_str());
        let class = account.class.word();
        let group = if planned.is_some() { format!(",{group}") } else { String::new() };
        let row = format!("{id},{},{class},{campaign},{app_name},{seed},{edit}{group}\n", account.name);
        put(truth, row.as_bytes())?;
        summary.count(record, account, &asked, bytes.len());
        Ok(())
    }

    /// The prompt and what is true of it.
    fn prompt(&self, record: &Record, account: &Account, rng: &mut rand_chacha::ChaCha8Rng) -> Asked<'_> {
        let own_app = account.app.map(|app| &self.apps[app as usize]);
        let campaign = |number: usize| format!("campaign-{number}");
        let borrowed = |text| Cow::Borrowed(text);
        match record.what {
            What::Stock(rank) => {
                Asked::plain(borrowed(super::source::Source::stock(rank)), format!("stock-{rank}"), own_app)
            }
            What::FollowUp(rank) => {
                let text = self.source.follow_up(rank).unwrap_or_else(|| "continue".to_owned());
                Asked::plain(Cow::Owned(text), format!("follow-up-{rank}"), own_app)
            }
            What::Text { interest, rank, app: true } if own_app.is_some() => {
                let number = account.app.unwrap_or_default();
                let app = &self.apps[number as usize];
                let text = app.around(&self.source.input(app.input, interest, rank));
                Asked::plain(Cow::Owned(text), format!("app-{number}"), own_app)
            }
            What::Text { interest, rank, .. } => {
                Asked::plain(self.source.text(interest, rank), format!("text-{interest}-{rank}"), own_app)
            }
            What::Event(number) => {
                let event = &self.events[number as usize];
                let kinds = [Edit::Typo, Edit::Synonym, Edit::Boiler, Edit::Trunc70];
                // Most copy a trend as it is; a class changes a little, each in its own way.
                let edited = chance(rng, if event.exercise { 0.6 } else { 0.15 });
                let kind = pick(rng, &kinds);
                let changed = edited.then(|| edits::apply(kind, &event.text, 0.3, "", rng)).flatten();
                let edit = if changed.is_some() { kind.word() } else { "none" };
                let name = if event.exercise { "exercise" } else { "trend" };
                let text = changed.map_or(borrowed(event.text.as_str()), Cow::Owned);
                Asked { edit: edit.to_owned(), ..Asked::plain(text, format!("{name}-{number}"), None) }
            }
            What::Campaign { campaign: number, item } => {
                let plan = &self.campaigns[number as usize];
                let (which, text, edit) = plan.text(self.config.seed, number, item, &self.source, rng);
                let name = campaign(number as usize);
                Asked::plain(Cow::Owned(text), format!("{name}-seed-{which}"), None).of(name, edit)
            }
            What::Fragment { campaign: number } => {
                let plan = &self.fragments[number as usize];
                let planted = plan.prompt(&self.config.fragments, account, &self.source, rng);
                let name = campaign(self.campaigns.len() + number as usize);
                let edit = planted.edit();
                Asked::plain(Cow::Owned(planted.text), format!("{name}-seed-0"), None).of(name, edit)
            }
            What::Queue { campaign: number, item } => {
                let (text, edit) = super::queue::copy(self.config.seed, (number, item), &self.source, rng);
                let name = campaign(self.campaigns.len() + self.fragments.len() + number as usize);
                Asked::plain(Cow::Owned(text), format!("{name}-seed-{item}"), None).of(name, edit.to_owned())
            }
            What::Planned { group, item, part } => match &self.planned {
                Some(planned) => {
                    planned.ask(self.config.seed, (record, account), (group, item, part), &self.source, rng)
                }
                None => Asked::plain(borrowed("…"), String::new(), None),
            },
        }
    }

    /// Whether the exchange came through a campaign's proxies: its own prompts always, its innocent ones too, for an account
    /// that changed its address only when it misbehaves would be easy to find.
    fn is_proxied(&self, record: &Record, account: &Account) -> bool {
        match &self.planned {
            Some(planned) if account.quota == 0 => planned.is_proxied(record.account),
            _ => account.class == super::accounts::Class::Campaign,
        }
    }
}

/// The date of a moment in microseconds, in UTC.
fn date(micros: i64) -> String {
    Time::new(micros).map(|time| time.to_string().chars().take(10).collect()).unwrap_or_default()
}
