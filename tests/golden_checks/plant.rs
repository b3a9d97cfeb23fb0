//! plant.json: what the logits processors of the references do to generated scores, one file of checks for each.

#[path = "plant_kgw.rs"]
mod kgw;
#[path = "plant_synthid.rs"]
mod synthid;

use serde_json::Value;

/// The scores that the vectors name by a seed: single precision, in [−5, 5).
pub(crate) fn lcg_scores(seed: u32, n: usize) -> Vec<f32> {
    let mut x = seed;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from((x >> 8) & 0x00ff_ffff) / f64::from(1 << 24) * 10.0 - 5.0) as f32
    };
    (0..n).map(|_| next()).collect()
}

pub(crate) fn check() {
    let file: Value = crate::load::vectors("plant");
    kgw::check_transformers(&file);
    kgw::check_lm_watermarking(&file);
    synthid::check(&file);
    crate::three_bricks::check_plant(&file);
}
