//! Exports, the chains of custody and of access, and the server itself.
//!
//! The idea: exports are streams; the chain of custody is read and checked as a whole for each answer, the access log row by row as it grows, and
//! the rows that are shown once more. Weakness: what somebody changes behind a running server's back in rows that nobody looks at shows when it
//! starts again, or in `serve log verify`. Guarantee: a page of the access log costs no more for a log that is older.

use super::{Answer, Asked, Body, Reply, Write2, newest_first, purposed, value, wanted};
use crate::lookup::{self, ListQuery};
use crate::report::export::{self, Tlp};
use crate::server::desk::Held;
use crate::server::fault::Fault;
use crate::server::{State, openapi};
use crate::store::custody;
use serde_json::json;
use std::sync::{Arc, PoisonError};

pub(in crate::server) fn export_members(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    export(held, asked, export::What::Members)
}

pub(in crate::server) fn export_families(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    purposed(asked, "an export of families holds their texts")?;
    export(held, asked, export::What::Families)
}

pub(in crate::server) fn export_rings(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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

pub(in crate::server) fn custody(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let rows = custody::rows(held.store())?;
    let (row, head) = custody::head(&rows);
    let (newest, next) = newest_first(&rows, asked, |row| row.row);
    let faults = custody::faults(&rows);
    let page = json!({ "schema": 1, "rows": value(&newest)?, "head": { "row": row, "head": head }, "faults": faults, "next": next });
    Ok(Reply::json(page))
}

pub(in crate::server) fn access(state: &State, asked: &Asked) -> Answer {
    let mut log = state.access.lock().unwrap_or_else(PoisonError::into_inner);
    let (newest, verified) = log.newest(asked.given.number("cursor"), asked.limit() as u64)?;
    drop(log);
    let (row, head) = &verified.head;
    let next = newest.last().map(|last| last.row).filter(|oldest| *oldest > 1);
    let page = json!({ "schema": 1, "rows": value(&newest)?, "head": { "row": row, "head": head }, "faults": verified.faults, "next": next });
    Ok(Reply::json(page).with(asked.did("log", "access log".into())))
}

// The server itself.

pub(in crate::server) fn document(_: &State, _: &Asked) -> Answer {
    Ok(Reply::json(openapi::document()))
}

pub(in crate::server) fn healthy(_: &State, _: &Asked) -> Answer {
    Ok(Reply::json(json!({ "status": "ok" })))
}

pub(in crate::server) fn ready(_: &State, held: &Arc<Held>, _: &Asked) -> Answer {
    Ok(Reply::json(json!({ "status": "ready", "night": held.night, "digest": held.digest })))
}

pub(in crate::server) fn metrics(state: &State, _: &Asked) -> Answer {
    let night = state.desk.held().map(|held| f64::from(held.night)).unwrap_or(-1.0);
    let text = state.metrics.text(&[
        ("stillhunt_night", "Newest night of the store; -1 where it cannot be opened", night),
        ("stillhunt_sessions", "Sessions of the page that are open", state.sessions.count() as f64),
        ("stillhunt_answering", "Requests that wait or are being answered", state.answering() as f64),
    ]);
    let body = Body::Text("text/plain; version=0.0.4; charset=utf-8", text);
    Ok(Reply { status: 200, body, did: Vec::new(), cookie: None, whole: false, who: None })
}
