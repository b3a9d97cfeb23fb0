//! Request and result in two rows → one exchange.
//!
//! Batches have a file of requests and a file of results, engines write a line when a request is received and one when it is finished. The rows
//! of a run pass a [`Joiner`] in their order; the first half of an exchange waits for the second, in the same log or in a later one, and the
//! exchange stands where the second half stood.
//!
//! At the end a request without a result is an exchange without an answer, and a result without a request a bad row. Where two different
//! requests have one key, it cannot be told which one a result answers, so none is joined: a wrong answer is worse than none.
//!
//! Weakness: halves are sought within one run only, and what waits is bounded: beyond 512 MiB the oldest is let go as at the end. Guarantee:
//! the outcome hangs on the order of the rows alone.

use super::draft::{Draft, Taken};
use super::{BadRow, Fault, LogConfig, Place, Reason, Row, schema};
use crate::ids::Digest;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Which half of an exchange a row is, with the key that both halves have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// What was asked.
    Request(String),
    /// What was answered.
    Result(String),
}

impl Half {
    /// The half of the exchange number `at` of a call that has several.
    pub(crate) fn numbered(self, at: usize) -> Self {
        match self {
            Self::Request(key) => Self::Request(format!("{key}#{at}")),
            Self::Result(key) => Self::Result(format!("{key}#{at}")),
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
        let (is_request, key) = match half {
            Half::Request(key) => (true, key),
            Half::Result(key) => (false, key),
        };
        let cost = draft.cost() + RAW;
        let key = Digest::of(key.as_bytes()).short();
        Self { key, is_request, draft, cost, raw: Arc::from([]), digest: Digest::of(b"") }
    }

    /// Says what the raw row was.
    pub(crate) fn of_row(&mut self, raw: &[u8]) {
        self.digest = Digest::of(raw);
        self.raw = Arc::from(&raw[..raw.len().min(RAW)]);
    }
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
    /// Exchanges put together.
    joined: u64,
    /// Logs that had halves.
    halved: BTreeSet<u32>,
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
            joined: 0,
            halved: BTreeSet::new(),
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
                Ok(Piece::Whole(taken)) => out.push((source, Row { place, result: Ok(*taken) })),
                Err(bad) => out.push((source, Row { place, result: Err(bad) })),
                Ok(Piece::Half(half)) => self.half(Placed { source, place, half: *half }, &mut out),
            }
        }
        out
    }

    fn half(&mut self, came: Placed, out: &mut Vec<(u32, Row)>) {
        self.halved.insert(came.source);
        let key = came.half.key;
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
                let draft = both(request.draft, result.draft);
                out.push((source, checked(draft, &self.config, place, digest, raw)));
            }
            // A finished line may hold the request as well: then it needs no other.
            (None, false) if came.half.draft.prompt.is_some() => out.push(self.alone(came)),
            _ => {
                self.wait(came);
                while self.bytes > self.most {
                    let Some((_, oldest)) = self.order.pop_first() else { break };
                    self.bytes -= oldest.half.cost;
                    self.waiting.remove(&oldest.half.key);
                    out.push(self.alone(oldest));
                }
            }
        }
    }

    fn wait(&mut self, came: Placed) {
        self.bytes += came.half.cost;
        self.waiting.entry(came.half.key).or_insert(self.next);
        self.order.insert(self.next, came);
        self.next += 1;
    }

    /// The outcome of a half whose other half did not come.
    fn alone(&self, placed: Placed) -> (u32, Row) {
        let Placed { source, place, half } = placed;
        if half.is_request || (half.draft.prompt.is_some() && !self.twice.contains(&half.key)) {
            return (source, checked(half.draft, &self.config, place, half.digest, half.raw));
        }
        let what = if self.twice.contains(&half.key) { "two different ones in the logs" } else { "none in the logs" };
        let fault = Fault::new(Reason::NoRequest, format!("expected the request that this result answers, got {what}"));
        let bad = BadRow { reason: fault.reason, detail: fault.detail, digest: half.digest, raw: half.raw, map: None };
        (source, Row { place, result: Err(bad) })
    }

    /// What still waits when every log was read.
    pub fn finish(&mut self) -> Vec<(u32, Row)> {
        self.waiting.clear();
        self.bytes = 0;
        let order = std::mem::take(&mut self.order);
        order.into_values().map(|placed| self.alone(placed)).collect()
    }
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
    let bad = |fault: Fault| BadRow { reason: fault.reason, detail: fault.detail, digest, raw, map: None };
    Row { place, result: schema::finish(draft, config).map_err(bad) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(key: &str, is_request: bool, n: usize) -> Row<Piece> {
        let text = Some(format!("{key} {}", "x".repeat(n)));
        let of = Draft {
            account: Some("a".into()),
            time: Some("2026-11-21".into()),
            prompt: text.clone().filter(|_| is_request),
            response: text.filter(|_| !is_request),
            ..Draft::default()
        };
        let half = if is_request { Half::Request(key.to_owned()) } else { Half::Result(key.to_owned()) };
        Row { place: Place { row: n as u64, part: 0 }, result: Ok(Piece::Half(Box::new(Waiting::new(&half, of)))) }
    }

    #[test]
    fn what_waits_is_bounded_and_the_oldest_goes_first() {
        let mut joiner = Joiner { most: 10_000, ..Joiner::new(&LogConfig::default()) };
        let told = |rows: Vec<(u32, Row)>| -> Vec<String> {
            let one = |(source, row): (u32, Row)| {
                let what = row
                    .result
                    .map_or_else(|bad| bad.reason.word().to_owned(), |t| format!("{}", t.exchange.response.is_some()));
                format!("{source}.{} {what}", row.place.row)
            };
            rows.into_iter().map(one).collect()
        };
        assert!(joiner.join(0, vec![half("a", true, 3_000)]).is_empty());
        assert!(joiner.join(1, vec![half("b", true, 2_000)]).is_empty());
        // A third passes the bound: the oldest is let go without its answer, which then has no request.
        assert_eq!(told(joiner.join(2, vec![half("c", true, 2_500)])), ["0.3000 false"]);
        assert_eq!(told(joiner.join(2, vec![half("b", false, 9), half("a", false, 10)])), ["2.9 true"]);
        assert_eq!(told(joiner.finish()), ["2.2500 false", "2.10 no-request"]);
        assert_eq!((joiner.joined(), joiner.had_halves(1), joiner.had_halves(3)), (1, true, false));
    }
}
