//! What an audit found, as values, and the exporters that turn it into files: JSON, HTML, Markdown and CSV, one file each.
//!
//! The audit fills in a [`Report`] and calls [`Report::finish`], which puts the families in their order and bounds every
//! text that came out of a log; after that each exporter is a function from `&Report` to text. Field names here are the
//! names in `report.json`, and `report.schema.json` beside this file is their contract with programs.
//!
//! The order of families is **descriptive**: distinct accounts, then requests, then the name. Nothing here is a score or a
//! probability, because similar text alone shows neither intent nor coordination: every customer of one app sends its
//! template. Weakness: a text longer than the bounds is cut in the report (and says by how much); the store has all of it.
//! Guaranteed: the same `Report` gives the same bytes, and no exporter reads the clock or opens a file.

pub mod csv;
pub mod escape;
pub mod expected;
pub mod export;
pub mod html;
pub mod json;
pub mod markdown;
pub mod places;
pub mod plan;
pub mod planting;
pub mod radioactivity;
pub mod recipe;
pub mod ring;
#[cfg(test)]
mod sample;
pub mod watermark;

pub use crate::family::template::{Part, Slot};
use crate::ids::{Digest, FamilyId, Field, Level, Time};
use serde::{Deserialize, Serialize, Serializer};
use std::cmp::Ordering;
use std::collections::BTreeMap;

#[cfg(test)]
pub(crate) use sample::sample;

/// The number of the report's format; a field that goes or changes its meaning raises it.
pub const SCHEMA: u32 = 1;

/// Characters of a template that a report keeps.
pub const TEMPLATE_CHARS: usize = 8_000;

/// Characters of one value of a slot that a report keeps.
pub const EXAMPLE_CHARS: usize = 300;

/// Parts of a template, and slots of a family, that a report keeps.
pub const MOST_PARTS: usize = 200;

/// Values shown for one slot.
pub const MOST_EXAMPLES: usize = 8;

/// Everything one audit has to say, about the rows it read and about the store as it then was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What the findings depend on.
    pub parameters: Parameters,
    /// Rows of this run.
    pub counts: Counts,
    /// The store after this run.
    pub store: Totals,
    /// Nights of the store, oldest first.
    pub nights: Vec<Night>,
    /// Rows that were kept aside, by night and reason, of all nights.
    pub quarantined: Vec<Quarantined>,
    /// Rings of accounts that act together, the surest first.
    pub rings: Vec<ring::Ring>,
    /// What stands behind that list: its null, its number of tests, its error.
    pub rings_meta: ring::RingsMeta,
    /// Families of the store at the exact, the near-duplicate and the fragment level that are neither trivial nor known, listed below
    /// or not.
    pub families_total: u64,
    /// The leading families: most accounts first, then requests, then id.
    pub families: Vec<Family>,
    /// The largest families of trivial text ("thanks", "yes, go on"), which never head a report.
    pub trivial_families: Vec<Family>,
    /// The largest families of one system prompt.
    pub system_families: Vec<Family>,
    /// The largest fragment families that a known text explains: counted apart, never dropped.
    pub known_families: Vec<Family>,
    /// What folding took out of the prompts of the store.
    pub removed: Removed,
    /// Whether the mark was planted where it should be; none where nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planting: Option<planting::Planting>,
    /// What a reader must know about this run, one sentence each.
    pub notes: Vec<String>,
}

/// Rows of a night's logs that were kept aside for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Number of the night.
    pub night: u32,
    /// Why, in a word.
    pub reason: String,
    /// Rows.
    pub rows: u64,
}

/// What the findings depend on: with the same logs, these give the same report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameters {
    /// Version of the program.
    pub version: String,
    /// Digest of the embedding model.
    pub model_digest: Digest,
    /// Name of the embedding model.
    pub model_name: String,
    /// Length of a vector.
    pub dimension: u32,
    /// Version of the judge's rule of near-duplicates.
    pub rule: u32,
    /// Least score (similarity plus shared runs of characters) at which two prompts of whatever length count as near-duplicates.
    pub threshold: f64,
    /// Least score at which a member stays with a family that it joined through another member than the leader.
    pub diameter: f64,
    /// Least similarity at which the index offers a pair to the judge.
    pub candidate_floor: f64,
    /// Unrelated prompts that the judge is expected to accept for one prompt, in a store of this size: the upper end for prompts of the
    /// length that has most of them.
    pub expected_unrelated_neighbours: f64,
    /// The same for each length class that the store holds prompts of.
    pub lengths: Vec<Length>,
    /// Where threshold and expectation come from.
    pub calibration: String,
    /// Distinct accounts that a fragment family has at least.
    pub fragment_accounts: u64,
    /// Nights over which fragments are counted.
    pub fragment_nights: u64,
    /// Nights, the newest included, of whose prompts in no family the newest night's were compared with; 0 for all.
    pub compared_nights: u64,
    /// Bytes of a shared run from which it is certain to be found.
    pub fragment_run: u64,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Rows held in memory at a time.
    pub batch_rows: u64,
    /// Commitment to the key of the account pseudonyms; the key itself lies outside the store.
    pub account_key_commitment: Digest,
}

impl Parameters {
    /// The nights whose single prompts were compared with, as people read it.
    pub(crate) fn compared(&self) -> String {
        if self.compared_nights == 0 { "all".into() } else { escape::grouped(self.compared_nights) }
    }
}

/// Prompts of one length class, and how many unrelated ones a prompt of them is expected to be joined with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Length {
    /// Bytes of folded text, in words.
    pub bytes: String,
    /// Distinct prompts of the store.
    pub prompts: u64,
    /// Least score of two of them.
    pub threshold: f64,
    /// Unrelated neighbours of one of them among all prompts of the store, the best estimate.
    pub unrelated_neighbours: f64,
    /// Lower end of its 95% interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Prompts of the store that one of them was never calibrated against, since the calibration holds too few pairs of such lengths.
    pub uncalibrated: u64,
}

/// Rows of this run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows in the logs of this run.
    pub rows_read: u64,
    /// Exchanges added to the store.
    pub rows_kept: u64,
    /// Exchanges that the store had already.
    pub rows_known: u64,
    /// Rows set aside.
    pub rows_quarantined: u64,
    /// Rows set aside, by reason.
    pub quarantined_by_reason: BTreeMap<String, u64>,
    /// Logs given to this run.
    pub inputs: u64,
    /// Logs among them that the store had read whole before.
    pub inputs_known: u64,
    /// Logs among those known that were not read again, since their object store gave the same length and ETag for them.
    pub inputs_unchanged: u64,
    /// How the exchanges of this run were read: by which schemas, and what was taken as account.
    pub read_as: ReadAs,
}

/// How the exchanges of a run were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReadAs {
    /// Rows of known logs that are no model calls: parent spans, votes, embeddings.
    pub passed_over: u64,
    /// Calls whose text a placeholder stands for, since it was redacted before it was logged.
    pub redacted: u64,
    /// Calls whose newest user message holds images, audio or files and no text.
    pub without_text: u64,
    /// Exchanges by schema.
    pub schemas: BTreeMap<String, u64>,
    /// Exchanges by the path that their account was taken from; `--default-account` where the log names none.
    pub accounts_from: BTreeMap<String, u64>,
    /// Exchanges by the path that their end user was taken from, for those that have one.
    pub end_users_from: BTreeMap<String, u64>,
    /// Exchanges whose time is the default.
    pub default_times: u64,
    /// Exchanges put together of a request and a result in two rows.
    pub joined: u64,
    /// Texts that held messages or an answer as JSON and were read as that.
    pub json_read: u64,
    /// Texts that look like JSON and stayed texts.
    pub json_kept: u64,
}

impl ReadAs {
    /// Adds what another log was read as.
    pub fn add(&mut self, other: &Self) {
        self.passed_over += other.passed_over;
        self.redacted += other.redacted;
        self.without_text += other.without_text;
        let maps = [
            (&mut self.schemas, &other.schemas),
            (&mut self.accounts_from, &other.accounts_from),
            (&mut self.end_users_from, &other.end_users_from),
        ];
        for (all, more) in maps {
            more.iter().for_each(|(name, n)| *all.entry(name.clone()).or_default() += n);
        }
        self.default_times += other.default_times;
        self.joined += other.joined;
        self.json_read += other.json_read;
        self.json_kept += other.json_kept;
    }

    /// Rows that are neither exchanges nor bad.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed_over + self.redacted + self.without_text
    }

    /// One sentence for a reader.
    #[must_use]
    pub fn told(&self) -> String {
        let list = |counts: &BTreeMap<String, u64>| {
            counts.iter().map(|(name, n)| format!("{name} ({n})")).collect::<Vec<_>>().join(", ")
        };
        let mut parts = Vec::new();
        if !self.schemas.is_empty() {
            parts.push(format!("read as {}", list(&self.schemas)));
            parts.push(format!("accounts from {}", list(&self.accounts_from)));
        }
        if !self.end_users_from.is_empty() {
            parts.push(format!("end users from {}", list(&self.end_users_from)));
        }
        let counts = [
            (self.default_times, "with the default time"),
            (self.joined, "put together of two rows"),
            (self.json_read, "texts read as the JSON that they hold"),
            (self.json_kept, "texts that look like JSON kept as text"),
            (self.passed_over, "rows that are no model calls passed over"),
            (self.redacted, "calls whose text was redacted passed over"),
            (self.without_text, "calls without text passed over"),
        ];
        parts.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        parts.join("; ")
    }
}

/// The store after this run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Exchanges.
    pub exchanges: u64,
    /// Distinct accounts.
    pub accounts: u64,
    /// Distinct folded prompts.
    pub distinct_prompts: u64,
    /// Distinct prompts too short to mean anything when they recur.
    pub trivial_prompts: u64,
    /// Distinct prompts that the model could not read; they take part in exact families only.
    pub without_vector: u64,
    /// Distinct prompts long enough to be compared by windows too.
    pub long_prompts: u64,
    /// Windows of those.
    pub windows: u64,
    /// Windows left out because a prompt had more than the limit.
    pub windows_cut: u64,
    /// Nights committed.
    pub nights: u64,
    /// Time of the earliest exchange.
    pub first_seen: Option<Time>,
    /// Time of the latest exchange.
    pub last_seen: Option<Time>,
    /// Families at the near-duplicate level, trivial ones included.
    pub near_families: u64,
    /// Families at the exact level, trivial ones included.
    pub exact_families: u64,
    /// Families of one system prompt.
    pub system_families: u64,
    /// Families at the fragment level, known ones included.
    pub fragment_families: u64,
    /// Fragment families that a known text explains.
    pub known_families: u64,
    /// Bytes of very long texts that were not read for fragments.
    pub fragment_bytes_cut: u64,
    /// Fragments that were found and not kept, because a night had too many.
    pub fragments_cut: u64,
}

/// One night: what one commit added.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Night {
    /// Its number in the store, from 1.
    pub night: u32,
    /// Time of its earliest exchange.
    pub first_seen: Option<Time>,
    /// Time of its latest exchange.
    pub last_seen: Option<Time>,
    /// Exchanges it added.
    pub exchanges: u64,
    /// Accounts active in it.
    pub accounts: u64,
    /// Accounts never seen before it.
    pub new_accounts: u64,
    /// Families that did not exist before it.
    pub new_families: u64,
}

/// Requests whose texts resemble each other at one level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    /// Its name, the same from night to night.
    pub id: FamilyId,
    /// What makes its requests alike.
    pub level: Level,
    /// Version of the judge's rule that made it, where it is a near-duplicate family of several prompts.
    pub rule: Option<u32>,
    /// The near-duplicate family in which an exact family lies; the more common fragment family whose text this fragment's text
    /// holds.
    pub within: Option<FamilyId>,
    /// Distinct accounts.
    pub accounts: u64,
    /// Requests.
    pub requests: u64,
    /// Distinct folded prompts.
    pub distinct_prompts: u64,
    /// Accounts of this family that the store first saw in its newest night.
    pub new_accounts: u64,
    /// `new_accounts` as a share of `accounts`, in [0, 1].
    pub new_account_share: f64,
    /// Time of its earliest request.
    pub first_seen: Time,
    /// Time of its latest request.
    pub last_seen: Time,
    /// Its fixed text, with slots as ⟨1⟩, ⟨2⟩ …
    pub template: String,
    /// The same in parts, so that a slot is never confused with text that looks like one.
    pub template_parts: Vec<Part>,
    /// The parts that vary.
    pub slots: Vec<Slot>,
    /// Distinct prompts from which the template was read.
    pub template_members: u64,
    /// Id of one exchange, as the log named it.
    pub example: Option<String>,
    /// Its growth, oldest night first; nights without requests are left out.
    pub nights: Vec<FamilyNight>,
    /// Its timeline, oldest day first; days without requests are left out.
    pub days: Vec<DayCount>,
    /// The models it asked most.
    pub models: Vec<ModelCount>,
    /// Families that have become part of this one.
    pub merged: Vec<FamilyId>,
    /// The smallest similarity of a member to the leader, where the level has one.
    pub smallest_similarity: Option<f32>,
    /// What only a fragment family has.
    pub fragment: Option<Fragment>,
}

/// What a fragment family shows beside what every family does. Its template is the shared text; what stands around it varies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fragment {
    /// Which text of the requests holds it.
    pub field: Field,
    /// Digest by which a list of known texts may name it.
    pub digest: Digest,
    /// Distinct whole texts around it: the more varied, the more telling.
    pub texts: u64,
    /// Where in those texts it stands.
    pub place: Place,
    /// Share of the whole text that it is, the median, in [0, 1].
    pub share: f64,
    /// Runs that its accounts send together, of which it is made.
    pub parts: u64,
    /// Near-duplicate families that it cuts across.
    pub near_families: u64,
    /// The largest of those.
    pub largest_near_families: Vec<FamilyId>,
    /// The known text that explains it.
    pub known: Option<String>,
    /// Whether it is so old and common that somebody should decide whether it belongs on the list of known texts.
    pub registry_candidate: bool,
}

/// How many texts have a fragment where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// At the start.
    pub start: u64,
    /// Between start and end.
    pub middle: u64,
    /// At the end.
    pub end: u64,
}

/// What a night added to a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FamilyNight {
    /// The night.
    pub night: u32,
    /// Requests in it.
    pub requests: u64,
    /// Accounts active in it.
    pub accounts: u64,
    /// Accounts that were new to the family.
    pub new_accounts: u64,
}

/// Requests of one day, in UTC; the day is a date in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayCount {
    /// Days since 1970-01-01, as [`Time::day`] counts them.
    #[serde(serialize_with = "date")]
    pub day: i64,
    /// Requests.
    pub requests: u64,
}

/// Requests to one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelCount {
    /// The model, as the log named it.
    pub model: String,
    /// Requests.
    pub requests: u64,
}

/// What folding took out of prompts: characters by kind, and the prompts concerned. Evidence of evasion, or of a careless
/// copy from a web page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Default-ignorable characters, such as a zero-width space.
    pub invisible: u64,
    /// Controls of writing direction.
    pub bidi: u64,
    /// Tag characters, which carry hidden ASCII.
    pub tags: u64,
    /// Letters of another script that look Latin, inside Latin words.
    pub lookalikes: u64,
    /// Compatibility forms, such as full-width letters.
    pub compatibility: u64,
    /// Distinct prompts with any of these.
    pub prompts_with_any: u64,
    /// Distinct prompts with a run of base64 that decodes to text.
    pub base64_prompts: u64,
}

impl Report {
    /// Puts families in their order and bounds every text and list that a log decides, so that no exporter meets a prompt
    /// of ten megabytes. Doing it twice changes nothing.
    #[must_use]
    pub fn finish(mut self) -> Self {
        for families in
            [&mut self.families, &mut self.trivial_families, &mut self.system_families, &mut self.known_families]
        {
            families.sort_by(by_rank);
            families.iter_mut().for_each(Family::bound);
        }
        self
    }
}

impl Family {
    /// Cuts what the log decides to the bounds of this module.
    fn bound(&mut self) {
        escape::clip_in_place(&mut self.template, TEMPLATE_CHARS);
        let mut left = TEMPLATE_CHARS;
        self.template_parts.truncate(MOST_PARTS);
        self.template_parts.retain_mut(|part| match part {
            Part::Text(_) if left == 0 => false,
            Part::Text(text) => {
                escape::clip_in_place(text, left);
                left -= text.chars().count();
                true
            }
            Part::Slot(_) => left > 0,
        });
        self.slots.truncate(MOST_PARTS);
        for slot in &mut self.slots {
            slot.examples.truncate(MOST_EXAMPLES);
            slot.examples.iter_mut().for_each(|example| escape::clip_in_place(example, EXAMPLE_CHARS));
        }
        self.models.iter_mut().for_each(|count| escape::clip_in_place(&mut count.model, EXAMPLE_CHARS));
        if let Some(known) = self.fragment.as_mut().and_then(|fragment| fragment.known.as_mut()) {
            escape::clip_in_place(known, EXAMPLE_CHARS);
        }
        // An exchange's id is a key into the store, and a cut key finds nothing: one too long to show is left out.
        self.example.take_if(|id| id.chars().count() > EXAMPLE_CHARS);
    }
}

/// The order of families in a report: most accounts, then most requests, then the name.
#[must_use]
pub fn by_rank(a: &Family, b: &Family) -> Ordering {
    b.accounts.cmp(&a.accounts).then(b.requests.cmp(&a.requests)).then(a.id.cmp(&b.id))
}

/// The date of a day counted from 1970-01-01, or the bare number outside the years 1 to 9999.
#[must_use]
pub fn date_of(day: i64) -> String {
    match day.checked_mul(86_400_000_000).and_then(Time::new) {
        Some(time) => time.to_string().chars().take(10).collect(),
        None => day.to_string(),
    }
}

/// A day as its date.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn date<S: Serializer>(day: &i64, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&date_of(*day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_ranked_by_accounts_then_requests_then_name() {
        let mut report = sample();
        report.families.reverse();
        let finished = report.clone().finish();
        let keys: Vec<_> =
            finished.families.iter().map(|f| (u64::MAX - f.accounts, u64::MAX - f.requests, f.id)).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(finished.clone().finish(), finished, "finishing twice changes nothing");
    }

    #[test]
    fn texts_of_a_log_are_bounded() {
        let mut report = sample();
        let family = &mut report.families[0];
        family.template = "x".repeat(1_000_000);
        family.template_parts = vec![Part::Text("y".repeat(1_000_000)); 1_000];
        family.slots = vec![
            Slot {
                slot: 1,
                distinct_values: 1,
                absent: 0,
                examples: vec!["z".repeat(9_999); 99],
                ..Slot::default()
            };
            999
        ];
        family.example = Some("i".repeat(1_000_000));
        let (accounts, length) = (family.accounts, json::write(&report.finish()).len());
        assert!(accounts > 0 && length < 1_000_000, "{length} bytes");
    }

    #[test]
    fn days_are_dates() {
        assert_eq!(date_of(0), "1970-01-01");
        assert_eq!(date_of(20_148), "2025-03-01");
        assert_eq!(date_of(i64::MAX), i64::MAX.to_string());
    }
}
