//! `kgw`, dialect `lm-watermarking`: the green lists of the authors' own repository, with all its ways to seed a list.
//!
//! # Algorithm
//! The list of a seed is the first ⌊V · `gamma`⌋ entries of torch's `randperm(V)` (the last ones where `select_green_tokens` is false, as in the
//! first release). h(x) = T\[x mod 1000003\] + 1, T a permutation seeded with 2971215073 on the CPU, always. Of the last `width` tokens x, with
//! key k (wrapping signed 64 bits inside a tensor, unbounded integers outside):
//!
//! | name | seed |
//! |---|---|
//! | `additive_prf`, `multiplicative_prf`, `minfunc_prf` | k · Σx, k · Πx, k · min x |
//! | `simple_skip_prf` | Π h(k x) of every second x |
//! | `skipgram_prf`, `anchored_skipgram_prf` | h(k x₀), and times h(k x_last) |
//! | `minhash_prf`, `anchored_minhash_prf` | min h(k x), min k h(x) h(x_last) |
//! | `minskipgram_prf` | min over pairs of h(k a) h(k b) |
//! | `noncomm_prf` | s ← s h(s x) mod 2³² over x, from s = k |
//! | `position_prf` | Σ k x_i (i + 1) |
//!
//! `simple_1` = `lefthash` = additive over 1; `selfhash` = `algorithm-3` = anchored_minhash over 4 with self-salt; `minhash` = minhash over 4;
//! `skipgram` = skipgram over 5; or `ff-PRF-WIDTH-SELFSALT[-KEY]`, SELFSALT `True` or `False`. With self-salt the scored token is the last x, and
//! planting raises those of the likeliest tokens that are on their own lists: the first 41 (`tail_rule` `fixed_compute`), or all until a
//! score is more than `delta` below the best (`fixed_score`), or until ten are found (`fixed_list_length`).
//!
//! Source: lm-watermarking fb602de, `extended_watermark_processor.py`, `alternative_prf_schemes.py`; Kirchenbauer et al. 2023, 2024. Compared
//! on the CPU (`tests/golden/kgw_*.json`, `plant.json`).
//!
//! # Wrong on purpose
//! As the reference: products wrap, only 32 bits of a seed matter on the CPU, V is the length of the tokenizer, short hashes collide (`minhash`
//! has at most 10⁶ lists), and `selfhash` here is not that of transformers, whose table depends on the key. Other than the reference, text that is
//! too short is left unmarked, where that raises an error.
//!
//! # Null
//! Given text that does not depend on the key, each seed's list is a uniform choice of its size. Exact, each (seed, token) counted once. Assumes
//! that a seeded Mersenne Twister is as good as random to the text.
//!
//! # What a negative does not show
//! That another way of seeding, key, ratio, vocabulary or device was not used. Paraphrase, dilution and low entropy weaken it.
//!
//! # When not to use it
//! For new deployments: see the dialect `transformers`; the native `green-list` has neither fault.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::green::Lists;
use super::kgw_transformers::{Biased, likeliest, opened, products_collide, profile, reduced};
use super::profile::NAMES;
use super::sample::{Sampling, check_logits, warp};
use super::torch::{TABLE, fixed_table};
use super::{Marked, Null, Once, Scheme, Shape, SoFar, Traits, Unit, Value, Windows, published};
use crate::error::{Error, ErrorKind, Result};
use std::sync::LazyLock;

static HASH: LazyLock<Vec<u32>> = LazyLock::new(|| fixed_table(2_971_215_073));

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "kgw",
    dialect: "lm-watermarking",
    source: "Kirchenbauer et al. 2023, 2024; lm-watermarking fb602de, extended processor",
    fields: &[
        Field {
            name: "seeding_scheme",
            default: Some("simple_1"),
            about: "simple_1, lefthash, selfhash, algorithm-3, minhash, skipgram, or ff-PRF-WIDTH-SELFSALT[-KEY]",
        },
        Field {
            name: "hash_key",
            default: None,
            about: "the key, a whole number from -2^63 to 2^63 - 1, unless seeding_scheme has it",
        },
        Field { name: "gamma", default: Some("0.5"), about: "share of green tokens, 0.001 to 0.999" },
        Field { name: "delta", default: Some("2.0"), about: "added to the logits of green tokens, -100 to 100" },
        Field { name: "vocab_size", default: None, about: "length of the tokenizer's vocabulary" },
        Field {
            name: "select_green_tokens",
            default: Some("true"),
            about: "false: the list is the end of the permutation, as in the first release",
        },
        Field {
            name: "tail_rule",
            default: Some("fixed_compute"),
            about: "where planting with self-salt stops: fixed_compute, fixed_score or fixed_list_length",
        },
        Field { name: "profile", default: Some("cpu"), about: NAMES },
    ],
    secret: &[("hash_key", Secret::Int(38)), ("seeding_scheme", Secret::LastPart)],
    planted_by: "lm-watermarking's logits processor under transformers' generate",
    faults: "the vocabulary is the tokenizer's, not the logits'; lists depend on the device; its selfhash is not \
        that of transformers, although the name is the same",
    open,
};

/// What makes a seed of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prf {
    /// Product with the sum.
    Additive,
    /// Product with the product.
    Multiplicative,
    /// Product with the least.
    MinFunc,
    /// Product of the hashes of every second token.
    SimpleSkip,
    /// Hash of the first.
    Skipgram,
    /// Hash of the first times hash of the last.
    AnchoredSkipgram,
    /// Least hash.
    MinHash,
    /// Least product of a hash with the hash of the last.
    AnchoredMinHash,
    /// Least product of two hashes.
    MinSkipgram,
    /// A chain of hashes.
    NonComm,
    /// Product with the sum of tokens times places.
    Position,
}

pub(super) const PRFS: &[(&str, Prf)] = &[
    ("multiplicative_prf", Prf::Multiplicative),
    ("additive_prf", Prf::Additive),
    ("minfunc_prf", Prf::MinFunc),
    ("simple_skip_prf", Prf::SimpleSkip),
    ("skipgram_prf", Prf::Skipgram),
    ("anchored_skipgram_prf", Prf::AnchoredSkipgram),
    ("minhash_prf", Prf::MinHash),
    ("anchored_minhash_prf", Prf::AnchoredMinHash),
    ("minskipgram_prf", Prf::MinSkipgram),
    ("noncomm_prf", Prf::NonComm),
    ("position_prf", Prf::Position),
];

/// How contexts seed lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeding {
    /// Of which tokens, how.
    pub prf: Prf,
    /// Tokens, 1 to 64.
    pub width: usize,
    /// Whether the scored token is the last of them.
    pub self_salt: bool,
}

impl Seeding {
    /// Reads a name, with the key where it has one; none when it is not one of the forms.
    ///
    /// # Example
    /// ```
    /// use stillhunt::watermark::kgw_lm::{Prf, Seeding};
    /// let salted = Seeding { prf: Prf::AnchoredMinHash, width: 4, self_salt: true };
    /// assert_eq!(Seeding::parse("selfhash"), Some((salted, None)));
    /// assert_eq!(Seeding::parse("ff-anchored_minhash_prf-4-True-99"), Some((salted, Some(99))));
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<(Self, Option<i64>)> {
        let (prf, width, self_salt) = match name {
            "simple_1" | "lefthash" => (Prf::Additive, 1, false),
            "selfhash" | "algorithm-3" => (Prf::AnchoredMinHash, 4, true),
            "minhash" => (Prf::MinHash, 4, false),
            "skipgram" => (Prf::Skipgram, 5, false),
            _ => return Self::free_form(name),
        };
        Some((Self { prf, width, self_salt }, None))
    }

    fn free_form(name: &str) -> Option<(Self, Option<i64>)> {
        let parts: Vec<&str> = name.split('-').collect();
        let (["ff", prf, width, salt], key) = (parts.get(..4)?, parts.get(4)) else { return None };
        let prf = PRFS.iter().find(|known| known.0 == *prf)?.1;
        let width = width.parse().ok().filter(|width| (1..=64).contains(width))?;
        let self_salt = match *salt {
            "True" => true,
            "False" => false,
            _ => return None,
        };
        let key = key.map(|key| key.parse()).transpose().ok()?;
        // Pairs need two tokens.
        let fits = parts.len() <= 5 && (prf != Prf::MinSkipgram || width > 1);
        fits.then_some((Self { prf, width, self_salt }, key))
    }
}

pub(super) fn hash(x: i64) -> i64 {
    i64::from(HASH[x.rem_euclid(i64::from(TABLE)) as usize]) + 1
}

impl Prf {
    /// The seed before it is reduced; its low 64 bits are what a tensor of signed 64 bits has. A place before the text counts as −1.
    pub(super) fn seed(self, key: i64, tokens: &[u32], hash: impl Fn(i64) -> i64 + Copy) -> i128 {
        let id = |token: u32| i64::from(token as i32);
        let ids = || tokens.iter().map(|&token| id(token));
        let hashes = || ids().map(|x| hash(key.wrapping_mul(x)));
        let wide = |x: i64| i128::from(key) * i128::from(x);
        let (first, last) = (id(tokens[0]), id(tokens[tokens.len() - 1]));
        let seed = match self {
            Self::Additive => return wide(ids().sum()),
            Self::Multiplicative => return wide(ids().fold(1, i64::wrapping_mul)),
            Self::MinFunc => return wide(ids().min().unwrap_or_default()),
            Self::SimpleSkip => hashes().step_by(2).fold(1, i64::wrapping_mul),
            Self::Skipgram => hash(key.wrapping_mul(first)),
            Self::AnchoredSkipgram => hash(key.wrapping_mul(first)).wrapping_mul(hash(key.wrapping_mul(last))),
            Self::MinHash => hashes().min().unwrap_or_default(),
            Self::AnchoredMinHash => {
                let anchor = hash(last);
                ids().map(|x| key.wrapping_mul(hash(x)).wrapping_mul(anchor)).min().unwrap_or_default()
            }
            Self::MinSkipgram => {
                let rest = |from: usize| hashes().skip(from + 1);
                let pairs = hashes().enumerate().flat_map(|(at, a)| rest(at).map(move |b| a.wrapping_mul(b)));
                pairs.min().unwrap_or_default()
            }
            Self::NonComm => ids().fold(key, |s, x| s.wrapping_mul(hash(s.wrapping_mul(x))).rem_euclid(1 << 32)),
            Self::Position => {
                ids().zip(1..).fold(0, |sum: i64, (x, place)| sum.wrapping_add(key.wrapping_mul(x).wrapping_mul(place)))
            }
        };
        i128::from(seed)
    }
}

/// Where planting with self-salt stops looking at candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// After 41 candidates.
    Compute,
    /// Where the next score is more than `delta` below the best.
    Score,
    /// After ten tokens on their own lists.
    Length,
}

/// The scheme under one key.
#[derive(Clone)]
pub struct KgwLm {
    key: i64,
    seeding: Seeding,
    delta: f64,
    tail: Tail,
    lists: Lists,
}

impl KgwLm {
    /// Ranges: the seeding's width 1 to 64.
    #[must_use]
    pub fn new(key: i64, seeding: Seeding, delta: f64, tail: Tail, lists: Lists) -> Self {
        Self { key, seeding, delta, tail, lists }
    }

    /// What `manual_seed` is given for the last `width` tokens of a text, the scored one among them with self-salt.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn seed(&self, tokens: &[u32]) -> u64 {
        reduced(self.seeding.prf.seed(self.key, &tokens[tokens.len() - self.seeding.width..], hash))
    }

    /// The tokens that planting marks after `input`, given the scores of all tokens.
    #[must_use]
    pub fn biased(&self, input: &[u32], scores: &[f64]) -> Biased {
        let Seeding { width, self_salt, .. } = self.seeding;
        if input.len() + usize::from(self_salt) < width {
            return Biased { tokens: Vec::new(), seed: None };
        }
        if !self_salt {
            let seed = self.seed(input);
            return Biased { tokens: self.lists.list(seed), seed: Some(seed) };
        }
        let candidates = likeliest(scores, if self.tail == Tail::Compute { 41 } else { scores.len() });
        let mut window = input[input.len() + 1 - width..].to_vec();
        window.push(0);
        let mut biased = Biased { tokens: Vec::new(), seed: None };
        for (at, &token) in candidates.iter().enumerate() {
            window[width - 1] = token;
            let seed = self.seed(&window);
            biased.seed = Some(seed);
            if self.lists.has(seed, token) {
                biased.tokens.push(token);
            }
            let score = |at: usize| candidates.get(at).map(|&token| scores[token as usize]);
            let far = || score(at + 1).is_some_and(|next| score(0).is_some_and(|best| best - next > self.delta));
            if (self.tail == Tail::Score && far()) || (self.tail == Tail::Length && biased.tokens.len() == 10) {
                break;
            }
        }
        biased
    }

    fn collapses(&self) -> bool {
        match self.seeding {
            Seeding { width: 1, self_salt: true, .. } => false,
            Seeding { width: 1, prf: Prf::Additive, .. } => {
                products_collide(i128::from(self.key), self.lists.vocab(), self.lists.profile())
            }
            _ => true,
        }
    }
}

fn open(fields: &Fields) -> Result<Opened> {
    let wrong = |expected: &str| Error::new(ErrorKind::Config, format!("expected {expected}, got something else"));
    let (seeding, in_name) = Seeding::parse(fields.text("seeding_scheme")?.unwrap_or("simple_1"))
        .ok_or_else(|| wrong("a known name or ff-PRF-WIDTH-SELFSALT[-KEY] in the field seeding_scheme"))?;
    let key = match in_name {
        Some(_) if fields.has("hash_key") => return Err(wrong("one key, in seeding_scheme or in hash_key")),
        Some(key) => i128::from(key),
        None => fields.int("hash_key", None, i128::from(i64::MIN), i128::from(i64::MAX))?,
    };
    let gamma = fields.number("gamma", Some(0.5), 0.001, 0.999)?;
    let delta = fields.number("delta", Some(2.0), -100.0, 100.0)?;
    let tail = match fields.word(
        "tail_rule",
        Some("fixed_compute"),
        &["fixed_compute", "fixed_score", "fixed_list_length"],
    )? {
        "fixed_score" => Tail::Score,
        "fixed_list_length" => Tail::Length,
        _ => Tail::Compute,
    };
    let from_end = !fields.flag("select_green_tokens", true)?;
    let profile = profile(fields)?;
    let lists = Lists::new(profile, fields.vocab()?, gamma, from_end)?;
    Ok(opened(Box::new(KgwLm::new(key as i64, seeding, delta, tail, lists)), key, profile))
}

impl Scheme for KgwLm {
    fn traits(&self) -> Traits {
        let context = self.seeding.width - usize::from(self.seeding.self_salt);
        Traits {
            shape: Shape { context, first: context, pad: false, once: Once::Window, history: None, budget: None },
            null: Null::List { list: self.lists.size(), vocab: self.lists.vocab() },
            payloads: 1,
            collapses: self.collapses(),
            cost: self.lists.cost(),
            vocab: self.lists.vocab(),
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        let profile = self.lists.profile();
        let mut window = Vec::with_capacity(self.seeding.width);
        units.extend(windows.iter().map(|(context, token)| {
            window.clear();
            window.extend_from_slice(context);
            window.extend(self.seeding.self_salt.then_some(token));
            Unit { seed: u128::from(profile.seed_bits(self.seed(&window))), token }
        }));
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        self.lists.values(units, values);
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        Box::new(Self { key: published::drawn(material) as i64, ..self.clone() })
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        _: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.lists.vocab())?;
        let mut scores = warp(logits, sampling);
        let input: Vec<u32> = so_far.prompt.iter().chain(so_far.response).copied().collect();
        for token in self.biased(&input, &scores).tokens {
            scores[token as usize] += self.delta;
        }
        Ok(Marked::Scores(scores))
    }

    fn plant(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<u32> {
        Ok(self.mark(so_far, logits, sampling, uniform)?.draw(uniform))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::profile::Profile;
    use crate::watermark::score_text;

    fn scheme(name: &str, tail: Tail, from_end: bool) -> KgwLm {
        let lists = Lists::new(Profile::Cpu, 300, 0.25, from_end).unwrap();
        KgwLm::new(987_654_321, Seeding::parse(name).unwrap().0, 8.0, tail, lists)
    }

    #[test]
    fn every_prf_plants_what_it_scores() {
        let names = PRFS.iter().flat_map(|(prf, _)| ["True", "False"].map(|salt| format!("ff-{prf}-3-{salt}")));
        for (at, name) in names.enumerate() {
            let scheme = scheme(&name, Tail::Compute, at % 4 < 2);
            let mut response = vec![3, 14, 15, 92];
            let mut state = at as u32;
            let mut uniform = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state) / 4_294_967_296.0
            };
            for _ in 0..60 {
                let so_far = SoFar { prompt: &[], response: &response };
                response.push(scheme.plant(so_far, &[0.0; 300], &Sampling::default(), &mut uniform).unwrap());
            }
            let values = score_text(&scheme, &response).unwrap();
            let green = values.iter().filter(|value| **value == Value::Green(true)).count();
            assert!(green > 35, "{name}: {green}");
        }
    }

    #[test]
    fn tail_rules_stop_where_they_say() {
        let scores: Vec<f64> = (0..300).map(|token| -f64::from(token)).collect();
        let biased = |tail| scheme("selfhash", tail, false).biased(&[1, 2, 3, 4], &scores).tokens;
        let (compute, score, length) = (biased(Tail::Compute), biased(Tail::Score), biased(Tail::Length));
        assert!(compute.iter().all(|&token| token < 41));
        // Scores fall by 1 a token: the tenth candidate is the first whose next is more than 8 below the best.
        assert!(score.iter().all(|&token| token < 9) && compute.starts_with(&score));
        assert!(length.len() == 10 && (length.starts_with(&compute) || compute.starts_with(&length)));
    }

    #[test]
    fn names_are_those_of_the_reference() {
        for name in [
            "",
            "ff",
            "ff-additive_prf",
            "ff-additive_prf-0-True",
            "ff-additive_prf-2-true",
            "ff-x-1-True",
            "ff-minskipgram_prf-1-False",
        ] {
            assert!(Seeding::parse(name).is_none(), "{name}");
        }
        assert!(Seeding::parse("ff-additive_prf-1-False-5-6").is_none());
    }
}
