//! Long work shows itself: a bar with rate and time left on a terminal, a line a minute elsewhere.
#![allow(clippy::disallowed_methods)]

use crate::stored::Progress;
use cpu_time::ProcessTime;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Seconds between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(60);

pub(crate) struct Meter {
    bar: ProgressBar,
    terminal: bool,
    rows: AtomicU64,
    began: Instant,
    said: Mutex<(Instant, String)>,
    stages: Mutex<Vec<Stage>>,
    /// Hears of it in place of the terminal.
    listener: Option<super::print::Listener>,
}

/// When a stage began, by the clock and by the time that this process had used on all cores.
struct Stage {
    name: String,
    wall: Instant,
    cpu: ProcessTime,
}

/// What a stage took, all its turns together.
#[derive(serde::Serialize)]
pub(crate) struct Timing {
    stage: String,
    wall_s: f64,
    cpu_s: f64,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let listener = super::print::listener();
        let terminal = listener.is_none() && std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.enable_steady_tick(Duration::from_millis(200));
        let now = Instant::now();
        Self {
            bar,
            terminal,
            rows: AtomicU64::new(0),
            began: now,
            said: Mutex::new((now, String::new())),
            stages: Mutex::default(),
            listener,
        }
    }

    /// What each stage took so far, in the order in which they first began.
    pub(crate) fn timings(&self) -> Vec<Timing> {
        let mut out: Vec<Timing> = Vec::new();
        let Ok(stages) = self.stages.lock() else { return out };
        for (i, stage) in stages.iter().enumerate() {
            let (wall, cpu) = match stages.get(i + 1) {
                Some(next) => (next.wall - stage.wall, next.cpu.duration_since(stage.cpu)),
                None => (stage.wall.elapsed(), stage.cpu.elapsed()),
            };
            let (wall_s, cpu_s) = (wall.as_secs_f64(), cpu.as_secs_f64());
            match out.iter_mut().find(|timing| timing.stage == stage.name) {
                Some(timing) => (timing.wall_s, timing.cpu_s) = (timing.wall_s + wall_s, timing.cpu_s + cpu_s),
                None => out.push(Timing { stage: stage.name.clone(), wall_s, cpu_s }),
            }
        }
        out
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Meter {
    fn stage(&self, name: &str, total: Option<u64>) {
        if let Ok(mut stages) = self.stages.lock() {
            stages.push(Stage { name: name.to_owned(), wall: Instant::now(), cpu: ProcessTime::now() });
        }
        if let Some(listener) = &self.listener {
            return listener.stage(name, total);
        }
        self.rows.store(0, Ordering::Relaxed);
        self.bar.reset();
        let style = match total {
            Some(total) => {
                self.bar.set_length(total);
                // The message comes last and is cut: a line that wraps would leave its upper half behind.
                "{prefix:9} {bar:20} {bytes}/{total_bytes} {eta} left, {wide_msg}"
            }
            None => {
                self.bar.unset_length();
                "{prefix:9} {spinner} {elapsed} {wide_msg}"
            }
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message("");
        if let Ok(mut said) = self.said.lock() {
            said.1 = name.to_owned();
        }
    }

    fn advance(&self, rows: u64, units: u64) {
        if let Some(listener) = &self.listener {
            return listener.advance(rows, units);
        }
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        self.bar.set_position(units);
        let rate = rows as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
        let message = format!("{} rows, {} a second", HumanCount(rows), HumanCount(rate as u64));
        if self.terminal {
            self.bar.set_message(message);
            return;
        }
        let Ok(mut said) = self.said.lock() else { return };
        if said.0.elapsed() >= LINE_EVERY {
            said.0 = Instant::now();
            let share = self.bar.length().filter(|&all| all > 0).map(|all| format!(" {}%,", 100 * units / all));
            let elapsed = self.began.elapsed().as_secs();
            super::print::note(&format!("{}:{} {message}, {elapsed} s", said.1, share.unwrap_or_default()));
        }
    }

    fn note(&self, text: &str) {
        match &self.listener {
            Some(listener) => listener.note(text),
            None => self.bar.suspend(|| super::print::say(text)),
        }
    }
}
