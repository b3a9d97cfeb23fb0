//! Against brute force: what enough accounts share is found, and who holds it is what a search for the bytes says.

use super::*;
use std::collections::HashMap;

/// Bytes from which a shared run is certain to be found.
const CERTAIN: usize = 60;

/// A world of 20 to 60 short texts over few accounts, and the runs of 40 to 90 bytes that some of them share.
fn planted(seed: u64) -> (World, Vec<String>) {
    let rng = &mut rng(seed);
    let n = rng.random_range(20..=60);
    let n_accounts = rng.random_range(6..=20u32);
    let runs: Vec<String> = (0..rng.random_range(1..=4)).map(|_| run_of(rng, 40, 90)).collect();
    let mut world = World { texts: Vec::new(), accounts: Vec::new() };
    for _ in 0..n {
        let mut parts: Vec<String> = Vec::new();
        for run in &runs {
            let own = rng.random_range(2..=10);
            parts.push(words(rng, own));
            if rng.random_range(0..100) < 25 {
                parts.push(run.clone());
            }
        }
        parts.push(words(rng, 8));
        world.texts.push(parts.join(" "));
        world.accounts.push(rng.random_range(0..n_accounts));
    }
    (world, runs)
}

/// All strings of 60 bytes or more that texts of at least `least` accounts hold, longer by no byte.
fn maximal(world: &World, least: usize) -> Vec<String> {
    let accounts = |run: &str| {
        let holders = (0u32..).zip(&world.texts).filter(|(_, text)| text.contains(run)).map(|(text, _)| text);
        world.accounts(&holders.collect()).len()
    };
    let mut windows: HashMap<&[u8], BTreeSet<u32>> = HashMap::new();
    for (text, &account) in world.texts.iter().zip(&world.accounts) {
        text.as_bytes().windows(CERTAIN).for_each(|window| {
            windows.entry(window).or_default().insert(account);
        });
    }
    let mut found: BTreeSet<String> = BTreeSet::new();
    for text in &world.texts {
        let mut end = 0;
        for start in 0..text.len().saturating_sub(CERTAIN - 1) {
            let mut to = (start + CERTAIN).max(end);
            if windows[&text.as_bytes()[start..start + CERTAIN]].len() < least {
                continue;
            }
            if accounts(&text[start..to]) < least {
                continue;
            }
            while to < text.len() && accounts(&text[start..=to]) >= least {
                to += 1;
            }
            // One that ends where the one before it ended lies within that one.
            if to > end {
                found.insert(text[start..to].to_owned());
                end = to;
            }
        }
    }
    let within = |run: &String| found.iter().any(|other| other != run && other.contains(run));
    found.iter().filter(|run| !within(run)).cloned().collect()
}

/// Whole words only: what the ends share by luck is letters of words that differ.
fn whole_words(run: &str) -> &str {
    let inner = run.split_once(' ').map_or("", |(_, rest)| rest);
    inner.rsplit_once(' ').map_or("", |(rest, _)| rest)
}

#[test]
fn what_enough_accounts_share_comes_out_whole() {
    let (mut n_maximal, mut n_runs) = (0, 0);
    // Texts that hold a run, and those of them that are members of a run with it.
    let (mut n_holders, mut n_members) = (0, 0);
    for seed in 0..150 {
        let (world, planted) = planted(seed);
        for least in [3, 5] {
            let runs = world.grow(&world.seeds(0, least));
            let expected = maximal(&world, least as usize);
            let members = world.members(&runs);
            for run in &expected {
                let shared = whole_words(run);
                for text in (0u32..).zip(&world.texts).filter(|(_, text)| text.contains(run)).map(|(text, _)| text) {
                    let with = runs.iter().zip(&members).filter(|(found, _)| found.contains(shared));
                    n_holders += 1;
                    n_members += usize::from(with.into_iter().any(|(_, texts)| texts.contains(&text)));
                }
                assert!(
                    runs.iter().any(|found| pieces(found).any(|piece| piece.contains(shared))),
                    "world {seed}, {least} accounts: {run:?} is not in {runs:?}"
                );
            }
            // And nothing is invented: pieces are planted ones with a few words around them, or parts of one.
            for piece in runs.iter().flat_map(|run| pieces(run)) {
                let own = |run: &String| {
                    let whole = piece.contains(whole_words(run)) && piece.len() <= run.len() + 20;
                    whole || run.contains(whole_words(piece))
                };
                assert!(planted.iter().any(own), "world {seed}: nobody planted {piece:?}");
            }
            n_maximal += expected.len();
            n_runs += runs.len();
        }
    }
    assert!(n_maximal >= 200 && 4 * n_runs >= 3 * n_maximal, "{n_maximal} shared runs, {n_runs} found");
    assert!(n_members * 100 >= n_holders * 95, "{n_members} of {n_holders}");
}

#[test]
fn the_night_on_which_a_text_came_changes_nothing() {
    for seed in 0..40 {
        let (world, _) = planted(seed);
        let all: BTreeSet<String> = world.grow(&world.seeds(0, 4)).into_iter().collect();
        let half = world.texts.len() as u32 / 2;
        let new: BTreeSet<u32> = (half..world.texts.len() as u32).collect();
        for run in world.grow(&world.seeds(half, 4)) {
            assert!(all.contains(&run), "world {seed}: {run:?}");
        }
        // What nobody sent tonight is not asked for; what somebody did is there, tonight or since the night before.
        let (texts, accounts) = (world.texts[..half as usize].to_vec(), world.accounts[..half as usize].to_vec());
        let before = World { texts, accounts };
        let split = [world.grow(&world.seeds(half, 4)), before.grow(&before.seeds(0, 4))].concat();
        for (run, texts) in all.iter().zip(world.members(&all.iter().cloned().collect::<Vec<_>>())) {
            if run.len() >= CERTAIN + 16 && texts.intersection(&new).count() > 0 {
                assert!(split.contains(run), "world {seed}: {run:?}");
            }
        }
    }
}

#[test]
fn a_scanner_says_what_a_search_for_the_bytes_says() {
    let mut holders = 0;
    for seed in 0..150 {
        let (world, planted) = planted(seed);
        for (run, texts) in planted.iter().zip(world.members(&planted)) {
            let held = |text: &u32| world.texts[*text as usize].contains(run);
            let expected: BTreeSet<u32> = (0..world.texts.len() as u32).filter(held).collect();
            assert_eq!(texts, expected, "world {seed}: {run:?}");
            holders += texts.len();
        }
    }
    assert!(holders > 1000, "{holders}");
}

/// Words by Zipf's law, as people use them.
struct Zipf {
    words: Vec<String>,
    cumulative: Vec<f64>,
}

impl Zipf {
    fn new(n: usize) -> Self {
        let rng = &mut rng(1_000_003);
        let words =
            (0..n).map(|rank| words(rng, 1).chars().take(2 + (rank + 1).ilog2().min(7) as usize).collect()).collect();
        let mut sum = 0.0;
        let weight = |rank: usize| {
            sum += 1.0 / (rank + 1) as f64;
            sum
        };
        Self { words, cumulative: (0..n).map(weight).collect() }
    }

    fn text(&self, rng: &mut ChaCha8Rng, n: usize) -> String {
        let total = self.cumulative[self.cumulative.len() - 1];
        let word = |_| {
            let at = rng.random::<f64>() * total;
            self.words[self.cumulative.partition_point(|&sum| sum <= at)].as_str()
        };
        (0..n).map(word).collect::<Vec<_>>().join(" ")
    }
}

/// 40 worlds × 300 prompts × 60 accounts of independent words: no fragment family in any (by the rule of three, fewer than
/// 8 in 100 such worlds at 95%). With one fragment planted for 9 accounts there is that one family, with all its members.
#[test]
fn worlds_without_a_fragment_have_no_family_and_worlds_with_one_have_one() {
    let zipf = Zipf::new(5_000);
    for seed in 0..40 {
        let rng = &mut rng(7_000 + seed);
        let mut world = World { texts: Vec::new(), accounts: Vec::new() };
        for i in 0..300 {
            let n = rng.random_range(20..=120);
            world.texts.push(zipf.text(rng, n));
            world.accounts.push(i % 60);
        }
        assert_eq!(world.families(5), Vec::<BTreeSet<u32>>::new(), "world {seed}");
        let fragment = run_of(rng, CERTAIN, 90);
        let holders: BTreeSet<u32> = (0..9).map(|i| 31 * i + seed as u32 % 20).collect();
        for &text in &holders {
            let (before, after) = (rng.random_range(0..60), rng.random_range(0..60));
            world.texts[text as usize] = format!("{} {fragment} {}", zipf.text(rng, before), zipf.text(rng, after));
        }
        assert!(world.accounts(&holders).len() >= 5);
        assert_eq!(world.families(5), [holders], "world {seed}");
    }
}
