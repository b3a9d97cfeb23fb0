//! Forgetting: after it no byte of what only the forgotten exchanges held is in the store, and all else is as it was.
//!
//! The search is of every file's bytes, and of every cell of the Parquet tables, since those are compressed. Each needle is
//! found before it is looked for in vain. Weakness: blocks that the file system has freed are not looked at.

use super::fragments::{TRACE, carriers};
use super::{Members, Site, campaign, counts, lines, row};
use arrow_array::cast::AsArray as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;
use stillhunt::embed::Model;
use stillhunt::ids::{AccountId, Digest};
use stillhunt::store::Store;
use stillhunt::store::key::AccountKey;
use stillhunt::text;
use stillhunt::text::winnow::Printer;

pub(super) static MODEL: LazyLock<Model> = LazyLock::new(|| {
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
pub(super) fn of_text(raw: &str, printer: Option<&Printer>) -> Vec<(String, Vec<u8>)> {
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
        row(
            "fragment-1",
            "mallory",
            6,
            &format!(
                "Peregrine rings and jesses, please: hood, lure, block, bath and scales for two eyasses. {TRACE} Mind the bells."
            ),
        ),
    ]
}

pub(super) fn template(what: &str) -> String {
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
    first.extend(carriers("f", TRACE, 0..6));
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
pub(super) fn none_left(store: &Path, needles: &[(String, Vec<u8>)]) {
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
    // The folded form of a text of ASCII is not stored, so that it may be found nowhere.
    for (name, needle) in needles.iter().filter(|(name, _)| !name.starts_with("folded") || name.contains("请")) {
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
    // Mallory sent seven in the first seven minutes, when seven of the last night and the six with the fragment came, too.
    let told = forget(&site, &["--before", "2026-11-20T08:06:30Z"]).ok().json();
    assert_eq!(told["exchanges"], json!(20));
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
        let told = forget(&site, &["--account", &format!("f-account-{i}")]).ok().json();
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
    assert_eq!(shared.len(), 9, "one of each kind, three of rings among them: {shared:?}");
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
