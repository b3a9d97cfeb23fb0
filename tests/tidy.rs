//! The house's own rules, held against its sources: layers, page comments, the one door to the disk, manifests, sizes.
//!
//! It reads text, not syntax: comments, strings and test code are taken off by a small scanner, and what is left is searched
//! for paths that begin with `crate::`. Weakness: a module that is reached through a re-export of another is seen as that
//! other. Guarantee: a module that is not in the table, or a table that is not in ARCHITECTURE.md, fails.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The layer table of ARCHITECTURE.md: a module uses lower rows only, and row-mates do not know each other.
const LAYERS: [(u8, &str); 25] = [
    (0, "ids"),
    (1, "error"),
    (1, "exchange"),
    (2, "text"),
    (2, "log"),
    (2, "token"),
    (2, "stats"),
    (2, "store"),
    (3, "embed"),
    (3, "index"),
    (3, "watermark"),
    (4, "family"),
    (4, "detect"),
    (5, "ring"),
    (5, "radioactivity"),
    (6, "report"),
    (7, "stored"),
    (7, "simulate"),
    (7, "evidence"),
    (8, "audit"),
    (8, "lookup"),
    (8, "upkeep"),
    (9, "server"),
    (10, "cli"),
    (11, "python"),
];

/// Lines from which a file must say on its first line why it is long.
const LONG: usize = 600;
/// What such a first line says.
const EXCUSES: [&str; 3] = ["table", "generated", "long because"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// Every Rust source below `dir`, in order.
fn sources(dir: &str) -> Vec<PathBuf> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                out.push(path);
            }
        }
    }
    let mut out = Vec::new();
    walk(&root().join(dir), &mut out);
    out.sort();
    out
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").display().to_string()
}

/// The module that a source belongs to: `src/log/csv.rs` is of `log`.
fn module(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).expect("a source");
    below.components().next().expect("a name").as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Whether a file is test code as a whole: `tests.rs`, and what lies in a directory `tests`.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests.rs" || part.as_os_str() == "tests")
}

/// The code of a source: comments, strings and items under `#[cfg(test)]` are blank, line ends stay.
fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut i = 0;
    let blank = |out: &mut Vec<u8>, part: &[u8]| out.extend(part.iter().map(|&b| if b == b'\n' { b } else { b' ' }));
    while i < bytes.len() {
        let rest = &text[i..];
        let word_before = out.last().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let hashes = |at: usize| bytes[at..].iter().take_while(|&&b| b == b'#').count();
        let raw = match bytes[i] {
            b'r' if !word_before => Some(1),
            b'b' if !word_before && bytes.get(i + 1) == Some(&b'r') => Some(2),
            _ => None,
        };
        let raw = raw.filter(|skip| bytes.get(i + skip + hashes(i + skip)) == Some(&b'"'));
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(skip) = raw {
            let n = hashes(i + skip);
            let end = format!("\"{}", "#".repeat(n));
            let from = skip + n + 1;
            rest[from..].find(&end).map_or(rest.len(), |at| from + at + end.len())
        } else if bytes[i] == b'"' {
            let mut end = 1;
            while end < rest.len() && bytes[i + end] != b'"' {
                end += if bytes[i + end] == b'\\' { 2 } else { 1 };
            }
            (end + 1).min(rest.len())
        } else if let Some(length) = character(rest) {
            length
        } else {
            out.push(bytes[i]);
            i += 1;
            continue;
        };
        blank(&mut out, &bytes[i..i + length]);
        i += length;
    }
    let mut code = String::from_utf8_lossy(&out).into_owned();
    while let Some(at) = code.find("#[cfg(test)]") {
        let end = item_end(&code, at + "#[cfg(test)]".len());
        let blank: String = code[at..end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        code.replace_range(at..end, &blank);
    }
    code
}

/// Length of a character literal that `text` begins with; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let c = inner.chars().next()?;
    if c == '\\' {
        return inner.bytes().enumerate().skip(2).find(|(_, b)| *b == b'\'').map(|(at, _)| at + 2);
    }
    inner[c.len_utf8()..].starts_with('\'').then(|| c.len_utf8() + 2)
}

/// Where the item ends that begins at `from`: after its braces, or at its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return from + at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return from + at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Modules that a piece of code names through `crate::`, also in the braces of a `use`.
fn named(code: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let ident = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    for (at, found) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = code[at + found.len()..].trim_start();
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut begins = true;
            for (at, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => begins = true,
                    c if begins && depth == 0 && !c.is_whitespace() => {
                        out.insert(ident(&list[at..]));
                        begins = false;
                    }
                    _ => {}
                }
            }
        } else {
            out.insert(ident(rest));
        }
    }
    out.retain(|name| name.chars().next().is_some_and(char::is_lowercase));
    out
}

#[track_caller]
fn none(faults: &[String], what: &str) {
    assert!(faults.is_empty(), "{what}:\n  {}", faults.join("\n  "));
}

#[test]
fn modules_use_lower_rows_only() {
    let rows: BTreeMap<&str, u8> = LAYERS.iter().map(|(row, module)| (*module, *row)).collect();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for path in sources("src") {
        let module = module(&path);
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let Some(&row) = rows.get(module.as_str()) else {
            faults.push(format!("{}: the module {module} is not in the table", name(&path)));
            continue;
        };
        seen.insert(module.clone());
        if is_test(&path) {
            continue;
        }
        for used in named(&code(&read(&path))).into_iter().filter(|used| *used != module) {
            match rows.get(used.as_str()) {
                Some(&below) if below < row => {}
                Some(&other) => faults.push(format!("{} (row {row}) uses {used} (row {other})", name(&path))),
                None => faults.push(format!("{} uses {used}, which is not in the table", name(&path))),
            }
        }
    }
    none(&faults, "a module uses lower rows only");
    assert_eq!(seen.iter().map(String::as_str).collect::<BTreeSet<_>>(), rows.keys().copied().collect());
}

#[test]
fn the_map_shows_the_same_table() {
    let map = read(&root().join("ARCHITECTURE.md"));
    let lines = map.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (row, module) = (cells.next()?.parse().ok()?, cells.next()?);
        Some((row, module.trim_matches('`').to_owned()))
    });
    let mut found: Vec<(u8, String)> = lines.collect();
    found.sort();
    let mut expected: Vec<(u8, String)> = LAYERS.iter().map(|(row, module)| (*row, (*module).to_owned())).collect();
    expected.sort();
    assert_eq!(found, expected, "ARCHITECTURE.md and tests/tidy.rs");
    let library = read(&root().join("src/lib.rs"));
    for (_, module) in LAYERS {
        assert!(library.contains(&format!("pub mod {module};")), "src/lib.rs has {module}");
    }
}

#[test]
fn every_source_opens_with_what_it_is_for() {
    let mut faults = Vec::new();
    for dir in ["src", "benches", "tests"] {
        for path in sources(dir) {
            let text = read(&path);
            let first = text.lines().next().unwrap_or_default();
            // A file of tests beside its module is described by that module.
            let beside = dir == "src" && is_test(&path);
            if !beside && first.strip_prefix("//!").is_none_or(|words| words.split_whitespace().count() < 3) {
                faults.push(name(&path));
            }
            let lines = text.lines().count();
            if lines > LONG && !EXCUSES.iter().any(|word| first.to_lowercase().contains(word)) {
                faults.push(format!("{}: {lines} lines, and its first line does not say why", name(&path)));
            }
        }
    }
    none(&faults, "every source opens with //! and a sentence");
}

#[test]
fn only_the_store_opens_files() {
    let mut faults = Vec::new();
    for path in sources("src") {
        let module = module(&path);
        if module == "store" || is_test(&path) {
            continue;
        }
        for (number, line) in code(&read(&path)).lines().enumerate() {
            let opens = ["std::fs::", "fs::read", "fs::write", "File::open", "File::create", "OpenOptions"];
            // Naming the type of a file that the store opened is no opening.
            let bare = line.replace("std::fs::File", "File");
            if opens.iter().any(|word| bare.contains(word)) {
                faults.push(format!("{}:{}: {}", name(&path), number + 1, line.trim()));
            }
        }
    }
    none(&faults, "only `store` opens files");
}

/// `unsafe` stands in the kernel of the index and in the memory map, and nowhere else.
#[test]
fn unsafe_stands_in_two_files() {
    let mut found = BTreeSet::new();
    for dir in ["src", "tests", "benches"] {
        for path in sources(dir) {
            let words =
                |text: String| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
            // The code of tests counts as well, so the sources are not taken apart at `#[cfg(test)]`.
            let text = read(&path).replace("#[cfg(test)]", "");
            if words(code(&text)) {
                found.insert(name(&path));
            }
        }
    }
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["src/index/kernel.rs", "src/store/files.rs"]);
}

/// Below the command line nothing reads the clock, the environment or standard input.
#[test]
fn only_the_command_line_knows_the_machine() {
    let mut faults = Vec::new();
    let words =
        ["SystemTime", "Instant::now", "std::env::", "env::var", "stdin()", "thread_rng", "rand::rng(", "from_os_rng"];
    for path in sources("src") {
        let module = module(&path);
        // `store::input` is the one place that opens standard input, when it is asked for by name.
        if module == "cli" || is_test(&path) || name(&path) == "src/store/input.rs" {
            continue;
        }
        for (number, line) in code(&read(&path)).lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                faults.push(format!("{}:{}: {}", name(&path), number + 1, line.trim()));
            }
        }
    }
    none(&faults, "only `cli` reads the clock, the environment and standard input");
}

#[derive(serde::Deserialize)]
struct Manifest {
    file: Vec<Entry>,
}

#[derive(serde::Deserialize)]
struct Entry {
    name: String,
    source: String,
    licence: String,
    bytes: u64,
    blake3: String,
}

/// A manifest names every file beside and below it with its digest, and no other.
fn manifest(dir: &str, listed: impl Fn(&str) -> bool) {
    let path = root().join(dir).join("MANIFEST.toml");
    let manifest: Manifest =
        toml::from_str(&read(&path)).unwrap_or_else(|cause| panic!("{dir}/MANIFEST.toml: {cause}"));
    let mut faults = Vec::new();
    for entry in &manifest.file {
        let bytes = std::fs::read(root().join(dir).join(&entry.name)).unwrap_or_default();
        let digest = blake3::hash(&bytes).to_hex().to_string();
        if (bytes.len() as u64, &digest) != (entry.bytes, &entry.blake3) {
            faults.push(format!("{dir}/{}: bytes = {}, blake3 = \"{digest}\"", entry.name, bytes.len()));
        }
        if entry.source.is_empty() || entry.licence.is_empty() {
            faults.push(format!("{dir}/{}: expected a source and a licence", entry.name));
        }
    }
    let named: BTreeSet<String> = manifest.file.iter().map(|entry| entry.name.clone()).collect();
    let mut there = BTreeSet::new();
    let mut open = vec![root().join(dir)];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(at).expect("a directory") {
            let path = entry.expect("an entry").path();
            let file = path.strip_prefix(root().join(dir)).expect("below").display().to_string();
            if path.is_dir() {
                open.push(path);
            } else if listed(&file) {
                there.insert(file);
            }
        }
    }
    if let Some(missing) = there.difference(&named).next() {
        faults.push(format!("{dir}/{missing} is not in the manifest"));
    }
    none(&faults, "manifests match their files");
}

#[test]
fn the_models_are_those_of_the_manifest() {
    manifest("models", |file| file != "MANIFEST.toml" && file != "README.md" && !file.starts_with("train/"));
}

#[test]
fn the_data_are_those_of_the_manifest() {
    // The list of licences is held against cargo itself, by `tests/licences.rs`.
    manifest("data", |file| file != "MANIFEST.toml" && file != "licences.csv");
}

/// The fuzz targets are a package of their own that no other test builds.
#[test]
fn the_fuzz_package_names_every_crate_that_its_entries_use() {
    let dependencies = |path: &str| -> BTreeSet<String> {
        let text = read(&root().join(path));
        let tables = text
            .split("\n[")
            .filter(|table| table.starts_with("dependencies]") || table.starts_with("dev-dependencies]"));
        let lines = tables.flat_map(str::lines).filter_map(|line| line.split_once('='));
        lines.map(|(name, _)| name.trim().replace('-', "_")).collect()
    };
    let (known, named) = (dependencies("Cargo.toml"), dependencies("tests/fuzz/Cargo.toml"));
    let entries = code(&read(&root().join("tests/fuzz/entries.rs")));
    let used: Vec<&String> = known.iter().filter(|name| entries.contains(&format!("{name}::"))).collect();
    assert!(used.len() >= 3, "the entries use crates: {used:?}");
    let missing: Vec<String> = used.into_iter().filter(|name| !named.contains(*name)).cloned().collect();
    none(&missing, "crates that tests/fuzz/Cargo.toml lacks");
}

#[test]
fn the_scanner_sees_code_only() {
    let text = "use crate::{a::B, c::{D, E}, f};\n// crate::no\nlet s = \"crate::no\\\" crate::no\"; let c = '\"'; crate::g::h();\n\
        let r = r#\"crate::no\"#; fn x<'a>(y: &'a str) {} /* crate::no */\n#[cfg(test)]\nmod tests { use crate::no; fn f() { {} } }\nuse crate::z;\n";
    let found: Vec<String> = named(&code(text)).into_iter().collect();
    assert_eq!(found, ["a", "c", "f", "g", "z"]);
    assert_eq!(code(text).lines().count(), text.lines().count());
}
