//! The words of what is planted: a task, what the campaign puts around it, and how it makes them look different.
//!
//! A request is made in the order in which an operator's program would: a task; the words of a role; a rewriting by rule; the fixed text around it; a small
//! edit; innocent padding; somebody's app around all of it; a message of several; an encoding. The truth names each that did change the text. A task's text
//! belongs to its campaign and number, or to a public set and number, whoever sends it. Weakness: a role is a sentence in front, and a text that is rewritten
//! beyond recognition (`loss`) is another text. Guarantee: a request depends on the world, its account, its task and its own stream only.

use super::super::SimulateConfig;
use super::super::accounts::Account;
use super::super::draw::{below, chance, pick, stream, zipf};
use super::super::edits::{self, Edit};
use super::super::grammar::tables;
use super::super::plant::{FragmentEdit, cut, plant};
use super::super::record::{Part, Record};
use super::super::source::Source;
use super::super::write::App;
use super::{BenignKind, Campaign, CampaignKind, Encoding, Group, Planned, RewrittenBy};
use crate::ids::Digest;
use base64::Engine as _;
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;

/// Characters of a task, at least, as far as a few draws find one.
const LEAST: usize = 90;
/// What each role puts before a task; the first role has nothing.
const ROLES: [&str; 6] = [
    "",
    "Grade this from one to ten and say why: ",
    "Write three harder variants of this, each with its answer: ",
    "Find the weakest step in how you would answer this: ",
    "Explain to a beginner how to go about this: ",
    "Give the shortest correct answer to this: ",
];

/// One request as it is asked, and what is true of it.
pub(in crate::simulate) struct Asked<'a> {
    pub(in crate::simulate) prompt: Cow<'a, str>,
    /// The campaign's name; empty for none.
    pub(in crate::simulate) campaign: String,
    /// The innocent group's name; empty for none.
    pub(in crate::simulate) group: String,
    /// Which text is behind it.
    pub(in crate::simulate) seed: String,
    /// What was done to it; empty where nothing could have been.
    pub(in crate::simulate) edit: String,
    pub(in crate::simulate) app: Option<&'a App>,
    /// A system prompt that is not the app's.
    pub(in crate::simulate) system: Option<&'a str>,
    /// The person behind a gateway.
    pub(in crate::simulate) user: Option<u32>,
}

impl<'a> Asked<'a> {
    pub(in crate::simulate) fn plain(prompt: Cow<'a, str>, seed: String, app: Option<&'a App>) -> Self {
        let none = String::new;
        Self { prompt, campaign: none(), group: none(), seed, edit: none(), app, system: None, user: None }
    }

    pub(in crate::simulate) fn of(self, campaign: String, edit: String) -> Self {
        Self { campaign, edit, ..self }
    }
}

impl Planned {
    /// What an account asks by a plan.
    pub(in crate::simulate) fn ask<'a>(
        &'a self,
        seed: u64,
        (record, account): (&Record, &Account),
        (number, item, part): (u32, u32, Part),
        source: &'a Source<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Asked<'a> {
        let Some(campaign) = self.campaigns.get(number as usize) else {
            let at = number as usize - self.campaigns.len();
            return self.groups[at].ask(seed, account, (number, item), source, rng);
        };
        let name = &campaign.plan.name;
        if part == Part::Canary {
            let text = shared_task(seed, ("planned-gold", number.into()), item, &campaign.subjects, source);
            let asked = Asked::plain(Cow::Owned(text), format!("{name}-gold-{item}"), None);
            return Asked { campaign: name.clone(), edit: "canary".to_owned(), ..asked };
        }
        let (text, edits) = campaign.text(seed, (record, account), (number, item), source, rng);
        let (text, edits, app) = match campaign.imitates.map(|group| &self.groups[group]) {
            Some(group) => {
                let app = &group.apps[below(rng, group.apps.len())];
                (app.around(&text), [edits, vec!["imitation"]].concat(), Some(app))
            }
            None => (text, edits, None),
        };
        let (text, edits) = campaign.sent(text, edits, part, rng);
        let system = campaign.harness.as_deref();
        let edit = if edits.is_empty() { "none".to_owned() } else { edits.join("+") };
        let asked = Asked::plain(Cow::Owned(text), format!("{name}-task-{item}"), app);
        let asked = Asked { edit, system, ..asked };
        match part {
            // An innocent account was made to send it; nothing of the campaign's harness is around it.
            Part::Framed => Asked { group: format!("framed-by-{name}"), system: None, ..asked },
            _ => Asked { campaign: name.clone(), ..asked },
        }
    }

    /// The texts of a group that somebody could register.
    pub(super) fn texts_of(&self, group: &Group, config: &SimulateConfig, source: &Source<'_>) -> Vec<String> {
        let number = self.groups.iter().position(|own| std::ptr::eq(own, group)).unwrap_or_default();
        let number = (self.campaigns.len() + number) as u32;
        let plan = &group.plan;
        let (first, last) = plan.span(config.days);
        let days = match plan.kind {
            BenignKind::Class | BenignKind::News | BenignKind::Agency => last - first + 1,
            _ => 1,
        };
        (0..plan.texts() * days).map(|item| group.text(config.seed, (number, item), source)).collect()
    }
}

/// A whole text of an interest among these, or of any.
fn whole(subjects: &[u32], source: &Source<'_>, rng: &mut ChaCha8Rng) -> String {
    if subjects.is_empty() {
        return source.whole(rng, LEAST).into_owned();
    }
    let mut best = Cow::Borrowed("");
    for _ in 0..40 {
        let interest = pick(rng, subjects);
        let text = source.text(interest, zipf(rng, source.size(interest).min(1 << 20), 0.2));
        if text.chars().count() > best.chars().count() {
            best = text;
        }
        if best.chars().count() >= LEAST {
            break;
        }
    }
    best.into_owned()
}

/// The text of a task that several accounts may send.
fn shared_task(seed: u64, (label, number): (&str, u64), item: u32, subjects: &[u32], source: &Source<'_>) -> String {
    whole(subjects, source, &mut stream(seed, label, number, item.into()))
}

/// The stream of a public set's tasks.
fn of_set(set: &str) -> (&'static str, u64) {
    ("public-set", Digest::of(set.as_bytes()).short() as u64)
}

impl Campaign {
    /// The text before it is sent, and the names of what was done to it.
    fn text(
        &self,
        seed: u64,
        (record, account): (&Record, &Account),
        (number, item): (u32, u32),
        source: &Source<'_>,
        rng: &mut ChaCha8Rng,
    ) -> (String, Vec<&'static str>) {
        let plan = &self.plan;
        let mut done = Vec::new();
        if chance(rng, plan.loss) {
            return (whole(&[], source, rng), vec!["lost"]);
        }
        let key = plan.set.as_ref().map_or(("planned-task", u64::from(number)), |set| of_set(set));
        let mut task = match (plan.tasks(), plan.kind) {
            (0, CampaignKind::Rerouting) => whole(&[], source, rng),
            (0, _) => whole(self.subjects_of(account, rng), source, rng),
            _ => shared_task(seed, key, item, &self.subjects, source),
        };
        if plan.kind == CampaignKind::Rerouting {
            return (task, done);
        }
        // Where there are parts of the queue as well, roles are dealt within each.
        let role = (record.account / plan.shards % plan.roles) as usize;
        if role > 0 {
            task.insert_str(0, ROLES[role]);
            done.push("role");
        }
        let mut fixed = match (plan.kind, record.time < self.scales) {
            (CampaignKind::Search, true) => {
                let rng = &mut stream(seed, "planned-technique", number.into(), item.into());
                let frames = &tables().fragments.frames;
                let (one, two) = (pick(rng, frames), pick(rng, frames));
                Some(source.grammar.fill(&format!("{one} {two}"), rng))
            }
            _ if self.fixed.is_empty() => None,
            _ => Some(self.fixed[below(rng, self.fixed.len())].clone()),
        };
        let by_account = plan.rewritten_by == RewrittenBy::Account;
        // An account's wording of the fixed text is one for all its requests, that of a task one for the task.
        let mut of_fixed = stream(seed, "planned-wording", number.into(), record.account.into());
        let mut of_task = stream(seed, &account.name, number.into(), item.into());
        for round in 0..plan.rounds {
            let kind = [Edit::Synonym, Edit::Reorder, Edit::Slot][round as usize];
            if let Some(text) = &mut fixed {
                let own = if by_account { &mut of_fixed } else { &mut *rng };
                if let Some(changed) = edits::apply(kind, text, 1.0, "", own) {
                    *text = changed;
                    done.push(kind.word());
                }
            }
            let own = if by_account { &mut of_task } else { &mut *rng };
            if plan.tasks() > 0
                && let Some(changed) = edits::apply(kind, &task, 1.0, "", own)
            {
                task = changed;
                done.push(kind.word());
            }
        }
        let mut text = match fixed {
            Some(fixed) => self.around(&fixed, task, (account, source), &mut done, rng),
            None => task,
        };
        if chance(rng, plan.edited) {
            let kind = pick(rng, &plan.edits);
            let filler = if matches!(kind, Edit::Pad15 | Edit::Pad3) { source.whole(rng, 120) } else { "".into() };
            if let Some(changed) = edits::apply(kind, &text, plan.strength, &filler, rng) {
                text = changed;
                done.push(kind.word());
            }
        }
        if plan.padding > 0.0 {
            text = padded(&text, plan.padding, source, rng);
            done.push("padding");
        }
        done.sort_unstable();
        done.dedup();
        (text, done)
    }

    /// Interests of a request with a text of its own: the account's, or those from which the dispatcher deals; empty for any.
    fn subjects_of<'s>(&'s self, account: &'s Account, rng: &mut ChaCha8Rng) -> &'s [u32] {
        if chance(rng, self.plan.own_subjects) { &account.interests } else { &self.subjects }
    }

    /// A request with the fixed text: before the task, or somewhere among the task and other innocent texts.
    fn around(
        &self,
        fixed: &str,
        task: String,
        (account, source): (&Account, &Source<'_>),
        done: &mut Vec<&'static str>,
        rng: &mut ChaCha8Rng,
    ) -> String {
        let plan = &self.plan;
        let mut edits: &[FragmentEdit] = &[];
        if chance(rng, plan.translated) {
            edits = &[FragmentEdit::Translation];
            done.push("translation");
        }
        let subjects = self.subjects_of(account, rng);
        let mut first = Some(task);
        let texts = &mut stream(below(rng, u32::MAX as usize) as u64, &account.name, 0, 1);
        let mut left = 10_000;
        let mut next = || -> Option<Cow<'_, str>> {
            left -= 1;
            let other = || (left > 0).then(|| Cow::Owned(whole(subjects, source, texts)));
            first.take().map(Cow::Owned).or_else(other)
        };
        if matches!(plan.kind, CampaignKind::Template | CampaignKind::Rubric) {
            let fixed =
                if edits.is_empty() { fixed.to_owned() } else { plant(fixed, &mut || None, 0.9, edits, rng).text };
            let wanted = (fixed.chars().count() as f64 * (1.0 / plan.share() - 1.0)) as usize;
            let mut slots = String::new();
            while slots.chars().count() < wanted {
                let Some(text) = next() else { break };
                if !slots.is_empty() {
                    slots.push(' ');
                }
                slots += text.trim();
            }
            let end = cut(&slots, wanted, 12);
            return format!("{fixed}\n\n{}", slots[..end].trim_end());
        }
        plant(fixed, &mut next, plan.share(), edits, rng).text
    }

    /// What is sent of a text: a part of it, encoded.
    fn sent(
        &self,
        text: String,
        mut done: Vec<&'static str>,
        part: Part,
        rng: &mut ChaCha8Rng,
    ) -> (String, Vec<&'static str>) {
        let mut text = text;
        if let Part::Chunk(chunk) = part {
            text = message(&text, usize::from(chunk), self.plan.chunks as usize);
            done.push("chunk");
        }
        if chance(rng, self.plan.encoded) {
            let hidden = encoded(&text, self.plan.encoding);
            if hidden != text {
                text = hidden;
                done.push("encoded");
            }
        }
        (text, done)
    }
}

/// `text` with `times` its length of innocent texts around it.
fn padded(text: &str, times: f64, source: &Source<'_>, rng: &mut ChaCha8Rng) -> String {
    let wanted = (text.chars().count() as f64 * times) as usize;
    let (mut before, mut after, mut have) = (String::new(), String::new(), 0);
    while have < wanted {
        let more = source.whole(rng, LEAST);
        let more = &more[..cut(&more, wanted - have, 12)];
        if more.trim().is_empty() {
            break;
        }
        have += more.chars().count();
        if chance(rng, 0.5) {
            before = before + more + "\n\n";
        } else {
            after = after + "\n\n" + more;
        }
    }
    before + text + &after
}

/// One of so many messages into which a text is cut: at words, or at characters where it has too few words.
fn message(text: &str, chunk: usize, chunks: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let of = |n: usize| n * chunk / chunks..n * (chunk + 1) / chunks;
    if words.len() >= chunks {
        return words[of(words.len())].join(" ");
    }
    let letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let own: String = letters[of(letters.len())].iter().collect();
    if own.is_empty() { "…".to_owned() } else { own }
}

fn encoded(text: &str, encoding: Encoding) -> String {
    match encoding {
        Encoding::Base64 => base64::engine::general_purpose::STANDARD.encode(text),
        Encoding::Hex => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        Encoding::Rot13 => text
            .chars()
            .map(|c| {
                let base = if c.is_ascii_lowercase() { b'a' } else { b'A' };
                if c.is_ascii_alphabetic() { ((c as u8 - base + 13) % 26 + base) as char } else { c }
            })
            .collect(),
    }
}

impl Group {
    /// A text of the group that several of its accounts send.
    fn text(&self, seed: u64, (number, item): (u32, u32), source: &Source<'_>) -> String {
        let talk = &tables().small_talk;
        let key = u64::from(number) << 32 | u64::from(item);
        match self.plan.kind {
            BenignKind::Viral => source.shared(&talk.trends, key),
            BenignKind::Class => source.shared(&talk.exercises, key),
            BenignKind::Benchmark => {
                let set = self.plan.set.as_ref().unwrap_or(&self.plan.name);
                shared_task(seed, of_set(set), item, &[], source)
            }
            _ => shared_task(seed, ("group-text", number.into()), item, &[], source),
        }
    }

    fn ask<'a>(
        &'a self,
        seed: u64,
        account: &Account,
        (number, item): (u32, u32),
        source: &'a Source<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Asked<'a> {
        let name = &self.plan.name;
        let edited = |text: String, share: f64, rng: &mut ChaCha8Rng| {
            let kind = pick(rng, &[Edit::Typo, Edit::Synonym, Edit::Boiler]);
            let changed = chance(rng, share).then(|| edits::apply(kind, &text, 0.3, "", rng)).flatten();
            changed.map_or((text, "none"), |changed| (changed, kind.word()))
        };
        let (mut app, mut user) = (None, None);
        let (text, edit) = match self.plan.kind {
            BenignKind::App => {
                let own = &self.apps[item as usize % self.apps.len()];
                let interest =
                    if account.interests.is_empty() { source.interest(rng) } else { pick(rng, &account.interests) };
                let rank = below(rng, source.size(interest).max(1) as usize) as u32;
                app = Some(own);
                let about_own = chance(rng, self.plan.own_subjects);
                let input =
                    if about_own { source.text(interest, rank) } else { source.input(own.input(), interest, rank) };
                (own.around(&input), "")
            }
            BenignKind::Gateway => {
                let person = zipf(rng, self.plan.users, 0.7);
                user = Some(person);
                let of_person = &mut stream(seed, "group-user", number.into(), person.into());
                let interests: Vec<u32> = (0..2).map(|_| source.interest(of_person)).collect();
                let interest = pick(rng, &interests);
                let popular = chance(rng, 0.3);
                let rank = if popular {
                    source.popular(interest, rng)
                } else {
                    below(rng, source.size(interest).max(1) as usize) as u32
                };
                (source.text(interest, rank).into_owned(), "")
            }
            BenignKind::Retry => {
                let own = &mut stream(seed, &account.name, u64::from(number) + 1, item.into());
                (whole(&account.interests, source, own), "")
            }
            BenignKind::News => {
                let story = self.text(seed, (number, item), source);
                let headline = &story[..cut(&story, 70, 12)];
                let own = whole(&account.interests, source, rng);
                (format!("{} \"{}\"", own.trim(), headline.trim()), "quote")
            }
            BenignKind::Class => edited(self.text(seed, (number, item), source), 0.6, rng),
            BenignKind::Viral => edited(self.text(seed, (number, item), source), 0.15, rng),
            BenignKind::Agency => edited(self.text(seed, (number, item), source), 0.3, rng),
            BenignKind::Benchmark | BenignKind::Ci => (self.text(seed, (number, item), source), "none"),
        };
        let asked = Asked::plain(Cow::Owned(text), format!("{name}-{item}"), app);
        Asked { group: name.clone(), edit: edit.to_owned(), user, ..asked }
    }
}
