//! Accounts of a bundle: pseudonyms with commitments, of which chosen ones can be disclosed later and nothing else.
//!
//! A result names accounts by the store's pseudonyms, which are keyed. For each, the bundle has a commitment: BLAKE3 of 32 random bytes
//! of salt, the pseudonym and, where it was given, the account's real name. The salts stay with whoever made the bundle, in a file beside
//! it. To disclose an account is to hand over its salt and name; anybody can then make the commitment again. Weakness: a name that was not
//! given when the bundle was made cannot be disclosed against it. Guarantee: a disclosure says nothing of any other account, since each has
//! a salt of its own, and nobody can disclose another name than the one that was committed to.

use super::json::Json;
use super::{Failure, wrong};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, Digest};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The step of whatever is wrong with a disclosure.
const STEP: &str = "disclosure";
const SECRETS: &str = "stillhunt-evidence-secrets/1";
const DISCLOSURE: &str = "stillhunt-evidence-disclosure/1";

/// An account as a bundle shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// The pseudonym.
    pub account: String,
    /// The commitment, 64 hex digits.
    pub commitment: String,
}

/// What opens a commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The pseudonym.
    pub account: String,
    /// The real name; none where it was not given.
    pub name: Option<String>,
    /// The salt, 64 hex digits.
    pub salt: String,
}

impl Opening {
    fn commitment(&self) -> String {
        let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 evidence account commitment");
        let name = self.name.as_ref().map_or_else(|| "unnamed".to_owned(), |name| format!("name {name}"));
        for part in [&self.salt, &self.account, &name] {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        Digest(*hash.finalize().as_bytes()).to_string()
    }

    fn committed(&self) -> Committed {
        Committed { account: self.account.clone(), commitment: self.commitment() }
    }
}

/// Openings: all of a bundle's, which its maker keeps, or the chosen ones of a disclosure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Openings {
    format: String,
    /// Root of the bundle's tree; none in the maker's own file, which is older than the tree.
    tree: Option<String>,
    accounts: Vec<Opening>,
}

/// Pseudonyms that stand anywhere in a result.
pub fn named_in(result: &Json, out: &mut BTreeSet<String>) {
    result.texts(&mut |text| {
        if text.parse::<AccountId>().is_ok() {
            out.insert(text.to_owned());
        }
    });
}

/// Commits to accounts. `names` has real names by pseudonym; `salt` gives 32 random bytes for each.
/// # Errors
/// Those of `salt`.
pub fn commit(
    accounts: &BTreeSet<String>,
    names: &BTreeMap<String, String>,
    salt: &mut dyn FnMut() -> Result<[u8; 32]>,
) -> Result<(Vec<Committed>, Openings)> {
    let mut openings = Vec::new();
    for account in accounts {
        let salt = Digest(salt()?).to_string();
        openings.push(Opening { account: account.clone(), name: names.get(account).cloned(), salt });
    }
    let committed = openings.iter().map(Opening::committed).collect();
    Ok((committed, Openings { format: SECRETS.into(), tree: None, accounts: openings }))
}

impl Openings {
    /// As JSON.
    #[must_use]
    pub fn write(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads the maker's own file.
    /// # Errors
    /// `Input` when it is none.
    pub fn read_secrets(bytes: &[u8]) -> Result<Self> {
        let read: Self = serde_json::from_slice(bytes)
            .map_err(|_| wrong("expected the file of secrets that was written beside the bundle"))?;
        if read.format == SECRETS { Ok(read) } else { Err(wrong(format!("expected the format {SECRETS}"))) }
    }

    /// A disclosure of chosen accounts, each given by pseudonym or by real name, for the bundle with this tree.
    /// # Errors
    /// `Input` when one is none of the bundle's, or its name was not given when the bundle was made.
    pub fn disclose(&self, chosen: &[String], tree: &str) -> Result<Self> {
        let mut accounts = Vec::new();
        for wanted in chosen {
            let of = |opening: &&Opening| opening.account == *wanted || opening.name.as_ref() == Some(wanted);
            let opening = self.accounts.iter().find(of);
            let opening = opening.ok_or_else(|| wrong("expected an account of the bundle, got another"))?;
            if opening.name.is_none() {
                return Err(Error::new(
                    ErrorKind::Input,
                    format!("expected the real name of {wanted}, which the bundle was made without"),
                )
                .hint("stillhunt evidence bundle --names FILE commits to the names of accounts"));
            }
            accounts.push(opening.clone());
        }
        accounts.sort_by(|a, b| a.account.cmp(&b.account));
        accounts.dedup();
        Ok(Self { format: DISCLOSURE.into(), tree: Some(tree.to_owned()), accounts })
    }

    /// Checks a disclosure against a bundle; returns what it reveals: pseudonyms and names.
    /// # Errors
    /// The step `disclosure`, with the account that does not fit.
    pub fn check(
        bytes: &[u8],
        tree: &str,
        committed: &[Committed],
    ) -> std::result::Result<Vec<(String, String)>, Failure> {
        let failed = |message: String| Failure::new(STEP, message);
        let read: Self = serde_json::from_slice(bytes)
            .map_err(|cause| failed(format!("expected a disclosure, got something else: {cause}")))?;
        if read.format != DISCLOSURE || read.tree.as_deref() != Some(tree) {
            return Err(failed("expected a disclosure of this bundle, got one of another".into()));
        }
        let of = |opening: Opening| {
            let account = opening.account.clone();
            if !committed.contains(&opening.committed()) {
                return Err(failed(format!(
                    "{account:?}: expected the name and the salt that the bundle committed to, got others"
                )));
            }
            let name = opening.name.ok_or_else(|| failed(format!("{account:?}: expected a name")))?;
            Ok((account, name))
        };
        read.accounts.into_iter().map(of).collect()
    }
}
