//! How much unrelated texts share by chance, and what an edit leaves, for grams of several lengths: what `text::gram_units` was chosen on.
//!
//! Pages and chapters of the development half, cut to a length; plain sets of characters, no fast path of the library.

use crate::documents::{cut, pages};
use rayon::prelude::*;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use stillhunt::simulate::Edit;
use stillhunt::text::fold;

const GRAMS: [usize; 8] = [4, 5, 6, 8, 10, 12, 14, 16];
/// Documents of a length: all pairs of them are compared.
const DOCUMENTS: usize = 120;

/// Shares of unrelated pairs and of copies with typos in every fifth word.
pub(crate) fn report(dir: &Path) -> String {
    let mut chosen: Vec<_> = pages(dir).into_iter().filter(|page| page.dev()).collect();
    chosen.sort_by_key(crate::documents::Document::order);
    let mut out = String::from(
        "## Grams of several lengths\n\nUnrelated pages and chapters of the development half: share of the grams of the one with fewer that the other has too, median and 99.9% of the pairs; and the median of a copy with typos in a fifth of the longer words.\n\n",
    );
    let _ = writeln!(
        out,
        "| characters | {} |\n|---|{}",
        GRAMS.map(|k| format!("{k}")).join(" | "),
        "---|".repeat(GRAMS.len())
    );
    for n in [200, 1_000, 4_000, 16_000, 64_000] {
        let long = chosen.iter().filter(|page| page.text.chars().count() >= n).take(DOCUMENTS);
        let texts: Vec<&str> = long.map(|page| cut(&page.text, n)).collect();
        let _ = write!(out, "| {n} |");
        for k in GRAMS {
            let sets: Vec<HashSet<Vec<char>>> = texts.par_iter().map(|text| grams(text, k)).collect();
            let share = |a: &HashSet<Vec<char>>, b: &HashSet<Vec<char>>| {
                let shared = a.iter().filter(|gram| b.contains(*gram)).count();
                shared as f64 / a.len().min(b.len()).max(1) as f64
            };
            let mut shares: Vec<f64> = (0..sets.len())
                .into_par_iter()
                .flat_map_iter(|i| (0..i).map(|j| share(&sets[i], &sets[j])).collect::<Vec<_>>())
                .collect();
            let mut copies: Vec<f64> = (0..sets.len().min(40))
                .into_par_iter()
                .filter_map(|i| Some(share(&sets[i], &grams(&Edit::Typo.apply(texts[i], 1.0, "", i as u64)?, k))))
                .collect();
            let mut at = |q: f64| {
                shares.sort_by(f64::total_cmp);
                shares[((shares.len() - 1) as f64 * q) as usize]
            };
            let (median, high) = (at(0.5), at(0.999));
            copies.sort_by(f64::total_cmp);
            let _ =
                write!(out, " {median:.2}, {high:.2}; {:.2} |", copies.get(copies.len() / 2).copied().unwrap_or(0.0));
        }
        out.push('\n');
    }
    out
}

fn grams(text: &str, k: usize) -> HashSet<Vec<char>> {
    let chars: Vec<char> = fold(text).text.chars().collect();
    chars.windows(k).map(<[char]>::to_vec).collect()
}
