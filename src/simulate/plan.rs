//! When who sends what: the light records of a world, before any text is made.
//!
//! People come in sessions, whose starts follow a Gamma law of the configured unevenness in a time that runs fast when
//! the person is awake and slow when they sleep; programs come in bursts of the same law without sessions. Events (a prompt
//! that goes round, a class exercise, a campaign's waves) take their exchanges out of the quotas first. Weakness: a session
//! that would end after the world does is moved forward as a whole. Guarantee: exactly the configured number of exchanges,
//! all inside the configured days, sorted by time.

use super::SimulateConfig;
use super::accounts::{Account, Class, people};
use super::campaign::Campaign;
use super::draw::{below, between, chance, cumulate, gamma_cv, geometric, log_normal, shuffle, stream, zipf};
use super::fragment::FragmentCampaign;
use super::planned::{Planned, Scene};
use super::queue::QueueCampaign;
use super::record::{DAY, HOUR, Record, SECOND, Span, What};
use super::source::{POPULAR, Source, TEXT_ZIPF};
use rand_chacha::ChaCha8Rng;

/// A prompt that many accounts copy for innocent reasons.
pub(super) struct Event {
    pub(super) text: String,
    /// A class exercise, not a prompt that goes round.
    pub(super) exercise: bool,
}

/// Draws of the texts: which rank of an interest comes next.
pub(super) struct Deck<'s, 'a> {
    source: &'s Source<'a>,
    repeats: f64,
    next: Vec<u32>,
}

impl<'s, 'a> Deck<'s, 'a> {
    pub(super) fn new(source: &'s Source<'a>, repeats: f64) -> Self {
        Self { source, repeats, next: vec![POPULAR; source.interests()] }
    }

    /// A text for `account`: eight times in ten of its interests.
    fn draw(&mut self, account: &Account, rng: &mut ChaCha8Rng, repeats: f64) -> (u32, u32) {
        let own = chance(rng, 0.8) && !account.interests.is_empty();
        let interest =
            if own { account.interests[below(rng, account.interests.len())] } else { self.source.interest(rng) };
        let size = self.source.size(interest);
        let next = &mut self.next[interest as usize];
        if chance(rng, repeats) {
            return (interest, self.source.popular(interest, rng));
        }
        if *next < size {
            *next += 1;
            return (interest, *next - 1);
        }
        // The interest has been asked through: something else, and where that is asked through as well, it comes again.
        for _ in 0..8 {
            let other = self.source.interest(rng);
            let next = &mut self.next[other as usize];
            if *next < self.source.size(other) {
                *next += 1;
                return (other, *next - 1);
            }
        }
        (interest, below(rng, size as usize) as u32)
    }

    /// What an account asks of its own accord.
    pub(super) fn text(&mut self, account: &Account, rng: &mut ChaCha8Rng) -> What {
        let (interest, rank) = self.draw(account, rng, self.repeats);
        What::Text { interest, rank, app: account.app.is_some() && chance(rng, 0.6) }
    }
}

/// Running sum of how much an account does in each hour of the span.
fn rhythm(account: &Account, span: Span, days: &[f64]) -> Vec<f64> {
    let hours = (span.end - span.start) / HOUR;
    cumulate((0..hours).map(|hour| {
        let at = span.start + hour * HOUR;
        let local = (at + account.zone * HOUR).rem_euclid(DAY) as f64 / HOUR as f64;
        let day = ((at - span.start) / DAY) as usize;
        let angle = (local + 0.5 - account.peak) / 24.0 * std::f64::consts::TAU;
        // 1970-01-01 was a Thursday.
        let weekend = (at + account.zone * HOUR).div_euclid(DAY).rem_euclid(7) >= 2
            && (at + account.zone * HOUR).div_euclid(DAY).rem_euclid(7) < 4;
        let rest = if weekend && account.class != Class::Api { 0.65 } else { 1.0 };
        libm::exp(account.strict * libm::cos(angle)) * rest * days[day]
    }))
}

/// `n` moments of an account, in order: a Gamma process in the account's own time.
fn moments(account: &Account, span: Span, days: &[f64], n: usize, rng: &mut ChaCha8Rng) -> Vec<i64> {
    let rhythm = rhythm(account, span, days);
    let total = rhythm.last().copied().unwrap_or(1.0);
    // The gap before the first is what is left of a gap that began before the world did.
    let mut gaps: Vec<f64> = (0..=n).map(|_| gamma_cv(rng, account.cv)).collect();
    let sum: f64 = gaps.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let first = if n == 1 || account.class == Class::Api { unit_shift(rng, sum) } else { 0.0 };
    let mut at = first;
    gaps.truncate(n);
    let mut out: Vec<i64> = gaps
        .into_iter()
        .map(|gap| {
            at += gap;
            let target = (at / sum).rem_euclid(1.0) * total;
            let hour = rhythm.partition_point(|&sum| sum <= target).min(rhythm.len() - 1);
            let before = if hour == 0 { 0.0 } else { rhythm[hour - 1] };
            let part = ((target - before) / (rhythm[hour] - before)).clamp(0.0, 0.999_999);
            span.start + ((hour as f64 + part) * HOUR as f64) as i64
        })
        .collect();
    out.sort_unstable();
    out
}

/// A start anywhere in the cycle: with few arrivals the spread of one gap would otherwise pile them at the ends.
fn unit_shift(rng: &mut ChaCha8Rng, sum: f64) -> f64 {
    between(rng, 0.0, sum)
}

/// The records of a world, in time order, and its events.
pub(super) fn plan(
    config: &SimulateConfig,
    source: &Source<'_>,
    accounts: &[Account],
    (campaigns, fragments, queues): (&[Campaign], &[FragmentCampaign], &[QueueCampaign]),
    planned: Option<&Planned>,
) -> (Vec<Record>, Vec<Event>) {
    let span = Span::new(config);
    let mut left: Vec<u64> = accounts.iter().map(|account| account.quota).collect();
    let mut records = Vec::with_capacity(config.exchanges as usize);
    let mut rng = stream(config.seed, "days", 0, 0);
    // Days differ by a factor of 0.54 to 1.43 on open traces.
    let days: Vec<f64> = (0..config.days).map(|_| log_normal(&mut rng, 1.0, 0.12).clamp(0.54, 1.43)).collect();
    for (number, campaign) in (0..).zip(campaigns) {
        campaign.waves(number, span, &mut left, &mut records, &mut stream(config.seed, "waves", number.into(), 0));
    }
    for (number, campaign) in (0..).zip(fragments) {
        campaign.waves(number, span, &mut left, &mut records, config.seed);
    }
    for (number, campaign) in (0..).zip(queues) {
        let world = (config.seed, config.days, span);
        campaign.plan(number, &config.queues, world, &mut left, &mut records);
    }
    let events = events(config, source, accounts, span, &mut left, &mut records);
    let mut deck = Deck::new(source, config.repeats);
    let mut conversation = 0;
    for (number, account) in (0..).zip(accounts) {
        let n = left[number as usize] as usize;
        let rng = &mut stream(config.seed, "sessions", u64::from(number), 0);
        if account.class == Class::Api {
            requests(number, account, span, &days, n, &mut deck, rng, &mut records);
        } else {
            sessions(number, account, span, &days, n, &mut deck, &mut conversation, rng, &mut records);
        }
    }
    if let Some(planned) = planned {
        let mut scene = Scene { config, source, accounts, span, deck, conversation, records };
        planned.plan(&mut scene);
        records = scene.records;
    }
    // The sort is stable and the records before it are in a fixed order, so ties do not depend on anything else.
    records.sort_by_key(|record| record.time);
    (records, events)
}

#[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename the arguments")]
fn requests(
    number: u32,
    account: &Account,
    span: Span,
    days: &[f64],
    n: usize,
    deck: &mut Deck<'_, '_>,
    rng: &mut ChaCha8Rng,
    records: &mut Vec<Record>,
) {
    let mut last = i64::MIN;
    for time in moments(account, span, days, n, rng) {
        // A burst is served one after the other.
        let time =
            if last == i64::MIN { time } else { time.max(last + (log_normal(rng, 0.25, 0.8) * SECOND as f64) as i64) };
        last = time;
        let (interest, rank) = deck.draw(account, rng, deck.repeats);
        let what = What::Text { interest, rank, app: account.app.is_some() };
        records.push(Record { time: span.wrap(time), account: number, conversation: 0, what });
    }
}

#[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename the arguments")]
fn sessions(
    number: u32,
    account: &Account,
    span: Span,
    days: &[f64],
    n: usize,
    deck: &mut Deck<'_, '_>,
    conversation: &mut u32,
    rng: &mut ChaCha8Rng,
    records: &mut Vec<Record>,
) {
    let mut lengths = Vec::new();
    let mut left = n;
    while left > 0 {
        let length = (geometric(rng, 6.0) as usize).min(left).min(60);
        lengths.push(length);
        left -= length;
    }
    let starts = moments(account, span, days, lengths.len(), rng);
    for (start, length) in starts.into_iter().zip(lengths) {
        let mut offsets = vec![0];
        for _ in 1..length {
            // Median of a gap 30 s, one in twenty above 4 min, none above 30 min.
            let gap = log_normal(rng, 30.0, 1.25).clamp(1.5, 1_800.0);
            offsets.push(offsets[offsets.len() - 1] + (gap * SECOND as f64) as i64);
        }
        let late = (start + offsets[length - 1] - span.end + SECOND).max(0);
        for (turn, offset) in offsets.into_iter().enumerate() {
            let what = match turn {
                0 => deck.text(account, rng),
                _ if chance(rng, 0.5) => deck.text(account, rng),
                _ if chance(rng, 0.5) => {
                    What::Stock(zipf(rng, super::grammar::tables().small_talk.stock.len() as u32, TEXT_ZIPF))
                }
                _ if deck.source.is_given() => deck.text(account, rng),
                _ => What::FollowUp(if chance(rng, 0.03) {
                    zipf(rng, 300, TEXT_ZIPF)
                } else {
                    300 + below(rng, 1 << 30) as u32
                }),
            };
            if turn == 0 || (matches!(what, What::Text { .. }) && chance(rng, 0.3)) {
                *conversation += 1;
            }
            let time = (start - late + offset).max(span.start);
            records.push(Record { time, account: number, conversation: *conversation, what });
        }
    }
}

/// Prompts that go round and class exercises: they take their exchanges from people's quotas.
fn events(
    config: &SimulateConfig,
    source: &Source<'_>,
    accounts: &[Account],
    span: Span,
    left: &mut [u64],
    records: &mut Vec<Record>,
) -> Vec<Event> {
    let mut rng = stream(config.seed, "events", 0, 0);
    let mut people = people(accounts, &mut rng);
    let mut wanted = (config.exchanges as f64 * config.copies) as usize;
    let mut events: Vec<Event> = Vec::new();
    let talk = &super::grammar::tables().small_talk;
    while wanted > 0 && people.len() >= 200 {
        let number = events.len() as u32;
        // Every fifth is a class exercise: about 30 accounts over an afternoon.
        let exercise = number % 5 == 1;
        let size =
            if exercise { 24 + below(&mut rng, 13) } else { (log_normal(&mut rng, 9.0, 1.0) as usize).clamp(3, 80) };
        let size = size.min(people.len() / 5);
        let start =
            span.wrap(span.start + (between(&mut rng, 0.0, 1.0) * (span.end - span.start - 4 * HOUR) as f64) as i64);
        let length = if exercise { 3 * HOUR } else { HOUR };
        shuffle(&mut rng, &mut people);
        let mut copied = 0;
        for &person in &people {
            if copied == size {
                break;
            }
            if left[person] > 0 {
                left[person] -= 1;
                copied += 1;
                let time = span.wrap(start + (between(&mut rng, 0.0, 1.0) * length as f64) as i64);
                records.push(Record { time, account: person as u32, conversation: 0, what: What::Event(number) });
            }
        }
        let text = source.shared(if exercise { &talk.exercises } else { &talk.trends }, u64::from(number));
        events.push(Event { text, exercise });
        if copied == 0 {
            break;
        }
        wanted = wanted.saturating_sub(copied);
    }
    events
}
