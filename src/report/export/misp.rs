//! Rings as events of MISP, one a ring, in the form in which MISP's own interface gives and takes several.
//!
//! The idea: an event holds the statistics as attributes and each account as an object `user-account`, so that MISP correlates accounts over
//! events. Weakness: MISP has no place for a null or an error but text. Guarantee: nothing is marked for detection (`to_ids` is false), nothing is
//! published or shared beyond the own organisation by itself (`distribution` 0), and event, objects and attributes keep their identifiers, so
//! that an import on the next night renews the event. Source: the MISP core format, and its object template `user-account`, version 6.

use super::{Days, Tlp, description, millis, statistics, title, uuid};
use crate::report::date_of;
use crate::report::ring::{Ring, RingsMeta};
use serde_json::{Value, json};

/// Identifier and version of the template of accounts.
const ACCOUNT: (&str, &str) = ("49606b06-22f0-4ac8-8eee-2f12ad46f3d3", "6");

/// The events of these rings.
#[must_use]
pub fn events(rings: &[Ring], meta: &RingsMeta, tlp: Tlp) -> Value {
    let events: Vec<Value> = rings.iter().map(|ring| json!({ "Event": event(ring, meta, tlp) })).collect();
    json!({ "response": events })
}

fn event(ring: &Ring, meta: &RingsMeta, tlp: Tlp) -> Value {
    let days = Days::of(ring, meta);
    let stamp = (millis(days.newest) / 1000).to_string();
    let attribute = |name: &str, value: &str| {
        json!({ "uuid": uuid("misp attribute", &format!("{} {name}", ring.id)), "type": "text", "category": "Other", "value": value, "comment": name,
            "to_ids": false, "disable_correlation": true, "distribution": "5", "timestamp": stamp })
    };
    let mut attributes = vec![
        attribute("description", &description(ring, meta)),
        attribute("ring", &ring.id),
        attribute("campaign", &ring.campaign),
    ];
    for (name, value) in statistics(ring, meta) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        attributes.push(attribute(&name, &text));
    }
    let account = |member: &crate::report::ring::RingMember| {
        let name = format!("{} {}", ring.id, member.account);
        json!({
            "uuid": uuid("misp object", &name), "name": "user-account", "meta-category": "misc", "template_uuid": ACCOUNT.0, "template_version": ACCOUNT.1,
            "description": "An account, by its pseudonym", "comment": format!("membership {:.6}", member.membership), "distribution": "5", "timestamp": stamp,
            "Attribute": [{ "uuid": uuid("misp account", &name), "object_relation": "user-id", "type": "text", "category": "Other",
                "value": member.account, "to_ids": false, "disable_correlation": false, "distribution": "5", "timestamp": stamp }],
        })
    };
    let accounts: Vec<Value> = ring.members.iter().filter(|member| member.listed).map(account).collect();
    json!({
        "uuid": uuid("misp event", &ring.id), "info": title(ring), "date": date_of(days.confirmed), "timestamp": stamp, "threat_level_id": "4",
        "analysis": "1", "distribution": "0", "published": false, "Tag": [{ "name": format!("tlp:{}", tlp.word()) }], "Attribute": attributes,
        "Object": accounts,
    })
}
