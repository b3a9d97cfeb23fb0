//! `log show`: what the audit would take of a log, for a person who connects a new source.

use super::config;
use super::format::{Format, of};
use super::print;
use crate::audit::show::{Shown, show};
use crate::error::Result;
use crate::log::{ColumnMap, LogConfig, Taken, recognise, way_out};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::fmt::Write as _;

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show what an audit would take: the schema, the first exchanges with the path of each field, the first bad rows with their reason
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Logs: files, directories, globs, or - for standard input
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<String>,
    /// The map that the audit would get, for example prompt=body.text,account=key_id,time=ts; one without prompt, messages and request adds to
    /// the schema that is known
    #[arg(long, value_name = "FIELD=PATH,…")]
    map: Option<String>,
    /// Account of rows that name none
    #[arg(long, value_name = "NAME")]
    default_account: Option<String>,
    /// Time of rows that have none, for example 2026-11-21T00:00:00Z
    #[arg(long, value_name = "TIME")]
    default_time: Option<String>,
    /// Exchanges, and bad rows, that are shown of each log
    #[arg(long, value_name = "N", default_value_t = 3)]
    rows: usize,
    /// text or json
    #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
    format: Format,
}

/// Runs one of the commands about logs.
pub(crate) fn run(command: &LogCommand) -> Result<()> {
    let LogCommand::Show(args) = command;
    let log = LogConfig {
        map: args.map.as_deref().map(str::parse::<ColumnMap>).transpose()?,
        default_account: args.default_account.clone(),
        default_time: args.default_time.as_deref().map(config::moment).transpose()?,
        ..LogConfig::default()
    };
    let mut values = Vec::new();
    let inputs = config::inputs(&args.logs, &|name| recognise(name).is_some())?;
    for (input, shown) in inputs.iter().zip(show(&inputs, &log, args.rows)?) {
        if args.format == Format::Json {
            values.push(value(&input.name(), &shown));
        } else {
            print::out(&text(&input.name(), &shown))?;
        }
    }
    if args.format == Format::Json { print::json(&json!({"schema": 1, "logs": values})) } else { Ok(()) }
}

/// The fields of an exchange, as they are shown.
fn fields(taken: &Taken) -> Vec<(&'static str, Option<String>)> {
    let e = &taken.exchange;
    vec![
        ("id", e.id.clone()),
        ("account", Some(e.account.clone())),
        ("end_user", e.end_user.clone()),
        ("time", Some(e.time.to_string())),
        ("model", e.model.clone()),
        ("conversation", e.conversation.clone()),
        ("system", e.system.clone()),
        ("prompt", Some(e.prompt.clone())),
        ("response", e.response.clone()),
    ]
}

fn text(name: &str, shown: &Shown) -> String {
    let list = |counts: Vec<(&str, u64)>| {
        counts.iter().map(|(name, n)| format!("{name} ({n})")).collect::<Vec<_>>().join(", ")
    };
    let schemas: Vec<(&str, u64)> = shown.schemas.iter().map(|(name, n)| (*name, *n)).collect();
    let reasons: Vec<(&str, u64)> = shown.by_reason.iter().map(|(name, n)| (*name, *n)).collect();
    let mut out = format!("{}\n", print::line(name, 200));
    let what =
        if schemas.is_empty() { "no exchange".to_owned() } else { format!("exchanges by schema: {}", list(schemas)) };
    let _ = writeln!(out, "  {what}{}", if shown.more { "; the log goes on" } else { "" });
    for (reason, n) in &shown.passed_over {
        let what = match *reason {
            "redacted" => "hold a placeholder for a text that was redacted",
            "no-text" => "are calls with images, audio or files and no text",
            _ => "are no model calls",
        };
        let _ = writeln!(out, "  {n} rows {what} and are passed over");
    }
    if !reasons.is_empty() {
        let _ = writeln!(out, "  bad rows: {}", list(reasons));
    }
    for (place, taken) in &shown.taken {
        let _ = writeln!(out, "\n  row {}{}, {}", place.row, part(place.part), taken.origin.schema);
        for (field, value) in fields(taken) {
            let Some(value) = value else { continue };
            let path = taken.origin.path(field).filter(|path| !path.is_empty());
            let path = path.map(|path| format!("  <- {}", print::line(path, 80))).unwrap_or_default();
            let _ = writeln!(out, "    {field:<12} {}{path}", print::line(&value, 100));
        }
        if !taken.exchange.turns.is_empty() {
            let _ = writeln!(out, "    {:<12} {}", "earlier", taken.exchange.turns.len());
        }
    }
    for (place, bad) in &shown.bad {
        let _ = writeln!(
            out,
            "\n  row {}{}, bad: {}\n    {}",
            place.row,
            part(place.part),
            bad.reason,
            print::line(&bad.detail, 260)
        );
    }
    if let Some(advice) = way_out(shown.proposed.as_deref(), shown.lacks) {
        let _ = writeln!(out, "\n  try: {}", print::line(&advice, 700));
    }
    out
}

fn part(part: u32) -> String {
    if part == 0 { String::new() } else { format!(".{part}") }
}

fn value(name: &str, shown: &Shown) -> Value {
    let taken = shown.taken.iter().map(|(place, taken)| {
        let cut = |text: String| text.chars().take(1_000).collect::<String>();
        let fields = fields(taken).into_iter().filter_map(|(field, text)| {
            Some((field.to_owned(), json!({"value": cut(text?), "path": taken.origin.path(field)})))
        });
        let fields: serde_json::Map<String, Value> = fields.collect();
        json!({"row": place.row, "part": place.part, "schema": taken.origin.schema, "fields": fields, "turns": taken.exchange.turns.len()})
    });
    let bad = shown.bad.iter().map(|(place, bad)| {
        json!({"row": place.row, "part": place.part, "reason": bad.reason, "detail": bad.detail, "digest": bad.digest})
    });
    json!({
        "name": name, "schemas": shown.schemas, "exchanges": taken.collect::<Vec<_>>(), "bad": bad.collect::<Vec<_>>(),
        "bad_by_reason": shown.by_reason, "passed_over": shown.passed_over.values().sum::<u64>(), "passed_over_by_reason": shown.passed_over, "proposed_map": shown.proposed.as_deref(), "try": way_out(shown.proposed.as_deref(), shown.lacks), "more": shown.more,
    })
}
