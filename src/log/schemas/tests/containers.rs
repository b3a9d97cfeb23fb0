//! Every form that is written in lines reads the same from the other things that such rows are kept in: lists and objects over many lines, texts
//! in lines, pages of an API, and tables, also those that spread objects over columns or write them in Python's notation.

use super::{dir, wrong};
use serde_json::{Map, Value, json};
use std::io::Write as _;

/// What is not kept so: a collector's line holds many calls, of which no table is made.
const NOT_IN_PYTHON: [&str; 5] = [
    "openllmetry-otlp",
    "openinference-otlp",
    "spans-inside",
    "litellm-otlp",
    // A list of texts in Python's notation is not told from what somebody typed.
    "ultrachat",
];
/// Whose columns with dots would be fields of the row itself.
const NOT_SPREAD: [&str; 2] = ["responses-items", "logfire-rows"];

type Row = Map<String, Value>;

/// A cell as tables have it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as Python writes it.
fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(yes) => if *yes { "True" } else { "False" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            let text = text.replace('\\', "\\\\").replace('\n', "\\n");
            if text.contains('\'') && !text.contains('"') {
                format!("\"{text}\"")
            } else {
                format!("'{}'", text.replace('\'', "\\'"))
            }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let pair = |(name, value): (&String, &Value)| format!("{}: {}", repr(&json!(name)), repr(value));
            format!("{{{}}}", fields.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

fn python(value: &Value) -> String {
    if value.is_object() || value.is_array() { repr(value) } else { cell(value) }
}

/// An object spread over names with dots.
fn spread(lead: &str, row: &Row, out: &mut Row) {
    for (name, value) in row {
        let name = if lead.is_empty() { name.clone() } else { format!("{lead}.{name}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => spread(&name, inner, out),
            other => drop(out.insert(name, other.clone())),
        }
    }
}

fn table(rows: &[Row], separator: u8, cell: &dyn Fn(&Value) -> String) -> Vec<u8> {
    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(Row::keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut out = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    out.write_record(&names).unwrap();
    for row in rows {
        out.write_record(names.iter().map(|name| row.get(*name).map_or_else(String::new, cell))).unwrap();
    }
    out.into_inner().unwrap()
}

fn kept(name: &str, rows: &[Row]) -> Vec<(&'static str, Vec<u8>)> {
    let all = json!(rows);
    let lines = |one: &dyn Fn(&Row) -> String| rows.iter().map(|row| one(row) + "\n").collect::<String>().into_bytes();
    let flat: Vec<Row> = rows
        .iter()
        .map(|row| {
            let mut out = Row::new();
            spread("", row, &mut out);
            out
        })
        .collect();
    let mut out = vec![
        ("a list", all.to_string().into_bytes()),
        ("a list over lines", serde_json::to_vec_pretty(&all).unwrap()),
        ("objects over lines", lines(&|row| serde_json::to_string_pretty(row).unwrap())),
        ("texts", lines(&|row| Value::from(json!(row).to_string()).to_string())),
        ("a page", json!({"data": all, "meta": {"page": 1}}).to_string().into_bytes()),
        ("a table", table(rows, b',', &cell)),
        ("a table with tabs", table(rows, b'\t', &cell)),
    ];
    if !NOT_SPREAD.contains(&name) {
        out.push(("a spread table", table(&flat, b',', &cell)));
    }
    if !NOT_IN_PYTHON.contains(&name) {
        out.push(("a table by pandas", table(rows, b',', &python)));
    }
    out
}

#[test]
fn every_form_reads_the_same_from_whatever_it_is_kept_in() {
    let scratch = tempfile::tempdir().unwrap();
    let (mut tried, mut failed) = (0, Vec::new());
    for file in ["truth.json", "more.json"] {
        let truth: Value = serde_json::from_slice(&std::fs::read(dir().join(file)).unwrap()).unwrap();
        for (name, case) in truth.as_object().unwrap() {
            let log = case["file"].as_str().unwrap();
            if case["refuse"] == true || !log.ends_with(".jsonl") {
                continue;
            }
            let text = std::fs::read_to_string(dir().join(log)).unwrap();
            let rows: Vec<Row> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            for (what, bytes) in kept(name, &rows) {
                // The name of a file says nothing.
                std::fs::File::create(scratch.path().join("log")).unwrap().write_all(&bytes).unwrap();
                let mut case = case.clone();
                case["file"] = "log".into();
                tried += 1;
                failed.extend(wrong(&case, scratch.path()).map(|why| format!("{name} as {what}: {why:.300}\n")));
            }
        }
    }
    assert!(failed.is_empty() && tried > 700, "{} of {tried}:\n{}", failed.len(), failed.concat());
}
