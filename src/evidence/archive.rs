//! A bundle as one file: tar, compressed with zstd, in one form only.
//!
//! The header of each entry is a function of name and length (no owner, no time, mode 0644), and a reader compares all 512 bytes of it with what the
//! writer would have written. So a link, a directory, another owner, an absolute path, `..` or a name that comes twice is no case of its
//! own: it is another header, and refused. Weakness: an archive that somebody packed anew with tar is refused too; unpack it and verify
//! the directory. A byte of zstd's own framing may change and the files be the same; it is the files that are checked. Guarantee: any bytes give files or an error, within [`MOST_BYTES`] and a window of 128 MiB.

use super::{Failure, Files, MOST_BYTES, MOST_FILES, is_name};
use std::io::Read as _;

/// The directory that an archive unpacks to.
const DIR: &str = "evidence/";
const BLOCK: usize = 512;
/// Largest window of a zstd frame, as a power of two.
const WINDOW: u32 = 27;

/// The step of whatever is wrong with an archive.
const STEP: &str = "archive";

fn failed(message: impl Into<String>) -> Failure {
    Failure::new(STEP, message)
}

/// The header of a file.
fn header(name: &str, length: u64) -> [u8; BLOCK] {
    let mut out = [0; BLOCK];
    let mut put = |at: usize, text: &str| out[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, &format!("{DIR}{name}"));
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{length:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    put(329, "0000000\0");
    put(337, "0000000\0");
    let sum: u32 = out.iter().map(|&b| u32::from(b)).sum();
    out[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out
}

/// Packs a bundle.
#[must_use]
pub fn write(files: &Files) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, bytes) in files {
        tar.extend_from_slice(&header(name, bytes.len() as u64));
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    compress(&tar).unwrap_or_default()
}

fn compress(tar: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = zstd::stream::write::Encoder::new(Vec::new(), 19)?;
    out.include_checksum(true)?;
    out.set_pledged_src_size(Some(tar.len() as u64))?;
    std::io::Write::write_all(&mut out, tar)?;
    out.finish()
}

/// Whether bytes begin as a zstd frame does.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// Unpacks a bundle.
/// # Errors
/// The step `archive`, with what is wrong.
pub fn read(bytes: &[u8]) -> Result<Files, Failure> {
    let broken = |cause: std::io::Error| failed(format!("expected a whole zstd archive: {cause}"));
    let mut tar = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(broken)?.single_frame();
    decoder.window_log_max(WINDOW).map_err(broken)?;
    (&mut decoder).take(MOST_BYTES + 1).read_to_end(&mut tar).map_err(broken)?;
    if tar.len() as u64 > MOST_BYTES {
        return Err(failed(format!("expected at most {MOST_BYTES} bytes unpacked, got more")));
    }
    if !decoder.finish().is_empty() {
        return Err(failed("expected the end of the archive, got more bytes behind it"));
    }
    untar(&tar)
}

/// Reads the tar inside.
pub(super) fn untar(tar: &[u8]) -> Result<Files, Failure> {
    let mut files = Files::new();
    let mut rest = tar;
    loop {
        let (head, behind) =
            rest.split_at_checked(BLOCK).ok_or_else(|| failed("expected another entry, got the end"))?;
        if head.iter().all(|&b| b == 0) {
            if behind.len() == BLOCK && behind.iter().all(|&b| b == 0) {
                return Ok(files);
            }
            return Err(failed("expected two empty blocks at the end, got something else"));
        }
        let text = |from: usize, to: usize| {
            head.get(from..to).and_then(|field| std::str::from_utf8(field).ok()).map(|text| text.trim_end_matches('\0'))
        };
        let name = text(0, 100).and_then(|name| name.strip_prefix(DIR)).filter(|name| is_name(name));
        let name = name.ok_or_else(|| {
            let got: String = String::from_utf8_lossy(&head[..100]).trim_end_matches('\0').into();
            failed(format!("expected an ordinary name below {DIR}, got {got:?}"))
        })?;
        let length = text(124, 136).and_then(|digits| u64::from_str_radix(digits, 8).ok());
        let length = length.filter(|length| *length <= MOST_BYTES).unwrap_or(u64::MAX);
        if header(name, length)[..] != *head {
            return Err(failed(format!(
                "expected an ordinary file {name}, got another kind of entry, or a changed one"
            )));
        }
        let padded = (length as usize).next_multiple_of(BLOCK);
        let (content, after) = behind
            .split_at_checked(padded)
            .ok_or_else(|| failed(format!("expected {length} bytes of {name}, got the end")))?;
        let (bytes, padding) = content.split_at(length as usize);
        if padding.iter().any(|&b| b != 0) {
            return Err(failed(format!("expected nothing behind {name}, got other bytes")));
        }
        if files.last_key_value().is_some_and(|(before, _)| before.as_str() >= name) {
            return Err(failed(format!("expected names in order and each once, got {name} again or too late")));
        }
        if files.len() == MOST_FILES {
            return Err(failed(format!("expected at most {MOST_FILES} files, got more")));
        }
        files.insert(name.to_owned(), bytes.to_vec());
        rest = after;
    }
}
