//! The command `registry`.

use super::args::{Origin, RegistryCommand};
use super::format::Format;
use super::rings::name_of;
use super::{config, custody, print};
use crate::error::{Error, ErrorKind, Result};
use crate::lookup;
use crate::store::Store;
use crate::store::custody::By;
use crate::stored::KnownWhat;
use crate::stored::registry::{Kind, What};
use crate::upkeep::{Registration, Said, register, unregister};

pub(crate) fn run(command: &RegistryCommand) -> Result<()> {
    match command {
        RegistryCommand::Add { name, what, digest, origin } => {
            let what = match (digest, what) {
                (Some(digest), _) => What::Digest(digest.parse().map_err(|()| {
                    Error::new(ErrorKind::Config, format!("expected a digest of 64 hex digits, got {digest:?}"))
                })?),
                (None, Some(account)) if origin.kind == Kind::Gateway => {
                    What::Account(config::account(&origin.common, account)?)
                }
                (None, text) => What::Text(text.clone().unwrap_or_default()),
            };
            add(vec![(name.clone(), what)], origin)
        }
        RegistryCommand::Import { file, origin } => {
            let known = |source: crate::stored::KnownSource| {
                let what = match source.what {
                    KnownWhat::Text(text) => What::Text(text),
                    KnownWhat::Digest(digest) => What::Digest(digest),
                };
                (source.name, what)
            };
            add(config::known_sources(file)?.into_iter().map(known).collect(), origin)
        }
        RegistryCommand::List { store, format } => {
            let entries = lookup::registry(&Store::open(store)?)?;
            if *format == Format::Json {
                return print::json(&serde_json::json!({ "schema": 1, "entries": entries }));
            }
            let mut out = String::new();
            for entry in &entries {
                let what = match &entry.what {
                    What::Text(text) => print::line(text, 60),
                    What::Digest(digest) => format!("digest {digest}"),
                    What::Account(account) => format!("account {account}"),
                };
                let since = entry.public_since.map_or_else(|| "unknown".to_owned(), print::second);
                let (name, from) = (print::line(&entry.name, 40), print::line(&entry.provenance, 60));
                let (kind, by) = (entry.kind.word(), print::line(&entry.author, 40));
                let added = print::second(entry.added);
                out +=
                    &format!("{name} ({kind}; public since {since}; added {added} by {by}; from {from})\n  {what}\n");
            }
            print::out(if entries.is_empty() { "the registry is empty\n" } else { &out })
        }
        RegistryCommand::Suggest { store, format } => {
            let candidates = lookup::suggest(&Store::open(store)?)?;
            if *format == Format::Json {
                return print::json(&serde_json::json!({ "schema": 1, "candidates": candidates }));
            }
            let line = |of: &lookup::Candidate| {
                format!(
                    "{:>8}  {}  {}\n          {}\n",
                    of.accounts,
                    of.family_id,
                    of.why,
                    print::line(&of.template, 120)
                )
            };
            let out: String = candidates.iter().map(line).collect();
            print::out(if out.is_empty() { "nothing to suggest\n" } else { &out })
        }
        RegistryCommand::Remove { name, store } => {
            let act = custody::act(None, "registry remove", Vec::new())?;
            let removed = unregister(store, name, By { name: &holder(), act: Some(act) })?;
            print::out(&format!("removed {removed} entries\n"))
        }
    }
}

fn holder() -> String {
    format!("process {}", std::process::id())
}

fn add(what: Vec<(String, What)>, origin: &Origin) -> Result<()> {
    let author = name_of(&origin.author);
    let told = vec![format!("--kind={}", origin.kind.word()), format!("--entries={}", what.len())];
    let act = custody::act(Some(&author), "registry add", told)?;
    let said = Said { author: &author, time: act.time };
    let new = Registration {
        kind: origin.kind,
        what,
        provenance: origin.provenance.clone(),
        public_since: origin.since.as_deref().map(config::moment).transpose()?,
    };
    let added = register(&origin.common.store, new, &said, By { name: &holder(), act: Some(act) })?;
    print::out(&format!("added {added} entries; the next audit reads them\n"))
}
