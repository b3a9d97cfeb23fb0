//! Request and result in two rows → one exchange.
//!
//! Batches have a file of requests and a file of results, engines write a line when a request is received and one when it is finished. The rows
//! of a run pass a [`Joiner`] in their order; the first half of an exchange waits for the second, in the same log or in a later one, and the
//! exchange stands where the second half stood.
//!
//! Some calls lie in more rows than two. What one row says of many (whose a trace is, who called a gateway) is a note: it is put to every draft
//! that asks for it, before or after. A call that a gateway logs in numbered pieces is put together when the run ends, since nothing says which
//! piece is the last.
//!
//! A model's span inside a model's span that asks the same is the same call, told by a framework and by the client below it. Which is the outer
//! one is known where both stand in one line ([`super::otel`]); across rows the first that comes stands.
//!
//! At the end a request without a result is an exchange without an answer, and a result without a request a bad row. Where two different
//! requests have one key, it cannot be told which one a result answers, so none is joined: a wrong answer is worse than none.
//!
//! Weakness: halves are sought within one run only, and what waits is bounded: beyond 512 MiB the oldest is let go as at the end. Guarantee:
//! the outcome hangs on the order of the rows alone.

use super::answer::response;
use super::body::{self, Want};
use super::draft::{Draft, Span, Taken};
use super::value::{inner, unpacked};
use super::{BadRow, Fault, LogConfig, Place, Reason, Row, schema};
use crate::ids::Digest;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// Which half of an exchange a row is, with the key that both halves have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// What was asked.
    Request(String),
    /// What was answered.
    Result(String),
    /// What was answered to a request whose key no other has: the first is its answer, any more of them are said again and no exchanges.
    Answer(String),
    /// What is said of all drafts that ask under this key; no exchange itself.
    Note(String),
    /// A whole exchange, of which a note may say more.
    Asks(String),
    /// A numbered piece of an exchange; its prompt and response are pieces of texts as they were logged.
    Part(String, u64),
}

impl Half {
    /// The half of the exchange number `at` of a call that has several.
    pub(crate) fn numbered(self, at: usize) -> Self {
        match self {
            Self::Request(key) => Self::Request(format!("{key}#{at}")),
            Self::Result(key) => Self::Result(format!("{key}#{at}")),
            other => other,
        }
    }
}

/// What a row holds: an exchange, or half of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// An exchange.
    Whole(Box<Taken>),
    /// Half of one.
    Half(Box<Waiting>),
}

/// Half of an exchange, that waits for the other.
#[derive(Clone, Debug)]
pub struct Waiting {
    key: u128,
    is_request: bool,
    /// Its key is no other request's.
    is_sole: bool,
    gathers: Option<Gathers>,
    draft: Draft,
    cost: usize,
    /// The beginning of the raw row and its digest, for a bad row.
    raw: Arc<[u8]>,
    digest: Digest,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.key, self.is_request, self.digest) == (other.key, other.is_request, other.digest)
    }
}

impl Waiting {
    /// The half of a draft; the raw row is told later.
    pub(crate) fn new(half: &Half, draft: Draft) -> Self {
        let (is_request, gathers, key) = match half {
            Half::Request(key) => (true, None, key),
            Half::Result(key) | Half::Answer(key) => (false, None, key),
            Half::Note(key) => (false, Some(Gathers::Note), key),
            Half::Asks(key) => (false, Some(Gathers::Asks), key),
            Half::Part(key, number) => (false, Some(Gathers::Part(*number)), key),
        };
        let cost = draft.cost() + RAW;
        let key = Digest::of(key.as_bytes()).short();
        let is_sole = matches!(half, Half::Answer(_));
        Self { key, is_request, is_sole, gathers, draft, cost, raw: Arc::from([]), digest: Digest::of(b"") }
    }

    /// Says what the raw row was.
    pub(crate) fn of_row(&mut self, raw: &[u8]) {
        self.digest = Digest::of(raw);
        self.raw = Arc::from(&raw[..raw.len().min(RAW)]);
    }
}

/// What a row is to those of its key, where they are more than a request and a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gathers {
    Note,
    Asks,
    Part(u64),
}

/// How much of the raw row of a half is kept.
const RAW: usize = 512;

/// Bytes of halves that wait.
const MOST: usize = 512 << 20;

/// A half in its place.
struct Placed {
    source: u32,
    place: Place,
    half: Waiting,
}

/// The rows of one key that are gathered.
struct Gathered {
    at: u64,
    note: Option<Draft>,
    rows: Vec<Placed>,
    cost: usize,
}

/// Requests that are remembered as answered: what is said again stands not far from what was said first.
const ANSWERED: usize = 1 << 18;

/// Spans that are remembered: one inside another is not far from it.
const SPANS: usize = 1 << 18;

/// Calls of traces that passed, by their span and by the span above them.
#[derive(Default)]
struct Spans {
    own: HashMap<u128, u64>,
    parents: HashMap<u128, u64>,
    order: VecDeque<(u128, Option<u128>)>,
}

impl Spans {
    /// Whether a call was told before by the span above it or below it.
    fn seen(&mut self, span: Span, prompt: &str) -> bool {
        let text = u64::from_le_bytes(Digest::of(prompt.as_bytes()).0[..8].try_into().unwrap_or_default());
        let above = span.parent.is_some_and(|parent| parent != span.own && self.own.get(&parent) == Some(&text));
        let seen = above || (span.parent != Some(span.own) && self.parents.get(&span.own) == Some(&text));
        self.own.insert(span.own, text);
        if let Some(parent) = span.parent {
            self.parents.insert(parent, text);
        }
        self.order.push_back((span.own, span.parent));
        if self.order.len() > SPANS
            && let Some((own, parent)) = self.order.pop_front()
        {
            self.own.remove(&own);
            if let Some(parent) = parent {
                self.parents.remove(&parent);
            }
        }
        seen
    }
}

/// Joins the rows of a run.
pub struct Joiner {
    config: LogConfig,
    most: usize,
    waiting: HashMap<u128, u64>,
    /// In the order in which they came.
    order: BTreeMap<u64, Placed>,
    /// Keys that two different requests had.
    twice: BTreeSet<u128>,
    next: u64,
    bytes: usize,
    /// Requests that have their one answer, at most [`ANSWERED`], in the order in which they got it.
    answered: BTreeSet<u128>,
    lately: VecDeque<u128>,
    /// Exchanges put together.
    joined: u64,
    /// Logs that had halves.
    halved: BTreeSet<u32>,
    gathered: HashMap<u128, Gathered>,
    /// Keys of what is gathered, in the order in which they came.
    keys: BTreeMap<u64, u128>,
    spans: Spans,
}

impl Joiner {
    /// For rows that were read under this configuration.
    #[must_use]
    pub fn new(config: &LogConfig) -> Self {
        Self {
            config: config.clone(),
            most: MOST,
            waiting: HashMap::new(),
            order: BTreeMap::new(),
            twice: BTreeSet::new(),
            next: 0,
            bytes: 0,
            answered: BTreeSet::new(),
            lately: VecDeque::new(),
            joined: 0,
            halved: BTreeSet::new(),
            gathered: HashMap::new(),
            keys: BTreeMap::new(),
            spans: Spans::default(),
        }
    }

    /// How many exchanges were put together of two rows.
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.joined
    }

    /// Whether a log had halves: what it gives hangs on the other logs of a run.
    #[must_use]
    pub fn had_halves(&self, source: u32) -> bool {
        self.halved.contains(&source)
    }

    /// Passes on the rows of log number `source`, each with the number of the log it is from: whole ones at once, halves when they are joined.
    pub fn join(&mut self, source: u32, rows: Vec<Row<Piece>>) -> Vec<(u32, Row)> {
        let mut out = Vec::with_capacity(rows.len());
        for Row { place, result } in rows {
            match result {
                Ok(Piece::Whole(taken)) => {
                    let seen = taken.origin.span.is_some_and(|span| self.spans.seen(span, &taken.exchange.prompt));
                    let result = if seen { Err(told_before()) } else { Ok(*taken) };
                    out.push((source, Row { place, result }));
                }
                Err(bad) => out.push((source, Row { place, result: Err(bad) })),
                Ok(Piece::Half(half)) => self.half(Placed { source, place, half: *half }, &mut out),
            }
        }
        out
    }

    fn half(&mut self, came: Placed, out: &mut Vec<(u32, Row)>) {
        self.halved.insert(came.source);
        if let Some(gathers) = came.half.gathers {
            return self.gather(came, gathers, out);
        }
        let key = came.half.key;
        if let Some(again) = self.again(&came.half) {
            return out.push((came.source, Row { place: came.place, result: Err(again) }));
        }
        let other = self.waiting.get(&key).copied();
        let waits_request = other.and_then(|at| self.order.get(&at)).map(|placed| placed.half.is_request);
        match (waits_request, came.half.is_request) {
            (Some(true), true) => {
                let same = other
                    .and_then(|at| self.order.get(&at))
                    .is_some_and(|placed| same(&placed.half.draft, &came.half.draft));
                if !same {
                    self.twice.insert(key);
                    self.wait(came);
                }
            }
            (Some(false), false) => self.wait(came),
            (Some(_), _) if !self.twice.contains(&key) => {
                let Some(waited) = other.and_then(|at| self.order.remove(&at)) else { return };
                self.waiting.remove(&key);
                self.bytes -= waited.half.cost;
                self.joined += 1;
                let Placed { source, place, half } = came;
                let (digest, raw) = (half.digest, half.raw.clone());
                let (request, result) = if half.is_request { (half, waited.half) } else { (waited.half, half) };
                if result.is_sole && self.answered.insert(key) {
                    self.lately.push_back(key);
                    if self.lately.len() > ANSWERED
                        && let Some(oldest) = self.lately.pop_front()
                    {
                        self.answered.remove(&oldest);
                    }
                }
                let draft = both(request.draft, result.draft);
                out.push((source, checked(draft, &self.config, place, digest, raw)));
            }
            // A finished line may hold the request as well: then it needs no other.
            (None, false) if came.half.draft.prompt.is_some() => out.push(self.alone(came)),
            _ => {
                self.wait(came);
                self.let_go(out);
            }
        }
    }

    /// Lets the oldest go until what waits fits its bound.
    fn let_go(&mut self, out: &mut Vec<(u32, Row)>) {
        while self.bytes > self.most {
            let half = self.order.first_key_value().map(|(at, _)| *at);
            let key = self.keys.first_key_value().map(|(at, _)| *at);
            if key.is_some_and(|key| half.is_none_or(|half| key < half)) {
                let Some((_, key)) = self.keys.pop_first() else { break };
                if let Some(gathered) = self.gathered.remove(&key) {
                    self.bytes -= gathered.cost;
                    self.settle(gathered, out);
                }
            } else {
                let Some((_, oldest)) = self.order.pop_first() else { break };
                self.bytes -= oldest.half.cost;
                self.waiting.remove(&oldest.half.key);
                out.push(self.alone(oldest));
            }
        }
    }

    /// Takes in a row of those that are gathered by their key.
    fn gather(&mut self, came: Placed, gathers: Gathers, out: &mut Vec<(u32, Row)>) {
        let (key, next) = (came.half.key, self.next);
        if !self.gathered.contains_key(&key) {
            self.keys.insert(next, key);
            self.next += 1;
        }
        let entry = self.gathered.entry(key).or_insert(Gathered { at: next, note: None, rows: Vec::new(), cost: 0 });
        let cost = match gathers {
            Gathers::Note => {
                let Placed { source, place, half } = came;
                out.push((
                    source,
                    Row { place, result: Err(passed(&half, "a row that tells of calls in other rows")) },
                ));
                let Draft { account, end_user, conversation, model, origin, .. } = half.draft;
                let first = entry.note.is_none();
                let note = Draft { account, end_user, conversation, model, origin, ..Draft::default() };
                let cost = note.cost();
                entry.note.get_or_insert(note);
                // Who asked only for this goes on; pieces wait for more of them.
                if entry.rows.iter().all(|row| row.half.gathers == Some(Gathers::Asks)) {
                    let rows = std::mem::take(&mut entry.rows);
                    let held: usize = rows.iter().map(|row| row.half.cost).sum();
                    (entry.cost, self.bytes) = (entry.cost - held, self.bytes - held);
                    let note = entry.note.clone();
                    out.extend(rows.into_iter().map(|row| self.with_note(row, note.as_ref())));
                }
                if first { cost } else { 0 }
            }
            Gathers::Asks if entry.note.is_some() => {
                let note = entry.note.clone();
                out.push(self.with_note(came, note.as_ref()));
                0
            }
            Gathers::Asks | Gathers::Part(_) => {
                let cost = came.half.cost;
                entry.rows.push(came);
                cost
            }
        };
        self.bytes += cost;
        if let Some(entry) = self.gathered.get_mut(&key) {
            entry.cost += cost;
        }
        self.let_go(out);
    }

    /// The exchange of a draft, with what a note says of it.
    fn with_note(&mut self, placed: Placed, note: Option<&Draft>) -> (u32, Row) {
        let Placed { source, place, half } = placed;
        let mut draft = half.draft;
        if let Some(note) = note {
            self.joined += 1;
            told(&mut draft, note);
        }
        let mut row = checked(draft, &self.config, place, half.digest, half.raw);
        if let Ok(taken) = &row.result
            && taken.origin.span.is_some_and(|span| self.spans.seen(span, &taken.exchange.prompt))
        {
            row.result = Err(told_before());
        }
        (source, row)
    }

    /// The exchanges of what was gathered under one key.
    fn settle(&mut self, gathered: Gathered, out: &mut Vec<(u32, Row)>) {
        let note = gathered.note;
        let (parts, asking): (Vec<Placed>, Vec<Placed>) =
            gathered.rows.into_iter().partition(|row| matches!(row.half.gathers, Some(Gathers::Part(_))));
        for row in asking {
            out.push(self.with_note(row, note.as_ref()));
        }
        // The exchange stands where its last row stood.
        let Some(last) = parts.last() else { return };
        let (source, place, digest, raw) = (last.source, last.place, last.half.digest, last.half.raw.clone());
        self.joined += u64::from(parts.len() > 1);
        let draft = assembled(parts, note.as_ref());
        out.push((source, checked(draft, &self.config, place, digest, raw)));
    }

    fn wait(&mut self, came: Placed) {
        self.bytes += came.half.cost;
        self.waiting.entry(came.half.key).or_insert(self.next);
        self.order.insert(self.next, came);
        self.next += 1;
    }

    /// Why a further answer to a request that has its own is no exchange.
    fn again(&self, half: &Waiting) -> Option<BadRow> {
        let is = half.is_sole && self.answered.contains(&half.key);
        is.then(|| passed(half, "a further answer to a question that has one"))
    }

    /// The outcome of a half whose other half did not come.
    fn alone(&self, placed: Placed) -> (u32, Row) {
        let Placed { source, place, half } = placed;
        if let Some(again) = self.again(&half) {
            return (source, Row { place, result: Err(again) });
        }
        if half.is_request || (half.draft.prompt.is_some() && !self.twice.contains(&half.key)) {
            return (source, checked(half.draft, &self.config, place, half.digest, half.raw));
        }
        let what = if self.twice.contains(&half.key) { "two different ones in the logs" } else { "none in the logs" };
        let fault = Fault::new(Reason::NoRequest, format!("expected the request that this result answers, got {what}"));
        (source, Row { place, result: Err(fault.of_row(half.digest, half.raw)) })
    }

    /// What still waits when every log was read.
    pub fn finish(&mut self) -> Vec<(u32, Row)> {
        self.waiting.clear();
        self.bytes = 0;
        let order = std::mem::take(&mut self.order);
        let mut out: Vec<(u32, Row)> = order.into_values().map(|placed| self.alone(placed)).collect();
        let mut gathered: Vec<Gathered> = std::mem::take(&mut self.gathered).into_values().collect();
        gathered.sort_by_key(|gathered| gathered.at);
        self.keys.clear();
        for gathered in gathered {
            self.settle(gathered, &mut out);
        }
        out
    }
}

/// Puts what a note says to a draft: it knows the account better than a draft that had to ask.
fn told(draft: &mut Draft, note: &Draft) {
    if note.account.is_some() {
        draft.account.clone_from(&note.account);
        draft.origin.paths.retain(|(field, _)| *field != "account");
        let path = note.origin.path("account").unwrap_or("account");
        draft.origin.from("account", format!("{path} of another row"));
    }
    draft.end_user = draft.end_user.take().or_else(|| note.end_user.clone());
    draft.conversation = draft.conversation.take().or_else(|| note.conversation.clone());
    draft.model = draft.model.take().or_else(|| note.model.clone());
}

/// A piece of this many bytes was cut by its bound, and the next one goes on where it ended.
const FULL: usize = 30_000;

/// One draft of the numbered pieces of a call.
fn assembled(mut parts: Vec<Placed>, note: Option<&Draft>) -> Draft {
    parts.sort_by_key(|part| part.half.gathers.map(|gathers| if let Gathers::Part(n) = gathers { n } else { 0 }));
    let mut whole = Draft::default();
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for part in parts {
        let draft = part.half.draft;
        asked.extend(draft.prompt);
        answered.extend(draft.response);
        for (field, path) in draft.origin.paths {
            whole.origin.from(field, path);
        }
        whole.origin.schema = draft.origin.schema;
        whole.id = whole.id.or(draft.id);
        whole.account = whole.account.or(draft.account);
        whole.end_user = whole.end_user.or(draft.end_user);
        whole.time = whole.time.or(draft.time);
        whole.model = whole.model.or(draft.model);
        whole.conversation = whole.conversation.or(draft.conversation);
        whole.attributes.extend(draft.attributes);
    }
    if !asked.is_empty() {
        body::read(&list_of(asked), Want::Body, &mut whole);
    }
    if !answered.is_empty() {
        whole.response = response(&list_of(answered), &mut whole.origin);
    }
    if let Some(note) = note {
        told(&mut whole, note);
    }
    whole
}

/// The value of pieces of a text: of lists one list, where each is one, and otherwise what they are together.
fn list_of(pieces: Vec<String>) -> Value {
    let list = |text: &String| match inner(text) {
        Some(Value::Array(items)) => Some(items),
        _ => None,
    };
    let Some(lists) = pieces.iter().map(list).collect::<Option<Vec<Vec<Value>>>>() else {
        let text = pieces.concat();
        return unpacked(Value::String(text));
    };
    let mut all: Vec<Value> = Vec::new();
    let mut goes_on = false;
    for (items, text) in lists.into_iter().zip(&pieces) {
        for item in items {
            let role = |value: &Value| value.get("role").cloned();
            let said = item.get("content").and_then(Value::as_str).map(str::to_owned);
            match (all.last_mut(), said) {
                (Some(last), Some(said)) if goes_on && (role(last) == role(&item) || role(&item).is_none()) => {
                    let before = last.get("content").and_then(Value::as_str).unwrap_or_default();
                    last["content"] = Value::String(format!("{before}{said}"));
                }
                _ => all.push(item),
            }
            goes_on = false;
        }
        goes_on = text.len() >= FULL;
    }
    Value::Array(all)
}

/// What becomes of a row that is no exchange.
fn passed(half: &Waiting, what: &str) -> BadRow {
    let fault = Fault::new(Reason::NoExchange, format!("expected a model call, got {what}"));
    fault.of_row(half.digest, half.raw.clone())
}

/// What becomes of a span that tells of a call once more.
fn told_before() -> BadRow {
    let what = "expected a model call, got a span inside or around another that asks the same";
    let fault = Fault::new(Reason::NoExchange, what);
    fault.of_row(Digest::of(b""), Arc::from([]))
}

/// Whether two requests ask the same for the same account.
fn same(a: &Draft, b: &Draft) -> bool {
    (&a.prompt, &a.system, &a.turns, &a.account, &a.model) == (&b.prompt, &b.system, &b.turns, &b.account, &b.model)
}

/// One draft of two: the request's fields, and the result's where it has none; the answer and the id are the result's.
fn both(mut request: Draft, mut result: Draft) -> Draft {
    let mut origin = std::mem::take(&mut result.origin);
    for (field, path) in std::mem::take(&mut request.origin.paths) {
        origin.from(field, path);
    }
    origin.json_read += request.origin.json_read;
    origin.json_kept += request.origin.json_kept;
    let with_prompt = request.prompt.is_some() || request.missing.is_some();
    let (asked, other) = if with_prompt { (request, result) } else { (result, request) };
    let (answer, id) = if with_prompt {
        (other.response.or(asked.response), other.id.or(asked.id))
    } else {
        (asked.response.or(other.response), asked.id.or(other.id))
    };
    let mut attributes = other.attributes;
    attributes.extend(asked.attributes);
    Draft {
        id,
        account: asked.account.or(other.account),
        end_user: asked.end_user.or(other.end_user),
        time: asked.time.or(other.time),
        model: asked.model.or(other.model),
        prompt: asked.prompt,
        system: asked.system.or(other.system),
        response: answer,
        conversation: asked.conversation.or(other.conversation),
        turns: asked.turns,
        attributes,
        origin,
        missing: asked.missing.or(other.missing),
        ..Draft::default()
    }
}

fn checked(draft: Draft, config: &LogConfig, place: Place, digest: Digest, raw: Arc<[u8]>) -> Row {
    Row { place, result: schema::finish(draft, config).map_err(|fault| fault.of_row(digest, raw)) }
}

#[cfg(test)]
mod tests;
