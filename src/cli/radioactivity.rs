//! The commands `contexts` and `radioactivity`.
#![allow(clippy::disallowed_methods)]

use super::args::Common;
use super::config::inputs as expand;
use super::format::Format;
use super::progress::Meter;
use super::radioactivity_args::{
    Ask, Attribute, Build, ContextsCommand, PlanArgs, RadioactivityCommand, Room, Rules, Selection, Sets,
};
use super::watermark::{between, config as wrong, keys, root, tell_keys, told_apart, told_recipe};
use super::{config, custody, print, threads};
use crate::audit::contexts::{Combine, combine as combined};
use crate::audit::plan::plan as planned;
use crate::audit::radioactivity::{self as flow, Harvest, Parties, Question, Reader, Set};
use crate::audit::watermark::tests as tests_of;
use crate::detect::Test;
use crate::detect::decoys::DecoyConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, Digest};
use crate::log::LogConfig;
use crate::lookup;
use crate::radioactivity::contamination::Calibration;
use crate::radioactivity::{Config, Served};
use crate::report::plan::text as plan_text;
use crate::report::radioactivity::{self as report, Attribution, Mode, Radioactivity};
use crate::report::recipe::Draft;
use crate::store::Store;
use crate::store::contexts::Contexts;
use crate::store::custody::{Act, By};
use crate::store::files::{read_bounded, write_whole};
use crate::store::input::Input;
use crate::store::spill::check_dir;
use crate::store::tree::absent;
use crate::stored::served::Choice;
use crate::token::Tokenizer;
use crate::upkeep;
use crate::watermark::keys::Given;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Without a place to read from.
const NEITHER: &str = "expected --store or --harvest, got neither";
/// Longest list of accounts.
const LONGEST_LIST: u64 = 64 << 20;
/// Longest calibration.
const LONGEST_CALIBRATION: u64 = 1 << 20;
/// Longest tokenizer file.
const LONGEST_TOKENIZER: u64 = 256 << 20;

pub(crate) fn contexts(command: &ContextsCommand) -> Result<()> {
    match command {
        ContextsCommand::Build(args) => build(args),
        ContextsCommand::Union(args) => combine(args, Combine::Union),
        ContextsCommand::Intersect(args) => combine(args, Combine::Intersect),
        ContextsCommand::Subtract(args) => combine(args, Combine::Subtract),
        ContextsCommand::Info { set, format } => {
            let set = Contexts::open_file(set)?;
            let (facts, digest) = (set.facts(), set.digest().to_string());
            if *format == Format::Json {
                return print::json(&serde_json::json!({ "schema": 1, "digest": digest, "facts": facts }));
            }
            print::out(&format!(
                "{} contexts of {} tokens, vocabulary {}\nscheme     {}\nselection  {}\nread       {} responses, {} tokens\ntokenizer  {}\ndigest     {digest}\n",
                facts.contexts,
                facts.width,
                facts.vocab,
                print::line(&facts.scheme, 200),
                print::line(&facts.selection, 400),
                facts.responses,
                facts.tokens,
                print::line(facts.tokenizer.as_deref().unwrap_or("none"), 200),
            ))
        }
    }
}

pub(crate) fn radioactivity(command: &RadioactivityCommand) -> Result<()> {
    match command {
        RadioactivityCommand::Closed(args) => ask(Mode::Closed, args),
        RadioactivityCommand::Open(args) => ask(Mode::Open, args),
        RadioactivityCommand::Attribute(args) => attribute(args),
        RadioactivityCommand::Plan(args) => plan(args),
    }
}

/// What is read with, from the flags.
struct Readers {
    tokenizer: Option<Tokenizer>,
    log: LogConfig,
    dir: PathBuf,
    bytes: usize,
}

impl Readers {
    fn new(room: &Room, tokenizer: Option<&Path>) -> Result<Self> {
        threads(room.threads)?;
        let dir = room.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
        check_dir(&dir)?;
        let read = |path: &Path| {
            Tokenizer::from_bytes(&read_bounded(path, LONGEST_TOKENIZER)?).map_err(|error| error.at(path.display()))
        };
        let log = LogConfig {
            max_row_bytes: room.max_row_bytes,
            max_row_values: 1 << 22,
            default_account: Some("unnamed".to_owned()),
            default_time: crate::ids::Time::new(0),
            ..LogConfig::default()
        };
        Ok(Self { tokenizer: tokenizer.map(read).transpose()?, log, dir, bytes: room.memory << 20 })
    }

    fn reader(&self) -> Reader<'_> {
        Reader { tokenizer: self.tokenizer.as_ref(), log: &self.log, bytes: self.bytes, dir: &self.dir }
    }
}

/// `NAME=FILE`, or a file that is called by its own name.
fn named(text: &str) -> Result<(String, Vec<Input>)> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !name.contains('/') => (name.to_owned(), path),
        _ => {
            let stem = Path::new(text).file_stem().unwrap_or_default().to_string_lossy();
            (stem.trim_end_matches(".jsonl").to_owned(), text)
        }
    };
    Ok((name, expand(&[path.to_owned()], &|_| true)?))
}

fn all_named(texts: &[String]) -> Result<Vec<(String, Vec<Input>)>> {
    let all: Vec<(String, Vec<Input>)> = texts.iter().map(|text| named(text)).collect::<Result<_>>()?;
    all_different("harvests", all.iter().map(|(name, _)| name.as_str()))?;
    Ok(all)
}

/// Refuses names of which one stands twice, since results are told by name.
fn all_different<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(wrong(format!("expected {what} of different names, got {name} twice")));
        }
    }
    Ok(())
}

/// Accounts of a ring that the store shows, on the list of level 1%.
fn ring_accounts(store: &Store, names: &[String]) -> Result<Vec<(String, Vec<AccountId>)>> {
    let mut rings = lookup::rings(store)?.0;
    rings.extend(lookup::past_rings(store)?);
    let listed = |ring: &crate::report::ring::Ring| {
        let members = ring.members.iter().filter(|member| member.listed).map(|member| member.account);
        (ring.id.clone(), members.collect())
    };
    if names.is_empty() {
        return Ok(rings.iter().filter(|ring| ring.past.is_none()).map(listed).collect());
    }
    let find = |name: &String| {
        rings.iter().find(|ring| ring.id == *name).map(listed).ok_or_else(|| {
            Error::new(ErrorKind::Input, format!("expected a ring of the store, got {name:?}"))
                .hint("stillhunt ring list shows them")
        })
    };
    names.iter().map(find).collect()
}

/// The chosen responses of a store, in words and as what they are fixed by.
fn choice(args: &Selection, store: &Store, dir: &Path) -> Result<(Choice, String, String)> {
    let mut choice = Choice { others: args.others, ..Choice::default() };
    let mut words = Vec::new();
    let mut accounts: Option<BTreeSet<AccountId>> = None;
    for (name, members) in if args.ring.is_empty() { Vec::new() } else { ring_accounts(store, &args.ring)? } {
        words.push(format!("ring {name} ({} accounts)", members.len()));
        accounts.get_or_insert_default().extend(members);
    }
    if let Some(path) = &args.accounts {
        let common = Common { store: dir.to_owned(), model: None, key: args.key.clone(), threads: None };
        let bytes = read_bounded(path, LONGEST_LIST)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let listed = lines.map(|line| config::account(&common, line)).collect::<Result<BTreeSet<_>>>()?;
        words.push(format!("{} accounts of a list", listed.len()));
        accounts.get_or_insert_default().extend(listed);
    }
    choice.accounts = accounts;
    if !args.family.is_empty() {
        let mut rows = BTreeSet::new();
        for name in &args.family {
            rows.extend(lookup::family_exchanges(store, super::lookups::family_id(name)?)?);
            words.push(format!("family {name}"));
        }
        choice.rows = Some(rows);
    }
    choice.from = args.from.as_deref().map(config::moment).transpose()?;
    choice.until = args.to.as_deref().map(config::moment).transpose()?;
    let mut selection = match (words.is_empty(), args.others) {
        (true, false) => "all responses".to_owned(),
        (true, true) => return Err(wrong("expected --ring, --family or --accounts with --others, got none")),
        (false, false) => format!("responses to {}", words.join(" and ")),
        (false, true) => format!("all responses but those to {}", words.join(" and ")),
    };
    for (word, time) in [("from", &args.from), ("before", &args.to)] {
        selection += &time.as_ref().map(|time| format!(", {word} {time}")).unwrap_or_default();
    }
    let mut fixed = selection.clone();
    choice.accounts.iter().flatten().for_each(|account| fixed += &format!("\n{account}"));
    choice.rows.iter().flatten().for_each(|(night, row)| fixed += &format!("\n{night}:{row}"));
    Ok((choice, selection, fixed))
}

/// The chosen responses, in words and as what they are fixed by.
fn chosen<'a>(args: &Selection, store: Option<&'a Store>) -> Result<(Harvest<'a>, String, String)> {
    match store {
        Some(store) => {
            let dir = args.store.as_deref().unwrap_or(Path::new("."));
            let (choice, selection, fixed) = choice(args, store, dir)?;
            Ok((Harvest::Stored(store, choice), selection, fixed))
        }
        None if args.harvest.is_empty() => Err(wrong(NEITHER)),
        None => {
            let (mut words, mut fixed, mut logs) = (Vec::new(), String::new(), Vec::new());
            for (name, of) in all_named(&args.harvest)? {
                words.push(name);
                for log in of {
                    fixed += &log.digest()?.map(|(digest, _)| format!("{digest}\n")).unwrap_or_default();
                    logs.push(log);
                }
            }
            Ok((Harvest::Logs(logs), format!("all responses of {}", words.join(", ")), fixed))
        }
    }
}

fn plan(args: &PlanArgs) -> Result<()> {
    let asked = Asked::new(&args.rules)?;
    let store = args.selection.store.as_deref().map(Store::open).transpose()?;
    let harvests = match &store {
        Some(_) => {
            let (harvest, selection, _) = chosen(&args.selection, store.as_ref())?;
            vec![(selection, harvest)]
        }
        None if args.selection.harvest.is_empty() => return Err(wrong(NEITHER)),
        None => all_named(&args.selection.harvest)?.into_iter().map(|(name, of)| (name, Harvest::Logs(of))).collect(),
    };
    let meter = Meter::new();
    let plan = planned(&harvests, &asked.question(args.rules.top), args.prompts, &meter);
    meter.end();
    let plan = plan?;
    print::out(&if args.rules.format == Format::Json { report::json(&plan) } else { plan_text(&plan) })
}

fn build(args: &Build) -> Result<()> {
    absent(&args.out)?;
    let readers = Readers::new(&args.room, Some(&args.tokenizer))?;
    let given = Given { vocab_size: args.vocab_size, path: None, root: args.root.as_deref().map(root).transpose()? };
    let tests = tests_of(keys(&args.key_file, &given)?);
    let Some(test) = tests.first() else { return Err(wrong("expected a key, got an empty range")) };
    if let Some(tokenizer) = &readers.tokenizer {
        told_apart(tokenizer, &[&tests[0]]);
    }
    let store = args.selection.store.as_deref().map(Store::open).transpose()?;
    let (harvest, selection, fixed) = chosen(&args.selection, store.as_ref())?;
    let facts = flow::facts(test, readers.tokenizer.as_ref(), selection, fixed.as_bytes());
    let meter = Meter::new();
    let written =
        write_whole(&args.out, &mut |out| flow::build(&harvest, test, facts.clone(), readers.reader(), out, &meter));
    meter.end();
    let facts = written?;
    if let Some(dir) = &args.selection.store {
        let told = vec![format!("--selection={}", facts.selection)];
        let act = custody::act(None, "contexts build", told)?;
        let result = Some(Contexts::open_file(&args.out)?.digest());
        let holder = format!("process {}", std::process::id());
        upkeep::witness(dir, By { name: &holder, act: Some(Act { result, ..act }) }).map_err(|error| {
            error.hint(format!("{} is whole, but the store's chain of custody does not tell of it", args.out.display()))
        })?;
    }
    print::out(&format!(
        "{} contexts of {} tokens, from {} responses ({} tokens)\n",
        facts.contexts, facts.width, facts.responses, facts.tokens
    ))
}

fn combine(args: &Sets, how: Combine) -> Result<()> {
    absent(&args.out)?;
    let open = |path: &PathBuf| Ok((path.display().to_string(), Contexts::open_file(path)?));
    let sets: Vec<_> = args.sets.iter().map(open).collect::<Result<_>>()?;
    let facts = write_whole(&args.out, &mut |out| combined(&sets, how, out))?;
    print::out(&format!("{} contexts of {} tokens\n", facts.contexts, facts.width))
}

/// What a question needs, from the flags.
struct Asked {
    readers: Readers,
    tests: Vec<Test>,
    clean: Vec<Input>,
    config: Config,
}

impl Asked {
    fn new(rules: &Rules) -> Result<Self> {
        let readers = Readers::new(&rules.room, rules.tokenizer.as_deref())?;
        let root = rules.root.as_deref().map(root).transpose()?;
        let given = Given { vocab_size: rules.vocab_size, path: rules.paths.clone(), root };
        let mut all = Vec::new();
        for path in &rules.key_file {
            all.extend(keys(path, &given)?);
        }
        let tests = tests_of(all);
        if let Some(tokenizer) = &readers.tokenizer {
            told_apart(tokenizer, &tests.iter().collect::<Vec<_>>());
        }
        let config = Config {
            alpha: between("alpha", rules.alpha, 1e-300, 0.05)?,
            least_uniformity: 0.01,
            least_control: 0.001,
            power: 0.95,
            strength: between("strength", rules.strength, 1e-6, 1.0)?,
            level: 0.95,
            decoys: DecoyConfig { n: rules.decoys, windows: rules.decoy_windows, steps: 2e10, seed: rules.seed },
            bytes: readers.bytes,
            dir: readers.dir.clone(),
        };
        let clean = if rules.control.is_empty() { Vec::new() } else { expand(&rules.control, &|_| true)? };
        Ok(Self { readers, tests, clean, config })
    }

    fn question(&self, top: usize) -> Question<'_> {
        Question { tests: &self.tests, reader: self.readers.reader(), clean: &self.clean, top, config: &self.config }
    }
}

/// What all questions tell of themselves.
fn draft(command: &str, suspect: &[Input], rules: &Rules) -> Result<Draft> {
    let mut draft = Draft::new(&["radioactivity", command]);
    for input in suspect {
        draft.file(None, "suspect", Path::new(&input.name()))?;
    }
    tell_keys(&mut draft, &rules.key_file, rules.root.as_ref(), rules.paths.as_ref())?;
    if let Some(path) = &rules.tokenizer {
        draft.file(Some("tokenizer"), "tokenizer", path)?;
    }
    for input in if rules.control.is_empty() { Vec::new() } else { expand(&rules.control, &|_| true)? } {
        draft.file(Some("control"), "control", Path::new(&input.name()))?;
    }
    draft.optional("vocab-size", rules.vocab_size);
    draft.value("top", rules.top);
    draft.value("alpha", rules.alpha);
    draft.value("strength", rules.strength);
    draft.value("decoys", rules.decoys);
    draft.value("decoy-windows", rules.decoy_windows);
    draft.value("seed", rules.seed);
    draft.value("max-row-bytes", rules.room.max_row_bytes);
    Ok(draft)
}

/// Tells harvests: a replay takes one file for each.
fn tell_harvests(draft: &mut Draft, harvests: &[(String, Vec<Input>)]) -> Result<()> {
    for (name, logs) in harvests {
        match logs.as_slice() {
            [log] => draft.named("harvest", name, "harvest", Path::new(&log.name()))?,
            several => draft.cannot(format!("the harvest {name} has {} files", several.len())),
        }
    }
    Ok(())
}

/// Runs the tests of `closed` or `open`. The report has a recipe where `args` ask for JSON.
pub(super) fn asked(mode: Mode, args: &Ask) -> Result<Radioactivity> {
    let asked = Asked::new(&args.rules)?;
    let harvests = all_named(&args.harvest)?;
    let inputs = expand(&args.suspect, &|_| true)?;
    let recipe = if args.rules.format == Format::Json {
        let mut draft = draft(if mode == Mode::Closed { "closed" } else { "open" }, &inputs, &args.rules)?;
        for path in &args.contexts {
            draft.file(Some("contexts"), "contexts", path)?;
        }
        tell_harvests(&mut draft, &harvests)?;
        if args.unsupervised {
            draft.plain("unsupervised");
        }
        if let Some(path) = &args.calibration {
            draft.file(Some("calibration"), "calibration", path)?;
        }
        told_recipe(draft, None)?
    } else {
        None
    };
    let mut sets = Vec::new();
    for path in &args.contexts {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let set = Contexts::open_file(path)?;
        let ours = asked.readers.tokenizer.as_ref().map(|tokenizer| tokenizer.digest().to_string());
        if let (Some(ours), Some(theirs)) = (&ours, &set.facts().tokenizer)
            && ours != theirs
        {
            let (ours, theirs) = (&ours[..16], theirs.get(..16).unwrap_or(theirs));
            let message =
                format!("{}: expected contexts of the tokenizer {ours}, got contexts of {theirs}", path.display());
            return Err(
                Error::new(ErrorKind::Input, message).hint("give the tokenizer.json that the set was built with")
            );
        }
        sets.push(Set::Ready(Served { name, set }));
    }
    sets.extend(harvests.into_iter().map(|(name, logs)| Set::Harvest(name, logs)));
    let name = |set: &Set| match set {
        Set::Ready(served) => served.name.clone(),
        Set::Harvest(name, _) => name.clone(),
        Set::Everything => String::new(),
    };
    let names: Vec<String> = sets.iter().map(name).collect();
    all_different("sets and harvests", names.iter().map(String::as_str))?;
    if sets.is_empty() || args.unsupervised {
        sets.push(Set::Everything);
    }
    let meter = Meter::new();
    let found = flow::ask(mode, &inputs, &sets, &asked.question(args.rules.top), &meter);
    meter.end();
    let mut found = Radioactivity { recipe, ..found? };
    if let Some(path) = &args.calibration {
        let bytes = read_bounded(path, LONGEST_CALIBRATION)?;
        let by = Calibration::from_json(&bytes).map_err(|error| error.at(path.display()))?;
        let word = if mode == Mode::Closed { "closed" } else { "open" };
        if by.mode != word || !asked.tests.iter().any(|test| test.scheme == by.scheme) {
            let message = format!(
                "expected a calibration of these schemes and of {word}, got one of {} and {}",
                by.scheme, by.mode
            );
            return Err(Error::new(ErrorKind::Input, message).at(path.display()));
        }
        found = found.calibrated(&by, Digest::of(&bytes));
    }
    Ok(found)
}

fn ask(mode: Mode, args: &Ask) -> Result<()> {
    let found = asked(mode, args)?;
    print::out(&match args.rules.format {
        Format::Json => report::json(&found),
        Format::Md => report::write_markdown(&found),
        _ => report::text(&found),
    })
}

/// Runs the tests of `attribute`. The report has a recipe where `args` ask for JSON.
pub(super) fn attributed(args: &Attribute) -> Result<Attribution> {
    let asked = Asked::new(&args.rules)?;
    let inputs = expand(&args.suspect, &|_| true)?;
    let store = args.store.as_deref().map(Store::open).transpose()?;
    let mut recipe = draft("attribute", &inputs, &args.rules)?;
    recipe.value("decoy-rings", args.decoy_rings);
    let parties = match &store {
        Some(store) => {
            let rings = ring_accounts(store, &args.rings)?;
            if rings.is_empty() {
                return Err(Error::new(ErrorKind::Input, "expected rings in the store, found none")
                    .hint("stillhunt ring list shows them; --harvest NAME=FILE asks about logs in place of rings"));
            }
            rings.iter().for_each(|(name, _)| recipe.value("rings", name));
            Parties::Stored(store, rings)
        }
        None => {
            let served = if args.served.is_empty() { Vec::new() } else { expand(&args.served, &|_| true)? };
            let harvests = all_named(&args.harvest)?;
            tell_harvests(&mut recipe, &harvests)?;
            for log in &served {
                recipe.file(Some("served"), "served", Path::new(&log.name()))?;
            }
            Parties::Logs(harvests, served)
        }
    };
    let recipe = if args.rules.format == Format::Json { told_recipe(recipe, store.as_ref())? } else { None };
    let meter = Meter::new();
    let alone = store.is_none() && args.served.is_empty();
    let found = flow::attribute(&inputs, &parties, args.decoy_rings, &asked.question(args.rules.top), &meter);
    meter.end();
    let mut found = Attribution { recipe, ..found? };
    if alone {
        found.notes.push(
            "nobody said what others were served (--served), so contexts are exclusive among these harvests only"
                .to_owned(),
        );
    }
    Ok(found)
}

fn attribute(args: &Attribute) -> Result<()> {
    let found = attributed(args)?;
    print::out(&match args.rules.format {
        Format::Json => report::json(&found),
        Format::Md => report::attribution_markdown(&found),
        _ => report::attribution_text(&found),
    })
}
