//! Backups: a copy of one commit, whole or not there, also while nights are being written.

use super::{Site, campaign, digests, row};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

fn stats(site: &Site, store: &str) -> (u64, u64) {
    let stats = site.run(&["store", "stats", "--store", store, "--format", "json"]).ok().json();
    (stats["nights"].as_u64().expect("nights"), stats["exchanges"].as_u64().expect("exchanges"))
}

#[test]
fn a_backup_is_the_store_and_takes_another_night() {
    let site = Site::new();
    site.log("one.jsonl", &campaign("c", 8));
    site.log("two.jsonl", &campaign("d", 8));
    site.audit(&["one.jsonl"]).ok();
    let copied = site.run(&["store", "backup", "copies/monday", "--store", "store"]).ok();
    assert!(copied.out.starts_with("copied: 1 nights, "), "{}", copied.out);
    let (store, copy) = (digests(&site.path("store")), digests(&site.path("copies/monday")));
    site.run(&["store", "verify", "--store", "copies/monday"]).ok();
    assert_eq!(site.export("copies/monday"), site.export("store"));
    for (name, digest) in &store {
        let same = name.starts_with("nights/") || name.starts_with("shared/");
        assert!(!same || copy.get(name) == Some(digest), "{name}");
    }
    assert!(copy.keys().all(|name| name.contains('/') || name == "catalog.sqlite"), "{copy:?}");
    for (name, mode) in
        [("", 0o700), ("/catalog.sqlite", 0o600), ("/nights/000001", 0o700), ("/nights/000001/rows.parquet", 0o600)]
    {
        let found = std::fs::metadata(site.path(&format!("copies/monday{name}"))).expect("there").permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
    for store in ["store", "copies/monday"] {
        site.run(&Site::audit_args(store, &["two.jsonl"])).ok();
        assert_eq!(stats(&site, store), (2, 16));
    }
    assert_eq!(site.export("copies/monday"), site.export("store"));
}

#[test]
fn what_cannot_be_a_backup_is_refused_and_leaves_nothing() {
    let site = Site::new();
    site.log("one.jsonl", &campaign("c", 4));
    site.audit(&["one.jsonl"]).ok();
    let backup = |to: &str| site.run(&["store", "backup", to, "--store", "store"]);
    std::fs::create_dir(site.path("there")).expect("made");
    backup("there").refused(&["expected a new directory for the backup, found something at there"]);
    backup("store/inside").refused(&["expected a directory outside the store"]);
    site.run(&["store", "backup", "b", "--store", "nowhere"]).refused(&["expected a store at nowhere"]);
    std::fs::create_dir(site.path("b.partial")).expect("made");
    backup("b").refused(&["cannot make the directory b.partial", "hint: another backup is running, or was killed"]);
    std::fs::remove_dir(site.path("b.partial")).expect("removed");
    let path = site.path("store/nights/000001/texts.bin");
    let bytes = std::fs::read(&path).expect("a file");
    let mut spoiled = bytes.clone();
    spoiled[20] ^= 1;
    std::fs::write(&path, spoiled).expect("written");
    backup("b").refused(&["nights/000001/texts.bin is not as it was written", "hint: restore it"]);
    std::fs::remove_file(&path).expect("removed");
    backup("b").refused(&["nights/000001/texts.bin is not as it was written: it is not there"]);
    std::fs::write(&path, bytes).expect("written");
    assert!(!site.path("b").exists() && !site.path("b.partial").exists(), "nothing is left");
    backup("b").ok();
}

/// Nights are committed in a loop, merges and their sweeps among them; every backup is one of the commits.
#[test]
fn a_backup_while_nights_are_written_is_one_commit() {
    const NIGHTS: u64 = 21;
    let site = Site::new();
    for night in 0..NIGHTS {
        let text = |i: u64| format!("Describe in three steps how machine {night} of workshop {} is oiled.", i / 2);
        let rows = (0..6).map(|i| row(&format!("n{night}-{i}"), &format!("a{}", i % 3), night * 10 + i, &text(i)));
        site.log(&format!("logs/{night}.jsonl"), &rows.collect::<Vec<_>>());
    }
    site.audit(&["logs/0.jsonl"]).ok();
    let ended = AtomicBool::new(false);
    let mut exports = vec![String::new(), site.export("store")];
    let taken = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut exports = Vec::new();
            for night in 1..NIGHTS {
                site.audit(&[&format!("logs/{night}.jsonl")]).ok();
                exports.push(site.export("store"));
            }
            ended.store(true, Ordering::Release);
            exports
        });
        let mut taken = 0;
        while !ended.load(Ordering::Acquire) {
            site.run(&["store", "backup", &format!("b{taken}"), "--store", "store"]).ok();
            taken += 1;
        }
        exports.extend(writer.join().expect("a writer"));
        taken
    });
    let mut seen = std::collections::BTreeSet::new();
    for i in 0..taken {
        let copy = format!("b{i}");
        site.run(&["store", "verify", "--store", &copy]).ok();
        let (nights, exchanges) = stats(&site, &copy);
        assert_eq!(exchanges, 6 * nights);
        assert_eq!(site.export(&copy), exports[nights as usize], "{copy} is night {nights}");
        seen.insert(nights);
    }
    println!("{taken} backups of {} different commits", seen.len());
    assert!(seen.len() > 2, "{seen:?}");
}
