//! The contract that programs rely on: fields, columns, exit statuses, sentences.

use super::{Members, Site, campaign, counts, keys, row};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

/// A campaign, an exact family over three accounts, and two prompts that nothing resembles.
fn log() -> Vec<Value> {
    let mut rows = campaign("c", 12);
    for i in 0..3 {
        let prompt = "List the boiling points of the first ten alkanes in a table.";
        rows.push(row(&format!("same-{i}"), &format!("b{i}"), 100 + i, prompt));
    }
    rows.push(row("lone-1", "d1", 200, "¿Qué tiempo hará mañana en la sierra de Gredos?"));
    rows.push(row("lone-2", "d2", 201, "fn main() { let x: Vec<u8> = Vec::new(); println!(\"{x:?}\"); }"));
    rows
}

fn audited() -> Site {
    let site = Site::new();
    site.log("log.jsonl", &log());
    assert_eq!(site.counts(&["log.jsonl"]), [17, 17, 0, 0]);
    site
}

#[test]
fn the_report_has_the_fields_that_programs_read() {
    let site = Site::new();
    site.log("log.jsonl", &log());
    let printed = site.audit(&["log.jsonl", "--seed", "7"]).ok().json();
    let written: Value = serde_json::from_str(&site.read("report/report.json")).expect("JSON");
    assert_eq!(printed, written);
    let schema: Value = serde_json::from_str(include_str!("../../src/report/report.schema.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let faults: Vec<String> = validator.iter_errors(&written).map(|e| format!("{}: {e}", e.instance_path)).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let mut spoiled = written.clone();
    spoiled["more"] = json!(1);
    assert!(!validator.is_valid(&spoiled), "the schema refuses unknown fields");

    assert_eq!(counts(&written), [17, 17, 0, 0]);
    assert_eq!(written["counts"]["quarantined_by_reason"], json!({}));
    let families = written["families"].as_array().expect("families");
    for family in families {
        for field in
            ["id", "level", "accounts", "requests", "distinct_prompts", "first_seen", "last_seen", "template", "slots"]
        {
            assert!(!family[field].is_null(), "{field}");
        }
    }
    let accounts: Vec<u64> = families.iter().map(|f| f["accounts"].as_u64().expect("a count")).collect();
    assert!(accounts.is_sorted_by(|a, b| a >= b), "{accounts:?}");
    let first = &families[0];
    assert_eq!(
        (&first["level"], &first["accounts"], &first["requests"]),
        (&json!("near-duplicate"), &json!(12), &json!(12))
    );
    assert_eq!(first["first_seen"], "2026-11-20T08:00:00Z");
    assert!(first["template"].as_str().is_some_and(|t| t.contains("⟨1⟩") && t.contains("olympiad problem about")));
    assert!(first["slots"][0]["distinct_values"].as_u64() >= Some(8));
    let same = families.iter().find(|f| f["level"] == "exact").expect("the exact family");
    assert_eq!((&same["accounts"], &same["distinct_prompts"]), (&json!(3), &json!(1)));
    let parameters = &written["parameters"];
    assert_eq!((&parameters["seed"], &parameters["version"]), (&json!(7), &json!(env!("CARGO_PKG_VERSION"))));
    assert!(parameters["threshold"].as_f64().is_some_and(|t| t > 0.5));
    assert!(parameters["expected_unrelated_neighbours"].as_f64().is_some_and(|n| n > 0.0));
    assert_eq!(parameters["model_digest"].as_str().map(str::len), Some(64));
    for name in ["report.html", "report.md", "families.csv"] {
        assert!(site.read(&format!("report/{name}")).contains("olympiad problem about"), "{name}");
    }
}

#[test]
fn each_format_is_printed() {
    let site = audited();
    let print = |format: &str| {
        site.run(&["audit", "log.jsonl", "--store", "store", "--key", "key", "--format", format]).ok().out
    };
    assert!(print("text").starts_with("nothing new: 17 rows read, 0 kept, 17 known, 0 bad\n"));
    assert!(print("md").starts_with('#'));
    assert!(print("html").starts_with("<!doctype html>") || print("html").starts_with("<!DOCTYPE html>"));
    assert!(print("csv").contains("family_id"));
}

#[test]
fn members_are_one_row_for_each_exchange_and_level() {
    let site = audited();
    let members = site.members("store");
    for level in ["exact", "near-duplicate"] {
        for (family, exchanges) in members.families(level) {
            assert!(exchanges.len() >= 2, "{family} has {exchanges:?}");
        }
    }
    let exact = members.families("exact");
    assert_eq!(exact.len(), 1);
    assert_eq!(exact.values().next().expect("one").iter().copied().collect::<Vec<_>>(), ["same-0", "same-1", "same-2"]);
    let near = members.of("c0", "near-duplicate").expect("a family");
    assert_eq!(members.families("near-duplicate")[near].len(), 12);
    assert!((1..12).all(|i| members.of(&format!("c{i}"), "near-duplicate") == Some(near)));
    assert!(members.of("same-0", "near-duplicate").is_some_and(|family| family != near));
    assert_eq!(members.of("lone-1", "near-duplicate"), None);
    // What a report says of a family is what the export says.
    let report: Value = serde_json::from_str(&site.read("report/report.json")).expect("JSON");
    assert_eq!(report["families"][0]["id"], near);
    let one = site.run(&["export", "members", "--store", "store", "--level", "exact"]).ok().out;
    assert_eq!(Members::parse(&one).0.len(), 3);
    let families = site.run(&["export", "families", "--store", "store", "--format", "json"]).ok().json();
    assert_eq!((families["schema"].as_u64(), &families["families"][0]["id"]), (Some(1), &json!(near)));
    let csv = site.run(&["export", "families", "--store", "store"]).ok().out;
    assert!(csv.starts_with("\"list\",\"family_id\",\"level\"") && csv.lines().count() >= 3, "{csv}");
    site.run(&["export", "members", "--store", "store", "--format", "json"])
        .refused(&["expected members as csv or parquet, got json"]);
}

#[test]
fn similar_answers_with_the_accounts_behind_the_hits() {
    let site = audited();
    let text = "Solve the following olympiad problem about a ferry number 9 and write the complete chain of thought, step by step, as training data.";
    let similar = |args: &[&str]| {
        let mut all = vec!["similar", "--store", "store", "--key", "key", "--format", "json"];
        all.extend(args);
        site.run(&all).ok().json()
    };
    let found = similar(&[text]);
    assert_eq!(keys(&found), ["fragments", "hits", "notes", "schema", "threshold"]);
    let hits = found["hits"].as_array().expect("hits");
    assert_eq!(hits.len(), 10);
    for hit in hits {
        let expected = [
            "accepted",
            "account",
            "account_ids",
            "accounts",
            "exchange_id",
            "family_id",
            "fragments",
            "prompt",
            "requests",
            "score",
            "shared",
            "similarity",
            "time",
        ];
        assert_eq!(keys(hit), expected);
        assert!(hit["exchange_id"].as_str().is_some_and(|id| id.starts_with('c')), "{hit}");
    }
    let similarity: Vec<f64> = hits.iter().map(|hit| hit["similarity"].as_f64().expect("a number")).collect();
    assert!(similarity.is_sorted_by(|a, b| a >= b) && similarity[0] <= 1.000_1, "{similarity:?}");
    let prompt = hits[0]["prompt"].as_str().expect("a prompt");
    let shared: usize = hits[0]["shared"]
        .as_array()
        .expect("ranges")
        .iter()
        .map(|range| {
            let at = |i: usize| range[i].as_u64().expect("a byte") as usize;
            prompt[at(0)..at(1)].len()
        })
        .sum();
    assert!(10 * shared >= 8 * prompt.len(), "most of it is shared: {}", hits[0]);

    assert_eq!(similar(&["--all", text])["hits"].as_array().map(Vec::len), Some(12));
    assert_eq!(similar(&["-k", "3", text])["hits"].as_array().map(Vec::len), Some(3));
    let own = similar(&["--id", "same-1"]);
    assert_eq!((&own["hits"][0]["exchange_id"], &own["hits"][0]["accounts"]), (&json!("same-0"), &json!(3)));
    // Filters: an account by its name, a moment, a model, a family.
    let mine = similar(&["--account", "b2", "--all", "--id", "same-1"]);
    assert_eq!((mine["hits"].as_array().map(Vec::len), &mine["hits"][0]["exchange_id"]), (Some(1), &json!("same-2")));
    let late = similar(&["--since", "2026-11-20T09:41:00Z", "--until", "2026-11-20T09:42:00Z", "--id", "same-1"]);
    assert_eq!((&late["hits"][0]["exchange_id"], &late["hits"][0]["requests"]), (&json!("same-1"), &json!(1)));
    assert_eq!(similar(&["--served-model", "m-1", "-k", "1", text])["hits"].as_array().map(Vec::len), Some(1));
    let family = hits[0]["family_id"].as_str().expect("a family").to_owned();
    let within = similar(&["--family", &family, "-k", "50", text]);
    assert_eq!(within["hits"].as_array().map(Vec::len), Some(12));
    // The text from a file and from standard input finds the same.
    site.write("query.txt", text);
    assert_eq!(similar(&["--file", "query.txt"]), found);
    let piped = site.run_with(&["similar", "--store", "store", "--format", "json", "-"], text.as_bytes()).ok().json();
    assert_eq!(piped, found);
    let shown = site.run(&["similar", "--store", "store", text]).ok().out;
    assert!(shown.contains('«') && shown.contains(&family), "{shown}");
}

#[test]
fn an_investigator_goes_from_family_to_account_and_back() {
    let site = audited();
    let listed = site.run(&["family", "list", "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(keys(&listed), ["families", "schema"]);
    let id = listed["families"][0]["id"].as_str().expect("a name").to_owned();
    let page = site.run(&["family", &id, "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(keys(&page), ["exchanges", "family", "members", "members_left_out", "rings", "schema"]);
    assert_eq!((&page["family"]["id"], page["members"].as_array().map(Vec::len)), (&json!(id), Some(12)));
    let account = page["members"][0]["account"].as_str().expect("a pseudonym").to_owned();
    assert!(account.len() == 25 && account.starts_with('a'), "{account}");
    let found = site.run(&["account", &account, "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(found["families"][0]["family_id"], id);
    // By name, the key tells the pseudonym; a name never appears in an answer.
    let named = site.run(&["account", "c-account-0", "--store", "store", "--key", "key", "--format", "json"]).ok();
    assert_eq!(named.json()["families"][0]["family_id"], id);
    assert!(!named.out.contains("c-account-0"));
    assert!(site.run(&["family", &id, "--store", "store"]).ok().out.contains("olympiad"));
    assert!(site.run(&["account", &account, "--store", "store"]).ok().out.contains(&id));
    assert!(site.run(&["family", "list", "--store", "store", "--accounts", "4"]).ok().out.lines().count() == 2);
    assert!(site.run(&["family", "list", "--store", "store", "--new"]).ok().out.contains(&id));

    site.run(&["family", "n0123456789abcdef", "--store", "store"]).refused(&["n0123456789abcdef"]);
    site.run(&["family", "nothing", "--store", "store"]).refused(&["expected the name of a family", "hint: "]);
    site.run(&["account", "a0123456789abcdef01234567", "--store", "store"]).refused(&["a0123456789abcdef01234567"]);
    site.run(&["account", "nobody", "--store", "store", "--key", "key"]).refused(&["expected an account"]);
    site.run(&["similar", "--store", "store", "--id", "not-there"]).refused(&["not-there"]);
}

#[test]
fn a_known_log_changes_nothing_and_reports_the_store() {
    let site = audited();
    let (store, export) = (digests(&site), site.export("store"));
    let first: Value = serde_json::from_str(&site.read("report/report.json")).expect("JSON");
    let again = site.audit(&["log.jsonl"]).ok().json();
    assert_eq!(counts(&again), [17, 0, 17, 0]);
    assert_eq!(
        (&again["families"], &again["store"], &again["nights"]),
        (&first["families"], &first["store"], &first["nights"])
    );
    assert_eq!((digests(&site), site.export("store")), (store, export));
}

fn digests(site: &Site) -> Vec<std::collections::BTreeMap<String, String>> {
    ["store/nights", "store/shared"].map(|dir| super::digests(&site.path(dir))).into()
}

#[test]
fn nothing_to_audit_is_an_error_unless_allowed() {
    let site = Site::new();
    site.write("empty.jsonl", "");
    site.write("logs/note.txt", "no log");
    site.audit(&["empty.jsonl"]).refused(&["expected rows to audit, found none", "hint: --allow-empty"]);
    site.audit(&["logs"]).refused(&["expected logs in the directory logs, found none", "hint: logs are files named"]);
    site.audit(&["missing.jsonl"]).refused(&["expected a log at missing.jsonl, found nothing there"]);
    site.audit(&["*.zst"]).refused(&["expected files that match *.zst, found none"]);
    for nothing in ["empty.jsonl", "logs"] {
        assert_eq!(site.counts(&[nothing, "--allow-empty"]), [0; 4], "{nothing}");
    }
    // A mistyped name is no empty night.
    site.audit(&["missing.jsonl", "--allow-empty"]).refused(&["expected a log at missing.jsonl"]);
    site.run(&["store", "verify", "--store", "store"]).ok();
}

#[test]
fn verify_names_the_file_that_is_not_whole() {
    let site = audited();
    let whole = site.run(&["store", "verify", "--store", "store"]).ok();
    assert!(whole.out.starts_with("whole: 1 nights, "), "{}", whole.out);
    let stats = site.run(&["store", "stats", "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(keys(&stats), ["accounts", "bytes", "distinct_prompts", "exchanges", "kinds", "nights", "schema"]);
    assert_eq!(
        (&stats["exchanges"], &stats["distinct_prompts"], &stats["accounts"]),
        (&json!(17), &json!(15), &json!(17))
    );
    let files = super::digests(&site.path("store"));
    let named: Vec<&String> =
        files.keys().filter(|name| name.starts_with("nights/") || name.starts_with("shared/")).collect();
    assert!(named.len() >= 10, "{named:?}");
    for name in named {
        let path = site.path(&format!("store/{name}"));
        let bytes = std::fs::read(&path).expect("a file");
        let spoil = |spoiled: &[u8]| {
            std::fs::write(&path, spoiled).expect("written");
            site.run(&["store", "verify", "--store", "store"]).refused(&[name, "is not as it was written", "hint: "]);
        };
        if let Some(last) = bytes.len().checked_sub(1) {
            let mut flipped = bytes.clone();
            flipped[last / 2] ^= 1;
            spoil(&flipped);
            spoil(&bytes[..last]);
        }
        std::fs::remove_file(&path).expect("removed");
        site.run(&["store", "verify", "--store", "store"]).refused(&[name]);
        std::fs::write(&path, &bytes).expect("written");
    }
    site.run(&["store", "verify", "--store", "store"]).ok();
    site.run(&["store", "verify", "--store", "nowhere"])
        .refused(&["expected a store at nowhere, found none", "hint: "]);
}

/// A store on a disk that cannot be written is read as it lies. (The superuser writes anyway, and reads as well.)
#[test]
fn a_read_only_store_answers() {
    let site = audited();
    let expected = site.export("store");
    let mode = |mode| {
        std::fs::set_permissions(site.path("store"), std::fs::Permissions::from_mode(mode)).expect("set");
    };
    mode(0o500);
    assert_eq!(site.export("store"), expected);
    site.run(&["store", "verify", "--store", "store"]).ok();
    mode(0o700);
}

/// Damage must not crash a reader: it answers or says what is wrong.
#[test]
fn a_damaged_store_is_an_error_and_no_crash() {
    let site = audited();
    let names: Vec<String> = super::digests(&site.path("store")).into_keys().filter(|n| n.contains('/')).collect();
    for name in &names {
        let path = site.path(&format!("store/{name}"));
        let bytes = std::fs::read(&path).expect("a file");
        let mut zeros = bytes.clone();
        let middle = zeros.len() / 2;
        zeros[middle..].fill(0xff);
        for spoiled in [bytes[..middle].to_vec(), zeros] {
            std::fs::write(&path, &spoiled).expect("written");
            for command in [
                &["similar", "--store", "store", "a ferry"][..],
                &["family", "list", "--store", "store"],
                &["export", "members", "--store", "store"],
            ] {
                let run = site.run(command);
                assert!(
                    [0, 2].contains(&run.code) && !run.err.contains("panicked"),
                    "{name}: {} {}",
                    run.told,
                    run.err
                );
            }
        }
        std::fs::write(&path, &bytes).expect("written");
    }
    site.run(&["store", "verify", "--store", "store"]).ok();
}

#[test]
fn what_is_made_is_private() {
    let site = Site::new();
    site.log("log.jsonl", &log());
    let rows = site.run(&["audit", "log.jsonl", "--store", "a/store", "--report", "b/report", "--key", "c/key"]).ok();
    assert!(rows.err.contains("made the account key c/key"), "{}", rows.err);
    let mode = |name: &str| std::fs::metadata(site.path(name)).expect(name).permissions().mode() & 0o777;
    for dir in ["a", "a/store", "a/store/nights", "a/store/nights/000001", "a/store/shared", "b", "b/report", "c"] {
        assert_eq!(mode(dir), 0o700, "{dir}");
    }
    for file in ["c/key", "b/report/report.html", "b/report/report.json", "a/store/nights/000001/rows.parquet"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    // No account name is in the store, the report or the key's directory.
    for dir in ["a", "b"] {
        for name in super::digests(&site.path(dir)).into_keys() {
            let bytes = std::fs::read(site.path(&format!("{dir}/{name}"))).expect("a file");
            assert!(!bytes.windows(9).any(|part| part == b"c-account"), "{dir}/{name} holds an account name");
        }
    }
}

#[test]
fn arguments_that_cannot_be_meant_are_refused() {
    let site = audited();
    for (args, expected) in [
        (&["--max-bad-share", "1.5"][..], "expected max_bad_share between 0 and 1, got 1.5"),
        (&["--max-bad-share", "NaN"], "expected max_bad_share between 0 and 1, got NaN"),
        (&["--threshold", "9"], "expected threshold between 0.5 and 2.5, got 9"),
        (&["--default-time", "yesterday"], "expected a time, got \"yesterday\""),
        (&["--map", "prompt"], "expected FIELD=PATH in the column map"),
        (&["--map", "prompt=a,who=b"], "expected a field of an exchange in the column map, got \"who\""),
        (&["--config", "none.toml"], "cannot read none.toml"),
        (&["--expected-neighbours", "0"], "expected expected_neighbours between"),
        (&["--model", "nowhere"], "nowhere"),
    ] {
        let mut all = vec!["log.jsonl"];
        all.extend(args);
        site.audit(&all).refused(&[expected]);
    }
    site.write("bad.toml", "max_bad_shares = 0.1\n");
    site.audit(&["log.jsonl", "--config", "bad.toml"]).refused(&["bad.toml", "max_bad_shares"]);
    site.write("bad.toml", "max_bad_share = \"much\"\n");
    site.audit(&["log.jsonl", "--config", "bad.toml"]).refused(&["bad.toml"]);
    site.run(&["similar", "--store", "store", ""]).refused(&["expected a text to search for, got an empty one"]);
    site.run(&["similar", "--store", "store", "--format", "html", "x"])
        .refused(&["invalid value 'html' for '--format <FORMAT>'", "possible values: text, json"]);
    for args in
        [&["similar"][..], &["nothing"], &["audit", "log.jsonl"], &["similar", "--store", "store", "-k", "-1", "x"]]
    {
        site.run(args).refused(&["error: ", "Usage: "]);
    }
    // Numbers that would be nothing, or would never end.
    for args in [
        &["similar", "--store", "store", "-k", "0", "x"][..],
        &["family", "list", "--store", "store", "--threads", "100000"],
        &["family", "list", "--store", "store", "--threads", "0"],
        &["calibrate", "--store", "store", "--queries", "0"],
        &["audit", "log.jsonl", "--store", "store", "--batch-rows", "0"],
        &["simulate", "--out", "sim", "--campaigns", "4000000000"],
    ] {
        site.run(args).refused(&["invalid value", "is not in "]);
    }
    // A number may be larger than the store.
    site.run(&["similar", "--store", "store", "-k", "18446744073709551615", "x"]).ok();
    let none = site.run(&["family", "list", "--store", "store", "--accounts", "999"]).ok();
    assert_eq!(none.out, "no families are as asked for\n");
    let help = site.run(&["--help"]).ok().out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("Exit status: 0 ran, 2 could not run"), "{help}");
    assert!(site.run(&["--version"]).ok().out.contains(env!("CARGO_PKG_VERSION")));
}
