//! What an audit would take of a log, before it runs: the first exchanges with the place that each field came from, and the first rows that it
//! would set aside.
//!
//! It reads with the same readers and settings as the audit, from the beginning and no further than it must, and writes nothing. Weakness: it
//! is the beginning of a log; what comes later may be of another kind. Halves are joined only among the rows that were read, of all logs given.

use super::read_exchanges;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{BadRow, Joiner, Lacks, LogConfig, Place, Reason, Row, Taken};
use crate::store::input::Input;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The beginning of a log, as an audit would read it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Exchanges by schema.
    pub schemas: BTreeMap<&'static str, u64>,
    /// The first exchanges.
    pub taken: Vec<(Place, Taken)>,
    /// The first bad rows.
    pub bad: Vec<(Place, BadRow)>,
    /// Bad rows by reason.
    pub by_reason: BTreeMap<&'static str, u64>,
    /// Rows that are no model calls, and calls without text, by reason.
    pub passed_over: BTreeMap<&'static str, u64>,
    /// A column map for rows of no known schema, or one that adds what rows of a known one lack: that of the first.
    pub proposed: Option<Arc<str>>,
    /// What bad rows lack.
    pub lacks: Lacks,
    /// Whether the log goes on.
    pub more: bool,
}

/// Rows after which nothing more is read, however few of them are exchanges.
const LOOKED_AT: u64 = 20_000;

/// Reads the beginning of each log: until `most` exchanges and `most` bad rows were seen, or one of them and 1,000 rows. Halves are joined across
/// the logs, as an audit of all of them would join them.
///
/// # Errors
/// `Io` when a log cannot be opened.
pub fn show(inputs: &[Input], config: &LogConfig, most: usize) -> Result<Vec<Shown>> {
    let config = LogConfig { batch_rows: 256, batch_bytes: 4 << 20, ..config.clone() };
    let mut joiner = Joiner::new(&config);
    let mut shown: Vec<Shown> = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        let mut rows_seen = 0;
        shown.push(Shown::default());
        let outcome = read_exchanges(input, &config, &Arc::default(), &mut |rows| {
            rows_seen += rows.len() as u64;
            take(&mut shown, joiner.join(number as u32, rows), most);
            let this = &mut shown[number];
            let enough = (this.taken.len() >= most || this.bad.len() >= most) && rows_seen >= 1_000;
            if enough || rows_seen >= LOOKED_AT {
                this.more = true;
                return Err(Error::new(ErrorKind::Nothing, "enough"));
            }
            Ok(())
        });
        if !shown[number].more {
            outcome?;
        }
    }
    take(&mut shown, joiner.finish(), most);
    Ok(shown)
}

/// Gives each row to the log that it is from.
fn take(shown: &mut [Shown], rows: Vec<(u32, Row)>, most: usize) {
    for (source, row) in rows {
        if let Some(of) = shown.get_mut(source as usize) {
            of.take(row, most);
        }
    }
}

impl Shown {
    fn take(&mut self, Row { place, result }: Row, most: usize) {
        match result {
            Ok(taken) => {
                *self.schemas.entry(taken.origin.schema).or_default() += 1;
                if self.taken.len() < most {
                    self.taken.push((place, taken));
                }
            }
            Err(bad) if matches!(bad.reason, Reason::NoExchange | Reason::Redacted | Reason::NoText) => {
                *self.passed_over.entry(bad.reason.word()).or_default() += 1;
            }
            Err(bad) => {
                *self.by_reason.entry(bad.reason.word()).or_default() += 1;
                self.proposed = self.proposed.take().or_else(|| bad.map.clone());
                self.lacks = self.lacks.or(bad.lacks);
                if self.bad.len() < most {
                    self.bad.push((place, bad));
                }
            }
        }
    }
}
