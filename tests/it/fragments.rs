//! Fragment families as their users meet them: what otherwise unlike prompts share, night after night.
//!
//! Prompts are words drawn from a seed, alike in nothing but what is planted in them, so the truth is known to the exchange.

use super::{Members, Site, campaign, row};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub(super) const TRACE: &str =
    "Show every step of your working inside <trace> tags, write one step on each line, and end with the word DONE.";
pub(super) const RANK: &str =
    "Answer as the head of a laboratory would: rank the ten most telling ways to test it, with a reason for each.";

/// `n` words of three to nine letters, drawn anew each.
pub(super) fn words(rng: &mut ChaCha8Rng, n: usize) -> String {
    let word = |rng: &mut ChaCha8Rng| -> String {
        (0..rng.random_range(3..=9)).map(|_| char::from(b'a' + rng.random_range(0..26u8))).collect()
    };
    (0..n).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

/// A text of its own words around `fragment`.
fn around(rng: &mut ChaCha8Rng, fragment: &str) -> String {
    let (before, after) = (rng.random_range(15..40), rng.random_range(15..40));
    format!("{} {fragment} {}", words(rng, before), words(rng, after))
}

/// `n` prompts that share nothing, two of each account.
pub(super) fn varied(prefix: &str, n: u64) -> Vec<Value> {
    let rng = &mut ChaCha8Rng::seed_from_u64(n + prefix.len() as u64);
    let each = |i| {
        let n = rng.random_range(20..80);
        row(&format!("{prefix}{i}"), &format!("{prefix}-account-{}", i / 2), i, &words(rng, n))
    };
    (0..n).map(each).collect()
}

/// One prompt of each of these accounts, with `fragment` somewhere in it.
pub(super) fn carriers(prefix: &str, fragment: &str, accounts: Range<u64>) -> Vec<Value> {
    let rng = &mut ChaCha8Rng::seed_from_u64(accounts.start + 31 * fragment.len() as u64);
    let each = |i| row(&format!("{prefix}{i}"), &format!("{prefix}-account-{i}"), i, &around(rng, fragment));
    accounts.map(each).collect()
}

/// Members of the fragment families in `store`: family → exchanges.
pub(super) fn fragments(site: &Site, store: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = site.run(&["export", "members", "--store", store, "--level", "fragment"]).ok().out;
    let mut families: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for [id, _, family] in Members::parse(&text).1 {
        families.entry(family).or_default().insert(id);
    }
    families
}

fn ids(prefix: &str, accounts: Range<u64>) -> BTreeSet<String> {
    accounts.map(|i| format!("{prefix}{i}")).collect()
}

fn reported<'a>(report: &'a Value, list: &str) -> Vec<&'a Value> {
    let all = report[list].as_array().expect("families").iter();
    all.filter(|family| family["level"] == "fragment").collect()
}

/// The one family of these exchanges.
#[track_caller]
fn family_of(site: &Site, store: &str, members: &BTreeSet<String>) -> String {
    let all = fragments(site, store);
    let found: Vec<&String> = all.iter().filter(|(_, ids)| *ids == members).map(|(family, _)| family).collect();
    assert_eq!(found.len(), 1, "one family of {members:?} in {all:?}");
    found[0].clone()
}

/// 300 prompts: 12 accounts with one fragment, 7 with another.
fn planted() -> (Site, Value) {
    let site = Site::new();
    let rows = [varied("v", 281), carriers("t", TRACE, 0..12), carriers("r", RANK, 0..7)].concat();
    assert_eq!(rows.len(), 300);
    site.log("log.jsonl", &rows);
    let report = site.audit(&["log.jsonl"]).ok().json();
    (site, report)
}

#[test]
fn planted_fragments_are_found_on_the_first_night() {
    let (site, report) = planted();
    let (trace, rank) = (ids("t", 0..12), ids("r", 0..7));
    assert_eq!(
        fragments(&site, "store").into_values().collect::<BTreeSet<_>>(),
        BTreeSet::from([trace.clone(), rank.clone()])
    );
    let schema: Value = serde_json::from_str(include_str!("../../src/report/report.schema.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let faults: Vec<String> = validator.iter_errors(&report).map(|e| format!("{}: {e}", e.instance_path)).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let found = reported(&report, "families");
    for (family, text, members) in [(found[0], TRACE, &trace), (found[1], RANK, &rank)] {
        let n = members.len() as u64;
        assert_eq!(family["id"], family_of(&site, "store", members));
        assert_eq!(
            (&family["accounts"], &family["requests"], &family["distinct_prompts"]),
            (&json!(n), &json!(n), &json!(n))
        );
        assert_eq!((&family["template"], &family["slots"]), (&json!(text), &json!([])));
        let fragment = &family["fragment"];
        assert_eq!(
            (&fragment["field"], &fragment["texts"], &fragment["parts"]),
            (&json!("prompt"), &json!(n), &json!(1))
        );
        assert_eq!((&fragment["known"], &fragment["registry_candidate"]), (&json!(null), &json!(false)));
        assert_eq!(fragment["place"], json!({ "start": 0, "middle": n, "end": 0 }));
        assert!(fragment["share"].as_f64().is_some_and(|share| share > 0.1 && share < 0.5), "{fragment}");
    }
    let totals = &report["store"];
    assert_eq!((found.len(), &totals["fragment_families"], &totals["known_families"]), (2, &json!(2), &json!(0)));
    assert_eq!((&totals["fragment_bytes_cut"], &totals["fragments_cut"]), (&json!(0), &json!(0)));
    assert_eq!(
        (&report["parameters"]["fragment_accounts"], &report["parameters"]["fragment_run"]),
        (&json!(5), &json!(60))
    );
    for name in ["report.html", "report.md", "families.csv"] {
        let text = site.read(&format!("report/{name}"));
        assert!(text.contains("write one step on each line") && text.contains("head of a laboratory"), "{name}");
        assert!(found.iter().all(|family| text.contains(family["id"].as_str().expect("a name"))), "{name}");
    }
    // All levels together are the same rows.
    let all = site.members("store");
    assert_eq!(all.1.len(), 19);
    assert!(
        all.1.iter().all(|[id, _, family]| (family == found[0]["id"].as_str().expect("a name")) == trace.contains(id))
    );
    site.run(&["store", "verify", "--store", "store"]).ok();
}

#[test]
fn an_investigator_goes_from_fragment_to_accounts_and_back() {
    let (site, _) = planted();
    let id = family_of(&site, "store", &ids("t", 0..12));
    assert!(id.starts_with('f') && id.len() == 17, "{id}");
    let listed =
        site.run(&["family", "list", "--store", "store", "--level", "fragment", "--format", "json"]).ok().json();
    assert_eq!((listed["families"].as_array().map(Vec::len), &listed["families"][0]["id"]), (Some(2), &json!(id)));
    let table = site.run(&["family", "list", "--store", "store", "--level", "fragment"]).ok().out;
    assert!(table.lines().count() == 3 && table.contains(&id), "{table}");
    let page = site.run(&["family", &id, "--store", "store", "--format", "json"]).ok().json();
    assert_eq!((&page["family"]["id"], page["members"].as_array().map(Vec::len)), (&json!(id), Some(12)));
    for exchange in page["exchanges"].as_array().expect("exchanges") {
        assert!(exchange["prompt"].as_str().is_some_and(|prompt| prompt.contains(TRACE)), "{exchange}");
    }
    let shown = site.run(&["family", &id, "--store", "store"]).ok().out;
    let digest = page["family"]["fragment"]["digest"].as_str().expect("a digest");
    for part in [
        "(fragment)\n12 accounts",
        "in 12 distinct prompt texts (0 at the start, 12 in the middle, 0 at the end)",
        digest,
        TRACE,
    ] {
        assert!(shown.contains(part), "expected {part:?} in\n{shown}");
    }
    site.run(&["family", "f0123456789abcdef", "--store", "store"]).refused(&["f0123456789abcdef"]);

    let account = ["account", "t-account-3", "--store", "store", "--key", "key"];
    let found = site.run(&[&account[..], &["--format", "json"]].concat()).ok().json();
    let of_account: Vec<&Value> = found["families"].as_array().expect("families").iter().collect();
    assert_eq!((of_account.len(), &of_account[0]["family_id"]), (1, &json!(id)));
    assert_eq!((&of_account[0]["requests"], &of_account[0]["accounts"]), (&json!(1), &json!(12)));
    assert!(site.run(&account).ok().out.contains(&id));
    let other =
        site.run(&["account", "v-account-3", "--store", "store", "--key", "key", "--format", "json"]).ok().json();
    assert_eq!(other["families"], json!([]));

    let query = format!("Ünlike anything  before: {TRACE} Über etwas ganz anderes, höflich gefragt.");
    let similar = |args: &[&str]| site.run(&[&["similar", "--store", "store", "-k", "60"], args].concat()).ok();
    let hits = similar(&["--format", "json", &query]).json();
    let place = |shared: &Value, text: &str| {
        let at = |name: &str| shared[name].as_u64().expect("a byte") as usize;
        text[at("start")..at("end")].to_owned()
    };
    assert_eq!((hits["fragments"].as_array().map(Vec::len), &hits["fragments"][0]["family_id"]), (Some(1), &json!(id)));
    assert_eq!(place(&hits["fragments"][0], &query), TRACE);
    let mut marked = 0;
    for hit in hits["hits"].as_array().expect("hits") {
        let (prompt, shared) =
            (hit["prompt"].as_str().expect("a prompt"), hit["fragments"].as_array().expect("a list"));
        assert_eq!(shared.len(), usize::from(prompt.contains(TRACE)), "{hit}");
        for shared in shared {
            assert_eq!((&shared["family_id"], place(shared, prompt)), (&json!(id), TRACE.to_owned()));
            marked += 1;
        }
    }
    assert!(marked >= 6, "{marked} of 60 hits hold the fragment");
    let shown = similar(&[&query]).out;
    assert!(shown.contains(&format!("the text holds the fragment family {id}\n")), "{shown}");
    assert!(shown.contains(&format!("shares the fragment {id}: {TRACE}")), "{shown}");
    let none = similar(&["--format", "json", "Which of the moons of Jupiter has an ocean below its ice?"]).json();
    assert_eq!(none["fragments"], json!([]));
    let within = similar(&["--format", "json", "--family", &id, &query]).json();
    assert_eq!(within["hits"].as_array().map(Vec::len), Some(12));
}

/// Two accounts on the first night, four more on the second, three on the third: all of them are members of one family.
#[test]
fn a_fragment_that_grows_over_nights_keeps_its_name_and_its_first_members() {
    let site = Site::new();
    let night = |n: u64, of: Range<u64>| [varied(&format!("night-{n}-v"), 60), carriers("t", TRACE, of)].concat();
    site.log("1.jsonl", &night(1, 0..2));
    site.log("2.jsonl", &night(2, 2..6));
    site.log("3.jsonl", &night(3, 6..9));
    site.audit(&["1.jsonl"]).ok();
    assert_eq!(fragments(&site, "store"), BTreeMap::new());
    let report = site.audit(&["2.jsonl"]).ok().json();
    let id = family_of(&site, "store", &ids("t", 0..6));
    assert_eq!((&reported(&report, "families")[0]["accounts"], fragments(&site, "store").len()), (&json!(6), 1));
    let report = site.audit(&["3.jsonl"]).ok().json();
    assert_eq!(family_of(&site, "store", &ids("t", 0..9)), id);
    let family = reported(&report, "families")[0].clone();
    assert_eq!((&family["id"], &family["accounts"], &family["new_accounts"]), (&json!(id), &json!(9), &json!(3)));
    let growth: Vec<[&Value; 3]> = family["nights"]
        .as_array()
        .expect("nights")
        .iter()
        .map(|night| ["night", "accounts", "new_accounts"].map(|name| &night[name]))
        .collect();
    assert_eq!(json!(growth), json!([[1, 2, 2], [2, 4, 4], [3, 3, 3]]));
    assert!(site.read("report/report.html").contains(&id));
    // Whoever looks at one night only misses it; whoever asks for fewer accounts has it at once.
    for (store, flags, found) in
        [("short", ["--fragment-nights", "1"], [0, 0, 0]), ("keen", ["--fragment-accounts", "2"], [2, 6, 9])]
    {
        for (log, n) in ["1.jsonl", "2.jsonl", "3.jsonl"].iter().zip(found) {
            let report = site.run(&Site::audit_args(store, &[log, flags[0], flags[1]])).ok().json();
            let members: usize = fragments(&site, store).values().map(BTreeSet::len).sum();
            assert_eq!(members, n, "{store}, {log}");
            let name = flags[0].trim_start_matches("--").replace('-', "_");
            assert_eq!(report["parameters"][name].to_string(), flags[1]);
        }
    }
}

/// A run that nobody sent for longer than the trailing nights sleeps; one account that sends it again is in its family, under its name.
#[test]
fn a_fragment_that_slept_is_found_again() {
    let site = Site::new();
    let varied = |n: u64| varied(&format!("night-{n}-v"), 60);
    let audit = |n: u64, rows: &[Value]| {
        let log = format!("{n}.jsonl");
        site.log(&log, rows);
        site.run(&Site::audit_args("store", &[&log, "--fragment-nights", "2"])).ok();
    };
    audit(1, &[varied(1), carriers("t", TRACE, 0..6)].concat());
    let id = family_of(&site, "store", &ids("t", 0..6));
    (2..6).for_each(|n| audit(n, &varied(n)));
    audit(6, &[varied(6), carriers("t", TRACE, 6..7)].concat());
    assert_eq!(family_of(&site, "store", &ids("t", 0..7)), id);
    // Five strangers who sent it again would have been a family of their own.
    audit(7, &[varied(7), carriers("t", TRACE, 7..12)].concat());
    assert_eq!(family_of(&site, "store", &ids("t", 0..12)), id);
    assert_eq!(fragments(&site, "store").len(), 1);
}

#[test]
fn habits_and_single_templates_are_no_fragment_families() {
    let check = |what: &str, rows: &[Vec<Value>], expected: &[BTreeSet<String>]| {
        let site = Site::new();
        site.log("log.jsonl", &[&[varied("v", 100)], rows].concat().concat());
        site.audit(&["log.jsonl"]).ok();
        let found: Vec<BTreeSet<String>> = fragments(&site, "store").into_values().collect();
        assert_eq!(found, expected, "{what}");
    };
    let mut habit = carriers("t", TRACE, 0..30);
    habit.iter_mut().for_each(|row| row["account"] = json!("one-account"));
    check("an account's own habit", &[habit.clone()], &[]);
    check("with three others", &[habit.clone(), carriers("u", TRACE, 0..3)], &[]);
    check("with four others", &[habit, carriers("u", TRACE, 0..4)], &[&ids("t", 0..30) | &ids("u", 0..4)]);
    check("a template that a family covers", &[campaign("c", 12)], &[]);
    let same: Vec<Value> = (0..9).map(|i| row(&format!("s{i}"), &format!("s-account-{i}"), i, TRACE)).collect();
    check("copies of one text", &[same], &[]);
    let template = "You are Maple, the cooking helper of the Greenleaf app. Read the user's note below and answer it kindly. Note:";
    let rng = &mut ChaCha8Rng::seed_from_u64(9);
    let app = (0..40).map(|i| {
        let n = rng.random_range(40..120);
        row(&format!("a{i}"), &format!("a-account-{i}"), i, &format!("{template} {}", words(rng, n)))
    });
    check("an app's template with very different fillings", &[app.collect()], &[ids("a", 0..40)]);
}

#[test]
fn known_texts_are_counted_apart() {
    let (first, report) = planted();
    let digest = reported(&report, "families")[0]["fragment"]["digest"].as_str().expect("a digest").to_owned();
    let mit = format!("Preamble that nobody sends.\n\n{TRACE}\nAnd a colophon.");
    let line = json!({ "name": "house style", "text": mit });
    let other = json!({ "text": "Some other text that is known as well, and explains nothing here." });
    for (file, text, name) in [
        ("style.txt", mit.clone(), "style.txt"),
        ("known.jsonl", format!("{other}\n{line}\n"), "known.jsonl: house style"),
        ("digests.txt", format!("\n{digest}\n"), "digests.txt"),
        ("named.txt", format!("{digest}  the house style\n"), "the house style"),
    ] {
        let site = Site::new();
        site.write("log.jsonl", first.read("log.jsonl"));
        site.write(file, text);
        let report = site.audit(&["log.jsonl", "--known", file]).ok().json();
        let (listed, known) = (reported(&report, "families"), reported(&report, "known_families"));
        assert_eq!((listed.len(), known.len()), (1, 1), "{file}");
        assert_eq!((&listed[0]["template"], &listed[0]["fragment"]["known"]), (&json!(RANK), &json!(null)), "{file}");
        assert_eq!((&known[0]["template"], &known[0]["fragment"]["known"]), (&json!(TRACE), &json!(name)), "{file}");
        assert_eq!((&report["store"]["fragment_families"], &report["store"]["known_families"]), (&json!(2), &json!(1)));
        assert_ne!(report["families"][0]["id"], known[0]["id"], "twelve accounts, yet it heads nothing");
        let id = known[0]["id"].as_str().expect("a name");
        assert_eq!(family_of(&site, "store", &ids("t", 0..12)), id, "it keeps its members");
        assert!(
            site.run(&["family", id, "--store", "store"]).ok().out.contains(&format!("known shared text: {name}\n"))
        );
        for report in ["report.html", "families.csv"] {
            assert!(site.read(&format!("report/{report}")).contains(id), "{report}");
        }
        // It stays known without the list, and leaves it when a list no longer has it.
        site.log("more.jsonl", &carriers("t", TRACE, 12..14));
        let report = site.audit(&["more.jsonl"]).ok().json();
        assert_eq!(reported(&report, "known_families")[0]["accounts"], 14);
        site.write("other.jsonl", other.to_string());
        site.log("last.jsonl", &varied("x", 3));
        let report = site.audit(&["last.jsonl", "--known", "other.jsonl"]).ok().json();
        assert_eq!((reported(&report, "families").len(), reported(&report, "known_families").len()), (2, 0));
    }
    // A family becomes known on a later night; two files are read, and a configuration may name them.
    first.write("digests.txt", &digest);
    first.write("other.txt", "A text of no importance.");
    first.write("audit.toml", "known = [\"digests.txt\", \"other.txt\"]\n");
    first.log("more.jsonl", &varied("x", 3));
    let report = first.audit(&["more.jsonl", "--config", "audit.toml"]).ok().json();
    assert_eq!(reported(&report, "known_families")[0]["fragment"]["known"], "digests.txt");
    for (name, text) in [("empty.txt", ""), ("blank.txt", " \n\t\n")] {
        first.write(name, text);
        first
            .audit(&["log.jsonl", "--known", name])
            .refused(&[&format!("expected a known text in {name}, got an empty file")]);
    }
    first.audit(&["log.jsonl", "--known", "missing.txt"]).refused(&["missing.txt"]);
}

/// A call of a chat client: system prompt, earlier turns of the user, prompt.
pub(super) fn chat(id: &str, account: &str, system: &str, turns: &[String], prompt: &str) -> Value {
    let mut messages = vec![json!({ "role": "system", "content": system })];
    for turn in turns {
        messages.push(json!({ "role": "user", "content": turn }));
        messages.push(json!({ "role": "assistant", "content": format!("As to {}: yes.", &turn[..9]) }));
    }
    messages.push(json!({ "role": "user", "content": prompt }));
    json!({
        "account": account, "time": 1_795_161_600, "request": { "model": "g-4", "messages": messages },
        "response": { "id": id, "choices": [{ "message": { "role": "assistant", "content": "An answer." } }] },
    })
}

#[test]
fn system_prompts_and_earlier_turns_are_sources_of_their_own() {
    let site = Site::new();
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    let mut rows = Vec::new();
    for i in 0..6 {
        let (system, prompt) = (around(rng, TRACE), words(rng, 30));
        rows.push(chat(&format!("system-{i}"), &format!("s{i}"), &system, &[], &prompt));
        let (system, turns) = (words(rng, 30), [words(rng, 20), around(rng, RANK), around(rng, RANK)]);
        let prompt = words(rng, 30);
        rows.push(chat(&format!("turn-{i}"), &format!("t{i}"), &system, &turns, &prompt));
        let (system, prompt) = (words(rng, 30), around(rng, TRACE));
        rows.push(chat(&format!("prompt-{i}"), &format!("p{i}"), &system, &[], &prompt));
    }
    site.log("chat.jsonl", &rows);
    let report = site.audit(&["chat.jsonl"]).ok().json();
    let found = reported(&report, "families");
    assert_eq!(found.len(), 3, "{found:?}");
    for (field, template) in [("system", TRACE), ("turn", RANK), ("prompt", TRACE)] {
        let members: BTreeSet<String> = (0..6).map(|i| format!("{field}-{i}")).collect();
        let id = family_of(&site, "store", &members);
        let family = found.iter().find(|family| family["id"] == id).expect("reported");
        assert_eq!((&family["fragment"]["field"], &family["template"]), (&json!(field), &json!(template)));
        assert_eq!(
            (&family["accounts"], &family["requests"]),
            (&json!(6), &json!(6)),
            "{field}: a request counts once"
        );
        let page = site.run(&["family", &id, "--store", "store", "--format", "json"]).ok().json();
        let shown = page["exchanges"].as_array().expect("exchanges");
        assert_eq!(shown.len(), 6, "{field}");
        for exchange in shown {
            assert!(exchange["prompt"].as_str().is_some_and(|text| text.contains(template)), "{field}: {exchange}");
        }
        let similar = site.run(&["similar", "--store", "store", "--family", &id, TRACE]);
        if field == "prompt" {
            similar.ok();
        } else {
            similar.refused(&["expected a family of prompts, got a fragment of system prompts or earlier turns"]);
        }
    }
}
