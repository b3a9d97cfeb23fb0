//! One row's value → its exchanges: which schema it is, and the checks that every schema shares.
//!
//! The schema is decided row by row from the keys alone, so a file may mix several. The order of the questions is fixed:
//! the most particular key first. Weakness: a log of its own kind that happens to use our key `prompt` for something else
//! is read as ours; a column map settles it.

use super::draft::Draft;
use super::value::{get, id, keys, kind, scalar, structure};
use super::{Fault, LogConfig, Reason, otel, own, parse_time, request, wildchat};
use crate::exchange::Exchange;
use crate::ids::Time;
use serde_json::Value;

/// The exchanges of one row.
pub(crate) fn exchanges(value: Value, config: &LogConfig) -> Vec<Result<Exchange, Fault>> {
    let Value::Object(mut row) = value else {
        return vec![Err(Fault::new(Reason::NotAnObject, format!("expected one object, got {}", kind(&value))))];
    };
    if let Some(map) = &config.map {
        return vec![finish(map.draft(row), config)];
    }
    if otel::is_otlp(&row) {
        return finished(otel::drafts(row), config);
    }
    if wildchat::is_wildchat(&row) {
        return finished(wildchat::drafts(row), config);
    }
    if get(&row, "prompt").is_some() {
        return vec![finish(own::draft(row), config)];
    }
    structure(&mut row, &["request", "messages"]);
    if request::is_request(&row) {
        return vec![finish(request::draft(row), config)];
    }
    if otel::is_flat(&row) {
        return vec![finish(otel::flat(row), config)];
    }
    if get(&row, "account").is_some() && get(&row, "time").is_some() {
        let detail = format!("expected a prompt, got the keys {}; a column map can name it", keys(&row));
        return vec![Err(Fault::new(Reason::NoPrompt, detail))];
    }
    vec![Err(Fault::new(
        Reason::UnknownSchema,
        format!("expected a known schema or a column map, got the keys {}", keys(&row)),
    ))]
}

/// Checks every part of a row.
fn finished(drafts: Result<Vec<Draft>, Fault>, config: &LogConfig) -> Vec<Result<Exchange, Fault>> {
    match drafts {
        Ok(drafts) => drafts.into_iter().map(|draft| finish(draft, config)).collect(),
        Err(fault) => vec![Err(fault)],
    }
}

/// The checks that every schema shares.
fn finish(draft: Draft, config: &LogConfig) -> Result<Exchange, Fault> {
    let id = id(draft.id.as_ref())?;
    let account = account(draft.account.as_ref(), config)?;
    let time = time(draft.time.as_ref(), config)?;
    let prompt = draft
        .prompt
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| Fault::new(Reason::NoPrompt, "expected user text, got none"))?;
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(Exchange {
        id,
        account,
        end_user: said(draft.end_user),
        time,
        model: said(draft.model),
        prompt,
        system: said(draft.system),
        response: said(draft.response),
        conversation: said(draft.conversation),
        turns: draft.turns,
        attributes: draft.attributes,
    })
}

/// The account: text or number, 1 to 1,024 bytes.
fn account(value: Option<&Value>, config: &LogConfig) -> Result<String, Fault> {
    let Some(value) = value.filter(|v| !v.is_null() && v.as_str() != Some("")) else {
        let fault = || Fault::new(Reason::NoAccount, "expected an account, got none and no default for it");
        return config.default_account.clone().ok_or_else(fault);
    };
    let fault =
        |got: &str| Fault::new(Reason::BadAccount, format!("expected an account of 1 to 1024 bytes, got {got}"));
    let account = scalar(value).ok_or_else(|| fault(kind(value)))?;
    if account.len() > 1024 { Err(fault(&format!("{} bytes", account.len()))) } else { Ok(account) }
}

/// The time, in any form that [`parse_time`] reads.
fn time(value: Option<&Value>, config: &LogConfig) -> Result<Time, Fault> {
    let Some(value) = value.filter(|v| !v.is_null() && v.as_str() != Some("")) else {
        let fault = || Fault::new(Reason::NoTime, "expected a time, got none and no default for it");
        return config.default_time.ok_or_else(fault);
    };
    parse_time(value).ok_or_else(|| {
        let got = scalar(value).unwrap_or_else(|| kind(value).to_owned());
        let got: String = got.chars().take(40).collect();
        Fault::new(Reason::BadTime, format!("expected a time of the years 1990 to 2099, got {got:?}"))
    })
}
