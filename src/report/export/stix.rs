//! Rings as a bundle of STIX 2.1: a campaign for each ring, with its accounts, what was observed, a pattern that finds them, and the statistics.
//!
//! The idea: the ring is a `campaign`, since STIX has no word for accounts that act together without saying who is behind them; its members are
//! `user-account` objects, of which only the pseudonym is known; what was tested travels as a declared property extension on the campaign.
//! Weakness: readers of STIX take a campaign for malicious; the description and the extension say that it is not known to be. Nothing here is
//! called malicious: indicators are of type `anomalous-activity`. Guarantee: each object has the same identifier on every night, and the same
//! rings give the same bytes. Source: OASIS STIX 2.1, and its published definitions of TLP 2.0.

use super::{Days, Tlp, description, moment, statistics, title, uuid};
use crate::report::ring::{Ring, RingMember, RingsMeta};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The namespace of observables that STIX 2.1 prescribes (section 2.9).
const OBSERVABLES: Uuid = Uuid::from_u128(0x00ab_edb4_aa42_466c_9c01_fed2_3315_a9b7);
/// The published extension of TLP 2.0, and the published marking of each level in the order of [`Tlp::ALL`].
const TLP_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
const TLP_MARKINGS: [&str; 5] = [
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
];
/// When the objects that are the same in every bundle were made.
const BEGINNING: &str = "2026-01-01T00:00:00.000Z";
/// Largest count that STIX takes for what was observed.
const MOST_OBSERVED: u64 = 999_999_999;
/// What the extension holds, in words.
const SCHEMA: &str = "Of a campaign: null_hypothesis, route, rung, gamma_star (the largest factor on the odds that innocent affinity may have and the ring still be confirmed), \
    log10_e (decimal logarithm of the e-value at innocent_affinity), log10_e_by_stream, groups_proposed, groups_tested_newest_day and days_read (the number of tests), \
    expected_false_share (of the groups confirmed of one day's proposals), expected_false_members, placebo_* (walks on data without coordination), list_valid, accounts, requests, \
    disposition (an analyst's), reading. Of a relationship: membership, the chance in [0, 1] that the account belongs.";

/// A bundle of these rings.
#[must_use]
pub fn bundle(rings: &[Ring], meta: &RingsMeta, tlp: Tlp) -> Value {
    let source = id("identity", "source", "stillhunt");
    let extension = id("extension-definition", "extension", "ring statistics 1");
    let marking = TLP_MARKINGS[tlp as usize];
    let mut out = Objects { source: source.clone(), extension: extension.clone(), marking, all: Vec::new() };
    out.all.push(json!({
        "type": "marking-definition", "spec_version": "2.1", "id": marking, "created": "2022-10-01T00:00:00.000Z", "name": tlp.label(),
        "extensions": { TLP_EXTENSION: { "extension_type": "property-extension", "tlp_2_0": tlp.word() } },
    }));
    out.all.push(json!({
        "type": "identity", "spec_version": "2.1", "id": source, "created": BEGINNING, "modified": BEGINNING, "name": "stillhunt",
        "identity_class": "system", "description": "Audits the serving logs of a language-model provider", "object_marking_refs": [marking],
    }));
    out.all.push(json!({
        "type": "extension-definition", "spec_version": "2.1", "id": extension, "created_by_ref": source, "created": BEGINNING, "modified": BEGINNING,
        "name": "stillhunt ring statistics", "description": "What was tested before a ring was confirmed, and the error that this has",
        "schema": SCHEMA, "version": "1.0.0", "extension_types": ["property-extension"], "object_marking_refs": [marking],
    }));
    let mut accounts: BTreeMap<String, Value> = BTreeMap::new();
    for ring in rings {
        for member in listed(ring) {
            let account = account_id(member);
            accounts.entry(account.clone()).or_insert_with(|| {
                json!({ "type": "user-account", "spec_version": "2.1", "id": account, "user_id": member.account, "object_marking_refs": [marking] })
            });
        }
    }
    out.all.extend(accounts.into_values());
    rings.iter().for_each(|ring| out.ring(ring, rings, meta));
    let names: Vec<&str> = rings.iter().map(|ring| ring.id.as_str()).collect();
    let night = meta.days.last().map_or(0, |day| day.day);
    json!({ "type": "bundle", "id": id("bundle", "bundle", &format!("{night} {} {}", tlp.word(), names.join(" "))), "objects": out.all })
}

fn listed(ring: &Ring) -> impl Iterator<Item = &RingMember> {
    ring.members.iter().filter(|member| member.listed)
}

fn id(of: &str, kind: &str, name: &str) -> String {
    format!("{of}--{}", uuid(kind, name))
}

/// An account's identifier follows from its properties, as STIX prescribes, so that other producers give it the same.
fn account_id(member: &RingMember) -> String {
    let properties = json!({ "user_id": member.account }).to_string();
    format!("user-account--{}", Uuid::new_v5(&OBSERVABLES, properties.as_bytes()))
}

struct Objects {
    source: String,
    extension: String,
    marking: &'static str,
    all: Vec<Value>,
}

impl Objects {
    /// Adds an object that this program made on `days`, with its own fields.
    fn push(&mut self, of: &str, id: &str, days: &Days, own: Value) {
        let mut object = json!({
            "type": of, "spec_version": "2.1", "id": id, "created_by_ref": self.source, "created": moment(days.confirmed),
            "modified": moment(days.newest), "object_marking_refs": [self.marking],
        });
        if let (Some(all), Value::Object(own)) = (object.as_object_mut(), own) {
            all.extend(own);
        }
        self.all.push(object);
    }

    fn extended(&self, mut own: Map<String, Value>) -> Value {
        own.insert("extension_type".to_owned(), json!("property-extension"));
        json!({ self.extension.clone(): own })
    }

    fn relate(&mut self, days: &Days, (from, to): (&str, &str), word: &str, own: Value) {
        let id = id("relationship", word, &format!("{from} {to}"));
        let mut ends = json!({ "relationship_type": word, "source_ref": from, "target_ref": to });
        if let (Some(all), Value::Object(own)) = (ends.as_object_mut(), own) {
            all.extend(own);
        }
        self.push("relationship", &id, days, ends);
    }

    fn ring(&mut self, ring: &Ring, all: &[Ring], meta: &RingsMeta) {
        let days = Days::of(ring, meta);
        let campaign = id("campaign", "ring", &ring.id);
        let own = json!({
            "name": title(ring), "aliases": [ring.id], "description": description(ring, meta), "first_seen": moment(days.first),
            "last_seen": moment(days.end), "extensions": self.extended(statistics(ring, meta)),
        });
        self.push("campaign", &campaign, &days, own);
        if ring.campaign != ring.id && all.iter().any(|other| other.id == ring.campaign) {
            let first = id("campaign", "ring", &ring.campaign);
            self.relate(&days, (&campaign, &first), "related-to", json!({ "description": "rings of one campaign" }));
        }
        let members: Vec<&RingMember> = listed(ring).collect();
        if members.is_empty() {
            return;
        }
        let refs: Vec<String> = members.iter().map(|member| account_id(member)).collect();
        let observed = id("observed-data", "observed", &ring.id);
        self.push(
            "observed-data",
            &observed,
            &days,
            json!({ "first_observed": moment(days.first), "last_observed": moment(days.end),
                "number_observed": ring.requests.clamp(1, MOST_OBSERVED), "object_refs": refs }),
        );
        self.relate(&days, (&observed, &campaign), "related-to", json!({}));
        let names: Vec<String> = members.iter().map(|member| format!("'{}'", member.account)).collect();
        let indicator = id("indicator", "indicator", &ring.id);
        self.push(
            "indicator",
            &indicator,
            &days,
            json!({ "name": format!("Accounts of ring {}", ring.id), "description": "Pseudonyms of accounts on the list of level 1%: of a hundred, one is expected to be wrong",
                "indicator_types": ["anomalous-activity"], "pattern": format!("[user-account:user_id IN ({})]", names.join(", ")),
                "pattern_type": "stix", "pattern_version": "2.1", "valid_from": moment(days.confirmed) }),
        );
        self.relate(&days, (&indicator, &campaign), "indicates", json!({}));
        for (member, account) in members.iter().zip(&refs) {
            let membership = Map::from_iter([("membership".to_owned(), json!(member.membership))]);
            let own = json!({ "extensions": self.extended(membership) });
            self.relate(&days, (account, &campaign), "related-to", own);
        }
    }
}
