//! Stores that earlier versions wrote: they open, answer what they answered, and take another night.
//!
//! `tests/golden/README.md` says how each was made. Weakness: the answers were read from the version that wrote the store, so they
//! hold it to its word and do not say that the word was right.

use super::{Site, campaign, digests};
use std::path::Path;

/// A copy of a kept store, with its key: reading a store writes beside its catalog, and a checkout's modes are too open for a key.
fn kept(name: &str) -> Site {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("made");
        for entry in std::fs::read_dir(from).expect("a directory") {
            let path = entry.expect("an entry").path();
            let target = to.join(path.file_name().expect("a name"));
            if path.is_dir() {
                copy(&path, &target);
            } else {
                std::fs::write(&target, std::fs::read(&path).expect("a file")).expect("written");
            }
        }
    }
    let site = Site::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    copy(&golden.join(name), &site.path("store"));
    site.write("key", std::fs::read(golden.join(format!("{name}.key"))).expect("a key"));
    std::fs::set_permissions(site.path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    site
}

/// What a kept store answered when it was made.
struct Answers {
    store: &'static str,
    files: usize,
    /// Lines of the members' export, and their digest.
    members: (usize, &'static str),
    leading: [&'static str; 3],
    /// The version of the rule that made its near-duplicate families.
    rule: u64,
    exchange: &'static str,
    nearest: [(&'static str, &'static str); 3],
}

#[test]
fn stores_of_every_format_open_and_answer_as_they_did() {
    [FORMAT_2, FORMAT_3].iter().for_each(answers_as_it_did);
}

#[track_caller]
fn answers_as_it_did(kept_answers: &Answers) {
    let Answers { store, files, members: (lines, digest), leading, rule, exchange, nearest } = kept_answers;
    let site = kept(store);
    let verified = site.run(&["store", "verify", "--store", "store"]).ok();
    assert_eq!(verified.out, format!("whole: 2 nights, {files} files\n"));
    let members = site.export("store");
    assert_eq!(members.lines().count(), *lines);
    assert_eq!(blake3::hash(members.as_bytes()).to_hex().as_str(), *digest);
    let list = site.run(&["family", "list", "--store", "store", "--format", "json"]).ok().json();
    let ids: Vec<&str> =
        list["families"].as_array().expect("families").iter().map(|f| f["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.iter().take(3).copied().collect::<Vec<_>>(), *leading);
    let rules: Vec<&serde_json::Value> =
        list["families"].as_array().expect("families").iter().map(|f| &f["rule"]).collect();
    assert!(
        rules.iter().all(|found| found.is_null() || **found == *rule) && rules.iter().any(|found| **found == *rule),
        "{rules:?}"
    );
    let hits = site.run(&["similar", "--id", exchange, "--store", "store", "--format", "json", "--all"]).ok().json();
    let found: Vec<(&str, String)> = hits["hits"]
        .as_array()
        .expect("hits")
        .iter()
        .map(|hit| {
            (
                hit["exchange_id"].as_str().expect("an id"),
                format!("{:.3}", hit["similarity"].as_f64().expect("a number")),
            )
        })
        .collect();
    let found: Vec<(&str, &str)> = found.iter().take(3).map(|(id, similarity)| (*id, similarity.as_str())).collect();
    assert_eq!(found, *nearest);
}

#[test]
fn a_store_of_format_2_takes_another_night() {
    let site = kept("store-2");
    let (before, files) = (site.members("store"), digests(&site.path("store/nights")));
    site.log("new.jsonl", &campaign("c", 9));
    assert_eq!(site.counts(&["new.jsonl"]), [9, 9, 0, 0]);
    site.run(&["store", "verify", "--store", "store"]).ok();
    let after = site.members("store");
    assert_eq!(after.families("near-duplicate").len(), before.families("near-duplicate").len() + 1);
    for (member, (family, account, _)) in &before.0 {
        let (now, same, _) = after.0.get(member).expect("a member stays a member");
        assert_eq!((now, same), (family, account));
    }
    let now = digests(&site.path("store/nights"));
    let list = site.run(&["family", "list", "--store", "store", "--format", "json"]).ok().json();
    let made: Vec<u64> =
        list["families"].as_array().expect("families").iter().filter_map(|family| family["rule"].as_u64()).collect();
    let of = |rule: u64| made.iter().filter(|&&made| made == rule).count();
    assert_eq!(of(1), before.families("near-duplicate").len(), "families of an older rule stay readable and say so");
    assert_eq!(of(2), 1, "tonight's family is of today's rule");
    let report: serde_json::Value = serde_json::from_str(&site.read("report/report.json")).expect("JSON");
    assert!(report["notes"].to_string().contains("were made by an older rule"), "{}", report["notes"]);
    assert!(files.iter().all(|(name, digest)| now.get(name) == Some(digest)), "an old night is never rewritten");
}

#[test]
fn a_store_of_format_2_is_brought_to_todays_format() {
    let site = kept("store-2");
    let answers = || {
        let listed = site.run(&["family", "list", "--store", "store", "--format", "json"]).ok().json();
        let fragments =
            site.run(&["family", "list", "--level", "fragment", "--store", "store", "--format", "json"]).ok().json();
        (site.export("store"), listed, fragments, site.run(&["export", "families", "--store", "store"]).ok().out)
    };
    let before = answers();
    let upgrade = || site.run(&["store", "upgrade", "store", "--format", "json"]).ok().json();
    let done = upgrade();
    assert_eq!(done["formats"], serde_json::json!([2, 3]));
    site.run(&["store", "verify", "--store", "store"]).ok();
    assert_eq!(answers(), before, "answers stay the same");
    let again = upgrade();
    assert_eq!((&again["formats"], &again["files"][0]), (&serde_json::json!([3, 3]), &done["files"][1]));
    assert_eq!(again["files"][0], again["files"][1], "there is nothing left to do");
    site.log("new.jsonl", &campaign("c", 9));
    assert_eq!(site.counts(&["new.jsonl"]), [9, 9, 0, 0]);
    site.run(&["store", "verify", "--store", "store"]).ok();
    site.run(&["store", "upgrade", "nowhere"]).refused(&["nowhere"]);
}

const FORMAT_2: Answers = Answers {
    store: "store-2",
    files: 38,
    members: (42, "c9a460f9be842e8b92f038a110dee2ea8fb017c1123e8ecac528631222df9e74"),
    leading: ["f14780a395e7f0a8d", "n2a82853463e0419a", "x2a82853463e0419a"],
    rule: 1,
    exchange: "x253af80b354f5f5f",
    nearest: [("x504ecf9891ca0ec7", "1.000"), ("xdaf9cb1317be1d38", "0.922"), ("xb960307e41879324", "0.917")],
};

const FORMAT_3: Answers = Answers {
    store: "store-3",
    files: 44,
    members: (34, "7b21b5ff5939676885ab843d31b934e7f1beade81d009d1e1f40f70cc19f7cc4"),
    leading: ["f14780a395e7f0a8d", "nebbbf34a01d8cfc3", "xebbbf34a01d8cfc3"],
    rule: 2,
    exchange: "x504ecf9891ca0ec7",
    nearest: [("x504ecf9891ca0ec7", "1.000"), ("xdaf9cb1317be1d38", "0.932"), ("x7010d2d8d636762a", "0.924")],
};
