//! The commands `contexts` and `radioactivity` as types.

use super::format::{Format, of};
use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ContextsCommand {
    /// Write the contexts of responses that were served, as a key's scheme reads them
    Build(Box<Build>),
    /// Write the contexts that any of the sets has
    Union(Sets),
    /// Write the contexts that all of the sets have
    Intersect(Sets),
    /// Write the contexts that the first set has and no other
    Subtract(Sets),
    /// Say what a set holds
    Info {
        /// The set
        #[arg(value_name = "SET")]
        set: PathBuf,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Sets {
    /// Sets of the same tokenizer, vocabulary and length of context
    #[arg(value_name = "SET", required = true, num_args = 2..)]
    pub(crate) sets: Vec<PathBuf>,
    /// The new set; one that is there is never written over
    #[arg(long, value_name = "SET")]
    pub(crate) out: PathBuf,
}

/// Where the served responses lie, and which are meant.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Store directory
    #[arg(long, value_name = "DIR", conflicts_with = "harvest")]
    pub(crate) store: Option<PathBuf>,
    /// Responses to the accounts of this ring, on its list at 1%; may be given again
    #[arg(long, value_name = "ID", requires = "store", conflicts_with = "harvest")]
    pub(crate) ring: Vec<String>,
    /// Responses to the exchanges of this family; may be given again
    #[arg(long, value_name = "ID", requires = "store", conflicts_with = "harvest")]
    pub(crate) family: Vec<String>,
    /// Responses to these accounts: a file with one a line, pseudonym or name
    #[arg(long, value_name = "FILE", requires = "store", conflicts_with = "harvest")]
    pub(crate) accounts: Option<PathBuf>,
    /// Responses from this moment on, for example 2026-11-21T00:00:00Z
    #[arg(long, value_name = "TIME", requires = "store", conflicts_with = "harvest")]
    pub(crate) from: Option<String>,
    /// Responses before this moment
    #[arg(long, value_name = "TIME", requires = "store", conflicts_with = "harvest")]
    pub(crate) to: Option<String>,
    /// All responses of that time except those to the rings, families and accounts named
    #[arg(long, requires = "store", conflicts_with = "harvest")]
    pub(crate) others: bool,
    /// Account key, where accounts are given by name
    #[arg(long, value_name = "FILE", requires = "store", conflicts_with = "harvest")]
    pub(crate) key: Option<PathBuf>,
    /// A log of served exchanges in place of a store; may be given again
    #[arg(long, value_name = "[NAME=]FILE")]
    pub(crate) harvest: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// tokenizer.json of the served model
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: PathBuf,
    /// Key file: its scheme says how long contexts are; the key itself is not used
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: PathBuf,
    /// Root key file, for a key file that names a path
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
    /// Width of the model's logits, in place of the key file's vocab_size
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u32>::new().range(2..=1 << 24))]
    pub(crate) vocab_size: Option<u32>,
    /// The new set; one that is there is never written over
    #[arg(long, value_name = "SET")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) room: Room,
}

/// Memory, files and threads.
#[derive(Debug, Args)]
pub(crate) struct Room {
    /// Memory for windows and contexts, in MiB; more go to files without a name
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 20))]
    pub(crate) memory: usize,
    /// Directory for those files [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,
    /// Longest row in bytes; a longer one is left out and counted
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    pub(crate) max_row_bytes: usize,
    /// Threads, 1 to 1024 [default: one a core]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RadioactivityCommand {
    /// Test a model's answers: does it say, in contexts that we served, what the key preferred?
    Closed(Box<Ask>),
    /// Test a model's next-token predictions on text that we served
    Open(Box<Ask>),
    /// Ask on which ring's harvest a model was trained, from its answers or its predictions
    Attribute(Box<Attribute>),
    /// Before spending: which prompts to ask a suspect, and how many tokens of answers a verdict takes
    Plan(Box<PlanArgs>),
}

/// Keys, controls and rules.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    /// Key file; may be given again
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) key_file: Vec<PathBuf>,
    /// Root key file, for key files that name a path
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
    /// Paths under the root in place of those in the key files: acme/model-7/cohort-{00..63}/2026-11
    #[arg(long, value_name = "RANGE")]
    pub(crate) paths: Option<String>,
    /// tokenizer.json of the served model, for text
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// Width of the model's logits, in place of the key files' vocab_size
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u32>::new().range(2..=1 << 24))]
    pub(crate) vocab_size: Option<u32>,
    /// A control: the same kind of evidence from a model that never saw our text (for closed, also text by people); may be given again
    #[arg(long, value_name = "FILE")]
    pub(crate) control: Vec<String>,
    /// Of each prediction so many of its likeliest tokens are scored
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub(crate) top: usize,
    /// Largest adjusted p of the verdict Marked
    #[arg(long, value_name = "P", default_value_t = 1e-6)]
    pub(crate) alpha: f64,
    /// Strength of the mark that NotDetected is planned for, above 0 to 1: how far a hit rate goes from chance to 1
    #[arg(long, value_name = "S", default_value_t = 0.02)]
    pub(crate) strength: f64,
    /// Decoy keys for each key
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = RangedU64ValueParser::<usize>::new().range(0..=10_000))]
    pub(crate) decoys: usize,
    /// Most distinct windows that decoy keys are run on
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) decoy_windows: usize,
    /// Seed of decoys and controls
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) room: Room,
    /// text, json or md
    #[arg(long, value_parser = of(&[Format::Text, Format::Json, Format::Md]), default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// The suspect's answers (rows of prompt and response) or predictions (rows of context and predicted, lists of token ids):
    /// files, directories, globs, or - (JSONL, Parquet; .gz, .zst; predictions also as .npy)
    #[arg(value_name = "SUSPECT", required = true)]
    pub(crate) suspect: Vec<String>,
    /// Set of served contexts, as contexts build writes it; may be given again: each is a test, and answers copied from any of them are told
    /// in all
    #[arg(long, value_name = "SET")]
    pub(crate) contexts: Vec<PathBuf>,
    /// A log of served exchanges whose contexts are the set; may be given again, each is a test
    #[arg(long, value_name = "[NAME=]FILE")]
    pub(crate) harvest: Vec<String>,
    /// Also test all windows, served or not (the only test where no set is given)
    #[arg(long)]
    pub(crate) unsupervised: bool,
    /// Rates by share of the training text, from a distillation of your own (JSON): the share is read off, with an interval
    #[arg(long, value_name = "FILE")]
    pub(crate) calibration: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: Rules,
}

#[derive(Debug, Args)]
pub(crate) struct Attribute {
    /// The suspect's answers or predictions, as for closed and open
    #[arg(value_name = "SUSPECT", required = true)]
    pub(crate) suspect: Vec<String>,
    /// Store whose rings are asked about; everybody else in it is honest
    #[arg(long, value_name = "DIR", required_unless_present = "harvest", conflicts_with = "harvest")]
    pub(crate) store: Option<PathBuf>,
    /// Rings of the store, by name [default: all that it shows]
    #[arg(long, value_name = "ID,…", value_delimiter = ',', requires = "store", conflicts_with = "harvest")]
    pub(crate) rings: Vec<String>,
    /// A ring's harvest in place of a store: a log of served exchanges; may be given again
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) harvest: Vec<String>,
    /// A log of what was served to everybody else: what stands there is exclusive to nobody; may be given again
    #[arg(long, value_name = "FILE", requires = "harvest")]
    pub(crate) served: Vec<String>,
    /// Decoy rings for each ring: a rank among n is at least 1/(n + 1)
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = RangedU64ValueParser::<usize>::new().range(0..=1_000_000))]
    pub(crate) decoy_rings: usize,
    #[command(flatten)]
    pub(crate) rules: Rules,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// How many prompts
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) prompts: usize,
    #[command(flatten)]
    pub(crate) rules: Rules,
}
