//! Fragment families through the real pipeline: planted fragments among real prompts, and what clean real prompts share.
//!
//! The background is a simulated log over the open prompts of the test half (people with interests, no campaigns, no apps of the
//! simulator's own, no copies), so accounts and popularity are drawn and texts are real. Planted requests are longer than most
//! prompts: several prompts of that half joined, as a template and earlier turns in front of a request would be. What was
//! chosen (`LEAST_RUN`, shares, agreement) was chosen on the development half; `--dev` as an argument measures there.

use crate::data::Prompt;
use crate::logs::Audited;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Write as _;
use stillhunt::embed::Model;
use stillhunt::ids::Level;
use stillhunt::lookup::{ListQuery, export_families, export_members};
use stillhunt::report::{Family, Part};
use stillhunt::simulate::{
    FragmentEdit, GivenText, SimulateConfig, Summary, Texts, World, fragment_texts, published_fragments, with_fragment,
};
use stillhunt::store::Store;
use stillhunt::text::{fold, n_words};

/// Exchanges of the background of the main figure, and of the tables.
const MAIN: u64 = 300_000;
const TABLE: u64 = 100_000;
/// Requests that each account of a campaign sends with its fragment.
const REQUESTS: usize = 2;

/// A campaign: one fragment in the requests of some accounts.
struct Campaign {
    name: String,
    fragment: String,
    accounts: usize,
    share: f64,
    edits: Vec<FragmentEdit>,
}

/// A log of background and campaigns, audited.
struct Measured {
    audited: Audited,
    /// Fragment family of each exchange, as often as it is in one.
    families: BTreeMap<String, Vec<String>>,
    /// Prompts of all exchanges, by id.
    prompts: HashMap<String, String>,
    campaigns: Vec<Campaign>,
}

/// What became of a campaign.
#[derive(Clone, Copy, Default)]
struct Outcome {
    rows: usize,
    /// Rows in the family that holds most of them.
    found: usize,
    /// Members of that family, those that truly hold its text or were planted, and those that hold the campaign's fragment.
    members: usize,
    true_members: usize,
    of_campaign: usize,
}

fn background(half: &[&Prompt], exchanges: u64, out: &mut Vec<u8>) {
    let given = |p: &&Prompt| GivenText { text: p.text.clone(), group: p.group.clone(), kind: p.kind.clone() };
    let texts = Texts::Given(half.iter().map(given).collect());
    let config = SimulateConfig {
        campaigns: 0,
        large_campaign: 0,
        campaign_share: 0.0,
        apps: 0,
        copies: 0.0,
        days: 1,
        ..SimulateConfig::sized(11, exchanges)
    };
    let world = World::new(&config, &texts).expect("a world");
    world.write_night(0, out, &mut std::io::sink(), &mut Summary::default()).expect("the background");
}

impl Measured {
    fn new(model: &Model, half: &[&Prompt], exchanges: u64, campaigns: Vec<Campaign>) -> Self {
        let mut log = Vec::new();
        background(half, exchanges, &mut log);
        let organic: Vec<&str> = half.iter().map(|p| p.text.as_str()).filter(|text| text.len() > 80).collect();
        let mut prompts: HashMap<String, String> = String::from_utf8_lossy(&log)
            .lines()
            .filter_map(|line| {
                let row: serde_json::Value = serde_json::from_str(line).ok()?;
                Some((row["id"].as_str()?.to_owned(), row["prompt"].as_str()?.to_owned()))
            })
            .collect();
        let mut at = 0;
        for (c, campaign) in campaigns.iter().enumerate() {
            for n in 0..campaign.accounts * REQUESTS {
                let around: Vec<&str> = (0..400).map(|i| organic[(at + 7_919 * i) % organic.len()]).collect();
                at = (at + 104_729) % organic.len();
                let seed = (c * 1_000_003 + n) as u64;
                let made = with_fragment(&campaign.fragment, &around, campaign.share, &campaign.edits, seed);
                let id = format!("planted-{c}-{n}");
                let account = format!("planted-{c}-{}", n % campaign.accounts);
                let row = serde_json::json!({
                    "id": id, "account": account, "time": 1_741_000_000 + n / 4, "prompt": made.text,
                });
                writeln!(log, "{row}").expect("memory");
                prompts.insert(id, made.text);
            }
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("log.jsonl");
        std::fs::write(&path, log).expect("the log");
        let audited = Audited::of_log(model, dir, path);
        let mut csv = Vec::new();
        export_members(
            &stillhunt::store::Store::open(&audited.store()).expect("a store"),
            &[Level::Fragment],
            &mut csv,
        )
        .expect("the export");
        let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in String::from_utf8(csv).expect("text").lines().skip(1) {
            let mut fields = line.split(',');
            if let (Some(id), Some(family)) = (fields.next(), fields.nth(1)) {
                families.entry(id.to_owned()).or_default().push(family.to_owned());
            }
        }
        Self { audited, families, prompts, campaigns }
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let prompts = &self.prompts;
        let mut members: HashMap<&str, Vec<&str>> = HashMap::new();
        for (id, families) in &self.families {
            families.iter().for_each(|family| members.entry(family).or_default().push(id));
        }
        let list = self.list();
        let outcome = |(c, campaign): (usize, &Campaign)| {
            let ids: Vec<String> = (0..campaign.accounts * REQUESTS).map(|n| format!("planted-{c}-{n}")).collect();
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for family in ids.iter().filter_map(|id| self.families.get(id)).flatten() {
                *counts.entry(family).or_default() += 1;
            }
            // Of several families with as many of its rows the one with the fewest others.
            let size = |family: &str| members.get(family).map_or(0, Vec::len);
            // A family of which it is a small part is some organic text around its fragment, not the fragment.
            let own = counts.iter().filter(|(family, n)| 10 * **n >= size(family));
            let best = own.max_by_key(|(family, n)| (**n, usize::MAX - size(family)));
            let Some((&family, &found)) = best else { return Outcome { rows: ids.len(), ..Outcome::default() } };
            let wanted = fold(&campaign.fragment).text;
            let own: HashSet<&str> = ids.iter().map(String::as_str).collect();
            let holds = |id: &str| {
                own.contains(id) || prompts.get(id).is_some_and(|prompt| fold(prompt).text.contains(&wanted))
            };
            let all = &members[family];
            let of_campaign = all.iter().filter(|id| holds(id)).count();
            let shown = list.iter().find(|f| f.id.to_string() == family);
            let fixed: Vec<String> = shown.map_or_else(Vec::new, |family| {
                let text = |part: &Part| if let Part::Text(text) = part { Some(fold(text).text) } else { None };
                family.template_parts.iter().filter_map(text).filter(|text| text.len() > 8).collect()
            });
            let holds_text = |id: &str| {
                let prompt = fold(prompts.get(id).map_or("", String::as_str)).text;
                !fixed.is_empty() && fixed.iter().all(|text| prompt.contains(text.as_str()))
            };
            let true_members = all.iter().filter(|id| holds(id) || holds_text(id)).count();
            if found < ids.len() || true_members < all.len() {
                let text = list.iter().find(|f| f.id.to_string() == family).map(|f| f.template.clone());
                eprintln!(
                    "campaign {c} ({}): {found} of {} rows, {true_members} of {} members true\n  fragment {}\n  family   {}",
                    campaign.name,
                    ids.len(),
                    all.len(),
                    campaign.fragment,
                    text.unwrap_or_default()
                );
            }
            Outcome { rows: ids.len(), found, members: all.len(), true_members, of_campaign }
        };
        self.campaigns.iter().enumerate().map(outcome).collect()
    }

    /// Fragment families, most accounts first.
    fn list(&self) -> Vec<Family> {
        let query = ListQuery {
            most: usize::MAX,
            level: Some(Level::Fragment),
            least_accounts: 1,
            trivial: true,
            ..ListQuery::default()
        };
        export_families(&stillhunt::store::Store::open(&self.audited.store()).expect("a store"), &query)
            .expect("the families")
    }
}

fn percent(part: usize, whole: usize) -> String {
    if whole == 0 { "–".into() } else { format!("{:.1}", 100.0 * part as f64 / whole as f64) }
}

fn half(all: &[Prompt], dev: bool) -> Vec<&Prompt> {
    all.iter().filter(|p| p.dev() == dev && p.kind != "probe" && p.source != "hh-rlhf-harmless").collect()
}

/// All tables.
pub(crate) fn report(model: &Model, all: &[Prompt], dev: bool, parts: &[String]) -> String {
    let half_name = if dev { "development" } else { "test" };
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    let chosen = half(all, dev);
    let mut out = format!("## Fragment families\n\n{} distinct prompts of the {half_name} half.\n\n", chosen.len());
    if wants("accounts") {
        accounts(model, &chosen, &mut out);
    }
    if wants("lengths") {
        lengths(model, &chosen, &mut out);
    }
    if wants("evasions") {
        evasions(model, &chosen, &mut out);
    }
    if wants("published") {
        published(model, &chosen, &mut out);
    }
    if wants("hostile") {
        hostile(model, &mut out);
    }
    if wants("clean") {
        clean(model, &chosen, &half(all, !dev), &mut out);
    }
    out
}

/// Fragments of 60 to 80 characters at 5%, by the number of accounts.
fn accounts(model: &Model, half: &[&Prompt], out: &mut String) {
    const SIZES: [usize; 8] = [5, 10, 20, 50, 100, 500, 1_000, 5_000];
    const EACH: usize = 3;
    // Drawn together, so that no two campaigns say nearly the same, and cut to 60, 70 and 80 characters.
    let texts: Vec<String> = fragment_texts(EACH * SIZES.len(), 80, 60)
        .into_iter()
        .enumerate()
        .map(|(i, text)| shortened(&text, 60 + 10 * (i % EACH)))
        .collect();
    let campaigns = (0..EACH * SIZES.len()).map(|i| Campaign {
        name: SIZES[i % SIZES.len()].to_string(),
        fragment: texts[i].clone(),
        accounts: SIZES[i % SIZES.len()],
        share: 0.05,
        edits: Vec::new(),
    });
    let measured = Measured::new(model, half, MAIN, campaigns.collect());
    let outcomes = measured.outcomes();
    let _ = writeln!(
        out,
        "### By accounts\n\nFragments of 60, 70 and 80 characters at 5% of the prompt, {REQUESTS} requests an account, among {MAIN} \
         exchanges; audit {:.1} s of wall.\n\n| accounts | campaigns | requests | recall, % | precision, % | of the campaign, % |\n|---|---|---|---|---|---|",
        measured.audited.took.as_secs_f64()
    );
    let row = |out: &mut String, name: &str, list: &[&Outcome]| {
        let sum = |of: fn(&Outcome) -> usize| list.iter().map(|o| of(o)).sum::<usize>();
        let recall = percent(sum(|o| o.found), sum(|o| o.rows));
        let precision = percent(sum(|o| o.true_members), sum(|o| o.members));
        let own = percent(sum(|o| o.of_campaign), sum(|o| o.members));
        let _ = writeln!(out, "| {name} | {} | {} | {recall} | {precision} | {own} |", list.len(), sum(|o| o.rows));
    };
    for (s, size) in SIZES.iter().enumerate() {
        let list: Vec<&Outcome> = outcomes.iter().skip(s).step_by(SIZES.len()).collect();
        row(out, &size.to_string(), &list);
    }
    row(out, "all", &outcomes.iter().collect::<Vec<_>>());
    out.push('\n');
}

/// The text up to the first end of a word behind so many bytes.
fn shortened(text: &str, least: usize) -> String {
    let end = text.char_indices().find(|&(at, c)| at >= least && c == ' ').map_or(text.len(), |(at, _)| at);
    text[..end].to_owned()
}

const LENGTHS: [usize; 5] = [40, 60, 80, 120, 200];
const SHARES: [f64; 5] = [0.02, 0.05, 0.1, 0.2, 0.5];

/// Recall and precision by length and share of the prompt.
fn lengths(model: &Model, half: &[&Prompt], out: &mut String) {
    let mut campaigns = Vec::new();
    for (l, &length) in LENGTHS.iter().enumerate() {
        let texts = fragment_texts(2 * SHARES.len(), length, 900 + l as u64);
        for (s, &share) in SHARES.iter().enumerate() {
            for (k, accounts) in [5, 50].into_iter().enumerate() {
                let fragment = texts[2 * s + k].clone();
                let name = format!("{length} {share}");
                campaigns.push(Campaign { name, fragment, accounts, share, edits: Vec::new() });
            }
        }
    }
    let measured = Measured::new(model, half, TABLE, campaigns);
    let outcomes = measured.outcomes();
    let _ = writeln!(
        out,
        "### By length and share\n\nRecall / precision, %, of a campaign of 5 and one of 50 accounts a cell, among {TABLE} exchanges.\n\n\
         | characters | 2% | 5% | 10% | 20% | 50% |\n|---|---|---|---|---|---|"
    );
    for (l, length) in LENGTHS.iter().enumerate() {
        let _ = write!(out, "| {length} |");
        for s in 0..SHARES.len() {
            let cell = &outcomes[2 * (l * SHARES.len() + s)..][..2];
            let sum = |of: fn(&Outcome) -> usize| cell.iter().map(of).sum::<usize>();
            let recall = percent(sum(|o| o.found), sum(|o| o.rows));
            let _ = write!(out, " {recall} / {} |", percent(sum(|o| o.true_members), sum(|o| o.members)));
        }
        out.push('\n');
    }
    out.push('\n');
}

/// Recall by evasion and length, at 5% of the prompt.
fn evasions(model: &Model, half: &[&Prompt], out: &mut String) {
    let mut campaigns = Vec::new();
    for edit in std::iter::once(None).chain(FragmentEdit::ALL.map(Some)) {
        let name = edit.map_or("none", FragmentEdit::word).to_owned();
        for (l, &length) in LENGTHS.iter().enumerate() {
            let number = campaigns.len() as u64;
            let texts = fragment_texts(2, length, 5_000 + 17 * number + l as u64);
            for (fragment, accounts) in texts.into_iter().zip([10, 100]) {
                let edits = edit.into_iter().collect();
                campaigns.push(Campaign { name: name.clone(), fragment, accounts, share: 0.05, edits });
            }
        }
    }
    let measured = Measured::new(model, half, TABLE, campaigns);
    let outcomes = measured.outcomes();
    let _ = writeln!(
        out,
        "### Evasions\n\nRecall, %, of a campaign of 10 and one of 100 accounts a cell at 5% of the prompt, each request edited anew; \
         precision over all lengths.\n\n| edit | 40 | 60 | 80 | 120 | 200 | precision |\n|---|---|---|---|---|---|---|"
    );
    for (row, list) in outcomes.chunks(2 * LENGTHS.len()).enumerate() {
        let _ = write!(out, "| {} |", measured.campaigns[row * 2 * LENGTHS.len()].name);
        for cell in list.chunks(2) {
            let sum = |of: fn(&Outcome) -> usize| cell.iter().map(of).sum::<usize>();
            let _ = write!(out, " {} |", percent(sum(|o| o.found), sum(|o| o.rows)));
        }
        let sum = |of: fn(&Outcome) -> usize| list.iter().map(of).sum::<usize>();
        let _ = writeln!(out, " {} |", percent(sum(|o| o.true_members), sum(|o| o.members)));
    }
    out.push('\n');
}

/// The published campaign wordings on their first night.
fn published(model: &Model, half: &[&Prompt], out: &mut String) {
    let _ = writeln!(
        out,
        "### Published wording\n\nThe four texts in requests of all campaigns together at a share of the requests of one night; 5% of the \
         prompt's length.\n\n| share of requests | text | accounts | recall, % | precision, % | the family's text as marked by a person |\n|---|---|---|---|---|---|"
    );
    for share in [0.001, 0.01, 0.05] {
        let rows = share * TABLE as f64 / published_fragments().len() as f64;
        let campaigns = published_fragments().iter().map(|published| Campaign {
            name: published.text.chars().take(40).collect(),
            fragment: published.text.to_owned(),
            accounts: (rows / REQUESTS as f64).round() as usize,
            share: 0.05,
            edits: Vec::new(),
        });
        let measured = Measured::new(model, half, TABLE, campaigns.collect());
        let families = measured.list();
        for (c, outcome) in measured.outcomes().iter().enumerate() {
            let campaign = &measured.campaigns[c];
            let id = measured.families.get(&format!("planted-{c}-0")).into_iter().flatten();
            let wanted = fold(&campaign.fragment).text;
            let shown = families.iter().filter(|family| id.clone().any(|id| *id == family.id.to_string()));
            let same = shown.map(|family| fold(&family.template).text).map(|text| marked(&text, &wanted));
            let _ = writeln!(
                out,
                "| {}% | {} … | {} | {} | {} | {} |",
                100.0 * share,
                campaign.name,
                campaign.accounts,
                percent(outcome.found, outcome.rows),
                percent(outcome.true_members, outcome.members),
                same.max().unwrap_or_else(|| "not found".into()),
            );
        }
    }
    out.push('\n');
}

/// How a family's text compares with what a person would have marked.
fn marked(text: &str, wanted: &str) -> String {
    let (text, wanted) = (text.trim_matches(['.', ' ']), wanted.trim_matches(['.', ' ']));
    if text == wanted {
        return "the same".into();
    }
    match text.contains(wanted) {
        true => format!("with {} characters more", text.len() - wanted.len()),
        false => format!("differs: {}", text.chars().take(80).collect::<String>().replace('|', "\\|")),
    }
}

/// Text made to hurt: what it costs, and what is cut.
fn hostile(model: &Model, out: &mut String) {
    let _ = writeln!(
        out,
        "### Hostile text\n\n| log | bytes of prompts | audit, s of wall | fragment families | bytes not read | fragments cut |\n|---|---|---|---|---|---|"
    );
    // Words that nobody else sends, from a counter.
    let word = |n: u64| -> String {
        let mut state = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        (0..8)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'a' + (state >> 59) as u8 % 26)
            })
            .collect()
    };
    let run = |n: u64| (0..8).map(|i| word(8 * n + i)).collect::<Vec<_>>().join(" ");
    let letter = vec!["a".repeat(10 << 20)];
    // All 4-letter strings over 26 letters, each once as a substring; one for each of six accounts, turned.
    let bruijn: Vec<String> = (0..6).map(|turn| de_bruijn(26, 4, turn * 40_000)).collect();
    let n_pairs = 1_000_000;
    let pairs: Vec<String> =
        (0..n_pairs).map(|n| format!("{} and {}", run(n / 2), run(n_pairs + n.div_ceil(2)))).collect();
    // Each of 3,000 prompts holds two neighbouring links, six accounts a link: one chain.
    let chain: Vec<String> = (0..18_000).map(|n| format!("{}. {}", run(n / 6), run(n / 6 + 1))).collect();
    let prefixes: Vec<String> = (1..=2_000).map(|n| (0..n / 10 + 1).map(run).collect::<Vec<_>>().join(" ")).collect();
    for (name, prompts) in [
        ("one prompt of 10 MiB of one letter", letter),
        ("a de Bruijn sequence, six times turned", bruijn),
        ("1,000,000 prompts, each sharing one run with the one before and one with the one behind", pairs),
        ("18,000 prompts that chain 3,001 runs", chain),
        ("2,000 prompts, each the start of the next ones", prefixes),
    ] {
        let ids: Vec<String> = (0..prompts.len()).map(|n| format!("h{n}")).collect();
        let bytes: usize = prompts.iter().map(String::len).sum();
        let audited = Audited::new(model, ids.iter().map(String::as_str).zip(prompts.iter().map(String::as_str)));
        let store = Store::open(&audited.store()).expect("the store");
        let sum = |of: fn(&stillhunt::store::Night) -> u64| store.nights().iter().map(of).sum::<u64>();
        let (cut, not_kept) = (sum(|night| night.print_bytes_cut), sum(|night| night.fragments_cut));
        let measured = Measured { audited, families: BTreeMap::new(), prompts: HashMap::new(), campaigns: Vec::new() };
        let _ = writeln!(
            out,
            "| {name} | {bytes} | {:.1} | {} | {cut} | {not_kept} |",
            measured.audited.took.as_secs_f64(),
            measured.list().len()
        );
    }
    out.push('\n');
}

/// A de Bruijn sequence over the first `k` letters for words of `n`, begun at place `turn`.
fn de_bruijn(k: usize, n: usize, turn: usize) -> String {
    let (mut a, mut sequence) = (vec![0usize; k * n], Vec::new());
    fn go(t: usize, p: usize, (k, n): (usize, usize), a: &mut Vec<usize>, out: &mut Vec<usize>) {
        if t > n {
            if n.is_multiple_of(p) {
                out.extend_from_slice(&a[1..=p]);
            }
            return;
        }
        a[t] = a[t - p];
        go(t + 1, p, (k, n), a, out);
        for j in a[t - p] + 1..k {
            a[t] = j;
            go(t + 1, t, (k, n), a, out);
        }
    }
    go(1, 1, (k, n), &mut a, &mut sequence);
    let turn = turn % sequence.len();
    sequence.rotate_left(turn);
    sequence.into_iter().map(|letter| char::from(b'a' + letter as u8)).collect()
}

/// Families on clean real prompts, the twenty largest to be read, and how many the other half's families explain.
fn clean(model: &Model, half: &[&Prompt], other: &[&Prompt], out: &mut String) {
    let measured = Measured::new(model, half, MAIN, Vec::new());
    let families = measured.list();
    let known: Vec<String> =
        Measured::new(model, other, MAIN, Vec::new()).list().into_iter().map(|f| f.template).collect();
    let grams = |text: &str| -> HashSet<Vec<char>> {
        fold(text).text.chars().collect::<Vec<_>>().windows(16).map(<[char]>::to_vec).collect()
    };
    let all: HashSet<Vec<char>> = known.iter().flat_map(|text| grams(text)).collect();
    let explained = |family: &Family| {
        let own = grams(&family.template);
        own.iter().filter(|gram| all.contains(*gram)).count() as f64 >= 0.8 * own.len().max(1) as f64
    };
    let by_size = |least: u64| families.iter().filter(|family| family.accounts >= least).count();
    let in_families: HashSet<&String> = measured.families.keys().collect();
    let _ = writeln!(
        out,
        "### Clean real prompts\n\n{MAIN} exchanges, {} accounts, nothing planted: {} fragment families ({} of 10 accounts or more, {} of 50, {} of 100), \
         {}% of the exchanges in one. {} of them are explained by the {} families of the other half, given as known texts.\n\n\
         | # | accounts | prompts | near-duplicate families cut | known from the other half | text |\n|---|---|---|---|---|---|",
        MAIN / 10,
        families.len(),
        by_size(10),
        by_size(50),
        by_size(100),
        percent(in_families.len(), MAIN as usize),
        families.iter().filter(|family| explained(family)).count(),
        known.len(),
    );
    for (rank, family) in (1..).zip(families.iter().take(20)) {
        let text: String = family.template.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = text.chars().take(140).collect();
        let cut = family.fragment.as_ref().map_or(0, |fragment| fragment.near_families);
        let known = if explained(family) { "yes" } else { "no" };
        let _ = writeln!(
            out,
            "| {rank} | {} | {} | {cut} | {known} | {} ({} words) |",
            family.accounts,
            family.distinct_prompts,
            shown.replace('|', "\\|"),
            n_words(&text)
        );
    }
    out.push('\n');
}
