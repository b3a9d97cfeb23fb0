//! Controls under the true key: texts that cannot have learned it, tested in the same contexts with the same filter.
//!
//! The control that is always at hand is the evidence itself, dealt anew: each context keeps its place and gets a token that the suspect
//! said after another context. Whatever the suspect learned of the key's row for a context is gone, and all that it knows of the language
//! and all that the filter may do wrong is left: a filter that looks at tokens passes green ones whoever said them, and this control shows it.
//!
//! Weakness: dealing breaks the language, so it does not show what a clean model would say in these contexts; give one where there is one. A
//! scheme without contexts has one list for all, which dealing does not break: there only a clean text is a control. Guarantee: the same seed
//! deals the same.

use crate::detect::decoys::LOG10_E;
use crate::detect::p_value::Law;
use crate::detect::tally::Tally;
use crate::detect::windows::{Corpus, Seen};
use crate::watermark::{Scheme, Unit, Windows};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rayon::prelude::*;
use serde::Serialize;

/// What a control is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlKind {
    /// The suspect's own tokens, in other contexts.
    Dealt,
    /// What a model that never saw ours said, or people wrote.
    Clean,
}

/// A control and what the test says of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Control {
    /// What it is.
    pub kind: ControlKind,
    /// What it is called.
    pub name: String,
    /// Distinct windows that were scored.
    pub scored: u64,
    /// Their statistic.
    pub statistic: f64,
    /// It a window.
    pub rate: f64,
    /// log10 p under the true key, of the smallest payload.
    pub log10_p: f64,
    /// log10 p that it would have had with the suspect's rate: whether it is large enough to show anything.
    pub log10_p_at_the_suspects_rate: f64,
}

impl Control {
    pub(super) fn new(kind: ControlKind, name: &str, law: &Law, tally: &Tally, ln_p: f64, suspect: f64) -> Self {
        let (scored, statistic) = (tally.scored(), tally.statistic());
        let as_suspect = law.ln_p(scored, (suspect * scored as f64).floor());
        Self {
            kind,
            name: name.to_owned(),
            scored,
            statistic,
            rate: statistic / (scored as f64).max(1.0),
            log10_p: ln_p * LOG10_E,
            log10_p_at_the_suspects_rate: as_suspect * LOG10_E,
        }
    }
}

/// Why these controls forbid a verdict; `marked` is whether the suspect's own p would give one.
pub(super) fn against(controls: &[Control], least: f64, marked: bool) -> Option<String> {
    let limit = libm::log10(least / controls.len().max(1) as f64);
    if let Some(control) = controls.iter().find(|control| control.log10_p < limit) {
        return Some(format!(
            "the control {} is marked under the true key (log10 p {:.2}, below {limit:.2}): the test does not hold on this text",
            control.name, control.log10_p
        ));
    }
    let shows = |control: &Control| control.log10_p_at_the_suspects_rate <= limit;
    if marked && !controls.iter().any(shows) {
        return Some(match controls.first() {
            None => "no control under the true key was run: give --control a text of a model that never saw yours"
                .to_owned(),
            Some(_) => "no control is large enough to have shown what the suspect shows".to_owned(),
        });
    }
    None
}

/// Clean texts that could not have shown what the suspect shows.
pub(super) fn too_small(controls: &[Control], least: f64) -> impl Iterator<Item = &str> {
    let limit = libm::log10(least / controls.len().max(1) as f64);
    let small = move |of: &&Control| of.kind == ControlKind::Clean && of.log10_p_at_the_suspects_rate > limit;
    controls.iter().filter(small).map(|of| &of.name[..])
}

/// The windows of `corpus` with their tokens dealt to other contexts. What the suspect itself said (a pair of seed and token) is left out,
/// so that none of its own choices comes back by chance. In order, distinct.
pub(super) fn dealt(scheme: &dyn Scheme, corpus: &Corpus, tokens: &[u32], seed: u64) -> Vec<Seen> {
    let seen = corpus.seen();
    let mut dealt: Vec<u32> = seen.iter().map(Seen::token).collect();
    dealt.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
    let dealt = seen.iter().zip(dealt).map(|(seen, token)| Seen::new(seen.key(), token, seen.place()));
    let mut dealt: Vec<Seen> = dealt.collect();
    let window = |seen: &Seen| (seen.key(), seen.token());
    if scheme.traits().collapses {
        let mut said = units(scheme, corpus, seen, tokens);
        said.par_sort_unstable();
        let of_dealt = units(scheme, corpus, &dealt, tokens);
        let new = dealt.into_iter().zip(of_dealt).filter(|(_, unit)| said.binary_search(unit).is_err());
        dealt = new.map(|(seen, _)| seen).collect();
    }
    // Contexts stand in order already: only the tokens of one context have to be brought in order.
    dealt.chunk_by_mut(|a, b| a.key() == b.key()).for_each(<[Seen]>::sort_unstable);
    dealt.dedup_by_key(|seen| window(seen));
    // Both are in order, so one walk finds what was said.
    let mut at = 0;
    dealt.retain(|dealt| {
        while at < seen.len() && window(&seen[at]) < window(dealt) {
            at += 1;
        }
        seen.get(at).is_none_or(|said| window(said) != window(dealt))
    });
    dealt
}

/// The unit of each window.
fn units(scheme: &dyn Scheme, corpus: &Corpus, seen: &[Seen], tokens: &[u32]) -> Vec<Unit> {
    let context = scheme.traits().shape.context;
    let of_chunk = |chunk: &[Seen]| {
        let (mut flat, mut units) = (Vec::new(), Vec::with_capacity(chunk.len()));
        corpus.unpack(chunk, tokens, &mut flat);
        scheme.reduce(Windows::new(&flat, context), &mut units);
        units
    };
    seen.par_chunks(1 << 13).flat_map_iter(of_chunk).collect()
}
