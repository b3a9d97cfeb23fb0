//! Every form of the golden formats gives the exchanges that its truth tells, text by text, and says where each field came from.

use crate::exchange::Exchange;
use crate::log::{Format, Joiner, LogConfig, Row, as_utf8, format_of, read_csv, read_jsonl, read_parquet, recognise};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/formats")
}

/// The rows of a file, in whatever format its bytes are, joined by `joiner`.
fn rows(path: &Path, config: &LogConfig, joiner: &mut Joiner) -> Vec<Row> {
    let bytes = std::fs::read(path).unwrap();
    let mut rows = Vec::new();
    let mut sink = |batch| {
        rows.extend(joiner.join(0, batch).into_iter().map(|(_, row)| row));
        Ok(())
    };
    if bytes.starts_with(b"PAR1") {
        read_parquet(&std::fs::File::open(path).unwrap(), config, &mut sink).unwrap();
        return rows;
    }
    let mut stream = as_utf8(Box::new(&bytes[..])).unwrap();
    let named = recognise(&path.to_string_lossy()).map(|(format, _)| format);
    let csv = format_of(std::io::BufRead::fill_buf(&mut stream).unwrap(), named) == Format::Csv;
    if csv { read_csv(stream, config, &mut sink) } else { read_jsonl(stream, config, &mut sink) }.unwrap();
    rows
}

/// The exchanges of a case, and its other rows.
fn read(case: &Value, dir: &Path) -> (Vec<Exchange>, Vec<String>) {
    let mut config = LogConfig { map: case["map"].as_str().map(|map| map.parse().unwrap()), ..LogConfig::default() };
    let args: Vec<&str> = case["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for pair in args.chunks(2) {
        match pair {
            ["--default-account", name] => config.default_account = Some((*name).to_owned()),
            ["--default-time", time] => config.default_time = crate::log::parse_time(&Value::from(*time)),
            other => panic!("{other:?}"),
        }
    }
    let path = dir.join(case["file"].as_str().unwrap());
    let mut paths = vec![path.clone()];
    if path.is_dir() {
        paths = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
    }
    let mut joiner = Joiner::new(&config);
    let mut all: Vec<Row> = paths.iter().flat_map(|path| rows(path, &config, &mut joiner)).collect();
    all.extend(joiner.finish().into_iter().map(|(_, row)| row));
    let (mut good, mut other) = (Vec::new(), Vec::new());
    for row in all {
        match row.result {
            Ok(taken) => {
                for field in ["account", "time", "prompt"] {
                    assert!(taken.origin.path(field).is_some(), "{field} of {}: {:?}", case["file"], taken.origin);
                }
                good.push(taken.exchange);
            }
            Err(bad) => other.push(format!("{}: {}", bad.reason, bad.detail)),
        }
    }
    (good, other)
}

/// What is wrong with a case, if anything is.
fn wrong(case: &Value, dir: &Path) -> Option<String> {
    let (good, other) = read(case, dir);
    if case["refuse"] == true {
        let bad = other.iter().filter(|why| !why.starts_with("no-exchange")).count();
        return (!good.is_empty() || bad == 0).then(|| format!("expected nothing, got {} exchanges and {other:?}", good.len()));
    }
    let texts = |name: &str, of: &dyn Fn(&Exchange) -> Option<String>| {
        let expected: Vec<Option<String>> = case[name].as_array().unwrap().iter().map(|text| text.as_str().map(str::to_owned)).collect();
        let expected = if name == "accounts" && expected.len() != good.len() { vec![expected[0].clone(); good.len()] } else { expected };
        let got: Vec<Option<String>> = good.iter().map(of).collect();
        // Where the form has no time, the default is what it says.
        (got != expected && !(name == "times" && expected.iter().all(Option::is_none)))
            .then(|| format!("{name}: expected {expected:?}, got {got:?}; other rows {other:?}"))
    };
    texts("prompts", &|e| Some(e.prompt.clone()))
        .or_else(|| texts("systems", &|e| e.system.clone()))
        .or_else(|| texts("responses", &|e| e.response.clone()))
        .or_else(|| texts("accounts", &|e| Some(e.account.clone())))
        .or_else(|| texts("models", &|e| e.model.clone()))
        .or_else(|| texts("times", &|e| Some(e.time.to_string())))
}

#[test]
fn every_form_reads_as_its_truth_tells() {
    for file in ["truth.json", "more.json"] {
        let truth: Value = serde_json::from_slice(&std::fs::read(dir().join(file)).unwrap()).unwrap();
        let cases = truth.as_object().unwrap();
        assert!(cases.len() > 20);
        let wrong: Vec<String> =
            cases.iter().filter_map(|(name, case)| wrong(case, &dir()).map(|what| format!("{name}: {what}\n"))).collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.concat());
    }
}

#[test]
fn sources_are_public_and_names_are_words() {
    for schema in super::ALL {
        assert!(schema.source.starts_with("https://"), "{}", schema.name);
        assert!(schema.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", schema.name);
    }
}

