//! The model's reading step: letters of scripts other than Latin and Han spelt in Latin, before the tokenizer sees them.
//!
//! It belongs to the model, not to the fold: a vocabulary without Cyrillic or Bengali letters reads their spelling, while
//! exact families keep the scripts apart. It does to the letter what the training did to its texts, so that raw text gives the
//! golden strings too: ASCII unchanged; else NFKC, invisible characters out, look-alikes in words with an ASCII letter, then
//! `romanise.json`, character by character. Source: `models/train/common.py`, `fold`. Weakness: a spelling without vowels
//! or tones merges words that their readers tell apart, so vectors of other scripts are coarser.

use crate::error::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The look-alikes of the training, not those of the fold: a vector must not change when the fold learns a letter.
const ALIKE: (&str, &str) =
    ("асеіорѕхуԁһјԛԝѵьΑΒΕΖΗΙΚΜΝΟΡΤΥΧαιορυνκАВЕНІКМОРТХСЅЈ", "aceiopsxydhjqwvbABEZHIKMNOPTYXaiopuvkABEHIKMOPTXCSJ");

/// The table of spellings.
pub(super) struct Reading {
    /// Which row of `cells` a block of 256 code points has; 0 is the row of blocks without any.
    blocks: Vec<u16>,
    /// Start of the spelling in `letters` and its length; 0 where the character stays.
    cells: Vec<[(u32, u16); 256]>,
    letters: String,
    alike: BTreeMap<char, char>,
}

impl Reading {
    /// Reads `romanise.json`: an object from one character to its spelling.
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self> {
        let refused = |got: String| {
            Error::new(
                ErrorKind::Model,
                format!("expected romanise.json to map one character to its spelling, got {got}"),
            )
        };
        let table: BTreeMap<String, String> =
            serde_json::from_slice(bytes).map_err(|cause| refused(cause.to_string()))?;
        let alike = ALIKE.0.chars().zip(ALIKE.1.chars()).collect();
        let free = [(0, 0); 256];
        let mut reading = Self { blocks: vec![0; 0x1100], cells: vec![free], letters: "\0".to_owned(), alike };
        for (from, to) in &table {
            let mut chars = from.chars();
            let (Some(c), None) = (chars.next(), chars.next()) else {
                return Err(refused(format!("the key {from:?}")));
            };
            let length = u16::try_from(to.len()).map_err(|_| refused(format!("{} bytes for {from:?}", to.len())))?;
            let block = &mut reading.blocks[c as usize >> 8];
            if *block == 0 {
                *block = reading.cells.len() as u16;
                reading.cells.push(free);
            }
            reading.cells[usize::from(*block)][c as usize & 255] = (reading.letters.len() as u32, length);
            reading.letters.push_str(to);
        }
        Ok(reading)
    }

    /// The spelling of `c`, where it has one.
    fn spelling(&self, c: char) -> Option<&str> {
        let (start, length) = self.cells[usize::from(self.blocks[c as usize >> 8])][c as usize & 255];
        // A spelling starts behind the NUL that opens the letters, and may be empty.
        (start > 0).then(|| &self.letters[start as usize..][..usize::from(length)])
    }

    /// What the tokenizer is given for `text`.
    pub(super) fn read<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let kept = |c: &char| !is_dropped(*c);
        let mut chars: Vec<char> = match is_nfkc_quick(text.chars()) {
            IsNormalized::Yes => text.chars().filter(kept).collect(),
            _ => text.nfkc().filter(kept).collect(),
        };
        if chars.iter().any(|c| self.alike.contains_key(c)) {
            self.map_alike(&mut chars);
        }
        let mut out = String::with_capacity(text.len());
        for c in chars {
            match self.spelling(c) {
                Some(spelling) => out.push_str(spelling),
                None => out.push(c),
            }
        }
        Cow::Owned(out)
    }

    /// Maps look-alikes in the words that hold an ASCII letter.
    fn map_alike(&self, chars: &mut [char]) {
        for word in chars.chunk_by_mut(|&a, &b| is_letter(a) == is_letter(b)) {
            if word.iter().any(char::is_ascii_alphabetic) {
                word.iter_mut().for_each(|c| *c = self.alike.get(c).copied().unwrap_or(*c));
            }
        }
    }
}

/// A letter as the regular expression of the training knows it: no digit, no mark, but a number sign.
fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    c.general_category_group() == GeneralCategoryGroup::Letter
        || matches!(c.general_category(), GeneralCategory::LetterNumber | GeneralCategory::OtherNumber)
}

fn is_dropped(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{E0000}'..='\u{E007F}')
}
