//! Text in, UTF-8 out: UTF-16 with a byte order mark is decoded as it passes, every other encoding that shows itself is refused by name.
//!
//! Spreadsheets and Windows tools write UTF-16. It is told by its mark; without one, and for UTF-32 and the rest, the log is one bad row that
//! says what came. Half of a surrogate pair is no character: it becomes bytes that are no UTF-8, so that it costs its row and not the log.
//!
//! Weakness: an encoding of one byte a character (Windows-1252, ISO 8859-1) shows itself only in the rows that use it; those rows name it.

use std::io::{BufRead, BufReader, Chain, Cursor, Read, Result};

/// The name of an encoding that is not read, where the first bytes show one.
pub(crate) fn refused(start: &[u8]) -> Option<&'static str> {
    const MARKS: [(&[u8], &str); 5] = [
        (b"\xff\xfe\x00\x00", "UTF-32 (little-endian)"),
        (b"\x00\x00\xfe\xff", "UTF-32 (big-endian)"),
        (b"\x84\x31\x95\x33", "GB18030"),
        (b"+/v8", "UTF-7"),
        (b"\xdd\x73\x66\x73", "UTF-EBCDIC"),
    ];
    if let Some((_, name)) = MARKS.iter().find(|(mark, _)| start.starts_with(mark)) {
        return Some(name);
    }
    // JSON and tables begin with a character of one byte, so that without a mark the noughts tell.
    match start {
        [0, 0, 0, b, ..] if *b != 0 => Some("UTF-32 (big-endian) without a byte order mark"),
        [b, 0, 0, 0, ..] if *b != 0 => Some("UTF-32 (little-endian) without a byte order mark"),
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => Some("UTF-16 (big-endian) without a byte order mark"),
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => Some("UTF-16 (little-endian) without a byte order mark"),
        _ => None,
    }
}

/// What a row that is no UTF-8 is likely to be in.
pub(crate) fn likely(bytes: &[u8]) -> &'static str {
    if bytes.contains(&0) {
        return "binary data";
    }
    // Without the bytes that ISO 8859-1 has for control characters the two are the same.
    let windows = bytes.iter().any(|byte| (0x80..0xa0).contains(byte));
    if windows { "Windows-1252 or another encoding" } else { "ISO 8859-1, Windows-1252 or another encoding" }
}

/// The stream as UTF-8: decoded where its first bytes are the mark of UTF-16, otherwise as it is.
///
/// # Errors
/// Those of the first read.
pub fn as_utf8<'a>(mut input: Box<dyn BufRead + Send + 'a>) -> Result<Box<dyn BufRead + Send + 'a>> {
    if !input.fill_buf()?.first().is_some_and(|first| matches!(first, 0xff | 0xfe)) {
        return Ok(input);
    }
    // A pipe may give its first byte alone.
    let mut head = Vec::new();
    while head.len() < 4 {
        let mut one = [0];
        match input.read(&mut one)? {
            0 => break,
            _ => head.push(one[0]),
        }
    }
    let little = head.starts_with(b"\xff\xfe") && !head.starts_with(b"\xff\xfe\x00\x00");
    let big = head.starts_with(b"\xfe\xff");
    let marked = little || big;
    let rest = Cursor::new(if marked { head[2..].to_vec() } else { head }).chain(input);
    Ok(if marked {
        Box::new(BufReader::with_capacity(1 << 18, Utf16::new(rest, big)))
    } else {
        Box::new(BufReader::new(rest))
    })
}

/// UTF-16 as UTF-8.
struct Utf16<R> {
    input: Chain<Cursor<Vec<u8>>, R>,
    big: bool,
    /// Bytes that are no whole unit yet, and the first half of a pair.
    held: Option<u8>,
    high: Option<u16>,
    out: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: BufRead> Utf16<R> {
    fn new(input: Chain<Cursor<Vec<u8>>, R>, big: bool) -> Self {
        Self { input, big, held: None, high: None, out: Vec::new(), given: 0, ended: false }
    }

    fn unit(&mut self, unit: u16) {
        if let Some(high) = self.high.take() {
            if (0xdc00..0xe000).contains(&unit) {
                let point = 0x1_0000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(unit) - 0xdc00);
                self.push(point);
                return;
            }
            self.push(u32::from(high));
        }
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
        } else {
            self.push(u32::from(unit));
        }
    }

    /// Writes a character, or for half of a pair bytes that are no character.
    fn push(&mut self, point: u32) {
        match char::from_u32(point) {
            Some(c) => self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => self.out.extend_from_slice(&[0xed, 0x80 | (point >> 6 & 0x3f) as u8, 0x80 | (point & 0x3f) as u8]),
        }
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.given == self.out.len() && !self.ended {
            self.out.clear();
            self.given = 0;
            let mut bytes = vec![0; 1 << 16];
            let n = self.input.read(&mut bytes)?;
            if n == 0 {
                self.ended = true;
                if let Some(high) = self.high.take() {
                    self.push(u32::from(high));
                }
                if self.held.take().is_some() {
                    self.out.push(0xff);
                }
            }
            for &byte in &bytes[..n] {
                match self.held.take() {
                    None => self.held = Some(byte),
                    Some(first) => {
                        let pair = [first, byte];
                        self.unit(if self.big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) });
                    }
                }
            }
        }
        let n = buffer.len().min(self.out.len() - self.given);
        buffer[..n].copy_from_slice(&self.out[self.given..self.given + n]);
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], capacity: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let input = BufReader::with_capacity(capacity, Cursor::new(bytes.to_vec()));
        as_utf8(Box::new(input)).unwrap().read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn utf_16_is_decoded_by_its_mark_and_all_else_passes() {
        let text = "{\"p\": \"¿Cuánto? 灯 🏮\"}\n";
        let little: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let big: Vec<u8> = [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        for capacity in [1, 2, 3, 7, 4096] {
            assert_eq!(decoded(&little, capacity), text.as_bytes());
            assert_eq!(decoded(&big, capacity), text.as_bytes());
            for plain in [text.as_bytes(), b"", b"\xff", b"\xef\xbb\xbfx", b"\xff\xfe\0\0a\0\0\0"] {
                assert_eq!(decoded(plain, capacity), plain);
            }
        }
    }

    #[test]
    fn half_a_pair_costs_its_row() {
        let units = [0x61, 0xd83c, 0x0a, 0xdc00, 0x62];
        let bytes: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(units.into_iter().flat_map(u16::to_le_bytes)).chain([7]).collect();
        let out = decoded(&bytes, 4096);
        let rows: Vec<&[u8]> = out.split(|byte| *byte == b'\n').collect();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| std::str::from_utf8(row).is_err()), "{out:x?}");
    }

    #[test]
    fn other_encodings_are_named() {
        assert_eq!(refused(b"\xff\xfe\0\0{\0\0\0"), Some("UTF-32 (little-endian)"));
        assert_eq!(refused(b"{\0\"\0"), Some("UTF-16 (little-endian) without a byte order mark"));
        assert_eq!(refused(b"\0{\0\""), Some("UTF-16 (big-endian) without a byte order mark"));
        assert_eq!(refused(b"{\"a\""), None);
        assert!(likely(b"caf\xe9").starts_with("ISO 8859-1"));
        assert!(likely(b"\x93caf\xe9\x94").starts_with("Windows-1252"));
    }
}
