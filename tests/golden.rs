//! Golden vectors: what reference implementations computed, computed again. `STILLHUNT_GOLDEN` names the directory (default
//! `tests/golden`), whose files may hold other sequences, keys and parameters of the same form; `tests/golden/README.md` says what
//! must be equal and how closely. A file that is not there fails by name.
#![allow(clippy::disallowed_methods)]

#[path = "golden_checks/load.rs"]
mod load;
#[path = "golden_checks/rng.rs"]
mod rng;

#[test]
fn golden_rng() {
    rng::check();
}

#[path = "golden_checks/pvalues.rs"]
mod pvalues;

#[test]
fn golden_pvalues() {
    pvalues::check(&load::vectors("pvalues"));
}

#[path = "golden_checks/synthid.rs"]
mod synthid;

#[test]
fn golden_synthid_hf() {
    synthid::check_hf();
}

#[test]
fn golden_synthid_gdm_main() {
    synthid::check_gdm_main();
}

#[path = "golden_checks/plant_synthid.rs"]
mod plant_synthid;

#[test]
fn golden_part_plant_synthid() {
    plant_synthid::check(&load::vectors("plant"));
}

#[path = "golden_checks/gumbel_vllm.rs"]
mod gumbel_vllm;

#[test]
fn golden_vllm_gumbel() {
    gumbel_vllm::check();
}
