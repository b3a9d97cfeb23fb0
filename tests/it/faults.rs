//! Faults of the machine: a full disk, one that cannot be written, directories that vanish, a clock that runs backwards.
//!
//! In every case: a sentence, status 2, no panic; afterwards the store verifies and its export is that of the last commit. Weakness:
//! a full and a read-only file system are mounted, which needs the rights to do so; without them these tests say "skipped". A bound
//! on the size of a file (`ulimit -f`) needs none and fails writes at the same places.

use super::nights::waiting;
use super::{Run, Site, campaign, row};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A file system in memory, taken away at the end.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, and the word "skipped", where it may not be mounted.
    fn new(site: &Site, name: &str, size: &str, test: &str) -> Option<Self> {
        let path = site.path(name);
        std::fs::create_dir(&path).expect("made");
        let mounted = Self(path);
        let ok = mounted.mount(&format!("size={size},mode=700"), &[]);
        if !ok {
            println!("skipped: {test} (no file system may be mounted here)");
            std::mem::forget(mounted);
            return None;
        }
        Some(mounted)
    }

    fn mount(&self, options: &str, more: &[&str]) -> bool {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options]).args(more).arg("tmpfs").arg(&self.0);
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    fn again(&self, options: &str) -> bool {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{options}")]).arg(&self.0);
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// KiB in use.
    fn used(&self) -> u64 {
        let output = Command::new("df").args(["--output=used", "-k"]).arg(&self.0).output().expect("df runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().last().and_then(|n| n.trim().parse().ok()).expect("a number")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A night of a few hundred kilobytes.
fn night(prefix: &str) -> Vec<serde_json::Value> {
    let mut rows = campaign(prefix, 300);
    for (i, row) in rows.iter_mut().enumerate() {
        row["response"] = format!("{prefix} {i} {}", "an answer ".repeat(i % 40)).into();
    }
    rows
}

#[track_caller]
fn failed(run: Run, parts: &[&str]) -> Run {
    assert_eq!(run.code, 2, "{}\n{}", run.told, run.err);
    assert!(!run.err.contains("panicked") && run.err.contains("error: "), "{}", run.err);
    assert!(parts.iter().any(|part| run.err.contains(part)), "expected one of {parts:?} in {}", run.err);
    run
}

#[track_caller]
fn as_it_was(site: &Site, store: &str, export: &str) {
    site.run(&["store", "verify", "--store", store]).ok();
    assert!(site.export(store) == export, "the export is not that of the last commit");
}

#[test]
fn a_full_disk_costs_the_night_and_nothing_else() {
    let site = Site::new();
    let Some(disk) = Mounted::new(&site, "disk", "64m", "a_full_disk_costs_the_night_and_nothing_else") else { return };
    site.log("one.jsonl", &night("c"));
    site.log("two.jsonl", &night("d"));
    site.run(&Site::audit_args("disk/store", &["one.jsonl"])).ok();
    let (before, used) = (site.export("disk/store"), disk.used());
    let mut places = std::collections::BTreeSet::new();
    let mut fitted = None;
    for more in (0..).map(|i| 8 + 24 * i) {
        assert!(disk.again(&format!("size={}k", used + more)), "remounted");
        let run = site.run(&Site::audit_args("disk/store", &["two.jsonl"]));
        if run.code == 0 {
            fitted = Some(more);
            break;
        }
        assert!(more < 20_000, "it never fits: {}", run.err);
        let run = failed(run, &["No space left", "disk is full", "disk I/O error"]);
        let error = run.err.lines().find(|line| line.contains("error: ")).unwrap_or_default().to_owned();
        places.insert(error.split(" (os error").next().unwrap_or_default().to_owned());
        // The disk is as full as it was, and still the store can be read.
        as_it_was(&site, "disk/store", &before);
    }
    println!("a night fits into {fitted:?} KiB more; with less: {places:#?}");
    assert!(places.len() >= 2, "{places:?}");
    site.run(&["store", "verify", "--store", "disk/store"]).ok();
    assert!(site.export("disk/store").lines().count() > before.lines().count());
}

/// The same faults without any rights: no file may grow beyond a bound.
#[test]
fn a_bound_on_the_size_of_a_file_costs_the_night_and_nothing_else() {
    let site = Site::new();
    site.log("one.jsonl", &night("c"));
    site.log("two.jsonl", &night("d"));
    site.audit(&["one.jsonl"]).ok();
    let before = site.export("store");
    let mut failures = 0;
    for blocks in [0u32, 1, 8, 16, 32, 64, 96, 128, 192, 256, 384] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_stillhunt")]);
        command.args(Site::audit_args("store", &["two.jsonl"])).current_dir(site.dir.path());
        let output = command.output().expect("sh runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!err.contains("panicked"), "{blocks}: {err}");
        if output.status.success() || err.contains("is committed") {
            break;
        }
        assert_eq!(output.status.code(), Some(2), "{blocks}: {err}");
        assert!(err.contains("error: "), "{err}");
        as_it_was(&site, "store", &before);
        failures += 1;
    }
    assert!(failures >= 4, "{failures}");
    site.audit(&["two.jsonl"]).ok();
    assert!(site.export("store").lines().count() > before.lines().count());
}

#[test]
fn a_report_that_does_not_fit_says_that_the_night_is_committed() {
    let site = Site::new();
    let name = "a_report_that_does_not_fit_says_that_the_night_is_committed";
    let Some(_disk) = Mounted::new(&site, "report", "16k", name) else { return };
    site.log("one.jsonl", &night("c"));
    let run = failed(site.audit(&["one.jsonl"]), &["No space left"]);
    assert!(run.err.contains("night 1 is committed, its report failed: cannot write report/"), "{}", run.err);
    assert!(run.err.contains("hint: audit the same logs again"), "{}", run.err);
    assert_eq!(run.out, "");
    assert!(site.export("store").lines().count() > 300);
    let again = site.run(&["audit", "one.jsonl", "--store", "store", "--key", "key", "--report", "elsewhere"]).ok();
    assert!(again.out.starts_with("nothing new: 300 rows read, 0 kept, 300 known"), "{}", again.out);
}

#[test]
fn a_store_on_a_read_only_disk_answers_and_refuses_a_night() {
    let site = Site::new();
    let name = "a_store_on_a_read_only_disk_answers_and_refuses_a_night";
    let Some(disk) = Mounted::new(&site, "disk", "64m", name) else { return };
    site.log("one.jsonl", &campaign("c", 8));
    site.log("two.jsonl", &campaign("d", 8));
    site.run(&Site::audit_args("disk/store", &["one.jsonl"])).ok();
    let before = site.export("disk/store");
    assert!(disk.again("ro"), "remounted");
    failed(site.run(&Site::audit_args("disk/store", &["two.jsonl"])), &["Read-only file system"]);
    failed(site.run(&["store", "backup", "disk/copy", "--store", "disk/store"]), &["Read-only file system"]);
    as_it_was(&site, "disk/store", &before);
    site.run(&["store", "backup", "copy", "--store", "disk/store"]).ok();
    as_it_was(&site, "copy", &before);
    assert!(disk.again("rw"), "remounted");
    site.run(&Site::audit_args("disk/store", &["two.jsonl"])).ok();
}

/// Modes say the same as a mount, for everybody but the superuser.
#[test]
fn a_store_that_may_not_be_written_refuses_a_night() {
    let site = Site::new();
    site.log("one.jsonl", &campaign("c", 8));
    site.log("two.jsonl", &campaign("d", 8));
    site.audit(&["one.jsonl"]).ok();
    let before = site.export("store");
    let mode = |mode: &str| {
        let status = Command::new("chmod").args(["-R", mode]).arg(site.path("store")).status();
        assert!(status.expect("chmod runs").success());
    };
    mode("a-w");
    if std::fs::write(site.path("store/may-i"), "").is_ok() {
        println!("skipped: a_store_that_may_not_be_written_refuses_a_night (the superuser writes anyway)");
        return;
    }
    failed(site.audit(&["two.jsonl"]), &["Permission denied"]);
    as_it_was(&site, "store", &before);
    mode("u+w");
}

/// Ends what waits for the rest of its log.
fn finish(mut child: std::process::Child, rows: &[serde_json::Value]) -> Run {
    let mut stdin = child.stdin.take().expect("piped");
    // A program that has given up closes the pipe.
    let _ = stdin.write_all(super::lines(rows).as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        told: "stillhunt audit -".to_owned(),
    }
}

#[test]
fn a_directory_that_vanishes_is_an_error() {
    let site = Site::new();
    site.log("one.jsonl", &campaign("c", 8));
    site.log("two.jsonl", &campaign("d", 8));
    site.audit(&["one.jsonl"]).ok();
    let before = site.export("store");
    // A writer that makes a file meanwhile leaves the directory standing.
    let remove = |name: &str| super::nights::wait_for(|| std::fs::remove_dir_all(site.path(name)).is_ok());
    for lost in ["store/nights/000002", "store/shared"] {
        let kept: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(site.path("store/shared"))
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.clone(), std::fs::read(path).expect("a file")))
            .collect();
        let child = waiting(&site, "store");
        super::nights::wait_for(|| site.path("store/nights/000002/rows.parquet").exists());
        remove(lost);
        failed(finish(child, &campaign("d", 8)), &["No such file"]);
        std::fs::create_dir_all(site.path("store/shared")).expect("made");
        kept.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).expect("written"));
        as_it_was(&site, "store", &before);
    }
    // The report's directory: the night is kept, and the message says so.
    let child = waiting(&site, "store");
    remove("report");
    let run = failed(finish(child, &campaign("e", 8)), &["No such file"]);
    assert!(run.err.contains("night 2 is committed, its report failed"), "{}", run.err);
    site.audit(&["two.jsonl"]).ok();
    site.run(&["store", "verify", "--store", "store"]).ok();
    // The store as a whole: nothing is left to be read, and nothing falls over.
    let child = waiting(&site, "store");
    remove("store");
    failed(finish(child, &campaign("f", 8)), &["No such file", "catalog.sqlite", "expected a store"]);
    site.run(&["store", "verify", "--store", "store"]).refused(&["expected a store at store, found none"]);
}

/// No clock of the machine is read for identity or order: nights are counted, and what a row says is only shown.
#[test]
fn a_clock_that_runs_backwards_changes_no_order() {
    let nights = |days: [u64; 3]| {
        let site = Site::new();
        for (i, day) in days.into_iter().enumerate() {
            let text = |j: u64| format!("Count the stars over harbour {i} as they were seen from pier {}.", j / 2);
            let rows: Vec<_> =
                (0..6).map(|j| row(&format!("n{i}-{j}"), &format!("a{i}-{j}"), 1440 * day + j, &text(j))).collect();
            site.log(&format!("{i}.jsonl"), &rows);
            site.audit(&[&format!("{i}.jsonl")]).ok();
            // Whatever the file system's clock says of the store's files.
            let when = format!("@{}", 86_400 * day);
            let mut touch = Command::new("find");
            touch.arg(site.path("store")).args(["-exec", "touch", "-d", &when, "{}", "+"]);
            assert!(touch.status().expect("find runs").success());
        }
        site
    };
    // Names are keyed, so both stores get one key.
    let shape = |site: &Site| {
        let members = site.members("store");
        let sets = |level: &str| -> Vec<Vec<String>> {
            let mut sets: Vec<Vec<String>> =
                members.families(level).values().map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()).collect();
            sets.sort();
            sets
        };
        let new =
            site.run(&["family", "list", "--new", "--level", "exact", "--store", "store", "--format", "json"]).ok();
        let new: Vec<String> = new.json()["families"]
            .as_array()
            .expect("families")
            .iter()
            .map(|family| family["template"].as_str().expect("a text").to_owned())
            .collect();
        (sets("exact"), sets("near-duplicate"), new.len(), new.iter().all(|text| text.contains("harbour 2")))
    };
    let (forwards, backwards) = (nights([1, 2, 3]), nights([3, 2, 1]));
    assert_eq!(shape(&forwards), shape(&backwards));
    assert_eq!((shape(&backwards).2, shape(&backwards).3), (3, true), "new is what the last night brought");
    let stats = backwards.run(&["store", "stats", "--store", "store", "--format", "json"]).ok().json();
    assert_eq!((&stats["nights"], &stats["exchanges"]), (&3.into(), &18.into()));
    backwards.run(&["store", "verify", "--store", "store"]).ok();
    assert_eq!(backwards.counts(&["0.jsonl", "1.jsonl", "2.jsonl"]), [18, 0, 18, 0]);
}
