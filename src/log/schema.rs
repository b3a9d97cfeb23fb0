//! One row's value → its exchanges: which schema it is, and the checks that every schema shares.
//!
//! The schema is decided row by row from the keys alone, so a file may mix several. The order of the questions is fixed:
//! the most particular key first. A row that no schema knows may be an envelope around rows: a page of an API, a line of a collector. Weakness: a log of its own kind that happens to use our key `prompt` for something else
//! is read as ours; a column map settles it.

use super::draft::{Draft, Taken};
use super::join::{Piece, Waiting};
use super::propose::Lacks;
use super::redaction::is_placeholder;
use super::schemas;
use super::value::{Object, get, id, keys, kind, scalar, structure, unpacked};
use super::{Fault, LogConfig, Reason, chats, otel, own, parse_time, propose, request, spread, wildchat};
use crate::exchange::Exchange;
use crate::ids::Time;
use serde_json::Value;

/// What comes of a row.
type Found = Vec<Result<Piece, Fault>>;

/// How deep rows may lie in an envelope.
const ENVELOPES: u32 = 2;

/// Most rows of an envelope.
const ENCLOSED: usize = 1 << 20;

/// The exchanges of one row.
pub(crate) fn exchanges(value: Value, config: &LogConfig) -> Found {
    rows(value, config, 0, None)
}

/// A time that stands outside a row, in what encloses it, with its name.
type Outside = (&'static str, Value);

fn rows(value: Value, config: &LogConfig, depth: u32, outside: Option<Outside>) -> Found {
    // A line may be the text of an object.
    let value = if value.is_string() { unpacked(value) } else { value };
    let Value::Object(mut row) = value else {
        return vec![Err(Fault::new(Reason::NotAnObject, format!("expected one object, got {}", kind(&value))))];
    };
    let Some(map) = &config.map else { return recognised(row, config, depth, outside, &|_| {}) };
    if map.is_whole() {
        if depth < ENVELOPES
            && !map.begins_in(&row)
            && let Some(list) = enclosed(&mut row)
        {
            return list.into_iter().flat_map(|(row, time)| rows(row, config, depth + 1, time)).collect();
        }
        return pieces(map.draft(row), config);
    }
    // A map that adds: what it names is copied first, for a schema takes a row apart.
    let mut whole = Value::Object(std::mem::take(&mut row));
    let found: Vec<(String, Value)> =
        map.found(&mut whole).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let Value::Object(row) = whole else { return Vec::new() };
    recognised(row, config, depth, outside, &|draft| {
        map.add(found.iter().map(|(name, value)| (name.as_str(), value.clone())).collect(), draft)
    })
}

/// The exchanges of a row by its keys; `add` puts in what a map found.
fn recognised(
    mut row: Object,
    config: &LogConfig,
    depth: u32,
    outside: Option<Outside>,
    add: &dyn Fn(&mut Draft),
) -> Found {
    let named = |field: &str| config.map.as_ref().is_some_and(|map| map.names(field));
    let wanted = Lacks {
        account: config.default_account.is_none() && !named("account"),
        time: config.default_time.is_none() && !named("time"),
    };
    let one = |draft: Result<Draft, Fault>| match draft {
        Ok(mut draft) => {
            add(&mut draft);
            if let (None, Some((name, time))) = (&draft.time, &outside) {
                draft.time = Some(time.clone());
                draft.origin.from("time", *name);
            }
            pieces(draft, config)
        }
        Err(fault) => vec![Err(fault)],
    };
    let several = |drafts: Result<Vec<Draft>, Fault>| match drafts {
        Ok(drafts) => drafts.into_iter().flat_map(|draft| one(Ok(draft))).collect(),
        Err(fault) => vec![Err(fault)],
    };
    // Ours by two of its keys, which no other tool has together. It is asked for first, and so is a body beside our account: what a caller writes into the body
    // is a key of the row there, and could otherwise make the row one of a tool that has the account elsewhere, or none.
    if get(&row, "account").is_some() {
        if get(&row, "prompt").is_some() {
            return one(Ok(own::draft(row, wanted)));
        }
        structure(&mut row, &["request", "messages", "contents"]);
        if request::is_request(&row) {
            return one(request::call(row, wanted));
        }
    }
    if otel::is_otlp(&row) {
        return several(otel::drafts(row));
    }
    if wildchat::is_wildchat(&row) {
        return several(wildchat::drafts(row));
    }
    if chats::is_chat(&mut row) {
        return several(chats::drafts(row));
    }
    if let Some(list) = schemas::inside(&mut row) {
        return list.into_iter().flat_map(|row| rows(Value::Object(row), config, depth + 1, None)).collect();
    }
    if let Some(schema) = schemas::of(&row) {
        return one(schema.draft(row, wanted));
    }
    if get(&row, "prompt").is_some() {
        return one(Ok(own::draft(row, wanted)));
    }
    structure(&mut row, &["request", "messages", "contents", "attributes"]);
    if request::is_request(&row) {
        return one(request::call(row, wanted));
    }
    otel::plain_attributes(&mut row);
    if otel::is_flat(&row) {
        return one(otel::flat(row, wanted));
    }
    if depth < ENVELOPES
        && let Some(list) = enclosed(&mut row)
    {
        let deeper =
            |(row, time): (Value, Option<Outside>)| rows(row, config, depth + 1, time.or_else(|| outside.clone()));
        return list.into_iter().flat_map(deeper).collect();
    }
    if depth < ENVELOPES
        && let Some(whole) = spread::whole(&row)
    {
        let unknown =
            |found: &Result<Piece, Fault>| found.as_ref().is_err_and(|fault| fault.reason == Reason::UnknownSchema);
        let found = recognised(whole, config, depth + 1, outside.clone(), add);
        if !found.iter().all(unknown) {
            return found;
        }
    }
    // Snowflake writes the names of columns in capitals.
    if depth < ENVELOPES && row.keys().all(|name| !name.bytes().any(|b| b.is_ascii_lowercase())) {
        let lower = |(name, value): (String, Value)| (name.to_ascii_lowercase(), value);
        let lowered: Object = row.clone().into_iter().map(lower).collect();
        if lowered != row {
            return recognised(lowered, config, depth + 1, outside, add);
        }
    }
    let known = get(&row, "account").is_some() && get(&row, "time").is_some();
    let (reason, what) =
        if known { (Reason::NoPrompt, "a prompt") } else { (Reason::UnknownSchema, "a known schema or a column map") };
    let mut fault = Fault::new(reason, format!("expected {what}, got the keys {}", keys(&row)));
    fault.map = propose::map(&row);
    fault.lacks = fault.map.as_deref().map(|map| wanted.beside(map)).unwrap_or_default();
    vec![Err(fault)]
}

/// What encloses rows calls the time that it has for each.
const OUTSIDE: [&str; 10] = [
    "timestamp",
    "time",
    "@timestamp",
    "_time",
    "eventTime",
    "receiveTimestamp",
    "ingestionTime",
    "datetime",
    "date",
    "ts",
];

/// The time of an envelope, where it has one that can be read.
fn outside(row: &Object) -> Option<Outside> {
    let read = |name: &&'static str| Some((*name, get(row, name).filter(|time| parse_time(time).is_some())?.clone()));
    OUTSIDE.iter().find_map(read)
}

/// The rows that lie in an envelope, each with a time beside it: a page of an API (`data`, `result` …), a batch of CloudWatch or of an event hub.
fn enclosed(row: &mut Object) -> Option<Vec<(Value, Option<Outside>)>> {
    const LISTS: [&str; 14] = [
        "data",
        "logEvents",
        "events",
        "records",
        "result",
        "results",
        "runs",
        "items",
        "logs",
        "rows",
        "spans",
        "content",
        "requests",
        "entries",
    ];
    let listed = |value: &Value, is: fn(&Value) -> bool| {
        let list = |list: &Vec<Value>| !list.is_empty() && list.len() <= ENCLOSED && list.iter().all(is);
        value.as_array().is_some_and(list)
    };
    // A query of CloudWatch gives each row as a list of its fields.
    let fields = |item: &Value| item.as_array().is_some_and(|list| list.iter().all(|cell| cell.get("field").is_some()));
    if get(row, "results").is_some_and(|value| listed(value, fields)) {
        let cell = |cell: &Value| Some((cell.get("field")?.as_str()?.to_owned(), cell.get("value")?.clone()));
        let one = |item: Value| {
            let cells = item.as_array().into_iter().flatten().filter_map(cell);
            (Value::Object(cells.collect::<Object>()), None)
        };
        return match row.remove("results") {
            Some(Value::Array(list)) => Some(list.into_iter().map(one).collect()),
            _ => None,
        };
    }
    // A search of Elasticsearch has its hits one level down, a search of Splunk one result a line, an answer of Loki lines in streams.
    if let Some(list) =
        row.get_mut("hits").and_then(|hits| hits.get_mut("hits")).filter(|list| listed(list, Value::is_object))
    {
        let Value::Array(list) = list.take() else { return None };
        return Some(list.into_iter().map(|hit| (hit, None)).collect());
    }
    let result = row.get("result").filter(|held| !held.is_array()).map(|held| unpacked(held.clone()));
    if let Some(mut inner) = result.filter(|inner| inner.get("_raw").is_some()) {
        let time = inner.as_object().and_then(outside);
        return Some(vec![(unpacked(inner["_raw"].take()), time)]);
    }
    if let Some(list) = row.get_mut("data").and_then(|data| data.get_mut("result")).and_then(Value::as_array_mut)
        && list.first().is_some_and(|stream| stream.get("values").is_some())
    {
        let lines = list.iter_mut().filter_map(|stream| stream.get_mut("values")?.as_array_mut()).flatten();
        let line = |pair: &mut Value| {
            let time = pair.get(0).filter(|time| parse_time(time).is_some()).cloned();
            Some((unpacked(pair.get_mut(1)?.take()), time.map(|time| ("values.0", time))))
        };
        return Some(lines.filter_map(line).take(ENCLOSED).collect());
    }
    let name = LISTS.into_iter().find(|name| get(row, name).is_some_and(|value| listed(value, Value::is_object)));
    if let Some(Value::Array(list)) = name.and_then(|name| row.remove(name)) {
        // CloudWatch has each row as a text.
        let of_lines = matches!(name, Some("logEvents" | "events"));
        let inner = |mut item: Value| match item.get_mut("message").map(Value::take) {
            Some(Value::String(text)) if of_lines => {
                let time = item.as_object().and_then(outside);
                (unpacked(Value::String(text)), time)
            }
            Some(other) => {
                item["message"] = other;
                (item, None)
            }
            None => (item, None),
        };
        return Some(list.into_iter().map(inner).collect());
    }
    // A collector's line: the row is a text or an object in one field.
    for name in [
        "message",
        "log",
        "_source",
        "_raw",
        "event",
        "jsonPayload",
        "@message",
        "json_payload",
        "line",
        "record_content",
        "RECORD_CONTENT",
    ] {
        let text = get(row, name).is_some_and(|value| {
            value.is_object() || value.as_str().is_some_and(|text| text.trim_start().starts_with('{'))
        });
        if text && let Some(inner @ Value::Object(_)) = row.remove(name).map(unpacked) {
            return Some(vec![(inner, outside(row))]);
        }
    }
    None
}

/// Most prompts of one call.
const PROMPTS: usize = 65_536;

/// The exchanges of a draft: one, or one for each of its prompts.
fn pieces(mut draft: Draft, config: &LogConfig) -> Found {
    let (prompts, mut answers) = (std::mem::take(&mut draft.prompts), std::mem::take(&mut draft.answers));
    if prompts.len() < 2 {
        return vec![piece(draft, config)];
    }
    // What they share is copied for each.
    draft.response = None;
    let shared = draft.cost().saturating_mul(prompts.len());
    if prompts.len() > PROMPTS || shared > config.max_row_bytes {
        let detail = format!("expected at most {PROMPTS} short prompts in a call, got {}", prompts.len());
        return vec![Err(Fault::new(Reason::TooLong, detail))];
    }
    let id = draft.id.as_ref().and_then(scalar);
    answers.resize(prompts.len(), None);
    let one = |(at, (prompt, answer)): (usize, (String, Option<String>))| {
        let mut one = Draft { prompt: Some(prompt), response: answer, ..draft.clone() };
        one.id = id.as_ref().map(|id| Value::String(format!("{id}#{at}"))).or(one.id);
        one.half = one.half.map(|half| half.numbered(at));
        piece(one, config)
    };
    prompts.into_iter().zip(answers).enumerate().map(one).collect()
}

/// An exchange, or the half of one.
fn piece(draft: Draft, config: &LogConfig) -> Result<Piece, Fault> {
    match draft.half.clone() {
        Some(half) => Ok(Piece::Half(Box::new(Waiting::new(&half, draft)))),
        None => finish(draft, config).map(|taken| Piece::Whole(Box::new(taken))),
    }
}

/// The checks that every schema shares.
pub(crate) fn finish(draft: Draft, config: &LogConfig) -> Result<Taken, Fault> {
    let id = id(draft.id.as_ref())?;
    let (reason, what) = draft.missing.unwrap_or((Reason::NoPrompt, "none"));
    let missing = || Fault::new(reason, format!("expected user text, got {what}"));
    // Where it is known what stands there instead, that is the reason to tell.
    if draft.missing.is_some() {
        return Err(missing());
    }
    if draft.prompt.as_deref().is_some_and(is_placeholder) {
        return Err(Fault::new(Reason::Redacted, "expected user text, got a placeholder for a text that was redacted"));
    }
    let absent =
        |value: &Option<Value>| value.as_ref().is_none_or(|value| value.is_null() || value.as_str() == Some(""));
    let lacks = Lacks {
        account: config.default_account.is_none() && absent(&draft.account),
        time: config.default_time.is_none() && absent(&draft.time),
    };
    let help = |mut fault: Fault| {
        let given = config.map.as_ref().map(ToString::to_string).filter(|_| draft.adds.is_some());
        let pairs: Vec<String> = given.into_iter().chain(draft.adds.clone()).collect();
        fault.map = Some(pairs.join(",")).filter(|map| lacks != Lacks::default() && !map.is_empty());
        fault.lacks = lacks;
        fault
    };
    let account = account(draft.account.as_ref(), config).map_err(help)?;
    let time = time(draft.time.as_ref(), config).map_err(help)?;
    let prompt = draft.prompt.filter(|text| !text.trim().is_empty()).ok_or_else(missing)?;
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let open = |text: Option<String>| said(text).filter(|text| !is_placeholder(text));
    let mut origin = draft.origin;
    for (field, value, flag) in
        [("account", &draft.account, "--default-account"), ("time", &draft.time, "--default-time")]
    {
        if absent(value) {
            origin.paths.retain(|(of, _)| *of != field);
            origin.from(field, flag);
        }
    }
    // A system prompt without a place of its own stood among what was asked.
    if draft.system.is_some()
        && let Some(path) = origin.paths.iter().find(|(field, _)| *field == "prompt").map(|(_, path)| path.clone())
    {
        origin.from("system", path);
    }
    if draft.end_user.as_deref().is_none_or(str::is_empty) {
        origin.paths.retain(|(of, _)| *of != "end_user");
    }
    let exchange = Exchange {
        id,
        account,
        end_user: said(draft.end_user),
        time,
        model: said(draft.model),
        prompt,
        system: open(draft.system),
        response: open(draft.response),
        conversation: said(draft.conversation),
        turns: draft.turns.into_iter().filter(|turn| !is_placeholder(&turn.text)).collect(),
        attributes: draft.attributes,
    };
    Ok(Taken { exchange, origin })
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
