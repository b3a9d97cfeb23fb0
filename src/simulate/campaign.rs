//! A planted campaign: its accounts, its prompt family, how it edits its copies, how slowly it spreads them.
//!
//! A campaign has one to three seeds. A seed of the grammars fixes a role, a task, rules and a form of answer and fills the
//! task's slots anew for each item of its work list; a seed from given texts is a whole text. Some campaigns send seeds as
//! they are but for edits, others only fill slots, others do both. Each item goes to a few accounts in a wave: seconds,
//! minutes or days apart. The rest of each account's quota is innocent. Weakness: a campaign neither learns nor pauses.

use super::draw::{below, between, chance, log_normal, pick, shuffle, stream};
use super::edits::{self, Edit};
use super::grammar::tables;
use super::record::{HOUR, Record, SECOND, Span, What};
use super::source::Source;
use rand_chacha::ChaCha8Rng;

/// How far apart the accounts of a wave send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lag {
    /// Seconds.
    Fast,
    /// Minutes: median 10, quartiles 5 and 24, as measured on a real campaign.
    Slow,
    /// Any time of the whole span.
    VerySlow,
}

impl Lag {
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        pick(rng, &[Self::Fast, Self::Slow, Self::Slow, Self::VerySlow])
    }
}

/// What the operator decided once.
pub(super) struct Campaign {
    /// The accounts, by position.
    pub(super) accounts: std::ops::Range<usize>,
    /// The seeds; slots are open.
    pub(super) seeds: Vec<String>,
    /// Share of its items whose slots are filled anew.
    fresh: f64,
    /// Share of its items that are edited beyond that, how, and how strongly.
    edited: f64,
    repertoire: Vec<Edit>,
    strength: f64,
    pub(super) lag: Lag,
    /// Share of innocent prompts that it aims at.
    pub(super) dilution: f64,
}

impl Campaign {
    pub(super) fn new(seed: u64, number: u64, accounts: std::ops::Range<usize>, source: &Source<'_>) -> Self {
        let rng = &mut stream(seed, "campaign", number, 0);
        // Kinds of edits are dealt out in turn, so that a world with a few campaigns has most of them.
        let mut kinds: Vec<Edit> = Edit::ALL.into_iter().filter(|kind| *kind != Edit::Slot).collect();
        shuffle(&mut stream(seed, "kinds", 0, 0), &mut kinds);
        let first = 3 * number as usize % kinds.len();
        kinds.rotate_left(first);
        kinds.truncate(2 + below(rng, 3));
        let style = [2, 0, 1, 0, 2][number as usize % 5];
        let seeds = (0..1 + below(rng, 3)).map(|_| seed_text(source, rng)).collect();
        Self {
            accounts,
            seeds,
            fresh: [0.0, 1.0, 0.6][style],
            edited: [0.8, 0.0, 0.4][style],
            repertoire: kinds,
            strength: edits::strength(rng),
            lag: Lag::draw(rng),
            dilution: between(rng, 0.5, 0.95),
        }
    }

    /// Plans the campaign's own exchanges and takes them from its accounts' quotas.
    pub(super) fn waves(
        &self,
        number: u32,
        span: Span,
        left: &mut [u64],
        records: &mut Vec<Record>,
        rng: &mut ChaCha8Rng,
    ) {
        // Two each at least, so that a campaign is seen at all; never more than the account sends.
        let own = |quota: u64| ((quota as f64 * (1.0 - self.dilution)).round() as u64).max(2).min(quota);
        let todo = left[self.accounts.clone()].iter().map(|&quota| own(quota)).collect();
        let what = |item| What::Campaign { campaign: number, item };
        spread(self.lag, self.accounts.start, todo, what, span, left, records, rng);
    }

    /// The text of one exchange: the seed's number, the text, and the names of the edits that changed it.
    pub(super) fn text(
        &self,
        seed: u64,
        number: u32,
        item: u32,
        source: &Source<'_>,
        rng: &mut ChaCha8Rng,
    ) -> (usize, String, String) {
        let of_item = &mut stream(seed, "item", u64::from(number), u64::from(item));
        let which = below(of_item, self.seeds.len());
        let frame = &self.seeds[which];
        let mut names: Vec<&str> = Vec::new();
        let fresh = chance(of_item, self.fresh);
        let mut text = if fresh && !source.is_given() {
            names.push(Edit::Slot.word());
            source.grammar.fill_open(frame, of_item)
        } else {
            source.grammar.fill_open(frame, &mut stream(seed, "first-item", u64::from(number), which as u64))
        };
        if fresh
            && source.is_given()
            && let Some(changed) = edits::apply(Edit::Slot, &text, self.strength, "", of_item)
        {
            names.push(Edit::Slot.word());
            text = changed;
        }
        if chance(rng, self.edited) {
            let kind = pick(rng, &self.repertoire);
            let filler = if matches!(kind, Edit::Pad15 | Edit::Pad3) { source.whole(rng, 120) } else { "".into() };
            if let Some(changed) = edits::apply(kind, &text, self.strength, &filler, rng) {
                names.push(kind.word());
                text = changed;
            }
        }
        (which, text, if names.is_empty() { "none".to_owned() } else { names.join("+") })
    }
}

/// Plans what is `todo` of each account of a campaign from the account `first` on, in waves that lie as far apart as `lag`
/// says, and takes it from the accounts' quotas. `what` is one wave's item.
#[expect(clippy::too_many_arguments, reason = "two call sites; a struct would only rename the arguments")]
pub(super) fn spread(
    lag: Lag,
    first: usize,
    mut todo: Vec<u64>,
    what: impl Fn(u32) -> What,
    span: Span,
    left: &mut [u64],
    records: &mut Vec<Record>,
    rng: &mut ChaCha8Rng,
) {
    let office = below(rng, 24) as i64;
    let mut order: Vec<usize> = (0..todo.len()).collect();
    let mut item = 0;
    while todo.iter().any(|&n| n > 0) {
        shuffle(rng, &mut order);
        // A wave reaches between three accounts and all of them.
        let reach = 3 + below(rng, order.len().saturating_sub(2).max(1));
        let days = (span.end - span.start) / (24 * HOUR);
        let day = below(rng, days as usize) as i64;
        // Operators keep office hours: nine hours carry the work.
        let mut time = span.start + (day * 24 + office) * HOUR + (between(rng, 0.0, 9.0) * HOUR as f64) as i64;
        for &member in order.iter().filter(|&&member| todo[member] > 0).take(reach).collect::<Vec<_>>() {
            let at = match lag {
                Lag::VerySlow => span.start + (between(rng, 0.0, 1.0) * (span.end - span.start - 1) as f64) as i64,
                _ => time,
            };
            let account = first + member;
            records.push(Record { time: span.wrap(at), account: account as u32, conversation: 0, what: what(item) });
            todo[member] -= 1;
            left[account] -= 1;
            let lag = match lag {
                Lag::Fast => log_normal(rng, 6.0, 0.8),
                _ => log_normal(rng, 600.0, 1.15),
            };
            time += (lag * SECOND as f64) as i64;
        }
        item += 1;
    }
}

/// One seed: a prompt family of the campaign's own, or a whole text of those given.
fn seed_text(source: &Source<'_>, rng: &mut ChaCha8Rng) -> String {
    if source.is_given() {
        // The marks of an open slot are no part of what was given.
        return source.whole(rng, 60).replace(['«', '»'], "\"");
    }
    let tables = &tables().campaigns;
    let mut parts = vec![pick(rng, &tables.roles), pick(rng, &tables.tasks)];
    let mut rules: Vec<&str> = tables.rules.clone();
    shuffle(rng, &mut rules);
    parts.extend(&rules[..1 + below(rng, 3)]);
    parts.push(pick(rng, &tables.forms));
    parts.retain(|part| !part.is_empty());
    source.grammar.fill(&parts.join("\n"), rng)
}
