//! Facts of families: what a list ranks by, in records of one length, and what only a described family shows behind them.
//!
//! ```text
//! "SHFACTS1" · number of families u64 · their heads, by family · what is behind each
//! ```
//! Every commit writes those of the families that it met; the newest of a family counts. Guarantee: any bytes open or fail with an
//! error, look-ups never panic.

use super::files::check_magic;
use super::sorted::{equal, merged};
use crate::error::{Error, ErrorKind, Result};
use std::io::{self, Write};

const MAGIC: &[u8; 8] = b"SHFACTS1";
const HEADER: usize = 16;

/// What a list ranks families by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Head {
    /// The level in the upper half, its number in the lower: a near-duplicate family's or a fragment's of the catalog, a prompt's, a
    /// system prompt's.
    pub family: u64,
    /// Distinct accounts.
    pub accounts: u64,
    /// Requests; 0 where the family is none any longer.
    pub requests: u64,
    /// Distinct prompts; of a fragment distinct texts.
    pub prompts: u64,
    /// Earliest request, microseconds.
    pub first: i64,
    /// Latest request.
    pub last: i64,
    /// Its name without the level.
    pub id: [u8; 8],
    /// Accounts of it that the store first saw in the newest of its nights.
    pub new_accounts: u64,
    /// The first night with a request of it.
    pub first_night: u32,
    /// The newest.
    pub last_night: u32,
    /// The commit from which on its uses count; older ones were counted again.
    pub uses_from: u32,
    /// Whether its text is trivial: 0 or 1.
    pub trivial: u32,
    /// Where what is behind it begins, and its length.
    pub at: u64,
    /// Its length.
    pub len: u64,
}

/// Writes facts: heads, by family, each with what stands behind it.
/// # Errors
/// When `out` fails.
pub fn write(facts: &mut [(Head, Vec<u8>)], out: &mut dyn Write) -> io::Result<()> {
    facts.sort_unstable_by_key(|(head, _)| head.family);
    write_sorted(&|| facts.iter().map(|(head, behind)| (head, behind.as_slice())), out)
}

/// Writes the newest facts of each family of several files, oldest first, in a stream.
/// # Errors
/// When `out` fails.
pub fn merge<'a, B: AsRef<[u8]>>(files: &'a [Facts<B>], out: &mut dyn Write) -> io::Result<()> {
    let newest = || {
        let family =
            |(age, file): (usize, &'a Facts<B>)| (0..file.heads().len()).map(move |i| (file.heads()[i].family, age, i));
        let mut last = None;
        let all = merged(files.iter().rev().enumerate().map(family).collect()).map(|(_, place)| place);
        let newest = all.filter(move |(family, ..)| last.replace(*family) != Some(*family));
        newest.map(|(_, age, i)| {
            let file = &files[files.len() - 1 - age];
            (&file.heads()[i], file.behind(&file.heads()[i]))
        })
    };
    write_sorted(&newest, out)
}

/// Writes facts that come in order of family, told three times.
fn write_sorted<'a, I: Iterator<Item = (&'a Head, &'a [u8])>>(
    facts: &dyn Fn() -> I,
    out: &mut dyn Write,
) -> io::Result<()> {
    out.write_all(MAGIC)?;
    out.write_all(&(facts().count() as u64).to_le_bytes())?;
    let mut at = 0;
    for (head, behind) in facts() {
        let head = Head { at, len: behind.len() as u64, ..*head };
        at += head.len;
        out.write_all(bytemuck::bytes_of(&head))?;
    }
    facts().try_for_each(|(_, behind)| out.write_all(behind))?;
    out.flush()
}

/// Facts over their bytes, aligned to 8.
pub struct Facts<B> {
    bytes: B,
    /// Behind the last head.
    heads: usize,
}

impl<B: AsRef<[u8]>> Facts<B> {
    /// Checks the header.
    /// # Errors
    /// `Store` when the bytes are not whole facts.
    pub fn open(bytes: B) -> Result<Self> {
        let raw = bytes.as_ref();
        check_magic(raw, MAGIC, "facts of families")?;
        let count = raw.get(8..HEADER).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
        let heads =
            count.and_then(|n| n.checked_mul(size_of::<Head>() as u64)).and_then(|n| n.checked_add(HEADER as u64));
        let heads = heads.filter(|&end| end <= raw.len() as u64).map(|end| end as usize);
        match heads.filter(|&end| bytemuck::try_cast_slice::<u8, Head>(&raw[HEADER..end]).is_ok()) {
            Some(heads) => Ok(Self { bytes, heads }),
            None => {
                let message = format!("expected whole facts of families, got {} other bytes", raw.len());
                Err(Error::new(ErrorKind::Store, message))
            }
        }
    }

    /// All heads, by family.
    #[must_use]
    pub fn heads(&self) -> &[Head] {
        bytemuck::cast_slice(&self.bytes.as_ref()[HEADER..self.heads])
    }

    /// The head of a family.
    #[must_use]
    pub fn of(&self, family: u64) -> Option<&Head> {
        equal(self.heads(), |head| head.family.cmp(&family)).first()
    }

    /// What stands behind a head of this file; nothing where it is damaged.
    #[must_use]
    pub fn behind(&self, head: &Head) -> &[u8] {
        let from = usize::try_from(head.at).ok().and_then(|at| at.checked_add(self.heads));
        let to = from.zip(usize::try_from(head.len).ok()).and_then(|(from, len)| from.checked_add(len));
        from.zip(to).and_then(|(from, to)| self.bytes.as_ref().get(from..to)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn aligned(bytes: &[u8]) -> Vec<u64> {
        let mut out = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut out)[..bytes.len()].copy_from_slice(bytes);
        out
    }

    proptest! {
        #[test]
        fn facts_come_back(list in proptest::collection::btree_map(any::<u64>(), (any::<u64>(), ".{0,9}"), 0..20)) {
            let head = |(&family, (requests, _)): (&u64, &(u64, String))| Head { family, requests: *requests, ..Head::default() };
            let mut facts: Vec<(Head, Vec<u8>)> = list.iter().map(|row| (head(row), row.1.1.as_bytes().to_vec())).rev().collect();
            let mut bytes = Vec::new();
            write(&mut facts, &mut bytes).expect("a vector");
            let words = aligned(&bytes);
            let whole = Facts::open(&bytemuck::cast_slice::<u64, u8>(&words)[..bytes.len()]).expect("whole facts");
            prop_assert_eq!(whole.heads().len(), list.len());
            for (family, (requests, behind)) in &list {
                let head = whole.of(*family).expect("a head");
                prop_assert_eq!((head.requests, whole.behind(head)), (*requests, behind.as_bytes()));
            }
            prop_assert!(bytes.len() == 16 || Facts::open(&bytemuck::cast_slice::<u64, u8>(&words)[..15]).is_err());
        }

        #[test]
        fn a_merge_has_the_newest_of_each(list in proptest::collection::vec((0u64..9, ".{0,9}", 0usize..3), 0..40)) {
            // Of each file and family the last row counts; a newer file goes before an older one.
            let mut newest = std::collections::BTreeMap::new();
            let mut files: Vec<std::collections::BTreeMap<u64, Vec<u8>>> = vec![Default::default(); 3];
            for (family, behind, file) in &list {
                files[*file].insert(*family, behind.as_bytes().to_vec());
            }
            files.iter().for_each(|file| newest.extend(file.clone()));
            let bytes = |facts: &std::collections::BTreeMap<u64, Vec<u8>>| {
                let row = |(&family, behind): (&u64, &Vec<u8>)| (Head { family, ..Head::default() }, behind.clone());
                let mut out = Vec::new();
                write(&mut facts.iter().map(row).collect::<Vec<_>>(), &mut out).expect("a vector");
                (aligned(&out), out.len())
            };
            let written: Vec<(Vec<u64>, usize)> = files.iter().map(bytes).collect();
            let open = |(words, len): &'_ (Vec<u64>, usize)| bytemuck::cast_slice::<u64, u8>(words)[..*len].to_vec();
            let opened: Vec<Facts<Vec<u8>>> = written.iter().map(|file| Facts::open(open(file)).expect("whole facts")).collect();
            let mut merged = Vec::new();
            merge(&opened, &mut merged).expect("a vector");
            prop_assert_eq!(merged, open(&bytes(&newest)));
        }

        #[test]
        fn any_bytes_open_or_fail(words in proptest::collection::vec(any::<u64>(), 0..40), n in 0u64..3) {
            let mut words = words;
            words.splice(0..0, [u64::from_le_bytes(*MAGIC), n]);
            if let Ok(facts) = Facts::open(bytemuck::cast_slice::<u64, u8>(&words)) {
                let _ = facts.of(1);
                facts.heads().iter().for_each(|head| { let _ = facts.behind(head); });
            }
        }
    }
}
