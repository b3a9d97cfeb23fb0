//! Length classes of prompts: the threshold of the judge is calibrated for every two of them.
//!
//! Weakness: a class is eightfold wide, so rates within one are those of its mixture.

/// Length classes: the bytes of folded text from which each begins. The first holds what is no trivial text.
pub const LENGTHS: [usize; 5] = [0, 128, 1_024, 8_192, 65_536];

/// Distinct prompts of each length class.
pub type Lengths = [u64; LENGTHS.len()];

/// A threshold for every two length classes, in either order.
pub type Thresholds = [[f32; LENGTHS.len()]; LENGTHS.len()];

/// The class of a folded text of so many bytes, an index into [`LENGTHS`].
#[must_use]
pub fn length_class(bytes: usize) -> usize {
    LENGTHS.partition_point(|&from| from <= bytes) - 1
}

/// The words of a length class, in bytes.
#[must_use]
pub fn length_words(class: usize) -> &'static str {
    ["under 128", "128 to 1,023", "1,024 to 8,191", "8,192 to 65,535", "65,536 or more"][class.min(LENGTHS.len() - 1)]
}

/// A store of `n` prompts whose lengths are mixed as in `prompts`.
#[must_use]
pub fn in_proportion(prompts: &Lengths, n: u64) -> Lengths {
    let all = prompts.iter().sum::<u64>().max(1) as f64;
    prompts.map(|part| (part as f64 * n as f64 / all).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_one_class() {
        assert_eq!([0, 127, 128, 1_023, 1_024, 8_192, 65_536, usize::MAX].map(length_class), [0, 0, 1, 1, 2, 3, 4, 4]);
        assert_eq!(length_words(4), "65,536 or more");
        assert_eq!(in_proportion(&[60_000, 40_000, 0, 0, 0], 10), [6, 4, 0, 0, 0]);
    }
}
