//! Who of what is planted sends what when.
//!
//! A campaign walks through its days: which pool and which of its accounts are active, how much each of them sends, and which of the day's tasks it is
//! handed, without replacement. An innocent group does what its kind is: customers ask at their own hours, a class within two hours, a program on its
//! schedule. Weakness: accounts of a campaign do not have days off. Guarantee: nothing lies outside of the world's days, and what each account is handed
//! depends on the seed, the number of its campaign and the day only.

use super::super::SimulateConfig;
use super::super::accounts::Account;
use super::super::draw::{below, between, chance, log_normal, normal, shuffle, stream};
use super::super::plan::Deck;
use super::super::record::{DAY, HOUR, Part, Record, SECOND, Span, What};
use super::super::source::Source;
use super::knobs::often;
use super::{BenignKind, Campaign, CampaignKind, Group, Hours, Planned};
use rand_chacha::ChaCha8Rng;

/// What a schedule needs of the world.
pub(in crate::simulate) struct Scene<'w, 's, 'a> {
    pub(in crate::simulate) config: &'w SimulateConfig,
    pub(in crate::simulate) source: &'s Source<'a>,
    pub(in crate::simulate) accounts: &'w [Account],
    pub(in crate::simulate) span: Span,
    /// Innocent texts that nobody asked yet.
    pub(in crate::simulate) deck: Deck<'s, 'a>,
    /// The newest conversation's number.
    pub(in crate::simulate) conversation: u32,
    pub(in crate::simulate) records: Vec<Record>,
}

impl Scene<'_, '_, '_> {
    fn put(&mut self, time: i64, account: u32, what: What) {
        // A night that ends while somebody sends goes on in the next; behind the last there is none.
        let time = time.clamp(self.span.start, self.span.end - 1);
        self.records.push(Record { time, account, conversation: 0, what });
    }

    /// A moment of a day at which an account's owner is awake.
    fn awake(&self, account: u32, day: u32, rng: &mut ChaCha8Rng) -> i64 {
        let account = &self.accounts[account as usize];
        let hour = (account.peak - account.zone as f64 + 3.5 * normal(rng)).rem_euclid(24.0);
        self.midnight(day) + (hour * HOUR as f64) as i64
    }

    fn midnight(&self, day: u32) -> i64 {
        self.span.start + i64::from(day) * DAY
    }
}

impl Planned {
    /// Plans everything.
    pub(in crate::simulate) fn plan(&self, scene: &mut Scene<'_, '_, '_>) {
        for (number, campaign) in (0..).zip(&self.campaigns) {
            if campaign.plan.kind != CampaignKind::Bought {
                campaign.plan_days(number, scene);
            }
        }
        for (number, group) in (self.campaigns.len() as u32..).zip(&self.groups) {
            group.plan_days(number, scene);
        }
    }
}

impl Campaign {
    /// The accounts that are active on a day, and whether it is a pool's first; none between two pools.
    fn active(&self, since: u32, left: u32) -> Option<(std::ops::Range<u32>, bool)> {
        let (plan, n) = (&self.plan, self.accounts.len() as u32);
        let step = plan.ban_after + plan.lag;
        let pools = plan.pools().min(n).max(1);
        let pool = (since / step).min(pools - 1);
        let into = since - pool * step;
        // The last pool is not banned.
        if pool + 1 < pools && into >= plan.ban_after {
            return None;
        }
        let (start, end) = (pool * n / pools, (pool + 1) * n / pools);
        let share = libm::pow(plan.growth, -f64::from(left));
        let size = (f64::from(end - start) * share).ceil().max(1.0) as u32;
        Some((self.accounts.start + start..self.accounts.start + (start + size).min(end), pool > 0 && into == 0))
    }

    fn plan_days(&self, number: u32, scene: &mut Scene<'_, '_, '_>) {
        let (plan, seed) = (&self.plan, scene.config.seed);
        let (first, last) = plan.span(scene.config.days);
        let office = below(&mut stream(seed, "planned-office", number.into(), 0), 16) as i64;
        let mut fresh = 0;
        // The day's tasks for each part of the queue, and those of the day on which it last worked.
        let (shards, tasks) = (plan.shards, plan.tasks());
        let mut before: Option<u32> = None;
        for day in first..=last {
            let rng = &mut stream(seed, "planned-day", number.into(), day.into());
            let Some((active, is_new)) = self.active(day - first, last - day) else { continue };
            let ramp = if plan.ramp == 0 { 1.0 } else { (f64::from(day - first + 1) / f64::from(plan.ramp)).min(1.0) };
            let queue = |shard: u32, of_day: u32| {
                let start = ((of_day - first) * shards + shard) * tasks;
                start..start + tasks
            };
            let mut handed = |scene: &mut Scene<'_, '_, '_>, account: u32, n: u32, part: Part, rng: &mut ChaCha8Rng| {
                let shard = account % shards;
                let mut items: Vec<u32> = if tasks > 0 {
                    let again = (f64::from(tasks) * plan.carry).round() as u32;
                    let carried = before.filter(|_| is_new).map(|old| queue(shard, old)).into_iter().flatten();
                    queue(shard, day).chain(carried.take(again as usize)).collect()
                } else {
                    fresh += n;
                    (fresh - n..fresh).collect()
                };
                shuffle(rng, &mut items);
                for item in items.into_iter().take(n as usize) {
                    let time = self.moment((number, item), day, office, scene, rng);
                    self.send(time, account, (number, item), part, scene);
                }
            };
            for account in active {
                let load =
                    log_normal(&mut stream(seed, "planned-load", number.into(), account.into()), 1.0, plan.uneven);
                let rate = plan.rate * ramp * load;
                let n = often(rate, rng);
                handed(scene, account, n, Part::Whole, rng);
                for _ in 0..often(rate * plan.mix() / (1.0 - plan.mix()), rng) {
                    let what = scene.deck.text(&scene.accounts[account as usize], rng);
                    scene.put(scene.awake(account, day, rng), account, what);
                }
                for _ in 0..often(plan.camouflage, rng) {
                    let interest = scene.source.interest(rng);
                    let what = What::Text { interest, rank: scene.source.popular(interest, rng), app: false };
                    scene.put(scene.awake(account, day, rng), account, what);
                }
                for gold in 0..often(plan.canaries, rng) {
                    let time = scene.midnight(day) + below(rng, DAY as usize) as i64;
                    let what = What::Planned { group: number, item: gold, part: Part::Canary };
                    scene.put(time, account, what);
                }
            }
            if day == last - (last - first) / 4 {
                for &account in &self.framed {
                    handed(scene, account, plan.framed_tasks, Part::Framed, rng);
                }
            }
            before = Some(day);
        }
    }

    /// When a copy of a task is sent.
    fn moment(
        &self,
        (number, item): (u32, u32),
        day: u32,
        office: i64,
        scene: &Scene<'_, '_, '_>,
        rng: &mut ChaCha8Rng,
    ) -> i64 {
        let plan = &self.plan;
        let within = |rng: &mut ChaCha8Rng| match plan.hours {
            Hours::Always => below(rng, DAY as usize) as i64,
            Hours::Office => office * HOUR + (between(rng, 0.0, 9.0) * HOUR as f64) as i64,
        };
        let at = if plan.together > 0.0 {
            let anchor = within(&mut stream(scene.config.seed, "planned-moment", number.into(), item.into()));
            let late = between(rng, 0.0, plan.together * 60.0);
            // A task of late evening is still one of that day.
            anchor.min(DAY - (plan.together * 60.0) as i64 * SECOND - 1).max(0) + (late * SECOND as f64) as i64
        } else {
            within(rng)
        };
        scene.midnight(day) + at.min(DAY - 1)
    }

    fn send(&self, time: i64, account: u32, (group, item): (u32, u32), part: Part, scene: &mut Scene<'_, '_, '_>) {
        let chunks = self.plan.chunks;
        if part != Part::Whole || chunks == 1 {
            return scene.put(time, account, What::Planned { group, item, part });
        }
        scene.conversation += 1;
        for chunk in 0..chunks {
            let time = (time + i64::from(chunk) * 20 * SECOND).min(scene.span.end - 1);
            let what = What::Planned { group, item, part: Part::Chunk(chunk as u8) };
            scene.records.push(Record { time, account, conversation: scene.conversation, what });
        }
    }
}

impl Group {
    fn plan_days(&self, number: u32, scene: &mut Scene<'_, '_, '_>) {
        let (plan, seed) = (&self.plan, scene.config.seed);
        let (first, last) = plan.span(scene.config.days);
        let window = plan.window * HOUR as f64;
        let ask = |item: u32| What::Planned { group: number, item, part: Part::Whole };
        match plan.kind {
            BenignKind::Benchmark => return self.run_through(number, scene),
            BenignKind::Viral => {
                for text in 0..plan.texts() {
                    let rng = &mut stream(seed, "group-viral", number.into(), text.into());
                    let day = first + below(rng, (last - first + 1) as usize) as u32;
                    let start = scene.midnight(day) + (between(rng, 0.0, DAY as f64 - window)) as i64;
                    for &account in self.accounts.iter().filter(|_| chance(rng, plan.rate())).collect::<Vec<_>>() {
                        scene.put(start + between(rng, 0.0, window) as i64, account, ask(text));
                    }
                }
                return;
            }
            _ => {}
        }
        let mut fresh = 0;
        // The mean over accounts is the rate.
        let rate_of = |account: u32| {
            let own = &mut stream(seed, "group-load", number.into(), account.into());
            plan.rate() * log_normal(own, libm::exp(-plan.uneven * plan.uneven / 2.0), plan.uneven)
        };
        for day in first..=last {
            let rng = &mut stream(seed, "group-day", number.into(), day.into());
            let since = day - first;
            match plan.kind {
                BenignKind::App => {
                    for &account in &self.accounts {
                        for _ in 0..often(rate_of(account), rng) {
                            let template = since * plan.releases + below(rng, plan.texts() as usize) as u32;
                            scene.put(scene.awake(account, day, rng), account, ask(template));
                        }
                    }
                }
                BenignKind::Class | BenignKind::News => {
                    for text in 0..plan.texts() {
                        let item = since * plan.texts() + text;
                        let start = scene.midnight(day) + (between(rng, 0.25, 0.75) * (DAY as f64 - window)) as i64;
                        for &account in &self.accounts {
                            if chance(rng, plan.rate()) {
                                let in_class = plan.kind == BenignKind::Class;
                                let lesson = start + between(rng, 0.0, window) as i64;
                                let time = if in_class { lesson } else { scene.awake(account, day, rng) };
                                scene.put(time, account, ask(item));
                            }
                        }
                    }
                }
                BenignKind::Ci => {
                    let gap = DAY as f64 / plan.rate();
                    for &account in &self.accounts {
                        let own = &mut stream(seed, "group-ci", number.into(), account.into());
                        let phase = between(own, 0.0, gap);
                        let runs = ((DAY as f64 - phase) / gap).ceil() as u32;
                        for run in 0..runs {
                            let at = phase + f64::from(run) * gap + between(rng, 0.0, 3.0 * SECOND as f64);
                            scene.put(scene.midnight(day) + at as i64, account, ask(run % plan.texts()));
                        }
                    }
                }
                BenignKind::Gateway => {
                    for &account in &self.accounts {
                        for _ in 0..often(rate_of(account), rng) {
                            fresh += 1;
                            scene.put(scene.awake(account, day, rng), account, ask(fresh));
                        }
                    }
                }
                BenignKind::Agency => {
                    let briefs = since * plan.texts()..(since + 1) * plan.texts();
                    for &account in &self.accounts {
                        let mut own: Vec<u32> = briefs.clone().collect();
                        shuffle(rng, &mut own);
                        for brief in own.into_iter().take(often(rate_of(account), rng) as usize) {
                            let at = (between(rng, 8.0, 18.0) * HOUR as f64) as i64;
                            scene.put(scene.midnight(day) + at, account, ask(brief));
                        }
                    }
                }
                BenignKind::Retry => {
                    let outage = between(rng, 0.0, DAY as f64 - window);
                    for &account in &self.accounts {
                        for _ in 0..often(rate_of(account), rng) {
                            fresh += 1;
                            let start = outage + between(rng, 0.0, window / 2.0);
                            for copy in 0..3 + below(rng, 18) {
                                let at = start + copy as f64 * between(rng, 1.0, 20.0) * SECOND as f64;
                                scene.put(scene.midnight(day) + at.min(DAY as f64 - 1.0) as i64, account, ask(fresh));
                            }
                        }
                    }
                }
                BenignKind::Benchmark | BenignKind::Viral => {}
            }
        }
    }

    /// Each account takes the set in its order, so many items a day, from a day of its own on.
    fn run_through(&self, number: u32, scene: &mut Scene<'_, '_, '_>) {
        let (plan, seed) = (&self.plan, scene.config.seed);
        let (first, last) = plan.span(scene.config.days);
        for &account in &self.accounts {
            let rng = &mut stream(seed, "group-run", number.into(), account.into());
            let mut day = first + below(rng, (last - first + 1) as usize) as u32;
            let mut item = 0;
            while item < plan.texts() && day <= last {
                let mut time = scene.midnight(day) + below(rng, 18 * HOUR as usize) as i64;
                for _ in 0..often(plan.rate(), rng).max(1) {
                    if item == plan.texts() {
                        break;
                    }
                    scene.put(time, account, What::Planned { group: number, item, part: Part::Whole });
                    time += (log_normal(rng, 40.0, 0.8) * SECOND as f64) as i64;
                    item += 1;
                }
                day += 1;
            }
        }
    }
}
