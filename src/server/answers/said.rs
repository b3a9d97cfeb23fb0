//! What people say, and what is registered: notes, verdicts, assignees, kept questions, entries of the registry.
//!
//! The idea: who writes is a writer of the store as the command line is, with a row of the chain of custody. Weakness: a writer waits for another
//! of this desk. Guarantee: nothing is written in anybody else's name.

use super::{Answer, Asked, Body, Reply, known_ring, missing, value};
use crate::lookup;
use crate::report;
use crate::server::State;
use crate::server::desk::Held;
use crate::server::fault::Fault;
use crate::server::who::Role;
use crate::store::custody::{Act, By};
use crate::stored::registry::What;
use crate::upkeep::{self, Question, Registration, Said};
use serde_json::json;
use std::sync::{Arc, PoisonError};

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

pub(in crate::server) fn note(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    say(state, held, asked, (asked.given.text("text").unwrap_or_default(), None))
}

pub(in crate::server) fn dispose(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    say(state, held, asked, (asked.given.text("note").unwrap_or_default(), asked.given.disposition()))
}

pub(in crate::server) fn assign(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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
pub(in crate::server) const ASKS: &[&str] = &["families", "rings", "similar"];

pub(in crate::server) fn saved(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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

pub(in crate::server) fn save(state: &State, _: &Arc<Held>, asked: &Asked) -> Answer {
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

pub(in crate::server) fn unsave(state: &State, _: &Arc<Held>, asked: &Asked) -> Answer {
    let id = asked.given.number("id").unwrap_or_default();
    let by =
        By { name: &state.settings.holder, act: Some(act(asked, "desk unsave", vec![format!("--question={id}")])) };
    let any = asked.reader.role == Role::Admin;
    write(state, || upkeep::unsave(&state.desk.dir, id, any, &Said { author: asked.name(), time: asked.now }, by))
        .map_err(missing)?;
    let did = asked.did("unsave", format!("question {id}"));
    Ok(Reply { status: 204, body: Body::Nothing, did, cookie: None, whole: false, who: None })
}

pub(in crate::server) fn registry(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let entries = lookup::registry(held.store())?;
    // A registered text is public by what the registry says of it; it is shown to whoever may add to it.
    let from = asked.given.number("cursor").unwrap_or(0) as usize;
    let listed: Vec<_> = entries.iter().skip(from).take(asked.limit()).collect();
    let next = Some(from.saturating_add(listed.len())).filter(|&next| next < entries.len());
    Ok(Reply::json(json!({ "schema": 1, "entries": value(&listed)?, "total": entries.len(), "next": next })))
}

pub(in crate::server) fn suggest(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let candidates = held.opened.suggest()?;
    Ok(Reply::json(json!({ "schema": 1, "candidates": value(&*candidates)? })).with(asked.read("suggestions".into())))
}

pub(in crate::server) fn register(state: &State, _: &Arc<Held>, asked: &Asked) -> Answer {
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

pub(in crate::server) fn unregister(state: &State, _: &Arc<Held>, asked: &Asked) -> Answer {
    let name = asked.given.text("name").unwrap_or_default();
    let by = By { name: &state.settings.holder, act: Some(act(asked, "registry remove", Vec::new())) };
    let removed = write(state, || upkeep::unregister(&state.desk.dir, name, by)).map_err(missing)?;
    let subject = format!("name {}", crate::ids::Digest::of(name.as_bytes()));
    Ok(Reply::json(json!({ "schema": 1, "removed": removed })).with(asked.did("unregister", subject)))
}
