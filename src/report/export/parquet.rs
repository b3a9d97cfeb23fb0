//! Exports as Parquet: typed columns that any analytic tool reads; the marking stands in the file's own metadata (`stillhunt.tlp`).
//!
//! The idea: rows are gathered into batches and written through a buffer that is emptied into the reader's stream, so an export of any length needs the
//! memory of one row group. Weakness: a reader must have the end of the file before it can read the beginning. Guarantee: texts are as they are
//! in the store, since a typed cell is no formula and no markup; who shows them escapes them.

use super::Tlp;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{FamilyId, Level};
use crate::report::ring::Ring;
use crate::report::{Family, date_of};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use arrow_array::{
    ArrayRef, Float32Array, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Rows of a batch, and bytes of a row group.
const BATCH: usize = 8_192;
const GROUP: usize = 32 << 20;

/// One exchange in a family.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The exchange's id, as the log named it.
    pub exchange: &'a str,
    /// The account's pseudonym.
    pub account: &'a str,
    /// The family.
    pub family: FamilyId,
    /// The level of the row; that of the family but for prompts that stand for their family themselves.
    pub level: Level,
    /// Similarity to the leader, in [−1, 1]; of fragments the share that is held, in (0, 1].
    pub similarity: f32,
}

/// What was written and not yet handed on.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failed(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write the export: {cause}"))
}

/// A file that is being written.
struct File<'a> {
    out: &'a mut dyn Write,
    buffer: Buffer,
    writer: ArrowWriter<Buffer>,
}

type Column = (&'static str, ArrayRef);

fn batch(columns: Vec<Column>) -> Result<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .map_err(failed)
}

impl<'a> File<'a> {
    /// Begins a file with the columns of these, which may be empty.
    fn new(first: &RecordBatch, tlp: Tlp, out: &'a mut dyn Write) -> Result<Self> {
        let marking = KeyValue::new("stillhunt.tlp".to_owned(), tlp.label());
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(failed)?))
            .set_created_by("stillhunt".into())
            .set_key_value_metadata(Some(vec![marking]))
            .build();
        let buffer = Buffer::default();
        let writer = ArrowWriter::try_new(buffer.clone(), first.schema(), Some(properties)).map_err(failed)?;
        Ok(Self { out, buffer, writer })
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(failed)?;
        if self.writer.in_progress_size() > GROUP {
            self.writer.flush().map_err(failed)?;
        }
        self.out.write_all(&self.buffer.take()).map_err(failed)
    }

    fn end(self) -> Result<()> {
        self.writer.close().map_err(failed)?;
        self.out.write_all(&self.buffer.take()).and_then(|()| self.out.flush()).map_err(failed)
    }
}

/// Members and families of rings in one table: `row` says which a row is of; what a row of its kind does not have is null.
/// # Errors
/// `Io` when `out` cannot be written.
pub fn rings(rings: &[Ring], tlp: Tlp, out: &mut dyn Write) -> Result<()> {
    struct Row<'a> {
        ring: &'a Ring,
        account: Option<String>,
        membership: Option<f64>,
        family: Option<String>,
        day: Option<String>,
        counts: Option<(u64, u64)>,
    }
    let of_ring = |ring| Row { ring, account: None, membership: None, family: None, day: None, counts: None };
    let mut rows = Vec::new();
    for ring in rings {
        for member in ring.members.iter().filter(|member| member.listed) {
            let (account, membership) = (Some(member.account.to_string()), Some(member.membership));
            rows.push(Row { account, membership, ..of_ring(ring) });
        }
        for family in &ring.families {
            let (name, day) = (Some(family.family_id.to_string()), Some(date_of(family.day)));
            rows.push(Row { family: name, day, counts: Some((family.accounts, family.of)), ..of_ring(ring) });
        }
    }
    let texts = |of: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let numbers =
        |of: &dyn Fn(&Row<'_>) -> Option<f64>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Float64Array>()) };
    let counts =
        |of: &dyn Fn(&Row<'_>) -> Option<u64>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<UInt64Array>()) };
    let all = batch(vec![
        ("ring_id", texts(&|row| Some(row.ring.id.clone()))),
        ("campaign", texts(&|row| Some(row.ring.campaign.clone()))),
        ("row", texts(&|row| Some(if row.account.is_some() { "member" } else { "family" }.to_owned()))),
        ("account", texts(&|row| row.account.clone())),
        ("membership", numbers(&|row| row.membership)),
        ("family_id", texts(&|row| row.family.clone())),
        ("day", texts(&|row| row.day.clone())),
        ("accounts", counts(&|row| row.counts.map(|counts| counts.0))),
        ("of", counts(&|row| row.counts.map(|counts| counts.1))),
        ("route", texts(&|row| Some(row.ring.route.word().to_owned()))),
        ("rung", texts(&|row| Some(row.ring.rung.word().to_owned()))),
        ("gamma_star", numbers(&|row| Some(row.ring.gamma_star))),
        ("log10_e", numbers(&|row| Some(row.ring.log10_e))),
        ("confirmed_night", texts(&|row| Some(date_of(row.ring.confirmed_night)))),
    ])?;
    let mut file = File::new(&all, tlp, out)?;
    file.push(&all)?;
    file.end()
}

/// Families with their templates.
/// # Errors
/// `Io` when `out` cannot be written.
pub fn families(families: &[Family], tlp: Tlp, out: &mut dyn Write) -> Result<()> {
    let of = |some: &[Family]| {
        let texts = |of: &dyn Fn(&Family) -> Option<String>| -> ArrayRef {
            Arc::new(some.iter().map(of).collect::<StringArray>())
        };
        let counts = |of: &dyn Fn(&Family) -> u64| -> ArrayRef {
            Arc::new(some.iter().map(|one| Some(of(one))).collect::<UInt64Array>())
        };
        let times = |of: &dyn Fn(&Family) -> i64| -> ArrayRef {
            Arc::new(some.iter().map(|one| Some(of(one))).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        };
        batch(vec![
            ("family_id", texts(&|one| Some(one.id.to_string()))),
            ("level", texts(&|one| Some(one.level.word().to_owned()))),
            ("within", texts(&|one| one.within.map(|id| id.to_string()))),
            ("accounts", counts(&|one| one.accounts)),
            ("requests", counts(&|one| one.requests)),
            ("distinct_prompts", counts(&|one| one.distinct_prompts)),
            ("new_accounts", counts(&|one| one.new_accounts)),
            ("first_seen", times(&|one| one.first_seen.micros())),
            ("last_seen", times(&|one| one.last_seen.micros())),
            ("slots", counts(&|one| one.slots.len() as u64)),
            ("example", texts(&|one| one.example.clone())),
            ("template", texts(&|one| Some(one.template.clone()))),
        ])
    };
    let mut file = File::new(&of(&[])?, tlp, out)?;
    families.chunks(BATCH).try_for_each(|some| file.push(&of(some)?))?;
    file.end()
}

/// Takes a member.
pub type Take<'a> = dyn FnMut(Member<'_>) -> Result<()> + 'a;

/// Members of families, which `each` gives one after another.
/// # Errors
/// `Io` when `out` cannot be written; what `each` fails with.
pub fn members(each: &mut dyn FnMut(&mut Take<'_>) -> Result<()>, tlp: Tlp, out: &mut dyn Write) -> Result<()> {
    type Rows = (Vec<[String; 4]>, Vec<f32>);
    let of = |(texts, similarities): &Rows| {
        let text =
            |i: usize| -> ArrayRef { Arc::new(StringArray::from_iter_values(texts.iter().map(|row| row[i].as_str()))) };
        let similarity: ArrayRef = Arc::new(Float32Array::from_iter_values(similarities.iter().copied()));
        batch(vec![
            ("exchange_id", text(0)),
            ("account", text(1)),
            ("family_id", text(2)),
            ("level", text(3)),
            ("similarity", similarity),
        ])
    };
    let mut rows: Rows = (Vec::new(), Vec::new());
    let mut file = File::new(&of(&rows)?, tlp, out)?;
    each(&mut |member| {
        rows.0.push([
            member.exchange.to_owned(),
            member.account.to_owned(),
            member.family.to_string(),
            member.level.word().to_owned(),
        ]);
        rows.1.push(member.similarity);
        if rows.1.len() == BATCH {
            file.push(&of(&std::mem::take(&mut rows))?)?;
        }
        Ok(())
    })?;
    file.push(&of(&rows)?)?;
    file.end()
}
