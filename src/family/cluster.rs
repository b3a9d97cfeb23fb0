//! Leader clustering with a checked diameter.
//!
//! Prompts are taken in the order they first came. A prompt joins the family of the candidate that accepts it with the best
//! score, if it also lies within the diameter of that family's leader and of most of its representatives; else it stays single
//! until somebody joins it, and then leads. A prompt that two of tonight's families accept brings them together, if every member of the younger one fits
//! the elder so. Single linkage, which puts half of a corpus into one component, never decides.
//!
//! Identity: a leader leads for ever, so a family keeps its name from night to night and loses no member; a family that joins
//! an older one is recorded as merged into it. Weakness: a prompt that comes first leads even where a later one would be more
//! central. Guarantee: the result depends on the order of prompts only, not on threads.

use super::judge::{Judge, Material, Rule, Sketches};
use crate::index::Hit;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

/// Members of a family that later prompts are compared with; the rest are near-copies that these stand for.
pub const REPRESENTATIVES: usize = 16;
/// Members that are held against a leader when families merge, evenly chosen.
const CHECKED_AT_MERGE: usize = 256;

/// What is known of families before tonight.
pub struct Known<'a> {
    /// Number of the first prompt of tonight.
    pub first: u32,
    /// How many families there are.
    pub n_families: u32,
    /// Family of an earlier prompt; `None` where it is single.
    pub family_of: &'a dyn Fn(u32) -> Option<u32>,
    /// Leader of a family.
    pub leader_of: &'a dyn Fn(u32) -> u32,
}

/// What a night changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Leaders of tonight's new families; their numbers follow the known ones.
    pub leaders: Vec<u32>,
    /// (prompt, family) of every prompt, old or new, that tonight put into a family, in order of prompt.
    pub assigned: Vec<(u32, u32)>,
    /// (family, the older one it joined).
    pub merged: Vec<(u32, u32)>,
    /// New prompts that later nights need not be compared with.
    pub inactive: Vec<u32>,
    /// Pairs that were judged.
    pub judged: u64,
}

/// Gathers the prompts numbered from `known.first` on; `candidates[i]` are earlier prompts near the i-th of them.
#[must_use]
pub fn cluster(candidates: &[Vec<Hit>], known: &Known<'_>, material: &dyn Material, rule: &Rule) -> Outcome {
    let first = known.first;
    let sketches = Sketches::default();
    let accepted: Vec<Vec<(f32, u32)>> = candidates
        .par_iter()
        .enumerate()
        .map_init(
            || Judge::with_sketches(material, &sketches),
            |judge, (i, near)| accept(judge, first + i as u32, near, rule),
        )
        .collect();
    let mut gather = Gather::new(first, known, Judge::with_sketches(material, &sketches), material, rule);
    for (i, accepted) in accepted.iter().enumerate() {
        gather.place(first + i as u32, accepted);
    }
    let mut outcome = gather.finish();
    outcome.judged = candidates.iter().map(|near| near.len() as u64).sum();
    outcome
}

/// Candidates whose score reaches the threshold, best first, ties by number.
fn accept(judge: &mut Judge<'_>, prompt: u32, near: &[Hit], rule: &Rule) -> Vec<(f32, u32)> {
    let mut accepted: Vec<(f32, u32)> =
        near.iter().filter_map(|hit| Some((judge.accepted(prompt, hit.id, hit.similarity, rule)?, hit.id))).collect();
    accepted.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    accepted
}

/// A family while the night is gathered: an older one that got new members, or a new one.
struct Group {
    leader: u32,
    /// Its first members, the leader among them: what a newcomer is held against.
    representatives: Vec<u32>,
    /// Its number, if it is of an earlier night.
    known: Option<u32>,
    /// Members that tonight added.
    members: Vec<u32>,
    /// The group it joined.
    merged: Option<usize>,
}

struct Gather<'a> {
    first: u32,
    known: &'a Known<'a>,
    judge: Judge<'a>,
    material: &'a dyn Material,
    rule: &'a Rule,
    groups: Vec<Group>,
    group_of: HashMap<u32, usize>,
    group_of_family: HashMap<u32, usize>,
    /// Pairs of groups that were tried and did not merge.
    refused: HashSet<(usize, usize)>,
}

impl<'a> Gather<'a> {
    fn new(first: u32, known: &'a Known<'a>, judge: Judge<'a>, material: &'a dyn Material, rule: &'a Rule) -> Self {
        Self {
            first,
            known,
            judge,
            material,
            rule,
            groups: Vec::new(),
            group_of: HashMap::new(),
            group_of_family: HashMap::new(),
            refused: HashSet::new(),
        }
    }

    /// The group of a prompt that is in one already.
    fn find(&mut self, prompt: u32) -> Option<usize> {
        let mut group = match self.group_of.get(&prompt) {
            Some(&group) => group,
            None => {
                let family = Some(prompt).filter(|&prompt| prompt < self.first).and_then(self.known.family_of)?;
                let groups = &mut self.groups;
                *self.group_of_family.entry(family).or_insert_with(|| {
                    let leader = (self.known.leader_of)(family);
                    let mut representatives = self.material.members(family);
                    representatives.truncate(REPRESENTATIVES);
                    groups.push(Group {
                        leader,
                        representatives,
                        known: Some(family),
                        members: Vec::new(),
                        merged: None,
                    });
                    groups.len() - 1
                })
            }
        };
        while let Some(next) = self.groups[group].merged {
            group = next;
        }
        Some(group)
    }

    fn place(&mut self, prompt: u32, accepted: &[(f32, u32)]) {
        let mut tried: Vec<(usize, bool)> = Vec::new();
        let mut home = None;
        for &(_, candidate) in accepted {
            let Some(group) = self.find(candidate) else {
                // The candidate is single: it leads a family of two, or joins the prompt's home if it lies within its bounds.
                match home {
                    None => home = Some(self.lead(candidate)),
                    Some(group) => {
                        if self.fits(candidate, group) {
                            self.join(candidate, group);
                        }
                    }
                }
                continue;
            };
            let fits = match tried.iter().find(|(g, _)| *g == group) {
                Some(&(_, fits)) => fits,
                None => {
                    let fits = self.fits(prompt, group);
                    tried.push((group, fits));
                    fits
                }
            };
            match home {
                None if fits => home = Some(group),
                Some(mine) if mine != group && fits => home = Some(self.merge(mine, group)),
                _ => {}
            }
        }
        if let Some(group) = home {
            self.join(prompt, group);
        }
    }

    /// Whether a prompt lies within the diameter of a family's leader and of most of its representatives. The leader
    /// alone is not enough: a long one may contain two texts that have nothing to do with each other.
    fn fits(&mut self, prompt: u32, group: usize) -> bool {
        let leader = self.groups[group].leader;
        if !self.within(prompt, leader) {
            return false;
        }
        let representatives = std::mem::take(&mut self.groups[group].representatives);
        let n_near = representatives.iter().filter(|&&other| self.within(prompt, other)).count();
        let fits = 2 * n_near > representatives.len();
        self.groups[group].representatives = representatives;
        fits
    }

    fn within(&mut self, prompt: u32, leader: u32) -> bool {
        prompt == leader
            || self.material.similarity(prompt, leader).is_some_and(|similarity| {
                self.judge.score_from(prompt, leader, similarity, self.rule.diameter).is_some()
            })
    }

    fn lead(&mut self, leader: u32) -> usize {
        let alone = vec![leader];
        self.groups.push(Group { leader, representatives: alone.clone(), known: None, members: alone, merged: None });
        self.group_of.insert(leader, self.groups.len() - 1);
        self.groups.len() - 1
    }

    fn join(&mut self, prompt: u32, group: usize) {
        self.group_of.insert(prompt, group);
        let group = &mut self.groups[group];
        group.members.push(prompt);
        if group.representatives.len() < REPRESENTATIVES {
            group.representatives.push(prompt);
        }
    }

    /// Brings two groups together where the diameter allows it, and returns the group that `a` is in afterwards.
    fn merge(&mut self, a: usize, b: usize) -> usize {
        if self.refused.contains(&(a.min(b), a.max(b))) {
            return a;
        }
        // A family that has a name already keeps it, also where tonight's other group is led by an older single prompt.
        let age = |group: &Group| (group.known.is_none(), group.leader);
        let (elder, younger) = if age(&self.groups[a]) < age(&self.groups[b]) { (a, b) } else { (b, a) };
        let mut members = self.groups[younger].members.clone();
        if let Some(family) = self.groups[younger].known {
            members.extend(self.material.members(family));
        }
        let step = members.len().div_ceil(CHECKED_AT_MERGE).max(1);
        if !members.iter().step_by(step).all(|&member| self.fits(member, elder)) {
            self.refused.insert((a.min(b), a.max(b)));
            return a;
        }
        let moved = std::mem::take(&mut self.groups[younger].members);
        self.groups[elder].members.extend(moved);
        self.groups[younger].merged = Some(elder);
        elder
    }

    fn finish(self) -> Outcome {
        let mut outcome = Outcome::default();
        let mut numbers = vec![u32::MAX; self.groups.len()];
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by_key(|&group| self.groups[group].leader);
        for &group in &order {
            let here = &self.groups[group];
            numbers[group] = match here.known {
                Some(family) => family,
                None if here.merged.is_none() => {
                    outcome.leaders.push(here.leader);
                    self.known.n_families + outcome.leaders.len() as u32 - 1
                }
                // It began and ended tonight, so nobody has seen its name.
                None => continue,
            };
        }
        for &group in &order {
            let here = &self.groups[group];
            if let Some(mut into) = here.merged {
                while let Some(next) = self.groups[into].merged {
                    into = next;
                }
                if here.known.is_some() {
                    outcome.merged.push((numbers[group], numbers[into]));
                }
                continue;
            }
            let mut members = here.members.clone();
            members.sort_unstable();
            let before = here.known.map_or(0, |family| self.material.members(family).len());
            let stand_in = REPRESENTATIVES.saturating_sub(before).min(members.len());
            outcome.inactive.extend(members[stand_in..].iter().filter(|&&member| member >= self.first));
            outcome.assigned.extend(members.iter().map(|&member| (member, numbers[group])));
        }
        outcome.assigned.sort_unstable();
        outcome.inactive.sort_unstable();
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prompts on a line: similarity falls with distance, and texts agree with it.
    struct Line(Vec<f32>);

    impl Material for Line {
        fn folded(&self, prompt: u32, out: &mut String) {
            out.clear();
            // Twenty letters from a long fixed sequence, so that near prompts share 4-grams.
            let start = (self.0[prompt as usize] * 10.0) as usize;
            out.extend((start..start + 20).map(|i| char::from(b'a' + ((i * i + i / 3) % 26) as u8)));
        }
        fn similarity(&self, a: u32, b: u32) -> Option<f32> {
            Some(1.0 - (self.0[a as usize] - self.0[b as usize]).abs() / 2.0)
        }
        fn members(&self, family: u32) -> Vec<u32> {
            vec![2 * family, 2 * family + 1]
        }
    }

    fn candidates(line: &Line, first: usize) -> Vec<Vec<Hit>> {
        (first..line.0.len())
            .map(|i| {
                (0..i)
                    .filter_map(|j| {
                        let similarity = line.similarity(i as u32, j as u32)?;
                        (similarity >= 0.5).then_some(Hit { id: j as u32, similarity })
                    })
                    .collect()
            })
            .collect()
    }

    /// What is known where the prompts before tonight are in these families.
    fn cluster_with(
        candidates: &[Vec<Hit>],
        (family_of, leaders): (&[u32], &[u32]),
        material: &dyn Material,
        rule: &Rule,
    ) -> Outcome {
        let known = Known {
            first: family_of.len() as u32,
            n_families: leaders.len() as u32,
            family_of: &|prompt| Some(family_of[prompt as usize]).filter(|&family| family != u32::MAX),
            leader_of: &|family| leaders[family as usize],
        };
        cluster(candidates, &known, material, rule)
    }

    const RULE: Rule = Rule { thresholds: [[2.0; 5]; 5], diameter: 1.6, floor: 0.5, window_floor: 0.8 };

    #[test]
    fn a_chain_is_cut_at_the_diameter() {
        let line = Line((0..40).map(|i| i as f32 * 0.1).collect());
        let outcome = cluster_with(&candidates(&line, 0), (&[], &[]), &line, &RULE);
        assert!(outcome.leaders.len() > 2, "one chain would be one family: {:?}", outcome.leaders);
        let mut judge = Judge::new(&line);
        for &(member, family) in &outcome.assigned {
            let leader = outcome.leaders[family as usize];
            assert!(member == leader || judge.score(member, leader).unwrap() >= RULE.diameter, "{member} {leader}");
        }
    }

    #[test]
    fn a_known_family_takes_new_members_and_keeps_its_number() {
        let line = Line(vec![0.0, 0.1, 3.0, 0.1, 3.1]);
        let outcome = cluster_with(&candidates(&line, 3), (&[0, 0, u32::MAX], &[0]), &line, &RULE);
        assert_eq!(outcome.leaders, [2], "the old single leads the new family");
        assert_eq!(outcome.assigned, [(2, 1), (3, 0), (4, 1)]);
        assert!(outcome.merged.is_empty());
    }

    #[test]
    fn a_bridge_merges_families_only_within_the_diameter() {
        let known: (&[u32], &[u32]) = (&[0, 0, 1, 1], &[0, 2]);
        let near = Line(vec![0.0, 0.0, 0.1, 0.1, 0.05]);
        let outcome = cluster_with(&candidates(&near, 4), known, &near, &RULE);
        assert_eq!(outcome.merged, [(1, 0)]);
        assert_eq!(outcome.assigned, [(4, 0)]);
        let far = Line(vec![0.0, 0.0, 3.0, 3.0, 3.0]);
        let outcome = cluster_with(&candidates(&far, 4), known, &far, &RULE);
        assert!(outcome.merged.is_empty());
        assert_eq!(outcome.assigned, [(4, 1)]);
    }

    /// Prompts whose pairs score as a table says, 4-grams aside.
    struct Scores(Vec<Vec<f32>>);

    impl Material for Scores {
        fn folded(&self, prompt: u32, out: &mut String) {
            out.clear();
            out.extend(std::iter::repeat_n(char::from(b'a' + prompt as u8), 9));
        }
        fn similarity(&self, a: u32, b: u32) -> Option<f32> {
            Some(self.0[a as usize][b as usize])
        }
        fn members(&self, _: u32) -> Vec<u32> {
            Vec::new()
        }
    }

    #[test]
    fn texts_that_only_a_third_contains_do_not_share_its_family() {
        // 0 holds both; 1, 2, 3 are alike, 4, 5, 6 are alike, and neither kind resembles the other.
        let kind = |i: usize| if i == 0 { 0 } else { 1 + (i - 1) / 3 };
        let alike = |a: usize, b: usize| if a == 0 || b == 0 || kind(a) == kind(b) { 3.0 } else { 0.2 };
        let scores = Scores((0..7).map(|a| (0..7).map(|b| alike(a, b)).collect()).collect());
        let near = |i: usize| (0..i).map(|j| Hit { id: j as u32, similarity: alike(i, j) }).collect();
        let candidates: Vec<Vec<Hit>> = (0..7).map(near).collect();
        let outcome = cluster_with(&candidates, (&[], &[]), &scores, &RULE);
        let members = |family| outcome.assigned.iter().filter(|a| a.1 == family).map(|a| a.0).collect::<Vec<_>>();
        assert_eq!((members(0), members(1)), (vec![0, 1, 2, 3], vec![4, 5, 6]));
    }

    #[test]
    fn a_named_family_is_elder_than_a_group_of_tonight() {
        // Prompt 0 was single; 1 and 2 are a family. Prompt 3 leans on 0 and then meets the family.
        let line = Line(vec![0.0, 0.2, 0.2, 0.0]);
        let known: (&[u32], &[u32]) = (&[u32::MAX, 0, 0], &[1]);
        let candidates = vec![vec![Hit { id: 0, similarity: 1.0 }, Hit { id: 1, similarity: 0.9 }]];
        let outcome =
            cluster_with(&candidates, known, &line, &Rule { thresholds: [[1.0; 5]; 5], diameter: 0.5, ..RULE });
        assert_eq!((outcome.leaders.len(), outcome.merged.len()), (0, 0), "no name is lost and none is made");
        assert_eq!(outcome.assigned, [(0, 0), (3, 0)]);
    }

    #[test]
    fn copies_beyond_the_representatives_are_inactive() {
        let line = Line(vec![0.0; 40]);
        let outcome = cluster_with(&candidates(&line, 0), (&[], &[]), &line, &RULE);
        assert_eq!(outcome.leaders, [0]);
        assert_eq!(outcome.assigned.len(), 40);
        assert_eq!(outcome.inactive, (16..40).collect::<Vec<_>>());
    }
}
