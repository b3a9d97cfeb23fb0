//! Keys: a root, a tree of keys under it, key files, and commitments that reveal nothing.
//!
//! # The tree
//! A root key has 32 random bytes. A path such as `acme/model-7/cohort-12/2026-11` (provider, model, cohort of accounts, period) leads to
//! a key: at each step BLAKE3's `derive_key` of the key above, the depth and the label. One key says nothing of its parent, its
//! siblings or their children, so a key can be disclosed to a court without the rest.
//!
//! # Commitments
//! A commitment is BLAKE3 of a key file's fields with 32 random bytes of salt that stand in the file: published before the test, it
//! fixes the key; the salt keeps a short key (42) from being guessed. To open it, disclose the file. Where keys follow from a root, the commitment is to
//! the root, by its salt, and to scheme and paths together ([`commitment_under`]); to open it, disclose both files.
//!
//! Source: O'Connor et al. 2020, BLAKE3, section 2.5 (key derivation). Weakness: whoever holds the root holds every key. Guarantee: no
//! error, `Debug` or report says a key.

use super::about::{About, Opened, Secret};
use super::catalogue;
use super::fields::Fields;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Digest;
use std::collections::BTreeMap;

/// Most paths that a range may name.
pub const MOST_PATHS: usize = 100_000;
/// Longest key file.
pub const LONGEST_FILE: u64 = 1 << 20;

/// A root key, or one derived from it.
#[derive(Clone, PartialEq, Eq)]
pub struct TreeKey([u8; 32]);

impl std::fmt::Debug for TreeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TreeKey(redacted)")
    }
}

impl TreeKey {
    /// A root of 32 random bytes.
    #[must_use]
    pub fn root(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a root key file.
    ///
    /// # Errors
    /// `Config` when it is none.
    pub fn from_file(text: &str) -> Result<Self> {
        let fields = Fields::new(parse(text)?);
        fields.text("id")?;
        fields.text("salt")?;
        let root = fields.bytes32("root_key")?;
        fields.done()?;
        Ok(Self(root))
    }

    /// The key at `path`: 1 to 8 labels of letters, digits, `.`, `_` and `-`, joined by `/`.
    ///
    /// # Errors
    /// `Config` when the path is not of that form.
    ///
    /// # Example
    /// ```
    /// use stillhunt::watermark::keys::TreeKey;
    /// let root = TreeKey::root([7; 32]);
    /// assert_eq!(root.derive("acme/m").unwrap().derive_from(2, "c").unwrap(), root.derive("acme/m/c").unwrap());
    /// assert!(root.derive("a//b").is_err());
    /// ```
    pub fn derive(&self, path: &str) -> Result<Self> {
        self.derive_from(0, path)
    }

    /// As [`TreeKey::derive`], from a key that is `depth` labels below the root.
    ///
    /// # Errors
    /// As there.
    pub fn derive_from(&self, depth: usize, path: &str) -> Result<Self> {
        let labels: Vec<&str> = path.split('/').collect();
        let good = |label: &&str| {
            let bytes = label.as_bytes();
            (1..=64).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
        };
        if depth + labels.len() > 8 || !labels.iter().all(good) {
            let expected =
                "expected a path of 1 to 8 labels of 1 to 64 letters, digits, '.', '_' or '-', joined by '/'";
            return Err(Error::new(ErrorKind::Config, format!("{expected}, got another")));
        }
        let step = |key: [u8; 32], (level, label): (usize, &str)| {
            let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 watermark key tree");
            hash.update(&key).update(&[level as u8]).update(label.as_bytes());
            *hash.finalize().as_bytes()
        };
        Ok(Self((depth..).zip(labels).fold(self.0, step)))
    }

    /// Secret fields of a scheme, drawn from this key.
    #[must_use]
    pub fn fields(&self, about: &About) -> toml::Table {
        let mut out = toml::Table::new();
        for (name, secret) in about.secret {
            let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 watermark key field");
            hash.update(&self.0).update(about.scheme.as_bytes()).update(b"/").update(about.dialect.as_bytes());
            let mut bytes = hash.update(b"/").update(name.as_bytes()).finalize_xof();
            let mut word = |bits: u32| {
                let mut word = [0; 8];
                bytes.fill(&mut word);
                u64::from_le_bytes(word) >> (64 - bits.min(64))
            };
            let mut int = |bits: u32| {
                let n = word(bits);
                i64::try_from(n).map_or_else(|_| toml::Value::String(n.to_string()), toml::Value::Integer)
            };
            let value = match *secret {
                Secret::Int(bits) => int(bits),
                Secret::Ints(n, bits) => toml::Value::Array((0..n).map(|_| int(bits)).collect()),
                Secret::Bytes => {
                    let mut key = [0; 32];
                    bytes.fill(&mut key);
                    toml::Value::String(Digest(key).to_string())
                }
                Secret::Hex => toml::Value::String(format!("{:016x}", word(64))),
                Secret::LastPart => continue,
            };
            out.insert((*name).to_owned(), value);
        }
        out
    }
}

/// A key of a key file, ready to plant and score.
pub struct Key {
    /// Its name: `id` of the file, else the file's; with the path where it was derived.
    pub id: String,
    /// Its scheme.
    pub about: &'static About,
    /// The scheme with the key.
    pub opened: Opened,
    /// Parameters, without the key.
    pub parameters: BTreeMap<String, String>,
}

/// What a command line gives in place of fields of key files.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Width of the logits.
    pub vocab_size: Option<u32>,
    /// Paths under the root: a range (see [`paths`]).
    pub path: Option<String>,
    /// The root.
    pub root: Option<TreeKey>,
}

pub(super) fn parse(text: &str) -> Result<toml::Table> {
    // The parser's own message quotes the line, which may hold the key.
    text.parse().map_err(|cause: toml::de::Error| {
        let line = cause.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
        let place = line.map(|line| format!(" (line {line})")).unwrap_or_default();
        Error::new(ErrorKind::Config, format!("expected TOML, got something else{place}"))
    })
}

/// Reads a key file: one key, or one for each path where it names a root and a range of paths. `name` stands for a missing `id`;
/// `root` reads a root key file that the file names.
///
/// # Errors
/// `Config` when the file is not TOML, names no known scheme, or its fields are wrong.
pub fn read(text: &str, name: &str, given: &Given, root: &dyn Fn(&str) -> Result<TreeKey>) -> Result<Vec<Key>> {
    let mut table = parse(text)?;
    if table.contains_key("root_key") {
        return Err(Error::new(ErrorKind::Config, "expected a key of one scheme, got a root key")
            .hint("give it with --root, and a key file that names scheme, dialect and path"));
    }
    let mut take = |field: &str| match table.remove(field) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text)),
        Some(_) => {
            Err(Error::new(ErrorKind::Config, format!("expected text in the field {field}, got something else")))
        }
    };
    let (id, _salt) = (take("id")?.unwrap_or_else(|| name.to_owned()), take("salt")?);
    let (root_file, path) = (take("root")?, given.path.clone().or(take("path")?));
    if let Some(vocab) = given.vocab_size {
        table.insert("vocab_size".into(), toml::Value::Integer(i64::from(vocab)));
    }
    let Some(path) = path else {
        if root_file.is_some() {
            return Err(Error::new(ErrorKind::Config, "expected a path beside the root, found none"));
        }
        return open(table, id).map(|key| vec![key]);
    };
    let root = match (&given.root, root_file) {
        (Some(root), _) => root.clone(),
        (None, Some(file)) => root(&file)?,
        (None, None) => return Err(Error::new(ErrorKind::Config, "expected a root beside the path, found none")),
    };
    let about = catalogue::find(&Fields::new(table.clone()))?;
    let one = |path: String| {
        let mut table = table.clone();
        table.extend(root.derive(&path)?.fields(about));
        open(table, format!("{id}:{path}"))
    };
    paths(&path)?.into_iter().map(one).collect()
}

pub(super) fn open(table: toml::Table, id: String) -> Result<Key> {
    if id.len() > 256 || id.chars().any(char::is_control) {
        return Err(Error::new(ErrorKind::Config, "expected an id of at most 256 bytes without control characters"));
    }
    let fields = Fields::new(table.clone());
    let (about, opened) = catalogue::open(&fields)?;
    let secret = |name: &str| about.secret.iter().find(|(field, _)| *field == name).map(|(_, secret)| *secret);
    let shown = |name: &str, value: &str| match secret(name) {
        None => Some(value.to_owned()),
        Some(Secret::LastPart) => Some(value.splitn(5, '-').take(4).collect::<Vec<_>>().join("-")),
        Some(_) => None,
    };
    let mut parameters = BTreeMap::new();
    let defaults = about.fields.iter().filter_map(|field| Some((field.name, field.default?.to_owned())));
    let given = table
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    for (name, value) in defaults.chain(given).filter(|(name, _)| !["scheme", "dialect"].contains(name)) {
        if let Some(value) = shown(name, &value) {
            parameters.insert(name.to_owned(), value);
        }
    }
    Ok(Key { id, about, opened, parameters })
}

/// The root key file that a key file names.
///
/// # Errors
/// `Config` when the file is not TOML.
pub fn root_of(text: &str) -> Result<Option<String>> {
    Ok(parse(text)?.get("root").and_then(toml::Value::as_str).map(str::to_owned))
}

/// The commitment to a key file: see the module's page.
///
/// # Errors
/// `Config` when the file is not TOML or has no salt.
pub fn commitment(text: &str) -> Result<Digest> {
    let mut table = parse(text)?;
    let salt = Fields::new(table.clone()).bytes32("salt").map_err(|error| {
        error.hint(
            "stillhunt watermark keygen writes one; for a key made elsewhere add salt = \"<64 random hex digits>\"",
        )
    })?;
    table.remove("salt");
    table.remove("id");
    let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 watermark key commitment");
    hash.update(&salt);
    Ok(hash_fields(hash, &table))
}

/// Whether the keys of a file follow from a root: it names a path, or `paths` are given in its place.
///
/// # Errors
/// `Config` when the file is not TOML.
pub fn follow_from_root(text: &str, paths: Option<&str>) -> Result<bool> {
    Ok(paths.is_some() || parse(text)?.contains_key("path"))
}

/// The commitment to keys that follow from a root: to the root with its salt, to the scheme of the key file that names the path, and to
/// the paths themselves; `paths` stand in the place of those in the file. So it fixes every key that is tested, and not the root alone, under
/// which a key could be looked for once the text is known.
///
/// # Errors
/// `Config` when `text` is not TOML, or `root` no root key file.
pub fn commitment_under(text: &str, paths: Option<&str>, root: &str) -> Result<Digest> {
    TreeKey::from_file(root)?;
    let salt = Fields::new(parse(root)?).bytes32("salt")?;
    let mut table = parse(text)?;
    table.remove("id");
    // The root is told by itself and not by its file's name.
    table.remove("root");
    if let Some(paths) = paths {
        table.insert("path".into(), toml::Value::String(paths.to_owned()));
    }
    let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 watermark path commitment");
    hash.update(&salt).update(&commitment(root)?.0);
    Ok(hash_fields(hash, &table))
}

fn hash_fields(mut hash: blake3::Hasher, table: &toml::Table) -> Digest {
    // TOML tables are in the order of their names.
    for (name, value) in table {
        for part in [name.clone(), value.to_string()] {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
    }
    Digest(*hash.finalize().as_bytes())
}

/// The paths of a range: `{a,b}` stands for each of some words, `{08..11}` for each number, as wide as it is written.
///
/// # Errors
/// `Config` when a brace does not close, a range runs backwards, or there are more than [`MOST_PATHS`].
///
/// # Example
/// ```
/// use stillhunt::watermark::keys::paths;
/// assert_eq!(paths("acme/{a,b}/2026-{09..10}").unwrap().join(" "), "acme/a/2026-09 acme/a/2026-10 acme/b/2026-09 acme/b/2026-10");
/// ```
pub fn paths(range: &str) -> Result<Vec<String>> {
    let wrong = |what: &str| Error::new(ErrorKind::Config, format!("expected {what} in the range of paths"));
    let mut out = vec![String::new()];
    let mut rest = range;
    while let Some((before, inside)) = rest.split_once('{') {
        let (inside, after) = inside.split_once('}').ok_or_else(|| wrong("a closing brace"))?;
        let words: Vec<String> = match inside.split_once("..") {
            Some((from, to)) => {
                let number = |text: &str| text.parse::<u64>().map_err(|_| wrong("numbers around '..'"));
                let (first, last) = (number(from)?, number(to)?);
                if first > last || last - first >= MOST_PATHS as u64 {
                    return Err(wrong(&format!("a range that goes up, over at most {MOST_PATHS} numbers")));
                }
                (first..=last).map(|n| format!("{n:0width$}", width = from.len())).collect()
            }
            None => inside.split(',').map(str::to_owned).collect(),
        };
        if out.len().saturating_mul(words.len()) > MOST_PATHS {
            return Err(wrong(&format!("at most {MOST_PATHS} paths")));
        }
        out = out.iter().flat_map(|head| words.iter().map(move |word| format!("{head}{before}{word}"))).collect();
        rest = after;
    }
    out.iter_mut().for_each(|path| path.push_str(rest));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "scheme = \"gumbel\"\ndialect = \"native\"\nvocab_size = 50257\nid = \"one\"\n";

    fn no_root(_: &str) -> Result<TreeKey> {
        Err(Error::new(ErrorKind::Config, "no root here"))
    }

    #[test]
    fn a_derived_key_follows_its_path_alone() {
        let root = TreeKey::root([3; 32]);
        let keys = |path: &str| root.derive(path).unwrap();
        assert_eq!(keys("a/b"), keys("a/b"));
        let others = ["a", "b/a", "a/c", "ab", "a/b/c"];
        assert!(others.iter().all(|other| keys(other) != keys("a/b")));
        for bad in ["", "/", "a/", "a b", "a/é", "1/2/3/4/5/6/7/8/9", &"x".repeat(65)] {
            assert!(root.derive(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{root:?}"), "TreeKey(redacted)");
    }

    #[test]
    fn a_file_opens_one_key_or_a_range_of_them() {
        let key = "44".repeat(32);
        let one = read(&format!("{FILE}key = \"{key}\"\n"), "file", &Given::default(), &no_root).unwrap();
        assert_eq!((one.len(), one[0].id.as_str()), (1, "one"));
        assert_eq!(one[0].parameters["context_width"], "4");
        assert!(!one[0].parameters.contains_key("key"));
        let root = |file: &str| {
            assert_eq!(file, "root.toml");
            Ok(TreeKey::root([9; 32]))
        };
        let range = format!("{FILE}root = \"root.toml\"\npath = \"a/m/c-{{1..3}}/2026-11\"\n");
        let many = read(&range, "file", &Given::default(), &root).unwrap();
        assert_eq!(many.len(), 3);
        assert_eq!(many[2].id, "one:a/m/c-3/2026-11");
    }

    #[test]
    fn errors_do_not_say_the_key() {
        let secret = "0123456789abcdef".repeat(4);
        let files = [
            format!("{FILE}key = \"{secret}0\"\n"),
            format!("{FILE}key = \"{secret}\"\nkey = \"{secret}\"\n"),
            format!("{FILE}key = \"{secret}\"\nother = \"{secret}\"\n"),
            format!("{FILE}key = {secret}\n"),
            format!("{FILE}key = [\"{secret}\"]\n"),
        ];
        for file in files {
            let error = read(&file, "file", &Given::default(), &no_root).err().expect("an error");
            let text = format!("{error} {:?}", error.hint_text());
            assert!(!text.contains(&secret[..8]), "{text}");
        }
    }

    #[test]
    fn a_commitment_needs_its_salt_and_follows_the_key() {
        let salt = "ab".repeat(32);
        let with = |key: &str, salt: &str| commitment(&format!("{FILE}key = \"{key}\"\nsalt = \"{salt}\"\n"));
        let (a, b) = ("11".repeat(32), "22".repeat(32));
        let first = with(&a, &salt).unwrap();
        assert_eq!(with(&a, &salt).unwrap(), first);
        assert_ne!(with(&b, &salt).unwrap(), first);
        assert_ne!(with(&a, &b).unwrap(), first);
        assert!(commitment(&format!("{FILE}key = \"{a}\"\n")).is_err());
    }
}
