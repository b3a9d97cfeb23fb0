//! The `watermark` commands.

use super::config::inputs as expand;
use super::format::Format;
use super::progress::Meter;
use super::watermark_args::{Commit, Derive, Detect, Fields, Keygen, Plant, WatermarkCommand};
use super::{print, threads};
use crate::audit::watermark::{self, DetectSettings};
use crate::detect::decoys::DecoyConfig;
use crate::detect::places::{PlacesConfig, describes};
use crate::detect::{DetectConfig, Test, TraceRow};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Digest;
use crate::log::LogConfig;
use crate::report::escape::csv_cell;
use crate::report::recipe::{Draft, Recipe};
use crate::report::watermark::{self as report, WatermarkReport};
use crate::store::Store;
use crate::store::files::{create_output, read_bounded, write_private};
use crate::store::input::{Input, open_file};
use crate::store::key::{SecretText, random_bytes, read_secret, write_secret};
use crate::store::spill::check_dir;
use crate::token::Tokenizer;
use crate::watermark::about::{About, Field};
use crate::watermark::catalogue;
use crate::watermark::keys::{self, Given, Key, LONGEST_FILE, TreeKey};
use crate::watermark::sample::Sampling;
use crate::watermark::search;
use crate::watermark::synthid::TrainedDetector;
use crate::watermark::{Null, PAD};
use ndarray_npy::ReadNpyExt as _;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Results of a search that people are shown.
const SHOWN: usize = 5;

pub(crate) fn run(command: &WatermarkCommand) -> Result<()> {
    match command {
        WatermarkCommand::Keygen(args) => keygen(args),
        WatermarkCommand::Derive(args) => derive(args),
        WatermarkCommand::Commit(args) => commit(args),
        WatermarkCommand::Plant(args) => plant(args),
        WatermarkCommand::Detect(args) => detect(args),
        WatermarkCommand::Plan(args) => super::watermark_plan::plan(args),
        WatermarkCommand::Schemes { format } => schemes(*format),
    }
}

pub(super) fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

fn secret(path: &Path) -> Result<SecretText> {
    let secret = read_secret(path, "key file", LONGEST_FILE)?;
    secret.ok_or_else(|| config(format!("expected a key file at {}, found nothing there", path.display())))
}

/// The text of a key file. One that others may read is used, and named: refusing would not make it secret again.
fn key_text(path: &Path) -> Result<String> {
    let secret = secret(path)?;
    if let Some(open) = secret.openness() {
        let hint = open.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
        print::say(&format!("{open}{hint}"));
    }
    Ok(secret.text().to_owned())
}

/// The root key file that a key file names.
fn root_beside(path: &Path, text: &str) -> Result<Option<PathBuf>> {
    Ok(keys::root_of(text)?.map(|root| path.parent().unwrap_or(Path::new(".")).join(root)))
}

/// The commitment to the keys of a key file: with the root and the paths, where they follow from one.
fn committed(path: &Path, text: &str, root: Option<&Path>, paths: Option<&str>) -> Result<Digest> {
    if !keys::follow_from_root(text, paths)? {
        return keys::commitment(text).map_err(|error| error.at(path.display()));
    }
    let root = root.map(Path::to_owned).or(root_beside(path, text)?);
    let root = root.ok_or_else(|| config("expected a root beside the path, found none").at(path.display()))?;
    keys::commitment_under(text, paths, secret(&root)?.text()).map_err(|error| error.at(path.display()))
}

/// A root, from which every key follows: refused where others may read it.
pub(super) fn root(path: &Path) -> Result<TreeKey> {
    TreeKey::from_file(&secret(path)?.private()?).map_err(|error| error.at(path.display()))
}

/// The keys of one key file. A root that it names lies beside it, unless its path is absolute.
pub(super) fn keys(path: &Path, given: &Given) -> Result<Vec<Key>> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let beside = |file: &str| root(&path.parent().unwrap_or(Path::new(".")).join(file));
    keys::read(&key_text(path)?, &name, given, &beside).map_err(|error| error.at(path.display()))
}

/// Every reading of the key of one key file.
fn candidates(path: &Path, given: &Given) -> Result<Vec<Key>> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    search::candidates(&key_text(path)?, &name, given).map_err(|error| error.at(path.display()))
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    if path.exists() {
        return Err(config(format!("expected no file at {}, found one", path.display()))
            .hint("a key is never overwritten: move it away first"));
    }
    write_secret(path, text)
}

fn about_of(fields: &Fields) -> Result<&'static About> {
    let scheme = fields.scheme.as_deref().ok_or_else(|| {
        config("expected a scheme, got none")
            .hint("--scheme gumbel, for example; stillhunt watermark schemes lists them")
    })?;
    let named = |about: &&About| about.scheme == scheme && about.dialect == fields.dialect;
    catalogue::ALL.iter().find(named).ok_or_else(|| {
        config(format!("expected a known scheme, got {scheme} in the dialect {}", fields.dialect))
            .hint("stillhunt watermark schemes lists them")
    })
}

/// A key file of a scheme with the secret fields of `key`: checked, and the id taken from its commitment where none is given.
fn key_file(fields: &Fields, key: &TreeKey) -> Result<(String, String)> {
    let about = about_of(fields)?;
    let mut table = key.fields(about);
    table.insert("scheme".into(), about.scheme.into());
    table.insert("dialect".into(), about.dialect.into());
    if let Some(vocab) = fields.vocab_size {
        table.insert("vocab_size".into(), i64::from(vocab).into());
    }
    for set in &fields.set {
        let wrong = || config("expected NAME=VALUE in --set, with a value in TOML's form");
        let parsed: toml::Table = set.parse().map_err(|_| wrong())?;
        if parsed.len() != 1 {
            return Err(wrong());
        }
        table.extend(parsed);
    }
    finish(table, fields.id.clone())
}

/// Adds salt and id.
fn finish(mut table: toml::Table, id: Option<String>) -> Result<(String, String)> {
    table.insert("salt".into(), Digest(random_bytes()?).to_string().into());
    let commitment = keys::commitment(&table.to_string())?;
    let id = id.unwrap_or_else(|| format!("k{}", &commitment.to_string()[..16]));
    table.insert("id".into(), id.clone().into());
    let text = table.to_string();
    if !table.contains_key("root_key") {
        keys::read(&text, "new", &Given::default(), &root_nowhere)?;
    }
    Ok((text, id))
}

fn root_nowhere(_: &str) -> Result<TreeKey> {
    Err(config("expected no root here"))
}

fn keygen(args: &Keygen) -> Result<()> {
    let (text, id) = if args.root {
        let mut table = toml::Table::new();
        table.insert("root_key".into(), Digest(random_bytes()?).to_string().into());
        finish(table, args.fields.id.clone())?
    } else {
        key_file(&args.fields, &TreeKey::root(random_bytes()?))?
    };
    write_new(&args.file, &text)?;
    print::out(&format!("{id}\n"))
}

fn derive(args: &Derive) -> Result<()> {
    let (text, id) = key_file(&args.fields, &root(&args.root)?.derive(&args.path)?)?;
    write_new(&args.file, &text)?;
    print::out(&format!("{id}\n"))
}

fn commit(args: &Commit) -> Result<()> {
    let mut out = String::new();
    for path in &args.files {
        let text = key_text(path)?;
        let commitment = committed(path, &text, args.root.as_deref(), args.paths.as_deref())?;
        match args.format {
            Format::Json => {
                let file = path.display().to_string();
                out += &format!("{}\n", serde_json::json!({ "file": file, "commitment": commitment.to_string() }));
            }
            _ => out += &format!("{commitment}  {}\n", print::line(&path.display().to_string(), 200)),
        }
    }
    print::out(&out)
}

fn schemes(format: Format) -> Result<()> {
    let field = |field: &Field, about: &About| {
        let secret = about.secret.iter().any(|(name, _)| *name == field.name);
        serde_json::json!({ "name": field.name, "default": field.default, "about": field.about, "secret": secret })
    };
    match format {
        Format::Json => {
            let all: Vec<_> = catalogue::ALL
                .iter()
                .map(|about| {
                    let fields: Vec<_> = about.fields.iter().map(|f| field(f, about)).collect();
                    serde_json::json!({ "scheme": about.scheme, "dialect": about.dialect, "source": about.source,
                        "planted_by": about.planted_by, "faults": about.faults, "fields": fields })
                })
                .collect();
            print::json(&serde_json::json!({ "schemes": all }))
        }
        _ => {
            let mut out = String::new();
            for about in catalogue::ALL {
                out += &format!("scheme = \"{}\", dialect = \"{}\"  ({})\n", about.scheme, about.dialect, about.source);
                out += &format!("  planted by: {}\n  wrong there: {}\n", about.planted_by, about.faults);
                for field in about.fields {
                    out +=
                        &format!("  {:<24} {:<12} {}\n", field.name, field.default.unwrap_or("required"), field.about);
                }
                out += "\n";
            }
            print::out(&out)
        }
    }
}

/// A number within bounds, both ends included.
pub(super) fn between(name: &str, value: f64, least: f64, most: f64) -> Result<f64> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(config(format!("expected --{name} from {least} to {most}, got {value}")))
}

/// Logits of a NumPy file, shape (steps, vocabulary).
pub(super) fn logits(path: &Path) -> Result<ndarray::Array2<f32>> {
    let unread = |cause: ndarray_npy::ReadNpyError| {
        Error::new(
            ErrorKind::Input,
            format!(
                "{}: expected an array of 32- or 64-bit floats of shape (steps, vocabulary), got another file: {cause}",
                path.display()
            ),
        )
    };
    let input = Input::File(path.to_owned());
    match ndarray::Array2::<f32>::read_npy(open_file(&input)?) {
        Ok(logits) => Ok(logits),
        Err(ndarray_npy::ReadNpyError::WrongDescriptor(_)) => {
            Ok(ndarray::Array2::<f64>::read_npy(open_file(&input)?).map_err(unread)?.mapv(|x| x as f32))
        }
        Err(cause) => Err(unread(cause)),
    }
}

fn plant(args: &Plant) -> Result<()> {
    let sampling = Sampling {
        temperature: between("temperature", args.temperature, 1e-3, 1e3)?,
        top_k: args.top_k,
        top_p: between("top-p", args.top_p, 1e-6, 1.0)?,
    };
    let mut keys = keys(&args.key_file, &Given::default())?;
    let key = keys
        .pop()
        .filter(|_| keys.is_empty())
        .ok_or_else(|| config("expected one key to plant, got a range of paths"))?;
    let logits = logits(&args.logits)?;
    let tokens =
        watermark::plant(key.opened.scheme.as_ref(), logits.view(), &args.prompt_tokens, &sampling, args.seed)?;
    match args.format {
        Format::Json => print::json(&serde_json::json!({
            "key_id": key.id,
            "scheme": key.about.scheme,
            "dialect": key.about.dialect,
            "profile": key.opened.profile,
            "predicted": key.opened.predicted,
            "parameters": key.parameters,
            "seed": args.seed,
            "prompt_tokens": args.prompt_tokens,
            "tokens": tokens,
        })),
        _ => {
            let ids: Vec<String> = tokens.iter().map(u32::to_string).collect();
            print::out(&format!("{}\n", ids.join(" ")))
        }
    }
}

/// `vocab_size` of a model's config.json, on its first or its text model's level.
fn model_vocab(path: &Path) -> Result<u32> {
    let bytes = read_bounded(path, 16 << 20)?;
    let value: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|cause| config(format!("{}: expected JSON, got: {cause}", path.display())))?;
    let found =
        [&value["vocab_size"], &value["text_config"]["vocab_size"]].into_iter().find_map(serde_json::Value::as_u64);
    let fitting = found.and_then(|n| u32::try_from(n).ok()).filter(|n| (2..=1 << 24).contains(n));
    fitting.ok_or_else(|| config(format!("{}: expected vocab_size, found none", path.display())))
}

/// Says where a tokenizer can hardly be the served model's: more ids than logits, or far fewer.
pub(super) fn told_apart(tokenizer: &Tokenizer, tests: &[&Test]) {
    let ids = tokenizer.n_ids();
    for test in tests {
        let vocab = test.marker.traits().vocab as usize;
        if ids > vocab || ids < vocab / 2 {
            print::say(&format!(
                "the tokenizer has {ids} ids, the vocabulary of key {} has {vocab}: is it the served model's tokenizer?",
                test.key_id
            ));
        }
    }
}

/// Tells the files of keys, and the root that they follow from.
pub(super) fn tell_keys(
    draft: &mut Draft,
    files: &[PathBuf],
    root: Option<&PathBuf>,
    paths: Option<&String>,
) -> Result<()> {
    let mut roots: BTreeSet<PathBuf> = root.into_iter().cloned().collect();
    for path in files {
        let secret = secret(path)?;
        let commitment = committed(path, secret.text(), root.map(PathBuf::as_path), paths.map(String::as_str));
        draft.secret("key-file", "key", path, commitment.ok());
        if root.is_none() {
            roots.extend(root_beside(path, secret.text())?);
        }
    }
    match roots.iter().collect::<Vec<_>>().as_slice() {
        [] => {}
        [root] => draft.secret("root", "root", root, keys::commitment(self::secret(root)?.text()).ok()),
        several => draft.cannot(format!("its keys follow from {} root keys", several.len())),
    }
    draft.optional("paths", paths);
    Ok(())
}

/// The recipe; where there can be none, that is said.
pub(super) fn told_recipe(draft: Draft, store: Option<&Store>) -> Result<Option<Recipe>> {
    let recipe = match (draft.finish(), store) {
        (Ok(recipe), Some(store)) => super::evidence::made_of(recipe, store)?,
        (finished, _) => finished,
    };
    Ok(match recipe {
        Ok(recipe) => Some(recipe),
        Err(why) => {
            print::say(&format!("the result carries no recipe, so nobody can replay it: {why}"));
            None
        }
    })
}

/// What decides the numbers of a test, and where they were read.
fn recipe(args: &Detect, inputs: &[Input]) -> Result<Option<Recipe>> {
    let mut draft = Draft::new(&["watermark", "detect"]);
    for input in inputs {
        draft.file(None, "suspect", Path::new(&input.name()))?;
    }
    tell_keys(&mut draft, &args.key_file, args.root.as_ref(), args.paths.as_ref())?;
    for (flag, file) in [
        ("tokenizer", &args.tokenizer),
        ("model-config", &args.model_config),
        ("synthid-detector", &args.synthid_detector),
    ] {
        if let Some(path) = file {
            draft.file(Some(flag), flag, path)?;
        }
    }
    draft.optional("vocab-size", args.vocab_size);
    draft.optional("bos-token-id", args.bos_token_id);
    draft.optional("eos-token-id", args.eos_token_id);
    draft.value("alpha", args.alpha);
    draft.value("strength", args.strength);
    draft.value("decoys", args.decoys);
    draft.value("decoy-windows", args.decoy_windows);
    draft.value("seed", args.seed);
    draft.value("max-row-bytes", args.max_row_bytes);
    if args.search {
        draft.plain("search");
    }
    if args.places {
        draft.plain("where");
        draft.value("where-alpha", args.where_alpha);
    }
    told_recipe(draft, None)
}

/// How places are looked for.
fn places(args: &Detect, tests: &[Test]) -> Result<PlacesConfig> {
    let alpha = between("where-alpha", args.where_alpha, 1e-300, 0.05)?;
    let Some(path) = &args.synthid_detector else { return Ok(PlacesConfig { alpha, detector: None }) };
    let detector = TrainedDetector::from_safetensors(&read_bounded(path, 1 << 20)?);
    let detector = detector.map_err(|error| error.at(path.display()))?;
    if !tests.iter().any(|test| describes(&detector, test)) {
        return Err(config(format!(
            "expected a key of SynthID with the {} layers of --synthid-detector, got none",
            detector.layers()
        )));
    }
    Ok(PlacesConfig { alpha, detector: Some(Arc::new(detector)) })
}

/// Runs the tests. The report has a recipe where `args` ask for JSON.
pub(super) fn tested(args: &Detect) -> Result<WatermarkReport> {
    threads(args.threads)?;
    let vocab_size = match &args.model_config {
        Some(path) => Some(model_vocab(path)?),
        None => args.vocab_size,
    };
    let root = args.root.as_deref().map(root).transpose()?;
    let given = Given { vocab_size, path: args.paths.clone(), root };
    let mut all = Vec::new();
    for path in &args.key_file {
        all.extend(if args.search { candidates(path, &given)? } else { keys(path, &given)? });
    }
    let tests = watermark::tests(all);
    let tokenizer =
        args.tokenizer.as_deref().map(|path| Tokenizer::from_bytes(&read_bounded(path, 256 << 20)?)).transpose()?;
    if let Some(tokenizer) = &tokenizer {
        let all: Vec<&Test> = tests.iter().take(if args.search { 1 } else { usize::MAX }).collect();
        told_apart(tokenizer, &all);
    }
    let dir = args.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
    check_dir(&dir)?;
    let settings = DetectSettings {
        tests: &tests,
        tokenizer: tokenizer.as_ref(),
        bos_token_id: args.bos_token_id,
        eos_token_id: args.eos_token_id,
        config: DetectConfig {
            search: args.search,
            places: if args.places { Some(places(args, &tests)?) } else { None },
            alpha: between("alpha", args.alpha, 1e-300, 0.05)?,
            least_uniformity: 0.01,
            power: 0.95,
            strength: between("strength", args.strength, 1e-6, 1.0)?,
            level: 0.95,
            decoys: DecoyConfig { n: args.decoys, windows: args.decoy_windows, steps: 2e10, seed: args.seed },
            bytes: args.memory << 20,
            dir,
        },
        log: LogConfig { max_row_bytes: args.max_row_bytes, max_row_values: 1 << 22, ..LogConfig::default() },
    };
    let inputs = expand(&args.files, &|_| true)?;
    let meter = Meter::new();
    let mut trace = args.trace.as_deref().map(Trace::new).transpose()?;
    let outcome = match &mut trace {
        None => watermark::detect(&inputs, &settings, None, &meter),
        Some(trace) => {
            let mut row = |test: &Test, name: &str, row: TraceRow<'_>| trace.row(test, name, &row);
            watermark::detect(&inputs, &settings, Some(&mut row), &meter)
        }
    };
    meter.end();
    let mut found = outcome?;
    if args.search {
        found.results.sort_by(|a, b| a.ln_p.total_cmp(&b.ln_p));
    }
    trace.map(Trace::end).transpose()?;
    if let Some(path) = &args.chart {
        write_private(path, report::chart(&found).as_bytes())?;
    }
    let bad: u64 = found.input.bad_rows.values().sum();
    if bad > 0 {
        print::say(&format!("{bad} bad rows were left out"));
    }
    if args.format == Format::Json {
        found.recipe = recipe(args, &inputs)?;
    }
    Ok(found)
}

fn detect(args: &Detect) -> Result<()> {
    let mut found = tested(args)?;
    if args.search && args.format != Format::Json {
        let of = found.results.len();
        found.results.truncate(SHOWN);
        print::say(&format!(
            "{of} readings of the key were tested; the {} nearest are shown, --format json has all",
            found.results.len()
        ));
    }
    print::out(&match args.format {
        Format::Json => report::json(&found),
        Format::Md => report::write_markdown(&found),
        _ => report::text(&found),
    })
}

/// The file of scored windows.
struct Trace {
    out: std::io::BufWriter<std::fs::File>,
    path: std::path::PathBuf,
}

impl Trace {
    fn new(path: &Path) -> Result<Self> {
        let mut trace = Self { out: create_output(path)?, path: path.to_owned() };
        trace.write("key_id,document,position,context,token,value\n")?;
        Ok(trace)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes()).map_err(|cause| Error::io("write", &self.path, &cause))
    }

    fn row(&mut self, test: &Test, document: &str, row: &TraceRow<'_>) -> Result<()> {
        let id = |token: &u32| if *token == PAD { "-1".to_owned() } else { token.to_string() };
        let context: Vec<String> = row.context.iter().map(id).collect();
        let value = match test.marker.traits().null {
            Null::Coin { .. } | Null::List { .. } | Null::OneList { .. } => row.bits.to_string(),
            Null::Exponential { .. } | Null::Pair { .. } => f64::from_bits(row.bits).to_string(),
            Null::Layers { .. } => format!("{:#x}", row.bits),
        };
        self.write(&format!(
            "{},{},{},{},{},{value}\n",
            csv_cell(&test.key_id),
            csv_cell(document),
            row.position,
            context.join(" "),
            row.token
        ))
    }

    fn end(mut self) -> Result<()> {
        self.out.flush().map_err(|cause| Error::io("write", &self.path, &cause))
    }
}
