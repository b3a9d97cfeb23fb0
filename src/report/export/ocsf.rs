//! Rings as detection findings of OCSF (class 2004): one JSON object a ring and line, for a SIEM or a data lake.
//!
//! The idea: `finding_info` names the ring, `resources` its accounts; what OCSF has no field for (the marking, the null, the number of tests, the
//! error) is in `unmapped`, as the schema has it. Weakness: severity in OCSF means harm, of which a ring says nothing, so it is `Other` with the
//! rung as its word. Guarantee: required attributes of the class are there, in the version that [`VERSION`] names; a finding that goes out by
//! syslog has no accounts, so that it fits into a datagram. Source: schema.ocsf.io, class `detection_finding`.

use super::{Days, Tlp, description, millis, statistics, title, uuid};
use crate::report::ring::{Ring, RingsMeta};
use serde_json::{Value, json};

/// The version of the schema.
pub const VERSION: &str = "1.5.0";

/// One finding a line.
#[must_use]
pub fn lines(rings: &[Ring], meta: &RingsMeta, tlp: Tlp) -> String {
    rings.iter().map(|ring| format!("{}\n", finding(ring, meta, tlp, true))).collect()
}

/// One finding; with its accounts or without them.
#[must_use]
pub fn finding(ring: &Ring, meta: &RingsMeta, tlp: Tlp, with_accounts: bool) -> Value {
    let days = Days::of(ring, meta);
    let mut out = json!({
        "activity_id": 1, "activity_name": "Create", "category_uid": 2, "category_name": "Findings", "class_uid": 2004,
        "class_name": "Detection Finding", "type_uid": 200_401, "type_name": "Detection Finding: Create",
        "severity_id": 99, "severity": ring.rung.word(), "status_id": 1, "status": "New",
        "time": millis(days.newest), "start_time": millis(days.first), "end_time": millis(days.end), "count": ring.requests.clamp(1, i32::MAX as u64),
        "message": title(ring),
        "metadata": {
            "version": VERSION, "labels": [format!("tlp:{}", tlp.word())],
            "product": { "name": "stillhunt", "vendor_name": "stillhunt", "version": env!("CARGO_PKG_VERSION") },
        },
        "finding_info": {
            "uid": uuid("ring", &ring.id), "title": title(ring), "desc": description(ring, meta), "types": ["coordinated accounts"],
            "created_time": millis(days.confirmed), "modified_time": millis(days.newest), "first_seen_time": millis(days.first),
            "last_seen_time": millis(days.end),
            "analytic": { "name": format!("rings, route {}", ring.route.word()), "uid": format!("ring-{}", ring.route.word()), "type_id": 3, "type": "Statistical" },
        },
        "unmapped": { "tlp": tlp.label(), "ring": ring.id, "campaign": ring.campaign, "statistics": statistics(ring, meta) },
    });
    if with_accounts {
        let listed = ring.members.iter().filter(|member| member.listed);
        out["resources"] = listed
            .map(|member| json!({ "uid": member.account, "type": "Account", "data": { "membership": member.membership } }))
            .collect();
    }
    out
}
