//! Planting where a model is served: a batch of requests, and the logits of their next tokens.
//!
//! # The idea
//! A serving engine has a row of logits for each request. Each row is marked by itself, rows in parallel, and written over in place: with the
//! scores that the engine's sampler is to draw from, or with the drawn token alone (0, and −∞ for all others), which every sampler then
//! picks. What chance decides is drawn from the request's seed and the number of the step alone, so that a request that is preempted,
//! moved to another row or resumed elsewhere goes on as if nothing had been; and so a response is the one that
//! [`super::watermark::plant`] samples from the same logits.
//!
//! Weakness: scores are single precision, as engines have them; a token that is drawn here is drawn from double precision.
//! Guarantee: a row depends on its request alone, not on the other rows or on the number of threads.

use crate::error::{Error, ErrorKind, Result};
use crate::watermark::sample::{Sampling, argmax};
use crate::watermark::{Marked, Scheme, SoFar};
use rand::{Rng as _, SeedableRng as _};
use rayon::prelude::*;

/// Who draws the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The engine, from the scores that are written; where the key picks the token, it is the only one left.
    Engine,
    /// We: the token is the only one left.
    Drawn,
    /// Nobody: the token of the largest marked score is the only one left. A scheme whose key picks the token leaves such a row as it
    /// is, since without chance there is nothing that the key could decide.
    Greedy,
}

/// A request and the response so far.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What marks it; none leaves the row as it is.
    pub scheme: Option<&'a dyn Scheme>,
    /// Prompt and response.
    pub so_far: SoFar<'a>,
    /// How the engine samples it. Where the engine draws, its own temperature, top-k and top-p are to be neutral.
    pub sampling: Sampling,
    /// What chance follows.
    pub seed: u64,
    /// Who draws.
    pub choice: Choice,
}

/// Uniform numbers of a step: each step has a stream of its own.
pub(super) fn uniforms(seed: u64, step: usize) -> impl FnMut() -> f64 {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step as u64);
    move || rng.random::<f64>()
}

/// Marks the logits of each request's next token, in place. Shape: n requests, n × `vocabulary` logits.
///
/// # Errors
/// `Input` when the logits are not n rows, or a row is not as wide as its scheme's vocabulary, or holds NaN, +∞ or nothing above
/// −∞; the first such row is named, and no token may be drawn from any of them.
pub fn mark_rows(requests: &[Request<'_>], logits: &mut [f32], vocabulary: usize) -> Result<()> {
    if logits.len() != requests.len().saturating_mul(vocabulary) {
        let message = format!("expected {} rows of {vocabulary} logits, got {}", requests.len(), logits.len());
        return Err(Error::new(ErrorKind::Input, message));
    }
    if requests.is_empty() || vocabulary == 0 {
        return Ok(());
    }
    // One request is the common case of a batch of one: starting another thread for it would only cost.
    let marked: Vec<Result<()>> = match requests {
        [one] => vec![mark_row(one, logits)],
        _ => logits
            .par_chunks_mut(vocabulary)
            .zip(requests)
            .with_max_len(1)
            .map(|(row, request)| mark_row(request, row))
            .collect(),
    };
    let named = |(row, result): (usize, Result<()>)| result.map_err(|error| error.at(format!("row {row}")));
    marked.into_iter().enumerate().try_for_each(named)
}

fn mark_row(request: &Request<'_>, row: &mut [f32]) -> Result<()> {
    let Some(scheme) = request.scheme else { return Ok(()) };
    let mut uniform = uniforms(request.seed, request.so_far.response.len());
    let marked = scheme.mark(request.so_far, row, &request.sampling, &mut uniform)?;
    let token = match (request.choice, marked) {
        (Choice::Greedy, Marked::Token(_)) => return Ok(()),
        (Choice::Greedy, Marked::Scores(scores) | Marked::Probabilities(scores)) => argmax(&scores),
        (Choice::Drawn, marked) => marked.draw(&mut uniform),
        (Choice::Engine, Marked::Token(token)) => token,
        (Choice::Engine, Marked::Scores(scores)) => {
            row.iter_mut().zip(scores).for_each(|(to, score)| *to = score as f32);
            return Ok(());
        }
        (Choice::Engine, Marked::Probabilities(probabilities)) => {
            row.iter_mut().zip(probabilities).for_each(|(to, p)| *to = (p as f32).ln());
            return Ok(());
        }
    };
    row.fill(f32::NEG_INFINITY);
    row[token as usize] = 0.0;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::watermark::plant;
    use super::*;
    use crate::watermark::catalogue;
    use crate::watermark::keys::TreeKey;

    const VOCAB: usize = 97;

    /// Every scheme that a key can be drawn for, with what its fields must say.
    fn schemes() -> Vec<(String, Box<dyn Scheme>)> {
        let opened = catalogue::ALL.iter().map(|about| {
            let mut table = TreeKey::root([7; 32]).fields(about);
            table.insert("scheme".into(), about.scheme.into());
            table.insert("dialect".into(), about.dialect.into());
            if about.fields.iter().any(|field| field.name == "vocab_size") {
                table.insert("vocab_size".into(), (VOCAB as i64).into());
            }
            let opened = (about.open)(&crate::watermark::fields::Fields::new(table));
            (format!("{} {}", about.scheme, about.dialect), opened.expect("a scheme").scheme)
        });
        opened.collect()
    }

    fn logits(steps: usize) -> ndarray::Array2<f32> {
        let mut uniform = uniforms(5, 0);
        ndarray::Array2::from_shape_simple_fn((steps, VOCAB), || 6.0 * uniform() as f32)
    }

    #[test]
    fn a_batch_gives_the_tokens_that_plain_planting_gives() {
        let (logits, prompt) = (logits(40), [3, 1, 4, 1, 5, 9, 2, 6]);
        let sampling = Sampling { temperature: 0.8, top_k: 30, top_p: 0.95 };
        for (name, scheme) in schemes() {
            let plain: Vec<Vec<u32>> = (0..3)
                .map(|seed| plant(&*scheme, logits.view(), &prompt, &sampling, seed).expect("finite logits"))
                .collect();
            for step in 0..logits.nrows() {
                let request = |seed: usize| Request {
                    scheme: (seed < 3).then_some(&*scheme),
                    so_far: SoFar { prompt: &prompt, response: &plain[seed % 3][..step] },
                    sampling,
                    seed: seed as u64,
                    choice: Choice::Drawn,
                };
                let requests: Vec<Request<'_>> = (0..4).map(request).collect();
                let row = logits.row(step).to_vec();
                let mut rows = row.repeat(4);
                mark_rows(&requests, &mut rows, VOCAB).expect("finite logits");
                for (seed, tokens) in plain.iter().enumerate() {
                    let of_seed = &rows[seed * VOCAB..(seed + 1) * VOCAB];
                    assert_eq!(of_seed[tokens[step] as usize], 0.0, "{name} {seed} {step}");
                    assert_eq!(of_seed.iter().filter(|x| **x > f32::NEG_INFINITY).count(), 1, "{name}");
                }
                assert_eq!(rows[3 * VOCAB..], row, "{name}: what nothing marks stays");
            }
        }
    }

    #[test]
    fn the_engine_gets_scores_and_greed_the_largest_of_them() {
        let (logits, prompt) = (logits(1), [3, 1, 4, 1, 5, 9, 2, 6]);
        for (name, scheme) in schemes() {
            let row = |choice| {
                let so_far = SoFar { prompt: &prompt, response: &[8, 9, 10, 11, 12] };
                let request =
                    Request { scheme: Some(&*scheme), so_far, sampling: Sampling::default(), seed: 1, choice };
                let mut row = logits.row(0).to_vec();
                mark_rows(&[request], &mut row, VOCAB).expect("finite logits");
                row
            };
            let (engine, greedy) = (row(Choice::Engine), row(Choice::Greedy));
            let best = |row: &[f32]| argmax(&row.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>());
            let left = engine.iter().filter(|x| **x > f32::NEG_INFINITY).count();
            if left == 1 {
                assert_eq!(greedy, logits.row(0).to_vec(), "{name}: the key has nothing to decide");
            } else {
                assert_eq!(best(&engine), best(&greedy), "{name}");
                assert_eq!(left, VOCAB, "{name}");
            }
        }
    }

    #[test]
    fn a_wrong_row_is_named() {
        let scheme = &schemes()[0].1;
        let request = Request {
            scheme: Some(&**scheme),
            so_far: SoFar { prompt: &[1], response: &[] },
            sampling: Sampling::default(),
            seed: 0,
            choice: Choice::Engine,
        };
        let mut rows = vec![0.0; 2 * VOCAB];
        rows[VOCAB + 5] = f32::NAN;
        let error = mark_rows(&[request; 2], &mut rows, VOCAB).expect_err("NaN");
        assert_eq!(error.to_string(), "row 1: expected finite logits or -inf, got NaN for token 5");
        let error = mark_rows(&[request], &mut rows, VOCAB).expect_err("two rows");
        assert_eq!(error.to_string(), "expected 1 rows of 97 logits, got 194");
        let error = mark_rows(&[request; 2], &mut rows[..20], 10).expect_err("narrow rows");
        assert_eq!(error.to_string(), "row 0: expected 97 logits, got 10");
    }
}
