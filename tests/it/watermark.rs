//! Watermarks on the command line: keys, planting, detection in every form of input, and input that is wrong.

use super::{Run, Site, keys};
use ndarray::Array2;
use ndarray_npy::WriteNpyExt as _;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

const VOCAB: usize = 600;

/// Logits that a seed decides, written as `name`.
fn logits(site: &Site, name: &str, steps: usize, seed: u64) {
    let array = Array2::from_shape_fn((steps, VOCAB), |(step, token)| {
        let digest =
            blake3::hash(&[seed.to_le_bytes(), (step as u64).to_le_bytes(), (token as u64).to_le_bytes()].concat());
        4.0 * f32::from(digest.as_bytes()[0]) / 255.0
    });
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).expect("a vector");
    site.write(name, bytes);
}

/// Writes a key that its name decides: decoys call one honest text in a hundred uneven, so tests of verdicts do not draw keys.
fn key(site: &Site, name: &str, scheme: &str) {
    let secret = |what: &str| blake3::hash(format!("{name} {what}").as_bytes()).to_hex().to_string();
    private(
        site,
        name,
        &format!(
            "id = \"{name}\"\nscheme = \"{scheme}\"\ndialect = \"native\"\nvocab_size = {VOCAB}\nkey = \"{}\"\nsalt = \"{}\"\n",
            secret("key"),
            secret("salt")
        ),
    );
}

/// A root that is the same in every run.
fn root(site: &Site) {
    private(site, "root.toml", &format!("root_key = \"{}\"\n", blake3::hash(b"root").to_hex()));
}

pub(crate) fn private(site: &Site, name: &str, text: &str) {
    site.write(name, text);
    std::fs::set_permissions(site.path(name), std::fs::Permissions::from_mode(0o600)).expect("set");
}

fn planted(site: &Site, key: &str, logits: &str, seed: &str) -> Vec<u64> {
    let args = ["watermark", "plant", "--key-file", key, "--logits", logits, "--seed", seed, "--format", "json"];
    let json = site.run(&args).ok().json();
    json["tokens"].as_array().expect("tokens").iter().map(|id| id.as_u64().expect("an id")).collect()
}

fn detect(site: &Site, key: &str, more: &[&str]) -> Run {
    let mut args = vec!["watermark", "detect", "--key-file", key, "--format", "json", "--decoys", "50"];
    args.extend(more);
    site.run(&args)
}

fn result(run: Run) -> Value {
    run.ok().json()["results"][0].clone()
}

/// A site with a key of `scheme` in `k.toml` and 400 planted tokens in `t.jsonl`.
pub(crate) fn marked(scheme: &str) -> Site {
    let site = Site::new();
    key(&site, "k.toml", scheme);
    logits(&site, "l.npy", 400, 1);
    let tokens = planted(&site, "k.toml", "l.npy", "1");
    site.log("t.jsonl", &[json!({ "tokens": tokens })]);
    site
}

#[test]
fn a_new_key_is_private_and_never_overwritten() {
    let site = Site::new();
    let made = site.run(&["watermark", "keygen", "k.toml", "--scheme", "gumbel", "--vocab-size", "600"]).ok();
    let id = made.out.trim().to_owned();
    let mode = std::fs::metadata(site.path("k.toml")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = site.read("k.toml");
    let again = ["watermark", "keygen", "k.toml", "--scheme", "gumbel", "--vocab-size", "600"];
    site.run(&again).refused(&["k.toml", "never overwritten"]);
    assert_eq!(site.read("k.toml"), before);
    let commitment = site.run(&["watermark", "commit", "k.toml", "--format", "json"]).ok().json();
    assert!(commitment["commitment"].as_str().expect("text").starts_with(&id[1..]), "{commitment} {id}");
    // A key file that others may read is named and used; a root is refused.
    site.run(&["watermark", "keygen", "root.toml", "--root"]).ok();
    for name in ["k.toml", "root.toml"] {
        std::fs::set_permissions(site.path(name), std::fs::Permissions::from_mode(0o644)).expect("set");
    }
    let told = site.run(&["watermark", "commit", "k.toml"]).ok().err;
    assert!(told.contains("may be read by others") && told.contains("chmod 600"), "{told}");
    let derive = [
        "watermark",
        "derive",
        "d.toml",
        "--root",
        "root.toml",
        "--path",
        "a",
        "--scheme",
        "gumbel",
        "--vocab-size",
        "600",
    ];
    site.run(&derive).refused(&["may be read by others", "chmod 600"]);
}

#[test]
fn no_output_says_the_key() {
    let site = marked("gumbel");
    let file: toml::Table = site.read("k.toml").parse().expect("TOML");
    let (key, salt) = (file["key"].as_str().expect("text").to_owned(), file["salt"].as_str().expect("text").to_owned());
    let runs = [
        detect(&site, "k.toml", &["t.jsonl", "--trace", "trace.csv", "--chart", "chart.svg"]),
        detect(&site, "k.toml", &["t.jsonl", "--vocab-size", "5"]),
        detect(&site, "k.toml", &["nothing.jsonl"]),
        site.run(&["watermark", "commit", "k.toml"]),
        site.run(&["watermark", "detect", "--key-file", "k.toml", "t.jsonl", "--format", "md"]),
        site.run(&["watermark", "plant", "--key-file", "k.toml", "--logits", "t.jsonl"]),
    ];
    let mut texts: Vec<String> = runs.into_iter().map(|run| run.out + &run.err).collect();
    texts.extend([site.read("trace.csv"), site.read("chart.svg")]);
    for broken in
        [format!("key = \"{key}\nscheme"), format!("scheme = \"gumbel\"\ndialect = \"native\"\nkey = \"{key}00\"\n")]
    {
        site.write("broken.toml", broken);
        std::fs::set_permissions(site.path("broken.toml"), std::fs::Permissions::from_mode(0o600)).expect("set");
        texts.push(detect(&site, "broken.toml", &["t.jsonl"]).refused(&["broken.toml"]).err);
    }
    for text in texts {
        assert!(!text.contains(&key[..12]) && !text.contains(&salt[..12]), "{text}");
    }
}

#[test]
fn each_native_scheme_is_planted_and_found_and_the_json_is_as_promised() {
    for scheme in ["green-list", "gumbel", "tournament"] {
        let site = marked(scheme);
        assert_eq!(planted(&site, "k.toml", "l.npy", "1"), planted(&site, "k.toml", "l.npy", "1"));
        key(&site, "other.toml", scheme);
        let args = ["t.jsonl", "--key-file", "other.toml"];
        let report = detect(&site, "k.toml", &args).ok().json();
        assert_eq!(keys(&report), ["input", "parameters", "recipe", "results", "schema", "statements", "stillhunt"]);
        let (found, other) = (&report["results"][0], &report["results"][1]);
        assert_eq!(found["verdict"], "Marked", "{scheme}: {found}");
        assert_eq!(other["verdict"], "Inconclusive", "{scheme}: {other}");
        for name in [
            "scheme",
            "dialect",
            "profile",
            "key_id",
            "documents",
            "tokens",
            "scored",
            "masked",
            "statistic",
            "expected",
            "ln_p",
            "log10_p",
            "adjusted_log10_p",
            "m_tests",
            "interval",
            "decoys",
            "verdict",
            "rule",
        ] {
            assert!(!found[name].is_null(), "{name}: {found}");
        }
        assert_eq!((found["scheme"].as_str(), found["m_tests"].as_u64()), (Some(scheme), Some(2)));
        assert_eq!((found["tokens"].as_u64(), found["scored"].as_u64()), (Some(400), Some(396)));
        assert_eq!(found["masked"], json!({ "no-context": 4 }));
        for name in ["n", "rank_p", "uniformity_p"] {
            assert!(found["decoys"][name].is_number(), "{found}");
        }
        // The curve ends where the test does, and the decoys have a band beside each of its points.
        let curve = found["curve"].as_array().expect("a curve");
        let last = curve.last().expect("a point");
        assert_eq!((&last["scored"], curve.len()), (&found["scored"], 64));
        assert!(
            (last["log10_p"].as_f64().expect("a number") - found["log10_p"].as_f64().expect("a number")).abs() < 1e-9
        );
        assert_eq!(found["decoys"]["band"].as_array().map(Vec::len), Some(64));
        assert_eq!(
            detect(&site, "k.toml", &args).ok().out,
            detect(&site, "k.toml", &[&args[..], &["--threads", "1"]].concat()).ok().out
        );
    }
}

#[test]
fn every_dialect_is_planted_and_found_under_a_derived_key() {
    let site = Site::new();
    root(&site);
    logits(&site, "l.npy", 400, 3);
    let list = site.run(&["watermark", "schemes", "--format", "json"]).ok().json();
    let schemes = list["schemes"].as_array().expect("schemes");
    assert_eq!(schemes.len(), 20, "a new scheme is planted and found here, too");
    for (i, about) in schemes.iter().enumerate() {
        let (scheme, dialect) = (about["scheme"].as_str().expect("text"), about["dialect"].as_str().expect("text"));
        let key = format!("{i}.toml");
        let derive = [
            "watermark",
            "derive",
            &key,
            "--root",
            "root.toml",
            "--path",
            "acme/m7",
            "--scheme",
            scheme,
            "--dialect",
            dialect,
            "--vocab-size",
            "600",
        ];
        site.run(&derive).ok();
        site.log("t.jsonl", &[json!({ "tokens": planted(&site, &key, "l.npy", "1") })]);
        let found = result(detect(&site, &key, &["t.jsonl"]));
        assert_eq!(found["verdict"], "Marked", "{scheme} {dialect}: {found}");
    }
}

#[test]
fn a_key_without_its_configuration_is_searched_for() {
    let site = Site::new();
    let full =
        "scheme = \"gumbel\"\ndialect = \"sglang\"\nkey = \"9f3c0d71aa55\"\ncontext_window = 2\nvocab_size = 600\n";
    private(&site, "full.toml", full);
    private(&site, "bare.toml", "key = \"9f3c0d71aa55\"\nvocab_size = 600\n");
    logits(&site, "l.npy", 300, 3);
    site.log("t.jsonl", &[json!({ "tokens": planted(&site, "full.toml", "l.npy", "1") })]);
    let found = detect(&site, "bare.toml", &["t.jsonl", "--search"]).ok().json();
    let best = &found["results"][0];
    assert_eq!(
        (&best["scheme"], &best["dialect"], &best["verdict"]),
        (&json!("gumbel"), &json!("sglang"), &json!("Marked"))
    );
    assert_eq!(best["parameters"]["context_window"], "2");
    let m = found["results"].as_array().expect("results").len();
    assert!(m > 60 && best["m_tests"] == m && best["rule"].as_str().expect("text").contains("the null"), "{best}");
    let marked = found["results"].as_array().expect("results").iter().filter(|of| of["verdict"] == "Marked").count();
    assert_eq!(marked, 1);
    detect(&site, "bare.toml", &["t.jsonl"]).refused(&["known watermark"]);
    root(&site);
    private(&site, "derived.toml", "root = \"root.toml\"\npath = \"a/b\"\nvocab_size = 600\n");
    detect(&site, "derived.toml", &["t.jsonl", "--search"]).refused(&["holds its key", "without --search"]);
}

#[test]
fn a_plan_says_what_a_configuration_gives_and_where_it_plants_nothing() {
    let site = marked("gumbel");
    logits(&site, "more.npy", 200, 5);
    let plan = |more: &[&str]| {
        let mut args = vec!["watermark", "plan", "t.jsonl", "--key-file", "k.toml", "--format", "json"];
        args.extend(more);
        site.run(&args).ok().json()["keys"][0].clone()
    };
    let open = plan(&["--logits", "more.npy"]);
    assert!(open["simulated"]["log10_p_per_1000"].as_f64() < Some(-100.0), "{open}");
    assert!(open["of_sample"]["tokens_to_found"].as_u64() < Some(100) && open["warnings"] == json!([]), "{open}");
    let greedy = plan(&["--logits", "more.npy", "--temperature", "0"]);
    let warnings = greedy["warnings"].to_string();
    assert!(warnings.contains("greedy") && warnings.contains("plants nothing"), "{greedy}");
    assert!(greedy["simulated"]["tokens_to_found"].as_u64().is_none_or(|tokens| tokens > 100_000), "{greedy}");
    let text = site.run(&["watermark", "plan", "t.jsonl", "--key-file", "k.toml"]).ok().out;
    assert!(text.contains("of 1,000 tokens") && text.contains("at strength 0.1"), "{text}");
}

#[test]
fn a_mark_under_a_public_key_is_inconclusive() {
    let site = Site::new();
    let file = "scheme = \"kgw\"\ndialect = \"transformers\"\nhashing_key = 15485863\nvocab_size = 600\n";
    site.write("k.toml", file);
    std::fs::set_permissions(site.path("k.toml"), std::fs::Permissions::from_mode(0o600)).expect("set");
    logits(&site, "l.npy", 400, 3);
    site.log("t.jsonl", &[json!({ "tokens": planted(&site, "k.toml", "l.npy", "1") })]);
    let found = result(detect(&site, "k.toml", &["t.jsonl"]));
    assert!(found["adjusted_log10_p"].as_f64() < Some(-6.0), "{found}");
    assert_eq!(found["verdict"], "Inconclusive");
    assert!(found["rule"].as_str().expect("text").contains("the key is public"), "{found}");
}

#[test]
fn lines_parquet_gzip_and_standard_input_give_one_result() {
    use arrow_array::builder::{ListBuilder, UInt32Builder};
    let site = marked("gumbel");
    let row: Value = serde_json::from_str(&site.read("t.jsonl")).expect("JSON");
    let mut list = ListBuilder::new(UInt32Builder::new());
    row["tokens"]
        .as_array()
        .expect("tokens")
        .iter()
        .for_each(|id| list.values().append_value(id.as_u64().expect("an id") as u32));
    list.append(true);
    let batch = arrow_array::RecordBatch::try_from_iter([("tokens", std::sync::Arc::new(list.finish()) as _)])
        .expect("a batch");
    let file = std::fs::File::create(site.path("t.parquet")).expect("a file");
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    site.write("t.jsonl.zst", zstd::encode_all(site.read("t.jsonl").as_bytes(), 1).expect("a vector"));
    let expected = result(detect(&site, "k.toml", &["t.jsonl"]));
    for name in ["t.parquet", "t.jsonl.zst"] {
        assert_eq!(result(detect(&site, "k.toml", &[name])), expected, "{name}");
    }
    let args = ["watermark", "detect", "--key-file", "k.toml", "--format", "json", "--decoys", "50", "-"];
    assert_eq!(result(site.run_with(&args, site.read("t.jsonl").as_bytes())), expected);
    // The same text twice is no more evidence.
    let twice = result(detect(&site, "k.toml", &["t.jsonl", "t.parquet"]));
    assert_eq!((&twice["scored"], &twice["ln_p"]), (&expected["scored"], &expected["ln_p"]));
    assert_eq!(twice["masked"], json!({ "no-context": 8, "repeated": 396 }));
}

#[test]
fn text_needs_a_tokenizer_and_a_long_one_is_counted_alike_from_text_and_lines() {
    let site = Site::new();
    site.run(&["watermark", "keygen", "k.toml", "--scheme", "gumbel", "--vocab-size", "27464"]).ok();
    let text = "The train leaves at nine.\n\nNobody knows why; \u{202e} the clock stands still.\n".repeat(3);
    site.write("t.txt", &text);
    site.log("t.jsonl", &[json!({ "text": text.trim_end() })]);
    detect(&site, "k.toml", &["t.txt"]).refused(&["expected token ids, got text", "--tokenizer"]);
    let tokenizer = concat!(env!("CARGO_MANIFEST_DIR"), "/models/tokenizer.json");
    let plain = detect(&site, "k.toml", &["t.txt", "--tokenizer", tokenizer]).ok().json();
    let lines = detect(&site, "k.toml", &["t.jsonl", "--tokenizer", tokenizer]).ok().json();
    assert_eq!(plain["results"], lines["results"]);
    assert!(plain["results"][0]["scored"].as_u64() > Some(10), "{plain}");
    // Ids that never occur: a vocabulary of another model.
    let other = detect(&site, "k.toml", &["t.txt", "--tokenizer", tokenizer, "--vocab-size", "128256"]).ok();
    assert!(other.err.contains("is it the served model's tokenizer?"), "{}", other.err);
    let digest = blake3::hash(&std::fs::read(tokenizer).expect("a file")).to_hex().to_string();
    assert_eq!(plain["parameters"]["tokenizer"], json!(digest));
}

#[test]
fn a_range_of_paths_names_the_cohort() {
    let site = Site::new();
    root(&site);
    let derive = [
        "watermark",
        "derive",
        "k.toml",
        "--root",
        "root.toml",
        "--path",
        "acme/m7/c-03/2026-11",
        "--scheme",
        "gumbel",
        "--vocab-size",
        "600",
    ];
    site.run(&derive).ok();
    logits(&site, "l.npy", 300, 2);
    let tokens = planted(&site, "k.toml", "l.npy", "1");
    site.log("t.jsonl", &[json!({ "tokens": tokens })]);
    site.write("cohorts.toml", "scheme = \"gumbel\"\ndialect = \"native\"\nvocab_size = 600\nroot = \"root.toml\"\npath = \"acme/m7/c-{00..07}/2026-{10,11}\"\n");
    std::fs::set_permissions(site.path("cohorts.toml"), std::fs::Permissions::from_mode(0o600)).expect("set");
    let results = detect(&site, "cohorts.toml", &["t.jsonl"]).ok().json()["results"].clone();
    let marked: Vec<&str> = results
        .as_array()
        .expect("results")
        .iter()
        .filter(|result| result["verdict"] == "Marked")
        .map(|result| result["key_id"].as_str().expect("text"))
        .collect();
    assert_eq!(marked, ["cohorts:acme/m7/c-03/2026-11"]);
    assert_eq!(results[0]["m_tests"], 16);
    let paths = ["--root", "root.toml", "--paths", "acme/m7/c-03/2026-11", "t.jsonl"];
    assert_eq!(result(detect(&site, "cohorts.toml", &paths))["verdict"], "Marked");
}

#[test]
fn windows_copied_from_the_prompt_are_masked() {
    let site = marked("gumbel");
    let row: Value = serde_json::from_str(&site.read("t.jsonl")).expect("JSON");
    // The suspect repeats a marked prompt word for word: with the prompt nothing is left of the mark.
    site.log("echo.jsonl", &[json!({ "tokens": row["tokens"], "prompt_tokens": row["tokens"] })]);
    let echoed = result(detect(&site, "k.toml", &["echo.jsonl"]));
    assert_eq!((echoed["scored"].as_u64(), echoed["verdict"].as_str()), (Some(0), Some("Inconclusive")));
    assert_eq!(echoed["masked"]["copied-from-prompt"], 396);
}

#[test]
fn a_trace_has_a_row_for_each_scored_window() {
    let site = marked("green-list");
    site.log(
        "two.jsonl",
        &[json!({ "tokens": [1, 2, 3, 4, 5, 6], "id": "=cmd()" }), json!({ "tokens": [2, 3, 4, 5, 6, 7] })],
    );
    let found = result(detect(&site, "k.toml", &["two.jsonl", "--trace", "trace.csv"]));
    let trace = site.read("trace.csv");
    let rows: Vec<Vec<&str>> = trace.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["key_id", "document", "position", "context", "token", "value"]);
    assert_eq!(rows.len() as u64 - 1, found["scored"].as_u64().expect("a count"));
    assert_eq!(rows[1][2..5], ["4", "1 2 3 4", "5"]);
    assert!(!rows[1][1].starts_with('='), "{trace}");
    assert_eq!((rows[3][1], rows[3][2..5].to_vec()), ("two.jsonl:2", vec!["5", "3 4 5 6", "7"]));
    let hits: f64 = rows[1..].iter().map(|row| row[5].parse::<f64>().expect("0 or 1")).sum();
    assert_eq!(Some(hits), found["statistic"].as_f64());
}

/// Documents of chance, of which the third holds what was planted from its token 400 on, under a name that attacks whoever reads it.
pub(crate) fn hidden(site: &Site) -> Vec<u64> {
    let planted: Value = serde_json::from_str(&site.read("t.jsonl")).expect("JSON");
    let chance = |n: u64, seed: u64| -> Vec<u64> {
        let of = |at: u64| blake3::hash(&[seed.to_le_bytes(), at.to_le_bytes()].concat());
        (0..n).map(|at| u64::from(u16::from_le_bytes([of(at).as_bytes()[0], of(at).as_bytes()[1]])) % 600).collect()
    };
    let middle: Vec<u64> =
        planted["tokens"].as_array().expect("tokens").iter().map(|id| id.as_u64().expect("an id")).collect();
    let whole = [chance(400, 50), middle, chance(300, 51)].concat();
    let mut rows: Vec<Value> = (0..6).map(|seed| json!({ "tokens": chance(500, seed) })).collect();
    rows[2] = json!({ "tokens": whole, "id": "<b>\u{1b}[2J|a" });
    site.log("hidden.jsonl", &rows);
    whole
}

#[test]
fn where_says_which_document_and_which_span_in_every_form() {
    for scheme in ["green-list", "gumbel", "tournament"] {
        let site = marked(scheme);
        hidden(&site);
        let plain = result(detect(&site, "k.toml", &["hidden.jsonl"]));
        assert!(plain["where"].is_null(), "{plain}");
        let run = detect(&site, "k.toml", &["hidden.jsonl", "--where", "--chart", "c.svg", "--trace", "t.csv"]).ok();
        let found = run.json()["results"][0].clone();
        assert_eq!((&found["verdict"], &found["ln_p"]), (&plain["verdict"], &plain["ln_p"]));
        let places = &found["where"];
        assert_eq!(
            keys(places),
            [
                "documents",
                "level",
                "list",
                "m_tests",
                "method",
                "named",
                "named_not_listed",
                "null_hypothesis",
                "posterior_is",
                "rule",
                "spans"
            ]
        );
        assert_eq!((&places["named"], &places["documents"], &places["level"]), (&json!(1), &json!(6), &json!(0.01)));
        let first = &places["list"][0];
        assert_eq!((&first["document"], &first["tokens"], &first["named"]), (&json!(2), &json!(1100), &json!(true)));
        assert_eq!(
            (&first["name"], &places["list"][1]["name"].as_str().map(|n| n.starts_with("hidden.jsonl:"))),
            (&json!("<b>\u{1b}[2J|a"), &Some(true))
        );
        let span = first["spans"][0]["tokens"].as_array().expect("a range");
        let [from, past] = [0, 1].map(|at| span[at].as_u64().expect("a token"));
        assert!(from.abs_diff(400) < 60 && past.abs_diff(800) < 60, "{scheme}: {from} to {past}");
        // The span is what the trace says of its windows.
        let trace = site.read("t.csv");
        let rows = trace.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let inside = rows.filter(|row| row[1].contains("[2J")).filter(|row| {
            let at: u64 = row[2].parse().expect("a place");
            (from..past).contains(&at)
        });
        assert_eq!(Some(inside.count() as u64), first["spans"][0]["scored"].as_u64());
        // One result, on any number of threads and whatever else is written.
        let one = detect(&site, "k.toml", &["hidden.jsonl", "--where", "--threads", "1"]).ok();
        let two = detect(&site, "k.toml", &["hidden.jsonl", "--where", "--threads", "2"]).ok();
        assert_eq!((&one.out, &one.out), (&two.out, &run.out));
        let forms = [
            site.read("c.svg"),
            site.run(&["watermark", "detect", "--key-file", "k.toml", "--where", "hidden.jsonl"]).ok().out,
            site.run(&["watermark", "detect", "--key-file", "k.toml", "--where", "hidden.jsonl", "--format", "md"])
                .ok()
                .out,
        ];
        for form in &forms {
            assert!(!form.contains('\u{1b}') && form.contains("1\u{202f}100"), "{form}");
            assert!(!form.contains("<b>") || form.starts_with("6 documents"), "{form}");
        }
        assert!(forms[0].contains("key k") && forms[0].contains("<title>tokens"), "{}", forms[0]);
        assert!(
            forms[1].contains("1 of 6 documents named") && forms[1].contains("null of each document"),
            "{}",
            forms[1]
        );
        assert!(forms[2].contains("## Where, under"), "{}", forms[2]);
    }
    let site = marked("gumbel");
    for refused in [
        ["--where", "--where-alpha", "0.5"],
        ["--where", "--search", "--where"],
        ["--synthid-detector", "k.toml", "t.jsonl"],
    ] {
        let mut args = vec!["t.jsonl"];
        args.extend(refused);
        assert_ne!(detect(&site, "k.toml", &args).code, 0, "{refused:?}");
    }
    detect(&site, "k.toml", &["t.jsonl", "--where", "--synthid-detector", "k.toml"])
        .refused(&["SynthID detector", "k.toml"]);
}

#[test]
fn where_says_characters_where_the_text_is_at_hand() {
    let site = Site::new();
    site.run(&["watermark", "keygen", "k.toml", "--scheme", "gumbel", "--vocab-size", "27464"]).ok();
    let text = "Zwölf trains leave at nine. Nobody knows why the clock stands still, or who wound it. ".repeat(2);
    site.log("t.jsonl", &[json!({ "tokens": [1, 2, 3] }), json!({ "text": text, "id": "a" })]);
    let tokenizer = concat!(env!("CARGO_MANIFEST_DIR"), "/models/tokenizer.json");
    let args = ["--tokenizer", tokenizer, "--where", "t.jsonl"];
    let found = result(detect(&site, "k.toml", &args));
    let document = &found["where"]["list"][0];
    assert_eq!((&document["name"], &found["where"]["documents"]), (&json!("a"), &json!(1)));
    // Whichever span was best, its characters lie in the text and hold whole words of it.
    for span in document["spans"].as_array().expect("spans") {
        let [from, past] = [0, 1].map(|at| span["characters"][at].as_u64().expect("a character") as usize);
        let chars: Vec<char> = text.chars().collect();
        assert!(from < past && past <= chars.len(), "{span}");
        assert!(!chars[from].is_whitespace() && !chars[past - 1].is_whitespace(), "{span}");
    }
    // Standard input cannot be read again.
    let args = ["watermark", "detect", "--key-file", "k.toml", "--format", "json", "--decoys", "50", "-", "--where"];
    let read = site.run_with(&[&args[..], &["--tokenizer", tokenizer]].concat(), site.read("t.jsonl").as_bytes()).ok();
    let spans = &read.json()["results"][0]["where"]["list"][0]["spans"];
    assert!(spans.as_array().expect("spans").iter().all(|span| span["characters"].is_null()), "{spans}");
}

#[test]
fn wrong_input_is_refused_or_counted() {
    let site = marked("gumbel");
    site.write("empty.jsonl", "");
    detect(&site, "k.toml", &["empty.jsonl"]).refused(&["expected documents, got none"]);
    site.write("bad.jsonl", b"\xff\xfe\n{\"tokens\":[1,\"a\"]}\n{}\n");
    detect(&site, "k.toml", &["bad.jsonl"]).refused(&["3 bad rows", "bad-tokens", "no-text", "not-utf8"]);
    let both = detect(&site, "k.toml", &["bad.jsonl", "t.jsonl"]).ok().json();
    assert_eq!(both["input"]["bad_rows"], json!({ "bad-tokens": 1, "no-text": 1, "not-utf8": 1 }));
    assert_eq!(both["results"][0]["verdict"], "Marked");
    // Shorter than a window; ids at or above the vocabulary; ids of another tokenizer.
    site.log("short.jsonl", &[json!({ "tokens": [1, 2, 3] })]);
    let short = result(detect(&site, "k.toml", &["short.jsonl"]));
    assert_eq!((&short["scored"], &short["masked"]), (&json!(0), &json!({ "no-context": 3 })));
    assert!(short["rule"].as_str().expect("text").contains("no window"), "{short}");
    site.log("beyond.jsonl", &[json!({ "tokens": (0..900).collect::<Vec<u32>>() })]);
    let beyond = result(detect(&site, "k.toml", &["beyond.jsonl", "t.jsonl"]));
    assert_eq!(beyond["masked"]["out-of-vocabulary"], 300);
    assert!(beyond["rule"].as_str().expect("text").contains("another tokenizer"), "{beyond}");
    // Logits with NaN, of another width, of another kind.
    for (name, value, width) in
        [("nan.npy", f32::NAN, VOCAB), ("inf.npy", f32::INFINITY, VOCAB), ("narrow.npy", 0.0, 7)]
    {
        let mut bytes = Vec::new();
        Array2::from_elem((2, width), value).write_npy(&mut bytes).expect("a vector");
        site.write(name, bytes);
        site.run(&["watermark", "plant", "--key-file", "k.toml", "--logits", name]).refused(&["step 0", "expected"]);
    }
    site.run(&["watermark", "plant", "--key-file", "k.toml", "--logits", "t.jsonl"]).refused(&["t.jsonl", "shape"]);
    // Keys: too short, of no scheme, with a field too many, without a vocabulary.
    let of = |text: &str, parts: &[&str]| {
        site.write("w.toml", text);
        std::fs::set_permissions(site.path("w.toml"), std::fs::Permissions::from_mode(0o600)).expect("set");
        detect(&site, "w.toml", &["t.jsonl"]).refused(parts);
    };
    let native = "scheme = \"gumbel\"\ndialect = \"native\"\n";
    of(&format!("{native}vocab_size = 600\nkey = \"abcd\"\n"), &["64 lower-case hex digits", "key"]);
    of("scheme = \"gumbel\"\ndialect = \"klingon\"\n", &["known watermark", "watermark schemes"]);
    let key = "ab".repeat(32);
    of(&format!("{native}vocab_size = 600\nkey = \"{key}\"\nwidth = 4\n"), &["got also width"]);
    of(&format!("{native}key = \"{key}\"\n"), &["vocab_size", "logits"]);
    of("not toml", &["expected TOML"]);
    of(&format!("root_key = \"{key}\"\n"), &["root key", "--root"]);
}

#[test]
fn a_line_of_a_gigabyte_is_counted_and_passed_over() {
    use std::io::{Seek as _, Write as _};
    let site = marked("gumbel");
    let mut file = std::fs::File::create(site.path("long.jsonl")).expect("a file");
    file.set_len(1 << 30).expect("sparse");
    file.seek(std::io::SeekFrom::End(0)).expect("the end");
    writeln!(file, "\n{}", site.read("t.jsonl").trim()).expect("written");
    let found = detect(&site, "k.toml", &["long.jsonl", "--memory", "16"]).ok().json();
    assert_eq!(found["input"]["bad_rows"], json!({ "too-long": 1 }));
    assert_eq!(found["results"][0]["verdict"], "Marked");
}

#[test]
fn schemes_are_listed_with_their_fields() {
    let site = Site::new();
    let list = site.run(&["watermark", "schemes", "--format", "json"]).ok().json();
    let all = list["schemes"].as_array().expect("schemes");
    assert!(all.len() >= 3 && all.iter().all(|scheme| !scheme["fields"].as_array().expect("fields").is_empty()));
    let told = |scheme: &Value, field: &str| scheme[field].as_str().is_some_and(|text| text.len() > 10);
    assert!(
        all.iter().all(|scheme| told(scheme, "planted_by") && told(scheme, "faults")),
        "each says who plants it, and what goes wrong"
    );
    let text = site.run(&["watermark", "schemes"]).ok().out;
    for scheme in all {
        let head = format!("scheme = {}, dialect = {}", scheme["scheme"], scheme["dialect"]);
        assert!(text.contains(&head), "{head}");
    }
}
