//! A copy of the last commit while another process may be writing the next.
//!
//! One snapshot of the catalog names everything that is copied; each file is held against its digest on the way, and the whole
//! is made under a temporary name, synced, then renamed, so that a backup exists whole or not at all. Files that a later writer
//! sweeps meanwhile send it to the newer commit; what was copied already is kept, for a named file never changes. Weakness: the
//! account key lies outside the store and must be kept beside the copy.
#![allow(clippy::disallowed_methods)]

use super::{Named, Store, digests, files};
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Newer commits that a backup follows.
const TRIES: usize = 16;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Nights of the commit.
    pub nights: usize,
    /// Named files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Copies the last commit of the store at `from` to the new directory `to`.
/// # Errors
/// `Config` when there is something at `to` or it lies in the store; `Store` when the store is damaged; `Io`. Then nothing is
/// left at `to`.
pub fn backup(from: &Path, to: &Path) -> Result<Copied> {
    let refused = |what: String| Error::new(ErrorKind::Config, what);
    if to.symlink_metadata().is_ok() {
        return Err(refused(format!("expected a new directory for the backup, found something at {}", to.display()))
            .hint("name a directory that is not there yet"));
    }
    let Some(name) = to.file_name() else {
        return Err(refused(format!("expected the name of a new directory, got {}", to.display())));
    };
    Store::open(from)?;
    let above = to.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    files::private_dir(above)?;
    if let (Ok(above), Ok(from)) = (above.canonicalize(), from.canonicalize())
        && above.starts_with(&from)
    {
        return Err(refused(format!("expected a directory outside the store, got {}", to.display())));
    }
    let mut partial = name.to_owned();
    partial.push(".partial");
    let partial = to.with_file_name(partial);
    if let Err(cause) = fs::create_dir(&partial) {
        let error = Error::io("make the directory", &partial, &cause);
        return Err(match cause.kind() {
            io::ErrorKind::AlreadyExists => error.hint("another backup is running, or was killed: then remove it"),
            _ => error,
        });
    }
    let copied = private(&partial).and_then(|()| copy(from, &partial)).and_then(|copied| {
        fs::rename(&partial, to).map_err(|cause| Error::io("name the backup", to, &cause))?;
        files::sync_dir(above)?;
        Ok(copied)
    });
    if copied.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    copied
}

fn private(dir: &Path) -> Result<()> {
    #[cfg(unix)]
    fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .map_err(|cause| Error::io("make private", dir, &cause))?;
    Ok(())
}

fn copy(from: &Path, into: &Path) -> Result<Copied> {
    // Digests of the files that are there already.
    let mut done = BTreeMap::new();
    for _ in 0..TRIES {
        let store = Store::open(from)?;
        store.catalog.refuse_damage()?;
        let Some(missing) = copy_files(&store, into, &mut done)? else {
            for name in done.keys().filter(|name| store.files.iter().all(|file| file.name != **name)) {
                files::remove(&into.join(name));
            }
            copy_catalog(&store, &into.join("catalog.sqlite"))?;
            sync_dirs(&store, into)?;
            let bytes = store.files.iter().map(|file| file.bytes).sum();
            return Ok(Copied { nights: store.nights.len(), files: store.files.len(), bytes });
        };
        if Store::open(from)?.files.contains(&missing) {
            let message = format!("{} is not as it was written: it is not there", missing.name);
            return Err(Error::new(ErrorKind::Store, message).hint(super::verify::HINT));
        }
    }
    let message = format!("expected a commit to stay while it is copied, got {TRIES} newer ones that took files away");
    Err(Error::new(ErrorKind::Store, message).hint("back up when no night is being written"))
}

/// Copies the files of a commit that are not `done`; the first one that is not there any more, if any.
fn copy_files(store: &Store, into: &Path, done: &mut BTreeMap<String, String>) -> Result<Option<Named>> {
    for file in &store.files {
        if done.get(&file.name) == Some(&file.blake3) {
            continue;
        }
        let name = Path::new(&file.name);
        if !name.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Error::new(ErrorKind::Store, format!("expected a name below the store, got {:?}", file.name)));
        }
        let source = store.path(file);
        let mut reader = match File::open(&source) {
            Ok(reader) => reader,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Some(file.clone())),
            Err(cause) => return Err(Error::io("read", &source, &cause)),
        };
        let target = into.join(name);
        files::private_dir(target.parent().unwrap_or(into))?;
        let mut writer = files::create_private(&target).map_err(|cause| Error::io("write", &target, &cause))?;
        let mut hash = blake3::Hasher::new();
        let mut block = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            let n = reader.read(&mut block).map_err(|cause| Error::io("read", &source, &cause))?;
            if n == 0 {
                break;
            }
            hash.update(&block[..n]);
            bytes += n as u64;
            writer.write_all(&block[..n]).map_err(|cause| Error::io("write", &target, &cause))?;
        }
        writer.sync_all().map_err(|cause| Error::io("sync", &target, &cause))?;
        let got = hash.finalize().to_hex();
        if bytes != file.bytes || got.as_str() != file.blake3 {
            let expected = format!("expected {} bytes with digest {}", file.bytes, file.blake3);
            let message = format!("{} is not as it was written: {expected}, got {bytes} with {got}", file.name);
            return Err(Error::new(ErrorKind::Store, message).hint(super::verify::HINT));
        }
        done.insert(file.name.clone(), file.blake3.clone());
    }
    Ok(None)
}

/// Copies the catalog as the store's snapshot has it.
fn copy_catalog(store: &Store, target: &Path) -> Result<()> {
    let failed = super::catalog::failed;
    files::create_private(target).map_err(|cause| Error::io("write", target, &cause))?;
    let mut copy = rusqlite::Connection::open(target).map_err(failed)?;
    rusqlite::backup::Backup::new(&store.catalog.connection(), &mut copy)
        .and_then(|run| run.run_to_completion(1 << 14, Duration::ZERO, None))
        .map_err(failed)?;
    if let Some((table, what)) = digests::damage(&copy).first() {
        let message = format!("the copy of the catalog, table {table}, is not as it was written: {what}");
        return Err(Error::new(ErrorKind::Store, message));
    }
    copy.close().map_err(|(_, cause)| failed(cause))?;
    File::open(target).and_then(|file| file.sync_all()).map_err(|cause| Error::io("sync", target, &cause))
}

/// Makes the names of everything copied durable.
fn sync_dirs(store: &Store, into: &Path) -> Result<()> {
    let mut dirs: Vec<PathBuf> = vec![into.into()];
    for file in &store.files {
        let below = Path::new(&file.name).ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty());
        dirs.extend(below.map(|dir| into.join(dir)));
    }
    dirs.sort();
    dirs.dedup();
    dirs.iter().try_for_each(|dir| files::sync_dir(dir))
}
