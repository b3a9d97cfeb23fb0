//! The Parquet reader: rows of typed columns → the same JSON values as lines.
//!
//! Row groups are opened one by one, so that a damaged one costs its own rows and not the file. Footer and page headers are
//! weighed before the decoder believes them ([`pages`]); texts are read as views into their pages, so that a dictionary of one long
//! text is not copied for each row; and rows are put together a bounded number of bytes at a time. The decoder is foreign code that
//! was not written for damaged input; a panic in it is caught and counted like an error.
//!
//! Bounds: 4,096 columns, 64 levels, pages open at once of eight times the longest row. Weakness: a row's raw form is its JSON, and
//! a row over the bound, which is never put together, has none.

mod pages;
#[cfg(test)]
mod tests;

use super::convert::{cell, size};
use super::value::Object;
use super::{COLUMNS, Kept, LogConfig, Reason, Row, RowSchema, Sink, bad, rows_of, schema};
use crate::error::Result;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use rayon::prelude::*;
use serde_json::Value;
use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Reads an opened Parquet file.
///
/// Without a readable footer it gives one bad row; a damaged row group gives one bad row in place of the rest of the group.
/// # Errors
/// Only those of `sink`.
pub fn read_parquet(input: &File, config: &LogConfig, sink: &mut Sink<'_>) -> Result<()> {
    parquet_rows(input, config, &|value| schema::exchanges(value, config), sink)
}

/// As [`read_parquet`], for rows of any schema.
pub(crate) fn parquet_rows<T: Send + Kept>(
    input: &File,
    config: &LogConfig,
    schema: &RowSchema<'_, T>,
    sink: &mut Sink<'_, T>,
) -> Result<()> {
    let metadata = match guarded(|| pages::check_footer(input, COLUMNS)).and_then(|()| guarded(|| load(input))) {
        Ok(metadata) => metadata,
        Err(cause) => {
            return sink(vec![bad(1, Reason::UnreadableFile, format!("expected a Parquet file, got: {cause}"), b"")]);
        }
    };
    let (mut before, mut bytes): (u64, u64) = (0, 0);
    for (index, group) in metadata.metadata().row_groups().iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let mut read: u64 = 0;
        let open = || {
            let weight = pages::weigh(input, group, OPEN * config.max_row_bytes as u64)?;
            let fitting = config.batch_bytes as u64 / weight.row.max(1);
            let batch_rows = usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, config.batch_rows.max(1));
            let file = input.try_clone().map_err(|cause| cause.to_string())?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
            let reader = builder.with_row_groups(vec![index]).with_batch_size(batch_rows).build();
            reader.map_err(|cause| cause.to_string())
        };
        let lost = match guarded(open) {
            Err(cause) => Some(cause),
            Ok(mut reader) => loop {
                let batch = match guarded(|| reader.next().transpose()) {
                    Ok(Some(batch)) => batch,
                    Ok(None) => break None,
                    Err(cause) => break Some(cause),
                };
                let mut from = 0;
                let lost = loop {
                    if from >= batch.num_rows() {
                        break None;
                    }
                    let first = before + read + from as u64 + 1;
                    match guarded(|| Ok::<_, String>(some_rows(&batch, from, first, config, schema))) {
                        Ok((parsed, until, held)) => {
                            sink(parsed)?;
                            (from, bytes) = (until, bytes.saturating_add(held));
                        }
                        Err(cause) => break Some(cause),
                    }
                    if bytes > config.max_log_bytes {
                        let detail = format!("expected at most {} bytes in a log, got more", config.max_log_bytes);
                        return sink(vec![bad(first + 1, Reason::TruncatedInput, detail, b"")]);
                    }
                };
                read += from as u64;
                if lost.is_some() {
                    break lost;
                }
            },
        };
        if let Some(cause) = lost {
            let detail = format!("expected {} more rows in row group {index}, got: {cause}", rows.saturating_sub(read));
            sink(vec![bad(before + read + 1, Reason::DamagedRows, detail, b"")])?;
        }
        before = before.saturating_add(rows.max(read));
    }
    Ok(())
}

/// How many times the longest row the pages may take that are open at once.
const OPEN: u64 = 8;

/// Reads the footer, and asks for texts as views.
fn load(input: &File) -> std::result::Result<ArrowReaderMetadata, parquet::errors::ParquetError> {
    let plain = ArrowReaderMetadata::load(input, ArrowReaderOptions::new())?;
    let schema = Schema::new(plain.schema().fields().iter().map(viewed).collect::<Fields>());
    let viewed = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    // A rare nesting that has no views is read as it is.
    Ok(ArrowReaderMetadata::try_new(plain.metadata().clone(), viewed).unwrap_or(plain))
}

/// A field whose texts are views.
fn viewed(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(viewed).collect()),
        DataType::List(item) => DataType::List(viewed(item)),
        DataType::LargeList(item) => DataType::LargeList(viewed(item)),
        DataType::FixedSizeList(item, n) => DataType::FixedSizeList(viewed(item), *n),
        DataType::Map(entries, sorted) => DataType::Map(viewed(entries), *sorted),
        other => other.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(kind))
}

/// Runs the decoder; its panic is an error.
fn guarded<T, E: std::fmt::Display>(
    decode: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(result) => result.map_err(|cause| cause.to_string()),
        Err(_) => Err("the decoder gave up on damaged data".to_owned()),
    }
}

/// The rows of a batch from row `from` on that fit the bound on bytes, one at least, in order; where they end, and their bytes.
fn some_rows<T: Send + Kept>(
    batch: &RecordBatch,
    from: usize,
    first: u64,
    config: &LogConfig,
    schema: &RowSchema<'_, T>,
) -> (Vec<Row<T>>, usize, u64) {
    let (mut sizes, mut held) = (Vec::new(), 0);
    while from + sizes.len() < batch.num_rows() && (sizes.is_empty() || held < config.batch_bytes) {
        let row = from + sizes.len();
        let mut left = config.max_row_bytes;
        let fits = batch.schema_ref().fields().iter().zip(batch.columns()).all(|(field, column)| {
            left = left.saturating_sub(field.name().len() + 3);
            size(column, row, &mut left)
        });
        sizes.push(fits);
        held += config.max_row_bytes - left;
    }
    let until = from + sizes.len();
    (rows_in(batch, from..until, &sizes, (first, config), schema), until, held as u64)
}

fn rows_in<T: Send + Kept>(
    batch: &RecordBatch,
    rows: Range<usize>,
    fits: &[bool],
    (first, config): (u64, &LogConfig),
    schema: &RowSchema<'_, T>,
) -> Vec<Row<T>> {
    let value = |row: usize| {
        let named = batch.schema_ref().fields().iter().zip(batch.columns());
        let cells = named.map(|(field, column)| (field.name().clone(), cell(column, row)));
        Value::Object(cells.filter(|(_, value)| !value.is_null()).collect::<Object>())
    };
    let start = rows.start;
    let parsed: Vec<Vec<Row<T>>> = rows
        .into_par_iter()
        .map(|row| {
            let place = first + (row - start) as u64;
            if !fits[row - start] {
                let detail = format!("expected at most {} bytes in a row, got more", config.max_row_bytes);
                return vec![bad(place, Reason::TooLong, detail, b"")];
            }
            rows_of(place, value(row), schema, || Arc::from(value(row).to_string().into_bytes()))
        })
        .collect();
    parsed.into_iter().flatten().collect()
}
