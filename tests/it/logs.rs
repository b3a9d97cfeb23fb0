//! Logs of every schema and wrapping through the command line: what is read, what is known, what a conversation becomes.

use super::{Site, campaign, counts, row};
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::Arc;

const GOLDEN: [(&str, &str, u64); 5] = [
    ("own.jsonl", include_str!("../golden/logs/own.jsonl"), 3),
    ("openai.jsonl", include_str!("../golden/logs/openai.jsonl"), 3),
    ("anthropic.jsonl", include_str!("../golden/logs/anthropic.jsonl"), 3),
    ("otel.jsonl", include_str!("../golden/logs/otel.jsonl"), 6),
    ("wildchat.jsonl", include_str!("../golden/logs/wildchat.jsonl"), 2),
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("a vector");
    out.finish().expect("a vector")
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("a vector")
}

/// The prompt, account, time and id of the best hit.
fn best(site: &Site, text: &str) -> Value {
    site.run(&["similar", "--store", "store", "-k", "1", "--format", "json", text]).ok().json()["hits"][0].clone()
}

#[test]
fn each_schema_is_recognised() {
    let site = Site::new();
    let mut names = Vec::new();
    for (name, text, rows) in GOLDEN {
        site.write(name, text);
        assert_eq!(site.counts(&[name]), [rows, rows, 0, 0], "{name}");
        names.push(name);
    }
    for (text, id, time) in [
        ("¿Cuánto sube la masa de centeno?", "2", "2026-11-20T08:00:00Z"),
        ("Name a lake.", "resp-1", "2026-11-20T08:00:02Z"),
        ("What now?", "msg_1", "2026-11-20T08:00:00Z"),
        ("One event a message.", "aa-bb", "2026-11-20T08:00:02Z"),
        ("A poem on rain.", "101", "2023-04-09T00:01:00Z"),
    ] {
        let hit = best(&site, text);
        assert_eq!((&hit["exchange_id"], &hit["time"]), (&json!(id), &json!(time)), "{text}: {hit}");
        assert!(hit["prompt"].as_str().is_some_and(|prompt| prompt.starts_with(text)), "{hit}");
    }
    // The user text of an OpenAI message in parts; its image is no text.
    assert_eq!(best(&site, "Another one, in Spain.")["prompt"], "Another one,\nin Spain.");
    // All of them in one audit of a fresh store.
    let fresh = Site::new();
    for (name, text, _) in GOLDEN {
        fresh.write(name, text);
    }
    assert_eq!(fresh.counts(&names), [17, 17, 0, 0]);
}

#[test]
fn a_column_map_reads_any_csv_from_a_flag_or_a_file() {
    for toml in [false, true] {
        let site = Site::new();
        site.write("generic.csv", include_str!("../golden/logs/generic.csv"));
        site.write("audit.toml", "[map]\nprompt = \"body\"\naccount = \"key_id\"\ntime = \"ts\"\n");
        let flags: &[&str] =
            if toml { &["--config", "audit.toml"] } else { &["--map", "prompt=body,account=key_id,time=ts"] };
        assert_eq!(site.counts(&[&["generic.csv"], flags].concat()), [2, 2, 0, 0]);
        assert_eq!(best(&site, "=cmd() stays text")["time"], "2026-11-21T10:00:00.5Z");
    }
    let site = Site::new();
    site.write("generic.csv", include_str!("../golden/logs/generic.csv"));
    site.audit(&["generic.csv"]).refused(&["expected at most 50% bad rows, got 2 of 2 (2 unknown-schema)", "--map"]);
}

#[test]
fn flags_win_over_the_file_and_the_file_over_the_defaults() {
    let site = Site::new();
    site.write(
        "audit.toml",
        "default_account = \"from-file\"\ndefault_time = \"2026-01-02\"\nseed = 5\nthreshold = 1.75\n",
    );
    site.write("log.jsonl", "{\"prompt\":\"Who sent this and when?\"}\n");
    let report = site.audit(&["log.jsonl", "--config", "audit.toml", "--seed", "6"]).ok().json();
    assert_eq!((&report["parameters"]["seed"], &report["parameters"]["threshold"]), (&json!(6), &json!(1.75)));
    assert_eq!(best(&site, "Who sent this and when?")["time"], "2026-01-02T00:00:00Z");
    let account = |name: &str| site.run(&["account", name, "--store", "store", "--key", "key", "--format", "json"]);
    account("from-file").ok();
    site.write("other.jsonl", "{\"prompt\":\"And who sent this other question?\"}\n");
    site.audit(&["other.jsonl", "--config", "audit.toml", "--default-account", "from-flag"]).ok();
    account("from-flag").ok();
}

#[test]
fn rows_without_account_or_time_are_bad_unless_a_default_stands_for_it() {
    let site = Site::new();
    let rows = [
        json!({ "account": "a", "prompt": "No time here at all." }),
        json!({ "time": 1_795_161_600, "prompt": "No account here at all." }),
        row("3", "a", 0, "A whole row."),
        row("4", "a", 1, "Another whole row."),
    ];
    site.log("log.jsonl", &rows);
    let report = site.audit(&["log.jsonl"]).ok().json();
    assert_eq!(counts(&report), [4, 2, 0, 2]);
    assert_eq!(report["counts"]["quarantined_by_reason"], json!({ "no-account": 1, "no-time": 1 }));
    // What was bad is read when the next run says what stands for it; what was good is known.
    let defaults = ["log.jsonl", "--default-account", "someone", "--default-time", "2026-11-20"];
    assert_eq!(site.counts(&defaults), [4, 2, 2, 0]);
    assert_eq!(site.counts(&defaults), [4, 0, 4, 0]);
}

#[test]
fn compression_directories_globs_and_standard_input_read_alike() {
    let text = super::lines(&campaign("c", 8));
    let plain = Site::new();
    plain.write("log.jsonl", &text);
    plain.write("key", KEY);
    std::fs::set_permissions(plain.path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    plain.audit(&["log.jsonl"]).ok();
    let expected = plain.export("store");
    assert_eq!(expected.lines().count(), 9);
    let half = text.lines().take(4).map(|line| format!("{line}\n")).collect::<String>();
    let rest = &text[half.len()..];
    let check = |files: &[(&str, Vec<u8>)], args: &[&str], input: &[u8]| {
        let site = Site::new();
        files.iter().for_each(|(name, bytes)| site.write(name, bytes));
        std::fs::copy(plain.path("key"), site.path("key")).expect("copied");
        let run = site.run_with(&Site::audit_args("store", args), input).ok();
        assert_eq!(counts(&run.json()), [8, 8, 0, 0], "{args:?}");
        assert_eq!(site.export("store"), expected, "{args:?}");
    };
    check(&[("log.jsonl.gz", gzip(text.as_bytes()))], &["log.jsonl.gz"], b"");
    check(&[("log.jsonl.zst", zst(text.as_bytes()))], &["log.jsonl.zst"], b"");
    // A rotated log has no telling name; two members or frames in one file are one log.
    check(&[("log.1", [gzip(half.as_bytes()), gzip(rest.as_bytes())].concat())], &["log.1"], b"");
    check(&[("log.2", [zst(half.as_bytes()), zst(rest.as_bytes())].concat())], &["log.2"], b"");
    let parts = [
        ("d/1/a.jsonl", half.clone().into_bytes()),
        ("d/2/b.jsonl.gz", gzip(rest.as_bytes())),
        ("d/note.txt", b"no log".to_vec()),
    ];
    check(&parts, &["d"], b"");
    check(&parts, &["d/*/*.jsonl*"], b"");
    check(&parts, &["d/1/a.jsonl", "d/1/a.jsonl", "d/2"], b"");
    check(&[], &["-"], text.as_bytes());
    check(&[], &["-"], &gzip(text.as_bytes()));
    // Without a line end, with Windows line ends, with blank lines, with a byte order mark.
    check(&[("l.jsonl", text.trim_end().into())], &["l.jsonl"], b"");
    check(&[("l.jsonl", text.replace('\n', "\r\n\r\n").into())], &["l.jsonl"], b"");
    check(&[("l.jsonl", format!("\u{feff}{text}").into())], &["l.jsonl"], b"");
}

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

#[test]
fn csv_and_parquet_read_as_json_lines_do() {
    use arrow_array::{Int64Array, RecordBatch, StringArray};
    let rows = campaign("c", 8);
    let text = |row: &Value, name: &str| row[name].as_str().expect(name).to_owned();
    let seconds = |row: &Value| row["time"].as_i64().expect("a time");
    let expected = {
        let site = Site::new();
        site.write("key", KEY);
        std::fs::set_permissions(site.path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
        site.log("log.jsonl", &rows);
        site.audit(&["log.jsonl"]).ok();
        site.export("store")
    };
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["id", "account", "time", "prompt", "model"]).expect("a vector");
    for row in &rows {
        let cells =
            [text(row, "id"), text(row, "account"), seconds(row).to_string(), text(row, "prompt"), "m-1".into()];
        csv.write_record(cells).expect("a vector");
    }
    let strings = |name: &str| Arc::new(rows.iter().map(|row| Some(text(row, name))).collect::<StringArray>());
    let times = Arc::new(Int64Array::from(rows.iter().map(seconds).collect::<Vec<i64>>()));
    let batch = RecordBatch::try_from_iter([
        ("id", strings("id") as arrow_array::ArrayRef),
        ("account", strings("account")),
        ("time", times),
        ("prompt", strings("prompt")),
        ("model", strings("model")),
    ])
    .expect("a batch");
    let mut parquet = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a vector");
    parquet.write(&batch).expect("a vector");
    for (name, bytes) in
        [("log.csv", csv.into_inner().expect("a vector")), ("log.parquet", parquet.into_inner().expect("a vector"))]
    {
        let site = Site::new();
        site.write("key", KEY);
        std::fs::set_permissions(site.path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
        site.write(name, bytes);
        assert_eq!(site.counts(&[name]), [8, 8, 0, 0], "{name}");
        assert_eq!(site.export("store"), expected, "{name}");
    }
}

#[test]
fn rotated_recompressed_and_overlapping_logs_are_known() {
    let site = Site::new();
    let rows = campaign("c", 10);
    site.log("log.jsonl", &rows[..6]);
    assert_eq!(site.counts(&["log.jsonl"]), [6, 6, 0, 0]);
    let before = super::digests(&site.path("store/nights"));
    std::fs::rename(site.path("log.jsonl"), site.path("log.jsonl.1")).expect("renamed");
    assert_eq!(site.counts(&["log.jsonl.1"]), [6, 0, 6, 0]);
    site.write("log.jsonl.1.gz", gzip(site.read("log.jsonl.1").as_bytes()));
    assert_eq!(site.counts(&["log.jsonl.1.gz"]), [6, 0, 6, 0]);
    assert_eq!(super::digests(&site.path("store/nights")), before);
    // The next log overlaps with the last; and a log may hold a row twice.
    site.log("log.jsonl", &[&rows[4..], &rows[9..]].concat());
    assert_eq!(site.counts(&["log.jsonl"]), [7, 4, 3, 0]);
    assert_eq!(site.members("store").families("near-duplicate").values().map(|f| f.len()).collect::<Vec<_>>(), [10]);
    // A row without an id is known by its content.
    let nameless = json!({ "account": "a", "time": 1_795_161_600, "prompt": "A row that has no id of its own." });
    site.log("nameless.jsonl", &[nameless.clone(), nameless.clone()]);
    assert_eq!(site.counts(&["nameless.jsonl"]), [2, 1, 1, 0]);
    site.log("nameless-2.jsonl", &[nameless, row("x", "b", 1, "One more.")]);
    assert_eq!(site.counts(&["nameless-2.jsonl"]), [2, 1, 1, 0]);
}

#[test]
fn the_same_id_with_other_content_is_quarantined() {
    let site = Site::new();
    site.log("one.jsonl", &[row("r1", "a", 0, "The first text of this id."), row("r2", "a", 1, "Another.")]);
    site.audit(&["one.jsonl"]).ok();
    let other = row("r1", "a", 0, "The second text of this id.");
    site.log(
        "two.jsonl",
        &[other.clone(), row("r3", "a", 2, "Third."), row("r3", "b", 2, "Third."), row("r4", "b", 3, "x")],
    );
    let report = site.audit(&["two.jsonl"]).ok().json();
    assert_eq!(counts(&report), [4, 2, 0, 2]);
    assert_eq!(report["counts"]["quarantined_by_reason"], json!({ "id-conflict": 2 }));
    assert_eq!(best(&site, "The second text of this id.")["prompt"], "The first text of this id.");
    let bad = site.quarantine();
    assert_eq!((bad.len(), &bad[0]["reason"], &bad[0]["input"]), (2, &json!("id-conflict"), &json!("two.jsonl")));
    assert_eq!((&bad[0]["row"], &bad[1]["row"]), (&json!(1), &json!(3)));
    // Again: what was known stays known, what was refused stays refused.
    assert_eq!(site.counts(&["two.jsonl"]), [4, 0, 2, 2]);
}

/// A client that sends the whole conversation with each call, as chat clients do.
#[test]
fn a_resent_conversation_is_no_family() {
    let topics = [
        (
            "bread",
            ["How do I feed a sourdough starter?", "Can I keep it in the fridge?", "Mine smells of acetone now."],
        ),
        ("tax", ["Which form declares foreign dividends?", "Is the withholding credited?", "What if I moved in July?"]),
        ("rust", ["Why does this borrow outlive the loop?", "Would an index help here?", "Show it with split_at_mut."]),
        ("walk", ["Plan a week of hiking in the Tatras.", "We dislike crowds.", "Swap day three for a rest."]),
    ];
    let system =
        "You are Hazel, the assistant of the Greenleaf help desk. Answer in the user's language, briefly and kindly.";
    let mut rows = Vec::new();
    for (name, questions) in topics {
        for repeat in 0..3 {
            let mut messages = vec![json!({ "role": "system", "content": system })];
            for (i, question) in questions.iter().enumerate() {
                messages.push(json!({ "role": "user", "content": question }));
                let time = 1_795_161_600 + 600 * repeat + i as u64;
                rows.push(json!({
                    "account": format!("{name}-{repeat}"), "time": time,
                    "request": { "model": "g-4", "messages": messages.clone() },
                    "response": { "id": format!("{name}-{repeat}-{i}"), "choices": [{ "message": { "role": "assistant", "content": "An answer." } }] },
                }));
                messages.push(json!({ "role": "assistant", "content": format!("A long answer about {name}, number {i}: {}", "and so on. ".repeat(40)) }));
            }
        }
    }
    let site = Site::new();
    site.log("chat.jsonl", &rows);
    let report = site.audit(&["chat.jsonl"]).ok().json();
    assert_eq!(counts(&report), [36, 36, 0, 0]);
    let members = site.members("store");
    let exact = members.families("exact");
    // Each question was asked by three accounts: twelve families of three, and never one of a conversation.
    assert_eq!(exact.len(), 12, "{exact:?}");
    for exchanges in members.families("near-duplicate").values() {
        let asked: std::collections::BTreeSet<&str> = exchanges.iter().filter_map(|id| id.rsplit('-').next()).collect();
        assert_eq!((exchanges.len(), asked.len()), (3, 1), "{exchanges:?}");
    }
    // The system prompt has a family of its own, apart from the ranked ones.
    let systems = report["system_families"].as_array().expect("families");
    assert_eq!(systems.len(), 1);
    assert_eq!(
        (&systems[0]["level"], &systems[0]["accounts"], &systems[0]["requests"]),
        (&json!("system"), &json!(12), &json!(36))
    );
    assert!(systems[0]["template"].as_str().is_some_and(|text| text.starts_with("You are Hazel")));
    assert!(report["families"].as_array().expect("families").iter().all(|f| f["level"] != "system"));
    let id = systems[0]["id"].as_str().expect("a name");
    assert!(id.starts_with('s'));
    let page = site.run(&["family", id, "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(page["members"].as_array().map(Vec::len), Some(12));
    // Turns are kept once for each conversation, not once for each call: 3 questions and 2 answers stand before the last.
    let turns = parquet_rows(&site.path("store/nights/000001/turns.parquet"));
    assert_eq!(turns, 12 * 4, "two questions and two answers a conversation");
}

fn parquet_rows(path: &std::path::Path) -> u64 {
    use parquet::file::reader::FileReader as _;
    let file = std::fs::File::open(path).expect("a file");
    let reader = parquet::file::reader::SerializedFileReader::new(file).expect("a table");
    reader.metadata().file_metadata().num_rows().unsigned_abs()
}

#[test]
fn a_small_batch_reads_the_same_families() {
    let site = Site::new();
    site.log("log.jsonl", &campaign("c", 30));
    site.audit(&["log.jsonl"]).ok();
    let args: Vec<&str> = Site::audit_args("small", &["log.jsonl", "--batch-rows", "1"]).into_iter().collect();
    site.run(&args).ok();
    assert_eq!(site.export("small"), site.export("store"));
}
