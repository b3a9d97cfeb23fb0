//! Writing the files of a store again without what is forgotten.
//!
//! A file is written again where something in it goes, and only there. Tables and texts that are addressed by number keep an empty
//! place for each that went: an empty digest, no text, no vector.

use super::plan::Plan;
use crate::error::Result;
use crate::ids::Field;
use crate::index::{Built, Vectors};
use crate::store::keys::{self, KeyTable, Record};
use crate::store::members::{Holder, Member};
use crate::store::postings::{self, Posting};
use crate::store::prints::PrintRecord;
use crate::store::rewrite::Rewrite;
use crate::store::sorted::{self, Sorted};
use crate::store::tables::{self, Cell, Columns, TableWriter};
use crate::store::texts::{Texts, TextsWriter};
use crate::store::{Named, Night, Store};
use crate::stored::fields::{folded_if_stored, prints_kind, texts_kind, written};
use crate::stored::view::{View, folded_of, segments};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};

/// No row of the night has this prompt any longer.
const NO_ROW: u32 = u32::MAX;

/// Writes every file again that holds something of `plan`.
pub(super) fn write(store: &Store, view: &View, plan: &Plan, out: &mut Rewrite) -> Result<()> {
    let mut eraser = Eraser { store, view, plan, out };
    for (i, night) in store.nights().iter().enumerate() {
        eraser.rows(i)?;
        eraser.prompts(i, night)?;
        eraser.systems(i, night)?;
        eraser.turns(i)?;
        eraser.postings(i)?;
        for field in Field::ALL {
            eraser.texts(i, night, field)?;
        }
    }
    for field in Field::ALL {
        eraser.prints(field)?;
    }
    eraser.keys()?;
    let similarity = eraser.segments()?;
    eraser.assigned(&similarity)?;
    eraser.fragments()
}

/// A table that is written again.
struct Table(TableWriter<BufWriter<File>>);

impl Table {
    fn add(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        self.0.push(cells).map(|_| ())
    }
}

struct Eraser<'a> {
    store: &'a Store,
    view: &'a View,
    plan: &'a Plan,
    out: &'a mut Rewrite,
}

impl Eraser<'_> {
    fn file(&self, kind: &str, night: usize) -> Option<Named> {
        self.store.of_kind(kind).nth(night).cloned()
    }

    fn is_gone(&self, field: Field, number: u32) -> bool {
        self.plan.gone[field as usize].get(number as usize) == Some(&true)
    }

    fn any_gone(&self, field: Field, first: u32, n: u32) -> bool {
        (first..first + n).any(|number| self.is_gone(field, number))
    }

    /// The number that a row of a night has from now on; `None` for a forgotten one.
    fn row(&self, night: usize, row: u32) -> Option<u32> {
        self.plan.rows[night].binary_search(&row).err().map(|before| row - before as u32)
    }

    /// Writes a table again; `take` gives each row to the writer as it shall be, or does not.
    fn table(
        &mut self,
        file: &Named,
        columns: &Columns,
        mut take: impl FnMut(u32, &[Cell<'_>], &mut Table) -> Result<()>,
    ) -> Result<()> {
        let mut table = Table(TableWriter::new(columns, self.out.replace(file)?)?);
        tables::each_row(&self.store.path(file), columns, &mut |number, cells| take(number, cells, &mut table))?;
        table.0.finish()?.flush().map_err(|cause| written(&cause))
    }

    fn bytes(&mut self, file: &Named, bytes: &[u8]) -> Result<()> {
        let mut out = self.out.replace(file)?;
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|cause| written(&cause))
    }

    fn rows(&mut self, night: usize) -> Result<()> {
        let plan = self.plan;
        let Some(file) = self.file("rows", night) else { return Ok(()) };
        if plan.rows[night].is_empty() && !plan.named_in[night] {
            return Ok(());
        }
        let end_user = tables::ROWS.iter().position(|(name, ..)| *name == "end_user").unwrap_or_default();
        self.table(&file, tables::ROWS, |number, cells, table| {
            if plan.rows[night].binary_search(&number).is_ok() {
                return Ok(());
            }
            let mut cells = cells.to_vec();
            if matches!(cells[end_user], Cell::Text(Some(name)) if plan.pseudonym.as_deref() == Some(name)) {
                cells[end_user] = Cell::Text(None);
            }
            table.add(&cells)
        })
    }

    fn prompts(&mut self, night: usize, of: &Night) -> Result<()> {
        let plan = self.plan;
        let Some(file) = self.file("prompts-table", night) else { return Ok(()) };
        if plan.rows[night].is_empty() && !self.any_gone(Field::Prompt, of.first_prompt, of.prompts) {
            return Ok(());
        }
        // The first row of the night that is left with each of its new prompts.
        let rows: Vec<u32> = (of.first_prompt..of.first_prompt + of.prompts)
            .map(|prompt| {
                let left = self.view.postings[night].of(prompt).iter().find_map(|posting| self.row(night, posting.row));
                left.unwrap_or(NO_ROW)
            })
            .collect();
        let was_empty = |digest: &Cell<'_>| matches!(digest, Cell::Bytes(bytes) if bytes.is_empty());
        self.table(&file, tables::PROMPTS, |number, cells, table| {
            let prompt = of.first_prompt + number;
            let gone = plan.gone[Field::Prompt as usize][prompt as usize];
            if gone || was_empty(&cells[1]) {
                let (none, no) = (Cell::U32(Some(0)), Cell::Bool(false));
                return table.add(&[cells[0], Cell::Bytes(&[]), Cell::U32(Some(NO_ROW)), no, no, none, none]);
            }
            let mut cells = cells.to_vec();
            cells[2] = Cell::U32(Some(rows[number as usize]));
            table.add(&cells)
        })
    }

    fn systems(&mut self, night: usize, of: &Night) -> Result<()> {
        let plan = self.plan;
        let Some(file) = self.file("systems-table", night) else { return Ok(()) };
        let raw = &plan.raw[Field::System as usize];
        let numbers = of.first_system..of.first_system + of.systems;
        if raw.range(numbers).next().is_none() && !self.any_gone(Field::System, of.first_system, of.systems) {
            return Ok(());
        }
        self.table(&file, tables::SYSTEMS, |number, cells, table| {
            let system = of.first_system + number;
            if plan.gone[Field::System as usize][system as usize] {
                return table.add(&[cells[0], Cell::Bytes(&[]), Cell::Text(Some(""))]);
            }
            let text = raw.get(&system).map_or(cells[2], |text| Cell::Text(Some(text)));
            table.add(&[cells[0], cells[1], text])
        })
    }

    fn turns(&mut self, night: usize) -> Result<()> {
        let plan = self.plan;
        let Some(file) = self.file("turns-table", night) else { return Ok(()) };
        let gone = |key: &[u8]| key.try_into().is_ok_and(|key| plan.turn_keys.contains(&u128::from_be_bytes(key)));
        let mut found = false;
        for batch in tables::read(&self.store.path(&file), &["digest"], None)? {
            found |= batch?.column(0).as_binary::<i32>().iter().flatten().any(&gone);
        }
        if !found {
            return Ok(());
        }
        self.table(&file, tables::TURNS, |_, cells, table| match cells[1] {
            // The turns of users are numbered in the order of this table.
            Cell::Bytes(key) if gone(key) => match cells[2] {
                Cell::Text(Some("user")) => {
                    table.add(&[Cell::Text(None), Cell::Bytes(&[]), cells[2], Cell::Text(Some(""))])
                }
                _ => Ok(()),
            },
            _ => table.add(cells),
        })
    }

    fn postings(&mut self, night: usize) -> Result<()> {
        let plan = self.plan;
        if plan.rows[night].is_empty() && plan.moved[night].is_empty() {
            return Ok(());
        }
        let renumbered = |posting: &Posting| Some(Posting { row: self.row(night, posting.row)?, ..*posting });
        let kept: Vec<Posting> = self.view.postings[night].all().iter().filter_map(renumbered).collect();
        let of_turns = self.view.postings(Field::Turn)[night].all().iter().chain(&plan.moved[night]);
        let turns: Vec<Posting> = of_turns.filter_map(renumbered).collect();
        for (kind, list) in [("postings", kept), ("turn-postings", turns)] {
            if let Some(file) = self.file(kind, night) {
                self.bytes(&file, &postings::to_bytes(list))?;
            }
        }
        Ok(())
    }

    fn texts(&mut self, night: usize, of: &Night, field: Field) -> Result<()> {
        let first = [of.first_prompt, of.first_system, of.first_turn][field as usize];
        let n = [of.prompts, of.systems, of.turns][field as usize];
        let none = BTreeMap::new();
        let raw = self.plan.raw.get(field as usize).unwrap_or(&none);
        if raw.range(first..first + n).next().is_none() && !self.any_gone(field, first, n) {
            return Ok(());
        }
        let Some(file) = self.file(texts_kind(field), night) else { return Ok(()) };
        let texts = Texts::open(self.store.map(&file)?)?;
        let mut writer = TextsWriter::new(self.out.replace(&file)?).map_err(|cause| written(&cause))?;
        let mut folded = String::new();
        for (i, number) in (first..).take(texts.len()).enumerate() {
            let stored = texts.get(i);
            let pushed = match raw.get(&number) {
                _ if self.is_gone(field, number) => writer.push("", None),
                Some(raw) => {
                    folded_of(stored, &mut folded);
                    writer.push(raw, folded_if_stored(raw, &folded))
                }
                None => writer.push(stored.0, stored.1),
            };
            pushed.map_err(|cause| written(&cause))?;
        }
        writer.finish().and_then(|mut out| out.flush()).map_err(|cause| written(&cause))
    }

    /// Writes the sorted tables of a kind again that hold records which are not kept.
    fn sorted<R: sorted::Record>(&mut self, kind: &str, keep: &dyn Fn(&R) -> bool) -> Result<()> {
        let files: Vec<Named> = self.store.of_kind(kind).cloned().collect();
        for file in files {
            let table: Sorted<_, R> = Sorted::open(self.store.map(&file)?)?;
            if !table.all().iter().all(keep) {
                let mut kept: Vec<R> = table.all().iter().filter(|record| keep(record)).copied().collect();
                let mut out = self.out.replace(&file)?;
                sorted::write(&mut kept, &mut out).map_err(|cause| written(&cause))?;
            }
        }
        Ok(())
    }

    fn prints(&mut self, field: Field) -> Result<()> {
        let gone = &self.plan.gone[field as usize];
        let kept = |record: &PrintRecord| gone.get(record.text as usize) != Some(&true);
        self.sorted(prints_kind(field), &kept)
    }

    fn keys(&mut self) -> Result<()> {
        let plan = self.plan;
        let index: HashMap<u32, usize> = self.store.nights().iter().enumerate().map(|(i, n)| (n.night, i)).collect();
        for kind in ["ids", "prompts", "systems", "turns"] {
            let files: Vec<Named> = self.store.of_kind(kind).cloned().collect();
            for file in files {
                let table = KeyTable::open(self.store.map(&file)?)?;
                let records: Vec<Record> = table.records().collect();
                let kept: Vec<Record> = records
                    .iter()
                    .filter_map(|record| match kind {
                        "ids" => {
                            let (night, row) = ((record.b >> 32) as u32, record.b as u32);
                            let Some(&i) = index.get(&night) else { return Some(*record) };
                            let row = self.row(i, row)?;
                            Some(Record { b: u64::from(night) << 32 | u64::from(row), ..*record })
                        }
                        "turns" => (!plan.turn_keys.contains(&record.key)).then_some(*record),
                        _ => {
                            let field = if kind == "prompts" { Field::Prompt } else { Field::System };
                            (!self.is_gone(field, record.a as u32)).then_some(*record)
                        }
                    })
                    .collect();
                if kept != records {
                    self.bytes(&file, &keys::to_bytes(kept))?;
                }
            }
        }
        Ok(())
    }

    /// Writes the segments again, and returns the similarity of members to leaders that lead anew.
    fn segments(&mut self) -> Result<HashMap<u32, f32>> {
        let families = &self.plan.families;
        let (mut active, mut has_vector) = (HashSet::new(), HashSet::new());
        let wanted: BTreeSet<u32> = families.led_anew.keys().flat_map(|root| &families.left[root]).copied().collect();
        let mut vectors: HashMap<u32, Vectors> = HashMap::new();
        for segment in segments(self.store, "whole")? {
            let (rows, ids, flags) = segment.to_vectors();
            for (i, (&id, &flag)) in ids.iter().zip(&flags).enumerate() {
                has_vector.insert(id);
                if flag {
                    active.insert(id);
                }
                if wanted.contains(&id) {
                    vectors.insert(id, rows.chosen(&[i]));
                }
            }
        }
        let newly_active = families.newly_active(&active, &has_vector);
        let seed = crate::stored::seed(self.store)?;
        for kind in ["whole", "windows"] {
            let files: Vec<Named> = self.store.of_kind(kind).cloned().collect();
            for (file, segment) in files.iter().zip(segments(self.store, kind)?) {
                let changed = |id: &u32| self.is_gone(Field::Prompt, *id) || newly_active.contains(id);
                if !segment.ids().iter().any(changed) {
                    continue;
                }
                let (rows, ids, mut flags) = segment.to_vectors();
                for (id, flag) in ids.iter().zip(&mut flags) {
                    *flag |= newly_active.contains(id);
                }
                let kept: Vec<usize> = (0..ids.len()).filter(|&i| !self.is_gone(Field::Prompt, ids[i])).collect();
                let rows = rows.chosen(&kept);
                let ids: Vec<u32> = kept.iter().map(|&i| ids[i]).collect();
                let flags: Vec<bool> = kept.iter().map(|&i| flags[i]).collect();
                // The leaders are trained again: the old ones are means of what is forgotten, too.
                self.bytes(file, &Built::new(&rows, seed).to_bytes(&rows, &ids, &flags))?;
            }
        }
        let mut out = HashMap::new();
        for (root, leader) in &families.led_anew {
            for member in &families.left[root] {
                let pair = vectors.get(member).zip(vectors.get(leader));
                out.insert(*member, pair.map_or(0.0, |(a, b)| a.similarity_of(0, b, 0)));
            }
        }
        Ok(out)
    }

    fn assigned(&mut self, similarity: &HashMap<u32, f32>) -> Result<()> {
        let files: Vec<Named> = self.store.of_kind("assigned").cloned().collect();
        for file in files {
            let mut found = false;
            for batch in tables::read(&self.store.path(&file), &["prompt"], None)? {
                let prompts = batch?.column(0).as_primitive::<UInt32Type>().clone();
                found |= prompts
                    .values()
                    .iter()
                    .any(|prompt| self.is_gone(Field::Prompt, *prompt) || similarity.contains_key(prompt));
            }
            if !found {
                continue;
            }
            let gone = &self.plan.gone[Field::Prompt as usize];
            self.table(&file, tables::ASSIGNED, |_, cells, table| {
                let Cell::U32(Some(prompt)) = cells[0] else { return Ok(()) };
                if gone[prompt as usize] {
                    return Ok(());
                }
                table.add(&[cells[0], cells[1], similarity.get(&prompt).map_or(cells[2], |&new| Cell::F32(new))])
            })?;
        }
        Ok(())
    }

    fn fragments(&mut self) -> Result<()> {
        let (view, plan) = (self.view, self.plan);
        let goes = |fragment: u32, text: u32| {
            let gone = |field: Field| plan.gone[field as usize].get(text as usize) == Some(&true);
            plan.fragments.gone.contains(&fragment)
                || view.fragments.get(fragment as usize).is_some_and(|fragment| gone(fragment.field()))
        };
        self.sorted::<Member>("members", &|member| !goes(member.fragment, member.text))?;
        self.sorted::<Holder>("holders", &|holder| !goes(holder.fragment, holder.text))?;
        let files: Vec<Named> = self.store.of_kind("fragments").cloned().collect();
        for file in files {
            let mut found = false;
            for batch in tables::read(&self.store.path(&file), &["fragment", "text"], None)? {
                let batch = batch?;
                let column = |i: usize| batch.column(i).as_primitive::<UInt32Type>().values().as_ref();
                found |= column(0).iter().zip(column(1)).any(|(&fragment, &text)| goes(fragment, text));
            }
            if found {
                self.table(&file, tables::FRAGMENTS, |_, cells, table| match (cells[0], cells[1]) {
                    (Cell::U32(Some(fragment)), Cell::U32(Some(text))) if goes(fragment, text) => Ok(()),
                    _ => table.add(cells),
                })?;
            }
        }
        Ok(())
    }
}
