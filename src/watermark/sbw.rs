//! `sbw`: green lists without a permutation, in the form of the package (`sbw`) and in that of vLLM (`vllm`).
//!
//! # Algorithm
//! A token is green in a context where a word of 31 bits is below a threshold, about γ · 2³¹: Philox4x32-10 under the seed, with token / 4 as
//! counter, gives four words, of which the one numbered token mod 4 counts, without its highest bit. h is Jenkins' integer hash of id + 1
//! in signed 32 bits; products are signed 64 bits that wrap.
//!
//! | dialect | seeding | seed of context c and token v |
//! |---|---|---|
//! | `sbw` | `gpu-simple_1`, `gpu-fused-simple_4` | key · Σ c over 1 or 4 tokens |
//! | | `gpu-selfhash`, `gpu-fused-selfhash` | min key · h(x) · h(v) over the last 3 tokens and v |
//! | | `gpu-minhash`, `gpu-skipgram`, `gpu-ff-PRF-WIDTH-SELFSALT` | as in [`super::kgw_lm`], with h |
//! | `vllm` | `selfhash` | as `gpu-selfhash`; the oldest token of the context is not read |
//! | | `lefthash`, `lefthash-hashed` | key · Σ c, key · Σ h(c) |
//!
//! Green in vLLM: the word is below ⌊γ (2³¹ − 1)⌋. In the package: the word as a single-precision number times 4.6566127342·10⁻¹⁰ is below γ
//! in single precision; since both roundings keep order, that is a threshold too, found here by halving. Planting adds `delta` to green
//! logits: in the package before temperature, top-k and top-p, all of them or only those of the likeliest tokens (the number at the end
//! of a seeding scheme's name; 40 with `selfhash` and `gpu-fused-simple_4` unless `-fullvocab`); in vLLM after them.
//!
//! Source: Ceppi and Sanchez 2026, "Flip, Don't Shuffle" (arXiv 2609.03844); PyPI sbw 1.0.0 and vllm-sbw 1.0.0; vLLM's pull request 56859.
//! Compared with the package on the CPU (`tests/golden/sbw.json`).
//!
//! # Null
//! Given text that does not depend on the key, each (seed, token) is green on its own with the threshold's share of 2³¹. Exact, each (seed, token)
//! counted once. Assumes that Philox under a random seed is as good as random; that a seed is a product with the key is no argument for it.
//!
//! # What a negative does not show
//! Low entropy, paraphrase and dilution weaken it as any green list. A request may have its own γ, seeding and key (`extra_args`).
//!
//! # Wrong on purpose
//! Where the prompt and the answer are shorter than the context, the package fills up with token 0 and vLLM, which does not read prompts, with −1.
//! Schemes of the package without `gpu-` follow a permutation: they are those of `kgw`, dialect `lm-watermarking`. The package's fused
//! kernels plant with vLLM's threshold and detect with their own: 97 words of 2³¹ differ at γ = ½, which no text shows.
//!
//! # When not to use it
//! For a new deployment: with one token of context the lists of a key are as many as tokens, and are soon learned. The native `green-list`
//! draws its seeds from a cryptographic function.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::gumbel_vllm::Plan;
use super::kgw_lm::{self, PRFS, Prf};
use super::kgw_transformers::likeliest;
use super::philox::philox4x32_10;
use super::sample::{Sampling, check_logits, draw, softmax, warp};
use super::{Null, Once, Scheme, Shape, SoFar, Traits, Unit, Value, Windows, published};
use crate::error::{Error, ErrorKind, Result};

const GAMMA: Field = Field { name: "gamma", default: Some("0.5"), about: "share of green tokens, 0.001 to 0.999" };
const DELTA: Field =
    Field { name: "delta", default: Some("2.0"), about: "added to the logits of green tokens, -100 to 100" };

/// How `watermark schemes` shows the package's form.
pub const PACKAGE: About = About {
    scheme: "sbw",
    dialect: "sbw",
    source: "Ceppi and Sanchez 2026; sbw 1.0.0",
    fields: &[
        Field { name: "hash_key", default: None, about: "the key, a whole number from -2^63 to 2^63 - 1" },
        Field {
            name: "seeding_scheme",
            default: Some("gpu-fused-selfhash-fullvocab"),
            about: "gpu-simple_1, gpu-minhash, gpu-skipgram, gpu-selfhash, gpu-fused-selfhash, gpu-fused-simple_4 or \
                gpu-ff-PRF-WIDTH-SELFSALT, the last four with -CANDIDATES or -fullvocab",
        },
        GAMMA,
        DELTA,
        Field { name: "vocab_size", default: None, about: "length of the tokenizer's vocabulary" },
    ],
    secret: &[("hash_key", Secret::Int(38))],
    planted_by: "vLLM (v1) with the plug-in vllm-sbw 1.0.0; the package sbw 1.0.0",
    faults: "gamma, delta, seeding_scheme and hash_key are a request's own (extra_args), and one request's seeding and key \
        become those of the whole batch; without them the key is the public 15485863; a request with delta 0 is unmarked; the \
        vocabulary is the tokenizer's, not the logits'; the package alone seeds with the first of several gammas",
    open: open_package,
};

/// How `watermark schemes` shows vLLM's form.
pub const VLLM: About = About {
    scheme: "sbw",
    dialect: "vllm",
    source: "Ceppi and Sanchez 2026; vLLM's pull request 56859",
    fields: &[
        Field { name: "key", default: None, about: "whole number, 0 to 2^63 - 1" },
        Field {
            name: "seeding_scheme",
            default: Some("selfhash"),
            about: "selfhash; lefthash (sums ids, as its planting does) or lefthash-hashed (sums hashes, as its detector does)",
        },
        Field {
            name: "context_width",
            default: Some("4 with selfhash, else 1"),
            about: "context tokens, 1 to 64; with selfhash the oldest is not read",
        },
        GAMMA,
        DELTA,
        Field { name: "deduplicate_contexts", default: Some("single_turn"), about: "none, single_turn or all" },
        Field { name: "deduplicate_contexts_max_history", default: Some("8192"), about: "places searched, 1 to 2^32" },
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
    ],
    secret: &[("key", Secret::Int(38))],
    planted_by: "no release of vLLM up to 0.33; builds with pull request 56859",
    faults: "with lefthash its planting sums token ids and its detector sums their hashes, so its own detector finds nothing; \
        greedy requests (temperature 0) are left unmarked by the sampler; a request can switch the mark off although the server \
        enforces it (vLLM 58191); keys from 2^63 on fail",
    open: open_vllm,
};

/// Jenkins' integer hash of id + 1, in signed 32 bits.
#[must_use]
#[inline]
pub fn hash(x: i64) -> i64 {
    let mut i = x.wrapping_add(1) as i32;
    i = i.wrapping_sub(i << 6);
    i ^= i >> 17;
    i = i.wrapping_sub(i << 9);
    i ^= i << 4;
    i = i.wrapping_sub(i << 3);
    i ^= i << 10;
    i ^= i >> 15;
    i64::from(i)
}

/// The 31 bits of a token under a seed.
///
/// # Example
/// ```
/// assert!(stillhunt::watermark::sbw::word31(85_915_567_924, 57_259) == 1_066_742_332);
/// ```
#[must_use]
#[inline]
pub fn word31(seed: u64, token: u32) -> u32 {
    let words = philox4x32_10([token / 4, 0, 0, 0], [seed as u32, (seed >> 32) as u32]);
    words[token as usize % 4] & 0x7fff_ffff
}

/// Words below it are green in vLLM's form; γ in [0, 1].
#[must_use]
pub fn threshold_vllm(gamma: f64) -> u32 {
    (gamma * f64::from(0x7fff_ffffu32)) as u32
}

/// Words below it are green in the package's form; γ in [0, 1].
#[must_use]
pub fn threshold_package(gamma: f64) -> u32 {
    let green = |word: u32| word as f32 * 4.656_612_734_2e-10_f64 as f32;
    let (mut low, mut high) = (0u32, 1 << 31);
    while low < high {
        let middle = low + (high - low) / 2;
        if green(middle) < gamma as f32 { low = middle + 1 } else { high = middle }
    }
    low
}

/// What a seed is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeding {
    prf: Prf,
    /// Tokens that the seed reads, the scored one among them with self-salt.
    width: usize,
    self_salt: bool,
    /// The table of lm-watermarking in place of [`hash`].
    table: bool,
    /// The sum of hashes in place of the sum of ids.
    hashed_sum: bool,
    /// Likeliest tokens that planting looks at; none: all.
    candidates: Option<usize>,
}

impl Seeding {
    /// Reads a name of the package; none when it is not one that follows Philox.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("gpu-")?;
        let of = |prf, width, self_salt| Self {
            prf,
            width,
            self_salt,
            table: false,
            hashed_sum: false,
            candidates: self_salt.then_some(40),
        };
        let numbered = |seeding: Self, parts: &[&str]| -> Option<Self> {
            let mut out = seeding;
            for part in parts {
                match *part {
                    "" => {}
                    "cpuhash" if seeding.self_salt => out.table = true,
                    "cudagraphs" if out.candidates.is_none() => {}
                    "fullvocab" => out.candidates = None,
                    number => out.candidates = Some(number.parse().ok().filter(|n| *n > 0)?),
                }
            }
            Some(out)
        };
        let parts: Vec<&str> = rest.split('-').collect();
        match parts.as_slice() {
            ["simple_1"] => Some(of(Prf::Additive, 1, false)),
            ["minhash"] => Some(of(Prf::MinHash, 4, false)),
            ["skipgram"] => Some(of(Prf::Skipgram, 5, false)),
            ["selfhash", parts @ ..] => numbered(of(Prf::AnchoredMinHash, 4, true), parts),
            ["fused", "selfhash", parts @ ..] if !parts.contains(&"cpuhash") => {
                numbered(of(Prf::AnchoredMinHash, 4, true), parts)
            }
            ["fused", "simple_4", parts @ ..] if parts.len() <= 1 => {
                numbered(Self { candidates: Some(40), ..of(Prf::Additive, 4, false) }, parts)
            }
            ["ff", prf, width, salt, parts @ ..] if parts.len() <= 1 => {
                let prf = PRFS.iter().find(|known| known.0 == *prf)?.1;
                let width = width.parse().ok().filter(|width| (1..=64).contains(width))?;
                let self_salt = *salt == "True";
                // Pairs need two tokens; a number of candidates goes with self-salt only.
                let fits = (prf != Prf::MinSkipgram || width > 1) && (self_salt || parts.is_empty());
                fits.then(|| numbered(of(prf, width, self_salt), parts)).flatten()
            }
            _ => None,
        }
    }

    /// The seed of the last `width` tokens of `window`, the scored one among them with self-salt.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn seed(&self, key: i64, window: &[u32]) -> u64 {
        let tokens = &window[window.len() - self.width..];
        if self.hashed_sum {
            let sum = tokens.iter().fold(0i64, |sum, &token| sum.wrapping_add(hash(i64::from(token as i32))));
            return key.wrapping_mul(sum) as u64;
        }
        let seed = if self.table { self.prf.seed(key, tokens, kgw_lm::hash) } else { self.prf.seed(key, tokens, hash) };
        seed as u64
    }

    /// Whether the scored token is the last that a seed reads.
    #[must_use]
    pub fn self_salt(&self) -> bool {
        self.self_salt
    }
}

/// Whose form.
#[derive(Clone, Copy, Debug)]
enum Form {
    Package,
    Vllm(Plan),
}

/// The scheme under one key.
#[derive(Clone)]
pub struct Sbw {
    key: i64,
    seeding: Seeding,
    form: Form,
    threshold: u32,
    delta: f64,
    vocab: u32,
}

impl Sbw {
    /// In the package's form; ranges: γ in (0, 1).
    #[must_use]
    pub fn package(key: i64, seeding: Seeding, gamma: f64, delta: f64, vocab: u32) -> Self {
        Self { key, seeding, form: Form::Package, threshold: threshold_package(gamma), delta, vocab }
    }

    /// In vLLM's form with its seeding `selfhash`, `lefthash` or (`hashed`) the one of its detector; ranges: γ in (0, 1).
    #[must_use]
    pub fn vllm(key: i64, self_salt: bool, hashed: bool, plan: Plan, gamma: f64, delta: f64, vocab: u32) -> Self {
        let prf = if self_salt { Prf::AnchoredMinHash } else { Prf::Additive };
        let seeding = Seeding {
            prf,
            width: plan.width,
            self_salt,
            table: false,
            hashed_sum: hashed && !self_salt,
            candidates: None,
        };
        Self { key, seeding, form: Form::Vllm(plan), threshold: threshold_vllm(gamma), delta, vocab }
    }

    fn green(&self, seed: u64, token: u32) -> bool {
        word31(seed, token) < self.threshold
    }

    /// Adds `delta` to the scores of green tokens behind `context`.
    fn raise(&self, context: &[u32], scores: &mut [f64]) {
        let candidates = match self.seeding.candidates {
            Some(most) => likeliest(scores, most),
            None => (0..scores.len() as u32).collect(),
        };
        let mut window = context.to_vec();
        let fixed = (!self.seeding.self_salt).then(|| self.seeding.seed(self.key, &window));
        window.push(0);
        let last = window.len() - 1;
        for token in candidates {
            window[last] = token;
            let seed = fixed.unwrap_or_else(|| self.seeding.seed(self.key, &window));
            if self.green(seed, token) {
                scores[token as usize] += self.delta;
            }
        }
    }
}

fn open_package(fields: &Fields) -> Result<Opened> {
    let key = fields.int("hash_key", None, i128::from(i64::MIN), i128::from(i64::MAX))?;
    let name = fields.text("seeding_scheme")?.unwrap_or("gpu-fused-selfhash-fullvocab");
    let seeding = Seeding::parse(name).ok_or_else(|| {
        let what =
            "expected a seeding scheme of sbw that begins with gpu- in the field seeding_scheme, got something else";
        Error::new(ErrorKind::Config, what).hint("its other schemes are those of kgw, dialect lm-watermarking")
    })?;
    let (gamma, delta) = shares(fields)?;
    opened(Sbw::package(key as i64, seeding, gamma, delta, fields.vocab()?), key)
}

fn open_vllm(fields: &Fields) -> Result<Opened> {
    let key = fields.int("key", None, 0, i128::from(i64::MAX))?;
    let seeding = fields.word("seeding_scheme", Some("selfhash"), &["selfhash", "lefthash", "lefthash-hashed"])?;
    let default = if seeding == "selfhash" { 4 } else { 1 };
    let plan = Plan { width: fields.count("context_width", Some(default), 1, 64)?, ..Plan::from_fields(fields)? };
    let (gamma, delta) = shares(fields)?;
    let hashed = seeding == "lefthash-hashed";
    opened(Sbw::vllm(key as i64, seeding == "selfhash", hashed, plan, gamma, delta, fields.vocab()?), key)
}

fn shares(fields: &Fields) -> Result<(f64, f64)> {
    Ok((fields.number("gamma", Some(0.5), 0.001, 0.999)?, fields.number("delta", Some(2.0), -100.0, 100.0)?))
}

fn opened(scheme: Sbw, key: i128) -> Result<Opened> {
    Ok(Opened { published: published::known_from(key), ..Opened::native(Box::new(scheme)) })
}

impl Scheme for Sbw {
    fn traits(&self) -> Traits {
        let shape = match self.form {
            Form::Vllm(plan) => Shape { once: Once::Window, ..plan.shape() },
            Form::Package => {
                let context = self.seeding.width - usize::from(self.seeding.self_salt);
                Shape { context, first: context, pad: false, once: Once::Window, history: None, budget: None }
            }
        };
        let Seeding { width, self_salt, hashed_sum, .. } = self.seeding;
        // One token, times an odd number, has a seed of its own; with self-salt the token alone decides its seed. A window holds no more than that.
        let whole = shape.context + usize::from(self_salt) == width;
        let apart = whole && width == 1 && !hashed_sum && (self.key % 2 != 0 || self_salt);
        Traits {
            shape,
            null: Null::Coin { share: f64::from(self.threshold) / f64::from(1u32 << 31) },
            payloads: 1,
            collapses: !apart,
            cost: 1.0,
            vocab: self.vocab,
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        let mut window = Vec::new();
        units.extend(windows.iter().map(|(context, token)| {
            window.clear();
            window.extend_from_slice(context);
            window.extend(self.seeding.self_salt.then_some(token));
            Unit { seed: u128::from(self.seeding.seed(self.key, &window)), token }
        }));
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        values.extend(units.iter().map(|unit| Value::Green(self.green(unit.seed as u64, unit.token))));
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        Box::new(Self { key: published::drawn(material) as i64, ..self.clone() })
    }

    fn plant(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<u32> {
        check_logits(logits, self.vocab)?;
        let scores = match self.form {
            Form::Vllm(plan) => {
                let mut scores = warp(logits, sampling);
                if let Some(context) = plan.context(so_far) {
                    self.raise(&context, &mut scores);
                }
                scores
            }
            Form::Package => {
                let width = self.seeding.width;
                let input: Vec<u32> = so_far.prompt.iter().chain(so_far.response).copied().collect();
                let tail = &input[input.len().saturating_sub(width)..];
                let mut context = vec![0; width - tail.len()];
                context.extend_from_slice(tail);
                let mut scores: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
                self.raise(&context, &mut scores);
                let raised: Vec<f32> = scores.iter().map(|&x| x as f32).collect();
                warp(&raised, sampling)
            }
        };
        Ok(draw(&softmax(&scores), uniform()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::gumbel_vllm::Deduplicate;
    use crate::watermark::{PAD, score_text};

    fn schemes() -> Vec<Sbw> {
        let plan = Plan { width: 4, scope: Deduplicate::SingleTurn, history: 8192 };
        let one = Plan { width: 1, ..plan };
        let names =
            ["gpu-simple_1", "gpu-fused-simple_4", "gpu-selfhash", "gpu-minhash", "gpu-ff-minskipgram_prf-3-True"];
        let packages = names.map(|name| Sbw::package(99_991, Seeding::parse(name).unwrap(), 0.25, 4.0, 200));
        let forms = [(true, false, plan), (false, false, one), (false, true, one)];
        let vllm = forms.map(|(salt, hashed, plan)| Sbw::vllm(99_991, salt, hashed, plan, 0.25, 4.0, 200));
        packages.into_iter().chain(vllm).collect()
    }

    #[test]
    fn what_is_planted_is_green_under_its_key_only() {
        for scheme in schemes() {
            let (mut state, mut response) = (1u64, Vec::new());
            for step in 0..400u32 {
                let logits: Vec<f32> = (0..200u32).map(|i| ((i * 37 + step * 11) % 101) as f32 / 50.0).collect();
                let mut uniform = || {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 11) as f64 / 2f64.powi(53)
                };
                let so_far = SoFar { prompt: &[1], response: &response };
                response.push(scheme.plant(so_far, &logits, &Sampling::default(), &mut uniform).unwrap());
            }
            let share = |scheme: &dyn Scheme| {
                let values = score_text(scheme, &response).unwrap();
                values.iter().filter(|value| **value == Value::Green(true)).count() as f64 / values.len() as f64
            };
            let what = format!("{:?} {:?}", scheme.seeding, scheme.form);
            assert!(share(&scheme) > 0.5, "{what}: {}", share(&scheme));
            assert!(share(scheme.with_key(&[9; 32]).as_ref()) < 0.4, "{what}");
        }
    }

    #[test]
    fn thresholds_are_where_words_turn() {
        assert_eq!(threshold_vllm(0.5), 1_073_741_823);
        for gamma in [0.001, 0.1, 0.25, 0.5, 0.7, 0.999] {
            let t = threshold_package(gamma);
            let green = |word: u32| (word as f32 * 4.656_612_734_2e-10_f64 as f32) < gamma as f32;
            assert!(green(t - 1) && !green(t), "{gamma}");
            assert!(t.abs_diff(threshold_vllm(gamma)) < 200, "{gamma}");
        }
    }

    #[test]
    fn names_are_read_as_the_package_reads_them() {
        let of = |name: &str| Seeding::parse(name);
        assert_eq!(of("gpu-selfhash").unwrap().candidates, Some(40));
        assert_eq!(of("gpu-fused-selfhash-100").unwrap().candidates, Some(100));
        assert_eq!(of("gpu-fused-selfhash-fullvocab-cudagraphs").unwrap().candidates, None);
        assert_eq!(of("gpu-fused-simple_4").unwrap().candidates, Some(40));
        assert_eq!(of("gpu-fused-simple_4-fullvocab").unwrap().candidates, None);
        assert_eq!(of("gpu-simple_1").unwrap().candidates, None);
        assert!(of("gpu-selfhash-cpuhash").unwrap().table);
        for bad in [
            "selfhash",
            "gpu-",
            "gpu-selfhash-x",
            "gpu-fused-selfhash-cpuhash",
            "gpu-ff-none-4-True",
            "gpu-ff-additive_prf-0-True",
            "gpu-ff-minskipgram_prf-1-True",
        ] {
            assert!(of(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn places_before_a_text_count_as_minus_one() {
        let plan = Plan { width: 2, scope: Deduplicate::None, history: 1 };
        let scheme = Sbw::vllm(5, false, false, plan, 0.5, 1.0, 100);
        assert_eq!(scheme.seeding.seed(5, &[PAD, 7]), 30);
        assert_eq!(hash(-1), 0);
    }
}
