//! The account key: a file outside the store, readable by its owner only, that turns account names into pseudonyms.
//!
//! The store records a commitment to the key, never the key. A store that holds rows refuses a missing or another key: a new
//! one would silently make every account a stranger. The key itself never prints.

use super::files::{private_dir, write_private};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::io::Read as _;
use std::path::Path;

/// A key of 32 bytes.
pub struct AccountKey([u8; 32]);

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountKey(redacted)")
    }
}

impl AccountKey {
    /// The key's bytes, for keyed digests.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the store may know of it: a digest under another context, as 64 hex digits.
    #[must_use]
    pub fn commitment(&self) -> String {
        Self::commitment_of(&self.0)
    }

    /// The commitment to the key of these bytes.
    #[must_use]
    pub fn commitment_of(key: &[u8; 32]) -> String {
        blake3::Hash::from(blake3::derive_key("stillhunt 2026 account key commitment", key)).to_hex().to_string()
    }

    /// The key that names families: derived, so that the same account key names them alike in every store.
    #[must_use]
    pub fn naming_key(&self) -> [u8; 32] {
        blake3::derive_key("stillhunt 2026 family names", &self.0)
    }

    /// Reads the key at `path`; `None` where there is no file.
    /// # Errors
    /// `Io` when it cannot be read; `Config` when it is not 64 hex digits, or others may read it.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let Some(secret) = read_secret(path, "account key", 1 << 10)? else { return Ok(None) };
        let text = secret.private()?;
        let key: crate::ids::Digest = text.trim().parse().map_err(|()| {
            let expected = "expected 64 lower-case hex digits";
            Error::new(ErrorKind::Config, format!("account key {}: {expected}", path.display()))
        })?;
        Ok(Some(Self(key.0)))
    }

    /// Makes a key from the operating system's randomness and writes it to `path`, mode 0600.
    /// # Errors
    /// `Io` when it cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let bytes = random_bytes()?;
        write_secret(path, &format!("{}\n", crate::ids::Digest(bytes)))?;
        Ok(Self(bytes))
    }
}

/// The text of a secret file.
pub struct SecretText {
    text: String,
    what: String,
    path: String,
    /// Its mode, where others than its owner may read it.
    open: Option<u32>,
}

impl SecretText {
    /// The text, whoever else may read it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a file that only its owner may read.
    /// # Errors
    /// `Config` where others may read it.
    pub fn private(self) -> Result<String> {
        self.openness().map_or(Ok(self.text), Err)
    }

    /// What is wrong with a file that others may read.
    #[must_use]
    pub fn openness(&self) -> Option<Error> {
        let Self { what, path, open, .. } = self;
        let got = format!("{what} {path} may be read by others (mode {:o})", (*open)?);
        Some(Error::new(ErrorKind::Config, got).hint(format!("run: chmod 600 {path}")))
    }
}

/// Reads a secret file; `None` where there is no file. `what` names it in errors.
/// # Errors
/// `Io` when it cannot be read; `Config` when it is longer than `limit` bytes, or it is not UTF-8.
#[allow(clippy::disallowed_methods)]
pub fn read_secret(path: &Path, what: &str, limit: u64) -> Result<Option<SecretText>> {
    let failed = |cause: &std::io::Error| Error::io(format!("read the {what}"), path, cause);
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed(&cause)),
    };
    #[cfg(unix)]
    let mode = {
        use std::os::unix::fs::PermissionsExt;
        file.metadata().map_err(|cause| failed(&cause))?.permissions().mode()
    };
    #[cfg(not(unix))]
    let mode = 0;
    let open = (mode & 0o077 != 0).then_some(mode & 0o777);
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|cause| failed(&cause))?;
    if bytes.len() as u64 > limit {
        let message = format!("{what} {}: expected at most {limit} bytes, got more", path.display());
        return Err(Error::new(ErrorKind::Config, message));
    }
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Error::new(ErrorKind::Config, format!("{what} {}: expected UTF-8", path.display())))?;
    Ok(Some(SecretText { text, what: what.to_owned(), path: path.display().to_string(), open }))
}

/// Writes a secret file, mode 0600, and the directories above it that are missing.
/// # Errors
/// `Io` when it cannot be written.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        private_dir(parent)?;
    }
    write_private(path, text.as_bytes())
}

/// 32 bytes of the operating system's randomness.
/// # Errors
/// `Io` when they cannot be read.
#[allow(clippy::disallowed_methods)]
pub fn random_bytes() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|cause| Error::io("read randomness from", "/dev/urandom", &cause))?;
    Ok(bytes)
}
