//! Files of golden vectors, and how their numbers are compared.

use serde_json::Value;
use std::io::Read as _;
use std::path::PathBuf;

/// The vectors in `stem`.json, or `stem`.json.gz.
pub(crate) fn vectors(stem: &str) -> Value {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let dir = std::env::var_os("STILLHUNT_GOLDEN").map_or_else(default, PathBuf::from);
    let (plain, packed) = (dir.join(format!("{stem}.json")), dir.join(format!("{stem}.json.gz")));
    let mut text = Vec::new();
    if let Ok(bytes) = std::fs::read(&plain) {
        text = bytes;
    } else if let Ok(file) = std::fs::File::open(&packed) {
        flate2::read::MultiGzDecoder::new(file).read_to_end(&mut text).expect("gzip");
    } else {
        panic!("golden vectors {stem}: expected {} or {}, found neither", plain.display(), packed.display());
    }
    serde_json::from_slice(&text).unwrap_or_else(|cause| panic!("golden vectors {stem}: {cause}"))
}

/// The list at `name`, which must have entries.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value[name].as_array().unwrap_or_else(|| panic!("expected a list {name}"));
    assert!(!list.is_empty(), "expected entries in {name}");
    list
}

/// Token ids.
pub(crate) fn ids(value: &Value) -> Vec<u32> {
    let id = |id: &Value| u32::try_from(id.as_u64().expect("a token id")).expect("32 bits");
    value.as_array().expect("token ids").iter().map(id).collect()
}

/// A number.
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("expected a number, got {value}"))
}

/// A whole number, also beyond 64 bits or in quotes.
pub(crate) fn integer(value: &Value) -> i128 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().unwrap_or_else(|_| panic!("expected a whole number, got {text}"))
}

/// `got` within a relative `tolerance` of `expected` (absolute below 1e-300).
#[track_caller]
pub(crate) fn close(got: f64, expected: f64, tolerance: f64, what: &dyn std::fmt::Display) {
    assert!((got - expected).abs() <= tolerance * expected.abs().max(1e-300), "{what}: {got} and not {expected}");
}

/// SHA-256 in hex of little-endian 32-bit integers, as the files have it.
pub(crate) fn sha256_i4(ids: impl IntoIterator<Item = u32>) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    ids.into_iter().for_each(|id| hash.update(id.to_le_bytes()));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
