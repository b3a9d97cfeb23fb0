//! Standard output and standard error, with everything that came from a log escaped.

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

/// Writes `line` to standard error; a closed one is no reason to stop.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Standard output for a long answer, which remembers whether its reader has gone.
pub(crate) struct Long {
    out: std::io::BufWriter<std::io::StdoutLock<'static>>,
    closed: bool,
}

impl Long {
    pub(crate) fn new() -> Self {
        Self { out: std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock()), closed: false }
    }

    /// The end of an answer: an error that only a closed pipe caused is that one.
    pub(crate) fn end<T>(mut self, answer: Result<T>) -> Result<()> {
        let written = answer.and_then(|_| self.flush().map_err(|cause| write_failed(&cause)));
        if self.closed { Err(Error::new(ErrorKind::Io, CLOSED)) } else { written }
    }

    fn seen<T>(&mut self, result: std::io::Result<T>) -> std::io::Result<T> {
        self.closed |= result.as_ref().is_err_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe);
        result
    }
}

impl std::io::Write for Long {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let result = self.out.write(bytes);
        self.seen(result)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let result = self.out.flush();
        self.seen(result)
    }
}

/// A line on standard error.
pub(crate) fn say(text: &str) {
    note(&format!("stillhunt: {}", terminal(text, Lines::Join)));
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
