//! The health file of a nightly job: one JSON object for a monitor, written whole when the job begins and when it ends.
//!
//! It holds counts, times and the error's sentence, no text of a log's rows, and anybody may read it who may enter its directory. A
//! job that was killed leaves `running` behind: a monitor takes a `running` older than a night may last, or a `last_success` older
//! than a day, for an alarm. Weakness: the times are the machine's clock, here and nowhere else in a store.
#![allow(clippy::disallowed_methods)]

use crate::audit::Audited;
use crate::error::Result;
use crate::report::planting::Planting;
use crate::store::files::{let_all_read, read_bounded, write_private};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// More than any health file has.
const LONGEST: u64 = 1 << 20;

/// What the file says.
#[derive(Serialize, Deserialize)]
struct Record {
    schema: u32,
    /// `running`, `succeeded` or `failed`.
    state: String,
    version: String,
    pid: u32,
    started: String,
    finished: Option<String>,
    seconds: Option<f64>,
    /// When a job last ended well, this one or an earlier.
    last_success: Option<String>,
    /// The night that was committed; none where nothing was new.
    night: Option<u32>,
    rows_read: Option<u64>,
    rows_kept: Option<u64>,
    rows_known: Option<u64>,
    rows_quarantined: Option<u64>,
    /// Whether marks are planted, where it was checked in this job.
    planting: Option<Marks>,
    error: Option<String>,
}

/// What a monitor is told of marks.
#[derive(Serialize, Deserialize)]
struct Marks {
    /// `planted` or `alarm`.
    state: String,
    /// Responses that were scored.
    sampled: u64,
    /// One sentence each.
    alarms: Vec<String>,
}

pub(crate) struct Health {
    path: Option<PathBuf>,
    record: Record,
    began: Instant,
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

impl Health {
    /// Says that a job is running; what the file said of the last success is kept. Without a path, nothing is written.
    pub(crate) fn begin(path: Option<&Path>) -> Result<Self> {
        let before = path.and_then(|path| read_bounded(path, LONGEST).ok());
        let before: Option<Record> = before.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let record = Record {
            schema: 1,
            state: "running".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            started: now(),
            finished: None,
            seconds: None,
            last_success: before.and_then(|record| record.last_success),
            night: None,
            rows_read: None,
            rows_kept: None,
            rows_known: None,
            rows_quarantined: None,
            planting: None,
            error: None,
        };
        let health = Self { path: path.map(Path::to_owned), record, began: Instant::now() };
        health.write()?;
        Ok(health)
    }

    /// Says how the job ended.
    pub(crate) fn end(mut self, outcome: &Result<Audited>, planting: Option<&Planting>) -> Result<()> {
        let finished = now();
        self.record.planting = planting.map(|planting| Marks {
            state: if planting.alarms.is_empty() { "planted" } else { "alarm" }.into(),
            sampled: planting.sampled,
            alarms: planting.alarms.clone(),
        });
        self.record.seconds = Some((self.began.elapsed().as_secs_f64() * 1e3).round() / 1e3);
        match outcome {
            Ok(audited) => {
                let counts = &audited.counts;
                self.record.state = "succeeded".into();
                self.record.last_success = Some(finished.clone());
                self.record.night = audited.night;
                self.record.rows_read = Some(counts.rows_read);
                self.record.rows_kept = Some(counts.rows_kept);
                self.record.rows_known = Some(counts.rows_known);
                self.record.rows_quarantined = Some(counts.rows_quarantined);
            }
            Err(error) => {
                self.record.state = "failed".into();
                self.record.error = Some(error.to_string());
            }
        }
        self.record.finished = Some(finished);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let json = serde_json::to_string_pretty(&self.record).unwrap_or_default();
        write_private(path, format!("{json}\n").as_bytes())?;
        let_all_read(path)
    }
}
