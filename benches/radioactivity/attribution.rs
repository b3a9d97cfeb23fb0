//! Which ring is named, over many small worlds of a green list.

use crate::model::Model;
use crate::trial::{Trial, named, share};
use crate::world::{ANSWERS, Corpus, World, tokens_of};
use stillhunt::detect::windows::Text;

/// Answers of each party in these worlds.
const SMALL: usize = ANSWERS / 2;
/// Share of ring B's answers in what a student of them reads.
const READ: f64 = 0.2;

/// Which rings were named in each world, by answers and by predictions.
#[derive(Default)]
struct Named([Vec<Vec<String>>; 2]);

impl Named {
    fn add(&mut self, trial: &Trial<'_>, student: &Model, seed: u64) {
        let found = trial.of_model(student, seed);
        for (all, rings) in self.0.iter_mut().zip(&found.rings) {
            all.push(named(rings).into_iter().map(str::to_owned).collect());
        }
    }

    fn tell(&self, what: &str, expected: &[&str]) {
        for (mode, all) in ["closed", "open"].iter().zip(&self.0) {
            let right = all.iter().filter(|found| *found == expected).count();
            let wrong = all.iter().filter(|found| found.iter().any(|ring| !expected.contains(&&ring[..]))).count();
            let expected = if expected.is_empty() { "nobody".into() } else { expected.join(", ") };
            println!("| {what} | {mode} | {expected} | {} | {} |", share(right, all.len()), share(wrong, all.len()));
        }
    }
}

pub(crate) fn report(corpus: &Corpus, seeds: u64) {
    println!(
        "\n## Which ring is named: green list, {seeds} worlds of three rings and a crowd with {SMALL} answers each\n"
    );
    println!(
        "| who trained on what ({READ} of what it read is the harvest's) | test | to be named | it and nobody else named | a ring named wrongly |"
    );
    println!("|---|---|---|---:|---:|");
    let [mut nobody, mut b, mut sharing, mut second] = [const { Named([Vec::new(), Vec::new()]) }; 4];
    let mut both = [0; 2];
    for seed in 1..=seeds {
        let mut world = World::new(corpus, "green-list", seed, SMALL);
        let tokens = tokens_of(&world.harvests[1]) as f64;
        let of_b = corpus.learn(&world.lessons(corpus, READ));
        let trial = Trial::new(corpus, &world);
        nobody.add(&trial, &corpus.learn(&corpus.human(0, tokens / READ)), seed);
        b.add(&trial, &of_b, seed);
        // The second laboratory has human text of its own beside the harvest.
        let human = (tokens * (1.0 - READ) / READ) as usize;
        let lessons: Vec<Text> = [world.harvests[1].clone(), corpus.human(human, human as f64)].concat();
        second.add(&trial, &corpus.learn(&lessons), seed + 1000);
        for (mode, both) in both.iter_mut().enumerate() {
            let is = |of: &Named| of.0[mode].last().is_some_and(|found| *found == ["B"]);
            *both += usize::from(is(&b) && is(&second));
        }
        // A third of ring A's prompts are B's, and the same prompt was answered alike.
        let third = SMALL / 3;
        let shared = world.harvests[1][..third].to_vec();
        world.harvests[0][..third].clone_from_slice(&shared);
        let trial = Trial::new(corpus, &world);
        sharing.add(&trial, &of_b, seed);
    }
    nobody.tell("on no harvest", &[]);
    b.tell("on B's harvest", &["B"]);
    second.tell("on B's harvest, which a second laboratory bought", &["B"]);
    sharing.tell("on B's harvest, of which a third was served to ring A as well", &["B"]);
    let seeds = seeds as usize;
    println!(
        "\nBoth laboratories' tests name B alone: closed {}, open {}.",
        share(both[0], seeds),
        share(both[1], seeds)
    );
}
