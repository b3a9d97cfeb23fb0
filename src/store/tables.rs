//! Parquet tables of a night: rows, prompts, earlier turns, system prompts, family assignments.
//!
//! Any SQL engine reads them; we read single columns. One typed writer for each table keeps a column's name, type and meaning
//! in one place. Row groups are small enough that one row is read without the others.

use super::files::other_format;
use crate::error::{Error, ErrorKind, Result};
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Float32Builder, StringBuilder, TimestampMicrosecondBuilder, UInt32Builder,
    UInt64Builder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelector,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, PageIndexPolicy};
use parquet::file::properties::WriterProperties;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Version of the tables' format, in the metadata of each file.
const FORMAT: u32 = 1;
/// Under which name it stands there.
const FORMAT_KEY: &str = "stillhunt.format";

/// Rows gathered before they are encoded.
const BATCH: usize = 4096;

/// A cell to write.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    /// UTF-8 text, or nothing.
    Text(Option<&'a str>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A small number, or nothing.
    U32(Option<u32>),
    /// A large number.
    U64(u64),
    /// A similarity.
    F32(f32),
    /// A yes or no.
    Bool(bool),
    /// Microseconds since the epoch, UTC.
    Time(i64),
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Bytes,
    /// u32.
    U32,
    /// u64.
    U64,
    /// f32.
    F32,
    /// bool.
    Bool,
    /// Timestamp, microseconds, UTC.
    Time,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
            Self::F32 => DataType::Float32,
            Self::Bool => DataType::Boolean,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// Columns of a table, in order: name, type, whether a cell may be empty.
pub type Columns = [(&'static str, Kind, bool)];

/// Each exchange as it came.
pub const ROWS: &Columns = &[
    ("exchange_id", Kind::Text, false),
    ("account", Kind::U32, false),
    ("end_user", Kind::Text, true),
    ("time", Kind::Time, false),
    ("model", Kind::Text, true),
    ("prompt", Kind::U32, false),
    ("prompt_text", Kind::Text, false),
    ("system", Kind::U32, true),
    ("system_text", Kind::Text, true),
    ("response", Kind::Text, true),
    ("conversation", Kind::Text, true),
    ("turns", Kind::Bytes, false),
    ("attributes", Kind::Text, true),
    ("removed_invisible", Kind::U32, false),
    ("removed_bidi", Kind::U32, false),
    ("removed_tags", Kind::U32, false),
    ("removed_lookalikes", Kind::U32, false),
    ("removed_compatibility", Kind::U32, false),
    ("base64_texts", Kind::U32, false),
    ("input", Kind::Text, false),
    ("input_row", Kind::U64, false),
];

/// Each distinct folded prompt, once in the store.
pub const PROMPTS: &Columns = &[
    ("prompt", Kind::U32, false),
    ("digest", Kind::Bytes, false),
    ("row", Kind::U32, false),
    ("trivial", Kind::Bool, false),
    ("vector", Kind::Bool, false),
    ("tokens", Kind::U32, false),
    ("windows", Kind::U32, false),
];

/// Earlier turns, once for each conversation.
pub const TURNS: &Columns = &[
    ("conversation", Kind::Text, true),
    ("digest", Kind::Bytes, false),
    ("role", Kind::Text, false),
    ("text", Kind::Text, false),
];

/// Distinct folded system prompts, as each first came.
pub const SYSTEMS: &Columns =
    &[("system", Kind::U32, false), ("digest", Kind::Bytes, false), ("text", Kind::Text, false)];

/// Prompts that this night put into near-duplicate families; similarity is that to the family's leader.
pub const ASSIGNED: &Columns =
    &[("prompt", Kind::U32, false), ("family", Kind::U32, false), ("similarity", Kind::F32, false)];

/// Texts that this night found to hold a fragment, tonight's and older ones: where in the folded text, in bytes, and how much of it.
pub const FRAGMENTS: &Columns = &[
    ("fragment", Kind::U32, false),
    ("text", Kind::U32, false),
    ("first", Kind::U32, false),
    ("end", Kind::U32, false),
    ("held", Kind::U32, false),
    ("length", Kind::U32, false),
];

enum Builder {
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    U32(UInt32Builder),
    U64(UInt64Builder),
    F32(Float32Builder),
    Bool(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Bytes => Self::Bytes(BinaryBuilder::new()),
            Kind::U32 => Self::U32(UInt32Builder::new()),
            Kind::U64 => Self::U64(UInt64Builder::new()),
            Kind::F32 => Self::F32(Float32Builder::new()),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    /// Takes a cell and returns its size in bytes.
    fn push(&mut self, cell: Cell<'_>) -> usize {
        match (self, cell) {
            (Self::Text(b), Cell::Text(text)) => {
                b.append_option(text);
                return text.map_or(0, str::len);
            }
            (Self::Bytes(b), Cell::Bytes(bytes)) => {
                b.append_value(bytes);
                return bytes.len();
            }
            (Self::U32(b), Cell::U32(x)) => b.append_option(x),
            (Self::U64(b), Cell::U64(x)) => b.append_value(x),
            (Self::F32(b), Cell::F32(x)) => b.append_value(x),
            (Self::Bool(b), Cell::Bool(x)) => b.append_value(x),
            (Self::Time(b), Cell::Time(x)) => b.append_value(x),
            (_, cell) => unreachable!("a cell of another type: {cell:?}"),
        }
        8
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => Arc::new(b.finish()),
            Self::Bytes(b) => Arc::new(b.finish()),
            Self::U32(b) => Arc::new(b.finish()),
            Self::U64(b) => Arc::new(b.finish()),
            Self::F32(b) => Arc::new(b.finish()),
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
        }
    }
}

/// Writes one table, a row at a time.
pub struct TableWriter<W: Write + Send> {
    schema: SchemaRef,
    builders: Vec<Builder>,
    pending: usize,
    pending_bytes: usize,
    rows: u32,
    out: ArrowWriter<W>,
}

/// Text gathered before it is encoded.
const BATCH_BYTES: usize = 16 << 20;

impl<W: Write + Send> TableWriter<W> {
    /// Begins a table.
    /// # Errors
    /// When `out` fails.
    pub fn new(columns: &Columns, out: W) -> Result<Self> {
        let fields: Vec<Field> =
            columns.iter().map(|(name, kind, empty)| Field::new(*name, kind.data_type(), *empty)).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(failed)?))
            .set_max_row_group_row_count(Some(1 << 17))
            .set_data_page_row_count_limit(1024)
            // Each value is another, so a dictionary would be read whole for one of them.
            .set_column_dictionary_enabled("exchange_id".into(), false)
            .set_column_dictionary_enabled("digest".into(), false)
            .set_write_batch_size(1024)
            .set_created_by("stillhunt".into())
            .set_key_value_metadata(Some(vec![KeyValue::new(FORMAT_KEY.to_owned(), FORMAT.to_string())]))
            .build();
        let out = ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(failed)?;
        let builders = columns.iter().map(|(_, kind, _)| Builder::new(*kind)).collect();
        Ok(Self { schema, builders, pending: 0, pending_bytes: 0, rows: 0, out })
    }

    /// Adds a row and returns its number, from 0.
    /// # Errors
    /// When the writer below fails.
    /// # Panics
    /// When the cells do not fit the columns.
    pub fn push(&mut self, cells: &[Cell<'_>]) -> Result<u32> {
        assert_eq!(cells.len(), self.builders.len(), "one cell a column");
        for (builder, cell) in self.builders.iter_mut().zip(cells) {
            self.pending_bytes += builder.push(*cell);
        }
        self.pending += 1;
        if self.pending == BATCH || self.pending_bytes > BATCH_BYTES {
            self.flush()?;
        }
        self.rows += 1;
        Ok(self.rows - 1)
    }

    fn flush(&mut self) -> Result<()> {
        if self.pending > 0 {
            let columns = self.builders.iter_mut().map(Builder::finish).collect();
            let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(failed)?;
            self.out.write(&batch).map_err(failed)?;
            // A row group is encoded in memory, so its bytes are bounded as well as its rows.
            if self.out.in_progress_size() > 4 * BATCH_BYTES {
                self.out.flush().map_err(failed)?;
            }
            (self.pending, self.pending_bytes) = (0, 0);
        }
        Ok(())
    }

    /// Writes the end and returns the writer below.
    /// # Errors
    /// When the writer below fails.
    pub fn finish(mut self) -> Result<W> {
        self.flush()?;
        self.out.into_inner().map_err(failed)
    }
}

fn failed(cause: impl Into<TableError>) -> Error {
    let TableError(cause) = cause.into();
    Error::new(ErrorKind::Store, format!("parquet: {cause}"))
}

struct TableError(String);

impl From<ParquetError> for TableError {
    fn from(cause: ParquetError) -> Self {
        Self(cause.to_string())
    }
}

impl From<ArrowError> for TableError {
    fn from(cause: ArrowError) -> Self {
        Self(cause.to_string())
    }
}

/// Batches of the chosen columns of the table at `path`, in the order of the table; `rows` (ascending) chooses single rows.
/// # Errors
/// `Io` or `Store` when the table cannot be read.
pub fn read(
    path: &Path,
    columns: &[&str],
    rows: Option<&[u32]>,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    read_by(path, columns, rows, 8192, None)
}

/// Calls `take(row, cells)` with every row of the table at `path`, in order.
/// # Errors
/// `Io` or `Store` when the table cannot be read; what `take` fails with.
pub fn each_row(path: &Path, columns: &Columns, take: &mut dyn FnMut(u32, &[Cell<'_>]) -> Result<()>) -> Result<()> {
    let names: Vec<&str> = columns.iter().map(|(name, ..)| *name).collect();
    let mut number = 0;
    // Whole rows are long, so few of them are held at once.
    for batch in read_by(path, &names, None, 256, None)? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let cells: Vec<Cell<'_>> =
                batch.columns().iter().zip(columns).map(|(column, (_, kind, _))| cell(column, *kind, row)).collect();
            take(number, &cells)?;
            number += 1;
        }
    }
    Ok(())
}

fn cell(column: &ArrayRef, kind: Kind, row: usize) -> Cell<'_> {
    let some = !column.is_null(row);
    match kind {
        Kind::Text => Cell::Text(some.then(|| column.as_string::<i32>().value(row))),
        Kind::Bytes => Cell::Bytes(column.as_binary::<i32>().value(row)),
        Kind::U32 => Cell::U32(some.then(|| column.as_primitive::<UInt32Type>().value(row))),
        Kind::U64 => Cell::U64(column.as_primitive::<UInt64Type>().value(row)),
        Kind::F32 => Cell::F32(column.as_primitive::<Float32Type>().value(row)),
        Kind::Bool => Cell::Bool(column.as_boolean().value(row)),
        Kind::Time => Cell::Time(column.as_primitive::<TimestampMicrosecondType>().value(row)),
    }
}

fn read_by(
    path: &Path,
    columns: &[&str],
    rows: Option<&[u32]>,
    batch_rows: usize,
    footers: Option<&Footers>,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    #[allow(clippy::disallowed_methods)]
    let file = File::open(path).map_err(|cause| Error::io("read", path, &cause))?;
    let name = path.display().to_string();
    let damaged = move |cause: String| {
        let message = format!("cannot read the table {name}: {cause}");
        Error::new(ErrorKind::Store, message).hint("run: stillhunt store verify")
    };
    let metadata = match (rows, footers) {
        (Some(_), Some(footers)) => footers.of(path, &file),
        _ => footer(&file, rows.is_some()),
    };
    let metadata = metadata.map_err(&damaged)?;
    check_format(&metadata).map_err(|error| error.at(path.display()))?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let reader = || -> std::result::Result<ParquetRecordBatchReader, TableError> {
        for column in columns {
            builder.schema().field_with_name(column)?;
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let mut builder = builder.with_projection(mask).with_batch_size(batch_rows);
        if let Some(rows) = rows {
            builder = builder.with_row_selection(selection(rows));
        }
        Ok(builder.build()?)
    };
    let mut reader = guarded(reader).map_err(&damaged)?;
    let next = move || guarded(|| Ok(reader.next().transpose()?)).map_err(&damaged).transpose();
    Ok(std::iter::from_fn(next))
}

/// What a table says of itself, with where its pages lie when single rows are wanted.
fn footer(file: &File, pages: bool) -> std::result::Result<ArrowReaderMetadata, String> {
    let policy = if pages { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
    let options = ArrowReaderOptions::new().with_page_index_policy(policy);
    guarded(|| Ok(ArrowReaderMetadata::load(file, options)?))
}

/// Where single rows of tables lie, read once a table and kept: reading it takes longer than reading a row. A table's file is never
/// written again under the same name.
#[derive(Default)]
pub struct Footers(Mutex<HashMap<PathBuf, ArrowReaderMetadata>>);

impl Footers {
    /// Tables whose footers are kept; some 2 MB each where a table has a million rows.
    const MOST: usize = 64;

    fn of(&self, path: &Path, file: &File) -> std::result::Result<ArrowReaderMetadata, String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(path) {
            return Ok(known.clone());
        }
        let read = footer(file, true)?;
        if kept.len() >= Self::MOST {
            kept.clear();
        }
        kept.insert(path.to_owned(), read.clone());
        Ok(read)
    }

    /// Single `rows` (ascending) of the table at `path`, in the order of the table.
    /// # Errors
    /// As [`read`].
    pub fn rows(
        &self,
        path: &Path,
        columns: &[&str],
        rows: &[u32],
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        read_by(path, columns, Some(rows), 8192, Some(self))
    }
}

/// Runs the decoder; it was not written for damaged files, so its panic is an error.
fn guarded<T>(decode: impl FnOnce() -> std::result::Result<T, TableError>) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(result) => result.map_err(|TableError(cause)| cause),
        Err(_) => Err("the decoder gave up on damaged data".to_owned()),
    }
}

fn check_format(builder: &ArrowReaderMetadata) -> Result<()> {
    let pairs = builder.metadata().file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
    let got = pairs.iter().find(|pair| pair.key == FORMAT_KEY).and_then(|pair| pair.value.as_deref());
    match got {
        Some(number) if number == FORMAT.to_string() => {}
        Some(number) => return Err(other_format("a table", FORMAT, &format!("format {number}"))),
        None => return Err(other_format("a table", FORMAT, "no format")),
    }
    // Whoever reads a column relies on its type.
    let same = |columns: &&Columns| {
        let fields = builder.schema().fields();
        let alike = |(field, (name, kind, empty)): (&Arc<Field>, &(&str, Kind, bool))| {
            field.name() == name && *field.data_type() == kind.data_type() && field.is_nullable() == *empty
        };
        fields.len() == columns.len() && fields.iter().zip(*columns).all(alike)
    };
    if [ROWS, PROMPTS, TURNS, SYSTEMS, ASSIGNED, FRAGMENTS].iter().any(same) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Store, "its columns are not those of a table of a store")
        .hint("run: stillhunt store verify"))
}

fn selection(rows: &[u32]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut next = 0;
    for &row in rows {
        if row > next {
            selectors.push(RowSelector::skip((row - next) as usize));
        }
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    selectors.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_rows_come_back_from_a_long_table() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("t.parquet");
        let file = super::super::files::create_private(&path).expect("made");
        let mut writer = TableWriter::new(SYSTEMS, file).expect("a writer");
        for i in 0..20_000u32 {
            let text = format!("text {i}");
            assert_eq!(
                writer.push(&[Cell::U32(Some(i)), Cell::Bytes(&i.to_le_bytes()), Cell::Text(Some(&text))]).unwrap(),
                i
            );
        }
        writer.finish().expect("written");
        let wanted = [0, 1, 4095, 4096, 19_999];
        let mut found = Vec::new();
        for batch in read(&path, &["system", "text"], Some(&wanted)).unwrap() {
            let batch = batch.unwrap();
            let (n, text) =
                (batch.column(0).as_primitive::<UInt32Type>().clone(), batch.column(1).as_string::<i32>().clone());
            found.extend((0..batch.num_rows()).map(|i| (n.value(i), text.value(i).to_owned())));
        }
        let expected: Vec<_> = wanted.iter().map(|&i| (i, format!("text {i}"))).collect();
        assert_eq!(found, expected);
        assert_eq!(read(&path, &["system"], None).unwrap().map(|b| b.unwrap().num_rows()).sum::<usize>(), 20_000);
        assert!(read(&path, &["nothing"], None).is_err());
    }
}
