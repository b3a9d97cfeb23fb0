//! Logs that were made to cost: bombs, endless rows, lying files, tricks with paths, texts that collide. Each ends with what was
//! read, what was cut, and why.
//!
//! Asserted are counts, never times; `benches/record/hostile.md` has time and memory of the same logs a hundred times larger.

use super::bombs::{self, SMALL, good};
use super::{Site, campaign, counts, lines};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Audits one file, whatever share of it is bad: what was kept, what was known, and the reasons of the others.
#[track_caller]
fn read(name: &str, bytes: &[u8], settings: &str) -> (u64, u64, Value) {
    let site = Site::new();
    site.write(name, bytes);
    site.write("settings.toml", settings);
    let args = [name, "--config", "settings.toml", "--max-bad-share", "1", "--allow-empty"];
    let report = site.audit(&args).ok().json();
    let [rows, kept, known, bad] = counts(&report);
    assert_eq!(rows, kept + known + bad, "{name}");
    site.run(&["store", "verify", "--store", "store"]).ok();
    (kept, known, report["counts"]["quarantined_by_reason"].clone())
}

#[test]
fn every_bomb_is_read_or_cut_and_counted() {
    let expected: BTreeMap<&str, (u64, u64, Value)> = [
        ("one-line.jsonl.gz", (13, 0, json!({"too-long": 1}))),
        ("one-line.jsonl.zst", (13, 0, json!({"too-long": 1}))),
        ("one-line.csv.gz", (2, 0, json!({"too-long": 1}))),
        ("many-rows.jsonl.gz", (1000, 9000, json!({}))),
        ("window.jsonl.zst", (12, 0, json!({"truncated-input": 1}))),
        ("deep.jsonl", (12, 0, json!({"not-json": 1}))),
        ("deep-object.jsonl", (12, 0, json!({"not-json": 1}))),
        ("keys-twice.jsonl", (13, 0, json!({}))),
        ("values.jsonl", (13, 0, json!({}))),
        ("values-at-the-limit.jsonl", (13, 0, json!({}))),
        ("values-quoted.jsonl", (13, 0, json!({}))),
        ("values-many-rows.jsonl", (1, 9, json!({}))),
        ("pretty.json", (100, 0, json!({}))),
        ("array.json", (100, 0, json!({}))),
        ("open-array.json", (12, 0, json!({"not-json": 1, "truncated-input": 1}))),
        ("nested-array.json", (0, 0, json!({"not-json": 1, "truncated-input": 1}))),
        ("one-element.json", (12, 0, json!({"too-long": 1}))),
        ("strings.jsonl", (13, 0, json!({}))),
        ("no-json.jsonl", (0, 0, json!({"not-json": 10_000}))),
        ("wide.csv", (0, 0, json!({"unreadable-file": 1}))),
        ("wide-row.csv", (1, 0, json!({"ragged-row": 1}))),
        ("page.parquet", (1, 0, json!({}))),
        ("page-gzip.parquet", (1, 0, json!({}))),
        ("dictionary.parquet", (40, 0, json!({}))),
        ("list.parquet", (1, 0, json!({}))),
        ("one-fold.jsonl", (500, 0, json!({}))),
        ("one-leader.jsonl", (500, 0, json!({}))),
        ("templates.jsonl", (61, 0, json!({}))),
    ]
    .into();
    let all = bombs::all(SMALL);
    assert_eq!(all.len(), expected.len());
    for bomb in all {
        assert_eq!(read(bomb.name, &bomb.bytes, ""), expected[bomb.name], "{}", bomb.name);
    }
}

#[test]
fn limits_are_settings_and_what_they_cut_is_counted() {
    // Values of a row.
    let values = format!("{}{}", good(), bombs::values(2_000, false));
    assert_eq!(read("a.jsonl", values.as_bytes(), "max_row_values = 2000"), (12, 0, json!({"too-long": 1})));
    // Commas and brackets inside text are no values.
    let prose = lines(&[super::row("prose", "a", 1, &"well, [then], {and}, \"so\\\" on\" ".repeat(400))]);
    assert_eq!(read("a.jsonl", prose.as_bytes(), "max_row_values = 1024"), (1, 0, json!({})));
    // Bytes of a row, in each format.
    let bytes = "max_row_bytes = 2000";
    let long = format!("{}{}", good(), lines(&[super::row("long", "a", 1, &"long ".repeat(1000))]));
    assert_eq!(read("a.jsonl", long.as_bytes(), bytes), (12, 0, json!({"too-long": 1})));
    let table = format!("account,time,prompt\na,2026-11-20,short one\na,2026-11-20,{}\n", "long ".repeat(1000));
    assert_eq!(read("a.csv", table.as_bytes(), bytes), (1, 0, json!({"too-long": 1})));
    // The pages of a Parquet file are eight times the longest row at most; within that the row itself is measured.
    let page = |n| bombs::page(n, parquet::basic::Compression::SNAPPY);
    assert_eq!(read("a.parquet", &page(4_000), bytes), (0, 0, json!({"too-long": 1})));
    assert_eq!(read("a.parquet", &page(40_000), bytes), (0, 0, json!({"damaged-rows": 1})));
    assert_eq!(read("a.parquet", &bombs::list(1000), bytes), (0, 0, json!({"too-long": 1})));
    // Bytes of a log, after decompression.
    let rows = lines(&campaign("c", 100));
    let gz = zstd::encode_all(rows.as_bytes(), 3).expect("a vector");
    let (kept, known, reasons) = read("a.jsonl.zst", &gz, "max_log_bytes = 10000");
    assert_eq!(
        (kept, known, reasons),
        (0, 0, json!({"truncated-input": 1})),
        "cut at the first 256 KiB that pass the bound"
    );
    let rows = lines(&campaign("c", 4000));
    let (kept, _, reasons) = read("a.jsonl", rows.as_bytes(), "max_log_bytes = 600000");
    assert!(kept > 1000 && kept < 3000 && reasons == json!({"truncated-input": 1}), "{kept} {reasons}");
    let (kept, _, reasons) =
        read("a.parquet", &bombs::dictionary(40, 100_000), "max_log_bytes = 1000000\nbatch_rows = 1");
    assert!((9..12).contains(&kept) && reasons == json!({"truncated-input": 1}), "{kept} {reasons}");
}

#[test]
fn the_quarantine_does_not_grow_without_end() {
    let site = Site::new();
    site.write("log.jsonl", format!("{}{}", good(), "no json\n".repeat(5000)));
    site.write("settings.toml", "max_quarantine_rows = 100");
    let run = site.audit(&["log.jsonl", "--config", "settings.toml", "--max-bad-share", "1"]).ok();
    assert_eq!(counts(&run.json()), [5012, 12, 0, 5000]);
    assert_eq!(site.quarantine().len(), 100);
    let said = "5000 bad rows were left out; places and reasons of the first 100 are in report/quarantine.jsonl";
    assert!(run.err.contains(said), "{}", run.err);
}

#[test]
fn of_a_key_given_twice_the_last_value_counts() {
    let site = Site::new();
    site.write("log.jsonl", bombs::keys_twice());
    site.write("log.csv", "id,account,time,prompt,prompt,account\ncsv,a,2026-11-20,What is first?,What is last?,\n");
    assert_eq!(site.counts(&["log.jsonl", "log.csv"]), [2, 2, 0, 0]);
    for (id, prompt) in [("twice", "What is the last?"), ("csv", "What is last?")] {
        let hit = site.run(&["similar", "--store", "store", "--format", "json", "--id", id, "-k", "1"]).ok().json();
        assert_eq!(hit["hits"][0]["prompt"], prompt);
    }
    for (account, requests) in [("b", 1), ("a", 1)] {
        let shown = site.run(&["account", account, "--store", "store", "--key", "key", "--format", "json"]).ok().json();
        assert_eq!(shown["requests"], requests, "{account}: {shown}");
    }
}

#[test]
fn a_line_of_64_megabytes_from_a_pipe_is_cut() {
    let site = Site::new();
    let input = [good().as_bytes(), &vec![b'{'; 65 << 20], b"\n", lines(&campaign("after-", 3)).as_bytes()].concat();
    let args = Site::audit_args("store", &["-"]);
    let report = site.run_with(&args, &input).ok().json();
    assert_eq!(counts(&report), [16, 15, 0, 1]);
    assert_eq!(report["counts"]["quarantined_by_reason"], json!({"too-long": 1}));
}

/// A first line that is torn before a bracket costs itself only.
#[test]
fn a_torn_first_line_is_not_the_head_of_an_array() {
    // Behind a bracket the lines are elements of an array that does not close; they are read all the same.
    for (torn, expected) in [
        ("{\"account\":\"a\",\"attributes\":{", json!({"not-json": 1})),
        ("{", json!({"not-json": 1})),
        ("[", json!({"truncated-input": 1})),
        ("[{\"a\":1},", json!({"truncated-input": 1, "unknown-schema": 1})),
    ] {
        let (kept, _, reasons) = read("log.jsonl", format!("{torn}\n{}", good()).as_bytes(), "");
        assert_eq!((kept, reasons), (12, expected), "{torn}");
    }
}

#[test]
fn damaged_parquet_files_are_counted_and_the_good_log_is_kept() {
    let site = Site::new();
    site.write("logs/good.jsonl", good());
    for (i, bytes) in bombs::damaged(300, 9).iter().enumerate() {
        site.write(&format!("logs/{i}.parquet"), bytes);
    }
    let report = site.audit(&["logs", "--max-bad-share", "1"]).ok().json();
    let [rows, kept, known, bad] = counts(&report);
    assert!(rows == kept + known + bad && kept >= 12, "{report}");
    assert_eq!(report["counts"]["inputs"], 301);
    let reasons = report["counts"]["quarantined_by_reason"].as_object().expect("reasons");
    assert!(reasons.contains_key("unreadable-file") && reasons.contains_key("damaged-rows"), "{reasons:?}");
    // No lie about rows becomes one: there are forty in each.
    assert!(kept + known <= 12 + 300 * 40, "{kept} {known}");
    site.run(&["store", "verify", "--store", "store"]).ok();
}

#[test]
fn paths_are_only_paths() {
    use std::os::unix::ffi::OsStringExt as _;
    let site = Site::new();
    let one = |name: &str, n: u64| site.log(name, &campaign(&format!("{n}-"), n));
    one("logs/a/b/deep.jsonl", 1);
    one("logs/\u{1b}[31m\nred.jsonl", 2);
    one("outside.jsonl", 4);
    // Links: a loop of directories, a link to itself, one to nowhere, and one to a log.
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, site.path(name)).expect("linked");
    link("..", "logs/a/loop");
    link("..", "logs/a/loop-too");
    link("self.jsonl", "logs/self.jsonl");
    link("nowhere", "logs/nothing.jsonl");
    link("../outside.jsonl", "logs/link.jsonl");
    std::fs::create_dir(site.path("logs/directory.jsonl")).expect("made");
    // Names that are not UTF-8 look alike, and are two logs.
    for (byte, n) in [(0xfe, 8), (0xff, 16)] {
        let name = std::ffi::OsString::from_vec([b"logs/x".as_slice(), &[byte], b".jsonl"].concat());
        std::fs::write(site.dir.path().join(name), lines(&campaign(&format!("x{byte}-"), n))).expect("written");
    }
    let counts = |store: &str, arguments: &[&str]| counts(&site.run(&Site::audit_args(store, arguments)).ok().json());
    assert_eq!(counts("s1", &["logs"]), [31, 31, 0, 0], "a directory, with the link to a log");
    assert_eq!(counts("s2", &["logs/**/*.jsonl"]), [31, 31, 0, 0], "a glob ends at loops too");
    assert_eq!(
        counts("s3", &["logs/../logs/a/../a/b/*.jsonl", "./logs/a/b/deep.jsonl"]),
        [2, 1, 1, 0],
        "the same log by two paths"
    );
    site.audit(&["logs/**/nothing.jsonl"]).refused(&["expected files that match"]);
    site.audit(&["logs/[a"]).refused(&["cannot read the glob logs/[a"]);
    site.audit(&["logs/***"]).refused(&["cannot read the glob"]);
    site.audit(&["logs/nowhere\u{1b}2J"]).refused(&["expected a log at"]);
    let run = site.audit(&["logs/\u{1b}[31m\nred.jsonl"]).ok();
    super::hostile::tame(&run.err, "a name");
    assert!(!run.out.contains('\u{1b}'));
}

#[test]
fn texts_that_fold_to_one_are_one_family() {
    let site = Site::new();
    site.write("log.jsonl", bombs::one_fold(300));
    let report = site.audit(&["log.jsonl"]).ok().json();
    assert_eq!((&report["store"]["distinct_prompts"], counts(&report)), (&json!(1), [300, 300, 0, 0]));
    let members = site.members("store");
    assert_eq!(members.families("exact").into_values().map(|ids| ids.len()).collect::<Vec<_>>(), [300]);
}

#[test]
fn texts_at_one_leader_are_one_family() {
    let site = Site::new();
    site.write("log.jsonl", bombs::one_leader(6000));
    let report = site.audit(&["log.jsonl"]).ok().json();
    assert_eq!((&report["store"]["distinct_prompts"], counts(&report)), (&json!(6000), [6000, 6000, 0, 0]));
    let near = site.members("store");
    let sizes: Vec<usize> = near.families("near-duplicate").into_values().map(|ids| ids.len()).collect();
    assert_eq!(sizes, [6000]);
}

#[test]
fn templates_stay_small_whatever_is_permuted() {
    let site = Site::new();
    site.write("log.jsonl", bombs::templates(60));
    let report = site.audit(&["log.jsonl"]).ok().json();
    let families = report["families"].as_array().expect("families");
    assert!(families.len() >= 2, "{}", families.len());
    for family in families {
        let template = family["template"].as_str().expect("a template");
        assert!(template.chars().count() <= 8_001, "{}", template.len());
        let slots = family["slots"].as_array().expect("slots");
        assert!(
            slots.len() <= 200 && slots.iter().all(|slot| slot["examples"].as_array().is_some_and(|e| e.len() <= 8))
        );
    }
    assert!(site.read("report/report.html").len() < 4 << 20);
}
