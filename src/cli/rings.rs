//! The command `ring`, and rings as an audit prints them.
#![allow(clippy::disallowed_methods)]

use super::args::{self, Author, RingCommand, ShownRing};
use super::format::Format;
use super::lookups::opened;
use super::{config, custody, print, threads};
use crate::error::{Error, ErrorKind, Result};
use crate::lookup::{self, EndUsers};
use crate::report::date_of;
use crate::report::ring::{Disposition, PastRing, Ring, RingsMeta, verbal, without_words};
use crate::ring::placebo::{Dealing, Realised};
use crate::stats::proportion_interval;
use crate::store::Store;
use crate::store::custody::By;
use crate::store::files::read_bounded;
use crate::upkeep::{self, Said};
use std::path::Path;

/// Longest list of accounts.
const LONGEST_LIST: u64 = 64 << 20;

pub(crate) fn ring(args: &args::Ring) -> Result<()> {
    match (&args.command, &args.shown) {
        (Some(command), _) => said(command),
        (None, Some(shown)) => show(shown),
        (None, None) => Err(Error::new(ErrorKind::Config, "expected a ring's name or the word list")),
    }
}

/// The author's name: as given, or the login name.
pub(super) fn name_of(author: &Author) -> String {
    let name = author.author.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_default();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// What people say of rings.
fn said(command: &RingCommand) -> Result<()> {
    let holder = format!("process {}", std::process::id());
    // What is said of a ring is said of one that the store has, and is witnessed.
    let known = |store: &Path, ring: &str| lookup::chosen_rings(&Store::open(store)?, &[ring.to_owned()]).map(drop);
    let note = |store: &Path, ring: &str, what: (&str, Option<Disposition>), author: &Author| {
        known(store, ring)?;
        let author = name_of(author);
        let command = if what.1.is_some() { "ring dispose" } else { "ring note" };
        let verdict = what.1.map(|verdict| format!("--verdict={}", verdict.word()));
        let arguments = [Some(format!("--ring={ring}")), verdict].into_iter().flatten().collect();
        let act = custody::act(Some(&author), command, arguments)?;
        let by = By { name: &holder, act: Some(act.clone()) };
        upkeep::note(store, ring, what, &Said { author: &author, time: act.time }, by)
    };
    match command {
        RingCommand::Note { ring, text, author, store } => note(store, ring, (text, None), author),
        RingCommand::Dispose { ring, verdict, note: why, author, store } => {
            note(store, ring, (why, Some(*verdict)), author)
        }
        RingCommand::Assign { ring, to, author, store } => {
            known(store, ring)?;
            let author = name_of(author);
            let act = custody::act(Some(&author), "ring assign", vec![format!("--ring={ring}")])?;
            let by = By { name: &holder, act: Some(act.clone()) };
            upkeep::assign(store, ring, to.as_deref(), &Said { author: &author, time: act.time }, by)
        }
        RingCommand::Placebo { common, walks, seed, format } => {
            threads(common.threads)?;
            let all = lookup::placebo(&Store::open(&common.store)?, &config::model(common)?, *walks, *seed)?;
            if *format == Format::Json {
                return print::json(&lookup::placebo_page(&all));
            }
            let words: String = all.iter().map(in_words).collect();
            print::out(&format!(
                "{words}accounts of rings are left out; what the walks confirm is false, or coordination of accounts that are in no ring\n"
            ))
        }
        RingCommand::Behind { account, known, common, format } => {
            threads(common.threads)?;
            let gateway = config::account(common, account)?;
            let known = config::known_texts(known)?;
            let found = lookup::rings_behind(&Store::open(&common.store)?, &config::model(common)?, &known, gateway)?;
            if *format == Format::Json {
                print::json(&lookup::behind_page(&found))
            } else {
                print::out(&behind_words(&found))
            }
        }
        RingCommand::Propose { file, common, format } => {
            let bytes = read_bounded(file, LONGEST_LIST)?;
            let text = String::from_utf8_lossy(&bytes);
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let accounts = lines.map(|line| config::account(common, line)).collect::<Result<Vec<_>>>()?;
            let act = custody::act(None, "ring propose", vec![format!("--accounts={}", accounts.len())])?;
            let drawn = upkeep::propose(&common.store, &accounts, By { name: &holder, act: Some(act) })?;
            if *format == Format::Json {
                return print::json(&drawn);
            }
            print::out(&format!(
                "{} accounts are frozen after {} with digest {}; {} are not in the store\nlater days test them; until one confirms them they are a guess\n",
                drawn.accounts,
                date_of(drawn.day),
                drawn.frozen,
                drawn.unknown
            ))
        }
    }
}

/// Rings among the end users of an account, in words.
fn behind_words(found: &EndUsers) -> String {
    let mut out = format!(
        "{} end users behind {}, who stand below in the place of accounts: {} exchanges, of which {} name none and {} are of days with hardly any\nthe account says itself who its end users are\n\n",
        found.end_users, found.gateway, found.exchanges, found.unnamed, found.meta.late
    );
    out += &table(&found.rings, &found.meta);
    for ring in &found.rings {
        out += &format!("\nmembers of {}\n{}", ring.id, members(ring));
    }
    out
}

/// The members of a ring, the likeliest first.
fn members(ring: &Ring) -> String {
    let mut out = "membership  shared  account\n".to_owned();
    for member in ring.members.iter().take(30) {
        let listed = if member.listed { "" } else { "  (level 5% only)" };
        out += &format!("{:>10.4} {:>7}  {}{listed}\n", member.membership, member.shared, member.account);
    }
    if ring.members.len() > 30 {
        out += &format!("and {} more\n", ring.members.len() - 30);
    }
    out
}

/// What walks without coordination confirmed, in words.
fn in_words(of: &Realised) -> String {
    let dealing = match of.dealing {
        Dealing::Choices => "who chose what is dealt anew within each neighbourhood of text",
        Dealing::Names => "accounts change names on each day, in each half of its texts",
        Dealing::Dates => "the days of each account change places among each other",
    };
    let (low, high) = proportion_interval(of.lists_with, of.lists, 0.95);
    format!(
        "{} walks, {dealing}:\n  {} of {} lists of a day's groups had one confirmed: {:.2}% ({:.2} to {:.2}%); {} of {} groups, in {} walks\n  \
         mean of the e-values of {} tests: {:.2}\n",
        of.walks,
        of.lists_with,
        of.lists,
        100.0 * of.lists_with as f64 / (of.lists as f64).max(1.0),
        100.0 * low,
        100.0 * high,
        of.confirmed,
        of.groups,
        of.walks_with,
        of.tests,
        of.mean_e
    )
}

fn show(args: &ShownRing) -> Result<()> {
    let store = opened(&args.store, args.checked)?;
    let is_list = args.ring == "list";
    let (rings, meta) =
        if is_list { lookup::rings(&store)? } else { lookup::chosen_rings(&store, std::slice::from_ref(&args.ring))? };
    if args.format == Format::Json {
        return print::json(&match is_list {
            true => lookup::rings_page(&rings, &meta, false),
            false => lookup::ring_page(&store, &rings, &meta, usize::MAX)?,
        });
    }
    print::out(&if is_list { table(&rings, &meta) } else { page(&rings[0], &meta) })
}

/// Since when a ring is not listed any more, and why.
fn left(past: &PastRing) -> String {
    let why = past
        .became
        .as_ref()
        .map_or("nothing was heard of it since".to_owned(), |ring| format!("its accounts are in {ring}"));
    format!("was last listed on {}: {why}", date_of(past.last))
}

/// The list of rings, as people read it.
pub(super) fn table(rings: &[Ring], meta: &RingsMeta) -> String {
    if rings.is_empty() {
        return format!("no ring is confirmed\n{}", behind(meta));
    }
    let mut out = "ring              accounts requests families gamma* log10 E  proposed    confirmed\n".to_owned();
    for ring in rings {
        out += &format!(
            "{} {:>8} {:>8} {:>8} {:>6} {:>7.1}  {}  {}\n",
            ring.id,
            ring.accounts,
            ring.requests,
            ring.families.len(),
            ring.gamma_star,
            ring.log10_e,
            date_of(ring.first_proposed),
            date_of(ring.confirmed_night)
        );
    }
    out + &behind(meta)
}

fn behind(meta: &RingsMeta) -> String {
    let past: String = meta.past.iter().map(|past| format!("{} {}\n", past.id, left(past))).collect();
    let past = if past.is_empty() { past } else { format!("\nno longer listed\n{past}") };
    format!("{past}\n{}\n", meta.words())
}

fn page(ring: &Ring, meta: &RingsMeta) -> String {
    let mut out = format!(
        "{} ({}, rung: {}, campaign {}, disposition: {}, assigned to {})\n{} accounts, {} requests in its families; proposed {}, confirmed {}; gamma* {}, log10 E {:.1}\n\nfamilies\nday         accounts     of  family\n",
        ring.id,
        ring.route.word(),
        ring.rung.word(),
        ring.campaign,
        ring.disposition.map_or("none yet", Disposition::word),
        ring.assignee.as_deref().map_or("nobody".into(), |name| print::line(name, 40)),
        ring.accounts,
        ring.requests,
        date_of(ring.first_proposed),
        date_of(ring.confirmed_night),
        ring.gamma_star,
        ring.log10_e
    );
    if let Some(past) = &ring.past {
        out.insert_str(0, &format!("{}\n", left(past)));
    }
    for family in ring.families.iter().take(30) {
        let day = date_of(family.day);
        out += &format!("{day}  {:>8} {:>6}  {}\n", family.accounts, family.of, family.family_id);
    }
    out += &format!("\n{}", members(ring));
    out +=
        "\nstreams, each by itself: at least so many times more probable under coordination as modelled than without\n";
    for (stream, log10_e) in &ring.streams {
        out += &match log10_e {
            Some(log10_e) => format!("{stream:<18} 10^{log10_e:.1}: {}\n", verbal(*log10_e)),
            None => format!("{stream:<18} not asked: another route, or the log does not say\n"),
        };
    }
    for shared in &ring.in_common {
        let of = ring.tested_accounts;
        out += &format!(
            "  {}: {} of {of} accounts have one value; p 10^{:.1}{}\n",
            shared.attribute,
            shared.accounts,
            shared.log10_p,
            shared.aside()
        );
    }
    for fact in ring.facts() {
        out += &format!("  {}\n", print::line(&fact, 400));
    }
    out += &format!("\nits rung {}\nwhere one thing is changed in a test\n", without_words(&ring.without));
    for of in &ring.sensitivity {
        out += &format!("  {}\n", of.words());
    }
    out += "\ninnocent explanations\n";
    for answer in &ring.provenance {
        out += &format!("{:<16} {}: {}\n", answer.explanation, answer.word(), print::line(&answer.found, 200));
    }
    if !ring.notes.is_empty() {
        out += "\nnotes\n";
    }
    for note in &ring.notes {
        let author = print::line(&note.author, 40);
        out += &format!("{}  {author}  {}\n", print::second(note.time), print::line(&note.text, 400));
    }
    out + &behind(meta)
}
