//! Which exchanges a search looks at, as numbers of the store.

use super::summary::key_of;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, FamilyId, Field, Level, Time};
use crate::store::Store;
use crate::store::postings::Posting;
use crate::stored::fragment_families::fragment_family;
use crate::stored::view::View;

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct SimilarQuery {
    /// The text.
    pub text: String,
    /// Most hits; 0 for all that the family rule accepts.
    pub k: usize,
    /// Only exchanges at or after this time.
    pub since: Option<Time>,
    /// Only exchanges before this time.
    pub until: Option<Time>,
    /// Only exchanges of these nights, both included.
    pub nights: Option<(u32, u32)>,
    /// Only this account's.
    pub account: Option<AccountId>,
    /// Only those that asked this model.
    pub model: Option<String>,
    /// Only members of this family.
    pub family: Option<FamilyId>,
}

/// The filters of a query, as numbers of the store.
pub(super) struct Filter<'a> {
    view: &'a View,
    since: i64,
    until: i64,
    /// Places of the nights that are looked at.
    nights: std::ops::Range<usize>,
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
    pub(super) fn new(store: &Store, view: &'a View, query: &SimilarQuery, account: Option<u32>) -> Result<Self> {
        let model = match &query.model {
            None => None,
            Some(name) => {
                let found =
                    store.catalog().all("SELECT model FROM models WHERE name = ?1", [name], |row| row.get(0))?;
                let unknown = || Error::new(ErrorKind::Input, format!("expected a model of the store, got {name:?}"));
                Some(found.first().copied().ok_or_else(unknown)?)
            }
        };
        let family = match query.family {
            None => None,
            Some(id) => {
                let key = key_of(store, view, id)?.ok_or_else(|| unknown_family(id))?;
                let leader = if id.level == Level::NearDuplicate { view.near_leader(key) } else { key };
                Some((id.level, leader))
            }
        };
        let since = query.since.map_or(i64::MIN, Time::micros);
        let until = query.until.map_or(i64::MAX, Time::micros);
        let system = matches!(family, Some((Level::System, _)));
        let is_before = |last: u32| move |of: &crate::store::Night| of.night <= last;
        let place = |last: u32| store.nights().partition_point(is_before(last));
        let nights = query.nights.map_or(0..usize::MAX, |(from, to)| place(from.saturating_sub(1))..place(to));
        let whole = query.since.is_none() && query.until.is_none() && query.nights.is_none();
        let open = account.is_none() && model.is_none() && whole && !system;
        let texts = match family {
            Some((Level::Fragment, head)) => {
                let of_prompts = view.fragments[head as usize].field() == Field::Prompt;
                let refused = "expected a family of prompts, got a fragment of system prompts or earlier turns";
                if !of_prompts {
                    return Err(Error::new(ErrorKind::Input, refused));
                }
                Some(fragment_family(view, head).members.iter().map(|member| member.text).collect())
            }
            _ => None,
        };
        Ok(Self { view, since, until, nights, account, model, family, texts, open })
    }

    /// Whether an exchange passes, of the night at a place.
    pub(super) fn passes(&self, night: usize, posting: &Posting) -> bool {
        self.nights.contains(&night)
            && (self.since..self.until).contains(&posting.time)
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
        in_family && (self.open || self.view.postings_of(prompt).any(|(night, posting)| self.passes(night, posting)))
    }
}

pub(super) fn unknown_family(id: FamilyId) -> Error {
    Error::new(ErrorKind::Input, format!("expected a family of the store, got {id}"))
        .hint("stillhunt family list shows them")
}
