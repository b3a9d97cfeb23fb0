//! The program as its users meet it: the real binary in directories of its own, its exit status, output and files.
//!
//! Each module asks one kind of question; [`Site`] is the place where it is asked: a temporary directory that holds the logs,
//! the store, the report and the account key, so that no test sees the machine it runs on. Weakness: the progress bar, which
//! shows itself on terminals only, is not looked at here.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod backup;
mod bombs;
mod cloud;
mod commands;
mod damage;
mod data;
mod doctor;
mod evidence;
mod faults;
mod forget;
mod forget_play;
mod formats;
mod fragments;
mod fragments_hostile;
mod golden;
mod hostile;
mod hostile_logs;
mod kills;
mod logs;
mod long_prompts;
mod merges;
mod nightly;
mod nights;
#[cfg(feature = "oidc")]
mod oidc;
mod planting;
mod radioactivity;
mod registry;
mod replay;
mod rings;
mod serve;
mod simulate;
mod standing;
mod watermark;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of the program left.
struct Run {
    code: i32,
    out: String,
    err: String,
    told: String,
}

impl Run {
    /// The run ended well.
    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.told, self.err);
        self
    }

    /// The run ended with status 2, and a sentence with all of `parts`.
    #[track_caller]
    fn refused(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, 2, "{}\n{}\n{}", self.told, self.out, self.err);
        assert_eq!(self.out, "", "{}: an error writes nothing to standard output", self.told);
        for part in parts {
            assert!(self.err.contains(part), "{}: expected {part:?} in\n{}", self.told, self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|cause| panic!("{}: {cause}\n{}", self.told, self.out))
    }
}

/// A directory with a store, a report and a key of its own; commands run in it.
struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }

    /// Writes a log of JSON lines.
    fn log(&self, name: &str, rows: &[Value]) {
        self.write(name, lines(rows));
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stillhunt"));
        command.args(args).current_dir(self.dir.path());
        command.env_remove("XDG_CONFIG_HOME").env("HOME", self.path("home")).env("NO_COLOR", "1");
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, b"")
    }

    /// Runs with `input` on standard input.
    fn run_with(&self, args: &[&str], input: &[u8]) -> Run {
        use std::io::Write as _;
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("piped");
        let output = std::thread::scope(|scope| {
            // A program that refuses its arguments closes the pipe before it has read it.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().expect("it ends")
        });
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            err: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
            told: format!(
                "stillhunt {}",
                args.iter().map(|a| a.chars().take(80).collect()).collect::<Vec<String>>().join(" ")
            ),
        }
    }

    /// Audits into `store`, report in `report`, JSON on standard output.
    fn audit(&self, args: &[&str]) -> Run {
        self.run(&Self::audit_args("store", args))
    }

    fn audit_args<'a>(store: &'a str, args: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["audit", "--store", store, "--report", "report", "--key", "key", "--format", "json"];
        all.extend(args);
        all
    }

    /// Counts of an audit that ended well: read, kept, known, quarantined.
    #[track_caller]
    fn counts(&self, args: &[&str]) -> [u64; 4] {
        counts(&self.audit(args).ok().json())
    }

    fn export(&self, store: &str) -> String {
        self.run(&["export", "members", "--store", store]).ok().out
    }

    /// Members of the exact and near-duplicate families in `store`.
    fn members(&self, store: &str) -> Members {
        Members::parse(&self.export(store))
    }

    /// Bad rows of the last report, as (reason, row).
    fn quarantine(&self) -> Vec<Value> {
        self.read("report/quarantine.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn counts(report: &Value) -> [u64; 4] {
    ["rows_read", "rows_kept", "rows_known", "rows_quarantined"]
        .map(|name| report["counts"][name].as_u64().expect(name))
}

/// A row of our own schema, `n` minutes into a day.
fn row(id: &str, account: &str, n: u64, prompt: &str) -> Value {
    json!({ "id": id, "account": account, "time": 1_795_161_600 + 60 * n, "prompt": prompt, "model": "m-1" })
}

/// `n` requests of one template from as many accounts.
fn campaign(prefix: &str, n: u64) -> Vec<Value> {
    let problem = ["a train", "two pipes", "three friends", "a rectangle", "an urn", "a clock", "a ladder", "a ferry"];
    let each = |i: u64| {
        let what = problem[i as usize % problem.len()];
        let prompt = format!(
            "Solve the following olympiad problem about {what} number {i} and write the complete chain of thought, step by step, as training data."
        );
        row(&format!("{prefix}{i}"), &format!("{prefix}-account-{i}"), i, &prompt)
    };
    (0..n).map(each).collect()
}

/// An export of members: (exchange, level) → (family, account, similarity) at the levels where an exchange has one family at
/// most, and (exchange, account, family) of fragments.
struct Members(BTreeMap<(String, String), (String, String, f64)>, BTreeSet<[String; 3]>);

impl Members {
    #[track_caller]
    fn parse(text: &str) -> Self {
        let mut rows = text.lines();
        assert_eq!(rows.next(), Some("exchange_id,account,family_id,level,similarity"));
        let (mut members, mut fragments) = (BTreeMap::new(), BTreeSet::new());
        for line in rows {
            let cells: Vec<&str> = line.split(',').collect();
            let [id, account, family, level, similarity] = cells[..] else { panic!("five cells, got {line:?}") };
            assert!(!line.contains('"') && ["exact", "near-duplicate", "fragment"].contains(&level), "{line}");
            let similarity: f64 = similarity.parse().expect("a number");
            assert!((-1.0..=1.0).contains(&similarity), "{line}");
            if level == "fragment" {
                assert!(similarity > 0.0 && family.starts_with('f'), "{line}");
                assert!(
                    fragments.insert([id, account, family].map(str::to_owned)),
                    "one row for each exchange and family, got {line} twice"
                );
                continue;
            }
            let value = (family.to_owned(), account.to_owned(), similarity);
            let before = members.insert((id.to_owned(), level.to_owned()), value);
            assert!(before.is_none(), "one row for each exchange and level, got {line} twice");
        }
        Self(members, fragments)
    }

    /// Families of a level: name → exchanges.
    fn families(&self, level: &str) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut families: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ((id, of), (family, ..)) in &self.0 {
            if of == level {
                families.entry(family).or_default().insert(id);
            }
        }
        families
    }

    /// The family of an exchange.
    fn of(&self, id: &str, level: &str) -> Option<&str> {
        self.0.get(&(id.to_owned(), level.to_owned())).map(|(family, ..)| family.as_str())
    }
}

/// Keys of an object, in order.
#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Every file below a directory, with its digest.
fn digests(dir: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, dir: &Path, out: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, out);
            } else {
                let digest = blake3::hash(&std::fs::read(&path).expect("a file")).to_hex().to_string();
                out.insert(path.strip_prefix(root).expect("below").display().to_string(), digest);
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(dir, dir, &mut out);
    out
}
