//! Golden vectors: what reference implementations computed, computed again. `STILLHUNT_GOLDEN` names the directory (default
//! `tests/golden`), whose files may hold other sequences, keys and parameters of the same form; `tests/golden/README.md` says what
//! must be equal and how closely. A file that is not there fails by name.
#![allow(clippy::disallowed_methods)]

#[path = "golden_checks/gumbel_vllm.rs"]
mod gumbel_vllm;
#[path = "golden_checks/kgw.rs"]
mod kgw;
#[path = "golden_checks/load.rs"]
mod load;
#[path = "golden_checks/plant.rs"]
mod plant;
#[path = "golden_checks/pvalues.rs"]
mod pvalues;
#[path = "golden_checks/radioactivity.rs"]
mod radioactivity;
#[path = "golden_checks/rng.rs"]
mod rng;
#[path = "golden_checks/sbw.rs"]
mod sbw;
#[path = "golden_checks/sglang.rs"]
mod sglang;
#[path = "golden_checks/synthid.rs"]
mod synthid;
#[path = "golden_checks/textseal.rs"]
mod textseal;
#[path = "golden_checks/three_bricks.rs"]
mod three_bricks;

#[test]
fn golden_kgw_hf_4_57_3() {
    kgw::check_4_57_3();
}

#[test]
fn golden_kgw_lefthash() {
    kgw::check("kgw_lefthash");
}

#[test]
fn golden_kgw_selfhash() {
    kgw::check("kgw_selfhash");
}

#[test]
fn golden_plant() {
    plant::check();
}

#[test]
fn golden_pvalues() {
    pvalues::check(&load::vectors("pvalues"));
}

#[test]
fn golden_radioactivity_closed() {
    radioactivity::check_closed();
}

#[test]
fn golden_radioactivity_open() {
    radioactivity::check_open();
}

#[test]
fn golden_rng() {
    rng::check();
}

#[test]
fn golden_synthid_gdm_main() {
    synthid::check_gdm_main();
}

#[test]
fn golden_synthid_hf() {
    synthid::check_hf();
}

#[test]
fn golden_sbw() {
    sbw::check();
}

#[test]
fn golden_sglang_gumbel() {
    sglang::check();
}

#[test]
fn golden_unigram() {
    kgw::check_unigram();
}

#[test]
fn golden_vllm_gumbel() {
    gumbel_vllm::check();
}

#[test]
fn golden_three_bricks() {
    three_bricks::check();
}

#[test]
fn golden_textseal() {
    textseal::check();
}
