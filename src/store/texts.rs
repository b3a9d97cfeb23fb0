//! The texts of distinct prompts, for random access through a memory map: each as it first came, and folded.
//!
//! A prompt of ASCII folds faster than it is read from a second copy, so its folded form is kept only where the writer gives
//! one. Weakness: no compression; the judge reads these texts in no order. Guarantee: any bytes open or fail with an error.

use super::files;
use crate::error::{Error, ErrorKind, Result};
use std::io::{self, Write};

const MAGIC: &[u8; 8] = b"SHTEXTS1";

/// Writes texts one after another, and their places at the end.
pub struct TextsWriter<W> {
    out: W,
    /// End of each part; two parts a text, raw and folded.
    ends: Vec<u64>,
    end: u64,
}

impl<W: Write> TextsWriter<W> {
    /// Begins a file.
    /// # Errors
    /// When `out` fails.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self { out, ends: Vec::new(), end: 8 })
    }

    /// Adds a text; `folded` is `None` where the reader folds it again.
    /// # Errors
    /// When `out` fails.
    pub fn push(&mut self, raw: &str, folded: Option<&str>) -> io::Result<()> {
        for part in [raw, folded.unwrap_or_default()] {
            self.out.write_all(part.as_bytes())?;
            self.end += part.len() as u64;
            self.ends.push(self.end);
        }
        Ok(())
    }

    /// Writes the places and returns the writer below.
    /// # Errors
    /// When `out` fails.
    pub fn finish(mut self) -> io::Result<W> {
        for end in &self.ends {
            self.out.write_all(&end.to_le_bytes())?;
        }
        self.out.write_all(&(self.ends.len() as u64 / 2).to_le_bytes())?;
        Ok(self.out)
    }
}

/// Texts over their bytes.
pub struct Texts<B> {
    bytes: B,
    /// Where the places begin.
    places: usize,
    len: usize,
}

impl<B: AsRef<[u8]>> Texts<B> {
    /// Reads the number of texts.
    /// # Errors
    /// `Store` when the bytes are not a whole file of texts.
    pub fn open(bytes: B) -> Result<Self> {
        let raw = bytes.as_ref();
        let bad = || Error::new(ErrorKind::Store, format!("expected a whole file of texts, got {} bytes", raw.len()));
        files::check_magic(raw, MAGIC, "texts")?;
        if raw.len() < 16 {
            return Err(bad());
        }
        let len = u64::from_le_bytes(raw[raw.len() - 8..].try_into().unwrap_or_default());
        let places = len.checked_mul(16).and_then(|n| (raw.len() as u64 - 8).checked_sub(n)).ok_or_else(bad)?;
        if places < 8 {
            return Err(bad());
        }
        Ok(Self { places: places as usize, len: len as usize, bytes })
    }

    /// How many texts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn end(&self, part: usize) -> usize {
        let at = self.places + 8 * part;
        u64::from_le_bytes(self.bytes.as_ref()[at..at + 8].try_into().unwrap_or_default()) as usize
    }

    /// Text `i` as it first came, and folded where that was stored. A damaged text is empty; `verify` finds it.
    #[must_use]
    pub fn get(&self, i: usize) -> (&str, Option<&str>) {
        let (raw, folded) = self.bytes_of(i);
        let whole = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        (whole(raw), folded.map(whole))
    }

    /// The stored folded form of text `i` from `reach` bytes before `at` to `reach` bytes behind it, cut at characters, and where it
    /// begins in the whole; `None` where no folded form was stored. It costs what is returned, not what the text is long.
    #[must_use]
    pub fn folded_around(&self, i: usize, at: usize, reach: usize) -> Option<(&str, usize)> {
        let bytes = self.bytes_of(i).1?;
        let boundary = |at: usize| bytes.get(at).is_none_or(|byte| byte & 0xC0 != 0x80);
        let from = (at.saturating_sub(reach)..bytes.len()).find(|&at| boundary(at)).unwrap_or(bytes.len());
        let to = (from..=at.saturating_add(reach).min(bytes.len())).rev().find(|&at| boundary(at)).unwrap_or(from);
        Some((std::str::from_utf8(&bytes[from..to]).unwrap_or_default(), from))
    }

    /// The bytes of text `i`, and of its folded form where that was stored.
    fn bytes_of(&self, i: usize) -> (&[u8], Option<&[u8]>) {
        if i >= self.len {
            return (&[], None);
        }
        let first = if i == 0 { 8 } else { self.end(2 * i - 1) };
        let (middle, last) = (self.end(2 * i), self.end(2 * i + 1));
        let part = |from: usize, to: usize| {
            let bytes = if to <= self.places { self.bytes.as_ref().get(from..to) } else { None };
            bytes.unwrap_or_default()
        };
        (part(first, middle), (middle != last).then(|| part(middle, last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_come_back(texts in proptest::collection::vec((".{0,20}", proptest::option::of(".{1,20}")), 0..30)) {
            let mut writer = TextsWriter::new(Vec::new()).expect("a vector");
            for (raw, folded) in &texts {
                writer.push(raw, folded.as_deref()).expect("a vector");
            }
            let file = Texts::open(writer.finish().expect("a vector")).expect("a whole file");
            prop_assert_eq!(file.len(), texts.len());
            for (i, (raw, folded)) in texts.iter().enumerate() {
                prop_assert_eq!(file.get(i), (raw.as_str(), folded.as_deref()));
            }
            for (i, (_, folded)) in texts.iter().enumerate() {
                let Some(folded) = folded else { continue };
                for at in 0..folded.len() + 2 {
                    let (part, from) = file.folded_around(i, at, 5).expect("a folded form");
                    prop_assert!(folded[from..].starts_with(part), "{part:?} from {from} of {folded:?}");
                    prop_assert!(from <= at.min(folded.len()) || at >= folded.len());
                    prop_assert!(from + part.len() + 3 >= (at + 5).min(folded.len()), "at most three bytes are cut away");
                }
                prop_assert_eq!(file.folded_around(i, 0, usize::MAX), Some((folded.as_str(), 0)));
            }
        }

        #[test]
        fn any_bytes_open_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut bytes = bytes;
            bytes.splice(0..0, *b"SHTEXTS1");
            if let Ok(texts) = Texts::open(bytes) {
                (0..texts.len().min(20)).for_each(|i| { let _ = (texts.get(i), texts.folded_around(i, 3, 4)); });
            }
        }
    }
}
