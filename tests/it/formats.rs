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
    assert!(
        shown.contains("no-account") && shown.contains("try: --default-account NAME --default-time TIME"),
        "{shown}"
    );
}

/// A known schema whose rows have the account and the time under names of their own: what is proposed is pasted, and reads them.
#[test]
fn what_a_known_schema_lacks_is_proposed() {
    let site = Site::new();
    let talk =
        json!([{"from": "human", "value": "What is a lock keeper?"}, {"from": "gpt", "value": "Somebody at a canal."}]);
    let row = |n: u64| json!({"conversations": talk, "meta": {"tenant": format!("t{n}"), "logged_at": "2026-03-04T09:00:00Z"}});
    site.log("log.jsonl", &[row(1), row(2)]);
    let shown = site.run(&["log", "show", "log.jsonl"]).ok().out;
    let way = "--map account=meta.tenant,time=meta.logged_at";
    assert!(shown.contains(&format!("try: {way}\n")), "{shown}");
    site.audit(&["log.jsonl"]).refused(&["no-account", way]);
    let map = way.trim_start_matches("--map ");
    assert_eq!(site.counts(&["log.jsonl", "--map", map])[..2], [2, 2]);
    // What is given already is not asked for again, and what nothing looks like has a default.
    let shown = site.run(&["log", "show", "log.jsonl", "--map", "time=meta.logged_at"]).ok().out;
    assert!(shown.contains("try: --map time=meta.logged_at,account=meta.tenant\n"), "{shown}");
    site.log("bare.jsonl", &[json!({"conversations": talk, "meta": {"tenant": "t"}})]);
    let shown = site.run(&["log", "show", "bare.jsonl"]).ok().out;
    assert!(shown.contains("try: --map account=meta.tenant --default-time TIME\n"), "{shown}");
}

/// A table has texts where JSON has numbers, and columns where it has objects: the exchanges are the same, and known.
#[test]
fn the_same_log_as_json_and_as_a_table_is_known() {
    let site = Site::new();
    let rows: Vec<Value> = (0..3)
        .map(|n| {
            let request = json!({"model": "m", "messages": [{"role": "user", "content": format!("Question {n}, \"quoted\"?")}]});
            let answer = json!({"id": format!("c{n}"), "choices": [{"message": {"role": "assistant", "content": "Yes."}}]});
            json!({"request_id": format!("r{n}"), "request_created_at": "2026-03-04T09:00:00Z", "request_path": "x", "request_user_id": format!("u{n}"),
                "request_body": request, "response_body": answer, "response_status": 200, "total_tokens": n, "cached": false, "scores": {"a": 1.5}})
        })
        .collect();
    site.log("log.jsonl", &rows);
    let names: Vec<&String> = rows[0].as_object().expect("an object").keys().collect();
    let cell = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("\"{}\"", text.replace('"', "\"\""))
    };
    let line = |row: &Value| names.iter().map(|name| cell(&row[name.as_str()])).collect::<Vec<_>>().join(",");
    let head = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
    let table: Vec<String> = std::iter::once(head).chain(rows.iter().map(line)).collect();
    site.write("log.csv", table.join("\n"));
    assert_eq!(site.counts(&["log.jsonl"]), [3, 3, 0, 0]);
    assert_eq!(site.counts(&["log.csv"]), [3, 0, 3, 0]);
    // Another text under a known id is a conflict all the same.
    let mut other = rows[0].clone();
    other["request_body"]["messages"][0]["content"] = json!("Another question?");
    site.log("other.jsonl", &[other]);
    site.audit(&["other.jsonl"]).refused(&["id-conflict"]);
}

#[test]
fn calls_without_a_text_to_compare_are_counted_apart() {
    let site = Site::new();
    let row = |n: u64, content: Value| json!({"account": format!("a{n}"), "time": 1_795_161_600 + n, "request": {"messages": [{"role": "user", "content": content}]}, "response": "ok"});
    let image = json!([{"type": "image_url", "image_url": {"url": "data:x"}}]);
    let mut rows: Vec<Value> = (0..5).map(|n| row(n, json!("redacted-by-litellm"))).collect();
    rows.extend([row(6, image.clone()), row(7, image), row(8, json!("What is a lock keeper?"))]);
    site.log("log.jsonl", &rows);
    let report = site.audit(&["log.jsonl"]).ok().json();
    assert_eq!(super::counts(&report), [1, 1, 0, 0]);
    let read = &report["counts"]["read_as"];
    assert_eq!((&read["redacted"], &read["without_text"], &read["passed_over"]), (&json!(5), &json!(2), &json!(0)));
    let shown = site.run(&["log", "show", "log.jsonl"]).ok().out;
    assert!(shown.contains("5 rows hold a placeholder") && shown.contains("2 rows are calls with images"), "{shown}");
    site.log("masked.jsonl", &rows[..5]);
    site.audit(&["masked.jsonl"]).refused(&["expected rows to audit, found none with text", "redacted"]);
}

#[test]
fn log_show_joins_what_lies_in_several_logs() {
    let site = Site::new();
    let pair = dir().join("openai-batch-pair").display().to_string();
    let args = [
        "log",
        "show",
        &pair,
        "--default-account",
        "d",
        "--default-time",
        "2026-07-01T00:00:00Z",
        "--format",
        "json",
        "--rows",
        "9",
    ];
    let shown = site.run(&args).ok().json();
    let logs = shown["logs"].as_array().expect("logs");
    let taken: Vec<&Value> = logs.iter().flat_map(|log| log["exchanges"].as_array().expect("exchanges")).collect();
    assert_eq!((logs.len(), taken.len()), (2, 8));
    assert!(taken.iter().all(|exchange| exchange["fields"]["response"]["value"].is_string()), "{shown}");
}
