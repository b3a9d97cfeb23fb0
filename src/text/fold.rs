//! The fold: one form for texts that a reader would call the same.
//!
//! White space first cuts the text into pieces; pure ASCII takes a byte loop, every other piece goes through characters:
//! invisible ones out, NFKC, look-alikes in Latin words, case, repeated until nothing changes. Cutting at white space is
//! exact, because no mark composes with a blank and no word crosses one, and it keeps the buffers small.

use super::limits::FOLD_ROUNDS;
use super::normal::{Item, fold_case, is_compatibility, nfkc};
use super::{Aligned, Folded, Removed, lookalike};

/// Folds `raw`.
///
/// # Example
/// ```
/// let folded = stillhunt::text::fold("  Ｗrite\ta p\u{43e}em\u{200b} NOW ");
/// assert_eq!(folded.text, "write a poem now");
/// assert_eq!((folded.removed.compatibility, folded.removed.lookalikes, folded.removed.invisible), (1, 1, 1));
/// ```
#[must_use]
pub fn fold(raw: &str) -> Folded {
    let mut text = String::new();
    let removed = fold_into(raw, &mut text);
    Folded { text, removed }
}

/// Folds `raw` into `out`, whose content is replaced and whose memory is used again.
pub fn fold_into(raw: &str, out: &mut String) -> Removed {
    let mut bytes = std::mem::take(out).into_bytes();
    bytes.clear();
    let mut sink = Sink { bytes, ..Sink::default() };
    sink.all(raw);
    *out = String::from_utf8(sink.bytes).unwrap_or_default();
    sink.removed
}

/// Folds `raw` and remembers which raw bytes every folded character came from.
#[must_use]
pub fn fold_aligned(raw: &str) -> Aligned {
    let mut sink = Sink { aligned: Some(Vec::new()), ..Sink::default() };
    sink.all(raw);
    let text = String::from_utf8(sink.bytes).unwrap_or_default();
    Aligned { text, removed: sink.removed, pieces: sink.aligned.unwrap_or_default(), raw_len: raw.len() }
}

/// One folded character: its first byte in the folded text, its bytes in the raw text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) folded: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What becomes of an ASCII byte: 0 for a control character (left out), a blank for white space, else the lower-case letter.
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'\t'..=b'\r' | b' ' => b' ',
            0..=31 | 127 => 0,
            _ => byte.to_ascii_lowercase(),
        };
        byte += 1;
    }
    table
};

/// White space of the fold: Unicode's, and the blank of Braille.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{2800}'
}

/// Which count a character goes to that the fold leaves out; `None` when it stays.
fn left_out(c: char) -> Option<fn(&mut Removed) -> &mut u32> {
    match c {
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Some(|r| &mut r.bidi)
        }
        '\u{E0000}'..='\u{E007F}' => Some(|r| &mut r.tags),
        // Default_Ignorable_Code_Point of Unicode 16, the anchors of interlinear annotation, and control characters.
        '\u{AD}'
        | '\u{34F}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{17B4}'
        | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200D}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206A}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0080}'..='\u{E0FFF}' => Some(|r| &mut r.invisible),
        _ if c.is_control() => Some(|r| &mut r.invisible),
        _ => None,
    }
}

/// Whether a joiner or a variation selector does honest work behind `before`: in emoji, and in scripts that join.
fn is_ordinary(c: char, before: Option<char>) -> bool {
    let Some(before) = before else { return c == '\u{FEFF}' };
    let joins = matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE0E}' | '\u{FE0F}');
    joins && (before == '\u{FE0F}' && c == '\u{200D}' || !before.is_ascii_alphabetic() && left_out(before).is_none())
}

/// Where the folded text grows.
#[derive(Default)]
struct Sink {
    bytes: Vec<u8>,
    /// A blank is owed before the next character; it spans these raw bytes.
    blank: Option<(u32, u32)>,
    aligned: Option<Vec<Piece>>,
    removed: Removed,
    items: Vec<Item>,
    folded: Vec<Item>,
    scratch: Vec<(u8, Item)>,
}

/// How many bytes at the start are ASCII.
fn n_ascii(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks(BLOCK).take_while(|block| block.is_ascii()).count();
    let rest = bytes.get(blocks * BLOCK..).unwrap_or_default();
    (blocks * BLOCK).min(bytes.len()) + rest.iter().take_while(|byte| byte.is_ascii()).take(BLOCK).count()
}

/// How many bytes of ASCII are looked at together.
const BLOCK: usize = 64;

/// Whether no byte is a control character and no two blanks follow each other. Without early exits, so that it runs on vectors.
fn is_plain(block: &[u8]) -> bool {
    let control = block.iter().fold(false, |found, &byte| found | (byte < 32) | (byte == 127));
    let gap = block.iter().zip(&block[1..]).fold(false, |found, (&a, &b)| found | ((a == 32) & (b == 32)));
    !(control | gap)
}

/// A raw position; the alignment of what lies beyond 4 GiB is not kept.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Sink {
    fn all(&mut self, raw: &str) {
        let mut at = 0;
        while at < raw.len() {
            let rest = &raw[at..];
            let ascii = n_ascii(rest.as_bytes());
            // The piece that holds the first other character starts behind the white space before it.
            let piece = match ascii == rest.len() {
                true => ascii,
                false => rest.as_bytes()[..ascii]
                    .iter()
                    .rposition(|&byte| ASCII[byte as usize] == b' ')
                    .map_or(0, |gap| gap + 1),
            };
            self.ascii(&rest.as_bytes()[..piece], at);
            let rest = &rest[piece..];
            let end = rest.find(is_blank).unwrap_or(rest.len());
            self.piece(&rest[..end], at + piece);
            at += piece + end;
            while let Some(c) = raw[at..].chars().next().filter(|&c| is_blank(c)) {
                self.gap(place(at), place(at + c.len_utf8()));
                at += c.len_utf8();
            }
        }
    }

    /// Owes a blank, unless nothing stands before it.
    fn gap(&mut self, start: u32, end: u32) {
        if !self.bytes.is_empty() {
            self.blank = Some((self.blank.map_or(start, |blank| blank.0), end));
        }
    }

    fn push(&mut self, item: Item) {
        if let Some((start, end)) = self.blank.take() {
            self.write(Item { c: ' ', start, end });
        }
        self.write(item);
    }

    fn write(&mut self, item: Item) {
        if let Some(pieces) = &mut self.aligned {
            // Composition may let a character reach beyond the next one; ends never run backwards.
            let end = pieces.last().map_or(item.end, |last: &Piece| last.end.max(item.end));
            pieces.push(Piece { folded: place(self.bytes.len()), start: item.start, end });
        }
        self.bytes.extend_from_slice(item.c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Pure ASCII that starts at raw byte `at`.
    fn ascii(&mut self, raw: &[u8], at: usize) {
        if raw.is_empty() {
            return;
        }
        if self.aligned.is_some() {
            return self.ascii_aligned(raw, at);
        }
        if self.blank.take().is_some() {
            self.bytes.push(b' ');
        }
        let start = self.bytes.len();
        let mut in_gap = self.bytes.last().is_none_or(|&last| last == b' ');
        let (mut n, mut n_left_out) = (0, 0);
        self.bytes.resize(start + raw.len(), 0);
        let out = &mut self.bytes[start..];
        for block in raw.chunks(BLOCK) {
            // Most blocks are words with single blanks between them and only change case, sixteen bytes at a time.
            let starts_gap = block[0] == b' ';
            if is_plain(block) && !(in_gap && starts_gap) {
                let to = &mut out[n..n + block.len()];
                to.copy_from_slice(block);
                to.make_ascii_lowercase();
                n += block.len();
                in_gap = block[block.len() - 1] == b' ';
                continue;
            }
            for &byte in block {
                let c = ASCII[usize::from(byte & 127)];
                out[n] = c;
                let is_gap = c == b' ';
                n += usize::from(c != 0 && !(is_gap && in_gap));
                n_left_out += u32::from(c == 0);
                in_gap = is_gap || (c == 0 && in_gap);
            }
        }
        self.removed.invisible += n_left_out;
        self.bytes.truncate(start + n);
        if self.bytes.last() == Some(&b' ') {
            self.bytes.pop();
            self.gap(place(at), place(at + raw.len()));
        }
    }

    fn ascii_aligned(&mut self, raw: &[u8], at: usize) {
        for (n, &byte) in raw.iter().enumerate() {
            let (start, end) = (place(at + n), place(at + n + 1));
            match ASCII[usize::from(byte & 127)] {
                0 => self.removed.invisible += 1,
                b' ' => self.gap(start, end),
                c => self.push(Item { c: char::from(c), start, end }),
            }
        }
    }

    /// A piece without white space that starts at raw byte `at`.
    fn piece(&mut self, raw: &str, at: usize) {
        if raw.is_empty() {
            return;
        }
        let mut items = std::mem::take(&mut self.items);
        let mut folded = std::mem::take(&mut self.folded);
        items.clear();
        // Behind white space there is nothing to join, as behind a Latin letter.
        let mut before = (at > 0).then_some('a');
        for (start, c) in raw.char_indices() {
            if let Some(count) = left_out(c) {
                *count(&mut self.removed) += u32::from(!is_ordinary(c, before));
            } else {
                self.removed.compatibility += u32::from(is_compatibility(c));
                items.push(Item { c, start: place(at + start), end: place(at + start + c.len_utf8()) });
            }
            before = Some(c);
        }
        nfkc(&mut items, &mut self.scratch);
        for _ in 0..FOLD_ROUNDS {
            let mapped = lookalike::map_words(&mut items);
            self.removed.lookalikes += mapped;
            let unsettled = fold_case(&items, &mut folded) || mapped > 0;
            if unsettled {
                nfkc(&mut folded, &mut self.scratch);
            }
            // A few letters (ΐ, ǰ) are taken apart by case and put together again by NFKC, for ever.
            let same = !unsettled || items.iter().map(|item| item.c).eq(folded.iter().map(|item| item.c));
            std::mem::swap(&mut items, &mut folded);
            if same {
                break;
            }
        }
        for &item in &items {
            if is_blank(item.c) { self.gap(item.start, item.end) } else { self.push(item) }
        }
        (self.items, self.folded) = (items, folded);
    }
}
