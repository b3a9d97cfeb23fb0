//! Innocent shared text: licences, public prompts, templates of apps, as somebody lists them.
//!
//! A fragment family is explained by a known text that holds four fifths of its fixed text, or by the digest of its text.
//! Weakness: a campaign that quotes a public prompt is explained by it too, so what is known is counted apart and stays
//! in sight.

use super::run::pieces;
use crate::ids::Digest;
use crate::text::winnow::Printer;
use std::collections::{BTreeMap, HashMap};

/// Bytes of a gram.
const GRAM: usize = 16;
/// Share of a family's grams that a known text must hold.
const SHARE: f64 = 0.8;

/// Known texts and digests with the names of their sources.
pub struct KnownTexts {
    printer: Printer,
    names: Vec<String>,
    /// Sources of each gram.
    grams: HashMap<u64, Vec<u32>>,
    digests: BTreeMap<Digest, u32>,
}

impl KnownTexts {
    /// Without any yet.
    #[must_use]
    pub fn new(printer: &Printer) -> Self {
        Self { printer: printer.clone(), names: Vec::new(), grams: HashMap::new(), digests: BTreeMap::new() }
    }

    fn source(&mut self, name: &str) -> u32 {
        self.names.push(name.to_owned());
        self.names.len() as u32 - 1
    }

    /// Adds a folded text under a name.
    pub fn add_text(&mut self, name: &str, folded: &str) {
        let source = self.source(name);
        let grams = &mut self.grams;
        self.printer.each_gram::<GRAM>(folded.as_bytes(), |hash, _| {
            let sources = grams.entry(hash).or_default();
            if sources.last() != Some(&source) {
                sources.push(source);
            }
        });
    }

    /// Adds the digest of a family's folded text.
    pub fn add_digest(&mut self, name: &str, digest: Digest) {
        let source = self.source(name);
        self.digests.entry(digest).or_insert(source);
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The first source that explains a run, by its text and digest.
    #[must_use]
    pub fn explains(&self, run: &str, digest: &Digest) -> Option<&str> {
        if let Some(&source) = self.digests.get(digest) {
            return self.names.get(source as usize).map(String::as_str);
        }
        let (mut all, mut of_source) = (0u32, BTreeMap::<u32, u32>::new());
        for piece in pieces(run) {
            self.printer.each_gram::<GRAM>(piece.as_bytes(), |hash, _| {
                all += 1;
                for &source in self.grams.get(&hash).into_iter().flatten() {
                    *of_source.entry(source).or_default() += 1;
                }
            });
        }
        let found = of_source.iter().find(|(_, held)| f64::from(**held) >= SHARE * f64::from(all.max(1)));
        found.and_then(|(&source, _)| self.names.get(source as usize)).map(String::as_str)
    }
}
