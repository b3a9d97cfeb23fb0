//! One ring with all that its charts need: members, its e-value by night and stream, and who used which of its families when.
//!
//! The idea: the ring's page draws a timeline, members against families by day, and a graph of both; all three are of the same list of uses, each
//! with its moments. Weakness: of a ring with very many uses the list is cut, to those of its surest members in its widest families. Guarantee: how
//! many were cut is said, and a use of what was forgotten is not in it.

use super::rings::{Counting, called, named, names_of, streams};
use crate::error::Result;
use crate::ids::{AccountId, FamilyId};
use crate::report::date;
use crate::report::ring::{Ring, RingMember, RingsMeta};
use crate::ring;
use crate::store::Store;
use crate::stored::rings::{InCommon, Night, found, nights};
use crate::stored::standing::{Standings, level_of};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Uses that a page holds at most.
const MOST_MOMENTS: usize = 5_000;

/// What a ring had on a night.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RingNight {
    /// The day.
    #[serde(serialize_with = "date")]
    pub day: i64,
    /// Decimal logarithm of the e-value that decides, as it was then.
    pub log10_e: f64,
    /// Evidence by stream as it was known then, as [`Ring::streams`].
    pub streams: BTreeMap<&'static str, Option<f64>>,
}

/// A member used a family on a day: the member's place in `members`, the family's first place in the ring's list of families, the first and the last moment
/// in microseconds since 1970, requests.
pub type Moment = (u32, u32, i64, i64, u64);

/// A ring with its members and what its charts are drawn of.
#[derive(Debug, Serialize)]
pub struct RingPage<'a> {
    /// Version of this form.
    pub schema: u32,
    /// The ring, alone in a list.
    pub rings: &'a [Ring],
    /// What stands behind the list of rings.
    pub rings_meta: &'a RingsMeta,
    /// Its members, the likeliest first: as many as were asked for.
    pub members: &'a [RingMember],
    /// How many more it has.
    pub members_left_out: u64,
    /// Which of the first 60 members used which of the first 60 families on the day on which they were new: places in both lists.
    pub uses: Vec<(u8, u8)>,
    /// What it had on each night, oldest first; nights of which nothing is known are left out.
    pub by_night: Vec<RingNight>,
    /// Who of these members used what when, in the order of time; days are those of UTC.
    pub moments: Vec<Moment>,
    /// How many of them were cut.
    pub moments_left_out: u64,
}

/// The page of the first of these rings, with its first members, `most` of them.
/// # Errors
/// `Store` when the store is damaged.
pub fn ring_page(store: &Store, rings: &[Ring], meta: &RingsMeta, most: usize) -> Result<serde_json::Value> {
    let kept = found(store)?.unwrap_or_default();
    let current = kept.rings.iter().map(|(ring, in_common)| (ring, in_common));
    let past = kept.past.iter().map(|(past, in_common)| (&past.ring, in_common));
    let shown = rings.first();
    let of = current.chain(past).find(|(ring, _)| shown.is_some_and(|shown| shown.id == called(ring.name)));
    let all = shown.map_or(&[][..], |ring| &ring.members);
    let members = &all[..all.len().min(most)];
    let (by_night, (moments, moments_left_out)) = match (of, shown) {
        (Some((ring, in_common)), Some(shown)) => {
            (by_night(store, ring, in_common)?, moments(store, ring, (shown, members))?)
        }
        _ => Default::default(),
    };
    let uses = shown.into_iter().flat_map(|ring| &ring.uses).filter(|(member, _)| usize::from(*member) < members.len());
    let page = RingPage {
        schema: 1,
        rings,
        rings_meta: meta,
        members,
        members_left_out: (all.len() - members.len()) as u64,
        uses: uses.copied().collect(),
        by_night,
        moments,
        moments_left_out,
    };
    Ok(serde_json::json!(page))
}

/// What a ring had on each night.
fn by_night(store: &Store, ring: &ring::Ring, in_common: &InCommon) -> Result<Vec<RingNight>> {
    let of_night = |night: &Night| {
        let route = night.streams.map_or(ring.route, ring::Route::Persistent);
        RingNight {
            day: i64::from(night.day),
            log10_e: night.ln_e / std::f64::consts::LN_10,
            streams: named(&streams((&route, night.ln_e), in_common, (ring.confirmed, night.day))),
        }
    };
    Ok(nights(store)?.get(&ring.name).map(|nights| nights.iter().map(of_night).collect()).unwrap_or_default())
}

/// Who of these members used what when, and how many such uses are left out.
fn moments(store: &Store, ring: &ring::Ring, (shown, members): (&Ring, &[RingMember])) -> Result<(Vec<Moment>, u64)> {
    let names = names_of(store, std::iter::once(ring))?;
    let members: HashMap<AccountId, u32> = members.iter().map(|member| member.account).zip(0..).collect();
    let accounts: HashMap<u32, u32> =
        names.iter().filter_map(|(number, name)| Some((*number, *members.get(name)?))).collect();
    let mut places: HashMap<FamilyId, u32> = HashMap::new();
    for (family, place) in shown.families.iter().zip(0..) {
        places.entry(family.family_id).or_insert(place);
    }
    let standings = Standings::open_kept(store)?;
    let place = |family: u64| {
        let head = standings.as_ref()?.head(family)?;
        places.get(&FamilyId { level: level_of(family).0, lead: head.id }).copied()
    };
    let families: BTreeSet<u64> = ring.families.iter().map(|family| family.1).collect();
    let families: HashMap<u64, u32> =
        families.into_iter().filter_map(|family| Some((family, place(family)?))).collect();
    let mut numbers: Vec<(u32, u32)> = accounts.into_iter().map(|(account, member)| (member, account)).collect();
    numbers.sort_unstable();
    // One member after another, so that what is kept is bounded while the uses are read: the first of this order stay.
    let (counting, mut kept) = (Counting::open(store)?, Firsts::new(MOST_MOMENTS));
    for (member, account) in numbers {
        let mut own: BTreeMap<(u32, i32), (i64, i64, u64)> = BTreeMap::new();
        for used in counting.of(account, |family| families.contains_key(&family)) {
            let of_day = own.entry((families[&used.family], used.day)).or_insert((used.first, used.last, 0));
            *of_day = (of_day.0.min(used.first), of_day.1.max(used.last), of_day.2 + u64::from(used.requests));
        }
        for ((family, _), (from, to, requests)) in own {
            kept.add((member, family, from, to, requests));
        }
    }
    Ok(kept.in_time())
}

/// The first moments in the order of members and families, a bounded number of them.
struct Firsts {
    most: usize,
    kept: BTreeMap<(u32, u32, u32, i64), Moment>,
    left_out: u64,
}

impl Firsts {
    fn new(most: usize) -> Self {
        Self { most, kept: BTreeMap::new(), left_out: 0 }
    }

    fn add(&mut self, moment: Moment) {
        let (member, family, first, ..) = moment;
        let _ = self.kept.insert((member.max(family), member, family, first), moment);
        if self.kept.len() > self.most {
            let _ = self.kept.pop_last();
            self.left_out += 1;
        }
    }

    /// Those that were kept, in the order of time, and how many were not.
    fn in_time(self) -> (Vec<Moment>, u64) {
        let mut out: Vec<Moment> = self.kept.into_values().collect();
        out.sort_by_key(|&(member, family, first, ..)| (first, member, family));
        (out, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_a_list_that_is_cut_when_it_is_whole() {
        let moments: Vec<Moment> =
            (0..600u32).map(|i| (i * 7 % 40, i * 11 % 30, i64::from(i * 13 % 500), 999, 1)).collect();
        for most in [1, 50, 599, 600, 700] {
            let mut kept = Firsts::new(most);
            moments.iter().for_each(|&moment| kept.add(moment));
            let mut whole = moments.clone();
            whole.sort_by_key(|&(member, family, first, ..)| (member.max(family), member, family, first));
            whole.truncate(most);
            whole.sort_by_key(|&(member, family, first, ..)| (first, member, family));
            assert_eq!(kept.in_time(), (whole, 600u64.saturating_sub(most as u64)), "{most}");
        }
    }
}
