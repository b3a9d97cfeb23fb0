//! Logs in object stores → files that are read like any other: `s3://`, `gs://`, `az://`, and single objects by `http://` and `https://`.
//!
//! An object is fetched in parts of eight mebibytes, each repeated by the client where the network fails, into a file without a name, and its
//! digest is taken as it passes: so it is read once, known again by what is in it, and Parquet can be read out of order. Parts are asked of the
//! very version that was listed; one that changes meanwhile is an error and not a mixture. One object lies on the disk at a time, and memory holds
//! one part.
//!
//! What may be asked for is settled by the caller's environment, handed in as pairs (`AWS_…`, `GOOGLE_…`, `AZURE_…`): credentials, regions,
//! endpoints. None of it is kept with what was read or printed; of an error's text everything behind a question mark is left out, since signed
//! addresses have their secret there. Nothing is asked of the network unless such an address is given.
//!
//! An object whose name, length and strong ETag are those of one that was read whole is not fetched again (the caller compares); where a store has no
//! such tag, or the object lies behind a plain web server, whose tags are often made of a time, it is fetched and known by its digest.
//!
//! Weakness: profiles in `~/.aws` are not read. Guarantee: at most 2²⁰ objects are listed, in order of their names.

use super::input::Tag;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Digest;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use std::fs::File;
use std::io::{Seek, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Bytes of one request.
const PART: u64 = 8 << 20;

/// Most objects of a listing.
const LISTED: usize = 1 << 20;

/// Most directories below one another.
const LEVELS: usize = 64;

/// What all objects of a run share.
struct Shared {
    runtime: tokio::runtime::Runtime,
    /// The address of the object that lies on the disk, and its file.
    spool: Mutex<Option<(String, File)>>,
}

/// One object.
#[derive(Clone)]
pub struct Object(Arc<Inner>);

struct Inner {
    address: String,
    meta: ObjectMeta,
    store: Arc<dyn ObjectStore>,
    shared: Arc<Shared>,
    digest: OnceLock<Digest>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Object").field(&self.0.address).finish()
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.0.address == other.0.address
    }
}

impl Eq for Object {}

impl std::hash::Hash for Object {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.address.hash(state);
    }
}

/// Stores that addresses are looked up in, with what the environment says of them.
pub struct Cloud {
    environment: Vec<(String, String)>,
    shared: Arc<Shared>,
}

impl Cloud {
    /// Stores under these settings: pairs of names and values as an environment has them.
    /// # Errors
    /// `Io` when the machine gives no way to wait for a network.
    pub fn new(environment: Vec<(String, String)>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| Error::io("wait for", "the network", &cause))?;
        // A second one in a process is refused, and the first serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ours = |name: &str| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|lead| name.starts_with(lead));
        let environment = environment.into_iter().filter(|(name, _)| ours(name)).collect();
        Ok(Self { environment, shared: Arc::new(Shared { runtime, spool: Mutex::new(None) }) })
    }

    /// The objects that an address names, in order of their names: itself, those below it that `is_log` accepts, or those that match it.
    /// # Errors
    /// `Input` when the address is none or the store refuses; `Nothing` when there is nothing at it.
    pub fn expand(&self, address: &str, is_log: &dyn Fn(&str) -> bool) -> Result<Vec<Object>> {
        let web = address.starts_with("http");
        let authority = address.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
        if web && (address.contains(['?', '#']) || authority.contains('@')) {
            let message = "expected an address without a password or a query, got one that may hold a secret";
            return Err(Error::new(ErrorKind::Input, message).hint("credentials are read from the environment"));
        }
        let Some(at) = address.find(['*', '?', '[']) else {
            let (store, path) = self.open(address)?;
            let found = (!address.ends_with('/') && !path.as_ref().is_empty())
                .then(|| self.shared.runtime.block_on(store.head(&path)));
            return match found {
                Some(Ok(meta)) => Ok(vec![self.object(address.to_owned(), meta, &store)]),
                Some(Err(cause)) if !matches!(cause, object_store::Error::NotFound { .. }) => {
                    Err(failed("read", address, &cause))
                }
                _ => self.below(address, &store, &path, is_log, LEVELS),
            };
        };
        let base = &address[..address[..at].rfind('/').map_or(at, |slash| slash + 1)];
        let rest = &address[base.len()..];
        let pattern = glob::Pattern::new(rest)
            .map_err(|cause| Error::new(ErrorKind::Input, format!("cannot read the glob {address}: {cause}")))?;
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        let levels = if rest.contains("**") { LEVELS } else { rest.matches('/').count() };
        let (store, path) = self.open(base)?;
        self.below(base, &store, &path, &|relative| pattern.matches_with(relative, options), levels)
    }

    fn open(&self, address: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
        let wrong = |cause: String| {
            Error::new(ErrorKind::Input, format!("cannot read the address {address}: {}", bare(&cause)))
                .hint("write it like s3://bucket/prefix/*.jsonl.gz, gs://bucket/prefix/ or az://container/object")
        };
        let url: url::Url = address.parse().map_err(|cause: url::ParseError| wrong(cause.to_string()))?;
        let settings = self.environment.iter().map(|(name, value)| (name.as_str(), value.clone()));
        // Whoever writes an address without encryption means it.
        let settings = settings.chain(address.starts_with("http://").then(|| ("allow_http", "true".to_owned())));
        let (store, path) = object_store::parse_url_opts(&url, settings).map_err(|cause| wrong(cause.to_string()))?;
        Ok((Arc::from(store), path))
    }

    fn object(&self, address: String, meta: ObjectMeta, store: &Arc<dyn ObjectStore>) -> Object {
        let (store, shared) = (store.clone(), self.shared.clone());
        Object(Arc::new(Inner { address, meta, store, shared, digest: OnceLock::new() }))
    }

    /// The objects below a directory whose names from there on are wanted.
    fn below(
        &self,
        base: &str,
        store: &Arc<dyn ObjectStore>,
        path: &Path,
        wanted: &dyn Fn(&str) -> bool,
        levels: usize,
    ) -> Result<Vec<Object>> {
        let mut found: Vec<(String, ObjectMeta)> = Vec::new();
        let mut open = vec![(path.clone(), 0)];
        while let Some((dir, level)) = open.pop() {
            let listed = self.shared.runtime.block_on(store.list_with_delimiter(Some(&dir)));
            let listed = listed.map_err(|cause| failed("list", base, &cause))?;
            for meta in listed.objects {
                let whole = meta.location.as_ref();
                let relative = whole.strip_prefix(path.as_ref()).unwrap_or(whole).trim_start_matches('/').to_owned();
                if meta.size > 0 && wanted(&relative) {
                    found.push((relative, meta));
                }
            }
            if level < levels {
                open.extend(listed.common_prefixes.into_iter().map(|dir| (dir, level + 1)));
            }
            if found.len() > LISTED {
                let message = format!("expected at most {LISTED} objects at {base}, found more");
                return Err(Error::new(ErrorKind::Input, message).hint("name a longer prefix"));
            }
        }
        if found.is_empty() {
            let message = format!("expected logs at {base}, found none");
            return Err(Error::new(ErrorKind::Nothing, message));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let name = |relative: &str| format!("{}/{relative}", base.trim_end_matches('/'));
        Ok(found.into_iter().map(|(relative, meta)| self.object(name(&relative), meta, store)).collect())
    }
}

impl Object {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Its length.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.meta.size
    }

    /// Its strong ETag and its length, where it lies in an object store that has one.
    pub(super) fn tag(&self) -> Option<Tag> {
        let etag = self.0.meta.e_tag.as_ref().filter(|tag| !tag.starts_with("W/"))?;
        // Azure's listing has no quotes about it, and its objects have.
        let etag = Some(etag.trim_matches('"')).filter(|tag| !tag.is_empty())?;
        (!self.0.address.starts_with("http")).then(|| Tag { etag: etag.to_owned(), bytes: self.bytes() })
    }

    /// Digest of what is in it, and its length.
    /// # Errors
    /// `Input` when it cannot be fetched; `Io` when the disk is full.
    pub fn digest(&self) -> Result<(Digest, u64)> {
        if self.0.digest.get().is_none() {
            self.fetch()?;
        }
        let missing = || Error::new(ErrorKind::Input, format!("expected the digest of {}, got none", self.address()));
        Ok((*self.0.digest.get().ok_or_else(missing)?, self.bytes()))
    }

    /// What is in it, as a file at its beginning.
    /// # Errors
    /// As [`Object::digest`].
    pub fn file(&self) -> Result<File> {
        let io = |cause: std::io::Error| Error::io("read", self.address(), &cause);
        let spool = self.0.shared.spool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = spool.as_ref().filter(|(address, _)| address == self.address()) {
            let mut file = file.try_clone().map_err(io)?;
            file.rewind().map_err(io)?;
            return Ok(file);
        }
        drop(spool);
        self.fetch()
    }

    fn fetch(&self) -> Result<File> {
        let io = |cause: std::io::Error| Error::io("fetch", self.address(), &cause);
        let Inner { meta, store, shared, .. } = &*self.0;
        // One lies on the disk at a time.
        drop(shared.spool.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut file = tempfile::tempfile().map_err(io)?;
        let mut hash = blake3::Hasher::new();
        let mut at = 0;
        while at < meta.size {
            let until = meta.size.min(at + PART);
            let options = GetOptions {
                // A server that knows no ranges still gives a small object.
                range: (meta.size > PART).then_some(GetRange::Bounded(at..until)),
                if_match: meta.e_tag.clone().filter(|tag| !tag.starts_with("W/")),
                ..GetOptions::default()
            };
            let part = shared.runtime.block_on(async { store.get_opts(&meta.location, options).await?.bytes().await });
            let part = part.map_err(|cause| failed("fetch", self.address(), &cause))?;
            if part.len() as u64 != until - at {
                let message = format!(
                    "expected {} bytes of {} from byte {at} on, got {}",
                    until - at,
                    self.address(),
                    part.len()
                );
                return Err(Error::new(ErrorKind::Input, message));
            }
            hash.update(&part);
            file.write_all(&part).map_err(io)?;
            at = until;
        }
        let digest = Digest(*hash.finalize().as_bytes());
        if *self.0.digest.get_or_init(|| digest) != digest {
            let message = format!("expected {} as it was, got other content", self.address());
            return Err(Error::new(ErrorKind::Input, message).hint("run again when it is whole"));
        }
        file.rewind().map_err(io)?;
        let kept = file.try_clone().map_err(io)?;
        *shared.spool.lock().unwrap_or_else(PoisonError::into_inner) = Some((self.address().to_owned(), kept));
        Ok(file)
    }
}

/// What went wrong at an address, without anything that may be a secret.
fn failed(what: &str, address: &str, cause: &object_store::Error) -> Error {
    let (hint, told) = match cause {
        object_store::Error::NotFound { .. } => ("look at the address", "nothing is there".to_owned()),
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => (
            "credentials are read from the environment (AWS_…, GOOGLE_…, AZURE_…)",
            "the store refuses these credentials".to_owned(),
        ),
        object_store::Error::Precondition { .. } => {
            ("run again when it is whole", "it changed while it was read".to_owned())
        }
        other => (
            "the address, the network and the credentials in the environment are what may be wrong",
            bare(&other.to_string()),
        ),
    };
    Error::new(ErrorKind::Input, format!("cannot {what} {address}: {told}")).hint(hint)
}

/// A text without queries of addresses, in one bounded line.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars().take(2_000) {
        inside = (inside || c == '?') && !(c.is_whitespace() || ")\"'>".contains(c));
        if !inside && out.len() < 400 {
            out.push(if c.is_control() { ' ' } else { c });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        assert_eq!(
            bare("error at https://a/b?sig=SECRET&x=1 (https://a?k=S): no"),
            "error at https://a/b (https://a): no"
        );
        let cloud =
            Cloud::new(vec![("AWS_SECRET_ACCESS_KEY".into(), "S".into()), ("HOME".into(), "h".into())]).unwrap();
        assert_eq!(cloud.environment.len(), 1);
        for address in ["https://user:pass@host/x", "http://host/x?sig=S", "s3://", "nothing://x/y"] {
            let error = cloud.expand(address, &|_| true).unwrap_err().to_string();
            assert!(!error.contains("user:") && !error.contains("sig="), "{error}");
        }
    }
}
