//! The flow of combining sets of contexts: several in order → one, in a stream.

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Digest;
use crate::store::Mapped;
use crate::store::contexts::{Contexts, Facts, write};
use crate::store::sorted::merged;
use std::collections::BTreeSet;
use std::io::Write;

/// How sets become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// What any of them has.
    Union,
    /// What all of them have.
    Intersect,
    /// What the first has and no other.
    Subtract,
}

impl Combine {
    fn word(self) -> &'static str {
        match self {
            Self::Union => "union",
            Self::Intersect => "intersection",
            Self::Subtract => "difference",
        }
    }
}

/// Combines sets into one, in a stream.
/// # Errors
/// `Input` when the sets hold contexts of different kinds; `Io` when `out` fails.
pub fn combine(sets: &[(String, Contexts<Mapped>)], how: Combine, out: &mut dyn Write) -> Result<Facts> {
    let Some(((first_name, first), others)) = sets.split_first() else {
        return Err(Error::new(ErrorKind::Config, "expected sets of contexts, got none"));
    };
    let kind = |facts: &Facts| (facts.width, facts.vocab, facts.tokenizer.clone());
    if let Some((name, other)) = others.iter().find(|(_, other)| kind(other.facts()) != kind(first.facts())) {
        let told = |facts: &Facts| {
            let tokenizer = facts.tokenizer.as_deref().map_or("none", |digest| &digest[..digest.len().min(16)]);
            format!("contexts of {} tokens of {} (tokenizer {tokenizer})", facts.width, facts.vocab)
        };
        let (expected, got) = (told(first.facts()), told(other.facts()));
        return Err(Error::new(
            ErrorKind::Input,
            format!("{name}: expected {expected}, as {first_name} has, got {got}"),
        ));
    }
    let word = how.word();
    let digests: Vec<String> = sets.iter().map(|(_, set)| set.digest().to_string()).collect();
    let of: Vec<String> = sets.iter().map(|(_, set)| format!("({})", set.facts().selection)).collect();
    let schemes: BTreeSet<&str> = sets.iter().map(|(_, set)| set.facts().scheme.as_str()).collect();
    // What is taken away was not read for what is left.
    let read = if how == Combine::Subtract { &sets[..1] } else { sets };
    let facts = Facts {
        scheme: schemes.into_iter().collect::<Vec<&str>>().join(", "),
        selection: format!("{word} of {}", of.join(", ")),
        selection_digest: Digest::of(format!("{word}\n{}", digests.join("\n")).as_bytes()).to_string(),
        responses: read.iter().map(|(_, set)| set.facts().responses).sum(),
        tokens: read.iter().map(|(_, set)| set.facts().tokens).sum(),
        ..first.facts().clone()
    };
    // Equal contexts come in the order of the sets.
    let mut all = merged(sets.iter().map(|(_, set)| set.iter()).collect()).peekable();
    let next = || {
        loop {
            let (from, context) = all.next()?;
            let mut holders = 1;
            while all.next_if(|(_, next)| *next == context).is_some() {
                holders += 1;
            }
            let keep = match how {
                Combine::Union => true,
                Combine::Intersect => holders == sets.len(),
                Combine::Subtract => from == 0 && holders == 1,
            };
            if keep {
                return Some(context);
            }
        }
    };
    write(std::iter::from_fn(next), facts, out)
}
