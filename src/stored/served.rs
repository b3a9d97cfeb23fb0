//! The responses that a store says were served, streamed: who was served what, by account, family and time.
//!
//! Weakness: a response that the log did not hold is not there. Guarantee: the order of the logs, whatever the number of threads.

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, Time};
use crate::store::{Store, tables};
use arrow_array::Array as _;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
use std::collections::{BTreeMap, BTreeSet};

/// Which responses are meant: those that satisfy every part that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Responses to these accounts.
    pub accounts: Option<BTreeSet<AccountId>>,
    /// To these exchanges, by number of night in the store and row.
    pub rows: Option<BTreeSet<(usize, u32)>>,
    /// From this moment on.
    pub from: Option<Time>,
    /// Before this moment.
    pub until: Option<Time>,
    /// All responses that are *not* to those accounts and exchanges, within the same time.
    pub others: bool,
}

/// A response that was served.
pub(crate) struct Response {
    /// Number of the account.
    pub(crate) account: u32,
    /// The prompt that drew it; empty where it was not asked for.
    pub(crate) prompt: String,
    /// Its text.
    pub(crate) text: String,
}

/// Calls `take` with the responses of each batch, with their prompts where `prompts` says so.
/// # Errors
/// `Input` when an account is not in the store; `Store` or `Io` when it cannot be read; what `take` fails with.
pub(crate) fn each_response(
    store: &Store,
    choice: &Choice,
    prompts: bool,
    take: &mut dyn FnMut(Vec<Response>) -> Result<()>,
) -> Result<()> {
    let accounts: Option<BTreeSet<u32>> = match &choice.accounts {
        None => None,
        Some(wanted) => {
            let known = numbers(store)?;
            let number = |id: &AccountId| {
                known.get(id).copied().ok_or_else(|| {
                    Error::new(ErrorKind::Input, format!("expected an account of the store, got {id}"))
                        .hint("an account is given by its pseudonym, or by its own name together with the key")
                })
            };
            Some(wanted.iter().map(number).collect::<Result<_>>()?)
        }
    };
    let wanted = |night: usize, row: u32, account: u32, time: i64| {
        let named = accounts.as_ref().is_none_or(|accounts| accounts.contains(&account))
            && choice.rows.as_ref().is_none_or(|rows| rows.contains(&(night, row)));
        named != choice.others
            && choice.from.is_none_or(|from| time >= from.micros())
            && choice.until.is_none_or(|until| time < until.micros())
    };
    for (night, file) in store.of_kind("rows").enumerate() {
        let mut row = 0u32;
        let columns = ["account", "time", "response", "prompt_text"];
        for batch in tables::read(&store.path(file), &columns[..if prompts { 4 } else { 3 }], None)? {
            let batch = batch?;
            let of_batch = batch.column(0).as_primitive::<UInt32Type>();
            let times = batch.column(1).as_primitive::<TimestampMicrosecondType>();
            let responses = batch.column(2).as_string::<i32>();
            let chosen = (0..batch.num_rows())
                .filter(|&i| responses.is_valid(i) && wanted(night, row + i as u32, of_batch.value(i), times.value(i)));
            let response = |i: usize| Response {
                account: of_batch.value(i),
                prompt: if prompts { batch.column(3).as_string::<i32>().value(i).to_owned() } else { String::new() },
                text: responses.value(i).to_owned(),
            };
            take(chosen.map(response).collect())?;
            row += batch.num_rows() as u32;
        }
    }
    Ok(())
}

/// The number of each account.
/// # Errors
/// `Store` when the catalog cannot be read.
pub(crate) fn numbers(store: &Store) -> Result<BTreeMap<AccountId, u32>> {
    let query = "SELECT account, id FROM accounts";
    let all: Vec<(u32, String)> = store.catalog().all(query, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(all.into_iter().filter_map(|(number, id)| Some((id.parse().ok()?, number))).collect())
}
