//! Questions that people keep in a store, to ask them again.

use super::rings::{Said, bounded};
use crate::error::{Error, ErrorKind, Result};
use crate::store::custody::By;
use crate::store::{Store, Writer};
use crate::stored::saved::{self, Saved};
use serde_json::Value;
use std::path::Path;

/// Longest name of a question, and most bytes of what it gives: less than a text may have in an answer, so that a question is asked again as it was.
const LONGEST: [usize; 2] = [200, 4_000];
/// Most questions of a person, and of a store.
const MOST: [usize; 2] = [200, 5_000];

/// A question to keep: its name, whether others see it, what it asks and the values that it gives, which the caller has checked.
#[derive(Clone, Debug)]
pub struct Question {
    /// What it is called.
    pub name: String,
    /// Whether others see it.
    pub shared: bool,
    /// What it asks: the name of a list or a search.
    pub asks: &'static str,
    /// The values that it gives.
    pub given: Value,
}

/// Keeps a question in the store at `dir`; returns its number.
/// # Errors
/// `Input` when a name is empty or too long, the values take more than 4,000 bytes, or there are too many; `Store` when another writer holds the store.
pub fn save<'a>(dir: &Path, question: Question, said: &Said<'_>, by: impl Into<By<'a>>) -> Result<u64> {
    let Question { name, shared, asks, given } = question;
    bounded("name", &name, LONGEST[0], false)?;
    let bytes = given.to_string().len();
    if bytes > LONGEST[1] {
        let message = format!("expected a question of at most {} bytes, got {bytes}", LONGEST[1]);
        return Err(
            Error::new(ErrorKind::Input, message).hint("a text of any length can be searched for without keeping it")
        );
    }
    Store::open(dir)?;
    let by = by.into();
    let (mut writer, _) = Writer::open(dir, by.name, &[])?;
    let before = saved::all(&writer.store)?;
    let own = before.iter().filter(|saved| saved.author == said.author).count();
    for (n, most, whose) in [(own, MOST[0], "of one person"), (before.len(), MOST[1], "of a store")] {
        if n >= most {
            let message = format!("expected at most {most} saved questions {whose}, got one more");
            return Err(Error::new(ErrorKind::Input, message).hint("remove one first"));
        }
    }
    writer.witness(by.act);
    let (time, author) = (said.time, said.author.to_owned());
    saved::add(&mut writer, &Saved { id: 0, name, time, author, shared, asks: asks.to_owned(), given })
}

/// Takes a question out of the store at `dir`: one's own, or with `any` that of anybody.
/// # Errors
/// `Input` when there is none of this number that may be taken; `Store` when another writer holds the store.
pub fn unsave<'a>(dir: &Path, id: u64, any: bool, said: &Said<'_>, by: impl Into<By<'a>>) -> Result<()> {
    Store::open(dir)?;
    let by = by.into();
    let (mut writer, _) = Writer::open(dir, by.name, &[])?;
    let may = |saved: &&Saved| saved.id == id && (any || saved.author == said.author);
    if saved::all(&writer.store)?.iter().find(may).is_none() {
        return Err(Error::new(ErrorKind::Input, format!("expected a saved question of yours, got the number {id}")));
    }
    writer.witness(by.act);
    saved::remove(&mut writer, id)
}
