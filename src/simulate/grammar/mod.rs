//! Prompts written for this project: the small engine that fills the sentence frames of `data/grammar` and joins them.
//!
//! A frame is a sentence with holes. `{dish}` takes an entry of the list of that name (which may have holes itself),
//! `{an dish}` puts the article before it, `{dish#1}` takes the same entry wherever it stands in one prompt, `{12-480}`
//! and `{0.50-9.90}` are numbers (`{100-900/50}` in steps), `{who|what}` is a choice. `«dish»` is a hole that stays open in
//! the first round and is filled in the second: that is how a campaign or an app fixes most of a text and varies the rest.
//! `‹` and `›` become braces, for code. A topic has tasks, contexts and wishes about the answer; a prompt joins some of
//! them. So that a sentence is not said by many, it is joined of short parts (`{Note thing} {thing did}, {note tail}.`), and
//! what can be said in several ways is a hole named by the first of them (`{How do I}`, `{euros}`, in `phrases.toml`). An
//! entry that stands several times in a list is drawn more often.
//!
//! Weakness: frames come back, so the prompts of one topic are more alike than those of real people, and parts are joined
//! without sense. Guarantees: the same stream gives the same text; every hole of the tables names a list, and few prompts
//! share a run of 60 bytes (both tested); nesting is bounded.

mod tables;

use super::draw::{below, chance, pick};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

use tables::Topic;
#[cfg(test)]
pub(super) use tables::Translation;
pub(super) use tables::{AppTask, tables};
pub use tables::{PublishedFragment, published_fragments};

/// The lists by name.
pub(super) struct Grammar {
    lists: BTreeMap<&'static str, &'static [&'static str]>,
    /// The topics by position.
    pub(super) topics: Vec<&'static Topic>,
}

/// How deep lists may name lists.
const MAX_DEPTH: usize = 8;

impl Grammar {
    pub(super) fn new() -> Self {
        Self { lists: tables().lists().collect(), topics: tables().topics().collect() }
    }

    /// One prompt of a topic; a short one is the bare task.
    pub(super) fn prompt(&self, topic: usize, short: bool, rng: &mut ChaCha8Rng) -> String {
        let topic = self.topics[topic];
        let mut parts: Vec<&str> = Vec::new();
        let mut memory = BTreeMap::new();
        if !short {
            if chance(rng, 0.1) {
                parts.push(pick(rng, &tables().small_talk.openings));
            }
            if !topic.contexts.is_empty() && chance(rng, 0.7) {
                parts.push(pick(rng, &topic.contexts));
            }
        }
        parts.push(pick(rng, &topic.tasks));
        if !short && !topic.wishes.is_empty() {
            for p in [0.6, 0.15] {
                let wish: &str = pick(rng, &topic.wishes);
                if chance(rng, p) && !parts.contains(&wish) {
                    parts.push(wish);
                }
            }
            if chance(rng, 0.08) {
                parts.push(pick(rng, &tables().small_talk.closings));
            }
        }
        let mut text = String::new();
        for part in parts {
            // A block (code, a letter) stands on lines of its own.
            if !text.is_empty() {
                text.push_str(if part.contains('\n') || text.ends_with("```") { "\n\n" } else { " " });
            }
            self.expand(part, rng, &mut memory, 0, &mut text);
        }
        habit(text, rng)
    }

    /// `frame` with its holes filled; `«…»` stays.
    pub(super) fn fill(&self, frame: &str, rng: &mut ChaCha8Rng) -> String {
        let mut out = String::new();
        self.expand(frame, rng, &mut BTreeMap::new(), 0, &mut out);
        out
    }

    /// `frame` with its open holes `«…»` filled as well.
    pub(super) fn fill_open(&self, frame: &str, rng: &mut ChaCha8Rng) -> String {
        let mut out = String::new();
        let mut memory = BTreeMap::new();
        let mut rest = frame;
        while let Some((before, hole, after)) = rest
            .split_once('«')
            .and_then(|(before, tail)| tail.split_once('»').map(|(hole, after)| (before, hole, after)))
        {
            out.push_str(before);
            self.hole(hole, rng, &mut memory, 0, &mut out);
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn expand(
        &self,
        frame: &str,
        rng: &mut ChaCha8Rng,
        memory: &mut BTreeMap<String, String>,
        depth: usize,
        out: &mut String,
    ) {
        let mut rest = frame;
        while let Some(open) = rest.find('{') {
            plain(&rest[..open], out);
            let inside = &rest[open + 1..];
            let Some(close) = closing(inside) else { break };
            self.hole(&inside[..close], rng, memory, depth, out);
            rest = &inside[close + 1..];
        }
        plain(rest, out);
    }

    fn hole(
        &self,
        hole: &str,
        rng: &mut ChaCha8Rng,
        memory: &mut BTreeMap<String, String>,
        depth: usize,
        out: &mut String,
    ) {
        if depth >= MAX_DEPTH {
            return;
        }
        let choices = choices(hole);
        if choices.len() > 1 {
            return self.expand(choices[below(rng, choices.len())], rng, memory, depth + 1, out);
        }
        if let Some(name) = hole.strip_prefix("an ") {
            let mut word = String::new();
            self.hole(name, rng, memory, depth + 1, &mut word);
            out.push_str(article(&word));
            out.push_str(&word);
        } else if let Some(name) = hole.strip_prefix("An ") {
            let mut word = String::new();
            self.hole(name, rng, memory, depth + 1, &mut word);
            out.push_str(if article(&word) == "an " { "An " } else { "A " });
            out.push_str(&word);
        } else if let Some((name, _)) = hole.split_once('#') {
            if let Some(known) = memory.get(hole) {
                out.push_str(known);
                return;
            }
            // Two numbered holes of one list hold two values, as far as a few tries can see to it.
            let mut word = String::new();
            for _ in 0..6 {
                word.clear();
                self.hole(name, rng, memory, depth + 1, &mut word);
                if !memory.iter().any(|(key, value)| *value == word && key.starts_with(name)) {
                    break;
                }
            }
            out.push_str(&word);
            memory.insert(hole.to_owned(), word);
        } else if let Some(list) = self.lists.get(hole) {
            self.expand(pick(rng, list), rng, memory, depth + 1, out);
        } else if let Some(number) = number(hole, rng) {
            out.push_str(&number);
        } else {
            out.push_str(hole);
        }
    }
}

/// The article that goes before `word`, by its first letter.
fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) { "an " } else { "a " }
}

/// Text between holes; the marks that stand for braces become braces.
fn plain(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| match c {
        '‹' => '{',
        '›' => '}',
        c => c,
    }));
}

/// Where the hole that has just been opened ends.
fn closing(inside: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The parts of a choice; one part where it is none.
fn choices(hole: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, byte) in hole.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => {
                parts.push(&hole[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&hole[start..]);
    parts
}

/// `12-480`, `100-900/50` or `0.50-9.90` drawn as a number.
fn number(hole: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let (range, step) = hole.split_once('/').unwrap_or((hole, "1"));
    let (low, high) = range.split_once('-')?;
    if let (Ok(low), Ok(high), Ok(step)) = (low.parse::<u32>(), high.parse::<u32>(), step.parse::<u32>()) {
        let count = high.checked_sub(low)?.checked_div(step)? + 1;
        return Some((low + step * below(rng, count as usize) as u32).to_string());
    }
    let cents =
        |text: &str| text.split_once('.').and_then(|(whole, part)| format!("{whole}{part}").parse::<u32>().ok());
    let (low, high) = (cents(low)?, cents(high)?);
    let drawn = low + below(rng, high.checked_sub(low)? as usize + 1) as u32;
    Some(format!("{}.{:02}", drawn / 100, drawn % 100))
}

/// How people type: some without capitals, some without the last full stop.
fn habit(mut text: String, rng: &mut ChaCha8Rng) -> String {
    let draw = below(rng, 100);
    if draw < 9 && !text.contains('\n') {
        text = text.to_lowercase();
    }
    if (6..20).contains(&draw) && text.ends_with(['.', '?']) {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::draw::stream;
    use super::*;

    /// Adds the holes of `frame` that name neither a list nor a number to `unknown`.
    fn check(grammar: &Grammar, frame: &str, unknown: &mut Vec<String>) {
        let mut rest = frame;
        while let Some(open) = rest.find(['{', '«']) {
            let delayed = rest[open..].starts_with('«');
            let inside = &rest[open + if delayed { '«'.len_utf8() } else { 1 }..];
            let close = if delayed { inside.find('»') } else { closing(inside) };
            let Some(close) = close else { return unknown.push(format!("no end: {frame}")) };
            let hole = &inside[..close];
            let parts = choices(hole);
            if parts.len() > 1 {
                parts.iter().for_each(|part| check(grammar, part, unknown));
            } else {
                let name = hole.strip_prefix("an ").or_else(|| hole.strip_prefix("An ")).unwrap_or(hole);
                let name = name.split_once('#').map_or(name, |(name, _)| name);
                let drawn = number(name, &mut stream(0, "check", 0, 0)).is_some();
                if !drawn && !grammar.lists.contains_key(name) && name != "input" {
                    unknown.push(format!("{hole:?} in {frame:?}"));
                }
            }
            rest = &inside[close..];
        }
    }

    #[test]
    fn every_hole_names_a_list() {
        let grammar = Grammar::new();
        let mut frames: Vec<&str> = grammar.lists.values().copied().flatten().copied().collect();
        for topic in &grammar.topics {
            assert!(topic.weight > 0.0 && topic.tasks.len() >= 4, "{}", topic.name);
            frames.extend([&topic.tasks, &topic.contexts, &topic.wishes].into_iter().flatten());
        }
        let (talk, apps, campaigns) = (&tables().small_talk, &tables().apps, &tables().campaigns);
        frames.extend([&campaigns.roles, &campaigns.tasks, &campaigns.rules, &campaigns.forms].into_iter().flatten());
        frames.extend([&talk.follow_ups, &talk.responses, &talk.trends, &talk.exercises].into_iter().flatten());
        frames.extend([&apps.systems, &tables().fragments.frames].into_iter().flatten());
        frames.extend(apps.tasks.iter().flat_map(|task| [task.frame, task.input]));
        let mut unknown = Vec::new();
        frames.into_iter().for_each(|frame| check(&grammar, frame, &mut unknown));
        assert!(unknown.is_empty(), "{unknown:#?}");
        assert!(grammar.topics.len() >= 30, "{} topics", grammar.topics.len());
    }

    #[test]
    fn no_word_stands_in_two_rows_of_synonyms() {
        let rows = &tables().edits.synonyms;
        let all: Vec<&str> = rows.iter().flatten().copied().collect();
        let distinct: std::collections::BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len());
        assert!(rows.iter().all(|row| row.len() > 1));
    }

    #[test]
    fn holes_are_filled() {
        let grammar = Grammar::new();
        let mut rng = stream(5, "fill", 0, 0);
        assert_eq!(grammar.fill("{7-7} {a|a} {an city}, ‹x› «city»", &mut rng).split(',').nth(1), Some(" {x} «city»"));
        let two = grammar.fill("{weekday#1}/{weekday#2}", &mut rng);
        assert!(two.split_once('/').is_some_and(|(a, b)| a != b), "{two}");
        let same = grammar.fill("{city#1}/{city#1}", &mut rng);
        assert!(same.split_once('/').is_some_and(|(a, b)| a == b), "{same}");
        assert!(grammar.fill_open("in «city» today", &mut rng).starts_with("in "));
        for _ in 0..100 {
            let price = grammar.fill("{1.50-2.25}", &mut rng);
            assert!(price.parse::<f64>().is_ok_and(|p| (1.5..=2.25).contains(&p)), "{price}");
        }
    }

    #[test]
    fn no_sentence_is_said_by_many() {
        let grammar = Grammar::new();
        let each = 200;
        for topic in 0..grammar.topics.len() {
            let mut seen: BTreeMap<String, u64> = BTreeMap::new();
            for number in 0..each {
                let text = grammar.prompt(topic, false, &mut stream(3, "text", topic as u64, number)).to_lowercase();
                let runs: std::collections::BTreeSet<&[u8]> = text.as_bytes().windows(60).collect();
                for run in runs {
                    *seen.entry(String::from_utf8_lossy(run).into_owned()).or_default() += 1;
                }
            }
            let (run, n) = seen.into_iter().max_by_key(|(_, n)| *n).expect("long prompts");
            assert!(n * 12 <= each, "{}: {n} of {each} prompts share {run:?}", grammar.topics[topic].name);
        }
    }

    #[test]
    fn two_prompts_of_a_topic_are_rarely_alike() {
        let grammar = Grammar::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut total = 0;
        for topic in 0..grammar.topics.len() {
            for number in 0..300 {
                let text = grammar.prompt(topic, false, &mut stream(9, "text", topic as u64, number));
                assert!(!text.contains(['«', '‹']) && !text.trim().is_empty(), "{text}");
                total += 1;
                seen.insert(text);
            }
        }
        assert!(seen.len() * 100 >= total * 95, "{} distinct of {total}", seen.len());
    }
}
