//! Walks through the days in order: confirms what earlier days proposed, then proposes, then freezes.
//!
//! The idea: what is proposed on a day is written down, with its digest, before a use of the next day is read. Every later day is fresh data,
//! so evidence multiplies. What shares new text on one day only would never be tested so: the day's texts are split in two halves by
//! neighbourhood, and what one half proposes the other tests at once (sample splitting, Cox 1975). Evidence counts at declared horizons only
//! (0 for a half, 1, 3, 7 and 28 days); their mean, those ahead as zero, is one e-value that can only grow, and e-BH chooses among all groups of one day by it. So of the groups proposed on one day at most a share q
//! of those confirmed is expected to be innocent, whenever one looks. The first day's halves are tested on the second, when it is known which of its texts
//! were new ([`super::backwards`]). Weakness: a group is tested as it was frozen; whoever joins later is
//! found by membership, not here. Guarantee: the same days give the same state, whatever commits they came in.

use super::backwards::backwards;
use super::confirm::{AFFINITIES, LnE, Prepared};
use super::day::{Choice, Day, Subjects};
use super::interests::Interests;
use super::member::{self, Evidence};
use super::null::{Fitted, Null};
use super::persistent::Texts;
use super::propose::{Proposal, Reason, WINDOW, propose};
use super::sensitivity::{CHANGES, OfEach, Others, Otherwise, nulls};
use crate::ids::Digest;
use crate::stats::{e_bh, ln_mean};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};

/// Days after the proposal at which evidence counts; the day itself counts for what half of its texts proposed.
pub const HORIZONS: [i32; 5] = [0, 1, 3, 7, 28];
/// Days of which evidence is kept to tell members.
pub const KEPT: i32 = 28;
/// Days after its proposal for which a confirmed group speaks for a ring: what goes on is proposed and confirmed again by then.
const SPEAKS: i32 = KEPT + WINDOW;

/// ln of the evidence from which on what a group shares is kept, so that a later confirmation finds the days before it: ten.
const LN_SUSPECTED: f64 = std::f64::consts::LN_10;

/// How groups are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RingConfig {
    /// Share of false ones expected among the groups that are confirmed of one day's proposals.
    pub q: f64,
    /// Seconds after midnight UTC at which a day begins, may be negative.
    pub day_starts: i32,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self { q: 0.01, day_starts: 0 }
    }
}

/// A group under test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The day that proposed it.
    pub day: i32,
    /// The day whose texts did: the same, or on the second day the store's first, read backwards.
    pub of: i32,
    /// Which half of those texts did, the other half being its first test; none where all of them did.
    pub half: Option<u8>,
    /// Why.
    pub reason: Reason,
    /// Its accounts, sorted.
    pub accounts: Vec<u32>,
    /// ln E of the days since, for each affinity.
    pub ln_e: LnE,
    /// The same at each horizon that is reached.
    pub at_horizons: Vec<LnE>,
    /// The largest affinity at which it is confirmed, as a place in [`AFFINITIES`].
    pub survives: Option<u8>,
    /// The day on which it was first confirmed.
    pub confirmed: Option<i32>,
    /// Its evidence where the test is changed.
    pub otherwise: Otherwise,
}

impl Group {
    fn frozen(day: i32, half: Option<u8>, proposal: Proposal) -> Self {
        let Proposal { reason, accounts } = proposal;
        let ln_e = [0.0; AFFINITIES.len()];
        let (at_horizons, otherwise) = (Vec::new(), Otherwise::default());
        Self { day, of: day, half, reason, accounts, ln_e, at_horizons, survives: None, confirmed: None, otherwise }
    }

    /// Whether it is confirmed and speaks for a ring on a day.
    pub(super) fn speaks(&self, day: i32) -> bool {
        self.confirmed.is_some() && self.day + SPEAKS >= day
    }

    /// Groups in the order in which they name a ring: whatever is confirmed later comes later.
    pub(super) fn order(&self) -> impl Ord + use<> {
        (self.confirmed, self.day, self.accounts.len(), self.accounts.clone())
    }

    /// Days after the proposal at which its evidence counts.
    fn horizons(&self) -> &'static [i32] {
        if self.half.is_some() { &HORIZONS } else { &HORIZONS[1..] }
    }

    /// Notes the evidence at horizons that a day reaches.
    fn reach(&mut self, day: i32) {
        let horizons = self.horizons();
        while self.at_horizons.len() < horizons.len() && self.day + horizons[self.at_horizons.len()] <= day {
            self.at_horizons.push(self.ln_e);
            self.otherwise.at_horizons.push(self.otherwise.ln_e);
        }
    }

    /// ln of the e-value that decides, for an affinity given by its place: the mean over all horizons, those ahead as zero.
    #[must_use]
    pub fn ln_decisive(&self, affinity: usize) -> f64 {
        let mut at = [f64::NEG_INFINITY; HORIZONS.len()];
        self.at_horizons.iter().zip(&mut at).for_each(|(ln_e, at)| *at = ln_e[affinity]);
        ln_mean(&at[..self.horizons().len()])
    }

    /// The same of evidence that is given for each day, of which `newest` is the last that was read.
    pub(super) fn mean_over_horizons(&self, newest: i32, days: &[(i32, LnE)]) -> LnE {
        let horizons = self.horizons();
        std::array::from_fn(|affinity| {
            let at = horizons.iter().map(|horizon| self.day + horizon).map(|until| {
                let through = days.iter().filter(|(day, _)| *day <= until).map(|(_, ln_e)| ln_e[affinity]);
                if until <= newest { through.sum() } else { f64::NEG_INFINITY }
            });
            ln_mean(&at.collect::<Vec<f64>>())
        })
    }

    /// The same at the first affinity, under a change of the test that is given by its place in [`CHANGES`].
    #[must_use]
    pub fn ln_changed(&self, change: usize) -> f64 {
        self.otherwise.ln_decisive(change, self.horizons().len())
    }

    /// What names a ring of which it is the first group: digest of its day and accounts.
    #[must_use]
    pub fn name(&self) -> [u8; 32] {
        let mut bytes = self.day.to_le_bytes().to_vec();
        self.accounts.iter().for_each(|account| bytes.extend(account.to_le_bytes()));
        Digest::of(&bytes).0
    }

    /// The days on which its evidence counted, each with ln of the e-value that decides as it was then, at the first affinity.
    #[must_use]
    pub fn history(&self) -> Vec<(i32, f64)> {
        let horizons = self.horizons();
        let mut at = vec![f64::NEG_INFINITY; horizons.len()];
        let reached = self.at_horizons.iter().zip(horizons).enumerate();
        reached
            .map(|(i, (ln_e, horizon))| {
                at[i] = ln_e[0];
                (self.day + horizon, ln_mean(&at))
            })
            .collect()
    }

    /// Whether it has evidence so far, or is tested to its last day whatever it has.
    fn has_evidence(&self) -> bool {
        self.ln_e[0] > 0.0 || self.confirmed.is_some() || self.reason == Reason::Analyst
    }
}

/// What one day did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DayRecord {
    /// The day.
    pub day: i32,
    /// Accounts that were active.
    pub accounts: u64,
    /// Families that were new to two accounts or more.
    pub families: u64,
    /// Largest relative residual of the null's fit.
    pub residual: f64,
    /// Families without a fit.
    pub left_out: u64,
    /// Groups of days before that were tested.
    pub tested: u64,
    /// Tests of the day: of those groups, and of halves against each other.
    pub tests: u64,
    /// Sum of their e-values at the first affinity; under the null their mean is at most one.
    pub sum_e: f64,
    /// Groups that the day proposed; of the first day those of its halves too, once the second is known.
    pub proposed: u64,
    /// Groups that a bound left out.
    pub cut: u64,
    /// Digest of the groups that the day proposed.
    pub frozen: [u8; 32],
}

/// All that the next day needs of the days before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What accounts asked about.
    pub interests: Interests,
    /// Choices that were new to their accounts, with the day, of the last [`WINDOW`] days: sorted by day.
    pub recent: Vec<(i32, Choice)>,
    /// Groups under test and confirmed ones.
    pub groups: Vec<Group>,
    /// What confirmed groups shared.
    pub evidence: Vec<Evidence>,
    /// Texts that are sent day after day.
    pub texts: Texts,
    /// The first day, until the second is read.
    pub first: Option<Day>,
    /// The days, oldest first.
    pub days: Vec<DayRecord>,
}

impl State {
    /// The last day that was read.
    #[must_use]
    pub fn through(&self) -> Option<i32> {
        self.days.last().map(|day| day.day)
    }

    /// Reads a day, which must be later than all before; `subjects` is asked about prompts of texts under test, those of days before too.
    #[must_use]
    pub fn with(self, day: &Day, config: &RingConfig, subjects: &Subjects<'_>) -> Self {
        let others = nulls(day, &self.interests);
        self.step(day, Some(&others), config, subjects)
    }

    /// The same, where nobody asks whether a finding stands under changes.
    #[must_use]
    pub(super) fn plainly_with(self, day: &Day, config: &RingConfig, subjects: &Subjects<'_>) -> Self {
        self.step(day, None, config, subjects)
    }

    /// Reads a day; `others` are the nulls of [`nulls`].
    fn step(mut self, day: &Day, others: Option<&Others>, config: &RingConfig, subjects: &Subjects<'_>) -> Self {
        let null = Null::fit(day, self.interests.of(day));
        let of_tests = self.confirm(day.day, &null, others);
        self.recent.retain(|(of, _)| *of > day.day - WINDOW);
        self.recent.extend(day.new.iter().map(|&choice| (day.day, choice)));
        // Those of the first day are chosen when its halves are among them.
        let is_second = self.days.len() == 1;
        let days: BTreeSet<i32> = self.groups.iter().map(|group| group.of).collect();
        days.iter().filter(|_| !is_second).for_each(|&of| self.choose(of, day.day, config));
        // What the days so far speak against is dropped, and may be proposed again: a night tests what is new and what has evidence.
        let stays = |group: &Group| group.has_evidence() && group.day + KEPT > day.day;
        self.groups.retain(|group| group.confirmed.is_some() || stays(group));
        let (mut groups, cut) = self.propose(day, &null, others);
        let back = self.first.take().filter(|_| is_second).and_then(|first| backwards(&first, day));
        let proposed = groups.len() as u64;
        let back = back.map(|first| {
            let interests = Interests::default().with(day);
            let null = Null::fit(&first, interests.of(&first));
            let others = others.map(|_| nulls(&first, &interests));
            for (own, left) in look_back(&first, &null, others.as_ref(), day.day) {
                // They are chosen among all that the first day's texts proposed.
                self.days[0].proposed += own.len() as u64;
                self.days[0].cut += left;
                groups.extend(own);
            }
            (first.day, null)
        });
        if self.days.is_empty() {
            self.first = Some(Day { wide: Vec::new(), sent: Vec::new(), ..day.clone() });
        }
        let frozen = digest(day.day, &groups).0;
        let of_halves = groups.iter().filter(|group| group.half.is_some()).map(|group| libm::exp(group.ln_e[0]));
        let e: Vec<f64> = of_tests.iter().copied().chain(of_halves).collect();
        self.groups.extend(groups);
        self.interests = self.interests.with(day);
        self.texts.read(day, config.q, subjects);
        self.days.push(DayRecord {
            day: day.day,
            accounts: null.weights.accounts.len() as u64,
            families: null.families.len() as u64,
            residual: null.residual,
            left_out: u64::from(null.left_out),
            tested: of_tests.len() as u64,
            tests: e.len() as u64,
            sum_e: e.iter().sum(),
            proposed,
            cut,
            frozen,
        });
        days.iter().filter(|_| is_second).chain([&day.day]).for_each(|&of| self.choose(of, day.day, config));
        let nulls = back.iter().map(|(day, null)| (*day, null)).chain([(day.day, &null)]);
        self.keep_evidence(day.day, nulls);
        self.thin(day.day);
        self
    }

    /// Of confirmed groups that do not speak any more, leaves the earliest that hold each account: they name rings.
    fn thin(&mut self, day: i32) {
        let is_old = |group: &Group| group.confirmed.is_some() && !group.speaks(day);
        let mut old: Vec<usize> = (0..self.groups.len()).filter(|&i| is_old(&self.groups[i])).collect();
        old.sort_by_key(|&i| self.groups[i].order());
        let mut held: HashSet<u32> = HashSet::new();
        let mut stays = vec![true; self.groups.len()];
        for i in old {
            // All are looked at, so that every account is held.
            let n = self.groups[i].accounts.iter().filter(|account| held.insert(**account)).count();
            stays[i] = n > 0;
        }
        let mut stays = stays.into_iter();
        self.groups.retain(|_| stays.next().unwrap_or(true));
    }

    /// Freezes a group that an analyst drew when `day` was the newest: later days test it. Returns the digest of what is frozen.
    pub fn draw(&mut self, day: i32, accounts: &[u32]) -> Digest {
        let group = Group::frozen(day, None, Proposal { reason: Reason::Analyst, accounts: accounts.to_vec() });
        let frozen = digest(day, std::slice::from_ref(&group));
        self.groups.push(group);
        frozen
    }

    /// Leaves out accounts, and what was chosen on days through one. What was concluded stays: sets of the accounts that are left, and numbers.
    pub fn forget(&mut self, is_gone: &dyn Fn(u32) -> bool, through: Option<i32>) {
        let is_past = |day: i32| through.is_some_and(|through| day <= through);
        if through.is_some() {
            self.interests = Interests::default();
        }
        self.interests.retain(&|account| !is_gone(account));
        self.recent.retain(|(day, choice)| !is_past(*day) && !is_gone(choice.account));
        self.first = self.first.take().filter(|first| !is_past(first.day));
        if let Some(first) = &mut self.first {
            first.forget(is_gone);
        }
        self.groups.iter_mut().for_each(|group| group.accounts.retain(|account| !is_gone(*account)));
        self.evidence.retain(|evidence| !is_past(evidence.day));
        self.evidence.iter_mut().for_each(|evidence| evidence.forget(is_gone));
        self.texts.forget(is_gone, &is_past);
    }

    /// Multiplies the evidence of groups by that of a day; returns the e-values of the day at the first affinity.
    fn confirm(&mut self, day: i32, null: &Null, others: Option<&Others>) -> Vec<f64> {
        let prepared = Prepared::new(null);
        let others = others.map(|others| others.each_ref().map(|null| null.as_ref().map(Prepared::new)));
        let open: Vec<&mut Group> =
            self.groups.iter_mut().filter(|group| group.day < day && group.day + KEPT >= day).collect();
        let test = |group: &mut Group| {
            // Days without a log between two of them reach horizons too.
            group.reach(day - 1);
            let places = places(null, &group.accounts);
            let (of_day, without_top) = prepared.ln_e_and_without_top(&places, AFFINITIES.len());
            group.ln_e.iter_mut().zip(of_day).for_each(|(all, of_day)| *all += of_day);
            if let Some(others) = others.as_ref().filter(|_| group.has_evidence()) {
                group.otherwise.add(changed(without_top, others, &places));
            }
            group.reach(day);
            libm::exp(of_day[0])
        };
        open.into_par_iter().map(test).collect()
    }

    /// Chooses among the groups that a day proposed.
    fn choose(&mut self, of: i32, day: i32, config: &RingConfig) {
        // A cohort whose last horizon is past has been decided.
        if of + KEPT < day {
            return;
        }
        let cohort: Vec<usize> = (0..self.groups.len()).filter(|&i| self.groups[i].of == of).collect();
        // Groups that were dropped have no evidence, and count among the hypotheses all the same. Those of analysts are never dropped.
        let drawn = cohort.iter().filter(|&&i| self.groups[i].reason == Reason::Analyst).count();
        let proposed = self.days.iter().find(|day| day.day == of).map_or(0, |day| day.proposed as usize) + drawn;
        for affinity in 0..AFFINITIES.len() {
            let mut ln_e: Vec<f64> = cohort.iter().map(|&i| self.groups[i].ln_decisive(affinity)).collect();
            ln_e.resize(proposed.max(cohort.len()), f64::NEG_INFINITY);
            for (&i, rejected) in cohort.iter().zip(e_bh(&ln_e, config.q)) {
                let group = &mut self.groups[i];
                if rejected {
                    group.survives = group.survives.max(Some(affinity as u8));
                    group.confirmed.get_or_insert(day);
                }
            }
        }
        // The same choice under each change: told of groups that are confirmed.
        if cohort.iter().all(|&i| self.groups[i].confirmed.is_none()) {
            return;
        }
        for change in 0..CHANGES.len() {
            let mut ln_e: Vec<f64> = cohort.iter().map(|&i| self.groups[i].ln_changed(change)).collect();
            ln_e.resize(proposed.max(cohort.len()), f64::NEG_INFINITY);
            for (&i, rejected) in cohort.iter().zip(e_bh(&ln_e, config.q)) {
                self.groups[i].otherwise.stands[change] |= rejected;
            }
        }
    }

    /// Keeps what tells members of confirmed groups: who chose which family that accounts of such groups share. Of the first day this is known on the second.
    fn keep_evidence<'a>(&mut self, day: i32, nulls: impl Iterator<Item = (i32, &'a Null)>) {
        let is_new = |group: &Group| group.confirmed.is_none() && group.ln_e[0] > LN_SUSPECTED;
        let is_suspected = |group: &&Group| group.speaks(day) || is_new(group);
        let groups = self.groups.iter().filter(is_suspected);
        let accounts: HashSet<u32> = groups.flat_map(|group| group.accounts.iter().copied()).collect();
        let is_suspected = |account: u32| accounts.contains(&account);
        self.evidence.retain(|evidence| evidence.day > day - KEPT);
        self.evidence.extend(nulls.filter_map(|(day, null)| member::evidence(day, null, &is_suspected)));
    }

    /// What a day proposes that is not under test already: from all of its texts for later days to test, and from each half of them for the
    /// other half and later days. Accounts of no past have used nothing before, so the first day is not halved until the second is known ([`look_back`]).
    fn propose(&self, day: &Day, null: &Null, others: Option<&Others>) -> (Vec<Group>, u64) {
        let (mut out, mut cut) = (Vec::new(), 0);
        let halves = if self.days.is_empty() { &[None][..] } else { &[None, Some(0), Some(1)] };
        for &half in halves {
            let of = |family: u64| half.is_none_or(|half| day.half(family) == half);
            let (proposals, left) = self.proposals(day, &of);
            cut += left;
            let groups = proposals.into_iter().map(|proposal| Group::frozen(day.day, half, proposal)).collect();
            out.append(&mut match half {
                Some(_) => tested(groups, &|family| !of(family), null, others),
                None => groups,
            });
        }
        (out, cut)
    }

    /// What a day proposes from the texts of which `of` says so, beside those of days before; nothing that is under test already.
    fn proposals(&self, day: &Day, of: &dyn Fn(u64) -> bool) -> (Vec<Proposal>, u64) {
        let from = self.recent.partition_point(|(of, _)| *of <= day.day - WINDOW);
        let counts = |(on, choice): &&(i32, Choice)| *on < day.day || of(choice.family);
        let mut recent: Vec<Choice> = self.recent[from..].iter().filter(counts).map(|(_, choice)| *choice).collect();
        recent.sort_unstable();
        recent.dedup();
        let mut accounts: Vec<u32> = recent.iter().map(|choice| choice.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let met = |family: u64| {
            let at = day.new.partition_point(|choice| choice.family < family);
            day.new.get(at).is_some_and(|choice| choice.family == family) && of(family)
        };
        let open = self.groups.iter().filter(|group| group.day + KEPT >= day.day);
        let open: HashSet<&[u32]> = open.map(|group| group.accounts.as_slice()).collect();
        let today: Vec<Choice> = day.new.iter().filter(|choice| of(choice.family)).copied().collect();
        let proposals = propose(&recent, &met, &today, accounts.len());
        let mut groups = proposals.groups;
        groups.retain(|group| !open.contains(group.accounts.as_slice()));
        (groups, proposals.cut)
    }
}

/// What the halves of the first day, read backwards, propose on the second, each tested by the other.
fn look_back(first: &Day, null: &Null, others: Option<&Others>, day: i32) -> [(Vec<Group>, u64); 2] {
    let propose = |half: u8| {
        let own: Vec<Choice> = first.new.iter().filter(|choice| first.half(choice.family) == half).copied().collect();
        let mut accounts: Vec<u32> = own.iter().map(|choice| choice.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let proposals = propose(&own, &|_| true, &own, accounts.len());
        let frozen = |proposal| Group { of: first.day, ..Group::frozen(day, Some(half), proposal) };
        let groups = proposals.groups.into_iter().map(frozen).collect();
        (tested(groups, &|family| first.half(family) != half, null, others), proposals.cut)
    };
    [0, 1].map(propose)
}

/// Groups that half of a day's texts proposed, with the evidence of those texts that did not: of which `counts` says so.
fn tested(mut groups: Vec<Group>, counts: &dyn Fn(u64) -> bool, null: &Null, others: Option<&Others>) -> Vec<Group> {
    let counts = |family: &Fitted| counts(family.family);
    let prepared = Prepared::with(null, &counts);
    let others =
        others.map(|others| others.each_ref().map(|null| null.as_ref().map(|null| Prepared::with(null, &counts))));
    groups.par_iter_mut().for_each(|group| {
        let places = places(null, &group.accounts);
        let (of_half, without_top) = prepared.ln_e_and_without_top(&places, AFFINITIES.len());
        group.ln_e = of_half;
        if let Some(others) = others.as_ref().filter(|_| group.has_evidence()) {
            group.otherwise.add(changed(without_top, others, &places));
        }
        group.reach(group.day);
    });
    groups
}

/// ln E of a day under each change, nothing where the day does not know what is asked; accounts have the same places in every null of a day.
fn changed(without_top: f64, others: &[Option<Prepared<'_>>], places: &[u32]) -> OfEach {
    let of = |other: &Option<Prepared<'_>>| other.as_ref().map_or(f64::NEG_INFINITY, |other| other.ln_e_first(places));
    let mut out = [without_top; CHANGES.len()];
    out[1..].iter_mut().zip(others).for_each(|(ln_e, other)| *ln_e = of(other));
    out
}

/// Places of accounts among those of a day.
fn places(null: &Null, accounts: &[u32]) -> Vec<u32> {
    accounts.iter().filter_map(|&account| null.weights.place(account)).map(|place| place as u32).collect()
}

/// Digest of the groups that a day proposed: what proposed each and numbers of its accounts, in order.
fn digest(day: i32, groups: &[Group]) -> Digest {
    let mut bytes = Vec::new();
    bytes.extend(day.to_le_bytes());
    for group in groups {
        bytes.extend(group.half);
        bytes.extend(Some(group.of).filter(|of| *of != day).iter().flat_map(|of| of.to_le_bytes()));
        bytes.extend((group.accounts.len() as u32).to_le_bytes());
        group.accounts.iter().for_each(|account| bytes.extend(account.to_le_bytes()));
    }
    Digest::of(&bytes)
}
