//! Input that is broken, odd or written by an attacker: a clear error or a counted row, never a crash, never code.

use super::{Site, campaign, counts, keys, row};
use serde_json::{Value, json};
use std::io::Write as _;

/// Twelve good rows, so that a few bad ones stay below the share that stops the job.
fn good() -> String {
    super::lines(&campaign("good-", 12))
}

/// Audits `bytes` named `name`, and returns the rows kept and the reasons of the others.
fn read(name: &str, bytes: impl AsRef<[u8]>) -> (u64, Value) {
    let site = Site::new();
    site.write(name, bytes);
    let report = site.audit(&[name]).ok().json();
    let [rows, kept, known, bad] = counts(&report);
    assert_eq!(rows, kept + known + bad);
    assert_eq!(bad > 0, site.path("report/quarantine.jsonl").exists(), "{name}");
    if bad > 0 {
        assert_eq!(site.quarantine().len() as u64, bad, "{name}: one line for each bad row");
    }
    site.run(&["store", "verify", "--store", "store"]).ok();
    (kept, report["counts"]["quarantined_by_reason"].clone())
}

/// The sentence with which a log of nothing but faults is refused; the store stays empty.
#[track_caller]
fn refused(name: &str, bytes: impl AsRef<[u8]>, parts: &[&str]) {
    let site = Site::new();
    site.write(name, bytes);
    site.audit(&[name]).refused(parts);
    assert!(super::digests(&site.path("store/nights")).is_empty(), "nothing was committed");
}

#[test]
fn broken_lines_are_counted_by_reason() {
    for (line, reason) in [
        (&b"not json"[..], "not-json"),
        (b"{\"account\":\"a\",\"time\":1795161600,\"prompt\":\"cut of", "not-json"),
        (b"[1,2]", "not-an-object"),
        (b"\"text\"", "not-an-object"),
        (b"{\"account\":\"a\",\"time\":1795161600,\"prompt\":\"\xff\xfe\"}", "not-utf8"),
        (br#"{"account":"a","time":1795161600,"prompt":"half \ud83d of a pair"}"#, "lone-surrogate"),
        (br#"{"account":"a","time":1795161600,"prompt":"half \udc00"}"#, "lone-surrogate"),
        (br#"{"colour":"red","shape":"round"}"#, "unknown-schema"),
        (br#"{"account":"a","time":1795161600,"prompt":"  \n "}"#, "no-prompt"),
        (br#"{"account":"a","time":1795161600,"text":"whose column is this"}"#, "no-prompt"),
        (br#"{"time":1795161600,"prompt":"nobody"}"#, "no-account"),
        (br#"{"account":{"a":1},"time":1795161600,"prompt":"odd account"}"#, "bad-account"),
        (br#"{"account":"a","prompt":"never"}"#, "no-time"),
        (br#"{"id":["x"],"account":"a","time":1795161600,"prompt":"odd id"}"#, "bad-id"),
        (br#"{"id":"a\nb","account":"a","time":1795161600,"prompt":"odd id"}"#, "bad-id"),
    ] {
        let bytes = [good().as_bytes(), line, b"\n"].concat();
        assert_eq!(read("log.jsonl", bytes), (12, json!({ (reason): 1 })), "{}", String::from_utf8_lossy(line));
    }
    let deep = format!("{}{}\n", good(), "[".repeat(100_000));
    assert_eq!(read("log.jsonl", deep), (12, json!({ "not-json": 1 })));
    let long_id = format!(
        "{}{}\n",
        good(),
        json!({ "id": "x".repeat(257), "account": "a", "time": 1_795_161_600, "prompt": "p" })
    );
    assert_eq!(read("log.jsonl", long_id), (12, json!({ "bad-id": 1 })));
    let long_account =
        format!("{}{}\n", good(), json!({ "account": "x".repeat(1025), "time": 1_795_161_600, "prompt": "p" }));
    assert_eq!(read("log.jsonl", long_account), (12, json!({ "bad-account": 1 })));
}

#[test]
fn five_forms_of_time_are_one_moment_and_nonsense_is_counted() {
    let times = [
        json!("2026-11-20T09:00:00+01:00"),
        json!("2026-11-20 08:00:00"),
        json!(1_795_161_600),
        json!("1795161600000"),
        json!("Fri, 20 Nov 2026 08:00:00 GMT"),
        json!("20/Nov/2026:08:00:00 +0000"),
        json!(1_795_161_600_000_000_000_u64),
    ];
    let nonsense = [
        json!("tomorrow at noon"),
        json!("11/12/2026"),
        json!(-5),
        json!([2026]),
        json!("2026-13-45T99:00:00Z"),
        json!(1e30),
    ];
    let site = Site::new();
    let rows: Vec<Value> = times
        .iter()
        .chain(&nonsense)
        .enumerate()
        .map(|(i, time)| json!({ "id": format!("t{i}"), "account": "a", "time": time, "prompt": format!("At what hour does boat {i} leave?") }))
        .collect();
    site.log("log.jsonl", &rows);
    let report = site.audit(&["log.jsonl"]).ok().json();
    assert_eq!(report["counts"]["quarantined_by_reason"], json!({ "bad-time": 6 }));
    assert_eq!(
        (&report["store"]["first_seen"], &report["store"]["last_seen"]),
        (&json!("2026-11-20T08:00:00Z"), &json!("2026-11-20T08:00:00Z"))
    );
    assert!(site.quarantine().iter().all(|row| {
        row["detail"].as_str().is_some_and(|d| d.starts_with("expected a time of the years 1990 to 2099, got"))
    }));
}

#[test]
fn files_that_are_no_logs_are_refused_or_counted() {
    refused("log.jsonl", "\u{0}\u{1}\u{2}\u{3}", &["expected at most 50% bad rows"]);
    refused("log.parquet", "PAR1 but nothing else", &["1 unreadable-file"]);
    refused("log.jsonl.gz", b"\x1f\x8b but no gzip", &["bad rows"]);
    refused("log.jsonl.zst", b"\x28\xb5\x2f\xfd but no zstd", &["bad rows"]);
    refused("log.csv", "colour,shape\nred,round\n", &["1 unknown-schema", "--map"]);
    refused("log.csv", "id,account,time,prompt\n", &["expected rows to audit, found none"]);
    let picture = [&b"\x89PNG\r\n\x1a\n"[..], &[0u8; 4000]].concat();
    refused("picture.png", picture, &["bad rows"]);
}

#[test]
fn truncated_streams_keep_what_came_before() {
    let text: String = super::lines(&campaign("c", 4000));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).expect("a vector");
    let gz = gz.finish().expect("a vector");
    let zst = zstd::encode_all(text.as_bytes(), 3).expect("a vector");
    for (name, bytes) in [("log.jsonl.gz", gz), ("log.jsonl.zst", zst)] {
        let (kept, reasons) = read(name, &bytes[..bytes.len() * 9 / 10]);
        assert!(kept < 4000 && kept > 1000 && reasons["truncated-input"] == 1, "{name}: {kept} {reasons}");
        assert_eq!(read(name, &bytes), (4000, json!({})));
    }
    let (kept, reasons) = read("log.jsonl", &text.as_bytes()[..text.len() - 20]);
    assert_eq!((kept, reasons), (3999, json!({ "not-json": 1 })), "half a last line");
}

#[test]
fn a_truncated_parquet_is_one_bad_row_among_good_logs() {
    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    let column = |text: &str| std::sync::Arc::new(StringArray::from(vec![text; 50])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("account", column("a")),
        ("time", column("2026-11-20")),
        ("prompt", column("p q r")),
    ]);
    let batch = batch.expect("a batch");
    let mut out = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a vector");
    out.write(&batch).expect("a vector");
    let bytes = out.into_inner().expect("a vector");
    let site = Site::new();
    site.write("good.jsonl", good());
    site.write("cut.parquet", &bytes[..bytes.len() / 2]);
    let report = site.audit(&["good.jsonl", "cut.parquet"]).ok().json();
    assert_eq!(counts(&report), [13, 12, 0, 1]);
    assert_eq!(report["counts"]["quarantined_by_reason"], json!({ "unreadable-file": 1 }));
}

#[test]
fn a_prompt_of_ten_megabytes_and_nul_bytes_are_only_text() {
    let site = Site::new();
    let words = ["alpha ", "beta ", "gamma ", "delta ", "epsilon "];
    let long: String = (0..1_900_000u32).map(|i| words[(i.wrapping_mul(2_654_435_761) >> 7) as usize % 5]).collect();
    assert!(long.len() > 10_000_000);
    let mut rows = campaign("c", 3);
    rows.push(row("long", "a", 1, &long));
    rows.push(row("long-again", "b", 2, &long));
    rows.push(row("nul", "a", 3, "before\u{0}after \u{0}\u{0} the end of it"));
    rows.push(row("run", "a", 4, &"\u{200b}".repeat(100_000)));
    rows.push(row("one-word", "a", 5, &"a".repeat(3_000_000)));
    site.log("log.jsonl", &rows);
    let report = site.audit(&["log.jsonl"]).ok().json();
    assert_eq!(counts(&report), [8, 8, 0, 0]);
    assert_eq!(site.members("store").families("exact").len(), 1);
    let hit = site.run(&["similar", "--store", "store", "--format", "json", "-k", "1", "--id", "nul"]).ok().json();
    assert_eq!(hit["hits"][0]["prompt"], "before\u{0}after \u{0}\u{0} the end of it");
    let shown = site.run(&["similar", "--store", "store", "--id", "nul", "-k", "8"]).ok().out;
    assert!(!shown.contains('\u{0}') && shown.len() < 40_000, "{} bytes", shown.len());
    assert!(site.read("report/report.html").len() < 4 << 20, "a long prompt does not fill the page");
}

/// What an attacker would like a terminal, a browser or a spreadsheet to run.
const EVIL: [&str; 6] = [
    "<script>alert(document.domain)</script><img src=x onerror=alert(1)> summarise this page",
    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{1b}[0m \u{9b}31m translate the text above",
    "=cmd|' /C calc'!A0 explain this formula to me",
    "@SUM(1+1)*cmd|' /C calc'!A0 explain that one as well",
    "right\u{202e}to left\u{2066} and \u{200f}back, what does it say",
    "</title></style>--><svg/onload=alert(2)>{{7*7}}${7*7} what is this",
];

fn evil() -> Site {
    let site = Site::new();
    let mut rows = Vec::new();
    for (i, text) in EVIL.iter().enumerate() {
        for copy in 0..3 {
            let mut row = row(&format!("=cmd(),{i}\"{copy}"), &format!("=evil{copy}"), i as u64, text);
            row["model"] = json!("<script>m</script>\u{1b}[31m");
            row["system"] = json!("<script>system</script>\u{1b}[2J you are a careful assistant for everyone");
            row["attributes"] = json!({ "<script>": "\u{1b}[31m" });
            rows.push(row);
        }
    }
    rows.extend(
        ["=1+1", "+1", "-1", "@x", "\u{202e}gnp", "a,b", "a\"b", "'a", "50%", "日本"]
            .iter()
            .map(|id| row(id, "e", 50, "How do ids survive a spreadsheet?")),
    );
    rows.push(json!({ "account": "a", "time": "<script>\u{1b}[2J", "prompt": "bad time" }));
    site.log("<b>\u{1b}[31m.jsonl", &rows);
    assert_eq!(site.counts(&["<b>\u{1b}[31m.jsonl"]), [29, 28, 0, 1]);
    site
}

#[test]
fn no_text_of_a_log_runs_in_a_browser() {
    let site = evil();
    let page = site.read("report/report.html").to_lowercase();
    // The page's own scripts, if it has any, hold no text of the log.
    for tag in ["<script>alert", "<script>m<", "<script>system", "<img src=x", "<svg/onload", "</title></style>--"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(page.contains("&lt;script&gt;alert(document.domain)"), "the text is there, escaped");
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "the page asks nobody for anything");
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
    let markdown = site.read("report/report.md");
    assert!(!markdown.contains("<script") && !markdown.contains("<img") && !markdown.contains('\u{1b}'), "{markdown}");
    let json = site.read("report/report.json");
    assert!(!json.contains('\u{1b}'));
}

#[test]
fn no_text_of_a_log_reaches_a_terminal_raw() {
    let site = evil();
    let families = site.run(&["family", "list", "--store", "store", "--format", "json"]).ok().json();
    let mut commands: Vec<Vec<String>> = vec![
        vec!["family".into(), "list".into()],
        vec!["family".into(), "list".into(), "--level".into(), "system".into()],
        vec!["account".into(), "=evil0".into()],
        vec!["export".into(), "members".into()],
        vec!["export".into(), "families".into()],
    ];
    commands.extend(EVIL.iter().map(|text| vec!["similar".into(), (*text).to_owned()]));
    for family in families["families"].as_array().expect("families") {
        commands.push(vec!["family".into(), family["id"].as_str().expect("a name").into()]);
    }
    assert!(commands.len() >= 15);
    for command in &commands {
        let mut all: Vec<&str> = command.iter().map(String::as_str).collect();
        all.extend(["--store", "store", "--key", "key"]);
        let run = site.run(&all).ok();
        tame(&run.out, &run.told);
        tame(&run.err, &run.told);
    }
    for format in ["text", "md", "csv"] {
        let run =
            site.run(&["audit", "<b>\u{1b}[31m.jsonl", "--store", "store", "--key", "key", "--format", format]).ok();
        tame(&run.out, format);
        tame(&run.err, format);
    }
    // Errors quote what they were given.
    let run = site.run(&["similar", "--store", "\u{1b}[31mnowhere\u{202e}", "x"]);
    assert_eq!(run.code, 2);
    tame(&run.err, "an error");
    let run = site.run(&["family", "\u{1b}[31m", "--store", "store"]);
    assert_eq!(run.code, 2);
    tame(&run.err, "an error");
}

/// Line ends and tabs apart, no control character and none that turns the line around.
#[track_caller]
pub(super) fn tame(text: &str, what: &str) {
    let bad = text.chars().find(|&c| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(bad, None, "{what}: {text:?}");
}

#[test]
fn no_cell_of_an_export_is_a_formula() {
    let site = evil();
    let members = site.export("store");
    assert!(
        members.contains("%3Dcmd()%2C0%220,") && members.contains("%2B1,") && members.contains("50%25,"),
        "{members}"
    );
    for line in members.lines() {
        assert_eq!(line.matches(',').count(), 4, "{line}");
        assert!(!line.starts_with(['=', '+', '-', '@', '\'', '"']), "{line}");
    }
    for text in [site.read("report/families.csv"), site.run(&["export", "families", "--store", "store"]).ok().out] {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let mut formulas = 0;
        for record in reader.records() {
            for cell in &record.expect("a row") {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
                formulas += usize::from(cell.starts_with("'="));
            }
        }
        assert!(formulas >= 2, "the templates are there, as text: {text}");
    }
}

#[test]
fn the_share_of_bad_rows_decides_before_anything_is_committed() {
    let site = Site::new();
    site.write("log.jsonl", format!("{}{}", good(), "no\n".repeat(4)));
    let sentence = "expected at most 20% bad rows, got 4 of 16 (4 not-json); nothing was committed";
    site.audit(&["log.jsonl", "--max-bad-share", "0.2"])
        .refused(&[sentence, "places and reasons are in report/quarantine.jsonl"]);
    assert!(super::digests(&site.path("store/nights")).is_empty());
    assert_eq!(site.quarantine().len(), 4);
    let report = site.audit(&["log.jsonl", "--max-bad-share", "0.25"]).ok();
    assert_eq!(counts(&report.json()), [16, 12, 0, 4]);
    assert!(
        report.err.contains("4 bad rows were left out; places and reasons are in report/quarantine.jsonl"),
        "{}",
        report.err
    );
    // On a store with nights, a bad night leaves it as it was.
    let before = site.export("store");
    site.write("bad.jsonl", "no\nno\n");
    site.audit(&["bad.jsonl"]).refused(&["got 2 of 2"]);
    assert_eq!(site.export("store"), before);
    site.run(&["store", "verify", "--store", "store"]).ok();
}

#[test]
fn the_quarantine_file_says_where_and_why_and_keeps_bytes_only_when_asked() {
    let site = Site::new();
    let secret = "{\"account\":\"a\",\"prompt\":\"a customer's words\"}";
    site.write("log.jsonl", format!("{}{secret}\n\nno json\n", good()));
    site.audit(&["log.jsonl"]).ok();
    let bad = site.quarantine();
    assert_eq!(keys(&bad[0]), ["detail", "digest", "input", "part", "reason", "row"]);
    let told = |row: &Value| (row["row"].clone(), row["part"].clone(), row["reason"].clone());
    assert_eq!(told(&bad[0]), (json!(13), json!(0), json!("no-time")));
    assert_eq!(told(&bad[1]), (json!(15), json!(0), json!("not-json")));
    assert_eq!(bad[0]["digest"], blake3::hash(secret.as_bytes()).to_hex().as_str());
    assert!(!site.read("report/quarantine.jsonl").contains("customer"));
    let kept = Site::new();
    kept.write("log.jsonl", site.read("log.jsonl"));
    kept.audit(&["log.jsonl", "--keep-bad-rows"]).ok();
    use base64::Engine as _;
    let raw =
        kept.quarantine()[0]["raw_base64"].as_str().map(|text| base64::engine::general_purpose::STANDARD.decode(text));
    assert_eq!(raw.expect("kept").expect("base64"), secret.as_bytes());
}

#[test]
fn lone_names_of_files_do_not_confuse() {
    let site = Site::new();
    site.write("-log.jsonl", good());
    site.write("a [1].jsonl", super::lines(&campaign("b", 3)));
    site.write("日本 log.jsonl", super::lines(&campaign("d", 3)));
    assert_eq!(site.counts(&["a [1].jsonl", "日本 log.jsonl", "--", "-log.jsonl"]), [18, 18, 0, 0]);
}

#[test]
fn paths_of_the_wrong_kind_are_errors() {
    let site = Site::new();
    site.write("log.jsonl", good());
    site.write("file", "not a directory");
    let audit = |store: &str, report: &str, key: &str| {
        site.run(&["audit", "log.jsonl", "--store", store, "--report", report, "--key", key])
    };
    audit("file", "report", "key").refused(&["file"]);
    audit("store", "file", "key").refused(&["file"]);
    audit("store", "file/below", "key").refused(&["file/below"]);
    audit("store", "report", "file").refused(&["account key file"]);
    site.write("short-key", "abc\n");
    std::fs::set_permissions(site.path("short-key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    audit("store", "report", "short-key").refused(&["account key short-key: expected 64 lower-case hex digits"]);
    site.run(&["similar", "--store", "file", "x"]).refused(&["expected a store at file, found none"]);
    site.run(&["similar", "--store", ".", "x"]).refused(&["expected a store at ., found none"]);
    site.run(&["similar", "--store", "store", "--file", "nothing", "x"]).refused(&["cannot be used with"]);
    // A directory of somebody else's files does not become a store.
    assert_eq!(site.read("file"), "not a directory");
}
