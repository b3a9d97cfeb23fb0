//! Words to pieces without the general machinery, for tokenizer files of the BERT kind.
//!
//! The text is cut where the normaliser and the pre-tokeniser of that kind cut anyway, whatever stands around: at ASCII white space,
//! at ASCII punctuation, around Han characters. Each part between is a word of ASCII (which they at most lower-case) or
//! goes through the crate's own normaliser and pre-tokeniser. Pieces are found longest first, as the crate does, but no
//! longer string is tried than the vocabulary has, so that a hostile word of 200 letters costs 200 short searches and not
//! 20,000. Tests hold the ids against the crate's on any text.

use std::collections::HashMap;
use tokenizers::tokenizer::{NormalizedString, Normalizer, PreTokenizedString, PreTokenizer};
use tokenizers::{OffsetReferential, OffsetType};

/// What the file says, as far as this path needs it.
#[derive(serde::Deserialize)]
struct File {
    normalizer: NormalizerPart,
    pre_tokenizer: TypePart,
    model: ModelPart,
    #[serde(default)]
    added_tokens: Vec<AddedPart>,
}

#[derive(serde::Deserialize)]
struct TypePart {
    r#type: String,
}

#[derive(serde::Deserialize)]
struct NormalizerPart {
    r#type: String,
    clean_text: bool,
    handle_chinese_chars: bool,
    lowercase: bool,
}

#[derive(serde::Deserialize)]
struct ModelPart {
    r#type: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
    vocab: HashMap<String, u32>,
}

#[derive(serde::Deserialize)]
struct AddedPart {
    content: String,
    normalized: bool,
}

/// Pieces of one position and the length in bytes of the longest.
#[derive(Default)]
struct Pieces {
    ids: HashMap<Box<[u8]>, u32>,
    longest: usize,
}

impl Pieces {
    fn add(&mut self, piece: &str, id: u32) {
        self.longest = self.longest.max(piece.len());
        self.ids.insert(piece.as_bytes().into(), id);
    }
}

pub(super) struct WordPiece {
    first: Pieces,
    later: Pieces,
    max_chars: usize,
    lowercase: bool,
    split_han: bool,
    /// Texts that hold one of these verbatim are the general machinery's.
    added: Vec<String>,
}

/// What one part of the text is.
pub(super) enum Part<'a> {
    /// ASCII letters and digits.
    Ascii(&'a str),
    /// One ASCII punctuation mark.
    Mark(&'a str),
    /// Anything else.
    Other(&'a str),
}

impl WordPiece {
    /// Reads the tokenizer file; `None` when it is of another kind.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let file: File = serde_json::from_slice(bytes).ok()?;
        let kinds = [&file.normalizer.r#type, &file.pre_tokenizer.r#type, &file.model.r#type];
        let ours = kinds == ["BertNormalizer", "BertPreTokenizer", "WordPiece"] && file.normalizer.clean_text;
        if !ours || file.added_tokens.iter().any(|token| token.normalized || token.content.is_empty()) {
            return None;
        }
        let (mut first, mut later) = (Pieces::default(), Pieces::default());
        #[allow(clippy::iter_over_hash_type, reason = "from one map into another: the order does not show")]
        for (piece, &id) in &file.model.vocab {
            first.add(piece, id);
            if let Some(rest) = piece.strip_prefix(&file.model.continuing_subword_prefix) {
                later.add(rest, id);
            }
        }
        Some(Self {
            first,
            later,
            max_chars: file.model.max_input_chars_per_word,
            lowercase: file.normalizer.lowercase,
            split_han: file.normalizer.handle_chinese_chars,
            added: file.added_tokens.into_iter().map(|token| token.content).collect(),
        })
    }

    /// Whether the text holds an added token, which the general machinery takes out first.
    pub(super) fn has_added(&self, text: &str) -> bool {
        self.added.iter().any(|token| text.as_bytes().contains(&token.as_bytes()[0]) && text.contains(token))
    }

    /// Calls `visit` with each part of `text`, in order.
    #[inline]
    pub(super) fn parts<'a>(&self, text: &'a str, mut visit: impl FnMut(Part<'a>)) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match CLASS[usize::from(bytes[at])] {
                BLANK => at += 1,
                MARK => {
                    visit(Part::Mark(&text[at..=at]));
                    at += 1;
                }
                _ => {
                    let (end, all_ascii) = self.part_end(text, at);
                    let part = &text[at..end];
                    visit(if all_ascii { Part::Ascii(part) } else { Part::Other(part) });
                    at = end;
                }
            }
        }
    }

    /// The end of the part that starts at `start`, and whether it is ASCII letters and digits only.
    #[inline]
    fn part_end(&self, text: &str, start: usize) -> (usize, bool) {
        let bytes = text.as_bytes();
        let letters = bytes[start..].iter().take_while(|&&byte| CLASS[usize::from(byte)] == LETTER).count();
        let mut at = start + letters;
        if bytes.get(at).is_none_or(|&byte| CLASS[usize::from(byte)] <= MARK) {
            return (at, true);
        }
        while at < bytes.len() {
            match CLASS[usize::from(bytes[at])] {
                BLANK | MARK => break,
                HIGH => {
                    let c = text[at..].chars().next().unwrap_or(' ');
                    if self.split_han && is_han(c) {
                        return if at == start { (at + c.len_utf8(), false) } else { (at, at == start + letters) };
                    }
                    at += c.len_utf8();
                }
                _ => at += 1,
            }
        }
        (at, false)
    }

    /// Appends the pieces of an ASCII part.
    pub(super) fn ascii(&self, part: &str, out: &mut Vec<u32>) {
        if part.len() > self.max_chars {
            return;
        }
        if self.lowercase && part.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.word(part.to_ascii_lowercase().as_bytes(), out);
        } else {
            self.word(part.as_bytes(), out);
        }
    }

    /// Appends the pieces of any other part, by the crate's normaliser and pre-tokeniser. Errors of theirs leave it unread.
    pub(super) fn other(&self, plain: &tokenizers::Tokenizer, part: &str, out: &mut Vec<u32>) {
        let mut normal = NormalizedString::from(part);
        if plain.get_normalizer().is_some_and(|normalizer| normalizer.normalize(&mut normal).is_err()) {
            return;
        }
        let mut words = PreTokenizedString::from(normal);
        if plain.get_pre_tokenizer().is_some_and(|splitter| splitter.pre_tokenize(&mut words).is_err()) {
            return;
        }
        for (word, _, _) in words.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            // Counting stops at the bound.
            if word.chars().take(self.max_chars.saturating_add(1)).count() <= self.max_chars {
                self.word(word.as_bytes(), out);
            }
        }
    }

    /// Appends the pieces of one word, longest first; of a word that does not come out even, nothing (it is unknown).
    fn word(&self, word: &[u8], out: &mut Vec<u32>) {
        let before = out.len();
        let mut start = 0;
        while start < word.len() {
            let pieces = if start == 0 { &self.first } else { &self.later };
            let longest = word.len().min(start + pieces.longest);
            // Ends inside a character match nothing, because every piece is whole.
            let found = (start + 1..=longest).rev().find_map(|end| Some((end, *pieces.ids.get(&word[start..end])?)));
            let Some((end, id)) = found else {
                out.truncate(before);
                return;
            };
            out.push(id);
            start = end;
        }
    }
}

/// Classes of bytes, in an order that `<= MARK` uses.
const BLANK: u8 = 0;
const MARK: u8 = 1;
const LETTER: u8 = 2;
const CONTROL: u8 = 3;
const HIGH: u8 = 4;

const CLASS: [u8; 256] = {
    let mut table = [HIGH; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => BLANK,
            _ if (byte as char).is_ascii_punctuation() => MARK,
            _ if (byte as char).is_ascii_alphanumeric() => LETTER,
            // Left out by the normaliser, so that the letters around it are one word.
            _ => CONTROL,
        };
        byte += 1;
    }
    table
};

/// The Han characters around which the normaliser puts blanks (its own list).
fn is_han(c: char) -> bool {
    matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{20000}'..='\u{2A6DF}' | '\u{2A700}'..='\u{2B73F}'
        | '\u{2B740}'..='\u{2B81F}' | '\u{2B920}'..='\u{2CEAF}' | '\u{F900}'..='\u{FAFF}' | '\u{2F800}'..='\u{2FA1F}')
}
