//! Cells of Arrow columns → JSON values.
//!
//! Numbers stay numbers (a float that is no number is absent), times become RFC 3339 text (without a zone they are UTC),
//! structs and lists nest, dictionaries give what they stand for, bytes are text where they are UTF-8 and base64 where not,
//! and everything rarer is Arrow's own text form.

use arrow_array::cast::AsArray;
use arrow_array::types as t;
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use base64::Engine as _;
use serde_json::{Map, Number, Value};

/// One cell.
pub(crate) fn cell(array: &dyn Array, row: usize) -> Value {
    if row >= array.len() || array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => integer::<t::Int8Type>(array, row),
        DataType::Int16 => integer::<t::Int16Type>(array, row),
        DataType::Int32 => integer::<t::Int32Type>(array, row),
        DataType::Int64 => integer::<t::Int64Type>(array, row),
        DataType::UInt8 => integer::<t::UInt8Type>(array, row),
        DataType::UInt16 => integer::<t::UInt16Type>(array, row),
        DataType::UInt32 => integer::<t::UInt32Type>(array, row),
        DataType::UInt64 => integer::<t::UInt64Type>(array, row),
        DataType::Float16 => float(array.as_primitive::<t::Float16Type>().value(row).to_f64()),
        DataType::Float32 => float(f64::from(array.as_primitive::<t::Float32Type>().value(row))),
        DataType::Float64 => float(array.as_primitive::<t::Float64Type>().value(row)),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Binary => bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => bytes(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => bytes(array.as_fixed_size_binary().value(row)),
        DataType::Timestamp(TimeUnit::Second, _) => time::<t::TimestampSecondType>(array, row, 1_000_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) => time::<t::TimestampMillisecondType>(array, row, 1_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => time::<t::TimestampMicrosecondType>(array, row, 1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => time::<t::TimestampNanosecondType>(array, row, 1),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let named = fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), cell(column, row)));
            Value::Object(named.collect())
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row)),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let key = |at: usize| match cell(keys, at) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object((0..entries.len()).map(|at| (key(at), cell(values, at))).collect::<Map<_, _>>())
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = cell(dictionary.keys(), row).as_u64().and_then(|key| usize::try_from(key).ok());
            key.map_or(Value::Null, |key| cell(dictionary.values(), key))
        }
        _ => arrow_cast::display::array_value_to_string(array, row).map_or(Value::Null, Value::String),
    }
}

/// Takes about what a cell takes as JSON from `left`, and 32 bytes for each value of a list; false, early, where it is too much.
/// Nothing is copied.
pub(crate) fn size(array: &dyn Array, row: usize, left: &mut usize) -> bool {
    let spend = |left: &mut usize, n: usize| {
        let fits = n <= *left;
        *left = left.saturating_sub(n);
        fits
    };
    if row >= array.len() || array.is_null(row) {
        return spend(left, 4);
    }
    let items = |items: &dyn Array, left: &mut usize| {
        spend(left, items.len().saturating_mul(32)) && (0..items.len()).all(|at| size(items, at, left))
    };
    match array.data_type() {
        DataType::Utf8 => spend(left, array.as_string::<i32>().value(row).len() + 2),
        DataType::LargeUtf8 => spend(left, array.as_string::<i64>().value(row).len() + 2),
        DataType::Utf8View => spend(left, array.as_string_view().value(row).len() + 2),
        DataType::Binary => spend(left, array.as_binary::<i32>().value(row).len() * 4 / 3 + 2),
        DataType::LargeBinary => spend(left, array.as_binary::<i64>().value(row).len() * 4 / 3 + 2),
        DataType::BinaryView => spend(left, array.as_binary_view().value(row).len() * 4 / 3 + 2),
        DataType::FixedSizeBinary(_) => spend(left, array.as_fixed_size_binary().value(row).len() * 4 / 3 + 2),
        DataType::Struct(fields) => fields
            .iter()
            .zip(array.as_struct().columns())
            .all(|(field, column)| spend(left, field.name().len() + 32) && size(column, row, left)),
        DataType::List(_) => items(&array.as_list::<i32>().value(row), left),
        DataType::LargeList(_) => items(&array.as_list::<i64>().value(row), left),
        DataType::FixedSizeList(..) => items(&array.as_fixed_size_list().value(row), left),
        DataType::Map(..) => items(&array.as_map().value(row), left),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = cell(dictionary.keys(), row).as_u64().and_then(|key| usize::try_from(key).ok());
            key.is_none_or(|key| size(dictionary.values(), key, left))
        }
        _ => spend(left, 24),
    }
}

fn integer<T: ArrowPrimitiveType<Native: Into<Number>>>(array: &dyn Array, row: usize) -> Value {
    Value::Number(array.as_primitive::<T>().value(row).into())
}

fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn bytes(value: &[u8]) -> Value {
    let encoded = || base64::engine::general_purpose::STANDARD.encode(value);
    std::str::from_utf8(value).map_or_else(|_| encoded(), str::to_owned).into()
}

fn list(items: &dyn Array) -> Value {
    (0..items.len()).map(|at| cell(items, at)).collect()
}

fn time<T: ArrowPrimitiveType<Native = i64>>(array: &dyn Array, row: usize, nanos: i128) -> Value {
    let count = array.as_primitive::<T>().value(row);
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(count) * nanos);
    // Outside the calendar it is no time, but the row must say what came.
    stamp.map_or_else(|_| format!("{count} is outside the calendar"), |stamp| stamp.to_string()).into()
}
