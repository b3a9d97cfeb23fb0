//! `kgw`, as three_bricks does it: a green list from a generator seeded by the context.
//!
//! # Algorithm
//! The first ⌊gamma · V⌋ tokens of `randperm(V)` from the seeded generator are green; planting adds `delta` to their logits before the
//! temperature. Payload m makes token t green where (t + m) mod V is on the list.
//!
//! Source: Kirchenbauer et al. 2023; Fernandez et al. 2023, sections II and III; three_bricks ee9c7a2, `MarylandGenerator`, `MarylandDetector`.
//!
//! # Null
//! Given text that does not depend on the key, each seed's list is any list of its size with equal probability. The binomial tail with the list's
//! true share bounds the hits of distinct (seed, token) pairs, as `detect::p_value` proves. Assumes that the Mersenne Twister's permutations
//! under 32-bit seeds behave as random ones.
//!
//! # What a negative does not show
//! As for the native `green-list`: likely tokens carry little.
//!
//! # Wrong on purpose
//! See [`super`]. The bias is divided by the temperature. The reference's share is gamma and not ⌊gamma · V⌋ / V, and its detector takes the
//! tokenizer's size for V where its generator takes the width of the logits; here `vocab_size` is both.
//!
//! # When not to use it
//! For a new deployment: 32 bits of seed can be searched. Use `green-list`, native.

use super::{HASH, NGRAM, PAYLOAD, PAYLOAD_MAX, SALT, SEED, Seeding};
use crate::error::Result;
use crate::watermark::about::{About, Field, Opened, Secret};
use crate::watermark::fields::Fields;
use crate::watermark::green::Lists;
use crate::watermark::profile::Profile;
use crate::watermark::sample::{Sampling, check_logits, warp};
use crate::watermark::{Marked, Null, Scheme, SoFar, Traits, Unit, Value, Windows};

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "kgw",
    dialect: "three_bricks",
    source: "Kirchenbauer et al. 2023; three_bricks ee9c7a2",
    fields: &[
        SEED,
        SALT,
        HASH,
        NGRAM,
        Field { name: "gamma", default: Some("0.5"), about: "share of green tokens, 0.001 to 0.999" },
        Field { name: "delta", default: Some("1.0"), about: "added to the logits of green tokens, -100 to 100" },
        PAYLOAD,
        PAYLOAD_MAX,
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
    ],
    secret: &[("seed", Secret::Int(63)), ("salt_key", Secret::Int(63))],
    planted_by: "three_bricks' own generator",
    faults: "only 32 bits of the seed matter; the payload is a shift of one list",
    open,
};

/// The scheme under one key.
#[derive(Clone)]
pub struct Maryland {
    seeding: Seeding,
    lists: Lists,
    delta: f64,
}

impl Maryland {
    /// Over `vocab` tokens.
    ///
    /// # Errors
    /// `Config` when the list is none or all of the vocabulary.
    pub fn new(seeding: Seeding, gamma: f64, delta: f64, vocab: u32) -> Result<Self> {
        Ok(Self { seeding, lists: Lists::new(Profile::Cpu, vocab, gamma, false)?, delta })
    }

    /// Tokens whose logits are raised after this seed, ascending.
    #[must_use]
    pub fn biased(&self, seed: u64) -> Vec<u32> {
        let vocab = self.lists.vocab();
        let shift = vocab - self.seeding.payload % vocab;
        let mut tokens: Vec<u32> = self.lists.list(seed).into_iter().map(|token| (token + shift) % vocab).collect();
        tokens.sort_unstable();
        tokens
    }
}

fn open(fields: &Fields) -> Result<Opened> {
    let seeding = Seeding::from_fields(fields)?;
    let gamma = fields.number("gamma", Some(0.5), 0.001, 0.999)?;
    let delta = fields.number("delta", Some(1.0), -100.0, 100.0)?;
    let scheme = Maryland::new(seeding, gamma, delta, fields.vocab()?)?;
    Ok(Opened { published: seeding.published(), ..Opened::native(Box::new(scheme)) })
}

impl Scheme for Maryland {
    fn traits(&self) -> Traits {
        Traits {
            shape: self.seeding.shape(),
            null: Null::List { list: self.lists.size(), vocab: self.lists.vocab() },
            payloads: self.seeding.payload_max as usize + 1,
            collapses: true,
            cost: self.lists.cost(),
            vocab: self.lists.vocab(),
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        self.seeding.reduce(windows, units);
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        let payloads = self.seeding.payload_max + 1;
        if payloads == 1 {
            return self.lists.values(units, values);
        }
        let vocab = u64::from(self.lists.vocab());
        let shifted = |unit: &Unit| {
            let unit = *unit;
            let token = move |payload: u32| ((u64::from(unit.token) + u64::from(payload)) % vocab) as u32;
            (0..payloads).map(move |payload| Unit { token: token(payload), ..unit })
        };
        self.lists.values(&units.iter().flat_map(shifted).collect::<Vec<_>>(), values);
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        Box::new(Self { seeding: self.seeding.with_key(material), ..self.clone() })
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        _: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.lists.vocab())?;
        let mut raised = logits.to_vec();
        if let Some(seed) = self.seeding.planting_seed(so_far) {
            self.biased(seed).into_iter().for_each(|token| raised[token as usize] += self.delta as f32);
        }
        Ok(Marked::Scores(warp(&raised, sampling)))
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
