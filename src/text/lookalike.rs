//! Letters of other scripts that are drawn like one ASCII letter, and the words in which they are taken for it.
//!
//! Written from the code charts of Unicode, letter by letter: only pairs that common fonts draw (nearly) alike, and only
//! one letter to one letter. It is not the skeleton of UTS #39, which turns m into rn and 1 into l and so merges honest
//! words. A letter is mapped only inside a word whose other letters are Latin: a word written wholly in Cyrillic or Greek is
//! never touched, and neither is one that holds a letter which no Latin reader would take for his own (`IPтв`).
//! Weakness: words written wholly in look-alikes (`сосо`), small capitals, and several letters posing as one stay as they
//! are. What was mapped is counted.

use super::limits::LATIN_FOR_FORMULA_LETTERS;
use super::normal::Item;
use unicode_normalization::char::is_combining_mark;

/// Letters beside the ASCII letters they are drawn like. Cyrillic, Armenian, Cherokee, Coptic, Lisu, Greek capitals and
/// omicron, and the script g of Latin.
const DRAWN_ALIKE: &[(&str, &str)] = &[
    ("АВЕЅІЈКМНОРСТУХѴԌԚԜҮӀ", "ABESIJKMHOPCTYXVGQWYI"),
    ("аеорсухѕіјһԁԛԝѵүӏкьҺ", "aeopcyxsijhdqwvylkbh"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧͿοϳ", "ABEZHIKMNOPTYXJoj"),
    ("ՕօՍսհոցՏԼյ", "OoUuhngSLj"),
    ("ᎠᎡᎢᎥᎩᎪᎫᎬᎳᎷᎻᎽᏀᏃᏔᏙᏚᏞᏟᏢᏦᏧᏴ", "DRTiyAJEWMHYGZWVSLCPKdB"),
    ("ⲂⲎⲒⲔⲘⲚⲞⲟⲢⲣⲤⲥⲦⲨⲬ", "BHIKMNOoPpCcTYX"),
    ("ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ", "BPDTGKJCZFMNLSRVHWXYAEIOU"),
    ("ɡ", "g"),
];

/// Greek letters that mathematics writes beside Latin ones; they count only in words with enough Latin letters.
const FORMULA_LETTERS: (&str, &str) = ("αικνρυ", "aikvpu");

/// What a letter is to a Latin reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    Latin,
    Alike(char),
    FormulaAlike(char),
    Other,
}

/// The tables as one sorted list, for binary search.
fn table() -> &'static [(char, char, bool)] {
    static TABLE: std::sync::OnceLock<Vec<(char, char, bool)>> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| {
        let pairs = |(from, to): (&'static str, &'static str), formula| {
            from.chars().zip(to.chars()).map(move |(from, to)| (from, to, formula))
        };
        let mut table: Vec<_> = DRAWN_ALIKE.iter().flat_map(|&row| pairs(row, false)).collect();
        table.extend(pairs(FORMULA_LETTERS, true));
        table.sort_unstable();
        table
    })
}

fn letter(c: char) -> Letter {
    if c.is_ascii() {
        return Letter::Latin;
    }
    // The tables end below U+A500 and start at U+0261; han and kana, the most frequent callers, are sorted out first.
    let in_table = matches!(c, '\u{261}'..='\u{587}' | '\u{13A0}'..='\u{13F5}' | '\u{2C80}'..='\u{2CFF}' | '\u{A4D0}'..='\u{A4F7}');
    if in_table && let Ok(at) = table().binary_search_by_key(&c, |row| row.0) {
        let (_, to, formula) = table()[at];
        return if formula { Letter::FormulaAlike(to) } else { Letter::Alike(to) };
    }
    let latin = matches!(c, '\u{AA}' | '\u{BA}' | '\u{C0}'..='\u{2B8}' | '\u{1D00}'..='\u{1D25}' | '\u{1D6B}'..='\u{1D77}'
        | '\u{1D79}'..='\u{1D9A}' | '\u{1E00}'..='\u{1EFF}' | '\u{2C60}'..='\u{2C7F}' | '\u{A722}'..='\u{A7FF}' | '\u{AB30}'..='\u{AB64}');
    if latin { Letter::Latin } else { Letter::Other }
}

/// Maps look-alikes in place and returns how many were mapped.
///
/// A word is a run of letters; marks and digits inside it are neutral, so that `pаssw0rd` stays one word.
pub(super) fn map_words(items: &mut [Item]) -> u32 {
    let in_word = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let mut mapped = 0;
    let mut at = 0;
    while at < items.len() {
        if !in_word(items[at].c) {
            at += 1;
            continue;
        }
        let length = items[at..].iter().take_while(|item| in_word(item.c)).count();
        mapped += map_word(&mut items[at..at + length]);
        at += length;
    }
    mapped
}

fn map_word(word: &mut [Item]) -> u32 {
    let (mut n_latin, mut n_alike, mut n_formula) = (0, 0, 0);
    for item in word.iter().filter(|item| item.c.is_alphabetic() && !is_combining_mark(item.c)) {
        match letter(item.c) {
            Letter::Latin => n_latin += 1,
            Letter::Alike(_) => n_alike += 1,
            Letter::FormulaAlike(_) => n_formula += 1,
            Letter::Other => return 0,
        }
    }
    // A formula letter in a word too short for it is a letter of another script, and the word is left alone.
    let wanted = if n_formula > 0 { LATIN_FOR_FORMULA_LETTERS } else { 1 };
    if n_alike + n_formula == 0 || n_latin < wanted {
        return 0;
    }
    for item in word {
        if let Letter::Alike(to) | Letter::FormulaAlike(to) = letter(item.c) {
            item.c = to;
        }
    }
    n_alike + n_formula
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_pair_up_and_name_no_letter_twice() {
        for (from, to) in DRAWN_ALIKE.iter().chain([&FORMULA_LETTERS]) {
            assert_eq!(from.chars().count(), to.chars().count(), "{from}");
            assert!(to.chars().all(|c| c.is_ascii_alphabetic()) && from.chars().all(|c| !c.is_ascii()));
            assert!(from.chars().all(|c| letter(c) != Letter::Latin && letter(c) != Letter::Other), "{from}");
        }
        assert!(table().windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
