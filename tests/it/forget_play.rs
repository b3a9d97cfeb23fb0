//! Any order of jobs, killed at any stage, against a plain list of what the store should hold.
//!
//! A kill is a copy of the store's directory at the moment when a stage begins: what a machine that stops then leaves, but for
//! what its disk had not written yet. Weakness: a handful of plays, for each check reads every byte of the store.

use super::forget::{MODEL, none_left, of_text, template};
use super::fragments::TRACE;
use super::{Members, lines, row};
use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt32Type;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use stillhunt::ids::{AccountId, Digest, Level, Time};
use stillhunt::store::input::Input;
use stillhunt::store::key::AccountKey;
use stillhunt::store::postings::Postings;
use stillhunt::store::texts::Texts;
use stillhunt::store::{Named, Store};
use stillhunt::stored::{AuditConfig, Progress, Silent};
use stillhunt::text::winnow::Printer;
use stillhunt::upkeep::Forget;
use stillhunt::{audit, lookup, upkeep};

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
                2 => format!("Everything about {own}: history, trade and songs. {TRACE} Signed by {own}."),
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
                let done = upkeep::forget(&store, &Forget::Account(self.account(n)), "a test", &camera);
                assert!(done.is_ok() || !there, "{done:?}");
            }
            Job::Before(n) => {
                upkeep::forget(&store, &Forget::Before(Self::time(n)), "a test", &camera).expect("forgotten");
            }
            Job::Compact => {
                upkeep::compact(&store, "a test", &camera).expect("compacted");
            }
        }
        let taken_at = camera.taken_at.lock().expect("unpoisoned").clone();
        if taken_at.is_some() {
            std::fs::remove_dir_all(&store).expect("removed");
            std::fs::rename(&camera.image, &store).expect("renamed");
        }
        // What takes something out has committed before these stages; an audit commits after its last.
        let committed = |stage: &str| !matches!(job, Job::Audit(_)) && ["remove", "families"].contains(&stage);
        if taken_at.as_deref().is_none_or(committed) {
            self.apply(job);
        }
        if taken_at.is_some() {
            // The next writer ends what was begun.
            upkeep::forget(&store, &Forget::Before(Self::time(0)), "a test", &Silent).expect("nothing to forget");
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
        let store = Store::open(&self.store()).expect("a store");
        lookup::export_members(&store, &[Level::Exact, Level::NearDuplicate, Level::Fragment], &mut out)
            .expect("an export");
        String::from_utf8(out).expect("text")
    }

    fn check(&mut self) {
        let root = self.store();
        if !root.join("catalog.sqlite").is_file() {
            assert!(self.truth.is_empty());
            return;
        }
        let store = stillhunt::store::verify::verify(&root).and_then(|verified| verified.whole()).expect("whole");
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
