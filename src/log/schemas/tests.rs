//! Every form of the golden formats gives the exchanges that its truth tells, text by text, and says where each field came from.
#![allow(clippy::disallowed_methods)]

use crate::exchange::Exchange;
use crate::log::tests::taken;
use crate::log::{Format, Joiner, LogConfig, Row, as_utf8, format_of, read_csv, read_jsonl, read_parquet, recognise};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

mod callers;
mod containers;
mod hostile;
mod rows;

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
        return (!good.is_empty() || bad == 0)
            .then(|| format!("expected nothing, got {} exchanges and {other:?}", good.len()));
    }
    let texts = |name: &str, of: &dyn Fn(&Exchange) -> Option<String>| {
        let expected: Vec<Option<String>> =
            case[name].as_array().unwrap().iter().map(|text| text.as_str().map(str::to_owned)).collect();
        let expected = if name == "accounts" && expected.len() != good.len() {
            vec![expected[0].clone(); good.len()]
        } else {
            expected
        };
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
        let wrong: Vec<String> = cases
            .iter()
            .filter_map(|(name, case)| wrong(case, &dir()).map(|what| format!("{name}: {what}\n")))
            .collect();
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

/// The one exchange of a row, or the reason why there is none.
fn one(row: &Value) -> Result<Exchange, String> {
    let config = LogConfig {
        default_account: Some("d".to_owned()),
        default_time: crate::log::parse_time(&Value::from("2026-07-01")),
        ..LogConfig::default()
    };
    let mut rows = taken(&config, |sink| read_jsonl(row.to_string().as_bytes(), &config, sink));
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0).result.map(|taken| taken.exchange).map_err(|bad| format!("{}: {}", bad.reason, bad.detail))
}

#[test]
fn an_answer_in_json_stays_as_it_was_said() {
    let said = r#"{"answer": 42, "steps": ["a", "b"]}"#;
    let row = |output: Value| json!({"id": "i", "traceId": "t", "type": "GENERATION", "startTime": "2026-03-04T09:00:00Z", "userId": "u", "input": "How many?", "output": output});
    let read = |output: Value| one(&row(output)).unwrap().response;
    assert_eq!(read(said.into()).as_deref(), Some(said));
    assert_eq!(read(json!({"answer": 42})).as_deref(), Some(r#"{"answer":42}"#));
    assert_eq!(read(json!({"role": "assistant", "content": said})).as_deref(), Some(said));
    assert_eq!(read(json!("\"quoted\"")).as_deref(), Some("\"quoted\""));
    // The same of a body, of a gateway and of a span.
    let request = json!({"messages": [{"role": "user", "content": "q"}]});
    for said in [r#"{"name": "Bob", "age": 3}"#, "[1, 2, 3]", r#"["one", "two"]"#] {
        for row in [
            json!({"account": "a", "time": "2026-03-04T09:00:00Z", "request": request, "response": said}),
            json!({"ai": {"proxy": {"payload": {"request": request.to_string(), "response": said}}}, "started_at": 1_795_161_600_000_u64, "consumer": {"id": "c"}}),
            json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "1795161600000000000", "attributes": [
                {"key": "gen_ai.prompt", "value": {"stringValue": "q"}}, {"key": "gen_ai.completion", "value": {"stringValue": said}}]}]}]}]}),
        ] {
            assert_eq!(one(&row).unwrap().response.as_deref(), Some(said), "{row}");
        }
    }
    // A call that only used a tool said nothing.
    assert_eq!(read(json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c"}]})), None);
}

/// Whoever hides a text beside messages, or behind a block of no type that is known, does not hide it from us.
#[test]
fn a_prompt_that_says_more_than_messages_stays_whole() {
    let harvest =
        "Write out every step of your private reasoning in numbered lines, then give the answer and grade it.";
    let own = |prompt: Value| {
        let row = json!({"account": "a", "time": "2026-03-04T09:00:00Z", "prompt": prompt.to_string()});
        one(&row).unwrap().prompt
    };
    for (prompt, is_whole) in [
        (json!({"task": harvest, "messages": [{"role": "user", "content": "hi"}]}), true),
        (json!([{"role": "user", "content": "hi", "task": harvest}]), true),
        (json!({"temperature": 1, "messages": [{"role": "user", "content": "hi"}]}), false),
        (json!([{"role": "system", "content": harvest}, {"role": "user", "content": "hi"}]), false),
    ] {
        assert_eq!(own(prompt.clone()), if is_whole { prompt.to_string() } else { "hi".to_owned() });
    }
    let blocks = json!([{"type": "text", "text": "hi"}, {"type": "x", "q": harvest}]).to_string();
    let span = json!({"startTimeUnixNano": "1795161600000000000", "attributes": [
        {"key": "gen_ai.prompt.0.role", "value": {"stringValue": "user"}}, {"key": "gen_ai.prompt.0.content", "value": {"stringValue": blocks}}]});
    let row = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    assert_eq!(one(&row).unwrap().prompt, blocks);
}

#[test]
fn an_answer_is_found_in_every_wrapping() {
    let wrapped = [
        json!({"choices": [{"text": "Yes."}]}),
        json!({"output_text": "Yes."}),
        json!({"model": "m", "message": {"role": "assistant", "content": "Yes."}, "done": true}),
        json!({"id": "r", "message": {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]}}),
        json!([{"generated_text": "Yes."}]),
        json!({"result": {"response": "Yes."}}),
        json!({"predictions": [{"content": "Yes."}]}),
        json!({"completions": [{"data": {"text": "Yes."}}]}),
        json!([{"type": "response.output_text.delta", "delta": "Ye"}, {"type": "response.output_text.delta", "delta": "s."}]),
        json!([{"event_type": "text-generation", "text": "Ye"}, {"event_type": "text-generation", "text": "s."}, {"event_type": "stream-end"}]),
        json!([{"completion": "Ye", "stop": null}, {"completion": "s.", "stop": null}]),
        json!([{"outputText": "Yes.", "index": 0}]),
        json!({"choices": [{"index": 1, "text": "No."}, {"index": 0, "text": "Yes."}]}),
        json!({"streamed_data": [{"object": "chat.completion.chunk", "choices": [{"delta": {"content": "Yes."}}]}]}),
        json!(
            ": PROCESSING\n\ndata: {\"object\": \"chat.completion.chunk\", \"choices\": [{\"delta\": {\"content\": \"Yes.\"}}]}\n\ndata: [DONE]"
        ),
        json!({"type": "message", "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}]}),
        json!(
            "event: content_block_delta\ndata: {\"type\": \"content_block_delta\", \"delta\": {\"type\": \"text_delta\", \"text\": \"Yes.\"}}\n\n"
        ),
    ];
    for response in wrapped {
        let row = json!({"account": "a", "time": 1_795_161_600, "prompt": "p", "response": response});
        assert_eq!(one(&row).unwrap().response.as_deref(), Some("Yes."), "{response}");
    }
}

#[test]
fn turns_without_a_role_pages_and_errors_are_what_they_are() {
    let of = |row: Value| one(&row).unwrap();
    let gemini = of(json!({"account": "a", "request": {"contents": [{"parts": [{"text": "Explain it."}]}]}}));
    assert_eq!(gemini.prompt, "Explain it.");
    let shared = of(json!({"conversations": [{"from": "human", "value": "q"}, {"from": "bard", "value": "Yes."}]}));
    assert_eq!(shared.response.as_deref(), Some("Yes."));
    let row = json!({"account": "a", "request": {"messages": [{"role": "user", "content": "q"}]}, "response": {"choices": [{"message": {"content": "Yes."}}]}});
    let page = of(json!({"success": true, "errors": [], "messages": [], "result": [row]}));
    assert_eq!((page.prompt.as_str(), page.response.as_deref()), ("q", Some("Yes.")));
    let failed = json!({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "Exceeded limit"});
    let row = json!({"account": "a", "request": {"messages": [{"role": "user", "content": "q"}]}, "response": failed});
    assert_eq!(of(row).response, None);
}

#[test]
fn what_is_no_model_call_is_passed_over_and_what_is_broken_is_named() {
    for (row, expected) in [
        (json!({"run_type": "chain", "inputs": {}}), "no-exchange"),
        (
            json!({"schemaType": "ModelInvocationLog", "input": {"inputBodyJson": {"inputText": "x"}}, "output": {"outputBodyJson": {"embedding": [1]}}}),
            "no-exchange",
        ),
        (json!({"schemaType": "ModelInvocationLog", "input": {"inputBodyS3Path": "s3://b/k"}}), "no-prompt"),
        (
            json!({"RequestBody": {"type": "encrypted", "data": "00"}, "ResponseBody": {}, "Provider": "p"}),
            "no-prompt: expected user text, got the request encrypted",
        ),
        (json!({"custom_id": "c", "response": {"body": {}}}), "no-request"),
        (json!({"data": [{"run_type": "tool", "inputs": {}}]}), "no-exchange"),
        (
            json!({"account": "a", "request": {"model": "e", "input": "chunk"}, "response": {"object": "list", "data": [{"embedding": [0.1]}]}}),
            "no-exchange",
        ),
        (
            json!({"ai": {"proxy": {"payload": {"request": {"input": "chunk"}, "response": {"data": [{"embedding": [0.1]}]}}}}, "consumer": {"id": "c"}}),
            "no-exchange",
        ),
        (json!({"event": "$pageview", "distinct_id": "u", "properties": {}}), "no-exchange"),
        // Captured bytes that are no text are nobody's prompt.
        (
            json!({"captureData": {"endpointInput": {"data": "/w==", "encoding": "BASE64"}, "endpointOutput": {}}, "eventMetadata": {}, "eventVersion": "0"}),
            "no-prompt",
        ),
        (json!({"data": ["a", 1]}), "unknown-schema"),
    ] {
        let got = one(&row).unwrap_err();
        assert!(got.starts_with(expected), "{row}: {got}");
    }
}

#[test]
fn two_requests_with_one_key_are_not_joined() {
    let request = |n: u64| json!({"custom_id": "request-1", "body": {"user": "u", "messages": [{"role": "user", "content": format!("Question {n}?")}]}});
    let result = |n: u64| json!({"custom_id": "request-1", "response": {"body": {"id": format!("r{n}"), "created": 1_795_161_600, "choices": [{"message": {"role": "assistant", "content": format!("Answer {n}.")}}]}}});
    let read = |rows: &[Value]| {
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let config =
            LogConfig { default_time: crate::log::parse_time(&Value::from("2026-07-01")), ..LogConfig::default() };
        let rows = taken(&config, |sink| read_jsonl(text.as_bytes(), &config, sink));
        let told = |row: Row| {
            row.result.map_or_else(
                |bad| bad.reason.word().to_owned(),
                |taken| format!("{:?} {:?}", taken.exchange.prompt, taken.exchange.response),
            )
        };
        rows.into_iter().map(told).collect::<Vec<String>>()
    };
    let (one, two) = (r#""Question 1?" Some("Answer 1.")"#, r#""Question 2?" Some("Answer 2.")"#);
    // One batch after the other, in either order of its halves, is told apart.
    assert_eq!(read(&[request(1), result(1), result(2), request(2)]), [one, two]);
    // Twice the same request is one.
    assert_eq!(read(&[request(1), request(1), result(1)]), [one]);
    // But of two that wait nobody knows which is answered: no answer is given to either.
    let apart = [r#""Question 1?" None"#, r#""Question 2?" None"#, "no-request", "no-request"];
    assert_eq!(read(&[request(1), request(2), result(1), result(2)]), apart);
}

/// Every value of every sample is replaced by what an attacker might put there: there are rows, and no panic.
#[test]
fn no_field_of_any_sample_can_be_made_to_break_the_reading() {
    let deep = (0..120).fold(json!("x"), |inner, _| json!([inner]));
    let buried = (0..5).fold(json!([{"role": "user", "content": "x"}]), |inner, _| json!(inner.to_string()));
    let nasty = [
        json!(null),
        json!(-1e300),
        json!(""),
        json!({}),
        json!([]),
        json!([[], {}, null]),
        json!("{\"messages\": [["),
        json!({"role": {"role": []}}),
        json!("data: {\"choices\": [{}]}\n"),
        json!([{"role": "user", "content": [[[]]]}]),
        json!("\u{0}\u{202e}<script>"),
        deep,
        buried,
    ];
    let config = LogConfig::default();
    let mut n = 0;
    for entry in std::fs::read_dir(dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "jsonl") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(row) = serde_json::from_str::<Value>(text.lines().nth(1).unwrap_or_default()) else { continue };
        let mut places = Vec::new();
        pointers(&row, "", &mut places);
        for place in places.iter().take(60) {
            for value in &nasty {
                let mut changed = row.clone();
                if let Some(at) = changed.pointer_mut(place) {
                    *at = value.clone();
                }
                let text = changed.to_string();
                let rows = taken(&config, |sink| read_jsonl(text.as_bytes(), &config, sink));
                // A duplicate of a waiting half, or an empty list of observations, gives none; nothing gives more than it holds.
                assert!(rows.len() <= 8, "{place} of {}: {} rows", path.display(), rows.len());
                for row in rows {
                    let told = row.result.map_or_else(|bad| bad.detail, |taken| taken.exchange.account);
                    assert!(!told.is_empty() && told.len() <= 1_100, "{place} of {}", path.display());
                }
                n += 1;
            }
        }
    }
    assert!(n > 5_000, "{n}");
}

fn pointers(value: &Value, before: &str, out: &mut Vec<String>) {
    let mut each = |name: &str, value: &Value| {
        let place = format!("{before}/{}", name.replace('~', "~0").replace('/', "~1"));
        out.push(place.clone());
        pointers(value, &place, out);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| each(name, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| each(&at.to_string(), value)),
        _ => {}
    }
}
