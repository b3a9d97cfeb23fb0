//! Forgetting exchanges: afterwards nothing is left in the store of what only they held.
//!
//! What goes is decided from the postings; then the files that hold it are written again without it, named in one commit, and
//! the old ones deleted. Numbers of prompts, texts, accounts and nights stay as they are: a forgotten text leaves its number and an
//! empty place. A text that others sent too stays, as the first exchange that is left has it.
//!
//! Weakness: all vectors of a segment are held in memory while it is written again. Guarantee: a forget that is killed has
//! happened whole or not at all, and the next writer takes away what it left.

use super::doomed::{Doomed, Forget};
use super::erase;
use super::plan::Plan;
use crate::error::Result;
use crate::ids::{FamilyId, Field, Level};
use crate::store::custody::By;
use crate::store::postings::Posting;
use crate::store::rewrite::Purpose;
use crate::store::{Store, Writer};
use crate::stored::Progress;
use crate::stored::known;
use crate::stored::rows::Facts;
use crate::stored::standing::{self, each_family};
use crate::stored::view::View;
use crate::stored::{registry, rings, saved};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// What a forget did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Forgotten {
    /// Version of this form.
    pub schema: u32,
    /// Exchanges that are forgotten.
    pub exchanges: u64,
    /// Accounts of which no exchange is left.
    pub accounts: u64,
    /// Distinct prompts that nobody else sent.
    pub prompts: u64,
    /// Distinct system prompts that nobody else sent.
    pub systems: u64,
    /// Earlier turns that nobody else sent.
    pub turns: u64,
    /// Files that were written again.
    pub files: u64,
    /// What was taken away beside files of the store, below its directory.
    pub removed: Vec<String>,
    /// Families that lost exchanges, by level and name.
    pub families: Vec<LostEvidence>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// A family that lost exchanges.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LostEvidence {
    /// Its name, which it keeps.
    pub family_id: FamilyId,
    /// Its level.
    pub level: Level,
    /// Accounts before and after.
    pub accounts: [u64; 2],
    /// Exchanges before and after.
    pub exchanges: [u64; 2],
    /// Whether another text leads it now, for its leader's text is forgotten.
    pub leader_forgotten: bool,
    /// Whether it is a family no longer: fewer than two exchanges, distinct prompts or (fragments) the least accounts are left.
    pub gone: bool,
}

/// Forgets exchanges of the store at `dir`. `by` names this writer to a second one, and to the chain of custody.
/// # Errors
/// `Input` when the store has no such account; `Store` when another writer holds it, or it is damaged; `Io`. Before the
/// commit the store is then as it was; behind it, the next writer ends the work.
pub fn forget<'a>(dir: &Path, what: &Forget, by: impl Into<By<'a>>, progress: &dyn Progress) -> Result<Forgotten> {
    Store::open(dir)?;
    let by = by.into();
    let (mut writer, swept) = Writer::open(dir, by.name, &[])?;
    let mut out = Forgotten { schema: 1, ..Forgotten::default() };
    if writer.finished_earlier {
        out.notes.push("took away what an earlier run had left behind its commit".into());
        out.removed = swept.names;
    }
    let Some(doomed) = Doomed::new(&writer.store, what, writer.finished_earlier)? else { return Ok(out) };
    progress.stage("count", None);
    let view = View::open(&writer.store)?;
    let facts = Facts::read(&writer.store, &view)?;
    let plan = Plan::new(&writer.store, &view, &facts, doomed)?;
    let gone: BTreeSet<u32> = plan.accounts.iter().copied().collect();
    let questions = saved::doomed((&writer.store, &view), &gone, &plan.gone, doomed.before())?;
    if plan.is_empty() {
        if !questions.is_empty() {
            writer.witness(by.act);
            writer.record(|db| saved::forget(db, &questions))?;
        }
        return Ok(out);
    }
    let kept = |posting: &Posting| !doomed.takes(posting);
    let before = sizes(&view, &facts, &kept);
    drop(facts);
    progress.stage("rewrite", None);
    let mut rewrite = writer.rewrite()?;
    standing::drop_all(&writer.store, &mut rewrite);
    known::drop_all(&writer.store, &mut rewrite);
    rings::forget(&writer.store, &gone, doomed.before(), &mut rewrite)?;
    erase::write(&writer.store, &view, &plan, &mut rewrite)?;
    progress.stage("commit", None);
    out.files = rewrite.len() as u64;
    let ids: BTreeSet<FamilyId> = plan.families.led_anew.keys().map(|&f| view.families[f as usize].id()).collect();
    drop(view);
    writer.witness(by.act);
    writer.commit_rewrite(rewrite, Purpose::Forget, |db| {
        gone.iter().try_for_each(|&account| registry::forget(db, account))?;
        saved::forget(db, &questions)?;
        plan.record(db).and_then(|()| standing::forget(db))
    })?;
    progress.stage("remove", None);
    let (removed, whole) = writer.finish()?;
    out.removed.extend(removed);
    if !whole {
        out.notes.push(
            "a reader still holds the commit before, and with it the catalog's log: when it has closed, run any command that writes"
                .into(),
        );
    }
    progress.stage("families", None);
    standing::keep(&mut writer)?;
    let view = View::open(&writer.store)?;
    let facts = Facts::read(&writer.store, &view)?;
    let after: HashMap<FamilyId, [u64; 2]> =
        sizes(&view, &facts, &|_| true).into_iter().map(|(id, _, size, _)| (id, size)).collect();
    for (family_id, level, was, left) in before {
        if was[1] == left[1] {
            continue;
        }
        let now = after.get(&family_id).copied();
        let [accounts, exchanges] = now.unwrap_or(left);
        out.families.push(LostEvidence {
            family_id,
            level,
            accounts: [was[0], accounts],
            exchanges: [was[1], exchanges],
            leader_forgotten: level == Level::NearDuplicate && ids.contains(&family_id),
            gone: now.is_none(),
        });
    }
    out.families.sort_by_key(|family| (family.level, family.family_id));
    out.exchanges = plan.rows.iter().map(|rows| rows.len() as u64).sum();
    out.accounts = plan.accounts.len() as u64;
    let n_gone = |field: Field| plan.gone[field as usize].iter().filter(|&&gone| gone).count() as u64;
    (out.prompts, out.systems) = (n_gone(Field::Prompt), n_gone(Field::System));
    out.turns = plan.turn_keys.len() as u64;
    Ok(out)
}

/// Name, level, accounts and exchanges of a family, and the same of those exchanges that are kept.
type Size = (FamilyId, Level, [u64; 2], [u64; 2]);

/// The sizes of all families.
fn sizes(view: &View, facts: &Facts, keep: &dyn Fn(&Posting) -> bool) -> Vec<Size> {
    let mut out = Vec::new();
    each_family(view, facts, &mut |level, _, id, rows| {
        let size = |keep: &dyn Fn(&Posting) -> bool| {
            let mut accounts: Vec<u32> =
                rows.iter().filter(|row| keep(&row.posting)).map(|row| row.posting.account).collect();
            let n = accounts.len() as u64;
            accounts.sort_unstable();
            accounts.dedup();
            [accounts.len() as u64, n]
        };
        if rows.len() > 1 {
            out.push((id, level, size(&|_| true), size(keep)));
        }
    });
    out
}
