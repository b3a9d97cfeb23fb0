//! Which exchanges a search looks at, as numbers of the store.

use super::fragment_families::fragment_family;
use super::lookup::{Opened, SimilarQuery, unknown_family};
use super::summary::key_of;
use super::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Field, Level, Time};
use crate::store::postings::Posting;

/// The filters of a query, as numbers of the store.
pub(super) struct Filter<'a> {
    view: &'a View,
    since: i64,
    until: i64,
    account: Option<u32>,
    model: Option<u32>,
    /// Leader of the family, and its level.
    family: Option<(Level, u32)>,
    /// Prompts of a fragment family, sorted.
    texts: Option<Vec<u32>>,
    /// Whether any exchange passes.
    open: bool,
}

impl<'a> Filter<'a> {
    pub(super) fn new(opened: &'a Opened<'_>, query: &SimilarQuery) -> Result<Self> {
        let model = match &query.model {
            None => None,
            Some(name) => {
                let found =
                    opened.store.catalog().all("SELECT model FROM models WHERE name = ?1", [name], |row| row.get(0))?;
                let unknown = || Error::new(ErrorKind::Input, format!("expected a model of the store, got {name:?}"));
                Some(found.first().copied().ok_or_else(unknown)?)
            }
        };
        let family = match query.family {
            None => None,
            Some(id) => {
                let key = key_of(&opened.store, &opened.view, id)?.ok_or_else(|| unknown_family(id))?;
                let leader = if id.level == Level::NearDuplicate { opened.view.near_leader(key) } else { key };
                Some((id.level, leader))
            }
        };
        let account = query.account.map(|account| opened.account_number(account)).transpose()?;
        let since = query.since.map_or(i64::MIN, Time::micros);
        let until = query.until.map_or(i64::MAX, Time::micros);
        let system = matches!(family, Some((Level::System, _)));
        let open = account.is_none() && model.is_none() && query.since.is_none() && query.until.is_none() && !system;
        let texts = match family {
            Some((Level::Fragment, head)) => {
                let of_prompts = opened.view.fragments[head as usize].field == Field::Prompt;
                let refused = "expected a family of prompts, got a fragment of system prompts or earlier turns";
                if !of_prompts {
                    return Err(Error::new(ErrorKind::Input, refused));
                }
                Some(fragment_family(&opened.view, head).members.iter().map(|member| member.text).collect())
            }
            _ => None,
        };
        Ok(Self { view: &opened.view, since, until, account, model, family, texts, open })
    }

    pub(super) fn passes(&self, posting: &Posting) -> bool {
        (self.since..self.until).contains(&posting.time)
            && self.account.is_none_or(|account| account == posting.account)
            && self.model.is_none_or(|model| model == posting.model)
            && self.family.is_none_or(|(level, key)| level != Level::System || key == posting.system)
    }

    pub(super) fn keeps(&self, prompt: u32) -> bool {
        let in_family = match self.family {
            None | Some((Level::System, _)) => true,
            Some((Level::NearDuplicate, leader)) => self.view.near_leader(prompt) == leader,
            Some((Level::Exact, leader)) => prompt == leader,
            Some((Level::Fragment, _)) => self.texts.as_ref().is_none_or(|texts| texts.binary_search(&prompt).is_ok()),
        };
        in_family && (self.open || self.view.postings_of(prompt).any(|(_, posting)| self.passes(posting)))
    }
}
