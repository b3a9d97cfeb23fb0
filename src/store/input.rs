//! Logs in: paths, directories, globs and standard input → opened, decompressed streams.
//!
//! Compression is told by the first bytes, not by the name, so a renamed or rotated log reads the same. The digest of the
//! file as it lies on disk names the source: the same file again is a no-op.
#![allow(clippy::disallowed_methods)]

use super::files::digest_file;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Digest;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One log to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// An object of an object store.
    #[cfg(feature = "cloud")]
    Object(super::cloud::Object),
}

impl Input {
    /// The name shown in reports: the path as it was found.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "-".into(),
            Self::File(path) => path.display().to_string(),
            #[cfg(feature = "cloud")]
            Self::Object(object) => object.address().to_owned(),
        }
    }

    /// Digest of the file as it lies on disk; `None` for standard input and pipes.
    /// # Errors
    /// `Io` when it cannot be read.
    pub fn digest(&self) -> Result<Option<(Digest, u64)>> {
        match self {
            // A named pipe can be read once only, so it has no digest beforehand.
            Self::File(path) if path.is_file() => digest_file(path).map(Some),
            #[cfg(feature = "cloud")]
            Self::Object(object) => object.digest().map(Some),
            _ => Ok(None),
        }
    }

    /// By what an object is known again without being read; `None` for what lies in no object store, or in one that gives no strong ETag.
    #[must_use]
    pub fn tag(&self) -> Option<Tag> {
        match self {
            #[cfg(feature = "cloud")]
            Self::Object(object) => object.tag(),
            _ => None,
        }
    }
}

/// What an object store says of an object by which it is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its strong ETag, which changes when its content does.
    pub etag: String,
    /// Its length.
    pub bytes: u64,
}

/// Whether an argument is the address of an object store, and no path.
fn is_address(argument: &str) -> bool {
    let schemes = ["s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "http", "https"];
    argument.split_once("://").is_some_and(|(scheme, _)| schemes.contains(&scheme.to_ascii_lowercase().as_str()))
}

/// The objects of addresses, looked up with what the caller's environment says of them.
#[cfg(feature = "cloud")]
struct Addresses<'a>(&'a dyn Fn() -> Vec<(String, String)>, Option<super::cloud::Cloud>);

#[cfg(feature = "cloud")]
impl<'a> Addresses<'a> {
    fn new(environment: &'a dyn Fn() -> Vec<(String, String)>) -> Self {
        Self(environment, None)
    }

    fn expand(&mut self, address: &str, is_log: &dyn Fn(&str) -> bool) -> Result<Vec<Input>> {
        if self.1.is_none() {
            self.1 = Some(super::cloud::Cloud::new((self.0)())?);
        }
        let found = self.1.as_ref().map(|cloud| cloud.expand(address, is_log)).transpose()?;
        Ok(found.unwrap_or_default().into_iter().map(Input::Object).collect())
    }
}

#[cfg(not(feature = "cloud"))]
struct Addresses;

#[cfg(not(feature = "cloud"))]
impl Addresses {
    fn new(_: &dyn Fn() -> Vec<(String, String)>) -> Self {
        Self
    }

    fn expand(&mut self, address: &str, _: &dyn Fn(&str) -> bool) -> Result<Vec<Input>> {
        let message =
            format!("expected a path, got the address {address}: this program was built without object stores");
        Err(Error::new(ErrorKind::Input, message)
            .hint("build it with --features cloud, or copy the logs to this machine first"))
    }
}

/// As [`expand_with`], without an environment that says anything of object stores.
/// # Errors
/// As there.
pub fn expand(arguments: &[String], is_log: &dyn Fn(&str) -> bool) -> Result<Vec<Input>> {
    expand_with(arguments, is_log, &Vec::new)
}

/// Logs that `arguments` name, in order of name within each: a file as it is, a directory's files that `is_log` accepts
/// (recursively), a glob's matches, `-` for standard input, and the same of object stores by their address (`s3://bucket/prefix/`), with the
/// credentials that `environment` has.
/// # Errors
/// `Input` when an argument names nothing; `Nothing` when it is a directory without logs or a glob without matches.
pub fn expand_with(
    arguments: &[String],
    is_log: &dyn Fn(&str) -> bool,
    environment: &dyn Fn() -> Vec<(String, String)>,
) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    let mut addresses = Addresses::new(environment);
    for argument in arguments {
        let path = Path::new(argument);
        if argument == "-" {
            inputs.push(Input::Stdin);
        } else if is_address(argument) {
            inputs.extend(addresses.expand(argument, is_log)?);
        } else if path.is_dir() {
            let before = inputs.len();
            walk(path, is_log, &mut inputs)?;
            if inputs.len() == before {
                return Err(Error::new(
                    ErrorKind::Nothing,
                    format!("expected logs in the directory {argument}, found none"),
                )
                .hint("logs are files named .jsonl, .ndjson, .json, .csv or .parquet, also with .gz or .zst"));
            }
        } else if path.exists() {
            inputs.push(Input::File(path.into()));
        } else if argument.contains(['*', '?', '[']) {
            let unread = |cause| Error::new(ErrorKind::Input, format!("cannot read the glob {argument}: {cause}"));
            let mut parts = argument
                .split('/')
                .map(glob::Pattern::new)
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(unread)?;
            parts.dedup_by(|a, b| a.as_str() == "**" && b.as_str() == "**");
            let mut found = Vec::new();
            matches(if argument.starts_with('/') { "/" } else { "" }.into(), &parts, &mut found);
            found.sort();
            found.dedup();
            if found.is_empty() {
                return Err(Error::new(
                    ErrorKind::Nothing,
                    format!("expected files that match {argument}, found none"),
                ));
            }
            inputs.extend(found.into_iter().map(Input::File));
        } else {
            return Err(Error::new(ErrorKind::Input, format!("expected a log at {argument}, found nothing there")));
        }
    }
    let mut seen = std::collections::HashSet::new();
    // By path: two names that are not UTF-8 may look the same and are two logs.
    inputs.retain(|input| {
        seen.insert(match input {
            Input::File(path) => path.clone().into_os_string(),
            other => other.name().into(),
        })
    });
    Ok(inputs)
}

/// Files below `dir` whose names match `parts`. What cannot be listed holds none. Unlike the crate's own walk, `**` does not follow
/// links to directories, so that a loop of them ends, and names that are not UTF-8 are found.
fn matches(dir: PathBuf, parts: &[glob::Pattern], found: &mut Vec<PathBuf>) {
    let Some((part, rest)) = parts.split_first() else {
        if dir.is_file() {
            found.push(dir);
        }
        return;
    };
    let text = part.as_str();
    if text != "**" && !text.contains(['*', '?', '[']) {
        return matches(dir.join(text), rest, found);
    }
    let place = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
    let names = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names: Vec<std::ffi::OsString> = names.collect();
    names.sort();
    if text != "**" {
        let fitting = names.into_iter().filter(|name| part.matches(&name.to_string_lossy()));
        return fitting.for_each(|name| matches(dir.join(name), rest, found));
    }
    // At its end, any file; anywhere, no directory at all or any number of them.
    if !rest.is_empty() {
        matches(dir.clone(), rest, found);
    }
    for path in names.into_iter().map(|name| dir.join(name)) {
        if path.is_dir() && !path.is_symlink() {
            matches(path, parts, found);
        } else if rest.is_empty() {
            matches(path, rest, found);
        }
    }
}

fn walk(dir: &Path, is_log: &dyn Fn(&str) -> bool, inputs: &mut Vec<Input>) -> Result<()> {
    let entries = std::fs::read_dir(dir).map_err(|cause| Error::io("list", dir, &cause))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        // Links to directories are not followed, so a loop of them ends.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, is_log, inputs)?;
        } else if path.is_file() && is_log(&path.to_string_lossy()) {
            inputs.push(Input::File(path));
        }
    }
    Ok(())
}

/// Bytes of all files as they lie on disk; `None` when one of the inputs has no length.
#[must_use]
pub fn total_bytes(inputs: &[Input]) -> Option<u64> {
    inputs
        .iter()
        .map(|input| match input {
            Input::File(path) => std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len()),
            Input::Stdin => None,
            #[cfg(feature = "cloud")]
            Input::Object(object) => Some(object.bytes()),
        })
        .sum()
}

/// Counts the bytes that pass.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buffer)?;
        self.1.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Opens a stream, adding what is read of it to `position`, and takes off one layer of gzip or zstd, told by the magic number.
/// # Errors
/// `Io` when it cannot be opened.
pub fn open_stream(input: &Input, position: &Arc<AtomicU64>) -> Result<Box<dyn BufRead + Send>> {
    let name = input.name();
    let failed = |cause: io::Error| Error::io("read", &name, &cause);
    let mut raw: Box<dyn BufRead + Send> = match input {
        Input::Stdin => Box::new(BufReader::with_capacity(1 << 18, Counted(io::stdin(), position.clone()))),
        Input::File(path) => {
            let file = File::open(path).map_err(failed)?;
            Box::new(BufReader::with_capacity(1 << 18, Counted(file, position.clone())))
        }
        #[cfg(feature = "cloud")]
        Input::Object(object) => Box::new(BufReader::with_capacity(1 << 18, Counted(object.file()?, position.clone()))),
    };
    let start = raw.fill_buf().map_err(failed)?;
    let mut stream: Box<dyn BufRead + Send> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::with_capacity(1 << 18, flate2::bufread::MultiGzDecoder::new(raw)))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(BufReader::with_capacity(1 << 18, zstd::stream::read::Decoder::with_buffer(raw).map_err(failed)?))
    } else {
        raw
    };
    // A decoder tells of a broken header once and is at its end from then on, so whoever peeks would lose the error.
    Ok(match stream.fill_buf().err() {
        Some(cause) => Box::new(BufReader::new(Broken(cause))),
        None => stream,
    })
}

/// A stream that could not begin, and says so whenever it is read.
struct Broken(io::Error);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(self.0.kind(), self.0.to_string()))
    }
}

/// Opens a file that is read out of order, as Parquet is.
/// # Errors
/// `Input` for standard input; `Io` when it cannot be opened.
pub fn open_file(input: &Input) -> Result<File> {
    match input {
        Input::File(path) => File::open(path).map_err(|cause| Error::io("read", path, &cause)),
        #[cfg(feature = "cloud")]
        Input::Object(object) => object.file(),
        Input::Stdin => Err(Error::new(ErrorKind::Input, "expected JSON lines or CSV on standard input, got Parquet")
            .hint("write it to a file first: Parquet is read from its end")),
    }
}

/// Whether the file begins as Parquet does.
#[must_use]
pub fn is_parquet(input: &Input) -> bool {
    if *input == Input::Stdin {
        return false;
    }
    let mut magic = [0; 4];
    let read = |mut file: File| file.rewind().and_then(|()| file.read_exact(&mut magic)).is_ok();
    open_file(input).is_ok_and(read) && &magic == b"PAR1"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn names_expand_in_order_and_nothing_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name).display().to_string();
        for name in ["b.jsonl", "a.jsonl", "note.txt"] {
            std::fs::write(at(name), "{}").expect("written");
        }
        let names = |arguments: &[String]| {
            expand(arguments, &|n| n.ends_with(".jsonl")).map(|all| all.iter().map(Input::name).collect::<Vec<_>>())
        };
        let both = vec![at("a.jsonl"), at("b.jsonl")];
        assert_eq!(names(&[dir.path().display().to_string()]).unwrap(), both);
        assert_eq!(names(&[at("*.jsonl"), at("a.jsonl")]).unwrap(), both);
        assert!(names(&[at("c.jsonl")]).is_err() && names(&[at("*.csv")]).is_err());
        std::fs::create_dir_all(at("x/y")).expect("made");
        std::fs::write(at("x/y/c.jsonl"), "{}").expect("written");
        std::os::unix::fs::symlink("y", at("x/z")).expect("linked");
        let (deep, linked) = (at("x/y/c.jsonl"), at("x/z/c.jsonl"));
        for (glob, expected) in [
            ("**/*.jsonl", vec![&both[0], &both[1], &deep]),
            ("x/**", vec![&deep]),
            ("**/y/**/**/c.*", vec![&deep]),
            ("x/*/c.jsonl", vec![&deep, &linked]),
            ("?/[yz]/../y/c.jsonl", vec![&at("x/y/../y/c.jsonl"), &at("x/z/../y/c.jsonl")]),
        ] {
            assert_eq!(names(&[at(glob)]).unwrap().iter().collect::<Vec<_>>(), expected, "{glob}");
        }
        std::fs::create_dir(at("empty")).expect("made");
        assert!(names(&[at("empty")]).unwrap_err().hint_text().is_some());
    }

    #[test]
    fn a_broken_header_stays_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log.gz");
        std::fs::write(&path, b"\x1f\x8b but no gzip").expect("written");
        let mut stream = open_stream(&Input::File(path), &Arc::default()).unwrap();
        assert!(stream.fill_buf().is_err() && stream.read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn compression_is_told_by_content() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"hello").expect("a vector");
        let zst = zstd::encode_all(&b"hello"[..], 1).expect("a vector");
        for bytes in [b"hello".to_vec(), gz.finish().expect("a vector"), zst] {
            std::fs::write(&path, bytes).expect("written");
            let mut text = String::new();
            open_stream(&Input::File(path.clone()), &Arc::default()).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "hello");
        }
    }
}
