//! Long prompts of several kinds, made of the open texts: pages and chapters, code, rows of JSON, Chinese, chat transcripts.
//!
//! A document is one text of one origin: a page, a piece of a book, some functions in a row, an hour of a channel. Its group is what
//! makes others of the same origin related: the book, the data set that code and Chinese are joined from (whose single prompts stand in
//! its documents), else itself. Books and single pages are in one half as a whole, joined documents one by one: digests that begin with 0–7
//! are for choosing, the others for reporting. The open texts hold no Arabic to speak of, so there is none here.

use crate::data::Prompt;
use arrow_array::cast::AsArray as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::Path;
use stillhunt::ids::Digest;

/// One document.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) group: String,
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

impl Document {
    /// Whether it is for choosing thresholds, not for reporting.
    pub(crate) fn dev(&self) -> bool {
        let whole = if self.kind == "prose" { &self.group } else { &self.id };
        Digest::of(whole.as_bytes()).0[0] < 0x80
    }

    /// A number that orders documents as if drawn at random.
    pub(crate) fn order(&self) -> u128 {
        Digest::of(self.id.as_bytes()).short()
    }
}

/// The first `n` characters of a text.
pub(crate) fn cut(text: &str, n: usize) -> &str {
    text.char_indices().nth(n).map_or(text, |(at, _)| &text[..at])
}

/// Pages and chapters as they are; nothing where the directory has none.
pub(crate) fn pages(dir: &Path) -> Vec<Document> {
    let mut out = Vec::new();
    for source in ["ms_docs", "openstax", "standard_ebooks", "wikitext2"] {
        let path = dir.join(format!("human_text/{source}.jsonl.zst"));
        let Ok(file) = std::fs::File::open(path) else { continue };
        let lines = std::io::BufReader::new(zstd::stream::read::Decoder::new(file).expect("a zstd file")).lines();
        for line in lines {
            let row: serde_json::Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            let field = |name: &str| row[name].as_str().expect("text").to_owned();
            let id = field("id");
            let book = matches!(source, "openstax" | "standard_ebooks");
            let group = if book { id.split('/').next().unwrap_or(&id).to_owned() } else { id.clone() };
            out.push(Document { id, group, kind: "prose", text: field("text") });
        }
    }
    out
}

/// Documents of every kind, their lengths spread from 100 to 200,000 characters.
pub(crate) fn documents(dir: &Path, prompts: &[Prompt]) -> Vec<Document> {
    let pages = pages(dir);
    let mut out = Vec::new();
    for page in &pages {
        let n = [300, 1_000, 3_000, 10_000, 30_000][page.order() as usize % 5];
        if page.text.len() >= n {
            out.push(Document { text: cut(&page.text, n).to_owned(), ..page.clone() });
        }
    }
    // The same books again in pieces of 66,000 to 200,000 characters.
    let mut books: BTreeMap<&str, String> = BTreeMap::new();
    for page in pages.iter().filter(|page| page.group != page.id) {
        books.entry(&page.group).or_default().push_str(&page.text);
    }
    for (book, text) in &books {
        let mut rest = text.as_str();
        for n in 0.. {
            let length = [66_000, 80_000, 70_000, 66_000, 120_000, 66_000, 200_000, 80_000][n % 8];
            let piece = cut(rest, length);
            if piece.len() < 66_000 {
                break;
            }
            rest = &rest[piece.len()..];
            let (id, group) = (format!("{book}-piece-{n}"), (*book).to_owned());
            out.push(Document { id, group, kind: "prose", text: piece.to_owned() });
        }
    }
    let is_chinese =
        |text: &str| 2 * text.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count() > text.chars().count();
    for (kind, source) in [
        ("code", "cyberseceval-autocomplete"),
        ("code", "cyberseceval-instruct"),
        ("code", "exercism"),
        ("code", "mbpp"),
        ("Chinese", "zh-questions"),
        ("Chinese", "agieval"),
        ("Chinese", "awesome-chatgpt-prompts-zh"),
    ] {
        let mut all: Vec<&Prompt> = prompts.iter().filter(|p| p.source == source).collect();
        all.retain(|p| kind != "Chinese" || is_chinese(&p.text));
        all.sort_by(|a, b| a.id.cmp(&b.id));
        let texts: Vec<&str> = all.iter().map(|p| p.text.as_str()).collect();
        join(kind, Some(source), &texts, &mut out);
    }
    let (json, chat) = channel(dir);
    join("rows of JSON", None, &json.iter().map(String::as_str).collect::<Vec<_>>(), &mut out);
    join("chat", None, &chat.iter().map(String::as_str).collect::<Vec<_>>(), &mut out);
    out
}

/// Texts one after another, until a document is long enough.
fn join(kind: &'static str, source: Option<&str>, texts: &[&str], out: &mut Vec<Document>) {
    let (mut text, mut n) = (String::new(), 0);
    for part in texts {
        let wanted = [1_200, 3_000, 1_200, 9_000, 1_200, 3_000, 20_000][n % 7];
        text.push_str(part);
        text.push('\n');
        if text.len() >= wanted {
            let id = format!("{}-{n}", source.unwrap_or(kind)).replace(' ', "-");
            let group = source.map_or_else(|| id.clone(), str::to_owned);
            out.push(Document { group, id, kind, text: std::mem::take(&mut text) });
            n += 1;
        }
    }
}

/// Messages of a help channel: those of odd days as rows of JSON, those of even days as a transcript.
fn channel(dir: &Path) -> (Vec<String>, Vec<String>) {
    let (mut json, mut chat) = (Vec::new(), Vec::new());
    let Ok(file) = std::fs::File::open(dir.join("real_accounts/irc_ubuntu.parquet")) else { return (json, chat) };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file").build().expect("its rows");
    for batch in reader.map(|batch| batch.expect("a batch")) {
        let columns: Vec<_> = ["account", "text", "room", "time"]
            .map(|name| {
                let column = batch.column_by_name(name).expect("the column");
                arrow_cast::cast(column, &arrow_schema::DataType::Utf8).expect("text")
            })
            .into_iter()
            .collect();
        for row in 0..batch.num_rows() {
            let [account, text, room, time] = std::array::from_fn(|i| columns[i].as_string::<i32>().value(row));
            if room.as_bytes().last().is_some_and(|digit| digit % 2 == 1) {
                let row = serde_json::json!({"timestamp": time, "channel": room, "user": account, "type": "message", "body": text});
                json.push(row.to_string());
            } else {
                chat.push(format!("<{}> {text}", &account[..account.len().min(6)]));
            }
        }
    }
    (json, chat)
}
