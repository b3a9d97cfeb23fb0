//! Texts and fingerprints of one field of a night: prompts, system prompts, earlier turns of users.

use crate::error::{Error, Result};
use crate::ids::Field;
use crate::store::NewNight;
use crate::store::files::create_output;
use crate::store::prints::{self, PrintRecord};
use crate::store::sorted;
use crate::store::texts::TextsWriter;
use crate::text::winnow::{Print, Printer};
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

/// An ASCII text longer than this is stored folded too, since it is read often and in parts.
const LONG: usize = 64 << 10;

/// Kind of the file of a field's texts.
pub(crate) fn texts_kind(field: Field) -> &'static str {
    ["texts", "system-texts", "turn-texts"][field as usize]
}

/// Kind of the files of a field's fingerprints.
pub(crate) fn prints_kind(field: Field) -> &'static str {
    ["prompt-prints", "system-prints", "turn-prints"][field as usize]
}

/// The folded form, where it is stored beside the raw one.
pub(crate) fn folded_if_stored<'a>(raw: &str, folded: &'a str) -> Option<&'a str> {
    (!raw.is_ascii() || raw.len() > LONG).then_some(folded)
}

/// Writes what a night adds to a field.
pub(crate) struct FieldWriter {
    field: Field,
    dir: PathBuf,
    texts: TextsWriter<BufWriter<File>>,
    records: Vec<PrintRecord>,
    spilled: Vec<String>,
    /// Bytes that were not fingerprinted.
    pub(crate) cut: u64,
}

impl FieldWriter {
    pub(crate) fn new(field: Field, night: &mut NewNight) -> Result<Self> {
        let kind = texts_kind(field);
        let texts = TextsWriter::new(night.create(kind, &format!("{kind}.bin"))?).map_err(|cause| written(&cause))?;
        Ok(Self { field, dir: night.path(""), texts, records: Vec::new(), spilled: Vec::new(), cut: 0 })
    }

    /// Adds a text.
    pub(crate) fn push(&mut self, raw: &str, folded: &str) -> Result<()> {
        self.texts.push(raw, folded_if_stored(raw, folded)).map_err(|cause| written(&cause))
    }

    /// Fingerprints texts that are numbered from `first` on.
    pub(crate) fn print(&mut self, printer: &Printer, first: u32, folded: &[&str]) -> Result<()> {
        let made: Vec<(Vec<Print>, usize)> = folded
            .par_iter()
            .map(|text| {
                let mut out = Vec::with_capacity(text.len() / 16);
                let cut = printer.prints(text, &mut out);
                (out, cut)
            })
            .collect();
        for (text, (prints, cut)) in (first..).zip(made) {
            self.cut += cut as u64;
            self.records.extend(prints.iter().map(|print| PrintRecord { hash: print.hash, text, at: print.at }));
            if self.records.len() >= prints::RUN {
                self.spill()?;
            }
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let name = format!("{}-{}.bin", prints_kind(self.field), self.spilled.len());
        let mut out = create_output(&self.dir.join(&name))?;
        sorted::write(&mut self.records, &mut out).map_err(|cause| written(&cause))?;
        self.records.clear();
        self.spilled.push(name);
        Ok(())
    }

    /// Ends the files.
    pub(crate) fn finish(mut self, night: &mut NewNight) -> Result<()> {
        if !self.records.is_empty() {
            self.spill()?;
        }
        self.spilled.iter().for_each(|name| night.adopt(prints_kind(self.field), name));
        self.texts.finish().and_then(|mut out| out.flush()).map_err(|cause| written(&cause))
    }
}

/// The error of a night that could not be written.
pub(crate) fn written(cause: &std::io::Error) -> Error {
    Error::new(crate::error::ErrorKind::Io, format!("cannot write the night: {cause}"))
}
