//! The `evidence` commands as types.

use super::format::{Format, of};
use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Make a key that signs bundles; its public part goes to standard output (openssl pkey -in KEY -pubout prints it again)
    Keygen {
        /// The new key file (PEM), mode 0600; one that is there is never overwritten
        #[arg(long, value_name = "KEY")]
        out: PathBuf,
    },
    /// Put results into a signed directory that a third party can verify and replay
    Bundle(Bundle),
    /// Print what a bundle says, without verifying it
    Show {
        /// The bundle: a directory or an archive
        #[arg(value_name = "DIR|ARCHIVE")]
        bundle: PathBuf,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Check every byte of a bundle; a fault is named by its step, and the exit status is 2
    Verify {
        /// The bundle: a directory or an archive
        #[arg(value_name = "DIR|ARCHIVE")]
        bundle: PathBuf,
        /// Public key of the signer (PEM), from a source other than the bundle
        #[arg(long, value_name = "PUB")]
        public: PathBuf,
        /// Check this disclosure of accounts against the bundle, and print what it reveals
        #[arg(long, value_name = "FILE")]
        disclosure: Option<PathBuf>,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Compute every number of a bundle again from its inputs, and compare bit for bit
    Replay(Replay),
    /// Reveal chosen accounts of a bundle, and nothing of the others
    Disclose {
        /// The bundle: a directory or an archive
        #[arg(value_name = "DIR|ARCHIVE")]
        bundle: PathBuf,
        /// The file of secrets that was written beside the bundle
        #[arg(long, value_name = "FILE")]
        secrets: PathBuf,
        /// An account, by pseudonym or name; may be given again
        #[arg(long, value_name = "ACCOUNT", required = true)]
        account: Vec<String>,
        /// The disclosure, for whoever is to check it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Add an RFC 3161 token over the bundle's envelope
    Stamp {
        /// The bundle's directory
        #[arg(value_name = "DIR")]
        bundle: PathBuf,
        /// The authority's response (DER): openssl ts -query -data DIR/envelope.dsse.json -sha256 -cert makes the request
        #[arg(long, value_name = "FILE.tsr")]
        token: PathBuf,
        /// The key that signed the bundle
        #[arg(long, value_name = "KEY")]
        sign: PathBuf,
        /// Write the bundle as one file too: DIR.tar.zst
        #[arg(long)]
        archive: bool,
    },
    /// The chain of custody of a store: who ran what on which inputs, when
    #[command(subcommand)]
    Custody(CustodyCommand),
}

#[derive(Debug, Args)]
pub(crate) struct Bundle {
    /// Results: watermark detect or ring with --format json, or an audit's report.json
    #[arg(value_name = "RESULT.json", required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// The new directory; one that is there is never overwritten
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Key that signs (PEM), of stillhunt evidence keygen
    #[arg(long, value_name = "KEY")]
    pub(crate) sign: PathBuf,
    /// Check that every input is below this directory before anything is signed; may be given again
    #[arg(long, value_name = "DIR")]
    pub(crate) inputs: Vec<PathBuf>,
    /// The store that rings were found in: needed for rings; its chain of custody goes into the bundle, and the bundle into the chain
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Of an audit's report, only this ring; may be given again
    #[arg(long, value_name = "RING")]
    pub(crate) ring: Vec<String>,
    /// Real names of accounts, one a line, so that they can be disclosed later; they go into the file of secrets and not into the bundle
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Account key, for --names [default: as for audit]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Write the bundle as one file too: DIR.tar.zst
    #[arg(long)]
    pub(crate) archive: bool,
    /// Who makes it, for the chain of custody [default: the login name]
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The bundle: a directory or an archive
    #[arg(value_name = "DIR|ARCHIVE")]
    pub(crate) bundle: PathBuf,
    /// Directory with the input files, under any names: they are found by digest, keys by commitment; may be given again
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) inputs: Vec<PathBuf>,
    /// Verify the bundle with this public key first
    #[arg(long, value_name = "PUB")]
    pub(crate) public: Option<PathBuf>,
    /// Threads, 1 to 1024 [default: one a core]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CustodyCommand {
    /// Print the chain
    Show {
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// text or json
        #[arg(long, value_parser = of(&[Format::Text, Format::Json]), default_value = "text")]
        format: Format,
    },
    /// Check the chain: rows that were taken out, edited, moved or cut off are named
    Verify {
        /// Store directory
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// A bundle whose head the chain must go on from; verify the bundle first; may be given again
        #[arg(long, value_name = "DIR|ARCHIVE")]
        against: Vec<PathBuf>,
    },
}
