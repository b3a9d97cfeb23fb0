//! Every seed and every find of the fuzz targets, through the same entries, on every run.
//!
//! `scripts/fuzz` looks for new ones; what it finds is mended and kept in `tests/fuzz/finds`. Weakness: without a sanitizer; the
//! parts that `unsafe` touches are tested under one by `scripts/asan`.

#[path = "../fuzz/entries.rs"]
mod entries;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// Files below a directory, in order of name.
fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn every_seed_and_every_find_keeps_the_promises() {
    for (name, entry) in entries::ALL {
        let seeds = files(&root().join("corpus").join(name));
        assert!(!seeds.is_empty(), "the target {name} has seeds");
        for path in seeds.into_iter().chain(files(&root().join("finds").join(name))) {
            let bytes = std::fs::read(&path).expect("a file");
            assert!(bytes.len() <= 1 << 20, "{}: a case is small", path.display());
            let kept = std::panic::catch_unwind(|| entry(&bytes));
            assert!(kept.is_ok(), "{}", path.display());
        }
    }
}

#[test]
fn every_target_has_its_entry() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let names: Vec<String> = manifest
        .lines()
        .filter_map(|line| Some(line.strip_prefix("path = \"targets/")?.strip_suffix(".rs\"")?.to_owned()))
        .collect();
    assert_eq!(names, entries::ALL.map(|(name, _)| name));
    for dir in ["corpus", "finds"] {
        for path in files(&root().join(dir)) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(names.contains(&name), "{dir}/{name} is of no target");
        }
    }
}

/// The seeds that are not text are what today's writers write; `STILLHUNT_UPDATE=1` writes them again.
#[test]
fn binary_seeds_are_of_todays_formats() {
    use stillhunt::index::{Built, Vectors};
    use stillhunt::store::{facts, keys, postings, prints, sorted, texts};
    let write = |target: &str, name: &str, parts: &[&[u8]]| {
        let path = root().join("corpus").join(target).join(name);
        if std::env::var_os("STILLHUNT_UPDATE").is_some() {
            std::fs::write(&path, parts.concat()).expect("written");
        }
        let kept = std::fs::read(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
        assert!(
            kept == parts.concat(),
            "{} is older: STILLHUNT_UPDATE=1 cargo test --test it binary_seeds",
            path.display()
        );
    };
    for (n, dim) in [(0usize, 8usize), (1, 64), (9, 8)] {
        let mut vectors = Vectors::new(dim);
        for i in 0..n {
            vectors.push(&(0..dim).map(|d| ((i * d) % 5) as f32 - 2.0).collect::<Vec<f32>>());
        }
        let ids: Vec<u32> = (0..n as u32).collect();
        let active: Vec<bool> = (0..n).map(|i| i % 2 == 0).collect();
        write("segment", &format!("{n}-of-{dim}"), &[&Built::new(&vectors, 1).to_bytes(&vectors, &ids, &active)]);
    }
    let records = (0..3).map(|i| keys::Record { key: i << 90, a: 1, b: 2 }).collect();
    write("tables", "keys", &[&[0], &keys::to_bytes(records)]);
    let posting =
        |prompt| postings::Posting { prompt, row: 1, time: 5, account: 1, system: postings::NONE, model: 0, zero: 0 };
    write("tables", "postings", &[&[1], &postings::to_bytes(vec![posting(1), posting(2)])]);
    let mut out = Vec::new();
    sorted::write(&mut [prints::PrintRecord { hash: 1, text: 2, at: 3 }; 3], &mut out).expect("a vector");
    write("tables", "prints", &[&[2], &out]);
    let mut writer = texts::TextsWriter::new(Vec::new()).expect("a vector");
    writer.push("Raw", Some("raw")).and_then(|()| writer.push("é", None)).expect("a vector");
    write("tables", "texts", &[&[3], &writer.finish().expect("a vector")]);
    let head = |family| facts::Head { family, requests: 2, ..facts::Head::default() };
    let mut out = Vec::new();
    facts::write(&mut [(head(2), b"two".to_vec()), (head(1), b"one".to_vec())], &mut out).expect("a vector");
    write("tables", "facts", &[&[4], &out]);
    for (name, bytes) in parquet_files() {
        write("parquet", name, &[&bytes]);
    }
}

/// Small Parquet files: plain text columns, a dictionary, nested lists; each under another codec.
fn parquet_files() -> Vec<(&'static str, Vec<u8>)> {
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, DictionaryArray, Float64Array, ListArray, RecordBatch, StringArray, TimestampMillisecondArray,
    };
    use parquet::basic::Compression;
    use parquet::file::properties::WriterProperties;
    use std::sync::Arc;
    let file = |columns: Vec<(&'static str, ArrayRef)>, codec: Compression| {
        let batch = RecordBatch::try_from_iter(columns).expect("a batch");
        let properties =
            WriterProperties::builder().set_compression(codec).set_max_row_group_row_count(Some(2)).build();
        let mut out =
            parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a vector");
        out.write(&batch).expect("a vector");
        out.into_inner().expect("a vector")
    };
    let text = |items: [&str; 3]| Arc::new(StringArray::from(items.to_vec())) as ArrayRef;
    let account: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
    let time = TimestampMillisecondArray::from(vec![1_795_161_600_000; 3]);
    let tags = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    vec![
        (
            "plain",
            file(
                vec![
                    ("account", text(["a", "b", "c"])),
                    ("time", text(["2026-11-20"; 3])),
                    ("prompt", text(["p", "q", "r"])),
                ],
                Compression::UNCOMPRESSED,
            ),
        ),
        (
            "typed",
            file(
                vec![("account", Arc::new(account)), ("time", Arc::new(time)), ("prompt", text(["p", "p", "p"]))],
                Compression::SNAPPY,
            ),
        ),
        (
            "nested",
            file(
                vec![
                    ("prompt", text(["p", "q", "r"])),
                    ("tags", Arc::new(tags)),
                    ("score", Arc::new(Float64Array::from(vec![0.5; 3]))),
                ],
                Compression::ZSTD(Default::default()),
            ),
        ),
        ("gzip", file(vec![("prompt", text(["a longer prompt"; 3]))], Compression::GZIP(Default::default()))),
    ]
}
