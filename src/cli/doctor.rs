//! `doctor`: whether the next audit can run here, before it is night.
//!
//! # The idea
//! Each check looks at one thing that has stopped an audit and says what is there, whether it is well, and what to do. Nothing is written into
//! the store. Weakness: what is well now may not be at night; and it looks at a store's catalog, not at its files (`store verify` does).
//! Guarantee: one check that cannot be made stops no other.

use super::alerts::now;
use super::args::{Common, Doctor};
use super::config::{key_path, model};
use super::format::Format;
use super::print;
use crate::embed::Model;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::files::disk_free;
use crate::store::key::AccountKey;
use crate::store::spill::check_dir;
use crate::stored::{check_identity, check_key};
use serde::Serialize;
use std::path::Path;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Well,
    /// An audit runs, and somebody should look.
    Look,
    /// An audit cannot run.
    Ill,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Check {
    fn new(what: &'static str, state: State, found: impl Into<String>) -> Self {
        Self { what, state, found: found.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn ill(what: &'static str, error: &Error) -> Self {
        Self { hint: error.hint_text().map(str::to_owned), ..Self::new(what, State::Ill, error.to_string()) }
    }
}

/// Free space below which nothing can be written, and below which a night of some size may not fit.
const LEAST_FREE: u64 = 64 << 20;
const LITTLE_FREE: u64 = 2 << 30;
/// Files that may be open at once, from which on a store of many nights is mapped without care.
const FEW_FILES: u64 = 1024;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Looks at everything; the exit status is 2 where an audit could not run.
pub(super) fn doctor(args: &Doctor) -> Result<Option<u8>> {
    let checks = checks(&args.common);
    let worst = checks.iter().map(|check| check.state).max().unwrap_or(State::Well);
    if args.format == Format::Json {
        print::json(
            &serde_json::json!({ "schema": 1, "stillhunt": env!("CARGO_PKG_VERSION"), "state": worst, "checks": checks }),
        )?;
    } else {
        let mut out = String::new();
        for check in &checks {
            let mark = ["well", "look", "ILL"][check.state as usize];
            out += &format!("{mark:<5} {:<9} {}\n", check.what, print::line(&check.found, 400));
            out += &check
                .hint
                .iter()
                .map(|hint| format!("                {}\n", print::line(hint, 400)))
                .collect::<String>();
        }
        print::out(&out)?;
    }
    Ok((worst == State::Ill).then_some(2))
}

fn checks(common: &Common) -> Vec<Check> {
    let model = model(common);
    let store = common.store.join("catalog.sqlite").is_file().then(|| Store::open(&common.store));
    let opened = store.as_ref().and_then(|store| store.as_ref().ok());
    let mut out = vec![of_model(&model, common)];
    out.push(match &store {
        None => Check::new(
            "store",
            State::Well,
            format!("none at {} yet: the first audit makes one", common.store.display()),
        ),
        Some(Err(error)) => Check::ill("store", error),
        Some(Ok(store)) => of_store(store, model.as_ref().ok()),
    });
    out.push(of_key(common, opened));
    out.push(of_disk(&common.store, opened));
    out.push(of_clock(opened));
    out.push(of_files());
    out.push(of_temporary());
    out
}

fn of_model(model: &Result<Model>, common: &Common) -> Check {
    match model {
        Err(error) => Check::ill("model", error),
        Ok(model) => {
            let whose =
                common.model.as_ref().map_or("the one in the program".to_owned(), |dir| dir.display().to_string());
            Check::new(
                "model",
                State::Well,
                format!("{whose}, {} numbers a text, digest {}", model.dim(), model.digest()),
            )
        }
    }
}

fn of_store(store: &Store, model: Option<&Model>) -> Check {
    if let Some(Err(error)) = model.map(|model| check_identity(store, None, model)) {
        return Check::ill("store", &error);
    }
    let missing: Vec<&str> =
        store.files().iter().filter(|file| !store.path(file).is_file()).map(|file| file.name.as_str()).collect();
    if let Some(first) = missing.first() {
        let found = format!("{} files that the catalog names are not there, {first} for one", missing.len());
        return Check::new("store", State::Ill, found)
            .hint("restore a backup; run: stillhunt store verify names all damage");
    }
    let bytes: u64 = store.files().iter().map(|file| file.bytes).sum();
    let exchanges: u64 = store.nights().iter().map(|night| night.exchanges).sum();
    let found =
        format!("{} nights, {exchanges} exchanges, {} files, {bytes} bytes", store.nights().len(), store.files().len());
    Check::new("store", State::Well, found)
}

fn of_key(common: &Common, store: Option<&Store>) -> Check {
    let path = match key_path(common) {
        Ok(path) => path,
        Err(error) => return Check::ill("key", &error),
    };
    match (AccountKey::read(&path), store.filter(|store| !store.nights().is_empty())) {
        (Err(error), _) => Check::ill("key", &error),
        (Ok(None), None) => {
            Check::new("key", State::Well, format!("none at {} yet: the first audit makes one", path.display()))
        }
        (Ok(None), Some(_)) => {
            Check::new("key", State::Ill, format!("expected the store's account key at {}, found none", path.display()))
                .hint("give --key the file it was made with")
        }
        (Ok(Some(key)), store) => match store.map(|store| check_key(store, &key)) {
            Some(Err(error)) => Check::ill("key", &error),
            _ => Check::new("key", State::Well, format!("{}, readable by its owner alone", path.display())),
        },
    }
}

fn of_disk(dir: &Path, store: Option<&Store>) -> Check {
    // The nearest directory that is there, where the store is not yet.
    let there = dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("."));
    let free = match disk_free(there) {
        Ok(free) => free,
        Err(error) => return Check::ill("disk", &error),
    };
    // A night that merges all segments writes them again before the old ones go.
    let merged: u64 = store.map_or(0, |store| store.files().iter().map(|file| file.bytes).sum());
    let wanted = LITTLE_FREE.max(merged / 2);
    let found = format!("{free} bytes free at {}", there.display());
    match free {
        0..LEAST_FREE => {
            Check::new("disk", State::Ill, found).hint("a full disk leaves the store as it was, and commits nothing")
        }
        _ if free < wanted => {
            Check::new("disk", State::Look, found).hint(format!("a night that merges may want {wanted} bytes"))
        }
        _ => Check::new("disk", State::Well, found),
    }
}

fn of_clock(store: Option<&Store>) -> Check {
    let now = match now() {
        Ok(now) => now,
        Err(error) => return Check::ill("clock", &error),
    };
    let newest = store.and_then(|store| store.nights().iter().map(|night| night.last_seen).max());
    match newest {
        Some(newest) if newest > now.micros() + DAY => {
            let days = (newest - now.micros()) / DAY;
            Check::new("clock", State::Look, format!("{now}; the store's newest exchange is {days} days ahead of it"))
                .hint("set the clock, or look at the times in the log: days of rings are those of the exchanges")
        }
        _ => Check::new("clock", State::Well, now.to_string()),
    }
}

fn of_files() -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    match limit {
        Some(n) if n < FEW_FILES => Check::new("limits", State::Look, format!("{n} files may be open at once"))
            .hint("ulimit -n 4096, or LimitNOFILE= in the unit"),
        Some(n) => Check::new("limits", State::Well, format!("{n} files may be open at once")),
        None => Check::new("limits", State::Well, "any number of files may be open at once"),
    }
}

fn of_temporary() -> Check {
    #[allow(clippy::disallowed_methods)]
    let dir = std::env::temp_dir();
    match check_dir(&dir) {
        Ok(()) => Check::new("temporary", State::Well, format!("{} can be written to", dir.display())),
        Err(error) => Check { state: State::Look, ..Check::ill("temporary", &error) },
    }
}
