//! When are the files of a kind merged? In tiers, so that a look-up finds few of them and no night merges everything.
//!
//! Every night adds a file. The newest ones are merged into one when they are four or more of similar size, so an entry is written again
//! once for each time that the store has grown fourfold, until a file is as large as a night may merge. A night's own file of a kind is
//! merged with older ones where its readers ask all files alike, and only by later nights where they ask what was new in a night.

use super::{Mapped, Named, NewNight, Store};
use crate::error::{Error, Result};
use std::io::{self, Write};

/// Files that are merged at once, at least.
const LEAST: usize = 4;

/// Bytes that a merge of sorted tables may write: what leaves the trailing nights leaves with the file that it is in.
const MOST_BYTES: u64 = 1 << 29;

/// Merges the newest files of a kind, of nights before this one, where they are many of similar size. Returns the names of those that the
/// new file replaces.
/// # Errors
/// `Store` when one is damaged, `Io` when the new one cannot be written.
pub fn merge_older<T>(
    store: &Store,
    night: &mut NewNight,
    kind: &'static str,
    open: impl Fn(Mapped) -> Result<T>,
    merge: impl Fn(&[T], &mut dyn Write) -> io::Result<()>,
) -> Result<Vec<String>> {
    let files: Vec<&Named> = store.of_kind(kind).filter(|file| file.night < night.night).collect();
    let sizes: Vec<u64> = files.iter().map(|file| file.bytes).collect();
    let Some(first) = first_merged(&sizes, MOST_BYTES) else { return Ok(Vec::new()) };
    let files = &files[first..];
    let tables: Vec<T> = files.iter().map(|file| store.read(file, &open)).collect::<Result<_>>()?;
    let newest = files.iter().map(|file| file.night).max().unwrap_or_default();
    let mut out = night.create_merged(kind, newest)?;
    merge(&tables, &mut out).map_err(|cause| Error::io("write", night.last_path(), &cause))?;
    Ok(files.iter().map(|file| file.name.clone()).collect())
}

/// The first of those that are merged with all newer ones: `sizes` are the files' entries, oldest first, and a merge may have `most`.
#[must_use]
pub fn first_merged(sizes: &[u64], most: u64) -> Option<usize> {
    let (mut total, mut largest, mut first) = (0u64, 0, None);
    for (i, &size) in sizes.iter().enumerate().rev() {
        total = total.saturating_add(size);
        largest = largest.max(size);
        if total > most {
            break;
        }
        // Of four equal files one is a quarter; nights are not quite equal.
        if sizes.len() - i >= LEAST && largest.saturating_mul(7) <= total.saturating_mul(2) {
            first = Some(i);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Files after these nights, and how many entries merges wrote.
    fn play(nights: &[u64], most: u64) -> (Vec<u64>, u64) {
        let (mut files, mut written) = (Vec::new(), 0);
        for &night in nights {
            files.push(night);
            if let Some(first) = first_merged(&files, most) {
                let merged: u64 = files.drain(first..).sum();
                assert!(merged <= most);
                written += merged;
                files.push(merged);
            }
        }
        (files, written)
    }

    #[test]
    fn equal_nights_make_few_files_and_few_copies() {
        let all = vec![100; 4096];
        let (files, written) = play(&all, u64::MAX);
        assert!(files.len() <= 4 * 6, "{files:?}");
        // Twice a tier at most: log4(4096) tiers.
        assert!(written <= 2 * 6 * 409_600, "{written}");
        assert_eq!(files.iter().sum::<u64>(), 409_600);
        let (files, _) = play(&all, 6_400);
        assert!(files.len() <= 4096 / 32 + 8, "with a bound there are as many as it makes: {}", files.len());
        assert_eq!(play(&[100; 6], u64::MAX).0, [400, 100, 100]);
    }

    #[test]
    fn a_large_file_waits_for_its_like() {
        assert_eq!(first_merged(&[10_000, 1, 1, 1], u64::MAX), None);
        assert_eq!(first_merged(&[10_000, 1, 1, 1, 1], u64::MAX), Some(1));
        assert_eq!(first_merged(&[], u64::MAX), None);
        assert_eq!(first_merged(&[0, 0, 0, 0], u64::MAX), Some(0));
    }

    proptest! {
        #[test]
        fn any_nights_keep_everything(nights in proptest::collection::vec(0u64..2_000, 0..300)) {
            let (files, written) = play(&nights, 40_000);
            prop_assert_eq!(files.iter().sum::<u64>(), nights.iter().sum::<u64>());
            prop_assert!(written <= 12 * nights.iter().sum::<u64>());
            prop_assert!(files.len() <= 40, "{:?}", files);
        }
    }
}
