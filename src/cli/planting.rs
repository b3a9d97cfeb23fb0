//! The check of an audit that marks are planted: its settings, its keys, and what it says.
//!
//! Keys are read before the audit begins, so that a wrong path costs no night, and are used after its commit. Whatever the check says or fails with, the
//! night stands.

use super::args::Audit;
use super::config::{self, Planted};
use super::{print, watermark};
use crate::audit::planting::{self, Condition, Expected, Settings};
use crate::audit::watermark::tests;
use crate::detect::Test;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::AccountId;
use crate::report::planting::Planting;
use crate::store::files::read_bounded;
use crate::store::key::AccountKey;
use crate::stored::Progress;
use crate::token::Tokenizer;
use crate::watermark::keys::Given;
use std::collections::BTreeSet;
use std::path::Path;

/// Largest list of accounts.
const MOST_ACCOUNT_BYTES: u64 = 64 << 20;

/// All that the check needs, ready before the audit.
pub(crate) struct Check {
    settings: Planted,
    keys: Vec<Expected>,
    strays: Vec<Test>,
    tokenizer: Tokenizer,
    by: Vec<String>,
    opted_out: BTreeSet<AccountId>,
    opted_out_where: Option<Condition>,
}

/// `NAME=VALUE`; none where the text has another form.
fn condition(text: &str) -> Option<Condition> {
    let (name, value) = text.split_once('=')?;
    let fits = !name.is_empty() && !name.contains(['/', '\\']);
    fits.then(|| Condition { name: name.to_owned(), value: value.to_owned() })
}

fn key_tests(path: &Path) -> Result<Vec<Test>> {
    Ok(tests(watermark::keys(path, &Given::default())?))
}

impl Check {
    /// Reads keys, tokenizer and lists, where something is to be checked.
    pub(crate) fn of(args: &Audit) -> Result<Option<Self>> {
        let Some(settings) = config::planted(args)? else {
            if args.planted_tokenizer.is_some() || args.planted_opt_out.is_some() || !args.planted_other.is_empty() {
                return Err(watermark::config("expected --planted KEYFILE beside the other --planted flags, got none"));
            }
            return Ok(None);
        };
        watermark::between("planted-alpha", settings.alpha.unwrap_or(0.01), 1e-9, 0.5)?;
        let mut keys = Vec::new();
        for given in &settings.keys {
            // A path may hold a colon; a condition has an equals sign before its first one.
            let split = given.split_once(':').and_then(|(head, path)| Some((condition(head)?, path)));
            let (condition, path) = split.map_or((None, given.as_str()), |(condition, path)| (Some(condition), path));
            let found = key_tests(Path::new(path))?;
            if found.len() > 1 && condition.is_none() {
                let what = format!("expected one key in {path}, got a range of {}", found.len());
                return Err(watermark::config(what).hint(
                    "give each key with what its responses have: --planted cohort=c1:c1.toml cohort=c2:c2.toml",
                ));
            }
            keys.extend(found.into_iter().map(|test| Expected { test, condition: condition.clone() }));
        }
        let strays: Vec<Vec<Test>> = settings.other.iter().map(|path| key_tests(path)).collect::<Result<_>>()?;
        let path = settings.tokenizer.as_ref().ok_or_else(|| {
            watermark::config("expected the served models' tokenizer beside --planted, got none")
                .hint("--planted-tokenizer tokenizer.json")
        })?;
        let tokenizer = Tokenizer::from_bytes(&read_bounded(path, 256 << 20)?)?;
        let all: Vec<&Test> = keys.iter().map(|key| &key.test).collect();
        watermark::told_apart(&tokenizer, &all);
        let by = settings.by.clone().unwrap_or_else(|| vec!["model".to_owned()]);
        let opted_out_where = settings.opt_out.as_deref().and_then(condition);
        Ok(Some(Self {
            keys,
            strays: strays.into_iter().flatten().collect(),
            tokenizer,
            by,
            opted_out: BTreeSet::new(),
            opted_out_where,
            settings,
        }))
    }

    /// The accounts of a list, by name or pseudonym.
    fn accounts(&mut self, key: &AccountKey) -> Result<()> {
        let Some(path) = self.settings.opt_out.as_deref().filter(|_| self.opted_out_where.is_none()) else {
            return Ok(());
        };
        let text = String::from_utf8(read_bounded(Path::new(path), MOST_ACCOUNT_BYTES)?).map_err(|_| {
            Error::new(ErrorKind::Config, format!("expected a list of accounts in UTF-8 in {path}, got other bytes"))
        })?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        self.opted_out =
            lines.map(|name| name.parse().unwrap_or_else(|()| AccountId::derive(key.bytes(), name))).collect();
        Ok(())
    }

    /// Checks a night that was committed.
    pub(crate) fn run(
        mut self,
        store: &Path,
        night: u32,
        key: &AccountKey,
        holder: &str,
        progress: &dyn Progress,
    ) -> Result<Planting> {
        self.accounts(key)?;
        let settings = Settings {
            keys: &self.keys,
            strays: &self.strays,
            tokenizer: &self.tokenizer,
            by: &self.by,
            sample: self.settings.sample.unwrap_or(500),
            opted_out: &self.opted_out,
            opted_out_where: self.opted_out_where.as_ref(),
            alpha: self.settings.alpha.unwrap_or(0.01),
            seed: self.settings.seed,
            holder,
        };
        planting::planting(store, night, &settings, progress)
    }
}

/// Says the alarms on standard error.
pub(crate) fn tell(planting: &Planting) {
    planting.alarms.iter().for_each(|alarm| print::say(&format!("planting: {}", print::line(alarm, 400))));
}
