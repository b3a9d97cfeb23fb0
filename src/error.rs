//! The one error of the library: what was expected, what came, where, and what to do about it.
//!
//! A caller can only tell errors apart by their [`ErrorKind`]; everything else is a sentence for people. A bad row of a log
//! is not an error: it is data, counted and kept aside.

use std::fmt;

/// What went wrong, as far as a program may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or directory could not be read or written.
    Io,
    /// An input is not what its name, schema or format says.
    Input,
    /// An argument or a configured value is outside its range.
    Config,
    /// The store is damaged, of another format, in use, or was made with another model or key.
    Store,
    /// The embedding model could not be loaded.
    Model,
    /// More rows were bad than the configuration allows.
    TooManyBadRows,
    /// There was nothing to do.
    Nothing,
}

/// An error of any part of the library. `Display` is one line; the hint, where there is one, is a line of its own.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
}

/// Result with the library's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that says `message` (expected, got, where; lower case, no full stop).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with the place where it was met before its message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// A failed operation on a file.
    pub fn io(doing: impl fmt::Display, path: impl AsRef<std::path::Path>, cause: &std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("cannot {doing} {}: {cause}", path.as_ref().display()))
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the user can do, where something is known.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
