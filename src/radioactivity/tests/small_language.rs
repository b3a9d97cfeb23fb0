//! A small language for tests: a teacher that plants, and students that learn from what they read.
//!
//! Who includes this file names the items of the library that it uses (it is part of the library's tests and of the command line's).

use super::{Sampling, Scheme, SoFar, Text, draw, softmax};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

/// Words of the language.
pub(crate) const VOCAB: u32 = 600;

/// What may follow two tokens: eight words, each three quarters as likely as the one before.
fn language(context: &[u32]) -> Vec<f32> {
    let mut row = vec![f32::NEG_INFINITY; VOCAB as usize];
    let bytes: Vec<u8> = context[context.len() - 2..].iter().flat_map(|token| token.to_le_bytes()).collect();
    let digest = blake3::hash(&bytes);
    for (rank, pair) in digest.as_bytes().chunks_exact(2).take(8).enumerate() {
        let token = usize::from(u16::from_le_bytes([pair[0], pair[1]])) % VOCAB as usize;
        row[token] = row[token].max(-0.3 * rank as f32);
    }
    row
}

/// Texts of 200 tokens that the teacher writes, with the mark of `scheme` or without one.
pub(crate) fn teacher(scheme: Option<&dyn Scheme>, texts: usize, seed: u64) -> Vec<Text> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut write = || {
        let mut tokens = vec![rng.random_range(0..VOCAB), rng.random_range(0..VOCAB)];
        while tokens.len() < 200 {
            let logits = language(&tokens);
            let so_far = SoFar { prompt: &[], response: &tokens };
            let mut uniform = || rng.random::<f64>();
            let next = match scheme {
                Some(scheme) => scheme.plant(so_far, &logits, &Sampling::default(), &mut uniform).expect("finite"),
                None => draw(&softmax(&logits.iter().map(|x| f64::from(*x)).collect::<Vec<_>>()), uniform()),
            };
            tokens.push(next);
        }
        Text { tokens, prompt: None }
    };
    (0..texts).map(|_| write()).collect()
}

/// A student that says after two tokens what it read after them, and the language's words where it read nothing.
pub(crate) fn student(read: &[Text], texts: usize, seed: u64) -> Vec<Text> {
    let mut follow: HashMap<&[u32], Vec<u32>> = HashMap::new();
    for text in read {
        text.tokens.windows(3).for_each(|window| follow.entry(&window[..2]).or_default().push(window[2]));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut write = || {
        // It begins as its readers do, so that what it says is near what it read.
        let begin = &read[rng.random_range(0..read.len())].tokens[..2];
        let mut tokens = begin.to_vec();
        while tokens.len() < 200 {
            let next = match follow.get(&tokens[tokens.len() - 2..]) {
                Some(words) if rng.random::<f64>() < 0.7 => words[rng.random_range(0..words.len())],
                _ => {
                    let scores: Vec<f64> = language(&tokens).iter().map(|x| f64::from(*x)).collect();
                    draw(&softmax(&scores), rng.random())
                }
            };
            tokens.push(next);
        }
        Text { tokens, prompt: None }
    };
    (0..texts).map(|_| write()).collect()
}
