//! The command `serve` as clap reads it.

use super::format::Format;
use crate::server::Role;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Serve {
    #[command(subcommand)]
    pub(crate) command: Option<ServeCommand>,
    #[command(flatten)]
    pub(crate) run: Option<Run>,
}

/// A role, as a flag names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleWord {
    /// Numbers of families and rings that enough accounts are behind
    Viewer,
    /// Accounts, exchanges and texts, with a purpose; notes and dispositions
    Analyst,
    /// The access log too, and taking entries out of the registry
    Admin,
}

impl RoleWord {
    pub(crate) const fn role(self) -> Role {
        match self {
            Self::Viewer => Role::Viewer,
            Self::Analyst => Role::Analyst,
            Self::Admin => Role::Admin,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Store directory
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Embedding model in the model2vec format [default: the one in the program]
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Account key, by which accounts' own names are understood
    /// [default: where audit keeps it, if there is one]
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    pub(crate) key: Option<PathBuf>,
    /// Threads of a look-up, 1 to 1024 [default: one a core]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: Option<usize>,
    /// File of tokens, as serve token add makes it: owner-only, outside of the store
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens: PathBuf,
    /// Address and port, 0 for any free port, or the word stdin for a socket that systemd opened
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7433")]
    pub(crate) listen: String,
    /// Access log, owner-only, outside of the store [default: access.jsonl beside the file of tokens]
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// The provider's own names of accounts, one a line, by which a pseudonym can be revealed
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<PathBuf>,
    /// Least accounts of a family or ring that a viewer is told of
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000))]
    pub(crate) least_accounts: u64,
    /// Certificates in PEM, for an address that other machines reach
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Key in PEM that goes with them, owner-only
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Identity provider by which people log in (OpenID Connect), a file in TOML: issuer, client_id,
    /// client_secret_file, url (this desk's own address as browsers have it), claim (what says the role; a point leads into an
    /// object), name (the claim that names people in the access log and owns what they keep, one that they cannot change themselves [default: sub]), scopes, ca, and [roles] with
    /// VALUE = "viewer", "analyst" or "admin"
    #[cfg(feature = "oidc")]
    #[arg(long, value_name = "FILE")]
    pub(crate) oidc: Option<PathBuf>,
    /// Another program in front does TLS: listen on any address without it
    #[arg(long)]
    pub(crate) behind_proxy: bool,
    /// Requests a second of one token in the long run; 0 for no bound
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) rate: u32,
    /// Requests of one token that may come at once after a pause
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) burst: u32,
    /// Requests of one token that are answered at the same time
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) at_once: u32,
    /// Minutes without a request after which a session of the page ends
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    pub(crate) idle: u32,
    /// Hours after which it ends in any case
    #[arg(long, value_name = "HOURS", default_value_t = 12)]
    pub(crate) session: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// Tokens: who may ask, and what
    #[command(subcommand)]
    Token(TokenCommand),
    /// The access log
    #[command(subcommand)]
    Log(LogCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it; it is shown this once
    Add {
        /// File of tokens; made where there is none
        #[arg(long, value_name = "FILE")]
        tokens: PathBuf,
        /// What it may
        #[arg(long, value_enum)]
        role: RoleWord,
        /// Whose it is; what they do is logged under this name
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Days until it ends; 0 for never
        #[arg(long, value_name = "N", default_value_t = 90, value_parser = RangedU64ValueParser::<u32>::new().range(0..=36_500))]
        days: u32,
    },
    /// List tokens, without what would let anybody in
    List {
        /// File of tokens
        #[arg(long, value_name = "FILE")]
        tokens: PathBuf,
        /// text or json
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Take a token away; a running server refuses it from the next request on
    Revoke {
        /// File of tokens
        #[arg(long, value_name = "FILE")]
        tokens: PathBuf,
        /// Whose it is
        #[arg(long, value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check the chain of an access log: rows that were changed, taken out, moved or added
    Verify {
        /// The log
        #[arg(value_name = "FILE", required_unless_present = "tokens")]
        log: Option<PathBuf>,
        /// The log that lies beside this file of tokens
        #[arg(long, value_name = "FILE", conflicts_with = "log")]
        tokens: Option<PathBuf>,
        /// Number and head of a row as they were kept elsewhere, for example in the server's own log
        #[arg(long, value_name = "ROW:HEAD")]
        against: Option<String>,
    },
}
