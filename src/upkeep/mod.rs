//! The upkeep of a store: forgetting, compacting, upgrading, and the thresholds that are measured on it.

mod compact;
mod doomed;
mod erase;
mod forget;
mod forget_families;
mod measure;
mod plan;
mod registry;
mod rings;
mod saved;
mod upgrade;

pub use compact::{Compacted, compact};
pub use doomed::Forget;
pub use forget::{Forgotten, LostEvidence, forget};
pub use measure::{Measured, calibrate_store, lengths, record_calibration};
pub use registry::{Registration, register, unregister};
pub use rings::{Drawn, Said, alerted, assign, note, propose, unsaid, witness};
pub use saved::{Question, save, unsave};
pub use upgrade::{Upgraded, upgrade};
