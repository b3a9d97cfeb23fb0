//! What a store says, as the flows read it: tables, texts and index of one commit, families and how they stand.

mod config;
pub(crate) mod fields;
pub(crate) mod fragment;
pub(crate) mod fragment_families;
mod identity;
pub(crate) mod known;
pub(crate) mod objects;
pub(crate) mod planting;
mod progress;
pub mod registry;
pub(crate) mod rings;
pub(crate) mod rows;
pub mod saved;
pub mod served;
pub(crate) mod standing;
pub(crate) mod totals;
pub(crate) mod view;

pub use config::{AuditConfig, FragmentConfig, KnownSource, KnownWhat, calibration};
pub(crate) use config::{recorded_calibration, recorded_thresholds, rule, rule_of, seed, shipped_calibration};
pub use identity::{check_identity, check_key};
pub use progress::{Progress, Silent};
