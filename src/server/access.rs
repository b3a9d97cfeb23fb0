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
use crate::store::append::{Appended, read_lines};
use serde::{Deserialize, Serialize};
use std::path::Path;

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

/// What a reader of the file finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The rows.
    pub rows: Vec<AccessRow>,
    /// What is wrong with the chain, oldest first: each fault names its row.
    pub faults: Vec<String>,
    /// Whether an unfinished line stands at the end: a row that was never acknowledged.
    pub unfinished: bool,
}

impl Verified {
    /// Number and head of the last row.
    #[must_use]
    pub fn head(&self) -> (u64, String) {
        self.rows.last().map_or((0, NONE.to_string()), |row| (row.row, row.head.clone()))
    }

    /// Whether the chain goes on from a head that was kept elsewhere.
    /// # Errors
    /// `Store` with what is wrong: rows that were cut off, or others in their place.
    pub fn goes_on_from(&self, row: u64, head: &str) -> Result<()> {
        let found = self.rows.iter().find(|of| of.row == row).map(|of| of.head.as_str());
        if found == Some(head) || (row == 0 && head == NONE.to_string()) {
            return Ok(());
        }
        let got = found.map_or_else(|| format!("{} rows", self.rows.len()), |head| format!("the head {head}"));
        Err(Error::new(ErrorKind::Store, format!("expected row {row} with the head {head}, got {got}"))
            .hint("rows were cut off or written anew since that head was kept"))
    }
}

/// Reads and checks an access log.
/// # Errors
/// `Io` when it cannot be read; `Input` when it is no text.
pub fn verify(path: &Path) -> Result<Verified> {
    let (text, unfinished) = read_lines(path)?;
    let (rows, faults) = check(&text);
    Ok(Verified { rows, faults, unfinished })
}

fn check(text: &str) -> (Vec<AccessRow>, Vec<String>) {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let mut before = NONE.to_string();
    for (number, line) in (1u64..).zip(text.lines()) {
        let row: AccessRow = match serde_json::from_str(line) {
            Ok(row) => row,
            Err(cause) => {
                faults.push(format!("row {number}: expected a row of the access log: {cause}"));
                // What follows is held against what the unreadable row should have been; that is another fault, and a true one.
                continue;
            }
        };
        if row.row != number {
            faults.push(format!("expected row {number}, got row {}: a row was taken out, added or moved", row.row));
        }
        if row.previous != before {
            faults.push(format!("row {}: expected the head of the row before it, got another", row.row));
        }
        if row.head != row.expected_head().to_string() {
            faults.push(format!("row {}: its content is not what its head was made of", row.row));
        }
        before.clone_from(&row.head);
        rows.push(row);
    }
    (rows, faults)
}

/// The log of a running server.
pub(super) struct AccessLog {
    file: Appended,
    last: (u64, String),
}

impl AccessLog {
    /// Opens the log to go on with it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (file, text) = Appended::open(path)?;
        let (rows, faults) = check(&text);
        if let Some(fault) = faults.first() {
            let message =
                format!("{}: expected an unbroken access log, found {} faults; {fault}", path.display(), faults.len());
            return Err(Error::new(ErrorKind::Store, message)
                .hint("keep the file as it is, for whoever looks into it, and give --log another"));
        }
        let last = rows.last().map_or((0, NONE.to_string()), |row| (row.row, row.head.clone()));
        Ok(Self { file, last })
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
        read_lines(path).expect("read").0
    }

    #[test]
    fn the_chain_goes_on_over_restarts() {
        let (_dir, path) = written(3);
        let mut log = AccessLog::open(&path).expect("opened again");
        let now = Time::new(9).expect("a time");
        let (row, head) = log.write(&[act("a"), act("b")], ("bob", Role::Admin), (now, 4, "q-2")).expect("written");
        let verified = verify(&path).expect("read");
        assert_eq!((verified.faults.clone(), verified.head(), row), (vec![], (5, head.clone()), 5));
        verified.goes_on_from(5, &head).expect("its own head");
        assert!(verified.goes_on_from(6, &head).is_err());
        assert!(verified.goes_on_from(4, &head).is_err());
    }

    #[test]
    fn every_edit_is_found() {
        let (_dir, path) = written(4);
        let whole = text(&path);
        let lines: Vec<&str> = whole.lines().collect();
        let faults = |lines: &[String]| check(&(lines.join("\n") + "\n")).1;
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
