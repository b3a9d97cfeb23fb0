//! One entry for each reader of bytes that somebody else wrote: what the fuzz targets call, and what the tests replay.
//!
//! Each takes any bytes, and asserts what its module promises of them; a broken promise is a panic. The first byte chooses among
//! settings where there are some. Weakness: logs are read from memory, so `store::input` (paths, compression) is not among them.
#![allow(dead_code, clippy::missing_panics_doc, missing_docs, unreachable_pub, clippy::disallowed_methods)]

use std::io::{Seek as _, Write as _};
use std::ops::Range;
use stillhunt::family::template;
use stillhunt::index::{Ask, Probes, Segment, Vectors};
use stillhunt::log::{self, ColumnMap, LogConfig, Row};
use stillhunt::store::{facts::Facts, keys::KeyTable, postings::Postings, prints, texts::Texts};
use stillhunt::text::winnow::Printer;
use stillhunt::text::{self, Grams};

/// What takes any bytes.
pub type Entry = fn(&[u8]);

/// Every entry by name, for the replay.
pub const ALL: [(&str, Entry); 14] = [
    ("lines", lines),
    ("arrays", arrays),
    ("strings", strings),
    ("otlp", otlp),
    ("wildchat", wildchat),
    ("csv", csv),
    ("parquet", parquet),
    ("map", map),
    ("fold", fold),
    ("family", family),
    ("segment", segment),
    ("tables", tables),
    ("documents", documents),
    ("key_file", key_file),
];

/// Collects the rows of a reader, joined, in the order of their places.
fn rows(read: impl FnOnce(&mut log::Sink<'_>) -> stillhunt::error::Result<()>, config: &LogConfig) -> Vec<Row> {
    let mut joiner = log::Joiner::new(config);
    let mut rows = Vec::new();
    read(&mut |batch| {
        rows.extend(joiner.join(0, batch));
        Ok(())
    })
    .expect("a sink that never fails");
    rows.extend(joiner.finish());
    let mut rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    rows.sort_by_key(|row| row.place);
    rows
}

/// What every reader promises: rows in order, safe details, text that is there, and no more of it than the input explains.
fn promised(rows: &[Row], n_bytes: usize) {
    assert!(rows.windows(2).all(|two| two[0].place < two[1].place), "rows in order, each place once");
    let mut held = 0;
    for row in rows {
        match &row.result {
            Ok(taken) => {
                let exchange = &taken.exchange;
                assert!(!exchange.prompt.trim().is_empty() && (1..=1024).contains(&exchange.account.len()));
                assert!(exchange.id.as_ref().is_none_or(|id| (1..=256).contains(&id.len())));
                held += exchange.prompt.len() + exchange.turns.iter().map(|turn| turn.text.len()).sum::<usize>();
                held += [&exchange.system, &exchange.response].into_iter().flatten().map(String::len).sum::<usize>();
            }
            Err(bad) => {
                assert!(bad.detail.chars().count() <= 241 && !bad.detail.chars().any(char::is_control), "{bad:?}");
            }
        }
    }
    assert!(held <= 64 * n_bytes + (20 << 20), "{held} bytes of text from {n_bytes}");
}

/// Reads twice, in batches of one row and in large ones: the rows are the same.
fn twice(n_bytes: usize, config: &LogConfig, read: impl Fn(&LogConfig) -> Vec<Row>) {
    let found = read(config);
    promised(&found, n_bytes);
    assert_eq!(read(&LogConfig { batch_rows: 1, ..config.clone() }), found, "batches do not show");
}

fn jsonl(bytes: &[u8], config: &LogConfig) {
    twice(bytes.len(), config, |config| rows(|sink| log::read_jsonl(bytes, config, sink), config));
}

/// Settings under which a log is read.
fn config(choice: u8) -> LogConfig {
    let plain = LogConfig { max_row_bytes: 1 << 16, ..LogConfig::default() };
    let map = |text: &str| text.parse::<ColumnMap>().ok();
    match choice % 4 {
        0 => plain,
        1 => LogConfig {
            default_account: Some("d".into()),
            default_time: log::parse_time(&"2026-11-20".into()),
            ..plain
        },
        2 => LogConfig {
            map: map("prompt=content.0,system=parts,response=role,account=a.b,time=t,attributes.x=a"),
            ..plain
        },
        _ => LogConfig { max_row_bytes: 100, ..plain },
    }
}

/// JSON lines of our own schema and of chat requests. The first byte chooses the settings.
pub fn lines(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    jsonl(bytes, &config(choice));
    let _ = log::sniff(bytes);
}

/// An array, whole or not, or values over several lines. The first byte chooses the settings.
pub fn arrays(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let array = [b"[", bytes].concat();
    jsonl(&array, &config(choice));
    let pretty = [b"{\n", bytes].concat();
    jsonl(&pretty, &config(choice));
    // What an array holds reads as it does on lines of its own.
    if let Ok(serde_json::Value::Array(items)) = serde_json::from_slice(&array) {
        let lines: Vec<u8> = items.iter().flat_map(|item| format!("{item}\n").into_bytes()).collect();
        let results = |bytes: &[u8]| -> Vec<_> {
            let one = |row: Row| row.result.map_err(|bad| bad.reason);
            rows(|sink| log::read_jsonl(bytes, &config(1), sink), &config(1)).into_iter().map(one).collect()
        };
        let first_is_object = items.first().is_some_and(serde_json::Value::is_object);
        if first_is_object {
            assert_eq!(results(&array), results(&lines), "an array and its elements on lines");
        }
    }
}

/// Text in every place where JSON may stand in a text, once and twice encoded. The first byte chooses the place.
pub fn strings(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    let once = serde_json::Value::from(&*text);
    let twice_encoded = serde_json::Value::from(once.to_string());
    let map = |text: &str| text.parse::<ColumnMap>().ok();
    let maps = ["request=a,response=b", "messages=a,response=b", "prompt=a,response=b", "account=a.x"];
    for value in [once, twice_encoded] {
        let rows = [
            serde_json::json!({"account": "a", "time": 1, "prompt": value, "response": value, "attributes": value}),
            serde_json::json!({"request": value, "response": value, "account": "a"}),
            serde_json::json!({"call_type": "c", "spend": 1, "messages": value, "response": value, "metadata": value}),
            serde_json::json!({"id": "i", "traceId": "t", "startTime": "s", "type": "GENERATION", "input": value, "output": value}),
            serde_json::json!({"run_type": "llm", "inputs": value, "outputs": value, "extra": value}),
            serde_json::json!({"custom_id": "c", "body": value, "response": value}),
            serde_json::json!({"span_kind": "LLM", "start_time": 1, "attributes": value}),
            serde_json::json!({"conversations": value, "conversation": value, "language": "l"}),
            serde_json::json!({"schemaType": "ModelInvocationLog", "input": {"inputBodyJson": value}, "output": value}),
            serde_json::json!({"message": value}),
            serde_json::json!({"a": value, "b": value}),
        ];
        let row = &rows[choice as usize % rows.len()];
        let which = (choice as usize / rows.len()) % (maps.len() + 1);
        let config = LogConfig { map: maps.get(which).and_then(|text| map(text)), ..config(1) };
        jsonl(row.to_string().as_bytes(), &config);
    }
    let _ = log::format_of(bytes, None);
    if let Ok(mut stream) = log::as_utf8(Box::new(bytes)) {
        let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    }
}

/// One line that is telemetry, whatever else it is.
pub fn otlp(bytes: &[u8]) {
    jsonl(bytes, &config(1));
}

/// One line that is a conversation.
pub fn wildchat(bytes: &[u8]) {
    jsonl(bytes, &config(1));
}

/// A table of text. The first byte chooses the settings.
pub fn csv(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    twice(bytes.len(), &config(choice), |config| rows(|sink| log::read_csv(bytes, config, sink), config));
}

/// A Parquet file.
pub fn parquet(bytes: &[u8]) {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).and_then(|()| file.rewind()).expect("written");
    let config = LogConfig { max_row_bytes: 1 << 16, batch_bytes: 1 << 20, ..config(1) };
    let found = rows(|sink| log::read_parquet(&file, &config, sink), &config);
    for row in &found {
        if let Err(bad) = &row.result {
            assert!(bad.detail.chars().count() <= 241 && !bad.detail.chars().any(char::is_control), "{bad:?}");
        }
    }
}

/// A column map on the command line and in a file, a file's name, a time.
pub fn map(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(map) = text.parse::<ColumnMap>() {
        let again = map.to_string().parse::<ColumnMap>();
        assert_eq!(again.ok().as_ref(), Some(&map), "a map that is written reads as itself");
        let row = br#"{"a":{"b":["x",{"c":"y"}]},"p":"{\"q\":[1]}","t":1795161600}"#;
        jsonl(row, &LogConfig { map: Some(map), ..config(1) });
    }
    let _ = toml::from_str::<ColumnMap>(&text);
    let _ = log::recognise(&text);
    if let Some(time) = log::parse_time(&(&*text).into()) {
        assert_eq!(log::parse_time(&time.to_string().into()), Some(time), "a time that is written reads as itself");
    }
}

/// Everything that is asked of one text.
pub fn fold(bytes: &[u8]) {
    let raw = &*String::from_utf8_lossy(bytes);
    let once = text::fold(raw);
    assert_eq!(text::fold(&once.text).text, once.text, "idempotent");
    let aligned = text::fold_aligned(raw);
    assert_eq!((&aligned.text, aligned.removed), (&once.text, once.removed), "alignment changes nothing");
    let mut last = 0..0;
    for (at, c) in once.text.char_indices() {
        let range: Range<usize> = aligned.raw_range(at..at + c.len_utf8());
        assert!(raw.get(range.clone()).is_some_and(|text| !text.is_empty()), "on boundaries");
        assert!(range.start >= last.start && range.end >= last.end, "monotone");
        last = range;
    }
    assert!(once.text.len() <= 18 * raw.len());
    let _ = (text::is_trivial(&once.text), text::n_words(&once.text));
    for view in text::decoded_views(raw) {
        assert!(raw.get(view.raw).is_some() && !view.text.is_empty());
    }
    let mut prints = Vec::new();
    Printer::new(&[7; 32]).prints(&once.text, &mut prints);
    assert!(prints.windows(2).all(|two| two[0].hash < two[1].hash), "each fingerprint once, in order");
}

/// Texts of a family, apart at line ends: what their template is, and what two of them share.
pub fn family(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let members: Vec<&str> = text.split('\n').take(64).collect();
    let template = template::induce(members[0], &members);
    assert_eq!(template.members, members.len() as u64);
    assert!(template.slots.iter().all(|slot| slot.examples.len() <= 5 && slot.absent <= template.members));
    let other = members[members.len() - 1];
    let shared = template::shared_ranges(members[0], other);
    assert!(shared.iter().all(|range| other.get(range.clone()).is_some()), "on boundaries");
    let mut grams = Grams::new();
    grams.set(&text::fold(members[0]).text);
    assert!((0.0..=1.0).contains(&grams.overlap(&text::fold(other).text).containment));
}

/// Bytes at an address that numbers can be read from.
struct Aligned(Vec<u64>, usize);

impl Aligned {
    fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self(words, bytes.len())
    }
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice::<u64, u8>(&self.0)[..self.1]
    }
}

/// An index segment: opened, searched, taken apart.
pub fn segment(bytes: &[u8]) {
    let Ok(segment) = Segment::open(Aligned::new(bytes)) else { return };
    let mut queries = Vectors::new(segment.dim());
    for sign in [1.0, -1.0] {
        queries.push(&(0..segment.dim()).map(|i| sign * (1.0 + (i % 7) as f32)).collect::<Vec<f32>>());
    }
    for active_only in [false, true] {
        let ask = Ask { probes: Probes::nearest(3), active_only, floor: -1.0, cap: 5 };
        let found = segment.near(&queries, &[0, 1], &ask, &|_, _| true);
        assert!(found.len() == 2 && found.iter().all(|hits| hits.len() <= 5));
    }
    let (vectors, ids, active) = segment.to_vectors();
    assert!(vectors.len() == ids.len() && ids.len() == active.len() && ids.len() == segment.len());
}

/// The other files that readers map: keys, postings, fingerprints, texts, facts. The first byte chooses.
pub fn tables(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let aligned = Aligned::new(bytes);
    match choice % 5 {
        0 => {
            let Ok(table) = KeyTable::open(bytes) else { return };
            assert_eq!(table.records().count(), table.len());
            let _ = (table.get(0), table.get(u128::MAX), table.records().next().and_then(|r| table.get(r.key)));
        }
        1 => {
            let Ok(table) = Postings::open(aligned) else { return };
            for posting in table.all().iter().take(8) {
                let _ = table.of(posting.prompt);
            }
        }
        2 => {
            let Ok(run) = prints::Prints::open(aligned) else { return };
            for record in run.all().iter().take(8) {
                let _ = prints::of_hash(run.all(), record.hash);
            }
        }
        4 => {
            let Ok(facts) = Facts::open(aligned) else { return };
            for head in facts.heads().iter().take(8) {
                let _ = (facts.of(head.family), facts.behind(head));
            }
        }
        _ => {
            let Ok(texts) = Texts::open(bytes) else { return };
            for i in [0, 1, 2, texts.len() / 2, texts.len().wrapping_sub(1), texts.len()] {
                let _ = texts.get(i);
            }
        }
    }
}

/// Documents of a watermark test: in order, bounded, and windows that add up.
pub fn documents(bytes: &[u8]) {
    use stillhunt::detect::windows::{Echo, Gathered, Packing, Text};
    use stillhunt::log::{Document, Source, Tokens};
    use stillhunt::watermark::{Once, Shape};
    let (choice, mut rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let config = LogConfig { max_row_bytes: 1 << 12, ..LogConfig::default() };
    let mut texts = Vec::new();
    let source = if choice % 2 == 0 { Source::Lines(&mut rest) } else { Source::Text(&mut rest) };
    log::read_documents(source, &config, &mut |rows: Vec<Row<Document>>| {
        for row in rows {
            match row.result {
                Ok(document) => {
                    let ids = |tokens: Tokens| match tokens {
                        Tokens::Ids(ids) => ids,
                        Tokens::Text(text) => text.bytes().map(u32::from).collect(),
                    };
                    texts.push(Text { tokens: ids(document.body), prompt: document.prompt.map(ids) });
                }
                Err(bad) => assert!(!bad.detail.chars().any(char::is_control), "{bad:?}"),
            }
        }
        Ok(())
    })
    .expect("a sink that never fails");
    // The same bytes as an array of predictions: a value or an error.
    let mut rows = 0;
    let read = log::read_predictions(&mut &bytes[1.min(bytes.len())..], &config, &mut |batch| {
        rows += batch.len();
        Ok(())
    });
    assert!(read.is_err() || rows <= bytes.len(), "{rows} rows of {} bytes", bytes.len());
    let (context, once) = (usize::from(choice >> 2) % 5, if choice & 2 == 0 { Once::Window } else { Once::Context });
    let shape = Shape {
        context,
        first: context,
        pad: choice >= 128,
        once,
        history: Some(usize::from(choice) % 7),
        budget: None,
    };
    let dir = std::env::temp_dir();
    let mut gathered = Gathered::new(Packing { shape, vocab: 200 }, Echo::Window, 1 << 16, &dir);
    let tokens: u64 = texts.iter().map(|text| text.tokens.len() as u64).sum();
    let mut place = 0;
    let places: Vec<u64> = texts
        .iter()
        .map(|text| {
            place += text.tokens.len() as u64 + 8;
            place - text.tokens.len() as u64
        })
        .collect();
    gathered.add(&texts, &places).expect("added");
    let corpus = gathered.finish(1 << 16, &dir).expect("finished");
    let masked: u64 = corpus.masked().named().iter().map(|(_, n)| n).sum();
    assert_eq!(corpus.seen().len() as u64 + masked, tokens, "each token is scored or masked");
}

/// Key files: a key or an error, and the error does not quote the file.
pub fn key_file(bytes: &[u8]) {
    use stillhunt::watermark::keys::{self, Given, TreeKey};
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(1 << 12)]);
    let root = |_: &str| Ok(TreeKey::root([1; 32]));
    if let Err(error) = keys::read(&text, "name", &Given::default(), &root) {
        let said = format!("{error} {:?}", error.hint_text());
        // A key is one word; a file of the error's own words proves nothing.
        assert!(!text.split(['"', '=', '\n', ' ']).any(|part| part.len() >= 24 && said.contains(part)), "{said}");
    }
    let _ = (keys::commitment(&text), TreeKey::from_file(&text).is_ok());
    let range: String = text.lines().next().unwrap_or_default().chars().take(60).collect();
    if let Ok(paths) = keys::paths(&range) {
        assert!(!paths.is_empty() && paths.len() <= keys::MOST_PATHS);
    }
}
