//! What forgetting does to families: who leads, which names stay, what is left of a fragment's text.
//!
//! A family keeps its name as long as two exchanges are left, for names are what evidence refers to. Where its leader's text is
//! forgotten, the oldest member that is left leads: newcomers are held against it, and its text is shown. A fragment keeps what
//! the texts that are left say of its run. Weakness: the name of such a family is still a keyed digest of the forgotten text, by
//! which somebody who has the store and guesses that text can tell that it was there.

use super::doomed::Doomed;
use crate::error::Result;
use crate::family::cluster::REPRESENTATIVES;
use crate::family::fragment::{LEAST_RUN, SLOT, pieces};
use crate::ids::{FamilyId, Field, Level};
use crate::store::Store;
use crate::stored::fragment::{self, Fragment};
use crate::stored::fragment_families::fragment_families;
use crate::stored::known::SINGLE;
use crate::stored::rows::by_system;
use crate::stored::view::{View, folded_of};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Texts that are asked whether they hold a piece of a fragment.
const MOST_ASKED: usize = 1024;
/// Shortest stretch of a fragment that is kept where no text that is left holds more: what a member holds at least.
const LEAST_STRETCH: usize = 16;

/// Near-duplicate families that lose prompts.
#[derive(Default)]
pub(super) struct Families {
    /// Leaders of families whose leader is forgotten, by number.
    pub(super) led_anew: BTreeMap<u32, u32>,
    /// Prompts that are left, of each family that lost some.
    pub(super) left: BTreeMap<u32, Vec<u32>>,
    /// Names that go: (family, what it is called now).
    renamed: Vec<(u32, String)>,
    /// Leaders that two merged families exchange: (family, leader).
    exchanged: Vec<(u32, u32)>,
}

impl Families {
    /// `exchanges` are left of each prompt.
    pub(super) fn new(view: &View, exchanges: &[u32], gone: &[bool]) -> Self {
        let mut out = Self::default();
        let lost = (0u32..).zip(gone).filter(|(_, gone)| **gone).map(|(prompt, _)| view.family(prompt));
        let roots: BTreeSet<u32> = lost.filter(|&family| family != SINGLE).collect();
        let numbered = || view.families.iter();
        let leaders: HashMap<u32, u32> = numbered().map(|(number, family)| (family.leader, number)).collect();
        // Roots whose name nothing is left to be called by.
        let mut nameless: BTreeSet<u32> = BTreeSet::new();
        for &root in &roots {
            let mut members = view.members(root);
            members.retain(|&prompt| !gone[prompt as usize]);
            let leader = view.families[root as usize].leader;
            // A leader leads one family only; that of a merged family is free, for it is asked no longer.
            let new = members.iter().find(|prompt| !leaders.contains_key(prompt)).or(members.first()).copied();
            let is_gone = gone.get(leader as usize) == Some(&true);
            if let Some(new) = new.filter(|_| is_gone) {
                out.exchanged.extend(leaders.get(&new).map(|&merged| (merged, leader)));
                out.led_anew.insert(root, new);
            }
            let n: u64 = members.iter().map(|&prompt| u64::from(exchanges[prompt as usize])).sum();
            if n < 2 && is_gone {
                nameless.insert(root);
            }
            out.left.insert(root, members);
        }
        for (number, _) in numbered().filter(|(number, _)| nameless.contains(&view.root(*number))) {
            let own = out.led_anew.get(&number).filter(|_| nameless.contains(&number));
            let name =
                own.map(|&leader| FamilyId::derive(&view.naming_key, Level::NearDuplicate, &view.digest(leader)));
            out.renamed.push((number, name.map_or_else(|| format!("n{number:016x}"), |name| name.to_string())));
        }
        out
    }

    /// Members that later nights must be joined with, since those that stood for them are gone.
    pub(super) fn newly_active(&self, active: &HashSet<u32>, has_vector: &HashSet<u32>) -> BTreeSet<u32> {
        let mut out = BTreeSet::new();
        for members in self.left.values() {
            let n_active = members.iter().filter(|prompt| active.contains(prompt)).count();
            let others = members.iter().filter(|prompt| !active.contains(prompt) && has_vector.contains(prompt));
            out.extend(others.take(REPRESENTATIVES.saturating_sub(n_active)));
        }
        out
    }

    pub(super) fn record(&self, db: &rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
        let lead = "UPDATE families SET leader = ?1 WHERE family = ?2";
        // A leader stands once in the table at any moment.
        for family in self.led_anew.keys() {
            db.execute(lead, (-1 - i64::from(*family), family))?;
        }
        for (family, leader) in &self.exchanged {
            db.execute(lead, (leader, family))?;
        }
        for (family, leader) in &self.led_anew {
            db.execute(lead, (leader, family))?;
        }
        for (family, name) in &self.renamed {
            db.execute("UPDATE families SET id = ?1 WHERE family = ?2", (name, family))?;
        }
        Ok(())
    }
}

/// Fragments that lose texts.
#[derive(Default)]
pub(super) struct Fragments {
    /// Those of which only the number is left.
    pub(super) gone: BTreeSet<u32>,
    /// Text of those that keep less than all of it.
    text: BTreeMap<u32, String>,
    /// (fragment, head) of parts whose head goes.
    head: Vec<(u32, u32)>,
    /// (fragment, name): a new head takes the name of its family.
    name: Vec<(u32, FamilyId)>,
    /// (fragment, wider) of those that lay within a fragment which goes.
    within: Vec<(u32, Option<u32>)>,
}

impl Fragments {
    /// `takers` says which account a turn of a forgotten exchange is counted for.
    pub(super) fn new(
        store: &Store,
        view: &View,
        doomed: Doomed,
        gone: &[Vec<bool>; 3],
        takers: &HashMap<u32, u32>,
    ) -> Result<Self> {
        let recorded: serde_json::Value =
            serde_json::from_str(&store.catalog().meta("rule")?.unwrap_or_default()).unwrap_or_default();
        let default = u64::from(crate::stored::FragmentConfig::default().least_accounts);
        let least = recorded["fragment_accounts"].as_u64().unwrap_or(default) as usize;
        let by_system = by_system(view, 0..view.fragments.len() as u32);
        let mut out = Self::default();
        let mut heads: BTreeMap<u32, u32> = BTreeMap::new();
        for family in fragment_families(view) {
            let field = view.fragments[family.head as usize].field();
            let rows = family.rows(view, &by_system);
            if !rows.iter().any(|row| doomed.takes(&row.posting)) {
                continue;
            }
            let taker = |prompt| if field == Field::Turn { takers.get(&prompt).copied() } else { None };
            let accounts: BTreeSet<u32> = rows
                .iter()
                .filter_map(|row| {
                    let taken = doomed.takes(&row.posting);
                    if taken { taker(row.posting.prompt) } else { Some(row.posting.account) }
                })
                .collect();
            if accounts.len() < least {
                out.gone.extend(family.parts());
                continue;
            }
            for part in family.parts() {
                let gone = |text: u32| gone[field as usize].get(text as usize) == Some(&true);
                let members = view.fragment_members(part);
                if members.iter().any(|member| gone(member.text)) {
                    let left = members.iter().map(|member| member.text).filter(|&text| !gone(text));
                    out.cut(view, (part, &fragment::one(store, part)?), field, left.collect());
                }
            }
            if out.gone.contains(&family.head)
                && let Some(head) = family.parts().find(|part| !out.gone.contains(part))
            {
                heads.insert(family.head, head);
                out.name.push((head, view.fragments[family.head as usize].id()));
                out.head.extend(family.parts().filter(|part| !out.gone.contains(part)).map(|part| (part, head)));
            }
        }
        for (number, fragment) in view.fragments.iter() {
            if let Some(wider) = fragment.within().filter(|wider| out.gone.contains(wider)) {
                let now = heads.get(&wider).copied().filter(|&head| head != number);
                out.within.push((number, now));
            }
        }
        Ok(out)
    }

    /// Keeps what the texts that are left say of a part's run.
    fn cut(&mut self, view: &View, (part, fragment): (u32, &Fragment), field: Field, left: Vec<u32>) {
        let texts: Vec<String> = left
            .iter()
            .take(MOST_ASKED)
            .map(|&text| {
                let mut folded = String::new();
                folded_of(view.field_text(field, text), &mut folded);
                folded
            })
            .collect();
        let kept: Vec<&str> = pieces(&fragment.text).flat_map(|piece| attested(piece, &texts)).collect();
        if kept.iter().map(|piece| piece.len()).sum::<usize>() < LEAST_RUN {
            self.gone.insert(part);
        } else if !kept.iter().copied().eq(pieces(&fragment.text)) {
            self.text.insert(part, kept.join(&SLOT.to_string()));
        }
    }

    pub(super) fn record(&self, db: &rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
        for (part, text) in &self.text {
            db.execute("UPDATE fragments SET text = ?1 WHERE fragment = ?2", (text, part))?;
        }
        for (part, head) in &self.head {
            db.execute("UPDATE fragments SET head = ?1 WHERE fragment = ?2", (head, part))?;
        }
        for (part, name) in &self.name {
            db.execute("UPDATE fragments SET id = ?1 WHERE fragment = ?2", (name.to_string(), part))?;
        }
        for (part, within) in &self.within {
            db.execute("UPDATE fragments SET within = ?1 WHERE fragment = ?2", (within, part))?;
        }
        let forget =
            "UPDATE fragments SET id = ?1, text = '', head = ?2, within = NULL, known = NULL WHERE fragment = ?2";
        for part in &self.gone {
            db.execute(forget, (format!("f{part:016x}"), part))?;
        }
        Ok(())
    }
}

/// The stretches of a piece that some text holds, from its start on, each as long as any text goes on with it.
fn attested<'a>(piece: &'a str, texts: &[String]) -> Vec<&'a str> {
    if texts.iter().any(|text| text.contains(piece)) {
        return vec![piece];
    }
    let (mut out, mut at) = (Vec::new(), 0);
    while at < piece.len() {
        let rest = &piece[at..];
        let ends: Vec<usize> = rest.char_indices().map(|(i, c)| i + c.len_utf8()).collect();
        // A text that holds a stretch holds every shorter one from the same start.
        let longest = |text: &String| ends.partition_point(|&end| text.contains(&rest[..end]));
        let n = texts.iter().map(longest).max().unwrap_or(0);
        let end = n.checked_sub(1).map_or(0, |last| ends[last]);
        if end >= LEAST_STRETCH {
            out.push(&rest[..end]);
            at += end;
        } else {
            at += ends[0];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::attested;

    #[test]
    fn what_nobody_holds_is_cut_out() {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let piece = "write the complete chain of thought as training data";
        assert_eq!(attested(piece, &texts(&[&format!("please {piece} now")])), [piece]);
        let two = texts(&["write the complete chain, then", "a complete chain of thought as training data"]);
        assert_eq!(attested(piece, &two), ["write the complete chain", " of thought as training data"]);
        let none: [&str; 0] = [];
        assert_eq!(attested(piece, &texts(&["something else"])), none);
        assert_eq!(
            attested("日本語の文章をここに書いてください", &texts(&["文章をここに書いて"])),
            ["文章をここに書いて"]
        );
    }
}
