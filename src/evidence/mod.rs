//! Evidence bundles: what a third party needs to check a result without us, and to make it again.
//!
//! ```text
//! results, recipes, readable report → manifest (BLAKE3, tree) → in-toto statement → DSSE envelope signed with ed25519
//!                                                                                   ↳ RFC 3161 token over the envelope
//! ```
//!
//! A bundle is a set of named files. `manifest.json` has the digest of each and the root of a hash tree over them; the statement in
//! `envelope.dsse.json` has the digest of the manifest; the signature covers the statement. So with the public key alone every byte of every
//! file is checked ([`verify`]), and the step that fails is named. Keys stand in a bundle as commitments, accounts as pseudonyms with
//! commitments ([`accounts`]).
//!
//! Weakness: a signature says who vouches for a bundle and not that what it says is true; that is what a replay is for. The chain of a
//! timestamp's authority is left to `openssl ts -verify`, since a verifier of X.509 is larger than all of this. Guarantee: these are formats
//! only, nothing here opens a file; any bytes give a value or a failure that names its step, in bounded memory.

pub mod accounts;
pub mod archive;
pub mod bundle;
pub mod compare;
pub mod json;
pub mod report;
pub mod sign;
#[cfg(test)]
mod tests;
pub mod timestamp;
pub mod verify;

use crate::error::{Error, ErrorKind};
use std::collections::BTreeMap;

/// The files of a bundle by name, parts joined by `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Most files of a bundle.
pub const MOST_FILES: usize = 1_000;
/// Most bytes of all files of a bundle.
pub const MOST_BYTES: u64 = 256 << 20;
/// Longest name of a file, a limit of the archive's format.
pub const LONGEST_NAME: usize = 90;

/// The signed statement.
pub const ENVELOPE: &str = "envelope.dsse.json";
/// Digests of all files.
pub const MANIFEST: &str = "manifest.json";
/// How each result was made.
pub const RECIPES: &str = "recipes.json";
/// Commitments to the keys that took part.
pub const COMMITMENTS: &str = "commitments.json";
/// Pseudonyms of accounts with commitments.
pub const ACCOUNTS: &str = "accounts.json";
/// The chain of custody of the store that the results stand on.
pub const CUSTODY: &str = "custody.json";
/// The report for people.
pub const REPORT: [&str; 2] = ["report.html", "report.md"];
/// How to check a bundle without this program.
pub const GUIDE: &str = "HOW-TO-CHECK.md";
/// A program that does so.
pub const SCRIPT: &str = "verify_bundle.py";
/// The token of a timestamp authority over the envelope.
pub const TOKEN: &str = "timestamp.tsr";
/// The signed statement about the token.
pub const TOKEN_ENVELOPE: &str = "timestamp.dsse.json";

/// Files that the manifest does not name: it and what is signed after it.
pub const APART: [&str; 4] = [ENVELOPE, MANIFEST, TOKEN, TOKEN_ENVELOPE];

/// The page for whoever checks a bundle without this program.
pub const GUIDE_TEXT: &str = include_str!("guide.md");
/// The script that checks a bundle without this program.
pub const SCRIPT_TEXT: &str = include_str!("../../scripts/verify_bundle.py");

/// A check that failed.
#[derive(Debug)]
pub struct Failure {
    /// The step, of a fixed list: see [`verify`].
    pub step: String,
    /// What was expected, and what came.
    pub error: Error,
}

impl Failure {
    /// At `step`, with a sentence.
    pub fn new(step: impl Into<String>, message: impl Into<String>) -> Self {
        Self { step: step.into(), error: Error::new(ErrorKind::Input, message) }
    }
}

/// At `step`, whatever error came.
pub(crate) fn at(step: &str) -> impl Fn(Error) -> Failure + '_ {
    move |error| Failure { step: step.to_owned(), error }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}

/// A name of a bundle's file: ordinary parts joined by `/`, printable ASCII, short.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.bytes().all(|b| b.is_ascii_graphic())
        && name.split('/').count() <= 2
        && name.split('/').all(crate::report::recipe::is_plain_name)
}
