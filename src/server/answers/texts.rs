//! Texts and names: searches, exchanges, reveals.
//!
//! The idea: each of these is an act, with or without a purpose, and its row of the access log comes with the answer. Weakness: an account's own
//! name is looked for in the provider's list from its beginning. Guarantee: no text of a search is in the log, only its digest.

use super::{Answer, Asked, Reply, missing, nights_of, only_seen, purposed, value};
use crate::ids::AccountId;
use crate::lookup::SimilarQuery;
use crate::server::State;
use crate::server::access::Access;
use crate::server::desk::Held;
use crate::server::fault::Fault;
use crate::store::files::read_bounded;
use serde_json::{Value, json};
use std::sync::Arc;

/// Longest list of the provider's own names of accounts.
const LONGEST_DIRECTORY: u64 = 1 << 30;

pub(in crate::server) fn similar(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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

pub(in crate::server) fn reveal(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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

pub(in crate::server) fn exchange(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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
