//! What the reference detectors of the green-list schemes report of hits: z, its normal p, running z, the best window.
//!
//! These are labels for comparison with other programs, not evidence: z takes the share of the list as `greenlist_ratio` and not as
//! the exact ⌊V · ratio⌋ / V, its p is an approximation, and the best of many windows is not corrected for their number.
//!
//! Source: transformers 5.23.0, `watermarking.py`; lm-watermarking fb602de, `extended_watermark_processor.py`; Kirchenbauer et al.
//! 2023, section 2. Null: hits are independent with probability `share`. When not to use it: for a decision.

/// z of `green` hits among `n`.
#[must_use]
pub fn z(green: usize, n: usize, share: f64) -> f64 {
    (green as f64 - share * n as f64) / (n as f64 * share * (1.0 - share)).sqrt()
}

/// Its upper tail under the normal distribution.
#[must_use]
pub fn p_value(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// z after each hit or miss, in single precision as the reference has it.
#[must_use]
pub fn running_z(hits: &[bool], share: f64) -> Vec<f32> {
    let mut green = 0u32;
    let each = hits.iter().zip(1u32..).map(|(&hit, n)| {
        green += u32::from(hit);
        let enumerator = green as f32 - share as f32 * n as f32;
        enumerator / (n as f32 * share as f32 * (1.0 - share) as f32).sqrt()
    });
    each.collect()
}

/// The best window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its length in hits and misses.
    pub size: usize,
    /// Its hits.
    pub green: usize,
    /// Its z, at least 0.
    pub z: f32,
}

/// The window of largest z, of every start and of these sizes; of equal ones, of the first size. None when no size fits.
#[must_use]
pub fn best_window(hits: &[bool], sizes: &[usize], share: f64) -> Option<Window> {
    let mut sums = vec![0usize];
    hits.iter().for_each(|&hit| sums.push(sums[sums.len() - 1] + usize::from(hit)));
    let mut best: Option<(usize, f32)> = None;
    let mut fits = false;
    for &size in sizes {
        let fitting = size > 0 && size <= hits.len();
        fits |= fitting;
        // A size that does not fit counts as z = 0 in the reference.
        let most = if fitting { (size..sums.len()).map(|end| sums[end] - sums[end - size]).max() } else { None };
        let deviation = (size as f64 * share * (1.0 - share)).sqrt() as f32;
        let z = most.map_or(0.0, |green| (green as f32 - (share * size as f64) as f32) / deviation);
        if best.is_none_or(|(_, other)| z > other) {
            best = Some((size, z));
        }
    }
    let (size, z) = best.filter(|_| fits)?;
    let deviation = (size as f64 * share * (1.0 - share)).sqrt() as f32;
    let green = (z * deviation + (share * size as f64) as f32) as usize;
    Some(Window { size, green, z })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_hits_is_the_best_window() {
        let hits: Vec<bool> = (0..40).map(|i| (10..20).contains(&i)).collect();
        let best = best_window(&hits, &[5, 10, 20, 80], 0.25).unwrap();
        assert_eq!((best.size, best.green), (10, 10));
        assert!((f64::from(best.z) - z(10, 10, 0.25)).abs() < 1e-6);
        assert!(best_window(&hits, &[80], 0.25).is_none());
        assert_eq!(running_z(&hits, 0.25).len(), 40);
        assert!((p_value(0.0) - 0.5).abs() < 1e-15);
    }
}
