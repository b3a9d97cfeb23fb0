//! Forgetting: after it no byte of what only the forgotten exchanges held is in the store, and all else is as it was.
//!
//! The search is of every file's bytes, and of every cell of the Parquet tables, since those are compressed. Each needle is
//! found before it is looked for in vain. Weakness: blocks that the file system has freed are not looked at.

use super::{Members, Site, campaign, counts, lines, row};
use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt32Type;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use stillhunt::audit::{self, AuditConfig, Forget, Progress, Silent};
use stillhunt::embed::Model;
use stillhunt::ids::{AccountId, Digest, Level, Time};
use stillhunt::store::input::Input;
use stillhunt::store::key::AccountKey;
use stillhunt::store::postings::Postings;
use stillhunt::store::texts::Texts;
use stillhunt::store::{Named, Store};
use stillhunt::text;
use stillhunt::text::winnow::Printer;

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    Model::from_parts(
        include_bytes!("../../models/config.json"),
        include_bytes!("../../models/tokenizer.json"),
        include_bytes!("../../models/model.safetensors"),
        Some(include_bytes!("../../models/romanise.json")),
    )
    .expect("the shipped model")
});

/// All that a store's directory holds, by file: bytes, and the cells of tables as they are when read.
struct Contents(Vec<(String, Vec<u8>)>);

impl Contents {
    fn of(dir: &Path) -> Self {
        let mut all = Vec::new();
        for name in super::digests(dir).into_keys() {
            let bytes = std::fs::read(dir.join(&name)).expect("a file");
            if name.ends_with(".parquet") {
                all.push((format!("{name}, decoded"), cells(&dir.join(&name))));
            }
            all.push((name, bytes));
        }
        Self(all)
    }

    /// The files that hold `needle`.
    fn holders(&self, needle: &[u8]) -> Vec<&str> {
        let has = |bytes: &[u8]| memchr_like(bytes, needle);
        self.0.iter().filter(|(_, bytes)| has(bytes)).map(|(name, _)| name.as_str()).collect()
    }
}

/// Whether `bytes` hold `needle`.
fn memchr_like(bytes: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|&b| b == first) {
        if bytes[at + next..].starts_with(needle) {
            return true;
        }
        at += next + 1;
    }
    false
}

/// Every text and every string of bytes of a table, one after another.
fn cells(path: &Path) -> Vec<u8> {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let file = std::fs::File::open(path).expect("a table");
    let mut out = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).expect("a table").build().expect("a reader") {
        for column in batch.expect("a batch").columns() {
            if let Some(texts) = column.as_string_opt::<i32>() {
                texts.iter().flatten().for_each(|text| out.extend([text.as_bytes(), b"\0"].concat()));
            } else if let Some(bytes) = column.as_binary_opt::<i32>() {
                bytes.iter().flatten().for_each(|bytes| out.extend([bytes, b"\0"].concat()));
            }
        }
    }
    out
}

/// The row of a vector as segments hold it.
fn vector_row(folded: &str) -> Option<Vec<u8>> {
    let vector = MODEL.vector(folded)?;
    let scale = 127.0 / vector.iter().fold(0f32, |m, x| m.max(x.abs()));
    Some(vector.iter().map(|x| (x * scale).round() as i8 as u8).collect())
}

/// All that is kept of a text of this level: itself, folded, digest, key, and where asked for vector and a fingerprint.
fn of_text(raw: &str, printer: Option<&Printer>) -> Vec<(String, Vec<u8>)> {
    let folded = text::fold(raw).text;
    let digest = Digest::of(folded.as_bytes());
    let name = |what: &str| format!("{what} of {raw:?}");
    let mut out = vec![
        (name("raw text"), raw.as_bytes().to_vec()),
        (name("folded text"), folded.as_bytes().to_vec()),
        (name("digest"), digest.0.to_vec()),
        (name("key"), digest.short().to_le_bytes().to_vec()),
    ];
    if let Some(printer) = printer {
        out.extend(vector_row(&folded).map(|row| (name("vector"), row)));
        let mut prints = Vec::new();
        printer.prints(&folded, &mut prints);
        out.extend(prints.first().map(|print| (name("fingerprint"), print.hash.to_le_bytes().to_vec())));
    }
    out
}

fn turn_key(owner: &str, role: &str, text: &str) -> [u8; 16] {
    let mut hash = blake3::Hasher::new();
    for part in [owner, role, text] {
        hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hash.finalize().as_bytes()[..16].try_into().expect("sixteen bytes")
}

fn reversed(key: [u8; 16]) -> Vec<u8> {
    key.into_iter().rev().collect()
}

const SECRET: &str =
    "My landlady Wilhelmina Ostrowski keeps four peregrine falcons and a brass telescope in the attic.";
const SECRET_ZH: &str = "请帮我写一封信给住在莱比锡的外婆，告诉她我们的猫在阁楼里生了五只小猫，并附上照片。";
const FRAGMENT: &str =
    "Show every step of your working inside <trace> tags, write one step on each line, and end with the word DONE.";

/// What the account `mallory` sent and nobody else.
fn secret_rows() -> Vec<Value> {
    let talk = json!([
        {"role": "user", "content": "Which falcon hunts pigeons over the cathedral square at daybreak?"},
        {"role": "assistant", "content": "A peregrine, which nests on the northern bell tower."},
        {"role": "user", "content": "And how fast does that northern bell tower falcon stoop, in knots?"},
    ]);
    let long = (0..400).map(|i| format!("ledger{i} ")).collect::<String>() + "closing balance of the falconry";
    let more = |mut row: Value, fields: Value| {
        let (row_fields, fields) = (row.as_object_mut().expect("an object"), fields);
        fields.as_object().expect("an object").iter().for_each(|(k, v)| drop(row_fields.insert(k.clone(), v.clone())));
        row
    };
    vec![
        more(
            row("secret-exchange-1", "mallory", 0, SECRET),
            json!({"system": "You are the falconer's private secretary.", "response": "The telescope is polished brass.",
                "end_user": "mallory-at-home", "conversation": "conversation-77-falcon", "model": "m-falcon-preview",
                "attributes": {"region": "attic-of-leipzig"}}),
        ),
        row("secret-exchange-2", "mallory", 1, SECRET_ZH),
        more(
            row("secret-exchange-3", "mallory", 2, ""),
            json!({"prompt": talk, "conversation": "conversation-78-falcon"}),
        ),
        row("secret-exchange-4", "mallory", 3, &long),
        // What others send too, each in its own form.
        row("shared-1", "mallory", 4, "LIST   the boiling points of the FIRST ten alkanes, in a table!"),
        row("lead-1", "mallory", 5, &template("a falconer's ledger")),
        row("fragment-1", "mallory", 6, &format!("Peregrine rings and jesses, please: {FRAGMENT} Mind the bells.")),
    ]
}

fn template(what: &str) -> String {
    format!(
        "Solve the following olympiad problem about {what} and write the complete chain of thought, step by step, as training data."
    )
}

fn needles(key: &AccountKey) -> Vec<(String, Vec<u8>)> {
    let printer = Printer::new(&key.naming_key());
    let mut out = Vec::new();
    for text in [SECRET, SECRET_ZH, "And how fast does that northern bell tower falcon stoop, in knots?"] {
        out.extend(of_text(text, Some(&printer)));
    }
    out.extend(of_text("You are the falconer's private secretary.", None));
    let question = "Which falcon hunts pigeons over the cathedral square at daybreak?";
    for (role, text) in [("user", question), ("assistant", "A peregrine, which nests on the northern bell tower.")] {
        let turn = turn_key("conversation-78-falcon", role, text);
        out.push((format!("text of the turn {text:?}"), text.as_bytes().to_vec()));
        out.push((format!("cell of the turn {text:?}"), turn.to_vec()));
        out.push((format!("key of the turn {text:?}"), reversed(turn)));
    }
    let pseudonym = |name: &str| AccountId::derive(key.bytes(), name).to_string();
    let texts = [
        "ledger399 closing balance of the falconry",
        "LIST   the boiling",
        "The telescope is polished brass.",
        "conversation-77-falcon",
        "attic-of-leipzig",
        "secret-exchange-1",
        "m-falcon-preview",
        "a falconer's ledger",
        "jesses, please:",
        &pseudonym("mallory"),
        &pseudonym("mallory-at-home"),
    ];
    out.extend(texts.map(|text| (text.to_owned(), text.as_bytes().to_vec())));
    let id = Digest::of(b"secret-exchange-1").short().to_le_bytes();
    out.push(("key of the exchange".into(), id.to_vec()));
    out
}

/// The others: a campaign that mallory's prompt leads, the shared text in another form, the fragment in unlike prompts.
fn others() -> [Vec<Value>; 2] {
    let things = ["a train", "two pipes", "three friends", "a rectangle", "an urn", "a clock"];
    let mut first: Vec<Value> =
        (0..6).map(|i| row(&format!("c{i}"), &format!("c-{i}"), 10 + i as u64, &template(things[i]))).collect();
    let about = [
        "tides in a narrow bay",
        "Roman bridges",
        "a sourdough starter",
        "chess endings",
        "knots for climbers",
        "moss",
    ];
    first.extend((0..6).map(|i| {
        let prompt =
            format!("Tell me about {}, from the beginning on. {FRAGMENT} Thank you, number {i} says.", about[i]);
        row(&format!("f{i}"), &format!("f-{i}"), 30 + i as u64, &prompt)
    }));
    first.push(row("shared-2", "bob", 50, "list the boiling points of the first ten alkanes, in a table!"));
    let mut named = row("named", "carol", 51, "Which end user stands in this row of the table?");
    named["end_user"] = json!("mallory");
    first.push(named);
    let mut second = campaign("n", 8);
    second.push(row("shared-3", "dora", 90, "List the boiling points of the first ten alkanes, in a table!"));
    [first, second]
}

/// Three nights: mallory first, so that her texts lead.
fn three_nights(site: &Site) {
    let [first, second] = others();
    for (name, rows) in [("1.jsonl", secret_rows()), ("2.jsonl", first), ("3.jsonl", second)] {
        site.log(name, &rows);
        let n = rows.len() as u64;
        assert_eq!(site.counts(&[name]), [n, n, 0, 0]);
    }
}

fn key(site: &Site) -> AccountKey {
    AccountKey::read(&site.path("key")).expect("readable").expect("there")
}

fn forget(site: &Site, args: &[&str]) -> super::Run {
    site.run(&[&["store", "forget", "--store", "store", "--key", "key", "--format", "json"], args].concat())
}

#[track_caller]
fn none_left(store: &Path, needles: &[(String, Vec<u8>)]) {
    let contents = Contents::of(store);
    let left: Vec<String> = needles
        .iter()
        .map(|(name, needle)| (name, contents.holders(needle)))
        .filter(|(_, holders)| !holders.is_empty())
        .map(|(name, holders)| format!("{name} in {holders:?}"))
        .collect();
    assert!(left.is_empty(), "left in the store:\n  {}", left.join("\n  "));
}

#[test]
fn nothing_of_a_forgotten_account_is_left() {
    let site = Site::new();
    three_nights(&site);
    // Bad rows that the last run wrote into the store's directory, with their bytes.
    site.write(
        "bad.jsonl",
        "{\"account\": \"mallory\", \"time\": 1795161600, \"prompt\": 7, \"note\": \"quarantined falcon\"}\n",
    );
    site.run(&["audit", "bad.jsonl", "--store", "store", "--key", "key", "--keep-bad-rows", "--max-bad-share", "1"])
        .ok();
    assert!(site.path("store/quarantine.jsonl").is_file());
    let needles = needles(&key(&site));
    let contents = Contents::of(&site.path("store"));
    for (name, needle) in &needles {
        assert!(!contents.holders(needle).is_empty(), "{name} is found before");
    }
    drop(contents);
    let (members, list) = (site.members("store"), families(&site));
    let leading = members.of("lead-1", "near-duplicate").expect("a family").to_owned();
    assert_eq!(members.of("c0", "near-duplicate"), Some(leading.as_str()), "mallory's prompt leads the campaign");

    let told = forget(&site, &["--account", "mallory"]).ok().json();
    let mut all = needles;
    all.push(("raw name".into(), b"mallory".to_vec()));
    all.push(("quarantined row".into(), b"quarantined falcon".to_vec()));
    none_left(&site.path("store"), &all);
    assert_eq!((&told["exchanges"], &told["accounts"]), (&json!(7), &json!(1)));
    assert_eq!(told["removed"], json!(["quarantine.jsonl"]));
    assert_eq!((&told["systems"], &told["turns"]), (&json!(1), &json!(2)));
    site.run(&["store", "verify", "--store", "store"]).ok();

    // Families that lost something are named with what they lost, and keep their names.
    let lost =
        |name: &str| told["families"].as_array().expect("families").iter().find(|f| f["family_id"] == name).cloned();
    let campaign = lost(&leading).expect("the campaign lost its leader");
    assert_eq!(campaign["leader_forgotten"], json!(true));
    assert_eq!(campaign["gone"], json!(false));
    let before = list[&leading];
    assert_eq!(campaign["accounts"], json!([before.0, before.0 - 1]));
    assert_eq!(campaign["exchanges"], json!([before.1, before.1 - 1]));
    let after = site.members("store");
    let mine = |id: &str| secret_rows().iter().any(|row| row["id"] == id);
    let still = |m: &Members| {
        m.0.iter().filter(|((id, _), _)| !mine(id)).map(|(k, v)| (k.clone(), v.0.clone())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(still(&members), still(&after), "what others sent is in the families that it was in");
    assert!(after.0.keys().all(|(id, _)| !mine(id)) && after.1.iter().all(|[id, ..]| !mine(id)));
    let others: BTreeSet<_> = members.1.iter().filter(|[id, ..]| !mine(id)).cloned().collect();
    assert!(!others.is_empty() && others == after.1, "fragment families keep their names and members");

    // Look-ups work, and no answer has an empty place in it.
    let page = site.run(&["family", &leading, "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(page["family"]["id"], json!(leading));
    assert!(page["family"]["template"].as_str().expect("a template").contains("olympiad problem about"));
    let hits = site
        .run(&["similar", &template("a falconer's ledger"), "-k", "99", "--store", "store", "--format", "json"])
        .ok()
        .json();
    let hits = hits["hits"].as_array().expect("hits");
    assert!(hits.len() > 10 && hits.iter().all(|hit| hit["prompt"] != "" && hit["exchange_id"] != ""));
    site.run(&["account", "mallory", "--store", "store", "--key", "key"]).refused(&["an account of the store"]);
    let page = site.run(&["account", "bob", "--store", "store", "--key", "key", "--format", "json"]).ok().json();
    assert_eq!(page["requests"], json!(1));
    let report = site.audit(&["2.jsonl"]).ok().json();
    assert_eq!(report["store"]["exchanges"], json!(others_count()));
    assert_eq!(report["nights"].as_array().map(Vec::len), Some(3));

    // The same log brings nothing back; another with the same rows does, and its texts are new.
    let [read, kept, known, _] = site.counts(&["1.jsonl"]);
    assert_eq!((read, kept, known), (7, 0, 7));
    none_left(&site.path("store"), &all[..all.len() - 2]);
    site.write("again.jsonl", format!("{}\n", lines(&secret_rows())));
    assert_eq!(site.counts(&["again.jsonl"]), [7, 7, 0, 0]);
    let members = site.members("store");
    assert_eq!(
        members.of("lead-1", "near-duplicate"),
        Some(leading.as_str()),
        "a newcomer joins the family of that name"
    );
    site.run(&["store", "verify", "--store", "store"]).ok();
    assert_eq!(forget(&site, &["--account", "mallory"]).ok().json()["exchanges"], json!(7));
    none_left(&site.path("store"), &all);
}

fn others_count() -> usize {
    others().iter().map(Vec::len).sum()
}

/// (accounts, exchanges) of each family of the list.
fn families(site: &Site) -> BTreeMap<String, (u64, u64)> {
    let list =
        site.run(&["family", "list", "--most", "999", "--trivial", "--store", "store", "--format", "json"]).ok().json();
    let size = |f: &Value| (f["accounts"].as_u64().expect("a count"), f["requests"].as_u64().expect("a count"));
    list["families"]
        .as_array()
        .expect("families")
        .iter()
        .map(|f| (f["id"].as_str().expect("a name").to_owned(), size(f)))
        .collect()
}

#[test]
fn what_came_before_a_day_is_forgotten() {
    let site = Site::new();
    three_nights(&site);
    let needles = needles(&key(&site));
    let nothing = site.run(&["store", "forget", "--store", "store", "--before", "2020-01-01T00:00:00Z"]).ok();
    assert_eq!(nothing.out, "nothing to forget\n");
    // Mallory's seven stand at the first seven minutes, with the first seven of the last night's campaign.
    let told = forget(&site, &["--before", "2026-11-20T08:06:30Z"]).ok().json();
    assert_eq!(told["exchanges"], json!(14));
    none_left(&site.path("store"), &needles[..needles.len() - 3]);
    site.run(&["store", "verify", "--store", "store"]).ok();
    let gone: Vec<&Value> =
        told["families"].as_array().expect("families").iter().filter(|f| f["gone"] == true).collect();
    let list = families(&site);
    assert!(gone.iter().all(|f| !list.contains_key(f["family_id"].as_str().expect("a name"))));
    // All of it, and then a new start in the same store.
    forget(&site, &["--before", "2030-01-01T00:00:00Z"]).ok();
    assert!(families(&site).is_empty() && site.export("store").lines().count() == 1);
    site.run(&["similar", SECRET, "--store", "store"]).ok();
    site.log("new.jsonl", &campaign("again", 8));
    assert_eq!(site.counts(&["new.jsonl"]), [8, 8, 0, 0]);
    assert_eq!(families(&site).values().map(|f| f.1).max(), Some(8));
    site.run(&["store", "verify", "--store", "store"]).ok();
}

#[test]
fn forgetting_nobody_is_an_error_and_the_text_form_names_families() {
    let site = Site::new();
    three_nights(&site);
    let files = super::digests(&site.path("store/nights"));
    for account in ["nobody", "a0123456789abcdef01234567"] {
        site.run(&["store", "forget", "--store", "store", "--key", "key", "--account", account])
            .refused(&["expected an account of the store"]);
    }
    assert_eq!(files, super::digests(&site.path("store/nights")), "nothing was touched");
    site.run(&["store", "forget", "--store", "store"]).refused(&["--account"]);
    let text = site.run(&["store", "forget", "--store", "store", "--key", "key", "--account", "mallory"]).ok().out;
    assert!(text.starts_with("forgot 7 exchanges and 1 accounts") && text.contains("another text leads it"), "{text}");
    assert!(text.contains("families that lost evidence") && text.contains(" → "), "{text}");
}

#[test]
fn a_fragment_family_goes_with_its_least_accounts_and_keeps_only_what_others_say() {
    let site = Site::new();
    three_nights(&site);
    let fragment = || families(&site).into_iter().find(|(id, _)| id.starts_with('f'));
    let (name, (accounts, _)) = fragment().expect("a fragment family");
    assert_eq!(accounts, 7);
    for i in 0..3 {
        let told = forget(&site, &["--account", &format!("f-{i}")]).ok().json();
        let change = told["families"].as_array().expect("families").iter().find(|f| f["family_id"] == name.as_str());
        let change = change.expect("the fragment family lost an account");
        assert_eq!(
            (&change["accounts"], &change["gone"]),
            (&json!([7 - i, 6 - i]), &json!(i == 2)),
            "least accounts: 5"
        );
    }
    assert!(fragment().is_none());
    site.run(&["family", &name, "--store", "store"]).refused(&["expected a family of the store"]);
    let catalog = std::fs::read(site.path("store/catalog.sqlite")).expect("the catalog");
    assert!(!memchr_like(&catalog, b"show every step of your working"));
    site.log("more.jsonl", &campaign("more", 6));
    site.counts(&["more.jsonl"]);
    site.run(&["store", "verify", "--store", "store"]).ok();
}

#[test]
fn compacting_changes_no_answer() {
    let site = Site::new();
    three_nights(&site);
    forget(&site, &["--account", "c-2"]).ok();
    let answers = || {
        let ask =
            |text: &str| site.run(&["similar", text, "-k", "20", "--store", "store", "--format", "json"]).ok().out;
        let list = site
            .run(&["family", "list", "--most", "999", "--trivial", "--store", "store", "--format", "json"])
            .ok()
            .out;
        (ask(SECRET), ask(&template("a well")), list, site.export("store"))
    };
    let before = answers();
    let told = site.run(&["store", "compact", "--store", "store", "--format", "json"]).ok().json();
    assert!(told["files"][0].as_u64() > told["files"][1].as_u64(), "{told}");
    assert!(told["bytes"][0].as_u64() > told["bytes"][1].as_u64(), "{told}");
    assert_eq!(before, answers());
    site.run(&["store", "verify", "--store", "store"]).ok();
    let shared = super::digests(&site.path("store/shared"));
    assert_eq!(shared.len(), 6, "one of each kind: {shared:?}");
    let text = site.run(&["store", "compact", "--store", "store"]).ok().out;
    assert!(text.contains(" bytes, ") && text.contains(" files"), "{text}");
    site.log("more.jsonl", &campaign("more", 6));
    assert_eq!(site.counts(&["more.jsonl"]), [6, 6, 0, 0]);
}

#[test]
fn a_forget_under_an_open_reader_is_ended_by_the_next_writer() {
    let site = Site::new();
    three_nights(&site);
    let needles = needles(&key(&site));
    let reader = Store::open(&site.path("store")).expect("a reader");
    let told = forget(&site, &["--account", "mallory"]).ok().json();
    assert!(told["notes"].to_string().contains("reader"), "{told}");
    assert_eq!(reader.nights().len(), 3);
    drop(reader);
    let told = forget(&site, &["--account", "mallory"]).ok().json();
    assert_eq!(told["exchanges"], json!(0), "what was forgotten is forgotten; the rest of the work is done");
    none_left(&site.path("store"), &needles);
    forget(&site, &["--account", "mallory"]).refused(&["expected an account of the store"]);
}

// What follows plays any order of jobs, killed at any stage, against a plain list of what the store should hold.

const LOGS: usize = 6;

/// A small world of exchanges that logs overlap in: a template, a text that several send, a fragment, texts of their own.
fn world() -> Vec<Value> {
    let things = ["a train", "two pipes", "three friends", "a rectangle", "an urn", "a clock", "a ladder", "a ferry"];
    let words = ["osprey", "anvil", "quartz", "lantern", "meadow", "cobalt", "harbour", "saffron"];
    (0..32usize)
        .map(|i| {
            let own = format!("{}{i} {}{i}", words[i % 8], words[(i / 8 + 3) % 8]);
            let prompt = match i % 4 {
                0 => template(&format!("{} {own}", things[i / 4])),
                1 => format!("The same question that several of us ask here, variant {}, thank you.", i / 8),
                2 => format!("Everything about {own}: history, trade and songs. {FRAGMENT} Signed by {own}."),
                _ => format!("A text of its own that nobody resembles: {own} over {own}, then nothing but {own}."),
            };
            let mut row =
                row(&format!("world-exchange-{i}-id"), &format!("world-account-{}", i % 7), i as u64, &prompt);
            row["response"] = json!(format!("The answer to {own} is long."));
            if i % 3 == 0 {
                row["system"] = json!(format!("You serve tenant number {} politely.", i / 6));
            }
            row
        })
        .collect()
}

fn log_rows(log: usize) -> Vec<Value> {
    world().into_iter().enumerate().filter(|(i, _)| (i * 5 + log * 3) % 7 < 3).map(|(_, row)| row).collect()
}

#[derive(Clone, Copy, Debug)]
enum Job {
    Audit(usize),
    Account(usize),
    Before(u64),
    Compact,
}

/// Copies the store when a stage begins: what a kill at that moment leaves.
struct Camera<'a> {
    store: &'a Path,
    image: PathBuf,
    /// Stages to go until the copy.
    left: Mutex<Option<usize>>,
    taken_at: Mutex<Option<String>>,
}

impl Progress for Camera<'_> {
    fn stage(&self, name: &str, _: Option<u64>) {
        let mut left = self.left.lock().expect("unpoisoned");
        match *left {
            Some(0) => {
                copy(self.store, &self.image);
                *self.taken_at.lock().expect("unpoisoned") = Some(name.to_owned());
                *left = None;
            }
            Some(n) => *left = Some(n - 1),
            None => {}
        }
    }
    fn advance(&self, _: u64, _: u64) {}
    fn note(&self, _: &str) {}
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else if !path.to_string_lossy().ends_with("-shm") {
            std::fs::copy(&path, &target).expect("copied");
        }
    }
}

struct Play {
    dir: tempfile::TempDir,
    key: AccountKey,
    /// Exchanges that the store should hold, by id.
    truth: BTreeMap<String, Value>,
    read: BTreeSet<usize>,
    /// The name that each text's exact family had once.
    names: BTreeMap<String, String>,
}

impl Play {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let key = AccountKey::create(&dir.path().join("key")).expect("a key");
        for log in 0..LOGS {
            std::fs::write(dir.path().join(format!("{log}.jsonl")), lines(&log_rows(log))).expect("a log");
        }
        Self { dir, key, truth: BTreeMap::new(), read: BTreeSet::new(), names: BTreeMap::new() }
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn account(&self, n: usize) -> AccountId {
        AccountId::derive(self.key.bytes(), &format!("world-account-{n}"))
    }

    fn time(n: u64) -> Time {
        Time::new((1_795_161_600 + 60 * n as i64) * 1_000_000).expect("a time")
    }

    /// Does a job; a kill at stage `killed` leaves the store as it was then. Returns the families before and after.
    fn play(&mut self, job: Job, killed: Option<usize>) {
        let store = self.store();
        if !matches!(job, Job::Audit(_)) && !store.join("catalog.sqlite").is_file() {
            return;
        }
        let before = store.join("catalog.sqlite").is_file().then(|| self.export());
        let image = self.dir.path().join("image");
        let camera = Camera { store: &store, image, left: Mutex::new(killed), taken_at: Mutex::new(None) };
        let config = AuditConfig::default();
        match job {
            Job::Audit(log) => {
                let input = [Input::File(self.dir.path().join(format!("{log}.jsonl")))];
                let quarantine = self.dir.path().join("quarantine.jsonl");
                audit::audit(&input, &store, &quarantine, &self.key, &MODEL, &config, &camera).expect("audited");
            }
            Job::Account(n) => {
                let name = format!("world-account-{n}");
                let there = self.truth.values().any(|row| row["account"] == name.as_str());
                let done = audit::forget(&store, &Forget::Account(self.account(n)), "a test", &camera);
                assert!(done.is_ok() || !there, "{done:?}");
            }
            Job::Before(n) => {
                audit::forget(&store, &Forget::Before(Self::time(n)), "a test", &camera).expect("forgotten");
            }
            Job::Compact => {
                audit::compact(&store, "a test", &camera).expect("compacted");
            }
        }
        let taken_at = camera.taken_at.lock().expect("unpoisoned").clone();
        if taken_at.is_some() {
            std::fs::remove_dir_all(&store).expect("removed");
            std::fs::rename(&camera.image, &store).expect("renamed");
        }
        // A commit is behind these stages, and before the others.
        if taken_at.as_deref().is_none_or(|stage| ["remove", "families"].contains(&stage)) {
            self.apply(job);
        }
        if taken_at.is_some() {
            // The next writer ends what was begun.
            audit::forget(&store, &Forget::Before(Self::time(0)), "a test", &Silent).expect("nothing to forget");
        }
        if let Some(before) = before {
            let after = self.export();
            if matches!(job, Job::Compact) {
                assert_eq!(before, after);
            } else if !matches!(job, Job::Audit(_)) {
                let (before, after) = (Members::parse(&before), Members::parse(&after));
                for (member, (family, ..)) in &after.0 {
                    let was = before.0.get(member).map(|(family, ..)| family);
                    assert_eq!(was, Some(family), "{member:?} keeps its family");
                }
                assert!(after.1.is_subset(&before.1), "fragments keep their names");
            }
        }
        self.check();
    }

    fn apply(&mut self, job: Job) {
        match job {
            Job::Audit(log) => {
                if self.read.insert(log) {
                    for row in log_rows(log) {
                        self.truth.insert(row["id"].as_str().expect("an id").to_owned(), row);
                    }
                }
            }
            Job::Account(n) => self.truth.retain(|_, row| row["account"] != format!("world-account-{n}").as_str()),
            Job::Before(n) => self.truth.retain(|_, row| row["time"].as_u64() >= Some(1_795_161_600 + 60 * n)),
            Job::Compact => {}
        }
    }

    fn export(&self) -> String {
        let mut out = Vec::new();
        audit::export_members(&self.store(), &[Level::Exact, Level::NearDuplicate, Level::Fragment], &mut out)
            .expect("an export");
        String::from_utf8(out).expect("text")
    }

    fn check(&mut self) {
        let root = self.store();
        if !root.join("catalog.sqlite").is_file() {
            assert!(self.truth.is_empty());
            return;
        }
        let store = Store::open(&root).expect("a store");
        store.verify().expect("whole");
        self.check_numbers(&store);
        // The exchanges are those of the list, each with its own text.
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for file in store.of_kind("rows") {
            let columns = ["exchange_id", "prompt_text"];
            for batch in stillhunt::store::tables::read(&store.path(file), &columns, None).expect("a table") {
                let batch = batch.expect("a batch");
                let (ids, texts) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
                for (id, text) in ids.iter().zip(texts) {
                    let before = found.insert(id.expect("an id").to_owned(), text.expect("a text").to_owned());
                    assert!(before.is_none(), "{id:?} stands twice");
                }
            }
        }
        let expected: BTreeMap<String, String> = self
            .truth
            .iter()
            .map(|(id, row)| (id.clone(), row["prompt"].as_str().expect("a text").to_owned()))
            .collect();
        assert_eq!(found, expected);
        let members = Members::parse(&self.export());
        for ((id, level), (family, ..)) in &members.0 {
            let text = expected.get(id).unwrap_or_else(|| panic!("{id} is exported and not there"));
            if level == "exact" {
                let name = self.names.entry(text.clone()).or_insert_with(|| family.clone());
                assert_eq!(name, family, "an exact family keeps its name");
            }
        }
        // Nothing is left of what the list has not.
        let texts: BTreeSet<&str> = expected.values().map(String::as_str).collect();
        let mut needles: Vec<(String, Vec<u8>)> = Vec::new();
        for row in world().iter().filter(|row| !self.truth.contains_key(row["id"].as_str().expect("an id"))) {
            let (id, prompt) = (row["id"].as_str().expect("an id"), row["prompt"].as_str().expect("a text"));
            needles.push((id.to_owned(), id.as_bytes().to_vec()));
            needles.push((format!("key of {id}"), Digest::of(id.as_bytes()).short().to_le_bytes().to_vec()));
            let response = row["response"].as_str().expect("a text");
            needles.push((response.to_owned(), response.as_bytes().to_vec()));
            if !texts.contains(prompt) {
                needles.extend(of_text(prompt, Some(&Printer::new(&self.key.naming_key()))).into_iter().filter(
                    |(name, _)| {
                        // Its first fingerprint may be of words that others have too.
                        !name.starts_with("fingerprint")
                    },
                ));
            }
        }
        for n in
            (0..7).filter(|n| !self.truth.values().any(|row| row["account"] == format!("world-account-{n}").as_str()))
        {
            let pseudonym = self.account(n).to_string();
            needles.push((format!("pseudonym of account {n}"), pseudonym.into_bytes()));
        }
        none_left(&root, &needles);
    }

    /// Numbers are dense, and what a posting speaks of exists.
    fn check_numbers(&self, store: &Store) {
        let map = |file: &Named| store.map(file).expect("a file");
        let (mut first_prompt, mut first_account) = (0, 0);
        for night in store.nights() {
            assert_eq!((night.first_prompt, night.first_account), (first_prompt, first_account));
            (first_prompt, first_account) = (first_prompt + night.prompts, first_account + night.accounts);
        }
        let mut texts: Vec<String> = Vec::new();
        for (night, file) in store.nights().iter().zip(store.of_kind("texts")) {
            let of_night = Texts::open(map(file)).expect("texts");
            assert_eq!(of_night.len(), night.prompts as usize);
            texts.extend((0..of_night.len()).map(|i| of_night.get(i).0.to_owned()));
        }
        let mut sent = vec![false; texts.len()];
        for ((night, file), rows) in store.nights().iter().zip(store.of_kind("postings")).zip(store.of_kind("rows")) {
            let postings = Postings::open(map(file)).expect("postings");
            assert_eq!(postings.all().len() as u64, night.exchanges);
            let mut numbers: Vec<u32> = Vec::new();
            for batch in stillhunt::store::tables::read(&store.path(rows), &["prompt"], None).expect("a table") {
                numbers.extend(batch.expect("a batch").column(0).as_primitive::<UInt32Type>().values());
            }
            for posting in postings.all() {
                assert_eq!(numbers[posting.row as usize], posting.prompt);
                assert!(!texts[posting.prompt as usize].is_empty() && posting.account < first_account);
                sent[posting.prompt as usize] = true;
            }
        }
        for (text, sent) in texts.iter().zip(sent) {
            assert_eq!(text.is_empty(), !sent, "an empty place is one that nobody sends: {text:?}");
        }
    }
}

fn job() -> impl Strategy<Value = (Job, Option<usize>)> {
    let job = prop_oneof![
        4 => (0..LOGS).prop_map(Job::Audit),
        3 => (0..7usize).prop_map(Job::Account),
        1 => (0..34u64).prop_map(Job::Before),
        1 => Just(Job::Compact),
    ];
    (job, proptest::option::weighted(0.3, 0..6usize))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_jobs_and_kills_keeps_the_store_whole(jobs in proptest::collection::vec(job(), 1..9), first in 0..LOGS) {
        let mut play = Play::new();
        play.play(Job::Audit(first), None);
        for (job, killed) in jobs {
            play.play(job, killed);
        }
        // At the end everything goes.
        play.play(Job::Before(40), None);
    }
}

#[test]
fn the_counts_of_a_report_are_of_what_is_left() {
    let site = Site::new();
    three_nights(&site);
    forget(&site, &["--account", "mallory"]).ok();
    let report = site.audit(&["1.jsonl"]).ok().json();
    assert_eq!(counts(&report)[1], 0);
    let accounts: BTreeSet<String> =
        others().concat().iter().map(|row| row["account"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(report["store"]["accounts"], json!(accounts.len()));
    let texts: BTreeSet<String> =
        others().concat().iter().map(|row| text::fold(row["prompt"].as_str().expect("a text")).text).collect();
    assert_eq!(report["store"]["distinct_prompts"], json!(texts.len()));
    assert_eq!(report["store"]["without_vector"], json!(0));
}
