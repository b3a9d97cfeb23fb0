//! Statistics: numbers in, numbers out.
//!
//! Each function states what is exact and what is approximate; each is tested against values of SciPy or mpmath. Tails are natural
//! logs of probabilities, without a floor: a p-value of 1e-100000 is a number like any other, and so is one of 1 − 1e-16.
//!
//! | question | function | exact |
//! |---|---|---|
//! | so many hits | [`ln_binomial_upper`], [`ln_hypergeometric_upper`] | yes |
//! | so large a sum of exponential scores | [`ln_gamma_upper`] | yes |
//! | so large a sum of weighted bits, of fused scores | [`ln_layers_upper`], [`ln_pair_upper`] | proven upper bound |
//! | the worst of many tests | [`holm`] | for any dependence |
//! | the share of false ones among those chosen | [`e_bh`] | for any dependence |
//! | do decoy keys calibrate | [`ln_uniformity`], [`ln_too_small`] | yes |
//! | what the rate may be | [`proportion_interval`], [`poisson_interval`], [`exponential_mean_interval`] | coverage at least the level |
//! | what a negative rules out | [`binomial_power`], [`gamma_power`] | the first |
//!
//! Every transcendental function is of `libm`, so the same arguments give the same bits on every machine.

mod binomial;
mod bound;
mod e_value;
mod gamma;
mod hypergeometric;
mod interval;
mod multiplicity;
mod normal;
mod power;
mod special;
mod uniform;

pub use binomial::{ln_binomial_lower, ln_binomial_mid, ln_binomial_point, ln_binomial_randomised, ln_binomial_upper};
pub use bound::{Layer, ln_copies_upper, ln_layers_upper, ln_pair_upper};
pub use e_value::{Draw, Sequence, e_bh, ln_e_more_hits, ln_e_of_p, ln_mean};
pub use gamma::{ln_gamma_lower, ln_gamma_upper};
pub use hypergeometric::ln_hypergeometric_upper;
pub use interval::{exponential_mean_interval, poisson_interval, proportion_interval};
pub use multiplicity::{bonferroni, fisher_combination, holm, holm_smallest, sidak, three_bricks_adjust};
pub use normal::ln_normal_sf;
pub use power::{binomial_critical, binomial_power, gamma_critical, gamma_power};
pub use uniform::{ks_distances, ln_ks_one_sided, ln_ks_two_sided, ln_randomised, ln_too_small, ln_uniformity};

#[cfg(test)]
mod tests;
