//! Answers that hold served text word for word: where, and what is left of the evidence without them.
//!
//! Served text is marked, so a suspect whose answers are copies of it is marked without any training. A copy goes on and on in what was
//! served; a model leaves it after some words. A *run* is a row of windows, in the order of the answers, whose contexts were all served. Where n
//! windows have a share s in served contexts, chance alone gives n (1 − s) s^L runs of L windows, and a run counts as copied from
//! the L at which that is 0.01, and from 30 windows on; s is the share outside of copied runs. A run ends at a token that leads out of served text, and those that lead on are the ones that the key
//! preferred, so the test without copied runs errs towards no mark: it is careful with the innocent, and costs a suspect's evidence.
//!
//! Weakness: quotes of fewer than 30 windows, and copies with a word changed in each 30, are not seen, nor are copies of what others were served
//! where no set given beside the tested one holds it. A window counts where it stood first, so of a
//! text that was copied twice one copy is seen. Contexts of one token are served whatever is said, so nothing can be told apart by them, and that is said. A model that says whole passages by heart looks like a
//! copy.

use crate::detect::windows::Seen;
use rayon::prelude::*;
use serde::Serialize;

/// Fewest tokens of contexts by which copies can be told.
pub(super) const LEAST_WIDTH: usize = 2;
/// Fewest windows of a copied run.
const SHORTEST: usize = 30;
/// Runs that chance alone may give.
const BY_CHANCE: f64 = 0.01;
/// Rounds in which the share outside of copied runs is found.
const ROUNDS: usize = 20;

/// What looks copied in the evidence of one test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Copies {
    /// Scored windows that stand in copied runs.
    pub windows: u64,
    /// Fewest windows of such a run.
    pub shortest_run: usize,
    /// log10 p of the test without them.
    pub log10_p_without: f64,
}

impl Copies {
    /// In words.
    pub(super) fn told(&self) -> String {
        format!(
            "{} windows stand in runs of {} or more served contexts, as copied text does, which is marked without any training; without them log10 p is {:.2}",
            self.windows, self.shortest_run, self.log10_p_without
        )
    }

    /// In words, at the end of a rule.
    pub(super) fn beside(&self) -> String {
        format!("; {}", self.told())
    }
}

/// Which windows stand in copied runs, and the fewest windows of such a run; none where no run is long enough. `served` says of each window whether
/// its context was served.
pub(super) fn copied(seen: &[Seen], served: &[bool]) -> Option<(Vec<bool>, usize)> {
    let mut order: Vec<(u64, usize)> = seen.iter().zip(0..).map(|(seen, at)| (seen.place(), at)).collect();
    order.par_sort_unstable();
    let runs: Vec<&[(u64, usize)]> =
        order.chunk_by(|a, b| served[a.1] == served[b.1]).filter(|run| served[run[0].1]).collect();
    let all: usize = runs.iter().map(|run| run.len()).sum();
    let mut shortest = SHORTEST;
    for _ in 0..ROUNDS {
        let within: usize = runs.iter().map(|run| run.len()).filter(|n| *n >= shortest).sum();
        let (n, others) = ((seen.len() - within) as f64, (all - within) as f64);
        let share = others / n.max(1.0);
        let by_chance = if share > 0.0 && share < 1.0 {
            libm::ceil(libm::log(BY_CHANCE / (n * (1.0 - share))) / libm::log(share)) as usize
        } else {
            0
        };
        let next = SHORTEST.max(by_chance);
        if next == shortest {
            break;
        }
        shortest = next;
    }
    let mut copied = vec![false; seen.len()];
    let long = runs.iter().filter(|run| run.len() >= shortest);
    long.flat_map(|run| run.iter()).for_each(|(_, at)| copied[*at] = true);
    copied.contains(&true).then_some((copied, shortest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng as _, SeedableRng as _};

    /// Windows of one text in order, with contexts that nothing else has.
    fn windows(n: usize) -> Vec<Seen> {
        (0..n).map(|at| Seen::new(at as u128, 5, (n - at) as u64)).collect()
    }

    #[test]
    fn a_run_is_copied_where_chance_would_not_give_it() {
        let seen = windows(10_000);
        let mut served: Vec<bool> = (0..10_000).map(|at| at % 2 == 0).collect();
        assert_eq!(copied(&seen, &served), None);
        served[500..560].fill(true);
        // 10,000 × 0.497 × 0.503^L ≤ 0.01 from L = 20 on, and 30 is the least: the run of 61 begins at the even window before.
        let (found, shortest) = copied(&seen, &served).expect("a run");
        assert_eq!(shortest, 30);
        let places: Vec<usize> = (0..10_000).filter(|&at| found[at]).collect();
        assert_eq!(places, (500..561).collect::<Vec<_>>());
        // At nine in ten, runs of 61 are common.
        let served: Vec<bool> = (0..10_000).map(|at| at % 10 > 0 || (500..560).contains(&at)).collect();
        assert_eq!(copied(&seen, &served), None);
        // Copies with some words of one's own around each: what is copied says nothing of the rest.
        let framed: Vec<bool> = (0..10_000).map(|at| at % 108 >= 12).collect();
        assert_eq!(copied(&seen, &framed), Some((framed.clone(), 30)));
        assert_eq!(copied(&seen, &[true; 10_000]), Some((vec![true; 10_000], 30)));
        assert_eq!((copied(&seen, &[false; 10_000]), copied(&[], &[])), (None, None));
    }

    #[test]
    fn chance_gives_a_run_in_one_of_a_hundred_texts() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let seen = windows(20_000);
        for share in [0.3, 0.6, 0.8, 0.9] {
            let mut alarm =
                || copied(&seen, &(0..20_000).map(|_| rng.random_bool(share)).collect::<Vec<_>>()).is_some();
            let alarms = (0..400).filter(|_| alarm()).count();
            assert!(alarms <= 12, "{alarms} of 400 at {share}");
        }
    }
}
