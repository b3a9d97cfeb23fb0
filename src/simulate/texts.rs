//! The user's texts: Parquet, TSV, JSON lines or plain lines → [`Texts`].
//!
//! A file has a column `text` (or `prompt`) and may have `group`, `source` and `kind`; source and group together name the
//! interest. Other columns are ignored, rows without text are left out, duplicates stay. Guarantee: a line longer than
//! [`LONGEST`] is an error, never a growing buffer.

use super::{GivenText, Texts};
use crate::error::{Error, ErrorKind, Result};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;
use std::io::{BufRead, BufReader, Read};

/// The longest line, in bytes.
const LONGEST: u64 = 16 << 20;

/// How lines hold texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextForm {
    /// A header with column names, fields separated by tabs, `\n`, `\t` and `\\` escaped.
    Tsv,
    /// One JSON object a line.
    JsonLines,
    /// One text a line.
    Plain,
}

fn input_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}

fn given(text: &str, source: &str, group: &str, kind: &str) -> Option<GivenText> {
    if text.trim().is_empty() {
        return None;
    }
    let group = if source.is_empty() { group.to_owned() } else { format!("{source}/{group}") };
    Some(GivenText { text: text.to_owned(), group, kind: kind.to_owned() })
}

/// Reads texts from a Parquet file.
/// # Errors
/// `Input` when it is no Parquet file or has no column `text`.
pub fn texts_from_parquet(input: impl ChunkReader + 'static) -> Result<Texts> {
    let broken = |cause: &dyn std::fmt::Display| input_error(format!("expected a Parquet file of texts: {cause}"));
    let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(|cause| broken(&cause))?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let Some(text_name) = ["text", "prompt"].into_iter().find(|name| names.iter().any(|other| other == name)) else {
        return Err(input_error(format!("expected a column `text`, got the columns {}", names.join(", "))));
    };
    let wanted = [text_name, "source", "group", "kind"];
    let mask = parquet::arrow::ProjectionMask::columns(builder.parquet_schema(), wanted);
    let mut texts = Vec::new();
    for batch in builder.with_projection(mask).build().map_err(|cause| broken(&cause))? {
        let batch = batch.map_err(|cause| broken(&cause))?;
        let mut columns = Vec::new();
        for name in wanted {
            columns.push(strings(&batch, name)?);
        }
        let at = |column: usize, row: usize| {
            let array = columns[column].as_ref()?.as_string_opt::<i64>()?;
            (!arrow_array::Array::is_null(array, row)).then(|| array.value(row))
        };
        texts.extend((0..batch.num_rows()).filter_map(|row| {
            let field = |column| at(column, row).unwrap_or_default();
            given(field(0), field(1), field(2), field(3))
        }));
    }
    Ok(Texts::Given(texts))
}

/// A column as strings, whatever string-like type it has.
fn strings(batch: &RecordBatch, name: &str) -> Result<Option<ArrayRef>> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    arrow_cast::cast(column, &DataType::LargeUtf8)
        .map(Some)
        .map_err(|cause| input_error(format!("expected text in column `{name}`, got {}: {cause}", column.data_type())))
}

/// Reads texts from lines.
/// # Errors
/// `Input` when a line is not as `form` says (with its number), `Io` when reading fails.
pub fn texts_from_lines(input: impl Read, form: TextForm) -> Result<Texts> {
    let mut input = BufReader::new(input);
    let mut texts = Vec::new();
    let mut header: Option<Vec<String>> = None;
    let mut bytes = Vec::new();
    for number in 1_u64.. {
        bytes.clear();
        let read = (&mut input).take(LONGEST + 1).read_until(b'\n', &mut bytes);
        let read =
            read.map_err(|cause| Error::new(ErrorKind::Io, format!("cannot read texts, line {number}: {cause}")))?;
        if read == 0 {
            break;
        }
        if read as u64 > LONGEST {
            return Err(input_error(format!(
                "expected lines of at most {LONGEST} bytes, got a longer one, line {number}"
            )));
        }
        let line = std::str::from_utf8(&bytes)
            .map_err(|cause| input_error(format!("expected UTF-8 text, line {number}: {cause}")))?
            .trim_end_matches(['\n', '\r']);
        match (form, &header) {
            (TextForm::Plain, _) => texts.extend(given(line, "", "", "")),
            (TextForm::JsonLines, _) if line.trim().is_empty() => {}
            (TextForm::JsonLines, _) => texts.extend(from_json(line, number)?),
            (TextForm::Tsv, None) => {
                let names: Vec<String> = line.trim_start_matches('\u{feff}').split('\t').map(str::to_owned).collect();
                if !names.iter().any(|name| name == "text" || name == "prompt") {
                    return Err(input_error(format!(
                        "expected a column `text` in the header, got {}",
                        names.join(", ")
                    )));
                }
                header = Some(names);
            }
            (TextForm::Tsv, Some(names)) => {
                let fields: Vec<String> = line.split('\t').map(unescape).collect();
                let field = |wanted: &str| {
                    let place = names.iter().position(|name| name == wanted);
                    place.and_then(|place| fields.get(place)).map_or("", String::as_str)
                };
                let text = if field("text").is_empty() { field("prompt") } else { field("text") };
                texts.extend(given(text, field("source"), field("group"), field("kind")));
            }
        }
    }
    Ok(Texts::Given(texts))
}

fn from_json(line: &str, number: u64) -> Result<Option<GivenText>> {
    let value: serde_json::Value = serde_json::from_str(line)
        .map_err(|cause| input_error(format!("expected a JSON object, line {number}: {cause}")))?;
    let field = |name: &str| value.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    let Some(text) = ["text", "prompt"].into_iter().find_map(|name| value.get(name)) else {
        return Err(input_error(format!("expected an object with `text`, line {number}")));
    };
    let Some(text) = text.as_str() else {
        return Err(input_error(format!("expected `text` to be a string, line {number}")));
    };
    Ok(given(text, field("source"), field("group"), field("kind")))
}

fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (c, false) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, StringArray};
    use std::sync::Arc;

    fn list(texts: Result<Texts>) -> Vec<GivenText> {
        match texts.expect("texts are read") {
            Texts::Given(list) => list,
            Texts::Grammar => panic!("expected given texts"),
        }
    }

    fn text(text: &str, group: &str, kind: &str) -> GivenText {
        GivenText { text: text.to_owned(), group: group.to_owned(), kind: kind.to_owned() }
    }

    #[test]
    fn lines_of_each_form_are_read() {
        let tsv = "kind\ttext\tgroup\tsource\nchat\ta\\tb\\n\\\\c\tg\ts\nchat\t\tg\ts\nshort\n";
        assert_eq!(list(texts_from_lines(tsv.as_bytes(), TextForm::Tsv)), [text("a\tb\n\\c", "s/g", "chat")]);
        let json = "{\"text\":\"x\",\"group\":\"g\"}\n\n{\"prompt\":\"y\",\"kind\":\"k\"}\n";
        assert_eq!(
            list(texts_from_lines(json.as_bytes(), TextForm::JsonLines)),
            [text("x", "g", ""), text("y", "", "k")]
        );
        assert_eq!(
            list(texts_from_lines("a\r\n\nb".as_bytes(), TextForm::Plain)),
            [text("a", "", ""), text("b", "", "")]
        );
    }

    #[test]
    fn a_bad_line_says_where_it_is() {
        for (bytes, form, wanted) in [
            (&b"{\"text\":1}\n"[..], TextForm::JsonLines, "line 1"),
            (b"{\"text\":\"a\"}\n{oops\n", TextForm::JsonLines, "line 2"),
            (b"a\n\xff\n", TextForm::Plain, "line 2"),
            (b"one\ttwo\n", TextForm::Tsv, "got one, two"),
        ] {
            let Err(error) = texts_from_lines(bytes, form) else { panic!("{wanted}: expected an error") };
            assert!(error.to_string().contains(wanted), "{error}");
        }
        let endless = std::io::repeat(b'a');
        assert!(
            texts_from_lines(endless, TextForm::Plain).is_err_and(|error| error.to_string().contains("longer one"))
        );
    }

    #[test]
    fn parquet_is_read_and_refused() {
        let column = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let batch = RecordBatch::try_from_iter([
            ("text", column(vec![Some("one"), None, Some("two")])),
            ("other", column(vec![Some("x"), Some("y"), Some("z")])),
            ("kind", column(vec![Some("chat"), Some("chat"), None])),
        ])
        .expect("a batch");
        let mut bytes = Vec::new();
        let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("rows are written");
        writer.close().expect("the file is closed");
        let file = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().expect("a file");
            std::io::Write::write_all(&mut file, bytes).expect("bytes are written");
            file
        };
        assert_eq!(list(texts_from_parquet(file(&bytes))), [text("one", "", "chat"), text("two", "", "")]);
        assert!(texts_from_parquet(file(&bytes[..bytes.len() / 2])).is_err());
    }
}
