//! Which groups of accounts are worth testing: proposed from the days so far, frozen before the next is read.
//!
//! Two kinds. The accounts that a family was new to in the last week, for each family that was met today. And communities of the graph in
//! which two accounts are joined by the rare families that were new to both, each weighing the logarithm of its rarity: dense parts at several
//! resolutions, so that neither a small group is swallowed nor a large one cut up; and loose parts of the graph that joins whoever shares a single one: in a pool whose accounts share
//! each text with others, no two share many. Weakness: a group that shares nothing new within a week is not proposed.
//! Guarantee: the number is bounded and what a bound left out is counted; the same days give the same list on any number of threads.

use super::day::Choice;
use super::leiden::{Graph, Quality, communities};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Why a group was proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// Its accounts are those of one family.
    Family(u64),
    /// It is a community of the graph of rare families.
    Community,
    /// An analyst drew it.
    Analyst,
    /// It is a loose part of the graph of whoever shared anything rare on the day.
    Loose,
}

/// A proposed group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Why.
    pub reason: Reason,
    /// Its accounts, sorted.
    pub accounts: Vec<u32>,
}

/// Fewest accounts of a group: two could be one person's.
pub const LEAST_ACCOUNTS: usize = 3;
/// Days of which what was new is looked at.
pub const WINDOW: i32 = 7;
/// Most accounts of a family whose accounts are a group.
const MOST_ACCOUNTS: usize = 30_000;
/// Most accounts of a family that joins accounts to each other.
const MOST_JOINED: usize = 300;
/// Neighbours that an account keeps in the graph, by weight.
const MOST_NEIGHBOURS: usize = 64;
/// Most accounts of a loose group.
const MOST_LOOSE: usize = 1_000;
/// Groups of one day.
const MOST_PROPOSALS: usize = 20_000;
/// Densities of the constant Potts model, as shares of the weight of the rarest family.
const DENSITIES: [f64; 4] = [0.01, 0.05, 0.25, 1.0];

/// What a day proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposals {
    /// The groups, each set of accounts once.
    pub groups: Vec<Proposal>,
    /// Groups that the bound left out.
    pub cut: u64,
}

/// Proposes groups. `recent` are choices that were new to their accounts in the last [`WINDOW`] days, sorted, each once; `met` says of which
/// families today is one of those days; `today` are those of today alone; `n_accounts` are the accounts of the window.
#[must_use]
pub fn propose(recent: &[Choice], met: &dyn Fn(u64) -> bool, today: &[Choice], n_accounts: usize) -> Proposals {
    let families: Vec<&[Choice]> = recent.chunk_by(|a, b| a.family == b.family).collect();
    let mut out: Vec<Proposal> = families
        .iter()
        .filter(|own| (LEAST_ACCOUNTS..=MOST_ACCOUNTS).contains(&own.len()) && met(own[0].family))
        .map(|own| Proposal {
            reason: Reason::Family(own[0].family),
            accounts: own.iter().map(|choice| choice.account).collect(),
        })
        .collect();
    // Small sets first: they are the rarer families, and a bound falls on common text.
    out.sort_by_key(|proposal| (proposal.accounts.len(), proposal.reason));
    let close = joined(&rare(recent), n_accounts, 2);
    // Of today alone, so that nothing else proposes whoever shares one text.
    let loose = joined(&rare(today), n_accounts, 1);
    // Communities stand in front, since they are few; loose parts are many, and a bound falls on them first.
    let mut groups = parts(Reason::Community, &close, &qualities(&close.1));
    groups.append(&mut out);
    let mut wide = parts(Reason::Loose, &loose, &[Quality::constant_potts(&loose.1, DENSITIES[0])]);
    wide.retain(|group| group.accounts.len() <= MOST_LOOSE);
    groups.append(&mut wide);
    let mut seen = HashSet::new();
    groups.retain(|group| seen.insert(group.accounts.clone()));
    let cut = groups.len().saturating_sub(MOST_PROPOSALS) as u64;
    groups.truncate(MOST_PROPOSALS);
    Proposals { groups, cut }
}

/// The parts of a graph under each of some qualities, as accounts, proposed for a reason.
fn parts(reason: Reason, (accounts, graph): &(Vec<u32>, Graph), qualities: &[Quality]) -> Vec<Proposal> {
    let nodes = qualities.par_iter().flat_map_iter(|quality| members(&communities(graph, quality)));
    let parts = nodes.map(|nodes| nodes.into_iter().map(|node| accounts[node as usize]).collect());
    let enough = parts.filter(|accounts: &Vec<u32>| accounts.len() >= LEAST_ACCOUNTS);
    enough.map(|accounts| Proposal { reason, accounts }).collect()
}

/// The accounts of each family that joins accounts to each other.
fn rare(choices: &[Choice]) -> Vec<&[Choice]> {
    choices.chunk_by(|a, b| a.family == b.family).filter(|own| (2..=MOST_JOINED).contains(&own.len())).collect()
}

fn qualities(graph: &Graph) -> Vec<Quality> {
    let mut out: Vec<Quality> = DENSITIES.iter().map(|&density| Quality::constant_potts(graph, density)).collect();
    out.push(Quality::modularity(graph, 1.0));
    out
}

/// The nodes of each community.
pub(super) fn members(community: &[u32]) -> Vec<Vec<u32>> {
    let n = community.iter().max().map_or(0, |most| *most as usize + 1);
    let mut out = vec![Vec::new(); n];
    for (node, &community) in (0u32..).zip(community) {
        out[community as usize].push(node);
    }
    out
}

/// The graph of accounts that share families, each weighing ln(accounts / its accounts) over the largest such weight; pairs that share less than
/// about `least` of the rarest families are not joined. Returns the accounts behind its nodes.
pub(super) fn joined(families: &[&[Choice]], n_accounts: usize, least: u32) -> (Vec<u32>, Graph) {
    let weight = |n: usize| libm::log(n_accounts.max(n + 1) as f64 / n as f64);
    let most = weight(2);
    let mut accounts: Vec<u32> = families.iter().flat_map(|own| own.iter().map(|choice| choice.account)).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let node = |account: u32| accounts.partition_point(|&other| other < account) as u32;
    let nodes: Vec<Vec<u32>> =
        families.iter().map(|own| own.iter().map(|choice| node(choice.account)).collect()).collect();
    let mut of_account: Vec<Vec<u32>> = vec![Vec::new(); accounts.len()];
    for (family, own) in (0u32..).zip(&nodes) {
        own.iter().for_each(|&node| of_account[node as usize].push(family));
    }
    // Just under the weight of so many of the rarest, since most families are a little more common.
    let enough = if least < 2 { 0.0 } else { 0.6 * f64::from(least) };
    let near: Vec<Vec<(u32, f64)>> = (0..accounts.len() as u32)
        .into_par_iter()
        .map_init(
            || vec![0.0; accounts.len()],
            |sums, i| {
                let mut near: Vec<(u32, f64)> = Vec::new();
                for &family in &of_account[i as usize] {
                    let own = &nodes[family as usize];
                    let weight = weight(own.len()) / most;
                    for &other in own.iter().filter(|&&other| other != i) {
                        if sums[other as usize] == 0.0 {
                            near.push((other, 0.0));
                        }
                        sums[other as usize] += weight;
                    }
                }
                near.iter_mut().for_each(|(other, sum)| *sum = std::mem::take(&mut sums[*other as usize]));
                near.retain(|(_, sum)| *sum >= enough);
                near.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                near.truncate(MOST_NEIGHBOURS);
                near
            },
        )
        .collect();
    let mut edges: Vec<(u32, u32, f64)> = Vec::new();
    for (i, near) in (0u32..).zip(&near) {
        edges.extend(near.iter().map(|&(other, weight)| (i.min(other), i.max(other), weight)));
    }
    edges.sort_by_key(|edge| (edge.0, edge.1));
    edges.dedup_by_key(|edge| (edge.0, edge.1));
    // Accounts that are joined to none have no place in the graph.
    let mut joined: Vec<u32> = edges.iter().flat_map(|edge| [edge.0, edge.1]).collect();
    joined.sort_unstable();
    joined.dedup();
    let place = |node: u32| joined.partition_point(|&other| other < node) as u32;
    edges.iter_mut().for_each(|edge| (edge.0, edge.1) = (place(edge.0), place(edge.1)));
    let graph = Graph::new(joined.len(), &edges);
    let accounts = joined.into_iter().map(|node| accounts[node as usize]).collect();
    (accounts, graph)
}
