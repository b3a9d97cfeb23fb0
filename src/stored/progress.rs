//! Who is told how long work goes on.

/// Who is told how long work goes on.
pub trait Progress: Sync {
    /// A stage begins; `total` is the number of its bytes, where it is known.
    fn stage(&self, name: &str, total: Option<u64>);
    /// So many more rows are done, which makes so many bytes in all.
    fn advance(&self, rows: u64, bytes: u64);
    /// Something worth a line.
    fn note(&self, text: &str);
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {}
    fn note(&self, _: &str) {}
}
