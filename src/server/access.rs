//! The access log: who saw or did what, when, and what for. A chain of rows in a file of its own, so that a reader need not wait for the
//! writer of the store.
//!
//! The idea: a row is a line of JSON that holds the head of the row before it, and its own head is a digest over that and all of the row. It is
//! synced before the answer leaves, so what somebody saw is on the disk. No text of a log stands in it: a search is told by the digest of
//! its text. Weakness: whoever may write the file can write a whole new chain, or cut rows off its end; that shows only against a head
//! that is kept elsewhere, and every row's head goes to the server's own log too. Guarantee: against a kept head no row is changed, taken
//! out, moved or added unnoticed, and a killed server loses no row that was acknowledged.

use super::who::Role;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, Time};
use crate::store::append::{Appended, Lines, first_not, line_begins};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Head of no row.
const NONE: Digest = Digest([0; 32]);

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) act: &'static str,
    pub(super) subject: String,
    pub(super) purpose: Option<String>,
}

/// A row of the chain. Its JSON names are a format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRow {
    /// Its number, from 1.
    pub row: u64,
    /// The moment, in microseconds since 1970.
    pub time_us: i64,
    /// Name of the token.
    pub who: String,
    /// Its role.
    pub role: Role,
    /// What was done: `similar`, `reveal`, `read`, `export`, `note` …
    pub act: String,
    /// To what: the name of a family, ring, account or exchange; of a text its digest.
    pub subject: String,
    /// What for, where that was said.
    pub purpose: Option<String>,
    /// Night of the store that answered.
    pub night: u32,
    /// Number of the request in the server's log.
    pub request: String,
    /// Head of the row before; zeros for the first.
    pub previous: String,
    /// Digest over all of the above.
    pub head: String,
}

impl AccessRow {
    /// The head that the row's content asks for.
    #[must_use]
    pub fn expected_head(&self) -> Digest {
        let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 access row");
        let purpose = self.purpose.as_ref().map_or_else(|| "-".to_owned(), |purpose| format!("+{purpose}"));
        let parts = [
            &self.row.to_string(),
            &self.time_us.to_string(),
            &self.who,
            self.role.word(),
            &self.act,
            &self.subject,
            &purpose,
            &self.night.to_string(),
            &self.request,
            &self.previous,
        ];
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        Digest(*hash.finalize().as_bytes())
    }
}

/// Faults that are told in words; the others are counted.
const TOLD: u64 = 100;

/// What a reader of the file finds. One that has read it goes on where it stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Number and head of the last row.
    pub head: (u64, String),
    /// What is wrong with the chain, oldest first, at most a hundred: each fault names its row.
    pub faults: Vec<String>,
    /// How many faults there are.
    pub n_faults: u64,
    /// Whether an unfinished line stands at the end: a row that was never acknowledged.
    pub unfinished: bool,
    /// Lines and bytes that were read.
    read: (u64, u64),
}

impl Verified {
    fn none() -> Self {
        Self { head: (0, NONE.to_string()), faults: Vec::new(), n_faults: 0, unfinished: false, read: (0, 0) }
    }

    /// The next line of the chain, as a row where it is one.
    fn take(&mut self, line: &str) -> Option<AccessRow> {
        self.read.0 += 1;
        let number = self.read.0;
        let row: AccessRow = match serde_json::from_str(line) {
            Ok(row) => row,
            Err(cause) => {
                self.fault(format!("row {number}: expected a row of the access log: {cause}"));
                // What follows is held against what the unreadable row should have been; that is another fault, and a true one.
                return None;
            }
        };
        if row.row != number {
            self.fault(format!("expected row {number}, got row {}: a row was taken out, added or moved", row.row));
        }
        if row.previous != self.head.1 {
            self.fault(format!("row {}: expected the head of the row before it, got another", row.row));
        }
        if row.head != row.expected_head().to_string() {
            self.fault(format!("row {}: its content is not what its head was made of", row.row));
        }
        self.head = (row.row, row.head.clone());
        Some(row)
    }

    fn fault(&mut self, told: String) {
        self.n_faults += 1;
        if self.n_faults <= TOLD {
            self.faults.push(told);
        }
    }

    /// Reads on in the file at `path`, row by row.
    fn go_on(&mut self, path: &Path, see: &mut dyn FnMut(&AccessRow)) -> Result<()> {
        if !line_begins(path, self.read.1)? {
            let told = "the file is not what was read before: it was cut or written anew".to_owned();
            if !self.faults.contains(&told) {
                self.fault(told);
            }
            return Ok(());
        }
        let mut lines = Lines::open(path, self.read.1)?;
        while let Some(line) = lines.read()? {
            if let Some(row) = self.take(line) {
                see(&row);
            }
            self.read.1 = lines.at();
        }
        self.unfinished = lines.unfinished();
        Ok(())
    }
}

/// Reads and checks an access log; `see` sees each of its rows. Only one is in memory.
/// # Errors
/// `Io` when it cannot be read; `Input` when it is no text.
pub fn verify(path: &Path, see: &mut dyn FnMut(&AccessRow)) -> Result<Verified> {
    let mut verified = Verified::none();
    verified.go_on(path, see)?;
    Ok(verified)
}

/// Reads and checks an access log, and where its chain is whole, whether it goes on from a head that was kept elsewhere.
/// # Errors
/// As [`verify`]; `Store` with what is wrong: rows that were cut off, or others in their place.
pub fn verify_against(path: &Path, (row, head): (u64, &str)) -> Result<Verified> {
    let mut found = (row == 0).then(|| NONE.to_string());
    let verified = verify(path, &mut |of| {
        if of.row == row && found.is_none() {
            found = Some(of.head.clone());
        }
    })?;
    if found.as_deref() == Some(head) || verified.n_faults > 0 {
        return Ok(verified);
    }
    let got = found.map_or_else(|| format!("{} rows", verified.read.0), |head| format!("the head {head}"));
    Err(Error::new(ErrorKind::Store, format!("expected row {row} with the head {head}, got {got}"))
        .hint("rows were cut off or written anew since that head was kept"))
}

/// The rows before row `before`, newest first, at most `limit` of them, and what is wrong among them, with the row before them and the one behind. A row is
/// found by halving, which goes wrong where rows stand in another order; that is a fault of its own.
fn newest(path: &Path, before: u64, limit: u64) -> Result<(Vec<AccessRow>, Verified)> {
    let of = |line: &str| serde_json::from_str::<AccessRow>(line).ok();
    let first = before.saturating_sub(limit).max(1);
    // What cannot be read stands before what is wanted, so that rows behind it are shown.
    let at = first_not(path, |line| of(line).is_none_or(|row| row.row + 1 < first))?;
    let mut lines = Lines::open(path, at)?;
    let (mut rows, mut chain) = (Vec::new(), Verified::none());
    for number in 0..=limit + 1 {
        let Some(line) = lines.read()? else { break };
        if number == 0
            && let Some(row) = of(line)
        {
            // The chain is taken up where this row says that it stands.
            let before = row.row.saturating_sub(1);
            (chain.head, chain.read) = ((before, row.previous), (before, 0));
        }
        let Some(row) = chain.take(line) else { continue };
        if row.row >= before {
            break;
        }
        if row.row >= first {
            rows.push(row);
        }
    }
    rows.reverse();
    Ok((rows, chain))
}

/// The log of a running server.
pub(super) struct AccessLog {
    file: Appended,
    path: PathBuf,
    last: (u64, String),
    verified: Verified,
}

impl AccessLog {
    /// Opens the log to go on with it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = Appended::open(path)?;
        let verified = verify(path, &mut |_| {})?;
        if let Some(fault) = verified.faults.first() {
            let message = format!(
                "{}: expected an unbroken access log, found {} faults; {fault}",
                path.display(),
                verified.n_faults
            );
            return Err(Error::new(ErrorKind::Store, message)
                .hint("keep the file as it is, for whoever looks into it, and give --log another"));
        }
        Ok(Self { file, last: verified.head.clone(), path: path.into(), verified })
    }

    /// The rows before row `before`, newest first, at most `limit`; and the whole log as far as this server has checked it: each row when it was
    /// first read, those that are shown once more, and that the newest row is still the one that was read.
    pub(super) fn newest(&mut self, before: Option<u64>, limit: u64) -> Result<(Vec<AccessRow>, Verified)> {
        self.verified.go_on(&self.path, &mut |_| {})?;
        let (last, head) = self.verified.head.clone();
        let before = before.unwrap_or(u64::MAX).min(last + 1);
        let (rows, chain) = newest(&self.path, before, limit)?;
        let mut faults = chain.faults;
        if last > 0 {
            let (newest, _) = newest(&self.path, last + 1, 1)?;
            if newest.first().is_none_or(|row| row.row != last || row.head != head) {
                faults.push(format!("row {last}: it is not there any more as it was read"));
            }
        }
        for fault in faults {
            if !self.verified.faults.contains(&fault) {
                self.verified.fault(fault);
            }
        }
        Ok((rows, self.verified.clone()))
    }

    /// Writes what somebody did; when this returns it is on the disk. Returns number and head of the last row.
    pub(super) fn write(
        &mut self,
        did: &[Access],
        (who, role): (&str, Role),
        (time, night, request): (Time, u32, &str),
    ) -> Result<(u64, String)> {
        let mut last = self.last.clone();
        let mut lines = Vec::new();
        for Access { act, subject, purpose } in did {
            let mut row = AccessRow {
                row: last.0 + 1,
                time_us: time.micros(),
                who: who.to_owned(),
                role,
                act: (*act).to_owned(),
                subject: subject.clone(),
                purpose: purpose.clone(),
                night,
                request: request.to_owned(),
                previous: last.1,
                head: String::new(),
            };
            row.head = row.expected_head().to_string();
            last = (row.row, row.head.clone());
            lines.push(serde_json::to_string(&row).unwrap_or_default());
        }
        self.file.add(&lines)?;
        self.last = last;
        Ok(self.last.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(subject: &str) -> Access {
        Access { act: "reveal", subject: subject.into(), purpose: Some("case 7".into()) }
    }

    fn written(n: usize) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("access.jsonl");
        let mut log = AccessLog::open(&path).expect("opened");
        for i in 0..n {
            let when = Time::new(i as i64).expect("a time");
            log.write(&[act(&format!("exchange {i}"))], ("ann", Role::Analyst), (when, 3, "q-1")).expect("written");
        }
        (dir, path)
    }

    fn text(path: &Path) -> String {
        String::from_utf8(crate::store::files::read_bounded(path, 1 << 20).expect("read")).expect("text")
    }

    #[test]
    fn the_chain_goes_on_over_restarts() {
        let (_dir, path) = written(3);
        let mut log = AccessLog::open(&path).expect("opened again");
        let now = Time::new(9).expect("a time");
        let (row, head) = log.write(&[act("a"), act("b")], ("bob", Role::Admin), (now, 4, "q-2")).expect("written");
        let verified = verify_against(&path, (5, &head)).expect("its own head");
        assert_eq!((verified.faults.clone(), verified.head, row), (vec![], (5, head.clone()), 5));
        assert!(verify_against(&path, (6, &head)).is_err());
        assert!(verify_against(&path, (4, &head)).is_err());
        verify_against(&path, (0, &NONE.to_string())).expect("no row");
    }

    #[test]
    fn pages_are_newest_first_and_an_edit_behind_the_servers_back_shows() {
        let (_dir, path) = written(25);
        let mut log = AccessLog::open(&path).expect("opened");
        let mut page = |before, limit| {
            let (rows, told) = log.newest(before, limit).expect("read");
            (rows.iter().map(|row| row.row).collect::<Vec<_>>(), told)
        };
        assert_eq!(page(None, 10).0, (16..=25).rev().collect::<Vec<_>>());
        assert_eq!(page(Some(16), 10).0, (6..=15).rev().collect::<Vec<_>>());
        assert_eq!(page(Some(6), 10).0, (1..=5).rev().collect::<Vec<_>>());
        assert_eq!(page(Some(1), 10).0, Vec::<u64>::new());
        let (rows, told) = page(Some(999), 3);
        assert_eq!((rows, told.head.0, told.n_faults), (vec![25, 24, 23], 25, 0));
        // An edit in a row that is shown is found, and stays told; each edit is found by who reads the whole file.
        let edited = text(&path).replace("exchange 7\"", "exchange 8\"");
        crate::store::files::write_private(&path, edited.as_bytes()).expect("written");
        assert_eq!((page(None, 10).1.n_faults, page(Some(10), 4).1.n_faults, page(None, 10).1.n_faults), (0, 1, 1));
        let verified = verify(&path, &mut |_| {}).expect("read");
        assert_eq!((verified.n_faults, verified.faults.len()), (1, 1));
    }

    #[test]
    fn a_running_server_sees_what_was_cut_written_anew_or_made_unreadable() {
        let opened = |edit: &dyn Fn(Vec<String>) -> Vec<String>| {
            let (dir, path) = written(25);
            let mut log = AccessLog::open(&path).expect("opened");
            log.newest(None, 10).expect("read");
            let lines = edit(text(&path).lines().map(str::to_owned).collect());
            let edited: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            crate::store::files::write_private(&path, edited.as_bytes()).expect("written");
            let (rows, told) = log.newest(None, 10).expect("read");
            let out = (rows.iter().map(|row| row.row).collect::<Vec<_>>(), told.faults.clone());
            drop(dir);
            out
        };
        let whole = (16..=25).rev().collect::<Vec<_>>();
        assert_eq!(opened(&|lines| lines), (whole.clone(), vec![]));
        let (rows, faults) = opened(&|mut lines| lines.drain(..20).collect());
        assert!(rows.len() < 10 && faults.iter().any(|fault| fault.contains("cut or written anew")), "{faults:?}");
        // A tail that was made anew hangs together, but its head is another.
        let anew = |mut lines: Vec<String>| {
            let mut head = None;
            for line in &mut lines[9..] {
                let mut row: AccessRow = serde_json::from_str(line).expect("a row");
                row.previous = head.take().unwrap_or(row.previous);
                row.subject = row.subject.replace("exchange 9", "exchange 8");
                row.head = row.expected_head().to_string();
                head = Some(row.head.clone());
                *line = serde_json::to_string(&row).expect("JSON");
            }
            lines
        };
        let (rows, faults) = opened(&anew);
        assert_eq!((rows, faults.len()), (whole.clone(), 1), "{faults:?}");
        assert!(faults[0].contains("row 25: it is not there any more"), "{faults:?}");
        // Rows behind one that cannot be read are shown.
        let unreadable = |mut lines: Vec<String>| {
            lines[19] = "x".repeat(lines[19].len());
            lines
        };
        let (rows, faults) = opened(&unreadable);
        assert!(rows.starts_with(&[25, 24, 23, 22, 21]) && !faults.is_empty(), "{rows:?} {faults:?}");
    }

    #[test]
    fn every_edit_is_found() {
        let (_dir, path) = written(4);
        let whole = text(&path);
        let lines: Vec<&str> = whole.lines().collect();
        let faults = |lines: &[String]| {
            let mut chain = Verified::none();
            lines.iter().for_each(|line| drop(chain.take(line)));
            chain.faults
        };
        let own: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(faults(&own), Vec::<String>::new());
        for (field, other) in [
            ("\"ann\"", "\"eve\""),
            ("analyst", "admin"),
            ("case 7", "case 8"),
            ("reveal", "read"),
            ("exchange 1", "exchange 9"),
            ("\"night\":3", "\"night\":4"),
            ("\"time_us\":1", "\"time_us\":2"),
            ("q-1", "q-3"),
        ] {
            let mut edited = own.clone();
            edited[1] = edited[1].replace(field, other);
            assert_ne!(edited, own, "{field}");
            assert!(!faults(&edited).is_empty(), "{field}");
        }
        for gone in 0..3 {
            let mut fewer = own.clone();
            fewer.remove(gone);
            assert!(!faults(&fewer).is_empty(), "row {gone} taken out");
        }
        let mut moved = own.clone();
        moved.swap(1, 2);
        assert!(!faults(&moved).is_empty());
        let mut twice = own.clone();
        twice.insert(1, own[1].clone());
        assert!(!faults(&twice).is_empty());
        // What a purpose of its own and no purpose would say alike.
        let mut none = own.clone();
        none[0] = none[0].replace("\"case 7\"", "null");
        assert!(!faults(&none).is_empty());
    }

    #[test]
    fn a_broken_log_is_not_gone_on_with() {
        let (_dir, path) = written(2);
        let edited = text(&path).replace("exchange 0", "exchange 8");
        crate::store::files::write_private(&path, edited.as_bytes()).expect("written");
        let refused = AccessLog::open(&path).err().expect("an error");
        assert!(refused.to_string().contains("row 1"), "{refused}");
    }
}
