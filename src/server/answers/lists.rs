//! What the store has: the night's report, families, accounts, rings, a page or a row at a time.
//!
//! The idea: a list that grows with the store comes in pages, and a page begins behind the row that its cursor names. Weakness: a list is made
//! anew for each page. Guarantee: pages of one commit join without a gap and without a row twice.

use super::{
    Answer, Asked, Reply, gone, known_ring, missing, newest_first, only_seen, purposed, unknown, value, wanted,
};
use crate::audit::known_texts;
use crate::ids::Time;
use crate::lookup::{self, ListQuery};
use crate::report::Report;
use crate::report::ring::Ring;
use crate::server::desk::{Held, MOST_FAMILIES};
use crate::server::fault::Fault;
use crate::server::{State, bound};
use crate::stored::FragmentConfig;
use serde_json::{Value, json};
use std::sync::{Arc, MutexGuard, TryLockError};

/// Accounts that the page of a family or of a ring has; a list of their own has the others.
const MOST_MEMBERS: usize = 200;
/// Families of each ring in a list of rings, as many as are drawn; the page of a ring has them all.
const MOST_OF_RING: usize = 60;
/// Rings of a night's report; the list of rings has them all.
const MOST_RINGS: usize = 100;

pub(in crate::server) fn tonight(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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

pub(in crate::server) fn nights(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let report = held.report()?;
    let (nights, next) = newest_first(&report.nights, asked, |night| u64::from(night.night));
    Ok(Reply::json(json!({
        "schema": 1, "night": held.night, "digest": held.digest, "nights": nights, "store": report.store, "next": next,
    })))
}

pub(in crate::server) fn families(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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

pub(in crate::server) fn family(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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

pub(in crate::server) fn family_accounts(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let id = asked.given.family("id").ok_or_else(|| Fault::unknown("expected the name of a family"))?;
    let after = asked.given.account("cursor");
    let (members, left_out) = held.opened.family_accounts(id, after, asked.limit()).map_err(missing)?;
    let next = members.last().filter(|_| left_out > 0).map(|last| last.account);
    Ok(Reply::json(json!({ "schema": 1, "members": value(&members)?, "next": next }))
        .with(asked.read(format!("family {id}"))))
}

pub(in crate::server) fn account(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let id = asked.given.account("id").ok_or_else(|| Fault::unknown("expected the pseudonym of an account"))?;
    let mut page = value(&held.opened.account(id).map_err(missing)?)?;
    asked.reader.account_page(&mut page);
    Ok(Reply::json(page).with(asked.read(format!("account {id}"))))
}

pub(in crate::server) fn rings(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let all = held.opened.rings()?;
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
    let mut listed: Vec<&Ring> = all
        .listed
        .iter()
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
    let listed: Vec<Ring> = listed.into_iter().take(limit).cloned().collect();
    let mut page = lookup::rings_page(&listed, &all.meta, false);
    page["next"] = json!(next);
    asked.reader.rings_page(&mut page);
    bound::each(&mut page, "rings", |ring| bound::first(ring, "families", MOST_OF_RING));
    Ok(Reply::json(page))
}

pub(in crate::server) fn behind(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let gateway = asked.given.account("id").ok_or_else(|| Fault::unknown("expected the pseudonym of an account"))?;
    let _alone = alone(state)?;
    // What audits named as known stands in the store; a file of more is the command line's.
    let known = known_texts(&FragmentConfig::default());
    let found = lookup::rings_behind(held.store(), state.desk.model, &known, gateway).map_err(missing)?;
    let did = asked.did("rings-behind", format!("account {gateway}"));
    let mut page = lookup::behind_page(&found);
    bound::each(&mut page, "rings", |ring| bound::first(ring, "families", MOST_OF_RING));
    let mut left_out = serde_json::Map::new();
    for (ring, members) in page["members"].as_object_mut().into_iter().flatten() {
        let members = members.as_array_mut();
        left_out.insert(ring.clone(), members.as_ref().map_or(0, |all| all.len().saturating_sub(MOST_MEMBERS)).into());
        members.into_iter().for_each(|members| members.truncate(MOST_MEMBERS));
    }
    page["members_left_out"] = left_out.into();
    Ok(Reply::json(page).with(did))
}

pub(in crate::server) fn placebo(state: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let (walks, seed) = (asked.given.number("walks").unwrap_or(10), asked.given.number("seed").unwrap_or(1));
    let _alone = alone(state)?;
    let all = lookup::placebo(held.store(), state.desk.model, walks, seed)?;
    Ok(Reply::json(lookup::placebo_page(&all)).with(asked.read(format!("placebo, {walks} walks"))))
}

/// The place of the one question that reads all days.
fn alone(state: &State) -> Result<MutexGuard<'_, ()>, Fault> {
    let busy = || Fault::new(503, "busy", "another question that reads all days is being answered");
    match state.all_days.try_lock() {
        Ok(place) => Ok(place),
        Err(TryLockError::Poisoned(place)) => Ok(place.into_inner()),
        Err(TryLockError::WouldBlock) => Err(busy().hint("send it again").again(30)),
    }
}

pub(in crate::server) fn ring(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
    let (rings, meta) = known_ring(held, asked)?;
    let mut page = lookup::ring_page(held.store(), &rings, &meta, MOST_MEMBERS)?;
    asked.reader.rings_page(&mut page);
    let id = asked.given.text("id").unwrap_or_default();
    Ok(Reply::json(page).with(asked.read(format!("ring {id}"))))
}

pub(in crate::server) fn ring_members(_: &State, held: &Arc<Held>, asked: &Asked) -> Answer {
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
