//! Checking a bundle with the public key alone: every byte of every file, step by step.
//!
//! | step | what must hold |
//! |---|---|
//! | `archive` | one archive in this program's form (only where an archive is given) |
//! | `layout` | the manifest and the envelope are there; names and sizes are within bounds |
//! | `envelope` | a DSSE envelope, in the one form that is written |
//! | `signature` | the given key signed it |
//! | `statement` | an in-toto statement about an evidence bundle |
//! | `manifest` | the manifest is the one of the statement |
//! | `file:NAME` | the file is there and has the length and the digest of the manifest, and no file is there that it does not name |
//! | `tree` | the root over all digests is that of manifest and statement |
//! | `recipes` | every result has a recipe or a reason, and no recipe asks for anything but a replay |
//! | `commitments` | every key of a recipe has its commitment in the statement |
//! | `accounts` | every pseudonym of a result has a commitment |
//! | `custody` | the chain is unbroken and ends at the statement's head |
//! | `timestamp` | the token is over this envelope, and the signer vouches for its bytes (only where there is one) |
//! | `disclosure` | each disclosed name is the one that was committed to (only where one is given) |
//!
//! The first that fails is named and ends the check. Weakness: a verified bundle is what its signer signed, no more.

use super::accounts::{Committed, Openings, named_in};
use super::bundle::{
    FORMAT, KeyCommitment, Manifest, PREDICATES, ResultRecipe, STATEMENT, Stated, Statement, Subject, tree,
};
use super::json::Json;
use super::sign::{Envelope, PublicKey};
use super::timestamp::Stamp;
use super::{
    ACCOUNTS, APART, COMMITMENTS, CUSTODY, ENVELOPE, Failure, Files, MANIFEST, MOST_BYTES, MOST_FILES, RECIPES, TOKEN,
    TOKEN_ENVELOPE, at, is_name,
};
use crate::ids::Digest;
use crate::store::custody::{self, CustodyRow};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

type Checked<T> = std::result::Result<T, Failure>;

/// What was verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What the signer states.
    pub stated: Stated,
    /// Recipes of the results.
    pub recipes: Vec<ResultRecipe>,
    /// Files of the manifest.
    pub n_files: usize,
    /// The moment of the timestamp, whose authority is not checked here.
    pub stamped: Option<String>,
    /// What a disclosure reveals: pseudonyms and names.
    pub disclosed: Vec<(String, String)>,
}

fn failed<T>(step: &str, message: impl Into<String>) -> Checked<T> {
    Err(Failure::new(step, message))
}

fn file<'a>(files: &'a Files, name: &str, step: &str) -> Checked<&'a [u8]> {
    files
        .get(name)
        .map(Vec::as_slice)
        .ok_or_else(|| Failure::new(step, format!("expected the file {name}, found none")))
}

fn read<T: DeserializeOwned>(files: &Files, name: &str, step: &str) -> Checked<T> {
    let wrong = |cause: serde_json::Error| Failure::new(step, format!("{name}: expected another form: {cause}"));
    serde_json::from_slice(file(files, name, step)?).map_err(wrong)
}

/// Reads a statement's payload.
fn statement<P: DeserializeOwned>(payload: &[u8], predicate: &str, step: &str) -> Checked<Statement<P>> {
    let read: Statement<P> = serde_json::from_slice(payload)
        .map_err(|cause| Failure::new(step, format!("expected an in-toto statement: {cause}")))?;
    if read.kind != STATEMENT || read.predicate_type != predicate {
        return failed(step, format!("expected {STATEMENT} about {predicate}, got another statement"));
    }
    Ok(read)
}

/// What the signer states, without asking who it is: for a bundle that is only shown.
/// # Errors
/// The step that fails.
pub fn unverified(files: &Files) -> Checked<Stated> {
    let envelope = Envelope::read(file(files, ENVELOPE, "layout")?).map_err(at("envelope"))?;
    let payload = envelope.unverified().map_err(at("envelope"))?;
    Ok(statement::<Stated>(&payload, PREDICATES[0], "statement")?.predicate)
}

/// Verifies a bundle, and a disclosure where one is given.
/// # Errors
/// The first step that fails.
pub fn verify(files: &Files, key: &PublicKey, disclosure: Option<&[u8]>) -> Checked<Verified> {
    layout(files)?;
    let envelope = file(files, ENVELOPE, "layout")?;
    let sealed = Envelope::read(envelope).map_err(at("envelope"))?;
    let payload = sealed.open(key).map_err(at("signature"))?;
    let signed = statement::<Stated>(&payload, PREDICATES[0], "statement")?;
    let stated = signed.predicate;
    if stated.format != FORMAT {
        return failed("statement", format!("expected the format {FORMAT}, got {:?}", stated.format));
    }
    let manifest_bytes = file(files, MANIFEST, "layout")?;
    if signed.subject != [Subject::new(MANIFEST, manifest_bytes)] {
        return failed("manifest", "expected the manifest that the statement is about, got another");
    }
    let manifest: Manifest = read(files, MANIFEST, "manifest")?;
    every_file(files, &manifest)?;
    whole_tree(&manifest, &stated)?;
    let recipes = recipes(files, &stated)?;
    commitments(files, &stated, &recipes)?;
    let committed = pseudonyms(files, &stated)?;
    chain(files, &stated)?;
    let stamped = token(files, envelope, key)?;
    let disclosed = disclosure.map(|bytes| Openings::check(bytes, &stated.tree, &committed)).transpose()?;
    Ok(Verified { stated, recipes, n_files: manifest.files.len(), stamped, disclosed: disclosed.unwrap_or_default() })
}

fn layout(files: &Files) -> Checked<()> {
    if files.len() > MOST_FILES || files.values().map(|bytes| bytes.len() as u64).sum::<u64>() > MOST_BYTES {
        return failed("layout", format!("expected at most {MOST_FILES} files and {MOST_BYTES} bytes, got more"));
    }
    if let Some(name) = files.keys().find(|name| !is_name(name)) {
        return failed("layout", format!("expected ordinary names of files, got {name:?}"));
    }
    if files.contains_key(TOKEN) != files.contains_key(TOKEN_ENVELOPE) {
        return failed("layout", format!("expected {TOKEN} and {TOKEN_ENVELOPE} both or neither"));
    }
    Ok(())
}

fn every_file(files: &Files, manifest: &Manifest) -> Checked<()> {
    for listed in &manifest.files {
        let step = format!("file:{}", listed.name);
        let bytes = file(files, &listed.name, &step)?;
        let digest = Digest::of(bytes).to_string();
        if bytes.len() as u64 != listed.bytes || digest != listed.blake3 {
            let (length, got) = (listed.bytes, bytes.len());
            return failed(
                &step,
                format!("expected {length} bytes with digest {}, got {got} with {digest}", listed.blake3),
            );
        }
    }
    let listed: BTreeSet<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    if listed.iter().any(|name| APART.contains(name)) || listed.len() != manifest.files.len() {
        return failed("manifest", "expected each file once, and none that is signed apart");
    }
    match files.keys().find(|name| !listed.contains(name.as_str()) && !APART.contains(&name.as_str())) {
        Some(name) => failed(&format!("file:{name}"), "expected no such file, since the manifest does not name it"),
        None => Ok(()),
    }
}

fn whole_tree(manifest: &Manifest, stated: &Stated) -> Checked<()> {
    let digest =
        |hex: &str| hex.parse::<Digest>().map_err(|()| Failure::new("tree", "expected digests of 64 hex digits"));
    let leaves = manifest.files.iter().map(|file| Ok((file.name.as_str(), digest(&file.blake3)?)));
    let leaves = leaves.collect::<Checked<Vec<(&str, Digest)>>>()?;
    if !leaves.is_sorted_by(|a, b| a.0 < b.0) {
        return failed("tree", "expected the files in the order of their names");
    }
    let root = tree(&leaves).to_string();
    if manifest.tree != root || stated.tree != root {
        return failed("tree", format!("expected the root {root} in manifest and statement, got another"));
    }
    Ok(())
}

fn recipes(files: &Files, stated: &Stated) -> Checked<Vec<ResultRecipe>> {
    let recipes: Vec<ResultRecipe> = read(files, RECIPES, "recipes")?;
    if !recipes.iter().map(|of| &of.result).eq(&stated.results) {
        return failed("recipes", "expected one recipe or reason for each result of the statement, in order");
    }
    for ResultRecipe { result, recipe, why } in &recipes {
        file(files, result, "recipes")?;
        if recipe.is_some() == why.is_some() {
            return failed("recipes", format!("{result}: expected a recipe or a reason, and not both"));
        }
        if let Some(recipe) = recipe {
            recipe.check().map_err(|error| error.at(result)).map_err(at("recipes"))?;
        }
    }
    Ok(recipes)
}

fn commitments(files: &Files, stated: &Stated, recipes: &[ResultRecipe]) -> Checked<()> {
    let keys: Vec<KeyCommitment> = read(files, COMMITMENTS, "commitments")?;
    if !keys.iter().map(|key| &key.commitment).eq(&stated.commitments) {
        return failed("commitments", "expected the commitments of the statement, got others");
    }
    let inputs = recipes.iter().filter_map(|of| of.recipe.as_ref()).flat_map(|recipe| &recipe.inputs);
    for commitment in inputs.filter_map(|input| input.commitment.as_ref()) {
        if !keys.iter().any(|key| key.commitment == *commitment) {
            return failed(
                "commitments",
                format!("expected the commitment {commitment} of a recipe's key, found none"),
            );
        }
    }
    Ok(())
}

fn pseudonyms(files: &Files, stated: &Stated) -> Checked<Vec<Committed>> {
    let mut named = BTreeSet::new();
    for result in &stated.results {
        let value =
            Json::parse(file(files, result, "accounts")?).map_err(|error| error.at(result)).map_err(at("accounts"))?;
        named_in(&value, &mut named);
    }
    let committed: Vec<Committed> =
        if files.contains_key(ACCOUNTS) { read(files, ACCOUNTS, "accounts")? } else { Vec::new() };
    let have: BTreeSet<String> = committed.iter().map(|of| of.account.clone()).collect();
    match named.difference(&have).next() {
        Some(account) => failed("accounts", format!("expected a commitment of {account}, found none")),
        None => Ok(committed),
    }
}

fn chain(files: &Files, stated: &Stated) -> Checked<()> {
    let Some(head) = &stated.custody else {
        return if files.contains_key(CUSTODY) {
            failed("custody", "expected a head in the statement, found none")
        } else {
            Ok(())
        };
    };
    let rows: Vec<CustodyRow> = read(files, CUSTODY, "custody")?;
    custody::check(&rows).map_err(at("custody"))?;
    if custody::head(&rows) != (head.row, head.head.clone()) {
        return failed("custody", format!("expected row {} with the head {}, got another end", head.row, head.head));
    }
    Ok(())
}

fn token(files: &Files, envelope: &[u8], key: &PublicKey) -> Checked<Option<String>> {
    const STEP: &str = "timestamp";
    let Some(token) = files.get(TOKEN) else { return Ok(None) };
    let sealed = Envelope::read(file(files, TOKEN_ENVELOPE, STEP)?).map_err(at(STEP))?;
    let payload = sealed.open(key).map_err(at(STEP))?;
    let signed = statement::<BTreeMap<String, String>>(&payload, PREDICATES[1], STEP)?;
    if signed.subject != [Subject::new(TOKEN, token), Subject::new(ENVELOPE, envelope)] {
        return failed(STEP, "expected the token that the signer vouched for, got another");
    }
    let stamp = Stamp::read(token).map_err(at(STEP))?;
    stamp.covers(envelope).map_err(at(STEP))?;
    Ok(Some(stamp.time))
}
