//! The commands that read or write logs: `audit` and `simulate`.

use super::alerts::New;
use super::args::{Audit, Simulate};
use super::format::Format;
use super::health::Health;
use super::planting::{self, Check};
use super::progress::Meter;
use super::{channels, config, print, rings, threads};
use crate::audit::{self, Audited};
use crate::error::{Error, ErrorKind, Result};
use crate::log::recognise;
use crate::lookup;
use crate::report::{self, Report};
use crate::simulate::{FragmentConfig, FragmentEdit, MOST_PLAN_BYTES, Plan, QueueConfig, SimulateConfig, Summary};
use crate::simulate::{TextForm, Texts, World, texts_from_lines, texts_from_parquet};
use crate::store::Store;
use crate::store::files::{create_output, private_dir, read_bounded, write_private};
use crate::store::input::{self, Input};
use crate::stored::Progress as _;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Families described where only the first of them are told, of which those that stand within others are left out.
const MOST_TOLD: usize = 500;

/// Runs the job; returns the exit status that a new ring was to give.
pub(crate) fn audit(args: &Audit) -> Result<Option<u8>> {
    let health = Health::begin(args.health.as_deref())?;
    let mut status = None;
    let mut planting = None;
    let outcome = night(args).and_then(|(audited, page, report)| {
        planting = audited.night.and_then(|night| report.planting.clone().filter(|planting| planting.night == night));
        let new = New::of(args, &report)?;
        // An error writes nothing to standard output, so whoever is to be told is told first.
        new.tell(args)?;
        new.queue(args)?;
        print::out(page.as_ref().unwrap_or(&new.lines))?;
        new.record(args)?;
        // What does not arrive waits in the outbox; the night stands.
        channels::deliver(&args.common.store, &config::channels(args.config.as_deref())?)?;
        status = args.exit_code.filter(|_| !new.is_empty());
        Ok(audited)
    });
    let told = health.end(&outcome, planting.as_ref());
    outcome.and(told)?;
    Ok(status)
}

/// Audits; returns what is to be printed, none where only alerts are.
fn night(args: &Audit) -> Result<(Audited, Option<String>, Report)> {
    threads(args.common.threads)?;
    let settings = config::audit(args)?;
    let check = Check::of(args)?;
    let inputs = match config::inputs(&args.logs, &|name| recognise(name).is_some()) {
        // A directory or a glob without logs is nothing to do, like a log without rows.
        Err(error) if settings.allow_empty && error.kind() == ErrorKind::Nothing => Vec::new(),
        other => other?,
    };
    let model = config::model(&args.common)?;
    // Directories first: a key is made for a store that can be.
    if let Some(dir) = &args.report {
        private_dir(dir)?;
    }
    private_dir(&args.common.store)?;
    let (key, made) = config::key_or_new(&args.common)?;
    if made {
        let path = config::key_path(&args.common)?;
        print::say(&format!("made the account key {}: keep it, and keep it secret", path.display()));
    }
    let quarantine = args.report.as_ref().unwrap_or(&args.common.store).join("quarantine.jsonl");
    let meter = Meter::new();
    let audited = audit::audit(&inputs, &args.common.store, &quarantine, &key, &model, &settings, &meter);
    let audited = audited.inspect_err(|_| meter.end())?;
    // The night stands, whatever becomes of this.
    if let (Some(check), Some(night)) = (check, audited.night) {
        match check.run(&args.common.store, night, &key, &settings.holder, &meter) {
            Ok(found) => planting::tell(&found),
            Err(error) => {
                let hint = error.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
                print::say(&format!("planting was not checked: {error}{hint}"));
            }
        }
    }
    meter.stage("report", None);
    // From here on only the report can fail, and the night is in the store.
    let kept = |error: Error| {
        meter.end();
        let night = audited.night.map_or("nothing was new".to_owned(), |night| format!("night {night} is committed"));
        let hint = error.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
        error
            .at(format!("{night}, its report failed"))
            .hint(format!("audit the same logs again: nothing is read twice, and the report is written{hint}"))
    };
    // What nobody is shown is not described: that takes longer than all else when a log is known.
    let told = args.report.is_none() && matches!(args.format, Format::Text | Format::Alerts);
    let most = if told && !config::channels(args.config.as_deref())?.texts { MOST_TOLD } else { lookup::MOST_FAMILIES };
    let report = Store::open(&args.common.store)
        .and_then(|store| lookup::report(&store, &audited.counts, &settings, most))
        .map_err(kept)?;
    if let Some(dir) = &args.report {
        meter.stage("write", None);
        write_report(dir, &report).map_err(kept)?;
    }
    meter.end();
    if let Some(path) = &args.timings {
        let stages = serde_json::json!({ "stages": meter.timings() });
        write_private(path, format!("{stages}\n").as_bytes())?;
    }
    if let Some(path) = &audited.quarantine {
        let n = audited.counts.rows_quarantined;
        let most = settings.max_quarantine_rows;
        let part = if n > most { format!(" of the first {most}") } else { String::new() };
        print::say(&format!("{n} bad rows were left out; places and reasons{part} are in {}", path.display()));
    }
    let page = match args.format {
        Format::Alerts => return Ok((audited, None, report)),
        Format::Text => summary(&report, args.report.as_deref(), audited.night),
        Format::Json => report::json::write(&report),
        Format::Md => report::markdown::write(&report),
        Format::Html => report::html::write(&report),
        Format::Csv => report::csv::write(&report),
    };
    Ok((audited, Some(page), report))
}

fn write_report(dir: &Path, report: &Report) -> Result<()> {
    write_private(&dir.join("report.json"), report::json::write(report).as_bytes())?;
    write_private(&dir.join("report.html"), report::html::write(report).as_bytes())?;
    write_private(&dir.join("report.md"), report::markdown::write(report).as_bytes())?;
    write_private(&dir.join("families.csv"), report::csv::write(report).as_bytes())
}

/// What a person wants to know when the job ends.
fn summary(report: &Report, dir: Option<&Path>, night: Option<u32>) -> String {
    let (c, s) = (&report.counts, &report.store);
    let mut out = match night {
        Some(night) => format!("night {night}: "),
        None => "nothing new: ".to_owned(),
    };
    out += &format!(
        "{} rows read, {} kept, {} known, {} bad\nstore: {} exchanges of {} accounts, {} distinct prompts, {} nights\n",
        c.rows_read,
        c.rows_kept,
        c.rows_known,
        c.rows_quarantined,
        s.exchanges,
        s.accounts,
        s.distinct_prompts,
        s.nights
    );
    let told = c.read_as.told();
    if !told.is_empty() {
        out += &format!("{}\n", print::line(&told, 400));
    }
    out += &format!(
        "families: {} near-duplicate, {} exact, {} fragment (at most {:.1e} unrelated neighbours expected for a prompt)\n\n",
        s.near_families, s.exact_families, s.fragment_families, report.parameters.expected_unrelated_neighbours
    );
    if let Some(planting) = &report.planting {
        out += &format!("{}\n", planting.text());
    }
    out += &rings::table(&report.rings, &report.rings_meta);
    out += "\naccounts requests prompts   new  family             template\n";
    for family in report.families.iter().filter(|family| family.within.is_none()).take(15) {
        out += &format!(
            "{:>8} {:>8} {:>7} {:>4.0}%  {}  {}\n",
            family.accounts,
            family.requests,
            family.distinct_prompts,
            100.0 * family.new_account_share,
            family.id,
            print::line(&family.template, 70)
        );
    }
    if let Some(dir) = dir {
        out += &format!("\nreport: {}\n", dir.join("report.html").display());
    }
    out
}

pub(crate) fn simulate(args: &Simulate) -> Result<()> {
    let mut settings = match &args.plan {
        Some(path) => SimulateConfig::planned(args.seed, read_plan(path, args)?),
        None => SimulateConfig {
            days: args.days.unwrap_or(3),
            ..SimulateConfig::sized(args.seed, args.exchanges.unwrap_or(20_000))
        },
    };
    settings.accounts = args.accounts.unwrap_or(settings.accounts);
    settings.campaigns = args.campaigns.unwrap_or(settings.campaigns);
    settings.large_campaign = args.large_campaign.unwrap_or(settings.large_campaign);
    settings.campaign_share = args.campaign_share.unwrap_or(settings.campaign_share);
    settings.fragments = FragmentConfig {
        campaigns: args.fragment_campaigns,
        accounts: args.fragment_accounts,
        requests: args.fragment_requests,
        length: args.fragment_length,
        share: args.fragment_share,
        edits: FragmentEdit::list(&args.fragment_edits)?,
        published: args.fragment_published,
    };
    settings.queues = QueueConfig {
        campaigns: args.queue_campaigns,
        accounts: args.queue_accounts,
        tasks: args.queue_tasks,
        share: args.queue_share,
    };
    let texts = match &args.texts {
        None => Texts::Grammar,
        Some(path) => read_texts(path)?,
    };
    let logs = args.out.join("logs");
    private_dir(&logs)?;
    let world = World::new(&settings, &texts)?;
    let ending = if args.compress { ".zst" } else { "" };
    let mut truth = Sink::new(&args.out.join(format!("truth.csv{ending}")), args.compress)?;
    world.write_truth_header(&mut truth)?;
    if world.fragments().next().is_some() {
        let mut out = Sink::new(&args.out.join(format!("fragments.csv{ending}")), args.compress)?;
        world.write_fragments(&mut out)?;
        out.end()?;
    }
    if args.plan.is_some() {
        let mut out = Sink::new(&args.out.join(format!("accounts.csv{ending}")), args.compress)?;
        world.write_accounts(&mut out)?;
        out.end()?;
        write_registry(&world, &args.out)?;
    }
    let mut summary = Summary::default();
    let mut all =
        args.one_log.then(|| Sink::new(&logs.join(format!("log.jsonl{ending}")), args.compress)).transpose()?;
    for night in 0..world.nights() {
        match &mut all {
            Some(log) => world.write_night(night, log, &mut truth, &mut summary)?,
            None => {
                let path = logs.join(format!("night-{}.jsonl{ending}", night + 1));
                let mut log = Sink::new(&path, args.compress)?;
                world.write_night(night, &mut log, &mut truth, &mut summary)?;
                log.end()?;
            }
        }
    }
    if let Some(log) = all {
        log.end()?;
    }
    truth.end()?;
    print::json(&serde_json::json!({ "config": settings, "summary": summary }))
}

/// The plan, with the sizes that the command line asks for.
fn read_plan(path: &Path, args: &Simulate) -> Result<Plan> {
    let bytes = read_bounded(path, MOST_PLAN_BYTES)?;
    let text = String::from_utf8(bytes)
        .map_err(|cause| Error::new(ErrorKind::Config, format!("expected UTF-8 in {}, got {cause}", path.display())))?;
    let mut plan = Plan::from_toml(&text).map_err(|error| error.at(path.display().to_string()))?;
    plan.world.exchanges = args.exchanges.unwrap_or(plan.world.exchanges);
    plan.world.days = args.days.unwrap_or(plan.world.days);
    Ok(plan)
}

/// Writes what the plan says is registered: texts to a file of each kind, the accounts of gateways to one of their own.
fn write_registry(world: &World<'_>, out: &Path) -> Result<()> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for [kind, name, what] in world.registry() {
        let gateway = kind == "gateway";
        let file = if gateway { "registry-gateways.csv".to_owned() } else { format!("registry-{kind}.jsonl") };
        let line = serde_json::json!({ "name": name, "text": what });
        let line = if gateway { format!("{name},{what}\n") } else { format!("{line}\n") };
        let header = if gateway { "name,account\n" } else { "" };
        *files.entry(file).or_insert_with(|| header.to_owned()) += &line;
    }
    files.iter().try_for_each(|(file, lines)| write_private(&out.join(file), lines.as_bytes()))
}

fn read_texts(path: &Path) -> Result<Texts> {
    let source = Input::File(path.into());
    if input::is_parquet(&source) {
        return texts_from_parquet(input::open_file(&source)?);
    }
    let name = path.to_string_lossy().to_ascii_lowercase();
    let form = match name.trim_end_matches(".zst").trim_end_matches(".gz").rsplit('.').next() {
        Some("tsv") => TextForm::Tsv,
        Some("jsonl" | "ndjson" | "json") => TextForm::JsonLines,
        _ => TextForm::Plain,
    };
    texts_from_lines(input::open_stream(&source, &std::sync::Arc::default())?, form)
}

/// A file that is written plain or compressed.
enum Sink {
    Plain(BufWriter<std::fs::File>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<std::fs::File>>),
}

impl Sink {
    fn new(path: &Path, compress: bool) -> Result<Self> {
        let out = create_output(path)?;
        if !compress {
            return Ok(Self::Plain(out));
        }
        zstd::stream::write::Encoder::new(out, 19).map(Self::Zstd).map_err(|cause| Error::io("write", path, &cause))
    }

    fn end(self) -> Result<()> {
        let ended = match self {
            Self::Plain(mut out) => out.flush(),
            Self::Zstd(out) => out.finish().and_then(|mut out| out.flush()),
        };
        ended.map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write the log: {cause}")))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
        }
    }
}
