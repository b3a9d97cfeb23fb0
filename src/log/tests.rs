//! Tests of every schema, rule and format, through the public readers.

use super::*;
use crate::exchange::Exchange;
use proptest::prelude::*;

/// Rows of a JSONL text.
fn jsonl_with(text: impl AsRef<[u8]>, config: &LogConfig) -> Vec<Row<Exchange>> {
    exchanges(taken(config, |sink| read_jsonl(text.as_ref(), config, sink)))
}

/// The rows of a reader, joined, in the order of their places.
pub(super) fn taken(config: &LogConfig, read: impl FnOnce(&mut Sink<'_>) -> crate::error::Result<()>) -> Vec<Row> {
    let mut joiner = Joiner::new(config);
    let mut rows = Vec::new();
    read(&mut |batch| {
        rows.extend(joiner.join(0, batch));
        Ok(())
    })
    .unwrap();
    rows.extend(joiner.finish());
    let mut rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    rows.sort_by_key(|row| row.place);
    rows
}

/// Rows without their origins.
fn exchanges(rows: Vec<Row>) -> Vec<Row<Exchange>> {
    let one = |row: Row| Row { place: row.place, result: row.result.map(|taken| taken.exchange) };
    rows.into_iter().map(one).collect()
}

fn jsonl(text: impl AsRef<[u8]>) -> Vec<Row<Exchange>> {
    jsonl_with(text, &LogConfig::default())
}

/// The only row of a text, which must be good.
fn one(text: impl AsRef<[u8]>) -> Exchange {
    let mut rows = jsonl(text);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0).result.unwrap()
}

/// The reason of the only row of a text, which must be bad.
fn reason(text: impl AsRef<[u8]>) -> &'static str {
    let mut rows = jsonl(text);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0).result.unwrap_err().reason.word()
}

#[test]
fn own_schema_keeps_every_field() {
    let row = one(
        r#"{"id":7,"account":12,"end_user":"u","time":"2026-11-21T10:00:00+01:00","model":"m","prompt":"Hi","system":"s",
           "response":"r","conversation":"c","attributes":{"tier":"free"},"region":"eu","tier":"x","nothing":null}"#
            .replace('\n', ""),
    );
    assert_eq!((row.id.as_deref(), row.account.as_str(), row.end_user.as_deref()), (Some("7"), "12", Some("u")));
    assert_eq!((row.time.to_string().as_str(), row.model.as_deref()), ("2026-11-21T09:00:00Z", Some("m")));
    assert_eq!((row.prompt.as_str(), row.system.as_deref(), row.response.as_deref()), ("Hi", Some("s"), Some("r")));
    assert_eq!(row.conversation.as_deref(), Some("c"));
    assert_eq!(serde_json::to_string(&row.attributes).unwrap(), r#"{"region":"eu","tier":"free"}"#);
}

/// What a golden log reads as: one line a row, compact.
fn told(rows: Vec<Row<Exchange>>) -> Vec<String> {
    let one = |row: Row<Exchange>| match row.result {
        Ok(e) => {
            let turns: Vec<String> = e.turns.iter().map(|turn| format!("{}:{}", turn.role, turn.text)).collect();
            let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            let names = format!("{} {}/{} {} {}", dash(e.id), e.account, dash(e.end_user), e.time, dash(e.model));
            let said = format!("{} | {} | {}", dash(e.system), e.prompt, dash(e.response)).replace('\n', "⏎");
            format!(
                "{}.{} {names} {} | {said} | {}",
                row.place.row,
                row.place.part,
                dash(e.conversation),
                turns.join("; ")
            )
        }
        Err(bad) => format!("{}.{} {}: {}", row.place.row, row.place.part, bad.reason, bad.detail),
    };
    rows.into_iter().map(one).collect()
}

#[test]
fn golden_own() {
    assert_eq!(
        told(jsonl(include_str!("../../tests/golden/logs/own.jsonl"))),
        [
            "1.0 e1 north-mill/u-3 2026-11-20T08:00:00Z m-1 c1 | You help bakers. | How long does rye dough rise? | About two hours. | ",
            "2.0 2 77/- 2026-11-20T08:00:00Z - - | - | ¿Cuánto sube la masa de centeno?⏎Responde breve. | - | ",
            "3.0 - south-mill/- 2026-11-20T10:00:00Z - - | - | Same question. | - | ",
        ]
    );
}

#[test]
fn golden_openai() {
    let rows = jsonl(include_str!("../../tests/golden/logs/openai.jsonl"));
    let attributes = &rows[0].result.as_ref().unwrap().attributes;
    assert_eq!(serde_json::to_string(attributes).unwrap(), r#"{"region":"eu","request.temperature":0.5}"#);
    assert_eq!(
        told(rows),
        [
            "1.0 cmpl-1 atlas/reader-1 2026-11-20T08:00:00Z g-4 - | Be brief. | Another one,⏎in Spain. | Ebro. | user:Name a river.; assistant:Elbe.",
            "2.0 cmpl-2 sid-7/- 2026-11-20T08:00:01Z g-4 - | - | Weather? | Rain. | tool:rain",
            "3.0 resp-1 atlas/- 2026-11-20T08:00:02Z g-5 conv-1 | Be brief. | Name a lake. | Lake Como. | tool:many",
        ]
    );
}

#[test]
fn golden_anthropic() {
    assert_eq!(
        told(jsonl(include_str!("../../tests/golden/logs/anthropic.jsonl"))),
        [
            "1.0 msg_1 orchard/picker-9 2026-11-20T08:00:00Z c-4 - | You prune trees.⏎Be kind. | What now? | Cut it back. | user:Look at row 3.; assistant:Looking.; tool:blight on row 3",
            "2.0 - orchard/- 2026-11-20T08:01:00Z c-4 - | - | Look at row 4. | - | tool:healthy",
            "3.0 - picker-9/- 2026-11-20T08:00:00Z c-4 - | - | Bare body. | - | ",
        ]
    );
}

#[test]
fn golden_otel() {
    let rows = jsonl(include_str!("../../tests/golden/logs/otel.jsonl"));
    let attributes = &rows[0].result.as_ref().unwrap().attributes;
    assert_eq!(attributes.get("gen_ai.usage.input_tokens"), Some(&40.into()));
    assert_eq!(attributes.get("service.name"), Some(&"gateway".into()));
    let trace = "5b8efff798038103d269b633813fc60c";
    assert_eq!(
        told(rows),
        [
            "1.0 r-1 harbour/pilot-4 2026-11-20T08:00:00.5Z m-1 c-9 | Answer sailors. | What is the tide at noon? | 2.1 m and falling. | tool:2.1 m, falling".to_owned(),
            format!("2.0 {trace}-eee19b7ec3c1b177 harbour/pilot-4 2026-11-20T08:00:00.5Z m-1 - | - | What is the tide at noon? | - | "),
            format!("3.0 {trace}-eee19b7ec3c1b178 harbour/pilot-4 2026-11-20T08:00:00.5Z m-1 - | Answer sailors. | Old form, numbered. | Numbered answer. | "),
            format!("4.0 {trace}-eee19b7ec3c1b179 harbour/pilot-4 2026-11-20T08:00:00.5Z m-1 - | - | Old form, event. | Event answer. | "),
            "5.0 aa-bb harbour/- 2026-11-20T08:00:02Z - - | Answer sailors. | One event a message. | Choice answer. | ".to_owned(),
            "5.1 aa-cc harbour/- 2026-11-20T08:00:04Z m-2 - | - | What is the tide at noon? | Details answer. | ".to_owned(),
        ]
    );
    assert_eq!(
        reason(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"a","attributes":[]}]}]}]}"#),
        "no-exchange"
    );
    let flat = one(
        r#"{"start_time":"2026-11-20T08:00:00Z","attributes":{"user.id":"u","gen_ai.input.messages":"[{\"role\":\"user\",\"content\":\"Flat.\"}]"}}"#,
    );
    assert_eq!((flat.account.as_str(), flat.prompt.as_str()), ("u", "Flat."));
}

#[test]
fn golden_wildchat() {
    let rows = jsonl(include_str!("../../tests/golden/logs/wildchat.jsonl"));
    let attributes = serde_json::to_string(&rows[1].result.as_ref().unwrap().attributes).unwrap();
    assert!(attributes.contains(r#""country":"Chile""#) && !attributes.contains("left_out"), "{attributes}");
    assert_eq!(
        told(rows),
        [
            "1.0 101 ab12/- 2023-04-09T00:01:00Z g-3.5 h1 | - | A poem on rain. | Rain falls. | ",
            "1.1 102 ab12/- 2023-04-09T00:02:53Z g-3.5 h1 | - | Shorter. | Rain. | user:A poem on rain.; assistant:Rain falls.",
        ]
    );
}

#[test]
fn nested_tool_results_are_read_once() {
    // Were each level read twice, forty levels would take longer than anyone waits.
    let (open, close) = (r#"[{"type":"tool_result","content":"#, "}]");
    let line = |content: &str| {
        format!(
            r#"{{"account":"a","time":1795161600,"messages":[{{"role":"user","content":"p"}},{{"role":"tool","content":{content}}}]}}"#
        )
    };
    let row = one(line(&format!("{}\"deep\"{}", open.repeat(40), close.repeat(40))));
    assert_eq!((row.prompt.as_str(), row.turns[0].text.as_str()), ("p", "deep"));
}

#[test]
fn a_long_conversation_grows_linearly() {
    let turn =
        |i: usize| format!(r#"{{"role":"user","content":"question {i}"}},{{"role":"assistant","content":"answer"}}"#);
    let turns: Vec<String> = (0..4000).map(turn).collect();
    let line = format!(
        r#"{{"conversation_hash":"h","hashed_ip":"a","timestamp":1795161600,"conversation":[{}]}}"#,
        turns.join(",")
    );
    let rows = jsonl(&line);
    assert_eq!(rows.len(), 4000);
    let held: usize =
        rows.iter().flat_map(|row| &row.result.as_ref().unwrap().turns).map(|turn| turn.text.len() + 128).sum();
    assert!(held <= 16 << 20, "{held}");
    let last = rows[3999].result.as_ref().unwrap();
    let left_out = last.attributes["turns_left_out"].as_u64().unwrap();
    assert_eq!(left_out + last.turns.len() as u64, 2 * 3999);
    assert_eq!(last.turns.last().map(|turn| turn.role.as_str()), Some("assistant"));
}

/// Rows of a CSV text.
fn table(text: impl AsRef<[u8]>, config: &LogConfig) -> Vec<Row<Exchange>> {
    exchanges(taken(config, |sink| read_csv(text.as_ref(), config, sink)))
}

fn mapped(map: &str) -> LogConfig {
    LogConfig { map: Some(map.parse().unwrap()), ..LogConfig::default() }
}

#[test]
fn golden_generic_csv_through_a_map() {
    let rows =
        table(include_str!("../../tests/golden/logs/generic.csv"), &mapped("prompt=body,account=key_id,time=ts"));
    assert_eq!(rows[0].result.as_ref().unwrap().attributes, [("plan".to_owned(), "free".into())].into());
    assert_eq!(
        told(rows),
        [
            "2.0 - k1/- 2026-11-21T10:00:00Z - - | - | A \"quoted\" text,⏎over two lines | - | ",
            "4.0 - k2/- 2026-11-21T10:00:00.5Z - - | - | =cmd() stays text | - | ",
        ]
    );
}

#[test]
fn csv_reads_our_schema_and_counts_bad_rows() {
    let text = "\u{feff}id;account;time;prompt;attributes\r\n1;a;2026-11-20;\"x;y\";\"{\"\"tier\"\":\"\"free\"\"}\"\r\n2;a;b\r\n\r\n3;a;1795161600;z;\r\n4;a;1795161600;\"open;";
    let rows = table(text, &LogConfig::default());
    assert_eq!(rows[0].result.as_ref().unwrap().attributes, [("tier".to_owned(), "free".into())].into());
    assert_eq!(
        told(rows),
        [
            "2.0 1 a/- 2026-11-20T00:00:00Z - - | - | x;y | - | ",
            "3.0 ragged-row: expected 5 fields as in the header, got 3",
            "5.0 3 a/- 2026-11-20T08:00:00Z - - | - | z | - | ",
            "6.0 open-quote: expected the field's quote to close, got the end of the input",
        ]
    );
    assert_eq!(
        table("a,b\n1,2\n", &LogConfig::default())[0].result.as_ref().unwrap_err().reason,
        Reason::UnknownSchema
    );
    assert_eq!(
        table(b"\xff,b\n1,2\n", &LogConfig::default())[0].result.as_ref().unwrap_err().reason,
        Reason::UnreadableFile
    );
    let config = LogConfig { max_row_bytes: 1000, ..LogConfig::default() };
    let rows = table(format!("account,time,prompt\na,1,\"{}\na,1795161600,ok\n", "x\n".repeat(100_000)), &config);
    assert_eq!(rows.len(), 1, "an unclosed quote costs a row, not the memory");
    assert_eq!(rows[0].result.as_ref().unwrap_err().reason, Reason::TooLong);
}

#[test]
fn a_map_reaches_into_rows_and_guesses_nothing() {
    let config = mapped("prompt=body.parts.1,account=key.id,time=ts,end_user=key.id,attributes.tier=plan");
    let text = r#"{"id":"not mapped","key.id":"k","ts":1795161600,"plan":"p","body":{"parts":["a","b"],"more":1}}"#;
    let row = jsonl_with(text, &config).remove(0).result.unwrap();
    assert_eq!((row.prompt.as_str(), row.account.as_str(), row.end_user.as_deref()), ("b", "k", Some("k")));
    assert_eq!(row.id, None);
    let attributes = serde_json::to_string(&row.attributes).unwrap();
    assert_eq!(attributes, r#"{"body":{"more":1,"parts":["a",null]},"id":"not mapped","tier":"p"}"#);
    let from_toml: ColumnMap =
        toml::from_str("prompt='body.parts.1'\naccount='key.id'\ntime='ts'\nend_user='key.id'\nattributes.tier='plan'")
            .unwrap();
    assert_eq!(Some(from_toml), config.map);
    assert!("account=a".parse::<ColumnMap>().is_ok(), "a map may add to a schema");
    for bad in ["", "prompt", "prompt=", "prompt=a,prompt=b", "prompt=a,attributes.=b", "prompt=a,who=b"] {
        assert!(bad.parse::<ColumnMap>().is_err(), "{bad}");
    }
}

#[test]
fn bad_rows_have_their_reason() {
    let own = |more: &str| format!(r#"{{"account":"a","time":1795161600,"prompt":"p"{more}}}"#);
    assert_eq!(reason(b"{\"a\":\"\xff\"}"), "not-utf8");
    assert_eq!(reason("{\"a\":"), "not-json");
    assert_eq!(reason("\0\0\0"), "not-json");
    assert_eq!(reason(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), "not-json");
    assert_eq!(reason(r#"{"account":"a","time":1795161600,"prompt":"\ud800"}"#), "lone-surrogate");
    assert_eq!(reason(r#"{"account":"a","time":1795161600,"prompt":"\\\udc00 x"}"#), "lone-surrogate");
    assert_eq!(reason(r#"{"prompt":"\\ud800 \ud83d\ude00","#), "not-json");
    assert_eq!(reason("[1]"), "not-an-object");
    assert_eq!(reason(r#"{"colour":"red"}"#), "unknown-schema");
    assert_eq!(reason(r#"{"time":1795161600,"prompt":"p"}"#), "no-account");
    assert_eq!(reason(r#"{"account":"","time":1795161600,"prompt":"p"}"#), "no-account");
    assert_eq!(reason(r#"{"account":true,"time":1795161600,"prompt":"p"}"#), "bad-account");
    assert_eq!(
        reason(format!(r#"{{"account":"{}","time":1795161600,"prompt":"p"}}"#, "a".repeat(1025))),
        "bad-account"
    );
    assert_eq!(reason(r#"{"account":"a","time":null,"prompt":"p"}"#), "no-time");
    assert_eq!(reason(r#"{"account":"a","time":"soon","prompt":"p"}"#), "bad-time");
    assert_eq!(reason(r#"{"account":"a","time":1795161600,"prompt":" \n"}"#), "no-prompt");
    assert_eq!(reason(r#"{"account":"a","time":1795161600,"response":"r"}"#), "no-prompt");
    let turns = vec![r#"{"role":"user","content":"x"}"#; 10_001].join(",");
    assert_eq!(reason(format!(r#"{{"hashed_ip":"a","timestamp":1795161600,"conversation":[{turns}]}}"#)), "too-long");
    assert_eq!(reason(own(r#","id":["x"]"#)), "bad-id");
    assert_eq!(reason(own(r#","id":"\u001b[2J""#)), "bad-id");
    assert_eq!(reason(own(&format!(r#","id":"{}""#, "x".repeat(257)))), "bad-id");
    assert_eq!(one(own(r#","prompt":"last wins""#)).prompt, "last wins");
    assert_eq!(one(own(r#","id":"""#)).id, None);
    assert_eq!(
        one(r#"{"account":"a","time":1795161600,"prompt":"\u0000<script>\u001b[2J\ud83d\ude00"}"#).prompt,
        "\0<script>\u{1b}[2J😀"
    );
    for reason in Reason::ALL {
        assert_eq!(reason.word().parse(), Ok(*reason));
    }
}

#[test]
fn defaults_stand_for_what_is_missing() {
    let time = crate::ids::Time::new(1_795_161_600_000_000);
    let config = LogConfig { default_account: Some("d".to_owned()), default_time: time, ..LogConfig::default() };
    let row = jsonl_with(r#"{"messages":[{"role":"user","content":"p"}]}"#, &config).remove(0).result.unwrap();
    assert_eq!((row.account.as_str(), Some(row.time)), ("d", time));
    let row = jsonl_with(r#"{"prompt":"p","time":"junk"}"#, &config).remove(0).result.unwrap_err();
    assert_eq!(row.reason, Reason::BadTime, "a default does not cover nonsense");
}

#[test]
fn details_are_one_safe_line() {
    let rows = jsonl("{\"\\u001b[31m\\u202e\\nkey\":1}");
    let detail = &rows[0].result.as_ref().unwrap_err().detail;
    assert!(detail.ends_with("\u{fffd}[31m\u{fffd}\u{fffd}key"), "{detail:?}");
}

#[test]
fn lines_are_framed_whatever_their_ends() {
    let row = r#"{"account":"a","time":1795161600,"prompt":"p"}"#;
    let rows = jsonl(format!("\u{feff}{row}\r\n\n   \n{row}\n{row}"));
    assert_eq!(rows.iter().map(|row| row.place.row).collect::<Vec<_>>(), [1, 4, 5]);
    assert!(rows.iter().all(|row| row.result.is_ok()));
    assert!(jsonl("").is_empty() && jsonl("\n\n").is_empty());
}

#[test]
fn a_long_prompt_is_read_and_a_too_long_row_is_not_held() {
    let line = |n: usize| format!(r#"{{"account":"a","time":1795161600,"prompt":"{}"}}"#, "x".repeat(n));
    assert_eq!(one(line(10 << 20)).prompt.len(), 10 << 20);
    let config = LogConfig { max_row_bytes: 200_000, ..LogConfig::default() };
    let long = line(300_000);
    let rows = jsonl_with(format!("{}\n{long}\n{}\n", line(5), line(6)), &config);
    let bad = rows[1].result.as_ref().unwrap_err();
    assert_eq!((bad.reason, bad.raw.len()), (Reason::TooLong, 64 << 10));
    assert!(rows[0].result.is_ok() && rows[2].result.is_ok() && rows[2].place.row == 3);
    // The digest is of the whole row with its line end.
    assert_eq!(bad.digest, Digest::of(format!("{long}\n").as_bytes()));
}

/// Gives some bytes, then breaks.
struct Broken<'a>(&'a [u8]);

impl std::io::Read for Broken<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "unexpected end of file"));
        }
        self.0.read(out)
    }
}

#[test]
fn a_broken_stream_keeps_what_came() {
    let text = "{\"account\":\"a\",\"time\":1795161600,\"prompt\":\"p\"}\n{\"acc";
    let mut rows = Vec::new();
    let mut keep = |batch: Vec<Row<Piece>>| {
        rows.extend(batch);
        Ok(())
    };
    read_jsonl(Broken(text.as_bytes()), &LogConfig::default(), &mut keep).unwrap();
    read_jsonl(Broken(b""), &LogConfig::default(), &mut keep).unwrap();
    read_csv(Broken(b"account,time,prompt\na,1795161600,p\na,17"), &LogConfig::default(), &mut keep).unwrap();
    read_csv(Broken(b"account,ti"), &LogConfig::default(), &mut keep).unwrap();
    let words: Vec<&str> =
        rows.iter().map(|row| row.result.as_ref().map_or_else(|bad| bad.reason.word(), |_| "good")).collect();
    assert_eq!(words, ["good", "truncated-input", "unreadable-file", "good", "truncated-input", "truncated-input"]);
    assert_eq!(&*rows[1].result.as_ref().unwrap_err().raw, b"{\"acc");
    assert_eq!(rows[1].place.row, 2);
}

#[test]
fn times_in_every_form() {
    let noon = "2026-11-21T12:00:00Z";
    for text in [
        "2026-11-21T12:00:00Z",
        "2026-11-21T13:00:00+01:00",
        "2026-11-21T12:00:00",
        "2026-11-21 12:00:00",
        "2026-11-21 12:00:00 UTC",
        "2026-11-21 12:00:00+00:00",
        "2026-11-21 12:00:00 +00:00",
        "2026-11-21 12:00:00.000",
        "Sat, 21 Nov 2026 12:00:00 GMT",
        "Sat, 21 Nov 2026 13:00:00 +0100",
        "21/Nov/2026:12:00:00 +0000",
        "Sat Nov 21 12:00:00 +0000 2026",
        "Sat Nov 21 2026 12:00:00 GMT+0000 (Coordinated Universal Time)",
        "Sat Nov 21 2026 13:00:00 GMT+0100",
        "1795262400",
        "1795262400000",
        "1795262400000000",
        "1795262400000000000",
        "1795262400.0",
        "  1795262400 ",
    ] {
        let time = parse_time(&text.into()).map(|time| time.to_string());
        assert_eq!(time.as_deref(), Some(noon), "{text}");
    }
    assert_eq!(parse_time(&serde_json::json!(1_795_262_400.25)).unwrap().to_string(), "2026-11-21T12:00:00.25Z");
    assert_eq!(parse_time(&serde_json::json!(1.7952624e18)).unwrap().to_string(), noon);
    assert_eq!(parse_time(&"1795262400.1234567".into()).unwrap().micros() % 1_000_000, 123_456);
    assert_eq!(parse_time(&"2026-11-21".into()).unwrap().to_string(), "2026-11-21T00:00:00Z");
    assert_eq!(parse_time(&"20261121".into()).unwrap().to_string(), "2026-11-21T00:00:00Z");
    for text in [
        "",
        "yesterday",
        "11/21/2026 12:00",
        "0001-01-01T00:00:00Z",
        "1989-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "9999-12-31",
        "0",
        "-1795262400",
        "179526240",
        "1e400",
        "NaN",
        "inf",
        "2026-13-01",
        "2026-11-21T25:00:00Z",
        "1.",
        ".5",
        "1..2",
    ] {
        assert_eq!(parse_time(&text.into()), None, "{text}");
    }
    for value in
        [serde_json::json!(true), serde_json::json!([1]), serde_json::json!(-1e30), serde_json::json!(u64::MAX)]
    {
        assert_eq!(parse_time(&value), None, "{value}");
    }
}

#[test]
fn inputs_are_recognised() {
    for (name, expected) in [
        ("a.jsonl", Some((Format::Jsonl, Compression::None))),
        ("a.ndjson.gz", Some((Format::Jsonl, Compression::Gzip))),
        ("a.b.csv.zst", Some((Format::Csv, Compression::Zstd))),
        ("a.parquet", Some((Format::Parquet, Compression::None))),
        ("a.parquet.gz", None),
        ("jsonl", None),
        ("", None),
    ] {
        assert_eq!(recognise(name), expected, "{name}");
    }
    assert_eq!(sniff(b"\x28\xb5\x2f\xfd.."), Err(Compression::Zstd));
    assert_eq!(sniff(b"PAR1"), Ok(Format::Parquet));
    assert_eq!(sniff("\u{feff}id,account".as_bytes()), Ok(Format::Csv));
    assert_eq!(sniff(b""), Ok(Format::Jsonl));
}

proptest! {
    #[test]
    fn any_bytes_give_rows(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        jsonl(&bytes);
        table(&bytes, &LogConfig::default());
        table(&bytes, &mapped("prompt=a.0.b"));
        sniff(&bytes).ok();
        let text = String::from_utf8_lossy(&bytes);
        let _ = recognise(&text);
        let _ = parse_time(&(&*text).into());
        text.parse::<ColumnMap>().ok();
    }

    #[test]
    fn any_json_gives_rows(value in json(), key in KEYS) {
        let mut row = serde_json::Map::new();
        row.insert(key.to_owned(), value.clone());
        row.insert("hashed_ip".to_owned(), "a".into());
        jsonl(serde_json::to_vec(&row).unwrap());
        let config = LogConfig { default_account: Some("d".to_owned()), default_time: crate::ids::Time::new(1), ..mapped("prompt=content.0,system=parts,response=role") };
        jsonl_with(serde_json::to_vec(&value).unwrap(), &config);
    }

    #[test]
    fn batches_do_not_show(rows in proptest::collection::vec(0..7_usize, 0..40), batch_rows in 1..5_usize, batch_bytes in 1..300_usize) {
        let lines = [
            r#"{"account":"a","time":1795161600,"prompt":"p"}"#, "", "{", "\r", r#"{"a":1}"#,
            r#"{"hashed_ip":"a","timestamp":1795161600,"conversation":[{"role":"user","content":"x"},{"role":"user","content":"y"}]}"#,
            "{\"account\":\"a\",\"time\":1795161600,\"prompt\":\"a rather long prompt that goes over the bound on rows, so that it is dropped as it passes by\", \"more\": \"more than one hundred and fifty\"}",
        ];
        let text: String = rows.iter().map(|row| format!("{}\n", lines[*row])).collect();
        let large = LogConfig { max_row_bytes: 150, ..LogConfig::default() };
        let small = LogConfig { batch_rows, batch_bytes, ..large.clone() };
        prop_assert_eq!(jsonl_with(&text, &large), jsonl_with(&text, &small));
        prop_assert_eq!(table(&text, &large), table(&text, &small));
    }
}

/// Keys that some schema looks at.
const KEYS: &str = "(request|response|messages|conversation|resourceSpans|resourceLogs|prompt|input|gen_ai[.]prompt)";

/// JSON made of the words that the schemas look for.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let word = "(user|system|tool|text|tool_result|message|gen_ai[.]choice|gen_ai[.]prompt[.]0[.]content|[{]|1)";
    let name = "(role|content|type|text|parts|messages|choices|message|output|metadata|resource|scopeSpans|scopeLogs|spans|\
                logRecords|attributes|key|value|stringValue|arrayValue|values|kvlistValue|events|name|body|eventName|spanId)";
    let leaf = prop_oneof![
        word.prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null)
    ];
    leaf.prop_recursive(8, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            proptest::collection::btree_map(name, inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
