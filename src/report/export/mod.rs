//! Findings for other tools: what may be exported, in which format, and how it is marked; one file a format.
//!
//! The idea: one table names every format with the word, the file's ending and the media type that it has; command line and server read it, so
//! neither offers what the other lacks. Each writer is a function from rings to text. Weakness: no other format has a place for a null hypothesis
//! or a number of tests, so these travel as an extension, as unmapped fields or as text, and a reader may drop them. Guarantee: no
//! text of a prompt is in an export of rings; a ring, an account and what joins them have the same identifier on every night; no writer reads the clock.

pub mod graph;
pub mod misp;
pub mod ocsf;
pub mod parquet;
pub mod stix;

use super::date_of;
use super::escape::{Lines, clip, terminal};
use super::ring::{READING, Ring, RingsMeta};
use crate::error::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A row for each exchange and level.
    Members,
    /// Families with their templates.
    Families,
    /// Confirmed rings with their members.
    Rings,
}

/// A format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// One JSON object.
    Json,
    /// A bundle of STIX 2.1.
    Stix,
    /// Detection findings of OCSF, one a line.
    Ocsf,
    /// Events of MISP.
    Misp,
    /// GraphML.
    GraphMl,
    /// GEXF 1.2.
    Gexf,
    /// Apache Parquet.
    Parquet,
}

/// Every format: its word, the ending of its file, its media type.
const FORMATS: [(Format, &str, &str, &str); 8] = [
    (Format::Csv, "csv", "csv", "text/csv; charset=utf-8"),
    (Format::Json, "json", "json", "application/json"),
    (Format::Stix, "stix", "stix.json", "application/stix+json;version=2.1"),
    (Format::Ocsf, "ocsf", "ocsf.jsonl", "application/x-ndjson"),
    (Format::Misp, "misp", "misp.json", "application/json"),
    (Format::GraphMl, "graphml", "graphml", "application/graphml+xml"),
    (Format::Gexf, "gexf", "gexf", "application/gexf+xml"),
    (Format::Parquet, "parquet", "parquet", "application/vnd.apache.parquet"),
];

/// The words of all formats.
pub const FORMAT_WORDS: [&str; 8] = ["csv", "json", "stix", "ocsf", "misp", "graphml", "gexf", "parquet"];

impl What {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Members, Self::Families, Self::Rings];

    /// The word on the command line and in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Families => "families",
            Self::Rings => "rings",
        }
    }

    /// The formats that it has. Only rings are findings; exchanges and families are what findings are made of.
    #[must_use]
    pub const fn formats(self) -> &'static [Format] {
        use Format::{Csv, Gexf, GraphMl, Json, Misp, Ocsf, Parquet, Stix};
        match self {
            Self::Members => &[Csv, Parquet],
            Self::Families => &[Csv, Json, Parquet],
            Self::Rings => &[Csv, Json, Stix, Ocsf, Misp, GraphMl, Gexf, Parquet],
        }
    }

    /// The format of this word, where this has it.
    /// # Errors
    /// `Config` where it has not.
    pub fn format(self, word: &str) -> Result<Format> {
        let found = self.formats().iter().copied().find(|format| format.word() == word);
        found.ok_or_else(|| {
            let words: Vec<&str> = self.formats().iter().map(|format| format.word()).collect();
            Error::new(ErrorKind::Config, format!("expected {} as {}, got {word}", self.word(), words.join(" or ")))
        })
    }
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Csv, Self::Json, Self::Stix, Self::Ocsf, Self::Misp, Self::GraphMl, Self::Gexf, Self::Parquet];

    fn row(self) -> (Self, &'static str, &'static str, &'static str) {
        FORMATS.into_iter().find(|row| row.0 == self).unwrap_or(FORMATS[0])
    }

    /// The word on the command line and in addresses.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().1
    }

    /// The ending of a file's name.
    #[must_use]
    pub fn ending(self) -> &'static str {
        self.row().2
    }

    /// The media type.
    #[must_use]
    pub fn media(self) -> &'static str {
        self.row().3
    }
}

/// A marking of the Traffic Light Protocol, version 2.0: who may be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tlp {
    /// Everybody.
    Clear,
    /// The community.
    Green,
    /// The organisation and its clients.
    #[default]
    Amber,
    /// The organisation only.
    AmberStrict,
    /// The recipient only.
    Red,
}

/// The words of all markings, least strict first.
pub const TLP_WORDS: [&str; 5] = ["clear", "green", "amber", "amber+strict", "red"];

impl Tlp {
    /// All of them, in the order of [`TLP_WORDS`].
    pub const ALL: [Self; 5] = [Self::Clear, Self::Green, Self::Amber, Self::AmberStrict, Self::Red];

    /// The word of it, in lower case.
    #[must_use]
    pub fn word(self) -> &'static str {
        TLP_WORDS[self as usize]
    }

    /// The marking of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tlp| tlp.word() == word)
    }

    /// As the protocol writes it, `TLP:AMBER`.
    #[must_use]
    pub fn label(self) -> String {
        format!("TLP:{}", self.word().to_uppercase())
    }
}

/// Where the identifiers of this program's objects come from: drawn once, never changed, since a changed one renames everything that was exported.
const NAMESPACE: Uuid = Uuid::from_u128(0x5c1f_6f0e_8b0d_4a57_9d3e_2f64_7ab1_90c3);

/// The identifier of what has this name among things of this kind (UUID version 5).
fn uuid(kind: &str, name: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("{kind}:{name}").as_bytes()).to_string()
}

/// Days of a ring, counted from 1970-01-01.
struct Days {
    /// The first day of which something counts.
    first: i64,
    /// The day after the last of which something counts.
    end: i64,
    /// The day after that which confirmed it.
    confirmed: i64,
    /// The day after the newest that was read.
    newest: i64,
}

/// The days that an export may name: those of the years 1970 to 9999.
const DAYS: std::ops::RangeInclusive<i64> = 0..=2_932_895;

impl Days {
    fn of(ring: &Ring, meta: &RingsMeta) -> Self {
        let days = || ring.families.iter().map(|family| family.day);
        let within = |day: i64| day.clamp(*DAYS.start(), *DAYS.end());
        let first = within(days().min().map_or(ring.first_proposed, |day| day.min(ring.first_proposed)));
        let confirmed = within(ring.confirmed_night.saturating_add(1));
        let last = days().max().map_or(ring.confirmed_night, |day| day.max(ring.confirmed_night));
        let end = within(last.saturating_add(1));
        let newest = meta.days.last().map_or(end, |day| within(day.day.saturating_add(1))).max(end);
        Self { first, end, confirmed, newest }
    }
}

/// The beginning of a day, to the millisecond.
fn moment(day: i64) -> String {
    format!("{}T00:00:00.000Z", date_of(day))
}

/// The beginning of a day, in milliseconds since 1970.
const fn millis(day: i64) -> i64 {
    day * 86_400_000
}

/// A ring in a few words.
fn title(ring: &Ring) -> String {
    format!("Ring {}: {} accounts act together", ring.id, ring.accounts)
}

/// A ring in some sentences, with what it does not mean.
fn description(ring: &Ring, meta: &RingsMeta) -> String {
    let mut out = format!(
        "{} accounts shared {} families from {} on; confirmed on {}, rung {} (gamma* {}, log10 E {:.1}). ",
        ring.accounts,
        ring.families.len(),
        date_of(ring.first_proposed),
        date_of(ring.confirmed_night),
        ring.rung.word(),
        ring.gamma_star,
        ring.log10_e
    );
    for fact in ring.facts() {
        out += &format!("{}. ", terminal(&clip(&fact, 400), Lines::Join));
    }
    out + &meta.words()
}

/// What was tested and what error that has; what is not known is left out.
fn statistics(ring: &Ring, meta: &RingsMeta) -> Map<String, Value> {
    let streams: Map<String, Value> =
        ring.streams.iter().filter_map(|(name, e)| Some((name.replace('-', "_"), json!((*e)?)))).collect();
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() && value != json!({}) && value != json!("") {
            out.insert(name.to_owned(), value);
        }
    };
    put("null_hypothesis", json!(meta.null()));
    put("route", json!(ring.route.word()));
    put("rung", json!(ring.rung.word()));
    put("gamma_star", json!(ring.gamma_star));
    put("log10_e", json!(ring.log10_e));
    put("log10_e_by_stream", json!(streams));
    put("innocent_affinity", json!(meta.phi0));
    put("groups_proposed", json!(meta.proposed));
    put("groups_tested_newest_day", json!(meta.tested));
    put("days_read", json!(meta.days.len()));
    put("expected_false_share", json!(meta.q));
    put("expected_false_members", json!(0.01));
    put("placebo_walks", json!(meta.placebo.runs));
    put("placebo_tested", json!(meta.placebo.tested));
    put("placebo_confirmed", json!(meta.placebo.rejected));
    put("placebo_upper", json!(meta.placebo.upper));
    put("list_valid", json!(meta.valid));
    put("list_not_valid_since", json!(meta.why));
    put("accounts", json!(ring.accounts));
    put("requests", json!(ring.requests));
    put("disposition", json!(ring.disposition.map(super::ring::Disposition::word)));
    put("reading", json!(READING));
    out
}

#[cfg(test)]
mod tests;
