//! A store that stays open: look-ups in milliseconds, as one commit has it.
//!
//! Weakness: what a later night adds is seen by a store that is opened again. Guarantee: the JSON is that of the command of the same name.

use super::table::{Table, of_csv};
use super::texts::model;
use super::work::work;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, Level, Time};
use crate::log::parse_time;
use crate::lookup::{self, Opened, SimilarQuery};
use crate::report::ring::Rung;
use crate::stored::AuditConfig;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An open store.
#[pyclass(frozen, module = "stillhunt._native")]
pub(super) struct Store {
    opened: Mutex<Opened<'static>>,
    dir: PathBuf,
    key: Option<PathBuf>,
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write JSON: {cause}")))
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

fn moment(text: Option<String>) -> Result<Option<Time>> {
    let read = |text: String| {
        let value = serde_json::Value::String(text);
        parse_time(&value)
            .ok_or_else(|| config(format!("expected a time, got {value}")).hint("for example 2026-11-21T08:00:00Z"))
    };
    text.map(read).transpose()
}

impl Store {
    fn opened(&self) -> MutexGuard<'_, Opened<'static>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id_of(&self, account: &str) -> Result<AccountId> {
        crate::cli::account_id(&self.dir, self.key.as_deref(), account)
    }
}

#[pymethods]
impl Store {
    /// Opens the store of a directory.
    #[new]
    #[pyo3(signature = (dir, key=None, model=None))]
    fn new(py: Python<'_>, dir: PathBuf, key: Option<PathBuf>, model: Option<PathBuf>) -> PyResult<Self> {
        let (opened, _) = work(py, None, |_| {
            Opened::open(crate::store::Store::open(&dir)?, self::model(model)?, &AuditConfig::default())
        })?;
        Ok(Self { opened: Mutex::new(opened), dir, key })
    }

    /// The prompts most like a text, or like that of an exchange, as JSON.
    #[pyo3(signature = (text=None, exchange_id=None, k=10, since=None, until=None, account=None, served_model=None, family=None))]
    #[expect(clippy::too_many_arguments, reason = "one a filter, as the command has them")]
    fn similar(
        &self,
        py: Python<'_>,
        text: Option<String>,
        exchange_id: Option<String>,
        k: usize,
        since: Option<String>,
        until: Option<String>,
        account: Option<String>,
        served_model: Option<String>,
        family: Option<String>,
    ) -> PyResult<String> {
        let found = work(py, None, |_| {
            let opened = self.opened();
            let text = match (text, exchange_id) {
                (Some(text), None) => text,
                (None, Some(id)) => opened.prompt_of(&id)?,
                _ => return Err(config("expected a text or the id of an exchange, got both or neither".into())),
            };
            if text.trim().is_empty() {
                return Err(Error::new(ErrorKind::Input, "expected a text to search for, got an empty one"));
            }
            let family = family.as_deref().map(crate::cli::family_id).transpose()?;
            let account = account.as_deref().map(|account| self.id_of(account)).transpose()?;
            let (since, until) = (moment(since)?, moment(until)?);
            json(&opened.similar(&SimilarQuery {
                text,
                k,
                since,
                until,
                account,
                model: served_model,
                family,
                nights: None,
            })?)
        });
        Ok(found?.0)
    }

    /// One family with its accounts, as JSON.
    fn family(&self, py: Python<'_>, id: String) -> PyResult<String> {
        let found = work(py, None, |_| json(&self.opened().family(crate::cli::family_id(&id)?, usize::MAX)?));
        Ok(found?.0)
    }

    /// One account with its families, as JSON.
    fn account(&self, py: Python<'_>, account: String) -> PyResult<String> {
        let found = work(py, None, |_| {
            let id = self.id_of(&account)?;
            json(&self.opened().account(id)?)
        });
        Ok(found?.0)
    }

    /// `members` of families (of one level, where one is given) or of `rings`, as a table.
    #[pyo3(signature = (what, level=None))]
    fn export(&self, py: Python<'_>, what: &str, level: Option<String>) -> PyResult<Table> {
        let found = work(py, None, |_| {
            // A store of its own: an export of millions of rows keeps no look-up waiting.
            let store = crate::store::Store::open(&self.dir)?;
            match what {
                "members" => {
                    let levels = match level.as_deref().map(str::parse::<Level>) {
                        None => vec![Level::Exact, Level::NearDuplicate, Level::Fragment],
                        Some(Ok(level)) => vec![level],
                        Some(Err(())) => {
                            let expected = "expected the level exact, near-duplicate or fragment, got another";
                            return Err(config(expected.into()));
                        }
                    };
                    let mut out = Vec::new();
                    lookup::export_members(&store, &levels, &mut out)?;
                    of_csv(&out)
                }
                "rings" => of_csv(lookup::export_rings(&store, Rung::Chance)?.as_bytes()),
                other => Err(config(format!("expected members or rings, got {other:?}"))),
            }
        });
        Ok(found?.0)
    }
}
