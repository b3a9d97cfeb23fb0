//! Settings: flags over one TOML file over defaults; the account key and the model.
#![allow(clippy::disallowed_methods)]

use super::args::{Audit, Common};
use super::channels::{Channels, Syslog, Webhook};
use super::custody;
use crate::audit;
use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::fragment::KnownTexts;
use crate::ids::Time;
use crate::log::{ColumnMap, LogConfig, parse_time};
use crate::ring::RingConfig;
use crate::store::custody::{Act, ActInput};
use crate::store::files::{digest_file, read_bounded};
use crate::store::input::Input;
use crate::store::key::AccountKey;
use crate::stored::{AuditConfig, FragmentConfig, KnownSource, KnownWhat};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings that a TOML file may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    map: Option<ColumnMap>,
    default_account: Option<String>,
    default_time: Option<String>,
    max_bad_share: Option<f64>,
    keep_bad_rows: Option<bool>,
    max_quarantine_rows: Option<u64>,
    allow_empty: Option<bool>,
    expected_neighbours: Option<f64>,
    threshold: Option<f64>,
    fragment_accounts: Option<u32>,
    fragment_nights: Option<u32>,
    compared_nights: Option<u32>,
    known: Option<Vec<PathBuf>>,
    seed: Option<u64>,
    batch_rows: Option<usize>,
    max_row_bytes: Option<usize>,
    max_row_values: Option<usize>,
    max_log_bytes: Option<u64>,
    day_starts: Option<String>,
    alert: Option<Vec<String>>,
    alert_seconds: Option<u64>,
    /// Whether alerts carry texts of logs.
    alert_texts: Option<bool>,
    planted: Option<Planted>,
    webhook: Option<Webhook>,
    syslog: Option<Syslog>,
}

/// What should be planted where, as flags and the file say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Planted {
    /// Key files, each with `NAME=VALUE:` before it or not.
    pub(crate) keys: Vec<String>,
    pub(crate) tokenizer: Option<PathBuf>,
    pub(crate) by: Option<Vec<String>>,
    pub(crate) other: Vec<PathBuf>,
    pub(crate) opt_out: Option<String>,
    pub(crate) sample: Option<usize>,
    pub(crate) alpha: Option<f64>,
    /// Seed of the sample: that of the audit.
    #[serde(skip)]
    pub(crate) seed: u64,
}

/// What should be planted, where somebody says it; a flag wins.
pub(crate) fn planted(args: &Audit) -> Result<Option<Planted>> {
    let file = settings(args)?;
    let seed = args.seed.or(file.seed).unwrap_or(AuditConfig::default().seed);
    let of = file.planted.unwrap_or_default();
    let either = |flag: &[String], file: Vec<String>| if flag.is_empty() { file } else { flag.to_vec() };
    let by = (!args.planted_by.is_empty()).then(|| args.planted_by.clone()).or(of.by);
    let planted = Planted {
        keys: either(&args.planted, of.keys),
        tokenizer: args.planted_tokenizer.clone().or(of.tokenizer),
        by,
        other: if args.planted_other.is_empty() { of.other } else { args.planted_other.clone() },
        opt_out: args.planted_opt_out.clone().or(of.opt_out),
        sample: args.planted_sample.or(of.sample),
        alpha: args.planted_alpha.or(of.alpha),
        seed,
    };
    Ok((!planted.keys.is_empty()).then_some(planted))
}

/// The operator's own command for new rings.
#[derive(Debug)]
pub(crate) struct Alert {
    /// Program and arguments.
    pub(crate) command: Vec<OsString>,
    /// After so long it is stopped.
    pub(crate) limit: Duration,
}

/// The command for new rings, where one is set: the flag names a program, the file a program with its arguments.
pub(crate) fn alert(args: &Audit) -> Result<Option<Alert>> {
    let file = settings(args)?;
    let of_file = file.alert.unwrap_or_default().into_iter().map(OsString::from).collect();
    let command = args.alert.as_ref().map_or(of_file, |program| vec![program.clone().into_os_string()]);
    let limit = Duration::from_secs(file.alert_seconds.unwrap_or(30).max(1));
    Ok((!command.is_empty()).then_some(Alert { command, limit }))
}

/// Where alerts go beside that.
pub(super) fn channels(config: Option<&Path>) -> Result<Channels> {
    let file = settings_of(config)?;
    Ok(Channels { webhook: file.webhook, syslog: file.syslog, texts: file.alert_texts.unwrap_or(false) })
}

fn settings(args: &Audit) -> Result<Settings> {
    settings_of(args.config.as_deref())
}

fn settings_of(path: Option<&Path>) -> Result<Settings> {
    let Some(path) = path else { return Ok(Settings::default()) };
    let bytes = read_bounded(path, 1 << 20)?;
    let text = String::from_utf8_lossy(&bytes);
    toml::from_str(&text)
        .map_err(|cause| Error::new(ErrorKind::Config, format!("{}: {}", path.display(), cause.message())))
}

/// When a day begins, as HH:MM with an offset or none, in seconds after midnight UTC.
fn day_starts(text: &str) -> Result<i32> {
    let expected = || {
        let message = format!("expected when a day begins as HH:MM or HH:MM+HH:MM, got {text:?}");
        Error::new(ErrorKind::Config, message).hint("for example 04:00+02:00")
    };
    let seconds = |text: &str| -> Option<i32> {
        let (hours, minutes) = text.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
        let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
        (hours < 24 && minutes < 60).then(|| i32::from(hours) * 3600 + i32::from(minutes) * 60)
    };
    let (time, offset) = text.split_at(text.find(['+', '-']).unwrap_or(text.len()));
    let time = seconds(time).ok_or_else(expected)?;
    let ahead = match offset.split_at_checked(1) {
        None => 0,
        Some((sign, of)) => seconds(of).ok_or_else(expected)? * if sign == "-" { -1 } else { 1 },
    };
    Ok(time - ahead)
}

/// The settings of an audit.
pub(crate) fn audit(args: &Audit) -> Result<AuditConfig> {
    let file = settings(args)?;
    let default = AuditConfig::default();
    let share =
        range("max_bad_share", args.max_bad_share.or(file.max_bad_share).unwrap_or(default.max_bad_share), 0.0, 1.0)?;
    let expected = args.expected_neighbours.or(file.expected_neighbours).unwrap_or(default.expected_neighbours);
    let threshold = args.threshold.or(file.threshold);
    let time = args.default_time.as_deref().or(file.default_time.as_deref());
    let mut known = Vec::new();
    for path in args.known.iter().chain(file.known.iter().flatten()) {
        known.extend(known_sources(path)?);
    }
    let starts = args.day_starts.as_deref().or(file.day_starts.as_deref()).map(day_starts).transpose()?;
    let nights = args.fragment_nights.or(file.fragment_nights).unwrap_or(default.fragments.nights);
    let accounts = args.fragment_accounts.or(file.fragment_accounts).unwrap_or(default.fragments.least_accounts);
    let mut config = AuditConfig {
        rings: starts.map(|day_starts| RingConfig { day_starts, ..RingConfig::default() }),
        fragments: FragmentConfig {
            least_accounts: accounts.max(2),
            nights: nights.max(1),
            known,
            ..default.fragments
        },
        log: LogConfig {
            map: args.map.as_deref().map(str::parse).transpose()?.or(file.map.clone()),
            default_account: args.default_account.clone().or(file.default_account.clone()),
            default_time: time.map(moment).transpose()?,
            batch_rows: args.batch_rows.or(file.batch_rows).unwrap_or(default.log.batch_rows).clamp(1, 1 << 20),
            max_row_bytes: file.max_row_bytes.unwrap_or(default.log.max_row_bytes).max(1024),
            max_row_values: file.max_row_values.unwrap_or(default.log.max_row_values).max(1024),
            max_log_bytes: file.max_log_bytes.unwrap_or(default.log.max_log_bytes).max(1024),
            ..default.log
        },
        compared_nights: args.compared_nights.or(file.compared_nights).unwrap_or(default.compared_nights),
        seed: args.seed.or(file.seed).unwrap_or(default.seed),
        max_bad_share: share,
        keep_bad_rows: args.keep_bad_rows || file.keep_bad_rows == Some(true),
        max_quarantine_rows: file.max_quarantine_rows.unwrap_or(default.max_quarantine_rows).max(1),
        allow_empty: args.allow_empty || file.allow_empty == Some(true),
        expected_neighbours: range("expected_neighbours", expected, 1e-9, 1e3)?,
        threshold: threshold.map(|t| range("threshold", t, 0.5, 2.5)).transpose()?,
        model_name: args.common.model.as_ref().map_or_else(|| default.model_name, |dir| dir.display().to_string()),
        holder: format!("process {}", std::process::id()),
        act: None,
    };
    config.act = Some(act(args, &file, &config)?);
    Ok(config)
}

/// What the chain of custody is told of an audit: what decides its outcome, as a step of a recipe has it.
fn act(args: &Audit, file: &Settings, config: &AuditConfig) -> Result<Act> {
    let mut arguments = vec![
        format!("--seed={}", config.seed),
        format!("--expected-neighbours={}", config.expected_neighbours),
        format!("--fragment-accounts={}", config.fragments.least_accounts),
        format!("--fragment-nights={}", config.fragments.nights),
        format!("--compared-nights={}", config.compared_nights),
        format!("--max-bad-share={}", config.max_bad_share),
    ];
    let mut value = |flag: &str, value: Option<&str>| arguments.extend(value.map(|value| format!("--{flag}={value}")));
    value("threshold", config.threshold.map(|threshold| threshold.to_string()).as_deref());
    value("map", config.log.map.as_ref().map(ToString::to_string).as_deref());
    value("default-time", args.default_time.as_deref().or(file.default_time.as_deref()));
    value("day-starts", args.day_starts.as_deref().or(file.day_starts.as_deref()));
    // These are told of and not kept: a name of an account, and what is no flag. A replay then says that it cannot be.
    value("default-account", config.log.default_account.as_ref().map(|_| "not kept"));
    value("model", args.common.model.as_ref().map(|_| "not kept"));
    let default = LogConfig::default();
    let bounds = |of: &LogConfig| (of.max_row_bytes, of.max_row_values, of.max_log_bytes);
    value("limits", (bounds(&config.log) != bounds(&default)).then_some("of a configuration file"));
    let mut inputs = Vec::new();
    for path in args.known.iter().chain(file.known.iter().flatten()) {
        arguments.push(format!("--known={{input:{}}}", inputs.len()));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let blake3 = Some(digest_file(path)?.0.to_string());
        inputs.push(ActInput { role: "known".into(), name, blake3 });
    }
    Ok(Act { inputs, ..custody::act(None, "audit", arguments)? })
}

/// Largest file of known texts.
const MOST_KNOWN_BYTES: u64 = 64 << 20;

/// The known texts of files.
pub(super) fn known_texts(paths: &[PathBuf]) -> Result<KnownTexts> {
    let known = paths.iter().map(|path| known_sources(path)).collect::<Result<Vec<_>>>()?.concat();
    Ok(audit::known_texts(&FragmentConfig { known, ..FragmentConfig::default() }))
}

/// The known texts of a file, each under the file's name.
pub(super) fn known_sources(path: &Path) -> Result<Vec<KnownSource>> {
    let text = String::from_utf8_lossy(&read_bounded(path, MOST_KNOWN_BYTES)?).into_owned();
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let digests: Option<Vec<KnownSource>> = lines
        .iter()
        .map(|line| {
            let (digest, name) = line.split_once(char::is_whitespace).unwrap_or((line, &file));
            let what = KnownWhat::Digest(digest.parse().ok()?);
            Some(KnownSource { name: name.trim().to_owned(), what })
        })
        .collect();
    if let Some(digests) = digests.filter(|digests| !digests.is_empty()) {
        return Ok(digests);
    }
    #[derive(Deserialize)]
    struct Line {
        name: Option<String>,
        text: String,
    }
    let of_line = |line: &&str| serde_json::from_str::<Line>(line).ok();
    let texts: Option<Vec<Line>> = lines.iter().map(of_line).collect();
    if let Some(texts) = texts.filter(|texts| !texts.is_empty()) {
        let named = |line: Line| {
            let name = line.name.map_or_else(|| file.clone(), |name| format!("{file}: {name}"));
            KnownSource { name, what: KnownWhat::Text(line.text) }
        };
        return Ok(texts.into_iter().map(named).collect());
    }
    if text.trim().is_empty() {
        return Err(Error::new(
            ErrorKind::Config,
            format!("expected a known text in {}, got an empty file", path.display()),
        ));
    }
    Ok(vec![KnownSource { name: file, what: KnownWhat::Text(text) }])
}

fn range(name: &str, value: f64, low: f64, high: f64) -> Result<f64> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(Error::new(ErrorKind::Config, format!("expected {name} between {low} and {high}, got {value}")))
}

/// A time given on the command line.
pub(crate) fn moment(text: &str) -> Result<Time> {
    parse_time(&serde_json::Value::String(text.to_owned())).ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("expected a time, got {text:?}")).hint("for example 2026-11-21T08:00:00Z")
    })
}

/// The model of a directory, or the one in the program.
pub(crate) fn model(common: &Common) -> Result<Model> {
    model_of(common.model.as_deref())
}

/// The same, of this directory.
pub(super) fn model_of(dir: Option<&Path>) -> Result<Model> {
    let Some(dir) = dir else { return shipped() };
    let read = |name: &str| {
        read_bounded(&dir.join(name), 4 << 30).map_err(|error| {
            error.hint("give a model directory as model2vec writes it: config.json, tokenizer.json, model.safetensors")
        })
    };
    let romanise = dir.join("romanise.json").is_file().then(|| read("romanise.json")).transpose()?;
    Model::from_parts(&read("config.json")?, &read("tokenizer.json")?, &read("model.safetensors")?, romanise.as_deref())
}

/// The model that the program carries.
fn shipped() -> Result<Model> {
    Model::from_parts(
        include_bytes!("../../models/config.json"),
        include_bytes!("../../models/tokenizer.json"),
        include_bytes!("../../models/model.safetensors"),
        Some(include_bytes!("../../models/romanise.json")),
    )
}

/// Where the account key is.
pub(crate) fn key_path(common: &Common) -> Result<PathBuf> {
    if let Some(path) = &common.key {
        return Ok(path.clone());
    }
    let home = |name: &str| std::env::var_os(name).filter(|dir| Path::new(dir).is_absolute()).map(PathBuf::from);
    let config = home("XDG_CONFIG_HOME").or_else(|| home("HOME").map(|home| home.join(".config")));
    config.map(|dir| dir.join("stillhunt/account.key")).ok_or_else(|| {
        Error::new(ErrorKind::Config, "expected HOME or XDG_CONFIG_HOME to find the account key, got neither")
            .hint("give --key FILE")
    })
}

/// The account key; made where there is none and the store has no rows yet.
pub(crate) fn key_or_new(common: &Common) -> Result<(AccountKey, bool)> {
    let path = key_path(common)?;
    if let Some(key) = AccountKey::read(&path)? {
        return Ok((key, false));
    }
    let has_rows =
        common.store.join("catalog.sqlite").is_file() && !crate::store::Store::open(&common.store)?.nights().is_empty();
    if has_rows {
        return Err(Error::new(
            ErrorKind::Store,
            format!("expected the account key of the store at {}, found none", path.display()),
        )
        .hint("give --key the file it was made with: with a new key every account would be a stranger"));
    }
    AccountKey::create(&path).map(|key| (key, true))
}

/// An account given by its pseudonym, or by its name with the key.
pub(crate) fn account(common: &Common, text: &str) -> Result<crate::ids::AccountId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let path = key_path(common)?;
    let key = AccountKey::read(&path)?.ok_or_else(|| {
        let message =
            format!("expected a pseudonym (a and 24 hex digits), or a name with its key at {}", path.display());
        Error::new(ErrorKind::Config, message)
    })?;
    crate::stored::check_key(&crate::store::Store::open(&common.store)?, &key)?;
    Ok(crate::ids::AccountId::derive(key.bytes(), text))
}

/// What the environment says of object stores; read only where an address of one is given.
pub(crate) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The logs that arguments name, on this machine or in object stores.
pub(crate) fn inputs(arguments: &[String], is_log: &dyn Fn(&str) -> bool) -> Result<Vec<Input>> {
    crate::store::input::expand_with(arguments, is_log, &environment)
}
