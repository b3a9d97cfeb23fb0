//! `kgw`, dialect `transformers`: the green lists of `WatermarkLogitsProcessor`, `lefthash` and `selfhash`.
//!
//! # Algorithm
//! The list of a seed is the first ⌊`vocab_size` · `greenlist_ratio`⌋ entries of torch's `randperm(vocab_size)`. `lefthash`: the seed is
//! `hashing_key` · the token before, whatever `context_width` is. `selfhash`: of the last `context_width` tokens with the scored one w
//! among them, the seed is the least `hashing_key` · F(x) · F(w) in wrapping signed 64 bits, F a fixed table made of the key. Planting adds
//! `bias` to the logits of the list after temperature, top-k and top-p; for `selfhash`, to those of the 40 likeliest tokens that are on the
//! lists that they seed themselves.
//!
//! Source: transformers 5.23.0, `generation/logits_process.py` and `generation/watermarking.py` (planting order since 4.47); Kirchenbauer et al.
//! 2023 and 2024. Compared on the CPU with 5.23.0 and 4.57.3 (`tests/golden/kgw_*.json`, `plant.json`).
//!
//! # Wrong on purpose
//! As the reference: `vocab_size` is the width of the logits, not the size of the tokenizer. Only 32 bits of a seed matter on the CPU. Token 0
//! has one list under every key with `lefthash`. With `selfhash`, `context_width` 1 (the default there) makes a list of each token alone, one
//! list for the whole text. Lists depend on the device; see [`super::profile`]. Other than the reference, whose planting fails where none
//! of the 40 tokens is on its own list, this leaves the scores as they are.
//!
//! # Null
//! Given text that does not depend on the key, each seed's list is a uniform choice of its size. Exact, each (seed, token) counted once. Assumes
//! that a Mersenne Twister (or Philox) seeded with a product is as good as random to the text; no argument makes it a pseudo-random function.
//!
//! # What a negative does not show
//! That another key, ratio, vocabulary or device profile was not used; a wrong profile alone makes lists chance. Low entropy, paraphrase
//! and dilution weaken it as any green list.
//!
//! # When not to use it
//! For new deployments: keys can be searched (32 bits decide), and repeated text inflates z. The native `green-list` has neither fault.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::green::Lists;
use super::profile::{NAMES, Profile};
use super::sample::{Sampling, check_logits, warp};
use super::torch::TABLE;
use super::{Marked, Null, Once, Scheme, Shape, SoFar, Traits, Unit, Value, Windows, published};
use crate::error::{Error, ErrorKind, Result};
use std::sync::Arc;

/// Candidates that `selfhash` looks at when planting.
const CANDIDATES: usize = 40;

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "kgw",
    dialect: "transformers",
    source: "Kirchenbauer et al. 2023; transformers 5.23.0, WatermarkLogitsProcessor",
    fields: &[
        Field {
            name: "hashing_key",
            default: None,
            about: "the key, a whole number from -2^63 to 2^63 - 1; to 2^64 - 1 with lefthash",
        },
        Field { name: "seeding_scheme", default: Some("lefthash"), about: "lefthash or selfhash" },
        Field {
            name: "context_width",
            default: Some("1"),
            about: "tokens that seed a list, the scored one among them with selfhash; 1 to 64",
        },
        Field { name: "greenlist_ratio", default: Some("0.25"), about: "share of green tokens, 0.001 to 0.999" },
        Field { name: "bias", default: Some("2.0"), about: "added to the logits of green tokens, -100 to 100" },
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
        Field { name: "profile", default: Some("cpu"), about: NAMES },
    ],
    secret: &[("hashing_key", Secret::Int(38))],
    planted_by: "transformers' generate with WatermarkingConfig, from 4.44 on; text-generation-inference has a \
        fork of it",
    faults: "until 4.46 the bias came before temperature and top-k; lists depend on the device, for large \
        vocabularies on the GPU model (profile); selfhash with its default context_width 1 is one list for all \
        text; its detector counts repeated text again and again unless ignore_repeated_ngrams, which did nothing \
        before 5.19",
    open,
};

/// Whose seed a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeding {
    /// The token before.
    LeftHash,
    /// The scored token and those before.
    SelfHash,
}

/// The scheme under one key.
#[derive(Clone)]
pub struct Kgw {
    key: i128,
    seeding: Seeding,
    width: usize,
    ratio: f64,
    bias: f64,
    lists: Lists,
    /// Of `selfhash` only.
    table: Arc<Vec<u32>>,
}

/// What planting marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Biased {
    /// Tokens whose logits are raised.
    pub tokens: Vec<u32>,
    /// The seed used last; none where the text is too short to plant.
    pub seed: Option<u64>,
}

impl Kgw {
    /// Ranges: `width` 1 to 64.
    ///
    /// # Errors
    /// `Config` when the key is outside what torch takes.
    pub fn new(key: i128, seeding: Seeding, width: usize, ratio: f64, bias: f64, lists: Lists) -> Result<Self> {
        let most = if seeding == Seeding::SelfHash { i128::from(i64::MAX) } else { i128::from(u64::MAX) };
        if key > most {
            return Err(Error::new(
                ErrorKind::Config,
                "expected a key below 2^63 (2^64 with lefthash), got a larger one",
            ));
        }
        let of_key = super::torch::manual_seed(key)?;
        let table = match seeding {
            Seeding::LeftHash => Vec::new(),
            Seeding::SelfHash => lists.profile().randperm(of_key, TABLE),
        };
        Ok(Self { key, seeding, width, ratio, bias, lists, table: Arc::new(table) })
    }

    /// What `manual_seed` is given for a window: with `lefthash` the last of its tokens counts, with `selfhash` the last is the scored one.
    ///
    /// # Panics
    /// When the window is empty.
    #[must_use]
    pub fn seed(&self, window: &[u32]) -> u64 {
        let last = window[window.len() - 1];
        match self.seeding {
            Seeding::LeftHash => reduced(self.key * i128::from(last)),
            Seeding::SelfHash => {
                let hash = |token: u32| i64::from(self.table[(token % TABLE) as usize]) + 1;
                let (key, own) = (self.key as i64, hash(last));
                let products = window.iter().map(|&token| key.wrapping_mul(hash(token)).wrapping_mul(own));
                reduced(i128::from(products.min().unwrap_or_default()))
            }
        }
    }

    /// The tokens that planting marks after `input`, given the scores of all tokens.
    #[must_use]
    pub fn biased(&self, input: &[u32], scores: &[f64]) -> Biased {
        if input.len() < self.width {
            return Biased { tokens: Vec::new(), seed: None };
        }
        if self.seeding == Seeding::LeftHash {
            let seed = self.seed(input);
            return Biased { tokens: self.lists.list(seed), seed: Some(seed) };
        }
        let mut window = input[input.len() + 1 - self.width..].to_vec();
        window.push(0);
        let mut seed = 0;
        let mut tokens = likeliest(scores, CANDIDATES);
        tokens.retain(|&token| {
            window[self.width - 1] = token;
            seed = self.seed(&window);
            self.lists.has(seed, token)
        });
        Biased { tokens, seed: Some(seed) }
    }

    fn collapses(&self) -> bool {
        match self.seeding {
            Seeding::SelfHash => self.width > 1,
            Seeding::LeftHash => products_collide(self.key, self.lists.vocab(), self.lists.profile()),
        }
    }
}

/// Python's floor modulo by 2⁶⁴ − 1, as both programs reduce a seed.
pub(super) fn reduced(seed: i128) -> u64 {
    if let Ok(small) = u64::try_from(seed)
        && small != u64::MAX
    {
        return small;
    }
    seed.rem_euclid(i128::from(u64::MAX)) as u64
}

/// Whether key · x can decide the same list for two tokens x.
pub(super) fn products_collide(key: i128, vocab: u32, profile: Profile) -> bool {
    let gcd = |mut a: u128, mut b: u128| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let all = u128::from(u64::MAX);
    let wraps = key < 0 || key.unsigned_abs() * u128::from(vocab) >= all;
    match profile {
        Profile::Cpu => wraps || (1 << 32) / gcd(key.unsigned_abs(), 1 << 32) < u128::from(vocab),
        Profile::Cuda(..) => all / gcd(key.unsigned_abs(), all) < u128::from(vocab),
    }
}

/// The `most` tokens of the largest scores, largest first, the lower id of equal ones.
pub(super) fn likeliest(scores: &[f64], most: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    let before = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
    if most < order.len() {
        order.select_nth_unstable_by(most, before);
        order.truncate(most);
    }
    order.sort_unstable_by(before);
    order
}

/// The profile that a key file names.
pub(super) fn profile(fields: &Fields) -> Result<Profile> {
    let wrong = || Error::new(ErrorKind::Config, format!("expected {NAMES} in the field profile, got something else"));
    Profile::parse(fields.text("profile")?.unwrap_or("cpu")).ok_or_else(wrong)
}

/// A scheme whose lists follow a device.
pub(super) fn opened(scheme: Box<dyn Scheme>, key: i128, profile: Profile) -> Opened {
    let published = published::known_from(key);
    Opened { scheme, published, profile: profile.to_string(), predicted: profile.predicted() }
}

fn open(fields: &Fields) -> Result<Opened> {
    let key = fields.int("hashing_key", None, i128::from(i64::MIN), i128::from(u64::MAX))?;
    let seeding = match fields.word("seeding_scheme", Some("lefthash"), &["lefthash", "selfhash"])? {
        "selfhash" => Seeding::SelfHash,
        _ => Seeding::LeftHash,
    };
    let width = fields.count("context_width", Some(1), 1, 64)?;
    let ratio = fields.number("greenlist_ratio", Some(0.25), 0.001, 0.999)?;
    let bias = fields.number("bias", Some(2.0), -100.0, 100.0)?;
    let profile = profile(fields)?;
    let lists = Lists::new(profile, fields.vocab()?, ratio, false)?;
    let scheme = Kgw::new(key, seeding, width, ratio, bias, lists)?;
    Ok(opened(Box::new(scheme), key, profile))
}

impl Scheme for Kgw {
    fn traits(&self) -> Traits {
        let (context, first) = match self.seeding {
            Seeding::LeftHash => (1, self.width),
            Seeding::SelfHash => (self.width - 1, self.width - 1),
        };
        Traits {
            shape: Shape { context, first, pad: false, once: Once::Window, history: None, budget: None },
            null: Null::List { list: self.lists.size(), vocab: self.lists.vocab() },
            payloads: 1,
            collapses: self.collapses(),
            cost: self.lists.cost(),
            vocab: self.lists.vocab(),
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        let profile = self.lists.profile();
        let mut window = Vec::with_capacity(self.width);
        units.extend(windows.iter().map(|(context, token)| {
            let seed = match self.seeding {
                Seeding::LeftHash => self.seed(context),
                Seeding::SelfHash => {
                    window.clear();
                    window.extend_from_slice(context);
                    window.push(token);
                    self.seed(&window)
                }
            };
            Unit { seed: u128::from(profile.seed_bits(seed)), token }
        }));
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        self.lists.values(units, values);
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        let key = published::drawn(material);
        let drawn = Self::new(key, self.seeding, self.width, self.ratio, self.bias, self.lists.clone());
        // A drawn key is below 2³⁸, so within every range.
        Box::new(drawn.unwrap_or_else(|_| self.clone()))
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
            scores[token as usize] += self.bias;
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
    use crate::watermark::score_text;

    fn kgw(seeding: Seeding, width: usize, profile: &str) -> Kgw {
        let lists = Lists::new(Profile::parse(profile).unwrap(), 500, 0.25, false).unwrap();
        Kgw::new(987_654_321, seeding, width, 0.25, 8.0, lists).unwrap()
    }

    #[test]
    fn planted_text_is_green() {
        for profile in ["cpu", "cuda:h100"] {
            for (seeding, width) in [(Seeding::LeftHash, 1), (Seeding::SelfHash, 1), (Seeding::SelfHash, 4)] {
                let scheme = kgw(seeding, width, profile);
                let mut response = vec![3, 14, 15, 92];
                let mut state = 1u32;
                let mut uniform = || {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    f64::from(state) / 4_294_967_296.0
                };
                for _ in 0..100 {
                    let so_far = SoFar { prompt: &[], response: &response };
                    response.push(scheme.plant(so_far, &[0.0; 500], &Sampling::default(), &mut uniform).unwrap());
                }
                let green = |scheme: &dyn Scheme| {
                    let values = score_text(scheme, &response).unwrap();
                    values.iter().filter(|value| **value == Value::Green(true)).count()
                };
                assert!(green(&scheme) > 50, "{seeding:?} {width} {profile}: {}", green(&scheme));
                assert!(green(&*scheme.with_key(&[5; 32])) < 50, "{seeding:?} {width} {profile}");
            }
        }
    }

    #[test]
    fn seeds_are_reduced_as_python_does() {
        assert_eq!(reduced(-1), u64::MAX - 1);
        assert_eq!(reduced(i128::from(u64::MAX)), 0);
        assert_eq!(reduced(1 << 64), 1);
        assert_eq!(reduced(5), 5);
    }

    #[test]
    fn products_collide_where_they_do() {
        let cuda = Profile::parse("cuda:t4").unwrap();
        for (key, cpu, device) in [
            (15_485_863, false, false),
            (1 << 20, true, false),
            (1 << 10, false, false),
            (0, true, true),
            (-5, true, false),
        ] {
            assert_eq!(products_collide(key, 32_000, Profile::Cpu), cpu, "{key}");
            assert_eq!(products_collide(key, 32_000, cuda), device, "{key}");
        }
    }

    #[test]
    fn short_text_stays_unmarked() {
        let scheme = kgw(Seeding::SelfHash, 4, "cpu");
        assert_eq!(scheme.biased(&[1, 2, 3], &[0.0; 500]), Biased { tokens: vec![], seed: None });
    }
}
