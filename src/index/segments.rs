//! Several segments, searched as one.

use super::router::Router;
use super::segment::{Ask, Asked, CHUNK, Probes, Segment};
use super::{Best, Hit, Vectors, best_first};
use rayon::prelude::*;

/// Several segments, searched as one.
pub struct Segments<B> {
    segments: Vec<Segment<B>>,
    /// Number of the first list of each, over all of them.
    firsts: Vec<u32>,
    router: Router,
}

impl<B: AsRef<[u8]> + Sync> Segments<B> {
    /// Makes the leaders of `segments`, whose vectors have `dim` dimensions, ready to be ranked together.
    #[must_use]
    pub fn new(segments: Vec<Segment<B>>, dim: usize) -> Self {
        let (mut leaders, mut firsts) = (Vectors::new(dim), Vec::with_capacity(segments.len()));
        for segment in &segments {
            firsts.push(leaders.len() as u32);
            leaders.append_block(segment.leaders());
        }
        Self { segments, firsts, router: Router::new(leaders) }
    }

    /// The best `ask.cap` entries of each segment for each of `rows`, among the lists of the leaders nearest over all segments, in no order. Rows that are near each other and stand together share the work.
    pub fn near(
        &self,
        queries: &Vectors,
        rows: &[u32],
        ask: &Ask,
        keep: &(dyn Fn(u32, u32) -> bool + Sync),
    ) -> Vec<Vec<Hit>> {
        let of_chunk = |rows: &[u32]| {
            let mut asked: Vec<Asked> = self.segments.iter().map(|_| Asked::default()).collect();
            for (near, q) in self.router.nearest(queries, rows, &ask.probes).iter().zip(0..) {
                for hit in near {
                    let segment = self.firsts.partition_point(|&first| first <= hit.id) - 1;
                    asked[segment].push(hit.id - self.firsts[segment], q);
                }
            }
            let chunk = queries.gather(rows.iter().map(|&row| row as usize));
            let mut out: Vec<Vec<Hit>> = vec![Vec::new(); rows.len()];
            for (segment, asked) in self.segments.iter().zip(&mut asked) {
                let found = segment.near_chunk(&chunk, rows, asked, ask, keep);
                out.iter_mut().zip(found).for_each(|(out, best)| out.extend(best.into_hits()));
            }
            out
        };
        let parts: Vec<Vec<Vec<Hit>>> = rows.par_chunks(CHUNK).map(of_chunk).collect();
        parts.into_iter().flatten().collect()
    }
}

/// The best `ask.cap` entries of all `segments` for one vector (the first of `query`), best first, among the lists of the leaders that are
/// nearest over all of them; the least number of lists is meant for each segment, the most for all. What is asked for is read where it lies,
/// and a segment that has nothing near is not read at all. All leaders are ranked; for many vectors [`Segments`] is cheaper.
pub fn search<B: AsRef<[u8]> + Sync>(
    segments: &[Segment<B>],
    query: &Vectors,
    ask: &Ask,
    keep: &(dyn Fn(u32) -> bool + Sync),
) -> Vec<Hit> {
    let of_segment = |(number, segment): (usize, &Segment<B>)| {
        segment.nearest_leaders(query, ask.probes.most).into_iter().map(move |hit| (number, hit)).collect::<Vec<_>>()
    };
    let mut near: Vec<(usize, Hit)> = segments.iter().enumerate().flat_map(of_segment).collect();
    near.sort_by(|(a, x), (b, y)| best_first(x, y).then(a.cmp(b)));
    let ranked: Vec<Hit> = near.iter().map(|(_, hit)| *hit).collect();
    let probes = Probes { least: ask.probes.least * segments.len(), ..ask.probes };
    let asked = probes.of(&ranked).count();
    let mut lists = vec![Vec::new(); segments.len()];
    near[..asked].iter().for_each(|(segment, hit)| lists[*segment].push(hit.id));
    let mut best = Best::new(ask.cap);
    for (segment, lists) in segments.iter().zip(lists).filter(|(_, lists)| !lists.is_empty()) {
        let found = segment.near_listed(query, &[0], &[lists], ask, &|_, id| keep(id));
        found.into_iter().flatten().for_each(|hit| best.offer(hit));
    }
    best.into_sorted()
}
