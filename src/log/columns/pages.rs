//! What a Parquet file says of itself, read before the decoder believes it.
//!
//! The decoder makes room for what headers promise: a list of two thousand million entries, a page of two gigabytes, a schema
//! nested without end. This walks the footer and the headers of all pages, which are the compact form of Thrift, without
//! decoding a value, and adds up what they promise. gzip is the one codec whose decoder goes on past the promised size, so such
//! pages are decompressed once beforehand and only counted.
//!
//! Weakness: the pages of every column are visited twice, which costs a seek a page, and gzip its decompression again.
//! Guarantee: any bytes give a weight or a sentence; recursion ends at [`DEPTH`].

use parquet::basic::Compression;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader as _, Length as _};
use std::fs::File;
use std::io::Read as _;

/// Deepest nesting, of the schema and of Thrift.
const DEPTH: usize = 64;
/// Longest footer: 64 MiB describe a hundred thousand column chunks.
const FOOTER: u64 = 64 << 20;
/// Longest header of a page; statistics of long texts stand in it.
const PAGE_HEADER: u64 = 16 << 20;
/// Longest value of a column of fixed width.
const WIDE: i64 = 1 << 16;
/// Values of a nested column in one row group that may take less than a byte each.
const FREE_VALUES: u64 = 1 << 26;

type Checked<T> = std::result::Result<T, String>;

/// Refuses a footer that the decoder could not hold: its lists are as long as their bytes at most, its schema has at most
/// `columns` columns and [`DEPTH`] levels.
pub(super) fn check_footer(file: &File, columns: usize) -> Checked<()> {
    let length = file.len();
    let end = length.checked_sub(8).ok_or("a file of fewer than 8 bytes")?;
    let tail = file.get_bytes(end, 8).map_err(|cause| cause.to_string())?;
    let footer = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if &tail[4..] != b"PAR1" || footer > end {
        return Err("no footer".to_owned());
    }
    if footer > FOOTER {
        return Err(format!("a footer of {footer} bytes, where {FOOTER} are the most"));
    }
    let bytes = file.get_bytes(end - footer, footer as usize).map_err(|cause| cause.to_string())?;
    let mut thrift = Thrift(&bytes);
    let mut open: Vec<u32> = Vec::new();
    let mut leaves = 0;
    thrift.fields(0, &mut |thrift, id, kind| {
        if (id, kind) != (2, LIST) {
            return Ok(false);
        }
        let (n, kind) = thrift.list()?;
        for _ in 0..n {
            if kind != STRUCT {
                return Err("a schema of no elements".to_owned());
            }
            let mut children = 0;
            thrift.fields(1, &mut |thrift, id, kind| {
                match (id, kind) {
                    (2, I32) if thrift.number()? > WIDE => {
                        return Err(format!("a column of values of more than {WIDE} bytes each"));
                    }
                    (2, I32) => {}
                    (5, I32) => children = u32::try_from(thrift.number()?).map_err(|_| "children below nought")?,
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            leaves += usize::from(children == 0);
            if children as usize > n {
                return Err(format!("{children} columns of a group in a schema of {n}"));
            }
            if children > 0 {
                open.push(children);
            }
            if open.len() > DEPTH || leaves > columns {
                return Err(format!("a schema of more than {DEPTH} levels or {columns} columns"));
            }
        }
        Ok(true)
    })
}

/// What the pages of a row group promise.
#[derive(Debug, Default)]
pub(super) struct Weight {
    /// Bytes of the largest pages of all columns, which are open at once.
    pub(super) open: u64,
    /// Bytes of a row where its columns are heaviest.
    pub(super) row: u64,
}

/// Adds up the pages of a row group. Its rows are counted by the file, so they are not believed beyond what its pages say.
pub(super) fn weigh(file: &File, group: &RowGroupMetaData, limit: u64) -> Checked<Weight> {
    let mut weight = Weight::default();
    for column in group.columns() {
        let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
        let range = u64::try_from(start).ok().zip(u64::try_from(column.compressed_size()).ok());
        let (mut at, mut left) = range.ok_or("a column that begins before the file")?;
        if at.checked_add(left).is_none_or(|end| end > file.len()) {
            return Err("a column that ends behind the file".to_owned());
        }
        let flat = column.column_descr().max_rep_level() == 0;
        let (mut dictionary, mut largest, mut bytes, mut values, mut densest) = (0, 0, 0u64, 0u64, 0);
        while left > 0 {
            let (page, header) = page_header(file, at, left)?;
            let size = page.uncompressed.max(page.compressed);
            let next = header + page.compressed;
            if next > left {
                return Err("a page that ends behind its column".to_owned());
            }
            if matches!(column.compression(), Compression::GZIP(_)) && !page.plain {
                check_gzip(file, at + header, &page)?;
            }
            if page.data {
                largest = size.max(largest);
                bytes += size;
                values = values.saturating_add(page.values);
                densest = densest.max(size / page.values.max(1));
            } else {
                dictionary = size.max(dictionary);
            }
            (at, left) = (at + next, left - next);
        }
        if !flat && values > FREE_VALUES + bytes {
            return Err(format!("{values} values of a nested column in pages of {bytes} bytes"));
        }
        // A value of fixed width takes its room also where it is absent.
        let wide = u64::try_from(column.column_descr().type_length()).unwrap_or(0);
        if !flat && values.saturating_mul(wide) > limit {
            return Err(format!("{values} values of a nested column of {wide} bytes each"));
        }
        let rows = u64::try_from(group.num_rows()).unwrap_or(0).clamp(1, values.max(1));
        weight.row = weight.row.saturating_add(if flat { densest.max(wide) } else { bytes / rows });
        weight.open = weight.open.saturating_add(dictionary + largest);
        if weight.open > limit {
            return Err(format!("pages of more than {limit} bytes that are open at once"));
        }
    }
    Ok(weight)
}

/// What the header of a page promises.
#[derive(Debug, Default)]
struct Page {
    uncompressed: u64,
    compressed: u64,
    values: u64,
    data: bool,
    /// Bytes before the compressed ones.
    levels: u64,
    /// Whether nothing is compressed.
    plain: bool,
}

/// The header at `at`, and its length.
fn page_header(file: &File, at: u64, left: u64) -> Checked<(Page, u64)> {
    let mut window = 4096;
    loop {
        let held = left.min(window);
        let bytes = file.get_bytes(at, held as usize).map_err(|cause| cause.to_string())?;
        let mut thrift = Thrift(&bytes);
        match page_of(&mut thrift) {
            Ok(page) => return Ok((page, held - thrift.0.len() as u64)),
            Err(_) if held < left && window < PAGE_HEADER => window *= 16,
            Err(cause) => return Err(cause),
        }
    }
}

fn page_of(thrift: &mut Thrift<'_>) -> Checked<Page> {
    let mut page = Page::default();
    let size = |number: i64| u64::try_from(number).map_err(|_| "a size below nought".to_owned());
    thrift.fields(0, &mut |thrift, id, kind| {
        match (id, kind) {
            (2, I32) => page.uncompressed = size(thrift.number()?)?,
            (3, I32) => page.compressed = size(thrift.number()?)?,
            (5 | 8, STRUCT) => {
                page.data = true;
                thrift.fields(1, &mut |thrift, inner, kind| {
                    match (id, inner, kind) {
                        (_, 1, I32) => page.values = size(thrift.number()?)?,
                        (8, 5 | 6, I32) => page.levels += size(thrift.number()?)?,
                        (8, 7, FALSE) => page.plain = true,
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(page)
}

/// Refuses a page that holds more than it promises.
fn check_gzip(file: &File, at: u64, page: &Page) -> Checked<()> {
    let bytes = file.get_bytes(at, page.compressed as usize).map_err(|cause| cause.to_string())?;
    let inner = bytes.get(page.levels as usize..).unwrap_or_default();
    let promised = page.uncompressed.saturating_sub(page.levels);
    let mut decoder = flate2::read::MultiGzDecoder::new(inner).take(promised + 1);
    // A page that breaks off is the decoder's to refuse.
    match std::io::copy(&mut decoder, &mut std::io::sink()) {
        Ok(n) if n > promised => Err(format!("a page of more than the {promised} bytes that it promises")),
        _ => Ok(()),
    }
}

const FALSE: u8 = 2;
const I32: u8 = 5;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Bytes of the compact Thrift protocol.
struct Thrift<'a>(&'a [u8]);

/// Takes a field, or leaves it to be passed over: (its bytes, id, type) → whether it was taken.
type Visit<'v> = dyn FnMut(&mut Thrift<'_>, i64, u8) -> Checked<bool> + 'v;

impl Thrift<'_> {
    fn take(&mut self, n: u64) -> Checked<()> {
        let n = usize::try_from(n).ok().filter(|n| *n <= self.0.len()).ok_or("an early end")?;
        self.0 = &self.0[n..];
        Ok(())
    }

    fn byte(&mut self) -> Checked<u8> {
        let byte = *self.0.first().ok_or("an early end")?;
        self.0 = &self.0[1..];
        Ok(byte)
    }

    fn varint(&mut self) -> Checked<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
        }
        Err("a number without end".to_owned())
    }

    /// A signed number, zigzag.
    fn number(&mut self) -> Checked<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Length and type of a list, which has a byte an entry at least.
    fn list(&mut self) -> Checked<(usize, u8)> {
        let head = self.byte()?;
        let n = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        let n = usize::try_from(n).ok().filter(|n| *n <= self.0.len()).ok_or("a list longer than its bytes")?;
        Ok((n, head & 15))
    }

    /// The fields of a struct at a depth.
    fn fields(&mut self, depth: usize, visit: &mut Visit<'_>) -> Checked<()> {
        let mut id = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            let delta = i64::from(head >> 4);
            id = if delta == 0 { self.number()? } else { id + delta };
            let kind = head & 15;
            if !visit(self, id, kind)? {
                self.skip(kind, depth, false)?;
            }
        }
    }

    /// Passes over a value; in a list a truth value has a byte.
    fn skip(&mut self, kind: u8, depth: usize, listed: bool) -> Checked<()> {
        if depth > DEPTH {
            return Err(format!("more than {DEPTH} levels"));
        }
        match kind {
            1 | FALSE => self.take(u64::from(listed)),
            3 => self.take(1),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            8 => self.varint().and_then(|n| self.take(n)),
            LIST | 10 => {
                let (n, kind) = self.list()?;
                (0..n).try_for_each(|_| self.skip(kind, depth + 1, true))
            }
            11 => {
                let n = self.varint()?;
                let kinds = if n > 0 { self.byte()? } else { 0 };
                for _ in 0..n {
                    self.skip(kinds >> 4, depth + 1, true)?;
                    self.skip(kinds & 15, depth + 1, true)?;
                    if self.0.is_empty() {
                        break;
                    }
                }
                Ok(())
            }
            STRUCT => self.fields(depth + 1, &mut |_, _, _| Ok(false)),
            other => Err(format!("a value of the unknown type {other}")),
        }
    }
}
