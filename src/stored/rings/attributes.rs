//! What the log says of accounts beside their texts: the attributes of a day's exchanges, as the statistics of composition read them.

use super::super::known::SINGLE;
use super::super::standing::family_key;
use super::days::day_of;
use crate::error::Result;
use crate::ids::{Digest, Field, Level};
use crate::ring::Ring;
use crate::ring::composition::{Asker, Composition, composition, composition_of_any_plan};
use crate::ring::timing::{OTHER_HOURS, Timing, Use, timing, timing_in_other_intervals};
use crate::store::postings::{NONE, Posting};
use crate::store::{Named, Night, Store, tables};
use crate::stored::view::View;
use arrow_array::cast::AsArray;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Attributes that are compared: the name in reports, and those in logs, in lower case.
pub(crate) const ATTRIBUTES: [(&str, &[&str]); 5] = [
    ("payment", &["payment", "payment_token", "payment_method", "card", "billing_account"]),
    ("network", &["asn", "network", "as_number"]),
    ("client", &["client", "user_agent", "client_fingerprint", "ja3", "ja4"]),
    ("region", &["region", "country"]),
    ("registered", &["registered", "registration_day", "account_created"]),
];
/// Names of the plan, which tells with whom an account is compared.
const PLAN: [&str; 2] = ["tier", "plan"];
/// Names of the organisation, which explains accounts that act together.
const ORGANISATION: [&str; 3] = ["organization", "organisation", "org_id"];
/// Bytes of a cell that are read.
const MOST: usize = 64 << 10;

/// What the first group of a ring has in common beside its texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct InCommon {
    /// By attribute, where enough is known.
    pub(crate) composition: Option<Composition>,
    /// The same where accounts of any plan are compared.
    pub(crate) of_any_plan: Option<Composition>,
    /// How simultaneously they used the ring's texts.
    pub(crate) timing: Option<Timing>,
    /// The same where uses are moved within intervals of [`OTHER_HOURS`].
    pub(crate) in_other_intervals: [Option<Timing>; OTHER_HOURS.len()],
    /// Accounts of the commonest organisation, and those whose organisation is known.
    pub(crate) organisation: (u32, u32),
}

/// Accounts that were active on a day, with their organisation.
pub(super) type Askers = (Vec<Asker>, Vec<(u32, u64)>);

/// What a ring's first group has in common, among the askers of the day that confirmed it and in its own uses of the ring's texts on that day.
pub(super) fn in_common((askers, organisations): &Askers, uses: Vec<Use>, ring: &Ring) -> InCommon {
    let seed = u64::from_le_bytes(ring.name[..8].try_into().unwrap_or_default());
    let own = organisations.iter().filter(|(account, _)| ring.frozen.binary_search(account).is_ok());
    let mut own: Vec<u64> = own.map(|(_, organisation)| *organisation).collect();
    own.sort_unstable();
    let commonest = own.chunk_by(|a, b| a == b).map(<[u64]>::len).max().unwrap_or(0);
    let organisation = (commonest as u32, own.len() as u32);
    let in_other_intervals = timing_in_other_intervals(&uses, seed);
    InCommon {
        composition: composition(askers, &ring.frozen, seed),
        of_any_plan: composition_of_any_plan(askers, &ring.frozen, seed),
        timing: timing(uses, seed),
        in_other_intervals,
        organisation,
    }
}

/// Exchanges of a day, by the place of the night that holds them.
fn postings<'a>(
    (store, view): (&'a Store, &'a View),
    day: i32,
    day_starts: i32,
) -> impl Iterator<Item = (usize, impl Iterator<Item = &'a Posting>)> {
    let may_hold = move |night: &Night| {
        (day_of(night.first_seen, day_starts)..=day_of(night.last_seen, day_starts)).contains(&day)
    };
    let nights = store.nights().iter().zip(&view.postings).enumerate().filter(move |(_, (night, _))| may_hold(night));
    nights.map(move |(at, (_, own))| {
        (at, own.all().iter().filter(move |posting| day_of(posting.time, day_starts) == day))
    })
}

/// When the accounts of a ring's first group first used its texts on the day that confirmed it.
pub(super) fn uses(store: &Store, view: &View, ring: &Ring, day_starts: i32) -> Vec<Use> {
    let of_day = ring.families.iter().filter(|family| family.0 == ring.confirmed).map(|family| family.1);
    let families: BTreeSet<u64> = of_day.collect();
    let mut first: BTreeMap<(u64, u32), i64> = BTreeMap::new();
    let of_day = postings((store, view), ring.confirmed, day_starts).flat_map(|(_, own)| own);
    for posting in of_day.filter(|posting| ring.frozen.binary_search(&posting.account).is_ok()) {
        let (near, prompt) = (view.family(posting.prompt), posting.prompt);
        let fragments = view.fragments_of(Field::Prompt, prompt);
        let fragments = fragments.map(|part| family_key(Level::Fragment, view.fragments[part as usize].head));
        let of_near = (near != SINGLE).then(|| family_key(Level::NearDuplicate, near));
        let system = (posting.system != NONE).then(|| family_key(Level::System, posting.system));
        let own = fragments.chain(of_near).chain(system).chain([family_key(Level::Exact, prompt)]);
        for family in own.filter(|family| families.contains(family)) {
            let time = first.entry((family, posting.account)).or_insert(posting.time);
            *time = (*time).min(posting.time);
        }
    }
    first.into_iter().map(|((family, account), time)| Use { family, time, account }).collect()
}

/// The askers of a day.
pub(super) fn of_day(store: &Store, view: &View, day: i32, day_starts: i32) -> Result<Askers> {
    let names: Vec<&[&str]> =
        ATTRIBUTES.iter().map(|(_, names)| *names).chain([&ORGANISATION[..], &PLAN[..]]).collect();
    // For each account: requests, and how often it had which value of each attribute.
    let mut of_account: BTreeMap<u32, (u32, Vec<BTreeMap<u64, u32>>)> = BTreeMap::new();
    let files: Vec<&Named> = store.of_kind("rows").collect();
    for (at, own) in postings((store, view), day, day_starts) {
        let Some(file) = files.get(at) else { continue };
        let mut rows: Vec<(u32, u32)> = own.map(|posting| (posting.row, posting.account)).collect();
        rows.sort_unstable();
        rows.dedup_by_key(|(row, _)| *row);
        if rows.is_empty() {
            continue;
        }
        let wanted: Vec<u32> = rows.iter().map(|(row, _)| *row).collect();
        let mut accounts = rows.iter().map(|(_, account)| *account);
        for batch in tables::read(&store.path(file), &["attributes"], Some(&wanted))? {
            for (cell, account) in batch?.column(0).as_string::<i32>().iter().zip(accounts.by_ref()) {
                let (requests, values) =
                    of_account.entry(account).or_insert_with(|| (0, vec![BTreeMap::new(); names.len()]));
                *requests += 1;
                let cell = cell.filter(|cell| cell.len() <= MOST);
                let Some(Value::Object(object)) = cell.and_then(|cell| serde_json::from_str(cell).ok()) else {
                    continue;
                };
                for (names, values) in names.iter().zip(values) {
                    if let Some(value) = value(&object, names) {
                        *values.entry(value).or_default() += 1;
                    }
                }
            }
        }
    }
    let (mut askers, mut organisations) = (Vec::new(), Vec::new());
    for (account, (requests, values)) in of_account {
        // The value that it has most often.
        let commonest = |values: &BTreeMap<u64, u32>| {
            values.iter().max_by_key(|(value, n)| (**n, std::cmp::Reverse(**value))).map(|(value, _)| *value)
        };
        let mut values: Vec<Option<u64>> = values.iter().map(commonest).collect();
        let plan = values.pop().flatten();
        organisations.extend(values.pop().flatten().map(|organisation| (account, organisation)));
        askers.push(Asker { account, requests, plan, values });
    }
    Ok((askers, organisations))
}

/// A digest of the value of the first of these names that an object has: of a text, number or truth value, of nothing else.
fn value(object: &Map<String, Value>, names: &[&str]) -> Option<u64> {
    let of = |name: &&str| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let text = match names.iter().find_map(of)? {
        Value::String(text) if !text.trim().is_empty() => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return None,
    };
    Some(u64::from_le_bytes(Digest::of(text.as_bytes()).0[..8].try_into().unwrap_or_default()))
}
