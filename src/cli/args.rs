//! The command line as clap reads it: long because it is one table of all commands and their flags.

use super::format::{Format, of};
use crate::report::export::{FORMAT_WORDS, TLP_WORDS, What};
use crate::report::ring::{Disposition, Rung};
use crate::stored::registry::Kind;
use clap::builder::{PossibleValuesParser, RangedU64ValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Finds, in an LLM provider's serving logs, families of similar prompts that spread over many accounts.
///
/// Results go to standard output, everything else to standard error. Exit status: 0 ran, 2 could not run.
#[derive(Debug, Parser)]
#[command(name = "stillhunt", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read logs, find families, commit a night to the store, write a report
    Audit(Box<Audit>),
    /// Look at logs before they are audited
    #[command(subcommand)]
    Log(super::log_show::LogCommand),
    /// Find prompts similar to a text, and the accounts behind them
    Similar(Similar),
    /// List families, or show one with its accounts
    Family(Family),
    /// Show an account with its families
    Account(Account),
    /// List rings of accounts that act together, or show one
    Ring(Ring),
    /// Known innocent texts and gateways: what is registered is no evidence of a ring
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Write members of families, families, or rings for other tools: CSV, JSON, Parquet, STIX, OCSF, MISP, GraphML, GEXF
    Export(Export),
    /// Alerts of new rings that have not arrived yet
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Check, describe or compact a store; forget exchanges
    #[command(subcommand)]
    Store(StoreCommand),
    /// Measure the threshold on the prompts of a store
    Calibrate(Calibrate),
    /// Plant watermarks and test text for them
    #[command(subcommand)]
    Watermark(super::watermark_args::WatermarkCommand),
    /// Sets of served contexts: build, combine, describe
    #[command(subcommand)]
    Contexts(super::radioactivity_args::ContextsCommand),
    /// Ask whether a model was trained on text that we served, and on whose
    #[command(subcommand)]
    Radioactivity(super::radioactivity_args::RadioactivityCommand),
    /// Signed bundles of results that a third party verifies and replays
    #[command(subcommand)]
    Evidence(super::evidence_args::EvidenceCommand),
    /// The investigator's desk: an HTTP interface and a web page on a store
    Serve(Box<super::serve_args::Serve>),
    /// Write a seeded log with its truth
    Simulate(Simulate),
    /// Say whether the next audit can run here: model, store, key, disk, clock, limits
    Doctor(Doctor),
    /// Print shell completions
    Completions {
        /// bash, elvish, fish, powershell or zsh
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write manual pages
    Manual(Manual),
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) common: Common,
    /// text or json
    #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// Directory that gets a page for every command
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// A rung of a ring, as a flag names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AtLeast {
    /// Chance and innocent affinity are excluded
    Chance,
    /// And no explanation on record explains it
    Provenance,
    /// And a stream beside those that confirmed it agrees
    SecondStream,
}

impl AtLeast {
    /// The rung of reports.
    pub(crate) const fn rung(self) -> Rung {
        match self {
            Self::Chance => Rung::Chance,
            Self::Provenance => Rung::Provenance,
            Self::SecondStream => Rung::SecondStream,
        }
    }
}

/// Where the embedding model and the account key are.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Store directory
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Embedding model in the model2vec format [default: the one in the program]
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Account key, 64 hex digits, owner-only; made on first use
    /// [default: $XDG_CONFIG_HOME/stillhunt/account.key, else ~/.config/stillhunt/account.key]
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    pub(crate) key: Option<PathBuf>,
    /// Threads, 1 to 1024 [default: one a core]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Logs: files, directories, globs, or - for standard input (JSON lines and arrays, CSV; .gz, .zst; Parquet)
    #[arg(value_name = "LOG", required = true)]
    pub(crate) logs: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Directory for report.html, report.json, report.md, families.csv and quarantine.jsonl
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// TOML file with any of these settings; a flag here wins
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the fields are in a log of no known schema, for example prompt=body.text,account=key_id,time=ts; messages and request name what
    /// holds more than a text, and a map without any of the three adds fields to a schema that is known
    #[arg(long, value_name = "FIELD=PATH,…")]
    pub(crate) map: Option<String>,
    /// Account of rows that name none; without it they are bad rows
    #[arg(long, value_name = "NAME")]
    pub(crate) default_account: Option<String>,
    /// Time of rows that have none, for example 2026-11-21T00:00:00Z; without it they are bad rows
    #[arg(long, value_name = "TIME")]
    pub(crate) default_time: Option<String>,
    /// Share of bad rows, 0 to 1, above which nothing is committed [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub(crate) max_bad_share: Option<f64>,
    /// Keep the raw bytes of bad rows in the quarantine file
    #[arg(long)]
    pub(crate) keep_bad_rows: bool,
    /// Succeed when there is nothing to read
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Unrelated neighbours of a prompt that the threshold may let through, at the store's size [default: 0.01]
    #[arg(long, value_name = "N")]
    pub(crate) expected_neighbours: Option<f64>,
    /// A threshold on the judge's score, 0.5 to 2.5, in place of the calibrated one
    #[arg(long, value_name = "SCORE")]
    pub(crate) threshold: Option<f64>,
    /// Distinct accounts that a fragment family has at least [default: 5]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u32>::new().range(2..))]
    pub(crate) fragment_accounts: Option<u32>,
    /// Nights over which fragments are counted, tonight included [default: 28]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u32>::new().range(1..))]
    pub(crate) fragment_nights: Option<u32>,
    /// Nights, tonight included, of whose prompts in no family new ones are compared with; 0 for all [default: 28]
    #[arg(long, value_name = "N")]
    pub(crate) compared_nights: Option<u32>,
    /// Innocent shared text, to be counted apart under its file's name, and no evidence for rings: a text, JSON lines with name and text,
    /// or lines of digests as reports print them; may be given again
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) known: Vec<PathBuf>,
    /// Seed of the index's leaders [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Exit with this status, 3 to 125, when a valid list has a ring of which no audit has given an alert at its rung
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u8>::new().range(3..=125))]
    pub(crate) exit_code: Option<u8>,
    /// How far such a ring must have come
    #[arg(long, value_name = "RUNG", value_enum, default_value_t = AtLeast::Chance)]
    pub(crate) at_or_above: AtLeast,
    /// Run this program for each such ring, without a shell: one line of JSON on its standard input. Arguments and a time limit are set in the
    /// configuration file (alert, alert_seconds), and so are a signed webhook ([webhook] url, secret_file, timeout, tries, ca) and syslog ([syslog] to, tlp)
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) alert: Option<PathBuf>,
    /// When a day of rings begins, as HH:MM, in UTC or with an offset (04:00+02:00); changed, all days are read again [default: as before,
    /// or 00:00]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) day_starts: Option<String>,
    /// Check that responses bear the mark of this key, night by night; KEYFILE, or NAME=VALUE:KEYFILE for responses whose model or attribute NAME is
    /// VALUE only. The first that fits counts; may be given again
    #[arg(long, value_name = "[NAME=VALUE:]KEYFILE", num_args = 1..)]
    pub(crate) planted: Vec<String>,
    /// tokenizer.json of the served models, for --planted
    #[arg(long, visible_alias = "tokenizer", value_name = "FILE")]
    pub(crate) planted_tokenizer: Option<PathBuf>,
    /// What responses are told apart by: model, or an attribute such as node [default: model]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) planted_by: Vec<String>,
    /// Key that no response should bear, such as one of last month; may be given again
    #[arg(long, value_name = "KEYFILE")]
    pub(crate) planted_other: Vec<PathBuf>,
    /// Responses that should bear no mark: NAME=VALUE of model or attribute; or a file with an account in each line
    #[arg(long, value_name = "NAME=VALUE|FILE")]
    pub(crate) planted_opt_out: Option<String>,
    /// Responses that are scored of each value, each night [default: 500]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(20..=1_000_000))]
    pub(crate) planted_sample: Option<usize>,
    /// Chance that the sequential tests ever give an alarm where nothing fails [default: 0.01]
    #[arg(long, value_name = "P")]
    pub(crate) planted_alpha: Option<f64>,
    /// Write to this JSON file that the job runs, and how it ended; anybody may read it
    #[arg(long, value_name = "FILE")]
    pub(crate) health: Option<PathBuf>,
    /// Write what each stage took, wall and CPU seconds, to this JSON file
    #[arg(long, value_name = "FILE")]
    pub(crate) timings: Option<PathBuf>,
    /// Rows in a batch, which bounds the memory of reading [default: 8192]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 20))]
    pub(crate) batch_rows: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Similar {
    /// The text to search for, or - to read it from standard input
    #[arg(value_name = "TEXT", required_unless_present_any = ["file", "id"], conflicts_with_all = ["file", "id"])]
    pub(crate) text: Option<String>,
    /// Search for the text of this file
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    pub(crate) file: Option<PathBuf>,
    /// Search for the prompt of the exchange with this id
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Verify the whole store first, and answer only if nothing of it is damaged
    #[arg(long)]
    pub(crate) checked: bool,
    /// How many prompts, nearest first
    #[arg(short, long, value_name = "N", default_value_t = 10, conflicts_with = "all", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) k: usize,
    /// All prompts that the family rule accepts
    #[arg(long)]
    pub(crate) all: bool,
    /// Only exchanges at or after this time
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only exchanges before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only exchanges of these nights by number, both included: 3..5, or 4 for one
    #[arg(long, value_name = "FROM..TO", value_parser = nights)]
    pub(crate) nights: Option<(u32, u32)>,
    /// Only this account, by pseudonym or (with the key) by name
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Only exchanges that asked this served model
    #[arg(long, value_name = "NAME")]
    pub(crate) served_model: Option<String>,
    /// Only members of this family
    #[arg(long, value_name = "FAMILY")]
    pub(crate) family: Option<String>,
    /// text or json
    #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Family {
    /// The family's name, or the word list
    #[arg(value_name = "FAMILY|list")]
    pub(crate) family: String,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Verify the whole store first, and answer only if nothing of it is damaged
    #[arg(long)]
    pub(crate) checked: bool,
    #[command(flatten)]
    pub(crate) list: ListArgs,
    /// text, json or csv
    #[arg(long, value_parser = of(&[Format::Text, Format::Json, Format::Csv]), default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Families at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) most: usize,
    /// exact, near-duplicate, fragment or system
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<String>,
    /// Only families seen at or after this time
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only families seen before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only families with a request of these nights by number, both included: 3..5, or 4 for one
    #[arg(long, value_name = "FROM..TO", value_parser = nights)]
    pub(crate) nights: Option<(u32, u32)>,
    /// Only families with a request to this served model
    #[arg(long, value_name = "NAME")]
    pub(crate) served_model: Option<String>,
    /// Only families that this account used, by pseudonym or (with the key) by name
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Only families that the known text of this name explains
    #[arg(long, value_name = "NAME")]
    pub(crate) stratum: Option<String>,
    /// Only families whose texts are at least so similar to each other, -1 to 1; fragments and system prompts have no such number
    #[arg(long, value_name = "COSINE", allow_negative_numbers = true)]
    pub(crate) similarity: Option<f32>,
    /// Only families whose exchanges are all of the newest night
    #[arg(long)]
    pub(crate) new: bool,
    /// Only families of at least this many accounts
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) accounts: u64,
    /// Trivial texts too ("thanks", "yes, go on")
    #[arg(long)]
    pub(crate) trivial: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Account {
    /// The account, by pseudonym or (with the key) by name
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Verify the whole store first, and answer only if nothing of it is damaged
    #[arg(long)]
    pub(crate) checked: bool,
    /// text or json
    #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Ring {
    #[command(subcommand)]
    pub(crate) command: Option<RingCommand>,
    #[command(flatten)]
    pub(crate) shown: Option<ShownRing>,
}

#[derive(Debug, Args)]
pub(crate) struct ShownRing {
    /// The ring's name, or the word list
    #[arg(value_name = "RING|list")]
    pub(crate) ring: String,
    /// Store directory
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Verify the whole store first, and answer only if nothing of it is damaged
    #[arg(long)]
    pub(crate) checked: bool,
    /// text or json
    #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
    pub(crate) format: Format,
}

/// Who says something of a ring.
#[derive(Debug, Args)]
pub(crate) struct Author {
    /// Who says so [default: the login name]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RingCommand {
    /// Note something about a ring; it is kept with author and time
    Note {
        /// The ring's name
        ring: String,
        /// The note
        text: String,
        #[command(flatten)]
        author: Author,
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
    },
    /// Judge a ring: benign-coordinated, resale, extraction or unknown; the newest verdict counts, all are kept
    Dispose {
        /// The ring's name
        ring: String,
        /// The verdict
        #[arg(value_parser = disposition)]
        verdict: Disposition,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
        #[command(flatten)]
        author: Author,
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
    },
    /// Say who is to look into a ring; who it was before stays in its notes
    Assign {
        /// The ring's name
        ring: String,
        /// The name of who is to look into it; nobody without it
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
        #[command(flatten)]
        author: Author,
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
    },
    /// Freeze a set of accounts that an analyst drew: later days test it, and until one confirms it, it is a guess
    Propose {
        /// One account a line, by pseudonym or (with the key) by name
        file: PathBuf,
        #[command(flatten)]
        common: Common,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Look for rings among the end users of one account, a gateway: read anew from all its days, kept nowhere
    Behind {
        /// The account, by pseudonym or (with the key) by name
        account: String,
        /// Innocent shared text that is no evidence, as of audit; may be given again
        #[arg(long, value_name = "FILE")]
        known: Vec<PathBuf>,
        #[command(flatten)]
        common: Common,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Walk through the store's days again and again without their coordination: what share of lists holds a false ring
    Placebo {
        #[command(flatten)]
        common: Common,
        /// Walks, 1 to 100,000
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = RangedU64ValueParser::<u64>::new().range(1..=100_000))]
        walks: u64,
        /// Seed of the walks
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
}

/// Where an entry of the registry comes from.
#[derive(Debug, Args)]
pub(crate) struct Origin {
    /// app, sdk, gateway, course, benchmark or published
    #[arg(long, value_parser = kind)]
    pub(crate) kind: Kind,
    /// Where it is known from: an address, a contract, a ticket
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) provenance: String,
    /// Since when it is public, for example 2026-11-21T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    #[command(flatten)]
    pub(crate) author: Author,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Register one text, the digest of one, or (a gateway) an account
    Add {
        /// Its name in reports
        name: String,
        /// The text; of a gateway the account, by pseudonym or (with the key) by name
        #[arg(required_unless_present = "digest", conflicts_with = "digest")]
        what: Option<String>,
        /// In place of the text its digest: that of a fragment as reports print it, or BLAKE3 of the folded prompt
        #[arg(long, value_name = "HEX")]
        digest: Option<String>,
        #[command(flatten)]
        origin: Origin,
    },
    /// Register what a file holds: a text, JSON lines with name and text, or lines of digests
    Import {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        origin: Origin,
    },
    /// List the entries
    List {
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Propose entries: texts that are sent day after day by accounts that behave like people, and old fragments of many accounts
    Suggest {
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Remove all entries of a name
    Remove {
        /// The name
        name: String,
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
    },
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.word() == text);
    found.ok_or_else(|| format!("expected {}", Kind::ALL.map(Kind::word).join(", ")))
}

/// Nights by number: one, or from one to another.
fn nights(text: &str) -> Result<(u32, u32), String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    match (from.trim().parse::<u32>(), to.trim().parse::<u32>()) {
        (Ok(from), Ok(to)) if from <= to => Ok((from, to)),
        _ => Err("expected nights as 3..5, or one number".to_owned()),
    }
}

fn disposition(text: &str) -> Result<Disposition, String> {
    let found = Disposition::ALL.into_iter().find(|disposition| disposition.word() == text);
    found.ok_or_else(|| format!("expected {}", Disposition::ALL.map(Disposition::word).join(", ")))
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// members: one row for each exchange and level; families: one for each family; rings: confirmed rings with their members, at an expected
    /// share of 1% false ones
    #[arg(value_parser = PossibleValuesParser::new(What::ALL.map(What::word)))]
    pub(crate) what: String,
    /// Of rings, those on this rung or above
    #[arg(long, value_enum, value_name = "RUNG", default_value_t = AtLeast::Chance)]
    pub(crate) at_or_above: AtLeast,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Verify the whole store first, and answer only if nothing of it is damaged
    #[arg(long)]
    pub(crate) checked: bool,
    #[command(flatten)]
    pub(crate) list: ListArgs,
    /// members: csv or parquet; families: csv, json or parquet; rings: csv, json, stix (STIX 2.1), ocsf (detection findings of OCSF, one JSON
    /// object a line), misp (MISP events), graphml, gexf (accounts and families, an edge where one used the other) or parquet. For example
    /// export rings --format stix --tlp green
    #[arg(long, value_name = "FORMAT", default_value = "csv", hide_possible_values = true, value_parser = PossibleValuesParser::new(FORMAT_WORDS))]
    pub(crate) format: String,
    /// Marking of the Traffic Light Protocol 2.0: who may be told [default: amber; csv has no place for a marking, and gets a last column with the
    /// one that is given]
    #[arg(long, value_name = "TLP", value_parser = PossibleValuesParser::new(TLP_WORDS))]
    pub(crate) tlp: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Try again what waits in the outbox beside the store
    ///
    /// An audit whose configuration names a [webhook] or a [syslog] queues an alert for each new ring, and sends it. What does not arrive waits
    /// in STORE.outbox; each audit and this command try it again, oldest first. Exit status 2 while something still waits.
    Send {
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// The configuration of the audit, with [webhook] or [syslog]
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Check every file and every table of the catalog against its digest; all damage is named
    Verify {
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
    },
    /// Copy the last commit to a new directory, also while a night is being written; keep the account key beside it
    Backup {
        /// The new directory
        #[arg(value_name = "DIR")]
        to: PathBuf,
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
    },
    /// Print nights, files and sizes
    Stats {
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Forget exchanges: nothing that only they held is left in the store
    ///
    /// Texts, responses, attributes, ids, keys, vectors and fingerprints of the exchanges go, and with its last exchange an
    /// account's pseudonym. What others sent too stays. Families that lost exchanges are named with their counts before and after; a
    /// family keeps its name. What an audit wrote into the store's directory (quarantine.jsonl, a report) is removed. Names
    /// and digests of the logs that were read stay. The same log file adds nothing again, as long as it had no bad rows; another log
    /// with the same exchanges does.
    Forget {
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// All exchanges of this account, by pseudonym or (with the key) by name
        #[arg(long, value_name = "ID", required_unless_present = "before", conflicts_with = "before")]
        account: Option<String>,
        /// All exchanges before this time, for example 2026-11-21T00:00:00Z
        #[arg(long, value_name = "DATE")]
        before: Option<String>,
        /// Account key [default: $XDG_CONFIG_HOME/stillhunt/account.key, else ~/.config/stillhunt/account.key]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Bring a store of an older format to today's; answers stay the same
    Upgrade {
        /// Store directory
        #[arg(value_name = "DIR")]
        store: PathBuf,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Merge key tables and index segments into one each, and shrink the catalog; answers stay the same
    Compact {
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Calibrate {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Prompts that are compared with all others
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) queries: usize,
    /// Attribute whose equal values make two prompts related, besides the same account; for example source
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Seed of the choice of queries
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Record it in the store, for the nights to come
    #[arg(long)]
    pub(crate) record: bool,
    /// Write the calibration to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// text or json
    #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Directory for logs/night-1.jsonl … (or one logs/log.jsonl) and truth.csv
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Exchanges [default: 20000, or those of the plan's background]
    #[arg(long, value_name = "N")]
    pub(crate) exchanges: Option<u64>,
    /// Accounts [default: a tenth of the exchanges, or those of the plan's background]
    #[arg(long, value_name = "N")]
    pub(crate) accounts: Option<u32>,
    /// Days, one log each [default: 3, or those of the plan]
    #[arg(long, value_name = "N")]
    pub(crate) days: Option<u32>,
    /// Plant what this TOML file says: campaigns, innocent groups that act alike, and their evasions; the truth by account goes to accounts.csv, what the
    /// plan calls registered to registry-KIND.jsonl. Two plans are in data/plans; for example --plan data/plans/benchmark.toml
    #[arg(long, value_name = "FILE", conflicts_with_all = ["campaigns", "large_campaign", "campaign_share", "fragment_campaigns", "queue_campaigns"])]
    pub(crate) plan: Option<PathBuf>,
    /// Campaigns, at most 100,000 [default: one for 3,500 exchanges]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u32>::new().range(..=100_000))]
    pub(crate) campaigns: Option<u32>,
    /// Accounts of the largest campaign
    #[arg(long, value_name = "N")]
    pub(crate) large_campaign: Option<u32>,
    /// Share of the exchanges that campaign accounts send, 0 to 0.5
    #[arg(long, value_name = "SHARE")]
    pub(crate) campaign_share: Option<f64>,
    /// Campaigns that put one fixed fragment into many otherwise different requests, at most 10,000; the fragments go to
    /// fragments.csv beside the truth
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) fragment_campaigns: u32,
    /// Accounts of each fragment campaign, 1 to 100,000
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) fragment_accounts: u32,
    /// Requests of each of these accounts that have the fragment, 1 to 10,000; the rest of what it sends is innocent
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) fragment_requests: u32,
    /// Characters of a fragment, 20 to 2,000 [default: 80, and published wording whole]
    #[arg(long, value_name = "CHARS")]
    pub(crate) fragment_length: Option<u32>,
    /// Share of the prompt's characters that the fragment has, 0.02 to 0.9: 80 characters at 0.05 make prompts of 1,600
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub(crate) fragment_share: f64,
    /// What is done to the fragment in each request, separated by commas: translation (a stand-in), shuffle, word8 (one word
    /// in eight), synonyms, typos, case, homoglyphs, split, base64 (the whole prompt), or none; for example word8,split
    #[arg(long, value_name = "NAMES", default_value = "none")]
    pub(crate) fragment_edits: String,
    /// Give the first four fragment campaigns wording that providers published
    #[arg(long)]
    pub(crate) fragment_published: bool,
    /// Campaigns that hand new tasks to many accounts every day, at most 10,000
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) queue_campaigns: u32,
    /// Accounts of each work-queue campaign, 1 to 100,000
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) queue_accounts: u32,
    /// New tasks of each a day, 1 to 10,000
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(crate) queue_tasks: u32,
    /// Chance that an account sends a task, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    pub(crate) queue_share: f64,
    /// Seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Draw the prompts from this file (Parquet with a column text, TSV, JSONL or plain lines) in place of the grammars
    #[arg(long, value_name = "FILE")]
    pub(crate) texts: Option<PathBuf>,
    /// One log for all days
    #[arg(long)]
    pub(crate) one_log: bool,
    /// Compress the logs and the truth with zstd
    #[arg(long)]
    pub(crate) compress: bool,
}
