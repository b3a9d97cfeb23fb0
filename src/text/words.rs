//! Words of folded text: how many, whether a text is too little to mean anything, and whether two texts share a run of them.
//!
//! A word is a run of letters, digits, underscores and marks. Chinese, Japanese and Korean characters are a word each; the
//! scripts of South-East Asia write no blanks between words, and four of their characters count as one. Weakness: these are
//! rules of thumb, not a dictionary, and a formula or a line of code is counted by them too.

use super::limits::{RUN_CHARS, TRIVIAL_CHARS, TRIVIAL_CJK_CHARS, TRIVIAL_SCAN, TRIVIAL_WORDS};
use std::collections::HashSet;
use unicode_normalization::char::is_combining_mark;

/// How a character takes part in words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Part of a word between blanks.
    Letter,
    /// Chinese, or Japanese kana: a word of its own.
    Cjk,
    /// A Korean syllable: a word of its own, but not Chinese or Japanese.
    Hangul,
    /// A character of a script without blanks between words: a quarter of a word.
    Unspaced,
    /// Blank, punctuation, sign.
    Between,
}

fn kind(c: char) -> Kind {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => Kind::Letter,
        _ if c.is_ascii() => Kind::Between,
        '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{3134F}' => Kind::Cjk,
        '\u{AC00}'..='\u{D7AF}' => Kind::Hangul,
        '\u{E01}'..='\u{E4E}' | '\u{E81}'..='\u{ECD}' | '\u{1000}'..='\u{103F}' | '\u{1780}'..='\u{17D3}' => {
            Kind::Unspaced
        }
        _ if c.is_alphanumeric() || is_combining_mark(c) => Kind::Letter,
        _ => Kind::Between,
    }
}

/// Whether a character is Chinese, Japanese or Korean: about a word of its own.
pub(super) fn is_ideograph(c: char) -> bool {
    matches!(kind(c), Kind::Cjk | Kind::Hangul)
}

/// Characters of a script without blanks that count as one word.
const UNSPACED_PER_WORD: usize = 4;

/// Counts that [`is_trivial`] and [`n_words`] read off as they go.
#[derive(Default)]
struct Count {
    chars: usize,
    blanks: usize,
    cjk: usize,
    unspaced: usize,
    whole: usize,
    in_word: bool,
}

impl Count {
    fn add(&mut self, c: char) {
        let kind = kind(c);
        self.chars += 1;
        self.blanks += usize::from(c == ' ');
        self.cjk += usize::from(kind == Kind::Cjk);
        self.unspaced += usize::from(kind == Kind::Unspaced);
        let starts = kind == Kind::Letter && !self.in_word;
        self.whole += usize::from(starts || matches!(kind, Kind::Cjk | Kind::Hangul));
        self.in_word = kind == Kind::Letter;
    }

    fn words(&self) -> usize {
        self.whole + self.unspaced.div_ceil(UNSPACED_PER_WORD)
    }
}

/// How many words `folded` has.
///
/// # Example
/// ```
/// use stillhunt::text::n_words;
/// assert_eq!((n_words("what is 2+2, my friend?"), n_words("写一首诗")), (6, 4));
/// ```
#[must_use]
pub fn n_words(folded: &str) -> usize {
    let mut count = Count::default();
    folded.chars().for_each(|c| count.add(c));
    count.words()
}

/// Whether `folded` is too little for its likeness to another text to mean anything: under 24 characters or 5 words, or, when
/// more than half of it is Chinese or Japanese, under 10 characters. Reads no more than 4,096 characters.
#[must_use]
pub fn is_trivial(folded: &str) -> bool {
    let mut count = Count::default();
    for c in folded.chars().take(TRIVIAL_SCAN) {
        count.add(c);
        // Enough by the stricter rule is enough by the other one too.
        if count.chars >= TRIVIAL_CHARS && count.words() >= TRIVIAL_WORDS {
            return false;
        }
    }
    if count.chars == TRIVIAL_SCAN {
        return false;
    }
    let seen = count.chars - count.blanks;
    if 2 * count.cjk > seen { seen < TRIVIAL_CJK_CHARS } else { true }
}

/// A word or a character, and how much of a run it is: a word 4, a Chinese, Japanese or Korean character 2, else 1.
struct Unit {
    hash: u64,
    weight: usize,
}

const WORD_WEIGHT: usize = 4;

/// Whether two folded texts share a run of `n_words` consecutive words, or of twice as many Chinese, Japanese or Korean
/// characters. Punctuation between words does not matter. Linear; reads 32,768 characters of each.
///
/// # Example
/// ```
/// use stillhunt::text::shares_run;
/// assert!(shares_run("so: write me a short poem now", "please write me a short, poem", 5));
/// assert!(!shares_run("write me a short poem", "write me a long poem", 4));
/// ```
#[must_use]
pub fn shares_run(a: &str, b: &str, n_words: usize) -> bool {
    n_words == 0 || run_share(a, b, n_words) > 0.0
}

/// The share of the distinct runs of `n_words` words (as [`shares_run`] counts them) of the text with fewer of them that the other has
/// too, in [0, 1]; 0 where one has none.
///
/// # Example
/// ```
/// use stillhunt::text::run_share;
/// assert_eq!(run_share("one two three four", "zero, one two three, or three two one?", 3), 0.5);
/// ```
#[must_use]
pub fn run_share(a: &str, b: &str, n_words: usize) -> f64 {
    let distinct = |text: &str| -> HashSet<u64> { runs(&units(text), n_words).into_iter().collect() };
    let (of_a, of_b) = (distinct(a), distinct(b));
    let n = of_a.len().min(of_b.len());
    if n == 0 { 0.0 } else { of_a.intersection(&of_b).count() as f64 / n as f64 }
}

fn units(folded: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut in_word = false;
    for c in folded.chars().take(RUN_CHARS) {
        let kind = kind(c);
        let weight = match kind {
            Kind::Letter => WORD_WEIGHT,
            Kind::Cjk | Kind::Hangul => 2,
            Kind::Unspaced => 1,
            Kind::Between => 0,
        };
        match units.last_mut() {
            Some(word) if kind == Kind::Letter && in_word => word.hash = mix(word.hash ^ u64::from(c)),
            _ if weight > 0 => units.push(Unit { hash: mix(u64::from(c)), weight }),
            _ => {}
        }
        in_word = kind == Kind::Letter;
    }
    units
}

/// Scatters the bits of a number over 64 (the finaliser of splitmix64).
pub(super) const fn mix(mut x: u64) -> u64 {
    x = (x.wrapping_add(0x9E37_79B9_7F4A_7C15) ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The prime 2⁶¹ − 1, in whose field runs are hashed.
const PRIME: u128 = (1 << 61) - 1;

/// One hash for the shortest run of full weight from every unit. Runs that are equal from their first unit on have equal
/// shortest runs, so two texts share a run if and only if they share one of these (up to a collision, 2⁻⁶¹ a pair).
fn runs(units: &[Unit], n_words: usize) -> Vec<u64> {
    const BASE: u128 = 0x0123_4567_89AB_CDEF;
    let full = WORD_WEIGHT.saturating_mul(n_words);
    // The sum over a window of hash·base^(end − i), kept from window to window.
    let mut powers = vec![1_u128];
    let (mut sum, mut weight, mut end) = (0_u128, 0_usize, 0);
    let mut out = Vec::new();
    for start in 0..units.len() {
        while weight < full && end < units.len() {
            sum = (sum * BASE + u128::from(units[end].hash)) % PRIME;
            weight += units[end].weight;
            end += 1;
            powers.push(powers[end - 1] * BASE % PRIME);
        }
        if weight < full {
            break;
        }
        out.push(sum as u64);
        let leaving = u128::from(units[start].hash) % PRIME * powers[end - start - 1] % PRIME;
        sum = (sum + PRIME - leaving) % PRIME;
        weight -= units[start].weight;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_counted_in_every_script() {
        for (text, expected) in [
            ("", 0),
            ("  ", 0),
            ("don't stop", 3),
            ("foo_bar(baz)", 2),
            ("写一首诗", 4),
            ("한국어 말", 4),
            ("कृपया एक कहानी लिखें", 4),
            ("напиши рассказ", 2),
            ("สวัสดีชาวโลก", 3),
            ("اكتب قصة قصيرة", 3),
        ] {
            assert_eq!(n_words(text), expected, "{text}");
        }
    }

    #[test]
    fn trivial_is_what_says_nothing() {
        for text in [
            "",
            "thanks",
            "yes, go on",
            "ok ok ok ok ok ok",
            "supercalifragilisticexpialidocious!",
            "今天天气怎么样",
            "continue please, thank you",
        ] {
            assert!(is_trivial(text), "{text}");
        }
        let blob = "a".repeat(limits_scan() + 1);
        for text in [
            "write a poem about autumn leaves",
            "写一首关于春天的诗歌吧",
            "機械学習を説明してください",
            "อธิบายการเรียนรู้ของเครื่องให้ฟังหน่อย",
            &blob,
        ] {
            assert!(!is_trivial(text), "{text}");
        }
    }

    fn limits_scan() -> usize {
        TRIVIAL_SCAN
    }

    #[test]
    fn runs_of_words_and_of_characters() {
        assert!(shares_run("x 请用简体字解释什么是机器学习 y", "请用简体字解释什么是春天", 5));
        assert!(!shares_run("请用简体字解释什么", "请用繁体字解释什么", 5));
        assert!(!shares_run("a b c d", "a b c d", 5) && !shares_run("", "", 1) && shares_run("", "", 0));
        assert!(!shares_run("ab c", "a bc", 1));
        assert!(!shares_run("a b c", "a b c", usize::MAX));
    }

    proptest! {
        /// The plain twin compares every run of every length from every place.
        #[test]
        fn equals_the_plain_search(a in "[ab中文 ]{0,40}", b in "[ab中文 ]{0,40}", n in 1_usize..5) {
            let (of_a, of_b) = (units(&a), units(&b));
            let shared = (0..of_a.len()).any(|i| (0..of_b.len()).any(|j| {
                let same = of_a[i..].iter().zip(&of_b[j..]).take_while(|(x, y)| x.hash == y.hash && x.weight == y.weight);
                same.map(|(x, _)| x.weight).sum::<usize>() >= WORD_WEIGHT * n
            }));
            prop_assert_eq!(shares_run(&a, &b, n), shared);
        }
    }
}
