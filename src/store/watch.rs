//! A watch on a store: tells a program that keeps a store open that somebody has committed to it.
//!
//! The idea: a connection to the catalog without a snapshot, which SQLite tells a number that changes with every commit of another
//! connection. Weakness: it says that something was committed, not what. Guarantee: after a commit has returned to its writer, the next
//! question is answered with another number.

use super::Catalog;
use crate::error::Result;
use std::path::Path;

/// A connection that sees commits.
pub struct Watch(Catalog);

impl Watch {
    /// Begins to watch the store at `dir`.
    /// # Errors
    /// `Store` when there is none, or it is damaged or of another format.
    pub fn open(dir: &Path) -> Result<Self> {
        // This tells what is wrong where there is no store.
        super::Store::open(dir)?;
        Catalog::open(&dir.join("catalog.sqlite"), false).map(Self)
    }

    /// The number of the newest commit; only its change says something.
    /// # Errors
    /// `Store` when the catalog cannot be read.
    pub fn version(&self) -> Result<i64> {
        self.0.version()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Writer;

    #[test]
    fn a_commit_changes_the_number_and_nothing_else_does() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = dir.path().join("store");
        assert!(Watch::open(&store).is_err(), "there is no store yet");
        drop(Writer::open(&store, "a test", &[]).expect("made"));
        let watch = Watch::open(&store).expect("watched");
        let before = watch.version().expect("a number");
        assert_eq!(watch.version().expect("a number"), before);
        let (mut writer, _) = Writer::open(&store, "a test", &[]).expect("opened");
        writer.record(|change| change.execute("CREATE TABLE t (x INTEGER)", []).map(|_| ())).expect("committed");
        assert_ne!(watch.version().expect("a number"), before);
    }
}
