//! Planting health on the command line: an engine that stops planting in the middle of a night on one node of ten, a key that does not belong there,
//! and an account that has opted out.

use super::watermark::private;
use super::{Run, Site};
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use stillhunt::watermark::gumbel_sglang::Gumbel;
use stillhunt::watermark::sample::Sampling;
use stillhunt::watermark::{Scheme as _, SoFar};

const VOCAB: u32 = 150;
const NODES: usize = 10;
const EACH: usize = 24;
const KEY: u64 = 0x9f3c_0d71_aa55;
const OTHER: u64 = 0x77aa_3100_1234;

fn site() -> Site {
    let site = Site::new();
    let vocab: serde_json::Map<String, Value> = (0..VOCAB).map(|id| (format!("w{id}"), id.into())).collect();
    let tokenizer = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null, "decoder": null,
        "truncation": null, "padding": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "w0"},
    });
    site.write("tokenizer.json", tokenizer.to_string());
    for (name, key) in [("k", KEY), ("old", OTHER)] {
        let head = format!("id = \"{name}\"\nscheme = \"gumbel\"\ndialect = \"sglang\"\nvocab_size = {VOCAB}\n");
        private(&site, &format!("{name}.toml"), &format!("{head}key = \"{key:x}\"\n"));
    }
    site
}

/// Words that are sampled under a key, or under none.
fn response(key: Option<u64>, number: u64) -> String {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(number);
    // A key that nobody else has is no key.
    let scheme = Gumbel::single(key.unwrap_or_else(|| rng.random()), 4, 1.0, VOCAB);
    let (mut tokens, start): (Vec<u32>, u32) = (Vec::new(), rng.random_range(0..VOCAB));
    for step in 0..64u32 {
        let logits: Vec<f32> = (0..VOCAB).map(|i| ((i * 37 + step * 11 + start) % 101) as f32 / 30.0).collect();
        let so_far = SoFar { prompt: &[start], response: &tokens };
        let token = scheme.plant(so_far, &logits, &Sampling::default(), &mut || rng.random::<f64>());
        tokens.push(token.expect("logits"));
    }
    tokens.iter().map(|token| format!("w{token}")).collect::<Vec<_>>().join(" ")
}

/// A night's log. `key` says what the response of a node's number is planted under.
fn log(site: &Site, night: usize, key: &dyn Fn(usize, usize) -> Option<u64>) -> String {
    let rows: Vec<Value> = (0..NODES * EACH)
        .map(|i| {
            let (node, number) = (i % NODES, i / NODES);
            json!({
                "id": format!("{night}-{i}"), "account": format!("a{}", i % 7), "model": "m",
                "time": format!("2026-11-{:02}T{:02}:00:00Z", night, number),
                "prompt": format!("question {i} of night {night}: what of w{} and w{}?", i % 90, (i * 7) % 90),
                "response": response(key(node, number), (night * 10_000 + i) as u64),
                "attributes": {"node": format!("n{node}")},
            })
        })
        .collect();
    let name = format!("night-{night}.jsonl");
    site.log(&name, &rows);
    name
}

fn audit(site: &Site, log: &str, more: &[&str]) -> Run {
    let mut args = vec![log, "--planted", "k.toml", "--planted-tokenizer", "tokenizer.json", "--health", "health.json"];
    args.extend(["--planted-by", "model,node"]);
    args.extend(more);
    site.audit(&args)
}

fn health(site: &Site) -> Value {
    serde_json::from_str::<Value>(&site.read("health.json")).expect("a health file")["planting"].clone()
}

#[test]
fn a_node_that_stops_planting_in_the_middle_of_a_night_is_named() {
    let site = site();
    for night in 1..=3 {
        let name = log(&site, night, &|_, _| Some(KEY));
        let report = audit(&site, &name, &[]).ok().json();
        let planting = &report["planting"];
        assert_eq!((&planting["alarms"], &planting["night"]), (&json!([]), &json!(night)), "{planting}");
        assert_eq!(planting["sampled"], NODES * EACH);
        assert_eq!(health(&site), json!({ "state": "planted", "sampled": NODES * EACH, "alarms": [] }));
        let all = &planting["cells"][0];
        assert!(all["by"] == "all" && all["state"] == "planted" && all["tokens_to_found"].as_u64() < Some(60), "{all}");
    }
    let schema: Value = serde_json::from_str(include_str!("../../src/report/report.schema.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let name = log(&site, 4, &|node, number| (node != 3 || number < EACH / 2).then_some(KEY));
    let run = audit(&site, &name, &[]).ok();
    assert!(run.err.contains("planting: node n3: the mark is weak"), "{}", run.err);
    let report = run.json();
    assert!(
        validator.is_valid(&report),
        "{:?}",
        validator.iter_errors(&report).map(|e| e.to_string()).collect::<Vec<_>>()
    );
    let alarms = report["planting"]["alarms"].as_array().expect("alarms");
    assert!(alarms.len() == 1 && alarms[0].as_str().expect("text").starts_with("node n3"), "{alarms:?}");
    assert_eq!(health(&site)["state"], "alarm");
    for name in ["report/report.html", "report/report.md"] {
        let text = site.read(name);
        assert!(text.contains("node n3") && text.contains("the mark is weak"), "{name}");
    }
    // The same log again is nothing new: the newest findings stand in the report, and nothing is tested twice.
    let again = audit(&site, &name, &[]).ok();
    assert_eq!(again.json()["planting"], report["planting"]);
    assert!(!again.err.contains("planting:"), "{}", again.err);
    // All of the node's responses: no evidence of the mark is left.
    let name = log(&site, 5, &|node, _| (node != 3).then_some(KEY));
    let report = audit(&site, &name, &[]).ok().json();
    let cells = report["planting"]["cells"].as_array().expect("cells");
    let node = cells.iter().find(|cell| cell["value"] == "n3").expect("a cell");
    assert_eq!((&node["state"], &node["since"]), (&json!("missing"), &json!(4)), "{node}");
    // No key is in the store.
    for entry in walk(&site.path("store")) {
        let bytes = std::fs::read(&entry).expect("a file");
        let key = format!("{KEY:x}");
        assert!(!bytes.windows(key.len()).any(|part| part == key.as_bytes()), "{}", entry.display());
    }
    site.run(&["store", "verify", "--store", "store"]).ok();
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let each = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    each.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn other_keys_and_marks_where_somebody_has_opted_out_are_found() {
    let site = site();
    site.write("quiet.txt", "a2\n");
    let more = ["--planted-other", "old.toml", "--planted-opt-out", "quiet.txt"];
    let quiet = |node: usize, number: usize| (number * NODES + node) % 7 == 2;
    let name = log(&site, 1, &|node, number| (!quiet(node, number)).then_some(KEY));
    let report = audit(&site, &name, &more).ok().json();
    let planting = &report["planting"];
    assert_eq!(planting["alarms"], json!([]), "{planting}");
    assert_eq!(planting["opted_out"][0]["alarm"], false);
    let name = log(&site, 2, &|node, _| Some(if node == 5 { OTHER } else { KEY }));
    let report = audit(&site, &name, &more).ok().json();
    let alarms = report["planting"]["alarms"].to_string();
    assert!(
        alarms.contains("node n5: planted under the key old") && alarms.contains("node n5: the mark is missing"),
        "{alarms}"
    );
    assert!(alarms.contains("planted where the account has opted out") && !alarms.contains("node n4"), "{alarms}");
}

#[test]
fn what_is_wrong_is_said_before_the_night() {
    let site = site();
    let name = log(&site, 1, &|_, _| Some(KEY));
    audit(&site, &name, &["--planted-other", "none.toml"]).refused(&["none.toml"]);
    site.audit(&[&name, "--planted", "k.toml"]).refused(&["tokenizer", "--planted-tokenizer"]);
    site.audit(&[&name, "--planted-other", "old.toml"]).refused(&["--planted KEYFILE"]);
    assert!(!site.path("store/catalog.sqlite").exists(), "nothing was committed");
    // The same settings in a file, for one node only; a node without a key is counted.
    let config =
        "[planted]\nkeys = [\"node=n1:k.toml\"]\ntokenizer = \"tokenizer.json\"\nby = [\"node\"]\nsample = 20\n";
    site.write("c.toml", config);
    let report = site.audit(&[&name, "--config", "c.toml"]).ok().json();
    let planting = &report["planting"];
    assert_eq!(
        (&planting["without_key"], &planting["sampled"]),
        (&json!((NODES - 1) * EACH), &json!(EACH.min(20))),
        "{planting}"
    );
}
