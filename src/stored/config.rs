//! How a store is audited and asked: the configuration, and the rule of families that it makes of the store's calibration.

use crate::error::{Error, ErrorKind, Result};
use crate::family::calibrate::Calibration;
use crate::family::judge::{RULE_VERSION, Rule};
use crate::family::length::{Lengths, Thresholds};
use crate::ids::Digest;
use crate::log::LogConfig;
use crate::ring::RingConfig;
use crate::store::Store;
use crate::store::custody::Act;

/// How a night is audited.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// How logs are read.
    pub log: LogConfig,
    /// Seed of the leaders.
    pub seed: u64,
    /// Largest share of bad rows, in [0, 1]; more of them stop the job before anything is committed.
    pub max_bad_share: f64,
    /// Whether the quarantine file holds the raw bytes of bad rows.
    pub keep_bad_rows: bool,
    /// Bad rows that the quarantine file holds; the others are counted only.
    pub max_quarantine_rows: u64,
    /// Whether no rows at all are as good as some.
    pub allow_empty: bool,
    /// Unrelated neighbours of a prompt that the threshold may let through, at the store's size.
    pub expected_neighbours: f64,
    /// A threshold that replaces the calibrated one.
    pub threshold: Option<f64>,
    /// Nights, tonight included, of whose prompts in no family new ones are compared with; 0 for all.
    pub compared_nights: u32,
    /// How fragments are looked for.
    pub fragments: FragmentConfig,
    /// How groups of accounts are chosen; none for as they were chosen before.
    pub rings: Option<RingConfig>,
    /// What the model is called in reports.
    pub model_name: String,
    /// Names this writer to a second one.
    pub holder: String,
    /// What the chain of custody is to be told; the audit adds what it read.
    pub act: Option<Act>,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            log: LogConfig::default(),
            seed: 1,
            max_bad_share: 0.5,
            keep_bad_rows: false,
            max_quarantine_rows: 100_000,
            allow_empty: false,
            expected_neighbours: 0.01,
            threshold: None,
            compared_nights: 28,
            fragments: FragmentConfig::default(),
            rings: None,
            model_name: "shipped".into(),
            holder: "another stillhunt".into(),
            act: None,
        }
    }
}

/// The calibration that is used where the store has none of its own: measured on held-out prompts, shipped with the model.
const SHIPPED: &str = include_str!("../../models/calibration.json");

/// The store's calibration, completed from the shipped one; the shipped one where the store has none, or one of an older rule.
/// # Errors
/// `Store` when the recorded one cannot be read.
pub fn calibration(store: &Store) -> Result<Calibration> {
    let shipped = shipped_calibration()?;
    Ok(match recorded_calibration(store)? {
        Some(own) if own.rule == RULE_VERSION => own.completed_from(&shipped),
        _ => shipped,
    })
}

/// The calibration that is shipped with the model.
pub(crate) fn shipped_calibration() -> Result<Calibration> {
    parse_calibration(SHIPPED)
}

/// The calibration that was recorded in the store, of whatever rule.
pub(crate) fn recorded_calibration(store: &Store) -> Result<Option<Calibration>> {
    store.catalog().meta("calibration")?.as_deref().map(parse_calibration).transpose()
}

fn parse_calibration(json: &str) -> Result<Calibration> {
    serde_json::from_str(json).map_err(|cause| Error::new(ErrorKind::Store, format!("calibration: {cause}")))
}

/// The rule of families for a store that has so many distinct prompts of each length class.
pub(crate) fn rule(calibration: &Calibration, config: &AuditConfig, prompts: &Lengths) -> Rule {
    let thresholds = match config.threshold {
        Some(threshold) => Rule::uniform(threshold as f32),
        None => calibration.thresholds(config.expected_neighbours, prompts),
    };
    rule_of(thresholds, prompts.iter().sum())
}

/// The thresholds that a night recorded; one for all lengths where it was of the first version of the rule.
pub(crate) fn recorded_thresholds(rule: &serde_json::Value) -> Option<Thresholds> {
    let one = || rule["threshold"].as_f64().map(|threshold| Rule::uniform(threshold as f32));
    serde_json::from_value(rule["thresholds"].clone()).ok().or_else(one)
}

/// The rule with these thresholds.
pub(crate) fn rule_of(thresholds: Thresholds, n: u64) -> Rule {
    let lowest = thresholds.as_flattened().iter().copied().fold(DIAMETER, f32::min);
    Rule::new(thresholds, lowest, n)
}

/// Score that at most one unrelated pair in ten thousand reaches in every pair of length classes (`benches/record/quality-calibration.md`), chosen on the development half. A newcomer has
/// passed the threshold with one member already; this looser bound, met with the leader and with most representatives, says
/// that it belongs to the family and not only to that member.
pub(crate) const DIAMETER: f32 = 1.18;

/// The seed that the store's leaders are trained with where no run names one.
pub(crate) fn seed(store: &Store) -> Result<u64> {
    Ok(store.catalog().meta("seed")?.and_then(|seed| seed.parse().ok()).unwrap_or(AuditConfig::default().seed))
}

/// How fragments are looked for.
#[derive(Clone, Debug)]
pub struct FragmentConfig {
    /// Distinct accounts of a fragment family at least.
    pub least_accounts: u32,
    /// Nights that are looked at together, tonight included.
    pub nights: u32,
    /// Whether prompts that share fingerprints are candidates of the near-duplicate judge too; without it, only what the index finds.
    pub second_finder: bool,
    /// Known texts: (name of the source, its text), and digests of families.
    pub known: Vec<KnownSource>,
}

impl Default for FragmentConfig {
    fn default() -> Self {
        Self { least_accounts: 5, nights: 28, second_finder: true, known: Vec::new() }
    }
}

/// One innocent shared text, or the digest of a fragment family that is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSource {
    /// What it is called in reports.
    pub name: String,
    /// The text as it came, or the digest.
    pub what: KnownWhat,
}

/// How a known text is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownWhat {
    /// By its text.
    Text(String),
    /// By the digest that reports print.
    Digest(Digest),
}
