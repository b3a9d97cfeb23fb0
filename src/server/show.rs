//! What each role is shown: the one place that takes out of an answer what the asker must not see.
//!
//! The idea: an answer is what the command line prints, and fields that are not on a list of those that a role may see are emptied, whatever
//! they hold; a field that somebody adds later is hidden until it is put on a list. Text is emptied for everybody who has not said what
//! they want it for. Weakness: numbers of small parts of a large family (a day with one account) are shown. Guarantee: what a viewer is
//! sent holds no text of a log, no account, no exchange, and nothing of a family or ring of fewer than k accounts.

use super::who::Role;
use serde_json::{Map, Value};

/// Whom an answer is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    pub(super) role: Role,
    /// Whether it was said what texts are wanted for; the saying is logged.
    pub(super) purposed: bool,
    /// Least accounts of what a viewer is told of, and of a template that is shown without a purpose.
    pub(super) k: u64,
}

/// Fields of a family that are numbers and names only.
const FAMILY: &[&str] = &[
    "id",
    "level",
    "rule",
    "within",
    "accounts",
    "requests",
    "distinct_prompts",
    "new_accounts",
    "new_account_share",
    "first_seen",
    "last_seen",
    "template_members",
    "slots",
    "nights",
    "days",
    "merged",
    "smallest_similarity",
    "fragment",
];
const SLOT: &[&str] = &["slot", "distinct_values", "absent", "values_left_out"];
const FRAGMENT: &[&str] = &["field", "texts", "place", "share", "parts", "near_families", "registry_candidate"];
/// Of a ring.
const RING: &[&str] = &[
    "id",
    "campaign",
    "route",
    "rung",
    "gamma_star",
    "log10_e",
    "first_proposed",
    "confirmed_night",
    "accounts",
    "requests",
    "families",
    "streams",
    "without",
    "sensitivity",
    "focus",
    "links",
    "tested_accounts",
    "in_common",
    "provenance",
    "disposition",
    "members_at",
    "past",
];
const EXPLANATION: &[&str] = &["explanation", "explains"];
/// Of a list of rings, and of the page of one: what it had by night is numbers.
const RINGS: &[&str] = &["schema", "rings", "rings_meta", "next", "by_night", "moments_left_out"];
/// Of what stands behind the list of rings.
const RINGS_META: &[&str] =
    &["proposed", "tested", "q", "phi0", "horizon", "placebo", "planted", "valid", "why", "alarms", "days", "late"];
/// Of a report.
const REPORT: &[&str] = &[
    "schema",
    "parameters",
    "counts",
    "store",
    "nights",
    "quarantined",
    "rings",
    "rings_meta",
    "families_total",
    "families",
    "trivial_families",
    "system_families",
    "known_families",
    "removed",
    "notes",
    "changed",
];
const COUNTS: &[&str] =
    &["rows_read", "rows_kept", "rows_known", "rows_quarantined", "inputs", "inputs_known", "inputs_unchanged"];
/// Of a hit of a search.
const HIT: &[&str] = &["similarity", "score", "accepted", "family_id", "requests", "accounts"];
const HITS: &[&str] = &["schema", "threshold", "hits", "notes"];

/// An empty value in the place of this one: lists and objects stay what they are.
fn empty(value: &Value) -> Value {
    match value {
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Object(_) => Value::Object(Map::new()),
        _ => Value::Null,
    }
}

/// Empties every field that is not on the list.
fn only(value: &mut Value, shown: &[&str]) {
    for (name, field) in value.as_object_mut().into_iter().flatten() {
        if !shown.contains(&name.as_str()) {
            *field = empty(field);
        }
    }
}

/// Empties one field.
fn hide(value: &mut Value, field: &str) {
    if let Some(field) = value.get_mut(field) {
        *field = empty(field);
    }
}

fn each(value: &mut Value, list: &str, mut show: impl FnMut(&mut Value)) {
    value.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().for_each(&mut show);
}

/// Takes elements out of a list.
fn keep(value: &mut Value, list: &str, may: impl Fn(&Value) -> bool) {
    if let Some(list) = value.get_mut(list).and_then(Value::as_array_mut) {
        list.retain(may);
    }
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or(0)
}

impl Reader {
    fn is_viewer(self) -> bool {
        self.role == Role::Viewer
    }

    /// Whether this reader is told of something that so many accounts are behind.
    pub(super) fn is_told_of(self, accounts: u64) -> bool {
        !self.is_viewer() || accounts >= self.k
    }

    /// A family, as lists have it.
    pub(super) fn family(self, family: &mut Value) {
        if self.is_viewer() {
            only(family, FAMILY);
            each(family, "slots", |slot| only(slot, SLOT));
            only(&mut family["fragment"], FRAGMENT);
        } else if !self.purposed {
            each(family, "slots", |slot| ["examples", "values"].iter().for_each(|field| hide(slot, field)));
            if number(family, "accounts") < self.k {
                hide(family, "template");
                hide(family, "template_parts");
            }
        }
    }

    /// A list of families.
    pub(super) fn families(self, page: &mut Value, list: &str) {
        keep(page, list, |family| self.is_told_of(number(family, "accounts")));
        each(page, list, |family| self.family(family));
    }

    /// A family with its accounts.
    pub(super) fn family_page(self, page: &mut Value) {
        self.family(&mut page["family"]);
        if self.is_viewer() {
            only(page, &["schema", "family"]);
        } else if !self.purposed {
            each(page, "exchanges", |exchange| hide(exchange, "prompt"));
        }
    }

    /// An account with its families.
    pub(super) fn account_page(self, page: &mut Value) {
        if self.is_viewer() {
            only(page, &["schema"]);
        } else if !self.purposed {
            each(page, "families", |family| hide(family, "prompt"));
        }
    }

    /// Rings with what stands behind their list.
    pub(super) fn rings(self, page: &mut Value) {
        if !self.is_viewer() {
            return;
        }
        keep(page, "rings", |ring| self.is_told_of(number(ring, "accounts")));
        each(page, "rings", |ring| {
            only(ring, RING);
            each(ring, "provenance", |answer| only(answer, EXPLANATION));
            keep(ring, "families", |family| number(family, "of") >= self.k);
        });
        only(&mut page["rings_meta"], RINGS_META);
    }

    /// A page of rings, or of one.
    pub(super) fn rings_page(self, page: &mut Value) {
        self.rings(page);
        if self.is_viewer() {
            only(page, RINGS);
        }
    }

    /// Questions that were kept: what others typed may be a text of a log.
    pub(super) fn saved(self, page: &mut Value, own: &str) {
        each(page, "saved", |saved| {
            if !self.purposed && saved["author"] != own {
                hide(&mut saved["given"], "text");
            }
        });
    }

    /// A report.
    pub(super) fn report(self, report: &mut Value) {
        self.rings(report);
        for list in ["families", "trivial_families", "system_families", "known_families"] {
            self.families(report, list);
        }
        if self.is_viewer() {
            only(report, REPORT);
            only(&mut report["counts"], COUNTS);
            let told: Vec<Value> =
                report["rings"].as_array().into_iter().flatten().map(|ring| ring["id"].clone()).collect();
            keep(&mut report["changed"], "new_rings", |id| told.contains(id));
            hide(&mut report["changed"], "left_rings");
        }
    }

    /// Hits of a search.
    pub(super) fn hits(self, page: &mut Value) {
        if self.is_viewer() {
            keep(page, "hits", |hit| self.is_told_of(number(hit, "accounts")));
            each(page, "hits", |hit| only(hit, HIT));
            only(page, HITS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reader(role: Role, purposed: bool) -> Reader {
        Reader { role, purposed, k: 5 }
    }

    fn family(accounts: u64) -> Value {
        json!({ "id": "n0000000000000000", "accounts": accounts, "requests": 9, "template": "SECRET text", "template_parts": [{"text": "SECRET"}],
            "slots": [{ "slot": 1, "distinct_values": 3, "absent": 0, "examples": ["SECRET"], "values": [{ "value": "SECRET", "members": 2, "requests": 3 }] }], "example": "SECRET-id",
            "models": [{ "model": "SECRET" }], "fragment": { "texts": 4, "known": "SECRET", "digest": "SECRET" }, "added_later": "SECRET" })
    }

    #[test]
    fn a_viewer_gets_numbers_of_large_families() {
        let mut page = json!({ "families": [family(5), family(4)] });
        reader(Role::Viewer, true).families(&mut page, "families");
        assert_eq!(page["families"].as_array().map(Vec::len), Some(1));
        assert!(!page.to_string().contains("SECRET"), "{page}");
        assert_eq!(
            (&page["families"][0]["requests"], &page["families"][0]["slots"][0]["distinct_values"]),
            (&json!(9), &json!(3))
        );
    }

    #[test]
    fn an_analyst_says_what_texts_are_wanted_for() {
        let mut large = family(5);
        reader(Role::Analyst, false).family(&mut large);
        assert_eq!(large["template"].as_str(), Some("SECRET text"));
        assert_eq!((&large["slots"][0]["examples"], &large["slots"][0]["values"]), (&json!([]), &json!([])));
        let mut small = family(4);
        reader(Role::Analyst, false).family(&mut small);
        assert_eq!((small["template"].clone(), small["template_parts"].clone()), (Value::Null, json!([])));
        let mut whole = family(1);
        reader(Role::Analyst, true).family(&mut whole);
        assert_eq!(whole, family(1));
    }

    #[test]
    fn of_rings_a_viewer_sees_no_member_and_no_word() {
        let ring = |accounts| {
            json!({ "id": "r1", "accounts": accounts, "families": [{ "family_id": "n1", "of": 5 }, { "family_id": "n2", "of": 4 }],
                "provenance": [{ "explanation": "gateway", "explains": true, "found": "SECRET" }], "notes": [{ "text": "SECRET" }],
                "pivots": [{ "model": "SECRET" }] })
        };
        let mut page = json!({ "rings": [ring(9), ring(2)], "members": [{ "account": "SECRET" }], "uses": [[0, 0]], "added_later": "SECRET",
            "by_night": [{ "day": "2026-03-02", "log10_e": 3.5 }], "rings_meta": { "valid": true, "past": [{ "id": "SECRET" }] } });
        reader(Role::Viewer, false).rings_page(&mut page);
        assert_eq!(page["by_night"][0]["log10_e"], json!(3.5));
        assert!(!page.to_string().contains("SECRET"), "{page}");
        assert_eq!(page["rings"].as_array().map(Vec::len), Some(1));
        assert_eq!(page["rings"][0]["families"], json!([{ "family_id": "n1", "of": 5 }]));
        assert_eq!(page["rings_meta"]["valid"], json!(true));
    }
}
