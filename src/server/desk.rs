//! The store as the desk reads it: opened once for each commit, shared by all readers, and opened anew when somebody commits.
//!
//! The idea: every question first asks the catalog whether anybody committed since the store was opened; that costs some microseconds. What was
//! opened is a snapshot, so an answer never mixes two commits. What many questions need of it, the order of families for one, is made once.
//! Weakness: a question that comes within a second of a commit waits for the opening. Guarantee:
//! an answer that was asked for after a commit returned knows it, a forgetting above all.

use super::fault::Fault;
use crate::embed::Model;
use crate::error::{Error, Result};
use crate::ids::Digest;
use crate::lookup::Opened;
use crate::report::Report;
use crate::store::Store;
use crate::store::watch::Watch;
use crate::stored::AuditConfig;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Families that each list of a report keeps.
pub(super) const MOST_FAMILIES: usize = 100;

/// A store as of one commit.
pub(super) struct Held {
    version: i64,
    pub(super) opened: Opened<'static>,
    /// Number of its newest night; 0 before the first.
    pub(super) night: u32,
    /// Digest over the names and digests of its files.
    pub(super) digest: Digest,
    report: Mutex<Option<Arc<Report>>>,
}

impl Held {
    pub(super) fn store(&self) -> &Store {
        self.opened.store()
    }

    /// The report on the store, made when it is first asked for; its lists of families are short, since pages have them all.
    pub(super) fn report(&self) -> Result<Arc<Report>> {
        let mut kept = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = kept.as_ref() {
            return Ok(Arc::clone(report));
        }
        let report = self.opened.report(&AuditConfig::default(), MOST_FAMILIES)?;
        Ok(Arc::clone(kept.insert(Arc::new(report))))
    }

    /// Makes what is kept of a commit: the order of families, the report, rings, the suggestions for the registry.
    pub(super) fn make_ready(&self) -> Result<()> {
        self.report()?;
        self.opened.rings()?;
        self.opened.suggest().map(|_| ())
    }
}

/// The store that is served.
pub(super) struct Desk {
    pub(super) dir: PathBuf,
    pub(super) model: &'static Model,
    watch: Mutex<Watch>,
    held: Mutex<Option<Arc<Held>>>,
    /// The commit that was made ready last, or could not be.
    readied: Mutex<Option<i64>>,
}

impl Desk {
    pub(super) fn open(dir: &Path, model: &'static Model) -> Result<Self> {
        let watch = Mutex::new(Watch::open(dir)?);
        let desk = Self { dir: dir.into(), model, watch, held: Mutex::new(None), readied: Mutex::new(None) };
        desk.held()?;
        Ok(desk)
    }

    fn version(&self) -> Result<i64> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).version()
    }

    /// The store as of the newest commit.
    pub(super) fn held(&self) -> Result<Arc<Held>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.version()?;
        if let Some(held) = held.as_ref().filter(|held| held.version == version) {
            return Ok(Arc::clone(held));
        }
        *held = None;
        let store = Store::open(&self.dir)?;
        let night = store.nights().last().map_or(0, |night| night.night);
        let mut hash = blake3::Hasher::new();
        for file in store.files() {
            hash.update(file.name.as_bytes()).update(b"\n").update(file.blake3.as_bytes()).update(b"\n");
        }
        let digest = Digest(*hash.finalize().as_bytes());
        let opened = Opened::open(store, self.model, &AuditConfig::default())?;
        let new = Arc::new(Held { version, opened, night, digest, report: Mutex::new(None) });
        *held = Some(Arc::clone(&new));
        Ok(new)
    }

    /// Lets go of a store that somebody has committed to since: its snapshot would keep what was forgotten in the catalog's log.
    pub(super) fn let_go(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if self.version().is_ok_and(|version| held.as_ref().is_some_and(|held| held.version != version)) {
            *held = None;
        }
    }

    /// Opens the newest snapshot and makes what is kept of it, once for a commit, whether or not it succeeds.
    pub(super) fn make_ready(&self) {
        let Ok(version) = self.version() else { return };
        let before = self.readied.lock().unwrap_or_else(PoisonError::into_inner).replace(version);
        if before != Some(version) {
            let _ = self.held().and_then(|held| held.make_ready());
        }
    }

    /// Asks the store. A question that failed because files went away under it, after a commit, is asked again.
    pub(super) fn ask<T>(
        &self,
        question: impl Fn(&Arc<Held>) -> std::result::Result<T, Fault>,
    ) -> std::result::Result<(T, Arc<Held>), Fault> {
        const TRIES: usize = 3;
        let mut tries = 0;
        loop {
            tries += 1;
            let held = self.held().map_err(not_ready)?;
            match question(&held) {
                Err(fault) if fault.status == 500 && tries < TRIES && self.version()? != held.version => {}
                answer => return answer.map(|answer| (answer, held)),
            }
        }
    }
}

/// A store that cannot be opened.
pub(super) fn not_ready(error: Error) -> Fault {
    Fault {
        cause: Some(error.to_string()),
        ..Fault::new(503, "not_ready", "the store cannot be opened").hint("stillhunt store verify says why").again(5)
    }
}
