//! What people say to a store about rings: notes, dispositions, who looks into one, sets of accounts to be tested, alerts that went out.

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, Digest, Time};
use crate::report::ring::Disposition;
use crate::store::custody::By;
use crate::store::{Store, Writer};
use crate::stored::rings::{Event, Kind, draw, events, say};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Longest text of a note, and of an author's name.
const LONGEST: [usize; 2] = [10_000, 200];

/// Who says something, and when.
#[derive(Clone, Debug)]
pub struct Said<'a> {
    /// The author's name.
    pub author: &'a str,
    /// The moment.
    pub time: Time,
}

/// A set of accounts that an analyst drew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drawn {
    /// Version of this form.
    pub schema: u32,
    /// Its accounts that the store knows.
    pub accounts: u64,
    /// Those that it does not know.
    pub unknown: u64,
    /// The newest day when it was frozen: later days test it.
    #[serde(serialize_with = "crate::report::date")]
    pub day: i64,
    /// Digest of what is frozen.
    pub frozen: Digest,
}

/// Notes something about a ring; with a disposition, the analyst's verdict too.
/// # Errors
/// `Input` when a text is empty or too long; `Store` when another writer holds the store, or it is damaged.
pub fn note<'a>(
    dir: &Path,
    ring: &str,
    (text, disposition): (&str, Option<Disposition>),
    said: &Said<'_>,
    by: impl Into<By<'a>>,
) -> Result<()> {
    bounded("note", text, LONGEST[0], disposition.is_some())?;
    let verdict = disposition.map(|disposition| (Kind::Disposition, disposition.word()));
    let note = (!text.trim().is_empty()).then_some((Kind::Note, text));
    say_of(dir, ring, verdict.into_iter().chain(note), said, by.into())
}

/// Says who is to look into a ring, by name; none is nobody. All that was said stays in the ring's notes.
/// # Errors
/// `Input` when a name is empty or too long; `Store` when another writer holds the store, or it is damaged.
pub fn assign<'a>(
    dir: &Path,
    ring: &str,
    assignee: Option<&str>,
    said: &Said<'_>,
    by: impl Into<By<'a>>,
) -> Result<()> {
    if let Some(name) = assignee {
        bounded("name", name, LONGEST[1], false)?;
    }
    say_of(dir, ring, [(Kind::Assignee, assignee.unwrap_or_default())], said, by.into())
}

/// Refuses a text that is too long, or blank where it must not be.
pub(super) fn bounded(what: &str, text: &str, longest: usize, may_be_empty: bool) -> Result<()> {
    if text.len() > longest || text.trim().is_empty() && !may_be_empty {
        let message = format!("expected a {what} of 1 to {longest} bytes, got {}", text.len());
        return Err(Error::new(ErrorKind::Input, message));
    }
    Ok(())
}

fn say_of<'a>(
    dir: &Path,
    ring: &str,
    what: impl IntoIterator<Item = (Kind, &'a str)>,
    said: &Said<'_>,
    by: By<'_>,
) -> Result<()> {
    bounded("author", said.author, LONGEST[1], false)?;
    Store::open(dir)?;
    let (mut writer, _) = Writer::open(dir, by.name, &[])?;
    let event = |(kind, value): (Kind, &str)| Event {
        ring: ring.to_owned(),
        time: said.time,
        author: said.author.to_owned(),
        kind,
        value: value.to_owned(),
    };
    writer.witness(by.act);
    say(&mut writer, &what.into_iter().map(event).collect::<Vec<Event>>())
}

/// Adds what `by` did to the chain of custody of the store at `dir`, and changes nothing else.
/// # Errors
/// `Store` when another writer holds the store, or the catalog cannot be written.
pub fn witness<'a>(dir: &Path, by: impl Into<By<'a>>) -> Result<()> {
    let by = by.into();
    Store::open(dir)?;
    let (mut writer, _) = Writer::open(dir, by.name, &[])?;
    writer.witness(by.act);
    writer.record(|_| Ok(()))
}

/// Freezes a set of accounts: every later day tests it, and until one confirms it, it is a guess.
/// # Errors
/// `Input` when the store knows fewer than three of the accounts, or no day was read yet; `Store` when another writer holds it.
pub fn propose<'a>(dir: &Path, accounts: &[AccountId], by: impl Into<By<'a>>) -> Result<Drawn> {
    Store::open(dir)?;
    let by = by.into();
    let (mut writer, _) = Writer::open(dir, by.name, &[])?;
    let all: Vec<(u32, String)> =
        writer.store.catalog().all("SELECT account, id FROM accounts", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let numbers: BTreeMap<String, u32> = all.into_iter().map(|(number, id)| (id, number)).collect();
    let known = accounts.iter().filter_map(|account| numbers.get(&account.to_string()).copied());
    let mut known: Vec<u32> = known.collect();
    known.sort_unstable();
    known.dedup();
    let n = known.len() as u64;
    writer.witness(by.act);
    let (day, frozen) = draw(&mut writer, known)?;
    Ok(Drawn { schema: 1, accounts: n, unknown: accounts.len() as u64 - n, day: i64::from(day), frozen })
}

/// Rings, each with a rung, of which no alert has gone out at that rung or a higher one; `rungs` are all, lowest first.
/// # Errors
/// `Store` when the catalog is damaged.
pub fn unsaid(store: &Store, rings: &[(String, String)], rungs: &[&str]) -> Result<Vec<String>> {
    let place = |rung: &str| rungs.iter().position(|other| *other == rung);
    let mut said: BTreeMap<String, Option<usize>> = BTreeMap::new();
    for event in events(store)?.into_iter().filter(|event| event.kind == Kind::Alert) {
        let before = said.entry(event.ring).or_default();
        *before = (*before).max(place(&event.value));
    }
    let is_new = |(ring, rung): &&(String, String)| said.get(ring).is_none_or(|before| *before < place(rung));
    Ok(rings.iter().filter(is_new).map(|(ring, _)| ring.clone()).collect())
}

/// Records that alerts went out: rings with their rungs.
/// # Errors
/// `Store` when another writer holds the store, or the catalog cannot be written.
pub fn alerted(dir: &Path, rings: &[(String, String)], time: Time, holder: &str) -> Result<()> {
    let (mut writer, _) = Writer::open(dir, holder, &[])?;
    let event = |(ring, rung): &(String, String)| Event {
        ring: ring.clone(),
        time,
        author: "stillhunt".to_owned(),
        kind: Kind::Alert,
        value: rung.clone(),
    };
    say(&mut writer, &rings.iter().map(event).collect::<Vec<Event>>())
}
