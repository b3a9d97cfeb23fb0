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
        blake3::Hash::from(blake3::derive_key("stillhunt 2026 account key commitment", &self.0)).to_hex().to_string()
    }

    /// The key that names families: derived, so that the same account key names them alike in every store.
    #[must_use]
    pub fn naming_key(&self) -> [u8; 32] {
        blake3::derive_key("stillhunt 2026 family names", &self.0)
    }

    /// Reads the key at `path`; `None` where there is no file.
    /// # Errors
    /// `Io` when it cannot be read; `Config` when it is not 64 hex digits, or others may read it.
    #[allow(clippy::disallowed_methods)]
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Error::io("read the account key", path, &cause)),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).map_err(|c| Error::io("read the account key", path, &c))?.permissions();
            if mode.mode() & 0o077 != 0 {
                let got =
                    format!("account key {} may be read by others (mode {:o})", path.display(), mode.mode() & 0o777);
                return Err(Error::new(ErrorKind::Config, got).hint(format!("run: chmod 600 {}", path.display())));
            }
        }
        let key: crate::ids::Digest = text.trim().parse().map_err(|()| {
            let expected = "expected 64 lower-case hex digits";
            Error::new(ErrorKind::Config, format!("account key {}: {expected}", path.display()))
        })?;
        Ok(Some(Self(key.0)))
    }

    /// Makes a key from the operating system's randomness and writes it to `path`, mode 0600.
    /// # Errors
    /// `Io` when it cannot be written.
    #[allow(clippy::disallowed_methods)]
    pub fn create(path: &Path) -> Result<Self> {
        let mut bytes = [0; 32];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut bytes))
            .map_err(|cause| Error::io("read randomness from", "/dev/urandom", &cause))?;
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            private_dir(parent)?;
        }
        write_private(path, format!("{}\n", crate::ids::Digest(bytes)).as_bytes())?;
        Ok(Self(bytes))
    }
}
