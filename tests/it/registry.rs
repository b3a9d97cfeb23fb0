//! The registry from the command line: what is registered is no evidence, explains what was found before, and names its author.

use super::Site;
use super::rings::{POOL, exported, names, nights};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Texts that two accounts of the pool sent.
fn shared_by_the_pool(nights: &[Vec<Value>]) -> Vec<String> {
    let pool: BTreeSet<String> = POOL.map(|member| format!("person-{member}")).collect();
    let mut senders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in nights.iter().flatten() {
        let (account, prompt) = (row["account"].as_str().expect("text"), row["prompt"].as_str().expect("text"));
        if pool.contains(account) {
            senders.entry(prompt).or_default().insert(account);
        }
    }
    senders.into_iter().filter(|(_, by)| by.len() >= 2).map(|(text, _)| text.to_owned()).collect()
}

#[test]
fn what_is_registered_is_no_evidence_and_explains_what_was_found() {
    let site = Site::new();
    let nights = nights();
    let logs: Vec<String> = (0..nights.len()).map(|night| format!("night-{night}.jsonl")).collect();
    logs.iter().zip(&nights).for_each(|(log, rows)| site.log(log, rows));
    let all: Vec<&str> = logs.iter().map(String::as_str).collect();
    let lines: Vec<String> =
        shared_by_the_pool(&nights).iter().map(|text| json!({ "text": text }).to_string()).collect();
    assert!(lines.len() > 100, "{} texts", lines.len());
    site.write("tasks.jsonl", lines.join("\n"));
    let import = |store| {
        let origin = ["--kind", "benchmark", "--provenance", "a public set", "--since", "2026-01-01T00:00:00Z"];
        let import = [&["registry", "import", "tasks.jsonl", "--store", store, "--author", "ann"][..], &origin];
        site.run(&import.concat()).ok().out
    };
    let rings = |store: &str| site.run(&["ring", "list", "--store", store, "--format", "json"]).ok().json();
    let answer = |ring: &Value, explanation: &str| {
        let answers = ring["provenance"].as_array().expect("answers");
        answers.iter().find(|answer| answer["explanation"] == explanation).expect("an answer").clone()
    };

    // Found first and registered then: the list says that it is explained.
    site.run(&Site::audit_args("store", &all)).ok();
    let found = &rings("store")["rings"][0];
    assert_eq!((&found["rung"], &answer(found, "registered-text")["explains"]), (&json!("chance"), &Value::Null));
    // One text that has nothing to do with it: tested, not explained.
    let add =
        ["registry", "add", "a greeting", "Good morning to all of you out there", "--kind", "app", "--store", "store"];
    site.run(&add).ok();
    let found = &rings("store")["rings"][0];
    assert_eq!((&found["rung"], &answer(found, "registered-text")["explains"]), (&json!("provenance"), &json!(false)));
    assert_eq!(answer(found, "class-or-event")["explains"], false, "{found}");
    assert_eq!(answer(found, "monitoring")["explains"], false, "{found}");
    assert!(import("store").starts_with(&format!("added {} entries", lines.len())));
    assert!(import("store").starts_with("added 0 entries"), "nothing stands there twice");
    let found = &rings("store")["rings"][0];
    assert_eq!((&found["rung"], &answer(found, "registered-text")["explains"]), (&json!("chance"), &json!(true)));
    let words = answer(found, "registered-text")["found"].as_str().expect("words").to_owned();
    assert!(words.contains("tasks.jsonl") && words.contains("public since 2026-01-01"), "{words}");
    assert!(words.contains(" texts of tasks.jsonl, first sent by ") && words.contains("order: Kendall's τ"), "{words}");
    let listed = site.run(&["registry", "list", "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(listed["entries"].as_array().map(Vec::len), Some(lines.len() + 1));
    assert_eq!((&listed["entries"][1]["author"], &listed["entries"][1]["kind"]), (&json!("ann"), &json!("benchmark")));
    site.run(&["registry", "remove", "tasks.jsonl", "--store", "store"]).ok();
    site.run(&["registry", "remove", "tasks.jsonl", "--store", "store"]).refused(&["expected a name of the registry"]);
    assert_eq!(rings("store")["rings"][0]["rung"], "provenance");

    // Registered first: no ring comes of it.
    site.run(&Site::audit_args("other", &all[..1])).ok();
    import("other");
    site.run(&Site::audit_args("other", &all[1..])).ok();
    assert_eq!(rings("other")["rings"], json!([]));
    site.run(&["store", "verify", "--store", "other"]).ok();
}

#[test]
fn what_is_named_as_known_is_no_evidence_and_explains_what_was_found() {
    let site = Site::new();
    let nights = nights();
    let logs: Vec<String> = (0..nights.len()).map(|night| format!("night-{night}.jsonl")).collect();
    logs.iter().zip(&nights).for_each(|(log, rows)| site.log(log, rows));
    let all: Vec<&str> = logs.iter().map(String::as_str).collect();
    let lines: Vec<String> =
        shared_by_the_pool(&nights).iter().map(|text| json!({ "text": text }).to_string()).collect();
    site.write("tasks.jsonl", lines.join("\n"));
    let rings = |store: &str| site.run(&["ring", "list", "--store", store, "--format", "json"]).ok().json();
    let known = ["--known", "tasks.jsonl"];

    site.run(&[&Site::audit_args("known", &all)[..], &known].concat()).ok();
    assert_eq!(rings("known")["rings"], json!([]));
    // What was named once stays known: walks that are given no texts read the same days.
    let walked = site.run(&["ring", "placebo", "--walks", "1", "--store", "known", "--format", "json"]).ok().json();
    assert_eq!(walked["placebo"][0]["lists_with"], 0, "{walked}");

    // Found first and named then: the list says that it is explained.
    site.run(&Site::audit_args("late", &all[..4])).ok();
    let rung = |of: &Value| of["rings"][0]["rung"].clone();
    assert_eq!(rings("late")["rings"].as_array().map(Vec::len), Some(1));
    site.run(&[&Site::audit_args("late", &all[4..])[..], &known].concat()).ok();
    let found = rings("late");
    let answers = found["rings"][0]["provenance"].as_array().expect("answers");
    let answer = answers.iter().find(|answer| answer["explanation"] == "registered-text").expect("an answer");
    assert_eq!((rung(&found), &answer["explains"]), (json!("chance"), &json!(true)), "{answer}");
}

#[test]
fn a_gateway_is_no_account_that_acts() {
    let site = Site::new();
    let nights = nights();
    let logs: Vec<String> = (0..nights.len()).map(|night| format!("night-{night}.jsonl")).collect();
    logs.iter().zip(&nights).for_each(|(log, rows)| site.log(log, rows));
    let all: Vec<&str> = logs.iter().map(String::as_str).collect();
    site.run(&Site::audit_args("store", &all[..1])).ok();
    let gateway =
        ["registry", "add", "proxy of a bank", "person-21", "--kind", "gateway", "--store", "store", "--key", "key"];
    site.run(&gateway).ok();
    site.run(&["registry", "add", "x", "person-22", "--kind", "app", "--digest", "zz", "--store", "store"])
        .refused(&["cannot be used with"]);
    site.run(&["registry", "add", "x", "--digest", &"0".repeat(64), "--kind", "gateway", "--store", "store"])
        .refused(&["expected an account"]);
    site.run(&Site::audit_args("store", &all[1..])).ok();
    let found = exported(&site, "store", &names(&site, &nights));
    assert!(found.len() >= 28 && !found.contains("person-21"), "{found:?}");
    // With its last exchange its name goes, here too.
    site.run(&["store", "forget", "--account", "person-21", "--store", "store", "--key", "key"]).ok();
    assert!(site.run(&["registry", "list", "--store", "store"]).ok().out.contains("empty"));
}
