//! Are two results the same, bit for bit? If not, which number is the first that differs?
//!
//! The recipe and the program's version are no numbers of a result and are left out. A file is known by its digest, so where an object has
//! both a `blake3` and a `name`, of the name only the part behind the last separator counts: the directory is another on another machine. Guarantee:
//! anything else that differs is named by its path, fields in the order of the first result.

use super::json::Json;

/// The first place where two results differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, as a JSON pointer.
    pub path: String,
    /// What the bundle says there.
    pub expected: String,
    /// What the replay came to.
    pub got: String,
}

/// Fields of the first level that say how and not what.
const HOW: [&str; 2] = ["recipe", "stillhunt"];

/// Holds a replayed result against the bundle's.
#[must_use]
pub fn difference(expected: &Json, got: &Json) -> Option<Difference> {
    let numbers = |result: &Json| {
        let mut result = result.clone();
        HOW.iter().for_each(|name| drop(result.take(name)));
        result
    };
    within(&numbers(expected), &numbers(got), "")
}

fn within(expected: &Json, got: &Json, path: &str) -> Option<Difference> {
    let here = |expected: String, got: String| {
        Some(Difference { path: if path.is_empty() { "/".into() } else { path.into() }, expected, got })
    };
    match (expected, got) {
        (Json::List(a), Json::List(b)) => {
            let inside = a.iter().zip(b).enumerate().find_map(|(i, (a, b))| within(a, b, &format!("{path}/{i}")));
            if inside.is_none() && a.len() != b.len() { here(expected.shown(), got.shown()) } else { inside }
        }
        (Json::Map(a), Json::Map(b)) => {
            let is_file = expected.at("blake3").is_some();
            for (name, a) in a {
                let below = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                let Some(b) = got.at(name) else {
                    return Some(Difference { path: below, expected: a.shown(), got: "nothing".into() });
                };
                if is_file && name == "name" && last(a).is_some() && last(a) == last(b) {
                    continue;
                }
                if let Some(found) = within(a, b, &below) {
                    return Some(found);
                }
            }
            let extra = b.iter().find(|(name, _)| expected.at(name).is_none());
            extra.map(|(name, b)| Difference {
                path: format!("{path}/{name}"),
                expected: "nothing".into(),
                got: b.shown(),
            })
        }
        _ if expected == got => None,
        _ => here(expected.shown(), got.shown()),
    }
}

/// A file's name without directories.
fn last(name: &Json) -> Option<&str> {
    name.text().and_then(|name| name.rsplit(['/', '\\']).next())
}
