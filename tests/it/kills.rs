//! `kill -9` at seeded moments of many nights, two readers running all the while.
//!
//! What was acknowledged (the audit printed its result and ended well) is in the next export; a night is there whole or not at
//! all, for the readers too; a commit that was cut while it was synced may show late, but never once a writer has begun and swept
//! its files; the next writer sweeps what was left and says so. Half the kills come at any moment of a night, the
//! others right after a chosen file appears. Weakness: a killed process leaves what it wrote in the machine's memory, so this
//! shows the order of a commit, not that the disk has it; `fsync` is before the acknowledgement by the code of `Writer::commit`.

use super::{Site, row};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use stillhunt::store::Store;

/// Rounds: a tenth of what the record shows, or as many as `STILLHUNT_KILL_ROUNDS` says.
fn n_rounds() -> u32 {
    std::env::var("STILLHUNT_KILL_ROUNDS").map_or(20, |n| n.parse().expect("a number"))
}

/// Requests of a round.
const ROWS: u64 = 12;

/// Every text comes from two accounts, so that every request is in an export of members.
fn log(site: &Site, round: u32) -> String {
    let name = format!("logs/{round}.jsonl");
    let rows: Vec<_> = (0..ROWS)
        .map(|i| {
            let text = format!("In round {round} of the quiz, explain step by step the answer to question {}.", i / 2);
            row(&format!("r{round}-{i}"), &format!("account-{round}-{i}"), u64::from(round), &text)
        })
        .collect();
    site.log(&name, &rows);
    name
}

/// Rounds that an export holds, each whole.
#[track_caller]
fn rounds_of(export: &str) -> BTreeSet<u32> {
    let mut ids: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for line in export.lines().skip(1) {
        let id = line.split(',').next().expect("an id");
        let round = id.trim_start_matches('r').split('-').next().and_then(|n| n.parse().ok()).expect("a round");
        ids.entry(round).or_default().insert(id);
    }
    for (round, ids) in &ids {
        assert_eq!(ids.len() as u64, ROWS, "half of round {round} is in an export");
    }
    ids.into_keys().collect()
}

/// What no commit names and no merge has replaced: what a killed writer left.
fn left_in(store: &Path) -> Vec<String> {
    let opened = Store::open(store).expect("a store");
    let list = |below: &str| {
        let entries = std::fs::read_dir(store.join(below)).expect("a directory");
        let mut names: Vec<String> =
            entries.map(|e| format!("{below}/{}", e.expect("an entry").file_name().to_string_lossy())).collect();
        names.sort();
        names
    };
    let replaced = opened.catalog().meta("replaced").expect("a catalog").unwrap_or_default();
    let is_named = |name: &String| {
        opened.files().iter().any(|f| f.name == *name) || replaced.lines().any(|replaced| replaced == name)
    };
    let (begun, nights): (Vec<String>, Vec<String>) =
        list("nights").into_iter().partition(|n| !opened.files().iter().any(|f| f.name.starts_with(&format!("{n}/"))));
    let files = nights.iter().flat_map(|night| list(night)).chain(list("shared"));
    begun.into_iter().chain(files.filter(|name| !is_named(name))).collect()
}

/// How the next writer will tell it: files, bytes, and three names.
fn told(store: &Path, left: &[String]) -> String {
    let files = |name: &String| -> Vec<u64> {
        let path = store.join(name);
        let size = |path: &Path| path.metadata().expect("a file").len();
        match std::fs::read_dir(&path) {
            Ok(inside) => inside.map(|entry| size(&entry.expect("an entry").path())).collect(),
            Err(_) => vec![size(&path)],
        }
    };
    let sizes: Vec<u64> = left.iter().flat_map(files).collect();
    let more = if left.len() > 3 { format!(" and {} more", left.len() - 3) } else { String::new() };
    let names = left[..left.len().min(3)].join(", ");
    format!("swept {} files ({} bytes) that no commit names: {names}{more}", sizes.len(), sizes.iter().sum::<u64>())
}

/// How far a killed writer had come.
fn came(store: &Path, acknowledged: bool, committed: bool, night: u64) -> &'static str {
    let dir = store.join(format!("nights/{night:06}"));
    let has = |name: &str| dir.join(name).exists();
    match (acknowledged, committed) {
        (true, _) => "after the acknowledgement",
        (_, true) if has("uses.bin") => "behind the night's second commit, or in it",
        (_, true) => "between the night's two commits",
        _ if store.join(format!("shared/whole-{night:06}.index")).exists() && has("members.bin") => {
            "fragments, or the commit itself"
        }
        _ if has("assigned.parquet") => "families and index",
        _ if has("postings.bin") => "between reading and families",
        _ if has("rows.parquet") => "reading",
        _ => "before the night began",
    }
}

#[test]
fn killed_nights_are_whole_or_not_there() {
    let site = Site::new();
    let store = site.path("store");
    let began = Instant::now();
    site.audit(&[&log(&site, 0)]).ok();
    let mut whole = began.elapsed();
    let n = n_rounds();
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(n));
    // Rounds in the order of their commits.
    let mut committed = vec![0u32];
    let mut places: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut swept, mut tellers, mut in_doubt, mut seen) = (0, 0, 0, Vec::new());
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    std::thread::scope(|scope| {
        // A test that fails must stop its readers, or it never ends.
        let _stop = Stop(&stop);
        let readers = [
            scope.spawn(|| read(&site, &stop, &["export", "members"])),
            scope.spawn(|| read(&site, &stop, &["store", "verify"])),
        ];
        let (mut left, mut expected): (Vec<String>, String) = Default::default();
        for round in 1..=n {
            let name = log(&site, round);
            let night = committed.len() as u64 + 1;
            let mut child = site
                .command(&Site::audit_args("store", &[&name]))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts");
            let spawned = Instant::now();
            if round.is_multiple_of(2) {
                std::thread::sleep(whole.mul_f64(rng.random_range(0.0..1.2)));
            } else {
                let file = [
                    format!("nights/{night:06}/rows.parquet"),
                    format!("nights/{night:06}/postings.bin"),
                    format!("nights/{night:06}/assigned.parquet"),
                    format!("nights/{night:06}/members.bin"),
                    format!("nights/{night:06}/families-by-number.bin"),
                    format!("nights/{night:06}/uses.bin"),
                    format!("shared/whole-{night:06}.index"),
                ];
                let file = store.join(&file[rng.random_range(0..file.len())]);
                while !file.exists() && spawned.elapsed() < 4 * whole {
                    std::thread::sleep(Duration::from_micros(500));
                }
                std::thread::sleep(whole.mul_f64(rng.random_range(0.0..0.2)));
            }
            child.kill().expect("killed");
            let output = child.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("panicked"), "round {round}: {said}");
            let acknowledged = output.status.success() && !output.stdout.is_empty();
            // A machine that is busy with other things is waited for: else no night would ever end.
            if acknowledged {
                whole = (whole + spawned.elapsed()) / 2;
            } else if spawned.elapsed() > whole {
                whole = spawned.elapsed().mul_f64(1.3);
            }
            let held = rounds_of(&site.export("store"));
            let known: BTreeSet<u32> = committed.iter().copied().collect();
            let newer: Vec<u32> = held.difference(&known).copied().collect();
            // A commit that was cut while it was synced is in doubt until the next writer decides: it may show a round late.
            let late = newer.iter().filter(|&&other| other != round).count();
            let last = *committed.last().expect("the first");
            assert!(
                held.is_superset(&known) && late <= 1 && newer.iter().all(|&r| r > last),
                "round {round}: {held:?}, {known:?}"
            );
            committed.extend(&newer);
            in_doubt += late;
            if let Some(line) = said.lines().find(|line| line.contains("that no commit names: ")) {
                let first = line.split("no commit names: ").nth(1).and_then(|names| names.split([',', ' ']).next());
                let all = line.ends_with(&expected);
                assert!(all || late == 1 && left.iter().any(|l| Some(l.as_str()) == first), "{line} of {left:?}");
                (swept, tellers) = (swept + left.len(), tellers + 1);
            }
            assert!(!acknowledged || held.contains(&round), "round {round} was acknowledged and is lost");
            site.run(&["store", "verify", "--store", "store"]).ok();
            *places.entry(came(&store, acknowledged, held.contains(&round), night)).or_default() += 1;
            left = left_in(&store);
            expected = told(&store, &left);
            // Now and then a calm writer comes, which says everything that was left.
            if round.is_multiple_of(4) && !left.is_empty() {
                let calm = site.audit(&["logs/0.jsonl"]).ok();
                let held = rounds_of(&site.export("store"));
                let newer = held.difference(&committed.iter().copied().collect()).copied().collect::<Vec<u32>>();
                assert!(newer.len() <= 1, "{newer:?}");
                if newer.is_empty() {
                    assert!(calm.err.contains(&expected), "expected {expected} in {}", calm.err);
                }
                in_doubt += newer.len();
                committed.extend(newer);
                (swept, tellers) = (swept + left.len(), tellers + 1);
                left = left_in(&store);
                assert!(left.is_empty(), "{left:?}");
            }
        }
        stop.store(true, Ordering::Release);
        for reader in readers {
            seen.push(reader.join().expect("a reader"));
        }
    });
    // Every export that a reader saw is that of a commit.
    let commits: Vec<BTreeSet<u32>> = (1..=committed.len()).map(|k| committed[..k].iter().copied().collect()).collect();
    for export in &seen[0] {
        let held = rounds_of(export);
        assert!(commits.contains(&held), "a reader saw the rounds {held:?}, which no commit had");
    }
    println!(
        "{n} rounds in {:.1?}, {} committed, {in_doubt} of them seen late; killed {places:?}; {swept} unnamed files and nights swept by {tellers} writers; readers \
         asked {} and {} times",
        started.elapsed(),
        committed.len() - 1,
        seen[0].len(),
        seen[1].len()
    );
    let cut: u32 = places.iter().filter(|(place, _)| !place.starts_with("after")).map(|(_, n)| n).sum();
    assert!(cut * 3 >= n, "{cut} of {n} were cut: {places:?}");
    assert!(seen.iter().all(|answers| answers.len() > 1));
    // The store goes on as if nothing had been.
    for round in 1..=n {
        site.audit(&[&format!("logs/{round}.jsonl")]).ok();
    }
    assert_eq!(rounds_of(&site.export("store")), (0..=n).collect());
    site.run(&["store", "verify", "--store", "store"]).ok();
}

/// Asks again and again until it is told to stop; every answer must be one.
fn read(site: &Site, stop: &AtomicBool, command: &[&str]) -> Vec<String> {
    let mut answers = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let answer = site.run(&[command, &["--store", "store"]].concat()).ok().out;
        if answers.last() != Some(&answer) {
            answers.push(answer);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    answers
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
