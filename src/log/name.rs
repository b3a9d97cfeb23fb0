//! What an input is: from its file name, or from its first bytes where it has none.
//!
//! Weakness: a name is believed. A CSV file called `x.jsonl` gives one bad row a line, which says so loudly enough.

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
