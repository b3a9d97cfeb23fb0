//! Predictions as a NumPy array (`.npy`): two dimensions of whole numbers, one row a prediction, its context first and last the token predicted.
//!
//! Weakness: all contexts are of one length, and one token is predicted for each; rows of JSON say more. Guarantee: any bytes give predictions,
//! bad rows or an error, never a panic; what the header promises is not believed, so memory is bounded by a batch.

use super::document::Prediction;
use super::{LogConfig, Place, Reason, Row, Sink, bad};
use crate::error::{Error, ErrorKind, Result};
use ndarray_npy::npy::header::{Header, Layout};
use std::io::Read;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header, with all before the numbers: twice what an array of two dimensions has. The parser of headers goes as deep as their brackets.
const LONGEST_HEADER: usize = 256;

/// Whether a stream of this beginning holds a NumPy array.
#[must_use]
pub fn begins_as_array(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// How the numbers lie in the file.
struct Numbers {
    big: bool,
    signed: bool,
    /// Bytes of one: 1, 2, 4 or 8.
    size: usize,
}

impl Numbers {
    /// Of NumPy's name of a type: `<i8`, `|u1`.
    fn new(name: &str) -> Option<Self> {
        let [order, kind, size] = *name.as_bytes() else { return None };
        let size = usize::from(size.wrapping_sub(b'0'));
        let known = matches!(order, b'<' | b'>' | b'|') && matches!(kind, b'i' | b'u') && matches!(size, 1 | 2 | 4 | 8);
        known.then_some(Self { big: order == b'>', signed: kind == b'i', size })
    }

    /// A number that is a token id: below 2³² − 1.
    fn id(&self, bytes: &[u8]) -> Option<u32> {
        let bits = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let number = if self.big { bytes.iter().fold(0, bits) } else { bytes.iter().rev().fold(0, bits) };
        // Of a number below 0 the highest bit is set.
        let negative = self.signed && number >> (8 * self.size - 1) == 1;
        u32::try_from(number).ok().filter(|id| !negative && *id < u32::MAX)
    }
}

/// Reads predictions of a NumPy array: shape (predictions, context + 1), of `i1` to `i8` or `u1` to `u8`, in C's order.
///
/// # Errors
/// `Input` when the bytes are another array, or not as many as its header says; `Io` when they cannot be read; those of `sink`.
pub fn read_predictions(input: &mut dyn Read, config: &LogConfig, sink: &mut Sink<'_, Prediction>) -> Result<()> {
    let wrong = |got: &dyn std::fmt::Display| {
        let message = format!("expected a NumPy array of whole numbers of shape (predictions, context + 1), got {got}");
        Error::new(ErrorKind::Input, message)
            .hint("numpy.save(FILE, numpy.ascontiguousarray(ids)), or rows of JSON with context and predicted")
    };
    let unread = |cause: std::io::Error| Error::new(ErrorKind::Io, format!("cannot read the array: {cause}"));
    let mut start = vec![0; 10];
    fill(input, &mut start).map_err(unread)?.then_some(()).ok_or_else(|| wrong(&"a file that ends in its header"))?;
    let mut length = usize::from(u16::from_le_bytes([start[8], start[9]]));
    if start[6] > 1 {
        // Later versions have a length of 4 bytes.
        start.resize(12, 0);
        fill(input, &mut start[10..]).map_err(unread)?;
        length |= usize::from(u16::from_le_bytes([start[10], start[11]])) << 16;
    }
    let whole = start.len() + length;
    if !begins_as_array(&start) || whole > LONGEST_HEADER {
        return Err(wrong(&format!("a header of {whole} bytes")));
    }
    let begun = start.len();
    start.resize(whole, 0);
    fill(input, &mut start[begun..]).map_err(unread)?;
    let header = Header::from_reader(&mut &start[..]).map_err(|cause| wrong(&cause))?;
    let numbers = header.type_descriptor.as_string().and_then(|name| Numbers::new(name));
    let (Some(numbers), &[n, width @ (1..)]) = (numbers, &header.shape[..]) else {
        return Err(wrong(&format!("{} of shape {:?}", header.type_descriptor, header.shape)));
    };
    if header.layout == Layout::Fortran && n > 1 && width > 1 {
        return Err(wrong(&"one whose columns stand one after another"));
    }
    let row_bytes = width.saturating_mul(numbers.size);
    if row_bytes > config.max_row_bytes {
        return Err(wrong(&format!("rows of {row_bytes} bytes, more than {}", config.max_row_bytes)));
    }
    let (mut bytes, mut batch) = (vec![0; row_bytes], Vec::new());
    for row in 1..=n as u64 {
        if !fill(input, &mut bytes).map_err(unread)? {
            return Err(wrong(&format!("a file that ends in row {row} of {n}")));
        }
        let ids: Option<Vec<u32>> = bytes.chunks_exact(numbers.size).map(|number| numbers.id(number)).collect();
        batch.push(match ids.and_then(|mut ids| Some((ids.pop()?, ids))) {
            Some((predicted, context)) => {
                let prediction = Prediction { context, predicted: vec![predicted] };
                Row { place: Place { row, part: 0 }, result: Ok(prediction) }
            }
            None => bad(row, Reason::BadTokens, "expected token ids, got a number that is none", &bytes),
        });
        if batch.len() >= config.batch_rows || batch.len().saturating_mul(row_bytes) >= config.batch_bytes {
            sink(std::mem::take(&mut batch))?;
        }
    }
    sink(batch)?;
    if fill(input, &mut [0]).map_err(unread)? {
        return Err(wrong(&format!("more bytes than {n} rows of {width}")));
    }
    Ok(())
}

/// Fills `into`, or says that the input ended before.
fn fill(input: &mut dyn Read, into: &mut [u8]) -> std::io::Result<bool> {
    match input.read_exact(into) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray_npy::{WritableElement, WriteNpyExt as _};

    /// A context and what was predicted after it, or why not.
    type Told = std::result::Result<(Vec<u32>, Vec<u32>), Reason>;

    fn read(bytes: &[u8]) -> Result<Vec<Told>> {
        let config = LogConfig { batch_rows: 2, max_row_bytes: 64, ..LogConfig::default() };
        let mut rows = Vec::new();
        read_predictions(&mut &*bytes, &config, &mut |batch| {
            assert!(batch.len() <= 2, "a batch is bounded");
            let one =
                |row: Row<Prediction>| row.result.map(|row| (row.context, row.predicted)).map_err(|bad| bad.reason);
            rows.extend(batch.into_iter().map(one));
            Ok(())
        })?;
        Ok(rows)
    }

    fn written<T: WritableElement + Clone>(rows: &[[T; 3]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        ndarray::arr2(rows).write_npy(&mut bytes).expect("written");
        bytes
    }

    #[test]
    fn every_type_of_whole_number_is_read_and_what_is_no_id_is_a_bad_row() {
        let expected: Vec<_> = (0..5u32).map(|i| Ok((vec![i, 7], vec![100 + i]))).collect();
        macro_rules! each {
            ($($kind:ty),*) => {$(
                let rows: Vec<[$kind; 3]> = (0..5u8).map(|i| [i.into(), 7u8.into(), (100 + i).into()]).collect();
                assert_eq!(read(&written(&rows)).expect("read"), expected, stringify!($kind));
            )*};
        }
        each!(u8, i16, u16, i32, u32, i64, u64);
        assert_eq!(read(&written(&[[0i8, 7, 100]])).expect("read"), expected[..1]);
        let most = i64::from(u32::MAX);
        let bad = Err(Reason::BadTokens);
        let rows =
            read(&written(&[[1, 2, 3], [-1, 2, 3], [1, 2, most], [1, 2, most - 1], [1 << 40, 2, 3]])).expect("read");
        assert_eq!(
            rows,
            [Ok((vec![1, 2], vec![3])), bad.clone(), bad.clone(), Ok((vec![1, 2], vec![u32::MAX - 1])), bad]
        );
        // The other order of bytes.
        let mut bytes = written(&[[256i16, 512, 768]]);
        let order = bytes.windows(3).position(|three| three == b"<i2").expect("a type");
        bytes[order] = b'>';
        assert_eq!(read(&bytes).expect("read"), [Ok((vec![1, 2], vec![3]))]);
    }

    #[test]
    fn another_array_is_refused_in_words_and_a_promise_of_more_is_not_believed() {
        let said = |bytes: &[u8]| read(bytes).expect_err("refused").to_string();
        let mut one = Vec::new();
        ndarray::arr1(&[1i64, 2]).write_npy(&mut one).expect("written");
        assert!(said(&one).contains("of shape [2]"), "{}", said(&one));
        assert!(said(&written(&[[0.5f32, 1.0, 2.0]])).contains("f4"));
        let mut columns = Vec::new();
        ndarray::arr2(&[[1i64, 2], [3, 4]]).reversed_axes().write_npy(&mut columns).expect("written");
        assert!(said(&columns).contains("columns"), "{}", said(&columns));
        let mut wide = Vec::new();
        ndarray::Array2::<i64>::zeros((1, 9)).write_npy(&mut wide).expect("written");
        assert!(said(&wide).contains("72 bytes"), "{}", said(&wide));
        let whole = written(&[[1i64, 2, 3], [4, 5, 6]]);
        assert!(said(&whole[..whole.len() - 1]).contains("ends in row 2 of 2"));
        assert!(said(&[&whole[..], b"x"].concat()).contains("more bytes"));
        assert!(said(b"\x93NUMPY").contains("ends in its header"));
        // A header that goes deep, and one that promises 10¹⁸ rows.
        let with = |dict: &str| {
            let length = u16::try_from(dict.len()).expect("short").to_le_bytes();
            [MAGIC, &[1, 0], &length, dict.as_bytes()].concat()
        };
        assert!(said(&with(&"(".repeat(60_000))).contains("60010 bytes"));
        assert!(!said(&with(&"(".repeat(240))).is_empty());
        let many = with("{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000000000, 3), }\n");
        assert!(said(&many).contains("ends in row 1 of"), "{}", said(&many));
    }
}
