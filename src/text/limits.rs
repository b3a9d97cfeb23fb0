//! Bounds on the work that one text may cause, each with its reason.
//!
//! Texts are written by attackers too. Whatever costs more than one linear pass over the text stops at a bound named here,
//! and the page of the function says so. Weakness: what lies beyond a bound is not seen by that function.

/// How many bytes of a folded text the lexical judge reads: as many as are fingerprinted. Of long texts it samples the grams, so
/// that a comparison costs one pass over the text and some thousand look-ups.
pub const JUDGED_BYTES: usize = 1 << 20;

/// How many characters are read to decide whether two texts are unrelated.
pub const RUN_CHARS: usize = 32_768;

/// Under this many folded characters a text is trivial ("yes, go on"): containment of so little proves nothing.
pub const TRIVIAL_CHARS: usize = 24;

/// Under this many words a text is trivial.
pub const TRIVIAL_WORDS: usize = 5;

/// Under this many characters a text that is mostly Chinese or Japanese is trivial: a character there is about a word.
pub const TRIVIAL_CJK_CHARS: usize = 10;

/// How many characters are read to decide whether a text is trivial. What has fewer than five words in 4,096 characters is a
/// blob of data, and a shared blob is no triviality.
pub const TRIVIAL_SCAN: usize = 4_096;

/// The shortest run of base64 letters that is tried: 40 letters are 30 bytes, and random bytes that long are readable text
/// with a probability below 10⁻¹². Shorter runs are words, paths and identifiers.
pub const BASE64_RUN: usize = 40;

/// How many decoded views one text may have.
pub const MAX_VIEWS: usize = 8;

/// How many runs of one text are tried; a log of digests holds thousands of them, none of which is text.
pub const MAX_RUNS_TRIED: usize = 64;

/// How many bytes all decoded views of one text may hold together.
pub const VIEW_BYTES: usize = 65_536;

/// How often case and look-alikes are folded until nothing changes. Two or three rounds do for every text that the tests try,
/// each code point among them; the bound is for what nobody thought of.
pub const FOLD_ROUNDS: usize = 6;

/// Latin letters that a word needs before a Greek letter of formulas (α, ι, κ, ν, ρ, υ) counts as a look-alike in it: `ραssword`
/// is a disguise, `αx` and `νt` are mathematics.
pub const LATIN_FOR_FORMULA_LETTERS: usize = 3;

/// How many bytes of a folded text are fingerprinted. Longer prompts are documents; 1 MiB is 170,000 words.
pub const PRINTED_BYTES: usize = 1 << 20;
