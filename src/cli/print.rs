//! Standard output and standard error, with everything that came from a log escaped.
#![allow(clippy::print_stderr)]

use crate::error::{Error, ErrorKind, Result};
use crate::report::escape::{Lines, clip, terminal};
use std::io::Write as _;

/// What a closed pipe is called: whoever asked for the output has had enough.
pub(crate) const CLOSED: &str = "standard output is closed";

/// Writes to standard output.
pub(crate) fn out(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|cause| write_failed(&cause))
}

pub(crate) fn write_failed(cause: &std::io::Error) -> Error {
    match cause.kind() {
        std::io::ErrorKind::BrokenPipe => Error::new(ErrorKind::Io, CLOSED),
        _ => Error::new(ErrorKind::Io, format!("cannot write standard output: {cause}")),
    }
}

/// Writes one value as JSON to standard output.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string(value)
        .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write JSON: {cause}")))?;
    out(&(text + "\n"))
}

/// A line on standard error.
pub(crate) fn say(text: &str) {
    eprintln!("stillhunt: {}", terminal(text, Lines::Join));
}

/// A text of a log in one line of at most `width` characters.
pub(crate) fn line(text: &str, width: usize) -> String {
    terminal(&clip(text, width), Lines::Join).to_string()
}

/// A moment to the second, for people.
pub(crate) fn second(time: crate::ids::Time) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}
