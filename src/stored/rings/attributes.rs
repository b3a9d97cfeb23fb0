//! What the log says of accounts beside their texts: the attributes of a day's exchanges, as the statistics of composition read them.

use super::super::known::SINGLE;
use super::super::standing::family_key;
use super::days::day_of;
use super::focus::Focus;
use super::inputs::Inputs;
use super::pivot::Pivot;
use crate::error::Result;
use crate::ids::{Digest, Field, Level};
use crate::report::date_of;
use crate::ring::Ring;
use crate::ring::composition::{Asked, Asker, Composition, Reference};
use crate::ring::links::{Link, links};
use crate::ring::timing::{OTHER_HOURS, Timing, Use, timing, timing_in_other_intervals};
use crate::store::postings::{NONE, Posting};
use crate::store::sorted::{Sorted, equal};
use crate::store::{Named, Night, Store, tables};
use crate::stored::view::View;
use arrow_array::cast::AsArray;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How each of [`ATTRIBUTES`] is compared: what customers of one app share by being its customers counts for nothing, and networks are those of a country.
const ASKED: [Asked; ATTRIBUTES.len()] = [
    Asked { counts: true, within: None },
    Asked { counts: true, within: Some(REGION) },
    Asked { counts: false, within: None },
    Asked { counts: false, within: None },
    Asked { counts: true, within: None },
];
/// Places of the region and of the day of registration.
const REGION: usize = 3;
const REGISTERED: usize = 4;
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
/// Names of an address of the client, or of a digest of it.
const ADDRESS: [&str; 5] = ["address", "ip", "ip_hash", "client_ip", "client_address"];
/// Names of what the provider knows of automation: a truth value, or what runs it.
const AUTOMATION: [&str; 3] = ["automation", "ci", "pipeline"];
/// Values of these that say that there is none.
const NO: [&str; 5] = ["false", "0", "no", "none", "off"];
/// Names of an agency that acts for its customers.
const AGENCY: [&str; 4] = ["agency", "partner", "reseller", "managed_by"];
/// Place of automation among all that is read, with agency, organisation and plan behind it.
const AUTOMATED: usize = ATTRIBUTES.len() + 1;
/// What may be a link, as reports name it; and its place among all that is read.
pub(crate) const LINKS: [&str; 4] = ["payment", "client", "address", "end-user"];
const LINKED: [usize; LINKS.len()] = [0, 2, ATTRIBUTES.len(), AUTOMATED + 4];
/// Bytes of a cell that are read.
const MOST: usize = 64 << 10;
/// Values of an attribute that are kept of an account.
const MOST_VALUES: usize = 32;

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
    /// The same of agencies.
    pub(crate) agency: (u32, u32),
    /// Accounts that are automated, and those of which that is known.
    pub(crate) automated: (u32, u32),
    /// Values that they share for a fact, of the kinds [`LINKS`].
    pub(crate) links: Vec<Link>,
    /// What they are after.
    pub(crate) focus: Option<Focus>,
    /// What they put around the texts that they share.
    pub(crate) inputs: Option<Inputs>,
    /// How they took new models up.
    pub(crate) pivots: Vec<Pivot>,
}

/// Accounts that were active on a day, and what the log says of them.
#[derive(Debug, Default)]
pub(super) struct Askers {
    reference: Reference,
    organisations: Vec<(u32, u64)>,
    agencies: Vec<(u32, u64)>,
    /// 0 where it is said that there is no automation.
    automated: Vec<(u32, u64)>,
    named: Vec<crate::ring::links::Named>,
    /// Plans, by account.
    pub(super) plans: BTreeMap<u32, u64>,
}

/// What a ring's first group has in common, among the askers of the day that confirmed it and in its own uses of the ring's texts on that day.
pub(super) fn in_common(of_day: &Askers, uses: Vec<Use>, ring: &Ring) -> InCommon {
    let seed = seed_of(ring);
    let own = |values: &[(u32, u64)]| -> Vec<u64> {
        let own = values.iter().filter(|(account, _)| ring.frozen.binary_search(account).is_ok());
        own.map(|(_, value)| *value).collect()
    };
    let commonest = |values: &[(u32, u64)]| {
        let mut own = own(values);
        own.sort_unstable();
        let commonest = own.chunk_by(|a, b| a == b).map(<[u64]>::len).max().unwrap_or(0);
        (commonest as u32, own.len() as u32)
    };
    let automated = own(&of_day.automated);
    let in_other_intervals = timing_in_other_intervals(&uses, seed);
    InCommon {
        composition: of_day.reference.composition(&ring.frozen, seed),
        of_any_plan: of_day.reference.composition_of_any_plan(&ring.frozen, seed),
        timing: timing(uses, seed),
        in_other_intervals,
        organisation: commonest(&of_day.organisations),
        agency: commonest(&of_day.agencies),
        automated: (automated.iter().filter(|value| **value != 0).count() as u32, automated.len() as u32),
        links: links(&of_day.named, &ring.frozen),
        focus: None,
        inputs: None,
        pivots: Vec::new(),
    }
}

/// The seed of what is drawn for a ring.
pub(super) fn seed_of(ring: &Ring) -> u64 {
    u64::from_le_bytes(ring.name[..8].try_into().unwrap_or_default())
}

/// All exchanges of a day.
pub(super) fn exchanges(store: &Store, view: &View, day: i32, day_starts: i32) -> Vec<Posting> {
    postings((store, view), day, day_starts).flat_map(|(_, own)| own).copied().collect()
}

/// Families that two accounts of a ring's first group used until the end of the day that confirmed it.
pub(super) fn shared_families(store: &Store, ring: &Ring, day_starts: i32) -> Result<BTreeSet<u64>> {
    let mut all: Vec<(u64, u32)> = Vec::new();
    for file in store.of_kind("uses-by-account") {
        let uses: Sorted<_, crate::store::uses::OfAccount> = store.read(file, Sorted::open)?;
        for &account in &ring.frozen {
            let own = equal(uses.all(), |used: &crate::store::uses::OfAccount| used.account.cmp(&account));
            let own = own.iter().filter(|used| day_of(used.first, day_starts) <= ring.confirmed);
            all.extend(own.map(|used| (used.family, account)));
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() >= 2).map(|same| same[0].0).collect())
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

/// All families that a request is in.
pub(super) fn families(view: &View, posting: &Posting) -> Vec<u64> {
    let (near, prompt) = (view.family(posting.prompt), posting.prompt);
    let fragments = view.fragments_of(Field::Prompt, prompt);
    let mut out: Vec<u64> =
        fragments.map(|part| family_key(Level::Fragment, view.fragments[part as usize].head)).collect();
    out.extend((near != SINGLE).then(|| family_key(Level::NearDuplicate, near)));
    out.extend((posting.system != NONE).then(|| family_key(Level::System, posting.system)));
    out.push(family_key(Level::Exact, prompt));
    out
}

/// When the accounts of a ring's first group first used its texts on the day that confirmed it.
pub(super) fn uses(store: &Store, view: &View, ring: &Ring, day_starts: i32) -> Vec<Use> {
    let of_day = ring.families.iter().filter(|family| family.0 == ring.confirmed).map(|family| family.1);
    let in_ring: BTreeSet<u64> = of_day.collect();
    let mut first: BTreeMap<(u64, u32), i64> = BTreeMap::new();
    let of_day = postings((store, view), ring.confirmed, day_starts).flat_map(|(_, own)| own);
    for posting in of_day.filter(|posting| ring.frozen.binary_search(&posting.account).is_ok()) {
        for family in families(view, posting).into_iter().filter(|family| in_ring.contains(family)) {
            let time = first.entry((family, posting.account)).or_insert(posting.time);
            *time = (*time).min(posting.time);
        }
    }
    first.into_iter().map(|((family, account), time)| Use { family, time, account }).collect()
}

/// Of one account: its requests, and how often it had which value of each attribute, with its end users last.
type OfAccount = (u32, Vec<BTreeMap<u64, u32>>);

/// The askers of a day.
pub(super) fn of_day(store: &Store, view: &View, day: i32, day_starts: i32) -> Result<Askers> {
    let own = ATTRIBUTES.iter().map(|(_, names)| *names);
    let names: Vec<&[&str]> =
        own.chain([&ADDRESS[..], &AUTOMATION[..], &AGENCY[..], &ORGANISATION[..], &PLAN[..]]).collect();
    let mut of_account: BTreeMap<u32, OfAccount> = BTreeMap::new();
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
        for batch in tables::read(&store.path(file), &["end_user", "attributes"], Some(&wanted))? {
            let batch = batch?;
            let (users, cells) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
            for ((user, cell), account) in users.iter().zip(cells).zip(accounts.by_ref()) {
                let (requests, values) =
                    of_account.entry(account).or_insert_with(|| (0, vec![BTreeMap::new(); names.len() + 1]));
                *requests += 1;
                let mut note = |place: usize, value: u64| {
                    if values[place].len() < MOST_VALUES || values[place].contains_key(&value) {
                        *values[place].entry(value).or_default() += 1;
                    }
                };
                if let Some(user) = user.filter(|user| !user.trim().is_empty() && user.len() <= MOST) {
                    note(names.len(), digest(user.trim()));
                }
                let Some(object) = object(cell) else { continue };
                for (place, names) in names.iter().enumerate() {
                    let Some(text) = value(&object, names) else { continue };
                    let is_no = place == AUTOMATED && NO.iter().any(|no| text.eq_ignore_ascii_case(no));
                    note(place, if is_no { 0 } else { digest(&text) });
                }
            }
        }
    }
    let (mut out, mut askers) = (Askers::default(), Vec::new());
    for (account, (requests, values)) in of_account {
        for (kind, place) in (0u8..).zip(LINKED) {
            let named = values[place].keys().map(|&value| crate::ring::links::Named { kind, value, account });
            out.named.extend(named);
        }
        // The value that it has most often.
        let commonest = |values: &BTreeMap<u64, u32>| {
            values.iter().max_by_key(|(value, n)| (**n, std::cmp::Reverse(**value))).map(|(value, _)| *value)
        };
        let mut values: Vec<Option<u64>> = values.iter().map(commonest).collect();
        let of = |place: usize| values[place].map(|value| (account, value));
        out.automated.extend(of(AUTOMATED));
        out.agencies.extend(of(AUTOMATED + 1));
        out.organisations.extend(of(AUTOMATED + 2));
        let plan = values[AUTOMATED + 3];
        out.plans.extend(plan.map(|plan| (account, plan)));
        values.truncate(ATTRIBUTES.len());
        askers.push(Asker { account, requests, plan, values });
    }
    out.reference = Reference::new(askers, &ASKED);
    Ok(out)
}

/// What kind of account each of a day's is, by digests, in order: its plan and whether it has a means of payment, and these with the month of its registration, as far as its first
/// exchange of the day knows; nothing of accounts of which none is known. All three are the provider's to say, and an operator's to buy, not to write.
pub(super) fn kinds(store: &Store, view: &View, day: i32, day_starts: i32) -> Result<Vec<(u32, [u64; 2])>> {
    let files: Vec<&Named> = store.of_kind("rows").collect();
    let (mut seen, mut out) = (BTreeSet::new(), Vec::new());
    for (at, own) in postings((store, view), day, day_starts) {
        let Some(file) = files.get(at) else { continue };
        let first = own.filter(|posting| seen.insert(posting.account)).map(|posting| (posting.row, posting.account));
        let mut rows: Vec<(u32, u32)> = first.collect();
        rows.sort_unstable();
        let wanted: Vec<u32> = rows.iter().map(|(row, _)| *row).collect();
        if wanted.is_empty() {
            continue;
        }
        let mut accounts = rows.iter().map(|(_, account)| *account);
        for batch in tables::read(&store.path(file), &["attributes"], Some(&wanted))? {
            let batch = batch?;
            let cells = batch.column(0).as_string::<i32>();
            for (cell, account) in cells.iter().zip(accounts.by_ref()) {
                out.extend(object(cell).and_then(|object| kind(&object)).map(|kind| (account, kind)));
            }
        }
    }
    out.sort_unstable();
    Ok(out)
}

/// A cell of attributes, where it is an object of a bounded size.
fn object(cell: Option<&str>) -> Option<Map<String, Value>> {
    let cell = cell.filter(|cell| cell.len() <= MOST)?;
    serde_json::from_str(cell).ok()
}

/// The kind of an account with these attributes; none where they know nothing of it.
fn kind(object: &Map<String, Value>) -> Option<[u64; 2]> {
    let plan = value(object, &PLAN);
    let pays = value(object, ATTRIBUTES[LINKED[0]].1).is_some();
    let month = value(object, ATTRIBUTES[REGISTERED].1).and_then(|day| month(&day));
    let is_known = plan.is_some() || pays || month.is_some();
    let coarse = format!("{}\n{pays}", plan.unwrap_or_default());
    is_known.then(|| [digest(&coarse), digest(&format!("{coarse}\n{}", month.unwrap_or_default()))])
}

/// The year and month of a date or of a moment in seconds or milliseconds since 1970.
fn month(text: &str) -> Option<String> {
    if let Ok(moment) = text.parse::<i64>() {
        let seconds = if moment.unsigned_abs() >= 100_000_000_000 { moment / 1000 } else { moment };
        return Some(date_of(seconds.div_euclid(86_400)).chars().take(7).collect());
    }
    let month = text.get(..7)?;
    let is_date = month.bytes().enumerate().all(|(i, byte)| if i == 4 { byte == b'-' } else { byte.is_ascii_digit() });
    is_date.then(|| month.to_owned())
}

/// The value of the first of these names that an object has, as a text: of a text, number or truth value, of nothing else.
fn value(object: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let of = |name: &&str| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    match names.iter().find_map(of)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn digest(text: &str) -> u64 {
    u64::from_le_bytes(Digest::of(text.as_bytes()).0[..8].try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{kind, month};
    use serde_json::{Map, Value, json};

    #[test]
    fn a_month_is_read_from_dates_and_moments_and_from_nothing_else() {
        for (text, expected) in [
            ("2026-03-02", Some("2026-03")),
            ("2026-03-02T10:00:00Z", Some("2026-03")),
            ("1772409600", Some("2026-03")),
            ("1772409600000", Some("2026-03")),
            ("March 2026", None),
            ("2026/03", None),
            ("2026-0é", None),
            ("", None),
        ] {
            assert_eq!(month(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_kind_is_a_plan_whether_an_account_pays_and_the_month_of_its_registration() {
        let of = |value: Value| kind(value.as_object().unwrap_or(&Map::new()));
        let base = of(json!({ "tier": "pro", "payment": "card-1", "registered": "2026-03-02" }));
        // Which card it is and on which day it came make no other kind, nor what clients write.
        let same =
            json!({ "tier": "pro", "payment": "card-2", "registered": "2026-03-30", "client": "x", "region": "y" });
        assert!(base.is_some() && of(same) == base);
        for other in [
            json!({ "tier": "free", "payment": "card-1", "registered": "2026-03-02" }),
            json!({ "tier": "pro", "registered": "2026-03-02" }),
            json!({ "tier": "pro", "payment": "card-1", "registered": "2026-04-02" }),
            json!({ "tier": "pro", "payment": "card-1" }),
        ] {
            assert!(of(other.clone()).is_some_and(|kind| Some(kind) != base), "{other}");
        }
        assert_eq!(of(json!({ "client": "x", "registered": "long ago" })), None);
        // The coarse kind does not know the month.
        let later = of(json!({ "tier": "pro", "payment": "card-1", "registered": "2026-04-02" }));
        assert_eq!(later.map(|kind| kind[0]), base.map(|kind| kind[0]));
    }
}
