//! Every reading of a key: for the analyst who has a key and no memory of the scheme, dialect and profile that it was used with.
//!
//! # The idea
//! A key file holds a whole number, a few hex digits, 32 bytes or a list of numbers. Each dialect that takes such a key is a candidate, once for
//! every usual setting of the fields that change which tokens are marked (`settings`) and for every device profile whose lists differ.
//! What only planting uses (bias, temperature) is no candidate. All of them are tests, under one correction.
//!
//! Weakness: unusual settings (a share of .3, a window of twelve) are not among them: a key file that names them is. Dialects that derive
//! keys from a root bind them to scheme and dialect, so a root has nothing to be searched. Guarantee: the same file gives the same
//! candidates in the same order, and no key is told.

use super::about::Secret;
use super::catalogue;
use super::gumbel_sglang::parse_key;
use super::keys::{Given, Key, open, parse};
use super::profile;
use super::torch::TABLE;
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeSet;

/// Widths of contexts that are tried where nothing else is usual.
const WIDTHS: std::ops::RangeInclusive<u32> = 1..=8;

/// What the bytes of a key can be read as.
#[derive(Default)]
struct Readings {
    int: Option<i128>,
    hex: Option<u64>,
    second: Option<u64>,
    bytes: Option<String>,
    list: Option<toml::Value>,
}

impl Readings {
    fn of(table: &toml::Table) -> Self {
        let mut out = Self::default();
        let names: BTreeSet<&str> =
            catalogue::ALL.iter().flat_map(|about| about.secret.iter().map(|(name, _)| *name)).collect();
        for (name, value) in table.iter().filter(|(name, _)| names.contains(name.as_str())) {
            match value {
                toml::Value::Integer(n) => out.int = Some(i128::from(*n)),
                toml::Value::String(text) if name == "key_b" => out.second = parse_key(text),
                toml::Value::String(text) if text.len() == 64 => out.bytes = Some(text.clone()),
                toml::Value::String(text) => {
                    out.hex = parse_key(text);
                    out.int = text.parse().ok().or(out.hex.map(i128::from));
                }
                toml::Value::Array(_) => out.list = Some(value.clone()),
                _ => {}
            }
        }
        out.hex = out.hex.or(out.int.and_then(|n| u64::try_from(n).ok()));
        out
    }

    /// The secret field of one kind; none where the bytes do not allow it.
    fn field(&self, name: &str, secret: Secret) -> Option<toml::Value> {
        let int = |n: i128| i64::try_from(n).map_or_else(|_| n.to_string().into(), toml::Value::Integer);
        match secret {
            Secret::Bytes => self.bytes.clone().map(toml::Value::String),
            Secret::Int(_) => self.int.map(int),
            Secret::Ints(..) => self.list.clone(),
            Secret::Hex if name == "key_b" => self.second.map(|key| format!("{key:x}").into()),
            Secret::Hex => self.hex.map(|key| format!("{key:x}").into()),
            Secret::LastPart => None,
        }
    }
}

/// The settings of a dialect that are tried, as lines of TOML. Those that the key's owner can have left at their defaults come first.
fn settings(scheme: &str, dialect: &str) -> Vec<String> {
    let widths = |name: &str| WIDTHS.map(|width| format!("{name} = {width}")).collect::<Vec<_>>();
    let each = |shares: [&str; 2], others: &[&str]| {
        let pair = |share: &str| others.iter().map(|other| format!("{share}\n{other}")).collect::<Vec<_>>();
        shares.into_iter().flat_map(pair).collect::<Vec<_>>()
    };
    let gammas = ["gamma = 0.5", "gamma = 0.25"];
    let ngrams = ["ngram = 1", "ngram = 2", "ngram = 3", "ngram = 4"];
    match (scheme, dialect) {
        ("green-list", "native") => {
            let widths = widths("context_width");
            let widths: Vec<&str> = widths.iter().map(String::as_str).collect();
            each(["greenlist_ratio = 0.25", "greenlist_ratio = 0.5"], &widths)
        }
        ("gumbel" | "tournament", "native") | ("gumbel", "vllm") => widths("context_width"),
        ("dual_key_gumbel", "vllm") => {
            let widths = widths("context_width");
            let widths: Vec<&str> = widths.iter().map(String::as_str).collect();
            each(["alpha = 0.1", "alpha = 0.5"], &widths)
        }
        (_, "sglang") => widths("context_window"),
        ("sbw", "sbw") => each(
            gammas,
            &["gpu-fused-selfhash-fullvocab", "gpu-simple_1", "gpu-fused-simple_4", "gpu-minhash", "gpu-skipgram"]
                .map(|name| format!("seeding_scheme = \"{name}\""))
                .each_ref()
                .map(String::as_str),
        ),
        ("sbw", "vllm") => each(
            gammas,
            &["selfhash", "lefthash", "lefthash-hashed"]
                .map(|name| format!("seeding_scheme = \"{name}\""))
                .each_ref()
                .map(String::as_str),
        ),
        ("kgw", "transformers") => each(
            ["greenlist_ratio = 0.25", "greenlist_ratio = 0.5"],
            &[
                "seeding_scheme = \"lefthash\"",
                "seeding_scheme = \"selfhash\"\ncontext_width = 1",
                "seeding_scheme = \"selfhash\"\ncontext_width = 4",
            ],
        ),
        ("kgw", "lm-watermarking") => each(
            gammas,
            &["simple_1", "selfhash", "minhash", "skipgram"]
                .map(|name| format!("seeding_scheme = \"{name}\""))
                .each_ref()
                .map(String::as_str),
        ),
        ("unigram", _) => vec!["fraction = 0.5".into(), "fraction = 0.25".into()],
        ("kgw", "three_bricks") | ("greenlist", "textseal") => each(gammas, &ngrams),
        (_, "three_bricks" | "textseal") => ngrams.map(str::to_owned).to_vec(),
        _ => vec![String::new()],
    }
}

/// The device profiles whose lists differ, for a setting of a dialect that has profiles.
fn profiles(scheme: &str, dialect: &str, setting: &str, vocab: u32) -> Vec<String> {
    let entries = match (scheme, dialect) {
        ("synthid", _) => 1 << 16,
        // The table of the hash is a permutation of the device, too.
        ("kgw", "transformers") if setting.contains("selfhash") => vocab.max(TABLE),
        _ => vocab,
    };
    profile::distinct(entries)
}

/// Every candidate that the key of this file allows: the file's own reading first, where it has one, then all others.
///
/// # Errors
/// `Config` when the file is not TOML, holds no key itself or names no vocabulary.
pub fn candidates(text: &str, name: &str, given: &Given) -> Result<Vec<Key>> {
    let mut table = parse(text)?;
    if let Some(vocab) = given.vocab_size {
        table.insert("vocab_size".into(), toml::Value::Integer(i64::from(vocab)));
    }
    let id = table.get("id").and_then(toml::Value::as_str).unwrap_or(name).to_owned();
    let readings = Readings::of(&table);
    let nothing = readings.int.is_none() && readings.hex.is_none() && readings.bytes.is_none();
    if nothing && readings.list.is_none() {
        return Err(Error::new(ErrorKind::Config, "expected a key file that holds its key, found none in it").hint(
            "a key below a root is bound to its scheme and dialect, which its file names: test it without --search",
        ));
    }
    let vocab = table.get("vocab_size").and_then(toml::Value::as_integer).and_then(|n| u32::try_from(n).ok());
    let vocab = vocab.filter(|n| (2..=1 << 24).contains(n)).ok_or_else(|| {
        Error::new(ErrorKind::Config, "expected vocab_size, found none or one that is not from 2 to 2^24")
            .hint("--vocab-size N, or --model-config config.json: it is never guessed")
    })?;
    let mut out: Vec<Key> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut add = |table: toml::Table, out: &mut Vec<Key>| {
        // What a dialect refuses (a negative number, too wide a context) the bytes do not allow.
        let Ok(key) = open(table, id.clone()) else { return };
        if seen.insert((key.about.scheme, key.about.dialect, key.opened.profile.clone(), key.parameters.clone())) {
            out.push(key);
        }
    };
    for other in ["id", "salt", "root", "path"] {
        table.remove(other);
    }
    add(table.clone(), &mut out);
    for about in catalogue::ALL {
        let mut base = toml::Table::new();
        base.insert("scheme".into(), about.scheme.into());
        base.insert("dialect".into(), about.dialect.into());
        base.insert("vocab_size".into(), i64::from(vocab).into());
        let secrets = about.secret.iter().filter(|(_, secret)| *secret != Secret::LastPart);
        let fields: Option<Vec<_>> =
            secrets.map(|(name, secret)| Some(((*name).to_owned(), readings.field(name, *secret)?))).collect();
        let Some(fields) = fields else { continue };
        base.extend(fields);
        let has_profile = about.fields.iter().any(|field| field.name == "profile");
        for setting in settings(about.scheme, about.dialect) {
            let mut table = base.clone();
            table.extend(setting.parse::<toml::Table>().unwrap_or_default());
            if !has_profile {
                add(table, &mut out);
                continue;
            }
            for profile in profiles(about.scheme, about.dialect, &setting, vocab) {
                table.insert("profile".into(), profile.into());
                add(table.clone(), &mut out);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(file: &str) -> Vec<Key> {
        candidates(file, "file", &Given::default()).unwrap()
    }

    #[test]
    fn each_kind_of_key_has_its_dialects() {
        let dialects = |file: &str| -> BTreeSet<String> {
            named(file).iter().map(|key| format!("{} {}", key.about.scheme, key.about.dialect)).collect()
        };
        let int = dialects("key = 48112959837\nvocab_size = 32000\n");
        for name in ["kgw transformers", "kgw lm-watermarking", "gumbel vllm", "gumbel sglang", "sbw sbw", "sbw vllm"] {
            assert!(int.contains(name), "{name}");
        }
        assert!(!int.contains("gumbel native") && !int.contains("dual_key_gumbel sglang"));
        let bytes = dialects(&format!("key = \"{}\"\nvocab_size = 32000\n", "0a".repeat(32)));
        assert_eq!(bytes.len(), 3, "{bytes:?}");
        assert!(bytes.iter().all(|name| name.ends_with("native")));
        let hex = dialects("key = \"9f3c\"\nkey_b = \"77\"\nvocab_size = 32000\n");
        assert!(hex.contains("dual_key_gumbel sglang") && hex.contains("kgw transformers"));
        assert_eq!(dialects("keys = [5, 6, 7]\nvocab_size = 32000\n").len(), 2);
    }

    #[test]
    fn every_setting_opens_and_no_two_are_one() {
        for about in catalogue::ALL {
            for setting in settings(about.scheme, about.dialect) {
                let table: toml::Table = setting.parse().unwrap();
                let known = |name: &String| about.fields.iter().any(|field| field.name == name);
                assert!(table.keys().all(known), "{} {}: {setting}", about.scheme, about.dialect);
            }
        }
        let small = named("key = 48112959837\nvocab_size = 500\n").len();
        let large = named("key = 48112959837\nvocab_size = 128256\n").len();
        assert!(small > 60 && large > small, "{small} {large}");
    }

    #[test]
    fn a_root_and_a_missing_vocabulary_are_refused() {
        let error = |file: &str| candidates(file, "file", &Given::default()).err().unwrap().to_string();
        assert!(error("root = \"r.toml\"\npath = \"a/b\"\nvocab_size = 500\n").contains("holds its key"));
        assert!(error("key = 5\n").contains("vocab_size"));
    }
}
