//! The command line: parse, call `audit`, render. The only place that knows the clock, the environment and the terminal.

mod alerts;
mod args;
mod calibrate;
mod channels;
mod config;
mod custody;
mod doctor;
mod evidence;
mod evidence_args;
mod forget;
mod format;
mod health;
mod log_show;
mod logs;
mod lookups;
mod manual;
#[cfg(feature = "oidc")]
mod oidc;
mod planting;
mod print;
mod progress;
mod radioactivity;
mod radioactivity_args;
mod registry;
mod rings;
mod serve;
mod serve_args;
mod watermark;
mod watermark_args;
mod watermark_plan;

use crate::embed::Model;
use crate::error::{Error, ErrorKind};
use crate::ids::{AccountId, FamilyId};
use crate::stored::Progress;
use crate::watermark::keys::{Given, Key};
use args::{AlertsCommand, Cli, Command};
use clap::Parser as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs the program and returns its exit status: 0 ran, 2 could not run.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Nothing is visible in a store before its one commit, so stopping at any moment is safe; only the sentence is missing.
    // The desk ends in its own way, with all answers sent.
    if !matches!(cli.command, Command::Serve(_)) {
        let _ = ctrlc::set_handler(|| {
            print::say("stopped before the end; a night is in the store whole or not at all");
            std::process::exit(130);
        });
    }
    match run(cli.command) {
        Ok(status) => status.map_or(ExitCode::SUCCESS, ExitCode::from),
        Err(error) if error.kind() == ErrorKind::Io && error.to_string() == print::CLOSED => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(2)
        }
    }
}

/// Runs one command for another program, in its process: `args` are those of the command line without the program's name. Returns what
/// the command prints; what it says of its work is told to `listener`.
///
/// # Errors
/// Those of the command; `Config` where the arguments are not as they should be.
pub fn hosted(args: &[String], listener: Arc<dyn Progress + Send + Sync>) -> crate::error::Result<String> {
    let named = std::iter::once("stillhunt").chain(args.iter().map(String::as_str));
    match Cli::try_parse_from(named) {
        Ok(cli) => print::hosted(listener, || run(cli.command)),
        Err(told) if !told.use_stderr() => Ok(told.to_string()),
        Err(wrong) => {
            let text = wrong.to_string();
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let error = Error::new(ErrorKind::Config, message);
            Err(match lines.next().filter(|line| !line.starts_with("Usage")) {
                Some(tip) => error.hint(tip.trim_start_matches("tip: ")),
                None => error,
            })
        }
    }
}

/// The embedding model of a directory, or the one that the program carries.
///
/// # Errors
/// `Model` or `Io` when it cannot be read.
pub fn model(dir: Option<&Path>) -> crate::error::Result<Model> {
    config::model_of(dir)
}

/// The pseudonym of an account: `text` is one already, or the account's own name in a store whose key is in `key` (or where `audit` keeps it).
///
/// # Errors
/// `Config` without the key, `Store` when it is another store's.
pub fn account_id(store: &Path, key: Option<&Path>, text: &str) -> crate::error::Result<AccountId> {
    let common = args::Common { store: store.into(), model: None, key: key.map(Path::to_path_buf), threads: None };
    config::account(&common, text)
}

/// The name of a family.
///
/// # Errors
/// `Config` when it is none.
pub fn family_id(text: &str) -> crate::error::Result<FamilyId> {
    lookups::family_id(text)
}

/// The keys of a watermark's key file; several where it names a range of paths. `root` and `paths` stand for what the file says of them.
///
/// # Errors
/// `Config` when the file cannot be read or is no key file.
pub fn watermark_keys(file: &Path, root: Option<&Path>, paths: Option<String>) -> crate::error::Result<Vec<Key>> {
    let root = root.map(watermark::root).transpose()?;
    watermark::keys(file, &Given { vocab_size: None, path: paths, root })
}

fn run(command: Command) -> crate::error::Result<Option<u8>> {
    let ran = match command {
        Command::Audit(args) => return logs::audit(&args),
        Command::Simulate(args) => logs::simulate(&args),
        Command::Log(command) => log_show::run(&command),
        Command::Similar(args) => lookups::similar(&args),
        Command::Family(args) => lookups::family(&args),
        Command::Account(args) => lookups::account(&args),
        Command::Ring(args) => rings::ring(&args),
        Command::Registry(command) => registry::run(&command),
        Command::Export(args) => lookups::export(&args),
        Command::Alerts(AlertsCommand::Send { store, config }) => channels::send(&store, &config),
        Command::Store(args) => lookups::store(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Watermark(command) => watermark::run(&command),
        Command::Contexts(command) => radioactivity::contexts(&command),
        Command::Radioactivity(command) => radioactivity::radioactivity(&command),
        Command::Evidence(command) => evidence::run(&command),
        Command::Serve(args) => serve::run(&args),
        Command::Doctor(args) => return doctor::doctor(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Manual(args) => manual::manual(&args),
    };
    ran.map(|()| None)
}

fn report(error: &Error) {
    print::say(&format!("error: {error}"));
    if let Some(hint) = error.hint_text() {
        print::say(&format!("hint: {hint}"));
    }
}

/// Sets the number of threads, where one was asked for.
fn threads(n: Option<usize>) -> crate::error::Result<()> {
    let Some(n) = n else { return Ok(()) };
    match rayon::ThreadPoolBuilder::new().num_threads(n).build_global() {
        // A program that runs several commands has its threads from the first of them.
        Err(_) if rayon::current_num_threads() == n => Ok(()),
        Err(cause) => Err(Error::new(ErrorKind::Config, format!("cannot start {n} threads: {cause}"))),
        Ok(()) => Ok(()),
    }
}
