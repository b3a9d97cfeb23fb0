//! Plans: what each kind and each knob does to the log, held against its truth.

use super::super::tests::{facts, rows, text, world};
use super::super::{SimulateConfig, Texts, World};
use super::*;
use serde_json::Value;

/// One exchange of a planned world: the log's row and the truth's cells.
struct Sent {
    row: Value,
    fact: Vec<String>,
}

impl Sent {
    fn prompt(&self) -> &str {
        text(&self.row, "prompt")
    }

    fn account(&self) -> &str {
        &self.fact[1]
    }

    fn edit(&self) -> &str {
        &self.fact[6]
    }

    /// The day from 0.
    fn day(&self) -> usize {
        let date = &text(&self.row, "time")[8..10];
        date.parse::<usize>().expect("a day") - 3
    }

    /// The exact moment, in seconds.
    fn second(&self) -> i64 {
        text(&self.row, "time").parse::<jiff::Timestamp>().expect("a moment").as_second()
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.row["attributes"][name].as_str()
    }
}

/// A small background, and what a plan plants in it.
fn drawn(seed: u64, plan: &str) -> Vec<Sent> {
    let plan = format!("[world]\nexchanges = 3000\naccounts = 300\ndays = 5\n{plan}");
    let config = SimulateConfig::planned(seed, Plan::from_toml(&plan).expect("a plan"));
    let (log, truth, _) = world(&config, &Texts::Grammar);
    let facts = facts(&truth).into_iter().map(|cells| cells.into_iter().map(str::to_owned).collect::<Vec<_>>());
    rows(&log).into_iter().zip(facts).map(|(row, fact)| Sent { row, fact }).collect()
}

/// What the campaign or group `c` sent.
fn of(sent: &[Sent]) -> Vec<&Sent> {
    sent.iter().filter(|sent| sent.fact[3] == "c" || sent.fact[7] == "c").collect()
}

fn campaign(seed: u64, knobs: &str) -> Vec<Sent> {
    drawn(seed, &format!("[[campaign]]\nname = 'c'\n{knobs}"))
}

fn benign(seed: u64, knobs: &str) -> Vec<Sent> {
    drawn(seed, &format!("[[benign]]\nname = 'c'\n{knobs}"))
}

fn accounts<'a>(sent: impl IntoIterator<Item = &'a &'a Sent>) -> BTreeSet<&'a str> {
    sent.into_iter().map(|sent| sent.account()).collect()
}

/// Exchanges of each text's number (the truth's seed).
fn by_task<'a>(sent: &[&'a Sent]) -> BTreeMap<&'a str, Vec<&'a Sent>> {
    let mut out: BTreeMap<&str, Vec<&Sent>> = BTreeMap::new();
    for &sent in sent {
        out.entry(sent.fact[5].as_str()).or_default().push(sent);
    }
    out
}

/// Share of the exchanges for which something holds.
fn share(sent: &[&Sent], holds: impl Fn(&Sent) -> bool) -> f64 {
    sent.iter().filter(|sent| holds(sent)).count() as f64 / sent.len().max(1) as f64
}

#[test]
fn a_plan_adds_to_the_background_and_a_seed_is_a_world() {
    let empty = drawn(1, "");
    assert_eq!(empty.len(), 3_000);
    assert!(empty.iter().all(|sent| sent.fact.len() == 8 && sent.fact[3].is_empty() && sent.fact[7].is_empty()));
    let with = campaign(1, "kind = 'queue'\naccounts = 20");
    let background: Vec<&str> = with.iter().filter(|sent| sent.fact[2] != "campaign").map(Sent::prompt).collect();
    // People and programs ask the same with and without a plan.
    assert_eq!(background, empty.iter().map(Sent::prompt).collect::<Vec<_>>());
    let again = campaign(1, "kind = 'queue'\naccounts = 20");
    assert!(with.iter().zip(&again).all(|(a, b)| a.row == b.row && a.fact == b.fact) && with.len() == again.len());
    assert_ne!(campaign(2, "kind = 'queue'\naccounts = 20")[0].row, with[0].row);
}

#[test]
fn a_queue_hands_new_tasks_of_the_day_to_its_accounts_without_replacement() {
    let sent = campaign(3, "kind = 'queue'\naccounts = 30\nrate = 4\ntasks = 12\nedited = 0");
    let own = of(&sent);
    assert_eq!(own.len(), 30 * 4 * 5);
    assert_eq!(accounts(&own).len(), 30);
    let tasks = by_task(&own);
    assert_eq!(tasks.len(), 60);
    for copies in tasks.values() {
        assert_eq!(accounts(copies).len(), copies.len(), "an account sends a task once");
        assert!(copies.iter().all(|sent| sent.prompt() == copies[0].prompt() && sent.day() == copies[0].day()));
    }
    // Half of what such an account sends is its own, and its truth says so.
    let all = sent.iter().filter(|sent| sent.fact[2] == "campaign").count();
    assert!((1_100..1_300).contains(&all), "{all}");
}

#[test]
fn fixed_texts_have_their_share_and_stand_where_their_kind_says() {
    for (kind, share_of, first) in
        [("template", 0.5, true), ("fragment", 0.2, false), ("translation", 0.2, false), ("language", 0.2, false)]
    {
        let sent = campaign(4, &format!("kind = '{kind}'\naccounts = 12\nedited = 0"));
        let own = of(&sent);
        let published = ["template", "language", "fragment", "translation"].iter().position(|name| *name == kind);
        let fixed = published_fragments()[published.expect("published")].text;
        assert!(own.iter().all(|sent| sent.prompt().contains(fixed)), "{kind}");
        let begins = share(&own, |sent| sent.prompt().starts_with(fixed));
        assert!(if first { begins == 1.0 } else { begins < 0.7 }, "{kind}: {begins}");
        for sent in &own {
            let part = fixed.chars().count() as f64 / sent.prompt().chars().count() as f64;
            assert!((part / share_of - 1.0).abs() < 0.35, "{kind}: {part}");
        }
        assert!(by_task(&own).values().all(|copies| copies.len() == 1), "each request has a task of its own");
    }
    let thin = campaign(4, "kind = 'fragment'\naccounts = 8\nshare = 0.05\nlength = 60");
    let length = |sent: &&Sent| sent.prompt().chars().count();
    assert!(of(&thin).iter().map(length).min() > Some(700));
    let rubric = campaign(4, "kind = 'rubric'\naccounts = 8\nedited = 0");
    let start = of(&rubric)[0].prompt().split("\n\n").next().expect("a text").to_owned();
    assert!(start.contains("rubric") && of(&rubric).iter().all(|sent| sent.prompt().starts_with(&start)));
    // A dispatcher deals subjects to all; people ask what interests them.
    let spread = |knobs: &str| {
        let sent = campaign(4, &format!("kind = 'template'\naccounts = 6\nrate = 30\nedited = 0\n{knobs}"));
        let words: BTreeSet<(String, String)> = of(&sent)
            .iter()
            .flat_map(|sent| sent.prompt().split(' ').skip(60).map(|word| (sent.account().to_owned(), word.to_owned())))
            .collect();
        words.len()
    };
    assert!(spread("own_subjects = 1") * 10 < spread("") * 9, "{} {}", spread("own_subjects = 1"), spread(""));
    let translated = campaign(4, "kind = 'fragment'\naccounts = 12\ntranslated = 0.5\nedited = 0");
    let changed = share(&of(&translated), |sent| sent.edit() == "translation");
    assert!((0.35..0.65).contains(&changed), "{changed}");
}

#[test]
fn a_search_tries_another_technique_each_time_and_then_uses_three() {
    let sent = campaign(5, "kind = 'search'\naccounts = 20\nrate = 3\nscale_day = 3\nedited = 0\nlength = 90");
    let own = of(&sent);
    let winners = fragment_texts(3, 90, 5);
    let uses = |sent: &Sent| winners.iter().any(|winner| sent.prompt().contains(winner.as_str()));
    assert!(own.iter().all(|sent| uses(sent) == (sent.day() >= 2)));
    assert!(own.iter().any(|sent| sent.day() < 2));
}

#[test]
fn a_hydra_is_mostly_somebodys_own() {
    for (knobs, wanted) in
        [("kind = 'hydra'", 0.9), ("kind = 'hydra'\nmix = 0.75", 0.75), ("kind = 'queue'\nmix = 0", 0.0)]
    {
        let sent = campaign(6, &format!("{knobs}\naccounts = 20\nrate = 3"));
        let all: Vec<&Sent> = sent.iter().filter(|sent| sent.fact[2] == "campaign").collect();
        let innocent = share(&all, |sent| sent.fact[3].is_empty());
        assert!((innocent - wanted).abs() < 0.03, "{knobs}: {innocent}");
    }
}

#[test]
fn a_second_pool_takes_over_when_the_first_is_banned() {
    let sent =
        campaign(7, "kind = 'failover'\naccounts = 40\nban_after = 2\nlag = 1\ncarry = 0.5\ntasks = 10\nrate = 5");
    let own = of(&sent);
    let on = |days: std::ops::Range<usize>| {
        own.iter().copied().filter(|sent| days.contains(&sent.day())).collect::<Vec<_>>()
    };
    let (before, after) = (on(0..2), on(3..5));
    assert_eq!((accounts(&before).len(), accounts(&after).len(), on(2..3).len()), (20, 20, 0));
    assert!(accounts(&before).is_disjoint(&accounts(&after)));
    let (old, new) = (by_task(&before), by_task(&after));
    let again = new.keys().filter(|task| old.contains_key(*task)).count();
    assert!((3..=5).contains(&again), "{again} tasks done again");
    // A banned account sends nothing at all any more.
    let banned = accounts(&before);
    assert!(!sent.iter().any(|sent| banned.contains(sent.account()) && sent.day() >= 2));
}

#[test]
fn a_pivot_changes_the_model_within_a_day_of_the_launch() {
    let sent = campaign(8, "kind = 'pivot'\naccounts = 20\npivot_day = 3");
    let own = of(&sent);
    assert!(own.iter().all(|sent| (sent.row["model"] == NEWEST) <= (sent.day() >= 2)));
    assert!(own.iter().filter(|sent| sent.day() >= 3).all(|sent| sent.row["model"] == NEWEST));
    let others: Vec<&Sent> = sent.iter().filter(|sent| sent.fact[2] != "campaign").collect();
    let moved = share(&others, |sent| sent.row["model"] == NEWEST);
    assert!((0.005..0.15).contains(&moved), "everybody else moves slowly: {moved}");
}

#[test]
fn rerouted_and_bought_leave_no_text() {
    let sent = campaign(9, "kind = 'rerouting'\naccounts = 15\nrate = 6");
    let own = of(&sent);
    assert_eq!(by_task(&own).len(), own.len());
    let harness = own[0].row["system"].as_str().expect("a harness");
    assert!(own.iter().all(|sent| sent.row["system"] == harness));
    let distinct: BTreeSet<&str> = own.iter().map(|sent| sent.prompt()).collect();
    assert!(distinct.len() * 100 > own.len() * 97);
    let bare = campaign(9, "kind = 'rerouting'\naccounts = 15\nharness = false");
    assert!(of(&bare).iter().all(|sent| sent.row["system"].is_null()));
    let sent = campaign(9, "kind = 'bought'\naccounts = 30\nmix = 0.4");
    let own = of(&sent);
    assert!(accounts(&own).len() > 20 && own.iter().all(|sent| sent.edit() == "bought" && sent.fact[2] != "campaign"));
    let sellers = accounts(&own);
    let all: Vec<&Sent> = sent.iter().filter(|sent| sellers.contains(sent.account())).collect();
    assert!((share(&all, |sent| sent.fact[3] == "c") - 0.6).abs() < 0.2);
    assert_eq!(sent.len(), 3_000, "nothing is sent for it");
}

#[test]
fn who_is_active_and_how_much_follows_the_knobs() {
    let per_day = |knobs: &str| {
        let sent = campaign(10, &format!("kind = 'queue'\naccounts = 64\nrate = 4\ntasks = 40\n{knobs}"));
        let own = of(&sent);
        (0..5)
            .map(|day| {
                let of_day: Vec<&Sent> = own.iter().copied().filter(|sent| sent.day() == day).collect();
                (accounts(&of_day).len(), of_day.len())
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(per_day("growth = 2"), [(4, 16), (8, 32), (16, 64), (32, 128), (64, 256)]);
    let slow: Vec<usize> = per_day("ramp = 4").into_iter().map(|(_, n)| n).collect();
    assert_eq!(slow, [64, 128, 192, 256, 256]);
    assert_eq!(per_day("days = [2, 3]").iter().map(|(_, n)| *n).collect::<Vec<_>>(), [0, 256, 256, 0, 0]);
    let sent = campaign(10, "kind = 'queue'\naccounts = 60\nrate = 6\ntasks = 60\nuneven = 1");
    let mut loads: BTreeMap<&str, usize> = BTreeMap::new();
    of(&sent).iter().for_each(|sent| *loads.entry(sent.account()).or_default() += 1);
    assert!(loads.values().max() > Some(&(8 * loads.values().min().expect("accounts"))), "{loads:?}");
    let even = of(&campaign(10, "kind = 'queue'\naccounts = 10\nrate = 0.5\ntasks = 5")).len();
    assert!((15..=35).contains(&even), "half a request a day: {even}");
}

#[test]
fn parts_roles_subjects_and_times_follow_the_knobs() {
    let sent = campaign(11, "kind = 'queue'\naccounts = 30\nrate = 8\ntasks = 8\nshards = 3\nedited = 0");
    let own = of(&sent);
    let tasks = by_task(&own);
    assert_eq!(tasks.len(), 3 * 8 * 5);
    assert!(tasks.values().all(|copies| accounts(copies).len() == 10));
    let sent = campaign(11, "kind = 'queue'\naccounts = 30\nroles = 3\nedited = 0");
    let own = of(&sent);
    let of_role = share(&own, |sent| sent.edit() == "role");
    assert!((of_role - 2.0 / 3.0).abs() < 0.02, "{of_role}");
    assert!(own.iter().all(|sent| (sent.edit() == "role") == sent.prompt().contains(": ") || sent.edit() == "none"));
    let sent = campaign(11, "kind = 'queue'\naccounts = 20\ntasks = 10\ntogether = 5\nhours = 'office'\nrate = 8");
    let own = of(&sent);
    for copies in by_task(&own).values() {
        let times = copies.iter().map(|sent| sent.second());
        assert!(times.clone().max().expect("copies") - times.min().expect("copies") <= 300);
    }
    let hours: BTreeSet<i64> = own.iter().map(|sent| sent.second().rem_euclid(86_400) / 3_600).collect();
    assert!(hours.len() <= 10, "{hours:?}");
    // Texts of one interest: the task of a frame of its topic.
    let narrow = campaign(11, "kind = 'queue'\naccounts = 10\ntasks = 30\nsubjects = 1\nrate = 30");
    let wide = campaign(11, "kind = 'queue'\naccounts = 10\ntasks = 30\nrate = 30");
    let words =
        |sent: &[Sent]| of(sent).iter().flat_map(|sent| sent.prompt().split(' ')).collect::<BTreeSet<_>>().len();
    assert!(words(&narrow) * 10 < words(&wide) * 9, "{} {}", words(&narrow), words(&wide));
}

#[test]
fn what_hides_a_text_hides_as_much_as_asked() {
    let base = "kind = 'queue'\naccounts = 20\ntasks = 10\nrate = 6\nedited = 0\n";
    let with = |knobs: &str| campaign(12, &format!("{base}{knobs}"));
    let plain = with("");
    let task = |sent: &[Sent]| {
        of(sent).iter().map(|sent| (sent.fact[5].clone(), sent.prompt().to_owned())).collect::<BTreeMap<_, _>>()
    };
    let whole = task(&plain);
    let lost = with("loss = 0.4");
    let share_lost = share(&of(&lost), |sent| sent.edit() == "lost");
    assert!((share_lost - 0.4).abs() < 0.07, "{share_lost}");
    assert!(of(&lost).iter().all(|sent| (sent.prompt() == whole[&sent.fact[5]]) == (sent.edit() == "none")));
    let each = |sent: &[Sent]| {
        by_task(&of(sent))
            .values()
            .map(|own| own.iter().map(|sent| sent.prompt()).collect::<BTreeSet<_>>().len())
            .sum::<usize>()
    };
    let rewritten = with("rounds = 3");
    assert!(each(&rewritten) * 10 > of(&rewritten).len() * 8, "{} of {}", each(&rewritten), of(&rewritten).len());
    // An account's wording of its template is one for all its requests.
    let wording =
        campaign(12, "kind = 'template'\naccounts = 10\nrate = 5\nrounds = 1\nrewritten_by = 'account'\nedited = 0");
    let mut heads: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sent in of(&wording) {
        heads.entry(sent.account()).or_default().insert(sent.prompt().split("\n\n").next().expect("a text"));
    }
    assert!(heads.values().all(|own| own.len() == 1) && heads.values().flatten().collect::<BTreeSet<_>>().len() > 2);
    let padded = with("padding = 3");
    for sent in of(&padded) {
        let (own, all) = (whole[&sent.fact[5]].chars().count(), sent.prompt().chars().count());
        assert!(sent.prompt().contains(&whole[&sent.fact[5]]) && all > 3 * own, "{own} of {all}");
    }
    let hidden = "edited = 1\nedits = ['homoglyph']\nstrength = 1";
    let edited = campaign(12, &format!("kind = 'queue'\naccounts = 20\ntasks = 10\nrate = 6\n{hidden}"));
    assert!(share(&of(&edited), |sent| sent.edit() == "homoglyph") > 0.95);
}

#[test]
fn requests_are_cut_and_encoded() {
    let base = "kind = 'queue'\naccounts = 20\ntasks = 10\nrate = 6\nedited = 0\n";
    let plain = campaign(12, base);
    let whole: BTreeMap<&str, &str> = of(&plain).iter().map(|sent| (sent.fact[5].as_str(), sent.prompt())).collect();
    let cut = campaign(12, &format!("{base}chunks = 4"));
    let own = of(&cut);
    assert_eq!(own.len(), 4 * 20 * 6 * 5);
    let mut parts: BTreeMap<(&str, &str), Vec<&Sent>> = BTreeMap::new();
    own.iter().for_each(|sent| parts.entry((sent.account(), text(&sent.row, "conversation"))).or_default().push(sent));
    for own in parts.values() {
        let joined: Vec<&str> = own.iter().map(|sent| sent.prompt()).collect();
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        assert_eq!(letters(&joined.concat()), letters(whole[own[0].fact[5].as_str()]));
    }
    for (encoding, back) in [("base64", None), ("hex", None), ("rot13", Some(true))] {
        let hidden = campaign(12, &format!("{base}encoded = 1\nencoding = '{encoding}'"));
        let own = of(&hidden);
        // Text without a Latin letter is the same in ROT13, and the truth says so.
        assert!(own.iter().all(|sent| (sent.edit() == "encoded") == (sent.prompt() != whole[sent.fact[5].as_str()])));
        assert!(share(&own, |sent| sent.edit() == "encoded") > 0.8);
        let same = own[0].prompt().len() == whole[own[0].fact[5].as_str()].len();
        assert_eq!(same, back.is_some(), "{encoding}");
    }
}

#[test]
fn accounts_look_as_the_operator_equips_them() {
    let values = |sent: &[Sent], name: &str| {
        of(sent).iter().map(|sent| sent.attribute(name).map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    let base = "kind = 'queue'\naccounts = 30\n";
    let usual = campaign(13, base);
    assert!(values(&usual, "payment").len() <= 3 && values(&usual, "client").len() == 1);
    assert!(values(&usual, "region").len() > 5, "rented addresses");
    assert!(values(&usual, "registered").len() <= 14);
    let hidden = campaign(
        13,
        &format!("{base}payments = 0\nclient = 'stripped'\nnetwork = 'datacenter'\nregistered_within = 0"),
    );
    assert!(values(&hidden, "payment").len() > 20 && values(&hidden, "client") == BTreeSet::from([None]));
    assert!(values(&hidden, "region").len() == 1 && values(&hidden, "registered").len() > 20);
    let own = campaign(13, &format!("{base}client = 'own'\nnetwork = 'own'"));
    assert!(values(&own, "client").len() > 3);
    let mut regions: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    of(&own).iter().for_each(|sent| {
        regions.entry(sent.account()).or_default().insert(sent.attribute("region"));
    });
    assert!(regions.values().all(|seen| seen.len() == 1));
}

#[test]
fn camouflage_canaries_imitation_and_framing_are_in_the_truth() {
    let base = "kind = 'queue'\naccounts = 20\nrate = 4\nedited = 0\n";
    let mixed = |knobs: &str| {
        let sent = campaign(14, &format!("{base}mix = 0\n{knobs}"));
        let all = sent.iter().filter(|sent| sent.fact[2] == "campaign").count();
        (all, of(&sent).len(), of(&sent).iter().filter(|sent| sent.edit() == "canary").count())
    };
    assert_eq!(mixed(""), (400, 400, 0));
    assert_eq!(mixed("camouflage = 3"), (700, 400, 0));
    assert_eq!(mixed("canaries = 2"), (600, 600, 200));
    let golds = campaign(14, &format!("{base}canaries = 2"));
    let gold: BTreeSet<&str> =
        of(&golds).iter().filter(|sent| sent.edit() == "canary").map(|sent| sent.prompt()).collect();
    assert_eq!(gold.len(), 2, "the same test questions every day");
    let framed = campaign(14, "kind = 'queue'\naccounts = 60\nedited = 0\nframed = 12\nframed_tasks = 5");
    let innocent: Vec<&Sent> = framed.iter().filter(|sent| sent.fact[7] == "framed-by-c").collect();
    assert_eq!((innocent.len(), accounts(&innocent).len()), (60, 12));
    assert!(innocent.iter().all(|sent| sent.fact[3].is_empty() && sent.fact[2] != "campaign"));
    let tasks: BTreeSet<&str> = of(&framed).iter().map(|sent| sent.prompt()).collect();
    assert!(innocent.iter().all(|sent| tasks.contains(sent.prompt())));
    let app = "[[benign]]\nname = 'app'\nkind = 'app'\n[[campaign]]\nname = 'c'\nimitates = 'app'\n";
    let sent = drawn(14, &format!("{app}{base}"));
    let name = |sent: &&Sent| sent.attribute("app").map(str::to_owned);
    let customers: Vec<&Sent> = sent.iter().filter(|sent| sent.fact[7] == "app").collect();
    assert!(of(&sent).iter().all(|own| name(own).is_some() && name(own) == name(&customers[0])));
}

#[test]
fn a_public_set_is_the_same_for_a_campaign_and_a_benchmark() {
    let both = "[[benign]]\nname = 'lab'\nkind = 'benchmark'\nset = 'open'\naccounts = 6\ntexts = 30\nrate = 30\n";
    let sent =
        drawn(15, &format!("{both}[[campaign]]\nname = 'c'\nkind = 'queue'\nset = 'open'\ntasks = 6\nedited = 0"));
    let set: BTreeSet<&str> = sent.iter().filter(|sent| sent.fact[7] == "lab").map(Sent::prompt).collect();
    assert!((28..=30).contains(&set.len()));
    assert!(of(&sent).iter().all(|sent| set.contains(sent.prompt())));
}

#[test]
fn innocent_groups_do_what_their_kind_says() {
    let sent = benign(16, "kind = 'app'\naccounts = 40\nrate = 2\ntexts = 3\nuneven = 0");
    let own = of(&sent);
    let wanted = 40 * 2 * 5;
    assert_eq!((own.len(), accounts(&own).len(), by_task(&own).len()), (wanted, 40, 3));
    assert!(own.iter().all(|sent| sent.fact[2] != "campaign" && sent.row["system"] == own[0].row["system"]));
    let daily = benign(16, "kind = 'app'\naccounts = 40\nrate = 2\ntexts = 2\nreleases = 2\nuneven = 0");
    assert_eq!(by_task(&of(&daily)).len(), 10, "new templates every day");
    let loads = |knobs: &str| {
        let sent = benign(16, &format!("kind = 'app'\naccounts = 60\nrate = 4\n{knobs}"));
        let mut loads: BTreeMap<&str, usize> = BTreeMap::new();
        of(&sent).iter().for_each(|sent| *loads.entry(sent.account()).or_default() += 1);
        (of(&sent).len(), loads.values().copied().max().expect("customers"))
    };
    // Customers differ as people do, and their mean is the rate.
    let (even, uneven) = (loads("uneven = 0"), loads(""));
    assert_eq!(even, (1_200, 20));
    assert!((700..1_900).contains(&uneven.0) && uneven.1 > 60, "{uneven:?}");
    let sent = benign(16, "kind = 'viral'\naccounts = 60\nwindow = 3\nrate = 0.5");
    let own = of(&sent);
    let times: Vec<i64> = own.iter().map(|sent| sent.second()).collect();
    assert!(times[times.len() - 1] - times[0] <= 3 * 3_600 && (18..=42).contains(&own.len()), "{}", own.len());
    assert!(share(&own, |sent| sent.edit() == "none") > 0.7 && by_task(&own).len() == 1);
    let sent = benign(16, "kind = 'class'\naccounts = 30\ntexts = 2\ndays = [2, 4]");
    let own = of(&sent);
    assert_eq!(by_task(&own).len(), 6);
    for copies in by_task(&own).values() {
        assert!((20..=30).contains(&copies.len()) && copies[copies.len() - 1].second() - copies[0].second() <= 7_200);
    }
    let sent = benign(16, "kind = 'benchmark'\naccounts = 5\ntexts = 20\nrate = 10");
    let own = of(&sent);
    for account in accounts(&own) {
        let items: Vec<&str> =
            own.iter().filter(|sent| sent.account() == account).map(|sent| sent.fact[5].as_str()).collect();
        let wanted: Vec<String> = (0..items.len()).map(|item| format!("c-{item}")).collect();
        assert_eq!(items, wanted, "in the set's order");
    }
    let sent = benign(16, "kind = 'ci'\naccounts = 3\nrate = 48\ntexts = 2");
    let own = of(&sent);
    assert_eq!((own.len(), by_task(&own).len(), accounts(&own).len()), (3 * 48 * 5, 2, 3));
    let sent = benign(16, "kind = 'news'\naccounts = 60\nrate = 0.5");
    let own = of(&sent);
    let quote = |sent: &Sent| sent.prompt().rsplit('"').nth(1).map(str::to_owned);
    for copies in by_task(&own).values() {
        assert!(copies.iter().all(|sent| quote(sent) == quote(copies[0])), "one headline a story");
        assert!(copies.iter().map(|sent| sent.prompt()).collect::<BTreeSet<_>>().len() * 10 > copies.len() * 9);
    }
}

#[test]
fn gateways_agencies_and_retries_are_told_apart() {
    let sent = benign(17, "kind = 'gateway'\naccounts = 2\nrate = 80\nusers = 50\nuneven = 0");
    let own = of(&sent);
    let users: BTreeSet<&str> = own.iter().map(|sent| sent.row["end_user"].as_str().expect("a user")).collect();
    assert!(own.len() == 800 && users.len() > 60 && accounts(&own).len() == 2);
    let sent = benign(17, "kind = 'agency'\naccounts = 6\ntexts = 10\nrate = 5");
    let own = of(&sent);
    let organisations: BTreeSet<Option<&str>> = own.iter().map(|sent| sent.attribute("organisation")).collect();
    assert!(organisations.len() == 1 && !organisations.contains(&None));
    assert!(by_task(&own).values().any(|copies| accounts(copies).len() >= 2));
    let sent = benign(17, "kind = 'retry'\naccounts = 10\nrate = 1");
    let own = of(&sent);
    for storm in by_task(&own).values() {
        assert!(storm.len() >= 3 && accounts(storm).len() == 1);
        assert!(storm.iter().all(|sent| sent.prompt() == storm[0].prompt()));
    }
}

#[test]
fn the_truth_by_account_and_the_registry_say_what_is_planned() {
    let plan = "[world]\nexchanges = 2000\naccounts = 200\n[[campaign]]\nname = 'c'\nkind = 'queue'\naccounts = 10\nframed = 3\n
        [[campaign]]\nname = 'sold'\nkind = 'bought'\naccounts = 4\n[[benign]]\nname = 'app'\nkind = 'app'\nregistered = true\ntexts = 2\n
        [[benign]]\nname = 'gate'\nkind = 'gateway'\naccounts = 2\nregistered = true\n[[benign]]\nname = 'other'\nkind = 'class'";
    let config = SimulateConfig::planned(18, Plan::from_toml(plan).expect("a plan"));
    let world = World::new(&config, &Texts::Grammar).expect("a world");
    let mut out = Vec::new();
    world.write_accounts(&mut out).expect("written");
    let rows = String::from_utf8(out).expect("UTF-8");
    let count = |column: usize, name: &str| {
        rows.lines()
            .filter(|row| row.split(',').nth(column).is_some_and(|cell| cell.split(';').any(|own| own == name)))
            .count()
    };
    assert_eq!(rows.lines().count(), 1 + 200 + 10 + 2);
    assert_eq!((count(2, "c"), count(2, "sold"), count(4, "c")), (10, 4, 3));
    assert_eq!((count(3, "app"), count(3, "gate"), count(3, "other")), (30, 2, 30));
    let registry = world.registry();
    let of_kind = |kind: &str| registry.iter().filter(|[own, ..]| own == kind).count();
    assert_eq!((of_kind("app"), of_kind("gateway"), registry.len()), (3, 2, 5));
    assert!(registry.iter().all(|[kind, _, what]| kind != "gateway" || rows.contains(what)));
}

#[test]
fn what_a_plan_must_not_say_is_refused_by_name() {
    let with = |table: &str| Plan::from_toml(table).map_err(|error| error.to_string());
    for (table, wanted) in [
        ("[[campaign]]\nkind = 'queue'", "expected a name in the campaign number 1"),
        ("[[campaign]]\nname = 'x'", "expected a kind in the campaign number 1"),
        ("[[campaign]]\nname = 'x'\nkind = 'ghost'", "ghost"),
        ("[[campaign]]\nname = 'x'\nkind = 'queue'\nrates = 3", "rates"),
        ("[[campaign]]\nname = 'x'\nkind = 'queue'\nrate = nan", "rate of campaign x"),
        ("[[campaign]]\nname = 'x'\nkind = 'queue'\nmix = 1.0", "mix of campaign x"),
        ("[[campaign]]\nname = 'x'\nkind = 'queue'\ndays = [4, 9]", ""),
        ("[[campaign]]\nname = 'x'\nkind = 'queue'\ndays = [9, 4]", "days of campaign x"),
        ("[[campaign]]\nname = 'x'\nkind = 'queue'\nimitates = 'y'", "imitate"),
        ("[[campaign]]\nname = 'x'\nkind = 'queue'\nshards = 1000\ntasks = 1000000", "tasks of all days"),
        ("[[campaign]]\nname = 'X, Y'\nkind = 'queue'", "small letters"),
        ("[[benign]]\nname = 'x'\nkind = 'viral'\nrate = 3", "rate of benign x"),
        ("[[benign]]\nname = 'x'\nkind = 'app'\n[[benign]]\nname = 'x'\nkind = 'ci'", "twice"),
        ("[world]\ndays = 0", "days of world"),
        ("nonsense", "cannot read the plan"),
    ] {
        match with(table) {
            Ok(_) => assert!(wanted.is_empty(), "{table} was accepted"),
            Err(said) => assert!(!wanted.is_empty() && said.contains(wanted), "{table}: {said}"),
        }
    }
    let crowd = Plan::from_toml(
        "[world]\naccounts = 100\nexchanges = 500\n[[benign]]\nname = 'x'\nkind = 'class'\naccounts = 500",
    );
    let config = SimulateConfig::planned(1, crowd.expect("a plan"));
    let refused = World::new(&config, &Texts::Grammar).err().expect("too few people").to_string();
    assert!(refused.contains("at least 500 organic people for x"), "{refused}");
}
