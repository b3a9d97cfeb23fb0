//! Hostile logs by seed, at a size: small ones for the tests, large ones for the record (`scripts/hostile`).
//!
//! Each is what somebody would send who wants the nightly job to run out of memory, time or disk, or to count wrong.

use super::{campaign, lines, row};
use arrow_array::{ArrayRef, Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray, types::Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use rand::{Rng as _, SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::io::Write as _;
use std::sync::Arc;

/// One hostile log: its file's name and bytes.
pub(super) struct Bomb {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// Sizes, as multiples of what a test takes.
#[derive(Clone, Copy)]
pub(super) struct Size(pub(super) usize);

pub(super) const SMALL: Size = Size(1);
pub(super) const LARGE: Size = Size(100);

/// Twelve good rows, so that a bad one stays below the share that stops the job.
pub(super) fn good() -> String {
    lines(&campaign("good-", 12))
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).expect("a vector");
    out.finish().expect("a vector")
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 19).expect("a vector")
}

/// An array of good rows that never ends.
fn open_array(n: usize) -> String {
    let rows: Vec<String> = campaign("open-", 12).iter().map(ToString::to_string).collect();
    let last = "{\"id\": \"open\", \"prompt\": \"and so on";
    format!("[{},\n{last}{}", rows.join(",\n"), "x".repeat(n << 10))
}

/// An array whose first element is over the longest row, and then good rows.
fn overlong(n: usize) -> String {
    let rows: Vec<String> = campaign("after-", 12).iter().map(ToString::to_string).collect();
    format!("{{\"prompt\": \"{}\"}},{}", "x".repeat((64 << 20) + n), rows.join(","))
}

/// Messages in a string in a string, `n` times over, between good rows.
fn strings(n: usize) -> String {
    let mut text = json!([{"role": "user", "content": "Buried text, quoted again and again."}]).to_string();
    for _ in 0..n {
        text = json!(text).to_string();
    }
    let buried = json!({"id": "buried", "account": "a", "time": 1_795_161_600, "prompt": text, "response": text, "attributes": text});
    format!("{}{buried}\n", good())
}

/// What comes before, one line of 100 MiB times the size, compressed a thousandfold, and what comes after.
fn one_line(Size(n): Size, pack: fn(&[u8]) -> Vec<u8>, before: &str, after: &str) -> Vec<u8> {
    let part = pack(&vec![b' '; 10 << 20]);
    [pack(before.as_bytes()), part.repeat(10 * n), pack(after.as_bytes())].concat()
}

/// 10,000 rows times the size, of which 1,000 differ, compressed as one member each thousand.
pub(super) fn many_rows(Size(n): Size) -> Vec<u8> {
    gz(lines(&campaign("many-", 1000)).as_bytes()).repeat(10 * n)
}

/// A zstd frame that asks for a window of 2 GiB.
pub(super) fn window() -> Vec<u8> {
    let raw = b"{}\n";
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1 | (raw.len() as u8) << 3, 0, 0], &raw[..]].concat()
}

/// A row of small objects: 8 bytes each, some 700 once parsed.
pub(super) fn values(n: usize, quoted: bool) -> String {
    let list = format!("[{}]", vec!["{\"a\":0}"; n].join(","));
    let list = if quoted { json!(list).to_string() } else { list };
    let name = if quoted { "attributes" } else { "extra" };
    format!("{{\"account\":\"a\",\"time\":1795161600,\"{name}\":{list},\"prompt\":\"A row of many values\"}}\n")
}

/// Keys of an object given twice.
pub(super) fn keys_twice() -> &'static str {
    r#"{"id":"twice","account":"a","account":"b","time":1795161600,"prompt":"What is the first?","prompt":"What is the last?"}"#
}

/// JSON over several lines.
pub(super) fn pretty(n: usize, array: bool) -> String {
    let rows: Vec<_> = campaign("p-", n as u64);
    if array {
        return format!("[\n{}\n]\n", rows.iter().map(|row| row.to_string()).collect::<Vec<_>>().join(",\n"));
    }
    rows.iter().map(|row| serde_json::to_string_pretty(row).expect("JSON") + "\n").collect()
}

/// A CSV table of `n` columns.
pub(super) fn wide(n: usize) -> String {
    let head: Vec<String> = (0..n).map(|i| format!("c{i}")).collect();
    let cells = vec!["x"; n].join(",");
    format!("{}\n{cells}\n{cells}\n", head.join(","))
}

fn parquet(columns: Vec<(&str, ArrayRef)>, codec: Compression, dictionary: bool, version: WriterVersion) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_dictionary_enabled(dictionary)
        .set_dictionary_page_size_limit(1 << 30)
        .set_data_page_size_limit(1 << 30)
        .set_writer_version(version)
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None);
    let mut out = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).expect("a vector");
    out.write(&batch).expect("a vector");
    out.into_inner().expect("a vector")
}

fn hard() -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(19).expect("a level"))
}

fn texts(text: &str, n: usize) -> ArrayRef {
    Arc::new(LargeStringArray::from_iter_values((0..n).map(|_| text)))
}

/// A table whose one prompt of `length` bytes stands once in a dictionary and in `n` rows.
pub(super) fn dictionary(n: usize, length: usize) -> Vec<u8> {
    let ids = Arc::new(Int64Array::from_iter_values(0..n as i64)) as ArrayRef;
    let few = |text: &str| texts(text, n);
    let text = "What is a dictionary of one word for? ".repeat(length / 38 + 1);
    let keys = arrow_array::Int32Array::from(vec![0; n]);
    let values = Arc::new(StringArray::from(vec![text.as_str()])) as ArrayRef;
    let prompt = Arc::new(arrow_array::DictionaryArray::new(keys, values)) as ArrayRef;
    let columns = vec![("id", ids), ("account", few("a")), ("time", few("2026-11-20")), ("prompt", prompt)];
    parquet(columns, hard(), true, WriterVersion::PARQUET_1_0)
}

/// A table of one row whose prompt is one page of `length` bytes.
pub(super) fn page(length: usize, codec: Compression) -> Vec<u8> {
    let columns =
        vec![("account", texts("a", 1)), ("time", texts("2026-11-20", 1)), ("prompt", texts(&"x".repeat(length), 1))];
    parquet(columns, codec, false, WriterVersion::PARQUET_1_0)
}

/// A table of one row that has a list of `n` equal numbers.
pub(super) fn list(n: usize) -> Vec<u8> {
    let items = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(7); n])]);
    let columns = vec![
        ("account", texts("a", 1)),
        ("time", texts("2026-11-20", 1)),
        ("prompt", texts("A row with a long list", 1)),
        ("list", Arc::new(items) as ArrayRef),
    ];
    parquet(columns, hard(), true, WriterVersion::PARQUET_2_0)
}

/// `n` damaged copies of a good table: bytes of the footer, of page headers and of pages are changed.
pub(super) fn damaged(n: usize, seed: u64) -> Vec<Vec<u8>> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let column = |f: &dyn Fn(usize) -> String| Arc::new(StringArray::from_iter_values((0..40).map(f))) as ArrayRef;
    let tags = ListArray::from_iter_primitive::<Int64Type, _, _>((0..40).map(|i| Some(vec![Some(i); i as usize % 4])));
    let columns = || {
        vec![
            ("id", column(&|i| format!("id-{i}"))),
            ("account", column(&|i| format!("account {}", i % 7))),
            ("time", column(&|_| "2026-11-20".to_owned())),
            ("prompt", column(&|i| format!("Which of these {i} boats leaves first?"))),
            ("tags", Arc::new(tags.clone()) as ArrayRef),
        ]
    };
    let whole: Vec<Vec<u8>> = [
        (Compression::UNCOMPRESSED, WriterVersion::PARQUET_1_0),
        (Compression::SNAPPY, WriterVersion::PARQUET_2_0),
        (Compression::GZIP(Default::default()), WriterVersion::PARQUET_1_0),
        (hard(), WriterVersion::PARQUET_2_0),
    ]
    .into_iter()
    .map(|(codec, version)| parquet(columns(), codec, true, version))
    .collect();
    (0..n)
        .map(|i| {
            let mut bytes = whole[i % whole.len()].clone();
            let length = bytes.len();
            let footer = u32::from_le_bytes(bytes[length - 8..length - 4].try_into().expect("four bytes")) as usize;
            for _ in 0..1 + i % 3 {
                // Two in three in the footer: row counts, sizes, offsets, statistics, encodings.
                let at = if i % 3 < 2 {
                    length - 8 - rng.random_range(0..footer)
                } else {
                    rng.random_range(4..length - footer)
                };
                bytes[at.min(length - 1)] = [rng.random(), 0xff, 0x7f, 0][rng.random_range(0..4)];
            }
            bytes
        })
        .collect()
}

/// `n` texts of one folded form.
pub(super) fn one_fold(n: usize) -> String {
    let text = "please explain the proof of the theorem in every step that you take";
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let rows = (0..n).map(|i| {
        let mut prompt = String::new();
        for c in text.chars() {
            match rng.random_range(0..8) {
                0 => prompt.extend(c.to_uppercase()),
                1 => prompt.extend(['\u{200b}', c]),
                2 if c == ' ' => prompt.push_str(" \u{3000}\t"),
                3 if c.is_ascii_lowercase() => prompt.extend(char::from_u32(u32::from(c) + 0xfee0)),
                4 if c == 'o' => prompt.push('\u{43e}'),
                _ => prompt.push(c),
            }
        }
        row(&format!("f{i}"), &format!("f-account-{}", i % 1000), i as u64 % 1000, &prompt)
    });
    lines(&rows.collect::<Vec<_>>())
}

/// `n` distinct texts that are nearly the same, so that all are filed under a few leaders.
pub(super) fn one_leader(n: usize) -> String {
    let rows = (0..n).map(|i| {
        let prompt = format!(
            "Please write down, step by step and in full, how the prize of draw number {i} is computed from its tickets"
        );
        row(&format!("l{i}"), &format!("l-account-{}", i % 1000), i as u64 % 1000, &prompt)
    });
    lines(&rows.collect::<Vec<_>>())
}

/// Families for the induction of templates: `n` members of the same sentences in another order each, `n` of the same words in another
/// order within each sentence, `n` that share a long text, and `n` that alternate two tokens.
pub(super) fn templates(n: usize) -> String {
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    let names: Vec<String> =
        (0..240).map(|i| format!("{}{}", ["ka", "lo", "mi", "nu", "pe"][i % 5], i * 7919 % 10_007)).collect();
    let mut sentences: Vec<String> = names.chunks(6).map(|words| words.join(" ") + ".").collect();
    let mut rows = Vec::new();
    let mut add = |kind: &str, i: usize, prompt: &str| {
        rows.push(row(&format!("{kind}{i}"), &format!("{kind}-account-{}", i % 500), i as u64 % 1000, prompt));
    };
    let long = format!("{} ", names.join(" ")).repeat(40);
    for i in 0..n {
        sentences.shuffle(rng);
        add("sentences", i, &sentences.join(" "));
        let mut words: Vec<&str> = names[..60].iter().map(String::as_str).collect();
        words[..12].shuffle(rng);
        add("words", i, &words.join(" "));
        if i % 20 == 0 {
            add("long", i, &format!("{long} and then number {i}"));
        }
        let pair: Vec<&str> = (0..400).map(|_| if rng.random() { "ab" } else { "ba" }).collect();
        add("pair", i, &pair.join(" "));
    }
    lines(&rows)
}

/// Everything that is one file, at a size.
pub(super) fn all(size: Size) -> Vec<Bomb> {
    let Size(n) = size;
    let many = n * 500;
    let after = |text: &str| format!("{}{text}", good()).into_bytes();
    let last = lines(&[row("last", "z", 1, "The row behind the line that never ends")]);
    let (line, end) = (format!("{}x", good()), format!("\n{last}"));
    let (cell, closed) =
        ("account,time,prompt\na,2026-11-20,A good row\na,2026-11-20,\"", "\"\nb,2026-11-20,The last row\n");
    let bombs: Vec<(&'static str, Vec<u8>)> = vec![
        ("one-line.jsonl.gz", one_line(size, gz, &line, &end)),
        ("one-line.jsonl.zst", one_line(size, zst, &line, &end)),
        ("one-line.csv.gz", one_line(size, gz, cell, closed)),
        ("many-rows.jsonl.gz", many_rows(size)),
        ("window.jsonl.zst", [zst(good().as_bytes()), window()].concat()),
        ("deep.jsonl", after(&format!("{}\n", "[".repeat(100_000)))),
        ("deep-object.jsonl", after(&format!("{}1{}\n", r#"{"a":"#.repeat(100_000), "}".repeat(100_000)))),
        ("keys-twice.jsonl", after(keys_twice())),
        ("values.jsonl", after(&values(70_000 * n, false))),
        ("values-at-the-limit.jsonl", after(&values(520_000, false))),
        ("values-quoted.jsonl", after(&values(60_000 * n, true))),
        ("values-many-rows.jsonl", values(1000, false).repeat(10 * n).into_bytes()),
        ("pretty.json", pretty(100 * n, false).into_bytes()),
        ("array.json", pretty(100 * n, true).into_bytes()),
        ("open-array.json", open_array(100 * n).into_bytes()),
        ("nested-array.json", "[".repeat(n << 20).into_bytes()),
        ("one-element.json", format!("[{}]", overlong(n)).into_bytes()),
        ("strings.jsonl", strings(12).into_bytes()),
        ("no-json.jsonl", "no json\n".repeat(10_000 * n).into_bytes()),
        ("wide.csv", wide(100_000).into_bytes()),
        (
            "wide-row.csv",
            format!("account,time,prompt\na,2026-11-20,A good row of a table\n{}\n", ",".repeat(600_000 * n))
                .into_bytes(),
        ),
        ("page.parquet", page((n * 6) << 20, hard())),
        ("page-gzip.parquet", page((n * 6) << 20, Compression::GZIP(Default::default()))),
        ("dictionary.parquet", dictionary(40 * n, 1 << 20)),
        ("list.parquet", list(300_000 * n)),
        ("one-fold.jsonl", one_fold(many).into_bytes()),
        ("one-leader.jsonl", one_leader(many).into_bytes()),
        ("templates.jsonl", templates(n * 20).into_bytes()),
    ];
    bombs.into_iter().map(|(name, bytes)| Bomb { name, bytes }).collect()
}

/// Each hostile log has a file of its own; the large ones are written where `scripts/hostile` says, for its measurement.
#[test]
fn hostile_logs_are_written() {
    let small = tempfile::tempdir().expect("a directory");
    let (dir, size) = match std::env::var_os("STILLHUNT_HOSTILE") {
        Some(dir) => (std::path::PathBuf::from(dir), LARGE),
        None => (small.path().to_owned(), SMALL),
    };
    std::fs::create_dir_all(dir.join("damaged")).expect("made");
    let bombs = all(size);
    for bomb in &bombs {
        assert!(!bomb.bytes.is_empty(), "{}", bomb.name);
        std::fs::write(dir.join(bomb.name), &bomb.bytes).expect("written");
    }
    for (i, bytes) in damaged(400, 9).iter().enumerate() {
        std::fs::write(dir.join(format!("damaged/{i}.parquet")), bytes).expect("written");
    }
    let names: Vec<&str> = bombs.iter().map(|bomb| bomb.name).collect();
    let distinct: std::collections::BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(distinct.len(), names.len(), "no log overwrites another: {names:?}");
}
