//! The tables of `data/grammar`, which are part of the program: read once, when a world first needs them.
//!
//! A file is TOML: lists of words and sentences by name, topics, and what only that file has. Its strings are written without
//! escapes ("…" or '…', and '''…''' over several lines), so that the tables borrow the program's own text. Guarantee: what is
//! not as the types below say fails a test, since every file is read by one.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Words or sentences, one of which is drawn.
pub(in crate::simulate) type List = Vec<&'static str>;
/// The lists that holes name.
type Lists = BTreeMap<&'static str, List>;

/// What people of one interest ask.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::simulate) struct Topic {
    /// Its name, for people who read the tables.
    #[cfg_attr(not(test), expect(dead_code, reason = "for people who read the tables"))]
    pub(super) name: &'static str,
    /// How often people have it, against the others.
    pub(in crate::simulate) weight: f64,
    /// What is asked; a prompt has exactly one, and it can stand alone.
    pub(super) tasks: List,
    /// What may come before it.
    pub(super) contexts: List,
    /// What may come after it.
    pub(super) wishes: List,
}

/// A file that has topics and lists.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'static"))]
struct Topics {
    #[serde(default)]
    lists: Lists,
    #[serde(default)]
    topics: Vec<Topic>,
}

/// What belongs to no topic.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'static"))]
pub(in crate::simulate) struct SmallTalk {
    /// What people say again and again, most popular first.
    pub(in crate::simulate) stock: List,
    /// What comes before a request.
    pub(super) openings: List,
    /// What comes after a request.
    pub(super) closings: List,
    /// What follows an answer.
    pub(in crate::simulate) follow_ups: List,
    /// Prompts that go round for an hour.
    pub(in crate::simulate) trends: List,
    /// Exercises that a whole class pastes in.
    pub(in crate::simulate) exercises: List,
    /// Made-up answers: short, and about nothing.
    pub(in crate::simulate) responses: List,
    lists: Lists,
}

/// What apps put around their users' words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'static"))]
pub(in crate::simulate) struct Apps {
    /// System prompts.
    pub(in crate::simulate) systems: List,
    /// What shows that a text came through an app.
    pub(in crate::simulate) markers: List,
    /// What an app repeats with every request.
    pub(in crate::simulate) tasks: Vec<AppTask>,
    lists: Lists,
}

/// A task that an app repeats with every request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::simulate) struct AppTask {
    /// The task, with the slot `«input»`.
    pub(in crate::simulate) frame: &'static str,
    /// What stands in the slot.
    pub(in crate::simulate) input: &'static str,
}

/// By what a campaign takes a model's abilities out of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'static"))]
pub(in crate::simulate) struct Campaigns {
    /// Who the model shall be.
    pub(in crate::simulate) roles: List,
    /// What it shall do.
    pub(in crate::simulate) tasks: List,
    /// What it shall mind.
    pub(in crate::simulate) rules: List,
    /// How the answer shall look.
    pub(in crate::simulate) forms: List,
    lists: Lists,
}

/// Instructions that a harvest puts into many otherwise different requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'static"))]
pub(in crate::simulate) struct Fragments {
    /// What a fragment says; each stands alone.
    pub(in crate::simulate) frames: List,
    /// Instructions in other languages.
    pub(in crate::simulate) translations: Vec<Translation>,
    published: Vec<PublishedFragment>,
    lists: Lists,
}

/// An instruction and what it is in other languages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::simulate) struct Translation {
    pub(in crate::simulate) english: &'static str,
    /// In Chinese, Japanese, Korean, Russian, Spanish, French and German.
    pub(in crate::simulate) others: [&'static str; 7],
}

/// Wording that a provider published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedFragment {
    /// The wording.
    pub text: &'static str,
    /// Who published it, where and when.
    pub source: &'static str,
}

/// Published wording, in the order in which the first fragment campaigns take it.
///
/// # Example
/// ```
/// use stillhunt::simulate::published_fragments;
/// assert!(published_fragments().iter().all(|fragment| !fragment.source.is_empty()));
/// ```
#[must_use]
pub fn published_fragments() -> &'static [PublishedFragment] {
    &tables().fragments.published
}

/// What edits put into a copy.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'static"))]
pub(in crate::simulate) struct Edits {
    /// Rows of words that may stand for each other.
    pub(in crate::simulate) synonyms: Vec<List>,
    /// Words that a filled slot may hold.
    pub(in crate::simulate) slot_words: List,
    /// Characters that a filled slot may hold in text without spaces.
    pub(in crate::simulate) slot_han: Vec<char>,
    /// What is put in front of a copy.
    pub(in crate::simulate) openers: List,
    /// What is put behind a copy.
    pub(in crate::simulate) closers: List,
    /// Latin letters and those that look like them.
    pub(in crate::simulate) lookalikes: Vec<(char, char)>,
}

/// Everything that `data/grammar` has.
pub(in crate::simulate) struct Tables {
    topics: [Topics; 7],
    pub(in crate::simulate) small_talk: SmallTalk,
    pub(in crate::simulate) apps: Apps,
    pub(in crate::simulate) campaigns: Campaigns,
    pub(in crate::simulate) fragments: Fragments,
    pub(in crate::simulate) edits: Edits,
}

impl Tables {
    /// Every topic, in a fixed order.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter().flat_map(|file| &file.topics)
    }

    /// Every list with its name.
    pub(super) fn lists(&self) -> impl Iterator<Item = (&'static str, &[&'static str])> {
        let others = [&self.small_talk.lists, &self.apps.lists, &self.campaigns.lists, &self.fragments.lists];
        let lists = self.topics.iter().map(|file| &file.lists).chain(others);
        lists.flatten().map(|(name, list)| (*name, list.as_slice()))
    }
}

macro_rules! table {
    ($name:literal) => {
        read($name, include_str!(concat!("../../../data/grammar/", $name, ".toml")))
    };
}

/// The tables.
pub(in crate::simulate) fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
        topics: [
            table!("words"),
            table!("phrases"),
            table!("everyday"),
            table!("work"),
            table!("study"),
            table!("code"),
            table!("languages"),
        ],
        small_talk: table!("small_talk"),
        apps: table!("apps"),
        campaigns: table!("campaigns"),
        fragments: table!("fragments"),
        edits: table!("edits"),
    });
    &TABLES
}

fn read<T: Deserialize<'static>>(name: &str, text: &'static str) -> T {
    toml::from_str(text).unwrap_or_else(|cause| panic!("data/grammar/{name}.toml: {cause}"))
}
