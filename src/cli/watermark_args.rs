//! The `watermark` commands as types.

use super::format::{Format, of};
use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum WatermarkCommand {
    /// Make a new key of a scheme, or a root key
    Keygen(Keygen),
    /// Write the key at a path under a root key
    Derive(Derive),
    /// Print the commitment to a key file: a digest that fixes the key and reveals nothing
    Commit(Commit),
    /// Sample a marked response from logits: the reference that a serving kernel is checked against
    Plant(Plant),
    /// Test text for the marks of keys
    Detect(Detect),
    /// Say what evidence a configuration gives on a sample of served text, and warn where it plants nothing
    Plan(Plan),
    /// List schemes, dialects, and the fields of their key files with defaults
    Schemes {
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
}

/// Fields of a new key file.
#[derive(Debug, Args)]
pub(crate) struct Fields {
    /// Scheme, for example gumbel; see: stillhunt watermark schemes
    #[arg(long, value_name = "NAME")]
    pub(crate) scheme: Option<String>,
    /// Whose way of doing it, for example native
    #[arg(long, value_name = "NAME", default_value = "native")]
    pub(crate) dialect: String,
    /// Width of the model's logits (vocab_size in its config.json; it can differ from the tokenizer's size)
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u32>::new().range(2..=1 << 24))]
    pub(crate) vocab_size: Option<u32>,
    /// Another field of the key file, as TOML: --set context_width=2; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Name of the key in results [default: the beginning of its commitment]
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// The new key file, mode 0600; one that is there is never overwritten
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Make a root key, from which keys are derived
    #[arg(long, conflicts_with_all = ["scheme", "vocab_size", "set"])]
    pub(crate) root: bool,
    #[command(flatten)]
    pub(crate) fields: Fields,
}

#[derive(Debug, Args)]
pub(crate) struct Derive {
    /// The new key file, mode 0600; one that is there is never overwritten
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Root key file
    #[arg(long, value_name = "FILE")]
    pub(crate) root: PathBuf,
    /// Provider, model, cohort of accounts and period, for example acme/model-7/cohort-12/2026-11
    #[arg(long, value_name = "PATH")]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) fields: Fields,
}

#[derive(Debug, Args)]
pub(crate) struct Commit {
    /// Key files; one that names a path is committed to together with its root
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Root key file, for key files that name a path, as the test will be given it
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
    /// Paths under the root, as the test will be given them: acme/model-7/cohort-{00..63}/2026-11
    #[arg(long, value_name = "RANGE")]
    pub(crate) paths: Option<String>,
    /// text or json
    #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Plant {
    /// Key file
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: PathBuf,
    /// Logits, shape (steps, vocabulary), 32- or 64-bit floats in NumPy's format
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) logits: PathBuf,
    /// Token ids of the prompt, for example 1,415,2
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) prompt_tokens: Vec<u32>,
    /// Divides the logits, above 0
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub(crate) temperature: f64,
    /// Keeps the k largest logits; 0 keeps all
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) top_k: usize,
    /// Keeps the fewest tokens whose probabilities reach this, above 0 to 1
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub(crate) top_p: f64,
    /// Decides what the key does not: the same seed gives the same tokens
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// text (ids in one line) or json
    #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// A sample of served text, in the forms that detect reads
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<String>,
    /// Key file with the configuration; may be given again
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) key_file: Vec<PathBuf>,
    /// tokenizer.json of the served model, for text
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// Logits of the served model, shape (steps, vocabulary), in NumPy's format: planted step by step, 4,096 of them at most
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) logits: Option<PathBuf>,
    /// Temperature of the server; 0 is greedy
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub(crate) temperature: f64,
    /// The server's top-k; 0 keeps all
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) top_k: usize,
    /// The server's top-p, above 0 to 1
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub(crate) top_p: f64,
    /// Decides what the key does not
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// text or json
    #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Detect {
    /// The suspect's text: files, directories, globs, or - (JSONL or Parquet with text or tokens, and optionally prompt or
    /// prompt_tokens and id; .gz, .zst; any other file is one text)
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<String>,
    /// Key file; may be given again
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) key_file: Vec<PathBuf>,
    /// Try every dialect and profile that the key's bytes allow, each a test under one Holm correction: for a key whose configuration nobody
    /// remembers. The key file needs the key and vocab_size
    #[arg(long, conflicts_with_all = ["root", "paths"])]
    pub(crate) search: bool,
    /// Root key file, for key files that name a path
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
    /// Paths under the root in place of those in the key files: acme/model-7/cohort-{00..63}/{2026-10,2026-11}
    #[arg(long, value_name = "RANGE")]
    pub(crate) paths: Option<String>,
    /// tokenizer.json of the served model, for text
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// Width of the model's logits, in place of the key files' vocab_size
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u32>::new().range(2..=1 << 24), conflicts_with = "model_config")]
    pub(crate) vocab_size: Option<u32>,
    /// config.json of the served model, for its vocab_size
    #[arg(long, value_name = "FILE")]
    pub(crate) model_config: Option<PathBuf>,
    /// Token that begins a document: one at its beginning is dropped
    #[arg(long, value_name = "ID")]
    pub(crate) bos_token_id: Option<u32>,
    /// Token that ends a document: it and what follows are dropped
    #[arg(long, value_name = "ID")]
    pub(crate) eos_token_id: Option<u32>,
    /// Largest adjusted p of the verdict Marked
    #[arg(long, value_name = "P", default_value_t = 1e-6)]
    pub(crate) alpha: f64,
    /// Strength of the mark that NotDetected is planned for, above 0 to 1: how far a hit rate goes from chance to 1
    #[arg(long, value_name = "S", default_value_t = 0.1)]
    pub(crate) strength: f64,
    /// Decoy keys for each key
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = RangedU64ValueParser::<usize>::new().range(0..=10_000))]
    pub(crate) decoys: usize,
    /// Most distinct windows that decoys are run on (fewer where lists are costly to follow)
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) decoy_windows: usize,
    /// Seed of the decoys
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Say which documents bear the mark, and where in them: token and character ranges, with an error rate over all documents
    #[arg(long = "where", conflicts_with = "search")]
    pub(crate) places: bool,
    /// Largest adjusted p of a document that --where names, where the text as a whole is Marked; elsewhere it is --alpha
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    pub(crate) where_alpha: f64,
    /// model.safetensors of a trained SynthID detector (transformers' BayesianDetectorModel): its posterior stands beside each document of
    /// --where, as a description that no verdict uses
    #[arg(long, value_name = "FILE", requires = "places")]
    pub(crate) synthid_detector: Option<PathBuf>,
    /// Memory for distinct windows, in MiB; more go to files without a name
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 20))]
    pub(crate) memory: usize,
    /// Directory for those files [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,
    /// Longest row in bytes; a longer one is left out and counted
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    pub(crate) max_row_bytes: usize,
    /// Write each scored window: key, document, position, context, token, value (CSV)
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Write a chart of log10 p against scored windows (SVG)
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
    /// text, json or md
    #[arg(long, value_parser = of(&[Format::Text, Format::Json, Format::Md]), default_value = "text")]
    pub(crate) format: Format,
    /// Threads, 1 to 1024 [default: one a core]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: Option<usize>,
}
