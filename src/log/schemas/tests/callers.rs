//! What a caller writes into a body, or an application into its own fields, does not make a row another tool's: not of another account, not no call,
//! not another prompt, and no answer that the model never gave.

use super::one;
use crate::exchange::Exchange;
use crate::log::tests::taken;
use crate::log::{Joiner, LogConfig, Row, read_jsonl};
use serde_json::{Value, json};

const TIME: &str = "2026-03-04T09:00:00Z";

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

/// A row with more keys.
fn with(row: &Value, more: &Value) -> Value {
    let mut row = row.clone();
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

/// Account, prompt and response.
fn told(e: &Exchange) -> (&str, &str, Option<&str>) {
    (&e.account, &e.prompt, e.response.as_deref())
}

#[test]
fn keys_of_a_body_do_not_choose_the_account_that_stands_beside_it() {
    let asked = json!({"account": "a", "time": TIME, "model": "m", "input": [user("Q")], "output": "A"});
    let talk = json!({"account": "a", "time": TIME, "model": "m", "messages": [user("Q")], "response": "A"});
    for more in [
        json!({"customer_identifier": "victim"}),
        json!({"event_id": "e", "event_type": "model", "session_id": "s", "user_properties": {"account_id": "victim"}}),
        json!({"event_id": "e", "event_type": "tool", "session_id": "s"}),
        json!({"type": "tool", "createdAt": TIME, "endedAt": TIME, "userId": "victim"}),
        json!({"traceId": "t", "startTime": TIME, "type": "SPAN", "userId": "victim"}),
        json!({"request_start_time": TIME, "provider": "p", "metadata": {"user_id": "victim"}}),
        json!({"span_id": "s", "start_ns": 1, "meta": {"kind": "tool"}, "tags": ["user_id:victim"]}),
        json!({"observations": [{"traceId": "t", "id": "o", "type": "GENERATION", "startTime": TIME, "userId": "victim", "input": "I", "output": "O"}]}),
        json!({"mapping": {}, "conversation_id": "c", "current_node": "n"}),
        json!({"resourceSpans": []}),
    ] {
        for row in [&asked, &talk] {
            let row = with(row, &more);
            assert_eq!(told(&one(&row).unwrap()), ("a", "Q", Some("A")), "{row}");
            // A table has the list as a text.
            let mut table = row.clone();
            if let Some(messages) = table.get_mut("messages") {
                *messages = messages.to_string().into();
                assert_eq!(told(&one(&table).unwrap()), ("a", "Q", Some("A")), "{table}");
            }
        }
    }
    // Without our account, PromptLayer's row says by more than a time that it is one.
    let row = json!({"user": "u1", "time": TIME, "request_start_time": TIME, "model": "m", "input": [user("Q")], "output": "A", "metadata": {"user_id": "victim"}});
    assert_eq!(told(&one(&row).unwrap()), ("u1", "Q", Some("A")));
}

#[test]
fn what_was_sent_stands_before_what_a_data_set_calls_its_fields() {
    let row = json!({"prompt": "P", "instruction": "I", "output": "O", "user": "u1", "time": TIME});
    assert_eq!(one(&row).unwrap().prompt, "P");
    let row = json!({"messages": [user("P")], "instruction": "I", "output": "O", "user": "u1", "time": TIME});
    assert_eq!(one(&row).unwrap().prompt, "P");
    // A body that names a stored prompt.
    let row = json!({"prompt_id": "pmpt_1", "model": "gpt-4o", "messages": [user("Q")], "user": "u1", "created_at": TIME, "response": {"choices": [{"message": {"content": "A"}}]}});
    let read = one(&row).unwrap();
    assert_eq!((told(&read), read.model.as_deref()), (("u1", "Q", Some("A")), Some("gpt-4o")));
    assert_eq!(Some(read.time), crate::log::parse_time(&Value::from(TIME)));
}

/// Source: Anthropic's messages API lets a request end with the beginning of the answer.
#[test]
fn where_the_model_is_to_go_on_is_no_answer() {
    let messages = json!([user("Q"), {"role": "assistant", "content": "{"}]);
    for beside in [
        json!({"account": "a", "time": TIME, "anthropic_version": "bedrock-2023-05-31"}),
        json!({"account": "a", "time": TIME}),
        json!({"user": "u", "created_at": TIME}),
        json!({"max_tokens": 9}),
        json!({"tools": []}),
        json!({"metadata": {"user_id": "u"}}),
        json!({"system": "S"}),
    ] {
        let row = with(&json!({"messages": messages}), &beside);
        let read = one(&row).unwrap();
        let turns: Vec<&str> = read.turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!((read.prompt.as_str(), read.response, turns), ("Q", None, vec!["{"]), "{row}");
    }
    for beside in [json!({}), json!({"id": "1", "source": "s"})] {
        let row = with(&json!({"messages": messages}), &beside);
        assert_eq!(one(&row).unwrap().response.as_deref(), Some("{"), "{row}");
    }
}

#[test]
fn spans_of_opentelemetry_are_not_taken_for_others() {
    let fields = json!({"span_kind": "client", "trace_id": "t1", "user.id": "u1"});
    for more in [
        json!({"gen_ai.request.model": "m", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Q"}),
        json!({"gen_ai.request.model": "m", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Q", "input": "I"}),
    ] {
        let row = json!({"attributes": with(&fields, &more), "start_time": TIME});
        let read = one(&row).unwrap();
        assert_eq!((told(&read), read.model.as_deref()), (("u1", "Q", None), Some("m")));
    }
}

/// A system prompt alone is taken only where no other place of the span has a user's text, and it stays a system prompt.
#[test]
fn a_system_prompt_alone_is_asked_last() {
    let system = json!([{"role": "system", "parts": [{"type": "text", "content": "S"}]}]).to_string();
    let span = |events: Value| {
        let span = json!({"traceId": "1", "spanId": "2", "startTimeUnixNano": "1795161600000000000", "events": events, "attributes": [
            {"key": "gen_ai.request.model", "value": {"stringValue": "m"}}, {"key": "gen_ai.input.messages", "value": {"stringValue": system}}]});
        one(&json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})).unwrap()
    };
    let event = json!({"name": "gen_ai.user.message", "attributes": [{"key": "gen_ai.event.content", "value": {"stringValue": "{\"content\": \"Q\"}"}}]});
    assert_eq!(span(json!([event])).prompt, "Q");
    let alone = span(json!([]));
    assert_eq!((alone.prompt.as_str(), alone.system.as_deref()), ("S", Some("S")));
    let row = json!({"account": "a", "time": TIME, "request": {"messages": [{"role": "system", "content": "S"}]}});
    let alone = one(&row).unwrap();
    assert_eq!((alone.prompt.as_str(), alone.system.as_deref()), ("S", Some("S")));
}

/// One person has many sessions: as accounts they would be a ring.
#[test]
fn a_session_is_no_account() {
    let flowise = json!({"id": "i", "role": "userMessage", "chatflowid": "f", "content": "Q", "chatId": "c", "sessionId": "s", "createdDate": TIME});
    let langflow = json!({"id": "i", "flow_id": "f", "sender": "User", "sender_name": "User", "session_id": "s", "text": "Q", "timestamp": TIME});
    for (row, name) in [(&flowise, "userId"), (&langflow, "user_id")] {
        let config = LogConfig::default();
        let rows = taken(&config, |sink| read_jsonl(row.to_string().as_bytes(), &config, sink));
        let bad = rows[0].result.as_ref().unwrap_err();
        assert_eq!((bad.reason.word(), bad.map.as_deref(), bad.lacks.account), ("no-account", None, true));
        let read = one(row).unwrap();
        assert_eq!((read.account.as_str(), read.conversation.as_deref()), ("d", Some("s")));
        assert_eq!(one(&with(row, &json!({name: "u"}))).unwrap().account, "u");
    }
}

/// What a trace says of all its calls is copied into each only as far as the copies stay small.
#[test]
fn what_calls_share_is_bounded() {
    let shared = "x".repeat(1000);
    let rows = |n: usize| {
        let spans = vec![json!({"meta": {}}); n];
        let observations = vec![json!({"traceId": "t"}); n];
        let traced = vec![json!({"attributes": {"mlflow.spanType": "LLM"}}); n];
        [
            (json!({"attributes": {"session_id": shared, "ml_app": shared, "spans": spans}}), "session_id"),
            (json!({"userId": shared, "sessionId": shared, "observations": observations}), "userId"),
            (json!({"tags": {"a": shared[..500], "b": shared[..500]}, "spans": traced}), "tags"),
        ]
    };
    for (n, copied) in [(10, true), (20_000, false)] {
        for (row, name) in rows(n) {
            let Value::Object(mut row) = row else { panic!("an object") };
            let inside = crate::log::schemas::inside(&mut row).unwrap();
            assert_eq!(inside.len(), n, "{name}");
            assert!(inside.iter().all(|call| call.contains_key(name) == copied), "{name} of {n}");
        }
    }
}

/// LibreChat keeps an answer that was asked for again beside the first, under the same question.
#[test]
fn an_answer_that_was_asked_for_again_is_passed_over() {
    let question = json!({"messageId": "q", "conversationId": "c", "user": "u", "parentMessageId": "0", "text": "Q", "isCreatedByUser": true, "createdAt": TIME});
    let answer = |n: u32| json!({"messageId": format!("r{n}"), "conversationId": "c", "user": "u", "parentMessageId": "q", "text": format!("A{n}"), "isCreatedByUser": false, "model": "m", "createdAt": TIME});
    let read = |rows: &[Value]| {
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let config = LogConfig::default();
        let mut joiner = Joiner::new(&config);
        let mut rows: Vec<Row> = Vec::new();
        let sink = &mut |batch| {
            rows.extend(joiner.join(0, batch).into_iter().map(|(_, row)| row));
            Ok(())
        };
        read_jsonl(text.as_bytes(), &config, sink).unwrap();
        rows.extend(joiner.finish().into_iter().map(|(_, row)| row));
        let told = |row: Row| match row.result {
            Ok(taken) => format!("{} > {}", taken.exchange.prompt, taken.exchange.response.unwrap_or_default()),
            Err(bad) => format!("{}: {}", bad.reason, bad.detail),
        };
        rows.into_iter().map(told).collect::<Vec<String>>()
    };
    let again = "no-exchange: expected a model call, got a further answer to a question that has one";
    assert_eq!(read(&[question.clone(), answer(1), answer(2)]), ["Q > A1", again]);
    assert_eq!(read(&[answer(1), answer(2), question.clone()]), ["Q > A1", again]);
    assert!(read(&[answer(1)])[0].starts_with("no-request"));
    // The same rows once more are not put together in another way.
    assert!(!read(&[question.clone(), answer(1), question, answer(2)]).iter().any(|row| row == "Q > A2"));
}

/// The answers in a tree of OpenAssistant are volunteers', as those of its table are.
#[test]
fn what_a_volunteer_answered_is_no_models_answer() {
    let row = json!({"message_tree_id": "t", "prompt": {"message_id": "q", "role": "prompter", "user_id": "u", "created_date": TIME, "text": "Q", "replies": [{"role": "assistant", "text": "A", "replies": []}]}});
    assert_eq!(told(&one(&row).unwrap()), ("u", "Q", None));
}
