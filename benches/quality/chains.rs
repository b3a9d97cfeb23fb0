//! Whether large families are families, or chains of pairs: twenty seeded members of each of the ten largest, held against
//! each other; and whether the apps and campaigns of a simulated world come out as families of their own.

use crate::data::Prompt;
use crate::edits::{N_LOG, judge};
use crate::logs::Audited;
use rand::SeedableRng as _;
use rand::seq::index::sample;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use stillhunt::embed::Model;
use stillhunt::simulate::{SimulateConfig, Texts, simulate};

const SHOWN: usize = 10;
const MEMBERS: usize = 20;

/// One of the largest families.
pub(crate) struct Large {
    pub(crate) family: String,
    pub(crate) size: usize,
    /// Smallest similarity and smallest score of two of the sampled members.
    pub(crate) similarity: f32,
    pub(crate) score: f32,
    /// Ids of the sampled members.
    pub(crate) sampled: Vec<String>,
}

/// The largest families of 100,000 prompts of the test half.
pub(crate) fn largest(model: &Model, all: &[Prompt]) -> Vec<Large> {
    let mut prompts: Vec<&Prompt> = all.iter().filter(|p| !p.dev() && p.kind != "probe").collect();
    prompts.sort_by(|a, b| a.id.cmp(&b.id));
    prompts.truncate(N_LOG);
    let members = Audited::new(model, prompts.iter().map(|p| (p.id.as_str(), p.text.as_str()))).members();
    let mut families: BTreeMap<&str, Vec<&Prompt>> = BTreeMap::new();
    for prompt in &prompts {
        if let Some(family) = members.get(&prompt.id) {
            families.entry(family).or_default().push(prompt);
        }
    }
    let mut families: Vec<(&str, Vec<&Prompt>)> = families.into_iter().collect();
    // Names depend on the account key; the first member does not.
    families.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.1[0].id.cmp(&b.1[0].id)));
    families.truncate(SHOWN);
    let mut out = Vec::new();
    for (number, (_, members)) in families.iter().enumerate() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(number as u64);
        let mut chosen = sample(&mut rng, members.len(), MEMBERS.min(members.len())).into_vec();
        chosen.sort_unstable();
        let sampled: Vec<&Prompt> = chosen.into_iter().map(|i| members[i]).collect();
        let (mut similarity, mut score) = (f32::INFINITY, f32::INFINITY);
        for (i, a) in sampled.iter().enumerate() {
            for b in &sampled[..i] {
                let (s, sum) = judge(model, &a.folded, &b.folded).unwrap_or((-1.0, -1.0));
                (similarity, score) = (similarity.min(s), score.min(sum));
            }
        }
        let sampled = sampled.iter().map(|p| p.id.clone()).collect();
        out.push(Large { family: members[0].id.clone(), size: members.len(), similarity, score, sampled });
    }
    out
}

/// The file of the record: no text, only ids.
pub(crate) fn csv(families: &[Large]) -> String {
    let mut out = String::from("number,first_member,size,smallest_similarity,smallest_score,sampled\n");
    for (number, f) in families.iter().enumerate() {
        let sampled = f.sampled.join(" ");
        let _ = writeln!(out, "{},{},{},{:.3},{:.3},{sampled}", number + 1, f.family, f.size, f.similarity, f.score);
    }
    out
}

/// The table of the largest families and of the simulated world.
pub(crate) fn report(model: &Model, all: &[Prompt], families: &[Large]) -> String {
    let sources: HashMap<&str, &str> = all.iter().map(|p| (p.id.as_str(), p.source.as_str())).collect();
    let mut out = String::from(
        "## Largest families\n\nOf 100,000 prompts of the test half.\n\n| | size | smallest similarity | smallest score | sources of the sampled |\n|---|---|---|---|---|\n",
    );
    for (number, f) in families.iter().enumerate() {
        let mut here: Vec<&str> = f.sampled.iter().map(|id| sources[id.as_str()]).collect();
        here.sort_unstable();
        here.dedup();
        let _ = writeln!(
            out,
            "| {} | {} | {:.3} | {:.3} | {} |",
            number + 1,
            f.size,
            f.similarity,
            f.score,
            here.join(", ")
        );
    }
    out.push_str("\n### A simulated world\n\n50,000 exchanges, seed 5. An app is the requests that fill its template; what people type freely through an app, and edited requests of ordinary people, are neither.\n\n| | how many | exchanges | in a family | of these in a family mostly of its own | share in its largest family, median |\n|---|---|---|---|---|---|\n");
    // There are fewer task texts than apps: apps of one task differ in a few words. With few apps each has its own task.
    out + &world(model, 40) + &world(model, 12)
}

/// How pure the families of a simulated world are, by its truth.
fn world(model: &Model, apps: u32) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log.jsonl");
    let mut log = std::io::BufWriter::new(std::fs::File::create(&path).expect("the log"));
    let mut truth = Vec::new();
    let config = SimulateConfig { apps, ..SimulateConfig::sized(5, 50_000) };
    simulate(&config, &Texts::Grammar, &mut log, &mut truth).expect("a world");
    drop(log);
    let members = Audited::of_log(model, dir, path).members();
    let mut families: BTreeMap<&str, Vec<[&str; 2]>> = BTreeMap::new();
    let truth = String::from_utf8(truth).expect("text");
    let mut wanted: BTreeMap<(&str, &str), Vec<Option<&str>>> = BTreeMap::new();
    for line in truth.lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        let (campaign, seed) = (f[3], f[5]);
        let app = if seed.starts_with("app-") { seed } else { "" };
        let family = members.get(f[0]).map(String::as_str);
        if let Some(family) = family {
            families.entry(family).or_default().push([campaign, app]);
        }
        if !campaign.is_empty() {
            wanted.entry(("campaign", campaign)).or_default().push(family);
        } else if !app.is_empty() {
            wanted.entry(("app", app)).or_default().push(family);
        }
    }
    let mut out = String::new();
    let owner: HashMap<&str, &str> = families
        .iter()
        .map(|(family, rows)| {
            let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
            rows.iter().for_each(|[campaign, app]| {
                *counts.entry(if campaign.is_empty() { app } else { campaign }).or_default() += 1
            });
            let most = counts.iter().max_by_key(|(_, n)| **n).map_or("", |(name, _)| *name);
            (*family, most)
        })
        .collect();
    for class in ["campaign", "app"] {
        let here: Vec<(&str, &Vec<Option<&str>>)> =
            wanted.iter().filter(|(key, _)| key.0 == class).map(|(key, v)| (key.1, v)).collect();
        let total: usize = here.iter().map(|(_, v)| v.len()).sum();
        let (mut in_family, mut own, mut shares) = (0, 0, Vec::new());
        for (name, exchanges) in &here {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            exchanges.iter().flatten().for_each(|family| *counts.entry(family).or_default() += 1);
            in_family += exchanges.iter().flatten().count();
            own += exchanges.iter().flatten().filter(|family| owner[*family] == *name).count();
            shares.push(counts.values().max().copied().unwrap_or(0) as f64 / exchanges.len() as f64);
        }
        shares.sort_by(f64::total_cmp);
        let median = shares.get(shares.len() / 2).copied().unwrap_or(0.0);
        let _ = writeln!(
            out,
            "| {class}s, {apps} apps in the world | {} | {total} | {:.3} | {:.3} | {median:.3} |",
            here.len(),
            in_family as f64 / total.max(1) as f64,
            own as f64 / in_family.max(1) as f64
        );
    }
    let mut several = BTreeMap::new();
    for (family, rows) in &families {
        for class in [0, 1] {
            let mut names: Vec<&str> = rows.iter().map(|row| row[class]).filter(|name| !name.is_empty()).collect();
            names.sort_unstable();
            names.dedup();
            if names.len() > 1 {
                several.entry(class).or_insert_with(Vec::new).push((rows.len(), names.len(), *family));
            }
        }
    }
    let count = |class: usize| several.get(&class).map_or(0, Vec::len);
    let _ = writeln!(out, "| families with exchanges of two campaigns: {}, of two apps: {} |", count(0), count(1));
    for (class, mut list) in several {
        list.sort_unstable_by(|a, b| b.cmp(a));
        let shown: Vec<String> = list.iter().take(5).map(|(n, names, _)| format!("{n} exchanges of {names}")).collect();
        let _ = writeln!(out, "| largest of these, {}: {} |", ["campaigns", "apps"][class], shown.join("; "));
    }
    out
}
