//! A writer that fails or is killed inside the merge of each kind of file, in the first tier and in the second.
//!
//! Merges of a few rows are over in a moment, so no clock can aim at them. The place of the merged file is taken before the writer comes
//! to it: by a link to a device that is always full, or by a pipe that is full, in which the writer stands still until it is killed. Then
//! half of the file is put where the pipe was, which is what a kill in the midst of its writing leaves. Guarantee: a writer that fails
//! takes its files away; the next writer gives the same bytes and answers as one that nothing happened to. Weakness: where a process
//! has opened a pipe is read from `/proc`, so this is for Linux.
#![cfg(target_os = "linux")]

use super::fragments::{RANK, TRACE, chat, words};
use super::nights::wait_for;
use super::{Run, Site, digests};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use stillhunt::store::Store;

/// Kinds of files that nights merge, in the order in which a night comes to them; the standings from `facts` on.
const KINDS: [&str; 15] = [
    "ids",
    "prompts",
    "systems",
    "turns",
    "whole",
    "windows",
    "prompt-prints",
    "system-prints",
    "turn-prints",
    "members",
    "holders",
    "facts",
    "uses",
    "uses-by-account",
    "activity",
];
/// Of the first these are written behind the night's own commit.
const BEHIND: &[&str] = &["facts", "uses", "uses-by-account", "activity"];
/// Nights within which every kind is merged in two tiers. The audit's key decides which fingerprints are kept, so a new key moves the
/// night in which their files are large enough.
const NIGHTS: u64 = 40;
/// `O_NONBLOCK`.
const AT_ONCE: i32 = 0o4000;

/// The rows of a night: fragments in prompts and system prompts, earlier turns, a long prompt, a text of two accounts.
fn night(n: u64) -> String {
    let rng = &mut ChaCha8Rng::seed_from_u64(n);
    let mut rows = Vec::new();
    for i in 0..8 {
        let (system, turns) = (format!("{} {RANK}", words(rng, 12)), [words(rng, 30)]);
        let prompt = format!("{} {TRACE} {}", words(rng, 20), words(rng, if i == 0 { 400 } else { 20 }));
        rows.push(chat(&format!("n{n}-{i}"), &format!("account-{n}-{i}"), &system, &turns, &prompt));
    }
    let shared = words(rng, 20);
    for i in 8..12 {
        rows.push(chat(&format!("n{n}-{i}"), &format!("account-{n}-{i}"), &words(rng, 12), &[words(rng, 30)], &shared));
    }
    super::lines(&rows)
}

/// A merged file: its kind, how often what is in it was merged, its name.
struct Merged {
    kind: &'static str,
    tier: u32,
    name: String,
}

/// Files of a store by name, with their kinds.
fn named(site: &Site, store: &str) -> BTreeMap<String, String> {
    let store = Store::open(&site.path(store)).expect("a store");
    store.files().iter().map(|file| (file.name.clone(), file.kind.clone())).collect()
}

/// What the last night merged, and the tiers of all files from then on.
fn merged(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    tiers: &mut BTreeMap<String, u32>,
) -> Vec<Merged> {
    let mut out = Vec::new();
    for kind in KINDS {
        let of_kind = |(name, of): (&String, &String)| (of == kind).then(|| name.clone());
        let (old, new): (BTreeSet<String>, BTreeSet<String>) =
            (before.iter().filter_map(of_kind).collect(), after.iter().filter_map(of_kind).collect());
        let deepest = old.difference(&new).map(|name| tiers.get(name).copied().unwrap_or(0)).max();
        if let Some(deepest) = deepest {
            let name = new.difference(&old).find(|name| name.starts_with("shared/")).expect("the merged file").clone();
            tiers.insert(name.clone(), deepest + 1);
            out.push(Merged { kind, tier: deepest + 1, name });
        }
    }
    out
}

fn copy(site: &Site, from: &str, to: &str) {
    let _ = std::fs::remove_dir_all(site.path(to));
    let mut command = std::process::Command::new("cp");
    assert!(command.arg("-r").args([site.path(from), site.path(to)]).status().expect("cp runs").success());
}

/// A writer of night `n` that has its directory and waits for its log.
fn begun(site: &Site, store: &str, n: u64) -> Child {
    let mut command = site.command(&Site::audit_args(store, &["-"]));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // A file of that name may be there of a writer that was killed.
    let table = site.path(&format!("{store}/nights/{n:06}/turns.parquet"));
    wait_for(|| has_open(&child, &table));
    child
}

fn has_open(child: &Child, path: &Path) -> bool {
    let files = std::fs::read_dir(format!("/proc/{}/fd", child.id()));
    files.into_iter().flatten().flatten().any(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target == path))
}

fn tell(child: &mut Child, log: &str) {
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(log.as_bytes()).expect("written");
}

fn ended(child: Child) -> Run {
    let output = child.wait_with_output().expect("it ends");
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        told: "stillhunt audit -".to_owned(),
    }
}

/// The files of a store, without the catalog and its lock.
fn files(site: &Site, store: &str) -> BTreeMap<String, String> {
    let mut files = digests(&site.path(store));
    files.retain(|name, _| name.starts_with("nights/") || name.starts_with("shared/"));
    files
}

/// Files and answers, once the next writer has swept what merges replaced.
fn state(site: &Site, store: &str, log: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let calm = site.run_with(&Site::audit_args(store, &["-"]), log.as_bytes()).ok();
    assert!(!calm.err.contains("no commit names"), "{}", calm.err);
    site.run(&["store", "verify", "--store", store]).ok();
    let ask = |args: &[&str]| site.run(&[args, &["--store", store]].concat()).ok().out;
    let lists = ["exact", "near-duplicate", "fragment", "system"];
    let mut answers: Vec<String> =
        lists.iter().map(|level| ask(&["family", "list", "--level", level, "--format", "json"])).collect();
    answers.extend([ask(&["export", "members"]), ask(&["similar", TRACE, "--format", "json"])]);
    (files(site, store), answers)
}

/// The merge of `file` has no room: its writer says so and takes away what it wrote.
fn fails(site: &Site, store: &str, n: u64, log: &str, file: &Merged) {
    let before = named(site, store);
    let mut child = begun(site, store, n);
    std::os::unix::fs::symlink("/dev/full", site.path(&format!("{store}/{}", file.name))).expect("linked");
    tell(&mut child, log);
    let run = ended(child);
    assert!(run.err.contains("No space left"), "{}: {}", file.name, run.err);
    let (own, mut left) = (named(site, store), files(site, store));
    left.retain(|name, _| !own.contains_key(name));
    if BEHIND.contains(&file.kind) {
        assert!(run.code == 0 && run.err.contains("the next audit begins with them"), "{}", run.err);
        // The night's own commit stands, and what it replaced is still there.
        left.retain(|name, _| !before.contains_key(name));
    } else {
        assert_eq!((run.code, own), (2, before), "{}", run.err);
    }
    assert_eq!(left, BTreeMap::new(), "{}", file.name);
}

/// The writer is killed inside the merge of `file`, of which half is on the disk, and whose bytes are `whole`.
fn killed(site: &Site, store: &str, n: u64, log: &str, file: &Merged, whole: &[u8]) {
    let mut child = begun(site, store, n);
    let path = site.path(&format!("{store}/{}", file.name));
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    let mut options = std::fs::OpenOptions::new();
    let mut pipe = options.read(true).write(true).custom_flags(AT_ONCE).open(&path).expect("opened");
    while pipe.write(&[0; 4096]).is_ok() {}
    tell(&mut child, log);
    wait_for(|| {
        assert!(child.try_wait().expect("asked").is_none(), "{}: the writer came past it", file.name);
        has_open(&child, &path)
    });
    child.kill().expect("killed");
    let run = ended(child);
    assert!(run.out.is_empty() && !run.err.contains("panicked"), "{}: {}", file.name, run.err);
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("written");
}

#[test]
fn a_merge_that_fails_or_is_killed_changes_nothing() {
    let site = Site::new();
    let (mut tiers, mut done) = (BTreeMap::new(), BTreeSet::new());
    let every: BTreeSet<(u32, &str)> = [1, 2].into_iter().flat_map(|tier| KINDS.map(|kind| (tier, kind))).collect();
    for n in 1..=NIGHTS {
        if done == every {
            break;
        }
        let (log, before) = (night(n), if n > 1 { named(&site, "store") } else { BTreeMap::new() });
        if n > 1 {
            copy(&site, "store", "before");
        }
        site.run_with(&Site::audit_args("store", &["-"]), log.as_bytes()).ok();
        let all = merged(&before, &named(&site, "store"), &mut tiers);
        let new: Vec<&Merged> =
            all.iter().filter(|file| file.tier <= 2 && done.insert((file.tier, file.kind))).collect();
        if new.is_empty() {
            continue;
        }
        println!("night {n}: {:?}", new.iter().map(|file| (file.kind, file.tier)).collect::<Vec<_>>());
        let whole = |file: &Merged| std::fs::read(site.path(&format!("store/{}", file.name))).expect("a file");
        copy(&site, "store", "calm");
        let expected = state(&site, "calm", &log);
        // Until the night is committed, one store can go through all of it; behind that commit each kind needs a store of its own.
        let (behind, own): (Vec<&Merged>, Vec<&Merged>) = new.iter().partition(|file| BEHIND.contains(&file.kind));
        let mut groups: Vec<Vec<&Merged>> = behind.into_iter().map(|file| vec![file]).collect();
        groups.extend((!own.is_empty()).then_some(own));
        for group in groups {
            let is_behind = BEHIND.contains(&group[0].kind);
            if is_behind {
                copy(&site, "before", "failed");
                fails(&site, "failed", n, &log, group[0]);
                let again = site.run_with(&Site::audit_args("failed", &["-"]), log.as_bytes()).ok();
                assert!(!again.err.contains("no commit names"), "{}", again.err);
                assert_eq!(state(&site, "failed", &log), expected, "night {n}, {} failed", group[0].name);
            }
            copy(&site, "before", "hurt");
            for file in &group {
                if !is_behind {
                    fails(&site, "hurt", n, &log, file);
                }
                killed(&site, "hurt", n, &log, file, &whole(file));
            }
            let again = site.run_with(&Site::audit_args("hurt", &["-"]), log.as_bytes()).ok();
            assert!(again.err.contains("that no commit names: "), "{}", again.err);
            let names: Vec<&str> = group.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(state(&site, "hurt", &log), expected, "night {n}, {names:?} killed");
        }
    }
    assert_eq!(done, every);
}
