//! Logs written for a measurement, put through the real pipeline: audit, then the export of members.

use std::collections::HashMap;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use stillhunt::audit::audit;
use stillhunt::embed::Model;
use stillhunt::ids::Level;
use stillhunt::lookup::export_members;
use stillhunt::store::files::write_private;
use stillhunt::store::input::Input;
use stillhunt::store::key::AccountKey;
use stillhunt::stored::{AuditConfig, Silent};
use tempfile::TempDir;

/// The account key of every measurement: fingerprints are keyed, so another key keeps others, and figures would move a little.
pub(crate) fn key(dir: &Path) -> AccountKey {
    let path = dir.join("key");
    write_private(&path, "5eed".repeat(16).as_bytes()).expect("the key");
    AccountKey::read(&path).expect("a key").expect("the file")
}

/// A store made of one log.
pub(crate) struct Audited {
    pub(crate) dir: TempDir,
    /// How long the audit took.
    pub(crate) took: Duration,
}

impl Audited {
    /// Audits exchanges given as (id, prompt), each of an account of its own.
    pub(crate) fn new<'a>(model: &Model, rows: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self::with(model, rows, &AuditConfig::default())
    }

    /// The same under another configuration.
    pub(crate) fn with<'a>(
        model: &Model,
        rows: impl Iterator<Item = (&'a str, &'a str)>,
        config: &AuditConfig,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let log = dir.path().join("log.jsonl");
        let mut out = BufWriter::new(std::fs::File::create(&log).expect("the log"));
        for (n, (id, prompt)) in rows.enumerate() {
            let time = 1_740_960_000 + n / 4;
            let row = serde_json::json!({"id": id, "account": format!("a{n}"), "time": time, "prompt": prompt});
            writeln!(out, "{row}").expect("a row");
        }
        out.flush().expect("the log");
        drop(out);
        Self::of_log_with(model, dir, log, config)
    }

    /// Audits a log that lies in `dir`.
    pub(crate) fn of_log(model: &Model, dir: TempDir, log: PathBuf) -> Self {
        Self::of_log_with(model, dir, log, &AuditConfig::default())
    }

    fn of_log_with(model: &Model, dir: TempDir, log: PathBuf, config: &AuditConfig) -> Self {
        let key = key(dir.path());
        let start = Instant::now();
        let (store, quarantine) = (dir.path().join("store"), dir.path().join("quarantine.jsonl"));
        audit(&[Input::File(log)], &store, &quarantine, &key, model, config, &Silent).expect("the audit");
        Self { took: start.elapsed(), dir }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// Near-duplicate family of each exchange that has one.
    pub(crate) fn members(&self) -> HashMap<String, String> {
        let mut csv = Vec::new();
        export_members(
            &stillhunt::store::Store::open(&self.store()).expect("a store"),
            &[Level::NearDuplicate],
            &mut csv,
        )
        .expect("the export");
        let text = String::from_utf8(csv).expect("the export is text");
        let row = |line: &str| {
            let mut fields = line.split(',');
            let (id, family) = (fields.next()?, fields.nth(1)?);
            Some((id.to_owned(), family.to_owned()))
        };
        text.lines().skip(1).filter_map(row).collect()
    }
}
