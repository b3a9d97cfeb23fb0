//! The files that both sides read: texts as JSON strings, one a line; vectors as rows of little-endian f32; hits of searches.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

/// The first `n` texts of a file.
pub(crate) fn texts(path: &Path, n: usize) -> Vec<String> {
    let lines = BufReader::new(File::open(path).expect("the texts")).lines().take(n);
    lines.map(|line| serde_json::from_str(&line.expect("a line")).expect("a JSON string")).collect()
}

/// Rows `from` to `to` of a file of vectors of `dim` numbers.
pub(crate) fn vectors(path: &Path, dim: usize, from: usize, to: usize) -> Vec<f32> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut out = vec![0f32; (to - from) * dim];
    let mut file = File::open(path).expect("the vectors");
    file.seek(SeekFrom::Start((from * dim * 4) as u64)).expect("the rows");
    file.read_exact(bytemuck::cast_slice_mut(&mut out)).expect("as many rows");
    out
}

/// Writes numbers as they lie in memory.
pub(crate) fn write<T: bytemuck::NoUninit>(path: &Path, numbers: &[T]) {
    std::fs::write(path, bytemuck::cast_slice(numbers)).expect("the file");
}

/// Writes texts, one a line.
pub(crate) fn write_texts<'a>(path: &Path, texts: impl Iterator<Item = &'a str>) {
    let mut out = BufWriter::new(File::create(path).expect("the file"));
    for text in texts {
        writeln!(out, "{}", serde_json::to_string(text).expect("a string")).expect("a line");
    }
    out.flush().expect("the file");
}

/// Hits of queries: how many each has, then all of them, as u32.
pub(crate) fn write_hits(path: &Path, hits: &[Vec<u32>]) {
    let mut out: Vec<u32> = hits.iter().map(|list| list.len() as u32).collect();
    out.extend(hits.iter().flatten());
    write(path, &out);
}
