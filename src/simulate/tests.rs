//! The world as a whole: reproducible, joined to its truth, and with the numbers of open traces.

use super::*;
use serde_json::Value;

pub(super) fn world(config: &SimulateConfig, texts: &Texts) -> (String, String, Summary) {
    let (mut log, mut truth) = (Vec::new(), Vec::new());
    let summary = simulate(config, texts, &mut log, &mut truth).expect("a world");
    (String::from_utf8(log).expect("UTF-8"), String::from_utf8(truth).expect("UTF-8"), summary)
}

pub(super) fn rows(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

pub(super) fn facts(truth: &str) -> Vec<Vec<&str>> {
    truth.lines().skip(1).map(|row| row.split(',').collect()).collect()
}

pub(super) fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().expect("a string")
}

#[test]
fn a_seed_is_a_world() {
    let config = SimulateConfig::sized(1, 3_000);
    let one = world(&config, &Texts::Grammar);
    assert_eq!(one, world(&config, &Texts::Grammar));
    let other = world(&SimulateConfig::sized(2, 3_000), &Texts::Grammar);
    assert_ne!(one.0, other.0);
    assert_ne!(one.1, other.1);
}

#[test]
fn nights_are_the_log_in_parts() {
    let config = SimulateConfig { days: 4, ..SimulateConfig::sized(3, 3_000) };
    let (log, truth, summary) = world(&config, &Texts::Grammar);
    let drawn = World::new(&config, &Texts::Grammar).expect("a world");
    let (mut logs, mut truths, mut counted) = (Vec::new(), Vec::new(), Summary::default());
    drawn.write_truth_header(&mut truths).expect("a header");
    for night in 0..drawn.nights() {
        let before = logs.len();
        drawn.write_night(night, &mut logs, &mut truths, &mut counted).expect("a night");
        let lines = logs[before..].iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(lines, drawn.night_len(night));
        assert!(lines > 200, "night {night} has {lines}");
    }
    assert_eq!((logs, truths, counted), (log.into_bytes(), truth.into_bytes(), summary));
    assert_eq!(drawn.night_len(4), 0);
}

#[test]
fn the_truth_joins_the_log_row_by_row() {
    let config = SimulateConfig::sized(4, 6_000);
    let (log, truth, summary) = world(&config, &Texts::Grammar);
    assert_eq!(truth.lines().next(), Some("exchange_id,account,class,campaign,app,seed_id,edit"));
    let (rows, facts) = (rows(&log), facts(&truth));
    assert_eq!((rows.len(), facts.len(), summary.exchanges), (6_000, 6_000, 6_000));
    let mut ids = HashSet::new();
    let mut last = String::new();
    let known =
        ["id", "account", "end_user", "time", "model", "prompt", "system", "response", "conversation", "attributes"];
    for (row, fact) in rows.iter().zip(&facts) {
        assert_eq!(fact.len(), 7, "{fact:?}");
        assert_eq!((text(row, "id"), text(row, "account")), (fact[0], fact[1]));
        assert!(ids.insert(fact[0]), "{} twice", fact[0]);
        assert!(["casual", "daily", "api", "campaign"].contains(&fact[2]));
        assert_eq!(fact[4], row["attributes"]["app"].as_str().unwrap_or_default());
        assert!(row.as_object().is_some_and(|object| object.keys().all(|key| known.contains(&key.as_str()))));
        assert!(!text(row, "prompt").is_empty() && !text(row, "response").is_empty());
        let time: jiff::Timestamp = text(row, "time").parse().expect("RFC 3339");
        let offset = time.as_microsecond() - config.start.micros();
        assert!((0..3 * record::DAY).contains(&offset), "{time}");
        let stamp = format!("{:020}", time.as_microsecond());
        assert!(stamp >= last, "not in time order");
        last = stamp;
        // A campaign's prompts come from its accounts only.
        assert!(fact[3].is_empty() || (fact[2] == "campaign" && !fact[6].is_empty()));
    }
    assert_eq!(summary.accounts, u64::from(config.accounts));
}

#[test]
fn rates_and_repeats_lie_where_open_traces_put_them() {
    let config = SimulateConfig { days: 7, ..SimulateConfig::sized(5, 40_000) };
    let (log, truth, summary) = world(&config, &Texts::Grammar);
    let (rows, facts) = (rows(&log), facts(&truth));
    let mut rates: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut hours = [0_u32; 24];
    for (row, fact) in rows.iter().zip(&facts) {
        *rates.entry(fact[2]).or_default().entry(fact[1]).or_default() += 1;
        let hour: usize = text(row, "time")[11..13].parse().expect("an hour");
        hours[hour] += 1;
    }
    let sorted = |class: &str| {
        let mut counts: Vec<u64> = rates[class].values().copied().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    };
    let api = sorted("api");
    let total: u64 = api.iter().sum();
    let top = api.iter().take(api.len() / 10).sum::<u64>() as f64 / total as f64;
    assert!((0.60..0.80).contains(&top), "a tenth of the API clients sends {top}");
    assert!((0.12..0.32).contains(&(api[0] as f64 / total as f64)), "the largest sends {}", api[0]);
    let casual = sorted("casual");
    assert!((1..=6).contains(&casual[casual.len() / 2]), "median of casual accounts: {}", casual[casual.len() / 2]);
    let repeats = 1.0 - summary.distinct_prompts as f64 / summary.exchanges as f64;
    assert!((0.26..0.60).contains(&repeats), "{repeats} of the prompts come again");
    let shares = |low: u32, high: u32| f64::from(high) / f64::from(low);
    let swing = shares(*hours.iter().min().expect("hours"), *hours.iter().max().expect("hours"));
    assert!((1.2..3.0).contains(&swing), "peak to trough {swing}");
    // Sessions of people: gaps below half an hour, median between 15 and 60 s.
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    let mut gaps = Vec::new();
    for row in &rows {
        if let Some(conversation) = row["conversation"].as_str() {
            let time: jiff::Timestamp = text(row, "time").parse().expect("RFC 3339");
            if let Some(before) = last.insert(conversation, time.as_second()) {
                gaps.push(time.as_second() - before);
            }
        }
    }
    gaps.sort_unstable();
    let median = gaps[gaps.len() / 2];
    assert!((15..=60).contains(&median), "median gap {median} s");
    assert!(gaps.iter().filter(|&&gap| gap <= 1_800).count() * 100 >= gaps.len() * 97);
}

#[test]
fn campaigns_are_as_configured() {
    let config = SimulateConfig::sized(6, 20_000);
    let (log, truth, summary) = world(&config, &Texts::Grammar);
    let mut members: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    let (mut own, mut all) = (0_u32, 0_u32);
    let facts = facts(&truth);
    for fact in &facts {
        all += u32::from(fact[2] == "campaign");
        if !fact[3].is_empty() {
            own += 1;
            members.entry(fact[3]).or_default().insert(fact[1]);
        }
    }
    let sizes: Vec<u32> = accounts::campaign_sizes(&config);
    for (number, size) in sizes.iter().enumerate() {
        assert_eq!(members[format!("campaign-{number}").as_str()].len(), *size as usize);
    }
    assert_eq!((sizes[0], sizes.len()), (60, 5));
    let share = f64::from(all) / 20_000.0;
    assert!((share - 0.06).abs() < 0.002, "{share}");
    let innocent = 1.0 - f64::from(own) / f64::from(all);
    assert!((0.5..0.95).contains(&innocent), "{innocent} innocent");
    assert_eq!(summary.by_campaign.values().sum::<u64>(), u64::from(own));
    // Proxies: an account of a campaign is seen in several regions, an organic one in one.
    let mut regions: BTreeMap<&str, HashSet<String>> = BTreeMap::new();
    for (row, fact) in rows(&log).iter().zip(&facts) {
        if fact[2] != "campaign" {
            regions.entry(fact[1]).or_default().insert(row["attributes"]["region"].to_string());
        }
    }
    assert!(regions.values().all(|seen| seen.len() == 1));
}

#[test]
fn every_edit_is_used_and_recorded() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..6 {
        let config = SimulateConfig { campaigns: 20, ..SimulateConfig::sized(seed, 8_000) };
        let (_, _, summary) = world(&config, &Texts::Grammar);
        seen.extend(summary.by_edit.keys().flat_map(|edits| edits.split('+')).map(str::to_owned));
    }
    for edit in Edit::ALL {
        assert!(seen.remove(edit.word()), "{} is never used", edit.word());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["none"]);
}

#[test]
fn innocent_copies_reach_many_accounts() {
    let (_, truth, _) = world(&SimulateConfig::sized(8, 20_000), &Texts::Grammar);
    let mut reach: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for fact in facts(&truth) {
        if fact[5].starts_with("trend-") || fact[5].starts_with("exercise-") {
            assert!(fact[3].is_empty());
            reach.entry(fact[5]).or_default().insert(fact[1]);
        }
    }
    assert!(reach.len() >= 3, "{reach:?}");
    for (event, accounts) in &reach {
        let exercise = event.starts_with("exercise-");
        let expected = if exercise { 20..=40 } else { 3..=80 };
        assert!(expected.contains(&accounts.len()), "{event}: {}", accounts.len());
    }
}

#[test]
fn given_texts_are_what_is_asked() {
    let given: Vec<GivenText> = (0..900)
        .map(|number| GivenText {
            text: format!(
                "Question {number}: what does the word w{} mean in group {}? «It» matters.",
                number * 7,
                number % 9
            ),
            group: format!("g{}", number % 9),
            kind: "chat".to_owned(),
        })
        .collect();
    let config = SimulateConfig { apps: 5, ..SimulateConfig::sized(9, 3_000) };
    let (log, truth, summary) = world(&config, &Texts::Given(given.clone()));
    let whole: HashSet<&str> = given.iter().map(|given| given.text.as_str()).collect();
    let stock: HashSet<&str> = grammar::tables().small_talk.stock.iter().copied().collect();
    for (row, fact) in rows(&log).iter().zip(facts(&truth)) {
        let prompt = text(row, "prompt");
        if fact[5].starts_with("text-") {
            assert!(whole.contains(prompt), "{prompt}");
        } else if fact[5].starts_with("stock-") {
            assert!(stock.contains(prompt), "{prompt}");
        } else if fact[5].starts_with("app-") {
            assert!(prompt.contains("Question "), "{prompt}");
        }
    }
    assert!(summary.distinct_prompts > 600);
}

#[test]
fn a_contradiction_is_named() {
    let good = SimulateConfig::sized(1, 1_000);
    let bad = [
        (SimulateConfig { accounts: 2_000, ..good.clone() }, "1000 accounts"),
        (SimulateConfig { days: 0, ..good.clone() }, "days"),
        (SimulateConfig { copies: 2.0, ..good.clone() }, "copies"),
        (SimulateConfig { repeats: f64::NAN, ..good.clone() }, "repeats"),
        (SimulateConfig { campaign_accounts: (9, 3), ..good.clone() }, "9 and 3"),
        (SimulateConfig { campaigns: 30, ..good.clone() }, "half of the 100 accounts"),
    ];
    for (config, wanted) in bad {
        let Err(error) = World::new(&config, &Texts::Grammar) else { panic!("{wanted}: expected an error") };
        assert!(error.to_string().contains(wanted), "{error}");
    }
    assert!(World::new(&good, &Texts::Given(Vec::new())).is_err());
    for exchanges in [1, 2, 17, 100, 1_000] {
        let config = SimulateConfig::sized(1, exchanges);
        assert_eq!(world(&config, &Texts::Grammar).2.exchanges, exchanges);
    }
}

#[test]
fn a_work_queue_has_new_tasks_every_day_and_hands_each_to_a_share_of_its_accounts() {
    let queues = QueueConfig { campaigns: 1, accounts: 30, tasks: 8, share: 0.4 };
    let config = SimulateConfig { days: 4, queues, ..SimulateConfig::sized(6, 6_000) };
    let (log, truth, _) = world(&config, &Texts::Grammar);
    let number = format!("campaign-{}", config.campaigns);
    let mut tasks: BTreeMap<&str, (HashSet<&str>, HashSet<&str>)> = BTreeMap::new();
    let rows = rows(&log);
    for (row, fact) in rows.iter().zip(facts(&truth)).filter(|(_, fact)| fact[3] == number) {
        let (accounts, days) = tasks.entry(fact[5]).or_default();
        accounts.insert(fact[1]);
        days.insert(&text(row, "time")[..10]);
    }
    assert_eq!(tasks.len(), 32, "a task is named by its number: {:?}", tasks.keys());
    let mut all: HashSet<&str> = HashSet::new();
    for (task, (accounts, days)) in &tasks {
        assert_eq!(days.len(), 1, "{task}");
        assert!((3..=22).contains(&accounts.len()), "{task}: {} of 30 accounts", accounts.len());
        all.extend(accounts);
    }
    assert!(all.len() > 27, "{} accounts", all.len());
    for bad in [QueueConfig { tasks: 0, ..config.queues.clone() }, QueueConfig { share: 0.0, ..config.queues.clone() }]
    {
        assert!(World::new(&SimulateConfig { queues: bad, ..config.clone() }, &Texts::Grammar).is_err());
    }
}
