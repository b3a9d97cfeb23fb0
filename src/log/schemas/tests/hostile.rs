//! Columns that hold JSON, filled by somebody who wants the reading to fail: nested to the limit and beyond, texts in texts, lists that never end, more
//! values than a row may have, Python's notation cut off, encodings mixed. Every row gives rows, good or with a reason, and what is read is no
//! larger than what was written, but for the few copies that a row's exchanges share.

use crate::log::tests::taken;
use crate::log::{LogConfig, Row, read_csv, read_jsonl};
use serde_json::{Map, Value, json};

/// Columns that readers open: bodies, what lies around them, and what carries rows.
const COLUMNS: [&str; 30] = [
    "message",
    "messages",
    "input",
    "inputs",
    "output",
    "system",
    "instructions",
    "prompt",
    "request",
    "response",
    "attributes",
    "body",
    "spans",
    "trace",
    "data",
    "conversation",
    "chat_messages",
    "mapping",
    "observations",
    "request.messages",
    "hits",
    "result",
    "record_content",
    "line",
    "kwargs",
    "prompt_blueprint",
    "config",
    "reqPayload",
    "captureData",
    "properties",
];

/// What a row says beside: of no schema, of ours, of a bare body, of a span, of an observation, of MLflow's table, of HoneyHive, of PromptLayer and OpenPipe, of SageMaker,
/// PostHog and KServe.
fn beside() -> Vec<Value> {
    vec![
        json!({}),
        json!({"account": "a", "time": "2026-03-04T09:00:00Z", "prompt": "p"}),
        json!({"model": "m", "user": "u", "created": 1_795_161_600}),
        json!({"span_id": "s", "trace_id": "t", "span_type": "LLM", "start_time": "2026-03-04T09:00:00Z", "user_id": "u"}),
        json!({"id": "i", "traceId": "t", "type": "GENERATION", "startTime": "2026-03-04T09:00:00Z", "userId": "u"}),
        json!({"trace_id": "t", "state": "OK", "info": {"trace_metadata": {"mlflow.trace.user": "u"}}}),
        json!({"event_id": "e", "event_type": "model", "session_id": "s", "start_time": "2026-03-04T09:00:00Z", "user_properties": {"user_id": "u"}}),
        json!({"function_name": "f", "request_id": 1, "request_start_time": "2026-03-04T09:00:00Z", "respPayload": {}, "metadata": {"user_id": "u"}}),
        json!({"captureData": {}, "eventVersion": "0", "eventMetadata": {"eventId": "i", "customAttributes": ["u"], "inferenceTime": "2026-03-04T09:00:00Z"}}),
        json!({"event": "$ai_generation", "distinct_id": "u", "properties": {}, "uuid": "i", "timestamp": "2026-03-04T09:00:00Z"}),
        json!({"specversion": "1.0", "id": "i", "type": "org.kubeflow.serving.inference.request", "time": "2026-03-04T09:00:00Z", "data": {}}),
    ]
}

/// The texts, each with its name.
fn texts() -> Vec<(String, String)> {
    let message = json!([{"role": "user", "content": "x"}]).to_string();
    let mut out: Vec<(String, String)> = Vec::new();
    for depth in [2, 60, 126, 127, 128, 129, 50_000] {
        out.push((format!("{depth} lists"), format!("{}{}", "[".repeat(depth), "]".repeat(depth))));
        out.push((format!("{depth} objects"), format!("{}1{}", "{\"messages\":".repeat(depth), "}".repeat(depth))));
        out.push((
            format!("{depth} in Python's notation"),
            format!("{}'x'{}", "[{'a': ".repeat(depth), "}]".repeat(depth)),
        ));
    }
    let mut buried = message.clone();
    for n in 1..=12 {
        buried = json!(buried).to_string();
        out.push((format!("{n} texts in texts"), buried.clone()));
    }
    let many = "{\"role\":\"user\",\"content\":\"y\"},".repeat(3_000);
    out.extend(
        [
            ("a list that never ends", format!("[{many}")),
            ("a list of many messages", format!("[{}]", many.trim_end_matches(','))),
            ("an object that never ends", format!("{{\"messages\": [{many}")),
            ("a text that never ends", format!("[{{\"role\": \"user\", \"content\": \"{}", "z".repeat(20_000))),
            ("more values than a row may have", format!("[{}1]", "1,".repeat(70_000))),
            ("more values in Python's notation", format!("[{{'a': [{}]}}]", "None,".repeat(70_000))),
            ("Python's notation cut off", "[{'role': 'user', 'content': 'x".to_owned()),
            ("Python's escapes", r"[{'role': 'user', 'content': '\x41\u12\N{DASH}\ud800\777'}]".to_owned()),
            ("half a surrogate pair", r#"[{"role": "user", "content": "\ud800"}]"#.to_owned()),
            ("a mark of another encoding", format!("\u{feff}{message}")),
            ("bytes of another encoding", message.encode_utf16().map(|unit| char::from(unit as u8).to_string() + "\u{0}").collect()),
            ("a child that is its own parent", json!({"a": {"id": "a", "parent": "a", "children": ["a"], "message": {"author": {"role": "user"}, "content": {"parts": ["x"]}}}}).to_string()),
            ("keys of nothing", json!({"": {"": [{"": ""}]}, ".": 1, "..": {"...": null}}).to_string()),
        ]
        .map(|(name, text)| (name.to_owned(), text)),
    );
    out
}

fn config() -> LogConfig {
    LogConfig { max_row_bytes: 4 << 20, max_row_values: 1 << 16, ..LogConfig::default() }
}

#[track_caller]
fn hold(rows: &[Row], written: usize, what: &str) {
    assert!(!rows.is_empty(), "{what}: no row");
    let mut read = 0;
    for row in rows {
        match &row.result {
            Ok(taken) => {
                let e = &taken.exchange;
                let turns = e.turns.iter().map(|turn| turn.text.len()).sum::<usize>();
                let attributes = Value::from_iter(e.attributes.clone()).to_string().len();
                let texts = [&e.system, &e.response].into_iter().flatten().map(String::len).sum::<usize>();
                read += e.prompt.len() + turns + texts + attributes;
                assert!(e.account.len() <= 1024, "{what}");
            }
            Err(bad) => assert!(!bad.detail.is_empty() && bad.detail.chars().count() <= 241, "{what}: {}", bad.detail),
        }
    }
    assert!(read <= 8 * written + 65_536, "{what}: {read} bytes read of {written} written");
}

#[test]
fn columns_of_hostile_json_are_read_or_named() {
    let config = config();
    let mut tried = 0;
    for (name, text) in texts() {
        for column in COLUMNS {
            // What is large is tried beside one row, what is small beside all.
            let rows = beside();
            for row in &rows[..if text.len() > 1 << 12 { 2 } else { rows.len() }] {
                let mut row: Map<String, Value> = row.as_object().cloned().unwrap_or_default();
                row.insert(column.to_owned(), text.clone().into());
                let line = Value::Object(row.clone()).to_string();
                let what = format!("{name} in {column}");
                hold(&taken(&config, |sink| read_jsonl(line.as_bytes(), &config, sink)), line.len(), &what);
                let mut table = csv::Writer::from_writer(Vec::new());
                table.write_record(row.keys()).unwrap();
                let cells = row.values().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                table.write_record(cells).unwrap();
                let table = table.into_inner().unwrap();
                hold(&taken(&config, |sink| read_csv(&table[..], &config, sink)), table.len(), &what);
                tried += 2;
            }
        }
    }
    assert!(tried > 4_000, "{tried}");
}

/// A row that is longer, or has more values, than is read is counted by its reason, wherever its text stands; the rows around it are read.
#[test]
fn what_is_over_a_bound_is_named_and_the_rows_around_it_are_read() {
    let config = LogConfig { max_row_bytes: 1 << 20, max_row_values: 1 << 12, ..LogConfig::default() };
    let good = json!({"account": "a", "time": "2026-03-04T09:00:00Z", "prompt": "p"}).to_string();
    let (long, values) = ("x".repeat(1 << 20), format!("[{}1]", "1,".repeat(1 << 12)));
    for column in COLUMNS {
        for (text, reason) in [(json!(long), "too-long"), (serde_json::from_str(&values).unwrap(), "too-long")] {
            let bad = json!({"account": "a", column: text}).to_string();
            let lines = format!("{good}\n{bad}\n{good}\n");
            let rows = taken(&config, |sink| read_jsonl(lines.as_bytes(), &config, sink));
            let told = |row: &Row| row.result.as_ref().map_or_else(|bad| bad.reason.word(), |_| "good");
            assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), ["good", reason, "good"], "{column}");
        }
    }
}

/// A log that goes over into another encoding: the rows before are read, and each of the others has its reason.
#[test]
fn encodings_that_change_in_the_middle_are_named() {
    let config = config();
    let row = |text: &str| json!({"account": "a", "time": "2026-03-04T09:00:00Z", "prompt": text}).to_string();
    let latin =
        row("caf?").into_bytes().into_iter().map(|byte| if byte == b'?' { 0xe9 } else { byte }).collect::<Vec<u8>>();
    let wide: Vec<u8> = row("wide").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let log = [row("one").into_bytes(), latin, wide, row("two").into_bytes()].join(&b'\n');
    let rows = taken(&config, |sink| read_jsonl(&log[..], &config, sink));
    let told = |row: &Row| match &row.result {
        Ok(taken) => taken.exchange.prompt.clone(),
        Err(bad) => bad.reason.word().to_owned(),
    };
    let told: Vec<String> = rows.iter().map(told).collect();
    assert_eq!((told.first().unwrap().as_str(), told.last().unwrap().as_str()), ("one", "two"), "{told:?}");
    assert_eq!(told[1], "not-utf8", "{told:?}");
    assert!(told[2..told.len() - 1].iter().all(|word| word == "not-json" || word == "not-utf8"), "{told:?}");
}
