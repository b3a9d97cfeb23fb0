//! One prompt with a fragment in it: a short fixed text, edited or not, among organic texts.
//!
//! Organic texts are joined with blank lines (as turns before a request, or templates in front of one, would be) until the
//! fragment has the asked share of the whole; the last of them is cut at a word boundary. The fragment then goes to the
//! start, into the middle (between two of the texts, or into one of them between two words) or to the end, drawn for each
//! prompt. Edits change the fragment alone, but for base64, which encodes the whole prompt. Weakness: the joined texts have
//! nothing to do with each other, and `translation` is a stand-in (see [`FragmentEdit::Translation`]). Guarantees: without
//! edits the fragment stands in the text verbatim; an edit that could not act is not reported; the same arguments give the
//! same bytes.

use super::draw::{below, between, chance, shuffle, stream};
use super::edits::{self, Edit, pieces, wide};
use super::grammar::tables;
use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::borrow::Cow;

/// Smallest and largest share of a prompt that its fragment may have.
pub(super) const SHARES: (f64, f64) = (0.02, 0.9);
/// How far from where a text should be cut a word boundary may lie, in characters.
const NEAR: usize = 12;
/// A text without spaces from this many characters on may be cut between any two of them.
const UNSPACED: usize = 24;

/// What is done to the fragment of one prompt. Several are done in the order of [`FragmentEdit::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FragmentEdit {
    /// Another language in place of the fragment's, drawn from seven. A stand-in: only the published wording and one
    /// built-in instruction have translations. Any other fragment becomes some of these whole, chosen by its text, so that
    /// its campaign keeps to the same few instructions, which say something else and are not of the fragment's length.
    Translation,
    /// Its sentences in another order, or the clauses where it has one sentence only.
    Shuffle,
    /// One word in eight, and at least one, replaced by another word.
    Word8,
    /// Words replaced by synonyms.
    Synonyms,
    /// Letters swapped, dropped, doubled or replaced in about one word of five.
    Typos,
    /// Case flipped and white space changed.
    Case,
    /// Three letters in ten replaced by Cyrillic look-alikes, and invisible characters put in.
    Homoglyphs,
    /// Cut in two at a word boundary; the halves go to two of the three places.
    Split,
    /// The whole prompt in base64.
    Base64,
}

impl FragmentEdit {
    /// Every edit, in the order in which several are done.
    pub const ALL: [Self; 9] = [
        Self::Translation,
        Self::Shuffle,
        Self::Word8,
        Self::Synonyms,
        Self::Typos,
        Self::Case,
        Self::Homoglyphs,
        Self::Split,
        Self::Base64,
    ];

    /// The word used on the command line and in the truth file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Translation => "translation",
            Self::Shuffle => "shuffle",
            Self::Word8 => "word8",
            Self::Synonyms => "synonyms",
            Self::Typos => "typos",
            Self::Case => "case",
            Self::Homoglyphs => "homoglyphs",
            Self::Split => "split",
            Self::Base64 => "base64",
        }
    }

    /// Reads names that commas separate; `none` alone, or nothing, is the empty list.
    /// # Errors
    /// `Config` when a name is unknown or comes twice, and when `none` is among others.
    pub fn list(names: &str) -> Result<Vec<Self>> {
        let mut edits = Vec::new();
        if ["", "none"].contains(&names.trim()) {
            return Ok(edits);
        }
        for name in names.split(',') {
            let edit: Self = name.trim().parse()?;
            if edits.contains(&edit) {
                let message = format!("expected each fragment edit once, got {} twice", edit.word());
                return Err(Error::new(ErrorKind::Config, message));
            }
            edits.push(edit);
        }
        Ok(edits)
    }

    /// `text` with this edit, or `None` where it does not change it; `None` for the two that need the prompt around it.
    fn apply(self, text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
        let as_of = |kind: Edit, rng: &mut ChaCha8Rng| edits::apply(kind, text, 1.0, "", rng);
        match self {
            Self::Translation => Some(translation(text, rng)),
            Self::Shuffle => as_of(Edit::Reorder, rng),
            Self::Word8 => word8(text, rng),
            Self::Synonyms => as_of(Edit::Synonym, rng),
            Self::Typos => as_of(Edit::Typo, rng),
            Self::Case => as_of(Edit::CaseSpace, rng),
            Self::Homoglyphs => as_of(Edit::Homoglyph, rng),
            Self::Split | Self::Base64 => None,
        }
    }
}

impl std::str::FromStr for FragmentEdit {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|edit| edit.word() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::word).join(", ");
            Error::new(ErrorKind::Config, format!("expected fragment edits among {known}, or none alone, got {name:?}"))
        })
    }
}

/// Where in the prompt a fragment stands; of one that was cut in two, where its first half does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Before every organic text.
    Start,
    /// Between two organic texts, or between two words of one.
    Middle,
    /// Behind every organic text.
    End,
}

/// A prompt with a fragment in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// The prompt.
    pub text: String,
    /// Where the fragment is.
    pub place: Place,
    /// The edits that did change it, in the order in which they were done.
    pub edits: Vec<FragmentEdit>,
}

impl Planted {
    /// What the truth file says of it: `fragment`, and each edit behind a `+`.
    pub(super) fn edit(&self) -> String {
        self.edits.iter().fold("fragment".to_owned(), |words, edit| words + "+" + edit.word())
    }
}

/// Puts `fragment` among `organic` texts, so that it has `share` of the prompt's characters.
///
/// * `organic`: taken in their order, and from the first again where they do not suffice; blank ones are left out. Without
///   any the prompt is the fragment alone.
/// * `share`: 0.02 to 0.9; what lies outside is taken as the nearer bound. The share counts the edited fragment, before base64,
///   and is met within a word or so: within 30% for fragments of 20 characters and more.
/// * `edits`: done in the order of [`FragmentEdit::ALL`], however they are given.
///
/// # Example
/// ```
/// use stillhunt::simulate::{FragmentEdit, fragment_text, with_fragment};
/// let fragment = fragment_text(0, 80, 7);
/// let organic = ["How do I descale a kettle without vinegar?", "Plan three dinners for two people. No mushrooms."];
/// let planted = with_fragment(&fragment, &organic, 0.25, &[], 1);
/// assert!(planted.text.contains(&fragment));
/// let share = fragment.chars().count() as f64 / planted.text.chars().count() as f64;
/// assert!((0.2..0.3).contains(&share));
/// let edited = with_fragment(&fragment, &organic, 0.25, &[FragmentEdit::Word8], 1);
/// assert!(!edited.text.contains(&fragment));
/// assert_eq!(edited.edits, [FragmentEdit::Word8]);
/// ```
#[must_use]
pub fn with_fragment(fragment: &str, organic: &[&str], share: f64, edits: &[FragmentEdit], seed: u64) -> Planted {
    let texts: Vec<&str> = organic.iter().copied().filter(|text| !text.trim().is_empty()).collect();
    let mut texts = texts.iter().cycle();
    let mut next = || texts.next().map(|text| Cow::Borrowed(*text));
    plant(fragment, &mut next, share, edits, &mut stream(seed, "with fragment", 0, 0))
}

/// [`with_fragment`] with the organic texts drawn one by one; `organic` ends with `None`.
pub(super) fn plant<'t>(
    fragment: &str,
    organic: &mut dyn FnMut() -> Option<Cow<'t, str>>,
    share: f64,
    edits: &[FragmentEdit],
    rng: &mut ChaCha8Rng,
) -> Planted {
    let mut done = Vec::new();
    let mut text = fragment.to_owned();
    for edit in FragmentEdit::ALL.into_iter().filter(|edit| edits.contains(edit)) {
        if let Some(changed) = edit.apply(&text, rng) {
            text = changed;
            done.push(edit);
        }
    }
    let around = Around::new(&text, organic, share, rng);
    let wanted = |edit| edits.contains(&edit);
    let halves = if wanted(FragmentEdit::Split) && !around.whole.is_empty() { halves(&text) } else { None };
    if halves.is_some() {
        done.push(FragmentEdit::Split);
    }
    let (mut text, place) = around.place(&text, halves, rng);
    if wanted(FragmentEdit::Base64) && !text.is_empty() {
        done.push(FragmentEdit::Base64);
        text = base64::engine::general_purpose::STANDARD.encode(&text);
    }
    Planted { text, place, edits: done }
}

/// The organic part of a prompt.
struct Around {
    whole: String,
    /// The same, parted where a fragment may stand in the middle, with what keeps it apart.
    parted: Option<(String, String)>,
}

impl Around {
    fn new<'t>(
        fragment: &str,
        organic: &mut dyn FnMut() -> Option<Cow<'t, str>>,
        share: f64,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let length = fragment.chars().count();
        // What is not a number is taken as the smallest.
        let share = if share >= SHARES.0 { share.min(SHARES.1) } else { SHARES.0 };
        // Two characters keep the fragment apart from the rest.
        let wanted = ((length as f64 * (1.0 / share - 1.0)).round() as usize).saturating_sub(2);
        let slack = (wanted / 8).min(NEAR);
        let mut texts: Vec<String> = Vec::new();
        let mut have = 0;
        while have < wanted {
            let Some(text) = organic() else { break };
            let text = text.trim();
            let room = wanted - have;
            let n = text.chars().take(room + 1).count();
            let text = if n > room { &text[..cut(text, room, slack)] } else { text };
            if !text.is_empty() {
                texts.push(text.trim_end().to_owned());
                have += n.min(room) + 2;
            }
        }
        let parted = part(&texts, rng);
        Self { whole: texts.join("\n\n"), parted }
    }

    /// The prompt, and where the fragment (or its first half) is in it.
    fn place(self, fragment: &str, halves: Option<(&str, &str)>, rng: &mut ChaCha8Rng) -> (String, Place) {
        let Self { whole, parted } = self;
        if whole.is_empty() {
            return (fragment.to_owned(), Place::Start);
        }
        let gap = if chance(rng, 0.7) { "\n\n" } else { " " };
        let third = below(rng, 3);
        match (halves, parted, third) {
            (None, Some((before, after)), 1) => (before + fragment + &after, Place::Middle),
            (None, _, 2) => (whole + gap + fragment, Place::End),
            (None, Some(_), _) => (fragment.to_owned() + gap + &whole, Place::Start),
            (None, None, third) => {
                // No middle: its turns go to the two others.
                let end = third == 1 && chance(rng, 0.5);
                let text = if end { whole + gap + fragment } else { fragment.to_owned() + gap + &whole };
                (text, if end { Place::End } else { Place::Start })
            }
            (Some((one, two)), Some((before, after)), 0) => {
                (one.to_owned() + gap + &before + two + &after, Place::Start)
            }
            (Some((one, two)), Some((before, after)), 1) => (before + one + &after + gap + two, Place::Middle),
            (Some((one, two)), ..) => (one.to_owned() + gap + &whole + gap + two, Place::Start),
        }
    }
}

/// The joined texts in two parts, between two texts or between two words of one, as far as there is such a place.
fn part(texts: &[String], rng: &mut ChaCha8Rng) -> Option<(String, String)> {
    let parted = |at: usize| (texts[..at].join("\n\n") + "\n\n", "\n\n".to_owned() + &texts[at..].join("\n\n"));
    if texts.len() > 1 && chance(rng, 0.5) {
        return Some(parted(1 + below(rng, texts.len() - 1)));
    }
    let at = (!texts.is_empty()).then(|| below(rng, texts.len()))?;
    let text = &texts[at];
    let target = (text.chars().count() as f64 * between(rng, 0.2, 0.8)) as usize;
    let Some(cut) = inner(text, target) else {
        // One word: between texts, where there are several.
        let at = (texts.len() > 1).then_some(at.max(1))?;
        return Some(parted(at));
    };
    let mut before: String = texts[..at].iter().flat_map(|text| [text, "\n\n"]).collect();
    before += &text[..cut];
    before += " ";
    let spaced = text[cut..].starts_with(char::is_whitespace);
    let mut after = if spaced { String::new() } else { " ".to_owned() };
    after += &text[cut..];
    for text in &texts[at + 1..] {
        after += "\n\n";
        after += text;
    }
    Some((before, after))
}

/// Where to cut `text` so that about `target` characters lie before: at the nearest white space (which then begins what lies
/// behind) that is at most `slack` characters away, else at the character.
pub(super) fn cut(text: &str, target: usize, slack: usize) -> usize {
    let mut exact = text.len();
    let mut best: Option<(usize, usize)> = None;
    let mut inside = false;
    for (n, (at, c)) in text.char_indices().enumerate() {
        if n == target {
            exact = at;
        }
        if n > target + slack {
            break;
        }
        if c.is_whitespace() && inside && best.is_none_or(|(off, _)| n.abs_diff(target) < off) {
            best = Some((n.abs_diff(target), at));
        }
        inside = !c.is_whitespace();
    }
    // The end of the text is a boundary as well.
    let n = text.chars().take(target + slack + 1).count();
    if n <= target + slack && best.is_none_or(|(off, _)| n.abs_diff(target) < off) {
        best = Some((n.abs_diff(target), text.len()));
    }
    best.filter(|(off, _)| *off <= slack).map_or(exact, |(_, at)| at)
}

/// The word boundary inside of a trimmed text that is nearest to its character `target`; where nothing parts words, the
/// character itself. `None` for a single word.
fn inner(text: &str, target: usize) -> Option<usize> {
    let spaces = text.char_indices().enumerate().filter(|(_, (_, c))| c.is_whitespace());
    let nearest = spaces.min_by_key(|(n, _)| n.abs_diff(target)).map(|(_, (at, _))| at);
    let unspaced = || wide(text) || text.chars().count() >= UNSPACED;
    nearest.or_else(|| text.char_indices().nth(target.max(1)).map(|(at, _)| at).filter(|_| unspaced()))
}

/// The two halves of a text, cut at the word boundary nearest to its middle.
fn halves(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let (one, two) = text.split_at(inner(text, text.chars().count() / 2)?);
    Some((one.trim_end(), two.trim_start()))
}

fn word8(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    if wide(text) {
        let mut letters: Vec<char> = text.chars().collect();
        let mut at: Vec<usize> = (0..letters.len()).filter(|&at| letters[at].is_alphabetic()).collect();
        shuffle(rng, &mut at);
        at.truncate((at.len() / 8).max(1));
        at.iter().for_each(|&at| letters[at] = other(rng, &tables().edits.slot_han, letters[at]));
        return Some(letters.into_iter().collect());
    }
    let mut words = pieces(text);
    let mut at: Vec<usize> = (0..words.len()).filter(|&at| words[at].chars().all(char::is_alphabetic)).collect();
    shuffle(rng, &mut at);
    at.truncate((at.len() / 8).max(1));
    at.iter().for_each(|&at| words[at] = other(rng, &tables().edits.slot_words, words[at]));
    (!at.is_empty()).then(|| words.concat())
}

/// One of `list` that is not `word`.
fn other<T: Copy + PartialEq>(rng: &mut ChaCha8Rng, list: &[T], word: T) -> T {
    let at = below(rng, list.len());
    if list[at] == word { list[(at + 1) % list.len()] } else { list[at] }
}

/// Instructions in a language drawn from seven: those whose English is in `text`, then others in an order that belongs to
/// `text`, until their English is as long as `text` is.
fn translation(text: &str, rng: &mut ChaCha8Rng) -> String {
    let language = below(rng, 7);
    let table = &tables().fragments.translations;
    let known = |english: &str| text.contains(&english[..cut(english, 24, 24)]);
    let mut order: Vec<usize> = (0..table.len()).collect();
    let digest = crate::ids::Digest::of(text.as_bytes()).short();
    shuffle(&mut stream(digest as u64, "translation", 0, 0), &mut order);
    order.sort_by_key(|&row| {
        let english = table[row].english;
        text.find(english).map_or((!known(english), 0), |at| (false, at))
    });
    let wanted = text.chars().count();
    let mut english = 0;
    let mut out: Vec<&str> = Vec::new();
    for row in order {
        if !out.is_empty() && english >= wanted {
            break;
        }
        // A space between two sentences is part of the length.
        english += table[row].english.chars().count() + 1;
        out.push(table[row].others[language]);
    }
    out.join(" ")
}

#[cfg(test)]
mod tests;
