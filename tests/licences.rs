//! The licences of everything that is linked into the program or runs while it is built: `data/licences.csv` is true, and nothing in
//! it is copyleft or unknown.
//!
//! The list is what `cargo metadata` says for Linux on x86-64 with the lock file, development dependencies left out. Weakness: it
//! believes the field `license` of each package. `STILLHUNT_UPDATE=1 cargo test --test licences` writes the list again.
#![allow(clippy::disallowed_methods)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Licences that ask for no more than their notice.
const PERMISSIVE: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Whether an expression can be met with permissive licences alone: one side of each `OR`, both of each `AND`.
fn permissive(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at) && at == words.len()
}

fn either(words: &[&str], at: &mut usize) -> bool {
    let mut met = both(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at);
    }
    met
}

fn both(words: &[&str], at: &mut usize) -> bool {
    let mut met = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at);
    }
    met
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(&word) = words.get(*at) else { return false };
    *at += 1;
    if word == "(" {
        let met = either(words, at);
        *at += 1;
        return met;
    }
    let mut name = word.to_owned();
    if words.get(*at) == Some(&"WITH") {
        name = format!("{word} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    PERMISSIVE.contains(&name.as_str())
}

/// (name, version, licence) of each package that the program is made of or with, in order.
fn packages() -> Vec<[String; 3]> {
    let args = ["metadata", "--offline", "--locked", "--format-version", "1", "--features", "cloud,oidc"];
    // What a build here is made of, and what is shipped.
    let target = ["--filter-platform", "x86_64-unknown-linux-gnu", "--filter-platform", "x86_64-unknown-linux-musl"];
    let root = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(env!("CARGO")).args(args).args(target).current_dir(root).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let start = text(&metadata["resolve"]["root"]);
    let (mut seen, mut open) = (BTreeSet::new(), vec![start.clone()]);
    while let Some(id) = open.pop() {
        if seen.insert(id.clone()) {
            let built = |dep: &Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].as_str() != Some("dev"));
            open.extend(list(&nodes[&id]["deps"]).iter().filter(|dep| built(dep)).map(|dep| text(&dep["pkg"])));
        }
    }
    seen.remove(&start);
    let mut packages: Vec<[String; 3]> = list(&metadata["packages"])
        .iter()
        .filter(|package| seen.contains(&text(&package["id"])))
        .map(|package| ["name", "version", "license"].map(|field| text(&package[field])))
        .collect();
    packages.sort();
    packages
}

#[test]
fn the_list_of_licences_is_true_and_permissive() {
    let packages = packages();
    assert!(packages.len() > 100, "{} packages", packages.len());
    let refused: Vec<_> = packages.iter().filter(|[_, _, licence]| !permissive(licence)).collect();
    assert!(refused.is_empty(), "expected licences that can be met with {PERMISSIVE:?}, got {refused:?}");
    let mut list = "name,version,licence\n".to_owned();
    packages.iter().for_each(|package| list += &format!("{}\n", package.join(",")));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/licences.csv");
    if std::env::var_os("STILLHUNT_UPDATE").is_some() {
        std::fs::write(&path, &list).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == list,
        "data/licences.csv is not what cargo metadata says: STILLHUNT_UPDATE=1 cargo test --test licences"
    );
}

#[test]
fn expressions_are_read_as_they_are_meant() {
    for good in [
        "MIT",
        "Unlicense/MIT",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-2.0-only) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(permissive(good), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "LGPL-2.1-or-later",
        "MPL-2.0",
        "SSPL-1.0",
        "MIT AND AGPL-3.0",
        "GPL-2.0 WITH Classpath-exception-2.0",
        "Apache-2.0 WITH",
        "(GPL-3.0 OR MPL-2.0) AND MIT",
        "MIT Apache-2.0",
    ] {
        assert!(!permissive(bad), "{bad}");
    }
}
