//! Making a bundle: files → manifest with a hash tree → statement → signed envelope.
//!
//! The tree is that of RFC 6962 with BLAKE3: a leaf is H(0x00, name, 0x00, digest of the file), a node is H(0x01, left, right), and of an odd
//! number the last goes up as it is. Leaves stand in the order of their names. So whoever has one file and a few digests can check that it
//! belongs to a bundle. The statement is in-toto's, version 1: its subject is the manifest, by BLAKE3 and by SHA-256.

use super::accounts::{self, Openings};
use super::json::Json;
use super::report::{self, Facts};
use super::sign::SecretKey;
use super::{
    ACCOUNTS, COMMITMENTS, CUSTODY, ENVELOPE, Files, GUIDE, GUIDE_TEXT, MANIFEST, MOST_BYTES, RECIPES, REPORT, SCRIPT,
    SCRIPT_TEXT, TOKEN, TOKEN_ENVELOPE, wrong,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, Time};
use crate::report::recipe::Recipe;
use crate::store::custody::{self, CustodyRow};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};

/// The format of a bundle.
pub const FORMAT: &str = "stillhunt-evidence/1";
/// in-toto's statement.
pub(super) const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What the statement of a bundle, and that of a token, is about.
pub(super) const PREDICATES: [&str; 2] = ["urn:stillhunt:evidence:1", "urn:stillhunt:evidence-timestamp:1"];

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Version of the program that made it.
    pub stillhunt: String,
    /// Every file but the manifest itself and what is signed behind it, in the order of names.
    pub files: Vec<Listed>,
    /// Root of the tree over them.
    pub tree: String,
}

/// A file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3, 64 hex digits.
    pub blake3: String,
}

/// Root of the tree over files, given by name and digest in the order of names.
#[must_use]
pub fn tree(files: &[(&str, Digest)]) -> Digest {
    let hash = |parts: &[&[u8]]| {
        let mut hash = blake3::Hasher::new();
        for part in parts {
            hash.update(part);
        }
        *hash.finalize().as_bytes()
    };
    let mut level: Vec<[u8; 32]> =
        files.iter().map(|(name, digest)| hash(&[&[0], name.as_bytes(), &[0], &digest.0])).collect();
    while level.len() > 1 {
        let up = |pair: &[[u8; 32]]| match pair {
            [left, right] => hash(&[&[1], left, right]),
            [alone] => *alone,
            _ => [0; 32],
        };
        level = level.chunks(2).map(up).collect();
    }
    Digest(level.first().copied().unwrap_or([0; 32]))
}

/// An in-toto statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement<P> {
    #[serde(rename = "_type")]
    pub(super) kind: String,
    pub(super) subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub(super) predicate_type: String,
    pub(super) predicate: P,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) digest: BTreeMap<String, String>,
}

impl Subject {
    pub(super) fn new(name: &str, bytes: &[u8]) -> Self {
        let sha256: String = sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let digest = [("blake3", Digest::of(bytes).to_string()), ("sha256", sha256)];
        Self { name: name.to_owned(), digest: digest.map(|(name, hex)| (name.to_owned(), hex)).into() }
    }
}

/// What the signer states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// [`FORMAT`].
    pub format: String,
    /// Version of the program.
    pub stillhunt: String,
    /// When, as the signer's clock says.
    pub made: String,
    /// Root of the manifest's tree.
    pub tree: String,
    /// Names of the results.
    pub results: Vec<String>,
    /// Commitments to the keys.
    pub commitments: Vec<String>,
    /// Number and head of the last row of the store's chain of custody.
    pub custody: Option<CustodyHead>,
}

/// A head of a chain of custody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyHead {
    /// The row.
    pub row: u64,
    /// Its head.
    pub head: String,
}

/// The recipe of a result, in `recipes.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultRecipe {
    /// The result's name in the bundle.
    pub result: String,
    /// How it was made; none where it cannot be made again.
    pub recipe: Option<Recipe>,
    /// Why it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A key that took part, in `commitments.json`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCommitment {
    /// Its role: `key`, `root`, `account-key`.
    pub role: String,
    /// The name of its file.
    pub name: String,
    /// The commitment.
    pub commitment: String,
}

/// A result that goes into a bundle.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its bytes, kept as they are.
    pub bytes: Vec<u8>,
    /// How it was made, or why it cannot be made again.
    pub recipe: std::result::Result<Recipe, String>,
}

impl Given {
    /// A result as a command printed it, which carries its own recipe. One that may not be replayed is left out, with the reason.
    /// # Errors
    /// `Input` when it is no JSON object.
    pub fn of_result(bytes: Vec<u8>) -> Result<Self> {
        let mut value = Json::parse(&bytes)?;
        if !matches!(value, Json::Map(_)) {
            return Err(wrong("expected a result as a JSON object, got something else"));
        }
        let recipe = match value.take("recipe") {
            Some(of @ Json::Map(_)) => serde_json::from_str::<Recipe>(&of.write())
                .map_err(|cause| format!("its recipe has another form: {cause}"))
                .and_then(|recipe| recipe.check().map(|()| recipe).map_err(|error| error.to_string())),
            _ => Err("the result carries no recipe".to_owned()),
        };
        Ok(Self { bytes, recipe })
    }
}

/// What a bundle is made of.
#[derive(Debug)]
pub struct Making<'a> {
    /// The results.
    pub results: Vec<Given>,
    /// The chain of custody of the store that they stand on.
    pub custody: Option<Vec<CustodyRow>>,
    /// Real names of accounts by pseudonym.
    pub names: BTreeMap<String, String>,
    /// When it is made.
    pub made: Time,
    /// Who signs it.
    pub key: &'a SecretKey,
}

fn text(value: &impl Serialize) -> Vec<u8> {
    (serde_json::to_string_pretty(value).unwrap_or_default() + "\n").into_bytes()
}

/// Makes a bundle; returns its files, the openings of its accounts, and the root of its tree. `salt` gives 32 random bytes.
/// # Errors
/// `Input` when there is no result, one is too large, or the chain of custody has a fault; those of `salt`.
pub fn make(making: Making<'_>, salt: &mut dyn FnMut() -> Result<[u8; 32]>) -> Result<(Files, Openings, Digest)> {
    if making.results.is_empty() {
        return Err(wrong("expected a result, got none"));
    }
    let mut files = Files::new();
    let (mut recipes, mut keys, mut accounts) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut values = Vec::new();
    for (number, given) in (1..).zip(&making.results) {
        let name = format!("results/{number}.json");
        let value = Json::parse(&given.bytes).map_err(|error| error.at(&name))?;
        accounts::named_in(&value, &mut accounts);
        for input in given.recipe.iter().flat_map(|recipe| &recipe.inputs) {
            if let Some(commitment) = &input.commitment {
                keys.insert(KeyCommitment {
                    role: input.role.clone(),
                    name: input.name.clone(),
                    commitment: commitment.clone(),
                });
            }
        }
        let why = given.recipe.as_ref().err().cloned();
        recipes.push(ResultRecipe { result: name.clone(), recipe: given.recipe.as_ref().ok().cloned(), why });
        values.push((name.clone(), value));
        files.insert(name, given.bytes.clone());
    }
    let (committed, openings) = accounts::commit(&accounts, &making.names, salt)?;
    let keys: Vec<KeyCommitment> = keys.into_iter().collect();
    let head = match &making.custody {
        None => None,
        Some(rows) => {
            custody::check(rows)?;
            files.insert(CUSTODY.into(), text(rows));
            let (row, head) = custody::head(rows);
            Some(CustodyHead { row, head })
        }
    };
    files.insert(RECIPES.into(), text(&recipes));
    files.insert(COMMITMENTS.into(), text(&keys));
    if !committed.is_empty() {
        files.insert(ACCOUNTS.into(), text(&committed));
    }
    files.insert(GUIDE.into(), GUIDE_TEXT.into());
    files.insert(SCRIPT.into(), SCRIPT_TEXT.into());
    let facts = Facts {
        results: &values,
        recipes: &recipes,
        keys: &keys,
        accounts: committed.len(),
        custody: head.as_ref(),
        made: making.made,
        key_id: &making.key.public().id(),
    };
    let [html, markdown] = report::write(&facts);
    files.insert(REPORT[0].into(), html.into_bytes());
    files.insert(REPORT[1].into(), markdown.into_bytes());
    if files.values().map(|bytes| bytes.len() as u64).sum::<u64>() > MOST_BYTES / 2 {
        return Err(wrong(format!("expected results of at most {} bytes together", MOST_BYTES / 2))
            .hint("bundle fewer of them; input files are told by digest and are no part of a bundle"));
    }
    let digests: Vec<(&str, Digest)> = files.iter().map(|(name, bytes)| (name.as_str(), Digest::of(bytes))).collect();
    let root = tree(&digests);
    let listed = |(name, bytes): (&String, &Vec<u8>)| Listed {
        name: name.clone(),
        bytes: bytes.len() as u64,
        blake3: Digest::of(bytes).to_string(),
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest {
        format: FORMAT.into(),
        stillhunt: version.clone(),
        files: files.iter().map(listed).collect(),
        tree: root.to_string(),
    };
    let manifest = text(&manifest);
    let statement = Statement {
        kind: STATEMENT.into(),
        subject: vec![Subject::new(MANIFEST, &manifest)],
        predicate_type: PREDICATES[0].into(),
        predicate: Stated {
            format: FORMAT.into(),
            stillhunt: version,
            made: making.made.to_string(),
            tree: root.to_string(),
            results: values.into_iter().map(|(name, _)| name).collect(),
            commitments: keys.into_iter().map(|key| key.commitment).collect(),
            custody: head,
        },
    };
    let payload = serde_json::to_vec(&statement).unwrap_or_default();
    files.insert(MANIFEST.into(), manifest);
    files.insert(ENVELOPE.into(), making.key.seal(&payload));
    Ok((files, openings, root))
}

/// Adds a timestamp token over the envelope, with the signer's statement about it.
/// # Errors
/// `Input` when the token is none, or is over other bytes; `Config` when another key signed the bundle.
pub fn stamp(files: &mut Files, token: Vec<u8>, key: &SecretKey) -> Result<()> {
    let envelope = files.get(ENVELOPE).ok_or_else(|| wrong(format!("expected {ENVELOPE} in the bundle")))?;
    super::timestamp::Stamp::read(&token)?.covers(envelope)?;
    if super::sign::Envelope::read(envelope)?.key_id() != key.public().id() {
        return Err(Error::new(ErrorKind::Config, "expected the key that signed the bundle, got another"));
    }
    let statement = Statement {
        kind: STATEMENT.into(),
        subject: vec![Subject::new(TOKEN, &token), Subject::new(ENVELOPE, envelope)],
        predicate_type: PREDICATES[1].into(),
        predicate: BTreeMap::<String, String>::new(),
    };
    let sealed = key.seal(&serde_json::to_vec(&statement).unwrap_or_default());
    files.insert(TOKEN.into(), token);
    files.insert(TOKEN_ENVELOPE.into(), sealed);
    Ok(())
}
