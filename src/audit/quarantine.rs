//! Bad rows: written aside with place, digest and reason, so that somebody can mend the exporter.
//!
//! The raw bytes are kept only where the caller asked for it: they are an attacker's text and a customer's data.

use crate::error::{Error, Result};
use crate::log::{BadRow, Place};
use crate::store::files;
use base64::Engine as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Where bad rows go.
pub(crate) struct Quarantine {
    path: PathBuf,
    keep_raw: bool,
    /// Bad rows that may still be written.
    left: u64,
    out: Option<BufWriter<File>>,
}

impl Quarantine {
    /// A quarantine that makes its file with the first bad row. The file is of one run, as the report beside it is: an older
    /// one is taken away first. After `most` rows the others are counted only.
    pub(crate) fn new(path: &Path, keep_raw: bool, most: u64) -> Self {
        files::remove(path);
        Self { path: path.into(), keep_raw, left: most, out: None }
    }

    pub(crate) fn add(&mut self, input: &str, place: Place, bad: &BadRow) -> Result<()> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(()) };
        self.left = left;
        let mut line = serde_json::json!({
            "input": input, "row": place.row, "part": place.part,
            "reason": bad.reason.word(), "detail": bad.detail, "digest": bad.digest,
        });
        if self.keep_raw {
            line["raw_base64"] = base64::engine::general_purpose::STANDARD.encode(&bad.raw).into();
        }
        let out = match &mut self.out {
            Some(out) => out,
            none => none.insert(files::create_output(&self.path)?),
        };
        writeln!(out, "{line}").map_err(|cause| Error::io("write", &self.path, &cause))
    }

    /// Writes what is left and tells where the file is, if there is one.
    pub(crate) fn finish(mut self) -> Result<Option<PathBuf>> {
        match self.out.take() {
            Some(mut out) => {
                out.flush().map_err(|cause| Error::io("write", &self.path, &cause))?;
                Ok(Some(self.path))
            }
            None => Ok(None),
        }
    }
}
