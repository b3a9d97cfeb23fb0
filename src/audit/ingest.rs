//! Rows of logs → the tables, texts and vectors of a night. Folding and digests run in parallel; numbering is sequential, so
//! the same logs in the same order give the same store.

use super::quarantine::Quarantine;
use crate::embed::Model;
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::ids::{AccountId, Digest, Field};
use crate::index::Vectors;
use crate::log::{BadRow, Lacks, Origin, Place, Reason, Row, Taken};
use crate::report::ReadAs;
use crate::store::keys::{self, KeyTable, Record};
use crate::store::postings::{self, Posting};
use crate::store::tables::{self, Cell, TableWriter};
use crate::store::tiers::first_merged;
use crate::store::{NewNight, Store};
use crate::stored::fields::{FieldWriter, written};
use crate::stored::view::KnownKeys;
use crate::text;
use crate::text::winnow::Printer;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::Arc;

/// Earlier turns of one exchange that are kept: a longer conversation keeps its newest.
const MAX_TURNS: usize = 4096;

type Table = TableWriter<BufWriter<File>>;

/// A row after the parallel part.
struct Prepared {
    exchange: Exchange,
    origin: Origin,
    id: String,
    id_key: u128,
    /// Digests of what two rows of one id must agree on, and of all of it, which older stores kept.
    core: u64,
    content: u64,
    folded: String,
    digest: Digest,
    removed: text::Removed,
    views: u32,
    trivial: bool,
    /// The folded system prompt.
    system: Option<String>,
    turns: Vec<[u8; 16]>,
}

fn prepare(Taken { exchange, origin }: Taken) -> Prepared {
    let content = exchange.content_digest();
    let short = |digest: &Digest| u64::from_be_bytes(digest.0[..8].try_into().unwrap_or_default());
    let id = match &exchange.id {
        Some(id) => id.clone(),
        None => format!("c{:032x}", content.short()),
    };
    let folded = text::fold(&exchange.prompt);
    let owner = exchange.conversation.as_deref().unwrap_or(&exchange.account);
    let skip = exchange.turns.len().saturating_sub(MAX_TURNS);
    let turns = exchange.turns[skip..]
        .iter()
        .map(|turn| {
            let mut hash = blake3::Hasher::new();
            for part in [owner, &turn.role, &turn.text] {
                hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
            }
            hash.finalize().as_bytes()[..16].try_into().unwrap_or_default()
        })
        .collect();
    Prepared {
        id_key: Digest::of(id.as_bytes()).short(),
        core: short(&exchange.core_digest()),
        content: short(&content),
        digest: Digest::of(folded.text.as_bytes()),
        views: text::decoded_views(&exchange.prompt).len() as u32,
        trivial: text::is_trivial(&folded.text),
        system: exchange.system.as_deref().map(|system| text::fold(system).text),
        removed: folded.removed,
        folded: folded.text,
        turns,
        id,
        exchange,
        origin,
    }
}

/// A new distinct prompt that is not embedded yet.
struct Fresh {
    folded: String,
    digest: Digest,
    row: u32,
    trivial: bool,
}

/// What a batch adds, not embedded and not fingerprinted yet.
#[derive(Default)]
struct Batch {
    prompts: Vec<Fresh>,
    systems: Vec<String>,
    turns: Vec<String>,
}

/// What became of the rows of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) kept: u64,
    pub(crate) known: u64,
    pub(crate) quarantined: u64,
    pub(crate) by_reason: BTreeMap<String, u64>,
    pub(crate) read_as: ReadAs,
    /// A map that might read the rows of no known schema, or add what rows of a known one lack: that of the first.
    pub(crate) proposed: Option<Arc<str>>,
    /// What rows lack.
    pub(crate) lacks: Lacks,
    /// What was wrong with the first bad row.
    pub(crate) first: Option<String>,
}

impl Tally {
    pub(crate) fn read(&self) -> u64 {
        self.kept + self.known + self.quarantined
    }

    /// Counts where an exchange came from.
    fn origin(&mut self, origin: &Origin) {
        let read = &mut self.read_as;
        let add = |counts: &mut BTreeMap<String, u64>, name: &str| match counts.get_mut(name) {
            Some(n) => *n += 1,
            None => drop(counts.insert(name.to_owned(), 1)),
        };
        add(&mut read.schemas, origin.schema);
        for (field, path) in &origin.paths {
            match *field {
                "account" => add(&mut read.accounts_from, path),
                "end_user" => add(&mut read.end_users_from, path),
                "time" => read.default_times += u64::from(path == "--default-time"),
                _ => {}
            }
        }
        read.json_read += u64::from(origin.json_read);
        read.json_kept += u64::from(origin.json_kept);
    }
}

/// Counts a bad row and writes it aside.
fn set_aside(input: &str, place: Place, bad: &BadRow, tally: &mut Tally, quarantine: &mut Quarantine) -> Result<()> {
    tally.quarantined += 1;
    *tally.by_reason.entry(bad.reason.word().into()).or_default() += 1;
    tally.proposed = tally.proposed.take().or_else(|| bad.map.clone());
    tally.lacks = tally.lacks.or(bad.lacks);
    if tally.first.is_none() {
        tally.first = Some(format!("{}, row {}: {}", bad.reason, place.row, bad.detail));
    }
    quarantine.add(input, place, bad)
}

/// A night while it is read.
pub(crate) struct Ingest<'a> {
    known: KnownKeys,
    model: &'a Model,
    account_key: &'a [u8; 32],
    first_prompt: u32,
    first_system: u32,
    first_account: u32,
    rows: Table,
    prompts: Table,
    turns: Table,
    systems: Table,
    /// By [`Field`].
    fields: [FieldWriter; 3],
    printer: Printer,
    ids: HashMap<u128, Record>,
    prompt_of: HashMap<u128, u32>,
    system_of: HashMap<u128, u32>,
    turn_seen: HashSet<u128>,
    account_of: HashMap<AccountId, u32>,
    new_accounts: Vec<AccountId>,
    model_of: HashMap<String, u32>,
    new_models: Vec<String>,
    postings: Vec<Posting>,
    first_turn: u32,
    /// Who sent the numbered earlier turns.
    turn_postings: Vec<Posting>,
    first_seen: i64,
    last_seen: i64,
    n_rows: u64,
    n_prompts: u32,
    n_systems: u32,
    windows_cut: u64,
    vectors: Vectors,
    /// Prompt of each vector.
    vector_ids: Vec<u32>,
    /// Whether the prompt of each vector may be joined: it is not trivial.
    joined: Vec<bool>,
    windows: Vectors,
    window_ids: Vec<u32>,
}

impl<'a> Ingest<'a> {
    pub(crate) fn new(
        store: &Store,
        night: &mut NewNight,
        model: &'a Model,
        account_key: &'a [u8; 32],
        printer: Printer,
    ) -> Result<Self> {
        let last = store.nights().last();
        let accounts: Vec<(u32, String)> =
            store.catalog().all("SELECT account, id FROM accounts", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let account_of = accounts.iter().filter_map(|(number, id)| Some((id.parse().ok()?, *number))).collect();
        let model_of: HashMap<String, u32> = store
            .catalog()
            .all("SELECT name, model FROM models", [], |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
        let fields = [
            FieldWriter::new(Field::Prompt, night)?,
            FieldWriter::new(Field::System, night)?,
            FieldWriter::new(Field::Turn, night)?,
        ];
        let mut table = |kind, name: &str, columns| TableWriter::new(columns, night.create(kind, name)?);
        Ok(Self {
            known: KnownKeys::open(store)?,
            model,
            account_key,
            first_prompt: last.map_or(0, |n| n.first_prompt + n.prompts),
            first_system: last.map_or(0, |n| n.first_system + n.systems),
            first_account: last.map_or(0, |n| n.first_account + n.accounts),
            rows: table("rows", "rows.parquet", tables::ROWS)?,
            prompts: table("prompts-table", "prompts.parquet", tables::PROMPTS)?,
            turns: table("turns-table", "turns.parquet", tables::TURNS)?,
            systems: table("systems-table", "systems.parquet", tables::SYSTEMS)?,
            fields,
            printer,
            ids: HashMap::new(),
            prompt_of: HashMap::new(),
            system_of: HashMap::new(),
            turn_seen: HashSet::new(),
            account_of,
            new_accounts: Vec::new(),
            model_of,
            new_models: Vec::new(),
            postings: Vec::new(),
            first_turn: last.map_or(0, |n| n.first_turn + n.turns),
            turn_postings: Vec::new(),
            first_seen: i64::MAX,
            last_seen: i64::MIN,
            n_rows: 0,
            n_prompts: 0,
            n_systems: 0,
            windows_cut: 0,
            vectors: Vectors::new(model.dim()),
            vector_ids: Vec::new(),
            joined: Vec::new(),
            windows: Vectors::new(model.dim()),
            window_ids: Vec::new(),
        })
    }

    /// Takes a batch of rows of one input; bad ones go to the quarantine.
    pub(crate) fn batch(
        &mut self,
        input: &str,
        rows: Vec<Row>,
        tally: &mut Tally,
        quarantine: &mut Quarantine,
    ) -> Result<()> {
        let prepared: Vec<(Place, std::result::Result<Prepared, BadRow>)> =
            rows.into_par_iter().map(|row| (row.place, row.result.map(prepare))).collect();
        let mut fresh = Batch::default();
        let firsts =
            [self.first_prompt + self.n_prompts, self.first_system + self.n_systems, self.first_turn + self.n_turns()];
        for (place, row) in prepared {
            match row {
                Ok(row) => self.take(input, place, row, tally, quarantine, &mut fresh)?,
                // What is no model call is no bad row either: a trace is mostly that.
                Err(bad) if bad.reason == Reason::NoExchange => tally.read_as.passed_over += 1,
                // Nor is a call that has no text to compare.
                Err(bad) if bad.reason == Reason::Redacted => tally.read_as.redacted += 1,
                Err(bad) if bad.reason == Reason::NoText => tally.read_as.without_text += 1,
                Err(bad) => set_aside(input, place, &bad, tally, quarantine)?,
            }
        }
        self.embed(firsts[0], &fresh.prompts)?;
        let prompts: Vec<&str> = fresh.prompts.iter().map(|prompt| prompt.folded.as_str()).collect();
        let systems: Vec<&str> = fresh.systems.iter().map(String::as_str).collect();
        let turns: Vec<&str> = fresh.turns.iter().map(String::as_str).collect();
        for ((writer, first), texts) in self.fields.iter_mut().zip(firsts).zip([prompts, systems, turns]) {
            writer.print(&self.printer, first, &texts)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        input: &str,
        place: Place,
        mut row: Prepared,
        tally: &mut Tally,
        quarantine: &mut Quarantine,
        fresh: &mut Batch,
    ) -> Result<()> {
        let seen = self.ids.get(&row.id_key).copied().or_else(|| self.known.ids.get(row.id_key));
        if let Some(seen) = seen {
            if seen.a == row.core || seen.a == row.content {
                tally.known += 1;
                tally.origin(&row.origin);
                return Ok(());
            }
            let detail = "expected the content that this id came with before, got other content".to_owned();
            let x = &row.exchange;
            let raw = serde_json::json!({
                "id": row.id, "account": x.account, "end_user": x.end_user, "time": x.time, "model": x.model,
                "prompt": x.prompt, "system": x.system, "response": x.response, "conversation": x.conversation,
                "attributes": x.attributes,
            });
            let raw = raw.to_string().into_bytes();
            let digest = row.exchange.content_digest();
            let bad = BadRow {
                reason: Reason::IdConflict,
                detail,
                digest,
                raw: raw.into(),
                map: None,
                lacks: Lacks::default(),
            };
            return set_aside(input, place, &bad, tally, quarantine);
        }
        let prompt = self.prompt(&mut row, &mut fresh.prompts)?;
        let system = self.system(&row, &mut fresh.systems)?;
        let account = AccountId::derive(self.account_key, &row.exchange.account);
        let next = self.first_account + self.new_accounts.len() as u32;
        let account = *self.account_of.entry(account).or_insert_with(|| {
            self.new_accounts.push(account);
            next
        });
        let exchange = &row.exchange;
        for (turn, key) in exchange.turns[exchange.turns.len() - row.turns.len()..].iter().zip(&row.turns) {
            let short = u128::from_be_bytes(*key);
            if self.known.turns.get(short).is_none() && self.turn_seen.insert(short) {
                let conversation = Cell::Text(exchange.conversation.as_deref());
                let cells =
                    [conversation, Cell::Bytes(key), Cell::Text(Some(&turn.role)), Cell::Text(Some(&turn.text))];
                self.turns.push(&cells)?;
                if turn.role == "user" {
                    let folded = text::fold(&turn.text).text;
                    self.fields[Field::Turn as usize].push(&turn.text, &folded)?;
                    fresh.turns.push(folded);
                    let (prompt, row) = (self.first_turn + self.n_turns(), self.n_rows as u32);
                    let (system, model, time) = (postings::NONE, postings::NONE, exchange.time.micros());
                    self.turn_postings.push(Posting { prompt, row, time, account, system, model, zero: 0 });
                }
            }
        }
        let model = match &exchange.model {
            None => postings::NONE,
            Some(name) => match self.model_of.get(name) {
                Some(&model) => model,
                None => {
                    let model = self.model_of.len() as u32;
                    self.model_of.insert(name.clone(), model);
                    self.new_models.push(name.clone());
                    model
                }
            },
        };
        let end_user = exchange.end_user.as_deref().map(|name| AccountId::derive(self.account_key, name).to_string());
        let attributes = (!exchange.attributes.is_empty())
            .then(|| serde_json::to_string(&exchange.attributes))
            .transpose()
            .map_err(|cause| Error::new(crate::error::ErrorKind::Input, format!("attributes: {cause}")))?;
        let number = self.rows.push(&[
            Cell::Text(Some(&row.id)),
            Cell::U32(Some(account)),
            Cell::Text(end_user.as_deref()),
            Cell::Time(exchange.time.micros()),
            Cell::Text(exchange.model.as_deref()),
            Cell::U32(Some(prompt)),
            Cell::Text(Some(&exchange.prompt)),
            Cell::U32(system),
            Cell::Text(exchange.system.as_deref()),
            Cell::Text(exchange.response.as_deref()),
            Cell::Text(exchange.conversation.as_deref()),
            Cell::Bytes(row.turns.as_flattened()),
            Cell::Text(attributes.as_deref()),
            Cell::U32(Some(row.removed.invisible)),
            Cell::U32(Some(row.removed.bidi)),
            Cell::U32(Some(row.removed.tags)),
            Cell::U32(Some(row.removed.lookalikes)),
            Cell::U32(Some(row.removed.compatibility)),
            Cell::U32(Some(row.views)),
            Cell::Text(Some(input)),
            Cell::U64(place.row),
        ])?;
        self.ids.insert(row.id_key, Record { key: row.id_key, a: row.core, b: u64::from(number) });
        self.postings.push(Posting {
            prompt,
            row: number,
            time: exchange.time.micros(),
            account,
            system: system.unwrap_or(postings::NONE),
            model,
            zero: 0,
        });
        self.first_seen = self.first_seen.min(exchange.time.micros());
        self.last_seen = self.last_seen.max(exchange.time.micros());
        self.n_rows += 1;
        tally.kept += 1;
        tally.origin(&row.origin);
        Ok(())
    }

    fn n_turns(&self) -> u32 {
        self.turn_postings.len() as u32
    }

    /// Number of the row's prompt, new or known.
    fn prompt(&mut self, row: &mut Prepared, fresh: &mut Vec<Fresh>) -> Result<u32> {
        let key = row.digest.short();
        if let Some(&prompt) = self.prompt_of.get(&key) {
            return Ok(prompt);
        }
        if let Some(record) = self.known.prompts.get(key) {
            return known_number(record.a, self.first_prompt, "prompts");
        }
        let prompt = self.first_prompt + self.n_prompts;
        self.n_prompts += 1;
        self.prompt_of.insert(key, prompt);
        let raw = &row.exchange.prompt;
        self.fields[Field::Prompt as usize].push(raw, &row.folded)?;
        // The row of the prompt is the one that is about to be written.
        let (folded, row_number) = (std::mem::take(&mut row.folded), self.n_rows as u32);
        fresh.push(Fresh { folded, digest: row.digest, row: row_number, trivial: row.trivial });
        Ok(prompt)
    }

    fn system(&mut self, row: &Prepared, fresh: &mut Vec<String>) -> Result<Option<u32>> {
        let (Some(folded), Some(raw)) = (&row.system, &row.exchange.system) else { return Ok(None) };
        let digest = Digest::of(folded.as_bytes());
        let key = digest.short();
        if let Some(&system) = self.system_of.get(&key) {
            return Ok(Some(system));
        }
        if let Some(record) = self.known.systems.get(key) {
            return known_number(record.a, self.first_system, "systems").map(Some);
        }
        let system = self.first_system + self.n_systems;
        self.n_systems += 1;
        self.system_of.insert(key, system);
        self.systems.push(&[Cell::U32(Some(system)), Cell::Bytes(&digest.0), Cell::Text(Some(raw))])?;
        self.fields[Field::System as usize].push(raw, folded)?;
        fresh.push(folded.clone());
        Ok(Some(system))
    }

    /// Embeds the batch's new prompts, which are numbered from `first` on.
    fn embed(&mut self, first: u32, fresh: &[Fresh]) -> Result<()> {
        let texts: Vec<&str> = fresh.iter().map(|prompt| prompt.folded.as_str()).collect();
        let embedded = self.model.embed_batch(&texts);
        let mut windows = vec![0u32; fresh.len()];
        for (window, &text) in embedded.windows.rows().into_iter().zip(&embedded.window_text) {
            self.windows.push(&window.to_vec());
            self.window_ids.push(first + text);
            windows[text as usize] += 1;
        }
        self.windows_cut += embedded.n_windows_cut;
        for (i, new) in fresh.iter().enumerate() {
            let prompt = first + i as u32;
            if embedded.readable[i] {
                self.vectors.push(&embedded.whole.row(i).to_vec());
                self.vector_ids.push(prompt);
                self.joined.push(!new.trivial);
            }
            self.prompts.push(&[
                Cell::U32(Some(prompt)),
                Cell::Bytes(&new.digest.0),
                Cell::U32(Some(new.row)),
                Cell::Bool(new.trivial),
                Cell::Bool(embedded.readable[i]),
                Cell::U32(Some(embedded.n_tokens[i])),
                Cell::U32(Some(windows[i])),
            ])?;
        }
        Ok(())
    }

    /// Ends the tables and texts and writes the keys, with those of older tables that are merged with them.
    pub(crate) fn finish(self, store: &Store, night: &mut NewNight) -> Result<Finished> {
        let n_turns = self.n_turns();
        for table in [self.rows, self.prompts, self.turns, self.systems] {
            table.finish()?.flush().map_err(|cause| written(&cause))?;
        }
        let print_bytes_cut = self.fields.iter().map(|field| field.cut).sum();
        for field in self.fields {
            field.finish(night)?;
        }
        for (kind, list) in [("postings", self.postings), ("turn-postings", self.turn_postings)] {
            let mut out = night.create(kind, &format!("{kind}.bin"))?;
            out.write_all(&postings::to_bytes(list)).and_then(|()| out.flush()).map_err(|cause| written(&cause))?;
        }
        let mut merged = Vec::new();
        let place = u64::from(night.night) << 32;
        let mut ids: Vec<Record> = self.ids.into_values().map(|r| Record { b: place | r.b, ..r }).collect();
        let number = |(key, number): (u128, u32)| Record { key, a: u64::from(number), b: 0 };
        let mut prompts: Vec<Record> = self.prompt_of.into_iter().map(number).collect();
        let mut systems: Vec<Record> = self.system_of.into_iter().map(number).collect();
        let mut turns: Vec<Record> = self.turn_seen.into_iter().map(|key| Record { key, a: 0, b: 0 }).collect();
        for (kind, records, older) in [
            ("ids", &mut ids, &self.known.ids),
            ("prompts", &mut prompts, &self.known.prompts),
            ("systems", &mut systems, &self.known.systems),
            ("turns", &mut turns, &self.known.turns),
        ] {
            let own = KeyTable::open(keys::to_bytes(std::mem::take(records)))?;
            let all: Vec<KeyTable<&[u8]>> = older.all().chain([own.borrowed()]).collect();
            let sizes: Vec<u64> = all.iter().map(|table| table.len() as u64).collect();
            let first = first_merged(&sizes, MOST_KEYS).unwrap_or(sizes.len() - 1);
            keys::merge(&all[first..], &mut night.create_shared(kind)?).map_err(|cause| written(&cause))?;
            merged.extend(store.of_kind(kind).skip(first).map(|file| file.name.clone()));
        }
        Ok(Finished {
            merged,
            first_prompt: self.first_prompt,
            prompts: self.n_prompts,
            first_system: self.first_system,
            systems: self.n_systems,
            first_account: self.first_account,
            new_accounts: self.new_accounts,
            first_model: (self.model_of.len() - self.new_models.len()) as u32,
            new_models: self.new_models,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            n_rows: self.n_rows,
            windows_cut: self.windows_cut,
            first_turn: self.first_turn,
            turns: n_turns,
            print_bytes_cut,
            whole: Filed { vectors: self.vectors, ids: self.vector_ids, joined: self.joined },
            windows: Filed { joined: vec![true; self.window_ids.len()], vectors: self.windows, ids: self.window_ids },
        })
    }
}

/// Keys that one table may have before nights leave it as it is: 2 GiB.
const MOST_KEYS: u64 = 1 << 26;

/// Vectors with the prompts they are of.
pub(crate) struct Filed {
    pub(crate) vectors: Vectors,
    pub(crate) ids: Vec<u32>,
    /// Whether each takes part in the join.
    pub(crate) joined: Vec<bool>,
}

/// A night whose rows are written and whose families are not found yet.
pub(crate) struct Finished {
    /// Files whose keys are in the new tables.
    pub(crate) merged: Vec<String>,
    pub(crate) first_prompt: u32,
    pub(crate) prompts: u32,
    pub(crate) first_system: u32,
    pub(crate) systems: u32,
    pub(crate) first_account: u32,
    pub(crate) new_accounts: Vec<AccountId>,
    pub(crate) first_model: u32,
    pub(crate) new_models: Vec<String>,
    pub(crate) first_seen: i64,
    pub(crate) last_seen: i64,
    pub(crate) n_rows: u64,
    pub(crate) windows_cut: u64,
    pub(crate) first_turn: u32,
    pub(crate) turns: u32,
    pub(crate) print_bytes_cut: u64,
    pub(crate) whole: Filed,
    pub(crate) windows: Filed,
}

/// A number that a key table gave, if there is such a thing.
fn known_number(number: u64, n: u32, kind: &str) -> Result<u32> {
    u32::try_from(number).ok().filter(|&number| number < n).ok_or_else(|| {
        let what = format!("the key table of {kind}: expected a number below {n}, got {number}");
        Error::new(crate::error::ErrorKind::Store, what).hint("run: stillhunt store verify")
    })
}
