//! The commands that take something out of a store: `store forget`, `store compact`. Each says what it did, for the record.

use super::args::{Common, StoreCommand};
use super::format::Format;
use super::progress::Meter;
use super::{config, custody, print};
use crate::error::Result;
use crate::store::custody::By;
use crate::upkeep;
use crate::upkeep::{Compacted, Forget, Forgotten, Upgraded};

/// Families that are listed for people; JSON has them all.
const SHOWN: usize = 50;

pub(crate) fn run(command: &StoreCommand) -> Result<()> {
    let holder = format!("process {}", std::process::id());
    let meter = Meter::new();
    match command {
        StoreCommand::Forget { store, account, before, key, format } => {
            let common = Common { store: store.clone(), model: None, key: key.clone(), threads: None };
            let what = match (account, before) {
                (Some(account), _) => Forget::Account(config::account(&common, account)?),
                (None, before) => Forget::Before(config::moment(before.as_deref().unwrap_or_default())?),
            };
            // The name of a forgotten account is forgotten here, too.
            let told = before.as_ref().map_or("--account".to_owned(), |before| format!("--before={before}"));
            let act = custody::act(None, "store forget", vec![told])?;
            let done = upkeep::forget(store, &what, By { name: &holder, act: Some(act) }, &meter);
            meter.end();
            let done = done?;
            if *format == Format::Json { print::json(&done) } else { print::out(&forgotten(&done)) }
        }
        StoreCommand::Compact { store, format } => {
            let act = custody::act(None, "store compact", Vec::new())?;
            let done = upkeep::compact(store, By { name: &holder, act: Some(act) }, &meter);
            meter.end();
            let done = done?;
            if *format == Format::Json { print::json(&done) } else { print::out(&compacted(&done)) }
        }
        StoreCommand::Upgrade { store, format } => {
            let act = custody::act(None, "store upgrade", Vec::new())?;
            let done = upkeep::upgrade(store, By { name: &holder, act: Some(act) }, &meter);
            meter.end();
            let done = done?;
            if *format == Format::Json { print::json(&done) } else { print::out(&upgraded(&done)) }
        }
        _ => Ok(()),
    }
}

fn notes(notes: &[String]) -> String {
    notes.iter().map(|note| format!("{note}\n")).collect()
}

fn forgotten(done: &Forgotten) -> String {
    let mut out = notes(&done.notes);
    for name in &done.removed {
        out += &format!("removed {}\n", print::line(name, 200));
    }
    if done.exchanges == 0 && done.accounts == 0 {
        return out + "nothing to forget\n";
    }
    out += &format!(
        "forgot {} exchanges and {} accounts, with {} prompts, {} system prompts and {} earlier turns that nobody else sent; wrote {} \
         files again\n",
        done.exchanges, done.accounts, done.prompts, done.systems, done.turns, done.files
    );
    if done.families.is_empty() {
        return out + "no family lost evidence\n";
    }
    out += "\nfamilies that lost evidence\nfamily             level           accounts      exchanges\n";
    for family in done.families.iter().take(SHOWN) {
        let change = |[before, after]: [u64; 2]| format!("{before} → {after}");
        out += &format!(
            "{}  {:<14}  {:<12}  {:<12}{}{}\n",
            family.family_id,
            family.level.word(),
            change(family.accounts),
            change(family.exchanges),
            if family.leader_forgotten { "  another text leads it" } else { "" },
            if family.gone { "  gone" } else { "" }
        );
    }
    if done.families.len() > SHOWN {
        out += &format!("and {} more (--format json has them all)\n", done.families.len() - SHOWN);
    }
    out
}

fn upgraded(done: &Upgraded) -> String {
    let ([format, format_after], [files, files_after]) = (done.formats, done.files);
    format!("format {format} → {format_after}, {files} → {files_after} files\n")
}

fn compacted(done: &Compacted) -> String {
    let ([bytes, bytes_after], [files, files_after]) = (done.bytes, done.files);
    notes(&done.notes) + &format!("{bytes} → {bytes_after} bytes, {files} → {files_after} files\n")
}
