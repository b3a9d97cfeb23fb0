//! What an input is: from its first bytes, and where they leave a doubt from its file name.
//!
//! Weakness: a table whose header is one column, or no words, is not told from text that is no table; there the name decides.

use super::parse_time;
use super::schemas::engine_line;

/// The format of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header row.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// How a log is compressed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Format and compression by a file's name (`.jsonl`, `.ndjson`, `.json`, `.csv`, `.tsv`, `.parquet`, then perhaps `.gz` or
/// `.zst`; Parquet has its own compression inside and takes none around it).
///
/// # Example
/// ```
/// use stillhunt::log::{Compression, Format, recognise};
/// assert_eq!(recognise("night-1.JSONL.zst"), Some((Format::Jsonl, Compression::Zstd)));
/// assert_eq!(recognise("notes.txt"), None);
/// ```
#[must_use]
pub fn recognise(name: &str) -> Option<(Format, Compression)> {
    let name = name.to_ascii_lowercase();
    let (stem, compression) = if let Some(stem) = name.strip_suffix(".gz") {
        (stem, Compression::Gzip)
    } else if let Some(stem) = name.strip_suffix(".zst") {
        (stem, Compression::Zstd)
    } else {
        (name.as_str(), Compression::None)
    };
    let format = match stem.rsplit_once('.')?.1 {
        "jsonl" | "ndjson" | "json" => Format::Jsonl,
        "csv" | "tsv" => Format::Csv,
        "parquet" if compression == Compression::None => Format::Parquet,
        _ => return None,
    };
    Some((format, compression))
}

/// The format of decompressed text that begins so, where its name says `named`. What begins as JSON is JSON; a header of words is a table
/// whatever it is called.
///
/// # Example
/// ```
/// use stillhunt::log::{Format, format_of};
/// assert_eq!(format_of(b"[{\"prompt\":", Some(Format::Csv)), Format::Jsonl);
/// assert_eq!(format_of(b"id,account,prompt\n", Some(Format::Jsonl)), Format::Csv);
/// assert_eq!(format_of(b"broken, and no header\n", Some(Format::Jsonl)), Format::Jsonl);
/// ```
#[must_use]
pub fn format_of(start: &[u8], named: Option<Format>) -> Format {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    if text.is_empty() {
        return named.unwrap_or(Format::Jsonl);
    }
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
    let line = String::from_utf8_lossy(line);
    let engine = || engine_line(&line).is_some() || stamped(&line).is_some_and(|(_, rest)| rest.starts_with('{'));
    // The last is an object's JSON as a text; a table doubles its quotes.
    if text.starts_with(b"{") || text.starts_with(b"[") || text.starts_with(b"\"{\\") || engine() {
        return Format::Jsonl;
    }
    if named == Some(Format::Jsonl) && !is_header(&line) { Format::Jsonl } else { Format::Csv }
}

/// The time at the beginning of a line and the JSON behind it, as CloudWatch's export to S3 and collectors of containers write them.
pub(crate) fn stamped(line: &str) -> Option<(&str, &str)> {
    let (time, rest) = line.trim_start().split_once(' ')?;
    let rest = rest.trim_start();
    let dated = (19..=40).contains(&time.len()) && time.as_bytes()[0].is_ascii_digit() && time.contains('-');
    (dated && rest.starts_with('{') && parse_time(&time.into()).is_some()).then_some((time, rest))
}

/// Whether a line is a table's header: two names or more, each a word.
fn is_header(line: &str) -> bool {
    let line = line.trim_end();
    let separator = [',', '\t', ';'].into_iter().max_by_key(|separator| line.matches(*separator).count());
    let names: Vec<&str> = line.split(separator.unwrap_or(',')).map(|name| name.trim().trim_matches('"')).collect();
    let word = |name: &&str| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-/".contains(&b))
            && name.bytes().any(|b| b.is_ascii_alphabetic())
    };
    let distinct: std::collections::BTreeSet<&&str> = names.iter().collect();
    names.len() >= 2 && names.iter().all(word) && distinct.len() == names.len()
}

/// Format or compression by the first bytes of an unnamed input. Of a compressed one the format is inside: decompress and
/// ask again.
///
/// # Example
/// ```
/// use stillhunt::log::{Compression, Format, sniff};
/// assert_eq!(sniff(b"\x1f\x8b\x08"), Err(Compression::Gzip));
/// assert_eq!(sniff(b" {\"prompt\":"), Ok(Format::Jsonl));
/// ```
pub fn sniff(start: &[u8]) -> Result<Format, Compression> {
    if start.starts_with(b"\x1f\x8b") {
        return Err(Compression::Gzip);
    }
    if start.starts_with(b"\x28\xb5\x2f\xfd") {
        return Err(Compression::Zstd);
    }
    if start.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') | None => Ok(Format::Jsonl),
        Some(_) => Ok(Format::Csv),
    }
}
