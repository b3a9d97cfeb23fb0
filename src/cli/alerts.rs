//! Alerts of an audit: what is new among the rings, said once, to whoever is to hear it.
//!
//! The idea: the operator's program is run while the audit waits; channels over the network (`channels`) get letters, which are queued before the store
//! records that the ring was told, and sent after that. So neither a crash nor an outage loses an alert. Weakness: a crash at the wrong moment sends one
//! again, under the same name.
#![allow(clippy::disallowed_methods)]

use super::args::Audit;
use super::channels::{Channels, SYSLOG, WEBHOOK};
use super::config::{self, Alert};
use super::print;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{FamilyId, Time};
use crate::report::export::{TLP_WORDS, Tlp, ocsf};
use crate::report::ring::{Ring, Rung};
use crate::report::{Family, Report};
use crate::store::Store;
use crate::store::outbox::{Letter, Outbox};
use crate::upkeep;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is new: rings with their rungs, and a line of JSON for each.
#[derive(Debug, Default)]
pub(super) struct New {
    rings: Vec<(String, String)>,
    /// For whoever reads standard output.
    pub(super) lines: String,
    /// For the outbox.
    letters: Vec<Letter>,
}

impl New {
    /// Rings of which no alert has gone out. A list that is not valid has none.
    pub(super) fn of(args: &Audit, report: &Report) -> Result<Self> {
        let mut out = Self::default();
        if !report.rings_meta.valid || report.rings.is_empty() {
            return Ok(out);
        }
        let least = args.at_or_above.rung();
        let far_enough = report.rings.iter().filter(|ring| ring.rung >= least);
        let mut rings: Vec<(String, String)> =
            far_enough.map(|ring| (ring.id.clone(), ring.rung.word().to_owned())).collect();
        let new = upkeep::unsaid(&Store::open(&args.common.store)?, &rings, &Rung::ALL.map(Rung::word))?;
        rings.retain(|(ring, _)| new.contains(ring));
        let channels = config::channels(args.config.as_deref())?;
        for ring in report.rings.iter().filter(|ring| new.contains(&ring.id)) {
            let line = line(ring, channels.texts.then_some(report.families.as_slice()));
            out.letters.extend(letters(ring, report, &line, &channels)?);
            out.lines += &line;
        }
        out.rings = rings;
        Ok(out)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rings.is_empty()
    }

    /// Runs the operator's command for each, where there is one.
    pub(super) fn tell(&self, args: &Audit) -> Result<()> {
        let Some(alert) = config::alert(args)? else { return Ok(()) };
        self.lines.lines().try_for_each(|line| tell(&alert, &format!("{line}\n")))
    }

    /// Queues them for the channels over the network.
    pub(super) fn queue(&self, args: &Audit) -> Result<()> {
        if self.letters.is_empty() {
            return Ok(());
        }
        Outbox::open(&args.common.store)?.add(&self.letters)
    }

    /// Records that they were told, so that nothing is said twice.
    pub(super) fn record(&self, args: &Audit) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        if args.exit_code.is_some() {
            let names: Vec<&str> = self.rings.iter().map(|(ring, _)| ring.as_str()).collect();
            print::say(&format!("new rings: {}", names.join(", ")));
        }
        upkeep::alerted(&args.common.store, &self.rings, now()?, &format!("process {}", std::process::id()))
    }
}

/// The moment.
pub(super) fn now() -> Result<Time> {
    let micros = jiff::Timestamp::now().as_microsecond();
    Time::new(micros).ok_or_else(|| Error::new(ErrorKind::Config, "the clock stands outside of the years 1 to 9999"))
}

/// What goes out about a ring, a letter for each channel that is configured.
fn letters(ring: &Ring, report: &Report, line: &str, channels: &Channels) -> Result<Vec<Letter>> {
    let letter =
        |to: &str, body: String| Letter { id: format!("{}-{}", ring.id, ring.rung.word()), to: to.to_owned(), body };
    let mut out = Vec::new();
    if channels.webhook.is_some() {
        out.push(letter(WEBHOOK, line.to_owned()));
    }
    if let Some(syslog) = &channels.syslog {
        let word = syslog.tlp.as_deref().unwrap_or(Tlp::default().word());
        let tlp = Tlp::of(word).ok_or_else(|| {
            let message = format!("expected tlp in [syslog] as {}, got {word:?}", TLP_WORDS.join(", "));
            Error::new(ErrorKind::Config, message)
        })?;
        out.push(letter(SYSLOG, ocsf::finding(ring, &report.rings_meta, tlp, false).to_string()));
    }
    Ok(out)
}

/// Families of a ring whose text goes out, where that is configured, and bytes of each.
const MOST_TEXTS: usize = 5;
const MOST_BYTES: usize = 4_096;

/// One line of JSON: the ring without its families and members. It says itself whether it holds text of a log; with the report's families it does.
fn line(ring: &Ring, texts: Option<&[Family]>) -> String {
    let mut fields = serde_json::json!(ring);
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("families".to_owned(), ring.families.len().into());
        fields.remove("notes");
    }
    let mut alert =
        serde_json::json!({ "alert": "new-ring", "schema": 1, "holds_raw_text": texts.is_some(), "ring": fields });
    if let Some(families) = texts {
        let of = |id: &FamilyId| families.iter().find(|family| family.id == *id);
        let mut shown: Vec<FamilyId> = Vec::new();
        ring.families.iter().map(|of| of.family_id).for_each(|id| {
            if !shown.contains(&id) && of(&id).is_some() && shown.len() < MOST_TEXTS {
                shown.push(id);
            }
        });
        let text = |id: &FamilyId| {
            let whole = of(id).map_or("", |family| family.template.as_str());
            serde_json::json!({ "family_id": id, "text": &whole[..crate::text::boundary(whole, MOST_BYTES)], "text_bytes": whole.len() })
        };
        alert["texts"] = shown.iter().map(text).collect();
    }
    format!("{alert}\n")
}

/// Runs the operator's command with a line on its standard input. Its own output goes to standard error.
fn tell(alert: &Alert, line: &str) -> Result<()> {
    let Some((program, arguments)) = alert.command.split_first() else { return Ok(()) };
    let name = program.to_string_lossy();
    let failed = |what: String| {
        Error::new(ErrorKind::Io, format!("the alert command {name:?} {what}"))
            .hint("the night is committed; the alert is given again by the next audit")
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::from(std::io::stderr()));
    let mut child = command.spawn().map_err(|cause| failed(format!("cannot be started: {cause}")))?;
    if let Some(mut input) = child.stdin.take() {
        let line = line.to_owned();
        // A program that does not read must not hold the audit; one that ends early need not have read.
        std::thread::spawn(move || {
            let _ = input.write_all(line.as_bytes());
        });
    }
    let status = ended(&mut child, alert.limit).map_err(|cause| failed(format!("cannot be waited for: {cause}")))?;
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(failed(format!("failed: {status}"))),
        None => Err(failed(format!("did not end within {} seconds and was stopped", alert.limit.as_secs()))),
    }
}

/// How a child ended; none where it was stopped at the limit.
fn ended(child: &mut Child, limit: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}
