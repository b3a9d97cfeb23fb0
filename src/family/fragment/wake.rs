//! Which runs may stand in tonight's texts? Asked of those that sleep, because nobody sent them for a while.
//!
//! A run wakes when one of its grams is a fingerprint of tonight, so whoever shares 60 bytes with it wakes it for certain, and whoever
//! shares fewer about as often as they would be found if it were new. A filter of bits answers for most grams, so a hundred thousand runs
//! cost some tens of milliseconds. Weakness: a run of popular words is woken by texts that do not hold it, which costs time only.

use super::run::pieces;
use crate::store::prints::{PrintRecord, of_hash};
use crate::text::winnow::{GRAM, Printer};
use rayon::prelude::*;

/// Bits of the filter for each fingerprint: one gram in sixteen passes by chance.
const BITS: usize = 16;

/// Whether each of the runs has a gram among `tonight`'s fingerprints, which are sorted.
#[must_use]
pub fn wake(printer: &Printer, tonight: &[&[PrintRecord]], runs: &[&str]) -> Vec<bool> {
    if runs.is_empty() {
        return Vec::new();
    }
    let bits = (BITS * tonight.iter().map(|prints| prints.len()).sum::<usize>()).next_power_of_two().max(64);
    let shift = 64 - bits.trailing_zeros();
    let place = |hash: u64| ((hash >> shift) as usize / 64, 1 << (hash >> shift & 63));
    let mut filter = vec![0u64; bits / 64];
    for record in tonight.iter().copied().flatten() {
        let (word, bit) = place(record.hash);
        filter[word] |= bit;
    }
    let is_of_tonight = |run: &&str| {
        let mut found = false;
        for piece in pieces(run) {
            printer.each_gram::<GRAM>(piece.as_bytes(), |hash, _| {
                let (word, bit) = place(hash);
                found =
                    found || filter[word] & bit != 0 && tonight.iter().any(|prints| !of_hash(prints, hash).is_empty());
            });
        }
        found
    };
    runs.par_iter().map(is_of_tonight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::fragment::SLOT;

    #[test]
    fn what_shares_sixty_bytes_wakes_and_what_shares_nothing_sleeps() {
        let printer = Printer::new(&[3; 32]);
        let words =
            |seed: u64, n: u64| (0..n).map(|i| format!("w{:x} ", seed * 1_000_003 + i * 7_919)).collect::<String>();
        let mut prints = Vec::new();
        let mut tonight: Vec<Vec<PrintRecord>> = vec![Vec::new(); 2];
        for i in 0..200u64 {
            printer.prints(
                &format!("{}{}{}", words(i, 20), &words(1_000 + i, 20)[..60], words(2_000 + i, 20)),
                &mut prints,
            );
            let text =
                |print: &crate::text::winnow::Print| PrintRecord { hash: print.hash, text: i as u32, at: print.at };
            tonight[(i % 2) as usize].extend(prints.iter().map(text));
        }
        tonight.iter_mut().for_each(|prints| prints.sort_unstable());
        let tonight: Vec<&[PrintRecord]> = tonight.iter().map(Vec::as_slice).collect();
        let shared: Vec<String> = (0..200).map(|i| words(1_000 + i, 20)[..60].to_owned()).collect();
        let with_slot = format!("{}{SLOT}{}", words(5_000, 9), shared[7]);
        let others: Vec<String> = (0..200).map(|i| words(9_000 + i, 20)).collect();
        let of = |runs: &[&str]| wake(&printer, &tonight, runs);
        let runs: Vec<&str> =
            shared.iter().chain(&others).map(String::as_str).chain([with_slot.as_str(), "short", ""]).collect();
        let expected: Vec<bool> = (0..runs.len()).map(|i| i < 200 || i == 400).collect();
        assert_eq!(of(&runs), expected);
        assert_eq!(wake(&printer, &[], &runs), vec![false; runs.len()]);
        assert_eq!(of(&[]), Vec::<bool>::new());
    }
}
