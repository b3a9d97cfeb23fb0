//! Where the words of the world come from: the project's own grammars or texts that the user gave.
//!
//! Both look alike from outside: interests, and in each interest texts by rank. The first ranks are the popular ones, which
//! come again and again; the others are asked once. A grammar's text is made when it is written out, from the stream that
//! belongs to its interest and rank, so a world of millions of prompts holds none of them. Weakness: given texts are held in
//! memory. Guarantee: an interest of given texts has at least [`FEWEST`] texts, as far as there are that many.

use super::draw::{chance, cumulate, pick, stream, weighted, zipf};
use super::grammar::{Grammar, tables};
use super::{GivenText, Texts};
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Groups with fewer texts are joined with their neighbours of the same kind: an interest of three texts would make
/// everybody who has it repeat them.
const FEWEST: usize = 40;
/// How many popular texts an interest has.
pub(super) const POPULAR: u32 = 200;
/// How text popularity falls with its rank (measured on open dialogue data: 0.85).
pub(super) const TEXT_ZIPF: f64 = 0.85;

/// The words of one world.
pub(super) struct Source<'a> {
    seed: u64,
    pub(super) grammar: Grammar,
    given: Option<Given<'a>>,
    weights: Vec<f64>,
}

struct Given<'a> {
    texts: &'a [GivenText],
    interests: Vec<Vec<u32>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(seed: u64, texts: &'a Texts) -> Self {
        let grammar = Grammar::new();
        match texts {
            Texts::Grammar => {
                let weights = cumulate(grammar.topics.iter().map(|topic| topic.weight));
                Self { seed, grammar, given: None, weights }
            }
            Texts::Given(texts) => {
                let (interests, weights) = interests(seed, texts);
                Self { seed, grammar, given: Some(Given { texts, interests }), weights: cumulate(weights) }
            }
        }
    }

    /// How many interests there are.
    pub(super) fn interests(&self) -> usize {
        self.weights.len()
    }

    /// An interest, by how common it is.
    pub(super) fn interest(&self, rng: &mut ChaCha8Rng) -> u32 {
        weighted(rng, &self.weights) as u32
    }

    /// How many texts an interest has; a grammar never ends.
    pub(super) fn size(&self, interest: u32) -> u32 {
        self.given.as_ref().map_or(u32::MAX, |given| given.interests[interest as usize].len() as u32)
    }

    /// The rank of a popular text.
    pub(super) fn popular(&self, interest: u32, rng: &mut ChaCha8Rng) -> u32 {
        zipf(rng, self.size(interest).min(POPULAR), TEXT_ZIPF)
    }

    /// The text of an interest at a rank.
    pub(super) fn text(&self, interest: u32, rank: u32) -> Cow<'_, str> {
        match &self.given {
            Some(given) => {
                let list = &given.interests[interest as usize];
                Cow::Borrowed(&given.texts[list[rank as usize % list.len()] as usize].text)
            }
            None => {
                let mut rng = stream(self.seed, "text", u64::from(interest), u64::from(rank));
                // What many people ask in the same words is short.
                Cow::Owned(self.grammar.prompt(interest as usize, rank < POPULAR, &mut rng))
            }
        }
    }

    /// The stock phrase at a rank.
    pub(super) fn stock(rank: u32) -> &'static str {
        let stock = &tables().small_talk.stock;
        stock[rank as usize % stock.len()]
    }

    /// What somebody says after an answer; given texts have none of their own, so `None` for them.
    pub(super) fn follow_up(&self, rank: u32) -> Option<String> {
        let mut rng = stream(self.seed, "follow-up", u64::from(rank), 0);
        self.given.is_none().then(|| {
            let frames = &tables().small_talk.follow_ups;
            let (one, two) = (pick(&mut rng, frames), pick(&mut rng, frames));
            let both = one != two && chance(&mut rng, 0.6);
            self.grammar.fill(&if both { format!("{one} {two}") } else { one.to_owned() }, &mut rng)
        })
    }

    /// A text that goes round or that a class is given.
    pub(super) fn shared(&self, frames: &[&str], number: u64) -> String {
        let mut rng = stream(self.seed, "shared", number, 0);
        match self.given {
            None => self.grammar.fill(pick(&mut rng, frames), &mut rng),
            Some(_) => self.whole(&mut rng, 60).into_owned(),
        }
    }

    /// A whole text of at least `least` characters, as far as a few draws find one.
    pub(super) fn whole(&self, rng: &mut ChaCha8Rng, least: usize) -> Cow<'_, str> {
        let mut best: Cow<'_, str> = Cow::Borrowed("");
        for _ in 0..40 {
            let interest = self.interest(rng);
            let rank = zipf(rng, self.size(interest).min(1 << 20), 0.2);
            let text = self.text(interest, rank);
            if text.chars().count() > best.chars().count() {
                best = text;
            }
            if best.chars().count() >= least {
                break;
            }
        }
        best
    }

    /// Whether the texts were given.
    pub(super) fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// What stands in an app's slot: material of the app's kind, or somebody's text.
    pub(super) fn input(&self, frame: &str, interest: u32, rank: u32) -> Cow<'_, str> {
        if self.is_given() {
            return self.text(interest, rank);
        }
        let mut rng = stream(self.seed, "input", u64::from(interest), u64::from(rank));
        if chance(&mut rng, 0.04) {
            return self.text(interest, rank);
        }
        Cow::Owned(self.grammar.fill(frame, &mut rng))
    }
}

/// Weight of a kind of text in a service's traffic; kinds that are not in the table get the last one.
const KINDS: &[(&str, f64)] = &[
    ("chat", 13.0),
    ("instruct", 12.0),
    ("query", 20.0),
    ("dialogue", 15.0),
    ("code", 15.0),
    ("template", 15.0),
    ("exam", 3.0),
    ("math", 3.0),
    ("long", 5.0),
];

/// The texts by interest, each in a seeded order, and how common each interest is. An interest is a group, or several small
/// groups of one kind; kinds weigh as in [`KINDS`], as far as there are texts.
fn interests(seed: u64, texts: &[GivenText]) -> (Vec<Vec<u32>>, Vec<f64>) {
    let mut groups: BTreeMap<(&str, &str), Vec<u32>> = BTreeMap::new();
    for (number, text) in (0..).zip(texts) {
        groups.entry((&text.kind, &text.group)).or_default().push(number);
    }
    let mut joined: Vec<(&str, Vec<u32>)> = Vec::new();
    for ((kind, _), members) in groups {
        match joined.last_mut() {
            Some((last, list)) if *last == kind && list.len() < FEWEST => list.extend(members),
            _ => joined.push((kind, members)),
        }
    }
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (kind, list) in &joined {
        *sizes.entry(kind).or_default() += list.len();
    }
    let weight = |kind: &str, size: usize| {
        let of_kind = KINDS.iter().find(|(name, _)| *name == kind).map_or(5.0, |(_, weight)| *weight);
        let own = size as f64 / sizes.get(kind).copied().unwrap_or(1) as f64;
        // Halfway (by the geometric mean) between the kinds' weights and what there is: a kind with few texts would
        // otherwise be asked through at once.
        libm::sqrt(of_kind * own * size as f64)
    };
    let weights = joined.iter().map(|(kind, list)| weight(kind, list.len())).collect();
    let mut lists: Vec<Vec<u32>> = joined.into_iter().map(|(_, list)| list).collect();
    for (number, list) in (0..).zip(&mut lists) {
        super::draw::shuffle(&mut stream(seed, "order", number, 0), list);
    }
    (lists, weights)
}
