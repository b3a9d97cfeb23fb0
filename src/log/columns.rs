//! The Parquet reader: rows of typed columns → the same JSON values as lines.
//!
//! Row groups are opened one by one, so that a damaged one costs its own rows and not the file. A batch has as many rows as
//! the group's average says will fit the bound on bytes. The decoder is foreign code that was not written for damaged input;
//! a panic in it is caught and counted like an error.
//!
//! Weakness: the decoder holds a page at a time and decides its size from the file, and a file whose schema nests absurdly
//! deep can exhaust its stack; both need a file made for it. A row's raw form is its JSON.

use super::convert::cell;
use super::value::{Object, small};
use super::{LogConfig, Reason, Row, Sink, bad, rows_of};
use crate::error::Result;
use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use rayon::prelude::*;
use serde_json::Value;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Reads an opened Parquet file.
///
/// Without a readable footer it gives one bad row; a damaged row group gives one bad row in place of the rest of the group.
/// # Errors
/// Only those of `sink`.
pub fn read_parquet(input: &File, config: &LogConfig, sink: &mut Sink<'_>) -> Result<()> {
    let metadata = match guarded(|| ArrowReaderMetadata::load(input, ArrowReaderOptions::new())) {
        Ok(metadata) => metadata,
        Err(cause) => {
            return sink(vec![bad(1, Reason::UnreadableFile, format!("expected a Parquet file, got: {cause}"), b"")]);
        }
    };
    let mut before: u64 = 0;
    for (index, group) in metadata.metadata().row_groups().iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let average = group.total_byte_size().max(0).unsigned_abs() / rows.max(1);
        let fitting = config.batch_bytes as u64 / average.max(1);
        let batch_rows = usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, config.batch_rows.max(1));
        let mut read: u64 = 0;
        let open = || {
            let file = input.try_clone()?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
            builder.with_row_groups(vec![index]).with_batch_size(batch_rows).build()
        };
        let lost = match guarded(open) {
            Err(cause) => Some(cause),
            Ok(mut reader) => loop {
                match guarded(|| reader.next().transpose()) {
                    Ok(Some(batch)) => {
                        let first = before + read + 1;
                        let parsed = guarded(|| Ok::<_, parquet::errors::ParquetError>(rows_in(&batch, first, config)));
                        match parsed {
                            Ok(parsed) => sink(parsed)?,
                            Err(cause) => break Some(cause),
                        }
                        read += batch.num_rows() as u64;
                    }
                    Ok(None) => break None,
                    Err(cause) => break Some(cause),
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

/// Runs the decoder; its panic is an error.
fn guarded<T, E: std::fmt::Display>(
    decode: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(result) => result.map_err(|cause| cause.to_string()),
        Err(_) => Err("the decoder gave up on damaged data".to_owned()),
    }
}

/// The rows of one batch, in order.
fn rows_in(batch: &RecordBatch, first: u64, config: &LogConfig) -> Vec<Row> {
    let value = |row: usize| {
        let schema = batch.schema_ref();
        let named = schema.fields().iter().zip(batch.columns());
        let cells = named.map(|(field, column)| (field.name().clone(), cell(column, row)));
        Value::Object(cells.filter(|(_, value)| !value.is_null()).collect::<Object>())
    };
    let raw = |row: usize| value(row).to_string().into_bytes();
    let parsed: Vec<Vec<Row>> = (0..batch.num_rows())
        .into_par_iter()
        .map(|row| {
            let place = first + row as u64;
            let fields = value(row);
            if !small(&fields, config.max_row_bytes) {
                let detail = format!("expected at most {} bytes in a row, got more", config.max_row_bytes);
                return vec![bad(place, Reason::TooLong, detail, &raw(row))];
            }
            rows_of(place, fields, config, || Arc::from(raw(row)))
        })
        .collect();
    parsed.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
