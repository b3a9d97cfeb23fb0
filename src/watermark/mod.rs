//! Watermarks: planting and scoring side by side, one scheme a file, with the keyed randomness that each dialect uses.
//!
//! # The idea
//! Every scheme maps a *window* (some context tokens and the token that follows them) to a *unit*: the seed of a keyed
//! generator, and the token. From the unit comes a *value*: green or not, an exponential score, or one bit for each layer of a
//! tournament. Text that does not know the key has values whose distribution is known: the scheme's [`Null`]. What is counted,
//! and how often, is `detect`'s affair; a scheme knows nothing of documents.
//!
//! | scheme | dialect | file |
//! |---|---|---|
//! | `green-list`, `gumbel`, `tournament` | `native` | [`native`] |
//! | `kgw` | `transformers` | [`kgw_transformers`] |
//! | `synthid` | `transformers`, `synthid-text` | [`synthid_transformers`], [`synthid_text`] |
//! | `gumbel`, `dual_key_gumbel` | `vllm` | [`gumbel_vllm`], [`dual_key_vllm`] |
//! | `gumbel`, `dual_key_gumbel` | `sglang` | [`gumbel_sglang`] |
//! | `sbw` | `sbw`, `vllm` | [`sbw`] |
//! | `kgw` | `lm-watermarking` | [`kgw_lm`] |
//! | `gumbel`, `kgw` | `three_bricks` | [`three_bricks`] |
//! | `unigram` | `unigram-watermark` | [`unigram`] |
//! | `greenlist`, `gumbelmax`, `dual_key`, `synthid` | `textseal` | [`textseal`] |
//!
//! Weakness: an interop dialect is exactly as weak as what it equals; its page says where. Guarantee: a value depends on scheme,
//! key and unit alone, never on the order of units or on the machine.

pub mod about;
pub mod catalogue;
pub mod cuda;
pub mod dual_key_vllm;
pub mod fields;
pub mod green;
pub mod gumbel_sglang;
pub mod gumbel_vllm;
pub mod keys;
pub mod kgw_facts;
pub mod kgw_lm;
pub mod kgw_transformers;
pub mod lanes;
pub mod logarithm;
pub mod mt19937;
pub mod native;
pub mod numpy;
pub mod philox;
pub mod profile;
pub mod published;
pub mod sample;
pub mod sbw;
pub mod search;
pub mod single;
pub mod synthid;
pub mod synthid_text;
pub mod synthid_transformers;
pub mod textseal;
pub mod three_bricks;
pub mod torch;
pub mod unigram;

use crate::error::{Error, ErrorKind, Result};
use sample::Sampling;

/// The marker of a place before the first token, where a dialect pads contexts. No token has this id.
pub const PAD: u32 = u32::MAX;

/// How a scheme reads text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// Tokens before the scored one that its value depends on, 0 to 64.
    pub context: usize,
    /// Place of the first scored token in a text. At least `context`, except where `pad`.
    pub first: usize,
    /// Contexts that begin before the text are filled with [`PAD`] on the left.
    pub pad: bool,
    /// What counts once in all the evidence.
    pub once: Once,
    /// Where a number: a context that stood among the last so many of the same text is masked, as planting leaves it unmarked.
    pub history: Option<usize>,
    /// Where a number: planting ends after so many different contexts of a text, so what follows is masked.
    pub budget: Option<usize>,
}

/// What counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Once {
    /// Each (context, token).
    Window,
    /// Each context, with the token that first followed it.
    Context,
}

/// What a value's distribution is when the text does not depend on the key.
#[derive(Clone, Debug, PartialEq)]
pub enum Null {
    /// [`Value::Green`]: each seed has a list of exactly `list` tokens, all lists equally likely.
    List {
        /// Tokens of a list.
        list: u32,
        /// Tokens in all.
        vocab: u32,
    },
    /// [`Value::Green`]: one list of exactly `list` tokens for all units, every such list equally likely.
    OneList {
        /// Tokens of the list.
        list: u32,
        /// Tokens in all.
        vocab: u32,
    },
    /// [`Value::Green`]: each unit is green on its own with probability `share`.
    Coin {
        /// In (0, 1).
        share: f64,
    },
    /// [`Value::Score`]: each unit's score is exponential of mean 1, or stochastically below that plus `shift`.
    Exponential {
        /// What a generator of finite steps can add to a score, at most; 0 or a very small number.
        shift: f64,
    },
    /// [`Value::Score`]: `(1 − alpha) E + alpha E′` of two independent scores as above.
    Pair {
        /// In [0, 1].
        alpha: f64,
        /// As above, for each of the two.
        shift: f64,
    },
    /// [`Value::Layers`]: `depth` bits, each 1 on its own with probability `share`.
    Layers {
        /// 1 to 64.
        depth: u32,
        /// In (0, 1).
        share: f64,
        /// Weights of the layers, first layer first; none: all alike.
        weights: Option<Vec<f64>>,
    },
}

/// What a scheme says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Traits {
    /// How it reads text.
    pub shape: Shape,
    /// Its null.
    pub null: Null,
    /// Values of each unit: 1, or one for each payload.
    pub payloads: usize,
    /// Whether different windows can have one unit, so that units must be made distinct, too.
    pub collapses: bool,
    /// About how many generator steps one value costs: 1 where a value is a hash or two, some 10⁴ where a list must be followed.
    pub cost: f64,
    /// Other (vocabulary) ids are not scored: the size of the logits, where the scheme depends on it.
    pub vocab: u32,
}

/// What the keyed generator is asked for: windows with one unit have one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// Seed of the generator, made of key and context (and of the token, in self-hash schemes).
    pub seed: u128,
    /// The scored token.
    pub token: u32,
}

/// What a scheme gives a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// On the green list or not.
    Green(bool),
    /// −ln(1 − u), or a sum of such.
    Score(f64),
    /// One bit a layer, the first layer lowest.
    Layers(u64),
}

/// n windows of one width, the scored token last in each.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    tokens: &'a [u32],
    width: usize,
}

impl<'a> Windows<'a> {
    /// Shape: `tokens` is n × (`context` + 1), oldest context token first, the scored token last.
    ///
    /// # Panics
    /// When `tokens` is not whole windows.
    #[must_use]
    pub fn new(tokens: &'a [u32], context: usize) -> Self {
        assert!(
            tokens.len().is_multiple_of(context + 1),
            "expected whole windows of {}, got {}",
            context + 1,
            tokens.len()
        );
        Self { tokens, width: context + 1 }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len() / self.width
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Each as (context, token).
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a [u32], u32)> + use<'a> {
        let context = self.width - 1;
        self.tokens.chunks_exact(self.width).map(move |window| (&window[..context], window[context]))
    }
}

/// A response while it is being sampled.
#[derive(Clone, Copy, Debug)]
pub struct SoFar<'a> {
    /// Tokens of the prompt.
    pub prompt: &'a [u32],
    /// Tokens sampled already.
    pub response: &'a [u32],
}

/// What a key makes of the logits of a next token.
#[derive(Clone, Debug, PartialEq)]
pub enum Marked {
    /// The token itself: chance has no more part in it.
    Token(u32),
    /// A log score of each token of the vocabulary, −∞ for what is left out.
    Scores(Vec<f64>),
    /// The probability of each token, which need not sum to exactly 1.
    Probabilities(Vec<f64>),
}

impl Marked {
    /// The token at `uniform` in [0, 1), which is asked for where chance decides.
    pub fn draw(&self, uniform: &mut dyn FnMut() -> f64) -> u32 {
        match self {
            Self::Token(token) => *token,
            Self::Scores(scores) => sample::draw(&sample::softmax(scores), uniform()),
            Self::Probabilities(probabilities) => sample::draw(probabilities, uniform()),
        }
    }
}

/// One watermark under one key.
pub trait Scheme: Send + Sync {
    /// What it says of itself.
    fn traits(&self) -> Traits;

    /// Appends the unit of each window, in their order. Fast: no list is made here.
    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>);

    /// Appends the values of each unit, `payloads` of them in a row. Units sorted by seed are faster; the values are the same in
    /// any order.
    fn values(&self, units: &[Unit], values: &mut Vec<Value>);

    /// The same scheme and parameters under another key, made of 32 random bytes: decoys and calibration.
    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme>;

    /// Where the bits of a unit stand in one public table, read from a place that a layer's key shifts: layer l of the unit with seed u is
    /// entry (u + shift of l) modulo the table's length, and seeds are below it. Few seeds then serve many windows, and [`Null::Layers`]
    /// alone would take their bits for independent ones.
    fn shifted(&self) -> Option<std::sync::Arc<[u8]>> {
        None
    }

    /// What the next token of a response is sampled from once the key has had its say, given `logits` as in [`Scheme::plant`]: what a serving
    /// engine's own sampler gets. A scheme whose key picks the token, which is the case unless it says otherwise here, gives that token.
    ///
    /// # Errors
    /// As [`Scheme::plant`].
    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        self.plant(so_far, logits, sampling, uniform).map(Marked::Token)
    }

    /// Picks the next token of a response from `logits` (n = vocabulary, natural log, finite or −∞). `uniform` gives numbers in
    /// [0, 1) in order, for what the key does not decide.
    ///
    /// # Errors
    /// `Input` when the logits are NaN, +∞, all −∞ or not as many as the vocabulary.
    fn plant(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<u32>;
}

/// The windows of one text as `shape` reads them, each with the place of its token; nothing is masked.
///
/// # Example
/// ```
/// use stillhunt::watermark::{Once, Shape, text_windows};
/// let shape = Shape { context: 1, first: 1, pad: false, once: Once::Window, history: None, budget: None };
/// let windows: Vec<(usize, Vec<u32>)> = text_windows(&[5, 6, 7], shape).collect();
/// assert_eq!(windows, [(1, vec![5, 6]), (2, vec![6, 7])]);
/// ```
pub fn text_windows(tokens: &[u32], shape: Shape) -> impl Iterator<Item = (usize, Vec<u32>)> + '_ {
    (shape.first..tokens.len()).map(move |at| {
        let mut window = Vec::with_capacity(shape.context + 1);
        window.extend((at..shape.context).map(|_| PAD));
        window.extend_from_slice(&tokens[at.saturating_sub(shape.context)..=at]);
        (at, window)
    })
}

/// Values of every window of one text, nothing masked: n windows → n × payloads values.
///
/// # Errors
/// `Input` when the text has no window.
pub fn score_text(scheme: &dyn Scheme, tokens: &[u32]) -> Result<Vec<Value>> {
    let shape = scheme.traits().shape;
    let flat: Vec<u32> = text_windows(tokens, shape).flat_map(|(_, window)| window).collect();
    if flat.is_empty() {
        let expected = format!("expected more than {} tokens, got {}", shape.first, tokens.len());
        return Err(Error::new(ErrorKind::Input, expected));
    }
    let (mut units, mut values) = (Vec::new(), Vec::new());
    scheme.reduce(Windows::new(&flat, shape.context), &mut units);
    scheme.values(&units, &mut values);
    Ok(values)
}
