//! The command line: parse, call `audit`, render. The only place that knows the clock, the environment and the terminal.

mod alerts;
mod args;
mod calibrate;
mod config;
mod custody;
mod evidence;
mod evidence_args;
mod forget;
mod format;
mod health;
mod log_show;
mod logs;
mod lookups;
mod planting;
mod print;
mod progress;
mod radioactivity;
mod radioactivity_args;
mod registry;
mod rings;
mod watermark;
mod watermark_args;
mod watermark_plan;

use crate::error::{Error, ErrorKind};
use args::{Cli, Command};
use clap::Parser as _;
use std::process::ExitCode;

/// Runs the program and returns its exit status: 0 ran, 2 could not run.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Nothing is visible in a store before its one commit, so stopping at any moment is safe; only the sentence is missing.
    let _ = ctrlc::set_handler(|| {
        print::say("stopped before the end; a night is in the store whole or not at all");
        std::process::exit(130);
    });
    match run(cli.command) {
        Ok(status) => status.map_or(ExitCode::SUCCESS, ExitCode::from),
        Err(error) if error.kind() == ErrorKind::Io && error.to_string() == print::CLOSED => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(2)
        }
    }
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
        Command::Store(args) => lookups::store(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Watermark(command) => watermark::run(&command),
        Command::Contexts(command) => radioactivity::contexts(&command),
        Command::Radioactivity(command) => radioactivity::radioactivity(&command),
        Command::Evidence(command) => evidence::run(&command),
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
    rayon::ThreadPoolBuilder::new()
        .num_threads(n)
        .build_global()
        .map_err(|cause| Error::new(ErrorKind::Config, format!("cannot start {n} threads: {cause}")))
}
