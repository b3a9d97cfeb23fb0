//! Is everything as it was written? Every named file against its digest, every table of the catalog against its own.
//!
//! All damage is found, not only the first, so that one reading tells what to restore. Weakness: a value is compared with what
//! the catalog says, so whoever can write both can make a store that is whole and false. Guarantee: damaged bytes give a line,
//! never a panic; a file that a later writer swept meanwhile is not damage.

use super::{Named, Store, digests, files};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::path::Path;

/// Newer commits that a check follows when files are swept under it.
const TRIES: usize = 8;

/// A file or a table of the catalog that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, and the table where it is the catalog's.
    pub name: String,
    /// What was expected and what is there.
    pub what: String,
    /// Whether the file is not there at all.
    pub missing: bool,
}

impl Damage {
    fn of_table((table, what): (String, String)) -> Self {
        Self { name: format!("catalog.sqlite, table {table},"), what, missing: false }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not as it was written: {}", self.name, self.what)
    }
}

/// What a check of a store found.
pub struct Verified {
    /// The store as of the commit that was checked; `None` where its catalog is too damaged to be opened.
    pub store: Option<Store>,
    /// All damage: of the catalog first, then of files in the order of the catalog.
    pub damage: Vec<Damage>,
}

impl Verified {
    /// The store, if all of it is as it was written.
    /// # Errors
    /// `Store`, with the first damage and the number of all.
    pub fn whole(self) -> Result<Store> {
        match (self.damage.first(), self.store) {
            (None, Some(store)) => Ok(store),
            (first, _) => {
                let first = first.map_or_else(|| "the catalog cannot be read".to_owned(), Damage::to_string);
                let more = match self.damage.len() {
                    0 | 1 => String::new(),
                    n => format!(" (and {} more)", n - 1),
                };
                Err(Error::new(ErrorKind::Store, first + &more).hint(HINT))
            }
        }
    }
}

/// What can be done about damage.
pub const HINT: &str = "restore it from a backup, or audit the logs again into a new store";

/// Checks the last commit of the store at `dir`: tables of the catalog, then named files.
/// # Errors
/// `Store` when there is none, or it is of another format; `Io` when it may not be read.
pub fn verify(dir: &Path) -> Result<Verified> {
    let mut verified = once(dir)?;
    for _ in 1..TRIES {
        let swept = verified.damage.iter().any(|damage| damage.missing);
        let newer =
            swept && Store::open(dir).is_ok_and(|now| verified.store.as_ref().is_some_and(|s| s.files != now.files));
        if !newer {
            break;
        }
        verified = once(dir)?;
    }
    Ok(verified)
}

fn once(dir: &Path) -> Result<Verified> {
    let mut store = Store::unread(dir, false)?;
    let mut damage = store.catalog.damage();
    match store.refresh() {
        Ok(()) => {}
        Err(error) if damage.is_empty() => return Err(error),
        Err(_) => return Ok(Verified { store: None, damage }),
    }
    damage.extend(store.files.iter().filter_map(|file| of_file(&store, file)));
    Ok(Verified { store: Some(store), damage })
}

fn of_file(store: &Store, file: &Named) -> Option<Damage> {
    let path = store.path(file);
    let (what, missing) = match files::digest_file(&path) {
        Ok((digest, bytes)) if bytes == file.bytes && digest.to_string() == file.blake3 => return None,
        Ok((digest, bytes)) => {
            let expected = format!("expected {} bytes with digest {}", file.bytes, file.blake3);
            (format!("{expected}, got {bytes} with {digest}"), false)
        }
        Err(error) => (error.to_string(), !path.exists()),
    };
    Some(Damage { name: file.name.clone(), what, missing })
}

impl super::Catalog {
    /// Everything that SQLite's own check and the digests find.
    pub(crate) fn damage(&self) -> Vec<Damage> {
        let own = match self.check() {
            Ok(found) => found,
            Err(error) => vec![error.to_string()],
        };
        let file = |what| Damage { name: "catalog.sqlite".into(), what, missing: false };
        own.into_iter().map(file).chain(digests::damage(&self.connection()).into_iter().map(Damage::of_table)).collect()
    }

    /// Refuses a catalog whose tables are not as the last commit left them.
    pub(crate) fn refuse_damage(&self) -> Result<()> {
        let first = digests::damage(&self.connection()).into_iter().next().map(Damage::of_table);
        first.map_or(Ok(()), |damage| Err(Error::new(ErrorKind::Store, damage.to_string()).hint(HINT)))
    }
}
