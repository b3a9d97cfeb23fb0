//! Tests of the Parquet reader, on files made here.

use super::*;
use crate::exchange::Exchange;
use arrow_array::types::Int32Type;
use arrow_array::*;
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use std::io::{Read, Seek, Write};

fn read(file: &File, config: &LogConfig) -> Vec<Row<Exchange>> {
    let rows = crate::log::tests::taken(config, |sink| read_parquet(file, config, sink));
    rows.into_iter().map(|row| Row { place: row.place, result: row.result.map(|taken| taken.exchange) }).collect()
}

fn file_of(columns: Vec<(&str, ArrayRef)>, group: usize) -> File {
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns.into_iter().map(|(_, column)| column).collect()).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let file = tempfile::tempfile().unwrap();
    let mut writer = ArrowWriter::try_new(file.try_clone().unwrap(), schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

fn file_with(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn bytes_of(mut file: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Ten rows of our schema in row groups of four.
fn ten() -> File {
    let numbers = || 0..10_i64;
    let account: DictionaryArray<Int32Type> = numbers().map(|i| if i % 2 == 0 { "even" } else { "odd" }).collect();
    let prompt: StringArray = numbers().map(|i| (i != 3).then(|| format!("prompt {i}"))).collect();
    let time =
        TimestampMillisecondArray::from_iter_values(numbers().map(|i| 1_795_161_600_000 + i)).with_timezone("+02:00");
    let score = Float64Array::from_iter(numbers().map(|i| (i > 0).then_some(if i == 1 { f64::NAN } else { 0.5 })));
    let flag = BooleanArray::from_iter(numbers().map(|i| Some(i == 0)));
    let small = UInt8Array::from_iter_values(0..10);
    let raw = BinaryArray::from_iter_values(numbers().map(|i| if i == 0 { vec![0xff] } else { b"text".to_vec() }));
    let tags = ListArray::from_iter_primitive::<Int32Type, _, _>(numbers().map(|_| Some([Some(1), None])));
    let day = Date32Array::from_iter_values(numbers().map(|_| 20_000));
    file_of(
        vec![
            ("id", Arc::new(Int64Array::from_iter_values(numbers()))),
            ("account", Arc::new(account)),
            ("time", Arc::new(time)),
            ("prompt", Arc::new(prompt)),
            ("score", Arc::new(score)),
            ("flag", Arc::new(flag)),
            ("small", Arc::new(small)),
            ("raw", Arc::new(raw)),
            ("tags", Arc::new(tags)),
            ("day", Arc::new(day)),
        ],
        4,
    )
}

#[test]
fn every_type_becomes_a_value() {
    let rows = read(&ten(), &LogConfig::default());
    assert_eq!(rows.iter().map(|row| row.place.row).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    let first = rows[0].result.as_ref().unwrap();
    assert_eq!((first.id.as_deref(), first.account.as_str(), first.prompt.as_str()), (Some("0"), "even", "prompt 0"));
    assert_eq!(first.time.to_string(), "2026-11-20T08:00:00Z");
    let attributes = serde_json::to_string(&first.attributes).unwrap();
    assert_eq!(attributes, r#"{"day":"2024-10-04","flag":true,"raw":"/w==","small":0,"tags":[1,null]}"#);
    let bad = rows[3].result.as_ref().unwrap_err();
    assert_eq!(bad.reason, Reason::NoPrompt);
    assert_eq!(bad.digest, crate::ids::Digest::of(&bad.raw));
    assert!(std::str::from_utf8(&bad.raw).unwrap().contains(r#""account":"odd""#));
    for batch_rows in [1, 3] {
        assert_eq!(read(&ten(), &LogConfig { batch_rows, ..LogConfig::default() }), rows);
    }
    assert_eq!(read(&ten(), &LogConfig { batch_bytes: 1, ..LogConfig::default() }), rows);
}

#[test]
fn nested_columns_are_wildchat() {
    let strings = |items: [&str; 3]| Arc::new(StringArray::from(items.to_vec())) as ArrayRef;
    let fields =
        Fields::from(vec![Field::new("role", DataType::Utf8, true), Field::new("content", DataType::Utf8, true)]);
    let said = vec![strings(["user", "assistant", "user"]), strings(["one", "two", "three"])];
    let turns = StructArray::new(fields.clone(), said, None);
    let item = Arc::new(Field::new("item", DataType::Struct(fields), true));
    let list = FixedSizeListArray::new(item, 3, Arc::new(turns), None);
    let time = TimestampMicrosecondArray::from_iter_values([1_795_161_600_000_000]);
    let file = file_of(
        vec![
            ("conversation", Arc::new(list)),
            ("hashed_ip", Arc::new(StringArray::from(vec!["ab"]))),
            ("timestamp", Arc::new(time)),
        ],
        10,
    );
    let rows: Vec<Exchange> = read(&file, &LogConfig::default()).into_iter().map(|row| row.result.unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row.prompt.as_str()).collect::<Vec<_>>(), ["one", "three"]);
    assert_eq!((rows[0].response.as_deref(), rows[1].turns.len(), rows[1].account.as_str()), (Some("two"), 2, "ab"));
}

#[test]
fn a_damaged_group_costs_its_own_rows() {
    let mut bytes = bytes_of(&ten());
    // The first row group starts after the magic number; its first pages are overwritten.
    bytes[4..120].fill(0xff);
    let rows = read(&file_with(&bytes), &LogConfig::default());
    assert_eq!((rows[0].place.row, rows[0].result.as_ref().unwrap_err().reason), (1, Reason::DamagedRows));
    assert_eq!(rows[1..].iter().map(|row| row.place.row).collect::<Vec<_>>(), (5..=10).collect::<Vec<_>>());
    assert!(rows[1..].iter().all(|row| row.result.is_ok()));
}

#[test]
fn no_footer_is_one_bad_row() {
    let bytes = bytes_of(&ten());
    for part in [&b""[..], b"PAR1", &bytes[..bytes.len() / 2], &bytes[..bytes.len() - 1], b"{\"prompt\":1}"] {
        let rows = read(&file_with(part), &LogConfig::default());
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].result.as_ref().unwrap_err().reason, Reason::UnreadableFile);
    }
}

#[test]
fn a_row_over_the_bound_is_counted() {
    let rows = read(&ten(), &LogConfig { max_row_bytes: 60, ..LogConfig::default() });
    assert!(rows.iter().all(|row| row.result.as_ref().unwrap_err().reason == Reason::TooLong));
    assert_eq!(rows.len(), 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_files_give_rows(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = bytes_of(&ten());
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read(&file_with(&bytes), &LogConfig::default());
    }
}
