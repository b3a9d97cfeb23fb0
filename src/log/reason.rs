//! Why a row was not read: one word each, the same in the report, the quarantine file and the code.
//!
//! The words are a format: programs count by them, so a word is never renamed. Weakness: a row has one reason, the first
//! that was met; mending it may show another.

use std::fmt;
use std::str::FromStr;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// Why a row gave no exchange.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word of files and reports.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

reasons! {
    /// The row is not UTF-8, or the log is in an encoding that is not read; the detail names it.
    NotUtf8 = "not-utf8",
    /// The row is not JSON, or nested deeper than 127 levels.
    NotJson = "not-json",
    /// A JSON string escapes half of a surrogate pair, which is no character.
    LoneSurrogate = "lone-surrogate",
    /// The row is JSON, but not an object.
    NotAnObject = "not-an-object",
    /// A CSV row has more or fewer fields than the header.
    RaggedRow = "ragged-row",
    /// A CSV field opens a quote that never closes.
    OpenQuote = "open-quote",
    /// The keys are those of no known schema.
    UnknownSchema = "unknown-schema",
    /// A row of a known log that is no model call: a parent span, a vote, an embedding. It is counted as passed over, not as bad.
    NoExchange = "no-exchange",
    /// A result whose request is in none of the logs, or cannot be told among several.
    NoRequest = "no-request",
    /// No account, and no default for it.
    NoAccount = "no-account",
    /// An account that is not text or a number, or longer than 1,024 bytes.
    BadAccount = "bad-account",
    /// No time, and no default for it.
    NoTime = "no-time",
    /// A time in no known form, or outside the years 1990 to 2099.
    BadTime = "bad-time",
    /// No user text.
    NoPrompt = "no-prompt",
    /// A document without text or token ids, or a newest user message of images, audio or files only. In a log it is counted as passed over.
    NoText = "no-text",
    /// A placeholder stands where the user's text was: it was redacted before it was logged. It is counted as passed over, not as bad.
    Redacted = "redacted",
    /// Token ids that are not whole numbers below 2³² − 1.
    BadTokens = "bad-tokens",
    /// An id that is not text or a number, is longer than 256 bytes or has control characters.
    BadId = "bad-id",
    /// An id that was seen before with other content.
    IdConflict = "id-conflict",
    /// The row is longer than the configured bound, or holds more values than it.
    TooLong = "too-long",
    /// The input ended early, broke off or went on beyond the configured bound; what came before is kept.
    TruncatedInput = "truncated-input",
    /// A part of a Parquet file is damaged; its other parts are read.
    DamagedRows = "damaged-rows",
    /// Nothing of the input could be read.
    UnreadableFile = "unreadable-file",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Reason {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|reason| reason.word() == text).ok_or(())
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.word())
    }
}
