//! Documents in: text or token ids that a watermark is sought in, with the prompt that they answer where it is known.
//!
//! JSONL and Parquet rows hold `text` or `tokens` (or `response`, `response_tokens`), and optionally `prompt` or `prompt_tokens` and `id`;
//! other fields are passed over. A row with `predicted` is a model's prediction of the token after `context`.
//! Anything else is plain text: a file is one document, and one that is longer than a row may be is cut at line ends. Weakness: a cut
//! loses the few windows that span it. Guarantee: any bytes give documents and bad rows, never a panic; memory is bounded by a batch.

use super::columns::parquet_rows;
use super::frame::{Boundary, frame, json_lines};
use super::value::{Object, get, keys, kind, scalar};
use super::{Fault, Kept, LogConfig, Place, Reason, Row, Sink, bad};
use crate::error::Result;
use serde_json::Value;
use std::fs::File;
use std::io::Read;

/// Text, or the ids that a tokenizer gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// To be read by a tokenizer.
    Text(String),
    /// Ready.
    Ids(Vec<u32>),
}

/// One text that a model may have written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its name, where the row gives one: at most 256 bytes.
    pub id: Option<String>,
    /// The text itself, without the prompt.
    pub body: Tokens,
    /// What it answers.
    pub prompt: Option<Tokens>,
}

/// What a model thinks comes after some tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prediction {
    /// The tokens before it: at least the scheme's context, better all that the model had read.
    pub context: Vec<u32>,
    /// The likeliest tokens, likeliest first.
    pub predicted: Vec<u32>,
}

/// What a suspect model said: an answer, or a prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Text that it wrote.
    Answer(Document),
    /// What it expects next.
    Prediction(Prediction),
}

/// Where documents are read from.
pub enum Source<'a> {
    /// JSON lines.
    Lines(&'a mut dyn Read),
    /// Plain text.
    Text(&'a mut dyn Read),
    /// A Parquet file.
    Parquet(&'a File),
}

/// Reads documents.
///
/// # Errors
/// Only those of `sink`.
pub fn read_documents(source: Source<'_>, config: &LogConfig, sink: &mut Sink<'_, Document>) -> Result<()> {
    read_as(source, config, &document, &|document| document, sink)
}

/// Reads what a suspect model said: documents, and rows of `context` and `predicted` (lists of token ids).
///
/// # Errors
/// Only those of `sink`.
pub fn read_said(source: Source<'_>, config: &LogConfig, sink: &mut Sink<'_, Said>) -> Result<()> {
    let said = |value: Value| match &value {
        Value::Object(row) if get(row, "predicted").is_some() => prediction(row).map(Said::Prediction),
        _ => document(value).map(Said::Answer),
    };
    read_as(source, config, &said, &Said::Answer, sink)
}

fn read_as<T: Send + Kept>(
    source: Source<'_>,
    config: &LogConfig,
    row: &(dyn Fn(Value) -> std::result::Result<T, Fault> + Sync),
    text: &(dyn Fn(Document) -> T + Sync),
    sink: &mut Sink<'_, T>,
) -> Result<()> {
    let schema = |value| vec![row(value)];
    match source {
        Source::Lines(input) => json_lines(input, config, &schema, sink),
        Source::Parquet(file) => parquet_rows(file, config, &schema, sink),
        Source::Text(input) => frame(input, config, Pieces { most: config.max_row_bytes / 2, held: 0 }, &mut |batch| {
            let placed = |row: Row<Document>| Row { place: row.place, result: row.result.map(text) };
            sink(batch.parse(|line, bytes| text_piece(line, bytes).into_iter().map(placed).collect()))
        }),
    }
}

fn prediction(row: &Object) -> std::result::Result<Prediction, Fault> {
    let missing = |field: &str| Fault::new(Reason::NoText, format!("expected {field}, got the keys {}", keys(row)));
    let context = ids(row, "context")?.ok_or_else(|| missing("context"))?;
    Ok(Prediction { context, predicted: ids(row, "predicted")?.ok_or_else(|| missing("predicted"))? })
}

/// Whether a stream of this beginning holds JSON, where its name does not tell: it begins with a brace, or an array of objects with a bracket
/// and a brace.
#[must_use]
pub fn begins_as_lines(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let start = start.trim_ascii_start();
    start.starts_with(b"{") || start.strip_prefix(b"[").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"))
}

/// Plain text goes on to the end of the input, or to the first line end after so many bytes.
struct Pieces {
    most: usize,
    held: usize,
}

impl Boundary for Pieces {
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let skip = self.most.saturating_sub(self.held).min(bytes.len());
        let end = bytes[skip..].iter().position(|byte| *byte == b'\n').map(|at| skip + at + 1);
        self.held = if end.is_some() { 0 } else { self.held + bytes.len() };
        end
    }
}

fn text_piece(line: u64, bytes: &[u8]) -> Vec<Row<Document>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let document = Document { id: None, body: Tokens::Text(text.to_owned()), prompt: None };
            vec![Row { place: Place { row: line, part: 0 }, result: Ok(document) }]
        }
        Err(cause) => {
            let (byte, at) = (bytes[cause.valid_up_to()], cause.valid_up_to());
            vec![bad(line, Reason::NotUtf8, format!("expected UTF-8, got byte {byte:#04x} at offset {at}"), bytes)]
        }
    }
}

fn document(value: Value) -> std::result::Result<Document, Fault> {
    let Value::Object(row) = value else {
        return Err(Fault::new(Reason::NotAnObject, format!("expected one object, got {}", kind(&value))));
    };
    let body = tokens(&row, "text", "tokens")?;
    let body = body
        .map_or_else(|| tokens(&row, "response", "response_tokens"), |body| Ok(Some(body)))?
        .ok_or_else(|| Fault::new(Reason::NoText, format!("expected text or tokens, got the keys {}", keys(&row))))?;
    let id = get(&row, "id").and_then(scalar).filter(|id| id.len() <= 256);
    Ok(Document { id, body, prompt: tokens(&row, "prompt", "prompt_tokens")? })
}

/// The token ids of one field, else the text of another.
fn tokens(row: &Object, text: &str, field: &str) -> std::result::Result<Option<Tokens>, Fault> {
    if let Some(list) = ids(row, field)? {
        return Ok(Some(Tokens::Ids(list)));
    }
    match get(row, text) {
        None => Ok(None),
        Some(Value::String(found)) => Ok(Some(Tokens::Text(found.clone()))),
        Some(other) => Err(Fault::new(Reason::NoText, format!("expected text in {text}, got {}", kind(other)))),
    }
}

/// The token ids of one field.
fn ids(row: &Object, field: &str) -> std::result::Result<Option<Vec<u32>>, Fault> {
    let Some(value) = get(row, field) else { return Ok(None) };
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok()).filter(|id| *id < u32::MAX);
    let list = value.as_array().and_then(|list| list.iter().map(id).collect::<Option<Vec<u32>>>());
    let wrong =
        || Fault::new(Reason::BadTokens, format!("expected a list of token ids in {field}, got something else"));
    list.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        bytes: &[u8],
        source: fn(&mut dyn Read) -> Source<'_>,
        max_row_bytes: usize,
    ) -> Vec<std::result::Result<Document, Reason>> {
        let config = LogConfig { max_row_bytes, ..LogConfig::default() };
        let mut rows = Vec::new();
        let mut input = bytes;
        read_documents(source(&mut input), &config, &mut |batch| {
            rows.extend(batch.into_iter().map(|row: Row<Document>| row.result.map_err(|bad| bad.reason)));
            Ok(())
        })
        .expect("the sink has no errors");
        rows
    }

    #[test]
    fn rows_are_text_or_tokens_and_bad_ones_say_why() {
        let lines = b"{\"text\":\"a b\",\"id\":7}\n{\"tokens\":[1,2],\"prompt_tokens\":[3]}\n[]\n{\"tokens\":[-1]}\n{\"tokens\":[4294967295]}\n{\"a\":1}\n\xff\n{\"text\":1}\n";
        let rows = read(lines, |input| Source::Lines(input), 1 << 20);
        let ids = |ids: &[u32]| Tokens::Ids(ids.to_vec());
        assert_eq!(rows[0], Ok(Document { id: Some("7".into()), body: Tokens::Text("a b".into()), prompt: None }));
        assert_eq!(rows[1], Ok(Document { id: None, body: ids(&[1, 2]), prompt: Some(ids(&[3])) }));
        let reasons: Vec<Reason> = rows[2..].iter().map(|row| *row.as_ref().unwrap_err()).collect();
        let bad = Reason::BadTokens;
        assert_eq!(reasons, [Reason::NotAnObject, bad, bad, Reason::NoText, Reason::NotUtf8, Reason::NoText]);
    }

    #[test]
    fn plain_text_is_one_document_until_it_is_long() {
        let text = |text: &str| Ok(Document { id: None, body: Tokens::Text(text.into()), prompt: None });
        assert_eq!(read(b"a line\n\nand more", |input| Source::Text(input), 1 << 20), [text("a line\n\nand more")]);
        let long = "0123456789\n".repeat(40);
        let rows = read(long.as_bytes(), |input| Source::Text(input), 200);
        let joined: String = rows
            .iter()
            .map(|row| match &row.as_ref().expect("text").body {
                Tokens::Text(text) => format!("{text}\n"),
                Tokens::Ids(_) => unreachable!("plain text"),
            })
            .collect();
        assert!(rows.len() > 1 && joined == long, "{}", rows.len());
        assert_eq!(read(&[b'x'; 500], |input| Source::Text(input), 200), [Err(Reason::TooLong)]);
        assert_eq!(read(b"", |input| Source::Text(input), 200), []);
    }
}
