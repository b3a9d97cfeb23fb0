//! What `--format` may be, and which of it a command has.

use crate::error::{Error, ErrorKind, Result};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// Markdown
    Md,
    /// The self-contained page
    Html,
    /// Comma-separated values
    Csv,
    /// One line of JSON for each new ring
    Alerts,
}

/// Reads `--format` of a command that has these.
pub(crate) fn of(allowed: &[Format]) -> impl TypedValueParser<Value = Format> + use<> {
    PossibleValuesParser::new(allowed.iter().filter_map(ValueEnum::to_possible_value))
        .try_map(|name| Format::from_str(&name, false))
}

/// Refuses a format that the command does not have.
pub(crate) fn only(format: Format, allowed: &[Format]) -> Result<()> {
    if allowed.contains(&format) {
        return Ok(());
    }
    let names: Vec<String> = allowed.iter().map(|f| format!("{f:?}").to_lowercase()).collect();
    Err(Error::new(
        ErrorKind::Config,
        format!("expected --format {}, got {}", names.join(" or "), format!("{format:?}").to_lowercase()),
    ))
}
