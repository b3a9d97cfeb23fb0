//! From a planned record to its line in the log and its line in the truth.
//!
//! Texts are made here, one record at a time, each from its own stream; the truth is written in the same breath, so it
//! names the edits that did change the text. Guarantee: a record's lines depend on the world and its position only.

use super::accounts::{Account, REGIONS};
use super::draw::{below, chance, opaque, pick, stream};
use super::edits::{self, Edit};
use super::grammar::{AppTask, tables};
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
    client: &'a str,
    payment: &'a str,
    region: &'a str,
    tier: &'a str,
}

/// What the truth says of one exchange.
pub(super) struct Fact {
    pub(super) campaign: Option<u32>,
    seed: String,
    pub(super) edit: String,
}

/// Writes the header of the truth.
pub(super) fn header(truth: &mut dyn Write) -> Result<()> {
    put(truth, b"exchange_id,account,class,campaign,app,seed_id,edit\n")
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
        let rng = &mut stream(seed, "exchange", position as u64, 0);
        let (prompt, fact, app) = self.prompt(record, account, rng);
        let (mut region, mut asn) = (account.region, account.asn);
        if record_is_proxied(record, account) {
            // A campaign's traffic comes through rented addresses that change.
            let (name, _, _, network) = pick(rng, REGIONS);
            (region, asn) = (name, network + 15 + below(rng, 5) as u32);
        }
        let id = format!("x{}", opaque(seed, "exchange", position as u64, 16));
        let response = self.source.grammar.fill(pick(rng, &tables().small_talk.responses), rng);
        let many_users = account.class == super::accounts::Class::Api && account.app.is_some();
        let line = Line {
            id: &id,
            account: &account.name,
            end_user: many_users.then(|| {
                let user = super::draw::zipf(rng, 2_000, 0.7);
                format!("u{}", opaque(seed, &account.name, user.into(), 8))
            }),
            time: Time::new(record.time)
                .ok_or_else(|| Error::new(ErrorKind::Config, "expected days up to the year 9999, got later ones"))?,
            model: account.model,
            prompt: &prompt,
            system: app.map(|app| app.system.as_str()),
            response: &response,
            conversation: (record.conversation > 0)
                .then(|| format!("c{}", opaque(seed, "conversation", record.conversation.into(), 12))),
            attributes: Attributes {
                app: app.map(|app| app.name.as_str()),
                asn,
                client: account.client,
                payment: &account.payment,
                region,
                tier: account.tier,
            },
        };
        let mut bytes = serde_json::to_vec(&line)
            .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write an exchange as JSON: {cause}")))?;
        bytes.push(b'\n');
        put(log, &bytes)?;
        let campaign = fact.campaign.map(|number| format!("campaign-{number}")).unwrap_or_default();
        let app_name = app.map_or("", |app| app.name.as_str());
        let class = account.class.word();
        let row = format!("{id},{},{class},{campaign},{app_name},{},{}\n", account.name, fact.seed, fact.edit);
        put(truth, row.as_bytes())?;
        summary.count(record, account, &prompt, &fact, bytes.len());
        Ok(())
    }

    /// The prompt, what is true of it, and the app it came through.
    fn prompt(
        &self,
        record: &Record,
        account: &Account,
        rng: &mut rand_chacha::ChaCha8Rng,
    ) -> (Cow<'_, str>, Fact, Option<&App>) {
        let none = |seed: String| Fact { campaign: None, seed, edit: String::new() };
        let own_app = account.app.map(|app| &self.apps[app as usize]);
        match record.what {
            What::Stock(rank) => {
                (Cow::Borrowed(super::source::Source::stock(rank)), none(format!("stock-{rank}")), own_app)
            }
            What::FollowUp(rank) => {
                let text = self.source.follow_up(rank).unwrap_or_else(|| "continue".to_owned());
                (Cow::Owned(text), none(format!("follow-up-{rank}")), own_app)
            }
            What::Text { interest, rank, app: true } if own_app.is_some() => {
                let number = account.app.unwrap_or_default();
                let app = &self.apps[number as usize];
                let text = app.task.replacen("«input»", &self.source.input(app.input, interest, rank), 1);
                (Cow::Owned(text), none(format!("app-{number}")), own_app)
            }
            What::Text { interest, rank, .. } => {
                (self.source.text(interest, rank), none(format!("text-{interest}-{rank}")), own_app)
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
                let fact = Fact { campaign: None, seed: format!("{name}-{number}"), edit: edit.to_owned() };
                (changed.map_or(Cow::Borrowed(event.text.as_str()), Cow::Owned), fact, None)
            }
            What::Campaign { campaign, item } => {
                let plan = &self.campaigns[campaign as usize];
                let (which, text, edit) = plan.text(self.config.seed, campaign, item, &self.source, rng);
                let fact = Fact { campaign: Some(campaign), seed: format!("campaign-{campaign}-seed-{which}"), edit };
                (Cow::Owned(text), fact, None)
            }
            What::Fragment { campaign } => {
                let plan = &self.fragments[campaign as usize];
                let planted = plan.prompt(&self.config.fragments, account, &self.source, rng);
                let number = self.campaigns.len() as u32 + campaign;
                let seed = format!("campaign-{number}-seed-0");
                let fact = Fact { campaign: Some(number), seed, edit: planted.edit() };
                (Cow::Owned(planted.text), fact, None)
            }
            What::Queue { campaign, item } => {
                let (text, edit) = super::queue::copy(self.config.seed, (campaign, item), &self.source, rng);
                let number = (self.campaigns.len() + self.fragments.len()) as u32 + campaign;
                let seed = format!("campaign-{number}-seed-{item}");
                (Cow::Owned(text), Fact { campaign: Some(number), seed, edit: edit.to_owned() }, None)
            }
        }
    }
}

/// Whether the exchange came through a campaign's proxies: its own prompts always, its innocent ones too, for an account
/// that changed its address only when it misbehaves would be easy to find.
fn record_is_proxied(record: &Record, account: &Account) -> bool {
    matches!(record.what, What::Campaign { .. } | What::Fragment { .. } | What::Queue { .. })
        || account.class == super::accounts::Class::Campaign
}
