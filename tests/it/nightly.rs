//! Eight nights as a scheduler runs them: one job killed, one log late, one log twice, and a health file that tells a monitor.

use super::{Site, digests};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;

fn health(site: &Site) -> Value {
    serde_json::from_str(&site.read("var/health.json")).expect("a health file")
}

/// The job of the unit file, with its directories below the site.
const JOB: [&str; 9] = [
    "audit",
    "incoming/*.jsonl*",
    "--allow-empty",
    "--store",
    "var/store",
    "--report",
    "var/report",
    "--health",
    "var/health.json",
];

fn exchanges(site: &Site, store: &str) -> BTreeSet<String> {
    let export = site.run(&["export", "members", "--store", store, "--level", "exact"]).ok().out;
    export.lines().skip(1).map(|line| line.split(',').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn eight_nights_with_a_crash_a_late_log_and_a_log_twice() {
    let site = Site::new();
    site.run(&["simulate", "--out", "sim", "--exchanges", "4000", "--days", "8", "--seed", "11"]).ok();
    std::fs::create_dir_all(site.path("incoming")).expect("made");
    std::fs::create_dir_all(site.path("var")).expect("made");
    let deliver = |night: u32, name: &str| {
        let log = std::fs::read(site.path(&format!("sim/logs/night-{night}.jsonl"))).expect("a log");
        std::fs::write(site.path(&format!("incoming/{name}")), log).expect("written");
    };
    // Before the first log: nothing to read is no failure, and a monitor sees that the job ran.
    site.run(&JOB).ok();
    assert_eq!(health(&site)["state"], "succeeded");
    assert_eq!(health(&site)["night"], Value::Null);
    let mut nights = 0;
    for night in 1..=8 {
        match night {
            // The log of the fifth night comes with the sixth.
            5 => {}
            6 => {
                deliver(5, "night-5.jsonl");
                deliver(6, "night-6.jsonl");
            }
            _ => deliver(night, &format!("night-{night}.jsonl")),
        }
        if night == 7 {
            // A rotated copy of a log that was read before, under another name and compressed.
            let log = std::fs::read(site.path("sim/logs/night-4.jsonl")).expect("a log");
            let copy = zstd::encode_all(log.as_slice(), 1).expect("compressed");
            std::fs::write(site.path("incoming/again-4.jsonl.zst"), copy).expect("written");
        }
        if night == 3 {
            let before = digests(&site.path("var/store/nights"));
            // The log never ends, so the job is killed while it reads.
            let pipe = site.path("incoming/z-slow.jsonl");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
            assert!(made.success());
            let mut args: Vec<String> = JOB.iter().map(|&arg| arg.to_owned()).collect();
            args.insert(2, pipe.display().to_string());
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut job = site.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
            let writer = std::fs::OpenOptions::new().write(true).open(&pipe).expect("the job opens the pipe");
            assert_eq!(health(&site)["state"], "running");
            assert_eq!(health(&site)["pid"], job.id());
            job.kill().expect("killed");
            job.wait().expect("it is gone");
            drop(writer);
            std::fs::remove_file(&pipe).expect("removed");
            assert_eq!(health(&site)["state"], "running", "a killed job cannot say that it ended");
            assert!(health(&site)["last_success"].is_string(), "what came before it is kept");
            let now = digests(&site.path("var/store/nights"));
            assert!(before.iter().all(|(name, digest)| now.get(name) == Some(digest)), "no named file changed");
        }
        let run = site.run(&JOB).ok();
        let told = health(&site);
        assert_eq!(told["state"], "succeeded", "night {night}: {}", run.err);
        let fresh = night != 5;
        nights += u64::from(fresh);
        assert_eq!(told["night"], if fresh { Value::from(nights) } else { Value::Null }, "night {night}");
        // What a killed night left is swept and told; files that an earlier night merged are only swept.
        let swept = ["no commit names: ", "no commit names: nights/"].map(|words| run.err.contains(words));
        assert_eq!(swept, [night == 3; 2], "night {night}: {}", run.err);
        if night == 7 {
            assert!(told["rows_known"].as_u64() > Some(0), "the copy adds nothing");
        }
        assert!(told["error"].is_null() && told["finished"].is_string() && told["seconds"].is_number());
    }
    site.run(&["store", "verify", "--store", "var/store"]).ok();
    // The key and the store lie below another home than that of whoever runs the tests.
    assert!(site.path("home/.config/stillhunt/account.key").is_file());
    let logs: Vec<PathBuf> = (1..=8).map(|night| site.path(&format!("sim/logs/night-{night}.jsonl"))).collect();
    let logs: Vec<String> = logs.iter().map(|log| log.display().to_string()).collect();
    let mut args = vec!["audit", "--store", "whole"];
    args.extend(logs.iter().map(String::as_str));
    let text = site.run(&args).ok().out;
    let kept = |text: &str| text.lines().find(|line| line.starts_with("store:")).map(str::to_owned);
    let again = site.run(&JOB).ok();
    let (ours, whole) = (kept(&again.out).expect("a summary"), kept(&text).expect("a summary"));
    let counts = |line: &str| line.split(", ").take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(counts(&ours), counts(&whole), "as many exchanges, accounts and prompts as one audit of all logs");
    assert_eq!(exchanges(&site, "var/store"), exchanges(&site, "whole"));
}

#[test]
fn a_job_that_could_not_run_says_so_in_its_health() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    site.run(&["audit", "nowhere.jsonl", "--store", "store", "--health", "health.json"]).refused(&["nowhere.jsonl"]);
    let told: Value = serde_json::from_str(&site.read("health.json")).expect("a health file");
    assert_eq!(told["state"], "failed");
    assert!(told["error"].as_str().is_some_and(|error| error.contains("nowhere.jsonl")), "{told}");
    let mode = std::fs::metadata(site.path("health.json")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "a monitor is another user");
    site.run(&["audit", "nowhere.jsonl", "--store", "store", "--health", "no/such/place.json"])
        .refused(&["place.json"]);
}
