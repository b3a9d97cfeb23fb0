//! Tables for Python in Arrow's columns, handed over without a copy by the Arrow PyCapsule interface (`__arrow_c_stream__`), which pyarrow,
//! pandas, polars and DuckDB read.
//!
//! # The idea
//! Rows are the objects of a JSON list, or the rows of an export. A column has the type of its values: whole numbers, numbers, truth,
//! text, lists of text; anything else, and a mixture, is its JSON as text. Weakness: a column that is empty in all rows is text.
//! Guarantee: columns stand in the order in which rows name them.

use super::raised;
use crate::error::{Error, ErrorKind, Result};
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray};
use arrow_schema::{Field, Schema};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Columns of an export that hold numbers; all others are text, whatever they look like.
const NUMBERS: [&str; 3] = ["similarity", "membership", "gamma_star"];

/// A table.
#[pyclass(frozen, module = "stillhunt._native")]
pub(super) struct Table {
    batch: RecordBatch,
}

fn wrong(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Input, format!("expected rows that make a table, got others: {cause}"))
}

fn table(columns: Vec<(String, ArrayRef)>, n: usize) -> Result<Table> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(name, column.data_type().clone(), true)).collect();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(n));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(wrong)?;
    Ok(Table { batch })
}

/// The column of these values, one a row.
fn column(values: &[&Value]) -> ArrayRef {
    let all = |is: &dyn Fn(&Value) -> bool| {
        values.iter().any(|value| !value.is_null()) && values.iter().all(|value| value.is_null() || is(value))
    };
    let words = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    if all(&|value| value.as_i64().is_some()) {
        return Arc::new(values.iter().map(|value| value.as_i64()).collect::<Int64Array>());
    }
    if all(&Value::is_number) {
        return Arc::new(values.iter().map(|value| value.as_f64()).collect::<Float64Array>());
    }
    if all(&Value::is_boolean) {
        return Arc::new(values.iter().map(|value| value.as_bool()).collect::<BooleanArray>());
    }
    if all(&words) {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for value in values {
            let list = value.as_array();
            list.into_iter().flatten().for_each(|word| lists.values().append_option(word.as_str()));
            lists.append(list.is_some());
        }
        return Arc::new(lists.finish());
    }
    let text = |value: &&Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Arc::new(values.iter().map(text).collect::<StringArray>())
}

/// A table of the rows of an export.
pub(super) fn of_csv(bytes: &[u8]) -> Result<Table> {
    let mut reader = csv::Reader::from_reader(bytes);
    let names: Vec<String> = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
    let mut columns: Vec<Vec<Option<f64>>> = vec![Vec::new(); names.len()];
    let mut texts: Vec<StringBuilder> = names.iter().map(|_| StringBuilder::new()).collect();
    let mut record = csv::StringRecord::new();
    let mut n = 0;
    while reader.read_record(&mut record).map_err(wrong)? {
        n += 1;
        for (i, cell) in record.iter().enumerate() {
            if NUMBERS.contains(&names[i].as_str()) {
                columns[i].push(cell.parse().ok());
            } else {
                texts[i].append_value(cell);
            }
        }
    }
    let made = names.into_iter().zip(columns).zip(texts).map(|((name, numbers), mut texts)| {
        let column: ArrayRef = if NUMBERS.contains(&name.as_str()) {
            Arc::new(Float64Array::from(numbers))
        } else {
            Arc::new(texts.finish())
        };
        (name, column)
    });
    table(made.collect(), n)
}

fn of_rows(rows: &[Map<String, Value>]) -> Result<Table> {
    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(Map::keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let values =
        |name: &String| -> Vec<&Value> { rows.iter().map(|row| row.get(name).unwrap_or(&Value::Null)).collect() };
    table(names.into_iter().map(|name| (name.clone(), column(&values(name)))).collect(), rows.len())
}

#[pymethods]
impl Table {
    /// The table of the list at `place` (a JSON pointer, `/hits`) of a JSON text.
    #[staticmethod]
    fn of_json(json: &str, place: &str) -> PyResult<Self> {
        let read = || -> Result<Self> {
            let value: Value = serde_json::from_str(json).map_err(wrong)?;
            let list = value.pointer(place).and_then(Value::as_array);
            let list = list.ok_or_else(|| wrong(format_args!("no list at {place}")))?;
            let rows = list.iter().map(|row| row.as_object().cloned().ok_or_else(|| wrong("a row that is no object")));
            of_rows(&rows.collect::<Result<Vec<_>>>()?)
        };
        read().map_err(|error| raised(&error))
    }

    /// Names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.batch.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    fn __repr__(&self) -> String {
        format!("<stillhunt.Table of {} rows: {}>", self.batch.num_rows(), self.column_names().join(", "))
    }

    /// The columns as a stream of one batch: the Arrow PyCapsule interface. Columns are shared, not copied.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface lets a producer give its own schema; the consumer casts.
        let _ = requested_schema;
        let batches = RecordBatchIterator::new([Ok(self.batch.clone())], self.batch.schema());
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), c"arrow_array_stream")
    }
}
