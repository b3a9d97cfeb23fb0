//! Which exchanges a forget takes.

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, Time};
use crate::store::Store;
use crate::store::postings::Posting;

/// Which exchanges are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// All of this account's, and its pseudonym.
    Account(AccountId),
    /// All before this moment.
    Before(Time),
}

/// Which exchanges go, as numbers of the store.
#[derive(Clone, Copy)]
pub(super) enum Doomed {
    Account(u32),
    Before(i64),
}

impl Doomed {
    /// `None` where an earlier run has done it already.
    pub(super) fn new(store: &Store, what: &Forget, finished: bool) -> Result<Option<Self>> {
        let id = match what {
            Forget::Before(time) => return Ok(Some(Self::Before(time.micros()))),
            Forget::Account(id) => id,
        };
        let query = "SELECT account FROM accounts WHERE id = ?1";
        let found: Vec<u32> = store.catalog().all(query, [id.to_string()], |row| row.get(0))?;
        match found.first() {
            Some(&number) => Ok(Some(Self::Account(number))),
            None if finished => Ok(None),
            None => Err(Error::new(ErrorKind::Input, format!("expected an account of the store, got {id}"))
                .hint("an account is given by its pseudonym, or by its own name together with the key")),
        }
    }

    /// The moment before which everything goes, where one was given.
    pub(super) fn before(self) -> Option<i64> {
        match self {
            Self::Account(_) => None,
            Self::Before(time) => Some(time),
        }
    }

    pub(super) fn takes(self, posting: &Posting) -> bool {
        match self {
            Self::Account(account) => posting.account == account,
            Self::Before(time) => posting.time < time,
        }
    }
}
