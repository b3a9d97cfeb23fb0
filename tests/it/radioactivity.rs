//! Sets of served contexts and tests for radioactivity on the command line, long because each command needs a teacher and students: from logs and
//! from a store, answers and predictions.

#[path = "../../src/radioactivity/tests/small_language.rs"]
mod small_language;

use super::rings::{POOL, nights};
use super::{Run, Site};
use ndarray_npy::WriteNpyExt as _;
use serde_json::{Value, json};
use small_language::{VOCAB, student, teacher};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use stillhunt::detect::windows::Text;
use stillhunt::watermark::native::green_list::GreenList;
use stillhunt::watermark::sample::{Sampling, draw, softmax};
use stillhunt::watermark::{Scheme, SoFar};

/// Words as a tokenizer reads them.
fn words(tokens: &[u32]) -> String {
    tokens.iter().map(|token| format!("w{token}")).collect::<Vec<_>>().join(" ")
}

/// A site with a key, the tokenizer of the small language, and the scheme under the key.
fn site() -> (Site, GreenList) {
    let site = Site::new();
    let vocab: serde_json::Map<String, Value> = (0..VOCAB).map(|id| (format!("w{id}"), id.into())).collect();
    let tokenizer = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null, "decoder": null,
        "truncation": null, "padding": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "w0"},
    });
    site.write("tokenizer.json", tokenizer.to_string());
    site.write(
        "k.toml",
        format!(
            "id = \"mark\"\nscheme = \"green-list\"\ndialect = \"native\"\nvocab_size = {VOCAB}\nkey = \"{}\"\nsalt = \"{}\"\n\
             context_width = 2\ngreenlist_ratio = 0.25\nbias = 3.0\n",
            "07".repeat(32),
            "01".repeat(32)
        ),
    );
    std::fs::set_permissions(site.path("k.toml"), std::fs::Permissions::from_mode(0o600)).expect("set");
    (site, GreenList::new(&[7; 32], 0.25, 3.0, 2, VOCAB))
}

/// A log of served exchanges: ten texts an account.
fn harvest(site: &Site, name: &str, texts: &[Text]) {
    let rows = texts.iter().enumerate().map(|(i, text)| {
        json!({
            "id": format!("{name}-{i}"), "account": format!("{name}-{}", i / 10), "model": "m",
            "time": format!("2026-11-{:02}T10:{:02}:{:02}Z", 20 + i % 5, i / 60, i % 60),
            "prompt": format!("please go on with number {i} of {name}, and say it in your own words"),
            "response": words(&text.tokens),
        })
    });
    site.log(&format!("{name}.jsonl"), &rows.collect::<Vec<_>>());
}

fn answers(site: &Site, name: &str, texts: &[Text]) {
    let rows = texts.iter().map(|text| json!({"prompt": "go on", "response": words(&text.tokens)}));
    site.log(name, &rows.collect::<Vec<_>>());
}

fn test_has_no_note(found: &Value) -> bool {
    found["tests"][0]["notes"].as_array().is_some_and(Vec::is_empty)
}

fn asked(site: &Site, what: &str, more: &[&str]) -> Run {
    let mut args = vec!["radioactivity", what, "--key-file", "k.toml", "--tokenizer", "tokenizer.json"];
    args.extend(["--decoys", "50"]);
    args.extend(more);
    if !more.contains(&"--format") {
        args.extend(["--format", "json"]);
    }
    site.run(&args)
}

#[test]
fn a_student_is_found_by_its_answers_and_by_its_predictions_and_an_innocent_one_by_neither() {
    let (site, scheme) = site();
    let served = teacher(Some(&scheme), 150, 1);
    harvest(&site, "ours", &served);
    let build = [
        "contexts",
        "build",
        "--harvest",
        "ours.jsonl",
        "--tokenizer",
        "tokenizer.json",
        "--key-file",
        "k.toml",
        "--out",
        "ours.ctx",
    ];
    let told = site.run(&build).ok();
    assert!(told.out.contains("contexts of 2 tokens, from 150 responses (30000 tokens)"), "{}", told.out);
    let info = site.run(&["contexts", "info", "ours.ctx", "--format", "json"]).ok().json();
    assert_eq!((&info["facts"]["width"], &info["facts"]["responses"]), (&json!(2), &json!(150)));
    // A set has no text.
    let bytes = std::fs::read(site.path("ours.ctx")).expect("a set");
    assert!(!bytes.windows(9).any(|part| part == b"please go") && !bytes.windows(3).any(|part| part == b"w12"));

    answers(&site, "guilty.jsonl", &student(&served, 60, 3));
    let found = asked(&site, "closed", &["guilty.jsonl", "--contexts", "ours.ctx"]).ok().json();
    let test = &found["tests"][0];
    assert_eq!(test["verdict"], "Marked", "{test}");
    for field in
        ["key", "scheme", "contexts", "scored", "statistic", "log10_p", "p_kind", "adjusted_log10_p", "m_tests"]
    {
        assert!(!test[field].is_null(), "{field} in {test}");
    }
    assert_eq!((&test["contexts"], &test["m_tests"]), (&info["facts"]["contexts"], &json!(1)));
    assert!(test["decoys"]["n"] == 50 && test["decoys"]["ks_p"].is_f64() && test["contamination"].is_null(), "{test}");
    assert!(test["log10_p"].as_f64().is_some_and(|p| p < -40.0), "{test}");

    answers(&site, "innocent.jsonl", &student(&teacher(None, 150, 2), 60, 3));
    let innocent = asked(&site, "closed", &["innocent.jsonl", "--harvest", "ours.jsonl"]).ok().json();
    let test = &innocent["tests"][0];
    assert!(test["verdict"] != "Marked" && test["log10_p"].as_f64().is_some_and(|p| p > -3.0), "{test}");
    // As a control it is clean, and named.
    let with =
        asked(&site, "closed", &["guilty.jsonl", "--contexts", "ours.ctx", "--control", "innocent.jsonl"]).ok().json();
    let control = &with["tests"][0]["controls"][1];
    assert_eq!((&control["kind"], &control["name"]), (&json!("clean"), &json!("innocent.jsonl")));
    assert_eq!(with["tests"][0]["verdict"], "Marked");

    // Who hands in the served text itself is told apart.
    answers(&site, "copied.jsonl", &served);
    let copied = asked(&site, "closed", &["copied.jsonl", "--contexts", "ours.ctx"]).ok().json();
    let test = &copied["tests"][0];
    assert!(test["verdict"] == "Inconclusive" && test["log10_p"].as_f64().is_some_and(|p| p < -40.0), "{test}");
    assert!(test["copies"]["log10_p_without"].as_f64().is_some_and(|p| p > -3.0), "{test}");
    assert!(test["rule"].as_str().is_some_and(|rule| rule.contains("as copied text does")), "{test}");
    assert!(found["tests"][0]["copies"].is_null() && test_has_no_note(&found), "{found}");

    // A share of the training text only by a calibration, and in its words.
    let points = json!([{"share": 0, "rate": [0.25, 0.25]}, {"share": 1, "rate": [0.9, 0.95]}]);
    let about = "two points that were made up";
    let calibration = json!({"schema": 1, "scheme": "green-list", "mode": "closed", "about": about, "points": points});
    site.write("calibration.json", calibration.to_string());
    let with = ["guilty.jsonl", "--contexts", "ours.ctx", "--calibration", "calibration.json"];
    let found = asked(&site, "closed", &with).ok().json();
    let share: Vec<f64> = serde_json::from_value(found["tests"][0]["contamination"].clone()).expect("an interval");
    assert!(0.0 < share[0] && share[0] < share[1] && share[1] < 1.0, "{share:?}");
    assert_eq!(found["calibration"]["about"], about);

    // Predictions: what the student says after each served context.
    for (name, learned, expected) in [("guilty", &served, true), ("innocent", &teacher(None, 150, 2), false)] {
        let said = student(learned, 200, 8);
        let rows: Vec<Value> = said
            .iter()
            .flat_map(|text| text.tokens.windows(3))
            .map(|window| json!({"context": window[..2], "predicted": [window[2]]}))
            .collect();
        let file = format!("{name}-open.jsonl");
        site.log(&file, &rows);
        let found = asked(&site, "open", &[&file, "--contexts", "ours.ctx"]).ok().json();
        assert_eq!(found["tests"][0]["verdict"] == "Marked", expected, "{}", found["tests"][0]);
    }
    // The same predictions as an array of NumPy's, by its bytes and not by its name.
    let rows: Vec<[i64; 3]> = student(&served, 200, 8)
        .iter()
        .flat_map(|text| text.tokens.windows(3))
        .map(|window| [window[0].into(), window[1].into(), window[2].into()])
        .collect();
    let mut array = Vec::new();
    ndarray::arr2(&rows).write_npy(&mut array).expect("written");
    site.write("guilty.npy", &array);
    let numbers = |file: &str| {
        let mut found = asked(&site, "open", &[file, "--contexts", "ours.ctx"]).ok().json();
        assert_eq!(found["input"]["pieces"], rows.len());
        found["tests"][0].take()
    };
    assert_eq!(numbers("guilty.npy"), numbers("guilty-open.jsonl"));
    site.write("cut.npy", &array[..array.len() - 3]);
    asked(&site, "open", &["cut.npy", "--contexts", "ours.ctx"]).refused(&[
        "cut.npy: expected a NumPy array",
        "a file that ends in row",
        "hint: numpy.save",
    ]);
    // The same bytes on one thread and on two, and with little memory.
    let once = |more: &[&str]| {
        let args = [&["guilty.jsonl", "--contexts", "ours.ctx"], more].concat();
        asked(&site, "closed", &args).ok().out
    };
    let one = once(&["--threads", "1"]);
    assert_eq!(one, once(&["--threads", "2"]));
    assert_eq!(one, once(&["--memory", "1"]));
    for format in ["text", "md"] {
        let text = once(&["--format", format]);
        for part in ["Marked", "ull hypothesis", "no probability of guilt"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn the_ring_that_was_trained_on_is_named_from_logs_and_from_a_store() {
    let (site, scheme) = site();
    let harvests: Vec<Vec<Text>> = (0..3).map(|i| teacher(Some(&scheme), 100, 10 + i)).collect();
    for (name, texts) in ["A", "B", "C"].iter().zip(&harvests) {
        harvest(&site, name, texts);
    }
    harvest(&site, "crowd", &teacher(Some(&scheme), 100, 20));
    answers(&site, "suspect.jsonl", &student(&[&harvests[1][..], &teacher(None, 60, 2)].concat(), 200, 5));
    answers(&site, "innocent.jsonl", &student(&teacher(None, 160, 2), 200, 5));
    let ask = |suspect: &str| {
        let named = ["--harvest", "A=A.jsonl", "--harvest", "B=B.jsonl", "--harvest", "C=C.jsonl"];
        let more = [&[suspect][..], &named, &["--served", "crowd.jsonl", "--decoy-rings", "500"]].concat();
        asked(&site, "attribute", &more).ok().json()
    };
    let marked = |found: &Value| -> Vec<String> {
        let rings = found["rings"].as_array().expect("rings").iter();
        rings
            .filter(|ring| ring["verdict"] == "Marked")
            .map(|ring| ring["ring"].as_str().expect("a name").to_owned())
            .collect()
    };
    let found = ask("suspect.jsonl");
    assert_eq!(marked(&found), ["B"], "{found:#}");
    for ring in found["rings"].as_array().expect("rings") {
        for field in ["exclusive_contexts", "scored", "log10_p", "adjusted_log10_p"] {
            assert!(ring[field].is_number(), "{field} in {ring}");
        }
    }
    assert!(found["decoys"]["n"] == 500 && found["decoys"]["rank_p"].as_f64().is_some_and(|p| p < 0.01), "{found}");
    assert!(marked(&ask("innocent.jsonl")).is_empty());

    // From a store: sets by list of accounts, and all others; together they are all, and share what both were served.
    let logs = ["A.jsonl", "B.jsonl", "C.jsonl", "crowd.jsonl"];
    site.run(&[&["audit"], &logs[..], &["--store", "s", "--key", "key"]].concat()).ok();
    site.write("list", (0..10).map(|i| format!("B-{i}\n")).collect::<String>());
    let build = |out: &str, more: &[&str]| {
        let all = [
            "contexts",
            "build",
            "--store",
            "s",
            "--tokenizer",
            "tokenizer.json",
            "--key-file",
            "k.toml",
            "--out",
            out,
        ];
        site.run(&[&all[..], more].concat()).ok();
    };
    build("b.ctx", &["--accounts", "list", "--key", "key"]);
    build("rest.ctx", &["--accounts", "list", "--key", "key", "--others"]);
    build("all.ctx", &[]);
    site.run(&[
        "contexts",
        "build",
        "--harvest",
        "B.jsonl",
        "--tokenizer",
        "tokenizer.json",
        "--key-file",
        "k.toml",
        "--out",
        "log.ctx",
    ])
    .ok();
    let contexts = |set: &str| {
        let info = site.run(&["contexts", "info", set, "--format", "json"]).ok().json();
        info["facts"]["contexts"].as_u64().expect("a number")
    };
    assert_eq!(contexts("b.ctx"), contexts("log.ctx"));
    // The store's chain of custody tells of each set that was read out of it, with the set's digest.
    let chain = site.run(&["evidence", "custody", "show", "--store", "s", "--format", "json"]).ok().json();
    let rows = chain["rows"].as_array().expect("rows").iter().filter(|row| row["command"] == "contexts build");
    let told: Vec<Value> = rows.map(|row| json!([row["arguments"], row["result"]])).collect();
    let digest = |set: &str| site.run(&["contexts", "info", set, "--format", "json"]).ok().json()["digest"].clone();
    let words =
        ["responses to 10 accounts of a list", "all responses but those to 10 accounts of a list", "all responses"];
    let expected = words.iter().zip(["b.ctx", "rest.ctx", "all.ctx"]);
    let expected: Vec<Value> =
        expected.map(|(words, set)| json!([[format!("--selection={words}")], digest(set)])).collect();
    assert_eq!(told, expected);
    for (command, out) in [("union", "u.ctx"), ("intersect", "i.ctx"), ("subtract", "x.ctx")] {
        site.run(&["contexts", command, "b.ctx", "rest.ctx", "--out", out]).ok();
    }
    assert_eq!(contexts("u.ctx"), contexts("all.ctx"));
    assert_eq!(contexts("i.ctx") + contexts("x.ctx"), contexts("b.ctx"));
    // What is taken away was not read for what is left.
    let facts = |set: &str| site.run(&["contexts", "info", set, "--format", "json"]).ok().json()["facts"].clone();
    assert_eq!(facts("x.ctx")["responses"], facts("b.ctx")["responses"]);
    assert_eq!(facts("u.ctx")["scheme"], facts("b.ctx")["scheme"]);
    let exclusive = found["rings"][1]["exclusive_contexts"].as_u64().expect("a number");
    assert_eq!(contexts("x.ctx"), exclusive);
    let closed = asked(&site, "closed", &["suspect.jsonl", "--contexts", "x.ctx"]).ok().json();
    assert_eq!(closed["tests"][0]["scored"], found["rings"][1]["scored"]);
    assert_eq!(closed["tests"][0]["log10_p"], found["rings"][1]["log10_p"]);
    // By time: the days of the log make up all of it.
    build("early.ctx", &["--to", "2026-11-22T00:00:00Z"]);
    build("late.ctx", &["--from", "2026-11-22T00:00:00Z"]);
    site.run(&["contexts", "union", "early.ctx", "late.ctx", "--out", "both.ctx"]).ok();
    assert_eq!(contexts("both.ctx"), contexts("all.ctx"));
}

#[test]
fn what_cannot_be_tested_is_refused_with_the_way_to_mend_it() {
    let (site, scheme) = site();
    harvest(&site, "ours", &teacher(Some(&scheme), 3, 1));
    answers(&site, "answers.jsonl", &teacher(None, 3, 2));
    site.log("predictions.jsonl", &[json!({"context": [1, 2], "predicted": [3]})]);
    site.write("rubbish.ctx", "SHCTXS01 and then nothing of the kind, for as long as a trailer would be and longer");
    site.write("cut.ctx", "SHCT");
    for (args, parts) in [
        (
            &["closed", "predictions.jsonl", "--harvest", "ours.jsonl"][..],
            &["answers", "predictions", "radioactivity open"][..],
        ),
        (&["open", "answers.jsonl", "--harvest", "ours.jsonl"], &["predictions", "answers", "radioactivity closed"]),
        (&["closed", "answers.jsonl", "--contexts", "rubbish.ctx"], &["set of contexts", "digest"]),
        (&["closed", "answers.jsonl", "--contexts", "cut.ctx"], &["set of contexts"]),
        (&["attribute", "answers.jsonl", "--harvest", "A=ours.jsonl", "--harvest", "A=ours.jsonl"], &["A twice"]),
        (&["closed", "answers.jsonl", "--harvest", "A=ours.jsonl", "--harvest", "A=ours.jsonl"], &["A twice"]),
    ] {
        asked(&site, args[0], &args[1..]).refused(parts);
    }
    // A set is never written over, nor is a key or a log; what chooses in a store chooses nothing of a log.
    let build = [
        "contexts",
        "build",
        "--harvest",
        "ours.jsonl",
        "--tokenizer",
        "tokenizer.json",
        "--key-file",
        "k.toml",
        "--out",
    ];
    for out in ["k.toml", "ours.jsonl"] {
        let before = site.read(out);
        site.run(&[&build[..], &[out]].concat()).refused(&[out]);
        assert_eq!(site.read(out), before);
    }
    let run = site.run(&[&build[..], &["new.ctx", "--from", "2026-11-20T00:00:00Z"]].concat());
    assert!(run.code == 2 && run.err.contains("--from") && !site.path("new.ctx").exists(), "{}", run.err);
    // A log that breaks off is no whole account of what was served.
    let mut packed = zstd::encode_all(site.read("ours.jsonl").as_bytes(), 1).expect("packed");
    packed.truncate(packed.len() / 2);
    site.write("cut.jsonl.zst", packed);
    asked(&site, "attribute", &["answers.jsonl", "--harvest", "A=ours.jsonl", "--served", "cut.jsonl.zst"])
        .refused(&["cut.jsonl.zst", "whole log"]);
    // Bad rows are counted, and the rest is tested.
    site.write(
        "mixed.jsonl",
        format!("{{\"prompt\":\"a\",\"response\":\"{}\"}}\nnot json\n{{\"x\":1}}\n", words(&[1, 2, 3, 4])),
    );
    let found = asked(&site, "closed", &["mixed.jsonl", "--harvest", "ours.jsonl"]).ok().json();
    assert_eq!(
        (&found["input"]["pieces"], found["input"]["bad_rows"].as_object().map(serde_json::Map::len)),
        (&json!(1), Some(2))
    );
    assert_eq!(found["tests"][0]["verdict"], "Inconclusive");
    // So they are in a harvest and in a control; where nothing is scored there is no interval.
    site.write("short.jsonl", site.read("ours.jsonl") + "not json\n");
    site.log("three.jsonl", &[json!({"prompt": "a", "response": words(&[0])})]);
    let with = ["three.jsonl", "--harvest", "short.jsonl", "--control", "mixed.jsonl"];
    let found = asked(&site, "closed", &with).ok().json();
    assert_eq!(found["sets"][0]["bad_rows"], json!({"not-json": 1}));
    assert_eq!(found["controls"][0]["bad_rows"], json!({"no-text": 1, "not-json": 1}));
    assert_eq!((&found["tests"][0]["scored"], &found["tests"][0]["interval"]), (&json!(0), &Value::Null));
    let told = asked(&site, "attribute", &[&with[..], &["--format", "text"]].concat()).ok().out;
    assert!(told.contains("; 1 bad rows left out") && told.contains("interval none"), "{told}");
    assert!(told.contains("control mixed.jsonl: 1 read; 2 bad rows left out"), "{told}");
}

#[test]
fn a_third_party_verifies_and_replays_what_was_found() {
    let (site, scheme) = site();
    let served = teacher(Some(&scheme), 120, 1);
    harvest(&site, "A", &served);
    harvest(&site, "B", &teacher(Some(&scheme), 60, 2));
    answers(&site, "suspect.jsonl", &student(&served, 60, 3));
    answers(&site, "clean.jsonl", &teacher(None, 60, 4));
    site.run(&[
        "contexts",
        "build",
        "--harvest",
        "A.jsonl",
        "--tokenizer",
        "tokenizer.json",
        "--key-file",
        "k.toml",
        "--out",
        "a.ctx",
    ])
    .ok();
    let closed =
        asked(&site, "closed", &["suspect.jsonl", "--contexts", "a.ctx", "--control", "clean.jsonl", "--unsupervised"])
            .ok();
    site.write("closed.json", &closed.out);
    let named = ["suspect.jsonl", "--harvest", "A=A.jsonl", "--harvest", "B=B.jsonl", "--decoy-rings", "200"];
    site.write("rings.json", asked(&site, "attribute", &named).ok().out);
    let public = site.run(&["evidence", "keygen", "--out", "sign.pem"]).ok();
    site.write("public.pem", public.out);
    site.run(&["evidence", "bundle", "closed.json", "rings.json", "--out", "bundle", "--sign", "sign.pem"]).ok();
    site.run(&["evidence", "verify", "bundle", "--public", "public.pem"]).ok();
    // The inputs lie elsewhere under other names.
    std::fs::create_dir(site.path("inputs")).expect("made");
    let inputs = ["suspect.jsonl", "A.jsonl", "B.jsonl", "a.ctx", "clean.jsonl", "k.toml", "tokenizer.json"];
    for (i, name) in inputs.iter().enumerate() {
        std::fs::copy(site.path(name), site.path("inputs").join(format!("file-{i}"))).expect("copied");
    }
    for threads in ["1", "2"] {
        let told = site.run(&["evidence", "replay", "bundle", "--inputs", "inputs", "--threads", threads]).ok();
        assert_eq!(told.out.matches("every number is the same").count(), 2, "{}", told.out);
    }
    // On processors without AVX-512, and without AVX at all: an emulator has them.
    for processor in ["Haswell", "Nehalem"] {
        let mut emulator = Command::new("qemu-x86_64");
        emulator.args(["-cpu", processor, env!("CARGO_BIN_EXE_stillhunt"), "evidence", "replay", "bundle"]);
        match emulator.args(["--inputs", "inputs"]).current_dir(site.path(".")).output() {
            Err(_) => println!("skipped: replay on {processor} (no qemu-x86_64)"),
            Ok(run) => {
                let out = String::from_utf8_lossy(&run.stdout);
                assert_eq!(out.matches("every number is the same").count(), 2, "{run:?}");
            }
        }
    }
    // A number that is not what the inputs give is named.
    let lie = closed.out.replacen("\"scored\": ", "\"scored\": 1", 1);
    site.write("lie.json", lie);
    site.run(&["evidence", "bundle", "lie.json", "--out", "lying", "--sign", "sign.pem"]).ok();
    site.run(&["evidence", "replay", "lying", "--inputs", "inputs"]).refused(&["step: replay:", "/tests/0/scored"]);
    let report = site.read("bundle/report.md");
    for part in
        ["traces of marked training text", "Attribution to rings", "Number of tests", "no probability", "Marked"]
    {
        let found =
            report.contains(part) || part == "no probability" && report.contains("not state a probability of guilt");
        assert!(found, "{part} in {report}");
    }
}

#[test]
fn a_plan_ranks_prompts_and_says_what_a_verdict_takes() {
    let (site, scheme) = site();
    let served = teacher(Some(&scheme), 240, 1);
    // The last ten prompts were answered with noise, whose contexts stand nowhere else.
    let noise: Vec<Text> = (0..10u32)
        .map(|i| Text { tokens: (0..200u32).map(|j| (i * 211 + j * j * 37 + j) % VOCAB).collect(), prompt: None })
        .collect();
    harvest(&site, "ours", &[&served[..], &noise].concat());
    let ask = |more: &[&str]| {
        let mut args = vec!["radioactivity", "plan", "--harvest", "ours.jsonl", "--key-file", "k.toml"];
        args.extend(["--tokenizer", "tokenizer.json", "--prompts", "30", "--format", "json"]);
        args.extend(more);
        site.run(&args).ok().json()
    };
    let plan = ask(&["--strength", "0.1"]);
    let key = &plan["keys"][0];
    let (windows, tokens) = (key["windows"].as_f64().expect("a number"), key["tokens"].as_f64().expect("a number"));
    assert!((500.0..5000.0).contains(&windows) && tokens > windows, "{key}");
    // Answers repeat windows, so more tokens than windows over the rate are planned for, and no more windows than there are.
    let rate = key["served_contexts_a_token"].as_f64().expect("a number");
    assert!(tokens > windows / rate && key["most_windows"].as_f64().is_some_and(|most| most > windows), "{key}");
    for scheme in key["native"].as_array().expect("schemes") {
        let of = scheme["windows"].as_f64().expect("a number");
        assert!((0.8..1.25).contains(&(of / windows)), "a window tells as much under each: {scheme}");
    }
    let prompts = plan["prompts"].as_array().expect("prompts");
    let is_noise = |prompt: &Value| {
        let text = prompt["prompt"].as_str().expect("a text");
        (240..250).any(|i| text.contains(&format!("number {i} of")))
    };
    assert!(prompts.len() == 30 && !prompts.iter().any(is_noise), "{plan:#}");
    // What a verdict takes and the harvest cannot give is told, by number.
    let faint = ask(&["--strength", "0.01"]);
    let key = &faint["keys"][0];
    assert!(key["windows"].as_u64() > key["most_windows"].as_u64() && key["tokens"].is_null(), "{key}");
    let told = site
        .run(&[
            "radioactivity",
            "plan",
            "--harvest",
            "ours.jsonl",
            "--key-file",
            "k.toml",
            "--tokenizer",
            "tokenizer.json",
            "--strength",
            "0.01",
        ])
        .ok()
        .out;
    assert!(
        told.contains("which no number of tokens gives: answers like these have") && told.contains("too few"),
        "{told}"
    );
    // Several harvests: a plan for each, which share the level.
    harvest(&site, "theirs", &teacher(Some(&scheme), 240, 2));
    let both = ask(&["--harvest", "theirs.jsonl", "--strength", "0.1"]);
    let names: Vec<&Value> = both["keys"].as_array().expect("keys").iter().map(|key| &key["harvest"]).collect();
    assert_eq!(names, ["ours", "theirs"]);
    assert!(both["keys"][0]["windows"].as_f64().is_some_and(|of| of > windows), "{both:#}");
    let prompts = both["prompts"].as_array().expect("prompts");
    assert!(prompts.iter().any(|of| of["harvest"] == "theirs") && prompts.len() == 30, "{both:#}");
    // A mark half as strong takes some four times as many windows.
    let weaker = ask(&["--strength", "0.05"])["keys"][0]["windows"].as_f64().expect("a number");
    assert!((3.0..5.0).contains(&(weaker / windows)), "{weaker} and {windows}");
}

/// Python with some packages, or the word "skipped".
fn python(test: &str, packages: &str) -> Option<String> {
    let python = std::env::var("STILLHUNT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", &format!("import {packages}")]).output();
    if has.is_ok_and(|run| run.status.success()) {
        return Some(python);
    }
    println!("skipped: {test} (python3 with {packages})");
    None
}

/// Runs a script of `scripts/predictions` on the log of a site, and tests what it wrote.
fn predicted(site: &Site, python: &str, script: &str, args: &[&str]) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/predictions").join(script);
    let mut command = Command::new(python);
    command.arg(path).args(args).args(["--tokenizer", "tokenizer.json", "--out", "rows.jsonl", "--length", "40"]);
    let run = command.current_dir(site.path(".")).output().expect("python ran");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    asked(site, "open", &["rows.jsonl", "--harvest", "ours.jsonl"]).ok().json()
}

#[test]
fn predictions_of_a_tiny_transformer_are_read() {
    let Some(python) = python("predictions_of_a_tiny_transformer_are_read", "torch, transformers, tokenizers") else {
        return;
    };
    let (site, scheme) = site();
    harvest(&site, "ours", &teacher(Some(&scheme), 4, 1));
    let make = format!(
        "import torch; from transformers import GPT2Config, GPT2LMHeadModel; torch.manual_seed(1); \
         GPT2LMHeadModel(GPT2Config(vocab_size={VOCAB}, n_positions=64, n_embd=16, n_layer=1, n_head=2)).save_pretrained('model')"
    );
    let made = Command::new(&python).args(["-c", &make]).current_dir(site.path(".")).output().expect("python ran");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let found = predicted(&site, &python, "transformers_predictions.py", &["model", "ours.jsonl"]);
    // Four responses of 200 tokens in five pieces of 40, of which each has 39 places.
    assert_eq!(found["input"]["pieces"], 4 * 5 * 39);
    assert_ne!(found["tests"][0]["verdict"], "Marked");
    let first = site.read("rows.jsonl").lines().next().map(|line| serde_json::from_str::<Value>(line).expect("a row"));
    let served = teacher(Some(&scheme), 4, 1);
    assert_eq!(first.expect("a row")["context"], json!([served[0].tokens[0]]));
}

#[test]
fn predictions_of_a_server_are_read() {
    let Some(python) = python("predictions_of_a_server_are_read", "tokenizers") else { return };
    let (site, scheme) = site();
    harvest(&site, "ours", &teacher(Some(&scheme), 2, 1));
    // A server of vLLM's form: the likeliest token is 7 with rank 1, and the served one is told at its own rank.
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", server.local_addr().expect("an address"));
    let answers = std::thread::spawn(move || {
        for stream in server.incoming().take(10) {
            let mut stream = stream.expect("a connection");
            let mut bytes = Vec::new();
            let body = loop {
                let mut chunk = [0; 4096];
                let n = stream.read(&mut chunk).expect("read");
                bytes.extend_from_slice(&chunk[..n]);
                let text = String::from_utf8_lossy(&bytes).to_string();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .lines()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                    if length.and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| body.len() >= n) {
                        break body.to_owned();
                    }
                }
            };
            let asked: Value = serde_json::from_str(&body).expect("JSON");
            let place = |(i, id): (usize, &Value)| match i {
                0 => Value::Null,
                _ => json!({"7": {"logprob": -0.1, "rank": 1}, id.to_string(): {"logprob": -3.0, "rank": 9}}),
            };
            let places: Vec<Value> = asked["prompt"].as_array().expect("ids").iter().enumerate().map(place).collect();
            let answer = json!({"choices": [{"prompt_logprobs": places}]}).to_string();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}", answer.len())
                .expect("written");
        }
    });
    let found = predicted(&site, &python, "vllm_predictions.py", &[&url, "m", "ours.jsonl"]);
    answers.join().expect("answered");
    let rows: Vec<Value> =
        site.read("rows.jsonl").lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    // Where token 7 itself was served it has one entry, at its own rank, and gives no row.
    let texts = teacher(Some(&scheme), 2, 1);
    let places = texts.iter().flat_map(|text| text.tokens.chunks(40)).flat_map(|piece| &piece[1..]);
    let expected = places.filter(|token| **token != 7).count();
    assert_eq!((rows.len(), &found["input"]["pieces"]), (expected, &json!(expected)));
    assert!(rows.iter().all(|row| row["predicted"] == json!([7])), "{rows:?}");
}

/// A run that is stopped while it reads says so as every other does, and leaves nothing behind.
#[test]
fn a_stopped_run_says_so() {
    let (site, scheme) = site();
    harvest(&site, "ours", &teacher(Some(&scheme), 20, 1));
    let args = ["radioactivity", "closed", "-", "--harvest", "ours.jsonl", "--key-file", "k.toml"];
    let args = [&args[..], &["--tokenizer", "tokenizer.json", "--spill-dir", "."]].concat();
    let before = std::fs::read_dir(site.path(".")).expect("listed").count();
    let mut command = site.command(&args);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // More than a pipe holds: once it is written, the program reads.
    let row = format!("{}\n", json!({"prompt": "go on", "response": words(&vec![1; 20_000])}));
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(row.repeat(8).as_bytes()).expect("written");
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("sent").success());
    let output = child.wait_with_output().expect("it ends");
    drop(stdin);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("stopped before the end"), "{told}");
    assert!(output.stdout.is_empty());
    assert_eq!(std::fs::read_dir(site.path(".")).expect("listed").count(), before, "nothing is left behind");
}

/// A result about the rings of a store is made again from the logs, the account key and the suspect: no store is handed over.
#[test]
fn an_attribution_on_a_store_is_replayed_from_its_logs() {
    let (site, scheme) = site();
    let (theirs, others) = (teacher(Some(&scheme), 100, 1), teacher(Some(&scheme), 100, 2));
    let mut turn = 0;
    for (night, mut rows) in nights().into_iter().enumerate() {
        for row in &mut rows {
            turn += 1;
            let account = row["account"].as_str().and_then(|name| name.strip_prefix("person-")).expect("a person");
            let pooled = POOL.contains(&account.parse().expect("a number"));
            let text = if pooled { &theirs[turn % 100].tokens[..] } else { &others[turn % 100].tokens[..20] };
            row["response"] = words(text).into();
        }
        site.log(&format!("logs/{night}.jsonl"), &rows);
    }
    site.audit(&["logs/0.jsonl", "logs/1.jsonl", "logs/2.jsonl"]).ok();
    site.audit(&["logs/3.jsonl", "logs/4.jsonl"]).ok();
    answers(&site, "suspect.jsonl", &student(&theirs, 60, 3));
    let found = asked(&site, "attribute", &["suspect.jsonl", "--store", "store", "--decoy-rings", "200"]).ok();
    let ring = &found.json()["rings"][0];
    assert!(ring["scored"].as_u64() > Some(100), "{ring}");
    // What decides no number may come between.
    let set = ["--store", "store", "--tokenizer", "tokenizer.json", "--key-file", "k.toml", "--out", "all.ctx"];
    site.run(&[&["contexts", "build"], &set[..]].concat()).ok();
    let found = asked(&site, "attribute", &["suspect.jsonl", "--store", "store", "--decoy-rings", "200"]).ok();
    site.write("result.json", &found.out);
    site.write("public.pem", site.run(&["evidence", "keygen", "--out", "sign.pem"]).ok().out);
    site.run(&["evidence", "bundle", "result.json", "--out", "bundle", "--sign", "sign.pem"]).ok();
    site.run(&["evidence", "verify", "bundle", "--public", "public.pem"]).ok();
    std::fs::create_dir(site.path("inputs")).expect("made");
    let logs = (0..5).map(|night| format!("logs/{night}.jsonl"));
    let inputs = ["suspect.jsonl", "k.toml", "tokenizer.json"].map(str::to_owned);
    for (i, name) in logs.chain(inputs).enumerate() {
        std::fs::copy(site.path(&name), site.path("inputs").join(format!("file-{i}"))).expect("copied");
    }
    let replay = |bundle: &str, threads: &str| {
        site.run(&["evidence", "replay", bundle, "--inputs", "inputs", "--threads", threads])
    };
    replay("bundle", "2").refused(&["step: commitment:account.key"]);
    super::watermark::private(&site, "inputs/the-key", &site.read("key"));
    for threads in ["1", "2"] {
        assert!(replay("bundle", threads).ok().out.contains("every number is the same"));
    }
    let scored = format!("\"scored\": {}", ring["scored"]);
    site.write("lie.json", found.out.replacen(&scored, &format!("{scored}0"), 1));
    site.run(&["evidence", "bundle", "lie.json", "--out", "lying", "--sign", "sign.pem"]).ok();
    replay("lying", "2").refused(&["step: replay:", "/rings/0/scored"]);
    // A store that something else changed is not what its logs make.
    site.run(&["registry", "add", "a course", "What is a neuron?", "--kind", "course", "--store", "store"]).ok();
    let told = asked(&site, "attribute", &["suspect.jsonl", "--store", "store", "--decoy-rings", "200"]).ok();
    assert!(told.err.contains("no recipe") && told.err.contains("registry add"), "{}", told.err);
    assert!(told.json()["recipe"].is_null());
}
