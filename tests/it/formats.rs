//! The same eight exchanges in every form in which gateways, tracing tools, providers and engines write them, through the program: rows,
//! accounts, the one family of six accounts, and each newest user text found again.
//!
//! What every text of a form reads as is tested beside the schemas (`src/log/schemas/tests.rs`); here the forms go the whole way.

use super::Site;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/formats")
}

fn cases(file: &str) -> Vec<(String, Value)> {
    let truth: Value = serde_json::from_slice(&std::fs::read(dir().join(file)).expect("the truth")).expect("JSON");
    truth.as_object().expect("cases").iter().map(|(name, case)| (name.clone(), case.clone())).collect()
}

/// Audits a case; what is wrong with it, if anything is.
fn wrong(case: &Value, asked: &[usize]) -> Option<String> {
    let site = Site::new();
    let file = dir().join(case["file"].as_str().expect("a file")).display().to_string();
    let mut args = vec![file.as_str()];
    if let Some(map) = case["map"].as_str() {
        args.extend(["--map", map]);
    }
    args.extend(case["args"].as_array().expect("arguments").iter().filter_map(Value::as_str));
    let run = site.audit(&args);
    if case["refuse"] == true {
        return (run.code != 2).then(|| format!("expected a refusal, got {}: {}", run.code, run.err));
    }
    if run.code != 0 {
        return Some(run.err);
    }
    let report: Value = serde_json::from_str(&run.out).expect("a report");
    let counts = &report["counts"];
    let accounts: BTreeSet<&str> =
        case["accounts"].as_array().expect("accounts").iter().filter_map(Value::as_str).collect();
    let got = json!([counts["rows_kept"], counts["rows_quarantined"], report["store"]["accounts"]]);
    if got != json!([8, 0, accounts.len()]) {
        return Some(format!("rows kept, bad rows and accounts: {got}, expected 8, 0 and {}", accounts.len()));
    }
    let near: Vec<&Value> =
        report["families"].as_array().expect("families").iter().filter(|f| f["level"] == "near-duplicate").collect();
    let of: Vec<&Value> = near.iter().map(|family| &family["accounts"]).collect();
    // A form without accounts has its one account in no family of several.
    if accounts.len() == 8 && of != [&json!(6)] {
        return Some(format!("accounts of near-duplicate families: {of:?}"));
    }
    let unnamed = counts["read_as"]["accounts_from"]["--default-account"].as_u64().unwrap_or(0);
    if (accounts.len() == 1) != (unnamed == 8) {
        return Some(format!("the default account is not told: {}", counts["read_as"]));
    }
    for at in asked {
        let text = case["prompts"][*at].as_str().expect("a prompt");
        let found = site.run(&["similar", "--store", "store", "--format", "json", "-k", "1", "--", text]).ok().json();
        if found["hits"][0]["similarity"].as_f64().is_none_or(|similarity| similarity < 0.9995) {
            return Some(format!("{text}: {}", found["hits"][0]));
        }
    }
    None
}

#[track_caller]
fn all_right(cases: Vec<(String, Value)>, asked: &[usize]) {
    let wrong: Vec<String> =
        cases.iter().filter_map(|(name, case)| wrong(case, asked).map(|what| format!("{name}: {what}"))).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn forms_of_logs_are_read_without_a_map() {
    all_right(cases("truth.json"), &[0, 5, 6, 7]);
}

#[test]
fn forms_of_further_tools_are_read_without_a_map() {
    all_right(cases("more.json"), &[1, 7]);
}

#[test]
fn several_schemas_in_one_run() {
    let site = Site::new();
    let files = [
        "helicone.jsonl",
        "kong.jsonl",
        "langfuse-blob.jsonl",
        "lmsys-parquet.parquet",
        "json-array-pretty.json",
        "sglang.jsonl",
    ];
    let paths: Vec<String> = files.iter().map(|file| dir().join(file).display().to_string()).collect();
    let mut args: Vec<&str> = paths.iter().map(String::as_str).collect();
    args.extend(["--default-account", "unnamed", "--default-time", "2026-07-01T00:00:00Z"]);
    let report = site.audit(&args).ok().json();
    assert_eq!(
        report["counts"]["read_as"]["schemas"],
        json!({"helicone": 8, "kong": 8, "langfuse": 8, "lmsys": 8, "stillhunt": 8, "sglang": 8})
    );
    assert_eq!(report["counts"]["read_as"]["joined"], 8);
    // The same logs again are nothing new: also the halves, which are read again.
    let again = site.audit(&args).ok().json();
    assert_eq!(super::counts(&again), [48, 0, 48, 0]);
}

#[test]
fn a_map_adds_an_account_to_a_known_schema() {
    let site = Site::new();
    let file = dir().join("sglang.jsonl").display().to_string();
    site.audit(&[&file]).refused(&["no-account"]);
    // Each request has an id of its own, which stands for the account here.
    let report = site.audit(&[&file, "--map", "account=obj.rid"]).ok().json();
    assert_eq!((&report["counts"]["rows_kept"], &report["store"]["accounts"]), (&json!(8), &json!(8)));
    assert_eq!(report["counts"]["read_as"]["accounts_from"], json!({"obj.rid": 8}));
}

#[test]
fn text_that_looks_like_json_is_counted_either_way() {
    let site = Site::new();
    let row = |prompt: &str| json!({"account": "a", "time": "2026-03-04T09:00:00Z", "prompt": prompt});
    let rows = [
        row(r#"[{"role": "user", "content": "What is a rook's egg worth?"}]"#),
        row(r#"{"role": "user", "text": 5}"#),
        row(r#"[{"role": "assistant", "content": "Said without being asked."}]"#),
        row(r#"["a", "list"]"#),
        row("plain"),
    ];
    site.log("log.jsonl", &rows);
    let report = site.audit(&["log.jsonl"]).ok().json();
    let read = &report["counts"]["read_as"];
    assert_eq!((&read["json_read"], &read["json_kept"]), (&json!(1), &json!(3)), "{read}");
    let hit = site.run(&["similar", "--store", "store", "--format", "json", "What is a rook's egg worth?"]).ok().json();
    assert_eq!(hit["hits"][0]["prompt"], "What is a rook's egg worth?");
}

#[test]
fn what_is_taken_can_be_seen_before() {
    let site = Site::new();
    let file = dir().join("bedrock-invoke.jsonl").display().to_string();
    let shown = site.run(&["log", "show", &file, "--rows", "1"]).ok().out;
    for part in ["bedrock (8)", "<- identity.arn", "<- input.inputBodyJson", "<- output.outputBodyJson", "<- timestamp"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!site.path("store").exists(), "nothing is written");
    // A log of no known schema: the proposed map is pasted, and reads it.
    let file = dir().join("mapped-request.jsonl").display().to_string();
    let shown = site.run(&["log", "show", &file, "--format", "json"]).ok().json();
    let map = shown["logs"][0]["proposed_map"].as_str().expect("a map").to_owned();
    assert!(map.starts_with("request=body.req,response=body.res,account=who.key,time=at"), "{map}");
    site.audit(&[&file]).refused(&["unknown-schema", &map]);
    assert_eq!(site.counts(&[&file, "--map", &map])[..2], [8, 8]);
    let shown = site.run(&["log", "show", &file, "--map", &map]).ok().out;
    assert!(shown.contains("<- who.key"), "{shown}");
    // Without an account the reason and a way out are told.
    let file = dir().join("lmsys.jsonl").display().to_string();
    let shown = site.run(&["log", "show", &file]).ok().out;
    assert!(shown.contains("no-account") && shown.contains("try: --default-account"), "{shown}");
}
