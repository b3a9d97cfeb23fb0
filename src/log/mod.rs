//! Logs in: bytes → exchanges, good rows and bad ones.
//!
//! A reader cuts the input into rows one after another and parses a batch of them in parallel; every row becomes the same
//! JSON value, whatever format it came in, and one recogniser turns that value into exchanges. So a schema is written once
//! and works in JSON lines, JSON arrays, CSV and Parquet alike. Then a [`Joiner`] puts together what stands in two rows.
//!
//! Guarantees: rows come out in input order, however they were batched; memory is bounded by one batch and one row, not by
//! the input; any bytes give rows, good or bad, never a panic; a bad row is data with a reason, a place and a digest, and
//! never ends the reading. Text is handed on exactly as it was logged.
//!
//! Of a JSON key or a column given twice the last value counts (of columns: the last that is not empty).
//!
//! Weaknesses: rows of one conversation are not joined; a
//! parsed row of many small values can take fifty times its raw size while it is being read, which is why values are counted
//! before it is parsed and a batch is also full by them.

mod answer;
mod array;
mod body;
mod chats;
mod columns;
mod convert;
mod csv;
mod document;
mod draft;
mod elements;
mod encoding;
mod frame;
mod join;
mod map;
mod messages;
mod name;
mod otel;
mod own;
mod path;
mod propose;
mod python;
mod reason;
mod redaction;
mod request;
mod schema;
mod schemas;
mod spread;
mod template;
#[cfg(test)]
mod tests;
mod time;
mod value;
mod wildchat;

pub use array::{begins_as_array, read_predictions};
pub use columns::read_parquet;
pub use csv::read_csv;
pub use document::{Document, Prediction, Said, Source, Tokens, begins_as_lines, read_documents, read_said};
pub use draft::{Origin, Taken};
pub use encoding::as_utf8;
pub use frame::read_jsonl;
pub use join::{Joiner, Piece, Waiting};
pub use map::ColumnMap;
pub use name::{Compression, Format, format_of, recognise, sniff};
pub use propose::{Lacks, way_out};
pub use reason::Reason;
pub use time::parse_time;

use crate::ids::{Digest, Time};
use std::sync::Arc;

/// How logs are read.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Where the fields of an exchange are: of a log of no known schema, or some of them beside what a known one says.
    pub map: Option<ColumnMap>,
    /// The account of rows that name none; without it they are bad rows.
    pub default_account: Option<String>,
    /// The time of rows that have none; without it they are bad rows.
    pub default_time: Option<Time>,
    /// Most rows in a batch.
    pub batch_rows: usize,
    /// Raw bytes after which a batch is full.
    pub batch_bytes: usize,
    /// Longest row that is read; a longer one is a bad row and is not held in memory.
    pub max_row_bytes: usize,
    /// Most values in a row of JSON, counted by its commas and brackets; a row of more is a bad row and is not parsed.
    pub max_row_values: usize,
    /// Bytes of one log after decompression (of Parquet: of its rows as JSON); what lies beyond is not read.
    pub max_log_bytes: u64,
}

/// Most columns of a table.
const COLUMNS: usize = 4096;

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            map: None,
            default_account: None,
            default_time: None,
            batch_rows: 8192,
            batch_bytes: 32 << 20,
            max_row_bytes: 64 << 20,
            max_row_values: 1 << 20,
            max_log_bytes: 1 << 40,
        }
    }
}

/// Where in its input an exchange was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line of JSONL or CSV on which the row starts, or row of Parquet; the first is 1.
    pub row: u64,
    /// Which exchange of that row; the first is 0.
    pub part: u32,
}

/// A row, or a part of one, that gave no exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Why.
    pub reason: Reason,
    /// What was expected and what came: one line of at most 240 characters, without control characters or prompt text.
    pub detail: String,
    /// Digest of the raw row, also where `raw` is cut.
    pub digest: Digest,
    /// The raw row (of Parquet: its JSON form, and nothing where it is too long), shared by the parts of one row; its first 64 KiB
    /// where it is too long.
    pub raw: Arc<[u8]>,
    /// A column map that might read such rows where their schema is unknown, or add to it what they lack.
    pub map: Option<Arc<str>>,
    /// What else would have to be given for them.
    pub lacks: Lacks,
}

/// One exchange (or document) or one bad row, with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<T = Taken> {
    /// Where it was.
    pub place: Place,
    /// What it was.
    pub result: Result<T, BadRow>,
}

/// Receives the rows of one batch; its error ends the reading.
pub type Sink<'a, T = Piece> = dyn FnMut(Vec<Row<T>>) -> crate::error::Result<()> + 'a;

/// Makes what a row's value holds: exchanges, or a document.
pub(crate) type RowSchema<'a, T> = dyn Fn(serde_json::Value) -> Vec<Result<T, Fault>> + Sync + 'a;

/// Longest part of an overlong row that a [`BadRow`] keeps.
const KEPT_OF_TOO_LONG: usize = 64 << 10;

/// Why a value gave no exchange, before it is known where it was.
#[derive(Debug)]
pub(crate) struct Fault {
    reason: Reason,
    detail: String,
    map: Option<String>,
    lacks: Lacks,
}

impl Fault {
    fn new(reason: Reason, detail: impl AsRef<str>) -> Self {
        Self { reason, detail: line(detail.as_ref()), map: None, lacks: Lacks::default() }
    }

    /// The bad row that it makes of a raw row.
    fn of_row(self, digest: Digest, raw: Arc<[u8]>) -> BadRow {
        let map = self.map.map(Arc::from);
        BadRow { reason: self.reason, detail: self.detail, digest, raw, map, lacks: self.lacks }
    }
}

/// `text` as one bounded line that is safe on a terminal.
fn line(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == 240 {
            out.push('…');
            break;
        }
        // Bidirectional controls are not control characters to Unicode, yet they rewrite the line they stand in.
        let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        out.push(if c.is_control() || hidden { '\u{fffd}' } else { c });
    }
    out
}

/// What rows give: some want to know what they came from.
pub(crate) trait Kept {
    /// Says what the raw row was.
    fn of_row(&mut self, _raw: &dyn Fn() -> Arc<[u8]>) {}
}

impl Kept for Document {}
impl Kept for Said {}

impl Kept for Piece {
    fn of_row(&mut self, raw: &dyn Fn() -> Arc<[u8]>) {
        if let Self::Half(half) = self {
            half.of_row(&raw());
        }
    }
}

/// What one row's value holds, placed.
fn rows_of<T: Kept>(
    row: u64,
    value: serde_json::Value,
    schema: &RowSchema<'_, T>,
    raw: impl Fn() -> Arc<[u8]>,
) -> Vec<Row<T>> {
    let found = schema(value);
    let mut kept: Option<(Arc<[u8]>, Digest)> = None;
    let mut rows = Vec::with_capacity(found.len());
    for (part, mut result) in (0..).zip(found) {
        if let Ok(found) = &mut result {
            found.of_row(&raw);
        }
        let result = result.map_err(|fault| {
            let (raw, digest) = kept.get_or_insert_with(|| {
                let bytes = raw();
                let digest = Digest::of(&bytes);
                (bytes, digest)
            });
            fault.of_row(*digest, raw.clone())
        });
        rows.push(Row { place: Place { row, part }, result });
    }
    rows
}

/// One bad row that is not about a value.
fn bad<T>(row: u64, reason: Reason, detail: impl AsRef<str>, raw: &[u8]) -> Row<T> {
    let fault = Fault::new(reason, detail);
    let kept = &raw[..raw.len().min(KEPT_OF_TOO_LONG)];
    Row { place: Place { row, part: 0 }, result: Err(fault.of_row(Digest::of(raw), Arc::from(kept))) }
}
