//! The answers of the desk: what the command line prints for the same question, as the role may see it. Each route has its handler in one of the
//! files beside this.
//!
//! The idea: a handler asks `lookup`, turns the value into JSON, and lets [`Reader`](super::show::Reader) take out what the asker must not see; what
//! shows text, account or exchange says so as a row of the access log, which is written before the answer leaves. Weakness: an answer is
//! made whole in memory, exports apart. Guarantee: no handler sends what did not pass the reader.

pub(super) mod files;
pub(super) mod lists;
pub(super) mod said;
pub(super) mod texts;

use super::access::Access;
use super::desk::Held;
use super::fault::Fault;
use super::given::Given;
use super::show::Reader;
use super::who::{Role, Who};
use crate::error::{Error, ErrorKind};
use crate::ids::Time;
use crate::lookup::ListQuery;
use crate::report::ring::{Ring, RingsMeta};
use serde_json::Value;
use std::io::Write;

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

/// Refuses who has not said what texts are wanted for.
fn purposed(asked: &Asked, why: &str) -> Result<(), Fault> {
    if asked.reader.purposed {
        return Ok(());
    }
    Err(Fault::new(403, "purpose_required", format!("expected a purpose, since {why}"))
        .hint("send the header Stillhunt-Purpose, or log in with a purpose"))
}

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

/// A ring that this reader is told of.
fn known_ring(held: &Held, asked: &Asked) -> Result<(Vec<Ring>, RingsMeta), Fault> {
    let id = asked.given.text("id").unwrap_or_default().to_owned();
    let all = held.opened.rings()?;
    let rings = all.chosen(std::slice::from_ref(&id)).map_err(missing)?;
    if rings.iter().all(|ring| asked.reader.is_told_of(ring.accounts)) {
        Ok((rings, all.meta.clone()))
    } else {
        Err(unknown("a ring", &id))
    }
}
