//! Real texts, where they are: `STILLHUNT_DATA`, else `../shared/data` beside the checkout. Elsewhere each test says so.

use super::{Site, counts};
use std::path::PathBuf;

/// A file of the data directory, or the word "skipped".
fn data(name: &str, test: &str) -> Option<String> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = std::env::var_os("STILLHUNT_DATA").map_or_else(beside, PathBuf::from).join(name);
    if path.is_file() {
        return Some(path.canonicalize().expect("a path").display().to_string());
    }
    println!("skipped: {test} ({} is not here)", path.display());
    None
}

#[test]
fn thirty_thousand_real_prompts_are_audited() {
    let Some(prompts) = data("prompts.parquet", "thirty_thousand_real_prompts_are_audited") else { return };
    let site = Site::new();
    let args = ["simulate", "--out", "sim", "--exchanges", "30000", "--days", "3", "--seed", "2", "--texts"];
    let told = site.run(&[&args[..], &[&prompts]].concat()).ok().json();
    let report = site.audit(&["sim/logs"]).ok().json();
    assert_eq!(counts(&report), [30_000, 30_000, 0, 0]);
    assert_eq!(report["store"]["accounts"], told["summary"]["accounts"]);
    let distinct = |value: &serde_json::Value| value.as_u64().expect("a count");
    // Folding makes some distinct texts one, never the other way round.
    let (folded, raw) =
        (distinct(&report["store"]["distinct_prompts"]), distinct(&told["summary"]["distinct_prompts"]));
    assert!(folded <= raw && folded * 10 > raw * 9, "{folded} of {raw}");
    let members = site.members("store");
    assert!(members.families("exact").len() > 100 && members.families("near-duplicate").len() > 100);
    site.run(&["store", "verify", "--store", "store"]).ok();
}

#[test]
fn real_accounts_are_read_through_a_map() {
    // A row without a time is bad where no default stands for it, which only the comments show.
    for (name, map, defaults, rows, bad) in REAL {
        let name = format!("real_accounts/{name}.parquet");
        let Some(path) = data(&name, "real_accounts_are_read_through_a_map") else { return };
        let site = Site::new();
        let mut args = vec![path.as_str(), "--map", map];
        args.extend(*defaults);
        let report = site.audit(&args).ok().json();
        let [read, kept, known, quarantined] = counts(&report);
        println!(
            "{name}: {read} rows, {kept} kept, {known} known, {quarantined} bad: {}",
            report["counts"]["quarantined_by_reason"]
        );
        assert_eq!((read, quarantined), (*rows, *bad), "{name}: {}", report["counts"]["quarantined_by_reason"]);
        let again = site.audit(&args).ok().json();
        assert_eq!(counts(&again), [read, 0, kept + known, quarantined], "{name}");
        assert_eq!(again["families"], report["families"], "{name}");
    }
}

const PLAIN: &str = "prompt=text,account=account,time=time";

/// File, map, defaults, rows, bad rows.
const REAL: &[(&str, &str, &[&str], u64, u64)] = &[
    ("assistant_chat_oasst1", PLAIN, &[], 1_982, 0),
    ("event_tweets_organic", PLAIN, &[], 7_883, 0),
    ("forum_posts_stackexchange", PLAIN, &[], 3_127, 0),
    ("youtube_comments", PLAIN, &[], 1_138, 438),
    (
        "jailbreak_wild",
        "prompt=text,time=time",
        &["--default-account", "unknown", "--default-time", "2023-01-01"],
        432,
        0,
    ),
];
