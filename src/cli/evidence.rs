//! The `evidence` commands: files in, [`crate::evidence`] in between, files out.
//!
//! A replay runs the very same functions as the commands that it replays, in this process, on files that were found by digest and laid out
//! under their own names in a directory that is thrown away. A bundle comes from a stranger: what may run is the list in
//! [`crate::report::recipe`], and nothing of it writes outside of that directory.

use super::args::{Cli, Command, Common};
use super::evidence_args::{Bundle, EvidenceCommand, Replay};
use super::format::Format;
use super::radioactivity_args::RadioactivityCommand;
use super::watermark_args::WatermarkCommand;
use super::{config, custody as acts, print, radioactivity, threads, watermark};
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::accounts::Openings;
use crate::evidence::bundle::{self, Given, Making, Stated};
use crate::evidence::compare::difference;
use crate::evidence::json::Json;
use crate::evidence::sign::{LONGEST_KEY, PublicKey, SecretKey};
use crate::evidence::verify::{Verified, unverified, verify};
use crate::evidence::{Failure, Files, MOST_BYTES, MOST_FILES, REPORT, archive};
use crate::ids::AccountId;
use crate::report::escape::{Lines, terminal};
use crate::report::radioactivity::{self as traces, Mode};
use crate::report::recipe::{Recipe, RecipeInput};
use crate::report::watermark as marks;
use crate::store::Store;
use crate::store::custody::{self, Act, By};
use crate::store::files::{digest_file, read_bounded, write_private};
use crate::store::input::{Input, expand};
use crate::store::key::{AccountKey, random_bytes, read_secret, write_secret};
use crate::store::tree::{absent, link, read_tree, write_tree};
use crate::stored::Silent;
use crate::watermark::keys::{self, TreeKey};
use crate::{audit, lookup, upkeep};
use clap::Parser as _;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The role of the key that made a store's pseudonyms.
const ACCOUNT_KEY: &str = "account-key";
/// Longest list of names.
const LONGEST_NAMES: u64 = 64 << 20;
/// Longest disclosure, and longest file of secrets.
const LONGEST_OPENINGS: u64 = 64 << 20;

pub(crate) fn run(command: &EvidenceCommand) -> Result<()> {
    match command {
        EvidenceCommand::Keygen { out } => keygen(out),
        EvidenceCommand::Bundle(args) => make(args),
        EvidenceCommand::Show { bundle, format } => show(bundle, *format),
        EvidenceCommand::Verify { bundle, public, disclosure, format } => {
            verified(bundle, public, disclosure.as_deref(), *format)
        }
        EvidenceCommand::Replay(args) => replay(args),
        EvidenceCommand::Disclose { bundle, secrets, account, out } => disclose(bundle, secrets, account, out),
        EvidenceCommand::Stamp { bundle, token, sign, archive } => stamp(bundle, token, sign, *archive),
        EvidenceCommand::Custody(command) => acts::run(command),
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}

/// Says which step failed, on a line of its own, and gives the error.
fn stepped(failure: Failure) -> Error {
    print::note(&format!("step: {}", terminal(&failure.step, Lines::Join)));
    failure.error
}

fn failed(step: impl Into<String>, error: Error) -> Error {
    stepped(Failure { step: step.into(), error })
}

fn keygen(out: &Path) -> Result<()> {
    absent(out)?;
    let key = SecretKey::new(random_bytes()?);
    write_secret(out, &key.to_pem())?;
    print::out(&key.public().to_pem())
}

fn signer(path: &Path) -> Result<SecretKey> {
    let secret = read_secret(path, "signing key", LONGEST_KEY)?;
    let secret =
        secret.ok_or_else(|| wrong(format!("expected a signing key at {}, found nothing there", path.display())))?;
    SecretKey::from_pem(&secret.private()?).map_err(|error| error.at(path.display()))
}

fn public(path: &Path) -> Result<PublicKey> {
    let bytes = read_bounded(path, LONGEST_KEY)?;
    PublicKey::from_pem(&String::from_utf8_lossy(&bytes)).map_err(|error| error.at(path.display()))
}

/// Reads a bundle: a directory or an archive.
fn load(path: &Path) -> Result<Files> {
    if path.is_dir() {
        return read_tree(path, MOST_FILES, MOST_BYTES).map_err(|error| failed("layout", error));
    }
    let bytes = read_bounded(path, MOST_BYTES)?;
    if !archive::is_archive(&bytes) {
        let message = format!("{}: expected a bundle's directory or its archive, got another file", path.display());
        return Err(failed("archive", wrong(message)));
    }
    archive::read(&bytes).map_err(stepped)
}

fn archive_path(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".tar.zst");
    dir.with_file_name(name)
}

/// A file beside a bundle's directory.
fn secrets_path(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".secrets.json");
    dir.with_file_name(name)
}

/// The head of the chain of custody that a bundle has, as its signer states it.
pub(super) fn custody_head(path: &Path) -> Result<(u64, String)> {
    let stated = unverified(&load(path)?).map_err(stepped)?;
    let head = stated
        .custody
        .ok_or_else(|| wrong(format!("{}: expected a head of a chain of custody, found none", path.display())))?;
    Ok((head.row, head.head))
}

fn make(args: &Bundle) -> Result<()> {
    let key = signer(&args.sign)?;
    let out = &args.out;
    [out, &archive_path(out), &secrets_path(out)].into_iter().try_for_each(|path| absent(path))?;
    let store = args.store.as_deref().map(Store::open).transpose()?;
    let rows = store.as_ref().map(custody::rows).transpose()?;
    let mut results = Vec::new();
    for path in &args.results {
        let bytes = read_bounded(path, MOST_BYTES / 4)?;
        results.push(result(bytes, args, store.as_ref()).map_err(|error| error.at(path.display()))?);
    }
    for given in &results {
        match &given.recipe {
            Ok(recipe) if !args.inputs.is_empty() => drop(find(recipe, &args.inputs)?),
            Ok(_) => {}
            Err(why) => print::say(&format!("a result cannot be replayed: {why}")),
        }
    }
    let names = args.names.as_deref().map(|path| names(path, args)).transpose()?.unwrap_or_default();
    let made = super::alerts::now()?;
    let n_results = results.len();
    let making = Making { results, custody: rows, names, made, key: &key };
    let (files, openings, tree) = bundle::make(making, &mut random_bytes)?;
    // What is written is verified as a stranger would, before anybody relies on it.
    let checked = verify(&files, &key.public(), None).map_err(stepped)?;
    write_tree(out, &files)?;
    if args.archive {
        write_private(&archive_path(out), &archive::write(&files))?;
    }
    let has_accounts = files.contains_key(crate::evidence::ACCOUNTS);
    if has_accounts {
        write_secret(&secrets_path(out), &openings.write())?;
    }
    if let Some(dir) = &args.store {
        let results = checked.stated.results.len();
        let act = acts::act(args.author.as_deref(), "evidence bundle", vec![format!("--results={results}")])?;
        let holder = format!("process {}", std::process::id());
        upkeep::witness(dir, By { name: &holder, act: Some(Act { result: Some(tree), ..act }) })?;
    }
    let mut told = format!("{n_results} results, {} files, tree {tree}\n", checked.n_files);
    if has_accounts {
        told +=
            &format!("{} opens the accounts' commitments: keep it, and keep it secret\n", secrets_path(out).display());
    }
    print::out(&told)
}

/// Real names by pseudonym.
fn names(path: &Path, args: &Bundle) -> Result<BTreeMap<String, String>> {
    let store = args.store.clone().unwrap_or_default();
    let common = Common { store, model: None, key: args.key.clone(), threads: None };
    let path_of_key = config::key_path(&common)?;
    let key = AccountKey::read(&path_of_key)?
        .ok_or_else(|| wrong(format!("expected the account key at {}, found none", path_of_key.display())))?;
    if args.store.is_some() {
        crate::stored::check_key(&Store::open(&common.store)?, &key)?;
    }
    let bytes = read_bounded(path, LONGEST_NAMES)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(|name| (AccountId::derive(key.bytes(), name).to_string(), name.to_owned())).collect())
}

/// A result with its recipe. Rings get theirs from the store's chain of custody, and must be what the store says.
fn result(bytes: Vec<u8>, args: &Bundle, store: Option<&Store>) -> Result<Given> {
    let value = Json::parse(&bytes)?;
    if value.at("rings_meta").is_none() {
        return Given::of_result(bytes);
    }
    let Some(store) = store else {
        return Err(wrong("expected --store with a result about rings")
            .hint("rings stand on a store: its chain of custody says from which logs it was made"));
    };
    let all = value.at("rings").map(Json::list).unwrap_or_default();
    let ids: Vec<String> = match args.ring.is_empty() {
        false => args.ring.clone(),
        true => all.iter().filter_map(|ring| ring.at("id").and_then(Json::text)).map(str::to_owned).collect(),
    };
    let mut given = value.clone();
    if let Json::Map(fields) = &mut given {
        fields.retain(|(name, _)| ["schema", "rings", "rings_meta", "members"].contains(&name.as_str()));
        for (name, value) in fields {
            if let (Json::List(rings), "rings") = (&mut *value, name.as_str()) {
                rings.retain(|ring| ring.at("id").and_then(Json::text).is_some_and(|id| ids.iter().any(|of| of == id)));
            }
            if name == "schema" {
                *value = Json::Atom("1".into());
            }
        }
    }
    if given.at("rings").map_or(0, |rings| rings.list().len()) != ids.len() {
        return Err(wrong(format!("expected the rings {} in the result", ids.join(", "))));
    }
    let of_store = rings_of(store, &ids, given.at("members").is_some())?;
    if let Some(found) = difference(&of_store, &given) {
        return Err(wrong(format!(
            "expected what the store says at {}: {}, got {}",
            found.path, found.expected, found.got
        ))
        .hint("take the result from the store as it is now: stillhunt ring RING --format json"));
    }
    Ok(Given { bytes: (given.write() + "\n").into_bytes(), recipe: rings_recipe(store, &ids)? })
}

/// Rings of a store as a result has them.
fn rings_of(store: &Store, ids: &[String], with_members: bool) -> Result<Json> {
    let (rings, meta) = lookup::chosen_rings(store, ids)?;
    Json::parse(lookup::rings_page(&rings, &meta, with_members).to_string().as_bytes())
}

/// How the rings of a store were made, or why its chain of custody does not say it.
fn rings_recipe(store: &Store, ids: &[String]) -> Result<std::result::Result<Recipe, String>> {
    made_of(
        Recipe {
            stillhunt: env!("CARGO_PKG_VERSION").to_owned(),
            command: vec!["ring".into()],
            arguments: ids.iter().map(|id| format!("--ring={id}")).chain(["--key={input:0}".into()]).collect(),
            inputs: Vec::new(),
            steps: Vec::new(),
        },
        store,
    )
}

/// A recipe of a result that stands on a store, with how the store was made: its account key and the audits of its chain of custody. Or why
/// the chain does not say it.
pub(super) fn made_of(mut recipe: Recipe, store: &Store) -> Result<std::result::Result<Recipe, String>> {
    recipe.inputs.push(RecipeInput {
        role: ACCOUNT_KEY.into(),
        name: "account.key".into(),
        blake3: None,
        commitment: store.catalog().meta("key_commitment")?,
        bytes: None,
    });
    for row in custody::rows(store)? {
        match row.command.as_str() {
            // An audit of nothing left the store as it was.
            "audit" if row.inputs.iter().all(|input| input.role != "log") => {}
            "audit" => {
                let input = |of: &custody::ActInput| RecipeInput {
                    role: of.role.clone(),
                    name: of.name.clone(),
                    blake3: of.blake3.clone(),
                    commitment: None,
                    bytes: None,
                };
                recipe.add_step(&["audit"], &row.arguments, row.inputs.iter().map(input));
            }
            // These decide no number.
            "ring note" | "ring dispose" | "evidence bundle" | "contexts build" => {}
            other => {
                return Ok(Err(format!(
                    "the store was also changed by \"{other}\" (row {} of its chain of custody)",
                    row.row
                )));
            }
        }
    }
    let read: Vec<Option<String>> = store.catalog().all("SELECT digest FROM inputs", [], |row| row.get(0))?;
    let told = |digest: &Option<String>| digest.is_some() && recipe.inputs.iter().any(|input| input.blake3 == *digest);
    if !read.iter().all(told) {
        return Ok(Err("the store read logs that its chain of custody does not tell of".to_owned()));
    }
    Ok(recipe.check().map(|()| recipe).map_err(|error| error.to_string()))
}

fn show(path: &Path, format: Format) -> Result<()> {
    let files = load(path)?;
    let stated = unverified(&files).map_err(stepped)?;
    if format == Format::Json {
        return print::json(
            &serde_json::json!({ "schema": 1, "verified": false, "stated": stated, "files": files.keys().collect::<Vec<_>>() }),
        );
    }
    let report = files.get(REPORT[1]).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    print::say("nothing of this is verified: stillhunt evidence verify does that, with the signer's public key");
    print::out(&terminal(&report, Lines::Keep))
}

fn told(stated: &Stated) -> String {
    let custody =
        stated.custody.as_ref().map_or_else(String::new, |of| format!("custody    row {}, head {}\n", of.row, of.head));
    let keys: String = stated.commitments.iter().map(|commitment| format!("key        {commitment}\n")).collect();
    let results: Vec<String> = stated.results.iter().map(|name| print::line(name, 100)).collect();
    format!(
        "made       {} by stillhunt {}\ntree       {}\nresults    {}\n{keys}{custody}",
        print::line(&stated.made, 40),
        print::line(&stated.stillhunt, 40),
        stated.tree,
        results.join(", ")
    )
}

fn verified(path: &Path, key: &Path, disclosure: Option<&Path>, format: Format) -> Result<()> {
    let key = public(key)?;
    let disclosure = disclosure.map(|path| read_bounded(path, LONGEST_OPENINGS)).transpose()?;
    let found = verify(&load(path)?, &key, disclosure.as_deref()).map_err(stepped)?;
    let Verified { stated, n_files, stamped, disclosed, .. } = &found;
    if format == Format::Json {
        let disclosed: Vec<_> =
            disclosed.iter().map(|(account, name)| serde_json::json!({ "account": account, "name": name })).collect();
        return print::json(&serde_json::json!({
            "schema": 1, "verified": true, "key": key.id(), "stated": stated, "files": n_files, "timestamp": stamped, "disclosed": disclosed,
        }));
    }
    let mut out = format!("verified   {n_files} files, signed by the key {}\n{}", key.id(), told(stated));
    if let Some(time) = stamped {
        out += &format!("timestamp  {time}, over this envelope; its authority is checked with openssl ts -verify\n");
    }
    for (account, name) in disclosed {
        out += &format!("disclosed  {account}  {}\n", print::line(name, 200));
    }
    print::out(&out)
}

fn disclose(path: &Path, secrets: &Path, accounts: &[String], out: &Path) -> Result<()> {
    absent(out)?;
    let stated = unverified(&load(path)?).map_err(stepped)?;
    let openings = Openings::read_secrets(&read_bounded(secrets, LONGEST_OPENINGS)?)
        .map_err(|error| error.at(secrets.display()))?;
    let disclosure = openings.disclose(accounts, &stated.tree)?;
    write_private(out, disclosure.write().as_bytes())
}

fn stamp(dir: &Path, token: &Path, sign: &Path, with_archive: bool) -> Result<()> {
    let key = signer(sign)?;
    let mut files = read_tree(dir, MOST_FILES, MOST_BYTES)?;
    bundle::stamp(&mut files, read_bounded(token, 1 << 20)?, &key)?;
    verify(&files, &key.public(), None).map_err(stepped)?;
    for name in [crate::evidence::TOKEN, crate::evidence::TOKEN_ENVELOPE] {
        write_private(&dir.join(name), files.get(name).map(Vec::as_slice).unwrap_or_default())?;
    }
    if with_archive {
        write_private(&archive_path(dir), &archive::write(&files))?;
    }
    Ok(())
}

/// Files below `dirs` that are a recipe's inputs: by length and digest, or by the commitment to the key that they hold or lead to.
fn find(recipe: &Recipe, dirs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let inputs = &recipe.inputs;
    let mut by_digest: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut by_commitment: BTreeMap<String, PathBuf> = BTreeMap::new();
    let wanted = |digest: &str| inputs.iter().any(|input| input.blake3.as_deref() == Some(digest));
    let fits =
        |bytes: u64| inputs.iter().any(|input| input.blake3.is_some() && input.bytes.is_none_or(|of| of == bytes));
    let any_key = inputs.iter().any(|input| input.commitment.is_some());
    let mut key_files: Vec<(PathBuf, String)> = Vec::new();
    for dir in dirs {
        if !dir.is_dir() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("expected a directory of inputs, got {}", dir.display()),
            ));
        }
        let found = expand(&[dir.display().to_string()], &|_| true)?;
        for path in found.into_iter().filter_map(|input| if let Input::File(path) = input { Some(path) } else { None })
        {
            let Ok(bytes) = crate::store::files::length(&path) else { continue };
            if fits(bytes) {
                let digest = digest_file(&path)?.0.to_string();
                if wanted(&digest) {
                    by_digest.entry(digest).or_insert_with(|| path.clone());
                }
            }
            if any_key && bytes <= keys::LONGEST_FILE {
                let Ok(text) = String::from_utf8(read_bounded(&path, keys::LONGEST_FILE)?) else { continue };
                for commitment in commitments(&text) {
                    by_commitment.entry(commitment).or_insert_with(|| path.clone());
                }
                if keys::root_of(&text).is_ok() {
                    key_files.push((path, text));
                }
            }
        }
    }
    // Keys that follow from a root are told with it: each file under each root.
    let paths = recipe.arguments.iter().find_map(|argument| argument.strip_prefix("--paths="));
    for (_, root) in key_files.iter().filter(|(_, text)| TreeKey::from_file(text).is_ok()) {
        for (path, text) in &key_files {
            if let Ok(commitment) = keys::commitment_under(text, paths, root) {
                by_commitment.entry(commitment.to_string()).or_insert_with(|| path.clone());
            }
        }
    }
    let of = |input: &RecipeInput| {
        let found = match (&input.blake3, &input.commitment) {
            (Some(digest), _) => by_digest.get(digest),
            (None, Some(commitment)) => by_commitment.get(commitment),
            (None, None) => None,
        };
        found.cloned().ok_or_else(|| {
            let name = print::line(&input.name, 100);
            match (&input.blake3, &input.commitment) {
                (None, Some(commitment)) => failed(
                    format!("commitment:{name}"),
                    wrong(format!("expected a key with the commitment {commitment} below the inputs, found none"))
                        .hint("the key that the bundle was made with, salt included, is disclosed by its maker"),
                ),
                (digest, _) => {
                    let digest = digest.as_deref().unwrap_or_default();
                    failed(
                        format!("input:{name}"),
                        wrong(format!(
                            "expected the {} with BLAKE3 {digest} below the inputs, found none",
                            print::line(&input.role, 40)
                        )),
                    )
                }
            }
        })
    };
    inputs.iter().map(of).collect()
}

/// Commitments to the keys that a file of this text may hold.
fn commitments(text: &str) -> impl Iterator<Item = String> {
    let of_account = text.trim().parse().ok().map(|key: crate::ids::Digest| AccountKey::commitment_of(&key.0));
    let of_mark = keys::commitment(text).ok().map(|commitment| commitment.to_string());
    of_account.into_iter().chain(of_mark)
}

fn replay(args: &Replay) -> Result<()> {
    threads(args.threads)?;
    let files = load(&args.bundle)?;
    let recipes = match &args.public {
        Some(path) => verify(&files, &public(path)?, None).map_err(stepped)?.recipes,
        None => {
            print::say("the bundle is not verified: --public PUB does that first");
            let bytes = files
                .get(crate::evidence::RECIPES)
                .ok_or_else(|| failed("recipes", wrong("expected recipes.json, found none")))?;
            serde_json::from_slice(bytes).map_err(|cause| failed("recipes", wrong(format!("recipes.json: {cause}"))))?
        }
    };
    let (mut out, mut replayed) = (String::new(), 0);
    for of in &recipes {
        let name = print::line(&of.result, 100);
        let Some(recipe) = &of.recipe else {
            out += &format!(
                "{name}: no recipe ({})\n",
                print::line(of.why.as_deref().unwrap_or("no reason is stated"), 300)
            );
            continue;
        };
        let bytes = files
            .get(&of.result)
            .ok_or_else(|| failed(format!("file:{name}"), wrong("expected the file, found none")))?;
        recipe.check().map_err(|error| failed("recipes", error))?;
        if recipe.stillhunt != env!("CARGO_PKG_VERSION") {
            print::say(&format!(
                "{name} was made by stillhunt {}, this is {}",
                print::line(&recipe.stillhunt, 40),
                env!("CARGO_PKG_VERSION")
            ));
        }
        let expected = Json::parse(bytes).map_err(|error| failed(format!("file:{name}"), error))?;
        let got = again(recipe, &expected, &args.inputs)?;
        let expected = if recipe.command == ["ring"] { without_judgement(expected) } else { expected };
        if let Some(found) = difference(&expected, &got) {
            let message =
                format!("{name}{}: expected {}, got {} from the inputs", found.path, found.expected, found.got);
            return Err(failed(format!("replay:{name}{}", found.path), wrong(message)));
        }
        replayed += 1;
        out += &format!("{name}: every number is the same\n");
    }
    if replayed == 0 {
        return Err(failed("recipes", wrong(format!("expected a result that can be replayed, found none\n{out}"))));
    }
    print::out(&out)
}

/// Makes a result again.
fn again(recipe: &Recipe, expected: &Json, dirs: &[PathBuf]) -> Result<Json> {
    let found = find(recipe, dirs)?;
    let stage = tempfile::tempdir()
        .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot make a temporary directory: {cause}")))?;
    let mut paths = Vec::new();
    for (number, (input, file)) in recipe.inputs.iter().zip(&found).enumerate() {
        let path = stage.path().join(number.to_string()).join(&input.name);
        link(file, &path)?;
        paths.push(path);
    }
    let mut argv = recipe.argv(&paths)?;
    let store = stage.path().join("store");
    // What stands on a store stands on one that is made again, of the logs.
    if !recipe.steps.is_empty() || recipe.command == ["ring"] {
        let key = recipe.inputs.iter().position(|input| input.role == ACCOUNT_KEY).and_then(|at| paths.get(at));
        let key = key.ok_or_else(|| wrong("expected an account key among the inputs of the recipe"))?;
        for step in 0..recipe.steps.len() {
            audited(recipe.step_argv(step, &paths)?, &store, key)?;
        }
    }
    if recipe.command == ["ring"] {
        let ids: Vec<String> =
            recipe.arguments.iter().filter_map(|word| word.strip_prefix("--ring=")).map(str::to_owned).collect();
        let rings = rings_of(&Store::open(&store)?, &ids, expected.at("members").is_some());
        return Ok(without_judgement(rings.map_err(|error| failed("replay", error))?));
    }
    if !recipe.steps.is_empty() {
        argv.extend([OsString::from("--store"), store.into()]);
    }
    let json = match parsed(argv)? {
        Command::Watermark(WatermarkCommand::Detect(args)) => marks::json(&watermark::tested(&args)?),
        Command::Radioactivity(RadioactivityCommand::Closed(args)) => {
            traces::json(&radioactivity::asked(Mode::Closed, &args)?)
        }
        Command::Radioactivity(RadioactivityCommand::Open(args)) => {
            traces::json(&radioactivity::asked(Mode::Open, &args)?)
        }
        Command::Radioactivity(RadioactivityCommand::Attribute(args)) => {
            traces::json(&radioactivity::attributed(&args)?)
        }
        _ => return Err(wrong("expected a command that may be replayed, got another")),
    };
    Json::parse(json.as_bytes())
}

fn parsed(argv: Vec<OsString>) -> Result<Command> {
    let parsed = Cli::try_parse_from(argv).map(|cli| cli.command);
    parsed.map_err(|cause| wrong(format!("expected arguments of the command, got others: {cause}")))
}

/// Audits logs into the store of a replay.
fn audited(mut argv: Vec<OsString>, store: &Path, key: &Path) -> Result<()> {
    argv.extend([OsString::from("--store"), store.into()]);
    let Command::Audit(args) = parsed(argv)? else { return Err(wrong("expected an audit as a step of the recipe")) };
    let mut settings = config::audit(&args)?;
    (settings.allow_empty, settings.act) = (true, None);
    let key = AccountKey::read(key)?.ok_or_else(|| wrong("expected the account key, found none"))?;
    let inputs = expand(&args.logs, &|_| true)?;
    let model = config::model(&args.common)?;
    let quarantine = store.with_file_name("quarantine.jsonl");
    audit::audit(&inputs, store, &quarantine, &key, &model, &settings, &Silent).map(|_| ())
}

/// Rings without what people said of them, which no log holds.
fn without_judgement(mut result: Json) -> Json {
    if let Json::Map(fields) = &mut result {
        for (_, value) in fields.iter_mut().filter(|(name, _)| name == "rings") {
            if let Json::List(rings) = value {
                rings.iter_mut().for_each(|ring| {
                    ["disposition", "assignee", "notes"].iter().for_each(|name| drop(ring.take(name)))
                });
            }
        }
    }
    result
}
