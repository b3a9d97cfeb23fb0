//! Cutting a stream into rows, and the reader of JSON: lines, or arrays and values over any number of lines.
//!
//! One thread finds where rows end and gathers a batch of raw rows; then all threads parse the batch. Only the batch and
//! the row being read are held: a row over the bound is digested as it passes and dropped. Weakness: parsing waits while
//! the next batch is gathered, which costs little because finding line ends is far cheaper than parsing.

use super::elements::Elements;
use super::name::stamped;
use super::schemas::engine_line;
use super::value::{parse, values_at_most, values_outside_strings};
use super::{
    BadRow, Fault, KEPT_OF_TOO_LONG, Kept, LogConfig, Place, Reason, Row, RowSchema, Sink, bad, encoding, rows_of,
    schema,
};
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

    /// Whether what has ended is a row, and not what stands between rows.
    fn is_row(&self) -> bool {
        true
    }

    /// Whether rows are numbered one by one, since several may stand on one line.
    fn counts_rows(&self) -> bool {
        false
    }

    /// What is missing where the input ends here.
    fn unclosed(&self) -> Option<&'static str> {
        None
    }
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
                if boundary.is_row() {
                    finish_row(&mut batch, &mut start, line, overlong.take(), config);
                    line += if boundary.counts_rows() { 1 } else { newlines };
                    newlines = 0;
                } else {
                    batch.bytes.truncate(start);
                    overlong = None;
                }
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
    let had = batch.rows.len();
    finish_row(&mut batch, &mut start, line, overlong.take(), config);
    if let Some(missing) = boundary.unclosed() {
        let next = line + (batch.rows.len() - had) as u64;
        batch.rows.push(Raw::bad(bad(next, Reason::TruncatedInput, missing, b"")));
    }
    if batch.rows.is_empty() { Ok(()) } else { handle(&mut batch) }
}

/// Adds the row that ends here.
fn finish_row(batch: &mut Batch, start: &mut usize, line: u64, overlong: Option<Overlong>, config: &LogConfig) {
    if let Some(row) = overlong {
        let detail = format!("expected at most {} bytes in a row, got {}", config.max_row_bytes, row.bytes);
        let digest = Digest(*row.hash.finalize().as_bytes());
        let result = Err(Fault::new(Reason::TooLong, detail).of_row(digest, Arc::from(row.kept)));
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

/// Reads JSON: one object a line, or where the first bytes show arrays or objects over several lines, their elements one after another.
///
/// A break of the input keeps what came before it and adds one bad row. Blank lines, a byte order mark and carriage returns at line ends are
/// passed over. A log in an encoding that is not read is one bad row that names it.
/// # Errors
/// Only those of `sink`.
pub fn read_jsonl(input: impl Read, config: &LogConfig, sink: &mut Sink<'_>) -> Result<()> {
    json_lines(input, config, &|value| schema::exchanges(value, config), sink)
}

/// As [`read_jsonl`], for rows of any schema.
pub(crate) fn json_lines<T: Send + Kept>(
    mut input: impl Read,
    config: &LogConfig,
    schema: &RowSchema<'_, T>,
    sink: &mut Sink<'_, T>,
) -> Result<()> {
    let (head, broken) = head(&mut input);
    if let Some(name) = encoding::refused(&head) {
        let detail = format!("expected UTF-8 or UTF-16 with a byte order mark, got {name}");
        return sink(vec![bad(1, Reason::NotUtf8, detail, &head)]);
    }
    let over_lines = is_over_lines(&head);
    let input = std::io::Cursor::new(head).chain(Broken(broken)).chain(input);
    let mut handle = |batch: &mut Batch| sink(batch.parse(|line, bytes| json_row(line, bytes, config, schema)));
    if over_lines {
        frame(input, config, Elements::default(), &mut handle)
    } else {
        frame(input, config, Lines, &mut handle)
    }
}

/// A stream that breaks off with this error, or ends.
struct Broken(Option<std::io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        match &self.0 {
            Some(cause) => Err(std::io::Error::new(cause.kind(), cause.to_string())),
            None => Ok(0),
        }
    }
}

/// The first two lines that are not blank, or as much as tells without them; and the error that came meanwhile.
fn head(input: &mut impl Read) -> (Vec<u8>, Option<std::io::Error>) {
    let mut head = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        match fill(input, &mut chunk) {
            Ok(0) => return (head, None),
            Ok(n) => head.extend_from_slice(&chunk[..n]),
            Err(cause) => return (head, Some(cause)),
        }
        let ended = head.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let full = ended.filter(|line| !line.iter().all(u8::is_ascii_whitespace)).count();
        if full >= 2 || head.len() >= HEAD {
            return (head, None);
        }
    }
}

/// Most bytes of a stream's head.
const HEAD: usize = 1 << 20;

/// Whether a stream of this head is an array, or objects over several lines. A first line that is cut off before a line that is whole is a
/// broken line of JSON lines.
fn is_over_lines(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut lines =
        text.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace));
    let Some(first) = lines.next() else { return false };
    let whole = first.ends_with(b"\n");
    let first = first.trim_ascii();
    if first.starts_with(b"[") {
        // An engine's log begins its lines with a time in brackets.
        return !std::str::from_utf8(first).is_ok_and(|line| engine_line(line).is_some());
    }
    // Objects one behind the other, with no line end between them.
    let mut values = serde_json::Deserializer::from_slice(first).into_iter::<serde::de::IgnoredAny>();
    if first.starts_with(b"{")
        && values.next().is_some_and(|value| value.is_ok())
        && first[values.byte_offset()..].trim_ascii_start().starts_with(b"{")
    {
        return true;
    }
    if !whole || !first.starts_with(b"{") || !(first.ends_with(b"{") || first.ends_with(b"[")) {
        return false;
    }
    let read = |line: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(line);
    let cut = |cause: serde_json::Error| cause.is_eof() && !cause.to_string().contains("string");
    let next_is_whole =
        lines.next().is_some_and(|line| line.trim_ascii_start().starts_with(b"{") && read(line).is_ok());
    read(first).is_err_and(cut) && !next_is_whole
}

/// What one line holds.
fn json_row<T: Kept>(line: u64, bytes: &[u8], config: &LogConfig, schema: &RowSchema<'_, T>) -> Vec<Row<T>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(cause) => {
            let (byte, at) = (bytes[cause.valid_up_to()], cause.valid_up_to());
            let likely = encoding::likely(bytes);
            let detail = format!("expected UTF-8, got byte {byte:#04x} at offset {at}, as of {likely}");
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
    match parse(text) {
        Ok(value) => rows_of(line, value, schema, || Arc::from(bytes)),
        Err(cause) => {
            if let Some(value) = engine_line(text) {
                return rows_of(line, value, schema, || Arc::from(bytes));
            }
            if let Some(rows) = run_together(line, text, schema) {
                return rows;
            }
            if let Some((time, rest)) = stamped(text)
                && let Ok(row @ serde_json::Value::Object(_)) = parse(rest)
            {
                let value = serde_json::json!({"timestamp": time, "message": row});
                return rows_of(line, value, schema, || Arc::from(bytes));
            }
            let reason = if has_lone_surrogate(text) { Reason::LoneSurrogate } else { Reason::NotJson };
            vec![bad(line, reason, format!("expected JSON, got: {cause}"), bytes)]
        }
    }
}

/// The rows of a line on which objects stand one behind the other, as a delivery that puts no line ends between its records writes them.
fn run_together<T: Kept>(line: u64, text: &str, schema: &RowSchema<'_, T>) -> Option<Vec<Row<T>>> {
    if !text.starts_with('{') {
        return None;
    }
    let mut ends = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let (mut parts, mut from) = (Vec::new(), 0);
    while let Some(part) = ends.next() {
        part.ok()?;
        let until = ends.byte_offset();
        let part = text.get(from..until)?.trim_start();
        parts.push(part.starts_with('{').then_some(part)?);
        from = until;
    }
    let mut rows: Vec<Row<T>> = Vec::new();
    for part in parts.iter().filter(|_| parts.len() > 1) {
        let before = rows.len() as u32;
        let found = rows_of(line, parse(part).ok()?, schema, || Arc::from(part.as_bytes()));
        rows.extend(
            found.into_iter().map(|row| Row {
                place: Place { row: row.place.row, part: row.place.part + before },
                result: row.result,
            }),
        );
    }
    (!rows.is_empty()).then_some(rows)
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
