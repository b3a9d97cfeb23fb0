//! Members of families, one row for each exchange and level, as CSV that any tool reads.

use crate::error::{Error, ErrorKind, Result};
use crate::family::fragment::pieces;
use crate::ids::{FamilyId, Field, Level};
use crate::report::export::parquet::{Member, Take};
use crate::store::{Store, tables};
use crate::stored::fragment;
use crate::stored::fragment_families::fragment_families;
use crate::stored::rows::{Facts, by_system};
use crate::stored::view::View;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

/// One row for each exchange and level: `exchange_id,account,family_id,level,similarity`, in the order of the logs.
///
/// A family has at least two exchanges. Similarity is that of the exchange's prompt to the family's leader, in [−1, 1]; at the
/// level of fragments, the share of the fragment that the text holds, in (0, 1]. No
/// column needs quoting: an id's comma, quote, blank or control character, one that turns the line around, its `%`, and a first
/// `=`, `+`, `-` or `@` (which a spreadsheet would run) are written as `%` and two hex digits a byte.
/// # Errors
/// `Store` when it is damaged, `Io` when `out` cannot be written.
pub fn export_members(store: &Store, levels: &[Level], out: &mut dyn Write) -> Result<u64> {
    let failed = |cause: std::io::Error| Error::new(ErrorKind::Io, format!("cannot write the export: {cause}"));
    let members = Members::of(store, levels)?;
    let mut written = 0;
    writeln!(out, "exchange_id,account,family_id,level,similarity").map_err(failed)?;
    members.each(&mut |Member { exchange, account, family, level, similarity }| {
        written += 1;
        let (id, level) = (plain(exchange), level.word());
        writeln!(out, "{id},{account},{family},{level},{similarity:.4}").map_err(failed)
    })?;
    out.flush().map_err(failed)?;
    Ok(written)
}

/// What the members of families are told with.
pub(super) struct Members<'a> {
    store: &'a Store,
    levels: &'a [Level],
    view: View,
    facts: Facts,
    /// Requests of each prompt, and of each near-duplicate family by its leader.
    requests: Vec<u32>,
    near_requests: Vec<u32>,
    accounts: Vec<String>,
    by_row: ByRow<Vec<(u32, f32)>>,
}

impl<'a> Members<'a> {
    /// Reads what is needed of all rows.
    pub(super) fn of(store: &'a Store, levels: &'a [Level]) -> Result<Self> {
        let view = View::open(store)?;
        let facts = Facts::read(store, &view)?;
        let mut requests = vec![0u32; view.n_prompts()];
        view.postings.iter().flat_map(|p| p.all()).for_each(|posting| requests[posting.prompt as usize] += 1);
        let mut near_requests = vec![0u32; view.n_prompts()];
        for (prompt, &n) in requests.iter().enumerate() {
            if let Some(leader) = facts.near(&view, prompt as u32) {
                near_requests[leader as usize] += n;
            }
        }
        let accounts = store.catalog().all("SELECT id FROM accounts ORDER BY account", [], |row| row.get(0))?;
        let by_row = if levels.contains(&Level::Fragment) { fragment_rows(store, &view)? } else { HashMap::new() };
        Ok(Self { store, levels, view, facts, requests, near_requests, accounts, by_row })
    }

    /// Gives every row, in the order of the logs.
    pub(super) fn each(&self, take: &mut Take<'_>) -> Result<()> {
        let view = &self.view;
        let mut names: HashMap<(Level, u32), FamilyId> = HashMap::new();
        for (night, file) in self.store.of_kind("rows").enumerate() {
            let mut row_number = 0;
            for batch in tables::read(&self.store.path(file), &["exchange_id", "account", "prompt"], None)? {
                let batch = batch?;
                let ids = batch.column(0).as_string::<i32>();
                let (row_accounts, prompts) =
                    (batch.column(1).as_primitive::<UInt32Type>(), batch.column(2).as_primitive::<UInt32Type>());
                for row in 0..batch.num_rows() {
                    let prompt = prompts.value(row);
                    if prompt as usize >= self.requests.len() {
                        let what = format!("{}: prompt {prompt} does not exist", file.name);
                        return Err(Error::new(ErrorKind::Store, what).hint("run: stillhunt store verify"));
                    }
                    let account = self.accounts.get(row_accounts.value(row) as usize).map_or("", String::as_str);
                    let exchange = ids.value(row);
                    for &level in self.levels {
                        let Some(leader) = self.lead(level, prompt) else { continue };
                        let family = *names.entry((level, leader)).or_insert_with(|| view.family_id(level, leader));
                        let similarity = if level == Level::Exact { 1.0 } else { view.similarity(prompt) };
                        take(Member { exchange, account, family, level, similarity })?;
                    }
                    let here = self.by_row.get(&(night as u16, row_number + row as u32)).into_iter().flatten();
                    for &(head, similarity) in here {
                        let (family, level) = (view.fragments[head as usize].id(), Level::Fragment);
                        take(Member { exchange, account, family, level, similarity })?;
                    }
                }
                row_number += batch.num_rows() as u32;
            }
        }
        Ok(())
    }

    /// The leader of a prompt's family at a level, where that has at least two exchanges.
    fn lead(&self, level: Level, prompt: u32) -> Option<u32> {
        match level {
            Level::Exact => (self.requests[prompt as usize] > 1).then_some(prompt),
            Level::NearDuplicate => {
                self.facts.near(&self.view, prompt).filter(|&leader| self.near_requests[leader as usize] > 1)
            }
            Level::System | Level::Fragment => None,
        }
    }
}

/// By night and row.
type ByRow<T> = HashMap<(u16, u32), T>;

/// Heads of the fragment families of each exchange, with the share of the fragment that its text holds.
fn fragment_rows(store: &Store, view: &View) -> Result<ByRow<Vec<(u32, f32)>>> {
    let by_system = by_system(view, 0..view.fragments.len() as u32);
    let mut out: ByRow<Vec<(u32, f32)>> = HashMap::new();
    for family in fragment_families(view) {
        let fragment = fragment::one(store, family.head)?;
        let length: usize = pieces(&fragment.text).map(str::len).sum();
        let held: HashMap<u32, u32> = family.members.iter().map(|member| (member.text, member.held)).collect();
        for row in family.rows(view, &by_system) {
            let text = if fragment.field == Field::System { row.posting.system } else { row.posting.prompt };
            let share = held.get(&text).map_or(0.0, |&held| (held as f32 / length.max(1) as f32).min(1.0));
            let families = out.entry((row.night, row.posting.row)).or_default();
            if families.last().map(|last| last.0) != Some(family.head) {
                families.push((family.head, share));
            }
        }
    }
    Ok(out)
}

/// An id that needs no quoting and that no spreadsheet takes for a formula.
fn plain(id: &str) -> Cow<'_, str> {
    let special = |i: usize, c: char| {
        matches!(c, ',' | '"' | '\'' | '%' | '\\' | ' ')
            || c.is_control()
            || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
            || (i == 0 && matches!(c, '=' | '+' | '-' | '@'))
    };
    if !id.char_indices().any(|(i, c)| special(i, c)) {
        return Cow::Borrowed(id);
    }
    let mut out = String::with_capacity(id.len() + 8);
    for (i, c) in id.char_indices() {
        if special(i, c) {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| out.push_str(&format!("%{b:02X}")));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn ids_need_no_quotes_and_run_in_no_spreadsheet() {
        for (id, expected) in [
            ("req-1", "req-1"),
            ("=cmd()", "%3Dcmd()"),
            ("a,b\"c", "a%2Cb%22c"),
            ("-1", "%2D1"),
            ("日本", "日本"),
            ("50%", "50%25"),
            ("\u{202e}gnp", "%E2%80%AEgnp"),
        ] {
            assert_eq!(plain(id), expected);
        }
    }
}
