//! What the suspect model said → distinct windows: its answers (closed model), or its predictions of served text (open model).
//!
//! A window whose context the suspect had just read is masked: in an answer's own prompt, or earlier in the text that it was given to go
//! on with. What a model says after words that stand before its eyes is copied from them, and served text is marked. Weakness: an echo
//! of another document than its own prompt is not seen. Guarantee: every token is scored, outside the contexts that were asked for, or masked for
//! one reason.

use crate::detect::tally::Scoring;
use crate::detect::windows::{Corpus, Echo, Gathered, MOST_TOKENS, Masked, Packing, Seen, Text};
use crate::error::{Error, ErrorKind, Result};
use crate::log::Prediction;
use crate::store::Mapped;
use crate::store::spill::{Kept, records};
use crate::watermark::PAD;
use std::path::Path;

/// Evidence while it is read.
pub struct Evidence {
    packing: Packing,
    gathered: Gathered,
    /// The tokens, where contexts are not packed whole.
    kept: Option<Kept>,
    place: u64,
    pieces: u64,
    tokens: u64,
    answers: bool,
}

impl Evidence {
    /// At most `bytes` of windows in memory (24 each); more go to files without a name in `dir`.
    /// # Errors
    /// `Io` when no file can be made in `dir`.
    pub fn new(packing: Packing, bytes: usize, dir: &Path) -> Result<Self> {
        let kept = if packing.whole() { None } else { Some(Kept::new(dir)?) };
        let gathered = Gathered::new(packing, Echo::Context, bytes, dir);
        Ok(Self { packing, gathered, kept, place: 0, pieces: 0, tokens: 0, answers: false })
    }

    /// Adds answers, each with the prompt that drew it where that is known.
    /// # Errors
    /// `Io` when windows must be spilled and cannot; `Input` beyond 2⁴⁰ tokens.
    pub fn answers(&mut self, texts: &[Text]) -> Result<()> {
        let gap = self.packing.shape.context;
        let mut places = Vec::with_capacity(texts.len());
        for text in texts {
            self.place += gap as u64;
            places.push(self.place);
            self.place += text.tokens.len() as u64;
            self.tokens += text.tokens.len() as u64;
            if let Some(kept) = &mut self.kept {
                kept.add(&vec![PAD; gap])?;
                kept.add(&text.tokens)?;
            }
        }
        self.pieces += texts.len() as u64;
        self.answers |= !texts.is_empty();
        self.bounded()?;
        self.gathered.add(texts, &places)
    }

    /// Adds predictions: of each the `most` likeliest tokens.
    /// # Errors
    /// `Io` when windows must be spilled and cannot; `Input` beyond 2⁴⁰ tokens.
    pub fn predictions(&mut self, rows: &[Prediction], most: usize) -> Result<()> {
        let Packing { shape, vocab } = self.packing;
        let width = shape.context;
        let (mut windows, mut masked) = (Vec::new(), Masked::default());
        for row in rows {
            let predicted = &row.predicted[..row.predicted.len().min(most)];
            self.pieces += 1;
            self.tokens += predicted.len() as u64;
            let n = predicted.len() as u64;
            if row.context.len() < width && !shape.pad {
                masked.no_context += n;
                continue;
            }
            let (before, context) = row.context.split_at(row.context.len().saturating_sub(width));
            let padded: Vec<u32> =
                std::iter::repeat_n(PAD, width - context.len()).chain(context.iter().copied()).collect();
            // The context stood before in what the model had read, and so did the token that was served after it.
            let read = &row.context[..row.context.len().saturating_sub(1)];
            if width > 0 && !before.is_empty() && read.windows(width).any(|earlier| earlier == context) {
                masked.context_in_prompt += n;
                continue;
            }
            for &token in predicted {
                let known = |id: &u32| *id < vocab || *id == PAD;
                self.place += width as u64;
                if let Some(kept) = &mut self.kept {
                    kept.add(&padded)?;
                    kept.add(&[token])?;
                }
                if token < vocab && padded.iter().all(known) {
                    windows.push(Seen::new(self.packing.pack(&padded), token, self.place));
                } else {
                    masked.out_of_vocabulary += 1;
                }
                self.place += 1;
            }
        }
        self.bounded()?;
        self.gathered.add_windows(&windows, &masked)
    }

    fn bounded(&self) -> Result<()> {
        if self.place < MOST_TOKENS {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Input, format!("expected at most {MOST_TOKENS} tokens of evidence, got more")))
    }

    /// The distinct windows.
    /// # Errors
    /// `Io` when windows must be spilled and cannot.
    pub fn finish(self, bytes: usize, dir: &Path) -> Result<Read> {
        let corpus = self.gathered.finish(bytes, dir)?;
        let kept = self.kept.map(Kept::finish).transpose()?;
        Ok(Read { corpus, kept, places: self.place, pieces: self.pieces, tokens: self.tokens, answers: self.answers })
    }
}

/// Evidence that was read whole.
pub struct Read {
    /// Its distinct windows.
    pub corpus: Corpus,
    kept: Option<Mapped>,
    places: u64,
    /// Answers, or predictions.
    pub pieces: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Whether there are answers among them.
    pub answers: bool,
}

impl Read {
    /// How its windows are scored.
    #[must_use]
    pub fn scoring<'a>(&'a self, bytes: usize, dir: &'a Path) -> Scoring<'a> {
        let tokens = self.kept.as_ref().map_or(&[][..], records);
        Scoring { tokens, places: self.places, bytes, dir }
    }
}
