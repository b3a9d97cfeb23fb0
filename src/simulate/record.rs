//! One exchange to be: who sends what when, inside the span of a world.

use super::SimulateConfig;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A stock phrase by rank.
    Stock(u32),
    /// A remark on the answer before, by rank.
    FollowUp(u32),
    /// A text of an interest; through the account's app, if it has one and `app` says so.
    Text { interest: u32, rank: u32, app: bool },
    /// A copy of a shared prompt; the first exchange has it verbatim.
    Event(u32),
    /// One item of a campaign's work.
    Campaign { campaign: u32, item: u32 },
    /// A request with the fragment of a fragment campaign, whose number counts among those only.
    Fragment { campaign: u32 },
    /// A copy of a task of a work-queue campaign, whose number counts among those only.
    Queue { campaign: u32, item: u32 },
    /// What a plan has planted: of a campaign, or behind those of a group, one of its texts.
    Planned { group: u32, item: u32, part: Part },
}

/// Which part of a planned request an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// One of the messages into which it was cut.
    Chunk(u8),
    /// A test question in place of a task.
    Canary,
    /// All of it, which somebody made an innocent account send.
    Framed,
}

/// One exchange to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Microseconds since the epoch.
    pub(super) time: i64,
    pub(super) account: u32,
    /// The conversation's number; 0 for none.
    pub(super) conversation: u32,
    pub(super) what: What,
}

/// The span of a world in microseconds.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Span {
    pub(super) fn new(config: &SimulateConfig) -> Self {
        let start = config.start.micros();
        Self { start, end: start + i64::from(config.days) * DAY }
    }

    /// `time` brought into the span, keeping its hour as far as the span has whole days.
    pub(super) fn wrap(self, time: i64) -> i64 {
        self.start + (time - self.start).rem_euclid(self.end - self.start)
    }
}
