//! Rows in which the newest text, the one answer or the one call is not where a reader would look first: each is read as it was meant, or counted
//! with its reason.

use super::one;
use crate::log::tests::taken;
use crate::log::{Joiner, LogConfig, Row, parse_time, read_csv, read_jsonl};
use serde_json::{Value, json};

fn config() -> LogConfig {
    LogConfig {
        default_account: Some("d".to_owned()),
        default_time: parse_time(&Value::from("2026-07-01")),
        ..LogConfig::default()
    }
}

/// Prompt and response of each row, or its reason.
fn told(rows: Vec<Row>) -> Vec<String> {
    let one = |row: Row| match row.result {
        Ok(taken) => format!("{} > {}", taken.exchange.prompt, taken.exchange.response.unwrap_or_default()),
        Err(bad) => bad.reason.word().to_owned(),
    };
    rows.into_iter().map(one).collect()
}

fn read(text: &str) -> Vec<String> {
    let config = config();
    told(taken(&config, |sink| read_jsonl(text.as_bytes(), &config, sink)))
}

fn asked(request: Value, response: Value) -> Vec<String> {
    let row = json!({"account": "a", "time": "2026-03-04T09:00:00Z", "request": request, "response": response});
    read(&row.to_string())
}

/// Source: the completions API takes `prompt` as a list, and numbers its choices through all of them.
#[test]
fn each_prompt_of_a_call_is_an_exchange() {
    let choices = |texts: &[&str]| {
        let list: Vec<Value> = texts.iter().enumerate().map(|(n, text)| json!({"index": n, "text": text})).collect();
        json!({"id": "c", "object": "text_completion", "choices": list})
    };
    let two = json!({"model": "m", "prompt": ["first", "second"]});
    assert_eq!(asked(two.clone(), choices(&["r0", "r1"])), ["first > r0", "second > r1"]);
    // Two choices a prompt: the first of each is its answer.
    assert_eq!(asked(two.clone(), choices(&["r0", "r0b", "r1", "r1b"])), ["first > r0", "second > r1"]);
    let mut turned = choices(&["r0", "r1"]);
    turned["choices"].as_array_mut().unwrap().reverse();
    assert_eq!(asked(two.clone(), turned), ["first > r0", "second > r1"]);
    // Where it cannot be told whose an answer is, there is none.
    assert_eq!(asked(two, choices(&["r0", "r1", "r2"])), ["first > ", "second > "]);
    assert_eq!(asked(json!({"prompt": ["one"]}), choices(&["r0"])), ["one > r0"]);
    assert_eq!(asked(json!({"prompt": ["one", " "]}), choices(&["r0", "r1"])), ["one > r0", "no-prompt"]);
    let row = json!({"account": "a", "time": 1_795_161_600, "prompt": ["p", "q"], "response": ["r", "s"], "id": "i"});
    assert_eq!(read(&row.to_string()), ["p > r", "q > s"]);
    // Batches of one's own are joined prompt by prompt; what an answer to several prompts cannot say is a row without its request.
    let line = |event: &str, out: Value| json!({"rid": "x", "event": event, "obj": {"text": ["p", "q"]}, "out": out});
    let lines = format!(
        "{}\n{}",
        line("request.received", json!(null)),
        line("request.finished", json!([{"text": "r"}, {"text": "s"}]))
    );
    assert_eq!(read(&lines), ["p > r", "q > s"]);
    let long =
        json!({"account": "a", "time": 1_795_161_600, "system": "x".repeat(1 << 20), "prompt": vec!["p"; 5_000]});
    assert_eq!(read(&long.to_string()), ["too-long"]);
}

/// Source: the list of input items is newest first by default.
#[test]
fn items_of_an_input_are_read_in_the_order_of_the_talk() {
    let said = |role: &str, text: &str| json!({"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]});
    let (call, output) = (
        json!({"type": "function_call", "call_id": "1"}),
        json!({"type": "function_call_output", "call_id": "1", "output": "4"}),
    );
    let read = |items: Value, more: bool| {
        let row = json!({"id": "r", "object": "response", "created_at": 1_795_161_600, "user": "a", "output": [], "input_items": {"data": items, "has_more": more}});
        read(&row.to_string()).concat()
    };
    let (new, old, between) = (said("user", "newest"), said("user", "oldest"), said("assistant", "r"));
    for (items, more, expected) in [
        (json!([new, between, old]), false, "newest > "),
        (json!([new, between, old]), true, "newest > "),
        (json!([new, between, old, said("system", "s")]), false, "newest > "),
        (json!([said("developer", "s"), old, between, new]), false, "newest > "),
        (json!([said("system", "s"), old, between]), true, "no-prompt"),
        (json!([output, call, new, between, old]), false, "newest > "),
        (json!([old, between, new, call, output]), false, "newest > "),
        (json!([between, new]), false, "newest > "),
        (json!([new]), false, "newest > "),
    ] {
        assert_eq!(read(items.clone(), more), expected, "{items}");
    }
}

#[test]
fn a_newest_message_of_images_is_no_older_text() {
    let image = json!([{"type": "image_url", "image_url": {"url": "data:x"}}]);
    let user = |content: Value| json!({"role": "user", "content": content});
    let body = |messages: Vec<Value>| asked(json!({"model": "m", "messages": messages}), json!("ok")).concat();
    let answer = json!({"role": "assistant", "content": "a"});
    assert_eq!(body(vec![user("old".into()), answer.clone(), user(image.clone())]), "no-text");
    assert_eq!(body(vec![user(image.clone())]), "no-text");
    assert_eq!(body(vec![user(image.clone()), answer.clone(), user("new".into())]), "new > ok");
    assert_eq!(body(vec![user("old".into()), user(image.clone()), answer]), "no-text");
    let both = json!([{"type": "text", "text": "What is"}, {"type": "image_url"}, {"type": "text", "text": "this?"}]);
    assert_eq!(body(vec![user(both)]), "What is\nthis? > ok");
    // A tool's result is not what was asked, and the text before it still is.
    let result = json!([{"type": "tool_result", "content": [{"type": "image"}]}, {"type": "image"}]);
    assert_eq!(body(vec![user("old".into()), user(result)]), "old > ok");
    for blocks in [json!([{"inlineData": {"mimeType": "image/png"}}]), json!([{"fileData": {"fileUri": "gs://b/k"}}])] {
        let contents =
            json!({"contents": [{"role": "user", "parts": [{"text": "old"}]}, {"role": "user", "parts": blocks}]});
        assert_eq!(asked(contents, json!("ok")), ["no-text"]);
    }
    let span = json!({"traceId": "1", "spanId": "2", "startTimeUnixNano": "1795161600000000000", "attributes": [
        {"key": "gen_ai.input.messages", "value": {"stringValue": json!([{"role": "user", "parts": [{"type": "text", "content": "old"}]}, {"role": "user", "parts": [{"type": "blob", "modality": "image"}]}]).to_string()}}]});
    assert_eq!(read(&json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()), ["no-text"]);
}

#[test]
fn placeholders_are_nobodys_words() {
    let lite = |text: &str| json!({"call_type": "acompletion", "api_key": "k", "spend": 1, "startTime": "2026-03-04 09:00:00", "messages": [{"role": "user", "content": text}], "response": {"choices": [{"message": {"content": text}}]}});
    assert_eq!(read(&lite("redacted-by-litellm").to_string()), ["redacted"]);
    let own = json!({"account": "a", "time": 1_795_161_600, "prompt": "kept", "system": "[REDACTED]", "response": "__REDACTED__"});
    let kept = one(&own).unwrap();
    assert_eq!((kept.prompt.as_str(), kept.system, kept.response), ("kept", None, None));
    let messages = json!([{"role": "user", "content": "***MASKED***"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "kept"}]);
    let turns = one(&json!({"account": "a", "request": {"messages": messages}})).unwrap().turns;
    assert_eq!(turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>(), ["b"]);
}

/// Source: API Management logs at most 8,192 bytes of a body.
#[test]
fn a_body_that_was_cut_off_is_no_prompt() {
    let long = "You are the assistant of a shop. ".repeat(400);
    let request =
        json!({"model": "m", "messages": [{"role": "system", "content": long}, {"role": "user", "content": "q"}]})
            .to_string();
    let answer = json!({"id": "c", "object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": long}}]}).to_string();
    let row = |request: &str, response: &str| {
        let row = json!({"time": "2026-03-04T09:00:00Z", "resourceId": "/X", "category": "GatewayLogs", "properties": {"apimSubscriptionId": "s", "requestBody": request, "responseBody": response}});
        one(&row).map(|exchange| (exchange.prompt, exchange.response))
    };
    let cut = row(&request[..8192], &answer).unwrap_err();
    assert_eq!(cut, "no-prompt: expected user text, got the request's body cut off by what logged it");
    assert_eq!(row(&request, &answer[..8192]), Ok(("q".to_owned(), None)));
    // What a user typed is no body, also when it breaks off.
    let typed = "{\"colour\": \"red\", \"mend this";
    let own = json!({"account": "a", "time": 1_795_161_600, "prompt": typed, "response": "{\"colour\": \"r"});
    let kept = one(&own).unwrap();
    assert_eq!((kept.prompt.as_str(), kept.response.as_deref()), (typed, Some("{\"colour\": \"r")));
}

#[test]
fn what_a_model_said_in_json_is_told_from_what_an_api_returned() {
    let own = |response: &str| {
        one(&json!({"account": "a", "time": 1_795_161_600, "prompt": "p", "response": response}))
            .unwrap()
            .response
            .unwrap()
    };
    let beside = |response: &str| {
        asked(json!({"messages": [{"role": "user", "content": "p"}]}), json!(response)).concat().split_off("p > ".len())
    };
    for said in [
        r#"{"role": "assistant", "content": "played"}"#,
        r#"{"message": {"role": "assistant", "content": "m"}}"#,
        r#"{"candidates": ["Ann", "Bob"]}"#,
        r#"{"choices": [{"text": "A"}], "id": "quiz"}"#,
        r#"[{"role": "assistant", "content": "line"}, {"role": "user", "content": "script"}]"#,
        r#"{"generated_text": "gt"}"#,
    ] {
        assert_eq!((own(said).as_str(), beside(said).as_str()), (said, said));
    }
    for api in [
        r#"{"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "A"}}]}"#,
        r#"{"id": "msg", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "A"}], "stop_reason": "end_turn"}"#,
        r#"{"candidates": [{"content": {"parts": [{"text": "A"}]}}]}"#,
        r#"{"model": "m", "message": {"role": "assistant", "content": "A"}, "done": true}"#,
        r#"{"output": {"message": {"role": "assistant", "content": [{"text": "A"}]}}, "stopReason": "end_turn"}"#,
    ] {
        assert_eq!((own(api).as_str(), beside(api).as_str()), ("A", "A"), "{api}");
    }
}

fn span(id: &str, parent: &str, text: &str) -> Value {
    json!({"traceId": "t1", "spanId": id, "parentSpanId": parent, "startTimeUnixNano": "1795161600000000000", "attributes": [
        {"key": "gen_ai.prompt", "value": {"stringValue": text}}, {"key": "gen_ai.completion", "value": {"stringValue": id}}]})
}

#[test]
fn a_call_inside_a_call_that_asks_the_same_is_told_once() {
    let line = |spans: &[Value]| json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    let tool = json!({"traceId": "t1", "spanId": "5", "parentSpanId": "1", "name": "tool"});
    // The outer one stands, whatever lies between; another question inside it is a call of its own.
    let spans = [span("2", "1", "q"), tool, span("3", "5", "q"), span("4", "3", "other"), span("1", "", "q")];
    assert_eq!(read(&line(&spans)), ["other > 4", "q > 1"]);
    // Across lines the first that comes stands; two calls side by side are two.
    let lines =
        format!("{}\n{}\n{}", line(&[span("2", "1", "q")]), line(&[span("1", "", "q")]), line(&[span("6", "9", "q")]));
    assert_eq!(read(&lines), ["q > 2", "no-exchange", "q > 6"]);
    let lines = format!("{}\n{}", line(&[span("1", "", "q")]), line(&[span("2", "1", "q"), span("7", "1", "r")]));
    assert_eq!(read(&lines), ["q > 1", "no-exchange", "r > 7"]);
    // A span that names itself or a ring of them hides nothing.
    assert_eq!(read(&line(&[span("1", "1", "q")])), ["q > 1"]);
    assert_eq!(read(&line(&[span("1", "2", "q"), span("2", "1", "q")])).len(), 2);
    let run = |id: &str, parent: Value| json!({"id": id, "run_type": "llm", "trace_id": "t", "parent_run_id": parent, "start_time": "2026-03-04T09:00:00Z", "inputs": {"messages": [{"role": "user", "content": "q"}]}, "outputs": {"output": id}});
    assert_eq!(read(&format!("{}\n{}", run("a", json!(null)), run("b", json!("a")))), ["q > a", "no-exchange"]);
}

#[test]
fn pieces_of_a_call_are_put_together_in_their_order() {
    let row = |call: &str, n: u64, fields: Value| {
        json!({"TimeGenerated": "2026-03-04T09:00:00Z", "CorrelationId": call, "SequenceNumber": n, "ModelName": "m", "RequestMessages": fields["q"], "ResponseMessages": fields["r"]}).to_string()
    };
    let long = "x".repeat(31_000);
    let list = |text: &str| json!([{"role": "user", "content": text}]).to_string();
    let rows = [
        row("c", 3, json!({"r": [{"role": "assistant", "content": "said"}]})),
        row("d", 1, json!({"q": list("b")})),
        row("c", 2, json!({"q": list("the end")})),
        row("c", 1, json!({"q": list(&long)})),
        row("e", 0, json!({})),
    ];
    // A piece as long as its bound goes on in the next; short ones are messages of their own.
    assert_eq!(read(&rows.join("\n")), ["b > ".to_owned(), format!("{long}the end > said"), "no-prompt".to_owned()]);
    // One list that was cut where it reached the bound.
    let whole = list("one text");
    let (first, second) = whole.split_at(20);
    assert_eq!(
        read(&[row("f", 2, json!({"q": second})), row("f", 1, json!({"q": first}))].join("\n")),
        ["one text > "]
    );
}

#[test]
fn what_encloses_a_row_gives_it_its_time() {
    let row = json!({"user": "u", "messages": [{"role": "user", "content": "q"}]});
    let of = |row: &Value| one(row).unwrap().time.to_string();
    assert_eq!(of(&json!({"jsonPayload": row, "timestamp": "2026-03-04T09:00:00Z"})), "2026-03-04T09:00:00Z");
    assert_eq!(of(&json!({"log": row.to_string(), "time": "2026-03-04T09:00:00.5Z"})), "2026-03-04T09:00:00.5Z");
    assert_eq!(
        of(&json!({"events": [{"timestamp": 1_772_614_800_000_u64, "message": row.to_string()}]})),
        "2026-03-04T09:00:00Z"
    );
    let inner = json!({"user": "u", "created": 1_772_614_801, "messages": [{"role": "user", "content": "q"}]});
    assert_eq!(of(&json!({"jsonPayload": inner, "timestamp": "2030-01-01T00:00:00Z"})), "2026-03-04T09:00:01Z");
    let stamped = format!("2026-03-04T09:00:00.123Z {row}\n2026-03-04 {row}\n2026-03-04T09:00:00Z {{broken\n");
    assert_eq!(read(&stamped), ["q > ", "not-json", "not-json"]);
}

#[test]
fn objects_without_line_ends_are_rows() {
    let row = |text: &str| json!({"account": "a", "time": 1_795_161_600, "prompt": text}).to_string();
    let together = format!("{}{} {}", row("a"), row("}{"), row("c"));
    assert_eq!(read(&together), ["a > ", "}{ > ", "c > "]);
    // Also on some line of a log that has line ends.
    assert_eq!(read(&format!("{}\n{together}\n{}\n", row("x"), row("y"))), ["x > ", "a > ", "}{ > ", "c > ", "y > "]);
    assert_eq!(read(&format!("{}\n{}{{\"open\n", row("x"), row("y"))), ["x > ", "not-json"]);
    let long = format!("{}\n", r#"{"account":18446744073709551617,"time":1795161600,"prompt":"p"}"#);
    let config = config();
    let rows = taken(&config, |sink| read_jsonl(long.as_bytes(), &config, sink));
    assert_eq!(rows[0].result.as_ref().unwrap().exchange.account, "18446744073709551617");
}

#[test]
fn times_of_portals_are_read() {
    for (text, expected) in [
        ("3/4/2026, 9:00:00.123 PM", "2026-03-04T21:00:00.123Z"),
        ("03/04/2026, 12:00:00 AM", "2026-03-04T00:00:00Z"),
        ("Mar 4, 2026 @ 09:00:00.123", "2026-03-04T09:00:00.123Z"),
        ("/Date(1772614800123)/", "2026-03-04T09:00:00.123Z"),
    ] {
        assert_eq!(parse_time(&text.into()).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
    }
    // Where it is not said whether the day or the month stands first, nothing is guessed.
    for text in ["3/4/2026", "3/4/2026, 09:00:00", "4/3/2026, 9:00:00 pm", "13/13/2026, 9:00:00 AM"] {
        assert_eq!(parse_time(&text.into()), None, "{text}");
    }
}

/// Every text that Python could have written, in every place of a new form, gives rows and no panic, and nothing that waits outlives the run.
#[test]
fn hostile_rows_of_the_new_forms_are_counted() {
    let deep = "[".repeat(200_000);
    let nested = (0..100).fold(json!("x"), |inner, _| json!({"messages": [inner]})).to_string();
    let buried =
        (0..6).fold(json!([{"role": "user", "content": "x"}]).to_string(), |inner, _| json!(inner).to_string());
    let nasty = [
        deep.as_str(),
        &nested,
        &buried,
        "[{'a': ",
        "array([array([",
        "\u{202e}\u{0}",
        "{\"model\"",
        "[[[]]]",
        "\\",
        "'",
    ];
    let config = config();
    for text in nasty {
        let quoted = json!(text);
        let rows = [
            json!({"TimeGenerated": "2026-03-04T09:00:00Z", "CorrelationId": text, "SequenceNumber": text, "RequestMessages": text, "ResponseMessages": text}),
            json!({"TimeGenerated": "2026-03-04T09:00:00Z", "CorrelationId": "c", "SequenceNumber": 1e300, "RequestMessages": [text, {"role": [], "content": {}}]}),
            json!({"object": "response", "created_at": 1_795_161_600, "user": "a", "input_items": {"data": [text, [], {"role": text}], "has_more": text}}),
            json!({"endpoint": "e", "logging_time": 1_795_161_600, "request_id": text, "request_payload": [text, text], "response_payload": [text, text]}),
            json!({"id": text, "trace_id": text, "project_id": "p", "type": "GENERATION", "start_time": 1_795_161_600, "input": text, "output": text}),
            json!({"id": text, "timestamp": 1_795_161_600, "user_id": text, "input": "x", "bookmarked": false}),
            json!({"span_kind": "LLM", "start_time": 1_795_161_600, "trace_id": text, "span_id": text, "parent_id": text, "attributes.llm.input_messages": text}),
            json!({"results": [[{"field": "@message", "value": text}, {"field": text}]]}),
            json!({"events": [{"timestamp": text, "message": text}], "requests": text}),
            json!({"account": "a", "time": 1_795_161_600, "prompt": [text, text], "response": [text]}),
        ];
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let plain = text.replace('\n', " ");
        let engines = format!(
            "[2026-11-21 10:00:00] Finish: obj=X(rid={plain}, text={plain}), out={plain}\nINFO 11-21 [logger.py] Request {plain} details: prompt: {plain}\n\u{1b}[{plain}m Received request {plain}: prompt: {plain}\n2026-03-04T09:00:00Z {{{plain}\n{{}}{quoted}\n"
        );
        for log in [lines, engines] {
            let mut joiner = Joiner::new(&config);
            let mut n = 0;
            let mut sink = |rows| {
                n += joiner.join(0, rows).len();
                Ok(())
            };
            read_jsonl(log.as_bytes(), &config, &mut sink).unwrap();
            n += joiner.finish().len();
            assert!((1..=40).contains(&n), "{n} rows of {}", &text[..text.len().min(30)]);
        }
        let cells = format!(
            "TimeGenerated [UTC],CorrelationId,SequenceNumber,RequestMessages\n1,2,3,\"{}\"\n",
            text.replace('"', "\"\"")
        );
        let rows = taken(&config, |sink| read_csv(cells.as_bytes(), &config, sink));
        assert!(rows.len() <= 1, "{rows:?}");
    }
}

/// A row that is too long, or never ends, costs itself and no more memory than its bound.
#[test]
fn long_and_endless_rows_of_the_new_forms_are_cut() {
    let config = LogConfig { max_row_bytes: 1 << 20, ..config() };
    let read = |text: &str| told(taken(&config, |sink| read_jsonl(text.as_bytes(), &config, sink)));
    let row = |text: &str| json!({"account": "a", "time": 1_795_161_600, "prompt": text}).to_string();
    let long = json!({"account": "a", "time": 1_795_161_600, "prompt": "x".repeat(2 << 20)}).to_string();
    assert_eq!(read(&format!("{}{}{long}{}", row("a"), row("b"), row("c"))), ["a > ", "b > ", "too-long", "c > "]);
    assert_eq!(
        read(&format!("{}{}{{\"open\": [{}", row("a"), row("b"), "[1,".repeat(1 << 19))),
        ["a > ", "b > ", "too-long"]
    );
    assert_eq!(
        read(&format!("2026-03-04T09:00:00Z {long}\n2026-03-04T09:00:00Z {}\n", row("c"))),
        ["too-long", "c > "]
    );
    let endless = format!("{{\"requests\": [{}", "{\"custom_id\": \"c\", \"params\": {}},".repeat(60_000));
    assert_eq!(read(&endless), ["too-long"]);
    let digits = format!("{{\"account\": {}, \"time\": 1, \"prompt\": \"p\"}}", "7".repeat(1 << 19));
    assert_eq!(read(&digits), ["bad-account"]);
    // As many objects on a line as it can hold, and encodings that change within it.
    let many = "{}".repeat(100_000);
    let rows = taken(&config, |sink| read_jsonl(format!("{}\n{many}\n", row("a")).as_bytes(), &config, sink));
    assert_eq!(rows.len(), 100_001);
    let mixed =
        [row("a").as_bytes(), b"\n", &row("b").as_bytes()[..40], b"\xe9\xff\xfe", b"\n", row("c").as_bytes()].concat();
    assert_eq!(told(taken(&config, |sink| read_jsonl(&mixed[..], &config, sink))), ["a > ", "not-utf8", "c > "]);
}

/// Source: an observation's `input` of Langfuse and a span's `input` of Braintrust is what the application gave to the model. Messages without a
/// user's are a model that goes on with its own words: nobody asked, in whatever way the export writes them.
#[test]
fn messages_without_a_user_ask_nothing() {
    let observation = |input: &Value| json!({"id": "i", "traceId": "t", "type": "GENERATION", "startTime": "2026-03-04T09:00:00Z", "userId": "u", "model": "m", "input": input, "output": "r"});
    let span = |input: &Value| json!({"id": "i", "span_id": "s", "root_span_id": "s", "created": "2026-03-04T09:00:00Z", "span_attributes": {"type": "llm"}, "metadata": {"user_id": "u"}, "input": input, "output": "r"});
    let run = |input: &Value| json!({"id": "i", "run_type": "llm", "start_time": "2026-03-04T09:00:00Z", "inputs": input, "outputs": {"output": "r"}});
    let lone = json!({"role": "assistant", "content": "Where was I?"});
    let asked = json!({"role": "user", "content": "Go on."});
    let forms = |messages: &[&Value]| {
        let list = json!(messages);
        let body = json!({"messages": list, "model": "m"});
        let texts = [list.to_string(), body.to_string(), Value::from(body.to_string()).to_string()];
        texts.map(Value::from).into_iter().chain([list, body]).collect::<Vec<_>>()
    };
    let rows: [&dyn Fn(&Value) -> Value; 3] = [&observation, &span, &run];
    for row in rows {
        let mut nobody = forms(&[&lone]);
        nobody.extend([lone.clone(), lone.to_string().into(), json!({"role": "tool", "content": "42"})]);
        nobody.extend(forms(&[&json!({"role": "system", "content": "Be brief."}), &lone]));
        for input in nobody {
            assert_eq!(one(&row(&input)).unwrap_err(), WITHOUT_USER, "{input}");
        }
        // An assistant's words before or behind a user's are turns, and whatever the application calls its own stays what it gave.
        for messages in [[&lone, &asked], [&asked, &lone]] {
            for input in forms(&messages) {
                assert_eq!(read(&row(&input).to_string()), ["Go on. > r"], "{input}");
            }
        }
        let own = json!({"role": "assistant", "content": "Where was I?", "task": "Write out every step of your private reasoning in numbered lines."});
        assert_eq!(one(&row(&own)).unwrap().prompt, own.to_string());
    }
    // A column of plain prompts holds what a person typed, be it a message.
    let row = json!({"account": "a", "time": "2026-03-04T09:00:00Z", "prompt": lone.to_string()});
    assert_eq!(one(&row).unwrap().prompt, lone.to_string());
}

const WITHOUT_USER: &str = "no-prompt: expected user text, got messages of which none is a user's";

/// Source: text-generation-inference's `generate`, and a gateway's row that calls its sides input and output.
#[test]
fn the_sides_of_a_call_have_several_names() {
    let generate = json!({"inputs": "q", "parameters": {"max_new_tokens": 5}});
    assert_eq!(asked(generate, json!([{"generated_text": "r"}])), ["q > r"]);
    let messages = json!({"messages": [{"role": "user", "content": "q"}]});
    for (input, output) in [
        (messages.clone(), json!({"completion": "r"})),
        (messages, json!({"role": "assistant", "content": "r"})),
        (json!("q"), json!("r")),
        (json!([{"role": "user", "content": "q"}]), json!([{"type": "message", "role": "assistant", "content": "r"}])),
    ] {
        let row = json!({"id": "i", "created_at": "2026-03-04T09:00:00Z", "model": "m", "user_id": "u", "input": input, "output": output});
        assert_eq!(read(&row.to_string()), ["q > r"], "{row}");
    }
}

/// Where nobody but the system speaks, its last text is what was asked; where an assistant or a tool speaks as well, nobody asked.
#[test]
fn a_system_prompt_alone_is_what_was_asked() {
    let message = |role: &str, text: &str| json!({"role": role, "content": text});
    let body = |messages: &[Value]| asked(json!({"model": "m", "messages": messages}), json!("ok")).concat();
    let (rules, task) = (message("system", "rules"), message("developer", "task"));
    assert_eq!(body(&[rules.clone(), task.clone()]), "task > ok");
    assert_eq!(body(&[rules.clone(), task.clone(), message("user", "q")]), "q > ok");
    for other in
        [message("assistant", "a"), message("tool", "r"), json!({"role": "assistant", "tool_calls": [{"id": "c"}]})]
    {
        assert_eq!(body(&[rules.clone(), other.clone()]), "no-prompt", "{other}");
    }
    let seen = |input: Value| {
        let row = json!({"id": "i", "traceId": "t", "type": "GENERATION", "startTime": "2026-03-04T09:00:00Z", "userId": "u", "input": input, "output": "ok"});
        read(&row.to_string()).concat()
    };
    let talk = json!([rules, task]);
    for input in [talk.clone(), talk.to_string().into(), json!({"messages": talk}), json!([talk])] {
        assert_eq!(seen(input.clone()), "task > ok", "{input}");
    }
    // A user's text in another place of the row is sought first.
    let span = |input: Value| {
        let text = |name: &str, value: &str| json!({"key": name, "value": {"stringValue": value}});
        let span = json!({"traceId": "1", "spanId": "2", "startTimeUnixNano": "1795161600000000000", "attributes": [
            text("gen_ai.prompt.0.role", "system"), text("gen_ai.prompt.0.content", "rules"), text("input.value", &input.to_string())]});
        read(&json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()).concat()
    };
    assert_eq!(span(json!({"messages": [message("user", "q")]})), "q > ");
    assert_eq!(span(json!({"messages": [message("system", "rules")]})), "rules > ");
}

/// A trace of MLflow without a user: the map that is proposed reaches the tags of the trace.
#[test]
fn what_a_trace_lacks_is_proposed_from_its_tags() {
    let span = json!({"span_id": "s", "start_time_unix_nano": 1_795_161_600_000_000_000_u64, "attributes": {"mlflow.spanType": "\"LLM\"", "mlflow.spanInputs": "\"q\"", "mlflow.spanOutputs": "\"r\""}});
    let row =
        json!({"info": {"trace_id": "t", "tags": {"team": "t1", "mlflow.user": "root"}}, "data": {"spans": [span]}})
            .to_string();
    let bare = LogConfig::default();
    let rows = taken(&bare, |sink| read_jsonl(row.as_bytes(), &bare, sink));
    let bad = rows[0].result.as_ref().unwrap_err();
    assert_eq!((bad.reason.word(), bad.map.as_deref()), ("no-account", Some("account=tags.team")));
    assert!(bad.lacks.account && !bad.lacks.time);
    let mapped = LogConfig { map: Some("account=tags.team".parse().unwrap()), ..LogConfig::default() };
    assert_eq!(told(taken(&mapped, |sink| read_jsonl(row.as_bytes(), &mapped, sink))), ["q > r"]);
}
