//! Communities of a weighted graph by the Leiden algorithm: local moves, refinement, aggregation.
//!
//! The idea: nodes move to the neighbouring community that gains most quality; then every community is refined into well-connected parts,
//! the parts become the nodes of a smaller graph, and all begins again. Two measures of quality are one formula: a community counts the
//! weight inside it, less γ / 2 times the square of its size. With sizes of one that is the constant Potts model, with the strength of each
//! node as its size and γ = r / 2m it is modularity of resolution r. Source: Traag, Waltman and van Eck 2019, From Louvain to Leiden.
//! Weakness: the refinement takes the best part, not a random one, so that the same graph gives the same communities; it explores less.
//! Guarantee: deterministic; every community is connected; communities are numbered by their first node.

use std::collections::{BTreeMap, VecDeque};

/// An undirected graph without loops: each pair once, with its weight.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Where the neighbours of each node begin in `all`, and where the last end.
    starts: Vec<usize>,
    /// Neighbours of each node with the weight of the edge, in order of number.
    all: Vec<(u32, f64)>,
    /// Weight inside a node that stands for several.
    inside: Vec<f64>,
}

impl Graph {
    /// A graph of `n` nodes; edges of one pair are summed, loops left out.
    #[must_use]
    pub fn new(n: usize, edges: &[(u32, u32, f64)]) -> Self {
        let edges = || edges.iter().filter(|(a, b, _)| a != b);
        let mut ends = vec![0; n];
        edges().for_each(|(a, b, _)| [a, b].into_iter().for_each(|node| ends[*node as usize] += 1));
        let mut sum = 0;
        ends.iter_mut().for_each(|end| (*end, sum) = (sum, sum + *end));
        let mut all = vec![(0, 0.0); sum];
        for &(a, b, weight) in edges() {
            for (node, other) in [(a, b), (b, a)] {
                all[ends[node as usize]] = (other, weight);
                ends[node as usize] += 1;
            }
        }
        let (mut starts, mut filled, mut from) = (Vec::with_capacity(n + 1), 0, 0);
        for end in ends {
            starts.push(filled);
            all[from..end].sort_by_key(|(node, _)| *node);
            for at in from..end {
                let (node, weight) = all[at];
                if starts.last().is_some_and(|start| *start < filled) && all[filled - 1].0 == node {
                    all[filled - 1].1 += weight;
                } else {
                    all[filled] = (node, weight);
                    filled += 1;
                }
            }
            from = end;
        }
        starts.push(filled);
        all.truncate(filled);
        Self { starts, all, inside: vec![0.0; n] }
    }

    fn len(&self) -> usize {
        self.inside.len()
    }

    /// The neighbours of a node.
    fn of(&self, node: usize) -> &[(u32, f64)] {
        &self.all[self.starts[node]..self.starts[node + 1]]
    }

    fn each(&self) -> impl Iterator<Item = &[(u32, f64)]> {
        (0..self.len()).map(|node| self.of(node))
    }

    /// Sum of the weights at each node.
    #[must_use]
    pub fn strengths(&self) -> Vec<f64> {
        self.each().map(|own| own.iter().map(|(_, weight)| weight).sum()).collect()
    }
}

/// What a community is worth: the weight inside, less `resolution` / 2 × (sum of the sizes of its nodes)².
#[derive(Clone, Debug)]
pub struct Quality {
    /// γ.
    pub resolution: f64,
    /// Size of each node.
    pub sizes: Vec<f64>,
}

impl Quality {
    /// The constant Potts model: a community's density exceeds `resolution`.
    #[must_use]
    pub fn constant_potts(graph: &Graph, resolution: f64) -> Self {
        Self { resolution, sizes: vec![1.0; graph.len()] }
    }

    /// Modularity of a resolution, 1 for that of Newman and Girvan.
    #[must_use]
    pub fn modularity(graph: &Graph, resolution: f64) -> Self {
        let sizes = graph.strengths();
        let twice = sizes.iter().sum::<f64>();
        Self { resolution: if twice > 0.0 { resolution / twice } else { 0.0 }, sizes }
    }

    /// The quality of a partition.
    #[must_use]
    pub fn of(&self, graph: &Graph, community: &[u32]) -> f64 {
        let mut size: BTreeMap<u32, f64> = BTreeMap::new();
        let mut weight = 0.0;
        for (node, own) in graph.each().enumerate() {
            *size.entry(community[node]).or_default() += self.sizes[node];
            weight += graph.inside[node];
            let within = own.iter().filter(|(other, _)| community[*other as usize] == community[node]);
            weight += within.map(|(_, weight)| weight).sum::<f64>() / 2.0;
        }
        weight - self.resolution / 2.0 * size.values().map(|size| size * size).sum::<f64>()
    }
}

/// Gains below this are rounding.
const LEAST_GAIN: f64 = 1e-10;
/// Rounds of aggregation; graphs of millions take a dozen.
const MOST_ROUNDS: usize = 64;

/// Times that the whole is begun anew from what was found.
const MOST_PASSES: usize = 3;

/// The community of each node, numbered from 0 by their first node.
#[must_use]
pub fn communities(graph: &Graph, quality: &Quality) -> Vec<u32> {
    let mut found: Vec<u32> = (0..graph.len() as u32).collect();
    for _ in 0..MOST_PASSES {
        let next = pass(graph, quality, found.clone());
        if next == found {
            break;
        }
        found = next;
    }
    found
}

/// One pass from a partition.
fn pass(graph: &Graph, quality: &Quality, mut community: Vec<u32>) -> Vec<u32> {
    let mut coarse: Option<(Graph, Quality)> = None;
    // The node of the aggregated graph in which each first node lies.
    let mut place: Vec<u32> = (0..graph.len() as u32).collect();
    for _ in 0..MOST_ROUNDS {
        let (graph, quality) = coarse.as_ref().map_or((graph, quality), |(graph, quality)| (graph, quality));
        move_nodes(graph, quality, &mut community);
        number(&mut community);
        let n = community.iter().max().map_or(0, |most| *most as usize + 1);
        if n == graph.len() {
            break;
        }
        let mut part = refined(graph, quality, &community);
        number(&mut part);
        let parts = part.iter().max().map_or(0, |most| *most as usize + 1);
        // Where nothing could be refined, communities are aggregated as they are.
        if parts == graph.len() {
            part.clone_from(&community);
        }
        let of_part = aggregated_communities(&part, &community);
        coarse = Some(aggregated(graph, quality, &part));
        place.iter_mut().for_each(|place| *place = part[*place as usize]);
        community = of_part;
    }
    let mut out: Vec<u32> = place.iter().map(|&place| community[place as usize]).collect();
    number(&mut out);
    out
}

/// Moves nodes to the community of a neighbour while that gains something.
fn move_nodes(graph: &Graph, quality: &Quality, community: &mut [u32]) {
    let n = graph.len();
    let mut size = vec![0.0; n];
    community.iter().zip(&quality.sizes).for_each(|(&to, own)| size[to as usize] += own);
    let mut queue: VecDeque<u32> = (0..n as u32).collect();
    let mut queued = vec![true; n];
    let mut weight = vec![0.0; n];
    let mut empty: Vec<u32> = (0..n as u32).filter(|&c| size[c as usize] == 0.0).rev().collect();
    let mut near: Vec<u32> = Vec::new();
    while let Some(node) = queue.pop_front() {
        let i = node as usize;
        queued[i] = false;
        let (from, own) = (community[i], quality.sizes[i]);
        near.clear();
        for &(other, w) in graph.of(i) {
            let to = community[other as usize];
            if weight[to as usize] == 0.0 {
                near.push(to);
            }
            weight[to as usize] += w;
        }
        near.sort_unstable();
        let gain = |to: u32, size: f64| weight[to as usize] - quality.resolution * own * size;
        let stay = gain(from, size[from as usize] - own);
        let mut best = (stay + LEAST_GAIN, from);
        for &to in near.iter().filter(|&&to| to != from) {
            let other = gain(to, size[to as usize]);
            if other > best.0 {
                best = (other, to);
            }
        }
        // A community of its own gains nothing and costs nothing.
        if best.1 == from
            && stay < -LEAST_GAIN
            && let Some(&alone) = empty.last()
        {
            best.1 = alone;
        }
        near.iter().for_each(|&to| weight[to as usize] = 0.0);
        if best.1 == from {
            continue;
        }
        if empty.last() == Some(&best.1) {
            empty.pop();
        }
        community[i] = best.1;
        size[from as usize] -= own;
        size[best.1 as usize] += own;
        if size[from as usize].abs() < LEAST_GAIN {
            empty.push(from);
        }
        for &(other, _) in graph.of(i) {
            if community[other as usize] != best.1 && !queued[other as usize] {
                queued[other as usize] = true;
                queue.push_back(other);
            }
        }
    }
}

/// Parts of every community: single nodes that joined the part they gain most with, where both are well connected to the community.
fn refined(graph: &Graph, quality: &Quality, community: &[u32]) -> Vec<u32> {
    let n = graph.len();
    let mut part: Vec<u32> = (0..n as u32).collect();
    let mut size = quality.sizes.clone();
    let mut whole = vec![0.0; n];
    community.iter().zip(&quality.sizes).for_each(|(&to, own)| whole[to as usize] += own);
    // Weight from each part to the rest of its community.
    let inner = |i: usize| {
        let own = graph.of(i).iter().filter(|(other, _)| community[*other as usize] == community[i]);
        own.map(|(_, weight)| weight).sum::<f64>()
    };
    let mut outward: Vec<f64> = (0..n).map(inner).collect();
    let mut single = vec![true; n];
    let (mut weight, mut near) = (vec![0.0; n], Vec::new());
    for i in 0..n {
        let all = whole[community[i] as usize];
        let connected = |size: f64, outward: f64| outward >= quality.resolution * size * (all - size) - LEAST_GAIN;
        if !single[i] || !connected(size[i], outward[i]) {
            continue;
        }
        near.clear();
        for &(other, w) in graph.of(i).iter().filter(|(other, _)| community[*other as usize] == community[i]) {
            let to = part[other as usize];
            if weight[to as usize] == 0.0 {
                near.push(to);
            }
            weight[to as usize] += w;
        }
        near.sort_unstable();
        let mut best: Option<(f64, u32)> = None;
        for &to in &near {
            let t = to as usize;
            let gain = weight[t] - quality.resolution * quality.sizes[i] * size[t];
            if gain > best.map_or(LEAST_GAIN, |best| best.0) && connected(size[t], outward[t]) {
                best = Some((gain, to));
            }
        }
        if let Some((_, to)) = best {
            let t = to as usize;
            part[i] = to;
            outward[t] += outward[i] - 2.0 * weight[t];
            size[t] += quality.sizes[i];
            (size[i], outward[i]) = (0.0, 0.0);
            single[t] = false;
        }
        near.iter().for_each(|&to| weight[to as usize] = 0.0);
    }
    part
}

/// The graph whose nodes are the parts.
fn aggregated(graph: &Graph, quality: &Quality, part: &[u32]) -> (Graph, Quality) {
    let n = part.iter().max().map_or(0, |most| *most as usize + 1);
    let mut edges: Vec<(u32, u32, f64)> = Vec::new();
    let mut inside = vec![0.0; n];
    let mut sizes = vec![0.0; n];
    for (i, own) in graph.each().enumerate() {
        let a = part[i];
        sizes[a as usize] += quality.sizes[i];
        inside[a as usize] += graph.inside[i];
        for &(other, weight) in own.iter().filter(|(other, _)| *other as usize > i) {
            let b = part[other as usize];
            if a == b {
                inside[a as usize] += weight;
            } else {
                edges.push((a.min(b), a.max(b), weight));
            }
        }
    }
    edges.sort_by_key(|edge| (edge.0, edge.1));
    let same = edges.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    let edges: Vec<(u32, u32, f64)> =
        same.map(|same| (same[0].0, same[0].1, same.iter().map(|(.., weight)| weight).sum())).collect();
    let mut out = Graph::new(n, &edges);
    out.inside = inside;
    (out, Quality { resolution: quality.resolution, sizes })
}

/// The community of each part.
fn aggregated_communities(part: &[u32], community: &[u32]) -> Vec<u32> {
    let n = part.iter().max().map_or(0, |most| *most as usize + 1);
    let mut first = vec![u32::MAX; n];
    let mut out = vec![0; n];
    // Named by their first part, so that the number is that of a node.
    let mut name: BTreeMap<u32, u32> = BTreeMap::new();
    for (&part, &community) in part.iter().zip(community) {
        if first[part as usize] == u32::MAX {
            first[part as usize] = community;
        }
    }
    for (part, community) in first.iter().enumerate() {
        out[part] = *name.entry(*community).or_insert(part as u32);
    }
    out
}

/// Numbers communities by their first node.
fn number(community: &mut [u32]) {
    let most = community.iter().max().map_or(0, |most| *most as usize + 1);
    let (mut names, mut next) = (vec![u32::MAX; most], 0);
    for own in community {
        let name = &mut names[*own as usize];
        if *name == u32::MAX {
            (*name, next) = (next, next + 1);
        }
        *own = *name;
    }
}
