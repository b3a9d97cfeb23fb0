//! The flows, one function each: a night's audit, its report, an investigator's look-ups. No algorithm of its own.
//!
//! A night streams: rows are read in batches, written as they come, and only keys and vectors stay in memory. Nothing is
//! visible before the one commit at the end; a job that stops earlier leaves the store as it was.

pub mod contexts;
pub mod dedup;
pub mod expected;
mod families;
mod fragments;
mod ingest;
mod naming;
pub mod plan;
pub mod planting;
mod printed;
mod quarantine;
pub mod radioactivity;
pub mod serving;
pub mod show;
pub mod watermark;

pub use families::join_probes;

use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::fragment::KnownTexts;
use crate::family::judge::RULE_VERSION;
use crate::ids::{Field, Level};
use crate::log::{self, Format, Joiner, way_out};
use crate::report::Counts;
use crate::store::custody::{Act, ActInput};
use crate::store::families::{Family, Fragment, Kind, Link};
use crate::store::input::{self, Input, Tag};
use crate::store::key::AccountKey;
use crate::store::texts::Texts;
use crate::store::{Mapped, NewNight, Store, Writer};
use crate::stored::known::Records;
use crate::stored::standing::{self, Standings, family_key};
use crate::stored::view::{self, View};
use crate::stored::{AuditConfig, FragmentConfig, Progress, calibration, check_identity, rule, totals};
use crate::stored::{objects, registry, rings};
use crate::text::winnow::Printer;
use families::Families;
use fragments::NightFragments;
use ingest::{Ingest, Tally};
use quarantine::Quarantine;
use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an audit did.
#[derive(Clone, Debug)]
pub struct Audited {
    /// Rows by what became of them.
    pub counts: Counts,
    /// The quarantine file, where there were bad rows.
    pub quarantine: Option<PathBuf>,
    /// The night that was committed, if there was anything new.
    pub night: Option<u32>,
}

/// One input and what became of its rows.
struct Done {
    name: String,
    digest: Option<String>,
    /// It was read before, so there is nothing to record of it.
    known: bool,
    /// By what an object store knows it again.
    tag: Option<Tag>,
    tally: Tally,
}

/// Reads logs, finds families, commits a night. Bad rows go to the file `quarantine`.
/// # Errors
/// `Nothing` without rows, `TooManyBadRows`, `Store` with another model or key, `Io`. The store is then as it was.
pub fn audit(
    inputs: &[Input],
    dir: &Path,
    quarantine: &Path,
    key: &AccountKey,
    model: &Model,
    config: &AuditConfig,
    progress: &dyn Progress,
) -> Result<Audited> {
    let (mut writer, swept) = Writer::open(dir, &config.holder, &identity(key, model, config))?;
    if let Some(told) = swept.told() {
        progress.note(&told);
    }
    check_identity(&writer.store, Some(key), model)?;
    let mut config = config.clone();
    config.fragments.known.extend(registry::sources(&registry::entries(&writer.store)?));
    let config = &config;
    // What a writer that was stopped behind its first commit, or one of an older format, left to do.
    standing::keep(&mut writer)?;
    let known = known_texts(&config.fragments);
    rings::keep(&mut writer, model, config.rings, &known)?;
    let mut night = writer.begin()?;
    let mut ingest = Ingest::new(
        &writer.store,
        &mut night,
        model,
        key.bytes(),
        crate::stored::fragment::printer(&key.naming_key()),
    )?;
    let mut quarantine = Quarantine::new(quarantine, config.keep_bad_rows, config.max_quarantine_rows);
    let mut done = Vec::new();
    let mut counts = Counts { inputs: inputs.len() as u64, ..Counts::default() };
    progress.stage("read", input::total_bytes(inputs));
    let position = Arc::new(AtomicU64::new(0));
    let mut joiner = Joiner::new(&config.log);
    for input in inputs {
        let source = Source { input, position: &position, progress };
        read(&source, &writer.store, (&mut joiner, &mut ingest, &mut quarantine), config, &mut done, &mut counts)?;
    }
    take(joiner.finish(), &mut ingest, &mut quarantine, &mut done)?;
    for (source, log) in done.iter_mut().enumerate() {
        // What a log of halves gives hangs on the others of the run, so it is read again with them.
        log.digest = log.digest.take().filter(|_| log.known || !joiner.had_halves(source as u32));
        counts.add(&log.tally);
    }
    counts.read_as.joined = joiner.joined();
    let path = quarantine.finish()?;
    check_share(&counts, config, path.as_deref(), &done)?;
    if counts.rows_read == 0 && !config.allow_empty {
        let found = match &counts.read_as {
            read if read.passed() == 0 => "none".to_owned(),
            read if read.passed() == read.passed_over => {
                format!("{} rows that are no model calls and no other", read.passed_over)
            }
            read => format!("none with text: {}", read.told()),
        };
        return Err(Error::new(ErrorKind::Nothing, format!("expected rows to audit, found {found}"))
            .hint("--allow-empty makes this a success"));
    }
    if counts.rows_kept == 0 {
        drop((ingest, night));
        writer.witness(witnessed(config, &done));
        let last = writer.store.nights().last().map_or(0, |night| night.night);
        writer.record(|db| record_inputs(db, &done, last))?;
        return Ok(Audited { counts, quarantine: path, night: None });
    }
    progress.stage("join", None);
    let view = View::open(&writer.store)?;
    let finished = ingest.finish(&writer.store, &mut night)?;
    let mut lengths = totals::sum(&totals::of_nights(&writer.store, &view)?).lengths;
    view::count_lengths(&Texts::open(Mapped::open(&night.path("texts.bin"))?)?, &mut lengths);
    let rule = rule(&calibration(&writer.store)?, config, &lengths);
    let n_accounts = finished.first_account + finished.new_accounts.len() as u32;
    let open = |field, numbers, night: &NewNight| {
        printed::Printed::open(field, (&writer.store, &view), night, numbers, n_accounts, &config.fragments)
    };
    let f = &finished;
    let prompts = open(Field::Prompt, (f.first_prompt, f.prompts), &night)?;
    let systems = open(Field::System, (f.first_system, f.systems), &night)?;
    let turns = open(Field::Turn, (f.first_turn, f.turns), &night)?;
    let families =
        families::families((&writer.store, &view), model, &finished, &prompts, &rule, config, &mut night, progress)?;
    // Nobody asks for a prompt before the trailing nights.
    let first = prompts.first_older;
    let near = families.leaders_from(&view, first, f.first_prompt + f.prompts);
    let near = |prompt: u32| prompt.checked_sub(first).and_then(|i| near.get(i as usize)).copied().unwrap_or(prompt);
    let standings = Standings::open(&writer.store, &view)?;
    let facts_of = |head| standings.head(family_key(Level::Fragment, head)).copied();
    let fields = [prompts, systems, turns];
    let fragments = fragments::find((&writer.store, &view), fields, &near, &facts_of, config, &mut night, progress)?;
    progress.stage("commit", None);
    let number = night.night;
    let rules = view.rules_with(RULE_VERSION, view.families.len() as u32);
    let mut merged = finished.merged.clone();
    merged.extend(by_number(&view, number, &families, &fragments).write_night(&writer.store, &mut night)?);
    merged.extend(families.merged_files);
    merged.extend(fragments.merged_files);
    drop(view);
    writer.witness(witnessed(config, &done));
    writer.commit(night, &merged, |db| {
        let f = &finished;
        db.execute(
            "INSERT INTO nights VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
            rusqlite::params![
                number,
                f.n_rows as i64,
                f.first_seen,
                f.last_seen,
                f.first_prompt,
                f.prompts,
                f.first_system,
                f.systems,
                f.first_account,
                f.new_accounts.len() as u32,
                f.windows_cut as i64,
                f.first_turn,
                f.turns,
                f.print_bytes_cut as i64,
                fragments.cut as i64
            ],
        )?;
        let mut insert = db.prepare("INSERT INTO accounts VALUES (?1, ?2, ?3)")?;
        for (i, account) in f.new_accounts.iter().enumerate() {
            insert.execute((f.first_account + i as u32, account.to_string(), number))?;
        }
        for (i, model) in f.new_models.iter().enumerate() {
            db.execute("INSERT INTO models VALUES (?1, ?2)", (f.first_model + i as u32, model))?;
        }
        for (family, id, leader) in &families.new {
            let row = (family, id.to_string(), leader, number);
            db.execute("INSERT INTO families VALUES (?1, ?2, ?3, ?4, NULL, NULL)", row)?;
        }
        for (number_of, f) in &fragments.new {
            let row =
                (number_of, f.id.to_string(), f.field.number(), &f.text, number, f.head, f.within, &f.known);
            db.execute("INSERT INTO fragments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", row)?;
        }
        for (fragment, within) in &fragments.within {
            db.execute("UPDATE fragments SET within = ?1 WHERE fragment = ?2", (within, fragment))?;
        }
        for (fragment, known) in &fragments.explained {
            db.execute("UPDATE fragments SET known = ?1 WHERE fragment = ?2", (known, fragment))?;
        }
        for (from, into) in &families.outcome.merged {
            let row = (into, number, from);
            db.execute("UPDATE families SET merged_into = ?1, merged_night = ?2 WHERE family = ?3", row)?;
        }
        let recorded = serde_json::json!({
            "version": RULE_VERSION, "threshold": rule.highest(), "thresholds": rule.thresholds, "diameter": rule.diameter, "floor": rule.floor, "seed": config.seed,
            "expected_neighbours": config.expected_neighbours, "judged_pairs": families.outcome.judged,
            "fragment_accounts": config.fragments.least_accounts, "fragment_nights": config.fragments.nights,
            "compared_nights": config.compared_nights,
            "replaced": config.threshold.is_some(), "batch_rows": config.log.batch_rows,
        });
        db.execute("INSERT OR REPLACE INTO meta VALUES ('rule', ?1)", [recorded.to_string()])?;
        db.execute("INSERT OR REPLACE INTO meta VALUES ('rules', ?1)", [rules])?;
        record_inputs(db, &done, number)
    })?;
    progress.stage("standings", None);
    // The night stands, whatever becomes of this: readers count what is not kept, and the next writer makes up for it.
    if let Err(error) = standing::keep(&mut writer) {
        progress.note(&format!(
            "the standings of families were not brought forward: {error}; the next audit begins with them"
        ));
    }
    progress.stage("rings", None);
    if let Err(error) = rings::keep(&mut writer, model, config.rings, &known) {
        progress.note(&format!("the days were not read for rings: {error}; the next audit begins with them"));
    }
    Ok(Audited { counts, quarantine: path, night: Some(number) })
}

/// What the chain of custody is told: the logs that were read, before what the configuration says that was read beside them.
fn witnessed(config: &AuditConfig, done: &[Done]) -> Option<Act> {
    let mut act = config.act.clone()?;
    let name = |done: &Done| Path::new(&done.name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let logs = done.iter().map(|log| ActInput { role: "log".into(), name: name(log), blake3: log.digest.clone() });
    let logs: Vec<ActInput> = logs.collect();
    let places = (0..logs.len()).map(|i| format!("{{input:{}}}", act.inputs.len() + i));
    act.arguments.splice(0..0, places.collect::<Vec<String>>());
    act.inputs.extend(logs);
    Some(act)
}

/// What the night made and changed of families and fragments, for look-ups.
fn by_number(view: &View, night: u32, families: &Families, fragments: &NightFragments) -> Records {
    let mut out = Records { assigned: families.assigned.clone(), ..Records::default() };
    let made: Vec<Family> = families
        .new
        .iter()
        .map(|&(number, id, leader)| Family::new(number, night, id, (leader, night), None))
        .collect();
    let merged = families.outcome.merged.iter();
    out.families = merged.map(|&(from, into)| view.families[from as usize].merged(night, into)).collect();
    out.families.extend(made);
    let made = fragments.new.iter().map(|(number, f)| {
        Fragment::new(*number, night, (f.id, f.field), (f.head, night)).with(f.within, f.known.is_some())
    });
    out.fragments = made.collect();
    let mut changed: BTreeMap<u32, Fragment> = BTreeMap::new();
    let before = |number: u32| view.fragments[number as usize].written(night);
    for &(number, within) in &fragments.within {
        let of = changed.entry(number).or_insert_with(|| before(number));
        *of = of.with(Some(within), of.is_known());
    }
    for (number, known) in &fragments.explained {
        let of = changed.entry(*number).or_insert_with(|| before(*number));
        *of = of.with(of.within(), known.is_some());
    }
    out.fragments.extend(changed.into_values());
    out.links.extend(families.assigned.iter().map(|of| Link::new(Kind::Member, of.family, of.prompt)));
    out.links.extend(families.outcome.merged.iter().map(|&(from, into)| Link::new(Kind::Merged, into, from)));
    out.links.extend(fragments.new.iter().map(|(number, fragment)| Link::new(Kind::Part, fragment.head, *number)));
    out
}

/// What a new store records of who made it.
fn identity(key: &AccountKey, model: &Model, config: &AuditConfig) -> Vec<(&'static str, String)> {
    vec![
        ("key_commitment", key.commitment()),
        ("naming_key", crate::ids::Digest(key.naming_key()).to_string()),
        ("model_digest", model.digest().to_string()),
        ("model_name", config.model_name.clone()),
        ("dimension", model.dim().to_string()),
        ("seed", config.seed.to_string()),
    ]
}

/// An input while it is read.
struct Source<'a> {
    input: &'a Input,
    /// Raw bytes read of all inputs.
    position: &'a Arc<AtomicU64>,
    progress: &'a dyn Progress,
}

impl Counts {
    /// Adds what became of the rows of a log.
    fn add(&mut self, tally: &Tally) {
        self.rows_read += tally.read();
        self.rows_kept += tally.kept;
        self.rows_known += tally.known;
        self.rows_quarantined += tally.quarantined;
        tally.by_reason.iter().for_each(|(why, n)| *self.quarantined_by_reason.entry(why.clone()).or_default() += n);
        self.read_as.add(&tally.read_as);
    }
}

/// Takes rows in, each under the log that it is from.
fn take(
    rows: Vec<(u32, log::Row)>,
    ingest: &mut Ingest<'_>,
    quarantine: &mut Quarantine,
    done: &mut [Done],
) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while let Some(&(source, _)) = rows.peek() {
        let mut of_source = Vec::new();
        while let Some((_, row)) = rows.next_if(|(of, _)| *of == source) {
            of_source.push(row);
        }
        if let Some(log) = done.get_mut(source as usize) {
            ingest.batch(&log.name, of_source, &mut log.tally, quarantine)?;
        }
    }
    Ok(())
}

fn read(
    source: &Source<'_>,
    store: &Store,
    (joiner, ingest, quarantine): (&mut Joiner, &mut Ingest<'_>, &mut Quarantine),
    config: &AuditConfig,
    done: &mut Vec<Done>,
    counts: &mut Counts,
) -> Result<()> {
    let Source { input, position, progress } = *source;
    let name = input.name();
    let tag = input.tag();
    let unchanged = tag.as_ref().map(|tag| objects::unchanged(store, &name, tag)).transpose()?.flatten();
    let (digest, bytes) = match (unchanged.clone(), &tag) {
        (Some(digest), Some(tag)) => (Some(digest), tag.bytes),
        _ => {
            let found = input.digest()?;
            let bytes = found.as_ref().map_or(0, |(_, bytes)| *bytes);
            (found.map(|(digest, _)| digest.to_string()), bytes)
        }
    };
    if let Some(digest) = &digest {
        let known = store.catalog().all(
            "SELECT rows_read FROM inputs WHERE digest = ?1 AND rows_quarantined = 0",
            [digest],
            |row| row.get::<_, i64>(0),
        )?;
        let twice = done.iter().find(|d| d.digest.as_ref() == Some(digest) && d.tally.quarantined == 0 && !d.known);
        let known = known.first().map(|rows| rows.unsigned_abs()).or_else(|| twice.map(|d| d.tally.read()));
        // A log with bad rows is read again: this time a default or a map may stand for what was missing.
        if let Some(known) = known {
            counts.inputs_known += 1;
            counts.inputs_unchanged += u64::from(unchanged.is_some());
            counts.rows_read += known;
            counts.rows_known += known;
            let how = if unchanged.is_some() {
                "of the same length and ETag as when it was read, not read again"
            } else {
                "read before, nothing new"
            };
            progress.note(&format!("{name}: {how}"));
            done.push(Done { name, digest: Some(digest.clone()), known: true, tag, tally: Tally::default() });
            progress.advance(0, position.fetch_add(bytes, Ordering::Relaxed) + bytes);
            return Ok(());
        }
    }
    let number = done.len();
    done.push(Done { name, digest: None, known: false, tag, tally: Tally::default() });
    let mut sink = |rows: Vec<log::Row<log::Piece>>| {
        let n = rows.len() as u64;
        take(joiner.join(number as u32, rows), ingest, quarantine, done)?;
        progress.advance(n, position.load(Ordering::Relaxed));
        Ok(())
    };
    if input::is_parquet(input) {
        read_exchanges(input, &config.log, position, &mut sink)?;
        progress.advance(0, position.fetch_add(bytes, Ordering::Relaxed) + bytes);
    } else {
        read_exchanges(input, &config.log, position, &mut sink)?;
    }
    let log = &mut done[number];
    if log.tally.read() == 0 && log.tally.read_as.passed() == 0 && !joiner.had_halves(number as u32) {
        progress.note(&format!("{}: empty", log.name));
    }
    // A log that was rotated while it was read is not recorded as read: the next run finds what is new in it.
    let now = input.digest()?.map(|(digest, _)| digest.to_string());
    log.digest = digest.filter(|before| now.as_ref() == Some(before));
    Ok(())
}

fn check_share(counts: &Counts, config: &AuditConfig, quarantine: Option<&Path>, done: &[Done]) -> Result<()> {
    if counts.rows_quarantined as f64 <= config.max_bad_share * counts.rows_read as f64 {
        return Ok(());
    }
    let reasons: Vec<String> = counts.quarantined_by_reason.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    let message = format!(
        "expected at most {}% bad rows, got {} of {} ({}); nothing was committed",
        100.0 * config.max_bad_share,
        counts.rows_quarantined,
        counts.rows_read,
        reasons.join(", ")
    );
    let place = quarantine.map(|path| format!("places and reasons are in {}; ", path.display())).unwrap_or_default();
    let first = done.iter().find_map(|log| Some(format!("the first: {} ({}); ", log.tally.first.as_ref()?, log.name)));
    let way = done.iter().find_map(|log| Some((&log.name, way_out(log.tally.proposed.as_deref(), log.tally.lacks)?)));
    let way = match way {
        Some((name, way)) => format!("{name} might be read with {way} (stillhunt log show tells what that takes)"),
        None => "stillhunt log show tells what is taken of a log; one of another schema is read with --map".to_owned(),
    };
    Err(Error::new(ErrorKind::TooManyBadRows, message)
        .hint(format!("{}{place}{way}; --max-bad-share allows more", first.unwrap_or_default())))
}

fn record_inputs(db: &rusqlite::Transaction<'_>, done: &[Done], night: u32) -> rusqlite::Result<()> {
    let mut insert = db.prepare(
        "INSERT INTO inputs (digest, name, night, rows_read, rows_kept, rows_known, rows_quarantined, quarantined_by_reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (digest) DO UPDATE SET rows_kept = rows_kept + excluded.rows_kept, rows_read = excluded.rows_read,
             rows_known = MAX(0, excluded.rows_known - rows_kept), rows_quarantined = excluded.rows_quarantined,
             quarantined_by_reason = excluded.quarantined_by_reason",
    )?;
    for input in done.iter().filter(|input| !input.known) {
        let t = &input.tally;
        let reasons = serde_json::to_string(&t.by_reason).unwrap_or_else(|_| "{}".into());
        insert.execute(rusqlite::params![
            input.digest,
            input.name,
            night,
            t.read() as i64,
            t.kept as i64,
            t.known as i64,
            t.quarantined as i64,
            reasons
        ])?;
    }
    let objects = done.iter().filter_map(|log| Some((log.name.as_str(), log.tag.as_ref()?, log.digest.as_deref()?)));
    objects::record(db, objects)
}

/// Reads the exchanges of one log, whatever its format; what is read of a stream is added to `position`.
fn read_exchanges(
    input: &Input,
    config: &log::LogConfig,
    position: &Arc<AtomicU64>,
    sink: &mut log::Sink<'_>,
) -> Result<()> {
    if input::is_parquet(input) {
        return log::read_parquet(&input::open_file(input)?, config, sink);
    }
    let mut stream = input::open_stream(input, position)?;
    // A stream that breaks off at once is a bad row of the reader, not an error here.
    if stream.fill_buf().is_ok() {
        stream = log::as_utf8(stream).map_err(|cause| Error::io("read", input.name(), &cause))?;
    }
    let named = log::recognise(&input.name()).map(|(format, _)| format);
    let start = stream.fill_buf().unwrap_or_default();
    let csv = log::format_of(start, named) == Format::Csv;
    if csv { log::read_csv(stream, config, sink) } else { log::read_jsonl(stream, config, sink) }
}

/// The known texts of a configuration, for whoever asks whether one explains a whole text.
pub(crate) fn known_texts(config: &FragmentConfig) -> KnownTexts {
    fragments::known_texts(config, &Printer::new(&[0; 32]))
}
