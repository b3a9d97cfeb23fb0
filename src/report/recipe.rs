//! How a result was made, so that somebody else can make it again: the command, its resolved arguments, and its inputs by digest.
//!
//! A recipe travels inside a JSON result, as `"recipe"` on its first level. Each input file stands in the arguments as a placeholder
//! (`{input:0}`), never as a path; whoever replays finds the files by digest, puts them in the placeholders' stead and runs the
//! very same code. Files of keys are told by their commitment, never by a digest: the digest of a short key can be guessed.
//!
//! A recipe may come from a stranger. So [`Recipe::argv`] gives a command line only for what [`REPLAYABLE`] lists: commands that read and
//! do not write, with flags that decide numbers. Weakness: what decides a result and is no argument (the machine's arithmetic, the
//! version of the program) is only named. Guarantee: no value of a recipe becomes a path, and no file takes part that has not the digest or the
//! commitment of an input.

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Digest;
use crate::store::files::digest_file;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Most arguments, and most inputs, of a recipe.
pub const MOST: usize = 100_000;
/// Longest argument in bytes, and longest name of an input.
const LONGEST: [usize; 2] = [65_536, 255];

/// A command that may be replayed: it reads files and prints, and does nothing else.
#[derive(Debug)]
pub struct Replayable {
    /// Its words.
    pub command: &'static [&'static str],
    /// Flags that take a value.
    pub values: &'static [&'static str],
    /// Flags that take an input file.
    pub files: &'static [&'static str],
    /// Flags that take an input file with a name of its own before it: `--harvest=NAME={input:0}`.
    pub named: &'static [&'static str],
    /// Flags without a value.
    pub plain: &'static [&'static str],
    /// Whether input files may stand alone.
    pub alone: bool,
}

/// Every command that may be replayed. A new one needs a line here and an arm in `cli::evidence`, and nothing else.
pub const REPLAYABLE: &[Replayable] = &[
    Replayable {
        command: &["watermark", "detect"],
        values: &[
            "paths",
            "vocab-size",
            "bos-token-id",
            "eos-token-id",
            "alpha",
            "strength",
            "decoys",
            "decoy-windows",
            "seed",
            "where-alpha",
            "max-row-bytes",
        ],
        files: &["key-file", "root", "tokenizer", "model-config", "synthid-detector"],
        named: &[],
        plain: &["search", "where"],
        alone: true,
    },
    asked(&["radioactivity", "closed"]),
    asked(&["radioactivity", "open"]),
    Replayable {
        command: &["radioactivity", "attribute"],
        values: ASKED,
        files: &["key-file", "root", "tokenizer", "control", "served"],
        named: &["harvest"],
        plain: &[],
        alone: true,
    },
    // Rings of the store that the steps make.
    Replayable { command: &["ring"], values: &["ring"], files: &["key"], named: &[], plain: &[], alone: false },
];

/// Commands that make a store; they are replayed into an empty one that is thrown away.
pub const STEPS: &[Replayable] = &[Replayable {
    command: &["audit"],
    values: &[
        "seed",
        "expected-neighbours",
        "threshold",
        "fragment-accounts",
        "fragment-nights",
        "compared-nights",
        "max-bad-share",
        "map",
        "default-time",
        "day-starts",
    ],
    files: &["known"],
    named: &[],
    plain: &[],
    alone: true,
}];

/// Flags with a value of the commands that ask about a model.
const ASKED: &[&str] = &[
    "paths",
    "vocab-size",
    "top",
    "alpha",
    "strength",
    "decoys",
    "decoy-windows",
    "decoy-rings",
    "rings",
    "seed",
    "max-row-bytes",
];

/// A command that tests one suspect.
const fn asked(command: &'static [&'static str]) -> Replayable {
    Replayable {
        command,
        values: ASKED,
        files: &["key-file", "root", "tokenizer", "control", "contexts", "calibration"],
        named: &["harvest"],
        plain: &["unsupervised"],
        alone: true,
    }
}

/// How a result was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Version of the program.
    pub stillhunt: String,
    /// The command's words: `["watermark", "detect"]`.
    pub command: Vec<String>,
    /// Its arguments, each one word: `--alpha=0.000001`, `--tokenizer={input:1}`, `{input:0}`.
    pub arguments: Vec<String>,
    /// The files that it read, in the order of their placeholders.
    pub inputs: Vec<RecipeInput>,
    /// For a result that stands on a store: the commands that made the store, oldest first, with placeholders of the same inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// A command that went before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The command's words.
    pub command: Vec<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// An input file. It has either a digest or, where it holds a key, a commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeInput {
    /// What it was to the command: `suspect`, `key`, `root`, `tokenizer`, `log` …
    pub role: String,
    /// Its name, without the directories above it.
    pub name: String,
    /// BLAKE3 of its bytes, 64 hex digits; none where it holds a key.
    pub blake3: Option<String>,
    /// Commitment to the key that it holds, as `watermark commit` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<String>,
    /// Its length; none where it holds a key.
    pub bytes: Option<u64>,
}

/// A recipe while its command line is told.
#[derive(Debug)]
pub struct Draft {
    recipe: Recipe,
    missing: Option<String>,
}

impl Draft {
    /// Of a command.
    #[must_use]
    pub fn new(command: &[&str]) -> Self {
        Self {
            recipe: Recipe {
                stillhunt: env!("CARGO_PKG_VERSION").to_owned(),
                command: command.iter().map(|word| (*word).to_owned()).collect(),
                arguments: Vec::new(),
                inputs: Vec::new(),
                steps: Vec::new(),
            },
            missing: None,
        }
    }

    /// Adds `--flag=value`.
    pub fn value(&mut self, flag: &str, value: impl Display) {
        self.recipe.arguments.push(format!("--{flag}={value}"));
    }

    /// Adds `--flag=value` where there is a value.
    pub fn optional(&mut self, flag: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(flag, value);
        }
    }

    /// Adds an input file by its digest, behind `--flag=` or alone. One that cannot be read twice (standard input, a pipe) leaves the result
    /// without a recipe.
    /// # Errors
    /// `Io` when it cannot be read.
    pub fn file(&mut self, flag: Option<&str>, role: &str, path: &Path) -> Result<()> {
        if !path.is_file() {
            self.missing = Some(format!("the {role} {} cannot be read twice", path.display()));
            return Ok(());
        }
        let (digest, bytes) = digest_file(path)?;
        self.input(flag, role, path, (Some(digest), None), Some(bytes));
        Ok(())
    }

    /// Adds a flag without a value.
    pub fn plain(&mut self, flag: &str) {
        self.recipe.arguments.push(format!("--{flag}"));
    }

    /// Adds `--flag=name=` and an input file, as [`Draft::file`] does.
    /// # Errors
    /// `Io` when it cannot be read.
    pub fn named(&mut self, flag: &str, name: &str, role: &str, path: &Path) -> Result<()> {
        if !is_plain_name(name) {
            self.missing = Some(format!("the name of the {role} has characters that a replay does not take"));
        }
        self.file(Some(&format!("{flag}={name}")), role, path)
    }

    /// Adds the file of a key by its commitment. One without leaves the result without a recipe.
    pub fn secret(&mut self, flag: &str, role: &str, path: &Path, commitment: Option<Digest>) {
        if commitment.is_none() {
            self.missing = Some(format!("the {role} {} has no salt, and so no commitment", path.display()));
        }
        self.input(Some(flag), role, path, (None, commitment), None);
    }

    /// Notes why the result cannot be made again.
    pub fn cannot(&mut self, why: impl Into<String>) {
        self.missing = Some(why.into());
    }

    fn input(
        &mut self,
        flag: Option<&str>,
        role: &str,
        path: &Path,
        (digest, commitment): (Option<Digest>, Option<Digest>),
        bytes: Option<u64>,
    ) {
        let place = format!("{{input:{}}}", self.recipe.inputs.len());
        self.recipe.arguments.push(flag.map_or(place.clone(), |flag| format!("--{flag}={place}")));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_plain_name(&name) {
            self.missing = Some(format!("the name of the {role} has characters that a replay does not take"));
        }
        self.recipe.inputs.push(RecipeInput {
            role: role.to_owned(),
            name,
            blake3: digest.map(|digest| digest.to_string()),
            commitment: commitment.map(|commitment| commitment.to_string()),
            bytes,
        });
    }

    /// The recipe, or why there is none.
    /// # Errors
    /// The reason, in words.
    pub fn finish(self) -> std::result::Result<Recipe, String> {
        self.missing.map_or(Ok(self.recipe), Err)
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}

/// The number of an input that a word is a placeholder of.
fn placeholder(word: &str) -> Option<usize> {
    let digits = word.strip_prefix("{input:")?.strip_suffix('}')?;
    let plain = !digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// A name that is one ordinary part of a path: no separator, no `.` or `..`, no control character.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    let ordinary = |c: char| c != '/' && c != '\\' && !c.is_control();
    (1..=LONGEST[1]).contains(&name.len()) && name != "." && name != ".." && name.chars().all(ordinary)
}

impl Recipe {
    /// Checks everything that can be checked without the files.
    /// # Errors
    /// `Input` when the recipe names a command or a flag that may not be replayed, or an input has no digest or no ordinary name.
    pub fn check(&self) -> Result<()> {
        let paths: Vec<PathBuf> = self.inputs.iter().map(|input| PathBuf::from(format!("/{}", input.name))).collect();
        self.argv(&paths)?;
        (0..self.steps.len()).try_for_each(|step| self.step_argv(step, &paths).map(|_| ()))
    }

    /// The command line of a replay, where `paths` are the files that were found for the inputs, in their order.
    /// # Errors
    /// As [`Recipe::check`].
    pub fn argv(&self, paths: &[PathBuf]) -> Result<Vec<OsString>> {
        if self.inputs.len() > MOST || self.inputs.len() != paths.len() {
            return Err(refused(format!("expected at most {MOST} inputs in the recipe, each with a file")));
        }
        for input in &self.inputs {
            let digest = |text: &Option<String>| text.as_ref().is_none_or(|hex| hex.parse::<Digest>().is_ok());
            let one = input.blake3.is_some() != input.commitment.is_some();
            if !one || !digest(&input.blake3) || !digest(&input.commitment) || !is_plain_name(&input.name) {
                let message = format!("expected a name and one digest of the recipe's input {:?}", input.role);
                return Err(refused(message));
            }
        }
        argv(REPLAYABLE, &self.command, &self.arguments, paths)
    }

    /// The command line of a step.
    /// # Errors
    /// As [`Recipe::check`].
    pub fn step_argv(&self, step: usize, paths: &[PathBuf]) -> Result<Vec<OsString>> {
        let of = self.steps.get(step).filter(|_| self.steps.len() <= MOST);
        let of = of.ok_or_else(|| refused(format!("expected at most {MOST} steps of the recipe")))?;
        argv(STEPS, &of.command, &of.arguments, paths)
    }

    /// Adds a step with inputs of its own, which its arguments number from 0.
    pub fn add_step(&mut self, command: &[&str], arguments: &[String], inputs: impl IntoIterator<Item = RecipeInput>) {
        let before = self.inputs.len();
        let moved = |argument: &String| {
            let (head, value) =
                argument.rsplit_once('=').map_or(("", argument.as_str()), |(head, value)| (head, value));
            let equals = if head.is_empty() { "" } else { "=" };
            placeholder(value).map_or(argument.clone(), |n| format!("{head}{equals}{{input:{}}}", n + before))
        };
        self.steps.push(Step {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            arguments: arguments.iter().map(moved).collect(),
        });
        self.inputs.extend(inputs);
    }
}

/// A command line with files in the place of placeholders.
fn argv(list: &[Replayable], command: &[String], arguments: &[String], paths: &[PathBuf]) -> Result<Vec<OsString>> {
    let known = list.iter().find(|known| known.command.iter().eq(command.iter()));
    let known = known.ok_or_else(|| {
        let all: Vec<String> = list.iter().map(|known| known.command.join(" ")).collect();
        refused(format!("expected a command that may be replayed, got {:?}", command.join(" ")))
            .hint(format!("these may be: {}", all.join(", ")))
    })?;
    if arguments.len() > MOST {
        return Err(refused(format!("expected at most {MOST} arguments, got {}", arguments.len())));
    }
    let mut out: Vec<OsString> = vec!["stillhunt".into()];
    out.extend(command.iter().map(OsString::from));
    let path = |word: &str| placeholder(word).and_then(|n| paths.get(n));
    for argument in arguments {
        let wrong = || refused(format!("expected an argument that may be replayed, got {argument:?}"));
        if argument.len() > LONGEST[0] || argument.chars().any(char::is_control) {
            return Err(wrong());
        }
        if argument.strip_prefix("--").is_some_and(|flag| known.plain.contains(&flag)) {
            out.push(argument.into());
            continue;
        }
        let Some((flag, value)) = argument.strip_prefix("--").and_then(|rest| rest.split_once('=')) else {
            out.push(path(argument).filter(|_| known.alone).ok_or_else(wrong)?.into());
            continue;
        };
        if known.files.contains(&flag) {
            let mut word = OsString::from(format!("--{flag}="));
            word.push(path(value).ok_or_else(wrong)?);
            out.push(word);
        } else if known.named.contains(&flag) {
            let (name, file) = value.rsplit_once('=').filter(|(name, _)| is_plain_name(name)).ok_or_else(wrong)?;
            let mut word = OsString::from(format!("--{flag}={name}="));
            word.push(path(file).ok_or_else(wrong)?);
            out.push(word);
        } else if known.values.contains(&flag) {
            out.push(argument.into());
        } else {
            return Err(wrong());
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(command: &[&str], arguments: &[&str]) -> Recipe {
        let input = |name: &str| RecipeInput {
            role: "suspect".into(),
            name: name.into(),
            blake3: Some("ab".repeat(32)),
            commitment: None,
            bytes: Some(3),
        };
        let words = |of: &[&str]| of.iter().map(|word| (*word).to_owned()).collect();
        Recipe {
            stillhunt: "0".into(),
            command: words(command),
            arguments: words(arguments),
            inputs: vec![input("a.jsonl"), input("k.toml")],
            steps: Vec::new(),
        }
    }

    const DETECT: [&str; 2] = ["watermark", "detect"];

    #[test]
    fn placeholders_become_files() {
        let made = recipe(&DETECT, &["{input:0}", "--key-file={input:1}", "--alpha=0.000001"]);
        let argv = made.argv(&["/x/a.jsonl".into(), "/y/k.toml".into()]).unwrap();
        let words: Vec<_> = argv.iter().map(|word| word.to_str().unwrap()).collect();
        let expected = ["stillhunt", "watermark", "detect", "/x/a.jsonl", "--key-file=/y/k.toml", "--alpha=0.000001"];
        assert_eq!(words, expected);
        let made = recipe(&["radioactivity", "open"], &["--harvest=A={input:0}", "--unsupervised"]);
        let argv = made.argv(&["/x/a=1.jsonl".into(), "/y/k.toml".into()]).unwrap();
        assert_eq!(argv[3..], ["--harvest=A=/x/a=1.jsonl", "--unsupervised"]);
    }

    #[test]
    fn nothing_that_writes_or_names_a_path_is_replayed() {
        let bad: [(&[&str], &str); 20] = [
            (&["audit"], "{input:0}"),
            (&["watermark"], "{input:0}"),
            (&["watermark", "keygen"], "{input:0}"),
            (&["watermark", "detect", "x"], "{input:0}"),
            (&DETECT, "--trace=/etc/cron.d/x"),
            (&DETECT, "--trace={input:0}"),
            (&DETECT, "--chart=x.svg"),
            (&DETECT, "--spill-dir=/"),
            (&DETECT, "--key-file=/etc/passwd"),
            (&DETECT, "--key-file={input:2}"),
            (&DETECT, "--key-file={input:1}/../x"),
            (&DETECT, "/etc/passwd"),
            (&DETECT, "-"),
            (&DETECT, "--"),
            (&DETECT, "{input:00000000000000000000000}"),
            (&DETECT, "--alpha"),
            (&DETECT, "--unsupervised"),
            (&["radioactivity", "closed"], "--harvest=../x={input:0}"),
            (&["radioactivity", "closed"], "--harvest=A=/etc/passwd"),
            (&["radioactivity", "attribute"], "--store={input:0}"),
        ];
        for (command, argument) in bad {
            assert!(recipe(command, &[argument]).check().is_err(), "{command:?} {argument}");
        }
        for name in ["", ".", "..", "a/b", "a\\b", "a\nb", &"x".repeat(256)] {
            let mut made = recipe(&DETECT, &["{input:0}"]);
            made.inputs[0].name = name.to_owned();
            assert!(made.check().is_err(), "{name:?}");
        }
        let mut made = recipe(&DETECT, &["{input:0}"]);
        made.inputs[0].commitment = made.inputs[0].blake3.clone();
        assert!(made.check().is_err(), "two digests");
    }

    #[test]
    fn a_draft_tells_files_by_digest_and_keys_by_commitment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        crate::store::files::write_private(&path, b"abc").unwrap();
        let mut draft = Draft::new(&DETECT);
        draft.file(None, "suspect", &path).unwrap();
        draft.secret("key-file", "key", Path::new("keys/of/somebody/k.toml"), Some(Digest([7; 32])));
        draft.optional("paths", None::<&str>);
        draft.value("alpha", 1e-6);
        let recipe = draft.finish().unwrap();
        assert_eq!(recipe.arguments, ["{input:0}", "--key-file={input:1}", "--alpha=0.000001"]);
        assert_eq!(recipe.inputs[0].blake3, Some(Digest::of(b"abc").to_string()));
        assert_eq!((recipe.inputs[1].blake3.as_deref(), recipe.inputs[1].name.as_str()), (None, "k.toml"));
        recipe.check().unwrap();
        let mut draft = Draft::new(&DETECT);
        draft.file(None, "suspect", Path::new("-")).unwrap();
        assert!(draft.finish().is_err());
    }
}
