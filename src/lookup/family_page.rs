//! A family with its accounts, and an exchange as it came.
//!
//! The idea: a page of a family is what its standing has kept, with the names of those accounts alone that are listed, since each name is a look-up.
//! Weakness: accounts that are alike in requests and first moment stand in the order in which the store first saw them. Guarantee: accounts listed
//! from one behind another on join to the whole list.

use super::filter::unknown_family;
use super::opened::{Opened, SHOWN, moment};
use super::summary::{Accounts, One, one, standing_of};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, Digest, FamilyId, Field, Time};
use crate::report::Family;
use crate::report::ring::RingOf;
use crate::store::postings::Posting;
use crate::stored::rows::exchange_ids;
use crate::stored::view;
use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use serde::Serialize;
use std::cmp::Reverse;

/// A family with its accounts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyPage {
    /// Version of this form.
    pub schema: u32,
    /// What a report says of it.
    pub family: Family,
    /// Accounts, most requests first: as many as were asked for.
    pub members: Vec<FamilyAccount>,
    /// How many more it has.
    pub members_left_out: u64,
    /// Rings that shared it.
    pub rings: Vec<RingOf>,
    /// Some exchanges, spread over its time.
    pub exchanges: Vec<FamilyExchange>,
}

/// An account in a family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyAccount {
    /// Its pseudonym.
    pub account: AccountId,
    /// Its exchanges in the family.
    pub requests: u64,
    /// The earliest of them.
    pub first_seen: Time,
    /// The latest.
    pub last_seen: Time,
}

/// An exchange of a family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyExchange {
    /// The log's own id.
    pub exchange_id: String,
    /// Who sent it.
    pub account: AccountId,
    /// When.
    pub time: Time,
    /// The prompt as its text first came.
    pub prompt: String,
}

/// One exchange as the log had it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExchangePage {
    /// Version of this form.
    pub schema: u32,
    /// The log's own id.
    pub exchange_id: String,
    /// Who sent it.
    pub account: AccountId,
    /// When.
    pub time: Time,
    /// The model that was asked.
    pub model: Option<String>,
    /// The prompt as it came.
    pub prompt: String,
    /// The system prompt.
    pub system: Option<String>,
    /// What the model answered.
    pub response: Option<String>,
}

impl Opened<'_> {
    /// The prompt of the exchange with this id of the log.
    /// # Errors
    /// `Input` when the store has no such exchange.
    pub fn prompt_of(&self, exchange_id: &str) -> Result<String> {
        self.exchange(exchange_id).map(|page| page.prompt)
    }

    /// The exchange with this id of the log, as it came.
    /// # Errors
    /// `Input` when the store has no such exchange.
    pub fn exchange(&self, exchange_id: &str) -> Result<ExchangePage> {
        use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
        let keys = view::KnownKeys::open(&self.store)?;
        let record = keys.ids.get(Digest::of(exchange_id.as_bytes()).short()).ok_or_else(|| {
            Error::new(ErrorKind::Input, format!("expected the id of an exchange of the store, got {exchange_id:?}"))
        })?;
        let (night, row) = ((record.b >> 32) as u32, record.b as u32);
        let files = self.store.nights().iter().zip(self.store.of_kind("rows"));
        for (_, file) in files.filter(|(known, _)| known.night == night) {
            let columns = ["account", "time", "model", "prompt_text", "system_text", "response"];
            if let Some(batch) = self.store.rows(file, &columns, &[row])?.next() {
                let batch = batch?;
                let text = |name: &str| {
                    let column = batch.column_by_name(name)?.as_string::<i32>();
                    column.is_valid(0).then(|| column.value(0).to_owned())
                };
                let column = |name: &str| {
                    batch
                        .column_by_name(name)
                        .ok_or_else(|| Error::new(ErrorKind::Store, format!("{}: no column {name}", file.name)))
                };
                return Ok(ExchangePage {
                    schema: 1,
                    exchange_id: exchange_id.to_owned(),
                    account: self.account_id(column("account")?.as_primitive::<UInt32Type>().value(0))?,
                    time: moment(column("time")?.as_primitive::<TimestampMicrosecondType>().value(0)),
                    model: text("model"),
                    prompt: text("prompt_text").unwrap_or_default(),
                    system: text("system_text"),
                    response: text("response"),
                });
            }
        }
        Err(Error::new(ErrorKind::Store, format!("night {night} has no row {row}")).hint("run: stillhunt store verify"))
    }

    /// A family with its first accounts, `most` of them.
    /// # Errors
    /// `Input` when the store has no family of this name.
    pub fn family(&self, id: FamilyId, most: usize) -> Result<FamilyPage> {
        let One { family, accounts, rows: members } =
            one(&self.store, &self.view, id)?.ok_or_else(|| unknown_family(id))?;
        let (listed, members_left_out) = self.listed(accounts, None, most)?;
        let step = members.len().div_ceil(SHOWN).max(1);
        let shown: Vec<_> = members.iter().step_by(step).collect();
        let ids = exchange_ids(&self.store, &shown.iter().map(|m| (m.night, m.posting.row)).collect::<Vec<_>>())?;
        let exchanges = shown
            .iter()
            .zip(ids)
            .map(|(member, exchange_id)| {
                Ok(FamilyExchange {
                    exchange_id,
                    account: self.account_id(member.posting.account)?,
                    time: moment(member.posting.time),
                    prompt: self.member_text(&family, &member.posting).to_owned(),
                })
            })
            .collect::<Result<_>>()?;
        let rings = self.rings()?.of_family(family.id);
        Ok(FamilyPage { schema: 1, family, members: listed, members_left_out, rings, exchanges })
    }

    /// Accounts of a family, most requests first: `most` of those behind an account of it, or of all; and how many come after them.
    /// # Errors
    /// `Input` when the store has no family of this name, or the family no such account.
    pub fn family_accounts(
        &self,
        id: FamilyId,
        after: Option<AccountId>,
        most: usize,
    ) -> Result<(Vec<FamilyAccount>, u64)> {
        let (_, accounts) = standing_of(&self.store, &self.view, id)?.ok_or_else(|| unknown_family(id))?;
        self.listed(accounts, after, most)
    }

    /// The same of accounts by number. Names are looked up only of those that are listed.
    fn listed(&self, accounts: Accounts, after: Option<AccountId>, most: usize) -> Result<(Vec<FamilyAccount>, u64)> {
        let mut order: Vec<(u32, (u64, i64, i64))> = accounts.into_iter().collect();
        order.sort_by_key(|&(account, (requests, first, _))| (Reverse(requests), first, account));
        let from = match after {
            None => 0,
            Some(after) => {
                let number = self.account_number(after)?;
                let at = order.iter().position(|&(account, _)| account == number);
                let unknown = || {
                    Error::new(ErrorKind::Input, format!("expected an account of the family, got {after}"))
                        .hint("begin the list anew: the family may have changed")
                };
                1 + at.ok_or_else(unknown)?
            }
        };
        let left_out = order.len().saturating_sub(from.saturating_add(most)) as u64;
        let of_one = |&(account, (requests, first, last)): &(u32, (u64, i64, i64))| {
            let account = self.account_id(account)?;
            Ok(FamilyAccount { account, requests, first_seen: moment(first), last_seen: moment(last) })
        };
        let listed = order[from..].iter().take(most).map(of_one).collect::<Result<_>>()?;
        Ok((listed, left_out))
    }

    /// The text by which an exchange is a member: its prompt, or the turn or system prompt that holds the fragment.
    fn member_text(&self, family: &Family, posting: &Posting) -> &str {
        match family.fragment.as_ref().map(|fragment| fragment.field) {
            Some(Field::System) => self.view.field_text(Field::System, posting.system).0,
            Some(Field::Turn) => self.view.field_text(Field::Turn, posting.prompt).0,
            _ => self.view.text(posting.prompt).0,
        }
    }
}
