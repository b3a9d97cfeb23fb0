//! Standard output and standard error, with everything that came from a log escaped.

use crate::error::{Error, ErrorKind, Result};
use crate::report::escape::{Lines, clip, terminal};
use crate::stored::Progress;
use std::cell::RefCell;
use std::io::Write as _;
use std::sync::Arc;

/// What a closed pipe is called: whoever asked for the output has had enough.
pub(crate) const CLOSED: &str = "standard output is closed";

/// Who hears of the work of a command that another program runs in its own process.
pub(crate) type Listener = Arc<dyn Progress + Send + Sync>;

thread_local! {
    /// Where this thread runs a command for another program: what it printed, and who hears of it.
    static HOSTED: RefCell<Option<(Vec<u8>, Listener)>> = const { RefCell::new(None) };
}

/// Runs `command` in this thread; what it prints is returned and not written, and what it would say is told to `listener`.
pub(crate) fn hosted<T>(listener: Listener, command: impl FnOnce() -> Result<T>) -> Result<String> {
    HOSTED.set(Some((Vec::new(), listener)));
    let ran = command();
    let printed = HOSTED.take().map(|(printed, _)| printed).unwrap_or_default();
    ran.map(|_| String::from_utf8_lossy(&printed).into_owned())
}

/// Who hears of the work that this thread does, where a command runs for another program.
pub(crate) fn listener() -> Option<Listener> {
    HOSTED.with_borrow(|hosted| hosted.as_ref().map(|(_, listener)| Arc::clone(listener)))
}

/// Keeps `bytes` where a command runs for another program.
fn kept(bytes: &[u8]) -> bool {
    HOSTED.with_borrow_mut(|hosted| hosted.as_mut().map(|(printed, _)| printed.extend_from_slice(bytes)).is_some())
}

/// Writes to standard output.
pub(crate) fn out(text: &str) -> Result<()> {
    if kept(text.as_bytes()) {
        return Ok(());
    }
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
        if kept(bytes) {
            return Ok(bytes.len());
        }
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
    if let Some(listener) = listener() {
        return listener.note(text);
    }
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
