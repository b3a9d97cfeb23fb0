//! stillhunt audits the serving logs of a language-model provider for model distillation: it finds families of similar
//! prompts that spread over many accounts, keeps them in a store, and answers an investigator.
//!
//! # A night
//! ```text
//! log bytes → Exchange → known? → folded prompt → distinct prompt → vector → candidates → judged pair → family → commit → report
//! store::input  log     store::keys  text        store::texts      embed    index       family       family   store   report
//! ```
//!
//! # The map
//! A module uses lower rows only, row-mates do not know each other (`tests/tidy.rs` holds the table).
//!
//! | row | modules |
//! |---|---|
//! | 0 | [`ids`] |
//! | 1 | [`error`], [`exchange`] |
//! | 2 | [`text`], [`log`], [`token`], [`stats`], [`store`] |
//! | 3 | [`embed`], [`index`], [`watermark`] |
//! | 4 | [`family`], [`detect`] |
//! | 5 | [`ring`], [`radioactivity`] |
//! | 6 | [`report`] |
//! | 7 | [`stored`], [`simulate`], [`evidence`] |
//! | 8 | [`audit`], [`lookup`], [`upkeep`] |
//! | 9 | [`server`] |
//! | 10 | [`cli`] |
//! | 11 | `python`, with the feature of its name |
//!
//! # Invariants
//! * Below row 10 nothing reads the clock, the environment, standard input or global randomness, and only [`store`] opens files
//!   (a new account key takes 32 bytes from the operating system, in `store` too).
//! * The same logs in the same order, configuration, key and seed give the same files on any number of threads; ties break by
//!   number or name, and no hash map is iterated into output.
//! * What the catalog does not name does not exist; a night is named in one transaction.
//! * Text of a log is data of an attacker: bounded where it is read, escaped where it is shown, never a panic.

pub mod audit;
pub mod cli;
pub mod detect;
pub mod embed;
pub mod error;
pub mod evidence;
pub mod exchange;
pub mod family;
pub mod ids;
pub mod index;
pub mod log;
pub mod lookup;
#[cfg(feature = "python")]
pub mod python;
pub mod radioactivity;
pub mod report;
pub mod ring;
pub mod server;
pub mod simulate;
pub mod stats;
pub mod store;
pub mod stored;
pub mod text;
pub mod token;
pub mod upkeep;
pub mod watermark;
