//! An account with its families, its hours, and with whom it shares.
//!
//! The idea: uses and activity of one account lie beside each other, so a page reads them and the heads of its families. Weakness: hours are
//! those of texts that were sent more than once. Guarantee: the work is bounded by what the account itself sent.

use super::opened::{Opened, SHOWN, moment};
use super::sharing::{Sharer, hours, sharers};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, FamilyId, Field, Level, Time};
use crate::report::ring::RingOf;
use crate::store::facts::Head;
use crate::store::postings::NONE;
use crate::store::uses::Activity;
use crate::stored::fragment_families::template_of;
use crate::stored::known::SINGLE;
use crate::stored::standing::{OfOne, Standings, family_key, level_of};
use serde::Serialize;
use std::collections::BTreeMap;

/// An account with its families.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountPage {
    /// Version of this form.
    pub schema: u32,
    /// Its pseudonym.
    pub account: AccountId,
    /// Its exchanges.
    pub requests: u64,
    /// Its distinct prompts.
    pub distinct_prompts: u64,
    /// The earliest exchange.
    pub first_seen: Time,
    /// The latest.
    pub last_seen: Time,
    /// Models it asked, most requests first.
    pub models: Vec<(String, u64)>,
    /// Its exchanges whose text is trivial; their families are not listed.
    pub trivial_requests: u64,
    /// Rings that it may belong to, each with the chance.
    pub rings: Vec<RingOf>,
    /// Families it shares with others, or repeats itself in, most accounts first.
    pub families: Vec<AccountFamily>,
    /// Of its texts that were sent more than once, by whomever, how many were first sent in each hour of the day, UTC, each counted once a day:
    /// 24 counts, or none where it has no such text.
    pub hours: Vec<u64>,
    /// Accounts that use most of the same families, of those that few accounts use.
    pub shares_with: Vec<Sharer>,
}

/// A family of an account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountFamily {
    /// Its name.
    pub family_id: FamilyId,
    /// The account's exchanges in it.
    pub requests: u64,
    /// All accounts in it.
    pub accounts: u64,
    /// All exchanges in it.
    pub family_requests: u64,
    /// Its leader's text.
    pub prompt: String,
}

impl Opened<'_> {
    /// An account with its families.
    /// # Errors
    /// `Input` when the store has no such account.
    pub fn account(&self, account: AccountId) -> Result<AccountPage> {
        let number = self.account_number(account)?;
        let standings = Standings::open(&self.store, &self.view)?;
        let OfOne { requests, activity, starts } = OfOne::new(&self.store, &self.view, &standings, number)?;
        let (Some(first), Some(last)) =
            (activity.iter().map(|of| of.first).min(), activity.iter().map(|of| of.last).max())
        else {
            return Err(Error::new(ErrorKind::Store, format!("the account {account} has no exchanges")));
        };
        let sum = |of: fn(&Activity) -> u32| activity.iter().map(|activity| u64::from(of(activity))).sum::<u64>();
        let names: Vec<String> =
            self.store.catalog().all("SELECT name FROM models ORDER BY model", [], |row| row.get(0))?;
        let mut by_model: BTreeMap<u32, u64> = BTreeMap::new();
        for of in activity.iter().filter(|of| of.model != NONE) {
            *by_model.entry(of.model).or_default() += u64::from(of.requests);
        }
        let name = |model: u32| names.get(model as usize).cloned().unwrap_or_default();
        let mut models: Vec<(String, u64)> = by_model.into_iter().map(|(model, n)| (name(model), n)).collect();
        models.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        // Its families: near-duplicates, or the prompt itself where it resembles nothing else, and fragments of what users write.
        let is_listed = |head: &Head| match level_of(head.family) {
            _ if head.requests < 2 => false,
            (Level::System, _) => false,
            (Level::Fragment, number) => self.view.fragments[number as usize].field() != Field::System,
            (Level::NearDuplicate, _) => true,
            (Level::Exact, prompt) => {
                let near = Some(self.view.family(prompt)).filter(|&family| family != SINGLE);
                let near = near.and_then(|family| standings.head(family_key(Level::NearDuplicate, family)));
                head.trivial == 0 && near.is_none()
            }
        };
        let with_head = |(family, requests): (u64, u64)| Some((*standings.head(family)?, requests));
        let mut heads: Vec<(Head, u64)> =
            requests.into_iter().filter_map(with_head).filter(|(head, _)| is_listed(head)).collect();
        let id = |head: &Head| FamilyId { level: level_of(head.family).0, lead: head.id };
        heads.sort_by(|(a, own), (b, other)| b.accounts.cmp(&a.accounts).then(other.cmp(own)).then(id(a).cmp(&id(b))));
        let shares_with = sharers(&self.store, number, heads.iter().map(|(head, _)| head))?
            .into_iter()
            .map(|(account, families)| Ok(Sharer { account: self.account_id(account)?, families }))
            .collect::<Result<_>>()?;
        heads.truncate(SHOWN);
        let family = |(head, requests): (Head, u64)| {
            let prompt = match level_of(head.family) {
                (Level::Fragment, head) => template_of(&self.view, head).text(),
                (Level::NearDuplicate, number) => {
                    self.view.text(self.view.families[number as usize].leader).0.to_owned()
                }
                (_, prompt) => self.view.text(prompt).0.to_owned(),
            };
            let Head { accounts, requests: family_requests, .. } = head;
            AccountFamily { family_id: id(&head), requests, accounts, family_requests, prompt }
        };
        Ok(AccountPage {
            schema: 1,
            account,
            rings: self.rings()?.of_account(account),
            requests: sum(|of| of.requests),
            distinct_prompts: sum(|of| of.prompts),
            first_seen: moment(first),
            last_seen: moment(last),
            models,
            trivial_requests: sum(|of| of.trivial),
            families: heads.into_iter().map(family).collect(),
            hours: hours(&starts),
            shares_with,
        })
    }
}
