//! The commands that read a store: `similar`, `family`, `account`, `export`, `store`.

use super::args::{Account, Export, Family, ListArgs, Similar, StoreCommand};
use super::format::{Format, only};
use super::{config, print, threads};
use crate::error::{Error, ErrorKind, Result};
use crate::family::judge::RULE_VERSION;
use crate::family::template::Value;
use crate::ids::{FamilyId, Level};
use crate::lookup;
use crate::lookup::{ListQuery, Opened, SimilarHit, SimilarQuery};
use crate::report::escape::{Lines, terminal};
use crate::report::export::{Tlp, What};
use crate::report::ring::RingOf;
use crate::report::{self, Part, date_of};
use crate::store::files::read_bounded;
use crate::store::{Store, backup, verify};
use crate::stored::AuditConfig;
use std::io::Read as _;
use std::path::Path;

/// Values of a slot that a line has.
const SHOWN_VALUES: usize = 8;

/// Longest text that is searched for.
const LONGEST_QUERY: u64 = 64 << 20;

/// The store that is read; all of it checked before, where that was asked for.
pub(super) fn opened(dir: &Path, checked: bool) -> Result<Store> {
    if checked { verify::verify(dir)?.whole() } else { Store::open(dir) }
}

pub(super) fn family_id(text: &str) -> Result<FamilyId> {
    text.parse().map_err(|()| {
        Error::new(
            ErrorKind::Config,
            format!("expected the name of a family (n, x, f or s and 16 hex digits), got {text:?}"),
        )
        .hint("stillhunt family list shows them")
    })
}

pub(crate) fn similar(args: &Similar) -> Result<()> {
    threads(args.common.threads)?;
    let model = config::model(&args.common)?;
    let store = opened(&args.common.store, args.checked)?;
    let opened = Opened::open(store, &model, &AuditConfig::default())?;
    let text = match (&args.text, &args.file, &args.id) {
        (_, _, Some(id)) => opened.prompt_of(id)?,
        (_, Some(path), _) => utf8(read_bounded(path, LONGEST_QUERY)?)?,
        (Some(dash), ..) if dash == "-" => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().take(LONGEST_QUERY).read_to_end(&mut bytes);
            read.map_err(|cause| Error::new(ErrorKind::Io, format!("cannot read standard input: {cause}")))?;
            utf8(bytes)?
        }
        (text, ..) => text.clone().unwrap_or_default(),
    };
    if text.trim().is_empty() {
        return Err(Error::new(ErrorKind::Input, "expected a text to search for, got an empty one"));
    }
    let hits = opened.similar(&SimilarQuery {
        text,
        k: if args.all { 0 } else { args.k },
        since: args.since.as_deref().map(config::moment).transpose()?,
        until: args.until.as_deref().map(config::moment).transpose()?,
        nights: args.nights,
        account: args.account.as_deref().map(|account| config::account(&args.common, account)).transpose()?,
        model: args.served_model.clone(),
        family: args.family.as_deref().map(family_id).transpose()?,
    })?;
    if args.format == Format::Json {
        return print::json(&hits);
    }
    let mut out = String::new();
    for note in &hits.notes {
        out += &format!("{note}\n");
    }
    for shared in &hits.fragments {
        out += &format!("the text holds the fragment family {}\n", shared.family_id);
    }
    for hit in &hits.hits {
        let family = hit.family_id.map_or_else(|| "no family".to_owned(), |id| id.to_string());
        let accepted = if hit.accepted { "near-duplicate" } else { "below the family rule" };
        out += &format!(
            "{:.3}  {}  {}  {}\n       score {:.3} ({accepted}), {family}, {} requests of {} accounts\n       {}\n",
            hit.similarity,
            print::line(&hit.exchange_id, 64),
            hit.account,
            print::second(hit.time),
            hit.score,
            hit.requests,
            hit.accounts,
            marked(hit)
        );
        if hit.accounts > 1 {
            let shown: Vec<String> = hit.account_ids.iter().take(5).map(ToString::to_string).collect();
            let more = if hit.accounts > 5 { " …" } else { "" };
            out += &format!("       accounts {}{more}\n", shown.join(" "));
        }
        for shared in &hit.fragments {
            let text = &hit.prompt[shared.start..shared.end];
            out += &format!("       shares the fragment {}: {}\n", shared.family_id, print::line(text, 160));
        }
    }
    if hits.hits.is_empty() {
        out += "nothing similar\n";
    }
    print::out(&out)
}

fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|cause| Error::new(ErrorKind::Input, format!("expected UTF-8 text: {cause}")))
}

/// The start of a hit's prompt, what it shares with the query in «».
fn marked(hit: &SimilarHit) -> String {
    const SHOWN: usize = 400;
    let end = hit.prompt.char_indices().nth(SHOWN).map_or(hit.prompt.len(), |(at, _)| at);
    let plain = |text: &str| terminal(text, Lines::Join).to_string();
    let (mut out, mut at) = (String::new(), 0);
    for &(from, to) in hit.shared.iter().filter(|(from, _)| *from < end) {
        out += &plain(&hit.prompt[at..from]);
        out += &format!("«{}»", plain(&hit.prompt[from..to.min(end)]));
        at = to.min(end);
    }
    out += &plain(&hit.prompt[at..end]);
    if end < hit.prompt.len() {
        out.push('…');
    }
    out
}

fn list_query(args: &ListArgs, common: &super::args::Common) -> Result<ListQuery> {
    let level = args.level.as_deref().map(|level| {
        level.parse::<Level>().map_err(|()| {
            Error::new(
                ErrorKind::Config,
                format!("expected the level exact, near-duplicate, fragment or system, got {level:?}"),
            )
        })
    });
    Ok(ListQuery {
        most: args.most,
        level: level.transpose()?,
        since: args.since.as_deref().map(config::moment).transpose()?,
        until: args.until.as_deref().map(config::moment).transpose()?,
        nights: args.nights,
        model: args.served_model.clone(),
        account: args.account.as_deref().map(|account| config::account(common, account)).transpose()?,
        known: args.stratum.clone(),
        least_similarity: args.similarity,
        new_tonight: args.new,
        least_accounts: args.accounts,
        trivial: args.trivial,
        after: None,
    })
}

pub(crate) fn family(args: &Family) -> Result<()> {
    threads(args.common.threads)?;
    if args.family == "list" {
        let store = opened(&args.common.store, args.checked)?;
        let families = lookup::export_families(&store, &list_query(&args.list, &args.common)?)?;
        return match args.format {
            Format::Json => print::json(&serde_json::json!({ "schema": 1, "families": families })),
            Format::Csv => print::out(&report::csv::families(&families)),
            _ => print::out(&table(&families)),
        };
    }
    only(args.format, &[Format::Text, Format::Json])?;
    let model = config::model(&args.common)?;
    let store = opened(&args.common.store, args.checked)?;
    let opened = Opened::open(store, &model, &AuditConfig::default())?;
    let page = opened.family(family_id(&args.family)?, usize::MAX)?;
    if args.format == Format::Json {
        return print::json(&page);
    }
    let f = &page.family;
    let mut out = format!(
        "{} ({})\n{} accounts ({} new), {} requests, {} distinct prompts, {} to {}\n",
        f.id,
        f.level.word(),
        f.accounts,
        f.new_accounts,
        f.requests,
        f.distinct_prompts,
        print::second(f.first_seen),
        print::second(f.last_seen)
    );
    if let Some(within) = f.within {
        out += &format!("lies within {within}\n");
    }
    if let Some(fragment) = &f.fragment {
        let place = fragment.place;
        out += &format!(
            "in {} distinct {} texts ({} at the start, {} in the middle, {} at the end), {:.1}% of their length; cuts across {} \
             near-duplicate families\n",
            fragment.texts,
            fragment.field.word(),
            place.start,
            place.middle,
            place.end,
            100.0 * fragment.share,
            fragment.near_families
        );
        if let Some(known) = &fragment.known {
            out += &format!("known shared text: {}\n", print::line(known, 80));
        }
        if fragment.registry_candidate {
            out += "old and common: decide whether it belongs on the list of known texts (audit --known)\n";
        }
        out += &format!("digest {}\n", fragment.digest);
    }
    if let Some(least) = f.smallest_similarity {
        out += &format!("similarity to the leader at least {least:.3}\n");
    }
    if let Some(rule) = f.rule {
        let current = if rule == RULE_VERSION {
            ""
        } else {
            ", older than today's: judge its texts again by audit into a new store"
        };
        out += &format!("made by version {rule} of the rule{current}\n");
    }
    out += &ring_lines(&page.rings);
    out += "\ntemplate\n  ";
    for part in &f.template_parts {
        out += &match part {
            Part::Text(text) => terminal(text, Lines::Join).to_string(),
            Part::Slot(slot) => format!("⟨{slot}⟩"),
        };
    }
    out += "\n";
    for slot in &f.slots {
        let value = |value: &Value| format!("{} × {}", print::line(&value.value, 60), value.requests);
        let mut values: Vec<String> = slot.values.iter().take(SHOWN_VALUES).map(value).collect();
        let more = slot.distinct_values.saturating_sub(values.len() as u64);
        values.extend((more > 0).then(|| format!("{more} more")));
        out += &format!(
            "  ⟨{}⟩ {} values, with their requests: {}\n",
            slot.slot,
            slot.distinct_values,
            values.join(" · ")
        );
    }
    out += "\nrequests  account                    first seen            last seen\n";
    for member in page.members.iter().take(30) {
        out += &format!(
            "{:>8}  {}  {}  {}\n",
            member.requests,
            member.account,
            print::second(member.first_seen),
            print::second(member.last_seen)
        );
    }
    if page.members.len() > 30 {
        out += &format!("          and {} more accounts (--format json has them all)\n", page.members.len() - 30);
    }
    out += "\nexchanges, evenly chosen\n";
    for exchange in page.exchanges.iter().take(10) {
        let id = print::line(&exchange.exchange_id, 40);
        out += &format!(
            "  {}  {id}  {}\n    {}\n",
            print::second(exchange.time),
            exchange.account,
            print::line(&exchange.prompt, 160)
        );
    }
    print::out(&out)
}

fn table(families: &[report::Family]) -> String {
    if families.is_empty() {
        return "no families are as asked for\n".to_owned();
    }
    let mut out = "accounts requests prompts   new  last seen             family             template\n".to_owned();
    for f in families {
        out += &format!(
            "{:>8} {:>8} {:>7} {:>4.0}%  {}  {}  {}\n",
            f.accounts,
            f.requests,
            f.distinct_prompts,
            100.0 * f.new_account_share,
            print::second(f.last_seen),
            f.id,
            print::line(&f.template, 70)
        );
    }
    out
}

/// Rings on the page of an account or a family.
fn ring_lines(rings: &[RingOf]) -> String {
    let of_one = |ring: &RingOf| {
        let membership = ring.membership.map(|m| format!(", membership {m:.4}")).unwrap_or_default();
        let (rung, day) = (ring.rung.word(), date_of(ring.confirmed_night));
        let last = ring.last.map(|last| format!(", last listed {}", date_of(last))).unwrap_or_default();
        format!("ring {} (rung {rung}, gamma* {}, confirmed {day}{membership}{last})\n", ring.ring_id, ring.gamma_star)
    };
    rings.iter().map(of_one).collect()
}

pub(crate) fn account(args: &Account) -> Result<()> {
    threads(args.common.threads)?;
    let model = config::model(&args.common)?;
    let store = opened(&args.common.store, args.checked)?;
    let opened = Opened::open(store, &model, &AuditConfig::default())?;
    let page = opened.account(config::account(&args.common, &args.account)?)?;
    if args.format == Format::Json {
        return print::json(&page);
    }
    let models: Vec<String> =
        page.models.iter().take(5).map(|(name, n)| format!("{} ({n})", print::line(name, 40))).collect();
    let mut out = format!(
        "{}\n{} requests, {} distinct prompts, {} to {}\nmodels: {}\n{}\nfamilies\naccounts requests   own  family             leader\n",
        page.account,
        page.requests,
        page.distinct_prompts,
        print::second(page.first_seen),
        print::second(page.last_seen),
        if models.is_empty() { "none named".to_owned() } else { models.join(", ") },
        ring_lines(&page.rings)
    );
    for family in &page.families {
        out += &format!(
            "{:>8} {:>8} {:>5}  {}  {}\n",
            family.accounts,
            family.family_requests,
            family.requests,
            family.family_id,
            print::line(&family.prompt, 80)
        );
    }
    if page.trivial_requests > 0 {
        out += &format!("and {} requests with trivial texts\n", page.trivial_requests);
    }
    print::out(&out)
}

pub(crate) fn export(args: &Export) -> Result<()> {
    threads(args.common.threads)?;
    let what = What::ALL.into_iter().find(|what| what.word() == args.what).unwrap_or(What::Rings);
    let wanted = lookup::Export {
        what,
        format: what.format(&args.format)?,
        tlp: args.tlp.as_deref().and_then(Tlp::of),
        least: args.at_or_above.rung(),
        families: ListQuery { most: usize::MAX, trivial: true, ..list_query(&args.list, &args.common)? },
    };
    let store = opened(&args.common.store, args.checked)?;
    let mut out = print::Long::new();
    let answer = lookup::export(&store, &wanted, &mut out);
    out.end(answer)
}

pub(crate) fn store(args: &StoreCommand) -> Result<()> {
    match args {
        StoreCommand::Forget { .. } | StoreCommand::Compact { .. } | StoreCommand::Upgrade { .. } => {
            super::forget::run(args)
        }
        StoreCommand::Verify { store } => {
            let verified = verify::verify(store)?;
            for damage in &verified.damage {
                print::say(&format!("error: {damage}"));
            }
            let opened = match (verified.damage.len(), verified.store) {
                (0, Some(store)) => store,
                (n, _) => {
                    let message = format!("expected a whole store, found {n} damaged files or tables");
                    return Err(Error::new(ErrorKind::Store, message).hint(verify::HINT));
                }
            };
            print::out(&format!("whole: {} nights, {} files\n", opened.nights().len(), opened.files().len()))
        }
        StoreCommand::Backup { to, store } => {
            let copied = backup::backup(store, to)?;
            let (nights, files, bytes) = (copied.nights, copied.files, copied.bytes);
            print::out(&format!("copied: {nights} nights, {files} files, {bytes} bytes\n"))
        }
        StoreCommand::Stats { store, format } => {
            let opened = Store::open(store)?;
            let bytes: u64 = opened.files().iter().map(|file| file.bytes).sum();
            let mut kinds: std::collections::BTreeMap<&str, (u64, u64)> = std::collections::BTreeMap::new();
            for file in opened.files() {
                let entry = kinds.entry(&file.kind).or_default();
                *entry = (entry.0 + 1, entry.1 + file.bytes);
            }
            let exchanges: u64 = opened.nights().iter().map(|night| night.exchanges).sum();
            let (prompts, accounts) =
                opened.nights().last().map_or((0, 0), |n| (n.first_prompt + n.prompts, n.first_account + n.accounts));
            if *format == Format::Json {
                let kinds: serde_json::Map<String, serde_json::Value> = kinds
                    .iter()
                    .map(|(kind, (n, bytes))| ((*kind).to_owned(), serde_json::json!({ "files": n, "bytes": bytes })))
                    .collect();
                return print::json(&serde_json::json!({
                    "schema": 1, "nights": opened.nights().len(), "exchanges": exchanges, "distinct_prompts": prompts,
                    "accounts": accounts, "bytes": bytes, "kinds": kinds,
                }));
            }
            let mut out = format!(
                "{} nights, {exchanges} exchanges, {prompts} distinct prompts, {accounts} accounts, {bytes} bytes\n\n",
                opened.nights().len()
            );
            for (kind, (n, bytes)) in kinds {
                out += &format!("{kind:<14} {n:>5} files {bytes:>14} bytes\n");
            }
            print::out(&out)
        }
    }
}
