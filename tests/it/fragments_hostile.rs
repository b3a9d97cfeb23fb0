//! Fragments in bad company: damaged files, texts that were made to cost or to confuse.

use super::fragments::{TRACE, carriers, fragments, varied, words};
use super::hostile::tame;
use super::{Site, row};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeSet;

fn audited() -> Site {
    let site = Site::new();
    site.log("log.jsonl", &[varied("v", 60), carriers("t", TRACE, 0..9)].concat());
    site.log("more.jsonl", &[varied("w", 30), carriers("t", TRACE, 9..12)].concat());
    site.audit(&["log.jsonl"]).ok();
    assert_eq!(fragments(&site, "store").len(), 1);
    site
}

/// Whether a file is one of those that only fragments and the standings of families need.
fn is_own(name: &str) -> bool {
    ["prints", "members", "holders", "facts", "uses", "activity"].iter().any(|part| name.contains(part))
}

/// Files of a night beside its rows, prompts and families.
fn files(site: &Site) -> Vec<String> {
    let all = super::digests(&site.path("store")).into_keys();
    all.filter(|name| is_own(name) || name.contains("turn") || name.contains("system-texts")).collect()
}

#[test]
fn damage_is_found_by_name_and_stops_no_reader_short() {
    let site = audited();
    let family = fragments(&site, "store").into_keys().next().expect("a family");
    let names = files(&site);
    for part in ["prompt-prints-0.bin", "members.bin", "holders.bin", "facts.bin", "uses.bin"] {
        assert!(names.iter().any(|name| name.ends_with(part)), "{part} is not among {names:?}");
    }
    for name in names.iter().filter(|name| is_own(name)) {
        let path = site.path(&format!("store/{name}"));
        let bytes = std::fs::read(&path).expect("a file");
        let n = bytes.len();
        let flip = |at: usize| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0xff;
            flipped
        };
        let mut spoiled = vec![Vec::new(), bytes[..n / 2].to_vec(), [&bytes[..], &[0]].concat(), vec![0xff; n]];
        spoiled.extend((0..12).map(|i| flip(i * (n - 1) / 11)));
        for spoiled in spoiled {
            std::fs::write(&path, &spoiled).expect("written");
            site.run(&["store", "verify", "--store", "store"]).refused(&[name, "is not as it was written"]);
            for command in [
                &["similar", "--store", "store", TRACE][..],
                &["family", "list", "--store", "store", "--level", "fragment"],
                &["family", &family, "--store", "store"],
                &["account", "t-account-1", "--store", "store", "--key", "key"],
                &["export", "members", "--store", "store"],
            ] {
                let run = site.run(command);
                assert!(
                    [0, 2].contains(&run.code) && !run.err.contains("panicked"),
                    "{name}: {}\n{}",
                    run.told,
                    run.err
                );
            }
        }
        std::fs::write(&path, &bytes).expect("written");
    }
    site.run(&["store", "verify", "--store", "store"]).ok();
}

/// A writer reads what earlier nights wrote: damage gives an error or a night, and never a crash.
#[test]
fn damage_does_not_crash_the_next_night() {
    let site = audited();
    let copy = |store: &str| {
        let from = site.path("store").display().to_string();
        let to = site.path(store).display().to_string();
        assert!(std::process::Command::new("cp").args(["-r", &from, &to]).status().expect("cp runs").success());
    };
    let names = files(&site);
    let mut n = 0;
    for name in names.iter().filter(|name| is_own(name)) {
        let bytes = std::fs::read(site.path(&format!("store/{name}"))).expect("a file");
        let mut numbers = bytes.clone();
        // Texts and places that do not exist; what is sorted no more.
        numbers[16..].chunks_exact_mut(16).for_each(|record| record[8..].fill(0xf7));
        let mut shuffled = bytes.clone();
        shuffled[16..].reverse();
        for spoiled in [numbers, shuffled, bytes[..bytes.len() / 2].to_vec()] {
            let store = format!("damaged-{n}");
            n += 1;
            copy(&store);
            std::fs::write(site.path(&format!("{store}/{name}")), &spoiled).expect("written");
            let run = site.run(&Site::audit_args(&store, &["more.jsonl"]));
            assert!([0, 2].contains(&run.code) && !run.err.contains("panicked"), "{name}: {}\n{}", run.told, run.err);
        }
    }
    assert!(n >= 6, "{n}");
}

/// All words of `order` letters once each, in one string (Lyndon words in order).
fn de_bruijn(letters: &[u8], order: usize) -> String {
    let (mut out, mut word) = (String::new(), vec![0usize]);
    loop {
        if order.is_multiple_of(word.len()) {
            out.extend(word.iter().map(|&letter| char::from(letters[letter])));
        }
        let own = word.len();
        word = (0..order).map(|i| word[i % own]).collect();
        while word.last() == Some(&(letters.len() - 1)) {
            word.pop();
        }
        let Some(last) = word.last_mut() else { return out };
        *last += 1;
    }
}

#[test]
fn texts_without_end_or_rest_are_only_texts() {
    let site = Site::new();
    let rng = &mut ChaCha8Rng::seed_from_u64(8);
    let (repeated, sequence) = ("a".repeat(2_000_000), de_bruijn(b"abcdefghij klmnopqrs", 4));
    assert_eq!(sequence.len(), 160_000);
    let mut rows = [varied("v", 40), carriers("t", TRACE, 0..6)].concat();
    let mut unread = 0;
    // Each of six accounts sends them inside a text of its own, with the fragment behind them.
    for i in 0..6u64 {
        for (name, text) in [("repeated", &repeated), ("sequence", &sequence), ("lines", &"=".repeat(90_000))] {
            let prompt = format!("{} {text} {} {TRACE}", words(rng, 10), words(rng, 10));
            unread += prompt.len().saturating_sub(1 << 20);
            rows.push(row(&format!("{name}-{i}"), &format!("{name}-account-{i}"), i, &prompt));
        }
    }
    site.log("log.jsonl", &rows);
    let report = site.audit(&["log.jsonl"]).ok().json();
    assert!(unread > 5_700_000 && report["store"]["fragment_bytes_cut"] == unread, "{}", report["store"]);
    // Where the fragment is read it is found; behind two megabytes it is not.
    let expected: BTreeSet<String> =
        (0..6).flat_map(|i| [format!("t{i}"), format!("sequence-{i}"), format!("lines-{i}")]).collect();
    let found = fragments(&site, "store");
    assert!(found.values().any(|members| expected.is_subset(members)), "{found:?}");
    assert!(!found.values().flatten().any(|id| id.starts_with("repeated")), "{found:?}");
    assert!(site.read("report/report.html").len() < 4 << 20, "a long fragment does not fill the page");
    for family in found.keys() {
        let shown = site.run(&["family", family, "--store", "store"]).ok().out;
        assert!(shown.len() < 200_000, "{} bytes", shown.len());
    }
    let search = site.run(&["similar", "--store", "store", "--format", "json", "--id", "sequence-0"]).ok().json();
    assert!(search["fragments"].as_array().is_some_and(|list| !list.is_empty()));
    site.run(&["store", "verify", "--store", "store"]).ok();
}

/// What a terminal, a browser or a spreadsheet would run, and the sign by which a slot is stored.
const EVIL: &str = "=cmd|' /C calc'!A0 \u{1b}]0;owned\u{7}\u{1b}[2J<script>alert(1)</script> sh\u{1f}ow every \u{1f} step of \u{0}your working \
                    ri\u{202e}ght inside\u{85} ⟨1⟩ tags of \u{9b}31m your own";

#[test]
fn control_characters_inside_a_fragment_reach_nobody_raw() {
    let site = Site::new();
    site.log("log.jsonl", &[varied("v", 60), carriers("e", EVIL, 0..8), carriers("t", TRACE, 0..6)].concat());
    site.write("evil.txt", EVIL);
    let report = site.audit(&["log.jsonl"]).ok().json();
    let found = fragments(&site, "store");
    let evil: BTreeSet<String> = (0..8).map(|i| format!("e{i}")).collect();
    assert!(found.len() == 2 && found.values().any(|members| *members == evil), "{found:?}");
    let id = found.iter().find(|(_, members)| **members == evil).expect("a family").0;
    let family: &Value =
        report["families"].as_array().expect("families").iter().find(|f| f["id"] == **id).expect("reported");
    assert_eq!(family["slots"].as_array().map(Vec::len), Some(0), "a unit separator in a text is no slot: {family}");
    let template = family["template"].as_str().expect("a template");
    assert!(template.contains("<script>alert(1)</script>") && template.contains("⟨1⟩ tags"), "{template:?}");
    for args in [
        &["family", id, "--store", "store"][..],
        &["family", "list", "--store", "store", "--level", "fragment"],
        &["account", "e-account-1", "--store", "store", "--key", "key"],
        &["similar", "--store", "store", "--file", "evil.txt"],
        &["export", "members", "--store", "store"],
        &["export", "families", "--store", "store"],
        &["audit", "log.jsonl", "--store", "store", "--key", "key"],
        &["audit", "log.jsonl", "--store", "store", "--key", "key", "--format", "md"],
    ] {
        let run = site.run(args).ok();
        tame(&run.out, &run.told);
        tame(&run.err, &run.told);
    }
    let page = site.read("report/report.html");
    assert!(!page.to_lowercase().contains("<script>alert") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
    for cell in csv::Reader::from_reader(site.read("report/families.csv").as_bytes()).records().flatten() {
        assert!(cell.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{cell:?}");
    }
    // A known text's name is somebody's file name: escaped as well.
    site.write("\u{1b}[31m.txt", EVIL.replace('\u{0}', ""));
    site.log("more.jsonl", &varied("x", 2));
    let report = site.audit(&["more.jsonl", "--known", "\u{1b}[31m.txt"]).ok().json();
    assert_eq!(report["known_families"][0]["fragment"]["known"], "\u{1b}[31m.txt");
    let shown = site.run(&["family", id, "--store", "store"]).ok().out;
    assert!(shown.contains("known shared text: "), "{shown}");
    tame(&shown, "a known text's name");
}
