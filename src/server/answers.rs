//! The answers of the desk, long because each route has its handler here: what the command line prints for the same question, as the role may see it.
//!
//! The idea: a handler asks `lookup`, turns the value into JSON, and lets [`Reader`](super::show::Reader) take out what the asker must not see; what
//! shows text, account or exchange says so as a row of the access log, which is written before the answer leaves. Weakness: an answer is
//! made whole in memory, exports apart. Guarantee: no handler sends what did not pass the reader.

use super::access::Access;
use super::bound;
use super::desk::{Held, MOST_FAMILIES};
use super::fault::Fault;
use super::given::Given;
use super::show::Reader;
use super::who::{Role, Who};
use super::{State, openapi};
use crate::error::{Error, ErrorKind};
use crate::ids::{AccountId, Time};
use crate::lookup::{self, ListQuery, SimilarQuery};
use crate::report::export::{self, Tlp};
use crate::report::ring::Ring;
use crate::report::{self, Report};
use crate::store::custody::{self, Act, By};
use crate::store::files::read_bounded;
use crate::stored::registry::What;
use crate::upkeep::{self, Question, Registration, Said};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, PoisonError};

/// A request as a handler sees it.
pub(super) struct Asked {
    pub(super) given: Given,
    pub(super) who: Option<Who>,
    /// What the asker wants to know it for.
    pub(super) purpose: Option<String>,
    pub(super) reader: Reader,
    pub(super) now: Time,
    /// The cookie of a log-in by an identity provider that was begun.
    #[cfg(feature = "oidc")]
    pub(super) ticket: Option<String>,
}

/// What is written into a stream.
pub(super) type Write2 = Box<dyn FnOnce(&mut dyn Write) -> crate::error::Result<()> + Send>;

/// The body of an answer.
pub(super) enum Body {
    Json(Value),
    Text(&'static str, String),
    /// Media type, name of the file, and who writes it.
    Stream(&'static str, String, Write2),
    Nothing,
    /// Another address to go to.
    #[cfg(feature = "oidc")]
    Elsewhere(String),
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Body,
    /// What is to be logged before it is sent.
    pub(super) did: Vec<Access>,
    pub(super) cookie: Option<String>,
    /// Whether texts are sent in full length.
    pub(super) whole: bool,
    /// Who it turned out to be, where nobody was known when it was asked.
    pub(super) who: Option<Who>,
}

pub(super) type Answer = Result<Reply, Fault>;

impl Reply {
    pub(super) fn json(value: Value) -> Self {
        Self { status: 200, body: Body::Json(value), did: Vec::new(), cookie: None, whole: false, who: None }
    }

    pub(super) fn with(mut self, did: Vec<Access>) -> Self {
        self.did.extend(did);
        self
    }
}

/// Accounts that the page of a family or of a ring has; a list of their own has the others.
const MOST_MEMBERS: usize = 200;
/// Families of each ring in a list of rings, as many as are drawn; the page of a ring has them all.
const MOST_OF_RING: usize = 60;
/// Rings of a night's report; the list of rings has them all.
const MOST_RINGS: usize = 100;

/// Refuses who has not said what texts are wanted for.
fn purposed(asked: &Asked, why: &str) -> Result<(), Fault> {
    if asked.reader.purposed {
        return Ok(());
    }
    Err(Fault::new(403, "purpose_required", format!("expected a purpose, since {why}"))
        .hint("send the header Stillhunt-Purpose, or log in with a purpose"))
}

/// Longest list of the provider's own names of accounts.
const LONGEST_DIRECTORY: u64 = 1 << 30;

impl Asked {
    /// Reading with a purpose is an act.
    fn read(&self, subject: String) -> Vec<Access> {
        let purpose = self.purpose.clone().filter(|_| self.reader.purposed);
        purpose.map(|purpose| Access { act: "read", subject, purpose: Some(purpose) }).into_iter().collect()
    }

    /// An act that is logged whatever was said.
    fn did(&self, act: &'static str, subject: String) -> Vec<Access> {
        vec![Access { act, subject, purpose: self.purpose.clone() }]
    }

    fn name(&self) -> &str {
        self.who.as_ref().map_or("", |who| who.token.name.as_str())
    }

    fn limit(&self) -> usize {
        self.given.number("limit").unwrap_or(50) as usize
    }
}

fn value(of: &impl serde::Serialize) -> Result<Value, Fault> {
    serde_json::to_value(of).map_err(|cause| Fault::inside(cause.to_string()))
}

/// What the store does not have is not found; anything else is the store's trouble.
fn missing(error: Error) -> Fault {
    if error.kind() == ErrorKind::Input { Fault::unknown(error.to_string()) } else { error.into() }
}

/// The cursor of a list that has changed.
fn gone() -> Fault {
    Fault::unknown("expected the cursor that the page before gave; it names nothing of this list any more")
}

fn unknown(what: &str, id: &str) -> Fault {
    Fault::unknown(format!("expected {what} of the store, got {id:?}"))
}

// Reports and lists.

pub(super) fn tonight(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let report = held.report()?;
    let mut page = value(&*report)?;
    page["changed"] = changed(&report);
    let most = asked.given.number("families").unwrap_or(25) as usize;
    for list in ["families", "trivial_families", "system_families", "known_families"] {
        page[list].as_array_mut().into_iter().for_each(|list| list.truncate(most.min(MOST_FAMILIES)));
    }
    asked.reader.report(&mut page);
    bound::first(&mut page, "rings", MOST_RINGS);
    bound::each(&mut page, "rings", |ring| bound::first(ring, "families", MOST_OF_RING));
    Ok(Reply::json(page).with(asked.read("tonight".into())))
}

/// What the newest night brought.
fn changed(report: &Report) -> Value {
    let mut nights = report.nights.iter().rev();
    let (newest, before) = (nights.next(), nights.next());
    let first_day = newest.and_then(|night| night.first_seen).map_or(i64::MAX, Time::day);
    let day_before = before.and_then(|night| night.first_seen).map_or(i64::MAX, Time::day);
    let new: Vec<&str> =
        report.rings.iter().filter(|ring| ring.confirmed_night >= first_day).map(|ring| ring.id.as_str()).collect();
    let left: Vec<&str> =
        report.rings_meta.past.iter().filter(|past| past.last >= day_before).map(|past| past.id.as_str()).collect();
    json!({
        "night": newest.map(|night| night.night), "since": before.map(|night| night.night), "new_rings": new, "left_rings": left,
        "new_families": newest.map(|night| night.new_families), "new_accounts": newest.map(|night| night.new_accounts),
        "exchanges": newest.map(|night| night.exchanges),
    })
}

pub(super) fn nights(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let report = held.report()?;
    let (nights, next) = newest_first(&report.nights, asked, |night| u64::from(night.night));
    Ok(Reply::json(json!({
        "schema": 1, "night": held.night, "digest": held.digest, "nights": nights, "store": report.store, "next": next,
    })))
}

/// A page of a list that grows at its end, the newest first, from before the cursor on; and the cursor of the page behind it.
fn newest_first<'a, T>(rows: &'a [T], asked: &Asked, number: impl Fn(&T) -> u64) -> (Vec<&'a T>, Option<u64>) {
    let before = asked.given.number("cursor").unwrap_or(u64::MAX);
    let mut rest = rows.iter().rev().skip_while(|row| number(row) >= before);
    let page: Vec<&T> = rest.by_ref().take(asked.limit()).collect();
    let next = rest.next().and(page.last()).map(|last| number(last));
    (page, next)
}

/// Nights, both included, where one end or both are given.
fn nights_of(given: &Given) -> Option<(u32, u32)> {
    let of = |name: &str, otherwise: u32| given.number(name).map_or(otherwise, |number| number as u32);
    let any = ["from_night", "to_night"].iter().any(|name| given.number(name).is_some());
    any.then(|| (of("from_night", 0), of("to_night", u32::MAX)))
}

/// A viewer asks for nothing by what they must not see.
fn only_seen(asked: &Asked, names: &[&str]) -> Result<(), Fault> {
    match names.iter().find(|name| asked.given.text(name).is_some()) {
        Some(name) if asked.reader.role == Role::Viewer => {
            Err(Fault::new(403, "forbidden", format!("a viewer asks for no {name}")))
        }
        _ => Ok(()),
    }
}

fn wanted(asked: &Asked) -> ListQuery {
    let given = &asked.given;
    let least = given.number("accounts").unwrap_or(0);
    ListQuery {
        most: asked.limit(),
        level: given.level(),
        since: given.moment("since"),
        until: given.moment("until"),
        nights: nights_of(given),
        model: given.text("model").map(str::to_owned),
        account: given.account("account"),
        known: given.text("stratum").map(str::to_owned),
        least_similarity: given.number("least_percent").map(|percent| percent as f32 / 100.0),
        new_tonight: given.flag("new"),
        // What the role is not told of is not on its pages, so that they are full.
        least_accounts: if asked.reader.role == Role::Viewer { least.max(asked.reader.k) } else { least },
        trivial: given.flag("trivial"),
        after: given.place("cursor"),
    }
}

pub(super) fn families(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    only_seen(asked, &["account", "stratum", "model"])?;
    let limit = asked.limit();
    let wanted = ListQuery { most: limit + 1, ..wanted(asked) };
    let mut families = held.opened.families(&wanted).map_err(missing)?;
    let more = families.len() > limit;
    families.truncate(limit);
    let next = families.last().filter(|_| more).map(|last| format!("{}.{}.{}", last.accounts, last.requests, last.id));
    let mut page = json!({ "schema": 1, "families": value(&families)?, "next": next });
    asked.reader.families(&mut page, "families");
    Ok(Reply::json(page).with(asked.read("families".into())))
}

pub(super) fn family(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let id = asked.given.family("id").ok_or_else(|| Fault::unknown("expected the name of a family"))?;
    let found = held.opened.family(id, MOST_MEMBERS).map_err(missing)?;
    // To a viewer a small family is as unknown as one that is not there.
    if !asked.reader.is_told_of(found.family.accounts) {
        return Err(unknown("a family", &id.to_string()));
    }
    let mut page = value(&found)?;
    asked.reader.family_page(&mut page);
    let whole = asked.given.flag("whole");
    if whole {
        purposed(asked, "texts in full length are read for something")?;
    }
    Ok(Reply { whole, ..Reply::json(page) }.with(asked.read(format!("family {id}"))))
}

pub(super) fn family_accounts(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let id = asked.given.family("id").ok_or_else(|| Fault::unknown("expected the name of a family"))?;
    let after = asked.given.account("cursor");
    let (members, left_out) = held.opened.family_accounts(id, after, asked.limit()).map_err(missing)?;
    let next = members.last().filter(|_| left_out > 0).map(|last| last.account);
    Ok(Reply::json(json!({ "schema": 1, "members": value(&members)?, "next": next }))
        .with(asked.read(format!("family {id}"))))
}

pub(super) fn account(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let id = asked.given.account("id").ok_or_else(|| Fault::unknown("expected the pseudonym of an account"))?;
    let mut page = value(&held.opened.account(id).map_err(missing)?)?;
    asked.reader.account_page(&mut page);
    Ok(Reply::json(page).with(asked.read(format!("account {id}"))))
}

pub(super) fn rings(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let (all, meta) = lookup::rings(held.store())?;
    let least = asked.given.rung();
    only_seen(asked, &["account"])?;
    let given = &asked.given;
    let (account, family, level) = (given.account("account"), given.family("family"), given.level());
    let (since, until) = (given.moment("since").map(Time::day), given.moment("until"));
    // A day of the store may begin at another hour; what is asked for is a day by its date.
    let is_before = |day: i64, until: Time| day * 86_400_000_000 < until.micros();
    let shared = |ring: &Ring| {
        let in_time =
            |day: i64| since.is_none_or(|since| day >= since) && until.is_none_or(|until| is_before(day, until));
        ring.families.iter().any(|of| {
            // What a reader is not shown is no answer to a question of theirs either.
            asked.reader.is_told_of(of.of)
                && in_time(of.day)
                && family.is_none_or(|family| of.family_id == family)
                && level.is_none_or(|level| of.family_id.level == level)
        })
    };
    let asks = family.is_some() || level.is_some() || since.is_some() || until.is_some();
    let mut listed: Vec<Ring> = all
        .into_iter()
        .filter(|ring| ring.rung >= least && asked.reader.is_told_of(ring.accounts))
        .filter(|ring| !asks || shared(ring))
        .filter(|ring| account.is_none_or(|account| ring.members.iter().any(|member| member.account == account)))
        .collect();
    if let Some(cursor) = asked.given.text("cursor") {
        let at = listed.iter().position(|ring| ring.id == cursor);
        let at = at.ok_or_else(gone)?;
        listed.drain(..=at);
    }
    let limit = asked.limit();
    let next = if listed.len() > limit { listed.get(limit - 1).map(|ring| ring.id.clone()) } else { None };
    listed.truncate(limit);
    let mut page = lookup::rings_page(&listed, &meta, false);
    page["next"] = json!(next);
    asked.reader.rings_page(&mut page);
    bound::each(&mut page, "rings", |ring| bound::first(ring, "families", MOST_OF_RING));
    Ok(Reply::json(page))
}

/// A ring that this reader is told of.
fn known_ring(held: &Held, asked: &Asked) -> Result<(Vec<Ring>, report::ring::RingsMeta), Fault> {
    let id = asked.given.text("id").unwrap_or_default().to_owned();
    let (rings, meta) = lookup::chosen_rings(held.store(), std::slice::from_ref(&id)).map_err(missing)?;
    if rings.iter().all(|ring| asked.reader.is_told_of(ring.accounts)) {
        Ok((rings, meta))
    } else {
        Err(unknown("a ring", &id))
    }
}

pub(super) fn ring(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let (rings, meta) = known_ring(held, asked)?;
    let mut page = lookup::ring_page(held.store(), &rings, &meta, MOST_MEMBERS)?;
    asked.reader.rings_page(&mut page);
    let id = asked.given.text("id").unwrap_or_default();
    Ok(Reply::json(page).with(asked.read(format!("ring {id}"))))
}

pub(super) fn ring_members(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let (rings, _) = known_ring(held, asked)?;
    let all = rings.first().map_or(&[][..], |ring| &ring.members);
    let after = asked.given.account("cursor");
    let from = after.map_or(Some(0), |after| Some(1 + all.iter().position(|member| member.account == after)?));
    let rest = from.map(|from| &all[from..]).ok_or_else(gone)?;
    let listed = &rest[..rest.len().min(asked.limit())];
    let next = listed.last().filter(|_| listed.len() < rest.len()).map(|last| last.account);
    let id = asked.given.text("id").unwrap_or_default();
    let page = json!({ "schema": 1, "members": value(&listed)?, "next": next });
    Ok(Reply::json(page).with(asked.read(format!("ring {id}"))))
}

// Searches and reveals.

pub(super) fn similar(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let given = &asked.given;
    let text = given.text("text").unwrap_or_default();
    only_seen(asked, &["account"])?;
    let query = SimilarQuery {
        text: text.to_owned(),
        k: given.number("k").unwrap_or(10) as usize,
        since: given.moment("since"),
        until: given.moment("until"),
        nights: nights_of(given),
        account: given.account("account"),
        model: given.text("model").map(str::to_owned),
        family: given.family("family"),
    };
    let mut page = value(&held.opened.similar(&query).map_err(missing)?)?;
    let least = given.number("least_percent").map(|percent| percent as f32 / 100.0);
    if let Some(hits) = page["hits"].as_array_mut() {
        let near = |similarity: f64| least.is_none_or(|least| similarity as f32 >= least);
        hits.retain(|hit| hit["similarity"].as_f64().is_none_or(near));
        for hit in hits.iter_mut().filter_map(Value::as_object_mut) {
            for (from, to) in [("prompt", "text"), ("exchange_id", "exchange")] {
                let moved = hit.remove(from).unwrap_or_default();
                hit.insert(to.to_owned(), moved);
            }
        }
    }
    asked.reader.hits(&mut page);
    let subject = format!("text {}", crate::ids::Digest::of(text.as_bytes()));
    let purpose = given.text("purpose").map(str::to_owned).or_else(|| asked.purpose.clone());
    Ok(Reply::json(page).with(vec![Access { act: "similar", subject, purpose }]))
}

pub(super) fn reveal(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let given = &asked.given;
    let purpose = given.text("purpose").map(str::to_owned);
    let (page, subject) = match (given.text("account"), given.text("exchange")) {
        (Some(text), None) => {
            let (id, name) = named(state, held, text)?;
            (json!({ "schema": 1, "account": id, "name": name.0, "note": name.1 }), format!("account {id}"))
        }
        (None, Some(id)) => (exchange_page(held, id)?, format!("exchange {id}")),
        _ => return Err(Fault::value("expected one of account and exchange, got both or neither")),
    };
    Ok(Reply { whole: true, ..Reply::json(page) }.with(vec![Access { act: "reveal", subject, purpose }]))
}

pub(super) fn exchange(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    purposed(asked, "an exchange holds its texts")?;
    let id = asked.given.text("id").unwrap_or_default();
    let page = exchange_page(held, id)?;
    Ok(Reply { whole: true, ..Reply::json(page) }.with(asked.did("reveal", format!("exchange {id}"))))
}

/// An exchange as it came.
fn exchange_page(held: &Held, id: &str) -> Result<Value, Fault> {
    let mut page = value(&held.opened.exchange(id).map_err(missing)?)?;
    for (from, to) in [("prompt", "text"), ("exchange_id", "exchange")] {
        page[to] = page[from].take();
    }
    if let Some(fields) = page.as_object_mut() {
        fields.retain(|name, _| !["prompt", "exchange_id"].contains(&name.as_str()));
    }
    Ok(page)
}

/// An account's own name, or why it cannot be told.
type Named = (Option<String>, Option<&'static str>);

/// The pseudonym of an account with its own name, where that can be told; else why not.
fn named(state: &State, held: &Held, text: &str) -> Result<(AccountId, Named), Fault> {
    let key = state.settings.key.as_ref();
    let id: AccountId = match (text.parse(), key) {
        (Ok(id), _) => id,
        (Err(()), Some(key)) => AccountId::derive(key.bytes(), text),
        (Err(()), None) => {
            return Err(Fault::value("expected the pseudonym of an account (a and 24 hex digits)")
                .hint("an account's own name is understood where the desk was started with --key"));
        }
    };
    held.opened.account(id).map_err(missing)?;
    if text.parse::<AccountId>().is_err() {
        return Ok((id, (Some(text.to_owned()), None)));
    }
    let (Some(key), Some(path)) = (key, &state.settings.accounts) else {
        let why = "a pseudonym cannot be turned back; start the desk with --key and --accounts, the list of the provider's own names";
        return Ok((id, (None, Some(why))));
    };
    let list = read_bounded(path, LONGEST_DIRECTORY)?;
    let names = list.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()).map(str::trim);
    let found = names.filter(|name| !name.is_empty()).find(|name| AccountId::derive(key.bytes(), name) == id);
    Ok((
        id,
        (
            found.map(str::to_owned),
            found.is_none().then_some("no name of the list given with --accounts has this pseudonym"),
        ),
    ))
}

// What people say.

fn act(asked: &Asked, command: &str, arguments: Vec<String>) -> Act {
    Act {
        author: asked.name().to_owned(),
        time: asked.now,
        command: command.to_owned(),
        arguments,
        inputs: Vec::new(),
        result: None,
    }
}

/// Writes into the store, one after another of those who ask this desk; another writer, the nightly job for one, is told to them as such.
fn write<T>(state: &State, act: impl FnOnce() -> crate::error::Result<T>) -> crate::error::Result<T> {
    let _one = state.writing.lock().unwrap_or_else(PoisonError::into_inner);
    act()
}

fn say(state: &State, held: &Held, asked: &Asked, what: (&str, Option<report::ring::Disposition>)) -> Answer {
    let (rings, _) = known_ring(held, asked)?;
    let ring = rings.first().map(|ring| ring.id.as_str()).unwrap_or_default();
    let command = if what.1.is_some() { "ring dispose" } else { "ring note" };
    let verdict = what.1.map(|verdict| format!("--verdict={}", verdict.word()));
    let arguments = [Some(format!("--ring={ring}")), verdict].into_iter().flatten().collect();
    let by = By { name: &state.settings.holder, act: Some(act(asked, command, arguments)) };
    write(state, || upkeep::note(&state.desk.dir, ring, what, &Said { author: asked.name(), time: asked.now }, by))?;
    let page = json!({ "schema": 1, "ring": ring, "author": asked.name(), "time": asked.now,
        "disposition": what.1.map(report::ring::Disposition::word) });
    let done = if what.1.is_some() { "dispose" } else { "note" };
    Ok(Reply { status: 201, ..Reply::json(page) }.with(asked.did(done, format!("ring {ring}"))))
}

pub(super) fn note(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    say(state, held, asked, (asked.given.text("text").unwrap_or_default(), None))
}

pub(super) fn dispose(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    say(state, held, asked, (asked.given.text("note").unwrap_or_default(), asked.given.disposition()))
}

pub(super) fn assign(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let (rings, _) = known_ring(held, asked)?;
    let ring = rings.first().map(|ring| ring.id.as_str()).unwrap_or_default();
    let assignee = asked.given.text("assignee");
    let by = By { name: &state.settings.holder, act: Some(act(asked, "ring assign", vec![format!("--ring={ring}")])) };
    write(state, || {
        upkeep::assign(&state.desk.dir, ring, assignee, &Said { author: asked.name(), time: asked.now }, by)
    })?;
    let page = json!({ "schema": 1, "ring": ring, "author": asked.name(), "time": asked.now, "assignee": assignee });
    Ok(Reply { status: 201, ..Reply::json(page) }.with(asked.did("assign", format!("ring {ring}"))))
}

/// What a saved question may ask: names of routes.
pub(super) const ASKS: &[&str] = &["families", "rings", "similar"];

pub(super) fn saved(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let mut saved = lookup::saved(held.store(), asked.name())?;
    let after = asked.given.number("cursor").unwrap_or(0);
    saved.retain(|saved| saved.id > after);
    let limit = asked.limit();
    let next = saved.get(limit).and(saved.get(limit - 1)).map(|last| last.id);
    saved.truncate(limit);
    let mut page = json!({ "schema": 1, "saved": value(&saved)?, "next": next });
    asked.reader.saved(&mut page, asked.name());
    Ok(Reply::json(page).with(asked.read("saved questions".into())))
}

pub(super) fn save(state: &State, _: &Arc<Held>, asked: &Asked) -> Answer {
    let given = &asked.given;
    let (asks, values) =
        given.first_of(ASKS).ok_or_else(|| Fault::value(format!("expected one of {}", ASKS.join(", "))))?;
    let name = given.text("name").unwrap_or_default().to_owned();
    let question = Question { name, shared: given.flag("shared"), asks, given: values.clone() };
    let told = vec![format!("--asks={asks}"), format!("--shared={}", question.shared)];
    let by = By { name: &state.settings.holder, act: Some(act(asked, "desk save", told)) };
    let id =
        write(state, || upkeep::save(&state.desk.dir, question, &Said { author: asked.name(), time: asked.now }, by))?;
    let page = json!({ "schema": 1, "id": id });
    Ok(Reply { status: 201, ..Reply::json(page) }.with(asked.did("save", format!("question {id}"))))
}

pub(super) fn unsave(state: &State, _: &Arc<Held>, asked: &Asked) -> Answer {
    let id = asked.given.number("id").unwrap_or_default();
    let by =
        By { name: &state.settings.holder, act: Some(act(asked, "desk unsave", vec![format!("--question={id}")])) };
    let any = asked.reader.role == Role::Admin;
    write(state, || upkeep::unsave(&state.desk.dir, id, any, &Said { author: asked.name(), time: asked.now }, by))
        .map_err(missing)?;
    let did = asked.did("unsave", format!("question {id}"));
    Ok(Reply { status: 204, body: Body::Nothing, did, cookie: None, whole: false, who: None })
}

pub(super) fn registry(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let entries = lookup::registry(held.store())?;
    // A registered text is public by what the registry says of it; it is shown to whoever may add to it.
    let from = asked.given.number("cursor").unwrap_or(0) as usize;
    let listed: Vec<_> = entries.iter().skip(from).take(asked.limit()).collect();
    let next = Some(from.saturating_add(listed.len())).filter(|&next| next < entries.len());
    Ok(Reply::json(json!({ "schema": 1, "entries": value(&listed)?, "total": entries.len(), "next": next })))
}

pub(super) fn suggest(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let candidates = held.opened.suggest()?;
    Ok(Reply::json(json!({ "schema": 1, "candidates": value(&*candidates)? })).with(asked.read("suggestions".into())))
}

pub(super) fn register(state: &State, _: &Arc<Held>, asked: &Asked) -> Answer {
    let given = &asked.given;
    let kind = given.registered().ok_or_else(|| Fault::value("expected a kind"))?;
    let what = match (given.text("text"), given.text("digest"), given.account("account")) {
        (Some(text), None, None) => What::Text(text.to_owned()),
        (None, Some(digest), None) => What::Digest(digest.parse().map_err(|()| Fault::value("expected a digest"))?),
        (None, None, Some(account)) => What::Account(account),
        _ => return Err(Fault::value("expected one of text, digest and account, got several or none")),
    };
    let name = given.text("name").unwrap_or_default().to_owned();
    let new = Registration {
        kind,
        what: vec![(name, what)],
        provenance: given.text("provenance").unwrap_or_default().to_owned(),
        public_since: given.moment("public_since"),
    };
    let told = vec![format!("--kind={}", kind.word()), "--entries=1".to_owned()];
    let by = By { name: &state.settings.holder, act: Some(act(asked, "registry add", told)) };
    let added =
        write(state, || upkeep::register(&state.desk.dir, new, &Said { author: asked.name(), time: asked.now }, by))?;
    let page = json!({ "schema": 1, "added": added });
    Ok(Reply { status: 201, ..Reply::json(page) }.with(asked.did("register", format!("kind {}", kind.word()))))
}

pub(super) fn unregister(state: &State, _: &Arc<Held>, asked: &Asked) -> Answer {
    let name = asked.given.text("name").unwrap_or_default();
    let by = By { name: &state.settings.holder, act: Some(act(asked, "registry remove", Vec::new())) };
    let removed = write(state, || upkeep::unregister(&state.desk.dir, name, by)).map_err(missing)?;
    let subject = format!("name {}", crate::ids::Digest::of(name.as_bytes()));
    Ok(Reply::json(json!({ "schema": 1, "removed": removed })).with(asked.did("unregister", subject)))
}

// Files and chains.

pub(super) fn export_members(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    export(held, asked, export::What::Members)
}

pub(super) fn export_families(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    purposed(asked, "an export of families holds their texts")?;
    export(held, asked, export::What::Families)
}

pub(super) fn export_rings(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    export(held, asked, export::What::Rings)
}

fn export(held: &Arc<Held>, asked: &Asked, what: export::What) -> Answer {
    let given = &asked.given;
    let format = what.format(given.text("format").unwrap_or("csv")).map_err(|error| Fault::value(error.to_string()))?;
    let families = ListQuery { most: usize::MAX, trivial: true, after: None, ..wanted(asked) };
    let tlp = given.text("tlp").and_then(Tlp::of);
    let wanted = lookup::Export { what, format, tlp, least: given.rung(), families };
    let held = Arc::clone(held);
    let write: Write2 = Box::new(move |out| lookup::export(held.store(), &wanted, out));
    let body = Body::Stream(format.media(), format!("{}.{}", what.word(), format.ending()), write);
    let did = asked.did("export", format!("{} {}", what.word(), format.word()));
    Ok(Reply { status: 200, body, did, cookie: None, whole: false, who: None })
}

pub(super) fn custody(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let rows = custody::rows(held.store())?;
    let (row, head) = custody::head(&rows);
    let (newest, next) = newest_first(&rows, asked, |row| row.row);
    let faults = custody::faults(&rows);
    let page = json!({ "schema": 1, "rows": value(&newest)?, "head": { "row": row, "head": head }, "faults": faults, "next": next });
    Ok(Reply::json(page))
}

pub(super) fn access(state: &State, asked: &Asked) -> Answer {
    let verified = super::access::verify(&state.settings.log)?;
    let (row, head) = verified.head();
    let (newest, next) = newest_first(&verified.rows, asked, |row| row.row);
    let page = json!({ "schema": 1, "rows": value(&newest)?, "head": { "row": row, "head": head }, "faults": verified.faults, "next": next });
    Ok(Reply::json(page).with(asked.did("log", "access log".into())))
}

// The server itself.

pub(super) fn document(_: &State, _: &Asked) -> Answer {
    Ok(Reply::json(openapi::document()))
}

pub(super) fn healthy(_: &State, _: &Asked) -> Answer {
    Ok(Reply::json(json!({ "status": "ok" })))
}

pub(super) fn ready(_: &State, held: &Arc<Held>, _: &Asked) -> Answer {
    Ok(Reply::json(json!({ "status": "ready", "night": held.night, "digest": held.digest })))
}

pub(super) fn metrics(state: &State, _: &Asked) -> Answer {
    let night = state.desk.held().map(|held| f64::from(held.night)).unwrap_or(-1.0);
    let text = state.metrics.text(&[
        ("stillhunt_night", "Newest night of the store; -1 where it cannot be opened", night),
        ("stillhunt_sessions", "Sessions of the page that are open", state.sessions.count() as f64),
        ("stillhunt_answering", "Requests that wait or are being answered", state.answering() as f64),
    ]);
    let body = Body::Text("text/plain; version=0.0.4; charset=utf-8", text);
    Ok(Reply { status: 200, body, did: Vec::new(), cookie: None, whole: false, who: None })
}
