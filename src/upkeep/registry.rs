//! Entries into the registry, and out of it.

use super::rings::Said;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Time;
use crate::store::custody::By;
use crate::store::{Store, Writer};
use crate::stored::registry::{self, Entry, Kind, What};
use std::collections::HashSet;
use std::path::Path;

/// Longest name and provenance, and most entries of a store.
const LONGEST: usize = 2_000;
const MOST: usize = 1_000_000;

/// What is to be registered, with where it is known from.
#[derive(Clone, Debug)]
pub struct Registration {
    /// What kind of thing.
    pub kind: Kind,
    /// Names and what they are about.
    pub what: Vec<(String, What)>,
    /// Where it is known from.
    pub provenance: String,
    /// Since when it is public.
    pub public_since: Option<Time>,
}

/// Adds to the registry of the store at `dir`; what stands there already is left out. Returns how many entries were added.
/// # Errors
/// `Input` when nothing is given, a name is empty or too long, or an account is registered as something else than a gateway; `Store` when another
/// writer holds the store.
pub fn register<'a>(dir: &Path, new: Registration, said: &Said<'_>, by: impl Into<By<'a>>) -> Result<u64> {
    let refuse = |what: String| Err(Error::new(ErrorKind::Input, what));
    if new.what.is_empty() {
        return refuse("expected something to register, got nothing".into());
    }
    for (name, what) in &new.what {
        if name.trim().is_empty() || name.len() > LONGEST || new.provenance.len() > LONGEST {
            return refuse(format!(
                "expected a name and a provenance of at most {LONGEST} bytes, got the name {name:?}"
            ));
        }
        if matches!(what, What::Account(_)) != (new.kind == Kind::Gateway) {
            return refuse("expected an account for a gateway, and a text or a digest for anything else".into());
        }
        if matches!(what, What::Text(text) if text.trim().is_empty()) {
            return refuse(format!("expected a text for {name:?}, got an empty one"));
        }
    }
    Store::open(dir)?;
    let by = by.into();
    let (mut writer, _) = Writer::open(dir, by.name, &[])?;
    let before = registry::entries(&writer.store)?;
    let mut there: HashSet<(Kind, What)> = before.iter().map(|entry| (entry.kind, entry.what.clone())).collect();
    let Registration { kind, what, provenance, public_since } = new;
    let entries: Vec<Entry> = what
        .into_iter()
        .filter(|(_, what)| there.insert((kind, what.clone())))
        .map(|what| Entry::new(what, kind, (provenance.clone(), public_since), (said.time, said.author.to_owned())))
        .collect();
    if before.len() + entries.len() > MOST {
        return refuse(format!("expected at most {MOST} entries of the registry"));
    }
    writer.witness(by.act);
    registry::add(&mut writer, &entries)?;
    Ok(entries.len() as u64)
}

/// Removes all entries of a name from the registry of the store at `dir`; returns how many.
/// # Errors
/// `Input` when there is none; `Store` when another writer holds the store.
pub fn unregister<'a>(dir: &Path, name: &str, by: impl Into<By<'a>>) -> Result<u64> {
    Store::open(dir)?;
    let by = by.into();
    let (mut writer, _) = Writer::open(dir, by.name, &[])?;
    writer.witness(by.act);
    match registry::remove(&mut writer, name)? {
        0 => Err(Error::new(ErrorKind::Input, format!("expected a name of the registry, got {name:?}"))
            .hint("stillhunt registry list shows them")),
        removed => Ok(removed),
    }
}
