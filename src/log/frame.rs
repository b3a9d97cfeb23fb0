//! Cutting a stream into rows, and the JSONL reader.
//!
//! One thread finds where rows end and gathers a batch of raw rows; then all threads parse the batch. Only the batch and
//! the row being read are held: a row over the bound is digested as it passes and dropped. Weakness: parsing waits while
//! the next batch is gathered, which costs little because finding line ends is far cheaper than parsing.

use super::value::{values_at_most, values_outside_strings};
use super::{BadRow, KEPT_OF_TOO_LONG, LogConfig, Place, Reason, Row, RowSchema, Sink, bad, rows_of, schema};
use crate::error::Result;
use crate::ids::Digest;
use rayon::prelude::*;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::sync::Arc;

/// How much is asked of the input at once.
const CHUNK: usize = 256 << 10;

/// Finds the end of the current row: given its next bytes, how many of them belong to it, or `None` for all of them and
/// more to come.
pub(crate) trait Boundary {
    /// Looks at the next bytes.
    fn end(&mut self, bytes: &[u8]) -> Option<usize>;
}

/// Rows are lines.
pub(crate) struct Lines;

impl Boundary for Lines {
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
    }
}

/// One raw row of a batch.
pub(crate) enum Raw {
    /// Its line and where its bytes are.
    Whole(u64, Range<usize>),
    /// A row that is bad as it stands.
    Bad(Place, Box<BadRow>),
}

impl Raw {
    fn bad(row: Row<std::convert::Infallible>) -> Self {
        let Err(bad) = row.result;
        Self::Bad(row.place, Box::new(bad))
    }
}

/// The line and bytes of a row, or a row that is bad as it stands.
pub(crate) type RawOrBad<T> = std::result::Result<(u64, Vec<u8>), Row<T>>;

/// Raw rows, gathered.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Raw>,
    /// Values of the rows, if they are JSON; what stands in strings is counted as well.
    values: usize,
}

/// Bytes that a value of parsed JSON is reckoned at. An object of one small value takes some 700.
const PARSED_VALUE: usize = 64;

impl Batch {
    /// Takes the first row out: a table's header.
    pub(crate) fn take_first<T>(&mut self) -> Option<RawOrBad<T>> {
        if self.rows.is_empty() {
            return None;
        }
        match self.rows.remove(0) {
            Raw::Whole(line, at) => Some(Ok((line, self.bytes[at].to_vec()))),
            Raw::Bad(place, row) => Some(Err(Row { place, result: Err(*row) })),
        }
    }

    /// Whether the first row is the beginning of JSON over several lines: an array that does not close, or a bracket that opens at
    /// its end.
    fn begins_over_lines(&self) -> bool {
        let Some(Raw::Whole(_, at)) = self.rows.first() else { return false };
        let text = self.bytes[at.clone()].trim_ascii();
        let open_end = text.ends_with(b"{") || text.ends_with(b"[");
        let opens = text.starts_with(b"[") || (text.starts_with(b"{") && open_end);
        let cut = |cause: serde_json::Error| cause.is_eof() && !cause.to_string().contains("string");
        opens && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err_and(cut)
    }

    /// Whether the first row is an object, or too long to tell.
    fn begins_with_object(&self) -> bool {
        let Some(Raw::Whole(_, at)) = self.rows.first() else { return true };
        let text = &self.bytes[at.clone()];
        text.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
    }

    /// Parses every row in parallel; the rows come out in order.
    pub(crate) fn parse<T: Send>(&mut self, parse: impl Fn(u64, &[u8]) -> Vec<Row<T>> + Sync) -> Vec<Row<T>> {
        let bytes = &self.bytes;
        let one = |raw: Raw| match raw {
            Raw::Whole(line, at) => parse(line, &bytes[at]),
            Raw::Bad(place, row) => vec![Row { place, result: Err(*row) }],
        };
        let parsed: Vec<Vec<Row<T>>> = std::mem::take(&mut self.rows).into_par_iter().map(one).collect();
        parsed.into_iter().flatten().collect()
    }
}

/// A row longer than the bound, as it passes.
struct Overlong {
    hash: blake3::Hasher,
    kept: Vec<u8>,
    bytes: u64,
}

/// Cuts `input` into rows and hands over batch after batch. Blank rows are passed over, a byte order mark is dropped.
pub(crate) fn frame(
    mut input: impl Read,
    config: &LogConfig,
    mut boundary: impl Boundary,
    handle: &mut dyn FnMut(&mut Batch) -> Result<()>,
) -> Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut batch = Batch::default();
    let (mut line, mut newlines, mut start) = (1, 0, 0);
    let mut overlong: Option<Overlong> = None;
    let mut first = true;
    let mut left = config.max_log_bytes;
    loop {
        let filled = match fill(&mut input, &mut chunk) {
            Ok(0) => break,
            Ok(filled) if filled as u64 > left => {
                first = false;
                let more = format!("more than the {} bytes that a log may have", config.max_log_bytes);
                Err(std::io::Error::other(more))
            }
            other => other,
        };
        let filled = match filled {
            Ok(filled) => filled,
            Err(cause) => {
                // What came before stays; the row that was being read is the evidence of the break.
                let reason = if first { Reason::UnreadableFile } else { Reason::TruncatedInput };
                let rest = overlong.map_or_else(|| batch.bytes.split_off(start), |row| row.kept);
                let row = bad(line, reason, format!("expected more input, got: {cause}"), &rest);
                batch.rows.push(Raw::bad(row));
                return handle(&mut batch);
            }
        };
        left -= filled as u64;
        let mut rest = &chunk[..filled];
        if std::mem::take(&mut first) {
            rest = rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest);
        }
        while !rest.is_empty() {
            let end = boundary.end(rest);
            let (piece, more) = rest.split_at(end.unwrap_or(rest.len()));
            rest = more;
            newlines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
            if let Some(row) = &mut overlong {
                row.hash.update(piece);
                row.bytes += piece.len() as u64;
            } else {
                batch.bytes.extend_from_slice(piece);
                if trimmed(&batch.bytes[start..]).len() > config.max_row_bytes {
                    let mut held = batch.bytes.split_off(start);
                    let mut hash = blake3::Hasher::new();
                    hash.update(&held);
                    let bytes = held.len() as u64;
                    held.truncate(KEPT_OF_TOO_LONG);
                    held.shrink_to_fit();
                    batch.bytes.shrink_to(config.batch_bytes);
                    overlong = Some(Overlong { hash, kept: held, bytes });
                }
            }
            if end.is_some() {
                finish_row(&mut batch, &mut start, line, overlong.take(), config);
                line += std::mem::take(&mut newlines);
                // Parsed, a small value takes many times its bytes.
                let weight = batch.bytes.len().saturating_add(PARSED_VALUE.saturating_mul(batch.values));
                if batch.rows.len() >= config.batch_rows.max(1) || weight >= config.batch_bytes {
                    handle(&mut batch)?;
                    batch.bytes.clear();
                    batch.bytes.shrink_to(config.batch_bytes.saturating_mul(2));
                    batch.rows.clear();
                    batch.values = 0;
                    start = 0;
                }
            }
        }
    }
    finish_row(&mut batch, &mut start, line, overlong.take(), config);
    if batch.rows.is_empty() { Ok(()) } else { handle(&mut batch) }
}

/// Adds the row that ends here.
fn finish_row(batch: &mut Batch, start: &mut usize, line: u64, overlong: Option<Overlong>, config: &LogConfig) {
    if let Some(row) = overlong {
        let detail = format!("expected at most {} bytes in a row, got {}", config.max_row_bytes, row.bytes);
        let digest = Digest(*row.hash.finalize().as_bytes());
        let result = Err(BadRow { reason: Reason::TooLong, detail, digest, raw: Arc::from(row.kept) });
        batch.rows.push(Raw::bad(Row { place: Place { row: line, part: 0 }, result }));
        return;
    }
    let end = *start + trimmed(&batch.bytes[*start..]).len();
    if batch.bytes[*start..end].iter().all(u8::is_ascii_whitespace) {
        batch.bytes.truncate(*start);
    } else {
        batch.values += values_at_most(&batch.bytes[*start..end]);
        batch.rows.push(Raw::Whole(line, *start..end));
        *start = batch.bytes.len();
    }
}

/// A row without its line end.
fn trimmed(row: &[u8]) -> &[u8] {
    let row = row.strip_suffix(b"\n").unwrap_or(row);
    row.strip_suffix(b"\r").unwrap_or(row)
}

/// Reads once, passing over interruptions.
fn fill(input: &mut impl Read, chunk: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match input.read(chunk) {
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reads JSON lines.
///
/// A file whose first two lines show JSON over several lines is one bad row. A break of the input keeps what came before it and adds one bad row. Blank lines, a byte order mark and carriage returns
/// at line ends are passed over.
/// # Errors
/// Only those of `sink`.
pub fn read_jsonl(input: impl Read, config: &LogConfig, sink: &mut Sink<'_>) -> Result<()> {
    json_lines(input, config, &|value| schema::exchanges(value, config), sink)
}

/// As [`read_jsonl`], for rows of any schema.
pub(crate) fn json_lines<T: Send>(
    input: impl Read,
    config: &LogConfig,
    schema: &RowSchema<'_, T>,
    sink: &mut Sink<'_, T>,
) -> Result<()> {
    let mut first = true;
    // A first row that looks like the head of JSON over several lines, until the second one tells.
    let mut head: Option<(u64, Vec<u8>)> = None;
    let mut over_lines = false;
    let not_lines = |(line, text): (u64, Vec<u8>)| {
        let detail = "expected one JSON object a line, got JSON over several lines; jq -c '.[]' writes an array as lines, jq -c . the rest";
        vec![bad(line, Reason::NotJsonLines, detail, &text)]
    };
    frame(input, config, Lines, &mut |batch| {
        if std::mem::take(&mut first) && batch.begins_over_lines() {
            head = batch.take_first::<T>().and_then(std::result::Result::ok);
        }
        if over_lines || batch.rows.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        if let Some((line, text)) = head.take() {
            if !batch.begins_with_object() {
                over_lines = true;
                return sink(not_lines((line, text)));
            }
            rows = json_row(line, &text, config, schema);
        }
        rows.extend(batch.parse(|line, bytes| json_row(line, bytes, config, schema)));
        sink(rows)
    })?;
    head.map_or(Ok(()), |head| sink(not_lines(head)))
}

/// What one line holds.
fn json_row<T>(line: u64, bytes: &[u8], config: &LogConfig, schema: &RowSchema<'_, T>) -> Vec<Row<T>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(cause) => {
            let detail = format!(
                "expected UTF-8, got byte {:#04x} at offset {}",
                bytes[cause.valid_up_to()],
                cause.valid_up_to()
            );
            return vec![bad(line, Reason::NotUtf8, detail, bytes)];
        }
    };
    if values_at_most(bytes) > config.max_row_values {
        let n = values_outside_strings(bytes);
        if n > config.max_row_values {
            let detail = format!("expected at most {} values in a row, got {n}", config.max_row_values);
            return vec![bad(line, Reason::TooLong, detail, bytes)];
        }
    }
    match serde_json::from_str(text) {
        Ok(value) => rows_of(line, value, schema, || Arc::from(bytes)),
        Err(cause) => {
            let reason = if has_lone_surrogate(text) { Reason::LoneSurrogate } else { Reason::NotJson };
            vec![bad(line, reason, format!("expected JSON, got: {cause}"), bytes)]
        }
    }
}

/// Whether a JSON text escapes half of a surrogate pair.
fn has_lone_surrogate(text: &str) -> bool {
    let bytes = text.as_bytes();
    let unit = |at: usize| {
        let digits = text.get(at + 2..at + 6).filter(|_| bytes.get(at..at + 2) == Some(b"\\u"))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(at) {
            Some(0xd800..0xdc00) if matches!(unit(at + 6), Some(0xdc00..0xe000)) => at += 12,
            Some(0xd800..0xe000) => return true,
            _ => at += 2,
        }
    }
    false
}
